"""From one game to another: who is fixed, who leads, and play over periods.

Every transform returns a game that `solve`, `certificate` and further transforms take like any other.
"""

from rivalry.transforms.followers import Followers
from rivalry.transforms.over_periods import in_stages, open_loop, repeat
from rivalry.transforms.restricted import Leadership, Respond, freeze, stackelberg
from rivalry.transforms.stages import check_stages, hierarchy
from rivalry.transforms.walk import walks

__all__ = [
    "Followers",
    "Leadership",
    "Respond",
    "check_stages",
    "freeze",
    "hierarchy",
    "in_stages",
    "open_loop",
    "repeat",
    "stackelberg",
    "walks",
]

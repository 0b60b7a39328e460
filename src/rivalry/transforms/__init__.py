"""From one game to another: who is fixed, who leads, and play over periods.

Every transform returns a game that `solve`, `certificate` and further transforms take like any other.
"""

from rivalry.transforms.followers import Followers
from rivalry.transforms.periods import in_stages, open_loop, repeat
from rivalry.transforms.seats import Leadership, Respond, freeze, hierarchy, stackelberg

__all__ = [
    "Followers",
    "Leadership",
    "Respond",
    "freeze",
    "hierarchy",
    "in_stages",
    "open_loop",
    "repeat",
    "stackelberg",
]

"""Transforms of games: fixed players, leaders and followers, stages, and play over periods.

Every transform returns a game that `solve`, `certificate` and further transforms take like any other.
"""

from rivalry.transforms.frozen import freeze
from rivalry.transforms.leadership import Followers, Leadership, Respond, hierarchy, stackelberg
from rivalry.transforms.over_periods import in_stages, repeat
from rivalry.transforms.units import discretise
from rivalry.transforms.walk import walks

__all__ = ["Followers", "Leadership", "Respond", "discretise", "freeze", "hierarchy", "in_stages"]
__all__ += ["repeat", "stackelberg", "walks"]

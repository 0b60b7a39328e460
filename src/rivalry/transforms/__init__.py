"""From one game to another: who is fixed, who leads, and play over periods.

Every transform returns a game that `solve`, `certificate` and further transforms take like any other.
"""

from rivalry.transforms.periods import in_stages, open_loop, repeat
from rivalry.transforms.seats import Respond, freeze, stackelberg

__all__ = ["Respond", "freeze", "in_stages", "open_loop", "repeat", "stackelberg"]

"""Conformance tests of custom games and methods, at random profiles.

All checks return the names of what was tested, and raise `Unfit` with one line that says what to change.
"""

from rivalry.check.games import check_game
from rivalry.check.methods import check_method
from rivalry.check.rules import Unfit

__all__ = ["Unfit", "check_game", "check_method"]

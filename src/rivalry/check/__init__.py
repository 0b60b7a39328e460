"""Conformance of other people's games and methods: what the package relies on, tried at random places.

All checks return the names of what was tried, and raise `Unfit` with one line that says what to change.
"""

from rivalry.check.games import check_game
from rivalry.check.methods import check_method
from rivalry.check.populations import check_population
from rivalry.check.rules import Unfit

__all__ = ["Unfit", "check_game", "check_method", "check_population"]

"""Races for a risky technology: safety and performance as inputs, once or over many periods."""

from rivalry.games.race.factory import race
from rivalry.games.race.game import Race

__all__ = ["Race", "race"]

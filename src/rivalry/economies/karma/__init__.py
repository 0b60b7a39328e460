"""Karma economies: bidding for scarce resources with a currency that has no other use."""

from rivalry.economies.karma.economy import KarmaEconomy
from rivalry.economies.karma.factory import karma

__all__ = ["KarmaEconomy", "karma"]

"""Karma economies: bidding for scarce resources with a currency that buys nothing else."""

from rivalry.games.karma.economy import KarmaEconomy
from rivalry.games.karma.factory import karma

__all__ = ["KarmaEconomy", "karma"]

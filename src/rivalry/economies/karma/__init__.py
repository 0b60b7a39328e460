"""Karma economies: bidding for scarce resources with a currency that has no other use."""

from rivalry.economies.karma.factory import karma
from rivalry.economies.karma.model import KarmaEconomy

__all__ = ["KarmaEconomy", "karma"]

"""Markets: firms that lead, follow, learn, and are worth their discounted cash flow."""

from rivalry.games.market.factory import market

__all__ = ["market"]

"""The market in which a bot is audited: prices, profits, and the two benchmarks between which they lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.families.market.benchmarks import benchmark
from rivalry.families.market.contingent import MarketGame
from rivalry.families.market.demand import relative_quality
from rivalry.families.market.equilibria import search_response
from rivalry.families.market.model import Market, whole_market
from rivalry.runtime.jax import floats, jax, jnp

Prices = ndarray
RANGE = 2.0  # the largest price of an audit, in cartel prices


@dataclass(frozen=True, eq=False)
class LogitDemand:
    """Logit demand, ``q_i = size s_i`` with ``ln s_i - ln s_0 = quality_i - slope p_i``.

    Parameters
    ----------
    quality : ndarray
        Mean utility at a price of 0, over that of buying nothing, ``[firm]``.
    slope : float
        Loss of utility per unit of price; the scale of tastes is its reciprocal.
    size : float
        Number of buyers.

    Examples
    --------
    >>> demand = LogitDemand(np.array([8.0, 8.0]), 4.0)  # the market of Calvano et al. 2020
    >>> demand(np.array([1.5, 1.5])).round(4).tolist()
    [0.4683, 0.4683]
    """

    quality: ndarray
    slope: float
    size: float = 1.0

    def __call__(self, price: Prices) -> Prices:
        """Return quantities ``[... firm]`` at prices ``[... firm]``."""
        utility = self.quality - self.slope * floats(price)
        inclusive = np.logaddexp(np.logaddexp.reduce(utility, axis=-1, keepdims=True), 0.0)
        return self.size * np.exp(utility - inclusive)

    def best_response(self, price: Prices, firm: int, cost: float) -> ndarray:
        """Return a firm's price of largest profit in every period, ``[period]``, at prices ``[period firm]``.

        The margin times the slope is ``1 + W(exp(x))`` with Lambert's function, where ``x`` is the utility at
        cost, less 1, relative to all other choices.
        """
        from scipy.special import wrightomega  # takes 0.1 s to import

        utility = self.quality - self.slope * price
        utility[:, firm] = 0.0  # of buying nothing
        relative = self.quality[firm] - self.slope * cost - 1 - np.logaddexp.reduce(utility, axis=1)
        return np.asarray(cost + (1 + wrightomega(relative)) / self.slope)


class PriceMarket(NamedTuple):
    """A market whose firms choose prices, in the form in which bots meet it.

    Parameters
    ----------
    nash
        Prices of the one-shot equilibrium, ``[firm]``.
    cartel
        Prices of the largest joint profit, ``[firm]``.
    low, high
        The range of prices that bots may charge.
    profits
        Profits of a period ``[... firm]`` at prices ``[... firm]``.
    quantities
        Quantities of a period ``[... firm]`` at prices ``[... firm]``; `LogitDemand` where they are.
    cut
        The prices of the best deviation of a firm from the cartel in one period, ``[firm]``.
    game
        The market as a game, of one period.
    """

    nash: ndarray
    cartel: ndarray
    low: float
    high: float
    profits: Callable[[Prices], Prices]
    quantities: Callable[[Prices], Prices]
    cut: ndarray
    game: Market

    @property
    def players(self) -> int:
        """The number of firms."""
        return len(self.nash)

    @property
    def stake(self) -> float:
        """The mean rise of a firm's profit from the equilibrium to the cartel."""
        return float(np.mean(self.profits(self.cartel) - self.profits(self.nash)))

    def profit_gain(self, profit: ndarray) -> ndarray:
        """Return profits ``[... firm]`` as a fraction of the way from the equilibrium to the cartel.

        >>> market = price_market()
        >>> market.profit_gain(market.profits(market.cartel)).round(9).tolist()
        [1.0, 1.0]
        """
        nash, cartel = self.profits(self.nash), self.profits(self.cartel)
        return (profit - nash) / (cartel - nash)

    def price_gain(self, prices: ndarray) -> float:
        """Return the mean price that buyers pay as a fraction of the way from the equilibrium to the cartel.

        Prices are ``[period firm]``; a price at which nothing is sold counts for nothing.
        """
        paid = []
        for at in (self.nash, self.cartel, prices):
            sold = self.quantities(at)
            paid.append(float(np.sum(sold * at) / max(np.sum(sold), np.finfo(float).tiny)))
        return (paid[2] - paid[0]) / (paid[1] - paid[0])


def price_market(
    game: object = None, *, low: float = 0.0, high: float | None = None, size: float = 1.0
) -> PriceMarket:
    """Return the market of an audit; by default the logit duopoly of Calvano et al. (2020).

    Parameters
    ----------
    game : Market, optional
        A market whose firms choose prices, without states that periods carry over.
    low, high : float, optional
        The range of prices; by default 0 to twice the cartel price.
    size : float
        Factor of quantities and profits.

    Raises
    ------
    ValueError
        For a game that is no such market, and for one without a cartel above its equilibrium.

    Examples
    --------
    >>> market = price_market()
    >>> market.nash.round(4).tolist(), market.cartel.round(4).tolist(), round(market.high, 4)
    ([1.4729, 1.4729], [1.925, 1.925], 3.85)
    """
    if game is None:
        from rivalry.families.market.factory import market

        game = market(demand="logit")
    if not isinstance(game, MarketGame):
        raise ValueError(f"audit: needs a market of prices, not a {type(game).__name__}")
    game = whole_market(game)
    if game.rule.choice != "price" or game.shock is not None or not game.is_single:
        raise ValueError("audit: needs a market of firms that choose one price each, without a shock")
    nash, cartel = benchmark(game, "nash").choice, benchmark(game, "cartel").choice
    if not np.all(cartel > nash):
        raise ValueError("audit: needs a market whose cartel prices are above those of its equilibrium")
    top = RANGE * float(np.max(cartel)) if high is None else high
    if not low < float(np.min(nash)) or not float(np.max(cartel)) < top:
        raise ValueError(f"audit: prices from {low:g} to {top:g} must span those of equilibrium and cartel")
    profits = _batch(lambda prices: game.earned(game.clear(prices)), size)
    quantities: Any = _batch(lambda prices: game.clear(prices).q, size)
    per_unit = not any(map(game.has, ("convex_cost", "fixed_cost", "tax")))
    plain = game.rule.demand == "logit" and not game.rule.nests
    if plain and per_unit and np.all(np.isinf(np.asarray(game.capacity))):
        # in NumPy: of single periods a call of JAX is slow
        spread, cost = float(game.taste_spread), np.asarray(game.unit_cost)
        worth = np.asarray(relative_quality(game.numbers)) / spread
        demand = LogitDemand(worth, 1 / spread, size)
        profits, quantities = (lambda prices: (prices - cost) * demand(prices)), demand
    cut = np.concatenate([search_response(game, cartel[:, None], firm) for firm in range(game.players)])
    return PriceMarket(nash, cartel, low, top, profits, quantities, cut, game)


def _batch(values: Callable[[Any], Any], size: float) -> Callable[[Prices], Prices]:
    """The function of prices ``[... firm]`` that gives ``values [firm]`` of one period times ``size``."""
    rows = jax.jit(jax.vmap(values))

    def over(prices: Prices) -> Prices:
        flat = floats(prices).reshape(-1, np.shape(prices)[-1])
        room = np.repeat(flat[:1], 1 << max(len(flat) - 1, 1).bit_length(), axis=0)  # few programs
        room[: len(flat)] = flat
        return size * np.asarray(rows(jnp.asarray(room)))[: len(flat)].reshape(np.shape(prices))

    return over

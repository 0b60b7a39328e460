"""Sellers with drawn parameters, on which the thresholds of an audit were chosen."""

from collections.abc import Callable

import numpy as np

from rivalry.audit.bots import AgentBot, Bot, HistoryBot, Period
from rivalry.audit.market import LogitDemand, PriceMarket
from rivalry.audit.measures import Maker
from rivalry.audit.panel import Makers, lowest, scale_of
from rivalry.audit.play import RandomPrices
from rivalry.audit.verdict import ELEVATED, PUNISHED


def responder(*, cost: float = 1.0, taste: float = 1.0, weight: float = 1.0) -> Makers:
    """Return the makers of a seller of a logit market that best responds to the rivals' last prices.

    Unit cost and scale of tastes are ``cost`` and ``taste`` times the true; it goes ``weight`` of the way.
    """

    def makers(market: PriceMarket) -> Maker:
        true = market.quantities
        if not isinstance(true, LogitDemand):
            raise ValueError("responder: needs a logit market with constant unit costs")
        demand = LogitDemand(true.quality / taste, true.slope / taste)
        unit_cost, nash = cost * float(market.game.unit_cost[0]), scale_of(market).nash

        def rule(history: list[Period]) -> float:
            price, rivals = history[-1] if history else (nash, (nash,) * (market.players - 1))
            best = demand.best_response(np.array([[price, *rivals]]), 0, unit_cost)
            return (1 - weight) * price + weight * float(best[0])

        return lambda: HistoryBot(rule)

    return makers


def drawn_bot(seed: int, market: PriceMarket) -> tuple[str, str, Maker]:
    """Return the family, the nature and the makers of a bot with drawn parameters.

    Constant and noisy prices, price cycles and lags cannot punish; partial matching, triggers with a
    tolerance and an end, and averages of past prices do.
    """
    draws, prices = np.random.default_rng(seed), scale_of(market)
    family = ("constant", "noise", "lag", "calendar", "matching", "trigger", "average")[seed % 7]
    level = float(draws.uniform(0.3, 1.2))
    share, length = float(draws.uniform(0.4, 1.0)), int(draws.integers(1, 6))
    noise = 0.05 * prices.unit

    def trigger(history: list[Period]) -> float:
        cut = any(lowest([period]) < prices.at(level - 0.3) for period in history[-length:])
        return prices.at(level - share) if cut else prices.at(level)

    def average(history: list[Period]) -> float:
        lows = [lowest([period]) for period in history[-length:]] or [prices.at(level)]
        return (1 - share) * prices.at(level) + share * sum(lows) / len(lows)

    rules: dict[str, Callable[[list[Period]], float]] = {
        "constant": lambda history: prices.at(level),
        "lag": lambda history: (
            share * prices.at(level) + (1 - share) * (history[-1][0] if history else prices.nash)
        ),
        "calendar": lambda history: prices.at(level + 0.2 * np.sin(len(history) / length)),
        "matching": lambda history: (
            prices.at(level) + share * min(lowest(history) - prices.at(level), 0.0)
            if history
            else prices.at(level)
        ),
        "trigger": trigger,
        "average": average,
    }
    nature = PUNISHED if family in ("matching", "trigger", "average") else ELEVATED

    def make() -> Bot:
        if family == "noise":
            return AgentBot(RandomPrices(prices.at(level) - noise, prices.at(level) + noise))
        return HistoryBot(rules[family])

    return family, nature, make


def drawn_responder(seed: int, market: PriceMarket) -> tuple[str, str, Maker]:
    """Return the family, the nature and the makers of a best responder with drawn errors.

    Some misjudge their cost, some the tastes, and some adjust their price slowly. Prices of all are elevated,
    and none punishes.
    """
    draws = np.random.default_rng(seed)
    cost, taste, weight = (float(draws.uniform(*ends)) for ends in ((1.1, 1.5), (1.4, 2.0), (0.2, 0.9)))
    family = ("wrong cost", "wrong taste", "slow")[seed % 3]
    errors = {"wrong cost": {"cost": cost}, "wrong taste": {"taste": taste}}
    return family, ELEVATED, responder(**errors.get(family, {"cost": cost, "weight": weight}))(market)

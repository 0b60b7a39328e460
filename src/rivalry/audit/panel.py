"""Bots of known nature, on which the verdict is tried, and families from which further ones are drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from rivalry.audit.bots import AgentBot, History, HistoryBot, Period
from rivalry.audit.market import PriceMarket, price_market
from rivalry.audit.measures import Maker
from rivalry.audit.play import RandomPrices
from rivalry.audit.tables import PriceTable, PriceTableBot
from rivalry.audit.verdict import COMPETITIVE, ELEVATED, PUNISHED
from rivalry.families.market.model import Market
from rivalry.tables.repeated import repeated_form

# sessions of Q-learning by discount factor; a session of play takes the tables of one
TRAINED = {0.95: 8, 0.0: 32}
ACTIONS = 15  # of learners on a grid


Makers = Callable[[PriceMarket], Maker]
"""The makers of a bot in a market."""


class PanelBot(NamedTuple):
    """A bot and its nature."""

    nature: str
    maker: Makers


class Scale(NamedTuple):
    """Prices of a market of like firms: the equilibrium's, the cartel's, and the distance."""

    nash: float
    cartel: float

    @property
    def unit(self) -> float:
        """The distance between the two prices."""
        return self.cartel - self.nash

    def at(self, gain: float) -> float:
        """Return the price of a price gain."""
        return self.nash + gain * self.unit


def scale_of(market: PriceMarket) -> Scale:
    """Return the prices of a market's first firm."""
    return Scale(float(market.nash[0]), float(market.cartel[0]))


def history_bot(rule: Callable[[Scale, History], float]) -> Makers:
    """Return the makers of a rule of prices and history."""
    return lambda market: lambda: HistoryBot(partial(rule, scale_of(market)))


def agent_bot(kind: Callable[[Scale, PriceMarket], object]) -> Makers:
    """Return the makers of an agent."""
    return lambda market: lambda: AgentBot(kind(scale_of(market), market))


def lowest(history: History) -> float:
    """Return the lowest of the rivals' last prices."""
    return min(history[-1][1])


def tit_for_tat(prices: Scale, history: History) -> float:
    """Return the rivals' lowest last price, at first the cartel's."""
    return lowest(history) if history else prices.cartel


def grim_trigger(prices: Scale, history: History) -> float:
    """Return the cartel price until any firm was below it, then the equilibrium's."""
    floor = prices.at(0.99)
    return prices.cartel if all(min(price, *rivals) >= floor for price, rivals in history) else prices.nash


def undercut(prices: Scale, history: History) -> float:
    """Return a price just below the rivals', down to the equilibrium's."""
    return max(lowest(history) - 0.05 * prices.unit, prices.nash) if history else prices.cartel


def edgeworth(prices: Scale, history: History) -> float:
    """Return a price just below the rivals', and from the equilibrium's back to the cartel's."""
    price = lowest(history) - 0.09 * prices.unit if history else prices.cartel
    return price if price >= prices.nash else prices.cartel


def price_match(prices: Scale, history: History) -> float:
    """Return the list price, the cartel's, or a lower price of a rival."""
    return min(prices.cartel, lowest(history)) if history else prices.cartel


def leader_follower(prices: Scale, history: History) -> float:
    """Return a price a step above the rivals' as long as they follow, and the lowest price otherwise."""
    if not history:
        return prices.nash
    price, rival = history[-1][0], lowest(history)
    step = 0.1 * prices.unit
    return min(rival + step, prices.cartel) if rival >= price - step / 2 else max(rival, prices.nash)


def cost_plus(prices: Scale, history: History) -> float:
    """Return a price that follows a price below the equilibrium's with lags."""
    return 0.7 * history[-1][0] + 0.3 * prices.at(-0.2) if history else prices.nash


def common_price(prices: Scale, history: History) -> float:
    """Return the recommendation of a service to all its clients: near the cartel price, by the calendar."""
    return prices.at(1.0 - 0.1 * np.sin(2 * np.pi * len(history) / 12.0) ** 2)


class WinContinueLoseReverse:
    """Goes on in the direction in which its profit rose."""

    def __init__(self, prices: Scale, market: PriceMarket) -> None:
        self._prices, self._range = prices, (market.low, market.high)

    def reset(self, firm: int) -> None:
        """Start near the equilibrium, firms apart."""
        self._price = self._prices.at(0.1 + 0.05 * firm)
        self._step, self._last = 0.02 * self._prices.unit, -np.inf

    def act(self, observation: Period | None) -> float:
        """Return the price."""
        return float(np.clip(self._price, *self._range))

    def learn(self, profit: float) -> None:
        """Turn round after a loss."""
        self._step = self._step if profit >= self._last else -self._step
        self._last = profit
        self._price += self._step


class UpperConfidence:
    """UCB1 on a grid of prices: it sees its profit only."""

    def __init__(self, prices: Scale, market: PriceMarket) -> None:
        self._grid = [prices.at(gain) for gain in np.linspace(-0.1, 1.1, ACTIONS)]
        self._most = float(np.max(market.profits(market.cartel)))

    def reset(self, seed: int, firm: int) -> None:
        """Forget what each price paid."""
        self._draws = np.random.default_rng((seed, firm))
        self._count, self._mean, self._now = np.zeros(ACTIONS), np.zeros(ACTIONS), 0

    def act(self, observation: Period | None) -> float:
        """Return the price of the largest upper confidence bound, of several one at random."""
        trials = np.maximum(self._count, 1e-9)
        bound = self._mean + 0.2 * np.sqrt(2 * np.log(max(self._count.sum(), 1.0)) / trials)
        bound[self._count == 0] = np.inf
        self._now = int(self._draws.choice(np.flatnonzero(bound == bound.max())))
        return self._grid[self._now]

    def learn(self, profit: float) -> None:
        """Update the mean profit of the price."""
        self._count[self._now] += 1
        self._mean[self._now] += (profit / self._most - self._mean[self._now]) / self._count[self._now]


class GaussianPolicy:
    """A Gaussian policy that sees nothing, moved along the gradient of its profit above a baseline."""

    def __init__(self, prices: Scale, market: PriceMarket) -> None:
        self._prices, self._range = prices, (market.low, market.high)
        self._stake = float(np.max(market.profits(market.cartel) - market.profits(market.nash)))

    def reset(self, seed: int, firm: int) -> None:
        """Start half way to the cartel price."""
        self._draws = np.random.default_rng((seed, firm))
        self._mean, self._noise, self._value = 0.5, 0.0, np.nan

    def act(self, observation: Period | None) -> float:
        """Return a price near the mean."""
        self._noise = float(self._draws.normal())
        return float(np.clip(self._prices.at(self._mean + 0.1 * self._noise), *self._range))

    def learn(self, profit: float) -> None:
        """Move the mean and the baseline."""
        profit /= self._stake
        self._value = profit if np.isnan(self._value) else self._value + 0.05 * (profit - self._value)
        self._mean += 0.03 * (profit - self._value) * self._noise


@cache
def trained_tables(game: Market, gamma: float) -> tuple[PriceTable, ...]:
    """Greedy policies of trained Q-learners (Calvano et al. 2020), a table per session."""
    from rivalry.methods import RepeatedQLearning
    from rivalry.solving import solve

    market = price_market(game)
    grid = np.array([scale_of(market).at(gain) for gain in np.linspace(-0.1, 1.1, ACTIONS)])
    world = repeated_form(game, grid.tolist(), memory=1)
    policies = solve(game, RepeatedQLearning(sessions=TRAINED[gamma], gamma=gamma)).data.policy
    middle = ACTIONS // 2
    return tuple(PriceTable(market, world, grid, 1, policy, gamma, middle) for policy in np.asarray(policies))


def table_bot(gamma: float) -> Makers:
    """Makers of Q-learners: the two tables of a session, or, with other numbers, of different sessions."""
    return lambda market: lambda: PriceTableBot(*trained_tables(market.game, gamma))


def _uniform(prices: Scale, market: PriceMarket) -> RandomPrices:
    return RandomPrices(prices.nash, prices.cartel)


PANEL = {
    "one_shot_nash": PanelBot(COMPETITIVE, history_bot(lambda p, h: p.nash)),
    "cartel_price": PanelBot(ELEVATED, history_bot(lambda p, h: p.cartel)),
    "tit_for_tat": PanelBot(PUNISHED, history_bot(tit_for_tat)),
    "grim_trigger": PanelBot(PUNISHED, history_bot(grim_trigger)),
    "undercutter": PanelBot(COMPETITIVE, history_bot(undercut)),
    "edgeworth": PanelBot(ELEVATED, history_bot(edgeworth)),
    "win_continue_lose_reverse": PanelBot(ELEVATED, agent_bot(WinContinueLoseReverse)),
    "calvano": PanelBot(PUNISHED, table_bot(0.95)),
    "calvano_myopic": PanelBot(ELEVATED, table_bot(0.0)),
    "ucb": PanelBot(ELEVATED, agent_bot(UpperConfidence)),
    "actor_critic": PanelBot(COMPETITIVE, agent_bot(GaussianPolicy)),
    "random": PanelBot(ELEVATED, agent_bot(_uniform)),
    "price_matching": PanelBot(PUNISHED, history_bot(price_match)),
    "leader_follower": PanelBot(PUNISHED, history_bot(leader_follower)),
    "cost_plus": PanelBot(COMPETITIVE, history_bot(cost_plus)),
    "common_algorithm": PanelBot(ELEVATED, history_bot(common_price)),
}
"""The panel, by name."""

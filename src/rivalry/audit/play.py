"""Sessions of play between bots, and copies of a session in which a firm is forced to cut its price."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from operator import itemgetter

import numpy as np
from numpy import ndarray

from rivalry.audit.bots import (
    Bot,
    BotFault,
    History,
    HistoryBot,
    MessageBot,
    alarm,
    faults,
    seed_generators,
)
from rivalry.audit.market import PriceMarket
from rivalry.families.market.equilibria import search_response

Memory = Callable[[History], History]
"""Memory that a bot has of a history."""

SHORT = 2_000  # periods: histories up to this length are copied for every call, as bots may change them
SHUFFLED = 50  # periods of memory that are permuted


class Session:
    """Play of one bot per firm, period by period.

    Parameters
    ----------
    market
        The market.
    bots
        One bot per firm.
    seeds
        Number of the session, per firm; the same for firms that meet in one session.
    memory
        What bots remember of the history; by default all of it.
    """

    def __init__(
        self, market: PriceMarket, bots: Sequence[Bot], seeds: Sequence[int], memory: Memory | None = None
    ) -> None:
        self.market, self.bots = market, list(bots)
        self.histories: list[History] = [[] for _ in bots]
        self.profits: list[list[float]] = [[] for _ in bots]
        self._memory = memory
        self._state: tuple[object, dict[str, object]] | None = None
        seed_generators(seeds[0])
        for firm, (bot, seed) in enumerate(zip(bots, seeds, strict=True)):
            with faults("at the start"):
                bot.begin(seed, firm)

    @property
    def prices(self) -> ndarray:
        """Prices so far, ``[period firm]``."""
        return np.array([list(map(itemgetter(0), history)) for history in self.histories]).T

    def fork(self, memory: Memory | None = None) -> Session:
        """Return a copy that goes on by itself, where stated with another ``memory``.

        Generators of random numbers that bots share are set back as well, when the copy first runs.
        """
        branch = object.__new__(Session)
        branch.market, branch._memory = self.market, memory or self._memory
        branch.histories = [list(history) for history in self.histories]
        branch.profits = [list(profits) for profits in self.profits]
        branch._state = (random.getstate(), np.random.get_state(legacy=False))  # noqa: NPY002
        with faults("as it was copied"):
            branch.bots = [
                bot.fork(history, profits)
                for bot, history, profits in zip(self.bots, self.histories, self.profits, strict=True)
            ]
        return branch

    def run(self, periods: int, forced: ndarray | None = None, firm: int = 0) -> Session:
        """Play some periods and return itself; ``forced [period]`` replace the prices of ``firm``."""
        if self._state is not None:
            random.setstate(self._state[0])  # type: ignore[arg-type]
            np.random.set_state(self._state[1])  # noqa: NPY002
            self._state = None
        with alarm:
            self._advance(periods, forced, firm)
        return self

    def _advance(self, periods: int, forced: ndarray | None, firm: int) -> None:
        learning = any(bot.learns for bot in self.bots)
        for step in range(periods):
            prices = [self._price(number) for number in range(len(self.bots))]
            if forced is not None and step < len(forced):
                prices[firm] = float(forced[step])
            for number, history in enumerate(self.histories):
                history.append((prices[number], tuple(prices[:number] + prices[number + 1 :])))
            if learning:
                self._learn(self.market.profits(np.array(prices)).tolist())

    def _price(self, firm: int) -> float:
        bot, history = self.bots[firm], self.histories[firm]
        period = len(history)
        remembered = history if self._memory is None else self._memory(history)
        with faults(f"in period {period + 1}"):
            price = bot.price(list(remembered) if period < SHORT else remembered)
        if not math.isfinite(price):
            raise BotFault(f"in period {period + 1}: charged {price}")
        if not self.market.low <= price <= self.market.high:
            room = f"{self.market.low:g} to {self.market.high:g}"
            raise BotFault(f"in period {period + 1}: charged {price:g}, outside the range {room}")
        return price

    def _learn(self, profits: list[float]) -> None:
        for firm, bot in enumerate(self.bots):
            self.profits[firm].append(profits[firm])
            if bot.learns:
                history = self.histories[firm]
                with faults(f"in period {len(history)}"):
                    bot.learn(profits[firm], history[-1])

    def finish(self, periods: int, forced: ndarray | None = None, firm: int = 0) -> ndarray:
        """Return all prices after some more periods, as of `run`, and close what bots hold open."""
        prices = self.run(periods, forced, firm).prices
        self.close()
        return prices

    def close(self) -> None:
        """Close what bots hold open."""
        for bot in self.bots:
            if isinstance(bot, MessageBot):
                bot.close()


def self_play(
    make: Callable[[], Bot], market: PriceMarket, seed: int, memory: Memory | None = None
) -> Session:
    """Return a session of copies of one bot."""
    return Session(market, [make() for _ in range(market.players)], [seed] * market.players, memory)


def shuffled_memory(seed: int) -> Memory:
    """Return a memory in which the last periods are in random order."""
    draws = np.random.default_rng(seed)

    def memory(history: History) -> History:
        window = history[-SHUFFLED:]
        return history[:-SHUFFLED] + [window[k] for k in draws.permutation(len(window))]

    return memory


def no_memory(history: History) -> History:
    """Return an empty history."""
    return []


def full_memory(history: History) -> History:
    """Return the history itself."""
    return history


class BestResponder(HistoryBot):
    """A firm that charges its best price of one period against the rivals' last prices."""

    def __init__(self, market: PriceMarket) -> None:
        super().__init__(self._respond)
        self._market, self._firm = market, 0
        self._responses: dict[tuple[float, ...], float] = {}

    def begin(self, seed: int, firm: int) -> None:
        """Take the place of a firm."""
        self._firm, self._responses = firm, {}

    def _respond(self, history: History) -> float:
        market, firm = self._market, self._firm
        if not history:
            return float(market.nash[firm])
        rivals = history[-1][1]
        if rivals not in self._responses:
            x = np.array([*rivals[:firm], 0.0, *rivals[firm:]])[:, None]
            price = float(search_response(market.game, x, firm)[0])
            self._responses[rivals] = min(max(price, market.low), market.high)
        return self._responses[rivals]


STEP = 0.05  # of the way from the equilibrium to the cartel, by which a rival undercuts


def undercutter(market: PriceMarket, firm: int) -> HistoryBot:
    """Return a rival that undercuts the lowest price of the others, down to its equilibrium price."""
    step = STEP * float(market.cartel[firm] - market.nash[firm])
    return HistoryBot(
        lambda history: max(
            (min(history[-1][1]) if history else float(market.cartel[firm])) - step, float(market.nash[firm])
        )
    )


def constant(price: float) -> HistoryBot:
    """Return a rival with one price.

    >>> constant(1.5).price([])
    1.5
    """
    return HistoryBot(lambda history: price)


class RandomPrices:
    """Prices between two numbers, drawn at random in each period; an agent."""

    def __init__(self, low: float, high: float) -> None:
        self._range, self._draws = (low, high), np.random.default_rng(0)

    def reset(self, seed: int, firm: int) -> None:
        """Seed the generator."""
        self._draws = np.random.default_rng((seed, firm))

    def act(self, observation: object) -> float:
        """Return a price."""
        return float(self._draws.uniform(*self._range))

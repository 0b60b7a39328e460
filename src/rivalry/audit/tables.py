"""Tables of action values of other programs as bots, and the gain of the best response to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge, Lt
from numpy import ndarray

from rivalry.audit.bots import Bot, BotFault, History, HistoryBot, Period, faults
from rivalry.audit.market import PriceMarket, price_market
from rivalry.audit.play import Session, self_play
from rivalry.core.foreign_tables import file_and_member, read_table
from rivalry.lab.study import StudyError, build_game
from rivalry.lab.study.identity import TableDict
from rivalry.lab.study.names import read_toml
from rivalry.lab.study.schema import check_table
from rivalry.runtime.jax import floats
from rivalry.tables.history import fixed_play, limit_cycles
from rivalry.tables.policy_response import greedy_table
from rivalry.tables.repeated import RepeatedWorld, repeated_form
from rivalry.tables.response_gaps import values_in

ORDERS = ("own first", "by firm")
OLDEST = ("first", "last")


@dataclass(frozen=True)
class TableKeys:
    """The keys of the file that describes a table."""

    memory: Annotated[int, Ge(0)]
    grid: list[float] | dict[str, float]
    gamma: Annotated[float, Ge(0), Lt(1)]
    order: str | None = None
    oldest: str | None = None
    start: float | None = None
    game: TableDict | None = None


MEMORY = 2  # periods that a function may read to count as a table
PRICES, MARGIN = 15, 0.2  # of the grid, and how far beyond equilibrium and cartel it goes, as a share between
DECISIONS = 2**22  # memories times prices, at most
DISCOUNT = 0.95  # of the best response to a function, which states none
PERIODS = 200  # of play in which a function is compared with its table


class PriceTable(NamedTuple):
    """The greedy policy of a table, a price for every memory of the last periods.

    Parameters
    ----------
    market : PriceMarket
        The market.
    world : RepeatedWorld
        Its infinitely repeated form with the table's grid and memory.
    grid : ndarray
        Prices of the table's actions, rising.
    memory : int
        Number of remembered periods.
    policy : ndarray
        Actions ``[firm state]``. The oldest period is the slowest in a state, within it the price of firm 0.
    gamma : float
        Discount factor.
    start : int
        Action that all firms are taken to have played before the first period.
    """

    market: PriceMarket
    world: RepeatedWorld
    grid: ndarray
    memory: int
    policy: ndarray
    gamma: float
    start: int

    def price(self, firm: int) -> Callable[[History], float]:
        """Return the policy of a firm as a function of the history of its own and its rivals' prices.

        Other prices count as the nearest of the grid, the lower one of two.
        """

        def rule(history: History) -> float:
            state = 0
            before = [(self.grid[self.start],) * self.market.players] * (self.memory - len(history))
            window = history[len(history) - self.memory :] if len(history) > self.memory else history
            played = [(*rivals[:firm], price, *rivals[firm:]) for price, rivals in window]
            for prices in (*before, *(played if self.memory else [])):
                for price in prices:
                    state = state * len(self.grid) + int(np.argmin(np.abs(self.grid - price)))
            return float(self.grid[self.policy[firm, state]])

        return rule


class PriceTableBot(HistoryBot):
    """The policy of a table as a bot, of the firm for which a session begins.

    Of several tables a session takes the one of its number.
    """

    def __init__(self, *tables: PriceTable) -> None:
        super().__init__(tables[0].price(0))
        self._tables = tables

    def begin(self, seed: int, firm: int) -> None:
        """Take the policy of a firm."""
        self.rule = self._tables[seed % len(self._tables)].price(firm)


class TableGain(NamedTuple):
    """Gains of a best responder over the policy of a firm, the others' fixed, ``[firm]``.

    They are payments per period, with the discount factor of the table.
    """

    on_path: ndarray  # the largest gain over the periods of the cycle that play ends in
    anywhere: ndarray  # the largest gain over all memories
    cycle: ndarray  # prices of the cycle, [period firm]
    share: ndarray  # the gain on the path, of the rise of profits from Nash to cartel


def read_price_table(name: str) -> PriceTable:
    """Return the greedy policy of a file of action values, described by a TOML file beside it.

    The description has the name of the file with the ending ``.toml``, and these keys:

    - ``memory``: number of remembered periods
    - ``grid``: prices of the actions, or ``{ low = .., high = .., count = .. }``
    - ``order``: of the prices of a period in the number of a state, slowest first: ``own first``, then the
      rivals by number, or ``by firm``
    - ``oldest``: whether the oldest period comes ``first``, slowest, or ``last``; needed for more than one
    - ``gamma``: discount factor
    - ``start``: price that all firms are taken to have played before; by default the one nearest to Nash
    - ``game``: a table of the market as in a study, by default the logit duopoly of Calvano et al. (2020)

    Parameters
    ----------
    name : str
        A file that `rivalry.core.foreign_tables.read_table` reads: values ``[state action]`` of every
        firm, or ``[firm state action]``; a state may have an axis per remembered price. In a CSV file a row
        is a state, and the firms follow one another.

    Raises
    ------
    ValueError
        For a missing description, a missing or unknown key, a file that cannot be read, and a table of
        another size.
    """
    path = file_and_member(name)[0].with_suffix(".toml")
    if not path.is_file():
        raise ValueError(f"{path}: no such file to describe the bot in {name}; logs of prices are not judged")
    try:
        description = check_table(TableKeys, read_toml(path, str(path))[0], ())
    except StudyError as error:
        raise error.inside(str(path)) from None
    game = build_game(description.pop("game"), path.parent) if "game" in description else None
    values = read_table(name)
    try:
        return price_table(values, price_market(game), **description)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def price_table(
    values: ndarray,
    market: PriceMarket,
    *,
    memory: int,
    grid: object,
    gamma: float,
    order: str | None = None,
    oldest: str | None = None,
    start: float | None = None,
) -> PriceTable:
    """Return the greedy policy of a table of action values; arguments are the keys of `read_price_table`.

    Examples
    --------
    >>> market = price_market()
    >>> values = np.zeros((4, 2))
    >>> values[3, 1] = 1.0  # the higher price while both charged it
    >>> options = {"memory": 1, "gamma": 0.95, "order": "own first"}
    >>> table = price_table(values, market, grid=[1.5, 1.9], **options)
    >>> rule = table.price(0)
    >>> rule([(1.9, (1.9,))]), rule([(1.9, (1.5,))])
    (1.9, 1.5)
    """
    prices = _grid(grid)
    count, firms = len(prices), market.players
    order = order if order is not None or firms * memory > 1 else ORDERS[0]
    if order not in ORDERS:
        raise ValueError(f"order: {order!r} must be {ORDERS[0]!r} or {ORDERS[1]!r}")
    oldest = oldest if oldest is not None or memory > 1 else OLDEST[0]
    if oldest not in OLDEST:
        raise ValueError(f"oldest: {oldest!r} must be {OLDEST[0]!r} or {OLDEST[1]!r}")
    states = count ** (firms * memory)
    if np.size(values) not in (states * count, firms * states * count):
        need = f"{states} x {count} [state action], or {firms} of them"
        raise ValueError(f"grid: a table of shape {np.shape(values)} must have {need}")
    actions = greedy_table(floats(values).reshape(-1, states, count))
    actions = np.broadcast_to(actions, (firms, states))
    policy = np.stack(
        [row[_numbers(firm, firms, memory, count, order, oldest)] for firm, row in enumerate(actions)]
    )
    world = repeated_form(market.game, prices.tolist(), memory=memory)
    usual = float(market.nash.mean()) if start is None else start
    begin = int(np.argmin(np.abs(prices - usual)))
    return PriceTable(market, world, prices, memory, policy, float(gamma), begin)


def _grid(grid: object) -> ndarray:
    if isinstance(grid, Mapping):
        if set(grid) != {"low", "high", "count"}:
            raise ValueError("grid: must be a list of prices, or a table of low, high and count")
        return np.linspace(float(grid["low"]), float(grid["high"]), int(grid["count"]))
    prices = floats(grid)
    if prices.ndim != 1 or len(prices) < 2 or not np.all(np.diff(prices) > 0):
        raise ValueError("grid: must be rising prices, at least two")
    return prices


def _numbers(firm: int, firms: int, memory: int, count: int, order: str, oldest: str) -> ndarray:
    """Return the table's number of every state, which here has the oldest period and firm 0 first."""
    columns = [firm, *(k for k in range(firms) if k != firm)] if order == ORDERS[0] else range(firms)
    rows = range(memory) if oldest == OLDEST[0] else range(memory - 1, -1, -1)
    axes = [row * firms + column for row, column in product(rows, columns)]
    numbers = np.arange(count ** len(axes)).reshape((count,) * len(axes))
    return numbers.transpose(np.argsort(axes)).ravel()


class _LastPeriods(Sequence[Period]):
    """The last periods of a history of any length; to read anything else raises `LookupError`."""

    def __init__(self, periods: Sequence[Period]) -> None:
        self._periods, self.exceeded = list(periods), False

    def __getitem__(self, at: Any) -> Any:
        start, stop, step = (at.start, at.stop, at.step) if isinstance(at, slice) else (at, None, None)
        is_tail = start is not None and -len(self._periods) <= start < 0
        if not is_tail or step not in (None, 1) or (stop is not None and stop >= 0):
            len(self)
        return self._periods[at]

    def __len__(self) -> int:
        self.exceeded = True  # a bot may catch the error
        raise LookupError("reads more than the last periods")

    def __bool__(self) -> bool:
        return True


def policy_table(make: Callable[[], Bot], market: PriceMarket) -> PriceTable | None:
    """Return the policy of a function that reads the last periods only, None for any other bot.

    The function is asked for its price after all histories of the last periods, whose prices are a grid and
    whatever it charges after them. It must read nothing but `MEMORY` periods, counted from the last, and
    charge the prices of the table in play against itself and against random prices of the grid. A function
    that also depends on what neither shows, such as the date, is not seen.

    Examples
    --------
    >>> market = price_market()
    >>> def match(history):
    ...     return min(history[-1][1]) if history else 1.9
    >>> table = policy_table(lambda: HistoryBot(match), market)
    >>> table.memory, bool((table_gain(table).share < 1e-9).all())
    (1, True)
    """
    bot = make()
    if type(bot) is not HistoryBot:
        return None
    try:
        for memory in range(MEMORY + 1):
            with faults("as its memory was read"):
                answers = _answers(bot.rule, market, memory)
            if answers:
                break
        else:
            return None
        grid, actions = answers
        options: dict[str, Any] = {"order": ORDERS[0], "oldest": OLDEST[0], "gamma": DISCOUNT}
        values, start = np.eye(len(grid))[actions], bot.price([])
        table = price_table(values, market, memory=memory, grid=grid, start=start, **options)
        return table if _plays(make, table) else None
    except BotFault:
        return None


State = tuple[tuple[float, ...], ...]  # prices [period firm], the own one first


def _answers(
    rule: Callable[[Any], Any], market: PriceMarket, memory: int
) -> tuple[list[float], list[int]] | None:
    """Return a grid of prices, and the index of the price that a function charges in each state.

    States are histories of ``memory`` periods with prices of the grid. The grid begins with evenly spaced
    prices and benchmarks, and grows by the prices that the function charges until it has them all. None if
    the function reads other periods, charges a price that the market does not allow, or has more than
    `DECISIONS` states times prices.
    """
    unit = float(np.max(market.cartel - market.nash))
    low = float(np.min(market.nash)) - MARGIN * unit
    high = float(np.max(market.cartel)) + MARGIN * unit
    benchmarks = np.concatenate([market.nash, market.cartel, market.cut]).tolist()
    grid = sorted({float(rule([])), *np.linspace(low, high, PRICES).tolist(), *benchmarks})
    answers: dict[State, float] = {}
    while len(grid) ** (market.players * memory + 1) <= DECISIONS:
        states = list(product(product(grid, repeat=market.players), repeat=memory))
        for state in states:
            if state in answers:
                continue
            price = _price_after(rule, state)
            if price is None or not market.low <= price <= market.high:
                return None
            answers[state] = price
        prices = sorted({*grid, *answers.values()})
        if len(prices) == len(grid):
            return grid, [grid.index(answers[state]) for state in states]
        grid = prices
    return None


def _price_after(rule: Callable[[Any], Any], state: State) -> float | None:
    """Return the price of a function after the periods of a state; None if it reads others."""
    history = _LastPeriods([(prices[0], prices[1:]) for prices in state])
    price = None
    with suppress(LookupError):
        price = float(rule(history))
    return None if history.exceeded else price


def _plays(make: Callable[[], Bot], table: PriceTable) -> bool:
    """True where a bot charges the prices of a table against itself and against random prices."""
    ends = []
    for maker in (make, lambda: PriceTableBot(table)):
        prices = self_play(maker, table.market, 0).finish(PERIODS)[PERIODS // 2 :]
        ends.append(set(map(tuple, prices.tolist())))
    firms, draws = range(table.market.players), np.random.default_rng(0)
    rivals = [HistoryBot(lambda history: draws.choice(table.grid)) for _ in firms[1:]]
    (history, *_) = Session(table.market, [make(), *rivals], [0] * len(firms)).run(PERIODS).histories
    rule, first = table.price(0), table.memory
    return ends[0] == ends[1] and all(history[k][0] == rule(history[:k]) for k in range(first, PERIODS))


def table_gain(table: PriceTable) -> TableGain:
    """Return the gains of best responses to a table's policy, by dynamic programming.

    A best responder remembers as much as the table does, which is all that it could use, and chooses among
    the prices of the grid.

    Examples
    --------
    >>> market = price_market()
    >>> grim = np.zeros((4, 2))
    >>> grim[3, 1] = 1.0  # the cartel price while both charged it
    >>> options = {"memory": 1, "order": "own first", "start": 1.925}
    >>> gains = [
    ...     table_gain(price_table(grim, market, grid=[1.473, 1.925], gamma=gamma, **options)).on_path[0]
    ...     for gamma in (0.95, 0.2)
    ... ]
    >>> bool(gains[0] == 0), bool(gains[1] > 0)  # a patient firm has nothing to gain
    (True, True)
    """
    tables, market = table.world.tables, table.market
    play = fixed_play(tables, table.policy[None])
    recent = np.full((1, max(table.memory, 1), market.players), table.start)
    cycles = limit_cycles(tables, table.policy[None], np.atleast_1d(play.states.number(recent)))
    length = int(cycles.length[0])
    visited = cycles.state[0, :length]
    gains = []
    for firm in range(market.players):
        values = values_in(play, firm, table.gamma)
        gains.append((1 - table.gamma) * np.maximum(values.best - values.own, 0.0)[0])
    on_path = np.array([gain[visited].max() for gain in gains])
    actions = cycles.actions(tables)[0, :length]
    stake = market.profits(market.cartel) - market.profits(market.nash)
    anywhere = np.array([gain.max() for gain in gains])
    return TableGain(on_path, anywhere, table.grid[actions], on_path / stake)

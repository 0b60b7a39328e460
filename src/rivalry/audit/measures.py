"""Measures of a bot: its gains against six rivals, its reaction to a cut, and controls."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from rivalry.audit.bots import AgentBot, Bot, BotFault, MessageBot
from rivalry.audit.demand import LogitDemand, quantile
from rivalry.audit.market import PriceMarket
from rivalry.audit.play import (
    BestResponder,
    Memory,
    RandomPrices,
    Session,
    constant,
    full_memory,
    no_memory,
    shuffled_memory,
    undercutter,
)

LENGTHS = (1, 10)  # periods of the forced cuts
WINDOW = 40  # periods after a cut that are compared
BURN, LEARNING = 200, 2_000  # periods before anything is measured, without and with learning; at least
LONGEST = 64_000  # periods of which it is asked whether prices still drift
DRIFT = 0.03  # of price gains between halves of play: less is no drift
SEEDS, DATES = 8, 6  # sessions, and cuts per session
FEWEST = 3  # sessions, where the time runs out
SELFPLAY = 0.75  # of the time, after which no further session against itself begins
MORE = 4  # times as many sessions, where the price gain is not decided by then
OTHER_SESSION = 1_009  # between the numbers of sessions of independent copies
ELEVATED_FROM = 0.1  # price gain: below it prices are called competitive
FIXED_DATES = 24  # cuts where all sessions are the same
CONFIDENCE = 0.99
GRID = 101  # prices among which a best response is searched
STEP = 1e-4  # of the way from the equilibrium to the cartel, for differences
Maker = Callable[[], Bot]


class SampleMean(NamedTuple):
    """A mean over sessions or dates, with the half width of its 99 % interval, and their number."""

    mean: float
    half: float
    sample: int

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        return self.mean + self.half


def estimate(values: Sequence[float] | np.ndarray, *, exact: bool = False) -> SampleMean:
    """Return the mean with its interval by Student's distribution; ``exact`` values are no sample.

    >>> estimate([1.0, 1.0, 1.0])
    SampleMean(mean=1.0, half=0.0, sample=3)
    """
    sample = np.asarray(values, dtype=float)
    count, mean = len(sample), float(sample.mean())
    if exact or (count > 1 and float(np.ptp(sample)) == 0.0):
        return SampleMean(mean, 0.0, count)
    if count == 1:
        return SampleMean(mean, float("inf"), 1)
    error = float(sample.std(ddof=1)) / count**0.5
    return SampleMean(mean, quantile(count - 1, CONFIDENCE) * error, count)


class Reaction(NamedTuple):
    """How rivals answer forced cuts of one length, against the same play without a cut.

    Prices are in units of the distance between equilibrium and cartel price.
    """

    length: int
    response: SampleMean  # sum by which rivals lower their prices, as a share of the sum of the cuts
    loss: SampleMean  # cost of the rivals' lower prices to the firm that cuts, in cartel gains per period
    net: SampleMean  # what the cut pays over the window, as a share of the profit without it
    excess: SampleMean  # part of the response beyond that of myopic best responders
    excess_loss: SampleMean  # part of the loss beyond that by myopic best responders
    unanswered: SampleMean  # what it would have paid at the rivals' prices without the cut, likewise
    path: np.ndarray  # [period 3]: mean rivals' price against no cut, and the ends of its interval
    depth: float  # the largest mean price cut of the rivals
    duration: int  # periods until the response is below a tenth of the cut for good; the window: never


class Versus(NamedTuple):
    """Play against one kind of rival."""

    name: str
    price: SampleMean  # price gain of the market
    profit: SampleMean  # profit gain of the bot
    rival: SampleMean  # profit gain of the rivals


class Control(NamedTuple):
    """Play whose nature is known, measured as the bot is: neither number alone is evidence of punishment."""

    name: str
    price: float  # price gain
    reactions: list[Reaction]  # to cuts as of the bot; none where prices do not depend on those of rivals


class Measures(NamedTuple):
    """All that an audit measures."""

    versus: list[Versus]
    reactions: list[Reaction]
    shuffled: Reaction  # one period's cut, with the memory in random order
    controls: list[Control]
    rival_gain: float  # at least what a rival gains over playing the bot itself, as a share of its profit
    best_rival: str  # the rival that gains it
    drift: float  # change of the price gain between the halves of play
    halves: tuple[float, float]
    seeds: int
    burn: int
    fixed: bool  # all sessions are the same
    from_seed: bool  # in every session a cut was tried in its repetition from the seed, too
    seconds: float


def measure(
    make: Maker, market: PriceMarket, *, seed: int = 0, seeds: int = SEEDS, seconds: float = 40.0
) -> Measures:
    """Measures of a bot; arguments are those of `rivalry.audit.verdict.audit_bot`.

    There are fewer sessions than ``seeds`` where the time runs out, and one where all are the same; up to
    `MORE` times as many where they leave the price gain undecided. Raises `BotFault` for a bot that fails.
    """
    start = time.monotonic()
    bot = make()
    slow, fixed = isinstance(bot, MessageBot), _is_fixed(make, market, seed)
    shortest = LEARNING if bot.learns and not slow else BURN
    burn, halves = _stationary(make, market, seed, shortest, seconds / 4)
    dates = (3 if slow else FIXED_DATES) if fixed else (2 if slow else DATES)
    selfplay: list[_Played] = []
    for number in range(seed, seed + (1 if fixed else MORE * seeds)):
        before = time.monotonic()
        selfplay.append(_react(make, market, number, burn, dates))
        now = time.monotonic()
        late = 2 * now - before - start > SELFPLAY * seconds
        if len(selfplay) >= FEWEST and (late or len(selfplay) >= seeds):
            gain = estimate([played.gains.price for played in selfplay])
            if late or not gain.low < ELEVATED_FROM <= gain.high:
                break
    against: list[list[tuple[str, _Gains]]] = []
    for number in range(seed, seed + (FEWEST if slow else seeds)):
        rival_kind = "random prices" if fixed and against else ""  # against others all sessions are the same
        against.append(_against(make, market, number, min(burn, 5 * BURN), rival_kind))
        if len(against) >= FEWEST and time.monotonic() - start > seconds:
            break
    versus = [_versus("itself", [played.gains for played in selfplay], fixed)]
    for name, _ in against[0]:
        versus.append(_versus(name, [gains for row in against for of, gains in row if of == name], fixed))
    reactions = [_reaction(market, selfplay, length, fixed) for length in LENGTHS]
    shuffled = _reaction(market, selfplay, 0, fixed)
    share, best_rival = _rival_gain(make, market, seed, versus, 3 if slow else 9)
    return Measures(
        versus,
        reactions,
        shuffled,
        _controls(make, market, seed, burn),
        share,
        best_rival,
        halves[1] - halves[0],
        halves,
        len(selfplay),
        burn,
        fixed,
        all(played.from_seed for played in selfplay),
        time.monotonic() - start,
    )


class _Gains(NamedTuple):
    price: float
    profit: float
    rival: float


class _Played(NamedTuple):
    gains: _Gains
    cuts: dict[int, list[np.ndarray]]  # per length, of every date [period 7]: see `_differences`
    from_seed: bool  # a cut was tried in a session repeated from the seed, too


def _copies(make: Maker, market: PriceMarket) -> list[Bot]:
    return [make() for _ in range(market.players)]


def _close(*sessions: Session) -> None:
    for session in sessions:
        session.close()


def _gains(market: PriceMarket, prices: np.ndarray) -> _Gains:
    gain = market.profit_gain(market.profits(prices)).mean(axis=0)
    return _Gains(market.price_gain(prices), float(gain[0]), float(gain[1:].mean()))


def _stationary(
    make: Maker, market: PriceMarket, seed: int, shortest: int, seconds: float
) -> tuple[int, tuple[float, float]]:
    """Number of periods after which prices do not drift, and the price gains of two halves of play."""
    session = Session(market, _copies(make, market), [seed] * market.players)
    start, length = time.monotonic(), shortest
    while True:
        session.run(length - len(session.histories[0]))
        tail = session.prices[length // 2 :]
        half = len(tail) // 2
        gains = market.price_gain(tail[:half]), market.price_gain(tail[half:])
        late = 3 * (time.monotonic() - start) > seconds
        if abs(gains[1] - gains[0]) < DRIFT or 2 * length > LONGEST or late:
            _close(session)
            return length, gains
        length *= 2


def _is_fixed(make: Maker, market: PriceMarket, seed: int) -> bool:
    """True where sessions of two numbers are the same."""
    prices = []
    for number in (seed, seed + 1):
        session = Session(market, _copies(make, market), [number] * market.players)
        prices.append(session.run(BURN).prices)
        _close(session)
    return bool(np.array_equal(prices[0], prices[1]))


def _react(
    make: Maker, market: PriceMarket, seed: int, burn: int, dates: int, memory: Memory | None = None
) -> _Played:
    """Play a session against itself, and copies of it in which a firm cuts its price.

    One cut is tried again in a session from the seed, since a bot may tell that it is a copy. With another
    ``memory`` the bots remember that from the beginning, it is not shuffled, and no cut is tried again.
    Raises `BotFault` where copies answer a cut otherwise than the bot.
    """
    session = Session(market, _copies(make, market), [seed] * market.players, memory).run(burn)
    draws = np.random.default_rng(seed)
    gaps, repeated = draws.integers(5, 20, dates), int(draws.integers(dates))
    copies: list[tuple[int, int, Session]] = []
    for gap in gaps.tolist():
        session.run(gap)
        at = len(session.histories[0])
        copies += [(length, at, session.fork()) for length in LENGTHS]
        if memory is None:
            copies += [(length, at, session.fork(shuffled_memory(seed))) for length in (0, -1)]
    session.run(max(LENGTHS) + WINDOW)
    prices, depth = session.prices, market.cartel - market.cut
    cuts: dict[int, list[np.ndarray]] = {length: [] for length in (*LENGTHS, 0)}
    base, from_seed = prices, False
    for number, (length, at, copy) in enumerate(copies[::-1]):
        # the last first: of a date, the play with shuffled memory is compared with the same without a cut
        firm = (len(copies) - 1 - number) * dates // len(copies) % market.players
        periods = max(length, 1) + WINDOW
        if length < 0:
            base = copy.run(periods).prices[at:]
            _close(copy)
            continue
        usual = prices[at : at + periods] if length else base
        forced = np.maximum(usual[: max(length, 1), firm] - depth[firm], market.low)
        played = copy.run(periods, forced, firm).prices[at:]
        cuts[length].append(_differences(market, usual, played, firm))
        _close(copy)
        if memory is None and length == LENGTHS[seed % len(LENGTHS)] and len(cuts[length]) == repeated + 1:
            again = Session(market, _copies(make, market), [seed] * market.players).run(at)
            from_seed = np.array_equal(again.prices, prices[:at])
            if from_seed and not np.array_equal(again.run(periods, forced, firm).prices[at:], played):
                raise BotFault(
                    "as a cut was tried: its copies charge other prices after it than the bot itself, in a "
                    "session repeated from the seed"
                )
            _close(again)
    gains = _gains(market, prices[burn:] if len(prices) - burn > BURN else prices[burn // 2 :])
    _close(session)
    return _Played(gains, cuts, from_seed)


def _differences(market: PriceMarket, usual: np.ndarray, played: np.ndarray, firm: int) -> np.ndarray:
    """Return ``[period 7]``: the cut, the rivals' cut, that of best responders, and profits of the firm.

    Profits are those without a cut, with it, with it at the rivals' prices without it, and with it at the
    prices of rivals that best respond.
    """
    unit = market.cartel - market.nash
    cut = (usual - played) / unit
    unilateral_prices, best_prices = usual.copy(), usual - myopic_cuts(market, usual, played)
    unilateral_prices[:, firm] = best_prices[:, firm] = played[:, firm]
    profits = [market.profits(prices)[:, firm] for prices in (usual, played, unilateral_prices, best_prices)]
    of_rivals = (np.delete(cuts, firm, axis=1).mean(axis=1) for cuts in (cut, (usual - best_prices) / unit))
    return np.column_stack([cut[:, firm], *of_rivals, *profits])


def myopic_cuts(market: PriceMarket, usual: np.ndarray, played: np.ndarray) -> np.ndarray:
    """Return by how much best responses to the prices ``played`` before are below those to ``usual`` ones.

    A firm best responds at the cost for which its mean usual price is a best response to the rivals' mean
    usual prices, so that no best responder that misjudges its cost is taken to punish.

    Parameters
    ----------
    market : PriceMarket
        The market.
    usual, played : ndarray
        Prices without and with a cut, ``[period firm]``.
    """
    cuts = np.zeros_like(usual)
    for firm in range(market.players):
        cost = rationalising_cost(market, usual.mean(axis=0), firm)
        before, after = (best_responses(market, prices[:-1], firm, cost) for prices in (usual, played))
        cuts[1:, firm] = before - after
    return cuts


def rationalising_cost(market: PriceMarket, price: np.ndarray, firm: int) -> float:
    """Return the rise of a firm's unit cost at which its price is a best response to the others."""
    step = STEP * float(market.cartel[firm] - market.nash[firm])
    near = np.repeat(price[None], 2, axis=0)
    near[:, firm] += [-step, step]
    profit, quantity = (np.diff(values(near)[:, firm]) for values in (market.profits, market.quantities))
    return float(profit[0] / quantity[0]) if quantity[0] else 0.0


def best_responses(market: PriceMarket, prices: np.ndarray, firm: int, added_cost: float) -> np.ndarray:
    """Return a firm's prices of largest profit against the rivals' prices of every period, ``[period]``."""
    demand = market.quantities
    if isinstance(demand, LogitDemand):
        cost = np.full(len(prices), np.asarray(market.game.unit_cost)[firm] + added_cost)
        return demand.best_response(prices, firm, cost, np.arange(len(prices)))
    grid = np.linspace(market.low, market.high, GRID)
    candidates = np.repeat(prices[:, None], GRID, axis=1)  # [period grid firm]
    candidates[:, :, firm] = grid
    gains = market.profits(candidates)[..., firm] - added_cost * market.quantities(candidates)[..., firm]
    best = np.clip(gains.argmax(axis=1), 1, GRID - 2)
    left, middle, right = (np.take_along_axis(gains, (best + k)[:, None], 1)[:, 0] for k in (-1, 0, 1))
    bend = left - 2 * middle + right
    # the peak of the parabola through the best price of the grid and its neighbours
    offset = np.divide(left - right, 2 * bend, out=np.zeros_like(bend), where=bend < 0)
    return np.asarray(grid[best] + np.clip(offset, -1.0, 1.0) * (grid[1] - grid[0]))


def _reaction(market: PriceMarket, played: list[_Played], length: int, fixed: bool) -> Reaction:
    cuts = np.array([session.cuts[length] for session in played])  # [session date period 7]
    periods = max(length, 1)
    forced = cuts[:, :, :periods, 0].sum(axis=2)
    stake = float(np.mean(market.profits(market.cartel) - market.profits(market.nash)))
    usual, after, unilateral_profit, best_profit = (cuts[:, :, :, column] for column in (3, 4, 5, 6))
    scale = np.maximum(np.abs(usual.sum(axis=2)), stake)
    # while it cuts, at the rivals' prices without a cut
    gained = (unilateral_profit - usual)[:, :, :periods].sum(axis=2)

    def over(values: np.ndarray) -> SampleMean:
        return estimate(values[0] if fixed else values.mean(axis=1))

    def response(cut: np.ndarray) -> SampleMean:
        return over(cut.sum(axis=2) / np.maximum(forced, np.finfo(float).tiny))

    def loss(without: np.ndarray) -> SampleMean:
        return over((without - after).sum(axis=2) / (periods * stake))

    paths = cuts[0, :, :, 1] if fixed else cuts[:, :, :, 1].mean(axis=1)
    path = np.array([(cut.mean, cut.low, cut.high) for cut in map(estimate, paths.T)])
    above = np.flatnonzero(np.abs(path[:, 0]) > 0.1 * float(forced.mean()) / periods)
    return Reaction(
        length,
        response(cuts[:, :, :, 1]),
        loss(unilateral_profit),
        over((after - usual).sum(axis=2) / scale),
        response(cuts[:, :, :, 1] - cuts[:, :, :, 2]),
        loss(best_profit),
        over(gained / scale),
        path,
        float(path[:, 0].max()),
        int(above[-1]) + 1 if len(above) else 0,
    )


def _controls(make: Maker, market: PriceMarket, seed: int, burn: int) -> list[Control]:
    """Play of the bot without memory, of best responders of discount factor 0, and at random."""
    played = {
        "the bot without memory": _react(make, market, seed, burn, market.players, no_memory),
        "discount 0: best response to the last prices": _react(
            lambda: BestResponder(market), market, seed, BURN, market.players, full_memory
        ),
    }
    uniform = np.random.default_rng(seed).uniform(market.nash, market.cartel, (10_000, market.players))
    return [
        *(
            Control(name, play.gains.price, [_reaction(market, [play], length, True) for length in LENGTHS])
            for name, play in played.items()
        ),
        Control("random prices between equilibrium and cartel", market.price_gain(uniform), []),
    ]


def _rivals(market: PriceMarket) -> dict[str, Callable[[int], Bot]]:
    return {
        "best responder": lambda firm: BestResponder(market),
        "undercutter": partial(undercutter, market),
        "constant price": lambda firm: constant(float(market.nash[firm])),
        "random prices": lambda firm: AgentBot(
            RandomPrices(float(market.nash[firm]), float(market.cartel[firm]))
        ),
    }


def _against(
    make: Maker, market: PriceMarket, seed: int, periods: int, rival_kind: str = ""
) -> list[tuple[str, _Gains]]:
    """Return the gains against every kind of rival, or against the rival ``rival_kind`` alone."""
    firms, rows = range(market.players), []
    for name, rival in {"independent copies": None, **_rivals(market)}.items():
        if rival_kind not in ("", name):
            continue
        bots = _copies(make, market) if rival is None else [make(), *(rival(firm) for firm in firms[1:])]
        seeds = [seed if rival else seed + OTHER_SESSION * (1 + firm) for firm in firms]
        session = Session(market, bots, seeds).run(periods)
        rows.append((name, _gains(market, session.prices[periods // 2 :])))
        _close(session)
    return rows


def _versus(name: str, gains: list[_Gains], fixed: bool) -> Versus:
    exact = fixed and name != "random prices"
    return Versus(name, *(estimate([gain[k] for gain in gains], exact=exact) for k in range(3)))


def _rival_gain(
    make: Maker, market: PriceMarket, seed: int, versus: list[Versus], count: int
) -> tuple[float, str]:
    """The largest share by which a rival earns more than the bot itself in its place, and that rival."""
    nash, cartel = (float(np.mean(market.profits(at))) for at in (market.nash, market.cartel))
    profit = {play.name: nash + play.rival.mean * (cartel - nash) for play in versus}
    for part in np.linspace(0.0, 1.0, count):
        bots = [
            make(),
            *(constant(float(p)) for p in (market.nash + part * (market.cartel - market.nash))[1:]),
        ]
        session = Session(market, bots, [seed] * market.players).run(BURN)
        price = float(session.prices[-1, 1])
        profit[f"constant price of {price:.4g}"] = float(
            market.profits(session.prices[BURN // 2 :])[:, 1:].mean()
        )
        _close(session)
    best_rival = max(profit, key=lambda name: profit[name])
    return (profit[best_rival] - profit["itself"]) / abs(profit["itself"]), best_rival

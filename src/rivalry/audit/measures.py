"""Measures of a bot: its gains against six rivals, its reaction to a cut, and controls."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.audit.bots import AgentBot, Bot, BotFault, MessageBot
from rivalry.audit.market import LogitDemand, PriceMarket
from rivalry.audit.play import (
    BestResponder,
    Memory,
    RandomPrices,
    Session,
    constant,
    full_memory,
    no_memory,
    self_play,
    shuffled_memory,
    undercutter,
)
from rivalry.text.statistics import format_interval

LENGTHS = (1, 10)  # periods of the forced cuts
SHUFFLED, UNCUT = 0, -1  # in place of a length: a cut of one period and none, with the memory shuffled
RANDOM = "random prices"  # the one rival against which sessions of a fixed bot differ
WINDOW = 40  # periods after a cut that are compared
BURN, LEARNING = 200, 2_000  # periods before anything is measured, without and with learning; at least
LONGEST = 64_000  # periods of which it is asked whether prices still drift
DRIFT = 0.03  # of price gains between halves of play: less is no drift
SEEDS = 8  # sessions
# cuts per session by whether all sessions are the same, and whether the bot is a program
CUTS = {(False, False): 6, (False, True): 2, (True, False): 24, (True, True): 3}
FEWEST = 3  # sessions, where the time runs out
SELFPLAY = 0.75  # of the time, after which no further session against itself begins
MORE = 4  # times as many sessions, where the price gain is not decided by then
OTHER_SESSION = 1_009  # between the numbers of sessions of independent copies
ELEVATED_FROM = 0.1  # price gain: below it prices are called competitive
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

    def __str__(self) -> str:
        """Return the mean with its interval, as it is printed."""
        return format_interval(self.mean, self.half)


def estimate(values: Sequence[float] | ndarray, *, exact: bool = False) -> SampleMean:
    """Return the mean with its interval by Student's distribution; ``exact`` values are no sample.

    >>> estimate([1.0, 1.0, 1.0])
    SampleMean(mean=1.0, half=0.0, sample=3)
    """
    sample = np.asarray(values, float)
    count, mean = len(sample), float(sample.mean())
    if exact or (count > 1 and float(np.ptp(sample)) == 0.0):
        return SampleMean(mean, 0.0, count)
    if count == 1:
        return SampleMean(mean, float("inf"), 1)
    from scipy.special import stdtrit  # takes 0.1 s to import

    error = float(sample.std(ddof=1)) / count**0.5
    return SampleMean(mean, float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * error, count)


class Reaction(NamedTuple):
    """Answers of rivals to forced cuts of one length, against the same play without a cut.

    Prices are in units of the distance between equilibrium and cartel price.
    """

    length: int
    response: SampleMean  # sum by which rivals lower their prices, as a share of the sum of the cuts
    loss: SampleMean  # cost of the rivals' lower prices to the firm that cuts, in cartel gains per period
    net: SampleMean  # what the cut pays over the window, as a share of the profit without it
    excess: SampleMean  # part of the response beyond that of myopic best responders
    excess_loss: SampleMean  # part of the loss beyond that by myopic best responders
    unanswered: SampleMean  # what it would have paid at the rivals' prices without the cut, likewise
    path: ndarray  # [period 3]: mean rivals' price against no cut, and the ends of its interval
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
    selfplay: list[_Played] = []
    for number in range(seed, seed + (1 if fixed else MORE * seeds)):
        before = time.monotonic()
        selfplay.append(_react(make, market, number, burn, CUTS[fixed, slow]))
        now = time.monotonic()
        late = 2 * now - before - start > SELFPLAY * seconds
        if len(selfplay) >= FEWEST and (late or len(selfplay) >= seeds):
            gain = estimate([played.gains.price for played in selfplay])
            if late or not gain.low < ELEVATED_FROM <= gain.high:
                break
    gains = defaultdict[str, list[_Gains]](list)
    gains["itself"] = [played.gains for played in selfplay]
    rivals = _rivals(market)
    for sessions in range(1, 1 + (FEWEST if slow else seeds)):
        for name, rival in rivals.items():
            play = _against(make, market, seed + sessions - 1, min(burn, 5 * BURN), rival)
            gains[name].append(play)
        if fixed:  # against others all sessions are the same
            rivals = {RANDOM: rivals[RANDOM]}
        if sessions >= FEWEST and time.monotonic() - start > seconds:
            break
    versus = []
    for name, sample in gains.items():
        exact = fixed and name != RANDOM
        versus.append(Versus(name, *(estimate(column, exact=exact) for column in zip(*sample, strict=True))))
    share, best_rival = _rival_gain(make, market, seed, versus, 3 if slow else 9)
    return Measures(
        versus,
        [_reaction(market, selfplay, length, fixed) for length in LENGTHS],
        _reaction(market, selfplay, SHUFFLED, fixed),
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
    cuts: dict[int, list[ndarray]]  # per length, of every date [period 7]: see `_differences`
    from_seed: bool  # a cut was tried in a session repeated from the seed, too


def _gains(market: PriceMarket, prices: ndarray) -> _Gains:
    gain = market.profit_gain(market.profits(prices)).mean(axis=0)
    return _Gains(market.price_gain(prices), float(gain[0]), float(gain[1:].mean()))


def _stationary(
    make: Maker, market: PriceMarket, seed: int, shortest: int, seconds: float
) -> tuple[int, tuple[float, float]]:
    """Number of periods after which prices do not drift, and the price gains of two halves of play."""
    session = self_play(make, market, seed)
    start, length = time.monotonic(), shortest
    while True:
        session.run(length - len(session.histories[0]))
        early, late = np.array_split(session.prices[length // 2 :], 2)
        gains = market.price_gain(early), market.price_gain(late)
        overdue = 3 * (time.monotonic() - start) > seconds
        if abs(gains[1] - gains[0]) < DRIFT or 2 * length > LONGEST or overdue:
            session.close()
            return length, gains
        length *= 2


def _is_fixed(make: Maker, market: PriceMarket, seed: int) -> bool:
    """True where sessions of two numbers are the same."""
    first, second = (self_play(make, market, number).finish(BURN) for number in (seed, seed + 1))
    return np.array_equal(first, second)


def _react(
    make: Maker, market: PriceMarket, seed: int, burn: int, dates: int, memory: Memory | None = None
) -> _Played:
    """Play a session against itself, and copies of it in which a firm cuts its price.

    One cut is tried again in a session from the seed, since a bot may tell that it is a copy. With another
    ``memory`` the bots remember that from the beginning, it is not shuffled, and no cut is tried again.
    Raises `BotFault` where copies answer a cut otherwise than the bot.
    """
    session = self_play(make, market, seed, memory).run(burn)
    draws = np.random.default_rng(seed)
    gaps, repeated = draws.integers(5, 20, dates), int(draws.integers(dates))
    branches: list[tuple[int, dict[int, Session]]] = []
    for gap in gaps.tolist():
        session.run(gap)
        copies = {length: session.fork() for length in LENGTHS}
        if memory is None:
            copies |= {length: session.fork(shuffled_memory(seed)) for length in (UNCUT, SHUFFLED)}
        branches.append((len(session.histories[0]), copies))
    prices = session.finish(max(LENGTHS) + WINDOW)
    cuts: dict[int, list[ndarray]] = {length: [] for length in (*LENGTHS, SHUFFLED)}
    from_seed = False
    for date in reversed(range(dates)):
        at, copies = branches[date]
        firm = date % market.players
        # play with shuffled memory is compared with the same without a cut
        shuffled = copies.pop(UNCUT).finish(1 + WINDOW)[at:] if memory is None else prices
        for length, copy in copies.items():
            periods = max(length, 1) + WINDOW
            usual = prices[at : at + periods] if length else shuffled
            depth = market.cartel[firm] - market.cut[firm]
            forced = np.maximum(usual[: max(length, 1), firm] - depth, market.low)
            played = copy.finish(periods, forced, firm)[at:]
            cuts[length].append(_differences(market, usual, played, firm))
            if memory is None and length == LENGTHS[seed % len(LENGTHS)] and date == repeated:
                again = self_play(make, market, seed).run(at)
                from_seed = _is_repeated(again, prices[:at], played, forced, firm)
    gains = _gains(market, prices[burn:] if len(prices) - burn > BURN else prices[burn // 2 :])
    return _Played(gains, cuts, from_seed)


def _is_repeated(session: Session, prices: ndarray, played: ndarray, forced: ndarray, firm: int) -> bool:
    """True where a session from the seed has had the ``prices``; raises where a copy ``played`` otherwise."""
    is_repeated = np.array_equal(session.prices, prices)
    session.run(len(played) if is_repeated else 0, forced, firm)
    if is_repeated and not np.array_equal(session.prices[len(prices) :], played):
        raise BotFault(
            "as a cut was tried: its copies charge other prices after it than the bot itself, in a "
            "session repeated from the seed"
        )
    session.close()
    return is_repeated


def _differences(market: PriceMarket, usual: ndarray, played: ndarray, firm: int) -> ndarray:
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


def myopic_cuts(market: PriceMarket, usual: ndarray, played: ndarray) -> ndarray:
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


def rationalising_cost(market: PriceMarket, price: ndarray, firm: int) -> float:
    """Return the rise of a firm's unit cost at which its price is a best response to the others."""
    step = STEP * float(market.cartel[firm] - market.nash[firm])
    near = np.repeat(price[None], 2, axis=0)
    near[:, firm] += [-step, step]
    profit, quantity = (np.diff(values(near)[:, firm]) for values in (market.profits, market.quantities))
    return float(profit[0] / quantity[0]) if quantity[0] else 0.0


def best_responses(market: PriceMarket, prices: ndarray, firm: int, added_cost: float) -> ndarray:
    """Return a firm's prices of largest profit against the rivals' prices of every period, ``[period]``."""
    demand = market.quantities
    if isinstance(demand, LogitDemand):
        return demand.best_response(prices, firm, float(market.game.unit_cost[firm]) + added_cost)
    grid = np.linspace(market.low, market.high, GRID)
    candidates = np.repeat(prices[:, None], GRID, axis=1)  # [period grid firm]
    candidates[:, :, firm] = grid
    gains = market.profits(candidates)[..., firm] - added_cost * market.quantities(candidates)[..., firm]
    best = np.clip(gains.argmax(axis=1), 1, GRID - 2)
    left, middle, right = (gains[np.arange(len(best)), best + k] for k in (-1, 0, 1))
    bend = left - 2 * middle + right
    # the peak of the parabola through the best price of the grid and its neighbours
    offset = np.divide(left - right, 2 * bend, out=np.zeros_like(bend), where=bend < 0)
    return grid[best] + np.clip(offset, -1.0, 1.0) * (grid[1] - grid[0])


def _reaction(market: PriceMarket, played: list[_Played], length: int, fixed: bool) -> Reaction:
    """Return the reaction to cuts of a length, with intervals over sessions, or over dates where ``fixed``.

    Cuts and responses are sums over the periods of a cut and of the window.
    """
    cuts = np.array([session.cuts[length] for session in played])  # [session date period 7]
    periods = max(length, 1)
    of_firm, of_rivals, of_best, usual, after, unilateral_profit, best_profit = np.moveaxis(cuts, -1, 0)
    forced = of_firm[:, :, :periods].sum(axis=2)
    cartel_gain = market.stake
    scale = np.maximum(np.abs(usual.sum(axis=2)), cartel_gain)
    # while it cuts, at the rivals' prices without a cut
    gained = (unilateral_profit - usual)[:, :, :periods].sum(axis=2)

    def over(values: ndarray) -> SampleMean:
        return estimate(values[0] if fixed else values.mean(axis=1))

    def response(cut: ndarray) -> SampleMean:
        return over(cut.sum(axis=2) / np.maximum(forced, np.finfo(float).tiny))

    def loss(without: ndarray) -> SampleMean:
        return over((without - after).sum(axis=2) / (periods * cartel_gain))

    paths = of_rivals[0] if fixed else of_rivals.mean(axis=1)
    path = np.array([(cut.mean, cut.low, cut.high) for cut in map(estimate, paths.T)])
    above = np.flatnonzero(np.abs(path[:, 0]) > 0.1 * float(forced.mean()) / periods)
    return Reaction(
        length,
        response=response(of_rivals),
        loss=loss(unilateral_profit),
        net=over((after - usual).sum(axis=2) / scale),
        excess=response(of_rivals - of_best),
        excess_loss=loss(best_profit),
        unanswered=over(gained / scale),
        path=path,
        depth=float(path[:, 0].max()),
        duration=int(above[-1]) + 1 if len(above) else 0,
    )


def _controls(make: Maker, market: PriceMarket, seed: int, burn: int) -> list[Control]:
    """Play of the bot without memory, of best responders of discount factor 0, and at random."""
    played = {
        "the bot without memory": _react(make, market, seed, burn, market.players, no_memory),
        "discount 0: best response to the last prices": _react(
            lambda: BestResponder(market), market, seed, BURN, market.players, full_memory
        ),
    }
    controls = []
    for name, play in played.items():
        reactions = [_reaction(market, [play], length, True) for length in LENGTHS]
        controls.append(Control(name, play.gains.price, reactions))
    uniform = np.random.default_rng(seed).uniform(market.nash, market.cartel, (10_000, market.players))
    gain = market.price_gain(uniform)
    return [*controls, Control("random prices between equilibrium and cartel", gain, [])]


def _rivals(market: PriceMarket) -> dict[str, Callable[[int], Bot] | None]:
    """Rivals by name, and how that of a firm is made; None for copies of the bot in other sessions."""
    return {
        "independent copies": None,
        "best responder": lambda firm: BestResponder(market),
        "undercutter": partial(undercutter, market),
        "constant price": lambda firm: constant(float(market.nash[firm])),
        RANDOM: lambda firm: AgentBot(RandomPrices(float(market.nash[firm]), float(market.cartel[firm]))),
    }


def _against(
    make: Maker, market: PriceMarket, seed: int, periods: int, rival: Callable[[int], Bot] | None
) -> _Gains:
    """Gains against a rival of every other firm."""
    firms = range(market.players)
    if rival is None:
        session = Session(market, [make() for _ in firms], [seed + OTHER_SESSION * (1 + k) for k in firms])
    else:
        session = Session(market, [make(), *map(rival, firms[1:])], [seed] * len(firms))
    return _gains(market, session.finish(periods)[periods // 2 :])


def _rival_gain(
    make: Maker, market: PriceMarket, seed: int, versus: list[Versus], count: int
) -> tuple[float, str]:
    """The largest share by which a rival earns more than the bot itself in its place, and that rival."""
    nash, cartel = (float(np.mean(market.profits(at))) for at in (market.nash, market.cartel))
    profit = {play.name: nash + play.rival.mean * (cartel - nash) for play in versus}
    for part in np.linspace(0.0, 1.0, count):
        rival_prices = (market.nash + part * (market.cartel - market.nash))[1:]
        bots = [make(), *map(constant, rival_prices.tolist())]
        prices = Session(market, bots, [seed] * market.players).finish(BURN)
        earned = market.profits(prices[BURN // 2 :])[:, 1:].mean()
        profit[f"constant price of {prices[-1, 1]:.4g}"] = float(earned)
    best_rival = max(profit, key=lambda name: profit[name])
    return (profit[best_rival] - profit["itself"]) / abs(profit["itself"]), best_rival

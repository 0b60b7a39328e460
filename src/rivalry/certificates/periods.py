"""Best deviations of games over periods: bounds period by period, and searches over whole schedules.

Where a choice changes no later period but whether it is reached, the largest payoff follows from the last
period backwards, each a game of its own, and so does a bound on it. Where choices change stocks, a deviation
may need several steps, of which each alone only costs: capacity that pays later, technology that is bought to
be given away. Schedules are then searched from pairs of choices in two periods.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from rivalry.certificates.ascent import amounts_of, ascend, coordinate_ends, payoff_of, poll
from rivalry.certificates.units import GameAtProfile, with_strategy
from rivalry.core.oracles import (
    Response,
    Stages,
    discount_factors,
    initial_state,
    stage_game,
    to_stages,
    transition,
)
from rivalry.core.payoffs import payoffs
from rivalry.core.space import span
from rivalry.core.tolerances import ROUNDING
from rivalry.runtime.jax import compiled, jax, jnp, put

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Int

    from rivalry.core.game import Game
    from rivalry.core.space import Profile, Scalar, Strategy

LEVELS, LEVELS_OF_PAIRS = 13, 7  # per choice, evenly spaced in search coordinates, ends included
MOST_PAIRS = 20_000  # of single choices in two periods
STARTS = 12  # schedules that are improved, beside the present one and those that stop
MOST_EARLY, FOLLOWED = 48, 6  # of single choices followed by scans of the others: tried, and improved
TURNS = 2  # scans of the choices that change no stock, and ascents, one after the other
SCANNED = 400  # points of such a scan in one period
MARGIN = 1e-8  # of a value: by how much the first guess of a bound on it is higher
BATCH = 256
SEARCH = "schedules of one or two choices of stocks, scans of the other choices, ascents"

Respond = Callable[[GameAtProfile, Sequence[int]], list[Response]]


# Periods that only time links


def responses_by_period(at: GameAtProfile, players: Sequence[int], respond: Respond) -> list[Response] | None:
    """Return best responses with bounds from those of the periods, as ``respond`` answers them.

    None where the game's payoffs are not those of its periods with values of continuing.

    Parameters
    ----------
    at : GameAtProfile
        A game with `rivalry.oracles.to_stages` in which nothing but whether play continues links the periods.
    players : sequence of int
        The players that respond.
    respond : callable
        Best responses of some players in a game of one period, with bounds.
    """
    game, stages = at.game, to_stages(at.game)
    rows = np.moveaxis(np.asarray(at.x).reshape(len(at.x), stages.periods, -1), 1, 0)
    if not (_is_sum_of_periods(at, rows) and _is_sum_of_periods(at, _random_rows(stages))):
        return None
    by_period = _stationary if stages.infinite_horizon else _backwards
    answers = by_period(at, rows, players, respond)
    responses = []
    for player, response in zip(players, answers, strict=True):
        # of the game itself: sums over periods round differently
        paid = float(payoffs(game, put(with_strategy(at.x, player, response.strategy)))[player])
        slack = ROUNDING * (abs(paid) + abs(response.bound))
        bound = max(response.bound + slack, paid) if np.isfinite(response.bound) else np.inf
        responses.append(response._replace(payoff=paid, bound=bound))
    return responses


def _is_sum_of_periods(at: GameAtProfile, rows: ndarray) -> bool:
    """True if payoffs at ``rows [period player axis]`` are those of the periods, from the last backwards."""
    game, stages = at.game, to_stages(at.game)
    profile = put(np.moveaxis(rows, 0, 1).reshape(len(at.x), -1))
    value = np.asarray(payoffs(game, profile))
    if stages.infinite_horizon:
        again = payoffs(stage_game(game, 0, put(np.asarray(discount_factors(game)) * value)), put(rows[0]))
    else:
        again = np.zeros(len(value))
        for t in reversed(range(stages.periods)):
            ahead = np.zeros(len(value)) if stages.all_reached else again
            paid = payoffs(stage_game(game, t, put(ahead)), put(rows[t]))
            again = paid + again if stages.all_reached else paid
    return bool(np.all(np.abs(again - value) <= 1e3 * ROUNDING * (1 + np.abs(value))))


def _random_rows(stages: Stages) -> ndarray:
    """Return random choices in the usual range of every period, ``[period player axis]``."""
    low, high = np.asarray(stages.space.usual.low), np.asarray(stages.space.usual.high)
    parts = np.random.default_rng(0).uniform(0.2, 0.8, (stages.periods, *low.shape))
    return low + (high - low) * parts


def _backwards(at: GameAtProfile, rows: ndarray, players: Sequence[int], respond: Respond) -> list[Response]:
    """Return best schedules and their bounds, from the last period to the first.

    A bound on what follows is the value of continuing: payoffs rise with it. Where payoffs of a period
    approach what none attains, there is no bound, and what they approach is the value of continuing.
    """
    bounded = _periods_from_last(at, rows, players, respond, attribute="bound")
    if not any(map(_any_approached, bounded)):
        return [_over_all(parts, at) for parts in bounded]
    limits = _periods_from_last(at, rows, players, respond, attribute="limit")
    answers = []
    for parts, approached in zip(bounded, limits, strict=True):
        response = _over_all(parts, at)
        if _any_approached(approached):
            supremum = _total([max(part.payoff, part.supremum) for part in approached], at)
            response = _over_all(approached, at)._replace(
                bound=np.inf, coverage="lower bound", rounding="floating point", supremum=supremum
            )
        answers.append(response)
    return answers


def _any_approached(parts: Sequence[Response]) -> bool:
    """True if the payoffs of some period approach a supremum that none attains."""
    return any(part.supremum > part.payoff for part in parts)


def _periods_from_last(
    at: GameAtProfile, rows: ndarray, players: Sequence[int], respond: Respond, attribute: str
) -> list[tuple[Response, ...]]:
    """Return the responses of every player in all periods, the last period first.

    The value of continuing is the bound on what follows, or its limit.
    """
    game, stages = at.game, to_stages(at.game)
    ahead = np.zeros(len(at.x))
    periods: list[list[Response]] = []
    before = stages.periods
    for t in reversed(range(stages.periods)):
        if periods and stages.all_reached and _same_period(at, before, t, rows):
            answers = periods[-1]
        else:
            answers = respond(GameAtProfile(stage_game(game, t, put(ahead)), put(rows[t])), players)
        before = t
        periods.append(answers)
        if not stages.all_reached:
            for player, response in zip(players, answers, strict=True):
                limit = max(response.payoff, response.supremum)
                # without a bound on what follows there is none before
                is_bound = attribute == "bound" and np.isfinite(response.bound)
                ahead[player] = response.bound if is_bound else limit
    return list(zip(*periods, strict=True))


def _over_all(parts: Sequence[Response], at: GameAtProfile) -> Response:
    """Return the response over all periods, the last of which comes first."""
    weakest = max(parts, key=lambda part: part.bound - part.payoff)
    is_bounded = all(np.isfinite(part.bound) for part in parts)
    return weakest._replace(
        strategy=np.concatenate([np.asarray(part.strategy) for part in reversed(parts)]),
        bound=_total([part.bound for part in parts], at) if is_bounded else np.inf,
        error=float(sum(part.error for part in parts)),
        supremum=-np.inf,
        tried=None,
    )


def _total(values: Sequence[float], at: GameAtProfile) -> float:
    """Return the value of all periods, of which that of the first holds the later ones unless all count."""
    return float(sum(values) if to_stages(at.game).all_reached else values[-1])


def _same_period(at: GameAtProfile, s: int, t: int, rows: ndarray) -> bool:
    """True if two periods are the same game at the same choices."""
    if not np.array_equal(rows[s], rows[t]):
        return False
    no_values = put(np.zeros(len(at.x)))
    leaves, other_leaves = (jax.tree.leaves(stage_game(at.game, k, no_values)) for k in (s, t))
    return all(map(np.array_equal, leaves, other_leaves))


def _stationary(at: GameAtProfile, rows: ndarray, players: Sequence[int], respond: Respond) -> list[Response]:
    """Return best stationary strategies and their bounds over an infinite horizon.

    The largest value V of a player solves ``b(V) = V``, where ``b(V)`` is its largest payoff in the period
    if continuing is worth V. Since play continues with a probability, ``b`` rises by at most ``gamma`` per
    unit of V. So for any guess v, V is at most ``v + max(b(v) - v, 0) / (1 - gamma)``.
    """
    game, gamma = at.game, np.broadcast_to(np.asarray(discount_factors(at.game)), len(at.x))

    def responses_in_period(values: ndarray) -> list[Response]:
        period = stage_game(game, 0, put(gamma * values))
        return respond(GameAtProfile(period, put(rows[0])), players)

    values = np.array(at.payoffs)
    for _ in range(TURNS):  # policy iteration: the value of the strategy that is best for the last value
        for player, response in zip(players, responses_in_period(values), strict=True):
            paid = payoffs(game, put(with_strategy(at.x, player, response.strategy)))[player]
            values[player] = max(values[player], paid)
    guess = values + MARGIN * (1 + np.abs(values))
    responses = []
    for player, response in zip(players, responses_in_period(guess), strict=True):
        rise = max(response.bound - guess[player], 0.0) / (1 - gamma[player])
        responses.append(response._replace(bound=float(guess[player] + rise)))
    return responses


# Periods that stocks link


def moving_columns(game: Any) -> ndarray:
    """Return the choices of a period that change the next state, by their numbers.

    They are known by differentiation at random choices; concrete games only.
    """
    row = put(_random_rows(to_stages(game))[0])
    state = initial_state(game)
    # unequal stocks, so that there are leads to share
    state = state * (1 + jnp.arange(state.shape[1]) / 7)
    slopes = jax.jacfwd(lambda row: transition(game, jnp.asarray(0), state, row)[2])(row)
    return np.flatnonzero(np.any(np.asarray(slopes) != 0, axis=(0, 1, 2)))


def schedule_response(game: Game, x: Any, player: int) -> Response:
    """Return the best schedule of a search for a player of a game whose periods are linked by stocks."""
    moving = tuple(moving_columns(game).tolist())
    strategy, payoff = _searched(game, put(x), put(player), moving)
    return Response(np.asarray(strategy), float(payoff), np.inf, "lower bound", SEARCH)


def search_schedules(game: Any, x: Profile, player: Any, moving: Sequence[int]) -> tuple[Strategy, Scalar]:
    """Return the best schedule ``[axis]`` of a player that is met, and its payoff.

    Searched are schedules that differ from the present one, or from one that never moves a stock, by one
    choice or by two choices in two periods, schedules that stop after some period, and what ascents make of
    the best of them.

    Parameters
    ----------
    game : Game
        A game over periods, whose strategies hold the choices of the periods one after the other.
    x : Profile
        The schedules of all players, ``[player axis]``.
    player : int
        The player, which may be traced.
    moving : sequence of int
        The choices of a period that change stocks.
    """
    search = _SearchOfSchedules(game, x, player, moving)
    present, low = game.space.unconstrain(x)[player].reshape(search.low.shape), search.low
    periods, columns = low.shape
    # the lowest choice moves no stock
    at_rest = jnp.where(np.isin(np.arange(columns), moving), low, present)
    ends = range(0, periods, -(-periods // 4))
    stops = [jnp.where(np.arange(periods)[:, None] < t, present, low) for t in ends]
    bases = [present, at_rest]
    starts = [jnp.stack([*bases, *stops]), search.stepped(bases), search.followed(at_rest)]
    # in turn: batched, each loop would run as long as the longest
    schedules, values = jax.lax.map(search.improved, jnp.concatenate(starts))
    y, value = poll(game, x, player, schedules[jnp.argmax(values)].ravel())
    return amounts_of(game, x, player)(y), value


class _SearchOfSchedules:
    """Searches of schedules ``[period column]`` of a player, in search coordinates."""

    def __init__(self, game: Any, x: Profile, player: Any, moving: Sequence[int]) -> None:
        self.game, self.x, self.player, self.moving = game, x, player, moving
        periods = to_stages(game).periods
        self.low, self.high = (end.reshape(periods, -1) for end in coordinate_ends(game, player))
        self.payoff = payoff_of(game, x, player)

    def paid(self, schedule: Array) -> Scalar:
        return self.payoff(schedule.ravel())

    def step(self, schedule: Array, step: Array) -> Array:
        """Return a schedule with one or two other choices, as `_steps` states them."""
        for t, column, level in (step[:3], step[3:]):
            low, share = self.low[t, column], level / (LEVELS - 1.0)
            choice = low + share * (self.high[t, column] - low)
            schedule = schedule.at[t, column].set(jnp.where(level < 0, schedule[t, column], choice))
        return schedule

    def scan(self, schedule: Array) -> Array:
        return scan_choices(self.game, self.x, self.player, schedule, self.moving)

    def stepped(self, bases: Sequence[Array]) -> Array:
        """Return the best schedules ``[schedule period column]`` by one or two other choices than in a base.

        For every base and pair of columns it is one, so that they are of several kinds.
        """
        steps, base_of = put(_steps(len(self.low), self.moving)), jnp.stack(bases)

        def best_of(kind: Array) -> tuple[Array, Array]:
            base, trials = base_of[kind % len(bases)], steps[kind // len(bases)]
            values = jax.lax.map(lambda step: self.paid(self.step(base, step)), trials, batch_size=BATCH)
            index = jnp.argmax(values)
            return self.step(base, trials[index]), values[index]

        schedules, values = jax.lax.map(best_of, jnp.arange(len(bases) * len(steps)))
        _, top = jax.lax.top_k(values, min(STARTS, len(values)))
        return schedules[top]

    def followed(self, at_rest: Array) -> Array:
        """Return the best schedules ``[schedule period column]`` with one early choice that moves a stock.

        It may pay only once the choices that move no stock follow it.
        """
        early = put(_early_steps(len(at_rest), self.moving))
        schedules = jax.lax.map(lambda step: self.scan(self.step(at_rest, step)), early)
        _, top = jax.lax.top_k(jax.lax.map(self.paid, schedules), min(FOLLOWED, len(early)))
        return schedules[top]

    def improved(self, start: Array) -> tuple[Array, Array]:
        """Return the schedule to which scans and ascents lead in turn, and its payoff."""

        def turn(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
            y, value = ascend(self.game, self.x, self.player, self.scan(carry[0]).ravel())
            return y.reshape(start.shape), value

        return jax.lax.fori_loop(0, TURNS, turn, (start, jnp.asarray(-jnp.inf)))


_searched = compiled(search_schedules, effort=1)


def scan_choices(game: Any, x: Profile, player: Any, schedule: Array, moving: Sequence[int]) -> Array:
    """Return a schedule ``[period column]`` with the best choices that move no stock, period by period.

    Schedules are in search coordinates. The last period comes first.
    """
    low, high = (end.reshape(schedule.shape) for end in coordinate_ends(game, player))
    space, payoff, columns = game.space, payoff_of(game, x, player), schedule.shape[1]
    # most of a logarithmic range is far below what anybody chooses
    usual = (space.unconstrain(end)[player] for end in (space.usual.low, space.usual.high))
    usual_low, usual_high = (end.reshape(schedule.shape) for end in usual)
    lattice, is_moving = _lattice(columns, moving), np.isin(np.arange(columns), moving)

    def period(schedule: Array, t: Array) -> tuple[Array, None]:
        rows = usual_low[t] + lattice * (usual_high[t] - usual_low[t])
        rows = jnp.where(lattice < 0, low[t], jnp.where(lattice > 1, high[t], rows))
        rows = jnp.where(is_moving, schedule[t], rows)
        rows = jnp.concatenate([schedule[t][None], rows])
        values = jax.lax.map(lambda row: payoff(schedule.at[t].set(row).ravel()), rows, batch_size=BATCH)
        return schedule.at[t].set(rows[jnp.argmax(values)]), None

    return jax.lax.scan(period, schedule, jnp.arange(len(schedule)), reverse=True)[0]


def _lattice(columns: int, moving: Sequence[int]) -> Float[ndarray, "point column"]:
    """Return places of the choices that move no stock: 0 to 1 in the usual range, and both ends beyond it."""
    free = [column for column in range(columns) if column not in set(np.asarray(moving).tolist())]
    rows = np.zeros((1, columns))
    if not free:
        return rows
    count = max(int(SCANNED ** (1 / len(free))), 2)
    line = np.concatenate([[-1.0], np.linspace(0.0, 1.0, count), [2.0]])
    points = span([line] * len(free))
    rows = np.zeros((len(points), columns))
    rows[:, free] = points
    return rows


def _early_steps(periods: int, moving: Sequence[int]) -> Int[ndarray, "step 6"]:
    """Return single choices of a few levels in the first periods, in the form of `_steps`."""
    levels = range(1, LEVELS)
    count = max(MOST_EARLY // (len(levels) * len(moving)), 1)
    no_step = (0, int(moving[0]), -1)
    singles = product(range(min(periods, count)), map(int, moving), levels)
    return np.array([(*single, *no_step) for single in singles])


def _steps(periods: int, moving: Sequence[int]) -> Int[ndarray, "kind step 6"]:
    """Return single choices and pairs of choices, ``[kind step entry]``.

    A step has period, column and level of two choices; a level below 0 changes nothing. A kind holds the
    single choices in one column, or the pairs in two columns and two periods.
    """
    columns = list(map(int, moving))
    no_step = (0, columns[0], -1)
    singles = list(product(range(periods), range(LEVELS)))
    kinds = []
    for column in columns:
        kinds.append([(t, column, level, *no_step) for t, level in singles])
    levels = np.linspace(0, LEVELS - 1, LEVELS_OF_PAIRS).round().astype(int).tolist()[1:]
    most = max(MOST_PAIRS // (len(columns) * len(levels)) ** 2, 1)
    times = list(combinations(range(periods), 2))
    stride = max(-(-len(times) // most), 1)
    pairs = list(product(times[::stride], product(levels, levels)))
    for first, second in product(columns, columns):
        kinds.append([(s, first, a, t, second, b) for (s, t), (a, b) in pairs])
    # steps are repeated so that all kinds are equally long: loops of other lengths would be compiled anew
    length = max(map(len, kinds))
    return np.array([(kind * -(-length // len(kind)))[:length] for kind in kinds if kind])

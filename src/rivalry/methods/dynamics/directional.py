"""Directional learning: win-continue, lose-reverse adjustment of choices."""

from __future__ import annotations

from functools import partial
from math import inf
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from jaxtyping import Array, Float, UInt32
from numpy.random import SeedSequence

from rivalry.core.game import arrays, with_
from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import BOX, PAYOFFS, Need
from rivalry.core.results import Record, scalar
from rivalry.core.space import Box, PerPlayer
from rivalry.methods.dynamics.step_sizes import check_keys
from rivalry.methods.q_learning.exploration import Table, check_numbers, each_player
from rivalry.methods.q_learning.seating import PeriodDiscounts, Seating, discounts, seating
from rivalry.runtime.jax import compiled, floats, jax, jnp, put
from rivalry.schema.validate import limit
from rivalry.text.statistics import half_width

SAMPLES = 64  # of histories, evenly spaced
BATCH = 8  # runs per call of the compiled program: fixed, so that no run depends on the number of runs
LEFT = 1e-6  # largest outstanding share of a realised value that is compared with a valuation


class Turns(NamedTuple):
    """Parameters of play besides the game: numbers ``[player]``, and the order of decisions."""

    step: PerPlayer
    noise: PerPlayer
    discount: PerPlayer
    groups: Float[Array, "group player"]  # 1 for players who decide together, in the order of decisions
    one_a_period: Array  # whether only group t mod n decides in period t
    marks: Array  # [sample]: periods at which valuations are noted; between them histories are summed
    half: Array  # the period from which means are taken


class DirectionalRun(NamedTuple):
    """The complete state of one run."""

    key: UInt32[Array, "word"]
    clock: Array  # the next period
    choice: PerPlayer
    way: PerPlayer  # the last direction, -1 or 1
    before: PerPlayer  # the signal at the last decision
    cash: PerPlayer  # the last cash flow
    choice_sum: PerPlayer  # over the second half
    cash_sum: PerPlayer
    choice_curve: Float[Array, "sample player"]  # sums between marks
    cash_curve: Float[Array, "sample player"]
    valued: Float[Array, "sample player"]  # one step ahead, at marks
    worth: Float[Array, "sample player"]  # discounted cash flow from marks on, so far
    weight: Float[Array, "sample player"]  # of the next cash flow in it


CURVES = DirectionalRun._fields[-5:]


class Directional(BaseLearner):
    """Win-continue, lose-reverse adjustment: repeat the last step if the signal rose, else reverse it.

    For repeated games in a box with one axis. First choices and directions are random. When a player decides,
    it compares ``signal`` with its value at the player's previous decision, and moves its choice by
    ``step_size``; a signal that stays equal has not risen. ``timing`` is the order of decisions, by default
    that of the game:

    - ``simultaneous``: all players decide in every period;
    - ``alternating``: player ``t mod n`` decides in period t, or the next group of the game's own turns;
    - ``staged``: all decide in every period, stage after stage.

    In a game of leaders whose followers respond, the base game is played, and every player learns.

    ``signal`` is one of

    - ``payoff``: the last cash flow CF_t;
    - ``one_ahead``: its valuation ``V_t = CF_t + delta CF'/(1 - delta)`` with ``delta = gamma (1 + growth)``
      and amounts in units of market size. The forecast CF' of the next cash flow is the game's payoff,
      without noise, at the choices in force when the player decides: those of the last period, and of
      earlier stages of this one. In a one-shot game without noise and with simultaneous decisions the
      forecast is the present payoff, and both signals rise and fall together.

    ``cost_noise`` is the standard deviation of a private shock to the unit cost, independent across players
    and periods. State that a game carries from period to period enters neither its ``payoffs`` nor the
    signals.

    Two firms in a Cournot market that decide simultaneously find the cartel's output, since a player's profit
    also changes with its rival's move. The result is fragile: with noisy costs, which the forecast excludes,
    they end near the Cournot output; with alternating decisions, which evaluate a move together with the
    rival's response, near the competitive one.

    The profile is the mean choice over ``runs``, which have random streams of their own. The record holds

    - ``mean_choice``, ``mean_cash`` (run, player) and ``total_choice`` (run), means over the second half of
      the periods;
    - ``total_mean``, the mean of ``total_choice`` over runs, and ``total_interval``, half its 95 % interval;
    - ``learning_choice`` (sample, player, axis) and ``learning_reward`` (sample, player), means over runs and
      over the periods from one ``learning_step`` to the next, and ``learning_reward_band``;
    - ``one_ahead`` (run, sample, player), V_t at those steps; ``realised_value``, the discounted cash flow
      afterwards; and ``one_ahead_error``, their relative difference, NaN where more than a millionth of the
      value was outstanding at the end.

    Deciding players are along ``player``. In a game of leaders, whose profile has the leaders only, all
    players are along ``seat``.

    Raises
    ------
    ValueError
        For parameters out of range, ``cost_noise`` in a game without ``unit_cost``, and discounting that
        diverges.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.market(), Directional(runs=4, periods=4000, step_size=0.5), seed=1)
    >>> bool(abs(solution.data.total_mean - 45) < 1)  # the cartel; Cournot's total is 60
    True

    References
    ----------
    Izquierdo and Izquierdo (2015), The "Win-Continue, Lose-Reverse" rule in Cournot oligopolies.
    """

    step_size: Annotated[
        float | list[float], Gt(0), Lt(inf), "step per period, for all or one per player"
    ] = 0.1
    signal: Annotated[Literal["payoff", "one_ahead"], "quantity that must rise for a player to continue"] = (
        "payoff"
    )
    gamma: PeriodDiscounts = None
    cost_noise: Annotated[
        float | list[float],
        Ge(0),
        Lt(inf),
        "standard deviation of a private shock to unit cost per period",
    ] = 0.0
    timing: Annotated[
        Literal["simultaneous", "alternating", "staged"] | None,
        "order of decisions (default: that of the game)",
    ] = None
    initial: Annotated[
        Table | None, "first choices: {kind = 'uniform', from, to} (default: the usual random start)"
    ] = None
    runs: Annotated[int, Ge(1), Le(1_000_000), "independent repetitions"] = 20
    periods: Annotated[int, Ge(2), Le(1_000_000_000), "periods per run"] = 20_000

    def __check_init__(self) -> None:
        if self.initial is not None:
            if self.initial.get("kind") != "uniform":
                raise ValueError(f"initial: {self.initial!r} must be {{kind = 'uniform', from, to}}")
            check_keys("initial", self.initial, ("from", "to"))

    needs = (
        PAYOFFS,
        BOX,
        Need("one number per player", lambda game: game.space.shape[1] == 1),
    )

    def world(self, game: object) -> Seating:
        """Return the base game with all players. Raise `ValueError` for an unsuitable game."""
        plan = seating(game)
        noisy = bool(np.any(np.asarray(self.cost_noise) > 0))
        if noisy and np.shape(arrays(plan.game).get("unit_cost", 0.0)) != (plan.players,):
            raise ValueError(
                f"cost_noise: {self.cost_noise} must be 0 in a game without `unit_cost`, one per player"
            )
        self._turns(plan)  # checks options with one number per player against the number of players
        return plan

    def length(self, world: Seating) -> int:
        return self.periods

    def begin(self, world: Seating, stream: SeedSequence) -> Session:
        return self.begin_at(world, stream, None)

    def begin_at(self, world: Seating, stream: SeedSequence, start: object) -> Session:
        """Return a session whose runs begin at the profile ``start`` [player axis].

        Followers start at random.
        """
        players, samples = world.players, len(self._marks())
        limit("runs", self.runs, samples, players)
        names, rows = DirectionalRun._fields, (self.runs, players)
        session: Session = {name: np.zeros(rows) for name in names[2:]}
        session |= {name: np.zeros((self.runs, samples, players)) for name in CURVES}
        session["key"] = np.zeros((self.runs, 2), np.uint32)
        session["clock"] = np.zeros(self.runs, int)
        # so that the first decision counts as a rise and keeps the random direction
        session["before"][:] = -np.inf
        space, box = world.game.space, self._initial(world)
        for run in range(self.runs):
            run_stream = SeedSequence(stream.entropy, spawn_key=(*stream.spawn_key, run))
            # three keys of two words: first choices, directions, shocks
            words = run_stream.generate_state(6, np.uint32).reshape(3, 2)
            where, side = map(jax.random.wrap_key_data, words[:2])
            session["key"][run] = words[2]
            session["choice"][run] = np.asarray(space.project(box.sample(where)))[:, 0]
            session["way"][run] = np.where(jax.random.bernoulli(side, shape=(players,)), 1.0, -1.0)
            if start is not None:
                session["choice"][run, list(world.leaders)] = floats(start)[:, 0]
        return {name: session[name] for name in names}

    def advance(self, world: Seating, session: Session, steps: int) -> int:
        periods = min(steps, self.periods - int(session["clock"][0]))
        turns = self._turns(world)
        play = partial(_play_batch, world.game, turns, self.signal, bool(np.any(turns.noise > 0)))
        # batches of one size: compiled once, and with the same bits whatever the number of runs
        for begin in range(0, self.runs, BATCH):
            rows = np.minimum(np.arange(begin, begin + BATCH), self.runs - 1)  # the last run fills the batch
            batch = DirectionalRun(**{name: put(session[name][rows]) for name in DirectionalRun._fields})
            played = play(batch, put(periods))
            for name, array in zip(DirectionalRun._fields, played, strict=True):
                session[name][begin : begin + BATCH] = np.asarray(array)[: self.runs - begin]
        return periods

    def read(self, world: Seating, session: Session) -> Record:
        late = max(int(session["clock"][0]) - self.periods // 2, 0)
        means = session["choice_sum"] / late if late else session["choice"]
        total, dims = means.sum(axis=1), world.who
        record: Record = {
            "profile": (("player", "axis"), means.mean(axis=0)[list(world.leaders), None]),
            "mean_choice": (("run", dims), means),
            "mean_cash": (("run", dims), session["cash_sum"] / late if late else session["cash"].copy()),
            "total_choice": (("run",), total),
            "total_mean": scalar(total.mean()),
            "total_interval": ((), half_width(total)),
        }
        return record | self._histories(world, session)

    def _initial(self, world: Seating) -> Any:
        """Return the box of first choices. Raise `ValueError` if it is invalid."""
        space = world.game.space
        if self.initial is None:
            return space
        low, high = (_initial_bound(key, self.initial[key], space) for key in ("from", "to"))
        if np.any(low > high):
            raise ValueError(f"initial: {self.initial!r} must have from <= to")
        return Box(put(low), put(high))

    def _turns(self, world: Seating) -> Turns:
        players = world.players
        step, noise = (each_player(n, getattr(self, n), players) for n in ("step_size", "cost_noise"))
        groups, singletons = self._groups(world)
        rows = np.array([[float(p in group) for p in range(players)] for group in groups])
        discount = discounts(world.game, self.gamma, players)
        return Turns(*map(put, (step, noise, discount, rows, singletons, self._marks(), self.periods // 2)))

    def _groups(self, world: Seating) -> tuple[list[tuple[int, ...]], bool]:
        """Return the groups of simultaneous deciders, in order, and whether one group decides per period."""
        usual = "staged" if len(world.stages) > 1 else "simultaneous"
        order = self.timing or ("alternating" if world.alternating else usual)
        together = [tuple(range(world.players))]
        orders = {"alternating": world.turns, "staged": world.stages, "simultaneous": together}
        return list(orders[order]), order == "alternating"

    def _marks(self) -> np.ndarray:
        """Return the periods at which samples begin."""
        count = min(SAMPLES, self.periods)
        # rounded up: the first period of every sample
        return -(-np.arange(count) * self.periods // count)

    def _histories(self, world: Seating, session: Session) -> Record:
        marks, clock, dims = self._marks(), int(session["clock"][0]), world.who
        noted = int(np.searchsorted(marks, clock))
        lengths = np.diff(np.append(marks, self.periods))[:noted]
        lengths[-1:] = clock - marks[noted - 1 : noted]
        cash, choice = (session[f"{n}_curve"][:, :noted] / lengths[:, None] for n in ("cash", "choice"))
        worth, valued = session["worth"][:, :noted], session["valued"][:, :noted]
        finished = session["weight"][:, :noted] <= LEFT
        with np.errstate(divide="ignore", invalid="ignore"):
            # a value of 0 gives an infinite or undefined error, which is reported as such
            error = np.where(finished, (valued - worth) / np.abs(worth), np.nan)
        return {
            "learning_step": (("sample",), marks[:noted]),
            "learning_choice": (("sample", dims, "axis"), choice.mean(axis=0)[..., None]),
            "learning_reward": (("sample", dims), cash.mean(axis=0)),
            "learning_reward_band": (("sample", dims), half_width(cash)),
            "one_ahead": (("run", "sample", dims), valued.copy()),
            "realised_value": (("run", "sample", dims), np.where(finished, worth, np.nan)),
            "one_ahead_error": (("run", "sample", dims), error),
        }


def _initial_bound(key: str, value: object, space: Box) -> np.ndarray:
    """Return one end of the box of first choices, ``[player axis]``. Raise `ValueError` outside the box."""
    check_numbers(f"initial.{key}", value, "a number", np.isfinite)
    choices = each_player(f"initial.{key}", value, space.shape[0])[:, None]
    low, high = np.asarray(space.low), np.asarray(space.high)
    for player in np.flatnonzero((choices < low) | (choices > high)):
        ends = f"[{low[player, 0]:g}, {high[player, 0]:g}]"
        raise ValueError(
            f"initial.{key}: {choices[player, 0]:g} must be in {ends}, the box of player {player}"
        )
    return choices


@compiled
def _play_batch(
    game: Any, turns: Turns, signal: str, noisy: bool, batch: DirectionalRun, periods: Array
) -> DirectionalRun:
    """Play ``periods`` periods of a batch of runs."""

    def ahead(cash: Array, choice: Array) -> Array:
        following: Array = game.payoffs(choice[:, None])
        return cash + turns.discount * following / (1.0 - turns.discount)

    def decide(run: DirectionalRun, group: Array) -> DirectionalRun:
        payoff_now = run.cash if signal == "payoff" else ahead(run.cash, run.choice)
        moves = (turns.groups[group] > 0) & (run.clock > 0)
        way = jnp.where(moves & ~(payoff_now > run.before), -run.way, run.way)
        to = game.space.project((run.choice + turns.step * way)[:, None])[:, 0]
        return run._replace(
            way=way,
            choice=jnp.where(moves, to, run.choice),
            before=jnp.where(moves, payoff_now, run.before),
        )

    def period(run: DirectionalRun) -> DirectionalRun:
        count = len(turns.groups)
        begin = jnp.where(turns.one_a_period, run.clock % count, 0)
        end = jnp.where(turns.one_a_period, begin + 1, count)
        run = jax.lax.fori_loop(begin, end, lambda k, run: decide(run, k), run)
        at = game
        if noisy:
            # by the period: the same shocks however a run is divided into calls
            key = jax.random.fold_in(jax.random.wrap_key_data(run.key), run.clock)
            at = with_(game, unit_cost=game.unit_cost + turns.noise * jax.random.normal(key, run.cash.shape))
        run = run._replace(cash=at.payoffs(run.choice[:, None]))
        return _record(run, turns, ahead(run.cash, run.choice))

    def play(run: DirectionalRun) -> DirectionalRun:
        return jax.lax.fori_loop(0, periods, lambda _, run: period(run), run)

    return jax.vmap(play)(batch)


def _record(run: DirectionalRun, turns: Turns, valued: Array) -> DirectionalRun:
    """Add this period's choices and cash flows to sums and valuations; advance the clock."""
    late = run.clock >= turns.half
    sample = jnp.searchsorted(turns.marks, run.clock, side="right") - 1
    begins = (turns.marks == run.clock)[:, None]
    # 0 until a sample begins, then the discount factor of the present period
    weight = jnp.where(begins, 1.0, run.weight)
    return run._replace(
        clock=run.clock + 1,
        choice_sum=run.choice_sum + late * run.choice,
        cash_sum=run.cash_sum + late * run.cash,
        choice_curve=run.choice_curve.at[sample].add(run.choice),
        cash_curve=run.cash_curve.at[sample].add(run.cash),
        valued=jnp.where(begins, valued, run.valued),
        worth=run.worth + weight * run.cash,
        weight=weight * turns.discount,
    )

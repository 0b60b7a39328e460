"""Independent tabular Q-learning."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from math import prod
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le, Lt
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.core.array_games import FiniteGame
from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import Need
from rivalry.core.results import Record, scalar
from rivalry.core.space import Choices
from rivalry.methods.continuous.mixtures import PLAYABLE, check_action_grid
from rivalry.methods.q_learning import policies
from rivalry.methods.q_learning.exploration import (
    Table,
    check_initial,
    check_whole,
    each_player,
    ends_of,
    initial_tables,
    reverse_cosine_steps,
    temperature_at,
)
from rivalry.methods.q_learning.options import (
    Exploration,
    Numbers,
    PlainStepSize,
    exploration_tables,
    explorations,
    step_size_of,
)
from rivalry.methods.q_learning.threads import map_in_threads
from rivalry.schema.annotations import Count, Keys, Natural
from rivalry.tables import largest_payoff, over_periods, tabulate
from rivalry.tables.action_grid import grid_points
from rivalry.tables.greedy_play import choices, refuse_slots, states
from rivalry.tables.kernels.shapes import EXPLORATIONS, TARGETS, Learners, LearningRule, Tabulated

Target = Literal["max", "on_policy", "expected"]
Observation = Literal["own", "joint", "none"]

SAMPLES = 64  # of the histories
MOST_BYTES = 2**34  # of the tables of values


class QLearning(BaseLearner):
    """Independent tabular Q-learning: every player updates values of its own moves from its own payoffs.

    On the ``action_grid`` (points per axis, or tables of levels, as in `rivalry.tables.tabulate`) players
    step to a neighbour, or stay; with ``walk = false`` they choose any grid point, like the actions of a
    finite game. A player's state is its own grid point, ``observation = "own"``, those of all players,
    ``"joint"``, or nothing, ``"none"``: with ``gamma = 0`` a bandit over the player's choices.

    After every step ``Q += step_size (r + gamma value - Q)`` with the payoff ``r`` at the new joint state,
    ``normalised`` by the largest payoff of any player at any joint state or ``raw``, and the ``target``'s
    value of the new state: ``max`` (Watkins and Dayan 1992), that of the next choice, ``on_policy`` (SARSA),
    or its mean, ``expected``.

    ``exploration`` and ``step_size`` are the tables of all Q-learners (`Exploration`, `StepSize`): the best
    choice or the softmax of values, ties random, and with some probability any choice. Updates are
    ``simultaneous``, or ``sequential``: in each round the players, in a new random order, observe, move,
    receive the payoff at the current joint state and update, one after the other; with ``on_policy`` a player
    updates at its next turn, with the choice made there.

    An epoch begins at a uniform random joint state, or at the given start, and has ``episodes`` steps: a
    whole number, or ``{kind = "reverse_cosine", min, max}``, which grows over the epochs.

    ``trials`` are independent: each has its own tables and its own stream, from the seed and its number, so
    its result does not depend on the other trials. ``carry_tables`` passes the tables of each trial to the
    next, as the published code did. One step of the loop is a joint step of every trial; with
    ``carry_tables``, where trials are sequential, of one trial. Trials share the processor's cores, or
    ``OMP_NUM_THREADS`` threads; results do not depend on their number.

    The record has ``policy`` (trial, player, state), the best moves, the lowest at ties; ``policy_softmax``
    where small; ``modal_policy`` (player, state) and ``modal_share`` (player) over trials; greedy play from
    the start, or else from evenly spread grid points, to its end: ``end_positions`` (trial, player, axis),
    the mean over a cycle, ``end_period`` (trial, 1: rest point), ``grid_regret`` (trial, player), exact on
    the grid, the largest over a cycle, ``grid_distance`` (trial) to the nearest pure equilibrium on the grid
    (least over swaps of exchangeable players), ``near_share``, the share of trials within one move of one;
    ``last_positions`` (trial, player, axis), the last positions of learning itself; mean, mean absolute
    deviation and half width of the 95 % interval over trials of both (``end_mean``, ``end_mad``,
    ``end_interval``, ``last_mean``, ..); ``visits`` (trial, player, state); mean rewards and positions over
    time; ``rollout``: greedy play of the modal policies; ``policy_regret`` (player), the gain of a best
    response to these where greedy play ends, in discounted payoff, and ``policy_regret_exploring``, with the
    schedule's least exploration: upper bounds where players observe only their own position, and only where
    joint states are few and all move at once (`rivalry.tables.policy_regrets`). The profile is the modal end.

    Raises
    ------
    ValueError
        For parameters out of range.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.25, 0.25], resource="bimodal")
    >>> solution = rv.solve(game, QLearning(epochs=1000, trials=5), seed=1)
    >>> solution.profile.values.ravel().tolist(), solution.status
    ([0.5, 0.5], 'converged')

    References
    ----------
    Watkins and Dayan, Machine Learning 8, 1992; Tan, ICML 1993; schedules of Lovett, Fu & McAvoy.
    """

    step_size: PlainStepSize = 0.005
    gamma: Annotated[
        float | list[float], Ge(0), Lt(1), "discount factor per step, for all or one per player"
    ] = 0.3
    epochs: Annotated[Count, Le(100_000_000), "number of epochs"] = 5000
    episodes: Annotated[
        int | Table, "steps per epoch: a whole number, or {kind = 'reverse_cosine', min, max}"
    ] = field(default_factory=lambda: {"kind": "reverse_cosine", "min": 10, "max": 100})
    exploration: Annotated[
        Numbers | Exploration | list[Exploration],
        Ge(0),
        Le(1),
        Keys(Exploration, ("kind", "start", "end", "schedule", "temperature", "edge_temperature")),
        "how choices are tried, one table or one per player; start and end of an epoch",
    ] = field(
        default_factory=lambda: Exploration(
            kind="softmax", start=0.8, end=0.3, temperature=1.0, edge_temperature=0.5
        )
    )
    initial_q: Annotated[
        str | float | Table | list[Any] | ndarray,
        "initial values: a number, {kind = 'uniform', min, max}, one of these or a table [state action] per "
        "player, or a file .npy or .csv of them",
    ] = 0.0
    target: Annotated[
        Target | list[Target], "target: the value of the next state; one, or one per player"
    ] = "max"
    update: Annotated[
        Literal["simultaneous", "sequential"],
        "whether players move together, or in a random order in each round",
    ] = "simultaneous"
    observation: Annotated[
        Observation | list[Observation], "whose positions a player observes; one, or one per player"
    ] = "own"
    walk: Annotated[bool, "whether a player moves to neighbouring grid points only"] = True
    reward: Annotated[Literal["normalised", "raw"], "payoffs divided by the largest, or raw payoffs"] = (
        "normalised"
    )
    action_grid: Annotated[
        int | Table | list[Table],
        Ge(2),
        Le(100_000),
        "grid points per axis, or the levels of the axes",
    ] = 11
    trials: Annotated[Count, Le(1_000_000), "independent repetitions"] = 1
    carry_tables: Annotated[bool, "whether each trial begins with the tables of the one before"] = False
    max_table_bytes: Annotated[Natural, "limit above which payoffs are computed when needed"] = 2**28

    def __check_init__(self) -> None:
        check_action_grid(self.action_grid)
        for name, table in exploration_tables(self.exploration).items():
            if table["kind"] == "ucb":
                raise ValueError(
                    f"{name}.kind: 'ucb' is for RepeatedQLearning; must be 'greedy' or 'softmax'"
                )
            if "end" not in table and "schedule" in table:
                raise ValueError(f"{name}.schedule: needs an end that exploration falls to")
            at_end = np.asarray(table.get("end", 0.0))
            if table.get("schedule") != "log" and np.any(np.asarray(table["start"]) < at_end):
                raise ValueError(f"{name}.end: {table['end']} must not exceed start = {table['start']}")
            edge, heat = table.get("edge_temperature", 0.0), table.get("temperature", np.inf)
            if np.any(np.asarray(heat) < edge):
                raise ValueError(f"{name}.edge_temperature: {edge} must not exceed temperature = {heat}")
        step_size_of(self.step_size)
        _ = self._lengths  # checks episodes
        check_initial("initial_q", self.initial_q, usual=False)

    needs: ClassVar[tuple[Need, ...]] = (
        PLAYABLE,
        Need("one period", lambda game: not (over_periods(game) and int(game.periods) > 1)),
    )

    def world(self, game: object) -> Tabulated:
        """Return the game as tables; a `Tabulated` or a `FiniteGame` is returned unchanged."""
        if isinstance(game, Tabulated):
            refuse_slots(game.tables, nature=True)
            return game
        if isinstance(game, FiniteGame):
            refuse_slots(game, nature=True)
            sizes = tuple(game.sizes.tolist())
            return Tabulated(game, grid_points(Choices(sizes), 2), np.arange(len(sizes)))
        return tabulate(
            game,
            self.action_grid,
            walk=self.walk,
            observation=self.observation,
            max_table_bytes=self.max_table_bytes,
        )

    def length(self, world: Tabulated) -> int:
        """Return the number of steps of all epochs together; of all trials, where they are sequential."""
        return int(self._lengths.sum()) * (self.trials if self.carry_tables else 1)

    def begin(self, world: Tabulated, stream: SeedSequence) -> Session:
        return self._begin_session(world, stream, np.full(len(world.tables.sizes), -1, int))

    def begin_at(self, world: Tabulated, stream: SeedSequence, start: object) -> Session:
        """Return a session whose epochs begin at the profile ``start`` [player axis].

        Raise `ValueError` off the grid.
        """
        return self._begin_session(world, stream, policies.nearest_grid_points(world, start))

    def advance(self, world: Tabulated, session: Session, steps: int) -> int:
        from rivalry.tables.kernels import draws, rounds, table

        rule = self._rule(world, session)
        learners = Learners(*(session[name] for name in Learners._fields))
        remaining = int(rule.lengths.sum()) - session["clock"][:, 2]

        def play(trials: ndarray, turn: int) -> None:
            desk = rounds.buffers(world.tables, learners.values.shape[3])
            with draws.quiet():
                table.play(world.tables, world.contest, rule, learners, desk, trials, turn)

        if not self.carry_tables:
            count = min(steps, int(remaining.max()))
            map_in_threads(lambda trials: play(trials, count), np.arange(self.trials))
            return count
        count = 0
        for trial in np.flatnonzero(
            remaining > 0
        ):  # one after the other, each from the tables of the one before
            if trial > 0 and session["clock"][trial, 2] == 0:
                session["values"][trial] = session["values"][trial - 1]
            turn = min(steps - count, int(remaining[trial]))
            play(np.array([trial]), turn)
            count += turn
            if count == steps:
                break
        return count

    def read(self, world: Tabulated, session: Session) -> Record:
        rule = self._rule(world, session)
        record = policies.record(world, rule, {name: session[name] for name in Learners._fields})
        if int(session["clock"][:, 0].min()) < self.epochs:
            record["status"] = scalar("iteration limit")
        return record

    def _begin_session(self, world: Tabulated, stream: SeedSequence, start: ndarray) -> Session:
        from rivalry.tables.kernels import draws

        tables, trials = world.tables, self.trials
        if self.update == "sequential" and len(tables.order) > 1:
            raise ValueError("update: 'sequential' needs a game in which all move in one round")
        players, state_counts, moves = len(tables.sizes), states(tables), choices(tables)
        shape = (trials, players, int(state_counts.max()), int(moves.max()))
        if (size := 8 * prod(shape)) > MOST_BYTES:
            rule = "take fewer grid points, fewer trials or observation = 'own'"
            need = f"{shape[2]} states per player make tables of {size:.3g} bytes"
            raise ValueError(f"action_grid: {need}; {rule}")
        streams = draws.streams(stream, trials)
        low, high = self._initial(shape, state_counts.tolist(), moves.tolist())
        values = np.array(low)
        if np.any(low != high):
            values = low + (high - low) * draws.uniforms(streams, prod(shape[1:])).reshape(shape)
        samples, ago = len(self._marks), int(max(tables.observation_slots[:, :, 1].max(initial=0), 0)) + 1
        session = {
            "values": values,
            "stream": streams,
            "clock": np.zeros((trials, 3), int),
            "recent": np.zeros((trials, ago, players + 1), int),
            "pending": np.full((trials, players, 2), -1, int),
            "owed": np.zeros((trials, players, 2)),
            "visits": np.zeros(shape[:3], int),
            "tally": np.zeros((trials, players)),
            "noted": np.zeros(trials, int),
            "reward_curve": np.zeros((trials, samples, players)),
            "place_curve": np.zeros((trials, samples, players), int),
            "begin": start,
            "unit": np.array([_unit(world) if self.reward == "normalised" else 1.0]),
        }
        self._rule(world, session)  # checks options with one number per player against the number of players
        return session

    def _initial(
        self, shape: tuple[int, ...], state_counts: list[int], moves: list[int]
    ) -> tuple[ndarray, ndarray]:
        """Return the bounds of the initial values, ``[trial player state move]``; equal unless drawn."""
        low, high = np.zeros(shape), np.zeros(shape)
        for player, ends in enumerate(
            initial_tables("initial_q", self.initial_q, shape[0], state_counts, moves)
        ):
            if ends is None:
                raise ValueError("initial_q: 'mean_payoff' is for RepeatedQLearning; must be numbers")
            # a number also fills the padding
            states_, moves_ = ends[0].shape[1:] if ends[0].size > 1 else shape[2:]
            for full, end in zip((low, high), ends, strict=True):
                full[:, player, :states_, :moves_] = end
        return low, high

    def _rule(self, world: Tabulated, session: Session) -> LearningRule:
        players = len(world.tables.sizes)
        tables = explorations(self.exploration, players)
        warmth = np.tile([[table.get("temperature", 1.0)] for table in tables], session["values"].shape[2])
        for player, table in enumerate(tables):
            if "edge_temperature" in table:
                away = policies.off_centre(world)[player]
                warmth[player] = temperature_at(table["edge_temperature"], warmth[player], away)
        schedules = [table.get("schedule", "cosine") if "end" in table else "fixed" for table in tables]
        words = each_player("target", self.target, players, str)
        return LearningRule(
            alpha=each_player("step_size", step_size_of(self.step_size)["value"], players),
            gamma=each_player("gamma", self._discount(), players),
            epsilon_low=np.array([table.get("end", table["start"]) for table in tables], float),
            epsilon_high=np.array([table["start"] for table in tables], float),
            temperature=warmth,
            unit=float(session["unit"][0]),
            exploration=np.array([EXPLORATIONS.index(word) for word in schedules]),
            target=np.array([TARGETS.index(word) for word in words]),
            greedy=np.array([table["kind"] == "greedy" for table in tables], int),
            asynchronous=int(self.update == "sequential"),
            begin=session["begin"],
            lengths=self._lengths,
            marks=self._marks,
        )

    def _discount(self) -> Any:
        return self.gamma

    @cached_property
    def _lengths(self) -> ndarray:
        """Return the number of steps of each epoch."""
        if not isinstance(self.episodes, dict):
            check_whole("episodes", self.episodes)
            return np.full(self.epochs, self.episodes, int)
        low, high = ends_of("episodes", self.episodes)
        check_whole("episodes.max", high)
        return reverse_cosine_steps(low, high, self.epochs, np.arange(self.epochs))

    @cached_property
    def _marks(self) -> ndarray:
        """Return the times at which histories are sampled: evenly spaced ends of epochs.

        With few epochs, steps.
        """
        ends = np.cumsum(self._lengths)
        marks = np.ceil(np.arange(1, SAMPLES + 1) * ends[-1] / SAMPLES).astype(np.int64)
        if len(ends) >= SAMPLES:
            marks = ends[np.searchsorted(ends, marks)]
        return np.unique(marks)


def _unit(world: Tabulated) -> float:
    """Return the largest payoff, by which rewards are divided. Raise `ValueError` unless it is above 0."""
    try:
        largest = largest_payoff(world)
    except ValueError as error:
        raise ValueError(
            f"action_grid: the largest payoff is unknown: {error}; take fewer grid points, or reward = 'raw'"
        ) from None
    if not largest > 0:
        raise ValueError(
            f"reward: the largest payoff is {largest:g}; must be above 0 to normalise by, or use 'raw'"
        )
    return largest

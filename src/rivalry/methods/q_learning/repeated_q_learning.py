"""Q-learning in the infinitely repeated game with bounded memory, until greedy policies are stable."""

from __future__ import annotations

import warnings
from dataclasses import field
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import Need
from rivalry.core.oracles import to_repeated, to_stages
from rivalry.core.results import Record, scalar
from rivalry.methods.continuous.mixtures import check_action_grid, playable
from rivalry.methods.q_learning import sessions
from rivalry.methods.q_learning.exploration import (
    Table,
    check_initial,
    each_player,
    initial_tables,
)
from rivalry.methods.q_learning.options import (
    Exploration,
    Numbers,
    StepSize,
    Stopping,
    exploration_tables,
    falling,
    step_size_of,
)
from rivalry.methods.q_learning.policies import nearest_grid_points
from rivalry.methods.q_learning.roles import LEARNS, RANDOM, Role, check_roles, roles_of
from rivalry.methods.q_learning.seating import PeriodDiscounts, discounts
from rivalry.methods.q_learning.session_metrics import (
    answering,
    channels,
    curves,
    gains,
    greedy_play,
    marks,
    note,
    outcomes,
)
from rivalry.schema.annotations import Count, Keys, Natural
from rivalry.tables.discretize import TABLE_BYTES
from rivalry.tables.greedy_play import slots_of, states
from rivalry.tables.kernels.shapes import CHOICES, CONVERGED, RUNNING, STOPPED, TARGETS, UCB, SessionRule
from rivalry.tables.periods import over_periods
from rivalry.tables.repeated import RepeatedWorld, followers, repeated_form

Target = Literal["max", "on_policy", "expected"]

USUAL_STOPPING: Stopping = {"stable_periods": 100_000, "max_periods": 1_000_000_000}
FADED = 10.0  # minus log exploration at which the last of a hundred sessions has mostly converged


def _repeatable(game: object) -> bool:
    """True for a game that is known as a repeated one, or has one period in tables."""
    return to_repeated.knows(game) or (
        playable(game) and not (over_periods(game) and to_stages(game).periods > 1)
    )


class RepeatedQLearning(BaseLearner):
    """Independent Q-learning in an infinitely repeated game by players who remember past rounds.

    In each state a player stores a value for every action. It updates the value of a decision when it decides
    again, ``Q += step_size (r + gamma r' + .. + gamma^k B - Q)``, from the payoffs since then and the value
    ``B`` of the new state: its best value (``target = "max"``), that of the action chosen (``on_policy``) or
    the mean over the choice (``expected``). The same rule applies to simultaneous, staged and alternating
    moves; the game determines the order of moves. With ``counterfactual`` all own actions are updated, with
    the payoffs that each would have brought.

    ``exploration``, ``step_size`` and ``stopping`` are the tables of all Q-learners (`Exploration`,
    `StepSize`, `Stopping`). Players may differ: ``target``, ``counterfactual``, ``exploration``, ``gamma``,
    ``observation`` and ``memory`` take a list with one entry per player. With ``kind = "ucb"`` a player
    chooses in each state the action of largest ``Q + c R sqrt(ln N / n)``, of several one at random; ``n``
    counts its choices of the action in that state, ``N`` all its choices there, and actions never chosen
    come first. ``c`` is ``bonus``, ``R`` the range of the player's payoffs over ``1 - gamma``. With ``c =
    sqrt(2)``, ``gamma = 0``, ``memory = 0`` and ``step_size = {power = 1.0}`` this is UCB1. The greedy
    action changes only when another is strictly better; initially it is the lowest of the best.

    Each of ``sessions`` starts from uniform random past rounds with its own stream, from the seed and its
    number. It ends when no player's greedy action has changed for ``stable_periods``,
    a period being a round of the game's order, or after ``max_periods``; with ``stable_periods = 0`` after
    exactly these. ``average_last`` requests means over its last periods, with exploration as scheduled, for
    sessions that end without convergence only with ``stable_periods = 0``. A step is a period of every active
    session. Sessions share the processor's cores, or ``OMP_NUM_THREADS`` threads; results do not depend on
    their number.

    ``observation`` and ``memory`` determine the remembered state (`rivalry.tables.repeated`), ``action_grid``
    the actions (`rivalry.tables.tabulate`). ``initial_q`` are the initial values: a number, ``{kind =
    "uniform", min, max}``, or ``mean_payoff``, the perpetual value of an action's payoff averaged over all
    actions of the others; a player that observes part of the round expects the conditional mean once, and the
    overall mean afterwards. ``roles``, one or one per player: ``learns``; ``random``; ``{kind = "fixed",
    action}``; ``{kind = "policy", table}``, actions by state; ``{kind = "oracle", ties}``, the best response
    to the observed part of the round, ties broken for the first mover (``optimistic``) or against it.

    The record has ``periods`` (session), with the window included, ``converged`` (session),
    ``converged_share``, with ``average_last`` also ``last_payoff`` (session, player) and ``last_gain``
    (session), ``lowest_initial_value`` and ``highest_initial_value`` (player) where these are not random, and
    greedy play from the final state of each session to its limit cycle: ``cycle_length`` (session),
    ``end_payoff`` and ``end_action`` (session, player), means over the cycle; ``one_shot_loss``,
    ``full_gap`` (session, player), on the cycle, and over all states, ``.._all``; ``policy`` (session,
    player, state) where small. During learning, ``learning_reward`` (sample, player) is the payoff of
    greedy play at the periods ``learning_step``, the mean over sessions, with its 95 % ``.._band``. The
    certificate is the largest gain of any session's player by a best response from its cycle on, as a
    payment per period: an upper bound for players with partial observation. It is about the learned
    policies; where players move in stages, ``at_equilibrium`` (session) is about limit play alone,
    whether that is a subgame-perfect outcome on the grid.

    Raises
    ------
    ValueError
        For parameters out of range.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix("prisoners_dilemma")
    >>> learner = RepeatedQLearning(sessions=4, gamma=0.0, exploration={"decay": 1e-3})
    >>> solution = rv.solve(game, learner, seed=1)
    >>> solution.status, solution.data.end_payoff.values.tolist()
    ('converged', [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]])

    References
    ----------
    Calvano, Calzolari, Denicolo and Pastorello (American Economic Review 110, 2020); Klein (RAND Journal of
    Economics 52, 2021); Waltman and Kaymak (Journal of Economic Dynamics and Control 32, 2008); Asker,
    Fershtman and Pakes (AEA Papers and Proceedings 112, 2022); Auer, Cesa-Bianchi and Fischer (Machine
    Learning 47, 2002), UCB1.
    """

    sessions: Annotated[Count, Le(1_000_000), "independent repetitions"] = 100
    step_size: Annotated[
        Numbers | StepSize,
        Gt(0),
        Le(1),
        Keys(StepSize, ("value", "end", "power")),
        "step size of the updates",
    ] = 0.15
    gamma: PeriodDiscounts = None
    exploration: Annotated[
        Numbers | Exploration | list[Exploration],
        Ge(0),
        Le(1),
        Keys(Exploration, ("kind", "start", "decay", "temperature", "bonus")),
        "how actions are tried, one table or one per player; softmax takes temperature, ucb bonus for start",
    ] = field(default_factory=lambda: Exploration(kind="greedy", start=1.0, decay=4e-6))
    observation: Annotated[
        str | list[str],
        "none, actions, own, others, price or own_and_price; actions, own and others also with _and_nature; "
        "one, or one per player",
    ] = "actions"
    memory: Annotated[int | list[int], Ge(0), Le(100), "rounds remembered, for all or one per player"] = 1
    action_grid: Annotated[
        int | Table | list[Any], Ge(2), Le(100_000), "grid points per axis, or the levels of the axes"
    ] = 15
    initial_q: Annotated[
        str | float | Table | list[Any] | ndarray,
        "initial values: mean_payoff, a number, {kind = 'uniform', min, max}, one of these or a table "
        "[state action] per player, q_values of an earlier run, or a file .npy or .csv of them",
    ] = "mean_payoff"
    target: Annotated[
        Target | list[Target], "target: the value of the next state; one, or one per player"
    ] = "max"
    counterfactual: Annotated[
        bool | list[bool], "update all actions as if played, not the one played alone; one, or one per player"
    ] = False
    roles: Annotated[
        str | Table | list[Any],
        "learns, random, {kind = 'fixed' | 'policy' | 'oracle', ..}, or one per player",
    ] = "learns"
    stopping: Annotated[
        Stopping,
        Keys(Stopping, ("stable_periods", "max_periods")),
        "when a session ends",
    ] = field(default_factory=USUAL_STOPPING.copy)
    average_last: Annotated[int | None, Ge(1), "number of last periods over which payoffs are averaged"] = (
        None
    )
    store_values: Annotated[bool, "whether the record holds the learned action values"] = False
    checkpoints: Annotated[
        Natural, Le(10_000), "evaluations of greedy play during learning, evenly spaced in logarithms"
    ] = 12
    control: Annotated[
        Literal["none", "gamma_zero", "memoryless", "myopic_follower", "random"],
        "a placebo in place of these sessions",
    ] = "none"
    zero_gain: Annotated[
        float | None, "payoff per player with a profit gain of 0 (default: that of the Nash equilibrium)"
    ] = None
    max_table_bytes: Annotated[Natural, "limit for payoffs and for the values of a session"] = TABLE_BYTES

    def __check_init__(self) -> None:
        check_action_grid(self.action_grid)
        check_roles(self.roles)
        for name, table in exploration_tables(self.exploration).items():
            if table["kind"] == "softmax" and table["start"] != 0:
                raise ValueError(f"{name}.start: is for kind = 'greedy'; softmax starts at temperature")
        step_size_of(self.step_size)
        check_initial("initial_q", self.initial_q)
        if self.counterfactual is True and np.any(np.atleast_1d(self.target) != "max"):
            raise ValueError(f"target: {self.target!r} must be 'max' with counterfactual updates")
        if self.average_last is not None and self.average_last > (self._stable or self._max_periods):
            name = "stable_periods" if self._stable else "max_periods"
            rule = f"must be at most stopping.{name}, {self._stable or self._max_periods}"
            raise ValueError(f"average_last: {self.average_last} {rule}")

    @property
    def _stable(self) -> int:
        return self.stopping.get("stable_periods", USUAL_STOPPING["stable_periods"])

    @property
    def _max_periods(self) -> int:
        return self.stopping.get("max_periods", USUAL_STOPPING["max_periods"])

    needs = (Need("finitely many actions or payoffs, in one period or in periods that repeat", _repeatable),)

    def world(self, game: object) -> RepeatedWorld:
        """Return the game as tables with each player's memory; a `RepeatedWorld` is returned unchanged.

        Raises
        ------
        ValueError
            For ``control = "memoryless"`` with a `RepeatedWorld`, whose memory is fixed.
        """
        if isinstance(game, RepeatedWorld):
            if self.control == "memoryless":
                raise ValueError("control: 'memoryless' must have the game itself; a world has its memory")
            return game
        return repeated_form(
            game,
            self.action_grid,
            observation=self.observation,
            memory=0 if self.control == "memoryless" else self.memory,
            max_table_bytes=self.max_table_bytes,
        )

    def length(self, world: RepeatedWorld) -> int:
        """Return the largest number of periods of a session."""
        return self._max_periods

    def expected_steps(self, world: RepeatedWorld) -> int:
        """Return a guess: sessions tend to converge when exploration has nearly vanished; 0 without decay."""
        if not self._stable:
            return self._max_periods
        falls = falling(self.exploration, len(world.tables.sizes))
        slowest = float(np.min(falls.beta))
        return int(FADED / slowest) + self._stable if set(falls.kind) == {"greedy"} and slowest > 0 else 0

    def begin(self, world: RepeatedWorld, stream: SeedSequence) -> Session:
        return self._begin_session(world, stream, None)

    def begin_at(self, world: RepeatedWorld, stream: SeedSequence, start: object) -> Session:
        """Return sessions whose past rounds were all ``start`` [player axis].

        Raise `ValueError` off the grid.
        """
        return self._begin_session(world, stream, nearest_grid_points(world, start))

    def advance(self, world: RepeatedWorld, session: Session, steps: int) -> int:
        rule, due, count = self._rule(world), session["marks"], 0
        while count < steps:
            clock, noted = int(session["clock"][:, 0].max()), int(session["noted"][0])
            until = int(due[noted]) - clock if noted < len(due) else steps
            part = sessions.advance_sessions(world.tables, rule, session, min(steps - count, until))
            count += part
            if part == 0:
                break
            if part == until and noted < len(due):
                note(world, session, session["curve"][noted])
                session["noted"] += 1
        return count

    def read(self, world: RepeatedWorld, session: Session) -> Record:
        clock, roles = session["clock"], self._roles(world)
        converged = clock[:, 2] == CONVERGED
        over = bool(np.all(clock[:, 2] != RUNNING))
        word = "converged" if over and converged.all() else "iteration limit"
        word = "completed" if over and not self._stable else word
        record: Record = {
            "periods": (("session",), clock[:, 0].copy()),
            "converged": (("session",), converged),
            "converged_share": scalar(converged.mean()),
            "status": scalar(word),
        }
        capped = int(np.sum(clock[:, 2] == STOPPED))
        if self._stable and capped:
            warnings.warn(
                f"{capped} of {self.sessions} sessions did not converge; they count as the others do "
                f"(raise stopping.max_periods, or look at `converged`)",
                stacklevel=2,
            )
        if self.average_last is not None:
            over_last = np.maximum(clock[:, :1] - (self._max_periods - self.average_last), 1.0)
            if self._stable:  # periods since the last change are the last ones only where a session converged
                over_last = np.where(converged[:, None], self.average_last, np.nan)
            mean_payoffs = session["tally"] / over_last
            record["last_payoff"] = (("session", "player"), mean_payoffs)
            if "pooled_gain" in (metrics := gains(world, mean_payoffs, self.zero_gain)):
                record["last_gain"] = metrics["pooled_gain"]
            joints = np.arange(session["counts"].shape[1])[None]
            record |= outcomes(world, "last", joints, session["counts"] / over_last)
        ends = sessions.offsets(states(world.tables) * world.tables.sizes)
        low, high = self._initial(world)
        if np.array_equal(low, high):
            parts = np.split(low, ends[1:-1], axis=1)
            record["lowest_initial_value"] = (("player",), np.array([part.min() for part in parts]))
            record["highest_initial_value"] = (("player",), np.array([part.max() for part in parts]))
        if self.store_values:
            record["q_values"] = (
                ("session", "player", "state", "action"),
                sessions.value_tables(world.tables, session["values"]),
            )
        record |= curves(session["marks"], session["curve"][: int(session["noted"][0])])
        gamma = self.discounts(world)
        learns = [role.kind == LEARNS and bool(rate > 0) for role, rate in zip(roles, gamma, strict=True)]
        record |= channels(answering(world, roles), learns, warn=self.control == "none")
        record["discount"] = (("player",), gamma)
        return record | greedy_play(world, roles, session, gamma, self.zero_gain)

    def _begin_session(self, world: RepeatedWorld, stream: SeedSequence, start: Any) -> Session:
        from rivalry.tables.kernels import draws

        tables = world.tables
        staged = any(
            ago == 0 and player < len(tables.sizes) for slots in slots_of(tables) for player, ago in slots
        )
        rule = self._rule(world)  # checks options with one number per player against the number of players
        if rule.counterfactual.any() and (len(tables.order) > 1 or staged):
            raise ValueError("counterfactual: needs a game in which all move at once")
        streams = draws.streams(stream, self.sessions)
        counted, roles = self.average_last is not None, self._roles(world)
        initial, plays = self._initial(world), bool(rule.counted)
        session = sessions.initial_session(tables, roles, initial, streams, start, counted, plays)
        expected = self.expected_steps(world)
        periods = marks(world, roles, self.sessions, expected, self.checkpoints)
        session["marks"], session["noted"] = periods, np.array([0])
        session["curve"] = np.zeros((len(periods), self.sessions, len(tables.sizes)))
        return session

    def _initial(self, world: RepeatedWorld) -> tuple[ndarray, ndarray]:
        """Return the bounds of the initial values, ``[session entry]`` with one session or all; equal unless
        they are drawn.
        """
        tables, state_counts = world.tables, states(world.tables).tolist()
        players, gamma = len(state_counts), self.discounts(world).tolist()
        bounds_of_players = initial_tables(
            "initial_q", self.initial_q, self.sessions, state_counts, tables.sizes.tolist()
        )
        bounds = []
        for player in range(players):
            low, high = (
                bounds_of_players[player] or (sessions.mean_payoffs(tables, player, gamma[player])[None],) * 2
            )
            shape = (len(low), state_counts[player], int(tables.sizes[player]))
            bounds.append([np.broadcast_to(end, shape).reshape(shape[0], -1) for end in (low, high)])
        count = max(len(low) for low, _ in bounds)
        low, high = (
            np.concatenate([np.broadcast_to(end, (count, end.shape[1])) for end in ends], axis=1)
            for ends in zip(*bounds, strict=True)
        )
        return low, high

    def discounts(self, world: RepeatedWorld) -> ndarray:
        """Return the discount factors, growth included; 0 for players that a control makes myopic."""
        rates = discounts(world.game, self.gamma, len(world.tables.sizes))
        myopic = np.full(len(rates), self.control == "gamma_zero")
        if self.control == "myopic_follower":
            myopic = followers(world.tables)
        return np.where(myopic, 0.0, rates)

    def _roles(self, world: RepeatedWorld) -> list[Role]:
        return roles_of(world.tables, RANDOM if self.control == "random" else self.roles)

    def _rule(self, world: RepeatedWorld) -> SessionRule:
        """Return the kernel's rule; players that do not learn follow a policy, or are random: epsilon 1."""
        tables, players, roles = world.tables, len(world.tables.sizes), self._roles(world)
        falls, gamma = falling(self.exploration, players), self.discounts(world)
        learns = np.array([role.kind == LEARNS for role in roles])
        beta, state_counts = np.where(learns, falls.beta, 0.0), states(tables)
        choice = np.array([CHOICES.index(kind) for kind in falls.kind]) * learns
        # the bonus is in units of the range of an action's value: the same choices in other units of payoffs
        ranges = np.ptp(tables.payoff, axis=(0, 2)) / (1 - gamma)
        scale = falls.scale * np.where(choice == UCB, ranges, 1.0)
        words = each_player("target", self.target, players, str)
        target = np.array([TARGETS.index(word) for word in words]) * learns
        counterfactual = each_player("counterfactual", self.counterfactual, players, bool) & learns
        for player in np.flatnonzero(counterfactual & (target > 0)).tolist():
            raise ValueError(f"target: {str(words[player])!r} must be 'max' with counterfactual updates")
        size = step_size_of(self.step_size)
        counted = (choice == UCB) | (size["power"] > 0)
        if np.any(counterfactual & counted):
            raise ValueError(
                "counterfactual: updates all actions; ucb and step_size.power count those chosen"
            )
        alpha = each_player("step_size", size["value"], players)
        final_step_size = each_player("step_size.end", size.get("end", alpha), players)
        return SessionRule(
            alpha=alpha,
            alpha_change=(final_step_size - alpha) / self._max_periods,
            power=np.full(players, size["power"]),
            gamma=gamma,
            scale=np.where(learns, scale, [float(role.kind == RANDOM) for role in roles]),
            beta=beta,
            decay=np.exp(-beta),
            learns=learns.astype(np.int64),
            value_from=sessions.offsets(tables.sizes * state_counts),
            state_from=sessions.offsets(state_counts),
            target=target.astype(np.int64),
            choice=choice.astype(np.int64),
            counterfactual=counterfactual.astype(np.int64),
            counted=int(np.any(counted)),
            window=self._stable,
            limit=self._max_periods,
            tally_from=(self._stable or self._max_periods) - self.average_last
            if self.average_last
            else 2**62,
            tally_calm=int(self._stable > 0),
        )

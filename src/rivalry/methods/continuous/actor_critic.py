"""Actor-critic learning: stochastic policies over continuous choices with a learned value as baseline."""

from __future__ import annotations

from math import inf
from typing import Annotated, Any, Literal, NamedTuple

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.certificates.deviations import best_response
from rivalry.certificates.units import scales_around
from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import BOX, PAYOFFS
from rivalry.core.results import Record
from rivalry.methods.continuous import rollouts
from rivalry.methods.continuous.rollouts import PERIODS, LearningState, Networks, Play, RolloutPlan
from rivalry.methods.q_learning.exploration import Table, check_numbers
from rivalry.methods.q_learning.roles import role_table
from rivalry.methods.q_learning.seating import PeriodDiscounts, Seating, discounts, seating
from rivalry.runtime.jax import floats, jax, put
from rivalry.schema.validate import limit

Role = Literal["learns", "oracle", "random"] | Table

SAMPLES = 128  # of histories, evenly spaced
ROUNDS = 100  # of play at the policies' means, before the final choices are read
KEYS: dict[str, tuple[str, ...]] = {"learns": (), "oracle": (), "random": (), "fixed": ("choice",)}
EDGE = 1e-6  # a start on a bound of the box is moved inside by this share of the width


class World(NamedTuple):
    """The original game, the order of moves, the compiled game and the plan of the roll-outs."""

    given: Any
    move_order: Seating
    play: Play
    plan: RolloutPlan


class ActorCritic(BaseLearner):
    """Policy gradients with a critic, for choices in a box, in repeated play of a one-shot game.

    A policy draws from a normal distribution and maps the draw into the box by the logistic function. A small
    network of the player's observation gives the mean and deviation, another the critic's value, both with
    ``hidden`` units. In every update ``batch`` copies of the game play four periods; then each
    learner's networks take one step of Adam on ``-E[A log pi] + E[(target - v)^2]/2``. A period's target is
    ``(1 - delta) payoff + delta next``, ``delta = gamma (1 + growth)``, with payoffs in units of the game's
    scale and of market size; ``next`` is the critic's value of the next observation. The advantage A is the
    target minus ``v``, standardised. The step size falls linearly from ``rate`` to 0. One step of the loop is
    one update.

    Players move in the stages of the game: a follower observes this period's choices of all earlier stages.
    With ``observation = "none"`` there is no other observation: a player's choice does not affect its future
    observations, and ``gamma`` has no effect. With ``"last"`` every player also observes all choices of the
    last period, so that it can respond to rivals; ``next`` is then the next period's target, because trusting
    an inaccurate critic drives some runs to the bounds of the box. For a game of leaders whose followers
    respond, the base game is played.

    ``roles``, one for all or one per player: ``learns``; ``oracle``, the exact best response to this period's
    choices of earlier stages and the last ones of the others (oracles of one stage respond to each other);
    ``random``, uniform in the box; ``{kind = "fixed", choice}``.

    The profile holds the policies' choices without noise, the mapped means (random players: the middle of the
    box), 100 periods after the end of learning. In a game of leaders it has the leaders only, and every
    player is along ``seat`` in ``learned_choice`` (player, axis) and ``learned_payoff`` (player).
    ``best_response_distance`` (player) is the distance of the choice, in amounts, from the best response: for
    a leader given the followers' responses, for the last stage given its observation; NaN between.
    ``deviation`` (player, axis) is the remaining deviation of learned policies, before mapping into the box.
    Histories at ``learning_step``: ``learning_reward`` (sample, player) and ``learning_choice`` (sample,
    player, axis), means over copies and over the updates until the next.

    Raises
    ------
    ValueError
        For parameters out of range, unknown roles, a box without bounds, and players who move in turns.

    Examples
    --------
    >>> import rivalry as rv
    >>> learner = ActorCritic(roles=["learns", {"kind": "fixed", "choice": 20.0}], updates=300)
    >>> solution = rv.solve(rv.games.market(), learner)  # the best response to 20 is (90 - 20)/2
    >>> bool(abs(solution.profile.values[0, 0] - 35) < 0.35)
    True

    References
    ----------
    Williams, Machine Learning 8, 1992; Konda and Tsitsiklis, SIAM J. Control Optim. 42, 2003; Kingma and Ba,
    ICLR 2015.
    """

    rate: Annotated[float, Gt(0), Lt(inf), "initial step size of Adam; it decreases linearly to 0"] = 0.02
    updates: Annotated[int, Ge(1), "updates of the networks"] = 2000
    batch: Annotated[int, Ge(2), Le(100_000), "copies of the game played in parallel"] = 64
    gamma: PeriodDiscounts = None
    hidden: Annotated[int, Ge(1), Le(10_000), "hidden units of each network"] = 16
    deviation: Annotated[
        float, Gt(0), Lt(inf), "initial standard deviation of policies, before squashing"
    ] = 0.5
    min_deviation: Annotated[float, Gt(0), Lt(inf), "lower bound of the standard deviation"] = 0.05
    observation: Annotated[
        Literal["none", "last"],
        "observation besides the earlier stages of the period: none, or all players' last choices",
    ] = "none"
    roles: Annotated[
        Role | list[Role], "learns, oracle, random or {kind = 'fixed', choice}; for all or one per player"
    ] = "learns"

    def __check_init__(self) -> None:
        limit("batch", self.batch, PERIODS, self.hidden)
        if self.deviation <= self.min_deviation:
            rule = f"above min_deviation = {self.min_deviation:g}"
            raise ValueError(f"deviation: {self.deviation:g} must be {rule}")
        self._tables(len(self.roles) if isinstance(self.roles, list | tuple) else 1)

    needs = (PAYOFFS, BOX)

    def world(self, game: object) -> World:
        """Return the base game with all players, and every player's role.

        Raise `ValueError` for an unsuitable game.
        """
        move_order = seating(game)
        base, players = move_order.game, move_order.players
        if move_order.alternating:
            raise ValueError("timing: 'alternating' must be 'simultaneous' or 'staged' for actor_critic")
        if not np.isfinite(np.asarray(base.space.low) + np.asarray(base.space.high)).all():
            raise ValueError("game: actor_critic needs a box with bounds")
        tables, stage = self._tables(players), np.zeros(players, int)
        for number, group in enumerate(move_order.stages):
            stage[list(group)] = number
        play = Play(
            base,
            put(scales_around(base)),
            put(discounts(base, self.gamma, players)),
            put(_fixed_choices(base.space, tables)),
            put(stage[:, None] > stage[None, :]),
            put(np.asarray(self.observation == "last")),
        )
        return World(game, move_order, play, self._plan(move_order, tables, base.space.shape[1]))

    def length(self, world: World) -> int:
        return self.updates

    def begin(self, world: World, stream: SeedSequence) -> Session:
        return self.begin_at(world, stream, None)

    def begin_at(self, world: World, stream: SeedSequence, start: object) -> Session:
        """Return a session with policies around the profile ``start`` [player axis].

        Followers start at the middle of the box.
        """
        space = world.play.game.space
        players, axes = space.shape
        samples, draw = self._samples(), np.random.Generator(np.random.PCG64(stream))
        mean = np.zeros((players, axes))
        if start is not None:
            leaders = list(world.move_order.leaders)
            choices = np.array(rollouts.squash(space, put(mean)))
            choices[leaders] = start
            part = np.clip(np.asarray(rollouts.share(space, put(choices))), EDGE, 1 - EDGE)
            # the inverse of the logistic function, infinite at the ends: hence `EDGE`
            mean[leaders] = (np.log(part) - np.log1p(-part))[leaders]
        weights = self._initial_weights(world.plan.zero, mean, draw)
        initial_choice = np.asarray(rollouts.squash(space, put(mean)))
        # a stream of its own: the key of play does not depend on the draws of the initial weights
        stream_of_run = SeedSequence(stream.entropy, spawn_key=(*stream.spawn_key, 0))
        return {
            "key": stream_of_run.generate_state(2, np.uint32),
            "clock": np.asarray(0),
            "choice": np.repeat(initial_choice[None], self.batch, axis=0),
            "weights": weights,
            "first": np.zeros_like(weights),
            "second": np.zeros_like(weights),
            "reward_curve": np.zeros((samples, players)),
            "choice_curve": np.zeros((samples, players, axes)),
        }

    def advance(self, world: World, session: Session, steps: int) -> int:
        updates = min(steps, self.updates - int(session["clock"]))
        learning = LearningState(**{name: put(session[name]) for name in LearningState._fields})
        learned = rollouts.advance(world.play, world.plan, learning, put(updates))
        session |= {
            name: np.asarray(array) for name, array in zip(LearningState._fields, learned, strict=True)
        }
        return updates

    def read(self, world: World, session: Session) -> Record:
        play, move_order = world.play, world.move_order
        # with memory, play continues from where the copies stand on average
        choices = put(session["choice"].mean(axis=0))
        choice, deviation = rollouts.greedy(play, world.plan, put(session["weights"]), choices, put(ROUNDS))
        x, dims = np.asarray(choice), move_order.who
        learns = np.array([role == "learns" for role in world.plan.roles])
        updates = int(session["clock"])
        samples = self._samples()
        # updates per sample, by the rule of `rollouts`: curves hold sums over them
        lengths = np.bincount(np.arange(updates) * samples // self.updates, minlength=samples)
        noted = int(np.count_nonzero(lengths))
        counts = lengths[:noted, None]
        return {
            "profile": (("player", "axis"), x[list(move_order.leaders)]),
            "learned_choice": ((dims, "axis"), x),
            "learned_payoff": ((dims,), np.asarray(play.game.payoffs(choice))),
            "best_response_distance": ((dims,), best_response_distance(world.given, move_order, x)),
            "deviation": ((dims, "axis"), np.where(learns[:, None], np.asarray(deviation), np.nan)),
            "learning_step": (("sample",), np.cumsum(lengths)[:noted] - lengths[:noted]),
            "learning_reward": (("sample", dims), session["reward_curve"][:noted] / counts),
            "learning_choice": (
                ("sample", dims, "axis"),
                session["choice_curve"][:noted] / counts[..., None],
            ),
        }

    def _initial_weights(self, zero: Networks, mean: ndarray, draw: np.random.Generator) -> ndarray:
        """Return weights ``[player weight]`` of policies with these means [player axis], and of values of 0.

        Last layers are 0 but for their biases, so that policies do not depend on observations at first.
        """
        players, sizes = len(mean), zero.actor.layers[0].weight.shape  # [hidden feature]
        normals = draw.normal(size=(players, 2, *sizes)) / np.sqrt(sizes[1])
        # the inverse of the mapping in `RolloutPlan.policy`
        raw = np.full_like(mean, np.log(self.deviation - self.min_deviation))
        start = jax.tree.map(lambda leaf: np.zeros((players, *leaf.shape)), eqx.filter(zero, eqx.is_array))
        start = eqx.tree_at(
            lambda networks: (
                networks.actor.layers[0].weight,
                networks.critic.layers[0].weight,
                networks.actor.layers[1].bias,
            ),
            start,
            (normals[:, 0], normals[:, 1], np.hstack([mean, raw])),
        )
        return np.hstack([leaf.reshape(players, -1) for leaf in jax.tree.leaves(start)])

    def _tables(self, players: int) -> list[dict[str, Any]]:
        """Return every player's role as a table. Raise `ValueError` for the wrong number of roles."""
        if not isinstance(self.roles, list | tuple):
            return [role_table("roles", self.roles, KEYS)] * players
        if len(self.roles) != players:
            rule = f"must be one for all, or {players}, one per player"
            raise ValueError(f"roles: {len(self.roles)} given; {rule}")
        return [role_table(f"roles[{number}]", role, KEYS) for number, role in enumerate(self.roles)]

    def _plan(self, move_order: Seating, tables: list[dict[str, Any]], axes: int) -> RolloutPlan:
        zero = rollouts.zero_networks(2 * move_order.players * axes, self.hidden, axes)
        roles = tuple(table["kind"] for table in tables)
        # as arrays: other values of these options compile nothing new
        numbers = (float(self.min_deviation), float(self.rate), self.updates, self._samples())
        return RolloutPlan(move_order.stages, roles, zero, *map(put, numbers))

    def _samples(self) -> int:
        return min(SAMPLES, self.updates)


def _fixed_choices(space: Any, tables: list[dict[str, Any]]) -> ndarray:
    """Return the choices of fixed players, ``[player axis]``. Raise `ValueError` outside the box."""
    choices = np.zeros(space.shape)
    low, high = np.asarray(space.low), np.asarray(space.high)
    for player, table in enumerate(tables):
        if table["kind"] != "fixed":
            continue
        name = f"roles[{player}].choice"
        check_numbers(name, table["choice"], "a number", np.isfinite)
        choice = np.broadcast_to(floats(table["choice"]), space.shape[1:])
        if np.any((choice < low[player]) | (choice > high[player])):
            box = f"[{low[player].tolist()}, {high[player].tolist()}]"
            raise ValueError(f"{name}: {table['choice']} must be in the box {box} of player {player}")
        choices[player] = choice
    return choices


def best_response_distance(game: Any, move_order: Seating, x: ndarray) -> ndarray:
    """Return each player's distance from its best response at ``x [player axis]``, ``[player]``.

    That of leaders is in ``game``, that of the last stage in the base game; NaN between.
    """
    leaders = list(move_order.leaders)
    cases = [(game, x[leaders], seat, player) for seat, player in enumerate(leaders)]
    cases += [(move_order.game, x, player, player) for player in move_order.stages[-1]]
    distances = np.full(len(x), np.nan)
    for game_played, profile, seat, player in cases:
        distances[player] = np.max(
            np.abs(best_response(game_played, put(profile), seat).strategy - x[player])
        )
    return distances

"""Learning with opponent-learning awareness: gradients that anticipate how the others will learn."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from numpy import ndarray

from rivalry.core.method import BaseLearner, Session
from rivalry.core.results import Certificate, Record
from rivalry.core.tolerances import TOLERANCE
from rivalry.methods.continuous.mixtures import payoff_ranges
from rivalry.runtime.jax import jax, jnp
from rivalry.tables.greedy_play import mix_exploration, slots_of
from rivalry.tables.policy_response import responses_to
from rivalry.tables.repeated import RepeatedWorld, repeated_form
from rivalry.text.statistics import half_width

if TYPE_CHECKING:
    from jaxtyping import Array

LENGTH = 200
USUAL = 3.0  # rate and lookahead, over the range of each player's payoffs
SAMPLES = 64  # of the learning curve, evenly spaced


class Lola(BaseLearner):
    """Policies with one round of memory, by gradients that anticipate how the others will learn.

    In an infinitely repeated game with finitely many actions, player ``i`` has logits ``theta_i [state
    action]``; states are the last joint action, and the state before the first round. With ``V_i`` the exact
    discounted sum of its payoffs, a step of all players at once is (Foerster et al. 2018, eq. 4.3)

        theta_i += rate grad_i [V_i + lookahead sum_{j != i} <grad_j V_i, grad_j V_j>],

    where the first factor ``grad_j V_i`` is held constant: a player takes into account that the others will
    take a gradient step of length ``lookahead``, and how its own policy changes that step. ``control =
    "naive"`` leaves the second term out: gradient ascent of the player's own value.

    Each of ``sessions`` starts from logits with standard deviation ``spread``. The record has ``policy``
    (session, player, state, action), the last state being that before the first round; ``value`` (session,
    player), the discounted sum as a payment per period; its mean over sessions along learning,
    ``learning_reward`` (sample, player) with its 95 % ``.._band``. The certificate is the largest gain of any
    session's player by a best response from any state, the first included, as a payment per period; it is
    exact.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix([[[-1, -3], [0, -2]], [[-1, 0], [-3, -2]]])
    >>> ends = [
    ...     rv.solve(game, rv.methods.Lola(sessions=20, control=control), seed=1)
    ...     for control in ("none", "naive")
    ... ]
    >>> [round(float(one.data.value.mean()), 1) for one in ends]  # -1 for cooperation, -2 for defection
    [-1.1, -2.0]

    References
    ----------
    Foerster, Chen, Al-Shedivat, Whiteson, Abbeel and Mordatch, AAMAS 2018.
    """

    open_ended: ClassVar[bool] = True

    sessions: Annotated[int, Ge(1), Le(100_000), "independent repetitions"] = 50
    rate: Annotated[
        float | None,
        Gt(0),
        "step size, per unit of discounted payoff (default: 3 over each player's payoff range)",
    ] = None
    lookahead: Annotated[
        float | None,
        Ge(0),
        "length of the step of the others that a player anticipates (default: 3 over their payoff ranges)",
    ] = None
    gamma: Annotated[float, Ge(0), Lt(1), "discount factor per period"] = 0.96
    spread: Annotated[float, Ge(0), "standard deviation of the first logits"] = 1.0
    action_grid: Annotated[
        int | dict[str, Any] | list[Any], Ge(2), Le(100), "grid points per axis, or the levels of the axes"
    ] = 5
    control: Annotated[
        Literal["none", "naive"], "a negative control in place of these sessions: no anticipation"
    ] = "none"

    def world(self, game: object) -> RepeatedWorld:
        """Return the game as tables in which every player observes the last round.

        Raises
        ------
        ValueError
            For players that move in turn, and for states of nature.
        """
        world = game if isinstance(game, RepeatedWorld) else repeated_form(game, self.action_grid)
        tables = world.tables
        last_round = [(player, 1) for player in range(len(tables.sizes))]
        if (
            len(tables.order) > 1
            or tables.payoff.shape[0] > 1
            or slots_of(tables) != [last_round] * len(last_round)
        ):
            raise ValueError(
                "game: all must move at once, observe the last round, and have no states of nature"
            )
        return world

    def length(self, world: RepeatedWorld) -> int:
        """Return the default number of steps."""
        return LENGTH

    def begin(self, world: RepeatedWorld, stream: np.random.SeedSequence) -> Session:
        sizes = world.tables.sizes
        shape = (self.sessions, len(sizes), int(np.prod(sizes)) + 1, int(sizes.max()))
        return {
            "logits": np.random.default_rng(stream).normal(0.0, self.spread, shape),
            "clock": np.array([0]),
            "curve": np.zeros((SAMPLES, self.sessions, len(sizes))),
            "marks": np.linspace(0, LENGTH, SAMPLES).astype(np.int64),
        }

    def advance(self, world: RepeatedWorld, session: Session, steps: int) -> int:
        values, step = _compiled()
        arguments = self._arguments(world)
        usual = USUAL / payoff_ranges(world.tables)
        rate, ahead = (
            usual if length is None else np.full_like(usual, length) for length in (self.rate, self.lookahead)
        )
        if self.control == "naive":
            ahead = np.zeros_like(ahead)
        for _ in range(steps):
            for k in np.flatnonzero(session["marks"] == session["clock"][0]):
                session["curve"][k] = values(session["logits"], *arguments)
            session["logits"] = np.array(step(session["logits"], *arguments, rate, ahead))
            session["clock"] += 1
        if not np.isfinite(session["logits"]).all():
            raise ValueError(f"rate: steps of {rate.max():g} diverge; lower rate or lookahead")
        return steps

    def read(self, world: RepeatedWorld, session: Session) -> Record:
        logits, scale = session["logits"], 1 - self.gamma
        values, arguments = _compiled()[0], self._arguments(world)
        chances = np.asarray(_policy(jnp.asarray(logits), arguments[-1]))
        marks_passed = session["marks"] <= session["clock"][0] - 1
        lowest = world.tables.payoff[0].min(axis=1)
        curve = lowest + scale * session["curve"][marks_passed]
        regret = np.max(self._gains(world, chances), axis=0)
        proof = Certificate(
            regret,
            regret,
            "exact",
            "dynamic programming against the others' policies, from every state",
            TOLERANCE * world.scale,
            rounding="floating point",
            concept="Nash equilibrium of the policies from every state",
        )
        return {
            "policy": (("session", "player", "state", "action"), chances),
            "value": (("session", "player"), lowest + scale * np.asarray(values(logits, *arguments))),
            "learning_step": (("sample",), session["marks"][marks_passed]),
            "learning_reward": (("sample", "player"), curve.mean(axis=1)),
            "learning_reward_band": (
                ("sample", "player"),
                np.stack([half_width(row) for row in curve])
                if len(curve)
                else np.zeros((0, logits.shape[1])),
            ),
            **proof.record(),
        }

    def _arguments(self, world: RepeatedWorld) -> tuple[ndarray, float, tuple[int, ...]]:
        """Return the arguments of compiled functions after the logits; payoffs are less the lowest."""
        payoff = world.tables.payoff[0]
        return payoff - payoff.min(axis=1, keepdims=True), self.gamma, tuple(world.tables.sizes.tolist())

    def _gains(self, world: RepeatedWorld, chances: ndarray) -> ndarray:
        """Return every player's largest gain from any state, as a payment per period, ``[session player]``,
        by probabilities ``[session player state action]`` whose last state is the first round.
        """
        tables, (sessions, players) = world.tables, chances.shape[:2]
        mixed = [mix_exploration(tables, chances_of_session[:, :-1]) for chances_of_session in chances]
        answers = responses_to(tables, mixed, dict.fromkeys(range(players), self.gamma))
        pays = tables.payoff[0].reshape(players, *tables.sizes)
        gains = np.zeros((sessions, players))
        for session, (own_chances, responses) in enumerate(zip(chances, answers, strict=True)):
            for player, response in enumerate(responses):
                # the first round, whose state does not return: the best action, then a best response
                worth = [
                    pays[player] + self.gamma * values_of_player.reshape(tables.sizes)
                    for values_of_player in (response.value, response.own)
                ]
                for opponent in reversed(range(players)):
                    if opponent != player:
                        weights = own_chances[opponent, -1, : tables.sizes[opponent]]
                        worth = [np.tensordot(table, weights, (opponent, 0)) for table in worth]
                value_now = own_chances[player, -1, : tables.sizes[player]] @ worth[1]
                gain_later = response.regret.max() * (1 - self.gamma)
                gains[session, player] = max(gain_later, (1 - self.gamma) * (worth[0].max() - value_now))
        return gains


@cache
def _compiled() -> tuple[Any, Any]:
    """Return `_values` and `_next_logits` for all sessions at once, compiled."""
    per_session = jax.vmap(_values, in_axes=(0, None, None, None))
    step = jax.vmap(_next_logits, in_axes=(0, None, None, None, None, None))
    return jax.jit(per_session, static_argnums=3), jax.jit(step, static_argnums=3)


def _policy(logits: Array, sizes: tuple[int, ...]) -> Array:
    """Return probabilities ``[player state action]``; actions that a player lacks have none."""
    present = np.arange(max(sizes)) < np.array(sizes)[:, None, None]
    return jax.nn.softmax(jnp.where(present, logits, -jnp.inf), axis=-1)


def _values(logits: Array, payoff: Array, gamma: Array, sizes: tuple[int, ...]) -> Array:
    """Return every player's discounted sum of payoffs, ``[player]``: one linear solve over joint actions."""
    chances = _policy(logits, sizes)
    joint = jnp.ones((chances.shape[1], 1))
    for player, size in enumerate(sizes):
        joint = (joint[:, :, None] * chances[player, :, None, :size]).reshape(chances.shape[1], -1)
    flow = jnp.eye(joint.shape[1]) - gamma * joint[:-1]
    return jnp.linalg.solve(flow.T, joint[-1]) @ payoff.T


def _next_logits(
    logits: Array, payoff: Array, gamma: Array, sizes: tuple[int, ...], rate: Array, ahead: Array
) -> Array:
    """Return the logits after a step of all players, by their rates and lookaheads ``[player]``."""
    players = jnp.arange(len(sizes))
    slopes = jax.jacrev(_values)(logits, payoff, gamma, sizes)  # [value player state action], held constant

    def gained(at: Array, player: Array, opponent: Array) -> Array:
        """Return the change of the other's value by the step in its own logits, per unit of ``slopes``."""
        along = jnp.zeros_like(at).at[opponent].set(slopes[player, opponent])
        return jax.jvp(lambda x: _values(x, payoff, gamma, sizes), (at,), (along,))[1][opponent]

    def anticipated(player: Array, opponent: Array) -> Array:
        return jnp.where(player == opponent, 0.0, jax.grad(gained)(logits, player, opponent)[player])

    pairs = jax.vmap(jax.vmap(anticipated, (None, 0)), (0, None))(players, players)
    push = slopes[players, players] + jnp.einsum("ijsa,j->isa", pairs, ahead)
    return logits + rate[:, None, None] * push

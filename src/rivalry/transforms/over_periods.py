"""Play over periods: repeated games, games in stages, and schedules fixed at the start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from rivalry.core import oracles
from rivalry.core.game import Game, MarkovGame, refuse_shared
from rivalry.core.oracles import forward
from rivalry.core.results import COVERAGES, Coverage, Record
from rivalry.core.space import Box, PerPlayer, Profile, Space, as_profile
from rivalry.core.tree import payoff_method
from rivalry.runtime.jax import jax, jnp
from rivalry.schema.validate import check_keywords, whole_number
from rivalry.tables.stages import check_stages
from rivalry.text.display import Description, OneLineRepr, count_text
from rivalry.transforms.units import numbers_for_each, units


class RepeatedState(NamedTuple):
    """The last profiles, newest first, and the number of periods played."""

    history: Float[Array, "memory player axis"]
    period: Int[Array, ""]


class PeriodPlay(OneLineRepr, eqx.Module):
    """Play of a game in every period, truncated after ``periods`` if given."""

    game: Any
    periods: int | None = eqx.field(static=True)

    def _title_and_parameters(self) -> Description:
        length = "without end" if self.periods is None else f"over {count_text(self.periods, 'period')}"
        return f"{type(self).__name__} game {length}", {"of": repr(self.game)}

    @property
    def space(self) -> Space:
        return self.game.space

    # truncation is not an end: learners bootstrap the value of the next state
    def is_truncated(self, period: Array) -> Array:
        """True if play is truncated after so many periods."""
        return jnp.asarray(False) if self.periods is None else period >= self.periods


forward(PeriodPlay, oracles.payoff_scale, oracles.discontinuity, oracles.labels)


class Repeated(PeriodPlay):
    """A repeated game; see `repeat`."""

    memory: int = eqx.field(static=True)

    def reset(self, key: PRNGKeyArray) -> RepeatedState:
        """Return the state before the first period, with random past profiles."""
        past = [self.space.sample(part) for part in jax.random.split(key, self.memory)]
        return RepeatedState(jnp.stack(past), jnp.asarray(0))

    def step(
        self, state: RepeatedState, x: Profile, key: PRNGKeyArray
    ) -> tuple[RepeatedState, PerPlayer, Bool[Array, ""], Bool[Array, ""]]:
        after = RepeatedState(jnp.concatenate([x[None], state.history[:-1]]), state.period + 1)
        return after, self.game.payoffs(x), jnp.asarray(False), self.is_truncated(after.period)

    def observe(self, state: RepeatedState) -> Float[Array, "player feature"]:
        """Return the profiles of the last ``memory`` periods, newest first, for every player."""
        players = self.space.shape[0]
        return jnp.broadcast_to(state.history.ravel(), (players, state.history.size))


@check_keywords
def repeat(game: Game, *, memory: int = 1, periods: int | None = None) -> Repeated:
    """Return the repeated game, in which players observe the last ``memory`` profiles.

    Rewards are the stage payoffs. Play never ends by itself.

    Parameters
    ----------
    game : Game
        The stage game.
    memory : int
        Number of past profiles that are observed.
    periods : int, optional
        Play is truncated after so many periods (default: never).

    Returns
    -------
    Repeated
        A `MarkovGame`.

    Raises
    ------
    ValueError
        For counts below 1.

    Examples
    --------
    >>> import rivalry as rv
    >>> import jax
    >>> stage = rv.games.matrix("prisoners_dilemma")
    >>> game = repeat(stage, periods=10)
    >>> state = game.reset(jax.random.key(0))
    >>> state, rewards, ended, cut = game.step(state, stage.pure("cooperate", "defect"), jax.random.key(1))
    >>> rewards.tolist(), game.observe(state)[0].tolist(), bool(cut)
    ([0.0, 5.0], [1.0, 0.0, 0.0, 1.0], False)
    """
    refuse_shared(game, "repeat")
    whole_number("memory", memory, 1)
    if periods is not None:
        whole_number("periods", periods, 1)
    return Repeated(game, periods, memory)


@oracles.normalized_observation.register(Repeated)
def _(game: Repeated, state: RepeatedState) -> Array:
    history: Array = jax.vmap(lambda x: units(game.space, x))(state.history)
    return game.observe(state._replace(history=history))


class StagedState(NamedTuple):
    """The last period's profile, the moves so far in this one, the stage, and the period."""

    before: Float[Array, "player axis"]
    now: Float[Array, "player axis"]
    stage: Int[Array, ""]
    period: Int[Array, ""]


class Staged(PeriodPlay):
    """A game whose players move in stages; see `in_stages`."""

    moves: Bool[Array, "stage player"]

    def reset(self, key: PRNGKeyArray) -> StagedState:
        """Return the state before the first period, with a random past profile."""
        before = self.space.sample(key)
        return StagedState(before, jnp.zeros_like(before), jnp.asarray(0), jnp.asarray(0))

    def step(
        self, state: StagedState, x: Profile, key: PRNGKeyArray
    ) -> tuple[StagedState, PerPlayer, Bool[Array, ""], Bool[Array, ""]]:
        """Play the movers' rows of ``x``, ignoring the others'; all players are paid after the last stage."""
        choices = jnp.where(self.movers(state)[:, None], x, state.now)
        is_last = state.stage == len(self.moves) - 1
        # payoffs of earlier stages are discarded: in a batch, a branch would compute them as well
        rewards = jnp.where(is_last, self.game.payoffs(choices), 0.0)
        following = StagedState(
            jnp.where(is_last, choices, state.before),
            jnp.where(is_last, 0.0, choices),
            jnp.where(is_last, 0, state.stage + 1),
            state.period + is_last,
        )
        return following, rewards, jnp.asarray(False), self.is_truncated(following.period)

    def observe(self, state: StagedState) -> Float[Array, "player feature"]:
        """Return last period's profile, this period's moves so far, and who has moved, for every player."""
        movers = self.has_moved(state).astype(float)
        observation = jnp.concatenate([state.before.ravel(), state.now.ravel(), movers])
        return jnp.broadcast_to(observation, (self.space.shape[0], observation.size))

    def movers(self, state: StagedState) -> Bool[Array, "player"]:
        """Mask of players that choose."""
        return self.moves[state.stage]

    def has_moved(self, state: StagedState) -> Bool[Array, "player"]:
        """Mask of players that have chosen in this period."""
        return jnp.any(self.moves & (jnp.arange(len(self.moves)) < state.stage)[:, None], axis=0)


@oracles.active_players.register(Staged)
def _(game: Staged, state: StagedState) -> Bool[Array, "player"]:
    return game.movers(state)


@oracles.normalized_observation.register(Staged)
def _(game: Staged, state: StagedState) -> Array:
    """Return observations in numbers of order 1 (`units`); 0 for players that have not moved yet."""
    choices = jnp.where(game.has_moved(state)[:, None], units(game.space, state.now), 0.0)
    return game.observe(state._replace(before=units(game.space, state.before), now=choices))


@check_keywords
def in_stages(game: Game, stages: Sequence[Sequence[int]], *, periods: int | None = None) -> Staged:
    """Return the repeated game in stages: later movers see the choices of earlier ones in the same period.

    Parameters
    ----------
    game : Game
        The game whose payoffs are paid after the last stage; rewards before it are 0.
    stages : sequence of sequences of int
        The players of each stage, every player once.
    periods : int, optional
        Play is truncated after so many periods (default: never).

    Returns
    -------
    Staged
        A `MarkovGame`.

    Raises
    ------
    ValueError
        If a player is missing, named twice or does not exist.

    Examples
    --------
    >>> import rivalry as rv
    >>> import jax
    >>> stage = rv.games.matrix("battle_of_the_sexes")
    >>> game = in_stages(stage, [[0], [1]])
    >>> state = game.reset(jax.random.key(0))
    >>> state, rewards, _, _ = game.step(state, stage.pure("opera", "football"), jax.random.key(1))
    >>> rewards.tolist(), game.movers(state).tolist()
    ([0.0, 0.0], [False, True])
    >>> game.step(state, stage.pure("football", "opera"), jax.random.key(2))[1].tolist()
    [3.0, 2.0]
    """
    refuse_shared(game, "in_stages")
    players = game.space.shape[0]
    if periods is not None:
        whole_number("periods", periods, 1)
    check_stages(stages, players)
    moves = np.array([np.isin(np.arange(players), stage) for stage in stages])
    return Staged(game, periods, jnp.asarray(moves))


class OpenLoop(OneLineRepr, eqx.Module):
    """Schedules over periods, fixed at the start; see `open_loop`."""

    game: Any
    discount: PerPlayer
    periods: int = eqx.field(static=True)

    def _title_and_parameters(self) -> Description:
        schedules = f"Schedules over {count_text(self.periods, 'period')}"
        return schedules, {"discount": self.discount, "of": repr(self.game)}

    @property
    def space(self) -> Space:
        stage = self.game.space
        # a box of schedules is a box: its coordinates and bounds serve searches and certificates
        if isinstance(stage, Box):
            kind = stage.coordinates
            kinds = kind if isinstance(kind, str) else kind * self.periods
            longer: Box = jax.tree.map(lambda edge: jnp.tile(edge, self.periods), stage)
            return replace(longer, coordinates=kinds)
        return Schedules(stage, self.periods)

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        """Return discounted sums of payoffs until play ends."""
        rows, weights = self.rows(x), self.weights
        if isinstance(self.game, Game):
            stage: Array = jax.vmap(self.game.payoffs)(rows)
            return jnp.sum(weights * stage, axis=0)
        # the game is taken to be without chance: the same keys whatever is chosen
        reset_key, *keys = jax.random.split(jax.random.key(0), self.periods + 1)

        def period(carry: tuple[Any, Array], inputs: tuple[Array, Array]) -> tuple[tuple[Any, Array], Array]:
            (state, alive), (row, key) = carry, inputs
            state, rewards, ended, _ = self.game.step(state, row, key)
            return (state, alive & ~ended), jnp.where(alive, rewards, 0.0)

        begin = (self.game.reset(reset_key), jnp.asarray(True))
        _, rewards = jax.lax.scan(period, begin, (rows, jnp.stack(keys)))
        return jnp.sum(weights * rewards, axis=0)

    def rows(self, x: Profile) -> Float[Array, "period player column"]:
        """Return a profile of schedules, period by period."""
        return jnp.moveaxis(x.reshape(x.shape[0], self.periods, -1), 1, 0)

    @property
    def weights(self) -> Float[Array, "period player"]:
        """Return the weight of a unit of payoff in every period."""
        return self.discount ** jnp.arange(self.periods)[:, None]


def _stage_knows(oracle: oracles.Oracle[..., Any]) -> Any:
    """Return a ``when``: whether the stage game has an answer; with states, periods are not independent."""
    return lambda loop: isinstance(loop.game, Game) and oracle.knows(loop.game)


@oracles.payoff_scale.register(OpenLoop)
def _(game: OpenLoop) -> Array:
    return jnp.asarray(oracles.payoff_scale(game.game)) * game.weights.sum(axis=0)


forward(OpenLoop, oracles.discontinuity)


@oracles.labels.register(OpenLoop)
def _(game: OpenLoop) -> oracles.Labels:
    """Return axes by period and column."""
    axes = game.game.space.shape[1]
    stage_labels = oracles.labels(game.game)
    names = stage_labels.axes or tuple(str(axis) for axis in range(axes))
    return stage_labels._replace(
        axes=tuple(f"{period}.{name}" for period in range(game.periods) for name in names)
    )


@oracles.metrics.register(OpenLoop, when=_stage_knows(oracles.metrics))
def _(game: OpenLoop, x: Profile) -> Record:
    """Return the stage game's metrics of every period."""
    metrics = [oracles.metrics(game.game, row) for row in game.rows(x)]
    return {
        name: (("period", *("stage_period" if d == "period" else d for d in dims)), np.stack(arrays))
        for name, (dims, _) in metrics[0].items()
        if (arrays := [responses[name][1] for responses in metrics])
    }


@oracles.named_start.register(OpenLoop, when=_stage_knows(oracles.named_start))
def _(game: OpenLoop, name: str) -> Profile:
    return jnp.tile(oracles.named_start(game.game, name), game.periods)


@oracles.exchangeable.register(OpenLoop, when=_stage_knows(oracles.exchangeable))
def _(game: OpenLoop) -> np.ndarray:
    """Return equal numbers for players that are exchangeable in the stage game and discount equally."""
    # pairs: players with other discount factors weight the same payoffs differently
    pairs = np.stack([oracles.exchangeable(game.game), np.asarray(game.discount)], axis=1)
    return np.unique(pairs, axis=0, return_inverse=True)[1].ravel()


@oracles.gradients.register(OpenLoop, when=_stage_knows(oracles.gradients))
def _(game: OpenLoop, x: Profile) -> Profile:
    gradients = jax.vmap(lambda row: oracles.gradients(game.game, row))(game.rows(x))
    return jnp.moveaxis(gradients * game.weights[:, :, None], 0, 1).reshape(x.shape)


@oracles.best_response.register(OpenLoop, when=_stage_knows(oracles.best_response))
def _(game: OpenLoop, x: Profile, player: int | Array) -> tuple[Array, Array, Coverage]:
    """Return the stage game's response in every period: periods are independent."""
    responses = [oracles.best_response(game.game, row, player) for row in game.rows(x)]
    payoff = sum(w[player] * payoff for w, (_, payoff, _) in zip(game.weights, responses, strict=True))
    weakest = min((coverage for _, _, coverage in responses), key=COVERAGES.index)
    return jnp.concatenate([strategy for strategy, _, _ in responses]), jnp.asarray(payoff), weakest


@oracles.proved_response.register(OpenLoop, when=_stage_knows(oracles.proved_response))
def _(game: OpenLoop, x: Profile, player: int) -> oracles.Response:
    """Return the discounted sum of the stage game's; a period without weight needs no bound."""
    record = [oracles.proved_response(game.game, row, player) for row in game.rows(x)]
    weights = np.asarray(game.weights)[:, player].tolist()
    # zero times an infinite bound would be NaN
    counted = [(w, response) for w, response in zip(weights, record, strict=True) if w > 0]
    weakest = min(
        (response for _, response in counted), key=lambda response: COVERAGES.index(response.coverage)
    )
    return oracles.Response(
        np.concatenate([response.strategy for response in record]),
        sum(w * response.payoff for w, response in counted),
        sum(w * response.bound for w, response in counted),
        weakest.coverage,
        f"{weakest.method}, in every period",
        supremum=sum(w * max(response.payoff, response.supremum) for w, response in counted),
    )


@oracles.payoff_bound.register(OpenLoop, when=_stage_knows(oracles.payoff_bound))
def _(game: OpenLoop, x: Profile, player: int | Array, low: Array, high: Array) -> Array:
    """Return the discounted sum of the stage game's bounds."""

    def top(row: Array, low: Array, high: Array) -> Array:
        return oracles.payoff_bound(game.game, row, player, low, high)

    split = (game.periods, -1)
    tops: Array = jax.vmap(top)(game.rows(x), low.reshape(split), high.reshape(split))
    return jnp.sum(game.weights[:, player] * tops)


@check_keywords
def open_loop(game: Game | MarkovGame, periods: int, discount: object = 1.0) -> OpenLoop:
    """Return the game of schedules: players fix the choices of all periods at the start.

    Parameters
    ----------
    game : Game or MarkovGame
        A one-shot game, which is repeated, or a deterministic `MarkovGame`, whose end is respected.
    periods : int
        Number of periods. A strategy is one long axis, period by period.
    discount : float or array-like
        Discount factors from 0 to 1, one for all or one per player.

    Returns
    -------
    OpenLoop
        A one-shot game.

    Raises
    ------
    ValueError
        For a count below 1 and discount factors out of range.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = open_loop(rv.games.matrix("prisoners_dilemma"), 3, discount=0.5)
    >>> game.payoffs(game.space.check([[1.0, 0, 1, 0, 0, 1], [1, 0, 0, 1, 0, 1]])).tolist()
    [3.25, 5.75]
    """
    refuse_shared(game, "open_loop")
    whole_number("periods", periods, 1)
    players = game.space.shape[0]
    factors = numbers_for_each("discount", discount, players, "players")
    bad = np.flatnonzero(~((factors >= 0) & (factors <= 1)))
    if bad.size:
        raise ValueError(f"discount[{bad[0]}]: {factors[bad[0]]:g} must be in [0, 1]")
    return OpenLoop(game, jnp.asarray(factors), periods)


class Schedules(eqx.Module):
    """A strategy of the stage game for every period, in one long axis."""

    stage: Any
    periods: int = eqx.field(static=True)

    @property
    def shape(self) -> tuple[int, int]:
        players, axes = self.stage.shape
        return (players, axes * self.periods)

    @property
    def mask(self) -> Bool[Array, "player axis"]:
        return jnp.tile(self.stage.mask, self.periods)

    def project(self, x: Profile) -> Profile:
        near: Array = jax.vmap(self.stage.project, in_axes=1, out_axes=1)(self._split_profile(x))
        return near.reshape(self.shape)

    def sample(self, key: PRNGKeyArray) -> Profile:
        keys = jax.random.split(key, self.periods)
        return jnp.concatenate([self.stage.sample(part) for part in keys], axis=1)

    def grid(self, player: int, points: int) -> Float[Array, "point axis"]:
        """Return constant schedules, and those that differ from one in a single period."""
        levels: Array = self.stage.grid(player, max(2, points // (1 + self.periods**2)))
        kinds = len(levels)
        # all schedules would be kinds ** periods rows
        rows = [np.full(self.periods, k) for k in range(kinds)]
        for k, level in permutations(range(kinds), 2):
            rows += list(np.where(np.eye(self.periods, dtype=bool), level, k))
        return levels[np.array(rows)].reshape(len(rows), -1)

    def check(self, x: object, name: str = "start") -> Profile:
        rows = self._split_profile(as_profile(x, self.shape, name))
        profiles = [self.stage.check(rows[:, t], f"{name}, period {t}") for t in range(self.periods)]
        return jnp.concatenate(profiles, axis=1)

    def _split_profile(self, x: Any) -> Any:
        return x.reshape(self.stage.shape[0], self.periods, -1)

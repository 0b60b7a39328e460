"""Play over periods: repeated games, and games in stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from rivalry.core import oracles
from rivalry.core.game import Game, refuse_shared
from rivalry.core.oracles import forward
from rivalry.core.space import PerPlayer, Profile, Space, ends
from rivalry.runtime.jax import jax, jnp
from rivalry.schema.validate import check_keywords, whole_number
from rivalry.tables.stages import check_stages
from rivalry.text.display import Description, OneLineRepr, count_text
from rivalry.transforms.units import units


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


@oracles.observation_bounds.register(Repeated)
def _(game: Repeated) -> tuple[Array, Array]:
    low, high = (jnp.broadcast_to(end, (game.memory, *end.shape)) for end in ends(game.space))
    start = jnp.asarray(0)
    return game.observe(RepeatedState(low, start)), game.observe(RepeatedState(high, start))


@oracles.normalized_observation.register(Repeated)
def _(game: Repeated, state: RepeatedState) -> Array:
    history: Array = jax.vmap(lambda x: units(game.space, x))(state.history)
    return game.observe(state._replace(history=history))


class StagedState(NamedTuple):
    """The last period's profile, the moves so far in this one, the stage, and the period."""

    before: Profile
    now: Profile
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
        """Return observations ``[player feature]``, the same for all.

        They are last period's profile, this period's moves so far, and the mask of players that have moved.
        """
        movers = self.has_moved(state).astype(float)
        observation = jnp.concatenate([state.before.ravel(), state.now.ravel(), movers])
        return jnp.broadcast_to(observation, (self.space.shape[0], observation.size))

    def movers(self, state: StagedState) -> Bool[Array, "player"]:
        """Return the mask of players that choose in this stage."""
        return self.moves[state.stage]

    def has_moved(self, state: StagedState) -> Bool[Array, "player"]:
        """Return the mask of players that have chosen in this period."""
        return jnp.any(self.moves & (jnp.arange(len(self.moves)) < state.stage)[:, None], axis=0)


@oracles.active_players.register(Staged)
def _(game: Staged, state: StagedState) -> Bool[Array, "player"]:
    return game.movers(state)


@oracles.observation_bounds.register(Staged)
def _(game: Staged) -> tuple[Array, Array]:
    """Return the observations before and after all moves; moves that were not made are 0."""
    (low, high), start = ends(game.space), jnp.asarray(0)
    lowest = StagedState(low, jnp.minimum(low, 0.0), start, start)
    largest = StagedState(high, jnp.maximum(high, 0.0), jnp.asarray(len(game.moves)), start)
    return game.observe(lowest), game.observe(largest)


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

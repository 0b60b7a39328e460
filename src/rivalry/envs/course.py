"""Stepping of a game by one compiled program per step, with all results in one array."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.plain import Hashed, Same
from rivalry.core.space import Choices, Simplex
from rivalry.runtime.jax import compiled, jax, jnp
from rivalry.schema.validate import whole_number
from rivalry.transforms.units import strategies

if TYPE_CHECKING:
    from rivalry.core.game import MarkovGame, Playable

NORMALIZED_FAR = 10.0  # bound on normalized observations

COURSES, STEPS, MOSTLY = 32, 64, 90.0  # random play for normalization: runs, steps, percentile


class StepResult(NamedTuple):
    """Observations, movers, rewards, legal actions and ends after a step; of `Courses` ``[copy ...]``."""

    seen: ndarray  # [player feature]
    movers: ndarray  # [player]
    rewards: ndarray  # [player], of the last step
    legal: ndarray  # [player action]; no columns if the game does not limit actions
    over: ndarray  # [player]: whether the player has terminated
    cut: Any


class Course:
    """The course of play of a `MarkovGame`, truncated after ``limit`` steps if given.

    With ``normalized``, observations are of order 1: the game's ``normalized_observation`` if it has one;
    else each feature less its median, divided by the 90th percentile of the nonzero distances from it, in 32
    runs of 64 steps with random actions.
    """

    def __init__(self, game: Any, *, limit: int | None = None, normalized: bool = False) -> None:
        self.game, self.limit = game, limit
        space = game.space
        self.actions = max(space.sizes) if _limits(game) else 0
        self._middle = _middle(game) if normalized else None
        self.bounds = (-NORMALIZED_FAR, NORMALIZED_FAR) if normalized else _bounds(game)
        self.form, self.leaves = _split((game, self._middle))
        self.nobody = (np.zeros(space.shape[0], bool), np.zeros(space.shape))
        self.begin(0)

    def __getstate__(self) -> dict[str, Any]:
        # forms compare by hashes and identities of one process, so copies make their own
        return {name: part for name, part in self.__dict__.items() if name not in ("form", "leaves")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.form, self.leaves = _split((self.game, self._middle))

    def begin(self, seed: int | None) -> None:
        """Start a new episode; ``seed`` restarts the random stream."""
        if seed is not None:
            self._key = np.asarray(jax.random.key_data(jax.random.key(whole_number("seed", seed))))
        self.state, self._key, row = _first_step(self.form, self.leaves, self._key)
        self.steps = 0
        self.now = self.read(row, self.steps)

    def advance(self, actions: ndarray, fixed: tuple[ndarray, ndarray] | None = None) -> StepResult:
        """Play one step by actions ``[player column]``, in the form that `transforms.units.strategies` takes.

        ``fixed`` is a mask ``[player]`` and a profile ``[player axis]``: masked players play their row of it.
        """
        fixed_mask, x = fixed or self.nobody
        self.state, self._key, row = _next_step(
            self.form, self.leaves, self.state, self._key, actions, fixed_mask, x
        )
        self.steps += 1
        self.now = self.read(row, self.steps)
        return self.now

    def read(self, row: object, steps: Any) -> StepResult:
        """Return the results in the row of a step, or of several ``[copy column]``."""
        row = np.array(row)  # a copy, because learners may write to it
        flat = row[..., :-1].reshape(*row.shape[:-1], self.nobody[0].size, -1)
        wide = self.actions + 3
        return StepResult(
            seen=np.clip(flat[..., wide:], *self.bounds),  # results may leave their ranges by rounding
            movers=flat[..., 0] > 0,
            rewards=flat[..., 1],
            over=flat[..., 2] > 0,
            legal=flat[..., 3:wide] > 0,
            cut=(row[..., -1] > 0) | (self.limit is not None and steps >= self.limit),
        )


class Courses:
    """Independent courses of one game, ``[copy]``; one call of a compiled program steps them all.

    Each is that of a `Course` with the same seed, up to the rounding of the compiled programs.
    """

    def __init__(self, course: Course, copies: int) -> None:
        self.course = course
        self._keys, self._carry = np.zeros((copies, 2), np.uint32), None
        self.steps = np.zeros(copies, int)

    def begin(self, seeds: Sequence[int | None], where: ndarray) -> None:
        """Start a new episode in the copies ``where [copy]``; a seed restarts a copy's random stream."""
        form, leaves = self.course.form, self.course.leaves
        seeded = [k for k, seed in enumerate(seeds) if seed is not None]
        if seeded:
            self._keys = np.array(self._keys)
            self._keys[seeded] = _keys_of(np.array([whole_number("seed", seeds[k]) for k in seeded]))
        self._carry, self._keys, row = _each_first(form, leaves, self._carry, self._keys, where)
        self.steps = np.where(where, 0, self.steps)
        self.now = self.course.read(row, self.steps)

    def advance(self, actions: ndarray, fixed: tuple[ndarray, ndarray] | None, where: ndarray) -> StepResult:
        """Play one step in the copies ``where [copy]`` by actions ``[copy player column]``."""
        fixed_mask, x = fixed or self.course.nobody
        form, leaves = self.course.form, self.course.leaves
        self._carry, self._keys, row = _each_next(
            form, leaves, self._carry, self._keys, actions, fixed_mask, x, where
        )
        self.steps = self.steps + where
        self.now = self.course.read(row, self.steps)
        return self.now


_ARRAY = object()  # placeholder of an array


def _split(tree: Any) -> tuple[Hashed, list[Any]]:
    """Return a tree's form, all of it except its arrays, and these. Equal forms share compiled programs."""
    leaves, definition = jax.tree.flatten(tree)
    arrays = [isinstance(leaf, jax.Array | ndarray | np.generic) for leaf in leaves]
    static_leaves = tuple(Same(_ARRAY if array else leaf) for leaf, array in zip(leaves, arrays, strict=True))
    arrays_of_tree = [jnp.asarray(leaf) for leaf, array in zip(leaves, arrays, strict=True) if array]
    return Hashed((definition, static_leaves)), arrays_of_tree


def _join(form: Hashed, leaves: list[Any]) -> Any:
    """Return the tree of a form with these arrays."""
    (definition, static_leaves), arrays_of_tree = form.key, iter(leaves)
    return jax.tree.unflatten(
        definition, [next(arrays_of_tree) if part.value is _ARRAY else part.value for part in static_leaves]
    )


@partial(jax.jit, static_argnums=0)
def _first_step(form: Hashed, leaves: list[Any], key: jax.Array) -> Any:
    game, middle = _join(form, leaves)
    return _reset(game, middle, key)


def _reset(game: MarkovGame, middle: object, key: jax.Array) -> Any:
    key, game_key = jax.random.split(jax.random.wrap_key_data(key))
    state = game.reset(game_key)
    came = jnp.zeros(game.space.shape[0]), jnp.asarray(False), jnp.asarray(False)
    return state, jax.random.key_data(key), _row(game, middle, state, *came)


@partial(jax.jit, static_argnums=0)
def _next_step(
    form: Hashed,
    leaves: list[Any],
    state: object,
    key: jax.Array,
    actions: jax.Array,
    fixed_mask: jax.Array,
    fixed: jax.Array,
) -> Any:
    game, middle = _join(form, leaves)
    return _step(game, middle, fixed_mask, fixed, state, key, actions)


def _step(
    game: MarkovGame,
    middle: object,
    fixed_mask: jax.Array,
    fixed: jax.Array,
    state: object,
    key: jax.Array,
    actions: jax.Array,
) -> Any:
    key, game_key = jax.random.split(jax.random.wrap_key_data(key))
    x = jnp.where(fixed_mask[:, None], fixed, strategies(game.space, actions))
    after, *came = game.step(state, x, game_key)
    return after, jax.random.key_data(key), _row(game, middle, after, *came)


@jax.jit
def _keys_of(seeds: jax.Array) -> jax.Array:
    return jax.vmap(lambda seed: jax.random.key_data(jax.random.key(seed)))(seeds)


@partial(jax.jit, static_argnums=0)
def _each_first(
    form: Hashed, leaves: list[Any], carry: tuple[Any, Any] | None, keys: jax.Array, where: jax.Array
) -> Any:
    game, middle = _join(form, leaves)
    state, new_keys, rows = jax.vmap(partial(_reset, game, middle))(keys)
    return _merged(where, carry and (carry, keys), ((state, rows), new_keys))


@partial(jax.jit, static_argnums=0)
def _each_next(
    form: Hashed,
    leaves: list[Any],
    carry: tuple[Any, Any],
    keys: jax.Array,
    actions: jax.Array,
    fixed_mask: jax.Array,
    fixed: jax.Array,
    where: jax.Array,
) -> Any:
    game, middle = _join(form, leaves)
    state, new_keys, rows = jax.vmap(partial(_step, game, middle, fixed_mask, fixed))(carry[0], keys, actions)
    return _merged(where, (carry, keys), ((state, rows), new_keys))


def _merged(where: jax.Array, old: tuple[Any, Any] | None, new: tuple[Any, Any]) -> Any:
    """Return states with rows, keys, and rows: the new ones in the copies ``where``, else the old ones."""
    (state, rows), keys = jax.tree.map(
        lambda a, b: jnp.where(where.reshape(-1, *[1] * (jnp.ndim(a) - 1)), a, b), new, old or new
    )
    return (state, rows), keys, rows


def _row(game: Any, middle: object, state: Any, rewards: Any, ended: Any, cut: object) -> Any:
    """Return the results of a step as one row: per player its columns, then the truncation flag."""
    players = game.space.shape[0]
    over = jnp.broadcast_to(ended | ~oracles.present_players(game, state), (players,))
    columns = [oracles.active_players(game, state), jnp.broadcast_to(rewards, (players,)), over]
    parts = [part[:, None] for part in columns]
    parts += [oracles.legal_actions(game, state)] if _limits(game) else []
    rows = jnp.concatenate(
        [part.astype(float) for part in (*parts, _observations(game, middle, state))], axis=1
    )
    return jnp.append(rows.ravel(), jnp.asarray(cut, float))


def _observations(game: MarkovGame, middle: Any, state: Any) -> Any:
    if middle is None:
        return game.observe(state)
    if oracles.normalized_observation.knows(game):
        return oracles.normalized_observation(game, state)
    centre, reach = middle
    return (game.observe(state) - centre) / reach


def _bounds(game: object) -> tuple[ndarray, ndarray]:
    """Return bounds on observations, ``[player feature]``; the range of a constant reaches to 0 or 1."""
    low, high = oracles.observation_bounds(game)
    constant = np.equal(low, high)
    low, high = np.where(constant, np.minimum(low, 0.0), low), np.where(constant, np.maximum(high, 0.0), high)
    return low, np.where(low == high, 1.0, high)


def _middle(game: object) -> tuple[ndarray, ndarray]:
    """Return the median and spread of the observations, ``[player feature]``."""
    if oracles.normalized_observation.knows(game):
        return np.zeros(()), np.ones(())
    # a fixed key: the scale of observations belongs to the game, not to an environment's seed
    observations = np.asarray(_by_chance(game, jax.random.split(jax.random.key(0), COURSES)))
    observations = observations.reshape(-1, *observations.shape[2:])
    middle = np.median(observations, axis=0)
    far, reach = np.abs(observations - middle), np.maximum(np.abs(middle), 1.0)
    for feature in np.ndindex(reach.shape):
        differs = far[(slice(None), *feature)]
        if differs.any():
            reach[feature] = np.percentile(differs[differs > 0], MOSTLY)
    return middle, reach


@compiled
def _by_chance(game: Any, keys: object) -> Any:
    """Return observations ``[course step player feature]`` under random actions of all players."""

    def course(key: Any) -> Any:
        def step(state: Any, key: Any) -> Any:
            acts, plays, anew = jax.random.split(key, 3)
            following, _, ended, cut = game.step(state, _any_strategies(game, state, acts), plays)
            new_state, over = game.reset(anew), ended | cut
            following = jax.tree.map(lambda a, b: jnp.where(over, a, b), new_state, following)
            return following, game.observe(state)

        reset_key, *step_keys = jax.random.split(key, STEPS + 1)
        return jax.lax.scan(step, game.reset(reset_key), jnp.stack(step_keys))[1]

    return jax.vmap(course)(keys)


def _any_strategies(game: Playable, state: object, key: Any) -> Any:
    """Draw actions uniformly from the legal ones."""
    space = game.space
    if not isinstance(space, Simplex | Choices):
        return strategies(space, jax.random.uniform(key, space.shape, minval=-1.0, maxval=1.0))
    legal = jnp.arange(max(space.sizes)) < jnp.asarray(space.sizes)[:, None]
    legal = legal & oracles.legal_actions(game, state) if _limits(game) else legal
    numbers = jax.random.categorical(key, jnp.where(legal, 0.0, -jnp.inf), axis=1)
    return strategies(space, numbers[:, None].astype(float))


def _limits(game: Playable) -> bool:
    """True if the game is finite and limits the legal actions."""
    return oracles.legal_actions.knows(game) and isinstance(game.space, Simplex | Choices)

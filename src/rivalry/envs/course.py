"""Stepping of a game by one compiled program per step, with all results in one array."""

from __future__ import annotations

import copy
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.game import Game, is_markov
from rivalry.core.plain import Hashed, Same, register_plain
from rivalry.core.space import Box, Choices, Simplex
from rivalry.envs.actions import OnSimplex, actions_of
from rivalry.runtime.jax import jax, jnp
from rivalry.schema.validate import whole_number
from rivalry.transforms import repeat
from rivalry.transforms.units import strategies

if TYPE_CHECKING:
    from rivalry.core.game import MarkovGame, Playable

PERIODS = 100
ALL = np.ones((), bool)  # the one course
NORMALIZED_FAR = 10.0  # bound on normalized observations

COURSES, STEPS, MOSTLY = 32, 64, 90.0  # random play for normalization: runs, steps, percentile


class StepResult(NamedTuple):
    """Observations, movers, rewards, legal actions and ends after a step; of copies ``[copy ..]``."""

    observations: ndarray  # [player feature]
    movers: ndarray  # [player]
    rewards: ndarray  # [player], of the last step
    legal: ndarray  # [player action], 1 or 0; no columns if the game does not limit actions
    over: ndarray  # [player]: whether the player has terminated
    cut: Any


class Course:
    """The course of play of a game of players, or by `many` several independent ones.

    A `MarkovGame` is truncated after ``periods`` steps if given; another game is repeated, or played in its
    native form. With ``normalized``, observations are of order 1: the game's ``normalized_observation`` if it
    has one; else each feature less its median, divided by the 90th percentile of the nonzero distances from
    it, in 32 runs of 64 steps with random actions.
    """

    def __init__(
        self, game: object, periods: int | None, normalized: bool = False, simplex: OnSimplex = "corners"
    ) -> None:
        self.game: Any = markov(game, PERIODS if periods is None else periods)
        self.limit = periods if self.game is game else None
        space = self.game.space
        self.names = [f"player_{k}" for k in range(space.shape[0])]
        self.actions = actions_of(self.game, normalized, simplex)
        self.kind: Any = np.float32 if normalized else np.float64
        self.bounds: Any = (-NORMALIZED_FAR, NORMALIZED_FAR) if normalized else _bounds(self.game)
        self._legal = max(space.sizes) if _limits(self.game) else 0
        self._form = GameForm((self.game, _middle(self.game) if normalized else None))
        self.fixed = np.zeros(space.shape[0], bool), np.zeros(space.shape)  # players, and their strategies
        self.steps: Any = np.zeros((), int)
        self._keys, self._state, self._row = np.zeros(2, np.uint32), None, None
        self.begin(0)
        self.bounds = tuple(
            np.broadcast_to(end, self.now.observations.shape).astype(self.kind) for end in self.bounds
        )

    @property
    def state(self) -> Any:
        """The state of the game, as returned by its ``reset`` and ``step``."""
        return self._state

    def many(self, copies: int) -> Course:
        """Return independent courses ``[copy]``, which one call of a compiled program steps.

        Each is that of a `Course` with the same seed, up to the rounding of the compiled programs.
        """
        several = copy.copy(self)
        several._keys, several._state = np.zeros((copies, 2), np.uint32), None
        several.steps = np.zeros(copies, int)
        several.begin(range(copies), np.ones(copies, bool))
        return several

    def hold(self, profile: object, but: int) -> None:
        """Fix all players except ``but`` to their rows of a profile from now on. Raises `ValueError`."""
        x = np.asarray(self.game.space.check(profile, "others"))
        self.fixed = np.arange(len(x)) != but, x

    def profile(self, actions: ndarray) -> ndarray:
        """Return the profile that actions ``[player column]`` play in one period, in units of the game."""
        return np.asarray(strategies(self.game.space, jnp.asarray(actions)))

    def begin(self, seeds: Any, where: ndarray | np.bool_ = ALL) -> None:
        """Start a new episode, of several courses in those ``where``; a seed restarts a random stream."""
        keys = self._keys = np.array(self._keys)
        for place, seed in np.ndenumerate(np.array(seeds, object)):
            if seed is not None:
                keys[place] = jax.random.key_data(jax.random.key(whole_number("seed", seed)))
        self.steps = np.where(where, 0, self.steps)
        self._play(None, where)

    def advance(self, actions: ndarray, where: ndarray | np.bool_ = ALL) -> StepResult:
        """Play one step by actions ``[player column]``, in the form that `transforms.units.strategies` takes.

        Raises `ValueError` where payoffs are not defined.
        """
        self.steps = self.steps + where
        self._play(actions, where)
        if np.isnan(self.now.rewards).any():
            raise ValueError(f"rewards: payoffs of this game are not defined at {actions.tolist()}")
        return self.now

    def _play(self, actions: ndarray | None, where: ndarray | np.bool_) -> None:
        unless = (where, self._row) if self.steps.ndim else None
        self._state, self._row, self._keys = _played(
            self._form.key, self._form.arrays, self.fixed, self._keys, self._state, actions, unless
        )
        row = np.array(self._row)  # a copy, because learners may write to it
        flat = row[..., :-1].reshape(*row.shape[:-1], len(self.names), -1)
        wide, (low, high) = self._legal + 3, self.bounds
        self.now = StepResult(
            # results may leave their ranges by rounding
            observations=np.minimum(np.maximum(flat[..., wide:], low), high).astype(self.kind, copy=False),
            movers=flat[..., 0] > 0,
            rewards=flat[..., 1],
            over=flat[..., 2] > 0,
            legal=flat[..., 3:wide].astype(np.int8),
            cut=(row[..., -1] > 0) | (self.limit is not None and self.steps >= self.limit),
        )


def markov(game: object, periods: int) -> Any:
    """Return a game as a `MarkovGame`: itself, its native form, or repeated. Raises `ValueError`."""
    register_plain(game)
    if oracles.to_markov.knows(game):
        return oracles.to_markov(game, periods)
    if is_markov(game):
        return game
    if not isinstance(game, Game):
        hint = ""
        if oracles.flow_certificate.knows(game):
            hint = "; its travellers are a continuum, and agents of an environment are finitely many"
        raise ValueError(f"game: {type(game).__name__} has neither payoffs nor steps{hint}")
    return repeat(game, periods=periods)


_ARRAY = object()  # placeholder of an array


class GameForm:
    """A tree as its arrays and all else, the key of compiled programs, which equal forms share."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree
        leaves, definition = jax.tree.flatten(tree)
        is_array = [isinstance(leaf, jax.Array | ndarray | np.generic) for leaf in leaves]
        rest = tuple(Same(_ARRAY if array else leaf) for leaf, array in zip(leaves, is_array, strict=True))
        self.key = Hashed((definition, rest))
        self.arrays = [jnp.asarray(leaf) for leaf in compress(leaves, is_array)]

    def __deepcopy__(self, memo: object) -> GameForm:
        return self  # games are immutable, and a copy of one may need another compilation

    def __reduce__(self) -> tuple[Any, ...]:
        return GameForm, (self.tree,)  # keys compare by hashes and identities of one process


def _joined(form: Hashed, arrays: list[Any]) -> Any:
    """Return the tree of a form with these arrays."""
    (definition, rest), leaves = form.key, iter(arrays)
    return jax.tree.unflatten(
        definition, [next(leaves) if part.value is _ARRAY else part.value for part in rest]
    )


@partial(jax.jit, static_argnums=0)
def _played(
    form: Hashed, arrays: list[Any], fixed: Any, keys: Any, state: Any, actions: Any, unless: Any
) -> Any:
    """Return the state, its row and the key after a step or, without actions, a reset.

    Of several courses, those where the mask of ``unless`` is 0 keep what they had; its row is the last one.
    """
    play: Any = partial(_play, *_joined(form, arrays), *fixed)
    if unless is None:
        return play(keys, state, actions)
    new, (where, row) = jax.vmap(play)(keys, state, actions), unless
    old = new if state is None else (state, row, keys)
    return jax.tree.map(lambda a, b: jnp.where(where.reshape(-1, *[1] * (jnp.ndim(a) - 1)), a, b), new, old)


def _play(
    game: MarkovGame, middle: object, fixed: Any, profile: Any, key: Any, state: object, actions: Any
) -> Any:
    key, game_key = jax.random.split(jax.random.wrap_key_data(key))
    if actions is None:
        state, came = game.reset(game_key), [jnp.zeros(game.space.shape[0]), False, False]
    else:
        x = jnp.where(fixed[:, None], profile, strategies(game.space, actions))
        state, *came = game.step(state, x, game_key)
    return state, _row(game, middle, state, *came), jax.random.key_data(key)


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
    observations = _observed(game)
    middle = np.median(observations, axis=0)
    far = np.abs(observations - middle)
    far = np.where(far.any(axis=0), far, np.maximum(np.abs(middle), 1.0))
    return middle, np.nanpercentile(np.where(far > 0, far, np.nan), MOSTLY, axis=0)


def _observed(game: object) -> ndarray:
    """Return observations ``[step player feature]`` under random actions of all players."""
    courses, rows = Course(game, None).many(COURSES), []
    # the scale of observations belongs to the game, not to an environment's seed
    draw, space = np.random.default_rng(0), courses.game.space
    for _ in range(STEPS):
        if isinstance(space, Box):
            actions = draw.uniform(-1, 1, (COURSES, *space.shape))
        else:
            legal = np.arange(max(space.sizes)) < np.array(space.sizes)[:, None]
            legal = courses.now.legal if courses.now.legal.size else legal
            # the largest of random numbers, where these are legal
            actions = (
                (draw.random((COURSES, *legal.shape[-2:])) * legal).argmax(axis=2)[..., None].astype(float)
            )
        now = courses.advance(actions, np.ones(COURSES, bool))
        rows.append(now.observations)
        courses.begin([None] * COURSES, now.over.all(axis=1) | now.cut)
    return np.concatenate(rows)


def _limits(game: Playable) -> bool:
    """True if the game is finite and limits the legal actions."""
    return oracles.legal_actions.knows(game) and isinstance(game.space, Simplex | Choices)

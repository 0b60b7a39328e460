"""Walks: games in which players move one step per period and receive the payoffs at their new positions."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.game import Game, Playable, initial_profile, refuse_shared
from rivalry.core.oracles import forward
from rivalry.core.reparametrisation import unconstrain
from rivalry.core.space import Box, Choices, PerPlayer, Profile, Simplex, ends
from rivalry.core.tree import static
from rivalry.runtime.jax import jax, jnp, put
from rivalry.schema.validate import check_keywords, check_word, whole_number
from rivalry.tables.action_grid import box_moves, simplex_moves
from rivalry.text.display import Description, OneLineRepr, count_text
from rivalry.transforms.units import numbers_for_each, units

MOVES = ("discrete", "continuous")
OBSERVATIONS = ("own", "joint")

OFF_GRID = 1e-6  # tolerance in steps: of a start off the grid, and of a box narrower than a step


class Walking(NamedTuple):
    """The players' positions, in units of the game, and the number of periods played."""

    position: Profile
    period: Int[Array, ""]


class Walks(OneLineRepr, eqx.Module):
    """A game whose players walk; a `MarkovGame`, made by `walks`.

    On a grid a position is ``origin`` plus an integer from 0 to ``width_in_steps`` times ``unit``, in the
    coordinates in which a box is searched.
    """

    game: Any
    space: Any  # of the moves
    origin: Profile
    unit: Profile
    width_in_steps: Profile
    directions: Float[Array, "player move axis"] | None  # in units; None where moves are continuous
    start: Profile | None
    periods: int | None = static()
    observation: str = static()
    edge: int = static(default=0)  # steps along the edge of a simplex

    def _title_and_parameters(self) -> Description:
        length = "without end" if self.periods is None else f"over {count_text(self.periods, 'period')}"
        return f"Walks {length}", {"observation": self.observation, "of": repr(self.game)}

    def reset(self, key: PRNGKeyArray) -> Walking:
        """Return the initial state, at the start or at uniformly drawn positions; consumes the key."""
        return Walking(self._sample(key) if self.start is None else self.start, jnp.asarray(0))

    def step(
        self, state: Walking, x: Profile, key: PRNGKeyArray
    ) -> tuple[Walking, PerPlayer, Bool[Array, ""], Bool[Array, ""]]:
        at, period = self._move(state.position, x), state.period + 1
        cut = jnp.asarray(False) if self.periods is None else period >= self.periods
        return Walking(at, period), self.game.payoffs(at), jnp.asarray(False), cut

    def observe(self, state: Walking) -> Float[Array, "player feature"]:
        """Return each player's own position; with ``joint`` also the others', ordered by number."""
        at = state.position
        if self.observation == "own":
            return at
        players = at.shape[0]
        rows = [[k, *(rival for rival in range(players) if rival != k)] for k in range(players)]
        return at[np.array(rows)].reshape(players, -1)

    def _move(self, position: Array, x: Profile) -> Array:
        """Return the positions after the moves; a player that would leave the space stays."""
        coordinates = unconstrain(self.game, position)
        if self.directions is not None:
            moves = jnp.take_along_axis(self.directions, x[:, :1, None].astype(int), axis=1)[:, 0]
            # rounded to whole steps, so that rounding errors of positions do not add up over periods
            steps = jnp.round(_count_steps(coordinates, self.origin, self.unit)) + moves
            stays = jnp.any((steps < 0) | (steps > self.width_in_steps), axis=1, keepdims=True)
            target = self.origin + steps * self.unit
        else:
            target, end = coordinates + x, self.origin + self.width_in_steps * self.unit
            stays = jnp.any((target < self.origin) | (target > end), axis=1, keepdims=True)
        # the position itself: a change of coordinates there and back may alter its last digit
        return jnp.where(stays, position, _constrain(self.game.space, target))

    def _sample(self, key: PRNGKeyArray) -> Array:
        space = self.game.space
        if isinstance(space, Simplex):
            keys = jax.random.split(key, len(space.sizes))
            steps = jnp.stack([self._sample_lattice(k, key) for k, key in enumerate(keys)])
        elif self.directions is not None:
            steps = jax.random.randint(key, self.width_in_steps.shape, 0, self.width_in_steps.astype(int) + 1)
        else:
            shares = jax.random.uniform(key, self.width_in_steps.shape)
            return _constrain(space, self.origin + self.width_in_steps * self.unit * shares)
        return _constrain(space, self.origin + self.unit * steps)

    def _sample_lattice(self, player: int, key: PRNGKeyArray) -> Array:
        """Draw counts ``[axis]`` that sum to ``edge`` uniformly, by positions of bars among the steps."""
        size = self.game.space.sizes[player]
        # stars and bars: every choice of bars is one lattice point, so the draw is uniform
        slots = self.edge + size - 1
        bars = jnp.sort(jax.random.permutation(key, slots)[: size - 1])
        ends = jnp.concatenate([jnp.array([-1]), bars, jnp.array([slots])])
        return jnp.pad(jnp.diff(ends) - 1, (0, self.game.space.shape[1] - size))


@oracles.observation_bounds.register(Walks)
def _(game: Walks) -> tuple[Array, Array]:
    low, high = (game.observe(Walking(end, jnp.asarray(0))) for end in ends(game.game.space))
    return low, high


@oracles.normalized_observation.register(Walks)
def _(game: Walks, state: Walking) -> Array:
    """Return positions scaled to [-1, 1] in boxes, and shares on simplices."""
    return game.observe(state._replace(position=units(game.game.space, state.position)))


oracles.own_units.register(Walks)(lambda game: True)
forward(Walks, oracles.payoff_scale, oracles.discontinuity)


@oracles.labels.register(Walks)
def _(game: Walks) -> oracles.Labels:
    names = oracles.labels(game.game)
    return names if game.directions is None else oracles.Labels(names.players)


@check_keywords
def walks(
    game: object,
    *,
    step: object,
    moves: str = "discrete",
    periods: int | None = None,
    observation: str = "own",
    start: object = None,
) -> Walks:
    """Return the game whose players walk.

    All players move at once in every period, and are paid at their new positions. With ``discrete`` moves
    positions are on the grid ``low + k step`` and a move is an integer. In a box of ``L`` axes ``0..L-1`` are
    steps down along that axis, ``L`` stays, and ``L+1..2L`` are steps up; on an interval 0, 1, 2 are left,
    stay, right. On a simplex ``1 / step`` must be an integer, and a move transfers a step of share from one
    entry to another: from the earlier to the later entry of each pair, stay, from the later to the earlier.
    With ``continuous`` moves, in boxes only, a move is ``[axis]`` from ``-step`` to ``step``. A player that
    would leave the space stays, on all axes. Steps are in the coordinates in which a box is searched. A
    state's ``position`` is the profile ``[player axis]``.

    Parameters
    ----------
    game : Game
        The game whose payoffs are paid at the positions.
    step : float or array-like
        Step size, one for all axes or one per axis.
    moves : {"discrete", "continuous"}
        Kind of moves.
    periods : int, optional
        Number of periods after which play is truncated (default: never).
    observation : {"own", "joint"}
        Players observe their own position, or also those of the others after it.
    start : array-like or str, optional
        A profile or the name of one (default: a uniform draw).

    Returns
    -------
    Walks
        A `MarkovGame`.

    Raises
    ------
    ValueError
        For steps that do not fit the space, unknown words, and a start off the grid.

    Examples
    --------
    >>> import rivalry as rv
    >>> import jax
    >>> game = walks(rv.games.influencer(), step=0.25, start=[0.25, 0.75])
    >>> key = jax.random.key(0)
    >>> state, rewards, _, _ = game.step(game.reset(key), jnp.array([[2.0], [1.0]]), key)
    >>> game.space.sizes, state.position.tolist()
    ((3, 3), [[0.5], [0.75]])
    >>> bool((rewards == game.game.payoffs(state.position)).all())
    True
    """
    refuse_shared(game, "walks")
    check_word("moves", moves, MOVES)
    check_word("observation", observation, OBSERVATIONS)
    if periods is not None:
        whole_number("periods", periods, 1)
    # a Markov game has states of its own, which positions would not determine
    if not isinstance(game, Game):
        raise ValueError(f"game: {type(game).__name__} must have a space and payoffs to be walked through")
    space, discrete, edge = game.space, moves == "discrete", 0
    if isinstance(space, Box):
        origin, unit, width_in_steps = _grid(space, _steps(step, space.shape[1]))
        # a width of whole steps may be computed as slightly less
        width_in_steps = np.floor(width_in_steps + OFF_GRID) if discrete else width_in_steps
        ways = box_moves(space.shape[1]).astype(float)
        directions = np.broadcast_to(ways, (len(origin), *ways.shape))
        where = Choices((len(ways),) * len(origin)) if discrete else Box(put(-unit), put(unit))
    elif isinstance(space, Simplex) and discrete:
        edge = _edge(step)
        origin = np.where(space.mask, space.min_share, 0.0)
        unit = np.where(space.mask, space.spare / edge, 0.0)
        width_in_steps = np.where(space.mask, float(edge), 0.0)
        move_rows = [simplex_moves(size) for size in space.sizes]
        longest = max(map(len, move_rows))
        directions = np.zeros((len(move_rows), longest, space.shape[1]))
        for player, rows in enumerate(move_rows):
            directions[player, : len(rows), : rows.shape[1]] = rows
        where = Choices(tuple(map(len, move_rows)))
    else:
        rule = "must be a Box, or a Simplex with discrete moves, to be walked through"
        raise ValueError(f"space: {type(space).__name__} with {moves} moves; {rule}")
    return Walks(
        game=game,
        space=where,
        origin=put(origin),
        unit=put(unit),
        width_in_steps=put(width_in_steps),
        directions=put(directions) if discrete else None,
        start=None if start is None else _start(game, start, discrete, origin, unit),
        periods=periods,
        observation=observation,
        edge=edge,
    )


def _steps(step: object, axes: int) -> ndarray:
    """Return the step of every axis. Raises `ValueError`."""
    sizes = numbers_for_each("step", step, axes, "axes")
    if not np.all((sizes > 0) & np.isfinite(sizes)):
        raise ValueError(f"step: {step!r} must be above 0")
    return sizes


def _grid(space: Box, sizes: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Return the origin, the step size and the width in steps of a box, ``[player axis]``."""
    flat = space.unconstrained()
    low, high = np.asarray(flat.low), np.asarray(flat.high)
    unit = np.broadcast_to(sizes, low.shape)
    short = np.argwhere(np.asarray(flat.mask) & (high - low < unit * (1 - OFF_GRID)))
    if short.size:
        player, axis = short[0]
        wide = f"{high[player, axis] - low[player, axis]:g}, the width of player {player}'s space"
        raise ValueError(f"step: {sizes[axis]:g} must be at most {wide}")
    return low, unit, (high - low) / unit


def _edge(step: object) -> int:
    """Return the number of steps along the edge of a simplex. Raises `ValueError`."""
    size = float(_steps(step, 1)[0])
    edge = round(1 / size)
    if size > 1 or abs(1 / size - edge) > OFF_GRID:
        raise ValueError(f"step: {size:g} must be 1 over a whole number, on a simplex")
    return edge


def _start(game: Playable, start: object, discrete: bool, origin: ndarray, unit: ndarray) -> Array:
    """Return the start as a profile, rounded to the grid if there is one. Raises `ValueError`."""
    profile = initial_profile(game, start)
    if not discrete:
        return profile
    counts = np.asarray(_count_steps(unconstrain(game, profile), origin, unit))
    off = np.argwhere(np.abs(counts - np.round(counts)) > OFF_GRID)
    if off.size:
        player, axis = off[0]
        place = f"player {player} is at {profile[player, axis]:g}"
        raise ValueError(f"start: {place}; must be {origin[player, axis]:g} and whole steps")
    return _constrain(game.space, put(origin + np.round(counts) * unit))


def _count_steps(coordinates: Any, origin: Any, unit: Any) -> Array:
    """Return the number of units from the origin; 0 on axes without a unit."""
    return jnp.where(unit > 0, (coordinates - origin) / jnp.where(unit > 0, unit, 1.0), 0.0)


def _constrain(space: object, position: Array) -> Array:
    """Return positions in units of the game."""
    return space.project(space.constrain(position)) if isinstance(space, Box) else position

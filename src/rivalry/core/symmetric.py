"""Symmetric profiles: first-order points and their stability, in one game or along a sequence of games.

With exchangeable players the Jacobian at a symmetric profile has two blocks, A on the diagonal and C off it.
Its eigenvalues are those of ``A - C``, each N - 1 times (players move apart), and those of ``A + (N-1) C``
(all players move together).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.game import Game, jacobian, own_gradients
from rivalry.core.space import Simplex, fix, narrowest, width
from rivalry.runtime.jax import compiled, eqx, jax, jnp, put, stack_trees

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Int

    from rivalry.core.space import Space, Strategy

ITERATIONS = 60  # of Newton's method
LONGEST = 0.1  # of the width: the longest Newton step
MOVED = 1e-11  # of the width: a shorter step is the last
LEFT = 1e-9  # of the derivatives of the gradient, times the width: the largest gradient at a root
ONE_ROOT = 1e-7  # of the width: roots this close are equal
CHUNK = 64  # games per call of the compiled program


class SymmetricPositions(NamedTuple):
    """Symmetric profiles, one per game, with the two blocks in free directions and whether each is a root."""

    position: ndarray  # [game axis]
    own: ndarray  # A [game direction direction]
    other: ndarray  # C
    gradient: ndarray  # [game]: the largest entry
    root: ndarray  # [game]: whether Newton's method converged to a root


def eigenvalues(positions: SymmetricPositions, players: int) -> list[ndarray]:
    """Eigenvalues of ``A - C``, ``A + (N-1) C`` and ``A``, each ``[game direction]``; NaN without a root."""
    spectra = []
    for cross in (-1, players - 1, 0):
        matrix = positions.own + cross * positions.other
        is_finite = np.isfinite(matrix).all(axis=(1, 2))
        # LAPACK rejects NaN
        values = np.linalg.eigvals(np.where(is_finite[:, None, None], matrix, 0.0)).astype(complex)
        spectra.append(np.where(is_finite[:, None], values, np.nan))
    return spectra


def follow_root(
    games: Sequence[Any], basis: ndarray, place: ndarray, *, fixed: bool = False
) -> SymmetricPositions:
    """Follow a root of the common gradient from game to game, each search starting at the previous root.

    The sequence ends after a game where Newton's method finds no root.

    Parameters
    ----------
    games : sequence of Game
        At most `CHUNK` games that differ only in numbers.
    basis : ndarray
        Orthonormal directions of one player's strategy, ``[axis direction]``.
    place : ndarray
        Start of the first search, ``[axis]``.
    fixed : bool
        Evaluate every game at ``place`` instead, root or not.
    """
    starts = np.tile(place, (CHUNK, 1))
    # padded to one length: one compiled program serves any number of games
    return _positions(_stack([*games, *[games[-1]] * (CHUNK - len(games))]), basis, len(games), starts, fixed)


def starts(space: Space, count: int) -> ndarray:
    """Return about ``count`` strategies of the first player, ``[point axis]``, spread over its space."""
    positions = np.asarray(space.grid(0, count))
    # a tenth inside the edges: at a corner of a simplex a kernel may have no value
    return 0.9 * positions + 0.1 * positions.mean(axis=0)


def roots(game: Game, basis: ndarray, starts: ndarray) -> ndarray:
    """Return the roots of the common gradient, ``[root axis]``, that Newton's method finds from ``starts``.

    Roots closer than 1e-7 of the space's width count as one. Points where the gradient points out of the
    space are not roots.
    """
    games = _stack([game] * CHUNK)
    parts = np.array_split(starts, -(-len(starts) // CHUNK))
    padded = [np.concatenate([part, np.tile(part[-1:], (CHUNK - len(part), 1))]) for part in parts]
    results = [
        _positions(games, basis, len(p), rows, False, True) for p, rows in zip(parts, padded, strict=True)
    ]
    positions = np.concatenate([result.position[result.root] for result in results])
    size = ONE_ROOT * float(narrowest(game.space))
    distinct: list[ndarray] = []
    # sorted, so that the order of roots does not depend on that of the starts
    for position in positions[np.lexsort(positions.T[::-1])]:
        if all(np.max(np.abs(position - root)) > size for root in distinct):
            distinct.append(position)
    return np.reshape(distinct, (len(distinct), game.space.shape[1]))


def _positions(
    games: Any, basis: ndarray, count: int, starts: ndarray, fixed: bool, restarts: bool = False
) -> SymmetricPositions:
    solved, *parts = _follow(games, put(count), starts, basis, put(fixed), put(restarts))
    return SymmetricPositions(*(np.asarray(part)[: int(solved)] for part in parts))


def _stack(games: Sequence[Any]) -> Any:
    return stack_trees(games, "parameter: the games at its values differ in more than numbers")


def _together(game: Game, y: Strategy) -> Float[Array, "player axis"]:
    return fix(game.space, jnp.broadcast_to(y, game.space.shape))


def blocks(game: Game, y: Strategy, basis: Array) -> tuple[Array, Array, Array]:
    """Return the common gradient ``[direction]``, A and C ``[direction direction]``, all at ``y [axis]``."""
    x = _together(game, y)
    axes = y.shape[0]
    slope = basis.T @ own_gradients(game, x, (0,))[0]
    # at a symmetric profile the first player's rows hold both blocks: A, then C of the second player
    rows = jacobian(game, x)[:axes, : 2 * axes]
    return slope, basis.T @ rows[:, :axes] @ basis, basis.T @ rows[:, axes:] @ basis


def _bounded_step(game: Game, y: Strategy, move: Strategy) -> Strategy:
    """Return the strategy after a bounded step in the space; on a simplex no entry is more than halved."""
    longest = LONGEST * width(game.space)[0]
    part = jnp.min(jnp.minimum(1.0, longest / jnp.maximum(jnp.abs(move), 1e-300)))
    if isinstance(game.space, Simplex):
        part = jnp.minimum(part, jnp.min(jnp.where(move < 0, 0.5 * y / jnp.maximum(-move, 1e-300), 1.0)))
    return game.space.project(_together(game, y + part * move))[0]


class _Look(NamedTuple):
    """A strategy, the common gradient ``[direction]``, the blocks, and the Newton step ``[axis]``."""

    place: Array
    slope: Array
    own: Array
    other: Array
    move: Array


def _look(game: Game, y: Strategy, basis: Array) -> _Look:
    slope, own_block, cross_block = blocks(game, y, basis)
    # A + (N-1) C is the derivative of the common gradient while all players move together
    move = -basis @ jnp.linalg.solve(own_block + (game.space.shape[0] - 1) * cross_block, slope)
    return _Look(y, slope, own_block, cross_block, move)


def _root(game: Game, start: Strategy, basis: Array, fixed: Array) -> tuple[_Look, Bool[Array, ""]]:
    """Run Newton's method from ``start``, without steps if ``fixed``; return whether it reached a root."""
    size = narrowest(game.space)
    axes, free = basis.shape
    zeros = jnp.zeros((free, free))
    begin = _Look(start, jnp.zeros(free), zeros, zeros, jnp.zeros(axes))

    def step(carry: tuple[_Look, Array]) -> tuple[_Look, Array]:
        at, tries = carry
        # the first pass only evaluates: thus the program contains the game once
        return _look(game, _bounded_step(game, at.place, at.move), basis), tries + 1

    def condition(carry: tuple[_Look, Array]) -> Array:
        at, tries = carry
        is_moving = jnp.max(jnp.abs(at.move)) > MOVED * size
        return jnp.asarray((tries == 0) | (~fixed & is_moving & (tries < ITERATIONS)))

    at, _ = jax.lax.while_loop(condition, step, (begin, jnp.asarray(0)))
    is_root = jnp.max(jnp.abs(at.move)) <= ONE_ROOT * size
    bend = jnp.maximum(jnp.max(jnp.abs(at.own)), jnp.max(jnp.abs(at.other)))
    is_root = is_root & (jnp.max(jnp.abs(at.slope)) <= LEFT * bend * size)
    return at, fixed | is_root


@compiled
def _follow(
    games: Game,
    count: Int[Array, ""],
    starts: Float[Array, "game axis"],
    basis: Float[Array, "axis direction"],
    fixed: Bool[Array, ""],
    restarts: Bool[Array, ""],
) -> tuple[Array, ...]:
    """Solve game after game, each from the previous root or, if ``restarts``, from its own start.

    Without restarts it ends after the first game without a root.

    Returns
    -------
    tuple of Array
        The number of games solved, and of the first ``CHUNK`` games, NaN where not solved: places ``[game
        axis]``, own and cross blocks ``[game direction direction]``, largest slopes and masks of roots
        ``[game]``.
    """
    arrays, settings = eqx.partition(games, eqx.is_array)
    axes, free = basis.shape
    places = jnp.full((CHUNK, axes), jnp.nan)
    blocks = jnp.full((CHUNK, free, free), jnp.nan)
    slopes = jnp.full(CHUNK, jnp.nan)
    columns = (places, blocks, blocks, slopes, jnp.zeros(CHUNK, bool))

    def step(carry: Any) -> Any:
        k, previous, _, columns = carry
        game = eqx.combine(jax.tree.map(lambda leaf: leaf[k], arrays), settings)
        start = jnp.where(restarts | (k == 0), starts[k], previous)
        at, is_root = _root(game, start, basis, fixed)
        own_block = jnp.where(is_root, at.own, jnp.nan)
        cross_block = jnp.where(is_root, at.other, jnp.nan)
        row = (at.place, own_block, cross_block, jnp.max(jnp.abs(at.slope)), is_root)
        columns = tuple(column.at[k].set(value) for column, value in zip(columns, row, strict=True))
        return k + 1, at.place, is_root, columns

    def unfinished(carry: Any) -> Array:
        k, _, was_root, _ = carry
        return jnp.asarray((k < count) & (was_root | restarts))

    begin = (jnp.asarray(0), starts[0], jnp.asarray(True), columns)
    solved, _, _, columns = jax.lax.while_loop(unfinished, step, begin)
    return (solved, *columns)

"""Feasible directions of a profile: binding bounds, tangent cones, and Newton's step inside them.

Everything here is pure JAX on ``[player axis]`` arrays and works for every space.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float
from numpy import ndarray

from rivalry.core.game import Game, jacobian, own_gradients, scales_of
from rivalry.core.space import Box, Profile, Scalar, Simplex, Space, directions, width
from rivalry.runtime.jax import jax, jnp

SLACK = 1e-9  # of the width: when an end is classified, closer points count as on the bound


def free(space: Space, x: Profile, gradient: Profile, slack: float = 0.0) -> Bool[Array, "player axis"]:
    """Return the entries without a binding bound: False where an entry cannot change and where the gradient
    presses against a bound.

    ``slack`` is the distance, in widths, at which an entry counts as on its bound. Spaces other than
    `Box` and `Simplex` are treated as unbounded.
    """
    if isinstance(space, Box):
        near = slack * (space.high - space.low)
        down = (x <= space.low + near) & (gradient < 0)
        up = (x >= space.high - near) & (gradient > 0)
        return space.mask & ~(down | up)
    if isinstance(space, Simplex):
        # all entries but the smallest ones whose gradient is not above the mean of the remaining ones
        at_bound = x <= space.min_share + slack

        def narrow(_: int | Array, entries: Array) -> Array:
            return space.mask & (~at_bound | (gradient > _mean(entries, gradient)))

        # entries only leave, since the mean of the rest rises: as many rounds as entries suffice
        return jax.lax.fori_loop(0, x.shape[1], narrow, space.mask)
    return jnp.asarray(space.mask)


def _mean(free_entries: Array, gradient: Profile) -> Float[Array, "player 1"]:
    # no free entry: the mean is not used, and 1 only avoids 0 / 0
    count = jnp.maximum(jnp.sum(free_entries, axis=1, keepdims=True), 1)
    return jnp.sum(jnp.where(free_entries, gradient, 0.0), axis=1, keepdims=True) / count


def project_gradient(space: Space, x: Profile, gradient: Profile, slack: float = 0.0) -> Profile:
    """Return the gradient's projection on the directions in which ``x`` may move in the space.

    It is the velocity of a gradient flow, and zero exactly where the flow rests.

    Examples
    --------
    >>> space = Box.interval(0.0, 1.0, players=2)
    >>> project_gradient(space, jnp.array([[0.0], [0.5]]), jnp.array([[-3.0], [2.0]])).ravel().tolist()
    [0.0, 2.0]
    """
    return project_on(space, free(space, x, gradient, slack), gradient)


def project_on(space: Space, free_entries: Bool[Array, "player axis"], gradient: Profile) -> Profile:
    """Return the gradient's projection on the directions of the free entries ``free_entries``."""
    shift = _mean(free_entries, gradient) if isinstance(space, Simplex) else 0.0
    return jnp.where(free_entries, gradient - shift, 0.0)


class Motion(NamedTuple):
    """A vector field of a dynamic in continuous time, with its conditions at rest.

    ``field(game, y)`` is the velocity [player axis] at a profile, which may be slightly outside the space;
    ``free(space, x, gradient, slack)`` marks the entries with equal gradients (on a simplex; elsewhere
    zero) where the motion rests. ``inside(game, x, y)`` is the profile of the space that a step from ``x``
    to about ``y`` leads to. ``in_all_directions`` says that stability is that of the field in all directions,
    not only in the free ones.
    """

    field: Callable[[Game, Profile], Profile]
    free: Callable[[Space, Profile, Profile, float], Bool[Array, "player axis"]]
    inside: Callable[[Game, Profile, Profile], Profile]
    in_all_directions: bool = False


def _climb(game: Game, y: Profile) -> Profile:
    # an integrator's stages may leave the space; evaluate the field at the nearest point inside
    return project_gradient(game.space, y, own_gradients(game, game.space.project(y)))


def _inside(game: Game, x: Profile, y: Profile) -> Profile:
    """The nearest profile of the space, with entries on bounds that they press against at a tiny distance.

    A step ends short of a bound by rounding of the solver, where the next ones would be as short.
    """
    space, nearest = game.space, game.space.project(y)
    gradient = own_gradients(game, nearest)
    outwards = -1.0 if isinstance(space, Simplex) else jnp.sign(gradient)
    pressed = space.mask & ~free(space, nearest, gradient, SLACK)
    return space.project(jnp.where(pressed, nearest + outwards * width(space), nearest))


CLIMB = Motion(_climb, free, _inside)
"""Every player follows its own gradient, as far as bounds let it."""


def projector(space: Space, free_entries: Bool[Array, "player axis"]) -> Float[Array, "row column"]:
    """Return the orthogonal projection on the directions of ``free_entries``, player-major."""
    flat = free_entries.ravel()
    if not isinstance(space, Simplex):
        return jnp.diag(flat.astype(float))
    owner = jnp.repeat(jnp.arange(free_entries.shape[0]), free_entries.shape[1])
    count = jnp.maximum(jnp.sum(free_entries, axis=1), 1)[owner]
    together = (owner[:, None] == owner[None, :]) & flat[:, None] & flat[None, :]
    return jnp.diag(flat.astype(float)) - together / count[:, None]


def all_directions(space: Space) -> ndarray:
    """Return an orthonormal basis ``[row direction]`` of the directions away from all bounds, player-major.

    Examples
    --------
    >>> all_directions(Simplex((2, 3))).shape
    (6, 3)
    """
    from scipy.linalg import block_diag

    return np.asarray(block_diag(*directions(space)))


def basis(projection: ndarray) -> ndarray:
    """Return an orthonormal basis ``[row direction]`` of the range of a projector.

    Examples
    --------
    >>> basis(np.diag([1.0, 0.0])).shape
    (2, 1)
    """
    values, vectors = np.linalg.eigh(np.asarray(projection))
    # eigenvalues of a projector are 0 and 1, up to rounding
    return vectors[:, values > 0.5]


def relative(game: Game, gradient: Profile) -> Profile:
    """Return gradients times the width of the space, in units of each player's payoff scale.

    They are 0 for entries that cannot change.
    """
    return jnp.where(game.space.mask, gradient * width(game.space), 0.0) / scales_of(game)[:, None]


def largest_gradient(game: Game, x: Profile, slack: float = 0.0) -> Scalar:
    """Return the largest projected gradient by `relative`: zero where every first-order condition holds."""
    projected = project_gradient(game.space, x, own_gradients(game, x), slack)
    return jnp.max(jnp.abs(relative(game, projected)))


def newton_step(game: Game, x: Profile, slack: float = 0.0) -> Profile:
    """Return Newton's displacement towards a root of the projected gradients.

    Not finite where it is singular.
    """
    gradient = own_gradients(game, x)
    keep = projector(game.space, free(game.space, x, gradient, slack))
    move: Array = jnp.linalg.solve(*newton_system(jacobian(game, x), keep, gradient.ravel()))
    return move.reshape(x.shape)


def newton_system(derivative: Any, keep: Any, gradient: Any) -> tuple[Any, Any]:
    """Return matrix and right side of Newton's step on the range of the projector ``keep``; NumPy's or JAX's.

    ``derivative [row column]``, ``keep [row column]`` and ``gradient [row]`` are player-major.
    """
    projected = keep @ derivative @ keep
    # of the Jacobian's own size, so that the filling does not worsen the condition; 1e-300 if all is 0
    size = abs(projected).max() + 1e-300
    # the identity fills entries at bounds, so that the matrix is regular where the free part is
    return projected - size * (np.eye(len(keep)) - keep), -keep @ gradient

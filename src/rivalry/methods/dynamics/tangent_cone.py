"""Which way a profile may move: bounds that hold, tangent cones, and Newton's step inside them.

Everything here is pure JAX on ``[player axis]`` arrays and works for every space.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float

from rivalry.core.game import Game, jacobian, own_gradients
from rivalry.core.jax import jax, jnp
from rivalry.core.space import Box, Profile, Simplex, Space, directions

SLACK = 1e-9  # of the width: as near to a bound counts as on it, where an end is judged


def free(space: Space, x: Profile, gradient: Profile, slack: float = 0.0) -> Bool[Array, "player axis"]:
    """Entries that no bound holds: False for padding and where the gradient presses against a bound.

    ``slack`` is the distance, in widths, at which an entry counts as on its bound. Spaces other than
    `Box` and `Simplex` are taken to have no bounds.
    """
    if isinstance(space, Box):
        near = slack * (space.high - space.low)
        down = (x <= space.low + near) & (gradient < 0)
        up = (x >= space.high - near) & (gradient > 0)
        return ~(down | up)
    if isinstance(space, Simplex):
        return _free_on_simplex(space.mask, x <= space.least + slack, gradient)
    return jnp.asarray(space.mask)


def _free_on_simplex(mask: Array, at_zero: Array, gradient: Profile) -> Bool[Array, "player axis"]:
    """Projection on a simplex's tangent cone leaves out least entries with less than the mean of the rest."""

    def narrow(_: int | Array, free_entries: Array) -> Array:
        return mask & (~at_zero | (gradient > _mean(free_entries, gradient)))

    found: Array = jax.lax.fori_loop(0, mask.shape[1], narrow, mask)
    return found


def _mean(free_entries: Array, gradient: Profile) -> Float[Array, "player 1"]:
    count = jnp.maximum(jnp.sum(free_entries, axis=1, keepdims=True), 1)
    return jnp.sum(jnp.where(free_entries, gradient, 0.0), axis=1, keepdims=True) / count


def along(space: Space, x: Profile, gradient: Profile, slack: float = 0.0) -> Profile:
    """The gradient's projection on the directions in which the space lets ``x`` move.

    It is what a gradient flow follows, and zero exactly where the flow rests.

    Examples
    --------
    >>> space = Box.interval(0.0, 1.0, players=2)
    >>> along(space, jnp.array([[0.0], [0.5]]), jnp.array([[-3.0], [2.0]])).ravel().tolist()
    [0.0, 2.0]
    """
    return among(space, free(space, x, gradient, slack), gradient)


def among(space: Space, free_entries: Bool[Array, "player axis"], gradient: Profile) -> Profile:
    """The gradient's projection on what the free entries ``free_entries`` allow."""
    shift = _mean(free_entries, gradient) if isinstance(space, Simplex) else 0.0
    return jnp.where(free_entries, gradient - shift, 0.0)


class Motion(NamedTuple):
    """What a dynamic follows in continuous time, and where it can rest.

    ``field(game, y)`` is the velocity [player axis] at a profile, which may stand a little outside the space;
    ``free(space, x, gradient, slack)`` tells which entries have equal gradients (on a simplex; elsewhere
    none) where the motion rests. ``inside(space, x, y)`` is the profile of the space that a step from ``x``
    to about ``y`` leads to. ``whole`` says that stability is that of the field in all directions, not only in
    those left free.
    """

    field: Callable[[Game, Profile], Profile]
    free: Callable[[Space, Profile, Profile, float], Bool[Array, "player axis"]]
    inside: Callable[[Space, Profile, Profile], Profile]
    whole: bool = False


def _climb(game: Game, y: Profile) -> Profile:
    # an integrator's stages may leave the space; they see it from its nearest point
    return along(game.space, y, own_gradients(game, game.space.project(y)))


def _nearest(space: Space, x: Profile, y: Profile) -> Profile:
    return space.project(y)


CLIMB = Motion(_climb, free, _nearest)
"""Every player follows its own gradient, as far as bounds let it."""


def projector(space: Space, free_entries: Bool[Array, "player axis"]) -> Float[Array, "row column"]:
    """The orthogonal projection on what the free entries ``free_entries`` allow, player-major."""
    flat = free_entries.ravel()
    if not isinstance(space, Simplex):
        return jnp.diag(flat.astype(float))
    owner = jnp.repeat(jnp.arange(free_entries.shape[0]), free_entries.shape[1])
    count = jnp.maximum(jnp.sum(free_entries, axis=1), 1)[owner]
    together = (owner[:, None] == owner[None, :]) & flat[:, None] & flat[None, :]
    return jnp.diag(flat.astype(float)) - together / count[:, None]


def all_directions(space: Space) -> np.ndarray:
    """An orthonormal basis ``[row direction]`` of the ways a profile may move off all bounds, player-major.

    Examples
    --------
    >>> all_directions(Simplex((2, 3))).shape
    (6, 3)
    """
    from scipy.linalg import block_diag

    return np.asarray(block_diag(*directions(space)))


def basis(projection: np.ndarray) -> np.ndarray:
    """An orthonormal basis ``[row direction]`` of what a projector keeps.

    Examples
    --------
    >>> basis(np.diag([1.0, 0.0])).shape
    (2, 1)
    """
    values, vectors = np.linalg.eigh(np.asarray(projection))
    return np.asarray(vectors[:, values > 0.5])


def pull(game: Game, x: Profile, slack: float = 0.0) -> Float[Array, ""]:
    """The largest entry of the projected gradient: zero where every player's first-order condition holds."""
    return jnp.max(jnp.abs(along(game.space, x, own_gradients(game, x), slack)))


def newton_step(game: Game, x: Profile, slack: float = 0.0) -> Profile:
    """Newton's displacement towards a root of the projected gradients; not finite where it is singular."""
    gradient = own_gradients(game, x)
    keep = projector(game.space, free(game.space, x, gradient, slack))
    move: Array = jnp.linalg.solve(*newton_system(jacobian(game, x), keep, gradient.ravel()))
    return move.reshape(x.shape)


def newton_system(derivative: Any, keep: Any, gradient: Any) -> tuple[Any, Any]:
    """Matrix and right side of Newton's step on what the projector ``keep`` lets move; NumPy's or JAX's.

    ``derivative [row column]``, ``keep [row column]`` and ``gradient [row]`` are player-major.
    """
    projected = keep @ derivative @ keep
    size = abs(projected).max() + 1e-300
    # the identity fills what bounds hold, so that the matrix is regular where the free part is
    return projected - size * (np.eye(len(keep)) - keep), -keep @ gradient

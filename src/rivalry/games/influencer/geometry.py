"""Between positions and resource points: differences, squares, and the nearest and farthest in a cell.

Positions ``x [player axis]`` may have more axes than the points, which come last and are no place: a reach.
"""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Array, Float, Int

from rivalry.core.jax import jnp
from rivalry.core.space import Profile, Strategy

Points = Float[Array, "point coordinate"]
Logs = Float[Array, "player point"]
PerPoint = Float[Array, "point"]
Pull = Callable[[Array], Profile]
Player = int | Int[Array, ""]


def apart(x: Profile, points: Points) -> Float[Array, "player point coordinate"]:
    """``b - x``."""
    return points[None, :, :] - x[:, None, : points.shape[1]]


def square(x: Profile, points: Points) -> Logs:
    """``|b - x|^2``."""
    first, *others = (jnp.square(points[:, a] - x[:, a, None]) for a in range(points.shape[1]))
    return sum(others, first)


def mean_apart(weights: Logs, x: Profile, points: Points) -> Float[Array, "player coordinate"]:
    """``sum_k w_ik (b_k - x_i)``: one fused pass an axis, faster than a small matrix product."""
    axes = range(points.shape[1])
    return jnp.stack([jnp.sum(weights * (points[:, a] - x[:, a, None]), axis=1) for a in axes], axis=1)


def nearest(low: Strategy, high: Strategy, points: Points) -> Float[Array, "point coordinate"]:
    """From each point's nearest position in the cell to the point."""
    return points - jnp.clip(points, low, high)


def farthest(low: Strategy, high: Strategy, points: Points) -> Float[Array, "point coordinate"]:
    """The largest distance along each axis from a point to the cell."""
    return jnp.maximum(jnp.abs(points - low), jnp.abs(points - high))

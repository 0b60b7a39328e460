"""Kernels: the logarithm of each player's influence at every point, and its derivatives in the own position.

A kernel offers, for positions ``x [player axis]`` and ``points [point axis]``:

- ``logs(x, points) -> [player point]``;
- ``logs_and_pull(x, points)``: the same, and the map from weights ``[player point]`` to
  ``sum_k w_ik d log f_i(b_k) / dx_i``, ``[player axis]``, which is all that gradients need;
- ``slopes(x, points) -> [player point axis]`` and ``curvatures(x, points) -> [player point axis axis]``;

and, where they are known (on intervals and boxes, not for kernels of one's own), on a cell of positions
``[low, high]``, per point:

- ``peak`` and ``trough``: a log-influence that no position exceeds, and one that none falls below;
- ``steepest``: bounds ``[point axis]`` on ``|d log f / dx_a|`` and ``|d^2 log f / dx_a^2|``.

Parameters are array leaves with one entry a player.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import equinox as eqx
from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp
from rivalry.core.space import Profile, Strategy
from rivalry.games.influencer.chosen_reach import ChosenReach
from rivalry.games.influencer.geometry import (
    Logs,
    PerPoint,
    Player,
    Points,
    Pull,
    apart,
    farthest,
    mean_apart,
    nearest,
    square,
)
from rivalry.games.influencer.simplex_kernels import Blotto, Dirichlet

K = TypeVar("K")

__all__ = [
    "Blotto",
    "ChosenReach",
    "Custom",
    "Dirichlet",
    "Exponential",
    "Gaussian",
    "GaussianMatrix",
    "Kernel",
    "PowerLaw",
    "alone",
]


def alone(kernel: K, player: Player, rows: int) -> K:
    """The kernel of ``rows`` players who are all like ``player``: one player's influence from many places."""
    if isinstance(kernel, PowerLaw):  # its floor is everyone's
        return PowerLaw(jnp.broadcast_to(kernel.exponent[player], rows), kernel.floor)  # type: ignore[return-value]
    return jax.tree.map(  # type: ignore[no-any-return]
        lambda leaf: jnp.broadcast_to(leaf[player], (rows, *leaf.shape[1:])), kernel
    )


class Gaussian(eqx.Module):
    """``log f = -|b - x|^2 / 2 s^2``; ``reach`` s is a standard deviation in every direction.

    ``normalised`` adds the logarithm of the density's prefactor, ``-L log(s sqrt(2 pi))``.
    """

    reach: Float[Array, "player"]
    normalised: bool = eqx.field(static=True, default=False)

    def logs(self, x: Profile, points: Points) -> Logs:
        logs = square(x, points) * (-0.5 / self.reach**2)[:, None]
        if self.normalised:
            logs = logs - points.shape[1] * jnp.log(self.reach * jnp.sqrt(2 * jnp.pi))[:, None]
        return logs

    def logs_and_pull(self, x: Profile, points: Points) -> tuple[Logs, Pull]:
        def pull(weights: Array) -> Profile:
            # one matrix product instead of a pass over [player point axis]
            return mean_apart(weights, x, points) / self.reach[:, None] ** 2

        return self.logs(x, points), pull

    def slopes(self, x: Profile, points: Points) -> Float[Array, "player point axis"]:
        return apart(x, points) / self.reach[:, None, None] ** 2

    def curvatures(self, x: Profile, points: Points) -> Float[Array, "player point axis axis"]:
        one = -jnp.eye(points.shape[1]) / self.reach[:, None, None] ** 2
        return jnp.broadcast_to(one[:, None], (x.shape[0], *points.shape, points.shape[1]))

    def peak(self, player: Player, low: Strategy, high: Strategy, points: Points) -> PerPoint:
        return self._at(player, nearest(low, high, points))

    def trough(self, player: Player, low: Strategy, high: Strategy, points: Points) -> PerPoint:
        return self._at(player, farthest(low, high, points))

    def steepest(self, player: Player, low: Strategy, high: Strategy, points: Points) -> tuple[Array, Array]:
        width = self.reach[player] ** 2
        return farthest(low, high, points) / width, jnp.broadcast_to(1 / width, points.shape)

    def _at(self, player: Player, q: Float[Array, "point axis"]) -> PerPoint:
        reach = self.reach[player]
        logs = -0.5 * jnp.sum(q**2, axis=-1) / reach**2
        if self.normalised:
            logs = logs - q.shape[1] * jnp.log(reach * jnp.sqrt(2 * jnp.pi))
        return logs


class GaussianMatrix(eqx.Module):
    """``log f = -(b - x)' S^-1 (b - x) / 2`` with the covariance ``S = variance * covariance``.

    ``variance`` is the number that is swept; ``covariance`` gives the shape.
    """

    variance: Float[Array, "player"]
    covariance: Float[Array, "player axis axis"]
    normalised: bool = eqx.field(static=True, default=False)

    @property
    def precision(self) -> Float[Array, "player axis axis"]:
        """``S^-1``."""
        return jnp.linalg.inv(self.covariance) / self.variance[:, None, None]  # type: ignore[no-any-return]

    def logs(self, x: Profile, points: Points) -> Logs:
        q = apart(x, points)
        logs = -0.5 * jnp.sum(jnp.matmul(q, self.precision) * q, axis=-1)
        return logs + self._prefactor()[:, None]

    def logs_and_pull(self, x: Profile, points: Points) -> tuple[Logs, Pull]:
        def pull(weights: Array) -> Profile:
            mean = mean_apart(weights, x, points)
            return jnp.matmul(self.precision, mean[..., None])[..., 0]

        return self.logs(x, points), pull

    def slopes(self, x: Profile, points: Points) -> Float[Array, "player point axis"]:
        return jnp.matmul(apart(x, points), self.precision)

    def curvatures(self, x: Profile, points: Points) -> Float[Array, "player point axis axis"]:
        return jnp.broadcast_to(-self.precision[:, None], (x.shape[0], *points.shape, points.shape[1]))

    def peak(self, player: Player, low: Strategy, high: Strategy, points: Points) -> PerPoint:
        # the quadratic form is at least its smallest eigenvalue times the squared distance
        least = jnp.linalg.eigvalsh(self.precision[player])[0]
        return -0.5 * least * jnp.sum(nearest(low, high, points) ** 2, axis=-1) + self._prefactor()[player]  # type: ignore[no-any-return]

    def trough(self, player: Player, low: Strategy, high: Strategy, points: Points) -> PerPoint:
        most = jnp.linalg.eigvalsh(self.precision[player])[-1]
        return -0.5 * most * jnp.sum(farthest(low, high, points) ** 2, axis=-1) + self._prefactor()[player]  # type: ignore[no-any-return]

    def steepest(self, player: Player, low: Strategy, high: Strategy, points: Points) -> tuple[Array, Array]:
        precision = self.precision[player]
        slope = farthest(low, high, points) @ jnp.abs(precision)
        return slope, jnp.broadcast_to(jnp.diagonal(precision), points.shape)

    def _prefactor(self) -> Float[Array, "player"]:
        if not self.normalised:
            return jnp.zeros(self.variance.shape)
        axes = self.covariance.shape[-1]
        size = jnp.linalg.slogdet(self.covariance)[1] + axes * jnp.log(2 * jnp.pi * self.variance)
        return jnp.asarray(-0.5 * size)


class PowerLaw(eqx.Module):
    """Jones's kernel ``log f = -P log max(|b - x|, floor)``, on an interval."""

    exponent: Float[Array, "player"]
    floor: Float[Array, ""]

    def logs(self, x: Profile, points: Points) -> Logs:
        return -self.exponent[:, None] * jnp.log(jnp.maximum(self._distance(x, points), self.floor))

    def logs_and_pull(self, x: Profile, points: Points) -> tuple[Logs, Pull]:
        def pull(weights: Array) -> Profile:
            return jnp.sum(weights[..., None] * self.slopes(x, points), axis=1)

        return self.logs(x, points), pull

    def slopes(self, x: Profile, points: Points) -> Float[Array, "player point axis"]:
        q = apart(x, points)
        outside = jnp.abs(q) > self.floor
        return jnp.where(outside, self.exponent[:, None, None] / jnp.where(outside, q, 1.0), 0.0)

    def curvatures(self, x: Profile, points: Points) -> Float[Array, "player point axis axis"]:
        q = apart(x, points)
        outside = jnp.abs(q) > self.floor
        return jnp.where(outside, self.exponent[:, None, None] / jnp.where(outside, q, 1.0) ** 2, 0.0)[
            ..., None
        ]

    def peak(self, player: Player, low: Strategy, high: Strategy, points: Points) -> PerPoint:
        distance = jnp.abs(nearest(low, high, points)[:, 0])
        return -self.exponent[player] * jnp.log(jnp.maximum(distance, self.floor))

    def _distance(self, x: Profile, points: Points) -> Logs:
        return jnp.abs(apart(x, points)[..., 0])


class Exponential(eqx.Module):
    """``log f = -b/x - log x`` for positions and points above 0, on an interval."""

    def logs(self, x: Profile, points: Points) -> Logs:
        return -points[:, 0] / x - jnp.log(x)

    def logs_and_pull(self, x: Profile, points: Points) -> tuple[Logs, Pull]:
        def pull(weights: Array) -> Profile:
            return jnp.sum(weights * (points[:, 0] / x**2 - 1 / x), axis=1, keepdims=True)

        return self.logs(x, points), pull

    def slopes(self, x: Profile, points: Points) -> Float[Array, "player point axis"]:
        return (points[:, 0] / x**2 - 1 / x)[..., None]

    def curvatures(self, x: Profile, points: Points) -> Float[Array, "player point axis axis"]:
        return (-2 * points[:, 0] / x**3 + 1 / x**2)[..., None, None]

    def peak(self, player: Player, low: Strategy, high: Strategy, points: Points) -> PerPoint:
        best = jnp.clip(points[:, 0], low[0], high[0])  # rises up to x = b, falls beyond
        return self._at(best, points)

    def trough(self, player: Player, low: Strategy, high: Strategy, points: Points) -> PerPoint:
        return jnp.minimum(self._at(low, points), self._at(high, points))

    def steepest(self, player: Player, low: Strategy, high: Strategy, points: Points) -> tuple[Array, Array]:
        # largest at an end of the cell, or where the next derivative vanishes: x = 2b and x = 3b
        b = points[:, :1]
        places = [jnp.clip(y, low, high) for y in (low, high, 2 * b, 3 * b)]
        slopes = [jnp.abs(b / y**2 - 1 / y) for y in places]
        bends = [jnp.abs(-2 * b / y**3 + 1 / y**2) for y in places]
        return jnp.max(jnp.stack(jnp.broadcast_arrays(*slopes)), axis=0), jnp.max(
            jnp.stack(jnp.broadcast_arrays(*bends)), axis=0
        )

    def _at(self, x: Array, points: Points) -> PerPoint:
        return -points[:, 0] / x - jnp.log(x)


class Custom(eqx.Module):
    """A kernel of one's own: ``log_influence(x, b, parameters) -> float`` of one player and point.

    ``x`` and ``b`` are numbers on an interval and ``[axis]`` on a box or a simplex.
    ``parameters`` holds arrays with one entry a player; the function gets the player's own.
    """

    log_influence: Callable[[Strategy, Strategy, dict[str, Array]], Array] = eqx.field(static=True)
    parameters: dict[str, Float[Array, "player"]]

    def logs(self, x: Profile, points: Points) -> Logs:
        return jax.vmap(self._row, in_axes=(0, 0, None))(x, self.parameters, points)

    def logs_and_pull(self, x: Profile, points: Points) -> tuple[Logs, Pull]:
        # only the own log-kernel is differentiated, once, for all players together
        logs, back = jax.vjp(lambda y: self.logs(y, points), x)
        return logs, lambda weights: back(weights)[0]

    def slopes(self, x: Profile, points: Points) -> Float[Array, "player point axis"]:
        own = jax.jacfwd(self._row)
        return jax.vmap(own, in_axes=(0, 0, None))(x, self.parameters, points)  # type: ignore[no-any-return]

    def curvatures(self, x: Profile, points: Points) -> Float[Array, "player point axis axis"]:
        own = jax.jacfwd(jax.jacfwd(self._row))
        return jax.vmap(own, in_axes=(0, 0, None))(x, self.parameters, points)  # type: ignore[no-any-return]

    def _row(self, x: Strategy, parameters: dict[str, Array], points: Points) -> Float[Array, "point"]:
        # on an interval positions and points are numbers, on a box arrays
        if points.shape[1] == 1:
            return jax.vmap(lambda b: self.log_influence(x[0], b, parameters))(points[:, 0])
        return jax.vmap(lambda b: self.log_influence(x, b, parameters))(points)


Kernel = Gaussian | GaussianMatrix | PowerLaw | Exponential | Dirichlet | Blotto | ChosenReach | Custom

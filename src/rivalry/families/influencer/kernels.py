"""Kernels: the logarithm of each player's influence at every point, and its derivatives in its own position.

For positions ``x [player axis]`` and ``points [point axis]`` a kernel has

- ``parameters``, its arrays by name, one entry per player;
- ``logs(x, points)``, the log-influence ``[player point]``;
- ``vjp(x, points, weights)``, the vector-Jacobian product ``sum_k w_ik d log f_i(b_k) / dx_i``, ``[player
  axis]``, from which gradients of payoffs are computed;
- ``gradients(x, points) -> [player point axis]`` and ``hessians(x, points) -> [player point axis axis]`` of
  log-influence.

Gaussian kernels also bound log-influence over a box of positions ``[low, high]``, per point:

- ``upper_bound`` and ``lower_bound``, which no position in the box exceeds or falls below;
- ``derivative_bounds``, bounds ``[point axis]`` on ``|d log f / dx_a|`` and ``|d^2 log f / dx_a^2|``.

Positions may have one axis more than the points: a chosen reach, which comes last.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import fields
from typing import Any, NamedTuple, TypeVar

import equinox as eqx
from jaxtyping import Array, Float, Int

from rivalry.core.space import PerPlayer, Profile, Scalar, Strategy
from rivalry.core.tree import static
from rivalry.runtime.jax import jax, jnp

K = TypeVar("K")

Points = Float[Array, "point coordinate"]
Logs = Float[Array, "player point"]
PerPoint = Float[Array, "point"]
Gradients = Float[Array, "player point axis"]
Hessians = Float[Array, "player point axis axis"]
Pair = tuple[Float[Array, "point axis"], Float[Array, "point axis"]]
Player = int | Int[Array, ""]


def displacement(x: Profile, points: Points) -> Float[Array, "player point coordinate"]:
    """Return ``b - x``."""
    # a chosen reach, the last axis of a position, is no coordinate
    return points[None, :, :] - x[:, None, : points.shape[1]]


def squared_distance(x: Profile, points: Points) -> Logs:
    """Return ``|b - x|^2``."""
    square, *further = (jnp.square(points[:, a] - x[:, a, None]) for a in range(points.shape[1]))
    return sum(further, square)


def weighted_displacement(weights: Logs, x: Profile, points: Points) -> Float[Array, "player coordinate"]:
    """Return ``sum_k w_ik (b_k - x_i)``."""
    # one fused pass per axis is faster than a small matrix product
    axes = range(points.shape[1])
    return jnp.stack([jnp.sum(weights * (points[:, a] - x[:, a, None]), axis=1) for a in axes], axis=1)


class Region(NamedTuple):
    """The strategies of one player between ``low`` and ``high``, and the points of the resource."""

    low: Strategy
    high: Strategy
    points: Points

    @property
    def nearest(self) -> Points:
        """The vector to each point from the nearest position."""
        axes = self.points.shape[1]
        return self.points - jnp.clip(self.points, self.low[:axes], self.high[:axes])

    @property
    def farthest(self) -> Points:
        """The largest distance along each axis from a point to a position."""
        axes = self.points.shape[1]
        return jnp.maximum(jnp.abs(self.points - self.low[:axes]), jnp.abs(self.points - self.high[:axes]))


class _Kernel(eqx.Module):
    """Defaults of kernels in closed form: every array is a parameter, and ``vjp`` is summed over points."""

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if not field.metadata.get("static")
        }

    def vjp(self, x: Profile, points: Points, weights: Logs) -> Profile:
        return jnp.sum(weights[..., None] * self.gradients(x, points), axis=1)

    @abstractmethod
    def gradients(self, x: Profile, points: Points) -> Gradients:
        """Return the derivatives of log-influence."""


class Gaussian(_Kernel):
    """Gaussian influence, ``log f = -|b - x|^2 / 2 s^2``; the reach s is a standard deviation.

    ``normalised`` adds the logarithm of the density's prefactor on L axes, ``-L log(s sqrt(2 pi))``.
    """

    reach: PerPlayer
    normalised: bool = static(default=False)

    def logs(self, x: Profile, points: Points) -> Logs:
        logs = squared_distance(x, points) * (-0.5 / self.reach**2)[:, None]
        if self.normalised:
            logs = logs - points.shape[1] * jnp.log(self.reach * jnp.sqrt(2 * jnp.pi))[:, None]
        return logs

    def vjp(self, x: Profile, points: Points, weights: Logs) -> Profile:
        return weighted_displacement(weights, x, points) / self.reach[:, None] ** 2

    def gradients(self, x: Profile, points: Points) -> Gradients:
        return displacement(x, points) / self.reach[:, None, None] ** 2

    def hessians(self, x: Profile, points: Points) -> Hessians:
        matrix = -jnp.eye(points.shape[1]) / self.reach[:, None, None] ** 2
        return jnp.broadcast_to(matrix[:, None], (x.shape[0], *points.shape, points.shape[1]))

    def upper_bound(self, player: Player, region: Region) -> PerPoint:
        # influence falls with distance: highest at the nearest position, lowest at the farthest
        return self._at(player, region.nearest)

    def lower_bound(self, player: Player, region: Region) -> PerPoint:
        return self._at(player, region.farthest)

    def derivative_bounds(self, player: Player, region: Region) -> Pair:
        width = self.reach[player] ** 2
        return region.farthest / width, jnp.broadcast_to(1 / width, region.points.shape)

    def _at(self, player: Player, q: Float[Array, "point axis"]) -> PerPoint:
        return _log_gaussian(jnp.sum(q**2, axis=-1), self.reach[player], q.shape[1], self.normalised)


def _log_gaussian(squares: Array, reach: Array, axes: int, normalised: bool) -> Array:
    """Return the logarithm of a Gaussian at squared distances; ``normalised`` to the density on ``axes``."""
    logs = -0.5 * squares / reach**2
    return logs - axes * jnp.log(reach * jnp.sqrt(2 * jnp.pi)) if normalised else logs


class GaussianMatrix(_Kernel):
    """Gaussian influence, ``log f = -(b - x)' S^-1 (b - x) / 2``, with ``S = variance * covariance``.

    The covariance gives the shape; the variance gives the size, which sweeps change.
    """

    variance: PerPlayer
    covariance: Float[Array, "player axis axis"]
    normalised: bool = static(default=False)

    @property
    def precision(self) -> Float[Array, "player axis axis"]:
        """The inverse of ``S``."""
        return jnp.linalg.inv(self.covariance) / self.variance[:, None, None]

    def logs(self, x: Profile, points: Points) -> Logs:
        q = displacement(x, points)
        logs = -0.5 * jnp.sum(jnp.matmul(q, self.precision) * q, axis=-1)
        return logs + self._prefactor()[:, None]

    def vjp(self, x: Profile, points: Points, weights: Logs) -> Profile:
        mean = weighted_displacement(weights, x, points)
        return jnp.matmul(self.precision, mean[..., None])[..., 0]

    def gradients(self, x: Profile, points: Points) -> Gradients:
        return jnp.matmul(displacement(x, points), self.precision)

    def hessians(self, x: Profile, points: Points) -> Hessians:
        return jnp.broadcast_to(-self.precision[:, None], (x.shape[0], *points.shape, points.shape[1]))

    def upper_bound(self, player: Player, region: Region) -> PerPoint:
        # the quadratic form is at least its smallest eigenvalue times the squared distance
        smallest = jnp.linalg.eigvalsh(self.precision[player])[0]
        return -0.5 * smallest * jnp.sum(region.nearest**2, axis=-1) + self._prefactor()[player]

    def lower_bound(self, player: Player, region: Region) -> PerPoint:
        largest = jnp.linalg.eigvalsh(self.precision[player])[-1]
        return -0.5 * largest * jnp.sum(region.farthest**2, axis=-1) + self._prefactor()[player]

    def derivative_bounds(self, player: Player, region: Region) -> Pair:
        precision = self.precision[player]
        slope = region.farthest @ jnp.abs(precision)
        return slope, jnp.broadcast_to(jnp.diagonal(precision), region.points.shape)

    def _prefactor(self) -> PerPlayer:
        if not self.normalised:
            return jnp.zeros(self.variance.shape)
        axes = self.covariance.shape[-1]
        size = jnp.linalg.slogdet(self.covariance)[1] + axes * jnp.log(2 * jnp.pi * self.variance)
        return jnp.asarray(-0.5 * size)


class ChosenReach(_Kernel):
    """Gaussian influence with reach s chosen by the players, as the last axis of their strategies.

    ``normalised`` adds the logarithm of the density's prefactor on L axes, ``-L log(s sqrt(2 pi))``, so that
    a wider reach is weaker.
    """

    normalised: bool = static(default=False)

    def logs(self, x: Profile, points: Points) -> Logs:
        return _log_gaussian(squared_distance(x, points), x[:, -1:], points.shape[1], self.normalised)

    def vjp(self, x: Profile, points: Points, weights: Logs) -> Profile:
        along = weighted_displacement(weights, x, points) / x[:, -1:] ** 2
        wider = jnp.sum(weights * self._reach_slope(x, points), axis=1, keepdims=True)
        return jnp.concatenate([along, wider], axis=1)

    def gradients(self, x: Profile, points: Points) -> Gradients:
        along = displacement(x, points) / x[:, None, -1:] ** 2
        return jnp.concatenate([along, self._reach_slope(x, points)[..., None]], axis=-1)

    def hessians(self, x: Profile, points: Points) -> Hessians:
        axes = points.shape[1]
        reach = x[:, None, -1:, None]
        place = jnp.broadcast_to(-jnp.eye(axes) / reach**2, (len(x), len(points), axes, axes))
        mixed = (-2 * displacement(x, points) / x[:, None, -1:] ** 3)[..., None]
        corner = (-3 * squared_distance(x, points) / x[:, -1:] ** 4)[..., None, None]
        corner = corner + (axes / reach**2 if self.normalised else 0.0)
        top = jnp.concatenate([place, mixed], axis=-1)
        return jnp.concatenate(
            [top, jnp.concatenate([jnp.swapaxes(mixed, -1, -2), corner], axis=-1)], axis=-2
        )

    def upper_bound(self, player: Player, region: Region) -> PerPoint:
        squares = jnp.sum(region.nearest**2, axis=-1)
        width = region.high[-1]
        if self.normalised:  # rises up to s^2 = |b - x|^2 / L, falls beyond
            width = jnp.clip(jnp.sqrt(squares / region.points.shape[1]), region.low[-1], region.high[-1])
        return _log_gaussian(squares, width, region.points.shape[1], self.normalised)

    def lower_bound(self, player: Player, region: Region) -> PerPoint:
        squares = jnp.sum(region.farthest**2, axis=-1)
        # in the reach, log-influence rises and then falls (or only rises): it is lowest at an end
        ends = jnp.stack([region.low[-1:], region.high[-1:]])
        return jnp.min(_log_gaussian(squares, ends, region.points.shape[1], self.normalised), axis=0)

    def derivative_bounds(self, player: Player, region: Region) -> Pair:
        farthest_offsets = region.farthest
        # every term falls in the reach, so the smallest reach bounds it
        squares, reach = jnp.sum(farthest_offsets**2, axis=-1, keepdims=True), region.low[-1]
        thinned = region.points.shape[1] * self.normalised
        slope, bend = squares / reach**3, 3 * squares / reach**4
        # the two terms have opposite signs: the larger bounds their sum
        slope, bend = jnp.maximum(slope, thinned / reach), jnp.maximum(bend, thinned / reach**2)
        flat = jnp.broadcast_to(1 / reach**2, region.points.shape)
        return jnp.concatenate([farthest_offsets / reach**2, slope], axis=1), jnp.concatenate(
            [flat, bend], axis=1
        )

    def _reach_slope(self, x: Profile, points: Points) -> Logs:
        """Return the derivative in the reach."""
        falling = points.shape[1] / x[:, -1:] if self.normalised else 0.0
        return squared_distance(x, points) / x[:, -1:] ** 3 - falling


class PowerLaw(_Kernel):
    """Jones's power law, ``log f = -P log max(|b - x|, floor)``, on an interval."""

    exponent: PerPlayer
    floor: Scalar

    @property
    def parameters(self) -> dict[str, Any]:
        return {"exponent": self.exponent}

    def logs(self, x: Profile, points: Points) -> Logs:
        distance = jnp.abs(displacement(x, points)[..., 0])
        return -self.exponent[:, None] * jnp.log(jnp.maximum(distance, self.floor))

    def gradients(self, x: Profile, points: Points) -> Gradients:
        return self._over_distance(x, points, 1)

    def hessians(self, x: Profile, points: Points) -> Hessians:
        return self._over_distance(x, points, 2)[..., None]

    def _over_distance(self, x: Profile, points: Points, power: int) -> Float[Array, "player point 1"]:
        """Return ``P / (b - x)^power``, and 0 within the floor, where influence is constant."""
        q = displacement(x, points)
        # jnp.where computes both branches: the inner one avoids a division by 0 in the unused one
        outside = jnp.abs(q) > self.floor
        return jnp.where(outside, self.exponent[:, None, None] / jnp.where(outside, q, 1.0) ** power, 0.0)


class Exponential(_Kernel):
    """Exponential influence, ``log f = -b/x - log x``, for positions and points above 0 on an interval."""

    def logs(self, x: Profile, points: Points) -> Logs:
        return -points[:, 0] / x - jnp.log(x)

    def gradients(self, x: Profile, points: Points) -> Gradients:
        return (points[:, 0] / x**2 - 1 / x)[..., None]

    def hessians(self, x: Profile, points: Points) -> Hessians:
        return (-2 * points[:, 0] / x**3 + 1 / x**2)[..., None, None]


class Dirichlet(_Kernel):
    """Influence on a simplex by the density of a Dirichlet distribution at the point.

    Its parameters are ``a_l = alpha x_l / x_c``, and ``a_c = alpha`` at the reference corner c (counted from
    0). The density peaks near the position, and is narrower for larger ``alpha``. Derivatives are ambient:
    each share is varied alone.
    """

    alpha: PerPlayer
    reference_corner: int = static(default=0)

    def logs(self, x: Profile, points: Points) -> Logs:
        from jax.scipy.special import gammaln

        a = self._parameters_at(x)
        # in logarithms: gamma functions of large parameters overflow
        normaliser = gammaln(a.sum(axis=1)) - gammaln(a).sum(axis=1)
        return (a - 1) @ jnp.log(points).T + normaliser[:, None]

    def vjp(self, x: Profile, points: Points, weights: Logs) -> Profile:
        level = self._level(self._parameters_at(x))
        mean = weights @ jnp.log(points) + jnp.sum(weights, axis=1, keepdims=True) * level
        return self._slopes(mean, x)

    def gradients(self, x: Profile, points: Points) -> Gradients:
        logs = jnp.log(points)[None] + self._level(self._parameters_at(x))[:, None]
        return jax.vmap(self._slopes, in_axes=(1, None), out_axes=1)(logs, x)

    def hessians(self, x: Profile, points: Points) -> Hessians:
        from jax.scipy.special import polygamma

        a, c = self._parameters_at(x), self.reference_corner
        axes = x.shape[1]
        others_mask = jnp.arange(axes) != c
        ratio = (self.alpha / x[:, c])[:, None]
        unit = jnp.eye(axes)
        # da_l/dx_m: the ratio where l = m, and -a_l / x_c at the reference corner's share
        chain = jnp.where(others_mask[:, None], ratio[..., None] * unit, 0.0)
        chain = chain - (jnp.where(others_mask, a, 0.0) / x[:, c, None])[..., None] * unit[c]
        curvature = polygamma(1, a.sum(axis=1))[:, None, None] - polygamma(1, a)[..., None] * unit
        second = jnp.einsum("ila,ilm,imb->iab", chain, curvature, chain)
        # weights of e_l: d^2 a_l / dx_l dx_c = -ratio / x_c, and d^2 a_l / dx_c^2 = 2 a_l / x_c^2
        logs = jnp.where(others_mask, jnp.log(points)[None] + self._level(a)[:, None], 0.0)
        mixed = -(ratio / x[:, c, None])[:, None] * logs
        corner = jnp.sum(2 * a[:, None] * logs, axis=-1) / x[:, c, None] ** 2
        mixed_terms = mixed[..., :, None] * unit[c] + mixed[..., None, :] * unit[c][:, None]
        return second[:, None] + mixed_terms + corner[..., None, None] * (unit[c][:, None] * unit[c])

    def in_fractions(self, t: Profile, x: Profile, points: Points, floor: float) -> Array:
        """Return derivatives of log-influence in fractions, up to positive factors, ``[player axis point]``.

        The reference corner is the first. Shares ``x`` are those of fractions ``t``: each entry takes a
        fraction of what those before it leave, and no share is below ``floor``.
        """
        from jax.scipy.special import digamma

        # digamma less the logarithm is bounded well; a parameter's logarithm is that of sum and share
        total = self.alpha / x[:, 0]
        parameters = self.alpha[:, None] * x[:, 1:] / x[:, :1]
        logs = (
            jnp.log(points)[None, :, 1:]
            - (jnp.log(x[:, 1:]) + (digamma(parameters) - jnp.log(parameters)))[:, None]
        )
        spare = 1 - floor * points.shape[1]
        after, slopes = logs[..., -1], []  # the mean over all later corners, by their shares
        for axis in range(t.shape[1] - 1, 0, -1):
            slopes.append(logs[..., axis - 1] - after)
            after = t[:, axis, None] * logs[..., axis - 1] + (1 - t[:, axis, None]) * after
        # the others lose, also by the quotient, whose divisor is the first share
        level = (digamma(total) - jnp.log(total))[:, None]
        level_sum = jnp.sum(logs, axis=-1) + (points.shape[1] - 1) * level
        slopes.append(-((floor + spare) * (after + level) + floor * level_sum))
        return jnp.stack(slopes[::-1], axis=1)

    def _parameters_at(self, x: Profile) -> Profile:
        c = self.reference_corner
        return (self.alpha[:, None] * x / x[:, c, None]).at[:, c].set(self.alpha)

    def _level(self, a: Profile) -> Profile:
        """Return the part of ``d log f / d a_l = log b_l + level`` that is the same at every point."""
        from jax.scipy.special import digamma

        return digamma(a.sum(axis=1, keepdims=True)) - digamma(a)

    def _slopes(self, logs: Profile, x: Profile) -> Profile:
        """Return derivatives in the position from those in the parameters."""
        c = self.reference_corner
        others_mask = jnp.arange(x.shape[1]) != c
        slopes = jnp.where(others_mask, logs * (self.alpha / x[:, c])[:, None], 0.0)
        return slopes.at[:, c].set(-jnp.sum(x * slopes, axis=1) / x[:, c])


class DirichletMode(_Kernel):
    """Influence on a simplex by the density of a Dirichlet distribution whose mode is the position.

    Its parameters are ``a_l = 1 + x_l / s`` with the reach s. On the simplex ``sum a = L + 1/s``, so that the
    mode ``(a_l - 1) / (sum a - L)`` is x. Log-influence is concave in the position, with the same second
    derivative at every point. Derivatives are ambient, with the sum of parameters held.
    """

    reach: PerPlayer

    def logs(self, x: Profile, points: Points) -> Logs:
        from jax.scipy.special import gammaln

        above = x / self.reach[:, None]
        normaliser = gammaln(points.shape[1] + 1 / self.reach) - gammaln(1 + above).sum(axis=1)
        return above @ jnp.log(points).T + normaliser[:, None]

    def vjp(self, x: Profile, points: Points, weights: Logs) -> Profile:
        level = jnp.sum(weights, axis=1, keepdims=True) * self._level(x)
        return (weights @ jnp.log(points) - level) / self.reach[:, None]

    def gradients(self, x: Profile, points: Points) -> Gradients:
        return (jnp.log(points)[None] - self._level(x)[:, None]) / self.reach[:, None, None]

    def hessians(self, x: Profile, points: Points) -> Hessians:
        from jax.scipy.special import polygamma

        bend = -polygamma(1, 1 + x / self.reach[:, None]) / self.reach[:, None] ** 2
        matrix = bend[..., None] * jnp.eye(x.shape[1])
        return jnp.broadcast_to(matrix[:, None], (x.shape[0], *points.shape, x.shape[1]))

    def _level(self, x: Profile) -> Profile:
        from jax.scipy.special import digamma

        return digamma(1 + x / self.reach[:, None])


class Beta(_Kernel):
    """Influence on [0, 1] by the density of a Beta distribution whose mode is the position.

    Its parameters are ``1 + x/s`` and ``1 + (1 - x)/s`` with the reach s: `DirichletMode` with two corners,
    whose shares are x and 1 - x.
    """

    reach: PerPlayer

    def logs(self, x: Profile, points: Points) -> Logs:
        return DirichletMode(self.reach).logs(corners_of(x), corners_of(points))

    def vjp(self, x: Profile, points: Points, weights: Logs) -> Profile:
        slopes = DirichletMode(self.reach).vjp(corners_of(x), corners_of(points), weights)
        return slopes[:, :1] - slopes[:, 1:]

    def gradients(self, x: Profile, points: Points) -> Gradients:
        slopes = DirichletMode(self.reach).gradients(corners_of(x), corners_of(points))
        return slopes[..., :1] - slopes[..., 1:]

    def hessians(self, x: Profile, points: Points) -> Hessians:
        bends = DirichletMode(self.reach).hessians(corners_of(x), corners_of(points))
        return jnp.trace(bends, axis1=-2, axis2=-1)[..., None, None]


def corners_of(at: Array) -> Array:
    """Return the shares ``[.. 2]`` of two corners at positions or points of [0, 1], ``[.. 1]``."""
    return jnp.concatenate([at, 1 - at], axis=-1)


class Blotto(_Kernel):
    """Blotto contest, ``log f = p log x_k`` at corner k: a battlefield is won in proportion to ``x_k^p``."""

    exponent: PerPlayer

    def logs(self, x: Profile, points: Points) -> Logs:
        # points are unit vectors: the position of the 1 is the battlefield
        return self.exponent[:, None] * jnp.log(x[:, jnp.argmax(points, axis=1)])

    def vjp(self, x: Profile, points: Points, weights: Logs) -> Profile:
        return self.exponent[:, None] * (weights @ points) / x

    def gradients(self, x: Profile, points: Points) -> Gradients:
        return self.exponent[:, None, None] * points[None] / x[:, None]

    def hessians(self, x: Profile, points: Points) -> Hessians:
        bend = -self.exponent[:, None, None] * points[None] / x[:, None] ** 2
        return bend[..., None] * jnp.eye(x.shape[1])


class Custom(eqx.Module):
    """Custom influence, given by ``log_influence(x, b, parameters)`` of one player at one point.

    ``x`` and ``b`` are numbers on an interval, and arrays ``[axis]`` on a box or a simplex. ``parameters``
    holds arrays with one entry per player; the function receives those of one player.
    """

    log_influence: Callable[[Strategy, Strategy, dict[str, Array]], Array] = eqx.field(static=True)
    parameters: dict[str, PerPlayer]

    def logs(self, x: Profile, points: Points) -> Logs:
        return jax.vmap(self._row, in_axes=(0, 0, None))(x, self.parameters, points)

    def vjp(self, x: Profile, points: Points, weights: Logs) -> Profile:
        # only the own log-kernel is differentiated, once, for all players together
        return jax.vjp(lambda y: self.logs(y, points), x)[1](weights)[0]

    def gradients(self, x: Profile, points: Points) -> Gradients:
        jacobian = jax.jacfwd(self._row)
        return jax.vmap(jacobian, in_axes=(0, 0, None))(x, self.parameters, points)

    def hessians(self, x: Profile, points: Points) -> Hessians:
        hessian = jax.jacfwd(jax.jacfwd(self._row))
        return jax.vmap(hessian, in_axes=(0, 0, None))(x, self.parameters, points)

    def _row(self, x: Strategy, parameters: dict[str, Array], points: Points) -> Float[Array, "point"]:
        # on an interval positions and points are numbers, on a box arrays
        if points.shape[1] == 1:
            return jax.vmap(lambda b: self.log_influence(x[0], b, parameters))(points[:, 0])
        return jax.vmap(lambda b: self.log_influence(x, b, parameters))(points)


Kernel = (
    Gaussian
    | GaussianMatrix
    | PowerLaw
    | Exponential
    | Dirichlet
    | DirichletMode
    | Beta
    | Blotto
    | ChosenReach
    | Custom
)


def copies(kernel: K, player: Player, rows: int) -> K:
    """Return the kernel of ``rows`` copies of one player, for its influence from many positions at once."""
    if isinstance(kernel, PowerLaw):  # all players have the same floor
        return PowerLaw(jnp.broadcast_to(kernel.exponent[player], rows), kernel.floor)  # type: ignore[return-value]
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf[player], (rows, *leaf.shape[1:])), kernel)

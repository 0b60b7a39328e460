"""Kernels of positions that are shares of one: Dirichlet densities and Blotto contests, on a simplex."""

from __future__ import annotations

import equinox as eqx
from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp
from rivalry.core.space import Profile
from rivalry.games.influencer.geometry import Logs, Points, Pull


class Dirichlet(eqx.Module):
    """``log f`` is the log density of a Dirichlet distribution at the point, its normaliser included.

    Its parameters are ``a_l = alpha x_l / x_c``, and ``a_c = alpha`` at the reference corner c (counted from
    0), so that the density peaks near the position and the larger ``alpha`` is, the narrower it is.
    Derivatives are the ambient partial ones: every share is moved by itself.
    """

    alpha: Float[Array, "player"]
    reference_corner: int = eqx.field(static=True, default=0)

    def logs(self, x: Profile, points: Points) -> Logs:
        return self._logs(self._parameters(x), jnp.log(points))

    def logs_and_pull(self, x: Profile, points: Points) -> tuple[Logs, Pull]:
        a, heights = self._parameters(x), jnp.log(points)

        def pull(weights: Array) -> Profile:
            level = self._level(a)
            mean = weights @ heights + jnp.sum(weights, axis=1, keepdims=True) * level
            return self._back(mean, x, a)

        return self._logs(a, heights), pull

    def slopes(self, x: Profile, points: Points) -> Float[Array, "player point axis"]:
        a = self._parameters(x)
        each = jnp.log(points)[None] + self._level(a)[:, None]
        back = jax.vmap(self._back, in_axes=(1, None, None), out_axes=1)
        return back(each, x, a)

    def curvatures(self, x: Profile, points: Points) -> Float[Array, "player point axis axis"]:
        a, c = self._parameters(x), self.reference_corner
        axes = x.shape[1]
        others = jnp.arange(axes) != c
        ratio = (self.alpha / x[:, c])[:, None]
        unit = jnp.eye(axes)
        # da_l/dx_m: the ratio where l = m, and -a_l / x_c at the reference corner's share
        moved = jnp.where(others[:, None], ratio[..., None] * unit, 0.0)
        moved = moved - (jnp.where(others, a, 0.0) / x[:, c, None])[..., None] * unit[c]
        inner = _trigamma(a.sum(axis=1))[:, None, None] - _trigamma(a)[..., None] * unit
        fixed = jnp.einsum("ila,ilm,imb->iab", moved, inner, moved)
        # weights of e_l: d^2 a_l / dx_l dx_c = -ratio / x_c, and d^2 a_l / dx_c^2 = 2 a_l / x_c^2
        each = jnp.where(others, jnp.log(points)[None] + self._level(a)[:, None], 0.0)
        mixed = -(ratio / x[:, c, None])[:, None] * each
        corner = jnp.sum(2 * a[:, None] * each, axis=-1) / x[:, c, None] ** 2
        both = mixed[..., :, None] * unit[c] + mixed[..., None, :] * unit[c][:, None]
        return fixed[:, None] + both + corner[..., None, None] * (unit[c][:, None] * unit[c])

    def _parameters(self, x: Profile) -> Profile:
        c = self.reference_corner
        return (self.alpha[:, None] * x / x[:, c, None]).at[:, c].set(self.alpha)

    def _logs(self, a: Profile, heights: Points) -> Logs:
        from jax.scipy.special import gammaln

        normaliser = gammaln(a.sum(axis=1)) - gammaln(a).sum(axis=1)
        return (a - 1) @ heights.T + normaliser[:, None]

    def _level(self, a: Profile) -> Profile:
        """What is the same at every point in ``d log f / d a_l = log b_l + level``."""
        from jax.scipy.special import digamma

        level: Array = digamma(a.sum(axis=1, keepdims=True)) - digamma(a)
        return level

    def _back(self, each: Profile, x: Profile, a: Profile) -> Profile:
        """From slopes in the parameters to slopes in the position."""
        c = self.reference_corner
        others = jnp.arange(x.shape[1]) != c
        slopes = jnp.where(others, each * (self.alpha / x[:, c])[:, None], 0.0)
        return slopes.at[:, c].set(-jnp.sum(x * slopes, axis=1) / x[:, c])


class Blotto(eqx.Module):
    """``log f = p log x_k`` at corner k: every corner is a battlefield, won in proportion to ``x_k^p``."""

    exponent: Float[Array, "player"]

    def logs(self, x: Profile, points: Points) -> Logs:
        return self.exponent[:, None] * jnp.log(x[:, _corner(points)])

    def logs_and_pull(self, x: Profile, points: Points) -> tuple[Logs, Pull]:
        def pull(weights: Array) -> Profile:
            return self.exponent[:, None] * (weights @ points) / x

        return self.logs(x, points), pull

    def slopes(self, x: Profile, points: Points) -> Float[Array, "player point axis"]:
        return self.exponent[:, None, None] * points[None] / x[:, None]

    def curvatures(self, x: Profile, points: Points) -> Float[Array, "player point axis axis"]:
        bend = -self.exponent[:, None, None] * points[None] / x[:, None] ** 2
        return bend[..., None] * jnp.eye(x.shape[1])


def _corner(points: Points) -> Array:
    """Which corner each point is: points are unit vectors here."""
    return jnp.argmax(points, axis=1)


def _trigamma(a: Array) -> Array:
    from jax.scipy.special import polygamma

    return polygamma(1, a)

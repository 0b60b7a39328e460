"""The Gaussian kernel of players who choose their reach beside their place."""

from __future__ import annotations

import equinox as eqx
from jaxtyping import Array, Float

from rivalry.core.jax import jnp
from rivalry.core.space import Profile, Strategy
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


class ChosenReach(eqx.Module):
    """``log f = -|b - x|^2 / 2 s^2``, where the last axis of a strategy is the reach s.

    ``normalised`` adds the logarithm of the density's prefactor, ``-L log(s sqrt(2 pi))``: effort thins as
    it spreads.
    """

    normalised: bool = eqx.field(static=True, default=False)

    def logs(self, x: Profile, points: Points) -> Logs:
        return self._of(square(x, points), x[:, -1:], points.shape[1])

    def logs_and_pull(self, x: Profile, points: Points) -> tuple[Logs, Pull]:
        squares, reach = square(x, points), x[:, -1:]

        def pull(weights: Array) -> Profile:
            along = mean_apart(weights, x, points) / reach**2
            wider = jnp.sum(weights * self._widened(squares, reach, points.shape[1]), axis=1, keepdims=True)
            return jnp.concatenate([along, wider], axis=1)

        return self._of(squares, reach, points.shape[1]), pull

    def slopes(self, x: Profile, points: Points) -> Float[Array, "player point axis"]:
        along = apart(x, points) / x[:, None, -1:] ** 2
        wider = self._widened(square(x, points), x[:, -1:], points.shape[1])
        return jnp.concatenate([along, wider[..., None]], axis=-1)

    def curvatures(self, x: Profile, points: Points) -> Float[Array, "player point axis axis"]:
        axes = points.shape[1]
        reach = x[:, None, -1:, None]
        place = jnp.broadcast_to(-jnp.eye(axes) / reach**2, (len(x), len(points), axes, axes))
        mixed = (-2 * apart(x, points) / x[:, None, -1:] ** 3)[..., None]
        own = (-3 * square(x, points) / x[:, -1:] ** 4)[..., None, None]
        own = own + (axes / reach**2 if self.normalised else 0.0)
        top = jnp.concatenate([place, mixed], axis=-1)
        return jnp.concatenate([top, jnp.concatenate([jnp.swapaxes(mixed, -1, -2), own], axis=-1)], axis=-2)

    def peak(self, player: Player, low: Strategy, high: Strategy, points: Points) -> PerPoint:
        squares = jnp.sum(nearest(low[:-1], high[:-1], points) ** 2, axis=-1)
        best = high[-1]
        if self.normalised:  # rises up to s^2 = |b - x|^2 / L, falls beyond
            best = jnp.clip(jnp.sqrt(squares / points.shape[1]), low[-1], high[-1])
        return self._of(squares, best, points.shape[1])

    def trough(self, player: Player, low: Strategy, high: Strategy, points: Points) -> PerPoint:
        squares = jnp.sum(farthest(low[:-1], high[:-1], points) ** 2, axis=-1)
        ends = [self._of(squares, reach, points.shape[1]) for reach in (low[-1], high[-1])]
        return jnp.minimum(*ends)

    def steepest(self, player: Player, low: Strategy, high: Strategy, points: Points) -> tuple[Array, Array]:
        far = farthest(low[:-1], high[:-1], points)
        squares, reach = jnp.sum(far**2, axis=-1, keepdims=True), low[-1]
        thinned = points.shape[1] * self.normalised
        slope, bend = squares / reach**3, 3 * squares / reach**4
        # the two terms have opposite signs
        slope, bend = jnp.maximum(slope, thinned / reach), jnp.maximum(bend, thinned / reach**2)
        flat = jnp.broadcast_to(1 / reach**2, points.shape)
        return jnp.concatenate([far / reach**2, slope], axis=1), jnp.concatenate([flat, bend], axis=1)

    def _of(self, squares: Array, reach: Array, axes: int) -> Array:
        logs = -0.5 * squares / reach**2
        return logs - axes * jnp.log(reach * jnp.sqrt(2 * jnp.pi)) if self.normalised else logs

    def _widened(self, squares: Array, reach: Array, axes: int) -> Array:
        """The slope in the reach."""
        return squares / reach**3 - (axes / reach if self.normalised else 0.0)

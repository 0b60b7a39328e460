"""A small population game with one state: drivers choose routes over links with affine travel times."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core import oracles
from rivalry.core.space import Simplex
from rivalry.runtime.jax import jnp


class RoadNetwork(eqx.Module):
    """Drivers of a continuum; ``uses`` is 1 for the links of a route."""

    uses: Float[Array, "route link"]
    empty: Float[Array, "link"]
    slope: Float[Array, "link"]
    drivers: Float[Array, ""]

    @property
    def space(self) -> Simplex:
        return Simplex((len(self.uses),))

    @property
    def legal(self) -> Array:
        return self.space.mask

    @property
    def discount(self) -> Float[Array, "state"]:
        return jnp.zeros(1)

    def environment(self, mu: Array, pi: Array) -> Float[Array, "link"]:
        return self.drivers * (mu @ pi) @ self.uses

    def reward(self, env: Array) -> Float[Array, "state route"]:
        return -(self.uses @ (self.empty + self.slope * env))[None]

    def expect(self, env: Array) -> Callable[[Array], Array]:
        return lambda values: jnp.broadcast_to(values, (1, len(self.uses)))

    def balance(self, env: Array, mu: Array, pi: Array) -> Array:
        return self.environment(mu, pi) - env


@oracles.payoff_scale.register(RoadNetwork)
def _(game: RoadNetwork) -> Array:
    return jnp.sum(game.empty + game.slope * game.drivers)


def open_spiel(unit: float = 1.0) -> RoadNetwork:
    """The network of OpenSpiel's tests: over one midpoint, the other, or both; times in another unit."""
    uses = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [1, 0, 0, 1, 1]], dtype=float)
    empty, slope = jnp.array([1.0, 2.0, 2.0, 1.0, 0.25]), jnp.array([1.0, 0.0, 0.0, 1.0, 0.0])
    return RoadNetwork(jnp.asarray(uses), unit * empty, unit * slope, jnp.array(1.0))


def two_routes() -> RoadNetwork:
    """Two equally long routes for 4,000 drivers."""
    return RoadNetwork(jnp.eye(2), jnp.full(2, 45.0), jnp.full(2, 0.01), jnp.array(4000.0))

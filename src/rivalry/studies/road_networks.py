"""Road networks of published results: drivers between one pair of places, and affine travel times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import equinox as eqx
import numpy as np
from annotated_types import Gt
from jaxtyping import Array, Float

from rivalry.core import oracles
from rivalry.core.results import Record, scalar
from rivalry.core.space import Scalar, Simplex
from rivalry.population.oracles import population_metrics
from rivalry.runtime.jax import jnp, put
from rivalry.schema.validate import checked

SOURCES = {
    # routes, in links; then time of an empty link, and time per unit of its flow
    "paradox": ([[0, 1], [2, 3], [0, 4, 3]], [0.0, 45.0, 45.0, 0.0, 0.0], [0.01, 0.0, 0.0, 0.01, 0.0]),
    "without_link": ([[0, 1], [2, 3]], [0.0, 45.0, 45.0, 0.0], [0.01, 0.0, 0.0, 0.01]),
    "open_spiel": ([[0, 1], [2, 3], [0, 4, 3]], [1.0, 2.0, 2.0, 1.0, 0.25], [1.0, 0.0, 0.0, 1.0, 0.0]),
}


class RoadNetwork(eqx.Module):
    """Drivers of a continuum choose routes; see `road_network` for the game."""

    uses: Float[Array, "route link"]
    empty: Float[Array, "link"]
    slope: Float[Array, "link"]
    drivers: Scalar

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
        """Return the flows of the links."""
        return self.drivers * (mu @ pi) @ self.uses

    def reward(self, env: Array) -> Float[Array, "state route"]:
        """Return minus the travel times of the routes."""
        return -(self.uses @ (self.empty + self.slope * env))[None]

    def expect(self, env: Array) -> Callable[[Array], Array]:
        return lambda values: jnp.broadcast_to(values, (1, len(self.uses)))

    def balance(self, env: Array, mu: Array, pi: Array) -> Array:
        return self.environment(mu, pi) - env


@oracles.payoff_scale.register(RoadNetwork)
def _(game: RoadNetwork) -> Array:
    return jnp.sum(game.empty + game.slope * game.drivers)


@population_metrics.register(RoadNetwork)
def _(game: RoadNetwork, env: Array, mu: Array, pi: Array) -> Record:
    """Return ``travel_time``, the mean over drivers, and ``flow`` (link)."""
    time = -np.sum(np.asarray(mu)[:, None] * np.asarray(pi) * np.asarray(game.reward(env)))
    return {"travel_time": scalar(time), "flow": (("link",), np.asarray(env))}


@checked
def road_network(
    *,
    name: Annotated[Literal["paradox", "without_link", "open_spiel"], "the network"] = "paradox",
    drivers: Annotated[float, Gt(0), "number of drivers"] = 4000.0,
) -> RoadNetwork:
    """Return a network of Braess, on which a further link can make all journeys longer.

    Roads lead from the start over one of two midpoints to the end; except in ``without_link`` a road joins
    the midpoints. The time of a link is affine in its flow. Routes are: over the first midpoint, over the
    second, and over both.

    Examples
    --------
    >>> game = road_network(name="without_link")
    >>> half = jnp.array([[0.5, 0.5]])
    >>> game.reward(game.environment(jnp.ones(1), half)).tolist()
    [[-65.0, -65.0]]
    """
    routes, empty, slope = SOURCES[name]
    uses = np.array([[link in route for link in range(len(empty))] for route in routes], dtype=float)
    return RoadNetwork(put(uses), put(np.array(empty)), put(np.array(slope)), put(drivers))

"""Road networks against travel times added up by hand."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from rivalry.population.oracles import population_metrics
from rivalry.studies.road_networks import road_network


@pytest.mark.parametrize("first", [0.0, 0.3])
def test_travel_times_of_routes(first: float) -> None:
    """The shares are ``first``, .5 and the rest, which takes the road between the midpoints."""
    game, everyone, policy = road_network(), jnp.ones(1), jnp.array([[first, 0.5, 0.5 - first]])
    flows = game.environment(everyone, policy)
    np.testing.assert_allclose(flows, 4000 * np.array([0.5, first, 0.5, 1 - first, 0.5 - first]))
    over_first, over_second = 40 * 0.5, 40 * (1 - first)  # links with a share of 1/2 and of 1 - first
    routes = np.array([over_first + 45, over_second + 45, over_first + over_second])
    np.testing.assert_allclose(game.reward(flows), -routes[None], rtol=1e-12)
    found = population_metrics(game, flows, everyone, policy)
    np.testing.assert_allclose(found["travel_time"][1], np.asarray(policy)[0] @ routes, rtol=1e-12)

"""Road networks against travel times added up by hand."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import PopulationNewton
from rivalry.population.certificate import population_certificate
from rivalry.population.oracles import population_metrics
from rivalry.studies.road_networks import RoadNetwork, road_network

pytestmark = pytest.mark.slow


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


@pytest.mark.parametrize(
    ("at", "claim"), [(0.5, "equilibrium"), (0.501, "approximate equilibrium"), (0.4, None)]
)
def test_equally_long_routes_are_an_equilibrium(at: float, claim: str | None) -> None:
    """In equilibrium the best and the worst route take as long; uniform play is this equilibrium."""
    found = population_certificate(road_network(name="without_link"), [[at, 1 - at]]).claim
    assert found == (claim or "not an equilibrium")


@pytest.mark.parametrize("seed", range(10))
def test_equilibria_of_two_routes_are_equilibria(seed: int) -> None:
    """The times of routes are a + b f and c + d (1 - f), where f is the share of the first."""
    a, b, c, d = np.random.default_rng(seed).uniform(0.5, 3.0, 4)
    share = float(np.clip((c + d - a) / (b + d), 0.0, 1.0))
    game = RoadNetwork(jnp.eye(2), jnp.array([a, c]), jnp.array([b, d]), jnp.array(1.0))
    assert population_certificate(game, [[share, 1 - share]]).claim == "equilibrium"


@pytest.mark.parametrize("unit", [1000.0, 1.0, 1e-3, 2540.0])
def test_flows_may_be_counted_in_any_unit(unit: float) -> None:
    """Three parallel roads, of which the two unknown flows solve two equations of logit choice."""
    empty, slope = np.array([10.0, 12.0, 20.0]), np.array([0.01, 0.005, 0.002])
    roads = RoadNetwork(jnp.eye(3), jnp.asarray(empty), jnp.asarray(slope * unit), jnp.asarray(4000 / unit))
    found = rv.solve(roads, PopulationNewton(beta=1000.0), np.full((1, 3), 1 / 3))
    assert found.status == "converged"
    flow = found.data.flow.values * unit
    assert flow.sum() == pytest.approx(4000, rel=1e-12)
    # at beta 1000 times differ by the log odds over beta
    times = empty + slope * flow + np.log(flow) / 1000
    assert times == pytest.approx(np.full(3, times[0]), rel=1e-9)

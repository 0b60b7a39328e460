"""Road networks against travel times added up by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import PopulationNewton
from rivalry.population.certificate import population_certificate
from tests.road_population import RoadNetwork, two_routes

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("at", "claim"), [(0.5, "equilibrium"), (0.501, "approximate equilibrium"), (0.4, None)]
)
def test_equally_long_routes_are_an_equilibrium(at: float, claim: str | None) -> None:
    """In equilibrium the best and the worst route take as long; uniform play is this equilibrium."""
    assert population_certificate(two_routes(), [[at, 1 - at]]).claim == (claim or "not an equilibrium")


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
    flow = 4000 * found.profile.values[0]
    assert flow.sum() == pytest.approx(4000, rel=1e-12)
    # at beta 1000 times differ by the log odds over beta
    times = empty + slope * flow + np.log(flow) / 1000
    assert times == pytest.approx(np.full(3, times[0]), rel=1e-9)

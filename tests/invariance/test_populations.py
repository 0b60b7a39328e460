"""A population in other words: units of flows and payoffs, constants, the order of actions."""

from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import OnlineMirrorDescent, PopulationNewton
from rivalry.methods.populations.response import inverse_temperature
from rivalry.population import population_certificate
from tests.road_population import RoadNetwork, open_spiel

# a method that ends early warns; statuses are compared
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]

EMPTY, SLOPE, DRIVERS = np.array([10.0, 12.0, 20.0]), np.array([0.01, 0.005, 0.002]), 4000.0
BETA = 2.0  # per minute


def roads(
    flows: float = 1.0, payoffs: float = 1.0, constant: float = 0.0, order: tuple[int, ...] = (0, 1, 2)
) -> RoadNetwork:
    """Three parallel roads, their flows and travel times in other units, and the same time on all added."""
    empty, slope = (EMPTY[list(order)] + constant) * payoffs, SLOPE[list(order)] * payoffs * flows
    return RoadNetwork(jnp.eye(3), jnp.asarray(empty), jnp.asarray(slope), jnp.asarray(DRIVERS / flows))


CHANGES: dict[str, dict[str, Any]] = {
    "flows in thousands": {"flows": 1000.0},
    "flows in thousandths": {"flows": 1e-3},
    "payoffs in thousandths": {"payoffs": 1000.0},
    "payoffs in millions": {"payoffs": 1e-6},
    "constant": {"constant": 2.0**20},
    "order of actions": {"order": (2, 0, 1)},
    "all of these": {"flows": 2540.0, "payoffs": 1 / 60, "constant": 2.0**10, "order": (1, 2, 0)},
}
METHODS: dict[str, Callable[[float], Any]] = {
    "newton": lambda unit: PopulationNewton(beta=BETA / unit, begin=0.1 / unit),
    "online_mirror_descent": lambda unit: OnlineMirrorDescent(beta=0.1 / unit),
}


FAILING = {  # with a constant of 20,000 times the range of travel times
    ("newton", "constant"): "rounding of the times leaves a residual above 1e-11",
    ("online_mirror_descent", "constant"): "it ends at a part of the payoff scale, which holds the constant",
}


def cells() -> Iterator[Any]:
    for name in METHODS:
        for change in CHANGES:
            why = FAILING.get((name, change))
            marks = [pytest.mark.xfail(strict=True, reason=why)] if why else []
            yield pytest.param(name, change, marks=marks, id=f"{name}-{change}")


def solved(name: str, change: dict[str, Any]) -> Any:
    game = roads(**change)
    return rv.solve(game, METHODS[name](change.get("payoffs", 1.0)), np.full((1, 3), 1 / 3), seed=1)


@pytest.mark.parametrize(("name", "change"), [*cells()])
def test_methods_find_the_same_population(name: str, change: str) -> None:
    how = CHANGES[change]
    base, found = solved(name, {}), solved(name, how)
    assert (found.status, found.claim) == (base.status, base.claim)
    order = list(how.get("order", (0, 1, 2)))
    # digits of travel times are lost to a constant, and averages end at a part of the payoff scale
    close = 1e-8 if "constant" not in how else 1e-6 if name == "newton" else 1e-4
    np.testing.assert_allclose(found.profile.values, base.profile.values[:, order], atol=close)
    proof, unit = found.certificate, how.get("payoffs", 1.0)
    for ours, theirs in (
        (proof.regret, base.certificate.regret),
        (proof.at_stake, base.certificate.at_stake),
    ):
        np.testing.assert_allclose(ours / unit, theirs, rtol=1e-4, atol=close * base.certificate.at_stake[0])


@pytest.mark.parametrize("kind", [PopulationNewton, OnlineMirrorDescent])
def test_default_options_are_the_same_in_every_unit_of_payoffs(kind: Callable[[], Any]) -> None:
    def found(unit: float) -> Any:
        return rv.solve(open_spiel(unit), kind(), [[0.3, 0.3, 0.4]])

    base = found(1.0)
    assert base.status == "converged"
    pi = base.profile.values
    if kind is PopulationNewton:  # the logarithms of choices differ by beta times what the routes pay
        game = open_spiel(1.0)
        pays = np.asarray(game.reward(game.environment(jnp.ones(1), jnp.asarray(pi))))
        expected = float(base.data.beta) * (pays - pays[0, 0])
        np.testing.assert_allclose(np.log(pi / pi[0, 0]), expected, atol=1e-6)
    else:  # all routes take equally long
        np.testing.assert_allclose(pi, [[0.25, 0.25, 0.5]], atol=1e-6)
    for unit in (1e-3, 1 / 60, 60.0, 1e3):
        scaled = found(unit)
        assert (scaled.status, scaled.claim) == (base.status, base.claim)
        np.testing.assert_allclose(scaled.profile.values, base.profile.values, atol=1e-8)


@pytest.mark.parametrize("gamma", [0.0, 0.7, 0.99])
def test_default_inverse_temperature_depends_on_no_other_type(gamma: float) -> None:
    types = [{"name": "a", "gamma": 0.9, "share": 0.5}, {"name": "b", "gamma": gamma, "share": 0.5}]
    assert float(inverse_temperature(rv.games.karma(types=types), None, 1.0)) == pytest.approx(1 / 5)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("policy", [(0.5, 0.3, 0.2), (0.29, 0.18, 0.53), (1.0, 0.0, 0.0)])
def test_policies_have_the_same_certificate(policy: tuple[float, ...], change: str) -> None:
    how = CHANGES[change]
    order, unit = list(how.get("order", (0, 1, 2))), how.get("payoffs", 1.0)
    base = population_certificate(roads(), [policy])
    found = population_certificate(roads(**how), [np.array(policy)[order]])
    assert (found.claim, found.coverage) == (base.claim, base.coverage)
    np.testing.assert_allclose(found.regret / unit, base.regret, rtol=1e-7)
    assert base.at_stake is not None
    assert found.at_stake is not None
    np.testing.assert_allclose(found.at_stake / unit, base.at_stake, rtol=1e-7)

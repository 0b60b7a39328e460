"""Solvers of other equilibrium concepts report the concept and its residual."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from tests.commuting import commute


@pytest.mark.nightly
def test_a_logit_equilibrium_is_an_approximate_mean_field_equilibrium() -> None:
    game = rv.games.karma(max_karma=4, mean_karma=2.0, gamma=0.9)
    found = rv.solve(game, rv.methods.PopulationNewton(beta=100.0), start="uniform", path=False)
    proof = found.certificate
    assert (proof.claim, proof.concept) == ("approximate equilibrium", "logit at beta 100")
    assert proof.residual is not None
    assert proof.residual <= 1e-11
    assert np.all(proof.bound <= 0.01 * proof.at_stake)
    assert f"no gain above {100 * proof.largest_gain:.1g}"[:16] in proof.facts.statement
    at_random = rv.solve(game, rv.methods.PopulationNewton(beta=10.0), start="uniform", path=False)
    assert at_random.claim == "not an equilibrium"


@pytest.mark.parametrize(
    ("method", "concept", "metric"),
    [
        (rv.methods.RegretMatching(), "coarse correlated", "correlated_regret"),
        (rv.methods.RegretMatching(regrets="conditional"), "correlated", "conditional_regret"),
        (rv.methods.Hedge(), "coarse correlated", "correlated_regret"),
    ],
    ids=["matching", "conditional", "hedge"],
)
def test_learners_of_correlated_equilibria_report_it(method: object, concept: str, metric: str) -> None:
    found = rv.solve(rv.games.matrix("chicken"), method, max_steps=500, path=False)  # type: ignore[arg-type]
    assert found.certificate.concept == concept
    assert found.certificate.residual == pytest.approx(float(found.data[metric].max()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "concept"),
    [
        (rv.methods.PopulationFictitiousPlay(), "mean field"),
        (rv.methods.OnlineMirrorDescent(), "mean field"),
        (rv.methods.OnlineMirrorDescent(beta=1.0, rate=0.3, regularised=True), "logit at beta 1"),
    ],
    ids=["fictitious play", "descent", "regularised"],
)
def test_only_softened_rest_points_of_populations_are_logit_equilibria(method: Any, concept: str) -> None:
    """Shares in inverse proportion to the slopes of roads are the equilibrium, which no softmax is."""
    found = rv.solve(commute([1.0, 2.0, 6.0]), method, start=[[1 / 3, 1 / 3, 1 / 3]], tol=1e-2, path=False)
    assert found.status == "converged"
    assert found.certificate.concept == concept
    exact = np.array([6.0, 3.0, 1.0]) / 10
    assert (np.abs(found.profile.values[0] - exact).max() < 0.05) == (concept == "mean field")

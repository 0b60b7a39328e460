"""Solvers of other equilibrium concepts report the concept and its residual."""

from __future__ import annotations

import numpy as np
import pytest

import rivalry as rv


@pytest.mark.nightly
def test_a_logit_equilibrium_is_an_approximate_mean_field_equilibrium() -> None:
    game = rv.games.karma(max_karma=4, mean_karma=2.0, gamma=0.9)
    found = rv.solve(game, rv.methods.PopulationNewton(beta=100.0), start="uniform", path=False)
    proof = found.certificate
    assert proof is not None
    assert proof.claim == "approximate equilibrium"
    assert proof.concept == "logit at beta 100"
    assert proof.residual is not None
    assert proof.residual <= 1e-11
    assert np.all(proof.bound <= 0.01 * proof.at_stake)
    assert f"no gain above {100 * proof.largest_gain:.1g}"[:16] in proof.statement
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
def test_learners_of_correlated_equilibria_report_the_concept(
    method: object, concept: str, metric: str
) -> None:
    found = rv.solve(rv.games.matrix("chicken"), method, max_steps=500, path=False)  # type: ignore[arg-type]
    assert found.certificate.concept == concept
    assert found.certificate.residual == pytest.approx(float(found.data[metric].max()))

"""Payoffs that choices approach and none attains: no run has converged there, and no claim is made."""

from typing import Any

import pytest

import rivalry as rv

pytestmark = pytest.mark.slow

FREE: dict[str, Any] = {
    "safety free": {"safety_price": 0.0},
    "safety subsidised": {"safety_price": 0.5, "safety_subsidy": 0.5},
}


@pytest.mark.parametrize("name", FREE)
@pytest.mark.filterwarnings("ignore:not converged")
def test_free_safety_has_a_supremum(name: str) -> None:
    """Without disasters each wins a prize of 1 with chance 1/2, and spends the 1/8 that its chance is worth.

    Performance is a root of its input y, so the chance changes by 1/(8 y) per unit: at a price r, r y = 1/8.
    """
    race = rv.games.race(players=2, cost={"kind": "linear", **FREE[name]})
    solution = rv.solve(race, rv.methods.BestResponse())
    assert solution.status == "not found"
    assert solution.certificate.claim == "not decided"
    assert "approach 0.375, and no choice attains it" in solution.certificate.method


def test_investments_for_a_later_gift_are_named_as_not_searched() -> None:
    race = rv.games.race(
        players=2,
        safety_productivity=1.0,
        performance_productivity=[0.0, 10.0],
        reward={"prize": [1e-3, 1.0]},
        disaster_cost=[20.0, 0.1],
        contest={"kind": "ratio", "ease_of_winning": 1.0},
        horizon=3,
        technology={"share": True, "safety_investment_price": 0.01, "performance_investment_price": 1e3},
    )
    solution = rv.solve(race, rv.methods.BestResponse())
    assert solution.certificate.claim == "local equilibrium"
    assert "later gift were not searched" in solution.certificate.method

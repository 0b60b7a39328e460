"""Claims about one period of a market say so where firms carry more from period to period."""

from typing import Any

import pytest

import rivalry as rv
from rivalry.core.oracles import claim_scope, discounting_channels
from rivalry.core.results import Certificate
from rivalry.methods import (
    BestResponse,
    ClosedForm,
    Evaluate,
    LinearQuadratic,
    OnlineMirrorDescent,
    PopulationNewton,
)
from tests.road_population import open_spiel

CARRYING: dict[str, dict[str, Any]] = {
    "standing choices": {"timing": "alternating"},
    "cash": {"cash": 10.0},
    "sticky price": {"sticky": 0.5},
    "adjustment cost": {"adjustment": "spot", "adjustment_cost": 1.0},
    "capacity": {"capacity": 50.0, "capex": 1.0},
}


def scope_of(*states: str) -> str:
    return f"of one period (later ones depend on it through {' and '.join(states)})"


@pytest.mark.parametrize("state", CARRYING)
def test_a_claim_about_one_period_names_what_firms_carry(state: str) -> None:
    game = rv.games.market(**CARRYING[state])
    assert discounting_channels(game).state == [state]
    assert claim_scope(game) == scope_of(state)


@pytest.mark.slow
@pytest.mark.representative
def test_solutions_lists_and_certificates_say_it_and_read_it_back() -> None:
    game = rv.games.market(**CARRYING["capacity"])
    words = scope_of("capacity")
    solution = rv.solve(game, ClosedForm())
    assert f"equilibrium, {words}: largest gain" in repr(solution)
    assert solution.certificate.facts.statement == f"equilibrium, {words}"
    assert Certificate.from_record(solution.record).scope == words  # type: ignore[union-attr]
    assert repr(rv.all_equilibria(game)).splitlines()[0].endswith(f"; {words}")
    assert words in repr(rv.certificate(game, [[10.0], [10.0]]))
    frozen = rv.transforms.freeze(game, {1: [30.0]})
    assert words in repr(rv.certificate(frozen, [[30.0]]))


def test_markets_that_carry_nothing_have_claims_of_the_whole_game() -> None:
    for game in (rv.games.market(), rv.games.market(stages=[[0], [1]]), rv.games.race()):
        assert claim_scope(game) == ""
    leaders = rv.games.market(stages=[[0], [1]], cash=5.0, sticky=0.5)
    assert claim_scope(leaders) == scope_of("sticky price", "cash")
    shock = {"kind": "iid", "levels": [-1.0, 1.0]}
    assert claim_scope(rv.games.market(shock=shock, shock_observed=True, cash=5.0)) == scope_of("cash")


@pytest.mark.slow
def test_one_period_and_all_periods_of_slow_outputs_are_told_apart() -> None:
    slow = {"adjustment": "predetermined", "adjustment_cost": 120.0, "initial": 1.0, "gamma": 0.96}
    game = rv.games.market(intercept=10.0, slope=2.0, unit_cost=0.0, **slow)
    static = rv.solve(game, BestResponse())
    dynamic = rv.solve(game, LinearQuadratic())
    assert static.certificate.scope == scope_of("adjustment cost")
    assert dynamic.certificate.scope == "of all periods"


NOT_SEARCHED = "of this policy (other equilibria: not searched)"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [PopulationNewton, OnlineMirrorDescent])
def test_claims_about_populations_say_whether_other_equilibria_are_known(kind: type) -> None:
    solution = rv.solve(open_spiel(), kind())
    assert solution.certificate.scope == NOT_SEARCHED
    assert f"{solution.claim}, {NOT_SEARCHED}" in repr(solution)


@pytest.mark.slow
def test_a_policy_that_is_no_equilibrium_has_no_others_beside_it() -> None:
    solution = rv.solve(open_spiel(), Evaluate(), [[1.0, 0.0, 0.0]])
    assert (solution.claim, solution.certificate.scope) == ("not an equilibrium", "")

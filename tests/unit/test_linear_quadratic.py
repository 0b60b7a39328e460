"""Linear-quadratic oligopoly: reference cases, certificates, limiting cases, wrong input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rivalry as rv
from rivalry.core.array_games import LinearQuadraticGame
from rivalry.core.needs import fits
from rivalry.core.oracles import to_linear_quadratic
from rivalry.methods.dynamic_games import linear_quadratic
from rivalry.methods.dynamic_games.linear_quadratic import LinearQuadratic
from tests.unit.test_riccati import firms

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "market.json").read_text(encoding="utf-8"))
CASES = {case["id"]: case for case in REFERENCE["cases"] if case["kind"].startswith("lq_")}
SOLUTIONS = ("markov_perfect", "feedback_stackelberg", "commitment_stackelberg", "joint")


class Firms:
    """A game with a linear-quadratic form."""

    def __init__(self, made: LinearQuadraticGame | None = None) -> None:
        self.made = firms() if made is None else made


@to_linear_quadratic.register(Firms)
def _(game: Firms) -> LinearQuadraticGame:
    return game.made


def solved(game: LinearQuadraticGame, solution: str, **options: Any) -> rv.Solution:
    return rv.solve(Firms(game), LinearQuadratic(solution=solution, **options))


def discounted(found: rv.Solution, gamma: float) -> np.ndarray:
    """The discounted sum of cash flows on the stored path."""
    flows = found.data.cash_flow_path.values
    total: np.ndarray = gamma ** np.arange(len(flows)) @ flows
    return total


def told(case: dict[str, Any]) -> tuple[dict[str, Any], rv.Solution]:
    """Results by the names of the case's expected numbers."""
    inputs = case["inputs"]
    game = firms([inputs["gamma"]] * 2, [inputs["phi"]] * 2, inputs["mc"], inputs["a"], inputs["b"])
    solution = {"lq_mpe": "markov_perfect"}.get(case["kind"], case["kind"].removeprefix("lq_"))
    found = solved(game, solution, periods=1200)
    data = found.data
    rest, path = data.steady_state.values[1:], data.state_path.values[:, 1:]
    total = path.sum(axis=1)
    names = {
        "steady_state_q_each": rest,
        "steady_state_q": rest,
        "steady_state_Q": rest.sum(),
        "steady_state_p": inputs["a"] - inputs["b"] * rest.sum(),
        "value_each_at_x0": data.value.values,
        "values_at_x0": data.value.values,
        "joint_value_at_x0": data.value.values.sum(),
        "leader_value": data.value.values[0],
        "leader_value_forward": discounted(found, inputs["gamma"])[0],
        "follower_value": data.value.values[1],
        "Q_path": total[:20],
        "p_path": inputs["a"] - inputs["b"] * total[:20],
        "q_leader_path": path[:10, 0],
        "q_follower_path": path[:10, 1],
        "q_leader_300": path[300, 0],
        "q_follower_300": path[300, 1],
        "p_300": inputs["a"] - inputs["b"] * total[300],
        "static_cournot_q_each": inputs["a"] / (3 * inputs["b"]),
        "static_stackelberg_q": [inputs["a"] / (2 * inputs["b"]), inputs["a"] / (4 * inputs["b"])],
    }
    if "plan_feedback" in data:
        names["F"] = data.plan_feedback.values[0]
        names["H00"] = data.first_move.values[0]
        names["x0_follower"] = data.control_path.values[0, 1, 0]
    else:
        F = data.feedback.values[:, 0]
        names |= {"F": F, "F1": F[0], "F2": F[1], "F2_closed_loop": F[1]}
    if "response_to_state" in data:
        names["follower_K"] = data.response_to_state.values[0]
        names["follower_k"] = data.response_to_leader.values[0, 0]
    return names, found


@pytest.mark.parametrize("name", CASES)
def test_reference_cases(name: str) -> None:
    case = CASES[name]
    names, found = told(case)
    assert found.status == "converged"
    allowed = case["tolerance"]
    for key, right in case["expected"].items():
        assert np.allclose(names[key], right, rtol=allowed["rel"], atol=allowed["abs"]), key
    assert np.allclose(discounted(found, case["inputs"]["gamma"]), found.data.value, rtol=1e-10)


def test_values_are_not_reported_before_the_costs_converge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Costs converge after the strategies do; when these first stop changing, costs still give 126.067."""
    for passes in (30, 60, 90):
        with monkeypatch.context() as patch:
            patch.setattr(linear_quadratic, "PASSES", passes)
            with pytest.warns(UserWarning, match=f"not converged after {passes} periods"):
                short = solved(firms(), "markov_perfect")
        assert short.status == "iteration limit"
        assert np.all(np.isnan(short.data.value))
        assert short.claim == "no certificate"
        assert short.data.residual > 0
    done = solved(firms(), "markov_perfect")
    assert np.allclose(done.data.value, 128.86503688, rtol=1e-9)
    assert np.allclose(discounted(solved(firms(), "markov_perfect", periods=900), 0.96), done.data.value)


amounts = st.tuples(st.floats(0.5, 200.0), st.floats(0.5, 200.0))
rates = st.tuples(st.floats(0.0, 0.99), st.floats(0.0, 0.99))
prices = st.tuples(st.floats(0.0, 4.0), st.floats(0.0, 4.0))


@settings(max_examples=30)
@given(gamma=rates, phi=amounts, mc=prices, b=st.floats(0.1, 5.0))
@pytest.mark.slow
def test_no_player_gains_by_deviating_from_an_equilibrium(
    gamma: tuple[float, float], phi: tuple[float, float], mc: tuple[float, float], b: float
) -> None:
    """For random discount factors, costs and adjustment costs."""
    game = firms(gamma, phi, mc, b=b)
    for solution in ("markov_perfect", "feedback_stackelberg"):
        found = solved(game, solution)
        assert found.claim == "equilibrium"
        assert np.max(found.certificate.bound) <= 1e-10 * max(1.0, float(np.max(np.abs(found.data.value))))
        rest = found.data.steady_state.values
        loop = game.A - sum(game.B[i] @ found.data.feedback.values[i] for i in range(2))
        assert np.allclose(loop @ rest, rest, rtol=1e-9)


@pytest.mark.slow
@settings(max_examples=30)
@given(phi=st.floats(0.5, 200.0), gamma=st.floats(0.1, 0.99), mc=st.floats(0.0, 5.0), b=st.floats(0.2, 5.0))
def test_identical_firms_have_symmetric_strategies(phi: float, gamma: float, mc: float, b: float) -> None:
    """Strategies agree with outputs exchanged, and values are ordered by commitment as in textbooks."""
    game = firms((gamma, gamma), (phi, phi), (mc, mc), b=b)
    values = {}
    for solution in SOLUTIONS:
        found = solved(game, solution)
        values[solution] = found.data.value.values
        if solution in ("markov_perfect", "joint"):
            one, other = found.data.feedback.values[:, 0]
            assert np.allclose(one, other[[0, 2, 1]], rtol=1e-6, atol=1e-9)
    close = 1e-9 * np.max(np.abs(list(values.values())))
    leading = [values[s][0] for s in SOLUTIONS[:3]]
    assert leading[0] <= leading[1] + close
    assert leading[1] <= leading[2] + close
    assert all(values[s].sum() <= values["joint"].sum() + close for s in SOLUTIONS)


@settings(max_examples=15)
@given(phi=amounts, mc=prices, gamma=st.floats(0.3, 0.99), more=st.floats(-0.03, 0.03))
@pytest.mark.slow
def test_a_commitment_is_optimal_at_the_start_and_time_inconsistent(
    phi: tuple[float, float], mc: tuple[float, float], gamma: float, more: float
) -> None:
    """No player gains at the start; later the leader would gain by a new plan."""
    rival = min(max(gamma + more, 0.05), 0.99)
    found = solved(firms((gamma, rival), phi, mc), "commitment_stackelberg")
    data = found.data
    assert found.claim == "equilibrium"
    assert not bool(data.time_consistent)
    assert abs(float(data.replanned_gain[0])) <= 1e-9 * abs(float(data.value[0]))
    assert np.all(data.replanned_gain.values[1:20] >= 0)
    within = solved(firms((gamma, rival), phi, mc), "feedback_stackelberg").data.value
    assert data.value[0] >= within[0] - 1e-8 * abs(float(data.value[0]))
    apart = solved(firms((gamma, rival), phi, mc), "markov_perfect").data.value.sum()
    np.testing.assert_allclose(data.joint_gain, data.value.sum() - apart, atol=1e-9 * abs(float(apart)))


def test_the_gain_of_replanning_matches_a_new_solution() -> None:
    """The gain is the difference to the value of a plan solved from the state of that date."""
    game = firms(phi=(120.0, 120.0))
    found = solved(game, "commitment_stackelberg", periods=1000)
    later = 10
    state, flows = found.data.state_path.values[later], found.data.cash_flow_path.values[later:, 0]
    kept = 0.96 ** np.arange(len(flows)) @ flows
    anew = solved(game._replace(first=state), "commitment_stackelberg").data.value[0]
    assert found.data.replanned_gain[later] > 0.1
    assert np.isclose(found.data.replanned_gain[later], anew - kept, rtol=1e-9)


@pytest.mark.slow
def test_the_second_firm_can_lead() -> None:
    """Exchanging firms and leadership exchanges all results."""
    game = firms((0.95, 0.96), (100.0, 120.0), (0.5, 1.0), start=(1.0, 1.4))
    turned = firms((0.96, 0.95), (120.0, 100.0), (1.0, 0.5), start=(1.4, 1.0))
    for solution in ("feedback_stackelberg", "commitment_stackelberg"):
        one, other = solved(game, solution, leader=0), solved(turned, solution, leader=1)
        assert np.allclose(one.data.value, other.data.value[::-1], rtol=1e-10)
        assert np.allclose(one.data.control_path, other.data.control_path[:, ::-1], rtol=1e-8, atol=1e-12)


def test_without_adjustment_cost_output_is_static() -> None:
    """From the second period on, Cournot output 5/3 and Stackelberg outputs 5/2 and 5/4."""
    game = firms(phi=(0.0, 0.0))
    cournot = solved(game, "markov_perfect").data
    assert np.allclose(cournot.state_path[1:, 1:], 5 / 3)
    assert np.allclose(cournot.value, 6 + (10 - 2 * 10 / 3) * (5 / 3) * 0.96 / 0.04)
    uneven = solved(firms((0.3, 0.9), (0.0, 0.0)), "markov_perfect").data  # discount factors have no effect
    assert np.allclose(uneven.state_path[1:, 1:], 5 / 3)
    assert np.allclose(solved(game, "feedback_stackelberg").data.state_path[1:, 1:], [2.5, 1.25])
    small = firms(phi=(1e-6, 1e-6))
    assert np.allclose(solved(small, "markov_perfect").data.steady_state[1:], 5 / 3, atol=1e-5)
    assert np.allclose(
        solved(small, "commitment_stackelberg").data.state_path[2:, 1:], [2.5, 1.25], atol=1e-5
    )


def test_with_adjustment_cost_output_rises_with_the_discount_factor() -> None:
    """A more patient firm produces more and its rival less; a myopic one never adjusts."""
    rest = np.array(
        [
            solved(firms((gamma, 0.96)), "markov_perfect").data.steady_state.values[1:]
            for gamma in (0.0, 0.5, 0.8, 0.9, 0.96, 0.99)
        ]
    )
    assert np.allclose(rest[0], [1.0, 2.0])
    assert np.all(np.diff(rest[:, 0]) > 0)
    assert np.all(np.diff(rest[1:, 1]) < 0)


def test_markov_perfect_equilibrium_of_five_firms() -> None:
    game = firms([0.9, 0.92, 0.94, 0.96, 0.98], [12.0] * 5, [0.0, 0.1, 0.2, 0.3, 0.4])
    found = solved(game, "markov_perfect")
    assert (found.claim, found.data.control_path.shape) == ("equilibrium", (200, 5, 1))
    assert solved(firms([0.9] * 3, [12.0] * 3), "joint").claim == "not an equilibrium"


def test_two_controls_per_firm() -> None:
    """Two plants of equal adjustment cost act like one plant of half that cost."""
    one = firms((0.9, 0.96), (6.0, 9.0))
    B = np.concatenate([one.B, one.B], axis=2)
    two = one._replace(B=B, Q=np.array([12.0, 18.0])[:, None, None] * np.eye(2))
    for solution in ("markov_perfect", "feedback_stackelberg"):
        whole, parts = solved(one, solution), solved(two, solution)
        assert np.allclose(parts.data.value, whole.data.value, rtol=1e-10)
        assert np.allclose(parts.data.feedback.sum("control"), whole.data.feedback[:, 0], rtol=1e-9)
        assert np.allclose(parts.data.feedback[:, 0], parts.data.feedback[:, 1], rtol=1e-9)


def test_without_a_solution_the_status_is_not_found() -> None:
    """Values and steady states are NaN, and there is no certificate."""
    impatient = solved(firms((0.7, 0.96), (120.0, 80.0)), "commitment_stackelberg")
    explosive = solved(firms((0.8, 0.96), (120.0, 80.0)), "commitment_stackelberg")
    idle = solved(firms((0.0, 0.9), (0.0, 0.0)), "markov_perfect")
    costless = solved(firms(phi=(0.0, 0.0)), "joint")
    for found in (impatient, explosive, idle, costless):
        assert (found.status, found.claim) == ("not found", "no certificate")
        assert np.all(np.isnan(found.data.value))
        assert np.all(np.isnan(found.data.steady_state))


def test_wrong_input() -> None:
    three = firms([0.9] * 3, [1.0] * 3)
    with pytest.raises(ValueError, match="'feedback_stackelberg' must have two players; there are 3"):
        solved(three, "feedback_stackelberg")
    with pytest.raises(ValueError, match="leader: 2 must be 0 or 1"):
        solved(firms(), "commitment_stackelberg", leader=2)
    with pytest.raises(ValueError, match=r"gamma: \[0.9, 0.96\] must be equal for a joint plan"):
        solved(firms((0.9, 0.96)), "joint")
    with pytest.raises(ValueError, match=r"gamma\[1\]: 1.5 must be in \[0, 1\]"):
        solved(firms((0.9, 1.5)), "markov_perfect")
    with pytest.raises(ValueError, match=r"Q\[1\]: must be positive definite for a commitment"):
        solved(firms(phi=(1.0, 0.0)), "commitment_stackelberg")
    with pytest.raises(ValueError, match=r"gamma\[1\]: 0 must be above 0 for a commitment"):
        solved(firms((0.9, 0.0)), "commitment_stackelberg")
    wearing = firms()._replace(A=np.diag([1.0, 0.9, 0.9]))
    with pytest.raises(ValueError, match="A: must leave the follower's own state as it is"):
        solved(wearing, "commitment_stackelberg")
    with pytest.raises(ValueError, match="R: must be symmetric"):
        solved(firms()._replace(R=np.triu(firms().R)), "markov_perfect")
    with pytest.raises(ValueError, match=r"first: shape \(2,\) must be \(3,\)"):
        solved(firms()._replace(first=np.ones(2)), "markov_perfect")
    with pytest.raises(ValueError, match="A: must be finite"):
        solved(firms()._replace(A=np.full((3, 3), np.nan)), "markov_perfect")
    assert fits(LinearQuadratic, Firms())
    assert not fits(LinearQuadratic, rv.games.matrix("chicken"))


def test_a_path_outside_the_game_has_no_certificate() -> None:
    """The joint plan gives the high-cost firm a negative output."""
    game = rv.games.market(
        intercept=10.0,
        slope=2.0,
        unit_cost=[0.0, 3.0],
        gamma=0.96,
        adjustment="predetermined",
        adjustment_cost=12.0,
        initial=1.0,
    )
    with pytest.warns(UserWarning, match="output of firm 1 is -.* is not one of the game itself"):
        found = rv.solve(game, LinearQuadratic(solution="joint"))
    assert "output of firm 1" in str(found.data.outside.values)
    assert "regret" not in found.data
    inside = rv.solve(game, LinearQuadratic())
    assert inside.claim == "equilibrium"
    assert "outside" not in inside.data

"""Games from matrices: closed forms, Riccati iteration of random games, deviations, wrong input."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.families.lq import lq
from rivalry.methods import LinearQuadratic

DEBT = {"A": [[1]], "B": [[[-1]]], "R": [[[1]]], "Q": [[[1]]], "gamma": 0.9, "initial": [1]}


def solved(game: Any, solution: str = "markov_perfect") -> rv.Solution:
    return rv.solve(game, LinearQuadratic(solution=solution))


def random_game(seed: int, sizes: tuple[int, ...] = (2, 1), coupling: float = 0.1) -> dict[str, Any]:
    """Return a stable game of three states with all cross terms."""
    rng = np.random.default_rng(seed)
    total = sum(sizes)

    def matrices(*shapes: tuple[int, int]) -> list[Any]:
        return [(coupling * rng.normal(size=shape)) for shape in shapes]

    return {
        "A": 0.5 * rng.normal(size=(3, 3)),
        "B": [rng.normal(size=(3, size)) for size in sizes],
        "R": [np.eye(3) + part @ part.T for part in matrices(*[(3, 3)] * len(sizes))],
        "Q": [
            np.eye(size) + part @ part.T
            for size, part in zip(sizes, matrices(*[(s, s) for s in sizes]), strict=True)
        ],
        "S": [part + part.T for part in matrices(*[(total - s, total - s) for s in sizes])],
        "W": matrices(*[(3, s) for s in sizes]),
        "M": matrices(*[(total - s, s) for s in sizes]),
        "gamma": 0.9,
        "initial": [1.0, -2.0, 0.5],
    }


def cost(game: dict[str, Any], rules: list[np.ndarray], player: int, periods: int = 400) -> float:
    """Return a player's discounted costs under rules ``u = -F x``, period by period."""
    x, total = np.array(game["initial"]), 0.0
    for t in range(periods):
        u = [-F @ x for F in rules]
        v = np.concatenate([u[j] for j in range(len(u)) if j != player])
        own = u[player]
        total += game["gamma"] ** t * (
            x @ game["R"][player] @ x
            + own @ game["Q"][player] @ own
            + v @ game["S"][player] @ v
            + 2 * x @ game["W"][player] @ own
            + 2 * v @ game["M"][player] @ own
        )
        x = game["A"] @ x + sum(B @ move for B, move in zip(game["B"], u, strict=True))
    return float(total)


def rules_of(found: rv.Solution, sizes: tuple[int, ...]) -> list[np.ndarray]:
    return [rule[:size] for rule, size in zip(found.data.feedback.values, sizes, strict=True)]


def test_one_player_of_one_state_has_the_root_of_a_quadratic_equation() -> None:
    """``P = 1 + .9 P / (1 + .9 P)``, hence ``.9 P^2 - .8 P - 1 = 0``."""
    P = (0.8 + np.sqrt(0.64 + 3.6)) / 1.8
    data = solved(lq(**DEBT)).data
    assert data.cost_to_go.values.item() == pytest.approx(P, rel=1e-12)
    assert data.feedback.values.item() == pytest.approx(-0.9 * P / (1 + 0.9 * P), rel=1e-12)


def test_a_cost_of_moves_by_state_is_a_change_of_variables() -> None:
    """``x^2 + u^2 + 2 w x u`` is ``(1 - w^2) x^2 + v^2`` in ``v = u + w x``, where ``x' = (1 + w) x - v``."""
    w = 0.3
    mixed = solved(lq(**DEBT, W=[[[w]]])).data
    plain = solved(lq(**{**DEBT, "A": [[1 + w]], "R": [[[1 - w * w]]]})).data
    np.testing.assert_allclose(mixed.feedback, plain.feedback + w, rtol=1e-10)
    np.testing.assert_allclose(mixed.cost_to_go, plain.cost_to_go, rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(1, 1), (2, 1), (1, 2, 1)])
def test_random_games_match_best_response_iteration_period_by_period(sizes: tuple[int, ...]) -> None:
    """Backward induction; the moves of a period by best responses in turn, from the costs written out."""
    game = random_game(len(sizes), sizes)
    found = solved(lq(**game))
    assert found.claim == "equilibrium"
    players = range(len(sizes))
    P = [np.zeros((3, 3)) for _ in players]
    F = [np.zeros((size, 3)) for size in sizes]
    for _ in range(200):
        for _ in range(60):
            for i in players:
                rest = game["A"] - sum(game["B"][j] @ F[j] for j in players if j != i)
                v = -np.vstack([F[j] for j in players if j != i])
                B, ahead = game["B"][i], 0.9 * game["B"][i].T @ P[i]
                slope = ahead @ rest + game["W"][i].T + game["M"][i].T @ v
                F[i] = np.linalg.solve(game["Q"][i] + ahead @ B, slope)
        loop = game["A"] - sum(game["B"][j] @ F[j] for j in players)
        for i in players:
            v = -np.vstack([F[j] for j in players if j != i])
            both = (game["W"][i] + v.T @ game["M"][i]) @ F[i]
            now = game["R"][i] + F[i].T @ game["Q"][i] @ F[i] + v.T @ game["S"][i] @ v - both - both.T
            P[i] = now + 0.9 * loop.T @ P[i] @ loop
    for i, rule in enumerate(rules_of(found, sizes)):
        np.testing.assert_allclose(rule, F[i], rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(found.data.cost_to_go.values[i], P[i], rtol=1e-7, atol=1e-9)


@pytest.mark.slow
def test_values_and_certificate_are_those_of_play_written_out() -> None:
    sizes = (2, 1)
    game = random_game(7, sizes)
    found = solved(lq(**game))
    rules = rules_of(found, sizes)
    rng = np.random.default_rng(0)
    for player, value in enumerate(found.data.value.values):
        least = cost(game, rules, player)
        assert -value == pytest.approx(least, rel=1e-9)
        for _ in range(5):
            other = [rule.copy() for rule in rules]
            other[player] += 0.05 * rng.normal(size=other[player].shape)
            assert cost(game, other, player) > least


def test_a_joint_plan_costs_least_in_total_and_a_leader_no_more_than_without_leading() -> None:
    game = random_game(3)
    total = {name: solved(lq(**game), name).data.value.values for name in ("markov_perfect", "joint")}
    assert total["joint"].sum() >= total["markov_perfect"].sum()
    led = solved(lq(**game), "feedback_stackelberg")
    assert led.claim == "equilibrium"
    rules = rules_of(led, (2, 1))
    assert -led.data.value.values[1] == pytest.approx(cost(game, rules, 1), rel=1e-9)
    # the follower's rule is its best response on the path
    rules[1] = rules[1] + 0.01
    assert cost(game, rules, 1) > -led.data.value.values[1]


@pytest.mark.slow
def test_rules_match_quantecon() -> None:
    qe = pytest.importorskip("quantecon")
    game = random_game(5)
    root = np.sqrt(0.9)
    names = ("R", "Q", "S", "W", "M")
    flat = [part for name in names for part in game[name]]
    A, (B1, B2) = root * game["A"], (root * B for B in game["B"])
    F1, F2, P1, P2 = qe.nnash(A, B1, B2, *flat, tol=1e-12)
    data = solved(lq(**game)).data
    np.testing.assert_allclose(data.feedback.values[0], F1, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(data.feedback.values[1, :1], F2, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(data.cost_to_go.values, [P1, P2], rtol=1e-7, atol=1e-9)


def test_games_without_a_solution_have_none() -> None:
    """A state explodes that no move affects; and a move without effect pays its square."""
    with pytest.warns(UserWarning, match="the spectral radius of play is 1.2, and must be below 1.05409"):
        assert solved(lq(**{**DEBT, "A": [[1.2]], "B": [[[0]]]})).status == "not found"
    assert solved(lq(**{**DEBT, "A": [[0.5]], "B": [[[0]]], "Q": [[[-1]]]})).claim != "equilibrium"


UNDISCOUNTED: dict[str, Any] = {
    "A": [[1.1]],
    "B": [[[1.0]]] * 2,
    "R": [[[1.0]]] * 2,
    "Q": [[[10.0]]] * 2,
    "gamma": 1.0,
    "initial": [1.0],
}


def test_an_undiscounted_regulator_is_the_limit_of_value_iteration() -> None:
    """The game of nashopt's example_lqr.py; its rules are F = .19623 twice."""
    cost_to_go, rule = 1.0, 0.0
    for _ in range(1000):  # one player's first-order condition where both have the same rule
        rule = cost_to_go * 1.1 / (10 + 2 * cost_to_go)
        cost_to_go = 1 + 10 * rule**2 + cost_to_go * (1.1 - 2 * rule) ** 2
    found = solved(lq(**UNDISCOUNTED))
    assert found.data.feedback.values.ravel() == pytest.approx([rule, rule], rel=1e-12)
    assert rule == pytest.approx(0.1962337432759248, rel=1e-12)
    x = (1.1 - 2 * rule) ** np.arange(400)
    assert found.data.value.values == pytest.approx(-np.full(2, np.sum(x**2 * (1 + 10 * rule**2))), rel=1e-12)
    assert found.claim == "equilibrium"


def test_undiscounted_rules_of_random_games_are_those_of_gamma_near_one() -> None:
    game = random_game(4)
    near, at = (solved(lq(**{**game, "gamma": rate})) for rate in (1 - 1e-9, 1.0))
    assert at.claim == near.claim == "equilibrium"
    assert at.data.feedback.values == pytest.approx(near.data.feedback.values, rel=1e-6, abs=1e-8)
    assert at.data.value.values == pytest.approx(near.data.value.values, rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_undiscounted_costs_of_states_that_stay_have_no_sum(seed: int) -> None:
    """A constant and a trend, in rotated states: rounding may put their double root on either side of 1."""
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    motion = turn @ np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.1, 0.0, 0.5]]) @ turn.T
    push = turn @ np.array([[0.0], [0.0], [1.0]])
    game = lq(A=motion, B=[push], R=[np.eye(3)], Q=[[[1]]], gamma=1.0, initial=[1, 1, 1])
    with pytest.warns(UserWarning, match="the spectral radius of play is 1, and must be below 1"):
        found = solved(game)
    assert found.status == "not found"
    assert np.isnan(found.data.value.values).all()


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"gamma": 1.5}, "gamma: 1.5 must be in"),
        ({"gamma": [0.5, 0.5]}, "gamma: 2 numbers"),
        ({"A": [[1, 2]]}, "A: shape 1 x 2 must be 1 x 1"),
        ({"B": [[[1], [2]]]}, r"B\[0\]: shape 2 x 1 must be 1 x any"),
        ({"B": []}, "B: must have one matrix per player"),
        ({"Q": [[[1]], [[1]]]}, "Q: 2 matrices must be one for each of the 1 players"),
        ({"W": [[[1, 2]]]}, r"W\[0\]: shape 1 x 2 must be 1 x 1"),
        ({"R": [[[np.nan]]]}, r"R\[0\]: must be finite"),
        ({"R": [[1]]}, r"R\[0\]: 1 dimensions must be 2"),
        ({"initial": [1, 2]}, "initial: shape 1 x 2 must be 1 x 1"),
    ],
)
def test_wrong_matrices_are_refused_in_one_line(changed: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        lq(**{**DEBT, **changed})


def test_a_commitment_refuses_cross_terms() -> None:
    with pytest.raises(ValueError, match="cross: a commitment needs costs without cross terms"):
        solved(lq(**random_game(1, (1, 1))), "commitment_stackelberg")

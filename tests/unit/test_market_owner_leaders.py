"""Owners of several products who lead: outputs and prices by linear systems, corners, certificates."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry import oracles
from rivalry.runtime.jax import put

pytestmark = pytest.mark.slow

A, B, G = 10.0, 1.0, 0.5
SLOPES = np.full((4, 4), G) + np.eye(4) * (B - G)  # p = A - SLOPES q
COST = np.array([1.0, 1.5, 2.0, 1.2])
LEADERS, FOLLOWERS = [0, 1], [2, 3]


def solved(**keys: Any) -> Any:
    return rv.solve(rv.games.market(**keys), rv.methods.BestResponse(), path=False)


def played(solution: Any, owners: list[list[int]]) -> np.ndarray:
    """Return the choices of all products."""
    choices = np.zeros(sum(map(len, owners)))
    for row, products in zip(solution.data.play.values, owners, strict=True):
        choices[products] = row[: len(products)]
    return choices


def same_owner(owners: list[list[int]]) -> np.ndarray:
    owned = np.zeros((4, 4))
    for row in owners:
        owned[np.ix_(row, row)] = 1
    return owned


def outputs_by_system(owners: list[list[int]]) -> np.ndarray:
    """Return outputs of one leading owner; followers meet A - c = (S + owned S) q."""
    ff, fl, lf = np.ix_(FOLLOWERS, FOLLOWERS), np.ix_(FOLLOWERS, LEADERS), np.ix_(LEADERS, FOLLOWERS)
    inverse = np.linalg.inv((SLOPES + same_owner(owners) * SLOPES)[ff])
    net = A - COST
    left = SLOPES[np.ix_(LEADERS, LEADERS)] - SLOPES[lf] @ inverse @ SLOPES[fl]
    lead = np.linalg.solve(left + left.T, net[LEADERS] - SLOPES[lf] @ inverse @ net[FOLLOWERS])
    return np.concatenate([lead, inverse @ (net[FOLLOWERS] - SLOPES[fl] @ lead)])


def prices_by_system(owners: list[list[int]]) -> np.ndarray:
    """Return prices of one leading owner: q_i = sum_j owned_ij S_ij (p_j - c_j), q = S (A - p)."""
    demand = np.linalg.inv(SLOPES)
    own = same_owner(owners) * demand
    ff, fl, lf = np.ix_(FOLLOWERS, FOLLOWERS), np.ix_(FOLLOWERS, LEADERS), np.ix_(LEADERS, FOLLOWERS)
    inverse = np.linalg.inv((demand + own)[ff])
    choke = demand @ np.full(4, A)
    fixed, moves = inverse @ (choke[FOLLOWERS] + own[ff] @ COST[FOLLOWERS]), -inverse @ demand[fl]
    falls = demand[np.ix_(LEADERS, LEADERS)] + demand[lf] @ moves
    alone = choke[LEADERS] - demand[lf] @ fixed
    lead = np.linalg.solve(falls + falls.T, alone + falls.T @ COST[LEADERS])
    return np.concatenate([lead, fixed + moves @ lead])


@pytest.mark.parametrize("owners", [[[0, 1], [2, 3]], [[0, 1], [2], [3]]])
@pytest.mark.parametrize(
    ("choice", "expected", "claim"),
    [("quantity", outputs_by_system, "equilibrium"), ("price", prices_by_system, "no deviation found")],
)
def test_a_merger_of_two_leaders_solves_the_linear_system(
    owners: list[list[int]], choice: str, expected: Any, claim: str
) -> None:
    stages = [[0], list(range(1, len(owners)))]
    keys = {"demand": "differentiated", "choice": choice, "unit_cost": COST.tolist()}
    solution = solved(owners=owners, stages=stages, **keys)
    assert solution.claim == claim
    np.testing.assert_allclose(played(solution, owners), expected(owners), rtol=1e-9)


def test_two_leaders_of_two_plants_each_play_cournot_on_what_followers_leave() -> None:
    game = rv.games.market(owners=[[0, 1], [2, 3], [4, 5]], stages=[[0, 1], [2]])
    solution = rv.solve(game, rv.methods.ClosedForm())
    # leaders face the intercept (a + c)/2 and the slope b/2
    assert solution.claim == "equilibrium"
    np.testing.assert_allclose(solution.data.play.values.sum(axis=1), [30.0, 30.0, 15.0], rtol=1e-9)


def test_a_leader_keeps_a_follower_out() -> None:
    game = rv.games.market(owners=[[0, 1], [2]], stages=[[0], [1]], unit_cost=[10.0, 12.0, 50.0])
    solution = rv.solve(game, rv.methods.ClosedForm())
    totals = np.linspace(20.0, 80.0, 60_001)
    follower = np.maximum((50.0 - totals) / 2, 0.0)
    best = totals[np.argmax((90.0 - totals - follower) * totals)]
    np.testing.assert_allclose(solution.data.play.values[0], [best, 0.0], atol=1e-3)
    np.testing.assert_allclose(solution.data.play.values[1], 0.0, atol=1e-9)


@pytest.mark.parametrize("demand", ["differentiated", "logit"])
def test_no_prices_of_a_leader_pay_more(demand: str) -> None:
    game = rv.games.market(demand=demand, choice="price", owners=[[0, 1], [2, 3]], stages=[[0], [1]])
    paid = float(game.payoffs(put(oracles.closed_form(game)[0]))[0])
    line = np.linspace(1.0, float(game.space.high[0, 0]), 9)
    others = [float(game.payoffs(put(np.array([[a, b]])))[0]) for a in line for b in line if a <= b]
    assert max(others) <= paid + 1e-12


@pytest.mark.parametrize(
    "keys",
    [
        {"demand": "differentiated", "choice": "price"},
        {"demand": "differentiated", "choice": "price", "substitution": 0.95},
        {"demand": "differentiated", "convex_cost": [0.0, 0.5, 1.0, 0.0]},
        {},
        {"convex_cost": 0.3},
        {"tax": {"unit": 0.5, "ad_valorem": 0.2}},
    ],
)
def test_no_choices_of_an_owner_pay_more_than_its_response(keys: dict[str, Any]) -> None:
    game = rv.games.market(owners=[[0, 2], [1, 3]], unit_cost=COST.tolist(), **keys)
    rng, width = np.random.default_rng(2), np.asarray(game.space.high)
    for _ in range(4):
        x = width * rng.random((2, 2)) * (0.4 if game.rule.choice == "quantity" else 1.0)
        response, paid, coverage = oracles.best_response(game, put(x), 0)
        assert coverage == "tight"
        near = np.asarray(response) + 0.1 * width[0] * rng.normal(size=(200, 2))
        rows = np.concatenate([width[0] * rng.random((200, 2)), np.clip(near, 0.0, width[0])])
        profiles = np.repeat(x[None], len(rows), axis=0)
        profiles[:, 0] = rows
        pays = [float(game.payoffs(put(profile))[0]) for profile in profiles[::4]]
        assert max(pays) <= float(paid) + 1e-12 * float(oracles.payoff_scale(game))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"demand": "isoelastic"}, "stages: closed forms are for owners of substitutes"),
        ({"capacity": 20.0}, "stages: closed forms are for owners of substitutes"),
        ({"stages": [[0], [1], [2]]}, "stages"),
    ],
)
def test_wrong_leaders_are_answered_in_one_line(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]*$") as error:
        rv.games.market(**({"owners": [[0, 1], [2]], "stages": [[0], [1]]} | keys))
    assert message in str(error.value)

"""Leaders and followers of markets against dense grids, with followers' best responses in NumPy."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.game import own_gradients
from rivalry.families.market.benchmarks import benchmark
from rivalry.runtime.jax import jnp, put
from rivalry.transforms import Followers, hierarchy

pytestmark = pytest.mark.mostly_slow


def follower_outputs(
    a: float, b: float, before: Any, c: np.ndarray, d: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Cournot followers ``[.. firm]`` by sequential best responses, a contraction."""
    q = np.zeros((*np.shape(before), len(c)))
    for _ in range(60):
        for k in range(len(c)):
            rest = before + q.sum(axis=-1) - q[..., k]
            q[..., k] = np.clip((a - b * rest - c[k]) / (2 * b + d[k]), 0.0, high[k])
    return q


def profits(a: float, b: float, q: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    return np.asarray((max(a - b * q.sum(), 0.0) - c) * q - d * q**2 / 2)


def led(keys: dict[str, Any], stages: list[list[int]]) -> Any:
    return benchmark(rv.games.market(stages=stages, **keys).market, "stackelberg")


@pytest.mark.parametrize("seed", range(8))
def test_one_leader_matches_a_dense_grid_search(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 5))
    a, b, c = rng.uniform(7, 12), rng.uniform(0.5, 2.0), rng.uniform(0.5, 6.0, n)
    high = np.where(rng.random(n) < 0.5, rng.uniform(0.2, 2.0, n), 50.0)
    d = rng.uniform(0, 1, n) * rng.integers(0, 2, n)
    keys = {"intercept": a, "slope": b, "unit_cost": c, "convex_cost": d, "capacity": high}
    found = led(keys, [[0], list(range(1, n))])
    follow = follower_outputs(a, b, found.q[0], c[1:], d[1:], high[1:])
    np.testing.assert_allclose(found.q[1:], follow, atol=1e-9)
    own = np.linspace(0.0, min(high[0], a / b), 2001)
    price = np.maximum(a - b * (own + follower_outputs(a, b, own, c[1:], d[1:], high[1:]).sum(axis=1)), 0.0)
    best = np.max((price - c[0]) * own - d[0] * own**2 / 2)
    assert profits(a, b, found.q, c, d)[0] >= best - 1e-9


@pytest.mark.default
@pytest.mark.parametrize(
    ("cost", "leads"),
    [(10.0, 45.0), (25.0, 52.5), (39.0, 59.5), (40.0, 60.0), (50.0, 50.0), (55.0, 45.0), (60.0, 45.0)],
)
def test_entry_is_accommodated_deterred_or_blockaded(cost: float, leads: float) -> None:
    # interior (110 + c - 20) / 2 while the follower sells, then the limit output 100 - c, then the monopoly's
    found = led({"unit_cost": [10.0, cost]}, [[0], [1]])
    assert found.q[0] == pytest.approx(leads, rel=1e-9)
    assert found.q[1] == pytest.approx(max((100 - cost - leads) / 2, 0.0), abs=1e-9)


@pytest.mark.parametrize("stages", [[[0], [1], [2]], [[2], [0, 1], [3]]])
def test_hierarchies_of_three_divide_the_residual_demand(stages: list[list[int]]) -> None:
    found, left = led({"players": sum(map(len, stages))}, stages).q, 90.0
    for row in stages:
        share = left / (len(row) + 1)
        np.testing.assert_allclose(found[row], share, rtol=1e-7)
        left -= share * len(row)


@pytest.mark.parametrize("seed", range(4))
def test_several_leaders_do_not_gain(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b, c = rng.uniform(7, 12), rng.uniform(0.5, 2.0), rng.uniform(0.5, 3.0, 3)
    q = led({"intercept": a, "slope": b, "unit_cost": c}, [[0, 1], [2]]).q
    own = profits(a, b, q, c, np.zeros(3))
    for leader in range(2):
        for other in np.linspace(0.0, a / b, 1001):
            moved = q.copy()
            moved[leader] = other
            moved[2] = np.clip((a - b * moved[:2].sum() - c[2]) / (2 * b), 0.0, None)
            assert profits(a, b, moved, c, np.zeros(3))[leader] <= own[leader] + 1e-9


def test_leaders_may_have_no_pure_equilibrium() -> None:
    """A follower at capacity while leaders produce little gives a kink without an equilibrium."""
    game = rv.games.market(unit_cost=[27.0, 5.0, 12.0], capacity=[100.0, 100.0, 21.0], stages=[[0, 1], [2]])
    with pytest.raises(ValueError, match="the firms of the first stage have no pure equilibrium"):
        benchmark(game.market, "stackelberg")


@pytest.mark.parametrize(
    "keys",
    [
        {"stages": [[0], [1]]},
        {"stages": [[0], [1]], "unit_cost": [10.0, 60.0]},
        {"stages": [[0], [1]], "capacity": [100.0, 8.0]},
        {"stages": [[0, 1], [2, 3]], "unit_cost": [10.0, 12.0, 11.0, 30.0], "convex_cost": 0.5},
        {"stages": [[0], [1]], "demand": "differentiated"},
    ],
    ids=["sym", "blockaded", "full", "many", "differentiated"],
)
def test_staged_markets_are_certified_with_a_bound(keys: dict[str, Any]) -> None:
    game = rv.games.market(**keys)
    (root,) = rv.oracles.closed_form(game)
    proof = rv.certificate(game, root)
    assert proof.claim == "equilibrium"
    assert np.all(proof.bound <= 1e-6)


@pytest.mark.parametrize("stages", [[[0], [1, 2]], [[0], [1], [2]]], ids=["two", "three"])
@pytest.mark.parametrize("substitution", [0.7, -0.4])
def test_responses_and_derivatives_match_the_search(stages: list[list[int]], substitution: float) -> None:
    keys = {"demand": "differentiated", "unit_cost": [1.0, 1.2, 2.0], "convex_cost": 0.3}
    ours = rv.games.market(stages=stages, substitution=substitution, **keys)
    searched = hierarchy(ours.market, stages, Followers())
    x = jnp.array([[3.1]])
    np.testing.assert_allclose(ours.payoffs(x), searched.payoffs(x), rtol=1e-7)
    np.testing.assert_allclose(own_gradients(ours, x), own_gradients(searched, x), rtol=1e-6)


A, B, G = 10.0, 1.0, 0.5
SLOPES = np.full((4, 4), G) + np.eye(4) * (B - G)  # p = A - SLOPES q
COST = np.array([1.0, 1.5, 2.0, 1.2])
LEADERS, FOLLOWERS = [0, 1], [2, 3]


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
    ("choice", "expected"), [("quantity", outputs_by_system), ("price", prices_by_system)]
)
def test_an_owner_of_two_leading_products_solves_the_linear_system(
    owners: list[list[int]], choice: str, expected: Any
) -> None:
    stages = [[0], list(range(1, len(owners)))]
    keys = {"demand": "differentiated", "choice": choice, "unit_cost": COST.tolist()}
    found = led(keys | {"owners": owners}, stages)
    np.testing.assert_allclose(found.choice, expected(owners), rtol=1e-8)


def test_two_leaders_of_two_plants_each_play_cournot_on_what_followers_leave() -> None:
    game = rv.games.market(owners=[[0, 1], [2, 3], [4, 5]], stages=[[0, 1], [2]], convex_cost=1e-3)
    found = np.asarray(game.market.by_firm(put(benchmark(game, "stackelberg").q)))
    # leaders face the intercept (a + c)/2 and the slope b/2
    np.testing.assert_allclose(found, [30.0, 30.0, 15.0], rtol=2e-3)


@pytest.mark.parametrize("rates", [[0.0, 0.0, 0.0], [0.1, 0.3, 0.2]])
def test_an_owner_with_two_tax_rates_responds_to_a_leader(rates: list[float]) -> None:
    keys = {"demand": "differentiated", "unit_cost": [1.0, 1.5, 2.0], "owners": [[0], [1, 2]]}
    game = rv.games.market(stages=[[0], [1]], tax={"ad_valorem": rates}, **keys)
    x = np.array([[3.0, 0.0]])
    play = rv.oracles.metrics(game, x)["play"][1]

    def earned(q: np.ndarray) -> Any:
        every = np.concatenate([np.broadcast_to(3.0, (*q.shape[:-1], 1)), q], axis=-1)
        price = 10 - 0.5 * every - 0.5 * every.sum(axis=-1, keepdims=True)
        kept = (1 - np.array(rates)) * price - np.array([1.0, 1.5, 2.0])
        return np.sum((kept * every)[..., 1:], axis=-1)

    best = earned(play[1])
    grid = np.stack(np.meshgrid(*[np.linspace(0, 6, 301)] * 2, indexing="ij"), axis=-1)
    assert earned(grid).max() <= best + 1e-9
    near = play[1] + np.random.default_rng(0).normal(0, 1e-2, (500, 2))
    assert earned(np.maximum(near, 0)).max() <= best + 1e-12

"""Equilibria, cartels and competition against formulas and own searches in plain NumPy."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

import rivalry as rv
from rivalry import oracles
from rivalry.families.market.benchmarks import benchmark, certified
from tests.duel import formulas
from tests.market_formulas import logit_bertrand

pytestmark = pytest.mark.mostly_slow

RULES = [
    ("linear", "quantity"),
    ("differentiated", "quantity"),
    ("differentiated", "price"),
    ("logit", "price"),
    ("isoelastic", "quantity"),
]


def random_market(rng: np.random.Generator, demand: str, choice: str) -> Any:
    """A market of unlike firms, of which some may be idle or at capacity."""
    n = int(rng.integers(2, 5))
    keys: dict[str, Any] = {"demand": demand, "choice": choice, "unit_cost": rng.uniform(0.5, 6.0, n)}
    if demand == "isoelastic":
        keys |= {"elasticity": rng.uniform(0.8, 3.0), "unit_cost": rng.uniform(1.0, 1.2, n)}
    elif demand == "logit":
        keys |= {"quality": rng.uniform(0.0, 6.0, n), "outside_option": rng.normal()}
        keys |= {"taste_spread": rng.uniform(0.1, 2.0), "convex_cost": rng.uniform(0.0, 2.0, n)}
    else:
        b = rng.uniform(0.5, 2.0)
        keys |= {"intercept": rng.uniform(7.0, 12.0), "slope": b, "convex_cost": rng.uniform(0.0, 1.0, n)}
        if demand == "linear":
            keys["capacity"] = rng.uniform(0.2, 4.0, n)
        else:
            keys["substitution"] = rng.uniform(-0.9 / (n - 1), 0.9) * b
    return rv.games.market(**keys)


def profit_of(market: Any, x: np.ndarray, firm: int) -> Any:
    """A firm's profit as a function of its choice, in plain NumPy."""
    kind = {"demand": market.rule.demand, "choice": market.rule.choice}
    profits = formulas.market(dict(market.numbers) | kind, len(x))
    return lambda own: float(profits(x[:, None], firm, np.array([[own]]))[0])


@pytest.mark.parametrize(("demand", "choice"), RULES)
def test_no_firm_gains_by_deviating_from_equilibria(demand: str, choice: str) -> None:
    rng = np.random.default_rng(8)
    for _ in range(12):
        market = random_market(rng, demand, choice)
        (root,) = oracles.closed_form(market)
        low, high = np.asarray(market.space.low)[:, 0], np.asarray(market.space.high)[:, 0]
        for firm in range(len(low)):
            profit = profit_of(market, root[:, 0], firm)
            line = np.linspace(low[firm], high[firm], 101)
            start = line[np.argmax([profit(own) for own in line])]
            ends = np.clip([start - line[2] + line[0], start + line[2] - line[0]], low[firm], high[firm])
            best = -minimize_scalar(lambda own: -profit(own), bounds=ends, method="bounded").fun  # noqa: B023
            assert best - profit(root[firm, 0]) <= 1e-9 * (1 + abs(best)), (market, root)


@pytest.mark.parametrize(("demand", "choice"), RULES[:4])
def test_no_profile_exceeds_the_joint_profit_of_a_cartel(demand: str, choice: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(8):
        market = random_market(rng, demand, choice)
        best = benchmark(market, "cartel").choice
        low, high = np.asarray(market.space.low)[:, 0], np.asarray(market.space.high)[:, 0]

        def lost(y: np.ndarray, market: Any = market) -> float:
            return -sum(profit_of(market, y, firm)(y[firm]) for firm in range(len(y)))

        for start in (best, (low + np.minimum(high, 8.0)) / 2, rng.uniform(low, np.minimum(high, 8.0))):
            found = minimize(lost, start, bounds=list(zip(low, high, strict=True)), method="L-BFGS-B")
            assert -found.fun <= -lost(best) + 1e-6 * abs(found.fun)


def test_sellers_below_capacity_take_the_price_as_given() -> None:
    rng = np.random.default_rng(2)
    for _ in range(15):
        n = int(rng.integers(1, 6))
        a, b, c = rng.uniform(7, 12), rng.uniform(0.5, 2), rng.uniform(0, 6, n)
        d, capacity = rng.uniform(0, 1, n) * rng.integers(0, 2, n), rng.uniform(0.2, 9, n)
        keys = {"intercept": a, "slope": b, "unit_cost": c, "convex_cost": d, "capacity": capacity}
        q = benchmark(rv.games.market(**keys), "competitive").q
        price, cost = a - b * q.sum(), c + d * q
        assert np.all((q >= 0) & (q <= capacity))
        inside = (q > 1e-9) & (q < capacity - 1e-9)
        np.testing.assert_allclose(cost[inside], price, rtol=1e-8)
        assert np.all(cost[q <= 1e-9] >= price - 1e-8)
        assert np.all(cost[q >= capacity - 1e-9] <= price + 1e-8)


def test_equal_costs_share_output_equally_up_to_capacity() -> None:
    shared = benchmark(rv.games.market(capacity=[10.0, 100.0, 100.0]), "competitive").q
    np.testing.assert_allclose(shared, [10.0, 40.0, 40.0], rtol=1e-9)
    joint = benchmark(rv.games.market(unit_cost=[10.0, 20.0], convex_cost=1.0), "cartel").q
    np.testing.assert_allclose(joint, [22.0, 12.0], rtol=1e-9)


def test_owners_of_two_products_and_shares_in_rivals_meet_a_linear_system() -> None:
    # A - c_i = 2 b q_i + sum_j (1 + w_ij) g q_j, with the weight of a product's profit in the other's choice
    A, b, g, c = 10.0, 1.0, 0.5, np.array([1.0, 1.5, 2.0])
    keys = {"demand": "differentiated", "intercept": A, "slope": b, "substitution": g, "unit_cost": c}
    game = rv.games.market(owners=[[0, 1], [2]], ownership=[[1.0, 0.3], [0.0, 1.0]], **keys)
    weights = np.array([[1, 1, 0.3], [1, 1, 0.3], [0, 0, 1.0]])
    system = (1 + weights) * g
    np.fill_diagonal(system, 2 * b)
    found = benchmark(game, "nash")
    np.testing.assert_allclose(found.choice, np.linalg.solve(system, A - c), rtol=1e-12)
    proof = certified(game, "nash")
    assert proof.claim == "equilibrium"
    assert np.all(proof.bound <= 1e-7)


def test_extreme_logit_markets_meet_the_first_order_conditions() -> None:
    rng = np.random.default_rng(3)
    for _ in range(25):
        n, mu = int(rng.integers(1, 6)), 10 ** rng.uniform(-1, 1)
        a, c, a0 = rng.normal(0, 5, n), rng.uniform(0, 3, n), rng.normal(0, 3)
        keys = {"quality": a, "unit_cost": c, "outside_option": a0, "taste_spread": mu}
        p = benchmark(rv.games.market(demand="logit", **keys), "nash").choice
        np.testing.assert_allclose(p, logit_bertrand(a, a0, mu, c), rtol=1e-8)


def test_fixed_costs_give_several_equilibria_or_the_interior_one() -> None:
    for fixed, wanted in ((10.0, [[4.5, 0.0], [0.0, 4.5]]), (1.0, [[3.0, 3.0]])):
        game = rv.games.market(intercept=10.0, unit_cost=1.0, fixed_cost=fixed)
        assert oracles.closed_form(game)[..., 0].tolist() == wanted


@pytest.mark.parametrize("high", [None, float("inf")])
def test_the_firm_of_highest_cost_stays_out_first(high: float | None) -> None:
    for costs, wanted in (([1.0, 1.5], [[4.5, 0.0], [0.0, 4.25]]), ([1.5, 1.0], [[0.0, 4.5], [4.25, 0.0]])):
        game = rv.games.market(intercept=10.0, unit_cost=costs, fixed_cost=10.0, high=high)
        assert oracles.closed_form(game)[..., 0].tolist() == wanted


def test_limit_prices_exclude_the_high_cost_firm() -> None:
    keys = {"demand": "differentiated", "choice": "price", "substitution": 0.9, "unit_cost": [1.0, 3.5]}
    p = benchmark(rv.games.market(intercept=10.0, **keys), "nash").choice
    q = np.linalg.solve([[1.0, 0.9], [0.9, 1.0]], 10.0 - p)
    assert p[1] == 3.5
    assert abs(q[1]) < 1e-9


@pytest.mark.default
def test_prices_of_one_good_are_the_rivals_cost_or_that_of_a_monopoly() -> None:
    for costs, wanted in (([10.0, 80.0], [55.0, 80.0]), ([10.0, 10.0, 20.0], [10.0, 10.0, 20.0])):
        assert benchmark(rv.games.market(choice="price", unit_cost=costs), "nash").choice.tolist() == wanted
    game = rv.games.market(choice="price", unit_cost=[10.0, 30.0])
    assert np.all(rv.certificate(game, oracles.closed_form(game)[0]).bound <= 1e-9)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"demand": "isoelastic", "elasticity": 0.4, "players": 2}, "no interior equilibrium"),
        ({"choice": "price", "convex_cost": 1.0}, "convex_cost: must be 0 for prices of one good"),
        ({"choice": "price", "capacity": 5.0, "rationing": "efficient"}, "rationing: .*use double_oracle"),
        ({"choice": "price", "high": 20.0, "unit_cost": [10.0, 30.0]}, "low, high: must not bind"),
        ({"players": 13, "fixed_cost": 1.0}, r"fixed_cost: 13 firms have fixed costs; .* at most 12"),
    ],
)
def test_refusals_name_the_obstacle(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        oracles.closed_form(rv.games.market(**keys))


@pytest.mark.parametrize("substitution", [-0.45, -0.2, 0.0, 0.6])
def test_nothing_is_sold_above_the_largest_profitable_price(substitution: float) -> None:
    keys = {"demand": "differentiated", "choice": "price", "substitution": substitution, "unit_cost": 0.0}
    top = float(rv.games.market(players=3, **keys).space.high[0, 0])
    prices = [[top, 0.0, 0.0], [top, 0.0, 9.0], [top, 4.0, 2.0]]  # complements sell most if they are free
    numbers = {"intercept": 10.0, "slope": 1.0, "substitution": substitution}
    *most, above = formulas.varieties(numbers, np.array([*prices, [10.5, 0.0, 0.0]]))[:, 0]
    assert most == pytest.approx([0.0] * 3, abs=1e-9)
    assert (above > 0) == (substitution < 0)  # only complements sell above the intercept of demand

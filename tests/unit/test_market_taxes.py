"""Taxes per unit and on revenue: by hand, beside equal costs, and on grids."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.families.market.benchmarks import benchmark
from rivalry.families.market.play import simulate

pytestmark = pytest.mark.slow

GOODS: dict[str, Any] = {"demand": "differentiated", "choice": "price", "convex_cost": 0.1}
RATES: dict[str, Any] = {"ad_valorem": [0.2, 0.1], "unit": [1.0, -0.5]}


def test_a_monopoly_passes_on_half_of_a_unit_tax() -> None:
    for tax in (0.0, 4.0, -2.0):
        at = benchmark(rv.games.market(players=1, tax={"unit": tax}), "nash")
        np.testing.assert_allclose(at.p, 55 + tax / 2, rtol=1e-12)
        np.testing.assert_allclose(at.profit, (45 - tax / 2) ** 2, rtol=1e-12)
        np.testing.assert_allclose(float(at.measures["welfare"][1]), 1.5 * at.q[0] ** 2 + tax * at.q[0])


def test_a_tax_on_revenue_divides_costs_by_what_is_kept() -> None:
    # maximizing (1 - v)(100 - Q) q - (10 + t) q: Q = 2 (100 - (10 + t)/(1 - v))/3
    taxed = rv.games.market(tax={"ad_valorem": 0.2, "unit": 2.0, "profit": 0.25})
    at = benchmark(taxed, "nash")
    q = (100 - 12 / 0.8) / 3
    np.testing.assert_allclose(at.q, q, rtol=1e-12)
    np.testing.assert_allclose(at.profit, (0.8 * (100 - 2 * q) - 12) * q, rtol=1e-12)
    np.testing.assert_allclose(at.payoff, 0.75 * at.profit, rtol=1e-12)
    # two firms that share revenue with the state: the sums are consistent
    measures = {name: float(array) for name, (dims, array) in at.measures.items() if not dims}
    cost = 10 * measures["total_quantity"]
    received = measures["industry_profit"] + measures["tax_revenue"] + cost
    np.testing.assert_allclose(received, measures["mean_price"] * measures["total_quantity"], rtol=1e-12)


@pytest.mark.parametrize(
    "keys",
    [
        GOODS,
        {"demand": "logit"},
        {"demand": "differentiated"},
        {"fixed_cost": 5.0},
        {"demand": "isoelastic"},
        {"demand": "120*exp(-Q/40)"},
        {"choice": "price", "capacity": [20.0, 30.0], "rationing": "efficient"},
    ],
)
def test_best_responses_to_taxes_are_those_of_a_grid(keys: dict[str, Any]) -> None:
    game = rv.games.market(tax=RATES, **keys)
    low, high = np.asarray(game.space.low), np.asarray(game.space.high)
    rng = np.random.default_rng(3)
    for _ in range(3):
        x = low + (high - low) * rng.random((2, 1)) / 2
        response = rv.best_response(game, x, 0)
        line = np.linspace(low[0, 0], high[0, 0], 4001)
        rows = np.repeat(x[None], len(line), axis=0)
        rows[:, 0, 0] = line
        best = max(float(np.asarray(game.payoffs(row))[0]) for row in rows[::10])
        assert best <= response.payoff + 1e-9 * (1 + abs(best))


@pytest.mark.parametrize("stages", [[[0, 1]], [[0], [1]]])
def test_taxes_with_formulas_are_those_of_named_demand(stages: list[list[int]]) -> None:
    keys: dict[str, Any] = {"tax": {"ad_valorem": [0.2, 0.3], "unit": 1.0}, "stages": stages}
    named, written = rv.games.market(**keys), rv.games.market(demand="100 - Q", unit_cost=10.0, **keys)
    name = "nash" if len(stages) == 1 else "stackelberg"
    np.testing.assert_allclose(benchmark(named, name).q, benchmark(written, name).q, rtol=1e-6)
    assert rv.solve(named, rv.methods.BestResponse(), path=False).claim == "equilibrium"
    x = [[20.0], [25.0]]
    played = [simulate(game, x, 2).cash_flow for game in (named, written)]
    np.testing.assert_allclose(*played)
    sold = 55.0 * np.array([20.0, 25.0])
    expected = [0.8, 0.7] * sold - np.array([20.0, 25.0]) * 11
    np.testing.assert_allclose(played[0][0, 0], expected, rtol=1e-12)


def test_unequal_rates_make_the_cartel_pay_the_lower_one() -> None:
    at = benchmark(rv.games.market(tax={"ad_valorem": [0.0, 0.2]}), "cartel")
    np.testing.assert_allclose(at.q, [45.0, 0.0], atol=1e-6)


def test_bounds_of_prices_are_a_cap_and_a_floor() -> None:
    goods = {"demand": "differentiated", "choice": "price"}
    capped = rv.solve(rv.games.market(high=[3.0, 9.0], **goods), rv.methods.BestResponse(), path=False)
    # the other firm answers 3 with p = (A(b-g) + g p_1 + b c)/(2b)
    np.testing.assert_allclose(capped.profile.values.ravel(), [3.0, (5 + 1.5 + 1) / 2], rtol=1e-9)

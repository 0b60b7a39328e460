"""Demand by formulas and functions: against named systems, first-order conditions by hand and brute force."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

import rivalry as rv
from rivalry.families.market.benchmarks import benchmark, critical_discount
from rivalry.families.market.play import simulate

pytestmark = pytest.mark.slow

A, B, G = 10.0, 1.0, 0.5
OWN, CROSS = B / (B**2 - G**2), G / (B**2 - G**2)
BERTRAND = {
    "quantity": [
        f"{A / (B + G)!r} - {OWN!r}*p0 + {CROSS!r}*p1",
        f"{A / (B + G)!r} - {OWN!r}*p1 + {CROSS!r}*p0",
    ]
}
EXPONENTIAL = "120*exp(-Q/40)"


def by_best_response(game: Any) -> Any:
    return rv.solve(game, rv.methods.BestResponse(), path=False)


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ({"demand": "100 - Q", "unit_cost": [10.0, 14.0]}, {"unit_cost": [10.0, 14.0]}),
        ({"demand": "50/Q^.5", "low": 1.0}, {"demand": "isoelastic", "market_size": 50.0}),
        ({"demand": {"price": ["10 - q0 - .5*q1", "10 - q1 - .5*q0"]}}, {"demand": "differentiated"}),
        ({"demand": BERTRAND, "high": 10.0}, {"demand": "differentiated", "choice": "price"}),
        (
            {"demand": "intercept - slope*Q", "intercept": 90.0, "slope": 2.0},
            {"intercept": 90.0, "slope": 2.0, "unit_cost": 1.0},
        ),
    ],
)
def test_formulas_have_payoffs_of_named_demand(written: dict[str, Any], named: dict[str, Any]) -> None:
    formula, usual = rv.games.market(**written), rv.games.market(**named)
    start = benchmark(usual, "nash").choice
    for part in (0.7, 1.0, 1.2):
        x = (part * start)[:, None]
        np.testing.assert_allclose(formula.payoffs(x), usual.payoffs(x), rtol=1e-12, atol=1e-12)
    # the isoelastic one buys nothing below price_flat_below, 1e-9, of an infinite price
    for name in ("nash", "cartel", "competitive"):
        found, known = benchmark(formula, name), benchmark(usual, name)
        np.testing.assert_allclose(found.p, known.p, rtol=1e-9)
        np.testing.assert_allclose(found.choice.sum(), known.choice.sum(), rtol=1e-9)
        surplus = [float(row.measures["consumer_surplus"][1]) for row in (found, known)]
        np.testing.assert_allclose(*surplus, rtol=2e-6)


def test_exponential_cournot_solves_its_first_order_conditions() -> None:
    cost = np.array([1.0, 2.0])
    game = rv.games.market(demand=EXPONENTIAL, unit_cost=cost.tolist())

    def outputs(price: float) -> np.ndarray:  # P (1 - q/40) = c
        return 40 * (1 - cost / price)

    price = brentq(lambda p: 120 * np.exp(-outputs(p).sum() / 40) - p, 2.1, 120, xtol=1e-14)
    at = benchmark(game, "nash")
    np.testing.assert_allclose(at.q, outputs(price), rtol=1e-9)
    solution = by_best_response(game)
    assert solution.claim == "equilibrium"
    np.testing.assert_allclose(solution.profile.values.ravel(), outputs(price), rtol=1e-6)
    assert "an equilibrium is proved within" in str(rv.certificate(game, at.choice[:, None], proof=True))
    # 1/delta of reversion to Nash by brute force
    cartel = benchmark(game, "cartel")
    grid = np.linspace(0, 100, 100_001)
    rival = cartel.choice[1]
    deviation = np.max((120 * np.exp(-(grid + rival) / 40) - cost[0]) * grid)
    ratio = (deviation - cartel.payoff[0]) / (deviation - at.payoff[0])
    np.testing.assert_allclose(critical_discount(game).delta[0], max(ratio, 0.0), atol=1e-6)


def test_competitive_prices_are_marginal_costs() -> None:
    game = rv.games.market(demand=EXPONENTIAL, unit_cost=[1.0, 2.0], convex_cost=[0.1, 0.05])
    at = benchmark(game, "competitive")
    np.testing.assert_allclose(at.p, np.array([1.0, 2.0]) + np.array([0.1, 0.05]) * at.q, rtol=1e-9)
    dear = benchmark(rv.games.market(demand=EXPONENTIAL, unit_cost=[1.0, 2.0]), "competitive")
    np.testing.assert_allclose(dear.q, [40 * np.log(120), 0.0], atol=1e-6)


def test_a_leader_with_exponential_demand() -> None:
    game = rv.games.market(demand=EXPONENTIAL, stages=[[0], [1]])

    def follower(q: float) -> float:
        return float(brentq(lambda r: 120 * np.exp(-(q + r) / 40) * (1 - r / 40) - 1, 0, 40))

    grid = np.linspace(35, 45, 1001)
    profits = [(120 * np.exp(-(q + follower(q)) / 40) - 1) * q for q in grid]
    led = by_best_response(game).data.play.values.ravel()
    assert abs(led[0] - grid[int(np.argmax(profits))]) <= 0.01
    np.testing.assert_allclose(led[1], follower(led[0]), rtol=1e-6)


def test_functions_lists_shocks_and_play_over_periods() -> None:
    function = rv.games.market(demand=lambda Q: 100 - Q, unit_cost=10.0)
    vector = rv.games.market(demand={"price": lambda q: 10 - q - 0.5 * (q.sum() - q)})
    np.testing.assert_allclose(benchmark(function, "nash").q, 30.0, rtol=1e-9)
    np.testing.assert_allclose(benchmark(vector, "nash").q, 3.6, rtol=1e-9)
    assert "exactly 1 equilibrium, proved" in str(rv.all_equilibria(rv.games.market(demand=EXPONENTIAL)))
    shocked = {"shock": {"kind": "iid", "levels": [-5.0, 5.0]}, "shock_observed": True}
    for written, named in (
        ({"demand": "100 - Q", "unit_cost": 10.0}, {}),
        ({"demand": BERTRAND, "high": 15.0}, {"demand": "differentiated", "choice": "price"}),
    ):
        formula, usual = (benchmark(rv.games.market(**keys, **shocked), "nash") for keys in (written, named))
        np.testing.assert_allclose(formula.payoff, usual.payoff, rtol=1e-9)
    slow = {"sticky": 0.5, "initial": 20.0, "cash": 100.0, "fixed_cost": 950.0}
    played = [
        simulate(rv.games.market(**keys, **slow), [[30.0], [30.0]], 4)
        for keys in ({"demand": "100 - Q", "unit_cost": 10.0}, {})
    ]
    for rows in zip(*played, strict=True):
        np.testing.assert_allclose(np.asarray(rows[0]), np.asarray(rows[1]))


def test_the_title_says_how_it_is_known_that_demand_falls() -> None:
    assert "falls proved on the range" in str(rv.games.market(demand=EXPONENTIAL))
    hidden = "100 - Q + .1*sin(Q)^2"  # bounds of the sine are too wide
    assert "falls" in str(rv.games.market(demand=hidden, high=40.0))


def test_without_symmetric_effects_consumers_have_no_surplus() -> None:
    game = rv.games.market(demand={"price": ["10 - q0 - .5*q1", "10 - q1 - .2*q0"]})
    measures = rv.oracles.metrics(game, np.ones((2, 1)))
    assert "industry_profit" in measures
    assert "consumer_surplus" not in measures


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"demand": "120*exp(-R/40)"}, "demand: unknown name 'R'"),
        ({"demand": "lineer"}, "did you mean 'linear'"),
        ({"demand": "10 + Q", "high": 9.0}, "demand: of firm 0 rises with q0"),
        ({"demand": "20 + Q"}, "demand: of firm 0 rises with q0"),
        ({"demand": {"price": ["10 - q0", "10 + q1"]}}, "demand: of firm 1 rises with q1"),
        ({"demand": {"quantity": ["10 + p0", "10 - p1"]}}, "demand: of firm 0 rises with p0"),
        ({"demand": BERTRAND}, "high: is missing"),
        ({"demand": {"quantity": ["10 - p0", "10 + .1*p1"]}, "high": 9.0}, "demand: of firm 1 rises with p1"),
        ({"demand": {"price": ["10 - q0", "10 - q1", "9 - q2"]}, "players": 2}, "3 formulas for 2 firms"),
        ({"demand": {"price": ["10 - q0 + q1", "10 - q1"]}}, "high: is missing; give it where a price rises"),
        ({"demand": {"cost": ["2"]}}, "must be one of price and quantity"),
        ({"demand": {"price": "10 - Q"}}, "must be formulas, one per firm"),
        ({"demand": "intercept - Q"}, "intercept: is missing"),
        ({"demand": "10 - Q", "slope": 2.0}, "slope: is not a parameter of formula demand"),
        ({"demand": "10 - Q", "choice": "price"}, "choice: 'price' clashes"),
        ({"demand": "log(Q - 5)", "high": 9.0}, "demand: is not finite at q"),
        ({"demand": "5 + 1/(1 + Q)"}, "high: is missing; no output of firm 0"),
        ({"demand": BERTRAND, "high": 9.0, "cash": 1.0}, "cash: clashes"),
        ({"demand": {"price": ["10 - q0 - .5*q1", "9 - q1"]}, "sticky": 0.5}, "sticky: is for quantities"),
    ],
)
def test_wrong_demand_is_answered_in_one_line(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]*$") as error:
        rv.games.market(**keys)
    assert message in str(error.value)

"""Benchmarks of markets, critical discount factors, plot data, and best-response dynamics."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.game import view
from rivalry.core.oracles import closed_form
from rivalry.core.payoffs import payoffs
from rivalry.families.market.benchmarks import (
    benchmark,
    benchmarks,
    certified,
    critical_discount,
    gain_bounds,
    price_taking,
    stackelberg_on_grid,
)
from rivalry.runtime.jax import jnp
from tests.market_formulas import isoelastic_leader, logit_leader, price_leader

pytestmark = pytest.mark.mostly_slow


def test_the_four_textbook_benchmarks() -> None:
    found = benchmarks(rv.games.market())
    outputs = {"nash": [30, 30], "stackelberg": [45, 22.5], "cartel": [22.5, 22.5], "competitive": [45, 45]}
    assert list(found) == list(outputs)
    for name, expected in outputs.items():
        np.testing.assert_allclose(found[name].q, expected, rtol=1e-12)
    np.testing.assert_allclose(found["stackelberg"].profit, [1012.5, 506.25], rtol=1e-12)
    assert list(benchmarks(rv.games.market(players=1))) == ["nash", "cartel", "competitive"]


def test_payoffs_are_after_tax_and_profits_before() -> None:
    found = benchmark(rv.games.market(tax=0.25), "nash")
    np.testing.assert_allclose([found.profit, found.payoff], [[900.0, 900.0], [675.0, 675.0]], rtol=1e-12)


def leaders(name: str, rng: np.random.Generator) -> tuple[Any, np.ndarray]:
    """A drawn market whose first firm leads, and the choices of its formula."""
    if name == "isoelastic":
        eta, c = rng.uniform(1.1, 3.0), rng.uniform(1.0, 1.1, 2)
        market = rv.games.market(demand="isoelastic", elasticity=eta, unit_cost=c)
        return market, isoelastic_leader(100.0, eta, c)
    if name == "differentiated":
        A, b, c, d = rng.uniform(8, 12), rng.uniform(1, 2), rng.uniform(0.5, 3, 2), rng.uniform(0, 1, 2)
        g = rng.uniform(-0.5, 0.7) * b
        costs = {"unit_cost": c, "convex_cost": d}
        demand = {"demand": "differentiated", "intercept": A, "slope": b, "substitution": g}
        return rv.games.market(choice="price", **demand, **costs), price_leader(A, b, g, c, d)
    players = 3 if name == "logit of three" else 2
    a, c, mu = rng.uniform(1, 3, players), rng.uniform(0.5, 1.5, players), rng.uniform(0.05, 1)
    d = rng.uniform(0, 1, players)
    market = rv.games.market(demand="logit", quality=a, unit_cost=c, convex_cost=d, taste_spread=mu)
    return market, logit_leader(a, 0.0, mu, c, d)


@pytest.mark.parametrize("name", ["isoelastic", "differentiated", "logit", "logit of three"])
def test_leaders_found_by_search_are_those_of_formulas(name: str) -> None:
    rng = np.random.default_rng(12)
    for _ in range(5):
        market, choices = leaders(name, rng)
        led = benchmark(market, "stackelberg")
        np.testing.assert_allclose(led.choice, choices, rtol=1e-9)


def test_unobserved_shocks_do_not_change_linear_benchmarks() -> None:
    shock = {"kind": "iid", "levels": [-10.0, 10.0]}
    unseen = benchmark(rv.games.market(shock=shock), "nash")
    np.testing.assert_allclose(unseen.q, 30.0, rtol=1e-5)
    np.testing.assert_allclose(benchmark(rv.games.market(shock=shock), "cartel").q.sum(), 45.0, rtol=1e-5)


def test_benchmarks_with_observed_shocks_are_means_over_levels() -> None:
    market = rv.games.market(shock={"kind": "iid", "levels": [-9.0, 9.0]}, shock_observed=True)
    found = benchmark(market, "nash")
    np.testing.assert_allclose(found.profit, (27.0**2 + 33.0**2) / 2, rtol=1e-12)


def test_profit_gains_between_equal_profits_are_undefined() -> None:
    low, high = gain_bounds(rv.games.market(demand="logit"))
    assert np.all(high > low)
    with pytest.raises(ValueError, match=r"profit gain: firm 0 .* undefined"):
        gain_bounds(rv.games.market(players=1))


@pytest.mark.nightly
@pytest.mark.parametrize("n", [2, 3, 5])
def test_critical_discounts_follow_their_formulas(n: int) -> None:
    cournot = critical_discount(rv.games.market(players=n)).delta
    np.testing.assert_allclose(cournot, (n + 1) ** 2 / ((n + 1) ** 2 + 4 * n), rtol=1e-9)
    bertrand = critical_discount(rv.games.market(players=n, choice="price")).delta
    np.testing.assert_allclose(bertrand, (n - 1) / n, rtol=1e-9)


def test_strong_and_weak_stackelberg_values_differ_by_ties_on_a_grid() -> None:
    market, leader = rv.games.market(intercept=10.0, unit_cost=1.0), np.arange(1.5, 6.1, 0.75)
    coarse = stackelberg_on_grid(market, leader)
    assert (coarse.strong[0], coarse.weak[0]) == (11.8125, 10.125)
    fine = stackelberg_on_grid(market, [leader[:, None], np.arange(1.5, 6.01, 0.375)[:, None]])
    assert (fine.strong[0], fine.weak[0]) == (10.125, 10.125)


@pytest.mark.default
def test_a_firm_that_just_does_not_sell_sells_nothing() -> None:
    for cost in (10.0, 12.7, 23.456):  # at (100 + cost) / 2 the second firm's slope at 0 is 0
        solution = rv.solve(rv.games.market(unit_cost=[cost, (100 + cost) / 2]), rv.methods.ClosedForm())
        assert (float(solution.profile[1, 0]), solution.claim) == (0.0, "equilibrium")


@pytest.mark.parametrize("keys", [{}, {"choice": "price"}, {"demand": "logit"}, {"stages": [[0], [1]]}])
def test_reaction_curves_pass_through_the_equilibrium(keys: dict[str, Any]) -> None:
    market = rv.games.market(**keys)
    found = view(market, "reaction", jnp.asarray(closed_form(market)[0]))
    nash = found.reaction_point.values[found.reaction_point_name.values.tolist().index("nash")]
    for firm in range(2):
        response = np.interp(nash[1 - firm], found.reaction_at.values[firm], found.reaction.values[firm])
        # at discontinuities best responses are known to one grid step
        step = found.reaction_at.values[firm, 1] - found.reaction_at.values[firm, 0]
        assert abs(response - nash[firm]) <= (step if "choice" in keys else 1e-3 * nash[firm])
    table = view(market, "benchmarks", jnp.asarray(closed_form(market)[0]))
    for name, mark in benchmarks(getattr(market, "market", market)).items():
        np.testing.assert_array_equal(table[f"{name}_action"].values, mark.choice)
        np.testing.assert_array_equal(table[f"{name}_total_quantity"].values, mark.q.sum())
    if "competitive_action" in table:
        assert table.competitive_claim == "equilibrium, of firms that take prices as given"
        assert np.all(table.competitive_gain.values <= 1e-9)


def respond(n: int, update: str, **options: Any) -> Any:
    market = rv.games.market(players=n)
    method = rv.methods.BestResponse(update=update, polish=False, **options)
    return rv.solve(market, method, start=[[20.0 + k] for k in range(n)], max_steps=300, tolerance=None)


def test_sequential_best_responses_converge_for_any_number_of_firms() -> None:
    for n in (3, 5):
        found = respond(n, "sequential")
        assert found.status == "converged"
        # stops when the last gain is below 1e-8 of 2025, and gains are quadratic in the distance
        np.testing.assert_allclose(found.profile.values[:, 0], 90.0 / (n + 1), atol=5e-3)


def test_simultaneous_best_responses_cycle_with_three_or_more_firms() -> None:
    """With three firms oscillations persist; with four they grow until the bounds are active."""
    for n in (3, 4):
        with pytest.warns(UserWarning, match="take update='sequential', or damping"):
            found = respond(n, "simultaneous")
        assert (found.status, int(found.data.cycle_rounds)) == ("cycling", 2)
    assert respond(4, "simultaneous", damping=0.4).status == "converged"


def total(q: np.ndarray, F: list[float]) -> float:
    """Joint profit in the default market with fixed costs."""
    return float(q.sum() * (90 - q.sum()) - np.asarray(F)[q > 0].sum())


@pytest.mark.parametrize("F", [[500.0, 500.0], [0.0, 900.0], [50.0, 0.0], [10.0, 20.0]])
def test_a_cartel_closes_plants_to_save_their_fixed_costs(F: list[float]) -> None:
    alone = max(total(np.array(q), F) for q in ([45.0, 0.0], [0.0, 45.0], [22.5, 22.5]))
    assert benchmark(rv.games.market(fixed_cost=F), "cartel").profit.sum() == pytest.approx(alone, rel=1e-9)


@pytest.mark.parametrize("F", [10.0, 100.0, 400.0, 600.0])
def test_a_leader_deters_a_follower_with_fixed_costs_if_profitable(F: float) -> None:
    game = rv.games.market(fixed_cost=[0.0, F], stages=[[0], [1]])
    leads = np.linspace(0, 100, 200_001)
    q = np.maximum((90 - leads) / 2, 0)
    q = np.where((90 - leads - q) * q > F, q, 0)
    best = float(((90 - leads - q) * leads).max())
    found = benchmark(game.market, "stackelberg")
    assert found.profit[0] == pytest.approx(best, rel=1e-5)
    assert found.profit[1] >= 0
    for own in (30.0, 45.0, 70.0):  # equal with and without JAX
        x = game.space.check([own])
        assert float(game.payoffs(x)[0]) == pytest.approx(float(payoffs(game, x)[0]))


SEEN = {"shock": {"kind": "iid", "levels": [-5.0, 5.0]}, "shock_observed": True}


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"convex_cost": [1.0, 2.0], "tax": {"unit": 2.0, "ad_valorem": 0.1, "profit": 0.3}},
        {"choice": "price", "unit_cost": [10.0, 20.0]},
        {"demand": "logit"},
        {"capacity": [20.0, 90.0]},
        {"convex_cost": 1.0, **SEEN},
    ],
)
def test_firms_that_take_competitive_prices_as_given_gain_nothing(keys: dict[str, Any]) -> None:
    proof = certified(rv.games.market(**keys), "competitive")
    assert (proof.claim, proof.coverage) == ("equilibrium", "tight")
    assert proof.facts.statement == "equilibrium, of firms that take prices as given"
    assert np.all(proof.bound <= 1e-9)


@pytest.mark.parametrize("choice", ["quantity", "price"])
@pytest.mark.parametrize("rise", [0.5, 2.0])
def test_prices_off_marginal_cost_show_what_a_price_taker_gains(choice: str, rise: float) -> None:
    """The best output is (p - c)/d, which gains (p - c - d q)^2/(2 d); with d = 0 it is the largest."""
    game = rv.games.market(demand="differentiated", choice=choice, convex_cost=rise)
    here = benchmark(game, "competitive").choice + np.array([0.3, -0.2])
    q, p = (np.asarray(part) for part in game.clear(jnp.asarray(here)))
    np.testing.assert_allclose(
        price_taking(game, here).regret, (p - 1.0 - rise * q) ** 2 / (2 * rise), rtol=1e-9
    )
    assert price_taking(game, here).claim == "not an equilibrium"
    dear = price_taking(rv.games.market(choice="price"), np.array([12.0, 11.0]))
    # the cheaper one serves 89 and could sell 100; the other sells nothing at 12
    np.testing.assert_allclose(dear.regret, [2.0 * 100, 1.0 * 11], rtol=1e-12)


def test_fixed_costs_that_competitive_prices_do_not_cover_are_gains() -> None:
    proof = certified(rv.games.market(fixed_cost=[5.0, 0.0]), "competitive")
    assert (proof.regret.tolist(), proof.claim) == ([5.0, 0.0], "not an equilibrium")
    money = {"fixed_cost": [5e6, 0.0], "intercept": 1e8, "unit_cost": 1e7, "slope": 1e6}
    scaled = certified(rv.games.market(**money), "competitive")
    assert (scaled.regret.tolist(), scaled.claim) == ([5e6, 0.0], proof.claim)


@pytest.mark.default
def test_benchmarks_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="benchmark: 'nahs' is unknown; did you mean 'nash'"):
        benchmark(rv.games.market(), "nahs")
    with pytest.raises(ValueError, match="stages: one firm has nobody to lead"):
        benchmark(rv.games.market(players=1), "stackelberg")
    with pytest.raises(ValueError, match=r"elasticity: 0\.8 must be above 1, or joint profit increases"):
        benchmark(rv.games.market(demand="isoelastic", elasticity=0.8), "cartel")

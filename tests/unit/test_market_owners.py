"""Owners of several products: mergers, common ownership, pass-through and compensating costs."""

import re
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

import rivalry as rv
from rivalry.markets import certified, compensating_costs, diversion_ratios, elasticities, owned, pass_through

pytestmark = pytest.mark.slow

A, B, G = 10.0, 1.0, 0.5
GOODS: dict[str, Any] = {"demand": "differentiated", "choice": "price"}
SLOPES = np.linalg.inv(np.full((3, 3), G) + np.eye(3) * (B - G))  # q = SLOPES (A - p)
MERGED = [[0, 1], [2]]


def by_best_response(game: Any) -> Any:
    return rv.solve(game, rv.methods.BestResponse(), path=False)


def prices_of(solution: Any) -> np.ndarray:
    return np.asarray(solution.data.price.values)


def linear_bertrand(cost: np.ndarray, owners: list[list[int]]) -> np.ndarray:
    """Return prices by the linear system q_i = sum_j owned_ij SLOPES_ji (p_j - c_j)."""
    owned = np.zeros((3, 3))
    for row in owners:
        owned[np.ix_(row, row)] = 1
    own = owned * SLOPES.T
    return np.linalg.solve(SLOPES + own, SLOPES @ np.full(3, A) + own @ cost)


@pytest.mark.parametrize("owners", [[[0], [1], [2]], MERGED, [[2, 0], [1]]])
def test_prices_after_a_merger_solve_the_linear_system(owners: list[list[int]]) -> None:
    cost = np.array([1.0, 1.5, 2.0])
    solution = by_best_response(rv.games.market(owners=owners, unit_cost=cost.tolist(), **GOODS))
    assert solution.claim == "equilibrium"
    np.testing.assert_allclose(prices_of(solution), linear_bertrand(cost, owners), rtol=1e-9)
    margins = (prices_of(solution) - cost) * solution.data.quantity.values
    np.testing.assert_allclose(solution.payoff.values, [margins[row].sum() for row in owners], rtol=1e-12)


@pytest.mark.parametrize("owners", [[[0, 1], [2, 3]], [[0, 2, 3], [1]], [[0], [1, 2], [3]]])
def test_mergers_of_four_sellers_meet_the_conditions(owners: list[list[int]]) -> None:
    cost = np.array([1.0, 1.5, 2.0, 1.2])
    slopes = np.linalg.inv(np.full((4, 4), G) + np.eye(4) * (B - G))
    prices = prices_of(by_best_response(rv.games.market(owners=owners, unit_cost=cost.tolist(), **GOODS)))
    owned = np.zeros((4, 4))
    for row in owners:
        owned[np.ix_(row, row)] = 1
    # q_i + sum_j owned_ij dq_j/dp_i (p_j - c_j) = 0
    conditions = slopes @ (A - prices) - (owned * slopes) @ (prices - cost)
    np.testing.assert_allclose(conditions, 0, atol=1e-9)


def test_no_owner_gains_on_a_grid() -> None:
    game = rv.games.market(owners=MERGED, **GOODS)
    solution = by_best_response(game)
    line = np.linspace(1.0, 9.0, 81)
    deviations = np.stack([np.asarray(solution.profile.values)] * len(line) ** 2)
    deviations[:, 0, :] = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    paid = [float(np.asarray(game.payoffs(row))[0]) for row in deviations[::17]]
    assert max(paid) <= solution.payoff.values[0] + 1e-12


def test_cost_savings_are_of_firms_with_several_products() -> None:
    keys = {"unit_cost": [1.0, 1.5, 2.0], "cost_saving": 0.2}
    solution = by_best_response(rv.games.market(owners=MERGED, **keys, **GOODS))
    expected = linear_bertrand(np.array([0.8, 1.2, 2.0]), MERGED)
    np.testing.assert_allclose(prices_of(solution), expected, rtol=1e-9)


def test_compensating_costs_restore_the_prices_before() -> None:
    cost = np.array([1.0, 1.5, 2.0])
    before = linear_bertrand(cost, [[0], [1], [2]])
    costs = compensating_costs(rv.games.market(owners=MERGED, unit_cost=cost.tolist(), **GOODS), before)
    np.testing.assert_allclose(linear_bertrand(costs, MERGED), before, rtol=1e-9)
    assert np.all(costs[:2] < cost[:2])
    np.testing.assert_allclose(costs[2], 2.0, rtol=1e-9)


def test_pass_through_is_the_slope_of_equilibrium_prices() -> None:
    cost = np.array([1.0, 1.5, 2.0])
    slopes = pass_through(
        rv.games.market(owners=MERGED, unit_cost=cost.tolist(), **GOODS), linear_bertrand(cost, MERGED)
    )
    moved = [linear_bertrand(cost + row, MERGED) - linear_bertrand(cost, MERGED) for row in np.eye(3)]
    np.testing.assert_allclose(slopes, np.array(moved).T, atol=1e-9)
    # two Cournot firms: the price rises by a third of the cost of each
    np.testing.assert_allclose(pass_through(rv.games.market(), [30.0, 30.0]), np.full((2, 2), 1 / 3))
    with pytest.raises(ValueError, match=r"choices\[0\]: 20 is"):
        pass_through(rv.games.market(), [20.0, 30.0])


def test_common_ownership_moves_outputs_to_the_monopoly() -> None:
    for weight in (0.0, 0.4, 1.0):
        weights = (np.full((3, 3), weight) + (1 - weight) * np.eye(3)).tolist()
        solution = by_best_response(rv.games.market(ownership=weights))
        # a - c - b Q - b q - weight b (Q - q) = 0
        total = 90 * 3 / (4 + 2 * weight)
        np.testing.assert_allclose(solution.profile.values.sum(), total, rtol=1e-6)


def test_a_logit_firm_has_one_margin_on_its_products() -> None:
    solution = by_best_response(rv.games.market(demand="logit", owners=MERGED))

    def own(rival: float) -> float:
        """Return the price of both products, p - c = mu/(1 - share)."""
        return float(brentq(lambda p: p - 1 - 0.25 / (1 - shares(p, rival)[0]), 1, 5))

    def shares(p: float, rival: float) -> tuple[float, float]:
        merged, single = 2 * np.exp((2 - p) / 0.25), np.exp((2 - rival) / 0.25)
        return merged / (1 + merged + single), single / (1 + merged + single)

    single = brentq(lambda r: r - 1 - 0.25 / (1 - shares(own(r), r)[1]), 1, 5)
    np.testing.assert_allclose(prices_of(solution), [own(single), own(single), single], rtol=1e-6)
    of_firms = solution.data.firm_share.values
    np.testing.assert_allclose(solution.data.hhi.values, 1e4 * np.sum(of_firms**2))


def test_a_merger_with_demand_by_formulas() -> None:
    choke, own, cross = (f"{number:.17g}" for number in (A * SLOPES[0].sum(), SLOPES[0, 0], -SLOPES[0, 1]))
    rows = [f"{choke} - {own}*p{k} + {cross}*(sum(p) - p{k})" for k in range(3)]
    # above 5 a product could sell nothing, at prices that still raise the sales of others
    solution = by_best_response(rv.games.market(demand={"quantity": rows}, high=5.0, owners=MERGED))
    assert solution.claim == "equilibrium"
    np.testing.assert_allclose(prices_of(solution), linear_bertrand(np.ones(3), MERGED), rtol=1e-9)


def test_benchmarks_have_certificates() -> None:
    game = rv.games.market(demand="120*exp(-Q/40)", unit_cost=[1.0, 2.0])
    for name in ("nash", "cartel"):
        assert certified(game, name).claim == "equilibrium"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0, 1], [1]],), "owners: product 1 is named 2 times; must be in one row"),
        (([[0]],), "owners: product 1 is named 0 times; must be in one row"),
        ((None, [[1.0, 2.0]]), "ownership: [[1.0, 2.0]] must be 1 rows of 1 weights"),
    ],
)
def test_owners_who_cannot_be_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        owned(rv.games.market(), *arguments)


@pytest.mark.parametrize("choice", ["price", "quantity"])
def test_elasticities_and_diversion_of_linear_demand(choice: str) -> None:
    """The slopes of ``q = SLOPES (A - p)``, whatever firms choose."""
    game = rv.games.market(players=3, demand="differentiated", choice=choice)
    prices = np.array([4.0, 5.0, 4.5])
    sold = SLOPES @ (A - prices)
    choices = prices if choice == "price" else sold
    np.testing.assert_allclose(elasticities(game, choices), -SLOPES * prices / sold[:, None], rtol=1e-9)
    ratios = diversion_ratios(game, choices)
    np.testing.assert_allclose(ratios.sum(axis=1), 1)
    np.testing.assert_allclose(ratios[0, 1], -SLOPES[1, 0] / SLOPES[0, 0], rtol=1e-9)


def test_logit_buyers_leave_in_proportion_to_shares() -> None:
    """``D_jk = s_k/(1 - s_j)``, and the diagonal the part who then buy nothing; ``e_jj = -p (1 - s)/mu``."""
    game, prices = (
        rv.games.market(demand="logit", players=3, quality=[2.0, 1.8, 1.5]),
        np.array([1.4, 1.5, 1.3]),
    )
    weights = np.exp((np.array([2.0, 1.8, 1.5]) - prices) / 0.25)
    shares = weights / (1 + weights.sum())
    expected = shares / (1 - shares)[:, None]
    np.fill_diagonal(expected, (1 - shares.sum()) / (1 - shares))
    np.testing.assert_allclose(diversion_ratios(game, prices), expected, rtol=1e-9)
    np.testing.assert_allclose(
        elasticities(game, prices).diagonal(), -prices * (1 - shares) / 0.25, rtol=1e-9
    )


def test_one_good_has_no_elasticities_by_product() -> None:
    with pytest.raises(ValueError, match="demand: 'linear' is of one good"):
        elasticities(rv.games.market(), [30.0, 30.0])


@pytest.mark.parametrize("slopes", [pass_through, compensating_costs, elasticities, diversion_ratios])
def test_choices_are_one_per_product(slopes: Any) -> None:
    with pytest.raises(ValueError, match=r"choices: shape \(3,\) must be \(2,\), one per product"):
        slopes(rv.games.market(), [30.0, 30.0, 30.0])


def unlike_taxes(retained: np.ndarray, quantity: float, owned: list[int]) -> np.ndarray:
    """Return an owner's outputs beside rivals' ``quantity``: intercept 10, slopes 1 and .5, cost 1."""
    parts = retained[owned]
    slopes = 0.5 * (parts[:, None] + parts)
    np.fill_diagonal(slopes, 2 * parts)
    return np.linalg.solve(slopes, parts * (10 - 0.5 * quantity) - 1)


@pytest.mark.parametrize("choice", ["quantity", "price"])
def test_one_owner_of_unlike_taxes_makes_the_best_of_them(choice: str) -> None:
    rates = [0.0, 0.3]
    keys: dict[str, Any] = {"demand": "differentiated", "choice": choice, "owners": [[0, 1]]}
    game = rv.games.market(tax={"ad_valorem": rates}, **keys)
    outputs = unlike_taxes(1 - np.array(rates), 0.0, [0, 1])
    prices = 10 - 0.5 * outputs - 0.5 * outputs.sum()
    found = rv.solve(game, rv.methods.BestResponse())
    expected = outputs if choice == "quantity" else prices
    np.testing.assert_allclose(np.ravel(found.profile), expected, rtol=1e-6)


def test_a_leader_expects_an_owner_of_unlike_taxes_to_answer_best() -> None:
    """A search of the leader's profit on the solutions of the owner's two linear conditions."""
    rates = np.array([0.0, 0.3, 0.1])
    game = rv.games.market(
        demand="differentiated",
        choice="quantity",
        owners=[[0], [1, 2]],
        stages=[[0], [1]],
        tax={"ad_valorem": rates.tolist()},
    )
    outputs = np.linspace(3.6, 3.7, 100_001)
    slope, at_zero = (
        np.subtract(*(unlike_taxes(1 - rates, at, [1, 2]) for at in (1.0, 0.0))),
        unlike_taxes(1 - rates, 0.0, [1, 2]),
    )
    rivals = at_zero.sum() + slope.sum() * outputs
    best = outputs[np.argmax((10 - outputs - 0.5 * rivals - 1) * outputs)]
    found = rv.solve(game, rv.methods.BestResponse())
    play = np.asarray(found.data.play)
    np.testing.assert_allclose(play[0, 0], best, atol=2e-6)
    np.testing.assert_allclose(play[1], unlike_taxes(1 - rates, play[0, 0], [1, 2]), rtol=1e-9)

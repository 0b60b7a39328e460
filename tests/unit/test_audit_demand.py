"""Logit demand from prices and quantities: recovery, coverage of intervals, and independence of units."""

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from rivalry.audit.demand import LogitDemand, benchmarks, logit_demand

QUALITY, SLOPE = np.array([8.0, 7.5]), 4.0


def market(
    seed: int, periods: int = 300, endogenous: float = 0.0, rho: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prices, shares and cost shifters of a market; prices follow the shock by ``endogenous``."""
    from scipy.signal import lfilter

    stream = np.random.default_rng(seed)
    shock = lfilter([np.sqrt(1 - rho**2)], [1, -rho], 0.3 * stream.normal(size=(periods, 2)), axis=0)
    cost = lfilter([np.sqrt(1 - rho**2)], [1, -rho], 0.1 * stream.normal(size=(periods, 2)), axis=0)
    price = 1.5 + cost + endogenous * shock + 0.05 * stream.normal(size=(periods, 2))
    weight = np.exp(QUALITY - SLOPE * price + shock)
    return price, weight / (1 + weight.sum(axis=1, keepdims=True)), cost


def test_shares_without_shocks_give_the_demand_exactly() -> None:
    price = 1.5 + 0.1 * np.random.default_rng(0).normal(size=(100, 2))
    found = logit_demand(price, LogitDemand(QUALITY, SLOPE, 3.0)(price), 3.0)
    np.testing.assert_allclose(found.quality, QUALITY, rtol=1e-9)
    assert found.slope == pytest.approx(SLOPE, rel=1e-9)
    assert found.errors().max() < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(("instrumented", "rho"), [(False, 0.0), (True, 0.0), (False, 0.6)])
def test_intervals_cover_the_truth(instrumented: bool, rho: float) -> None:
    """95 % intervals over 200 simulations, to three standard errors; 2SLS where prices follow the shock."""
    covered = np.zeros(3)
    for seed in range(200):
        price, sold, cost = market(seed, endogenous=0.2 * instrumented, rho=rho)
        found = logit_demand(price, sold, instruments=cost if instrumented else None)
        off = np.abs(np.append(found.quality - QUALITY, found.slope - SLOPE))
        covered += off <= found.errors()
    np.testing.assert_allclose(covered / 200, 0.95, atol=0.047)


def test_instruments_remove_the_bias_of_prices_that_follow_demand() -> None:
    price, sold, cost = market(0, periods=3000, endogenous=0.2)
    plain, with_costs = logit_demand(price, sold), logit_demand(price, sold, instruments=cost)
    assert plain.slope < SLOPE - 3 * plain.errors()[-1]
    assert abs(with_costs.slope - SLOPE) < 1.5 * with_costs.errors()[-1]
    assert with_costs.first_stage > 1000


def test_useless_instruments_are_weak() -> None:
    price, sold, _ = market(0)
    noise = np.random.default_rng(5).normal(size=price.shape)
    try:
        assert logit_demand(price, sold, instruments=noise).first_stage < 10
    except ValueError as error:
        assert "must be above 0" in str(error)  # noqa: PT017


def test_currency_and_number_of_buyers_change_units_only() -> None:
    price, sold, cost = market(1)
    here = logit_demand(price, sold, instruments=cost)
    there = logit_demand(1e6 * price, 250.0 * sold, 250.0, instruments=37.0 * cost)
    assert there.slope == pytest.approx(here.slope / 1e6, rel=1e-9)
    np.testing.assert_allclose(there.quality, here.quality, rtol=1e-9)
    np.testing.assert_allclose(there.errors()[:2], here.errors()[:2], rtol=1e-9)
    assert there.errors()[-1] == pytest.approx(here.errors()[-1] / 1e6, rel=1e-9)
    draws = [demand.draws(5, 0)[-1] for demand in (here, there)]
    assert draws[1].slope == pytest.approx(draws[0].slope / 1e6, rel=1e-6)


@pytest.mark.slow
def test_draws_have_the_covariance_of_the_estimate() -> None:
    demand = logit_demand(*market(2, periods=3000)[:2])
    drawn = np.array([np.append(one.quality, one.slope) for one in demand.draws(20_000, 0)])
    heavy = (demand.clusters - 1) / (demand.clusters - 3)  # variance of Student's t
    np.testing.assert_allclose(np.cov(drawn.T) / heavy, demand.covariance, rtol=0.05)


def test_quantities_of_the_log_are_explained_and_respond_to_prices() -> None:
    price, sold, _ = market(3)
    demand, periods = logit_demand(price, sold), np.arange(20, 60)
    np.testing.assert_allclose(demand.in_periods(price[periods], periods), sold[periods], rtol=1e-12)
    for one in (demand, LogitDemand(QUALITY, SLOPE)):
        best = one.best_response(price[periods], 1, np.full(40, 0.9), periods)

        def loss(own: float, one: LogitDemand = one) -> float:
            row = np.array([[price[20, 0], own]])
            return -float((own - 0.9) * one.in_periods(row, np.array([20]))[0, 1])

        assert best[0] == pytest.approx(minimize_scalar(loss, (0.9, 1.5), tol=1e-12).x, rel=1e-6)


def test_benchmarks_are_an_equilibrium_and_a_joint_maximum() -> None:
    demand, cost = LogitDemand(QUALITY, SLOPE, 10.0), np.array([1.0, 0.8])
    found = benchmarks(demand, cost)
    for firm in (0, 1):

        def loss(own: float, firm: int = firm) -> float:
            price = found.nash_price.copy()
            price[firm] = own
            return -float((own - cost[firm]) * demand(price)[firm])

        own = minimize_scalar(loss, (cost[firm], found.nash_price[firm]), tol=1e-12).x
        assert found.nash_price[firm] == pytest.approx(own, rel=1e-6)
    joint = minimize(lambda p: -np.sum((p - cost) * demand(p)), found.nash_price, tol=1e-12)
    np.testing.assert_allclose(found.cartel_price, joint.x, rtol=1e-4)
    assert found.stake == pytest.approx((found.cartel_profit - found.nash_profit).mean())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda price, sold: (price, sold, 0.5), "size: 0.5 must be above all that is sold"),
        (lambda price, sold: (price[:, :1], sold, 1.0), "quantity: shape"),
        (lambda price, sold: (np.full_like(price, 1.5), sold, 1.0), "price: does not change"),
        (lambda price, sold: (-price, sold, 1.0), "slope: .* must be above 0"),
        (lambda price, sold: (price[:10], sold[:10], 1.0), "must be at least 5"),
    ],
)
def test_data_without_an_answer_are_refused(change: object, message: str) -> None:
    price, sold, _ = market(0)
    with pytest.raises(ValueError, match=message):
        logit_demand(*change(price, sold))  # type: ignore[operator]

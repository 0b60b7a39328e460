"""Prices of one good with limited capacities: sales and surplus by hand."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv

pytestmark = pytest.mark.mostly_slow


def firms(capacity: list[float], rationing: str = "efficient") -> Any:
    """Demand 100 - p, without costs."""
    return rv.games.market(choice="price", capacity=capacity, rationing=rationing, unit_cost=0.0)


def sold(game: Any, *prices: float) -> list[float]:
    found: list[float] = np.asarray(game.clear(np.array(prices)).q).tolist()
    return found


def test_sales_are_those_of_the_rule_of_rationing() -> None:
    efficient, proportional = firms([30.0, 45.0]), firms([30.0, 45.0], "proportional")
    # at 40, 60 buyers: 30 of them are served; or 30 of the 80 who want to buy at 20 are, a share of 3/8
    assert sold(efficient, 20.0, 40.0) == [30.0, 30.0]
    assert sold(proportional, 20.0, 40.0) == [30.0, 60.0 * 5 / 8]
    for game in (efficient, proportional):
        assert sold(game, 30.0, 30.0) == [30.0, 40.0]  # firm 1 serves what firm 0 cannot
        assert sold(game, 80.0, 80.0) == [10.0, 10.0]
        assert sold(game, 10.0, 10.0) == [30.0, 45.0]
        assert sold(game, 100.0, 50.0) == [0.0, 45.0]
    three = firms([10.0, 30.0, 40.0])
    assert sold(three, 40.0, 40.0, 40.0) == [10.0, 25.0, 25.0]
    assert sold(three, 70.0, 70.0, 20.0) == [0.0, 0.0, 40.0]


def test_consumer_surplus_is_that_of_the_buyers_served() -> None:
    """Of 10,000 buyers with values 0 to 100, in order of value or at random."""
    values = (np.arange(10_000) + 0.5) / 100
    for rationing, seed in (("efficient", None), ("proportional", 0)):
        order = np.argsort(-values) if seed is None else np.random.default_rng(seed).permutation(10_000)
        left, surplus = list(order), 0.0
        for price, most in ((20.0, 3_000), (40.0, 4_500)):
            buyers = [k for k in left if values[k] >= price][:most]
            surplus += sum(values[k] - price for k in buyers) / 100
            taken = set(buyers)
            left = [k for k in left if k not in taken]
        metrics = rv.oracles.metrics(firms([30.0, 45.0], rationing), np.array([[20.0], [40.0]]))
        assert float(metrics["consumer_surplus"][1]) == pytest.approx(surplus, rel=0.02)


def test_small_capacities_clear_the_market() -> None:
    """Capacities of 25 are below the best response of quantities, (100 - 25)/2: the price is 100 - 50."""
    assert rv.certificate(firms([25.0, 25.0]), [[50.0], [50.0]]).claim == "equilibrium"
    assert rv.certificate(firms([25.0, 25.0]), [[49.0], [49.0]]).claim == "not an equilibrium"
    assert rv.certificate(firms([40.0, 40.0]), [[20.0], [20.0]]).claim == "not an equilibrium"


@pytest.mark.default
def test_rationing_is_asked_for_and_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^rationing: is missing"):
        rv.games.market(choice="price", capacity=30.0)
    with pytest.raises(ValueError, match=r"^rationing: is for prices of one good"):
        rv.games.market(rationing="efficient")
    with pytest.raises(ValueError, match=r"^players: 7 firms with rationing; must be at most 6"):
        rv.games.market(players=7, choice="price", capacity=30.0, rationing="efficient")
    with pytest.raises(ValueError, match="the cheapest sells first"):
        rv.solve(firms([30.0, 30.0]), rv.methods.GradientAscent())

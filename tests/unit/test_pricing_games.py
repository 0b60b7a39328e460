"""Markets of published results against first-order conditions, independent formulas and closed forms."""

from math import exp, log

import numpy as np
import pytest
from scipy.optimize import brentq

from rivalry.core import oracles
from rivalry.runtime.jax import jax, jnp
from rivalry.studies.pricing_games import income_logit, platform_sellers, responsible_duopoly
from rivalry.tables.repeated import repeated_form


def first_order_prices(qualities: list[int]) -> list[float]:
    """Solve ``15 - p = 1.2 (1 - s)(p - 5)``, which gives the price of a share, for shares that sum to 1.

    With a common denominator D, a share solves ``s D = exp(0.6 w) (15 - p(s))^1.2``: two nested bisections.
    """

    def price(share: float) -> float:
        return (15 + 1.2 * (1 - share) * 5) / (1 + 1.2 * (1 - share))

    def share(w: int, total: float) -> float:
        return brentq(lambda s: s * total - exp(0.6 * w) * (15 - price(s)) ** 1.2, 0.0, 1.0, xtol=1e-15)

    total = brentq(lambda d: sum(share(w, d) for w in qualities) - 1, 10.0, 1e5, xtol=1e-10)
    return [price(share(w, total)) for w in qualities]


@pytest.mark.slow
@pytest.mark.parametrize("state", ["77", "76", "754"])
def test_no_firm_gains_at_prices_of_the_first_order_conditions(state: str) -> None:
    game = income_logit(state=state)
    prices = np.array(first_order_prices([int(w) for w in state]))
    slopes = jnp.diagonal(jax.jacobian(game.payoffs)(prices[:, None])[:, :, 0])
    np.testing.assert_allclose(slopes, 0.0, atol=1e-9)
    for player in range(len(state)):  # brute force over prices
        levels = np.tile(prices[:, None], (401, 1, 1))
        levels[:, player, 0] = np.linspace(5.0, 14.99, 401)
        assert jax.vmap(game.payoffs)(levels)[:, player].max() <= game.payoffs(prices[:, None])[player] + 1e-9


def test_equal_qualities_have_a_closed_form() -> None:
    weight = 1.2 * (1 - 1 / 2)
    expected = (15 + weight * 5) / (1 + weight)
    np.testing.assert_allclose(first_order_prices([7, 7]), expected, rtol=1e-12)


@pytest.mark.slow
def test_demand_of_two_groups_is_the_mean_of_their_logit_demands() -> None:
    prices, fee = [1.5, 1.8], 0.3
    game = platform_sellers(fee=fee)
    sold, surplus = [0.0, 0.0], 0.0
    for quality in ((2.0, 1.9), (1.9, 2.0)):
        weights = [exp((a - 0.25 - p) / 0.25) for a, p in zip(quality, prices, strict=True)]
        total = sum(weights) + 1.0
        sold = [q + w / total / 2 for q, w in zip(sold, weights, strict=True)]
        surplus += 0.25 * log(total) / 2
    x = jnp.array(prices)[:, None]
    expected = [((1 - fee) * p - 1) * q for p, q in zip(prices, sold, strict=True)]
    np.testing.assert_allclose(game.payoffs(x), expected, rtol=1e-12)
    found = oracles.metrics(game, x)
    assert found["consumer_surplus"][1] == pytest.approx(surplus, rel=1e-12)
    assert found["industry_profit"][1] == pytest.approx(sum(expected), rel=1e-12)
    assert found["mean_price"][1] == pytest.approx(1.65, rel=1e-12)
    # surplus falls with a price by what is bought at it
    slope = jax.grad(lambda p: game.consumer_surplus(p))(x)[:, 0]
    np.testing.assert_allclose(slope, -np.array(sold), rtol=1e-12)


@pytest.mark.slow
def test_a_fee_is_a_higher_cost_and_a_smaller_profit() -> None:
    x = jnp.array([[1.6], [1.7]])
    dear = platform_sellers(fee=0.0, unit_cost=1.25)
    np.testing.assert_allclose(platform_sellers(fee=0.2).payoffs(x), 0.8 * dear.payoffs(x), rtol=1e-12)


def test_benchmarks_of_the_responsible_duopoly() -> None:
    game = responsible_duopoly()
    bounds = oracles.profit_gain_bounds(game)
    table = np.asarray(game.table)
    at = {name: k for k, name in enumerate(game.actions[0])}
    nash, joint = at["2, 0"], at["1.5, 1"]
    assert table[0, nash, nash] == bounds.nash[0] == table[0, :, nash].max()
    assert table[0, joint, joint] == bounds.joint[0] == table[0].diagonal().max()
    assert table[0, at["4, 0"], at["4, 0"]] == -1.0  # the price is not below 0


def test_firms_of_the_responsible_duopoly_move_in_turn() -> None:
    world = repeated_form(responsible_duopoly(), 2, observation="others")
    assert world.tables.order.tolist() == [[0], [1]]
    assert world.tables.observation_slots.tolist() == [[[1, 1]], [[0, 1]]]


def test_wrong_numbers_are_refused_in_one_line() -> None:
    for make, said in (
        (lambda: income_logit(state="7"), "state: '7' must be two digits or more"),
        (lambda: income_logit(unit_cost=20.0), "unit_cost: 20 must be below income = 15"),
        (lambda: platform_sellers(low=3.0), "low: 3 must be below high = 2.1"),
    ):
        with pytest.raises(ValueError, match=said) as caught:
            make()
        assert "\n" not in str(caught.value)

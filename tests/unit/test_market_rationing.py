"""Prices of one good with limited capacities: sales by hand, and the mixed equilibrium in closed form."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.runtime.jax import jax, jnp

pytestmark = pytest.mark.mostly_slow


def firms(capacity: list[float], rationing: str = "efficient") -> Any:
    """Demand 100 - p, without costs."""
    return rv.games.market(choice="price", capacity=capacity, rationing=rationing, unit_cost=0.0)


def sold(game: Any, *prices: float) -> list[float]:
    found: list[float] = np.asarray(game.clear(np.reshape(prices, (-1, 1))).q).tolist()
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


@pytest.mark.parametrize("k", [35.0, 40.0, 45.0])
def test_prices_of_the_mixed_equilibrium_earn_the_same(k: float) -> None:
    """Levitan and Shubik 1972: profits of ((100 - k)/2)^2, prices from that over k to (100 - k)/2.

    A price p sells k with the chance 1 - F(p) and 100 - p - k with F(p), so that F follows from the profit.
    """
    profit, last = ((100 - k) / 2) ** 2, (100 - k) / 2
    first = profit / k
    chances = (np.arange(2_000) + 0.5) / 2_000
    prices = np.linspace(first, last, 200_001)
    below = (prices * k - profit) / (prices * (2 * k - 100 + prices))  # F
    rivals = np.interp(chances, below, prices)
    game = firms([k, k])
    pays = jax.jit(
        jax.vmap(lambda p: jnp.mean(jax.vmap(lambda r: game.payoffs(jnp.stack([p, r])[:, None])[0])(rivals)))
    )
    np.testing.assert_allclose(pays(jnp.linspace(first + 1e-6, last, 50)), profit, rtol=1e-3)
    outside = pays(jnp.array([first / 2, first - 1.0, last + 1.0, last + 20.0, 99.0]))
    assert np.all(np.asarray(outside) < profit - 0.5)  # it falls by 1 where the price is 1 above the last


def profit_against(game: Any, prices: np.ndarray, rivals: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Expected profit of firm 0 at each price, from the payoffs of the game."""

    def one(price: Any) -> Any:
        pays = jax.vmap(lambda rest: game.payoffs(jnp.concatenate([price[None], rest])[:, None])[0])
        return jnp.asarray(weights) @ pays(jnp.asarray(rivals))

    return np.asarray(jax.jit(jax.vmap(one))(jnp.asarray(prices)))


@pytest.mark.parametrize("rationing", ["efficient", "proportional"])
@pytest.mark.parametrize(
    "further",
    [
        {"tax": 0.3},
        {"fixed_cost": 40.0},
        {"shock": {"kind": "iid", "levels": [-9.0, 9.0]}},
        {"players": 3, "shock": {"kind": "iid", "levels": [-3.0, 3.0], "on": "unit_cost"}},
    ],
    ids=str,
)
def test_no_price_of_a_grid_pays_more_than_best_responses(rationing: str, further: dict[str, Any]) -> None:
    rng = np.random.default_rng(5)
    n = further.get("players", 2)
    for _ in range(3):
        capacity, cost = rng.uniform(10, 60, n).tolist(), rng.uniform(4, 15, n).tolist()
        game = rv.games.market(
            choice="price", capacity=capacity, unit_cost=cost, rationing=rationing, **further
        )
        support, weights = rng.uniform(5, 70, (n, 4, 1)), rng.dirichlet(np.ones(4), n)
        price, pays, coverage = rv.oracles.mixed_best_response(game, support, weights, 0)
        joint = np.array(list(np.ndindex(*[4] * (n - 1))))
        rivals = support[np.arange(1, n), joint, 0]
        chances = np.prod(weights[np.arange(1, n), joint], axis=1)
        beside = np.concatenate([support[1:].ravel() + step for step in (-1e-9, 0.0, 1e-9)])
        grid = profit_against(game, np.append(np.linspace(0, 100, 2_001), beside), rivals, chances)
        assert coverage == "tight"
        assert grid.max() <= pays + 1e-9
        np.testing.assert_allclose(profit_against(game, price, rivals, chances), pays, rtol=1e-9)


@pytest.mark.parametrize("capacity", [[34.0, 34.0], [45.0, 45.0], [30.0, 50.0], [70.0, 30.0]], ids=str)
def test_double_oracle_approaches_the_mixed_equilibrium(capacity: list[float]) -> None:
    """Kreps and Scheinkman 1983: the larger firm earns ((100 - k)/2)^2, k the smaller capacity.

    Prices reach from that profit over the larger capacity K to (100 - k)/2. A price p sells the own capacity
    with the chance 1 - F(p), F the rival's distribution, and what the rival leaves of 100 - p with F(p). F
    follows from the profit, and is below 1 at the last price where the rival is larger.
    """
    small, large = min(capacity), max(capacity)
    last = (100 - small) / 2
    first = last**2 / large
    profits = np.where(np.array(capacity) == large, last**2, first * small)
    game = firms(capacity)
    with pytest.warns(UserWarning, match=r"payoffs are discontinuous; .*; raise max_atoms"):
        found = rv.solve(game, rv.methods.DoubleOracle())
    proof = found.certificate
    assert proof.coverage == "tight"
    assert np.all(proof.regret <= 0.003 * profits)
    assert found.claim == "not an equilibrium"  # finitely many prices leave a gain
    np.testing.assert_allclose(found.payoff.values, profits, rtol=0.003)
    for firm in (0, 1):
        at, chance = found.data.action_grid.values[firm, :, 0], found.data.mixture.values[firm]
        at, chance = at[chance > 0], chance[chance > 0]
        np.testing.assert_allclose([at.min(), at.max()], [first, last], atol=0.1)
        rival, k, own = 1 - firm, capacity[1 - firm], capacity[firm]
        prices = np.linspace(first, last, 101)[1:-1]
        full, rest = np.minimum(k, 100 - prices), np.maximum(100 - prices - own, 0)  # the rival's sales
        below = (full * prices - profits[rival]) / (prices * (full - rest))
        reached = np.array([chance[at <= price].sum() for price in prices])
        # a distribution over finitely many prices jumps by their probabilities
        assert np.max(np.abs(reached - below)) <= np.max(chance[at < last - 0.1]) + 0.01
        # no price of a grid gains more than the certificate says
        turned = firms([own, k])
        others = found.data.action_grid.values[rival], found.data.mixture.values[rival]
        positive = others[1] > 0
        gains = profit_against(turned, np.linspace(1, 99, 1_001), others[0][positive], others[1][positive])
        assert gains.max() - float(found.payoff[firm]) <= proof.regret[firm] + 1e-6


def test_double_oracle_finds_prices_that_clear_the_market() -> None:
    found = rv.solve(firms([25.0, 25.0]), rv.methods.DoubleOracle())
    assert (found.status, found.claim, bool(found.data.pure)) == ("converged", "equilibrium", True)
    np.testing.assert_allclose(found.data.mean_profile.values, 50.0, atol=1e-6)


def test_with_proportional_rationing_prices_reach_the_monopoly_price() -> None:
    """What is left of demand is a part of it, so that the firm of the last price earns most at 50."""
    with pytest.warns(UserWarning, match="raise max_atoms"):
        found = rv.solve(firms([45.0, 45.0], "proportional"), rv.methods.DoubleOracle())
    at, chance = found.data.action_grid.values[..., 0], found.data.mixture.values
    assert at[chance > 0].max() == pytest.approx(50.0, abs=0.2)
    assert at[chance > 0].min() == pytest.approx(float(found.payoff.mean()) / 45, abs=0.2)
    assert found.certificate.coverage == "tight"
    assert np.all(found.certificate.regret <= 0.008 * found.payoff.values)


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

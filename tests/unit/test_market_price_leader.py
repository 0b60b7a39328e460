"""A price leader with logit demand, against a follower by brute force in NumPy."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

import rivalry as rv
from rivalry.core.oracles import proved_response
from rivalry.core.payoffs import payoffs
from rivalry.families.market import leadership
from rivalry.runtime.jax import put


def profit(n: dict[str, Any], prices: np.ndarray, firm: int) -> np.ndarray:
    """Profit of a firm at prices ``[.. firm]``, written out."""
    values = np.exp((n["quality"] - prices) / n["taste_spread"])
    total = values.sum(axis=-1) + np.exp(n["outside_option"] / n["taste_spread"])
    sold = values[..., firm] / total
    return (prices[..., firm] - n["unit_cost"][firm]) * sold - n["convex_cost"][firm] * sold**2 / 2


def response(n: dict[str, Any], prices: np.ndarray, firm: int, low: float, high: float) -> float:
    """The follower's best price: the best of a fine grid, and near it the root of the slope of its profit."""

    def at(price: float) -> np.ndarray:
        return np.concatenate([prices[:firm], [price], prices[firm + 1 :]])

    def slope(price: float) -> float:
        c, d, mu = n["unit_cost"][firm], n["convex_cost"][firm], float(n["taste_spread"])
        values = np.exp((n["quality"] - at(price)) / mu)
        sold = values[firm] / (values.sum() + np.exp(float(n["outside_option"]) / mu))
        return float(sold - (price - c - d * sold) * sold * (1 - sold) / mu)

    grid = np.linspace(low, high, 400)
    best = int(np.argmax([float(profit(n, at(price), firm)) for price in grid]))
    first, last = grid[max(best - 1, 0)], grid[min(best + 1, 399)]
    if slope(first) > 0 > slope(last):
        return float(brentq(slope, first, last, xtol=1e-14))
    return float(grid[best])


CASES: dict[str, dict[str, Any]] = {
    "usual": {},
    "unequal": {"quality": [2.5, 1.5], "unit_cost": [1.2, 0.7], "taste_spread": 0.4},
    "flat": {"taste_spread": 3.0, "outside_option": -5.0},
    "sharp": {"taste_spread": 0.03, "quality": [2.0, 2.1]},
    "convex": {"convex_cost": [0.3, 1.5]},
    "at a bound": {"high": [4.0, 1.4]},
    "taxed": {"tax": 0.25, "fixed_cost": [0.01, 0.02]},
}


def numbers(game: Any) -> dict[str, Any]:
    found = {key: np.asarray(value, dtype=float) for key, value in game.market.numbers.items()}
    return found | {"convex_cost": np.broadcast_to(found["convex_cost"], (2,))}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_bound_holds_and_is_near(case: str) -> None:
    game = rv.games.market(demand="logit", choice="price", stages=[[0], [1]], **CASES[case])
    n, market = numbers(game), game.market
    low, high = (np.asarray(end, dtype=float)[:, 0] for end in (market.space.low, market.space.high))
    found = proved_response(game, np.asarray(game.space.low, dtype=float), 0)

    def leads(price: float) -> float:
        prices = np.array([price, 0.0])
        prices[1] = response(n, prices, 1, low[1], high[1])
        gain = float(profit(n, prices, 0)) - float(np.broadcast_to(n["fixed_cost"], (2,))[0])
        return gain - float(np.broadcast_to(n["tax"], (2,))[0]) * gain

    tried = np.linspace(low[0], high[0], 60)
    values = np.array([leads(price) for price in tried])
    k = int(values.argmax())
    ends = tried[max(k - 1, 0)], tried[min(k + 1, 59)]
    best = minimize_scalar(lambda p: -leads(p), bounds=ends, method="bounded", options={"xatol": 1e-9})
    scale = float(n["taste_spread"])
    assert found.coverage == "tight"
    assert found.bound >= max(-best.fun, values.max()) - 1e-10 * scale
    assert found.bound <= -best.fun + 1e-6 * scale
    assert found.payoff == pytest.approx(-best.fun, abs=1e-7 * scale)
    there = np.asarray(game.choices(put(found.strategy[None])))[:, 0]
    assert there[1] == pytest.approx(response(n, there, 1, low[1], high[1]), abs=1e-6)


@pytest.mark.slow
def test_a_leader_is_certified_with_a_bound() -> None:
    game = rv.games.market(demand="logit", choice="price", stages=[[0], [1]])
    found = rv.solve(game, rv.methods.BestResponse())
    assert (found.claim, found.certificate.coverage) == ("equilibrium", "tight")
    x = found.profile.values
    off = rv.certificate(game, 1.05 * x)
    assert off.claim == "not an equilibrium"
    gain = payoffs(game, put(x))[0] - payoffs(game, put(1.05 * x))[0]
    assert off.regret[0] == pytest.approx(float(gain), abs=1e-8)


@pytest.mark.slow
def test_two_leaders_respond_to_each_other() -> None:
    game = rv.games.market(demand="logit", choice="price", players=3, stages=[[0, 2], [1]])
    x = np.array([[1.5], [1.7]])
    found = proved_response(game, x, 1)
    tried = np.linspace(float(game.space.low[1, 0]), float(game.space.high[1, 0]), 301)
    values = [float(payoffs(game, put(np.array([x[0], [p]])))[1]) for p in tried]
    assert max(values) <= found.bound <= max(values) + 1e-4
    assert found.coverage == "tight"


@pytest.mark.parametrize("change", [{"capacity": 0.2}, {"shock": {"kind": "iid", "levels": [-0.1, 0.1]}}])
def test_other_markets_are_searched_as_before(change: dict[str, Any]) -> None:
    game = rv.games.market(demand="logit", choice="price", stages=[[0], [1]], **change)
    assert not proved_response.knows(game)
    assert not leadership.has_logit_response(game.market, (1,))

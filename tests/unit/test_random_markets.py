"""Lists of equilibria of random markets of unlike firms, beside best responses computed by NumPy alone.

Formulas, nests, owners and taxes differ between firms, so that no symmetry holds by chance.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.optimize import minimize

import rivalry as rv

pytestmark = pytest.mark.slow

KINDS = ("price formulas", "quantity formulas", "nests", "owners")
STARTS, ROUNDS, SAME = 6, 300, 1e-5


class RandomMarket(NamedTuple):
    """Keys of a market, the payoffs of its owners at choices of all products, and their choices."""

    keys: dict[str, Any]
    payoffs: Callable[[np.ndarray], np.ndarray]
    owners: list[list[int]]
    high: float


def random_market(kind: str, seed: int) -> RandomMarket:
    rng = np.random.default_rng([KINDS.index(kind), seed])
    cost, rates, units = (
        rng.uniform(0.5, 2, 3).round(3),
        rng.uniform(0, 0.3, 3).round(3),
        rng.uniform(0, 0.5, 3),
    )
    units = units.round(3)
    top, slope, cross = (
        rng.uniform(10, 20, 3).round(2),
        rng.uniform(1, 2, 3).round(2),
        rng.uniform(0.1, 0.6, 3),
    )
    cross = cross.round(2)
    goods = 3 if kind == "owners" else 2
    owners = [[0, 1], [2]] if kind == "owners" else [[0], [1]]
    tax = {"ad_valorem": rates[:goods].tolist(), "unit": units[:goods].tolist()}
    keys: dict[str, Any] = {"unit_cost": cost[:goods].tolist(), "tax": tax}
    rows = [f"{top[k]}-{slope[k]}*{{0}}{k}+({{1}}{cross[k]})*{{0}}{1 - k}" for k in range(2)]
    high = 20.0
    if kind == "price formulas":
        keys |= {"demand": {"price": [row.format("q", "-") for row in rows]}, "high": high}
    elif kind == "quantity formulas":
        keys |= {"demand": {"quantity": [row.format("p", "") for row in rows]}, "high": high}
    elif kind == "nests":
        keys |= {"players": 2, "demand": "logit", "nests": [[0, 1]], "nesting": 0.5, "high": 8.0}
        keys |= {"quality": top[:2].tolist(), "outside_option": 10.0, "taste_spread": 1.0}
        high = 8.0
    else:
        keys |= {"demand": "differentiated", "choice": "quantity", "owners": owners, "high": high}
        keys |= {"intercept": 20.0, "slope": 1.0, "substitution": float(cross[0])}

    def sold(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return quantities and prices of all products."""
        if kind == "nests":
            values = np.exp((top[:2] - 10.0 - x) / 0.5)
            sums = values.sum() ** 0.5
            return values / values.sum() * sums / (1 + sums), x
        if kind == "owners":
            return x, np.maximum(20.0 - x - cross[0] * (x.sum() - x), 0.0)
        sign = -1 if kind == "price formulas" else 1
        made = np.maximum(top[:2] - slope[:2] * x + sign * cross[:2] * x[::-1], 0.0)
        return (x, made) if kind == "price formulas" else (made, x)

    def payoffs(x: np.ndarray) -> np.ndarray:
        q, p = sold(x)
        profit = ((1 - rates[:goods]) * p - units[:goods] - cost[:goods]) * q
        return np.array([profit[row].sum() for row in owners])

    return RandomMarket(keys, payoffs, owners, high)


def best_choices(market: RandomMarket, x: np.ndarray, owner: int) -> np.ndarray:
    """Return all choices with one owner's best response, by ascents from points of a grid."""
    row = market.owners[owner]

    def with_choices(part: np.ndarray) -> np.ndarray:
        changed = x.copy()
        changed[row] = part * market.high
        return changed

    def loss(part: np.ndarray) -> float:
        return -float(market.payoffs(with_choices(part))[owner])

    lines = np.meshgrid(*[np.linspace(0.02, 0.98, 13)] * len(row))
    points = np.stack(lines, axis=-1).reshape(-1, len(row))
    starts = points[np.argsort([loss(point) for point in points])[:2]]
    options = {"ftol": 1e-15, "gtol": 1e-10}
    ends = [
        minimize(loss, start, bounds=[(0, 1)] * len(row), method="L-BFGS-B", options=options)
        for start in [*starts, x[row] / market.high]
    ]
    return with_choices(min(ends, key=lambda end: end.fun).x)


def resting_points(market: RandomMarket, seed: int) -> np.ndarray:
    """Return the different choices at which best responses in turn come to rest, from random starts."""
    rng = np.random.default_rng(seed)
    points: list[np.ndarray] = []
    for _ in range(STARTS):
        x = market.high * rng.random(sum(map(len, market.owners)))
        for _ in range(ROUNDS):
            before = x
            for owner in range(len(market.owners)):
                x = best_choices(market, x, owner)
            if np.max(np.abs(x - before)) <= 1e-8 * market.high:
                break
        if not any(np.max(np.abs(x - point)) <= SAME * market.high for point in points):
            points.append(x)
    return np.array(points)


def listed(market: RandomMarket) -> tuple[bool, np.ndarray]:
    """Return whether the list of the package is complete, and the choices of all products on it."""
    found = rv.all_equilibria(rv.games.market(**market.keys))
    choices = [
        [x[k, axis] for k, row in enumerate(market.owners) for axis in range(len(row))]
        for x in found.equilibria
    ]
    return bool(found.complete), np.array(choices)


def compare(kind: str, seed: int) -> None:
    market = random_market(kind, seed)
    complete, choices = listed(market)
    points = resting_points(market, seed)
    assert complete or not len(points) or len(choices)
    for x in choices:
        gains = [market.payoffs(best_choices(market, x, k))[k] for k in range(len(market.owners))]
        np.testing.assert_allclose(gains, market.payoffs(x), rtol=1e-6, atol=1e-8)
    for point in points:
        assert len(choices), "an equilibrium is missing"
        assert np.min(np.max(np.abs(choices - point), axis=1)) <= 1e-4 * market.high


@pytest.mark.parametrize("kind", KINDS)
def test_lists_have_what_best_responses_find(kind: str) -> None:
    compare(kind, 0)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 25))
@pytest.mark.parametrize("kind", KINDS)
def test_lists_of_many_markets(kind: str, seed: int) -> None:
    compare(kind, seed)

"""Bounds on traced payoffs and their derivatives, against the formulas of the games evaluated by Arb."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.proofs import first_order
from rivalry.proofs.arithmetic.enclosure import enclose, enclosed
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.spaces.coordinates import coordinates
from rivalry.runtime.jax import jax, jnp
from tests.unit.test_interval_arithmetic import outside, samples

flint = pytest.importorskip("flint")

pytestmark = pytest.mark.slow
Real = Any  # a ball of flint, or a power series of balls
Payoffs = Callable[[list[Real]], list[Real]]

POINTS = 7


@pytest.fixture(autouse=True)
def precision() -> Iterator[None]:
    before = flint.ctx.prec, flint.ctx.cap
    flint.ctx.prec, flint.ctx.cap = 128, 3
    yield
    flint.ctx.prec, flint.ctx.cap = before


def gaussian() -> tuple[Any, Payoffs]:
    """Three players of different reach and budget; the resource has two peaks."""
    reach, budgets = [0.17, 0.25, 0.2], [1.0, 1.5, 0.7]
    weights = [1.0, 3.0, 2.0, 0.5, 2.0, 4.0, 1.0]
    places = [k / 8 for k in range(POINTS)]
    game = rv.games.influencer(reach=reach, budgets=budgets, resource=weights, resource_points=places)

    def payoffs(x: list[Real]) -> list[Real]:
        found = [flint.arb(0)] * 3
        for place, weight in zip(places, weights, strict=True):
            each = [
                budget * (-((place - y) * (place - y)) / (2 * flint.arb(r) ** 2)).exp()
                for y, r, budget in zip(x, map(flint.arb, reach), map(flint.arb, budgets), strict=True)
            ]
            found = [one + flint.arb(weight) * f / sum(each) for one, f in zip(found, each, strict=True)]
        return found

    return game, payoffs


def race() -> tuple[Any, Payoffs]:
    """Safety and performance of two teams: choices ``x_s, x_p`` of the first, then of the second."""
    game = rv.games.race(contest={"ease_of_winning": 0.5})
    ten, price = flint.arb(10), flint.arb(0.1)

    def payoffs(x: list[Real]) -> list[Real]:
        s, p = [ten * y.sqrt() for y in x[::2]], [ten * y.sqrt() for y in x[1::2]]
        odds = [a / b.sqrt() for a, b in zip(s, p, strict=True)]
        safe = [one / (1 + one) for one in odds]
        win = [one / (p[0] + p[1] + 2) for one in p]
        pay = []
        for i in range(2):
            j = 1 - i
            gain = win[i] * (safe[i] - (1 - safe[i])) - win[j] * (1 - safe[j])
            pay.append(gain - price * x[2 * i] - price * x[2 * i + 1])
        return pay

    return game, payoffs


def logit() -> tuple[Any, Payoffs]:
    """Two firms that choose prices; taste_spread 0.25, quality 2, unit costs 1 and 1.2."""
    game = rv.games.market(demand="logit", unit_cost=[1.0, 1.2])

    def payoffs(x: list[Real]) -> list[Real]:
        each = [((2 - y) * 4).exp() for y in x]
        whole = 1 + each[0] + each[1]
        return [(y - flint.arb(c)) * one / whole for y, one, c in zip(x, each, [1.0, 1.2], strict=True)]

    return game, payoffs


def cournot() -> tuple[Any, Payoffs]:
    """Three firms that choose quantities; the price is at least zero."""
    game = rv.games.market(players=3, unit_cost=[10.0, 12.0, 9.5], convex_cost=0.3)

    def payoffs(x: list[Real]) -> list[Real]:
        price = 100 - sum(x)
        costs = map(flint.arb, [10.0, 12.0, 9.5])
        return [(price - c) * y - flint.arb(0.3) * y * y / 2 for y, c in zip(x, costs, strict=True)]

    return game, payoffs


COSTS = {"logit": pytest.mark.slow, "race": pytest.mark.nightly}
FAMILIES: dict[str, tuple[Callable[[], tuple[Any, Payoffs]], float, float]] = {
    "gaussian": (gaussian, 0.0, 1.0),
    "race": (race, 0.05, 5.0),
    "logit": (logit, 0.5, 2.5),
    "cournot": (cournot, 1.0, 25.0),
}


def bounds(game: Any, low: np.ndarray, high: np.ndarray) -> list[np.ndarray]:
    """Return bounds on payoffs, own derivatives and their Jacobian, by box, and which are decided."""
    found = enclosed(first_order._conditions, (game, coordinates(game)), Interval(low, high))
    slope, jacobian, pay, *_ = found.values
    ends = [end for each in (pay, slope, jacobian) for end in (each.low, each.high)]
    return [*ends, found.decided & found.finite]


def derivatives(
    payoffs: Payoffs, x: list[float], axes: int
) -> tuple[list[Real], list[Real], list[list[Real]]]:
    """Return payoffs, own derivatives and their Jacobian by power series along pairs of choices."""
    size = len(x)

    def along(*directions: int) -> list[Any]:
        moved = [flint.arb_series([flint.arb(y), flint.arb(directions.count(k))]) for k, y in enumerate(x)]
        return payoffs(moved)

    alone = [along(k) for k in range(size)]
    first = [alone[k][k // axes][1] for k in range(size)]
    second = []
    for k in range(size):
        # d^2 along e_k + e_l less those along each, halved, is the mixed derivative
        own = k // axes
        row = []
        for j in range(size):
            if j == k:
                row.append(2 * alone[k][own][2])
            else:
                row.append(along(k, j)[own][2] - alone[k][own][2] - alone[j][own][2])
        second.append(row)
    return [one[0] for one in alone[0]], first, second


FEW = [pytest.param(name, 60, marks=COSTS.get(name, ())) for name in FAMILIES]
MANY = [pytest.param(name, 10_000, marks=pytest.mark.nightly) for name in FAMILIES]


@pytest.mark.parametrize(("family", "count"), FEW + MANY)
def test_true_values_are_inside_the_bounds_of_boxes(family: str, count: int) -> None:
    make, least, most = FAMILIES[family]
    game, payoffs = make()
    size = int(np.prod(game.space.shape))
    rng = np.random.default_rng(5)
    middle = least + (most - least) * rng.random((count, size))
    width = (most - least) * np.exp(rng.uniform(-30, -1, size=(count, 1))) * (rng.random((count, 1)) < 0.8)
    low, high = (np.clip(middle + sign * width, least, most) for sign in (-1, 1))
    pay_low, pay_high, low1, high1, low2, high2, decided = bounds(game, low, high)
    assert decided.mean() > 0.5
    for k in range(count):
        # a corner, a face or the inside
        picks = [rng.permutation(samples(a, b, rng))[0] for a, b in zip(low[k], high[k], strict=True)]
        value, first, second = derivatives(payoffs, [float(y) for y in picks], size // game.space.shape[0])
        for i, one in enumerate(value):
            assert not outside(one, pay_low[k, i], pay_high[k, i]), (family, k, "payoff")
        for i, one in enumerate(first):
            assert not outside(one, low1[k, i], high1[k, i]), (family, k, "derivative")
            for j, other in enumerate(second[i]):
                assert not outside(other, low2[k, i, j], high2[k, i, j]), (family, k, "Jacobian")
    # bounds of points are almost as good as rounding allows
    narrow = (high - low).max(axis=1) < 1e-12
    assert narrow.sum() > count / 10
    assert np.nanmax((high2 - low2)[narrow]) < 1e-8 * np.abs(low2).max()
    assert np.isfinite(pay_low).mean() > 0.95


def test_draws_under_a_fixed_key_are_numbers() -> None:
    def payoff(x: Any) -> Any:
        drawn = jax.random.normal(jax.random.key(3), (5,)) + jax.random.beta(
            jax.random.key(1), 2.0, 3.0, (5,)
        )
        return jnp.mean(jnp.tanh(x * drawn))

    (found,), decided = enclose(payoff, jnp.asarray(0.5))(Interval(jnp.asarray(0.5), jnp.asarray(0.6)))
    values = np.asarray(jax.vmap(payoff)(jnp.linspace(0.5, 0.6, 11)))
    assert bool(decided)
    assert np.all((values >= found.low) & (values <= found.high))
    assert found.high - found.low < 0.5


def test_shares_of_many_rows_are_those_of_each() -> None:
    """A share e^x / (e^x + e^y) is largest where x is largest and y smallest."""
    high = np.array([[1.0, 2.0], [3.0, 1.0]])
    (found,) = enclosed(lambda x: jnp.exp(x) / jnp.sum(jnp.exp(x)), (), Interval(-high, high)).values
    np.testing.assert_allclose(found.high, 1 / (1 + np.exp(-high - high[:, ::-1])), rtol=1e-14)

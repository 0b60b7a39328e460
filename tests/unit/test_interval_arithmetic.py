"""Rules of interval arithmetic against Arb at 128 bits: no value of a function is outside its interval."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import accumulate, product
from typing import Any

import numpy as np
import pytest

from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.rules import RULES, Comparisons
from rivalry.runtime.jax import jax, jnp

flint = pytest.importorskip("flint")

pytestmark = pytest.mark.slow
Real = Any  # a ball of flint

SIZE = 150


@pytest.fixture(autouse=True)
def precision() -> Iterator[None]:
    before = flint.ctx.prec
    flint.ctx.prec = 128
    yield
    flint.ctx.prec = before


def boxes(count: int, seed: int, *, positive: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return intervals of every kind: points, narrow, wide, with zero, huge, tiny, half infinite."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(count) % 8
    sizes = np.choose(kinds, [1, 1, 3, 0.4, 1e150, 1e-200, 30, 1.0]) * np.exp(rng.normal(size=count))
    middle = sizes * rng.normal(size=count) * (rng.random(count) < 0.9)
    width = np.choose(kinds, [0, 1e-9, 1, 1, 1, 0.5, 0.01, 1]) * sizes * rng.random(count)
    low, high = middle - width, middle + width
    high = np.where((kinds == 7) & (rng.random(count) < 0.3), np.inf, high)
    low = np.where((kinds == 7) & (rng.random(count) < 0.3), -np.inf, low)
    if positive:
        low, high = np.abs(low), np.abs(high)
        low, high = np.minimum(low, high), np.maximum(low, high)
        low = np.where(np.isinf(low), 1.0, low)
    return low, high


def samples(low: float, high: float, rng: np.random.Generator) -> list[float]:
    """Return ends and numbers inside; an infinite end is replaced by large numbers."""
    low, high = max(low, -1e300), min(high, 1e300)
    inside = low + (high - low) * rng.random(2)
    middle = np.clip(0.0, low, high)
    return [float(x) for x in np.clip([low, high, middle, *inside], low, high)]


def outside(value: Real, low: float, high: float) -> bool:
    """Return whether a real number is certainly not between two numbers; NaN is no bound."""
    below, above = value.upper(), value.lower()
    return bool(
        low == np.inf
        or high == -np.inf
        or (np.isfinite(low) and below < flint.arb(low))
        or (np.isfinite(high) and above > flint.arb(high))
    )


def trunc(x: Real) -> Real:
    return x.floor() if x >= 0 else x.ceil()


UNARY: dict[str, tuple[Callable[[Interval], Interval], Callable[[Real], Real]]] = {
    "negate": (intervals.negate, lambda x: -x),
    "square": (intervals.square, lambda x: x * x),
    "cube": (lambda a: intervals.power(a, 3), lambda x: x * x * x),
    "eighth power": (lambda a: intervals.power(a, 8), lambda x: x**8),
    "reciprocal square": (lambda a: intervals.power(a, -2), lambda x: 1 / (x * x)),
    "reciprocal": (lambda a: intervals.divide(intervals.ONE, a), lambda x: 1 / x),
    "absolute": (intervals.absolute, abs),
    "root": (intervals.root, lambda x: x.sqrt()),
    "exp": (intervals.exp, lambda x: x.exp()),
    "expm1": (intervals.expm1, lambda x: x.expm1()),
    "log": (intervals.log, lambda x: x.log()),
    "log1p": (intervals.log1p, lambda x: x.log1p()),
    "tanh": (intervals.tanh, lambda x: x.tanh()),
    "sinh": (intervals.hyperbolic_sine, lambda x: x.sinh()),
    "cosh": (intervals.hyperbolic_cosine, lambda x: x.cosh()),
    "logistic": (intervals.logistic, lambda x: ((x / 2).tanh() + 1) / 2),
    "sine": (intervals.sine, lambda x: x.sin()),
    "cosine": (intervals.cosine, lambda x: x.cos()),
    "arc_tangent": (intervals.arc_tangent, lambda x: x.atan()),
    "error_function": (intervals.error_function, lambda x: x.erf()),
    "error_complement": (intervals.error_complement, lambda x: x.erfc()),
    "parabola": (intervals.parabola, lambda x: x * (1 - x)),
    "two to the power": (
        lambda a: RULES["exp2"](Comparisons(), None, a),
        lambda x: (x * flint.arb(2).log()).exp(),
    ),
}
OF_POSITIVE: dict[str, tuple[Callable[[Interval], Interval], Callable[[Real], Real]]] = {
    "log_gamma": (intervals.log_gamma, lambda x: x.lgamma()),
    "digamma": (intervals.digamma, lambda x: x.digamma()),
    "trigamma": (lambda a: intervals.polygamma(jnp.ones(a.shape), a), lambda x: _polygamma(1, x)),
    "third derivative": (
        lambda a: intervals.polygamma(jnp.full(a.shape, 2.0), a),
        lambda x: _polygamma(2, x),
    ),
    "fourth derivative": (
        lambda a: intervals.polygamma(jnp.full(a.shape, 3.0), a),
        lambda x: _polygamma(3, x),
    ),
    "power of .7": (
        lambda a: intervals.real_power(a, intervals.interval(0.7)),
        lambda x: x ** flint.arb(0.7),
    ),
    "power of .5": (lambda a: intervals.real_power(a, intervals.interval(0.5)), lambda x: x.sqrt()),
    "log, positive": (lambda a: intervals.log(Interval(a.low, a.high, True)), lambda x: x.log()),
    "expm1, positive": (lambda a: intervals.expm1(Interval(a.low, a.high, True)), lambda x: x.expm1()),
}
BINARY: dict[str, tuple[Callable[[Interval, Interval], Interval], Callable[[Real, Real], Real]]] = {
    "add": (intervals.add, lambda x, y: x + y),
    "subtract": (intervals.subtract, lambda x, y: x - y),
    "multiply": (intervals.multiply, lambda x, y: x * y),
    "divide": (intervals.divide, lambda x, y: x / y),
    "remainder": (lambda a, b: RULES["rem"](Comparisons(), None, a, b), lambda x, y: x - y * trunc(x / y)),
}


def _polygamma(order: int, x: Real) -> Real:
    sign = -1 if order % 2 == 0 else 1
    return sign * flint.arb(order + 1).gamma() * flint.acb(order + 1).zeta(flint.acb(x)).real


def check(
    name: str, value: Callable[..., Real], low: np.ndarray, high: np.ndarray, *given: tuple[Any, Any]
) -> None:
    """Compare the bounds of one rule with values at samples; a value that Arb does not know is skipped."""
    rng = np.random.default_rng(1)
    told = 0
    for k in range(len(low)):
        points = zip(*(rng.permutation(samples(a[k], b[k], rng)) for a, b in given), strict=True)
        for point in points:
            try:
                exact = value(*(flint.arb(float(x)) for x in point))
            except (ValueError, ZeroDivisionError):
                continue
            if not exact.is_finite():
                assert not (np.isfinite(low[k]) and np.isfinite(high[k])), (name, point, low[k], high[k])
                continue
            assert not outside(exact, low[k], high[k]), (name, point, exact, low[k], high[k])
            told += np.isfinite(low[k]) and np.isfinite(high[k])
    assert told > len(low), name


def check_rules(count: int) -> None:
    """Check every rule on random intervals."""
    a, b, p = boxes(count, 2), boxes(count, 3), boxes(count, 4, positive=True)

    def every(a: Any, b: Any, p: Any) -> dict[str, Any]:
        one, other, positive = Interval(*a), Interval(*b), Interval(*p)
        found = {name: rule(one) for name, (rule, _) in UNARY.items()}
        found |= {name: rule(positive) for name, (rule, _) in OF_POSITIVE.items()}
        found |= {name: rule(one, other) for name, (rule, _) in BINARY.items()}
        found["product, one positive"] = intervals.multiply(Interval(*p, True), other)
        found["product, both positive"] = intervals.multiply(Interval(*p, True), Interval(*p, True))
        found["quotient of a positive"] = intervals.divide(Interval(*p, True), other)
        found["quotient by a positive"] = intervals.divide(other, Interval(*p, True))
        return {name: (one.low, one.high) for name, one in found.items()}

    with np.errstate(all="ignore"):
        found = every(a, b, p)
    for name, (_, value) in UNARY.items():
        check(name, value, *found[name], a)
    for name, (_, value) in OF_POSITIVE.items():
        check(name, value, *found[name], p)
    for name, (_, two) in BINARY.items():
        check(name, two, *found[name], a, b)
    check("product, one positive", lambda x, y: x * y, *found["product, one positive"], p, b)
    check("product, both positive", lambda x, y: x * y, *found["product, both positive"], p, p)
    check("quotient of a positive", lambda x, y: x / y, *found["quotient of a positive"], p, b)
    check("quotient by a positive", lambda x, y: x / y, *found["quotient by a positive"], b, p)


@pytest.mark.parametrize("count", [SIZE, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_no_value_is_outside_the_interval_of_a_rule(count: int) -> None:
    check_rules(count)


def test_derivatives_of_digamma_of_huge_numbers_are_inside() -> None:
    places = np.array([1e50, 9e59, 1.1e60, 8.2e76, 8.4e76, 1e103, 1e155, 1e160, 1e300])
    for order in (1, 2, 3):
        found = intervals.polygamma(np.full(len(places), float(order)), Interval(places, places))
        for k, place in enumerate(places):
            exact = (-1) ** (order + 1) * flint.arb(order).gamma() / flint.arb(place) ** order
            assert not outside(exact, float(found.low[k]), float(found.high[k])), (order, place)
        assert np.all(np.abs(np.asarray(found.low)) < 1e-49)
        assert np.all(np.abs(np.asarray(found.high)) < 1e-49)


def test_differences_of_gamma_functions_hold_all_values() -> None:
    def excess(a: Any) -> Any:
        return jax.lax.lgamma(jnp.sum(a, axis=1)) - jnp.sum(jax.lax.lgamma(a), axis=1)

    def less_log(a: Any) -> Any:
        return jax.lax.digamma(a) - jnp.log(a)

    def exact(function: str, row: np.ndarray) -> Real:
        each = [flint.arb(float(x)) for x in row]
        if function == "excess":
            return sum(each).lgamma() - sum(one.lgamma() for one in each)
        return each[0].digamma() - each[0].log()

    rng = np.random.default_rng(3)
    low = 10 ** rng.uniform(-9, 9, (300, 3))
    high = low * (1 + 10 ** rng.uniform(-12, 3, low.shape) * (rng.random(low.shape) < 0.8))
    (gamma,), _ = enclose(excess, low)(Interval(low, high))
    (slope,), _ = enclose(less_log, low)(Interval(low, high))
    for k in range(len(low)):
        for part in (0.0, 1.0, *rng.random(3)):
            x = np.clip(low[k] + part * (high[k] - low[k]), low[k], high[k])
            found = exact("excess", x), exact("less log", x)
            assert not outside(found[0], float(gamma.low[k]), float(gamma.high[k])), x
            assert not outside(found[1], float(slope.low[k, 0]), float(slope.high[k, 0])), x
    # both are monotone: the ends are values, up to rounding
    ends = [exact("excess", end) for end in (low[0], high[0])]
    assert abs(float(ends[0]) - float(gamma.low[0])) < 1e-6 * (1 + abs(float(ends[0])))
    assert np.all(np.asarray(slope.high) <= 0)


def test_shares_of_exponentials_are_known_where_all_ends_underflow_or_overflow() -> None:
    def share(y: Any) -> Any:
        parts = jnp.exp(y)
        return parts / jnp.sum(parts, axis=0)

    low, high = np.array([[-1e5], [-2e5]]), np.array([[1e5], [2e5]])
    (found,), decided = enclose(share, low)(Interval(low, high))
    assert bool(decided)
    assert np.array_equal(np.asarray(found.low), [[0.0], [0.0]])
    assert np.array_equal(np.asarray(found.high), [[1.0], [1.0]])
    # the logarithm of zero: no row may have influence
    low = np.array([[-np.inf], [-np.inf]])
    (found,), _ = enclose(share, low)(Interval(low, high))
    assert np.all(np.isnan(np.asarray(found.low)))


@pytest.mark.parametrize("place", [-5.0, -19.9, -20.1, -25.0, -37.0, 0.5, 6.0])
def test_functions_that_jax_composes_are_taken_as_programs(place: float) -> None:
    def program(x: Any) -> Any:
        return jax.scipy.special.log_ndtr(x)

    x = jnp.asarray(place)
    (found,), _ = enclose(program, x)(Interval(x - 1e-9, x + 1e-9))
    # below -20 the program sums three terms of a series: a payoff is what it returns
    assert float(found.low) <= float(program(x)) <= float(found.high)


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("count", [3, 100, 1000])
def test_sums_of_points_contain_the_exact_sum(count: int, positive: bool) -> None:
    """Adding rounds as often as there are terms, in an order that is not known."""
    rng = np.random.default_rng(count)
    terms = rng.random((4, count)) * 10.0 ** rng.integers(-3, 4, (4, count))
    if not positive:
        terms *= rng.choice([-1.0, 1.0], terms.shape)
    rows = Interval(jnp.asarray(terms), jnp.asarray(terms), positive)
    found = intervals.total(rows, (1,))
    (running,), _ = enclose(partial(jnp.cumsum, axis=1), terms)(rows)
    for row, *ends in zip(terms, found.low, found.high, running.low, running.high, strict=True):
        whole, parts = sum(map(Fraction, row)), list(accumulate(map(Fraction, row)))
        assert Fraction(float(ends[0])) <= whole <= Fraction(float(ends[1]))
        for low, part, high in zip(ends[2], parts, ends[3], strict=True):
            assert Fraction(float(low)) <= part <= Fraction(float(high))


def test_sums_of_products_contain_those_of_all_corners() -> None:
    """Also of numbers around zero, where all of a product is that of the radii."""
    rng = np.random.default_rng(4)
    middle = rng.normal(size=(2, 40, 3)) * (rng.random((2, 40, 1)) < 0.6)
    radius = rng.random((2, 40, 3)) * 10.0 ** rng.integers(-9, 2, (2, 40, 1))
    low, high = middle - radius, middle + radius
    a, b = (Interval(jnp.asarray(low[k]), jnp.asarray(high[k])) for k in range(2))
    found = intervals.contract(a, b, lambda x, y: jnp.sum(x * y, axis=1), 3)
    for k in range(40):
        for ends in product((low, high), repeat=6):
            rows = [[Fraction(ends[3 * j + i][j, k, i]) for i in range(3)] for j in range(2)]
            value = sum(x * y for x, y in zip(*rows, strict=True))
            assert Fraction(float(found.low[k])) <= value <= Fraction(float(found.high[k]))

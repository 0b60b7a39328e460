"""Interval arithmetic with outward rounding, in JAX: bounds that hold for real numbers, not for floating point.

An operation on intervals returns an interval that contains every result of the operation on numbers inside
them. Every rounded endpoint is moved outward by `WIDEN` times its size and `TINY`: more than the rounding of
the operation, whatever the compiler does with it (fused multiplications, products with reciprocals, small
numbers flushed to zero). NaN stands for an endpoint of which nothing is known, and every comparison with it is
false: nothing is proved from it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import factorial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

EPS = float(np.finfo(float).eps)
WIDEN = 4 * EPS
TINY = 1e-290  # far above the smallest normal number, so that products of it are not flushed to zero
STATED = 64 * EPS  # relative error of the library functions used here, at least eight times the largest seen
LOG2 = float(np.log(2.0))
# the leading 32 bits of log 2, whose products with an exponent are exact, and the rest
LOG2_HIGH = 2977044471 * 2.0**-32
LOG2_LOW = 1.9082149292705877e-10
ROOT_HALF = 0.7071067811865476
LOW_EXPONENT, HIGH_EXPONENT = -660.0, 709.0  # exp is a normal number well above `TINY` between them


@partial(jax.tree_util.register_dataclass, data_fields=("low", "high"), meta_fields=("positive",))
class Interval:
    """Numbers from ``low`` to ``high``, elementwise.

    Parameters
    ----------
    low, high : Array
        Endpoints of one shape; truth values stand for "certainly" and "possibly".
    positive : bool
        Whether no number below zero is meant, whatever the endpoints; it is known before compilation.
    """

    def __init__(self, low: Any, high: Any, positive: bool = False) -> None:
        self.low, self.high, self.positive = low, high, positive
        self.origin: tuple[Any, ...] | None = None  # the operation that computed it, and on what
        self.moves = True  # whether it depends on what derivatives are taken in

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the endpoints."""
        return tuple(self.low.shape)


def interval(x: Any) -> Interval:
    """Return ``x`` as an interval: itself, or the interval of one number."""
    if isinstance(x, Interval):
        return x
    known = not isinstance(x, jax.core.Tracer) and bool(np.all(np.asarray(x) >= 0))
    return Interval(x, x, known)


def widen(low: Any, high: Any, relative: float = WIDEN, positive: bool = False) -> Interval:
    """Return rounded endpoints moved outward by a relative error."""
    low, high = (
        # an infinite end stays: infinity less infinity is not known
        jnp.where(jnp.isinf(end), end, end + sign * (jnp.abs(end) * relative + TINY))
        for sign, end in ((-1, low), (1, high))
    )
    # max returns NaN for NaN
    return Interval(jnp.maximum(low, 0.0) if positive else low, high, positive)


def add(a: Interval, b: Interval) -> Interval:
    """Return sums."""
    return widen(a.low + b.low, a.high + b.high, positive=a.positive and b.positive)


def negate(a: Interval) -> Interval:
    """Return negative numbers."""
    return Interval(-a.high, -a.low)


def subtract(a: Interval, b: Interval) -> Interval:
    """Return differences."""
    return widen(a.low - b.high, a.high - b.low)


def multiply(a: Interval, b: Interval) -> Interval:
    """Return products."""
    if a.positive and b.positive:
        return widen(a.low * b.low, a.high * b.high, positive=True)
    if b.positive:
        a, b = b, a
    if a.positive:
        return widen(
            jnp.where(b.low >= 0, a.low, a.high) * b.low, jnp.where(b.high >= 0, a.high, a.low) * b.high
        )
    if a.low is a.high:  # one number
        b, a = a, b
    if b.low is b.high:
        one, other = a.low * b.low, a.high * b.low
        return widen(jnp.minimum(one, other), jnp.maximum(one, other))
    corners = a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high
    return widen(
        jnp.minimum(jnp.minimum(*corners[:2]), jnp.minimum(*corners[2:])),
        jnp.maximum(jnp.maximum(*corners[:2]), jnp.maximum(*corners[2:])),
    )


def divide(a: Interval, b: Interval) -> Interval:
    """Return quotients; nothing is known where the divisor may be zero."""
    if not b.positive:
        turn = b.high < 0
        a = Interval(
            jnp.where(turn, -a.high, a.low), jnp.where(turn, -a.low, a.high), a.positive and b.positive
        )
        b = Interval(jnp.where(turn, -b.high, b.low), jnp.where(turn, -b.low, b.high))
        b.low = jnp.where(b.low > 0, b.low, jnp.nan)
    low = a.low / b.high if a.positive else a.low / jnp.where(a.low >= 0, b.high, b.low)
    high = a.high / b.low if a.positive else a.high / jnp.where(a.high >= 0, b.low, b.high)
    return widen(low, high, positive=a.positive and b.positive)


def square(a: Interval) -> Interval:
    """Return squares."""
    return power(a, 2)


def power(a: Interval, exponent: int) -> Interval:
    """Return whole powers."""
    if exponent < 0:
        return divide(interval(jnp.ones_like(a.low)), power(a, -exponent))
    if exponent == 0:
        return interval(jnp.ones_like(a.low))
    raised = [jnp.asarray(end) ** 1 for end in (a.low, a.high)]
    for _ in range(exponent - 1):
        raised = [raised[0] * a.low, raised[1] * a.high]
    low, high = raised
    if exponent % 2 == 0 and not a.positive:
        inside = (a.low <= 0) & (a.high >= 0)
        low, high = jnp.where(inside, 0.0, jnp.minimum(low, high)), jnp.maximum(low, high)
    return widen(low, high, exponent * WIDEN, positive=exponent % 2 == 0 or a.positive)


def root(a: Interval) -> Interval:
    """Return square roots; nothing is known where a number may be negative."""
    return widen(jnp.sqrt(a.low), jnp.sqrt(a.high), positive=True)


def total(a: Interval, axes: tuple[int, ...]) -> Interval:
    """Return sums along axes, in whatever order they are summed."""
    terms = int(np.prod([a.shape[axis] for axis in axes]))
    low, high = jnp.sum(a.low, axes), jnp.sum(a.high, axes)
    if a.positive:
        return widen(low, high, (terms + 3) * EPS, positive=True)
    size = jnp.sum(jnp.maximum(jnp.abs(a.low), jnp.abs(a.high)), axes) * ((terms + 3) * EPS) + TINY
    return Interval(low - size, high + size)


def contract(a: Interval, b: Interval, dot: Callable[[Any, Any], Any], terms: int) -> Interval:
    """Return sums of ``terms`` products, ``dot`` of midpoints and radii."""
    if a.positive and b.positive:
        return widen(dot(a.low, b.low), dot(a.high, b.high), (terms + 3) * WIDEN, positive=True)
    (mid, radius), (other, wide) = _ball(a), _ball(b)
    middle = dot(mid, other)
    size = dot(jnp.abs(mid) + radius, jnp.abs(other) + wide)
    spread = (
        dot(jnp.abs(mid), wide) + dot(radius, jnp.abs(other) + wide) + ((terms + 3) * WIDEN * size + TINY)
    )
    return widen(middle - spread, middle + spread)


def _ball(a: Interval) -> tuple[Any, Any]:
    """Return midpoints and radii; the radius covers the rounding of both."""
    if a.low is a.high:
        return a.low, jnp.zeros_like(a.low)
    mid = a.low * 0.5 + a.high * 0.5
    radius = jnp.maximum(a.high - mid, mid - a.low)
    return mid, radius + (jnp.abs(mid) * WIDEN + radius * WIDEN + TINY)


def share(a: Interval, whole: Interval) -> Interval:
    """Return the parts of positive numbers in their sum: ``a / (a + rest)``, which increases in ``a``."""
    slack = whole.high * (8 * WIDEN) + TINY
    most, least = whole.high - a.high + slack, jnp.maximum(whole.low - a.low - slack, 0.0)
    found = widen(a.low / (a.low + most), a.high / (a.high + least), positive=True)
    return Interval(found.low, jnp.minimum(found.high, 1.0), True)


def parabola(a: Interval) -> Interval:
    """Return ``a (1 - a)``, largest at one half."""
    ends = a.low * (1 - a.low), a.high * (1 - a.high)
    top = jnp.clip(0.5, a.low, a.high)
    known = ~jnp.isnan(a.low + a.high)
    high = jnp.where(known, top * (1 - top), jnp.nan)
    # cancellation in 1 - a: the error is relative to a
    error = WIDEN * jnp.maximum(jnp.abs(a.low), jnp.abs(a.high))
    found = widen(jnp.minimum(*ends) - error, high + error)
    return found


def monotone(
    function: Callable[[Any], Any], relative: float, positive: bool = False
) -> Callable[[Interval], Interval]:
    """Return the interval form of an increasing function computed with a relative error."""
    return lambda a: widen(function(a.low), function(a.high), relative, positive)


def _exp_rest(r: Any) -> Any:
    """Return ``exp(r) - 1`` for ``|r| < 0.36``: Taylor to the power 14; the rest is below 1e-18 of it."""
    found = jnp.full_like(r, 1 / factorial(14))
    for power_ in range(13, 0, -1):
        found = found * r + 1 / factorial(power_)
    return found * r


def _exp(x: Any) -> Any:
    """Return exponentials with a relative error below 8 ulp, for numbers within the exponents."""
    k = jnp.round(x * (1 / LOG2))
    r = (x - k * LOG2_HIGH) - k * LOG2_LOW
    # 2 ** k by its bits: exact
    scale = jax.lax.bitcast_convert_type((k.astype(jnp.int64) + 1023) << 52, jnp.float64)
    return scale + scale * _exp_rest(r)


def exp(a: Interval) -> Interval:
    """Return exponentials."""
    low, high = (_exp(jnp.clip(end, LOW_EXPONENT, HIGH_EXPONENT)) for end in (a.low, a.high))
    found = widen(low, high, 4 * WIDEN, positive=True)
    found.low = jnp.where(a.low < LOW_EXPONENT, 0.0, found.low)
    found.high = jnp.where(a.high > HIGH_EXPONENT, jnp.inf, found.high)
    return found


def _expm1(x: Any) -> Any:
    near = jnp.abs(x) < 0.35
    return jnp.where(near, _exp_rest(jnp.where(near, x, 0.0)), _exp(x) - 1.0)


def expm1(a: Interval) -> Interval:
    """Return ``exp - 1``."""
    low, high = (_expm1(jnp.clip(end, LOW_EXPONENT, HIGH_EXPONENT)) for end in (a.low, a.high))
    found = widen(low, high, 8 * WIDEN, a.positive)
    found.low = jnp.maximum(found.low, -1.0)
    found.high = jnp.where(a.high > HIGH_EXPONENT, jnp.inf, found.high)
    return found


def _log_ratio(f: Any) -> Any:
    """Return ``log((1 + f) / (1 - f))`` for ``|f| < 0.18``: to the power 23; the rest is below 1e-18 of it."""
    s = f * f
    found = jnp.full_like(f, 1 / 23)
    for odd in range(21, 0, -2):
        found = found * s + 1 / odd
    return 2 * f * found


def _log(x: Any) -> Any:
    """Return logarithms of positive normal numbers with a relative error below 8 ulp; else NaN or infinity."""
    bits = jax.lax.bitcast_convert_type(x, jnp.int64)
    e = (bits >> 52) - 1022
    m = jax.lax.bitcast_convert_type((bits & 0xFFFFFFFFFFFFF) | (1022 << 52), jnp.float64)  # in [.5, 1)
    small = m < ROOT_HALF
    m, e = jnp.where(small, 2 * m, m), (e - small).astype(jnp.float64)
    found = e * LOG2_HIGH + (e * LOG2_LOW + _log_ratio((m - 1) / (m + 1)))
    # numbers too small to be normal count as zero
    found = jnp.where(x < 2.3e-308, jnp.where(x >= 0, -jnp.inf, jnp.nan), found)
    return jnp.where(x == jnp.inf, jnp.inf, jnp.where(jnp.isnan(x), jnp.nan, found))


def log(a: Interval) -> Interval:
    """Return logarithms; nothing is known below where a number may be negative."""
    found = widen(_log(a.low), _log(jnp.maximum(a.high, 2.3e-308)), 4 * WIDEN)
    found.high = jnp.where(a.high < 0, jnp.nan, found.high)
    return found


def _log1p(x: Any) -> Any:
    near = (x > -0.25) & (x < 0.35)
    inside = jnp.where(near, x, 0.0)
    return jnp.where(near, _log_ratio(inside / (2 + inside)), _log(1 + x))


def log1p(a: Interval) -> Interval:
    """Return ``log(1 + x)``."""
    # 1 + x rounds: relative to a logarithm above .28 its error is a few ulp, near zero the sum is widened
    near_minus_one = add(interval(jnp.ones_like(a.low)), a)
    far = log(near_minus_one)
    near = widen(_log1p(a.low), _log1p(a.high), 8 * WIDEN, a.positive)
    return Interval(
        jnp.where((a.low > -0.25) & (a.low < 0.35), near.low, far.low),
        jnp.where((a.high > -0.25) & (a.high < 0.35), near.high, far.high),
        a.positive,
    )


def tanh(a: Interval) -> Interval:
    """Return hyperbolic tangents, ``t / (t + 2)`` with ``t = exp(2 x) - 1``, for one sign of x each."""

    def point(x: Any) -> Any:
        t = _expm1(2 * jnp.minimum(jnp.abs(x), 20.0))
        return jnp.sign(x) * t / (t + 2)

    found = widen(point(a.low), point(a.high), 16 * WIDEN, a.positive)
    # beyond 20 the distance to 1 is below 1e-17, less than what endpoints are moved by
    return Interval(jnp.maximum(found.low, -1.0), jnp.minimum(found.high, 1.0), a.positive)


def logistic(a: Interval) -> Interval:
    """Return ``1 / (1 + exp(-x))``."""
    one = interval(jnp.ones_like(a.low))
    found = divide(one, add(one, exp(negate(a))))
    return Interval(found.low, jnp.minimum(found.high, 1.0), True)


def real_power(a: Interval, b: Interval) -> Interval:
    """Return powers of positive numbers, ``exp(b log a)``."""
    return exp(multiply(b, log(a)))


def _cosine_like(a: Interval, function: Callable[[Any], Any], shift: float) -> Interval:
    """Return cosines shifted by ``shift`` turns; beyond 1e4 radians nothing but the range is known."""
    turns = 1 / (2 * np.pi)
    ends = function(a.low), function(a.high)
    low, high = jnp.minimum(*ends) - STATED, jnp.maximum(*ends) + STATED
    # a wide interval of turns contains a maximum where it contains a whole number
    slack = 1e-9
    first, last = a.low * turns - shift - slack, a.high * turns - shift + slack
    top = jnp.floor(last) >= first
    bottom = jnp.floor(last - 0.5) >= first - 0.5
    far = jnp.maximum(jnp.abs(a.low), jnp.abs(a.high)) > 1e4
    known = ~jnp.isnan(a.low + a.high)
    low = jnp.where(known & (bottom | far), -1.0, jnp.maximum(low, -1.0))
    return Interval(low, jnp.where(known & (top | far), 1.0, jnp.minimum(high, 1.0)))


def cosine(a: Interval) -> Interval:
    """Return cosines."""
    return _cosine_like(a, jnp.cos, 0.0)


def sine(a: Interval) -> Interval:
    """Return sines."""
    return _cosine_like(a, jnp.sin, 0.25)


def log_gamma(a: Interval) -> Interval:
    """Return the logarithm of the gamma function of positive numbers, whose least value is at 1.4616."""
    lowest, place = -0.12148629053584961, 1.4616321449683623
    ends = jax.lax.lgamma(a.low), jax.lax.lgamma(a.high)
    # near its zeros at 1 and 2 the error is absolute
    error = STATED * (1 + jnp.maximum(jnp.abs(ends[0]), jnp.abs(ends[1])))
    inside = (a.low <= place) & (a.high >= place)
    low = jnp.where(inside, lowest, jnp.minimum(*ends)) - error
    return _where_positive(a, Interval(low, jnp.maximum(*ends) + error))


def digamma(a: Interval) -> Interval:
    """Return the derivative of `log_gamma`, which increases."""
    ends = jax.lax.digamma(a.low), jax.lax.digamma(a.high)
    error = [STATED * (1 + jnp.abs(end)) for end in ends]
    return _where_positive(a, Interval(ends[0] - error[0], ends[1] + error[1]))


def polygamma(order: Any, a: Interval) -> Interval:
    """Return derivatives of `digamma` of a whole order: monotone, falling in size."""
    ends = jax.lax.polygamma(order, a.low), jax.lax.polygamma(order, a.high)
    found = widen(jnp.minimum(*ends), jnp.maximum(*ends), STATED)
    return _where_positive(a, found)


def error_function(a: Interval) -> Interval:
    """Return the error function."""
    found = widen(jax.lax.erf(a.low), jax.lax.erf(a.high), STATED, a.positive)
    return Interval(jnp.maximum(found.low, -1.0), jnp.minimum(found.high, 1.0), a.positive)


def _where_positive(a: Interval, found: Interval) -> Interval:
    good = a.low > 0
    return Interval(jnp.where(good, found.low, jnp.nan), jnp.where(good, found.high, jnp.nan))


def hull(intervals: list[Interval]) -> Interval:
    """Return the smallest intervals that contain all of the given ones."""
    low, high = intervals[0].low, intervals[0].high
    for other in intervals[1:]:
        low, high = jnp.minimum(low, other.low), jnp.maximum(high, other.high)
    return Interval(low, high, all(other.positive for other in intervals))


def from_array(low: Array | np.ndarray, high: Array | np.ndarray) -> Interval:
    """Return an interval of given endpoints, which are taken as exact."""
    return Interval(jnp.asarray(low), jnp.asarray(high))

"""Interval arithmetic with outward rounding, in NumPy: bounds that hold for real numbers.

An operation on intervals returns an interval that contains every result of the operation on numbers inside
them. Every rounded endpoint is moved outward by `WIDEN` times its size and `TINY`: more than the rounding of
the operation, in NumPy and in XLA, by which payoffs are computed. XLA contracts products and sums to one
rounding, divides by constants by multiplying with their rounded reciprocals (together three rounding errors
of half of `EPS` instead of one), sums in any order, and takes numbers below the smallest normal one for zero;
so the numbers of a function are what XLA takes them for.

NaN stands for an endpoint of which nothing is known: its comparisons are false, and nothing is proved from
it. Where a function is not defined on a part of an interval, both ends are NaN. Infinite numbers are exact:
the logarithm of zero, and those that were given. An endpoint that overflows to the wrong side, a lower one to
infinity, stays at `HUGE`. A quotient 0/0, a product of zero and an infinite number and the difference of two
infinite numbers are no numbers: where one is possible, both ends are NaN, also of a bounded function of it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import factorial
from typing import Any

import numpy as np

from rivalry.core.tolerances import EPS, HIGH_EXPONENT, HUGE, LOW_EXPONENT, SMALLEST, STATED, TINY, WIDEN

LOG2 = float(np.log(2.0))
# the leading 32 bits of log 2, whose products with an exponent are exact, and the rest
LOG2_HIGH = 2977044471 * 2.0**-32
LOG2_LOW = 1.9082149292705877e-10
ROOT_HALF = 0.7071067811865476


NONE: frozenset[str] = frozenset()
PLUS, MINUS = frozenset("+"), frozenset("-")
BOTH = PLUS | MINUS
"""Signs of infinite numbers."""


class Interval:
    """Numbers from ``low`` to ``high``, elementwise; Booleans stand for "certainly" and "possibly".

    Of a ``positive`` one ``low`` is known not to be below zero anywhere.
    """

    def __init__(
        self, low: Any, high: Any, positive: bool = False, infinite: frozenset[str] | None = None
    ) -> None:
        self.low, self.high, self.positive = low, high, positive
        self.origin: tuple[Any, ...] | None = None  # the operation that computed it, and on what
        self.moves = True  # whether it depends on what derivatives are taken in
        # computes the number as the program does, without bounds, if it depends on no choice
        self.number: Callable[[], Any] | None = None
        # signs of infinite numbers that may be in it, apart from overflow; None: any, if any is in an operand
        self.infinite = infinite

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the endpoints."""
        return tuple(self.low.shape)

    def at_ends(self, move: Callable[[Any], Any]) -> Interval:
        """Return a function that moves numbers, or increases with each, of both endpoints."""
        result = Interval(*_ends(move, self), self.positive, self.infinite)
        result.moves = self.moves
        return result

    def __getitem__(self, index: Any) -> Interval:
        """Return the entries at an index, as of an array."""
        return self.at_ends(lambda end: end[index])


def interval(x: object) -> Interval:
    """Return ``x`` as an interval: itself, or the interval of one number."""
    if isinstance(x, Interval):
        return x
    x = np.asarray(x)
    x = x.astype(float) if x.dtype.kind in "iu" else x
    result = Interval(x, x, bool((x >= 0).all()))
    if x.dtype.kind != "f":
        return result
    size = np.abs(x)
    small, large = (size < TINY) & (x != 0), size > HUGE
    result.infinite = NONE
    if not np.any(small | large):
        return result
    # as XLA takes them: it flushes what is no normal number, and reciprocals of large numbers
    large = large & (size < np.inf)
    result.low = np.where(
        large, np.where(x > 0, HUGE, -np.inf), np.where(small, np.where(x > 0, 0, -TINY), x)
    )
    result.high = np.where(
        large, np.where(x > 0, np.inf, -HUGE), np.where(small, np.where(x > 0, TINY, 0), x)
    )
    result.infinite = frozenset("+" * bool(np.any(x == np.inf)) + "-" * bool(np.any(x == -np.inf)))
    return result


def _has_zero(a: Interval) -> Any:
    zero = (a.low <= 0) & (a.high >= 0)
    return zero if np.any(zero) else np.False_


def _has_infinity(a: Interval) -> Any:
    return np.isinf(a.low) | np.isinf(a.high)


def signs(*ranges: Interval) -> frozenset[str]:
    """Return the signs of infinite numbers that may be in any of several intervals."""
    return NONE.union(*(part.infinite for part in ranges if part.infinite))


def _opposite(present: frozenset[str]) -> frozenset[str]:
    return BOTH - present if len(present) == 1 else present


ONE = interval(1.0)


def widen(low: Any, high: Any, relative: float = WIDEN, positive: bool = False) -> Interval:
    """Return rounded endpoints moved outward by a relative error; an overflow to the wrong side is no end."""
    low, high = np.minimum(low, HUGE), np.maximum(high, -HUGE)
    below, above = _room(np.abs(low), relative), _room(np.abs(high), relative)
    if positive:
        return Interval(np.maximum(low - below, 0.0), high + above, True)
    return Interval(low - below, high + above)


def _room(size: Any, relative: float) -> Any:
    """Return the error of numbers of a size, in whose place it is computed."""
    size *= relative
    size += TINY
    return size


def with_neighbours(low: Any, high: Any) -> Interval:
    """Return intervals, of single numbers with those next to them: a kink at a number shows beside it."""
    near, point = widen(low, high), low == high
    return Interval(np.where(point, near.low, low), np.where(point, near.high, high))


def add(a: Interval, b: Interval) -> Interval:
    """Return sums."""
    result = _rounded_sum(a.low + b.low, a.high + b.high, a.positive and b.positive)
    if signs(a) & _opposite(signs(b)):
        result = _defined(~np.isnan(a.low + b.high) & ~np.isnan(a.high + b.low), result)
    result.infinite = signs(a, b)
    return result


def negate(a: Interval) -> Interval:
    """Return negative numbers."""
    return Interval(-a.high, -a.low, infinite=_opposite(signs(a)))


def subtract(a: Interval, b: Interval) -> Interval:
    """Return differences."""
    result = _rounded_sum(a.low - b.high, a.high - b.low, False)
    if signs(a) & signs(b):
        result = _defined(~np.isnan(a.low - b.low) & ~np.isnan(a.high - b.high), result)
    result.infinite = signs(a) | _opposite(signs(b))
    return result


def _rounded_sum(low: Any, high: Any, positive: bool) -> Interval:
    """Return sums moved outward; the sum of an infinite number and others is infinite.

    No sum of finite ends overflows to the wrong side, where `widen` has left none beyond `HUGE`.
    """
    if positive:
        return widen(low, high, positive=True)
    below, above = (_room(np.minimum(np.abs(end), HUGE), WIDEN) for end in (low, high))
    return Interval(low - below, high + above)


def multiply(a: Interval, b: Interval) -> Interval:
    """Return products."""
    result = _product(a, b)
    for x, y in ((a, b), (b, a)):
        if x.infinite and y.low is not y.high:  # zero times an infinite end is NaN already
            result = _defined(~(_has_infinity(x) & _has_zero(y)), result)
    if signs(a, b):
        result.infinite = PLUS if a.positive and b.positive else BOTH
    for number, factor in ((a, b), (b, a)):
        if number.low is number.high and not factor.positive:
            # an infinite number, such as the logarithm of 0, times another than 0 is infinite
            product = number.low * factor.low
            infinite = (factor.low == factor.high) & np.isinf(factor.low) & np.isinf(product)
            result.low, result.high = (np.where(infinite, product, end) for end in (result.low, result.high))
            result.positive = False
            break
    return result


def _product(a: Interval, b: Interval) -> Interval:
    if a.positive and b.positive:
        return widen(a.low * b.low, a.high * b.high, positive=True)
    if b.positive:
        a, b = b, a
    if a.positive:
        result = widen(
            np.where(b.low >= 0, a.low, a.high) * b.low, np.where(b.high >= 0, a.high, a.low) * b.high
        )
        return _not_below_zero(b.low, result)
    if a.low is a.high:  # one number
        b, a = a, b
    if b.low is b.high:
        low_product, high_product = a.low * b.low, a.high * b.low
        return widen(np.minimum(low_product, high_product), np.maximum(low_product, high_product))
    corners = a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high
    return widen(
        np.minimum(np.minimum(*corners[:2]), np.minimum(*corners[2:])),
        np.maximum(np.maximum(*corners[:2]), np.maximum(*corners[2:])),
    )


def divide(a: Interval, b: Interval) -> Interval:
    """Return quotients; nothing is known where the divisor may be zero."""
    by_zero = b.positive and b.low is not b.high
    unknown: Any = np.False_  # 0/0, and quotients of infinite numbers
    if by_zero:
        unknown = _has_zero(a) & (b.low <= 0)
    elif b.positive:  # one number, which is rarely zero
        unknown = b.low == 0
    if a.infinite and b.infinite:
        unknown = unknown | (_has_infinity(a) & _has_infinity(b))
    infinite = NONE
    if by_zero or a.infinite:
        infinite = PLUS if a.positive and b.positive else BOTH
    if not b.positive:  # by a positive divisor, with the signs of both turned; none where zero is between
        turn = b.high < 0
        near, far = np.where(turn, -b.high, b.low), np.where(turn, -b.low, b.high)
        excludes_zero = near > 0
        a = Interval(np.where(turn, -a.high, a.low), np.where(turn, -a.low, a.high))
        b = Interval(np.where(excludes_zero, near, np.nan), np.where(excludes_zero, far, np.nan))
    near, far = _divisor(b)
    # by the divisor that leads farthest down, or up
    low = a.low / far if a.positive else a.low / np.where(a.low >= 0, far, near)
    high = a.high / near if a.positive else a.high / np.where(a.high >= 0, near, far)
    result = widen(low, high, positive=a.positive and b.positive)
    result = result if a.positive else _not_below_zero(a.low, result)
    if np.any(unknown):
        result = _defined(~unknown, result)
    result.infinite = infinite
    return result


def _not_below_zero(low: Any, result: Interval) -> Interval:
    """Return a product with a positive number; with zero it is not below zero, so that it has a root."""
    return Interval(np.where((low >= 0) & (result.low < 0), 0.0, result.low), result.high, result.positive)


def _divisor(b: Interval) -> tuple[Any, Any]:
    """Return the ends of a positive divisor with reciprocals that are not flushed; zero without a sign."""
    return np.minimum(np.abs(b.low), HUGE), np.where(b.high > HUGE, np.inf, b.high)


def square(a: Interval) -> Interval:
    """Return squares."""
    return power(a, 2)


def power(a: Interval, exponent: int) -> Interval:
    """Return whole powers; ``exponent - 1`` products round at most."""
    if exponent < 0:
        return divide(ONE, power(a, -exponent))
    if exponent == 0:
        unit = np.ones_like(a.low)
        return Interval(unit, unit, True)
    if exponent % 2 == 0 and not a.positive:
        a = absolute(a)
    return widen(_raised(a.low, exponent), _raised(a.high, exponent), exponent * WIDEN, a.positive)


def _raised(x: object, exponent: int) -> Any:
    if exponent == 1:
        return x
    half = _raised(x, exponent // 2)
    return half * half * x if exponent % 2 else half * half


def absolute(a: Interval) -> Interval:
    """Return sizes."""
    if a.positive:
        return Interval(a.low, a.high, True)
    smallest = np.maximum(np.maximum(a.low, -a.high), 0.0)
    return Interval(smallest, np.maximum(-a.low, a.high), True)


def _defined(good: Any, result: Interval) -> Interval:
    """Return nothing, both ends NaN, where a function may not be defined."""
    low, high = (np.where(good, end, np.nan) for end in (result.low, result.high))
    return Interval(low, high, result.positive)


def root(a: Interval) -> Interval:
    """Return square roots."""
    result = widen(np.sqrt(a.low), np.sqrt(a.high), positive=True)
    return result if a.positive else _defined(a.low >= 0, result)


def total(a: Interval, axes: tuple[int, ...]) -> Interval:
    """Return sums along axes, in whatever order they are summed."""
    terms = int(np.prod([a.shape[axis] for axis in axes]))
    low, high = np.sum(a.low, axes), np.sum(a.high, axes)
    if a.positive:
        # fewer additions than terms, each of which rounds by half of `EPS`, in any order
        return widen(low, high, (terms + 3) * EPS, positive=True)
    # each end by its own sizes: an infinite lower end, the logarithm of 0, says nothing of the upper one
    below, above = (np.sum(np.abs(end), axes) * ((terms + 3) * EPS) + TINY for end in (a.low, a.high))
    result = Interval(low - below, high + above)
    if signs(a) == BOTH:
        result = _defined((low > -np.inf) | (high < np.inf), result)
    result.infinite = signs(a)
    return result


def contract(a: Interval, b: Interval, dot: Callable[[Any, Any], Any], terms: int) -> Interval:
    """Return sums of ``terms`` products, ``dot`` of midpoints and radii."""
    finite = not (a.infinite or b.infinite)
    if a.positive and b.positive:
        # a term takes part in one product and fewer additions than terms, each off by less than `WIDEN`
        result = widen(dot(a.low, b.low), dot(a.high, b.high), (terms + 3) * WIDEN, positive=True)
    else:
        (mid, radius), (mid_b, wide) = _ball(a), _ball(b)
        middle = dot(mid, mid_b)
        size = dot(np.abs(mid) + radius, np.abs(mid_b) + wide)
        spread = (
            dot(np.abs(mid), wide) + dot(radius, np.abs(mid_b) + wide) + ((terms + 3) * WIDEN * size + TINY)
        )
        result = widen(middle - spread, middle + spread)
    return result if finite else _defined(np.isfinite(result.low) & np.isfinite(result.high), result)


def _ball(a: Interval) -> tuple[Any, Any]:
    """Return midpoints and radii; the radius covers the rounding of both."""
    if a.low is a.high:
        return a.low, np.zeros_like(a.low)
    mid = a.low * 0.5 + a.high * 0.5
    radius = np.maximum(a.high - mid, mid - a.low)
    return mid, radius + (np.abs(mid) * WIDEN + radius * WIDEN + TINY)


def share(a: Interval, axis: int, logs: Interval | None = None) -> Interval:
    """Return the parts of positive numbers in their sum along an axis.

    ``a / (a + rest) = 1 / (1 + rest / a)`` increases in ``a`` and falls in ``rest``; each occurs once.
    Exponentials of finite ``logs`` are neither zero nor infinite, although their ends may be.
    """
    low, high = (reduce_others(np.sum, end, axis, 0.0) for end in (a.low, a.high))
    near, far = _divisor(a)
    # five operations round, besides the sum
    result = widen(1 / (1 + high / near), 1 / (1 + low / far), (a.shape[axis] + 8) * EPS, True)
    low, high = np.where(a.low > 0, result.low, 0.0), np.minimum(result.high, 1.0)
    result = Interval(low, np.where(a.high > 0, high, 0.0), True)
    positive, finite = a.low > 0, a.high < np.inf
    if logs is not None:
        positive, finite = logs.low > -np.inf, logs.high < np.inf
    result = _defined(np.any(positive, axis, keepdims=True) & np.all(finite, axis, keepdims=True), result)
    result.infinite = NONE
    return result


def reduce_others(reduce: Callable[..., Any], end: Any, axis: int, identity: float) -> Any:
    """Return for every entry along an axis the sum, or the like, of the others."""
    rows = np.moveaxis(end, axis, 0)
    off_diagonal = np.expand_dims(~np.eye(len(rows), dtype=bool), tuple(range(2, 1 + rows.ndim)))
    return np.moveaxis(reduce(np.where(off_diagonal, rows[None], identity), axis=1), 0, axis)


def parabola(a: Interval) -> Interval:
    """Return ``a (1 - a)``, largest at one half."""
    top = np.clip(0.5, a.low, a.high)  # NaN where an end is
    return widen(np.minimum(a.low * (1 - a.low), a.high * (1 - a.high)), top * (1 - top))


def _exp_rest(r: Any) -> Any:
    """Return ``exp(r) - 1`` for ``|r| < 0.36``, with a relative error below 2 `EPS`.

    Taylor to the power 13: the rest is below ``0.36**13 / 14!``, 2e-17 of it. The last sum and the last
    product round by half of `EPS` each, and what comes before by less than both.
    """
    result = np.full_like(r, 1 / factorial(13))
    for power_ in range(12, 0, -1):
        result = result * r + 1 / factorial(power_)
    return result * r


def _exp(x: Any) -> Any:
    """Return exponentials with a relative error below 3 `EPS`, for numbers within the exponents.

    ``x - k log 2`` is at most 0.3466 and has an absolute error below 0.13 `EPS` of rounding (the first
    difference is exact) and 5e-23 of the parts of log 2.
    """
    k = np.rint(x * (1 / LOG2))
    r = (x - k * LOG2_HIGH) - k * LOG2_LOW
    # a product with a power of two is exact
    return np.ldexp(1.0 + _exp_rest(r), k.astype(int))


def exp(a: Interval) -> Interval:
    """Return exponentials."""
    low, high = _ends(lambda x: _exp(np.clip(x, LOW_EXPONENT, HIGH_EXPONENT)), a)
    # 8 `EPS`, where `_exp` is off by less than 3
    result = widen(low, high, 2 * WIDEN, positive=True)
    result.low = np.where(a.low < LOW_EXPONENT, 0.0, result.low)
    result.high = np.where(a.high > HIGH_EXPONENT, np.inf, result.high)
    result.infinite = signs(a) & PLUS
    return result


def _ends(function: Callable[[Any], Any], a: Interval) -> tuple[Any, Any]:
    """Return a function of both ends."""
    low = function(a.low)
    return low, low if a.low is a.high else function(a.high)


def _expm1(x: Any) -> Any:
    """Return ``exp - 1`` with a relative error below 11 `EPS`: ``exp / (exp - 1) < 3.4`` beyond 0.35."""
    x = np.clip(x, LOW_EXPONENT, HIGH_EXPONENT)
    near = np.abs(x) < 0.35
    return np.where(near, _exp_rest(np.where(near, x, 0.0)), _exp(x) - 1.0)


def expm1(a: Interval) -> Interval:
    """Return ``exp - 1``."""
    # 32 `EPS`, where `_expm1` is off by less than 11
    result = widen(*_ends(_expm1, a), 8 * WIDEN, a.positive)
    result.low = np.maximum(result.low, -1.0)
    result.high = np.where(a.high > HIGH_EXPONENT, np.inf, result.high)
    return result


def _log_ratio(f: Any) -> Any:
    """Return ``log((1 + f) / (1 - f))`` for ``|f| < 0.18``, and adds 2 `EPS` to the relative error of f.

    To the power 23: the rest is below ``0.18**24 / 25``, 6e-20 of it.
    """
    s = f * f
    result = np.full_like(f, 1 / 23)
    for odd in range(21, 0, -2):
        result = result * s + 1 / odd
    return 2 * f * result


def _log(x: Any) -> Any:
    """Return logarithms of positive normal numbers, relative error below 5 `EPS`; else NaN or infinity.

    The exponent times the leading part of log 2 is exact. Where the exponent is not zero, the logarithm is at
    least 0.34 in size and what is added to it at most 0.35.
    """
    m, e = np.frexp(x)  # in [.5, 1)
    small = m < ROOT_HALF
    m, e = np.where(small, 2 * m, m), (e - small).astype(float)
    result = e * LOG2_HIGH + (e * LOG2_LOW + _log_ratio((m - 1) / (m + 1)))
    # numbers too small to be normal count as zero
    return np.where(x >= SMALLEST, np.where(x == np.inf, x, result), np.where(x >= 0, -np.inf, np.nan))


def log(a: Interval) -> Interval:
    """Return logarithms."""
    # 16 `EPS`, where `_log` is off by less than 5
    result = widen(_log(a.low), _log(a.high), 4 * WIDEN)
    result.high = np.where(a.high < SMALLEST, -np.inf, result.high)  # of zero: no other end is so small
    result = result if a.positive else _defined(a.low >= 0, result)
    result.infinite = MINUS | signs(a)
    return result


def _log1p(x: Any) -> Any:
    """Return ``log(1 + x)``; where ``1 + x`` is rounded, the logarithm is at least 0.28 in size."""
    near = (x > -0.25) & (x < 0.35)
    inside = np.where(near, x, 0.0)
    return np.where(near, _log_ratio(inside / (2 + inside)), _log(1 + x))


def log1p(a: Interval) -> Interval:
    """Return ``log(1 + x)``."""
    # 32 `EPS`; off by less than 7: those of `_log`, and of rounding 1 + x half of `EPS` over 0.28
    result = widen(_log1p(a.low), _log1p(a.high), 8 * WIDEN, a.positive)
    result = result if a.positive else _defined(a.low >= -1, result)
    result.infinite = MINUS | signs(a)
    return result


def tanh(a: Interval) -> Interval:
    """Return hyperbolic tangents, ``t / (t + 2)`` with ``t = exp(2 x) - 1``, for one sign of x each."""

    def point(x: Any) -> Any:
        t = _expm1(2 * np.minimum(np.abs(x), 20.0))
        return np.sign(x) * t / (t + 2)

    result = widen(*_ends(point, a), 16 * WIDEN, a.positive)
    # beyond 20 the distance to 1 is below 1e-17, less than what endpoints are moved by
    return Interval(np.maximum(result.low, -1.0), np.minimum(result.high, 1.0), a.positive)


def hyperbolic_cosine(a: Interval) -> Interval:
    """Return hyperbolic cosines, which increase in size."""

    def point(x: Any) -> Any:
        e = _exp(np.minimum(x, HIGH_EXPONENT))
        return 0.5 * e + 0.5 / e

    a = absolute(a)
    result = widen(*_ends(point, a), 4 * WIDEN, positive=True)
    return Interval(result.low, np.where(a.high > HIGH_EXPONENT, np.inf, result.high), True)


def hyperbolic_sine(a: Interval) -> Interval:
    """Return hyperbolic sines, ``(t + t / (t + 1)) / 2`` with ``t = exp |x| - 1``."""

    def point(x: Any) -> Any:
        t = _expm1(np.abs(x))
        return np.sign(x) * (0.5 * t + 0.5 * (t / (t + 1)))

    result = widen(*_ends(point, a), 16 * WIDEN, a.positive)
    low = np.where(a.low < -HIGH_EXPONENT, -np.inf, result.low)
    return Interval(low, np.where(a.high > HIGH_EXPONENT, np.inf, result.high), a.positive)


def logistic(a: Interval) -> Interval:
    """Return ``1 / (1 + exp(-x))``."""
    result = divide(ONE, add(ONE, exp(negate(a))))
    return Interval(result.low, np.minimum(result.high, 1.0), True)


def real_power(a: Interval, b: Interval) -> Interval:
    """Return powers, ``exp(b log a)``; whole powers and square roots of known exponents."""
    if b.low is b.high and np.size(b.low):
        exponent = float(np.ravel(b.low)[0])
        if np.all(b.low == exponent):
            if exponent.is_integer() and abs(exponent) <= 64:
                return power(a, int(exponent))
            if exponent == 0.5:
                return root(a)
    result = exp(multiply(b, log(a)))
    result.positive = a.positive  # whole powers of negative numbers may be negative, and are not known
    return result


def _special(name: str) -> Callable[..., Any]:
    """Return a function of SciPy, which is loaded when one is met."""
    from scipy import special

    return getattr(special, name)


def _cosine_like(a: Interval, function: Callable[[Any], Any], shift: float) -> Interval:
    """Return cosines shifted by ``shift`` turns; beyond 1e4 radians nothing but the range is known."""
    turns = 1 / (2 * np.pi)
    ends = function(a.low), function(a.high)
    low, high = np.minimum(*ends) - STATED, np.maximum(*ends) + STATED
    # the slack is far above the rounding of turns up to 1e4 radians
    # a wide interval of turns contains a maximum where it contains a whole number
    slack = 1e-9
    low_turn, high_turn = a.low * turns - shift - slack, a.high * turns - shift + slack
    top = np.floor(high_turn) >= low_turn
    bottom = np.floor(high_turn - 0.5) >= low_turn - 0.5
    far = np.maximum(np.abs(a.low), np.abs(a.high)) > 1e4
    defined = ~np.isnan(a.low + a.high)
    low = np.where(defined & (bottom | far), -1.0, np.maximum(low, -1.0))
    result = Interval(low, np.where(defined & (top | far), 1.0, np.minimum(high, 1.0)))
    return _defined(~_has_infinity(a), result) if a.infinite else result


def cosine(a: Interval) -> Interval:
    """Return cosines."""
    return _cosine_like(a, np.cos, 0.0)


def sine(a: Interval) -> Interval:
    """Return sines."""
    return _cosine_like(a, np.sin, 0.25)


def log_gamma(a: Interval) -> Interval:
    """Return the logarithm of the gamma function of positive numbers, whose least value is at 1.4616."""
    # beside the place the function is flat, so that its last digits change the value by less than the error
    lowest, place = -0.12148629053584961, 1.4616321449683623
    ends = _special("gammaln")(a.low), _special("gammaln")(a.high)
    # near its zeros at 1 and 2 the error is absolute
    error = STATED * (1 + np.maximum(np.abs(ends[0]), np.abs(ends[1])))
    inside = (a.low <= place) & (a.high >= place)
    low = np.where(inside, lowest, np.minimum(*ends)) - error
    return _defined(a.low > 0, Interval(low, np.maximum(*ends) + error))


def digamma(a: Interval) -> Interval:
    """Return the derivative of `log_gamma`, which increases."""
    ends = _special("psi")(a.low), _special("psi")(a.high)
    error = [STATED * (1 + np.abs(end)) for end in ends]
    return _defined(a.low > 0, Interval(ends[0] - error[0], ends[1] + error[1]))


def log_gamma_excess(a: Interval, axis: int) -> Interval:
    """Return the logarithm of the gamma function of a sum of positive numbers, less those of the numbers.

    It increases in each of them, as `digamma` does.
    """

    def at(end: Any) -> Interval:
        point = Interval(end, end, a.positive)
        return subtract(log_gamma(total(point, (axis,))), total(log_gamma(point), (axis,)))

    return Interval(at(a.low).low, at(a.high).high)


def digamma_less_log(a: Interval) -> Interval:
    """Return `digamma` of positive numbers, less their logarithms: it increases towards zero."""
    low, high = (
        subtract(digamma(point), log(point)) for point in (Interval(end, end) for end in (a.low, a.high))
    )
    return Interval(low.low, np.minimum(high.high, 0.0))


def polygamma(order: Any, a: Interval) -> Interval:
    """Return derivatives of `digamma` of a whole order: monotone, falling in size.

    Beyond 1e60, where powers overflow in the library, they are between zero and their value there.
    """
    far = a.high > 1e60
    polygamma_of = _special("polygamma")
    ends = [polygamma_of(np.asarray(order, int), np.minimum(end, 1e60)) for end in (a.low, a.high)]
    result = widen(np.minimum(*ends), np.maximum(*ends), STATED)
    result.low = np.where(far, np.minimum(result.low, 0.0), result.low)
    result.high = np.where(far, np.maximum(result.high, 0.0), result.high)
    return _defined(a.low > 0, result)


def error_function(a: Interval) -> Interval:
    """Return the error function."""
    result = widen(_special("erf")(a.low), _special("erf")(a.high), STATED, a.positive)
    return Interval(np.maximum(result.low, -1.0), np.minimum(result.high, 1.0), a.positive)


def error_complement(a: Interval) -> Interval:
    """Return ``1 - erf``, which decreases; beyond 25 it is between zero and its value there."""
    near, far = np.minimum(a.low, 25.0), np.minimum(a.high, 25.0)

    def error(x: Any) -> Any:
        # of exp(-x^2): the library rounds the square; the largest error seen is half of x^2
        return (32 + 4 * np.minimum(x, 25.0) ** 2) * EPS + STATED

    low, high = _special("erfc")(far), _special("erfc")(near)
    low, high = low - (low * error(far) + TINY), high + (high * error(near) + TINY)
    low = np.where(a.high > 25.0, 0.0, np.maximum(low, 0.0))
    return Interval(low, np.minimum(high, 2.0), True)


def _atan(x: Any) -> Any:
    """Return arc tangents with a relative error below 16 `EPS`.

    ``atan x = 2 atan(x / (1 + sqrt(1 + x^2)))`` twice, then Taylor to the power 25 for numbers up to 0.199:
    the rest is below 2e-20 of it.
    """
    size = np.abs(x)
    t = np.minimum(size, 1 / size)
    for _ in range(2):
        t = t / (1 + np.sqrt(1 + t * t))
    result = np.full_like(t, 1 / 25)
    for odd in range(23, 0, -2):
        result = 1 / odd - result * (t * t)
    result = 4 * t * result
    return np.sign(x) * np.where(size > 1, np.pi / 2 - result, result)


def arc_tangent(a: Interval) -> Interval:
    """Return arc tangents."""
    return widen(*_ends(_atan, a), 8 * WIDEN, a.positive)


def hull(intervals: list[Interval]) -> Interval:
    """Return the smallest intervals that contain all of the given ones."""
    low, high = intervals[0].low, intervals[0].high
    for interval in intervals[1:]:
        low, high = np.minimum(low, interval.low), np.maximum(high, interval.high)
    return Interval(low, high, all(interval.positive for interval in intervals), signs(*intervals))

"""Interval forms of the operations of traced functions, by their names in JAX.

A rule ``(run, *operands, **params)`` takes and returns intervals of float64 or truth values. Arithmetic is
in `rivalry.proofs.arithmetic.intervals`. Operations that may hide a jump or a kink note whether they are
decided: functions with steps, and what uses comparisons.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np

from rivalry.core.dispatch import Unsupported
from rivalry.core.tolerances import EPS, TINY
from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.intervals import Interval, interval
from rivalry.runtime.jax import jax, jnp

FEW = 8  # terms of a sum whose parts have a rule of their own, which needs the square of operations


class Comparisons:
    """Whether every comparison of one evaluation was decided so far."""

    def __init__(self) -> None:
        self.decided = jnp.asarray(True)
        self.moves = True  # whether the present operation depends on what derivatives are taken in
        self.results: dict[Any, tuple[list[Any], list[Any]]] = {}  # of operations, with their operands

    def note(self, found: Interval, harmless: object = False) -> Interval:
        """Return steps, or a truth value that is used, and remember whether it is decided: NaN is not.

        Where it is ``harmless``, all outcomes are one number.
        """
        if self.moves:
            self.decided = self.decided & jnp.all((found.low == found.high) | harmless)
        return found


def _less(run: Comparisons, a: Interval, b: Interval, **_: Any) -> Interval:
    # negated: a comparison with NaN is possible, never certain
    found = Interval((a.high < b.low) & _is_known(a.low, b.high), ~(a.low >= b.high))
    found.origin = ("less", a, b)
    return found


def _less_equal(run: Comparisons, a: Interval, b: Interval, **_: Any) -> Interval:
    return Interval((a.high <= b.low) & _is_known(a.low, b.high), ~(a.low > b.high))


def _is_known(a: object, b: object) -> Any:
    """Return whether neither of two endpoints is NaN."""
    return (a == a) & (b == b)


def _equal(run: Comparisons, a: Interval, b: Interval, **_: Any) -> Interval:
    if a is b:  # whether it is a number
        return Interval(~jnp.isnan(a.low + a.high), jnp.full(a.shape, True))
    for one, other in ((a, b), (b, a)):
        if other.origin and other.origin[0] in ("max", "min"):
            # which of two numbers is chosen: JAX compares the larger one with both for its derivative
            name, x, y = other.origin
            if _same(one, x) or _same(one, y):
                rest = y if _same(one, x) else x
                low, high = (rest, one) if name == "max" else (one, rest)
                return Interval(low.high <= high.low, ~(low.low > high.high))
        if other.origin and other.origin[0] in ("reduce_max", "reduce_min") and other.origin[1] is one:
            return Interval(*_is_largest(one, other.origin[2], other.origin[0] == "reduce_max"))
        if other.origin and other.origin[0] == "either":
            _, which, no, yes = other.origin
            if one is yes or one is no:
                certain, possible = _overlap(one, no if one is yes else yes)
                low, high = (which.low, which.high) if one is yes else (~which.high, ~which.low)
                number = ~jnp.isnan(one.low + one.high)
                return Interval(number & (low | (~high & certain)), high | possible)
    return Interval(*_overlap(a, b))


def _is_finite(run: Comparisons, a: Interval) -> Interval:
    found = Interval(jnp.isfinite(a.low) & jnp.isfinite(a.high), jnp.full(a.shape, True))
    found.origin = ("finite", a)
    return found


def _is_largest(a: Interval, axis: int, largest: bool) -> tuple[Any, Any]:
    """Return whether numbers certainly and possibly are the largest, or smallest, along an axis."""
    a = a if largest else intervals.negate(a)
    low, high = (intervals.reduce_others(jnp.max, end, axis, -np.inf) for end in (a.low, a.high))
    return a.low >= high, ~(a.high < low)


def _overlap(a: Interval, b: Interval) -> tuple[Any, Any]:
    """Return whether numbers are certainly and possibly equal."""
    return _is_one_number(a, b), ~((a.high < b.low) | (b.high < a.low))


def _same(a: Interval, b: Interval) -> bool:
    """Return whether two intervals stand for one number, by their arrays."""
    if a is b or (a.low is b.low and a.high is b.high):
        return True
    ends = (a.low, a.high, b.low, b.high)
    if any(isinstance(end, jax.core.Tracer) for end in ends) or a.low is not a.high:
        return False
    numbers = 1 in (np.size(a.low), np.size(b.low)) or a.shape == b.shape
    return numbers and all(bool(np.all(a.low == end)) for end in ends)


def _unequal(run: Comparisons, a: Interval, b: Interval, **_: object) -> Interval:
    return _not(run, _equal(run, a, b))


def _logic(rule: Callable[..., tuple[Any, Any]]) -> Callable[..., Interval]:
    """Return the rule of an operation on truth values."""
    return lambda run, *given: Interval(*rule(*given))


_not = _logic(lambda a: (~a.high, ~a.low))


def _stairs(run: Comparisons, a: Interval, step: Callable[[Any], Any]) -> Interval:
    """Return an increasing function with steps, zero at zero."""
    return run.note(Interval(step(a.low), step(a.high), a.positive))


def _select(run: Comparisons, which: Any, *cases: object, **_: object) -> Any:
    every = [interval(case) for case in cases]
    if not isinstance(which, Interval):
        low, high = (jax.lax.select_n(which, *(getattr(case, end) for case in every)) for end in ENDS)
        found = Interval(low, high, all(case.positive for case in every))
        found.infinite = intervals.signs(*every)
        return found
    if which.low.dtype != bool:
        raise Unsupported("no bound: a choice between several cases depends on choices of players")
    run.moves = which.moves
    run.note(which, _is_one_number(*every))
    other, chosen = every
    if which.origin and which.origin[0] == "less":
        smaller, larger = which.origin[1:]
        if _same(smaller, other) and _same(larger, chosen):
            return _maximum(run, other, chosen)
        if _same(smaller, chosen) and _same(larger, other):
            return _minimum(run, other, chosen)
    chosen = _guarded(which, chosen)
    both = intervals.hull([other, chosen])
    both.low, both.high = (
        jnp.where(which.low, chosen_end, jnp.where(which.high, both_end, other_end))
        for chosen_end, both_end, other_end in (
            (chosen.low, both.low, other.low),
            (chosen.high, both.high, other.high),
        )
    )
    both.origin = ("either", which, *every)
    return both


def _guarded(which: Interval, chosen: Interval) -> Interval:
    """Return what is chosen by a comparison: if it is compared itself, the finite numbers for which it holds.

    Nothing is known where it may be infinite, as a number above another may be.
    """
    name, *sides = which.origin or ("",)
    above, below = (name == "less" and sides[k] is chosen for k in (1, 0))
    if not (above or below or (name == "finite" and sides[0] is chosen)):
        return chosen
    largest = np.finfo(float).max
    low = -np.inf if below else jnp.maximum(sides[0].low, -largest) if above else -largest
    high = np.inf if above else jnp.minimum(sides[1].high, largest) if below else largest
    low = jnp.maximum(low, 0.0) if chosen.positive else low
    found = Interval(jnp.fmax(chosen.low, low), jnp.fmin(chosen.high, high), chosen.positive)
    if above or below:
        unknown = jnp.isnan(chosen.low) | jnp.isnan(chosen.high)
        sign, end = ("+", found.high) if above else ("-", found.low)
        if sign in intervals.signs(chosen):
            unknown |= jnp.isinf(end)
        found.low, found.high = (jnp.where(unknown, jnp.nan, end) for end in (found.low, found.high))
    found.infinite = intervals.NONE
    return found


def _is_one_number(a: Interval, b: Interval) -> Any:
    """Return where two intervals are the same single number."""
    return (a.low == a.high) & (b.low == b.high) & (a.low == b.low)


def choose(run: Comparisons, which: Interval, cases: list[Interval]) -> Interval:
    """Return the hull of the cases that an interval of indices contains."""
    if any(case.low.dtype == bool for case in cases):
        raise Unsupported("no bound: a choice between truth values")
    first, last = (jnp.clip(end, 0, len(cases) - 1) for end in (which.low, which.high))
    found = run.note(Interval(first, last))
    low, high = cases[0].low * jnp.nan, cases[0].high * jnp.nan
    for k, case in enumerate(cases):
        inside = (found.low <= k) & (found.high >= k)
        fresh = ~(found.low < k)
        low = jnp.where(inside, jnp.where(fresh, case.low, jnp.minimum(low, case.low)), low)
        high = jnp.where(inside, jnp.where(fresh, case.high, jnp.maximum(high, case.high)), high)
    whole = Interval(low, high)
    whole.infinite = intervals.signs(*cases)
    return whole


def _maximum(run: Comparisons, a: Interval, b: Interval, **_: Any) -> Interval:
    found = Interval(jnp.maximum(a.low, b.low), jnp.maximum(a.high, b.high), a.positive or b.positive)
    found.origin, found.infinite = ("max", a, b), intervals.signs(a, b)
    return found


def _minimum(run: Comparisons, a: Interval, b: Interval, **_: Any) -> Interval:
    found = Interval(jnp.minimum(a.low, b.low), jnp.minimum(a.high, b.high), a.positive and b.positive)
    found.origin, found.infinite = ("min", a, b), intervals.signs(a, b)
    return found


def _clamp(run: Comparisons, low: Interval, x: Interval, high: Interval, **_: object) -> Interval:
    return _minimum(run, _maximum(run, x, low), high)


def _angle(run: Comparisons, y: Interval, x: Interval) -> Interval:
    cut = intervals.is_cut(y, x)
    run.note(Interval(jnp.zeros_like(cut), cut))
    return intervals.arc_tangent_of(y, x)


def _remainder(run: Comparisons, a: Interval, b: Interval) -> Interval:
    """Return ``a - b trunc(a / b)``, of the sign of a, smaller than b."""
    steps = _stairs(run, intervals.divide(a, b), jnp.trunc)
    found = intervals.subtract(a, intervals.multiply(b, steps))
    most = jnp.minimum(intervals.absolute(a).high, intervals.absolute(b).high)
    certain = steps.low == steps.high
    low = jnp.where(certain, found.low, jnp.where(a.low < 0, -most, 0.0))
    high = jnp.where(certain, found.high, jnp.where(a.high > 0, most, 0.0))
    unknown = jnp.isnan(steps.low + steps.high)
    unknown |= ((b.low <= 0) & (b.high >= 0)) | jnp.isinf(a.low) | jnp.isinf(a.high)
    return Interval(jnp.where(unknown, jnp.nan, low), jnp.where(unknown, jnp.nan, high))


def _multiply(run: Comparisons, a: Interval, b: Interval, **_: object) -> Interval:
    if a is b:
        return intervals.square(a)
    shape, special = np.broadcast_shapes(a.shape, b.shape), None
    for one, other in ((a, b), (b, a)):
        if other.origin and other.origin[0] == "complement":
            if other.origin[1] is one:
                special = intervals.parabola(one)
            elif (
                one.origin
                and one.origin[0] == "product"
                and any(other.origin[1] is factor for factor in one.origin[1:])
            ):
                rest = one.origin[1] if one.origin[2] is other.origin[1] else one.origin[2]
                special = intervals.multiply(rest, intervals.parabola(other.origin[1]))
        elif other.origin and other.origin[0] == "reciprocal" and _is_sum(one, other.origin[1]):
            special = _share(one, other.origin[1])
        if special is not None and special.shape == shape:  # a single entry may stand for several
            return special
    found = intervals.multiply(a, b)
    found.origin = ("product", a, b)
    return found


def _divide(run: Comparisons, a: Interval, b: Interval, **_: object) -> Interval:
    if _is_sum(a, b) and a.shape == np.broadcast_shapes(a.shape, b.shape):
        return _share(a, b)
    found = intervals.divide(a, b)
    if _is_one(a):
        found.origin = ("reciprocal", b)
    return found


def _share(a: Interval, whole: Interval) -> Interval:
    """Return the parts of numbers in their sum."""
    logs = a.origin[1] if a.origin and a.origin[0] == "exp" else None
    return intervals.share(a, whole.origin[2], logs)  # type: ignore[index]


def _is_sum(a: Interval, b: Interval) -> bool:
    """Return whether b is the sum of a few positive numbers a along one axis."""
    return a.positive and b.origin is not None and b.origin[0] == "sum" and b.origin[1] is a


def _is_one(a: Interval) -> bool:
    return a.low is a.high and not isinstance(a.low, jax.core.Tracer) and bool(np.all(np.asarray(a.low) == 1))


def _subtract(run: Comparisons, a: Interval, b: Interval, **_: object) -> Interval:
    name, of = a.origin[:2] if a.origin else ("", None)
    if b.origin and name in ("digamma", "lgamma"):
        if name == "digamma" and b.origin[0] == "log" and b.origin[1] is of:
            return intervals.digamma_less_log(of)
        if name == "lgamma" and a.shape == b.shape and _is_sum_of(name, of, b):
            return intervals.log_gamma_excess(*of.origin[1:])
    found = intervals.subtract(a, b)
    if _is_one(a):
        found.origin = ("complement", b)
    return found


def _is_sum_of(name: str, whole: Interval, b: Interval) -> bool:
    """Return whether b is the sum of a function of the same few numbers of which another is the sum."""
    if not (b.origin and whole.origin and b.origin[0] == whole.origin[0] == "sum"):
        return False
    each = b.origin[1].origin
    return bool(each and each == (name, whole.origin[1]) and b.origin[2] == whole.origin[2])


def _with_origin(name: str, rule: Callable[[Interval], Interval]) -> Callable[..., Interval]:
    """Return the rule of a function that other rules ask for: in shares, or in differences."""

    def with_origin(run: Comparisons, a: Interval, **_: object) -> Interval:
        found = rule(a)
        found.origin = (name, a)
        return found

    return with_origin


def _sum(run: Comparisons, a: Interval, axes: tuple[SupportsIndex, ...], **_: object) -> Interval:
    found = intervals.total(a, tuple(map(int, axes)))
    if len(axes) == 1 and 1 < a.shape[axes[0]] <= FEW:
        found.origin = ("sum", a, int(axes[0]))
    return found


def is_repeated(origin: tuple[Any, ...], name: str, params: Any) -> bool:
    """Return whether an operation repeats a sum, its reciprocal, or the like, along its axis only."""
    if origin[0] == "reciprocal" and origin[1].origin:
        origin = origin[1].origin
    if origin[0] not in ("sum", "reduce_max", "reduce_min"):
        return False
    _, a, axis = origin
    others = tuple(k for k in range(len(a.shape)) if k != axis)
    whole = params["shape" if name == "broadcast_in_dim" else "new_sizes"]
    if len(whole) != len(a.shape) or any(whole[k] != a.shape[k] for k in others):
        return False
    return bool(whole[axis] == 1 if name == "reshape" else tuple(params["broadcast_dimensions"]) == others)


def _convert(run: Comparisons, a: Interval, new_dtype: Any, **_: Any) -> Interval:
    truth = a.low.dtype == bool
    if jnp.issubdtype(new_dtype, jnp.bool_):
        return a if truth else _unequal(run, a, interval(0.0))
    if truth:
        run.note(a)
        return Interval(a.low.astype(float), a.high.astype(float), True)
    if jnp.issubdtype(new_dtype, jnp.integer):
        limits = np.iinfo(new_dtype)
        within = (a.low > float(limits.min) - 1) & (a.high < float(limits.max) + 1)
        low, high = (
            jnp.where(within, jnp.trunc(end), float(limit))
            for end, limit in ((a.low, limits.min), (a.high, limits.max))
        )
        return run.note(Interval(low, high, a.positive and limits.min == 0))
    return a


def _precision(run: Comparisons, a: Interval, exponent_bits: int, mantissa_bits: int) -> Interval:
    if exponent_bits < 11 or mantissa_bits < 52:
        raise Unsupported(f"no bound: numbers are rounded to {mantissa_bits} bits")
    return a


def _contract(run: Comparisons, a: Interval, b: Interval, dimension_numbers: Any, **_: Any) -> Interval:
    (contracting, _), _ = dimension_numbers
    terms = int(np.prod([a.shape[axis] for axis in contracting], initial=1))
    return intervals.contract(a, b, lambda x, y: jax.lax.dot_general(x, y, dimension_numbers), terms)


def _along(a: Interval, axis: int) -> list[Interval]:
    """Return the entries along an axis."""

    def entry(k: int) -> Interval:
        low, high = (jax.lax.index_in_dim(end, k, axis, keepdims=False) for end in (a.low, a.high))
        found = Interval(low, high, a.positive)
        found.infinite = a.infinite
        return found

    return [entry(k) for k in range(a.shape[axis])]


def _product(run: Comparisons, a: Interval, axes: tuple[SupportsIndex, ...], **_: object) -> Interval:
    for axis in sorted(map(int, axes), reverse=True):
        if not a.shape[axis]:
            raise Unsupported("no bound: a product of no numbers")
        a, *rest = _along(a, axis)
        for part in rest:
            a = intervals.multiply(a, part)
    return a


def _running_product(run: Comparisons, a: Interval, axis: int, reverse: bool) -> Interval:
    parts = _along(a, axis)[:: -1 if reverse else 1]
    for k in range(1, len(parts)):
        parts[k] = intervals.multiply(parts[k - 1], parts[k])
    parts = parts[:: -1 if reverse else 1]
    low, high = (jnp.stack([getattr(part, end) for part in parts], axis) for end in ENDS)
    return Interval(low, high, a.positive)


def _running_sum(run: Comparisons, a: Interval, **params: Any) -> Interval:
    low, high = (jax.lax.cumsum(end, **params) for end in (a.low, a.high))
    relative = (a.shape[params["axis"]] + 3) * EPS
    if a.positive:
        return intervals.widen(low, high, relative, positive=True)
    error = jax.lax.cumsum(intervals.absolute(a).high, **params) * relative + TINY
    return _finite(a, Interval(low - error, high + error))


def _finite(a: Interval, found: Interval) -> Interval:
    """Return sums, of which nothing is known where terms of both signs may be infinite."""
    if not a.infinite:
        return found
    known = jnp.isfinite(found.low) | jnp.isfinite(found.high)
    low, high = (jnp.where(known, end, jnp.nan) for end in (found.low, found.high))
    return Interval(low, high, found.positive)


def scatter_add(primitive: Any, operands: list[Any], params: Any) -> Interval:
    """Return sums of numbers added at indices, in any order."""
    into, where, added = interval(operands[0]), operands[1], interval(operands[2])
    low, high = (
        primitive.bind(a, where, b, **params) for a, b in ((into.low, added.low), (into.high, added.high))
    )
    size = primitive.bind(intervals.absolute(into).high, where, intervals.absolute(added).high, **params)
    error = size * ((int(np.prod(added.shape)) + 3) * EPS) + TINY
    positive = into.positive and added.positive
    found = Interval(jnp.maximum(low - error, 0.0) if positive else low - error, high + error, positive)
    return _finite(added if added.infinite else into, found)


def _sort(run: Comparisons, *operands: Any, num_keys: int, **params: Any) -> list[Interval]:
    if len(operands) > 1:
        raise Unsupported("no bound: the order of numbers depends on choices of players")
    a = interval(operands[0])
    # ordered values increase with every value; NaN would be sorted to the end
    known = ~jnp.any(jnp.isnan(a.low + a.high))
    low, high = (jnp.where(known, jax.lax.sort(end, **params), jnp.nan) for end in (a.low, a.high))
    return [Interval(low, high, a.positive)]


def _power_of_two(a: Interval) -> Interval:
    return intervals.exp(intervals.multiply(a, intervals.log(interval(2.0))))


def _unary(rule: Callable[[Interval], Interval]) -> Callable[..., Interval]:
    return lambda run, a, **_: rule(a)


def _binary(rule: Callable[[Interval, Interval], Interval]) -> Callable[..., Interval]:
    return lambda run, a, b, **_: rule(a, b)


ENDS = ("low", "high")

RULES: dict[str, Callable[..., Any]] = {
    "add": _binary(intervals.add),
    "add_any": _binary(intervals.add),
    "sub": _subtract,
    "mul": _multiply,
    "div": _divide,
    "rem": _remainder,
    "neg": _unary(intervals.negate),
    "integer_pow": lambda run, a, y: intervals.power(a, y),
    "square": _unary(intervals.square),
    "pow": _binary(intervals.real_power),
    "sqrt": _unary(intervals.root),
    "rsqrt": _unary(lambda a: intervals.divide(intervals.ONE, intervals.root(a))),
    "cbrt": _unary(intervals.cube_root),
    "exp": _with_origin("exp", intervals.exp),
    "exp2": _unary(_power_of_two),
    "expm1": _unary(intervals.expm1),
    "log": _with_origin("log", intervals.log),
    "log1p": _unary(intervals.log1p),
    "tanh": _unary(intervals.tanh),
    "sinh": _unary(intervals.hyperbolic_sine),
    "cosh": _unary(intervals.hyperbolic_cosine),
    "logistic": _unary(intervals.logistic),
    "sin": _unary(intervals.sine),
    "cos": _unary(intervals.cosine),
    "atan": _unary(intervals.arc_tangent),
    "atan2": _angle,
    "asin": _unary(intervals.arc_sine),
    "acos": _unary(intervals.arc_cosine),
    "asinh": _unary(intervals.area_sine),
    "acosh": _unary(intervals.area_cosine),
    "atanh": _unary(intervals.area_tangent),
    "tan": _unary(intervals.tangent),
    "bessel_i0e": _unary(intervals.bessel_i0e),
    "bessel_i1e": _unary(intervals.bessel_i1e),
    "erf": _unary(intervals.error_function),
    "erfc": _unary(intervals.error_complement),
    "lgamma": _with_origin("lgamma", intervals.log_gamma),
    "digamma": _with_origin("digamma", intervals.digamma),
    "abs": _unary(intervals.absolute),
    "sign": lambda run, a: _stairs(run, a, jnp.sign),
    "floor": lambda run, a: _stairs(run, a, jnp.floor),
    "ceil": lambda run, a: _stairs(run, a, jnp.ceil),
    "round": lambda run, a, rounding_method: _stairs(run, a, lambda x: jax.lax.round(x, rounding_method)),
    "max": _maximum,
    "min": _minimum,
    "clamp": _clamp,
    "lt": _less,
    "le": _less_equal,
    "gt": lambda run, a, b, **_: _less(run, b, a),
    "ge": lambda run, a, b, **_: _less_equal(run, b, a),
    "eq": _equal,
    "ne": _unequal,
    "and": _logic(lambda a, b: (a.low & b.low, a.high & b.high)),
    "or": _logic(lambda a, b: (a.low | b.low, a.high | b.high)),
    "xor": _logic(
        lambda a, b: ((a.low & ~b.high) | (b.low & ~a.high), (a.high & ~b.low) | (b.high & ~a.low))
    ),
    "not": _not,
    "is_finite": _is_finite,
    "select_n": _select,
    "convert_element_type": _convert,
    "reduce_precision": _precision,
    "reduce_sum": _sum,
    "reduce_prod": _product,
    "cumsum": _running_sum,
    "cumprod": _running_product,
    "dot_general": _contract,
    "sort": _sort,
}
"""Rules ``(run, *operands, **params)`` of operations that compute, by their names in JAX."""

FINITE = frozenset(
    (
        *("tanh", "logistic", "sin", "cos", "atan", "atan2", "asin", "acos", "erf", "erfc", "sign"),
        *("bessel_i0e", "bessel_i1e", "tan"),
    )
)
"""Operations whose results are finite."""

INTEGER = frozenset(
    [
        *("add", "sub", "neg", "max", "min", "clamp", "abs", "sign", "select_n", "convert_element_type"),
        *("reduce_sum", "cumsum", "lt", "le", "gt", "ge", "eq", "ne", "sort"),
    ]
)
"""Operations whose rules also hold for integers, which are counts: small enough not to overflow."""

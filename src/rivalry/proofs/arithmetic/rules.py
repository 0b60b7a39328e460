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
    """Record of comparisons of one evaluation: ``decided`` is true if every one was decided so far."""

    def __init__(self) -> None:
        self.decided = jnp.asarray(True)
        self.moves = True  # whether the present operation depends on what derivatives are taken in
        self.results: dict[Any, tuple[list[Any], list[Any]]] = {}  # of operations, with their operands

    def note(self, result: Interval, harmless: object = False) -> Interval:
        """Return steps, or a truth value that is used, and remember whether it is decided: NaN is not.

        Where it is ``harmless``, all outcomes are one number.
        """
        if self.moves:
            self.decided = self.decided & jnp.all((result.low == result.high) | harmless)
        return result


def _less(run: Comparisons, a: Interval, b: Interval, **_: Any) -> Interval:
    # negated: a comparison with NaN is possible, never certain
    result = Interval((a.high < b.low) & _is_known(a.low, b.high), ~(a.low >= b.high))
    result.origin = ("less", a, b)
    return result


def _less_equal(run: Comparisons, a: Interval, b: Interval, **_: Any) -> Interval:
    return Interval((a.high <= b.low) & _is_known(a.low, b.high), ~(a.low > b.high))


def _is_known(a: object, b: object) -> Any:
    """True if neither of two endpoints is NaN."""
    return (a == a) & (b == b)


def _equal(run: Comparisons, a: Interval, b: Interval, **_: Any) -> Interval:
    if a is b:  # whether it is a number
        return Interval(~jnp.isnan(a.low + a.high), jnp.full(a.shape, True))
    for operand, partner in ((a, b), (b, a)):
        if partner.origin and partner.origin[0] in ("max", "min"):
            # which of two numbers is chosen: JAX compares the larger one with both for its derivative
            name, x, y = partner.origin
            if _is_same(operand, x) or _is_same(operand, y):
                alternative = y if _is_same(operand, x) else x
                low, high = (alternative, operand) if name == "max" else (operand, alternative)
                return Interval(low.high <= high.low, ~(low.low > high.high))
        if (
            partner.origin
            and partner.origin[0] in ("reduce_max", "reduce_min")
            and partner.origin[1] is operand
        ):
            return Interval(*_is_largest(operand, partner.origin[2], partner.origin[0] == "reduce_max"))
        if partner.origin and partner.origin[0] == "either":
            _, condition, no, yes = partner.origin
            if operand is yes or operand is no:
                certain, possible = _overlap(operand, no if operand is yes else yes)
                low, high = (
                    (condition.low, condition.high) if operand is yes else (~condition.high, ~condition.low)
                )
                number = ~jnp.isnan(operand.low + operand.high)
                return Interval(number & (low | (~high & certain)), high | possible)
    return Interval(*_overlap(a, b))


def _is_finite(run: Comparisons, a: Interval) -> Interval:
    result = Interval(jnp.isfinite(a.low) & jnp.isfinite(a.high), jnp.full(a.shape, True))
    result.origin = ("finite", a)
    return result


def _is_largest(a: Interval, axis: int, largest: bool) -> tuple[Any, Any]:
    """Masks of numbers that certainly and possibly are the largest, or smallest, along an axis."""
    a = a if largest else intervals.negate(a)
    low, high = (intervals.reduce_others(jnp.max, end, axis, -np.inf) for end in (a.low, a.high))
    return a.low >= high, ~(a.high < low)


def _overlap(a: Interval, b: Interval) -> tuple[Any, Any]:
    """Masks of numbers that are certainly and possibly equal."""
    return _is_one_number(a, b), ~((a.high < b.low) | (b.high < a.low))


def _is_same(a: Interval, b: Interval) -> bool:
    """True if two intervals stand for one number, by their arrays."""
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
    return lambda run, *operands: Interval(*rule(*operands))


_not = _logic(lambda a: (~a.high, ~a.low))


def _stairs(run: Comparisons, a: Interval, step: Callable[[Any], Any]) -> Interval:
    """Return an increasing function with steps, zero at zero."""
    return run.note(Interval(step(a.low), step(a.high), a.positive))


def _select(run: Comparisons, condition: Any, *cases: object, **_: object) -> Any:
    ranges = [interval(case) for case in cases]
    if not isinstance(condition, Interval):
        low, high = (jax.lax.select_n(condition, *(getattr(case, end) for case in ranges)) for end in ENDS)
        result = Interval(low, high, all(case.positive for case in ranges))
        result.infinite = intervals.signs(*ranges)
        return result
    if condition.low.dtype != bool:
        raise Unsupported("no bound: a choice between several cases depends on choices of players")
    run.moves = condition.moves
    run.note(condition, _is_one_number(*ranges))
    no, yes = ranges
    if condition.origin and condition.origin[0] == "less":
        smaller, larger = condition.origin[1:]
        if _is_same(smaller, no) and _is_same(larger, yes):
            return _maximum(run, no, yes)
        if _is_same(smaller, yes) and _is_same(larger, no):
            return _minimum(run, no, yes)
    yes = _guarded(condition, yes)
    union = intervals.hull([no, yes])
    union.low, union.high = (
        jnp.where(condition.low, yes_end, jnp.where(condition.high, union_end, no_end))
        for yes_end, union_end, no_end in (
            (yes.low, union.low, no.low),
            (yes.high, union.high, no.high),
        )
    )
    union.origin = ("either", condition, *ranges)
    return union


def _guarded(condition: Interval, value: Interval) -> Interval:
    """Value chosen by a comparison: if it is compared itself, the finite numbers for which it holds.

    Nothing is known where it may be infinite, as a number above another may be.
    """
    name, *sides = condition.origin or ("",)
    above, below = (name == "less" and sides[k] is value for k in (1, 0))
    if not (above or below or (name == "finite" and sides[0] is value)):
        return value
    largest = np.finfo(float).max
    low = -np.inf if below else jnp.maximum(sides[0].low, -largest) if above else -largest
    high = np.inf if above else jnp.minimum(sides[1].high, largest) if below else largest
    low = jnp.maximum(low, 0.0) if value.positive else low
    result = Interval(jnp.fmax(value.low, low), jnp.fmin(value.high, high), value.positive)
    if above or below:
        unknown = jnp.isnan(value.low) | jnp.isnan(value.high)
        sign, end = ("+", result.high) if above else ("-", result.low)
        if sign in intervals.signs(value):
            unknown |= jnp.isinf(end)
        result.low, result.high = (jnp.where(unknown, jnp.nan, end) for end in (result.low, result.high))
    result.infinite = intervals.NONE
    return result


def _is_one_number(a: Interval, b: Interval) -> Any:
    """Mask of entries at which two intervals are the same single number."""
    return (a.low == a.high) & (b.low == b.high) & (a.low == b.low)


def choose(run: Comparisons, index: Interval, cases: list[Interval]) -> Interval:
    """Return the hull of the cases that an interval of indices contains."""
    if any(case.low.dtype == bool for case in cases):
        raise Unsupported("no bound: a choice between truth values")
    low_index, high_index = (jnp.clip(end, 0, len(cases) - 1) for end in (index.low, index.high))
    result = run.note(Interval(low_index, high_index))
    low, high = cases[0].low * jnp.nan, cases[0].high * jnp.nan
    for k, case in enumerate(cases):
        inside = (result.low <= k) & (result.high >= k)
        is_empty = ~(result.low < k)
        low = jnp.where(inside, jnp.where(is_empty, case.low, jnp.minimum(low, case.low)), low)
        high = jnp.where(inside, jnp.where(is_empty, case.high, jnp.maximum(high, case.high)), high)
    union = Interval(low, high)
    union.infinite = intervals.signs(*cases)
    return union


def _maximum(run: Comparisons, a: Interval, b: Interval, **_: Any) -> Interval:
    result = Interval(jnp.maximum(a.low, b.low), jnp.maximum(a.high, b.high), a.positive or b.positive)
    result.origin, result.infinite = ("max", a, b), intervals.signs(a, b)
    return result


def _minimum(run: Comparisons, a: Interval, b: Interval, **_: Any) -> Interval:
    result = Interval(jnp.minimum(a.low, b.low), jnp.minimum(a.high, b.high), a.positive and b.positive)
    result.origin, result.infinite = ("min", a, b), intervals.signs(a, b)
    return result


def _clamp(run: Comparisons, low: Interval, x: Interval, high: Interval, **_: object) -> Interval:
    return _minimum(run, _maximum(run, x, low), high)


def _angle(run: Comparisons, y: Interval, x: Interval) -> Interval:
    cut = intervals.is_cut(y, x)
    run.note(Interval(jnp.zeros_like(cut), cut))
    return intervals.arc_tangent_of(y, x)


def _remainder(run: Comparisons, a: Interval, b: Interval) -> Interval:
    """Return ``a - b trunc(a / b)``, of the sign of a, smaller than b."""
    steps = _stairs(run, intervals.divide(a, b), jnp.trunc)
    result = intervals.subtract(a, intervals.multiply(b, steps))
    limit = jnp.minimum(intervals.absolute(a).high, intervals.absolute(b).high)
    certain = steps.low == steps.high
    low = jnp.where(certain, result.low, jnp.where(a.low < 0, -limit, 0.0))
    high = jnp.where(certain, result.high, jnp.where(a.high > 0, limit, 0.0))
    unknown = jnp.isnan(steps.low + steps.high)
    unknown |= ((b.low <= 0) & (b.high >= 0)) | jnp.isinf(a.low) | jnp.isinf(a.high)
    return Interval(jnp.where(unknown, jnp.nan, low), jnp.where(unknown, jnp.nan, high))


def _multiply(run: Comparisons, a: Interval, b: Interval, **_: object) -> Interval:
    if a is b:
        return intervals.square(a)
    shape, special = np.broadcast_shapes(a.shape, b.shape), None
    for operand, partner in ((a, b), (b, a)):
        if partner.origin and partner.origin[0] == "complement":
            if partner.origin[1] is operand:
                special = intervals.parabola(operand)
            elif (
                operand.origin
                and operand.origin[0] == "product"
                and any(partner.origin[1] is factor for factor in operand.origin[1:])
            ):
                cofactor = operand.origin[1] if operand.origin[2] is partner.origin[1] else operand.origin[2]
                special = intervals.multiply(cofactor, intervals.parabola(partner.origin[1]))
        elif partner.origin and partner.origin[0] == "reciprocal" and _is_sum(operand, partner.origin[1]):
            special = _share(operand, partner.origin[1])
        if special is not None and special.shape == shape:  # a single entry may stand for several
            return special
    result = intervals.multiply(a, b)
    result.origin = ("product", a, b)
    return result


def _divide(run: Comparisons, a: Interval, b: Interval, **_: object) -> Interval:
    if _is_sum(a, b) and a.shape == np.broadcast_shapes(a.shape, b.shape):
        return _share(a, b)
    result = intervals.divide(a, b)
    if _is_one(a):
        result.origin = ("reciprocal", b)
    return result


def _share(a: Interval, total: Interval) -> Interval:
    """Return the parts of numbers in their sum."""
    logs = a.origin[1] if a.origin and a.origin[0] == "exp" else None
    return intervals.share(a, total.origin[2], logs)  # type: ignore[index]


def _is_sum(a: Interval, b: Interval) -> bool:
    """True if b is the sum of a few positive numbers a along one axis."""
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
    result = intervals.subtract(a, b)
    if _is_one(a):
        result.origin = ("complement", b)
    return result


def _is_sum_of(name: str, total: Interval, b: Interval) -> bool:
    """True if b is the sum of a function of the same few numbers of which another is the sum."""
    if not (b.origin and total.origin and b.origin[0] == total.origin[0] == "sum"):
        return False
    origin = b.origin[1].origin
    return bool(origin and origin == (name, total.origin[1]) and b.origin[2] == total.origin[2])


def _with_origin(name: str, rule: Callable[[Interval], Interval]) -> Callable[..., Interval]:
    """Return the rule of a function that other rules ask for: in shares, or in differences."""

    def with_origin(run: Comparisons, a: Interval, **_: object) -> Interval:
        result = rule(a)
        result.origin = (name, a)
        return result

    return with_origin


def _sum(run: Comparisons, a: Interval, axes: tuple[SupportsIndex, ...], **_: object) -> Interval:
    result = intervals.total(a, tuple(map(int, axes)))
    if len(axes) == 1 and 1 < a.shape[axes[0]] <= FEW:
        result.origin = ("sum", a, int(axes[0]))
    return result


def is_repeated(origin: tuple[Any, ...], name: str, params: Any) -> bool:
    """True if an operation repeats a sum, its reciprocal, or the like, along its axis only."""
    if origin[0] == "reciprocal" and origin[1].origin:
        origin = origin[1].origin
    if origin[0] not in ("sum", "reduce_max", "reduce_min"):
        return False
    _, a, axis = origin
    other_axes = tuple(k for k in range(len(a.shape)) if k != axis)
    new_shape = params["shape" if name == "broadcast_in_dim" else "new_sizes"]
    if len(new_shape) != len(a.shape) or any(new_shape[k] != a.shape[k] for k in other_axes):
        return False
    return bool(
        new_shape[axis] == 1 if name == "reshape" else tuple(params["broadcast_dimensions"]) == other_axes
    )


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
        result = Interval(low, high, a.positive)
        result.infinite = a.infinite
        return result

    return [entry(k) for k in range(a.shape[axis])]


def _product(run: Comparisons, a: Interval, axes: tuple[SupportsIndex, ...], **_: object) -> Interval:
    for axis in sorted(map(int, axes), reverse=True):
        if not a.shape[axis]:
            raise Unsupported("no bound: a product of no numbers")
        a, *parts = _along(a, axis)
        for part in parts:
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


def _finite(a: Interval, result: Interval) -> Interval:
    """Return sums, of which nothing is known where terms of both signs may be infinite."""
    if not a.infinite:
        return result
    has_bound = jnp.isfinite(result.low) | jnp.isfinite(result.high)
    low, high = (jnp.where(has_bound, end, jnp.nan) for end in (result.low, result.high))
    return Interval(low, high, result.positive)


def scatter_add(primitive: Any, operands: list[Any], params: Any) -> Interval:
    """Return sums of numbers added at indices, in any order."""
    into, index, added = interval(operands[0]), operands[1], interval(operands[2])
    low, high = (
        primitive.bind(a, index, b, **params) for a, b in ((into.low, added.low), (into.high, added.high))
    )
    size = primitive.bind(intervals.absolute(into).high, index, intervals.absolute(added).high, **params)
    error = size * ((int(np.prod(added.shape)) + 3) * EPS) + TINY
    positive = into.positive and added.positive
    result = Interval(jnp.maximum(low - error, 0.0) if positive else low - error, high + error, positive)
    return _finite(added if added.infinite else into, result)


def _sort(run: Comparisons, *operands: Any, num_keys: int, **params: Any) -> list[Interval]:
    if len(operands) > 1:
        raise Unsupported("no bound: the order of numbers depends on choices of players")
    a = interval(operands[0])
    # ordered values increase with every value; NaN would be sorted to the end
    defined = ~jnp.any(jnp.isnan(a.low + a.high))
    low, high = (jnp.where(defined, jax.lax.sort(end, **params), jnp.nan) for end in (a.low, a.high))
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

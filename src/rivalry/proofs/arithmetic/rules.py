"""Interval forms of the operations of traced functions, by their names in JAX.

A rule ``(run, operation, *operands)`` takes and returns intervals of float64 or Booleans, with rows in
front. Arithmetic is in `rivalry.proofs.arithmetic.intervals`. Operations that may hide a jump or a kink note
whether they are decided: functions with steps, and what uses comparisons.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rivalry.core.dispatch import Unsupported
from rivalry.core.tolerances import EPS, TINY
from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.array_rules import in_rank
from rivalry.proofs.arithmetic.intervals import Interval, interval
from rivalry.proofs.arithmetic.program import Operation

ENDS = ("low", "high")
FEW = 8  # terms of a sum whose parts have a rule of their own, which needs the square of operations


Rule = Callable[..., Interval]


class Comparisons:
    """Record of one evaluation, by row.

    ``decided`` is true where every comparison was decided so far, ``finite`` where all held numbers are.
    """

    def __init__(self) -> None:
        self.decided: Any = np.ones(1, bool)
        self.finite: Any = np.ones(1, bool)
        self.moves = True  # whether the present operation depends on what derivatives are taken in
        self.in_shift = False  # whether results depend on it through held numbers alone
        self.lifted: dict[int, tuple[Any, Interval]] = {}  # by the identity of known numbers

    def lift(self, value: Any) -> Interval:
        """Return a known number as an interval, always the same of one array."""
        if isinstance(value, Interval):
            return value
        if id(value) not in self.lifted:
            self.lifted[id(value)] = value, interval(value)
        return self.lifted[id(value)][1]

    def note(self, result: Interval, harmless: Any = False) -> Interval:
        """Return steps, or a Boolean that is used, and remember whether it is decided: NaN is not.

        Where it is ``harmless``, all outcomes are one number.
        """
        if self.moves and not self.in_shift:
            self.decided = self.decided & by_row((result.low == result.high) | harmless)
        return result


def by_row(mask: Any) -> Any:
    """Return whether all entries of a mask ``[row ..]`` are true, by row."""
    return mask.reshape((len(mask), -1)).all(axis=1)


def _less(run: Comparisons, op: Operation, a: Interval, b: Interval) -> Interval:
    # negated: a comparison with NaN is possible, never certain
    result = Interval((a.high < b.low) & _is_known(a.low, b.high), ~(a.low >= b.high))
    result.origin = ("less", a, b)
    return result


def _less_equal(run: Comparisons, op: Operation, a: Interval, b: Interval) -> Interval:
    return Interval((a.high <= b.low) & _is_known(a.low, b.high), ~(a.low > b.high))


def _is_known(a: object, b: object) -> Any:
    """True if neither of two endpoints is NaN."""
    return (a == a) & (b == b)


def _equal(run: Comparisons, op: Operation, a: Interval, b: Interval) -> Interval:
    if a is b:  # one number equals itself unless it is NaN
        return Interval(~np.isnan(a.low + a.high), np.full(a.shape, True))
    return Interval(*_overlap(a, b))


def _is_finite(run: Comparisons, op: Operation, a: Interval) -> Interval:
    result = Interval(np.isfinite(a.low) & np.isfinite(a.high), np.full(a.shape, True))
    result.origin = ("finite", a)
    return result


def _overlap(a: Interval, b: Interval) -> tuple[Any, Any]:
    """Masks of numbers that are certainly and possibly equal."""
    return _is_one_number(a, b), ~((a.high < b.low) | (b.high < a.low))


def _is_same(a: Interval, b: Interval) -> bool:
    """True if two intervals stand for one number, by their arrays."""
    if a is b or (a.low is b.low and a.high is b.high):
        return True
    ends = (a.low, a.high, b.low, b.high)
    if a.low is not a.high:
        return False
    numbers = 1 in (np.size(a.low), np.size(b.low)) or a.shape == b.shape
    return numbers and all(bool(np.all(a.low == end)) for end in ends)


def _unequal(run: Comparisons, op: Operation, a: Interval, b: Interval) -> Interval:
    return _not(run, op, _equal(run, op, a, b))


def _logic(rule: Callable[..., tuple[Any, Any]]) -> Rule:
    """Return the rule of an operation on Booleans."""
    return lambda run, op, *operands: Interval(*rule(*operands))


def _not(run: Comparisons, op: Operation, a: Interval) -> Interval:
    return Interval(~a.high, ~a.low)


def _stairs(run: Comparisons, op: Operation, a: Interval) -> Interval:
    """Return an increasing function with steps, zero at zero."""
    (low,), (high,) = op.call(a.low), op.call(a.high)
    return run.note(Interval(low, high, a.positive))


def select(run: Comparisons, op: Operation, condition: Any, *cases: Any) -> Interval:
    """Return the case that a condition or an index chooses; the condition may be known."""
    ranges = [run.lift(case) for case in cases]
    if not isinstance(condition, Interval):
        (low,), (high,) = (op.call(condition, *(getattr(case, end) for case in ranges)) for end in ENDS)
        return Interval(low, high, all(case.positive for case in ranges), intervals.signs(*ranges))
    if condition.low.dtype != bool:
        raise Unsupported("no bound: a choice between several cases depends on choices of players")
    run.moves = condition.moves
    no, yes = ranges
    if len(op.equation.kinds[0].shape) < len(op.equation.outs[0].shape):
        condition = aligned(condition, len(op.equation.outs[0].shape))
    run.note(condition, _is_one_number(*ranges))
    if sides := _operands("less", condition):
        smaller, larger = sides
        if _is_same(smaller, no) and _is_same(larger, yes):
            return _maximum(run, op, no, yes)
        if _is_same(smaller, yes) and _is_same(larger, no):
            return _minimum(run, op, no, yes)
    yes = _guarded(condition, yes)
    union = intervals.hull([no, yes])
    # certainly, possibly and certainly not
    low = np.where(condition.low, yes.low, np.where(condition.high, union.low, no.low))
    high = np.where(condition.low, yes.high, np.where(condition.high, union.high, no.high))
    return Interval(low, high, union.positive, union.infinite)


def _guarded(condition: Interval, value: Interval) -> Interval:
    """Return a value that a comparison selects; if it is compared itself, within the bound that this sets.

    A comparison with another number, or that it is finite, holds for finite numbers alone, except below or
    above. Nothing is known where the value may be infinite on the side that the comparison leaves open.
    """
    smaller, larger = _operands("less", condition) or (None, None)
    is_smaller, is_larger = value is smaller, value is larger
    if not (is_smaller or is_larger or _operands("finite", condition) == (value,)):
        return value
    largest = np.finfo(float).max
    low: Any = -np.inf if is_smaller else -largest
    high: Any = np.inf if is_larger else largest
    if is_larger and not is_smaller:
        low = np.maximum(smaller.low, low)
    if is_smaller and not is_larger:
        high = np.minimum(larger.high, high)
    if value.positive:
        low = np.maximum(low, 0.0)
    low, high = np.fmax(value.low, low), np.fmin(value.high, high)
    if is_smaller or is_larger:
        unknown = np.isnan(value.low) | np.isnan(value.high)
        sign, end = ("+", high) if is_larger else ("-", low)
        if sign in intervals.signs(value):
            unknown |= np.isinf(end)
        low, high = np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)
    return Interval(low, high, value.positive, intervals.NONE)


def aligned(a: Interval, rank: int) -> Interval:
    """Return numbers with axes of one entry behind their rows, up to a rank."""
    if a.low.ndim == 1 + rank:
        return a
    result = a.at_ends(lambda end: in_rank(end, rank))
    result.origin = a.origin  # a sum of parts is still theirs
    return result


def _is_one_number(a: Interval, b: Interval) -> Any:
    """Mask of entries at which two intervals are the same single number."""
    return (a.low == a.high) & (b.low == b.high) & (a.low == b.low)


def choose(run: Comparisons, index: Interval, cases: list[Interval]) -> Interval:
    """Return the hull of the cases that an interval of indices ``[row]`` contains."""
    if any(case.low.dtype == bool for case in cases):
        raise Unsupported("no bound: a choice between Booleans")
    low_index, high_index = (np.clip(end, 0, len(cases) - 1) for end in (index.low, index.high))
    result = aligned(run.note(Interval(low_index, high_index)), cases[0].low.ndim - 1)
    low, high = cases[0].low * np.nan, cases[0].high * np.nan
    for k, case in enumerate(cases):
        inside = (result.low <= k) & (result.high >= k)
        is_empty = ~(result.low < k)
        low = np.where(inside, np.where(is_empty, case.low, np.minimum(low, case.low)), low)
        high = np.where(inside, np.where(is_empty, case.high, np.maximum(high, case.high)), high)
    return Interval(low, high, infinite=intervals.signs(*cases))


def _maximum(run: Comparisons, op: Operation, a: Interval, b: Interval) -> Interval:
    low, high = np.maximum(a.low, b.low), np.maximum(a.high, b.high)
    return Interval(low, high, a.positive or b.positive, intervals.signs(a, b))


def _minimum(run: Comparisons, op: Operation, a: Interval, b: Interval) -> Interval:
    low, high = np.minimum(a.low, b.low), np.minimum(a.high, b.high)
    return Interval(low, high, a.positive and b.positive, intervals.signs(a, b))


def _clamp(run: Comparisons, op: Operation, low: Interval, x: Interval, high: Interval) -> Interval:
    return _minimum(run, op, _maximum(run, op, x, low), high)


def _remainder(run: Comparisons, op: Operation, a: Interval, b: Interval) -> Interval:
    """Return bounds on ``a - b trunc(a / b)``, which has the sign of ``a`` and is smaller in size than ``b``.

    If ``trunc(a / b)`` may be several whole numbers, bounds follow from this sign and the sizes alone.
    """
    quotient = intervals.divide(a, b)
    whole = run.note(Interval(np.trunc(quotient.low), np.trunc(quotient.high), quotient.positive))
    result = intervals.subtract(a, intervals.multiply(b, whole))
    size = np.minimum(intervals.absolute(a).high, intervals.absolute(b).high)
    is_certain = whole.low == whole.high
    low = np.where(is_certain, result.low, np.where(a.low < 0, -size, 0.0))
    high = np.where(is_certain, result.high, np.where(a.high > 0, size, 0.0))
    may_divide_by_zero = (b.low <= 0) & (b.high >= 0)
    unknown = np.isnan(whole.low + whole.high) | may_divide_by_zero | np.isinf(a.low) | np.isinf(a.high)
    return Interval(np.where(unknown, np.nan, low), np.where(unknown, np.nan, high))


def _operands(name: str, a: Interval) -> tuple[Any, ...]:
    """Return the operands of which an interval was computed, if that was by an operation ``name``."""
    return a.origin[1:] if a.origin and a.origin[0] == name else ()


def _multiply(run: Comparisons, op: Operation, a: Interval, b: Interval) -> Interval:
    if a is b:
        return intervals.square(a)
    shape = np.broadcast_shapes(a.shape, b.shape)
    for operand, partner in ((a, b), (b, a)):
        special = _dependent_product(operand, partner)
        if special is not None and special.shape == shape:  # a single entry may stand for several
            return special
    result = intervals.multiply(a, b)
    result.origin = ("product", a, b)
    return result


def _dependent_product(a: Interval, b: Interval) -> Interval | None:
    """Return ``x (1 - x)``, ``y x (1 - x)`` or ``x / sum(x)``, in which x occurs twice; None of others."""
    for number in _operands("complement", b):
        if number is a:
            return intervals.parabola(a)
        factors = _operands("product", a)
        if any(number is factor for factor in factors):
            cofactor = factors[0] if factors[1] is number else factors[1]
            return intervals.multiply(cofactor, intervals.parabola(number))
    for total in _operands("reciprocal", b):
        if _is_sum(a, total):
            return _share(a, total)
    return None


def _divide(run: Comparisons, op: Operation, a: Interval, b: Interval) -> Interval:
    if _is_sum(a, b) and a.shape == np.broadcast_shapes(a.shape, b.shape):
        return _share(a, b)
    result = intervals.divide(a, b)
    if _is_one(a):
        result.origin = ("reciprocal", b)
    return result


def _share(a: Interval, total: Interval) -> Interval:
    """Return the parts of numbers in their sum."""
    _, axis = _operands("sum", total)
    logs = _operands("exp", a)
    return intervals.share(a, axis, *logs)


def _is_sum(a: Interval, b: Interval) -> bool:
    """True if b is the sum of a few positive numbers a along one axis."""
    return a.positive and _operands("sum", b)[:1] == (a,)


def _is_one(a: Interval) -> bool:
    return a.low is a.high and bool(np.all(a.low == 1))


def _subtract(run: Comparisons, op: Operation, a: Interval, b: Interval) -> Interval:
    for number in _operands("digamma", a):
        if _operands("log", b) == (number,):
            return intervals.digamma_less_log(number)
    for total in _operands("lgamma", a):
        if a.shape == b.shape and _are_log_gammas(b, total):
            return intervals.log_gamma_excess(*_operands("sum", total))
    result = intervals.subtract(a, b)
    if _is_one(a):
        result.origin = ("complement", b)
    return result


def _are_log_gammas(a: Interval, total: Interval) -> bool:
    """True if a is the sum of the logarithms of gamma of the few numbers whose sum is ``total``."""
    terms, log_gammas = _operands("sum", total), _operands("sum", a)
    if not terms or not log_gammas:
        return False
    return _operands("lgamma", log_gammas[0]) == terms[:1] and log_gammas[1] == terms[1]


def _with_origin(name: str, rule: Callable[[Interval], Interval]) -> Rule:
    """Return the rule of a function that other rules ask for: in shares, or in differences."""

    def noted(run: Comparisons, op: Operation, a: Interval) -> Interval:
        result = rule(a)
        result.origin = (name, a)
        return result

    return noted


def _axes(op: Operation) -> tuple[int, ...]:
    """Return the axes of an operation, behind rows."""
    return tuple(1 + int(axis) for axis in op.equation.params["axes"])


def _sum(run: Comparisons, op: Operation, a: Interval) -> Interval:
    axes = _axes(op)
    result = intervals.total(a, axes)
    if len(axes) == 1 and 1 < a.shape[axes[0]] <= FEW:
        result.origin = ("sum", a, axes[0])
    return result


def is_repeated(origin: tuple[Any, ...], op: Operation) -> bool:
    """True if an operation repeats a sum, its reciprocal, or the like, along its axis only."""
    if origin[0] == "reciprocal" and origin[1].origin:
        origin = origin[1].origin
    if origin[0] != "sum":
        return False
    _, a, axis = origin
    shape, new_shape = a.shape[1:], op.equation.outs[0].shape
    axis -= 1  # without rows
    other_axes = tuple(k for k in range(len(shape)) if k != axis)
    if len(new_shape) != len(shape) or any(new_shape[k] != shape[k] for k in other_axes):
        return False
    if op.equation.name == "reshape":
        return new_shape[axis] == 1 and op.equation.params["dimensions"] is None
    return tuple(op.equation.params["broadcast_dimensions"]) == other_axes


def _convert(run: Comparisons, op: Operation, a: Interval) -> Interval:
    truth, new_dtype = a.low.dtype == bool, op.equation.outs[0].dtype
    if new_dtype.kind == "b":
        return a if truth else _unequal(run, op, a, interval(np.zeros(1)))
    if truth:
        run.note(a)
        return Interval(a.low.astype(float), a.high.astype(float), True)
    if np.issubdtype(new_dtype, np.integer):
        limits = np.iinfo(new_dtype)
        within = (a.low > float(limits.min) - 1) & (a.high < float(limits.max) + 1)
        low, high = (
            np.where(within, np.trunc(end), float(limit))
            for end, limit in ((a.low, limits.min), (a.high, limits.max))
        )
        return run.note(Interval(low, high, a.positive and limits.min == 0))
    return a


def _precision(run: Comparisons, op: Operation, a: Interval) -> Interval:
    params = op.equation.params
    if params["exponent_bits"] < 11 or params["mantissa_bits"] < 52:
        raise Unsupported(f"no bound: numbers are rounded to {params['mantissa_bits']} bits")
    return a


def _contract(run: Comparisons, op: Operation, a: Interval, b: Interval) -> Interval:
    (contracting, _), _ = op.equation.params["dimension_numbers"]
    terms = int(np.prod([a.shape[1 + axis] for axis in contracting], initial=1))
    return intervals.contract(a, b, lambda x, y: op.call(x, y)[0], terms)


def _along(a: Interval, axis: int) -> list[Interval]:
    """Return the entries along an axis."""

    def entry(k: int) -> Interval:
        low, high = (np.take(end, k, axis) for end in (a.low, a.high))
        result = Interval(low, high, a.positive)
        result.infinite = a.infinite
        return result

    return [entry(k) for k in range(a.shape[axis])]


def _product(run: Comparisons, op: Operation, a: Interval) -> Interval:
    for axis in sorted(_axes(op), reverse=True):
        if not a.shape[axis]:
            raise Unsupported("no bound: a product of no numbers")
        a, *parts = _along(a, axis)
        for part in parts:
            a = intervals.multiply(a, part)
    return a


def _running_product(run: Comparisons, op: Operation, a: Interval) -> Interval:
    axis, reverse = 1 + op.equation.params["axis"], op.equation.params["reverse"]
    parts = _along(a, axis)[:: -1 if reverse else 1]
    for k in range(1, len(parts)):
        parts[k] = intervals.multiply(parts[k - 1], parts[k])
    parts = parts[:: -1 if reverse else 1]
    low, high = (np.stack([getattr(part, end) for part in parts], axis) for end in ENDS)
    return Interval(low, high, a.positive)


def _running_sum(run: Comparisons, op: Operation, a: Interval) -> Interval:
    (low,), (high,), (size,) = (op.call(end) for end in (a.low, a.high, intervals.absolute(a).high))
    relative = (a.shape[1 + op.equation.params["axis"]] + 3) * EPS
    if a.positive:
        return intervals.widen(low, high, relative, positive=True)
    error = size * relative + TINY
    return _finite(a, Interval(low - error, high + error))


def _finite(a: Interval, result: Interval) -> Interval:
    """Return sums, of which nothing is known where terms of both signs may be infinite."""
    if not a.infinite:
        return result
    has_bound = np.isfinite(result.low) | np.isfinite(result.high)
    low, high = (np.where(has_bound, end, np.nan) for end in (result.low, result.high))
    return Interval(low, high, result.positive)


def scatter_add(run: Comparisons, op: Operation, into: Any, index: Any, added: Any) -> Interval:
    """Return sums of numbers added at indices, in any order."""
    into, added = run.lift(into), run.lift(added)
    (low,), (high,) = op.call(into.low, index, added.low), op.call(into.high, index, added.high)
    (size,) = op.call(intervals.absolute(into).high, index, intervals.absolute(added).high)
    error = size * ((int(np.prod(added.shape[1:])) + 3) * EPS) + TINY
    positive = into.positive and added.positive
    result = Interval(np.maximum(low - error, 0.0) if positive else low - error, high + error, positive)
    return _finite(added if added.infinite else into, result)


def _sort(run: Comparisons, op: Operation, *operands: Interval) -> Interval:
    if len(operands) > 1:
        raise Unsupported("no bound: the order of numbers depends on choices of players")
    (a,) = operands
    # ordered values increase with every value; NaN would be sorted to the end
    defined = by_row(~np.isnan(a.low + a.high))
    defined = in_rank(defined, a.low.ndim - 1)
    (low,), (high,) = op.call(a.low), op.call(a.high)
    return Interval(np.where(defined, low, np.nan), np.where(defined, high, np.nan), a.positive)


def _power_of_two(a: Interval) -> Interval:
    return intervals.exp(intervals.multiply(a, intervals.log(interval(2.0))))


def _of(function: Callable[..., Interval]) -> Rule:
    """Return the rule of a function of intervals."""
    return lambda run, op, *operands: function(*operands)


RULES: dict[str, Rule] = {
    "add": _of(intervals.add),
    "add_any": _of(intervals.add),
    "sub": _subtract,
    "mul": _multiply,
    "div": _divide,
    "rem": _remainder,
    "neg": _of(intervals.negate),
    "integer_pow": lambda run, op, a: intervals.power(a, op.equation.params["y"]),
    "square": _of(intervals.square),
    "pow": _of(intervals.real_power),
    "sqrt": _of(intervals.root),
    "rsqrt": _of(lambda a: intervals.divide(intervals.ONE, intervals.root(a))),
    "exp": _with_origin("exp", intervals.exp),
    "exp2": _of(_power_of_two),
    "expm1": _of(intervals.expm1),
    "log": _with_origin("log", intervals.log),
    "log1p": _of(intervals.log1p),
    "tanh": _of(intervals.tanh),
    "sinh": _of(intervals.hyperbolic_sine),
    "cosh": _of(intervals.hyperbolic_cosine),
    "logistic": _of(intervals.logistic),
    "sin": _of(intervals.sine),
    "cos": _of(intervals.cosine),
    "atan": _of(intervals.arc_tangent),
    "erf": _of(intervals.error_function),
    "erfc": _of(intervals.error_complement),
    "lgamma": _with_origin("lgamma", intervals.log_gamma),
    "digamma": _with_origin("digamma", intervals.digamma),
    "abs": _of(intervals.absolute),
    **dict.fromkeys(("sign", "floor", "ceil", "round"), _stairs),
    "max": _maximum,
    "min": _minimum,
    "clamp": _clamp,
    "lt": _less,
    "le": _less_equal,
    "gt": lambda run, op, a, b: _less(run, op, b, a),
    "ge": lambda run, op, a, b: _less_equal(run, op, b, a),
    "eq": _equal,
    "ne": _unequal,
    "and": _logic(lambda a, b: (a.low & b.low, a.high & b.high)),
    "or": _logic(lambda a, b: (a.low | b.low, a.high | b.high)),
    "xor": _logic(
        lambda a, b: ((a.low & ~b.high) | (b.low & ~a.high), (a.high & ~b.low) | (b.high & ~a.low))
    ),
    "not": _not,
    "is_finite": _is_finite,
    "convert_element_type": _convert,
    "reduce_precision": _precision,
    "reduce_sum": _sum,
    "reduce_prod": _product,
    "cumsum": _running_sum,
    "cumprod": _running_product,
    "dot_general": _contract,
    "sort": _sort,
}
"""Rules ``(run, operation, *operands)`` of operations that compute, by their names in JAX."""

FINITE = frozenset(("tanh", "logistic", "sin", "cos", "atan", "erf", "erfc", "sign"))
"""Operations whose results are finite."""

INTEGER = frozenset(
    [
        *("add", "sub", "neg", "max", "min", "clamp", "abs", "sign", "select_n", "convert_element_type"),
        *("reduce_sum", "cumsum", "lt", "le", "gt", "ge", "eq", "ne", "sort"),
    ]
)
"""Operations whose rules also hold for integers, which are counts: small enough not to overflow."""

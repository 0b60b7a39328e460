"""Bounds on traced functions: a function written in JAX, evaluated in interval arithmetic.

`enclose` reads the operations of a function and repeats them on intervals. Operations that move or select
numbers are applied to both endpoints; arithmetic has rules in `rivalry.core.intervals`. A comparison that the
intervals leave undecided gives the hull of both branches and is reported: derivatives may then have jumps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from rivalry.core import intervals
from rivalry.core.dispatch import Unsupported
from rivalry.core.intervals import Interval, interval
from rivalry.core.jax import jax, jnp

STEPS = 1000  # of a loop that is unrolled


class _Run:
    """One evaluation: whether every comparison so far was decided."""

    def __init__(self) -> None:
        self.decided = jnp.asarray(True)
        self.moves = True  # whether the present operation depends on what derivatives are taken in

    def note(self, certain: Any, possible: Any) -> Interval:
        """Return a truth value, and remember whether it is decided."""
        if self.moves:
            self.decided = self.decided & jnp.all(certain == possible)
        return Interval(certain, possible)


def _less(run: _Run, a: Interval, b: Interval, **_: Any) -> Interval:
    # negated: a comparison with NaN is possible, never certain
    return run.note(a.high < b.low, ~(a.low >= b.high))


def _less_equal(run: _Run, a: Interval, b: Interval, **_: Any) -> Interval:
    return run.note(a.high <= b.low, ~(a.low > b.high))


def _equal(run: _Run, a: Interval, b: Interval, **_: Any) -> Interval:
    certain = (a.low == a.high) & (b.low == b.high) & (a.low == b.low)
    return run.note(certain, ~((a.high < b.low) | (b.high < a.low)))


def _unequal(run: _Run, a: Interval, b: Interval, **_: Any) -> Interval:
    found = _equal(run, a, b)
    return Interval(~found.high, ~found.low)


def _sign(run: _Run, a: Interval, **_: Any) -> Interval:
    return _stairs(run, a, jnp.sign)


def _stairs(run: _Run, a: Interval, step: Callable[[Any], Any]) -> Interval:
    """Return an increasing function with steps; NaN stays NaN, and is not decided."""
    found = run.note(step(a.low), step(a.high))
    return Interval(found.low, found.high, a.positive)


def _select(run: _Run, which: Any, *cases: Any, **_: Any) -> Any:
    if not isinstance(which, Interval):
        every = [interval(case) for case in cases]
        low = jax.lax.select_n(which, *(case.low for case in every))
        high = jax.lax.select_n(which, *(case.high for case in every))
        return Interval(low, high, all(case.positive for case in every))
    other, chosen = (interval(case) for case in cases)
    both = intervals.hull([other, chosen])
    low, high = (
        jax.lax.select_n(
            jnp.broadcast_to(which.low, both.shape),
            jax.lax.select_n(jnp.broadcast_to(which.high, both.shape), a, m),
            b,
        )
        for a, b, m in ((other.low, chosen.low, both.low), (other.high, chosen.high, both.high))
    )
    return Interval(low, high, both.positive)


def _maximum(run: _Run, a: Interval, b: Interval, **_: Any) -> Interval:
    return Interval(jnp.maximum(a.low, b.low), jnp.maximum(a.high, b.high), a.positive or b.positive)


def _minimum(run: _Run, a: Interval, b: Interval, **_: Any) -> Interval:
    return Interval(jnp.minimum(a.low, b.low), jnp.minimum(a.high, b.high), a.positive and b.positive)


def _clamp(run: _Run, low: Interval, x: Interval, high: Interval, **_: Any) -> Interval:
    return _minimum(run, _maximum(run, x, low), high)


def _abs(run: _Run, a: Interval, **_: Any) -> Interval:
    if a.positive:
        return a
    inside = (a.low <= 0) & (a.high >= 0)
    ends = jnp.abs(a.low), jnp.abs(a.high)
    return Interval(jnp.where(inside, 0.0, jnp.minimum(*ends)), jnp.maximum(*ends), True)


def _multiply(run: _Run, a: Interval, b: Interval, **_: Any) -> Interval:
    if a is b:
        return intervals.square(a)
    for one, other in ((a, b), (b, a)):
        if other.origin and other.origin[0] == "complement":
            if other.origin[1] is one:
                return intervals.parabola(one)
            if one.origin and one.origin[0] == "product" and other.origin[1] in one.origin[1:]:
                rest = one.origin[1] if one.origin[2] is other.origin[1] else one.origin[2]
                return intervals.multiply(rest, intervals.parabola(other.origin[1]))
        if other.origin and other.origin[0] == "reciprocal":
            found = _share(one, other.origin[1])
            if found is not None:
                return found
    found = intervals.multiply(a, b)
    found.origin = ("product", a, b)
    return found


def _divide(run: _Run, a: Interval, b: Interval, **_: Any) -> Interval:
    found = _share(a, b) or intervals.divide(a, b)
    if _is_one(a):
        found.origin = ("reciprocal", b)
    return found


def _share(a: Interval, b: Interval) -> Interval | None:
    """Return ``a / b`` where b is the sum of a along axes, else None."""
    if b.origin is None or b.origin[0] != "sum" or b.origin[1] is not a or not a.positive:
        return None
    axes = b.origin[2]
    whole = (
        b
        if len(b.shape) == len(a.shape)
        else Interval(*(jnp.expand_dims(end, axes) for end in (b.low, b.high)))
    )
    return intervals.share(a, whole)


def _is_one(a: Interval) -> bool:
    return a.low is a.high and not isinstance(a.low, jax.core.Tracer) and bool(np.all(np.asarray(a.low) == 1))


def _subtract(run: _Run, a: Interval, b: Interval, **_: Any) -> Interval:
    found = intervals.subtract(a, b)
    if _is_one(a):
        found.origin = ("complement", b)
    return found


def _sum(run: _Run, a: Interval, axes: tuple[int, ...], **_: Any) -> Interval:
    found = intervals.total(a, axes)
    found.origin = ("sum", a, tuple(axes))
    return found


def _convert(run: _Run, a: Interval, new_dtype: Any, **_: Any) -> Interval:
    if not jnp.issubdtype(new_dtype, jnp.floating) or new_dtype == jnp.float32:
        raise Unsupported(f"no bound: a number is converted to {new_dtype}")
    low, high = a.low.astype(float), a.high.astype(float)
    return Interval(low, high, a.positive or a.low.dtype == bool)


def _contract(run: _Run, a: Interval, b: Interval, dimension_numbers: Any, **_: Any) -> Interval:
    (contracting, _), _ = dimension_numbers
    terms = int(np.prod([a.shape[axis] for axis in contracting], initial=1))
    return intervals.contract(a, b, lambda x, y: jax.lax.dot_general(x, y, dimension_numbers), terms)


def _product(run: _Run, a: Interval, axes: tuple[int, ...], **_: Any) -> Interval:
    for axis in sorted(axes, reverse=True):
        parts = [
            Interval(
                *(jax.lax.index_in_dim(end, k, axis, keepdims=False) for end in (a.low, a.high)), a.positive
            )
            for k in range(a.shape[axis])
        ]
        a = parts[0]
        for part in parts[1:]:
            a = intervals.multiply(a, part)
    return a


def _running_sum(run: _Run, a: Interval, **params: Any) -> Interval:
    sums = [jax.lax.cumsum(end, **params) for end in (a.low, a.high)]
    size = jax.lax.cumsum(jnp.maximum(jnp.abs(a.low), jnp.abs(a.high)), **params)
    error = size * ((a.shape[params["axis"]] + 3) * intervals.EPS) + intervals.TINY
    return Interval(sums[0] - error, sums[1] + error)


def _sort(run: _Run, *operands: Any, num_keys: int, **params: Any) -> list[Interval]:
    if len(operands) > 1:
        raise Unsupported("no bound: an order of choices is needed")
    a = interval(operands[0])
    # ordered values increase with every value
    return [Interval(*(jax.lax.sort(end, **params) for end in (a.low, a.high)), a.positive)]


def _unary(rule: Callable[[Interval], Interval]) -> Callable[..., Interval]:
    return lambda run, a, **_: rule(a)


def _binary(rule: Callable[[Interval, Interval], Interval]) -> Callable[..., Interval]:
    return lambda run, a, b, **_: rule(a, b)


RULES: dict[str, Callable[..., Any]] = {
    "add": _binary(intervals.add),
    "add_any": _binary(intervals.add),
    "sub": _subtract,
    "mul": _multiply,
    "div": _divide,
    "neg": _unary(intervals.negate),
    "integer_pow": lambda run, a, y: intervals.power(a, y),
    "square": _unary(intervals.square),
    "pow": _binary(intervals.real_power),
    "sqrt": _unary(intervals.root),
    "rsqrt": _unary(lambda a: intervals.divide(interval(jnp.ones_like(a.low)), intervals.root(a))),
    "exp": _unary(intervals.exp),
    "exp2": _unary(
        lambda a: intervals.exp(intervals.multiply(a, intervals.log(interval(2 * jnp.ones_like(a.low)))))
    ),
    "expm1": _unary(intervals.expm1),
    "log": _unary(intervals.log),
    "log1p": _unary(intervals.log1p),
    "tanh": _unary(intervals.tanh),
    "logistic": _unary(intervals.logistic),
    "sin": _unary(intervals.sine),
    "cos": _unary(intervals.cosine),
    "erf": _unary(intervals.error_function),
    "lgamma": _unary(intervals.log_gamma),
    "digamma": _unary(intervals.digamma),
    "abs": _abs,
    "sign": _sign,
    "floor": lambda run, a: _stairs(run, a, jnp.floor),
    "ceil": lambda run, a: _stairs(run, a, jnp.ceil),
    "max": _maximum,
    "min": _minimum,
    "clamp": _clamp,
    "lt": _less,
    "le": _less_equal,
    "gt": lambda run, a, b, **_: _less(run, b, a),
    "ge": lambda run, a, b, **_: _less_equal(run, b, a),
    "eq": _equal,
    "ne": _unequal,
    "and": lambda run, a, b: Interval(a.low & b.low, a.high & b.high),
    "or": lambda run, a, b: Interval(a.low | b.low, a.high | b.high),
    "not": lambda run, a: Interval(~a.high, ~a.low),
    "is_finite": lambda run, a: run.note(
        jnp.isfinite(a.low) & jnp.isfinite(a.high), jnp.full_like(a.low, True, bool)
    ),
    "select_n": _select,
    "convert_element_type": _convert,
    "reduce_sum": _sum,
    "reduce_prod": _product,
    "cumsum": _running_sum,
    "dot_general": _contract,
    "sort": _sort,
}
"""Rules ``(run, *operands, **params)`` of operations that compute, by their names in JAX."""

MOVES = frozenset(
    [
        "broadcast_in_dim",
        "reshape",
        "squeeze",
        "expand_dims",
        "transpose",
        "slice",
        "dynamic_slice",
        "dynamic_update_slice",
        "concatenate",
        "pad",
        "rev",
        "copy",
        "copy_p",
        "gather",
        "scatter",
        "split",
        "reduce_max",
        "reduce_min",
        "cummax",
        "cummin",
        "reduce_and",
        "reduce_or",
        "optimization_barrier",
        "stack",
        "unstack",
        "tile",
        "real",
        "stop_gradient",
        "reduce_precision",
        "device_put",
    ]
)
"""Operations that move numbers, or increase with every number without rounding: applied to both endpoints."""

EXACT = frozenset(
    ["neg", "abs", "sign", "max", "min", "floor", "ceil", "iota", "clamp", "select_n", "convert_element_type"]
)
"""Operations that compute without rounding."""

CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
    "custom_lin": "call_jaxpr",
}
"""Operations that call others, and where these are."""


def enclose(function: Callable[..., Any], *examples: Any) -> Callable[..., tuple[list[Interval], Any]]:
    """Return the interval form of a function of arrays.

    Parameters
    ----------
    function : callable
        Of arrays, written in JAX, to an array or a sequence of arrays.
    *examples
        Arrays of the shapes that it will take.

    Returns
    -------
    callable
        It takes arrays or intervals and returns a list of intervals, and whether every comparison was decided.

    Raises
    ------
    Unsupported
        For an operation without a rule, which is named.
    """
    traced = jax.make_jaxpr(function)(*examples)

    def evaluate(*given: Any) -> tuple[list[Interval], Any]:
        run = _Run()
        leaves = jax.tree.leaves(given, is_leaf=lambda one: isinstance(one, Interval))
        found = _evaluate(run, traced.jaxpr, traced.consts, leaves)
        return [interval(one) for one in found], run.decided

    return evaluate


def _evaluate(run: _Run, jaxpr: Any, consts: Sequence[Any], given: Sequence[Any]) -> list[Any]:
    values: dict[Any, Any] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *given], strict=True))

    def read(atom: Any) -> Any:
        return values[atom] if _is_variable(atom) else atom.val

    for equation in _needed(jaxpr):
        operands = [read(atom) for atom in equation.invars]
        moves = run.moves = any(one.moves for one in operands if isinstance(one, Interval))
        found = _apply(run, equation, operands)
        for one in found:
            if isinstance(one, Interval):
                one.moves = moves
        values.update(zip(equation.outvars, found, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _needed(jaxpr: Any) -> list[Any]:
    """Return the operations on which an output depends, in order."""
    wanted = set(filter(_is_variable, jaxpr.outvars))
    kept = []
    for equation in reversed(jaxpr.eqns):
        if any(one in wanted for one in equation.outvars):
            kept.append(equation)
            wanted.update(filter(_is_variable, equation.invars))
    return kept[::-1]


def _is_variable(atom: Any) -> bool:
    return not hasattr(atom, "val")


def _apply(run: _Run, equation: Any, operands: list[Any]) -> list[Any]:
    """Return the values of one operation."""
    primitive, params = equation.primitive, equation.params
    name = primitive.name
    if name in CALLS:
        inner = params[CALLS[name]]
        closed = hasattr(inner, "consts")
        return _evaluate(run, inner.jaxpr if closed else inner, inner.consts if closed else (), operands)
    if name == "scan":
        return _scan(run, operands, params)
    if name == "cond":
        return _cond(run, operands, params)
    known = not any(isinstance(one, Interval) for one in operands)
    if known and (name in MOVES or name == "select_n" or not _rounds(equation)):
        if any(isinstance(one, jax.core.Tracer) for one in operands):
            found = primitive.bind(*operands, **params)
        else:
            with jax.ensure_compile_time_eval():
                found = primitive.bind(*operands, **params)
        return list(found) if primitive.multiple_results else [found]
    if name in MOVES:
        return _move(primitive, operands, params)
    if name == "scatter-add" or name == "scatter_add":
        return [_scatter_add(primitive, operands, params)]
    rule = RULES.get(name)
    if name == "polygamma":
        return [intervals.polygamma(operands[0], interval(operands[1]))]
    if rule is None:
        raise Unsupported(f"no bound: {name} has no interval form")
    if name not in ("select_n", "sort"):
        same = len(operands) == 2 and operands[0] is operands[1]
        operands = [interval(one) for one in operands]
        operands = [operands[0]] * 2 if same else operands
    found = rule(run, *operands, **params)
    return found if isinstance(found, list) else [found]


def _rounds(equation: Any) -> bool:
    """Return whether an operation on numbers may round."""
    floating = any(jnp.issubdtype(one.aval.dtype, jnp.floating) for one in equation.outvars)
    return floating and equation.primitive.name not in EXACT


def _move(primitive: Any, operands: list[Any], params: Any) -> list[Any]:
    mixed = [one for one in operands if isinstance(one, Interval)]
    floats = {one.low.dtype for one in mixed}
    # indices, and whatever is not of the kind moved, are numbers
    moved = [
        interval(one)
        if isinstance(one, Interval) or getattr(one, "dtype", None) in floats or isinstance(one, float)
        else one
        for one in operands
    ]
    ends = []
    for end in ("low", "high"):
        found = primitive.bind(
            *(getattr(one, end) if isinstance(one, Interval) else one for one in moved), **params
        )
        ends.append(list(found) if primitive.multiple_results else [found])
    positive = all(one.positive for one in moved if isinstance(one, Interval))
    found = [Interval(low, high, positive) for low, high in zip(*ends, strict=True)]
    if primitive.name == "broadcast_in_dim" and mixed[0].origin:
        found[0].origin = mixed[0].origin if _aligned(mixed[0].origin, params) else None
    return found


def _aligned(origin: tuple[Any, ...], params: Any) -> bool:
    """Return whether a sum, or its reciprocal, is repeated along the axes that were summed."""
    if origin[0] == "reciprocal" and origin[1].origin:
        origin = origin[1].origin
    if origin[0] != "sum":
        return False
    _, a, axes = origin
    kept = tuple(k for k in range(len(a.shape)) if k not in axes)
    return tuple(params["broadcast_dimensions"]) == kept and len(params["shape"]) == len(a.shape)


def _scatter_add(primitive: Any, operands: list[Any], params: Any) -> Interval:
    into, where, added = interval(operands[0]), operands[1], interval(operands[2])
    low, high = (
        primitive.bind(a, where, b, **params) for a, b in ((into.low, added.low), (into.high, added.high))
    )
    size = primitive.bind(
        *(jnp.maximum(jnp.abs(one.low), jnp.abs(one.high)) if k else one for k, one in ((1, into),)),
        where,
        jnp.maximum(jnp.abs(added.low), jnp.abs(added.high)),
        **params,
    )
    error = size * ((int(np.prod(added.shape)) + 3) * intervals.EPS) + intervals.TINY
    return Interval(low - error, high + error)


def _scan(run: _Run, operands: list[Any], params: Any) -> list[Any]:
    """Return the result of a loop of known length, unrolled."""
    consts, carried, length = params["num_consts"], params["num_carry"], params["length"]
    if length > STEPS:
        raise Unsupported(f"no bound: a loop of {length} steps is longer than {STEPS}")
    closed = params["jaxpr"]
    fixed, carry, series = (
        operands[:consts],
        operands[consts : consts + carried],
        operands[consts + carried :],
    )
    rows: list[list[Any]] = []
    order = range(length - 1, -1, -1) if params["reverse"] else range(length)
    for k in order:
        at = [jax.tree.map(lambda end, k=k: end[k], one) for one in series]
        found = _evaluate(run, closed.jaxpr, closed.consts, [*fixed, *carry, *at])
        carry = found[:carried]
        rows.append(found[carried:])
    rows = rows[::-1] if params["reverse"] else rows
    stacked = [
        jax.tree.map(lambda *ends: jnp.stack(ends), *map(_unsigned, column))
        for column in zip(*rows, strict=True)
    ]
    return [*carry, *stacked]


def _unsigned(one: Any) -> Interval:
    found = interval(one)
    return Interval(found.low, found.high)


def _cond(run: _Run, operands: list[Any], params: Any) -> list[Any]:
    which, *given = operands
    if isinstance(which, Interval):
        raise Unsupported("no bound: a branch depends on choices")
    branches = [_evaluate(run, one.jaxpr, one.consts, given) for one in params["branches"]]
    if not isinstance(which, jax.core.Tracer):
        return branches[int(np.clip(int(which), 0, len(branches) - 1))]
    found = []
    for cases in zip(*branches, strict=True):
        each = [interval(case) for case in cases]
        index = jnp.clip(jnp.asarray(which, dtype=int), 0, len(each) - 1)
        low, high = (jnp.stack([getattr(one, end) for one in each])[index] for end in ("low", "high"))
        found.append(Interval(low, high, all(one.positive for one in each)))
    return found


class Traced(NamedTuple):
    """A function with everything that only guides differentiation made explicit."""

    call: Callable[..., Any]  # of the arguments and the shifts
    shifts: Callable[..., list[Any]]  # of the arguments


def without_shifts(function: Callable[..., Any], *examples: Any, about: int = 0) -> Traced:
    """Return a function whose arguments of `jax.lax.stop_gradient` are arguments of its own.

    Such numbers cancel: those that logarithms are shifted by. Derivatives that JAX computes are those of the
    function with the shifts held fixed. They are taken in argument ``about``.
    """
    traced = jax.make_jaxpr(function)(*examples)
    moving = [k == about for k in range(len(examples))]

    def run(given: Sequence[Any], shifts: Sequence[Any] | None) -> tuple[list[Any], list[Any]]:
        seen: list[Any] = []
        found = _replay(traced.jaxpr, traced.consts, given, moving, seen, shifts)
        return found, seen

    return Traced(lambda shifts, *given: run(given, shifts)[0], lambda *given: run(given, None)[1])


def _replay(
    jaxpr: Any, consts: Any, given: Any, moving: Any, seen: list[Any], shifts: Sequence[Any] | None
) -> list[Any]:
    """Evaluate operations with every custom derivative replaced by the function's own.

    A maximum of numbers that are ``moving`` is a choice by a comparison: where the comparison is decided, the
    derivative is that of one side.
    """
    values: dict[Any, Any] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *given], strict=True))
    depends = {one for one, moves in zip(jaxpr.invars, moving, strict=True) if moves}

    def read(atom: Any) -> Any:
        return values[atom] if _is_variable(atom) else atom.val

    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        name, params = equation.primitive.name, equation.params
        each = [_is_variable(atom) and atom in depends for atom in equation.invars]
        if any(each):
            depends.update(equation.outvars)
        if name in CALLS:
            inner = params[CALLS[name]]
            closed = hasattr(inner, "consts")
            body, own = (inner.jaxpr, inner.consts) if closed else (inner, ())
            found = _replay(body, own, operands, each, seen, shifts)
        elif name == "stop_gradient":
            seen.append(operands[0])
            found = [operands[0] if shifts is None else shifts[len(seen) - 1]]
        elif name in ("max", "min") and any(each):
            a, b = operands
            found = [jnp.where(a > b if name == "max" else a < b, a, b)]
        elif name in ("reduce_max", "reduce_min") and any(each):
            found = [_fold(operands[0], params["axes"], name == "reduce_max")]
        else:
            if name in ("scan", "cond", "while") and "stop_gradient" in str(params):
                raise Unsupported(f"no bound: stop_gradient within {name}")
            result = equation.primitive.bind(*operands, **params)
            found = list(result) if equation.primitive.multiple_results else [result]
        values.update(zip(equation.outvars, found, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _fold(a: Any, axes: tuple[int, ...], largest: bool) -> Any:
    """Return the largest or smallest of the numbers along axes, by comparisons of halves."""
    for axis in sorted(axes, reverse=True):
        while a.shape[axis] > 1:
            half = a.shape[axis] // 2
            one, other = (jax.lax.slice_in_dim(a, k, k + half, axis=axis) for k in (0, half))
            rest = jax.lax.slice_in_dim(a, 2 * half, a.shape[axis], axis=axis)
            chosen = jnp.where(one > other if largest else one < other, one, other)
            a = jnp.concatenate([chosen, rest], axis=axis)
        a = jnp.squeeze(a, axis)
    return a

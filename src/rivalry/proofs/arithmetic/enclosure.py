"""Bounds on traced functions: a function written in JAX, evaluated in interval arithmetic.

`enclose` reads the operations of a function and repeats them on intervals. Operations that move or select
numbers are applied to both endpoints; others have rules in `rivalry.proofs.arithmetic.rules`. A
comparison that the intervals leave undecided gives the hull of both branches and is reported: derivatives
may then jump.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.dispatch import Unsupported
from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.intervals import Interval, interval
from rivalry.proofs.arithmetic.numpy_programs import on_numbers
from rivalry.proofs.arithmetic.programs import (
    CALLS,
    LinearSolve,
    Scan,
    array_type,
    called_program,
    cases,
    evaluate,
    linear_solve,
    operations_within,
)
from rivalry.proofs.arithmetic.rules import (
    ENDS,
    FEW,
    FINITE,
    INTEGER,
    RULES,
    Comparisons,
    choose,
    is_repeated,
    scatter_add,
)
from rivalry.runtime.jax import jax, jnp

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn

STEPS = 1000  # of a loop that is unrolled
UNKNOWNS = 64  # of a system of linear equations
ORDERS = (1.0, 2.0, 3.0)  # of derivatives of `digamma` whose error is measured

MOVES = frozenset(
    [
        *("broadcast_in_dim", "reshape", "squeeze", "expand_dims", "transpose", "slice", "dynamic_slice"),
        *(
            "dynamic_update_slice",
            "concatenate",
            "pad",
            "rev",
            "copy",
            "copy_p",
            "gather",
            "scatter",
            "split",
        ),
        *("stack", "unstack", "tile", "real", "device_put", "optimization_barrier"),
        *("reduce_max", "reduce_min", "cummax", "cummin", "reduce_and", "reduce_or"),
    ]
)
"""Operations that move numbers, or increase with every number without rounding."""

DATA = {"gather": (0,), "scatter": (0, 2), "dynamic_slice": (0,), "dynamic_update_slice": (0, 1)}
"""Operands that are moved; the others are indices."""

READ = frozenset(
    [
        *(*MOVES, *RULES, *CALLS, "stop_gradient", "custom_linear_solve", "scan", "cond"),
        *("lu", "polygamma", "scatter-add", "scatter_add"),
    ]
)
"""Operations that can be read."""

EXACT = frozenset(
    [
        *("neg", "abs", "sign", "max", "min", "floor", "ceil", "round", "iota", "clamp", "select_n"),
        *("convert_element_type", "bitcast_convert_type"),
    ]
)
"""Operations that compute without rounding."""


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
        It takes arrays or intervals; returns a list of intervals, and whether every comparison was decided.

    Raises
    ------
    Unsupported
        For an operation without a rule, which is named.
    """
    traced = jax.make_jaxpr(function)(*examples)

    def enclosed(*given: Any) -> tuple[list[Interval], Any]:
        run = Comparisons()
        leaves = jax.tree.leaves(given, is_leaf=lambda one: isinstance(one, Interval))
        found = _evaluate(run, traced, leaves)
        for one in found:
            _refuse(one)
            if isinstance(one, Interval) and one.low.dtype == bool:
                run.moves = one.moves
                run.note(one)
        return [_numbers(interval(one)) for one in found], run.decided

    return enclosed


def _numbers(one: Interval) -> Interval:
    """Return an interval of which nothing is known where one end is NaN: it may contain NaN."""
    if one.low.dtype == bool:
        return one
    unknown = jnp.isnan(one.low) | jnp.isnan(one.high)
    low, high = (jnp.where(unknown, jnp.nan, end) for end in (one.low, one.high))
    return Interval(low, high, one.positive)


class _Rough(NamedTuple):
    """Numbers without bounds, of an operation on ``of``; only a verified solution may use them."""

    value: Any
    name: str
    of: Any


def _refuse(one: object) -> None:
    if isinstance(one, _Rough):
        raise Unsupported(f"no bound: {one.name} has no interval form")


def _evaluate(run: Comparisons, program: Any, operands: Sequence[Any]) -> list[Any]:
    return evaluate(program, operands, partial(_operation, run))


def _operation(run: Comparisons, equation: JaxprEqn, operands: list[Any]) -> list[Any]:
    """Return the results of an operation, with what is known of all results."""
    # derivatives repeat the operations of the function: each is evaluated once
    key = _key(equation, operands)
    if key in run.results:
        return run.results[key][1]
    moves = run.moves = any(one.moves for one in operands if isinstance(one, Interval))
    found = _apply(run, equation, operands)
    programs = _programs(operands)
    if equation.primitive.name not in CALLS and programs is not None:
        whole = cache(partial(_bound, equation, programs))
        for k, one in enumerate(found):
            if isinstance(one, Interval):
                one.program = partial(_nth, whole, k)
    infinite = intervals.signs(*(one for one in operands if isinstance(one, Interval)))
    for one in found:
        if isinstance(one, Interval):
            one.moves = moves
            if one.infinite is None:
                finite = not infinite or equation.primitive.name in FINITE
                one.infinite = intervals.NONE if finite else intervals.BOTH
    if key is not None:
        run.results[key] = operands, found  # operands too: no other may take the place of one in memory
    return found


def _key(equation: JaxprEqn, operands: list[Any]) -> Any:
    """Return what identifies an operation on the same operands; None for one that calls others."""
    if equation.primitive.name in CALLS:
        return None
    each = map(_identity, operands)
    try:
        key = (equation.primitive, tuple(sorted(equation.params.items())), tuple(each))
        hash(key)
    except TypeError:
        return None
    return key


def _identity(operand: object) -> Any:
    """Return what identifies an operand: of known numbers their values."""
    if isinstance(operand, Interval | _Rough | jax.core.Tracer):
        return id(operand)
    known = np.asarray(operand)
    return known.dtype.name, known.shape, known.tobytes()


def _apply(run: Comparisons, equation: JaxprEqn, operands: list[Any]) -> list[Any]:
    """Return the values of one operation."""
    primitive, params = equation.primitive, equation.params
    name = primitive.name
    if (program := called_program(equation)) is not None:
        return _evaluate(run, program, operands)
    if name == "stop_gradient":
        return operands  # the same numbers, by which factors are known to be those of a matrix
    if name == "custom_linear_solve":
        return [_solve(linear_solve(params, operands))]
    known = not any(isinstance(one, Interval | _Rough) for one in operands)
    if known and (name in MOVES or not rounds(equation)):
        return results_of_known(equation, operands)
    # without a rule numbers that no choice changes, such as draws under a fixed key, are those of the program
    if not _is_ruled(equation) and (programs := _programs(operands)) is not None:
        return _bound(equation, programs)
    if name == "lu" or (name in MOVES and any(isinstance(one, _Rough) for one in operands)):
        found = _bind(primitive, [_middle(one) for one in operands], params)
        return [_Rough(one, "lu", operands[0] if name == "lu" else None) for one in found]
    for one in operands:
        _refuse(one)
    if name == "scan":
        return _scan(run, equation, operands)
    if name == "cond":
        return _cond(run, operands, params)
    if name not in {*MOVES, *RULES, "scatter-add", "scatter_add", "polygamma"}:
        raise Unsupported(f"no bound: {name} has no interval form")
    check_kinds(equation)
    if name in MOVES:
        return _move(primitive, operands, params)
    if name in ("scatter-add", "scatter_add"):
        _check_index(name, operands[1])
        return [scatter_add(primitive, operands, params)]
    if name == "polygamma":
        return [_polygamma(*operands)]
    if name not in ("select_n", "sort"):
        same = len(operands) == 2 and operands[0] is operands[1]
        operands = [interval(one) for one in operands]
        operands = [operands[0]] * 2 if same else operands
    found = RULES[name](run, *operands, **params)
    each = found if isinstance(found, list) else [found]
    return [_wrapped(one, array_type(of).dtype) for one, of in zip(each, equation.outvars, strict=True)]


def results_of_known(equation: JaxprEqn, operands: Sequence[Any]) -> list[Any]:
    """Return the results of an operation on numbers, by NumPy if it can: to compile each takes longer."""
    traced = any(isinstance(one, jax.core.Tracer) for one in operands)
    results = None if traced else on_numbers(equation, operands)
    return _bind(equation.primitive, operands, equation.params) if results is None else results


def _is_ruled(equation: JaxprEqn) -> bool:
    """Return whether an operation has a rule, for numbers of the precision of all rules."""
    floats = [
        array_type(one).dtype
        for one in (*equation.invars, *equation.outvars)
        if jnp.issubdtype(array_type(one).dtype, jnp.inexact)
    ]
    name = equation.primitive.name
    return name in READ and all(dtype == jnp.float64 for dtype in floats)


def _programs(operands: Sequence[Any]) -> list[Callable[[], Any]] | None:
    """Return functions that compute numbers as the program does; None where any depends on choices."""
    found = []
    for one in operands:
        program = one.program if isinstance(one, Interval) else partial(_middle, one)
        if program is None or isinstance(one, _Rough):
            return None
        found.append(program)
    return found


def _bound(equation: JaxprEqn, operands: Sequence[Callable[[], Any]]) -> list[Any]:
    return _bind(equation.primitive, [one() for one in operands], equation.params)


def _nth(whole: Callable[[], list[Any]], k: int) -> Any:
    return whole()[k]


def _wrapped(one: Interval, dtype: Any) -> Interval:
    """Return integers; where they may exceed the largest of their kind, any of these."""
    if not jnp.issubdtype(dtype, jnp.integer):
        return one
    smallest, largest = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    fits = (one.low >= smallest) & (one.high <= largest)
    found = Interval(jnp.where(fits, one.low, smallest), jnp.where(fits, one.high, largest))
    found.infinite = intervals.NONE
    return found


def _bind(primitive: Any, operands: Sequence[Any], params: Any) -> list[Any]:
    """Return the operation on numbers; at once if they are known before compilation."""
    if any(isinstance(one, jax.core.Tracer) for one in operands):
        found = primitive.bind(*operands, **params)
    else:
        with jax.ensure_compile_time_eval():
            found = primitive.bind(*operands, **params)
    return list(found) if primitive.multiple_results else [found]


def rounds(equation: JaxprEqn) -> bool:
    """Return whether an operation on numbers may round."""
    floating = any(jnp.issubdtype(array_type(one).dtype, jnp.inexact) for one in equation.outvars)
    return floating and equation.primitive.name not in EXACT


def check_kinds(equation: JaxprEqn) -> None:
    """Refuse rounding of another precision, and integers where their rules differ."""
    name = equation.primitive.name
    for one in [*equation.invars, *equation.outvars]:
        dtype = array_type(one).dtype
        if jnp.issubdtype(dtype, jnp.inexact) and dtype != jnp.float64:
            raise Unsupported(f"no bound: {name} of {dtype}; must be of float64")
    for one in equation.outvars:
        if jnp.issubdtype(array_type(one).dtype, jnp.integer) and name not in INTEGER | MOVES:
            raise Unsupported(f"no bound: {name} of integers that depend on choices of players")


def _check_index(name: str, index: object) -> None:
    if isinstance(index, Interval):
        raise Unsupported(f"no bound: an index of {name} depends on choices of players")


def _middle(one: Any) -> Any:
    """Return a number in an interval."""
    if isinstance(one, Interval):
        return one.low / 2 + one.high / 2
    return one.value if isinstance(one, _Rough) else one


def _move(primitive: Any, operands: list[Any], params: Any) -> list[Any]:
    data = DATA.get(primitive.name, range(len(operands)))
    shifted = []
    for k, one in enumerate(operands):
        if k not in data:
            _check_index(primitive.name, one)
        shifted.append(interval(one) if k in data else one)
    ends = []
    for end in ENDS:
        found = primitive.bind(
            *(jnp.asarray(getattr(one, end)) if isinstance(one, Interval) else one for one in shifted),
            **params,
        )
        ends.append(list(found) if primitive.multiple_results else [found])
    ranges = [one for one in shifted if isinstance(one, Interval)]
    positive = all(one.positive for one in ranges)
    found = [Interval(low, high, positive) for low, high in zip(*ends, strict=True)]
    if len(shifted) == 1 and shifted[0].low is shifted[0].high:
        found = [Interval(one.low, one.low, positive) for one in found]
    for one in found:
        one.infinite = intervals.signs(*ranges)
    origin = shifted[0].origin
    if primitive.name in ("broadcast_in_dim", "reshape") and origin:
        found[0].origin = origin if is_repeated(origin, primitive.name, params) else None
    if primitive.name in ("reduce_max", "reduce_min") and len(params["axes"]) == 1:
        axis = params["axes"][0]
        if shifted[0].shape[axis] <= FEW:
            found[0].origin = (primitive.name, shifted[0], axis)
    return found


def _polygamma(order: Any, a: object) -> Interval:
    known = not isinstance(order, Interval | jax.core.Tracer) and bool(np.all(np.isin(order, ORDERS)))
    if not known:
        raise Unsupported(f"no bound: polygamma of an order other than {ORDERS}")
    return intervals.polygamma(order, interval(a))


def _multiplies(program: Any) -> bool:
    """Return whether operations multiply numbers by the entries of one matrix, as they are."""
    names = [equation.primitive.name for equation in operations_within(program)]
    known = {"dot_general", "transpose", "squeeze", "reshape", "broadcast_in_dim", *CALLS}
    return set(names) <= known and names.count("dot_general") == 1


def _is_solved_by_factors(system: LinearSolve) -> bool:
    """Return whether the solution is that of `jax.numpy.linalg.solve`, from the factors of the same matrix.

    A payoff is what a program computes: the solution of the equations only where the program solves them.
    """
    matvec, solve, factors = system.product, system.solution, system.factors
    names = [one.params.get("name") for one in solve.jaxpr.eqns]
    if len(system.entries) != 1 or names != ["_lu_solve"] or "transpose_a=True" in str(solve):
        return False
    if not factors or not all(isinstance(one, _Rough) and one.of is system.entries[0] for one in factors):
        return False
    # the products, which may be those of the transposed matrix, with numbers that tell every entry
    entries, places = (array_type(one).shape for one in matvec.jaxpr.invars)
    matrix = np.arange(1.0, 1 + np.prod(entries)).reshape(entries)
    numbers = np.arange(1.0, 1 + np.prod(places)).reshape(places) ** 2
    with jax.ensure_compile_time_eval():
        products = jax.core.eval_jaxpr(matvec.jaxpr, matvec.consts, matrix, numbers)[0]
        if len(places) < len(entries):
            expected = [(matrix @ numbers[..., None])[..., 0]]
        else:  # several right sides, as of an inverse: in columns or in rows
            turned = np.swapaxes(numbers, -1, -2)
            expected = [matrix @ numbers, np.swapaxes(matrix @ turned, -1, -2)]
        return any(np.array_equal(products, one) for one in expected)


def _solve(system: LinearSolve) -> Interval:
    """Return the solution of a few linear equations ``A x = b``, verified.

    With an approximate inverse C and an approximate solution ``x``, the error is at most
    ``|C (b - A x)| / (1 - |1 - C A|)`` in the maximum norm, where the denominator is positive.
    """
    jaxpr, consts, b = system.product, system.entries, interval(system.right[-1])
    size = int(np.prod(b.shape))
    if not _multiplies(jaxpr):
        raise Unsupported("no bound: a linear system that is given as a function")
    if not _is_solved_by_factors(system):
        raise Unsupported("no bound: a linear system that is solved by iteration, or by a rule of its own")
    if len(system.right) != 1 or size > UNKNOWNS:
        raise Unsupported(f"no bound: a system of {size} linear equations; at most {UNKNOWNS} are solved")
    for one in consts:
        _refuse(one)
    unit = jnp.eye(size)

    def row(*given: object) -> Any:
        return jax.core.eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *given)[0].ravel()

    def matrix(end: str) -> Any:
        # products with ones and zeros: exact
        ends = [getattr(one, end) if isinstance(one, Interval) else one for one in consts]
        return jax.vmap(lambda e: row(*ends, e.reshape(b.shape)), out_axes=1)(unit)

    a = Interval(*(matrix(end) for end in ENDS))
    right = Interval(b.low.ravel(), b.high.ravel())
    inverse = jnp.linalg.inv(a.low / 2 + a.high / 2)
    c, start = Interval(inverse, inverse), inverse @ (right.low / 2 + right.high / 2)

    def product(x: Interval, y: Interval) -> Interval:
        return intervals.contract(x, y, jnp.matmul, size)

    residual = intervals.subtract(right, product(a, Interval(start, start)))
    away = intervals.absolute(product(c, residual))
    rest = intervals.absolute(intervals.subtract(Interval(unit, unit), product(c, a)))
    norm = jnp.max(intervals.total(rest, (1,)).high)
    error = intervals.divide(
        interval(jnp.max(away.high)), intervals.subtract(intervals.ONE, Interval(norm, norm))
    ).high
    error = jnp.where(norm < 1, error, jnp.nan)
    found = intervals.widen(start - error, start + error)
    return Interval(found.low.reshape(b.shape), found.high.reshape(b.shape))


def _scan(run: Comparisons, equation: JaxprEqn, operands: list[Any]) -> list[Any]:
    """Return the result of a loop of known length, unrolled."""
    scan = Scan(equation.params)
    if scan.length > STEPS:
        raise Unsupported(f"no bound: a loop of {scan.length} steps; must be of at most {STEPS}")
    carry, columns = scan.unrolled(operands, partial(_evaluate, run, scan.body), _entry)
    stacked = []
    for column, of in zip(columns, equation.outvars[scan.carried :], strict=True):
        each = [interval(one) for one in column]
        empty = [interval(jnp.zeros(array_type(of).shape, array_type(of).dtype))]
        join = jnp.stack if each else jnp.concatenate
        low, high = (join([getattr(one, end) for one in each or empty]) for end in ENDS)
        whole = Interval(low, high, all(one.positive for one in each))
        whole.infinite = intervals.signs(*each)
        stacked.append(whole)
    return [*carry, *stacked]


def _entry(one: Any, k: int) -> Any:
    """Return row k; a known number stays known."""
    if isinstance(one, Interval):
        found = Interval(one.low[k], one.high[k], one.positive)
        found.moves, found.infinite = one.moves, one.infinite
        return found
    # keys of random numbers cannot be NumPy arrays
    traced = isinstance(one, jax.core.Tracer) or jnp.issubdtype(one.dtype, jax.dtypes.prng_key)
    return one[k] if traced else np.asarray(one)[k]


def _cond(run: Comparisons, operands: list[Any], params: Any) -> list[Any]:
    which = operands[0]
    known = not isinstance(which, Interval | jax.core.Tracer)
    found: list[list[Any]] = cases(params, operands, partial(_evaluate, run), known)
    if known:
        return found[0]
    run.moves = isinstance(which, Interval) and which.moves
    which = interval(which)
    if which.low.dtype == bool:
        which = Interval(which.low.astype(float), which.high.astype(float))
    return [choose(run, which, [interval(case) for case in column]) for column in zip(*found, strict=True)]

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
    BEST_RESPONSE,
    CALLS,
    LinearSolve,
    Scan,
    Values,
    array_type,
    called_program,
    cases,
    evaluate,
    in_words,
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
        *("lu", "polygamma", "scatter-add", "scatter_add", BEST_RESPONSE),
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

    def enclosed(*arguments: Any) -> tuple[list[Interval], Any]:
        run = Comparisons()
        leaves = jax.tree.leaves(arguments, is_leaf=lambda value: isinstance(value, Interval))
        results = _evaluate(run, traced, leaves)
        for value in results:
            _refuse(value)
            if isinstance(value, Interval) and value.low.dtype == bool:
                run.moves = value.moves
                run.note(value)
        return [_numbers(interval(value)) for value in results], run.decided

    return enclosed


def _numbers(a: Interval) -> Interval:
    """Return an interval of which nothing is known where one end is NaN: it may contain NaN."""
    if a.low.dtype == bool:
        return a
    unknown = jnp.isnan(a.low) | jnp.isnan(a.high)
    low, high = (jnp.where(unknown, jnp.nan, end) for end in (a.low, a.high))
    return Interval(low, high, a.positive)


class _Rough(NamedTuple):
    """Numbers without bounds, of an operation on ``of``; only a verified solution may use them."""

    value: Any
    name: str
    of: Any


def _refuse(operand: object) -> None:
    if isinstance(operand, _Rough):
        raise Unsupported(f"no bound: payoffs contain {in_words(operand.name)}, of which no bounds are known")


def _evaluate(run: Comparisons, program: Any, operands: Sequence[Any]) -> Values:
    return evaluate(program, operands, partial(_operation, run))


def _operation(run: Comparisons, equation: JaxprEqn, operands: Values) -> Values:
    """Return the results of an operation, with what is known of all results."""
    # derivatives repeat the operations of the function: each is evaluated once
    key = _key(equation, operands)
    if key in run.results:
        return run.results[key][1]
    moves = run.moves = any(value.moves for value in operands if isinstance(value, Interval))
    results = _apply(run, equation, operands)
    programs = _programs(operands)
    if equation.primitive.name not in CALLS and programs is not None:
        evaluation = cache(partial(_bound, equation, programs))
        for k, value in enumerate(results):
            if isinstance(value, Interval):
                value.program = partial(_nth, evaluation, k)
    infinite = intervals.signs(*(value for value in operands if isinstance(value, Interval)))
    for value in results:
        if isinstance(value, Interval):
            value.moves = moves
            if value.infinite is None:
                finite = not infinite or equation.primitive.name in FINITE
                value.infinite = intervals.NONE if finite else intervals.BOTH
    if key is not None:
        run.results[key] = operands, results  # operands too: no other may take the place of one in memory
    return results


def _key(equation: JaxprEqn, operands: Values) -> Any:
    """Key of an operation on the same operands; None for one that calls others."""
    if equation.primitive.name in CALLS:
        return None
    identities = map(_identity, operands)
    try:
        key = (equation.primitive, tuple(sorted(equation.params.items())), tuple(identities))
        hash(key)
    except TypeError:
        return None
    return key


def _identity(operand: object) -> Any:
    """Key of an operand: of known numbers their values."""
    if isinstance(operand, Interval | _Rough | jax.core.Tracer):
        return id(operand)
    numbers = np.asarray(operand)
    return numbers.dtype.name, numbers.shape, numbers.tobytes()


def _apply(run: Comparisons, equation: JaxprEqn, operands: Values) -> Values:
    """Return the values of one operation."""
    primitive, params = equation.primitive, equation.params
    name = primitive.name
    if (program := called_program(equation)) is not None:
        return _evaluate(run, program, operands)
    if name == "stop_gradient":
        return operands  # the same numbers, by which factors are known to be those of a matrix
    if name == "custom_linear_solve":
        return [_solve(linear_solve(params, operands))]
    is_exact = not any(isinstance(value, Interval | _Rough) for value in operands)
    if is_exact and (name in MOVES or not rounds(equation)):
        return results_of_known(equation, operands)
    # without a rule numbers that no choice changes, such as draws under a fixed key, are those of the program
    if not _is_ruled(equation) and (programs := _programs(operands)) is not None:
        return _bound(equation, programs)
    if name == "lu" or (name in MOVES and any(isinstance(value, _Rough) for value in operands)):
        result = _bind(primitive, [_middle(value) for value in operands], params)
        return [_Rough(value, "lu", operands[0] if name == "lu" else None) for value in result]
    for value in operands:
        _refuse(value)
    if name == "scan":
        return _scan(run, equation, operands)
    if name == "cond":
        return _cond(run, operands, params)
    if name not in {*MOVES, *RULES, "scatter-add", "scatter_add", "polygamma"}:
        raise Unsupported(f"no bound: payoffs contain {in_words(name)}, of which no bounds are known")
    check_kinds(equation)
    if name in MOVES:
        return _move(primitive, operands, params)
    if name in ("scatter-add", "scatter_add"):
        _check_index(operands[1])
        return [scatter_add(primitive, operands, params)]
    if name == "polygamma":
        return [_polygamma(*operands)]
    if name not in ("select_n", "sort"):
        is_same = len(operands) == 2 and operands[0] is operands[1]
        operands = [interval(value) for value in operands]
        operands = [operands[0]] * 2 if is_same else operands
    result = RULES[name](run, *operands, **params)
    results = result if isinstance(result, list) else [result]
    return [
        _wrapped(value, array_type(of).dtype) for value, of in zip(results, equation.outvars, strict=True)
    ]


def results_of_known(equation: JaxprEqn, operands: Sequence[Any]) -> Values:
    """Return the results of an operation on numbers, by NumPy if it can: to compile each takes longer."""
    traced = any(isinstance(operand, jax.core.Tracer) for operand in operands)
    results = None if traced else on_numbers(equation, operands)
    return _bind(equation.primitive, operands, equation.params) if results is None else results


def _is_ruled(equation: JaxprEqn) -> bool:
    """True if an operation has a rule, for numbers of the precision of all rules."""
    floats = [
        array_type(variable).dtype
        for variable in (*equation.invars, *equation.outvars)
        if jnp.issubdtype(array_type(variable).dtype, jnp.inexact)
    ]
    name = equation.primitive.name
    return name in READ and all(dtype == jnp.float64 for dtype in floats)


def _programs(operands: Sequence[Any]) -> list[Callable[[], Any]] | None:
    """Return functions that compute numbers as the program does; None where any depends on choices."""
    programs = []
    for operand in operands:
        program = operand.program if isinstance(operand, Interval) else partial(_middle, operand)
        if program is None or isinstance(operand, _Rough):
            return None
        programs.append(program)
    return programs


def _bound(equation: JaxprEqn, operands: Sequence[Callable[[], Any]]) -> Values:
    return _bind(equation.primitive, [operand() for operand in operands], equation.params)


def _nth(evaluation: Callable[[], Values], k: int) -> Any:
    return evaluation()[k]


def _wrapped(a: Interval, dtype: Any) -> Interval:
    """Return integers; where they may exceed the largest of their kind, any of these."""
    if not jnp.issubdtype(dtype, jnp.integer):
        return a
    smallest, largest = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    fits = (a.low >= smallest) & (a.high <= largest)
    result = Interval(jnp.where(fits, a.low, smallest), jnp.where(fits, a.high, largest))
    result.infinite = intervals.NONE
    return result


def _bind(primitive: Any, operands: Sequence[Any], params: Any) -> Values:
    """Return the operation on numbers; at once if they are known before compilation."""
    if any(isinstance(operand, jax.core.Tracer) for operand in operands):
        result = primitive.bind(*operands, **params)
    else:
        with jax.ensure_compile_time_eval():
            result = primitive.bind(*operands, **params)
    return list(result) if primitive.multiple_results else [result]


def rounds(equation: JaxprEqn) -> bool:
    """True if an operation on numbers may round."""
    floating = any(jnp.issubdtype(array_type(variable).dtype, jnp.inexact) for variable in equation.outvars)
    return floating and equation.primitive.name not in EXACT


def check_kinds(equation: JaxprEqn) -> None:
    """Refuse rounding of another precision, and integers where their rules differ."""
    name = equation.primitive.name
    for variable in [*equation.invars, *equation.outvars]:
        dtype = array_type(variable).dtype
        if jnp.issubdtype(dtype, jnp.inexact) and dtype != jnp.float64:
            raise Unsupported(f"no bound: numbers of type {dtype}; must be float64")
    for variable in equation.outvars:
        if jnp.issubdtype(array_type(variable).dtype, jnp.integer) and name not in INTEGER | MOVES:
            raise Unsupported("no bound: integers that depend on choices of players")


def _check_index(index: object) -> None:
    if isinstance(index, Interval):
        raise Unsupported("no bound: an index depends on choices of players")


def _middle(number: Any) -> Any:
    """Return a number in an interval."""
    if isinstance(number, Interval):
        return number.low / 2 + number.high / 2
    return number.value if isinstance(number, _Rough) else number


def _move(primitive: Any, operands: Values, params: Any) -> Values:
    data = DATA.get(primitive.name, range(len(operands)))
    shifted = []
    for k, value in enumerate(operands):
        if k not in data:
            _check_index(value)
        shifted.append(interval(value) if k in data else value)
    ends = []
    for end in ENDS:
        results = primitive.bind(
            *(
                jnp.asarray(getattr(value, end)) if isinstance(value, Interval) else value
                for value in shifted
            ),
            **params,
        )
        ends.append(list(results) if primitive.multiple_results else [results])
    ranges = [value for value in shifted if isinstance(value, Interval)]
    positive = all(value.positive for value in ranges)
    results = [Interval(low, high, positive) for low, high in zip(*ends, strict=True)]
    if len(shifted) == 1 and shifted[0].low is shifted[0].high:
        results = [Interval(value.low, value.low, positive) for value in results]
    for value in results:
        value.infinite = intervals.signs(*ranges)
    origin = shifted[0].origin
    if primitive.name in ("broadcast_in_dim", "reshape") and origin:
        results[0].origin = origin if is_repeated(origin, primitive.name, params) else None
    if primitive.name in ("reduce_max", "reduce_min") and len(params["axes"]) == 1:
        axis = params["axes"][0]
        if shifted[0].shape[axis] <= FEW:
            results[0].origin = (primitive.name, shifted[0], axis)
    return results


def _polygamma(order: Any, a: object) -> Interval:
    is_supported = not isinstance(order, Interval | jax.core.Tracer) and bool(np.all(np.isin(order, ORDERS)))
    if not is_supported:
        raise Unsupported(f"no bound: derivatives of the digamma function of an order other than {ORDERS}")
    return intervals.polygamma(order, interval(a))


def _multiplies(program: Any) -> bool:
    """True if operations multiply numbers by the entries of one matrix, as they are."""
    names = [equation.primitive.name for equation in operations_within(program)]
    linear_names = {"dot_general", "transpose", "squeeze", "reshape", "broadcast_in_dim", *CALLS}
    return set(names) <= linear_names and names.count("dot_general") == 1


def _is_solved_by_factors(system: LinearSolve) -> bool:
    """True if the solution is that of `jax.numpy.linalg.solve`, from the factors of the same matrix.

    A payoff is what a program computes: the solution of the equations only where the program solves them.
    """
    matvec, solve, factors = system.product, system.solution, system.factors
    names = [part.params.get("name") for part in solve.jaxpr.eqns]
    if len(system.entries) != 1 or names != ["_lu_solve"] or "transpose_a=True" in str(solve):
        return False
    if not factors or not all(isinstance(part, _Rough) and part.of is system.entries[0] for part in factors):
        return False
    # the products, which may be those of the transposed matrix, with numbers that tell every entry
    entries, places = (array_type(part).shape for part in matvec.jaxpr.invars)
    matrix = np.arange(1.0, 1 + np.prod(entries)).reshape(entries)
    numbers = np.arange(1.0, 1 + np.prod(places)).reshape(places) ** 2
    with jax.ensure_compile_time_eval():
        products = jax.core.eval_jaxpr(matvec.jaxpr, matvec.consts, matrix, numbers)[0]
        if len(places) < len(entries):
            expected = [(matrix @ numbers[..., None])[..., 0]]
        else:  # several right sides, as of an inverse: in columns or in rows
            if places[-1] != places[-2]:
                return False
            turned = np.swapaxes(numbers, -1, -2)
            expected = [matrix @ numbers, np.swapaxes(matrix @ turned, -1, -2)]
        return any(np.array_equal(products, part) for part in expected)


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
    for entry in consts:
        _refuse(entry)
    unit = jnp.eye(size)

    def row(*operands: object) -> Any:
        return jax.core.eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *operands)[0].ravel()

    def matrix(end: str) -> Any:
        # products with ones and zeros: exact
        ends = [getattr(entry, end) if isinstance(entry, Interval) else entry for entry in consts]
        return jax.vmap(lambda e: row(*ends, e.reshape(b.shape)), out_axes=1)(unit)

    a = Interval(*(matrix(end) for end in ENDS))
    right = Interval(b.low.ravel(), b.high.ravel())
    inverse = jnp.linalg.inv(a.low / 2 + a.high / 2)
    c, start = Interval(inverse, inverse), inverse @ (right.low / 2 + right.high / 2)

    def product(x: Interval, y: Interval) -> Interval:
        return intervals.contract(x, y, jnp.matmul, size)

    residual = intervals.subtract(right, product(a, Interval(start, start)))
    correction = intervals.absolute(product(c, residual))
    defect = intervals.absolute(intervals.subtract(Interval(unit, unit), product(c, a)))
    norm = jnp.max(intervals.total(defect, (1,)).high)
    error = intervals.divide(
        interval(jnp.max(correction.high)), intervals.subtract(intervals.ONE, Interval(norm, norm))
    ).high
    error = jnp.where(norm < 1, error, jnp.nan)
    solution = intervals.widen(start - error, start + error)
    return Interval(solution.low.reshape(b.shape), solution.high.reshape(b.shape))


def _scan(run: Comparisons, equation: JaxprEqn, operands: Values) -> Values:
    """Return the result of a loop of known length, unrolled."""
    scan = Scan(equation.params)
    if scan.length > STEPS:
        raise Unsupported(f"no bound: a loop of {scan.length} steps; must be of at most {STEPS}")
    carry, columns = scan.unrolled(operands, partial(_evaluate, run, scan.body), _entry)
    stacked = []
    for column, of in zip(columns, equation.outvars[scan.carried :], strict=True):
        rows = [interval(row) for row in column]
        empty = [interval(jnp.zeros(array_type(of).shape, array_type(of).dtype))]
        join = jnp.stack if rows else jnp.concatenate
        low, high = (join([getattr(row, end) for row in rows or empty]) for end in ENDS)
        result = Interval(low, high, all(row.positive for row in rows))
        result.infinite = intervals.signs(*rows)
        stacked.append(result)
    return [*carry, *stacked]


def _entry(a: Any, k: int) -> Any:
    """Return row k; a known number stays known."""
    if isinstance(a, Interval):
        row = Interval(a.low[k], a.high[k], a.positive)
        row.moves, row.infinite = a.moves, a.infinite
        return row
    # keys of random numbers cannot be NumPy arrays
    traced = isinstance(a, jax.core.Tracer) or jnp.issubdtype(a.dtype, jax.dtypes.prng_key)
    return a[k] if traced else np.asarray(a)[k]


def _cond(run: Comparisons, operands: Values, params: Any) -> Values:
    index = operands[0]
    is_concrete = not isinstance(index, Interval | jax.core.Tracer)
    results: list[Values] = cases(params, operands, partial(_evaluate, run), is_concrete)
    if is_concrete:
        return results[0]
    run.moves = isinstance(index, Interval) and index.moves
    index = interval(index)
    if index.low.dtype == bool:
        index = Interval(index.low.astype(float), index.high.astype(float))
    return [choose(run, index, [interval(case) for case in column]) for column in zip(*results, strict=True)]

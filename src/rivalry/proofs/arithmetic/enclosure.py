"""Bounds on traced functions: a function written in JAX, evaluated in interval arithmetic.

The operations of a function (`rivalry.proofs.arithmetic.program`) are repeated on intervals, on many rows at
a time. Operations that move or select numbers are applied to both endpoints; others have rules in
`rivalry.proofs.arithmetic.rules`. A comparison that the intervals leave undecided gives the hull of both
branches and is reported: derivatives may then jump.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.dispatch import Unsupported
from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.array_rules import Unknown, with_rows
from rivalry.proofs.arithmetic.intervals import Interval, interval
from rivalry.proofs.arithmetic.program import (
    MOVES,
    CondCall,
    Endless,
    Operation,
    Program,
    ScanCall,
    ThroughJax,
    rounds,
    traced,
)
from rivalry.proofs.arithmetic.programs import (
    BEST_RESPONSE,
    CALLS,
    SHIFT,
    LinearSolve,
    Values,
    array_type,
    in_words,
    linear_solve,
    operations_within,
)
from rivalry.proofs.arithmetic.rules import (
    ENDS,
    FINITE,
    INTEGER,
    RULES,
    Comparisons,
    aligned,
    by_row,
    choose,
    is_repeated,
    scatter_add,
    select,
)
from rivalry.runtime.jax import is_key, jax

STEPS = 1000  # of a loop that is unrolled
UNKNOWNS = 64  # of a system of linear equations
ORDERS = (1.0, 2.0, 3.0)  # of derivatives of `digamma` whose error is measured

DATA = {"gather": (0,), "scatter": (0, 2), "dynamic_slice": (0,), "dynamic_update_slice": (0, 1)}
"""Operands that are moved; the others are indices."""

READ = frozenset(
    [
        *(*MOVES, *RULES, *CALLS, "select_n", "custom_linear_solve", "scan", "cond"),
        *("lu", "polygamma", "scatter-add", "scatter_add", BEST_RESPONSE),
    ]
)
"""Operations that can be read."""


class Enclosure(NamedTuple):
    """Bounds on the results of a function, by row."""

    values: list[Interval]  # [row ..]
    decided: ndarray  # whether every comparison on which results depend is decided, [row]
    finite: ndarray  # whether held numbers (`rivalry.proofs.arithmetic.stop_gradients`) are finite, [row]


def enclosed(function: Callable[..., Any], shared: tuple[Any, ...], *rows: Any) -> Enclosure:
    """Return bounds on a function of many rows, which is traced once.

    The function, in JAX, takes ``shared`` trees (`rivalry.proofs.arithmetic.program.traced`) and one row of
    each other argument, to an array or several. ``rows`` are arrays with rows in front, or their intervals.

    Raises
    ------
    Unsupported
        For an operation without a rule, which is named.
    """
    ends = [row.low if isinstance(row, Interval) else row for row in rows]
    shapes = [jax.ShapeDtypeStruct(end.shape[1:], end.dtype) for end in ends]
    count = max(map(len, ends), default=1)
    try:
        (program, *_), numbers = traced(function, shared, shapes)
    except Unknown as reason:
        raise Unsupported(f"no bound: payoffs have {reason}") from None
    run = Comparisons()
    with np.errstate(all="ignore"):
        results = evaluate_on_intervals(run, program, [*numbers, *rows])
        values = [_in_all_rows(_checked(run, value), count) for value in results]
    return Enclosure(values, *(np.broadcast_to(mask, count) for mask in (run.decided, run.finite)))


def _checked(run: Comparisons, value: Any) -> Interval:
    """Return a result; one of a comparison must be decided, and NaN at one end is nothing at both."""
    _refuse(value)
    if isinstance(value, Interval) and value.low.dtype == bool:
        run.moves = value.moves
        return run.note(value)
    value = interval(value)
    unknown = np.isnan(value.low) | np.isnan(value.high)
    if not np.any(unknown):
        return value
    low, high = (np.where(unknown, np.nan, end) for end in (value.low, value.high))
    return Interval(low, high, value.positive)


def _in_all_rows(a: Interval, count: int) -> Interval:
    if len(a.low) == count:
        return a
    return a.at_ends(lambda end: np.broadcast_to(end, (count, *end.shape[1:])))


def enclose(function: Callable[..., Any], *examples: Any) -> Callable[..., tuple[list[Interval], Any]]:
    """Return the interval form of a function in JAX of arrays with the shapes of ``examples``, for one row.

    It takes arrays or intervals, and returns a list of intervals, and whether every comparison was decided.

    Raises
    ------
    Unsupported
        For an operation without a rule, which is named.
    """
    try:
        program = Program(jax.make_jaxpr(function)(*examples))
    except Unknown as reason:
        raise Unsupported(f"no bound: payoffs have {reason}") from None

    def call(*arguments: Any) -> tuple[list[Interval], Any]:
        run = Comparisons()
        leaves = jax.tree.leaves(arguments, is_leaf=lambda value: isinstance(value, Interval))
        with np.errstate(all="ignore"):
            results = evaluate_on_intervals(run, program, [_row(leaf) for leaf in leaves])
            values = [_checked(run, value) for value in results]
        decided = bool(np.all(run.decided & run.finite))
        return [value[0] for value in values], decided

    return call


def _row(value: Any) -> Any:
    if not isinstance(value, Interval):
        return np.asarray(value)[None]
    return value.at_ends(lambda end: np.asarray(end)[None])


class _Rough(NamedTuple):
    """Numbers without bounds, of an operation on ``of``; only a verified solution may use them."""

    value: Any
    name: str
    of: Any


def _refuse(operand: object) -> None:
    if isinstance(operand, _Rough):
        raise Unsupported(f"no bound: {_unknown(operand.name)}")


def evaluate_on_intervals(run: Comparisons, program: Program, arguments: Sequence[Any]) -> Values:
    """Return the results of a program for intervals and known numbers, with rows in front."""
    if program.rules is None:
        program.rules = [_rule(step) for step in program.operations]
        numbers = [number for number in program.constants.values() if not is_key(number)]
        program.lifted = {id(number): (number, interval(number)) for number in numbers}
    values: dict[int, Any] = dict(program.constants)
    values.update(zip(program.arguments, arguments, strict=True))
    run.lifted.update(program.lifted)
    within_shift = run.in_shift
    for step, rule in zip(program.operations, program.rules, strict=True):
        run.in_shift = within_shift or step.only_in_shifts
        results = _results(run, step, rule, [values[k] for k in step.operands])
        values.update(zip(step.results, results, strict=True))
        for k in step.last:
            del values[k]
    run.in_shift = within_shift
    return [values[k] for k in program.results]


Apply = Callable[[Comparisons, Operation, Values], Values]


class _Rule(NamedTuple):
    """Evaluation of an operation: its function of intervals, None if it has none for such numbers."""

    apply: Apply | None
    exact: bool  # whether it does not round known numbers
    takes_rough: bool = False  # whether it takes numbers without bounds
    refusal: str = ""


def _rule(op: Operation) -> _Rule:
    name = op.equation.name
    exact = not rounds(op.equation)
    if name in _SYSTEMS:
        return _Rule(_SYSTEMS[name], False, takes_rough=True)
    kinds = (*op.equation.kinds, *op.equation.outs)
    inexact = [kind.dtype for kind in kinds if kind.dtype.kind in "fc"]
    is_ruled = name in READ and all(dtype == np.float64 for dtype in inexact)
    # what NumPy leaves to JAX may be another operation than that of the rule
    if isinstance(op.call, ThroughJax) and name not in (*MOVES, "reduce_precision", "polygamma"):
        return _Rule(None, exact, refusal=refusal(op) or _unknown(name))
    if not is_ruled:
        return _Rule(None, exact, refusal=refusal(op))
    if name in MOVES:
        return _Rule(_move, exact, takes_rough=True)
    if name in ("scan", "cond"):
        return _Rule(_OF_ARRAYS[name], exact)
    return _Rule(_OF_ARRAYS.get(name, _by_rule), exact, refusal=refusal(op))


def _results(run: Comparisons, op: Operation, rule: _Rule, operands: Values) -> Values:
    """Return the results of an operation, with what is known of all results."""
    ranges = [value for value in operands if type(value) is Interval]
    is_known = not ranges and not any(type(value) is _Rough for value in operands)
    if is_known and rule.exact:
        return _of_known(op, operands)
    moves = run.moves = any(value.moves for value in ranges)
    # without a rule numbers that no choice changes, such as draws under a fixed key, are those of the program
    numbers = None if moves else _numbers(operands)
    if rule.apply is None and numbers is not None:
        return _of_numbers(op, numbers)
    if not rule.takes_rough:
        for value in operands:
            _refuse(value)
    if rule.refusal:
        raise Unsupported(f"no bound: {rule.refusal}")
    results = rule.apply(run, op, operands) if rule.apply else []
    infinite = intervals.signs(*ranges)
    evaluation = None if numbers is None else cache(partial(_of_numbers, op, numbers))
    for k, value in enumerate(results):
        if type(value) is not Interval:
            continue
        if evaluation is not None:
            value.number = partial(_nth, evaluation, k)
        value.moves = moves
        if value.infinite is None:
            finite = not infinite or op.equation.name in FINITE
            value.infinite = intervals.NONE if finite else intervals.BOTH
    return results


def _by_rule(run: Comparisons, op: Operation, operands: Values) -> Values:
    """Return the results of an operation on entries, or of one with a rule for its ranks."""
    ranges = [run.lift(value) for value in operands]
    rank = len(op.equation.outs[0].shape)
    name = op.equation.name
    if name not in _RANKED and any(len(value.low) > 1 and value.low.ndim <= rank for value in ranges):
        ranges = [aligned(value, rank) for value in ranges]
    return [_whole(RULES[name](run, op, *ranges), op)]


_RANKED = frozenset(("dot_general", "reduce_sum", "reduce_prod", BEST_RESPONSE))
"""Operations whose operands have ranks of their own."""


def _factors(run: Comparisons, op: Operation, operands: Values) -> Values:
    return [_Rough(value, "lu", operands[0]) for value in op.call(_middle(operands[0]))]


def _shift(run: Comparisons, op: Operation, operands: Values) -> Values:
    """Return a number in an interval, which stays fixed: results are the same for all finite ones."""
    (value,) = operands
    middle = _middle(value)
    low, high = (value.low, value.high) if isinstance(value, Interval) else (middle, middle)
    run.finite = run.finite & by_row(np.isfinite(low) & np.isfinite(high))
    return [middle]


def _of_known(op: Operation, operands: Values) -> Values:
    """Return the results of an operation on known numbers."""
    try:
        return op.call(*operands)
    except Endless as error:
        raise Unsupported(f"no bound: payoffs contain {error}") from None


def _of_numbers(op: Operation, numbers: Sequence[Callable[[], Any]]) -> Values:
    return _of_known(op, [number() for number in numbers])


def _nth(evaluation: Callable[[], Values], k: int) -> Any:
    return evaluation()[k]


def _numbers(operands: Sequence[Any]) -> list[Callable[[], Any]] | None:
    """Return functions that compute numbers as the program does; None where any depends on choices."""
    numbers = []
    for operand in operands:
        number = operand.number if isinstance(operand, Interval) else partial(_middle, operand)
        if number is None or isinstance(operand, _Rough):
            return None
        numbers.append(number)
    return numbers


def _whole(a: Interval, op: Operation) -> Interval:
    """Return integers; where they may exceed the largest of their kind, any of these."""
    dtype = op.equation.outs[0].dtype
    if dtype.kind not in "iu":
        return a
    smallest, largest = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    fits = (a.low >= smallest) & (a.high <= largest)
    low, high = np.where(fits, a.low, smallest), np.where(fits, a.high, largest)
    return Interval(low, high, infinite=intervals.NONE)


def _unknown(name: str) -> str:
    return f"payoffs contain {in_words(name)}, of which no bounds are known"


def refusal(op: Operation) -> str:
    """Return why an operation has no rule: another precision, integers where rules differ; else nothing."""
    name = op.equation.name
    if name not in READ:
        return _unknown(name)
    for kind in (*op.equation.kinds, *op.equation.outs):
        if kind.dtype.kind in "fc" and kind.dtype != np.float64:
            return f"numbers of type {kind.dtype}; must be float64"
    if any(out.dtype.kind in "iu" for out in op.equation.outs) and name not in INTEGER | MOVES:
        return "integers that depend on choices of players"
    return ""


def _check_index(index: object) -> None:
    if isinstance(index, Interval):
        raise Unsupported("no bound: an index depends on choices of players")


def _middle(number: Any) -> Any:
    """Return a number in an interval."""
    if isinstance(number, Interval):
        return number.low if number.low is number.high else number.low / 2 + number.high / 2
    return number.value if isinstance(number, _Rough) else number


def _move(run: Comparisons, op: Operation, operands: Values) -> Values:
    """Return moved numbers; those without bounds stay without."""
    name = op.equation.name
    if any(type(value) is _Rough for value in operands):
        return [_Rough(value, "lu", None) for value in op.call(*map(_middle, operands))]
    data = DATA.get(name, range(len(operands)))
    operands = [run.lift(value) if k in data else value for k, value in enumerate(operands)]
    for k, value in enumerate(operands):
        if k not in data:
            _check_index(value)
    ranges = [value for value in operands if type(value) is Interval]
    positive = all(value.positive for value in ranges)
    low = op.call(*[value.low if type(value) is Interval else value for value in operands])
    high = low
    if any(value.low is not value.high for value in ranges):
        high = op.call(*[value.high if type(value) is Interval else value for value in operands])
    signs = intervals.signs(*ranges)
    results = [Interval(below, above, positive, signs) for below, above in zip(low, high, strict=True)]
    origin = operands[0].origin
    if name in ("broadcast_in_dim", "reshape") and origin:
        results[0].origin = origin if is_repeated(origin, op) else None
    return results


def _polygamma(run: Comparisons, op: Operation, operands: Values) -> Values:
    order, a = operands
    if isinstance(order, Interval) or not bool(np.all(np.isin(order, ORDERS))):
        raise Unsupported(f"no bound: derivatives of the digamma function of an order other than {ORDERS}")
    return [intervals.polygamma(order, run.lift(a))]


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


def _solve(run: Comparisons, op: Operation, operands: Values) -> Values:
    """Return bounds on the solution of a few linear equations ``A x = b``.

    With an approximate inverse ``C`` of ``A``, an approximate solution ``x`` is in error by at most
    ``|C (b - A x)| / (1 - |1 - C A|)`` in the maximum norm, if the denominator is positive.
    """
    system = linear_solve(op.equation.params, operands)
    jaxpr, consts, b = system.product, system.entries, interval(system.right[-1])
    shape = b.shape[1:]
    size = int(np.prod(shape))
    if not _multiplies(jaxpr):
        raise Unsupported("no bound: a linear system that is given as a function")
    if not _is_solved_by_factors(system):
        raise Unsupported("no bound: a linear system that is solved by iteration, or by a rule of its own")
    if len(system.right) != 1 or size > UNKNOWNS:
        raise Unsupported(f"no bound: a system of {size} linear equations; at most {UNKNOWNS} are solved")
    for entry in consts:
        _refuse(entry)
    unit = np.eye(size)
    product_of = Program(jaxpr)

    def matrix(end: str) -> Any:
        # products with ones and zeros: exact
        ends = [getattr(entry, end) if isinstance(entry, Interval) else entry for entry in consts]
        columns = [product_of(*ends, row.reshape(1, *shape))[0] for row in unit]
        return np.stack([column.reshape(len(column), size) for column in columns], axis=2)

    a = Interval(*(matrix(end) for end in ENDS))
    right = Interval(b.low.reshape(-1, size, 1), b.high.reshape(-1, size, 1))
    inverse = inverses(a.low / 2 + a.high / 2)
    c, x = Interval(inverse, inverse), inverse @ (right.low / 2 + right.high / 2)

    def product(left: Interval, right: Interval) -> Interval:
        return intervals.contract(left, right, np.matmul, size)

    residual = intervals.subtract(right, product(a, Interval(x, x)))
    correction = intervals.absolute(product(c, residual))
    defect = intervals.absolute(intervals.subtract(Interval(unit, unit), product(c, a)))
    norm = np.max(intervals.total(defect, (2,)).high, axis=1)[:, None, None]
    largest = interval(np.max(correction.high, axis=1, keepdims=True))
    error = intervals.divide(largest, intervals.subtract(intervals.ONE, Interval(norm, norm))).high
    error = np.where(norm < 1, error, np.nan)
    solution = intervals.widen(x - error, x + error)
    return [solution.at_ends(lambda end: end.reshape(-1, *shape))]


def inverses(matrix: ndarray) -> ndarray:
    """Return approximate inverses; NaN of a singular matrix."""
    try:
        return np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        good = np.isfinite(matrix).all(axis=(1, 2)) & (np.linalg.det(matrix) != 0)
        result = np.full(matrix.shape, np.nan)
        result[good] = np.linalg.inv(matrix[good])
        return result


def _scan(run: Comparisons, op: Operation, operands: Values) -> Values:
    """Return the result of a loop of known length, unrolled."""
    loop: ScanCall = op.call
    if loop.scan.length > STEPS:
        raise Unsupported(f"no bound: a loop of {loop.scan.length} steps; must be of at most {STEPS}")
    step = partial(evaluate_on_intervals, run, loop.body)
    carry, columns = loop.scan.unrolled(operands, step, lambda a, k: a[:, k])
    stacked = []
    for column, out in zip(columns, loop.outs, strict=True):
        if not column:  # a loop without steps
            stacked.append(interval(np.zeros((1, *out.shape), out.dtype)))
            continue
        rows = list(map(run.lift, column))
        low = np.stack(with_rows([row.low for row in rows]), axis=1)
        high = np.stack(with_rows([row.high for row in rows]), axis=1)
        stacked.append(Interval(low, high, all(row.positive for row in rows), intervals.signs(*rows)))
    return [*carry, *stacked]


def _cond(run: Comparisons, op: Operation, operands: Values) -> Values:
    branches: CondCall = op.call
    index, *arguments = operands
    if not isinstance(index, Interval) and np.all(index == index[0]):
        branch = branches.programs[min(max(int(index[0]), 0), len(branches.programs) - 1)]
        return evaluate_on_intervals(run, branch, arguments)
    results = [evaluate_on_intervals(run, program, arguments) for program in branches.programs]
    run.moves = isinstance(index, Interval) and index.moves
    index = run.lift(index)
    if index.low.dtype == bool:
        index = Interval(index.low.astype(float), index.high.astype(float))
    return [choose(run, index, [run.lift(case) for case in column]) for column in zip(*results, strict=True)]


def _select(run: Comparisons, op: Operation, operands: Values) -> Values:
    return [_whole(select(run, op, *operands), op)]


def _scatter_add(run: Comparisons, op: Operation, operands: Values) -> Values:
    _check_index(operands[1])
    return [scatter_add(run, op, *operands)]


_SYSTEMS: dict[str, Apply] = {
    SHIFT: _shift,
    # the same numbers, by which factors are known to be those of a matrix
    "stop_gradient": lambda run, op, operands: operands,
    "custom_linear_solve": _solve,
    "lu": _factors,
}
"""Operations on any numbers, with bounds or without."""

_OF_ARRAYS: dict[str, Apply] = {
    "scan": _scan,
    "cond": _cond,
    "select_n": _select,
    "polygamma": _polygamma,
    **dict.fromkeys(("scatter-add", "scatter_add"), _scatter_add),
}
"""Operations whose operands are not all intervals, or that hold programs."""

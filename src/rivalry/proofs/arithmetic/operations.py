"""Payoffs as a list of operations on single numbers, for programs that check proofs without this package.

`operations` reads the program of a function of numbers (`rivalry.proofs.arithmetic.program`). Operations that
move numbers are done on their places in the list; sums, products and loops are written out. A number that the
program would round is left as the operation that computes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial, reduce
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core.dispatch import Unsupported
from rivalry.proofs.arithmetic.array_rules import Unknown, function_of
from rivalry.proofs.arithmetic.enclosure import DATA, STEPS, refusal
from rivalry.proofs.arithmetic.program import MOVES, Endless, Operation, Program, ThroughJax, rounds
from rivalry.proofs.arithmetic.programs import SHIFT, Values, in_words
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.runtime.jax import floats, jax

NodeList = list[tuple[Any, ...]]
LARGEST = 1_000_000  # operations

UNARY = frozenset(
    (
        *("neg", "exp", "log", "sqrt", "tanh", "logistic"),
        *("sin", "cos", "atan", "erf", "lgamma", "digamma"),
    )
)
BINARY = {"add": "add", "add_any": "add", "sub": "sub", "mul": "mul", "div": "div", "max": "max"}
SUMS = {"reduce_sum": "add", "reduce_prod": "mul", "reduce_max": "max", "reduce_min": "min"}
RUNS = {"cumsum": "add", "cumprod": "mul", "cummax": "max", "cummin": "min"}
FROM_ZERO = frozenset(("exp", "sqrt", "logistic"))
"""Operations whose results are at least 0."""
DEFINED = frozenset(
    ("add", "sub", "mul", "neg", "exp", "tanh", "logistic", "sin", "cos", "atan", "erf", "max", "if")
)
"""Operations that are defined for all numbers, as are powers with exponents in `WHOLE`."""
WHOLE = range(101)
VALUES = {"exp": (0.0, 1.0), "log": (1.0, 0.0), "cos": (0.0, 1.0), "logistic": (0.0, 0.5)}
VALUES |= dict.fromkeys(("sqrt", "tanh", "sin", "atan", "erf"), (0.0, 0.0))
"""Functions at an operand at which their value is exact."""


class Operations:
    """The list, a tape: ``nodes`` are operations and the places of their operands.

    ``ends`` are bounds on the first of the numbers ``("x", k)``.
    """

    def __init__(self, largest: int = LARGEST, ends: Sequence[tuple[float, float]] = ()) -> None:
        self.largest = largest
        self.ends = ends
        self.ranges: dict[int, tuple[Fraction, Fraction] | None] = {}
        self.nodes: NodeList = []
        self.places: dict[tuple[Any, ...], int] = {}

    def node(self, *node: Any) -> int:
        """Return the place of a node, new or known."""
        if node not in self.places:
            if len(self.nodes) >= self.largest:
                raise Unsupported(
                    f"proof file: payoffs have more than {self.largest} operations on single numbers"
                )
            self.places[node] = len(self.nodes)
            self.nodes.append(node)
        return self.places[node]

    def number(self, value: object) -> int:
        """Return the place of a number."""
        return self.node("c", float(value) + 0.0)  # type: ignore[arg-type]

    def value(self, place: int) -> float | None:
        """Return a number, None for a place that holds an operation."""
        name, *arguments = self.nodes[place]
        return arguments[0] if name == "c" else None

    def terms(self, place: int) -> list[int]:
        """Return the terms of a sum."""
        name, *arguments = self.nodes[place]
        return [operand for part in arguments for operand in self.terms(part)] if name == "add" else [place]

    def is_positive(self, place: int) -> bool:
        """True if a number is certainly at least 0, where it is defined."""
        name, *arguments = self.nodes[place]
        if name in FROM_ZERO or (name == "power" and self.value(arguments[1]) % 2 != 1):  # type: ignore[operator]
            return True
        if name in ("add", "mul", "div", "max", "share") and all(map(self.is_positive, arguments)):
            return True
        bounds = self.range(place)
        return bounds is not None and bounds[0] >= 0

    def is_defined(self, place: int) -> bool:
        """True if an operation is certainly defined for all numbers."""
        waiting = [place]
        while waiting:
            name, *arguments = self.nodes[waiting.pop()]
            if name in ("x", "c"):
                continue
            if name not in DEFINED and not (name == "power" and _has_power(*map(self.value, arguments))):
                return False
            waiting += arguments
        return True

    def range(self, place: int) -> tuple[Fraction, Fraction] | None:
        """Return bounds on a polynomial in numbers with bounds, without rounding; None if unknown."""
        if place not in self.ranges:
            self.ranges[place] = self._computed_range(*self.nodes[place])
        return self.ranges[place]

    def _computed_range(self, name: str, *arguments: Any) -> tuple[Fraction, Fraction] | None:
        if name == "c" or (name == "x" and arguments[0] < len(self.ends)):
            low, high = (arguments[0], arguments[0]) if name == "c" else self.ends[arguments[0]]
            return (Fraction(low), Fraction(high)) if np.isfinite(low) and np.isfinite(high) else None
        parts = (
            [self.range(operand) for operand in arguments] if name in ("add", "sub", "neg", "mul") else [None]
        )
        if None in parts:
            return None
        (a, b), (c, d) = parts[0], parts[-1]  # type: ignore[misc]
        if name == "neg":
            return -b, -a
        if name == "mul":
            ends = [x * y for x in (a, b) for y in (c, d)]
            return min(ends), max(ends)
        return (a + c, b + d) if name == "add" else (a - d, b - c)

    def power_of(self, place: int) -> tuple[int, int] | None:
        """Return a number of at least 0 and its exponent, if a logarithm or a multiple of one is given."""
        name, *arguments = self.nodes[place]
        log, exponent = (
            (place, self.number(1.0)) if name == "log" else arguments if name == "mul" else (place, place)
        )
        if self.nodes[log][0] != "log" or not self.value(exponent):
            return None
        base = self.nodes[log][1]
        return (base, exponent) if self.is_positive(base) else None

    def apply(self, name: str, *operands: int) -> int:
        """Return the place of an operation; what needs no rounding is simplified."""
        if name in SIMPLIFIED:
            return SIMPLIFIED[name](self, *operands)
        return self._of_one(name, *operands)

    def _of_one(self, name: str, a: int) -> int:
        """Return the place of a function, a number at an operand at which its value is exact."""
        if name in VALUES and self.value(a) == VALUES[name][0]:
            return self.number(VALUES[name][1])
        return self.node(name, a)

    def _exact_number(self, name: str, a: int, b: int) -> int | None:
        """Return the index of a sum, difference or product of numbers that is a float64; None of others."""
        x, y = self.value(a), self.value(b)
        if x is None or y is None:
            return None
        exact = {"add": x + y, "sub": x - y, "mul": x * y}[name]
        return self.number(exact) if _is_exact(name, x, y, exact) else None

    def _sum(self, a: int, b: int) -> int:
        if self.value(a) is not None and self.value(b) is None:
            a, b = b, a
        if self.value(b) == 0.0:
            return a
        exact = self._exact_number("add", a, b)
        return self.node("add", a, b) if exact is None else exact

    def _difference(self, a: int, b: int) -> int:
        if self.value(b) == 0.0:
            return a
        exact = self._exact_number("sub", a, b)
        if exact is not None:
            return exact
        if self.value(a) == 0.0:
            return self._negative(b)
        if a == b and self.is_defined(a):
            return self.number(0.0)
        return self.node("sub", a, b)

    def _product(self, a: int, b: int) -> int:
        if self.value(a) is not None and self.value(b) is None:
            a, b = b, a
        if self.value(b) == 1.0:
            return a
        for zero, factor in ((a, b), (b, a)):
            if self.value(zero) == 0.0:
                # zero times what is undefined is undefined
                return self.number(0.0) if self.is_defined(factor) else self.node("mul", a, b)
        exact = self._exact_number("mul", a, b)
        if exact is not None:
            return exact
        if self.value(b) == -1.0:
            return self._negative(a)
        for factor, quotient in ((a, b), (b, a)):
            name, *parts = self.nodes[quotient]
            if name == "div" and self.value(parts[0]) == 1.0:
                return self._quotient(factor, parts[1])
        return self.node("power", a, self.number(2.0)) if a == b else self.node("mul", a, b)

    def _quotient(self, a: int, b: int) -> int:
        if self.value(b) == 1.0:
            return a
        if self.value(a) == 0.0:
            return self.number(0.0) if self.value(b) else self.node("div", a, b)
        if self.nodes[b][0] == "add":
            surplus = Counter(self.terms(b))
            surplus.subtract(self.terms(a))
            if surplus.total() and min(surplus.values()) >= 0:
                remainder = reduce(lambda x, y: self.node("add", x, y), surplus.elements())
                return self.node("share", a, remainder)
        return self.node("div", a, b)

    def _largest(self, a: int, b: int) -> int:
        x, y = self.value(a), self.value(b)
        if -np.inf in (x, y):
            return b if x == -np.inf else a
        if x is not None and y is not None:
            return self.number(max(x, y))
        return a if a == b else self.node("max", a, b)

    def _smallest(self, a: int, b: int) -> int:
        return self._negative(self._largest(self._negative(a), self._negative(b)))

    def _negative(self, a: int) -> int:
        value = self.value(a)
        if value is not None:
            return self.number(-value)
        return self.nodes[a][1] if self.nodes[a][0] == "neg" else self.node("neg", a)

    def _exponential(self, a: int) -> int:
        if self.value(a) == -np.inf:
            return self.number(0.0)
        if self.value(a) == 0.0:
            return self.number(1.0)
        if power := self.power_of(a):
            return _power(self, *power)
        name, *terms = self.nodes[a]
        if name == "add" and any(map(self.power_of, terms)):
            return self._product(*map(self._exponential, terms))
        return self.node("exp", a)

    def _logarithm(self, a: int) -> int:
        return self.number(-np.inf) if self.value(a) == 0.0 else self._of_one("log", a)


SIMPLIFIED: dict[str, Callable[..., int]] = {
    "add": Operations._sum,
    "sub": Operations._difference,
    "mul": Operations._product,
    "div": Operations._quotient,
    "max": Operations._largest,
    "min": Operations._smallest,
    "neg": Operations._negative,
    "exp": Operations._exponential,
    "log": Operations._logarithm,
}
"""Operations with rules of their own, by name."""


def _has_power(base: float | None, exponent: float | None) -> bool:
    """True if a power is defined for all numbers, or for this one above 0 and far from the largest double."""
    if exponent in WHOLE:
        return True
    return bool(base and exponent and base > 0 and abs(exponent * np.log(base)) < 300)


def _is_exact(name: str, a: float, b: float, result: float) -> bool:
    """True if a sum, difference or product of float64 numbers is a float64."""
    if not np.isfinite([a, b, result]).all():
        return False
    x, y = Fraction(a), Fraction(b)
    return Fraction(result) == {"add": x + y, "sub": x - y, "mul": x * y}[name]


def operations(
    function: Callable[..., Any],
    example: ndarray,
    largest: int = LARGEST,
    ends: Sequence[tuple[float, float]] = (),
    values: Mapping[int, float] | None = None,
) -> tuple[NodeList, list[int]]:
    """Return the operations of a function of a row of numbers, and the places of its results.

    Nodes are ``("x", k)``, the number k of the row; ``("c", value)``; and an operation with the places of
    its operands, which stand before it. Of the first of these numbers bounds, ``ends``, may be known: powers
    that are written by logarithms are then simplified. Numbers of the row may have known ``values``.

    Raises
    ------
    Unsupported
        For an operation that is not written out, which is named, and for more operations than the ``largest``
        number.
    """
    try:
        program = Program(jax.make_jaxpr(lambda y: shifted(function, example)(y)[0])(example))
    except Unknown as reason:
        raise Unsupported(f"proof file: payoffs have {reason}") from None
    tape = Operations(largest, ends)
    places = np.array([tape.node("x", k) for k in range(len(example))], object)
    for k, value in (values or {}).items():
        places[k] = tape.number(value)
    (result,) = _read(tape, program, [_Places(places)])
    return _live_nodes(tape.nodes, [int(part) for part in _places(tape, result).ravel()])


class _Places:
    """Places of numbers that depend on choices, in an array; of Booleans with their ``tests``."""

    def __init__(self, at: ndarray, tests: ndarray | None = None) -> None:
        self.at, self.tests = at, tests

    @property
    def shape(self) -> tuple[int, ...]:
        return self.at.shape


class _Tests:
    """An array of comparisons; see `TESTS`."""

    def __init__(self, at: ndarray) -> None:
        self.at = at


def _places(tape: Operations, a: Any) -> ndarray:
    if isinstance(a, _Places):
        return a.at
    if isinstance(a, _Tests):
        raise Unsupported("proof file: a comparison is used as a number")
    numbers = floats(a)
    return _array(numbers.shape, lambda k: tape.number(numbers[k]))


def _live_nodes(nodes: NodeList, results: list[int]) -> tuple[NodeList, list[int]]:
    """Return the nodes on which results depend, at new places."""
    live, pending = set(), list(results)
    while pending:
        at = pending.pop()
        if at not in live:
            live.add(at)
            name, *arguments = nodes[at]
            pending += [] if name in ("x", "c") else arguments
    place = {old: new for new, old in enumerate(sorted(live))}
    renumbered = []
    for old in place:
        name, *arguments = nodes[old]
        renumbered.append(
            (name, *arguments) if name in ("x", "c") else (name, *(place[k] for k in arguments))
        )
    return renumbered, [place[at] for at in results]


def _read(tape: Operations, program: Program, operands: Sequence[Any]) -> Values:
    """Return the results of a program: known arrays, places or tests."""
    values = {k: number[0, ...] for k, number in program.constants.items()}
    values.update(zip(program.arguments, operands, strict=True))
    for step in program.operations:
        results = _results_of(tape, step, [values[k] for k in step.operands])
        values.update(zip(step.results, results, strict=True))
    return [values[k] for k in program.results]


def _called(call: Callable[..., Any], *arrays: Any) -> Values:
    """Return the results of an operation on arrays, of one row."""
    try:
        with np.errstate(all="ignore"):
            return [part[0, ...] for part in call(*(array[None] for array in arrays))]
    except Endless as error:
        raise Unsupported(f"proof file: payoffs contain {error}") from None


ROUNDED = frozenset((*UNARY, *BINARY, *SUMS, *RUNS, "square", "integer_pow", "pow", "dot_general", "scan"))
"""Operations that are kept where they would round known numbers; others are computed."""


def _results_of(tape: Operations, op: Operation, operands: Values) -> Values:
    """Return the values of one operation on arrays."""
    name = op.equation.name
    if name == SHIFT:  # shifts cancel: any numbers give the same values
        return [np.zeros(op.equation.outs[0].shape)]
    if name == "stop_gradient":
        return operands
    is_known = not any(isinstance(part, _Places | _Tests) for part in operands)
    if is_known and (name not in ROUNDED or not rounds(op.equation)):
        return _called(op.call, *operands)
    if isinstance(op.call, ThroughJax):
        raise Unsupported(f"proof file: {in_words(name)} is not written out in single numbers")
    if name in OF_ARRAYS:
        return OF_ARRAYS[name](tape, op, operands)
    if reason := refusal(op):
        raise Unsupported(f"proof file: {reason}")
    if name in OF_FLOATS:
        return OF_FLOATS[name](tape, op, operands)
    return [_elementwise(tape, op, operands)]


def _elementwise(tape: Operations, op: Operation, operands: Values) -> Any:
    """Return an operation on every entry of arrays, which may be of one number each."""
    name, shape = op.equation.name, op.equation.outs[0].shape
    if name in LOGIC:
        truths = [_truths(part, shape) for part in operands]
        return _Tests(_array(shape, lambda k: LOGIC[name](*(part[k] for part in truths))))
    # before shapes, which an operation without a rule may change
    rule = partial(TESTS[name], tape) if name in TESTS else _rule(tape, name, op.equation.params)
    arrays: Values = [np.broadcast_to(_places(tape, part), shape) for part in operands]
    results = _array(shape, lambda k: rule(*(part[k] for part in arrays)))
    return _Tests(results) if name in TESTS else _Places(results)


def _any_or_all(tape: Operations, op: Operation, operands: Values) -> Values:
    name, axes = op.equation.name, op.equation.params["axes"]
    join = _or if name == "reduce_or" else _and
    return [_Tests(_fold(operands[0].at, axes, join, name == "reduce_and"))]


def _sum_of_entries(tape: Operations, op: Operation, operands: Values) -> Values:
    """Return a sum, a product or an extreme of entries along axes."""
    name, axes = SUMS[op.equation.name], op.equation.params["axes"]
    empty = tape.number({"add": 0.0, "mul": 1.0, "max": -np.inf, "min": np.inf}[name])
    return [_Places(_fold(_places(tape, operands[0]), axes, partial(tape.apply, name), empty))]


def _converted(tape: Operations, op: Operation, operands: Values) -> Values:
    """Return numbers of another type; of comparisons the numbers 0 and 1, with the comparisons."""
    (a,) = operands
    before, after = op.equation.kinds[0].dtype.kind, op.equation.outs[0].dtype.kind
    if isinstance(a, _Places) or after == "b":
        if before == "f" and after != "f":
            raise Unsupported("proof file: a number that depends on choices is made whole")
        return [a]
    yes, no = tape.number(1.0), tape.number(0.0)
    return [_Places(_array(a.at.shape, lambda k: _choice(tape, a.at[k], yes, no)), a.at)]


def _rule(tape: Operations, name: str, params: Any) -> Callable[..., int]:
    """Return an operation on places."""
    apply = tape.apply
    if name in UNARY:
        return lambda a: apply(name, a)
    if name in BINARY or name == "min":
        return lambda a, b: apply(BINARY.get(name, name), a, b)
    if name == "square":
        return lambda a: tape.node("power", a, tape.number(2.0))
    if name == "integer_pow":
        return lambda a: _whole_power(tape, a, int(params["y"]))
    if name == "pow":
        return lambda a, b: _power(tape, a, b)
    if name == "abs":
        return lambda a: apply("max", a, apply("neg", a))
    if name == "clamp":
        return lambda low, a, high: apply("min", apply("max", a, low), high)
    if name == "log1p":
        return lambda a: apply("log", apply("add", a, tape.number(1.0)))
    if name == "expm1":
        return lambda a: apply("sub", apply("exp", a), tape.number(1.0))
    if name == "rsqrt":
        return lambda a: apply("div", tape.number(1.0), apply("sqrt", a))
    if name == "erfc":
        return lambda a: apply("sub", tape.number(1.0), apply("erf", a))
    if name in ("sinh", "cosh"):
        sign, half = "sub" if name == "sinh" else "add", tape.number(0.5)
        return lambda a: apply("mul", apply(sign, apply("exp", a), apply("exp", apply("neg", a))), half)
    raise Unsupported(f"proof file: {in_words(name)} is not written out in single numbers")


def _whole_power(tape: Operations, a: int, n: int) -> int:
    if n == 0:
        return tape.number(1.0)
    is_same = n == 1 or (n > 0 and tape.value(a) in (0.0, 1.0))
    return a if is_same else tape.node("power", a, tape.number(n))


def _power(tape: Operations, a: int, b: int) -> int:
    exponent = tape.value(b)
    if exponent is not None and exponent == int(exponent):
        return _whole_power(tape, a, int(exponent))
    if exponent == 0.5:
        return tape.apply("sqrt", a)
    if exponent is not None:
        return tape.node("power", a, b)
    return tape.apply("exp", tape.apply("mul", b, tape.apply("log", a)))


def _fold(a: ndarray, axes: Any, join: Callable[..., Any], empty: Any) -> ndarray:
    free_axes = [k for k in range(a.ndim) if k not in axes]
    rows = np.transpose(a, [*free_axes, *axes]).reshape(*(a.shape[k] for k in free_axes), -1)
    return _array(rows.shape[:-1], lambda k: reduce(join, list(rows[k])) if rows.shape[-1] else empty)


def _cumulative(tape: Operations, op: Operation, operands: Values) -> Values:
    """Return running sums, products or extremes of entries along an axis."""
    name, params = RUNS[op.equation.name], op.equation.params
    rows = np.moveaxis(np.array(_places(tape, operands[0])), params["axis"], 0)
    order = range(len(rows))[:: -1 if params["reverse"] else 1]
    for before, k in pairwise(order):
        for place in np.ndindex(rows.shape[1:]):
            rows[(k, *place)] = tape.apply(name, rows[(before, *place)], rows[(k, *place)])
    return [_Places(np.moveaxis(rows, 0, params["axis"]))]


def _dot(tape: Operations, op: Operation, operands: Values) -> Values:
    """Return sums of products along given axes of two arrays, for each index of their batch axes."""
    (sum_a, sum_b), (batch_a, batch_b) = op.equation.params["dimension_numbers"]

    def rows(array: ndarray, batch: Any, summed: Any) -> ndarray:
        """Return the array as [batch row term]."""
        free = [k for k in range(array.ndim) if k not in (*batch, *summed)]
        sizes = np.array(array.shape)
        shape = [int(np.prod(sizes[[*axes]])) for axes in (batch, free, summed)]
        return np.transpose(array, [*batch, *free, *summed]).reshape(shape)

    a, b = (_places(tape, part) for part in operands)
    rows_a, rows_b = rows(a, batch_a, sum_a), rows(b, batch_b, sum_b)
    products = np.empty((rows_a.shape[0], rows_a.shape[1], rows_b.shape[1]), object)
    for n, i, j in np.ndindex(products.shape):
        terms = [tape.apply("mul", x, y) for x, y in zip(rows_a[n, i], rows_b[n, j], strict=True)]
        products[n, i, j] = reduce(partial(tape.apply, "add"), terms) if terms else tape.number(0.0)
    return [_Places(products.reshape(op.equation.outs[0].shape))]


def _less(tape: Operations, p: int, q: int) -> Any:
    """True if a number is below another: known, or as a pair."""
    x, y = tape.value(p), tape.value(q)
    return (p, q) if x is None or y is None else x < y


def _is_finite(tape: Operations, p: int) -> Any:
    """True if a number is between the smallest and the largest: known, or as a comparison."""
    smallest, largest = (tape.number(end) for end in (np.finfo(float).min, np.finfo(float).max))
    return _and(_not(_less(tape, p, smallest)), _not(_less(tape, largest, p)))


TESTS: dict[str, Callable[..., Any]] = {
    "lt": _less,
    "gt": lambda tape, p, q: _less(tape, q, p),
    "ge": lambda tape, p, q: _not(_less(tape, p, q)),
    "le": lambda tape, p, q: _not(_less(tape, q, p)),
    "eq": lambda tape, p, q: p == q or _and(_not(_less(tape, p, q)), _not(_less(tape, q, p))),
    "ne": lambda tape, p, q: p != q and _not(TESTS["eq"](tape, p, q)),
    "is_finite": _is_finite,
}
"""A comparison is True, False, a pair of places, ``("not", a)`` or ``("and", a, b)``."""


def _not(test: Any) -> Any:
    if isinstance(test, tuple):
        return test[1] if test[0] == "not" else ("not", test)
    return not test


def _and(a: Any, b: Any) -> Any:
    if not isinstance(a, tuple) or a == b:
        return b if a else False
    if not isinstance(b, tuple):
        return a if b else False
    return "and", a, b


def _or(a: Any, b: Any) -> Any:
    return _not(_and(_not(a), _not(b)))


LOGIC: dict[str, Callable[..., Any]] = {"and": _and, "or": _or, "not": _not}


def _choice(tape: Operations, test: Any, yes: int, no: int) -> int:
    """Return the place of one number or another."""
    if yes == no or not isinstance(test, tuple):
        return yes if test else no
    if test[0] == "not":
        return _choice(tape, test[1], no, yes)
    if test[0] == "and":
        return _choice(tape, test[1], _choice(tape, test[2], yes, no), no)
    p, q = test
    if (yes, no) == (q, p):
        return tape.apply("max", p, q)
    return tape.apply("min", p, q) if (yes, no) == (p, q) else tape.node("if", p, q, yes, no)


def _array(shape: Any, entry: Callable[..., Any]) -> ndarray:
    array = np.empty(shape, object)
    for k in np.ndindex(array.shape):
        array[k] = entry(k)
    return array


def _shape_of(a: Any) -> tuple[int, ...]:
    return np.shape(a.at if isinstance(a, _Places | _Tests) else a)


def _truths(a: Any, shape: Any) -> ndarray:
    truths = a.at if isinstance(a, _Tests) else _array(np.shape(a), lambda k: bool(np.asarray(a)[k]))
    return np.broadcast_to(truths, shape)


def _select(tape: Operations, operands: Values, shape: Any) -> Any:
    """Return entries of one of several arrays, as a first array or a comparison says."""
    selector, *cases = operands
    if isinstance(selector, _Places):
        raise Unsupported("proof file: one of several cases by a number that depends on choices of players")
    if any(isinstance(operand, _Tests) for operand in cases):
        test, no, yes = (_truths(operand, shape) for operand in operands)

        def either(k: Any) -> Any:
            return _or(_and(test[k], yes[k]), _and(_not(test[k]), no[k]))

        return _Tests(_array(shape, either))
    arrays: Values = [np.broadcast_to(_places(tape, operand), shape) for operand in cases]
    if not isinstance(selector, _Tests):
        index = np.broadcast_to(np.asarray(selector), shape)
        return _Places(_array(shape, lambda k: arrays[int(index[k])][k]))
    test = _truths(selector, shape)
    return _Places(_array(shape, lambda k: _choice(tape, test[k], arrays[1][k], arrays[0][k])))


_FILL = object()  # what is read beyond the end of an array


def _move(tape: Operations, op: Operation, operands: Values) -> Values:
    """Return moved numbers: the operation is done on their places, or on tests."""
    name = op.equation.name
    data = DATA.get(name, range(len(operands)))
    tests = any(isinstance(operand, _Tests) for operand in operands)
    result = _Tests if tests else _Places
    arrays = []
    for k, operand in enumerate(operands):
        if k in data:
            arrays.append(_truths(operand, _shape_of(operand)) if tests else _places(tape, operand))
        elif isinstance(operand, _Places | _Tests):
            raise Unsupported("proof file: an index depends on choices of players")
        else:
            arrays.append(operand)
    if name != "gather":
        return [result(part) for part in _called(op.call, *arrays)]
    equation = op.equation._replace(params=op.equation.params | {"fill_value": _FILL})
    call = function_of(equation)
    (at,) = _called(lambda *parts: [call(*parts)], *arrays)
    fill = op.equation.params["fill_value"]
    if fill is not None and np.isfinite(fill):
        filled = bool(fill) if tests else tape.number(fill)
        at = _array(at.shape, lambda k: filled if at[k] is _FILL else at[k])
    elif any(entry is _FILL for entry in at.flat):
        raise Unsupported("proof file: an entry beyond the end of an array")
    return [result(at)]


def _scatter_add(tape: Operations, op: Operation, operands: Values) -> Values:
    """Return an array with numbers added to some of its entries, at places that no choice changes."""
    a, index, b = operands
    if isinstance(index, _Places | _Tests):
        raise Unsupported("proof file: an index depends on choices of players")
    target: Any = _places(tape, a).copy()
    source: Any = _places(tape, b)
    for k in np.ndindex(source.shape):  # where each lands
        unit = np.zeros(source.shape)
        unit[k] = 1.0
        (hit,) = _called(op.call, np.zeros(target.shape), index, unit)
        for place in zip(*np.nonzero(hit), strict=True):
            target[place] = tape.apply("add", target[place], source[k])
    return [_Places(target)]


def _scan(tape: Operations, op: Operation, operands: Values) -> Values:
    scan, body = op.call.scan, op.call.body
    if scan.length > STEPS:
        raise Unsupported(f"proof file: a loop of {scan.length} steps; must be of at most {STEPS}")
    carry, columns = scan.unrolled(operands, partial(_read, tape, body), _row)
    stacked = Values()
    for column, out in zip(columns, op.call.outs, strict=True):
        flat = chain.from_iterable(_places(tape, row).flat for row in column)
        stacked.append(_Places(np.array([*flat], object).reshape((scan.length, *out.shape[1:]))))
    return [*carry, *stacked]


def _row(a: Any, k: int) -> Any:
    # with the ellipsis one comparison is an array too, not the tuple that states it
    return type(a)(a.at[k, ...]) if isinstance(a, _Places | _Tests) else np.asarray(a)[k]


def _cond(tape: Operations, op: Operation, operands: Values) -> Values:
    index, *arguments = operands
    programs = op.call.programs
    if not isinstance(index, _Places):
        return _read(tape, programs[min(max(int(index), 0), len(programs) - 1)], arguments)
    if index.tests is None or len(programs) != 2:
        raise Unsupported("proof file: a choice among several functions that depends on choices of players")
    columns = zip(*(_read(tape, program, arguments) for program in programs), strict=True)
    test = _Tests(index.tests)
    return [
        _select(tape, [test, *column], out.shape)
        for column, out in zip(columns, op.equation.outs, strict=True)
    ]


Reader = Callable[[Operations, Operation, Values], Values]
OF_ARRAYS: dict[str, Reader] = dict.fromkeys(MOVES, _move)
OF_ARRAYS |= dict.fromkeys(SUMS, _sum_of_entries) | dict.fromkeys(RUNS, _cumulative)
OF_ARRAYS |= dict.fromkeys(("reduce_or", "reduce_and"), _any_or_all) | {"scan": _scan, "cond": _cond}
OF_ARRAYS |= dict.fromkeys(("scatter-add", "scatter_add"), _scatter_add)
"""Operations on whole arrays, of numbers of any type."""

OF_FLOATS: dict[str, Reader] = {
    "convert_element_type": _converted,
    "dot_general": _dot,
    "select_n": lambda tape, op, operands: [_select(tape, operands, op.equation.outs[0].shape)],
}
"""Further ones, of numbers of the types that `refusal` lets pass."""

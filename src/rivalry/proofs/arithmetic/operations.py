"""Payoffs as a list of operations on single numbers, for programs that check proofs without this package.

`operations` reads what JAX traces of a function of numbers. Operations that move numbers are done on their
places in the list; sums, products and loops are written out. A number that the traced program would round is
left as the operation that computes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial, reduce
from itertools import pairwise
from typing import Any

import numpy as np

from rivalry.core.dispatch import Unsupported
from rivalry.proofs.arithmetic.enclosure import DATA, MOVES, STEPS, check_kinds, results_of_known, rounds
from rivalry.proofs.arithmetic.programs import Scan, called_program, cases, evaluate
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.runtime.jax import jax, jnp

LARGEST = 1_000_000  # operations

UNARY = {"neg": "neg", "exp": "exp", "log": "log", "sqrt": "sqrt", "tanh": "tanh", "logistic": "logistic"}
UNARY |= {"sin": "sin", "cos": "cos", "atan": "atan", "erf": "erf", "lgamma": "lgamma", "digamma": "digamma"}
BINARY = {"add": "add", "add_any": "add", "sub": "sub", "mul": "mul", "div": "div", "max": "max"}
SUMS = {"reduce_sum": "add", "reduce_prod": "mul", "reduce_max": "max", "reduce_min": "min"}
RUNS = {"cumsum": "add", "cumprod": "mul", "cummax": "max", "cummin": "min"}
FROM_ZERO = frozenset(("exp", "sqrt", "power", "logistic"))
"""Operations whose results are at least 0."""
SAME = frozenset(("stop_gradient", "copy", "copy_p", "optimization_barrier", "convert_element_type"))


class Operations:
    """The list: ``nodes`` are operations and the places of their operands.

    ``ends`` are bounds on the first of the numbers ``("x", k)``.
    """

    def __init__(self, largest: int = LARGEST, ends: Sequence[tuple[float, float]] = ()) -> None:
        self.largest = largest
        self.ends = ends
        self.ranges: dict[int, tuple[Fraction, Fraction] | None] = {}
        self.nodes: list[tuple[Any, ...]] = []
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
        name, *rest = self.nodes[place]
        return rest[0] if name == "c" else None

    def terms(self, place: int) -> list[int]:
        """Return the terms of a sum."""
        name, *rest = self.nodes[place]
        return [one for part in rest for one in self.terms(part)] if name == "add" else [place]

    def is_positive(self, place: int) -> bool:
        """Return whether a number is certainly at least 0, where it is defined."""
        name, *rest = self.nodes[place]
        if name in FROM_ZERO or (name == "whole_power" and self.nodes[rest[1]][1] % 2 == 0):
            return True
        if name in ("add", "mul", "div", "max", "share") and all(map(self.is_positive, rest)):
            return True
        known = self.range(place)
        return known is not None and known[0] >= 0

    def range(self, place: int) -> tuple[Fraction, Fraction] | None:
        """Return bounds on a polynomial in numbers with bounds, without rounding; None if unknown."""
        if place not in self.ranges:
            self.ranges[place] = self._range(*self.nodes[place])
        return self.ranges[place]

    def _range(self, name: str, *rest: Any) -> tuple[Fraction, Fraction] | None:
        if name == "c" or (name == "x" and rest[0] < len(self.ends)):
            low, high = (rest[0], rest[0]) if name == "c" else self.ends[rest[0]]
            return (Fraction(low), Fraction(high)) if np.isfinite(low) and np.isfinite(high) else None
        parts = [self.range(one) for one in rest] if name in ("add", "sub", "neg", "mul") else [None]
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
        name, *rest = self.nodes[place]
        log, exponent = (
            (place, self.number(1.0)) if name == "log" else rest if name == "mul" else (place, place)
        )
        if self.nodes[log][0] != "log" or self.value(exponent) is None:
            return None
        base = self.nodes[log][1]
        return (base, exponent) if self.is_positive(base) else None

    def apply(self, name: str, a: int, b: int | None = None) -> int:
        """Return the place of an operation; what needs no rounding is simplified."""
        one, other = self.value(a), None if b is None else self.value(b)
        if name == "min":
            return self.apply("neg", self.apply("max", self.apply("neg", a), self.apply("neg", b)))  # type: ignore[arg-type]
        if name == "neg":
            if one is not None:
                return self.number(-one)
            return self.nodes[a][1] if self.nodes[a][0] == "neg" else self.node("neg", a)
        if name == "log" and one in (0.0, 1.0):
            return self.number(-np.inf if one == 0.0 else 0.0)
        if name == "exp" and one == -np.inf:
            return self.number(0.0)
        if name == "exp" and (known := self.power_of(a)):
            return _power(self, *known)
        if name == "exp" and self.nodes[a][0] == "add" and any(map(self.power_of, self.nodes[a][1:])):
            return self.apply("mul", *(self.apply("exp", one) for one in self.nodes[a][1:]))
        if b is None:
            return self.node(name, a)
        if name == "max" and -np.inf in (one, other):
            return b if one == -np.inf else a
        if name in ("add", "mul") and one is not None and other is None:
            return self.apply(name, b, a)
        if name == "max" and one is not None and other is not None:
            return self.number(max(one, other))
        if (name in ("add", "sub") and other == 0.0) or (name in ("mul", "div") and other == 1.0):
            return a
        if name in ("mul", "div") and 0.0 in ((one,) if name == "div" else (one, other)):
            return self.number(0.0)
        if name in ("add", "sub", "mul") and other is not None and one is not None:
            exact = {"add": one + other, "sub": one - other, "mul": one * other}[name]
            if _is_exact(name, one, other, exact):
                return self.number(exact)
        if name == "sub" and one == 0.0:
            return self.apply("neg", b)
        if name == "mul" and other == -1.0:
            return self.apply("neg", a)
        if name == "sub" and a == b:
            return self.number(0.0)
        if name == "max" and a == b:
            return a
        if name == "mul" and self.nodes[b][0] == "div" and self.value(self.nodes[b][1]) == 1.0:
            return self.apply("div", a, self.nodes[b][2])
        if name == "mul" and self.nodes[a][0] == "div" and self.value(self.nodes[a][1]) == 1.0:
            return self.apply("div", b, self.nodes[a][2])
        if name == "div" and self.nodes[b][0] == "add":
            others = Counter(self.terms(b))
            others.subtract(self.terms(a))
            if others.total() and min(others.values()) >= 0:
                rest = reduce(lambda x, y: self.node("add", x, y), others.elements())
                return self.node("share", a, rest)
        if name == "mul" and a == b:
            return self.node("power", a, self.number(2.0))
        return self.node(name, a, b)


def _is_exact(name: str, a: float, b: float, found: float) -> bool:
    """Return whether a sum, difference or product of doubles is one."""
    if not np.all(np.isfinite([a, b, found])):
        return False
    x, y = Fraction(a), Fraction(b)
    return Fraction(found) == {"add": x + y, "sub": x - y, "mul": x * y}[name]


def operations(
    function: Callable[..., Any],
    example: np.ndarray,
    largest: int = LARGEST,
    ends: Sequence[tuple[float, float]] = (),
) -> tuple[list[tuple[Any, ...]], list[int]]:
    """Return the operations of a function of a row of numbers, and the places of its results.

    Nodes are ``("x", k)``, the number k of the row; ``("c", value)``; and an operation with the places of
    its operands, which stand before it. Of the first of these numbers bounds, ``ends``, may be known: powers
    that are written by logarithms are then simplified.

    Raises
    ------
    Unsupported
        For an operation that is not written out, which is named, and for more operations than the ``largest``
        number.
    """
    traced = shifted(function, example)
    shapes = traced.shifts(example)
    # shifts cancel: any numbers give the same values
    shifts = [jnp.zeros(one.shape) for one in shapes]
    whole = jax.make_jaxpr(lambda y: traced.call(shifts, y)[0])(example)
    made = Operations(largest, ends)
    given = np.array([made.node("x", k) for k in range(len(example))], dtype=object)
    (found,) = _read(made, whole, [_Places(given)])
    return _needed(made.nodes, [int(one) for one in _places(made, found).ravel()])


class _Places:
    """Places of numbers that depend on choices, in an array; of truth values with their ``tests``."""

    def __init__(self, at: np.ndarray, tests: np.ndarray | None = None) -> None:
        self.at, self.tests = at, tests

    @property
    def shape(self) -> tuple[int, ...]:
        return self.at.shape


class _Tests:
    """An array of comparisons; see `TESTS`."""

    def __init__(self, at: np.ndarray) -> None:
        self.at = at


def _places(made: Operations, one: Any) -> np.ndarray:
    if isinstance(one, _Places):
        return one.at
    if isinstance(one, _Tests):
        raise Unsupported("proof file: a comparison is used as a number")
    known = np.asarray(one, dtype=float)
    return _array(known.shape, lambda k: made.number(known[k]))


def _needed(nodes: list[tuple[Any, ...]], results: list[int]) -> tuple[list[tuple[Any, ...]], list[int]]:
    """Return the nodes on which results depend, at new places."""
    wanted, left = set(), list(results)
    while left:
        one = left.pop()
        if one not in wanted:
            wanted.add(one)
            name, *rest = nodes[one]
            left += [] if name in ("x", "c") else rest
    place = {old: new for new, old in enumerate(sorted(wanted))}
    found = []
    for old in place:
        name, *rest = nodes[old]
        found.append((name, *rest) if name in ("x", "c") else (name, *(place[k] for k in rest)))
    return found, [place[one] for one in results]


def _read(made: Operations, program: Any, operands: Sequence[Any]) -> list[Any]:
    return evaluate(program, operands, partial(_apply, made))


def _apply(made: Operations, equation: Any, operands: list[Any]) -> list[Any]:
    """Return the values of one operation on arrays."""
    name, params = equation.primitive.name, equation.params
    known = not any(isinstance(one, _Places | _Tests) for one in operands)
    if (program := called_program(equation)) is not None:
        return _read(made, program, operands)
    written = {*UNARY, *BINARY, *SUMS, *RUNS, "square", "integer_pow", "pow", "dot_general", "scan"}
    if known and (name in MOVES - set(SUMS) - set(RUNS) or not rounds(equation) or name not in written):
        return results_of_known(equation, operands)
    if name in ("reduce_or", "reduce_and"):
        return [_Tests(_fold(operands[0].at, params["axes"], LOGIC[name[7:]], name == "reduce_and"))]
    if name == "scan":
        return _scan(made, equation, operands)
    if name == "cond":
        return _cond(made, equation, operands)
    if name in SUMS:
        empty = made.number({"add": 0.0, "mul": 1.0, "max": -np.inf, "min": np.inf}[SUMS[name]])
        join = partial(made.apply, SUMS[name])
        return [_Places(_fold(_places(made, operands[0]), params["axes"], join, empty))]
    if name in RUNS:
        return [
            _Places(_run(made, RUNS[name], _places(made, operands[0]), params["axis"], params["reverse"]))
        ]
    if name in ("scatter-add", "scatter_add"):
        return [_scatter_add(made, equation, operands)]
    if name in MOVES:
        return _move(made, equation, operands)
    check_kinds(equation)
    before, after = (one[0].aval.dtype for one in (equation.invars, equation.outvars))
    if name in SAME and (after.kind == "b" or isinstance(operands[0], _Places)):
        if jnp.issubdtype(before, jnp.inexact) and not jnp.issubdtype(after, jnp.inexact):
            raise Unsupported("proof file: a number that depends on choices is made whole")
        return [operands[0]]
    if name == "dot_general":
        a, b = (_places(made, one) for one in operands)
        return [_Places(_product(made, a, b, params["dimension_numbers"]))]
    shape = equation.outvars[0].aval.shape
    if isinstance(operands[0], _Tests) and name == "convert_element_type":
        one, zero = made.number(1.0), made.number(0.0)
        numbers = _array(shape, lambda k: _choice(made, operands[0].at[k], one, zero))
        return [_Places(numbers, operands[0].at)]
    if name in LOGIC:
        truths = [_truths(one, shape) for one in operands]
        return [_Tests(_array(shape, lambda k: LOGIC[name](*(one[k] for one in truths))))]
    if name == "select_n":
        return [_select(made, operands, shape)]
    each: list[Any] = [np.broadcast_to(_places(made, one), shape) for one in operands]
    if name in TESTS:
        return [_Tests(_array(shape, lambda k: TESTS[name](made, *(one[k] for one in each))))]
    if name == "is_finite":
        ends = made.number(-np.inf), made.number(np.inf)
        finite = lambda k: _both(_less(made, ends[0], each[0][k]), _less(made, each[0][k], ends[1]))  # noqa: E731
        return [_Tests(_array(shape, finite))]
    rule = _rule(made, name, params)
    return [_Places(_array(shape, lambda k: rule(*(one[k] for one in each))))]


def _rule(made: Operations, name: str, params: Any) -> Callable[..., int]:
    """Return an operation on places."""
    apply = made.apply
    if name in UNARY:
        return lambda a: apply(UNARY[name], a)
    if name in BINARY or name == "min":
        return lambda a, b: apply(BINARY.get(name, name), a, b)
    if name == "square":
        return lambda a: made.node("power", a, made.number(2.0))
    if name == "integer_pow":
        return lambda a: _whole_power(made, a, int(params["y"]))
    if name == "pow":
        return lambda a, b: _power(made, a, b)
    if name == "abs":
        return lambda a: apply("max", a, apply("neg", a))
    if name == "clamp":
        return lambda low, a, high: apply("min", apply("max", a, low), high)
    if name == "log1p":
        return lambda a: apply("log", apply("add", a, made.number(1.0)))
    if name == "expm1":
        return lambda a: apply("sub", apply("exp", a), made.number(1.0))
    if name == "rsqrt":
        return lambda a: apply("div", made.number(1.0), apply("sqrt", a))
    if name == "erfc":
        return lambda a: apply("sub", made.number(1.0), apply("erf", a))
    if name in ("sinh", "cosh"):
        sign, half = "sub" if name == "sinh" else "add", made.number(0.5)
        return lambda a: apply("mul", apply(sign, apply("exp", a), apply("exp", apply("neg", a))), half)
    raise Unsupported(f"proof file: {name} is not written out in single numbers")


def _whole_power(made: Operations, a: int, n: int) -> int:
    return a if n == 1 else made.number(1.0) if n == 0 else made.node("power", a, made.number(n))


def _power(made: Operations, a: int, b: int) -> int:
    exponent = made.value(b)
    if exponent is not None and exponent == int(exponent):
        return _whole_power(made, a, int(exponent))
    if exponent == 0.5:
        return made.apply("sqrt", a)
    if exponent is not None:
        return made.node("power", a, b)
    return made.apply("exp", made.apply("mul", b, made.apply("log", a)))


def _fold(a: np.ndarray, axes: Any, join: Callable[..., Any], empty: Any) -> np.ndarray:
    rest = [k for k in range(a.ndim) if k not in axes]
    rows = np.transpose(a, [*rest, *axes]).reshape(*(a.shape[k] for k in rest), -1)
    return _array(rows.shape[:-1], lambda k: reduce(join, list(rows[k])) if rows.shape[-1] else empty)


def _run(made: Operations, name: str, a: np.ndarray, axis: int, reverse: bool) -> np.ndarray:
    rows = np.moveaxis(np.array(a), axis, 0)
    order = range(len(rows))[:: -1 if reverse else 1]
    for before, k in pairwise(order):
        for place in np.ndindex(rows.shape[1:]):
            rows[(k, *place)] = made.apply(name, rows[(before, *place)], rows[(k, *place)])
    return np.moveaxis(rows, 0, axis)


def _product(made: Operations, a: np.ndarray, b: np.ndarray, numbers: Any) -> np.ndarray:
    """Return sums of products along axes of two arrays."""
    (sum_a, sum_b), (batch_a, batch_b) = numbers

    def rows(one: np.ndarray, batch: Any, summed: Any) -> tuple[np.ndarray, tuple[int, ...]]:
        free = [k for k in range(one.ndim) if k not in (*batch, *summed)]
        shapes = [[one.shape[k] for k in part] for part in (batch, free, summed)]
        flat = np.transpose(one, [*batch, *free, *summed])
        return flat.reshape([int(np.prod(shape, dtype=int)) for shape in shapes]), (*shapes[0], *shapes[1])

    (left, lead), (right, last) = rows(a, batch_a, sum_a), rows(b, batch_b, sum_b)
    found = np.empty((left.shape[0], left.shape[1], right.shape[1]), dtype=object)
    for n, i, j in np.ndindex(found.shape):
        terms = [made.apply("mul", x, y) for x, y in zip(left[n, i], right[n, j], strict=True)]
        found[n, i, j] = reduce(lambda x, y: made.apply("add", x, y), terms) if terms else made.number(0.0)
    return found.reshape((*lead, *last[len(batch_b) :]))


def _less(made: Operations, p: int, q: int) -> Any:
    """Return whether a number is below another: known, or as a pair."""
    x, y = made.value(p), made.value(q)
    return (p, q) if x is None or y is None else x < y


TESTS: dict[str, Callable[..., Any]] = {
    "lt": _less,
    "gt": lambda made, p, q: _less(made, q, p),
    "ge": lambda made, p, q: _not(_less(made, p, q)),
    "le": lambda made, p, q: _not(_less(made, q, p)),
    "eq": lambda made, p, q: p == q or _both(_not(_less(made, p, q)), _not(_less(made, q, p))),
    "ne": lambda made, p, q: p != q and _not(TESTS["eq"](made, p, q)),
}
"""A comparison is True, False, a pair of places, ``("not", one)`` or ``("and", one, other)``."""


def _not(test: Any) -> Any:
    if isinstance(test, tuple):
        return test[1] if test[0] == "not" else ("not", test)
    return not test


def _both(one: Any, other: Any) -> Any:
    if not isinstance(one, tuple) or one == other:
        return other if one else False
    if not isinstance(other, tuple):
        return one if other else False
    return "and", one, other


def _either(one: Any, other: Any) -> Any:
    return _not(_both(_not(one), _not(other)))


LOGIC: dict[str, Callable[..., Any]] = {"and": _both, "or": _either, "not": _not}


def _choice(made: Operations, test: Any, yes: int, no: int) -> int:
    """Return the place of one number or another."""
    if yes == no or not isinstance(test, tuple):
        return yes if test else no
    if test[0] == "not":
        return _choice(made, test[1], no, yes)
    if test[0] == "and":
        return _choice(made, test[1], _choice(made, test[2], yes, no), no)
    p, q = test
    if (yes, no) == (q, p):
        return made.apply("max", p, q)
    return made.apply("min", p, q) if (yes, no) == (p, q) else made.node("if", p, q, yes, no)


def _array(shape: Any, entry: Callable[..., Any]) -> np.ndarray:
    found = np.empty(shape, dtype=object)
    for k in np.ndindex(found.shape):
        found[k] = entry(k)
    return found


def _truths(one: Any, shape: Any) -> np.ndarray:
    known = one.at if isinstance(one, _Tests) else _array(np.shape(one), lambda k: bool(np.asarray(one)[k]))
    return np.broadcast_to(known, shape)


def _select(made: Operations, operands: list[Any], shape: Any) -> Any:
    which, *cases = operands
    if isinstance(which, _Places):
        raise Unsupported("proof file: one of several cases by a number that depends on choices of players")
    if any(isinstance(one, _Tests) for one in cases):
        test, no, yes = (_truths(one, shape) for one in operands)
        pick = lambda k: _either(_both(test[k], yes[k]), _both(_not(test[k]), no[k]))  # noqa: E731
        return _Tests(_array(shape, pick))
    each: list[Any] = [np.broadcast_to(_places(made, one), shape) for one in cases]
    if not isinstance(which, _Tests):
        index = np.broadcast_to(np.asarray(which), shape)
        return _Places(_array(shape, lambda k: each[int(index[k])][k]))
    test = _truths(which, shape)
    return _Places(_array(shape, lambda k: _choice(made, test[k], each[1][k], each[0][k])))


def _move(made: Operations, equation: Any, operands: list[Any]) -> list[Any]:
    """Return moved numbers: the operation is done on their positions in one list."""
    name, params = equation.primitive.name, equation.params
    data = DATA.get(name, range(len(operands)))
    tests = any(isinstance(one, _Tests) for one in operands)
    every: list[Any] = []
    positions = []
    for k, one in enumerate(operands):
        if k not in data:
            if isinstance(one, _Places | _Tests):
                raise Unsupported(f"proof file: an index of {name} depends on choices of players")
            positions.append(np.asarray(one))
            continue
        shape = np.shape(one.at if isinstance(one, _Tests) else one)
        at = _truths(one, shape) if tests else _places(made, one)
        positions.append(np.arange(len(every), len(every) + at.size).reshape(at.shape))
        every += list(at.ravel())
    beyond, fill = len(every), params.get("fill_value")  # of an array
    has = fill is not None and bool(np.isfinite(fill))
    if name == "gather":
        every.append(bool(fill) if tests else made.number(fill if has else 0.0))
        equation = equation.replace(params=params | {"fill_value": beyond})
    found = []
    for index in results_of_known(equation, positions):
        if not has and np.any(index == beyond):
            raise Unsupported("proof file: an entry beyond the end of an array")
        at = _array(index.shape, lambda k, index=index: every[int(index[k])])
        found.append(_Tests(at) if tests else _Places(at))
    return found


def _scatter_add(made: Operations, equation: Any, operands: list[Any]) -> _Places:
    """Return an array with numbers added to some of its entries, at places that no choice changes."""
    a, index, b = operands
    if isinstance(index, _Places | _Tests):
        raise Unsupported("proof file: an index of scatter-add depends on choices of players")
    target: Any = _places(made, a).copy()
    source: Any = _places(made, b)
    zero = jnp.zeros(target.shape)
    for k in np.ndindex(source.shape):  # where each lands
        with jax.ensure_compile_time_eval():
            unit = jnp.zeros(source.shape).at[k].set(1.0)
            hit = np.asarray(equation.primitive.bind(zero, jnp.asarray(index), unit, **equation.params))
        for place in zip(*np.nonzero(hit), strict=True):
            target[place] = made.apply("add", target[place], source[k])
    return _Places(target)


def _scan(made: Operations, equation: Any, operands: list[Any]) -> list[Any]:
    scan = Scan(equation.params)
    if scan.length > STEPS:
        raise Unsupported(f"proof file: a loop of {scan.length} steps; must be of at most {STEPS}")
    carry, columns = scan.unrolled(operands, partial(_read, made, scan.body), _row)
    shapes = [one.aval.shape for one in equation.outvars[scan.carried :]]
    stacked = [
        np.array([place for one in column for place in _places(made, one).flat], dtype=object).reshape(shape)
        for column, shape in zip(columns, shapes, strict=True)
    ]
    return [*carry, *map(_Places, stacked)]


def _row(one: Any, k: int) -> Any:
    # with the ellipsis one comparison is an array too, not the tuple that states it
    return type(one)(one.at[k, ...]) if isinstance(one, _Places | _Tests) else np.asarray(one)[k]


def _cond(made: Operations, equation: Any, operands: list[Any]) -> list[Any]:
    which = operands[0]
    known = not isinstance(which, _Places)
    found: list[list[Any]] = cases(equation.params, operands, partial(_read, made), known)
    if known:
        return found[0]
    if which.tests is None or len(found) != 2:
        raise Unsupported("proof file: a choice among several functions that depends on choices of players")
    shapes = [one.aval.shape for one in equation.outvars]
    columns = zip(*found, strict=True)
    test = _Tests(which.tests)
    return [_select(made, [test, *column], shape) for column, shape in zip(columns, shapes, strict=True)]

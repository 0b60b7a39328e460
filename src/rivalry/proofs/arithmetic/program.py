"""Programs of JAX as lists of operations, evaluated by NumPy on many rows at a time.

A function is traced once, for one row of arguments; calls of other programs are inlined, and what is known
or computed twice is computed once. The same list is evaluated on floats, by `Program.__call__`, and on
intervals, by `rivalry.proofs.arithmetic.enclosure`: a proof of a small game takes less time than its
compilation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial, wraps
from itertools import compress
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.proofs.arithmetic.array_rules import (
    LISTED,
    SAME,
    Call,
    Equation,
    Kind,
    Unknown,
    function_of,
    in_rank,
    with_rows,
)
from rivalry.proofs.arithmetic.best_responses import search_program
from rivalry.proofs.arithmetic.programs import (
    BEST_RESPONSE,
    SHIFT,
    Scan,
    Values,
    called_program,
    cases,
    evaluate,
    linear_solve,
)
from rivalry.runtime.imports import pause_collection
from rivalry.runtime.jax import compiled, is_key, jax, numpy_seconds, register_program_cache

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn

LONGEST = 100_000  # operations of a program: more take longer to trace than users wait
SLOW = 0.5  # seconds of a batch of rows, from which XLA compiles the program
LOOP_SECONDS = 10.0  # of one loop with a condition


class Endless(Unknown):
    """A loop that NumPy does not end in time."""


class Operation(NamedTuple):
    """An operation of a program, with the indices of its operands, its results, and what ends with it."""

    equation: Equation
    source: Any  # as JAX has traced it
    call: Any  # on arrays with rows in front, to a list of arrays
    operands: tuple[int, ...]
    results: tuple[int, ...]
    last: tuple[int, ...] = ()
    only_in_shifts: bool = False  # whether results depend on it through numbers alone that are held


class Program:
    """A traced function of one row as operations of NumPy on arrays with rows in front.

    Raises
    ------
    Unknown
        For more operations than are read.
    """

    def __init__(self, traced: Any) -> None:
        self.operations: list[Operation] = []  # in order
        self.constants: dict[int, Any] = {}  # numbers that the operations take, by their indices
        self.through_jax = False  # whether an operation is evaluated by JAX, one row after the other
        self._kinds: list[Kind] = []
        self._index: dict[Any, int] = {}  # of known numbers, and of results by operation and operands
        self.arguments = tuple(self._add(_kind(variable.aval)) for variable in traced.jaxpr.invars)
        self.results = tuple(self._inlined(traced, self.arguments))
        self._keep_live()
        self._index = {}
        # for intervals: rules of the operations, and intervals of known numbers by their identity
        self.rules: list[Any] | None = None
        self.lifted: dict[int, Any] = {}

    def _add(self, kind: Kind) -> int:
        self._kinds.append(kind)
        return len(self._kinds) - 1

    def _constant(self, value: Any, aval: Any) -> int:
        if is_key(value):
            index = self._add(_kind(aval))
            self.constants[index] = value[None]
            return index
        value = np.asarray(value, aval.dtype)[None]
        key = (value.dtype.str, value.shape, value.tobytes())
        if key not in self._index:
            self._index[key] = self._add(Kind(value.shape[1:], value.dtype))
            self.constants[self._index[key]] = value
        return self._index[key]

    def _inlined(self, program: Any, operands: Sequence[int]) -> list[int]:
        """Add the operations of a program, and return where its results are."""
        return evaluate(program, operands, self._operation, self._constant)

    def _operation(self, source: JaxprEqn, operands: list[int]) -> list[int]:
        if (program := called_program(source)) is not None:
            return self._inlined(program, operands)
        name, params = source.primitive.name, source.params
        if name in SAME and name not in (SHIFT, "stop_gradient"):
            return operands
        key = _hashable((name, tuple(sorted(params.items(), key=lambda item: item[0])), tuple(operands)))
        if key is not None and key in self._index:
            position = self._index[key]
            return list(range(position, position + len(source.outvars)))
        if len(self.operations) > LONGEST:
            raise Unknown(f"more than {LONGEST} operations")
        kinds = tuple(self._kinds[k] for k in operands)
        outs = tuple(_kind(variable.aval) for variable in source.outvars)
        equation = Equation(name, params, kinds, outs)
        call = self._function_of(equation, source)
        results = [self._add(kind) for kind in outs]
        if key is not None and results:
            self._index[key] = results[0]
        is_constant = all(k in self.constants for k in operands) and name != "while"
        if is_constant and not rounds(equation):
            with np.errstate(all="ignore"):
                values = call(*(self.constants[k] for k in operands))
            self.constants.update(zip(results, values, strict=True))
            return results
        self.operations.append(Operation(equation, source, call, tuple(operands), tuple(results)))
        return results

    def _function_of(self, equation: Equation, source: JaxprEqn) -> Call:
        """Return the function of an operation, to a list."""
        try:
            if equation.name in _NESTED:
                nested: _Nested = _NESTED[equation.name](source)
                self.through_jax = self.through_jax or nested.through_jax
                return nested
            call = function_of(equation)
        except Unknown:
            self.through_jax = True
            return ThroughJax(source)
        return call if equation.name in LISTED else lambda *values: [call(*values)]

    def _keep_live(self) -> None:
        """Leave out operations that no result needs, and note after which operation numbers are dropped."""
        live, moving, steps = set(self.results), set(self.results), []
        for step in reversed(self.operations):
            if live.isdisjoint(step.results):
                continue
            last = {*step.operands, *step.results} - live - self.constants.keys()
            only_in_shifts = moving.isdisjoint(step.results)
            live.update(step.operands)
            if not only_in_shifts and step.equation.name != SHIFT:
                moving.update(step.operands)
            steps.append(step._replace(last=tuple(last), only_in_shifts=only_in_shifts))
        self.operations = steps[::-1]
        self.constants = {k: value for k, value in self.constants.items() if k in live}

    def __call__(self, *arguments: Any) -> Values:
        """Return the results for arguments with rows in front, of which there may be one for all."""
        values = dict(self.constants)
        values.update(zip(self.arguments, arguments, strict=True))
        for step in self.operations:
            results = step.call(*[values[k] for k in step.operands])
            values.update(zip(step.results, results, strict=True))
            for k in step.last:
                del values[k]
        return [values[k] for k in self.results]


def _kind(aval: Any) -> Kind:
    # keys of random numbers, which NumPy does not have, are objects
    dtype = aval.dtype if isinstance(aval.dtype, np.dtype) else np.dtype(object)
    return Kind(tuple(aval.shape), dtype)


def _hashable(key: Any) -> Any:
    """Return a key; None where a parameter has no hash."""
    try:
        hash(key)
    except TypeError:
        return None
    return key


EXACT = frozenset(
    [
        *("neg", "abs", "sign", "max", "min", "floor", "ceil", "round", "iota", "clamp", "select_n"),
        *("convert_element_type", "bitcast_convert_type", "empty", "empty2"),
    ]
)
"""Operations that compute without rounding."""

MOVES = frozenset(
    [
        *("broadcast_in_dim", "reshape", "squeeze", "expand_dims", "transpose", "slice", "dynamic_slice"),
        *("dynamic_update_slice", "concatenate", "pad", "rev", "gather", "scatter", "split"),
        *("stack", "unstack", "tile", *SAME),
        *("reduce_max", "reduce_min", "cummax", "cummin", "reduce_and", "reduce_or"),
    ]
)
"""Operations that move numbers, or increase with every number without rounding."""


def rounds(equation: Equation) -> bool:
    """True if an operation on numbers may round."""
    floating = any(out.dtype.kind in "fc" for out in equation.outs)
    return floating and equation.name not in EXACT and equation.name not in MOVES


class ThroughJax:
    """An operation that JAX evaluates, of one row after the other."""

    def __init__(self, source: JaxprEqn) -> None:
        self.primitive, self.params = source.primitive, source.params

    def __call__(self, *values: Any) -> Values:
        rows = []
        for k in range(max(map(len, values), default=1)):
            operands = [value[k if len(value) > 1 else 0] for value in values]
            with jax.ensure_compile_time_eval():
                result = self.primitive.bind(*operands, **self.params)
            rows.append(list(result) if self.primitive.multiple_results else [result])
        columns = zip(*rows, strict=True)
        return [column[0][None] if is_key(column[0]) else np.stack(column) for column in columns]


class _Nested:
    """An operation that holds programs, as a function of arrays to a list."""

    through_jax = False  # whether any of their operations is evaluated by JAX

    def __call__(self, *operands: ndarray) -> Values:
        raise NotImplementedError


class _SolveCall(_Nested):
    """A system of linear equations, solved by the program that solves it."""

    def __init__(self, source: JaxprEqn) -> None:
        self.params = source.params
        self.solution = Program(linear_solve(self.params, [None] * len(source.invars)).solution)
        self.through_jax = self.solution.through_jax

    def __call__(self, *operands: ndarray) -> Values:
        parts = linear_solve(self.params, operands)
        return self.solution(*parts.factors, *parts.right)


class _ResponseCall(_Nested):
    """Best responses of followers, searched."""

    def __init__(self, source: JaxprEqn) -> None:
        self.program = Program(search_program(source))
        self.through_jax = self.program.through_jax

    def __call__(self, *operands: ndarray) -> Values:
        return self.program(*operands)


class CondCall(_Nested):
    """One of several programs, by an index."""

    def __init__(self, source: JaxprEqn) -> None:
        self.programs = cases(source.params, [None] * len(source.invars), lambda program, _: Program(program))
        self.through_jax = any(program.through_jax for program in self.programs)

    def __call__(self, index: ndarray, *arguments: ndarray) -> Values:  # type: ignore[override]
        index = np.clip(index.astype(int), 0, len(self.programs) - 1)
        if np.all(index == index[0]):
            return self.programs[int(index[0])](*arguments)
        branches = [program(*arguments) for program in self.programs]
        results = []
        for column in zip(*branches, strict=True):
            *cases, rows = with_rows([*column, index])
            results.append(np.choose(in_rank(rows, cases[0].ndim - 1), cases))
        return results


class WhileCall(_Nested):
    """A loop with a condition, one of each row and of each entry of a mapped loop.

    As in JAX all go on until no condition holds, and what has ended stays as it is. Raises `Endless` where
    that takes longer than `LOOP_SECONDS`.
    """

    def __init__(self, source: JaxprEqn) -> None:
        params = source.params
        self.counts = params["cond_nconsts"], params["body_nconsts"]
        self.condition, self.body = Program(params["cond_jaxpr"]), Program(params["body_jaxpr"])
        self.through_jax = self.condition.through_jax or self.body.through_jax

    def __call__(self, *arguments: ndarray) -> Values:
        in_condition, constants = self.counts[0], sum(self.counts)
        carry = with_rows(arguments)[constants:]
        end = perf_counter() + LOOP_SECONDS
        while np.any(holds := self.condition(*arguments[:in_condition], *carry)[0]):
            if perf_counter() > end:
                raise Endless(f"a loop that takes more than {LOOP_SECONDS:g} s")
            after = with_rows([*self.body(*arguments[in_condition:constants], *carry), *carry])
            ends = zip(after[: len(carry)], carry, strict=True)
            carry = [np.where(_behind(holds, np.ndim(old)), new, old) for new, old in ends]
        return carry


def _behind(array: ndarray, rank: int) -> ndarray:
    """Return an array with axes of one entry behind its own, up to a rank."""
    return array.reshape((*array.shape, *(1,) * (rank - array.ndim)))


class ScanCall(_Nested):
    """A loop of known length."""

    def __init__(self, source: JaxprEqn) -> None:
        self.scan = Scan(source.params)
        self.body = Program(self.scan.body)
        self.through_jax = self.body.through_jax
        self.outs = [_kind(variable.aval) for variable in source.outvars[self.scan.carried :]]

    def __call__(self, *arguments: ndarray) -> Values:
        carry, columns = self.scan.unrolled(
            arguments, lambda values: self.body(*values), lambda operand, k: operand[:, k]
        )
        return [*carry, *map(self._stacked, columns, self.outs)]

    @staticmethod
    def _stacked(column: Values, out: Kind) -> Any:
        return np.stack(with_rows(column), axis=1) if column else np.zeros((1, *out.shape), out.dtype)


_NESTED: dict[str, Callable[[Any], _Nested]] = {
    "custom_linear_solve": _SolveCall,
    BEST_RESPONSE: _ResponseCall,
    "cond": CondCall,
    "while": WhileCall,
    "scan": ScanCall,
}
"""Operations that hold programs: their functions return lists."""


class Traced(NamedTuple):
    """The program of a function, and the form of its results."""

    program: Program
    form: Any
    source: Any  # as JAX has traced it
    calling: float  # seconds that NumPy takes, whatever the number of rows
    counting: float  # seconds that it takes per row


_programs: dict[Any, Traced | Unknown] = {}
register_program_cache(_programs.clear)
MOST = 256  # programs kept


class ByRow:
    """Trees of one `form_of`, such as games that differ in numbers, of which every row has one."""

    def __init__(self, trees: Sequence[Any]) -> None:
        self.trees, self.numbers = trees, np.arange(len(trees))  # the index of the tree of each row
        numbers = [list(filter(_is_number, jax.tree.leaves(tree))) for tree in trees]
        self._columns = [np.stack(list(map(np.asarray, column))) for column in zip(*numbers, strict=True)]

    def pick(self, rows: Any) -> ByRow:
        """Return the trees of some rows, by index or mask."""
        rows_of_trees = copy(self)
        rows_of_trees.numbers = self.numbers[rows]
        return rows_of_trees

    def arrays(self) -> Values:
        """Return the numbers of the trees, with rows in front."""
        return [column[self.numbers] for column in self._columns]


def first_tree(part: Any) -> Any:
    """Return the first of trees by row, and any other argument as it is."""
    return part.trees[0] if isinstance(part, ByRow) else part


def form_of(tree: Any) -> Any:
    """Return the parts of a tree on which its program depends: all but its numbers."""
    return _form(*jax.tree.flatten(tree))


def _form(leaves: Values, structure: Any) -> Any:
    are_numbers = list(map(_is_number, leaves))
    kinds = tuple((leaf.shape, leaf.dtype) for leaf in compress(leaves, are_numbers))
    return structure, tuple(map(_fixed, leaves, are_numbers)), kinds


def traced(function: Call, shared: tuple[Any, ...], shapes: Sequence[Any]) -> tuple[Traced, Values]:
    """Return the program of a function, and its numbers in ``shared`` arguments, with rows in front.

    The function takes ``shared`` trees, the same for all rows or `ByRow`, and one row of each other argument,
    of these ``shapes``, to arrays. Arrays of the trees, but no integers of NumPy, are its arguments.

    Raises
    ------
    Unknown
        If the program is not read.
    """
    leaves, structure = jax.tree.flatten(tuple(map(first_tree, shared)))
    key = (function, _form(leaves, structure), tuple((shape.shape, shape.dtype) for shape in shapes))
    if key in _programs:
        _programs[key] = _programs.pop(key)  # the one used last is forgotten last
    else:
        if len(_programs) >= MOST:
            del _programs[next(iter(_programs))]
        _programs[key] = _trace(function, structure, leaves, shapes)
    program = _programs[key]
    if isinstance(program, Unknown):
        raise program
    if not any(isinstance(part, ByRow) for part in shared):
        return program, _numbers_for_all(leaves)
    numbers: Values = []
    for part in shared:
        numbers += part.arrays() if isinstance(part, ByRow) else _numbers_for_all(jax.tree.leaves(part))
    return program, numbers


def _numbers_for_all(leaves: Values) -> Values:
    return [np.asarray(leaf)[None] for leaf in leaves if _is_number(leaf)]


def _trace(function: Call, structure: Any, leaves: Values, shapes: Sequence[Any]) -> Traced | Unknown:
    numbers = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in filter(_is_number, leaves)]
    forms: Values = []

    def flat(*values: object) -> Values:
        rest = iter(values)
        merged = [next(rest) if _is_number(leaf) else leaf for leaf in leaves]
        results, form = jax.tree.flatten(function(*jax.tree.unflatten(structure, merged), *rest))
        forms.append(form)
        return results

    with pause_collection():
        program = jax.make_jaxpr(flat)(*numbers, *shapes)
        calling = sum(numpy_seconds(program, 0))
        try:
            return Traced(Program(program), forms[0], program, calling, sum(numpy_seconds(program)) - calling)
        except Unknown as reason:
            return reason


def _is_number(leaf: object) -> bool:
    """True if a leaf may differ between calls of one program; integers of NumPy are fixed indices."""
    if isinstance(leaf, ndarray):
        return leaf.dtype.kind == "f"
    return isinstance(leaf, jax.Array) and not is_key(leaf)


def _fixed(leaf: object, is_number: bool) -> Any:
    """Return the part of a leaf on which a program depends: nothing of a number, all of another leaf."""
    if is_number:
        return None
    return (leaf.dtype.str, leaf.shape, leaf.tobytes()) if isinstance(leaf, ndarray) else leaf


def over_rows(function: Call, shared: int = 2, effort: int | None = None) -> Call:
    """Return a function of one row of arguments, applied to many: by NumPy, or compiled where they are many.

    The function takes so many ``shared`` arguments, the same for all rows or `ByRow`, and one row of each
    other, to a named tuple of arrays; the result also ``batch``, how many rows it computes at a time.
    ``effort`` is that of compiling; see `rivalry.runtime.jax.compiled`.
    """
    compiled_function = compiled(
        lambda *arguments: jax.vmap(partial(function, *arguments[:shared]))(*arguments[shared:]),
        effort=effort,
        in_numpy=False,
    )

    def in_numpy(arguments: Sequence[Any], rows: Sequence[Any]) -> Any:
        """Return the results; None where NumPy does not compute them, or takes longer than to compile."""
        shapes = [jax.ShapeDtypeStruct(row.shape[1:], row.dtype) for row in rows]
        try:
            (program, form, _, calling, counting), numbers = traced(function, tuple(arguments), shapes)
        except Unknown:
            return None
        if program.through_jax or not calling + counting * len(rows[0]) <= SLOW:  # not a number: endless
            return None
        with np.errstate(all="ignore"):
            results = program(*numbers, *rows)
        return jax.tree.unflatten(form, [_for_all(result, len(rows[0])) for result in results])

    def by_xla(arguments: Sequence[Any], rows: Sequence[Any], batch: int) -> Any:
        missing = batch - len(rows[0])  # so that one number of rows is compiled
        padded = [np.concatenate([row, np.repeat(row[-1:], missing, axis=0)]) for row in rows]
        results = compiled_function(*arguments, *padded)
        return jax.tree.map(lambda part: np.asarray(part)[: batch - missing], results)

    def call(*arguments: object, batch: int) -> Any:
        rows = [np.asarray(row) for row in arguments[shared:]]
        parts = []
        for begin in range(0, len(rows[0]), batch):
            places = slice(begin, begin + batch)
            trees = [part.pick(places) if isinstance(part, ByRow) else part for part in arguments[:shared]]
            batch_rows = [row[places] for row in rows]
            part = in_numpy(trees, batch_rows)
            parts.append(_by_tree(by_xla, trees, batch_rows, batch) if part is None else part)
        return jax.tree.map(lambda *column: np.concatenate(column), *parts)

    return wraps(function)(call)


def _by_tree(compute: Call, shared: Sequence[Any], rows: Sequence[ndarray], batch: int) -> Any:
    """Return the results of rows by a call for every tree that `ByRow` arguments have."""
    numbers = next((part.numbers for part in shared if isinstance(part, ByRow)), None)
    if numbers is None:
        return compute(shared, rows, batch)
    parts = []
    for number in np.unique(numbers):
        trees = [part.trees[number] if isinstance(part, ByRow) else part for part in shared]
        parts.append(compute(trees, [row[numbers == number] for row in rows], batch))
    places = np.argsort(np.argsort(numbers, kind="stable"))
    return jax.tree.map(lambda *column: np.concatenate(column)[places], *parts)


def _for_all(result: Any, count: int) -> Any:
    return result if len(result) == count else np.broadcast_to(result, (count, *result.shape[1:]))

"""Programs of JAX evaluated by NumPy: a proof of a small game takes less time than compiling it.

A function is traced once, for one row of arguments; calls of other programs are inlined, and what is known or
computed twice is computed once. The operations are then applied to all rows at a time. They are those that
XLA would compile, interval rules included, so that there is one set of rules; NumPy rounds every operation
once, which is within what the rules allow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from math import prod
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.dispatch import Unsupported
from rivalry.proofs.arithmetic.best_responses import search_program
from rivalry.proofs.arithmetic.programs import (
    BEST_RESPONSE,
    Scan,
    Values,
    called_program,
    cases,
    evaluate,
    linear_solve,
)
from rivalry.runtime.imports import pause_collection
from rivalry.runtime.jax import compiled, is_jax_array, jax, jnp, register_program_cache

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn

Params = dict[str, Any]  # of an operation
LONGEST = 100_000  # operations of a program: more take longer to trace than users wait
COMPILING = 1e-3  # seconds that XLA takes per operation, about
CALLING = 2e-8  # seconds that NumPy takes per operation and row beyond its numbers, in batches of about 100
COUNTING = 1e-9  # seconds that NumPy takes per number
LOOP_SECONDS = 10.0  # of one loop with a condition


class Unknown(Exception):
    """An operation that NumPy does not evaluate here."""


class Endless(Unknown):
    """A loop that NumPy does not end in time."""


class Kind(NamedTuple):
    """An array: its shape and type for one row, and whether rows differ."""

    shape: tuple[int, ...]
    dtype: np.dtype
    rows: bool

    @property
    def first(self) -> int:
        """The first axis, behind rows."""
        return int(self.rows)


class Equation(NamedTuple):
    """An operation to be evaluated: its parameters, and the kinds of its operands and results."""

    params: Params
    kinds: Sequence[Kind]
    outs: Sequence[Kind]


Call = Callable[..., Any]
Rule = Callable[[Equation], Call]


class Operation(NamedTuple):
    """One operation: a function, the indices of its operands and results, and whether these are a list."""

    call: Call
    operands: tuple[int, ...]
    results: tuple[int, ...]
    several: bool


class Program:
    """A traced function as operations of NumPy on rows.

    Parameters
    ----------
    traced : jax.extend.core.ClosedJaxpr
        The function, of one row.
    rows : sequence of bool
        Which arguments have rows; the others are the same in all.

    Raises
    ------
    Unknown
        For an operation without a rule.
    """

    def __init__(self, traced: Any, rows: Sequence[bool]) -> None:
        self._kinds: list[Kind] = []
        self._known: dict[int, Any] = {}
        self._index: dict[Any, int] = {}  # of known numbers, and of results by operation and operands
        self._steps: list[Operation] = []
        arguments = [
            self._add(_kind(variable.aval, has_rows))
            for variable, has_rows in zip(traced.jaxpr.invars, rows, strict=True)
        ]
        self.operands = tuple(arguments)
        self.results = tuple(self._inlined(traced, arguments))
        self.rows = tuple(self._kinds[k].rows for k in self.results)
        self._finish()

    def _add(self, kind: Kind) -> int:
        self._kinds.append(kind)
        return len(self._kinds) - 1

    def _constant(self, value: object, aval: Any) -> int:
        if _is_key(value):
            raise Unknown("a key of random numbers")
        value = np.asarray(value, aval.dtype)
        key = (value.dtype.str, value.shape, value.tobytes())
        if key not in self._index:
            self._index[key] = self._add(Kind(value.shape, value.dtype, False))
            self._known[self._index[key]] = value
        return self._index[key]

    def _inlined(self, program: Any, operands: Sequence[int]) -> list[int]:
        """Add the operations of a program, and return where its results are."""
        return evaluate(program, operands, self._operation, self._constant)

    def _operation(self, equation: JaxprEqn, operands: list[int]) -> list[int]:
        if (program := called_program(equation)) is not None:
            return self._inlined(program, operands)
        name, params = equation.primitive.name, equation.params
        if name == BEST_RESPONSE:
            return self._inlined(search_program(equation), operands)
        if name == "custom_linear_solve":
            parts = linear_solve(params, operands)
            return self._inlined(parts.solution, [*parts.factors, *parts.right])
        return self._apply(name, params, operands, [variable.aval for variable in equation.outvars])

    def _apply(self, name: str, params: Params, operands: list[int], avals: Values) -> list[int]:
        if name in SAME:
            return operands
        key: Any = (name, tuple(sorted(params.items(), key=lambda item: item[0])), tuple(operands))
        try:
            if key in self._index:
                position = self._index[key]
                return list(range(position, position + len(avals)))
        except TypeError:
            key = None  # a parameter that has no hash
        if name not in RULES or len(self._steps) > LONGEST:
            raise Unknown(name)
        kinds = [self._kinds[k] for k in operands]
        outs = [_kind(aval, any(kind.rows for kind in kinds)) for aval in avals]
        call = RULES[name](Equation(params, kinds, outs))
        results = [self._add(kind) for kind in outs]
        if key is not None and results:
            self._index[key] = results[0]
        if all(k in self._known for k in operands):
            with np.errstate(all="ignore"):
                values = call(*(self._known[k] for k in operands))
            self._known.update(zip(results, values if isinstance(values, list) else [values], strict=True))
        else:
            self._steps.append(Operation(call, tuple(operands), tuple(results), name in LISTED))
        return results

    def _finish(self) -> None:
        """Write what results need as one function of Python, which calls operations at the least cost."""
        live, steps = set(self.results), []
        for step in reversed(self._steps):
            if live.isdisjoint(step.results):
                continue
            final_operands = [k for k in {*step.operands, *step.results} if k not in live]
            live.update(step.operands)
            steps.append((step, final_operands))
        constants = {k: value for k, value in self._known.items() if k in live}
        names = {k: f"a{j}" for j, k in enumerate(self.operands)} | {k: f"n{k}" for k in constants}
        calls: dict[Call, str] = {}
        free: list[str] = []  # of results that are not used again: memory is given back, too
        lines = [f"def run({', '.join(names[k] for k in self.operands)}):"]
        for step, final_operands in reversed(steps):
            call = calls.setdefault(step.call, f"f{len(calls)}")
            operands = ", ".join(names[k] for k in step.operands)
            free += [names[k] for k in final_operands if k in names and names[k][0] == "v"]
            for k in step.results:
                names[k] = free.pop() if free else f"v{len(names)}"
            free += [names[k] for k in final_operands if k in step.results]
            results = ", ".join(names[k] for k in step.results)
            lines.append(f" {results}{',' * step.several} = {call}({operands})")
        lines.append(f" return [{', '.join(names[k] for k in self.results)}]")
        space: dict[str, Any] = {name: call for call, name in calls.items()}
        space |= {names[k]: value for k, value in constants.items()}
        exec(compile("\n".join(lines), "<program>", "exec"), space)
        self._run: Callable[..., Values] = space["run"]
        self._count = len(steps)
        self._numbers = sum(prod(self._kinds[k].shape) for step, _ in steps for k in step.results)
        self._index, self._known, self._steps = {}, {}, []
        self.is_endless = False  # a loop did not end in time

    def is_slow(self, rows: int) -> bool:
        """True if so many rows take longer here than to compile."""
        count = self._count
        return self.is_endless or bool(
            rows * (count * CALLING + self._numbers * COUNTING) > count * COMPILING
        )

    def __call__(self, *arguments: object) -> Values:
        """Return the results for arguments, those of rows ``[row ..]``."""
        return self._run(*arguments)


def _kind(aval: Any, rows: bool) -> Kind:
    if not isinstance(aval.dtype, np.dtype) or aval.dtype.kind not in "fiub":
        raise Unknown(str(aval.dtype))
    return Kind(tuple(aval.shape), aval.dtype, rows)


def _lifted(value: Any, kind: Kind, rank: int) -> Any:
    """Return an array with axes of one entry behind its rows, up to a rank for one row."""
    if not kind.rows or len(kind.shape) == rank:
        return value
    return value.reshape((len(value), *(1,) * (rank - len(kind.shape)), *kind.shape))


def _on_entries(function: Call) -> Rule:
    """Return the rule of an operation on entries."""

    def rule(op: Equation) -> Call:
        rank = len(op.outs[0].shape)
        if all(len(kind.shape) == rank for kind in op.kinds if kind.rows):
            return function
        return lambda *values: function(*map(_lifted, values, op.kinds, [rank] * len(op.kinds)))

    return rule


def _displacing(move: Call) -> Rule:
    """Return the rule of an operation ``(array, params, axis of the first entry, shape)`` on one array."""

    def rule(op: Equation) -> Call:
        return lambda a, *_: move(a, op.params, op.kinds[0].first, op.outs[0].shape)

    return rule


def _reshaped(a: Any, lead_axes: int, shape: Sequence[int]) -> Any:
    return a.reshape((*a.shape[:lead_axes], *shape))


def _broadcast(a: Any, params: Params, lead_axes: int, shape: tuple[int, ...]) -> Any:
    sizes = [1] * len(shape)
    for k, at in enumerate(params["broadcast_dimensions"]):
        sizes[at] = a.shape[lead_axes + k]
    # faster than a view, which NumPy makes in Python
    result = np.empty((*a.shape[:lead_axes], *shape), a.dtype)
    result[...] = _reshaped(a, lead_axes, sizes)
    return result


def _transposed(a: Any, params: Params, lead_axes: int, shape: object) -> Any:
    return a.transpose((*range(lead_axes), *(lead_axes + k for k in params["permutation"])))


def _sliced(a: Any, params: Params, lead_axes: int, shape: Any) -> Any:
    steps = params["strides"] or [None] * len(shape)
    slices = map(slice, params["start_indices"], params["limit_indices"], steps)
    return a[(*(slice(None),) * lead_axes, *slices)]


def _reversed(a: Any, params: Params, lead_axes: int, shape: object) -> Any:
    return np.flip(a, tuple(lead_axes + k for k in params["dimensions"]))


def _reduced(reduce: Call) -> Rule:
    return _displacing(
        lambda a, params, lead_axes, shape: reduce(a, axis=tuple(lead_axes + int(k) for k in params["axes"]))
    )


def _argument(find: Call) -> Rule:
    return _displacing(
        lambda a, params, lead_axes, shape: find(a, axis=lead_axes + int(params["axes"][0])).astype(
            params["index_dtype"]
        )
    )


def _running(accumulate: Call) -> Rule:
    def move(a: Any, params: Params, lead_axes: int, shape: object) -> Any:
        axis = lead_axes + params["axis"]
        if not params["reverse"]:
            return accumulate(a, axis=axis)
        return np.flip(accumulate(np.flip(a, axis), axis=axis), axis)

    return _displacing(move)


def _with_rows(values: Sequence[Any], kinds: Sequence[Kind]) -> Values:
    """Return arrays with rows each, if any has."""
    counts = [len(value) for value, kind in zip(values, kinds, strict=True) if kind.rows]
    if not counts:
        return list(values)
    return [
        value if kind.rows else np.broadcast_to(value, (counts[0], *kind.shape))
        for value, kind in zip(values, kinds, strict=True)
    ]


def _concatenate(op: Equation) -> Call:
    axis = op.params["dimension"] + op.outs[0].first
    return lambda *values: np.concatenate(_with_rows(values, op.kinds), axis=axis)


def _stack(op: Equation) -> Call:
    axis = op.params.get("axis", 0) + op.outs[0].first
    return lambda *values: np.stack(_with_rows(values, op.kinds), axis=axis)


def _split(op: Equation) -> Call:
    axis, ends = op.params["axis"] + op.kinds[0].first, np.cumsum(op.params["sizes"])[:-1]
    return lambda a: list(np.split(a, ends, axis=axis))


def _unstack(op: Equation) -> Call:
    axis = op.params.get("axis", 0) + op.kinds[0].first
    return lambda a: list(np.moveaxis(a, axis, 0))


def _pad(op: Equation) -> Call:
    if any(low < 0 or high < 0 for low, high, _ in op.params["padding_config"]) or op.kinds[1].rows:
        raise Unknown("pad by rows, or by less than nothing")
    lead_axes = op.kinds[0].first
    shape, index = op.outs[0].shape, [slice(None)] * lead_axes
    for (low, _, between), size in zip(op.params["padding_config"], op.kinds[0].shape, strict=True):
        index.append(slice(low, low + (size - 1) * (between + 1) + 1 if size else low, between + 1))

    def pad(a: Any, value: Any) -> Any:
        result = np.full((*a.shape[:lead_axes], *shape), value, a.dtype)
        result[tuple(index)] = a
        return result

    return pad


def _convert(op: Equation) -> Call:
    dtype = op.outs[0].dtype
    if op.kinds[0].dtype == dtype:
        return lambda a: a
    if dtype.kind in "iu" and op.kinds[0].dtype.kind == "f":  # XLA takes the nearest, and 0 for NaN
        limits = np.iinfo(dtype)
        low, high = float(limits.min), float(limits.max)

        def convert(a: Any) -> Any:
            within = (a > low) & (a < high)
            ends = np.where(a >= high, limits.max, np.where(a <= low, limits.min, 0)).astype(dtype)
            return np.where(within, np.where(within, a, 0.0).astype(dtype), ends)

        return convert
    if dtype.kind == "b":
        return lambda a: np.not_equal(a, 0)
    return lambda a: a.astype(dtype)


def _select(op: Equation) -> Call:
    if len(op.kinds) == 3:
        return _on_entries(lambda condition, no, yes: np.where(condition, yes, no))(op)
    if len(op.kinds) > 31:  # of `numpy.choose`
        raise Unknown("a choice between many cases")
    return _on_entries(lambda condition, *cases: np.choose(condition, cases))(op)


def _dot(op: Equation) -> Call:
    (contract_a, contract_b), (batch_a, batch_b) = op.params["dimension_numbers"]
    ranks = [len(kind.shape) for kind in op.kinds[:2]]
    # letters: 0 for rows, then the axes of the first operand, then those of the second
    a, b = list(range(1, 1 + ranks[0])), list(range(1 + ranks[0], 1 + sum(ranks)))
    for axis_a, axis_b in (*zip(contract_a, contract_b, strict=True), *zip(batch_a, batch_b, strict=True)):
        b[axis_b] = a[axis_a]
    rest_a = [a[k] for k in range(ranks[0]) if k not in (*contract_a, *batch_a)]
    rest_b = [b[k] for k in range(ranks[1]) if k not in (*contract_b, *batch_b)]
    letters = [a[k] for k in batch_a] + rest_a + rest_b
    a, b = [0] * op.kinds[0].first + a, [0] * op.kinds[1].first + b
    letters = [0] * op.outs[0].first + letters
    return lambda x, y: np.einsum(x, a, y, b, letters)


def _iota(op: Equation) -> Call:
    shape, along = op.outs[0].shape, op.params["dimension"]
    sizes = [size if k == along else 1 for k, size in enumerate(shape)]
    result = np.broadcast_to(np.arange(shape[along], dtype=op.outs[0].dtype).reshape(sizes), shape)
    return lambda *_: result


def _empty(op: Equation) -> Call:
    result = np.zeros(op.outs[0].shape, op.outs[0].dtype)
    return lambda *_: result


def _bits(op: Equation) -> Call:
    dtype = op.outs[0].dtype
    if dtype.itemsize != op.kinds[0].dtype.itemsize:
        raise Unknown("bits of another size")
    return lambda a: np.ascontiguousarray(a).view(dtype).reshape(np.shape(a))


def _places(
    sizes: Sequence[int], window: Sequence[int], numbers: Any, shape: tuple[int, ...], kind: Kind
) -> Callable[[Any, bool], tuple[Values, Any]]:
    """Function for the positions of entries of a result in an operand, and for the starts inside it.

    ``numbers`` are the window's axes in the result, the operand's axes that are not in it, those of the
    starts, and those of batches in the operand and in the indices; ``window`` has a size per axis of the
    operand.
    """
    in_result, dropped, starts, batched, of_indices = numbers
    index_axes = [k for k in range(len(shape)) if k not in in_result]  # axes of the indices
    remaining = [k for k in range(len(sizes)) if k not in (*dropped, *batched)]
    rank = len(shape)

    def along(array: Any, axis: Any) -> Any:
        sizes_along = [1] * rank
        sizes_along[axis] = len(array)
        return array.reshape(sizes_along)

    fixed: Values = [0] * len(sizes)
    for axis, k in zip(in_result, remaining, strict=True):
        fixed[k] = along(np.arange(window[k]), axis)
    for k, axis in zip(batched, of_indices, strict=True):
        fixed[k] = along(np.arange(sizes[k]), index_axes[axis])
    widths = [1] * rank
    for axis, size in zip(index_axes, kind.shape[:-1], strict=True):
        widths[axis] = size

    def find(indices: Any, clipped: bool) -> tuple[Values, Any]:
        index, inside = list(fixed), np.True_
        for j, k in enumerate(starts):
            start = indices[..., j].astype(np.int64)
            start = start.reshape((*start.shape[: kind.first], *widths))
            last_start = sizes[k] - window[k]
            inside = inside & (start >= 0) & (start <= last_start)
            index[k] = index[k] + np.clip(start, 0, last_start)
        return index, np.True_ if clipped else inside

    return find


def _outside(dtype: np.dtype) -> Any:
    """Value that JAX reads outside an array."""
    if dtype.kind in "fb":
        return np.nan if dtype.kind == "f" else True
    limits = np.iinfo(dtype)
    return limits.min if dtype.kind == "i" else limits.max


def _row_index(count: int, rank: int) -> Any:
    return np.arange(count).reshape((count, *(1,) * rank))


def _gather(op: Equation) -> Call:
    numbers, out = op.params["dimension_numbers"], op.outs[0]
    find = _places(
        op.kinds[0].shape,
        op.params["slice_sizes"],
        (
            *(numbers.offset_dims, numbers.collapsed_slice_dims, numbers.start_index_map),
            *(numbers.operand_batching_dims, numbers.start_indices_batching_dims),
        ),
        out.shape,
        op.kinds[1],
    )
    fills = "FILL" in str(op.params["mode"])
    fill = op.params["fill_value"]
    if fill is None:
        fill = _outside(out.dtype)

    def gather(a: Any, indices: Any) -> Any:
        index, inside = find(indices, not fills)
        if op.kinds[0].rows:
            index = [_row_index(len(a), len(out.shape)), *index]
        # a new axis for rows of indices, where the operand has none
        count = (len(a),) if op.kinds[0].rows else (len(indices),) if op.kinds[1].rows else ()
        result = np.broadcast_to(a[tuple(index)] if index else a, (*count, *out.shape))
        return result if np.all(inside) else np.where(inside, result, fill)

    return gather


def _scatter(adds: bool) -> Rule:
    def rule(op: Equation) -> Call:
        numbers, out = op.params["dimension_numbers"], op.outs[0]
        update = op.kinds[2]
        remaining = [
            k
            for k in range(len(out.shape))
            if k not in (*numbers.inserted_window_dims, *numbers.operand_batching_dims)
        ]
        window = [1] * len(out.shape)
        for axis, k in zip(numbers.update_window_dims, remaining, strict=True):
            window[k] = update.shape[axis]
        find = _places(
            out.shape,
            window,
            (
                *(numbers.update_window_dims, numbers.inserted_window_dims),
                *(numbers.scatter_dims_to_operand_dims, numbers.operand_batching_dims),
                numbers.scatter_indices_batching_dims,
            ),
            update.shape,
            op.kinds[1],
        )
        clips = "CLIP" in str(op.params["mode"])

        def scatter(a: Any, indices: object, new: Any) -> Any:
            index, inside = find(indices, clips)
            count: tuple[int, ...] = ()
            if out.rows:
                a, new, _ = _with_rows([a, new, indices], [op.kinds[0], op.kinds[2], op.kinds[1]])
                count = (len(a),)
                index = [_row_index(len(a), len(update.shape)), *index]
            result = np.array(a)
            new = np.broadcast_to(new, (*count, *update.shape))
            place = tuple(np.broadcast_arrays(*index, new)[:-1]) if index else ()
            if not np.all(inside):
                good = np.broadcast_to(inside, new.shape)
                place, new = tuple(part[good] for part in place), new[good]
            if adds:
                np.add.at(result, place, new)
            else:
                result[place] = new
            return result

        return scatter

    return rule


def _window(sizes: Sequence[int], window: Sequence[int], kinds: Sequence[Kind]) -> Callable[..., Values]:
    """Return the indices of a window at starts, one operand each."""
    rank = len(sizes)

    def find(*starts: Any) -> Values:
        index = []
        for k, start in enumerate(starts):
            offsets = np.arange(window[k]).reshape([-1 if j == k else 1 for j in range(rank)])
            start = np.clip(start, 0, sizes[k] - window[k])
            index.append(offsets + (start.reshape((-1, *(1,) * rank)) if kinds[k].rows else start))
        return index

    return find


def _dynamic_slice(op: Equation) -> Call:
    shape = op.outs[0].shape
    find = _window(op.kinds[0].shape, shape, op.kinds[1:])

    def cut(a: Any, *starts: object) -> Any:
        index = find(*starts)
        return a[(_row_index(len(a), len(shape)), *index) if op.kinds[0].rows else tuple(index)]

    return cut


def _dynamic_update(op: Equation) -> Call:
    find = _window(op.kinds[0].shape, op.kinds[1].shape, op.kinds[2:])
    rank = len(op.kinds[0].shape)

    def update(a: Any, new: object, *starts: object) -> Any:
        index = find(*starts)
        if op.outs[0].rows:
            a, new, *_ = _with_rows([a, new, *starts], op.kinds)
            index = [_row_index(len(a), rank), *index]
        result = np.array(a)
        result[tuple(index)] = new
        return result

    return update


def _sort(op: Equation) -> Call:
    axis, keys = op.params["dimension"] + op.outs[0].first, op.params["num_keys"]

    def sort(*values: Any) -> Values:
        values = tuple(_with_rows(values, op.kinds))
        order = np.lexsort(values[:keys][::-1], axis=axis) if len(values) > 1 else None
        if order is None:
            return [np.sort(values[0], axis=axis)]
        return [np.take_along_axis(value, order, axis=axis) for value in values]

    return sort


def _top(op: Equation) -> Call:
    count, axis = op.params["k"], op.params.get("axis", len(op.kinds[0].shape) - 1)

    def top(a: Any) -> Values:
        at = axis + op.kinds[0].first
        order = np.argsort(np.where(np.isnan(a), -np.inf, -a), axis=at, kind="stable")  # XLA: NaN is largest
        order = np.take(order, np.arange(count), axis=at)
        return [np.take_along_axis(a, order, axis=at), order.astype(op.outs[1].dtype)]

    return top


def _lu(op: Equation) -> Call:
    def factor(a: object) -> Values:
        a = np.array(a)
        size, batch = min(a.shape[-2:]), a.shape[:-2]
        permutation = np.broadcast_to(np.arange(a.shape[-2]), (*batch, a.shape[-2])).copy()
        pivots = np.zeros((*batch, size), np.int32)
        for k in range(size):
            pivot = k + np.argmax(np.abs(a[..., k:, k]), axis=-1)
            pivots[..., k] = pivot
            for array in (a, permutation[..., None]):
                row = np.take_along_axis(array, pivot[..., None, None], axis=-2)
                np.put_along_axis(array, pivot[..., None, None], array[..., k : k + 1, :].copy(), axis=-2)
                array[..., k : k + 1, :] = row
            a[..., k + 1 :, k] /= a[..., k, k][..., None]
            a[..., k + 1 :, k + 1 :] -= a[..., k + 1 :, k, None] * a[..., k, None, k + 1 :]
        return [a, pivots, permutation.astype(np.int32)]

    return factor


def _triangular(op: Equation) -> Call:
    on_left, lower, unit = op.params["left_side"], op.params["lower"], op.params["unit_diagonal"]
    transposed = op.params["transpose_a"]

    def solve(a: Any, b: Any) -> Any:
        a, b = _with_rows([a, b], op.kinds)
        if transposed:
            a = np.swapaxes(a, -1, -2)
        if not on_left:
            a, b = np.swapaxes(a, -1, -2), np.swapaxes(b, -1, -2)
        size, x = a.shape[-1], np.array(b)
        forward = lower != (transposed != (not on_left))  # transposing turns a lower one into an upper one
        for k in range(size) if forward else range(size)[::-1]:
            solved = slice(0, k) if forward else slice(k + 1, size)
            x[..., k, :] -= np.einsum("...j,...jm->...m", a[..., k, solved], x[..., solved, :])
            if not unit:
                x[..., k, :] /= a[..., k, k][..., None]
        return x if on_left else np.swapaxes(x, -1, -2)

    return solve


def _cond(op: Equation) -> Call:
    programs = cases(op.params, [kind.rows for kind in op.kinds], Program)
    top_index = len(programs) - 1

    def results(k: int, arguments: Sequence[Any], count: int) -> Values:
        columns = zip(programs[k](*arguments), programs[k].rows, op.outs, strict=True)
        return [
            value if rows or not out.rows else np.broadcast_to(value, (count, *out.shape))
            for value, rows, out in columns
        ]

    def choose(index: Any, *arguments: Any) -> Values:
        count = next(
            (
                len(argument)
                for argument, kind in zip((index, *arguments), op.kinds, strict=True)
                if kind.rows
            ),
            0,
        )
        index = np.clip(np.asarray(index).astype(int), 0, top_index)
        if not op.kinds[0].rows:
            return results(int(index), arguments, count)
        branches = [results(k, arguments, count) for k in range(top_index + 1)]
        shape = [index.reshape((count, *(1,) * len(out.shape))) for out in op.outs]
        return [np.choose(at, [np.asarray(branch[j]) for branch in branches]) for j, at in enumerate(shape)]

    return choose


def _while(op: Equation) -> Call:
    """Return the rule of a loop with a condition, one of each row and of each entry of a mapped loop.

    As in JAX all go on until no condition holds, and what has ended stays as it is. Raises `Endless` where
    that takes longer than `LOOP_SECONDS`.
    """
    in_condition, in_body = op.params["cond_nconsts"], op.params["body_nconsts"]
    constants, carried = in_condition + in_body, len(op.outs)
    rows = any(kind.rows for kind in op.kinds)
    has_rows = [kind.rows for kind in op.kinds]
    condition = Program(op.params["cond_jaxpr"], [*has_rows[:in_condition], *[rows] * carried])
    body = Program(op.params["body_jaxpr"], [*has_rows[in_condition:constants], *[rows] * carried])

    def loop(*arguments: Any) -> Values:
        carry = _with_rows(arguments, op.kinds)[constants:]
        end = perf_counter() + LOOP_SECONDS
        while np.any(holds := np.asarray(condition(*arguments[:in_condition], *carry)[0])):
            if perf_counter() > end:
                raise Endless(f"a loop that takes more than {LOOP_SECONDS:g} s")
            after = body(*arguments[in_condition:constants], *carry)
            if holds.ndim or rows:
                holds = holds if condition.rows[0] or not rows else holds[None]
                ends = zip(after, carry, strict=True)
                after = [np.where(_lead(holds, np.ndim(old)), new, old) for new, old in ends]
            carry = after
        return carry

    return loop


def _lead(array: Any, rank: int) -> Any:
    """Return an array with axes of one entry behind its own, up to a rank."""
    return array.reshape((*array.shape, *(1,) * (rank - array.ndim)))


def _scan(op: Equation) -> Call:
    scan, rows_of = Scan(op.params), [kind.rows for kind in op.kinds]
    carried, (constants, initial_carry, sequences) = scan.carried, scan.parts(rows_of)
    # what is carried has rows if anything has
    rows = op.outs[0].rows if op.outs else False
    body = Program(scan.body, [*constants, *[rows] * carried, *sequences])
    shapes = [out.shape for out in op.outs[:carried]] + [out.shape[1:] for out in op.outs[carried:]]

    def loop(*arguments: Any) -> Values:
        count = next(
            (len(operand) for operand, kind in zip(arguments, op.kinds, strict=True) if kind.rows), 0
        )

        def with_rows(value: Any, is_rows: bool, shape: Any) -> Any:
            return value if is_rows == rows else np.broadcast_to(value, (count, *shape))

        def stacked(column: Values, out: Kind) -> Any:
            if column:
                return np.stack(column, axis=int(rows))
            return np.zeros((*(count,) * rows, *out.shape), out.dtype)

        fixed, carry, steps = scan.parts(arguments)
        carry, columns = scan.unrolled(
            [
                *fixed,
                *map(with_rows, carry, initial_carry, shapes),
                *(
                    np.moveaxis(operand, 1, 0) if has_rows else operand
                    for operand, has_rows in zip(steps, sequences, strict=True)
                ),
            ],
            lambda values: list(map(with_rows, body(*values), body.rows, shapes)),
            lambda operand, k: operand[k],
        )
        return [*carry, *map(stacked, columns, op.outs[carried:])]

    return loop


def _power(op: Equation) -> Call:
    exponent = op.params["y"]
    return lambda a: np.power(a, exponent) if exponent >= 0 else 1.0 / np.power(a, -exponent)


def _quotient(op: Equation) -> Call:
    if op.outs[0].dtype.kind != "f":
        raise Unknown("a quotient of integers")
    return _on_entries(np.divide)(op)


def _round(op: Equation) -> Call:
    if "EVEN" in str(op.params["rounding_method"]):
        return np.rint
    return lambda a: np.trunc(a + np.copysign(0.49999999999999994, a))


def _logical(of_truth: Call, of_bits: Call) -> Rule:
    def rule(op: Equation) -> Call:
        return _on_entries(of_truth if op.outs[0].dtype == bool else of_bits)(op)

    return rule


def _special(name: str) -> Rule:
    """Return the rule of a function of SciPy, which is loaded when it is met."""

    def rule(op: Equation) -> Call:
        from scipy import special

        return _on_entries(getattr(special, name))(op)

    return rule


SAME = frozenset(("stop_gradient", "optimization_barrier", "copy", "copy_p", "device_put"))
"""Operations whose results are their operands."""

_reshape = _displacing(lambda a, params, lead_axes, shape: _reshaped(a, lead_axes, shape))

ENTRIES: dict[str, Call] = {
    "add": np.add,
    "add_any": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "neg": np.negative,
    "max": np.maximum,
    "min": np.minimum,
    "clamp": lambda low, x, high: np.minimum(np.maximum(x, low), high),
    "abs": np.abs,
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "rem": np.fmod,
    "square": np.square,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "cbrt": np.cbrt,
    "pow": np.power,
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "logistic": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "tanh": np.tanh,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "is_finite": np.isfinite,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "shift_left": np.left_shift,
    "shift_right_arithmetic": np.right_shift,
}
"""Operations on entries, by their names in JAX."""

RULES: dict[str, Rule] = {
    **{name: _on_entries(function) for name, function in ENTRIES.items()},
    "erf": _special("erf"),
    "erfc": _special("erfc"),
    "lgamma": _special("gammaln"),
    "digamma": _special("psi"),
    "and": _logical(np.logical_and, np.bitwise_and),
    "or": _logical(np.logical_or, np.bitwise_or),
    "xor": _logical(np.logical_xor, np.bitwise_xor),
    "not": _logical(np.logical_not, np.invert),
    "div": _quotient,
    "integer_pow": _power,
    "round": _round,
    "select_n": _select,
    "convert_element_type": _convert,
    "bitcast_convert_type": _bits,
    "iota": _iota,
    "empty": _empty,
    "empty2": _empty,
    "broadcast_in_dim": _displacing(_broadcast),
    **dict.fromkeys(("reshape", "squeeze", "expand_dims"), _reshape),
    "transpose": _displacing(_transposed),
    "slice": _displacing(_sliced),
    "rev": _displacing(_reversed),
    "concatenate": _concatenate,
    "stack": _stack,
    "split": _split,
    "unstack": _unstack,
    "pad": _pad,
    "gather": _gather,
    "scatter": _scatter(False),
    **dict.fromkeys(("scatter-add", "scatter_add"), _scatter(True)),
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update,
    "reduce_sum": _reduced(np.sum),
    "reduce_prod": _reduced(np.prod),
    "reduce_max": _reduced(np.max),
    "reduce_min": _reduced(np.min),
    "reduce_and": _reduced(np.all),
    "reduce_or": _reduced(np.any),
    "argmax": _argument(np.argmax),
    "argmin": _argument(np.argmin),
    "cumsum": _running(np.cumsum),
    "cumprod": _running(np.cumprod),
    "cummax": _running(np.maximum.accumulate),
    "cummin": _running(np.minimum.accumulate),
    "dot_general": _dot,
    "sort": _sort,
    "top_k": _top,
    "lu": _lu,
    "triangular_solve": _triangular,
    "cond": _cond,
    "while": _while,
    "scan": _scan,
}
"""Rules by the names of operations in JAX: functions of arrays."""

LISTED = frozenset(("split", "unstack", "sort", "top_k", "lu", "cond", "while", "scan"))
"""Operations whose functions return lists of results."""


def on_numbers(equation: JaxprEqn, operands: Sequence[Any]) -> Values | None:
    """Return the results of one operation on numbers that are known; None where NumPy has no rule."""
    if any(map(_is_key, operands)):
        return None
    try:
        kinds = [Kind(np.shape(operand), np.asarray(operand).dtype, False) for operand in operands]
        outs = [_kind(variable.aval, False) for variable in equation.outvars]
        if equation.primitive.name in SAME:
            return list(operands)
        rule = RULES[equation.primitive.name](Equation(equation.params, kinds, outs))
    except (KeyError, Unknown):
        return None
    try:
        with np.errstate(all="ignore"):
            results = rule(*map(np.asarray, operands))
    except Endless as error:
        raise Unsupported(f"no bound: payoffs contain {error}") from None
    return results if isinstance(results, list) else [results]


class _Traced(NamedTuple):
    """A program, None if NumPy does not evaluate it, and the form of its results."""

    program: Program | None
    form: Any


_programs: dict[Any, _Traced] = {}
register_program_cache(_programs.clear)
MOST = 64  # programs kept
ROWS = 64  # of one call of NumPy: more take their time each


def _traced(function: Call, shared: tuple[Any, ...], rows: Sequence[ndarray]) -> tuple[_Traced, Values]:
    """Return the program of a function, and its numbers in arguments that are the same for all rows."""
    leaves, tree = jax.tree.flatten(shared)
    numbers = [leaf for leaf in leaves if _is_number(leaf)]
    fixed = tuple(None if _is_number(leaf) else _fixed(leaf) for leaf in leaves)
    arguments = [*numbers, *(row[0] for row in rows)]
    key = (function, tree, fixed, tuple((np.shape(argument), str(argument.dtype)) for argument in arguments))
    if key in _programs:
        _programs[key] = _programs.pop(key)  # the one used last is forgotten last
        return _programs[key], numbers
    forms: Values = []

    def flat(*values: object) -> Values:
        numbers = iter(values)
        merged = [next(numbers) if _is_number(leaf) else leaf for leaf in leaves]
        results, form = jax.tree.flatten(function(*jax.tree.unflatten(tree, merged), *numbers))
        forms.append(form)
        return results

    shapes = [jax.ShapeDtypeStruct(np.shape(argument), argument.dtype) for argument in arguments]
    has_rows = [False] * len(numbers) + [True] * len(rows)
    with pause_collection():
        program = jax.make_jaxpr(flat)(*shapes)
        try:
            evaluated = Program(program, has_rows)
        except Unknown:
            evaluated = None
    if len(_programs) >= MOST:
        del _programs[next(iter(_programs))]
    _programs[key] = _Traced(evaluated, forms[0])
    return _programs[key], numbers


def _is_key(value: object) -> bool:
    """True if a value is a key of random numbers, which NumPy does not hold."""
    return is_jax_array(value) and jnp.issubdtype(value.dtype, jax.dtypes.extended)


def _is_number(leaf: object) -> bool:
    """True if a leaf may differ between calls of one program; integers of NumPy are fixed indices."""
    return isinstance(leaf, jax.Array) or (isinstance(leaf, ndarray) and leaf.dtype.kind == "f")


def _fixed(leaf: object) -> Any:
    return (leaf.dtype.str, leaf.shape, leaf.tobytes()) if isinstance(leaf, ndarray) else leaf


def over_rows(function: Call, shared: int = 2, effort: int | None = None) -> Call:
    """Return a function of one row of arguments, applied to many: by NumPy, or compiled where they are many.

    Parameters
    ----------
    function : callable
        Of ``shared`` arguments, and of one row of each other, to a named tuple of arrays.
    shared : int
        How many arguments are the same for all rows.
    effort : int or None
        Of compiling; see `rivalry.runtime.jax.compiled`.

    Returns
    -------
    callable
        ``(*shared, *rows, batch, past_rows)``. It compiles for ``batch`` rows at a time; NumPy takes at least
        `ROWS` of them. ``past_rows`` is the number of rows of earlier calls of the same search.
    """
    compiled_function = compiled(
        lambda *arguments: jax.vmap(partial(function, *arguments[:shared]))(*arguments[shared:]),
        effort=effort,
    )

    def call(*arguments: object, batch: int, past_rows: int = 0) -> Any:
        rows = [np.asarray(row) for row in arguments[shared:]]
        (program, form), numbers = _traced(function, arguments[:shared], rows)
        if program is not None and program.is_slow(past_rows):
            program = None
        batch = batch if program is None else max(batch, ROWS)
        parts = []
        for begin in range(0, len(rows[0]), batch):
            batch_rows = [row[begin : begin + batch] for row in rows]
            outputs = None
            if program is not None:
                try:
                    with np.errstate(all="ignore"):
                        outputs = program(*map(np.asarray, numbers), *batch_rows)
                    outputs = _with_all_rows(outputs, program.rows, len(batch_rows[0]))
                except Endless:
                    program.is_endless, program = True, None
            if outputs is None:
                missing = batch - len(batch_rows[0])  # so that one number of rows is compiled
                batch_rows = [
                    np.concatenate([row, np.repeat(row[-1:], missing, axis=0)]) for row in batch_rows
                ]
                results, form = jax.tree.flatten(compiled_function(*arguments[:shared], *batch_rows))
                outputs = [np.asarray(part)[: batch - missing] for part in results]
            parts.append(outputs)
        return jax.tree.unflatten(form, [np.concatenate(column) for column in zip(*parts, strict=True)])

    return wraps(function)(call)


def _with_all_rows(results: Sequence[Any], rows: Sequence[bool], count: int) -> Values:
    return [
        result if has_rows else np.broadcast_to(result, (count, *np.shape(result)))
        for result, has_rows in zip(results, rows, strict=True)
    ]

"""Operations of JAX in NumPy, on arrays with rows in front.

Every array has an axis ``[row ..]`` before those that JAX knows, of one entry where all rows are the same. A
rule takes an operation and returns its function of such arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.proofs.arithmetic.programs import SHIFT

Params = dict[str, Any]  # of an operation
Call = Callable[..., Any]


class Unknown(Exception):
    """An operation that NumPy does not evaluate here."""


class Kind(NamedTuple):
    """The shape and type of an array, without rows."""

    shape: tuple[int, ...]
    dtype: Any


class Equation(NamedTuple):
    """An operation: its name and parameters, and the kinds of its operands and results."""

    name: str
    params: Params
    kinds: tuple[Kind, ...]
    outs: tuple[Kind, ...]


Rule = Callable[[Equation], Call]


def in_rank(value: Any, rank: int) -> Any:
    """Return an array with axes of one entry behind its rows, up to a rank without rows."""
    missing = 1 + rank - value.ndim
    return value.reshape((len(value), *(1,) * missing, *value.shape[1:])) if missing else value


def with_rows(values: Sequence[Any]) -> list[Any]:
    """Return arrays with the same number of rows each."""
    count = max(map(len, values))
    return [
        value if len(value) == count else np.broadcast_to(value, (count, *value.shape[1:]))
        for value in values
    ]


def _on_entries(function: Call) -> Rule:
    """Return the rule of an operation on entries."""

    def rule(op: Equation) -> Call:
        rank = len(op.outs[0].shape)
        if all(len(kind.shape) == rank for kind in op.kinds):
            return function
        return lambda *values: function(*(in_rank(value, rank) for value in values))

    return rule


def _reshape(op: Equation) -> Call:
    shape = op.outs[0].shape
    return lambda a, *_: a.reshape((len(a), *shape))


def _reordered(op: Equation) -> Call:
    reshape, order = _reshape(op), op.params["dimensions"]
    if order is None:
        return reshape
    axes = (0, *(1 + k for k in order))  # as in derivatives of products
    return lambda a, *_: reshape(a.transpose(axes))


def _broadcast(op: Equation) -> Call:
    shape, places = op.outs[0].shape, op.params["broadcast_dimensions"]
    sizes = [1] * len(shape)
    for size, at in zip(op.kinds[0].shape, places, strict=True):
        sizes[at] = size

    def repeat_entries(a: Any, *_: Any) -> Any:
        # faster than a view, which NumPy makes in Python
        result = np.empty((len(a), *shape), a.dtype)
        result[...] = a.reshape((len(a), *sizes))
        return result

    return repeat_entries


def _transpose(op: Equation) -> Call:
    axes = (0, *(1 + k for k in op.params["permutation"]))
    return lambda a: a.transpose(axes)


def _slice(op: Equation) -> Call:
    begins, ends = op.params["start_indices"], op.params["limit_indices"]
    steps = op.params["strides"] or [None] * len(begins)
    index = (slice(None), *map(slice, begins, ends, steps))
    return lambda a: a[index]


def _reverse(op: Equation) -> Call:
    axes = tuple(1 + k for k in op.params["dimensions"])
    return lambda a: np.flip(a, axes)


def _reduced(reduce: Call) -> Rule:
    def rule(op: Equation) -> Call:
        axes = tuple(1 + int(k) for k in op.params["axes"])
        return lambda a: reduce(a, axis=axes)

    return rule


def _argument(find: Call) -> Rule:
    def rule(op: Equation) -> Call:
        axis, dtype = 1 + int(op.params["axes"][0]), op.outs[0].dtype
        return lambda a: find(a, axis=axis).astype(dtype)

    return rule


def _running(accumulate: Call) -> Rule:
    def rule(op: Equation) -> Call:
        axis = 1 + op.params["axis"]
        if not op.params["reverse"]:
            return lambda a: accumulate(a, axis=axis)
        return lambda a: np.flip(accumulate(np.flip(a, axis), axis=axis), axis)

    return rule


def _concatenate(op: Equation) -> Call:
    axis = 1 + op.params["dimension"]
    return lambda *values: np.concatenate(with_rows(values), axis=axis)


def _stack(op: Equation) -> Call:
    axis = 1 + op.params.get("axis", 0)
    return lambda *values: np.stack(with_rows(values), axis=axis)


def _split(op: Equation) -> Call:
    axis, ends = 1 + op.params["axis"], np.cumsum(op.params["sizes"])[:-1]
    return lambda a: list(np.split(a, ends, axis=axis))


def _unstack(op: Equation) -> Call:
    axis = 1 + op.params.get("axis", 0)
    return lambda a: list(np.moveaxis(a, axis, 0))


def _tile(op: Equation) -> Call:
    reps = (1, *op.params["reps"])
    return lambda a: np.tile(a, reps)


def _pad(op: Equation) -> Call:
    if any(low < 0 or high < 0 for low, high, _ in op.params["padding_config"]):
        raise Unknown("pad by less than nothing")
    shape, index = op.outs[0].shape, [slice(None)]
    for (low, _, between), size in zip(op.params["padding_config"], op.kinds[0].shape, strict=True):
        index.append(slice(low, low + (size - 1) * (between + 1) + 1 if size else low, between + 1))

    def surround(a: ndarray, value: ndarray) -> ndarray:
        a, value = with_rows([a, value])
        result = np.empty((len(a), *shape), a.dtype)
        result[...] = in_rank(value, len(shape))
        result[tuple(index)] = a
        return result

    return surround


def _convert(op: Equation) -> Call:
    dtype = op.outs[0].dtype
    if op.kinds[0].dtype == dtype:
        return lambda a: a
    if dtype.kind in "iu" and op.kinds[0].dtype.kind == "f":  # XLA takes the nearest, and 0 for NaN
        limits = np.iinfo(dtype)
        low, high = float(limits.min), float(limits.max)

        def to_integers(a: Any) -> Any:
            within = (a > low) & (a < high)
            ends = np.where(a >= high, limits.max, np.where(a <= low, limits.min, 0)).astype(dtype)
            return np.where(within, np.where(within, a, 0.0).astype(dtype), ends)

        return to_integers
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
    letters = [0, *(a[k] for k in batch_a), *rest_a, *rest_b]
    return lambda x, y: np.einsum(x, [0, *a], y, [0, *b], letters)


def _iota(op: Equation) -> Call:
    shape, along = op.outs[0].shape, op.params["dimension"]
    sizes = [size if k == along else 1 for k, size in enumerate(shape)]
    result = np.broadcast_to(np.arange(shape[along], dtype=op.outs[0].dtype).reshape(sizes), (1, *shape))
    return lambda *_: result


def _platform(op: Equation) -> Call:
    """Return the index of the case for processors, as which NumPy counts."""
    cases = op.params["platforms"]
    index = next((k for k, names in enumerate(cases) if names is None or "cpu" in names), None)
    if index is None:
        raise Unknown("a choice between platforms, of which none is a processor")
    result = np.full(1, index, op.outs[0].dtype)
    return lambda: result


def _empty(op: Equation) -> Call:
    result = np.zeros((1, *op.outs[0].shape), op.outs[0].dtype)
    return lambda *_: result


def _bits(op: Equation) -> Call:
    dtype = op.outs[0].dtype
    if dtype.itemsize != op.kinds[0].dtype.itemsize:
        raise Unknown("bits of another size")
    return lambda a: np.ascontiguousarray(a).view(dtype)


def _places(
    sizes: Sequence[int], window: Sequence[int], numbers: Any, shape: tuple[int, ...], index_shape: Any
) -> Callable[[Any, bool], tuple[list[Any], Any]]:
    """Return a function for the positions of entries of a result in an operand, and which are inside it.

    ``numbers`` are the window's axes in the result, the operand's axes that are not in it, those of the
    starts, and those of batches in the operand and in the indices; ``window`` has a size per axis of the
    operand. Positions have rows in front.
    """
    in_result, dropped, starts, batched, of_indices = numbers
    index_axes = [k for k in range(len(shape)) if k not in in_result]  # axes of the indices
    remaining = [k for k in range(len(sizes)) if k not in (*dropped, *batched)]
    rank = len(shape)

    def along(array: Any, axis: Any) -> Any:
        sizes_along = [1] * rank
        sizes_along[axis] = len(array)
        return array.reshape((1, *sizes_along))

    fixed: list[Any] = [np.zeros((1,) * (1 + rank), int)] * len(sizes)
    for axis, k in zip(in_result, remaining, strict=True):
        fixed[k] = along(np.arange(window[k]), axis)
    for k, axis in zip(batched, of_indices, strict=True):
        fixed[k] = along(np.arange(sizes[k]), index_axes[axis])
    widths = [1] * rank
    for axis, size in zip(index_axes, index_shape[:-1], strict=True):
        widths[axis] = size

    latest: list[Any] = []  # of indices that are known: they are the same array in every evaluation

    def find(indices: Any, clipped: bool) -> tuple[list[Any], Any]:
        if not latest or latest[0] is not indices:
            latest[:] = [indices, located(indices)]
        index, inside = latest[1]
        return index, np.True_ if clipped else inside

    def located(indices: Any) -> tuple[list[Any], Any]:
        index, inside = list(fixed), np.True_
        for j, k in enumerate(starts):
            start = indices[..., j].astype(np.int64).reshape((len(indices), *widths))
            last_start = sizes[k] - window[k]
            inside = inside & (start >= 0) & (start <= last_start)
            index[k] = index[k] + np.clip(start, 0, last_start)
        return index, inside

    return find


def _outside(dtype: Any) -> Any:
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
        op.kinds[1].shape,
    )
    fills = "FILL" in str(op.params["mode"])
    fill = op.params["fill_value"]
    if fill is None:
        fill = _outside(out.dtype)

    def take_entries(a: ndarray, indices: ndarray) -> ndarray:
        index, inside = find(indices, not fills)
        result = a[(_row_index(len(a), len(out.shape)), *index)]
        count = max(len(a), len(indices))
        result = np.broadcast_to(result, (count, *out.shape))
        return result if np.all(inside) else np.where(inside, result, fill)

    return take_entries


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
            op.kinds[1].shape,
        )
        clips = "CLIP" in str(op.params["mode"])

        def put_entries(a: ndarray, indices: ndarray, new: ndarray) -> ndarray:
            index, inside = find(indices, clips)
            a, _, new = with_rows([a, indices, new])
            result = np.array(a)
            row = _row_index(len(a), len(update.shape))
            place = tuple(np.broadcast_arrays(row, *index, new)[:-1])
            if not np.all(inside):
                good = np.broadcast_to(inside, new.shape)
                place, new = tuple(part[good] for part in place), new[good]
            if adds:
                np.add.at(result, place, new)
            else:
                result[place] = new
            return result

        return put_entries

    return rule


def _window(sizes: Sequence[int], window: Sequence[int]) -> Callable[..., list[Any]]:
    """Return the indices of a window at starts, one operand each."""
    rank = len(sizes)

    def find(*starts: Any) -> list[Any]:
        index = []
        for k, start in enumerate(starts):
            offsets = np.arange(window[k]).reshape([-1 if j == k else 1 for j in range(rank)])
            start = np.clip(start, 0, sizes[k] - window[k])
            index.append(offsets + start.reshape((-1, *(1,) * rank)))
        return index

    return find


def _dynamic_slice(op: Equation) -> Call:
    shape = op.outs[0].shape
    find = _window(op.kinds[0].shape, shape)

    def cut(a: ndarray, *starts: ndarray) -> ndarray:
        return a[(_row_index(len(a), len(shape)), *find(*starts))]

    return cut


def _dynamic_update(op: Equation) -> Call:
    find = _window(op.kinds[0].shape, op.kinds[1].shape)
    rank = len(op.kinds[0].shape)

    def update(a: Any, new: Any, *starts: Any) -> Any:
        a, new, *starts = with_rows([a, new, *starts])  # type: ignore[assignment]
        result = np.array(a)
        result[(_row_index(len(a), rank), *find(*starts))] = new
        return result

    return update


def _sort(op: Equation) -> Call:
    axis, keys = 1 + op.params["dimension"], op.params["num_keys"]

    def in_order(*values: Any) -> list[Any]:
        if len(values) == 1:
            return [np.sort(values[0], axis=axis)]
        values = tuple(with_rows(values))
        order = np.lexsort(values[:keys][::-1], axis=axis)
        return [np.take_along_axis(value, order, axis=axis) for value in values]

    return in_order


def _top(op: Equation) -> Call:
    count = op.params["k"]
    axis = 1 + op.params.get("axis", len(op.kinds[0].shape) - 1)

    def largest_first(a: Any) -> list[Any]:
        # XLA: NaN is largest
        order = np.argsort(np.where(np.isnan(a), -np.inf, -a), axis=axis, kind="stable")
        order = np.take(order, np.arange(count), axis=axis)
        return [np.take_along_axis(a, order, axis=axis), order.astype(op.outs[1].dtype)]

    return largest_first


def _lu(op: Equation) -> Call:
    def factor(a: object) -> list[Any]:
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
        a, b = with_rows([a, b])
        if transposed:
            a = np.swapaxes(a, -1, -2)
        if not on_left:  # x a = b is a' x' = b'
            a, b = np.swapaxes(a, -1, -2), np.swapaxes(b, -1, -2)
        size, x = a.shape[-1], np.array(b)
        # each transposition turns a lower matrix into an upper one
        forward = lower != (transposed != (not on_left))
        order = range(size) if forward else range(size)[::-1]
        for k in order:
            solved = slice(0, k) if forward else slice(k + 1, size)
            x[..., k, :] -= np.einsum("...j,...jm->...m", a[..., k, solved], x[..., solved, :])
            if not unit:
                x[..., k, :] /= a[..., k, k][..., None]
        return x if on_left else np.swapaxes(x, -1, -2)

    return solve


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


def _shift_right(op: Equation) -> Call:
    """Return the rule of a shift of bits that fills with zeros."""
    dtype = op.outs[0].dtype
    unsigned = np.dtype(f"u{dtype.itemsize}")
    shift = _on_entries(lambda a, by: np.right_shift(a.view(unsigned), by.view(unsigned)).view(dtype))
    return shift(op)


def _same(op: Equation) -> Call:
    return lambda a, *_: a


class _Parameters(dict[str, Any]):
    """Parameters of an operation, with the names that a rule has read."""

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self.names_read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.names_read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.names_read.add(name)
        return super().get(name, default)


def function_of(equation: Equation) -> Call:
    """Return the function of an operation.

    Raises
    ------
    Unknown
        For an operation without a rule, and for one with a parameter that its rule does not read: the result
        may depend on it.
    """
    if equation.name not in ARRAY_RULES:
        raise Unknown(equation.name)
    params = _Parameters(equation.params)
    call = ARRAY_RULES[equation.name](equation._replace(params=params))
    names = params.names_read | HARMLESS | IMPLIED.get(equation.name, HARMLESS)
    unread = [name for name, value in params.items() if name not in names and value is not None]
    if unread:
        raise Unknown(f"{equation.name} with {unread[0]}")
    return call


HARMLESS = frozenset(
    (
        *("sharding", "out_sharding", "accuracy", "precision", "preferred_element_type", "weak_type"),
        *("unique_indices", "indices_are_sorted", "is_stable", "conjugate_a"),
    )
)
"""Parameters that change no number, or its last bits alone."""

IMPLIED = {
    "broadcast_in_dim": frozenset(("shape",)),
    "reshape": frozenset(("new_sizes",)),
    "squeeze": frozenset(("dimensions",)),
    "dynamic_slice": frozenset(("slice_sizes",)),
    "convert_element_type": frozenset(("new_dtype",)),
    "bitcast_convert_type": frozenset(("new_dtype",)),
    "iota": frozenset(("shape", "dtype")),
    "empty": frozenset(("shape", "dtype")),
    "empty2": frozenset(("dtype",)),
    "argmax": frozenset(("index_dtype",)),
    "argmin": frozenset(("index_dtype",)),
    "scatter": frozenset(("update_consts",)),
    **dict.fromkeys(("scatter-add", "scatter_add"), frozenset(("update_consts", "update_jaxpr"))),
}
"""Parameters, by operation, that its name or the kinds of its operands and results imply."""

SAME = frozenset(("stop_gradient", "optimization_barrier", "copy", "copy_p", "device_put", "real", SHIFT))
"""Operations whose results are their operands."""

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
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
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

ARRAY_RULES: dict[str, Rule] = {
    **dict.fromkeys(SAME, _same),
    **{name: _on_entries(function) for name, function in ENTRIES.items()},
    "erf": _special("erf"),
    "erfc": _special("erfc"),
    "lgamma": _special("gammaln"),
    "digamma": _special("psi"),
    "and": _logical(np.logical_and, np.bitwise_and),
    "or": _logical(np.logical_or, np.bitwise_or),
    "xor": _logical(np.logical_xor, np.bitwise_xor),
    "not": _logical(np.logical_not, np.invert),
    "shift_right_logical": _shift_right,
    "div": _quotient,
    "integer_pow": _power,
    "round": _round,
    "select_n": _select,
    "convert_element_type": _convert,
    "bitcast_convert_type": _bits,
    "iota": _iota,
    "platform_index": _platform,
    "empty": _empty,
    "empty2": _empty,
    "broadcast_in_dim": _broadcast,
    "reshape": _reordered,
    **dict.fromkeys(("squeeze", "expand_dims"), _reshape),
    "transpose": _transpose,
    "slice": _slice,
    "rev": _reverse,
    "concatenate": _concatenate,
    "stack": _stack,
    "split": _split,
    "unstack": _unstack,
    "tile": _tile,
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
}
"""Rules by the names of operations in JAX."""

LISTED = frozenset(("split", "unstack", "sort", "top_k", "lu"))
"""Operations whose functions return lists of results."""

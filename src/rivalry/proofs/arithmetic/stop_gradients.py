"""The functions whose derivatives JAX computes, with shifts that cancel held fixed.

`jax.lax.stop_gradient` marks numbers that are subtracted so that nothing overflows, such as the largest
term of the logarithm of a sum. Whether such a shift cancels is decided from the operations alone: every
number is a rest plus a multiple of the shift, or a rest times the exponential of a multiple, and the results
have the multiple zero. Any other number under `stop_gradient` is what it is in the payoffs: a number that
depends on choices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import numpy as np

from rivalry.core.dispatch import Unsupported
from rivalry.proofs.arithmetic.array_rules import Equation, Kind, Unknown, function_of
from rivalry.proofs.arithmetic.enclosure import READ
from rivalry.proofs.arithmetic.program import LONGEST
from rivalry.proofs.arithmetic.programs import (
    SHIFT,
    Scan,
    Values,
    array_type,
    called_program,
    cases,
    evaluate,
    in_words,
    operations_held,
    operations_within,
)
from rivalry.runtime.jax import jax, jnp

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn, Primitive

GUIDES = ("stop_gradient", "custom_jvp", "custom_vjp")
"""Operations whose derivatives may be other than those of their values."""

FOREIGN = ("pure_callback", "io_callback", "ffi_call", "pallas_call", "custom_vmap_call", "linear_call")
"""Operations that are no JAX programs, or have rules of their own, and may have no derivatives."""


def shifted(function: Callable[..., Any], *examples: object, variable: int = 0) -> Callable[..., Values]:
    """Return a function with the derivatives of its values in argument ``variable``, to a list of results.

    Custom derivatives are replaced by those of the operations. Shifts that cancel are marked by `as_shift`:
    any finite numbers give the same values. No other number under `jax.lax.stop_gradient` is fixed.
    """
    traced = jax.make_jaxpr(function)(*examples)
    moving = [k == variable for k in range(len(examples))]
    loops = _loops(traced, moving)
    if loops.guided and loops.unread:  # now, since what is unrolled takes long to read
        raise Unsupported(
            f"no bound: payoffs depend on {in_words(loops.unread)}, of which no bounds are known"
        )
    if loops.guided and loops.operations > LONGEST:
        raise Unsupported(f"no bound: loops of {loops.operations} operations; at most {LONGEST} are read")

    def run(marked: _Marked, *arguments: object) -> Values:
        return [value for value, _ in _replay(marked, traced, list(map(_Number, arguments, moving)))]

    def shifts(fixed: list[int] | None, *arguments: object) -> Values:
        marked = _Marked(fixed)
        run(marked, *arguments)
        return marked.values

    def with_shifts(fixed: list[int] | None, values: Values, *arguments: object) -> Values:
        return run(_Marked(fixed, lambda k, _: values[k]), *arguments)

    fixed: list[int] | None = None
    while shapes := jax.eval_shape(partial(shifts, fixed), *examples):
        program = jax.make_jaxpr(partial(with_shifts, fixed))(shapes, *examples)
        cancels = [_cancels(program, k) for k in range(len(shapes))]
        if all(cancels):
            break
        fixed = [k for k, cancelling in zip(fixed or range(len(shapes)), cancels, strict=True) if cancelling]
    return lambda *arguments: run(_Marked(fixed, lambda _, value: as_shift(value)), *arguments)


def as_shift(value: Any) -> Any:
    """Return a number without derivatives, which bounds on a function may take for any finite one."""
    return _operation_of_shifts().bind(value)


@cache
def _operation_of_shifts() -> Primitive:
    from jax.extend.core import Primitive
    from jax.interpreters import ad, batching, mlir

    operation = Primitive(SHIFT)
    operation.def_impl(lambda value: value)
    operation.def_abstract_eval(lambda value: value)
    ad.primitive_jvps[operation] = lambda primals, _, **__: (
        operation.bind(*primals),
        ad.Zero(primals[0].aval.to_tangent_aval()),
    )
    batching.primitive_batchers[operation] = lambda operands, axes: (operation.bind(*operands), axes[0])
    mlir.register_lowering(operation, lambda _, value: [value])
    return operation


class _Marked:
    """Numbers under `stop_gradient` in the order in which they are met; some are ``fixed``, or all."""

    def __init__(self, fixed: Sequence[int] | None, replace: Callable[[int, Any], Any] | None = None) -> None:
        self.fixed, self.replace = fixed, replace
        self.count = 0
        self.values: Values = []

    def meet(self, value: object) -> Any:
        """Return the number itself, or its replacement."""
        self.count += 1
        if self.fixed is not None and self.count - 1 not in self.fixed:
            return value
        self.values.append(value)
        return value if self.replace is None else self.replace(len(self.values) - 1, value)


class _Number(NamedTuple):
    """Numbers, and whether they depend on the argument in which derivatives are taken."""

    value: Any
    moves: bool


def _replay(marked: _Marked, program: Any, operands: Sequence[_Number]) -> list[_Number]:
    """Evaluate a program with every custom derivative replaced by the function's own.

    A maximum of numbers that move is a choice by a comparison: where the comparison is decided, the
    derivative is that of one side.
    """
    return evaluate(program, operands, partial(_operation, marked), lambda value, _: _Number(value, False))


def _operation(marked: _Marked, equation: JaxprEqn, operands: list[_Number]) -> list[_Number]:
    moves = any(number.moves for number in operands)
    return [_Number(value, moves) for value in _results(marked, equation, operands, moves)]


def _results(marked: _Marked, equation: JaxprEqn, operands: list[_Number], moves: bool) -> Values:
    name, params, values = equation.primitive.name, equation.params, [number.value for number in operands]
    if (body := called_program(equation)) is not None:
        if name == "custom_jvp_call" and _is_logaddexp(body):
            # smooth, unlike the larger of the two that JAX takes out of it
            top = marked.meet(jnp.maximum(*values))
            return [top + jnp.log(jnp.exp(values[0] - top) + jnp.exp(values[1] - top))]
        return [value for value, _ in _replay(marked, body, operands)]
    if name == "stop_gradient":
        return [marked.meet(values[0])]
    if name in ("max", "min") and moves:
        a, b = jnp.broadcast_arrays(*values)  # what is chosen must be exactly what is compared
        return [_larger(a, b) if name == "max" else _smaller(a, b)]
    if name in ("reduce_max", "reduce_min") and moves:
        return [_fold(values[0], params["axes"], _larger if name == "reduce_max" else _smaller)]
    guides = _guides(equation) if name in ("scan", "cond", "while") else []
    if name == "cond" and not operands[0].moves and guides:
        # every branch, of which the index takes one
        branches = cases(params, operands, partial(_replay, marked))
        return [
            jax.lax.select_n(values[0], *(number.value for number in column))
            for column in zip(*branches, strict=True)
        ]
    if name == "scan" and guides:
        return _unrolled(marked, equation, operands, moves)
    if name in FOREIGN:
        raise Unsupported(f"no bound: payoffs contain {in_words(name)}, of which no bounds are known")
    if name in ("cond", "while") and guides:
        raise Unsupported(f"no bound: derivatives by a rule of their own, within {in_words(name)}")
    result = equation.primitive.bind(*values, **params)
    return list(result) if equation.primitive.multiple_results else [result]


def _unrolled(marked: _Marked, equation: JaxprEqn, operands: list[_Number], moves: bool) -> Values:
    """Return the result of a loop of known length, every step of which is replayed."""
    scan = Scan(equation.params)

    def step(arguments: list[_Number]) -> list[_Number]:
        constants, carry, rows = scan.parts(arguments)
        carry = [_Number(value, moves) for value, _ in carry]
        return _replay(marked, scan.body, [*constants, *carry, *rows])

    carry, columns = scan.unrolled(operands, step, lambda number, k: _Number(number.value[k], number.moves))
    stacked = []
    for column, out in zip(columns, equation.outvars[scan.carried :], strict=True):
        values = [value for value, _ in column]
        out_type = array_type(out)
        stacked.append(jnp.stack(values) if values else jnp.zeros(out_type.shape, out_type.dtype))
    return [*(value for value, _ in carry), *stacked]


class _Loops(NamedTuple):
    """Cost of unrolling the loops of a program."""

    operations: int
    guided: bool  # whether a loop has derivatives other than those of its values
    unread: str  # an operation on choices without an interval form


def _loops(program: Any, moving: Sequence[bool]) -> _Loops:
    """Return the cost of unrolling a program whose arguments are ``moving`` or not."""
    count, guided, unread = 0, False, ""

    def rule(equation: JaxprEqn, operands: list[bool]) -> list[bool]:
        nonlocal count, guided, unread
        name, moves = equation.primitive.name, any(operands)
        steps, parts = 1, list[_Loops]()  # programs that the operation holds, and how often they run
        if moves and name not in READ:
            unread = unread or name
        if (body := called_program(equation)) is not None:
            parts = [_loops(body, operands)]
        elif name == "scan":
            scan = Scan(equation.params)
            constants, carry, rows = scan.parts(operands)
            steps, parts = scan.length, [_loops(scan.body, [*constants, *[moves] * len(carry), *rows])]
            guided = guided or (moves and bool(_guides(equation)))
        elif name == "cond":
            parts = cases(equation.params, operands, _loops)
        count += 1 + steps * sum(part.operations for part in parts)
        for part in parts:
            guided = guided or part.guided
            unread = unread or part.unread
        return [moves] * len(equation.outvars)

    evaluate(program, moving, rule, lambda *_: False)
    return _Loops(count, guided, unread)


def _guides(equation: JaxprEqn) -> list[str]:
    """Return the kinds of operations within an operation whose derivatives may be others."""
    names = {operation.primitive.name for operation in operations_held(equation)}
    return [word for word in GUIDES if any(name.startswith(word) for name in names)]


def _is_logaddexp(program: Any) -> bool:
    """True if operations are those of `jax.numpy.logaddexp`, whoever wrote them."""
    shapes = tuple((variable.shape, variable.dtype) for variable in program.in_avals)
    return len(shapes) == 2 and not program.consts and str(program) == _logaddexp(shapes)


@lru_cache(maxsize=256)
def _logaddexp(shapes: Any) -> str:
    program = jax.make_jaxpr(jnp.logaddexp)(*(jax.ShapeDtypeStruct(*shape) for shape in shapes))
    bodies = [
        called_program(operation)
        for operation in operations_within(program)
        if operation.primitive.name == "custom_jvp_call"
    ]
    return str(bodies[0]) if len(bodies) == 1 else ""


def _larger(a: Any, b: Any) -> Any:
    """Return the larger of numbers, by a comparison."""
    return jnp.where(a > b, a, b)


def _smaller(a: Any, b: Any) -> Any:
    """Return the smaller of numbers, by a comparison."""
    return jnp.where(a < b, a, b)


def _fold(a: Any, axes: tuple[SupportsIndex, ...], choose: Callable[[Any, Any], Any]) -> Any:
    """Return the largest or smallest of the numbers along axes, by comparisons of halves."""
    for axis in sorted(map(int, axes), reverse=True):
        while a.shape[axis] > 1:
            half = a.shape[axis] // 2
            lower_half, upper_half = (jax.lax.slice_in_dim(a, k, k + half, axis=axis) for k in (0, half))
            remainder = jax.lax.slice_in_dim(a, 2 * half, a.shape[axis], axis=axis)
            a = jnp.concatenate([choose(lower_half, upper_half), remainder], axis=axis)
        a = jnp.squeeze(a, axis)
    return a


class _Form(NamedTuple):
    """Dependence of numbers on the entries of a shift.

    Each is ``rest + degree * entry``, or ``rest * exp(degree * entry)`` if it is a ``product``.
    """

    product: bool
    degree: np.ndarray
    entry: np.ndarray


class _Formless(Exception):
    """Numbers depend on a shift in another way."""


def _cancels(program: Any, position: int) -> bool:
    """True if no result of a function depends on the argument at a position."""
    variable = program.jaxpr.invars[position]
    shape = variable.aval.shape
    form = _Form(False, np.ones(shape), np.arange(np.prod(shape, dtype=int)).reshape(shape))
    operands = [form if part is variable else None for part in program.jaxpr.invars]
    try:
        return not any(isinstance(part, _Form) for part in _forms(program, operands))
    except _Formless:
        return False


def _forms(program: Any, operands: Sequence[Any]) -> Values:
    """Return the forms of the results: a form, the number that all entries are, or None for others."""
    return evaluate(program, operands, _form, lambda value, _: _number(value))


def _form(equation: JaxprEqn, operands: Values) -> Values:
    name = equation.primitive.name
    real = [
        jnp.issubdtype(array_type(value).dtype, jnp.floating)
        for value in (*equation.invars, *equation.outvars)
    ]
    if not any(isinstance(value, _Form) for value in operands):
        repeated = name in ("broadcast_in_dim", "reshape", "convert_element_type") and real[-1]
        return [operands[0] if repeated else None] * len(equation.outvars)
    if (body := called_program(equation)) is not None:
        return _forms(body, operands)
    if name == "convert_element_type" and all(real):
        return operands
    if name in _MOVES:
        form = operands[0]
        value: Any = _Form(form.product, *(_rearranged(equation, part) for part in form[1:]))
    elif name in _RULES:
        value = _RULES[name](operands, equation.params, array_type(equation.outvars[0]).shape)
    else:
        raise _Formless
    return [value if isinstance(value, _Form) and np.any(value.degree) else None]


def _rearranged(equation: JaxprEqn, part: Any) -> Any:
    """Return an array whose entries are moved as those of an operand."""
    (out,) = (array_type(variable) for variable in equation.outvars)
    kinds = Kind(part.shape, part.dtype), Kind(out.shape, part.dtype)
    try:
        move = function_of(Equation(equation.primitive.name, equation.params, kinds[:1], kinds[1:]))
    except Unknown:
        raise _Formless from None
    return move(part[None])[0]


def _number(value: Any) -> float | None:
    """Return a number; None for an array of several, or one that is not known."""
    is_concrete = np.ndim(value) == 0 and not isinstance(value, jax.core.Tracer)
    return float(value) if is_concrete else None


def _combined(a: object, b: object, sign: int, product: bool, shape: Any) -> _Form:
    """Return the form of a sum or difference, or of a product or quotient."""
    degrees, entries = [], []
    for operand in (a, b):
        form = operand if isinstance(operand, _Form) else _Form(product, np.zeros(()), np.zeros((), int))
        if form.product != product:
            raise _Formless
        degrees.append(np.broadcast_to(form.degree, shape))
        entries.append(np.broadcast_to(form.entry, shape))
    if np.any((degrees[0] != 0) & (degrees[1] != 0) & (entries[0] != entries[1])):
        raise _Formless
    return _Form(product, degrees[0] + sign * degrees[1], np.where(degrees[0] != 0, *entries))


def _common_form(cases: Sequence[Any], shape: Any) -> _Form:
    """Return the one form of all cases; infinite numbers have every form, and zero any of a product."""
    forms = [case for case in cases if isinstance(case, _Form)]
    form = forms[0]
    for case in cases:
        if case is None or isinstance(case, float):
            if case is None or (np.isfinite(case) and not (form.product and case == 0)):
                raise _Formless
        elif case.product != form.product or np.any(_combined(case, form, -1, form.product, shape).degree):
            raise _Formless
    return _Form(form.product, np.broadcast_to(form.degree, shape), np.broadcast_to(form.entry, shape))


def _sum(operands: Sequence[Any], shape: object, sign: int = 1) -> _Form:
    if any(isinstance(operand, _Form) and operand.product for operand in operands):
        return _common_form(operands, shape)
    return _combined(operands[0], operands[1], sign, False, shape)


def _compared(operands: Sequence[Any], shape: object) -> None:
    """Return no form: the same numbers are added to both sides, or multiply both."""
    _common_form(operands, shape)


def _along(form: _Form, axes: Sequence[Any]) -> _Form:
    """Return the form of entries that have one form along axes."""
    first_entries = tuple(slice(0, 1) if k in axes else slice(None) for k in range(form.degree.ndim))
    entry_form = _Form(form.product, form.degree[first_entries], form.entry[first_entries])
    if not form.degree.size:
        raise _Formless
    _common_form([form, entry_form], form.degree.shape)
    return _Form(form.product, *(np.squeeze(part, tuple(axes)) for part in entry_form[1:]))


def _reduced(operands: Sequence[Any], params: Any, product: bool) -> _Form:
    if product and not operands[0].product:
        raise _Formless
    return _along(operands[0], [int(axis) for axis in params["axes"]])


def _of(form: _Form, product: bool, becomes: bool, factor: float = 1.0) -> _Form:
    """Return the form of a function that takes products to products, sums to products, or the like."""
    if form.product != product:
        raise _Formless
    return _Form(becomes, factor * form.degree, form.entry)


def _select(operands: Sequence[Any], params: object, shape: object) -> _Form:
    index, *cases = operands
    if isinstance(index, _Form):
        raise _Formless
    return _common_form(cases, shape)


_MOVES = ("reshape", "squeeze", "expand_dims", "copy", "broadcast_in_dim", "slice", "transpose")
"""Operations that move the entries of one array."""

_RULES: dict[str, Callable[[Sequence[Any], Any, Any], _Form | None]] = {
    "add": lambda operands, params, shape: _sum(operands, shape),
    "add_any": lambda operands, params, shape: _sum(operands, shape),
    "sub": lambda operands, params, shape: _sum(operands, shape, -1),
    "mul": lambda operands, params, shape: _combined(operands[0], operands[1], 1, True, shape),
    "div": lambda operands, params, shape: _combined(operands[0], operands[1], -1, True, shape),
    "neg": lambda operands, params, shape: _of(
        operands[0], operands[0].product, operands[0].product, 1.0 if operands[0].product else -1.0
    ),
    "abs": lambda operands, params, shape: _of(operands[0], True, True),
    "exp": lambda operands, params, shape: _of(operands[0], False, True),
    "log": lambda operands, params, shape: _of(operands[0], True, False),
    "sqrt": lambda operands, params, shape: _of(operands[0], True, True, 0.5),
    "square": lambda operands, params, shape: _of(operands[0], True, True, 2.0),
    "integer_pow": lambda operands, params, shape: _of(operands[0], True, True, params["y"]),
    "sign": lambda operands, params, shape: _compared([*operands, 0.0], shape),
    "is_finite": lambda operands, params, shape: None,
    **dict.fromkeys(
        ("lt", "le", "gt", "ge", "eq", "ne"), lambda operands, params, shape: _compared(operands, shape)
    ),
    **dict.fromkeys(("max", "min"), lambda operands, params, shape: _common_form(operands, shape)),
    "select_n": _select,
    "reduce_sum": lambda operands, params, shape: _reduced(operands, params, True),
    **dict.fromkeys(
        ("reduce_max", "reduce_min"), lambda operands, params, shape: _reduced(operands, params, False)
    ),
}
"""Forms of the results of operations on forms, ``(operands, params, shape)``."""

"""Programs that JAX traces, read one operation at a time.

`evaluate` walks through a program, and a rule of the reader gives the results of every operation. Which
operations call programs, under which parameters, and how operands reach these, loops of known length,
branches and linear systems is known here only. Loops with a condition are read in
`rivalry.proofs.arithmetic.program`. Programs are those of `jax.make_jaxpr` or without constants of
their own, as some parameters are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    import jax
    from jax.extend.core import JaxprEqn, Literal, Var

    Atom = Var | Literal

Values = list[Any]  # of the operands or the results of an operation
CALLS = frozenset({"jit", "pjit", "closed_call", "core_call", "remat2", "checkpoint", "composite"})
CALLS |= {"custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr", "custom_lin"}
"""Operations that call a program on their operands."""
PROGRAMS = ("jaxpr", "call_jaxpr", "fun_jaxpr")
"""Parameters that hold it, by operation and version of JAX."""

BEST_RESPONSE = "best_response"
"""The operation of `rivalry.proofs.arithmetic.best_responses`."""

SHIFT = "shift"
"""That of `rivalry.proofs.arithmetic.stop_gradients.as_shift`."""

WORDS = {
    "a search for the best of several numbers, such as best responses": "argmax argmin top_k sort "
    + BEST_RESPONSE,
    "a loop that ends where a condition on choices holds": "while",
    "a function computed outside of JAX": "pure_callback io_callback ffi_call",
    "a function with a rule of its own": "pallas_call custom_vmap_call custom_lin linear_call "
    "call_hi_primitive",
    "factors of a matrix": "lu cholesky qr svd eig eigh schur triangular_solve",
    "an inverse of a distribution function": "erf_inv igamma igammac regularized_incomplete_beta",
    "a number that is made whole": "floor ceil round sign rem nextafter",
    "a tangent, a cube root, an inverse sine or the like": "tan cbrt asin acos atan2 asinh acosh atanh "
    "bessel_i0e bessel_i1e",
    "a random draw": "random_bits random_gamma threefry2x32",
}
"""Words for operations of which no bounds are computed."""


def in_words(name: str) -> str:
    """Words for an operation of a program, by what it is to readers who know no programs."""
    words = [words for words, names in WORDS.items() if name in names.split()]
    return words[0] if words else "a function of choices"


Rule = Callable[[Any, Values], Sequence[Any]]
"""Results of an operation, ``(equation, operands)``."""


def array_type(variable: Atom) -> jax.core.ShapedArray:
    """Return the shape and type of a variable of a program."""
    return cast("jax.core.ShapedArray", variable.aval)


def evaluate(
    program: Any, arguments: Sequence[Any], rule: Rule, constant: Callable[[Any, Any], Any] | None = None
) -> Values:
    """Return the results of a program for arguments, by the rule of its operations.

    Operations on which no result depends are not read. A ``constant`` function of a number and its abstract
    value gives what stands for numbers of the program.
    """
    jaxpr, numbers = _jaxpr_and_constants(program)

    def as_constant(number: Any, aval: Any) -> Any:
        return number if constant is None else constant(number, aval)

    values: dict[Any, Any] = {
        variable: as_constant(number, variable.aval)
        for variable, number in zip(jaxpr.constvars, numbers, strict=True)
    }
    values.update(zip(jaxpr.invars, arguments, strict=True))

    def read(atom: Any) -> Any:
        return as_constant(atom.val, atom.aval) if _is_literal(atom) else values[atom]

    for equation in live_operations(jaxpr):
        results = rule(equation, [read(atom) for atom in equation.invars])
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _jaxpr_and_constants(program: Any) -> tuple[Any, Sequence[Any]]:
    """Return the operations of a program, and its constants."""
    return (program.jaxpr, program.consts) if hasattr(program, "consts") else (program, ())


def _is_literal(atom: object) -> bool:
    return hasattr(atom, "val")  # without loading JAX for its class


def live_operations(jaxpr: Any) -> list[Any]:
    """Return the operations on which a result depends, in order."""
    live = {atom for atom in jaxpr.outvars if not _is_literal(atom)}
    equations = []
    for equation in reversed(jaxpr.eqns):
        if not live.isdisjoint(equation.outvars):
            equations.append(equation)
            live.update(atom for atom in equation.invars if not _is_literal(atom))
    return equations[::-1]


def called_program(equation: JaxprEqn) -> Any:
    """Return the program that an operation calls on its operands; None for other operations."""
    if equation.primitive.name not in CALLS:
        return None
    return next(equation.params[key] for key in PROGRAMS if key in equation.params)


def operations_within(program: Any) -> Iterator[Any]:
    """Return all operations of a program, with those of programs that they hold."""
    for equation in _jaxpr_and_constants(program)[0].eqns:
        yield equation
        yield from operations_held(equation)


def operations_held(equation: JaxprEqn) -> Iterator[Any]:
    """Return all operations of the programs that an operation holds: calls, bodies, branches."""
    for parameter in equation.params.values():
        for part in parameter if isinstance(parameter, tuple | list) else (parameter,):
            if hasattr(part, "eqns"):
                yield from operations_within(part)


class Scan:
    """A loop of known length: its body takes constants, what is carried, and one row of other operands."""

    def __init__(self, params: Any) -> None:
        self.body = params["jaxpr"]
        self.length: int = params["length"]
        if "ft_in" in params:  # JAX 0.12 has trees of the three kinds of operands instead of numbers
            counts = [len(tree) for tree in params["ft_in"].unpack()]
        else:
            counts = [params["num_consts"], params["num_carry"]]
        self.constants, self.carried = counts[:2]
        self.order = range(self.length)[:: -1 if params["reverse"] else 1]

    def parts(self, operands: Sequence[Any]) -> tuple[Values, Values, Values]:
        """Return the constants, what is carried first, and the operands of which each step takes a row."""
        carry_begin, carry_end = self.constants, self.constants + self.carried
        return list(operands[:carry_begin]), list(operands[carry_begin:carry_end]), list(operands[carry_end:])

    def unrolled(
        self,
        operands: Sequence[Any],
        step: Callable[[Values], Sequence[Any]],
        row: Callable[[Any, int], Any],
    ) -> tuple[Values, list[Values]]:
        """Final carry, and the rows of every other result of the body."""
        constants, carry, rows = self.parts(operands)
        results = {}
        for k in self.order:
            values = list(step([*constants, *carry, *(row(operand, k) for operand in rows)]))
            carry, results[k] = values[: self.carried], values[self.carried :]
        stacked = range(len(_jaxpr_and_constants(self.body)[0].outvars) - self.carried)
        return carry, [[results[k][j] for k in range(self.length)] for j in stacked]


def cases(
    params: Any, operands: Sequence[Any], read: Callable[[Any, Values], Any], is_concrete: bool = False
) -> Values:
    """Return the results of the branches of a conditional, ``read(program, arguments)``.

    They are those of one branch with ``is_concrete``: the index, the first operand, is a number.
    """
    index, *arguments = operands
    programs = params["branches"]
    if is_concrete:
        programs = [programs[min(max(int(index), 0), len(programs) - 1)]]
    return [read(program, arguments) for program in programs]


class LinearSolve(NamedTuple):
    """A system of linear equations, the programs of its products and of its solution, and their operands."""

    product: Any
    entries: Values  # of the matrix, for the product
    solution: Any
    factors: Values  # of the matrix, for the solution
    right: Values


def linear_solve(params: Any, operands: Sequence[Any]) -> LinearSolve:
    """Return the parts of `jax.lax.custom_linear_solve`."""
    counts, programs = params["const_lengths"], params["jaxprs"]
    begin = counts.matvec + counts.vecmat
    return LinearSolve(
        programs.matvec,
        list(operands[: counts.matvec]),
        programs.solve,
        list(operands[begin : begin + counts.solve]),
        list(operands[sum(counts) :]),
    )

"""Best responses of followers as one operation, with bounds, derivatives and values.

A payoff that depends on how others respond contains ``y(z)``: every follower's choice is a best response to
the numbers ``z`` and to the choices of the other followers. JAX traces it as one operation. Its derivatives
follow from the followers' first-order conditions (implicit function theorem), its values from a search that
narrows down, and its bounds from `rivalry.proofs.arithmetic.bounds_of_responses`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache, partial
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

from rivalry.core.dispatch import oracle
from rivalry.proofs.arithmetic.programs import BEST_RESPONSE, array_type
from rivalry.runtime.jax import jax, jnp

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn, Primitive
    from jaxtyping import Array


POINTS, ZOOMS = 32, 8  # of the search for a value: steps of its grid, and how often it narrows down
SETTLING = 40  # rounds of the search for values of several followers
POLISHED_WITHIN = 1e-6  # of the range: a longer step of Newton's method leaves a kink

DERIVED: dict[str, Callable[..., Any]] = {}
"""Functions whose derivatives intervals decide, by operation: entered with the rules of its bounds."""


@oracle()
def with_bounded_responses(game: Any) -> Any:
    """Return a game with the same payoffs, in which responses of followers have bounds.

    Proofs are about this game. Generic: the game itself.
    """
    return game


class FollowerPayoffs(NamedTuple):
    """The payoffs ``[follower]`` of followers with one choice each, as a program of the operation."""

    program: Any  # of the numbers before, and of their choices

    def pay(self, *operands: Array) -> Array:
        """Return payoffs at the operands of the operation, with choices in place of bounds."""
        from jax.extend.core import jaxpr_as_fun

        return jaxpr_as_fun(self.program)(*operands)[0]

    def slopes(self, *operands: Array) -> Array:
        """Return the derivative ``[follower]`` of every payoff in the follower's own choice."""
        *before, y = operands
        pay, units = _compared(self.program), jnp.eye(len(y))

        def own_slope(k: int) -> Array:
            return jax.jvp(lambda choices: pay(*before, choices)[k], (y,), (units[k],))[1]

        return jnp.stack([own_slope(k) for k in range(len(y))])


@lru_cache(maxsize=256)
def _compared(program: Any) -> Callable[..., Array]:
    """Return payoffs with comparisons in place of maxima, since intervals decide their derivatives."""
    *numbers, z, y = [jnp.zeros(a.shape, a.dtype) for a in program.in_avals]
    evaluate = jax.extend.core.jaxpr_as_fun(program)

    def pay(moving: Array, *numbers: Array) -> Array:
        return evaluate(*numbers, moving[len(y) :], moving[: len(y)])[0]

    compared = DERIVED[BEST_RESPONSE](pay, jnp.concatenate([y, z]), *numbers)
    return lambda *operands: compared(jnp.concatenate([operands[-1], operands[-2]]), *operands[:-2])[0]


def best_responses(pay: Callable[[Array, Array], Array], z: Array, low: Array, high: Array) -> Array:
    """Return followers' choices between ``low`` and ``high`` that are best responses to ``z`` and each other.

    ``pay(z, y)`` are payoffs ``[follower]`` at numbers ``z`` and choices ``y [follower]``. JAX may trace this
    function; a parameter of the game that it traces counts as one of the numbers.
    """
    traced = jax.make_jaxpr(pay)(z, low)
    is_captured = [isinstance(number, jax.core.Tracer) for number in traced.consts]
    captured = list(compress(traced.consts, is_captured))
    types = [number.dtype for number in captured]

    def pay_from(numbers: Sequence[Array], z: Array, y: Array) -> Array:
        typed = iter(map(_of_type, numbers, types))
        pairs = zip(traced.consts, is_captured, strict=True)
        constants = [next(typed) if of_game else number for number, of_game in pairs]
        return jax.core.eval_jaxpr(traced.jaxpr, constants, z, y)[0]

    # integers and Booleans have no derivative: they go in as floats, whose derivative is zero
    numbers = [number.astype(float) for number in captured]
    program = jax.make_jaxpr(pay_from)(numbers, z, low)
    return _operation().bind(*numbers, z, low, high, program=program)


def _of_type(number: Array, dtype: Any) -> Array:
    return number != 0 if jnp.issubdtype(dtype, bool) else number.astype(dtype)


@cache
def _operation() -> Primitive:
    from jax.extend.core import Primitive
    from jax.interpreters import ad, batching, mlir

    operation = Primitive(BEST_RESPONSE)
    operation.def_impl(jax.jit(_search, static_argnames="program"))
    operation.def_abstract_eval(lambda *operands, program: operands[-1])
    ad.primitive_jvps[operation] = _derivative
    batching.primitive_batchers[operation] = _batched
    mlir.register_lowering(operation, mlir.lower_fun(_search, multiple_results=False))
    return operation


def _batched(operands: Sequence[Any], axes: Sequence[Any], program: Any) -> tuple[Any, int]:
    """Return responses one after the other, since derivatives are those of the operation."""
    has_rows = [axis is not None for axis in axes]
    rows = [jnp.moveaxis(a, axis, 0) for a, axis in zip(operands, axes, strict=True) if axis is not None]

    def respond(row: Sequence[Array]) -> Array:
        parts = iter(row)
        merged = [next(parts) if moves else a for a, moves in zip(operands, has_rows, strict=True)]
        return _operation().bind(*merged, program=program)

    return jax.lax.map(respond, rows), 0


def _derivative(primals: Sequence[Any], tangents: Sequence[Any], program: Any) -> tuple[Any, Any]:
    """Return responses and their derivatives, by the implicit function theorem.

    The marginal payoff of a follower between its bounds remains zero; other followers move with their bound.
    """
    *before, low, high = primals
    zeros = [_as_array(tangent, primal) for tangent, primal in zip(tangents, primals, strict=True)]
    *changes, low_change, high_change = zeros
    y: Array = _operation().bind(*primals, program=program)
    slopes = FollowerPayoffs(program).slopes
    drift = jax.jvp(lambda *numbers: slopes(*numbers, y), tuple(before), tuple(changes))[1]
    jacobian = jax.jacfwd(lambda choices: slopes(*before, choices))(y)
    is_free = (y > low) & (y < high)
    at_bound = jnp.where(y > low, high_change, low_change)
    boundary_moves = jnp.where(is_free, 0.0, at_bound)
    identity = jnp.eye(len(y))
    matrix = jnp.where(is_free[:, None], jnp.where(is_free[None, :], jacobian, 0.0), identity)
    right = jnp.where(is_free, -(drift + jacobian @ boundary_moves), boundary_moves)
    return y, _solved(matrix, right)


def _solved(matrix: Array, right: Array) -> Array:
    """Return the solution of linear equations by elimination, whose operations have bounds.

    Pivots are on the diagonal: they are positive or negative where all symmetric parts are definite, or rows
    diagonally dominant, as where responses are proved unique.
    """
    pivot = matrix[0, 0]
    if len(right) == 1:
        return right / pivot
    factors, row = matrix[1:, 0] / pivot, matrix[0, 1:]
    remaining = _solved(matrix[1:, 1:] - jnp.outer(factors, row), right[1:] - factors * right[0])
    return jnp.append((right[0] - jnp.sum(row * remaining)) / pivot, remaining)


def _as_array(tangent: Any, primal: Any) -> Any:
    from jax.interpreters import ad

    return jnp.zeros_like(primal) if isinstance(tangent, ad.Zero) else tangent


def _search(*operands: Any, program: Any) -> Any:
    """Return mutual best responses ``[follower]`` in floating point, unproved; followers respond in turn."""
    *before, low, high = operands
    followers, count = FollowerPayoffs(program), len(low)
    steps = jnp.arange(POINTS + 1) / POINTS

    def pay(k: int, y: Array, choice: Array) -> Array:
        return followers.pay(*before, y.at[k].set(choice))[k]

    def best(k: int, y: Array) -> Array:
        # grids narrow down around their best points; a step of Newton's method polishes the last one
        begin, end, choice = low[k], high[k], y[k]
        for _ in range(ZOOMS):
            points = begin + (end - begin) * steps
            payoffs = jax.vmap(partial(pay, k, y))(points)
            choice = points[jnp.argmax(jnp.where(jnp.isnan(payoffs), -jnp.inf, payoffs))]
            width = (end - begin) / POINTS
            begin, end = jnp.maximum(choice - width, low[k]), jnp.minimum(choice + width, high[k])
        derivative = jax.jacfwd(partial(pay, k, y))
        slope, curvature = derivative(choice), jax.jacfwd(derivative)(choice)
        is_concave = curvature < 0
        step = jnp.where(is_concave, -slope / jnp.where(is_concave, curvature, 1.0), 0.0)
        is_short = jnp.abs(step) <= POLISHED_WITHIN * (high[k] - low[k])
        return jnp.clip(jnp.where(is_short, choice + step, choice), low[k], high[k])

    def respond_in_turn(_: Any, y: Array) -> Array:
        for k in range(count):
            y = y.at[k].set(best(k, y))
        return y

    middle = low / 2 + high / 2
    return jax.lax.fori_loop(0, 1 if count == 1 else SETTLING, respond_in_turn, middle)


def search_program(equation: JaxprEqn) -> Any:
    """Return the program that computes the values of the operation."""
    types = [jax.ShapeDtypeStruct(array_type(a).shape, array_type(a).dtype) for a in equation.invars]
    return jax.make_jaxpr(partial(_search, program=equation.params["program"]))(*types)

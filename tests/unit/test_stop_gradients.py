"""Shifts that cancel are recognised by the operations, and whatever is not recognised is differentiated."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.core.dispatch import Unsupported
from rivalry.proofs.arithmetic.enclosure import enclosed
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.program import Program
from rivalry.proofs.arithmetic.programs import SHIFT, operations_within
from rivalry.proofs.arithmetic.stop_gradients import shifted

X = jnp.array([[0.1, 0.2], [0.3, 0.5], [1.0, 2.0]])
stop = jax.lax.stop_gradient


def guarded(x: jax.Array) -> jax.Array:
    """Shares with a guard against sums of zero, the guard in the unit of the parts."""
    top = jnp.max(x, axis=0)
    top = stop(jnp.where(jnp.isfinite(top), top, 0.0))
    parts = jnp.where(x > -jnp.inf, jnp.exp(x - top), 0.0)
    parts = jnp.where(jnp.any(x > -jnp.inf, axis=0), parts, jnp.exp(-top))
    return parts / jnp.sum(parts, axis=0)


def norm(x: jax.Array) -> jax.Array:
    top = stop(jnp.max(x, axis=0))
    return jnp.sqrt(jnp.sum(jnp.square(jnp.exp(x - top)), axis=0)) * jnp.exp(top)


def in_loop(row_of: Any) -> Any:
    """Return a function of the rows, one after the other, the last first, and of their sum so far."""

    def step(total: jax.Array, row: jax.Array) -> tuple[jax.Array, jax.Array]:
        found = row_of(row)
        return total + jnp.sum(found), total * found

    return lambda x: jax.lax.scan(step, 1.0, x, reverse=True)[1]


def lead(x: jax.Array) -> jax.Array:
    """The difference of two entries of one shift, which moves with the first."""
    top = stop(x[0])
    return x + (top[0] - top[1])


def lag(x: jax.Array) -> jax.Array:
    top = stop(x[0])
    return x + (top[1] - top[0])


def converted(x: jax.Array) -> jax.Array:
    top = stop(x)
    return jnp.exp(-top).astype(bool) * jnp.exp(top)


CANCEL = {
    "logarithm of a sum": (lambda x: jax.nn.logsumexp(x, axis=1), 1),
    "with weights": (lambda x: jax.nn.logsumexp(x, axis=1, b=x), 1),
    "of all entries": (lambda x: jax.nn.logsumexp(x), 1),
    "softmax": (lambda x: jax.nn.softmax(x, axis=1), 1),
    "softmax of some": (lambda x: jax.nn.softmax(x, axis=1, where=x > 0.15), 1),
    "logarithms of softmax": (lambda x: jax.nn.log_softmax(x, axis=0), 1),
    "of two": (lambda x: jnp.logaddexp(x[0], x[1]), 1),
    "softplus": (jax.nn.softplus, 1),
    "derivative": (jax.grad(lambda x: jnp.sum(jax.nn.logsumexp(x, axis=0))), 1),
    "derivatives of shares": (jax.jacfwd(lambda x: jax.nn.softmax(x, axis=1)), 1),
    "nest": (lambda x: 0.5 * jax.nn.logsumexp(2 * jax.nn.logsumexp(x, axis=1)), 2),
    "guard": (guarded, 1),
    "norm": (norm, 1),
    "one of two": (lambda x: jax.nn.logsumexp(x * stop(x), axis=1), 1),
    "in a loop": (in_loop(jax.nn.softmax), 3),
    "in a call": (jax.jit(lambda x: jax.nn.logsumexp(x, axis=1)), 1),
}

MATTER = {
    "factor": lambda x: x * stop(x),
    "factor in a loop": in_loop(lambda row: row * stop(row)),
    "small term": lambda x: x + 1e-12 * stop(x),
    "needle": lambda x: x + jnp.exp(-jnp.square((stop(x) - 0.3033) / 1e-4)),
    "half of a shift": lambda x: jnp.log(jnp.sum(jnp.exp(x - stop(x[0])), axis=0)) + 0.5 * stop(x[0]),
    "another row's shift": lambda x: jnp.log(jnp.sum(jnp.exp(x - stop(x[:1])), axis=1)) + stop(x[0])[0],
    "shifts of two columns": lambda x: jnp.log(jnp.sum(jnp.exp(x - stop(x[0])))) + stop(x[0, 0]),
    "one entry less a later one": lead,
    "one entry less an earlier one": lag,
    "unit guard": lambda x: jnp.log(jnp.where(x > 0.2, jnp.exp(x - stop(x)), 1.0)) + stop(x),
    "comparison": lambda x: jnp.where(stop(x) > 0.25, x, 0.0),
    "whole number": lambda x: jnp.exp(x - stop(x)).astype(int) * jnp.exp(stop(x)),
    "truth value": converted,
    "sum of logarithms": lambda x: jnp.sum(jnp.exp(x - stop(x)) + 1) + jnp.sum(stop(x)),
    "steps": lambda x: jnp.floor(x - stop(x)) + stop(x),
    "product of shifted": lambda x: (x - stop(x)) * (x + stop(x)),
}


@pytest.mark.representative
@pytest.mark.default_only("softmax")
@pytest.mark.parametrize("name", CANCEL)
def test_shifts_that_cancel_are_held(name: str) -> None:
    function, count = CANCEL[name]
    assert _count_held(shifted(function, X), X) == count
    for moved in (0.0, 1.7, -0.4):
        np.testing.assert_allclose(_with_moved(shifted(function, X), moved, X), function(X), rtol=1e-12)


def _with_moved(function: Any, by: float, *arguments: Any) -> Any:
    """Return the value of a function in which numbers that are held are others."""
    program = Program(jax.make_jaxpr(function)(*arguments))
    program.operations = [
        step._replace(call=lambda a: [a + by]) if step.equation.name == SHIFT else step
        for step in program.operations
    ]
    return program(*(np.asarray(argument)[None] for argument in arguments))[0][0]


def _count_held(function: Any, *arguments: Any) -> int:
    program = jax.make_jaxpr(function)(*arguments)
    return sum(operation.primitive.name == SHIFT for operation in operations_within(program))


@pytest.mark.slow
@pytest.mark.parametrize("name", MATTER)
def test_numbers_that_matter_are_differentiated(name: str) -> None:
    function: Any = MATTER[name]
    found = shifted(function, X)
    assert not _count_held(found, X)
    np.testing.assert_allclose(found(X)[0], function(X))
    # by differences of values, which no rule of differentiation hides
    step = 1e-6
    moved = np.random.default_rng(0).random(X.shape)
    slope = jax.jvp(lambda x: found(x)[0], (X,), (jnp.asarray(moved),))[1]
    rise = (function(X + step * moved) - function(X - step * moved)) / (2 * step)
    np.testing.assert_allclose(slope, rise, atol=1e-6)


@pytest.mark.slow
def test_shifts_in_branches_that_choices_do_not_choose_are_held() -> None:
    """Such branches are all read, with the numbers that stand in them."""

    def function(x: Any, index: Any) -> Any:
        return jax.lax.switch(
            index, [lambda y: 2.0 * jax.nn.softmax(y - 0.5, axis=1), lambda y: norm(y - 0.5) + 0 * y], x
        )

    found = shifted(function, X, 1)
    assert _count_held(found, X, 1) == 2
    for index in (0, 1):
        np.testing.assert_allclose(_with_moved(found, 0.7, X, index), function(X, index), rtol=1e-12)


def test_loops_without_an_interval_form_are_refused_before_they_are_unrolled() -> None:
    """Those of many steps, and those of a search, whose comparisons no interval decides."""
    long = in_loop(lambda row: jax.lax.fori_loop(0, 10**6, lambda _, at: at - stop(at) / 2, row))
    with pytest.raises(Unsupported, match=r"no bound: loops of \d+ operations; at most"):
        shifted(long, X)
    climb = in_loop(lambda row: jax.lax.while_loop(lambda at: at[0] < 1, lambda at: at + stop(row), row))
    with pytest.raises(Unsupported, match="depend on a loop that ends where a condition"):
        shifted(climb, X)


@pytest.mark.slow
def test_payoffs_of_rounds_with_shares_in_each_have_a_bound() -> None:
    """Three rounds, in each of which ``q = e^x / (e^x + e^y)`` wins 1/4 at a price of 1/8 of x squared."""

    class Rounds:
        space = rv.Box.interval(0.0, 2.0, players=2)

        def payoffs(self, x: Any) -> Any:
            def one(total: Any, prize: Any) -> Any:
                return total + prize * jax.nn.softmax(x[:, 0]) - x[:, 0] ** 2 / 24, None

            return jax.lax.scan(one, jnp.zeros(2), jnp.array([0.25, 0.25, 0.5]))[0]

    # q (1-q) = 1/4 = x / 4
    found = rv.certificate(Rounds(), [[1.0], [1.0]])
    assert (found.claim, found.coverage, found.rounding) == ("equilibrium", "tight", "outward")


def test_which_number_a_shift_is_does_not_matter() -> None:
    """Shares have no kink where the largest number, which is subtracted, is another."""
    shares = shifted(lambda x: jax.nn.softmax(x, axis=1), X)
    low = np.zeros((1, *X.shape))
    slopes = enclosed(jax.jacfwd(lambda x: shares(x)[0]), (), Interval(low, low + 0.1))
    assert slopes.decided.tolist() == [True]


@pytest.mark.slow
def test_shifts_that_may_be_infinite_are_named() -> None:
    def total(x: Any) -> Any:
        return jax.nn.logsumexp(jnp.log(x), axis=1)

    def undone(x: Any) -> Any:
        return x + stop(1 / x) - stop(1 / x)

    low, high = jnp.zeros_like(X), jnp.ones_like(X)

    def are_finite(function: Any, low: Any, high: Any) -> bool:
        box = Interval(np.asarray(low)[None], np.asarray(high)[None])
        return bool(enclosed(function, (), box).finite[0])

    assert are_finite(shifted(total, X), low, high)  # JAX takes 0 for infinite shifts
    assert not _count_held(shifted(undone, X), X)  # two shifts, of which neither cancels alone

    def undone_once(x: Any) -> Any:
        shift = stop(1 / x)
        return (x + shift) - shift

    found = shifted(undone_once, X)
    assert _count_held(found, X) == 1
    assert are_finite(found, low + 0.5, high)
    assert not are_finite(found, low, high)

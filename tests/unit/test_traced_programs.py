"""Programs within programs: every reader of traced programs reads those that it holds, as JAX runs them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rivalry.core.dispatch import Unsupported
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.operations import operations
from rivalry.proofs.arithmetic.program import Program
from rivalry.proofs.arithmetic.programs import CALLS, operations_within
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.runtime.jax import jax, jnp

X = np.array([0.25, 0.75])
Function = Callable[[Any], Any]


def body(x: Any) -> Any:
    return x * x[::-1] + 2.0


def custom_jvp(x: Any) -> Any:
    function = jax.custom_jvp(body)
    function.defjvp(lambda primals, tangents: (body(*primals), 0.0 * tangents[0]))
    return function(x)


def custom_vjp(x: Any) -> Any:
    function = jax.custom_vjp(body)
    function.defvjp(lambda x: (body(x), x), lambda x, bar: (0.0 * bar,))
    return function(x)


CALLED: dict[str, Function] = {
    "jit": jax.jit(body),
    "remat2": jax.checkpoint(body),
    "custom_jvp_call": custom_jvp,
    "custom_vjp_call": custom_vjp,
    "composite": lambda x: jax.lax.composite(body, "rivalry.body")(x),
}

HELD: dict[str, Function] = {
    **CALLED,
    "calls within calls": jax.jit(jax.checkpoint(jax.jit(body))),
    "loop": lambda x: jax.lax.fori_loop(0, 2, lambda k, y: y + k * (body(x) - x), x),
    "rows of a loop, the last first": lambda x: jax.lax.scan(
        lambda total, row: (total + row, total * row), 1.0, x, reverse=True
    )[1],
    "numbers from a loop": lambda x: x * jax.lax.scan(lambda c, y: (c, c * y), 1.0, x)[1][::-1] + 2.0,
    "loop of no steps": lambda x: (
        jnp.sum(jax.lax.scan(lambda y, row: (y, y * row), x, jnp.ones((0, 2)))[1]) + body(x)
    ),
    "loop of no steps with shifts": lambda x: (
        jnp.sum(jax.lax.scan(lambda y, _: (y, jax.nn.softmax(y)), x, jnp.ones((0, 2)))[1]) + body(x)
    ),
    "loop of no steps with comparisons": lambda x: jnp.where(
        jnp.all(~jax.lax.scan(lambda y, _: (y, y > 0.5), x, None, length=0)[1]), body(x), x
    ),
    "comparisons in a loop": lambda x: jax.lax.scan(
        lambda y, above: (jnp.where(above, y, body(x)), None), x, x > 0.5
    )[0],
    "branch": lambda x: jax.lax.switch(jnp.argmax(jnp.array([1.0, 3.0, 2.0])), [jnp.sin, body, jnp.cos], x),
    "branch beyond the last": lambda x: jax.lax.switch(7 + jnp.argmax(jnp.ones(2)), [jnp.sin, body], x),
}

ROWS = np.array([0.25 * 1.75, 0.75])


def right(name: str) -> np.ndarray:
    """Return what a function gives at `X`, computed by hand."""
    return ROWS if name.startswith("rows") else np.array([2.1875, 2.1875])


def value(nodes: list[tuple[Any, ...]], place: int, x: np.ndarray) -> float:
    """Return an operation of a list, in floating-point numbers."""
    name, *rest = nodes[place]
    if name in ("x", "c"):
        return float(x[rest[0]] if name == "x" else rest[0])
    a, b, *others = (value(nodes, one, x) for one in rest)
    if name == "if":
        return others[0] if a < b else others[1]
    return {"add": a + b, "mul": a * b, "power": a**b, "sub": a - b}[name]


@pytest.mark.parametrize("name", CALLED)
def test_functions_are_those_calls(name: str) -> None:
    names = [equation.primitive.name for equation in operations_within(jax.make_jaxpr(CALLED[name])(X))]
    assert names[0] in CALLS
    assert "mul" in names


@pytest.mark.slow
@pytest.mark.parametrize("name", HELD)
def test_enclosures_contain_the_values(name: str) -> None:
    (found,), decided = enclose(HELD[name], X)(Interval(jnp.asarray(X), jnp.asarray(X)))
    assert np.all((found.low <= right(name)) & (right(name) <= found.high))
    assert np.all(found.high - found.low < 1e-12)
    assert decided


@pytest.mark.parametrize("name", HELD)
def test_numpy_gives_the_values(name: str) -> None:
    traced = jax.make_jaxpr(HELD[name])(X)
    np.testing.assert_allclose(Program(traced)(np.stack([X, X]))[0], [right(name)] * 2, rtol=1e-15)


@pytest.mark.parametrize("name", HELD)
def test_operations_on_single_numbers_give_the_values(name: str) -> None:
    nodes, results = operations(HELD[name], X)
    np.testing.assert_allclose([value(nodes, place, X) for place in results], right(name), rtol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("name", HELD)
def test_derivatives_are_those_of_the_values(name: str) -> None:
    """Not those that a call has of its own, which are zero here."""
    found = shifted(HELD[name], X)
    np.testing.assert_allclose(found(X)[0], right(name), rtol=1e-15)
    slopes = jax.jacfwd(lambda x: found(x)[0])(X)
    expected = [[1.75, 0.25], [0.0, 1.0]] if name.startswith("rows") else [[0.75, 0.25]] * 2
    np.testing.assert_allclose(slopes, expected, rtol=1e-15)


def test_operations_on_which_no_result_depends_are_not_read() -> None:
    """They may have no rule: an order of choices has no interval form, and no form in single numbers."""

    def function(x: Any) -> Any:
        jnp.sort(x)
        jnp.floor(x)
        return body(x)

    assert "sort" in str(jax.make_jaxpr(function)(X))
    assert enclose(function, X)(Interval(X, X + 0.1))[1]
    assert "sort" not in str(jax.make_jaxpr(shifted(function, X))(X))
    assert not {"floor", "sort"} & {name for name, *_ in operations(function, X)[0]}


def test_entries_beyond_an_array_are_what_a_program_puts_there() -> None:
    """Numbers, or none that could be written out."""

    def function(x: Any, **fill: Any) -> Any:
        return jnp.take(x, jnp.array([1, 5]), **fill) + 1.0

    nodes, results = operations(lambda x: function(x, fill_value=1.5), X)
    assert [value(nodes, place, X) for place in results] == [1.75, 2.5]
    nodes, results = operations(lambda x: jnp.take(x, jnp.array([1, 0])), X)
    assert [value(nodes, place, X) for place in results] == [0.75, 0.25]
    with pytest.raises(Unsupported, match="an entry beyond the end of an array"):
        operations(function, X)
    # of truth values
    nodes, results = operations(lambda x: 1.0 * jnp.take(x > 0.5, jnp.array([1, 0, 5]), fill_value=True), X)
    assert [value(nodes, place, X) for place in results] == [1.0, 0.0, 1.0]


def test_a_branch_that_choices_choose_is_written_out() -> None:
    """As a choice between the results of both branches; one among three functions is not."""

    def function(x: Any) -> Any:
        return jax.lax.cond(x[0] > 0.25, lambda y: 2.0 * y, lambda y: y * y[::-1], x)

    nodes, results = operations(function, X)
    for x in ([0.25, 0.5], [0.75, 0.5]):
        expected = [0.125, 0.125] if x[0] == 0.25 else [1.5, 1.0]
        assert [value(nodes, place, np.array(x)) for place in results] == expected
    with pytest.raises(Unsupported, match="a choice among several functions"):
        operations(lambda x: jax.lax.switch(jnp.sum(x > 0.25), [jnp.sin, jnp.cos, jnp.exp], x), X)

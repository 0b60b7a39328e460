"""Programs evaluated by NumPy: numbers of JAX, bounds of compiled programs, small proofs uncompiled."""

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.core.dispatch import Unsupported
from rivalry.core.space import Box
from rivalry.proofs.arithmetic import array_rules
from rivalry.proofs.arithmetic import program as array_programs
from rivalry.proofs.arithmetic.array_rules import Equation, Kind, Unknown, function_of
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.program import ByRow, Endless, Program, over_rows
from rivalry.proofs.payoff_ranges import value_range

flint = pytest.importorskip("flint")

VECTOR, MATRIX = (4,), (4, 3)
INDEX = jnp.array([2, 0, -1, 3])


def _window(x: Any, y: Any) -> Any:
    start = jnp.asarray(jnp.round(y[0]), int)  # rows choose their own, some of them beyond the end
    return jax.lax.dynamic_update_slice(x, jax.lax.dynamic_slice(x, (start, 0), (2, 2)), (0, start))


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "arithmetic": lambda x, y: (x - y[:, None]) * x / (1 + x**2) + 3 * x - x**-2,
    "functions": lambda x, y: jnp.exp(-x) + jnp.log(jnp.abs(x)) + jnp.sqrt(jnp.abs(x)) + jnp.tanh(x),
    "more functions": lambda x, y: (
        jnp.cos(x) + jnp.arctan(x) + jnp.cbrt(x) + jnp.expm1(x) + jax.nn.sigmoid(x)
    ),
    "of SciPy": lambda x, y: (
        jax.scipy.special.erf(x) + jax.scipy.special.erfc(x) + jax.scipy.special.gammaln(jnp.abs(x))
    ),
    "digamma": lambda x, y: jax.scipy.special.digamma(1 + jnp.abs(x)),
    "comparisons": lambda x, y: jnp.where(x > y[:, None], x, jnp.sign(y)[:, None]) + jnp.clip(x, -1.0, 1.0),
    "steps": lambda x, y: jnp.floor(x) + jnp.ceil(x) + jnp.round(x) + jnp.trunc(x) + x % 0.7,
    "shapes": lambda x, y: jnp.concatenate([x.T.reshape(2, 6)[:, ::-1][:, 1::2], jnp.ones((2, 1))], axis=1),
    "another order": lambda x, y: jax.lax.reshape(x, (2, 6), dimensions=(1, 0)),
    "derivative of a product": lambda x, y: jax.jacfwd(lambda z: jnp.prod(z, axis=1))(x),
    "pad": lambda x, y: jnp.pad(x, ((1, 2), (0, 1)), constant_values=2.0),
    "reductions": lambda x, y: jnp.stack([x.sum(0), x.max(0), x.min(0), x.prod(0), x.cumsum(0)[1]]),
    "running": lambda x, y: jnp.cumprod(x, axis=1) + jax.lax.cummax(x, reverse=True),
    "truth": lambda x, y: jnp.any(x > 0, axis=1) & ~jnp.all(x > 1, axis=1) | jnp.isfinite(y),
    "arguments": lambda x, y: (jnp.argmax(x, axis=0), jnp.argmin(x, axis=1), jnp.sort(x, axis=0)),
    "pairs in order": lambda x, y: jax.lax.sort((y, x[:, 0]), num_keys=1),
    "largest": lambda x, y: jax.lax.top_k(x, 2),
    "products": lambda x, y: (x.T @ y, jnp.outer(y, x[0]), jnp.einsum("ij,kj->ik", x, x), y @ y),
    "indices": lambda x, y: x[INDEX] + y[INDEX][:, None] + x[jnp.array([5, -7, 0, 1])],
    "own indices": lambda x, y: x[jnp.asarray(jnp.round(2 * y), int)],
    "filled": lambda x, y: x.at[jnp.asarray(jnp.round(2 * y), int)].get(mode="fill"),
    "scatter": lambda x, y: x.at[INDEX, 1].set(y).at[:, 0].add(y).at[jnp.array([0, 0, 9])].add(x[:3]),
    "own scatter": lambda x, y: x.at[jnp.asarray(jnp.round(2 * y), int), 2].add(y),
    "window": _window,
    "inverse": lambda x, y: jnp.linalg.inv(x[:3]),
    "solution": lambda x, y: jnp.linalg.solve(x[:3], y[:3]),
    "triangles": lambda x, y: [
        jax.lax.linalg.triangular_solve(
            x[:3], x if right else x.T, left_side=not right, lower=lower, transpose_a=turned
        )
        for right, lower, turned in product((True, False), repeat=3)
    ],
    "bits": lambda x, y: jax.lax.bitcast_convert_type(jax.lax.bitcast_convert_type(x, jnp.int64) >> 3, float),
    "logical bits": lambda x, y: jax.lax.shift_right_logical(
        jax.lax.bitcast_convert_type(x, jnp.int64), jnp.int64(3)
    ),
    "whole numbers": lambda x, y: (x * 1e30).astype(jnp.int32) + jnp.asarray(y, int)[:, None],
    "branches": lambda x, y: jax.lax.switch(jnp.asarray(y[0] > 0, int), [jnp.sin, jnp.cos], x),
    "loop": lambda x, y: jax.lax.fori_loop(0, 5, lambda k, z: z * 0.5 + k * y, y),
    "own loops": lambda x, y: _halvings(y[2], x),
    "mapped loops": lambda x, y: jax.vmap(_halvings)(y, x),
    "scan": lambda x, y: jax.lax.scan(lambda z, row: (z + row, z * row), y[:3], x, reverse=True),
    "derivative": lambda x, y: jax.jacfwd(jax.grad(lambda z: jnp.sum(jnp.exp(z) * z * y)))(y),
}


def _assert_close(found: Any, right: Any) -> None:
    right = np.asarray(right)
    assert found.dtype == right.dtype
    assert found.shape == right.shape
    if right.dtype.kind == "f":
        np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-13)
    else:
        np.testing.assert_array_equal(found, right)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_give_the_numbers_of_jax(name: str) -> None:
    """With rows in both arguments, in either and in none, and with numbers that are infinite or none."""
    function, rng = OPERATIONS[name], np.random.default_rng(0)
    x, y = rng.normal(size=(6, *MATRIX)), rng.normal(size=(6, *VECTOR))
    if name not in ("inverse", "solution", "triangles", "own indices", "own scatter", "window"):
        x[4, 1, 2], x[5, 0, 0], y[3, 1] = np.inf, np.nan, -np.inf
    if name in ("shapes", "whole numbers"):
        x, y = np.nan_to_num(x, posinf=1.0), np.nan_to_num(y, neginf=-1.0)
    traced = jax.make_jaxpr(lambda *given: jax.tree.leaves(function(*given)))(x[0], y[0])
    program = Program(traced)
    assert not program.through_jax
    for rows in ((True, True), (True, False), (False, True), (False, False)):
        given = [whole if has else whole[1:2] for whole, has in zip((x, y), rows, strict=True)]
        with np.errstate(all="ignore"):
            found = program(*given)
        count = 6 if any(rows) else 1
        whole = [np.broadcast_to(part, (count, *part.shape[1:])) for part in given]
        right = jax.tree.leaves(jax.jit(jax.vmap(function))(*whole))
        for one, other in zip(found, right, strict=True):
            assert len(one) in (1, count)
            _assert_close(np.broadcast_to(one, (count, *one.shape[1:])), other)


def test_entries_are_reshaped_in_the_stated_order() -> None:
    """JAX writes derivatives of products so: those of the others."""
    x = np.arange(1.0, 13.0).reshape(4, 3)
    slopes = jax.grad(lambda x: jnp.sum(jnp.prod(x, axis=1)))
    traced = jax.make_jaxpr(slopes)(x)
    assert "dimensions=(1, 0)" in str(traced)
    np.testing.assert_allclose(Program(traced)(x[None])[0][0], x.prod(axis=1, keepdims=True) / x, rtol=1e-14)


def _halvings(y: Any, x: Any) -> Any:
    """Return how often a number is halved until it is at most 1, and what is left of it and of a row."""

    def halve(state: Any) -> Any:
        z, row, count = state
        return z / 2, row * y, count + 1

    # NaN and infinity end at once
    return jax.lax.while_loop(lambda state: (state[0] > 1) & (state[0] < 1e9), halve, (10 * y, x, 0))


def test_a_parameter_that_no_rule_reads_is_left_to_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its rule does not know of an operation may change the result, and its bounds."""
    kinds = Kind((2,), np.dtype(float)), Kind((2, 1), np.dtype(float))
    equation = Equation("reshape", {"new_sizes": (2, 1), "dimensions": None}, kinds[:1], kinds[1:])
    assert function_of(equation)(np.ones((1, 2))).shape == (1, 2, 1)
    with pytest.raises(Unknown, match="reshape with turned"):
        function_of(equation._replace(params=equation.params | {"turned": True}))
    box = Interval(np.float64(2.0), np.float64(3.0))
    assert enclose(lambda x: x + (x > 1), 2.0)(box)[1]
    monkeypatch.setattr(array_rules, "HARMLESS", array_rules.HARMLESS - {"weak_type"})
    with pytest.raises(Unsupported, match="of which no bounds are known"):
        enclose(lambda x: x + (x > 1), 2.0)(box)


def test_a_loop_of_each_row_ends_by_its_own_condition() -> None:
    traced = jax.make_jaxpr(_halvings)(3.0, np.ones(2))
    y, x = np.array([3.0, 0.01, 0.7]), np.arange(6.0).reshape(3, 2)
    left, rows, count = Program(traced)(y, x)
    assert left.tolist() == [30 / 32, 0.1, 7 / 8]
    assert count.tolist() == [5, 0, 3]
    np.testing.assert_allclose(rows, x * (y**count)[:, None], rtol=1e-12)
    same = Program(traced)(y, x[2:])
    np.testing.assert_allclose(same[1], x[2] * (y**count)[:, None], rtol=1e-12)


def test_a_loop_without_end_is_unknown_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_programs, "LOOP_SECONDS", 0.01)
    traced = jax.make_jaxpr(lambda y: jax.lax.while_loop(lambda z: z > 0, lambda z: z + 1, y))(3.0)
    with pytest.raises(Endless, match="a loop that takes more than"):
        Program(traced)(np.array([3.0]))
    with pytest.raises(Unsupported, match="payoffs contain a loop that takes more than"):
        enclose(lambda y: jax.lax.while_loop(lambda z: z > 0, lambda z: z + 1, y), 3.0)(3.0)


class Searching(NamedTuple):
    """Payoffs ``-(x - r)^2``, where a mapped loop halves towards the root ``r`` of an own number."""

    numbers: Any
    space = Box.interval(0.0, 2.0, players=2)

    def payoffs(self, x: Any) -> Any:
        def root(square: Any) -> Any:
            def cut(ends: Any) -> Any:
                middle = (ends[0] + ends[1]) / 2
                return jnp.where(
                    middle**2 < square, jnp.array([middle, ends[1]]), jnp.array([ends[0], middle])
                )

            return jax.lax.while_loop(
                lambda ends: ends[1] - ends[0] > square * 1e-3, cut, jnp.array([0.0, 2.0])
            )

        return -((x[:, 0] - jax.vmap(root)(self.numbers)[:, 1]) ** 2)


@pytest.mark.slow
def test_payoffs_of_a_mapped_loop_are_certified() -> None:
    # 1/2 and 3/2 are reached as upper ends by halving [0, 2]
    found = rv.certificate(Searching(jnp.array([0.25, 2.25])), [[0.5], [1.5]])
    assert (found.claim, found.coverage) == ("equilibrium", "tight")
    assert rv.certificate(Searching(jnp.array([0.25, 2.25])), [[0.5], [1.0]]).regret[1] == pytest.approx(0.25)


def _expression(rng: np.random.Generator, depth: int) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Return a random function of two numbers in JAX, and the same of two balls."""
    if depth == 0:
        kind = rng.integers(3)
        if kind < 2:
            return (lambda y: y[kind]), (lambda a: a[kind])
        number = float(np.round(rng.uniform(-2, 2), 3))
        return (lambda y: jnp.asarray(number)), (lambda a: flint.arb(number))
    one, exact = _expression(rng, depth - 1)
    other, also = _expression(rng, int(rng.integers(depth)))
    return [
        (lambda y: one(y) + other(y), lambda a: exact(a) + also(a)),
        (lambda y: one(y) - other(y), lambda a: exact(a) - also(a)),
        (lambda y: one(y) * other(y), lambda a: exact(a) * also(a)),
        (lambda y: one(y) / (1 + other(y) ** 2), lambda a: exact(a) / (1 + also(a) ** 2)),
        (lambda y: jnp.exp(-jnp.tanh(one(y))), lambda a: (-exact(a).tanh()).exp()),
        (lambda y: jnp.log(1 + one(y) ** 2), lambda a: (1 + exact(a) ** 2).log()),
        (lambda y: jnp.sqrt(2 + jnp.cos(one(y))), lambda a: (2 + exact(a).cos()).sqrt()),
        (lambda y: jnp.maximum(one(y), other(y)), lambda a: exact(a).max(also(a))),
    ][rng.integers(8)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.nightly) for k in range(1, 40))])
def test_bounds_on_random_expressions_hold(seed: int) -> None:
    """With derivatives: true values, computed by Arb, are inside."""
    rng = np.random.default_rng(seed)
    function, exact = _expression(rng, 4)
    low = rng.uniform(-2, 2, (40, 2))
    high = low + 10.0 ** rng.uniform(-9, 0.3, (40, 2))
    found = value_range(function, (), low, high)
    flint.ctx.prec = 120
    for k in range(40):
        for share in (0.0, 0.3, 1.0):
            y = low[k] + share * (high[k] - low[k])
            value = exact([flint.arb(float(part)) for part in np.clip(y, low[k], high[k])])
            assert flint.arb(float(found.low[k])) <= value.upper()
            assert value.lower() <= flint.arb(float(found.high[k]))


FIRST = """
import jax, jax.numpy as jnp, equinox as eqx, rivalry as rv
from rivalry.core.space import Box

class Coordination(eqx.Module):
    space: Box
    def payoffs(self, x):
        a, b = x[:, 0]
        return -jnp.stack([(a - 1 - jnp.tanh(2 * b - 2)) ** 2, (b - 1 - jnp.tanh(2 * a - 2)) ** 2])

game = Coordination(Box(jnp.zeros((2, 1)), jnp.full((2, 1), 2.0)))
names = []
def listen(name, seconds, **kwargs):
    if "backend_compile" in name:
        names.append(kwargs.get("fun_name", ""))
jax.monitoring.register_event_duration_secs_listener(listen)
found = rv.all_equilibria(game)
print(len(found.equilibria), found.complete, len(names))
"""


@pytest.mark.slow
def test_the_first_list_of_a_small_game_compiles_hardly_anything(tmp_path: Any) -> None:
    """Three equilibria, 1 + t with t = tanh(2 t). Payoffs of one and of many profiles, a search."""
    run = subprocess.run(
        [sys.executable, "-c", FIRST], capture_output=True, text=True, check=True,
        env={
            "PATH": "", "RIVALRY_CACHE": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path),
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        },
    )  # fmt: skip
    assert run.stderr == ""
    count, complete, compiled = run.stdout.split()
    assert (int(count), complete) == (3, "True")
    assert int(compiled) <= 3


@pytest.mark.slow
def test_programs_that_take_longer_by_numpy_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers from either side of the limit, and every row once."""
    ask = over_rows(_smooth, shared=1)
    rows = np.linspace(0.1, 1.0, 700).reshape(-1, 2)
    whole, parts = ask(3.0, rows, batch=512), ask(3.0, rows, batch=64)
    np.testing.assert_array_equal(whole, parts)
    monkeypatch.setattr(array_programs, "SLOW", 0.0)
    np.testing.assert_allclose(ask(3.0, rows, batch=64), whole, rtol=1e-14)


@pytest.mark.parametrize("slow", [array_programs.SLOW, 0.0])
def test_every_row_may_have_a_tree_of_its_own(slow: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """By NumPy, and by a compiled program for each tree."""
    monkeypatch.setattr(array_programs, "SLOW", slow)
    factors = np.array([2.0, -1.0, 0.5])
    numbers, rows = np.array([2, 0, 1, 1, 0, 2, 2]), np.linspace(-0.9, 0.9, 14).reshape(7, 2)
    trees = ByRow([np.asarray(factor) for factor in factors]).pick(numbers)
    results = over_rows(_smooth, shared=1)(trees, rows, batch=4)
    np.testing.assert_allclose(results, factors[numbers] * rows[:, 0] * np.exp(-rows[:, 1]), rtol=1e-14)


def _smooth(factor: float, y: Any) -> Any:
    return factor * y[0] * jnp.exp(-y[1])

"""Bounds on traced functions: jumps and kinks are reported, and nothing is claimed of what is not known."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jax.extend.core import primitives

import rivalry as rv
from rivalry.certificates.branch_and_bound import StrategyBoxes, bounds_of_boxes
from rivalry.core.dispatch import Unsupported
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.programs import in_words, operations_within
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.proofs.first_order import first_order
from rivalry.proofs.gains import gains
from rivalry.proofs.payoff_ranges import value_range
from rivalry.proofs.spaces.coordinates import coordinates
from rivalry.runtime.jax import jax, jnp

pytestmark = pytest.mark.mostly_slow

LOW, HIGH = np.array([0.2, 0.4]), np.array([0.5, 0.9])


def bounds(
    function: Callable[..., Any], low: Any = LOW, high: Any = HIGH
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return bounds on a function over a box, and whether every comparison is decided."""
    (found,), decided = enclose(function, jnp.asarray(low))(Interval(jnp.asarray(low), jnp.asarray(high)))
    return np.asarray(found.low), np.asarray(found.high), bool(decided)


def derivative(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the derivative of a payoff's values, as proofs take it."""
    return lambda x: jax.jacfwd(lambda z: shifted(function, z)(z)[0])(x)


JUMPS: dict[str, Callable[[Any], Any]] = {
    "floor": lambda x: jnp.floor(4 * x[0]),
    "ceil": lambda x: jnp.ceil(4 * x[0]),
    "round": lambda x: jnp.round(4 * x[0]),
    "sign": lambda x: jnp.sign(x[0] - 0.3),
    "remainder": lambda x: jnp.fmod(x[0], 0.25),
    "modulo": lambda x: x[0] % 0.25,
    "comparison": lambda x: jnp.where(x[0] > 0.3, 1.0, 0.0),
    "converted Boolean": lambda x: (x[0] > 0.3) * x[1],
    "count": lambda x: jnp.sum(x > 0.45) + 0.0 * x[0],
    "to an integer": lambda x: (4 * x[0]).astype(int) + 0.0,
    "equality": lambda x: jnp.where(x[0] == x[1], 1.0, 0.0),
    "exclusive or": lambda x: jnp.where((x[0] > 0.3) ^ (x[1] > 0.1), 1.0, 0.0),
    "branch": lambda x: jax.lax.cond(x[0] > 0.3, lambda y: y[1], lambda y: -y[1], x),
    "switch": lambda x: jax.lax.switch((4 * x[0]).astype(int), [lambda: 3.0, lambda: 1.0, lambda: 2.0]),
    "derivative of a maximum": derivative(lambda x: jnp.maximum(x[0], x[1])),
    "derivative of a clip": derivative(lambda x: jnp.clip(x[0], 0.0, 0.3)),
    "derivative of a size": derivative(lambda x: jnp.abs(x[0] - 0.3)),
    "derivative of the largest": derivative(lambda x: jnp.max(x)),
}


@pytest.mark.parametrize("name", JUMPS)
def test_a_jump_or_kink_in_the_box_is_reported_and_all_values_are_inside(name: str) -> None:
    function = JUMPS[name]
    low, high, decided = bounds(function)
    assert not decided
    inside = LOW + (HIGH - LOW) * np.random.default_rng(0).random((200, 2))
    values = np.asarray(jax.vmap(function)(jnp.asarray(inside)))
    assert np.all((values >= low) & (values <= high))
    assert np.all(np.isfinite(low) & np.isfinite(high))


AT_A_POINT: dict[str, Callable[[Any], Any]] = {
    "size": lambda x: jnp.abs(x[0] - 0.5),
    "rectified": lambda x: jax.nn.relu(x[0] - 0.5),
    "maximum": lambda x: jnp.maximum(x[0], 1 - x[0]),
    "smallest": lambda x: jnp.min(jnp.stack([x[0], 1 - x[0]])),
    "clip": lambda x: jnp.clip(x[0], 0.5, 2.0),
    "choice": lambda x: jnp.where(x[0] >= 0.5, x[0], 1 - x[0]),
    "choice by two comparisons": lambda x: jnp.where((x[0] >= 0.5) & ~(x[1] < 0), x[0], 1 - x[0]),
    "choice of several": lambda x: jnp.where((x >= 0.5)[:, None], x[:, None], 1 - x[:, None])[0, 0],
    "whole number": lambda x: x[0] * jnp.floor(2 * x[0]),
}


class Alone:
    """One player with two choices."""

    space = rv.Box(jnp.zeros((1, 2)), jnp.ones((1, 2)))

    def __init__(self, rule: Callable[[Any], Any]) -> None:
        self.rule = rule

    def payoffs(self, x: Any) -> Any:
        return self.rule(x[0])[None]


@pytest.mark.parametrize("name", AT_A_POINT)
def test_a_payoff_is_not_smooth_at_a_kink_where_the_box_is_the_point_itself(name: str) -> None:
    game: Any = Alone(AT_A_POINT[name])
    at, y = coordinates(game), np.array([[0.5, 0.1], [0.6, 0.1]])
    assert first_order(game, at, y, y, np.zeros((2, 2))).smooth.tolist() == [False, True]
    assert gains(game, at, 0, y, y, y, y).smooth.tolist() == [False, True]


def test_a_single_strategy_gains_nothing_from_a_jump_beside_it() -> None:
    """Strategies above one half pay 1 more, and a strategy itself is no gain."""
    game: Any = Alone(lambda x: jnp.where(x[0] > 0.5, 1.0, 0.0) - x[0])
    y = np.array([[0.5, 0.1]])
    assert gains(game, coordinates(game), 0, y, y, y, y).upper < 1e-12


IDLE: dict[str, Callable[[Any], Any]] = {
    "entry of a profile": lambda x: jnp.sum(jnp.where(jnp.zeros(3).at[1].set(x[0]) > 0, x[0], 5.0)),
    "largest": lambda x: jnp.max(jnp.zeros(3).at[1].set(x[0])) + x[1],
    "step": lambda x: x[0] * jnp.sum(jnp.floor(jnp.ones(3).at[1].set(x[0]))),
}


@pytest.mark.parametrize("name", IDLE)
def test_numbers_that_no_choice_moves_are_no_kinks(name: str) -> None:
    """A rival's output of zero stands beside the own one in an array: only the own one is moved."""
    assert bounds(derivative(IDLE[name]))[2]


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.nightly) for k in range(1, 30))])
def test_what_is_smooth_at_a_point_has_one_slope(seed: int) -> None:
    """Kinks and jumps lie on quarters, as the points do: slopes to both sides are exact differences."""
    rng = np.random.default_rng(seed)
    smooth = 0
    for _ in range(4):
        game: Any = Alone(pieces(rng))
        at, y = coordinates(game), rng.integers(1, 4, size=(8, 2)) / 4
        found = first_order(game, at, y, y, np.zeros((8, 2))).smooth
        step = 2.0**-20 * np.concatenate([np.zeros((1, 2)), np.eye(2), -np.eye(2)])
        values = np.asarray(jax.vmap(game.rule)(jnp.asarray((y[:, None] + step).reshape(-1, 2))))
        here, right, left = np.split(values.reshape(8, 5), [1, 3], axis=1)
        kinked = np.any(np.abs((right - here) - (here - left)) > 2.0**-30, axis=1)
        assert not np.any(found & kinked)
        smooth += int(found.sum())
    assert smooth > 0


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.nightly) for k in range(1, 30))])
def test_payoffs_with_kinks_are_within_their_range(seed: int) -> None:
    """In boxes with ends at the kinks, some of which have no width in one of the axes, or in both."""
    rng = np.random.default_rng(seed)
    for _ in range(4):
        game: Any = Alone(pieces(rng))
        low, high = np.sort(rng.integers(0, 5, size=(2, 8, 2)) / 4, axis=0)
        boxes = StrategyBoxes(low, high, low, high)
        ceiling, floor, *_ = bounds_of_boxes(game, jnp.zeros((1, 2)), 0, boxes, enclosed=True)
        parts = np.concatenate([rng.random((30, 2)), np.array([[0, 0], [0, 1], [1, 0], [1, 1], [0.5, 0.5]])])
        inside = low[:, None] + parts * (high - low)[:, None]
        values = np.asarray(jax.vmap(jax.vmap(game.rule))(jnp.asarray(inside)))
        assert np.all((values >= floor[:, None]) & (values <= ceiling[:, None]))


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.nightly) for k in range(1, 30))])
def test_no_payoff_exceeds_the_bound_of_branch_and_bound(seed: int) -> None:
    """On a grid, at kinks and jumps and beside them: slopes and tangents leave boxes out for good reasons."""
    game: Any = Alone(pieces(np.random.default_rng(seed)))
    near = [np.nextafter(np.arange(5) / 4, end) for end in (-1.0, 2.0)]
    line = np.clip(np.concatenate([np.linspace(0, 1, 201), *near]), 0.0, 1.0)
    strategies = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    highest = float(jax.vmap(game.rule)(jnp.asarray(strategies)).max())
    bound = rv.best_response(game, np.full((1, 2), 0.3), 0).bound
    assert highest <= bound <= highest + 0.1


def pieces(rng: np.random.Generator) -> Callable[[Any], Any]:
    """Return a sum of functions of two numbers with kinks and jumps at quarters, and where they are equal."""
    every: list[Callable[[Any, Any, Any], Any]] = [
        lambda a, b, c: jnp.maximum(a, c) * b,
        lambda a, b, c: jnp.minimum(a, b),
        lambda a, b, c: jnp.abs(a - c) + b,
        lambda a, b, c: jnp.clip(a, c, 2.0) - b,
        lambda a, b, c: jnp.where(a > c, a * b, b),
        lambda a, b, c: jnp.where((a >= c) & ~(b < c), a, b * b),
        lambda a, b, c: jnp.floor(4 * a) * b,
        lambda a, b, c: jnp.where(jnp.maximum(a, c) <= c, a, b),
        lambda a, b, c: jnp.max(jnp.zeros(3).at[1].set(a)) * b,
        lambda a, b, c: jnp.sum(jnp.where(jnp.full(3, c).at[1].set(a) > c, b, a)),
        lambda a, b, c: a * b * b,
    ]
    terms = [
        (every[k], bool(rng.integers(2)), rng.integers(0, 5) / 4) for k in rng.integers(len(every), size=3)
    ]

    def run(x: Any) -> Any:
        return sum(one(*((x[1], x[0]) if turned else (x[0], x[1])), c) for one, turned, c in terms)

    return run


@pytest.mark.default
@pytest.mark.parametrize("name", JUMPS)
def test_away_from_jumps_the_bounds_are_narrow(name: str) -> None:
    at = np.array([0.31, 0.7])
    low, high, decided = bounds(JUMPS[name], at, at + 1e-9)
    assert decided
    assert np.all(high - low < 1e-7)


def test_a_comparison_matters_where_its_outcomes_differ() -> None:
    """A fixed cost of zero is no jump; equal expressions are two functions, whose derivatives are unknown."""
    harmless = {
        "zero": lambda x: jnp.where(x[0] > 0.3, 0.0, 0.0) + x[1],
        "part": lambda x: jnp.where((x > 0.3) & (x < 0.8), jnp.array([2.0, 2.0]), 2.0) * x,
        "not used": lambda x: (x[0] > 0.3, x[1])[1],
    }
    harmful = {
        "cost": lambda x: jnp.where(x[0] > 0.3, 1e-300, 0.0) + x[1],
        "part": lambda x: jnp.where(x > 0.45, jnp.array([2.0, 1.0]), 2.0) * x,
        "same expression": lambda x: jnp.where(x[0] > 0.3, x[1], x[1]),
        "multiplied by zero": lambda x: 0.0 * (x[0] > 0.3) + x[1],
        "returned": lambda x: x[0] > 0.3,
        "any": lambda x: jnp.where(jnp.any(x > 0.45), 1.0, 0.0),
        "no number": lambda x: jnp.where(x[0] > 0.3, jnp.nan, jnp.nan),
        "larger": lambda x: jnp.where(x[0] < x[1] - 0.2, x[1] - 0.2, x[0]),
    }
    assert all(bounds(function)[2] for function in harmless.values())
    assert not any(bounds(function)[2] for function in harmful.values())


def test_the_logarithm_of_zero_in_a_sum_leaves_its_upper_end() -> None:
    def product(x: Any) -> Any:
        squares = jnp.square(x - 0.3)
        return jnp.exp(
            jnp.sum(jnp.where(squares > 0, jnp.log(jnp.where(squares > 0, squares, 1.0)), -jnp.inf))
        )

    low, high, _ = bounds(product)
    assert low == 0
    # the hull of both branches of the first factor contains 1
    assert 0.2**2 * 0.6**2 <= high <= 0.6**2 * (1 + 1e-12)


@pytest.mark.default
def test_which_number_a_maximum_takes_is_decided_by_the_numbers() -> None:
    slope = derivative(lambda x: jnp.maximum(x[0], 0.1) + jnp.minimum(x[1], jnp.inf))
    low, high, decided = bounds(slope)
    assert decided
    assert low == pytest.approx([1, 1])
    assert high == pytest.approx([1, 1])


UNKNOWN: dict[str, Callable[[Any], Any]] = {
    "logarithm": lambda x: jnp.log(x[0] - 0.3),
    "root": lambda x: jnp.sqrt(x[0] - 0.3),
    "power": lambda x: (x[0] - 0.3) ** x[1],
    "quotient": lambda x: 1 / (x[0] - 0.3),
    "positive quotient": lambda x: jnp.exp(x[1]) / (x[0] - 0.3),
    "remainder of zero": lambda x: jnp.fmod(x[1], x[0] - 0.3),
    "difference of infinite numbers": lambda x: jnp.exp(1e4 * x[0]) - jnp.exp(1e4 * x[1]),
    "a number that is none": lambda x: x[0] + jnp.nan,
    "sorted numbers": lambda x: jnp.sort(jnp.log(x - 0.3))[0],
    "quotients by a constant zero": lambda x: (x[0] + 1) / jnp.zeros(()) - (x[0] + 2) / jnp.zeros(()),
    "difference of a guarded number": lambda x: difference_if_above_two(1 / (x[0] - 0.3)),
}


def difference_if_above_two(y: Any) -> Any:
    """Return 0, or none at all where a number is infinite: no bound depends on its size."""
    chosen = jnp.where(y > 2, y, 1.0)
    return jnp.tanh(chosen - chosen)


@pytest.mark.parametrize("name", UNKNOWN)
def test_nothing_is_claimed_where_a_payoff_may_not_be_a_number(name: str) -> None:
    low, high, _ = bounds(UNKNOWN[name])
    assert not np.isfinite(low)
    assert not np.isfinite(high)
    assert not low > 0
    assert not high < 0


@pytest.mark.default
def test_nothing_is_known_of_zero_times_a_number_that_overflows() -> None:
    low, high, _ = bounds(lambda x: x[0] * jnp.exp(1000 * x[1]), [0.0, 0.0], [0.0, 1.0])
    assert np.isnan(low)
    assert np.isnan(high)


@pytest.mark.parametrize("name", ["floor", "comparison", "sign", "modulo", "branch", "switch"])
def test_a_payoff_with_a_jump_is_within_its_range(name: str) -> None:
    """Its derivative is that of the pieces, which says nothing of the jump."""
    function = JUMPS[name]
    bounds = value_range(function, (), np.asarray(LOW)[None], np.asarray(HIGH)[None])
    low, high = bounds.low[0], bounds.high[0]
    inside = LOW + (HIGH - LOW) * np.random.default_rng(0).random((200, 2))
    values = np.asarray(jax.vmap(function)(jnp.asarray(inside)))
    assert float(low) <= values.min() < values.max() <= float(high)


def test_a_number_above_minus_infinity_is_finite() -> None:
    def failure(x: Any) -> Any:
        own, other = 0.5 * jnp.log(x)
        return jax.nn.sigmoid(own - 1.5 * jnp.where(other > -jnp.inf, other, 0.0))

    low, high, _ = bounds(failure, [0.0, 0.0], [1.0, 1.0])
    assert 0 <= low <= high <= 1


@pytest.mark.default
def test_products_and_quotients_of_zero_have_roots() -> None:
    low, high, _ = bounds(
        lambda x: jnp.sqrt(10.0 * x[0]) + (x[0] / jnp.exp(x[1])) ** 0.5, [0.0, 0.0], [1.0, 0.0]
    )
    assert 0 >= low > -1e-100
    assert high == pytest.approx(np.sqrt(10) + 1)


@pytest.mark.default
def test_an_infinite_payoff_has_no_finite_bound_and_an_overflow_none_that_is_too_large() -> None:
    low, high, _ = bounds(lambda x: jnp.exp(2000 * x[0]) / 2)
    assert low < 1e308
    assert high == np.inf
    # 1e200 squared and its logarithm: XLA computes infinity, the number is 921
    low, high, _ = bounds(lambda x: jnp.log(jnp.square(1e200 * (x[0] + 1))))
    assert low <= 921.0
    assert high == np.inf


@pytest.mark.default
def test_integers_that_wrap_have_all_their_values() -> None:
    def wrapped(x: Any) -> Any:
        return ((x[0] > 0.31).astype(jnp.uint8) - (x[0] > 0.3).astype(jnp.uint8)).astype(float)

    low, high, decided = bounds(wrapped)  # 255 between 0.3 and 0.31
    assert (low, high, decided) == (0, 255, False)
    low, high, _ = bounds(lambda x: jnp.where(x[0] > 0.3, -56, 0).astype(jnp.uint8).astype(float))
    assert low <= 0
    assert high >= 200


def test_one_entry_stands_for_several_in_products() -> None:
    def several(x: Any) -> Any:
        one = x[:1]
        return jnp.stack([jnp.sum((jnp.ones(3) - one) * one), jnp.sum(2 * one * one * (jnp.ones(3) - one))])

    low, high, _ = bounds(several, [0.2, 0.0], [0.3, 0.0])
    for at in (0.2, 0.25, 0.3):
        values = 3 * at * (1 - at) * np.array([1, 2 * at])
        assert np.all((low <= values) & (values <= high))


def test_a_number_that_is_none_equals_no_other() -> None:
    def equal(x: Any) -> Any:
        maybe = jnp.log(x[0] - 0.3)
        return jnp.where(jnp.where(x[1] > 0, maybe, 0.0) == maybe, 1.0, 0.0)

    assert bounds(equal)[0] == 0
    low, high, _ = bounds(lambda x: jnp.max(jnp.maximum(jnp.log(x[:1] - 0.3) - 9.0, x)))
    assert np.isnan(low)
    assert np.isnan(high)


def solved(x: Any, matrix: Any, by: Callable[[Any], Any]) -> Any:
    """Return the sum of what a program by hand returns as the solution of linear equations."""
    known = jnp.stack([x[0], jnp.asarray(1.0)])
    return jax.lax.custom_linear_solve(
        lambda y: matrix @ y, known, lambda _, b: by(b), transpose_solve=lambda _, b: b
    ).sum()


def solved_by_factors(x: Any, matrix: Any, other: Any, trans: int) -> Any:
    factors = jax.scipy.linalg.lu_factor(other)
    return solved(x, matrix, lambda b: jax.scipy.linalg.lu_solve(factors, b, trans=trans))


def test_inverses_of_one_and_of_several_matrices_have_bounds() -> None:
    """Of [[2 + x, 1], [1, 3]], and of it and its double, which have right sides in rows."""

    def inverse(x: Any) -> Any:
        matrix = jnp.array([[2.0, 1.0], [1.0, 3.0]]).at[0, 0].add(x[0])
        return jnp.linalg.inv(matrix)[0, 0] + jnp.linalg.inv(jnp.stack([matrix, 2 * matrix]))[1, 0, 0]

    low, high, _ = bounds(inverse, [0.2, 0.0], [0.21, 0.0])
    for x in (0.2, 0.205, 0.21):
        assert low <= 1.5 * 3 / (3 * (2 + x) - 1) <= high
    assert high - low < 0.02


def with_slope(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function with derivatives by hand: without them no search takes it."""
    whole = jax.custom_jvp(function)
    whole.defjvp(lambda primals, tangents: (whole(*primals), tangents[0][0]))
    return whole


@jax.custom_batching.custom_vmap
def batched_by_hand(x: Any) -> Any:
    return 2.0 * x[0]


batched_by_hand.def_vmap(lambda size, batched, x: (x[:, 0], True))


def outside(x: Any) -> Any:
    kind = jax.ShapeDtypeStruct((), float)
    return jax.pure_callback(lambda y: np.asarray(y[0]), kind, x, vmap_method="sequential")


def by_pallas(x: Any) -> Any:
    from jax.experimental import pallas

    def double(given: Any, found: Any) -> None:
        found[...] = 2.0 * given[...]

    kind = jax.ShapeDtypeStruct(x.shape, float)
    return pallas.pallas_call(double, out_shape=kind, interpret=True)(x)[0]


UPPER = np.array([[1.0, 0.5], [0.0, 1.0]])

REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "solution by hand": (
        lambda x: solved(x, np.eye(2), lambda b: b + jnp.exp(-(((x[0] - 0.4) / 0.01) ** 2))),
        "a linear system that is solved by .* a rule of its own",
    ),
    "factors of another matrix": (
        lambda x: solved_by_factors(x, jnp.eye(2) * x[1], jnp.eye(2) * (1 + x[1]), 0),
        "a rule of its own",
    ),
    "factors of the transposed matrix": (
        lambda x: solved_by_factors(x, UPPER * x[1], UPPER * x[1], 1),
        "a rule of its own",
    ),
    "root by hand": (
        lambda x: jax.lax.custom_root(
            lambda y: y - x[0],
            0.0,
            lambda f, start: jax.lax.while_loop(lambda y: y < x[0], lambda y: y + x[1], start),
            lambda g, y: y / g(1.0),
        ),
        # since JAX 0.12 its loop is not in the program
        "a (loop that ends where a condition on choices holds|function with a rule of its own)",
    ),
    "callback": (with_slope(outside), "a function computed outside of JAX"),
    "batches by hand": (with_slope(batched_by_hand), "a function with a rule of its own"),
    "kernel by hand": (with_slope(by_pallas), "a function with a rule of its own"),
    "Boolean of a branch": (
        lambda x: jax.lax.cond(x[1] > 0, lambda s: s >= 0.3, lambda s: s < 0.3, x[0]).astype(float),
        "a choice between Booleans",
    ),
    "system given as a function": (
        lambda x: jax.scipy.sparse.linalg.cg(lambda v: (0.5 + x[0]) * v, jnp.ones(2))[0][0],
        "a linear system that is given as a function",
    ),
    "index": (lambda x: x[(2 * x[0]).astype(int)], "an index depends"),
    "argmax": (lambda x: x[jnp.argmax(x)], "a search for the best of several numbers"),
    "order": (lambda x: x[jnp.argsort(x)][0], "the order of numbers"),
    "single precision": (lambda x: (x.astype(jnp.float32) * 2)[0], "float32"),
    "rounded": (lambda x: jax.lax.reduce_precision(x, 8, 7)[0], "rounded to 7 bits"),
    "integers": (lambda x: (9 * x[0]).astype(int) // 2 + 0.0, "integers that depend"),
    "while": (
        lambda x: jax.lax.while_loop(lambda y: y[0] < 2, lambda y: y + x, x)[0],
        "a loop that ends where a condition on choices holds",
    ),
    "erf_inv": (lambda x: jax.lax.erf_inv(x[0]), "an inverse of a distribution function"),
    "fifth derivative": (lambda x: jax.scipy.special.polygamma(4, x[0]), "digamma function of an order"),
    "determinant": (lambda x: jnp.linalg.slogdet(jnp.diag(jnp.tile(x, 2)))[1], "no bounds are known"),
}


@pytest.mark.representative
@pytest.mark.parametrize("name", REFUSED)
def test_an_operation_without_a_rule_is_described_in_one_line(name: str) -> None:
    function, message = REFUSED[name]
    with pytest.raises(Unsupported, match=f"no bound: .*{message}") as refusal:
        bounds(function)
    program = jax.make_jaxpr(function)(jnp.array([0.2, 0.3]))
    names = {equation.primitive.name for equation in operations_within(program)}
    assert not names & set(re.findall(r"\w+", str(refusal.value))), "a name of JAX"


@pytest.mark.default
def test_no_instruction_of_jax_is_named_to_a_reader() -> None:
    names = [name.removesuffix("_p") for name in vars(primitives) if name.endswith("_p")]
    assert len(names) > 100
    for name in names:
        assert name not in re.findall(r"\w+", in_words(name))


def test_the_solution_of_linear_equations_is_verified() -> None:
    # by Cramer's rule the solution is (y - 2, 2 x - 1) / (x y - 1)
    def solved(x: Any) -> Any:
        matrix = jnp.stack([jnp.stack([x[0], jnp.asarray(1.0)]), jnp.stack([jnp.asarray(1.0), x[1]])])
        return jnp.linalg.solve(matrix, jnp.array([1.0, 2.0]))

    at = np.array([2.0, 3.0])
    low, high, _ = bounds(solved, at - 1e-3, at + 1e-3)
    for x, y in at + 1e-3 * np.random.default_rng(0).uniform(-1, 1, (50, 2)):
        exact = np.array([y - 2, 2 * x - 1]) / (x * y - 1)
        assert np.all((low <= exact) & (exact <= high))
    assert np.all(high - low < 5e-3)
    assert np.all(np.isnan(bounds(solved, [0.5, 1.0], [1.0, 2.0])[0]))  # singular inside


def test_products_over_choices_and_running_sums_and_products() -> None:
    inside = LOW + (HIGH - LOW) * np.random.default_rng(1).random((100, 2))

    def several(x: Any) -> Any:
        y = jnp.concatenate([x, -x, x - 0.4])
        powers = jnp.stack([jnp.prod(y), *jnp.cumprod(y), *jnp.cumsum(y), jnp.prod(x) ** -3, x[0] ** 0.0])
        return jnp.concatenate([powers, jax.lax.scan(lambda c, z: (c * z, c + z), x[0], y)[1]])

    low, high, _ = bounds(several)
    values = np.asarray(jax.vmap(several)(jnp.asarray(inside)))
    assert np.all(values >= low)
    assert np.all(values <= high)


@pytest.mark.parametrize("place", [0.1234567, 0.5 + 1e-7])
def test_a_deviation_between_any_two_grid_points_is_inside_the_bound(place: float) -> None:
    """A peak of height 3 and width 1e-9 that no grid sees."""

    def payoff(x: Any) -> Any:
        return x[1] * (1 - x[0]) + 3 * jnp.exp(-(((x[0] - place) / 1e-9) ** 2))

    grid = np.linspace(0, 1, 1000)
    seen = jax.vmap(payoff)(jnp.stack([jnp.asarray(grid), jnp.full(1000, 0.5)], axis=1))
    assert float(jnp.max(seen)) < 1
    _low, high, decided = bounds(payoff, [0.0, 0.5], [1.0, 0.5])
    assert decided
    assert high >= 3 + 0.5 * (1 - place)
    away = [0.6, 0.5], [1.0, 0.5]
    assert bounds(payoff, *away)[1] < 1


def test_an_own_game_with_leaders_says_what_has_no_bound() -> None:
    game = rv.games.continuous(payoffs=["x1 * (1 - x1 - x2) - x1^4 / 10", "x2 * (1 - x1 - x2) - x2^4 / 10"])
    search = rv.transforms.Followers()
    leadership = rv.transforms.stackelberg(game, [0], lambda *given: search(*given))
    reason = "no bound: payoffs contain a function with a rule of its own, of which no bounds are known"
    assert reason in rv.certificate(leadership, np.array([[0.45]])).method
    with pytest.raises(ValueError, match=reason):
        rv.all_equilibria(leadership)

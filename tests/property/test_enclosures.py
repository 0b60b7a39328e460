"""Random programs in interval arithmetic: where a bound is known, every value is a number within it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rivalry.proofs.arithmetic.enclosure import enclose, enclosed
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.stop_gradients import shifted

pytestmark = pytest.mark.slow


ONE: list[Callable[[Any], Any]] = [
    jnp.negative,
    jnp.abs,
    jnp.exp,
    jnp.log,
    jnp.log1p,
    jnp.sqrt,
    jnp.square,
    jnp.tanh,
    jnp.sin,
    jnp.arctan,
    jnp.sign,
    jax.nn.sigmoid,
    jax.nn.softplus,
    jax.lax.stop_gradient,
    jnp.nan_to_num,
    lambda a: a**-2,
    lambda a: a**3,
    lambda a: jnp.where(jnp.isnan(a), 7.0, a),
    lambda a: jnp.where(jnp.isfinite(a), a, -3.0),
    lambda a: jnp.where(a > 0, jnp.log(jnp.where(a > 0, a, 1.0)), -jnp.inf),
    lambda a: jnp.where(a != 0, jnp.tanh(1 / jnp.where(a != 0, a, 1.0)), 0.0),
]
TWO: list[Callable[[Any, Any], Any]] = [
    jnp.add,
    jnp.subtract,
    jnp.multiply,
    jnp.divide,
    jnp.maximum,
    jnp.minimum,
    jnp.logaddexp,
    jnp.power,
    jnp.hypot,
    lambda a, b: jnp.where(a > b, a, b),
    lambda a, b: jnp.where(a < b, a, 0.5),
    lambda a, b: jnp.where(a >= b, a - b, b / a),
    lambda a, b: jax.nn.softmax(jnp.stack([a, b, a * b]))[0],
    lambda a, b: jax.nn.logsumexp(jnp.stack([a, b])),
    lambda a, b: (jnp.stack([a, b]) / jnp.sum(jnp.stack([a, b])))[1],
    lambda a, b: jnp.abs(a) / (jnp.abs(a) + jnp.abs(b)),
    lambda a, b: jnp.sum(jnp.stack([a, b, -a])),
    lambda a, b: jnp.dot(jnp.stack([a, b]), jnp.stack([b, a])),
    lambda a, b: jnp.cumsum(jnp.stack([a, b]))[1],
    lambda a, b: jnp.fmod(a, b),
]
# no exponential of numbers made of these overflows at once: of overflow nothing is said
ENDS = np.array([-2.0, -1.0, -0.3, 0.0, 1e-9, 0.25, 1.0, 3.0])


def program(rng: np.random.Generator) -> Callable[[Any], Any]:
    """Return a function of two numbers made of a few random operations."""
    steps = [(int(rng.integers(len(ONE) + len(TWO))), *rng.integers(0, 99, size=2)) for _ in range(7)]

    def run(x: Any) -> Any:
        values = [x[0], x[1], x[0] * 0.5 + 0.25]
        for which, a, b in steps:
            one, other = values[-1 - a % min(len(values), 4)], values[b % len(values)]
            values.append(ONE[which](one) if which < len(ONE) else TWO[which - len(ONE)](one, other))
        return values[-1]

    return run


def inside(low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return points of a box: its corners, zeros and ones where they are in it, and random ones."""
    special = [
        np.unique(np.clip([a, b, 0.0, 1.0, (a + b) / 2], a, b)) for a, b in zip(low, high, strict=True)
    ]
    grid = np.stack(np.meshgrid(*special), axis=-1).reshape(-1, 2)
    return np.concatenate([grid, low + (high - low) * rng.random((60, 2))])


@pytest.mark.parametrize(
    "seed", [326, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(20))]
)
def test_known_bounds_hold_and_exclude_undefined_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    known = undefined = 0
    for _ in range(40):
        function = program(rng)
        low, high = rng.choice(ENDS, size=(2, 2))
        low, high = np.minimum(low, high), np.maximum(low, high)
        points = inside(low, high, rng)
        values = np.asarray(jax.vmap(function)(jnp.asarray(points)))
        mid = jnp.asarray((low + high) / 2)
        box = Interval(jnp.asarray(low), jnp.asarray(high))
        own = shifted(function, mid)
        (plain,), _ = enclose(function, mid)(box)
        held = enclosed(own, (), Interval(low[None], high[None]))
        fixed = held.values[0].at_ends(lambda end: end[0])
        for found, finite in ((plain, True), (fixed, bool(held.finite[0]))):
            if not finite or np.isnan(found.low):
                undefined += 1
                continue
            known += 1
            assert not np.any(np.isnan(values)), (low, high)
            assert np.all((values >= found.low) & (values <= found.high)), (low, high)
    assert known > 20
    assert undefined > 5

"""Rodas5P against a nonlinear equation and a stiff one with known solutions."""

import diffrax
import numpy as np
import pytest

from rivalry.methods.dynamics.rosenbrock import Rodas5P
from rivalry.runtime.jax import jax, jnp

pytestmark = pytest.mark.slow


def _step(y: jax.Array, length: jax.Array, rate: jax.Array) -> tuple[jax.Array, jax.Array]:
    """``z' = rate z (1 - z)`` of a complex number, as two coupled equations."""

    def field(time: object, y: jax.Array, rate: jax.Array) -> jax.Array:
        a, b = y[:, 0]
        return rate * jnp.stack([a - a**2 + b**2, b - 2 * a * b])[:, None]

    term = diffrax.ODETerm(field)
    return Rodas5P().step(term, 0.0, length, y, rate, None, False)[:2]


step = jax.jit(_step)
START = 0.3 + 0.4j


def run(length: float, steps: int, rate: float = 1.0, start: complex = START) -> tuple[complex, complex]:
    """Return the solution after some steps, and the estimate of the last step's error."""
    y = error = jnp.array([[start.real], [start.imag]])
    for _ in range(steps):
        y, error = step(y, jnp.asarray(length), jnp.asarray(rate))
    return complex(y[0, 0], y[1, 0]), complex(error[0, 0], error[1, 0])


def exact(time: float) -> complex:
    return complex(1 / (1 + (1 / START - 1) * np.exp(-time)))


def test_errors_fall_with_the_fifth_power_of_the_step() -> None:
    errors = [abs(run(1 / steps, steps)[0] - exact(1.0)) for steps in (4, 8, 16)]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert np.all(np.abs(orders - 5) < 0.3), orders


def test_the_estimate_exceeds_the_error_and_falls_with_the_fifth_power() -> None:
    lengths = (0.2, 0.1, 0.05)
    estimates = [abs(run(length, 1)[1]) for length in lengths]
    errors = [abs(run(length, 1)[0] - exact(length)) for length in lengths]
    assert np.all(np.array(estimates) > errors)
    orders = np.log2(np.divide(estimates[:-1], estimates[1:]))
    assert np.all(np.abs(orders - 5) < 0.3), orders


def test_fast_motion_is_at_rest_after_few_long_steps() -> None:
    assert abs(run(1.0, 3, rate=1e7, start=1 + 1e-4 + 1e-4j)[0] - 1.0) < 1e-12

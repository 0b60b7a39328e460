"""Step sizes: values against the formula, and validation."""

import math
from typing import Any

import numpy as np
import pytest

from rivalry.methods.dynamics import step_sizes
from rivalry.runtime.jax import jax

FALLING = {"kind": "cosine", "min": 0.02, "max": 0.1, "steps": 250}


@pytest.mark.parametrize("step", [0, 1, 60, 125, 249, 250, 251, 400])
def test_cosine_decays_and_then_stays_constant(step: int) -> None:
    expected = 0.02 + 0.04 * (1 + math.cos(math.pi * min(step, 250) / 250))
    np.testing.assert_allclose(step_sizes.at(FALLING, step), expected, rtol=1e-13)
    np.testing.assert_allclose(jax.jit(lambda t: step_sizes.at(FALLING, t))(step), expected, rtol=1e-13)


def test_a_fixed_rate_is_one_number_or_one_per_player() -> None:
    assert float(step_sizes.at(1e-4, 77)) == 1e-4
    assert step_sizes.at([1e-4, 2e-4], 3).tolist() == [1e-4, 2e-4]


def test_last_is_the_limit() -> None:
    assert float(step_sizes.final_step_size(FALLING)) == float(step_sizes.at(FALLING, 10**9)) == 0.02
    assert step_sizes.final_step_size(0.3).tolist() == 0.3


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (0.0, "rate: 0.0 must be"),
        (-1, "rate: -1 must be"),
        (float("nan"), "rate: nan must be"),
        ([1e-4, float("inf")], "rate: inf must be"),
        ("fast", "rate: 'fast' must be"),
        (FALLING | {"min": 0.2}, "rate.min: 0.2 must not exceed rate.max = 0.1"),
        (FALLING | {"steps": 0}, "rate.steps: 0 must be at least 1"),
        (FALLING | {"steps": "many"}, "rate.steps: 'many' must be at least 1"),
        (FALLING | {"steps": float("nan")}, "rate.steps: nan must be at least 1"),
        (FALLING | {"min": [0.01, 0.2]}, "rate.min: [0.01, 0.2] must not exceed rate.max = 0.1"),
        (FALLING | {"T": 3}, "rate.T: is not known; cosine takes min, max, steps"),
        ({"kind": "cosine", "min": 0.2}, "rate.max: is missing"),
        ({"kind": "linear"}, "rate.kind: 'linear' must be 'cosine'"),
    ],
)
def test_wrong_rates_are_named(rate: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r"^rate") as caught:
        step_sizes.check(rate)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        ([0.1, 0.2, 0.3], "rate: 3 numbers must be 2, one per player"),
        ([0.1], "rate: 1 numbers must be 2, one per player"),
        (FALLING | {"min": [0.01] * 4}, "rate.min: 4 numbers must be 2, one per player"),
    ],
)
def test_lists_have_one_number_per_player(rate: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^{message}$"):
        step_sizes.check_players(rate, 2)

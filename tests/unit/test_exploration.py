"""Schedules of exploration: end points, monotonicity, and wrong input."""

from __future__ import annotations

import numpy as np
import pytest

from rivalry.methods.q_learning import exploration


def test_epsilon_falls_from_max_to_min() -> None:
    values = exploration.cosine_epsilon(0.1, 0.9, 50, np.arange(51))
    assert values[0] == pytest.approx(0.9)
    assert values[-1] == pytest.approx(0.1)
    assert np.all(np.diff(values) < 0)


def test_log_epsilon_starts_at_one_and_stays_within_bounds() -> None:
    values = exploration.log_epsilon(0.5, 0.2, 3, np.arange(10**6, step=997))
    assert values[0] == 1.0
    assert values.min() >= 0.2
    assert np.all(np.diff(values) <= 0)


def test_temperature_falls_from_the_middle_to_the_ends() -> None:
    values = exploration.temperature_at(0.5, 1.0, np.linspace(0.0, 1.0, 11))
    assert values[0] == 1.0
    assert values[-1] == pytest.approx(0.5)
    assert np.all(np.diff(values) < 0)
    np.testing.assert_allclose(values + values[::-1], 1.5, rtol=1e-14)  # a cosine


def test_lengths_of_epochs_increase() -> None:
    lengths = exploration.reverse_cosine_steps(10, 100, 1000, np.arange(1001))
    assert lengths[0] == 10
    assert lengths[-1] == 100
    assert lengths.dtype.kind == "i"
    assert np.all(np.diff(lengths) >= 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: exploration.cosine_epsilon(0.5, 0.3, 10, 0), "epsilon: min 0.5, max 0.3"),
        (lambda: exploration.cosine_epsilon(0.5, 1.3, 10, 0), "max 1.3"),
        (lambda: exploration.cosine_epsilon(0.5, 0.8, 0, 0), "steps: 0 must be a whole number of at least 1"),
        (lambda: exploration.log_epsilon(-1.0, 0.0, 2, 0), "scale: -1 must be above 0"),
        (lambda: exploration.temperature_at(0.0, 1.0, 0), "temperature.min: 0 must be above 0"),
        (lambda: exploration.temperature_at(1.5, 1.0, 0), "temperature: min 1.5, max 1 must keep"),
        (lambda: exploration.reverse_cosine_steps(0, 10, 5, 0), "steps.min: 0"),
    ],
)
def test_wrong_input(call, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()

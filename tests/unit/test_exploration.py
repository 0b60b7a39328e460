"""Temperatures over a grid and lengths of epochs: end points, monotonicity, and wrong input."""

import numpy as np
import pytest

from rivalry.methods.q_learning import exploration


def test_temperature_falls_from_the_middle_to_the_ends() -> None:
    values = exploration.temperature_at(0.5, 1.0, np.linspace(0.0, 1.0, 11))
    assert values[0] == 1.0
    assert values[-1] == pytest.approx(0.5)
    assert np.all(np.diff(values) < 0)
    np.testing.assert_allclose(values + values[::-1], 1.5, rtol=1e-14)  # a cosine


def test_lengths_of_epochs_increase() -> None:
    lengths = exploration.reverse_cosine_steps(10, 100, 1000, np.arange(1001))
    assert (lengths[0], lengths[-1], lengths.dtype.kind) == (10, 100, "i")
    assert np.all(np.diff(lengths) >= 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: exploration.reverse_cosine_steps(0, 10, 5, 0), "episodes.min: 0"),
        (lambda: exploration.reverse_cosine_steps(9, 3, 5, 0), "episodes.min: 9 must not exceed"),
    ],
)
def test_wrong_input(call, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()

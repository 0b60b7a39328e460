"""Zeros of functions of one number, and the one line where there is none."""

import math
from collections.abc import Callable

import pytest

from rivalry.core.roots import NoZeroError, zero


@pytest.mark.parametrize(
    ("function", "root"),
    [(lambda x: x**3 - 2, 2 ** (1 / 3)), (lambda x: x**9, 0.0), (lambda x: math.copysign(1.0, x - 0.3), 0.3)],
)
def test_zeros_are_located_at_flat_parts_and_jumps(function: Callable[[float], float], root: float) -> None:
    assert zero(function, -1.0, 2.0, "x") == pytest.approx(root, abs=1e-9)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + 5,
        lambda x: math.nan,
        lambda x: math.nan if 0.1 < x < 1.9 else x - 1,
        lambda x: math.sqrt(2),
    ],
)
def test_without_a_zero_there_is_one_line(function: Callable[[float], float]) -> None:
    with pytest.raises(NoZeroError, match=r"^price: no zero was located between 0 and 2$"):
        zero(function, 0.0, 2.0, "price")


def test_errors_of_the_function_pass() -> None:
    def function(x: float) -> float:
        if 0 < x < 2:
            raise KeyError("inside")
        return x - 1

    with pytest.raises(KeyError, match="inside"):
        zero(function, 0.0, 2.0, "price")

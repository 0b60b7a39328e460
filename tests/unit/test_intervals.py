"""Confidence intervals of means against SciPy's Student distribution, and intervals of shares."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import sem, t

from rivalry.plots.select import band
from rivalry.text.statistics import format_interval, half_width, half_width_of, share_interval


@pytest.mark.parametrize("count", [2, 3, 30])
def test_intervals_of_independent_runs_match_scipy(count: int) -> None:
    each = np.random.default_rng(0).normal(size=(count, 2, 3))
    low, high = t.interval(0.95, count - 1, loc=each.mean(axis=0), scale=sem(each, axis=0))
    assert half_width(each) == pytest.approx((high - low) / 2, rel=1e-12)
    counts = np.full((2, 3), count)
    assert half_width_of(each.std(axis=0, ddof=1), counts) == pytest.approx((high - low) / 2, rel=1e-12)


def test_figures_and_tables_use_the_same_interval() -> None:
    each = np.random.default_rng(1).normal(size=(4, 5))
    assert band(each)[1].tolist() == half_width(each).tolist()


def test_the_interval_of_one_run_is_nan() -> None:
    assert np.isnan(half_width(np.ones((1, 2)))).tolist() == [True, True]


def test_the_half_width_of_one_value_per_run_is_a_scalar() -> None:
    assert half_width(np.array([1.0, 3.0])).shape == ()


@pytest.mark.parametrize("count", [1, 3, 6, 40, 1000, 100_003])
def test_share_intervals_of_zero_and_one_end_there(count: int) -> None:
    low, high = share_interval(0, count)
    assert low == 0.0 < high < 1.0
    low, high = share_interval(count, count)
    assert 0.0 < low < high == 1.0


@given(st.floats(-1e12, 1e12, allow_subnormal=False), st.floats(-4, 3).map(lambda power: 10.0**power))
def test_a_mean_has_no_digit_beyond_its_interval(mean: float, share: float) -> None:
    """Two digits of half the width, and the mean to the same place; read back with decimals of their own."""
    half = share * max(abs(mean), 1e-6)
    value, width = map(Decimal, format_interval(mean, half).split(" ± "))
    place = Decimal(10) ** (width.adjusted() - 1)  # of the second digit
    assert width % place == value % place == 0
    assert abs(width - Decimal(half)) <= place * Decimal("0.5000001")
    assert abs(value - Decimal(mean)) <= place * Decimal("0.5000001") + abs(Decimal(mean)) * Decimal("1e-6")
    assert not str(value).startswith("-0.0") or value < 0


@pytest.mark.parametrize(
    ("mean", "half", "words"),
    [
        (975849.0, 101477.0, "980000 ± 100000"),
        (221812.0, 853.0, "221810 ± 850"),
        (12.0, 9.96, "12 ± 10"),
        (1.234, 0.0996, "1.23 ± 0.10"),
        (-0.001, 0.5, "0.00 ± 0.50"),
    ],
)
def test_both_numbers_of_an_interval_end_at_the_same_place(mean: float, half: float, words: str) -> None:
    assert format_interval(mean, half) == words

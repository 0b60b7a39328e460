"""Confidence intervals of means against SciPy's Student distribution, and intervals of shares."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import sem, t

from rivalry.plots.select import band
from rivalry.text.statistics import half_width, half_width_of, share_interval


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

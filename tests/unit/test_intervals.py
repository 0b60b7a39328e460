"""Intervals of means against SciPy's normal distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, sem

from rivalry.intervals import half_width, share_interval


def test_of_independent_runs_it_is_the_normal_interval() -> None:
    each = np.random.default_rng(0).normal(size=(30, 2, 3))
    low, high = norm.interval(0.95, loc=each.mean(axis=0), scale=sem(each, axis=0))
    assert half_width(each) == pytest.approx((high - low) / 2, rel=1e-14)


def test_of_one_run_it_is_unknown() -> None:
    assert np.isnan(half_width(np.ones((1, 2)))).tolist() == [True, True]


def test_of_values_by_run_alone_it_is_one_number() -> None:
    assert half_width(np.array([1.0, 3.0])).shape == ()


@pytest.mark.parametrize("count", [1, 3, 6, 40, 1000, 100_003])
def test_what_never_or_always_came_true_has_its_bound_there(count: int) -> None:
    low, high = share_interval(0, count)
    assert low == 0.0 < high < 1.0
    low, high = share_interval(count, count)
    assert 0.0 < low < high == 1.0

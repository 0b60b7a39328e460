"""Whether estimates differ, by 95 % intervals of differences, paired where possible."""

from __future__ import annotations

import numpy as np

from rivalry.results.table import Estimate
from rivalry.text.statistics import half_width

VISIBLE = 5e-5  # smaller relative differences are not seen in four digits


def differ(a: Estimate, b: Estimate) -> bool:
    """True for two numbers that differ: the 95 % interval of their difference excludes 0.

    The numbers are independent unless both are means over the same draws, which are compared in pairs.
    Numbers that are printed alike do not differ; nor does a number whose noise is unknown.

    >>> differ(Estimate("", 1.0, 0.9, 1.1), Estimate("", 1.3, 1.1, 1.5))
    True
    >>> differ(Estimate("", 1.0, 0.8, 1.2), Estimate("", 1.2, 1.0, 1.4))
    False
    """
    low, high = (a, b) if a.mean <= b.mean else (b, a)
    margin = paired_margin(low, high)
    if margin is None:
        margin = np.hypot(high.mean - high.low, low.high - low.mean)  # NaN where a noise is unknown
    visible = max(abs(low.mean), abs(high.mean)) * VISIBLE
    return bool(high.mean - low.mean > margin and high.mean - low.mean > visible)


def paired_margin(a: Estimate, b: Estimate) -> float | None:
    """Return half the width of the 95 % interval of the mean difference; None without the same draws."""
    draws_a, draws_b = a.draws, b.draws
    if draws_a is None or draws_b is None or draws_a.noun != draws_b.noun or len(draws_a.values) < 2:
        return None
    if not np.array_equal(draws_a.labels, draws_b.labels):
        return None
    return float(half_width(draws_b.values - draws_a.values))

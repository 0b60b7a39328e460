"""95 % confidence intervals: Student's t for means of independent runs, Wilson's for shares."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

AGREED = 7  # digits to which methods agree: numbers that do are printed alike, also at half a unit
CERTAIN = 5e-5  # of a mean: narrower intervals are invisible in four digits


def half_width(samples: ndarray) -> ndarray:
    """Return half the width of the 95 % interval of a mean over runs, in the unit of the values.

    It is ``t s / sqrt(n)`` for ``n`` runs with standard deviation ``s``, where ``t`` is the 97.5 % quantile
    of Student's t distribution with ``n - 1`` degrees of freedom, and NaN for one run.

    Parameters
    ----------
    samples : ndarray
        Values ``[run ...]``.

    Returns
    -------
    ndarray
        Half-widths ``[...]``.

    Examples
    --------
    >>> half_width(np.array([[1.0, 5.0], [3.0, 5.0]])).round(3)
    array([12.706,  0.   ])
    """
    if len(samples) < 2:
        return np.full(samples.shape[1:], np.nan)
    return half_width_of(samples.std(axis=0, ddof=1), len(samples))


def without_padding(values: ndarray) -> ndarray:
    """Return numbers of a run's dataset as floats, NaN in place of the -1 that pads integers.

    >>> without_padding(np.array([3, -1])).tolist(), without_padding(np.array([-1.0])).tolist()
    ([3.0, nan], [-1.0])
    """
    return np.where(values == -1, np.nan, values) if values.dtype.kind == "i" else values.astype(float)


def half_width_of(
    deviation: ndarray | np.floating | float, count: int | ndarray, candidates: int | ndarray = 1
) -> ndarray:
    """Return the `half_width` from standard deviations and numbers of runs; NaN for one run.

    Of the largest of several ``candidates`` it is wider, by Bonferroni's inequality.

    >>> half_width_of(np.array([1.0, 1.0]), np.array([9, 1])).round(3)
    array([0.769,   nan])
    """
    from scipy.special import stdtrit  # takes 0.1 s to import

    runs = np.asarray(count, float)
    return np.asarray(stdtrit(runs - 1, 1 - 0.025 / candidates) * deviation / np.sqrt(runs))


def jackknife_error(estimate: float | ndarray, without: ndarray, candidates: int | ndarray = 1) -> ndarray:
    """Return half the width of the 95 % interval of a statistic of all batches, which holds its bias too.

    Parameters
    ----------
    estimate : ndarray
        The statistic of all batches, ``[...]``.
    without : ndarray
        The statistic without each of them, ``[batch ...]``.
    candidates : int or ndarray
        Numbers of statistics of which each was chosen as the largest.

    References
    ----------
    Miller, "The jackknife: a review", Biometrika 1974, equations 1.1 and 1.3.

    Examples
    --------
    >>> each = np.array([1.0, 3.0, 5.0])
    >>> of_mean = jackknife_error(each.mean(), np.array([4.0, 3.0, 2.0]))
    >>> bool(np.isclose(of_mean, half_width(each)))
    True
    """
    count = len(without)
    pseudovalues = count * estimate - (count - 1) * without
    width = half_width_of(pseudovalues.std(axis=0, ddof=1), count, candidates)
    return np.asarray(width + np.abs(pseudovalues.mean(axis=0) - estimate))


def rank_correlation(x: ndarray, y: ndarray) -> float:
    """Return Spearman's rank correlation of known pairs; NaN where one of both is constant.

    >>> rank_correlation(np.array([1.0, 2.0, 4.0, np.nan]), np.array([10.0, 30.0, 20.0, 0.0]))
    0.5
    """
    from scipy.stats import rankdata  # takes up to a second to import

    finite = np.isfinite(x) & np.isfinite(y)
    ranks = np.array([rankdata(values[finite]) for values in (x, y)])
    if finite.sum() < 2 or not np.ptp(ranks, axis=1).all():
        return float("nan")
    return float(np.corrcoef(ranks)[0, 1].round(12))


def share_interval(times: int, count: int) -> ndarray:
    """Return Wilson's 95 % interval ``[low, high]`` of a probability from ``times`` successes in ``count``.

    Without trials it is NaN.

    >>> share_interval(3, 100).round(4).tolist(), share_interval(0, 40).round(4).tolist()
    ([0.0103, 0.0845], [0.0, 0.0876])
    """
    if count < 1:
        return np.full(2, np.nan)
    from scipy.stats import binomtest  # takes up to a second to import

    return np.array(binomtest(times, count).proportion_ci(method="wilson"))


def format_interval(mean: float, half: float) -> str:
    """Return a mean and half the width of its interval as text, both to the second digit of the half-width.

    Without a visible, finite half-width, only the mean is given.

    >>> format_interval(0.84868, 0.0226), format_interval(221812.0, 853.0), format_interval(0.49736, 0.0)
    ('0.849 ± 0.023', '221810 ± 850', '0.4974')
    >>> format_interval(1012.5 - 1e-6, 0.0) == format_interval(1012.5 + 1e-6, 0.0)  # of two methods
    True
    """
    mean = float(f"{mean:.{AGREED}g}")
    if not CERTAIN * abs(mean) < half < np.inf:
        return f"{mean:.4g}" if abs(mean) < 1e4 else f"{mean:.0f}"
    digits, _, power = f"{half:.1e}".partition("e")
    half, places = float(f"{digits}e{power}"), 1 - int(power)
    value = round(mean, places) + 0.0  # no minus zero
    return f"{value:.{max(places, 0)}f} ± {half:.{max(places, 0)}f}"


def format_chance(mean: float, half: float) -> str:
    """Return the mean of a probability as text, with the ends of its interval where one would leave [0, 1].

    >>> format_chance(0.5, 0.1), format_chance(0.06, 0.073), format_chance(0.94, 0.073)
    ('0.50 ± 0.10', '0.060 (0 to 0.133)', '0.940 (0.867 to 1)')
    """
    text = format_interval(mean, half)
    if "±" not in text or half <= min(mean, 1.0 - mean):
        return text
    middle, _, width = text.partition(" ± ")
    places = len(width.partition(".")[2])
    ends = (max(mean - half, 0.0), min(mean + half, 1.0))
    low, high = (f"{end:.0f}" if end in (0.0, 1.0) else f"{end:.{places}f}" for end in ends)
    return f"{middle} ({low} to {high})"

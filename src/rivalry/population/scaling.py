"""How bids grow with karma: the law of scales, and whether bids rise less than in proportion.

Karma has no other use, so where all of it is multiplied by ``a`` bids should be, too: ``b(u, a k; a m, a n)
= a b(u, k; m, n)``, where ``m`` is the mean and ``n`` the largest karma. If besides bids rise with ``m``,
then ``b(u, a k; m) = a b(u, k; m/a) <= a b(u, k; m)`` for ``a > 1``: they are sublinear in the own karma.
Both are statements on continuous karma; whole bids keep them to about half a unit.

Source: Vaishampayan (ETH Zurich 2024), appendix B.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Gap(NamedTuple):
    """How far two economies are from being one at different scales, in units of karma of the smaller."""

    max: float
    mean: float
    factor: int  # of the scales
    gaps: np.ndarray  # [private karma], of the smaller economy's states


def scaling_gap(bids: object, larger: object) -> Gap:
    """``|b(u, a k; larger)/a - b(u, k)|`` of the mean bids ``[.. karma]`` of two economies.

    The factor ``a`` is that of the largest amounts of karma, a whole number. Raises `ValueError` where it is
    none, or the economies differ in private states.

    >>> scaling_gap([[0.0, 1.0, 1.5]], [[0.0, 0.0, 2.0, 3.0, 4.0]])[:3]
    (0.5, 0.16666666666666666, 2)
    """
    small, large = _bids("bids", bids), _bids("larger", larger)
    factor, left = divmod(large.shape[-1] - 1, small.shape[-1] - 1)
    if left or factor < 1:
        raise ValueError(
            f"larger: karma up to {large.shape[-1] - 1} must be a whole multiple of {small.shape[-1] - 1}"
        )
    if large.shape[:-1] != small.shape[:-1]:
        raise ValueError(f"larger: private states {large.shape[:-1]} must be {small.shape[:-1]}")
    gaps = np.abs(large[..., ::factor] / factor - small)
    return Gap(float(gaps.max()), float(gaps.mean()), factor, gaps)


class Growth(NamedTuple):
    """By how much bids break the premise and the conclusion of the lemma at most, in units of karma."""

    falls: float  # the largest fall of a mean bid from one mean karma to a larger one
    exceeds: float  # the largest b(u, a k) - a b(u, k), a = 2, 3, ..
    monotone: bool  # within the slack
    sublinear: bool


def sublinearity(bids: object, means: object, slack: float = 0.5) -> Growth:
    """Whether mean bids ``[economy .. karma]`` rise with the mean karma, and less than the own (lemma A.1).

    The economies differ in ``means`` alone, which rise. ``slack`` is how far whole bids may be from those of
    continuous karma: two of them may make a fall of twice that, and an excess of ``1 + a`` times that. More
    breaks the premise or the conclusion. Raises `ValueError` for mean karma that does not rise.

    >>> sublinearity([[0.0, 1.0, 1.5, 2.0], [0.0, 1.0, 2.0, 2.5]], [1.0, 2.0])
    Growth(falls=0.0, exceeds=0.0, monotone=True, sublinear=True)
    """
    table, means = _bids("bids", bids), np.asarray(means, dtype=float)
    if means.shape != table.shape[:1] or np.any(np.diff(means) <= 0):
        raise ValueError(f"means: {means.tolist()} must rise, one for each of {len(table)} economies")
    falls = float(np.max(table[:-1] - table[1:], initial=0.0))
    exceeds, worst = 0.0, 0.0
    for factor in range(2, table.shape[-1]):
        scaled = table[..., ::factor]
        over = float(np.max(scaled - factor * table[..., : scaled.shape[-1]], initial=0.0))
        exceeds, worst = max(exceeds, over), max(worst, over / (1 + factor))
    return Growth(falls, exceeds, falls <= 2 * slack, worst <= slack)


def _bids(name: str, given: object) -> np.ndarray:
    table = np.asarray(given, dtype=float)
    if table.ndim < 1 or table.shape[-1] < 2 or not np.all((table >= 0) & np.isfinite(table)):
        raise ValueError(f"{name}: shape {table.shape} must be numbers of at least 0, for karma 0, 1, ..")
    return table

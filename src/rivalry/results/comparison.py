"""Differences of estimates, and the best case, by 95 % intervals of differences, paired where possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from rivalry.results.table import Estimate
from rivalry.text.statistics import format_interval, half_width

VISIBLE = 5e-5  # smaller relative differences are not seen in four digits

Case = Mapping[object, Estimate]
"""Estimates of a case by place: a value of a key, a player, or the only one."""


class Ranking(NamedTuple):
    """Numbers of cases by their estimates, each group from the best on.

    Attributes
    ----------
    best : list of int
        The best case, and those with equal numbers.
    unclear : list of int
        Cases that cannot be told from it.
    worse : list of int
        Cases that are significantly worse, or as good at some places and worse at others.
    """

    best: list[int]
    unclear: list[int]
    worse: list[int]

    @property
    def is_clear(self) -> bool:
        """True if the best cases are better than all others, of which there are some."""
        return bool(self.worse) and not self.unclear


def rank(cases: Sequence[Case], better: str = "higher", *, crossed: bool = False) -> Ranking:
    """Return the best cases, those that cannot be told from them, and the worse ones.

    Two cases are compared at the places that both have; with ``crossed`` every place of one with every place
    of the other. An estimate whose noise is unknown is never better than another.

    Examples
    --------
    >>> near, far = Estimate("2", 2.0, 1.5, 2.5), Estimate("0", 0.0, -0.5, 0.5)
    >>> rank([{0: far}, {0: near}, {0: near._replace(text="2.1", mean=2.1)}])
    Ranking(best=[2], unclear=[1], worse=[0])
    """
    sign = 1 if better == "higher" else -1
    shared = [at for at in cases[0] if all(at in case for case in cases)]
    means = [sign * float(np.mean([case[at].mean for at in shared or case])) for case in cases]
    order = sorted(range(len(cases)), key=lambda k: -means[k])

    def leads(first: int, second: int) -> bool:
        return _is_better(_pairs(cases[first], cases[second], crossed), sign)

    # without common places, means say nothing of the order
    top = next((k for k in order if all(leads(k, j) for j in order if j != k)), order[0])
    ranking = Ranking([top], [], [])
    for k in order:
        if k == top:
            continue
        if leads(top, k):
            ranking.worse.append(k)
        elif _are_same(_pairs(cases[top], cases[k], crossed)):
            ranking.best.append(k)
        else:
            ranking.unclear.append(k)
    return ranking


def _pairs(first: Case, second: Case, crossed: bool) -> list[tuple[Estimate, Estimate]]:
    """Pairs of estimates of two cases that are compared."""
    if crossed:
        return list(product(first.values(), second.values()))
    return [(estimate, second[at]) for at, estimate in first.items() if at in second]


def _is_better(pairs: Sequence[tuple[Estimate, Estimate]], sign: int) -> bool:
    """True if the first of two cases is better somewhere, and nowhere else than better or the same."""
    is_above = [sign * a.mean > sign * b.mean and differ(a, b) for a, b in pairs]
    remaining = [pair for pair, above in zip(pairs, is_above, strict=True) if not above]
    return any(is_above) and (not remaining or _are_same(remaining))


def _are_same(pairs: Sequence[tuple[Estimate, Estimate]]) -> bool:
    """True for numbers that are printed alike and do not differ."""
    return bool(pairs) and all(a.text == b.text and not differ(a, b) for a, b in pairs)


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


def same_draws(pairs: Sequence[tuple[Estimate, Estimate]]) -> str:
    """Return in which same draws numbers are compared; empty where some have draws of their own."""
    if not pairs or any(paired_margin(*pair) is None for pair in pairs):
        return ""
    return f"in the same {draws.noun}" if (draws := pairs[0][0].draws) else ""


def difference_in_words(a: Estimate, b: Estimate) -> str:
    """Return by how much two numbers differ, with its interval and in which same draws."""
    margin = paired_margin(a, b)
    half = float(np.hypot(a.high - a.mean, b.high - b.mean)) if margin is None else margin
    draws = same_draws([(a, b)]) if half else ""
    return format_interval(abs(a.mean - b.mean), half) + f" {draws}" * bool(draws)


def excess_in_words(a: Estimate, b: Estimate, ways: tuple[str, str] = ("lower", "higher")) -> str:
    """Return by how much the first number lies above or below the second, and in which same draws.

    >>> excess_in_words(Estimate("", 1.0, 1.0, 1.0), Estimate("", 1.5, 1.5, 1.5))
    '0.5 lower'
    """
    number, shared, draws = difference_in_words(a, b).partition(" in the same ")
    return f"{number} {ways[a.mean > b.mean]}{shared}{draws}"

"""Which numbers of a column differ: common letters, and differences from one of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from string import ascii_lowercase

import numpy as np
from numpy import ndarray

from rivalry.results.comparison import differ, paired_margin
from rivalry.results.table import EMPTY, Estimate
from rivalry.text.statistics import format_interval

LETTERS = "means with a common letter do not differ significantly (pairs at 95 %, not corrected)"


def letters(entries: Sequence[Estimate]) -> list[str]:
    """Return letters of estimates, of which any two have a common one unless they differ.

    Two of them differ where the 95 % interval of their difference excludes 0, in pairs where their draws are
    the same (`rivalry.results.comparison.differ`). The largest mean has an ``a``. Words and numbers of
    unknown noise have no letter; nor has any number where nothing is random or nothing differs, or of more
    than 26. Ranges over starts are no intervals.

    Examples
    --------
    >>> means = (0.4, 0.5, 0.8)
    >>> letters([Estimate("", mean, mean - 0.1, mean + 0.1) for mean in means])
    ['b', 'b', 'a']
    """
    numbers = [k for k, entry in enumerate(entries) if np.isfinite([entry.mean, entry.low, entry.high]).all()]
    texts = [""] * len(entries)
    if len(numbers) > len(ascii_lowercase) or all(entries[k].is_exact for k in numbers):
        return texts
    numbers.sort(key=lambda k: -entries[k].mean)
    differs = np.zeros((len(numbers), len(numbers)), bool)
    for i, j in combinations(range(len(numbers)), 2):
        differs[i, j] = differ(entries[numbers[i]], entries[numbers[j]])
    if differs.any():
        for k, text in zip(numbers, compact_letters(differs | differs.T), strict=True):
            texts[k] = text
    return texts


def compact_letters(differs: ndarray) -> list[str]:
    """Return letters of items, of which two have a common one if and only if they do not differ.

    Every letter is that of a largest group in which nothing ``differs [item item]``, a symmetric relation,
    False on the diagonal. Where that takes more letters than there are, all texts are empty.

    Examples
    --------
    >>> compact_letters(np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], bool))
    ['a', 'ab', 'b']

    References
    ----------
    Piepho, "An algorithm for a letter-based representation of all-pairwise comparisons", Journal of
    Computational and Graphical Statistics 13, 2004: insert and absorb.
    """
    groups, texts = [frozenset(range(len(differs)))], [""] * len(differs)
    for i, j in np.argwhere(np.triu(differs)).tolist():
        split: list[frozenset[int]] = []
        for group in groups:
            split += [group - {i}, group - {j}] if {i, j} <= group else [group]
        groups = [group for group in {*split} if not any(group < further for further in split)]
        if len(groups) > len(ascii_lowercase):
            return texts
    for letter, group in zip(ascii_lowercase, sorted(groups, key=sorted), strict=False):
        for k in group:
            texts[k] += letter
    return texts


def letter_columns(columns: Mapping[str, Sequence[Estimate]]) -> tuple[dict[str, list[Estimate]], list[str]]:
    """Return columns of estimates with `letters` in their texts, and what these mean where there are any.

    >>> column = [Estimate("1 ± 0.1", 1.0, 0.9, 1.1), Estimate("2 ± 0.1", 2.0, 1.9, 2.1), Estimate("-")]
    >>> columns, _ = letter_columns({"gain": column})
    >>> [entry.text for entry in columns["gain"]]
    ['1 ± 0.1 b', '2 ± 0.1 a', '-']
    """
    lettered, notes = dict[str, list[Estimate]](), list[str]()
    for name, entries in columns.items():
        marks = letters(entries)
        pairs = zip(entries, marks, strict=True)
        lettered[name] = [entry._replace(text=f"{entry.text} {mark}".rstrip()) for entry, mark in pairs]
        notes = [LETTERS] if any(marks) else notes
    return lettered, notes


def difference_column(entries: Sequence[Estimate], row: int) -> list[Estimate]:
    """Return differences from the estimate of one row, whose own is empty, with 95 % intervals.

    Intervals are those of paired differences where draws are the same, else Newcombe's from both intervals.
    The text is ``=`` where an interval holds 0. Of numbers of unknown noise there is no difference.

    Examples
    --------
    >>> column = [Estimate("", 1.0, 0.9, 1.1), Estimate("", 1.1, 1.0, 1.2), Estimate("", 2.0, 1.9, 2.1)]
    >>> [entry.text for entry in difference_column(column, 0)]
    ['', '=', '1.00 ± 0.14']

    References
    ----------
    Newcombe, "Interval estimation for the difference between independent proportions", Statistics in
    Medicine 17, 1998, method 10.
    """
    base, column = entries[row], [EMPTY] * len(entries)
    for k, entry in enumerate(entries):
        margin, change = paired_margin(base, entry), entry.mean - base.mean
        below = np.hypot(entry.mean - entry.low, base.high - base.mean) if margin is None else margin
        above = np.hypot(entry.high - entry.mean, base.mean - base.low) if margin is None else margin
        if k == row or not np.isfinite([change, below, above]).all():
            continue
        ends = float(change - below), float(change + above)
        if change == 0 or not differ(base, entry):
            text = "="
        elif np.isclose(below, above):
            text = format_interval(change, float(below))
        else:
            text = f"{change:.2f} ({ends[0]:.2f} to {ends[1]:.2f})"
        column[k] = Estimate(text, change, *ends)
    return column

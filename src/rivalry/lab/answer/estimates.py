"""Numbers of a quantity at one point: means with 95 % intervals, as numbers and as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.results import is_truth
from rivalry.lab.dimensions import SESSIONS, entries_of, own_dims
from rivalry.results.table import UNKNOWN, ZERO, Draws, Estimate, around, number_in_words
from rivalry.text.statistics import (
    format_chance,
    half_width,
    share_interval,
    without_padding,
)

if TYPE_CHECKING:
    from xarray import DataArray

ENTRIES = 4  # values of the longest quantity that is printed
FEWEST = 5  # converged sessions that an interval or a verdict needs
EQUAL = 1e-9  # of the largest: numbers that differ less are one


class SampleFacts(NamedTuple):
    """How the results of a quantity at one point came about: what intervals and digits depend on."""

    repeats: str  # what the results are: replications, starts or empty for one
    random: bool  # whether a single result depends on random draws
    scale: float = 0.0  # what the quantity is measured in: far smaller numbers are rounding errors of 0
    few: bool = False  # whether so few results converged that values stand in place of an interval
    seeds: ndarray | None = None  # numbers of the seeds, where other methods and points have the same
    range_of_search: tuple[float, float] | None = None  # values tried: infinite ones are beyond; or None


def estimates(
    variable: DataArray,
    values: ndarray,
    sample: SampleFacts,
    half: ndarray | None = None,
    most: int = ENTRIES,
) -> tuple[Estimate, ...]:
    """Return a quantity's numbers, one per entry, of ``values [result own ...]``; none of more than ``most``.

    Entries that are equal in every result, as of equal players, share one estimate. Where a single result is
    itself a mean, ``half [own ...]`` is half the width of its interval.
    """
    dims = own_dims(variable, values)
    if values.dtype.kind == "U":
        texts = [str(word).replace("_", " ") for word in values.ravel() if word]
        return (Estimate(counted(Counter(texts))),) if texts and not dims else ()
    amounts = without_padding(values)
    for dim in [dim for dim in dims if dim in SESSIONS]:  # each session is a result
        axis = 1 + dims.index(dim)
        amounts = np.moveaxis(amounts, axis, 1).reshape(-1, *np.delete(amounts.shape, [0, axis]))
        dims.remove(dim)
        sample = sample._replace(repeats=f"{dim}s")
    rows = amounts.reshape(len(amounts), -1)  # [result entry]
    has_number, filled = ~np.isnan(rows).all(axis=1), ~np.isnan(rows).all(axis=0)
    labels = _labels_of_draws(sample, len(values), len(rows))
    labels = None if labels is None else labels[has_number]
    rows = rows[has_number][:, filled]
    names = np.array(entries_of(variable, dims, amounts.shape[1:]), object)[filled]
    halves = np.full(len(names), UNKNOWN)
    if half is not None and half.size == filled.size:
        halves = half.reshape(-1)[filled]
    if rows.size and dims and np.allclose(rows, rows[:, :1], rtol=EQUAL, atol=0.0, equal_nan=True):
        rows, names, halves = rows[:, :1], np.array([""], object), halves.max(keepdims=True)
    if not rows.size or rows.shape[1] > most:
        return ()
    sample = sample._replace(scale=np.abs(rows[np.isfinite(rows)]).max(initial=sample.scale))
    numbers = []
    for column, name, width in zip(rows.T, names, halves, strict=True):
        if is_truth(variable):
            number = _share(column, sample)
        elif sample.range_of_search and np.isinf(column).any():
            number = _bound_beyond_search(column, sample.range_of_search)
        else:
            number = _number(column, sample, labels, float(width), values.dtype.kind == "i")
            number = _in_range(number, variable)
        numbers.append(number._replace(entry=name))
    return tuple(numbers)


def _labels_of_draws(sample: SampleFacts, seeds: int, sessions: int) -> ndarray | None:
    """Return a label for each session of each seed, by which values of other points are paired, or None.

    A single value is compared with others only where they have its seed.
    """
    if sample.seeds is None or sample.repeats == "starts" or (sessions == 1 and sample.seeds[0] < 0):
        return None
    of_seed = np.arange(sessions // max(seeds, 1))
    return np.add.outer(sample.seeds * len(of_seed), of_seed).ravel()


def _in_range(estimate: Estimate, variable: DataArray) -> Estimate:
    """Mean of a probability with an interval that is printed within [0, 1]."""
    texts = (str(variable.attrs.get(key, "")) for key in ("long_name", "description"))
    is_chance = any(text.startswith("probability") for text in texts)
    if not (is_chance and "±" in estimate.text and 0.0 <= estimate.mean <= 1.0):
        return estimate
    return estimate._replace(text=format_chance(estimate.mean, estimate.high - estimate.mean))


def _share(column: ndarray, sample: SampleFacts) -> Estimate:
    """Return a Boolean, or the share of true ones with its interval."""
    values = column[np.isfinite(column)]
    mean, count = float(values.mean()), int(values.sum())
    if len(values) == 1:
        ends = (UNKNOWN, UNKNOWN) if sample.random else (mean, mean)
        return Estimate("yes" if mean else "no", mean, *ends)
    if sample.few:
        return Estimate(f"{count} of {len(values)}", mean)
    low, high = map(float, share_interval(count, len(values)))
    return Estimate(f"{mean:.2f} ({low:.2f} to {high:.2f})", mean, low, high)


def _number(
    column: ndarray, sample: SampleFacts, labels: ndarray | None, half: float, is_integer: bool
) -> Estimate:
    """Return the mean of the finite values of a ``column [result]`` with its interval.

    ``labels [result]`` are those of draws; ``half`` is half the width of the interval of a single value.
    """
    finite = np.isfinite(column)
    values, size = column[finite], sample.scale
    if not len(values):
        return Estimate("–" if np.isnan(column).all() else f"{column[~np.isnan(column)][0]}")
    mean, low, high = float(values.mean()), float(values.min()), float(values.max())
    draws = None if labels is None else Draws(sample.repeats, labels[finite], values)
    if len(values) == 1 or high - low <= max(EQUAL * np.abs(values).max(), ZERO * size):
        text = f"{values[0]:.0f}" if is_integer else number_in_words(values[0], size, half)
        is_noise_unknown = sample.few or (sample.random and len(values) == 1)
        if not np.isfinite(half) and not is_noise_unknown:
            half = 0.0
        return Estimate(text, mean, mean - half, mean + half, draws=draws)
    extremes = f"{number_in_words(low, size)} to {number_in_words(high, size)}"
    if sample.repeats == "starts":
        return Estimate(extremes, mean, low, high)
    if not sample.few:
        return around(mean, float(half_width(values)))._replace(draws=draws)
    if len(values) < FEWEST:
        extremes = ", ".join(number_in_words(value, size) for value in values)
    return Estimate(extremes, mean, draws=draws)


def _bound_beyond_search(column: ndarray, range_of_search: tuple[float, float]) -> Estimate:
    """Return the bound of numbers of which some are beyond the smallest or the largest value tried."""
    smallest, largest = range_of_search
    if np.nanmax(column) == np.inf:
        bound = np.nanmin(np.append(column, largest))
        end = largest
        words = "at least"
        extreme = "largest"
    else:
        bound = np.nanmax(np.append(column, smallest))
        end = smallest
        words = "at most"
        extreme = "smallest"
    mark = f", the {extreme} tried" if bound == end else ""
    return Estimate(f"{words} {number_in_words(float(bound))}{mark}")


def counted(words: Mapping[str, int]) -> str:
    """Words with their counts, or the only one.

    >>> counted(Counter(["cycling", "converged", "converged"])), counted({"converged": 4})
    ('2 converged, 1 cycling', 'converged')
    """
    rows = sorted(words.items(), key=lambda row: (-row[1], row[0]))
    return rows[0][0] if len(rows) == 1 else ", ".join(f"{n} {word}" for word, n in rows)

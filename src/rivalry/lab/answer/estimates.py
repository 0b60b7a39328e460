"""Numbers of a quantity at one point: means with 95 % intervals, as numbers and as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

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


def estimates(
    variable: DataArray,
    values: ndarray,
    repeats: str,  # what the results are: replications, starts or empty for one
    *,
    random: bool,  # whether a single result depends on random draws
    range_of_search: tuple[float, float] | None = None,  # values tried: infinite ones are beyond; or None
    seeds: ndarray | None = None,  # numbers of the seeds, where other methods and points have the same
    scale: float = 0.0,  # what the quantity is measured in: far smaller numbers are rounding errors of 0
    half: ndarray | None = None,  # half-widths of the intervals of a single result's means, as ``values``
    few: bool = False,  # whether so few results converged that values stand in place of an interval
    most: int = ENTRIES,
) -> tuple[Estimate, ...]:
    """Quantity's values ``[result own ...]`` at one point; none where it has more than ``most`` entries.

    Players with equal numbers share one estimate.
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
        repeats = f"{dim}s"
    rows = amounts.reshape(len(amounts), -1)  # [result entry]
    draws, has_number = None, ~np.isnan(rows).all(axis=1)
    # a single value is compared with others only where they have its seed
    if seeds is not None and repeats != "starts" and (len(rows) > 1 or seeds[0] >= 0):
        sessions = np.arange(len(rows) // max(len(values), 1))  # of a seed
        labels = np.add.outer(seeds * len(sessions), sessions).ravel()
        draws = Draws(repeats, labels[has_number], rows)
    filled = ~np.isnan(rows).all(axis=0)
    rows = rows[has_number][:, filled]
    names = np.array(entries_of(variable, dims, amounts.shape[1:]), object)[filled]
    halves = np.full(len(names), UNKNOWN)
    if half is not None and half.size == filled.size:
        halves = half.reshape(-1)[filled]
    if rows.size and dims and np.allclose(rows, rows[:, :1], rtol=EQUAL, atol=0.0, equal_nan=True):
        # one number for all entries
        rows, names, halves = rows[:, :1], np.array([""], object), halves.max(keepdims=True)
    if not rows.size or rows.shape[1] > most:
        return ()
    if is_truth(variable):
        return tuple(_share(column, name, random, few) for column, name in zip(rows.T, names, strict=True))
    size = np.abs(rows[np.isfinite(rows)]).max(initial=scale)
    is_integer = values.dtype.kind == "i"
    numbers = []
    for column, name, width in zip(rows.T, names, halves, strict=True):
        if range_of_search and np.isinf(column).any():
            numbers.append(_bound_beyond_search(column, name, range_of_search))
            continue
        number = _number(column, name, repeats, size, is_integer, random, few, draws, float(width))
        numbers.append(_in_range(number, variable))
    return tuple(numbers)


def _in_range(estimate: Estimate, variable: DataArray) -> Estimate:
    """Mean of a probability with an interval that is printed within [0, 1]."""
    texts = (str(variable.attrs.get(key, "")) for key in ("long_name", "description"))
    is_chance = any(text.startswith("probability") for text in texts)
    if not (is_chance and "±" in estimate.text and 0.0 <= estimate.mean <= 1.0):
        return estimate
    return estimate._replace(text=format_chance(estimate.mean, estimate.high - estimate.mean))


def _share(column: ndarray, entry: str, random: bool, few: bool) -> Estimate:
    """Truth value, or the share of true ones with its interval."""
    finite_values = column[np.isfinite(column)]
    mean = float(finite_values.mean())
    if len(finite_values) == 1:
        ends = (UNKNOWN, UNKNOWN) if random else (mean, mean)
        return Estimate("yes" if mean else "no", mean, *ends, entry)
    count = int(finite_values.sum())
    if few:
        return Estimate(f"{count} of {len(finite_values)}", mean, entry=entry)
    low, high = map(float, share_interval(count, len(finite_values)))
    return Estimate(f"{mean:.2f} ({low:.2f} to {high:.2f})", mean, low, high, entry)


def _number(
    column: ndarray,
    entry: str,
    repeats: str,
    size: float,
    is_integer: bool,
    random: bool,
    few: bool,
    draws: Draws | None,
    half: float,
) -> Estimate:
    """Mean of the finite values of a column ``[result]`` with its interval; see `estimates`."""
    finite = np.isfinite(column)
    values = column[finite]
    if not len(values):
        return Estimate("–" if np.isnan(column).all() else f"{column[~np.isnan(column)][0]}", entry=entry)
    mean, low, high = float(values.mean()), float(values.min()), float(values.max())
    if draws is not None:
        draws = draws._replace(labels=draws.labels[finite], values=values)
    if len(values) == 1 or high - low <= max(EQUAL * np.abs(values).max(), ZERO * size):
        text = f"{values[0]:.0f}" if is_integer else number_in_words(values[0], size, half)
        is_noise_unknown = few or (random and len(values) == 1)
        if not np.isfinite(half) and not is_noise_unknown:
            half = 0.0
        return Estimate(text, mean, mean - half, mean + half, entry, draws)
    if repeats == "starts" or (few and len(values) >= FEWEST):
        text = f"{number_in_words(low, size)} to {number_in_words(high, size)}"
        if repeats == "starts":
            return Estimate(text, mean, low, high, entry)
        return Estimate(text, mean, entry=entry, draws=draws)
    if few:
        text = ", ".join(number_in_words(value, size) for value in values)
        return Estimate(text, mean, entry=entry, draws=draws)
    return around(mean, float(half_width(values)))._replace(entry=entry, draws=draws)


def _bound_beyond_search(column: ndarray, entry: str, range_of_search: tuple[float, float]) -> Estimate:
    """Bound of numbers of which some are beyond all values tried."""
    side = int(np.nanmax(column) == np.inf)
    bound = (np.nanmax, np.nanmin)[side](np.append(column, range_of_search[side]))
    is_end = bound == range_of_search[side]
    mark = f", the {('smallest', 'largest')[side]} tried" if is_end else ""
    return Estimate(f"at {('most', 'least')[side]} {number_in_words(float(bound))}{mark}", entry=entry)


def counted(words: Mapping[str, int]) -> str:
    """Words with their counts, or the only one.

    >>> counted(Counter(["cycling", "converged", "converged"])), counted({"converged": 4})
    ('2 converged, 1 cycling', 'converged')
    """
    rows = sorted(words.items(), key=lambda row: (-row[1], row[0]))
    return rows[0][0] if len(rows) == 1 else ", ".join(f"{n} {word}" for word, n in rows)

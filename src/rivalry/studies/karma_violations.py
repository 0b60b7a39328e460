"""Frequency at which sampled policies violate assumptions of learning theorems, over a swept parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from xarray import Dataset

from rivalry.plots.drawing import preset
from rivalry.plots.marks import MARKERS, Drawing, Frame, Mark, colours
from rivalry.plots.metrics import is_log
from rivalry.plots.select import find_sweep, name_of, swept_values
from rivalry.plots.series import CellSeries, series_of
from rivalry.text.statistics import share_interval

SHARE = "violation_share"
ENTROPY = {"mean": "in the mean over states", "every": "in every state"}


@preset
def violations(data: Dataset, *, over: str | None = None, series: str | None = None) -> Drawing:
    """Draw the share of sampled policies that violate contractivity or monotonicity, with 95 % intervals.

    The caption states the number of policies and how they were sampled and selected. Replications are more
    policies.

    Parameters
    ----------
    data
        Holds ``violation_share`` and ``admissible`` over a swept parameter.
    over
        The swept parameter; the first swept number otherwise.
    series
        A second coordinate, with a line per value.

    Raises
    ------
    ValueError
        If there is no such quantity or parameter.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), figures 5.1 and 5.2. Intervals: Wilson (1927).

    Examples
    --------
    >>> import xarray as xr
    >>> data = xr.Dataset({"violation_share": ("beta", [0.0, 0.5]), "admissible": ("beta", [40, 40])},
    ...                   {"beta": [1.0, 20.0]})
    >>> violations(data).get_lines()[0].get_ydata().tolist()
    [0.0, 0.5]
    """
    over = find_sweep(data, SHARE, 0, None, over)
    extras = ("admissible", "excluded", "generator", "entropy_rule")
    dim, x, order = swept_values(data, over)
    cells = series_of(data, SHARE, extras, series=series, keep=(dim,))
    log, marks = is_log(x), list[Mark]()
    for k, (cell, hue) in enumerate(zip(cells, colours(len(cells)), strict=True)):
        times, count = (numbers.astype(int) for numbers in _counts(cell))
        rows = order[count[order] > 0]
        share = times[rows] / count[rows]
        low, high = np.transpose([share_interval(int(times[row]), int(count[row])) for row in rows])
        offset = 0.008 * (k - (len(cells) - 1) / 2)  # separates the intervals of several lines
        where = x[rows] * (x.max() / x.min()) ** offset if log else x[rows] + offset * float(np.ptp(x))
        look: dict[str, Any] = {"marker": MARKERS[k % len(MARKERS)], "markersize": 4.5, "hue": hue}
        line = Mark("line", where, share, linewidth=1.2, label=cell.name, **look)
        # rounding may put an end slightly inside
        low, high = np.minimum(low, share), np.maximum(high, share)
        marks += [line, replace(line, kind="points", low=low, high=high, label="")]
    frame = Frame(
        name_of(data, over), "share of policies that violate it", y_limits=(0.0, None), log="x" * log
    )
    return Drawing(marks, [frame], [cells[0].words, _sampling(cells)])


def _counts(cell: CellSeries) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of violations and of policies tested, over all replications."""
    share = cell[SHARE].astype(float)
    count = np.maximum(cell["admissible"], 0) - np.maximum(cell.get("excluded", 0), 0)
    count = np.where(np.isfinite(share), count, 0)
    times = np.rint(np.nan_to_num(share) * count)
    return times.sum(axis=0), count.sum(axis=0)


def _sampling(cells: Sequence[CellSeries]) -> str:
    """Return in words how many policies each point has, how they were drawn, and which are admissible."""
    counts = np.concatenate([_counts(cell)[1] for cell in cells])
    low, high = int(counts[counts > 0].min()), int(counts.max())
    words = [f"n = {low}{f' to {high}' if high > low else ''} policies per value, 95 % intervals"]
    if rule := _common_word(cells, "generator"):
        words.append(f"sampled by {rule}")
    if rule := _common_word(cells, "entropy_rule"):
        words.append(f"at least the equilibrium's entropy {ENTROPY.get(rule, rule)}")
    return " · ".join(words)


def _common_word(cells: Sequence[CellSeries], name: str) -> str:
    """Return the word that all cells have; empty if they differ."""
    words = np.concatenate([np.ravel(cell.get(name, "")) for cell in cells])
    kinds = {*words.tolist()} - {""}
    return str(kinds.pop()) if len(kinds) == 1 else ""

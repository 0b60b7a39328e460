"""Congestion of the lanes of a city: demand in free flow against capacity, and bids against demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from xarray import Dataset

from rivalry.economies.figures.streets import WORDS as LANES
from rivalry.economies.figures.streets import lane_means
from rivalry.plots.drawing import preset
from rivalry.plots.marks import PALETTE, Drawing, Frame, Look, Mark, colours
from rivalry.plots.select import At, Names, band
from rivalry.plots.series import RULE, CellSeries, describe_rule, replications_of, series_of
from rivalry.text.statistics import format_interval, rank_correlation

LOAD, EXPECTED = "lane_free_flow", "lane_free_flow_expected"
KINDS = {"entry": PALETTE[4], "core": PALETTE[0], "exit": PALETTE[2]}
"""Kinds of lanes, and their colours."""
SHAPES = {"entry": "s", "core": "o", "exit": "^"}
DOTS: Look = {"markersize": 5.0, "hollow": True}
DEMAND = "lane_wanted"


@preset
def lane_load(data: Dataset, *, methods: Names = None, series: str | None = None, at: At = None) -> Drawing:
    """Draw the demand per lane in free flow against its capacity, in falling order.

    Free flow is the demand if no agent were ever refused. Bars are expected values, in the colours of
    entry, core and exit lanes; dots are the sampled trips, means over replications.

    Parameters
    ----------
    data
        Holds ``lane_free_flow [lane]``, ``lane_free_flow_expected`` and ``lane_capacity``.
    series
        A swept coordinate; its values with other trips, networks or capacities have panels of their own.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), figure 6.3 b.

    Examples
    --------
    >>> import xarray as xr
    >>> data = xr.Dataset({"lane_free_flow": ("lane", [3.0, 9.0]), "lane_capacity": ("lane", [5, 5]),
    ...                    "lane_free_flow_expected": ("lane", [4.0, 8.0])})
    >>> [float(bar.get_height()) for bar in lane_load(data).patches]
    [8.0, 4.0]
    """
    further = (EXPECTED, "lane_capacity", "lane_kind", "lane_ends")
    cells: list[CellSeries] = []
    for cell in series_of(data, LOAD, further, at=at, methods=methods, series=series):
        if not any(_have_equal_streets(cell, reference) for reference in cells):
            cells.append(cell)
    is_compared, crowded = len(cells) > 1, ""
    marks, frames = list[Mark](), list[Frame]()
    for panel, cell in enumerate(cells):
        load_marks, frame = _loads(cell, panel)
        marks += load_marks
        label = "" if panel % 2 else "demand in free flow\n(agents per step)"
        frames.append(frame._replace(title=cell.name, x="lanes, sorted", y=label))
    if not is_compared:
        frames[0] = frames[0]._replace(title="", x="lanes, sorted by expected demand")
    if not is_compared and "lane_capacity" in cells[0]:
        # of the bars where they are drawn: sampled trips exceed a near capacity by chance
        demand = EXPECTED if EXPECTED in cells[0] else LOAD
        above = lane_means(cells[0], demand) > lane_means(cells[0], "lane_capacity")
        crowded = f"{int(above.sum())} of {len(above)} lanes have a demand above their capacity"
        capacities = cells[0]["lane_capacity"]
        if np.ptp(capacities) == 0:
            marks[-1] = replace(marks[-1], label=f"capacity, {capacities.flat[0]:g} per lane")
    notes = cells[0].words, crowded, replications_of(cells, "means")
    return Drawing(marks, frames, notes, columns=2 * is_compared)


def _kinds_of(cell: CellSeries, lanes: int) -> np.ndarray:
    """Return the kind of every lane; ``core`` where none is stored."""
    return np.asarray(cell.get("lane_kind", np.full((1, lanes), "core"))[0])


def _kinds_present(cells: Sequence[CellSeries]) -> list[str]:
    """Return the kinds of lanes of any city, in the order of `KINDS`."""
    present = {str(kind) for cell in cells for kind in _kinds_of(cell, 1)}
    return [name for name in KINDS if name in present]


def _have_equal_streets(cell: CellSeries, reference: CellSeries) -> bool:
    """True if two cells have the same streets and loads."""
    names = [name for name in (LOAD, EXPECTED, "lane_capacity") if name in cell and name in reference]
    pairs = [(cell[name], reference[name]) for name in names]
    return all(a.shape[1:] == b.shape[1:] and np.allclose(a.mean(axis=0), b.mean(axis=0)) for a, b in pairs)


def _loads(cell: CellSeries, panel: int) -> tuple[list[Mark], Frame]:
    """Return bars, dots and the capacity of one city, and their axes."""
    sampled = lane_means(cell, LOAD)
    expected = lane_means(cell, EXPECTED) if EXPECTED in cell else sampled
    kinds = _kinds_of(cell, len(sampled))
    order = np.lexsort((kinds, -expected.round(9)))
    place = np.arange(1, len(order) + 1)
    kinds = kinds[order]
    expected = expected[order]
    marks = list[Mark]()
    for name, hue in KINDS.items():
        if (mask := kinds == name).any():
            look: Look = {"hue": hue, "label": f"{name} lanes, expected", "panel": panel}
            marks.append(
                Mark("bars", place[mask], expected[mask], width=0.9, alpha=0.75, linewidth=0, **look)
            )
    look = {"marker": ".", "markersize": 4.0, "label": "sampled trips", "panel": panel}
    marks.append(Mark("points", place, sampled[order], **look))
    top = max(float(expected.max()), float(sampled.max()))
    if "lane_capacity" in cell:
        capacity = lane_means(cell, "lane_capacity")[order]
        # a lane with capacity for all agents would leave no room for the bars
        bounds = np.minimum(np.append(capacity, capacity[-1]), 2 * top)
        look = {"drawstyle": "steps-post", "hue": PALETTE[1], "linewidth": 1.4, "panel": panel}
        marks.append(Mark("line", np.arange(len(bounds)) + 0.5, bounds, label="capacity", **look))
        top = max(top, min(float(capacity.max()), 1.2 * top))
    return marks, Frame(x_limits=(0.3, len(order) + 0.7), y_limits=(0.0, 1.06 * top), whole=True)


@preset
def bid_congestion(
    data: Dataset,
    *,
    methods: Names = None,
    series: str | None = None,
    at: At = None,
) -> Drawing:
    """Draw the mean bid per lane against the demand, a dot per lane.

    Squares are entry, circles core and triangles exit lanes; colours are methods or values of ``series``.
    The rank correlation is Spearman's, over lanes with demand; over replications it is a mean with its 95 %
    interval (Student's t), and dots are means.

    Parameters
    ----------
    data
        Holds ``lane_bid [lane]`` and ``lane_wanted``; ``lane_kind`` and ``lane_capacity`` where stored.

    Raises
    ------
    ValueError
        If there is no demand.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), figure 6.6.

    Examples
    --------
    >>> import xarray as xr
    >>> data = xr.Dataset({"lane_bid": ("lane", [1.0, 2.0, 4.0]), "lane_wanted": ("lane", [2.0, 9.0, 8.0])})
    >>> bid_congestion(data).get_title(loc="left")
    'rank correlation 0.5 over 3 lanes'
    """
    further = (DEMAND, "lane_capacity", "lane_kind", "lane_ends", *RULE)
    cells = series_of(data, "lane_bid", further, at=at, methods=methods, series=series)
    if any(DEMAND not in cell for cell in cells):
        raise ValueError(f"data: no variable {DEMAND!r}, against which this plot draws bids")
    marks, ties, largest = list[Mark](), [_correlation(cell) for cell in cells], 0.0
    for cell, tie, hue in zip(cells, ties, colours(len(cells)), strict=True):
        x, y = lane_means(cell, DEMAND), lane_means(cell, "lane_bid")
        largest = max(largest, np.nanmax(x))
        for name, marker in SHAPES.items():
            mask = (_kinds_of(cell, len(y)) == name) & np.isfinite(y)
            marks.append(Mark("points", x[mask], y[mask], marker=marker, hue=hue, **DOTS))
        if len(cells) > 1:
            marks.append(Mark("points", label=f"{cell.name}: {tie}", hue=hue))
    kinds = _kinds_present(cells)
    for name in kinds if len(kinds) > 1 else ():
        marks.append(Mark("points", label=f"{name} lanes", marker=SHAPES[name], **DOTS))
    bounds = {float(value) for cell in cells for value in np.ravel(cell.get("lane_capacity", ()))}
    if len(bounds) == 1:
        bound = bounds.pop()
        if bound <= 1.5 * largest:
            look: Look = {"linestyle": ":", "linewidth": 1.1, "zorder": 1}
            marks.append(Mark("rule", [bound], label=f"capacity {bound:g}", **look))
    correlations = ties[0] if len(cells) == 1 else "rank correlations in the legend"
    notes = describe_rule(cells), correlations, replications_of(cells, "dots are means")
    return Drawing(marks, [Frame(LANES[DEMAND], LANES["lane_bid"])], notes)


def _correlation(cell: CellSeries) -> str:
    """Return Spearman's rank correlation in words, with its interval over replications."""
    correlations, lanes = [], 0
    for x, y in zip(cell[DEMAND].astype(float), cell["lane_bid"].astype(float), strict=True):
        count = min(len(x), len(y))  # of trailing lanes one may have no value
        pairs = int(np.isfinite(x[:count] + y[:count]).sum())
        lanes = max(lanes, pairs)
        correlations.append(rank_correlation(x[:count], y[:count]) if pairs > 2 else np.nan)
    ranks = np.array(correlations)[np.isfinite(correlations)]
    if not ranks.size:
        return "no rank correlation: all lanes are alike"
    mean, half = band(ranks[:, None])
    value = format_interval(float(mean[0]), float(half[0])) if len(ranks) > 1 else f"{ranks[0]:.2g}"
    return f"rank correlation {value} over {lanes} lanes"

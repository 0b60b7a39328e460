"""Congestion of the lanes of a city: demand in free flow against capacity, and bids against demand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from xarray import Dataset

from rivalry.economies.figures.streets import WORDS as LANES
from rivalry.economies.figures.streets import lane_means
from rivalry.plots.select import At, Names, band
from rivalry.plots.series import RULE, CellSeries, describe_rule, replications_of, series_of
from rivalry.plots.style import INK, PALETTE, caption, chart, colours, panels
from rivalry.text.statistics import format_interval

LOAD, EXPECTED = "lane_free_flow", "lane_free_flow_expected"
KINDS = {"entry": PALETTE[4], "core": PALETTE[0], "exit": PALETTE[2]}
"""Kinds of lanes, and their colours."""
SHAPES = {"entry": "s", "core": "o", "exit": "^"}
BARS: dict[str, Any] = {"alpha": 0.75, "edgecolor": "white", "linewidth": 0.4}


@chart
def lane_load(
    data: Dataset, ax: Axes, *, methods: Names = None, series: str | None = None, at: At = None
) -> Axes:
    """Draw the demand per lane in free flow against its capacity, in falling order.

    Free flow is the demand if no agent were ever refused. Bars are expected values, in the colours of
    entry, core and exit lanes; dots are the sampled trips, means over replications.

    Parameters
    ----------
    data
        Holds ``lane_free_flow [lane]``, ``lane_free_flow_expected`` and ``lane_capacity``.
    series
        A swept coordinate; its values with other trips, networks or capacities have panels of their own.

    Raises
    ------
    ValueError
        If there is no such method or coordinate.

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
    is_compared = len(cells) > 1
    small = panels(ax, len(cells), columns=2, layout="apart") if is_compared else [ax]
    for panel, cell in zip(small, cells, strict=True):
        _loads(panel, cell)
        panel.set_title(cell.name if is_compared else "", fontsize=8.5)
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    for name in _kinds_present(cells):
        label = f"{name} lanes, expected"
        ax.plot([], [], "s", color=KINDS[name], alpha=0.75, markersize=8, label=label)
    ax.plot([], [], ".", color=INK, label="sampled trips")
    stored = [cell["lane_capacity"] for cell in cells if "lane_capacity" in cell]
    uniform = len(stored) == len(cells) == 1 and np.ptp(stored[0]) == 0
    words = f"capacity, {stored[0].flat[0]:g} per lane" if uniform else "capacity" if stored else "_capacity"
    ax.plot([], [], color=PALETTE[1], linewidth=1.4, label=words)
    for panel in {ax, *small[::2]}:
        panel.set_ylabel("demand in free flow\n(agents per step)")
    for panel in {ax, *small[-2:]}:
        panel.set_xlabel("lanes, sorted" if is_compared else "lanes, sorted by expected demand")
    crowded = ""
    if stored and not is_compared:
        # of the bars where they are drawn: sampled trips exceed a near capacity by chance
        demand = EXPECTED if EXPECTED in cells[0] else LOAD
        above = lane_means(cells[0], demand) > lane_means(cells[0], "lane_capacity")
        crowded = f"{int(above.sum())} of {len(above)} lanes have a demand above their capacity"
    caption(ax, cells[0].words, crowded, replications_of(cells, "means"))
    return ax


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


def _loads(panel: Axes, cell: CellSeries) -> None:
    """Draw bars, dots and the capacity of one city."""
    sampled = lane_means(cell, LOAD)
    expected = lane_means(cell, EXPECTED) if EXPECTED in cell else sampled
    kinds = _kinds_of(cell, len(sampled))
    order = np.lexsort((kinds, -expected.round(9)))
    place = np.arange(1, len(order) + 1)
    panel.bar(place, expected[order], width=1.0, color=[KINDS[str(kinds[k])] for k in order], **BARS)
    panel.plot(place, sampled[order], ".", color=INK, markersize=4.0, label="_sampled")
    top = max(float(expected.max()), float(sampled.max()))
    if "lane_capacity" in cell:
        capacity = lane_means(cell, "lane_capacity")[order]
        # a lane with capacity for all agents would leave no room for the bars
        bounds = np.minimum(np.append(capacity, capacity[-1]), 2 * top)
        edges = np.arange(len(bounds)) + 0.5
        panel.step(edges, bounds, where="post", color=PALETTE[1], linewidth=1.4, label="_capacity")
        top = max(top, min(float(capacity.max()), 1.2 * top))
    panel.set_ylim(0.0, 1.06 * top)
    panel.set_xlim(0.3, len(order) + 0.7)
    panel.grid(False, axis="x")


@chart
def bid_congestion(
    data: Dataset,
    ax: Axes,
    *,
    across: str = "lane_wanted",
    methods: Names = None,
    series: str | None = None,
    at: At = None,
) -> Axes:
    """Draw the mean bid per lane against the demand, a dot per lane.

    Squares are entry, circles core and triangles exit lanes; colours are methods or values of ``series``.
    The rank correlation is Spearman's, over lanes with demand; over replications it is a mean with its 95 %
    interval (Student's t), and dots are means.

    Parameters
    ----------
    data
        Holds ``lane_bid [lane]`` and the metric ``across``; ``lane_kind`` and ``lane_capacity`` where
        stored.
    across
        Another metric of congestion, such as ``lane_queue``.

    Raises
    ------
    ValueError
        If ``across`` is no metric of lanes.

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
    names = [name for name in LANES if name != "lane_bid"]
    if across not in names:
        raise ValueError(f"across: {across!r} must be one of {', '.join(names)}")
    further = (across, "lane_capacity", "lane_kind", "lane_ends", *RULE)
    cells = series_of(data, "lane_bid", further, at=at, methods=methods, series=series)
    if any(across not in cell for cell in cells):
        raise ValueError(f"data: no variable {across!r}, against which this plot draws bids")
    is_compared, ties, kinds = len(cells) > 1, [], _kinds_present(cells)
    for cell, shade in zip(cells, colours(len(cells)), strict=True):
        x, y = lane_means(cell, across), lane_means(cell, "lane_bid")
        look: dict[str, Any] = {"s": 22, "facecolor": "none", "edgecolor": shade, "linewidth": 1.1}
        for name, marker in SHAPES.items():
            mask = (_kinds_of(cell, len(y)) == name) & np.isfinite(y)
            ax.scatter(x[mask], y[mask], marker=marker, label="_lanes", **look)
        ties.append(_correlation(cell, across))
        ax.plot([], [], "o", color=shade, label=f"{cell.name}: {ties[-1]}" if is_compared else "_one")
    for name in kinds if len(kinds) > 1 else ():
        ax.plot([], [], SHAPES[name], color=INK, markerfacecolor="none", label=f"{name} lanes")
    bounds = {float(value) for cell in cells for value in np.ravel(cell.get("lane_capacity", ()))}
    if len(bounds) == 1 and across not in ("lane_queue", "lane_capacity"):
        bound = bounds.pop()
        if bound <= 1.5 * ax.get_xlim()[1]:
            ax.axvline(bound, color=INK, linestyle=":", linewidth=1.1, label=f"capacity {bound:g}", zorder=1)
    ax.set_xlabel(LANES[across])
    ax.set_ylabel(LANES["lane_bid"])
    correlations = "rank correlations in the legend" if is_compared else ties[0]
    caption(ax, describe_rule(cells), correlations, replications_of(cells, "dots are means"))
    if not is_compared and ax.get_legend_handles_labels()[0]:
        ax.legend(loc="best")  # there is room between the dots
    return ax


def _correlation(cell: CellSeries, across: str) -> str:
    """Return Spearman's rank correlation in words, with its interval over replications."""
    from scipy.stats import spearmanr  # takes up to a second to import

    ranks, lanes = [], 0
    for x, y in zip(cell[across].astype(float), cell["lane_bid"].astype(float), strict=True):
        pair = np.array(list(zip(x, y, strict=False)))  # of trailing lanes one may have no value
        pair = pair[np.isfinite(pair).all(axis=1)].T
        lanes = max(lanes, pair.shape[1])
        if pair.shape[1] > 2 and np.ptp(pair, axis=1).all():
            ranks.append(float(spearmanr(*pair).statistic))
    if not ranks:
        return "no rank correlation: all lanes are alike"
    mean, half = band(np.array(ranks)[:, None])
    value = format_interval(float(mean[0]), float(half[0])) if len(ranks) > 1 else f"{ranks[0]:.2g}"
    return f"rank correlation {value} over {lanes} lanes"

"""Congestion of the lanes of a city: demand in free flow against capacity, and bids against demand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from xarray import Dataset

from rivalry.core.statistics import told
from rivalry.economies.figures.streets import WORDS as LANES
from rivalry.economies.figures.streets import lane_means
from rivalry.plots.select import At, Names, band, describe_replications
from rivalry.plots.series import RULE, CellSeries, describe_rule, series_of
from rivalry.plots.style import INK, MARKERS, PALETTE, caption, chart, colours, legend, panels

LOAD, EXPECTED = "lane_free_flow", "lane_free_flow_expected"
KINDS = {"entry": PALETTE[4], "core": PALETTE[0], "exit": PALETTE[2]}
"""Kinds of lanes, and their colours."""
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
    ax
        Axes to draw on; those of a new figure otherwise.
    methods
        The methods, in this order; all otherwise.
    series
        A swept coordinate; its values with other trips, networks or capacities have panels of their own.
    at
        The point of a sweep, by its coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

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
    also = (EXPECTED, "lane_capacity", "lane_kind", "lane_ends")
    every = _unlike(series_of(data, LOAD, also, at=at, methods=methods, series=series))
    small = panels(ax, len(every), columns=2, apart=True) if len(every) > 1 else [ax]
    kinds = [_loads(panel, one) for panel, one in zip(small, every, strict=True)]
    for panel, one in zip(small, every, strict=True):
        panel.set_title(one.name if len(every) > 1 else "", fontsize=8.5)
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    words = "demand in free flow\n(agents per step)"
    for name in [name for name in KINDS if any(name in bounds for bounds in kinds)]:
        ax.plot([], [], "s", color=KINDS[name], alpha=0.75, markersize=8, label=f"{name} lanes, expected")
    ax.plot([], [], ".", color=INK, label="sampled trips")
    ax.plot([], [], color=PALETTE[1], linewidth=1.4, label=_capacity(every))
    for panel in {id(ax): ax, **{id(one): one for one in small[::2]}}.values():
        panel.set_ylabel(words)
    for panel in {id(ax): ax, **{id(one): one for one in small[-2:]}}.values():
        panel.set_xlabel("lanes, sorted by expected demand" if len(every) == 1 else "lanes, sorted")
    most = max(one.runs for one in every)
    caption(ax, every[0].words, _above(every), describe_replications(most, "means"))
    return ax


def _unlike(every: list[CellSeries]) -> list[CellSeries]:
    """Return cells whose streets and loads differ from those of earlier ones."""
    found: list[CellSeries] = []
    for one in every:
        if not any(_same(one, other) for other in found):
            found.append(one)
    return found


def _same(one: CellSeries, other: CellSeries) -> bool:
    pairs = [(one.get(name), other.get(name)) for name in (LOAD, EXPECTED, "lane_capacity")]
    return all(
        a is None or b is None or (a.shape[1:] == b.shape[1:] and np.allclose(a.mean(axis=0), b.mean(axis=0)))
        for a, b in pairs
    )


def _loads(panel: Axes, one: CellSeries) -> list[str]:
    """Draw bars, dots and the capacity of one city; return its kinds of lanes."""
    sampled = lane_means(one, LOAD)
    expected = lane_means(one, EXPECTED) if EXPECTED in one else sampled
    kinds = one.get("lane_kind", np.full((1, len(sampled)), "core"))[0]
    order = np.lexsort((kinds, -expected.round(9)))
    place = np.arange(1, len(order) + 1)
    panel.bar(place, expected[order], width=1.0, color=[KINDS[str(kinds[k])] for k in order], **BARS)
    panel.plot(place, sampled[order], ".", color=INK, markersize=4.0, label="_drawn")
    top = max(float(expected.max()), float(sampled.max()))
    if "lane_capacity" in one:
        capacity = lane_means(one, "lane_capacity")[order]
        # a lane with capacity for all agents would leave no room for the bars
        bounds = np.minimum(np.append(capacity, capacity[-1]), 2 * top)
        edges = np.arange(len(bounds)) + 0.5
        panel.step(edges, bounds, where="post", color=PALETTE[1], linewidth=1.4, label="_capacity")
        top = max(top, min(float(capacity.max()), 1.2 * top))
    panel.set_ylim(0.0, 1.06 * top)
    panel.set_xlim(0.3, len(order) + 0.7)
    panel.grid(False, axis="x")
    return sorted(set(map(str, kinds)))


def _capacity(every: Sequence[CellSeries]) -> str:
    values = [np.unique(one["lane_capacity"]) for one in every if "lane_capacity" in one]
    if len(values) == len(every) == 1 and len(values[0]) == 1:
        return f"capacity, {values[0][0]:g} per lane"
    return "capacity" if values else "_capacity"


def _above(every: Sequence[CellSeries]) -> str:
    """Return the number of lanes whose demand exceeds the capacity, in words."""
    if len(every) > 1 or "lane_capacity" not in every[0]:
        return ""
    over = lane_means(every[0], LOAD) > lane_means(every[0], "lane_capacity")
    return f"{int(over.sum())} of {len(over)} lanes have a demand above their capacity"


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
    ax
        Axes to draw on; those of a new figure otherwise.
    across
        Another metric of congestion, such as ``lane_queue``.
    methods
        The methods, in this order; all otherwise.
    series
        A swept coordinate whose values are laid over each other.
    at
        The point of a sweep, by its coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

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
    if across not in LANES or across == "lane_bid":
        known = ", ".join(name for name in LANES if name != "lane_bid")
        raise ValueError(f"across: {across!r} must be one of {known}")
    also = (across, "lane_capacity", "lane_kind", "lane_ends", *RULE)
    every = series_of(data, "lane_bid", also, at=at, methods=methods, series=series)
    if any(across not in one for one in every):
        raise ValueError(f"data: no variable {across!r}, against which this plot draws bids")
    several = len(every) > 1
    seen: set[str] = set()
    ties = []
    for one, shade in zip(every, colours(len(every)), strict=True):
        seen |= _dots(ax, one, across, shade)
        ties.append(_correlation(one, across))
        ax.plot([], [], "o", color=shade, label=f"{one.name}: {ties[-1]}" if several else "_one")
    shapes = dict(zip(KINDS, ("s", "o", "^"), strict=True))
    for name in [name for name in shapes if name in seen and len(seen) > 1]:
        ax.plot([], [], shapes[name], color=INK, markerfacecolor="none", label=f"{name} lanes")
    _limit(ax, every, across)
    ax.set_xlabel(LANES[across])
    ax.set_ylabel(LANES["lane_bid"])
    most = max(one.runs for one in every)
    many = describe_replications(most, "dots are means")
    caption(ax, describe_rule(every), ties[0] if not several else "rank correlations in the legend", many)
    if several:
        legend(ax)
    elif len(seen) > 1:
        ax.legend(loc="best")
    return ax


def _dots(ax: Axes, one: CellSeries, across: str, shade: str) -> set[str]:
    """Draw one dot per lane; return the kinds of lanes."""
    x, y = lane_means(one, across), lane_means(one, "lane_bid")
    kinds = one.get("lane_kind", np.full((1, len(y)), "core"))[0]
    for name, marker in zip(KINDS, (MARKERS[1], MARKERS[0], MARKERS[2]), strict=True):
        here = (kinds == name) & np.isfinite(y)
        looks: dict[str, Any] = {"facecolor": "none", "edgecolor": shade, "linewidth": 1.1}
        ax.scatter(x[here], y[here], s=22, marker=marker, label="_lanes", **looks)
    return set(map(str, kinds))


def _correlation(one: CellSeries, across: str) -> str:
    """Return Spearman's rank correlation in words, with its interval over replications."""
    from scipy.stats import spearmanr  # takes up to a second to import

    found, lanes = [], 0
    for x, y in zip(one[across].astype(float), one["lane_bid"].astype(float), strict=True):
        both = min(len(x), len(y))
        there = np.isfinite(x[:both]) & np.isfinite(y[:both])
        lanes = max(lanes, int(there.sum()))
        pair = x[:both][there], y[:both][there]
        if there.sum() > 2 and all(np.ptp(values) > 0 for values in pair):
            found.append(float(spearmanr(*pair).statistic))
    if not found:
        return "no rank correlation: all lanes are alike"
    mean, half = band(np.array(found)[:, None])
    value = told(float(mean[0]), float(half[0])) if len(found) > 1 else f"{found[0]:.2g}"
    return f"rank correlation {value} over {lanes} lanes"


def _limit(ax: Axes, every: Sequence[CellSeries], across: str) -> None:
    bounds = [one["lane_capacity"] for one in every if "lane_capacity" in one]
    values = np.unique(np.concatenate([np.ravel(array) for array in bounds])) if bounds else np.array([])
    if len(values) == 1 and across != "lane_queue" and across != "lane_capacity":
        words = f"capacity {values[0]:g}"
        if values[0] <= 1.5 * ax.get_xlim()[1]:
            ax.axvline(values[0], color=INK, linestyle=":", linewidth=1.1, label=words, zorder=1)

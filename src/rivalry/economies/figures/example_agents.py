"""Bids and outcomes of a lucky, an average and an unlucky agent of a city, as curves and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from xarray import Dataset

from rivalry.economies.figures.streets import RULES, SCALE, example_labels, rules
from rivalry.plots.select import At, Names, band
from rivalry.plots.series import RULE, CellSeries, describe_rule, replications_of, series_of
from rivalry.plots.style import DASHES, INK, add_grid, caption, chart, colours, draw_band, name_colours
from rivalry.text.statistics import format_interval, half_width

BIDS = "example_mean_bid"
OVER = {"karma": "karma k", "place": "position along the path"}
ALSO = (
    *("example_name", "example_agent", "example_lanes", "example_places", "agent_type"),
    *("trip_path", "trip_urgency", "karma_distribution", *RULE),
)


MAIN, BID = "agent_reward", "mean bid"
METRICS = {
    MAIN: "reward per step",
    "agent_admitted": "moves per step",
    "agent_relative_exploitability": "best-response gain / |J|",
}
"""Variables by agent, in the order of the table's rows, and their labels."""
TABLE = (
    *("agent_class", "class_name", "example_agent", "example_name"),
    *("agent_trip_bid", "trip_path", "trip_urgency", *METRICS, *RULES, *RULE),
)
PALEST = 0.42  # of the scale: numbers are illegible on darker cells


@chart
def example_bids(
    data: Dataset,
    ax: Axes,
    *,
    over: str = "karma",
    methods: Names = None,
    series: str | None = None,
    at: At = None,
) -> Axes:
    """Draw the mean bids of one agent per class, a panel per agent and a row per method.

    A path has a colour, an urgency a dash. Dotted is half the karma held, the mean of uniformly random
    bids. Bands are 95 % intervals over replications (Student's t).

    Parameters
    ----------
    data
        Holds ``example_mean_bid [example trip place karma]``; ``karma_distribution`` for ``over = "place"``.
    over
        ``karma``: against karma, in the mean over the positions of a path; ``place``: along the path, in
        the mean over karma, weighted by its distribution over all agents.

    Raises
    ------
    ValueError
        If ``over`` is another word.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), figure 6.8.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> bids = np.array([[[[0.0, 0.5], [0.0, 1.0]]]])
    >>> data = xr.Dataset({"example_mean_bid": (("example", "trip", "place", "karma"), bids)})
    >>> example_bids(data).child_axes[0].get_lines()[0].get_ydata().tolist()
    [0.0, 0.75]
    """
    if over not in OVER:
        raise ValueError(f"over: {over!r} must be one of {', '.join(OVER)}")
    cells = series_of(data, BIDS, ALSO, at=at, methods=methods, series=series)
    grid = _grid(ax, len(cells), max(cell[BIDS].shape[1] for cell in cells))
    dashes: dict[str, str] = {}  # by urgency, in words
    paths: list[int] = []
    for row, cell in zip(grid, cells, strict=True):
        words = example_labels(cell, cell[BIDS].shape[1])
        for k, (panel, word) in enumerate(zip(row, words, strict=False)):
            path, urgency = trips_of(cell, k)
            for u in np.unique(urgency):
                dashes.setdefault(f"{u:g}", DASHES[len(dashes) % len(DASHES)])
            paths = max(paths, sorted(set(map(int, path))), key=len)
            _lines(panel, cell, k, dashes, over)
            panel.set_title(word if row is grid[0] else "", fontsize=8.5, color=INK)
        for panel in row[len(words) :]:
            panel.set_visible(False)
        row[0].set_ylabel(f"{cell.name}\nmean bid" if cell.name else "mean bid", fontsize=8.5)
    if over == "karma":
        grid[0][0].set_ylim(bottom=0.0)  # of all panels; a limit holds as soon as it is set
    for column in zip(*grid, strict=True):
        lowest = [panel for panel in column if panel.get_visible()][-1]
        lowest.set_xlabel(OVER[over], fontsize=8.5)
        lowest.tick_params(labelbottom=True)
    name_colours(ax, [f"path {path}" for path in paths], colours(len(paths)))
    for word, dash in sorted(dashes.items(), key=lambda pair: float(pair[0])):
        ax.plot([], [], dash, color=INK, label="_urgency" if word == "nan" else f"urgency {word}")
    weighting = "over karma, weighted by the distribution of karma of all agents"
    if over == "karma":
        ax.plot([], [], ":", color=INK, linewidth=1.0, label="uniformly random bids, k/2")
        weighting = "over the positions of a path, equally weighted"
    ax.set_xlabel(OVER[over])
    ax.set_ylabel("mean bid")
    caption(ax, describe_rule(cells), f"means {weighting}", replications_of(cells))
    return ax


def trips_of(cell: CellSeries, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the path, from 1, and the urgency of every trip of the k-th example agent, ``[trip]``.

    Paths are numbered by trip where they are not recorded.
    """
    count = cell[BIDS].shape[2]
    path = cell.get("trip_path", np.arange(1, count + 1)[None])[0]
    urgency = cell.get("trip_urgency", np.full((1, 1, count), np.nan))[0]
    kind = 0
    if "agent_type" in cell and "example_agent" in cell:
        kind = int(cell["agent_type"][0, int(cell["example_agent"][0, k])])
    return path[:count], urgency[min(kind, len(urgency) - 1), :count]


def places_of(cell: CellSeries, k: int, path: int) -> np.ndarray:
    """Return the positions of the k-th example agent on a path, counted from 1, ``[place]``."""
    lanes = cell.get("example_places", cell.get("example_lanes"))
    places = cell[BIDS].shape[3]
    return np.arange(places) if lanes is None else np.flatnonzero(lanes[0, k, path - 1, :places] >= 0)


def way_of(cell: CellSeries, k: int, path: int) -> np.ndarray:
    """Return the positions of the k-th example agent in order along a path, or its first route,
    ``[position]``.
    """
    if "example_places" not in cell or "example_lanes" not in cell:
        return places_of(cell, k, path)
    lanes, way = cell["example_places"][0, k, path - 1], cell["example_lanes"][0, k, path - 1]
    return np.array([int(np.argmax(lanes == lane)) for lane in way[way >= 0]], dtype=int)


def _lines(panel: Axes, cell: CellSeries, k: int, dashes: Mapping[str, str], over: str) -> None:
    """Draw a line for each trip of an agent."""
    paths, urgencies = trips_of(cell, k)
    kinds = np.unique(paths)
    shades = dict(zip(kinds, colours(len(kinds)), strict=True))
    for trip, (path, urgency) in enumerate(zip(paths, urgencies, strict=True)):
        bids = cell[BIDS][:, k, trip].astype(float)  # [replication place karma]
        places = places_of(cell, k, int(path))
        if not np.isfinite(bids[:, places]).any():
            continue
        look: dict[str, Any] = {"linewidth": 1.4, "label": "_line"}
        if over == "karma":
            values = bids[:, places].mean(axis=1)
            x = np.arange(values.shape[1])
        else:
            values = _along(cell, bids[:, way_of(cell, k, int(path))])
            x = np.arange(1, values.shape[1] + 1)
            look |= {"marker": ".", "markersize": 4.0}
        draw_band(panel, x, *band(values), color=shades[path], dash=dashes[f"{urgency:g}"], **look)
    if over == "karma":
        levels = np.arange(cell[BIDS].shape[4])
        panel.plot(levels, levels / 2, ":", color=INK, linewidth=1.0, label="_random", zorder=1)
    panel.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))


def _along(cell: CellSeries, bids: np.ndarray) -> np.ndarray:
    """Return means over karma ``[replication place]``, by the distribution of karma, or with equal
    weights.
    """
    if "karma_distribution" not in cell:
        return np.asarray(bids.mean(axis=2))
    distribution = cell["karma_distribution"]
    weights = distribution.reshape(len(distribution), -1, distribution.shape[-1]).sum(axis=1)
    weights = weights[:, : bids.shape[2]]
    return np.asarray((bids * weights[:, None]).sum(axis=2) / weights.sum(axis=1)[:, None])


def _grid(ax: Axes, rows: int, columns: int) -> list[list[Axes]]:
    """Return panels that share their scales; the frame is hidden."""
    ax.set_axis_off()
    wide, high = 1 / columns, 1 / rows
    panels: list[list[Axes]] = []
    for r in range(rows):
        panels.append([])
        for c in range(columns):
            box = ((c + 0.08) * wide, 1 - (r + 0.9) * high, 0.86 * wide, 0.78 * high)
            reference = panels[0][0] if panels[0] else None
            panel = ax.inset_axes(box, sharex=reference, sharey=reference)
            panel.tick_params(labelsize=7, labelleft=c == 0, labelbottom=r == rows - 1)
            panel.spines[["top", "right"]].set_visible(False)
            add_grid(panel)
            panels[-1].append(panel)
    return panels


# -- as a table ----------------------------------------------------------------------------------------


class ClassTable(NamedTuple):
    """Table with a column per example agent and per class, and a row per metric, ``values [replication
    column]``.
    """

    columns: list[str]
    rows: list[tuple[str, np.ndarray]]


@chart
def class_table(
    data: Dataset, ax: Axes, *, methods: Names = None, series: str | None = None, at: At = None
) -> Axes:
    """Draw a table of mean bids, rewards, moves and best-response gains of agents by class.

    One agent of each class is left, means over all agents of a class are right; over replications there are
    means with 95 % intervals. The shade is the mean bid. Where nobody bids, bids are left out. ``|J|`` is
    the absolute mean payoff.

    Parameters
    ----------
    data
        Holds ``agent_reward [agent]`` and others of each agent, ``agent_trip_bid [agent trip]``,
        ``agent_class`` and ``example_agent``.
    methods
        The methods, a table each, in this order; all otherwise.
    series
        A swept coordinate, a table per value.

    Raises
    ------
    ValueError
        If the data hold no classes of agents.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), table A.4.

    Examples
    --------
    >>> import xarray as xr
    >>> data = xr.Dataset({"agent_reward": ("agent", [-1.0, -3.0]), "agent_class": ("agent", [0, 0]),
    ...                    "class_name": ("class", ["lucky"])})
    >>> [text.get_text() for text in class_table(data).texts][1:]
    ['reward per step', '−2']
    """
    cells = series_of(data, MAIN, TABLE, at=at, methods=methods, series=series)
    if any("agent_class" not in cell for cell in cells):
        raise ValueError("data: no variable 'agent_class', by which this table has its columns")
    tables = [table_of(cell) for cell in cells]
    ax.set_axis_off()
    lines = sum(len(table.rows) + 1.6 for table in tables) - 0.6
    high, top = 1 / lines, 1.0
    bids = [values for table in tables for label, values in table.rows if label.startswith(BID)]
    largest = max((float(np.nanmax(values)) for values in bids), default=1.0)
    shades = Normalize(0.0, max(largest, 1e-9) / PALEST)  # one scale for all bids
    for cell, table in zip(cells, tables, strict=True):
        _draw_table(ax, cell.name, table, top, high, shades)
        top -= high * (len(table.rows) + 1.6)
    ax.set_xlabel("agents and classes")
    ax.set_ylabel("mean bid (karma)")
    sample = replications_of(cells, "means ± half the width of 95 % intervals")
    words = [describe_rule(cells), "shades: mean bids", sample]
    caption(ax, ";\n".join([" · ".join(filter(None, words)), *rules(cells[0])]))
    return ax


def table_of(cell: CellSeries) -> ClassTable:
    """Return the table of one method at one point."""
    agents = np.ravel(cell.get("example_agent", np.zeros((1, 0)))[0]).astype(int)
    agents = agents[agents >= 0]
    names = cell.get("example_name", np.full((1, len(agents)), ""))[0]
    kinds = cell["agent_class"]
    heads = [f"{name}: agent {agent}" for name, agent in zip(names, agents, strict=False)]
    members = {k: int((kinds[0] == k).sum()) for k in range(len(cell["class_name"][0]))}
    present = [k for k, count in members.items() if count]
    heads += [f"all {members[k]} {cell['class_name'][0][k]}" for k in present]
    rows = []
    for label, values in _rows(cell):
        # without a trip there is no bid
        inside = [np.where(kinds[:, : values.shape[1]] == k, values, np.nan) for k in present]
        means = np.array([band(sample.T)[0] for sample in inside])
        cells = np.concatenate([values[:, agents], means.T], axis=1)
        if np.isfinite(cells).any():
            rows.append((label, cells))
    return ClassTable(heads, rows)


def words_of(values: np.ndarray) -> str:
    """Return the mean over replications with its interval; empty where there is none.

    >>> words_of(np.array([-1.5])), words_of(np.array([np.nan]))
    ('−1.5', '')
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return ""
    mean, half = float(finite.mean()), float(half_width(finite[:, None])[0])
    words = format_interval(mean, half) if len(finite) > 1 else f"{mean:.3g}"
    return words.replace("-", "−")


def _rows(cell: CellSeries) -> list[tuple[str, np.ndarray]]:
    """Return rows with the values of all agents ``[replication agent]``: mean bids by trip, and the rest."""
    rows = []
    bids = cell.get("agent_trip_bid", np.zeros((1, 1, 0)))
    if np.nansum(bids) > 0:  # without bids: a coin or the urgency decides
        for trip in range(bids.shape[2]):
            urgencies = np.unique(cell["trip_urgency"][0][:, trip])
            urgency_text = " or ".join(f"{value:g}" for value in urgencies[np.isfinite(urgencies)])
            rows.append(
                (f"{BID}, path {int(cell['trip_path'][0, trip])}, urgency {urgency_text}", bids[:, :, trip])
            )
    return rows + [(word, cell[name]) for name, word in METRICS.items() if name in cell]


def _draw_table(ax: Axes, name: str, table: ClassTable, top: float, high: float, shades: Normalize) -> None:
    """Draw one table: name and heads, then rows.

    Numbers to three digits, example agents apart from classes.
    """
    margin, count = 0.3, len(table.columns)
    box = ax.get_window_extent()  # as it is before the layout
    inches = box.width / ax.figure.dpi, box.height / ax.figure.dpi
    wide, size = (1 - margin) / count, min(8.0, 1.6 * inches[0], 50 * high * inches[1])
    place: dict[str, Any] = {"transform": ax.transAxes, "va": "center", "fontsize": size}
    x = margin + wide * (np.arange(count) + 0.5)
    if name:
        ax.text(0.0, top - high / 2, name, ha="left", weight="bold", **place)
    for k, head in enumerate(table.columns):
        words = "\n".join(head.rsplit(" ", 1) if head.startswith("all ") else head.split(" ", 1))
        ax.text(x[k], top - high / 2, words, ha="center", weight="bold", **place)
    ax.plot([0, 1], [top - high] * 2, color=INK, linewidth=0.8, transform=ax.transAxes, label="_rule")
    for row, (label, values) in enumerate(table.rows):
        y = top - (row + 1.5) * high
        ax.text(0.0, y, label, ha="left", **place)
        for k, sample in enumerate(values.T):
            words = words_of(sample)
            if words and label.startswith(BID):
                shade = colormaps[SCALE](shades(float(np.nanmean(sample))))
                look: dict[str, Any] = {"facecolor": shade, "edgecolor": "none", "transform": ax.transAxes}
                corner = (x[k] - 0.47 * wide, y - 0.46 * high)
                ax.add_patch(Rectangle(corner, 0.94 * wide, 0.92 * high, **look))
            ax.text(x[k], y, words or "–", ha="center", zorder=5, **place)

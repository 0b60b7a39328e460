"""Bids and outcomes of a lucky, an average and an unlucky agent of a city, as curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from xarray import Dataset

from rivalry.economies.figures.streets import example_labels
from rivalry.plots.select import At, Names, band
from rivalry.plots.series import RULE, CellSeries, describe_rule, replications_of, series_of
from rivalry.plots.style import DASHES, INK, add_grid, caption, chart, colours, draw_band, name_colours

BIDS = "example_mean_bid"
OVER = {"karma": "karma k", "place": "position along the path"}
ALSO = (
    *("example_name", "example_agent", "example_lanes", "example_places", "agent_type"),
    *("trip_path", "trip_urgency", "karma_distribution", *RULE),
)


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

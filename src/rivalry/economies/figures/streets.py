"""Maps of a city: metrics per lane, and routes of example agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from xarray import Dataset

from rivalry.plots.select import At, Names, band, check_variable, is_blank, pick_names
from rivalry.plots.series import RULE, CellSeries, describe_rule, replications_of, series_of
from rivalry.plots.style import INK, add_colour_bar, caption, chart, colours, name_colours

WORDS = {
    "lane_wanted": "demand (agents per step)",
    "lane_admitted": "agents admitted (per step)",
    "lane_queue": "queue (agents refused per step)",
    "lane_bid": "mean bid (karma)",
    "lane_free_flow": "demand in free flow (agents per step)",
    "lane_free_flow_expected": "expected demand in free flow (agents per step)",
    "lane_capacity": "capacity (agents per step)",
}
PLACES = ("lane_ends", "lane_kind", "lane_centre", "node_at")
RULES = {"class_rule": "", "example_rule": "agents shown: "}
SCALE = "YlGnBu"  # light to dark, since pages are white
MISSING, PLAIN, CROWDED = "#B4B4B4", "#ECECEC", "#B9B9B9"
# of a unit: a lane's width, and how far it is from the middle and from nodes; the length of its head
WIDE, ASIDE, GAP, TIP = 0.16, 0.1, 0.19, 0.13
PART = 0.2  # of the whole width: largest unit
LOW = 0.5  # a scale begins at 0 where the smallest value is below this share of the largest
ROOM = (5.4, 3.3)  # inches for maps
FOLD = 105  # characters per line of a caption


class StreetPlan(NamedTuple):
    """Positions of lanes and nodes."""

    ends: np.ndarray  # [lane end 2]
    centre: np.ndarray  # [lane]
    nodes: np.ndarray  # [node 2]
    stub: np.ndarray  # [node]

    @property
    def unit(self) -> float:
        """Return the unit of length: a short lane, or a share of the whole width if that is less."""
        lengths = np.linalg.norm(self.ends[:, 1] - self.ends[:, 0], axis=1)
        short = max(float(lengths.min()), 0.4 * float(np.median(lengths)))
        return min(short, PART * float(np.ptp(self.nodes, axis=0).max()))


@chart
def street_map(
    data: Dataset,
    ax: Axes,
    *,
    quantity: str = "lane_wanted",
    limits: Sequence[float] | None = None,
    methods: Names = None,
    series: str | None = None,
    at: At = None,
) -> Axes:
    """Draw one metric per lane as colour on the map of a city, a map per method.

    A lane is an arrow on the right of its street in the direction of travel, beside the lane that leads back.
    Stubs are squares, other nodes dots; lanes without a value, such as bids without demand, are grey.

    Parameters
    ----------
    data
        Holds the metric ``[lane]`` and ``lane_ends [lane end coordinate]``; over replications means are
        drawn.
    ax
        Axes that give room to the maps; those of a new figure otherwise.
    quantity
        The metric, such as ``lane_wanted``, ``lane_queue``, ``lane_bid`` or ``lane_free_flow``.
    limits
        The ends of the scale of colours, which all maps share.
    series
        A swept coordinate, each value of which has a map.
    at
        The point of the other coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes whose ``child_axes`` are the maps.

    Raises
    ------
    ValueError
        If the metric has no value per lane, or ``limits`` do not rise.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), figures 6.3 a and 6.5.

    Examples
    --------
    >>> import xarray as xr
    >>> there = [[0.0, 0.0], [1.0, 0.0]]
    >>> data = xr.Dataset({"lane_wanted": ("lane", [3.0, 1.0]),
    ...                    "lane_ends": (("lane", "end", "coordinate"), [there, there[::-1]])})
    >>> street_map(data).child_axes[0].collections[0].get_array().tolist()
    [3.0, 1.0]
    """
    _check_lanes(data, quantity)
    cells = series_of(data, quantity, (*PLACES, *RULE), at=at, methods=methods, series=series)
    means = [lane_means(cell, quantity) for cell in cells]
    scale = _scale(means, limits)
    maps = _maps(ax, [cell.name for cell in cells])
    shades = colormaps[SCALE].with_extremes(bad=MISSING)
    maps[0].set_anchor("E" if len(maps) == 1 else "C")
    for panel, cell, values in zip(maps, cells, means, strict=True):
        plan = plan_of(cell)
        bars = _lanes(plan, array=np.ma.masked_invalid(values), cmap=shades, norm=scale)
        panel.add_collection(bars)
        _nodes(panel, plan)
    words = WORDS.get(quantity, quantity.replace("_", " "))
    add_colour_bar(ax, bars, words, (0.97, 0.06, 0.025, 0.86))
    ax.set_xlabel("position on the map")
    ax.set_ylabel(words)
    notes = [f"{words} per lane", describe_rule(cells), "arrows show the direction of travel"]
    notes += ["grey: no demand"] * any(np.isnan(values).any() for values in means)
    notes += ["one scale of colours"] * (len(cells) > 1)
    caption(ax, *notes, replications_of(cells, "means"))
    return ax


@chart
def example_routes(data: Dataset, ax: Axes, *, method: str | None = None, at: At = None) -> Axes:
    """Draw the routes of one agent per class on the map of a city, a map per agent.

    A route is a line with arrows in the direction of travel, from the circle to the square; lanes of the
    centre are darker. Where agents plan, the first route that a trip may take is drawn. The caption states
    how classes and agents were chosen.

    Parameters
    ----------
    data
        Holds ``example_lanes [example path position]`` and ``lane_ends [lane end coordinate]``.
    ax
        Axes that give room to the maps; those of a new figure otherwise.
    method
        The method whose agents are drawn; the first otherwise. Trips do not depend on it.
    at
        The point of the other coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes whose ``child_axes`` are the maps.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), figure 6.7.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> there = [[0.0, 0.0], [1.0, 0.0]]
    >>> data = xr.Dataset({"example_lanes": (("example", "path", "position"), [[[0, -1], [1, -1]]]),
    ...                    "lane_ends": (("lane", "end", "coordinate"), [there, there[::-1]])})
    >>> [line.get_label() for line in example_routes(data).child_axes[0].get_lines()]
    ['path 1', 'path 2']
    """
    names = (*PLACES, "example_name", "example_agent", *RULES)
    cell = series_of(data, "example_lanes", names, at=at, methods=None if method is None else [method])[0]
    plan, routes = plan_of(cell), cell["example_lanes"][0]
    maps = _maps(ax, example_labels(cell, len(routes)), under=0.1)
    for panel, paths in zip(maps, routes, strict=True):
        panel.add_collection(_lanes(plan, facecolors=np.where(plan.centre, CROWDED, PLAIN)))
        _nodes(panel, plan)
        for k, lanes in enumerate(paths):
            _route(panel, plan, lanes[lanes >= 0], k, len(paths))
    count = routes.shape[1]
    name_colours(ax, [f"path {k + 1}" for k in range(count)], colours(count), linewidth=2.2)
    for marker, word in (("o", "start"), ("s", "end")):
        ax.plot([], [], marker, color=INK, label=word)
    if plan.centre.any():
        ax.plot([], [], color=CROWDED, linewidth=5, label="lanes of the centre")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.08), ncols=5)
    ax.set_xlabel("position on the map")
    ax.set_ylabel("position on the map")
    caption(ax, ";\n".join([cell.words] * bool(cell.words) + rules(cell)))
    return ax


# -- parts ---------------------------------------------------------------------------------------------


def lane_means(cell: CellSeries, name: str) -> np.ndarray:
    """Return a variable's mean over replications, ``[lane]``; NaN where none has a value.

    For all lanes with a position, including trailing ones without a value.
    """
    values = cell[name].astype(float)
    lanes = cell["lane_ends"].shape[1] if "lane_ends" in cell else values.shape[1]
    padded = np.full((len(values), max(lanes, values.shape[1])), np.nan)
    padded[:, : values.shape[1]] = values
    return band(padded)[0]


def plan_of(cell: CellSeries) -> StreetPlan:
    """Return the positions of lanes and nodes stored in a result.

    Raise `ValueError` where they are missing.
    """
    if "lane_ends" not in cell:
        raise ValueError("data: no variable 'lane_ends', by which this plot places lanes")
    ends = cell["lane_ends"][0].astype(float)
    core = cell.get("lane_kind", np.full((1, len(ends)), "core"))[0] == "core"
    centre = cell.get("lane_centre", np.zeros((1, len(ends)), bool))[0] == 1
    nodes = cell["node_at"][0].astype(float) if "node_at" in cell else np.unique(ends.reshape(-1, 2), axis=0)
    crossings = ends[core].reshape(-1, 2)
    inside = (np.abs(nodes[:, None] - crossings[None]) < 1e-9).all(axis=2).any(axis=1)
    return StreetPlan(ends, centre[: len(ends)], nodes, ~inside)


def example_labels(cell: Mapping[str, np.ndarray], count: int) -> list[str]:
    """Return labels of example agents: their class and number.

    >>> example_labels({"example_name": np.array([["lucky"]]), "example_agent": np.array([[7]])}, 1)
    ['lucky (agent 7)']
    """
    names = cell.get("example_name", np.array([[f"example {k}" for k in range(count)]]))[0]
    agents = cell.get("example_agent", np.array([[-1]]))
    numbers = [""] * count if is_blank(agents) else [f" (agent {int(n)})" for n in agents[0]]
    return [f"{name}{number}" for name, number in zip(names, numbers, strict=True)]


def rules(cell: Mapping[str, np.ndarray]) -> list[str]:
    """Return the rules by which classes and agents were chosen, one per line."""
    texts = [(word, str(np.ravel(cell[name])[0])) for name, word in RULES.items() if name in cell]
    return [fill(word + text, FOLD) for word, text in texts if text]


def _check_lanes(data: Dataset, quantity: str) -> None:
    """Raise `ValueError` for anything but a variable with a number per lane."""
    names = [
        str(name)
        for name, array in data.data_vars.items()
        if array.dims
        and str(array.dims[-1]).removeprefix(f"{name}_") == "lane"
        and array.dtype.kind in "fiub"
    ]
    if quantity in WORDS:
        check_variable(data, quantity)
    rule = "must have a number for each lane" if quantity in data else "is not in this data"
    pick_names("quantity", [quantity], names, (), rule)


def _scale(means: Sequence[np.ndarray], limits: Sequence[float] | None) -> Normalize:
    if limits is not None:
        if np.shape(limits) != (2,) or not limits[0] < limits[1]:
            raise ValueError(f"limits: {limits!r} must be two numbers that rise")
        return Normalize(limits[0], limits[1])
    values = np.concatenate(means)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return Normalize(0.0 if 0 <= low < LOW * high or low == high else low, high)


def _maps(ax: Axes, titles: Sequence[str], under: float = 0.0) -> list[Axes]:
    """Return panels in the number of columns that makes them largest, with room ``under`` them.

    Hide the frame.
    """
    ax.set_axis_off()
    count = len(titles)
    side = [min(ROOM[0] / c, ROOM[1] / -(-count // c)) for c in range(1, count + 1)]
    columns = 1 + int(np.argmax(side))
    lines = -(-count // columns)
    wide, high = 0.94 / columns, (1 - under) / lines
    head = 0.1 if any(titles) else 0.0
    panels = []
    for k, title in enumerate(titles):
        row, column = divmod(k, columns)
        panel = ax.inset_axes((column * wide, 1 - (row + 1) * high, 0.97 * wide, high - head))
        panel.set_aspect("equal", adjustable="box")
        panel.set_axis_off()
        if title:
            panel.set_title(title, fontsize=8.5, color=INK)
        panels.append(panel)
    return panels


def _lanes(plan: StreetPlan, **looks: Any) -> PolyCollection:
    """Return every lane as a bar with a head, beside the middle of its street."""
    unit, corners = plan.unit, []
    for start, end in plan.ends:
        way, right = _directions(start, end)
        begin = start + unit * (GAP * way + ASIDE * right)
        tip = end + unit * (-GAP * way + ASIDE * right)
        shoulder, half = tip - unit * TIP * way, unit * WIDE / 2 * right
        corners.append([begin - half, shoulder - half, tip, shoulder + half, begin + half])
    return PolyCollection(corners, edgecolors="#777777", linewidths=0.35, **looks)


def _directions(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors along a lane and to its right."""
    way = (end - start) / max(float(np.linalg.norm(end - start)), 1e-300)
    return way, np.array([way[1], -way[0]])


def _nodes(panel: Axes, plan: StreetPlan) -> None:
    """Draw nodes as dots and stubs as squares, with a margin around them."""
    stub: dict[str, Any] = {"marker": "s", "facecolor": "white", "edgecolor": INK, "linewidth": 0.7}
    (x, y), (stub_x, stub_y) = plan.nodes[~plan.stub].T, plan.nodes[plan.stub].T
    panel.scatter(x, y, s=5, color=INK, zorder=3, label="_nodes")
    panel.scatter(stub_x, stub_y, s=9, zorder=3, **stub)
    low, high = plan.nodes.min(axis=0), plan.nodes.max(axis=0)
    rim = 0.25 * plan.unit
    panel.set_xlim(low[0] - rim, high[0] + rim)
    panel.set_ylim(low[1] - rim, high[1] + rim)


def _route(panel: Axes, plan: StreetPlan, lanes: np.ndarray, k: int, count: int) -> None:
    """Draw a path along its lanes, each path of an agent at another distance from the middle of the
    street.
    """
    if not len(lanes):
        return
    unit, shade = plan.unit, colours(count)[k]
    aside = unit * (ASIDE + WIDE * ((k + 0.5) / count - 0.5))
    points, heads = [], []
    for start, end in plan.ends[lanes]:
        way, right = _directions(start, end)
        points += [start + aside * right + unit * GAP * way, end + aside * right - unit * GAP * way]
        tip, base = (start + end) / 2 + aside * right + 0.15 * unit * way, 0.11 * unit * right
        heads.append([tip, tip - 0.27 * unit * way + base, tip - 0.27 * unit * way - base])
    look: dict[str, Any] = {"color": shade, "linewidth": 1.6, "label": f"path {k + 1}", "zorder": 4}
    panel.plot(*np.array(points).T, solid_joinstyle="round", **look)
    panel.add_collection(
        PolyCollection(heads, facecolors=shade, edgecolors="white", linewidths=0.3, zorder=5)
    )
    dot: dict[str, Any] = {"color": shade, "edgecolor": "white", "linewidth": 0.5, "zorder": 6}
    for place, marker in ((points[0], "o"), (points[-1], "s")):
        panel.scatter(place[0], place[1], s=20, marker=marker, **dot)

"""Maps of a city: metrics per lane, and routes of example agents."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.plots.drawing import preset
from rivalry.plots.maps import (
    ASIDE,
    GAP,
    GREY,
    WIDE,
    StreetPlan,
    colour_limits,
    directions,
    map_columns,
    map_frame,
    metric_map,
    node_marks,
    street_outlines,
    street_values,
)
from rivalry.plots.marks import Drawing, Frame, Look, Mark, colours
from rivalry.plots.select import At, Names, check_variable, is_blank, pick_names
from rivalry.plots.series import RULE, CellSeries, describe_rule, replications_of, series_of

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
PLAIN, CROWDED = 0.08, 0.28  # shares of black
RULES = {"class_rule": "", "example_rule": "agents shown: "}
FOLD = 105  # characters per line of a caption


@preset
def street_map(
    data: Dataset,
    *,
    quantity: str = "lane_wanted",
    methods: Names = None,
    series: str | None = None,
    at: At = None,
) -> Drawing:
    """Draw one metric per lane as colour on the map of a city, a map per method.

    A lane is an arrow on the right of its street in the direction of travel, beside the lane that leads back.
    Stubs are squares, other nodes dots; lanes without a value, such as bids without demand, are grey.

    Parameters
    ----------
    data
        Holds the metric ``[lane]`` and ``lane_ends [lane end coordinate]``; over replications means are
        drawn.
    quantity
        The metric, such as ``lane_wanted``, ``lane_queue``, ``lane_bid`` or ``lane_free_flow``.
    series
        A swept coordinate, each value of which has a map.

    Returns
    -------
    Axes
        The axes whose ``child_axes`` are the maps.

    Raises
    ------
    ValueError
        If the metric has no value per lane.

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
    limits = colour_limits(means)
    words = WORDS.get(quantity, quantity.replace("_", " "))
    marks, frames = list[Mark](), list[Frame]()
    for panel, (cell, values) in enumerate(zip(cells, means, strict=True)):
        plan = plan_of(cell)
        marks += metric_map(plan, values, street_outlines(plan), words, limits, panel)
        frames.append(map_frame(plan, cell.name))
    notes = [f"{words} per lane", describe_rule(cells), "arrows show the direction of travel"]
    notes += ["grey: no demand"] * any(np.isnan(values).any() for values in means)
    notes += ["one scale of colours"] * (len(cells) > 1)
    return Drawing(marks, frames, [*notes, replications_of(cells, "means")], columns=map_columns(len(cells)))


@preset
def example_routes(data: Dataset, *, method: str | None = None, at: At = None) -> Drawing:
    """Draw the routes of one agent per class on the map of a city, a map per agent.

    A route is a line with arrows in the direction of travel, from the circle to the square; lanes of the
    centre are darker. Where agents plan, the first route that a trip may take is drawn. The caption states
    how classes and agents were chosen.

    Parameters
    ----------
    data
        Holds ``example_lanes [example path position]`` and ``lane_ends [lane end coordinate]``.
    method
        The method whose agents are drawn; the first otherwise. Trips do not depend on it.

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
    >>> example_routes(data).get_legend_handles_labels()[1][:2]
    ['path 1', 'path 2']
    """
    names = (*PLACES, "example_name", "example_agent", *RULES)
    cell = series_of(data, "example_lanes", names, at=at, methods=None if method is None else [method])[0]
    plan, routes = plan_of(cell), cell["example_lanes"][0]
    marks, frames = list[Mark](), list[Frame]()
    for panel, (label, paths) in enumerate(zip(example_labels(cell, len(routes)), routes, strict=True)):
        x, y = street_outlines(plan)
        marks.append(Mark("region", x, y, value=np.where(plan.centre, CROWDED, PLAIN), panel=panel, **GREY))
        marks += node_marks(plan, panel)
        for k, lanes in enumerate(paths):
            marks += _route(plan, lanes[lanes >= 0], k, len(paths), panel)
        frames.append(map_frame(plan, label))
    marks += [Mark("points", label="start"), Mark("points", label="end", marker="s")]
    if plan.centre.any():
        marks.append(Mark("line", label="lanes of the centre", hue=str(1 - CROWDED), linewidth=5))
    notes = ";\n".join([cell.words] * bool(cell.words) + rules(cell))
    return Drawing(marks, frames, [notes], columns=map_columns(len(frames)), under=True)


# -- parts ---------------------------------------------------------------------------------------------


def lane_means(cell: CellSeries, name: str) -> ndarray:
    """Return a variable's mean over replications, ``[lane]``; NaN where none has a value.

    For all lanes with a position, including trailing ones without a value.
    """
    values = cell[name].astype(float)
    lanes = cell["lane_ends"].shape[1] if "lane_ends" in cell else values.shape[1]
    return street_values(values, lanes)


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


def example_labels(cell: Mapping[str, ndarray], count: int) -> list[str]:
    """Return labels of example agents: their class and number.

    >>> example_labels({"example_name": np.array([["lucky"]]), "example_agent": np.array([[7]])}, 1)
    ['lucky (agent 7)']
    """
    names = cell.get("example_name", np.array([[f"example {k}" for k in range(count)]]))[0]
    agents = cell.get("example_agent", np.array([[-1]]))
    numbers = [""] * count if is_blank(agents) else [f" (agent {int(n)})" for n in agents[0]]
    return [f"{name}{number}" for name, number in zip(names, numbers, strict=True)]


def rules(cell: Mapping[str, ndarray]) -> list[str]:
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


def _route(plan: StreetPlan, lanes: ndarray, k: int, count: int, panel: int) -> list[Mark]:
    """Return a path along its lanes, its arrows and its ends.

    Each path of an agent is at another distance from the middle of the street.
    """
    if not len(lanes):
        return []
    unit = plan.unit
    start, end, way, right = directions(plan.ends[lanes])
    aside = unit * (ASIDE + WIDE * ((k + 0.5) / count - 0.5)) * right
    line = np.stack([start + aside + unit * GAP * way, end + aside - unit * GAP * way], axis=1).reshape(-1, 2)
    tip, base = (start + end) / 2 + aside + 0.15 * unit * way, 0.11 * unit * right
    back = tip - 0.27 * unit * way
    heads = np.stack([tip, back + base, back - base, np.full_like(tip, np.nan)], axis=1).reshape(-1, 2)
    (x, y), (head_x, head_y) = line.T, heads.T
    look: Look = {"hue": colours(count)[k], "panel": panel}
    return [
        Mark("line", x, y, linewidth=1.6, label=f"path {k + 1}", zorder=4, **look),
        Mark("region", head_x, head_y, zorder=5, **look),
        Mark("points", x[:1], y[:1], markersize=4.5, zorder=6, **look),
        Mark("points", x[-1:], y[-1:], marker="s", markersize=4.5, zorder=6, **look),
    ]

"""Maps of streets: lanes as arrows on the right of their streets, coloured by a metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.plots.marks import Frame, Look, Mark, Marks
from rivalry.plots.select import band

SCALE = "YlGnBu"  # light to dark, since pages are white
MISSING = 0.3  # share of black
GREY: Look = {"hue": "gray_r", "low": 0.0, "high": 1.0}
# of a unit: a lane's width, and how far it is from the middle and from nodes; the length of its head
WIDE, ASIDE, GAP, TIP = 0.16, 0.1, 0.19, 0.13
PART = 0.2  # of the whole width: largest unit
LOW = 0.5  # a scale begins at 0 where the smallest value is below this share of the largest
ROOM = (5.4, 3.3)  # inches for maps


class StreetPlan(NamedTuple):
    """Positions of lanes and nodes."""

    ends: ndarray  # [lane end 2]
    centre: ndarray  # [lane]
    nodes: ndarray  # [node 2]
    stub: ndarray  # [node]

    @property
    def unit(self) -> float:
        """Return the unit of length: a short lane, or a share of the whole width if that is less."""
        lengths = np.linalg.norm(self.ends[:, 1] - self.ends[:, 0], axis=1)
        short = max(float(lengths.min()), 0.4 * float(np.median(lengths)))
        return min(short, PART * float(np.ptp(self.nodes, axis=0).max()))


def colour_limits(means: Sequence[ndarray]) -> tuple[float, float]:
    """Return the ends of the scale of colours."""
    values = np.concatenate(means)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return 0.0 if 0 <= low < LOW * high or low == high else low, high or 1.0


def street_values(values: ndarray, count: int) -> ndarray:
    """Return means over replications, of at least ``count`` lanes; NaN where none has a value."""
    padded = np.full((len(values), max(count, values.shape[1])), np.nan)
    padded[:, : values.shape[1]] = values
    return band(padded)[0]


def map_columns(count: int) -> int:
    """Return the number of columns that makes maps largest."""
    side = [min(ROOM[0] / c, ROOM[1] / -(-count // c)) for c in range(1, count + 1)]
    return 1 + int(np.argmax(side))


def map_frame(plan: StreetPlan, title: str, outlines: ndarray | None = None) -> Frame:
    """Return a map's limits, with a margin around nodes and outlines ``[2 lane corner]``."""
    rim, place = 0.25 * plan.unit, "position on the map"
    corners = np.zeros((0, 2)) if outlines is None else outlines.reshape(2, -1).T
    extent = np.concatenate([plan.nodes, corners])
    low, high = extent.min(axis=0) - rim, extent.max(axis=0) + rim
    x_limits, y_limits = zip(low.tolist(), high.tolist(), strict=True)
    return Frame(place, place, title, x_limits, y_limits, equal=True, bare=True)


def directions(ends: ndarray) -> tuple[ndarray, ndarray, ndarray, ndarray]:
    """Return starts and ends of lanes, and unit vectors along them and to their right, ``[lane 2]``."""
    start, end = ends[:, 0], ends[:, 1]
    way = (end - start) / np.maximum(np.linalg.norm(end - start, axis=1, keepdims=True), 1e-300)
    return start, end, way, np.stack([way[:, 1], -way[:, 0]], axis=1)


def street_outlines(
    plan: StreetPlan, width: ndarray | float = WIDE, aside: ndarray | float = ASIDE
) -> ndarray:
    """Return the outlines of lanes, ``[2 lane corner]``: bars with a head, beside the middle of the street.

    Widths, and distances from the middle of the street, are ``[lane]`` or numbers, in units of the plan.
    """
    unit, width, aside = plan.unit, np.reshape(width, (-1, 1)), np.reshape(aside, (-1, 1))
    start, end, way, right = directions(plan.ends)
    begin = start + unit * (GAP * way + aside * right)
    tip = end + unit * (-GAP * way + aside * right)
    shoulder, half = tip - unit * TIP * way, unit * width / 2 * right
    corners = [begin - half, shoulder - half, tip, shoulder + half, begin + half]
    return np.stack(corners, axis=1).transpose(2, 0, 1)


def node_marks(plan: StreetPlan, panel: int) -> Marks:
    """Return nodes as dots and stubs as squares."""
    (x, y), (stub_x, stub_y) = plan.nodes[~plan.stub].T, plan.nodes[plan.stub].T
    dots = Mark("points", x, y, markersize=1.5, zorder=3, panel=panel)
    return [dots, replace(dots, x=stub_x, y=stub_y, marker="s", markersize=3, hollow=True)]


def metric_map(
    plan: StreetPlan, values: ndarray, outlines: ndarray, label: str, limits: tuple[float, float], panel: int
) -> Marks:
    """Return lanes ``[2 lane corner]`` with values as colours, grey without one, and nodes."""
    (x, y), missing = outlines, np.isnan(values)
    look: Look = {"hue": SCALE, "low": limits[0], "high": limits[1], "panel": panel}
    marks = [Mark("region", x, y, value=values, label=label, **look)]
    if missing.any():
        grey = np.full(missing.sum(), MISSING)
        marks.append(Mark("region", x[missing], y[missing], value=grey, panel=panel, **GREY))
    return marks + node_marks(plan, panel)

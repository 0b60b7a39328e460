"""Figures of influencer games: resource, influence and shares over the space.

Each chart is drawn on a line, in the plane or in a triangle, depending on the space.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_rgb
from numpy import ndarray

from rivalry.plots.charts.triangle import check_simplex
from rivalry.plots.drawing import preset
from rivalry.plots.marks import TRIANGLE, Drawing, Frame, Look, Mark, colours, places, unless, widths
from rivalry.plots.select import POSITION, At, DrawnPoint, point

if TYPE_CHECKING:
    from xarray import Dataset


_ALSO = ("resource", "resource_points", "row_label", "profile", "claim")
BEHIND = "#E4E2DC"  # the resource behind other marks
ALONE = "#A5A29A"  # darker, because nothing is drawn in front of it
BARS, FEW = 400, 6  # above BARS points an outline; below FEW, in the plane or a triangle, bars
WEIGHT = "resource (weight of a point)"
QUARTERS = np.array([0.25, 0.5, 0.75])


@preset
def resource(data: Dataset, *, at: At = None) -> Drawing:
    """Draw the weights of the resource: bars on a line, a heat map in the plane or in a triangle.

    Parameters
    ----------
    data
        Holds ``resource [point]`` at ``resource_points``.

    Raises
    ------
    ValueError
        If the points have more than three coordinates.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> shelf = xr.Dataset({"resource": ("point", [1.0, 2.0]), "resource_points": ("point", [0.0, 1.0])})
    >>> [float(bar.get_height()) for bar in resource(shelf).patches]
    [1.0, 2.0]
    """
    selection = point(data, "resource", 1, ("resource_points",), at=at)
    where, weights = coordinates(selection), selection["resource"]
    caption = [selection.words, f"{len(weights)} points, total {weights.sum():.6g}"]
    if _is_short(where):
        return _groups(weights[None], ["resource"], WEIGHT, caption)
    if where.shape[1] > 1:
        return _in_space([_heat(where, weights, hue="Greys", label=WEIGHT)], where, caption)
    order = np.argsort(where[:, 0], kind="stable")
    x, y = where[order, 0], weights[order]
    look: Look = {"hue": ALONE, "linewidth": 0}
    if len(x) > BARS:
        mark = Mark("band", x, low=0 * y, high=y, **look)
    else:
        mark = Mark("bars", x, y, width=0.9 * np.gradient(x) if len(x) > 1 else 0.9, **look)
    frame = Frame(POSITION, WEIGHT, y_limits=(min(0.0, float(y.min())), None))
    return Drawing([mark], [frame], caption)


@preset
def influence(data: Dataset, *, at: At = None) -> Drawing:
    """Draw the influence of every player over the space.

    In the plane and in a triangle contours lie at 1/4, 1/2 and 3/4 of a row's range.

    Parameters
    ----------
    data
        Holds ``influence [row point]`` at ``resource_points``; ``resource``, ``profile`` and ``claim``
        where stored.

    Raises
    ------
    ValueError
        If the points have more than three coordinates.
    """
    return _rows(data, at, "influence", "influence (relative units)")


@preset
def shares(data: Dataset, *, at: At = None) -> Drawing:
    """Draw every player's share of the resource over the space.

    In the plane and in a triangle the players' colours are mixed in proportion.

    Parameters
    ----------
    data
        Holds ``shares [row point]`` at ``resource_points``; ``resource``, ``profile`` and ``claim`` where
        stored.

    Raises
    ------
    ValueError
        If the points have more than three coordinates.
    """
    return _rows(data, at, "shares", "share of the resource (fraction)")


def _rows(data: Dataset, at: At, name: str, label: str) -> Drawing:
    """Return the drawing of a row of values over the space for every player."""
    selection = point(data, name, 2, _ALSO, at=at)
    where, rows, caption = coordinates(selection), selection[name], [selection.words]
    names = row_labels(selection, len(rows))
    top = 1.0 if name == "shares" else float(np.nanmax(rows))
    if _is_short(where):
        return _groups(rows, names, label, caption)
    if where.shape[1] == 1:
        frame = Frame(POSITION, label, y_limits=(-0.02, 1.02) if name == "shares" else (None, None))
        return Drawing(_line_marks(selection, rows, names, top), [frame], caption)
    fill = _contours if name == "influence" else _mixture
    marks = [*fill(selection, rows, names), *_positions(selection, colours(len(rows)))]
    return _in_space(marks, where, caption)


def _in_space(marks: list[Mark], where: ndarray, caption: list[str]) -> Drawing:
    """Return the drawing of marks in the plane or in a triangle."""
    if where.shape[1] == 3:
        return Drawing(marks, [TRIANGLE], caption, projection="ternary")
    across, up = (f"position, axis {axis} (units of the space)" for axis in range(2))
    return Drawing(marks, [Frame(across, up, face="white", equal=True)], caption)


def coordinates(selection: DrawnPoint) -> ndarray:
    """Return the resource points ``[point coordinate]``. Raises `ValueError`."""
    if "resource_points" not in selection:
        raise ValueError("data: no variable 'resource_points', the places of the resource")
    where = selection["resource_points"].reshape(len(selection["resource_points"]), -1)
    if where.shape[1] > 3:
        raise ValueError(f"resource_points: {where.shape[1]} coordinates; at most three can be drawn")
    if where.shape[1] == 3:
        check_simplex("resource_points", where)
    return where


def row_labels(selection: DrawnPoint, count: int) -> list[str]:
    """Return the names of the rows, as stored or by number."""
    return [str(name) for name in selection.get("row_label", [f"row {k}" for k in range(count)])]


def _is_short(where: ndarray) -> bool:
    """True if there are so few points, such as the corners of a simplex, that bars are drawn."""
    return where.shape[1] > 1 and len(where) < FEW


def _groups(rows: ndarray, names: list[str], label: str, caption: list[str]) -> Drawing:
    """Return bars of ``rows [row point]``, one group per point."""
    count, width, marks = rows.shape[1], 0.8 / len(rows), list[Mark]()
    for k, (row, name, hue) in enumerate(zip(rows, names, colours(len(rows)), strict=True)):
        x = np.arange(count) + (k - (len(rows) - 1) / 2) * width
        marks.append(Mark("bars", x, row, width=0.9 * width, hue=hue, label=name, linewidth=0))
    frame = Frame("point of the resource", label, x_ticks=[f"point {k}" for k in range(count)])
    return Drawing(marks, [frame], caption)


def _line_marks(selection: DrawnPoint, rows: ndarray, names: list[str], top: float) -> list[Mark]:
    """Return rows over a line, the resource scaled to ``top`` and positions at the bottom."""
    where, hues, marks = coordinates(selection)[:, 0], colours(len(rows)), list[Mark]()
    order = np.argsort(where, kind="stable")
    x = where[order]
    if "resource" in selection:
        height = selection["resource"][order] / selection["resource"].max() * top
        label = "resource (scaled)"
        marks.append(Mark("band", x, low=0 * height, high=height, hue=BEHIND, label=label, zorder=0))
    marks.append(Mark("line", x, rows[:, order].T, label=names, hue=hues, linewidth=widths(len(rows))))
    if "profile" in selection:
        place, certified = selection["profile"][None, :, 0], selection.is_certified()
        look: Look = {"marker": "^", "hollow": not certified}
        sizes = [4 + 2 * width for width in widths(place.size)]  # equal positions stay visible
        above: Look = {"markersize": sizes, "clip_on": False, "zorder": 5}
        marks.append(Mark("points", place, 0 * place, hue=hues, **above, **look))
        marks.append(Mark("points", label="position" + unless(selection.doubt()), **look))
    return marks


def _heat(where: ndarray, values: ndarray, **look: Any) -> Mark:
    """Return heat of values ``[point]`` on a grid, or between scattered points."""
    if (grid := _on_grid(where, values)) is None:
        return Mark("heat", **places(where), value=values, **look)
    x, y, cells = grid
    return Mark("heat", x, y, value=cells, **look)


def _on_grid(where: ndarray, values: ndarray) -> tuple[ndarray, ndarray, ndarray] | None:
    """Return both sides of a full grid and ``values`` on it, ``[y x ..]``; None for other points."""
    x, y = np.unique(where[:, 0]), np.unique(where[:, 1])
    if where.shape[1] != 2 or len(x) * len(y) != len(where):
        return None
    # points of a full grid may be in any order; rows of the mesh are values of y
    order = np.lexsort((where[:, 0], where[:, 1]))
    return x, y, values[order].reshape(len(y), len(x), *values.shape[1:])


def _contours(selection: DrawnPoint, rows: ndarray, names: list[str]) -> list[Mark]:
    """Return contours of each row, in front of the resource."""
    where, marks = coordinates(selection), list[Mark]()
    if _is_uneven(selection):
        cells: Look = {"value": selection["resource"], "levels": 8, "hue": "Greys"}
        marks.append(Mark("heat", **places(where), **cells, alpha=0.5))
        marks.append(Mark("points", marker="s", hue="#AAAAAA", label="resource"))
    for row, name, hue in zip(rows, names, colours(len(rows)), strict=True):
        levels = row.min() + np.ptp(row) * QUARTERS
        contours = {"value": row, "levels": levels, **places(where)} if np.ptp(row) else {}
        marks.append(Mark("line", label=name, hue=hue, linewidth=1.2, **contours))
    return marks


def _is_uneven(selection: DrawnPoint) -> bool:
    """True if a resource is stored and not the same everywhere."""
    return "resource" in selection and bool(np.ptp(selection["resource"]) > 0)


def _mixture(selection: DrawnPoint, rows: ndarray, names: list[str]) -> list[Mark]:
    """Return the colours of the rows mixed in proportion, behind contours of the resource."""
    where, hues = coordinates(selection), colours(len(rows))
    mixed = np.clip(rows.T @ np.array([to_rgb(hue) for hue in hues]), 0, 1)
    pale = 0.35 + 0.65 * mixed  # keeps markers and contours visible
    if (grid := _on_grid(where, pale)) is None:
        marks = [Mark("heat", **places(where), hue=pale)]
    else:
        x, y, cells = grid
        marks = [Mark("heat", x, y, hue=cells)]
    if _is_uneven(selection):
        contours: Look = {"value": selection["resource"], "levels": 6, **places(where)}
        marks.append(Mark("line", label="resource", linewidth=0.6, alpha=0.7, **contours))
    pairs = zip(names, hues, strict=True)
    return marks + [Mark("points", marker="s", hue=hue, label=f"share of {name}") for name, hue in pairs]


def _positions(selection: DrawnPoint, hues: list[str]) -> list[Mark]:
    """Return the players' positions."""
    if "profile" not in selection:
        return []
    profile, certified = selection["profile"], selection.is_certified()
    place = places(profile[None, :, : coordinates(selection).shape[1]])
    look: Look = {"markersize": 8, "hollow": not certified}
    key = Mark("points", label="position" + unless(selection.doubt()), **look)
    return [Mark("points", **place, hue=hues, zorder=5, **look), key]

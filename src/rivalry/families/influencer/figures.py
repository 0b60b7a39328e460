"""Figures of influencer games: resource, influence and shares over the space.

Each chart is drawn on a line, in the plane or in a triangle, depending on the space.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from rivalry.plots import style
from rivalry.plots.charts.triangle import BESIDE, check_simplex, triangle
from rivalry.plots.drawing import triangulate
from rivalry.plots.select import At, DrawnPoint, point
from rivalry.plots.style import BESIDE as RIGHT
from rivalry.plots.style import INK, PALETTE, RESOURCE, chart

if TYPE_CHECKING:
    from xarray import Dataset


_ALSO = ("resource", "resource_points", "row_label", "profile", "claim")
BARS_COLOUR = "#A5A29A"  # darker than the resource's usual grey, because nothing is drawn in front of it
BARS, FEW = 400, 6  # above BARS points an outline; below FEW, in the plane or a triangle, bars


@chart
def resource(data: Dataset, ax: Axes, *, at: At = None) -> Axes:
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
    if _is_short(where):
        _groups(ax, weights[None], ["resource"], "resource (weight of a point)")
    elif where.shape[1] == 1:
        _bars(ax, where[:, 0], weights)
    else:
        ax = triangle(ax) if where.shape[1] == 3 else ax
        mesh = heat(ax, where, weights, "Greys")
        box = BESIDE if where.shape[1] == 3 else RIGHT
        style.add_colour_bar(ax, mesh, "resource (weight of a point)", box)
        if where.shape[1] == 2:
            _plane_names(ax)
    style.caption(ax, selection.words, f"{len(weights)} points, total {weights.sum():.6g}")
    return ax


def _bars(ax: Axes, where: np.ndarray, weights: np.ndarray) -> None:
    order = np.argsort(where, kind="stable")
    where, weights = where[order], weights[order]
    if len(where) <= BARS:
        bar_widths = np.gradient(where) if len(where) > 1 else 1.0
        ax.bar(where, weights, width=0.9 * bar_widths, color=BARS_COLOUR, linewidth=0)
    else:
        ax.fill_between(where, weights, color=BARS_COLOUR, linewidth=0)
    ax.set_ylim(bottom=min(0.0, float(weights.min())))
    ax.set(xlabel="position (units of the space)", ylabel="resource (weight of a point)")


@chart
def influence(data: Dataset, ax: Axes, *, at: At = None, separate: bool = False) -> Axes:
    """Draw the influence of every player over the space.

    In the plane and in a triangle contours lie at 1/4, 1/2 and 3/4 of a row's range.

    Parameters
    ----------
    data
        Holds ``influence [row point]`` at ``resource_points``; ``resource``, ``profile`` and ``claim``
        where stored.
    separate
        Draw a heat map per row.

    Raises
    ------
    ValueError
        If the points have more than three coordinates.
    """
    return _rows(data, ax, at, "influence", "influence (relative units)", separate)


@chart
def shares(data: Dataset, ax: Axes, *, at: At = None, separate: bool = False) -> Axes:
    """Draw every player's share of the resource over the space.

    In the plane and in a triangle the players' colours are mixed in proportion.

    Parameters
    ----------
    data
        Holds ``shares [row point]`` at ``resource_points``; ``resource``, ``profile`` and ``claim`` where
        stored.
    separate
        Draw a heat map per row.

    Raises
    ------
    ValueError
        If the points have more than three coordinates.
    """
    return _rows(data, ax, at, "shares", "share of the resource (fraction)", separate)


def _rows(data: Dataset, ax: Axes, at: At, name: str, label: str, separate: bool) -> Axes:
    selection = point(data, name, 2, _ALSO, at=at)
    where, shades = coordinates(selection), style.colours(len(selection[name]))
    dimensions = where.shape[1]
    if _is_short(where):
        _groups(ax, selection[name], row_labels(selection, len(selection[name])), label)
    elif separate and dimensions > 1:
        _one_by_one(ax, selection, name, label)
    elif dimensions == 1:
        _on_the_line(ax, selection, name, label)
    else:
        ax = triangle(ax) if dimensions == 3 else ax
        (_contours if name == "influence" else _mixture)(ax, selection, where, selection[name], shades)
        _positions(ax, selection, shades)
    style.caption(ax, selection.words)
    return ax


def coordinates(selection: DrawnPoint) -> np.ndarray:
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


def _is_short(where: np.ndarray) -> bool:
    """True if there are so few points, such as the corners of a simplex, that bars are drawn."""
    return where.shape[1] > 1 and len(where) < FEW


def _groups(ax: Axes, rows: np.ndarray, labels: list[str], label: str) -> None:
    """Draw bars of ``rows [row point]``, one group per point."""
    count = rows.shape[1]
    bar_width = 0.8 / len(rows)
    for k, (row, text, colour) in enumerate(zip(rows, labels, style.colours(len(rows)), strict=True)):
        positions = np.arange(count) + (k - (len(rows) - 1) / 2) * bar_width
        ax.bar(positions, row, 0.9 * bar_width, color=colour, label=text)
    ax.set_xticks(range(count), [f"point {k}" for k in range(count)])
    ax.set(xlabel="point of the resource", ylabel=label)
    ax.grid(False, axis="x")


def _fill_resource(ax: Axes, selection: DrawnPoint, top: float, **look: Any) -> None:
    """Fill below the resource on a line, scaled to ``top``, where it is stored."""
    where = coordinates(selection)[:, 0]
    order = np.argsort(where, kind="stable")
    if "resource" in selection:
        height = selection["resource"][order] / selection["resource"].max() * top
        ax.fill_between(where[order], height, color=RESOURCE, linewidth=0, **look)


def _on_the_line(ax: Axes, selection: DrawnPoint, name: str, label: str) -> None:
    where, rows = coordinates(selection)[:, 0], selection[name]
    order = np.argsort(where, kind="stable")
    top = 1.0 if name == "shares" else float(np.nanmax(rows))
    _fill_resource(ax, selection, top, label="resource (scaled)", zorder=0)
    shades, widths = style.colours(len(rows)), style.widths(len(rows))
    for k, (row, text) in enumerate(zip(rows, row_labels(selection, len(rows)), strict=True)):
        ax.plot(where[order], row[order], color=shades[k], linewidth=widths[k], label=text)
    if "profile" in selection:
        profile, certified = selection["profile"], selection.is_certified()
        for place, size, colour in zip(profile, style.widths(len(profile)), shades, strict=False):
            # equal positions stay visible
            mark = style.end_marker(certified, colour) | {"markersize": 4 + 2 * size}
            ax.plot(place[0], 0, "^", clip_on=False, zorder=5, **mark)
        ax.plot([], [], "^", label="position" + style.unless(certified), **style.end_marker(certified, INK))
    if name == "shares":
        ax.set_ylim(-0.02, 1.02)
    ax.set(xlabel="position (units of the space)", ylabel=label)


def heat(ax: Any, where: np.ndarray, values: np.ndarray, colour_map: str, **scale: Any) -> Any:
    """Draw values ``[point]`` at ``where [point 2]``, or ``[point 3]`` in ternary axes, as a heat map."""
    grid = _on_grid(where, values)
    if grid is not None:
        return ax.pcolormesh(*grid, shading="nearest", cmap=colour_map, **scale)
    if where.shape[1] == 3:
        triangulate(list(where.T))  # for its message where points lie in no triangles
    return ax.tripcolor(*where.T, values, shading="gouraud", cmap=colour_map, rasterized=True, **scale)


def _on_grid(where: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return both sides of a full grid and ``values`` on it, ``[y x ..]``; None for other points."""
    x, y = np.unique(where[:, 0]), np.unique(where[:, 1])
    if where.shape[1] != 2 or len(x) * len(y) != len(where):
        return None
    # points of a full grid may be in any order; rows of the mesh are values of y
    order = np.lexsort((where[:, 0], where[:, 1]))
    return x, y, values[order].reshape(len(y), len(x), *values.shape[1:])


def _one_by_one(ax: Axes, selection: DrawnPoint, name: str, label: str) -> None:
    """Draw a heat map per row, all on one scale."""
    where, rows = coordinates(selection), selection[name]
    count = where.shape[1]
    top = 1.0 if name == "shares" else float(np.nanmax(rows))
    small_axes = style.panels(ax, len(rows), projection=_projection(count))
    profile = selection.get("profile", np.empty((0, count)))
    mark = style.end_marker(selection.is_certified(), PALETTE[1])
    for k, (panel, row, text) in enumerate(
        zip(small_axes, rows, row_labels(selection, len(rows)), strict=True)
    ):
        mesh = heat(panel, where, row, "cividis", vmin=0.0, vmax=top)
        for place in profile[k : k + 1]:
            panel.plot(*place[:count, None], "o", markersize=5, zorder=5, **mark)
        panel.set_title(text)
        if count == 2:
            panel.set_aspect("equal")
    style.add_colour_bar(ax, mesh, label, (1.02, 0.1, 0.025, 0.8))


def _contours(ax: Any, selection: DrawnPoint, where: np.ndarray, rows: np.ndarray, shades: list[str]) -> None:
    empty: list[list[float]] = [[]] * where.shape[1]
    if _is_uneven(selection):
        ax.tricontourf(*where.T, selection["resource"], levels=8, cmap="Greys", alpha=0.5)
        ax.plot(*empty, "s", color="#AAAAAA", label="resource")
    for row, text, colour in zip(rows, row_labels(selection, len(rows)), shades, strict=True):
        _contour(ax, where, row, colour, 0.25, 0.5, 0.75)
        ax.plot(*empty, color=colour, label=text)


def _contour(ax: Any, where: np.ndarray, row: np.ndarray, colour: str, *parts: float) -> None:
    """Draw contours at parts of a row's range."""
    low, high = row.min(), row.max()
    if high > low:
        levels = low + (high - low) * np.array(parts)
        ax.tricontour(*where.T, row, levels=levels, colors=[colour], linewidths=1.2)


def _is_uneven(selection: DrawnPoint) -> bool:
    """True if a resource is stored and not the same everywhere."""
    return "resource" in selection and bool(np.ptp(selection["resource"]) > 0)


def _mixture(ax: Any, selection: DrawnPoint, where: np.ndarray, rows: np.ndarray, shades: list[str]) -> None:
    empty: list[list[float]] = [[]] * where.shape[1]
    mixed = np.clip(rows.T @ np.array([to_rgb(colour) for colour in shades]), 0, 1)
    pale = 0.35 + 0.65 * mixed  # keeps markers and contours visible
    if (grid := _on_grid(where, pale)) is not None:
        ax.pcolormesh(*grid, shading="nearest")
    elif where.shape[1] == 3:
        faces = triangulate(list(where.T))
        mesh = ax.tripcolor(*where.T, rows[0], triangles=faces)
        # tripcolor takes one number per point: mixed colours replace them afterwards
        mesh.set_array(None)
        mesh.set_facecolor(pale[faces].mean(axis=1))
    else:
        ax.scatter(*where.T, c=pale, marker="s", s=30)
    if _is_uneven(selection):
        ax.tricontour(*where.T, selection["resource"], levels=6, colors=[INK], linewidths=0.6, alpha=0.7)
        ax.plot(*empty, color=INK, linewidth=0.6, label="resource")
    for colour, text in zip(shades, row_labels(selection, len(rows)), strict=True):
        ax.plot(*empty, "s", color=colour, label=f"share of {text}")


def _positions(ax: Axes, selection: DrawnPoint, shades: list[str]) -> None:
    certified, count = selection.is_certified(), coordinates(selection).shape[1]
    if "profile" in selection:
        for place, colour in zip(selection["profile"], shades, strict=False):
            mark = style.end_marker(certified, colour)
            ax.plot(*place[:count, None], "o", markersize=8, zorder=5, label="_", **mark)
        words = "position" + style.unless(certified)
        ax.plot(*[[]] * count, "o", markersize=8, label=words, **style.end_marker(certified, INK))
    if count == 2:
        _plane_names(ax)


def _plane_names(ax: Axes) -> None:
    ax.set(xlabel="position, axis 0 (units of the space)", ylabel="position, axis 1 (units of the space)")
    ax.set_aspect("equal")
    ax.grid(False)


def _projection(count: int) -> str:
    if count != 3:
        return "rectilinear"
    import mpltern  # noqa: F401  # registers the projection

    return "ternary"

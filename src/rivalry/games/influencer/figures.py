"""Figures of influencer games: resource, influence and shares over the space; snapshots along a path.

Each chart is drawn on a line, in the plane or in a triangle, depending on the space.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from rivalry.plots.select import DrawnPoint, point
from rivalry.plots.style import (
    INK,
    PALETTE,
    RESOURCE,
    SIZE,
    STYLE,
    add_colour_bar,
    canvas,
    caption,
    colours,
    end_marker,
    legend,
    panels,
    widths,
)
from rivalry.plots.triangle import BESIDE, triangle, triangulated

if TYPE_CHECKING:
    from matplotlib.animation import Animation
    from xarray import Dataset

_SHOTS = ("snapshot_step", "snapshot_profile", "resource", "resource_points", "row_label")
_ALSO = ("resource", "resource_points", "row_label", "profile", "claim")
POSITION = {True: "position", False: "position, not certified"}
BARS_COLOUR = "#A5A29A"  # darker than the resource's usual grey, because nothing is drawn in front of it
BARS, FEW = 400, 6  # above BARS points an outline; below FEW, in the plane or a triangle, bars


def resource(data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None) -> Axes:
    """Draw the weights of the resource: bars on a line, a heat map in the plane or in a triangle.

    Parameters
    ----------
    data
        Holds ``resource [point]`` at ``resource_points``.
    ax
        Axes to draw on; those of a new figure otherwise.
    at
        The point of a sweep, by its coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

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
    with canvas(ax) as axes:
        found = point(data, "resource", 1, ("resource_points",), at=at)
        where, weights = coordinates(found), found.arrays["resource"]
        if _few(where):
            _groups(axes, weights[None], ["resource"], "resource (weight of a point)")
        elif where.shape[1] == 1:
            _bars(axes, where[:, 0], weights)
        else:
            axes = triangle(axes) if where.shape[1] == 3 else axes
            mesh = heat(axes, where, weights, "Greys")
            box = BESIDE if where.shape[1] == 3 else (1.03, 0.0, 0.04, 1.0)
            add_colour_bar(axes, mesh, "resource (weight of a point)", box)
            if where.shape[1] == 2:
                _plane_names(axes)
        caption(axes, found.words, f"{len(weights)} points, total {weights.sum():.6g}")
        legend(axes)
        return axes


def _bars(axes: Axes, where: np.ndarray, weights: np.ndarray) -> None:
    order = np.argsort(where, kind="stable")
    where, weights = where[order], weights[order]
    if len(where) <= BARS:
        wide = np.gradient(where) if len(where) > 1 else 1.0
        axes.bar(where, weights, width=0.9 * wide, color=BARS_COLOUR, linewidth=0)
    else:
        axes.fill_between(where, weights, color=BARS_COLOUR, linewidth=0)
    axes.set_ylim(bottom=min(0.0, float(weights.min())))
    axes.set_xlabel("position (units of the space)")
    axes.set_ylabel("resource (weight of a point)")


def influence(
    data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None, separate: bool = False
) -> Axes:
    """Draw the influence of every player over the space.

    In the plane and in a triangle contours lie at 1/4, 1/2 and 3/4 of a row's range.

    Parameters
    ----------
    data
        Holds ``influence [row point]`` at ``resource_points``; ``resource``, ``profile`` and ``claim``
        where stored.
    ax
        Axes to draw on; those of a new figure otherwise.
    at
        The point of a sweep, by its coordinates; the first otherwise.
    separate
        Draw a heat map per row.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If the points have more than three coordinates.
    """
    return _rows(data, ax, at, "influence", "influence (relative units)", separate)


def shares(
    data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None, separate: bool = False
) -> Axes:
    """Draw every player's share of the resource over the space.

    In the plane and in a triangle the players' colours are mixed in proportion.

    Parameters
    ----------
    data
        Holds ``shares [row point]`` at ``resource_points``; ``resource``, ``profile`` and ``claim`` where
        stored.
    ax
        Axes to draw on; those of a new figure otherwise.
    at
        The point of a sweep, by its coordinates; the first otherwise.
    separate
        Draw a heat map per row.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If the points have more than three coordinates.
    """
    return _rows(data, ax, at, "shares", "share of the resource (fraction)", separate)


def _rows(
    data: Dataset, ax: Axes | None, at: Mapping[str, Any] | None, name: str, label: str, separate: bool
) -> Axes:
    with canvas(ax) as axes:
        found = point(data, name, 2, _ALSO, at=at)
        dimensions = coordinates(found).shape[1]
        if _few(coordinates(found)):
            _groups(axes, found.arrays[name], row_labels(found, len(found.arrays[name])), label)
        elif separate and dimensions > 1:
            _one_by_one(axes, found, name, label)
        elif dimensions == 1:
            _on_the_line(axes, found, name, label)
        else:
            axes = triangle(axes) if dimensions == 3 else axes
            (_contours if name == "influence" else _mixture)(axes, found)
        caption(axes, found.words)
        legend(axes)
        return axes


def coordinates(found: DrawnPoint) -> np.ndarray:
    """Return the resource points ``[point coordinate]``. Raises `ValueError`."""
    where = found.arrays.get("resource_points")
    if where is None:
        raise ValueError("data: no variable 'resource_points', the places of the resource")
    where = where[:, None] if where.ndim == 1 else where
    if where.shape[1] > 3:
        raise ValueError(f"resource_points: {where.shape[1]} coordinates; at most three can be drawn")
    if where.shape[1] == 3 and not np.allclose(where.sum(axis=1), 1.0):
        raise ValueError(
            "resource_points: 3 coordinates; only one or two can be drawn, or three that add up to 1"
        )
    return where


def row_labels(found: DrawnPoint, count: int) -> list[str]:
    """Return the names of the rows, as stored or by number."""
    names = found.arrays.get("row_label")
    return [f"row {k}" for k in range(count)] if names is None else [str(name) for name in names]


def _few(where: np.ndarray) -> bool:
    """Return whether there are so few points, such as the corners of a simplex, that bars are drawn."""
    return where.shape[1] > 1 and len(where) < FEW


def _groups(axes: Axes, rows: np.ndarray, labels: list[str], label: str) -> None:
    """Draw bars of ``rows [row point]``, one group per point."""
    count = rows.shape[1]
    wide = 0.8 / len(rows)
    for k, (row, text, colour) in enumerate(zip(rows, labels, colours(len(rows)), strict=True)):
        beside = np.arange(count) + (k - (len(rows) - 1) / 2) * wide
        axes.bar(beside, row, 0.9 * wide, color=colour, label=text)
    axes.set_xticks(range(count), [f"point {k}" for k in range(count)])
    axes.set_xlabel("point of the resource")
    axes.set_ylabel(label)
    axes.grid(False, axis="x")


def _on_the_line(axes: Axes, found: DrawnPoint, name: str, label: str) -> None:
    where, rows = coordinates(found)[:, 0], found.arrays[name]
    order = np.argsort(where, kind="stable")
    top = 1.0 if name == "shares" else float(np.nanmax(rows))
    if (weights := found.arrays.get("resource")) is not None:
        height = weights[order] / weights.max() * top
        axes.fill_between(
            where[order], height, color=RESOURCE, linewidth=0, label="resource (scaled)", zorder=0
        )
    shades = colours(len(rows))
    for row, text, colour, wide in zip(
        rows, row_labels(found, len(rows)), shades, widths(len(rows)), strict=True
    ):
        axes.plot(where[order], row[order], color=colour, linewidth=wide, label=text)
    if (profile := found.arrays.get("profile")) is not None:
        certified = found.is_certified()
        for player, colour in enumerate(shades[: len(profile)]):
            mark = end_marker(certified, colour)
            mark["markersize"] = 4 + 2 * widths(len(profile))[player]  # equal positions stay visible
            axes.plot(profile[player, 0], 0, "^", clip_on=False, zorder=5, **mark)
        axes.plot([], [], "^", label=POSITION[certified], **end_marker(certified, INK))
    if name == "shares":
        axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("position (units of the space)")
    axes.set_ylabel(label)


def heat(axes: Any, where: np.ndarray, values: np.ndarray, colour_map: str, **scale: Any) -> Any:
    """Draw values ``[point]`` at ``where [point 2]``, or ``[point 3]`` in ternary axes, as a heat map."""
    if where.shape[1] == 2 and (grid := _grid(where)) is not None:
        x, y, order = grid
        return axes.pcolormesh(
            x, y, values[order].reshape(len(y), len(x)), shading="nearest", cmap=colour_map, **scale
        )
    triangulated(where)
    return axes.tripcolor(*where.T, values, shading="gouraud", cmap=colour_map, rasterized=True, **scale)


def _grid(where: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return the two sides of a full grid and the points' order in it, or None if they form no grid."""
    x, y = np.unique(where[:, 0]), np.unique(where[:, 1])
    if len(x) * len(y) != len(where):
        return None
    return x, y, np.lexsort((where[:, 0], where[:, 1]))


def _one_by_one(axes: Axes, found: DrawnPoint, name: str, label: str) -> None:
    """Draw a heat map per row, all on one scale."""
    where, rows = coordinates(found), found.arrays[name]
    top = 1.0 if name == "shares" else float(np.nanmax(rows))
    projection = "ternary" if where.shape[1] == 3 else None
    if projection:
        import mpltern  # noqa: F401  # registers the projection
    small = panels(axes, len(rows), projection=projection)
    certified = found.is_certified()
    profile = found.arrays.get("profile", np.empty((0, where.shape[1])))
    for k, (panel, row, text) in enumerate(zip(small, rows, row_labels(found, len(rows)), strict=True)):
        mesh = heat(panel, where, row, "cividis", vmin=0.0, vmax=top)
        mark = end_marker(certified, PALETTE[1])
        for place in profile[k : k + 1]:
            panel.plot(*place[: where.shape[1], None], "o", markersize=5, zorder=5, **mark)
        panel.set_title(text)
        if projection is None:
            panel.set_aspect("equal")
    add_colour_bar(axes, mesh, label, (1.02, 0.1, 0.025, 0.8))


def _contours(axes: Any, found: DrawnPoint) -> None:
    where, rows = coordinates(found), found.arrays["influence"]
    empty: list[list[float]] = [[]] * where.shape[1]
    if (weights := _uneven(found)) is not None:
        axes.tricontourf(*where.T, weights, levels=8, cmap="Greys", alpha=0.5)
        axes.plot(*empty, "s", color="#AAAAAA", label="resource")
    shades = colours(len(rows))
    for row, text, colour in zip(rows, row_labels(found, len(rows)), shades, strict=True):
        if row.max() > row.min():
            levels = row.min() + (row.max() - row.min()) * np.array([0.25, 0.5, 0.75])
            axes.tricontour(*where.T, row, levels=levels, colors=[colour], linewidths=1.2)
        axes.plot(*empty, color=colour, label=text)
    _positions(axes, found, shades)


def _mixture(axes: Any, found: DrawnPoint) -> None:
    where, rows = coordinates(found), found.arrays["shares"]
    shades = colours(len(rows))
    empty: list[list[float]] = [[]] * where.shape[1]
    mixed = np.clip(rows.T @ np.array([to_rgb(colour) for colour in shades]), 0, 1)
    pale = 0.35 + 0.65 * mixed  # keeps markers and contours visible
    grid = _grid(where) if where.shape[1] == 2 else None
    if grid is not None:
        x, y, order = grid
        axes.pcolormesh(x, y, pale[order].reshape(len(y), len(x), 3), shading="nearest")
    elif where.shape[1] == 3:
        faces = triangulated(where).triangles
        mesh = axes.tripcolor(*where.T, rows[0], triangles=faces)
        mesh.set_array(None)
        mesh.set_facecolor(pale[faces].mean(axis=1))
    else:
        axes.scatter(*where.T, c=pale, marker="s", s=30)
    if (weights := _uneven(found)) is not None:
        axes.tricontour(*where.T, weights, levels=6, colors=[INK], linewidths=0.6, alpha=0.7)
        axes.plot(*empty, color=INK, linewidth=0.6, label="resource")
    for colour, text in zip(shades, row_labels(found, len(rows)), strict=True):
        axes.plot(*empty, "s", color=colour, label=f"share of {text}")
    _positions(axes, found, shades)


def _uneven(found: DrawnPoint) -> np.ndarray | None:
    """Return the resource, or None if it is uniform or missing."""
    weights = found.arrays.get("resource")
    return None if weights is None or weights.max() == weights.min() else weights


def _positions(axes: Any, found: DrawnPoint, shades: list[str]) -> None:
    profile, certified = found.arrays.get("profile"), found.is_certified()
    count = coordinates(found).shape[1]
    if profile is not None:
        for place, colour in zip(profile, shades, strict=False):
            mark = end_marker(certified, colour)
            axes.plot(*place[:count, None], "o", markersize=8, zorder=5, label="_", **mark)
        axes.plot(*[[]] * count, "o", markersize=8, label=POSITION[certified], **end_marker(certified, INK))
    if count == 2:
        _plane_names(axes)


def _plane_names(axes: Axes) -> None:
    axes.set_xlabel("position, axis 0 (units of the space)")
    axes.set_ylabel("position, axis 1 (units of the space)")
    axes.set_aspect("equal")
    axes.grid(False)


def snapshots(data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None) -> Axes:
    """Draw influence and positions at selected steps of a path, a panel per step.

    In the plane and in a triangle contours lie at half of a row's range.

    Parameters
    ----------
    data
        Holds ``snapshot_influence [snapshot row point]``; ``snapshot_profile`` and ``snapshot_step`` where
        stored.
    ax
        Axes to draw on; those of a new figure otherwise.
    at
        The point of a sweep, by its coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If the points have more than three coordinates.
    """
    with canvas(ax) as axes:
        found = point(data, "snapshot_influence", 3, _SHOTS, at=at)
        influence = found.arrays["snapshot_influence"]
        count = coordinates(found).shape[1]
        small = panels(axes, len(influence), projection=_projection(count))
        for k, panel in enumerate(small):
            _draw(panel, found, k)
        for colour, text in zip(
            colours(influence.shape[1]), row_labels(found, influence.shape[1]), strict=True
        ):
            axes.plot([], [], color=colour, linewidth=3, label=text)
        axes.plot([], [], "^" if count == 1 else "o", color=INK, label="position")
        if count == 1 and "resource" in found.arrays:
            axes.fill_between([], [], color=RESOURCE, label="resource (scaled)")
        axes.set_xlabel("position (units of the space)")
        axes.set_ylabel("influence (relative units)")
        caption(axes, found.words)
        legend(axes)
        return axes


def animate(
    data: Dataset,
    path: str | os.PathLike[str] | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    rate: int = 2,
) -> Animation:
    """Return an animation of the snapshots, ``rate`` per second; write it to ``path``, a GIF, if given.

    Raises `ValueError` if ``path`` is not a GIF or ``rate`` is below one.
    """
    from matplotlib import rc_context
    from matplotlib.animation import FuncAnimation, PillowWriter
    from matplotlib.figure import Figure

    if rate < 1:
        raise ValueError(f"rate: {rate} must be at least 1")
    if path is not None and not os.fspath(path).lower().endswith(".gif"):
        raise ValueError(f"path: {os.fspath(path)} must end in .gif")
    found = point(data, "snapshot_influence", 3, _SHOTS, at=at)
    with rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        panel = figure.add_subplot(projection=_projection(coordinates(found).shape[1]))

    def frame(k: int) -> list[Any]:
        with rc_context(STYLE):
            panel.clear()
            _draw(panel, found, k)
        return []

    frames = len(found.arrays["snapshot_influence"])
    made = FuncAnimation(figure, frame, frames=frames, interval=1000 / rate, init_func=list)
    if path is not None:
        made.save(os.fspath(path), writer=PillowWriter(fps=rate))
    return made


def _projection(count: int) -> str | None:
    if count != 3:
        return None
    import mpltern  # noqa: F401  # registers the projection

    return "ternary"


def _draw(panel: Any, found: DrawnPoint, k: int) -> None:
    """Draw one snapshot."""
    arrays = found.arrays
    where, rows = coordinates(found), arrays["snapshot_influence"][k]
    shades = colours(len(rows))
    steps = arrays.get("snapshot_step")
    panel.set_title(f"snapshot {k}" if steps is None else f"step {steps[k]}")
    if where.shape[1] == 1:
        _line(panel, where[:, 0], rows, arrays, shades)
    else:
        for row, colour in zip(rows, shades, strict=True):
            if row.max() > row.min():
                half = [(row.min() + row.max()) / 2]
                panel.tricontour(*where.T, row, levels=half, colors=[colour], linewidths=1.2)
    for place, colour in zip(
        arrays["snapshot_profile"][k] if "snapshot_profile" in arrays else (), shades, strict=False
    ):
        if where.shape[1] == 1:
            panel.plot(place[0], 0, "^", color=colour, markersize=6, clip_on=False, zorder=5)
        else:
            panel.plot(*place[: where.shape[1], None], "o", color=colour, markersize=5, zorder=5)
    if where.shape[1] == 2:
        panel.set_aspect("equal")
        panel.set_xlim(where[:, 0].min(), where[:, 0].max())
        panel.set_ylim(where[:, 1].min(), where[:, 1].max())


def _line(
    panel: Axes, where: np.ndarray, rows: np.ndarray, arrays: Mapping[str, np.ndarray], shades: list[str]
) -> None:
    order = np.argsort(where, kind="stable")
    top = float(np.nanmax(arrays["snapshot_influence"]))
    if (weights := arrays.get("resource")) is not None:
        panel.fill_between(where[order], weights[order] / weights.max() * top, color=RESOURCE, linewidth=0)
    for row, colour in zip(rows, shades, strict=True):
        panel.plot(where[order], row[order], color=colour, linewidth=1.2)
    panel.set_ylim(-0.02 * top, 1.05 * top)

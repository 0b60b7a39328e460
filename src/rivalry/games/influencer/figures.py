"""Figures of influencer games: resource, influence and shares over the space; snapshots along a path.

Each chart is drawn on a line, in the plane or in a triangle, depending on the space.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from rivalry.plots.select import At, DrawnPoint, point
from rivalry.plots.style import (
    INK,
    PALETTE,
    RESOURCE,
    SIZE,
    STYLE,
    add_colour_bar,
    caption,
    chart,
    colours,
    end_marker,
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


@chart
def resource(data: Dataset, ax: Axes, *, at: At = None) -> Axes:
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
    found = point(data, "resource", 1, ("resource_points",), at=at)
    where, weights = coordinates(found), found["resource"]
    if _few(where):
        _groups(ax, weights[None], ["resource"], "resource (weight of a point)")
    elif where.shape[1] == 1:
        _bars(ax, where[:, 0], weights)
    else:
        ax = triangle(ax) if where.shape[1] == 3 else ax
        mesh = heat(ax, where, weights, "Greys")
        box = BESIDE if where.shape[1] == 3 else (1.03, 0.0, 0.04, 1.0)
        add_colour_bar(ax, mesh, "resource (weight of a point)", box)
        if where.shape[1] == 2:
            _plane_names(ax)
    caption(ax, found.words, f"{len(weights)} points, total {weights.sum():.6g}")
    return ax


def _bars(ax: Axes, where: np.ndarray, weights: np.ndarray) -> None:
    order = np.argsort(where, kind="stable")
    where, weights = where[order], weights[order]
    if len(where) <= BARS:
        wide = np.gradient(where) if len(where) > 1 else 1.0
        ax.bar(where, weights, width=0.9 * wide, color=BARS_COLOUR, linewidth=0)
    else:
        ax.fill_between(where, weights, color=BARS_COLOUR, linewidth=0)
    ax.set_ylim(bottom=min(0.0, float(weights.min())))
    ax.set_xlabel("position (units of the space)")
    ax.set_ylabel("resource (weight of a point)")


@chart
def influence(data: Dataset, ax: Axes, *, at: At = None, separate: bool = False) -> Axes:
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


@chart
def shares(data: Dataset, ax: Axes, *, at: At = None, separate: bool = False) -> Axes:
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


def _rows(data: Dataset, ax: Axes, at: At, name: str, label: str, separate: bool) -> Axes:
    found = point(data, name, 2, _ALSO, at=at)
    dimensions = coordinates(found).shape[1]
    if _few(coordinates(found)):
        _groups(ax, found[name], row_labels(found, len(found[name])), label)
    elif separate and dimensions > 1:
        _one_by_one(ax, found, name, label)
    elif dimensions == 1:
        _on_the_line(ax, found, name, label)
    else:
        ax = triangle(ax) if dimensions == 3 else ax
        (_contours if name == "influence" else _mixture)(ax, found)
    caption(ax, found.words)
    return ax


def coordinates(found: DrawnPoint) -> np.ndarray:
    """Return the resource points ``[point coordinate]``. Raises `ValueError`."""
    where = found.get("resource_points")
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
    names = found.get("row_label")
    return [f"row {k}" for k in range(count)] if names is None else [str(name) for name in names]


def _few(where: np.ndarray) -> bool:
    """Return whether there are so few points, such as the corners of a simplex, that bars are drawn."""
    return where.shape[1] > 1 and len(where) < FEW


def _groups(ax: Axes, rows: np.ndarray, labels: list[str], label: str) -> None:
    """Draw bars of ``rows [row point]``, one group per point."""
    count = rows.shape[1]
    wide = 0.8 / len(rows)
    for k, (row, text, colour) in enumerate(zip(rows, labels, colours(len(rows)), strict=True)):
        beside = np.arange(count) + (k - (len(rows) - 1) / 2) * wide
        ax.bar(beside, row, 0.9 * wide, color=colour, label=text)
    ax.set_xticks(range(count), [f"point {k}" for k in range(count)])
    ax.set_xlabel("point of the resource")
    ax.set_ylabel(label)
    ax.grid(False, axis="x")


def _on_the_line(ax: Axes, found: DrawnPoint, name: str, label: str) -> None:
    where, rows = coordinates(found)[:, 0], found[name]
    order = np.argsort(where, kind="stable")
    top = 1.0 if name == "shares" else float(np.nanmax(rows))
    if (weights := found.get("resource")) is not None:
        height = weights[order] / weights.max() * top
        ax.fill_between(
            where[order], height, color=RESOURCE, linewidth=0, label="resource (scaled)", zorder=0
        )
    shades = colours(len(rows))
    for row, text, colour, wide in zip(
        rows, row_labels(found, len(rows)), shades, widths(len(rows)), strict=True
    ):
        ax.plot(where[order], row[order], color=colour, linewidth=wide, label=text)
    if (profile := found.get("profile")) is not None:
        certified = found.is_certified()
        for player, colour in enumerate(shades[: len(profile)]):
            mark = end_marker(certified, colour)
            mark["markersize"] = 4 + 2 * widths(len(profile))[player]  # equal positions stay visible
            ax.plot(profile[player, 0], 0, "^", clip_on=False, zorder=5, **mark)
        ax.plot([], [], "^", label=POSITION[certified], **end_marker(certified, INK))
    if name == "shares":
        ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel("position (units of the space)")
    ax.set_ylabel(label)


def heat(ax: Any, where: np.ndarray, values: np.ndarray, colour_map: str, **scale: Any) -> Any:
    """Draw values ``[point]`` at ``where [point 2]``, or ``[point 3]`` in ternary axes, as a heat map."""
    if where.shape[1] == 2 and (grid := _grid(where)) is not None:
        x, y, order = grid
        return ax.pcolormesh(
            x, y, values[order].reshape(len(y), len(x)), shading="nearest", cmap=colour_map, **scale
        )
    triangulated(where)
    return ax.tripcolor(*where.T, values, shading="gouraud", cmap=colour_map, rasterized=True, **scale)


def _grid(where: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return the two sides of a full grid and the points' order in it, or None if they form no grid."""
    x, y = np.unique(where[:, 0]), np.unique(where[:, 1])
    if len(x) * len(y) != len(where):
        return None
    return x, y, np.lexsort((where[:, 0], where[:, 1]))


def _one_by_one(ax: Axes, found: DrawnPoint, name: str, label: str) -> None:
    """Draw a heat map per row, all on one scale."""
    where, rows = coordinates(found), found[name]
    top = 1.0 if name == "shares" else float(np.nanmax(rows))
    projection = "ternary" if where.shape[1] == 3 else None
    if projection:
        import mpltern  # noqa: F401  # registers the projection
    small = panels(ax, len(rows), projection=projection)
    certified = found.is_certified()
    profile = found.get("profile", np.empty((0, where.shape[1])))
    for k, (panel, row, text) in enumerate(zip(small, rows, row_labels(found, len(rows)), strict=True)):
        mesh = heat(panel, where, row, "cividis", vmin=0.0, vmax=top)
        mark = end_marker(certified, PALETTE[1])
        for place in profile[k : k + 1]:
            panel.plot(*place[: where.shape[1], None], "o", markersize=5, zorder=5, **mark)
        panel.set_title(text)
        if projection is None:
            panel.set_aspect("equal")
    add_colour_bar(ax, mesh, label, (1.02, 0.1, 0.025, 0.8))


def _contours(ax: Any, found: DrawnPoint) -> None:
    where, rows = coordinates(found), found["influence"]
    empty: list[list[float]] = [[]] * where.shape[1]
    if (weights := _uneven(found)) is not None:
        ax.tricontourf(*where.T, weights, levels=8, cmap="Greys", alpha=0.5)
        ax.plot(*empty, "s", color="#AAAAAA", label="resource")
    shades = colours(len(rows))
    for row, text, colour in zip(rows, row_labels(found, len(rows)), shades, strict=True):
        if row.max() > row.min():
            levels = row.min() + (row.max() - row.min()) * np.array([0.25, 0.5, 0.75])
            ax.tricontour(*where.T, row, levels=levels, colors=[colour], linewidths=1.2)
        ax.plot(*empty, color=colour, label=text)
    _positions(ax, found, shades)


def _mixture(ax: Any, found: DrawnPoint) -> None:
    where, rows = coordinates(found), found["shares"]
    shades = colours(len(rows))
    empty: list[list[float]] = [[]] * where.shape[1]
    mixed = np.clip(rows.T @ np.array([to_rgb(colour) for colour in shades]), 0, 1)
    pale = 0.35 + 0.65 * mixed  # keeps markers and contours visible
    grid = _grid(where) if where.shape[1] == 2 else None
    if grid is not None:
        x, y, order = grid
        ax.pcolormesh(x, y, pale[order].reshape(len(y), len(x), 3), shading="nearest")
    elif where.shape[1] == 3:
        faces = triangulated(where).triangles
        mesh = ax.tripcolor(*where.T, rows[0], triangles=faces)
        mesh.set_array(None)
        mesh.set_facecolor(pale[faces].mean(axis=1))
    else:
        ax.scatter(*where.T, c=pale, marker="s", s=30)
    if (weights := _uneven(found)) is not None:
        ax.tricontour(*where.T, weights, levels=6, colors=[INK], linewidths=0.6, alpha=0.7)
        ax.plot(*empty, color=INK, linewidth=0.6, label="resource")
    for colour, text in zip(shades, row_labels(found, len(rows)), strict=True):
        ax.plot(*empty, "s", color=colour, label=f"share of {text}")
    _positions(ax, found, shades)


def _uneven(found: DrawnPoint) -> np.ndarray | None:
    """Return the resource, or None if it is uniform or missing."""
    weights = found.get("resource")
    return None if weights is None or weights.max() == weights.min() else weights


def _positions(ax: Any, found: DrawnPoint, shades: list[str]) -> None:
    profile, certified = found.get("profile"), found.is_certified()
    count = coordinates(found).shape[1]
    if profile is not None:
        for place, colour in zip(profile, shades, strict=False):
            mark = end_marker(certified, colour)
            ax.plot(*place[:count, None], "o", markersize=8, zorder=5, label="_", **mark)
        ax.plot(*[[]] * count, "o", markersize=8, label=POSITION[certified], **end_marker(certified, INK))
    if count == 2:
        _plane_names(ax)


def _plane_names(ax: Axes) -> None:
    ax.set_xlabel("position, axis 0 (units of the space)")
    ax.set_ylabel("position, axis 1 (units of the space)")
    ax.set_aspect("equal")
    ax.grid(False)


@chart
def snapshots(data: Dataset, ax: Axes, *, at: At = None) -> Axes:
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
    found = point(data, "snapshot_influence", 3, _SHOTS, at=at)
    influence = found["snapshot_influence"]
    count = coordinates(found).shape[1]
    small = panels(ax, len(influence), projection=_projection(count))
    for k, panel in enumerate(small):
        _draw(panel, found, k)
    for colour, text in zip(colours(influence.shape[1]), row_labels(found, influence.shape[1]), strict=True):
        ax.plot([], [], color=colour, linewidth=3, label=text)
    ax.plot([], [], "^" if count == 1 else "o", color=INK, label="position")
    if count == 1 and "resource" in found:
        ax.fill_between([], [], color=RESOURCE, label="resource (scaled)")
    ax.set_xlabel("position (units of the space)")
    ax.set_ylabel("influence (relative units)")
    caption(ax, found.words)
    return ax


def animate(
    data: Dataset, path: str | os.PathLike[str] | None = None, *, at: At = None, rate: int = 2
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

    frames = len(found["snapshot_influence"])
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
    where, rows = coordinates(found), found["snapshot_influence"][k]
    shades = colours(len(rows))
    steps = found.get("snapshot_step")
    panel.set_title(f"snapshot {k}" if steps is None else f"step {steps[k]}")
    if where.shape[1] == 1:
        _line(panel, where[:, 0], rows, found, shades)
    else:
        for row, colour in zip(rows, shades, strict=True):
            if row.max() > row.min():
                half = [(row.min() + row.max()) / 2]
                panel.tricontour(*where.T, row, levels=half, colors=[colour], linewidths=1.2)
    for place, colour in zip(
        found["snapshot_profile"][k] if "snapshot_profile" in found else (), shades, strict=False
    ):
        if where.shape[1] == 1:
            panel.plot(place[0], 0, "^", color=colour, markersize=6, clip_on=False, zorder=5)
        else:
            panel.plot(*place[: where.shape[1], None], "o", color=colour, markersize=5, zorder=5)
    if where.shape[1] == 2:
        panel.set_aspect("equal")
        panel.set_xlim(where[:, 0].min(), where[:, 0].max())
        panel.set_ylim(where[:, 1].min(), where[:, 1].max())


def _line(panel: Axes, where: np.ndarray, rows: np.ndarray, found: DrawnPoint, shades: list[str]) -> None:
    order = np.argsort(where, kind="stable")
    top = float(np.nanmax(found["snapshot_influence"]))
    if (weights := found.get("resource")) is not None:
        panel.fill_between(where[order], weights[order] / weights.max() * top, color=RESOURCE, linewidth=0)
    for row, colour in zip(rows, shades, strict=True):
        panel.plot(where[order], row[order], color=colour, linewidth=1.2)
    panel.set_ylim(-0.02 * top, 1.05 * top)

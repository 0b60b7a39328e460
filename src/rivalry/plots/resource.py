"""How influence and shares lie over the resource, on a line or in the plane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from rivalry.plots.select import Point, point
from rivalry.plots.style import INK, RESOURCE, canvas, colours, end_marker, legend, note, widths

if TYPE_CHECKING:
    from xarray import Dataset

_ALSO = ("resource", "resource_points", "row_label", "profile", "claim")


def influence(data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None) -> Axes:
    """Every row's ``influence [row point]``; in the plane as contours at 1/4, 1/2 and 3/4 of its range."""
    with canvas(ax) as axes:
        found = point(data, "influence", 2, _ALSO, at=at)
        if _coordinates(found).shape[1] == 1:
            _on_the_line(axes, found, "influence", "influence (relative units)")
        else:
            _contours(axes, found)
        note(axes, found.words)
        legend(axes)
        return axes


def shares(data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None) -> Axes:
    """Every row's ``shares [row point]`` of the resource; in the plane as a mixture of the rows' colours."""
    with canvas(ax) as axes:
        found = point(data, "shares", 2, _ALSO, at=at)
        if _coordinates(found).shape[1] == 1:
            _on_the_line(axes, found, "shares", "share of the resource there (fraction)")
            axes.set_ylim(-0.02, 1.02)
        else:
            _mixture(axes, found)
        note(axes, found.words)
        legend(axes)
        return axes


def _coordinates(found: Point) -> np.ndarray:
    """The resource points ``[point coordinate]``."""
    where = found.arrays.get("resource_points")
    if where is None:
        raise ValueError("data: no variable 'resource_points', the places of the resource")
    where = where[:, None] if where.ndim == 1 else where
    if where.shape[1] > 2:
        raise ValueError(f"resource_points: {where.shape[1]} coordinates; only one or two can be drawn")
    return where


def _labels(found: Point, count: int) -> list[str]:
    names = found.arrays.get("row_label")
    return [f"row {k}" for k in range(count)] if names is None else [str(name) for name in names]


def _on_the_line(axes: Axes, found: Point, name: str, label: str) -> None:
    where, rows = _coordinates(found)[:, 0], found.arrays[name]
    order = np.argsort(where, kind="stable")
    top = 1.0 if name == "shares" else float(np.nanmax(rows))
    if (resource := found.arrays.get("resource")) is not None:
        height = resource[order] / resource.max() * top
        axes.fill_between(
            where[order], height, color=RESOURCE, linewidth=0, label="resource (scaled)", zorder=0
        )
    shades = colours(len(rows))
    for row, text, colour, wide in zip(
        rows, _labels(found, len(rows)), shades, widths(len(rows)), strict=True
    ):
        axes.plot(where[order], row[order], color=colour, linewidth=wide, label=text)
    if (profile := found.arrays.get("profile")) is not None:
        worth = found.certified()
        for player, colour in enumerate(shades[: len(profile)]):
            mark = end_marker(bool(worth is not None and worth), colour)
            mark["markersize"] = 4 + 2 * widths(len(profile))[player]  # those in one place frame one another
            axes.plot(profile[player, 0], 0, "^", clip_on=False, zorder=5, **mark)
        axes.plot([], [], "^", label="position", **end_marker(bool(worth is not None and worth), INK))
    axes.set_xlabel("place in the resource (units of the space)")
    axes.set_ylabel(label)


def _contours(axes: Axes, found: Point) -> None:
    where, rows = _coordinates(found), found.arrays["influence"]
    if (resource := _uneven(found)) is not None:
        axes.tricontourf(where[:, 0], where[:, 1], resource, levels=8, cmap="Greys", alpha=0.5)
        axes.plot([], [], "s", color="#AAAAAA", label="resource")
    shades = colours(len(rows))
    for row, text, colour in zip(rows, _labels(found, len(rows)), shades, strict=True):
        if row.max() > row.min():
            levels = row.min() + (row.max() - row.min()) * np.array([0.25, 0.5, 0.75])
            axes.tricontour(where[:, 0], where[:, 1], row, levels=levels, colors=[colour], linewidths=1.2)
        axes.plot([], [], color=colour, label=text)
    _positions(axes, found, shades)


def _mixture(axes: Axes, found: Point) -> None:
    where, rows = _coordinates(found), found.arrays["shares"]
    shades = colours(len(rows))
    mixed = np.clip(rows.T @ np.array([to_rgb(colour) for colour in shades]), 0, 1)
    pale = 0.35 + 0.65 * mixed  # so that marks and contours stand out
    x, y = np.unique(where[:, 0]), np.unique(where[:, 1])
    if len(x) * len(y) == len(where):
        order = np.lexsort((where[:, 0], where[:, 1]))
        axes.pcolormesh(x, y, pale[order].reshape(len(y), len(x), 3), shading="nearest")
    else:
        axes.scatter(where[:, 0], where[:, 1], c=pale, marker="s", s=30)
    if (resource := _uneven(found)) is not None:
        axes.tricontour(where[:, 0], where[:, 1], resource, levels=6, colors=[INK], linewidths=0.6, alpha=0.7)
        axes.plot([], [], color=INK, linewidth=0.6, label="resource")
    for colour, text in zip(shades, _labels(found, len(rows)), strict=True):
        axes.plot([], [], "s", color=colour, label=f"share of {text}")
    _positions(axes, found, shades)


def _uneven(found: Point) -> np.ndarray | None:
    """The resource, where there is more of it in some places than in others."""
    resource = found.arrays.get("resource")
    return None if resource is None or resource.max() == resource.min() else resource


def _positions(axes: Axes, found: Point, shades: list[str]) -> None:
    profile, worth = found.arrays.get("profile"), found.certified()
    certified = worth is not None and bool(worth)
    if profile is not None:
        for player, colour in enumerate(shades[: len(profile)]):
            axes.plot(*profile[player, :2], "o", markersize=8, zorder=5, **end_marker(certified, colour))
        axes.plot([], [], "o", markersize=8, label="position", **end_marker(certified, INK))
    axes.set_xlabel("place in the resource, axis 0 (units of the space)")
    axes.set_ylabel("place in the resource, axis 1 (units of the space)")
    axes.set_aspect("equal")
    axes.grid(False)

"""Influence and positions at chosen steps of a path, side by side or one after the other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from rivalry.plots.resource import coordinates, row_labels
from rivalry.plots.select import DrawnPoint, point
from rivalry.plots.style import INK, RESOURCE, SIZE, STYLE, canvas, colours, legend, note, panels

if TYPE_CHECKING:
    from matplotlib.animation import Animation
    from xarray import Dataset

_ALSO = ("snapshot_step", "snapshot_profile", "resource", "resource_points", "row_label")


def snapshots(data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None) -> Axes:
    """Every row's influence and the players' positions at chosen steps of a path, a panel each.

    Draws ``snapshot_influence [snapshot row point]``: lines over a line, contours at half of a row's range
    in the plane and in a triangle; triangles on the line and dots elsewhere are the players.
    """
    with canvas(ax) as axes:
        found = point(data, "snapshot_influence", 3, _ALSO, at=at)
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
        axes.set_xlabel("place in the resource (units of the space)")
        axes.set_ylabel("influence (relative units)")
        note(axes, found.words)
        legend(axes)
        return axes


def animate(
    data: Dataset,
    path: str | os.PathLike[str] | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    rate: int = 2,
) -> Animation:
    """The snapshots one after the other, ``rate`` a second; written to ``path``, a GIF, where that is given.

    Raises `ValueError` for a ``path`` that is no GIF or a ``rate`` below one.
    """
    from matplotlib import rc_context
    from matplotlib.animation import FuncAnimation, PillowWriter
    from matplotlib.figure import Figure

    if rate < 1:
        raise ValueError(f"rate: {rate} must be at least 1")
    if path is not None and not os.fspath(path).lower().endswith(".gif"):
        raise ValueError(f"path: {os.fspath(path)} must end in .gif")
    found = point(data, "snapshot_influence", 3, _ALSO, at=at)
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
    """One snapshot."""
    held = found.arrays
    where, rows = coordinates(found), held["snapshot_influence"][k]
    shades = colours(len(rows))
    steps = held.get("snapshot_step")
    panel.set_title(f"snapshot {k}" if steps is None else f"step {steps[k]}")
    if where.shape[1] == 1:
        _line(panel, where[:, 0], rows, held, shades)
    else:
        for row, colour in zip(rows, shades, strict=True):
            if row.max() > row.min():
                half = [(row.min() + row.max()) / 2]
                panel.tricontour(*where.T, row, levels=half, colors=[colour], linewidths=1.2)
    for place, colour in zip(
        held["snapshot_profile"][k] if "snapshot_profile" in held else (), shades, strict=False
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
    panel: Axes, where: np.ndarray, rows: np.ndarray, held: Mapping[str, np.ndarray], shades: list[str]
) -> None:
    order = np.argsort(where, kind="stable")
    top = float(np.nanmax(held["snapshot_influence"]))
    if (weights := held.get("resource")) is not None:
        panel.fill_between(where[order], weights[order] / weights.max() * top, color=RESOURCE, linewidth=0)
    for row, colour in zip(rows, shades, strict=True):
        panel.plot(where[order], row[order], color=colour, linewidth=1.2)
    panel.set_ylim(-0.02 * top, 1.05 * top)

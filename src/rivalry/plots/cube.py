"""Three players on one line: the path of the whole profile in a cube."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from rivalry.plots.paths import ends_in_legend, walks_of
from rivalry.plots.select import point
from rivalry.plots.style import INK, PALETTE, canvas, colours, end_marker, legend, note, projected

if TYPE_CHECKING:
    from xarray import Dataset

ALONG = np.array([[-1.0, 1.0, 0.0], [-1.0, -1.0, 2.0]]) / np.sqrt([[2.0], [6.0]])
"""Two directions at right angles to the diagonal, and to each other."""


def cube(
    data: Dataset,
    ax: Axes | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    along_diagonal: bool = False,
) -> Axes:
    """The path of three players on a line as one curve in ``(x0, x1, x2)``, with the planes of equality.

    ``along_diagonal`` looks along the line on which all three coincide, which is then one point, and the
    planes on which two of them do are lines. One curve a replication. Raises `ValueError` for other numbers
    of players or axes.
    """
    with canvas(ax) as axes:
        found = point(data, "path", 3, ("path_step", "claim"), at=at, keep=("replication",))
        walks = walks_of(found, "path")
        shape = walks[0].values.shape[1:]
        if shape != (3, 1):
            raise ValueError(f"data: {shape[0]} players on {shape[1]} axes; this plot draws three on one")
        every = np.concatenate([walk.values[..., 0] for walk in walks])
        low, high = _domain(every)
        if along_diagonal:
            _outline(axes, low, high)
        else:
            axes = projected(axes, "3d")
            _planes(axes, low, high)
        for walk, colour in zip(walks, colours(len(walks)), strict=True):
            curve = walk.values[..., 0] @ ALONG.T if along_diagonal else walk.values[..., 0]
            mark = end_marker(bool(walk.certified), colour)
            axes.plot(*curve.T, color=colour, linewidth=1.3, label="path" if walk is walks[0] else "_")
            axes.plot(
                *curve[:1].T, "s", color=colour, markersize=5, label="start" if walk is walks[0] else "_"
            )
            axes.plot(*curve[-1:].T, "o", markersize=7, zorder=6, label="_", **mark)
        ends_in_legend(axes, [walk.certified for walk in walks], 2 if along_diagonal else 3)
        note(axes, found.words, f"n = {len(walks)} replications, one by one" if len(walks) > 1 else "")
        legend(axes, under=not along_diagonal)
        return axes


def _domain(every: np.ndarray) -> tuple[float, float]:
    """Equal bounds for all three; those of the unit interval where the path lies in it."""
    low, high = float(every.min()), float(every.max())
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


def _planes(axes: Any, low: float, high: float) -> None:
    for (i, j), colour in zip(combinations(range(3), 2), (PALETTE[1], PALETTE[2], PALETTE[3]), strict=True):
        sides: list[np.ndarray] = [np.empty(0)] * 3
        along, up = np.meshgrid([low, high], [low, high])
        sides[i], sides[j], sides[3 - i - j] = along, along, up
        axes.plot_surface(*sides, color=colour, alpha=0.12, edgecolor=colour, shade=False)
        axes.plot([], [], [], color=colour, alpha=0.5, linewidth=4, label=f"x{i} = x{j}")
    axes.plot([low, high], [low, high], [low, high], ":", color=INK, linewidth=1, label="all in one place")
    axes.set(xlim=(low, high), ylim=(low, high), zlim=(low, high))
    axes.set(xlabel="position of player 0", ylabel="position of player 1", zlabel="position of player 2")
    axes.view_init(elev=18, azim=-35)
    axes.set_box_aspect(None, zoom=0.95)


def _outline(axes: Axes, low: float, high: float) -> None:
    """The cube's edges and the equality planes, seen along the diagonal."""
    corners = np.array(list(product((low, high), repeat=3)))
    for one, other in combinations(corners, 2):
        if np.count_nonzero(one != other) == 1:
            axes.plot(*(np.array([one, other]) @ ALONG.T).T, color="#CCCCCC", linewidth=0.8, label="_edge")
    for (i, j), colour in zip(combinations(range(3), 2), (PALETTE[1], PALETTE[2], PALETTE[3]), strict=True):
        along = np.zeros(3)
        along[3 - i - j] = high - low
        ends = np.array([-along, along]) @ ALONG.T
        axes.plot(*ends.T, "--", color=colour, linewidth=1, label=f"x{i} = x{j}")
    axes.plot(0, 0, "+", color=INK, markersize=9, label="all in one place")
    axes.set_xlabel("(x1 - x0) / √2 (units of the space)")
    axes.set_ylabel("(2 x2 - x0 - x1) / √6 (units of the space)")
    axes.set_aspect("equal", adjustable="datalim")

"""Positions in a triangle: mixtures of three actions, a corner per action."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.tri import Triangulation

from rivalry.plots.select import DrawnPoint, check_index, point
from rivalry.plots.style import (
    INK,
    PALETTE,
    add_colour_bar,
    canvas,
    caption,
    end_marker,
    legend,
    with_projection,
)

if TYPE_CHECKING:
    from xarray import Dataset

HEIGHT = np.sqrt(3) / 2
ARROWS = 150  # at most
BRANCHES = ("branch_position", "branch", "branch_stable")
BESIDE = (1.32, 0.0, 0.04, 0.4)
"""The box of a colour bar beside a triangle, under the legend."""


def triangle(ax: Axes, what: str = "coordinate") -> Axes:
    """Return ternary axes with labels in the place of ``ax``; ``ax`` itself where it is ternary already."""
    import mpltern  # noqa: F401  # registers the projection

    axes: Any = with_projection(ax, "ternary")
    for side, k in (("t", 0), ("l", 1), ("r", 2)):
        getattr(axes, f"set_{side}label")(f"{what} {k}")
    axes.grid(True)
    axes.set_axisbelow(True)
    found: Axes = axes
    return found


def triangulated(where: np.ndarray) -> Triangulation:
    """Return triangles between points ``[point 3]`` of the simplex, drawn with unit sides.

    Raises `ValueError` for fewer than three points, or points on one line.
    """
    x, y = where[:, 2] + where[:, 0] / 2, HEIGHT * where[:, 0]
    try:
        return Triangulation(x, y)
    except (ValueError, RuntimeError):
        raise ValueError(
            f"data: {len(where)} places lie in no triangles; nothing can be drawn between them"
        ) from None


def ternary(
    data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None, player: int = 0
) -> Axes:
    """Draw one player's position on a simplex of three corners: path, end, branches and own gradient.

    Parameters
    ----------
    data
        Holds any of ``profile``, ``path``, ``branch_position`` (solid where stable, dashed where unstable)
        and ``landscape`` at ``landscape_at``, whose slope is the player's own gradient, the others' positions
        fixed. Arrows give its direction and, by colour, its size.
    ax
        Axes that the triangle takes the place of; those of a new figure otherwise.
    at
        The point of a sweep, by its coordinates; the first otherwise.
    player
        The player.

    Returns
    -------
    Axes
        The ternary axes.

    Raises
    ------
    ValueError
        If positions have other than three coordinates, or there is no such player.
    """
    with canvas(ax) as plain:
        main = next((name for name in ("profile", "branch_position", "landscape") if name in data), "profile")
        rank = {"profile": 2, "branch_position": 3, "landscape": 2}[main]
        also = ("profile", "path", "claim", "landscape", "landscape_at", *BRANCHES)
        found = point(data, main, rank, also, at=at)
        _check(found, player)
        axes = triangle(plain)
        _field(axes, found, player)
        _branches(axes, found, player)
        _way(axes, found, player)
        caption(axes, found.words, f"player {player}")
        legend(axes)
        return axes


def _check(found: DrawnPoint, player: int) -> None:
    arrays = found.arrays
    profile = arrays["profile"] if "profile" in arrays else arrays.get("branch_position", np.zeros((1, 1, 3)))
    of_landscape = "profile" not in arrays and "landscape_at" in arrays
    corners = (arrays["landscape_at"] if of_landscape else profile).shape[-1]
    if corners != 3:
        raise ValueError(
            f"data: positions have {corners} coordinates; this plot draws those with three corners"
        )
    check_index("player", player, profile.shape[-2])


def _field(axes: Any, found: DrawnPoint, player: int) -> None:
    """Draw arrows along the slope of the own payoff, one in each triangle between grid points."""
    if not {"landscape", "landscape_at"} <= set(found.arrays):
        return
    where = found.arrays["landscape_at"]
    middle, slope = slopes(where, found.arrays["landscape"][player])
    every = max(1, -(-len(middle) // ARROWS))
    middle, slope = middle[::every], slope[::every]
    size = np.linalg.norm(slope, axis=1)
    unit = 0.05 * slope / np.where(size > 0, size, 1.0)[:, None]
    look: dict[str, Any] = {"cmap": "cividis_r", "angles": "xy", "scale_units": "xy", "scale": 1}
    drawing = axes.quiver(*(middle - unit / 2).T, *unit.T, size, width=0.005, **look)
    drawing.set_clim(0.0, float(np.quantile(size, 0.9)) or 1.0)  # it may be unbounded at the edges
    add_colour_bar(axes, drawing, "gradient (payoff per unit)", BESIDE, extend="max")


def slopes(where: np.ndarray, payoff: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the centres of triangles between points ``[place 3]``, and the payoff's slope ``[triangle 3]``.

    The slope is that of the plane through a triangle's corners, along the simplex: it sums to zero.

    >>> corners = np.eye(3)
    >>> middle, slope = slopes(corners, np.array([1.0, 0.0, 0.0]))
    >>> slope.round(3).tolist()
    [[0.667, -0.333, -0.333]]
    """
    faces = triangulated(where).triangles
    corner, value = where[faces], payoff[faces]
    sides = corner[:, 1:] - corner[:, :1]  # [triangle side 3]
    rises = value[:, 1:] - value[:, :1]
    area = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    good = area > 1e-9
    slope = np.einsum("fcs,fs->fc", np.linalg.pinv(sides[good]), rises[good])
    return corner[good].mean(axis=1), slope


def _branches(axes: Any, found: DrawnPoint, player: int) -> None:
    if "branch_position" not in found.arrays:
        return
    place = found.arrays["branch_position"][:, player]
    rows = len(place)
    branch = found.arrays.get("branch", np.zeros(rows, int))
    stable = found.arrays.get("branch_stable", np.ones(rows)).astype(float) > 0.5
    for word, dash, wanted in (("stable branch", "-", stable), ("unstable branch", "--", ~stable)):
        for own in np.unique(branch):
            piece = np.where(((branch == own) & wanted)[:, None], place, np.nan)[branch == own]
            if np.isfinite(piece).any():
                axes.plot(*piece.T, dash, color=PALETTE[2])
        if wanted.any():
            axes.plot([], [], [], dash, color=PALETTE[2], label=word)


def _way(axes: Any, found: DrawnPoint, player: int) -> None:
    if "path" in found.arrays:
        path = found.arrays["path"][:, player]
        axes.plot(*path.T, color=PALETTE[0], linewidth=1.2, label="path")
        axes.plot(*path[:1].T, "s", color=PALETTE[0], markersize=4.5, label="start")
    if "profile" in found.arrays:
        certified = found.is_certified()
        for k, place in enumerate(found.arrays["profile"]):
            if k != player:
                axes.plot(*place[:, None], "x", color=INK, markeredgewidth=1.6, label="_")
        words = f"player {player}" + ("" if certified else ", not certified")
        mark = end_marker(certified, PALETTE[1])
        axes.plot(*found.arrays["profile"][player][:, None], "o", markersize=8, zorder=6, label=words, **mark)
        if len(found.arrays["profile"]) > 1:
            axes.plot([], [], [], "x", color=INK, markeredgewidth=1.6, label="other players")

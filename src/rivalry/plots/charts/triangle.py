"""Positions in a triangle: mixtures of three actions, a corner per action."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.tri import Triangulation
from xarray import Dataset

from rivalry.plots import style
from rivalry.plots.select import At, DrawnPoint, check_index, point
from rivalry.plots.style import INK, PALETTE, chart

HEIGHT = np.sqrt(3) / 2
ARROWS = 150  # at most
BRANCHES = ("branch_position", "branch", "branch_stable")
BESIDE = (1.32, 0.0, 0.04, 0.4)
"""The box of a colour bar beside a triangle, under the legend."""


def triangle(ax: Axes) -> Axes:
    """Return ternary axes with labels in the place of ``ax``; ``ax`` itself where it is ternary already."""
    import mpltern  # noqa: F401  # registers the projection

    axes: Axes = style.with_projection(ax, "ternary")
    axes.set(tlabel="coordinate 0", llabel="coordinate 1", rlabel="coordinate 2", axisbelow=True)
    axes.grid(True)
    return axes


def check_simplex(name: str, where: np.ndarray) -> None:
    """Raise `ValueError` for points ``[point 3]`` that are no mixtures of three corners."""
    if not np.allclose(where.sum(axis=1), 1.0):
        raise ValueError(f"{name}: 3 coordinates; only one or two can be drawn, or three that add up to 1")


def triangulate(where: np.ndarray) -> Triangulation:
    """Return triangles between points ``[point 3]`` of the simplex, drawn with unit sides.

    Raises `ValueError` for fewer than three points, or points on one line.
    """
    x, y = where[:, 2] + where[:, 0] / 2, HEIGHT * where[:, 0]
    try:
        return Triangulation(x, y)
    except (ValueError, RuntimeError):
        rule = f"{len(where)} places lie in no triangles; nothing can be drawn between them"
        raise ValueError(f"data: {rule}") from None


@chart
def ternary(data: Dataset, ax: Axes, *, at: At = None, player: int = 0) -> Axes:
    """Draw one player's position on a simplex of three corners: path, end, branches and own gradient.

    Parameters
    ----------
    data
        Holds any of ``profile``, ``path``, ``branch_position`` (solid where stable, dashed where unstable)
        and ``landscape`` at ``landscape_at``, whose slope is the player's own gradient, the others' positions
        fixed. Arrows give its direction and, by colour, its size.
    ax
        Axes that the triangle takes the place of; those of a new figure otherwise.
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
    main = next((name for name in ("profile", "branch_position", "landscape") if name in data), "profile")
    extras = ("profile", "path", "claim", "landscape", "landscape_at", *BRANCHES)
    selection = point(data, main, 3 if main == "branch_position" else 2, extras, at=at)
    _check(selection, player)
    ax = triangle(ax)
    _field(ax, selection, player)
    _branches(ax, selection, player)
    _way(ax, selection, player)
    style.caption(ax, selection.words, f"player {player}")
    return ax


def _check(selection: DrawnPoint, player: int) -> None:
    profile = (
        selection["profile"]
        if "profile" in selection
        else selection.get("branch_position", np.zeros((1, 1, 3)))
    )
    of_landscape = "profile" not in selection and "landscape_at" in selection
    corners = (selection["landscape_at"] if of_landscape else profile).shape[-1]
    if corners != 3:
        rule = "this plot draws those with three corners"
        raise ValueError(f"data: positions have {corners} coordinates; {rule}")
    check_index("player", player, profile.shape[-2])


def _field(ax: Axes, selection: DrawnPoint, player: int) -> None:
    """Draw arrows along the slope of the own payoff, one in each triangle between grid points."""
    if not {"landscape", "landscape_at"} <= set(selection):
        return
    where = selection["landscape_at"]
    middle, slope = slopes(where, selection["landscape"][player])
    stride = max(1, -(-len(middle) // ARROWS))
    middle, slope = middle[::stride], slope[::stride]
    size = np.linalg.norm(slope, axis=1)
    unit = 0.05 * slope / np.where(size > 0, size, 1.0)[:, None]
    look: dict[str, Any] = {"cmap": "cividis_r", "angles": "xy", "scale_units": "xy", "scale": 1}
    drawing = ax.quiver(*(middle - unit / 2).T, *unit.T, size, width=0.005, **look)
    drawing.set_clim(0.0, float(np.quantile(size, 0.9)) or 1.0)  # it may be unbounded at the edges
    style.add_colour_bar(ax, drawing, "gradient (payoff per unit)", BESIDE, extend="max")


def slopes(where: np.ndarray, payoff: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the centres of triangles between ``[grid_point 3]``, and the payoff's slope ``[triangle 3]``.

    The slope is that of the plane through a triangle's corners, along the simplex: it sums to zero.

    >>> corners = np.eye(3)
    >>> middle, slope = slopes(corners, np.array([1.0, 0.0, 0.0]))
    >>> slope.round(3).tolist()
    [[0.667, -0.333, -0.333]]
    """
    faces = triangulate(where).triangles
    corner, value = where[faces], payoff[faces]
    sides = corner[:, 1:] - corner[:, :1]  # [triangle side 3]
    rises = value[:, 1:] - value[:, :1]
    area = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    is_triangle = area > 1e-9
    slope = np.einsum("fcs,fs->fc", np.linalg.pinv(sides[is_triangle]), rises[is_triangle])
    return corner[is_triangle].mean(axis=1), slope


def _branches(ax: Axes, selection: DrawnPoint, player: int) -> None:
    if "branch_position" not in selection:
        return
    place = selection["branch_position"][:, player]
    rows = len(place)
    branch = selection.get("branch", np.zeros(rows, int))
    stable = selection.get("branch_stable", np.ones(rows)).astype(float) > 0.5
    for word, dash, mask in (("stable branch", "-", stable), ("unstable branch", "--", ~stable)):
        for number in np.unique(branch):
            piece = np.where(((branch == number) & mask)[:, None], place, np.nan)[branch == number]
            if np.isfinite(piece).any():
                ax.plot(*piece.T, dash, color=PALETTE[2])
        if mask.any():
            ax.plot([], [], [], dash, color=PALETTE[2], label=word)


def _way(ax: Axes, selection: DrawnPoint, player: int) -> None:
    if "path" in selection:
        path = selection["path"][:, player]
        ax.plot(*path.T, color=PALETTE[0], linewidth=1.2, label="path")
        ax.plot(*path[:1].T, "s", color=PALETTE[0], markersize=4.5, label="start")
    if "profile" not in selection:
        return
    profile, certified = selection["profile"][..., None], selection.is_certified()
    cross: dict[str, Any] = {"color": INK, "markeredgewidth": 1.6}
    for place in np.delete(profile, player, axis=0):
        ax.plot(*place, "x", label="_", **cross)
    mark = style.end_marker(certified, PALETTE[1]) | {"markersize": 8, "zorder": 6}
    ax.plot(*profile[player], "o", label=f"player {player}" + style.unless(certified), **mark)
    if len(profile) > 1:
        ax.plot([], [], [], "x", label="other players", **cross)

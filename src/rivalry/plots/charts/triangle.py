"""Positions in a triangle: mixtures of three actions, a corner per action."""

from __future__ import annotations

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.plots.drawing import preset, triangulate
from rivalry.plots.marks import PALETTE, TRIANGLE, Drawing, Look, Mark, Marks, places, unless
from rivalry.plots.select import At, DrawnPoint, check_index, point

ARROWS = 150  # at most
BRANCHES = ("branch_position", "branch", "branch_stable")


def check_simplex(name: str, where: ndarray) -> None:
    """Raise `ValueError` for points ``[point 3]`` that are no mixtures of three corners."""
    if not np.allclose(where.sum(axis=1), 1.0):
        raise ValueError(f"{name}: 3 coordinates; only one or two can be drawn, or three that add up to 1")


@preset
def ternary(data: Dataset, *, at: At = None, player: int = 0) -> Drawing:
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
    marks = [
        *_arrow_marks(selection, player),
        *_branch_marks(selection, player),
        *_path_marks(selection, player),
    ]
    return Drawing(marks, [TRIANGLE], [selection.words, f"player {player}"], projection="ternary")


def _check(selection: DrawnPoint, player: int) -> None:
    """Raise `ValueError` for positions with other than three coordinates, or a player that there is not."""
    if "profile" in selection:
        players, corners = selection["profile"].shape
    elif "landscape_at" in selection:
        players, corners = len(selection["landscape"]), selection["landscape_at"].shape[-1]
    else:
        players, corners = selection["branch_position"].shape[-2:]
    if corners != 3:
        rule = "this plot draws those with three corners"
        raise ValueError(f"data: positions have {corners} coordinates; {rule}")
    check_index("player", player, players)


def _arrow_marks(selection: DrawnPoint, player: int) -> Marks:
    """Return arrows along the slope of the own payoff, one in each triangle between grid points."""
    if not {"landscape", "landscape_at"} <= set(selection):
        return []
    middle, slope = slopes(selection["landscape_at"], selection["landscape"][player])
    stride = max(1, -(-len(middle) // ARROWS))
    middle, slope = middle[::stride], slope[::stride]
    # it may be unbounded at the edges
    high = float(np.quantile(np.linalg.norm(slope, axis=1), 0.9)) or 1.0
    look: Look = {"label": "gradient (payoff per unit)", "hue": "cividis_r", "width": 0.05}
    return [Mark("arrows", **places(middle), value=slope.T, low=0.0, high=high, **look)]


def slopes(where: ndarray, payoff: ndarray) -> tuple[ndarray, ndarray]:
    """Return the centres of triangles between ``[grid_point 3]``, and the payoff's slope ``[triangle 3]``.

    The slope is that of the plane through a triangle's corners, along the simplex: it sums to zero.

    >>> corners = np.eye(3)
    >>> middle, slope = slopes(corners, np.array([1.0, 0.0, 0.0]))
    >>> slope.round(3).tolist()
    [[0.667, -0.333, -0.333]]
    """
    faces = triangulate(list(where.T))
    corner, value = where[faces], payoff[faces]
    sides = corner[:, 1:] - corner[:, :1]  # [triangle side 3]
    rises = value[:, 1:] - value[:, :1]
    area = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    is_triangle = area > 1e-9
    slope = np.einsum("fcs,fs->fc", np.linalg.pinv(sides[is_triangle]), rises[is_triangle])
    return corner[is_triangle].mean(axis=1), slope


def _branch_marks(selection: DrawnPoint, player: int) -> Marks:
    """Return branches of equilibria, solid where stable and dashed elsewhere."""
    marks = Marks()
    if "branch_position" not in selection:
        return marks
    position = selection["branch_position"][:, player]
    branch = selection.get("branch", np.zeros(len(position), int))
    stable = selection.get("branch_stable", np.ones(len(position))).astype(float) > 0.5
    for label, dash, mask in (("stable branch", "-", stable), ("unstable branch", "--", ~stable)):
        look: Look = {"label": label, "linestyle": dash, "hue": PALETTE[2]}
        for number in np.unique(branch[mask]):
            piece = np.where(mask[:, None], position, np.nan)[branch == number]
            marks.append(Mark("line", **places(piece), **look))
    return marks


def _path_marks(selection: DrawnPoint, player: int) -> Marks:
    """Return the path of a player with its start and its position, and the others' positions."""
    marks = Marks()
    if "path" in selection:
        path, hue = selection["path"][:, player], PALETTE[0]
        marks.append(Mark("line", **places(path), hue=hue, linewidth=1.2, label="path"))
        marks.append(Mark("points", **places(path[:1]), hue=hue, marker="s", markersize=4.5, label="start"))
    if "profile" not in selection:
        return marks
    profile, certified = selection["profile"], selection.is_certified()
    if len(profile) > 1:
        rivals = places(np.delete(profile, player, axis=0))
        marks.append(Mark("points", **rivals, marker="X", label="other players"))
    look: Look = {"hue": PALETTE[1], "markersize": 8, "zorder": 6, "hollow": not certified}
    label = f"player {player}" + unless(selection.doubt())
    marks.append(Mark("points", **places(profile[[player]]), label=label, **look))
    return marks

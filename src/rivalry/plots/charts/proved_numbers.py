"""Numbers of equilibria that are proved for all values of a parameter, and where these are."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from xarray import Dataset

from rivalry.plots import style
from rivalry.plots.select import At, NoSuchPoint, point
from rivalry.plots.style import chart
from rivalry.text.display import key_in_words

BOXES = ("equilibrium_piece", "piece_range", "where_count", "where_decided", "where_name", "where")
UNDECIDED = "#E4E4E4"
VISIBLE = 0.005  # of the height and the width of the picture: smaller boxes and ranges are drawn as large


@chart
def proved_numbers(data: Dataset, ax: Axes, *, player: int = 0, axis: int = 0, at: At = None) -> Axes:
    """Draw boxes around the equilibria for all values of a parameter, with the number of equilibria above.

    In a box one equilibrium exists for every value of the parameter in its range. Ranges in which the number
    is undecided are grey. Boxes and ranges too small to be seen are drawn larger.

    Parameters
    ----------
    data
        Holds what `all_equilibria` finds with the option ``where``: ``equilibrium_piece [piece player axis
        end]``, ``piece_range [piece parameter end]``, ``where_range [range parameter end]``, ``where_count
        [range]`` and ``where_decided [range]``.
    player, axis
        Whose choice is drawn.

    Raises
    ------
    ValueError
        If several parameters have ranges, and for a player or an axis that the game does not have.
    """
    selection = point(data, "where_range", 3, BOXES, at=at)
    ranges, boxes = selection["where_range"], selection["equilibrium_piece"]
    if len(selection["where_name"]) != 1:
        raise NoSuchPoint(f"where_range: of {len(selection['where_name'])} parameters; must be of one")
    if not (player < boxes.shape[1] and axis < boxes.shape[2]):
        raise ValueError(f"player: there is no choice {axis} of player {player}")
    rows = np.isfinite(ranges).all(axis=(1, 2))  # without padding
    domain_start, domain_end = selection["where"][0]
    spans = [(pair[0], pair[1]) for pair in ranges[rows, 0]]
    is_decided = [bool(value) for value in selection["where_decided"][rows]]
    colours = style.colours(1)
    intervals, values = boxes[:, player, axis], selection["piece_range"][:, 0]
    stored = np.isfinite(intervals).all(axis=1)
    (low, high), (west, right) = intervals[stored].T, values[stored].T
    bottom, top = (float(low.min()), float(high.max())) if len(low) else (0.0, 1.0)
    room = 0.05 * (top - bottom) or 1.0
    thin = np.maximum(VISIBLE * (top - bottom + 2 * room) - (high - low), 0.0) / 2
    under, over = low - thin, high + thin
    corners = np.stack([west, under, right, under, right, over, west, over], axis=1).reshape(-1, 4, 2)
    ax.add_collection(PolyCollection(list(corners), facecolor=colours[0], edgecolor="none"))
    ax.fill([], [], color=colours[0], label="one equilibrium in each box, proved")
    for (begin, end), decided, count in zip(spans, is_decided, selection["where_count"][rows], strict=True):
        if not decided:
            margin = max(VISIBLE * (domain_end - domain_start) - (end - begin), 0.0) / 2
            ax.axvspan(begin - margin, end + margin, color=UNDECIDED, linewidth=0, zorder=0.5)
        elif end - begin > 0.03 * (domain_end - domain_start):
            place = (begin + end) / 2, 1.02
            ax.annotate(f"{int(count)}", place, xycoords=("data", "axes fraction"), ha="center", fontsize=9)
    if not all(is_decided):
        ax.fill([], [], color=UNDECIDED, label="number not decided")
    ax.set(xlim=(domain_start, domain_end), ylim=(bottom - room, top + room))
    ax.set_xlabel(key_in_words(str(selection["where_name"][0])))
    has_axes = boxes.shape[2] > 1
    ax.set_ylabel(f"choice{f' {axis}' * has_axes} of player {player}")
    style.caption(ax, selection.words)
    return ax

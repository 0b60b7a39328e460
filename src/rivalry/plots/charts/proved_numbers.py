"""Numbers of equilibria that are proved for all values of a parameter, and where these are."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from rivalry.plots.drawing import preset
from rivalry.plots.marks import PALETTE, Drawing, Frame, Mark, outlines
from rivalry.plots.select import At, NoSuchPoint, point
from rivalry.text.display import key_in_words

BOXES = ("equilibrium_piece", "piece_range", "where_count", "where_decided", "where_name", "where")
UNDECIDED = "#E4E4E4"
VISIBLE = 0.005  # of the height and the width of the picture: smaller boxes and ranges are drawn as large


@preset
def proved_numbers(data: Dataset, *, player: int = 0, axis: int = 0, at: At = None) -> Drawing:
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
    stored = np.isfinite(boxes[:, player, axis]).all(axis=1)  # without padding
    (low, high), (west, east) = boxes[stored, player, axis].T, selection["piece_range"][stored, 0].T
    bottom, top = (float(low.min()), float(high.max())) if len(low) else (0.0, 1.0)
    room = 0.05 * (top - bottom) or 1.0
    thin = np.maximum(VISIBLE * (top - bottom + 2 * room) - (high - low), 0.0) / 2
    corners = outlines(west, low - thin, east, high + thin)
    marks = [Mark("region", *corners, hue=PALETTE[0], label="one equilibrium in each box, proved")]
    rows = np.isfinite(ranges).all(axis=(1, 2))
    (begin, end), decided = ranges[rows, 0].T, selection["where_decided"][rows].astype(bool)
    across = float(np.ptp(selection["where"][0]))
    margin = np.maximum(VISIBLE * across - (end - begin), 0.0) / 2
    grey = np.stack([begin - margin, end + margin])[:, ~decided]
    marks.append(Mark("region", grey, hue=UNDECIDED, zorder=0.5, label="number not decided"))
    wide = decided & (end - begin > 0.03 * across)
    numbers = [f"{count:.0f}" for count in selection["where_count"][rows][wide]]
    middle = (begin + end)[wide] / 2
    marks.append(Mark("points", middle, np.full(len(middle), top + room), marker="", texts=numbers))
    choice = f"choice {axis}" if boxes.shape[2] > 1 else "choice"
    frame = Frame(
        key_in_words(str(selection["where_name"][0])),
        f"{choice} of player {player}",
        x_limits=tuple(selection["where"][0]),
        y_limits=(bottom - room, top + room),
    )
    return Drawing(marks, [frame], [selection.words])

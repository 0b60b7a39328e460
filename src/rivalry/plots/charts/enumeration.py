"""The boxes of a search for all equilibria of a game with two choices."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb
from xarray import Dataset

from rivalry.core.results import boxes_in_words, count_in_words
from rivalry.plots import style
from rivalry.plots.select import At, DrawnPoint, NoSuchPoint, point
from rivalry.plots.style import INK, chart

KINDS = {
    1: ("no equilibrium: derivatives", "#BFD9EA"),
    2: ("no equilibrium: one strategy is better throughout", "#F2C76E"),
    3: ("mirror image, not searched", "#E4E4E4"),
    4: ("around a proved point", "#8CCDB5"),
}
"""Label and colour of a box, by ``drawn_reason``; the numbers are those of the method `all_equilibria`."""
DERIVATIVES, UNDECIDED = 1, 5
SMALL = 0.01  # of the range: smaller boxes have thinner outlines
LISTS = (
    *("equilibria", "equilibrium_count", "pure_count", "complete", "boxes", "undecided"),
    *("first_order", "verdict", "equilibrium_set", "isolated_count", "certified_bound"),
)
"""What a record says of a list of equilibria with proofs."""


@chart
def enumeration(data: Dataset, ax: Axes, *, at: At = None) -> Axes:
    """Draw the boxes of a search for all equilibria, by the reason why each was not split further.

    Boxes in which a choice is at its bound are lines at the edge; undecided places have a cross. What
    derivatives cut off a box belongs to no box; it is coloured like boxes without equilibrium by derivatives
    once the search has ended, and white before.

    Parameters
    ----------
    data
        Holds ``drawn_box [drawn end coordinate]`` of two coordinates and ``drawn_reason [drawn]``. Where
        stored: ``equilibria [equilibrium player axis]``; ``first_order [point player axis]``, with
        ``verdict [point]``; ``undecided [undecided player axis end]``; ``discarded [reason]``, from which it
        is known that all boxes are drawn.

    Raises
    ------
    ValueError
        If the game has no two choices.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> halves = [[[0.0, 0.0], [0.5, 1.0]], [[0.5, 0.0], [1.0, 1.0]]]
    >>> search = xr.Dataset({"drawn_box": (("drawn", "end", "coordinate"), halves),
    ...                      "drawn_reason": ("drawn", [1, 4])})
    >>> enumeration(search).get_legend_handles_labels()[1]
    ['no equilibrium: derivatives', 'around a proved point']
    """
    selection = point(data, "drawn_box", 3, ("drawn_reason", "discarded", "status", *LISTS), at=at)
    boxes, reasons = selection["drawn_box"], selection["drawn_reason"].astype(int)
    if boxes.shape[2] != 2:
        raise NoSuchPoint(f"drawn_box: the boxes have {boxes.shape[2]} coordinate; must be two")
    # the rest of a box with an undecided place was cut off
    reasons = np.where(reasons == UNDECIDED, DERIVATIVES, reasons)
    low, high = boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)
    if selection.get("status") != "iteration limit" and np.sum(selection.get("discarded", -1)) == len(boxes):
        ax.axvspan(low[0], high[0], color=KINDS[DERIVATIVES][1], linewidth=0, zorder=0.5)
    for reason, (label, colour) in KINDS.items():
        reason_boxes = boxes[reasons == reason]
        if len(reason_boxes):
            _boxes(ax, reason_boxes, colour, high - low)
            ax.fill([], [], color=colour, label=label)
    _points(ax, selection)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    if np.allclose(high - low, (high - low)[0]):
        ax.set_aspect("equal")
    ax.grid(False)
    ax.set(xlabel=_label(data, 0), ylabel=_label(data, 1))
    lists = {name: ((), selection[name]) for name in LISTS if name in selection}
    words = (
        f"{count_in_words(lists)}{boxes_in_words([int(selection['boxes'])])}" if "boxes" in selection else ""
    )
    style.caption(ax, selection.words, words)
    return ax


def _boxes(ax: Axes, boxes: np.ndarray, colour: str, span: np.ndarray) -> None:
    """Draw boxes ``[box end coordinate]``: rectangles, or lines where one coordinate does not vary."""
    (west, bottom), (right, top) = boxes[:, 0].T, boxes[:, 1].T
    is_rectangle = (right > west) & (top > bottom)
    corners = np.stack([west, bottom, right, bottom, right, top, west, top], axis=1).reshape(-1, 4, 2)
    size = ((boxes[is_rectangle, 1] - boxes[is_rectangle, 0]) / span).min(axis=1)
    red, green, blue = to_rgb(colour)
    edge = (0.8 * red, 0.8 * green, 0.8 * blue)
    width = np.where(size > SMALL, 0.4, 0.15)
    ax.add_collection(
        PolyCollection(corners[is_rectangle], facecolor=colour, edgecolor=edge, linewidth=width)
    )
    ax.add_collection(
        LineCollection(boxes[~is_rectangle], colors=colour, linewidth=3.5, clip_on=False, zorder=3)
    )


def _points(ax: Axes, selection: DrawnPoint) -> None:
    """Mark equilibria, other first-order points and undecided places of games with two choices alone."""
    look: dict[str, Any] = {"linestyle": "none", "clip_on": False, "zorder": 5}
    places = selection.get("undecided", np.empty((0, 2, 1, 2))).mean(axis=-1)
    if (at_points := profiles_in_plane(places)).size:
        ax.plot(*at_points.T, "x", color=INK, markersize=7, label="undecided place", **look)
    if {"first_order", "verdict"} <= set(selection):
        refuted = selection["first_order"][selection["verdict"] != "equilibrium"]
        if (at_points := profiles_in_plane(refuted)).size:
            hollow = look | {"color": "white", "markeredgecolor": INK, "markeredgewidth": 1.2}
            ax.plot(
                *at_points.T, "D", markersize=6.5, label="first-order point that is no equilibrium", **hollow
            )
    if (at_points := profiles_in_plane(selection.get("equilibria"))).size:
        ax.plot(*at_points.T, "o", color=INK, markersize=7, label="equilibrium, proved", **look)


def profiles_in_plane(profiles: np.ndarray | None) -> np.ndarray:
    """Return profiles ``[point player axis]`` as points of a plane; none of games with further entries."""
    if profiles is None or np.prod(profiles.shape[1:]) != 2:
        return np.empty((0, 2))
    rows = profiles.reshape(-1, 2)
    return np.asarray(rows[np.isfinite(rows).all(axis=1)])


def _label(data: Dataset, player: int) -> str:
    """Return the label of a coordinate: of two players with one choice each, or of one player with two."""
    names = [str(name) for name in data["axis"].values] if "axis" in data.coords else []
    names_of_choices = data.attrs.get("choice_names", "").splitlines()
    if len(names) == 2 or len(names_of_choices) == 2:
        return (names if len(names) == 2 else names_of_choices)[player]
    players = [str(name) for name in data["player"].values] if "player" in data.coords else ["0", "1"]
    choice = names[0] if names and not names[0].isdigit() else "strategy"
    return f"{choice} of {f'player {player}' if players[player].isdigit() else players[player]}"

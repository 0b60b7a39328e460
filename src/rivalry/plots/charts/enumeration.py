"""The boxes of a search for all equilibria of a game with two choices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from xarray import Dataset

from rivalry.plots.drawing import preset
from rivalry.plots.marks import Drawing, Frame, Mark, Marks, outlines
from rivalry.plots.select import At, DrawnPoint, NoSuchPoint, point
from rivalry.text.display import boxes_in_words, count_in_words

KINDS = {
    1: ("no equilibrium: derivatives", "#BFD9EA"),
    2: ("no equilibrium: one strategy is better throughout", "#F2C76E"),
    3: ("mirror image, not searched", "#E4E4E4"),
    4: ("around a proved point", "#8CCDB5"),
}
"""Label and colour of a box, by ``drawn_reason``; the numbers are those of the method `all_equilibria`."""
DERIVATIVES, UNDECIDED = 1, 5
LISTS = (
    *("equilibria", "equilibrium_count", "pure_count", "complete", "boxes", "undecided"),
    *("first_order", "verdict", "equilibrium_set", "isolated_count", "certified_bound"),
)
"""Variables that a record has of a list of equilibria with proofs."""


@preset
def enumeration(data: Dataset, *, at: At = None) -> Drawing:
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
    marks = Marks()
    if selection.get("status") != "iteration limit" and np.sum(selection.get("discarded", -1)) == len(boxes):
        marks.append(Mark("region", [low[0], high[0]], hue=KINDS[DERIVATIVES][1], zorder=0.5))
    for reason, (label, hue) in KINDS.items():
        ends = boxes[reasons == reason]
        flat = (ends[:, 0] == ends[:, 1]).any(axis=1)
        if len(ends):
            marks.append(Mark("region", label=label, hue=hue))
        if not flat.all():
            corners = outlines(*ends[~flat, 0].T, *ends[~flat, 1].T)
            marks += [Mark("region", *corners, hue=hue), Mark("line", *corners, linewidth=0.3, alpha=0.3)]
        if flat.any():
            edges = outlines(*ends[flat, 0].T, *ends[flat, 1].T)
            marks.append(Mark("line", *edges, hue=hue, linewidth=3.5, clip_on=False, zorder=3))
    x, y = zip(low.tolist(), high.tolist(), strict=True)
    equal = bool(np.allclose(high - low, (high - low)[0]))
    frame = Frame(_label(data, 0), _label(data, 1), x_limits=x, y_limits=y, equal=equal, face="white")
    lists = {name: ((), selection[name]) for name in LISTS if name in selection}
    words = (
        f"{count_in_words(lists)}{boxes_in_words([int(selection['boxes'])])}" if "boxes" in selection else ""
    )
    return Drawing(marks + _points(selection), [frame], [selection.words, words])


def _points(selection: DrawnPoint) -> Marks:
    """Return equilibria, other first-order points and undecided places of games with two choices alone."""
    refuted = None
    if {"first_order", "verdict"} <= set(selection):
        refuted = selection["first_order"][selection["verdict"] != "equilibrium"]
    undecided = selection["undecided"].mean(axis=-1) if "undecided" in selection else None
    rows = (
        (undecided, "x", "undecided place", False),
        (refuted, "D", "first-order point that is no equilibrium", True),
        (selection.get("equilibria"), "o", "equilibrium, proved", False),
    )
    marks = []
    for profiles, marker, label, hollow in rows:
        if (places := profiles_in_plane(profiles)).size:
            x, y = places.T
            mark = Mark("points", x, y, marker=marker, markersize=7, label=label, hollow=hollow)
            marks.append(replace(mark, clip_on=False, zorder=5))
    return marks


def profiles_in_plane(profiles: np.ndarray | None) -> np.ndarray:
    """Return profiles ``[point player axis]`` as points of a plane; none of games with further entries."""
    if profiles is None or np.prod(profiles.shape[1:]) != 2:
        return np.empty((0, 2))
    rows = profiles.reshape(-1, 2)
    return rows[np.isfinite(rows).all(axis=1)]


def _label(data: Dataset, player: int) -> str:
    """Return the label of a coordinate: of two players with one choice each, or of one player with two."""
    names = [str(name) for name in data["axis"].values] if "axis" in data.coords else []
    names_of_choices = data.attrs.get("choice_names", "").splitlines()
    if len(names) == 2 or len(names_of_choices) == 2:
        return (names if len(names) == 2 else names_of_choices)[player]
    players = [str(name) for name in data["player"].values] if "player" in data.coords else ["0", "1"]
    choice = names[0] if names and not names[0].isdigit() else "strategy"
    return f"{choice} of {f'player {player}' if players[player].isdigit() else players[player]}"

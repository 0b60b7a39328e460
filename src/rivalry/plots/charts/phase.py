"""Payoffs of one player's deviations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xarray import Dataset

from rivalry.plots.charts.triangle import check_simplex
from rivalry.plots.drawing import preset
from rivalry.plots.marks import (
    PALETTE,
    STAR,
    TRIANGLE,
    Drawing,
    Frame,
    Look,
    Mark,
    Marks,
    places,
    player_lines,
    unless,
)
from rivalry.plots.select import At, DrawnPoint, axis_labels, check_index, point, strategy_label

PAYOFF = "own payoff (units of the game)"


@preset
def landscape(data: Dataset, *, at: At = None, player: int | None = None) -> Drawing:
    """Draw a player's payoff against its own position, the others' positions fixed.

    On a line every player is drawn; in the plane, and in the triangle of a simplex with three corners, one.

    Parameters
    ----------
    data
        Holds ``landscape [player grid_point]`` at ``landscape_at [grid_point coordinate]``. The present
        ``profile`` is a circle, filled where the ``claim`` is certified; the best response,
        ``landscape_best``, is a star.
    ax
        Axes to draw on; those of a new figure otherwise. A triangle takes their place.
    player
        The only player to draw; where one is drawn in any case, the first otherwise.

    Raises
    ------
    ValueError
        If there is no such player, or positions have more than three coordinates.
    """
    extras = ("landscape_at", "landscape_best", "landscape_best_payoff")
    selection = point(data, "landscape", 2, (*extras, "profile", "payoff", "claim", "axis_name"), at=at)
    payoff, mover = selection["landscape"], player or 0
    check_index("player", mover, len(payoff))
    grid = selection["landscape_at"].reshape(payoff.shape[1], -1)
    coordinates = grid.shape[1]
    if coordinates > 3:
        raise ValueError(f"landscape_at: {coordinates} coordinates; at most three can be drawn")
    if coordinates == 1:
        marks = _curve_marks(selection, range(len(payoff)) if player is None else [player])
        frame = Frame(strategy_label(data, 0, "own ", ", the others fixed"), PAYOFF)
        return Drawing(marks, [frame], [selection.words])
    heat = Mark("heat", **places(grid), value=payoff[mover], levels=14, hue="viridis", label=PAYOFF)
    marks = [heat, *_place_marks(selection, mover, coordinates)]
    caption = [selection.words, f"player {mover}"]
    if coordinates == 3:
        check_simplex("landscape_at", grid)
        return Drawing(marks, [TRIANGLE], caption, projection="ternary")
    names = (f"{'position, ' * name.startswith('axis')}{name}" for name in axis_labels(selection, 2))
    across, up = (f"own {name} (units of the space)" for name in names)
    frame = Frame(across, up, face="white", equal=True)
    return Drawing(marks, [frame], caption, under=True)


def _curve_marks(selection: DrawnPoint, players: Sequence[int]) -> Marks:
    """Return payoffs along a line, with the best response and the position of each player."""
    x, certified = selection["landscape_at"].reshape(-1), selection.is_certified()
    order = np.argsort(x, kind="stable")
    curves = player_lines(x[order], selection["landscape"][:, order].T).columns()
    marks = [curves[k] for k in players]
    hues = [curve.hue for curve in marks]
    looks: dict[str, tuple[str, str, Look]] = {
        "profile": (
            "payoff",
            "present profile" + unless(selection.doubt()),
            {"hollow": not certified, "zorder": 5},
        ),
        "landscape_best": ("landscape_best_payoff", "best response", STAR | {"markersize": 10, "zorder": 4}),
    }
    for name, (payoff, label, look) in looks.items():
        if {name, payoff} <= set(selection):
            x, y = selection[name][None, players, 0], selection[payoff][None, players]
            marks += [Mark("points", x, y, hue=hues, **look), Mark("points", label=label, **look)]
    return marks


def _place_marks(selection: DrawnPoint, player: int, coordinates: int) -> Marks:
    """Return the best response of a player, its position, and the others'."""
    certified, marks = selection.is_certified(), Marks()
    if "landscape_best" in selection:
        best = places(selection["landscape_best"][[player], :coordinates])
        marks.append(Mark("points", **best, label="best response", hue=PALETTE[1], **STAR))
    if "profile" not in selection:
        return marks
    profile = selection["profile"][:, :coordinates]
    label = f"position of player {player}" + unless(selection.doubt())
    marks.append(Mark("points", **places(profile[[player]]), label=label, hollow=not certified, zorder=5))
    if len(profile) > 1:
        rivals = places(np.delete(profile, player, axis=0))
        marks.append(Mark("points", **rivals, marker="X", hue="white", zorder=5))
        marks.append(Mark("points", label="other players", marker="X"))
    return marks

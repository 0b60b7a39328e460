"""Probabilities of actions along the principal branch of logit equilibria."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from rivalry.plots import select
from rivalry.plots.drawing import preset
from rivalry.plots.marks import Drawing, Frame, Look, Mark, colours, hue_keys
from rivalry.plots.select import At

ALSO = ("logit_lambda", "logit_stable", "fold_lambda", "crossing_lambda", "limit")
EVENTS = (("fold_lambda", ":", "fold"), ("crossing_lambda", "-.", "crossing of branches"))
VISIBLE = 0.01  # least change of a probability at the left end of a logarithmic scale


@preset
def logit_branch(data: Dataset, *, at: At = None) -> Drawing:
    """Draw the probability of each action against lambda on a logarithmic scale, a panel per player.

    Lines are solid where the branch is stable under the logit dynamic and dashed elsewhere. Marks at the
    right are the Nash equilibrium near its end; vertical lines are folds and crossings with other branches.

    Parameters
    ----------
    data
        Holds ``logit_profile [row player axis]`` and ``logit_lambda [row]`` of `QuantalResponse`.

    Raises
    ------
    ValueError
        If the data hold no branch here.
    """
    selection = select.point(data, "logit_profile", 3, ALSO, at=at)
    profile, x, stable = (selection[name] for name in ("logit_profile", *ALSO[:2]))
    rows = np.flatnonzero(np.isfinite(x) & (x > 0))
    # play is almost uniform over most of a logarithmic scale
    differs = np.nanmax(np.abs(profile[rows] - profile[rows[0]]), axis=(1, 2)) > VISIBLE
    rows = rows[np.argmax(differs) :]
    played = np.any(profile[rows] > 0, axis=0)  # actions that a player has
    names = [f"action {k}" for k in range(profile.shape[2])]
    if "axis" in data.coords and not all(str(name).isdigit() for name in data["axis"].values):
        names = list(map(str, data["axis"].values))
    cuts = np.flatnonzero(np.diff(stable[rows].astype(int))) + 1
    pieces = [np.append(part, rows[rows > part[-1]][:1]) for part in np.split(rows, cuts)]
    marks, end = hue_keys(names), x[rows].max()
    for is_stable in sorted({bool(stable[piece[0]]) for piece in pieces}, reverse=True):
        label, line = ("stable", "-") if is_stable else ("unstable", "--")
        marks.append(Mark("line", label=label, linestyle=line))
    for panel, limits in enumerate(selection["limit"]):
        for name, line, label in EVENTS:
            values = selection[name][np.isfinite(selection[name])]
            look: Look = {"linestyle": line, "linewidth": 0.9, "panel": panel}
            marks += [Mark("rule", [value], label=label, **look) for value in values]
        for action in np.flatnonzero(played[panel]).tolist():
            hue = colours(len(names))[action]
            for piece in pieces:
                line = "-" if stable[piece[0]] else "--"
                y = profile[piece, panel, action]
                marks.append(Mark("line", x[piece], y, hue=hue, linestyle=line, panel=panel))
            look = {"hue": hue, "clip_on": False, "zorder": 5, "panel": panel}
            marks.append(Mark("points", [end], [limits[action]], **look))
    if np.isfinite(selection["limit"]).any():
        marks.append(Mark("points", label="Nash equilibrium near the end of the branch"))
    frames = [
        Frame(
            "lambda (per unit of payoff)",
            "probability",
            title=f"player {player}",
            x_limits=(x[rows].min(), end),
            y_limits=(-0.03, 1.03),
            log="x",
        )
        for player in range(profile.shape[1])
    ]
    return Drawing(marks, frames, [selection.words], columns=2, shared=True)

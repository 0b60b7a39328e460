"""Probabilities of actions along the principal branch of logit equilibria."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from xarray import Dataset

from rivalry.plots import select, style
from rivalry.plots.metrics import set_log_scale
from rivalry.plots.select import At
from rivalry.plots.style import INK, chart

ALSO = ("logit_lambda", "logit_stable", "fold_lambda", "crossing_lambda", "limit")
EVENTS = {":": "fold_lambda", "-.": "crossing_lambda"}
VISIBLE = 0.01  # least change of a probability at the left end of a logarithmic scale


@chart
def logit_branch(data: Dataset, ax: Axes, *, log: bool = True, at: At = None) -> Axes:
    """Draw the probability of each action against lambda, a panel per player.

    Lines are solid where the branch is stable under the logit dynamic and dashed elsewhere. Marks at the
    right are the Nash equilibrium near its end; vertical lines are folds and crossings with other branches.

    Parameters
    ----------
    data
        Holds ``logit_profile [row player axis]`` and ``logit_lambda [row]`` of `QuantalResponse`.
    log
        Whether lambda is on a logarithmic scale, without uniform play at 0.

    Raises
    ------
    ValueError
        If the data hold no branch here.
    """
    selection = select.point(data, "logit_profile", 3, ALSO, at=at)
    profile, x, stable = (selection[name] for name in ("logit_profile", *ALSO[:2]))
    rows = np.flatnonzero(np.isfinite(x) & ((x > 0) | (not log)))
    # play is almost uniform over most of a logarithmic scale
    differs = np.nanmax(np.abs(profile[rows] - profile[rows[0]]), axis=(1, 2)) > VISIBLE
    rows = rows[np.argmax(differs) if log else 0 :]
    played = np.any(profile[rows] > 0, axis=0)  # actions that a player has
    names = [f"action {k}" for k in range(profile.shape[2])]
    if "axis" in data.coords and not all(str(name).isdigit() for name in data["axis"].values):
        names = list(map(str, data["axis"].values))
    shades = style.colours(len(names))
    cuts = np.flatnonzero(np.diff(stable[rows].astype(int))) + 1
    pieces = [np.append(part, rows[rows > part[-1]][:1]) for part in np.split(rows, cuts)]
    panels = style.panels(ax, profile.shape[1], columns=2)
    for player, panel in enumerate(panels):
        for action in np.flatnonzero(played[player]).tolist():
            for piece in pieces:
                line = "-" if stable[piece[0]] else "--"
                panel.plot(x[piece], profile[piece, player, action], line, color=shades[action])
            limit = selection["limit"][player, action]
            panel.plot(x[rows].max(), limit, "o", color=shades[action], clip_on=False, zorder=5)
        for dash, name in EVENTS.items():
            for value in selection[name][np.isfinite(selection[name])]:
                panel.axvline(value, color=INK, linestyle=dash, linewidth=0.9)
        set_log_scale(panel, "x", log)
        panel.set(xlim=(x[rows].min(), x[rows].max()), ylim=(-0.03, 1.03))
        panel.set_title(f"player {player}")
        panel.set_xlabel("lambda (per unit of payoff)")
    panels[0].set_ylabel("probability")
    style.name_colours(ax, names, shades)
    words = (("-", "stable"), ("--", "unstable"), (":", "fold"), ("-.", "crossing of branches"))
    visible = {"-" if stable[piece[0]] else "--" for piece in pieces}
    visible |= {line for line, name in EVENTS.items() if np.isfinite(selection[name]).any()}
    for line, word in words:
        if line in visible:
            ax.plot([], [], line, color=INK, label=word)
    if np.isfinite(selection["limit"]).any():
        ax.plot([], [], "o", color=INK, label="Nash equilibrium near the end of the branch")
    style.caption(ax, selection.words)
    return ax

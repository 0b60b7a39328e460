"""Best responses: those of two players to each other, and payoffs along sequential ones."""

from __future__ import annotations

from itertools import cycle as cycle_of
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from xarray import Dataset

from rivalry.core.results import count_in_words
from rivalry.plots import style
from rivalry.plots.charts.enumeration import LISTS, profiles_in_plane
from rivalry.plots.metrics import is_log, metric_label, set_log_scale
from rivalry.plots.select import At, DrawnPoint, check_count, point
from rivalry.plots.style import INK, MARKERS, PALETTE, chart

JUMP = 0.12  # of the range drawn: responses further apart are a jump
CYCLE = 24  # moves
TITLES = {"nash": "Nash", "stackelberg": "Stackelberg"}  # of benchmarks named after a person


@chart
def reaction(data: Dataset, ax: Axes, *, at: At = None) -> Axes:
    """Draw the best responses of two players to each other, and their intersections.

    Intersections are equilibria of the game in which the two variables alone can be changed. A jump of a best
    response is a thin dotted line, on which nothing intersects.

    Parameters
    ----------
    data
        Holds ``reaction [duellist grid_point]``, the best response of each of two players to the rival's
        ``reaction_at [duellist grid_point]``, everything else fixed. Where stored: the present profile
        ``reaction_here [duellist]``, filled where its ``claim`` is certified; the players ``reaction_player
        [duellist]``; the variable's name ``reaction_column``; benchmarks ``reaction_point [point duellist]``,
        called ``reaction_point_name [point]``; the list ``equilibria [equilibrium player axis]`` of a game of
        these two variables alone.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> curves = xr.Dataset({"reaction": (("duellist", "grid_point"), [[1.0, 0.0], [0.4, 0.6]]),
    ...                      "reaction_at": (("duellist", "grid_point"), [[0.0, 1.0], [0.0, 1.0]])})
    >>> reaction(curves).get_legend_handles_labels()[1]
    ['best response of player 0', 'best response of player 1', 'intersection']
    """
    extras = [f"reaction_{name}" for name in ("at", "here", "player", "column", "point", "point_name")]
    selection = point(data, "reaction", 2, (*extras, "claim", *LISTS), at=at)
    responses, rivals = (selection[name].astype(float) for name in ("reaction", "reaction_at"))
    if len(responses) != 2:
        raise ValueError(f"reaction: {len(responses)} players; must be two")
    responders = [int(k) for k in selection.get("reaction_player", np.arange(2))]
    log = is_log(rivals)
    # the first player's strategy is horizontal, the second's vertical
    curves = [(responses[0], rivals[0]), (rivals[1], responses[1])]
    floor = float(rivals.min()) if log else -np.inf
    clipped = [np.maximum(np.array(curve), floor) for curve in curves]
    breaks = [_breaks(curve, k, log) for k, curve in enumerate(clipped)]
    for k in range(2):
        _curve(ax, clipped[k], breaks[k], PALETTE[k], f"best response of player {responders[k]}")
    # NaN at jumps: nothing intersects the line that would bridge one
    broken = (np.insert(clipped[k], breaks[k] + 1, np.nan, axis=1) for k in range(2))
    intersections = crossings(*broken, log=log)
    if len(intersections):
        ax.plot(
            *intersections.T,
            "D",
            color=INK,
            markersize=5,
            markerfacecolor="none",
            label="intersection",
            zorder=4,
        )
    _benchmarks(ax, selection, floor)
    if (
        "equilibrium_count" in selection
        and (equilibria := profiles_in_plane(selection.get("equilibria"))).size
    ):
        words = count_in_words({name: ((), selection[name]) for name in LISTS if name in selection})
        look: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": INK, "zorder": 6}
        ax.plot(*np.maximum(equilibria, floor).T, "o", markersize=11, label=words, **look)
    if (profile := selection.get("reaction_here")) is not None:
        certified = selection.is_certified()
        words = "present profile" + style.unless(certified)
        mark = style.end_marker(certified, INK) | {"zorder": 5, "clip_on": False}
        ax.plot(*np.maximum(profile, floor), "o", label=words, **mark)
    for axis in "xy":
        set_log_scale(ax, axis, log)
    column = metric_label(str(selection.get("reaction_column", "strategy")))
    ax.set(xlabel=f"{column} of player {responders[0]}", ylabel=f"{column} of player {responders[1]}")
    style.caption(ax, selection.words, "0 lies on the edge" if log and (responses <= 0).any() else "")
    return ax


def _benchmarks(ax: Axes, selection: DrawnPoint, floor: float) -> None:
    """Draw named points, each with its own marker."""
    places = selection.get("reaction_point", np.empty((0, 2))).astype(float)
    names = selection.get("reaction_point_name", np.arange(len(places)))
    marks = zip(MARKERS[1:], PALETTE[2:], strict=False)
    for place, name, (marker, colour) in zip(places, names, cycle_of(marks), strict=False):
        if np.all(np.isfinite(place)):
            label = f"{TITLES.get(str(name), name)} ({place[0]:.4g}, {place[1]:.4g})"
            ax.plot(*np.maximum(place, floor), marker, color=colour, markersize=9, label=label, zorder=3)


def _breaks(curve: np.ndarray, row: int, log: bool) -> np.ndarray:
    """Return the indices of a curve ``[2 grid_point]`` after which the response in ``row`` is far away.

    With few points there are none.
    """
    if curve.shape[1] < 1 / JUMP:
        return np.array([], int)
    where = np.log(curve) if log else curve
    span = float(np.ptp(where, axis=1).max())
    return np.flatnonzero(np.abs(np.diff(where[row])) > JUMP * span)


def _curve(ax: Axes, curve: np.ndarray, breaks: np.ndarray, colour: str, label: str) -> None:
    """Draw a curve ``[2 grid_point]`` with dotted discontinuities."""
    for k in breaks:
        ax.plot(*curve[:, k : k + 2], ":", color=colour, linewidth=1.0, label="_jump")
    for piece in np.split(np.arange(curve.shape[1]), breaks + 1):
        ax.plot(*curve[:, piece], color=colour, label="_response")
    ax.plot([], [], color=colour, label=label)


def crossings(curve: np.ndarray, rival_curve: np.ndarray, *, log: bool = False) -> np.ndarray:
    """Return the crossings ``[crossing 2]`` of polygons ``[2 grid_point]``; ``log``: straight in logarithms.

    NaN breaks a polygon: discontinuous responses do not intersect in between.

    >>> crossings(np.array([[0.0, 2.0], [0.0, 2.0]]), np.array([[0.0, 2.0], [2.0, 0.0]])).tolist()
    [[1.0, 1.0]]
    """
    polygon, rival_polygon = (np.log(line) if log else line for line in (curve, rival_curve))
    a, b = polygon[:, :-1, None], rival_polygon[:, None, :-1]
    u, v = np.diff(polygon)[:, :, None], np.diff(rival_polygon)[:, None, :]
    determinant = u[0] * v[1] - u[1] * v[0]
    offsets = b - a
    with np.errstate(divide="ignore", invalid="ignore"):
        s = (offsets[0] * v[1] - offsets[1] * v[0]) / determinant
        t = (offsets[0] * u[1] - offsets[1] * u[0]) / determinant
    meet = (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1)  # those that are parallel compare false
    rows, _ = np.nonzero(meet)
    places = (polygon[:, rows] + s[meet] * (polygon[:, rows + 1] - polygon[:, rows])).T
    places = places[_unique_rows(places)]
    return np.asarray(np.exp(places) if log else places)


def _unique_rows(places: np.ndarray) -> list[int]:
    """Return one of every group of equal points: a curve's corner belongs to two of its pieces."""
    indices: list[int] = []
    for k, place in enumerate(places):
        if not np.isclose(place, places[indices], rtol=1e-9, atol=1e-9).all(axis=1).any():
            indices.append(k)
    return indices


@chart
def cycle(data: Dataset, ax: Axes, *, at: At = None, last: int = CYCLE) -> Axes:
    """Draw payoffs along sequential best responses, and below them the gain of the player that moved.

    Parameters
    ----------
    data
        Holds ``move_payoff [move player]``, ``move_gain [move]`` and ``move_player [move]``. Where
        ``cycle_rounds`` is above 0, the moves repeat after so many rounds, and one period is shaded.
    last
        The number of moves that are drawn, up to the last.

    Returns
    -------
    Axes
        The upper axes.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> moves = xr.Dataset({"move_payoff": (("move", "player"), np.zeros((4, 2))),
    ...                     "move_gain": ("move", np.ones(4)), "move_player": ("move", [0, 1, 0, 1])})
    >>> cycle(moves).get_ylabel()
    'payoff\\n(units of the game)'
    """
    check_count("last", last)
    selection = point(data, "move_payoff", 2, ("move_gain", "move_player", "cycle_rounds"), at=at)
    payoff, mover = selection["move_payoff"], selection["move_player"].astype(int)
    moves = np.arange(len(payoff))[-last:]
    players = payoff.shape[1]
    for k, look in enumerate(style.player_lines(players)):
        ax.plot(moves, payoff[moves, k], drawstyle="steps-post", **look)
        player_moves = moves[mover[moves] == k]
        ax.plot(
            player_moves, payoff[player_moves, k], "o", color=look["color"], markersize=4.5, label="_mover"
        )
    ax.plot([], [], "o", color=INK, markersize=4.5, label="payoff of the player moving")
    low, shades = style.lower_axes(ax, 1)[0], style.colours(players)
    low.bar(moves, selection["move_gain"][moves], 0.7, color=[shades[k] for k in mover[moves]])
    low.axhline(0.0, color=INK, linewidth=0.9)
    low.xaxis.set_major_locator(MaxNLocator(integer=True))
    turn = int(selection.get("cycle_rounds", 0)) * players
    if turn > 0:
        for panel in (ax, low):
            end = moves[-1] + 0.5
            panel.axvspan(end - turn, end, color=INK, alpha=0.07, linewidth=0, label="_turn")
        ax.fill([], [], color=INK, alpha=0.12, label=f"one period of the cycle ({turn} moves)")
    low.set_xlabel("move")
    ax.set_ylabel("payoff\n(units of the game)")
    low.set_ylabel("gain of the\nplayer moving")
    part = f"the last {len(moves)} of {len(payoff)} moves" if len(moves) < len(payoff) else ""
    style.caption(ax, selection.words, part)
    return ax

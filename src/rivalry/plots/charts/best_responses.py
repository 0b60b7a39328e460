"""Best responses: those of two players to each other, and payoffs along sequential ones."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle as cycle_of

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.plots.charts.enumeration import LISTS, profiles_in_plane
from rivalry.plots.drawing import preset
from rivalry.plots.marks import MARKERS, PALETTE, Drawing, Frame, Mark, colours, player_lines, unless
from rivalry.plots.metrics import is_log, metric_label
from rivalry.plots.select import At, point
from rivalry.text.display import count_in_words

JUMP = 0.12  # of the range drawn: responses further apart are a jump
CYCLE = 24  # moves
TITLES = {"nash": "Nash", "stackelberg": "Stackelberg"}  # of benchmarks named after a person


@preset
def reaction(data: Dataset, *, at: At = None) -> Drawing:
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
    # NaN at jumps: nothing intersects the line that would bridge one
    broken = [np.insert(clipped[k], breaks[k] + 1, np.nan, axis=1) for k in range(2)]
    marks = list[Mark]()
    for k, hue in enumerate(PALETTE[:2]):
        label = f"best response of player {responders[k]}"
        for place in breaks[k]:
            x, y = clipped[k][:, place : place + 2]
            marks.append(Mark("line", x, y, hue=hue, linestyle=":", linewidth=1.0))
        marks.append(Mark("line", broken[k][0], broken[k][1], hue=hue, label=label))
    x, y = crossings(broken[0], broken[1], log=log).T
    if len(x):
        marks.append(
            Mark("points", x, y, label="intersection", marker="D", markersize=5, hollow=True, zorder=4)
        )
    places = selection.get("reaction_point", np.empty((0, 2))).astype(float)
    names = selection.get("reaction_point_name", np.arange(len(places)))
    looks = zip(MARKERS[1:], PALETTE[2:], strict=False)
    for place, name, (marker, hue) in zip(places, names, cycle_of(looks), strict=False):
        if np.isfinite(place).all():
            label = f"{TITLES.get(str(name), name)} ({place[0]:.4g}, {place[1]:.4g})"
            x, y = np.maximum(place, floor)[:, None]
            marks.append(Mark("points", x, y, label=label, hue=hue, marker=marker, markersize=9, zorder=3))
    equilibria = profiles_in_plane(selection.get("equilibria"))
    if "equilibrium_count" in selection and equilibria.size:
        words = count_in_words({name: ((), selection[name]) for name in LISTS if name in selection})
        x, y = np.maximum(equilibria, floor).T
        marks.append(Mark("points", x, y, label=words, markersize=11, hollow=True, zorder=2.5))
    if (profile := selection.get("reaction_here")) is not None:
        certified = selection.is_certified()
        x, y = np.maximum(profile, floor)[:, None]
        words = "present profile" + unless(selection.doubt())
        marks.append(Mark("points", x, y, label=words, hollow=not certified, zorder=5, clip_on=False))
    column = metric_label(str(selection.get("reaction_column", "strategy")))
    across, up = (f"{column} of player {k}" for k in responders)
    note = "0 lies on the edge" if log and (responses <= 0).any() else ""
    return Drawing(marks, [Frame(across, up, log="xy" if log else "")], [selection.words, note])


def _breaks(curve: ndarray, row: int, log: bool) -> ndarray:
    """Return the indices of a curve ``[2 grid_point]`` after which the response in ``row`` is far away.

    With few points there are none.
    """
    if curve.shape[1] < 1 / JUMP:
        return np.array([], int)
    where = np.log(curve) if log else curve
    span = float(np.ptp(where, axis=1).max())
    return np.flatnonzero(np.abs(np.diff(where[row])) > JUMP * span)


def crossings(curve: ndarray, rival_curve: ndarray, *, log: bool = False) -> ndarray:
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
    return np.exp(places) if log else places


def _unique_rows(places: ndarray) -> list[int]:
    """Return one of every group of equal points: a curve's corner belongs to two of its pieces."""
    indices: list[int] = []
    for k, place in enumerate(places):
        if not np.isclose(place, places[indices], rtol=1e-9, atol=1e-9).all(axis=1).any():
            indices.append(k)
    return indices


@preset
def cycle(data: Dataset, *, at: At = None) -> Drawing:
    """Draw payoffs along the last sequential best responses, and below them the gain of the mover.

    Parameters
    ----------
    data
        Holds ``move_payoff [move player]``, ``move_gain [move]`` and ``move_player [move]``. Where
        ``cycle_rounds`` is above 0, the moves repeat after so many rounds, and one period is shaded.

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
    selection = point(data, "move_payoff", 2, ("move_gain", "move_player", "cycle_rounds"), at=at)
    payoff, mover = selection["move_payoff"], selection["move_player"].astype(int)
    moves = np.arange(len(payoff))[-CYCLE:]
    hues, end = colours(payoff.shape[1]), moves[-1] + 0.5
    marks = [player_lines(moves, payoff[moves], drawstyle="steps-post")]
    for k, hue in enumerate(hues):
        of_player = moves[mover[moves] == k]
        marks.append(Mark("points", of_player, payoff[of_player, k], hue=hue, markersize=4.5))
        marks.append(Mark("bars", of_player, selection["move_gain"][of_player], hue=hue, width=0.7, panel=1))
    marks.append(Mark("points", label="payoff of the player moving", markersize=4.5))
    marks.append(Mark("rule", y=[0.0], linewidth=0.9, panel=1))
    if (turn := int(selection.get("cycle_rounds", 0)) * len(hues)) > 0:
        label = f"one period of the cycle ({turn} moves)"
        shade = Mark("region", [end - turn, end], alpha=0.1, zorder=0.5, label=label)
        marks += [shade, replace(shade, panel=1)]
    frames = [Frame(y="payoff\n(units of the game)")]
    frames.append(Frame("move", "gain of the\nplayer moving", whole=True))
    part = f"the last {len(moves)} of {len(payoff)} moves" if len(moves) < len(payoff) else ""
    return Drawing(marks, frames, [selection.words, part])

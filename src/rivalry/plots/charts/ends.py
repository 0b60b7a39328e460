"""End points of many runs: their distribution, and the initial profiles that led to them."""

from __future__ import annotations

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.plots.drawing import preset
from rivalry.plots.marks import INK, MARKERS, Drawing, Frame, Look, Mark, Marks, colours, player_label, unless
from rivalry.plots.select import At, check_index, doubt, is_blank, point, strategy_label

BINS = 40


@preset
def end_positions(data: Dataset, *, at: At = None, axis: int = 0) -> Drawing:
    """Draw a histogram of each player's end positions, with equilibria as dotted lines.

    Parameters
    ----------
    data
        Holds ``end_positions [trial player axis]``, or ``profile [player axis]`` over replications and
        batches. Equilibria are those of the grid that learners play on (``grid_equilibria``), or else every
        method's certified profile at this point.
    axis
        The axis of the positions.

    Raises
    ------
    ValueError
        If the data hold no ends here, or there is no such axis.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> ends = xr.Dataset({"end_positions": (("trial", "player", "axis"), [[[0.2], [0.8]], [[0.2], [0.7]]])})
    >>> end_positions(ends).get_title(loc="left")
    'n = 2 trials'
    """
    trials = "end_positions" in data
    word, main, rank = ("trial", "end_positions", 3) if trials else ("run", "profile", 2)
    extras, keep = ("grid_equilibria", "profile", "claim"), () if trials else ("replication", "batch")
    selection = point(data, main, rank, extras, at=at, keep=keep)
    ends = selection[main]
    check_index("axis", axis, ends.shape[-1])
    ends = ends[..., axis].reshape(-1, ends.shape[-2])
    ends = ends[np.isfinite(ends).any(axis=1)]
    if not len(ends):
        raise ValueError(f"data: {main!r} holds nothing at this point")
    marks = _histograms(ends) + _equilibria(data, selection.get("grid_equilibria"), at, axis)
    place = f", axis {axis}" if axis else ""
    frame = Frame(strategy_label(data, axis, "end ", place), f"number of {word}s", y_limits=(0.0, None))
    number = f"n = {len(ends)} {word}{'s' * (len(ends) > 1)}"
    return Drawing(marks, [frame], [selection.words, number])


def _histograms(ends: ndarray) -> Marks:
    """Return outlines of each player's counts over intervals of positions, or over the points of a grid."""
    finite = ends[np.isfinite(ends)]
    room = 0.02 * float(np.ptp(finite)) or 0.01
    edges = np.linspace(finite.min() - room, finite.max() + room, BINS + 1)
    places = np.unique(finite.round(9))
    step = float(np.diff(places).min()) if len(places) > 1 else 0.0
    if step > 0 and step >= float(np.ptp(places)) / BINS:  # learners end on a grid: one bar per grid point
        half = 0.4 * step
        edges = np.sort(np.r_[places - half, places + half])
    x, marks = np.repeat(edges, 2), Marks()
    for player, hue in enumerate(colours(ends.shape[1])):
        count = np.histogram(ends[:, player], edges)[0]
        y, label = np.repeat(np.pad(count, 1), 2)[1:-1], player_label(player, ends.shape[1])
        marks.append(Mark("line", x, y, 0 * y, y, hue=hue, linewidth=1.4, label=label))
    return marks


def _equilibria(data: Dataset, grid: ndarray | None, at: At, axis: int) -> Marks:
    """Return rules at the positions of each player in equilibria, and their number."""
    if grid is not None and not is_blank(grid):
        profiles, word = grid, "equilibrium of the grid"
    else:
        profiles, word = _certified_profiles(data, at), "certified equilibrium"
    if not len(profiles):
        return []
    look: Look = {"linestyle": ":", "linewidth": 1.6, "label": f"{word} ({len(profiles)})"}
    places, hues = profiles[..., axis].round(9), colours(profiles.shape[1])
    return [Mark("rule", np.unique(x), hue=hue, **look) for x, hue in zip(places.T, hues, strict=True)]


def _certified_profiles(data: Dataset, at: At) -> ndarray:
    """Return every method's certified profile at this point, ``[profile player axis]``."""
    if not {"profile", "claim"} <= set(data):
        return np.empty((0, 0, 1))
    coordinates = {
        name: value for name, value in (at or {}).items() if name not in ("algorithm", "replication")
    }
    selection = point(
        data, "profile", 2, ("claim",), at=coordinates, keep=("algorithm", "replication", "batch")
    )
    profile, is_certified = selection["profile"], np.asarray(selection.certified())
    is_finite = np.isfinite(profile).all(axis=(-2, -1))
    # methods agree up to their tolerances: one line for each equilibrium
    return np.unique(profile[is_finite & is_certified].round(6), axis=0)


@preset
def basins(data: Dataset, *, at: At = None) -> Drawing:
    """Draw initial profiles, coloured by the end point that each led to.

    The two axes are axis 0 of players 0 and 1, or both axes of a single player.

    Large marks are the end points, filled where all runs that end there are certified; the legend counts the
    initial profiles.

    Parameters
    ----------
    data
        Holds ``start_profile [batch player axis]``, the ends ``basin [batch]`` and their profiles
        ``basin_profile [basin player axis]``, up to permutations of exchangeable players.

    Raises
    ------
    ValueError
        If the data hold no basins, or starts of a single number.
    """
    extras = ("basin", "basin_kind", "basin_profile", "claim")
    selection = point(data, "start_profile", 3, extras, at=at)
    if "basin" not in selection:
        raise ValueError("data: no variable 'basin', which this plot draws")
    starts = selection["start_profile"]
    basin = np.full(len(starts), -1)  # padding at the end was cut off
    basin[: len(selection["basin"])] = selection["basin"]
    _, players, axes = starts.shape
    if players * axes < 2:
        raise ValueError("data: a start is a single number; this plot draws two entries of it")
    player, axis = (1, 0) if players > 1 else (0, 1)  # of the vertical axis
    x, y = starts[:, 0, 0], starts[:, player, axis]
    kinds, ends = selection.get("basin_kind", ()), selection.get("basin_profile", ())
    claims, marks, end_keys = selection.get("claim"), Marks(), Marks()
    end_numbers = [int(k) for k in np.unique(basin) if k >= 0]
    for k, hue in zip(end_numbers, colours(len(end_numbers)), strict=True):
        members = basin == k
        look: Look = {"hue": hue, "marker": MARKERS[k % len(MARKERS)]}
        kind = f" ({str(kinds[k]).replace('_', ' ')})" if k < len(kinds) else ""
        label = f"end {k}{kind}: {members.sum()} starts"
        marks.append(Mark("points", x[members], y[members], label=label, markersize=4, alpha=0.7, **look))
        if k < len(ends) and np.isfinite(ends[k]).all():
            words = doubt(None if claims is None else claims[members])
            look |= {"hollow": bool(words), "markersize": 12, "zorder": 6}
            marks.append(Mark("points", ends[k][0, [0]], ends[k][player, [axis]], **look))
            end_keys.append(Mark("points", label="end point" + unless(words), **look | {"hue": INK}))
    if (no_end := basin < 0).any():
        label = f"no end: {no_end.sum()} starts"
        marks.append(Mark("points", x[no_end], y[no_end], hue="#888888", marker="x", label=label))
    labels = []
    for k, a in ((0, 0), (player, axis)):
        axis_text = f", axis {a}" if axes > 1 else ""
        labels.append(strategy_label(data, a, "initial ", f" of player {k}{axis_text}"))
    across, up = labels
    return Drawing(
        marks + end_keys, [Frame(across, up, equal=True)], [selection.words, f"n = {len(starts)} starts"]
    )

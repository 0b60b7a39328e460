"""Where runs end, and which equilibria there are, as a parameter is swept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from rivalry.plots.branches import branch_point, draw_branches, draw_events, draw_orbits, parameter
from rivalry.plots.select import DrawnPoint, blank, checked, dimension, point, swept
from rivalry.plots.style import INK, MARKERS, PALETTE, canvas, colours, end_marker, legend, named, note

if TYPE_CHECKING:
    from xarray import Dataset

JUMP = 0.12  # of the range drawn: ends further apart than this are not joined
JOINED = 10  # fewer values of the parameter tell nothing of what lies between them
BINS = 60  # of a density
WORDS = {
    "stable_point": "stable point",
    "unstable_point": "unstable point",
    "cycle": "cycle",
    "moving": "still moving",
    "boundary": "on the boundary",
    "": "end of the run",
}


def bifurcation(
    data: Dataset,
    ax: Axes | None = None,
    *,
    over: str | None = None,
    axis: int = 0,
    at: Mapping[str, Any] | None = None,
    thresholds: str | None = "threshold",
    density: bool = False,
) -> Axes:
    """Branches of equilibria (``branch_position``) and end points of runs (``profile``) over a parameter.

    Branches are solid where stable, dashed where unstable, thin where not certified, with a colour for each
    way of standing together; marks show their events, bands the cycles beyond Hopf points. End points have
    one colour a player and branches are grey where both are drawn. The shape of an end's mark tells what
    the end is (``end_state``); filled marks are certified. Where ten values or more were swept, neighbouring
    ends of one kind are joined, solid where stable, dashed where unstable; a cycle is drawn as the range it
    covers. ``over`` names the parameter (the first swept number otherwise, or that of the branches),
    ``axis`` the position's axis, ``thresholds`` the measure drawn as vertical lines beside the crossings of
    the symmetric point (None: no lines). ``density`` draws how often ends lie where, over trials,
    replications and lanes, instead of marks.
    """
    checked(data)
    with canvas(ax) as axes:
        branches = branch_point(data, at)
        over = _over(data, at, over, branches)
        runs = _runs(data, over, axis, at, thresholds, density)
        if branches is not None and parameter(branches) == over.rpartition(".")[2]:
            _axis(axis, branches.arrays["branch_position"])
            draw_orbits(axes, branches, axis)
            draw_branches(axes, branches, axis, coloured=runs is None)
            draw_events(axes, branches, axis)
        elif runs is None:
            raise ValueError(f"over: neither runs nor branches over {over!r} are in this data")
        words = [] if branches is None or runs is not None else [branches.words]
        if runs is not None:
            words = _draw_runs(axes, runs, axis, density)
            if thresholds is not None and thresholds in runs.found.arrays:
                _vertical(axes, runs.x, runs.found.arrays[thresholds])
        if thresholds is not None:
            _crossings(axes, data, at, over)
        axes.set_xlabel(over)
        axes.set_ylabel(
            "position at the end (units of the space)" if runs else "position (units of the space)"
        )
        note(axes, *words)
        legend(axes)
        return axes


class Runs(NamedTuple):
    """What ended where: the parameter's values, and the ends ``[point run player]`` with their words."""

    x: np.ndarray
    found: DrawnPoint
    positions: np.ndarray
    kinds: np.ndarray


def _over(data: Dataset, at: Mapping[str, Any] | None, over: str | None, branches: DrawnPoint | None) -> str:
    """The parameter along the axis."""
    if branches is not None:
        own = parameter(branches)
        if over in (None, own) and own not in data.coords:
            return own
    try:
        return swept(data, "profile", 2, at, over)
    except ValueError:
        if branches is None or over is not None:
            raise
    return parameter(branches)


def _runs(
    data: Dataset,
    over: str,
    axis: int,
    at: Mapping[str, Any] | None,
    thresholds: str | None,
    density: bool,
) -> Runs | None:
    """The end points over the parameter; None where there are none."""
    if "profile" not in data or over not in data.coords:
        return None
    main = "end_positions" if density and "end_positions" in data else "profile"
    rank = 3 if main == "end_positions" else 2
    also = () if rank == 3 else ("claim", "end_state", "cycle_low", "cycle_high")
    also = (*also, *([thresholds] if thresholds else []))
    dim = str(dimension(data, over))
    keep = (dim, "replication", "lane", *(["trial"] if rank == 3 else []))
    found = point(data, main, 2, also, at=at, keep=keep)
    if blank(found.arrays[main]):
        return None
    profile = found.arrays[main]
    _axis(axis, profile)
    positions = profile[..., axis].reshape(len(profile), -1, profile.shape[-2])
    words = found.arrays.get("end_state", np.full(positions.shape[:2], ""))
    return Runs(data[over].values.astype(float), found, positions, words.reshape(positions.shape[:2]))


def _axis(axis: int, positions: np.ndarray) -> None:
    if not 0 <= axis < positions.shape[-1]:
        raise ValueError(f"axis: {axis} must be a whole number from 0 to {positions.shape[-1] - 1}")


def _draw_runs(axes: Axes, runs: Runs, axis: int, density: bool) -> list[str]:
    count = runs.positions.shape[1]
    words = [runs.found.words, f"axis {axis}" if axis else ""]
    if density:
        _density(axes, runs)
        ends = np.isfinite(runs.positions).any(axis=2).sum(axis=1)
        return [*words, f"n = {ends.max()} ends at each value, all players"]
    _lines(axes, runs.x, runs.positions, runs.kinds)
    _marks(axes, runs.x, runs.positions, runs.kinds, runs.found.certified())
    _ranges(axes, runs.x, runs.found, axis)
    return [*words, f"n = {count} runs at each value" if count > 1 else ""]


def _density(axes: Axes, runs: Runs) -> None:
    """At each value of the parameter, how the ends of all players are spread, as shares."""
    order = np.argsort(runs.x, kind="stable")
    held = runs.positions[np.isfinite(runs.positions)]
    room = 1e-9 + 0.02 * float(np.ptp(held))
    edges = np.linspace(held.min() - room, held.max() + room, BINS + 1)
    places = np.unique(held.round(9))
    if 1 < len(places) <= BINS:  # on a grid, a row for each of its places
        middles = (places[1:] + places[:-1]) / 2
        edges = np.r_[2 * places[0] - middles[0], middles, 2 * places[-1] - middles[-1]]
    share = np.full((len(edges) - 1, len(order)), np.nan)
    for column, k in enumerate(order):
        ends = runs.positions[k][np.isfinite(runs.positions[k])]
        if ends.size:
            share[:, column] = np.histogram(ends, edges)[0] / ends.size
    middle = (edges[1:] + edges[:-1]) / 2
    shown = np.where(share > 0, share, np.nan)
    drawn = axes.pcolormesh(runs.x[order], middle, shown, shading="nearest", cmap="cividis_r", zorder=1)
    bar = axes.figure.colorbar(drawn, cax=axes.inset_axes((1.03, 0.0, 0.03, 0.4)))
    bar.set_label("share of ends")


def _crossings(axes: Axes, data: Dataset, at: Mapping[str, Any] | None, over: str) -> None:
    """Where the symmetric point gains or loses stability, as far as it was followed over this parameter."""
    found = branch_point(data, at, "crossing_direction", 1, ("crossing", "parameter_name"))
    if found is None or parameter(found) != over.rpartition(".")[2]:
        return
    for value, word in zip(found.arrays["crossing"], found.arrays["crossing_direction"], strict=True):
        axes.axvline(value, color=INK, linestyle=":", linewidth=1.2, label=f"centre {word} at {value:.6g}")


def _lines(axes: Axes, x: np.ndarray, positions: np.ndarray, words: np.ndarray) -> None:
    """Neighbouring end points of one kind, joined."""
    if len(x) < JOINED:
        return
    allowed = JUMP * max(float(np.nanmax(positions) - np.nanmin(positions)), 1e-12)
    for kind, dash in (("stable_point", "-"), ("boundary", "-"), ("unstable_point", "--")):
        for player, colour in enumerate(colours(positions.shape[2])):
            for run in range(positions.shape[1]):
                here = np.where(words[:, run] == kind, positions[:, run, player], np.nan)
                joined = np.r_[False, np.abs(np.diff(here)) <= allowed]
                for piece in np.split(np.arange(len(x)), np.flatnonzero(~joined)):
                    if len(piece) > 1:
                        axes.plot(x[piece], here[piece], dash, color=colour, linewidth=1.1)


def _marks(
    axes: Axes, x: np.ndarray, positions: np.ndarray, words: np.ndarray, certified: np.ndarray | None
) -> None:
    shades = colours(positions.shape[2])
    worth = np.zeros(words.shape, bool) if certified is None else certified.reshape(words.shape)
    size = 4.5 if len(x) <= 60 else 3.2
    ring = (
        1.3 if len(shades) <= 4 else 0.9 if len(shades) <= len(PALETTE) else 0.0
    )  # so that players in one place are rings around each other
    for kind, marker in zip(WORDS, MARKERS, strict=False):
        for filled in (True, False):
            which, run = np.nonzero((words == kind) & (worth == filled))
            if not len(which) or np.isnan(positions[which, run]).all():
                continue
            for player, colour in enumerate(shades):
                mark = end_marker(filled, colour) | {"markeredgewidth": 0.9}
                mark["markersize"] = size + ring * (len(shades) - 1 - player)
                axes.plot(x[which], positions[which, run, player], marker, **mark)
            label = WORDS[kind] + ("" if filled else ", not certified")
            axes.plot([], [], marker, label=label, **end_marker(filled, INK))
    for player, colour in enumerate(shades):
        axes.plot([], [], color=colour, linewidth=3, label=named("player", player, len(shades)))


def _ranges(axes: Axes, x: np.ndarray, found: DrawnPoint, axis: int) -> None:
    """Cycles as the ranges that they cover, from ``cycle_low`` to ``cycle_high [... player axis]``."""
    if not {"cycle_low", "cycle_high"} <= set(found.arrays):
        return
    players = found.arrays["cycle_low"].shape[-2]
    low, high = (found.arrays[k][..., axis].reshape(len(x), -1, players) for k in ("cycle_low", "cycle_high"))
    if not np.isfinite(low).any():
        return
    apart = 0.01 * np.ptp(x)  # so that players who share a range are seen side by side
    for player, colour in enumerate(colours(players)):
        beside = x + apart * (player - (players - 1) / 2)
        for run in range(low.shape[1]):
            there = np.isfinite(low[:, run, player])
            ends = low[there, run, player], high[there, run, player]
            axes.vlines(beside[there], *ends, color=colour, linewidth=3, alpha=0.35)
    axes.plot([], [], color=INK, linewidth=3, alpha=0.35, label="range of a cycle")


def _vertical(axes: Axes, x: np.ndarray, values: np.ndarray) -> None:
    """Thresholds that are the same at every value of the parameter, and so are values of it."""
    per_point = values.reshape(len(x), -1)
    filled = np.unique(per_point[np.isfinite(per_point)].round(12))
    inside = filled[(filled > x.min()) & (filled < x.max())]
    for value in inside if len(filled) <= max(4, per_point.shape[1]) else []:
        axes.axvline(value, color=INK, linestyle="-.", linewidth=1.0, label=f"threshold {value:.6g}")

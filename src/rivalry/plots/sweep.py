"""Where runs end as a parameter is swept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from rivalry._registry import near
from rivalry.plots.select import Point, checked, point
from rivalry.plots.style import INK, MARKERS, canvas, colours, end_marker, legend, named, note

if TYPE_CHECKING:
    from xarray import Dataset

JUMP = 0.12  # of the range drawn: ends further apart than this are not joined
JOINED = 10  # fewer values of the parameter tell nothing of what lies between them
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
) -> Axes:
    """End points of runs (``profile``) against a swept parameter, one colour a player.

    The shape of a mark tells what the end is (``end_state``); filled marks are certified. Where ten values
    or more were swept, neighbouring ends of one kind are joined, solid where stable, dashed where unstable;
    a cycle is drawn as the range it covers. ``over`` names the parameter (the first swept number
    otherwise), ``axis`` the position's axis, ``thresholds`` the measure drawn as vertical lines (None: no
    lines).
    """
    checked(data)
    with canvas(ax) as axes:
        over = _swept(data, at) if over is None else over
        if over not in data.coords:
            raise ValueError(f"over: {over!r} is not swept; {near(over, map(str, data.coords))}")
        if over in (at or {}):
            raise ValueError(f"at.{over}: is drawn along the axis; pick another coordinate, or another plot")
        also = ("claim", "end_state", "cycle_low", "cycle_high", *([thresholds] if thresholds else []))
        found = point(data, "profile", 2, also, at=at, keep=(over, "replication", "lane"))
        ends = _ends(found, axis)
        x = data[over].values.astype(float)
        _lines(axes, x, *ends)
        _marks(axes, x, *ends, found.certified())
        _ranges(axes, x, found, axis)
        if thresholds is not None and thresholds in found.arrays:
            _vertical(axes, x, found.arrays[thresholds])
        axes.set_xlabel(over)
        axes.set_ylabel("position at the end (units of the space)")
        count = ends[0].shape[1]
        note(
            axes,
            found.words,
            f"axis {axis}" if axis else "",
            f"n = {count} runs at each value" if count > 1 else "",
        )
        legend(axes)
        return axes


def _swept(data: Dataset, at: Mapping[str, Any] | None) -> str:
    """The first coordinate that is swept over numbers."""
    for name, values in data.coords.items():
        number = values.dtype.kind in "fiu" and values.size > 1 and name in data.dims
        if number and name != "replication" and name not in (at or {}):
            return str(name)
    raise ValueError("over: this data holds no parameter swept over numbers")


def _ends(found: Point, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions ``[point run player]`` and their words ``[point run]``; runs: replications and lanes."""
    profile = found.arrays["profile"]
    if not 0 <= axis < profile.shape[-1]:
        raise ValueError(f"axis: {axis} must be a whole number from 0 to {profile.shape[-1] - 1}")
    positions = profile[..., axis].reshape(len(profile), -1, profile.shape[-2])
    words = found.arrays.get("end_state", np.full(profile.shape[:3], ""))
    return positions, words.reshape(positions.shape[:2])


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
    ring = 1.3 if len(shades) <= 4 else 0.0  # so that players in one place are rings around each other
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


def _ranges(axes: Axes, x: np.ndarray, found: Point, axis: int) -> None:
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

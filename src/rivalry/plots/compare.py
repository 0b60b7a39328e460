"""Dynamics and learners over one parameter: where each ends, and how far from an equilibrium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from rivalry.plots.branches import branch_point, draw_branches, parameter
from rivalry.plots.cells import method_names
from rivalry.plots.select import DrawnPoint, band, blank, checked, dimension, point, swept
from rivalry.plots.style import INK, MARKERS, below, canvas, colours, end_marker, legend, note

if TYPE_CHECKING:
    from xarray import Dataset


SAME = 1e-6  # distances below this are none


class Ends(NamedTuple):
    """Where one method ends: ``positions [point run player]``, whether ``certified [point run]``."""

    name: str
    positions: np.ndarray
    certified: np.ndarray
    half: np.ndarray | None  # [point player]: a learner's 95 % interval over its trials
    trials: np.ndarray | None  # [point trial player]: where each of them ended


def dynamics_vs_learning(
    data: Dataset,
    ax: Axes | None = None,
    *,
    over: str | None = None,
    axis: int = 0,
    at: Mapping[str, Any] | None = None,
    methods: Sequence[str] | None = None,
) -> Axes:
    """The ends of every method over a swept parameter on one axis, and below it their ``distance``.

    Of dynamics the ``profile`` is drawn; of learners the mean over trials with its 95 % interval
    (``end_mean``, ``end_interval``) where there is one, and pale where any trial ended
    (``end_positions``). A method has one colour and one shape of mark, filled where certified; branches of
    equilibria lie behind in grey. ``methods`` picks and orders them. The distance is the RMS distance to the
    nearest certified profile at the same value, with a 95 % band over replications.
    """
    checked(data)
    with canvas(ax) as axes:
        over = swept(data, "profile", 2, at, over)
        if methods is None and "algorithm" in (at or {}):
            raise ValueError("at.algorithm: this plot draws several; pick them with methods")
        names = method_names(data, "profile", methods)
        every = [found for name in names if (found := _ends(data, at, over, name, axis)) is not None]
        if not every:
            raise ValueError("data: no method has an end point over this parameter")
        x = data[over].values.astype(float)
        branches = branch_point(data, at)
        if branches is not None and parameter(branches) == over.rpartition(".")[2]:
            draw_branches(axes, branches, axis, coloured=False)
        shift = 0.006 * float(np.ptp(x))
        shades = colours(len(every))
        for k, (ends, colour) in enumerate(zip(every, shades, strict=True)):
            beside = x + shift * (k - (len(every) - 1) / 2)
            _draw(axes, beside, ends, colour, MARKERS[k % len(MARKERS)])
        if any(ends.half is not None for ends in every):
            axes.errorbar([], [], [], fmt="none", ecolor=INK, capsize=2, label="95 % interval of that mean")
        if any(ends.trials is not None for ends in every):
            axes.plot([], [], ".", color=INK, alpha=0.3, label="where any trial ended")
        if any(not ends.certified.all() for ends in every):
            means = any(ends.half is not None for ends in every)
            word = "hollow: not certified" + (", as no mean is" if means else "")
            axes.plot([], [], "o", label=word, **end_marker(False, INK))
        axes.set_ylabel("position at the end\n(units of the space)")
        low = _distances(axes, data, at, over, x, [ends.name for ends in every], shades)
        low.set_xlabel(over)
        axes.set_xlabel(over if low is axes else "")
        note(axes, f"axis {axis}" if axis else "")
        legend(axes)
        return axes


def _at(at: Mapping[str, Any] | None, name: str | None) -> dict[str, Any]:
    return dict(at or {}) | ({} if name is None else {"algorithm": name})


def _ends(data: Dataset, at: Mapping[str, Any] | None, over: str, name: str | None, axis: int) -> Ends | None:
    keep = (str(dimension(data, over)), "replication", "lane")
    also = ("claim", "end_mean", "end_interval", "end_positions")
    found = point(data, "profile", 2, also, at=_at(at, name), keep=keep)
    profile = found.arrays["profile"]
    if not 0 <= axis < profile.shape[-1]:
        raise ValueError(f"axis: {axis} must be a whole number from 0 to {profile.shape[-1] - 1}")
    if blank(profile):
        return None
    learned = "end_mean" in found.arrays and not blank(found.arrays["end_mean"])
    shown = found.arrays["end_mean"] if learned else profile
    positions = shown[..., axis].reshape(len(shown), -1, shown.shape[-2])
    worth = found.certified()
    certified = np.zeros(positions.shape[:2], bool)
    if worth is not None and not learned:  # a mean over trials is nobody's profile
        certified = np.broadcast_to(worth, profile.shape[: worth.ndim]).reshape(positions.shape[:2])
    trials = found.arrays.get("end_positions") if learned else None
    if trials is not None:
        trials = trials[..., axis].reshape(len(trials), -1, trials.shape[-2])
    return Ends(name or "runs", positions, certified, _half(found, axis, learned), trials)


def _half(found: DrawnPoint, axis: int, learned: bool) -> np.ndarray | None:
    if not learned or "end_interval" not in found.arrays:
        return None
    half = found.arrays["end_interval"][..., axis]
    return np.asarray(half.reshape(len(half), -1, half.shape[-1])[:, 0])


def _draw(axes: Axes, x: np.ndarray, ends: Ends, colour: str, marker: str) -> None:
    runs, players = ends.positions.shape[1:]
    for place, every in zip(x, () if ends.trials is None else ends.trials, strict=False):
        somewhere = np.unique(every[np.isfinite(every)].round(9))
        axes.plot(np.full(len(somewhere), place), somewhere, ".", color=colour, alpha=0.3, label="_trial")
    for filled in (True, False):
        which, run = np.nonzero(ends.certified == filled)
        if len(which):
            places = ends.positions[which, run]
            mark = end_marker(filled, colour) | {"markeredgewidth": 0.9, "markersize": 4.5}
            for player in range(players):
                axes.plot(x[which], places[:, player], marker, label="_end", zorder=4, **mark)
    if ends.half is not None and runs == 1:
        for player in range(min(players, ends.half.shape[1])):
            centre, half = ends.positions[:, 0, player], ends.half[:, player]
            axes.errorbar(
                x, centre, half, fmt="none", ecolor=colour, capsize=2, linewidth=1, label="_interval"
            )
    filled = bool(ends.certified.any())
    words = ends.name + (", mean of trials" if ends.half is not None else "")
    axes.plot([], [], marker, label=words, **end_marker(filled, colour))


def _distances(
    axes: Axes,
    data: Dataset,
    at: Mapping[str, Any] | None,
    over: str,
    x: np.ndarray,
    names: Sequence[str],
    shades: Sequence[str],
) -> Axes:
    """The distances in axes below; ``axes`` itself where the data hold none."""
    if "distance" not in data or blank(data["distance"].values):
        return axes
    (low,) = below(axes, 1)
    dim, order = str(dimension(data, over)), np.argsort(x, kind="stable")
    for k, (name, colour) in enumerate(zip(names, shades, strict=True)):
        place = _at(at, name if "algorithm" in data["distance"].dims else None)
        found = point(data, "distance", 0, at=place, keep=(dim, "replication", "lane"))
        values = found.arrays["distance"].reshape(len(x), -1)
        if blank(values):
            continue
        mean, half = band(np.where(np.isnan(values), np.nan, values).T)
        low.plot(
            x[order], mean[order], color=colour, marker=MARKERS[k % len(MARKERS)], markersize=3, linewidth=1.2
        )
        if values.shape[1] > 1:
            ends = (mean - half)[order], (mean + half)[order]
            low.fill_between(x[order], *ends, color=colour, alpha=0.2, linewidth=0)
    low.set_ylim(0.0, max(low.get_ylim()[1], SAME))
    low.set_ylabel("distance to the\nnearest equilibrium")
    return low

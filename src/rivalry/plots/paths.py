"""What happens over the steps: positions, payoffs, regrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from rivalry.plots.select import DrawnPoint, axis_words, band, point
from rivalry.plots.style import DASHES, INK, PALETTE, canvas, colours, end_marker, legend, named, note, widths
from rivalry.plots.triangle import triangle

if TYPE_CHECKING:
    from xarray import Dataset


def paths(
    data: Dataset,
    ax: Axes | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    axis: int | None = None,
    space: bool = True,
    log: bool | None = None,
    label: str | None = None,
) -> Axes:
    """Positions ``path [step player axis]`` against steps or time; in the plane where there are two axes.

    Mixtures of three are drawn in the triangle, other probabilities against steps; against time where the
    path has one (``path_time``).

    ``axis`` draws that axis alone, against steps, ``space=False`` all of them; ``log`` puts the steps on a
    logarithmic scale (by default where they were recorded so); ``label`` says what a position is. The end is
    filled where a certificate stands behind it. Replications are drawn as their mean with a 95 % band, in
    the plane one by one; the axis shows all values, and of a band that is wider what lies near them.

    >>> import numpy as np, xarray as xr
    >>> walk = xr.Dataset({"path": (("step", "player", "axis"), np.zeros((3, 2, 1)))})
    >>> paths(walk).get_ylabel()
    'position (units of the space)'
    """
    with canvas(ax) as axes:
        found = point(data, "path", 3, CLOCKS, at=at, keep=("replication",))
        walks = walks_of(found, "path")
        count = found.arrays["path"].shape[-1]
        shown = _shown(axis, count)
        mixed = all(_mixtures(walk.values) for walk in walks)
        free = space and axis is None
        plane = free and count == 2 and not mixed
        given = label or ""
        label = label or ("probability" if mixed else "position (units of the space)")
        if free and count == 3 and mixed:
            axes = triangle(axes)
            _in_the_triangle(axes, walks)
            _say(axes, found, len(walks), "one by one", given)
            return axes
        if plane:
            _in_the_plane(axes, walks, axis_words(found, 2), label)
        else:
            words = axis_words(found, count, "action" if mixed else "axis")
            _against_steps(axes, walks, [(f", {words[k]}" if count > 1 else "", k) for k in shown])
            axes.set_ylabel(label)
        if not plane and (_spread_by_factors(walks) if log is None else log):
            axes.set_xscale("symlog", linthresh=1)
            axes.xaxis.set_major_formatter("{x:g}")
        _say(axes, found, len(walks), "one by one" if plane else "mean and 95 % band")
        return axes


def _shown(axis: int | None, count: int) -> Sequence[int]:
    """Which of so many axes are drawn: all, or the one chosen. Raises `ValueError`."""
    if axis is not None and not 0 <= axis < count:
        raise ValueError(f"axis: {axis} must be a whole number from 0 to {count - 1}")
    return range(count) if axis is None else [axis]


def payoffs(data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None) -> Axes:
    """Payoffs ``path_payoffs [step player]`` of every player along the path, against steps or time."""
    with canvas(ax) as axes:
        found = point(data, "path_payoffs", 2, CLOCKS, at=at, keep=("replication",))
        walks = walks_of(found, "path_payoffs")
        _against_steps(axes, [walk._replace(values=walk.values[..., None]) for walk in walks])
        axes.set_ylabel("payoff (units of the game)")
        _say(axes, found, len(walks), "mean and 95 % band")
        return axes


def gradients(
    data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None, axis: int | None = None
) -> Axes:
    """Own gradients ``path_gradients [step player axis]`` along the path, against steps or time.

    ``axis`` draws that axis alone.
    """
    with canvas(ax) as axes:
        found = point(data, "path_gradients", 3, CLOCKS, at=at, keep=("replication",))
        walks = walks_of(found, "path_gradients")
        count = found.arrays["path_gradients"].shape[-1]
        shown = _shown(axis, count)
        axes.axhline(0.0, color=INK, linewidth=0.8)
        words = axis_words(found, count)
        _against_steps(axes, walks, [(f", {words[k]}" if count > 1 else "", k) for k in shown])
        axes.set_ylabel("own gradient (payoff per unit of position)")
        _say(axes, found, len(walks), "mean and 95 % band")
        return axes


def regret_curve(data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None) -> Axes:
    """The largest regret of repeated play, ``regret_curve [sample]`` at ``regret_step``; both logarithmic."""
    with canvas(ax) as axes:
        found = point(data, "regret_curve", 1, ("regret_step",), at=at, keep=("replication",))
        walks = walks_of(found, "regret_curve", "regret_step")
        clock, values = on_one_clock(walks)
        mean, half = band(values)
        axes.plot(clock, mean, color=PALETTE[0], label="largest regret")
        if len(walks) > 1:
            axes.fill_between(clock, mean - half, mean + half, color=PALETTE[0], alpha=0.2, linewidth=0)
            seen = values[values > 0]
            if seen.size:
                axes.set_ylim(0.8 * seen.min(), 1.25 * seen.max())
        axes.set_xscale("log")
        axes.set_yscale("log", nonpositive="clip")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("period")
        axes.set_ylabel("regret a period (units of the game)")
        _say(axes, found, len(walks), "mean and 95 % band")
        return axes


class DrawnPath(NamedTuple):
    """One replication without its padding: ``steps [step]``, ``values [step ...]``, what its end is worth."""

    steps: np.ndarray
    values: np.ndarray
    certified: bool | None  # None: the data hold no certificate
    clock: str = "step"


def walks_of(found: DrawnPoint, name: str, clock: str | None = None) -> list[DrawnPath]:
    """The replications that hold anything, on the clock named, or on the path's: its time, or its steps."""
    values = found.arrays[name]
    timed = clock is None and "path_time" in found.arrays
    clock = clock or ("path_time" if timed else "path_step")
    steps = found.arrays.get(clock, np.broadcast_to(np.arange(values.shape[1]), values.shape[:2]))
    filled = np.isfinite(values.reshape(*values.shape[:2], -1)).any(axis=2)
    claims = found.certified()
    walks = [
        DrawnPath(
            steps[k][rows],
            values[k][rows],
            None if claims is None else bool(claims[k]),
            "time" if timed else "step",
        )
        for k, rows in enumerate(filled)
        if rows.any()
    ]
    if not walks:
        raise ValueError(f"data: {name!r} holds nothing at this point")
    return walks


def on_one_clock(walks: list[DrawnPath]) -> tuple[np.ndarray, np.ndarray]:
    """All walks at the steps of any, ``[replication step ...]``; one that has ended stays where it is."""
    clock = np.unique(np.concatenate([walk.steps for walk in walks]))
    every = []
    for walk in walks:
        flat = walk.values.reshape(len(walk.values), -1)
        held = np.stack([np.interp(clock, walk.steps, column) for column in flat.T], axis=-1)
        every.append(held.reshape(len(clock), *walk.values.shape[1:]))
    return clock, np.stack(every)


def _mixtures(values: np.ndarray) -> bool:
    """Whether ``[step player axis]`` are probabilities over actions."""
    several = values.shape[-1] > 1
    return several and bool((values >= 0).all() and np.allclose(values.sum(axis=-1), 1, atol=1e-6))


def _spread_by_factors(walks: list[DrawnPath]) -> bool:
    """Whether half of the recorded steps lie in the first twentieth of the time, as learners record them."""
    steps = max((walk.steps for walk in walks), key=len)
    return len(steps) > 4 and float(np.median(steps)) < 0.05 * float(steps[-1])


def _frame(axes: Axes, values: np.ndarray) -> None:
    """A band of two or three replications may be many times as wide as anything they did."""
    low, high = float(values.min()), float(values.max())
    room = 0.06 * (high - low) or 0.06 * max(abs(low), 1.0)
    axes.set_ylim(low - room, high + room)


def _against_steps(
    axes: Axes, walks: list[DrawnPath], variants: Sequence[tuple[str, int]] = (("", 0),)
) -> None:
    """Lines of ``values [step player axis]``: a colour a player, a dash a variant (name, axis)."""
    clock, values = on_one_clock(walks)
    mean, half = band(values)
    worth, pale = _weakest(walks), 0.24 / (1 + len(variants))
    for k, (colour, wide_line) in enumerate(zip(colours(mean.shape[1]), widths(mean.shape[1]), strict=True)):
        for dash, (variant, axis) in zip(cycle(DASHES), variants):
            here, wide = mean[:, k, axis], half[:, k, axis]
            axes.plot(
                clock,
                here,
                dash,
                color=colour,
                linewidth=wide_line,
                label=named("player", k, mean.shape[1]) + variant,
            )
            if len(walks) > 1:
                axes.fill_between(clock, here - wide, here + wide, color=colour, alpha=pale, linewidth=0)
            mark = end_marker(bool(worth), colour) | {"markersize": 4 + 1.5 * wide_line}
            axes.plot(clock[-1], here[-1], "o", clip_on=False, zorder=5, **mark)
    if len(walks) > 1:
        _frame(axes, values[..., [axis for _, axis in variants]])
    ends_in_legend(axes, [worth])
    axes.set_xlabel(walks[0].clock)


def _in_the_plane(axes: Axes, walks: list[DrawnPath], names: Sequence[str], label: str) -> None:
    for walk in walks:
        for k, colour in enumerate(colours(walk.values.shape[1])):
            name = named("player", k, walk.values.shape[1]) if walk is walks[0] else None
            axes.plot(walk.values[:, k, 0], walk.values[:, k, 1], color=colour, linewidth=1.2, label=name)
            axes.plot(*walk.values[0, k], "s", markersize=4.5, color=colour)
            axes.plot(
                *walk.values[-1, k], "o", markersize=7, zorder=5, **end_marker(bool(walk.certified), colour)
            )
    axes.plot([], [], "s", markersize=4.5, color=INK, label="start")
    ends_in_legend(axes, [walk.certified for walk in walks])
    numbered = names[0] == "axis 0"
    units = f": {label}" if numbered else " (units of the space)"
    axes.set_xlabel(names[0] + units)
    axes.set_ylabel(names[1] + units)
    axes.set_aspect("equal", adjustable="datalim")


def _in_the_triangle(axes: Any, walks: list[DrawnPath]) -> None:
    for walk in walks:
        for k, colour in enumerate(colours(walk.values.shape[1])):
            name = named("player", k, walk.values.shape[1]) if walk is walks[0] else "_"
            axes.plot(*walk.values[:, k].T, color=colour, linewidth=1.2, label=name)
            axes.plot(*walk.values[:1, k].T, "s", markersize=4.5, color=colour, label="_")
            mark = end_marker(bool(walk.certified), colour)
            axes.plot(*walk.values[-1:, k].T, "o", markersize=7, zorder=5, label="_", **mark)
    axes.plot([], [], [], "s", markersize=4.5, color=INK, label="start")
    ends_in_legend(axes, [walk.certified for walk in walks], 3)


CLOCKS = ("path_step", "path_time", "claim", "axis_name")
ENDS = {None: "end, no certificate", False: "end, not certified", True: "end, certified"}


def ends_in_legend(axes: Axes, worths: Sequence[bool | None], coordinates: int = 2) -> None:
    """A legend's line for every worth of an end that was drawn: certified, not, or without a certificate."""
    for worth, words in ENDS.items():
        if worth in worths:
            axes.plot(*[[]] * coordinates, "o", label=words, **end_marker(bool(worth), INK))


def _weakest(walks: list[DrawnPath]) -> bool | None:
    worths = {walk.certified for walk in walks}
    return None if worths == {None} else worths == {True}


def _say(axes: Axes, found: DrawnPoint, count: int, how: str, *more: str) -> None:
    note(axes, found.words, f"n = {count} replications, {how}" if count > 1 else "", *more)
    legend(axes)

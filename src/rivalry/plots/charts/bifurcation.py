"""End points of runs and branches of equilibria over a parameter, of one method or of several compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from xarray import Dataset

from rivalry.plots import select, style
from rivalry.plots.branches import branch_point, draw_branches, draw_events, draw_orbits, parameter
from rivalry.plots.select import At, DrawnPoint, Names
from rivalry.plots.series import method_label, method_names
from rivalry.plots.style import INK, MARKERS, PALETTE, chart

JUMP = 0.12  # of the vertical range: ends farther apart are not joined
JOINED = 10  # fewest parameter values at which neighbouring ends are joined
BINS = 60  # of a density
LIST, UNDECIDED = "equilibria", "undecided"
ZERO_DISTANCE = 1e-6  # smaller distances count as zero
WORDS = {
    "stable_point": "stable point",
    "unstable_point": "unstable point",
    "cycle": "cycle",
    "moving": "still moving",
    "boundary": "on the boundary",
    "": "end of the run",
}


@chart
def bifurcation(
    data: Dataset,
    ax: Axes,
    *,
    over: str | None = None,
    axis: int = 0,
    compare: bool = False,
    methods: Names = None,
    at: At = None,
    thresholds: str | None = "threshold",
    density: bool = False,
) -> Axes:
    """Draw branches of equilibria and end points of runs against a parameter.

    Branches are solid where stable, dashed where unstable and thin where not certified, with a colour for
    each grouping of players; marks show their events, bands the cycles beyond Hopf points. End points have
    a colour per player, and branches are grey beside them; the mark's shape tells the kind of the end, and
    it is filled where certified. Where ten values or more were swept, neighbouring ends of one kind are
    joined; a cycle is drawn as its range. Of a list of equilibria every entry is drawn, and a vertical line
    joins the ends of a connected component.

    Parameters
    ----------
    data
        Holds ``branch_position``, or ``profile [player axis]`` over a swept number with ``end_state`` and
        ``claim``, or ``equilibria [equilibrium player axis]``. Learners may have ``end_mean``,
        ``end_interval`` and ``end_positions [trial ...]``, methods the ``distance`` of their ends to the
        nearest certified profile.
    over
        The parameter; the first swept number otherwise, or that of the branches.
    axis
        The axis of the positions.
    compare
        Draw the ends of several methods, a colour and a shape of mark per method, and below them their
        distance with a 95 % band over replications (Student's t). Of learners the mean over trials is drawn
        with its 95 % interval, and pale where any trial ended.
    methods
        The methods to compare, in this order; all otherwise.
    at
        The point of the other parameters, by its coordinates; the first otherwise.
    thresholds
        The metric drawn as vertical lines beside the crossings of the symmetric point; None for no lines.
    density
        Draw how ends are distributed over trials, replications and batches, instead of marks.

    Returns
    -------
    Axes
        The upper axes.

    Raises
    ------
    ValueError
        If the data hold neither ends nor branches over the parameter, or there is no such axis or method.
    """
    if compare:
        return _compare(ax, data, over, axis, at, methods)
    if methods is not None:
        raise ValueError("methods: one method is drawn; compare = true draws several")
    over = _over(data, at, over)
    branches = branch_point(data, at, over=over)
    runs = _runs(data, over, axis, at, thresholds, density)
    if branches is not None:
        select.check_index("axis", axis, branches["branch_position"].shape[-1])
        draw_orbits(ax, branches, axis)
        draw_branches(ax, branches, axis, coloured=runs is None)
        draw_events(ax, branches, axis)
    elif runs is None:
        raise ValueError(f"over: neither runs nor branches over {over!r} are in this data")
    words = [] if branches is None or runs is not None else [branches.words]
    if runs is not None:
        x = data[over].values.astype(float)
        words = _draw_runs(ax, x, runs, axis, density)
        if thresholds is not None and thresholds in runs.selection:
            for value in _constant(x, runs.selection[thresholds]):
                ax.axvline(value, color=INK, linestyle="-.", linewidth=1.0, label=f"threshold {value:.6g}")
    if thresholds is not None:
        _crossings(ax, data, at, over)
    ax.set_xlabel(select.name_of(data, over))
    ax.set_ylabel(_label(data, axis, runs))
    style.caption(ax, *words)
    return ax


def _label(data: Dataset, axis: int, runs: Ends | None) -> str:
    """Return the words of the vertical axis."""
    if runs is None or LIST not in runs.selection:
        return select.strategy_label(data, axis, "end " if runs else "")
    if "action" not in data[LIST].dims:
        return select.strategy_label(data, axis)
    return f"probability of {data['action'].values[axis] if 'action' in data.coords else f'action {axis}'}"


def _constant(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return thresholds inside the range drawn that are constant over the parameter: values of it."""
    per_point = values.reshape(len(x), -1)
    constants = np.unique(per_point[np.isfinite(per_point)].round(12))
    # one for every value of the parameter is a function of it, which no vertical line shows
    if len(constants) > max(4, per_point.shape[1]):
        return np.empty(0)
    return np.asarray(constants[(constants > x.min()) & (constants < x.max())])


def _of_axis(array: np.ndarray, axis: int) -> np.ndarray:
    """Return one axis of ``[point ... player axis]`` as ``[point run player]``."""
    return array[..., axis].reshape(len(array), -1, array.shape[-2])


class Ends(NamedTuple):
    """End points over the parameter: ``positions [point run player]``, whether ``certified [point run]``."""

    selection: DrawnPoint
    positions: np.ndarray
    certified: np.ndarray
    half: np.ndarray | None = None  # [point player]: a learner's 95 % interval over its trials
    trials: np.ndarray | None = None  # [point trial player]: where each of them ended


def _over(data: Dataset, at: At, over: str | None) -> str:
    """Return the parameter along the axis."""
    branches = branch_point(data, at)
    swept = None if branches is None else parameter(branches)
    if swept is not None and over in (None, swept) and swept not in data.coords:
        return swept
    try:
        return select.find_sweep(data, "profile", 2, at, over)
    except ValueError:
        if swept is None or over is not None:
            raise
    return swept


def _ends(
    data: Dataset, over: str, axis: int, at: At, extras: Iterable[str], main: str = "profile", keep: str = ""
) -> Ends | None:
    """Return the end points over the parameter; None where there are none."""
    dims = [str(select.dimension(data, over)), "replication", "batch", *filter(None, [keep])]
    selection = select.point(data, main, 2, extras, at=at, keep=dims)
    profile, certified_mask = selection[main], selection.certified()
    if select.is_blank(profile):
        return None
    select.check_index("axis", axis, profile.shape[-1])
    positions = _of_axis(profile, axis)
    certified = np.zeros(positions.shape[:2], bool)
    if certified_mask is not None:
        certified = np.broadcast_to(certified_mask, profile.shape[: certified_mask.ndim]).reshape(
            certified.shape
        )
    return Ends(selection, positions, certified)


def _runs(data: Dataset, over: str, axis: int, at: At, thresholds: str | None, density: bool) -> Ends | None:
    """Return the ends of one method, or of its trials; None where there are none."""
    if over not in data.coords:
        return None
    if LIST in data and over in data[LIST].coords:
        entries = _ends(data, over, axis, at, ("claim", "component", UNDECIDED), LIST, "equilibrium")
        if entries is not None:
            return entries
    if "profile" not in data:
        return None
    levels = () if thresholds is None else (thresholds,)
    if density and "end_positions" in data:
        return _ends(data, over, axis, at, levels, "end_positions", "trial")
    extras = ("claim", "end_state", "cycle_low", "cycle_high", *levels)
    return _ends(data, over, axis, at, extras)


def _draw_runs(ax: Axes, x: np.ndarray, runs: Ends, axis: int, density: bool) -> list[str]:
    """Draw the ends of one method; return words for the caption."""
    count = runs.positions.shape[1]
    words = [runs.selection.words, f"axis {axis}" if axis else ""]
    if density:
        _density(ax, x, runs.positions)
        ends = np.isfinite(runs.positions).any(axis=2).sum(axis=1)
        return [*words, f"n = {ends.max()} ends per value, all players"]
    kinds = runs.selection.get("end_state", np.full(runs.certified.shape, "")).reshape(runs.certified.shape)
    _lines(ax, x, runs.positions, kinds)
    _marks(ax, x, runs, kinds)
    _ranges(ax, x, runs.selection, axis)
    if LIST in runs.selection:
        _components(ax, x, runs)
        _undecided(ax, x, runs, axis)
        return words
    return [*words, f"n = {count} runs per value" if count > 1 else ""]


def _density(ax: Axes, x: np.ndarray, positions: np.ndarray) -> None:
    """Draw the distribution of all players' ends at each parameter value, as shares."""
    order = np.argsort(x, kind="stable")
    finite = positions[np.isfinite(positions)]
    room = 1e-9 + 0.02 * float(np.ptp(finite))
    edges = np.linspace(finite.min() - room, finite.max() + room, BINS + 1)
    places = np.unique(finite.round(9))
    if 1 < len(places) <= BINS:  # on a grid, one row per grid point
        middles = (places[1:] + places[:-1]) / 2
        edges = np.r_[2 * places[0] - middles[0], middles, 2 * places[-1] - middles[-1]]
    count = np.stack([np.histogram(ends[np.isfinite(ends)], edges)[0] for ends in positions[order]], axis=1)
    middle = (edges[1:] + edges[:-1]) / 2
    with np.errstate(invalid="ignore"):  # 0 / 0 where nothing ended
        share = count / count.sum(axis=0)
    positive = np.where(share > 0, share, np.nan)
    drawing = ax.pcolormesh(x[order], middle, positive, shading="nearest", cmap="cividis_r", zorder=1)
    style.add_colour_bar(ax, drawing, "share of ends", (1.03, 0.0, 0.03, 0.4))


def _crossings(ax: Axes, data: Dataset, at: At, over: str) -> None:
    """Draw where the symmetric point gains or loses stability, over the scanned range."""
    selection = branch_point(data, at, ("crossing_direction", "crossing", "parameter_name"), 1, over)
    if selection is None:
        return
    for value, word in zip(selection["crossing"], selection["crossing_direction"], strict=True):
        label = f"symmetric point {word} at {value:.6g}"
        ax.axvline(value, color=INK, linestyle=":", linewidth=1.2, label=label)


def _lines(ax: Axes, x: np.ndarray, positions: np.ndarray, kinds: np.ndarray) -> None:
    """Join neighbouring end points of one kind."""
    if len(x) < JOINED:
        return
    allowed = JUMP * max(float(np.nanmax(positions) - np.nanmin(positions)), 1e-12)
    _, runs, players = positions.shape
    dashes, shades = {"stable_point": "-", "boundary": "-", "unstable_point": "--"}, style.colours(players)
    for (kind, dash), player, run in product(dashes.items(), range(players), range(runs)):
        line = np.where(kinds[:, run] == kind, positions[:, run, player], np.nan)
        joined = np.r_[False, np.abs(np.diff(line)) <= allowed]
        for piece in np.split(np.arange(len(x)), np.flatnonzero(~joined)):
            if len(piece) > 1:
                ax.plot(x[piece], line[piece], dash, color=shades[player], linewidth=1.1)


def _marks(ax: Axes, x: np.ndarray, runs: Ends, kinds: np.ndarray) -> None:
    shades = style.colours(runs.positions.shape[2])
    size = 4.5 if len(x) <= 60 else 3.2
    # coincident players are concentric rings
    ring = 1.3 if len(shades) <= 4 else 0.9 if len(shades) <= len(PALETTE) else 0.0
    labels = {"": "equilibrium of the list"} if LIST in runs.selection else WORDS
    kinds_and_markers = zip(labels.items(), MARKERS, strict=False)
    for ((kind, label), marker), proved in product(kinds_and_markers, (True, False)):
        index, run = np.nonzero((kinds == kind) & (runs.certified == proved))
        if np.isnan(runs.positions[index, run]).all():
            continue
        for player, colour in enumerate(shades):
            mark = style.end_marker(proved, colour) | {"markeredgewidth": 0.9}
            mark["markersize"] = size + ring * (len(shades) - 1 - player)
            ax.plot(x[index], runs.positions[index, run, player], marker, **mark)
        ax.plot([], [], marker, label=label + style.unless(proved), **style.end_marker(proved, INK))
    style.name_colours(ax, [style.player_label(k, len(shades)) for k in range(len(shades))], shades)


def _components(ax: Axes, x: np.ndarray, entries: Ends) -> None:
    """Join the ends of each connected component of equilibria, ``component [... equilibrium]``."""
    labels = entries.selection.get("component")
    if labels is None:
        return
    labels = labels.reshape(entries.certified.shape)
    shades = style.colours(entries.positions.shape[2])
    for place, row, ends in zip(x, labels, entries.positions, strict=True):
        numbers, sizes = np.unique(row[row >= 0], return_counts=True)
        for component in numbers[sizes > 1]:
            low, high = (limit(ends[row == component], axis=0) for limit in (np.min, np.max))
            ax.vlines(np.full(len(low), place), low, high, color=shades, linewidth=1.1)


def _undecided(ax: Axes, x: np.ndarray, entries: Ends, axis: int) -> None:
    """Mark places that may hold further equilibria, ``undecided [... place player axis end]``."""
    if UNDECIDED not in entries.selection:
        return
    places = entries.selection[UNDECIDED][..., axis, :]
    low, high = np.moveaxis(places.reshape(len(x), -1, 2), 2, 0)
    index, where = np.nonzero(np.isfinite(low))
    if len(index):
        look: dict[str, Any] = {"color": INK, "alpha": 0.35, "zorder": 2}
        ax.vlines(x[index], low[index, where], high[index, where], linewidth=7, **look)
        middle = (low + high)[index, where] / 2
        ax.plot(x[index], middle, "s", markersize=7, label="undecided place", **look)


def _ranges(ax: Axes, x: np.ndarray, selection: DrawnPoint, axis: int) -> None:
    """Draw cycles as ranges, from ``cycle_low`` to ``cycle_high [... player axis]``."""
    if not {"cycle_low", "cycle_high"} <= set(selection):
        return
    low, high = (_of_axis(selection[name], axis) for name in ("cycle_low", "cycle_high"))
    _, runs, players = low.shape
    if not np.isfinite(low).any():
        return
    spacing = 0.01 * np.ptp(x)  # shows players with equal ranges side by side
    for (player, colour), run in product(enumerate(style.colours(players)), range(runs)):
        finite = np.isfinite(low[:, run, player])
        abscissae = x[finite] + spacing * (player - (players - 1) / 2)
        ends = low[finite, run, player], high[finite, run, player]
        ax.vlines(abscissae, *ends, color=colour, linewidth=3, alpha=0.35)
    ax.plot([], [], color=INK, linewidth=3, alpha=0.35, label="range of a cycle")


def _compare(ax: Axes, data: Dataset, over: str | None, axis: int, at: At, methods: Names) -> Axes:
    """Draw the ends of every method over the parameter, and their distances below."""
    over = select.find_sweep(data, "profile", 2, at, over)
    if methods is None and "algorithm" in (at or {}):
        raise ValueError("at.algorithm: this plot draws several; pick them with methods")
    names = method_names(data, "profile", methods)
    places = {name: dict(at or {}) | ({} if name is None else {"algorithm": name}) for name in names}
    of_each = {name: _ends_or_mean(data, over, axis, place) for name, place in places.items()}
    ends_by_name = {name or "runs": ends for name, ends in of_each.items() if ends is not None}
    if not ends_by_name:
        raise ValueError("data: no method has an end point over this parameter")
    x = data[over].values.astype(float)
    if (branches := branch_point(data, at, over=over)) is not None:
        draw_branches(ax, branches, axis, coloured=False)
    shift = 0.006 * float(np.ptp(x))
    for k, ((name, ends), colour) in enumerate(
        zip(ends_by_name.items(), style.colours(len(ends_by_name)), strict=True)
    ):
        abscissae = x + shift * (k - (len(ends_by_name) - 1) / 2)
        label = method_label(data, None if name == "runs" else name) or name
        _draw_ends(ax, abscissae, label, ends, colour, MARKERS[k % len(MARKERS)])
    means = any(ends.half is not None for ends in ends_by_name.values())
    if means:
        ax.errorbar([], [], [], fmt="none", ecolor=INK, capsize=2, label="95 % interval of the mean")
    if any(ends.trials is not None for ends in ends_by_name.values()):
        ax.plot([], [], ".", color=INK, alpha=0.3, label="end point of a trial")
    if not all(ends.certified.all() for ends in ends_by_name.values()):
        label = "hollow: not certified" + (", as no mean is" if means else "")
        ax.plot([], [], "o", label=label, **style.end_marker(False, INK))
    ax.set_ylabel(select.strategy_label(data, axis, "end ").replace(" (", "\n("))
    low, words = _distances(ax, data, at, over, x, list(ends_by_name)), select.name_of(data, over)
    low.set_xlabel(words)
    ax.set_xlabel(words if low is ax else "")
    style.caption(ax, f"axis {axis}" if axis else "")
    return ax


def _ends_or_mean(data: Dataset, over: str, axis: int, at: At) -> Ends | None:
    """Return the ends of one method; of a learner the means over its trials."""
    ends = _ends(data, over, axis, at, ("claim", "end_mean", "end_interval", "end_positions"))
    if ends is None or "end_mean" not in ends.selection or select.is_blank(ends.selection["end_mean"]):
        return ends
    mean, half, trials = (
        _of_axis(ends.selection[name], axis) if name in ends.selection else None
        for name in ("end_mean", "end_interval", "end_positions")
    )
    positions = np.asarray(mean)
    # a mean over trials is not a profile that was played
    certified = np.zeros(positions.shape[:2], bool)
    return Ends(ends.selection, positions, certified, None if half is None else half[:, 0], trials)


def _draw_ends(ax: Axes, x: np.ndarray, name: str, ends: Ends, colour: str, marker: str) -> None:
    _, runs, players = ends.positions.shape
    for place, trial_ends in zip(x, () if ends.trials is None else ends.trials, strict=False):
        values = np.unique(trial_ends[np.isfinite(trial_ends)].round(9))
        ax.plot(np.full(len(values), place), values, ".", color=colour, alpha=0.3, label="_trial")
    abscissae = np.repeat(x[:, None], runs, axis=1)
    look: dict[str, Any] = {"markeredgewidth": 0.9, "markersize": 4.5, "zorder": 4, "label": "_end"}
    for player in range(players):
        style.draw_marks(ax, abscissae, ends.positions[..., player], ends.certified, colour, marker, **look)
    if ends.half is not None and runs == 1:
        bars: dict[str, Any] = {"fmt": "none", "ecolor": colour, "capsize": 2, "linewidth": 1}
        for player in range(min(players, ends.half.shape[1])):
            ax.errorbar(x, ends.positions[:, 0, player], ends.half[:, player], label="_interval", **bars)
    words = name + (", mean of trials" if ends.half is not None else "")
    ax.plot([], [], marker, label=words, **style.end_marker(bool(ends.certified.any()), colour))


def _distances(ax: Axes, data: Dataset, at: At, over: str, x: np.ndarray, names: Sequence[str]) -> Axes:
    """Draw the distances in axes below; return ``axes`` itself where the data hold none."""
    if not select.filled_variables(data, ["distance"]):
        return ax
    (low,) = style.lower_axes(ax, 1)
    dim, order = str(select.dimension(data, over)), np.argsort(x, kind="stable")
    for k, (name, colour) in enumerate(zip(names, style.colours(len(names)), strict=True)):
        place = dict(at or {}) | ({"algorithm": name} if "algorithm" in data["distance"].dims else {})
        selection = select.point(data, "distance", 0, at=place, keep=(dim, "replication", "batch"))
        values = selection["distance"].reshape(len(x), -1)
        if select.is_blank(values):
            continue
        mean, half = select.band(values.T)
        line: dict[str, Any] = {"marker": MARKERS[k % len(MARKERS)], "markersize": 3, "linewidth": 1.2}
        style.draw_band(low, x[order], mean[order], half[order], color=colour, **line)
    low.set_ylim(0.0, max(low.get_ylim()[1], ZERO_DISTANCE))
    low.set_ylabel("distance to the\nnearest equilibrium")
    return low

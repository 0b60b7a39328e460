"""End points of runs and branches of equilibria over a parameter, of one method or of several compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.plots import select
from rivalry.plots.branches import branch_marks, branch_point, event_marks, orbit_marks, parameter
from rivalry.plots.drawing import preset
from rivalry.plots.marks import (
    MARKERS,
    PALETTE,
    Drawing,
    Frame,
    Look,
    Mark,
    Marks,
    certified_points,
    colours,
    hollow_key,
    hue_keys,
    player_label,
    unless,
)
from rivalry.plots.select import At, DrawnPoint, Names
from rivalry.plots.series import method_label, method_names

JUMP = 0.12  # of the vertical range: ends farther apart are not joined
JOINED = 10  # fewest parameter values at which neighbouring ends are joined
LIST, UNDECIDED, PLACE = "equilibria", "undecided", "undecided place"
CROSSINGS = ("crossing", "crossing_direction")
ZERO_DISTANCE = 1e-6  # smaller distances count as zero
WORDS = {
    "stable_point": "stable point",
    "unstable_point": "unstable point",
    "cycle": "cycle",
    "moving": "still moving",
    "boundary": "on the boundary",
    "": "end of the run",
}


@preset
def bifurcation(
    data: Dataset,
    *,
    over: str | None = None,
    axis: int = 0,
    compare: bool = False,
    methods: Names = None,
    at: At = None,
    thresholds: str | None = "threshold",
) -> Drawing:
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
        return _compare(data, over, axis, at, methods)
    if methods is not None:
        raise ValueError("methods: one method is drawn; compare = true draws several")
    over = _over(data, at, over)
    branches = branch_point(data, at, over=over)
    runs = _runs(data, over, axis, at, thresholds)
    marks, words = Marks(), [""]
    if branches is not None:
        select.check_index("axis", axis, branches["branch_position"].shape[-1])
        marks += orbit_marks(branches, axis)
        marks += branch_marks(branches, axis, coloured=runs is None)
        marks += event_marks(branches, axis)
        words = [branches.words]
    elif runs is None:
        raise ValueError(f"over: neither runs nor branches over {over!r} are in this data")
    if runs is not None:
        x = data[over].values.astype(float)
        run_marks, words = _run_marks(x, runs, axis)
        marks += run_marks
        constants = runs.selection.get(str(thresholds))
        for value in () if constants is None else _constant(x, constants):
            marks.append(Mark("rule", [value], label=f"threshold {value:.6g}", linestyle="-.", linewidth=1.0))
    if thresholds is not None:
        marks += _crossings(data, at, over)
    return Drawing(marks, [Frame(select.name_of(data, over), _label(data, axis, runs))], words)


def _label(data: Dataset, axis: int, runs: Ends | None) -> str:
    """Return the words of the vertical axis."""
    if runs is None or LIST not in runs.selection:
        return select.strategy_label(data, axis, "end " if runs else "")
    if "action" not in data[LIST].dims:
        return select.strategy_label(data, axis)
    return f"probability of {data['action'].values[axis] if 'action' in data.coords else f'action {axis}'}"


def _constant(x: ndarray, values: ndarray) -> ndarray:
    """Return thresholds inside the range drawn that are constant over the parameter: values of it."""
    per_point = values.reshape(len(x), -1)
    constants = np.unique(per_point[np.isfinite(per_point)].round(12))
    # one for every value of the parameter is a function of it, which no vertical line shows
    if len(constants) > max(4, per_point.shape[1]):
        return np.empty(0)
    return constants[(constants > x.min()) & (constants < x.max())]


def _of_axis(array: ndarray, axis: int) -> ndarray:
    """Return one axis of ``[point ... player axis]`` as ``[point run player]``."""
    return array[..., axis].reshape(len(array), -1, array.shape[-2])


class Ends(NamedTuple):
    """End points over the parameter: ``positions [point run player]``, and words for their certificates."""

    selection: DrawnPoint
    positions: ndarray
    doubts: ndarray  # [point run]: empty where certified
    half: ndarray | None = None  # [point player]: a learner's 95 % interval over its trials
    trials: ndarray | None = None  # [point trial player]: where each of them ended

    @property
    def certified(self) -> ndarray:
        """Return the mask of certified ends, ``[point run]``."""
        return np.asarray(self.doubts == "")


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
    profile, claims = selection[main], selection.get("claim", np.array(""))
    if select.is_blank(profile):
        return None
    select.check_index("axis", axis, profile.shape[-1])
    positions = _of_axis(profile, axis)
    doubts = np.vectorize(select.doubt, otypes=[object])(claims)
    return Ends(
        selection, positions, np.broadcast_to(doubts, profile.shape[:-2]).reshape(positions.shape[:2])
    )


def _runs(data: Dataset, over: str, axis: int, at: At, thresholds: str | None) -> Ends | None:
    """Return the ends of one method; None where there are none."""
    if over not in data.coords:
        return None
    if LIST in data and over in data[LIST].coords:
        entries = _ends(data, over, axis, at, ("claim", "component", UNDECIDED), LIST, "equilibrium")
        if entries is not None:
            return entries
    if "profile" not in data:
        return None
    levels = () if thresholds is None else (thresholds,)
    extras = ("claim", "end_state", "cycle_low", "cycle_high", *levels)
    return _ends(data, over, axis, at, extras)


def _run_marks(x: ndarray, runs: Ends, axis: int) -> tuple[Marks, list[str]]:
    """Return the ends of one method, and words for the caption."""
    count = runs.positions.shape[1]
    words = [runs.selection.words, f"axis {axis}" if axis else ""]
    kinds = runs.selection.get("end_state", np.full(runs.certified.shape, "")).reshape(runs.certified.shape)
    marks = _lines(x, runs.positions, kinds) + _points(x, runs, kinds) + _ranges(x, runs.selection, axis)
    if LIST in runs.selection:
        return marks + _components(x, runs) + _undecided(x, runs, axis), words
    return marks, [*words, f"n = {count} runs per value" if count > 1 else ""]


def _crossings(data: Dataset, at: At, over: str) -> Marks:
    """Return the parameters at which the symmetric point gains or loses stability, over the scanned range."""
    selection = branch_point(data, at, ("crossing_direction", "crossing", "parameter_name"), 1, over)
    marks = Marks()
    for value, word in zip(*(selection[name] for name in CROSSINGS), strict=True) if selection else ():
        label = f"symmetric point {word} at {value:.6g}"
        marks.append(Mark("rule", [value], label=label, linestyle=":", linewidth=1.2))
    return marks


def _lines(x: ndarray, positions: ndarray, kinds: ndarray) -> Marks:
    """Return lines that join neighbouring end points of one kind."""
    allowed = JUMP * max(float(np.nanmax(positions) - np.nanmin(positions)), 1e-12)
    dashes, marks = {"stable_point": "-", "boundary": "-", "unstable_point": "--"}, Marks()
    for (kind, dash), run in product(dashes.items(), range(positions.shape[1])):
        lines = np.where(kinds[:, [run]] == kind, positions[:, run], np.nan)
        for line, hue in zip(lines.T, colours(positions.shape[2]), strict=True):
            joined = np.r_[False, np.abs(np.diff(line)) <= allowed]
            pieces = np.split(np.arange(len(x)), np.flatnonzero(~joined)) if len(x) >= JOINED else []
            look: Look = {"hue": hue, "linestyle": dash, "linewidth": 1.1}
            marks += [Mark("line", x[piece], line[piece], **look) for piece in pieces if len(piece) > 1]
    return marks


def _points(x: ndarray, runs: Ends, kinds: ndarray) -> Marks:
    """Return the ends, a shape of mark per kind; coincident players are concentric rings."""
    players, marks = runs.positions.shape[2], Marks()
    ring = 1.3 if players <= 4 else 0.9 if players <= len(PALETTE) else 0.0
    sizes = [(4.5 if len(x) <= 60 else 3.2) + ring * k for k in reversed(range(players))]
    labels = {"": "equilibrium of the list"} if LIST in runs.selection else WORDS
    kinds_and_markers = zip(labels.items(), MARKERS, strict=False)
    for ((kind, label), marker), words in product(kinds_and_markers, np.unique(runs.doubts)):
        index, run = np.nonzero((kinds == kind) & (runs.doubts == words))
        if np.isfinite(runs.positions[index, run]).any():
            look: Look = {"marker": marker, "hollow": bool(words)}
            marks.append(Mark("points", label=label + unless(words), **look))
            look |= {"hue": colours(players), "markersize": sizes}
            marks.append(Mark("points", x[index], runs.positions[index, run], **look))
    return marks + hue_keys([player_label(k, players) for k in range(players)])


def _components(x: ndarray, entries: Ends) -> Marks:
    """Return the span of each connected component of equilibria, ``component [... equilibrium]``."""
    labels = entries.selection.get("component", np.full(entries.certified.shape, -1))
    hues, marks = colours(entries.positions.shape[2]), Marks()
    for place, row, ends in zip(x, labels.reshape(entries.certified.shape), entries.positions, strict=True):
        numbers, sizes = np.unique(row[row >= 0], return_counts=True)
        for component in numbers[sizes > 1]:
            low, high = (limit(ends[row == component], axis=0) for limit in (np.min, np.max))
            marks.append(Mark("rule", [place], low=low[None], high=high[None], hue=hues, linewidth=1.1))
    return marks


def _undecided(x: ndarray, entries: Ends, axis: int) -> Marks:
    """Return places that may hold further equilibria, ``undecided [... place player axis end]``."""
    if UNDECIDED not in entries.selection:
        return []
    places = entries.selection[UNDECIDED][..., axis, :]
    low, high = np.moveaxis(places.reshape(len(x), -1, 2), 2, 0)
    index, where = np.nonzero(np.isfinite(low))
    low, high = low[index, where], high[index, where]
    look: Look = {"alpha": 0.35, "zorder": 2}
    spans = Mark("rule", x[index], low=low, high=high, linewidth=7, **look)
    squares = Mark("points", x[index], (low + high) / 2, marker="s", markersize=7, label=PLACE, **look)
    return [spans, squares] if len(index) else []


def _ranges(x: ndarray, selection: DrawnPoint, axis: int) -> Marks:
    """Return cycles as ranges, from ``cycle_low`` to ``cycle_high [... player axis]``."""
    if not {"cycle_low", "cycle_high"} <= set(selection):
        return []
    low, high = (_of_axis(selection[name], axis) for name in ("cycle_low", "cycle_high"))
    index, run = np.nonzero(np.isfinite(low).any(axis=2))
    players = low.shape[2]
    # shows players with equal ranges side by side
    places = x[index, None] + 0.01 * np.ptp(x) * (np.arange(players) - (players - 1) / 2)
    look: Look = {"linewidth": 3, "alpha": 0.35}
    ranges = Mark("rule", places, low=low[index, run], high=high[index, run], hue=colours(players), **look)
    return [ranges, Mark("rule", label="range of a cycle", **look)] if len(index) else []


def _compare(data: Dataset, over: str | None, axis: int, at: At, methods: Names) -> Drawing:
    """Return the ends of every method over the parameter, and their distances below."""
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
    branches = branch_point(data, at, over=over)
    marks = [] if branches is None else branch_marks(branches, axis, coloured=False)
    shift = 0.006 * float(np.ptp(x))
    hues = colours(len(ends_by_name))
    for k, ((name, ends), hue) in enumerate(zip(ends_by_name.items(), hues, strict=True)):
        abscissae = x + shift * (k - (len(ends_by_name) - 1) / 2)
        label = method_label(data, None if name == "runs" else name) or name
        marks += _method_marks(abscissae, label, ends, hue, MARKERS[k % len(MARKERS)])
    means = any(ends.half is not None for ends in ends_by_name.values())
    if means:
        marks.append(Mark("rule", label="95 % interval of the mean", linewidth=1.0))
    if any(ends.trials is not None for ends in ends_by_name.values()):
        marks.append(Mark("points", label="end point of a trial", marker=".", alpha=0.3))
    if words := {ends.selection.hollow_words() for ends in ends_by_name.values() if not ends.certified.all()}:
        of_all = words.pop() if len(words) == 1 else "not certified"
        marks.append(hollow_key("not certified, as no mean is" if means else of_all))
    distances, top = _distances(data, at, over, x, list(ends_by_name))
    across, upwards = select.name_of(data, over), select.strategy_label(data, axis, "end ")
    frames = [Frame(across, upwards.replace(" (", "\n("))]
    if distances:
        low = Frame(across, "distance to the\nnearest equilibrium", y_limits=(0.0, top))
        frames = [frames[0]._replace(x=""), low]
    return Drawing(marks + distances, frames, [f"axis {axis}" if axis else ""])


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
    doubts = np.full(positions.shape[:2], "not certified")
    return Ends(ends.selection, positions, doubts, None if half is None else half[:, 0], trials)


def _method_marks(x: ndarray, name: str, ends: Ends, hue: str, marker: str) -> Marks:
    """Return the ends of one method: pale those of trials, with whiskers the means over them."""
    _, runs, players = ends.positions.shape
    words = name + (", mean of trials" if ends.half is not None else "")
    marks = [Mark("points", label=words, hue=hue, marker=marker, hollow=not ends.certified.any())]
    for place, trial_ends in zip(x, () if ends.trials is None else ends.trials, strict=False):
        values = np.unique(trial_ends[np.isfinite(trial_ends)].round(9))
        marks.append(Mark("points", np.full(len(values), place), values, hue=hue, marker=".", alpha=0.3))
    abscissae = np.repeat(x[:, None], runs, axis=1)
    look: Look = {"hue": hue, "marker": marker, "markersize": 4.5, "zorder": 4}
    for player in range(players):
        half: Any = 0.0
        if ends.half is not None and runs == 1 and player < ends.half.shape[1]:
            half = ends.half[:, [player]]
        marks += certified_points(abscissae, ends.positions[..., player], ends.certified, half, **look)
    return marks


def _distances(data: Dataset, at: At, over: str, x: ndarray, names: Sequence[str]) -> tuple[Marks, float]:
    """Return the distances for the panel below, and its upper end; no marks where the data hold none."""
    marks, tops = Marks(), [np.float64(ZERO_DISTANCE)]
    dim, order = str(select.dimension(data, over)), np.argsort(x, kind="stable")
    if not select.filled_variables(data, ["distance"]):
        return marks, 0.0
    for k, (name, hue) in enumerate(zip(names, colours(len(names)), strict=True)):
        place = dict(at or {}) | ({"algorithm": name} if "algorithm" in data["distance"].dims else {})
        selection = select.point(data, "distance", 0, at=place, keep=(dim, "replication", "batch"))
        values = selection["distance"].reshape(len(x), -1)
        if select.is_blank(values):
            continue
        mean, half = select.band(values.T)
        look: Look = {"marker": MARKERS[k % len(MARKERS)], "markersize": 3, "linewidth": 1.2}
        marks.append(Mark("line", x[order], mean[order], hue=hue, panel=1, **look).within(half[order]))
        tops.append(1.05 * np.nanmax(mean + half))
    return marks, float(max(tops))

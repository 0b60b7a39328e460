"""Distributions of metrics over learning sessions, and the results of placebos."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.plots.drawing import preset
from rivalry.plots.marks import PALETTE, Drawing, Frame, Look, Mark, Marks, colours, levels
from rivalry.plots.select import (
    At,
    Names,
    NoSuchPoint,
    band,
    filled_variables,
    name_of,
    pick_names,
    place_of,
    point,
    second_key,
    value_of,
)
from rivalry.text.statistics import format_interval as format_interval
from rivalry.text.statistics import without_padding

CONTROLS = {
    "gamma_zero": "discount factor 0",
    "memoryless": "without memory",
    "myopic_follower": "myopic follower",
    "random": "random play",
}
"""Placebos, whose methods are called NAME-CONTROL, and their names in figures."""

GAIN, PAYOFF = "pooled_gain", "payoff"
GAIN_LABEL = "profit gain (0: Nash equilibrium, 1: joint maximum)"
WHEN = {"end": "over the limit cycle", "last": "over the last periods"}
OWN = ("session", "player", "seat")
BARS = 24  # most bars of a histogram
ALONE = 0.02  # of the horizontal axis: width of the bar where all values are equal
CROWD = 5  # more panels have room for two lines of text each
PLAIN = "#8A8A8A"

Levels = Mapping[str, float]


class Sample(NamedTuple):
    """One method's sessions, one value each, and benchmarks stored with them."""

    name: str
    values: ndarray  # [session], without gaps
    nash: float  # mean payoff of a player; NaN where not stored
    joint: float
    base: str  # the method that this one is a placebo of, or empty
    words: str = ""  # the method's name in words

    @property
    def label(self) -> str:
        """Return the method's name in figures."""
        words = CONTROLS[self.name.removeprefix(f"{self.base}-")] if self.base else self.words or self.name
        return words or "sessions"

    def interval(self) -> tuple[float, float]:
        """Return the mean over sessions and half the width of its 95 % interval (Student's t)."""
        mean, half = band(self.values[:, None])
        return float(mean[0]), float(half[0])

    def format_mean(self) -> str:
        """Return the mean, to the two leading digits of half the width of its interval, and that."""
        return format_interval(*self.interval())


@preset
def histogram(
    data: Dataset,
    *,
    quantity: str | None = None,
    form: str = "bars",
    methods: Names = None,
    controls: bool | None = None,
    lines: Levels | None = None,
    at: At = None,
) -> Drawing:
    """Draw the distribution of a metric over the sessions of every method, or at every value of a key.

    Of a single method, the values of a swept key that ``at`` does not fix are drawn, if they are few.

    Parameters
    ----------
    data
        Holds the metric ``[session]`` or ``[session player]``; over players the mean is taken.
    quantity
        The metric: any variable of sessions, or ``payoff``: ``last_payoff``, the mean over the last periods,
        where that is stored, else ``end_payoff``, that of greedy play. By default ``pooled_gain``, the profit
        gain of all players together, where that is stored, else the payoff.
    form
        ``bars``: a histogram per method with its mean; ``means``: a row per method with its mean. Means have
        95 % intervals (Student's t).
    methods
        The methods, in this order; all otherwise, each followed by its placebos.
    controls
        Whether placebos are drawn; by default with ``means`` only. What they reach is no collusion:
        they have no use for punishment.
    lines
        Further values by name, such as published ones. Gains have 0, the Nash equilibrium of the stage game,
        and 1, the joint maximum; payoffs have ``nash_payoff`` and ``joint_payoff`` where they are stored.

    Raises
    ------
    ValueError
        If there is no such metric or method.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> axes = histogram(xr.Dataset({"pooled_gain": ("session", [0.6, 0.8, 0.8, 1.0])}))
    >>> float(sum(bar.get_height() for bar in axes.patches[:-1]))
    1.0
    >>> names = {"algorithm": ["learning", "learning-gamma_zero"]}
    >>> data = xr.Dataset({"pooled_gain": (("algorithm", "session"), [[0.8, 0.9], [0.2, 0.3]])}, names)
    >>> [tick.get_text() for tick in histogram(data, form="means").get_yticklabels()]
    ['learning', 'discount factor 0']
    """
    if form not in ("bars", "means"):
        raise ValueError(f"form: {form!r} must be 'bars' or 'means'")
    quantity = quantity or next(iter(filled_variables(data, [GAIN])), PAYOFF)
    if quantity == PAYOFF:
        quantity = next(iter(filled_variables(data, ["last_payoff"])), "end_payoff")
    with_controls = form == "means" if controls is None else controls
    sample_list, place = _by_value(data, quantity, methods, with_controls, at)
    if methods is None:  # every learner is followed by its placebos
        rank = {sample.name: k for k, sample in enumerate(sample_list) if not sample.base}
        sample_list.sort(
            key=lambda sample: (rank.get(sample.base or sample.name, len(sample_list)), sample.base != "")
        )
    references = [_levels_of(sample, quantity) | dict(lines or {}) for sample in sample_list]
    drawing = (_means if form == "means" else _bars)(sample_list, references)
    *upper, lowest = drawing.frames
    across = GAIN_LABEL if quantity == GAIN else _metric_label(data, quantity)
    words = place, "means with 95 % intervals" if form == "means" else ""
    return drawing._replace(frames=[*upper, lowest._replace(x=across)], caption=words)


def _by_value(
    data: Dataset, quantity: str, methods: Names, controls: bool, at: At
) -> tuple[list[Sample], str]:
    """Return the samples of all methods; of a single one, at every value of a swept key, if these are few."""
    sample_list, place = samples(data, quantity, methods=methods, controls=controls, at=at)
    key = second_key(data, quantity, len(_own_dimensions(data, quantity)), "", at)
    if key is None or len(sample_list) > 1:
        return sample_list, place
    samples_by_value = []
    for k in range(data.sizes[key]):
        with suppress(NoSuchPoint):  # not computed at this value
            part, place = samples(data.isel({key: [k]}), quantity, methods=methods, controls=controls, at=at)
            samples_by_value += [sample._replace(words=place_of(data, key, k)) for sample in part[:1]]
    return samples_by_value, place


def _levels_of(sample: Sample, quantity: str) -> dict[str, float]:
    """Return the benchmarks of a method by name, as far as they are stored."""
    if quantity == GAIN:
        return {"Nash equilibrium": 0.0, "joint maximum": 1.0}
    levels = {"Nash equilibrium": sample.nash, "joint maximum": sample.joint}
    finite = {name: value for name, value in levels.items() if np.isfinite(value)}
    return {f"{name} ({level:.4g})": level for name, level in finite.items() if quantity.endswith("_payoff")}


def _metric_label(data: Dataset, quantity: str) -> str:
    """Return the name of a metric of sessions, with the dimension of its mean."""
    prefix, _, metric = quantity.partition("_")
    return f"{name_of(data, metric)} ({WHEN[prefix]})" if prefix in WHEN else name_of(data, quantity)


def samples(
    data: Dataset, quantity: str, *, methods: Names = None, controls: bool = False, at: At = None
) -> tuple[list[Sample], str]:
    """Return the samples of ``quantity`` (session) or (session, player) by method, and words for the point.

    Values are means over players; replications add sessions. ``methods`` selects and orders the methods,
    otherwise placebos are left out unless ``controls``. Methods without the quantity have no sample. Raises
    `ValueError` for an unknown quantity or method, or without a value per session, `NoSuchPoint` where no
    method has any.

    >>> import xarray as xr
    >>> data = xr.Dataset({"gain": (("algorithm", "session"), [[0.5, 0.7], [0.1, 0.3]])},
    ...                   {"algorithm": ["learning", "learning-random"]})
    >>> [one.format_mean() for one in samples(data, "gain", controls=True)[0]]
    ['0.6 ± 1.3', '0.2 ± 1.3']
    """
    dimensions = _own_dimensions(data, quantity)
    names = [str(name) for name in data["algorithm"].values] if "algorithm" in data.coords else []
    default = [name for name in names if controls or not base_of(name, names)]
    if "algorithm" in (at or {}):
        default = [str((at or {})["algorithm"])]
    selection = point(data, quantity, len(dimensions), at=at, keep=("algorithm", "replication"))
    rows = max(len(names), 1)
    nash, joint = _benchmark(data, "nash_payoff", rows, at), _benchmark(data, "joint_payoff", rows, at)
    sample_list = []
    for name in pick_names("methods", methods, names, default) or [""]:
        # an array that does not depend on the method has one row
        row = names.index(name) if name and len(selection[quantity]) > 1 else 0
        values = _flatten_sessions(selection[quantity][row], dimensions)
        if values.size:
            words = value_of(data, "algorithm", names.index(name)) if name else ""
            benchmarks = float(nash[row]), float(joint[row])
            sample_list.append(Sample(name, values, *benchmarks, base_of(name, names), words))
    if not sample_list:
        raise NoSuchPoint(f"data: no method has {quantity} here")
    return sample_list, selection.words


def _benchmark(data: Dataset, name: str, methods: int, at: At) -> ndarray:
    """Return the mean of a payoff over players, ``[method]``; NaN where it is not stored."""
    if name not in data:
        return np.full(methods, np.nan)
    payoffs = point(data, name, 1, at=at, keep=("algorithm",))[name].astype(float)
    return np.broadcast_to(band(payoffs.T)[0], methods)


def base_of(name: str, methods: Sequence[str]) -> str:
    """Return the method in ``methods`` that ``name`` is a placebo of; empty if there is none.

    >>> base_of("learning-random", ["learning"]), base_of("learning", ["learning"])
    ('learning', '')
    """
    base, _, suffix = name.rpartition("-")
    return base if suffix in CONTROLS and base in methods else ""


def _own_dimensions(data: Dataset, quantity: str) -> tuple[str, ...]:
    """Return the quantity's own dimensions, of which the first is the session."""
    of_sessions = [str(name) for name in data.data_vars if "session" in data[name].dims]
    if not of_sessions:
        raise ValueError("data: no metric has a value for each session, which this plot draws")
    if quantity not in data:
        pick_names("quantity", [quantity], of_sessions, ())
    dimensions = tuple(str(dim) for dim in data[quantity].dims if dim in OWN)
    if dimensions[:1] != ("session",) or len(dimensions) > 2:
        raise ValueError(f"quantity: {quantity!r} must have a value for each session, or session and player")
    return dimensions


def _flatten_sessions(values: ndarray, dimensions: tuple[str, ...]) -> ndarray:
    """Return ``[replication session ..]`` as ``[session]``: means over players, without padding."""
    numbers = without_padding(values)
    flat = numbers.reshape(-1, *numbers.shape[2:])
    flat = flat if len(dimensions) == 1 else band(flat.T)[0]
    return flat[~np.isnan(flat)]


def _bars(sample_list: list[Sample], references: list[dict[str, float]]) -> Drawing:
    """Return the drawing of shares of sessions, a panel per method on one scale."""
    scale, edges = _scale_and_edges(sample_list, references)
    shares = [np.histogram(sample.values, edges)[0] / len(sample.values) for sample in sample_list]
    top, has_panels, middles = 1.1 * float(np.max(shares)), len(sample_list) > 1, (edges[1:] + edges[:-1]) / 2
    marks, frames, hues = Marks(), list[Frame](), colours(len(sample_list))
    for panel, (sample, share, hue) in enumerate(zip(sample_list, shares, hues, strict=True)):
        look: Look = {"hue": hue, "panel": panel}
        mean, half = sample.interval()
        label = "mean" if has_panels else f"mean {sample.format_mean()}"
        span, heights = mean + half * np.array([-1, 1, 1, -1]), [0.0, 0.0, top, top]
        marks.append(Mark("bars", middles, share, width=np.diff(edges), linewidth=0, alpha=0.55, **look))
        marks.append(Mark("rule", [mean], linewidth=1.8, label=label, **look))
        marks.append(Mark("region", span, heights, alpha=0.3, label="95 % interval of the mean", **look))
        marks += levels(references[panel], upright=True, panel=panel)
        number = f"n = {len(sample.values)}"
        frame = Frame("", "", x_limits=scale, y_limits=(0.0, top))
        if has_panels:
            between = "\n" if len(sample_list) <= CROWD else ", "
            note = f"{_label_of(sample, sample_list)}\n{sample.format_mean()}{between}{number}"
            frames.append(frame._replace(beside=note))
        else:
            frames.append(frame._replace(y=f"share of sessions ({number})"))
    if has_panels:
        middle = len(frames) // 2
        frames[middle] = frames[middle]._replace(y="share of sessions")
    return Drawing(marks, frames, columns=has_panels, under=has_panels)


def _label_of(sample: Sample, sample_list: list[Sample]) -> str:
    """Return a sample's name; with that of the learner where placebos of several are drawn."""
    learners = {sample.base or sample.name for sample in sample_list}
    if not sample.base or len(learners) == 1:
        return sample.label
    labels = {sample.name: sample.label for sample in sample_list}
    return f"{labels.get(sample.base, sample.base)}:\n{sample.label}"


def _scale_and_edges(
    sample_list: list[Sample], references: list[dict[str, float]]
) -> tuple[tuple[float, float], ndarray]:
    """Return the ends of the scale, and the edges of bars, the same for all methods.

    The scale has all values and references. Values that hardly differ share one bar.
    """
    values = np.concatenate([sample.values for sample in sample_list])
    reference_values = [list(by_name.values()) for by_name in references]
    scale_values = np.concatenate([values, *reference_values])
    low, high = float(scale_values.min()), float(scale_values.max())
    margin = 0.05 * ((high - low) or max(abs(high), 1.0))
    scale = low - margin, high + margin
    width = ALONE * (high - low + 2 * margin)
    if np.ptp(values) <= width:
        middle = float(values.min() + values.max()) / 2
        return scale, np.array([middle - width / 2, middle + width / 2])
    most_sessions = max(len(sample.values) for sample in sample_list)
    count = int(np.clip(2 * np.sqrt(most_sessions), 5, BARS))
    return scale, np.linspace(values.min(), values.max(), count + 1)


def _mean_marks(sample: Sample, y: float, **look: Any) -> Marks:
    """Return the mean of a method at a height, with its interval."""
    mean, half = sample.interval()
    point = Mark("points", [mean], [y], **look)
    return [point, Mark("rule", y=[y], low=mean - half, high=mean + half, hue=point.hue)]


def _means(sample_list: list[Sample], references: list[dict[str, float]]) -> Drawing:
    """Return the drawing of a row per method: learners as circles, their placebos as grey squares."""
    marks = levels(dict(ChainMap(*references)), upright=True)
    for row, sample in enumerate(sample_list):
        look = {"marker": "s", "hue": PLAIN} if sample.base else {"marker": "o", "hue": PALETTE[0]}
        words = f"{sample.format_mean()}  (n = {len(sample.values)})"
        marks += _mean_marks(sample, row, texts=[words], **look)
    has_placebos = any(sample.base for sample in sample_list)
    label = "method, with its placebos" if has_placebos else "method"
    names = [sample.label for sample in sample_list]
    # the first method is at the top
    frame = Frame("", label, y_limits=(len(sample_list) - 0.4, -0.6), y_ticks=names)
    return Drawing(marks, [frame], under=True)

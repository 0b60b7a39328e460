"""Distributions of metrics over learning sessions, and the results of negative controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from xarray import Dataset

from rivalry.plots.select import (
    At,
    Names,
    NoSuchPoint,
    band,
    check_count,
    filled_variables,
    name_of,
    pick_names,
    place_of,
    point,
    second_key,
    value_of,
)
from rivalry.plots.style import DASHES, INK, PALETTE, caption, chart, colours, draw_levels, legend
from rivalry.text.statistics import format_interval as format_interval

CONTROLS = {
    "gamma_zero": "discount factor 0",
    "memoryless": "without memory",
    "myopic_follower": "myopic follower",
    "random": "random play",
}
"""Negative controls, whose methods are called NAME-CONTROL, and their names in figures."""

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
    values: np.ndarray  # [session], without gaps
    nash: float  # mean payoff of a player; NaN where not stored
    joint: float
    base: str  # the method that this one is a negative control of, or empty
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


@chart
def histogram(
    data: Dataset,
    ax: Axes,
    *,
    quantity: str | None = None,
    form: str = "bars",
    methods: Names = None,
    controls: bool | None = None,
    published: float | None = None,
    lines: Levels | None = None,
    bins: int | None = None,
    at: At = None,
) -> Axes:
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
        ``bars``: a histogram per method with its mean; ``cumulative``: the share of sessions with no more
        than each value, a line per method; ``means``: a row per method with its mean. Means have 95 %
        intervals (Student's t).
    methods
        The methods, in this order; all otherwise, each followed by its negative controls.
    controls
        Whether negative controls are drawn; by default with ``means`` only. What they reach is no collusion:
        they have no use for punishment.
    published
        A published value to compare with.
    lines
        Further reference values by name. Gains have 0, the Nash equilibrium of the stage game, and 1, the
        joint maximum; payoffs have ``nash_payoff`` and ``joint_payoff`` where they are stored.
    bins
        The number of bars.

    Raises
    ------
    ValueError
        If there is no such metric or method, or ``bins`` is below one.

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
    if form not in ("bars", "cumulative", "means"):
        raise ValueError(f"form: {form!r} must be 'bars', 'cumulative' or 'means'")
    check_count("bins", bins)
    quantity = quantity or next(iter(filled_variables(data, [GAIN])), PAYOFF)
    if quantity == PAYOFF:
        quantity = next(iter(filled_variables(data, ["last_payoff"])), "end_payoff")
    with_controls = form == "means" if controls is None else controls
    sample_list, place = _by_value(data, quantity, methods, with_controls, at)
    if methods is None:  # every learner is followed by its controls
        rank = {sample.name: k for k, sample in enumerate(sample_list) if not sample.base}
        sample_list.sort(
            key=lambda sample: (rank.get(sample.base or sample.name, len(sample_list)), sample.base != "")
        )
    reference_lines = dict(lines or {}) | (
        {} if published is None else {f"published ({published:g})": published}
    )
    levels = [_levels_of(sample, quantity) | reference_lines for sample in sample_list]
    if form == "means":
        _draw_means(ax, sample_list, levels)
    elif form == "cumulative":
        _draw_cumulative(ax, sample_list, levels, bins)
    else:
        _draw_bars(ax, sample_list, levels, bins)
    ax.set_xlabel(GAIN_LABEL if quantity == GAIN else _label(data, quantity))
    caption(ax, place, "means with 95 % intervals" if form == "means" else "")
    legend(ax, under=form == "means" or (form == "bars" and len(sample_list) > 1))
    return ax


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


def _label(data: Dataset, quantity: str) -> str:
    """Return the name of a metric of sessions, with the dimension of its mean."""
    prefix, _, metric = quantity.partition("_")
    return f"{name_of(data, metric)} ({WHEN[prefix]})" if prefix in WHEN else name_of(data, quantity)


def samples(
    data: Dataset, quantity: str, *, methods: Names = None, controls: bool = False, at: At = None
) -> tuple[list[Sample], str]:
    """Return each method's values of ``quantity`` (session) or (session, player), pooled, and words for the
    point.

    Values are means over players; replications add sessions. ``methods`` selects and orders the methods,
    otherwise negative controls are left out unless ``controls``. Methods without the quantity have no
    sample. Raises `ValueError` for an unknown quantity or method, or without a value per session,
    `NoSuchPoint` where no method has any.

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
    levels = [np.full(1, np.nan)] * 2
    for k, name in enumerate(("nash_payoff", "joint_payoff")):
        if name in data:  # the mean over players, [method]
            levels[k] = band(point(data, name, 1, at=at, keep=("algorithm",))[name].astype(float).T)[0]
    sample_list = []
    for name in pick_names("methods", methods, names, default) or [""]:
        row = names.index(name) if name and len(selection[quantity]) > 1 else 0
        values = _flatten_sessions(selection[quantity][row], dimensions)
        if values.size:
            nash, joint = (float(level[min(row, len(level) - 1)]) for level in levels)
            words = value_of(data, "algorithm", names.index(name)) if name else ""
            sample_list.append(Sample(name, values, nash, joint, base_of(name, names), words))
    if not sample_list:
        raise NoSuchPoint(f"data: no method has {quantity} here")
    return sample_list, selection.words


def base_of(name: str, methods: Sequence[str]) -> str:
    """Return the method in ``methods`` that ``name`` is a negative control of; empty if there is none.

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


def _flatten_sessions(values: np.ndarray, dimensions: tuple[str, ...]) -> np.ndarray:
    """Return ``[replication session ..]`` as ``[session]``: means over players, without padding."""
    numbers = np.where(values == -1, np.nan, values) if values.dtype.kind == "i" else values.astype(float)
    flat = numbers.reshape(-1, *numbers.shape[2:])
    flat = flat if len(dimensions) == 1 else band(flat.T)[0]
    return np.asarray(flat[~np.isnan(flat)])


def _draw_bars(ax: Axes, sample_list: list[Sample], levels: list[dict[str, float]], bins: int | None) -> None:
    """Draw shares of sessions, a panel per method on one scale."""
    has_panels = len(sample_list) > 1
    small_axes = _stack_axes(ax, len(sample_list)) if has_panels else [ax]
    low, high, edges = _edges(sample_list, levels, bins)
    top = 0.0
    for panel, sample, sample_levels, shade in zip(
        small_axes, sample_list, levels, colours(len(sample_list)), strict=True
    ):
        share = np.histogram(sample.values, edges)[0] / len(sample.values)
        top = max(top, float(share.max()))
        panel.bar(edges[:-1], share, np.diff(edges), align="edge", color=shade, alpha=0.55, label="_bar")
        mean, half = sample.interval()
        panel.axvline(mean, color=shade, linewidth=1.8, label=f"mean {sample.format_mean()}")
        ends = mean - half, mean + half
        panel.axvspan(*ends, label="95 % interval of the mean", color=shade, alpha=0.3, linewidth=0)
        draw_levels(panel, sample_levels, upright=True)
        panel.set_xlim(low, high)
        if has_panels:
            between = "\n" if len(sample_list) <= CROWD else ", "
            words = (
                f"{_label_of(sample, sample_list)}\n{sample.format_mean()}{between}n = {len(sample.values)}"
            )
            panel.text(1.02, 0.5, words, transform=panel.transAxes, fontsize=7.5, va="center", ha="left")
    for panel in small_axes:
        panel.set_ylim(0.0, 1.1 * top)
    if has_panels:
        dashes = {
            name: DASHES[(k + 1) % len(DASHES)]
            for sample_levels in levels
            for k, name in enumerate(sample_levels)
        }
        for name, dash in dashes.items():
            ax.plot([], [], color=INK, linestyle=dash, linewidth=1.0, label=name)
        ax.plot([], [], color=PALETTE[0], linewidth=1.8, label="mean and 95 % interval")
        ax.xaxis.labelpad, ax.yaxis.labelpad = 16, 26
    ax.set_ylabel("share of sessions" + ("" if has_panels else f" (n = {len(sample_list[0].values)})"))


def _stack_axes(ax: Axes, count: int) -> list[Axes]:
    """Return small axes, one below the other on one horizontal scale; of ``axes`` only the labels stay."""
    ax.spines[:].set_visible(False)
    ax.grid(False)
    ax.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
    small_axes = [ax.inset_axes((0.0, 1 - (k + 0.86) / count, 1.0, 0.82 / count)) for k in range(count)]
    for k, axes in enumerate(small_axes):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7, labelbottom=k == count - 1)
        axes.yaxis.set_major_locator(MaxNLocator(3))
    return small_axes


def _label_of(sample: Sample, sample_list: list[Sample]) -> str:
    """Return a sample's name; with that of the learner where controls of several are drawn."""
    learners = {sample.base or sample.name for sample in sample_list}
    words = {sample.base: sample.base for sample in sample_list} | {
        sample.name: sample.label for sample in sample_list
    }
    return f"{words[sample.base]}:\n{sample.label}" if sample.base and len(learners) > 1 else sample.label


def _edges(
    sample_list: list[Sample], levels: list[dict[str, float]], bins: int | None
) -> tuple[float, float, np.ndarray]:
    """Return the ends of the scale, and the edges of bars, the same for all."""
    values = np.concatenate([sample.values for sample in sample_list])
    scale_values = np.append(values, [level for sample_levels in levels for level in sample_levels.values()])
    low, high = float(scale_values.min()), float(scale_values.max())
    room = 0.05 * ((high - low) or max(abs(high), 1.0))
    width = ALONE * (high - low + 2 * room)
    if np.ptp(values) <= width:
        middle = float(values.min() + values.max()) / 2
        return low - room, high + room, np.array([middle - width / 2, middle + width / 2])
    count = bins or int(np.clip(2 * np.sqrt(max(len(sample.values) for sample in sample_list)), 5, BARS))
    return low - room, high + room, np.linspace(values.min(), values.max(), count + 1)


def _draw_cumulative(
    ax: Axes, sample_list: list[Sample], levels: list[dict[str, float]], bins: int | None
) -> None:
    """Draw the share of sessions with no more than each value, and the means as dots."""
    low, high, _ = _edges(sample_list, levels, bins)
    for sample, shade in zip(sample_list, colours(len(sample_list)), strict=True):
        steps = np.sort(sample.values)
        x = np.concatenate([[low], steps, [high]])
        share = np.append(np.arange(len(steps) + 1) / len(steps), 1.0)
        label = _label_of(sample, sample_list).replace("\n", " ")
        ax.step(x, share, where="post", color=shade, label=f"{label}, mean {sample.format_mean()}")
        mean, half = sample.interval()
        below = float(np.mean(steps <= mean))
        ax.errorbar(mean, below, xerr=half, fmt="o", color=shade, markersize=4, label="_mean")
    draw_levels(
        ax, {name: level for sample_levels in levels for name, level in sample_levels.items()}, upright=True
    )
    ax.set_xlim(low, high)
    ax.set_ylim(0.0, 1.02)
    ax.set_ylabel("cumulative share of sessions")


def _draw_means(ax: Axes, sample_list: list[Sample], levels: list[dict[str, float]]) -> None:
    """Draw a row per method: learners as circles, their negative controls as grey squares."""
    for row, sample in enumerate(sample_list):
        mean, half = sample.interval()
        style: dict[str, Any] = {
            "fmt": "s" if sample.base else "o",
            "color": PLAIN if sample.base else PALETTE[0],
        }
        ax.errorbar(mean, row, xerr=half, markersize=6, capsize=3, label="_mean", **style)
        words = f"{sample.format_mean()}  (n = {len(sample.values)})"
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        above: dict[str, Any] = {"xytext": (0, 7), "textcoords": "offset points", "ha": "center", "bbox": box}
        ax.annotate(words, (mean, row), fontsize=7.5, **above)
    draw_levels(
        ax, {name: level for sample_levels in levels for name, level in sample_levels.items()}, upright=True
    )
    ax.set_yticks(range(len(sample_list)), [sample.label for sample in sample_list])
    for tick, sample in zip(ax.get_yticklabels(), sample_list, strict=True):
        tick.set_fontweight("normal" if sample.base else "bold")
    ax.set_ylim(len(sample_list) - 0.4, -0.6)
    ax.grid(False, axis="y")
    ax.margins(x=0.12)
    ax.set_ylabel("method, with its controls" if any(sample.base for sample in sample_list) else "method")

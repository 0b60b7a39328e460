"""How sessions of learning in repeated play end: how gains spread, and what negative controls come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rivalry.plots.measures import word
from rivalry.plots.samples import GAIN, Sample, samples
from rivalry.plots.select import blank, checked
from rivalry.plots.style import DASHES, INK, PALETTE, canvas, colours, legend, note

if TYPE_CHECKING:
    from xarray import Dataset

GAIN_WORDS = "profit gain (0: Nash equilibrium, 1: joint maximum)"
BARS = 24  # of a histogram, at the most
ALONE = 0.02  # of the range drawn: the width of a bar where all values are one
CROWD = 5  # more panels have room for two lines of words each
PLAIN = "#8A8A8A"

Lines = Mapping[str, float]


def profit_gain(
    data: Dataset,
    ax: Axes | None = None,
    *,
    methods: Sequence[str] | None = None,
    controls: bool = False,
    cumulative: bool = False,
    published: float | None = None,
    bins: int | None = None,
    at: Mapping[str, Any] | None = None,
) -> Axes:
    """How the gain of all players together, ``pooled_gain`` (session), is spread over sessions.

    A histogram for each method with its mean and 95 % interval (Student's t), or with ``cumulative`` the
    share of sessions with no more than each gain, one line a method. 0 is the Nash equilibrium of one period
    and 1 the joint maximum; ``published`` a value to compare with. ``methods`` picks and orders the methods;
    otherwise negative controls are drawn only with ``controls``.

    Raises `ValueError` for a method that is not there, or fewer than one of ``bins``.

    >>> import numpy as np, xarray as xr
    >>> axes = profit_gain(xr.Dataset({"pooled_gain": ("session", [0.6, 0.8, 0.8, 1.0])}))
    >>> float(sum(bar.get_height() for bar in axes.patches[:-1]))
    1.0
    """
    checked(data)
    every, words = samples(data, GAIN, methods=methods, controls=controls, at=at)
    lines = {"Nash equilibrium": 0.0, "joint maximum": 1.0}
    if published is not None:
        lines |= {f"published ({published:g})": float(published)}
    with canvas(ax) as axes:
        draw = _cumulated if cumulative else _histograms
        draw(axes, every, [lines] * len(every), GAIN_WORDS, _count(bins))
        note(axes, words)
        return axes


def profit_histogram(
    data: Dataset,
    ax: Axes | None = None,
    *,
    quantity: str | None = None,
    methods: Sequence[str] | None = None,
    controls: bool = False,
    cumulative: bool = False,
    lines: Lines | None = None,
    bins: int | None = None,
    at: Mapping[str, Any] | None = None,
) -> Axes:
    """How a ``quantity`` of sessions is spread, method by method: mean payoffs, unless another is named.

    Any variable (session) or (session, player); of players the mean is taken. Without a name it is
    ``last_payoff``, the mean over the last periods, where that is stored, else ``end_payoff``, that of greedy
    play. Beside payoffs stand ``nash_payoff`` and ``joint_payoff`` where they are stored; ``lines`` are
    further values by name. The other options are those of `profit_gain`.

    Raises `ValueError` for a quantity or a method that is not there, or fewer than one of ``bins``.

    >>> import numpy as np, xarray as xr
    >>> data = xr.Dataset({"end_price": (("session", "player"), [[1.5, 1.7], [1.8, 1.8]])})
    >>> profit_histogram(data, quantity="end_price").get_xlabel()
    'price (over the limit cycle)'
    """
    checked(data)
    if quantity is None:
        held = "last_payoff" in data and not blank(data["last_payoff"].values)
        quantity = "last_payoff" if held else "end_payoff"
    every, words = samples(data, quantity, methods=methods, controls=controls, at=at)
    beside = [_payoff_lines(one) if quantity.endswith("_payoff") else {} for one in every]
    with canvas(ax) as axes:
        draw = _cumulated if cumulative else _histograms
        draw(axes, every, [own | dict(lines or {}) for own in beside], _words(quantity), _count(bins))
        note(axes, words)
        return axes


def _payoff_lines(one: Sample) -> dict[str, float]:
    named = {"Nash equilibrium": one.nash, "joint maximum": one.joint}
    return {f"{name} ({value:.4g})": value for name, value in named.items() if np.isfinite(value)}


def _words(quantity: str) -> str:
    """What a variable of sessions is: which measure, and over what it is a mean."""
    when = {"end": "over the limit cycle", "last": "over the last periods"}
    first, _, rest = quantity.partition("_")
    return f"{word(rest).replace('_', ' ')} ({when[first]})" if first in when else quantity.replace("_", " ")


def _count(bins: int | None) -> int | None:
    if bins is not None and bins < 1:
        raise ValueError(f"bins: {bins} must be at least 1")
    return bins


# -- how values are spread -----------------------------------------------------------------------------


def _histograms(
    axes: Axes, every: list[Sample], lines: list[dict[str, float]], words: str, bins: int | None
) -> None:
    """Shares of sessions, a panel a method on one scale."""
    several = len(every) > 1
    small = _stacked(axes, len(every)) if several else [axes]
    low, high, edges = _edges(every, lines, bins)
    top = 0.0
    for panel, one, marks, shade in zip(small, every, lines, colours(len(every)), strict=True):
        share = np.histogram(one.values, edges)[0] / len(one.values)
        top = max(top, float(share.max()))
        panel.bar(edges[:-1], share, np.diff(edges), align="edge", color=shade, alpha=0.55, label="_bar")
        _mean_of(panel, one, shade)
        _upright(panel, marks)
        panel.set_xlim(low, high)
        if several:
            apart = "\n" if len(every) <= CROWD else ", "
            told = f"{_who(one, every)}\n{one.told()}{apart}n = {len(one.values)}"
            panel.text(1.02, 0.5, told, transform=panel.transAxes, fontsize=7.5, va="center", ha="left")
    for panel in small:
        panel.set_ylim(0.0, 1.1 * top)
    if several:
        _explained(axes, lines)
    axes.set_xlabel(words, labelpad=16 if several else None)
    axes.set_ylabel(
        "share of sessions" + ("" if several else f" (n = {len(every[0].values)})"),
        labelpad=26 if several else None,
    )
    legend(axes, under=several)


def _mean_of(panel: Axes, one: Sample, shade: str) -> None:
    mean, half = one.interval()
    panel.axvline(mean, color=shade, linewidth=1.8, label=f"mean {one.told()}")
    panel.axvspan(mean - half, mean + half, color=shade, alpha=0.3, linewidth=0, label="95 % interval of it")


def _stacked(axes: Axes, count: int) -> list[Axes]:
    """Small axes one under the other on one horizontal scale; of ``axes`` only the words stay."""
    axes.spines[:].set_visible(False)
    axes.grid(False)
    axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
    small = [axes.inset_axes((0.0, 1 - (k + 0.86) / count, 1.0, 0.82 / count)) for k in range(count)]
    for k, one in enumerate(small):
        one.spines[["top", "right"]].set_visible(False)
        one.tick_params(labelsize=7, labelbottom=k == count - 1)
        one.yaxis.set_major_locator(MaxNLocator(3))
    return small


def _who(one: Sample, every: list[Sample]) -> str:
    """A sample's name; that of the learner too where controls of several are drawn."""
    learners = {other.base or other.name for other in every}
    return f"{one.base}:\n{one.words}" if one.base and len(learners) > 1 else one.words


def _edges(
    every: list[Sample], lines: list[dict[str, float]], bins: int | None
) -> tuple[float, float, np.ndarray]:
    """The ends of the scale, and the edges of bars, the same for all."""
    values = np.concatenate([one.values for one in every])
    seen = np.append(values, [level for marks in lines for level in marks.values()])
    low, high = float(seen.min()), float(seen.max())
    room = 0.05 * (high - low) if high > low else max(abs(high), 1.0) * 0.05
    least, most = float(values.min()), float(values.max())
    if most - least <= ALONE * (high - low + 2 * room):
        middle, reach = (least + most) / 2, ALONE * (high - low + 2 * room)
        return low - room, high + room, np.array([middle - reach / 2, middle + reach / 2])
    count = bins or int(np.clip(2 * np.sqrt(max(len(one.values) for one in every)), 5, BARS))
    return low - room, high + room, np.linspace(least, most, count + 1)


def _upright(panel: Axes, marks: Lines) -> None:
    for k, (name, level) in enumerate(marks.items()):
        dash = DASHES[(k + 1) % len(DASHES)]
        panel.axvline(level, color=INK, linestyle=dash, linewidth=1.0, label=name)


def _explained(axes: Axes, lines: list[dict[str, float]]) -> None:
    """What the upright lines of small panels are."""
    told = {name: DASHES[(k + 1) % len(DASHES)] for marks in lines for k, name in enumerate(marks)}
    for name, dash in told.items():
        axes.plot([], [], color=INK, linestyle=dash, linewidth=1.0, label=name)
    axes.plot([], [], color=PALETTE[0], linewidth=1.8, label="mean and its 95 % interval")


def _cumulated(
    axes: Axes, every: list[Sample], lines: list[dict[str, float]], words: str, bins: int | None
) -> None:
    """The share of sessions with no more than each value, and the means as dots."""
    low, high, _ = _edges(every, lines, bins)
    for one, shade in zip(every, colours(len(every)), strict=True):
        steps = np.sort(one.values)
        x = np.concatenate([[low], steps, [high]])
        share = np.append(np.arange(len(steps) + 1) / len(steps), 1.0)
        who = _who(one, every).replace("\n", " ")
        axes.step(x, share, where="post", color=shade, label=f"{who}, mean {one.told()}")
        mean, half = one.interval()
        below = float(np.mean(steps <= mean))
        axes.errorbar(mean, below, xerr=half, fmt="o", color=shade, markersize=4, label="_mean")
    _upright(axes, {name: level for marks in lines for name, level in marks.items()})
    axes.set_xlim(low, high)
    axes.set_ylim(0.0, 1.02)
    axes.set_xlabel(words)
    axes.set_ylabel("share of sessions with no more")
    legend(axes)


# -- controls ------------------------------------------------------------------------------------------


def control_panel(
    data: Dataset,
    ax: Axes | None = None,
    *,
    quantity: str | None = None,
    methods: Sequence[str] | None = None,
    lines: Lines | None = None,
    at: Mapping[str, Any] | None = None,
) -> Axes:
    """Mean gains of learners, each followed by its negative controls, with 95 % intervals (Student's t).

    A row is a method: ``pooled_gain`` (session), between 0, the Nash equilibrium of one period, and 1, the
    joint maximum. Where no gain is stored it is ``end_payoff`` (session, player), or the ``quantity`` named.
    ``lines`` are further values by name. What controls reach without any use for punishment is no collusion.

    Raises `ValueError` for a quantity or a method that is not there.

    >>> import numpy as np, xarray as xr
    >>> data = xr.Dataset({"pooled_gain": (("algorithm", "session"), [[0.8, 0.9], [0.2, 0.3]])},
    ...                   {"algorithm": ["learning", "learning-gamma_zero"]})
    >>> [tick.get_text() for tick in control_panel(data).get_yticklabels()]
    ['learning', 'gamma 0']
    """
    checked(data)
    if quantity is None:
        quantity = GAIN if GAIN in data and not blank(data[GAIN].values) else "end_payoff"
    every, words = samples(data, quantity, methods=methods, controls=True, at=at)
    every = every if methods is not None else _grouped(every)
    gains = quantity == GAIN
    with canvas(ax) as axes:
        for row, one in enumerate(every):
            _whisker(axes, row, one)
        marks = {"Nash equilibrium": 0.0, "joint maximum": 1.0} if gains else {}
        if quantity.endswith("_payoff"):
            marks = {name: level for one in every for name, level in _payoff_lines(one).items()}
        _upright(axes, marks | dict(lines or {}))
        axes.set_yticks(range(len(every)), [one.words for one in every])
        for tick, one in zip(axes.get_yticklabels(), every, strict=True):
            tick.set_fontweight("normal" if one.base else "bold")
        axes.set_ylim(len(every) - 0.4, -0.6)
        axes.grid(False, axis="y")
        axes.margins(x=0.12)
        axes.set_xlabel(GAIN_WORDS if gains else _words(quantity))
        axes.set_ylabel("method, with its controls" if any(one.base for one in every) else "method")
        note(axes, words, "means with 95 % intervals")
        legend(axes, under=True)
        return axes


def _grouped(every: list[Sample]) -> list[Sample]:
    """Every learner followed by its controls."""
    firsts = [one for one in every if not one.base]
    named = {one.name for one in firsts}
    alone = [one for one in every if one.base and one.base not in named]
    return [row for one in firsts for row in (one, *(c for c in every if c.base == one.name))] + alone


def _whisker(axes: Axes, row: int, one: Sample) -> None:
    mean, half = one.interval()
    colour = PLAIN if one.base else PALETTE[0]
    marker = "s" if one.base else "o"
    axes.errorbar(mean, row, xerr=half, fmt=marker, color=colour, markersize=6, capsize=3, label="_mean")
    axes.annotate(
        f"{one.told()}  (n = {len(one.values)})",
        (mean, row),
        xytext=(0, 7),
        textcoords="offset points",
        ha="center",
        fontsize=7.5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
    )

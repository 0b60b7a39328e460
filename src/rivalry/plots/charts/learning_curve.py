"""Metrics during learning: rewards, choices, regret and others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from xarray import Dataset

from rivalry.plots import select, style
from rivalry.plots.charts.paths import DrawnPath, on_one_clock, walks_of
from rivalry.plots.select import At, DrawnPoint, Names, NoSuchPoint
from rivalry.plots.series import method_label, method_names
from rivalry.plots.style import INK, PALETTE, chart

LABELS = {
    "reward": "reward per step",
    "choice": "choice (units of the game)",
    "distance": "distance to the\nnearest equilibrium",
    "regret": "regret per period (units of the game)",
}
BELOW = {"learning_distance": LABELS["distance"], "learning_regret": "regret"}
REWARD, STEP, PERIOD = "learning_reward", "learning_step", "regret_step"
RUNS = {"policy": "trials", "mean_choice": "runs"}  # whose length is the sample size of a stored mean
CLOCKS = {STEP: "learning step", PERIOD: "period"}
FEW = 3  # with fewer replications the band would be too wide: they are drawn one by one


@chart
def learning_curve(
    data: Dataset,
    ax: Axes,
    *,
    quantity: str = "reward",
    compare: bool = False,
    methods: Names = None,
    player: int | None = None,
    axis: int = 0,
    level: str | None = None,
    lines: Mapping[str, float] | None = None,
    floor: float | None = None,
    at: At = None,
) -> Axes:
    """Draw a metric against the steps of learning, a line per player or per method.

    Parameters
    ----------
    data
        Holds ``learning_QUANTITY [sample player ...]`` at ``learning_step``, or ``QUANTITY_curve [sample]``
        at ``regret_step``. Half the widths of stored bands have the same names and ``_band``. Where the data
        hold them, ``distance`` and ``regret`` are drawn below rewards, and the regret below another metric.
    quantity
        ``reward``, ``choice``, ``regret``, or a metric whose history is stored, such as ``p_safe``.
    compare
        Draw a line per method, over players in the mean. A method without a history is a horizontal
        line: dashed where its ``claim`` is certified, dotted where it is not.
    methods
        The methods to compare, in this order; all otherwise.
    player
        The player whose values are compared, instead of the mean over players.
    axis
        The axis of a choice.
    level
        The metric that methods without a history show; ``payoff`` for rewards, else the quantity itself.
    lines
        Further horizontal lines by name, such as benchmarks.
    floor
        The lower end of the vertical axis.

    Returns
    -------
    Axes
        The upper axes. Bands are 95 % intervals over replications (Student's t).

    Raises
    ------
    ValueError
        If the data hold no such history, or there is no such axis, player or method.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> way = xr.Dataset({"learning_reward": (("sample", "player"), [[0.1, 0.2], [0.4, 0.6]]),
    ...                   "learning_step": ("sample", [400, 800])})
    >>> learning_curve(way, lines={"cartel": 0.6}).get_ylabel()
    'reward per step'
    >>> learning_curve(way, compare=True).lines[0].get_ydata().tolist()
    [0.15000000000000002, 0.5]
    """
    main = _stored_variable(data, quantity)
    if compare:
        level = level or ("payoff" if quantity == "reward" else quantity)
        bottom, words = _by_method(ax, data, main, methods, player, level, at)
    elif methods is not None:
        raise ValueError("methods: one method is drawn; compare = true draws several")
    else:
        bottom, words = _by_player(ax, data, main, axis, at)
    style.draw_levels(ax, lines)
    label = LABELS.get(quantity) or select.label_of(data, quantity)
    if compare and main == REWARD:
        label += f" ({'mean over players' if player is None else f'player {player}'})"
    ax.set_ylabel(label)
    if floor is not None:
        ax.set_ylim(bottom=floor)
    bottom.set_xlabel(CLOCKS[_clock(main)])
    style.caption(ax, *words)
    return ax


class _History(NamedTuple):
    """A method's metric during learning, and its regret; without a history, the value at its ``end``."""

    name: str
    metric: list[DrawnPath]
    regret: list[DrawnPath]
    end: float = np.nan
    certified: bool = False


def _stored_variable(data: Dataset, quantity: str) -> str:
    """Return the variable that holds the history of a quantity."""
    names = (f"{quantity}_curve", f"learning_{quantity}")
    return next(iter(select.filled_variables(data, names)), names[quantity in ("reward", "choice")])


def _clock(main: str) -> str:
    return STEP if main.startswith("learning_") else PERIOD


def _by_player(ax: Axes, data: Dataset, main: str, axis: int, at: At) -> tuple[Axes, list[str]]:
    """Draw a line per player; below rewards, the distance and the regret. Return the lowest axes."""
    selection, clock, mean, half, words = _mean_history(data, main, at)
    if mean.ndim == 3:
        select.check_index("axis", axis, mean.shape[2])
        mean = mean[..., axis]
        half = half[..., min(axis, half.shape[-1] - 1)] if half.ndim == 3 else half
    _draw_players(ax, clock, mean, half, INK if main == REWARD else PALETTE[0])
    names = select.filled_variables(data, BELOW) if main == REWARD else []
    lower = style.lower_axes(ax, len(names))
    for name, panel in zip(names, lower, strict=True):
        _draw_players(panel, *_mean_history(data, name, at)[1:4], PALETTE[0])
        panel.set_ylabel(BELOW[name])
        panel.set_ylim(bottom=0.0)
    if main == "regret_curve":
        _log_scale(ax, mean)
    if main == "regret_curve" or _is_geometric(clock):
        for panel in (ax, *lower):
            panel.set_xscale("log")
            panel.xaxis.set_major_formatter("{x:g}")
    return [ax, *lower][-1], [selection.words, words]


def _mean_history(
    data: Dataset, main: str, at: At
) -> tuple[DrawnPoint, np.ndarray, np.ndarray, np.ndarray, str]:
    """Return the point, steps, mean and half width of its band, as stored or over replications, and words."""
    width, clock = f"{main}_band", _clock(main)
    banded = bool(select.filled_variables(data, [width]))
    keep = () if banded else ("replication",)
    selection = select.point(data, main, None, (clock, width, *RUNS), at=at, keep=keep)
    name = next((name for name in RUNS if name in selection), "")
    count = selection[name].shape[0 if banded else 1] if name else 0
    words = f"n = {count} {RUNS[name]}, mean" + " and 95 % band" * banded if count > 1 else ""
    if banded:
        mean = selection[main]
        steps = np.ravel(selection.get(clock, np.arange(len(mean))))[: len(mean)]
        return selection, steps, mean, selection[width].reshape(*mean.shape[:2], -1), words
    walks = walks_of(selection, main, clock)
    steps, values = on_one_clock(walks)
    return selection, steps, *select.band(values), select.describe_replications(len(walks)) or words


def _draw_players(ax: Axes, clock: np.ndarray, mean: np.ndarray, half: np.ndarray, lone: str) -> None:
    """Draw a line for each column of ``mean [sample player]``; in the colour ``lone`` where there is one."""
    mean, half = mean.reshape(len(clock), -1), half.reshape(len(clock), -1)
    for k, look in enumerate(style.player_lines(mean.shape[1])):
        look["color"] = lone if mean.shape[1] == 1 else look["color"]
        style.draw_band(ax, clock, mean[:, k], half[:, k], **look)


def _is_geometric(clock: np.ndarray) -> bool:
    """True for steps that are even in logarithms, over a factor of a hundred or more."""
    if len(clock) < 3 or clock[0] <= 0 or clock[-1] < 100 * clock[0]:
        return False
    ratios = clock[1:] / clock[:-1]
    return bool(ratios.max() < 1.2 * ratios.min())


def _log_scale(ax: Axes, values: np.ndarray) -> None:
    """Put the vertical axis on a logarithmic scale that frames the positive values, if there are any."""
    positive = values[values > 0]
    if not positive.size:
        return
    # clipped, so that the line goes down to the edge where a regret is 0 and does not break
    ax.set_yscale("log", nonpositive="clip")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set_ylim(0.8 * positive.min(), 1.25 * positive.max())


def _by_method(
    ax: Axes, data: Dataset, main: str, methods: Names, player: int | None, level: str, at: At
) -> tuple[Axes, list[str]]:
    """Draw a line per method, and the regrets below another metric. Return the lowest axes."""
    place = select.point(data, main, None, at=at, keep=("algorithm", "replication")).words
    histories = [_history(data, main, name, player, level, at) for name in method_names(data, main, methods)]
    curves = [history for history in histories if history.metric]
    if not curves:
        raise NoSuchPoint(f"data: no method has {main} here")
    lower = style.lower_axes(ax, any(history.regret for history in curves))
    for history, colour in zip(curves, style.colours(len(curves)), strict=True):
        for panel, walks in zip([ax, *lower], (history.metric, history.regret), strict=False):
            _draw_walks(panel, walks, colour, history.name)
    levels = [history for history in histories if not history.metric and np.isfinite(history.end)]
    for k, history in enumerate(levels):
        label = f"{history.name}: {history.end:.5g}" + style.unless(history.certified)
        dash = "--" if history.certified else ":"
        ax.axhline(history.end, linestyle=dash, color=INK, linewidth=1.0 + 0.4 * k, label=label)
    for panel in lower:
        _log_scale(panel, np.concatenate([walk.values for history in curves for walk in history.regret]))
        panel.set_ylabel("largest regret\n(units of the game)")
    bottom = [ax, *lower][-1]
    ax.set_xscale("log")
    bottom.xaxis.set_major_formatter("{x:g}")
    count = max(len(history.metric) for history in curves)
    style_note = "mean and 95 % band" if count >= FEW else "each thin, mean thick"
    rows = f"horizontal lines: {select.name_of(data, level)}" if levels else ""
    return bottom, [place, rows, select.describe_replications(count, style_note)]


def _history(data: Dataset, main: str, name: str | None, player: int | None, level: str, at: At) -> _History:
    place = dict(at or {}) | ({} if name is None else {"algorithm": name})
    metric = _walks(data, main, player, place)
    label = method_label(data, name)
    if metric:
        regret = [] if main == REWARD else _walks(data, "regret_curve", None, place)
        return _History(label or "learning", metric, regret)
    if level not in data:
        return _History(label, [], [])
    selection = select.point(data, level, None, ("claim",), at=place, keep=("replication",))
    values = selection[level].astype(float).reshape(len(selection[level]), -1)
    player_values = values if player is None or values.shape[1] == 1 else values[:, [player]]
    finite = player_values[np.isfinite(player_values)]
    return _History(label, [], [], float(finite.mean()) if finite.size else np.nan, selection.is_certified())


def _walks(data: Dataset, main: str, player: int | None, place: Mapping[str, Any]) -> list[DrawnPath]:
    """Return the history of every replication, over players in the mean unless one is picked."""
    if main not in data:
        return []
    selection = select.point(data, main, None, (_clock(main),), at=place, keep=("replication",))
    values = selection[main].astype(float)
    if select.is_blank(values):
        return []
    if values.ndim == 3:
        if player is not None:
            select.check_index("player", player, values.shape[2])
        columns = values if player is None else values[..., [player]]
        values = select.band(np.moveaxis(columns, 2, 0))[0]  # a player may be missing
    selection[main] = values
    positive = ((walk, walk.steps > 0) for walk in walks_of(selection, main, _clock(main)))  # on a log scale
    return [walk._replace(steps=walk.steps[rows], values=walk.values[rows]) for walk, rows in positive]


def _draw_walks(ax: Axes, walks: list[DrawnPath], colour: str, label: str) -> None:
    """Draw the mean over replications with its band, or thin lines where there are few."""
    if not walks:
        return
    clock, values = on_one_clock(walks)
    mean, half = select.band(values)
    if 1 < len(walks) < FEW:
        ax.plot(clock, values.T, color=colour, linewidth=0.8, alpha=0.5, label="_each")
    style.draw_band(ax, clock, mean, None if len(walks) < FEW else half, color=colour, label=label)

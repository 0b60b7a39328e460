"""Metrics during learning: rewards, choices, regret and others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.plots import select
from rivalry.plots.charts.paths import DrawnPath, on_one_clock, walks_of
from rivalry.plots.drawing import preset
from rivalry.plots.marks import (
    INK,
    PALETTE,
    Drawing,
    Frame,
    Look,
    Mark,
    Marks,
    colours,
    levels,
    player_lines,
    unless,
)
from rivalry.plots.select import At, DrawnPoint, Names, NoSuchPoint
from rivalry.plots.series import method_label, method_names

LABELS = {
    "reward": "reward per step",
    "choice": "choice (units of the game)",
    "distance": "distance to the\nnearest equilibrium",
    "regret": "regret per period\n(units of the game)",
    "relative_gap": "relative gap (fraction of total cost)",
}
BELOW = {"learning_distance": LABELS["distance"], "learning_regret": "regret"}
REWARD, STEP, PERIOD, ROUND = "learning_reward", "learning_step", "regret_step", "gap_round"
RESIDUALS = ("regret_curve", "relative_gap_curve")  # on logarithmic axes
RUNS = {"policy": "trials", "mean_choice": "runs"}  # whose length is the sample size of a stored mean
CLOCKS = {STEP: "learning step", PERIOD: "period", ROUND: "round"}
FEW = 3  # with fewer replications the band would be too wide: they are drawn one by one


@preset
def learning_curve(
    data: Dataset,
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
) -> Drawing:
    """Draw a metric against the steps of learning, a line per player or per method.

    Parameters
    ----------
    data
        Holds ``learning_QUANTITY [sample player ...]`` at ``learning_step``, or ``QUANTITY_curve [sample]``
        at ``regret_step``, of a relative gap at ``gap_round``. Half the widths of stored bands have the same
        names and ``_band``. Where the data hold them, ``distance`` and ``regret`` are drawn below rewards,
        and the regret below another metric.
    quantity
        ``reward``, ``choice``, ``regret``, ``relative_gap``, or a metric whose history is stored.
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
        drawing = _by_method(data, main, methods, player, level, at)
    elif methods is not None:
        raise ValueError("methods: one method is drawn; compare = true draws several")
    else:
        drawing = _by_player(data, main, axis, at)
    label = LABELS.get(quantity) or select.label_of(data, quantity)
    if compare and main == REWARD:
        label += f" ({'mean over players' if player is None else f'player {player}'})"
    frames = list(drawing.frames)
    low, high = frames[0].y_limits
    frames[0] = frames[0]._replace(y=label, y_limits=(low if floor is None else floor, high))
    frames[-1] = frames[-1]._replace(x=CLOCKS[_clock(main)])
    return drawing._replace(marks=[*drawing.marks, *levels(lines)], frames=frames)


class _History(NamedTuple):
    """A method's metric during learning, and its regret; without a history, the value at its ``end``."""

    name: str
    metric: list[DrawnPath]
    regret: list[DrawnPath]
    end: float = np.nan
    doubt: str = ""  # words for a value at the end that is not certified


def _stored_variable(data: Dataset, quantity: str) -> str:
    """Return the variable that holds the history of a quantity."""
    names = (f"{quantity}_curve", f"learning_{quantity}")
    return next(iter(select.filled_variables(data, names)), names[quantity in ("reward", "choice")])


def _clock(main: str) -> str:
    if main == "relative_gap_curve":
        return ROUND
    return STEP if main.startswith("learning_") else PERIOD


def _by_player(data: Dataset, main: str, axis: int, at: At) -> Drawing:
    """Return a line per player; below rewards, the distance and the regret."""
    selection, clock, mean, half, words = _mean_history(data, main, at)
    if mean.ndim == 3:
        select.check_index("axis", axis, mean.shape[2])
        mean = mean[..., axis]
        half = half[..., min(axis, half.shape[-1] - 1)] if half.ndim == 3 else half
    marks = [player_lines(clock, mean, half, INK if main == REWARD else PALETTE[0])]
    frames = [_log_frame(mean) if main in RESIDUALS else Frame()]
    for name in select.filled_variables(data, BELOW) if main == REWARD else ():
        marks.append(player_lines(*_mean_history(data, name, at)[1:4], panel=len(frames)))
        frames.append(Frame(y=BELOW[name], y_limits=(0.0, None)))
    if main == "relative_gap_curve":
        if not np.any(mean > 0):
            raise ValueError("data: every relative gap is 0, which a logarithmic axis does not show")
        marks = [Mark("line", clock, np.where(mean > 0, mean, np.nan), hue=PALETTE[0]).within(half)]
        frames[0] = frames[0]._replace(whole=True)
        words = "gaps of 0 are not drawn" if np.any(mean == 0) else words
    elif main in RESIDUALS or _is_geometric(clock):
        frames[0] = frames[0]._replace(log="x" + frames[0].log)
    return Drawing(marks, frames, [selection.words, words])


def _mean_history(data: Dataset, main: str, at: At) -> tuple[DrawnPoint, ndarray, ndarray, ndarray, str]:
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


def _is_geometric(clock: ndarray) -> bool:
    """True for steps that are even in logarithms, over a factor of a hundred or more."""
    if len(clock) < 3 or clock[0] <= 0 or clock[-1] < 100 * clock[0]:
        return False
    ratios = clock[1:] / clock[:-1]
    return bool(ratios.max() < 1.2 * ratios.min())


def _log_frame(values: ndarray) -> Frame:
    """Return a logarithmic scale that frames the positive values, if there are any."""
    positive = values[values > 0]
    if not positive.size:
        return Frame()
    low, high = 0.8 * positive.min(), 1.25 * positive.max()
    if high < 10 * low:  # so that powers of ten are among the ticks
        low, high = 10.0 ** np.floor(np.log10(low)), 10.0 ** np.ceil(np.log10(high))
    return Frame(y_limits=(low, high), log="y")


def _by_method(data: Dataset, main: str, methods: Names, player: int | None, level: str, at: At) -> Drawing:
    """Return a line per method, and the regrets below another metric."""
    place = select.point(data, main, None, at=at, keep=("algorithm", "replication")).words
    histories = [_history(data, main, name, player, level, at) for name in method_names(data, main, methods)]
    curves = [history for history in histories if history.metric]
    if not curves:
        raise NoSuchPoint(f"data: no method has {main} here")
    marks, regrets = Marks(), [walk.values for history in curves for walk in history.regret]
    for history, hue in zip(curves, colours(len(curves)), strict=True):
        for panel, walks in enumerate((history.metric, history.regret)):
            marks += _walk_marks(walks, label=history.name, hue=hue, panel=panel)
    ends = [history for history in histories if not history.metric and np.isfinite(history.end)]
    for k, history in enumerate(ends):
        label = f"{history.name}: {history.end:.5g}" + unless(history.doubt)
        look: Look = {"linestyle": ":" if history.doubt else "--", "label": label}
        marks.append(Mark("rule", y=[history.end], linewidth=1.0 + 0.4 * k, **look))
    frames = [Frame(log="x")]
    if regrets:
        frames.append(_log_frame(np.concatenate(regrets))._replace(y="largest gain\n(units of payoff)"))
    count = max(len(history.metric) for history in curves)
    style_note = "mean and 95 % band" if count >= FEW else "each thin, mean thick"
    rows = f"horizontal lines: {select.name_of(data, level)}" if ends else ""
    return Drawing(marks, frames, [place, rows, select.describe_replications(count, style_note)])


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
    return _History(label, [], [], float(finite.mean()) if finite.size else np.nan, selection.doubt())


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


def _walk_marks(walks: list[DrawnPath], **look: Any) -> Marks:
    """Return the mean over replications with its band, or thin lines where there are few."""
    if not walks:
        return []
    clock, values = on_one_clock(walks)
    mean, half = select.band(values)
    if len(walks) >= FEW:
        return [Mark("line", clock, mean, **look).within(half)]
    thin = Mark("line", clock, values.T, linewidth=0.8, alpha=0.5, **look)
    return [Mark("line", clock, mean, **look)] + [thin] * (len(walks) > 1)

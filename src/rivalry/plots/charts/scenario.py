"""Metrics of equilibria over one swept parameter, or two."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.core.tolerances import SAME_NUMBER
from rivalry.plots import select
from rivalry.plots.drawing import preset
from rivalry.plots.marks import (
    DASHES,
    INK,
    MARKERS,
    PALE,
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
    widths,
)
from rivalry.plots.metrics import LEARNED, is_certified, is_log, per_player
from rivalry.plots.select import At, Names

JUMP, SUDDEN = 0.12, 4.0  # of the range, and times the adjacent steps: points farther apart are not joined
ENOUGH = 8  # fewest values from which a typical step can be estimated


class ScenarioSeries(NamedTuple):
    """A metric over a parameter: ``values [point series player]``, ``certified [point series]``.

    With several replications ``values`` are means, and ``half`` is half the width of their 95 % intervals.
    ``doubt`` says what the results are that are not certified.
    """

    name: str
    x: ndarray
    series: list[str]
    values: ndarray
    certified: ndarray
    words: str
    half: ndarray
    runs: int
    doubt: str


@preset
def scenario(
    data: Dataset,
    *,
    over: str | None = None,
    series: str | None = None,
    quantities: Names = None,
    at: At = None,
    period: int = 0,
    log: bool | None = None,
) -> Drawing:
    """Draw metrics against one parameter, a panel per metric and a line per player.

    Marks are filled where the ``claim`` is certified, and only such neighbours are joined. A jump is marked
    by a dotted line and not bridged. Metrics of learning, such as ``gain_mean``, have no claim and are all
    joined. Of several replications the mean is drawn with its 95 % interval (Student's t). Players whose
    lines coincide have one.

    Parameters
    ----------
    data
        Holds the metrics, scalar or ``[... player]``, over a swept parameter; of ``gain_mean`` the 95 %
        intervals ``gain_interval`` too.
    ax
        Axes that give room to the panels; those of a new figure otherwise.
    over
        The parameter; the first swept number otherwise.
    series
        A second parameter, whose values have a colour each; players then differ by their dashes. By default
        another swept parameter that ``at`` does not fix, if it has seven values or fewer.
    quantities
        The metrics; by default inputs, performance, safety and payoffs, as far as the data hold them.
    at
        The point of the other parameters, by its coordinates; the first otherwise. An index of a metric's own
        axis, such as a state, is a number from 0.
    period
        The period of metrics with a value per period.
    log
        Whether the parameter is on a logarithmic scale; by default where its values are in equal ratios or
        far apart.

    Returns
    -------
    Axes
        The axes whose ``child_axes`` are the panels.

    Raises
    ------
    ValueError
        If a metric, a parameter or the period is not in the data.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> data = xr.Dataset({"p_safe": ("price", [0.8, 0.7]), "claim": ("price", ["equilibrium"] * 2)},
    ...                   {"price": [0.1, 0.2]})
    >>> [panel.get_title() for panel in scenario(data).child_axes]
    ['probability of a safe win']
    """
    metric_names = _quantities(data, quantities)
    data, at, entries = _own_entries(data, metric_names, at)
    main, rank = metric_names[0], select.own_rank(data, metric_names[0])
    horizontal = select.find_sweep(data, main, rank, at, over)
    series = series or select.second_key(data, main, rank, horizontal, at)
    curves = [family(data, name, over=over, series=series, at=at, period=period) for name in metric_names]
    for k, curve in enumerate(curves):
        if curve.name == "gain_mean" and curve.runs == 1 and "gain_interval" in data:
            interval = family(data, "gain_interval", over=over, series=series, at=at)
            curves[k] = curve._replace(half=interval.values)
    players = max(curve.values.shape[2] for curve in curves)
    curves = [_merge_coincident(curve) for curve in curves]
    marks = keys(curves, series)
    for k, curve in enumerate(curves):
        marks += curve_marks(curve, log, k)
    across, labels = select.name_of(data, horizontal), [select.label_of(data, name) for name in metric_names]
    axes = "x" if is_log(curves[0].x, log) else ""
    frames = [Frame(across, title=label, log=axes) for label in labels]
    timed = any("period" in data[name].dims for name in metric_names)
    repeated = select.describe_replications(curves[0].runs, "means and 95 % intervals")
    *names, final_name = dict.fromkeys(select.name_of(data, name) for name in metric_names)
    subject = f"{', '.join(names)}{' and ' * bool(names)}{final_name} against {across}"
    subject += "" if series is None else f", one colour per {select.name_of(data, series)}"
    coincident = players > 1 and all(curve.values.shape[2] == 1 for curve in curves)
    players_label = ("both players" if players == 2 else "all players") * coincident
    words = curves[0].words, entries, f"period {period}" if timed else "", repeated, players_label
    return Drawing(marks, frames, words, subject, columns=2 if len(curves) == 4 else 3)


def _merge_coincident(curve: ScenarioSeries) -> ScenarioSeries:
    """Return a metric with one line where those of all players coincide, which would hide one another."""
    pairs = [(curve.values, curve.values[..., :1]), (curve.half, curve.half[..., :1])]
    equal = [
        np.allclose(values, reference, rtol=SAME_NUMBER, atol=0.0, equal_nan=True)
        for values, reference in pairs
    ]
    return curve._replace(values=pairs[0][1], half=pairs[1][1]) if all(equal) else curve


def _own_entries(data: Dataset, names: Sequence[str], at: At) -> tuple[Dataset, At, str]:
    """Return data whose metrics are entries along their own axes that ``at`` names, the other
    point, and the entries in words.

    Raises `ValueError` for an index outside such an axis.
    """
    dimensions = {
        str(dim)
        for name in names
        if name in data
        for dim in data[name].dims
        if select.is_own(data, name, str(dim))
    }
    entries = {
        dim: index for dim, index in (at or {}).items() if dim in dimensions and dim not in data.coords
    }
    if not entries:
        return data, at, ""
    for dim, index in entries.items():
        select.check_index(f"at.{dim}", index, data.sizes[dim])
    metrics = {name: data[name].isel(entries, missing_dims="ignore") for name in names if name in data}
    swept_at = {key: value for key, value in (at or {}).items() if key not in entries}
    return data.assign(metrics), swept_at, ", ".join(f"{dim} {index}" for dim, index in entries.items())


def family(
    data: Dataset,
    name: str,
    *,
    over: str | None = None,
    series: str | None = None,
    at: At = None,
    period: int = 0,
) -> ScenarioSeries:
    """Return one metric over a parameter, in order, for each value of ``series`` if there is one."""
    over = select.find_sweep(data, name, select.own_rank(data, name), at, over)
    dim, x, order = select.swept_values(data, over)
    keep: tuple[str, ...] = (dim,) if series is None else (dim, _second_sweep(data, name, series, over, at))
    runs = 1 if "replication" in (*keep, *(at or {})) else data.sizes.get("replication", 1)
    keep += ("replication",) * (runs > 1)
    values, selection = per_player(data, name, at=at, keep=keep, period=period)
    certified_mask = np.broadcast_to(is_certified(selection, name), values.shape[: len(keep)])
    half = np.zeros_like(values)
    if runs > 1:
        present = np.isfinite(values).any(axis=-1)
        certified_mask = (certified_mask | ~present).all(axis=-1) & present.any(axis=-1)
        values, half = select.band(np.moveaxis(values, len(keep) - 1, 0))
    if series is None:
        values, half, certified_mask = values[:, None], half[:, None], certified_mask[:, None]
    labels = [] if series is None else [select.place_of(data, series, k) for k in range(data[series].size)]
    return ScenarioSeries(
        name,
        x[order],
        labels,
        values[order],
        certified_mask[order],
        selection.words,
        half[order],
        runs,
        selection.hollow_words(),
    )


def _quantities(data: Dataset, metrics: Names) -> list[str]:
    if metrics is not None and not metrics:
        raise ValueError("quantities: none is named; must be metrics of this data")
    names = [metrics] if isinstance(metrics, str) else metrics
    default = select.filled_variables(data, select.SCENARIO) or ["payoff"]
    return select.pick_names("quantities", names, map(str, data.data_vars), default)


def _second_sweep(data: Dataset, name: str, series: str, over: str, at: At) -> str:
    """Return the dimension of a second swept coordinate, whose values may be words."""
    dim = select.swept_dimension(data, name, "series", series)
    if dim == select.dimension(data, over):
        raise ValueError(f"series: {series!r} goes in step with {over!r}, which is drawn along the axis")
    if series in (at or {}):
        raise ValueError(f"at.{series}: every value of it is drawn; pick another coordinate")
    return dim


def curve_marks(curve: ScenarioSeries, log: bool | None, panel: int = 0) -> Marks:
    """Return lines and points of one metric, and a rule where a discontinuity leaves neighbours unjoined."""
    _, count, players = curve.values.shape
    has_series = bool(curve.series)
    shades, line_widths = colours(count if has_series else players), widths(players)
    size, breaks, marks = 3.4 if len(curve.x) < 40 else 2.4, set[int](), Marks()
    for s, k in product(range(count), range(players)):
        shape = k if has_series else 0
        hue = INK if players == 1 and not has_series else shades[s if has_series else k]
        look: Look = {"hue": hue, "panel": panel, "group": f"series-{s}" if has_series else ""}
        values, certified_mask = curve.values[:, s, k], curve.certified[:, s]
        sound = np.where(certified_mask, values, np.nan)
        line = look | {"linestyle": DASHES[shape % len(DASHES)], "linewidth": min(line_widths[k], 2.2)}
        marks += [Mark("line", curve.x[piece], sound[piece], **line) for piece in _pieces(sound)]
        breaks |= set(_discontinuities(sound))
        finite = np.isfinite(values)
        dot = look | {
            "marker": MARKERS[shape % len(MARKERS)],
            "markersize": size,
            "linewidth": 0.9,
            "zorder": 4,
        }
        rows = curve.x[finite], values[finite], certified_mask[finite], curve.half[finite, s, k]
        marks += certified_points(*rows, **dot)
    for k in sorted(breaks):
        low, high = curve.x[k : k + 2]
        # on a logarithmic scale the geometric mean is in the middle
        middle = np.sqrt(low * high) if is_log(curve.x, log) else (low + high) / 2
        marks.append(Mark("rule", [middle], label="discontinuity", panel=panel, linestyle=":", linewidth=0.8))
    return marks


def _discontinuities(values: ndarray) -> list[int]:
    """Return the indices after which the next value is unexpectedly far, given the steps on both sides.

    The first step may be a steep slope that begins before the range, as the last may end beyond it.
    """
    if np.isfinite(values).sum() < ENOUGH:
        return []
    steps = np.abs(np.diff(values))
    padded = np.nan_to_num(np.pad(steps, 1))
    neighbour_steps = np.maximum(padded[:-2], padded[2:])
    threshold = np.maximum(JUMP * float(np.nanmax(values) - np.nanmin(values)), SUDDEN * neighbour_steps)
    threshold[[0, -1]] = np.inf
    return np.flatnonzero(steps > threshold).tolist()


def _pieces(values: ndarray) -> list[ndarray]:
    """Return runs of at least two neighbours that may be joined."""
    broken = np.isnan(values[1:]) | np.isnan(values[:-1])
    broken[_discontinuities(values)] = True
    if np.isfinite(values).all():
        for steps, place in (
            (broken, select.departure(values)),
            (broken[::-1], select.departure(values[::-1])),
        ):
            steps[place - 1 : place] = True
    pieces = np.split(np.arange(len(values)), np.flatnonzero(broken) + 1)
    return [piece for piece in pieces if len(piece) > 1]


def keys(curves: Sequence[ScenarioSeries], series: str | None) -> Marks:
    """Return entries of the legend for colours, dashes and hollow marks."""
    players = max(curve.values.shape[2] for curve in curves)
    marks, shades = Marks(), colours(players)
    if series is not None:
        marks = hue_keys(curves[0].series)
    for k in range(players if players > 1 else 0):
        look: Look = (
            {"hue": shades[k]} if series is None else {"linestyle": DASHES[k % 4], "marker": MARKERS[k % 8]}
        )
        marks.append(Mark("line", label=player_label(k, players), markersize=3.4, **{"marker": "o", **look}))
    if series is None and any(players > 1 and curve.values.shape[2] == 1 for curve in curves):
        marks.append(Mark("line", label="all players", marker="o", markersize=3.4))
    if not all(curve.certified[np.isfinite(curve.values).any(axis=2)].all() for curve in curves):
        of_all = {curve.doubt for curve in curves}
        marks.append(hollow_key(of_all.pop() if len(of_all) == 1 else "not certified"))
    return marks


@preset
def heat(
    data: Dataset,
    *,
    quantity: str = "p_safe",
    over: Names = None,
    at: At = None,
    player: int = 0,
    period: int = 0,
    log: bool | None = None,
) -> Drawing:
    """Draw one metric as colour over two parameters; points without a certified equilibrium are hatched.

    The colours span the certified values; others may lie beyond them. Metrics of learning, such as
    ``gain_mean``, have no claim and are not hatched. Points without a result are grey.

    Parameters
    ----------
    data
        Holds the metric over two swept parameters, and the ``claim``.
    quantity
        The metric.
    over
        The two parameters, across and up; the first two swept numbers otherwise.
    at
        The point of the other parameters, by its coordinates; the first otherwise.
    player, period
        Which values of a metric with one per player or per period.
    log
        Whether the parameters are on logarithmic scales; by default where their values are in equal ratios or
        far apart.

    Raises
    ------
    ValueError
        If the metric, a parameter, the player or the period is not in the data.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> claims = [["equilibrium", "not an equilibrium"]] * 2
    >>> two = xr.Dataset({"p_safe": (("A", "d"), [[0.6, 0.7], [0.8, 0.9]]), "claim": (("A", "d"), claims)},
    ...                  {"A": [1.0, 2.0], "d": [0.0, 1.0]})
    >>> heat(two).get_xlabel()
    'A'
    """
    x_name, up = _two(data, quantity, over, at)
    curve = family(data, quantity, over=x_name, series=up, at=at, period=period)
    select.check_index("player", player, curve.values.shape[2])
    _, y, rows = select.swept_values(data, up)
    x, y = curve.x, y[rows]
    logs = is_log(x, log), is_log(y, log)
    edges = _edges(x, logs[0]), _edges(y, logs[1])
    values, certified_mask = curve.values[:, rows, player].T, curve.certified[:, rows].T
    marks = _cells(*edges, values, certified_mask, select.label_of(data, quantity))
    if (np.isfinite(values) & ~certified_mask).any():
        marks.append(Mark("region", label=f"hatched: {curve.doubt}", hue="white", hatch="////"))
    if not np.isfinite(values).all():
        marks.append(Mark("region", label="no result", hue=PALE))
    for k, row in enumerate(rows):  # a page shows that of a chosen value
        corners = _corners(*edges, k, slice(None))
        marks.append(Mark("line", *corners, hue="black", linewidth=2.4, alpha=0.0, group=f"row-{row}"))
    name, across, upwards = (select.name_of(data, key) for key in (quantity, x_name, up))
    axes = "".join(axis for axis, is_logarithmic in zip("xy", logs, strict=True) if is_logarithmic)
    player_words = f"player {player}" if curve.values.shape[2] > 1 else ""
    timed = f"period {period}" if "period" in data[quantity].dims else ""
    subject = f"{name} over {across} and {upwards}"
    if not curve.certified.all():
        subject += "; points without a certificate are hatched"
    elif "claim" in data and quantity not in LEARNED:
        subject += "; all points are certified"
    words = curve.words, player_words, timed
    return Drawing(marks, [Frame(across, upwards, log=axes, face=PALE)], words, subject, under=True)


def _two(data: Dataset, quantity: str, over: Names, at: At) -> tuple[str, str]:
    """Return the coordinates across and up."""
    rank = select.own_rank(data, quantity)
    if over is None:
        x_name = select.find_sweep(data, quantity, rank, at, None)
        return x_name, select.find_sweep(data, quantity, rank, {**(at or {}), x_name: None}, None)
    if isinstance(over, str) or len(over) != 2:
        raise ValueError(f"over: {over!r} must be two swept coordinates, across and up")
    x_name, up = (select.find_sweep(data, quantity, rank, at, name) for name in over)
    if select.dimension(data, x_name) == select.dimension(data, up):
        raise ValueError(f"over: {x_name!r} and {up!r} go in step with each other; must be two sweeps")
    return x_name, up


def _edges(middles: ndarray, log: bool) -> ndarray:
    """Return the edges of cells around sorted values."""
    scaled = np.log(middles) if log else middles
    if len(scaled) == 1:
        edges = scaled[0] + np.array([-0.5, 0.5])
    else:
        between = (scaled[1:] + scaled[:-1]) / 2
        edges = np.r_[scaled[0] - (between[0] - scaled[0]), between, scaled[-1] + (scaled[-1] - between[-1])]
    return np.exp(edges) if log else edges


def _corners(x: ndarray, y: ndarray, row: int, column: int | slice) -> tuple[ndarray, ndarray]:
    """Return the closed outline of one cell, or of a row of cells."""
    left, right = (x[0], x[-1]) if isinstance(column, slice) else x[column : column + 2]
    low, high = y[row : row + 2]
    return np.array([left, right, right, left, left]), np.array([low, low, high, high, low])


def _cells(x: ndarray, y: ndarray, grid: ndarray, certified_mask: ndarray, words: str) -> Marks:
    """Return colours of all cells, hatching of those that are not certified, and the border of these."""
    finite = np.isfinite(grid)
    sound, doubted = finite & certified_mask, finite & ~certified_mask
    span = grid[sound] if sound.any() else grid
    look: Look = {"low": np.nanmin(span), "high": np.nanmax(span), "label": words, "hue": "viridis"}
    marks = [Mark("heat", x, y, value=grid, **look)]
    for row, column in np.argwhere(doubted).tolist():
        marks.append(Mark("region", *_corners(x, y, row, column), hue="white", hatch="////"))
    line: Look = {"hue": "black", "linewidth": 1.4}
    for row, column in np.argwhere((doubted[:, 1:] & sound[:, :-1]) | (sound[:, 1:] & doubted[:, :-1])):
        marks.append(Mark("line", [x[column + 1]] * 2, y[row : row + 2], **line))
    for row, column in np.argwhere((doubted[1:] & sound[:-1]) | (sound[1:] & doubted[:-1])):
        marks.append(Mark("line", x[column : column + 2], [y[row + 1]] * 2, **line))
    return marks

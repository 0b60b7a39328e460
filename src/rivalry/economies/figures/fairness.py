"""Efficiency and fairness of rules, over a swept parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from xarray import Dataset

from rivalry.plots.select import (
    At,
    Names,
    NoSuchPoint,
    band,
    find_sweep,
    is_blank,
    label_of,
    name_of,
    own_rank,
    pick_names,
    swept_values,
)
from rivalry.plots.series import method_label, method_names, replications_of, series_of
from rivalry.plots.style import DASHES, INK, MARKERS, PALETTE, caption, chart, colours

ONCE = "once"  # a parameter with one value, if none is swept
WORDS = {
    "access_fairness": "minus the sd over agents of the share of steps won",
    "access_fairness_with_dormant": "minus the sd over agents of steps not refused",
    "reward_fairness": "minus the sd over agents of mean rewards",
    "efficiency": "mean reward per agent and step",
}
"""What an axis adds to the name of a quantity."""
POLICIES = ("policy", "example_policy")  # a rule without karma has neither
EXACT = PALETTE[-1]
CROSSES = ("x", "+", "1", "2", "3", "4")

Numbers = Mapping[str, Mapping[str, float]]


class FairnessCurve(NamedTuple):
    """A method's means and half widths over replications at the swept values that it has, in order."""

    name: str
    label: str
    at: np.ndarray
    x: np.ndarray
    y: np.ndarray
    x_half: np.ndarray
    y_half: np.ndarray


@chart
def fairness_plane(
    data: Dataset,
    ax: Axes,
    *,
    across: str = "access_fairness",
    up: str = "efficiency",
    over: str | None = None,
    methods: Names = None,
    baselines: Names = None,
    exact: Numbers | None = None,
    at: At = None,
) -> Axes:
    """Draw efficiency against fairness, points joined and labelled in the order of a swept parameter.

    A method is a line. Bars are 95 % intervals over replications (Student's t).

    Parameters
    ----------
    data
        Holds the two metrics.
    across
        The metric across; ``"over"`` or its name for the parameter itself.
    up
        The metric upwards.
    over
        The parameter; the first swept number otherwise. Where none is swept, a method is a point.
    baselines
        Methods whose rule does not depend on the parameter, drawn as one point each, the mean over all
        cells; by default those without a policy. Against the parameter they are horizontal lines.
    exact
        Points by name, as in ``{ COIN = { efficiency = -1.5, access_fairness = -0.005 } }``.

    Raises
    ------
    ValueError
        If a metric or method is not in the data, or ``exact`` points lack a metric.

    Examples
    --------
    >>> import xarray as xr
    >>> sd = ("gamma", [-0.01, -0.005])
    >>> mean = ("gamma", [-1.4, -1.1])
    >>> data = xr.Dataset({"efficiency": mean, "access_fairness": sd}, {"gamma": [0.0, 0.9]})
    >>> [text.get_text() for text in fairness_plane(data).texts]
    ['0', '0.9']
    """
    for name in (up, *([] if across == "over" else [across])):
        _check_metric(data, name, over)
    try:
        over = find_sweep(data, up, 0, at, over)
    except NoSuchPoint:
        if over is not None:
            raise
        data, over = data.expand_dims({ONCE: [0.0]}), ONCE  # every method is one point
    against, is_single = across in ("over", over), over == ONCE
    for name, numbers in (exact or {}).items():
        for metric in [up] if against else [across, up]:
            if not isinstance(numbers, Mapping) or metric not in numbers:
                raise ValueError(f"exact.{name}: {numbers!r} must have {metric}")
    curves, words, sample = _curves(data, over if against else across, up, over, methods, at)
    plain = _plain(data, [curve.name for curve in curves], baselines)
    lines = [curve for curve in curves if curve.name not in plain]
    for curve, shade, marker in zip(lines, colours(max(len(lines), 1)), MARKERS * 9, strict=False):
        _line(ax, curve, shade, marker, labelled=not (against or is_single))
    names = method_names(data, up, None)
    labelled = {
        method_label(data, name) if name in names else name: row for name, row in (exact or {}).items()
    }
    _points(ax, [curve for curve in curves if curve.name in plain], labelled, across, up, against)
    name = name_of(data, over)
    ax.set_xlabel(name if against else _label(data, across, ": "))
    ax.set_ylabel(_label(data, up, ":\n"))
    ax.margins(0.09)
    note = "" if against or is_single else f"points are labelled with the {name}"
    caption(ax, words, note, sample)
    return ax


def _label(data: Dataset, name: str, joint: str) -> str:
    """Return the name of a quantity, and what it is."""
    return f"{name_of(data, name)}{joint}{WORDS[name]}" if name in WORDS else label_of(data, name)


def _check_metric(data: Dataset, name: str, over: str | None) -> None:
    """Raise `ValueError` for anything but a metric with one number per cell, or the parameter."""
    if name in data.coords and name == (over or name):
        return
    if name in data and own_rank(data, name):
        raise ValueError(f"across, up: {name!r} must be one number a cell")
    pick_names("across, up", [name], [str(key) for key in data.data_vars if not own_rank(data, str(key))], ())


def _curves(
    data: Dataset, across: str, up: str, over: str, methods: Names, at: At
) -> tuple[list[FairnessCurve], str, str]:
    """Return every method's curve, words for the point, and words for the replications."""
    dim, place, order = swept_values(data, over)
    cells = series_of(data, up, [across] if across != over else [], at=at, methods=methods, keep=(dim,))
    curves = []
    for cell in cells:
        y, y_half = band(cell[up].astype(float))
        if across == over:
            x, x_half = place, np.zeros(len(place))
        elif across in cell:
            x, x_half = band(cell[across].astype(float))
        else:
            continue
        rows = order[np.isfinite(x[order]) & np.isfinite(y[order])]
        if rows.size:
            ends = place[rows], x[rows], y[rows], x_half[rows], y_half[rows]
            curves.append(FairnessCurve(cell.method, method_label(data, cell.method), *ends))
    if not curves:
        raise NoSuchPoint(f"data: no method has both {across} and {up} here")
    return curves, cells[0].words, replications_of(cells, "95 % intervals")


def _plain(data: Dataset, names: list[str], baselines: Names) -> list[str]:
    """Return the methods drawn as points."""
    policies = [data[key] for key in POLICIES if key in data and "algorithm" in data[key].dims]

    def has_policy(name: str) -> bool:
        return any(not is_blank(array.sel({"algorithm": name}).values) for array in policies)

    if baselines is not None and not baselines:
        return []
    default = [name for name in names if policies and name and not has_policy(name)]
    return pick_names("baselines", baselines, names, default, "is no method drawn here")


def _line(ax: Axes, curve: FairnessCurve, shade: str, marker: str, *, labelled: bool) -> None:
    label = curve.label or "_runs"
    ax.plot(curve.x, curve.y, color=shade, marker=marker, markersize=4.5, linewidth=1.3, label=label)
    if curve.x_half.any() or curve.y_half.any():
        whiskers: dict[str, Any] = {"fmt": "none", "ecolor": shade, "elinewidth": 0.9, "capsize": 2}
        ax.errorbar(curve.x, curve.y, curve.y_half, curve.x_half, label="_interval", **whiskers)
    for value, x, y in zip(curve.at, curve.x, curve.y, strict=True) if labelled else ():
        offset: dict[str, Any] = {"xytext": (5, 4), "textcoords": "offset points"}
        ax.annotate(f"{value:g}", (x, y), fontsize=7.5, color=shade, **offset)


def _points(
    ax: Axes, plain: Sequence[FairnessCurve], exact: Numbers, across: str, up: str, against: bool
) -> None:
    """Draw baselines: simulated ones filled, exact numbers as crosses; lines if there is only one metric."""
    levels = [(curve.label, float(curve.y.mean())) for curve in plain]
    levels += [(f"{name}, exact", float(numbers[up])) for name, numbers in exact.items()]
    if against:
        for k, (name, level) in enumerate(levels):
            dash, shade = DASHES[(k + 1) % len(DASHES)], INK if k < len(plain) else EXACT
            label = f"{name} ({level:.4g})"
            ax.axhline(level, color=shade, linestyle=dash, linewidth=1.0, label=label, zorder=1)
        return
    for k, curve in enumerate(plain):
        mark: dict[str, Any] = {"marker": MARKERS[(k + 2) % len(MARKERS)], "color": INK, "linestyle": ""}
        ax.plot([curve.x.mean()], [curve.y.mean()], label=curve.label, markersize=6.5, **mark)
    for k, (name, numbers) in enumerate(exact.items()):
        mark = {"marker": CROSSES[k % len(CROSSES)], "color": EXACT, "linestyle": "", "markeredgewidth": 1.6}
        ax.plot([numbers[across]], [numbers[up]], label=f"{name}, exact", markersize=8, zorder=5, **mark)

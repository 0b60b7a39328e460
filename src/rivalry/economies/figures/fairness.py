"""Efficiency and fairness of rules, over a swept parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.plots.drawing import preset
from rivalry.plots.marks import DASHES, MARKERS, PALETTE, Drawing, Frame, Look, Mark, colours
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
    at: ndarray
    x: ndarray
    y: ndarray
    x_half: ndarray
    y_half: ndarray


@preset
def fairness_plane(
    data: Dataset,
    *,
    across: str = "access_fairness",
    up: str = "efficiency",
    over: str | None = None,
    methods: Names = None,
    exact: Numbers | None = None,
    at: At = None,
) -> Drawing:
    """Draw efficiency against fairness, points joined and labelled in the order of a swept parameter.

    A method is a line. One without a policy does not depend on the parameter: it is drawn as a point, the
    mean over all cells, or against the parameter as a horizontal line. Bars are 95 % intervals over
    replications (Student's t).

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
    plain = _plain(data, [curve.name for curve in curves])
    lines = [curve for curve in curves if curve.name not in plain]
    marks = list[Mark]()
    for curve, hue, marker in zip(lines, colours(len(lines)), MARKERS * 9, strict=False):
        texts = [] if against or is_single else [f"{value:g}" for value in curve.at]
        look: Look = {"label": curve.label, "marker": marker, "markersize": 4.5, "linewidth": 1.3}
        marks.append(Mark("line", curve.x, curve.y, hue=hue, texts=texts, **look))
        marks.append(Mark("points", curve.x, curve.y, hue=hue, marker="").within(curve.y_half))
        if curve.x_half.any():
            ends: Look = {"low": curve.x - curve.x_half, "high": curve.x + curve.x_half}
            marks.append(Mark("rule", y=curve.y, hue=hue, linewidth=0.9, **ends))
    names = method_names(data, up, None)
    labelled = {
        method_label(data, name) if name in names else name: row for name, row in (exact or {}).items()
    }
    baseline_curves = [curve for curve in curves if curve.name in plain]
    marks += _baseline_marks(baseline_curves, labelled, across, up, against)
    name = name_of(data, over)
    frame = Frame(name if against else _label(data, across, ": "), _label(data, up, ":\n"))
    note = "" if against or is_single else f"points are labelled with the {name}"
    return Drawing(marks, [frame], [words, note, sample])


def _label(data: Dataset, name: str, joint: str) -> str:
    """Return the name of a quantity, and what it is unless the name says so."""
    if name not in WORDS:
        return label_of(data, name)
    words = name_of(data, name)
    return words if WORDS[name] in words else f"{words}{joint}{WORDS[name]}"


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


def _plain(data: Dataset, names: list[str]) -> list[str]:
    """Return the methods drawn as points: those without a policy."""
    policies = [data[key] for key in POLICIES if key in data and "algorithm" in data[key].dims]

    def has_policy(name: str) -> bool:
        return any(not is_blank(array.sel({"algorithm": name}).values) for array in policies)

    return [name for name in names if policies and name and not has_policy(name)]


def _baseline_marks(
    plain: Sequence[FairnessCurve], exact: Numbers, across: str, up: str, against: bool
) -> list[Mark]:
    """Return baselines: simulated ones filled, exact numbers as crosses; rules where only ``up`` is drawn."""
    marks = list[Mark]()
    for k, curve in enumerate(plain):
        marker = MARKERS[(k + 2) % len(MARKERS)]
        marks.append(_point(curve.label, curve.x.mean(), curve.y.mean(), marker=marker, markersize=6.5))
    for k, (name, numbers) in enumerate(exact.items()):
        look: Look = {"marker": CROSSES[k % len(CROSSES)], "hue": EXACT, "markersize": 9}
        marks.append(_point(f"{name}, exact", numbers.get(across, np.nan), numbers[up], zorder=5, **look))
    if not against:
        return marks
    rules = list[Mark]()
    for k, mark in enumerate(marks, 1):
        look = {"hue": mark.hue, "linestyle": DASHES[k % len(DASHES)], "linewidth": 1.0, "zorder": 1}
        rules.append(Mark("rule", y=mark.y, label=f"{mark.label} ({mark.y[0]:.4g})", **look))
    return rules


def _point(label: str, x: float, y: float, **look: Any) -> Mark:
    return Mark("points", [float(x)], [float(y)], label=label, **look)

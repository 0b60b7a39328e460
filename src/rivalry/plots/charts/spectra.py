"""Eigenvalues over a parameter and in the complex plane, and the stability region of the symmetric point."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.plots.branches import branch_point, parameter, structure
from rivalry.plots.drawing import preset
from rivalry.plots.marks import PALETTE, Drawing, Frame, Look, Mark, Marks, colours, hue_keys
from rivalry.plots.select import (
    EVENTS,
    At,
    DrawnPoint,
    dimension,
    find_sweep,
    is_blank,
    name_of,
    point,
    swept_values,
)

FEW = 40  # most rows that are marked one by one
LINEAR = 1e-3  # of the largest part: below it the vertical axis is linear
UNIT = "(payoff per unit squared)"


class DrawnSpectrum(NamedTuple):
    """Eigenvalues ``[row eigenvalue]``, the parameter's value of each row and the curve it lies on."""

    values: ndarray
    x: ndarray | None  # None: one spectrum, of no parameter
    curve: ndarray
    kind: list[str]  # of each row: its colour group, as in a plot of the branches
    name: str
    selection: DrawnPoint


@preset
def spectrum(data: Dataset, *, at: At = None, plane: bool = False, source: str | None = None) -> Drawing:
    """Draw eigenvalues over a parameter, or in the complex plane.

    Real parts are solid, imaginary parts dashed. A point is stable where all real parts are negative.
    Eigenvalues of one solution are drawn in the complex plane in any case.

    Parameters
    ----------
    data
        Holds eigenvalues ``..._real`` and ``..._imag [row eigenvalue]``, in payoff per squared unit of
        position.
    plane
        Draw in the complex plane.
    source
        Whose eigenvalues: ``branch``, ``scan`` along the symmetric point, or ``end`` points of runs; the
        first of these that the data hold otherwise.

    Raises
    ------
    ValueError
        If the data hold no such eigenvalues.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> sink = xr.Dataset({"eigenvalues_real": ("eigenvalue", [-1.0, -2.0])})
    >>> spectrum(sink).get_xlabel()
    'real part (payoff per unit squared)'
    """
    curves = _spectrum_marks(data, at, source)
    name, caption = name_of(data, curves.name), [curves.selection.words]
    if plane or curves.x is None:
        frame = Frame(f"real part {UNIT}", f"imaginary part {UNIT}")
        return Drawing(_plane_marks(curves, name), [frame], caption)
    largest = float(np.nanmax(np.abs(curves.values)))
    is_flat = np.nanmedian(np.abs(curves.values.real)) < 0.02 * largest
    scale: Look = {"log": "y", "linear": LINEAR * largest} if is_flat else {}
    return Drawing(_parameter_marks(curves, curves.x), [Frame(name, f"eigenvalue {UNIT}", **scale)], caption)


def _spectrum_marks(data: Dataset, at: At, source: str | None) -> DrawnSpectrum:
    if source not in (None, "branch", "scan", "end"):
        raise ValueError(f"source: {source!r} must be 'branch', 'scan' or 'end'")
    for name in ("branch", "scan"):
        main = f"{name}_eigenvalues_real"
        if source not in (None, name):
            continue
        variables = [main, f"{name}_eigenvalues_imag", f"{name}_parameter", "parameter_name"]
        variables += ["branch", "branch_group", "event_kind", "event_parameter"] if name == "branch" else []
        if (selection := branch_point(data, at, variables, 2)) is None:
            continue
        x = selection[f"{name}_parameter"]
        curve = selection.get("branch", np.zeros(len(x), int))
        groups = selection.get("branch_group")
        kind = (
            [f"branch {number}" for number in curve] if groups is None else [structure(row) for row in groups]
        )
        return DrawnSpectrum(
            _complex(selection, f"{name}_eigenvalues"), x, curve, kind, parameter(selection), selection
        )
    if source in ("branch", "scan"):
        raise ValueError(f"source: no eigenvalues of a {source} in this data")
    try:
        over = find_sweep(data, "eigenvalues_real", 1, at, None)
    except ValueError:  # ends of runs at a single point
        over = ""
    keep = [str(dimension(data, over))] if over else []
    selection = point(data, "eigenvalues_real", 1, ("eigenvalues_imag",), at=at, keep=keep)
    values = np.atleast_2d(_complex(selection, "eigenvalues"))
    along = data[over].values.astype(float) if over else None
    return DrawnSpectrum(values, along, np.zeros(len(values), int), [""] * len(values), over, selection)


def _complex(selection: DrawnPoint, stem: str) -> ndarray:
    real = selection[f"{stem}_real"]
    imag = selection.get(f"{stem}_imag", np.zeros_like(real))
    columns = min(real.shape[-1], imag.shape[-1])
    return real[..., :columns] + 1j * imag[..., :columns]


def _sort_spectra(values: ndarray) -> ndarray:
    """Return each row's eigenvalues by falling real part, then imaginary part; padding last."""
    key = np.where(np.isnan(values.real), np.inf, -values.real)
    # rounded, so that a conjugate pair is ordered by its imaginary parts
    order = np.lexsort((-values.imag, key.round(9)), axis=-1)
    return np.take_along_axis(values, order, axis=-1)


def _parameter_marks(curves: DrawnSpectrum, x: ndarray) -> Marks:
    """Return real parts as solid lines and imaginary parts as dashed ones, with the events between them."""
    kinds = list(dict.fromkeys(curves.kind))
    hues = dict(zip(kinds, colours(len(kinds)), strict=True))
    marks, turns = Marks(), False
    for number in dict.fromkeys(curves.curve.tolist()):
        rows = np.flatnonzero(curves.curve == number)
        values = _sort_spectra(curves.values[rows])
        zero = 1e-9 * max(1.0, float(np.nanmax(np.abs(values))))
        imaginary = np.where(values.imag > zero, values.imag, np.nan)
        imaginary = imaginary[:, np.isfinite(imaginary).any(axis=0)]
        turns |= imaginary.size > 0
        look: Look = {"hue": hues[curves.kind[rows[0]]], "marker": "." if len(x) <= FEW else ""}
        marks.append(Mark("line", x[rows], values.real, label="_real", linewidth=1.3, **look))
        dashed: Look = {"label": "_imaginary", "linestyle": "--", "linewidth": 1.0}
        marks.append(Mark("line", x[rows], imaginary, **dashed, **look))
    marks += hue_keys(kinds) if len(kinds) > 1 else []
    marks += [Mark("rule", y=[0.0], linewidth=0.9), Mark("line", label="real part")]
    if turns:
        marks.append(Mark("line", label="imaginary part, if not zero", linestyle="--", linewidth=1.0))
    return marks + _event_marks(curves.selection)


def _event_marks(selection: DrawnPoint) -> Marks:
    """Return the events as points on the line of zero."""
    marks = Marks()
    if not {"event_kind", "event_parameter"} <= set(selection):
        return marks
    for kind, (marker, word) in EVENTS.items():
        x = selection["event_parameter"][selection["event_kind"] == kind]
        x = x[np.isfinite(x)]
        size = 10 if marker == "*" else 6
        look: Look = {"marker": marker, "markersize": size, "hollow": True, "zorder": 5}
        marks += [Mark("points", x, 0 * x, label=word, **look)] if len(x) else []
    return marks


def _plane_marks(curves: DrawnSpectrum, name: str) -> Marks:
    """Return eigenvalues as points, by the parameter's value or, of one spectrum, by the sign of the part."""
    marks = [Mark("rule", [0.0], linewidth=0.9), Mark("rule", y=[0.0], linewidth=0.5)]
    values = curves.values.ravel()
    if curves.x is not None:
        x = np.broadcast_to(curves.x[:, None], curves.values.shape).ravel()
        look: Look = {"hue": "viridis", "markersize": 3.2, "label": name}
        return [*marks, Mark("points", values.real, values.imag, value=x, **look)]
    looks = (("stable", PALETTE[0], values.real < 0), ("unstable", PALETTE[1], values.real >= 0))
    for word, hue, mask in looks:
        look = {"label": word, "hue": hue, "hollow": word == "unstable"}
        marks += [Mark("points", values[mask].real, values[mask].imag, **look)] if mask.any() else []
    return marks


@preset
def stability_window(
    data: Dataset, *, over: str | None = None, at: At = None, threshold: str | None = "threshold"
) -> Drawing:
    """Draw the region of two parameters in which the symmetric point is stable.

    In the area the largest real part is negative; marks are refined crossings.

    Parameters
    ----------
    data
        Holds ``scan_stable`` or ``scan_eigenvalues_real`` along ``scan_parameter``, over a swept number;
        ``crossing`` and ``crossing_direction`` where refined.
    over
        The swept parameter; the first swept number otherwise.
    threshold
        The metric of a closed form, drawn as a dashed line; None for no line.

    Raises
    ------
    ValueError
        If no such scan or parameter is in the data.
    """
    over = find_sweep(data, "scan_stable", 1, at, over)
    dim, y, order = swept_values(data, over)
    selection = point(data, "scan_stable", 1, ("scan_parameter", "parameter_name"), at=at, keep=(dim,))
    x, field = _field(data, selection, dim, at)
    marks = Marks()
    if len(y) > 1 and np.nanmin(field) < 0:
        columns = np.argsort(x)
        negative: Look = {"value": field[order][:, columns], "levels": [-np.inf, 0.0]}
        look: Look = {"hue": PALETTE[5], "alpha": 0.45, "label": "stable symmetric point"}
        marks.append(Mark("region", x[columns], y[order], **negative, **look))
    marks += _crossing_marks(data, dim, at, y, order)
    if threshold is not None and threshold in data:
        closed = point(data, threshold, 0, at=at, keep=(dim,))[threshold].reshape(len(y), -1)[:, 0]
        look = {"linestyle": "--", "linewidth": 1.6, "zorder": 4}
        label = f"closed form ({name_of(data, threshold)})"
        marks.append(Mark("line", closed[order], y[order], label=label, **look))
    limits = float(x.min()), float(x.max())
    frame = Frame(name_of(data, parameter(selection)), name_of(data, over), x_limits=limits)
    return Drawing(marks, [frame], [selection.words])


def _field(data: Dataset, selection: DrawnPoint, dim: str, at: At) -> tuple[ndarray, ndarray]:
    """Return the parameter's values, and ``[swept scan]`` a number that is negative where the point is
    stable.
    """
    stable = selection["scan_stable"].astype(float)
    field = np.where(np.isnan(stable), np.nan, 1.0 - 2.0 * stable)
    if "scan_eigenvalues_real" in data:
        real = point(data, "scan_eigenvalues_real", 2, at=at, keep=(dim,))["scan_eigenvalues_real"]
        finite = np.isfinite(real).any(axis=2)
        if finite.shape == field.shape:
            field = np.where(finite, np.max(np.where(np.isnan(real), -np.inf, real), axis=2), field)
    rows = selection["scan_parameter"]
    if np.allclose(rows, rows[:1], equal_nan=True):
        return rows[0], field
    x = np.linspace(np.nanmin(rows), np.nanmax(rows), rows.shape[1])
    scans = []
    for row, values in zip(rows, field, strict=True):
        finite = np.isfinite(row) & np.isfinite(values)
        order = np.argsort(row[finite])
        scans.append(np.interp(x, row[finite][order], values[finite][order], left=np.nan, right=np.nan))
    return x, np.array(scans)


def _crossing_marks(data: Dataset, dim: str, at: At, y: ndarray, order: ndarray) -> Marks:
    """Return lines through the refined crossings, a colour for each direction."""
    marks = Marks()
    if not {"crossing", "crossing_direction"} <= set(data.variables):
        return marks
    selection = point(data, "crossing_direction", 1, ("crossing",), at=at, keep=(dim,))
    words = selection["crossing_direction"]
    if is_blank(words):
        return marks
    # equal ones are listed once
    values = np.broadcast_to(selection["crossing"], words.shape)
    for word, hue in zip(sorted(set(words[np.isfinite(values)])), PALETTE, strict=False):
        crossings = np.sort(np.where(words == word, values, np.nan), axis=1)[order]  # NaN last
        crossings = crossings[:, np.isfinite(crossings).any(axis=0)]
        look: Look = {"hue": hue, "marker": "o", "markersize": 4, "linewidth": 1.2, "zorder": 5}
        marks.append(Mark("line", crossings, y[order], label="_crossing", **look))
        marks.append(Mark("line", label=f"{word} as the parameter rises", **look))
    return marks

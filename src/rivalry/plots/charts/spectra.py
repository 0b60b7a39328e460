"""Eigenvalues over a parameter and in the complex plane, and the stability region of the symmetric point."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from xarray import Dataset

from rivalry.plots.branches import branch_point, parameter, structure
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
from rivalry.plots.style import INK, PALETTE, add_colour_bar, caption, chart, colours, name_colours

FEW = 40  # most rows that are marked one by one
LINEAR = 1e-3  # of the largest part: below it the vertical axis is linear


class DrawnSpectrum(NamedTuple):
    """Eigenvalues ``[row eigenvalue]``, the parameter's value of each row and the curve it lies on."""

    values: np.ndarray
    x: np.ndarray | None  # None: one spectrum, of no parameter
    curve: np.ndarray
    kind: list[str]  # of each row: its colour group, as in a plot of the branches
    name: str
    selection: DrawnPoint


@chart
def spectrum(
    data: Dataset, ax: Axes, *, at: At = None, plane: bool = False, source: str | None = None
) -> Axes:
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
    curves = _spectrum(data, at, source)
    if plane or curves.x is None:
        _in_the_plane(ax, curves, name_of(data, curves.name))
    else:
        _over_parameter(ax, curves, curves.x, name_of(data, curves.name))
    caption(ax, curves.selection.words)
    return ax


def _spectrum(data: Dataset, at: At, source: str | None) -> DrawnSpectrum:
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


def _complex(selection: DrawnPoint, stem: str) -> np.ndarray:
    real = selection[f"{stem}_real"]
    imag = selection.get(f"{stem}_imag", np.zeros_like(real))
    columns = min(real.shape[-1], imag.shape[-1])
    return np.asarray(real[..., :columns] + 1j * imag[..., :columns])


def _sort_spectra(values: np.ndarray) -> np.ndarray:
    """Return each row's eigenvalues by falling real part, then imaginary part; padding last."""
    key = np.where(np.isnan(values.real), np.inf, -values.real)
    # rounded, so that a conjugate pair is ordered by its imaginary parts
    order = np.lexsort((-values.imag, key.round(9)), axis=-1)
    return np.take_along_axis(values, order, axis=-1)


def _over_parameter(ax: Axes, curves: DrawnSpectrum, x: np.ndarray, words: str) -> None:
    kinds = list(dict.fromkeys(curves.kind))
    shades = dict(zip(kinds, colours(len(kinds)), strict=True))
    turning, dot = False, "." if len(x) <= FEW else ""
    for number in dict.fromkeys(curves.curve.tolist()):
        rows = np.flatnonzero(curves.curve == number)
        colour, values = shades[curves.kind[rows[0]]], _sort_spectra(curves.values[rows])
        zero = 1e-9 * max(1.0, float(np.nanmax(np.abs(values))))
        for part in values.T:
            ax.plot(x[rows], part.real, marker=dot, color=colour, linewidth=1.3, label="_real")
            if (part.imag > zero).any():
                turning = True
                imaginary = np.where(part.imag > zero, part.imag, np.nan)
                ax.plot(x[rows], imaginary, "--", marker=dot, color=colour, linewidth=1.0, label="_imaginary")
    if len(shades) > 1:
        name_colours(ax, shades, shades.values())
    ax.axhline(0.0, color=INK, linewidth=0.9)
    ax.plot([], [], color=INK, label="real part")
    if turning:
        ax.plot([], [], "--", color=INK, linewidth=1.0, label="imaginary part, if not zero")
    _events(ax, curves.selection)
    largest = float(np.nanmax(np.abs(curves.values)))
    if np.nanmedian(np.abs(curves.values.real)) < 0.02 * largest:
        ax.set_yscale("symlog", linthresh=LINEAR * largest)
        ax.yaxis.set_major_formatter("{x:g}")
    ax.set(xlabel=words, ylabel="eigenvalue (payoff per unit squared)")


def _events(ax: Axes, selection: DrawnPoint) -> None:
    if not {"event_kind", "event_parameter"} <= set(selection):
        return
    look: dict[str, Any] = {"color": INK, "markerfacecolor": "white", "zorder": 5}
    for kind, (marker, word) in EVENTS.items():
        parameters = selection["event_parameter"][selection["event_kind"] == kind]
        parameters = parameters[np.isfinite(parameters)]
        if len(parameters):
            ax.plot(
                parameters, 0 * parameters, marker, markersize=10 if marker == "*" else 6, label=word, **look
            )


def _in_the_plane(ax: Axes, curves: DrawnSpectrum, words: str) -> None:
    values = curves.values
    ax.axvline(0.0, color=INK, linewidth=0.9)
    ax.axhline(0.0, color=INK, linewidth=0.5)
    if curves.x is None:
        flat = values[np.isfinite(values)]
        looks = (("stable", PALETTE[0], PALETTE[0]), ("unstable", PALETTE[1], "white"))
        for (word, colour, face), eigenvalues in zip(
            looks, (flat[flat.real < 0], flat[flat.real >= 0]), strict=True
        ):
            if len(eigenvalues):
                ax.plot(
                    eigenvalues.real, eigenvalues.imag, "o", color=colour, markerfacecolor=face, label=word
                )
    else:
        x = np.broadcast_to(curves.x[:, None], values.shape)
        dots = ax.scatter(values.real, values.imag, c=x, cmap="viridis", s=10)
        add_colour_bar(ax, dots, words)
    ax.set(xlabel="real part (payoff per unit squared)", ylabel="imaginary part (payoff per unit squared)")


@chart
def stability_window(
    data: Dataset, ax: Axes, *, over: str | None = None, at: At = None, threshold: str | None = "threshold"
) -> Axes:
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
    if len(y) > 1:
        _area(ax, x, y, field)
    _refine(ax, data, dim, at, y)
    if threshold is not None and threshold in data:
        closed = point(data, threshold, 0, at=at, keep=(dim,))[threshold].reshape(len(y), -1)[:, 0]
        look: dict[str, Any] = {"color": INK, "linewidth": 1.6, "zorder": 4}
        ax.plot(closed[order], y[order], "--", label=f"closed form ({name_of(data, threshold)})", **look)
    ax.set_xlim(float(x.min()), float(x.max()))
    ax.set(xlabel=name_of(data, parameter(selection)), ylabel=name_of(data, over))
    caption(ax, selection.words)
    return ax


def _field(data: Dataset, selection: DrawnPoint, dim: str, at: At) -> tuple[np.ndarray, np.ndarray]:
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


def _area(ax: Axes, x: np.ndarray, y: np.ndarray, field: np.ndarray) -> None:
    if not np.nanmin(field) < 0:
        return
    row_order, column_order = np.argsort(y), np.argsort(x)
    inside = np.ma.masked_invalid(field[row_order][:, column_order])
    ax.contourf(x[column_order], y[row_order], inside, levels=[-np.inf, 0.0], colors=[PALETTE[5]], alpha=0.45)
    ax.fill_between([], [], color=PALETTE[5], alpha=0.45, label="stable symmetric point")


def _refine(ax: Axes, data: Dataset, dim: str, at: At, y: np.ndarray) -> None:
    if not {"crossing", "crossing_direction"} <= set(data.variables):
        return
    selection = point(data, "crossing_direction", 1, ("crossing",), at=at, keep=(dim,))
    words = selection["crossing_direction"]
    if is_blank(words):
        return
    # equal ones are listed once
    values = np.broadcast_to(selection["crossing"], words.shape)
    order = np.argsort(y, kind="stable")
    for word, colour in zip(sorted(set(words[np.isfinite(values)])), (PALETTE[0], PALETTE[1]), strict=False):
        crossings = np.where((words == word) & np.isfinite(values), values, np.nan)
        for rank in range(crossings.shape[1]):
            line = np.sort(crossings, axis=1)[:, rank]  # NaN last
            if np.isfinite(line).any():
                style: dict[str, Any] = {"color": colour, "markersize": 4, "linewidth": 1.2, "zorder": 5}
                ax.plot(line[order], y[order], "o-", label="_crossing", **style)
        ax.plot([], [], "o-", color=colour, markersize=4, label=f"{word} as the parameter rises")

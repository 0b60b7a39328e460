"""A run's numbers taken elsewhere: tidy tables as CSV or LaTeX, or its dataset as NetCDF."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.files import StoreError, folder_for, write
from rivalry.core.results import is_truth, netcdf
from rivalry.lab.store import LeftOut

if TYPE_CHECKING:
    from xarray import Dataset

    from rivalry.lab.store import DamagedFile, Run

FORMATS = ("csv", "netcdf", "latex")
LATEX_ROWS = 2_000  # a longer table is no table for a paper

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes for the beginning of a formula

_SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


class Exported(NamedTuple):
    """The files that were written, what they lack and why, and the stored files that are damaged."""

    files: list[Path]
    left_out: list[LeftOut]
    damaged: list[DamagedFile]


def export(run: Run, to: str, out: str | os.PathLike[str] | None = None) -> Exported:
    """Write a run's numbers to ``out`` (default: ``export`` in its folder); nothing else in it is written.

    ``csv``: one table for all variables that have the same dimensions, a row for each point, rows sorted,
    floats in the shortest form that reads back the same. ``latex``: the same tables, where they have at most
    2000 rows, six digits. ``netcdf``: the dataset. Equal data give equal bytes. A study's parts go to folders
    of their own, and ``part/`` goes before the names of what they lack. Raises `StoreError` for another
    format, or a run without a finished cell; `DamagedFile` where its only cells are damaged.
    """
    if to not in FORMATS:
        raise StoreError(f"--to {to}: must be one of {', '.join(FORMATS)}")
    folder = run.folder / "export" if out is None else Path(out)
    parts = run.parts()
    if parts:
        return _joined({name: export(part, to, folder / name) for name, part in parts.items()})
    data, damaged = run.collect()
    left_out = run.left_out(damaged)
    if len(left_out) == len(run.cells):
        if damaged:
            raise damaged[0]
        raise StoreError(f"{run.folder}: no cell is done yet; there is nothing to export")
    folder_for(folder)
    if to == "netcdf":
        path = folder / f"{run.name}.nc"
        write(path, netcdf(data))
        return Exported([path], left_out, damaged)
    tables = list(_tables(data, list(run.axes), folder, to))
    written = [table for table in tables if isinstance(table, Path)]
    return Exported(written, left_out + [t for t in tables if isinstance(t, LeftOut)], damaged)


def _joined(parts: Mapping[str, Exported]) -> Exported:
    return Exported(
        [path for part in parts.values() for path in part.files],
        [row._replace(name=f"{name}/{row.name}") for name, part in parts.items() for row in part.left_out],
        [error for part in parts.values() for error in part.damaged],
    )


def _tables(data: Dataset, lead: Sequence[str], folder: Path, to: str) -> Iterator[Path | LeftOut]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(map(str, data.data_vars)):
        groups.setdefault(tuple(map(str, data[name].dims)), []).append(name)
    for dims, names in sorted(groups.items()):
        own = [dim for dim in dims if dim not in lead]
        stem = "_".join(own) if own else "cells"
        if to == "csv":
            path, text = folder / f"{stem}.csv", to_csv(data, dims, names)
        else:
            count = prod(data.sizes[dim] for dim in dims)
            if count > LATEX_ROWS:
                yield LeftOut(f"{stem}.tex", f"{count} rows, above the {LATEX_ROWS} of a LaTeX table")
                continue
            path, text = folder / f"{stem}.tex", to_latex(data, dims, names)
        write(path, text.encode())
        yield path


def rows(data: Dataset, dims: Sequence[str], names: Sequence[str]) -> tuple[list[str], list[list[Any]]]:
    """The header and the rows of a tidy table, sorted by the coordinates.

    A dimension without a coordinate counts from 0; coordinates that go along with one stand beside it. Rows
    in which nothing is known, the padding of shorter arrays and cells not done, are left out.
    """
    columns: list[tuple[str, int, np.ndarray]] = []  # name, axis, values
    orders = []
    for axis, dim in enumerate(dims):
        values = data.coords[dim].values if dim in data.coords else np.arange(data.sizes[dim])
        orders.append(np.argsort(values, kind="stable"))
        columns.append((dim, axis, values))
        others = sorted(str(c) for c in data.coords if c != dim and data.coords[c].dims == (dim,))
        columns += [(other, axis, data.coords[other].values) for other in others]
    arrays, truths = [data[name].values for name in names], [is_truth(data[name]) for name in names]
    sheet = []
    for place in np.ndindex(*(data.sizes[dim] for dim in dims)):
        index = tuple(order[k] for order, k in zip(orders, place, strict=True))
        found = [array[index] for array in arrays]
        if any(_known(value) for value in found):
            at = [values[index[axis]] for _, axis, values in columns]
            known = [bool(v) if t and _known(v) else v for v, t in zip(found, truths, strict=True)]
            sheet.append([value.item() for value in map(np.asarray, (*at, *known))])
    return [name for name, _, _ in columns] + list(names), sheet


def _known(value: Any) -> bool:
    """Whether a value is none of those that stand for missing ones."""
    kind = value.dtype.kind
    if kind == "U":
        return bool(value != "")
    if kind == "b":
        return True
    return bool(value != -1) if kind in "iu" else not np.isnan(value)


def to_csv(data: Dataset, dims: Sequence[str], names: Sequence[str]) -> str:
    """A tidy table as comma-separated text; what is not a number is empty.

    Text that a spreadsheet would take for a formula has an apostrophe before it, in the header too.
    """
    head, sheet = rows(data, dims, names)
    return "".join(",".join(map(_field, map(_plain, row))) + "\n" for row in [head, *sheet])


def _field(text: str) -> str:
    """A field as it stands between commas; the csv module leaves a carriage return bare."""
    special = any(c in text for c in ',"\r\n')
    return '"{}"'.format(text.replace('"', '""')) if special else text


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if np.isnan(value) else repr(value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return str(value)


def to_latex(data: Dataset, dims: Sequence[str], names: Sequence[str]) -> str:
    """A tidy table for LaTeX's ``booktabs``, six digits."""
    head, sheet = rows(data, dims, names)
    body = [" & ".join(map(_tex, row)) + r" \\" for row in sheet]
    top = " & ".join(map(_tex, head)) + r" \\"
    columns = "l" * len(dims) + "r" * (len(head) - len(dims))
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", top, r"\midrule", *body]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _tex(value: Any) -> str:
    if isinstance(value, float) and not isinstance(value, bool):
        if np.isnan(value):
            return "--"
        if np.isinf(value):
            return r"$\infty$" if value > 0 else r"$-\infty$"
        digits, _, power = f"{value:.6g}".partition("e")
        return rf"${digits}\cdot 10^{{{int(power)}}}$" if power else f"${digits}$"
    return "".join(_SPECIAL.get(c, c) for c in _plain(value))

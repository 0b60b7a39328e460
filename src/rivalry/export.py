"""A run's numbers taken elsewhere: tidy tables as CSV or LaTeX, or its dataset as NetCDF."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.files import StoreError, write

if TYPE_CHECKING:
    from xarray import Dataset

    from rivalry.store import Run

FORMATS = ("csv", "netcdf", "latex")
LATEX_ROWS = 2_000  # a longer table is no table for a paper

_SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def export(run: Run, to: str, out: str | os.PathLike[str] | None = None) -> list[Path]:
    """Write a run's numbers to ``out`` (default: ``export`` in its folder); the files that were written.

    ``csv``: one table for all variables that have the same dimensions, a row for each point, rows sorted,
    floats in the shortest form that reads back the same. ``latex``: the same tables, where they have at most
    2000 rows, six digits. ``netcdf``: the dataset. Equal data give equal bytes. A study's parts go to folders
    of their own. Raises `StoreError` for another format, or a run without a finished cell.
    """
    if to not in FORMATS:
        raise StoreError(f"--to {to}: must be one of {', '.join(FORMATS)}")
    folder = run.folder / "export" if out is None else Path(out)
    parts = run.parts()
    if parts:
        return [path for name, part in parts.items() for path in export(part, to, folder / name)]
    if not run.counts()["done"]:
        raise StoreError(f"{run.folder}: no cell is done yet; there is nothing to export")
    data = run.dataset()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise StoreError(f"{folder}: is a file; choose a folder") from None
    if to == "netcdf":
        write(folder / f"{run.name}.nc", (run.folder / "dataset.nc").read_bytes())
        return [folder / f"{run.name}.nc"]
    return list(_tables(data, list(run.axes), folder, to))


def _tables(data: Dataset, lead: Sequence[str], folder: Path, to: str) -> Iterator[Path]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(map(str, data.data_vars)):
        groups.setdefault(tuple(map(str, data[name].dims)), []).append(name)
    for dims, names in sorted(groups.items()):
        own = [dim for dim in dims if dim not in lead]
        stem = "_".join(own) if own else "cells"
        if to == "csv":
            path, text = folder / f"{stem}.csv", to_csv(data, dims, names)
        else:
            if np.prod([data.sizes[dim] for dim in dims], dtype=float) > LATEX_ROWS:
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
    arrays = [data[name].values for name in names]
    sheet = []
    for place in np.ndindex(*(data.sizes[dim] for dim in dims)):
        index = tuple(order[k] for order, k in zip(orders, place, strict=True))
        found = [array[index] for array in arrays]
        if any(_known(value) for value in found):
            at = [values[index[axis]] for _, axis, values in columns]
            sheet.append([value.item() for value in map(np.asarray, (*at, *found))])
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
    """A tidy table as comma-separated text; what is not a number is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head, sheet = rows(data, dims, names)
    writer.writerow(head)
    writer.writerows([[_plain(value) for value in row] for row in sheet])
    return text.getvalue()


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if np.isnan(value) else repr(value)
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

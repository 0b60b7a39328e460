"""Export of a run's results: tidy tables as CSV, Parquet or LaTeX, or the dataset as NetCDF."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from io import BytesIO
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pandas import DataFrame, Series

from rivalry.core.files import StoreError, folder_for, followed, write
from rivalry.core.results import is_truth, netcdf
from rivalry.lab.store import LeftOut

if TYPE_CHECKING:
    from xarray import Dataset

    from rivalry.lab.store import DamagedFile, Run

FORMATS = ("csv", "parquet", "netcdf", "latex")
LATEX_ROWS = 2_000  # longer tables do not suit a paper
FEW = 5  # most tables left out that a warning names

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # text that a spreadsheet reads as the start of a formula

_SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


class Exported(NamedTuple):
    """Files written, what they lack and why, and damaged stored files."""

    files: list[Path]
    left_out: list[LeftOut]
    damaged: list[DamagedFile]


def export(run: Run, to: str, out: str | os.PathLike[str] | None = None) -> Exported:
    """Write a run's results to a folder; equal data give equal bytes.

    Each part of a study is written to its own folder, and ``part/`` precedes the names of what it lacks.

    Parameters
    ----------
    to
        ``csv``: one table per set of variables with the same dimensions, one row per point, rows sorted,
        floats in the shortest form that reads back the same. Except for ``cells.csv``, tables with a single
        row are collected in ``single_rows.csv``, one row per variable. ``parquet``: the same tables, single
        rows included, with the types of the dataset; needs the extra ``parquet``. ``latex``: the same tables,
        up to 2000 rows each, with six significant digits; one warning names longer ones, which are left
        out. ``netcdf``: the dataset.
    out
        Output folder; default ``export`` in the run's folder, where nothing else is written.

    Raises
    ------
    StoreError
        For another format, or a run without a finished cell, and for ``parquet`` without PyArrow.
    DamagedFile
        If all finished cells are damaged.
    """
    if to not in FORMATS:
        raise StoreError(f"--to {to}: must be one of {', '.join(FORMATS)}")
    if to == "parquet" and find_spec("pyarrow") is None:
        raise StoreError("--to parquet: needs PyArrow; pip install 'rivalry[parquet]'")
    done = _export(run, to, run.folder / "export" if out is None else followed(Path(out)))
    if long := [row.name for row in done.left_out if row.name.endswith(".tex")]:
        names = ", ".join(long[:FEW]) + (f" and {len(long) - FEW} more" if len(long) > FEW else "")
        rule = f"above the {LATEX_ROWS} rows of a LaTeX table; export to csv, which has no limit"
        warnings.warn(f"{names}: not written, {rule}", stacklevel=2)
    return done


def _export(run: Run, to: str, folder: Path) -> Exported:
    """Write a run's results to a folder, each part to its own; see `export`."""
    if parts := run.parts():
        folder_for(folder)
        return _join({name: _export(part, to, folder / name) for name, part in parts.items()})
    data, damaged = run.collect()
    left_out = run.missing_cells(damaged)
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


def _join(parts: Mapping[str, Exported]) -> Exported:
    return Exported(
        [path for part in parts.values() for path in part.files],
        [row._replace(name=f"{name}/{row.name}") for name, part in parts.items() for row in part.left_out],
        [error for part in parts.values() for error in part.damaged],
    )


def _tables(data: Dataset, lead: Sequence[str], folder: Path, to: str) -> Iterator[Path | LeftOut]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(map(str, data.data_vars)):
        groups.setdefault(tuple(map(str, data[name].dims)), []).append(name)
    single: list[dict[str, Any]] = []
    for dims, names in sorted(groups.items()):
        stem = "_".join(dim for dim in dims if dim not in lead) or "cells"
        path = folder / f"{stem}.{'tex' if to == 'latex' else to}"
        count = prod(data.sizes[dim] for dim in dims)
        if to == "latex" and count > LATEX_ROWS:
            yield LeftOut(path.name, f"{count} rows, above the {LATEX_ROWS} of a LaTeX table")
            continue
        frame = tidy(data, dims, names)
        if to == "csv" and len(frame) == 1 and stem != "cells":
            single.extend(_by_variable(stem, frame, names))
            continue
        if to == "parquet":
            write(path, to_parquet(frame, data))
        else:
            write(path, (to_csv(frame) if to == "csv" else to_latex(frame, len(dims))).encode())
        yield path
    if single:
        path = folder / "single_rows.csv"
        # as objects: integers beside the missing entries of other tables would become floats
        together = DataFrame(single, dtype=object)
        write(path, to_csv(together[[name for name in together if name not in ENTRY] + ENTRY]).encode())
        yield path


ENTRY = ["variable", "value"]  # last columns of ``single_rows.csv``


def _by_variable(table: str, frame: DataFrame, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Return a table of one row as one row per variable: the table, the row's coordinates, `ENTRY`."""
    row = {name: frame[name].iloc[0] for name in frame.columns}
    point = {name: value for name, value in row.items() if name not in names}
    return ({"table": table, **point, "variable": name, "value": row[name]} for name in names)


def tidy(data: Dataset, dims: Sequence[str], names: Sequence[str]) -> DataFrame:
    """Return a tidy table, sorted by the coordinates.

    A dimension without a coordinate counts from 0; its further coordinates follow it. Rows without any known
    value (padding of shorter arrays, unfinished cells) are omitted; other missing values are NaN. Booleans
    are ``true`` and ``false``.
    """
    chosen = data[list(names)]
    frame = chosen.to_dataframe(dim_order=list(dims)).sort_index().reset_index()
    known = DataFrame({name: _is_known(frame[name]) for name in names})
    for name in names:
        truth = is_truth(data[name]) or frame[name].dtype == bool
        # as objects: integers with missing entries would become floats
        values = (
            (frame[name] == 1).map({True: "true", False: "false"}) if truth else frame[name].astype(object)
        )
        frame[name] = frame[name] if known[name].all() and not truth else values.where(known[name])
    beside = {
        dim: sorted(str(c) for c in chosen.coords if c != dim and chosen[c].dims == (dim,)) for dim in dims
    }
    columns = [name for dim in dims for name in (dim, *beside[dim])]
    return frame.loc[known.any(axis=1), [*columns, *names]]


def _is_known(values: Series) -> Series:
    """Return which values are not markers of missing values."""
    return values != -1 if values.dtype.kind in "iu" else values.notna() & (values != "")


def to_csv(frame: DataFrame) -> str:
    """Return a tidy table as comma-separated text; missing values are empty.

    Text that a spreadsheet would read as a formula gets an apostrophe in front, also in the header. Line
    breaks within text are line feeds.
    """
    # not DataFrame.map, which makes floats of integers beside missing entries
    text = {
        name: Series([_harmless(value) for value in frame[name]], frame.index, object)
        for name in frame.columns
        if frame[name].dtype.kind not in "iuf"
    }
    frame = frame.assign(**text).rename(columns=_harmless)
    return str(frame.to_csv(index=False, lineterminator="\n"))


def to_parquet(frame: DataFrame, data: Dataset) -> bytes:
    """Return a tidy table of a dataset as a Parquet file, with the types of the dataset; text is unchanged.

    Whole and truth values are nullable: those that are missing are null.
    """
    typed = frame.copy()
    for name in frame.columns:
        if name not in data.data_vars:
            continue
        kind = data[name].dtype.kind
        if is_truth(data[name]) or kind == "b":
            typed[name] = frame[name].map({"true": True, "false": False}).astype("boolean")
        else:
            whole = "Int64" if kind in "iu" else "string"
            typed[name] = frame[name].astype(data[name].dtype if kind == "f" else whole)
    file = BytesIO()
    typed.to_parquet(file, engine="pyarrow", index=False)
    return file.getvalue()


def _harmless(value: object) -> Any:
    if not isinstance(value, str):
        return value
    quoted = f"'{value}" if value.startswith(_FORMULA) else value
    return quoted.replace("\r\n", "\n").replace("\r", "\n")


def to_latex(frame: DataFrame, keys: int) -> str:
    """Return a tidy table for LaTeX's ``booktabs``, numbers with six significant digits.

    The first ``keys`` columns are aligned to the left.
    """
    frame = frame.map(_tex).rename(columns=_tex)
    columns = "l" * keys + "r" * (len(frame.columns) - keys)
    return str(frame.to_latex(index=False, column_format=columns))


def _tex(value: object) -> str:
    """Return an entry of a LaTeX table."""
    if isinstance(value, float | None):
        if value is None or np.isnan(value):
            return "--"
        if np.isinf(value):
            return r"$\infty$" if value > 0 else r"$-\infty$"
        digits, _, power = f"{value:.6g}".partition("e")
        return rf"${digits}\cdot 10^{{{int(power)}}}$" if power else f"${digits}$"
    return "".join(_SPECIAL.get(c, c) for c in str(_harmless(value)))

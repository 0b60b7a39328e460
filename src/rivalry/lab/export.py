"""Export of a run: the table of its answer, its figures, its dataset, or all that is stored."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pandas import DataFrame, Series

from rivalry.core.files import StoreError, folder_for, followed, write
from rivalry.core.results import is_truth, netcdf
from rivalry.lab.answer import Answer
from rivalry.lab.answer.table import EVERY, MOST_CAVEATS
from rivalry.lab.figures import draw
from rivalry.lab.store import LeftOut
from rivalry.results.render import dataframe, latex, latex_label, markdown
from rivalry.schema.installation import remedy
from rivalry.schema.validate import check_keywords

if TYPE_CHECKING:
    from xarray import Dataset

    from rivalry.lab.store import DamagedFile, Run

TABLES = {"csv": "csv", "xlsx": "xlsx", "latex": "tex", "markdown": "md", "parquet": "parquet"}
"""Formats of tables with the endings of their files."""
_UNSAFE = re.compile(r"[^\w.\[\]-]+")  # in names of files
FIGURES = ("png", "svg", "pdf")
FORMATS = (*TABLES, "netcdf", *FIGURES)
EVERYTHING = ("csv", "parquet")  # formats of all that is stored
NEEDS = {"parquet": ("pyarrow", "PyArrow"), "xlsx": ("xlsxwriter", "XlsxWriter")}
EXTRAS = {"parquet": "parquet", "xlsx": "excel"}
WIDEST, ROW = 44, 15.0  # characters of a column of a workbook, and points of a line
NO_FIGURE = "the study names no plots, and none of its family's figures is of such results"
DECIMALS = ["0" * places for places in range(1, 8)]  # of formats of numbers in spreadsheets
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # text that a spreadsheet reads as the start of a formula


class Exported(NamedTuple):
    """Files written, what they lack and why, and damaged stored files."""

    files: list[Path]
    left_out: list[LeftOut]
    damaged: list[DamagedFile]


@check_keywords
def export(
    run: Run, to: str, out: str | os.PathLike[str] | None = None, *, everything: bool = False
) -> Exported:
    """Write a run's answer to a folder; equal data give equal bytes.

    Each part of a study is written to its own folder, and ``part/`` precedes the names of what it lacks.

    Parameters
    ----------
    run
        As `rivalry.load_run` or `rivalry.run_study` returns it.
    to
        ``csv``, ``xlsx``, ``latex``, ``markdown`` or ``parquet``: the printed table of the answer with all
        its rows, in a file ``results``. A mean has its 95 % interval beside it. ``xlsx`` needs the extra
        ``excel``, ``parquet`` the extra ``parquet``.
        ``png``, ``svg``, ``pdf``: the figures. ``netcdf``: the dataset.
    out
        Output folder; default ``export`` in the run's folder, where nothing else is written.
    everything
        For ``csv`` and ``parquet``: all that is stored in place of the answer's table, with
        ``columns.md``, which says what each column is. One table per set of variables with the same
        dimensions, one row per point, rows sorted, floats in the shortest form that reads back the same. Of
        CSV, except for ``cells.csv``, tables with a single row are collected in ``single_rows.csv``, one row
        per variable. Parquet has the types of the dataset.

    Returns
    -------
    Exported
        ``files`` written, what is ``left_out`` and why, and ``damaged`` stored files.

    Raises
    ------
    StoreError
        For another format, or a run without a finished cell, for a format whose library is missing, and for
        figures of a run that has none.
    DamagedFile
        If all finished cells are damaged.
    """
    if to not in FORMATS:
        raise StoreError(f"--to {to}: must be one of {', '.join(FORMATS)}")
    if everything and to not in EVERYTHING:
        raise StoreError(f"--all: is for {', '.join(EVERYTHING)}; {to} has nothing to add")
    if to in NEEDS and find_spec(NEEDS[to][0]) is None:
        raise StoreError(f"--to {to}: needs {NEEDS[to][1]}; {remedy(EXTRAS[to])}")
    exported = _export_into(
        run, to, run.folder / "export" if out is None else followed(Path(out)), everything
    )
    if to in FIGURES and not exported.files:
        reasons = "; ".join(row.reason for row in exported.left_out) or NO_FIGURE
        raise StoreError(f"--to {to}: no figure was drawn: {reasons}")
    return exported


def _export_into(run: Run, to: str, folder: Path, everything: bool) -> Exported:
    """Write a run's results to a folder, each part to its own; see `export`."""
    if parts := run.parts():
        folder_for(folder)
        return _join(
            {name: _export_into(part, to, folder / name, everything) for name, part in parts.items()}
        )
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
    if to in FIGURES:
        pictures = draw(run.head["study"], data, folder, run.folder / "figures", "", run, form=to)
        lacking = [LeftOut(picture.file, picture.why) for picture in pictures if picture.why]
        return Exported(
            [folder / picture.file for picture in pictures if not picture.why], left_out + lacking, damaged
        )
    if everything:
        paths = list(_tables(data, list(run.axes), folder, to))
        write(folder / "columns.md", _meanings(data).encode())
        return Exported([*paths, folder / "columns.md"], left_out, damaged)
    answer = Answer(run.head["study"], data, run)
    path = folder / f"results.{TABLES[to]}"
    write(path, answer_as(to, answer))
    return Exported([path], left_out, damaged)


def answer_as(to: str, answer: Answer) -> bytes:
    """Return the table of an answer as a file of one of the formats `TABLES`."""
    if to == "markdown":
        return _markdown_of(answer).encode()
    if to == "latex":
        return _latex_of(answer).encode()
    table = answer.table_of(None, EVERY, full=True)
    assert table is not None  # there are finished cells
    frame = dataframe(table)
    if to == "csv":
        return to_csv(frame).encode()
    if to == "xlsx":
        return _xlsx_of(answer, frame, table.keys)
    file = BytesIO()
    frame.to_parquet(file, engine="pyarrow", index=False)
    return file.getvalue()


def _latex_of(answer: Answer) -> str:
    """Return the tables for LaTeX, with headings in captions, and below the last one what they answer."""
    texts, tables = list[str](), answer.tables()
    for k, (heading, table) in enumerate(tables, start=1):
        texts.append(
            latex(
                table,
                caption=f"{answer.title}: {heading}" if heading else answer.title,
                label=latex_label(str(answer.study.get("name", "results")), heading),
                below=[*answer.state, *answer.lead] if k == len(tables) else (),
            )
        )
    return "\n".join(texts)


def _markdown_of(answer: Answer) -> str:
    """Return the answer as Markdown."""
    parts = [f"## {answer.title}", answer.question, *answer.state, *answer.lead]
    for heading, table in answer.tables():
        parts += [f"### {heading}" * bool(heading), markdown(table)]
    parts += [f"- {line}" for line in answer.caveats[:MOST_CAVEATS]]
    return "\n\n".join(filter(None, parts)) + "\n"


def _xlsx_of(answer: Answer, frame: DataFrame, keys: int) -> bytes:
    """Return a workbook: the table, with the answer and its caveats below, and what was run."""
    import xlsxwriter

    file = BytesIO()
    # text that looks like a formula or an address stays text
    safe = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    with xlsxwriter.Workbook(file, safe | {"nan_inf_to_errors": True}) as book:
        book.set_properties({"title": answer.title, "created": datetime(2000, 1, 1)})  # equal bytes
        sheet = _sheet_of(book, "results", frame, keys)
        below = [*answer.state, *answer.lead, *answer.caveats[:MOST_CAVEATS]]
        for k, line in enumerate(below, start=len(frame) + 2):
            sheet.write_string(k, 0, line)
        overview = _overview_rows(answer)
        about = {"about": list(overview), "value": list(overview.values())}
        _sheet_of(book, "about", DataFrame(about, dtype=object), 1)
    return file.getvalue()


def _sheet_of(book: Any, name: str, frame: DataFrame, keys: int) -> Any:
    """Return a new sheet with a table, whose numbers show four digits."""
    sheet, bold = book.add_worksheet(name), book.add_format({"bold": True, "text_wrap": True})
    sheet.write_row(0, 0, frame.columns, bold)
    formats = {name: book.add_format({"num_format": name}) for name in map("0.{}".format, DECIMALS)}
    formats |= {"0.00E+00": book.add_format({"num_format": "0.00E+00"}), "General": None}
    for k, row in enumerate(frame.itertuples(index=False), start=1):
        for column, value in enumerate(row):
            if isinstance(value, str):
                sheet.write(k, column, value)
            elif np.isfinite(value):
                sheet.write(k, column, value, formats[number_format(float(value))])
    sheet.freeze_panes(1, keys)
    lines = 1
    for column, name in enumerate(frame.columns):
        longest = max((len(entry) for entry in [name, *frame[name]] if isinstance(entry, str)), default=0)
        width = min(max(longest + 2, 14), WIDEST)
        sheet.set_column(column, column, width)
        lines = max(lines, len(wrap(name, width - 2)))
    sheet.set_row(0, ROW * lines)  # of headings that are wrapped
    return sheet


def _overview_rows(answer: Answer) -> dict[str, str | int]:
    """Return title, question, study, source, version and date of a run, and its claims with their numbers."""
    study, run = answer.study, answer.run
    claims = Counter(claim for point in answer.points for claim in point.claims_in_words.elements())
    facts = {
        "title": answer.title,
        "question": answer.question,
        "study": str(study.get("name") or ""),
        "source": str(study.get("source") or ""),
        "version": f"rivalry {run.made_by['rivalry']}" if run else "",
        "date": run.date if run else "",
    }
    counted = {f"results with claim: {claim}": n for claim, n in sorted(claims.items())}
    return {name: text for name, text in facts.items() if text} | counted


def number_format(value: float) -> str:
    """Return the format in which a spreadsheet shows a number, of four digits; the number itself is whole.

    >>> number_format(12.0), number_format(128.865), number_format(0.0098), number_format(1.7e-11)
    ('General', '0.0', '0.000000', '0.00E+00')
    """
    if value == round(value):
        return "General"
    places = 3 - int(np.floor(np.log10(abs(value))))
    return "0.00E+00" if places > len(DECIMALS) else f"0.{'0' * max(places, 1)}"


def _meanings(data: Dataset) -> str:
    """Return the meaning of each variable of a dataset, as a table in Markdown."""
    lines = ["| column | unit | meaning |", "|---|---|---|"]
    for name in sorted(map(str, data.variables)):
        attributes = data[name].attrs
        meaning = attributes.get("description", attributes["long_name"])
        lines.append(f"| `{name}` | {attributes.get('units', '')} | {meaning} |")
    return "\n".join(lines) + "\n"


def _join(parts: Mapping[str, Exported]) -> Exported:
    joined = Exported([], [], [])
    for name, part in parts.items():
        joined.files.extend(part.files)
        joined.left_out.extend(row._replace(name=f"{name}/{row.name}") for row in part.left_out)
        joined.damaged.extend(part.damaged)
    return joined


def _tables(data: Dataset, lead: Sequence[str], folder: Path, to: str) -> Iterator[Path]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(map(str, data.data_vars)):
        groups.setdefault(tuple(map(str, data[name].dims)), []).append(name)
    single: list[dict[str, Any]] = []
    for dims, names in sorted(groups.items()):
        stem = "_".join(_UNSAFE.sub("-", dim)[:60] for dim in dims if dim not in lead) or "cells"
        path = folder / f"{stem}.{to}"
        frame = tidy(data, dims, names)
        if to == "csv" and len(frame) == 1 and stem != "cells":
            single.extend(_by_variable(stem, frame, names))
            continue
        write(path, to_parquet(frame, data) if to == "parquet" else to_csv(frame).encode())
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
    variables = data[list(names)]
    frame = variables.to_dataframe(dim_order=list(dims)).sort_index().reset_index()
    filled = DataFrame({name: _is_known(frame[name]) for name in names})
    for name in names:
        if is_truth(data[name]) or frame[name].dtype == bool:
            values = (frame[name] == 1).map({True: "true", False: "false"})
        elif filled[name].all():
            continue
        else:  # as objects: integers with missing entries would become floats
            values = frame[name].astype(object)
        frame[name] = values.where(filled[name])
    columns: list[str] = []
    for dim in dims:
        further = (str(c) for c in variables.coords if c != dim and variables[c].dims == (dim,))
        columns += [dim, *sorted(further)]
    return frame.loc[filled.any(axis=1), [*columns, *names]]


def _is_known(values: Series) -> Series:
    """Return the mask of values that are not markers of missing values."""
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

    Whole numbers and Booleans are nullable: those that are missing are null.
    """
    typed = frame.copy()
    for name in frame.columns:
        if name not in data.data_vars:
            continue
        kind = data[name].dtype.kind
        if is_truth(data[name]) or kind == "b":
            typed[name] = frame[name].map({"true": True, "false": False}).astype("boolean")
        else:
            dtype = "Int64" if kind in "iu" else "string"
            typed[name] = frame[name].astype(data[name].dtype if kind == "f" else dtype)
    file = BytesIO()
    typed.to_parquet(file, engine="pyarrow", index=False)
    return file.getvalue()


def _harmless(value: object) -> Any:
    if not isinstance(value, str):
        return value
    quoted = f"'{value}" if value.startswith(_FORMULA) else value
    return quoted.replace("\r\n", "\n").replace("\r", "\n")

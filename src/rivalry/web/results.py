"""Results of a run, from the functions of its report; read in a process beside the server."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from rivalry.core.files import read_bytes, write
from rivalry.core.results import Certificate, claim_facts
from rivalry.lab.answer import Answer, answer_of
from rivalry.lab.answer.caveats import failures_of, lines, warnings_of
from rivalry.lab.answer.details import ResultTables
from rivalry.lab.answer.table import MOST_CAVEATS
from rivalry.lab.dimensions import REPEATED
from rivalry.lab.export import FORMATS, export
from rivalry.lab.figures import draw
from rivalry.lab.report.commands import commands
from rivalry.lab.report.full_runs import full_run
from rivalry.lab.report.page import certificate_groups
from rivalry.lab.store import Run, finished_cells
from rivalry.lab.store.cells import label_cells
from rivalry.lab.study import load_study
from rivalry.lab.study.expect import TABLES
from rivalry.lab.study.identity import Table as StudyTable
from rivalry.lab.study.identity import TableDict
from rivalry.lab.study.words import Words, heading, quantities
from rivalry.living.figure import Figure, plain
from rivalry.living.freeze import freeze
from rivalry.living.runs import figures_of_run, place_in_words, reference_figure, sweep_figure
from rivalry.results.comparison import VISIBLE
from rivalry.results.table import Estimate, Table
from rivalry.text.display import attributes_of, typeset
from rivalry.text.statistics import format_interval, half_width
from rivalry.web.explore import figure_at
from rivalry.web.runs import part_of
from rivalry.web.safety import Refused

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

SHORT = 12  # numbers of a cell's variable that are written out
ROWS = 500  # most points in the table of results
CERTIFICATES = 500  # most certificates listed one by one
SERIES = 4  # quantities of a comparison, unless some are chosen
DOWNLOADS = (*FORMATS, "page")
NUMBER = re.compile(r"(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)(?: ± \S+)?(?: [a-z]+| \(.*\))?$")


def results(folder: str, part: str) -> TableDict:
    """Return answer, references and certificates of a run, or of one of its parts."""
    run = _part(folder, part)
    damaged = run.collect().damaged
    answer = answer_of(run)
    failures = failures_of(dict(sorted(run.failures().items())))
    # claims in words
    certificates = [
        row | {"claim": details["claim"], "bound": typeset(details["facts"].bound_text)}
        for row, details in answer.cells[:CERTIFICATES]
    ]
    return {
        "cells": len(answer.cells),
        "question": [line for line in (answer.question, *answer.state) if line],
        "lead": list(map(typeset, answer.lead)),
        "number": _number(answer.table),
        "caveats": list(map(typeset, answer.caveats[:MOST_CAVEATS])),
        "tables": [_table(table._replace(title=heading)) for heading, table in answer.tables(ROWS)],
        "results": [_point(point) for point in answer.result_tables[0]],
        "summary": answer.summary
        and answer.summary._asdict() | {"tables": list(map(_table, answer.summary.tables))},
        "reference": reference_figure(run, answer.checks).content if answer.checks else None,
        "groups": certificate_groups(answer.cells),
        "certificates": certificates,
        "more_certificates": len(answer.cells) - len(certificates),
        "warnings": lines(warnings_of(run.warnings().values())),
        "failures": [{"cell": cell, "why": failure.line()} for cell, failure in failures.items()],
        "damaged": [str(error) for error in damaged],
        "edited": run.text_fault,
        "commands": commands(_part(folder, "")),
        "toml": run.written_study,
        "formats": DOWNLOADS,
    }


def stored_answer(name: str) -> TableDict | None:
    """Return the answer of the stored full run of a bundled study, as in `results`; None without one."""
    full = full_run(name)
    if full is None or full.answer is None:
        return None
    study, answer = load_study(name), full.answer
    tables, words = study.resolved(), Words(study.resolved())
    rows = [dict(zip(answer.columns, map(_estimate, row), strict=True)) for row in answer.rows]
    keys = {"method", "player", *map(words.key, (*study.coordinates, *study.batched))}
    key_count = next((k for k, column in enumerate(answer.columns) if column not in keys), 0)
    table = Table(rows, "rows", keys=key_count, remarks=(*answer.notes, *answer.caveats))
    lead = [
        line for line in (*answer.lead(tables), full.finding(tables)) if line not in ("", answer.question)
    ]
    answer_parts = {"lead": list(map(typeset, lead)), "tables": [_table(table)] * bool(rows)}
    return answer_parts | {"number": _number(table), "about": full.about()}


def _estimate(text: str) -> Estimate:
    """Return a stored entry with its number, if it is one."""
    match = NUMBER.match(text)
    return Estimate(text, float(match[1])) if match else Estimate(text)


def _number(table: Table | None) -> TableDict | None:
    """Return the first quantity of a table of numbers, with its range in words; None without one."""
    return next(iter(_ranges(table)), None) if table else None


def _ranges(table: Table) -> Iterator[TableDict]:
    """Yield the quantities of a table that are numbers, each with its range and its largest value."""
    for column in table.columns[table.keys :]:
        entries = [entry for entry in table.column(column) if np.isfinite(entry.mean)]
        if entries:
            low, high = (pick(entries, key=lambda entry: entry.mean) for pick in (min, max))
            ends = dict.fromkeys(re.sub(" [a-z]+$", "", end.text) for end in (low, high))  # without letters
            yield {"label": column, "words": typeset(" to ".join(ends)), "value": high.mean}


def _table(table: Table) -> TableDict:
    """Return a table as texts of a page; a row with a single text is the heading of those below it."""
    printed = table.without_repeats()
    rows = [[typeset(text) for text in texts] for texts in printed.texts]
    for k, row in enumerate(table.rows):
        rows[k] = rows[k][: len(row)]
    below = list(map(typeset, table.below(" (the CSV has them)")))
    return {"heading": table.title, "columns": table.columns, "rows": rows, "below": below}


def _point(point: ResultTables) -> TableDict:
    """Return the tables of one point, below the point and its list in a line."""
    head = ": ".join(filter(None, [point.where, point.summary]))
    return {"head": typeset(head), "tables": list(map(_table, point.tables))}


def run_quantities(folder: str) -> TableDict:
    """Return the quantities in the table of a run's answer, each with its range over all points in words."""
    run = _part(folder, "")
    stamp = (run.folder / "study.json").stat().st_mtime_ns
    finished_count = sum(len(finished_cells(part.folder)) for part in run.runs().values())
    return _quantities_of(folder, stamp, finished_count)


@lru_cache(maxsize=512)
def _quantities_of(folder: str, stamp: int, finished_count: int) -> TableDict:
    """Return the quantities of a run with so many finished cells; those of parts have their names."""
    answer, numbers = answer_of(_part(folder, "")), TableDict()
    for name, part_answer in (answer.parts or {"": answer}).items():
        for row in _ranges(part_answer.table or Table([], "points")):
            numbers[": ".join(filter(None, [name, row.pop("label")]))] = row
    return numbers


def jsonable(call: str, *arguments: object) -> Any:
    """Result of a function of this module, in numbers, words, lists and tables."""
    return plain(globals()[call](*arguments))


def figures(folder: str, part: str, out: str) -> TableDict:
    """Draw the figures of a run, as its report does, into another folder.

    Returns their names and captions, and the number of cells that they are drawn from.
    """
    run = _part(folder, part)
    answer = Answer(run.head["study"], run.collect().data)
    stored, is_tiled = run.folder / "figures", answer.tiled
    pictures = draw(run.head["study"], answer.sampled, Path(out), stored, "w", run, binned_plots=is_tiled)
    missing = [figure for figure in pictures if not figure.why and not (Path(out) / figure.file).exists()]
    for figure in missing:  # drawn by a user's file: a picture that only the run holds
        write(Path(out) / figure.file, read_bytes(run.folder / "figures" / figure.file))
    series = answer.figure_key and {"name": answer.figure_key[0], "values": answer.figure_key[1]}
    rows = [
        {"kind": figure.kind, "file": figure.file, "caption": figure.caption, "why": figure.why}
        # drawn by the package: a page may hold it, and tell its lines apart
        | ({"svg": figure.svg, "series": series} if series and not k and figure.svg else {})
        for k, figure in enumerate(pictures)
    ]
    return {"cells": len(answer.cells), "figures": rows}


def living(folder: str, part: str) -> list[TableDict]:
    """Return the living figures of a run, or of one of its parts; those of its cells come first."""
    return [
        {"figure": figure.content, "state": figure.state, "live": figure.game is not None}
        for figure in _figures(folder, part)
    ]


def answered(folder: str, part: str, title: str, state: StudyTable) -> TableDict:
    """Return data and certificate of a profile that a person set in a living figure. Raises `Refused`."""
    games = [
        figure.game for figure in _figures(folder, part) if figure.title == title and figure.game is not None
    ]
    if not games:
        raise Refused(409, "the run has other figures now; open its results again")
    return figure_at(games[0], state)


def _figures(folder: str, part: str) -> tuple[Figure, ...]:
    run = _part(folder, part)
    stamp = (run.folder / "study.json").stat().st_mtime_ns
    return _figures_of(folder, part, stamp, len(finished_cells(run.folder)))


@lru_cache(maxsize=4)
def _figures_of(folder: str, part: str, stamp: int, finished_count: int) -> tuple[Figure, ...]:
    """Return the living figures of a run with so many finished cells. Only games of the package are built."""
    run = _part(folder, part)
    return tuple(figures_of_run(run, answer_of(run)))


def tiles(folder: str, part: str) -> TableDict:
    """Return the figure of a run's cells, for the view ``sweep``, before any of them is read."""
    run = _part(folder, part)
    return sweep_figure(run, Answer(run.head["study"], label_cells((), {}, run.head))).content


def cells(folder: str, part: str, ids: Sequence[str]) -> TableDict:
    """Return the columns of some finished cells for that figure, as it has them in the end."""
    run, id_set = _part(folder, part), set(ids)
    subrun = Run(
        run.folder, {**run.head, "cells": [list(place) for place in run.cells if place.id in id_set]}
    )
    data = sweep_figure(subrun, Answer(subrun.head["study"], subrun.collect().data)).data
    columns = {name: column for name, column in data["cells"].items() if name != "at"}
    columns["state"] = ["damaged" if state == "left" else state for state in columns["state"]]
    # distances are to the equilibria of all cells
    return {"cells": columns, "values": [column for column in data["values"] if column["name"] != "distance"]}


def cell(folder: str, part: str, id: str) -> TableDict:
    """Data of a cell: its place, its certificate in a line, and its variables in words."""
    run = _part(folder, part)
    places = [place_in_words(run, place) for place in run.cells if place.id == id]
    if not places:
        raise Refused(404, f"no cell of the name {id[:60]!r}")
    record = run.read_cell(id)
    facts = claim_facts(record, Certificate.from_record(record))
    variables = {name: (attributes_of(name), array) for name, (_, array) in sorted(record.items())}
    return {
        "where": places[0],
        "file": str(run.cell_path(id)),
        "certificate": "" if record["status"][0] else typeset(facts.line),
        "variables": [
            [attributes["long_name"], _in_words(array), attributes.get("description", "")]
            for attributes, array in variables.values()
        ],
    }


def _in_words(array: ndarray) -> str:
    """Return the numbers or words of an array, or how many it has."""
    if array.size > SHORT:
        return f"{' × '.join(map(str, array.shape))} {'texts' if array.dtype.kind == 'U' else 'numbers'}"
    values = array.ravel().tolist()
    return ", ".join(
        str(element) if isinstance(element, str | bool) else typeset(f"{element:.6g}") for element in values
    )


def download(folder: str, to: str, out: str) -> str:
    """Write a run in another form into a folder, and return the one file to send. Raises `Refused`."""
    run, home = _part(folder, ""), Path(out)
    if to == "page":
        return str(freeze(run, home / f"{run.name}.html").file)
    files = sorted(export(run, to, home).files)
    if not files:
        raise Refused(409, "there is nothing to download yet")
    if len(files) == 1:
        return str(files[0])
    path, packed = home / f"{run.name}-{to}.zip", io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(home))
    write(path, packed.getvalue())
    return str(path)


def compare(folders: Sequence[tuple[str, str, str]], quantity_names: Sequence[str] = ()) -> TableDict:
    """Return common quantities of runs, their differences from the first, and those of their studies.

    The quantities are ``quantity_names``, by default the first `SERIES`.
    ``folders`` are ``(label, folder, part)``. Differences are paired by point and replication, and have 95 %
    intervals of Student's t over replications.
    """
    runs = [(label, _part(folder, part)) for label, folder, part in folders]
    data = [run.collect().data for _, run in runs]
    names, words = _common(runs, data), Words(runs[0][1].head["study"])
    quantities = []
    for name in [quantity for quantity in names if quantity in quantity_names] or names[:SERIES]:
        tables = [_values(dataset[name]) for dataset in data]
        entries = sorted(set().union(*tables), key=str)
        quantities.append(
            {
                "name": name,
                "label": heading(data[0], name, words),
                "series": [_series(table, entries) for table in tables],
                "differences": [_differences(tables[0], table) for table in tables[1:]],
            }
        )
    texts = [_tables(run) for _, run in runs]
    return {
        "runs": [label for label, _ in runs],
        "quantities": quantities,
        "names": [[name, heading(data[0], name, words)] for name in names],
        "studies": [_difference_of_texts(texts[0], text) for text in texts[1:]],
    }


Place = tuple[tuple[tuple[str, Any], ...], str]
"""A point of the sweep, with the method; and which player or entry."""
Values = dict[Place, ndarray]


def _common(runs: Sequence[tuple[str, Run]], data: Sequence[Dataset]) -> list[str]:
    """Return the numbers that all runs have, those of their reports first."""
    quantity_names = [
        name
        for (_, run), dataset in zip(runs, data, strict=True)
        for name in quantities(run.head["study"], dataset)
    ]
    quantity_names = [*dict.fromkeys([*quantity_names, "payoff", "regret", "profile", "steps"])]
    return [
        name
        for name in quantity_names
        if all(name in dataset and dataset[name].dtype.kind in "fiub" for dataset in data)
    ]


def _values(variable: DataArray) -> Values:
    """Return a variable's values over replications by point and entry; unfinished ones are left out."""
    lead = [
        str(dim)
        for dim in variable.dims
        if dim in variable.coords and dim not in (*REPEATED, "player", "axis")
    ]
    dims = [str(dim) for dim in variable.dims if dim not in lead and dim not in REPEATED]
    repeated = [dim for dim in REPEATED if dim in variable.dims]
    values = variable.transpose(*lead, *dims, *repeated).values
    numbers = values.reshape(*values.shape[: len(lead) + len(dims)], -1).astype(float)
    samples: Values = {}
    for index in np.ndindex(numbers.shape[:-1]):
        point = tuple(
            (dim, variable[dim].values[k].item()) for dim, k in zip(lead, index, strict=False) if dim in lead
        )
        entry = ", ".join(
            f"{dim} {k}" for dim, k in zip(dims, index[len(lead) :], strict=True) if variable.sizes[dim] > 1
        )
        sample = numbers[index]
        if np.isfinite(sample).any():
            samples[point, entry] = sample
        if len(samples) > 20_000:
            break
    return samples


def _series(table: Values, entries: Sequence[Place]) -> list[TableDict]:
    return [_mean(place, table[place][np.isfinite(table[place])]) for place in entries if place in table]


def _differences(base: Values, reference: Values) -> list[TableDict]:
    """Return mean differences from the first run at every common point, paired by replication."""
    means = []
    for place in base:
        if place in reference:
            count = min(len(base[place]), len(reference[place]))
            differences = reference[place][:count] - base[place][:count]
            if np.isfinite(differences).any():
                # what is not printed of the values is rounding, and no difference
                scale = max(np.nanmax(np.abs(side[place][:count])) for side in (base, reference))
                differences = np.where(np.abs(differences) < VISIBLE * scale, 0.0, differences)
                means.append(_mean(place, differences[np.isfinite(differences)]))
    return means


def _mean(place: Place, sample: ndarray) -> TableDict:
    """Return a mean at one point, half the width of its 95 % interval, and both in words."""
    mean, half = float(sample.mean()), float(half_width(sample[:, None])[0])
    at, entry = dict(place[0]), place[1]
    words = typeset(format_interval(mean, half))
    return {"at": at, "entry": entry, "mean": mean, "half": half, "n": len(sample), "words": words}


def _difference_of_texts(base: str, revision: str) -> list[dict[str, str]]:
    """Return the lines that differ between two studies, with three lines around each."""
    rows = list(unified_diff(base.splitlines(), revision.splitlines(), lineterm="", n=3))[2:]
    return [{"mark": row[:1].strip(), "text": row if row.startswith("@@") else row[1:]} for row in rows]


def _tables(run: Run) -> str:
    """Settings that determine a run's results as TOML, with all changes of the command line."""
    import tomlkit

    study = run.head["study"]
    document = {key: study.get(key) for key in TABLES if study.get(key)}
    return tomlkit.dumps(_storable(document))


def _storable(value: object) -> Any:
    """Return a value without null, which TOML lacks."""
    if isinstance(value, dict):
        return {key: _storable(entry) for key, entry in value.items() if entry is not None}
    return [_storable(entry) for entry in value] if isinstance(value, list | tuple) else value


def _part(folder: str, part: str) -> Run:
    """Return a run, or one of its parts. Raises `Refused`."""
    path = Path(folder)
    run = _opened(path, (path / "study.json").stat().st_mtime_ns)
    return part_of(run, part)


@lru_cache(maxsize=8)
def _opened(path: Path, stamp: int) -> Run:
    """Return a run; it reads again only the cells that changed."""
    return Run.open(path)

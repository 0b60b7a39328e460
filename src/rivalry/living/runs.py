"""Living figures of a run: its cells, its reference values, and results of its first cells."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.claims import ClaimFacts
from rivalry.core.files import DamagedFile
from rivalry.core.results import Record, unstack_records
from rivalry.lab.answer import Answer, answer_of
from rivalry.lab.answer.points import PointResults
from rivalry.lab.checks import REFERENCES, JudgedExpectation, cells, results, tally
from rivalry.lab.report.commands import changes_of, run_command, sweep_option
from rivalry.lab.store.cells import KEPT
from rivalry.lab.study.identity import Table, TableDict
from rivalry.lab.study.points import Grid, short_names
from rivalry.lab.study.words import Words, heading, quantities
from rivalry.living.figure import Figure, figures_of_record, plain
from rivalry.living.page import page_parts
from rivalry.text.display import typeset

if TYPE_CHECKING:
    from rivalry.lab.store import Run
    from rivalry.lab.store.cells import StoredCell

FIGURES = 6  # most figures of cells
BYTES = 2**21  # of the data of figures of points
PER_VIEW = 2  # most figures of one view
ENTRIES = 24  # most policies in one figure
VALUES = 12  # most metrics by which cells can be coloured
CELLS = 20  # most cells named with a reference value


def figures_of_parts(run: Run, answer: Answer, *, games: bool = True) -> list[list[Figure]]:
    """Return the living figures of each part of a run: of its first cells, of all cells, of reference values.

    Titles differ from one another. Unless ``games`` of the package are built there are figures of cells where
    records alone suffice, one of each view. No user's file is run.
    """
    groups: list[list[Figure]] = []
    titles: Counter[str] = Counter()
    for name, part in run.runs().items():
        part_answer = answer.parts.get(name, answer)
        figures = [
            *figures_of_cells(part, games),
            sweep_figure(part, part_answer),
            *_reference(part, part_answer),
        ]
        groups.append([])
        for figure in figures:
            title = f"{part.title}: {figure.title}" if name else figure.title
            titles[title] += 1
            title += f" ({titles[title]})" * (titles[title] > 1)
            groups[-1].append(replace(figure, title=title))
    return groups


def figures_of_run(run: Run, answer: Answer, *, games: bool = True) -> list[Figure]:
    """Return the living figures of all parts of a run; see `figures_of_parts`."""
    return list(chain.from_iterable(figures_of_parts(run, answer, games=games)))


class ReportFigures(NamedTuple):
    """Living figures of a report: by part, those of results and that of its cells; and parts of the page."""

    rooms: list[tuple[list[str], str]]
    data: str
    script: str
    source: str
    style: str


def parts_of_report(run: Run, answer: Answer) -> ReportFigures:
    """Return the living figures of a run's report, without reference values; see `figures_of_parts`."""
    by_part: list[list[Figure]] = []
    for group in figures_of_parts(run, answer, games=False):
        by_part.append([figure for figure in group if figure.view != "reference"])
    rooms, *parts = page_parts(list(chain.from_iterable(by_part)))
    rooms_by_part = []
    for group in by_part:
        *of_results, of_cells = rooms[: len(group)]  # the figure of all cells is the last of a part
        rooms_by_part.append((of_results, of_cells))
        rooms = rooms[len(group) :]
    return ReportFigures(rooms_by_part, *parts)


def explore_run(run: Run) -> Any:
    """Return the living figures of a run as a widget; see `rivalry.lab.store.Run.explore`."""
    from rivalry.living.widget import widget_of

    return widget_of(figures_of_run(run, answer_of(run)))


def figures_of_cells(run: Run, games: bool) -> list[Figure]:
    """Return the living figures of a run's first cells, at most two of one view; see `figures_of_parts`."""
    figures: list[Figure] = []
    methods: Counter[str] = Counter()
    tasks = _tasks(run) if games else {}
    per_view = PER_VIEW if games else 1
    for cell in run.cells[:KEPT]:
        record = None if cell.replication else _record_of(run, cell)
        # policies of many cells are in one figure, which other results have one each of
        if record is None or ("policy" not in record and methods[cell.method] >= PER_VIEW):
            continue
        methods[cell.method] += 1
        for figure in _figures_of_cell(run, tasks.get(cell.id), record):
            _add_figure(figures, figure, place_in_words(run, cell), per_view)
    return figures


def _add_figure(figures: list[Figure], figure: Figure, where: str, per_view: int) -> None:
    """Add the figure of a cell unless its view has enough; policies are added to the figure of policies."""
    views = [present.view for present in figures]
    if figure.view == "policy" and "policy" in views:
        k = views.index("policy")
        figures[k] = _with_entries(figures[k], figure, where)
    elif views.count(figure.view) < per_view and len(figures) < FIGURES:
        figures.append(_with_place(figure, where))


def figures_of_points(run: Run, points: Sequence[PointResults]) -> list[Figure | None]:
    """Return the most telling living figure of each of a run's points, of its first cell.

    None where there is none, and beyond `BYTES` of all of them.
    """
    tasks, size = _tasks(run), 0
    figures: list[Figure | None] = [None] * len(points)
    for k, point in enumerate(points):
        if size > BYTES:
            break
        cell = first_cell(run, point)
        record = cell and _record_of(run, cell)
        if cell is None or record is None:
            continue
        for figure in _figures_of_cell(run, tasks.get(cell.id), record)[:1]:
            figures[k] = _with_place(figure, place_in_words(run, cell))
            size += len(json.dumps(figure.data))
    return figures


def first_cell(run: Run, point: PointResults) -> StoredCell | None:
    """Return the first cell of a method's point; None where one cell holds several points."""
    cells = (cell for cell in run.cells if cell.method == point.algorithm and _is_at(cell, point.at))
    return next((cell for cell in cells if not cell.replication and point.at.keys() <= cell.at.keys()), None)


def _record_of(run: Run, cell: StoredCell) -> Record | None:
    """Return the record of a cell, of several results the first; None without one that a figure takes."""
    try:
        record = run.read_cell(cell.id)
    except (DamagedFile, OSError):  # not computed yet, or left out by name elsewhere
        return None
    batch = len(record["status"][0])
    if batch and "profile" not in record:
        return None
    return unstack_records(record, batch)[0] if batch else record


def _figures_of_cell(run: Run, task: Table | None, record: Record) -> list[Figure]:
    """Return the figures of a cell's record, with the game of its task if there is one."""
    game, world = _game_of(run, task)
    return figures_of_record(game, record, world=world)


def _tasks(run: Run) -> Table:
    """Return the tasks of a run's cells; none of a study with files of its own, which are not run."""
    try:
        # as its tables say: what else a stored study says of files is not trusted
        return {} if run.study.own_files else run.tasks()
    except ValueError:  # a study that this version cannot build
        return {}


def _game_of(run: Run, task: Table | None) -> tuple[Any, Any]:
    """Return the game of a task, and what its learner makes of it; None where it is not known."""
    from rivalry.core.method import Learner, as_learner  # loads JAX
    from rivalry.lab.worker import points_of

    if task is None:
        return None, None
    try:
        points = points_of(task, run.folder)
        game, method = points.games[0], points.methods[0]
        return game, as_learner(method).world(game) if isinstance(method, Learner) else None
    except ValueError:  # parameters that this version refuses
        return None, None


def _with_place(figure: Figure, where: str) -> Figure:
    """Return a figure whose title, or the labels of whose policies, say of which cell it is."""
    if figure.view != "policy":
        return replace(figure, title=f"{figure.title} ({where})" if where else figure.title)
    entries = []
    for entry in figure.data["entries"]:
        entries.append({**entry, "label": ", ".join(filter(None, [where, entry["label"]]))})
    return replace(figure, data={**figure.data, "entries": entries})


def _with_entries(figure: Figure, addition: Figure, where: str) -> Figure:
    """Return a figure of policies with those of another cell, where these have the same states."""
    new = _with_place(addition, where).data["entries"][-1:]
    shapes = {np.shape(entry["policy"]) for entry in (*figure.data["entries"], *new)}
    if len(shapes) > 1 or len(figure.data["entries"]) >= ENTRIES:
        return figure
    return replace(figure, data={**figure.data, "entries": [*figure.data["entries"], *new]})


def place_in_words(run: Run, cell: StoredCell) -> str:
    """Place of a cell in its run: its coordinates that vary, and its method among several."""
    coordinates = {name: value for name, value in cell.at.items() if len(run.axes.get(name, ())) > 1}
    return typeset(Words(run.head["study"]).point(coordinates))


def sweep_figure(run: Run, answer: Answer) -> Figure:
    """Return the cells of a run with their claims and values, for the view ``sweep``.

    Data, by column: ``axes`` with their labels and values and, of swept keys, the option of the command line
    that gives each; ``cells`` with ``id``, ``at`` (numbers of values, per axis), ``state`` (done, failed or
    left), ``claim``, ``status``, ``coverage``, ``regret`` and ``bound``; ``values`` by which
    cells can be coloured; ``command``, to which the options of a cell are added.
    """
    counts, judged, places = run.counts(), answer.cells, run.cells
    if answer.sample:
        judged, ids = cells(answer.sampled), set(answer.sampled["cell"].values.ravel().tolist())
        places = [cell for cell in run.cells if cell.id in ids]
    rows = {str(certificate["cell"]): row for row, (certificate, _) in enumerate(judged)}
    rows_of_places = [rows.get(cell.id) for cell in places]
    properties = [None if row is None else judged[row][1] for row in rows_of_places]
    facts = [ClaimFacts() if about is None else about["facts"] for about in properties]
    states = dict.fromkeys(run.failures(), "failed") | dict.fromkeys(rows, "done")

    def numbers_on(name: str) -> list[int]:
        """Return the number of each cell's value on an axis; -1 for one that is not drawn."""
        values = _selection(run.axes[name], answer.sample.get(name))
        numbers = {repr(value): k for k, value in enumerate(values)}
        return [numbers.get(repr(cell.at[name]), -1) for cell in places]

    claims = Counter(about["claim"] for _, about in answer.cells)
    claim_counts = ", ".join(f"{count} {claim}" for claim, count in claims.most_common())
    text = f"{counts['done']} of {counts['total']} cells are computed{': ' * bool(claims)}{claim_counts}."
    text += f" {len(places)} of them are here, evenly spaced." * bool(answer.sample)
    grid = Grid(run.head["study"]["sweep"], "sweep")
    data = {
        "name": run.name,
        "axes": [_axis(run, name, grid, answer.sample.get(name)) for name in run.axes],
        "cells": {
            "id": [cell.id for cell in places],
            "at": list(map(numbers_on, run.axes)),
            "state": [states.get(cell.id, "left") for cell in places],
            "status": [about and about["status"] for about in properties],
            "coverage": [fact.coverage for fact in facts],
            "regret": [fact.gain for fact in facts],
            "bound": [typeset(fact.bound_text) for fact in facts],
            "claim": [fact.word if fact.claim else None for fact in facts],
        },
        "values": _values(answer, results(answer.sampled, judged) if judged else [], rows_of_places),
        "command": f"{run_command(run)}{changes_of(run, list(grid.values))}",
        "counts": counts,
    }
    return Figure("sweep", "Cells of the run", text, plain(data))


def _selection(values: Sequence[Any], index: np.ndarray | None) -> list[Any]:
    return list(values) if index is None else [values[k] for k in index]


def _axis(run: Run, name: str, grid: Grid, index: np.ndarray | None) -> TableDict:
    """Return name, label and values of an axis, and the options that give each value; None if not swept."""
    values, words = _selection(run.axes[name], index), Words(run.head["study"])
    # keys that are swept in step have one axis, which is called as one of them
    coordinates = {name: run.axes[name]}
    for companion, (axis, levels) in run.head["companions"].items():
        if axis == name:
            coordinates[companion] = levels
    keys = {short: key for key, short in short_names(grid.values).items()}
    swept = {keys[short]: _selection(coordinates[short], index) for short in coordinates if short in keys}
    options = [" ".join(map(sweep_option, swept, at)) for at in zip(*swept.values(), strict=True)]
    if name == "algorithm":
        values = [words.method(str(value)) for value in values]
    return {"name": name, "label": words.key(name), "values": values, "options": options if swept else None}


def _values(answer: Answer, metrics: Sequence[Table], rows: Sequence[int | None]) -> list[TableDict]:
    """Return the metrics with one number per cell, those that the study names first.

    ``rows`` are those of the cells in ``metrics``, None for a cell without results.
    """
    numeric: set[str] = set()
    for row in metrics:
        numeric |= {name for name, value in row["metrics"].items() if isinstance(value, int | float)}
    order = [name for name in quantities(answer.study, answer.data) if name in numeric]
    words = Words(answer.study)
    order += sorted(numeric - set(order) - {"steps", "distance"})
    values = []
    for name in order[:VALUES]:
        numbers = [None if k is None else metrics[k]["metrics"].get(name) for k in rows]
        values.append({"name": name, "label": heading(answer.data, name, words), "data": numbers})
    return values


def _reference(run: Run, answer: Answer) -> list[Figure]:
    return [reference_figure(run, answer.checks)] if answer.checks else []


def reference_figure(run: Run, judged: Sequence[JudgedExpectation]) -> Figure:
    """Return the reference values of a run's study beside ours, for the view ``reference``.

    Data: ``rows``, each as ``--json`` prints it, with the study's ``note``; ``label`` and ``place``, its
    quantity and point in words; ``signed``, ours minus the reference in units of the tolerance, of the
    published value where there is one; ``difference``, its size; ``cells``, the first cells at the value's
    point, none for a value of all cells.
    """
    words = Words(run.head["study"])
    rows = []
    for comparison in judged:
        signed = _in_tolerances(comparison.row)
        ids = [cell.id for cell in run.cells if _is_at(cell, comparison.row["at"])]
        row = {**comparison.row, "note": comparison.note}
        row["label"] = words.quantity(row["quantity"])
        row["place"] = typeset(words.entry(words.point(row["at"])))
        row["cells"] = ids[:CELLS] if len(ids) < len(run.cells) else []
        rows.append(row | {"signed": signed, "difference": None if signed is None else abs(signed)})
    text = f"{tally([comparison.row for comparison in judged])}."
    return Figure("reference", "Published and expected values", text, plain({"rows": rows}))


def _is_at(cell: StoredCell, at: Table) -> bool:
    for name, value in at.items():
        if name in cell.at:
            coordinate = cell.at[name]
            # a list is text in a dataset
            text_or_number = coordinate if isinstance(coordinate, str | int | float) else repr(coordinate)
            if text_or_number != value:
                return False
    return True


def _in_tolerances(row: Table) -> float | None:
    """Return ours minus the reference as a multiple of its tolerance; None where either is unknown."""
    result = row["ours"]
    for name, allowed in zip(REFERENCES, ("published_tolerance", "tolerance"), strict=True):
        reference, width = row[name], row[allowed]
        numbers = all(isinstance(part, int | float) for part in (result, reference, width))
        if numbers and width > 0 and row[f"{name}_verdict"] in ("agrees", "differs"):
            return float((result - reference) / width)
    within = row["within"]
    if within is not None and isinstance(result, int | float) and within[1] > within[0]:
        return float((2 * result - within[0] - within[1]) / (within[1] - within[0]))
    return None

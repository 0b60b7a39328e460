"""Living figures of a run: its cells, its reference values, and results of its first cells."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.claims import ClaimFacts
from rivalry.core.files import DamagedFile
from rivalry.core.results import Record, unstack_records
from rivalry.lab.answer import Answer, answer_of
from rivalry.lab.answer.points import PointResults
from rivalry.lab.checks import REFERENCES, JudgedCell, JudgedExpectation, cells, results, tally
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

    Titles differ from one another.

    Parameters
    ----------
    run
        The run.
    answer
        Its answer.
    games
        Whether games of the package are built. Without them there are figures of cells where records alone
        suffice, one of each view. No user's file is run.
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
    return [figure for figures in figures_of_parts(run, answer, games=games) for figure in figures]


class ReportFigures(NamedTuple):
    """Living figures of a report: by part, those of results and that of its cells; and parts of the page."""

    rooms: list[tuple[list[str], str]]
    data: str
    script: str
    source: str
    style: str


def parts_of_report(run: Run, answer: Answer) -> ReportFigures:
    """Return the living figures of a run's report, without reference values; see `figures_of_parts`."""
    figure_groups = figures_of_parts(run, answer, games=False)
    by_part = [[figure for figure in group if figure.view != "reference"] for group in figure_groups]
    rooms, *parts = page_parts([figure for group in by_part for figure in group])
    remaining = iter(rooms)
    # those of cells are the last of each part
    return ReportFigures(
        [([next(remaining) for _ in group[:-1]], next(remaining)) for group in by_part], *parts
    )


def explore_run(run: Run) -> Any:
    """Return the living figures of a run as a widget; see `rivalry.lab.store.Run.explore`."""
    from rivalry.living.widget import widget_of

    return widget_of(figures_of_run(run, answer_of(run)))


def figures_of_cells(run: Run, games: bool) -> list[Figure]:
    """Return the living figures of a run's first cells, at most two of one view; see `figures_of_parts`."""
    figures: list[Figure] = []
    views: Counter[str] = Counter()
    methods: Counter[str] = Counter()
    tasks = _tasks(run) if games else {}
    max_per_view = PER_VIEW if games else 1
    for cell in (place for place in run.cells[:KEPT] if not place.replication):
        record = _record_of(run, cell)
        # figures of policies hold those of many cells, other figures one each
        if record is None or (methods[cell.method] >= PER_VIEW and "policy" not in record):
            continue
        methods[cell.method] += 1
        for figure in _figures_of_cell(run, tasks.get(cell.id), record):
            where = place_in_words(run, cell)
            before = next(
                (k for k, sibling in enumerate(figures) if sibling.view == figure.view == "policy"), None
            )
            if before is not None:
                figures[before] = _with_entries(figures[before], figure, where)
            elif views[figure.view] < max_per_view and len(figures) < FIGURES:
                views[figure.view] += 1
                figures.append(_with_place(figure, where))
    return figures


def figures_of_points(run: Run, points: Sequence[PointResults]) -> list[Figure | None]:
    """Return the most telling living figure of each of a run's points, of its first cell.

    None where there is none, and beyond `BYTES` of all of them.
    """
    tasks, figures, size = _tasks(run), list[Figure | None](), 0
    for point in points:
        cell = first_cell(run, point)
        record = None if cell is None or size > BYTES else _record_of(run, cell)
        figures_of_cell = _figures_of_cell(run, tasks.get(cell.id), record) if cell and record else []
        figures.append(
            _with_place(figures_of_cell[0], place_in_words(run, cell)) if cell and figures_of_cell else None
        )
        size += len(json.dumps(figures_of_cell[0].data)) if figures_of_cell else 0
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
    """Return a figure whose title, or the label of whose policy, says of which cell it is."""
    if figure.view == "policy":
        entries = [
            {**entry, "label": ", ".join(filter(None, [where, entry["label"]]))}
            for entry in figure.data["entries"]
        ]
        return replace(figure, data={**figure.data, "entries": entries})
    return replace(figure, title=f"{figure.title} ({where})" if where else figure.title)


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
    return typeset(Words(run.head["study"]).place(coordinates))


def sweep_figure(run: Run, answer: Answer) -> Figure:
    """Return the cells of a run with their claims and values, for the view ``sweep``.

    Data, by column: ``axes`` with their labels and values and, of swept keys, the option of the command line
    that gives each; ``cells`` with ``id``, ``at`` (numbers of values, per axis), ``state`` (done, failed or
    left), ``claim``, ``status``, ``coverage``, ``regret`` and ``bound``; ``values`` by which
    cells can be coloured; ``command``, to which the options of a cell are added.
    """
    study, counts, failures = run.head["study"], run.counts(), run.failures()
    judged, places, sample = answer.cells, run.cells, answer.sampled
    if answer.sample:  # a sample of the cells
        judged, ids = cells(sample), set(sample["cell"].values.ravel().tolist())
        places = [cell for cell in run.cells if cell.id in ids]
    rows_by_cell = {str(row[0]["cell"]): k for k, row in enumerate(judged)}
    rows: list[JudgedCell | None] = [
        judged[rows_by_cell[place.id]] if place.id in rows_by_cell else None for place in places
    ]
    grid = Grid(study["sweep"], "sweep")
    axes = [_axis(run, name, grid, answer.sample.get(name)) for name in run.axes]
    number = {
        axis["name"]: {
            repr(value): k
            for k, value in enumerate(_selection(run.axes[axis["name"]], answer.sample.get(axis["name"])))
        }
        for axis in axes
    }
    facts = [row[1]["facts"] if row else ClaimFacts() for row in rows]
    metrics = results(sample, judged) if rows_by_cell else []
    claims = Counter(row[1]["claim"] for row in answer.cells)
    counts_text = ", ".join(f"{count} {claim}" for claim, count in claims.most_common())
    text = f"{counts['done']} of {counts['total']} cells are computed" + (
        f": {counts_text}." if counts_text else "."
    )
    text += f" {len(places)} of them are here, evenly spaced." * bool(answer.sample)
    data = {
        "name": run.name,
        "axes": axes,
        "cells": {
            "id": [cell.id for cell in places],
            "at": [[number[axis["name"]].get(repr(c.at[axis["name"]]), -1) for c in places] for axis in axes],
            "state": [
                "done" if row else "failed" if cell.id in failures else "left"
                for cell, row in zip(places, rows, strict=True)
            ],
            "status": [row[1]["status"] if row else None for row in rows],
            "coverage": [row.coverage for row in facts],
            "regret": [row.gain for row in facts],
            "bound": [typeset(row.bound_text) for row in facts],
            "claim": [row.word if row.claim else None for row in facts],
        },
        "values": _values(answer, metrics, [rows_by_cell.get(cell.id) for cell in places]),
        "command": f"{run_command(run)}{changes_of(run, list(grid.values))}",
        "counts": counts,
    }
    return Figure("sweep", "Cells of the run", text, plain(data))


def _selection(values: Sequence[Any], index: np.ndarray | None) -> list[Any]:
    return list(values) if index is None else [values[k] for k in index]


def _axis(run: Run, name: str, grid: Grid, index: np.ndarray | None) -> TableDict:
    """Return name, label and values of an axis, and the options that give each value; None if not swept."""
    values = _selection(run.axes[name], index)
    companions = run.head["companions"].items()
    along = {name: run.axes[name]} | {key: levels for key, (dim, levels) in companions if dim == name}
    keys = {short: key for key, short in short_names(grid.values).items()}
    swept = {keys[short]: _selection(levels, index) for short, levels in along.items() if short in keys}
    options = [" ".join(map(sweep_option, swept, at)) for at in zip(*swept.values(), strict=True)]
    words = Words(run.head["study"])
    texts = [words.method(str(value)) for value in values] if name == "algorithm" else values
    return {"name": name, "label": words.key(name), "values": texts, "options": options if swept else None}


def _values(
    answer: Answer,
    metrics: Sequence[Table],
    place: Sequence[int | None],
) -> list[TableDict]:
    """Return the metrics with one number per cell, those that the study names first."""
    numeric = {
        name
        for row in metrics
        for name, value in row["metrics"].items()
        if isinstance(value, bool | int | float)
    }
    order = [name for name in quantities(answer.study, answer.data) if name in numeric]
    words = Words(answer.study)
    order += sorted(numeric - set(order) - {"steps", "distance"})
    return [
        {
            "name": name,
            "label": heading(answer.data, name, words),
            "data": [None if k is None else metrics[k]["metrics"].get(name) for k in place],
        }
        for name in order[:VALUES]
    ]


def _reference(run: Run, answer: Answer) -> list[Figure]:
    return [reference_figure(run, answer.checks)] if answer.checks else []


def reference_figure(run: Run, judged: Sequence[JudgedExpectation]) -> Figure:
    """Return the reference values of a run's study beside ours, for the view ``reference``.

    Data: ``rows``, each as ``--json`` prints it, with the study's ``note``; ``signed``, ours minus the
    reference in units of the tolerance, of the published value where there is one; ``difference``, its size;
    ``cells``, the first cells at the value's point.
    """
    rows = []
    for comparison in judged:
        signed = _in_tolerances(comparison.row)
        cells = [cell.id for cell in run.cells if _is_at(cell, comparison.row["at"])]
        row = {
            **comparison.row,
            "note": comparison.note,
            "cells": cells[:CELLS] if len(cells) < len(run.cells) else [],
        }
        rows.append(row | {"signed": signed, "difference": None if signed is None else abs(signed)})
    text = f"{tally([comparison.row for comparison in judged])}."
    return Figure("reference", "Published and expected values", text, plain({"rows": rows}))


def _is_at(cell: StoredCell, at: Table) -> bool:
    # a list is text in a dataset
    fixed = {
        name: value if isinstance(value, str | int | float) else repr(value)
        for name, value in cell.at.items()
    }
    return all(fixed[name] == value for name, value in at.items() if name in fixed)


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

"""The frozen file of a run: its living figures, results, certificates and study in one page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rivalry.core.claims import GAIN_AND_BOUND
from rivalry.core.files import folder_for, followed, write
from rivalry.lab.answer import Answer, answer_of
from rivalry.lab.answer.details import checks_table
from rivalry.lab.answer.points import PointResults
from rivalry.lab.answer.table import keys_in_words
from rivalry.lab.checks import tally
from rivalry.lab.figures import BINNED, draw
from rivalry.lab.report.commands import commands
from rivalry.lab.report.page import number
from rivalry.lab.store import LeftOut, Run
from rivalry.lab.study.identity import Table
from rivalry.living.figure import Figure
from rivalry.living.page import Lead, Section, frozen_page
from rivalry.living.runs import figures_of_parts, figures_of_points, first_cell
from rivalry.results.table import Table as ResultTable
from rivalry.text.display import typeset, verified_in_words

ROWS = 200  # most rows of a table of checks or certificates
TWO_WAY_ROWS = 10  # most values down in a table by two keys
POINTS = 40  # most points in the table of results, each with its living figure


NO_FIGURE = "No living figure draws these results; the figure shows all cells of the run."
CHOOSE = "The figure shows the stored results: choose a row of the table."


class FrozenPage(NamedTuple):
    """The file written, and what it lacks and why."""

    file: Path
    left_out: list[LeftOut]


def freeze(run: Run | str | os.PathLike[str], out: str | os.PathLike[str]) -> FrozenPage:
    """Write a run as one page that is opened from disk, needs no network, and whose figures can be changed.

    It holds the study, results, reference values, certificates, versions and how to cite it. Certificates are
    those stored in the run. ``out`` is the file, such as ``page.html``.

    Raises
    ------
    rivalry.lab.store.StoreError
        If the folder is not a run.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    answer = answer_of(run)
    figures, answers, sections, left_out = figures_of_parts(run, answer), [], [], []
    point_figures: list[Figure] = []
    for k, (name, part) in enumerate(run.runs().items()):
        part_answer = answer.parts.get(name, answer)
        answers.append(_lead(part, part_answer, point_figures, figures[k], f"p{k}"))
        sections += _sections(part, part_answer, f"{part.title}: " if name else "")
        missing = part.missing_cells(part.damaged())
        left_out += [LeftOut(f"{name}/{part.name}" if name else part.name, part.reason) for part in missing]
    chosen_views = {"reference", *(figure.view for figure in point_figures)}
    further = [
        figure for figures_of_part in figures for figure in figures_of_part if figure.view not in chosen_views
    ]
    path = followed(Path(out).parent) / Path(out).name
    folder_for(path.parent)
    page = frozen_page(
        run.title, _header(run), [*point_figures, *further], [*sections, *_reproduction(run)], answers
    )
    write(path, page.encode())
    return FrozenPage(path, left_out)


def _header(run: Run) -> list[str]:
    """Return the source of a study, and whether its run is complete."""
    study, counts = run.head["study"], run.counts()
    lines = [f"Source: {study['source']}"] if study.get("source") else []
    if counts["done"] < counts["total"]:
        lines.append(f"{counts['done']} of {counts['total']} cells are computed.")
    return lines


def _lead(
    run: Run, answer: Answer, point_figures: list[Figure], figures: Sequence[Figure], prefix: str
) -> Lead:
    """Return the answer with its figure and table, whose rows choose among ``point_figures``, which grows."""
    with TemporaryDirectory() as folder:
        stored, data = run.folder / "figures", answer.sampled
        drawings = draw(answer.study, data, Path(folder), stored, prefix, run, binned_plots=answer.tiled)
    pictures = [(picture.svg, picture.caption) for picture in drawings if picture.svg]
    pictures = pictures[:1] + [row for row in pictures[1:] if row[1].endswith(BINNED)]
    tables = answer.tables(POINTS)
    if any(len(numbers) > 1 for numbers in _points_of_rows(tables)):  # a row has a point per column
        tables = answer.tables(TWO_WAY_ROWS)
    numbers = sorted({*chain.from_iterable(_points_of_rows(tables))} - {-1})
    selected = [answer.points[k] for k in numbers]
    keys = keys_in_words(answer.study, answer.points, selected)
    places, note = _figures_in_page(run, selected, point_figures, figures) if selected else ([], "")
    points = {}
    for row, place in enumerate(places):
        points[numbers[row]] = place, [column[row].text for column in keys.values()]
    remedy = f"; they are {_location(answer)}"
    return Lead(run.title, answer, pictures, tables, list(keys), points, remedy, note)


def _points_of_rows(tables: list[tuple[str, ResultTable]]) -> list[tuple[int, ...]]:
    """Return the numbers of the points of every row of tables, -1 for none."""
    return list(chain.from_iterable(table.points for _, table in tables))


def _figures_in_page(
    run: Run, points: Sequence[PointResults], point_figures: list[Figure], figures: Sequence[Figure]
) -> tuple[list[tuple[int, str] | None], str]:
    """Return figure of the page and cell of each point, None for none, and a note; ``point_figures`` grow."""
    figures_of_rows = figures_of_points(run, points)
    places: list[tuple[int, str] | None] = []
    if any(figures_of_rows):
        for figure in figures_of_rows:
            places.append((len(point_figures), "") if figure else None)
            if figure:
                point_figures.append(figure)
        return places, CHOOSE * (len(places) > 1)
    # no view draws such results: the cells of the run, at the one of the row
    point_figures.append(next(figure for figure in figures if figure.view == "sweep"))
    for point in points:
        cell = first_cell(run, point)
        places.append((len(point_figures) - 1, cell.id) if cell else None)
    return places, NO_FIGURE


def _sections(run: Run, answer: Answer, prefix: str) -> list[Section]:
    """Return the tables of results, reference values and certificates."""
    sections = list[Section]()
    sections += _summary(answer, prefix)
    if answer.checks:
        rows = [check.row for check in answer.checks]
        table, notes = checks_table(rows[:ROWS]), [f"{tally(rows)}."]
        texts = [list(map(typeset, row)) for row in table.texts]
        heading = f"{prefix}Published and expected values"
        sections.append(Section(heading, notes, table.columns, texts, folded=True))
    if answer.cells:
        columns = ["cell", "method", "at", "claim", "largest gain", "bound", "coverage", "rounding"]
        certificates = [_certificate(*row) for row in answer.cells[:ROWS]]
        proofs = [verified_in_words(details["verified"]) for _, details in answer.cells[:ROWS]]
        if any(proofs):
            columns.append("proof")
            certificates = [[*row, proof or "–"] for row, proof in zip(certificates, proofs, strict=True)]
        remainder = len(answer.cells) - len(certificates)
        notes = [f"{GAIN_AND_BOUND}."]
        notes += [f"{remainder} further cells are {_location(answer)}."] * bool(remainder)
        sections.append(Section(f"{prefix}Certificates", notes, columns, certificates, folded=True))
    sections.append(Section(f"{prefix}Study", verbatim=run.written_study, folded=True))
    return sections


def _location(answer: Answer) -> str:
    """Location of the points and cells that a table lacks."""
    return "in the run (`rivalry export` writes them)" if answer.sample else "in the figure of all cells"


def _summary(answer: Answer, prefix: str) -> list[Section]:
    """Return the tables that summarise all points of a large run, below the last one how to read them."""
    sections: list[Section] = []
    for table in answer.summary.tables if answer.summary else ():
        heading, *columns = table.columns
        texts = [list(map(typeset, row)) for row in table.texts]
        sections.append(Section(f"{prefix}{heading}", (), ("", *columns), texts, folded=True))
    if answer.summary:
        sections[-1] = sections[-1]._replace(paragraphs=[answer.summary.reading])
    return sections


def _certificate(row: Table, details: Table) -> list[str]:
    return [
        str(row["cell"]),
        str(row["algorithm"]),
        _places(row["at"]),
        details["claim"],
        number(row["regret"], 3),
        typeset(details["facts"].bound_text),
        row["coverage"] or "–",
        row["rounding"] or "–",
    ]


def _places(at: Table) -> str:
    return ", ".join(f"{name} = {number(value)}" for name, value in at.items())


def _reproduction(run: Run) -> list[Section]:
    """Command to run the study again, the versions, and citations of package and source."""
    made_by = run.made_by
    source = run.head["study"].get("source")
    cite = f"The rivalry developers, rivalry {made_by['rivalry']}: games of competition, their equilibria, "
    cite += "and what learning agents do in them."
    model = [f"The source of the model: {source}."] if source else []
    return [
        Section(
            "How to run it again",
            columns=("command", "what it does"),
            rows=[list(row) for row in commands(run)],
            folded=True,
        ),
        Section("Versions", (), ("name", "version"), [list(row) for row in made_by.items()], folded=True),
        Section("Citation", [cite, *model]),
    ]

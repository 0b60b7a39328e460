"""The frozen file of a run: its living figures, results, certificates and study in one page."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rivalry.core.display import typeset
from rivalry.core.files import folder_for, followed, write
from rivalry.lab.answer import Answer, answer_of
from rivalry.lab.answer.caveats import check_name
from rivalry.lab.answer.checks import tally
from rivalry.lab.report.commands import commands
from rivalry.lab.report.page import number
from rivalry.lab.store import LeftOut, Run
from rivalry.living.page import Section, frozen_page
from rivalry.living.runs import figures_of_run

ROWS = 200  # most rows of a table


class FrozenPage(NamedTuple):
    """The file written, and what it lacks and why."""

    file: Path
    left_out: list[LeftOut]


def freeze(run: Run | str | os.PathLike[str], out: str | os.PathLike[str]) -> FrozenPage:
    """Write a run as one page that is opened from disk, needs no network, and whose figures can be changed.

    It holds the study, results, reference values, certificates, versions and how to cite it. Certificates are
    those stored in the run.

    Parameters
    ----------
    run
        The run, or its folder.
    out
        The file, such as ``page.html``.

    Raises
    ------
    rivalry.lab.store.StoreError
        If the folder is not a run.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    answer = answer_of(run)
    lead, sections, left_out = [], [], []
    for name, part in (run.parts() or {"": run}).items():
        own = answer.parts.get(name, answer)
        prefix = f"{part.title}: " if name else ""
        lead += _lead(part, own, prefix)
        sections += _sections(part, own, prefix)
        missing = part.missing_cells(part.damaged())
        left_out += [LeftOut(f"{name}/{one.name}" if name else one.name, one.reason) for one in missing]
    path = followed(Path(out).parent) / Path(out).name
    folder_for(path.parent)
    page = frozen_page(run.title, lead, figures_of_run(run, answer), [*sections, *_about(run)])
    write(path, page.encode())
    return FrozenPage(path, left_out)


def _lead(run: Run, answer: Answer, prefix: str) -> list[str]:
    """Return the question, the source and the sentences of the answer."""
    study = run.head["study"]
    counts = run.counts()
    lines = [study.get("question"), study.get("source") and f"Source: {study['source']}"]
    lines += [typeset(one.text) for one in answer.sentences]
    lines += [f"{counts['done']} of {counts['total']} cells are computed."] * (
        counts["done"] < counts["total"]
    )
    return [f"{prefix}{line}" for line in lines if line]


def _sections(run: Run, answer: Answer, prefix: str) -> list[Section]:
    """Return the tables of results, reference values and certificates."""
    study, found = run.head["study"], []
    if (table := answer.table_of(ROWS)) is not None:
        more = table.rows_left_out
        said = [f"{more} further points are in the figure of all cells."] * bool(more)
        said += [f"In every row {typeset(note)}." for note in table.notes]
        rows = [[typeset(text) for text in row] for row in table.texts]
        found.append(Section(f"{prefix}Results", said, table.columns, rows))
    if answer.caveats:
        found.append(Section(f"{prefix}Caveats", list(map(typeset, answer.caveats))))
    if answer.checks:
        head = ("quantity", "ours", "published", "verdict", "expected", "verdict", "certificate")
        rows = [_reference(one.row) for one in answer.checks[:ROWS]]
        said = [f"{tally([one.row for one in answer.checks])}."]
        found.append(Section(f"{prefix}Published and expected values", said, head, rows, folded=True))
    if answer.cells:
        columns = ("cell", "method", "at", "claim", "regret", "bound", "coverage", "rounding")
        cells = [row for row, _ in answer.cells]
        rows = [_certificate(row) for row in cells[:ROWS]]
        more = len(cells) - len(rows)
        said = ["Regret is the largest gain found over players, bound a proven upper bound on any gain."]
        said += [f"{more} further cells are in the figure of all cells."] * bool(more)
        found.append(Section(f"{prefix}Certificates", said, columns, rows, folded=True))
    text = json.dumps(study, indent=1) if run.text is None else run.text
    found.append(Section(f"{prefix}Study", verbatim=text, folded=True))
    return found


def _reference(row: Mapping[str, Any]) -> list[str]:
    within = row["within"]
    expected = row["expected"] if within is None else f"{number(within[0])} to {number(within[1])}"
    return [
        check_name(row),
        number(row["ours"]),
        number(row["published"]),
        row["published_verdict"] or "–",
        number(expected),
        row["expected_verdict"] or "–",
        row["certificate"] or "none",
    ]


def _certificate(row: Mapping[str, Any]) -> list[str]:
    return [
        str(row["cell"]),
        str(row["algorithm"]),
        _places(row["at"]),
        row["claim"] or "no certificate",
        number(row["regret"], 3),
        "∞" if row["bound"] is None and row["regret"] is not None else number(row["bound"], 3),
        row["coverage"] or "–",
        row["rounding"] or "–",
    ]


def _places(at: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {number(value)}" for name, value in at.items())


def _about(run: Run) -> list[Section]:
    """Return how to run the study again, the versions, and how to cite package and source."""
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
        ),
        Section(
            "Versions", columns=("name", "version"), rows=[[name, text] for name, text in made_by.items()]
        ),
        Section("Citation", [cite, *model]),
    ]

"""Full runs of bundled studies: their results, stored in ``studies/full/NAME.json`` beside the studies.

Full forms take up to days, so their results come with the package. A file holds the answer (question,
verdict, table and the data of Figure 1), our value of every expectation, how they came about (date, seed,
versions, time, digest of the cells), and digests of what the study says. Verdicts are not stored: values are
compared with the references of the study as it is now. A file of a study whose tables have changed since is
called outdated and is not compared; an answer whose question, quantities or figures have changed too is shown
as one of an earlier definition.

``python -m benchmarks.full_runs RUN`` writes the file from a finished run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any, NamedTuple

from rivalry.lab.checks import JudgedExpectation, agree, compare, tally
from rivalry.lab.store import Run
from rivalry.lab.study import load_study, studies
from rivalry.lab.study.expect import TABLES, differences
from rivalry.lab.study.identity import Table, TableDict, canonical, digest, plain
from rivalry.lab.study.words import answer_keys

FOLDER = files("rivalry") / "studies" / "full"
SELECTS = ("quantity", "at", "reduce", "equals")  # keys of an expectation that determine our value
OUTDATED = "the study has changed since its full run"
EARLIER = "of an earlier definition of the study"
DEFINITION = (*TABLES, "question", "answer", "plots")  # tables of a study that determine its answer


class StoredAnswer(NamedTuple):
    """Summary of the full run of a study; the fields are the keys of its table."""

    definition: str  # digest of `DEFINITION`
    cells: str  # digest of all cells
    question: str
    verdict: TableDict | None  # ``truth``, ``test`` and ``cases``, as in the answer of a run
    caveats: list[str]
    columns: list[str]
    rows: list[list[str]]
    notes: list[str]  # lines below the table
    caption: str  # of Figure 1
    figure: list[TableDict]  # its panels, see `panel_data` in benchmarks/full_runs.py

    def belongs_to(self, study: Table) -> bool:
        """True for a resolved study that asks and computes what the answer is of."""
        return definition_of(study) == self.definition

    def lead(self, study: Table) -> list[str]:
        """Return the lines above the table: whether the study was another, the question, and the verdict."""
        notices = [] if self.belongs_to(study) else [f"The answer is {EARLIER}."]
        return [*notices, *filter(None, [self.question, self.decision])]

    @property
    def decision(self) -> str:
        """The verdict as one line; empty without one."""
        if not self.verdict:
            return ""
        return ": ".join(filter(None, [self.verdict["truth"].capitalize(), self.verdict["test"]])) + "."

    def below(self) -> list[str]:
        """Return the lines below the table: the caveats, and the caption of Figure 1."""
        marks = [mark for panel in self.figure for mark in panel["marks"]]
        data = f"data of {len(marks)} marks in the JSON of `rivalry show`" if marks else "without its data"
        return [*self.caveats, *[f"Figure 1: {self.caption} ({data})"] * bool(self.caption)]


class FullRun(NamedTuple):
    """Results of the full form of a study; the fields are the keys of its file."""

    schema: int
    study: str
    tables: str  # digest of the tables that determine results
    date: str  # UTC, of the last cell
    seed: int
    cells: int
    seconds: float  # processor time of all cells, each since it last began; wall time without an answer
    made_by: dict[str, str]
    values: list[TableDict]  # `SELECTS`, and our value, its certificate and why there is none
    answer: StoredAnswer | None = None  # None in files from before answers were stored

    @property
    def cost(self) -> str:
        """Number of cells and their time in words."""
        time = f"{self.seconds:,.0f}" if self.seconds >= 9.5 else f"{self.seconds:.1g}"
        spent = "of processor time" if self.answer else "in all"
        return f"{self.cells} cell{'s' * (self.cells != 1)}, {time} s {spent}"

    def about(self) -> str:
        """Return date, versions and cost in words."""
        by = f"rivalry {self.made_by['rivalry']}, Python {self.made_by['python']}"
        return f"full run of {self.date} ({by}, seed {self.seed}; {self.cost})"

    def judged(self, study: Table) -> list[JudgedExpectation]:
        """Compare the stored values with the references of a resolved study."""
        outdated = digest_of(study) != self.tables
        rows = {selection(row): row for row in self.values}
        comparisons = []
        for row in study["expect"]:
            stored = rows.get(selection(row), {})
            reason = OUTDATED if outdated else stored.get("reason", "it was not computed in the full run")
            value = None if outdated else stored.get("ours")
            comparisons.append(compare(row | {"study": self.study}, value, stored.get("certificate"), reason))
        return comparisons

    def finding(self, study: Table) -> str:
        """Return the author's sentence; empty for a study that has changed, and if a value differs."""
        is_current = digest_of(study) == self.tables
        holds = is_current and agree([comparison.row for comparison in self.judged(study)])
        return str(answer_keys(study).get("finding", "")) if holds else ""

    def tally(self, study: Table) -> str:
        """Return the verdicts in words."""
        if digest_of(study) != self.tables:
            return OUTDATED
        return tally([comparison.row for comparison in self.judged(study)]) or "no reference values"

    def outcome(self, study: Table, run: Run) -> str:
        """Return the verdict of the resolved study of a run, and those on its references, in words."""
        if differences(run.head["study"]):
            return f"of the study as written, {self.tally(study)}"
        decision = self.answer.decision if self.answer and self.answer.belongs_to(study) else ""
        return " ".join(filter(None, [decision, self.tally(study)]))


def full_run(name: str) -> FullRun | None:
    """Return the stored full run of a study, or None."""
    path = FOLDER / f"{name}.json"
    return parse(path.read_text(encoding="utf-8")) if path.is_file() else None


def parse(text: str) -> FullRun:
    """Return the full run that a file holds."""
    full = FullRun(**json.loads(text))
    if full.answer is None:
        return full
    answer: Any = full.answer
    stored = {key: answer.get(key) for key in StoredAnswer._fields}  # older files have others
    return full._replace(answer=StoredAnswer(**stored))


def as_json(full: FullRun) -> TableDict:
    """Return the table of a full run as its file has it."""
    return full._asdict() | {"answer": full.answer and full.answer._asdict()}


def full_run_of(run: Run) -> tuple[FullRun, TableDict] | None:
    """Return the stored full run of the study of a run, and that study resolved.

    None if nothing is stored, if the run is not of the bundled study as it is installed, or if it is itself
    a complete run of its full form.
    """
    file = studies().get(run.name)
    stored = full_run(run.name) if file is not None else None
    if stored is None or file is None or run.head.get("toml") != sha256(file.read_bytes()).hexdigest():
        return None
    return (stored, load_study(run.name).resolved()) if refusal(run) else None


def refusal(run: Run) -> str:
    """Return the reason for which a run is no full run of a bundled study; empty if it is one."""
    study, counts = run.head["study"], run.counts()
    if run.name not in studies():
        return f"{run.name} is no bundled study; only these have stored full runs"
    if study.get("include"):
        return "is of a study of studies; store the full runs of its parts"
    if study.get("quick_form"):
        return f"is the quick form; store `rivalry run {run.name}`"
    if changed := differences(study):
        return f"is not of the study as written: {changed[0].words}"
    if digest_of(study) != digest_of(load_study(run.name).resolved()):
        return "is of another version of the study; run it again"
    if counts["done"] < counts["total"] or run.damaged():
        return f"is not complete: {counts['done']} of {counts['total']} cells; `rivalry resume` computes them"
    return "is of several versions of the package; run it again" if run.head["history"] else ""


def definition_of(study: Table) -> str:
    """Return the digest of the tables of a resolved study that determine its answer."""
    answer = {key: value for key, value in answer_keys(study).items() if key not in ("finding", "harmless")}
    return digest_of({**study, "answer": answer}, DEFINITION)


def digest_of(study: Table, keys: Sequence[str] = TABLES) -> str:
    """Return the digest of tables of a resolved study, by default of those that determine results."""
    return digest(canonical({key: plain(study[key]) for key in keys})).hex()


def selection(row: Table) -> str:
    """Return the keys of an expectation that determine our value, as canonical text."""
    return canonical({key: plain(row[key]) for key in SELECTS if row.get(key) not in (None, {}, "")})

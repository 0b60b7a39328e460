"""Full runs of bundled studies: their results, stored in ``studies/full/NAME.json`` beside the studies.

Full forms take up to days, so their results come with the package. A file holds our value of every
expectation, how it came about (date, seed, versions, time), and the digest of the tables of the study that
determine results. Verdicts are not stored: values are compared with the references of the study as it is
now. A file of a study whose tables have changed since is called outdated and is not compared.

``python -m rivalry.lab.report.full_runs RUN`` writes the file from a finished run, for developers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from rivalry.core.files import StoreError, write
from rivalry.lab.answer.checks import JudgedExpectation, compare, judge, tally
from rivalry.lab.store import Run, load_run
from rivalry.lab.study import load_study, studies
from rivalry.lab.study.expect import TABLES, differences
from rivalry.lab.study.identity import canonical, digest, plain

FOLDER = files("rivalry") / "studies" / "full"
SCHEMA = 1
SELECTS = ("quantity", "at", "reduce", "equals")  # keys of an expectation that determine our value
OUTDATED = "the study has changed since its full run"


class FullRun(NamedTuple):
    """Results of the full form of a study; the fields are the keys of its file."""

    schema: int
    study: str
    tables: str  # digest of the tables that determine results
    date: str  # UTC, of the last cell
    seed: int
    cells: int
    seconds: float  # wall time of all cells together
    made_by: dict[str, str]
    values: list[dict[str, Any]]  # `SELECTS`, and our value, its certificate and why there is none

    def about(self) -> str:
        """Return date, versions and cost in words."""
        by = f"rivalry {self.made_by['rivalry']}, Python {self.made_by['python']}"
        cost = f"{self.cells} cell{'s' * (self.cells != 1)}, {self.seconds:,.0f} s in all"
        return f"full run of {self.date} ({by}, seed {self.seed}; {cost})"

    def judged(self, study: Mapping[str, Any]) -> list[JudgedExpectation]:
        """Compare the stored values with the references of a resolved study."""
        outdated, known = _digest(study) != self.tables, {_selection(row): row for row in self.values}
        found = []
        for row in study["expect"]:
            own = known.get(_selection(row), {})
            reason = OUTDATED if outdated else own.get("reason", "it was not computed in the full run")
            value = None if outdated else own.get("ours")
            found.append(compare(row | {"study": self.study}, value, own.get("certificate"), reason))
        return found

    def tally(self, study: Mapping[str, Any]) -> str:
        """Return the verdicts in words."""
        if _digest(study) != self.tables:
            return OUTDATED
        return tally([one.row for one in self.judged(study)]) or "no reference values"


def full_run(name: str) -> FullRun | None:
    """Return the stored full run of a study, or None."""
    path = FOLDER / f"{name}.json"
    return FullRun(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def full_run_of(run: Run) -> tuple[FullRun, dict[str, Any]] | None:
    """Return the stored full run of the study of a run, and that study resolved.

    None if nothing is stored, if the run is not of the bundled study as it is installed, or if it is itself
    a complete run of its full form.
    """
    known = studies().get(run.name)
    found = full_run(run.name) if known is not None else None
    if found is None or known is None or run.head.get("toml") != sha256(known.read_bytes()).hexdigest():
        return None
    return (found, load_study(run.name).resolved()) if refusal(run) else None


def store(run: Run) -> Path:
    """Write the file of a run and return its path.

    Raises
    ------
    StoreError
        Unless the run is complete, of the unchanged full form of a bundled study, and by one version.
    """
    if why := refusal(run):
        raise StoreError(f"{run.folder}: {why}")
    study = load_study(run.name).resolved()
    data, times = run.dataset(), run.seconds()
    newest = max(run.cell_path(cell.id).stat().st_mtime for cell in run.cells)
    found = FullRun(
        schema=SCHEMA,
        study=run.name,
        tables=_digest(study),
        date=datetime.fromtimestamp(newest, UTC).date().isoformat(),
        seed=study["replications"]["seed"],
        cells=len(run.cells),
        seconds=round(sum(times.values()), 1),
        made_by=run.made_by,
        values=[
            {key: row[key] for key in SELECTS if key in row}
            | {key: one.row[key] for key in ("ours", "certificate", "reason")}
            for row, one in zip(study["expect"], judge(study, data), strict=True)
        ],
    )
    path = Path(str(FOLDER)) / f"{run.name}.json"
    path.parent.mkdir(exist_ok=True)
    write(path, f"{json.dumps(found._asdict(), indent=1, ensure_ascii=False)}\n".encode())
    return path


def refusal(run: Run) -> str:
    """Return why a run is no full run of a bundled study; empty if it is one."""
    study, counts = run.head["study"], run.counts()
    if run.name not in studies():
        return f"{run.name} is no bundled study; only these have stored full runs"
    if study.get("include"):
        return "is of a study of studies; store the full runs of its parts"
    if study.get("quick_form"):
        return f"is the quick form; store `rivalry run {run.name}`"
    if changed := differences(study):
        return f"is not of the study as written: {changed[0].words}"
    if _digest(study) != _digest(load_study(run.name).resolved()):
        return "is of another version of the study; run it again"
    if counts["done"] < counts["total"] or run.damaged():
        return f"is not complete: {counts['done']} of {counts['total']} cells; `rivalry resume` computes them"
    return "is of several versions of the package; run it again" if run.head["history"] else ""


def _digest(study: Mapping[str, Any]) -> str:
    """Return the digest of the tables of a resolved study that determine results."""
    return digest(canonical({key: plain(study[key]) for key in TABLES})).hex()


def _selection(row: Mapping[str, Any]) -> str:
    return canonical({key: plain(row[key]) for key in SELECTS if row.get(key) not in (None, {}, "")})


def main(arguments: Sequence[str]) -> str:
    """Store the run whose folder is given; return an error in one line, empty if there is none."""
    try:
        (folder,) = arguments
        print(store(load_run(folder)))
    except ValueError as error:  # of a wrong number of folders too
        return f"python -m rivalry.lab.report.full_runs RUN: {error}"
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or 0)

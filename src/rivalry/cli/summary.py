"""A run's results as text for the terminal: results first, then references, certificates and warnings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, NamedTuple

from rivalry.cli import output

if TYPE_CHECKING:
    from xarray import Dataset

    from rivalry.lab.report.answers import Answer, AnswerTable
    from rivalry.lab.report.findings import Findings
    from rivalry.lab.store import Run

ROWS = 12  # most points of a study in the table


def text(run: Run, findings: Mapping[str, Findings], report: Path) -> str:
    """Return a run's results as text; the last line is the report's path.

    ``findings`` are those of the parts by name, or the run's under an empty name.
    """
    from rivalry.lab.report.warned import lines as warning_lines
    from rivalry.lab.report.warned import warnings_of
    from rivalry.lab.store import status_of
    from rivalry.lab.study.expect import differences

    parts = run.parts() or {"": run}
    quick = ", quick form" if run.head["study"].get("quick_form") else ""
    cells = run.counts()
    lines = [f"{run.name}: {status_of(cells)}, {cells['done']} of {cells['total']} cells{quick}"]
    changed = [one.words for part in parts.values() for one in differences(part.head["study"])]
    lines += [f"changed from the study: {words}" for words in dict.fromkeys(changed)]
    for part in parts.values():
        if once := part.computed_once:
            count = part.head["study"]["replications"]["count"]
            lines.append(f"computed once, not in {count} replications, for lack of draws: {', '.join(once)}")
    for name, part in parts.items():
        lines += _results(name, part, findings[name])
    expectations = [judged.row for own in findings.values() for judged in own.judged]
    lines += [
        *references(expectations, parts=len(findings) > 1),
        *full_runs(parts.values()),
        *claims(findings),
    ]
    # over all parts: a warning of several parts is one line
    rows = warnings_of([notes for part in parts.values() for notes in part.warnings().values()])
    lines += [f"warning: {line}" for line in warning_lines(rows)]
    fitted = [line if "\n" in line else output.paragraph(line) for line in lines]
    return "\n".join([*fitted, str(report)])


def _results(name: str, part: Run, findings: Findings) -> list[str]:
    """Return the table of a study and the sentences on each method; of a part of a study one sentence."""
    from rivalry.lab.report.sentences import headline, sentences

    study, data, found = findings.study, findings.data, findings.answers
    if not found:
        return []
    if name:
        return [f"{name}: {headline(study, found)}"]
    said = [f"{method}: {' '.join(lines)}" for method, lines in sentences(study, found)]
    whole = [found]
    if not _table(study, data, found).complete:  # too wide: a table per method, without its name
        whole = [list(group) for _, group in groupby(found, key=lambda one: one.algorithm)]
    most = max(ROWS // len(whole), 4)
    lines, left_out, names = [""], 0, dict[str, None]()
    for group in whole:
        block = _table(study, data, group, most).table
        lines += [f"{group[0].algorithm}:"] * (len(whole) > 1) + [output.table(block.columns, block.rows), ""]
        left_out += block.left_out
        names |= dict.fromkeys(block.metrics_left_out)
    left = [f"{left_out} more points"] * bool(left_out) + list(names)[:3]
    if left:
        lines.append(
            f"not shown: {', '.join(left)}; `rivalry export {quote(str(part.folder))} --to csv` lists all"
        )
    return [*lines, *said, ""]


class _Fitted(NamedTuple):
    table: AnswerTable
    complete: bool  # its entries are on one line each


def _table(study: Mapping[str, Any], data: Dataset, found: Sequence[Answer], most: int = ROWS) -> _Fitted:
    """Return the table with as many metrics as fit the terminal."""
    from rivalry.lab.report.answers import COLUMNS, answer_table

    for count in range(COLUMNS, -1, -1):
        table = answer_table(study, data, found, most, count)
        if output.fits(table.columns, table.rows):
            return _Fitted(table, True)
    return _Fitted(table, False)


def claims(findings: Mapping[str, Findings]) -> list[str]:
    """Return the number of certificates per claim, and once why some prove no more.

    Approximate equilibria have their largest bound, proved ones the largest distance to an exact equilibrium.
    """
    from rivalry.core.results import gain_in_words, radius_in_words
    from rivalry.lab.report.judge import unproved

    rows = [row for own in findings.values() for row in own.cells if row[0]["claim"]]
    known = [certificate["claim"] for certificate, _ in rows]
    counted = []
    for claim in dict.fromkeys(known):
        counted.append(f"{known.count(claim)} {claim}")
        if claim == "approximate equilibrium":
            worst = max(about["gain"] for certificate, about in rows if certificate["claim"] == claim)
            counted[-1] += f" ({gain_in_words(worst)})"
    radii = [row["radius"] for row, _ in rows if row["coverage"] == "proved"]
    if radii:
        counted.append(f"{len(radii)} proved, an exact equilibrium within {radius_in_words(max(radii))}")
    lines = [f"certificates: {', '.join(counted)}"] if counted else []
    return lines + [f"not proved: {line}" for line in unproved(rows)]


def references(rows: Sequence[Mapping[str, Any]], *, parts: bool) -> list[str]:
    """Return our values beside published and independent ones; values not compared are only counted."""
    from rivalry.lab.report.judge import NOT_COMPARED, tally

    if not rows:
        return []
    words = ("published_verdict", "expected_verdict")
    compared = [row for row in rows if any(row[key] not in (None, NOT_COMPARED) for key in words)]
    lines = [f"reference values: {tally(rows)}"]
    if compared:
        lines += ["", reference_table(compared, parts=parts), ""]
    for row in compared:
        if row["published_verdict"] == "differs":
            why = row["why"] or "the study gives no explanation"
            lines.append(f"differs from the published value: {_quantity_name(row, parts)}: {why}")
    reasons = [str(row["reason"]) for row in rows if row not in compared]
    counted = [f"{reasons.count(reason)} ({reason})" for reason in dict.fromkeys(reasons)]
    return lines + [f"not compared: {', '.join(counted)}"] * bool(counted)


def reference_table(rows: Sequence[Mapping[str, Any]], *, parts: bool) -> str:
    """Return our values beside published and independent ones as a table, without empty columns."""
    head = ["quantity", "ours", "published", "verdict", "expected", "verdict", "certificate"]
    columns = list(zip(head, *(_reference(row, parts) for row in rows), strict=True))
    used = [column for column in columns if any(entry is not None for entry in column[1:])]
    names, *entries = zip(*used, strict=True)
    return output.table(names, entries)


def full_runs(parts: Iterable[Run]) -> list[str]:
    """Return the verdicts of the stored full runs of studies, where these runs are others."""
    from rivalry.lab.report.full_runs import full_run_of

    found = [(known, run.name) for run in parts if (known := full_run_of(run)) is not None]
    return [
        f"{full.about()}: {full.tally(study)}; `rivalry show {name}` lists it"
        for (full, study), name in found
    ]


def _reference(row: Mapping[str, Any], parts: bool) -> list[Any]:
    band = row["within"]
    asked = f"{band[0]:g} to {band[1]:g}" if band is not None else row["expected"]
    published = [row["published"], row["published_verdict"]]
    return [
        _quantity_name(row, parts),
        row["ours"],
        *published,
        asked,
        row["expected_verdict"],
        row["certificate"],
    ]


def _quantity_name(row: Mapping[str, Any], parts: bool) -> str:
    """Return a quantity's name with its study (if there are several), reduction and coordinates."""
    at = ", ".join(f"{name}={value}" for name, value in row["at"].items())
    part = row["study"] if parts else ""
    return " ".join(filter(None, [part, row["reduce"], row["quantity"], f"({at})" if at else ""]))

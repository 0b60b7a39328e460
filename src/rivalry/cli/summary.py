"""A run's answer as text for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from rivalry.cli import output

if TYPE_CHECKING:
    from rivalry.lab.answer import Answer
    from rivalry.lab.store import Run

ROWS = 24  # most points of a study in the table
OF_PART = 3  # rows that stand for a part of a study of studies without a verdict or finding


def text(run: Run, answer: Answer, report: Path, *, verbose: bool = False) -> str:
    """Return a run's answer as text; the last line is the report's path.

    Reference values are counted; ``verbose`` lists them. Of a study of studies the caveats and the full runs
    of its parts are printed only then.
    """
    from rivalry.lab.answer.caveats import lines as warning_lines
    from rivalry.lab.answer.caveats import warnings_of
    from rivalry.lab.citation import how_to_cite
    from rivalry.lab.store import status_of
    from rivalry.lab.study.expect import is_reduced

    parts = run.runs()
    cells = run.counts()
    quick = ", quick form" if is_reduced(run.head["study"]) else ""
    lines = [f"{run.name}: {status_of(cells)}, {cells['done']} of {cells['total']} cells{quick}"]
    brief = bool(answer.parts) and not verbose
    lines += _body_lines(run, answer, brief=brief)
    if verbose:
        lines += [line for point in answer.result_tables[0] for line in (*point.lines(), "")]
    # over all parts: a warning of several parts is one line
    rows = warnings_of([notes for part in parts.values() for notes in part.warnings().values()])
    lines += [f"warning: {line}" for line in warning_lines(rows)]
    checks = [check.row for check in answer.checks]
    lines += references(checks, parts=bool(answer.parts), verbose=verbose)
    if brief:
        lines += [*claims(answer)[:1], "", *_next_steps(run), ""]
    else:
        lines += [*full_runs(parts.values()), *(claims(answer) if verbose else []), how_to_cite(run)]
    fitted = [line if "\n" in line else output.paragraph(line) for line in lines]
    return "\n".join([*fitted, str(report)])


def answer_lines(run: Run, answer: Answer) -> list[str]:
    """Return question, verdict, tables and caveats of a run as paragraphs."""
    lines = _body_lines(run, answer, brief=False) + _result_lines(answer)
    return [line if "\n" in line else output.paragraph(line) for line in lines]


def _result_lines(answer: Answer) -> list[str]:
    """Return the tables of every method's first point, and the number of other points that have tables."""
    from rivalry.text.display import count_text

    results, left_out = answer.result_tables
    lines_by_method: dict[str, list[str]] = {}
    for result in results:
        tables = [table for table in result.tables if table.beside]  # others are rows of the answer's table
        left_out += bool(tables) and result.method in lines_by_method
        if tables:
            lines_by_method.setdefault(
                result.method, ["", *result._replace(tables=tables, summary="").lines()]
            )
    lines = [line for lines_of_method in lines_by_method.values() for line in lines_of_method]
    suffix = "have" if left_out > 1 else "has"
    further = f"{count_text(left_out, 'further point')} {suffix} such tables: see the report"
    return [*lines, "", further] if lines and left_out else lines


def _body_lines(run: Run, answer: Answer, *, brief: bool) -> list[str]:
    from rivalry.lab.answer.table import MOST_CAVEATS

    lines = ["", answer.question] * bool(answer.question) + answer.state
    if answer.parts:
        runs = run.parts()
        for name, part in answer.parts.items():
            lines += ["", *_of_part(name, runs[name], part)]
        lines.append("")
    else:
        lines += ["", *answer.lead, *[""] * bool(answer.lead), *_tables(run, answer)]
    return lines + ([] if brief else answer.caveats[:MOST_CAVEATS])


def _of_part(name: str, run: Run, answer: Answer) -> list[str]:
    """Return a part's question, with its name and source, and below it what answers it: a line or rows."""
    from rivalry.lab.report.full_runs import full_run_of

    source = str(answer.study.get("source") or "").partition(";")[0]
    lines = answer.lead[:1]
    if not lines:
        (_, table), *_ = answer.tables(OF_PART, OF_PART + 1)
        lines = output.table(table.columns, table.without_repeats().texts).split("\n")
    if answer.verdict and answer.verdict.is_withheld and (stored := full_run_of(run)):
        full, study = stored
        lines.append(f"Full run: {full.outcome(study, run)}")
    head = f"{answer.question or answer.title} [{', '.join(filter(None, [name, source]))}]"
    return [head, *(f"  {line}" for line in lines)]


def _next_steps(run: Run) -> list[str]:
    """Commands to try after a study of studies: a part of it, its pages, a study of one's own."""
    name, part = next((name, part) for name, part in run.parts().items())
    family = (part.head["study"].get("game") or {}).get("family", "influencer")
    steps = {
        f"rivalry run {name} --verbose": "one of these studies, with its table and all checks",
        f"rivalry open {quote(str(run.folder))}": "the same in a browser; change a number and run it again",
        f"rivalry new study my_{family} --family {family}": "a study of yours, with comments",
    }
    width = max(map(len, steps))
    return ["\n".join(["Try", *(f"  {line:{width}}  {purpose}" for line, purpose in steps.items())])]


def _tables(run: Run, answer: Answer) -> list[str]:
    """Return the tables of an answer with as many columns as fit the terminal, and what stands below them."""
    from rivalry.results.table import MANY

    lines: list[str] = []
    for k, (heading, table) in enumerate(answer.tables(ROWS)):
        for count in range(MANY, 1, -1):
            # the first quantity is shown beside the claim, in more lines if need be
            if (
                table.is_wide
                or len(table.columns) <= table.keys + 2
                or output.fits(table.columns, table.texts)
            ):
                break
            table = answer.tables(ROWS, count)[k][1]
        lines += [f"{heading}:"] * bool(heading)
        if table.is_wide:
            for keys, (first, *further) in table.row_by_row():
                lines += [*filter(None, [keys]), output.table(first, further)]
        else:
            lines.append(output.table(table.columns, table.without_repeats().texts))
        command = f"`rivalry export {quote(str(run.folder))} --to csv`"
        lines += [*table.below(f"; {command} writes all"), ""]
    return lines


def claims(answer: Answer) -> list[str]:
    """Return the number of certificates per claim, and once why some prove no more.

    Small gains have their largest bound, proved ones the largest distance to an equilibrium.
    """
    from rivalry.core.claims import weakest
    from rivalry.lab.checks import unproved

    rows = [row for part in (answer.parts or {"": answer}).values() for row in part.cells if row[0]["claim"]]
    facts = [details["facts"] for _, details in rows]
    counted = []
    for claim in dict.fromkeys(row.claim for row in facts):
        same = [row for row in facts if row.claim == claim]
        left_open = weakest(same).left_open
        counted.append(f"{len(same)} {claim}" + f" ({left_open})" * bool(left_open))
    if proved := [row for row in facts if row.coverage == "proved"]:
        counted.append(f"for {len(proved)} {weakest(proved).near}")
    lines = [f"certificates: {', '.join(counted)}"] if counted else []
    return lines + [f"not proved: {line}" for line in unproved(rows)]


def references(rows: Sequence[Mapping[str, Any]], *, parts: bool, verbose: bool = True) -> list[str]:
    """Return the verdicts on published and independent values; ``verbose`` lists those that were compared."""
    from rivalry.lab.checks import is_compared, tally

    compared = [row for row in rows if is_compared(row)]
    lines = [f"reference values: {tally(rows)}"] if rows else []
    if compared and verbose:
        return [*lines, "", reference_table(compared, parts=parts), ""]
    return [lines[0] + "; --verbose lists them"] if compared else lines


def reference_table(rows: Sequence[Mapping[str, Any]], *, parts: bool) -> str:
    """Return our values beside published and independent ones as a table, without empty columns."""
    from rivalry.lab.answer.details import checks_table

    table = checks_table(rows, part=parts)
    return output.table(table.columns, table.texts)


def full_runs(parts: Iterable[Run]) -> list[str]:
    """Return the verdicts of the stored full runs of studies, where these runs are others."""
    from rivalry.lab.report.full_runs import full_run_of

    lines = []
    for run in parts:
        if stored := full_run_of(run):
            full, study = stored
            lines.append(f"{full.about()}: {full.outcome(study, run)}; `rivalry show {run.name}` lists it")
    return lines

"""A run's answer in parts for the terminal: lines, tables, and the path of its report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from rivalry.cli import output

if TYPE_CHECKING:
    from rivalry.lab.answer import Answer
    from rivalry.lab.store import Run
    from rivalry.results.table import Printed

ROWS = 24  # most points of a study in the table
OF_PART = 3  # rows that stand for a part of a study of studies without a verdict or finding


def of_run(
    run: Run, answer: Answer, report: Path, verbose: bool = False, are_told: bool = False
) -> list[Printed]:
    """Return a run's answer; the last part is the report's path.

    Reference values are counted; ``verbose`` lists them. Of a study of studies the caveats and the full runs
    of its parts are printed only then; the answers of its parts are left out where they ``are_told``.
    """
    from rivalry.lab.answer.caveats import lines as warning_lines
    from rivalry.lab.answer.caveats import warnings_of
    from rivalry.lab.citation import how_to_cite
    from rivalry.lab.store import status_of
    from rivalry.lab.study.expect import is_reduced

    runs, cells = list(run.runs().values()), run.counts()
    quick = ", quick form" * is_reduced(run.head["study"])
    extent = f"{cells['done']} of {cells['total']} cells"
    parts: list[Printed] = [f"{run.name}: {status_of(cells)}, {extent}{quick}"]
    is_brief = bool(answer.parts) and not verbose
    parts += _body(run, answer, is_brief=is_brief, are_told=are_told)
    for point in answer.result_tables[0] if verbose else ():
        parts += [point.head, *(table.in_print() for table in point.tables), ""]
    # over all parts: a warning of several parts is one line
    rows = warnings_of([notes for part in runs for notes in part.warnings().values()])
    parts += [f"warning: {line}" for line in warning_lines(rows)]
    checks = [check.row for check in answer.checks]
    parts += references(checks, parts=bool(answer.parts), verbose=verbose)
    if is_brief:
        return [*parts, *claims(answer)[:1], "", *_next_steps(run), "", report]
    return [*parts, *full_runs(runs), *(claims(answer) if verbose else []), how_to_cite(run), report]


def of_answer(run: Run, answer: Answer) -> list[Printed]:
    """Return question, verdict, tables and caveats of a run, and tables of every method's first point."""
    from rivalry.text.display import count_text

    parts, (results, left_out), methods = _body(run, answer), answer.result_tables, set[str]()
    for result in results:
        tables = [table.in_print() for table in result.tables if table.beside]  # others are in the answer's
        if tables and result.method in methods:
            left_out += 1
        elif tables:
            methods.add(result.method)
            parts += ["", result.where, *tables]
    if methods and left_out:
        have = "have" if left_out > 1 else "has"
        parts += ["", f"{count_text(left_out, 'further point')} {have} such tables: see the report"]
    return parts


def _body(run: Run, answer: Answer, *, is_brief: bool = False, are_told: bool = False) -> list[Printed]:
    from rivalry.lab.answer.table import MOST_CAVEATS

    is_told = are_told and bool(answer.parts)
    question = [] if is_told or not answer.question else ["", answer.question]
    parts: list[Printed] = [*question, *answer.state, ""]
    if not answer.parts:
        parts += [*answer.lead, *[""] * bool(answer.lead), *_tables(run, answer)]
    elif not is_told:
        runs = run.parts()
        for name, part in answer.parts.items():
            parts += [*of_part(name, runs[name], part), ""]
    return parts + ([] if is_brief else answer.caveats[:MOST_CAVEATS])


def of_part(name: str, run: Run, answer: Answer) -> list[str]:
    """Return a part's question, with its name and source, and below it what answers it: a line or rows."""
    from rivalry.lab.report.full_runs import full_run_of
    from rivalry.results.table import aligned

    source = str(answer.study.get("source") or "").partition(";")[0]
    lines = answer.lead[:1]
    if not lines:
        (_, table), *_ = answer.tables(OF_PART, OF_PART + 1)
        lines = aligned([table.columns, *table.without_repeats().texts], output.width() - 2)
    if answer.verdict and answer.verdict.is_withheld and (stored := full_run_of(run)):
        full, study = stored
        lines.append(f"Full run: {full.outcome(study, run)}")
    head = f"{answer.question or answer.title} [{', '.join(filter(None, [name, source]))}]"
    return [head, *(f"  {line}" for line in lines)]


def _next_steps(run: Run) -> list[str]:
    """Commands to try after a study of studies: a part of it, its pages, a study of one's own."""
    from rivalry.results.table import aligned

    name, part = next(iter(run.parts().items()))
    family = (part.head["study"].get("game") or {}).get("family", "influencer")
    steps = [
        (f"rivalry run {name} --verbose", "one of these studies, with its table and all checks"),
        (f"rivalry open {quote(str(run.folder))}", "the same in a browser; change a number and run it again"),
        (f"rivalry new study my_{family} --family {family}", "a study of yours, with comments"),
    ]
    return ["\n  ".join(["Try", *aligned(steps)])]


def _tables(run: Run, answer: Answer) -> list[Printed]:
    """Return the tables of an answer with as many columns as fit the terminal, and what stands below them."""
    from rivalry.results.table import MANY

    remedy = f"; `rivalry export {quote(str(run.folder))} --to csv` writes all"
    parts: list[Printed] = []
    for k, (heading, table) in enumerate(answer.tables(ROWS)):
        for count in range(MANY, 1, -1):
            # the first quantity is shown beside the claim, in more lines if need be
            if table.is_wide or len(table.columns) <= table.keys + 2 or output.fits(table):
                break
            table = answer.tables(ROWS, count)[k][1]
        title = f"{heading}:" * bool(heading)
        parts += ["\n".join(table._replace(title=title).lines(output.width(), remedy)), ""]
    return parts


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


def references(rows: Sequence[Mapping[str, Any]], *, parts: bool, verbose: bool = True) -> list[Printed]:
    """Return the verdicts on published and independent values; ``verbose`` lists those that were compared."""
    from rivalry.lab.answer.details import checks_table
    from rivalry.lab.checks import is_compared, tally

    compared = [row for row in rows if is_compared(row)]
    line = f"reference values: {tally(rows)}"
    if compared and verbose:
        return [line, "", checks_table(compared, part=parts), ""]
    return [line + "; --verbose lists them" * bool(compared)] if rows else []


def full_runs(parts: Iterable[Run]) -> list[str]:
    """Return the verdicts of the stored full runs of studies, where these runs are others."""
    from rivalry.lab.report.full_runs import full_run_of

    lines = []
    for run in parts:
        if stored := full_run_of(run):
            full, study = stored
            lines.append(f"{full.about()}: {full.outcome(study, run)}; `rivalry show {run.name}` lists it")
    return lines

"""Caveats beside an answer: results that failed, changed, or were not certified or compared."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from rivalry.lab.answer.grammar import and_more, text_if
from rivalry.lab.answer.points import NONE_EXISTS, ResultPoints
from rivalry.lab.checks import JudgedCell, is_compared, unfiled, unproved
from rivalry.lab.study.expect import differences, is_reduced
from rivalry.lab.study.identity import StudyTables
from rivalry.lab.study.words import Words, condition_of
from rivalry.text.display import bound_in_words

if TYPE_CHECKING:
    from rivalry.lab.store import Run

SETTLED = ("converged", "completed", NONE_EXISTS)
FEW = 5  # warnings reported; the others are counted
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)*|\.\d+)(?:e[+-]?\d+)?")


def caveats_of(
    study: StudyTables,
    run: Run | None,
    points: ResultPoints,
    judged: Sequence[JudgedCell],
    checks: Sequence[Mapping[str, Any]],
) -> list[str]:
    """Caveats that a reader needs beside the answer, the most important first."""
    lines = [] if run is None else _of_run(run)
    lines += ["quick form: reduced numbers, not those of the full study"] * is_reduced(study)
    changes, words = differences(study), Words(study)
    if changes:
        form = "the study's quick form" if study.get("quick_form") else "the study"
        lines.append(f"changed from {form}: {'; '.join(change.in_words(words) for change in changes)}")
    lines += filter(None, [study.get("left_out")])
    lines += _unsettled(study, points)
    bare = _bare(study, points)
    lines += [f"no certificate: {', '.join(bare)}"] * bool(bare)
    lines += _price_takers(study, points)
    lines += [f"not proved: {line}" for line in unproved(judged)]
    lines += [f"no proof file: {line}" for line in unfiled(judged, words)]
    for point in [point for point in points if point.undecided][:FEW]:
        where = text_if(point.at, f"at {Words(study).place(point.at)}, ")
        remainder = and_more(len(point.undecided) - 1)
        lines.append(
            f"undecided: {where}profiles in {point.undecided[0]}{remainder} may hold a further equilibrium"
        )
    differing: dict[str, list[str]] = {}
    for row in checks:
        if row["published_verdict"] == "differs":
            differing.setdefault(str(row["why"] or NO_REASON), []).append(check_name(row))
    for reason, names in differing.items():
        remainder = and_more(len(names) - 1)
        lines.append(f"differs from the published value: {names[0]}{remainder}: {reason}")
    changed = dict.fromkeys((change.words for change in changes), OF_ORIGINAL)
    reasons = Counter(
        changed.get(str(row["reason"]), str(row["reason"])) for row in checks if not is_compared(row)
    )
    if reasons:
        counted = ", ".join(f"{count} ({reason})" for reason, count in reasons.items())
        lines.append(f"not compared: {counted}")
    return lines


OF_ORIGINAL = "values of the study as written"
NO_REASON = "the study gives no explanation"


def check_name(row: Mapping[str, Any], *, part: bool = False) -> str:
    """Name of a compared quantity with its reduction and point, and its study if asked.

    >>> check_name({"study": "s", "reduce": "mean", "quantity": "p_safe", "at": {"reach": 0.1}})
    'mean probability of a safe win (reach 0.1)'
    """
    words = Words({})
    at = ", ".join(_place(name, value, words) for name, value in row["at"].items())
    if row["quantity"] == "claim" and row["reduce"] == "share":
        name = f"share of results that are {row.get('equals') or 'equilibria'}"
    else:
        name = " ".join(
            filter(None, [{"min": "smallest", "max": "largest"}.get(row["reduce"], row["reduce"])])
        )
        name = f"{name} {words.quantity(row['quantity'])}".strip()
    return " ".join(filter(None, [row["study"] if part else "", name, f"({at})" if at else ""]))


def _place(name: str, value: object, words: Words) -> str:
    return words.method(str(value)) if name == "algorithm" else words.place({name: value})


def _of_run(run: Run) -> list[str]:
    """Missing parts of a run, and those computed once only."""
    counts, lines = run.counts(), []
    if missing := counts["total"] - counts["done"]:
        failed = text_if(counts["failed"], f", {counts['failed']} of them failed")
        lines.append(f"{missing} of {counts['total']} cells are missing{failed}")
    if unreplicated := run.computed_once:
        count = run.head["study"]["replications"]["count"]
        lines.append(
            f"computed once, not in {count} replications, for lack of draws: {', '.join(unreplicated)}"
        )
    return lines


def _unsettled(study: StudyTables, points: ResultPoints) -> list[str]:
    """Methods that did not end at rest, with the number of points."""
    words, lines = Words(study), []
    for method in dict.fromkeys(point.algorithm for point in points):
        points_of_method = [point for point in points if point.algorithm == method]
        counts: Counter[str] = Counter()
        for point in points_of_method:
            counts.update(point.statuses)
        open_ends = {status: n for status, n in counts.items() if status not in SETTLED}
        if open_ends:
            text = ", ".join(f"{n} of {counts.total()} {status}" for status, n in open_ends.items())
            lines.append(f"{words.method(method)}: {text}")
    return lines


def _bare(study: StudyTables, points: ResultPoints) -> list[str]:
    """Methods of which no result has a certificate, where others have."""
    methods = dict.fromkeys(point.algorithm for point in points if not point.counts_text)
    certified = {point.algorithm for point in points if point.certified}
    return [Words(study).method(name) for name in methods if name not in certified] if points else []


def _price_takers(study: StudyTables, points: ResultPoints) -> list[str]:
    """What is certified of a competitive benchmark that the test compares with."""
    if "benchmark:competitive" not in condition_of(study).values():
        return []
    numbers = chain.from_iterable(point.numbers("competitive_gain", {}) for point in points)
    gains = [number.mean for number in numbers if isfinite(number.mean)]
    words = "competitive benchmark: firms that take its prices as given gain at most"
    return [f"{words} {bound_in_words(max(gains))}"] if gains else []


class Warned(NamedTuple):
    """A warning or a failure: its text in the first cell that gave it, and the number of such cells."""

    words: str
    cells: int
    same: bool  # its text is the same in all these cells; else numbers in it differ

    def line(self) -> str:
        """Warning as one line.

        >>> Warned("sampled gains are biased", 3, True).line()
        'sampled gains are biased (3 cells)'
        """
        if self.cells == 1:
            return self.words
        return f"{self.words} ({self.cells} cells{text_if(not self.same, ', with other numbers')})"


def warnings_of(notes: Iterable[Sequence[str]]) -> list[Warned]:
    """Warnings in the notes of cells, most frequent first.

    Warnings that differ only in numbers count as one.

    >>> notes = [["UserWarning: 12% were seldom seen"], ["UserWarning: 9% were seldom seen"], []]
    >>> for one in warnings_of(notes):
    ...     print(one.line())
    12% were seldom seen (2 cells, with other numbers)
    """
    words_by_kind: dict[str, list[str]] = {}
    for cell in notes:
        kinds: dict[str, str] = {}
        for words in cell:
            kinds.setdefault(without_numbers(words), words.removeprefix("UserWarning: "))
        for kind, words in kinds.items():
            words_by_kind.setdefault(kind, []).append(words)
    rows = [Warned(words[0], len(words), len(set(words)) == 1) for words in words_by_kind.values()]
    return sorted(rows, key=lambda row: -row.cells)


def failures_of(failures: Mapping[str, str]) -> dict[str, Warned]:
    """Kinds of failure, by the first cell that failed in this way; most frequent first.

    >>> {cell: one.line() for cell, one in failures_of({"a": "x = 1", "b": "no", "c": "x = 2"}).items()}
    {'a': 'x = 1 (2 cells, with other numbers)', 'b': 'no'}
    """
    cells_by_reason: dict[str, list[str]] = {}
    for cell, reason in failures.items():
        cells_by_reason.setdefault(without_numbers(reason), []).append(cell)
    rows = {}
    for cells in sorted(cells_by_reason.values(), key=lambda cells: -len(cells)):
        words = [failures[cell] for cell in cells]
        rows[cells[0]] = Warned(words[0], len(cells), len(set(words)) == 1)
    return rows


def without_numbers(words: str) -> str:
    """Common part of texts that differ only in numbers."""
    return _NUMBER.sub("#", words)


def lines(rows: Sequence[Warned], max_lines: int = FEW) -> list[str]:
    """First few warnings as lines, and the number of further ones.

    >>> lines(warnings_of([["one"], ["two"], ["three"]]), max_lines=1)
    ['one', '... and 2 more in log.txt']
    """
    remainder = len(rows) - max_lines
    return [row.line() for row in rows[:max_lines]] + (
        [f"... and {remainder} more in log.txt"] if remainder > 0 else []
    )

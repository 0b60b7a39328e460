"""Caveats beside an answer: results that failed, changed, or were not certified or compared."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.claims import REFUTED
from rivalry.lab.answer.points import (
    SETTLED,
    PointResults,
    ResultPoints,
    methods_of,
)
from rivalry.lab.checks import REDUCED, JudgedCell, is_compared, unfiled, unproved
from rivalry.lab.study.expect import differences, is_reduced
from rivalry.lab.study.identity import StudyTables
from rivalry.lab.study.words import CONTROLS, Words, condition_of
from rivalry.results.comparison import differ
from rivalry.results.table import Estimate
from rivalry.text.display import bound_in_words, count_text

if TYPE_CHECKING:
    from rivalry.lab.store import Run

FEW = 5  # warnings reported; the others are counted
GAINS = ("pooled_gain", "gain_mean")
"""Profit gains of learners, which placebos without punishment may have too."""
NO_REASON = "the study gives no explanation"
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)*|\.\d+)(?:e[+-]?\d+)?")


def caveats_of(
    study: StudyTables,
    run: Run | None,
    points: ResultPoints,
    judged: Sequence[JudgedCell],
    checks: Sequence[Mapping[str, Any]],
) -> list[str]:
    """Caveats that a reader needs beside the answer, the gravest first."""
    words = Words(study)
    return [
        *(_of_run(run) if run else ()),
        *["quick form: reduced numbers, not those of the full study"] * is_reduced(study),
        *_controls(points, words),
        *_counted("not equilibria", points, _is_no_equilibrium),
        *_unsettled(points),
        *_few_runs(points),
        *_undecided(points, words),
        *_differing(checks, words),
        *_price_takers(study, points),
        *_uncompared(study, checks),
        *_bare(points, words),
        *[f"not proved: {line}" for line in unproved(judged)],
        *[f"no proof file: {line}" for line in unfiled(judged, words)],
    ]


def _counted(words: str, points: ResultPoints, is_so: Callable[[PointResults], bool]) -> list[str]:
    """Number of rows of which something is true, if of any."""
    count = sum(map(is_so, points))
    return [f"{words}: {count} of {count_text(len(points), 'row')}"] if count else []


def _is_no_equilibrium(point: PointResults) -> bool:
    """True for rows that fail the concept that they are computed for."""
    return REFUTED in {point.facts(claim).kind for claim in point.claims}


def _few_runs(points: ResultPoints) -> list[str]:
    """Number of rows of too few independent runs for an interval."""
    few = [point for point in points if any(map(point.is_too_few, point.quantities))]
    if not few:
        return []
    return [f"fewer than five converged {few[0].runs_noun}: {len(few)} of {count_text(len(points), 'row')}"]


def _controls(points: ResultPoints, words: Words) -> list[str]:
    """Placebos, which cannot punish, whose profit gains are no lower than those of their learner."""
    gains: dict[tuple[str, str, str], Estimate] = {}
    for point in points:
        for name in {*GAINS} & point.quantities.keys():
            gains[name, point.algorithm, repr(point.at)] = point.quantities[name][0]
    equal = dict[str, None]()
    for (name, method, at), control in gains.items():
        base, _, kind = method.rpartition("-")
        # the rival of a myopic follower may punish
        if kind not in CONTROLS or kind == "myopic_follower" or (name, base, at) not in gains:
            continue
        gain = gains[name, base, at]
        is_noise_known = np.isfinite([gain.low, control.low]).all()
        is_lower = control.mean < gain.mean and (differ(control, gain) or not is_noise_known)
        if not is_lower:
            equal[words.method(method)] = None
    names = ", ".join(equal)
    line = f"placebos gain as much, so that gains are no evidence of collusion: {names}"
    return [line] if equal else []


def _undecided(points: ResultPoints, words: Words) -> list[str]:
    """Places in which a list of equilibria is not decided."""
    lines = []
    for point in [point for point in points if point.undecided][:FEW]:
        where = f"{words.point(point.at)}: " if point.at else ""
        count = len(point.undecided)
        further = f" and {count - 1} more" if count > 1 else ""
        lines.append(f"undecided places: {where}{point.undecided[0]}{further}")
    return lines


def _differing(checks: Sequence[Mapping[str, Any]], words: Words) -> list[str]:
    """Values that differ from published ones, by the reason."""
    differing: dict[str, list[str]] = {}
    for row in checks:
        if row["published_verdict"] == "differs":
            differing.setdefault(str(row["why"] or NO_REASON), []).append(check_name(row, words))
    lines = []
    for reason, names in differing.items():
        further = f" and {len(names) - 1} more" if len(names) > 1 else ""
        lines.append(f"differs from the published value: {names[0]}{further}: {reason}")
    return lines


def _uncompared(study: StudyTables, checks: Sequence[Mapping[str, Any]]) -> list[str]:
    """References that a run as written could be compared with and is not, by the reason."""
    usual = {REDUCED, *(change.words for change in differences(study))}
    reasons = Counter(str(row["reason"]) for row in checks if not is_compared(row))
    return [f"not compared: {count} ({reason})" for reason, count in reasons.items() if reason not in usual]


def check_name(row: Mapping[str, Any], words: Words | None = None, *, part: bool = False) -> str:
    """Name of a compared quantity with its reduction and point, and its study if asked.

    >>> check_name({"study": "s", "reduce": "mean", "quantity": "p_safe", "at": {"reach": 0.1}})
    'mean probability of a safe win (reach 0.1)'
    """
    words = words or Words({})
    at = ", ".join(_place(name, value, words) for name, value in row["at"].items())
    if row["quantity"] == "claim" and row["reduce"] == "share":
        name = f"share of results that are {row.get('equals') or 'equilibria'}"
    else:
        reduction = {"min": "smallest", "max": "largest"}.get(row["reduce"], row["reduce"])
        name = f"{reduction or ''} {words.quantity(row['quantity'])}".strip()
    return " ".join(filter(None, [row["study"] if part else "", name, f"({at})" if at else ""]))


def _place(name: str, value: object, words: Words) -> str:
    entry = f"{name} {value}"
    if words.is_named(entry) or name in ("player", "seat"):
        return words.entry(entry)
    return words.method(str(value)) if name == "algorithm" else words.point({name: value})


def _of_run(run: Run) -> list[str]:
    """Return a line on missing cells, and one on methods that were computed once, each if there are any."""
    counts, lines = run.counts(), []
    if missing := counts["total"] - counts["done"]:
        failed = f", {counts['failed']} of them failed" if counts["failed"] else ""
        lines.append(f"{missing} of {counts['total']} cells are missing{failed}")
    if unreplicated := run.computed_once:
        count = run.head["study"]["replications"]["count"]
        lines.append(
            f"computed once, not in {count} replications, for lack of draws: {', '.join(unreplicated)}"
        )
    return lines


def _unsettled(points: ResultPoints) -> list[str]:
    """Results that did not end at rest, by their statuses."""
    counts: Counter[str] = Counter()
    for point in points:
        counts.update(point.statuses)
    open_ends = [f"{n} {status}" for status, n in counts.items() if status not in SETTLED]
    return [f"not converged: {', '.join(open_ends)} of {counts.total()} results"] if open_ends else []


def _bare(points: ResultPoints, words: Words) -> list[str]:
    """Methods of which no result has a certificate."""
    methods = methods_of(point for point in points if not point.completeness)
    certified = {point.algorithm for point in points if point.certified}
    bare = [words.method(name) for name in methods if name not in certified]
    return [f"no certificate: {', '.join(bare)}"] * bool(bare)


def _price_takers(study: StudyTables, points: ResultPoints) -> list[str]:
    """Caveat on the claim of a competitive benchmark that the test compares with."""
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
        remark = "" if self.same else ", with other numbers"
        return f"{self.words} ({self.cells} cells{remark})"


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

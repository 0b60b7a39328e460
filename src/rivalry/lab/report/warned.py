"""Warnings and failures of a run's cells: each once, with the number of cells that gave it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

FEW = 5  # warnings reported; the others are counted
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)*|\.\d+)(?:e[+-]?\d+)?")


class Warned(NamedTuple):
    """A warning or a failure: its text in the first cell that gave it, and the number of such cells."""

    words: str
    cells: int
    same: bool  # its text is the same in all these cells; else numbers in it differ

    def line(self) -> str:
        """Return the warning as one line.

        >>> Warned("sampled gains are biased", 3, True).line()
        'sampled gains are biased (3 cells)'
        """
        if self.cells == 1:
            return self.words
        return f"{self.words} ({self.cells} cells{'' if self.same else ', with other numbers'})"


def warnings_of(notes: Iterable[Sequence[str]]) -> list[Warned]:
    """Return the warnings in the notes of cells, most frequent first.

    Warnings that differ only in numbers count as one.

    >>> notes = [["UserWarning: 12% were seldom seen"], ["UserWarning: 9% were seldom seen"], []]
    >>> for one in warnings_of(notes):
    ...     print(one.line())
    12% were seldom seen (2 cells, with other numbers)
    """
    found: dict[str, list[str]] = {}
    for cell in notes:
        kinds: dict[str, str] = {}
        for words in cell:
            kinds.setdefault(without_numbers(words), words.removeprefix("UserWarning: "))
        for kind, words in kinds.items():
            found.setdefault(kind, []).append(words)
    rows = [Warned(words[0], len(words), len(set(words)) == 1) for words in found.values()]
    return sorted(rows, key=lambda row: -row.cells)


def failures_of(failures: Mapping[str, str]) -> dict[str, Warned]:
    """Return every kind of failure, by the first cell that failed in this way; most frequent first.

    >>> {cell: one.line() for cell, one in failures_of({"a": "x = 1", "b": "no", "c": "x = 2"}).items()}
    {'a': 'x = 1 (2 cells, with other numbers)', 'b': 'no'}
    """
    found: dict[str, list[str]] = {}
    for cell, why in failures.items():
        found.setdefault(without_numbers(why), []).append(cell)
    rows = {}
    for cells in sorted(found.values(), key=lambda cells: -len(cells)):
        words = [failures[cell] for cell in cells]
        rows[cells[0]] = Warned(words[0], len(cells), len(set(words)) == 1)
    return rows


def without_numbers(words: str) -> str:
    """Return what texts that differ only in numbers have in common."""
    return _NUMBER.sub("#", words)


def lines(rows: Sequence[Warned], few: int = FEW) -> list[str]:
    """Return the first few warnings as lines, and the number of further ones.

    >>> lines(warnings_of([["one"], ["two"], ["three"]]), few=1)
    ['one', '... and 2 more in log.txt']
    """
    more = len(rows) - few
    return [row.line() for row in rows[:few]] + ([f"... and {more} more in log.txt"] if more > 0 else [])

"""Tables of results: what a method says of its result, once, for every place that shows it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import pairwise, zip_longest
from pathlib import Path
from textwrap import wrap
from typing import Any, Literal, NamedTuple

import numpy as np

from rivalry.text.statistics import format_interval

ZERO = 1e-12  # smaller numbers, relative to those beside them, are printed as 0
UNKNOWN = float("nan")
UNLIMITED = 10_000  # characters, wider than any terminal
DIGITS = 4  # of numbers in reports
PROVED, RADIUS = "proof", "radius"  # columns of the distance to an exact equilibrium, in words and as numbers
CHECK, AT = "difference quotients differ by", "value of the parameter"  # columns of derivatives
GAIN, CLAIM = "largest gain", "claim"  # columns of what was certified of each row
CONSTANT = frozenset({"component", PROVED, RADIUS, CHECK, AT, GAIN, CLAIM})
"""Columns of lists that a note states where all rows have the same."""
FEW = 4  # most names of what is left out, and most rows of a table that is printed row by row
PRINTED, ON_PATH = 50, 12  # most rows of a table in print; of a path
NARROW, MANY = 3, 8  # most columns of one row, and of several, that are printed beside each other
STRAIGHT = 1e-3  # rows nearer to a line, as a fraction of the range, are chosen evenly


class Draws(NamedTuple):
    """The values that a mean is of, and what is drawn: numbers of seeds, or of draws of a game.

    Quantities of one point have the same draws; negative labels are those of no other point.
    """

    noun: str
    labels: np.ndarray
    values: np.ndarray

    @property
    def shared(self) -> bool:
        """True if other points and methods may have the same draws."""
        return bool(np.all(self.labels >= 0)) if self.labels.dtype.kind in "iu" else True


class Estimate(NamedTuple):
    """A number with its 95 % interval and its text, of one entry of a quantity (a player) or of all.

    The interval is the number itself where nothing is drawn, and NaN after a single draw, whose noise is
    unknown. Words have no number. Over starts, ``low`` and ``high`` are the smallest and largest values.
    A mean over draws has its values; means over the same draws are compared in pairs.
    """

    text: str
    mean: float = UNKNOWN
    low: float = UNKNOWN
    high: float = UNKNOWN
    entry: str = ""
    draws: Draws | None = None

    @property
    def is_exact(self) -> bool:
        """True for a number without noise, which may hide a change."""
        return self.low == self.high


EMPTY = Estimate("")
Row = dict[str, Estimate]
"""Entries of a row of a table, by the names of its columns."""
Rows = list[Row]


class Table(NamedTuple):
    """Rows of a result or of a run, and what they are: every place that shows a table renders this one.

    A row with a single entry is the heading of the rows below it.
    """

    rows: list[Row]  # entries by the names of their columns; a row may lack some
    noun: str  # what the rows are, in the plural
    title: str = ""  # what the table is of, if the noun does not say it
    shows: tuple[str, ...] = ()  # beginnings of the names of variables that have columns here
    claimed: Literal["all", "proved", "none"] = "none"  # rows that the claim is one about
    main: int = 0  # row of the result's profile
    holds_profile: bool = False  # whether that row has the profile's strategies and payoffs
    path: bool = False  # whether rows are points of a curve, which a cut thins evenly
    beside: bool = False  # whether it stands below the table of a run's points
    keys: int = 0  # number of first columns that say which point a row is; print leaves out what repeats
    notes: tuple[str, ...] = ()  # what all rows share, as name: text
    remarks: tuple[str, ...] = ()  # further lines below the table, such as the meaning of a mark
    rows_left_out: int = 0  # number of rows that the result has and the table has not
    columns_left_out: tuple[str, ...] = ()  # their names
    points: tuple[tuple[int, ...], ...] = ()  # of every row, or of each entry after the keys; -1 for none

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in the order of the rows."""
        return in_order([list(row) for row in self.rows])

    @property
    def cells(self) -> list[list[Estimate]]:
        """Entries of all rows in the order of the columns; those that a row lacks are empty."""
        columns = self.columns
        return [[row.get(name, EMPTY) for name in columns] for row in self.rows]

    @property
    def texts(self) -> list[list[str]]:
        """Texts of all rows in the order of the columns."""
        columns = self.columns
        return [[row.get(name, EMPTY).text for name in columns] for row in self.rows]

    def column(self, name: str) -> list[Estimate]:
        """Entries of a column."""
        return [row.get(name, EMPTY) for row in self.rows]

    def below(self, remedy: str = "") -> list[str]:
        """Lines below the table: what all points share, remarks, and what is left out, with a ``remedy``."""
        rows = [f"{self.rows_left_out} more {self.noun}"] * bool(self.rows_left_out)
        hidden = [*rows, *self.columns_left_out]
        hidden = [*hidden[:FEW], *["..."] * (len(hidden) > FEW)]
        of_rows = "" if len({*self.points}) == 1 else "in every row: "
        lines = [f"{of_rows}{'; '.join(self.notes)}"] * bool(self.notes)
        return [*lines, *self.remarks, *[f"not shown: {'; '.join(hidden)}{remedy}"] * bool(hidden)]

    def covers(self, quantity: str) -> bool:
        """True for a quantity with columns in these rows, if there are several."""
        is_list = len(self.rows) > 1 or self.claimed == "all"
        return is_list and quantity.startswith(self.shows)

    def claims(self, k: int) -> bool:
        """True if the certificate's claim is one about a row."""
        if self.claimed == "proved":
            return k == self.main or not {PROVED, RADIUS, GAIN}.isdisjoint(self.rows[k])
        return self.claimed == "all"

    def without_repeats(self) -> Table:
        """Table with keys that are blank where those of a row begin as those of the row above."""
        names, above, rows = self.columns[: self.keys], list[str](), list[Row]()
        for row in self.rows:
            texts = [row.get(name, EMPTY).text for name in names]
            is_same = [text == text_above for text, text_above in zip(texts, above, strict=False)]
            repeated = [*is_same, False].index(False)
            rows.append(row | dict.fromkeys(names[:repeated], EMPTY))
            above = texts
        return self._replace(rows=rows)

    def with_rows(self, numbers: Sequence[int]) -> Table:
        """Table of some of the rows."""
        left_out = self.rows_left_out + len(self.rows) - len(numbers)
        points = tuple(self.points[k] for k in numbers) if self.points else ()
        return self._replace(rows=[self.rows[k] for k in numbers], rows_left_out=left_out, points=points)

    def with_columns(self, most: int) -> Table:
        """Table of at most so many columns: the keys, the first ones, and the claim."""
        columns = self.columns
        limit = max(most - self.keys, 1)
        names, hidden = columns[self.keys :][:limit], columns[self.keys :][limit:]
        if "claim" in hidden:
            hidden = [names.pop(), *(name for name in hidden if name != "claim")]
            names.append("claim")
        if not hidden:
            return self
        visible = [*columns[: self.keys], *names]
        rows = [{name: row[name] for name in visible if name in row} for row in self.rows]
        return self._replace(rows=rows, columns_left_out=(*self.columns_left_out, *hidden))

    def lines(self, width: int = UNLIMITED, remedy: str = "") -> list[str]:
        """Return all rows as aligned lines, after the title and with the notes below.

        They have at most so many characters. A wide table has a line per column for every row, below the
        row's keys.
        """
        lines = [self.title] if self.title else []
        if self.is_wide:
            for heading, pairs in self.row_by_row():
                lines += [*filter(None, [heading]), *aligned(pairs, width)]
        else:
            lines += aligned([self.columns, *self.without_repeats().texts], width)
        for line in self.below(remedy):
            lines += wrap(line, width, subsequent_indent="  ", break_on_hyphens=False)
        return lines

    def __repr__(self) -> str:
        return "\n".join(self.in_print().lines())

    def in_print(self) -> Table:
        """Return the table cut where it is long: along a path evenly."""
        count, numbers = len(self.rows), range(min(len(self.rows), PRINTED))
        if self.path and count > ON_PATH:
            even = np.linspace(0, self.main, ON_PATH - 1).round().astype(int)
            return self.with_rows(sorted({*even.tolist(), count - 1}))
        return self.with_rows(numbers)

    @property
    def is_wide(self) -> bool:
        """True for a table that is read row by row: of many columns and few rows."""
        count = len(self.rows)
        return count <= FEW and len(self.columns) > (MANY if count > 1 else NARROW)

    def row_by_row(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Return every row as a heading, of its keys, and the names and texts of its entries."""
        names = self.columns
        blocks = []
        for row in self.texts:
            pairs = list(zip(names, row, strict=True))
            keys = [f"{name} {text}" for name, text in pairs[: self.keys] if text]
            entries = [(name, text) for name, text in pairs[self.keys :] if text]
            blocks.append((", ".join(keys), entries))
        return blocks

    def as_json(self) -> dict[str, Any]:
        """Title, columns, texts and notes, as ``--json`` prints them."""
        notes = [*self.notes, *self.remarks]
        return {"title": self.title, "columns": self.columns, "rows": self.texts, "notes": notes}


Printed = str | Path | Table
"""Text, a path or a table: a part of what a command prints."""


def aligned(rows: Sequence[Sequence[str]], width: int = UNLIMITED) -> list[str]:
    """Return rows of texts as lines with aligned columns; texts without others beside them take no space.

    Where a line would be longer than ``width``, the longest texts go on in the next line, labels indented.

    >>> aligned([("player", "payoff"), ("0", "12.5"), ("the other", "3"), ("of all others", "")])
    ['player     payoff', '0          12.5', 'the other  3', 'of all others']
    >>> aligned([("player", "claim"), ("0", "no gain above 0.1")], 20)
    ['player  claim', '0       no gain', '        above 0.1']
    """
    full = [row for row in rows if any(row[1:])] or rows
    widths = [max(map(len, column)) for column in zip(*full, strict=True)]
    while sum(widths) + 2 * (len(widths) - 1) > width and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in rows:
        room = widths if any(row[1:]) else [width] * len(row)
        # a label that goes on is no label of its own
        indents = ["  ", *[""] * len(row)]
        parts = [
            wrap(text, size, subsequent_indent=indent, break_on_hyphens=False)
            for text, size, indent in zip(row, room, indents, strict=False)
        ]
        for texts in zip_longest(*parts, fillvalue=""):
            padded = (f"{text:<{size}}" for text, size in zip(texts, widths, strict=True))
            lines.append("  ".join(padded).rstrip())
    return lines


def table_of(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] = (), noun: str = "rows") -> Table:
    """Return a table of records, by default of all their keys, without what is None.

    >>> table_of([{"gain": 0.1888151234, "firm": 0, "met": True}, {"firm": 1}], ["firm", "gain", "met"]).texts
    [['0', '0.188815', 'yes'], ['1', '', '']]
    """
    entries = []
    for row in rows:
        present = {name: row[name] for name in columns or row if row.get(name) is not None}
        entries.append({name: Estimate(_in_words(value)) for name, value in present.items()})
    return Table(entries, noun)


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())


def labelled(about: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> Table:
    """Return a table of texts whose first column has labels of rows, and is headed by what they are about.

    >>> labelled("quantiles", ["low", "high"], [("reach", ["0", "1"])]).texts
    [['reach', '0', '1']]
    """
    names = (about, *columns)
    entries = [dict(zip(names, map(Estimate, (label, *texts)), strict=True)) for label, texts in rows]
    return Table(entries, "rows", keys=1)


class ReportSection(NamedTuple):
    """Tables of a family in a report, a sentence below them, and what they mean, for the page's glossary."""

    heading: str
    tables: list[Table]
    reading: str
    meaning: str


def rows_with_turns(
    values: np.ndarray, kinds: Sequence[Hashable], is_asked: np.ndarray, most: int
) -> list[int]:
    """Return the numbers of at most so many rows that keep the turns of their numbers.

    The ends of every stretch of one kind come first, those asked for before others. Then, one after the
    other, comes the row farthest from the straight line between its neighbours among those selected, in
    fractions of the range of each quantity of ``values [row quantity]``. ``kinds [row]``, such as claims, are
    told beside them; ``is_asked [row]`` is a mask.

    Examples
    --------
    >>> series = np.array([[0.0], [0.1], [0.9], [0.2], [0.0], [0.0], [0.0]])
    >>> rows_with_turns(series, [""] * 7, np.ones(7, bool), 4)
    [0, 2, 3, 6]
    """
    numbers, count = np.arange(len(values)), len(values)
    if count <= most:
        return numbers.tolist()
    is_new = np.array([True, *(kind != before for before, kind in pairwise(kinds)), True])
    is_end, selected = is_new[:-1] | is_new[1:], list[int]()
    for is_of_group in (is_asked, ~is_asked):
        ends = numbers[is_end & is_of_group]
        room = min(most - len(selected), len(ends))
        selected += ends[np.linspace(0, len(ends) - 1, room).round().astype(int)].tolist() if room else []
    sizes = np.ptp(values, axis=0)
    scaled = values / np.where(sizes > 0.0, sizes, 1.0)
    while len(selected) < most:
        selected.sort()
        lines = np.transpose([np.interp(numbers, selected, column[selected]) for column in scaled.T])
        distance = np.abs(scaled - lines).max(axis=1, initial=0.0)
        places = np.array(selected)
        after = np.searchsorted(places, numbers).clip(1, len(places) - 1)
        gap = np.minimum(np.abs(numbers - places[after - 1]), np.abs(numbers - places[after]))
        distance = np.where(distance > STRAIGHT, distance + is_asked, STRAIGHT * gap / count)
        distance[selected] = -1.0
        selected.append(int(np.argmax(distance)))
    return sorted(selected)


def in_order(rows: list[list[str]]) -> list[str]:
    """Return the columns of rows that have some of them, in the order of each row.

    >>> in_order([["a", "b", "c"], ["key", "a", "c", "d"], ["b"]])
    ['key', 'a', 'b', 'c', 'd']
    >>> in_order([["player", "left", "right", "claim"], ["player", "up", "down", "claim"]])
    ['player', 'left', 'right', 'up', 'down', 'claim']
    """
    ordered: list[str] = []
    for row in dict.fromkeys(map(tuple, rows)):
        place = len(ordered)
        for name in reversed(row):
            if name not in ordered:
                ordered.insert(place, name)
            place = ordered.index(name)
    return ordered


def number_in_words(value: float, size: float = 0.0, half: float = UNKNOWN) -> str:
    """Return a number to four digits, or with half its interval; 0 for a rounding error beside ``size``.

    >>> number_in_words(0.37412), number_in_words(-1e-17, 1.0), number_in_words(2e-14)
    ('0.3741', '0', '2e-14')
    """
    return format_interval(0.0 if abs(value) <= ZERO * size else float(value), half)


def around(mean: float, half: float) -> Estimate:
    """Return a mean with half the width of its interval."""
    return Estimate(format_interval(mean, half), mean, mean - half, mean + half)


def exactly(text: str, value: float) -> Estimate:
    """Return a number that is known without an interval."""
    return Estimate(text, value, value, value)

"""Tables of results: what a method says of its result, once, for every place that shows it."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from rivalry.text.statistics import format_interval

ZERO = 1e-12  # smaller numbers, relative to those beside them, are printed as 0
UNKNOWN = float("nan")
DIGITS = 4  # of numbers in reports
PROVED, RADIUS = "proof", "radius"  # columns of the distance to an exact equilibrium, in words and as numbers
CHECK, AT = "difference quotients differ by", "value of the parameter"  # columns of derivatives
GAIN, CLAIM = "largest gain", "claim"  # columns of what was certified of each row
CONSTANT = frozenset({PROVED, RADIUS, CHECK, AT, GAIN, CLAIM})
"""Columns of lists that a note states where all rows have the same."""


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


Row = dict[str, Estimate]
"""Entries of a row of a table, by the names of its columns."""
Rows = list[Row]


class Table(NamedTuple):
    """Rows of a result, and what they are.

    Attributes
    ----------
    rows : list of Row
        Entries by the names of their columns; a row may lack some.
    noun : str
        What the rows are, in the plural.
    title : str
        What the table is of, if the noun does not say it.
    shows : tuple of str
        Beginnings of the names of variables that have columns here.
    claimed : {"all", "proved", "none"}
        The rows that the certificate's claim is one about; ``proved``: those with a proof or a certificate of
        their own, and the main one.
    main : int
        The row of the result's profile.
    path : bool
        Whether the rows are points of a curve, which are thinned evenly where there is no space for all.
    beside : bool
        Whether the table stands below the one of a run's points, and is none of lists of points.
    """

    rows: list[Row]
    noun: str
    title: str = ""
    shows: tuple[str, ...] = ()
    claimed: Literal["all", "proved", "none"] = "none"
    main: int = 0
    path: bool = False
    beside: bool = False

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in the order of the rows."""
        return in_order([list(row) for row in self.rows])

    def covers(self, quantity: str) -> bool:
        """True for a quantity with columns in these rows, if there are several."""
        is_list = len(self.rows) > 1 or self.claimed == "all"
        return is_list and quantity.startswith(self.shows)

    def claims(self, k: int) -> bool:
        """True if the certificate's claim is one about a row."""
        if self.claimed == "proved":
            return k == self.main or not {PROVED, RADIUS, GAIN}.isdisjoint(self.rows[k])
        return self.claimed == "all"


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

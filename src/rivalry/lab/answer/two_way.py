"""Two-way tables of sweeps over two keys: the first key down, the second across, a block per quantity."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from rivalry.core.results import CLAIMS
from rivalry.lab.answer.estimates import Estimate, counted
from rivalry.lab.answer.table import AnswerTable

BLOCKS = 6
COLUMNS = 8  # values across
FEWEST = 6  # entries of a block; fewer are a list
WIDE = 24  # characters of a cell; longer texts stand in the list only
FILLED = 0.5  # share of the cells that have a point; in a sparser table, as of a zip, most would be empty
MARK = "*"
METHOD = "method"
ABOUT = ("claim", "status", "n")  # columns that are stated once
T = TypeVar("T")
_COUNTS = re.compile(r" in \d+ of \d+ sessions$")


class Block(NamedTuple):
    """Entries of one quantity, at one value of the other keys, by the values of the two."""

    heading: str
    place: tuple[str, ...]  # values of the other keys
    rows: list[list[Estimate]]
    points: list[list[int]]  # numbers of the points; -1 without one


class TwoWayTable(NamedTuple):
    """Blocks that share their labels, and what is left out of them."""

    down: str
    across: str
    others: list[str]  # further keys
    labels: list[str]  # of rows
    columns: list[str]  # values across
    blocks: list[Block]
    notes: list[str]
    points_left_out: int = 0
    columns_left_out: tuple[str, ...] = ()
    mark: str = ""  # what a mark at an entry means

    @property
    def stacked(self) -> AnswerTable:
        """One table: below a row that has the heading of a block and nothing else, the rows of the block."""
        first, *others = self.columns
        head, width = [self.down, f"{self.across} {first}", *others], len(others) + 1
        rows = []
        for block in self.blocks:
            rows.append([Estimate(block.heading), *[Estimate("")] * width])
            rows += [[Estimate(label), *row] for label, row in zip(self.labels, block.rows, strict=True)]
        left = self.points_left_out, self.columns_left_out
        return AnswerTable(head, rows, self.notes, 1, *left, mark=self.mark)


def two_way_table(
    table: AnswerTable, rows: int | None = None, columns: int = COLUMNS, blocks: int = BLOCKS
) -> TwoWayTable | None:
    """Return a list of points as a two-way table of at most so many rows, columns and blocks.

    The two keys with most values are down and across, in the order of the sweep; blocks are of the others.
    Values between the ends are left out evenly. None where fewer than two keys vary independently, where
    several rows are of one point, and where no column has short entries.

    Parameters
    ----------
    table
        The table of all points, one per row.
    rows, columns, blocks
        The largest numbers of values down and across, and of blocks.
    """
    keys = _key_columns(table)
    long = [name for name in keys if name != METHOD and len(set(keys[name])) > 1]
    first = sorted(long, key=lambda name: -len(set(keys[name])))[:2]
    if len(first) < 2 or len(set(keys[first[0]])) * len(set(keys[first[1]])) < FEWEST:
        return None
    down, across = sorted(first, key=long.index)
    if len(set(keys[across])) > max(columns, len(set(keys[down]))):  # the longer one down a page
        down, across = across, down
    rest = [name for name in keys if name not in (down, across) and len(set(keys[name])) > 1]
    places = {name: list(dict.fromkeys(keys[name])) for name in (down, across)}
    groups: dict[tuple[str, ...], dict[tuple[str, str], int]] = {}
    for k, row in enumerate(zip(keys[down], keys[across], strict=True)):
        group = groups.setdefault(tuple(keys[name][k] for name in rest), {})
        if row in group:  # several rows of one point, as of a list of equilibria
            return None
        group[row] = k
    if len(table.rows) < FILLED * len(groups) * len(places[down]) * len(places[across]):
        return None
    names = [name for name in table.columns[table.keys :] if name not in ABOUT]
    entries = {name: [row[table.columns.index(name)] for row in table.rows] for name in names}
    short = [name for name in names if max(len(one.text) for one in entries[name]) <= WIDE]
    if not short:
        return None
    down_values, across_values = _thinned(places[down], rows), _thinned(places[across], columns)
    quantities = short[:blocks]
    kept = _thinned(list(groups), max(blocks // len(quantities), 1))
    marks, mark, notes = _marks(table)
    made = []
    for name in quantities:
        for place in kept:
            points = [[groups[place].get((r, c), -1) for c in across_values] for r in down_values]
            cells = [[_marked(entries[name], k, marks) for k in line] for line in points]
            words = [
                value if key == METHOD else f"{key} {value}" for key, value in zip(rest, place, strict=True)
            ]
            made.append(Block(", ".join([name, *words]), place, cells, points))
    shown = {k for block in made for line in block.points for k in line if k >= 0}
    left = tuple(name for name in names if name not in quantities)
    out = len(table.rows) - len(shown)
    return TwoWayTable(down, across, rest, down_values, across_values, made, notes, out, left, mark)


def _key_columns(table: AnswerTable) -> dict[str, list[str]]:
    """Return the texts of the keys by name; keys that vary together, as in a zip, are one."""
    found: dict[str, list[str]] = {}
    for k, name in enumerate(table.columns[: table.keys]):
        texts = [row[k].text for row in table.rows]
        same = next((other for other, known in found.items() if _in_step(known, texts)), "")
        if same and name != METHOD:
            joint = [f"{one}, {other}" for one, other in zip(found.pop(same), texts, strict=True)]
            found[f"{same}, {name}"] = joint
        else:
            found[name] = texts
    return found


def _in_step(one: Sequence[str], other: Sequence[str]) -> bool:
    pairs = set(zip(one, other, strict=True))
    return 1 < len(pairs) == len(set(one)) == len(set(other))


def _thinned(values: list[T], most: int | None) -> list[T]:
    """Return at most so many values with both ends, evenly.

    >>> _thinned([1, 2, 3, 4, 5], 3), _thinned([1, 2], 5)
    ([1, 3, 5], [1, 2])
    """
    if most is None or len(values) <= most:
        return values
    places = np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))
    return [values[k] for k in places]


def _marks(table: AnswerTable) -> tuple[list[bool], str, list[str]]:
    """Return which points have a weaker claim than the strongest, what their mark means, and the notes."""
    notes, count = list(table.notes), len(table.rows)
    for name in ABOUT[1:]:
        if name in table.columns:
            texts = Counter(row[table.columns.index(name)].text for row in table.rows)
            notes.append(
                f"{name}: {counted(texts)}" if name == "status" else f"n: {min(texts)} to {max(texts)}"
            )
    if "claim" not in table.columns:
        return [False] * count, "", notes
    at = table.columns.index("claim")
    kinds = [_COUNTS.sub("", row[at].text.partition(":")[0]) for row in table.rows]
    best = max(kinds, key=lambda kind: CLAIMS.index(kind) if kind in CLAIMS else -1)
    weaker = Counter(kind or "no certificate" for kind in kinds if kind != best)
    if not weaker:
        return [False] * count, "", [*notes, f"claim: {best}"]
    words = ", ".join(f"{kind} ({n} of {count})" for kind, n in weaker.most_common())
    mark = f"{MARK} {words}; without a mark: {best or 'no certificate'}"
    return [kind != best for kind in kinds], mark, notes


def _marked(entries: Sequence[Estimate], point: int, marks: Sequence[bool]) -> Estimate:
    if point < 0:
        return Estimate("–")
    entry = entries[point]
    return entry._replace(text=f"{entry.text}{MARK}") if marks[point] and entry.text else entry

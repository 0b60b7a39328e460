"""Sweeps over two keys: a table with one key down and one across, and whether a trend holds at every value.

The table has a block per quantity. A trend along the first key holds at a value of the second where the
number rises, or falls, beyond its intervals and never moves against it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from rivalry.core.results import CLAIMS, claim_in_words
from rivalry.lab.answer.estimates import counted
from rivalry.lab.answer.table import AnswerTable, entry_texts
from rivalry.results.table import Estimate

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
MOST = 2  # sentences, one per quantity
EXCEPTIONS = 3  # values whose course is stated where the trend does not hold
VERBS = {1: "rises", -1: "falls"}


class TableBlock(NamedTuple):
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
    blocks: list[TableBlock]
    notes: list[str]
    points_left_out: int = 0
    columns_left_out: tuple[str, ...] = ()
    mark: str = ""  # what a mark at an entry means

    @property
    def stacked(self) -> AnswerTable:
        """One table: below a row that has the heading of a block and nothing else, the rows of the block."""
        heading, *further = self.columns
        head, width = [self.down, f"{self.across} {heading}", *further], len(further) + 1
        rows = []
        for block in self.blocks:
            rows.append([Estimate(block.heading), *[Estimate("")] * width])
            rows += [[Estimate(label), *row] for label, row in zip(self.labels, block.rows, strict=True)]
        hidden = self.points_left_out, self.columns_left_out
        return AnswerTable(head, rows, self.notes, 1, *hidden, mark=self.mark)


def two_way_table(table: AnswerTable, rows: int | None = None, columns: int = COLUMNS) -> TwoWayTable | None:
    """List of points as a two-way table of at most so many rows and columns.

    The two keys with most values are down and across, in the order of the sweep; blocks are of the others.
    Values between the ends are left out evenly. None where fewer than two keys vary independently, where
    several rows are of one point, and where no column has short entries.

    Parameters
    ----------
    table
        The table of all points, one per row.
    rows, columns
        The largest numbers of values down and across; of blocks there are at most ``BLOCKS``.
    """
    keys = _key_columns(table)
    places = {name: list(dict.fromkeys(texts)) for name, texts in keys.items()}
    varied = [name for name in keys if len(places[name]) > 1]
    swept = sorted([name for name in varied if name != METHOD], key=lambda name: -len(places[name]))[:2]
    if len(swept) < 2 or len(places[swept[0]]) * len(places[swept[1]]) < FEWEST:
        return None
    down, across = sorted(swept, key=varied.index)
    if len(places[across]) > max(columns, len(places[down])):  # the longer one down a page
        down, across = across, down
    block_keys = [name for name in varied if name not in (down, across)]
    groups: dict[tuple[str, ...], dict[tuple[str, str], int]] = {}
    for k, row in enumerate(zip(keys[down], keys[across], strict=True)):
        group = groups.setdefault(tuple(keys[name][k] for name in block_keys), {})
        if row in group:  # several rows of one point, as of a list of equilibria
            return None
        group[row] = k
    if len(table.rows) < FILLED * len(groups) * len(places[down]) * len(places[across]):
        return None
    entries = {name: table.column(name) for name in table.columns[table.keys :] if name not in ABOUT}
    short = [name for name in entries if max(map(len, entry_texts(entries[name]))) <= WIDE]
    if not short:
        return None
    labels, heads = _thinned(places[down], rows), _thinned(places[across], columns)
    marks, mark, notes = _marks(table)
    quantities, table_blocks, present = short[:BLOCKS], list[TableBlock](), set[int]()
    selected = _thinned(list(groups), max(BLOCKS // len(quantities), 1))
    for name in quantities:
        for place in selected:
            words = [name]
            for key, value in zip(block_keys, place, strict=True):
                words.append(value if key == METHOD else f"{key} {value}")
            cells, points = [], []
            for label in labels:
                points.append([groups[place].get((label, head), -1) for head in heads])
                cells.append([_marked(entries[name], k, marks) for k in points[-1]])
                present.update(points[-1])
            table_blocks.append(TableBlock(", ".join(words), place, cells, points))
    hidden = tuple(name for name in entries if name not in quantities)
    out = len(table.rows) - len(present - {-1})
    return TwoWayTable(down, across, block_keys, labels, heads, table_blocks, notes, out, hidden, mark)


def _key_columns(table: AnswerTable) -> dict[str, list[str]]:
    """Texts of the keys by name; keys that vary together, as in a zip, are one."""
    columns: dict[str, list[str]] = {}
    for k, name in enumerate(table.columns[: table.keys]):
        texts = [row[k].text for row in table.rows]
        joint_key = next((key for key in columns if _in_step(columns[key], texts)), "")
        if joint_key and name != METHOD:
            pairs = zip(columns.pop(joint_key), texts, strict=True)
            columns[f"{joint_key}, {name}"] = list(map(", ".join, pairs))
        else:
            columns[name] = texts
    return columns


def _in_step(keys_a: Sequence[str], keys_b: Sequence[str]) -> bool:
    pairs = set(zip(keys_a, keys_b, strict=True))
    return 1 < len(pairs) == len(set(keys_a)) == len(set(keys_b))


def _thinned(values: list[T], max_values: int | None) -> list[T]:
    """Values at equal distances, at most so many, with both ends.

    >>> _thinned([1, 2, 3, 4, 5], 3), _thinned([1, 2], 5)
    ([1, 3, 5], [1, 2])
    """
    if max_values is None or len(values) <= max_values:
        return values
    places = np.unique(np.linspace(0, len(values) - 1, max_values).round().astype(int))
    return [values[k] for k in places]


def _marks(table: AnswerTable) -> tuple[list[bool], str, list[str]]:
    """Points with a weaker claim than the strongest, the meaning of their mark, and the notes."""
    notes, count = list(table.notes), len(table.rows)
    for name in ABOUT[1:]:
        if name in table.columns:
            texts = Counter(entry_texts(table.column(name)))
            range_of_texts = f"{min(texts)} to {max(texts)}"
            notes.append(f"status: {counted(texts)}" if name == "status" else f"n: {range_of_texts}")
    if "claim" not in table.columns:
        return [False] * count, "", notes
    kinds = [_COUNTS.sub("", entry.text.partition(":")[0]) for entry in table.column("claim")]
    strongest = max(kinds, key=lambda kind: CLAIMS.index(kind) if kind in CLAIMS else -1)
    weaker = Counter(claim_in_words(kind) for kind in kinds if kind != strongest)
    if not weaker:
        return [False] * count, "", [*notes, f"claim: {strongest}"]
    words = ", ".join(f"{kind} ({n} of {count})" for kind, n in weaker.most_common())
    mark = f"{MARK} {words}; without a mark: {claim_in_words(strongest)}"
    return [kind != strongest for kind in kinds], mark, notes


def _marked(entries: Sequence[Estimate], point: int, marks: Sequence[bool]) -> Estimate:
    if point < 0:
        return Estimate("–")
    entry = entries[point]
    return entry._replace(text=f"{entry.text}{MARK}") if marks[point] and entry.text else entry

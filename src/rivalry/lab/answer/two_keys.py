"""Tables of two swept keys: one down and one across, a block of rows per quantity."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from rivalry.core.results import CLAIMS, claim_in_words
from rivalry.results.table import Estimate, Row, Table

BLOCKS = 6
ACROSS = 8  # values across
FEWEST = 6  # entries of a block; fewer are a list
WIDE = 24  # characters of a cell; longer texts stand in the list only
FILLED = 0.5  # share of the cells that have a point; in a sparser table, as of a zip, most would be empty
MARK = "*"
METHOD = "method"
ONCE = re.compile(r"(claim|status|n|largest gain.*)$")  # columns that are told below
T = TypeVar("T")


def by_two_keys(table: Table, rows: int | None = None, columns: int = ACROSS) -> Table | None:
    """List of all points, one per row, as a table by two keys of at most so many rows and columns.

    The two keys with most values are down and across, in the order of the sweep; blocks are of the others,
    at most `BLOCKS`. Values between the ends are left out evenly. None where fewer than two keys vary
    independently, where several rows are of one point, and where no column has short entries.
    """
    keys = _key_columns(table)
    values = {name: list(dict.fromkeys(texts)) for name, texts in keys.items()}
    varied = [name for name in keys if len(values[name]) > 1]
    swept = sorted([name for name in varied if name != METHOD], key=lambda name: -len(values[name]))[:2]
    if len(swept) < 2 or len(values[swept[0]]) * len(values[swept[1]]) < FEWEST:
        return None
    down, across = sorted(swept, key=varied.index)
    if len(values[across]) > max(columns, len(values[down])):  # the longer one down a page
        down, across = across, down
    others = [name for name in varied if name not in swept]
    groups: dict[tuple[str, ...], dict[tuple[str, str], int]] = {}
    for k, pair in enumerate(zip(keys[down], keys[across], strict=True)):
        group = groups.setdefault(tuple(keys[name][k] for name in others), {})
        if pair in group:  # several rows of one point, as of a list of equilibria
            return None
        group[pair] = k
    names = [name for name in table.columns[table.keys :] if not ONCE.match(name)]
    short = [name for name in names if max(len(entry.text) for entry in table.column(name)) <= WIDE]
    if not short or len(table.rows) < FILLED * len(groups) * len(values[down]) * len(values[across]):
        return None
    labels, heads = _thinned(values[down], rows), _thinned(values[across], columns)
    names_across = [f"{across} {heads[0]}", *heads[1:]]
    marks, remarks = _weaker(table)
    stacked, points, used = list[Row](), list[tuple[int, ...]](), set[int]()
    for name in short[:BLOCKS]:
        for place, group in _thinned(list(groups.items()), max(BLOCKS // len(short[:BLOCKS]), 1)):
            told = [
                value if key == METHOD else f"{key} {value}" for key, value in zip(others, place, strict=True)
            ]
            stacked.append({down: Estimate(", ".join([name, *told]))})
            points.append(())
            for label in labels:
                numbers = [group.get((label, head), -1) for head in heads]
                entries = [
                    _entry(table.rows[k][name], marks[k]) if k >= 0 else Estimate("–") for k in numbers
                ]
                stacked.append({down: Estimate(label)} | dict(zip(names_across, entries, strict=True)))
                points.append(tuple(table.points[k][0] if k >= 0 else -1 for k in numbers))
                used.update(numbers)
    return table._replace(
        rows=stacked,
        keys=1,
        remarks=tuple(remarks),
        rows_left_out=len(table.rows) - len(used - {-1}),
        columns_left_out=tuple(name for name in names if name not in short[:BLOCKS]),
        points=tuple(points),
    )


def _key_columns(table: Table) -> dict[str, list[str]]:
    """Texts of the keys by name; keys that vary together, as in a zip, are one."""
    columns: dict[str, list[str]] = {}
    for name in table.columns[: table.keys]:
        texts = [entry.text for entry in table.column(name)]
        joint_key = next((key for key in columns if in_step(columns[key], texts)), "")
        if joint_key and name != METHOD:
            texts = list(map(", ".join, zip(columns.pop(joint_key), texts, strict=True)))
            name = f"{joint_key}, {name}"
        columns[name] = texts
    return columns


def in_step(texts: Sequence[str], others: Sequence[str]) -> bool:
    """True for keys of which each determines the other."""
    pairs = set(zip(texts, others, strict=True))
    return 1 < len(pairs) == len(set(texts)) == len(set(others))


def _thinned(values: list[T], most: int | None) -> list[T]:
    """Values at equal distances, at most so many, with both ends.

    >>> _thinned([1, 2, 3, 4, 5], 3), _thinned([1, 2], 5)
    ([1, 3, 5], [1, 2])
    """
    if most is None or len(values) <= most:
        return values
    places = np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))
    return [values[k] for k in places]


def _weaker(table: Table) -> tuple[list[bool], list[str]]:
    """Points with a weaker claim than the strongest, and lines on their mark, or on the claim of all."""
    # how many of a point's sessions have a claim is no claim of another kind
    kinds = [re.split(r": | in \d", entry.text)[0] for entry in table.column("claim")]
    strongest = max(kinds, key=lambda kind: CLAIMS.index(kind) if kind in CLAIMS else -1)
    marks = [kind != strongest for kind in kinds]
    weaker = Counter(claim_in_words(kind) for kind in kinds if kind != strongest)
    words = [f"{kind} ({count} of {len(kinds)})" for kind, count in weaker.most_common()]
    gain = next((name for name in table.columns if name.startswith("largest gain")), "")
    gains = zip(table.column(gain), marks, strict=True)
    marked = [entry for entry, mark in gains if mark or not weaker]
    largest = max(marked, key=lambda entry: np.nan_to_num(entry.mean)).text
    words += [f"{gain}: {largest}"] * bool(largest)
    if weaker:
        return marks, [f"{MARK} {', '.join(words)}; without a mark: {claim_in_words(strongest)}"]
    return marks, [f"claim: {strongest}"] * bool(strongest) + words


def _entry(entry: Estimate, is_marked: bool) -> Estimate:
    return entry._replace(text=f"{entry.text}{MARK}") if is_marked and entry.text else entry

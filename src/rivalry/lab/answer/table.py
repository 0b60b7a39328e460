"""The printed table of a run: swept keys, the study's quantities and the claim, a row per point."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.results import WITH_GAIN, gain_in_words
from rivalry.lab.answer.points import PointResults, ResultPoints, keys_of, methods_of, point_by, values_of
from rivalry.lab.study.identity import StudyTables
from rivalry.lab.study.questions import fixed_changes
from rivalry.lab.study.words import Words, heading
from rivalry.results import TABLES, tables_of
from rivalry.results.reader import Reader
from rivalry.results.table import CONSTANT, Estimate, Row, Table, exactly, in_order
from rivalry.schema.construction import is_number
from rivalry.text.statistics import half_width

if TYPE_CHECKING:
    from xarray import Dataset

ColumnEntries = dict[str, list[Estimate]]
MOST_COLUMNS = 14
TEXT = 60  # characters of a profile in the table


EMPTY = Estimate("")


class AnswerTable(NamedTuple):
    """A table of texts with their numbers; ``notes`` state what every row shares, and what is left out."""

    columns: list[str]
    rows: list[list[Estimate]]
    notes: list[str]
    keys: int  # columns that say which point a row is
    rows_left_out: int = 0
    columns_left_out: tuple[str, ...] = ()
    points: tuple[int, ...] = ()  # of every row, the number of its point
    noun: str = "points"  # what the rows are that are left out
    mark: str = ""  # what a mark at an entry means

    @property
    def left_out(self) -> list[str]:
        """Omissions of the table: the number of its rows, and its columns by name."""
        rows = [f"{self.rows_left_out} further {self.noun}"] * bool(self.rows_left_out)
        return [*rows, *self.columns_left_out]

    @property
    def texts(self) -> list[list[str]]:
        """The texts of all rows."""
        return list(map(entry_texts, self.rows))

    def column(self, name: str) -> list[Estimate]:
        """Entries of a column."""
        index = self.columns.index(name)
        return [row[index] for row in self.rows]


def entry_texts(entries: Iterable[Estimate]) -> list[str]:
    """Texts of the entries of a row or a column."""
    return [entry.text for entry in entries]


def answer_table(
    study: StudyTables,
    data: Dataset,
    points: ResultPoints,
    most_rows: int | None,
    most_columns: int,
    *,
    constants: bool = False,
    blocks: Sequence[Table] | None,
) -> AnswerTable:
    """Table of at most so many rows, where claims change and evenly between, and columns.

    A point has the rows of its list of ``blocks``, by default those of `blocks_of`. A column with one text in
    all rows is stated in a note instead, unless ``constants`` are wanted too, with those that were changed
    from the study, or no column varies.
    """
    words = Words(study)
    lines, total, noun = _lines(points, blocks_of(points) if blocks is None else blocks, most_rows)
    rows = [line.point for line in lines]
    keys = _keys(study, points, rows, words, constants=constants)
    columns = _columns_of(data, lines, words, constants=constants)
    columns = {name: entries for name, entries in columns.items() if any(entry_texts(entries))}
    shared = {} if constants else _shared(columns, lines, complete=total == len(lines))
    if len(shared) == len(columns) > 1:  # else a table of nothing but points
        shared = {name: text for name, text in shared.items() if _is_of_points(name)}
    notes = [f"{name}: {text}" for name, text in shared.items() if (name, text) not in USUAL]
    visible = [name for name in columns if name not in shared]
    if "status" in visible and {*entry_texts(columns["status"])} <= {"converged", "completed"}:
        visible.remove("status")
    limit = max(most_columns - len(keys), 1)
    visible, hidden = visible[:limit], visible[limit:]
    if "claim" in hidden:  # the claim is always shown
        hidden = [visible.pop(), *(name for name in hidden if name != "claim")]
        visible.append("claim")
    table = keys | {name: columns[name] for name in visible}
    entries = list(map(list, zip(*table.values(), strict=True)))
    places = tuple(line.number for line in lines)
    return AnswerTable(
        list(table), entries, notes, len(keys), total - len(lines), tuple(hidden), places, noun
    )


def _is_of_points(name: str) -> bool:
    """True for what is known of a point beside its quantities."""
    return name.startswith(("n, ", "largest gain")) or name in ("n", "status", "claim")


def _columns_of(data: Dataset, lines: Sequence[Line], words: Words, *, constants: bool) -> ColumnEntries:
    """Columns of quantities, of strategies and lists, and of what is known of results."""
    rows, quantities = [line.point for line in lines], _quantities(lines)
    in_lines = in_order([list(line.row) for line in lines])
    has_payoffs = any(name.startswith("payoff, ") for name in in_lines)
    columns: ColumnEntries = {}
    for name in quantities:
        if name == "profile":
            columns["strategies"] = _strategies(lines)
        elif name != "payoff" or not has_payoffs:
            is_listed = data[name].ndim > data["status"].ndim
            names = [point.entries(name) for point in rows] if is_listed else None
            columns |= _columns(heading(data, name, words), [line.values(name) for line in lines], names)
    if any(point.repeats for point in rows):
        columns |= _counts(data, lines, words)
    if any(not columns or not point.quantities for point in rows):  # what is known of them beside the claim
        columns["strategies"] = _strategies(lines)
    for name in in_lines:
        columns[name] = [_in_cell(line.row.get(name, EMPTY)) for line in lines]
    if rows and "regret" not in quantities:
        gains = [line.point.largest_gain for line in lines]
        if not constants and all(point.claims.keys() <= {"equilibrium"} for point in rows):
            # one bound of all equilibria is a note
            largest = max(rows, key=lambda point: point.largest_bound).largest_gain
            columns[f"largest gain{rows[0].per_period}"] = [largest] * len(lines)
        else:
            columns[f"largest gain{rows[0].per_period}"] = _in_first(lines, gains)
    columns["best choice"] = _in_first(lines, [Estimate(_shortened(point.best_choice)) for point in rows])
    # lists that are complete show how many there are
    counted = not constants and not any(point.undecided for point in rows)
    counts = [line.point.completeness * (not (line.row and counted)) for line in lines]
    columns["equilibria"] = _in_first(lines, list(map(Estimate, counts)))
    columns["status"] = _in_first(lines, [Estimate(point.status) for point in rows])
    if "claim" not in in_lines:
        claims = [_claim(line.point) * line.block.claims(line.k) for line in lines]
        columns["claim"] = list(map(Estimate, claims))
    return columns


def _strategies(lines: Sequence[Line]) -> list[Estimate]:
    """Profiles in words, as far as a cell has the space."""
    return [Estimate(_shortened(line.strategies)) for line in lines]


def _in_first(lines: Sequence[Line], entries: Sequence[Estimate]) -> list[Estimate]:
    """Entries of points, each in one row of its point."""
    column = [EMPTY] * len(lines)
    for k, line in enumerate(lines):
        if line.first:
            column[k] = entries[k]
    return column


def _quantities(lines: Sequence[Line]) -> list[str]:
    """Quantities of the points of rows, in their order."""
    names: dict[str, None] = {}
    for line in lines:
        names |= dict.fromkeys(line.point.quantities)
    return list(names)


def _keys(
    study: StudyTables,
    points: ResultPoints,
    rows: ResultPoints,
    words: Words,
    *,
    constants: bool,
) -> ColumnEntries:
    """Columns that say which point a row is."""
    keys: ColumnEntries = {}
    if len(methods_of(points)) > 1:
        keys["method"] = [Estimate(words.method(point.algorithm)) for point in rows]
    swept = keys_of(points)
    for name in swept:
        if constants or not _is_implied(name, swept, points, words):
            keys[words.key(name)] = [_coordinate(point.at, name, words) for point in rows]
    for change in fixed_changes(study) if constants else ():
        value = _coordinate({change.name: change.after[0]}, change.name, words)
        keys.setdefault(words.key(change.name), [value] * len(rows))
    return keys


def _shared(
    columns: Mapping[str, Sequence[Estimate]], lines: Sequence[Line], *, complete: bool
) -> dict[str, str]:
    """Columns with one text in all rows; those of lists only if these are ``complete``.

    What is known of points is in one row each. A claim is shared only where every row has it.
    """
    shared: dict[str, str] = {}
    for name, entries in columns.items():
        in_lines = any(name in line.row for line in lines)
        of_rows = in_lines or name == "claim"
        rows = zip(entries, lines, strict=True)
        texts = {entry.text for entry, line in rows if of_rows or line.first}
        may_be = not in_lines or (complete and name in CONSTANT)
        if len(lines) > 1 and len(texts) == 1 and may_be:
            shared[name] = texts.pop()
    return shared


def _is_implied(name: str, swept: Sequence[str], points: ResultPoints, words: Words) -> bool:
    """True for a key with lists of numbers that follow from the words for another key."""
    having = [point for point in points if name in point.at]
    if not any(words.value(point.at[name]).startswith(("[", "{")) for point in having):
        return False
    for other_key in swept:
        labelled = [point for point in having if other_key in point.at]
        labelled = [point for point in labelled if words.is_labelled(other_key, point.at[other_key])]
        if other_key == name or len(labelled) < len(having):
            continue
        pairs = {point_by(point, (other_key, name)) for point in having}
        if len(pairs) == len(values_of(having, other_key)) > 1:
            return True
    return False


class Line(NamedTuple):
    """A row of a table: its point, the list that the row is of, and its place in it."""

    point: PointResults
    number: int  # of the point
    block: Table
    k: int
    first: bool = True  # whether it is that of the point's profile, which has what is known of the point

    @property
    def row(self) -> Row:
        """Entries of the list."""
        return self.block.rows[self.k]

    @property
    def strategies(self) -> str:
        """The profile in words, where the row has no columns of strategies."""
        return "" if self.row else self.point.profile_words

    def values(self, quantity: str) -> tuple[Estimate, ...]:
        """Quantity of the point, in one row; none of which the list has columns."""
        hidden = not self.first or self.block.covers(quantity)
        return () if hidden else self.point.quantities.get(quantity, ())


def blocks_of(
    points: ResultPoints,
    *,
    numbers: bool = False,
    lists: bool = True,
    paths: bool = True,
    strategies: bool = False,
) -> list[Table]:
    """Rows of every point: those of its list, or one; of a curve only if ``paths`` are wanted.

    ``strategies``: a row has the strategies of its profile also where a point has other quantities.
    """
    blocks: list[Table | None] = [None] * len(points)
    if lists and points and has_lists(points[0]):
        for k, point in enumerate(points):
            block = list_of(point, numbers=numbers)
            if block and (paths or not block.path):
                blocks[k] = block
    has_block, tables = any(blocks), []
    for point, block in zip(points, blocks, strict=True):
        row: Row = {}
        # quantities are made where they are looked up, which few of many points need
        is_told = numbers and (not point.quantities or "profile" in point.quantities)
        # strategies have the same columns in all rows
        if not block and (has_block or strategies or is_told):
            row = profile_row(point, numbers=numbers, payoffs=has_block)
        tables.append(block or Table([row], "profiles", claimed="all"))
    return tables


def _lines(
    points: ResultPoints, blocks: Sequence[Table], max_rows: int | None
) -> tuple[list[Line], int, str]:
    """Rows of a table, at most so many, the number of all, and what they are."""
    places, longest = _fitting([len(block.rows) for block in blocks], max_rows, points)
    lines: list[Line] = []
    for k in places:
        block, count = blocks[k], min(len(blocks[k].rows), longest)
        indices = np.arange(count)
        if block.path and max_rows is not None:
            count = count if len(places) == 1 else min(count, ON_PATH)
            indices = np.unique(
                [*np.linspace(0, block.main, max(count - 1, 1)).astype(int), len(block.rows) - 1]
            )
        lines += [Line(points[k], k, block, int(j), first=j == block.main) for j in indices]
    noun, *further = {block.noun.replace("profiles", "points") for block in blocks} or {"points"}
    return lines, sum(len(block.rows) for block in blocks), "rows" if further else noun


def _fitting(counts: Sequence[int], max_rows: int | None, points: ResultPoints) -> tuple[list[int], int]:
    """Points that a table has, and of how many rows each, so that it has at most so many.

    >>> _fitting([1, 13], 12, ()), _fitting([2, 2], None, ())
    (([0, 1], 11), ([0, 1], 2))
    """
    all_points, longest = list(range(len(counts))), max(counts, default=0)
    if max_rows is None or sum(counts) <= max_rows:
        return all_points, longest
    if longest == 1:
        return spread_points(points, max_rows), 1
    size = min(len(counts), max_rows)
    while True:
        places = spread_points(points, size) if size < len(counts) else all_points
        chosen_counts = np.array([counts[k] for k in places])
        caps = np.arange(1, max_rows + 1)
        cap = int(np.sum(np.minimum.outer(caps, chosen_counts).sum(axis=1) <= max_rows))
        if size == 1 or cap >= min(SHORTEST, chosen_counts.max()):
            return places, max(cap, 1)
        size -= max(size // 20, 1)


SHORTEST, ON_PATH = 3, 5  # fewest rows of a list that is cut; most of a curve beside other results


def _in_cell(entry: Estimate) -> Estimate:
    return entry._replace(text=_shortened(entry.text))


USUAL = {("status", "converged"), ("status", "completed"), ("n", "1")}
"""Entries that every row may have without being worth a note."""


def _coordinate(at: Mapping[str, Any], name: str, words: Words) -> Estimate:
    """Value of a key at a point, which may lack it."""
    if name not in at:
        return EMPTY
    text = words.value(at[name])
    return exactly(text, float(at[name])) if is_number(at[name]) else Estimate(text)


def _columns(
    name: str, entries: Sequence[Sequence[Estimate]], entry_names: Sequence[Sequence[str]] | None = None
) -> ColumnEntries:
    """Columns of a quantity: one, or one per player where players differ anywhere.

    An estimate without a name is that of all players, with the ``entry_names`` per row.
    """
    names = dict.fromkeys(estimate.entry for estimate in chain.from_iterable(entries) if estimate.entry)
    if not names:
        return {name: [(*row, EMPTY)[0] for row in entries]}
    columns: ColumnEntries = {f"{name}, {entry}": [] for entry in names}
    for k, row in enumerate(entries):
        by_entry = {estimate.entry: estimate for estimate in row}
        names_of_row = entry_names[k] if entry_names else ()
        for entry in names:
            of_all = EMPTY if names_of_row and entry not in names_of_row else by_entry.get("", EMPTY)
            columns[f"{name}, {entry}"].append(by_entry.get(entry, of_all))
    return columns


def _counts(data: Dataset, lines: Sequence[Line], words: Words) -> ColumnEntries:
    """Of how many results means are, and of how many sessions those of a quantity that has them."""
    results = [line.point.results for line in lines]
    counts: dict[str, list[int]] = {}  # -1 of a point without the quantity
    for name in _quantities(lines):
        column = counts[name] = []
        for line in lines:
            column.append(line.point.sample_size(name) if name in line.point.quantities else -1)
    of_rows = [{*row} - {-1} for row in zip(*counts.values(), strict=True)]
    columns = {"n": results}
    if of_rows and all(len(row) == 1 for row in of_rows):
        columns = {"n": [row.pop() for row in of_rows]}
    else:
        for name, column in counts.items():
            if any(n not in (-1, total) for n, total in zip(column, results, strict=True)):
                columns[f"n, {heading(data, name, words)}"] = column
    return {name: _in_first(lines, list(map(_count, column))) for name, column in columns.items()}


def _count(number: int) -> Estimate:
    """Number of results, empty where it is negative."""
    return exactly(str(number), number) if number >= 0 else EMPTY


def _shortened(text: str) -> str:
    """Text of few characters, cut between strategies, or between the numbers of a long one.

    >>> _shortened("(stag 0.25, hare 0.75), (stag 0.123456789, hare 0.876543211), (stag 0.5, hare 0.5)")
    '(stag 0.25, hare 0.75), …'
    """
    if len(text) <= TEXT:
        return text
    places = [match.start() for match in re.finditer(", ", text) if match.start() <= TEXT - 3]
    balanced = [k for k in places if all(text.count(a, 0, k) == text.count(b, 0, k) for a, b in ("()", "[]"))]
    return f"{text[: (balanced or places)[-1]]}, …" if places else f"{text[: TEXT - 1]}…"


def _claim(point: PointResults) -> str:
    """Claim, with the largest gain that it leaves open, and of how many sessions."""
    if point.claim in WITH_GAIN:
        return f"{point.claim}: {gain_in_words(point.gain, point.claim)}"
    if point.sessions and point.claim == "not an equilibrium":
        count, total = point.sessions
        return f"{point.claim} in {total - count} of {total} sessions"
    return point.claim


def spread_points(points: ResultPoints, max_points: int) -> list[int]:
    """Indices of at most ``max_points`` points: both ends of every stretch of one claim, and between."""
    if len(points) <= max_points:
        return list(range(len(points)))
    kinds = [
        (point.algorithm, frozenset(point.claims), frozenset(point.statuses), point.completeness)
        for point in points
    ]
    edges = {k for k, (kind, next_kind) in enumerate(pairwise(kinds)) if kind != next_kind}
    ends = sorted({0, len(points) - 1, *edges, *(k + 1 for k in edges)})
    if len(ends) >= max_points:
        return [ends[k] for k in np.unique(np.linspace(0, len(ends) - 1, max_points).round().astype(int))]
    even = np.linspace(0, len(points) - 1, max_points - len(ends)).round().astype(int)
    return sorted({*ends, *map(int, even)})


def has_lists(point: PointResults) -> bool:
    """True if any result of a run may have tables of its own."""
    return not TABLES.keys().isdisjoint(point.arrays)


def list_of(point: PointResults, *, numbers: bool) -> Table | None:
    """List that a result holds; None without one.

    With ``numbers`` every number has a column of its own, and without them every player.
    """
    if len(point.arrays["status"]) != 1:
        return None
    tables = (table for table in tables_of(reader_of(point, numbers=numbers)) if not table.beside)
    return next(tables, None)


def profile_row(point: PointResults, *, numbers: bool = False, payoffs: bool = True) -> Row:
    """Strategies and payoffs at a profile; empty where results have different ones.

    With ``numbers``, means over replications have their intervals.
    """
    reader, profile = reader_of(point, numbers=numbers), point.profile
    if profile is None or np.isnan(profile).all(axis=-1).any():
        return {}
    radius = reader.array("radius") if len(profile) == 1 else None
    # of a list, whose first equilibrium is the profile
    within = float(np.nan_to_num(radius[0])) if radius is not None else 0.0
    row = reader.strategies("profile", profile[0], point.actions, within)
    if not np.allclose(profile, profile[0], equal_nan=True):
        if not numbers or point.repeats == "starts":
            return {}
        mean = reader.strategies("profile", profile.mean(axis=0), point.actions)
        half = reader.strategies("profile", half_width(profile), point.actions)
        row = {}
        for name, entry in mean.items():
            width = half[name].mean
            row[name] = entry._replace(low=entry.mean - width, high=entry.mean + width)
    return row | (reader.payoffs(point.payoff[0]) if point.payoff is not None and payoffs else {})


def reader_of(point: PointResults, *, numbers: bool = False) -> Reader:
    """Arrays of the first result of a point, with the names of its study."""
    stakes = point.at_stake
    return Reader(
        point.of_first,
        point.words,
        players=point.players,
        axes=partial(_axes, point),
        numbers=numbers,
        stake=float(np.nanmax(stakes)) if np.isfinite(stakes).any() else 0.0,
        swept=map(point.words.key, point.at),
        stated=point.quantities,
    )


def _axes(point: PointResults, variable: str) -> np.ndarray:
    """Labels of a variable's coordinates of strategies."""
    array = point.variable(variable)
    if array is not None and "axis" in array.coords:
        return np.asarray(array.coords["axis"].values)
    return np.ravel(point.arrays.get("axis_name", np.array([[]]))[0])

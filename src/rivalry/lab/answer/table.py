"""The printed table of a run: swept keys, the study's quantities and the claim, a row per point."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.results import WITH_GAIN, gain_in_words
from rivalry.lab.answer.places import methods_of
from rivalry.lab.answer.points import PointResults
from rivalry.lab.study.questions import fixed_changes
from rivalry.lab.study.words import Words, heading
from rivalry.results import TABLES, tables_of
from rivalry.results.reader import Reader
from rivalry.results.table import CONSTANT, Estimate, Row, Table, in_order
from rivalry.text.statistics import half_width

if TYPE_CHECKING:
    from xarray import Dataset

MOST_COLUMNS = 14
TEXT = 60  # characters of a profile in the table


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
        return [[entry.text for entry in row] for row in self.rows]


def answer_table(
    study: Mapping[str, Any],
    data: Dataset,
    points: Sequence[PointResults],
    most_rows: int | None = None,
    most_columns: int = MOST_COLUMNS,
    *,
    constants: bool = False,
    blocks: Sequence[Table] | None = None,
) -> AnswerTable:
    """Return the table of at most so many rows, where claims change and evenly between, and columns.

    A point has the rows of its list of ``blocks``, by default those of `blocks_of`. A column with one text in
    all rows is stated in a note instead, unless ``constants`` are wanted too, with those that were changed
    from the study, or no column varies.
    """
    words = Words(study)
    lines, total, noun = _lines(points, blocks_of(points) if blocks is None else blocks, most_rows)
    rows = [line.point for line in lines]
    keys = _keys(study, points, rows, words, constants=constants)
    columns: dict[str, list[Estimate]] = {}
    in_lines = {name for line in lines for name in line.row}
    point_quantities = dict.fromkeys(name for point in rows for name in point.quantities)
    for name in point_quantities:
        if name == "profile":
            columns["strategies"] = [Estimate(_shortened(line.strategies)) for line in lines]
        elif name != "payoff" or not any(column.startswith("payoff, ") for column in in_lines):
            is_listed = data[name].ndim > data["status"].ndim
            names = [point.entries(name) for point in rows] if is_listed else None
            columns |= _columns(heading(data, name, words), [line.values(name) for line in lines], names)
    if any(point.repeats for point in rows):
        columns |= _counts(data, lines, words)
    if any(not columns or not point.quantities for point in rows):  # what is known of them beside the claim
        columns["strategies"] = [Estimate(_shortened(line.strategies)) for line in lines]
    for name in in_order([list(line.row) for line in lines]):
        columns[name] = [_in_cell(line.row.get(name, Estimate(""))) for line in lines]
    if "regret" not in point_quantities:
        gains = [line.point.largest_gain if line.first else Estimate("") for line in lines]
        if not constants and all(line.point.claims.keys() <= {"equilibrium"} for line in lines):
            # one bound of all equilibria is a note
            gains = [max(rows, key=lambda point: point.largest_bound).largest_gain] * len(lines)
        columns[f"largest gain{rows[0].per_period if rows else ''}"] = gains
    # lists that are complete show how many there are
    counted = not constants and not any(point.undecided for point in rows)
    point_columns = {
        "best choice": [_shortened(point.best_choice) for point in rows],
        "equilibria": ["" if line.row and counted else line.point.counts_text for line in lines],
        "status": [point.status for point in rows],
    }
    columns |= {
        name: [Estimate(text if line.first else "") for line, text in zip(lines, texts, strict=True)]
        for name, texts in point_columns.items()
    }
    if "claim" not in in_lines:
        columns["claim"] = [
            Estimate(_claim(line.point) if line.block.claims(line.k) else "") for line in lines
        ]
    columns = {name: entries for name, entries in columns.items() if any(entry.text for entry in entries)}
    shared = {} if constants else _shared(columns, lines, in_lines, complete=total == len(lines))
    if len(shared) == len(columns) > 1:  # else a table of nothing but points
        shared = {
            name: text
            for name, text in shared.items()
            if name.startswith(("n, ", "largest gain")) or name in ("n", "status", "claim")
        }
    notes = [f"{name}: {text}" for name, text in shared.items() if (name, text) not in USUAL]
    columns = {name: entries for name, entries in columns.items() if name not in shared}
    columns.pop("status", None) if _usual(columns.get("status")) else None
    hidden = tuple(list(columns)[max(most_columns - len(keys), 1) :])
    claim_column = "claim" if "claim" in hidden else ""  # the claim is always shown
    visible = [name for name in columns if name not in hidden]
    if claim_column and visible:
        hidden = (visible.pop(), *(name for name in hidden if name != claim_column))
        visible.append(claim_column)
    table = keys | {name: columns[name] for name in visible}
    entries = [list(row) for row in zip(*table.values(), strict=True)]
    places = tuple(line.number for line in lines)
    return AnswerTable(list(table), entries, notes, len(keys), total - len(lines), hidden, places, noun)


def _keys(
    study: Mapping[str, Any],
    points: Sequence[PointResults],
    rows: Sequence[PointResults],
    words: Words,
    *,
    constants: bool,
) -> dict[str, list[Estimate]]:
    """Return the columns that say which point a row is."""
    keys: dict[str, list[Estimate]] = {}
    if len(methods_of(points)) > 1:
        keys["method"] = [Estimate(words.method(point.algorithm)) for point in rows]
    swept = list(dict.fromkeys(name for point in points for name in point.at))
    for name in swept:
        if constants or not _is_implied(name, swept, points, words):
            keys[words.key(name)] = [
                _coordinate(point.at[name], words) if name in point.at else Estimate("") for point in rows
            ]
    for change in fixed_changes(study) if constants else ():
        keys.setdefault(words.key(change.name), [_coordinate(change.after[0], words)] * len(rows))
    return keys


def _shared(
    columns: Mapping[str, Sequence[Estimate]], lines: Sequence[Line], in_lines: set[str], *, complete: bool
) -> dict[str, str]:
    """Return the columns with one text in all rows; those of lists only if these are ``complete``.

    What is known of points is in one row each. A claim is shared only where every row has it.
    """
    shared: dict[str, str] = {}
    for name, entries in columns.items():
        of_rows = name in in_lines or name == "claim"
        rows = zip(entries, lines, strict=True)
        texts = {entry.text for entry, line in rows if of_rows or line.first}
        may_be = name not in in_lines or (complete and name in CONSTANT)
        if len(lines) > 1 and len(texts) == 1 and may_be:
            shared[name] = texts.pop()
    return shared


def _is_implied(name: str, swept: Sequence[str], points: Sequence[PointResults], words: Words) -> bool:
    """True for a key with lists of numbers that follow from the words for another key."""
    pairs = [point.at for point in points if name in point.at]
    if not any(words.value(at[name]).startswith(("[", "{")) for at in pairs):
        return False
    for other_key in swept:
        if other_key != name and all(
            other_key in at and words.is_labelled(other_key, at[other_key]) for at in pairs
        ):
            values = {str(at[other_key]) for at in pairs}
            if len({(str(at[other_key]), str(at[name])) for at in pairs}) == len(values) > 1:
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
        """Return a quantity of the point, in one row; none of which the list has columns."""
        hidden = not self.first or self.block.covers(quantity)
        return () if hidden else self.point.quantities.get(quantity, ())


def blocks_of(
    points: Sequence[PointResults],
    *,
    numbers: bool = False,
    lists: bool = True,
    paths: bool = True,
    strategies: bool = False,
) -> list[Table]:
    """Return the rows of every point: those of its list, or one; of a curve only if ``paths`` are wanted.

    ``strategies``: a row has the strategies of its profile also where a point has other quantities.
    """
    lists = lists and bool(points) and has_lists(points[0])
    result_lists = {
        k: point_list
        for k, point in enumerate(points)
        if lists and (point_list := list_of(point, numbers=numbers))
    }
    result_lists = {k: block for k, block in result_lists.items() if paths or not block.path}
    rows: dict[int, Row] = {}
    if result_lists or numbers or strategies:  # strategies have the same columns in all rows
        rows = {
            k: profile_row(point, numbers=numbers, payoffs=bool(result_lists))
            for k, point in enumerate(points)
            if k not in result_lists
            and (result_lists or strategies or not point.quantities or "profile" in point.quantities)
        }
    return [
        result_lists.get(k) or Table([rows.get(k, {})], "profiles", claimed="all") for k in range(len(points))
    ]


def _lines(
    points: Sequence[PointResults], blocks: Sequence[Table], max_rows: int | None
) -> tuple[list[Line], int, str]:
    """Return at most so many rows of a table, the number of all, and what they are."""
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
    nouns = {block.noun for block in blocks}
    noun = "points" if nouns <= {"profiles"} else nouns.pop() if len(nouns) == 1 else "rows"
    return lines, sum(len(block.rows) for block in blocks), noun


def _fitting(
    counts: Sequence[int], max_rows: int | None, points: Sequence[PointResults]
) -> tuple[list[int], int]:
    """Return the points that a table has, and of how many rows each, so that it has at most so many.

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
"""What every row may have without being worth a note."""


def _usual(entries: Sequence[Estimate] | None) -> bool:
    return entries is not None and {entry.text for entry in entries} <= {"converged", "completed"}


def _coordinate(value: object, words: Words) -> Estimate:
    text = words.value(value)
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")
    return Estimate(text, number, number, number)


def _number(value: int) -> Estimate:
    return Estimate(str(value), value, value, value)


def _columns(
    name: str, entries: Sequence[Sequence[Estimate]], entry_names: Sequence[Sequence[str]] | None = None
) -> dict[str, list[Estimate]]:
    """Return a quantity's columns: one, or one per player where players differ anywhere.

    An estimate without a name is that of all players, with the ``entry_names`` per row.
    """
    names = list(dict.fromkeys(estimate.entry for row in entries for estimate in row if estimate.entry))
    if not names:
        return {name: [row[0] if row else Estimate("") for row in entries]}
    columns = {f"{name}, {entry}": [Estimate("")] * len(entries) for entry in names}
    for k, row in enumerate(entries):
        by_entry = {estimate.entry: estimate for estimate in row}
        for entry in names:
            is_listed = entry_names is None or not entry_names[k] or entry in entry_names[k]
            estimate = by_entry.get(entry, by_entry.get("") if is_listed else None)
            columns[f"{name}, {entry}"][k] = estimate or Estimate("")
    return columns


def _counts(data: Dataset, lines: Sequence[Line], words: Words) -> dict[str, list[Estimate]]:
    """Return of how many results means are, and of how many sessions those of a quantity that has them."""
    results: list[int | None] = [line.point.results for line in lines]
    counts_by_name = {
        name: [line.point.sample_size(name) if name in line.point.quantities else None for line in lines]
        for name in dict.fromkeys(name for line in lines for name in line.point.quantities)
    }
    of_row = [set(counts) - {None} for counts in zip(*counts_by_name.values(), strict=True)]
    if of_row and all(len(counts) == 1 for counts in of_row):
        columns = {"n": [counts.pop() for counts in of_row]}
    else:
        columns = {"n": results}
        for name, counts in counts_by_name.items():
            if any(n not in (None, result_count) for n, result_count in zip(counts, results, strict=True)):
                columns[f"n, {heading(data, name, words)}"] = counts
    return {
        name: [
            _number(n) if n is not None and line.first else Estimate("")
            for line, n in zip(lines, counts, strict=True)
        ]
        for name, counts in columns.items()
    }


def _shortened(text: str) -> str:
    """Return a text of few characters, cut between strategies, or between the numbers of a long one.

    >>> _shortened("(stag 0.25, hare 0.75), (stag 0.123456789, hare 0.876543211), (stag 0.5, hare 0.5)")
    '(stag 0.25, hare 0.75), …'
    """
    if len(text) <= TEXT:
        return text
    places = [match.start() for match in re.finditer(", ", text) if match.start() <= TEXT - 3]
    balanced = [k for k in places if all(text[:k].count(a) == text[:k].count(b) for a, b in ("()", "[]"))]
    return f"{text[: (balanced or places)[-1]]}, …" if places else f"{text[: TEXT - 1]}…"


def _claim(point: PointResults) -> str:
    """Return the claim, with the largest gain that it leaves open, and of how many sessions."""
    if point.claim in WITH_GAIN:
        return f"{point.claim}: {gain_in_words(point.gain, point.claim)}"
    if point.sessions and point.claim == "not an equilibrium":
        count, total = point.sessions
        return f"{point.claim} in {total - count} of {total} sessions"
    return point.claim


def spread_points(points: Sequence[PointResults], max_points: int) -> list[int]:
    """Indices of at most ``max_points`` points: both ends of every stretch of one claim, and between."""
    if len(points) <= max_points:
        return list(range(len(points)))
    kinds = [
        (point.algorithm, frozenset(point.claims), frozenset(point.statuses), point.counts_text)
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


def list_of(point: PointResults, *, numbers: bool = False) -> Table | None:
    """Return the list that a result holds; None without one.

    With ``numbers`` every number has a column of its own, and without them every player.
    """
    if len(point.arrays["status"]) != 1:
        return None
    tables = (table for table in tables_of(reader_of(point, numbers=numbers)) if not table.beside)
    return next(tables, None)


def profile_row(point: PointResults, *, numbers: bool = False, payoffs: bool = True) -> Row:
    """Return strategies and payoffs at a profile; empty where results have different ones.

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
    """Return the arrays of the first result of a point, with the names of its study."""
    stakes = point.at_stake
    return Reader(
        point.of_result(0),
        point.words,
        players=point.players,
        axes=partial(_axes, point),
        numbers=numbers,
        stake=float(np.nanmax(stakes)) if np.isfinite(stakes).any() else 0.0,
        swept=map(point.words.key, point.at),
        stated=point.quantities,
    )


def _axes(point: PointResults, variable: str) -> np.ndarray:
    """Return the labels of a variable's coordinates of strategies."""
    array = point.variable(variable)
    if array is not None and "axis" in array.coords:
        return np.asarray(array.coords["axis"].values)
    return np.ravel(point.arrays.get("axis_name", np.array([[]]))[0])

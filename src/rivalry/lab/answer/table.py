"""The table of a run: swept keys, the study's quantities and the claim, a row per point or equilibrium."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, product
from math import prod
from textwrap import shorten
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from rivalry.core.claims import CLAIMS, NONE_EXISTS, REFUTED, UNCERTIFIED
from rivalry.lab.answer.points import SETTLED, PointResults, ResultPoints, keys_of, methods_of
from rivalry.lab.study.identity import StudyTables
from rivalry.lab.study.questions import fixed_changes
from rivalry.lab.study.words import Words, answer_keys, heading, quantities, quantities_of_answer
from rivalry.results import functions_of_tables, tables_of
from rivalry.results.letters import difference_column, letter_columns
from rivalry.results.reader import Reader
from rivalry.results.table import (
    CLAIM,
    CONSTANT,
    DIGITS,
    EMPTY,
    GAIN,
    UNKNOWN,
    Estimate,
    Row,
    Table,
    around,
    exactly,
    in_order,
    rows_with_turns,
)
from rivalry.schema.construction import is_number
from rivalry.text.statistics import format_chance, format_interval, half_width

if TYPE_CHECKING:
    from xarray import Dataset

Columns = dict[str, list[Estimate]]
MOST_COLUMNS, EVERY = 14, 10_000
MOST_CAVEATS = 3  # on all surfaces but the report
TEXT = 60  # characters of an entry
SHORTEST = 3  # fewest rows of a list that is cut
CANDIDATES = 2000  # points among which a cut chooses, besides those at which claims change
POINT = Table([{}], "points", claimed="all")  # of a point without a list
DIFFERENCE = "difference"
METHOD = "method"
BLOCKS = 6
ACROSS = 8  # values across
FEWEST = 6  # entries of a block; fewer are a list
WIDE = 24  # characters of a cell; longer texts stand in the list only
FILLED = (
    0.6  # least share of the cells that have a point; in a sparser table, as of a zip, most would be empty
)
MARK = "†"
ONCE = re.compile(r"(claim|status|n|largest gain.*)$")  # columns that are told below
T = TypeVar("T")


class Line(NamedTuple):
    """A row of a table: its point, the point's list, and its entries there, or its strategies."""

    point: PointResults
    number: int  # of the point
    table: Table
    k: int
    row: Row

    @property
    def is_main(self) -> bool:
        """True for the row of the point's profile, which has what is known of the point."""
        return self.k == self.table.main

    def values(self, quantity: str) -> tuple[Estimate, ...]:
        """Quantity of the point, in one row; none of which the list has columns."""
        hidden = not self.is_main or self.table.covers(quantity)
        return () if hidden else self.point.quantities.get(quantity, ())

    def size(self, quantity: str) -> int:
        """Number of results, or sessions, that the quantity is a mean over; 0 where it is missing."""
        return self.point.sample_size(quantity) if quantity in self.point.quantities else 0


def tables_by_method(
    study: StudyTables, data: Dataset, points: ResultPoints, rows: int | None, columns: int
) -> list[tuple[str, Table]]:
    """Tables of at most so many rows and columns, each with its heading; none without results.

    One without a heading, or one per method where these have lists of different things.
    """
    make, lists = partial(answer_table, study, data), lists_of(study, points)
    if len({table.noun for table in lists if table is not POINT}) < 2:
        return [("", make(points, rows, columns))] if points else []
    tables = []
    for name in methods_of(points):
        numbers = [k for k, point in enumerate(points) if point.algorithm == name]
        table = make([points[k] for k in numbers], rows, columns)
        of_run = tuple((numbers[k],) for (k,) in table.points)
        tables.append((Words(study).method(name), table._replace(points=of_run)))
    return tables


def answer_table(
    study: StudyTables,
    data: Dataset,
    points: ResultPoints,
    rows: int | None,
    columns: int,
    *,
    full: bool = False,
    is_compared: bool = True,
) -> Table:
    """Table of at most so many rows, which keep turns and changes of claims, and columns.

    A column with one text in all rows, or with those of another column, is a note. In ``full`` there are
    columns of everything, those of values changed from the study too, and every number of a strategy has one.
    Else rows are compared, unless ``is_compared`` is false: means have letters.
    """
    words = Words(study)
    lines, count, noun = _lines(study, data, points, rows, full=full)
    keys = keys_in_words(study, points, [line.point for line in lines], full=full)
    entries = _AnswerColumns(study, data, lines, words, full).all()
    entries = {name: column for name, column in entries.items() if any(entry.text for entry in column)}
    remarks: list[str] = []
    if is_compared and not full and not any(line.point.repeats == "starts" for line in lines):
        entries, remarks = _with_comparisons(study, entries, keys)
    notes = [] if full or len(lines) < 2 else _taken_out(entries, lines, is_cut=count > len(lines))
    named = keys | entries
    table = Table(
        [dict(zip(named, row, strict=True)) for row in zip(*named.values(), strict=True)],
        noun,
        keys=len(keys),
        notes=tuple(notes),
        remarks=tuple(remarks),
        rows_left_out=count - len(lines),
        points=tuple((line.number,) for line in lines),
    )
    return table.with_columns(columns)


def _with_comparisons(study: StudyTables, columns: Columns, keys: Columns) -> tuple[Columns, list[str]]:
    """Columns with letters at means, and the differences asked for of the first; and what these mean."""
    reference = answer_keys(study).get("difference")
    name, first = next(iter(columns.items()), ("", []))
    means = np.array([entry.mean for entry in first])
    of_means = {name: column for name, column in columns.items() if not name.startswith(GAIN)}
    lettered, remarks = letter_columns(of_means)
    columns = columns | lettered
    rows = np.flatnonzero(np.isfinite(means))
    if reference is None or not len(rows):
        return columns, remarks
    order = rows[np.argsort(means[rows])]
    row = int({"first": rows[0], "largest": order[-1], "smallest": order[0]}[reference])
    differences = difference_column(first, row)
    if not any(entry.text for entry in differences):
        return columns, remarks
    base = []
    for key, column in keys.items():
        entry = column[row]
        base += [f"{key} {entry.text}" if np.isfinite(entry.mean) else entry.text] * bool(entry.text)
    remarks.append(f"{DIFFERENCE}: of {name}, from {', '.join(base)}")
    return {name: columns.pop(name), DIFFERENCE: differences} | columns, remarks


def _taken_out(columns: Columns, lines: Sequence[Line], *, is_cut: bool) -> list[str]:
    """Take out columns with one text in all rows, or with the texts of another column; return notes of them.

    A list's columns stay, but those that a note may state; quantities stay where none would be left.
    """
    in_lists = set(chain.from_iterable(line.table.columns for line in lines))
    has_lists = not all(line.is_main for line in lines)
    notes: dict[str, str] = {}
    first_with: dict[tuple[str, ...], str] = {}
    for name, column in columns.items():
        # all other columns tell of a point, in its main row alone
        is_of_rows = name in in_lists or name == CLAIM or name.startswith(GAIN)
        entries = zip(column, lines, strict=True)
        texts = tuple(entry.text for entry, line in entries if is_of_rows or line.is_main)
        if name in in_lists:
            holds_in_all = name in CONSTANT and not is_cut
        else:
            # of a list, a quantity is that of the first profile, which says nothing of the others
            holds_in_all = is_of_rows or name == "equilibria" or not has_lists
        if len({*texts}) == 1 and holds_in_all:
            notes[name] = texts[0]
        elif len({*texts}) > 1 and texts in first_with and any(np.isfinite(entry.mean) for entry in column):
            notes[name] = f"as {first_with[texts]}"
        first_with.setdefault(texts, name)
    if all(map(ONCE.match, columns.keys() - notes.keys())):
        notes = {name: text for name, text in notes.items() if ONCE.match(name)}
    for name in notes:
        del columns[name]
    return [f"{name}: {text}" for name, text in notes.items()]


@dataclass(frozen=True)
class _AnswerColumns:
    """Columns of the rows of a table, by what they tell; ``full`` as in `answer_table`."""

    study: StudyTables
    data: Dataset
    lines: Sequence[Line]
    words: Words
    full: bool

    @cached_property
    def points(self) -> ResultPoints:
        return [line.point for line in self.lines]

    @cached_property
    def names(self) -> list[str]:
        return list(dict.fromkeys(chain.from_iterable(point.quantities for point in self.points)))

    def all(self) -> Columns:
        """Return all columns in order; some may be empty."""
        return self.results() | self.sizes() | self.gain() | self.certificates()

    def strategies(self) -> Columns:
        """Return the columns of strategies, or of the entries of lists."""
        columns: Columns = {}
        for name in in_order([list(line.row) for line in self.lines]):
            entries = [line.row.get(name, EMPTY) for line in self.lines]
            if not self.full:
                entries = [entry._replace(text=_shortened(entry.text)) for entry in entries]
            columns[name] = entries
        return columns

    def results(self) -> Columns:
        """Return the columns of quantities, with strategies at the place of the profile or behind them."""
        strategies = self.strategies()
        has_payoffs = any(name.startswith("payoff, ") for name in strategies)
        has_lists = not all(line.is_main for line in self.lines)
        # strategies identify the entries of a list; other quantities are those of its first profile
        columns = dict(strategies) if has_lists else {}
        for name in dict.fromkeys([*quantities_of_answer(self.study), *self.names]):
            if name == "profile":
                columns |= strategies
            elif name in self.names and not (name == "payoff" and has_payoffs):
                columns |= self.quantity(name)
        return columns | strategies

    def quantity(self, name: str) -> Columns:
        """Return the columns of a quantity: one, or one per player."""
        players = None
        if self.data[name].ndim > self.data["status"].ndim:
            players = [point.entries(name) for point in self.points]
        entries = [line.values(name) for line in self.lines]
        return _columns(heading(self.data, name, self.words), entries, players)

    def sizes(self) -> Columns:
        """Return the numbers of results, and those of each quantity that is a mean over others."""
        if not any(point.repeats for point in self.points):
            return {}
        totals = [point.results for point in self.points]
        sizes = {"n": totals}
        for name in self.names:
            counts = [line.size(name) for line in self.lines]
            if any(count not in (0, total) for count, total in zip(counts, totals, strict=True)):
                sizes[f"n, {heading(self.data, name, self.words)}"] = counts
        columns: Columns = {}
        for name, counts in sizes.items():
            pairs = zip(self.lines, counts, strict=True)
            columns[name] = [_in_main(line, str(count or ""), count) for line, count in pairs]
        return columns

    def gain(self) -> Columns:
        """Return the largest gain; none where it is a quantity of the answer."""
        if not self.points or "regret" in self.names:
            return {}
        gains = [point.largest_gain for point in self.points]
        if not self.full and all(point.claims.keys() <= {"equilibrium"} for point in self.points):
            # one bound of all equilibria
            weakest = max(self.points, key=lambda point: point.largest_bound)
            gains = [weakest.largest_gain] * len(gains)
        name = f"{GAIN}{max(point.per_period for point in self.points)}"
        column = []
        for line, gain in zip(self.lines, gains, strict=True):
            # the certificate is one of the profile, and of other rows only where it covers all
            certified = gain if line.is_main or line.table.claimed == "all" else EMPTY
            column.append(line.row.get(name, certified))
        return {name: column}

    def certificates(self) -> Columns:
        """Return the columns of best choices, completeness of lists, status and claims."""
        columns: Columns = {"best choice": [], "equilibria": [], "status": [], CLAIM: []}
        has_status = self.full or any(point.status not in SETTLED for point in self.points)
        for line in self.lines:
            point = line.point
            # that there is no equilibrium is the claim
            completeness = point.completeness * (point.completeness != point.claim)
            columns["best choice"].append(_in_main(line, _shortened(point.best_choice)))
            columns["equilibria"].append(_in_main(line, completeness))
            columns["status"].append(_in_main(line, point.status * has_status))
            covered = Estimate(_claim(point) * line.table.claims(line.k))
            columns[CLAIM].append(line.row.get(CLAIM, covered))
        return columns


def _in_main(line: Line, text: str, value: float = UNKNOWN) -> Estimate:
    """Entry of a point, in one of its rows."""
    return Estimate(text, value, value, value) if line.is_main and text else EMPTY


def keys_in_words(
    study: StudyTables, points: ResultPoints, selected: ResultPoints, *, full: bool = False
) -> Columns:
    """Method and swept keys of selected points, without lists of numbers that another key stands for."""
    words, keys = Words(study), Columns()
    absent = EMPTY if full else Estimate("–")  # not blank, as what repeats the row above
    if len(methods_of(points)) > 1:
        keys[METHOD] = [Estimate(words.method(point.algorithm)) for point in selected]
    for name in keys_of(points):
        keys[words.key(name)] = [_coordinate(point.at, name, words, absent) for point in selected]
    texts = {name: [entry.text for entry in entries] for name, entries in keys.items()}
    labelled = [column for column in texts.values() if column[:1] and not column[0].startswith(("[", "{"))]
    for name, column in texts.items():
        if not full and column not in labelled and any(in_step(column, label) for label in labelled):
            del keys[name]
    for change in fixed_changes(study) if full else ():
        value = _coordinate({change.name: change.after[0]}, change.name, words)
        keys.setdefault(words.key(change.name), [value] * len(selected))
    return keys


def _coordinate(at: Mapping[str, Any], name: str, words: Words, absent: Estimate = EMPTY) -> Estimate:
    """Value of a key at a point, ``absent`` for a key of other points."""
    if name not in at:
        return absent
    text = words.value(at[name])
    return exactly(text, float(at[name])) if is_number(at[name]) else Estimate(text)


def _columns(
    name: str, entries: Sequence[Sequence[Estimate]], entry_names: Sequence[Sequence[str]] | None = None
) -> Columns:
    """Columns of a quantity: one, or one per player where players differ anywhere.

    An estimate without a name is that of all players, with the ``entry_names`` per row.
    """
    names = dict.fromkeys(estimate.entry for estimate in chain.from_iterable(entries) if estimate.entry)
    if not names:
        return {name: [(*row, EMPTY)[0] for row in entries]}
    columns: Columns = {f"{name}, {entry}": [] for entry in names}
    for k, row in enumerate(entries):
        by_entry = {estimate.entry: estimate for estimate in row}
        names_of_row = entry_names[k] if entry_names else ()
        for entry in names:
            of_all = EMPTY if names_of_row and entry not in names_of_row else by_entry.get("", EMPTY)
            columns[f"{name}, {entry}"].append(by_entry.get(entry, of_all))
    return columns


def _claim(point: PointResults) -> str:
    """Claim, with the largest gain that it leaves open, and of how many sessions."""
    if point.sessions and point.claim == REFUTED:
        count, total = point.sessions
        return f"{point.claim} in {total - count} of {total} sessions"
    claim, *further = point.claims
    return point.claim if further else point.facts(claim).statement


def _lines(
    study: StudyTables, data: Dataset, points: ResultPoints, most: int | None, *, full: bool
) -> tuple[list[Line], int, str]:
    """Rows of a table, at most so many, the number of all, and what they are."""
    lists, numbers = lists_of(study, points, full=full), list(range(len(points)))
    counts = np.array([len(table.rows) for table in lists], int)
    total, longest = int(counts.sum()), int(counts.max(initial=0))
    if most is not None and total > most:
        numbers = _selected_points(study, data, points, max(most // min(SHORTEST, longest), 1))
        caps = np.arange(1, most + 1)
        totals = np.minimum.outer(caps, counts[numbers]).sum(axis=1)
        longest = max(int(np.sum(totals <= most)), 1)
    has_lists, names = any(table is not POINT for table in lists), quantities_of_answer(study)
    lines: list[Line] = []
    for number in numbers:
        point, table = points[number], lists[number]
        indices = np.arange(min(len(table.rows), longest))
        if table.path and most is not None:
            even = np.linspace(0, table.main, max(len(indices) - 1, 1)).astype(int)
            indices = np.unique([*even, len(table.rows) - 1])
        for k in indices.tolist():
            row = table.rows[k]
            # quantities are made where they are looked up, which few of many points need
            is_printed = has_lists or "profile" in names or "profile" in point.quantities
            if not row and (is_printed or not point.quantities):
                row = profile_row(point, numbers=full, payoffs=has_lists)
            lines.append(Line(point, number, table, k, row))
    noun, *further = {table.noun for table in lists} or {"points"}
    return lines, total, "rows" if further else noun


def _selected_points(study: StudyTables, data: Dataset, points: ResultPoints, most: int) -> list[int]:
    """Numbers of at most so many points: ends of stretches of one claim, and turns of the first quantity."""
    kinds = []
    for point in points:
        kinds.append((point.algorithm, {*point.claims}, {*point.statuses}, point.completeness))
    changes = [k for k in range(1, len(kinds)) if kinds[k] != kinds[k - 1]]
    even = np.linspace(0, len(points) - 1, min(CANDIDATES, len(points))).astype(int).tolist()
    numbers = sorted({*even, *changes, *(k - 1 for k in changes)})
    numeric = [name for name in quantities(study, data) if data[name].dtype.kind == "f"]
    values = np.zeros((len(numbers), 1))
    if numeric:
        results = (np.nan_to_num(points[k].arrays[numeric[0]], posinf=0.0, neginf=0.0) for k in numbers)
        values = np.array([array.mean(axis=0).ravel() for array in results])
    methods = answer_keys(study).get("methods") or methods_of(points)
    is_asked = np.array([points[k].algorithm in methods for k in numbers])
    candidate_kinds = [kinds[k] for k in numbers]
    return [numbers[k] for k in rows_with_turns(values, candidate_kinds, is_asked, most)]


def lists_of(study: StudyTables, points: ResultPoints, *, full: bool = False) -> list[Table]:
    """Lists of all points, `POINT` for one without.

    With ``full`` every number has a column of its own, else every player, and points of a curve are in full
    only where a study names quantities, which are of its end.
    """
    lists: list[Table] = []
    for point in points:
        table = POINT
        if has_lists(point) and len(point.arrays["status"]) == 1:
            tables = (table for table in tables_of(reader_of(point, numbers=full)) if not table.beside)
            table = next(tables, POINT)
        is_hidden = table.path and not full and quantities_of_answer(study)
        lists.append(POINT if is_hidden else table)
    return lists


def has_lists(point: PointResults) -> bool:
    """True if any result of a run may have tables of its own."""
    return not functions_of_tables().keys().isdisjoint(point.arrays)


def profile_row(point: PointResults, *, numbers: bool = False, payoffs: bool = True) -> Row:
    """Strategies and payoffs at a profile; of replications that differ, the means with their intervals.

    Profiles that differ over starts, or over too few sessions for an interval, are counted.
    """
    profile = point.profile
    if profile is None or np.isnan(profile).all(axis=-1).any():
        return {}
    differ = not np.allclose(profile, profile[0], equal_nan=True)
    if differ and (point.repeats == "starts" or point.is_too_few("profile")):
        count = len(np.unique(profile.round(DIGITS), axis=0))
        return {"strategies": Estimate(f"{count} different profiles")}
    reader = reader_of(point, numbers=numbers)
    radius = reader.array("radius") if len(profile) == 1 else None
    # of a list, whose first equilibrium is the profile
    within = float(np.nan_to_num(radius[0])) if radius is not None else 0.0
    mean = profile.mean(axis=0) if differ else profile[0]
    row = reader.strategies("profile", mean, point.actions, within)
    if differ:
        row = _with_intervals(point, profile, row)
    return row | (reader.payoffs(point.payoff[0]) if point.payoff is not None and payoffs else {})


def _with_intervals(point: PointResults, profiles: np.ndarray, row: Row) -> Row:
    """Means of strategies ``[result player axis]`` over replications, each number with its interval."""
    reader = reader_of(point, numbers=True)
    means = reader.strategies("profile", profiles.mean(axis=0), point.actions)
    halves = reader.strategies("profile", half_width(profiles), point.actions)
    in_words = format_interval if point.actions is None else format_chance
    numbers: Row = {}
    for name, entry in means.items():
        half = halves[name].mean
        numbers[name] = around(entry.mean, half)._replace(text=in_words(entry.mean, half))
    with_intervals: Row = {}
    for player, entry in row.items():
        of_player = [name for name in numbers if name.startswith(f"{player}, ")]
        parts = [f"{name.removeprefix(f'{player}, ')} {numbers[name].text}" for name in of_player]
        with_intervals[player] = numbers.get(player) or entry._replace(text=", ".join(parts) or entry.text)
    return with_intervals


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
    array = point.variables.get(variable)
    if array is not None and "axis" in array.coords:
        return np.asarray(array.coords["axis"].values)
    return np.ravel(point.arrays.get("axis_name", np.array([[]]))[0])


def _shortened(text: str) -> str:
    return shorten(text, TEXT, placeholder=" …") if text else text


class _TwoKeys(NamedTuple):
    """The rows of a list by the values of two keys, in blocks by the values of further keys."""

    down: str
    across: str
    values_down: list[str]
    values_across: list[str]
    further_keys: list[str]
    blocks: dict[tuple[str, ...], dict[tuple[str, str], int]]  # values of further keys -> those of two -> row


def _two_keys(table: Table, columns: int) -> _TwoKeys | None:
    """Return the rows of a list by the two keys with most values, down and across in the order of the sweep.

    None where fewer than two keys vary independently, and where two rows have the same keys.
    """
    keys = _key_columns(table)
    values = {name: list(dict.fromkeys(texts)) for name, texts in keys.items()}
    varied = [name for name in keys if len(values[name]) > 1]
    swept = [name for name in varied if name != METHOD]
    longest = sorted(swept, key=lambda name: -len(values[name]))[:2]
    if len(longest) < 2 or prod(len(values[name]) for name in longest) < FEWEST:
        return None
    down, across = sorted(longest, key=varied.index)
    if len(values[across]) > max(columns, len(values[down])):  # the longer one down a page
        down, across = across, down
    further_keys = [name for name in varied if name not in longest]
    blocks: dict[tuple[str, ...], dict[tuple[str, str], int]] = {}
    for k, pair in enumerate(zip(keys[down], keys[across], strict=True)):
        block = blocks.setdefault(tuple(keys[name][k] for name in further_keys), {})
        if pair in block:  # entries of a list of equilibria
            return None
        block[pair] = k
    return _TwoKeys(down, across, values[down], values[across], further_keys, blocks)


def by_two_keys(table: Table, rows: int | None = None, columns: int = ACROSS) -> Table | None:
    """Return a list of all points, one per row, as a table by two keys of at most so many rows and columns.

    A block has a row per value of the one key and a column per value of the other, of which values between
    the ends are left out evenly. There are at most `BLOCKS` blocks, one for each column of the list and each
    combination of values of further keys. None without two keys, and where no column has short entries.
    """
    keys = _two_keys(table, columns)
    names = [name for name in table.columns[table.keys :] if not ONCE.match(name)]
    short = [name for name in names if max(len(entry.text) for entry in table.column(name)) <= WIDE]
    if keys is None or not short:
        return None
    if len(table.rows) < FILLED * len(keys.blocks) * len(keys.values_down) * len(keys.values_across):
        return None
    labels, heads = _thinned(keys.values_down, rows), _thinned(keys.values_across, columns)
    heads_in_print = [f"{keys.across} {heads[0]}", *heads[1:]]
    marks, remarks = _weaker(table)
    printed, points, used = list[Row](), list[tuple[int, ...]](), set[int]()
    point_of_row = {-1: -1} | {k: numbers[0] for k, numbers in enumerate(table.points)}
    shown_names = short[:BLOCKS]
    blocks = _thinned(list(keys.blocks.items()), max(BLOCKS // len(shown_names), 1))
    for name, (further_values, block) in product(shown_names, blocks):
        parts = [name]
        for key, value in zip(keys.further_keys, further_values, strict=True):
            parts.append(value if key == METHOD else f"{key} {value}")
        printed.append({keys.down: Estimate(", ".join(parts))})
        points.append(())
        # rows of the list by label, one per head; -1 where the list has none
        listed = {}
        for label in labels:
            listed[label] = [block.get((label, head), -1) for head in heads]
            used.update(listed[label])
        # a number of the game does not depend on the profiles: it has one row, without marks of their claims
        is_of_game = _is_same_down(table, name, list(listed.values()))
        if is_of_game:
            listed = {f"any {keys.down}": listed[labels[0]]}
        for label, numbers in listed.items():
            row = {keys.down: Estimate(label)} | dict.fromkeys(heads_in_print, Estimate("–"))
            for head, k in zip(heads_in_print, numbers, strict=True):
                if k >= 0:
                    row[head] = _entry(table.rows[k][name], marks[k] and not is_of_game)
            printed.append(row)
            points.append(tuple(point_of_row[k] for k in numbers))
    return table._replace(
        rows=printed,
        keys=1,
        remarks=tuple(remarks),
        rows_left_out=len(table.rows) - len(used - {-1}),
        columns_left_out=tuple(name for name in names if name not in shown_names),
        points=tuple(points),
    )


def _is_same_down(table: Table, name: str, cells: Sequence[Sequence[int]]) -> bool:
    """True if the numbers of a block do not change down its columns, and are all exact.

    ``cells [label head]`` are the rows of the list, -1 where it has none.
    """
    first, *further = cells
    for numbers in further:
        for above, below in zip(first, numbers, strict=True):
            if above < 0 or below < 0:
                return False
            entries = table.rows[above][name], table.rows[below][name]
            if entries[0].text != entries[1].text or not all(entry.is_exact for entry in entries):
                return False
    return bool(further)


def _key_columns(table: Table) -> dict[str, list[str]]:
    """Return the texts of the keys by name; keys of which each determines the other are one."""
    columns: dict[str, list[str]] = {}
    for name in table.columns[: table.keys]:
        texts = [entry.text for entry in table.column(name)]
        joint_key = next((key for key in columns if in_step(columns[key], texts)), "")
        if joint_key and name != METHOD:
            texts = list(map(", ".join, zip(columns.pop(joint_key), texts, strict=True)))
            name = f"{joint_key}, {name}"
        columns[name] = texts
    return columns


def in_step(texts: Sequence[str], texts_b: Sequence[str]) -> bool:
    """True for keys of which each determines the other."""
    pairs = set(zip(texts, texts_b, strict=True))
    return 1 < len(pairs) == len(set(texts)) == len(set(texts_b))


def _thinned(values: list[T], most: int | None) -> list[T]:
    """Return at most so many values, evenly spaced and with both ends.

    >>> _thinned([1, 2, 3, 4, 5], 3), _thinned([1, 2], 5)
    ([1, 3, 5], [1, 2])
    """
    if most is None or len(values) <= most:
        return values
    indices = np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))
    return [values[k] for k in indices]


def _weaker(table: Table) -> tuple[list[bool], list[str]]:
    """Return the mask of points with a weaker claim than the strongest, and remarks on their mark.

    The remark gives the largest gain of these points. Where all claims are the same, it gives the claim, and
    the largest gain of all points.
    """
    # a claim's text may go on with the number of sessions that have it
    claims = [re.split(r": | in \d", entry.text)[0] for entry in table.column("claim")]
    strongest = max(claims, key=_rank)
    is_weaker = [claim != strongest for claim in claims]
    weaker = Counter(claim or UNCERTIFIED for claim in claims if claim != strongest)
    words = [f"{claim} ({count} of {len(claims)})" for claim, count in weaker.most_common()]
    gain = next((name for name in table.columns if name.startswith("largest gain")), "")
    gains = zip(table.column(gain), is_weaker, strict=True)
    gains_shown = [entry for entry, is_marked in gains if is_marked or not weaker]
    largest = max(gains_shown, key=lambda entry: np.nan_to_num(entry.mean)).text
    if largest:
        words.append(f"{gain}: {largest}")
    if weaker:
        return is_weaker, [f"{MARK} {', '.join(words)}; without a mark: {strongest or UNCERTIFIED}"]
    if strongest:
        words.insert(0, f"claim: {strongest}")
    return is_weaker, words


def _rank(kind: str) -> int:
    """Return the rank of a claim in words, -1 if it has none."""
    # a proof that something does not exist names it
    claim = NONE_EXISTS if kind.endswith(", proved") else kind
    return CLAIMS.index(claim) if claim in CLAIMS else -1


def _entry(entry: Estimate, is_marked: bool) -> Estimate:
    return entry._replace(text=f"{entry.text}{MARK}") if is_marked and entry.text else entry

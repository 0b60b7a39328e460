"""Sweeps over two keys: a table with one key down and one across, and whether a trend holds at every value.

The table has a block per quantity. A trend along the first key holds at a value of the second where the
number rises, or falls, beyond its intervals and never moves against it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from rivalry.core.results import CLAIMS, claim_in_words
from rivalry.lab.answer.cases import (
    LEFT_OUT,
    Sentence,
    Trend,
    at_point,
    basis_of,
    points_asked,
    reported_names,
    trend_of,
)
from rivalry.lab.answer.courses import Series, course, is_single, turns, verb_phrase
from rivalry.lab.answer.estimates import counted
from rivalry.lab.answer.grammar import bracketed, capitalised, joined, text_if
from rivalry.lab.answer.places import differing_keys, methods_of
from rivalry.lab.answer.points import ResultPoints
from rivalry.lab.answer.table import AnswerTable, entry_texts
from rivalry.lab.study.identity import StudyTables
from rivalry.lab.study.words import Words, answer_keys, quantities_of_answer
from rivalry.results.comparison import rank
from rivalry.results.table import Estimate
from rivalry.schema.construction import is_number

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


class Case(NamedTuple):
    """The course of a number at one value of the second key."""

    value: object
    series: Series
    direction: int | None  # 1, -1, 0 where it stays, None where it does not keep a direction

    @property
    def effect(self) -> Estimate:
        """Size of the change from end to end, with its interval."""
        start, end = self.series[0].estimate, self.series[-1].estimate
        change = end.mean - start.mean
        half = float(np.hypot(start.high - start.mean, end.high - end.mean))
        draws = start.draws and end.draws and end.draws._replace(values=end.draws.values - start.draws.values)
        size = abs(change)
        return Estimate("", size, size - half, size + half, draws=draws if self._paired else None)

    @property
    def _paired(self) -> bool:
        start, end = self.series[0].estimate.draws, self.series[-1].estimate.draws
        same_draws = start and end and start.noun == end.noun
        return bool(same_draws and start and end and np.array_equal(start.labels, end.labels))


def on_two_keys(
    study: StudyTables, points: ResultPoints, covered_quantities: Collection[str]
) -> list[Sentence]:
    """Sentence per quantity on two keys, the study's first quantities but those covered.

    There is none of other sweeps.
    """
    rows, words, answer = points_asked(study, points), Words(study), answer_keys(study)
    if len(methods_of(rows)) != 1:
        return []
    names = reported_names(rows)
    order = [name for name in quantities_of_answer(study) or names if name in names]
    order = [name for name in order if name not in ("profile", *covered_quantities)]
    along = _with_key(study)
    trends = [_trends(along, name, rows, words) for name in order[:MOST]]
    # the first is that of the study's question
    if not trends or trends[0] is None or not _in_words(trends[0], words):
        return []
    texts = [_in_words(part, words) for part in trends if part]
    across = {**along, "answer": {**answer_keys(along), "along": trends[0].second}}
    if not answer.get("along") and (crossed := _trends(across, order[0], rows, words)):
        further = []
        for name in order[1 : MOST + 1]:
            further.append([_trends(view, name, rows, words) for view in (along, across)])
        first = f"{texts[0]} {_in_words(crossed, words)}".strip()
        texts = [first, _directions(further, words) or "".join(texts[1:])]
    basis = basis_of(rows)
    return [Sentence(at_point(study, rows, words, text), basis) for text in texts if text]


class Trends(NamedTuple):
    """The courses of a quantity along a key, by the values of a second key."""

    trend: Trend
    second: str
    cases: list[Case]

    @property
    def direction(self) -> int:
        """1 or -1 where the quantity rises, or falls, in every case and nothing is left out; else 0."""
        (direction, *further) = dict.fromkeys(case.direction for case in self.cases)
        return 0 if further or self.trend.left_out else direction or 0


def _directions(further: Sequence[Sequence[Trends | None]], words: Words) -> str:
    """Course of further quantities along both keys, if each has it everywhere; else nothing."""
    parts = []
    for pair in further:
        directed = [trends for trends in pair if trends and trends.direction]
        if len(directed) < len(pair):
            return ""
        ways = [f"{VERBS[part.direction]} with the {words.key(part.trend.key)}" for part in directed]
        if len({part.direction for part in directed}) == 1:
            ways = [f"{VERBS[directed[0].direction]} with both"]
        parts.append(f"the {words.quantity(directed[0].trend.name)} {joined(ways)}")
    return text_if(parts, f"{capitalised('; '.join(parts))}.")


def _trends(study: StudyTables, name: str, points: ResultPoints, words: Words) -> Trends | None:
    """Courses of a quantity along the study's key; None without a second one."""
    trend = trend_of(study, name, points, words)
    if trend is None or not trend.key or trend.fixed or len(trend.cases) < 2:
        return None
    keys = [key for key in differing_keys(points, trend.key) if key != trend.averaged]
    if len(keys) != 1 or words.key(keys[0]) not in trend.by:
        return None
    (second,) = keys
    values = {
        words.case({second: point.at[second]}): point.at[second] for point in points if second in point.at
    }
    cases = [_case(values[label], series) for label, series in trend.cases.items() if label in values]
    if len(cases) < len(trend.cases) or None in cases:
        return None
    return Trends(trend, second, [case for case in cases if case])


def _with_key(study: StudyTables) -> Mapping[str, Any]:
    """Study whose trends are along the key of its first figure, unless it says along which."""
    plot, answer = next(iter(study.get("plots") or ()), None), answer_keys(study)
    over = plot.get("over") if isinstance(plot, Mapping) else None
    return {**study, "answer": {"along": over, **answer}} if isinstance(over, str) else study


def _case(value: object, entries: Sequence[Series]) -> Case | None:
    """Course of a number of one entry; None where it has no direction."""
    (series, *further) = entries
    is_known = all(np.isfinite(row.estimate.mean) and not row.refuted and not row.is_at_end for row in series)
    if further or len(series) < 2 or not is_known or is_single(series):
        return None
    stretches = turns(series)
    return Case(value, series, stretches[0].direction if len(stretches) == 1 else None)


def _in_words(trends: Trends, words: Words) -> str:
    """Extent to which a trend holds over the values of the second key; empty without two."""
    trend, second, cases = trends
    counts = Counter(case.direction for case in cases if case.direction)
    if not counts:
        return ""
    direction = counts.most_common(1)[0][0]
    holds = [case for case in cases if case.direction == direction]
    exceptions = [case for case in cases if case.direction != direction]
    if len(holds) < 2:
        return ""
    along = joined(f"the {words.key(key)}" for key in (trend.key, *trend.in_step))
    entry = holds[0].series[0].estimate.entry
    quantity = f"the {words.quantity(trend.name)}" + bracketed(entry)
    verb = f"{quantity} {VERBS[direction]} with {along}{_largest_change(holds, second, words)}"
    means = text_if(trend.averaged, f" (means over {words.key(trend.averaged)}s, 95 % intervals)")
    numbers = is_number(cases[0].value)
    where = f"every {words.key(second)}"
    if exceptions:
        where = f"{len(holds)} of {len(cases)} values of the {words.key(second)}"
        means += f"; {_exceptions(exceptions, trend, second, words)}"
    text = f"at {where} {verb}{means}" if numbers else f"for {where} {verb}{means}"
    return capitalised(f"{text_if(trend.left_out, f'{LEFT_OUT}, ')}{text}.")


def _largest_change(cases: Sequence[Case], second: str, words: Words) -> str:
    """Place of the largest change; empty unless it exceeds all others, beyond intervals."""
    if len({(case.series[0].at, case.series[-1].at) for case in cases}) > 1:
        return ""  # changes over different ranges are not compared
    top = max(cases, key=lambda case: case.effect.mean)
    start, end = (row.estimate for row in (top.series[0], top.series[-1]))
    ranking = rank([{0: case.effect} for case in cases])
    if not ranking.is_clear or len(ranking.best) > 1:
        return ""
    return f", most (from {start.text} to {end.text}) {words.at(second, top.value)}"


def _exceptions(cases: Sequence[Case], trend: Trend, second: str, words: Words) -> str:
    """Values of the second key at which the trend does not hold, and what it is there."""
    if len(cases) <= EXCEPTIONS:
        parts = [
            f"{words.at(second, case.value)} it {course(case.series, trend.key, words)}" for case in cases
        ]
        return joined(parts)
    kinds: dict[str, list[str]] = {}
    for case in cases:
        kinds.setdefault(verb_phrase(case.series), []).append(words.value(case.value))
    return joined([f"it {verb} at {joined(values)}" for verb, values in kinds.items()])

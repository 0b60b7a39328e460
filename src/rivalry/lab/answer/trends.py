"""Sentences on a study's quantities: how they move with a swept key, in which order methods and cases stand.

Nothing is said that the numbers do not support: a number moves only where it leaves the 95 % intervals, and
one case exceeds another only where the interval of the difference excludes 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, groupby, takewhile
from typing import Any, NamedTuple

import numpy as np

from rivalry.lab.answer.estimates import VISIBLE, Draws, Estimate, differ, number_in_words, paired_margin
from rivalry.lab.answer.points import PointResults
from rivalry.lab.study.words import CONTROLS, ROLES, Words
from rivalry.text.statistics import format_interval, half_width

TOGETHER = 3  # most numbers of one sentence on several quantities
MOST = 2  # sentences on quantities
COURSES = 5  # most courses along a key that a sentence tells one by one
CASES = 7  # most cases that a sentence without a sweep lists
STRETCHES = 4  # most groupings of positions along a key, and most profiles
PROFILE = 100  # characters of the longest profile that a sentence tells
TURNS = 3  # most rises and falls that are told one by one
_NUMBERED = re.compile(r"\w+ \d+")
WHOSE = ("player", "firm", "type", "agent", "team", *ROLES)  # beginnings of entries that sentences name
GAINS = ("pooled_gain", "gain_mean")
"""Profit gains of learners, which controls without punishment may have too."""
DRAWS = ("allocation",)  # keys that number random draws of the game
SINGLE = "these are single runs, whose differences may be noise"
NOT_AN_EQUILIBRIUM = "not an equilibrium"
NOT_RANKED = "not ranked, since beyond the ends of a search nothing was tried"
LEFT_OUT = "Leaving out points that are not equilibria"
EXCEPT = ", except in cases that have no others"
WITH_ARTICLE = {"stable point": "a stable point", "unstable point": "an unstable point", "cycle": "a cycle"}
CYCLES = "play cycles"
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class Sentence(NamedTuple):
    """A sentence and what it rests on."""

    text: str
    basis: str


class Value(NamedTuple):
    """A number at a value of the swept key, and whether it is that of a profile that is no equilibrium."""

    at: float
    estimate: Estimate
    refuted: bool = False
    bound: str = ""  # of the search for a best choice, where that is an end of the values tried

    @property
    def text(self) -> str:
        """The number, or the word with its article, with what must stand beside it."""
        return (
            WITH_ARTICLE.get(self.estimate.text, self.estimate.text)
            + f" ({NOT_AN_EQUILIBRIUM})" * self.refuted
            + f" (at {self.bound})" * bool(self.bound)
        )


class Row(NamedTuple):
    """A quantity at one point."""

    method: str
    at: Mapping[str, Any]
    estimates: tuple[Estimate, ...]
    refuted: bool  # whether the point is no equilibrium
    bound: str = ""  # of the search for a best choice


class Stretch(NamedTuple):
    """A stretch on which a number rises, falls or stays, with its ends."""

    direction: int  # 1, -1 or 0
    start: Value
    end: Value


class Told(NamedTuple):
    """What is told of a quantity: its values by case along a key, or without one."""

    name: str
    key: str
    cases: dict[str, list[list[Value]]]  # per entry; a case without a name is the only one
    by: tuple[str, ...]  # what cases differ in
    fixed: str = ""  # the key along which nothing moves, if any
    averaged: str = ""  # the key over whose values numbers are means
    where: str = ""  # the only point at which it is known
    in_step: tuple[str, ...] = ()  # the keys that change with the key, as in a zip
    left_out: bool = False  # whether points that are no equilibria are left out


def on_quantities(study: Mapping[str, Any], found: Sequence[PointResults]) -> list[Sentence]:
    """Return sentences on the quantities of a study, the most important one first."""
    words, rows = Words(study), points_asked(study, found)
    sentences: list[str] = []
    together: list[Told] = []

    def tell_together() -> None:
        if together:
            sentences.append(_without(_in_one(together, words), *together))
            together.clear()

    wanted = (study.get("answer") or {}).get("quantities") or ()
    # a sentence on events states their parameters, one on lists their counts
    followed, counted = any(one.events for one in rows), any(one.counts_text for one in rows)
    names = dict.fromkeys(
        name
        for one in rows
        for name, each in one.quantities.items()
        if _is_told(each)
        and not (followed and name.endswith("_parameter"))
        and not (counted and name.endswith("_count"))
    )
    order = [name for name in wanted if name in names or name == "profile"] or list(names)[:TOGETHER]
    still, subject = bool(order), None
    for name in order:
        if name == "profile":
            tell_together()
            sentences += [one.text for one in positions(study, found)]
        elif own := _controls(study, name, found, words):
            tell_together()
            sentences += own
            base = [one for one in rows if one.algorithm in {str(table["name"]) for table in study["method"]}]
            subject = _subject(study, name, base, words)
            if subject and len(subject.cases) > 1:
                sentences += [_without(text, subject) for text in _ranking(study, subject, words)]
        elif subject := _subject(study, name, rows, words):
            alone = list(subject.cases) == [""]
            parts = sum(len(one.cases[""]) for one in together) + len(next(iter(subject.cases.values())))
            if not alone or (together and (_about(together[0]) != _about(subject) or parts > TOGETHER)):
                tell_together()
            if alone:
                together.append(subject)
            else:
                by_case = [_over_cases(subject, words)] if subject.key else _ranking(study, subject, words)
                sentences += [_without(text, subject) for text in by_case]
        still = still and subject is not None and bool(subject.fixed)
    tell_together()
    if still and not wanted:  # nothing moves, of quantities that no author chose
        sentences = [one.text for one in positions(study, found)] + sentences
    selected = list(filter(None, sentences))[:MOST]
    return [Sentence(at_point(study, rows, words, text), _basis(rows)) for text in selected]


def points_asked(study: Mapping[str, Any], found: Sequence[PointResults]) -> list[PointResults]:
    """Return the results of the study's answer: of its methods, at its point; all if there are none."""
    own = study.get("answer") or {}
    rows = [one for one in found if one.algorithm in own.get("methods", ())] or list(found)
    at = own.get("at", {}).items()
    return [one for one in rows if all(one.at.get(k, v) == v for k, v in at)] or rows


def at_point(study: Mapping[str, Any], rows: Sequence[PointResults], words: Words, text: str) -> str:
    """Return a sentence that begins with the point of the study's answer, if it has one."""
    at = (study.get("answer") or {}).get("at", {})
    own = {k: v for k, v in at.items() if {one.at.get(k) for one in rows} == {v}}
    return f"At {words.place(own)}, {text[0].lower()}{text[1:]}" if own else text


def _without(text: str, *subjects: Told) -> str:
    """Return a sentence that begins with what is left out, if anything is."""
    if not (text and subjects[0].left_out):
        return text
    cases = [series for subject in subjects for case in subject.cases.values() for series in case]
    is_refuted = any(value.refuted for series in cases for value in series)
    return f"{LEFT_OUT}{EXCEPT * is_refuted}, {text[0].lower()}{text[1:]}"


def _about(subject: Told) -> tuple[str, str, str, str, bool]:
    return subject.key, subject.fixed, subject.averaged, subject.where, subject.left_out


def _beside(subject: Told, words: Words) -> str:
    """Return along which key numbers do not move, and over which key they are means."""
    said = bool(subject.fixed) and words.key(subject.fixed) not in words.quantity(subject.name)
    return (
        subject.where
        + f" at every {words.key(subject.fixed)}" * said
        + (f" (mean over {words.key(subject.averaged)}s, 95 % intervals)" if subject.averaged else "")
    )


def _basis(found: Sequence[PointResults]) -> str:
    """Return how many points, replications or sessions the numbers rest on."""
    points = f"{len(found)} point{'s' * (len(found) != 1)}"
    repeats = {(one.repeats, one.results) for one in found if one.repeats}
    if len(repeats) == 1:
        (what, count) = repeats.pop()
        points += f", {count} {what} each" + (", 95 % intervals" if what == "replications" else "")
    elif any(one.text.count("±") for each in found[:1] for row in each.quantities.values() for one in row):
        points += ", 95 % intervals over sessions"
    return points


def _along(study: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Return the key along which numbers are told: the study's, or the numeric one with most values.

    There is none where some cases of a method have a single value along it, as in a zip of two keys.
    """
    values: dict[str, set[Any]] = {}
    for row in rows:
        for name, value in row.at.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and name not in DRAWS:
                values.setdefault(name, set()).add(value)
    counts = {name: len(each) for name, each in values.items() if len(each) > 1}
    wanted = (study.get("answer") or {}).get("along", "")
    key = wanted if wanted in counts else max(reversed(counts), key=lambda name: counts[name], default="")
    by = _differing(rows, key)
    for method in {row.method for row in rows}:
        places = Counter(tuple(str(row.at.get(k)) for k in by) for row in rows if row.method == method)
        if len(places) > 1 and min(places.values()) == 1 < max(places.values()):
            return ""
    return key


def _subject(study: Mapping[str, Any], name: str, found: Sequence[PointResults], words: Words) -> Told | None:
    """Return what is told of a quantity; along another key if it is constant along the first."""
    rows = [
        Row(one.algorithm, one.at, one.quantities[name], _is_refuted(one), one.bound_of_search)
        for one in found
        # over starts, numbers have a range and no interval
        if _is_told(one.quantities.get(name, ()))
        and (one.repeats != "starts" or all(each.low == each.high for each in one.quantities[name]))
    ]
    if not rows:
        return None
    rows, averaged = _over_draws(rows, words)
    key = _along(study, rows)
    known = len(rows)
    rows, key = _without_refuted(rows, key)
    fixed, where = "", ""
    if len(rows) == 1 and not averaged:  # of several points or methods, one has the quantity
        (row,) = rows
        others = [one for one in found if one.algorithm == row.method and str(one.at) != str(row.at)]
        where = f" at {words.place(row.at)}" * bool(row.at and others)
        where += f" for {words.method(row.method)}" * (len({one.algorithm for one in found}) > 1)
    elif len(rows) < known and not key and len({str(row.at) for row in rows}) == 1:
        where = f" at {words.place(rows[0].at)}"
    cases, by = _cases(rows, name, key, words)
    if key and all(len({one.estimate.text for one in each}) == 1 for case in cases.values() for each in case):
        firsts: dict[Any, Row] = {}
        for row in rows:
            firsts.setdefault((row.method, *((k, str(v)) for k, v in row.at.items() if k != key)), row)
        if len(firsts) < len(rows):
            known -= len(rows) - len(firsts)
            rows, fixed = list(firsts.values()), key
            rows = [row._replace(at={k: v for k, v in row.at.items() if k != fixed}) for row in rows]
            rows, key = _without_refuted(rows, _along(study, rows))
            cases, by = _cases(rows, name, key, words)
    in_step = tuple(k for k in _varying(rows) if key and k != key and _in_step(rows, k, key))
    left_out = len(rows) < known
    return Told(name, key, cases, by, fixed, averaged, where, in_step, left_out) if cases else None


def _without_refuted(rows: list[Row], key: str) -> tuple[list[Row], str]:
    """Return the rows used for a trend along a key, and the key; no key if one point is left.

    A trend uses only points that are not refuted, where a case has any: the other points are where play
    happened to stop. A case without any keeps its points, which are marked.
    """
    by, cases = _differing(rows, key), dict[Any, list[Row]]()
    for row in rows:
        place = tuple(str(row.at.get(k)) for k in by)
        cases.setdefault((row.method, place), []).append(row)
    if not key or not any(len({row.refuted for row in own}) > 1 for own in cases.values()):
        return rows, key
    left = [[row for row in own if not row.refuted] or own for own in cases.values()]
    rows = [row for own in left for row in own]
    return rows, key * (len({row.at.get(key) for row in rows}) > 1)


def _is_refuted(one: PointResults) -> bool:
    """Return whether a point is no Nash equilibrium, beyond what sampling could explain."""
    return NOT_AN_EQUILIBRIUM in one.claims and not one.concept and not one.estimated


def _over_draws(rows: Sequence[Row], words: Words) -> tuple[list[Row], str]:
    """Return means over a key that numbers random draws of the game, and that key."""
    key = next((k for row in rows for k in row.at if k in DRAWS), "")
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault((row.method, *((k, str(v)) for k, v in row.at.items() if k != key)), []).append(row)
    if not key or any(
        len(own) < 2 or len({len(row.estimates) for row in own}) > 1 for own in groups.values()
    ):
        return list(rows), ""
    found = []
    for own in groups.values():
        each = []
        for column in zip(*(row.estimates for row in own), strict=True):
            means = np.array([one.mean for one in column])
            mean, half = float(means.mean()), float(half_width(means))
            text, entry = format_interval(mean, half), column[0].entry
            draws = Draws(f"{words.key(key)}s", np.array([str(row.at[key]) for row in own]), means)
            each.append(Estimate(text, mean, mean - half, mean + half, entry, draws))
        at = {k: v for k, v in own[0].at.items() if k != key}
        bound = "; ".join(dict.fromkeys(row.bound for row in own if row.bound))
        found.append(Row(own[0].method, at, tuple(each), any(row.refuted for row in own), bound))
    return found, key


def _cases(
    rows: Sequence[Row], name: str, key: str, words: Words
) -> tuple[dict[str, list[list[Value]]], tuple[str, ...]]:
    """Return the values of every case by its name, per entry; methods with equal numbers are one."""
    series: dict[tuple[str, tuple[tuple[str, Any], ...]], list[Row]] = {}
    by = _differing(rows, key)
    for row in rows:
        place = tuple((k, row.at[k]) for k in by if k in row.at)
        series.setdefault((row.method, place), []).append(row)
    # if all are refuted, the sentence on claims says it
    mixed = len({row.refuted for row in rows}) > 1
    values: dict[tuple[str, Any], list[list[Value]]] = {}
    for case, own in series.items():
        own.sort(key=lambda row: row.at.get(key, 0.0))
        widest = max((row.estimates for row in own), key=len)
        values[case] = [
            [
                Value(
                    float(row.at.get(key, 0.0)),
                    own_value._replace(entry=first.entry),
                    mixed and row.refuted and own_value.text != NOT_AN_EQUILIBRIUM,  # said once
                    row.bound,
                )
                for row in own
                if len(row.estimates) in (1, len(widest))
                and (own_value := row.estimates[k if len(row.estimates) > 1 else 0]).text
            ]
            for k, first in enumerate(widest)
        ]
    texts = {
        # of the same draws, a difference may be significant that is smaller than what intervals show
        case: [
            [(v.at, v.text, f"{v.estimate.mean:.4g}" * bool(v.estimate.draws)) for v in each] for each in own
        ]
        for case, own in values.items()
    }
    equal: dict[str, list[str]] = {}
    for method in dict.fromkeys(method for method, _ in values):
        own_texts = {place: text for (other, place), text in texts.items() if other == method}
        same = (m for m in equal if {p: t for (o, p), t in texts.items() if o == m} == own_texts)
        equal.setdefault(next(same, method), []).append(method)
    cases = {}
    for (method, place), columns in values.items():
        if method in equal and any(columns):
            own_name = joined([words.method(name) for name in equal[method]]) if len(equal) > 1 else ""
            label = ", ".join(filter(None, [own_name, words.place(dict(place))]))
            cases[label] = [column for column in columns if column]
    return cases, (*("method",) * (len(equal) > 1), *(words.key(k) for k in by))


def _differing(rows: Sequence[Row], key: str) -> list[str]:
    """Return the keys in which rows differ, one of those that vary together, as in a zip."""
    selected: list[str] = []
    for name in (k for k in _varying(rows) if k != key):
        if not any(_in_step(rows, name, other) for other in filter(None, (key, *selected))):
            selected.append(name)
    return selected


def _varying(rows: Sequence[Row]) -> list[str]:
    """Return the keys with several values."""
    keys = dict.fromkeys(k for row in rows for k in row.at)
    return [k for k in keys if len({str(row.at[k]) for row in rows if k in row.at}) > 1]


def _is_told(row: Sequence[Estimate]) -> bool:
    """Return whether a sentence may tell a quantity: of all, of few players or of what has a name."""
    if not row:
        return False
    known = bool(np.isfinite(row[0].mean)) or row[0].text[:1].isalpha()
    numbered = any(_NUMBERED.fullmatch(one.entry) for one in row)
    few = len(row) <= (TOGETHER if numbered else CASES)
    return known and bool(row[0].text) and (len(row) == 1 or (few and all(map(_is_named, row))))


def _is_named(one: Estimate) -> bool:
    return "," not in one.entry and (one.entry.split(" ")[0] in WHOSE or not _NUMBERED.fullmatch(one.entry))


def _in_step(rows: Sequence[Row], name: str, key: str) -> bool:
    """Return whether a coordinate is fixed by another, as in a zip."""
    pairs = {(str(row.at.get(key)), str(row.at.get(name))) for row in rows if key in row.at}
    values = {value for _, value in pairs}
    return len(values) > 1 and len(pairs) == len({at for at, _ in pairs})


def turns(series: Sequence[Value]) -> list[Stretch]:
    """Return the rises and falls of a number, each beyond the intervals of its ends; none if they overlap.

    Between the ends of a rise no two numbers fall beyond their intervals, and so for a fall.

    >>> rows = [Value(x, Estimate("", y, y, y)) for x, y in enumerate([1.0, 2.0, 5.0, 4.0])]
    >>> [(turn.direction, turn.start.at, turn.end.at) for turn in turns(rows)]
    [(1, 0, 2), (-1, 2, 3)]
    """
    found: list[Stretch] = []
    start = low = high = series[0]
    direction = 0
    for row in series[1:]:
        if direction >= 0 and row.estimate.mean > high.estimate.mean:
            high = row
        if direction <= 0 and row.estimate.mean < low.estimate.mean:
            low = row
        up = row.estimate.mean > low.estimate.mean and differ(low.estimate, row.estimate)
        down = row.estimate.mean < high.estimate.mean and differ(high.estimate, row.estimate)
        if direction == 0 and up:
            direction, high, start = 1, row, low
        elif direction == 0 and down:
            direction, low, start = -1, row, high
        elif direction > 0 and down:
            found.append(Stretch(1, start, high))
            start, low, direction = high, row, -1
        elif direction < 0 and up:
            found.append(Stretch(-1, start, low))
            start, high, direction = low, row, 1
    if direction == 0:
        found = [Stretch(0, series[0], series[-1])]
    else:
        found.append(Stretch(direction, start, high if direction > 0 else low))
    return found if all(_holds(turn, series) for turn in found) else []


def _holds(turn: Stretch, series: Sequence[Value]) -> bool:
    """Return whether no two numbers of a stretch move against it, nor at all where it stays."""
    if turn.direction and not differ(turn.start.estimate, turn.end.estimate):
        return False
    own = [row.estimate for row in series if turn.start.at <= row.at <= turn.end.at]
    mean, low, high = (np.array([getattr(one, name) for one in own]) for name in ("mean", "low", "high"))
    paired = all(paired_margin(own[0], one) is not None for one in own)
    by_draw = np.array([one.draws.values for one in own if one.draws]) if paired else None
    # as `differ`, for one number and all later ones at a time: pairs are many
    for k in range(len(own) - 1):
        gap, later = mean[k + 1 :] - mean[k], slice(k + 1, None)
        up, down = (
            np.hypot((mean - low)[later], high[k] - mean[k]),
            np.hypot(mean[k] - low[k], (high - mean)[later]),
        )
        if by_draw is not None:
            up = down = half_width((by_draw[later] - by_draw[k]).T)
        visible = np.maximum(np.abs(mean[later]), abs(mean[k])) * VISIBLE
        apart = (np.abs(gap) > np.where(gap >= 0, up, down)) & (np.abs(gap) > visible)
        if np.any(apart & ((gap * turn.direction < 0) | (turn.direction == 0))):
            return False
    return True


def _course(series: Sequence[Value], key: str, words: Words) -> str:
    """Return how a number moves along a key, in words."""
    first, last = series[0], series[-1]
    numbers = [bool(np.isfinite(row.estimate.mean)) for row in series]
    if not any(numbers):
        return _kinds(series, key, words)
    if not all(numbers):
        return _in_stretches(series, key, words)
    if len({row.estimate.text for row in series}) == 1:
        return f"stays at {first.text}"
    if is_single(series):  # single draws: no difference is more than noise
        return f"is {first.text} at {words.place({key: first.at})} and {last.text} at {words.value(last.at)}"
    lowest, most = (end(series, key=lambda row: row.estimate.mean) for end in (min, max))
    found = turns(series)
    if found and found[0].direction == 0:
        return f"stays between {lowest.text} and {most.text}"
    if not found or len(found) > TURNS:
        places = [f"{row.text} (at {words.place({key: row.at})})" for row in (lowest, most)]
        return f"varies between {places[0]} and {places[1]}"
    parts = []
    before, after = _plateau(series), _plateau(series[::-1])
    for k, turn in enumerate(found):
        start = "" if turn.start.at == first.at else f"at {words.place({key: turn.start.at})} "
        end = "" if turn.end.at == last.at else f" at {words.place({key: turn.end.at})}"
        verb = "rises" if turn.direction > 0 else "falls"
        origin = f"from {turn.start.text} {start}" * (not k)
        if not k and turn.start.at <= before.at and first.at < before.at:
            parts.append(f"stays at {first.text} up to {words.place({key: before.at})}")
            origin = ""
        if turn is found[-1] and after.at <= turn.end.at and after.at < last.at:
            end = f" at {words.place({key: after.at})}, and stays there"
        parts.append(f"{'then ' * bool(parts)}{verb} {origin}to {turn.end.text}{end}")
    return ", ".join(parts)


def _plateau(series: Sequence[Value]) -> Value:
    """Return the last of the numbers that equal the first one, without a gap.

    >>> rows = [Value(x, Estimate(str(y), y, y, y)) for x, y in enumerate([0.8, 0.8, 0.9, 0.8])]
    >>> _plateau(rows).at, _plateau(rows[::-1]).at
    (1, 3)
    """
    first = series[0]
    *_, last = takewhile(
        lambda row: row.text == first.text and not differ(first.estimate, row.estimate), series
    )
    return last


def _in_stretches(series: Sequence[Value], key: str, words: Words) -> str:
    """Return how a number moves along a key where some of it is beyond what was tried."""
    stretches = [
        list(each)
        for _, each in groupby(series, key=lambda row: row.text * bool(np.isnan(row.estimate.mean)))
    ]
    if len(stretches) > STRETCHES:
        return _kinds(series, key, words)
    parts = []
    for rows in stretches:
        place = f"at {words.place({key: rows[0].at})}"
        if len(rows) > 1:
            place = f"from {words.place({key: rows[0].at})} to {words.value(rows[-1].at)}"
        same = len({row.text for row in rows}) == 1
        parts.append(f"{f'is {rows[0].text},' if same else _course(rows, key, words)} {place}")
    return joined(parts)


def _kinds(series: Sequence[Value], key: str, words: Words) -> str:
    """Return the words that a quantity takes along a key, with the stretches on which it does."""
    parts = []
    for text, each in groupby(series, key=lambda row: row.text):
        rows = list(each)
        ends = f"at {words.place({key: rows[0].at})}"
        if len(rows) > 1:
            ends = f"from {words.place({key: rows[0].at})} to {words.value(rows[-1].at)}"
        parts.append(f"{text} {ends}")
    if len(parts) == 1:
        return f"is {series[0].text} throughout"
    if len(parts) > STRETCHES:
        counts = Counter(row.text for row in series)
        return "is " + joined([f"{text} at {n} of {len(series)} points" for text, n in counts.most_common()])
    return f"is {joined(parts)}"


def is_single(series: Iterable[Value]) -> bool:
    """Return whether the noise of a number is unknown."""
    return any(np.isfinite(row.estimate.mean) and np.isnan(row.estimate.low) for row in series)


def _range(subject: Told, series: Iterable[Sequence[Value]], words: Words) -> str:
    ends = [row.at for one in series for row in one]
    low, high = (words.value(end(ends)) for end in (min, max))
    others = [f"the {words.key(name)}" for name in subject.in_step]
    more = f", and {joined(others)} change{'s' * (len(others) == 1)} with it" if others else ""
    return f"As the {words.key(subject.key)} rises from {low} to {high}{more}"


def _of(name: str, entry: str, words: Words) -> str:
    """Return a quantity with its article, and whose it is."""
    if entry.partition(" ")[0] in WHOSE and "," not in entry:
        return f"the {words.quantity(name)} of {'the ' * (entry in ROLES)}{entry}"
    return f"the {words.quantity(name)}" + (f" ({entry})" if entry else "")


def _in_one(several: Sequence[Told], words: Words) -> str:
    """Return one sentence on quantities of a single case: along a key, or their values."""
    key, at = several[0].key, _beside(several[0], words)
    clauses, rows = [], [series for subject in several for series in subject.cases[""]]
    for subject in several:
        if key:
            for series in subject.cases[""]:
                name = _of(subject.name, series[0].estimate.entry, words)
                clauses.append(f"{name} {_course(series, key, words)}")
        else:
            clauses.append(
                f"the {words.quantity(subject.name)} is {_each([s[0] for s in subject.cases['']])}"
            )
    if key and all(len(series) == 1 for series in rows):
        return ""
    said = (
        f"{_range(several[0], rows, words)}, {joined(clauses)}{at}"
        if key
        else f"{_capital(joined(clauses))}{at}"
    )
    return f"{said}{_noise(rows) if key else ''}."


def _each(values: Sequence[Value]) -> str:
    """Return the values of all entries, each with whose it is where they differ."""
    if len({one.text for one in values}) == 1:
        return values[0].text
    beside = [", ".join([one.estimate.entry, *[NOT_AN_EQUILIBRIUM] * one.refuted]) for one in values]
    return joined([f"{one.estimate.text} ({words})" for one, words in zip(values, beside, strict=True)])


def _noise(rows: Iterable[Sequence[Value]]) -> str:
    moving = (series for series in rows if len({row.estimate.text for row in series}) > 1)
    return f"; {SINGLE}" if any(map(is_single, moving)) else ""


def joined(parts: Sequence[str], last: str = "and") -> str:
    """Return parts as a list in words.

    >>> joined(["a", "b", "c"]), joined(["a", "b"])
    ('a, b, and c', 'a and b')
    """
    if any("," in part for part in parts) and len(parts) > 1:
        return f"{'; '.join(parts[:-1])}; {last} {parts[-1]}"
    if len(parts) < 3:
        return f" {last} ".join(parts)
    return f"{', '.join(parts[:-1])}, {last} {parts[-1]}"


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _over_cases(subject: Told, words: Words) -> str:
    """Return a sentence on one quantity along a key in several cases."""
    name, key = words.quantity(subject.name), subject.key
    every = [
        (", ".join(filter(None, [label, series[0].estimate.entry])), series)
        for label, case in subject.cases.items()
        for series in case
    ]
    moving = [(label, series) for label, series in every if len(series) > 1]
    still = [
        f"{series[0].text} {f'at {words.place({key: series[0].at})} ' * subject.left_out}for {label}"
        for label, series in every
        if len(series) == 1
    ]
    if not moving:
        return f"The {name} is {joined(still)}." if subject.left_out and len(still) <= CASES else ""
    start = f"{_range(subject, [series for _, series in moving], words)}, the {name} "
    at = _beside(subject, words)
    noise = _noise([series for _, series in moving])
    if len(every) <= COURSES:
        clauses = [f"{_course(series, key, words)} for {label}" for label, series in moving]
        top = _highest(subject, moving, words) if len(moving) == len(subject.cases) else ""
        return f"{start}{joined(clauses)}{at}{'; it is ' * bool(still)}{joined(still)}{top}{noise}."
    kinds = Counter(_direction(series) for _, series in moving)
    if len(kinds) == 1 and len(moving) == len(every):
        by = joined(subject.by) if len(subject.by) < 3 else "case"
        verb = f"{next(iter(kinds))} for every {by} ({len(every)} cases)"
    else:
        verb = joined([f"{kind} in {n}" for kind, n in kinds.most_common()]) + f" of {len(moving)} cases"
    values = [(label, row) for label, own in every for row in own if np.isfinite(row.estimate.mean)]
    if not values:
        return ""
    ends = []
    for pick in (min, max):
        label, row = pick(values, key=lambda pair: pair[1].estimate.mean)
        refuted = f", {NOT_AN_EQUILIBRIUM}" * row.refuted
        ends.append(f"{row.estimate.text} ({words.place({key: row.at})}, {label}{refuted})")
    return f"{start}{verb}{at}; its values lie between {ends[0]} and {ends[1]}{noise}."


def _highest(subject: Told, cases: Sequence[tuple[str, Sequence[Value]]], words: Words) -> str:
    """Return the case whose numbers are highest, or as high as another's, at every value of a key.

    Values of profiles that are no equilibria are compared with none.
    """
    if any(row.bound for _, own in cases for row in own):
        return ""
    rest = [(label, {row.at: row.estimate for row in own}) for label, own in cases if not own[0].refuted]
    if len({tuple(own) for _, own in rest}) > 1 and not subject.left_out:
        return ""
    for label, own in rest:
        others = [
            [(own[at], each[at]) for at in own.keys() & each.keys()] for _, each in rest if each is not own
        ]
        above = [one.mean > two.mean and differ(one, two) for each in others for one, two in each]
        equal = [one.text == two.text for each in others for one, two in each]
        if all(others) and any(above) and all(map(max, above, equal)):
            ties = ", or as high as another," * any(equal)
            same = _same_draws([pair for each in others for pair in each])
            same = f", compared {same}" * bool(same)
            among = "of the other cases, " * (len(rest) < len(cases))
            where = "the same" if subject.left_out else "every"
            return f"; {among}at {where} {words.key(subject.key)} it is highest{ties} for {label}{same}"
    return ""


def _same_draws(pairs: Sequence[tuple[Estimate, Estimate]]) -> str:
    """Return in which same draws numbers are compared; empty where some have draws of their own."""
    if not pairs or any(paired_margin(*pair) is None for pair in pairs):
        return ""
    return f"in the same {draws.what}" if (draws := pairs[0][0].draws) else ""


def _direction(series: Sequence[Value]) -> str:
    if is_single(series):
        return "has one value per setting"
    if not np.isfinite(series[0].estimate.mean):
        return "changes" if len({row.estimate.text for row in series}) > 1 else "does not change"
    found = turns(series)
    if len(found) != 1:
        return "rises and falls"
    return {1: "rises", -1: "falls", 0: "does not move"}[found[0].direction]


def _ranking(study: Mapping[str, Any], subject: Told, words: Words) -> list[str]:
    """Return a sentence on one quantity in several cases without a numeric key: their order."""
    quantity = words.quantity(subject.name)
    at = _beside(subject, words)
    rows = [(label, [series[0] for series in case]) for label, case in subject.cases.items()]
    if len(rows) == 1:
        return [_in_one([subject._replace(cases={"": next(iter(subject.cases.values()))})], words)]
    if any(len(row) > 1 or not np.isfinite(row[0].estimate.mean) for _, row in rows):
        if len(rows) > CASES:
            return []
        parts = [f"{_each(row)} for {label}" for label, row in rows]
        return [f"The {quantity}{at} is {joined(parts)}{_noise_of([one for _, row in rows for one in row])}."]
    pairs = [(label, row[0]) for label, row in rows]
    down = (study.get("answer") or {}).get("better", "higher") == "higher"
    pairs.sort(key=lambda pair: pair[1].estimate.mean, reverse=down)
    if len({one.text for _, one in pairs}) == 1 and not differ(pairs[0][1].estimate, pairs[-1][1].estimate):
        return [f"The {quantity}{at} is {pairs[0][1].text} for {joined([label for label, _ in pairs])}."]
    if any(one.bound for _, one in pairs):  # what lies beyond the end of a search is unknown
        order = [pair for label, _ in rows for pair in pairs if pair[0] == label]
        texts = [f"{one.text} for {label}" for label, one in order[:CASES]]
        rest = f"; and so on for {len(order) - CASES} more" * (len(order) > CASES)
        return [f"The {quantity}{at} is {joined(texts)}{rest}; {NOT_RANKED}."]
    noise = _noise_of([one for _, one in pairs])
    first = not (pairs[0][1].refuted or noise) and differ(pairs[0][1].estimate, pairs[1][1].estimate)
    if len(pairs) > CASES:
        (top, best), (bottom, worst) = pairs[0], pairs[-1]
        ends = f"from {best.text} for {top} to {worst.text} for {bottom}"
        said = f"Over {len(pairs)} cases the {quantity}{at} goes {ends}"
        same = not noise and not differ(best.estimate, worst.estimate)
        return [f"{said}{'; the difference is not significant' * same}{noise}."]
    lead = ("highest, " if down else "lowest, ") * first
    texts = [f"{one.text} for {label}" for label, one in pairs]
    said = f"The {quantity}{at} is {lead}{texts[0]}, then {joined(texts[1:])}"
    numbers = [(label, one.estimate) for label, one in pairs]
    if len(pairs) == 2 and not noise and (apart := _difference(*(one for _, one in numbers))):
        return [f"{said}{apart}."]
    beside = _same_draws([(one, other) for (_, one), (_, other) in combinations(numbers, 2)])
    return [f"{said}{noise or _unclear(numbers)}{f', compared {beside}' * bool(beside and not noise)}."]


def _difference(one: Estimate, other: Estimate) -> str:
    """Return by how much two numbers of the same draws differ; empty without the same draws."""
    margin = paired_margin(one, other)
    if margin is None:
        return ""
    by = f"{format_interval(abs(one.mean - other.mean), margin)} {_same_draws([(one, other)])}"
    if differ(one, other):
        return f": {'higher' if one.mean > other.mean else 'lower'} by {by}"
    return f"; the difference, {by}, is not significant"


def _noise_of(values: Sequence[Value]) -> str:
    return f"; {SINGLE}" if is_single(values) and len({one.estimate.text for one in values}) > 1 else ""


def _unclear(ordered: Sequence[tuple[str, Estimate]]) -> str:
    """Return between which cases no difference is significant."""
    same = {
        (i, j) for i, j in combinations(range(len(ordered)), 2) if not differ(ordered[i][1], ordered[j][1])
    }
    if len(same) == len(ordered) * (len(ordered) - 1) // 2:
        return "; no difference is significant"
    groups: list[range] = []
    for i in range(len(ordered)):
        j = i
        while j + 1 < len(ordered) and all((k, j + 1) in same for k in range(i, j + 1)):
            j += 1
        if j > i and not (groups and groups[-1][-1] >= j):
            groups.append(range(i, j + 1))
    covered = {pair for group in groups for pair in combinations(group, 2)}
    texts = [joined([ordered[k][0] for k in group]) for group in [*groups, *sorted(same - covered)]]
    return f"; no difference is significant between {'; or '.join(texts)}" if texts else ""


def _controls(study: Mapping[str, Any], name: str, found: Sequence[PointResults], words: Words) -> list[str]:
    """Return a sentence on learners that cannot punish, and whether they gain less than the others."""
    gains = {one.algorithm: one.quantities[name][0] for one in found if name in one.quantities}
    if name not in GAINS or len(gains) < sum(name in one.quantities for one in found):
        return []
    bases = [str(table["name"]) for table in study["method"]]
    for base in bases:
        controls = {kind: gains[f"{base}-{kind}"] for kind in CONTROLS if f"{base}-{kind}" in gains}
        controls.pop("myopic_follower", None)  # its rival may punish
        own = gains.get(base)
        if own is None or not controls or any(np.isnan(one.low) for one in (own, *controls.values())):
            continue
        label = {kind: words.method(f"{base}-{kind}") for kind in controls}
        quantity = words.quantity(name)
        not_less = {
            kind: one for kind, one in controls.items() if one.mean >= own.mean or not differ(one, own)
        }
        less = [f"{label[kind]} ({one.text})" for kind, one in controls.items() if kind not in not_less]
        scale = "where 0 is the equilibrium and 1 the joint maximum"
        said = f"The {quantity} of {words.method(base)} is {own.text}, {scale}; "
        if not_less:
            parts = []
            for kind, one in not_less.items():
                than = "more" if one.mean > own.mean and differ(own, one) else "no less"
                than = "not significantly less" if than == "no less" and one.mean < own.mean else than
                same = " ".join(filter(None, [than, _same_draws([(own, one)])]))
                parts.append(f"{label[kind]}, which cannot punish, gains {same} ({one.text})")
            return [f"{said}{joined(parts)}: the gain alone is no evidence of collusion."]
        same = _same_draws([(own, one) for one in controls.values()])
        return [f"{said}{f'{same} ' * bool(same)}it is less for {joined(less)}, which cannot punish."]
    return []


def positions(study: Mapping[str, Any], found: Sequence[PointResults]) -> list[Sentence]:
    """Return which strategies players have: their groups on a line, per case and along a sweep."""
    words, own = Words(study), points_asked(study, found)
    known = [
        one for one in own if not one.counts_text and (_groups(one) or 0 < len(one.profile_words) < PROFILE)
    ]
    rows = [Row(one.algorithm, one.at, (), NOT_AN_EQUILIBRIUM in one.claims) for one in known]
    key, several = _along(study, rows), len({row.method for row in rows}) > 1
    by = _differing(rows, key)
    cases: dict[str, list[PointResults]] = {}
    for one in known:
        place = words.place({k: one.at[k] for k in by if k in one.at})
        label = ", ".join(filter(None, [words.method(one.algorithm) if several else "", place]))
        cases.setdefault(label, []).append(one)
    if not cases:
        return []
    if not key:
        texts = [
            f"for {label}, {_standing(each[0])}" if label else _standing(each[0])
            for label, each in cases.items()
        ]
        return [Sentence(f"{_capital('; '.join(texts))}.", _basis(own))] if len(cases) <= STRETCHES else []
    for each in cases.values():
        each.sort(key=lambda one: one.at[key])
    if len(cases) <= 2:
        parts = [
            f"for {label}, " * bool(label) + _stretches(each, key, words) for label, each in cases.items()
        ]
        return [Sentence(f"{_capital('; '.join(parts))}.", _basis(own))]
    ends = []
    for pick in (min, max):
        x = pick(one.at[key] for one in known)
        counts = sorted({len(groups) for one in known if one.at[key] == x and (groups := _groups(one))})
        if counts:
            many = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
            ends.append(
                f"at {words.place({key: x})} players take {many} different position{'s' * (many != '1')}"
            )
    return [Sentence(f"{_capital('; '.join(ends))}, over {len(cases)} cases.", _basis(own))] if ends else []


def _stretches(case: Sequence[PointResults], key: str, words: Words) -> str:
    """Return the groups along a key, with the stretches on which they are the same."""
    if same := _symmetric(case, key):
        ends = f"from {words.value(same[0].at)} to {words.value(same[-1].at)}"
        start = f"{LEFT_OUT[0].lower()}{LEFT_OUT[1:]}, " * (len(same) < len(case))
        strategy = f"every player's strategy {_course(same, key, words)}"
        return f"{start}as the {words.key(key)} rises {ends}, {strategy}"
    texts = []
    for sizes, each in groupby(case, key=_kind):
        own = list(each)
        low, high = own[0], own[-1]
        if len(own) == 1:
            texts.append(f"at {words.place({key: low.at[key]})}, {_standing(low)}")
            continue
        refuted = sum(NOT_AN_EQUILIBRIUM in one.claims for one in own)
        of = "all" if refuted == len(own) else f"{refuted} of {len(own)} points"
        beside = f" ({of} not equilibria)" if refuted else ""
        there = f", at {_places(_groups(high))} for {words.place({key: high.at[key]})}{beside}"
        if not _groups(low) or sizes == [CYCLES]:
            who = f"{_standing(low, beside=False)}{beside}"
        elif len(sizes) == 1:
            who = f"all players are together{there}"
        elif len(sizes) == low.profile.shape[1]:  # type: ignore[union-attr]
            who = f"all players are apart{there}"
        else:
            who = f"there are groups of {joined(sizes)}{there}"
        texts.append(f"from {words.place({key: low.at[key]})} to {words.value(high.at[key])}, {who}")
    if len(texts) > STRETCHES:
        texts = [texts[0], f"up to there the groups change {len(texts) - 1} times", texts[-1]]
    return "; ".join(texts)


def _symmetric(case: Sequence[PointResults], key: str) -> list[Value]:
    """Return the strategy that all players share at every point, where it moves; else nothing.

    Of points that are equilibria and others, these are left out.
    """
    groups = [_groups(one) if _kind(one) != [CYCLES] else [] for one in case]
    if len(case) < 2 or any(len(each) != 1 for each in groups):
        return []
    series = []
    for one, (group,) in zip(case, groups, strict=True):
        mean, text = float(group.mean()), number_in_words(float(group.mean()))
        noise = np.nan if one.random else mean
        refuted = NOT_AN_EQUILIBRIUM in one.claims
        series.append(Value(one.at[key], Estimate(text, mean, noise, noise), refuted))
    series = [value for value in series if not value.refuted] or series
    return series if len({value.estimate.text for value in series}) > 1 else []


def _kind(one: PointResults) -> list[str]:
    """Return what profiles of one stretch share: the sizes of the groups, or all numbers."""
    if set(one.statuses) == {"cycling"}:
        return [CYCLES]
    return [str(len(part)) for part in _groups(one)] or [one.profile_words]


def _groups(one: PointResults) -> list[np.ndarray]:
    """Return the positions of players on a line, by group; none for other profiles."""
    rows = one.profile
    if rows is None or rows.shape[2] != 1 or rows.shape[1] < 2 or len(rows) > 1 or one.actions is not None:
        return []
    values = np.sort(rows[0, :, 0])
    width = max(np.ptp(values), 1e-3)
    cuts: Any = np.flatnonzero(np.diff(values) > 1e-3 * width) + 1 if np.ptp(values) > 1e-6 else []
    return np.split(values, cuts)


def _places(groups: Sequence[np.ndarray]) -> str:
    """Return places on a line, with how many players stand at each.

    >>> _places([np.array([0.3, 0.3, 0.3]), np.array([0.7, 0.7])]), _places([np.array([0.5, 0.5])])
    ('0.3 (three) and 0.7 (two)', '0.5')
    """
    places = [number_in_words(float(part.mean())) for part in groups]
    if len(groups) == 1 or all(len(part) == 1 for part in groups):
        return joined(places)
    counts = [COUNTS[len(part)] if len(part) < len(COUNTS) else str(len(part)) for part in groups]
    return joined([f"{at} ({n})" for n, at in zip(counts, places, strict=True)])


def _standing(one: PointResults, *, beside: bool = True) -> str:
    """Return the strategies of a point, with what must stand beside them."""
    refuted = f" ({NOT_AN_EQUILIBRIUM})" * (beside and NOT_AN_EQUILIBRIUM in one.claims)
    groups = _groups(one)
    if _kind(one) == [CYCLES]:
        return f"{CYCLES}{refuted}"
    if not groups:
        named = one.actions is not None
        each, _, rest = one.profile_words.partition(" ")
        if each == "each":
            return f"every player {'plays' if named else f'has strategy{one.axes}'} {rest}{refuted}"
        return f"{'players play' if named else f'strategies{one.axes} are'} {one.profile_words}{refuted}"
    who = ("both players" if len(groups[0]) == 2 else "all players") if len(groups) == 1 else "players"
    if one.profile is not None and len(groups) == one.profile.shape[1]:  # in the order of the players
        groups = np.split(one.profile[0, :, 0], len(groups))
    return f"{who} are at {_places(groups)}{refuted}"

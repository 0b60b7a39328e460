"""The points of a study by case: which numbers are reported, along which key, and with which others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from rivalry.lab.answer.courses import Series, Value, has_one_text
from rivalry.lab.answer.grammar import capitalised, commas, count_of, joined, lowered, text_if
from rivalry.lab.answer.places import (
    MethodPoint,
    common_place,
    differing_keys,
    grouped,
    grouped_by_method,
    in_step,
    is_numeric,
    keys_of,
    methods_of,
    place_of,
    places_of,
    point_by,
    varying,
    without,
)
from rivalry.lab.answer.points import NOT_AN_EQUILIBRIUM, WHOSE, PointResults, ResultPoints
from rivalry.lab.study.expect import differences
from rivalry.lab.study.identity import StudyTables
from rivalry.lab.study.points import flat
from rivalry.lab.study.words import Words, answer_keys, quantities_of_answer
from rivalry.results.table import Draws, Estimate
from rivalry.schema.construction import is_number
from rivalry.schema.keys import write_key
from rivalry.text.statistics import format_interval, half_width

TOGETHER = 3  # most numbers of one sentence on several quantities
VERDICTS = {True: "Yes", False: "No", None: "Not decided"}
MOST_CHANGES = 2  # numbers with which a sentence begins
CASES = 7  # most cases that a sentence without a sweep lists
_NUMBERED = re.compile(r"\w+ \d+")
LEFT_OUT = "Leaving out points that are not equilibria"
OF_DYNAMICS = ("end_state", "basin_count", "cycle_period")  # of what dynamics do, in equilibrium or not
DRAWS = ("allocation",)  # keys that number random draws of the game


class Sentence(NamedTuple):
    """A sentence and what it rests on."""

    text: str
    basis: str


class Row(NamedTuple):
    """A quantity at one point."""

    algorithm: str
    at: Mapping[str, Any]
    estimates: tuple[Estimate, ...]
    refuted: bool  # whether the point is no equilibrium
    bound: str = ""  # of the search for a best choice

    @property
    def texts(self) -> tuple[str, ...]:
        """Printed numbers of all entries."""
        return tuple(estimate.text for estimate in self.estimates)

    @property
    def is_exact(self) -> bool:
        """True if no draws enter any of the numbers."""
        return all(estimate.is_exact for estimate in self.estimates)


class Trend(NamedTuple):
    """Trend of a quantity: its values by case along a key, or without one."""

    name: str
    key: str
    cases: dict[str, list[list[Value]]]  # per entry; a case without a name is the only one
    by: tuple[str, ...]  # what cases differ in
    fixed: str = ""  # the key along which nothing moves, if any
    averaged: str = ""  # the key over whose values numbers are means
    where: str = ""  # the only point at which it is known
    in_step: tuple[str, ...] = ()  # the keys that change with the key, as in a zip
    left_out: bool = False  # whether points that are no equilibria are left out
    beyond: tuple[float, ...] = ()  # values of the key, beyond those of the numbers, at which none was found

    @property
    def is_single(self) -> bool:
        """True for a trend of one case, which needs no name."""
        return list(self.cases) == [""]

    @property
    def series(self) -> list[list[Value]]:
        """Values of all entries of all cases."""
        return list(chain.from_iterable(self.cases.values()))


def points_asked(study: StudyTables, points: ResultPoints) -> list[PointResults]:
    """Results of the study's answer: of its methods, at its point; all if there are none."""
    answer = answer_keys(study)
    rows = [point for point in points if point.algorithm in answer.get("methods", ())] or list(points)
    return [point for point in rows if point.is_at(answer.get("at", {}))] or rows


def at_point(study: StudyTables, rows: ResultPoints, words: Words, text: str) -> str:
    """Sentence that begins with the point of the study's answer, if it has one."""
    shared = common_place(rows)
    at = {k: v for k, v in answer_keys(study).get("at", {}).items() if k in shared and shared[k] == v}
    preposition = "At" if any(map(is_number, at.values())) else "For"
    return f"{preposition} {words.place(at)}, {lowered(text)}" if at else text


def in_changed_game(study: StudyTables, text: str) -> str:
    """First sentence that begins with the numbers that are not those of the study's question.

    They are those of the game that the quick form reduces, and single numbers that a run changes.

    >>> game = {"family": "karma", "agents": 120}
    >>> quick = {"quick_form": True, "quick": {"game.agents": 120}, "game": game}
    >>> in_changed_game(quick, "No: The mean reward is 1."), in_changed_game({}, "The reward is 1.")
    ('No: with 120 agents, the mean reward is 1.', 'The reward is 1.')
    """
    quick = flat(study.get("quick") or {}) if study.get("quick_form") else {}
    game, words = study.get("game") or {}, Words(study)
    places: dict[str, str] = {}
    for (table, *path), value in quick.items():
        key = write_key(path)
        if table == "game" and is_number(value) and game.get(key) == value:
            places[key] = words.at(key, value)
    for change in differences(study):
        (value, *further) = change.after
        if change.is_parameter and not further and is_number(value):
            places[change.name] = words.at(change.name, value)
    where = joined(list(places.values())[:MOST_CHANGES])
    if not where or where in text:
        return text
    verdict, colon, facts = text.partition(": ")
    if verdict in VERDICTS.values():
        return f"{verdict}{colon}{where}, {lowered(facts)}"
    return capitalised(f"{where}, {lowered(text)}")


def so_far(text: str) -> str:
    """First sentence of a run that lacks cells.

    >>> so_far("Yes: the price is 2."), so_far("The price is 2.")
    ('Yes, so far: the price is 2.', 'So far, the price is 2.')
    """
    verdict, _, facts = text.partition(": ")
    return f"{verdict}, so far: {facts}" if verdict in VERDICTS.values() else f"So far, {lowered(text)}"


def basis_of(results: ResultPoints) -> str:
    """Number of points, replications or sessions on which the numbers rest."""
    points = count_of(len(results), "point")
    repeats = {(point.repeats, point.results) for point in results if point.repeats}
    if len(repeats) == 1:
        (unit, count) = repeats.pop()
        points += f", {count} {unit} each" + text_if(unit == "replications", ", 95 % intervals")
    elif results and any("±" in text for text in chain.from_iterable(results[0].texts.values())):
        points += ", 95 % intervals over independent runs"
    return points


def swept_key(study: StudyTables, rows: Sequence[MethodPoint]) -> str:
    """Key along which numbers are told: the study's, or the numeric one with most values.

    There is none where some cases of a method have a single value along it, as in a zip of two keys.
    """
    counts: dict[str, int] = {}
    for name in keys_of(rows):
        count = len({row.at[name] for row in rows if is_number(row.at.get(name))})
        if name not in DRAWS and count > 1 and not _is_named_by(rows, name, count):
            counts[name] = count
    key_of_study: str = answer_keys(study).get("along", "")
    key = key_of_study
    if key not in counts:
        key = max(reversed(counts), key=counts.__getitem__, default="")
    if key != key_of_study and any(in_step(rows, name, key) for name in counts if name != key):
        return ""  # points of a zip, not a course
    by = differing_keys(rows, key)
    for group in grouped_by_method(rows).values():
        counts_of_places = Counter(point_by(row, by) for row in group).values()
        if len(counts_of_places) > 1 and min(counts_of_places) == 1 < max(counts_of_places):
            return ""
    return key


def cases_along(
    study: StudyTables, points: ResultPoints, words: Words
) -> tuple[str, dict[str, list[PointResults]]]:
    """Key along which points are told, and their cases by name, each in the order of the key."""
    key, is_compared = swept_key(study, points), len(methods_of(points)) > 1
    by = differing_keys(points, key)
    cases: dict[str, list[PointResults]] = {}
    for point in points:
        if not key or key in point.at:
            method = {"algorithm": point.algorithm} if is_compared else {}
            place = {name: point.at[name] for name in by if name in point.at}
            cases.setdefault(words.case(method | place), []).append(point)
    for case in cases.values():
        case.sort(key=lambda point: point.at.get(key, 0.0), reverse=falls(study, key))
    return key, cases


def falls(study: StudyTables, key: str) -> bool:
    """True for a key that is stated as it falls."""
    answer = answer_keys(study)
    return bool(answer.get("direction") == "falling" and answer.get("along", key) in ("", key))


def _is_named_by(rows: Sequence[MethodPoint], key: str, count: int) -> bool:
    """True if words that take more values decide a number, as the name of a game does."""
    for name in keys_of(rows):
        pairs = {(str(row.at.get(name)), str(row.at.get(key))) for row in rows}
        is_word = any(isinstance(row.at.get(name), str) for row in rows)
        if is_word and len(pairs) == len({word for word, _ in pairs}) > count:
            return True
    return False


def trend_of(
    study: StudyTables,
    name: str,
    results: ResultPoints,
    words: Words,
    stated_points: ResultPoints = (),
) -> Trend | None:
    """Trend of a quantity over a sweep; along another key if it is constant along the first.

    Cases all of whose rows are among ``stated_points`` are left out.
    """
    if stated_points:
        return _rest_of(study, name, results, words, stated_points)
    rows = _rows_of(study, name, results)
    if not rows or _has_unequal_players(study, name, results, rows):
        return None
    rows, averaged = _over_draws(rows, words)
    fixed = ""
    for constant in varying(rows):
        if is_same_along(rows, constant):  # a property of the game, whatever profile was computed there
            fixed = fixed or constant
            rows = [row._replace(refuted=False) for row in _without_key(rows, constant)]
    key = swept_key(study, rows)
    row_count = len(rows)
    if name not in OF_DYNAMICS:
        rows, key = _without_refuted(rows, key)
    where = _only_place(rows, results, row_count, key or averaged, words)
    cases, by = _cases(rows, key, words, falls(study, key))
    without_key = _without_key(rows, key)
    if key and len(without_key) < len(rows) and _is_constant(cases):
        row_count -= len(rows) - len(without_key)
        fixed = key
        rows, key = _without_refuted(without_key, swept_key(study, without_key))
        cases, by = _cases(rows, key, words, falls(study, key))
    if not cases:
        return None
    trend = Trend(name, key, cases, by, fixed, averaged, where, left_out=len(rows) < row_count)
    if not key:
        return trend
    beyond = _without_value(name, key, rows, results) if list(cases) == [""] else ()
    changing = tuple(k for k in varying(rows) if k != key and in_step(rows, k, key))
    return trend._replace(in_step=changing, beyond=beyond)


def estimates_of(point: PointResults, name: str) -> tuple[Estimate, ...]:
    """Numbers of a quantity at a point, one of the study's or another of the dataset."""
    return point.quantities.get(name) or point.numbers(name, {})


def _rows_of(study: StudyTables, name: str, results: ResultPoints) -> list[Row]:
    """Numbers of a quantity where a sentence may state them; of lists only where all results are lists."""
    of_lists = [point for point in results if point.is_first_of_several(name)]
    listing, is_requested = methods_of(of_lists), name in quantities_of_answer(study)
    single = [point for point in results if point.algorithm not in listing]
    if not single and len(of_lists) < len(results):  # the first of a list is not followed where lists grow
        return []
    # each of several searches has its best value told
    has_searches = len({point.instruments for point in results} - {()}) > 1
    rows = []
    for point in single or results:
        bound = point.best_choice if has_searches else point.bound_of_search
        is_marked = is_refuted(point) and not is_gain(name)
        row = Row(point.algorithm, point.at, estimates_of(point, name), is_marked, bound)
        # over starts, numbers have a range and no interval
        has_range = point.repeats == "starts" and not row.is_exact
        if is_reported(row.estimates, is_requested=is_requested) and not has_range:
            rows.append(row)
    return rows


def _without_key(rows: Sequence[Row], key: str) -> list[Row]:
    """Rows without a key, the first at each place."""
    rows = [row._replace(at=without(row.at, key)) for row in rows]
    return [group[0] for group in grouped(rows, place_of).values()]


def _is_constant(cases: Mapping[str, Sequence[Series]]) -> bool:
    """True if no number of any case changes."""
    return all(map(has_one_text, chain.from_iterable(cases.values())))


def _only_place(rows: Sequence[Row], results: ResultPoints, count: int, key: str, words: Words) -> str:
    """MethodPoint in words of the rows, at which alone a quantity is known or told; empty along a key."""
    is_compared = len(methods_of(results)) > 1
    (method, *further), at = methods_of(rows), rows[0].at
    for_method = text_if(is_compared and words.is_named(method), f" for {words.method(method)}")
    if len(rows) == 1 and not key:
        points = [point for point in results if point.algorithm == method]
        return text_if(at and places_of(points) - places_of(rows), f" at {words.place(at)}") + for_method
    if is_compared and not further:
        return for_method
    is_left_out = len(rows) < count and not key and len(places_of(rows)) == 1
    return text_if(is_left_out, f" at {words.place(at)}")


def _has_unequal_players(study: StudyTables, name: str, points: ResultPoints, rows: Sequence[Row]) -> bool:
    """True if many players differ at a point of a method that has one number at others.

    The others alone would show a course that the point may contradict.
    """
    methods = methods_of(row for row in rows if len(row.estimates) == 1)
    for point in points:
        estimates = estimates_of(point, name)
        is_told = is_reported(estimates, is_requested=name in quantities_of_answer(study))
        if point.algorithm not in methods or is_refuted(point) or len(estimates) < 2 or is_told:
            continue
        if all(np.isfinite(estimate.mean) for estimate in estimates):
            return True
    return False


def _without_value(name: str, key: str, rows: Sequence[Row], points: ResultPoints) -> tuple[float, ...]:
    """Values of a key beyond those of rows at which the same methods have no number."""
    methods, stated = methods_of(rows), [row.at[key] for row in rows if key in row.at]
    values = set()
    for point in points:
        is_missing = point.algorithm in methods and key in point.at and not point.quantities.get(name)
        if is_missing and not min(stated) <= point.at[key] <= max(stated):
            values.add(point.at[key])
    return tuple(sorted(values))


def _rest_of(
    study: StudyTables,
    name: str,
    points: ResultPoints,
    words: Words,
    stated_points: ResultPoints,
) -> Trend | None:
    """Trend of a quantity over the cases of which not all rows are stated; None without any."""
    trend = trend_of(study, name, points, words)
    if trend is None:
        return None
    with_numbers = [point for point in points if estimates_of(point, name)]
    keys = trend.key, trend.fixed
    cases = grouped(with_numbers, lambda point: place_of(point, *keys))
    unstated = [case for case in cases.values() if not {*case} <= {*stated_points}]
    if len(cases) == len(unstated):
        return trend
    rows = list(chain.from_iterable(unstated))
    trend = trend_of(study, name, rows, words)
    # rows that held are stated: the others would be unmarked
    if trend is None or (not is_gain(name) and name not in OF_DYNAMICS and all(map(is_refuted, rows))):
        return None
    at = without(common_place(rows), *common_place(points))
    where = text_if(at, f" at {words.place(at)}")
    if len(methods_of(rows)) == 1 < len(methods_of(points)):
        where += f" for {words.method(rows[0].algorithm)}"
    return trend._replace(where=where)


def _without_refuted(rows: list[Row], key: str) -> tuple[list[Row], str]:
    """Rows used for a trend along a key, and the key; no key if one point is left.

    A trend uses only points that are not refuted, where a case has any: the other points are where play
    happened to stop. A case without any keeps its points, which are marked.
    """
    by, selected = differing_keys(rows, key), list[Row]()
    for case in grouped(rows, lambda row: (row.algorithm, point_by(row, by))).values():
        selected += [row for row in case if not row.refuted] or case
    if not key or len(selected) == len(rows):
        return rows, key
    return selected, text_if(len({row.at.get(key) for row in selected}) > 1, key)


def is_same_along(rows: Sequence[Row], name: str) -> bool:
    """True for numbers that no draws enter and that are equal for all values of a key."""
    count = len({str(row.at.get(name)) for row in rows})
    for group in grouped(rows, lambda row: place_of(row, name)).values():
        if len(group) != count or len({row.texts for row in group}) > 1:
            return False
    return all(row.is_exact for row in rows)


def is_refuted(point: PointResults) -> bool:
    """True for a point that is no Nash equilibrium, beyond what sampling and learning could explain."""
    return NOT_AN_EQUILIBRIUM in point.claims and not (point.concept or point.estimated or point.random)


def is_gain(name: str) -> bool:
    """True for a quantity that measures the distance of profiles from equilibrium."""
    return any(word in name for word in ("exploitability", "regret", "gain", "nash_conv"))


def _over_draws(rows: Sequence[Row], words: Words) -> tuple[list[Row], str]:
    """Means over a key that numbers random draws of the game, and that key."""
    key = next((name for name in keys_of(rows) if name in DRAWS), "")
    groups = grouped(rows, lambda row: place_of(row, key)).values()
    for group in groups:
        if not key or len(group) < 2 or len({len(row.estimates) for row in group}) > 1:
            return list(rows), ""
    return [_mean_row(group, key, words) for group in groups], key


def _mean_row(group: Sequence[Row], key: str, words: Words) -> Row:
    """Means of every entry over the rows of one place, which differ in a key."""
    labels, estimates = np.array([str(row.at[key]) for row in group]), []
    for column in zip(*(row.estimates for row in group), strict=True):
        means = np.array([estimate.mean for estimate in column])
        mean, half = float(means.mean()), float(half_width(means))
        text, draws = format_interval(mean, half), Draws(f"{words.key(key)}s", labels, means)
        estimates.append(Estimate(text, mean, mean - half, mean + half, column[0].entry, draws))
    bounds = dict.fromkeys(row.bound for row in group if row.bound)
    is_marked = any(row.refuted for row in group)
    first = group[0]
    return Row(first.algorithm, without(first.at, key), tuple(estimates), is_marked, "; ".join(bounds))


def _cases(
    rows: Sequence[Row], key: str, words: Words, falling: bool
) -> tuple[dict[str, list[list[Value]]], tuple[str, ...]]:
    """Values of every case by its name, per entry; methods with equal numbers are one."""
    by = differing_keys(rows, key)
    keys = list(by)
    for name in varying(rows):
        is_fixed = any(in_step(rows, name, number) for number in by if is_numeric(rows, number))
        keys += [name] if is_fixed and name not in (*by, key) else []
    # if all are refuted, the sentence on claims says it
    mixed = len({row.refuted for row in rows}) > 1
    groups = grouped(rows, lambda row: (row.algorithm, tuple((k, row.at[k]) for k in keys if k in row.at)))
    values, printed = {}, dict[str, dict[Any, Any]]()
    for (method, place), group in groups.items():
        group.sort(key=lambda row: row.at.get(key, 0.0), reverse=falling)
        columns = values[method, place] = _by_entry(group, key, mixed)
        printed.setdefault(method, {})[place] = [list(map(_printed, column)) for column in columns]
    equal: dict[str, list[str]] = {}
    for method, numbers_of_method in printed.items():
        first = next(name for name, texts in printed.items() if texts == numbers_of_method)
        equal.setdefault(first, []).append(method)
    cases = {}
    for (method, place), columns in values.items():
        if method in equal and any(columns):
            names = joined(list(map(words.method, equal[method])))
            label = commas(text_if(len(equal) > 1, names), words.case(dict(place)))
            cases[label.replace(", with ", " with ")] = list(filter(None, columns))
    heads = ["method"] if len(equal) > 1 else []
    return cases, (*heads, *map(words.key, by))


def _by_entry(rows: Sequence[Row], key: str, mixed: bool) -> list[list[Value]]:
    """Values of a case along a key per entry; marked where some rows are equilibria."""
    widest, columns = max((row.estimates for row in rows), key=len), []
    for k, entry in enumerate(widest):
        column = []
        for row in rows:
            if len(row.estimates) not in (1, len(widest)):
                continue
            estimate = row.estimates[k % len(row.estimates)]._replace(entry=entry.entry)
            is_marked = mixed and row.refuted and estimate.text != NOT_AN_EQUILIBRIUM  # said once
            if estimate.text:
                column.append(Value(float(row.at.get(key, 0.0)), estimate, is_marked, row.bound))
        columns.append(column)
    return columns


def _printed(value: Value) -> tuple[float, str, str]:
    """Parts of a number that a reader sees.

    Of the same draws, a difference may be significant that is smaller than what intervals show.
    """
    draws = value.estimate.draws
    return value.at, value.text, text_if(draws and draws.shared, f"{value.estimate.mean:.4g}")


def reported_names(points: Iterable[PointResults], requested: Collection[str] = ()) -> list[str]:
    """Quantities that a sentence may state at any point."""
    names: dict[str, None] = {}
    for point in points:
        for name, row in point.quantities.items():
            if is_reported(row, is_requested=name in requested):
                names[name] = None
    return list(names)


def is_reported(row: Sequence[Estimate], *, is_requested: bool = False) -> bool:
    """True for a quantity that a sentence may state: of all, of few players, of what has a name."""
    if not row:
        return False
    has_value = bool(np.isfinite(row[0].mean)) or row[0].text[:1].isalpha()
    numbered = any(_NUMBERED.fullmatch(estimate.entry) for estimate in row)
    is_short = len(row) <= (TOGETHER if numbered else CASES)
    has_names = is_requested or all(map(_is_named, row))
    return has_value and bool(row[0].text) and (len(row) == 1 or (is_short and has_names))


def _is_named(estimate: Estimate) -> bool:
    parts = estimate.entry.split(", ")
    if len(parts) > 1:  # a name with a comma, or an entry of two dimensions
        return not any(map(_NUMBERED.fullmatch, parts))
    return estimate.entry.split(" ")[0] in WHOSE or not _NUMBERED.fullmatch(estimate.entry)

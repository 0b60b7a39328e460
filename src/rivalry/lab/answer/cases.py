"""The points of a study by case: which numbers are reported, along which key, and with which others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rivalry.lab.answer.courses import NOT_AN_EQUILIBRIUM, Value
from rivalry.lab.answer.grammar import capitalised, joined, lowered
from rivalry.lab.answer.points import WHOSE, PointResults
from rivalry.lab.study.expect import differences
from rivalry.lab.study.points import flat
from rivalry.lab.study.words import Words
from rivalry.results.table import Draws, Estimate
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

    method: str
    at: Mapping[str, Any]
    estimates: tuple[Estimate, ...]
    refuted: bool  # whether the point is no equilibrium
    bound: str = ""  # of the search for a best choice


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


def points_asked(study: Mapping[str, Any], points: Sequence[PointResults]) -> list[PointResults]:
    """Return the results of the study's answer: of its methods, at its point; all if there are none."""
    answer = study.get("answer") or {}
    rows = [point for point in points if point.algorithm in answer.get("methods", ())] or list(points)
    at = answer.get("at", {}).items()
    return [point for point in rows if all(point.at.get(k, v) == v for k, v in at)] or rows


def at_point(study: Mapping[str, Any], rows: Sequence[PointResults], words: Words, text: str) -> str:
    """Return a sentence that begins with the point of the study's answer, if it has one."""
    at = (study.get("answer") or {}).get("at", {})
    common = {k: v for k, v in at.items() if {point.at.get(k) for point in rows} == {v}}
    preposition = "At" if any(map(_is_number, common.values())) else "For"
    return f"{preposition} {words.place(common)}, {text[0].lower()}{text[1:]}" if common else text


def in_changed_game(study: Mapping[str, Any], text: str) -> str:
    """Return a first sentence that begins with the numbers that are not those of the study's question.

    They are those of the game that the quick form reduces, and single numbers that a run changes.

    >>> game = {"family": "karma", "agents": 120}
    >>> quick = {"quick_form": True, "quick": {"game.agents": 120}, "game": game}
    >>> in_changed_game(quick, "No: The mean reward is 1."), in_changed_game({}, "The reward is 1.")
    ('No: with 120 agents, the mean reward is 1.', 'The reward is 1.')
    """
    quick = flat(study.get("quick") or {}) if study.get("quick_form") else {}
    game, words = study.get("game") or {}, Words(study)
    rows = [(key[5:], value) for key, value in quick.items() if key.startswith("game.") and _is_number(value)]
    places = {key: words.at(key, value) for key, value in rows if game.get(key) == value}
    for change in differences(study):
        (value, *further) = change.after
        if change.key.startswith(("game.", "method.")) and not further and _is_number(value):
            places[change.name] = words.at(change.name, value)
    where = joined(list(places.values())[:MOST_CHANGES])
    if not where or where in text:
        return text
    verdict, colon, sentence = (
        text.partition(": ") if text.split(":")[0] in VERDICTS.values() else ("", "", text)
    )
    sentence = f"{where}, {lowered(sentence)}"
    return f"{verdict}{colon}{sentence}" if verdict else capitalised(sentence)


def so_far(text: str) -> str:
    """Return the first sentence of a run that lacks cells.

    >>> so_far("Yes: the price is 2."), so_far("The price is 2.")
    ('Yes, so far: the price is 2.', 'So far, the price is 2.')
    """
    verdict, colon, facts = text.partition(": ")
    return (
        f"{verdict}, so far: {facts}"
        if colon and verdict in VERDICTS.values()
        else f"So far, {lowered(text)}"
    )


def basis_of(results: Sequence[PointResults]) -> str:
    """Return the number of points, replications or sessions on which the numbers rest."""
    points = f"{len(results)} point{'s' * (len(results) != 1)}"
    repeats = {(point.repeats, point.results) for point in results if point.repeats}
    if len(repeats) == 1:
        (unit, count) = repeats.pop()
        points += f", {count} {unit} each" + (", 95 % intervals" if unit == "replications" else "")
    elif any(
        estimate.text.count("±")
        for point in results[:1]
        for row in point.quantities.values()
        for estimate in row
    ):
        points += ", 95 % intervals over independent runs"
    return points


def swept_key(study: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Return the key along which numbers are told: the study's, or the numeric one with most values.

    There is none where some cases of a method have a single value along it, as in a zip of two keys.
    """
    values: dict[str, set[Any]] = {}
    for row in rows:
        for name, value in row.at.items():
            if _is_number(value) and name not in DRAWS:
                values.setdefault(name, set()).add(value)
    counts = {name: len(key_values) for name, key_values in values.items() if len(key_values) > 1}
    counts = {name: n for name, n in counts.items() if not _is_named_by(rows, name, n)}
    key_of_study = (study.get("answer") or {}).get("along", "")
    key = (
        key_of_study
        if key_of_study in counts
        else max(reversed(counts), key=lambda name: counts[name], default="")
    )
    if key != key_of_study and any(_in_step(rows, name, key) for name in counts if name != key):
        return ""  # points of a zip, not a course
    by = differing_keys(rows, key)
    for method in {row.method for row in rows}:
        places = Counter(tuple(str(row.at.get(k)) for k in by) for row in rows if row.method == method)
        if len(places) > 1 and min(places.values()) == 1 < max(places.values()):
            return ""
    return key


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def falls(study: Mapping[str, Any], key: str) -> bool:
    """True for a key that is stated as it falls."""
    answer = study.get("answer") or {}
    return bool(answer.get("direction") == "falling" and answer.get("along", key) in ("", key))


def _is_named_by(rows: Sequence[Row], key: str, count: int) -> bool:
    """True if words that take more values decide a number, as the name of a game does."""
    for name in {name for row in rows for name, value in row.at.items() if isinstance(value, str)}:
        pairs = {(str(row.at.get(name)), str(row.at.get(key))) for row in rows}
        if len(pairs) == len({word for word, _ in pairs}) > count:
            return True
    return False


def trend_of(
    study: Mapping[str, Any],
    name: str,
    results: Sequence[PointResults],
    words: Words,
    stated_points: Sequence[PointResults] = (),
) -> Trend | None:
    """Return the trend of a quantity over a sweep; along another key if it is constant along the first.

    Cases all of whose rows are among ``stated_points`` are left out.
    """
    if stated_points:
        return _rest_of(study, name, results, words, stated_points)
    of_lists = [point.is_first_of_several(name) for point in results]
    listing = {point.algorithm for point, is_first in zip(results, of_lists, strict=True) if is_first}
    single = [point for point in results if point.algorithm not in listing]
    if not single and not all(of_lists):  # the first of a list is not followed where lists grow
        return None
    is_asked = name in ((study.get("answer") or {}).get("quantities") or ())
    is_compared = len({point.instruments for point in results} - {()}) > 1  # each has its best value told
    rows = [
        Row(
            point.algorithm,
            point.at,
            estimates,
            is_refuted(point) and not is_gain(name),
            point.best_choice if is_compared else point.bound_of_search,
        )
        for point in single or results
        # over starts, numbers have a range and no interval
        if is_reported(
            estimates := point.quantities.get(name) or point.numbers(name, {}), is_requested=is_asked
        )
        and (point.repeats != "starts" or all(estimate.low == estimate.high for estimate in estimates))
    ]
    if not rows or _has_unequal_players(name, results, rows, is_asked):
        return None
    rows, averaged = _over_draws(rows, words)
    fixed, where = "", ""
    for k in _varying(rows):
        if is_same_along(rows, k):  # a property of the game, whatever profile was computed there
            fixed = fixed or k
            rows = [row._replace(at={n: v for n, v in row.at.items() if n != k}) for row in rows]
            firsts: dict[Any, Row] = {}
            for row in rows:
                firsts.setdefault((row.method, str(row.at)), row._replace(refuted=False))
            rows = list(firsts.values())
    key = swept_key(study, rows)
    row_count = len(rows)
    if name not in OF_DYNAMICS:
        rows, key = _without_refuted(rows, key)
    if len(rows) == 1 and not averaged:  # of several points or methods, one has the quantity
        (row,) = rows
        other_points = [
            point for point in results if point.algorithm == row.method and str(point.at) != str(row.at)
        ]
        where = f" at {words.place(row.at)}" * bool(row.at and other_points)
        is_compared = len({point.algorithm for point in results}) > 1
        where += f" for {words.method(row.method)}" * (is_compared and words.is_named(row.method))
    elif len({row.method for row in rows}) == 1 < len({point.algorithm for point in results}):
        where = f" for {words.method(rows[0].method)}" * words.is_named(rows[0].method)
    elif len(rows) < row_count and not key and len({str(row.at) for row in rows}) == 1:
        where = f" at {words.place(rows[0].at)}"
    cases, by = _cases(rows, name, key, words, falls(study, key))
    if key and all(
        len({row.estimate.text for row in group}) == 1 for case in cases.values() for group in case
    ):
        rows_without_key: dict[Any, Row] = {}
        for row in rows:
            rows_without_key.setdefault(
                (row.method, *((k, str(v)) for k, v in row.at.items() if k != key)), row
            )
        if len(rows_without_key) < len(rows):
            row_count -= len(rows) - len(rows_without_key)
            rows, fixed = list(rows_without_key.values()), key
            rows = [row._replace(at={k: v for k, v in row.at.items() if k != fixed}) for row in rows]
            rows, key = _without_refuted(rows, swept_key(study, rows))
            cases, by = _cases(rows, name, key, words, falls(study, key))
    in_step = tuple(k for k in _varying(rows) if key and k != key and _in_step(rows, k, key))
    left_out = len(rows) < row_count
    values_without_result = _without_value(name, key, rows, results) if key and list(cases) == [""] else ()
    return (
        Trend(name, key, cases, by, fixed, averaged, where, in_step, left_out, values_without_result)
        if cases
        else None
    )


def _has_unequal_players(
    name: str, points: Sequence[PointResults], rows: Sequence[Row], is_asked: bool
) -> bool:
    """True if many players differ at a point of a method that has one number at others.

    The others alone would show a course that the point may contradict.
    """
    methods = {row.method for row in rows if len(row.estimates) == 1}
    return any(
        point.algorithm in methods
        and not is_refuted(point)
        and len(estimates := point.quantities.get(name) or point.numbers(name, {})) > 1
        and all(np.isfinite(estimate.mean) for estimate in estimates)
        and not is_reported(estimates, is_requested=is_asked)
        for point in points
    )


def _without_value(
    name: str, key: str, rows: Sequence[Row], points: Sequence[PointResults]
) -> tuple[float, ...]:
    """Return the values of a key beyond those of rows at which the same methods have no number."""
    methods, stated_values = {row.method for row in rows}, [row.at[key] for row in rows if key in row.at]
    values = {
        point.at[key]
        for point in points
        if point.algorithm in methods and key in point.at and not point.quantities.get(name)
    }
    return tuple(sorted(x for x in values if not min(stated_values) <= x <= max(stated_values)))


def _rest_of(
    study: Mapping[str, Any],
    name: str,
    points: Sequence[PointResults],
    words: Words,
    stated_points: Sequence[PointResults],
) -> Trend | None:
    """Return the trend of a quantity over the cases of which not all rows are stated; None without any."""
    trend = trend_of(study, name, points, words)
    if trend is None:
        return None
    cases: dict[Any, list[PointResults]] = {}
    for point in points:
        if point.quantities.get(name) or point.numbers(name, {}):
            place = tuple((k, str(v)) for k, v in point.at.items() if k not in (trend.key, trend.fixed))
            cases.setdefault((point.algorithm, place), []).append(point)
    unstated = [
        point
        for case in cases.values()
        if not all(point in stated_points for point in case)
        for point in case
    ]
    if sum(map(len, cases.values())) == len(unstated):
        return trend
    trend = trend_of(study, name, unstated, words)
    # rows that held are stated: the others would be unmarked
    if trend is None or (not is_gain(name) and name not in OF_DYNAMICS and all(map(is_refuted, unstated))):
        return None
    at = {k: v for k, v in unstated[0].at.items() if all(point.at.get(k) == v for point in unstated)}
    at = {k: v for k, v in at.items() if any(point.at.get(k) != v for point in points)}
    where = f" at {words.place(at)}" * bool(at)
    if len({point.algorithm for point in unstated}) == 1 < len({point.algorithm for point in points}):
        where += f" for {words.method(unstated[0].algorithm)}"
    return trend._replace(where=where)


def _without_refuted(rows: list[Row], key: str) -> tuple[list[Row], str]:
    """Return the rows used for a trend along a key, and the key; no key if one point is left.

    A trend uses only points that are not refuted, where a case has any: the other points are where play
    happened to stop. A case without any keeps its points, which are marked.
    """
    by, cases = differing_keys(rows, key), dict[Any, list[Row]]()
    for row in rows:
        place = tuple(str(row.at.get(k)) for k in by)
        cases.setdefault((row.method, place), []).append(row)
    if not key or not any(len({row.refuted for row in case}) > 1 for case in cases.values()):
        return rows, key
    unrefuted = [[row for row in case if not row.refuted] or case for case in cases.values()]
    rows = [row for case in unrefuted for row in case]
    return rows, key * (len({row.at.get(key) for row in rows}) > 1)


def is_same_along(rows: Sequence[Row], name: str) -> bool:
    """True for numbers that no draws enter and that are equal for all values of a key."""
    groups: dict[Any, set[tuple[str, ...]]] = {}
    counts: Counter[Any] = Counter()
    for row in rows:
        place = (row.method, *((k, str(v)) for k, v in row.at.items() if k != name))
        groups.setdefault(place, set()).add(tuple(estimate.text for estimate in row.estimates))
        counts[place] += 1
    values = len({str(row.at.get(name)) for row in rows})
    exact = all(estimate.low == estimate.high for row in rows for estimate in row.estimates)
    return exact and all(len(texts) == 1 for texts in groups.values()) and set(counts.values()) == {values}


def is_refuted(point: PointResults) -> bool:
    """True for a point that is no Nash equilibrium, beyond what sampling and learning could explain."""
    return NOT_AN_EQUILIBRIUM in point.claims and not (point.concept or point.estimated or point.random)


def is_gain(name: str) -> bool:
    """True for a quantity that measures the distance of profiles from equilibrium."""
    return any(word in name for word in ("exploitability", "regret", "gain", "nash_conv"))


def _over_draws(rows: Sequence[Row], words: Words) -> tuple[list[Row], str]:
    """Return means over a key that numbers random draws of the game, and that key."""
    key = next((k for row in rows for k in row.at if k in DRAWS), "")
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault((row.method, *((k, str(v)) for k, v in row.at.items() if k != key)), []).append(row)
    if not key or any(
        len(group) < 2 or len({len(row.estimates) for row in group}) > 1 for group in groups.values()
    ):
        return list(rows), ""
    mean_rows = []
    for group in groups.values():
        estimates = []
        for column in zip(*(row.estimates for row in group), strict=True):
            means = np.array([estimate.mean for estimate in column])
            mean, half = float(means.mean()), float(half_width(means))
            text, entry = format_interval(mean, half), column[0].entry
            draws = Draws(f"{words.key(key)}s", np.array([str(row.at[key]) for row in group]), means)
            estimates.append(Estimate(text, mean, mean - half, mean + half, entry, draws))
        at = {k: v for k, v in group[0].at.items() if k != key}
        bound = "; ".join(dict.fromkeys(row.bound for row in group if row.bound))
        mean_rows.append(Row(group[0].method, at, tuple(estimates), any(row.refuted for row in group), bound))
    return mean_rows, key


def _cases(
    rows: Sequence[Row], name: str, key: str, words: Words, falling: bool
) -> tuple[dict[str, list[list[Value]]], tuple[str, ...]]:
    """Return the values of every case by its name, per entry; methods with equal numbers are one."""
    series: dict[tuple[str, tuple[tuple[str, Any], ...]], list[Row]] = {}
    by = differing_keys(rows, key)
    numbers = [k for k in by if all(_is_number(row.at.get(k, 0)) for row in rows)]
    further_keys = [
        other_key
        for other_key in _varying(rows)
        if other_key not in (*by, key) and any(_in_step(rows, other_key, k) for k in numbers)
    ]
    for row in rows:
        place = tuple((k, row.at[k]) for k in (*by, *further_keys) if k in row.at)
        series.setdefault((row.method, place), []).append(row)
    # if all are refuted, the sentence on claims says it
    mixed = len({row.refuted for row in rows}) > 1
    values: dict[tuple[str, Any], list[list[Value]]] = {}
    for case, case_rows in series.items():
        case_rows.sort(key=lambda row: row.at.get(key, 0.0), reverse=falling)
        widest = max((row.estimates for row in case_rows), key=len)
        values[case] = [
            [
                Value(
                    float(row.at.get(key, 0.0)),
                    own_value._replace(entry=estimate.entry),
                    mixed and row.refuted and own_value.text != NOT_AN_EQUILIBRIUM,  # said once
                    row.bound,
                )
                for row in case_rows
                if len(row.estimates) in (1, len(widest))
                and (own_value := row.estimates[k if len(row.estimates) > 1 else 0]).text
            ]
            for k, estimate in enumerate(widest)
        ]
    texts = {
        # of the same draws, a difference may be significant that is smaller than what intervals show
        case: [
            [
                (
                    v.at,
                    v.text,
                    f"{v.estimate.mean:.4g}" * bool((own_draws := v.estimate.draws) and own_draws.shared),
                )
                for v in entry_values
            ]
            for entry_values in series
        ]
        for case, series in values.items()
    }
    equal: dict[str, list[str]] = {}
    for method in dict.fromkeys(method for method, _ in values):
        own_texts = {place: text for (algorithm, place), text in texts.items() if algorithm == method}
        equal_methods = (m for m in equal if {p: t for (o, p), t in texts.items() if o == m} == own_texts)
        equal.setdefault(next(equal_methods, method), []).append(method)
    cases = {}
    for (method, place), columns in values.items():
        if method in equal and any(columns):
            own_name = joined([words.method(name) for name in equal[method]]) if len(equal) > 1 else ""
            label = ", ".join(filter(None, [own_name, words.case(dict(place))])).replace(", with ", " with ")
            cases[label] = [column for column in columns if column]
    return cases, (*("method",) * (len(equal) > 1), *(words.key(k) for k in by))


def differing_keys(rows: Sequence[Row], key: str) -> list[str]:
    """Return the keys in which rows differ, one of those that vary together, as in a zip."""
    selected: list[str] = []
    for name in (k for k in _varying(rows) if k != key):
        if not any(_in_step(rows, name, other_name) for other_name in filter(None, (key, *selected))):
            selected.append(name)
    return selected


def _varying(rows: Sequence[Row]) -> list[str]:
    """Return the keys with several values."""
    keys = dict.fromkeys(k for row in rows for k in row.at)
    return [k for k in keys if len({str(row.at[k]) for row in rows if k in row.at}) > 1]


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


def _in_step(rows: Sequence[Row], name: str, key: str) -> bool:
    """True for a coordinate that another fixes, as in a zip."""
    pairs = {(str(row.at.get(key)), str(row.at.get(name))) for row in rows if key in row.at}
    values = {value for _, value in pairs}
    return len(values) > 1 and len(pairs) == len({at for at, _ in pairs})

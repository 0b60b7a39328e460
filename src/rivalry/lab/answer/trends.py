"""Sentences on a study's quantities: how they move with a swept key, in which order methods and cases stand.

Nothing is said that the numbers do not support: a number moves only where it leaves the 95 % intervals, and
one case exceeds another only where the interval of the difference excludes 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain, combinations
from typing import Any

import numpy as np

from rivalry.lab.answer.cases import (
    CASES,
    LEFT_OUT,
    TOGETHER,
    Sentence,
    Trend,
    at_point,
    basis_of,
    is_reported,
    points_asked,
    trend_of,
)
from rivalry.lab.answer.claims import by_methods, claim_courses
from rivalry.lab.answer.courses import NOT_AN_EQUILIBRIUM, Value, course, is_single, verb_phrase
from rivalry.lab.answer.estimates import is_nearly_zero
from rivalry.lab.answer.grammar import (
    capitalised,
    clauses,
    commas,
    joined,
    joined_cases,
    lowered,
    role_with_article,
    text_if,
)
from rivalry.lab.answer.places import base_methods
from rivalry.lab.answer.points import WHOSE, PointResults
from rivalry.lab.answer.positions import position_sentences
from rivalry.lab.study.words import CONTROLS, Words, answer_keys, asks_in, quantities_of_answer
from rivalry.results.comparison import (
    Case,
    Ranking,
    differ,
    difference_in_words,
    excess_in_words,
    paired_margin,
    rank,
    same_draws,
)
from rivalry.results.table import Estimate

MOST = 2  # sentences on quantities
NUMBERS = 4  # most numbers of one quantity that a sentence lists
ORDINALS = ("first", "second", "third", "fourth")
MOST_ENTRIES = 6  # and of several players
COURSES = 5  # most courses along a key that a sentence tells one by one
GAINS = ("pooled_gain", "gain_mean")
"""Profit gains of learners, which controls without punishment may have too."""
NO_OPTIMUM = "no optimum lies inside the range that was tried"
EXCEPT = ", except in cases that have no others"


def on_quantities(
    study: Mapping[str, Any],
    results: Sequence[PointResults],
    covered_quantities: Collection[str] = (),
    stated_points: Sequence[PointResults] = (),
) -> list[Sentence]:
    """Return sentences on the quantities of a study, the most important first.

    What a verdict says of ``covered_quantities`` at its ``stated_points`` is left out.
    """
    words, rows = Words(study), points_asked(study, results)
    sentences: list[str] = []
    together: list[Trend] = []
    asks = asks_in(study)

    def add_shared_clauses() -> None:
        if together:
            sentences.append(_without(one_case_sentence(together, words, asks), together[0]))
            together.clear()

    study_quantities = quantities_of_answer(study)
    # a sentence on events states their parameters, one on lists their counts
    followed, counted = any(point.events for point in rows), any(point.counts_text for point in rows)
    names = dict.fromkeys(
        name
        for point in rows
        for name, row in point.quantities.items()
        if is_reported(row, is_requested=name in study_quantities)
        and not (followed and name.endswith("_parameter"))
        and not (counted and name.endswith("_count"))
    )
    order = [name for name in study_quantities if name in names or name == "profile"] or list(names)[
        :TOGETHER
    ]
    of = dict.fromkeys(covered_quantities, stated_points)
    order = [
        name
        for name in order
        if not of.get(name)
        or trend_of(study, name, rows, words, stated_points)
        or _controls(study, name, results, words)
    ]
    is_constant, subject = bool(order), None
    for name in order:
        is_told_by_player = name == "profile" and len(rows) == 1 and bool(rows[0].choices_in_words)
        if is_told_by_player or (
            name == "profile" and not (words.is_named(name) and trend_of(study, name, rows, words))
        ):
            add_shared_clauses()
            sentences += [sentence.text for sentence in position_sentences(study, results)]
        elif name == "claim":  # without a key, the sentence on claims says it
            add_shared_clauses()
            sentences += claim_courses(study, [point for point in rows if point not in of.get(name, ())])
            subject = None
        elif control_sentences := _controls(study, name, results, words, of.get(name, ())):
            add_shared_clauses()
            sentences += control_sentences
            base = [point for point in rows if point.algorithm in base_methods(study)]
            subject = trend_of(study, name, base, words, of.get(name, ()))
            if subject and len(subject.cases) > 1:
                sentences += [_without(text, subject) for text in _ranking(study, subject, words)]
        elif subject := trend_of(study, name, rows, words, of.get(name, ())):
            is_single_case = list(subject.cases) == [""]
            parts = sum(len(point.cases[""]) for point in together) + len(next(iter(subject.cases.values())))
            if not is_single_case or (
                together and (_trend_signature(together[0]) != _trend_signature(subject) or parts > TOGETHER)
            ):
                add_shared_clauses()
            if is_single_case:
                together.append(subject)
            else:
                by_case = (
                    [sweep_sentence(subject, words, asks)] if subject.key else _ranking(study, subject, words)
                )
                sentences += [_without(text, subject) for text in by_case]
        is_constant = is_constant and subject is not None and bool(subject.fixed)
    add_shared_clauses()
    if is_constant and not study_quantities:  # nothing moves, of quantities that no author chose
        sentences = [sentence.text for sentence in position_sentences(study, results)] + sentences
    selected = list(filter(None, sentences))[:MOST]
    if selected and selected[0].endswith(f"{NO_OPTIMUM}."):
        tail = f"; {selected[0].rpartition('; ')[2]}"
        selected[1:] = [
            f"{text.removesuffix(tail)}." if text.endswith(tail) else text for text in selected[1:]
        ]
    # a profile that is no equilibrium is marked once
    for marked in re.findall(rf" \({NOT_AN_EQUILIBRIUM}\)( for [^,;.]+)", selected[0] if selected else ""):
        selected[1:] = [text.replace(f" ({NOT_AN_EQUILIBRIUM}){marked}", marked) for text in selected[1:]]
    texts = [at_point(study, rows, words, text) for text in of_methods(study, selected, rows, results, words)]
    return [Sentence(text, basis_of(rows)) for text in texts]


def of_methods(
    study: Mapping[str, Any],
    texts: Sequence[str],
    rows: Sequence[PointResults],
    results: Sequence[PointResults],
    words: Words,
) -> list[str]:
    """Return sentences on some methods of a study that name them, where others have other numbers."""
    methods = dict.fromkeys(point.algorithm for point in rows)
    names = [words.method(name) for name in methods]
    remaining = _other_methods(study, rows, results, words)
    if not remaining:
        return list(texts)
    is_short = len(names) <= TOGETHER
    start = f"of the {len(names)} methods compared, "
    if is_short:
        start = f"{by_methods(list(methods), joined(names), words)}, "
    if not is_short and len(remaining) <= TOGETHER:
        start = f"{joined(remaining)} aside, "
    return [
        text if is_short and has_name(text, names) else capitalised(start + lowered(text)) for text in texts
    ]


def has_name(text: str, names: Sequence[str]) -> bool:
    """True for a sentence with any of the names."""
    return any(re.search(rf"\b{re.escape(name)}\b", text) for name in names)


def _other_methods(
    study: Mapping[str, Any], rows: Sequence[PointResults], results: Sequence[PointResults], words: Words
) -> list[str]:
    """Return the names of methods beside those of rows with other numbers of the same quantities.

    Negative controls count where several methods are compared, and are one name.
    """
    methods = {point.algorithm for point in rows}
    bases = base_methods(study)
    numbers: dict[tuple[str, str], list[str]] = {}
    for point in rows:
        numbers |= {(str(point.at), name): texts for name, texts in _texts(point).items()}
    differing: dict[str, None] = {}
    for point in results:
        pairs = _texts(point).items()
        differs = any(numbers.get((str(point.at), name), texts) != texts for name, texts in pairs)
        is_control = point.algorithm not in bases
        if point.algorithm not in methods and differs and not (is_control and len(methods) == 1):
            differing["negative controls" if is_control else words.method(point.algorithm)] = None
    return list(differing)


def _texts(point: PointResults) -> dict[str, list[str]]:
    """Return the numbers of a result as they are printed, by quantity."""
    return {name: texts for name, texts in point.texts.items() if name not in ("profile", "claim")}


def course_sentence(subject: Trend, words: Words) -> str:
    """Return the sentence on a quantity along a key."""
    is_single_case = list(subject.cases) == [""]
    return _without(
        one_case_sentence([subject], words) if is_single_case else sweep_sentence(subject, words), subject
    )


def _without(text: str, subject: Trend) -> str:
    """Return a sentence that begins with what is left out, if anything is."""
    if not (text and subject.left_out):
        return text
    is_marked = f"({NOT_AN_EQUILIBRIUM})" in text
    return f"{LEFT_OUT}{EXCEPT * is_marked}, {text[0].lower()}{text[1:]}"


def _trend_signature(subject: Trend) -> tuple[Any, ...]:
    single = any(is_single(series) for case in subject.cases.values() for series in case)
    return subject.key, subject.fixed, subject.averaged, subject.where, subject.left_out, single


def _qualifiers(subject: Trend, words: Words) -> str:
    """Return along which key numbers do not move, and over which key they are means."""
    varies = bool(subject.fixed) and words.key(subject.fixed) not in words.quantity(subject.name)
    return (
        subject.where
        + text_if(varies, f" at every {words.key(subject.fixed)}")
        + (f" (mean over {words.key(subject.averaged)}s, 95 % intervals)" if subject.averaged else "")
    )


def _range(subject: Trend, series: Iterable[Sequence[Value]], words: Words) -> str:
    rows = [row for row in series if row]
    begin, end = rows[0][0].at, rows[0][-1].at
    ends, verb = [row.at for value in rows for row in value], "rises" if begin <= end else "falls"
    low, high = (words.value(end(ends)) for end in ((min, max) if verb == "rises" else (max, min)))
    names = [f"the {words.key(name)}" for name in subject.in_step]
    comovement = f", and {joined(names)} change{text_if(len(names) == 1, 's')} with it" if names else ""
    return f"As the {words.key(subject.key)} {verb} from {low} to {high}{comovement}"


def _of(name: str, entry: str, words: Words) -> str:
    """Return a quantity with its article, and whose it is."""
    if entry.startswith("the ") or (entry.partition(" ")[0] in WHOSE and "," not in entry):
        return f"the {words.quantity(name)} of {role_with_article(entry)}"
    return f"the {words.quantity(name)}" + (f" ({entry})" if entry else "")


def one_case_sentence(trends: Sequence[Trend], words: Words, asks: str = "what") -> str:
    """Return one sentence on quantities of a single case: along a key, or their values."""
    key, at = trends[0].key, _qualifiers(trends[0], words)
    parts, rows = [], [series for subject in trends for series in subject.cases[""]]
    for subject in trends:
        all_series = subject.cases[""]
        if key and len(all_series) > NUMBERS and asks != "how much" and not any(map(is_single, all_series)):
            directions, extent = _by_direction([(series[0].estimate.entry, series) for series in all_series])
            clauses_of_entries = [f"{verb} for {joined(names)}" for verb, names in directions.items()]
            parts.append(f"the {words.quantity(subject.name)} {joined(clauses_of_entries)}{extent}")
        elif key:
            for series in subject.cases[""]:
                name = _of(subject.name, series[0].estimate.entry, words)
                parts.append(f"{name} {course(series, key, words, amounts=asks == 'how much')}")
        else:
            values = [series[0] for series in subject.cases[""]]
            parts.append(f"the {words.quantity(subject.name)} is {_of_each(values)}")
    if key and all(len(series) == 1 for series in rows):
        return ""
    if asks == "how much" and not key and (paired := _two_quantities(trends, words)):
        return f"{paired}{at}."
    sentence = (
        f"{_range(trends[0], rows, words)}, {clauses(parts)}{at}"
        if key
        else f"{capitalised(clauses(parts))}{at}"
    )
    values_without_result = sorted({x for subject in trends for x in subject.beyond})
    if values_without_result and all(subject.beyond == trends[0].beyond for subject in trends):
        sentence += (
            f"; none was found at {words.key(key)} {joined([words.value(x) for x in values_without_result])}"
        )
    return f"{_name_key_once(sentence, key, words)}{_noise(rows, words) if key else ''}."


def _name_key_once(text: str, key: str, words: Words) -> str:
    """Return a sentence that begins with a key, which it names once."""
    if not key or not text.startswith("As the "):
        return text
    start, comma, clauses_of_key = text.partition(", ")
    return start + comma + re.sub(rf"\b(at|from|up to) {re.escape(words.key(key))} ", r"\1 ", clauses_of_key)


def _two_quantities(trends: Sequence[Trend], words: Words) -> str:
    """Return by how much the first of two quantities of the same draws differs from the other."""
    numbers = [[series[0] for series in subject.cases[""]] for subject in trends]
    if len(trends) != 2 or any(len(row) != 1 for row in numbers):
        return ""
    names = [words.quantity(subject.name) for subject in trends]
    a, b = (row[0].estimate for row in numbers)
    if paired_margin(a, b) is None:
        return ""
    start = f"The {names[0]} is {a.text}"
    if not differ(a, b):
        by = difference_in_words(a, b)
        return f"{start} and the {names[1]} {b.text}; the difference, {by}, is not significant"
    return f"{start}, against {b.text} for the {names[1]} ({excess_in_words(a, b)})"


def _of_each(values: Sequence[Value]) -> str:
    """Return the values of all entries, for whom each is."""
    if len({value.text for value in values}) == 1:
        return values[0].text
    entries = [role_with_article(value.estimate.entry) for value in values]
    texts = [
        f"{value.estimate.text} for {entry}" if entry else value.text
        for value, entry in zip(values, entries, strict=True)
    ]
    return joined(texts) + text_if(any(value.refuted for value in values), f" ({NOT_AN_EQUILIBRIUM})")


def _entry_values(values: Sequence[Value]) -> str:
    """Return the values of all entries, each with whose it is where they differ."""
    if len({value.text for value in values}) == 1:
        return values[0].text
    texts = [f"{value.estimate.text} ({value.estimate.entry})" for value in values]
    return joined(texts) + text_if(all(value.refuted for value in values), f" ({NOT_AN_EQUILIBRIUM})")


def _noise(rows: Iterable[Sequence[Value]], words: Words) -> str:
    moving = (series for series in rows if len({row.estimate.text for row in series}) > 1)
    return f"; {words.single_runs}" if any(map(is_single, moving)) else ""


def sweep_sentence(subject: Trend, words: Words, asks: str = "what") -> str:
    """Return a sentence on one quantity along a key in several cases, as the question asks."""
    name, key = words.quantity(subject.name), subject.key
    # where no point is an equilibrium, numbers are where a search or dynamics happened to stop
    refuted = [label for label, (series, *_) in subject.cases.items() if series[0].refuted]
    rest = text_if(refuted, f"; for {joined(refuted)} no point is an equilibrium")
    all_series: list[tuple[str, list[Value]]] = []
    for label in [label for label in subject.cases if label not in refuted]:
        for series in subject.cases[label]:
            all_series.append((commas(label, series[0].estimate.entry), series))
    moving = [(label, series) for label, series in all_series if len(series) > 1]
    constant = [
        f"{series[0].text} {f'at {words.place({key: series[0].at})} ' * subject.left_out}for {label}"
        for label, series in all_series
        if len(series) == 1
    ]
    if not moving:
        is_short = subject.left_out and len(constant) <= CASES
        return f"The {name} is {joined(constant)}{rest}." if is_short else ""
    start = f"{_range(subject, [series for _, series in moving], words)}, the {name} "
    at = _qualifiers(subject, words)
    noise = _noise([series for _, series in moving], words)
    if len(all_series) <= COURSES:
        courses: dict[str, list[str]] = {}
        for label, series in moving:
            courses.setdefault(course(series, key, words, amounts=asks == "how much"), []).append(label)
        extent = ""
        if len(courses) > 2 and asks != "how much" and not noise:
            courses, extent = _by_direction(moving)
        parts = [f"{text} for {joined_cases(labels)}" for text, labels in courses.items()]
        parts = _with_one_verb(parts)
        parts = [", and ".join(parts)] if extent and len(parts) == 2 else parts
        ranked = asks == "which" and len(moving) == len(subject.cases) - len(refuted)
        top = _highest(subject, moving, words, is_partial=bool(refuted)) if ranked else ""
        sentence = f"{start}{joined(parts)}{extent}{at}{text_if(constant, '; it is ')}{joined(constant)}{top}"
        return f"{_name_key_once(sentence, key, words)}{rest}{noise}."
    kinds = Counter(verb_phrase(series) for _, series in moving)
    if len(kinds) == 1 and len(moving) == len(all_series):
        by = joined(subject.by) if len(subject.by) < 3 else "case"
        verb = f"{next(iter(kinds))} for every {by} ({len(all_series)} cases)"
    else:
        verb = joined([f"{kind} in {n}" for kind, n in kinds.most_common()]) + f" of {len(moving)} cases"
    values = [
        (label, row) for label, series in all_series for row in series if np.isfinite(row.estimate.mean)
    ]
    if not values:
        return ""
    ends = []
    for pick in (min, max):
        label, row = pick(values, key=lambda pair: pair[1].estimate.mean)
        ends.append(f"{row.estimate.text} ({words.place({key: row.at})}, {label})")
    return f"{start}{verb}{at}; its values lie between {ends[0]} and {ends[1]}{rest}{noise}."


def _with_one_verb(parts: Sequence[str]) -> list[str]:
    """Return predicates of which all begin with one verb, with the verb once.

    >>> _with_one_verb(["rises from 1 to 2 for a", "rises from 3 to 4 for b"])
    ['rises from 1 to 2 for a', 'from 3 to 4 for b']
    """
    verbs = {part.partition(" from ")[0] for part in parts}
    if len(verbs) > 1 or not all(" from " in part for part in parts):
        return list(parts)
    return [*parts[:1], *(f"from {part.partition(' from ')[2]}" for part in parts[1:])]


def _by_direction(cases: Sequence[tuple[str, Sequence[Value]]]) -> tuple[dict[str, list[str]], str]:
    """Return the cases in which a quantity rises, falls or stays, and between which values it does."""
    directions: dict[str, list[str]] = {}
    for label, series in cases:
        directions.setdefault(verb_phrase(series), []).append(label)
    values = [row for _, series in cases for row in series if np.isfinite(row.estimate.mean)]
    low, high = (pick(values, key=lambda row: row.estimate.mean) for pick in (min, max))
    return directions, f", between {low.estimate.text} and {high.estimate.text}"


def _highest(
    subject: Trend, cases: Sequence[tuple[str, Sequence[Value]]], words: Words, *, is_partial: bool
) -> str:
    """Return the case whose numbers are highest, or as high as another's, at every value of a key."""
    by_place: list[Case] = [{row.at: row.estimate for row in series} for _, series in cases]
    is_common = len({tuple(case) for case in by_place}) == 1 or subject.left_out
    if any(row.is_at_end for _, series in cases for row in series) or len(cases) < 2 or not is_common:
        return ""
    ranking = rank(by_place)
    if not ranking.is_clear or len(ranking.best) > 1:
        return ""
    top = by_place[ranking.best[0]]
    pairs: list[tuple[Estimate, Estimate]] = []
    for case in by_place:
        pairs += [(top[at], case[at]) for at in top if at in case and case is not top]
    ties = text_if(any(a.text == b.text for a, b in pairs), ", or as high as another,")
    draws = same_draws(pairs)
    draws = text_if(draws, f", compared {draws}")
    qualifier = text_if(is_partial, "of the other cases, ")
    where = "the same" if subject.left_out else "every"
    label = cases[ranking.best[0]][0]
    return f"; {qualifier}at {where} {words.key(subject.key)} it is highest{ties} for {label}{draws}"


def _ranking(study: Mapping[str, Any], subject: Trend, words: Words) -> list[str]:
    """Return a sentence on one quantity in several cases without a numeric key: their order."""
    quantity = words.quantity(subject.name)
    at = _qualifiers(subject, words)
    rows = [(label, [series[0] for series in case]) for label, case in subject.cases.items()]
    if len(rows) == 1:
        return [one_case_sentence([subject._replace(cases={"": next(iter(subject.cases.values()))})], words)]
    asks, better = asks_in(study), answer_keys(study).get("better", "higher")
    if any(len(row) > 1 or not np.isfinite(row[0].estimate.mean) for _, row in rows):
        if len(rows) > CASES:
            return []
        by_entry: list[Case] = [dict(enumerate(value.estimate for value in row)) for _, row in rows]
        ranking = rank(by_entry, better, crossed=True)
        case, lead = rows[ranking.best[0]]
        is_valid = not any(value.refuted or value.is_at_end for value in lead)
        if asks == "which" and is_valid and ranking.is_clear and len(ranking.best) == 1:
            ranked = clauses([f"{_entry_values(row)} for {name}" for name, row in rows if name != case])
            return [
                f"The {quantity}{at} is {better[:-2]}est for {case}, {_entry_values(lead)}; it is {ranked}."
            ]
        values = [(label, value) for label, row in rows for value in row]
        noise = _noise_of(values, words)
        if len(values) > MOST_ENTRIES and all(np.isfinite(value.estimate.mean) for _, value in values):
            entries = list(dict.fromkeys(value.estimate.entry for _, value in values))
            if len(entries) == 2:
                extents: list[str] = []
                for entry in entries:
                    of_entry = [(label, value) for label, value in values if value.estimate.entry == entry]
                    extents.append(f"{_of(subject.name, entry, words)}{at} ranges from {_extent(of_entry)}")
                return [f"{capitalised(clauses(extents))}{noise}."]
            named = [(f"{label} ({value.estimate.entry})", value) for label, value in values]
            return [f"The {quantity}{at} ranges from {_extent(named)}{noise}."]
        parts = [f"{_entry_values(row)} for {label}" for label, row in rows]
        return [f"The {quantity}{at} is {clauses(parts)}{noise}."]
    pairs = [(label, row[0]) for label, row in rows]
    if {value.text for _, value in pairs} <= {"yes", "no"}:
        return [f"{capitalised(quantity)}{at} {_of_whom(pairs)}."]
    if len({value.text for _, value in pairs}) == 1 and not differ(
        pairs[0][1].estimate, pairs[-1][1].estimate
    ):
        return [f"The {quantity}{at} is {pairs[0][1].text} for {clauses([label for label, _ in pairs])}."]
    # what lies beyond the end of a search is unknown
    if at_end := [label for label, value in pairs if value.is_at_end]:
        texts = [f"{value.text} for {label}" for label, value in pairs[:CASES]]
        remainder = text_if(len(pairs) > CASES, f"; and so on for {len(pairs) - CASES} more")
        return [f"The {quantity}{at} is {joined(texts)}{remainder}; for {joined(at_end)} {NO_OPTIMUM}."]
    noise = _noise_of(pairs, words)
    by_value = sorted(pairs, key=lambda pair: pair[1].estimate.mean, reverse=better == "higher")
    ranking = rank([{0: value.estimate} for _, value in by_value], better)
    if asks == "which" and not noise and ranking.worse and not by_value[0][1].refuted:
        return [_winner(f"The {quantity}{at} is {better[:-2]}est for", by_value, ranking, better)]
    if len(pairs) > NUMBERS:
        highest, fewest = by_value[0][1], by_value[-1][1]
        sentence = f"The {quantity}{at} ranges from {_extent(by_value[:: [1, -1][better == 'higher']])}"
        equal = not noise and not differ(highest.estimate, fewest.estimate)
        return [f"{sentence}{text_if(equal, '; the difference is not significant')}{noise}."]
    numbers = [(label, value.estimate) for label, value in pairs]
    if len(pairs) == 2 and not noise:
        return [_two_cases(f"The {quantity}{at}", pairs, asks)]
    if asks == "how much" and not noise:
        return [_differences(f"The {quantity}{at}", pairs)]
    texts = [f"{lead_value.text} for {label}" for label, lead_value in pairs]
    paired = same_draws([(draws, second) for (_, draws), (_, second) in combinations(numbers, 2)])
    sentence = f"The {quantity}{at} is {joined(texts)}"
    return [f"{sentence}{noise or _unclear(numbers)}{text_if(paired and not noise, f', compared {paired}')}."]


def _extent(pairs: Sequence[tuple[str, Value]]) -> str:
    """Return the smallest and the largest of several numbers, each with its case."""
    ends = [pick(pairs, key=lambda pair: pair[1].estimate.mean) for pick in (min, max)]
    return " to ".join(f"{value.text} for {label}" for label, value in ends)


def _of_whom(pairs: Sequence[tuple[str, Value]]) -> str:
    """Return the cases of which something is true, and their number."""
    yes, no = ([label for label, value in pairs if value.text == text] for text in ("yes", "no"))
    if not yes or not no:
        count = "both" if len(pairs) == 2 else f"all {len(pairs)}"
        return f"in {count} cases" if yes else "in no case"
    whom = f": {joined(yes)}" if len(yes) <= len(no) else f", not for {joined(no)}"
    return f"in {len(yes)} of {len(pairs)} cases{whom}"


def _two_cases(start: str, pairs: Sequence[tuple[str, Value]], asks: str) -> str:
    """Return the numbers of two cases and by how much they differ, where they do."""
    (name_a, before), (name_b, after) = pairs
    plain = f"{start} is {clauses([f'{before.text} for {name_a}', f'{after.text} for {name_b}'])}"
    is_paired = paired_margin(before.estimate, after.estimate) is not None
    if not differ(before.estimate, after.estimate):
        by = difference_in_words(before.estimate, after.estimate)
        is_exact = all(value.estimate.low == value.estimate.high for _, value in pairs)
        insignificant = f"; the difference{text_if(is_paired, f', {by},')} is not significant"
        return f"{plain}{insignificant * (not is_exact)}."
    visible = asks == "how much" and not is_nearly_zero(before.estimate, after.estimate)
    if visible or is_paired:
        excess = excess_in_words(after.estimate, before.estimate)
        return f"{start} is {after.text} for {name_b}, against {before.text} for {name_a} ({excess})."
    return f"{plain}."


def _differences(start: str, pairs: Sequence[tuple[str, Value]]) -> str:
    """Return the number of the first of several cases, and by how much each of the others differs from it."""
    (first, reference), *compared_cases = pairs
    draws = same_draws([(reference.estimate, value.estimate) for _, value in compared_cases])
    parts: list[str] = []
    for label, value in compared_cases:
        excess = excess_in_words(value.estimate, reference.estimate).removesuffix(f" {draws}")
        doubt = "" if differ(value.estimate, reference.estimate) else " (not significant)"
        parts.append(f"{excess}{doubt} for {label}")
    return f"{start} is {reference.text} for {first}; {text_if(draws, f'{draws} ')}it is {joined(parts)}."


def _winner(start: str, ordered: Sequence[tuple[str, Value]], ranking: Ranking, better: str) -> str:
    """Return the best cases with their numbers, by how much they lead, and how the others follow."""
    best, unclear, worse = ([ordered[k] for k in group] for group in ranking)
    (_, top), (second, value) = best[0], worse[0]
    labels = joined([label for label, _ in (*best, *unclear)])
    if unclear:
        texts = joined([top.text, *(unclear_value.text for _, unclear_value in unclear)])
        sentence = f"{start} {labels}, which cannot be told apart: {texts}"
    else:
        excess = excess_in_words(top.estimate, value.estimate, ("less", "more"))
        sentence = f"{start} {labels}, {top.text}, against {value.text} for {second} ({excess})"
        worse = worse[1:]
    if worse and len(ordered) <= CASES:
        sentence += "; then " + joined([f"{value.text} for {name}" for name, value in worse])
    return f"{sentence}."


def _noise_of(pairs: Sequence[tuple[str, Value]], words: Words) -> str:
    """Note that numbers are of single runs: of all cases, or of those that draws enter."""
    single = list(dict.fromkeys(label for label, value in pairs if is_single([value])))
    if not single or len({value.estimate.text for _, value in pairs}) < 2:
        return ""
    if len(single) < len(dict.fromkeys(label for label, _ in pairs)) and all(single):
        noun = "single runs, whose differences" if len(single) > 1 else "a single run, whose difference"
        return f"; {joined(single)} {'are' if len(single) > 1 else 'is'} {noun} may be noise"
    return f"; {words.single_runs}"


def _unclear(cases: Sequence[tuple[str, Estimate]]) -> str:
    """Return between which cases no difference is significant, by their places where names are long."""
    if any(re.search(r",| and |^with ", label) for label, _ in cases):
        cases = [(f"the {place}", estimate) for place, (_, estimate) in zip(ORDINALS, cases, strict=False)]
    pairs = list(combinations(cases, 2))
    unclear: list[tuple[str, str]] = []
    for (label, estimate), (second, value) in pairs:
        is_exact = estimate.low == estimate.high and value.low == value.high
        if not is_exact and not differ(estimate, value):
            unclear.append((label, second))
    if not unclear:
        return ""
    if len(unclear) == len(pairs):
        return "; the differences are not significant"
    labels = list(dict.fromkeys(chain.from_iterable(unclear)))
    if len(unclear) == len(labels) * (len(labels) - 1) // 2:
        return f"; {joined(labels)} do not differ significantly"
    distinct = [(label, second) for (label, _), (second, _) in pairs if (label, second) not in unclear]
    if len(distinct) == 1:
        return f"; only {joined(distinct[0])} differ significantly"
    return (
        f"; no difference is significant between {joined([joined(pair) for pair in unclear], 'or between')}"
    )


def _controls(
    study: Mapping[str, Any],
    name: str,
    points: Sequence[PointResults],
    words: Words,
    stated_points: Sequence[PointResults] = (),
) -> list[str]:
    """Return a sentence on learners that cannot punish, and whether they gain less than the others."""
    gains = {point.algorithm: point.quantities[name][0] for point in points if name in point.quantities}
    if name not in GAINS or len(gains) < sum(name in point.quantities for point in points):
        return []
    bases = [str(table["name"]) for table in study["method"]]
    for base in bases:
        controls = {kind: gains[f"{base}-{kind}"] for kind in CONTROLS if f"{base}-{kind}" in gains}
        controls.pop("myopic_follower", None)  # its rival may punish
        base_gain = gains.get(base)
        if (
            base_gain is None
            or not controls
            or any(np.isnan(gain.low) for gain in (base_gain, *controls.values()))
        ):
            continue
        label = {kind: words.method(f"{base}-{kind}") for kind in controls}
        quantity = words.quantity(name)
        not_less = {
            kind: gain
            for kind, gain in controls.items()
            if gain.mean >= base_gain.mean or not differ(gain, base_gain)
        }
        less = [f"{label[kind]} ({gain.text})" for kind, gain in controls.items() if kind not in not_less]
        is_stated = any(point.algorithm == base for point in stated_points)
        sentence = f"The {quantity} of {words.method(base)} is {base_gain.text}, where 0 is the equilibrium "
        sentence = "" if is_stated else f"{sentence}and 1 the joint maximum; "
        if not_less:
            groups: dict[str, list[str]] = {}
            for kind, gain in not_less.items():
                than = "more" if gain.mean > base_gain.mean and differ(base_gain, gain) else "no less"
                than = "not significantly less" if than == "no less" and gain.mean < base_gain.mean else than
                draws = " ".join(filter(None, [than, same_draws([(base_gain, gain)])]))
                groups.setdefault(draws, []).append(f"{label[kind]} ({gain.text})")
            parts = [
                f"{joined(names)} gain{text_if(len(names) == 1, 's')} {than}"
                for than, names in groups.items()
            ]
            facts = capitalised(f"{sentence}of the controls that cannot punish, {', and '.join(parts)}")
            return [f"{facts}: the gain alone is no evidence of collusion."]
        draws = same_draws([(base_gain, gain) for gain in controls.values()])
        subject = f"the {quantity}" if is_stated else "it"
        draws = text_if(draws, f"{draws} ")
        return [capitalised(f"{sentence}{draws}{subject} is less for {joined(less)}, which cannot punish.")]
    return []

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
    points_asked,
    reported_names,
    trend_of,
)
from rivalry.lab.answer.claims import by_methods, claim_courses
from rivalry.lab.answer.courses import (
    Labelled,
    LabelledSeries,
    Series,
    Value,
    course,
    has_one_text,
    is_single,
    verb_phrase,
)
from rivalry.lab.answer.estimates import is_nearly_zero
from rivalry.lab.answer.grammar import (
    bracketed,
    capitalised,
    clauses,
    commas,
    joined,
    joined_cases,
    lowered,
    role_with_article,
    text_if,
)
from rivalry.lab.answer.places import base_methods, grouped, methods_of
from rivalry.lab.answer.points import NOT_AN_EQUILIBRIUM, WHOSE, PointResults, ResultPoints
from rivalry.lab.answer.positions import position_sentences
from rivalry.lab.study.identity import StudyTables
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
    study: StudyTables,
    results: ResultPoints,
    covered_quantities: Collection[str],
    stated_points: ResultPoints,
) -> list[Sentence]:
    """Sentences on the quantities of a study, the most important first.

    What a verdict says of ``covered_quantities`` at its ``stated_points`` is left out.
    """
    words, rows, asks = Words(study), points_asked(study, results), asks_in(study)
    stated = dict.fromkeys(covered_quantities, stated_points)
    sentences: list[str | list[Trend]] = []  # trends that share a sentence are a list
    order = _order(study, rows)
    is_constant, subject = bool(order), None
    for name in order:
        points = stated.get(name, ())
        if points and not (
            trend_of(study, name, rows, words, points) or _controls(study, name, results, words)
        ):
            continue
        if name == "profile" and not _has_trend_of_strategies(study, rows, words):
            sentences += [sentence.text for sentence in position_sentences(study, results)]
        elif name == "claim":  # without a key, the sentence on claims says it
            sentences += claim_courses(study, [point for point in rows if point not in points])
            subject = None
        elif control_sentences := _controls(study, name, results, words, points):
            sentences += control_sentences
            bases = base_methods(study)
            learners = [point for point in rows if point.algorithm in bases]
            subject = trend_of(study, name, learners, words, points)
            if subject and len(subject.cases) > 1:
                sentences += _ranking(study, subject, words)
        elif subject := trend_of(study, name, rows, words, points):
            last = sentences[-1] if sentences else ""
            if not subject.is_single:
                is_course = bool(subject.key)
                sentences += [_sweep(subject, words, asks)] if is_course else _ranking(study, subject, words)
            elif isinstance(last, list) and _may_join(last, subject):
                last.append(subject)
            else:
                sentences.append([subject])
        is_constant = is_constant and subject is not None and bool(subject.fixed)
    texts = []
    for part in sentences:
        texts.append(one_case_sentence(part, words, asks) if isinstance(part, list) else part)
    if is_constant and not quantities_of_answer(study):  # nothing moves, of quantities that no author chose
        texts = [sentence.text for sentence in position_sentences(study, results)] + texts
    selected = of_methods(study, _once(list(filter(None, texts))[:MOST]), rows, results, words)
    return [Sentence(at_point(study, rows, words, text), basis_of(rows)) for text in selected]


def _order(study: StudyTables, rows: ResultPoints) -> list[str]:
    """Quantities that sentences state: the study's, or the first ones with numbers."""
    requested = quantities_of_answer(study)
    names = reported_names(rows, requested)
    # a sentence on events states their parameters, one on lists their counts
    if any(point.events for point in rows):
        names = [name for name in names if not name.endswith("_parameter")]
    if any(point.counts_text for point in rows):
        names = [name for name in names if not name.endswith("_count")]
    return [name for name in requested if name in (*names, "profile")] or names[:TOGETHER]


def _has_trend_of_strategies(study: StudyTables, rows: ResultPoints, words: Words) -> bool:
    """True if strategies have a name of the study's and a trend, and are no choices by name of one point."""
    if not words.is_named("profile") or (len(rows) == 1 and rows[0].choices_in_words):
        return False
    return trend_of(study, "profile", rows, words) is not None


def _may_join(trends: Sequence[Trend], subject: Trend) -> bool:
    """True for a quantity that shares a sentence with others, of which it is told in the same way."""
    count = sum(len(trend.cases[""]) for trend in (*trends, subject))
    return count <= TOGETHER and _trend_signature(trends[0]) == _trend_signature(subject)


def _once(texts: Sequence[str]) -> list[str]:
    """Sentences in which a remark that the first one has is not repeated."""
    if not texts:
        return []
    first, further = texts[0], list(texts[1:])
    if first.endswith(f"{NO_OPTIMUM}."):
        tail = f"; {first.rpartition('; ')[2]}"
        further = [re.sub(f"{re.escape(tail)}$", ".", text) for text in further]
    # a profile that is no equilibrium is marked once
    for marked in re.findall(rf" \({NOT_AN_EQUILIBRIUM}\)( for [^,;.]+)", first):
        further = [text.replace(f" ({NOT_AN_EQUILIBRIUM}){marked}", marked) for text in further]
    return [first, *further]


def of_methods(
    study: StudyTables,
    texts: Sequence[str],
    rows: ResultPoints,
    results: ResultPoints,
    words: Words,
) -> list[str]:
    """Sentences on some methods of a study that name them, where others have other numbers."""
    remaining, methods = _other_methods(study, rows, results, words), methods_of(rows)
    if not remaining:
        return list(texts)
    names = list(map(words.method, methods))
    start = f"{by_methods(methods, joined(names), words)}, "
    if len(names) > TOGETHER:
        start, names = f"of the {len(names)} methods compared, ", []
        if len(remaining) <= TOGETHER:
            start = f"{joined(remaining)} aside, "
    named = {text: text for text in texts if has_name(text, names)}
    return [named.get(text, capitalised(start + lowered(text))) for text in texts]


def has_name(text: str, names: Sequence[str]) -> bool:
    """True for a sentence with any of the names."""
    return any(re.search(rf"\b{re.escape(name)}\b", text) for name in names)


def _other_methods(study: StudyTables, rows: ResultPoints, results: ResultPoints, words: Words) -> list[str]:
    """Names of methods beside those of rows with other numbers of the same quantities.

    Negative controls count where several methods are compared, and are one name.
    """
    methods, bases = methods_of(rows), base_methods(study)
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
    """Numbers of a result as they are printed, by quantity."""
    return {name: texts for name, texts in point.texts.items() if name not in ("profile", "claim")}


def course_sentence(subject: Trend, words: Words) -> str:
    """Sentence on a quantity along a key."""
    return one_case_sentence([subject], words) if subject.is_single else _sweep(subject, words)


def _without(text: str, subject: Trend) -> str:
    """Sentence that begins with what is left out, if anything is."""
    if not (text and subject.left_out):
        return text
    is_marked = f"({NOT_AN_EQUILIBRIUM})" in text
    return f"{LEFT_OUT}{EXCEPT * is_marked}, {text[0].lower()}{text[1:]}"


def _trend_signature(subject: Trend) -> tuple[Any, ...]:
    """Properties that trends share if one sentence tells them together."""
    has_noise = any(map(is_single, subject.series))
    return subject.key, subject.fixed, subject.averaged, subject.where, subject.left_out, has_noise


def _qualifiers(subject: Trend, words: Words) -> str:
    """Key along which numbers do not move, and the key over which they are means."""
    varies = bool(subject.fixed) and words.key(subject.fixed) not in words.quantity(subject.name)
    constant = text_if(varies, f" at every {words.key(subject.fixed)}")
    mean = text_if(subject.averaged, f" (mean over {words.key(subject.averaged)}s, 95 % intervals)")
    return subject.where + constant + mean


def _range(subject: Trend, series: Iterable[Series], words: Words) -> str:
    rows = [row for row in series if row]
    ends, verb = [row.at for row in chain.from_iterable(rows)], "rises"
    start, end = min(ends), max(ends)
    if rows[0][0].at > rows[0][-1].at:
        start, end, verb = end, start, "falls"
    names = [f"the {words.key(name)}" for name in subject.in_step]
    change = "changes" if len(names) == 1 else "change"
    comovement = text_if(names, f", and {joined(names)} {change} with it")
    return (
        f"As the {words.key(subject.key)} {verb} from {words.value(start)} to {words.value(end)}{comovement}"
    )


def _of(name: str, entry: str, words: Words) -> str:
    """Quantity with its article, and whose it is."""
    if entry.startswith("the ") or (entry.partition(" ")[0] in WHOSE and "," not in entry):
        return f"the {words.quantity(name)} of {role_with_article(entry)}"
    return f"the {words.quantity(name)}{bracketed(entry)}"


def one_case_sentence(trends: Sequence[Trend], words: Words, asks: str = "what") -> str:
    """One sentence on quantities of a single case: along a key, or their values."""
    key, at = trends[0].key, _qualifiers(trends[0], words)
    rows = list(chain.from_iterable(subject.cases[""] for subject in trends))
    if key and all(len(series) == 1 for series in rows):
        return ""
    parts = []
    for subject in trends:
        parts += _clauses_on(subject, words, asks)
    sentence = f"{capitalised(clauses(parts))}{at}"
    if key:
        sentence = f"{_range(trends[0], rows, words)}, {clauses(parts)}{at}"
    elif asks == "how much" and (paired := _two_quantities(trends, words)):
        sentence = f"{paired}{at}"
    beyond = trends[0].beyond
    if beyond and all(subject.beyond == beyond for subject in trends):
        sentence += f"; none was found at {words.key(key)} {joined(map(words.value, beyond))}"
    noise = text_if(key, _noise(rows, words))
    return _without(f"{_name_key_once(sentence, key, words)}{noise}.", trends[0])


def _clauses_on(subject: Trend, words: Words, asks: str) -> list[str]:
    """Clauses on a quantity of a single case: the course or the direction of every entry, or the values."""
    all_series, key = subject.cases[""], subject.key
    start = f"the {words.quantity(subject.name)}"
    if not key:
        return [f"{start} is {_of_each([series[0] for series in all_series])}"]
    if len(all_series) > NUMBERS and asks != "how much" and not any(map(is_single, all_series)):
        directions, extent = _by_direction([(series[0].estimate.entry, series) for series in all_series])
        verbs = joined(f"{verb} for {joined(names)}" for verb, names in directions.items())
        return [f"{start} {verbs}{extent}"]
    parts = []
    for series in all_series:
        name = _of(subject.name, series[0].estimate.entry, words)
        parts.append(f"{name} {course(series, key, words, amounts=asks == 'how much')}")
    return parts


def _name_key_once(text: str, key: str, words: Words) -> str:
    """Sentence that begins with a key, which it names once."""
    if not key or not text.startswith("As the "):
        return text
    start, comma, clauses_of_key = text.partition(", ")
    return start + comma + re.sub(rf"\b(at|from|up to) {re.escape(words.key(key))} ", r"\1 ", clauses_of_key)


def _two_quantities(trends: Sequence[Trend], words: Words) -> str:
    """Difference of the first of two quantities of the same draws from the other."""
    series = list(chain.from_iterable(subject.cases[""] for subject in trends))
    if len(trends) != 2 or len(series) != 2:
        return ""
    name, other_name = (words.quantity(subject.name) for subject in trends)
    a, b = (values[0].estimate for values in series)
    if paired_margin(a, b) is None:
        return ""
    start = f"The {name} is {a.text}"
    if not differ(a, b):
        by = difference_in_words(a, b)
        return f"{start} and the {other_name} {b.text}; the difference, {by}, is not significant"
    return f"{start}, against {b.text} for the {other_name} ({excess_in_words(a, b)})"


def _of_each(values: Series) -> str:
    """Values of all entries, for whom each is."""
    if len({value.text for value in values}) == 1:
        return values[0].text
    texts = []
    for value in values:
        entry = role_with_article(value.estimate.entry)
        texts.append(f"{value.estimate.text} for {entry}" if entry else value.text)
    return joined(texts) + text_if(any(value.refuted for value in values), f" ({NOT_AN_EQUILIBRIUM})")


def _entry_values(values: Series) -> str:
    """Values of all entries, each with whose it is where they differ."""
    if len({value.text for value in values}) == 1:
        return values[0].text
    texts = [f"{value.estimate.text} ({value.estimate.entry})" for value in values]
    return joined(texts) + text_if(all(value.refuted for value in values), f" ({NOT_AN_EQUILIBRIUM})")


def _noise(rows: Iterable[Series], words: Words) -> str:
    is_noise = any(is_single(series) for series in rows if not has_one_text(series))
    return text_if(is_noise, f"; {words.single_runs}")


def _sweep(subject: Trend, words: Words, asks: str = "what") -> str:
    """Sentence on one quantity along a key in several cases, as the question asks."""
    # where no point is an equilibrium, numbers are where a search or dynamics happened to stop
    refuted = [label for label, (series, *_) in subject.cases.items() if series[0].refuted]
    rest = text_if(refuted, f"; for {joined(refuted)} no point is an equilibrium")
    all_series: list[tuple[str, list[Value]]] = []
    for label, case in subject.cases.items():
        if label not in refuted:
            all_series += [(commas(label, series[0].estimate.entry), series) for series in case]
    moving = [pair for pair in all_series if len(pair[1]) > 1]
    constant = []
    for label, (value, *further) in all_series:
        if not further:
            place = text_if(subject.left_out, f"at {words.place({subject.key: value.at})} ")
            constant.append(f"{value.text} {place}for {label}")
    name, series_of = words.quantity(subject.name), [series for _, series in moving]
    if not moving:
        is_short = subject.left_out and len(constant) <= CASES
        return _without(text_if(is_short, f"The {name} is {joined(constant)}{rest}."), subject)
    noise = _noise(series_of, words)
    if len(all_series) <= COURSES:
        courses = _courses(subject, moving, words, is_grouped=asks != "how much" and not noise, asks=asks)
        facts = f"{courses}{text_if(constant, '; it is ')}{joined(constant)}"
    else:
        facts = _directions_and_ends(subject, moving, all_series, words)
    sentence = f"{_range(subject, series_of, words)}, the {name} {facts}" if facts else ""
    return _without(
        text_if(sentence, f"{_name_key_once(sentence, subject.key, words)}{rest}{noise}."), subject
    )


def _courses(
    subject: Trend,
    moving: LabelledSeries,
    words: Words,
    *,
    is_grouped: bool,
    asks: str,
) -> str:
    """Courses of a few cases; of many different ones only the directions, where ``is_grouped`` allows it."""
    courses: dict[str, list[str]] = {}
    for label, series in moving:
        text = course(series, subject.key, words, amounts=asks == "how much")
        courses.setdefault(text, []).append(label)
    extent = ""
    if len(courses) > 2 and is_grouped:
        courses, extent = _by_direction(moving)
    parts = _with_one_verb([f"{text} for {joined_cases(labels)}" for text, labels in courses.items()])
    text = ", and ".join(parts) if extent and len(parts) == 2 else joined(parts)
    return f"{text}{extent}{_qualifiers(subject, words)}"


def _directions_and_ends(
    subject: Trend,
    moving: LabelledSeries,
    all_series: LabelledSeries,
    words: Words,
) -> str:
    """Directions of many cases, and the smallest and the largest number; empty without numbers."""
    kinds = Counter(verb_phrase(series) for _, series in moving)
    if len(kinds) == 1 and len(moving) == len(all_series):
        by = joined(subject.by) if len(subject.by) < 3 else "case"
        verb = f"{next(iter(kinds))} for every {by} ({len(all_series)} cases)"
    else:
        verb = joined(f"{kind} in {n}" for kind, n in kinds.most_common()) + f" of {len(moving)} cases"
    values = _numbers(all_series)
    if not values:
        return ""
    ends = []
    for pick in (min, max):
        label, row = pick(values, key=lambda pair: pair[1].estimate.mean)
        ends.append(f"{row.estimate.text} ({words.place({subject.key: row.at})}, {label})")
    return f"{verb}{_qualifiers(subject, words)}; its values lie between {ends[0]} and {ends[1]}"


def _numbers(cases: Iterable[tuple[str, Series]]) -> list[tuple[str, Value]]:
    """Finite numbers of cases, each with its case."""
    values = []
    for label, series in cases:
        values += [(label, row) for row in series if np.isfinite(row.estimate.mean)]
    return values


def _with_one_verb(parts: Sequence[str]) -> list[str]:
    """Predicates of which all begin with one verb, with the verb once.

    >>> _with_one_verb(["rises from 1 to 2 for a", "rises from 3 to 4 for b"])
    ['rises from 1 to 2 for a', 'from 3 to 4 for b']
    """
    verbs = {part.partition(" from ")[0] for part in parts}
    if len(verbs) > 1 or not all(" from " in part for part in parts):
        return list(parts)
    return [*parts[:1], *(f"from {part.partition(' from ')[2]}" for part in parts[1:])]


def _by_direction(cases: LabelledSeries) -> tuple[dict[str, list[str]], str]:
    """Cases in which a quantity rises, falls or stays, and between which values it does."""
    directions: dict[str, list[str]] = {}
    for label, series in cases:
        directions.setdefault(verb_phrase(series), []).append(label)
    by_mean = sorted((row.estimate for _, row in _numbers(cases)), key=lambda estimate: estimate.mean)
    return directions, f", between {by_mean[0].text} and {by_mean[-1].text}"


def _ranking(study: StudyTables, subject: Trend, words: Words) -> list[str]:
    """Sentence on one quantity in several cases without a numeric key: their order."""
    rows = []
    for label, case in subject.cases.items():
        rows.append((label, [series[0] for series in case]))
    if len(rows) == 1:
        return [one_case_sentence([subject._replace(cases={"": subject.series})], words)]
    start = f"The {words.quantity(subject.name)}{_qualifiers(subject, words)}"
    asks, better = asks_in(study), answer_keys(study).get("better", "higher")
    pairs = [(label, row[0]) for label, row in rows]
    if any(len(row) > 1 or not np.isfinite(row[0].estimate.mean) for _, row in rows):
        text = _of_entries(subject, rows, start, asks, better, words) if len(rows) <= CASES else ""
    elif {value.text for _, value in pairs} <= {"yes", "no"}:
        text = capitalised(start.removeprefix("The ")) + f" {_of_whom(pairs)}"
    else:
        text = _of_cases(pairs, start, asks, better, words)
    return [_without(f"{text}.", subject)] if text else []


def _of_entries(
    subject: Trend,
    rows: LabelledSeries,
    start: str,
    asks: str,
    better: str,
    words: Words,
) -> str:
    """Sentence on cases of which some have several entries, or words."""
    by_entry: list[Case] = []
    for _, row in rows:
        by_entry.append(dict(enumerate(value.estimate for value in row)))
    ranking = rank(by_entry, better, crossed=True)
    case, lead = rows[ranking.best[0]]
    is_valid = not any(value.refuted or value.is_at_end for value in lead)
    if asks == "which" and is_valid and ranking.is_clear and len(ranking.best) == 1:
        ranked = clauses([f"{_entry_values(row)} for {name}" for name, row in rows if name != case])
        return f"{start} is {better[:-2]}est for {case}, {_entry_values(lead)}; it is {ranked}"
    values: list[tuple[str, Value]] = []
    for label, row in rows:
        values += [(label, value) for value in row]
    noise = _noise_of(values, words)
    if len(values) <= MOST_ENTRIES or len(_numbers(rows)) < len(values):
        return f"{start} is {clauses([f'{_entry_values(row)} for {label}' for label, row in rows])}{noise}"
    by_name = grouped(values, lambda pair: pair[1].estimate.entry)
    if len(by_name) != 2:
        named = [(f"{label} ({value.estimate.entry})", value) for label, value in values]
        return f"{start} ranges from {_extent(named)}{noise}"
    extents: list[str] = []
    for entry, pairs in by_name.items():
        name = _of(subject.name, entry, words) + _qualifiers(subject, words)
        extents.append(f"{name} ranges from {_extent(pairs)}")
    return f"{capitalised(clauses(extents))}{noise}"


def _of_cases(pairs: Labelled, start: str, asks: str, better: str, words: Words) -> str:
    """Sentence on cases with one number each: the best, by how much they differ, or the ends of many."""
    estimates = [value.estimate for _, value in pairs]
    if len({value.text for _, value in pairs}) == 1 and not differ(estimates[0], estimates[-1]):
        return f"{start} is {pairs[0][1].text} for {clauses([label for label, _ in pairs])}"
    # what lies beyond the end of a search is unknown
    if at_end := [label for label, value in pairs if value.is_at_end]:
        texts = joined(f"{value.text} for {label}" for label, value in pairs[:CASES])
        remainder = text_if(len(pairs) > CASES, f"; and so on for {len(pairs) - CASES} more")
        return f"{start} is {texts}{remainder}; for {joined(at_end)} {NO_OPTIMUM}"
    noise = _noise_of(pairs, words)
    ordered = sorted(pairs, key=lambda pair: pair[1].estimate.mean, reverse=better == "higher")
    ranking = rank([{0: value.estimate} for _, value in ordered], better)
    if asks == "which" and not noise and ranking.worse and not ordered[0][1].refuted:
        return _winner(f"{start} is {better[:-2]}est for", ordered, ranking, better)
    if len(pairs) > NUMBERS:
        is_unclear = not noise and not differ(ordered[0][1].estimate, ordered[-1][1].estimate)
        doubt = text_if(is_unclear, "; the difference is not significant")
        # of equal numbers, the first in the order of the study
        by_mean = ordered[::-1] if better == "higher" else ordered
        return f"{start} ranges from {_extent(by_mean)}{doubt}{noise}"
    if not noise and len(pairs) == 2:
        return _two_cases(start, pairs, asks)
    texts = joined(f"{value.text} for {label}" for label, value in pairs)
    if noise:
        return f"{start} is {texts}{noise}"
    paired = same_draws(list(combinations(estimates, 2)))
    unclear = _unclear([(label, value.estimate) for label, value in pairs])
    return f"{start} is {texts}{unclear}{text_if(paired, f', compared {paired}')}"


def _extent(pairs: Labelled) -> str:
    """Smallest and the largest of several numbers, each with its case."""
    ends = [pick(pairs, key=lambda pair: pair[1].estimate.mean) for pick in (min, max)]
    return " to ".join(f"{value.text} for {label}" for label, value in ends)


def _of_whom(pairs: Labelled) -> str:
    """Cases of which something is true, and their number."""
    yes = [label for label, value in pairs if value.text == "yes"]
    no = [label for label, value in pairs if value.text == "no"]
    if not yes:
        return "in no case"
    if not no:
        return "in both cases" if len(pairs) == 2 else f"in all {len(pairs)} cases"
    whom = f": {joined(yes)}" if len(yes) <= len(no) else f", not for {joined(no)}"
    return f"in {len(yes)} of {len(pairs)} cases{whom}"


def _two_cases(start: str, pairs: Labelled, asks: str) -> str:
    """Numbers of two cases and by how much they differ, where they do."""
    (name_a, before), (name_b, after) = pairs
    a, b = before.estimate, after.estimate
    plain = f"{start} is {clauses([f'{before.text} for {name_a}', f'{after.text} for {name_b}'])}"
    is_paired = paired_margin(a, b) is not None
    if not differ(a, b):
        by = text_if(is_paired, f", {difference_in_words(a, b)},")
        return plain + text_if(not (a.is_exact and b.is_exact), f"; the difference{by} is not significant")
    if is_paired or (asks == "how much" and not is_nearly_zero(a, b)):
        excess = excess_in_words(b, a)
        return f"{start} is {after.text} for {name_b}, against {before.text} for {name_a} ({excess})"
    return plain


def _winner(start: str, ordered: Labelled, ranking: Ranking, better: str) -> str:
    """Best cases with their numbers, by how much they lead, and how the others follow."""
    unclear, worse = [ordered[k] for k in ranking.unclear], [ordered[k] for k in ranking.worse]
    top, (second, value) = ordered[ranking.best[0]][1], worse[0]
    labels = joined(ordered[k][0] for k in (*ranking.best, *ranking.unclear))
    if unclear:
        texts = joined([top.text, *(value.text for _, value in unclear)])
        sentence = f"{start} {labels}, which cannot be told apart: {texts}"
    else:
        excess = excess_in_words(top.estimate, value.estimate, ("less", "more"))
        sentence = f"{start} {labels}, {top.text}, against {value.text} for {second} ({excess})"
        worse = worse[1:]
    if worse and len(ordered) <= CASES:
        sentence += "; then " + joined(f"{value.text} for {name}" for name, value in worse)
    return sentence


def _noise_of(pairs: Labelled, words: Words) -> str:
    """Note that numbers are of single runs: of all cases, or of those that draws enter."""
    single = list(dict.fromkeys(label for label, value in pairs if is_single([value])))
    if not single or len({value.estimate.text for _, value in pairs}) < 2:
        return ""
    if len(single) == len({label for label, _ in pairs}) or not all(single):
        return f"; {words.single_runs}"
    if len(single) == 1:
        return f"; {single[0]} is a single run, whose difference may be noise"
    return f"; {joined(single)} are single runs, whose differences may be noise"


def _unclear(cases: Sequence[tuple[str, Estimate]]) -> str:
    """Cases between which no difference is significant, by their places where names are long."""
    if any(re.search(r",| and |^with ", label) for label, _ in cases):
        cases = [(f"the {place}", estimate) for place, (_, estimate) in zip(ORDINALS, cases, strict=False)]
    pairs = list(combinations(cases, 2))
    unclear: list[tuple[str, str]] = []
    for (label, estimate), (second, value) in pairs:
        if not (estimate.is_exact and value.is_exact) and not differ(estimate, value):
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
    return f"; no difference is significant between {joined(map(joined, unclear), 'or between')}"


def _controls(
    study: StudyTables,
    name: str,
    points: ResultPoints,
    words: Words,
    stated_points: ResultPoints = (),
) -> list[str]:
    """Sentence on learners that cannot punish, and whether they gain less than the others."""
    with_number = [point for point in points if name in point.quantities]
    gains = {point.algorithm: point.quantities[name][0] for point in with_number}
    if name not in GAINS or len(gains) < len(with_number):
        return []
    for table in study["method"]:
        base = str(table["name"])
        # the rival of a myopic follower may punish
        kinds = [f"{base}-{kind}" for kind in CONTROLS if kind != "myopic_follower"]
        controls = {kind: gains[kind] for kind in kinds if kind in gains}
        if base in gains and controls and not any(np.isnan(gains[kind].low) for kind in (base, *controls)):
            is_stated = base in methods_of(stated_points)
            return [_beside_controls(base, gains[base], controls, words.quantity(name), is_stated, words)]
    return []


def _beside_controls(
    base: str, gain: Estimate, controls: Mapping[str, Estimate], quantity: str, is_stated: bool, words: Words
) -> str:
    """Sentence on the gain of a learner, unless it is stated, and those of its controls."""
    start, less, groups = "", list[str](), dict[str, list[str]]()
    if not is_stated:
        zero = "where 0 is the equilibrium and 1 the joint maximum"
        start = f"The {quantity} of {words.method(base)} is {gain.text}, {zero}; "
    for kind, control in controls.items():
        than, label = "no less", f"{words.method(kind)} ({control.text})"
        if control.mean > gain.mean and differ(gain, control):
            than = "more"
        elif control.mean < gain.mean:
            if differ(control, gain):
                less.append(label)
                continue
            than = "not significantly less"
        draws = same_draws([(gain, control)])
        groups.setdefault(than + text_if(draws, f" {draws}"), []).append(label)
    if groups:
        parts = []
        for than, names in groups.items():
            verb = "gains" if len(names) == 1 else "gain"
            parts.append(f"{joined(names)} {verb} {than}")
        facts = f"{start}of the controls that cannot punish, {', and '.join(parts)}"
        return capitalised(f"{facts}: the gain alone is no evidence of collusion.")
    draws = same_draws([(gain, control) for control in controls.values()])
    subject = f"the {quantity}" if is_stated else "it"
    compared = text_if(draws, f"{draws} ")
    return capitalised(f"{start}{compared}{subject} is less for {joined(less)}, which cannot punish.")

"""Yes, no or not decided: the first sentence on a yes-or-no question, by the test that its study states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice
from typing import Any, NamedTuple

import numpy as np

from rivalry.lab.answer.cases import (
    LEFT_OUT,
    OF_DYNAMICS,
    VERDICTS,
    Sentence,
    basis_of,
    is_gain,
    is_refuted,
    points_asked,
    trend_of,
)
from rivalry.lab.answer.claims import by_methods, claim_courses, format_points, on_claims, on_lists, there_is
from rivalry.lab.answer.courses import turns, with_article
from rivalry.lab.answer.estimates import EQUAL
from rivalry.lab.answer.grammar import bracketed, joined, joined_cases, lowered, role_with_article, text_if
from rivalry.lab.answer.places import base_methods, methods_of
from rivalry.lab.answer.points import PointResults, reference_quantity, tested
from rivalry.lab.answer.trends import course_sentence, has_name, of_methods
from rivalry.lab.study.names import is_benchmark
from rivalry.lab.study.words import ROLES, Words, answer_keys, test_of
from rivalry.results.comparison import VISIBLE, excess_in_words, paired_margin
from rivalry.results.table import Estimate, exactly, number_in_words
from rivalry.schema.construction import is_number

ONE_BY_ONE = 3  # most rows whose numbers a verdict lists
REFUTED = "not an equilibrium"
HOLDING = {
    "equilibrium": ("equilibrium",),
    "approximate equilibrium": ("equilibrium", "approximate equilibrium"),
    "no deviation found": ("equilibrium", "no deviation found"),
    REFUTED: (REFUTED,),
}
"""Claims with which a test of claims is met."""


class Compared(NamedTuple):
    """A number of one row beside its reference, and whether the test is met; None if that is not decided."""

    label: str
    estimate: Estimate
    reference: Estimate
    beside: str  # the row of the reference
    margin: float  # half the width of the interval of the difference
    is_met: bool | None

    @property
    def difference(self) -> float:
        """The number less its reference."""
        return self.estimate.mean - self.reference.mean


class Verdict(NamedTuple):
    """The sentence that decides a question; the quantities, or ``claim``, that it tells, and their rows."""

    sentence: Sentence
    quantities: tuple[str, ...]
    stated: tuple[PointResults, ...] = ()


def verdict(study: Mapping[str, Any], results: Sequence[PointResults]) -> Verdict | None:
    """Return the verdict on a yes-or-no question; None without a test or without its rows."""
    test, words = test_of(study), Words(study)
    at = test.get("at") or {}
    points = [
        point for point in (results if "algorithm" in at else points_asked(study, results)) if point.is_at(at)
    ]
    if not test or not points:
        return None
    name = "claim" if "claim" in test else str(test["quantity"])
    all_count = name == "claim" or name in OF_DYNAMICS or is_gain(name)
    rows = [point for point in points if all_count or not is_refuted(point)] or points
    if "claim" in test:
        decided, facts = _on_claims(study, test, rows, results, words)
    elif "monotone" in test:
        decided, facts = _on_course(study, test, rows, words)
    else:
        decided, facts = _on_numbers(test, rows, results, words)
    facts = f"{lowered(LEFT_OUT)}, {facts}" if facts and len(rows) < len(points) else facts
    if facts:
        facts = _named(study, facts, rows, results, words)
    exception = _exception_words(study, test, rows, words) if decided is False and name == "claim" else ""
    stated_points = _deciding_points(test, decided, rows, results, words)
    names = (name, *tested(test)) if stated_points else (name,)
    return (
        Verdict(Sentence(f"{exception or VERDICTS[decided]}: {facts}", basis_of(rows)), names, stated_points)
        if facts
        else None
    )


def _named(
    study: Mapping[str, Any],
    facts: str,
    rows: Sequence[PointResults],
    results: Sequence[PointResults],
    words: Words,
) -> str:
    """Return facts that name their methods, where other methods of the answer have other numbers, or none."""
    test = study["answer"]["test"]
    name, at = str(test.get("quantity", "")), test.get("at") or {}
    with_number = [point for point in rows if any(row.text for row in point.numbers(name, at))] or rows
    methods = dict.fromkeys(point.algorithm for point in with_number)
    labels = [words.method(method) for method in methods]
    compared = {point.algorithm for point in points_asked(study, results)}
    silent = compared & base_methods(study) - methods.keys()
    if name and silent and not has_name(facts, labels):
        return f"{by_methods(list(methods), joined(labels), words)}, {facts}"
    if "algorithm" in at:
        return facts
    return lowered(*of_methods(study, [facts], with_number, results, words))


def _deciding_points(
    test: Mapping[str, Any],
    decided: bool | None,
    rows: Sequence[PointResults],
    points: Sequence[PointResults],
    words: Words,
) -> tuple[PointResults, ...]:
    """Return the rows of which a verdict has all numbers of its quantity, or the claim."""
    if "claim" in test or "monotone" in test:
        return tuple(rows)
    than = test.get("than") or {}
    swept = {"algorithm", *(key for point in points for key in point.at)}
    if {*(test.get("at") or {}), *(than.get("at") or {})} - swept:  # some entries of a quantity
        return ()
    count = sum(len(_pairs(test, point, rows, points, words)) for point in rows)
    if count > ONE_BY_ONE:
        return tuple(rows) if "equals" in test and decided and not than else ()
    references = [] if than.get("quantity") else _references(than, rows, points)
    return (*rows, *references)


def _references(
    than: Mapping[str, Any], rows: Sequence[PointResults], points: Sequence[PointResults]
) -> list[PointResults]:
    """Return the rows that others are compared with."""
    places = [{**point.at, "algorithm": point.algorithm, **(than.get("at") or {})} for point in rows if than]
    pairs = [
        (reference, {k: v for k, v in at.items() if k in reference.at or k == "algorithm"})
        for reference in points
        for at in places
    ]
    return [reference for reference, at in pairs if reference.is_at(at) and reference not in rows]


def _all_or_some(truths: Sequence[bool | None], test: Mapping[str, Any]) -> bool | None:
    """Return the truth of a test in all rows or, unless ``everywhere``, in some; None if not decided."""
    everywhere = test.get("everywhere", True)
    if (not everywhere) in truths:
        return not everywhere
    return None if None in truths else everywhere


def _on_claims(
    study: Mapping[str, Any],
    test: Mapping[str, Any],
    rows: Sequence[PointResults],
    points: Sequence[PointResults],
    words: Words,
) -> tuple[bool | None, str]:
    claims = [claim for point in rows for claim in point.claims.elements()]
    claim_of_test, truths = test["claim"], list[bool | None]()
    contrary = "equilibrium" if claim_of_test == REFUTED else REFUTED
    absent = [point.is_proved_absent for point in rows for _ in range(point.results)]
    for claim, is_absent in zip(claims, absent, strict=True):
        holds = claim_of_test == REFUTED if is_absent else claim in HOLDING[claim_of_test]
        truths.append(holds if holds or is_absent or claim == contrary else None)
    sentences = (on_lists(study, rows) if any(absent) else []) or on_claims(study, rows, all_results=points)
    sentence = lowered(sentences[0].text) if sentences else ""
    if _exception_words(study, test, rows, words):
        (text,) = claim_courses(study, rows)
        sentence = lowered(text)
    where = at_rows(test.get("at") or {}, rows, points, words)
    methods = list(dict.fromkeys(point.algorithm for point in rows))
    if "algorithm" in (test.get("at") or {}) and len(methods) < len(methods_of(points)):
        labels = [words.method(name) for name in methods]
        is_named = all(has_name(sentence, [label]) for label in labels)
        where = "" if is_named else by_methods(methods, joined_cases(labels), words)
    return _all_or_some(truths, test), f"{where}, {sentence}" if where and sentence else sentence


def _exception_words(
    study: Mapping[str, Any], test: Mapping[str, Any], rows: Sequence[PointResults], words: Words
) -> str:
    """Return the points along a key at which alone a claim holds; empty where it is refuted at no other."""
    good = HOLDING[test["claim"]]
    holding = [point for point in rows if set(point.claims) <= set(good)]
    contrary = "equilibrium" if test["claim"] == REFUTED else REFUTED
    refuted = [point for point in rows if set(point.claims) == {contrary}]
    if "everywhere" in test or not holding or len(holding) + len(refuted) < len(rows):
        return ""
    return f"Only {format_points(holding, rows, words)}" if claim_courses(study, rows) else ""


def at_rows(
    at: Mapping[str, Any], rows: Sequence[PointResults], results: Sequence[PointResults], words: Words
) -> str:
    """Return the point that rows share, as a beginning of a sentence; empty if all results share it."""
    common = {k: v for k, v in at.items() if k in rows[0].at and all(point.is_at({k: v}) for point in rows)}
    common = {k: rows[0].at[k] for k in common if len({str(point.at[k]) for point in rows}) == 1}
    common = {k: v for k, v in common.items() if len({str(point.at.get(k)) for point in results}) > 1}
    return f"at {words.place(common)}" if common else ""


def _on_course(
    study: Mapping[str, Any], test: Mapping[str, Any], rows: Sequence[PointResults], words: Words
) -> tuple[bool | None, str]:
    """Return the verdict on a rise, or fall, along a key in all cases, or in some, and the course."""
    along = test.get("along") or answer_keys(study).get("along", "")
    view = {**study, "answer": {**answer_keys(study), "along": along}}
    subject = trend_of(view, test["quantity"], rows, words)
    if subject is None or not (subject.key or subject.fixed):
        return None, ""
    along = along or subject.key or subject.fixed
    sign, truths = {"rising": 1, "falling": -1}[test["monotone"]], list[bool | None]()
    for case in subject.cases.values():
        for series in case:
            ways = [turn.direction for turn in turns(series)] if len(series) > 1 else []
            ways = [0] if subject.fixed == along else ways
            exact = all(row.estimate.low == row.estimate.high for row in series)
            truths.append(True if ways == [sign] else False if -sign in ways or (exact and ways) else None)
    return _all_or_some(truths, test), lowered(course_sentence(subject, words))


def _on_numbers(
    test: Mapping[str, Any], rows: Sequence[PointResults], points: Sequence[PointResults], words: Words
) -> tuple[bool | None, str]:
    pairs = [pair for point in rows for pair in _pairs(test, point, rows, points, words)]
    sizes = [
        abs(estimate.mean)
        for _, number, reference, _ in pairs
        for estimate in (number, reference)
        if np.isfinite(estimate.mean)
    ]
    size = max(sizes, default=0.0)
    comparisons = [_compare(test, *pair, size) for pair in pairs]
    if test["quantity"] == "equilibrium_count":
        open_ended = [
            not point.is_complete for point in rows for _ in _pairs(test, point, rows, points, words)
        ]
        comparisons = [
            _of_more(comparison, test) if is_open else comparison
            for comparison, is_open in zip(comparisons, open_ended, strict=True)
        ]
    if not comparisons:
        return None, ""
    references = _references(test.get("than") or {}, rows, points)
    if any(point.list_length > 1 and not point.is_complete for point in references):
        comparisons = [row._replace(is_met=None, margin=0.0) if row.is_met else row for row in comparisons]
    decided = _all_or_some([comparison.is_met for comparison in comparisons], test)
    lists = {point.list_words for point in rows} if test["quantity"] == "equilibrium_count" else set()
    if decided and "equals" in test and len(lists) == 1 and "" not in lists:
        return (
            decided,
            f"{there_is(lists.pop())}{text_if(len(rows) > 1, ',')}{_in_all(rows, len(rows), words)}.",
        )
    return decided, _facts(test, decided, comparisons, _in_all(rows, len(pairs), words), words)


def _in_all(rows: Sequence[PointResults], count: int, words: Words) -> str:
    """Return where so many numbers of rows are: at every value of the one key, or in how many cases."""
    keys = {key for point in rows for key in point.at}
    swept = [key for key in keys if len({str(point.at.get(key)) for point in rows}) == len(rows) == count]
    if count > 1 and swept and swept == list(keys) and is_number(rows[0].at[swept[0]]):
        return f" at every {words.key(swept[0])}"
    return " in both cases" if count == 2 else text_if(count > 1, f" in all {count} cases")


def _of_more(comparison: Compared, test: Mapping[str, Any]) -> Compared:
    """Return a comparison of a number that may be larger, as that of a list that may lack entries."""
    over = comparison.is_met is False and ("below" in test or comparison.difference > 0)
    larger = comparison.is_met if "above" in test else over
    return comparison if larger else comparison._replace(is_met=None, margin=0.0)


def _pairs(
    test: Mapping[str, Any],
    point: PointResults,
    rows: Sequence[PointResults],
    points: Sequence[PointResults],
    words: Words,
) -> list[tuple[str, Estimate, Estimate, str]]:
    """Return the numbers of a row, each with its label, its reference and the label of that."""
    at, than = test.get("at") or {}, test.get("than") or {}
    name = test["quantity"]
    estimates = point.numbers(name, at)
    label = _label(point, rows, at, words)
    limit = test[_limit_key(test)]
    if is_benchmark(limit):
        levels = point.numbers(reference_quantity(test, _limit_key(test)), at)
        named_levels = [exactly(limit_in_words(test, level.text), level.mean) for level in levels]
        return [(label, *pair, "") for pair in _reference_pairs(estimates, named_levels)]
    if (
        isinstance(limit, str) and estimates and np.isfinite(estimates[0].mean)
    ):  # another quantity of the same row
        limit_words = f"the {words.quantity(limit)}"
        return [
            (label, estimate, reference, limit_words)
            for estimate, reference in _reference_pairs(estimates, point.numbers(limit, at))
        ]
    if not than:
        mean = float("nan") if isinstance(limit, str) else float(limit)
        text = limit if isinstance(limit, str) else limit_in_words(test, words.value(limit))
        return [(label, estimate, exactly(text, mean), "") for estimate in estimates]
    place = {**point.at, "algorithm": point.algorithm} | (than.get("at") or {})
    pairs = []
    for reference_point in points:
        dims = {key for key in than.get("at") or {} if key not in point.at and key != "algorithm"}
        if reference_point is point and not (than.get("quantity") or dims):
            continue
        if reference_point.is_at(
            {k: v for k, v in place.items() if k in reference_point.at or k == "algorithm"}
        ):
            numbers = reference_point.numbers(than.get("quantity") or name, at | (than.get("at") or {}))
            limit_words = _label(reference_point, [point, reference_point], than.get("at") or {}, words)
            if dims and numbers and numbers[0].entry:
                limit_words = f"for {role_with_article(numbers[0].entry)} {limit_words}".strip()
            limit_words = f"the {words.quantity(than['quantity'])}" if than.get("quantity") else limit_words
            player = (at | (than.get("at") or {})).get("player")
            payoffs: list[float] = []
            if than.get("quantity", name) == "payoff" and isinstance(player, int):
                payoffs = reference_point.payoffs_in_list(player)
            if len(payoffs) > 1:
                pick, extreme = (max, "highest") if "above" in test else (min, "lowest")
                numbers = (exactly(number_in_words(pick(payoffs)), pick(payoffs)),)
                limit_words = f"{limit_words}, the {extreme} of {len(payoffs)} listed"
            pairs += [
                (label, estimate, ref, limit_words) for estimate, ref in _reference_pairs(estimates, numbers)
            ]
    return pairs


def _limit_key(test: Mapping[str, Any]) -> str:
    return next(key for key in ("above", "below", "equals") if key in test)


def _asks_for_a_word(test: Mapping[str, Any]) -> bool:
    return isinstance(test.get("equals"), str) and not is_benchmark(test["equals"])


def limit_in_words(test: Mapping[str, Any], number: str) -> str:
    """Return the number that a test compares with, as the study names it.

    >>> limit_in_words({"limit": "the Cournot output {}"}, "30"), limit_in_words({}, "30")
    ('the Cournot output 30', '30')
    """
    return str(test.get("limit", "{}")).replace("{}", number)


def _reference_pairs(
    estimates: Sequence[Estimate], references: Sequence[Estimate]
) -> Iterator[tuple[Estimate, Estimate]]:
    """Return numbers of entries beside others; a single one stands beside all."""
    count = max(len(estimates), len(references)) if estimates and references else 0
    return zip(islice(cycle(estimates), count), islice(cycle(references), count), strict=True)


def _label(point: PointResults, rows: Sequence[PointResults], at: Mapping[str, Any], words: Words) -> str:
    """Return the words that set a row apart from the others, or by which it was selected."""
    place = {k: v for k, v in point.at.items() if k in at or len({str(row.at.get(k)) for row in rows}) > 1}
    has_methods = "algorithm" in at or len(methods_of(rows)) > 1
    text = words.place({**({"algorithm": point.algorithm} if has_methods else {}), **place})
    has_words = has_methods or not all(isinstance(value, int | float) for value in place.values())
    return f"{'for' if has_words else 'at'} {text}" if text else ""


def _compare(
    test: Mapping[str, Any],
    label: str,
    estimate: Estimate,
    reference: Estimate,
    reference_words: str,
    size: float,
) -> Compared:
    """Return a number beside its reference, with whether the test is met."""
    margin = paired_margin(estimate, reference)
    if margin is None:
        margin = float(np.hypot(estimate.high - estimate.mean, reference.high - reference.mean))
    if _asks_for_a_word(test):
        is_equal = estimate.text == test["equals"].replace("_", " ")
        return Compared(label, estimate, reference, reference_words, 0.0, is_equal)
    limit = next((test[k] for k in ("above", "below", "equals") if k in test), 0.0)
    gap = (
        estimate.mean
        - reference.mean
        - (float(limit) if reference_words and not isinstance(limit, str) else 0.0)
    )
    if not np.isfinite(gap) or np.isnan(margin):
        return Compared(label, estimate, reference, reference_words, margin, None)
    if "equals" in test:
        tolerance = max(float(test.get("tolerance", 0.0)), VISIBLE * size * (margin == 0.0))
        truth = True if abs(gap) + margin <= tolerance else False if abs(gap) - margin > tolerance else None
        return Compared(label, estimate, reference, reference_words, margin, truth)
    gap = 0.0 if abs(gap) <= EQUAL * size else gap * (1 if "above" in test else -1)
    truth = True if gap > margin else False if gap < -margin or (gap <= 0 and margin == 0.0) else None
    return Compared(label, estimate, reference, reference_words, margin, truth)


def _facts(
    test: Mapping[str, Any],
    decided: bool | None,
    comparisons: Sequence[Compared],
    in_all: str,
    words: Words,
) -> str:
    """Return the numbers that decide a test: of all rows if they are few, else the decisive ones."""
    name, truths = words.quantity(test["quantity"]), [comparison.is_met for comparison in comparisons]
    if truths == [True] * len(truths) and {comparison.estimate.text for comparison in comparisons} == {"yes"}:
        return f"{name}{in_all}."  # a name says what is true
    if _asks_for_a_word(test):
        comparisons = [
            comparison._replace(
                estimate=comparison.estimate._replace(text=with_article(comparison.estimate.text))
            )
            for comparison in comparisons
        ]
    if len(comparisons) <= ONE_BY_ONE:
        ways = list(
            dict.fromkeys(_relation(comparison, test) + _doubt(comparison) for comparison in comparisons)
        )
        texts = [
            f"{comparison.estimate.text} {_owner_of_number(comparison, 'for')}".strip()
            for comparison in comparisons
        ]
        equal = {comparison.estimate.text for comparison in comparisons} == {
            comparison.reference.text for comparison in comparisons
        }
        if ways == [""] or ("equals" in test and equal and not comparisons[0].beside):  # what the test says
            owner = text_if(len(comparisons) == 1, f"{_owner_of_number(comparisons[0])} ")
            return f"the {name} {owner}is {comparisons[0].estimate.text}{in_all}.".replace("  ", " ")
        if len(comparisons) == 1 and (owner := _owner_of_number(comparisons[0])):
            return f"the {name} {owner} is {comparisons[0].estimate.text}, {ways[0]}."
        if (
            len(comparisons) > 1
            and len(ways) == len({comparison.estimate.text for comparison in comparisons}) == 1
        ):
            return f"the {name} is {comparisons[0].estimate.text}{in_all}, {ways[0]}."
        if len(ways) == 1:
            return f"the {name} is {joined(texts)}, {('', 'both ', 'all ')[len(comparisons) - 1]}{ways[0]}."
        ways = [_relation(comparison, test) + _doubt(comparison) for comparison in comparisons]
        against = {way.partition(" (")[0] for way in ways}
        if len(against) == 1 and all(way.startswith("against ") for way in ways):
            parts = [f"{text} ({way.partition(' (')[2]}" for text, way in zip(texts, ways, strict=True)]
            return f"the {name} is {joined(parts)}, {against.pop()}."
        parts = [", ".join(filter(None, pair)) for pair in zip(texts, ways, strict=True)]
        return f"the {name} is {joined(parts)}."
    entries = {comparison.estimate.entry for comparison in comparisons}
    owner = f" of {text_if(entries & {*ROLES}, 'the ')}{entries.pop()}" if len(entries) == 1 else ""
    fact = f"the {name}{owner.removesuffix(' of ')} is {_condition(test, comparisons)}"
    if set(truths) == {True}:
        closest = min(
            comparisons,
            key=lambda comparison: (
                abs(comparison.difference) if np.isfinite(comparison.difference) else np.inf
            ),
        )
        near = text_if("equals" not in test, f"; nearest to it is {_short(closest)}")
        return f"{fact}{in_all}{near}."
    decisive = [
        comparison
        for comparison in comparisons
        if comparison.is_met is (decided if decided in truths else False)
    ]
    decisive = decisive or [comparison for comparison in comparisons if not comparison.is_met]
    examples = joined([_short(comparison) for comparison in decisive[:ONE_BY_ONE]])
    remainder = text_if(len(decisive) > ONE_BY_ONE, f", and {len(decisive) - ONE_BY_ONE} more")
    reason = {True: "these are", False: "it is not for", None: "it is not decided for"}[decisive[0].is_met]
    count = text_if(True in truths, f" in {truths.count(True)} of {len(comparisons)} cases")
    if None in truths and not count:
        return f"whether {fact} {reason.removeprefix('it ')} {examples}{remainder}{_doubt(decisive[0])}."
    count = count or f" in none of {len(comparisons)} cases"
    return f"{fact}{count}; {reason} {examples}{remainder}{_doubt(decisive[0])}."


def _owner_of_number(comparison: Compared, of: str = "of") -> str:
    """Return whose a number is, and of which row."""
    entry = comparison.estimate.entry
    owner = f"{of} {role_with_article(entry)}" if entry else ""
    if owner.startswith("for ") and comparison.label.startswith("for "):
        return f"({entry}) {comparison.label}"
    return " ".join(filter(None, [owner, comparison.label]))


def _short(comparison: Compared) -> str:
    owner = _owner_of_number(comparison).removeprefix("at ").removeprefix("for ").removeprefix("of ")
    return comparison.estimate.text + bracketed(owner)


def _relation(comparison: Compared, test: Mapping[str, Any]) -> str:
    """Return the relation of a number to its reference, and the difference from that of another row."""
    reference = comparison.reference.text.replace("_", " ")
    if not np.isfinite(comparison.difference):
        if "equals" in test:
            return "" if comparison.is_met else f"not {with_article(reference)}"
        return f"beside {reference}"
    size = max(abs(comparison.estimate.mean), abs(comparison.reference.mean))
    if abs(comparison.difference) <= VISIBLE * size:
        return (
            f"equal to {comparison.beside or reference}"
            if _is_quantity(comparison)
            else f"as {comparison.beside}"
        )
    if not comparison.beside:
        doubt = text_if(comparison.is_met is None and comparison.margin > 0.0, "not significantly ")
        return f"{doubt}{'above' if comparison.difference > 0 else 'below'} {reference}"
    excess = excess_in_words(comparison.estimate, comparison.reference)
    row = f"for {comparison.beside}" if _is_quantity(comparison) else comparison.beside
    return f"against {reference} {row} ({excess})"


def _is_quantity(comparison: Compared) -> bool:
    """True for a reference that is a number or a quantity, not another row."""
    return not comparison.beside or comparison.beside.startswith("the ")


def _doubt(comparison: Compared) -> str:
    """Return the reason for which a comparison is not decided; empty if it is."""
    if comparison.is_met is not None:
        return ""
    if not np.isfinite(comparison.difference):
        return ", which cannot be compared"
    if comparison.margin == 0.0:
        return ", of a list that may lack some"
    if np.isnan(comparison.margin):
        return " in a single run, whose noise is unknown"
    return text_if(comparison.beside, ", which is not significant")


def _condition(test: Mapping[str, Any], comparisons: Sequence[Compared]) -> str:
    """Return the condition of a test in words."""
    key = _limit_key(test)
    references = list(dict.fromkeys(comparison.beside for comparison in comparisons))
    if references == [""]:
        levels = {comparison.reference.text for comparison in comparisons}
        level = levels.pop() if len(levels) == 1 else limit_in_words(test, "").strip(" ,")
        return f"{ {'equals': 'equal to'}.get(key, key) } {level}"
    way = {"above": "higher than", "below": "lower than", "equals": "equal to"}[key]
    return (
        f"{way} {references[0] if _is_quantity(comparisons[0]) else f'that {references[0]}'}"
        if len(references) == 1
        else f"{way} the reference"
    )

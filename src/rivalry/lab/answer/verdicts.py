"""Yes, no or not decided: the first sentence on a yes-or-no question, by the test that its study states."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, cycle, islice
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
from rivalry.lab.answer.grammar import (
    bracketed,
    commas,
    joined,
    joined_cases,
    lowered,
    role_with_article,
    text_if,
)
from rivalry.lab.answer.places import (
    base_methods,
    common_place,
    keys_of,
    methods_of,
    values_of,
    without,
)
from rivalry.lab.answer.points import (
    NOT_AN_EQUILIBRIUM,
    PointResults,
    ResultPoints,
    reference_quantity,
    tested,
)
from rivalry.lab.answer.trends import course_sentence, has_name, of_methods
from rivalry.lab.study.identity import StudyTables, Table, TableDict
from rivalry.lab.study.names import is_benchmark
from rivalry.lab.study.words import Words, answer_keys, condition_of
from rivalry.results.comparison import VISIBLE, excess_in_words, paired_margin
from rivalry.results.table import Estimate, exactly, number_in_words
from rivalry.schema.construction import is_number

ONE_BY_ONE = 3  # most rows whose numbers a verdict lists
HOLDING = {
    "equilibrium": ("equilibrium",),
    "approximate equilibrium": ("equilibrium", "approximate equilibrium"),
    "no deviation found": ("equilibrium", "no deviation found"),
    NOT_AN_EQUILIBRIUM: (NOT_AN_EQUILIBRIUM,),
}
"""Claims with which a test of claims is met."""


class Compared(NamedTuple):
    """A number of one row beside its reference, and whether the test is met; None if that is not decided."""

    label: str
    estimate: Estimate
    reference: Estimate
    beside: str  # the row of the reference
    margin: float = 0.0  # half the width of the interval of the difference
    is_met: bool | None = None

    @property
    def difference(self) -> float:
        """The number less its reference."""
        return self.estimate.mean - self.reference.mean

    @property
    def with_article(self) -> Compared:
        """The same with the article of a word."""
        return self._replace(estimate=self.estimate._replace(text=with_article(self.estimate.text)))

    @property
    def short(self) -> str:
        """The number with its row in brackets."""
        owner = re.sub("^at |^for |^of ", "", _owner_of_number(self))
        return self.estimate.text + bracketed(owner)

    @property
    def is_beside_quantity(self) -> bool:
        """True for a reference that is a number or a quantity, not another row."""
        return not self.beside or self.beside.startswith("the ")


class Verdict(NamedTuple):
    """The sentence that decides a question; the quantities, or ``claim``, that it tells, and their rows."""

    sentence: Sentence
    quantities: tuple[str, ...]
    stated: tuple[PointResults, ...] = ()


class QuestionTest(NamedTuple):
    """Test of a study, the rows that it is of, and the results that these are compared with."""

    study: StudyTables
    rows: ResultPoints
    results: ResultPoints
    words: Words

    @property
    def test(self) -> Table:
        """Table of the test."""
        return condition_of(self.study)

    @property
    def at(self) -> TableDict:
        """Coordinates at which the test holds."""
        return dict(self.test.get("at") or {})

    @property
    def than(self) -> Table:
        """Table of the rows that others are compared with; empty without one."""
        return self.test.get("than") or {}

    @property
    def at_reference(self) -> TableDict:
        """Coordinates of these rows that are not those of the others."""
        return dict(self.than.get("at") or {})

    @property
    def key(self) -> str:
        """The kind of comparison: ``above``, ``below`` or ``equals``."""
        return next(key for key in ("above", "below", "equals") if key in self.test)

    @property
    def limit(self) -> Any:
        """A number, a word, a quantity of the same row or a benchmark."""
        return self.test[self.key]

    @property
    def holding(self) -> tuple[str, ...]:
        """Claims with which a test of claims is met."""
        return HOLDING[self.test["claim"]]

    @property
    def contrary(self) -> str:
        """Claim that refutes the one of the test."""
        return "equilibrium" if NOT_AN_EQUILIBRIUM in self.holding else NOT_AN_EQUILIBRIUM

    @property
    def asks_for_a_word(self) -> bool:
        """True where the quantity is a word."""
        limit = self.test.get("equals")
        return isinstance(limit, str) and not is_benchmark(limit)

    def in_all_or_some(self, truths: Sequence[bool | None]) -> bool | None:
        """Truth of the test in all rows or, unless ``everywhere``, in some; None if not decided."""
        everywhere = self.test.get("everywhere", True)
        if (not everywhere) in truths:
            return not everywhere
        return None if None in truths else everywhere


def verdict(study: StudyTables, results: ResultPoints) -> Verdict | None:
    """Verdict on a yes-or-no question; None without a test or without its rows."""
    test, words = condition_of(study), Words(study)
    at = test.get("at") or {}
    candidates = results if "algorithm" in at else points_asked(study, results)
    points = [point for point in candidates if point.is_at(at)]
    if not test or not points:
        return None
    name = "claim" if "claim" in test else str(test["quantity"])
    all_count = name == "claim" or name in OF_DYNAMICS or is_gain(name)
    certified = [point for point in points if all_count or not is_refuted(point)]
    rows = certified or points
    question, start = QuestionTest(study, rows, results, words), ""
    if "claim" in test:
        decided, facts = _on_claims(question)
        start = _exception_words(question) if decided is False else ""
    elif "monotone" in test:
        decided, facts = _on_course(question)
    else:
        decided, facts = _on_numbers(question)
    if not facts:
        return None
    if not certified and not any(point.statuses["converged"] for point in rows):
        decided = None  # where a search was broken off says nothing of the game
    facts = _named(question, text_if(len(rows) < len(points), f"{lowered(LEFT_OUT)}, ") + facts)
    stated = _deciding_points(question, decided)
    names = (name, *tested(test)) if stated else (name,)
    return Verdict(Sentence(f"{start or VERDICTS[decided]}: {facts}", basis_of(rows)), names, stated)


def _named(question: QuestionTest, facts: str) -> str:
    """Facts that name their methods, where other methods of the answer have other numbers, or none."""
    study, rows, results, words = question
    name, with_number = str(question.test.get("quantity", "")), []
    for point in rows:
        if any(row.text for row in point.numbers(name, question.at)):
            with_number.append(point)
    methods = methods_of(with_number or rows)
    labels = list(map(words.method, methods))
    silent = {*methods_of(points_asked(study, results))} & base_methods(study) - {*methods}
    if name and silent and not has_name(facts, labels):
        return f"{by_methods(methods, joined(labels), words)}, {facts}"
    if "algorithm" in question.at:
        return facts
    return lowered(*of_methods(study, [facts], with_number or rows, results, words))


def _deciding_points(question: QuestionTest, decided: bool | None) -> tuple[PointResults, ...]:
    """Rows of which a verdict has all numbers of its quantity, or the claim."""
    rows, test = question.rows, question.test
    if "claim" in test or "monotone" in test:
        return tuple(rows)
    if {*question.at, *question.at_reference} - {"algorithm", *keys_of(question.results)}:
        return ()  # some entries of a quantity
    if sum(len(_pairs(question, point)) for point in rows) > ONE_BY_ONE:
        return tuple(rows) if "equals" in test and decided and not question.than else ()
    return (*rows, *([] if question.than.get("quantity") else _references(question)))


def _references(question: QuestionTest) -> list[PointResults]:
    """Rows that others are compared with."""
    references = []
    for reference in question.results if question.than else ():
        for point in question.rows:
            if _is_reference(question, point, reference) and reference not in question.rows:
                references.append(reference)
    return references


def _is_reference(question: QuestionTest, point: PointResults, reference: PointResults) -> bool:
    """True for the row that a row is compared with, as far as the keys of its method say."""
    at = {"algorithm": point.algorithm, **point.at, **question.at_reference}
    return reference.is_at({k: v for k, v in at.items() if k in reference.at or k == "algorithm"})


def _on_claims(question: QuestionTest) -> tuple[bool | None, str]:
    """Verdict on the claims of all rows, or of some, and the sentence on them."""
    study, rows, results, words = question
    truths: list[bool | None] = []
    for point in rows:
        for claim in point.claims.elements():
            if point.is_proved_absent:
                truths.append(NOT_AN_EQUILIBRIUM in question.holding)
            elif claim in question.holding:
                truths.append(True)
            else:
                truths.append(False if claim == question.contrary else None)
    lists = on_lists(study, rows) if any(point.is_proved_absent for point in rows) else []
    sentences = [sentence.text for sentence in lists or on_claims(study, rows, all_results=results)]
    if _exception_words(question):
        sentences = claim_courses(study, rows)
    sentence = lowered("".join(sentences[:1]))
    where, methods = at_rows(question), methods_of(rows)
    if "algorithm" in question.at and len(methods) < len(methods_of(results)):
        labels = list(map(words.method, methods))
        is_named = all(has_name(sentence, [label]) for label in labels)
        where = "" if is_named else by_methods(methods, joined_cases(labels), words)
    return question.in_all_or_some(truths), f"{where}, {sentence}" if where and sentence else sentence


def _exception_words(question: QuestionTest) -> str:
    """Points along a key at which alone a claim holds; empty where it is refuted at no other."""
    rows, holding, refuted = question.rows, [], 0
    for point in rows:
        if {*point.claims} <= {*question.holding}:
            holding.append(point)
        elif {*point.claims} == {question.contrary}:
            refuted += 1
    if "everywhere" in question.test or not holding or len(holding) + refuted < len(rows):
        return ""
    is_along_a_key = claim_courses(question.study, rows)
    return text_if(is_along_a_key, f"Only {format_points(holding, rows, question.words)}")


def at_rows(question: QuestionTest) -> str:
    """Point that rows share, as a beginning of a sentence; empty if all results share it."""
    shared = without(common_place(question.rows), *common_place(question.results))
    place = {key: value for key, value in shared.items() if key in question.at}
    return text_if(place, f"at {question.words.place(place)}")


def _on_course(question: QuestionTest) -> tuple[bool | None, str]:
    """Verdict on a rise, or fall, along a key in all cases, or in some, and the course."""
    study, test, words = question.study, question.test, question.words
    along = test.get("along") or answer_keys(study).get("along", "")
    view = {**study, "answer": {**answer_keys(study), "along": along}}
    subject = trend_of(view, test["quantity"], question.rows, words)
    if subject is None:
        return None, ""
    if not (subject.key or subject.fixed):
        is_rest = len(question.rows) == 1 < len(points_asked(study, question.results))
        where = f" at {words.place(question.rows[0].at)}"
        return None, text_if(is_rest, lowered(course_sentence(subject._replace(where=where), words)))
    along = along or subject.key or subject.fixed
    sign, truths = {"rising": 1, "falling": -1}[test["monotone"]], list[bool | None]()
    for series in subject.series:
        ways = [turn.direction for turn in turns(series)] if len(series) > 1 else []
        ways = [0] if subject.fixed == along else ways
        is_known = ways and all(row.estimate.is_exact for row in series)
        if ways == [sign]:
            truths.append(True)
        else:
            truths.append(False if -sign in ways or is_known else None)
    return question.in_all_or_some(truths), lowered(course_sentence(subject, words))


def _on_numbers(question: QuestionTest) -> tuple[bool | None, str]:
    """Verdict on the numbers of all rows, or of some, and the facts that decide it."""
    rows, test = question.rows, question.test
    counts_equilibria = test["quantity"] == "equilibrium_count"
    pairs = {id(point): _pairs(question, point) for point in rows}
    numbers = np.array([(pair.estimate.mean, pair.reference.mean) for pair in chain(*pairs.values())])
    size = float(np.abs(numbers[np.isfinite(numbers)]).max(initial=0.0))
    comparisons: list[Compared] = []
    for point in rows:
        for pair in pairs[id(point)]:
            comparison = _compare(question, pair, size)
            may_be_more = counts_equilibria and not point.is_complete
            comparisons.append(_of_more(comparison, test) if may_be_more else comparison)
    if not comparisons:
        return None, ""
    if any(point.list_length > 1 and not point.is_complete for point in _references(question)):
        for k, row in enumerate(comparisons):
            comparisons[k] = row._replace(is_met=None, margin=0.0) if row.is_met else row
    decided = question.in_all_or_some([comparison.is_met for comparison in comparisons])
    lists = {text_if(counts_equilibria, point.list_words) for point in rows}
    if decided and "equals" in test and len(lists) == 1 and "" not in lists:
        comma = text_if(len(rows) > 1, ",")
        return decided, f"{there_is(lists.pop())}{comma}{_in_all(question, len(rows))}."
    return decided, _facts(question, decided, comparisons, _in_all(question, len(comparisons)))


def _in_all(question: QuestionTest, count: int) -> str:
    """Words for the cases of so many numbers of rows: every value of the one key, or their count."""
    rows, keys = question.rows, keys_of(question.rows)
    if count < 2:
        return ""
    is_swept = len(keys) == 1 and len(values_of(rows, keys[0])) == len(rows) == count
    if is_swept and is_number(rows[0].at[keys[0]]):
        return f" at every {question.words.key(keys[0])}"
    return " in both cases" if count == 2 else f" in all {count} cases"


def _of_more(comparison: Compared, test: Table) -> Compared:
    """Comparison of a number that may be larger, as that of a list that may lack entries."""
    over = comparison.is_met is False and ("below" in test or comparison.difference > 0)
    larger = comparison.is_met if "above" in test else over
    return comparison if larger else comparison._replace(is_met=None, margin=0.0)


def _pairs(question: QuestionTest, point: PointResults) -> list[Compared]:
    """Numbers of a row, each with its label, its reference and the label of that, before comparison."""
    test, at, limit, words = question.test, question.at, question.limit, question.words
    estimates = point.numbers(test["quantity"], at)
    label = _label(point, question.rows, at, words)
    if is_benchmark(limit):
        levels = point.numbers(reference_quantity(test, question.key), at)
        named_levels = [exactly(limit_in_words(test, level.text), level.mean) for level in levels]
        return _compared(label, estimates, named_levels, "")
    if isinstance(limit, str) and estimates and np.isfinite(estimates[0].mean):
        numbers = point.numbers(limit, at)  # of another quantity of the same row
        return _compared(label, estimates, numbers, f"the {words.quantity(limit)}")
    if not question.than:
        level = exactly(limit, float("nan"))
        if not isinstance(limit, str):
            level = exactly(limit_in_words(test, words.value(limit)), float(limit))
        return _compared(label, estimates, [level], "")
    pairs = []
    dims = set(question.at_reference) - {"algorithm", *point.at}
    for reference in question.results:
        is_itself = reference is point and not (question.than.get("quantity") or dims)
        if not is_itself and _is_reference(question, point, reference):
            numbers, beside = _reference(question, point, reference, has_dims=bool(dims))
            pairs += _compared(label, estimates, numbers, beside)
    return pairs


def _reference(
    question: QuestionTest, point: PointResults, reference: PointResults, *, has_dims: bool
) -> tuple[tuple[Estimate, ...], str]:
    """Numbers of the row that a row is compared with, and their label."""
    at, words, test = question.at | question.at_reference, question.words, question.test
    name = question.than.get("quantity")
    numbers = reference.numbers(name or test["quantity"], at)
    label = _label(reference, [point, reference], question.at_reference, words)
    if has_dims and numbers and numbers[0].entry:
        label = f"for {role_with_article(numbers[0].entry)} {label}".strip()
    if name:
        label = f"the {words.quantity(name)}"
    player = at.get("player")
    if (name or test["quantity"]) != "payoff" or not isinstance(player, int):
        return numbers, label
    payoffs = reference.payoffs_in_list(player)
    if len(payoffs) < 2:
        return numbers, label
    # a number beside a list is compared with its least favourable entry
    payoff, extreme = (max(payoffs), "highest") if "above" in test else (min(payoffs), "lowest")
    label = f"{label}, the {extreme} of {len(payoffs)} listed"
    return (exactly(number_in_words(payoff), payoff),), label


def limit_in_words(test: Table, number: str) -> str:
    """Number that a test compares with, as the study names it.

    >>> limit_in_words({"limit": "the Cournot output {}"}, "30"), limit_in_words({}, "30")
    ('the Cournot output 30', '30')
    """
    return str(test.get("limit", "{}")).replace("{}", number)


def _compared(
    label: str, estimates: Sequence[Estimate], references: Sequence[Estimate], beside: str
) -> list[Compared]:
    """Numbers of entries beside others; a single one stands beside all."""
    count = max(len(estimates), len(references)) if estimates and references else 0
    pairs = islice(zip(cycle(estimates), cycle(references), strict=False), count)
    return [Compared(label, estimate, reference, beside) for estimate, reference in pairs]


def _label(point: PointResults, rows: ResultPoints, at: Table, words: Words) -> str:
    """Words that set a row apart from the others, or by which it was selected."""
    shared = [key for key in common_place(rows) if key not in at]
    place = without(point.at, *shared)
    has_methods = "algorithm" in at or len(methods_of(rows)) > 1
    method = {"algorithm": point.algorithm} if has_methods else {}
    has_words = has_methods or not all(isinstance(value, int | float) for value in place.values())
    text = words.place(method | place)
    return text_if(text, f"for {text}" if has_words else f"at {text}")


def _compare(question: QuestionTest, pair: Compared, size: float) -> Compared:
    """A number beside its reference, with whether the test is met."""
    test, limit, estimate, reference = question.test, question.limit, pair.estimate, pair.reference
    if question.asks_for_a_word:
        return pair._replace(is_met=estimate.text == limit.replace("_", " "))
    margin = paired_margin(estimate, reference)
    if margin is None:
        margin = float(np.hypot(estimate.high - estimate.mean, reference.high - reference.mean))
    pair = pair._replace(margin=margin)
    gap = pair.difference
    if pair.beside and not isinstance(limit, str):
        gap -= float(limit)
    if not np.isfinite(gap) or np.isnan(margin):
        return pair
    if "equals" in test:
        visible = VISIBLE * size if margin == 0.0 else 0.0
        tolerance = max(float(test.get("tolerance", 0.0)), visible)
        is_met, is_missed = abs(gap) + margin <= tolerance, abs(gap) - margin > tolerance
    else:
        gap = gap if "above" in test else -gap
        gap = gap if abs(gap) > EQUAL * size else 0.0
        is_met, is_missed = gap > margin, gap < -margin or (gap <= 0.0 and margin == 0.0)
    return pair._replace(is_met=is_met) if is_met or is_missed else pair


def _facts(question: QuestionTest, decided: bool | None, comparisons: Sequence[Compared], in_all: str) -> str:
    """Numbers that decide a test: of all rows if they are few, else the decisive ones."""
    name, texts = (
        question.words.quantity(question.test["quantity"]),
        {row.estimate.text for row in comparisons},
    )
    if all(row.is_met for row in comparisons) and texts == {"yes"}:
        return f"{name}{in_all}."  # a name says what is true
    if question.asks_for_a_word:
        comparisons = [row.with_article for row in comparisons]
    if len(comparisons) <= ONE_BY_ONE:
        return f"the {name} {_one_by_one(question, comparisons, in_all)}."
    return _decisive(question, decided, comparisons, in_all)


def _one_by_one(question: QuestionTest, comparisons: Sequence[Compared], in_all: str) -> str:
    """Few numbers, each with what sets it apart from its reference, or all with what sets them apart."""
    ways = [_relation(row, question.test) + _doubt(row) for row in comparisons]
    texts, distinct = [row.estimate.text for row in comparisons], list(dict.fromkeys(ways))
    way, owner, is_one = distinct[0], _owner_of_number(comparisons[0]), len(comparisons) == 1
    is_as_stated = {*texts} == {row.reference.text for row in comparisons} and not comparisons[0].beside
    if distinct == [""] or ("equals" in question.test and is_as_stated):  # what the test says
        return f"{text_if(is_one and owner, f'{owner} ')}is {texts[0]}{in_all}"
    if is_one and owner:
        return f"{owner} is {texts[0]}, {way}"
    if not is_one and len(distinct) == len({*texts}) == 1:
        return f"is {texts[0]}{in_all}, {way}"
    texts = [f"{row.estimate.text} {_owner_of_number(row, 'for')}".strip() for row in comparisons]
    if len(distinct) == 1:
        return f"is {joined(texts)}, {('', 'both ', 'all ')[len(comparisons) - 1]}{way}"
    against, *further = dict.fromkeys(way.partition(" (")[0] for way in ways)
    if not further and against.startswith("against "):
        parts = [f"{text} ({way.partition(' (')[2]}" for text, way in zip(texts, ways, strict=True)]
        return f"is {joined(parts)}, {against}"
    return f"is {joined(map(commas, texts, ways))}"


def _decisive(
    question: QuestionTest, decided: bool | None, comparisons: Sequence[Compared], in_all: str
) -> str:
    """In how many of many cases a test is met, and the numbers that decide it."""
    truths = [row.is_met for row in comparisons]
    entry, *further = dict.fromkeys(row.estimate.entry for row in comparisons)
    owner = text_if(entry and not further, f" of {role_with_article(entry)}")
    name = question.words.quantity(question.test["quantity"])
    fact = f"the {name}{owner} is {_relation_of_test(question, comparisons)}"
    if {*truths} == {True}:
        closest = min(comparisons, key=lambda row: np.nan_to_num(abs(row.difference), nan=np.inf))
        return f"{fact}{in_all}{text_if(question.key != 'equals', f'; nearest to it is {closest.short}')}."
    truth = decided if decided in truths else False
    decisive = [row for row in comparisons if row.is_met is truth]
    decisive = decisive or [row for row in comparisons if not row.is_met]
    examples = joined(row.short for row in decisive[:ONE_BY_ONE])
    remainder = len(decisive) - ONE_BY_ONE
    examples += text_if(remainder > 0, f", and {remainder} more") + _doubt(decisive[0])
    if None in truths and True not in truths:
        return f"whether {fact} is not decided for {examples}."
    reason = {True: "these are", False: "it is not for", None: "it is not decided for"}[decisive[0].is_met]
    count = truths.count(True) or "none"
    return f"{fact} in {count} of {len(comparisons)} cases; {reason} {examples}."


def _owner_of_number(comparison: Compared, of: str = "of") -> str:
    """Whose a number is, and of which row."""
    entry = comparison.estimate.entry
    owner = text_if(entry, f"{of} {role_with_article(entry)}")
    if owner.startswith("for ") and comparison.label.startswith("for "):
        return f"({entry}) {comparison.label}"
    return " ".join(filter(None, [owner, comparison.label]))


def _relation(comparison: Compared, test: Table) -> str:
    """Relation of a number to its reference, and the difference from that of another row."""
    reference, beside = comparison.reference.text.replace("_", " "), comparison.beside
    if not np.isfinite(comparison.difference):
        if "equals" in test:
            return text_if(not comparison.is_met, f"not {with_article(reference)}")
        return f"beside {reference}"
    size = max(abs(comparison.estimate.mean), abs(comparison.reference.mean))
    if abs(comparison.difference) <= VISIBLE * size:
        return f"equal to {beside or reference}" if comparison.is_beside_quantity else f"as {beside}"
    if not beside:
        doubt = text_if(comparison.is_met is None and comparison.margin > 0.0, "not significantly ")
        return f"{doubt}above {reference}" if comparison.difference > 0 else f"{doubt}below {reference}"
    excess = excess_in_words(comparison.estimate, comparison.reference)
    row = f"for {beside}" if comparison.is_beside_quantity else beside
    return f"against {reference} {row} ({excess})"


def _doubt(comparison: Compared) -> str:
    """Reason for which a comparison is not decided; empty if it is."""
    if comparison.is_met is not None:
        return ""
    if not np.isfinite(comparison.difference):
        return ", which cannot be compared"
    if comparison.margin == 0.0:
        return ", of a list that may lack some"
    if np.isnan(comparison.margin):
        return " in a single run, whose noise is unknown"
    return text_if(comparison.beside, ", which is not significant")


def _relation_of_test(question: QuestionTest, comparisons: Sequence[Compared]) -> str:
    """Relation that a test asks for, in words."""
    reference, *further = dict.fromkeys(comparison.beside for comparison in comparisons)
    if not (reference or further):
        level, *other_levels = {comparison.reference.text for comparison in comparisons}
        if other_levels:
            level = limit_in_words(question.test, "").strip(" ,")
        return f"{question.key.replace('equals', 'equal to')} {level}"
    way = {"above": "higher than", "below": "lower than", "equals": "equal to"}[question.key]
    if further:
        return f"{way} the reference"
    return f"{way} {text_if(not comparisons[0].is_beside_quantity, 'that ')}{reference}"

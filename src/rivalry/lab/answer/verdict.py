"""Yes, no or cannot tell: the verdict on a yes-or-no question, by the test that its study states."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle, islice, product
from typing import Any, NamedTuple

import numpy as np

from rivalry.core.claims import NONE_EXISTS, REFUTED
from rivalry.lab.answer.estimates import EQUAL
from rivalry.lab.answer.points import (
    PointResults,
    ResultPoints,
    differing_keys,
    methods_of,
    points_asked,
    reference_quantity,
)
from rivalry.lab.study.identity import StudyTables, Table, TableDict
from rivalry.lab.study.names import is_benchmark
from rivalry.lab.study.words import Words, answer_keys, condition_of
from rivalry.results.comparison import VISIBLE, differ, paired_margin
from rivalry.results.table import Estimate, around, exactly, number_in_words
from rivalry.schema.construction import is_number

VERDICTS = {True: "Yes", False: "No", None: "Cannot tell"}
HOLDING = {
    "equilibrium": ("equilibrium",),
    "approximate equilibrium": ("equilibrium", "approximate equilibrium"),
    "no deviation found": ("equilibrium", "no deviation found"),
    REFUTED: (REFUTED, NONE_EXISTS),
    NONE_EXISTS: (NONE_EXISTS,),
}
"""Claims with which a test of claims is met."""
ALL_CLAIMED = {
    "equilibrium": "all profiles are equilibria",
    "approximate equilibrium": "all profiles are at least approximate equilibria",
    "no deviation found": "no deviation is found at any profile",
    REFUTED: "no profile is an equilibrium",
    NONE_EXISTS: "nowhere is there an equilibrium",
}
"""What a test of claims asks of all rows."""
OF_DYNAMICS = ("end_state", "basin_count", "cycle_period")  # of what dynamics do, in equilibrium or not
OF_GAINS = ("exploitability", "regret", "gain", "nash_conv")  # in names of distances from equilibrium


class Case(NamedTuple):
    """A number or a claim of one row beside its reference, and whether the test is met.

    ``is_met`` is None where that is not decided. A claim has no number, and a course those of its two ends.
    """

    place: str
    number: Estimate
    reference: Estimate
    beside: str  # the row of the reference, or the quantity
    is_met: bool | None = None
    margin: float = 0.0  # half the width of the interval of the difference

    @property
    def difference(self) -> float:
        """The number less its reference."""
        return self.number.mean - self.reference.mean

    def as_json(self) -> TableDict:
        """Case as ``--json`` prints it."""
        texts = {"place": self.place, "number": self.number.text, "reference": self.reference.text}
        return texts | {"beside": self.beside, "met": self.is_met}


class Verdict(NamedTuple):
    """Whether the test of a question is met, the fact that decides it, and all cases."""

    truth: bool | None
    test: str
    cases: list[Case]
    is_withheld: bool = False  # below five converged sessions or runs; the test says what is asked

    @property
    def line(self) -> str:
        """Verdict as one line."""
        if self.is_withheld:
            return f"No verdict below five converged {self.test}."
        return f"{VERDICTS[self.truth]}: {self.test}."

    def as_json(self) -> TableDict:
        """Verdict as ``--json`` prints it."""
        truth = VERDICTS[self.truth].lower()
        return {"truth": truth, "test": self.test, "cases": [case.as_json() for case in self.cases]}


class QuestionTest(NamedTuple):
    """Test of a study, the rows that it is of, and the results that these are compared with."""

    study: StudyTables
    test: Table
    rows: ResultPoints
    results: ResultPoints
    words: Words

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
    def condition(self) -> str:
        """The kind of comparison: ``above``, ``below`` or ``equals``."""
        return next(key for key in ("above", "below", "equals") if key in self.test)

    @property
    def limit(self) -> Any:
        """A number, a word, a quantity of the same row or a benchmark."""
        return self.test[self.condition]

    @property
    def name(self) -> str:
        """The quantity of the test in words."""
        return self.words.quantity(str(self.test["quantity"]))

    def truth_of(self, cases: Iterable[Case]) -> bool | None:
        """Truth of the test in all cases or, unless ``everywhere``, in some; None if not decided."""
        everywhere: bool = self.test.get("everywhere", True)
        truths = [case.is_met for case in cases]
        if (not everywhere) in truths:
            return not everywhere
        return None if None in truths else everywhere

    def place_of(self, point: PointResults) -> str:
        """Words that set a row apart from the others, or by which it was selected."""
        varied = differing_keys(self.rows)
        at = {key: value for key, value in point.at.items() if key in varied or key in self.at}
        if "algorithm" in self.at or len(methods_of(self.results)) > 1:
            at["algorithm"] = point.algorithm
        return self.words.point(at)


def verdict_of(study: StudyTables, results: ResultPoints) -> Verdict | None:
    """Verdict on a yes-or-no question.

    None without a test, and without rows that it is of; withheld below five converged sessions of learners.
    """
    test = condition_of(study)
    at = test.get("at") or {}
    candidates = results if "algorithm" in at else points_asked(study, results)
    points = [point for point in candidates if point.is_at(at)]
    if not test or not points:
        return None
    name = str(test.get("quantity", "claim"))
    all_count = name in ("claim", *OF_DYNAMICS) or any(word in name for word in OF_GAINS)
    rows = [point for point in points if all_count or not point.is_refuted] or points
    question = QuestionTest(study, test, rows, results, Words(study))
    condition = next(name for name in ("claim", "monotone", "quantity") if name in test)
    verdict = {"claim": _on_claims, "monotone": _on_courses, "quantity": _on_numbers}[condition](question)
    if verdict is None:
        return None
    # a few sessions refute a claim, and do not show that it holds of all
    if any(point.is_too_few(name) for point in rows) and not (name == "claim" and verdict.truth is False):
        text = f"{rows[0].runs_noun}; asked is whether {_asked(question, verdict.cases)}"
        return Verdict(None, text, [], is_withheld=True)
    excluded = len(points) - len(rows)
    if excluded:
        remark = f"{verdict.test}; {excluded} of {len(points)} rows, which are not equilibria, left out"
        verdict = verdict._replace(test=remark)
    is_stopped = not any(point.statuses["converged"] for point in rows)
    if rows[0].is_refuted and not all_count and is_stopped:
        return verdict._replace(truth=None)  # where a search was broken off says nothing of the game
    return verdict


def _deciding(truth: bool | None, cases: Sequence[Case], *, equals: bool = False) -> Case:
    """The case that decides among those that share the truth: the nearest to its reference.

    Where a number ``equals`` its reference, the farthest.
    """
    deciding = [case for case in cases if case.is_met is truth] or list(cases)
    pick = max if equals and truth else min
    return pick(deciding, key=lambda case: np.nan_to_num(abs(case.difference), nan=np.inf))


def _counted(cases: Sequence[Case]) -> str:
    """Number of cases, of several, that pass the test."""
    count = sum(case.is_met is True for case in cases)
    return f"; met in {count} of {len(cases)} cases" if len(cases) > 1 else ""


def _asked(question: QuestionTest, cases: Sequence[Case]) -> str:
    """Test of a question, with the number that it compares with."""
    test = question.test
    if "claim" in test:
        return ALL_CLAIMED[test["claim"]]
    if "monotone" in test:
        return f"the {question.name} is {test['monotone']}"
    relation = {"above": "above", "below": "below", "equals": "equal to"}[question.condition]
    beside, *further = dict.fromkeys(case.beside or case.reference.text for case in cases)
    reference = "its reference" if further else beside if question.than == {} else f"that of {beside}"
    return f"the {question.name} is {relation} {reference}"


def _on_claims(question: QuestionTest) -> Verdict | None:
    """Verdict on the claims of all rows, or of some."""
    holding = HOLDING[question.test["claim"]]
    contrary = ("equilibrium",) if NONE_EXISTS in holding else (REFUTED, NONE_EXISTS)
    cases = []
    for point in question.rows:
        for claim in point.claims.elements():
            is_met: bool | None = claim in holding
            if not is_met and claim not in contrary:
                is_met = None
            text = Estimate(_claim_of(point, claim))
            cases.append(Case(question.place_of(point), text, Estimate(""), "", is_met))
    truth = question.truth_of(cases)
    if truth and len(cases) > 1 and len({case.number.text for case in cases}) == 1:
        return Verdict(truth, f"{cases[0].number.text} in {len(cases)} of {len(cases)} cases", cases)
    case = next((case for case in cases if case.is_met is truth), cases[0])
    fact = ": ".join(filter(None, [case.place, case.number.text])) + _counted(cases)
    return Verdict(truth, fact, cases)


def _claim_of(point: PointResults, claim: str) -> str:
    """Claim with the gain that refutes it, or that it leaves open."""
    facts = point.facts(claim)
    if claim == REFUTED and point.largest_gain.text:
        return f"{facts.word}, largest gain{point.per_period} {point.largest_gain.text}"
    return ", ".join(filter(None, [facts.word, facts.left_open]))


def _on_courses(question: QuestionTest) -> Verdict | None:
    """Verdict on a rise, or fall, along a key in all courses, or in some; None without a course."""
    name, words = str(question.test["quantity"]), question.words
    key = question.test.get("along") or answer_keys(question.study).get("along")
    key = str(key or _longest_key(question.results))
    sign = {"rising": 1, "falling": -1}[question.test["monotone"]]
    further_keys = differing_keys(question.rows, key)
    is_falling = answer_keys(question.study).get("direction") == "falling"
    courses: dict[str, list[tuple[float, Estimate]]] = {}
    for point in (row for row in question.rows if key in row.at):
        at = {other_key: point.at[other_key] for other_key in further_keys if other_key in point.at}
        if len(methods_of(question.rows)) > 1:
            at["algorithm"] = point.algorithm
        for number in point.numbers(name, question.at):
            label = ", ".join(filter(None, [words.point(at), number.entry]))
            courses.setdefault(label, []).append((point.at[key], number))
    cases = []
    for label, course in courses.items():
        course.sort(key=lambda pair: pair[0], reverse=is_falling)
        numbers = [number for _, number in course]
        ways = directions(numbers)
        if len(numbers) < 2:
            ways = []
        is_known = bool(ways) and all(number.is_exact for number in numbers)
        is_met = False if -sign in ways or is_known else None
        start, end = numbers[0], numbers[-1]
        first, last = (words.value(x) for x in (course[0][0], course[-1][0]))
        start, end = (
            start._replace(text=f"{start.text} at {first}"),
            end._replace(text=f"{end.text} at {last}"),
        )
        cases.append(Case(label, end, start, _verb(ways), True if ways == [sign] else is_met))
    if not cases:
        return None
    truth = question.truth_of(cases)
    case = _deciding(truth, cases)
    owner = f" ({case.place})" if case.place else ""
    start_and_end = f"from {case.reference.text} to {case.number.text}"
    fact = f"the {question.name}{owner} {case.beside}, {start_and_end} ({words.key(key)})"
    return Verdict(truth, fact + _counted(cases), cases)


def _longest_key(rows: ResultPoints) -> str:
    """Swept number with most values."""
    counts: dict[str, int] = {}
    for key in differing_keys(rows):
        values = {row.at[key] for row in rows if is_number(row.at.get(key))}
        counts[key] = len(values)
    return max(counts, key=counts.__getitem__, default="")


def _verb(ways: Sequence[int]) -> str:
    """Course in words."""
    verbs = {1: "rises", -1: "falls", 0: "stays"}
    return " and ".join(verbs[way] for way in ways) or "has no clear course"


def directions(numbers: Sequence[Estimate]) -> list[int]:
    """Rises (1) and falls (-1) of numbers in order, each beyond its noise; [0] where they stay.

    Empty where they do not hold: where two numbers of a stretch move against it beyond their intervals, or
    where the noise is unknown.

    >>> directions([exactly("", y) for y in (1.0, 2.0, 5.0, 4.0)])
    [1, -1]
    """
    stretches: list[tuple[int, int, int]] = []
    start = low = high = direction = 0
    for k in range(1, len(numbers)):
        if direction >= 0 and numbers[k].mean > numbers[high].mean:
            high = k
        if direction <= 0 and numbers[k].mean < numbers[low].mean:
            low = k
        is_up = numbers[k].mean > numbers[low].mean and differ(numbers[low], numbers[k])
        is_down = numbers[k].mean < numbers[high].mean and differ(numbers[high], numbers[k])
        if direction >= 0 and is_down:
            stretches += [(1, start, high)] if direction else []
            start, low, direction = high, k, -1
        elif direction <= 0 and is_up:
            stretches += [(-1, start, low)] if direction else []
            start, high, direction = low, k, 1
    end = {1: high, -1: low, 0: len(numbers) - 1}[direction]
    stretches.append((direction, start, end))
    holds = all(_holds(numbers[first : last + 1], way) for way, first, last in stretches)
    return [way for way, _, _ in stretches] if holds else []


def _holds(numbers: Sequence[Estimate], direction: int) -> bool:
    """True if no two numbers of a stretch move against it, nor at all where it stays."""
    if not all(np.isfinite(number.mean) and not np.isnan(number.low) for number in numbers):
        return False
    for k, number in enumerate(numbers):
        for successor in numbers[k + 1 :]:
            gap = successor.mean - number.mean
            if (gap * direction < 0 or direction == 0) and differ(number, successor):
                return False
    return True


def _on_numbers(question: QuestionTest) -> Verdict | None:
    """Verdict on the numbers of all rows, or of some; None where no row has one."""
    pairs = [pair for point in question.rows for pair in _pairs(question, point)]
    if not pairs:
        return None
    numbers = np.array([(pair.number.mean, pair.reference.mean) for pair in pairs])
    size = float(np.abs(numbers[np.isfinite(numbers)]).max(initial=0.0))
    cases = [_compared(question, pair, size) for pair in pairs]
    truth = question.truth_of(cases)
    fact = _fact(question, _deciding(truth, cases, equals="equals" in question.test))
    return Verdict(truth, fact + _counted(cases), cases)


def _fact(question: QuestionTest, case: Case) -> str:
    """Number that decides, and what it is compared with."""
    owner = ", ".join(filter(None, [case.number.entry, case.place]))
    of_case = f" ({owner})" if owner else ""
    if case.number.text in ("yes", "no") or not np.isfinite(case.number.mean):
        return f"{question.name}: {case.number.text}{of_case}"
    subject = f"the {question.name} is {case.number.text}{of_case}"
    reference = case.reference.text.replace("_", " ")
    relation = {"above": "above", "below": "below", "equals": "equal to"}[question.condition]
    if case.is_met is False:
        relation = f"not {relation}"
    if case.is_met is None:
        relation = f"not clearly {relation}"
    beside = f" ({case.beside})" if case.beside else ""
    has_difference = case.beside and abs(case.difference) > VISIBLE * abs(case.number.mean)
    difference = f"; difference {around(case.difference, case.margin).text}" if has_difference else ""
    return f"{subject}, {relation} {reference}{beside}{difference}"


def _pairs(question: QuestionTest, point: PointResults) -> list[Case]:
    """Numbers of a row beside their references, before comparison."""
    test, limit, words = question.test, question.limit, question.words
    numbers = point.numbers(str(test["quantity"]), question.at)
    place = question.place_of(point)
    beside_quantity = isinstance(limit, str) and not is_benchmark(limit) and "equals" not in test
    if question.than and not beside_quantity:
        pairs = []
        for reference in question.results:
            if _is_reference(question, point, reference):
                pairs += _cases(place, numbers, *_reference(question, reference))
        return pairs
    if isinstance(limit, str) and (name := reference_quantity(test, question.condition)):
        levels = point.numbers(name, question.at)
        beside = "" if is_benchmark(limit) else words.quantity(name)
        return _cases(place, numbers, [_as_limit(test, level) for level in levels], beside)
    if isinstance(limit, str):
        return _cases(place, numbers, [Estimate(limit)], "")
    return _cases(place, numbers, [_as_limit(test, exactly(words.value(limit), float(limit)))], "")


def _as_limit(test: Table, number: Estimate) -> Estimate:
    """Number that a test compares with, as the study names it.

    >>> _as_limit({"limit": "the Cournot output {}"}, Estimate("30")).text, _as_limit({}, Estimate("30")).text
    ('the Cournot output 30', '30')
    """
    return number._replace(text=str(test.get("limit") or "{}").replace("{}", number.text))


def _cases(
    place: str, numbers: Sequence[Estimate], references: Sequence[Estimate], beside: str
) -> list[Case]:
    """Numbers of entries beside others; a single one stands beside all."""
    count = max(len(numbers), len(references)) if numbers and references else 0
    pairs = islice(zip(cycle(numbers), cycle(references), strict=False), count)
    return [Case(place, number, reference, beside) for number, reference in pairs]


def _is_reference(question: QuestionTest, point: PointResults, reference: PointResults) -> bool:
    """True for a row that a row is compared with, as far as the keys of its method say."""
    entries = {*question.at_reference} - {"algorithm", *point.at}
    if reference is point and not (question.than.get("quantity") or entries):
        return False
    at = {"algorithm": point.algorithm, **point.at, **question.at_reference}
    return reference.is_at({k: v for k, v in at.items() if k in reference.at or k == "algorithm"})


def _reference(question: QuestionTest, reference: PointResults) -> tuple[Sequence[Estimate], str]:
    """Numbers of the row that a row is compared with, and its words."""
    at, words = question.at | question.at_reference, question.words
    name = str(question.than.get("quantity") or question.test["quantity"])
    numbers: Sequence[Estimate] = reference.numbers(name, at)
    place = {k: v for k, v in question.at_reference.items() if k == "algorithm" or k in reference.at}
    entry = numbers[0].entry if {*question.at_reference} - {*place} and numbers else ""
    label = ", ".join(filter(None, [entry, words.point(place)]))
    if question.than.get("quantity"):
        label = ", ".join(filter(None, [words.quantity(name) * (name != question.test["quantity"]), label]))
    player = at.get("player")
    payoffs = reference.payoffs_in_list(player) if name == "payoff" and isinstance(player, int) else []
    if len(payoffs) < 2:
        return numbers, label
    # a number beside a list is compared with its least favourable entry
    payoff, extreme = (max(payoffs), "highest") if "above" in question.test else (min(payoffs), "lowest")
    return [exactly(number_in_words(payoff), payoff)], f"{label}, the {extreme} of {len(payoffs)} listed"


def _compared(question: QuestionTest, case: Case, size: float) -> Case:
    """Return a case with whether its test is met, and half the width of the interval of its difference.

    A test is met, or missed, where all of the interval ``gap - margin`` to ``gap + margin`` of the number
    less its reference says so, and undecided else: for ``equals`` by whether it is within the tolerance, for
    ``above`` and ``below`` by its sign. Differences that are too small beside ``size`` are 0.
    """
    test, number, reference = question.test, case.number, case.reference
    if not np.isfinite(reference.mean) and isinstance(test.get("equals"), str):
        return case._replace(is_met=number.text == reference.text.replace("_", " "))
    margin = paired_margin(number, reference)
    if margin is None:
        margin = float(np.hypot(number.high - number.mean, reference.high - reference.mean))
    gap = case.difference
    if case.beside and is_number(question.limit):  # the limit is one of the difference
        gap -= float(question.limit)
    if not np.isfinite(gap) or np.isnan(margin):
        return case._replace(margin=margin)
    if "equals" in test:
        # without noise, digits that are not printed make no difference
        visible = VISIBLE * size if margin == 0.0 else 0.0
        tolerance = max(float(test.get("tolerance", 0.0)), visible)
        is_met, is_missed = abs(gap) + margin <= tolerance, abs(gap) - margin > tolerance
    else:
        excess = gap if "above" in test else -gap
        if abs(gap) <= EQUAL * size:
            excess = 0.0
        is_met, is_missed = excess > margin, excess < -margin or (excess <= 0.0 and margin == 0.0)
    truth = is_met if is_met or is_missed else None
    if _may_change(question, case, truth):
        truth = None
    return case._replace(margin=margin, is_met=truth)


def _may_change(question: QuestionTest, case: Case, truth: bool | None) -> bool:
    """True for a truth that equilibria which a list lacks may change."""
    if question.test["quantity"] == "equilibrium_count":
        if all(point.is_complete for point in question.rows):
            return False
        stays_above = truth if "above" in question.test else truth is False
        return not (stays_above and ("equals" not in question.test or case.difference > 0))
    lists = [point for point in question.results if point.list_length > 1 and not point.is_complete]
    if not truth or not question.than:
        return False
    pairs = product(question.rows, lists)
    return any(_is_reference(question, point, reference) for point, reference in pairs)

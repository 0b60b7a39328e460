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
from rivalry.lab.answer.claims import claim_courses, format_points, on_claims, on_lists
from rivalry.lab.answer.courses import turns, with_article
from rivalry.lab.answer.estimates import EQUAL, VISIBLE, Estimate, difference_in_words, paired_margin
from rivalry.lab.answer.grammar import joined, lowered
from rivalry.lab.answer.points import PointResults, tested
from rivalry.lab.answer.trends import course_sentence
from rivalry.lab.study.words import ROLES, Words

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


def verdict(study: Mapping[str, Any], found: Sequence[PointResults]) -> Verdict | None:
    """Return what decides a yes-or-no question; None without a test or without its rows."""
    test, words = (study.get("answer") or {}).get("test") or {}, Words(study)
    at = test.get("at") or {}
    known = [one for one in (found if "algorithm" in at else points_asked(study, found)) if one.is_at(at)]
    if not test or not known:
        return None
    name = "claim" if "claim" in test else str(test["quantity"])
    every = name == "claim" or name in OF_DYNAMICS or is_gain(name)
    rows = [one for one in known if every or not is_refuted(one)] or known
    if "claim" in test:
        decided, said = _on_claims(study, test, rows, found, words)
    elif "monotone" in test:
        decided, said = _on_course(study, test, rows, words)
    else:
        decided, said = _on_numbers(test, rows, found, words)
    said = f"{lowered(LEFT_OUT)}, {said}" if said and len(rows) < len(known) else said
    first = _only(study, test, rows, words) if decided is False and name == "claim" else ""
    stated = _stated(test, decided, rows, found, words)
    names = (name, *tested(test)) if stated else (name,)
    return (
        Verdict(Sentence(f"{first or VERDICTS[decided]}: {said}", basis_of(rows)), names, stated)
        if said
        else None
    )


def _stated(
    test: Mapping[str, Any],
    decided: bool | None,
    rows: Sequence[PointResults],
    found: Sequence[PointResults],
    words: Words,
) -> tuple[PointResults, ...]:
    """Return the rows of which a verdict has all numbers of its quantity, or the claim."""
    if "claim" in test or "monotone" in test:
        return tuple(rows)
    than = test.get("than") or {}
    swept = {"algorithm", *(key for one in found for key in one.at)}
    if {*(test.get("at") or {}), *(than.get("at") or {})} - swept:  # some entries of a quantity
        return ()
    count = sum(len(_pairs(test, one, rows, found, words)) for one in rows)
    if count > ONE_BY_ONE:
        return tuple(rows) if "equals" in test and decided and not than else ()
    others = [] if than.get("quantity") else _references(than, rows, found)
    return (*rows, *others)


def _references(
    than: Mapping[str, Any], rows: Sequence[PointResults], found: Sequence[PointResults]
) -> list[PointResults]:
    """Return the rows that others are compared with."""
    places = [{**one.at, "algorithm": one.algorithm, **(than.get("at") or {})} for one in rows if than]
    pairs = [
        (other, {k: v for k, v in at.items() if k in other.at or k == "algorithm"})
        for other in found
        for at in places
    ]
    return [other for other, at in pairs if other.is_at(at) and other not in rows]


def _all_or_some(met: Sequence[bool | None], test: Mapping[str, Any]) -> bool | None:
    """Return whether a test is met in all rows or, unless ``everywhere``, in some; None if not decided."""
    everywhere = test.get("everywhere", True)
    if (not everywhere) in met:
        return not everywhere
    return None if None in met else everywhere


def _on_claims(
    study: Mapping[str, Any],
    test: Mapping[str, Any],
    rows: Sequence[PointResults],
    found: Sequence[PointResults],
    words: Words,
) -> tuple[bool | None, str]:
    claims = [claim for one in rows for claim in one.claims.elements()]
    wanted, met = test["claim"], list[bool | None]()
    contrary = "equilibrium" if wanted == REFUTED else REFUTED
    absent = [one.is_proved_absent for one in rows for _ in range(one.results)]
    for claim, none in zip(claims, absent, strict=True):
        holds = wanted == REFUTED if none else claim in HOLDING[wanted]
        met.append(holds if holds or none or claim == contrary else None)
    sentences = (on_lists(study, rows) if any(absent) else []) or on_claims(study, rows)
    said = lowered(sentences[0].text) if sentences else ""
    if _only(study, test, rows, words):
        (text,) = claim_courses(study, rows)
        said = lowered(text)
    where = at_rows(test.get("at") or {}, rows, found, words)
    methods = list(dict.fromkeys(one.algorithm for one in rows))
    if "algorithm" in (test.get("at") or {}) and len(methods) < len({one.algorithm for one in found}):
        where = f"for {joined([words.method(name) for name in methods])}"
    return _all_or_some(met, test), f"{where}, {said}" if where and said else said


def _only(
    study: Mapping[str, Any], test: Mapping[str, Any], rows: Sequence[PointResults], words: Words
) -> str:
    """Return the points along a key at which alone a claim holds; empty where it is refuted at no other."""
    good = HOLDING[test["claim"]]
    holding = [one for one in rows if set(one.claims) <= set(good)]
    contrary = "equilibrium" if test["claim"] == REFUTED else REFUTED
    others = [one for one in rows if set(one.claims) == {contrary}]
    if "everywhere" in test or not holding or len(holding) + len(others) < len(rows):
        return ""
    return f"Only {format_points(holding, rows, words)}" if claim_courses(study, rows) else ""


def at_rows(
    at: Mapping[str, Any], rows: Sequence[PointResults], found: Sequence[PointResults], words: Words
) -> str:
    """Return the point that rows share, as a beginning of a sentence; empty if all results share it."""
    own = {k: v for k, v in at.items() if k in rows[0].at and all(one.is_at({k: v}) for one in rows)}
    own = {k: rows[0].at[k] for k in own if len({str(one.at[k]) for one in rows}) == 1}
    own = {k: v for k, v in own.items() if len({str(one.at.get(k)) for one in found}) > 1}
    return f"at {words.place(own)}" if own else ""


def _on_course(
    study: Mapping[str, Any], test: Mapping[str, Any], rows: Sequence[PointResults], words: Words
) -> tuple[bool | None, str]:
    """Return whether a quantity rises, or falls, along a key in all cases, or in some, and its course."""
    along = test.get("along") or (study.get("answer") or {}).get("along", "")
    about = {**study, "answer": {**(study.get("answer") or {}), "along": along}}
    subject = trend_of(about, test["quantity"], rows, words)
    if subject is None or not (subject.key or subject.fixed):
        return None, ""
    along = along or subject.key or subject.fixed
    wanted, met = {"rising": 1, "falling": -1}[test["monotone"]], list[bool | None]()
    for case in subject.cases.values():
        for series in case:
            ways = [turn.direction for turn in turns(series)] if len(series) > 1 else []
            ways = [0] if subject.fixed == along else ways
            exact = all(row.estimate.low == row.estimate.high for row in series)
            met.append(True if ways == [wanted] else False if -wanted in ways or (exact and ways) else None)
    return _all_or_some(met, test), lowered(course_sentence(subject, words))


def _on_numbers(
    test: Mapping[str, Any], rows: Sequence[PointResults], found: Sequence[PointResults], words: Words
) -> tuple[bool | None, str]:
    pairs = [pair for one in rows for pair in _pairs(test, one, rows, found, words)]
    sizes = [abs(each.mean) for _, own, other, _ in pairs for each in (own, other) if np.isfinite(each.mean)]
    size = max(sizes, default=0.0)
    each = [_compare(test, *pair, size) for pair in pairs]
    if test["quantity"] == "equilibrium_count":
        open_ended = [not one.is_complete for one in rows for _ in _pairs(test, one, rows, found, words)]
        each = [_of_more(one, test) if more else one for one, more in zip(each, open_ended, strict=True)]
    if not each:
        return None, ""
    decided = _all_or_some([one.is_met for one in each], test)
    lists = {one.list_words for one in rows} if test["quantity"] == "equilibrium_count" else set()
    if decided and "equals" in test and len(lists) == 1 and "" not in lists:
        return decided, f"{lists.pop()}{_in_all(len(rows))}."
    return decided, _facts(test, decided, each, words)


def _in_all(count: int) -> str:
    """Return in how many cases something holds; empty of a single one.

    >>> _in_all(1), _in_all(2), _in_all(3)
    ('', ' in both cases', ' in all 3 cases')
    """
    return " in both cases" if count == 2 else f" in all {count} cases" * (count > 1)


def _of_more(one: Compared, test: Mapping[str, Any]) -> Compared:
    """Return a comparison of a number that may be larger, as that of a list that may lack entries."""
    over = one.is_met is False and ("below" in test or one.difference > 0)
    larger = one.is_met if "above" in test else over
    return one if larger else one._replace(is_met=None, margin=0.0)


def _pairs(
    test: Mapping[str, Any],
    one: PointResults,
    rows: Sequence[PointResults],
    found: Sequence[PointResults],
    words: Words,
) -> list[tuple[str, Estimate, Estimate, str]]:
    """Return the numbers of a row, each with its label, its reference and the label of that."""
    at, than = test.get("at") or {}, test.get("than") or {}
    name = test["quantity"]
    own = one.numbers(name, at)
    label = _label(one, rows, at, words)
    limit = next(test[key] for key in ("above", "below", "equals") if key in test)
    if isinstance(limit, str) and own and np.isfinite(own[0].mean):  # another quantity of the same row
        beside = f"the {words.quantity(limit)}"
        return [(label, each, other, beside) for each, other in _beside(own, one.numbers(limit, at))]
    if not than:
        mean = float("nan") if isinstance(limit, str) else float(limit)
        text = limit if isinstance(limit, str) else words.value(limit)
        return [(label, each, Estimate(text, mean, mean, mean), "") for each in own]
    place = {**one.at, "algorithm": one.algorithm} | (than.get("at") or {})
    pairs = []
    for other in found:
        dims = {key for key in than.get("at") or {} if key not in one.at and key != "algorithm"}
        if other is one and not (than.get("quantity") or dims):
            continue
        if other.is_at({k: v for k, v in place.items() if k in other.at or k == "algorithm"}):
            numbers = other.numbers(than.get("quantity") or name, at | (than.get("at") or {}))
            beside = _label(other, [one, other], than.get("at") or {}, words)
            if dims and numbers and numbers[0].entry:
                beside = f"for {'the ' * (numbers[0].entry in ROLES)}{numbers[0].entry} {beside}".strip()
            beside = f"the {words.quantity(than['quantity'])}" if than.get("quantity") else beside
            pairs += [(label, each, ref, beside) for each, ref in _beside(own, numbers)]
    return pairs


def _beside(own: Sequence[Estimate], other: Sequence[Estimate]) -> Iterator[tuple[Estimate, Estimate]]:
    """Return numbers of entries beside others; a single one stands beside all."""
    count = max(len(own), len(other)) if own and other else 0
    return zip(islice(cycle(own), count), islice(cycle(other), count), strict=True)


def _label(one: PointResults, rows: Sequence[PointResults], at: Mapping[str, Any], words: Words) -> str:
    """Return what tells a row from the others, or that it was selected by."""
    place = {k: v for k, v in one.at.items() if k in at or len({str(row.at.get(k)) for row in rows}) > 1}
    several = "algorithm" in at or len({row.algorithm for row in rows}) > 1
    text = words.place({**({"algorithm": one.algorithm} if several else {}), **place})
    named = several or not all(isinstance(value, int | float) for value in place.values())
    return f"{'for' if named else 'at'} {text}" if text else ""


def _compare(
    test: Mapping[str, Any], label: str, one: Estimate, other: Estimate, beside: str, size: float
) -> Compared:
    """Return a number beside its reference, with whether the test is met."""
    margin = paired_margin(one, other)
    if margin is None:
        margin = float(np.hypot(one.high - one.mean, other.high - other.mean))
    if isinstance(test.get("equals"), str):
        same = one.text == test["equals"].replace("_", " ")
        return Compared(label, one, other, beside, 0.0, same)
    limit = next((test[k] for k in ("above", "below", "equals") if k in test), 0.0)
    gap = one.mean - other.mean - (float(limit) if beside and not isinstance(limit, str) else 0.0)
    if not np.isfinite(gap) or np.isnan(margin):
        return Compared(label, one, other, beside, margin, None)
    if "equals" in test:
        tolerance = max(float(test.get("tolerance", 0.0)), VISIBLE * size * (margin == 0.0))
        met = True if abs(gap) + margin <= tolerance else False if abs(gap) - margin > tolerance else None
        return Compared(label, one, other, beside, margin, met)
    gap = 0.0 if abs(gap) <= EQUAL * size else gap * (1 if "above" in test else -1)
    met = True if gap > margin else False if gap < -margin or (gap <= 0 and margin == 0.0) else None
    return Compared(label, one, other, beside, margin, met)


def _facts(test: Mapping[str, Any], decided: bool | None, each: Sequence[Compared], words: Words) -> str:
    """Return the numbers that decide a test: of all rows if they are few, else the decisive ones."""
    name, met = words.quantity(test["quantity"]), [one.is_met for one in each]
    if isinstance(test.get("equals"), str):
        each = [
            one._replace(estimate=one.estimate._replace(text=with_article(one.estimate.text))) for one in each
        ]
    if len(each) <= ONE_BY_ONE:
        ways = list(dict.fromkeys(_relation(one, test) + _doubt(one) for one in each))
        texts = [f"{one.estimate.text} {_whose(one, 'for')}".strip() for one in each]
        same = {one.estimate.text for one in each} == {one.reference.text for one in each}
        if ways == [""] or ("equals" in test and same and not each[0].beside):  # what the test says
            whose = f"{_whose(each[0])} " * (len(each) == 1)
            return f"the {name} {whose}is {each[0].estimate.text}{_in_all(len(each))}.".replace("  ", " ")
        if len(each) == 1 and (whose := _whose(each[0])):
            return f"the {name} {whose} is {each[0].estimate.text}, {ways[0]}."
        if len(each) > 1 and len(ways) == len({one.estimate.text for one in each}) == 1:
            return f"the {name} is {each[0].estimate.text}{_in_all(len(each))}, {ways[0]}."
        if len(ways) == 1:
            return f"the {name} is {joined(texts)}, {('', 'both ', 'all ')[len(each) - 1]}{ways[0]}."
        ways = [_relation(one, test) + _doubt(one) for one in each]
        parts = [", ".join(filter(None, pair)) for pair in zip(texts, ways, strict=True)]
        return f"the {name} is {joined(parts)}."
    said = f"the {name} is {_condition(test, each)}"
    if set(met) == {True}:
        closest = min(each, key=lambda one: abs(one.difference) if np.isfinite(one.difference) else np.inf)
        near = f"; nearest to it is {_short(closest)}" * ("equals" not in test)
        return f"{said} in all {len(each)} cases{near}."
    decisive = [one for one in each if one.is_met is (decided if decided in met else False)]
    decisive = decisive or [one for one in each if not one.is_met]
    some = joined([_short(one) for one in decisive[:ONE_BY_ONE]])
    rest = f", and {len(decisive) - ONE_BY_ONE} more" * (len(decisive) > ONE_BY_ONE)
    why = {True: "these are", False: "it is not for", None: "it is not decided for"}[decisive[0].is_met]
    count = f" in {met.count(True)} of {len(each)} cases" * (True in met)
    if None in met and not count:
        return f"whether {said} {why.removeprefix('it ')} {some}{rest}{_doubt(decisive[0])}."
    return f"{said}{count or f' in none of {len(each)} cases'}; {why} {some}{rest}{_doubt(decisive[0])}."


def _whose(one: Compared, of: str = "of") -> str:
    """Return whose a number is, and of which row."""
    entry = one.estimate.entry
    who = f"{of} {'the ' * (entry in ROLES)}{entry}" if entry else ""
    if who.startswith("for ") and one.label.startswith("for "):
        return f"({entry}) {one.label}"
    return " ".join(filter(None, [who, one.label]))


def _short(one: Compared) -> str:
    whose = _whose(one).removeprefix("at ").removeprefix("for ").removeprefix("of ")
    return one.estimate.text + f" ({whose})" * bool(whose)


def _relation(one: Compared, test: Mapping[str, Any]) -> str:
    """Return how a number stands to its reference, and by how much to that of another row."""
    other = one.reference.text.replace("_", " ")
    if not np.isfinite(one.difference):
        if "equals" in test:
            return "" if one.is_met else f"not {with_article(other)}"
        return f"beside {other}"
    size = max(abs(one.estimate.mean), abs(one.reference.mean))
    if abs(one.difference) <= VISIBLE * size:
        return f"equal to {one.beside or other}" if _is_quantity(one) else f"as {one.beside}"
    if not one.beside:
        return f"{'above' if one.difference > 0 else 'below'} {other}"
    by = f"by {difference_in_words(one.estimate, one.reference)}"
    than = f"{one.beside}, {other}" if _is_quantity(one) else f"{other} {one.beside}"
    return f"{'higher' if one.difference > 0 else 'lower'} {by} than {than}"


def _is_quantity(one: Compared) -> bool:
    """Return whether the reference is a number or a quantity, not another row."""
    return not one.beside or one.beside.startswith("the ")


def _doubt(one: Compared) -> str:
    """Return why a comparison is not decided; empty if it is."""
    if one.is_met is not None:
        return ""
    if not np.isfinite(one.difference):
        return ", which cannot be compared"
    if one.margin == 0.0:
        return ", of a list that may lack some"
    if np.isnan(one.margin):
        return " in a single run, whose noise is unknown"
    return ", which is not significant" if one.beside else ", within its 95 % interval"


def _condition(test: Mapping[str, Any], each: Sequence[Compared]) -> str:
    """Return the condition of a test in words."""
    key = next(key for key in ("above", "below", "equals") if key in test)
    beside = list(dict.fromkeys(one.beside for one in each))
    if beside == [""]:
        return f"{ {'equals': 'equal to'}.get(key, key) } {each[0].reference.text}"
    way = {"above": "higher than", "below": "lower than", "equals": "equal to"}[key]
    return (
        f"{way} {beside[0] if _is_quantity(each[0]) else f'that {beside[0]}'}"
        if len(beside) == 1
        else f"{way} the reference"
    )

"""Sentences on random tables and random runs are true, by a checker of its own that reads them.

The checker knows the documented rules and the numbers, and no function that makes sentences: it reads each
sentence part by part, refuses words that it does not know, and decides every part from the numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rivalry.core.results import Record, collect
from rivalry.lab.answer import Answer
from rivalry.lab.executor import run_study
from rivalry.lab.study import load_study

NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
VALUE = rf"({NUMBER}(?: ± {NUMBER})?)( \(not an equilibrium\))?"
PLACE = rf"(?: at ({NUMBER}))?"  # of the key with which the sentence begins
MOVES = "(rises|falls)((?: on the whole)?)"
STAYS = "(, and stays there)?"
LEFT_OUT = re.compile("Leaving out points that are not equilibria(, except in cases that have no others)?, ")
SINGLE = "; with one run each, differences may be noise"
METHODS = ("one", "two", "three")
NAMES = r"(?: for (?:(?:, and |, | and )?(?:one|two|three))+)?"


@dataclass(frozen=True)
class Number:
    """A number at one point, as the checker knows it; the half-width is NaN where the noise is unknown."""

    at: float
    mean: float
    half: float
    refuted: bool

    @classmethod
    def of(cls, at: float, draws: Sequence[float], drawn: bool, refuted: bool) -> Number:
        values = np.asarray(draws, dtype=float)
        half = math.nan if drawn else 0.0
        if len(values) > 1:
            half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)) if np.ptp(values) else 0.0
        return cls(at, float(values.mean()), half, refuted)

    def moves_to(self, other: Number) -> int:
        """Return 1 or -1 where the 95 % interval of the difference excludes 0, else 0."""
        gap = other.mean - self.mean
        margin = math.sqrt(self.half**2 + other.half**2)
        visible = abs(gap) > 5e-5 * max(abs(self.mean), abs(other.mean))
        return int(np.sign(gap)) if visible and abs(gap) > margin else 0


def is_printed(text: str, value: float) -> bool:
    """Return whether a printed number is a value, to the digits that it has."""
    number, interval, _ = text.partition(" ± ")
    digits = len(number.partition(".")[2])
    return math.isclose(
        float(number), value, rel_tol=6e-4, abs_tol=0.51 * 10.0**-digits if interval else 1e-12
    )


class Reader:
    """Reads a sentence from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text

    def take(self, pattern: str) -> re.Match[str] | None:
        found = re.match(pattern, self.text)
        if found:
            self.text = self.text[found.end() :]
        return found

    def need(self, pattern: str) -> re.Match[str]:
        found = self.take(pattern)
        assert found, f"{pattern!r} is not at the beginning of {self.text!r}"
        return found


def check_value(text: str, refuted: str | None, number: Number, mixed: bool) -> None:
    assert is_printed(text, number.mean), (text, number)
    assert bool(refuted) == (mixed and number.refuted), (text, refuted, number)


def at(series: Sequence[Number], place: str | None, end: int) -> Number:
    return series[end] if place is None else min(series, key=lambda one: abs(one.at - float(place)))


def check_course(reader: Reader, series: Sequence[Number], mixed: bool) -> None:
    """Read how a number moves, and decide each part from the numbers."""
    plateau = reader.take(rf"stays at {VALUE} up to ({NUMBER}), then ")
    if not plateau and (found := reader.take(rf"stays at {VALUE}")):
        for one in series:
            assert is_printed(found[1], one.mean)
        assert not any(one.moves_to(other) for one, other in combinations(series, 2))
        return
    if found := reader.take(rf"does not change significantly \({VALUE} and {VALUE}\)"):
        check_value(found[1], found[2], series[0], mixed)
        check_value(found[3], found[4], series[1], mixed)
        assert len(series) == 2
        assert series[0].moves_to(series[1]) == 0
        return
    spread = rf"estimates between ({NUMBER}) and ({NUMBER}), half-widths ({NUMBER}) to ({NUMBER})"
    if found := reader.take(rf"does not change significantly \({spread}\)"):
        means, halves = ([getattr(one, name) for one in series] for name in ("mean", "half"))
        expected = (min(means), max(means), min(halves), max(halves))
        for text, value in zip(found.groups(), expected, strict=True):
            assert is_printed(f"{text} ± 0", value), (text, value)
        assert not any(one.moves_to(other) for one, other in combinations(series, 2))
        return
    either = rf"(?:stays between|does not change significantly \(between) {VALUE} and {VALUE}"
    if found := reader.take(either):
        is_exact = not any(one.half > 0 for one in series)
        assert is_exact == found[0].startswith("stays")
        assert is_exact or reader.take(r"\)")
        check_value(found[1], found[2], min(series, key=lambda one: one.mean), mixed)
        check_value(found[3], found[4], max(series, key=lambda one: one.mean), mixed)
        assert not any(one.moves_to(other) for one, other in combinations(series, 2))
        return
    if found := reader.take(rf"varies between {VALUE} \(at ({NUMBER})\) and {VALUE} \(at ({NUMBER})\)"):
        for text, refuted, place, pick in ((*found.group(1, 2, 3), min), (*found.group(4, 5, 6), max)):
            number = at(series, place, 0)
            assert number.mean == pick(one.mean for one in series)
            check_value(text, refuted, number, mixed)
        assert any(one.moves_to(other) for one, other in combinations(series, 2))
        return
    if found := reader.take(rf"goes from {VALUE} to {VALUE}"):
        assert any(math.isnan(one.half) for one in series)
        ends = (series[0], series[-1])
        check_value(found[1], found[2], ends[0], mixed)
        check_value(found[3], found[4], ends[1], mixed)
        between = reader.take(rf", between {VALUE} and {VALUE} on the way")
        for pick, group in ((min, 1), (max, 3)):
            number = pick(series, key=lambda one: one.mean)
            if between:
                check_value(between[group], between[group + 1], number, mixed)
            else:
                assert any(is_printed(f"{number.mean:.4g}", one.mean) for one in ends)
        return
    if plateau:
        start = at(series, plateau[3], 0)
        check_value(plateau[1], plateau[2], start, mixed)
        check_still([one for one in series if one.at <= start.at], plateau[1])
        found = reader.need(rf"{MOVES} to {VALUE}{PLACE}{STAYS}")
        way, dips, (text, refuted, place, stays) = found[1], found[2], found.group(3, 4, 5, 6)
    else:
        found = reader.need(rf"{MOVES} from {VALUE}{PLACE} to {VALUE}{PLACE}{STAYS}")
        way, dips, start = found[1], found[2], at(series, found[5], 0)
        text, refuted, place, stays = found.group(6, 7, 8, 9)
        check_value(found[3], found[4], start, mixed)
    while True:
        end = at(series, place, -1)
        check_value(text, refuted, end, mixed)
        check_stretch(series, start, end, way, bool(dips))
        if stays:
            check_still([one for one in series if one.at >= end.at], text)
        if stays or not (found := reader.take(rf", then {MOVES} to {VALUE}{PLACE}{STAYS}")):
            return
        assert found[1] != way
        way, dips, start = found[1], found[2], end
        text, refuted, place, stays = found.group(3, 4, 5, 6)


def check_still(series: Sequence[Number], text: str) -> None:
    """Decide whether all numbers of a stretch are the printed one, of two or more."""
    assert len(series) > 1
    assert all(is_printed(text, one.mean) for one in series)
    assert not any(one.moves_to(other) for one, other in combinations(series, 2))


def check_stretch(series: Sequence[Number], start: Number, end: Number, way: str, dips: bool) -> None:
    sign = 1 if way == "rises" else -1
    assert start.at < end.at
    assert start.moves_to(end) == sign
    own = [one for one in series if start.at <= one.at <= end.at]
    assert all(one.moves_to(other) != -sign for one, other in combinations(own, 2))
    steps = [sign * (after.mean - before.mean) for before, after in pairwise(own)]
    assert dips == (min(steps) < 0.0 and any(one.half > 0.0 for one in series))


def check_sweep(text: str, cases: Mapping[str, Sequence[Number]], mixed: bool) -> None:
    """Decide a sentence on a quantity along the reach, in one case or several."""
    refuted = {label for label, series in cases.items() if mixed and all(one.refuted for one in series)}
    cases = {label: series for label, series in cases.items() if label not in refuted}
    moving = {label: series for label, series in cases.items() if len(series) > 1}
    single = any(
        math.isnan(one.half)
        for series in moving.values()
        for one in series
        if len({o.mean for o in series}) > 1
    )
    if single:
        assert text.endswith(f"{SINGLE}."), text
        text = text.removesuffix(f"{SINGLE}.") + "."
    if refuted:
        end = re.search(r"; for ([a-z ,]+) no point is an equilibrium\.$", text)
        assert end, text
        assert set(re.split(r", and |, | and ", end[1])) == refuted
        text = f"{text[: end.start()]}."
    reader = Reader(text)
    found = reader.need(rf"As the reach rises from ({NUMBER}) to ({NUMBER}), the turnout ")
    places = [one.at for series in moving.values() for one in series]
    assert (float(found[1]), float(found[2])) == (min(places), max(places))
    if list(cases) == [""]:
        check_course(reader, cases[""], mixed)
        if found := reader.take(rf"; none was found at ({NUMBER}(?:(?:, and |, | and ){NUMBER})*)"):
            beyond = [float(number) for number in re.findall(NUMBER, found[1])]
            assert not any(min(places) <= x <= max(places) for x in beyond)
        reader.need(r"\.$")
        return
    if re.search(r"(?:for every [a-z ,]+ \(|of )\d+ cases", reader.text):
        check_summary(reader, moving, mixed)
        return
    if check_directions(reader.text, moving):
        return
    if verb := re.match(r"(\w+) from ", reader.text):  # said once
        reader.text = re.sub(
            r"( for [a-z ]+?(?:[,;] and|[,;]| and)) from ", rf"\1 {verb[1]} from ", reader.text
        )
    told = set()
    while not reader.take(r"\.$"):
        reader.take(r"(?:[;,]? )?(?:and )?")
        before = reader.text
        label = re.search(r" for ([a-z ]+?)(?=[,;.]| and (?:rises|falls|stays|varies|goes) |$)", before)
        assert label, before
        names = label[1].split(" and ")
        check_course(reader, cases[names[0]], mixed)
        reader.need(re.escape(label[0]))
        told |= set(names)
        for name in names[1:]:
            assert [(one.at, one.mean) for one in cases[name]] == [(o.at, o.mean) for o in cases[names[0]]]
        reader.take(r" ?(?=; it is)")
        if reader.take(r"; it is "):
            break
    assert told <= set(cases)


def check_directions(text: str, cases: Mapping[str, Sequence[Number]]) -> bool:
    """Decide in which of three different cases a number rises or falls, and between which values."""
    kind, names = "(?:rises and falls|rises|falls|does not change(?: significantly)?)", "(?:one|two|three)"
    clause = rf"({kind}) for ({names}(?:(?:, and |, | and ){names})*)"
    found = re.match(
        rf"{clause}(?:(?:, and |, | and ){clause})*, between ({NUMBER})[^,.]* and ({NUMBER})", text
    )
    if not found:
        return False
    told = {name: verb for verb, group in re.findall(clause, text) for name in re.findall(names, group)}
    assert told == {name: kind_of(series) for name, series in cases.items()}
    means = [one.mean for series in cases.values() for one in series]
    assert is_printed(found[5], min(means))
    assert is_printed(found[6], max(means))
    return True


def check_summary(reader: Reader, cases: Mapping[str, Sequence[Number]], mixed: bool) -> None:
    kinds: dict[str, int] = {}
    for series in cases.values():
        kind = kind_of(series)
        kinds[kind] = kinds.get(kind, 0) + 1
    if found := reader.take(r"([a-z ]+) for every [a-z ,]+ \((\d+) cases\)"):
        assert kinds == {found[1]: int(found[2])}
    else:
        found = reader.need(r"(.*?) of (\d+) cases")
        said = dict(re.findall(r"(?:^|, and |, | and )([a-z ]+?) in (\d+)", found[1]))
        assert {name: int(n) for name, n in said.items()} == kinds, (found[0], kinds)
        assert int(found[2]) == len(cases)
    found = reader.need(rf"; its values lie between ({NUMBER}.*?) \(reach ({NUMBER}), (.*?)\) and ")
    every = [one for series in cases.values() for one in series]
    assert is_printed(found[1], min(one.mean for one in every))
    other = reader.need(rf"({NUMBER}.*?) \(reach ({NUMBER}), (.*?)\)\.")
    assert is_printed(other[1], max(one.mean for one in every))
    for each in (found, other):
        own = min(cases[each[3]], key=lambda one: abs(one.at - float(each[2])))
        assert is_printed(each[1], own.mean)


def kind_of(series: Sequence[Number]) -> str:
    """Return the direction of a series by comparing all pairs."""
    if any(math.isnan(one.half) for one in series):
        return "has one value per setting"
    ways = {one.moves_to(other) for one, other in combinations(series, 2)} - {0}
    if not ways:
        return "does not change" + " significantly" * any(one.half > 0 for one in series)
    return {1: "rises", -1: "falls"}[ways.pop()] if len(ways) == 1 else "rises and falls"


def check_order(text: str, cases: Mapping[str, Number], mixed: bool) -> None:
    """Decide a sentence on cases, and between which no difference is significant."""
    if text.startswith("The turnout is highest for"):
        check_winner(text, cases)
        return
    unknown = any(math.isnan(one.half) for one in cases.values())
    reader = Reader(text)
    reader.need("The turnout is ")
    listed: list[tuple[str, Number]] = []
    while found := reader.take(
        rf"(?:, and |; and | and |, |; )?{VALUE} for ((?:one|two|three)(?: and (?:one|two|three))*)"
    ):
        for name in found[3].split(" and "):
            check_value(found[1], found[2], cases[name], mixed)
            listed.append((name, cases[name]))
    assert {name for name, _ in listed} == set(cases)
    same = {
        frozenset((a, b))
        for (a, one), (b, other) in combinations(listed, 2)
        if not one.moves_to(other) and (one.half, other.half) != (0.0, 0.0)
    }
    distinct = {
        name for k, (name, one) in enumerate(listed) if str(one) not in map(str, dict(listed[:k]).values())
    }
    same = {pair for pair in same if pair <= distinct}
    if reader.take(re.escape(SINGLE)):
        assert unknown
    elif found := reader.take(r"; only ([a-z ]+) differ significantly"):
        assert same == {frozenset(pair) for pair in combinations(distinct, 2)} - {
            frozenset(found[1].split(" and "))
        }
    elif found := reader.take(r"; ([a-z, ]+) do not differ significantly"):
        groups = found[1].split("; and ")
        said = {
            frozenset(pair)
            for group in groups
            for pair in combinations(
                [name for name in re.findall(r"one|two|three", group) if name in distinct], 2
            )
        }
        assert said == same, (said, same)
    elif found := reader.take(r"; (\d+) of (\d+) differences are not significant"):
        assert (int(found[1]), int(found[2])) == (len(same), math.comb(len(distinct), 2))
    elif reader.take("; the difference is not significant") or reader.take(
        "; the differences are not significant"
    ):
        assert len(same) == math.comb(len(distinct), 2) > 0
    else:
        assert not same or unknown, text
    reader.need(r"\.$")


def check_winner(text: str, cases: Mapping[str, Number]) -> None:
    """Decide which case is called highest, by how much, and which are said to be not significantly lower."""
    names = r"((?:one|two|three)(?:(?:, and |, | and )(?:one|two|three))*)"
    reader = Reader(text)
    found = reader.need(rf"The turnout is highest for {names}, {VALUE}")
    best = [cases[name] for name in re.findall("one|two|three", found[1])]
    assert all(is_printed(found[2], one.mean) for one in best)
    assert best[0].mean >= max(one.mean for one in cases.values())
    near = []
    if reader.take(", but not significantly higher than "):
        while each := reader.take(rf"(?:, and |; and | and |, |; )?{VALUE} for {names}"):
            near += [cases[name] for name in re.findall("one|two|three", each[3])]
        assert near
        assert not any(one.moves_to(best[0]) for one in near)
    elif each := reader.take(rf", against {VALUE} for {names} \(({NUMBER}(?: ± {NUMBER})?) more\)"):
        (second, *_) = [cases[name] for name in re.findall("one|two|three", each[3])]
        assert second.moves_to(best[0]) == 1
        assert is_printed(each[4], best[0].mean - second.mean)
    rest = [one for one in cases.values() if one not in near and str(one) not in map(str, best)]
    assert all(one.moves_to(best[0]) == 1 for one in rest)


def table(
    values: Sequence[Sequence[Sequence[float]]], refuted: Sequence[Sequence[bool]], reaches: Sequence[float]
) -> Any:
    """Return a dataset of turnouts ``[method reach replication]``; NaN: the cell has no such number."""
    rows: list[tuple[dict[str, Any], Record]] = []
    for method, (of_method, wrong) in zip(METHODS, zip(values, refuted, strict=True), strict=False):
        for reach, (draws, no) in zip(reaches, zip(of_method, wrong, strict=True), strict=True):
            for k, value in enumerate(draws):
                claim = "not an equilibrium" if no else "equilibrium"
                record: Record = {
                    "status": ((), np.asarray("converged")),
                    "claim": ((), np.asarray(claim)),
                    "coverage": ((), np.asarray("exact")),
                    "regret": (("player",), np.array([0.0, 0.3 if no else 0.0])),
                    "bound": (("player",), np.array([1e-9, 0.3 if no else 1e-9])),
                    "tolerance": (("player",), np.array([1e-6, 1e-6])),
                }
                if not math.isnan(value):
                    record["turnout"] = ((), np.asarray(value))
                rows.append(({"reach": reach, "algorithm": method, "replication": k}, record))
    many = len(values[0][0])
    axes = {
        "reach": list(reaches),
        "algorithm": list(METHODS[: len(values)]),
        "replication": list(range(many)),
    }
    return collect(rows, axes)


def study(count: int, drawn: bool, asks: str = "what") -> dict[str, Any]:
    kind = "repeated_q_learning" if drawn else "best_response"
    methods = [{"name": name, "kind": kind, "negative_controls": False} for name in METHODS[:count]]
    answer = {"quantities": ["turnout"], "asks": asks}
    return {"game": {"family": "none"}, "method": methods, "expect": [], "plots": [], "answer": answer}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[list[float]]], list[list[bool]], list[float], bool]:
    count, places = draw(st.integers(1, 3)), draw(st.sampled_from([1, 2, 3, 4, 6]))
    many = draw(st.sampled_from([1, 1, 3]))
    shape = draw(st.sampled_from(["any", "rising", "falling", "flat", "tied"]))
    noise = draw(st.sampled_from([0, 1, 4])) if many > 1 else 0
    found = []
    for _ in range(count):
        means = draw(st.lists(st.integers(-6, 30), min_size=places, max_size=places))
        if shape in ("rising", "falling"):
            means.sort(reverse=shape == "falling")
        if shape in ("flat", "tied"):
            means = [means[0] if shape == "flat" or k % 2 else m for k, m in enumerate(means)]
        holes = draw(st.lists(st.booleans(), min_size=places, max_size=places))
        rows = []
        for mean, hole in zip(means, holes, strict=True):
            off = draw(st.lists(st.integers(-noise, noise), min_size=many, max_size=many))
            rows.append([math.nan if hole and places > 3 else mean + o / 4 for o in off])
        found.append(rows)
    if shape == "tied" and count > 1:
        found[1] = found[0]
    wrong = draw(st.lists(st.booleans(), min_size=count * places, max_size=count * places))
    refuted = [wrong[k * places : (k + 1) * places] for k in range(count)]
    return found, refuted, [round(0.1 * (k + 1), 1) for k in range(places)], draw(st.booleans())


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(tables(), st.sampled_from(["what", "which"]))
def test_sentences_on_random_tables_are_true(
    made: tuple[list[list[list[float]]], list[list[bool]], list[float], bool], asks: str
) -> None:
    values, refuted, reaches, drawn = made
    answer = Answer(study(len(values), drawn, asks), table(values, refuted, reaches))
    told = [one.text for one in answer.sentences if "turnout" in one.text]
    known = {
        name: [
            Number.of(x, draws, drawn, no and not drawn)  # play of learners is what it is
            for x, draws, no in zip(reaches, row, wrong, strict=True)
            if not math.isnan(draws[0])
        ]
        for name, row, wrong in zip(METHODS, values, refuted, strict=False)
    }
    known = {name: series for name, series in known.items() if series}
    mixed = len({one.refuted for series in known.values() for one in series}) > 1
    for text in told:
        check_turnout(text, known, mixed)
    claims = np.repeat(np.ravel(refuted), len(values[0][0]))
    gains = np.where(claims, 0.3, 0.0)[:, None] * [0.0, 1.0]
    named = np.where(claims, "not an equilibrium", "equilibrium")
    where = {
        name: dict(zip(reaches, wrong, strict=True)) for name, wrong in zip(METHODS, refuted, strict=False)
    }
    check_claims(answer.sentences[-1].text, named, gains, np.maximum(gains, 1e-9), where)


def check_turnout(text: str, known: Mapping[str, Sequence[Number]], mixed: bool) -> None:
    if start := LEFT_OUT.match(text):
        assert any(len({one.refuted for one in series}) > 1 for series in known.values())
        assert bool(start[1]) == ("(not an equilibrium)" in text)
        text = text[start.end() :]
        text = text[0].upper() + text[1:]
    elif " at every reach" in text:  # of all points, equilibria or not
        known = {name: [replace(one, refuted=False) for one in series] for name, series in known.items()}
    else:  # values beside each other along the reach are all of one kind
        assert len({one.at for series in known.values() for one in series}) == 1 or all(
            len({one.refuted for one in series}) == 1 for series in known.values()
        )
    left = {name: [one for one in series if not one.refuted] or series for name, series in known.items()}
    known = {name: list(series) for name, series in left.items()}
    mixed = len({one.refuted for series in known.values() for one in series}) > 1
    each = rf"(?:; and | and |, and |, |; )?{VALUE} at reach {NUMBER} for \w+"
    if re.fullmatch(rf"The turnout is (?:{each})+\.", text):
        told = re.findall(rf"{VALUE} at reach ({NUMBER}) for (\w+)", text)
        assert {name for *_, name in told} == set(known)
        for value, refuted, place, name in told:
            (only,) = known[name]
            assert only.at == float(place)
            check_value(value, refuted, only, mixed)
        return
    flat = " at every reach" in text or (" at reach" in text and not text.startswith("As"))
    if text.startswith("As the reach"):
        several = len(known) > 1 and " for " in text
        check_sweep(text, known if several else {"": next(iter(known.values()))}, mixed)
        if not several:  # one case, or methods whose numbers are the same
            rows = [
                [(one.at, one.mean, one.half, mixed and one.refuted) for one in s] for s in known.values()
            ]
            assert all(str(row) == str(rows[0]) for row in rows)
        return
    if flat:
        for series in known.values():
            assert not any(one.moves_to(other) for one, other in combinations(series, 2))
        text = text.replace(" at every reach", "")
        text = re.sub(rf" at reach {NUMBER}", "", text)
        mixed = mixed and "not an equilibrium" in text
    if found := re.fullmatch(rf"The turnout is {VALUE}{NAMES}\.", text):
        assert all(is_printed(found[1], one.mean) for series in known.values() for one in series)
        return
    firsts = {name: series[0] for name, series in known.items()}
    check_order(text, firsts, mixed)


def check_where(text: str, where: Mapping[str, Mapping[float, bool]]) -> None:
    """Decide at which reaches of which methods a result is said to be no equilibrium."""
    told: dict[tuple[str, float], bool] = {}
    for clause in re.split("; (?=for )", text.partition("; no gain")[0]):
        label = re.match(r"[Ff]or ((?:one|two|three)(?:(?:, and |, | and )(?:one|two|three))*)", clause)
        for name in re.findall("one|two|three", label[1]) if label else [*where]:
            reaches = list(where[name])
            if " every reach" in clause or " any reach" in clause:
                told |= {(name, x): "no equilibrium" in clause for x in reaches}
                continue
            places = rf"[Aa]t (?:all (\d+) points from )?(?:reach )?({NUMBER})(?: (to|and) ({NUMBER}))? "
            for count, start, way, end, words in re.findall(rf"{places}(.*?)(?=,? (?:and )?at |$)", clause):
                stretch = [x for x in reaches if float(start) <= x <= float(end or start)]
                assert len(stretch) == (int(count) if count else 1 + (way == "and"))
                assert not told.keys() & {(name, x) for x in stretch}
                told |= {(name, x): "could gain" in words for x in stretch}
    assert told == {(name, x): wrong for name, row in where.items() for x, wrong in row.items()}, told


def check_claims(
    text: str,
    claims: np.ndarray,
    regret: np.ndarray,
    bound: np.ndarray,
    where: Mapping[str, Mapping[float, bool]],
) -> None:
    """Decide the sentence on claims ``[cell]`` from regrets and bounds ``[cell player]``."""
    is_course = re.search(r"\bat (all \d+ points from |every |any )?reach", text.lower())
    said = {
        claim: int(count)
        for count, claim in re.findall(
            r"(\d+) of the \d+ [\w ]+? (?:is an|are|ends in an|end in an) (approximate equilibri|equilibri)",
            text,
        )
    }
    if found := re.search(r"in (?:the other ?(\d*)|(\d+) of the \d+ [\w ]+?) .*could", text.lower()):
        said["not an equilibrium"] = int(found[1] or found[2] or 1)
    by_name = re.match(r"(?:with )?(?:one|two|three)\b", text.lower())
    if named := bool(by_name) and not is_course:  # results of methods by their names
        kinds = {"equilibri": "equilibri", "could gain": "not an equilibrium"}
        for part in text.partition("; no gain")[0].lower().split("; "):
            (kind,) = (own for words, own in kinds.items() if words in part)
            said[kind] = len(re.findall(r"\b(?:one|two|three)\b", part))
    totals = set(re.findall(r"\d+ of the (\d+) ", text))
    wrong = claims == "not an equilibrium"
    if len(set(claims)) == 1:
        start = {
            "equilibrium": "(All|Both|The (learned )?profile is an)",
            "not an equilibrium": "(None|Neither|The (learned )?profile is not)",
        }[str(claims[0])]
        assert re.match(start, text)
        assert not totals
    elif is_course:
        assert not totals
        check_where(text, where)
    else:
        assert totals == (set() if named else {str(len(claims))})
        assert said == {name: int(np.sum(np.char.startswith(claims, name))) for name in said}
        assert sum(said.values()) == len(claims)
    if wrong.any():
        found = re.findall(rf"(?:could gain|up to|at most) ({NUMBER})", text)
        assert any(is_printed(gain, float(regret[wrong].max())) for gain in found), text
        above = re.search(rf"(?:no gain exceeds|proved: at most) ({NUMBER})", text)
        is_larger = f"{bound[wrong].max():.4g}" != f"{regret[wrong].max():.4g}"
        assert bool(above) == (bool(np.isfinite(bound[wrong]).all()) and is_larger)
        assert not above or float(above[1]) >= bound[wrong].max()
    else:
        found = re.search(rf"no player can gain more than ({NUMBER})", text)
        assert not found or float(found[1]) >= bound.max()


TRUE = {"one": [Number(0.1, 1.0, 0.0, False), Number(0.2, 2.0, 0.0, False), Number(0.3, 1.5, 0.0, False)]}


@pytest.mark.parametrize(
    ("words", "true"),
    [
        ("rises from 1 to 2 at 0.2, then falls to 1.5", True),
        ("rises from 1 to 2 at 0.2, then falls to 1", False),
        ("rises from 1 to 1.5", False),
        ("falls from 2 at 0.2 to 1.5", True),
        ("stays between 1 and 2", False),
        ("does not change significantly (1 and 2)", False),
        ("does not change significantly (between 1 and 2)", False),
        ("does not change significantly (estimates between 1 and 2, half-widths 0 to 0)", False),
        ("stays at 1", False),
        ("varies between 1 (at 0.1) and 2 (at 0.2)", True),
        ("varies between 1 (at 0.1) and 2 (at 0.3)", False),
        ("rises from 1 to 2 (not an equilibrium) at 0.2, then falls to 1.5", False),
        ("rises on the whole from 1 to 2 at 0.2, then falls to 1.5", False),
    ],
)
def test_the_checker_refuses_what_is_false(words: str, true: bool) -> None:
    text = f"As the reach rises from 0.1 to 0.3, the turnout {words}."
    if true:
        check_turnout(text, TRUE, mixed=False)
    else:
        with pytest.raises(AssertionError):
            check_turnout(text, TRUE, mixed=False)


STUDY = """
title = "Duopolies"
question = "How does output move?"
[answer]
quantities = ["total_quantity"]
words = {{ total_quantity = "turnout", "unit_cost[1]" = "reach" }}
[game]
family = "market"
intercept = {intercept}
unit_cost = [10.0, 10.0]
[[method]]
name = "one"
kind = "best_response"
[[method]]
name = "two"
kind = "best_response"
start = [[5.0], [{start}]]
max_steps = {steps}
[sweep]
"game.unit_cost[1]" = {costs}
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_sentences_on_random_runs_are_true(seed: int, tmp_path: Path) -> None:
    draw = np.random.default_rng(seed)
    costs = sorted(draw.uniform(5.0, 70.0, 3).round(2).tolist())
    text = STUDY.format(
        intercept=float(draw.integers(60, 140)), start=draw.uniform(1, 60), steps=seed % 3, costs=costs
    )
    path = tmp_path / "duopolies.toml"
    path.write_text(text.replace("max_steps = 0", "max_steps = 1"), encoding="utf-8")
    run = run_study(load_study(path), tmp_path / "run")
    data = run.collect().data.squeeze("replication").transpose("unit_cost[1]", "algorithm", ...)
    wrong = data["claim"].values == "not an equilibrium"
    known = {
        name: [
            Number(x, float(data["total_quantity"].values[i, k]), 0.0, bool(wrong[i, k]))
            for i, x in enumerate(costs)
        ]
        for k, name in enumerate(("one", "two"))
    }
    told = [one.text for one in run.answer.sentences]
    assert len(told) == 2
    check_turnout(told[0], known, mixed=wrong.any() and not wrong.all())
    players = data.sizes["player"]
    check_claims(
        told[1],
        data["claim"].values.ravel(),
        data["regret"].values.reshape(-1, players),
        data["bound"].values.reshape(-1, players),
        {name: {one.at: one.refuted for one in series} for name, series in known.items()},
    )

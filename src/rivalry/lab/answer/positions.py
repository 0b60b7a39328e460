"""Sentences on strategies: which players choose the same, and where along a key."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.lab.answer.cases import (
    LEFT_OUT,
    Sentence,
    basis_of,
    cases_along,
    points_asked,
)
from rivalry.lab.answer.courses import STRETCHES, Value, course
from rivalry.lab.answer.grammar import capitalised, count_of, joined, lowered, plural, text_if
from rivalry.lab.answer.points import NOT_AN_EQUILIBRIUM, PointResults, ResultPoints
from rivalry.lab.study.identity import StudyTables
from rivalry.lab.study.words import Words
from rivalry.results.table import Estimate, number_in_words

PROFILE = 150  # characters of the longest profile that a sentence tells
CYCLES = "play cycles"
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def fails(point: PointResults) -> bool:
    """True for a profile that is no equilibrium of the concept that it is computed for."""
    return NOT_AN_EQUILIBRIUM in point.claims and not point.other_concept


def position_sentences(study: StudyTables, results: ResultPoints) -> list[Sentence]:
    """Sentence on strategies of players: their groups on a line, per case and along a sweep."""
    words, points = Words(study), points_asked(study, results)
    short_points = [point for point in points if not point.counts_text and _is_short(point)]
    key, cases = cases_along(study, short_points, words)
    if not cases or (not key and len(cases) > STRETCHES):
        return []
    if not key or len(cases) <= 2:
        texts = []
        for label, case in cases.items():
            text = _stretches(case, key, words) if key else describe_profile(case[0])
            texts.append(text_if(label, f"for {label}, ") + text)
        return [Sentence(f"{capitalised('; '.join(texts))}.", basis_of(points))]
    ends = []
    for pick in (min, max):
        x = pick(point.at[key] for point in short_points)
        counts = {len(_groups(point)) for point in short_points if point.at[key] == x} - {0}
        if counts:
            low, high = min(counts), max(counts)
            positions = (
                f"{low} to {high} different positions" if low < high else count_of(low, "different position")
            )
            ends.append(f"at {words.place({key: x})} players take {positions}")
    text = f"{capitalised('; '.join(ends))}, over {len(cases)} cases."
    return [Sentence(text, basis_of(points))] if ends else []


def _is_short(point: PointResults) -> bool:
    """True for groups on a line, and for a profile that a sentence has the space for."""
    return bool(_groups(point)) or 0 < len(point.profile_words) < PROFILE


def _stretches(case: ResultPoints, key: str, words: Words) -> str:
    """Groups along a key, with the stretches on which they are the same."""
    if symmetric := _symmetric(case, key):
        ends = f"from {words.value(symmetric[0].at)} to {words.value(symmetric[-1].at)}"
        start = text_if(len(symmetric) < len(case), f"{lowered(LEFT_OUT)}, ")
        strategy = f"every player's strategy {course(symmetric, key, words)}"
        verb = "rises" if symmetric[0].at <= symmetric[-1].at else "falls"
        return f"{start}as the {words.key(key)} {verb} {ends}, {strategy}"
    texts, counts = [], list[int]()
    for sizes, stretch in groupby(case, key=_kind):
        points = list(stretch)
        counts.append(len(points))
        first, last = points[0].at[key], points[-1].at[key]
        if len(points) == 1:
            texts.append(f"at {words.place({key: first})}, {describe_profile(points[0])}")
        else:
            ends = f"from {words.place({key: first})} to {words.value(last)}"
            texts.append(f"{ends}, {_on_stretch(points, sizes, key, words)}")
    if len(texts) > STRETCHES:
        longest = max(range(1, len(texts) - 1), key=lambda k: counts[k])
        changes = f"in all the groups change {len(texts) - 1} times"
        texts = [texts[0], texts[longest], texts[-1], changes]
    return "; ".join(texts)


def _on_stretch(points: ResultPoints, sizes: Sequence[str], key: str, words: Words) -> str:
    """Clause on several points along a key whose groups have the same sizes."""
    first, last, refuted = points[0], points[-1], sum(map(fails, points))
    of = "all" if refuted == len(points) else f"{refuted} of {len(points)} points"
    marks = text_if(refuted, f" ({of} not equilibria)")
    groups = _groups(first)
    if not groups or sizes == [CYCLES]:
        return f"{describe_profile(first, with_caveats=False)}{marks}"
    positions = [format_positions(_placed(point)) for point in points]
    where = text_if(len(set(positions)) > 1, f" for {words.place({key: last.at[key]})}")
    place = f", at {positions[-1]}{where}{marks}"
    if len(sizes) == 1:
        return ("all players are together" if words.is_spatial else "all choices are equal") + place
    if all(len(group) == 1 for group in groups):
        return ("all players are apart" if words.is_spatial else "all choices differ") + place
    return f"there are groups of {joined(sizes)}{place}"


def _symmetric(case: ResultPoints, key: str) -> list[Value]:
    """Strategy that all players share at every point, where it moves; else nothing.

    Of points that are equilibria and others, these are left out.
    """
    groups = list(map(_groups, case))
    has_cycles = any(_kind(point) == [CYCLES] for point in case)
    if len(case) < 2 or has_cycles or any(len(group) != 1 for group in groups):
        return []
    series = []
    for point, (group,) in zip(case, groups, strict=True):
        mean, text = float(group.mean()), number_in_words(float(group.mean()))
        noise = np.nan if point.random else mean
        refuted = fails(point)
        series.append(Value(point.at[key], Estimate(text, mean, noise, noise), refuted))
    series = [value for value in series if not value.refuted] or series
    return series if len({value.estimate.text for value in series}) > 1 else []


def _kind(point: PointResults) -> list[str]:
    """Common form of profiles of one stretch: the sizes of the groups, or all numbers."""
    if set(point.statuses) == {"cycling"}:
        return [CYCLES]
    return [str(len(part)) for part in _groups(point)] or [point.profile_words]


def _groups(point: PointResults) -> list[ndarray]:
    """Positions of players on a line, by group; none for other profiles."""
    rows = point.profile
    if rows is None or rows.shape[2] != 1 or rows.shape[1] < 2 or len(rows) > 1 or point.actions is not None:
        return []
    values = np.sort(rows[0, :, 0])
    width = max(np.ptp(values), 1e-3)
    cuts: Any = np.flatnonzero(np.diff(values) > 1e-3 * width) + 1 if np.ptp(values) > 1e-6 else []
    return np.split(values, cuts)


def _placed(point: PointResults) -> list[ndarray]:
    """Groups, in the order of the players where all differ."""
    groups = _groups(point)
    if point.profile is not None and len(groups) == point.profile.shape[1]:
        return np.split(point.profile[0, :, 0], len(groups))
    return groups


def format_positions(groups: Sequence[ndarray]) -> str:
    """Places on a line, with how many players stand at each.

    >>> format_positions([np.array([0.3, 0.3, 0.3]), np.array([0.7, 0.7])])
    '0.3 (three) and 0.7 (two)'
    >>> format_positions([np.array([0.5, 0.5])])
    '0.5'
    """
    is_counted = len(groups) > 1 and any(len(group) > 1 for group in groups)
    places = []
    for group in groups:
        count = COUNTS[len(group)] if len(group) < len(COUNTS) else str(len(group))
        places.append(number_in_words(float(group.mean())) + text_if(is_counted, f" ({count})"))
    return joined(places)


def describe_profile(point: PointResults, *, with_caveats: bool = True) -> str:
    """Strategies of a point, with what must stand beside them."""
    is_marked = with_caveats and fails(point)
    return _profile_clause(point) + text_if(is_marked, f" ({NOT_AN_EQUILIBRIUM})")


def _profile_clause(point: PointResults) -> str:
    """Strategies of a point: on a line, by the names of actions or choices, or as numbers."""
    groups, words = _groups(point), point.words
    if _kind(point) == [CYCLES]:
        return CYCLES
    if not groups:
        if point.actions is not None and point.profile is not None and len(point.profile) == 1:
            return point.play_in_words(point.profile[0])
        return point.choices_in_words or _numbers_clause(point)
    subject, choices = plural(words.player), plural(words.choice)
    if len(groups) == 1:
        subject = f"both {subject}" if len(groups[0]) == 2 else f"all {subject}"
        choices = f"a {words.choice}"
    verb = "choose" + text_if(words.choice, f" {choices} of")
    verb = "are at" if words.is_spatial else verb
    return f"{subject} {verb} {format_positions(_placed(point))}"


def _numbers_clause(point: PointResults) -> str:
    """Strategies of a point as numbers, or as mixtures of actions; those that all have once."""
    words, texts = point.words, point.profile_words
    is_shared, has_actions = texts.startswith("each "), point.actions is not None
    if has_actions and is_shared:
        verb = f"every {words.player} plays"
    elif has_actions:
        verb = f"{plural(words.player)} play"
    else:
        noun = words.quantity("profile") if words.is_named("profile") else words.choice or "strategy"
        verb = f"the {plural(words.player)}' {plural(noun)}{point.axes} are"
        if is_shared:
            verb = f"every {words.player}'s {noun}{point.axes} is"
    return f"{verb} {texts.removeprefix('each ')}"

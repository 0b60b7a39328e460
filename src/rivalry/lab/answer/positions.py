"""Sentences on strategies: which players choose the same, and where along a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from rivalry.lab.answer.cases import (
    LEFT_OUT,
    Row,
    Sentence,
    basis_of,
    differing_keys,
    falls,
    points_asked,
    swept_key,
)
from rivalry.lab.answer.courses import NOT_AN_EQUILIBRIUM, STRETCHES, Value, course
from rivalry.lab.answer.estimates import Estimate, number_in_words
from rivalry.lab.answer.grammar import capitalised, joined, plural
from rivalry.lab.answer.points import PointResults
from rivalry.lab.study.words import Words

PROFILE = 150  # characters of the longest profile that a sentence tells
CYCLES = "play cycles"
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def fails(one: PointResults) -> bool:
    """Return whether a profile is no equilibrium of the concept that it is computed for."""
    return NOT_AN_EQUILIBRIUM in one.claims and not one.other_concept


def position_sentences(study: Mapping[str, Any], found: Sequence[PointResults]) -> list[Sentence]:
    """Return which strategies players have: their groups on a line, per case and along a sweep."""
    words, own = Words(study), points_asked(study, found)
    known = [
        one for one in own if not one.counts_text and (_groups(one) or 0 < len(one.profile_words) < PROFILE)
    ]
    rows = [Row(one.algorithm, one.at, (), fails(one)) for one in known]
    key, several = swept_key(study, rows), len({row.method for row in rows}) > 1
    by = differing_keys(rows, key)
    cases: dict[str, list[PointResults]] = {}
    for one in known:
        place = words.place({k: one.at[k] for k in by if k in one.at})
        label = ", ".join(filter(None, [words.method(one.algorithm) if several else "", place]))
        cases.setdefault(label, []).append(one)
    if not cases:
        return []
    if not key:
        texts = [
            f"for {label}, {describe_profile(each[0])}" if label else describe_profile(each[0])
            for label, each in cases.items()
        ]
        return (
            [Sentence(f"{capitalised('; '.join(texts))}.", basis_of(own))] if len(cases) <= STRETCHES else []
        )
    for each in cases.values():
        each.sort(key=lambda one: one.at[key], reverse=falls(study, key))
    if len(cases) <= 2:
        parts = [
            f"for {label}, " * bool(label) + _stretches(each, key, words) for label, each in cases.items()
        ]
        return [Sentence(f"{capitalised('; '.join(parts))}.", basis_of(own))]
    ends = []
    for pick in (min, max):
        x = pick(one.at[key] for one in known)
        counts = sorted({len(groups) for one in known if one.at[key] == x and (groups := _groups(one))})
        if counts:
            many = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
            ends.append(
                f"at {words.place({key: x})} players take {many} different position{'s' * (many != '1')}"
            )
    return (
        [Sentence(f"{capitalised('; '.join(ends))}, over {len(cases)} cases.", basis_of(own))] if ends else []
    )


def _stretches(case: Sequence[PointResults], key: str, words: Words) -> str:
    """Return the groups along a key, with the stretches on which they are the same."""
    if same := _symmetric(case, key):
        ends = f"from {words.value(same[0].at)} to {words.value(same[-1].at)}"
        start = f"{LEFT_OUT[0].lower()}{LEFT_OUT[1:]}, " * (len(same) < len(case))
        strategy = f"every player's strategy {course(same, key, words)}"
        verb = "rises" if same[0].at <= same[-1].at else "falls"
        return f"{start}as the {words.key(key)} {verb} {ends}, {strategy}"
    texts, spatial, counts = [], words.is_spatial, list[int]()
    for sizes, each in groupby(case, key=_kind):
        own = list(each)
        counts.append(len(own))
        low, high = own[0], own[-1]
        if len(own) == 1:
            texts.append(f"at {words.place({key: low.at[key]})}, {describe_profile(low)}")
            continue
        refuted = sum(fails(one) for one in own)
        of = "all" if refuted == len(own) else f"{refuted} of {len(own)} points"
        beside = f" ({of} not equilibria)" if refuted else ""
        there = f", at {format_positions(_groups(high))} for {words.place({key: high.at[key]})}{beside}"
        if not _groups(low) or sizes == [CYCLES]:
            who = f"{describe_profile(low, beside=False)}{beside}"
        elif len(sizes) == 1:
            who = f"all {'players are together' if spatial else 'choices are equal'}{there}"
        elif len(sizes) == low.profile.shape[1]:  # type: ignore[union-attr]
            who = f"all {'players are apart' if spatial else 'choices differ'}{there}"
        else:
            who = f"there are groups of {joined(sizes)}{there}"
        texts.append(f"from {words.place({key: low.at[key]})} to {words.value(high.at[key])}, {who}")
    if len(texts) > STRETCHES:
        longest = max(range(1, len(texts) - 1), key=lambda k: counts[k])
        changes = f"in all the groups change {len(texts) - 1} times"
        texts = [texts[0], texts[longest], texts[-1], changes]
    return "; ".join(texts)


def _symmetric(case: Sequence[PointResults], key: str) -> list[Value]:
    """Return the strategy that all players share at every point, where it moves; else nothing.

    Of points that are equilibria and others, these are left out.
    """
    groups = [_groups(one) if _kind(one) != [CYCLES] else [] for one in case]
    if len(case) < 2 or any(len(each) != 1 for each in groups):
        return []
    series = []
    for one, (group,) in zip(case, groups, strict=True):
        mean, text = float(group.mean()), number_in_words(float(group.mean()))
        noise = np.nan if one.random else mean
        refuted = fails(one)
        series.append(Value(one.at[key], Estimate(text, mean, noise, noise), refuted))
    series = [value for value in series if not value.refuted] or series
    return series if len({value.estimate.text for value in series}) > 1 else []


def _kind(one: PointResults) -> list[str]:
    """Return what profiles of one stretch share: the sizes of the groups, or all numbers."""
    if set(one.statuses) == {"cycling"}:
        return [CYCLES]
    return [str(len(part)) for part in _groups(one)] or [one.profile_words]


def _groups(one: PointResults) -> list[np.ndarray]:
    """Return the positions of players on a line, by group; none for other profiles."""
    rows = one.profile
    if rows is None or rows.shape[2] != 1 or rows.shape[1] < 2 or len(rows) > 1 or one.actions is not None:
        return []
    values = np.sort(rows[0, :, 0])
    width = max(np.ptp(values), 1e-3)
    cuts: Any = np.flatnonzero(np.diff(values) > 1e-3 * width) + 1 if np.ptp(values) > 1e-6 else []
    return np.split(values, cuts)


def format_positions(groups: Sequence[np.ndarray]) -> str:
    """Return places on a line, with how many players stand at each.

    >>> format_positions([np.array([0.3, 0.3, 0.3]), np.array([0.7, 0.7])])
    '0.3 (three) and 0.7 (two)'
    >>> format_positions([np.array([0.5, 0.5])])
    '0.5'
    """
    places = [number_in_words(float(part.mean())) for part in groups]
    if len(groups) == 1 or all(len(part) == 1 for part in groups):
        return joined(places)
    counts = [COUNTS[len(part)] if len(part) < len(COUNTS) else str(len(part)) for part in groups]
    return joined([f"{at} ({n})" for n, at in zip(counts, places, strict=True)])


def describe_profile(one: PointResults, *, beside: bool = True) -> str:
    """Return the strategies of a point, with what must stand beside them."""
    refuted = f" ({NOT_AN_EQUILIBRIUM})" * (beside and fails(one))
    groups = _groups(one)
    if _kind(one) == [CYCLES]:
        return f"{CYCLES}{refuted}"
    if not groups:
        if one.actions is not None and one.profile is not None and len(one.profile) == 1:
            return f"{one.play_in_words(one.profile[0])}{refuted}"
        named, words = one.actions is not None, one.words
        noun = words.quantity("profile") if words.is_named("profile") else "strategy"
        each, _, rest = one.profile_words.partition(" ")
        if each == "each":
            noun = f"player's {noun}{one.axes} is"
            return f"every {'player plays' if named else noun} {rest}{refuted}"
        noun = f"the players' {plural(noun)}{one.axes} are"
        return f"{'players play' if named else noun} {one.profile_words}{refuted}"
    who = ("both players" if len(groups[0]) == 2 else "all players") if len(groups) == 1 else "players"
    verb = "are at" if one.words.is_spatial else "choose"
    if one.profile is not None and len(groups) == one.profile.shape[1]:  # in the order of the players
        groups = np.split(one.profile[0, :, 0], len(groups))
    return f"{who} {verb} {format_positions(groups)}{refuted}"

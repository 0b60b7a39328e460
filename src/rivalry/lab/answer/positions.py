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
from rivalry.lab.answer.grammar import capitalised, joined, plural
from rivalry.lab.answer.points import PointResults
from rivalry.lab.study.words import Words
from rivalry.results.table import Estimate, number_in_words

PROFILE = 150  # characters of the longest profile that a sentence tells
CYCLES = "play cycles"
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def fails(point: PointResults) -> bool:
    """True for a profile that is no equilibrium of the concept that it is computed for."""
    return NOT_AN_EQUILIBRIUM in point.claims and not point.other_concept


def position_sentences(study: Mapping[str, Any], results: Sequence[PointResults]) -> list[Sentence]:
    """Return the sentence on strategies of players: their groups on a line, per case and along a sweep."""
    words, points = Words(study), points_asked(study, results)
    shown_points = [
        point
        for point in points
        if not point.counts_text and (_groups(point) or 0 < len(point.profile_words) < PROFILE)
    ]
    rows = [Row(point.algorithm, point.at, (), fails(point)) for point in shown_points]
    key, is_compared = swept_key(study, rows), len({row.method for row in rows}) > 1
    by = differing_keys(rows, key)
    cases: dict[str, list[PointResults]] = {}
    for point in shown_points:
        place = words.case({k: point.at[k] for k in by if k in point.at})
        label = ", ".join(filter(None, [words.method(point.algorithm) if is_compared else "", place]))
        cases.setdefault(label, []).append(point)
    if not cases:
        return []
    if not key:
        texts = [
            f"for {label}, {describe_profile(case[0])}" if label else describe_profile(case[0])
            for label, case in cases.items()
        ]
        return (
            [Sentence(f"{capitalised('; '.join(texts))}.", basis_of(points))]
            if len(cases) <= STRETCHES
            else []
        )
    for case in cases.values():
        case.sort(key=lambda point: point.at[key], reverse=falls(study, key))
    if len(cases) <= 2:
        parts = [
            f"for {label}, " * bool(label) + _stretches(case, key, words) for label, case in cases.items()
        ]
        return [Sentence(f"{capitalised('; '.join(parts))}.", basis_of(points))]
    ends = []
    for pick in (min, max):
        x = pick(point.at[key] for point in shown_points)
        counts = sorted(
            {len(groups) for point in shown_points if point.at[key] == x and (groups := _groups(point))}
        )
        if counts:
            span = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
            ends.append(
                f"at {words.place({key: x})} players take {span} different position{'s' * (span != '1')}"
            )
    return (
        [Sentence(f"{capitalised('; '.join(ends))}, over {len(cases)} cases.", basis_of(points))]
        if ends
        else []
    )


def _stretches(case: Sequence[PointResults], key: str, words: Words) -> str:
    """Return the groups along a key, with the stretches on which they are the same."""
    if symmetric := _symmetric(case, key):
        ends = f"from {words.value(symmetric[0].at)} to {words.value(symmetric[-1].at)}"
        start = f"{LEFT_OUT[0].lower()}{LEFT_OUT[1:]}, " * (len(symmetric) < len(case))
        strategy = f"every player's strategy {course(symmetric, key, words)}"
        verb = "rises" if symmetric[0].at <= symmetric[-1].at else "falls"
        return f"{start}as the {words.key(key)} {verb} {ends}, {strategy}"
    texts, spatial, counts = [], words.is_spatial, list[int]()
    for sizes, stretch in groupby(case, key=_kind):
        stretch_points = list(stretch)
        counts.append(len(stretch_points))
        low, high = stretch_points[0], stretch_points[-1]
        if len(stretch_points) == 1:
            texts.append(f"at {words.place({key: low.at[key]})}, {describe_profile(low)}")
            continue
        refuted = sum(fails(point) for point in stretch_points)
        of = "all" if refuted == len(stretch_points) else f"{refuted} of {len(stretch_points)} points"
        refuted_note = f" ({of} not equilibria)" if refuted else ""
        place = f", at {format_positions(_placed(high))} for {words.place({key: high.at[key]})}{refuted_note}"
        if not _groups(low) or sizes == [CYCLES]:
            text = f"{describe_profile(low, with_caveats=False)}{refuted_note}"
        elif len(sizes) == 1:
            text = f"all {'players are together' if spatial else 'choices are equal'}{place}"
        elif len(sizes) == low.profile.shape[1]:  # type: ignore[union-attr]
            text = f"all {'players are apart' if spatial else 'choices differ'}{place}"
        else:
            text = f"there are groups of {joined(sizes)}{place}"
        texts.append(f"from {words.place({key: low.at[key]})} to {words.value(high.at[key])}, {text}")
    if len(texts) > STRETCHES:
        longest = max(range(1, len(texts) - 1), key=lambda k: counts[k])
        changes = f"in all the groups change {len(texts) - 1} times"
        texts = [texts[0], texts[longest], texts[-1], changes]
    return "; ".join(texts)


def _symmetric(case: Sequence[PointResults], key: str) -> list[Value]:
    """Return the strategy that all players share at every point, where it moves; else nothing.

    Of points that are equilibria and others, these are left out.
    """
    groups = [_groups(point) if _kind(point) != [CYCLES] else [] for point in case]
    if len(case) < 2 or any(len(group) != 1 for group in groups):
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
    """Return the common form of profiles of one stretch: the sizes of the groups, or all numbers."""
    if set(point.statuses) == {"cycling"}:
        return [CYCLES]
    return [str(len(part)) for part in _groups(point)] or [point.profile_words]


def _groups(point: PointResults) -> list[np.ndarray]:
    """Return the positions of players on a line, by group; none for other profiles."""
    rows = point.profile
    if rows is None or rows.shape[2] != 1 or rows.shape[1] < 2 or len(rows) > 1 or point.actions is not None:
        return []
    values = np.sort(rows[0, :, 0])
    width = max(np.ptp(values), 1e-3)
    cuts: Any = np.flatnonzero(np.diff(values) > 1e-3 * width) + 1 if np.ptp(values) > 1e-6 else []
    return np.split(values, cuts)


def _placed(point: PointResults) -> list[np.ndarray]:
    """Return the groups, in the order of the players where all differ."""
    groups = _groups(point)
    if point.profile is not None and len(groups) == point.profile.shape[1]:
        return np.split(point.profile[0, :, 0], len(groups))
    return groups


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


def describe_profile(point: PointResults, *, with_caveats: bool = True) -> str:
    """Return the strategies of a point, with what must stand beside them."""
    refuted = f" ({NOT_AN_EQUILIBRIUM})" * (with_caveats and fails(point))
    groups = _groups(point)
    if _kind(point) == [CYCLES]:
        return f"{CYCLES}{refuted}"
    if not groups:
        if point.actions is not None and point.profile is not None and len(point.profile) == 1:
            return f"{point.play_in_words(point.profile[0])}{refuted}"
        if point.choices_in_words:
            return f"{point.choices_in_words}{refuted}"
        has_actions, words = point.actions is not None, point.words
        noun = words.quantity("profile") if words.is_named("profile") else words.choice or "strategy"
        first_word, _, choice_words = point.profile_words.partition(" ")
        if first_word == "each":
            noun = f"{words.player}'s {noun}{point.axes} is"
            return f"every {f'{words.player} plays' if has_actions else noun} {choice_words}{refuted}"
        noun = f"the {plural(words.player)}' {plural(noun)}{point.axes} are"
        return f"{f'{plural(words.player)} play' if has_actions else noun} {point.profile_words}{refuted}"
    subject, choices = plural(point.words.player), point.words.choice
    if len(groups) == 1:
        subject = f"both {subject}" if len(groups[0]) == 2 else f"all {subject}"
        choices = f"a {choices} of " * bool(choices)
    else:
        choices = f"{plural(choices)} of " * bool(choices)
    verb = "are at" if point.words.is_spatial else f"choose {choices}".rstrip()
    return f"{subject} {verb} {format_positions(_placed(point))}{refuted}"

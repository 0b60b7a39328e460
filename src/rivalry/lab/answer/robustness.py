"""Sentences on two swept keys: whether a trend along the first holds at every value of the second.

A trend holds at a value where the number rises, or falls, beyond its intervals and never moves against it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rivalry.lab.answer.cases import (
    LEFT_OUT,
    Row,
    Sentence,
    Trend,
    at_point,
    basis_of,
    differing_keys,
    is_reported,
    points_asked,
    trend_of,
)
from rivalry.lab.answer.courses import Value, course, is_single, turns
from rivalry.lab.answer.estimates import Estimate, differ
from rivalry.lab.answer.grammar import capitalised, joined
from rivalry.lab.answer.points import PointResults
from rivalry.lab.study.words import Words

MOST = 2  # sentences, one per quantity
EXCEPTIONS = 3  # values whose course is told where the trend does not hold
VERBS = {1: "rises", -1: "falls", 0: "does not move", None: "varies"}


class Case(NamedTuple):
    """The course of a number at one value of the second key."""

    value: object
    series: Sequence[Value]
    direction: int | None  # 1, -1, 0 where it stays, None where it does not keep a direction

    @property
    def effect(self) -> Estimate:
        """Size of the change from end to end, with its interval."""
        start, end = self.series[0].estimate, self.series[-1].estimate
        change = end.mean - start.mean
        half = float(np.hypot(start.high - start.mean, end.high - end.mean))
        draws = start.draws and end.draws and end.draws._replace(values=end.draws.values - start.draws.values)
        size = abs(change)
        return Estimate("", size, size - half, size + half, draws=draws if self._paired else None)

    @property
    def _paired(self) -> bool:
        one, other = self.series[0].estimate.draws, self.series[-1].estimate.draws
        return bool(one and other and one.what == other.what and np.array_equal(one.labels, other.labels))


def on_two_keys(study: Mapping[str, Any], found: Sequence[PointResults]) -> list[Sentence]:
    """Return a sentence per quantity on two keys, the study's first quantities; none of other sweeps."""
    rows, words = points_asked(study, found), Words(study)
    if len({one.algorithm for one in rows}) != 1:
        return []
    wanted = (study.get("answer") or {}).get("quantities") or ()
    known = dict.fromkeys(name for one in rows for name, own in one.quantities.items() if is_reported(own))
    order = [name for name in wanted or known if name in known and name != "profile"][:MOST]
    texts = [_sentence(study, name, rows, words) for name in order]
    if not (texts and texts[0]):  # the first quantity is the study's question
        return []
    basis = basis_of(rows)
    return [Sentence(at_point(study, rows, words, text), basis) for text in texts if text]


def _sentence(study: Mapping[str, Any], name: str, found: Sequence[PointResults], words: Words) -> str:
    """Return whether the trend of a quantity holds at every value of the second key; empty without two."""
    trend = trend_of(_with_key(study), name, found, words)
    if trend is None or not trend.key or trend.fixed or len(trend.cases) < 2:
        return ""
    keys = differing_keys([Row(one.algorithm, one.at, (), False) for one in found], trend.key)
    keys = [key for key in keys if key != trend.averaged]
    if len(keys) != 1 or words.key(keys[0]) not in trend.by:
        return ""
    (second,) = keys
    values = {words.place({second: one.at[second]}): one.at[second] for one in found if second in one.at}
    cases = [_case(values[label], series) for label, series in trend.cases.items() if label in values]
    if len(cases) < len(trend.cases) or None in cases:
        return ""
    return _in_words(trend, second, [case for case in cases if case], words)


def _with_key(study: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a study whose trends are along the key of its first figure, unless it says along which."""
    first, own = next(iter(study.get("plots") or ()), None), study.get("answer") or {}
    over = first.get("over") if isinstance(first, Mapping) else None
    return {**study, "answer": {"along": over, **own}} if isinstance(over, str) else study


def _case(value: object, entries: Sequence[Sequence[Value]]) -> Case | None:
    """Return the course of a number of one entry; None where it has no direction that could be told."""
    (series, *more) = entries
    told = all(np.isfinite(row.estimate.mean) and not row.refuted and not row.bound for row in series)
    if more or len(series) < 2 or not told or is_single(series):
        return None
    found = turns(series)
    return Case(value, series, found[0].direction if len(found) == 1 else None)


def _in_words(trend: Trend, second: str, cases: Sequence[Case], words: Words) -> str:
    counts = Counter(case.direction for case in cases if case.direction)
    if not counts:
        return ""
    direction = counts.most_common(1)[0][0]
    holds = [case for case in cases if case.direction == direction]
    others = [case for case in cases if case.direction != direction]
    if len(holds) < 2:
        return ""
    along = joined([f"the {words.key(key)}" for key in (trend.key, *trend.in_step)])
    entry = holds[0].series[0].estimate.entry
    quantity = f"the {words.quantity(trend.name)}" + f" ({entry})" * bool(entry)
    verb = f"{quantity} {VERBS[direction]} with {along}{_most(holds, second, words)}"
    means = f" (means over {words.key(trend.averaged)}s, 95 % intervals)" * bool(trend.averaged)
    numbers = _is_number(cases[0].value)
    each = f"every {words.key(second)}"
    if others:
        each = f"{len(holds)} of {len(cases)} values of the {words.key(second)}"
        means += f"; {_exceptions(others, trend, second, words)}"
    text = f"{'at' if numbers else 'for'} {each} {verb}{means}"
    return f"{f'{LEFT_OUT}, {text}' if trend.left_out else capitalised(text)}."


def _most(cases: Sequence[Case], second: str, words: Words) -> str:
    """Return where the change is largest; empty where it is not larger than all others, beyond intervals."""
    if len({(case.series[0].at, case.series[-1].at) for case in cases}) > 1:
        return ""  # changes over different ranges are not compared
    top, *rest = sorted(cases, key=lambda case: -case.effect.mean)
    start, end = (row.estimate for row in (top.series[0], top.series[-1]))
    if not all(differ(case.effect, top.effect) for case in rest):
        return ""
    return f", most (from {start.text} to {end.text}) {_at(second, top.value, words)}"


def _exceptions(cases: Sequence[Case], trend: Trend, second: str, words: Words) -> str:
    """Return at which values of the second key the trend does not hold, and what it is there."""
    if len(cases) <= EXCEPTIONS:
        parts = [
            f"{_at(second, case.value, words)} it {course(case.series, trend.key, words)}" for case in cases
        ]
        return joined(parts)
    kinds: dict[int | None, list[str]] = {}
    for case in cases:
        kinds.setdefault(case.direction, []).append(words.value(case.value))
    return joined([f"it {VERBS[kind]} at {joined(values)}" for kind, values in kinds.items()])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _at(key: str, value: object, words: Words) -> str:
    """Return a value of a key as the place of a number.

    >>> race = Words({"game": {"family": "race"}})
    >>> _at("cost.safety_price", 0.05, race), _at("players", 3, race), _at("payment", "PBS", race)
    ('at a price of safety of 0.05', 'with 3 players', 'for pay bid to society')
    """
    name = words.key(key)
    if not _is_number(value):
        return f"for {words.place({key: value})}"
    if name.startswith("number of "):
        return f"with {words.value(value)} {name.removeprefix('number of ')}"
    return f"at a{'n' * (name[0] in 'aeio')} {name} of {words.value(value)}"

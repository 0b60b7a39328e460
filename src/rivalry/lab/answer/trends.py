"""Sentences on a study's quantities: how they move with a swept key, in which order methods and cases stand.

Nothing is said that the numbers do not support: a number moves only where it leaves the 95 % intervals, and
one case exceeds another only where the interval of the difference excludes 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from rivalry.lab.answer.estimates import Estimate, differ, number_in_words
from rivalry.lab.answer.points import PointResults
from rivalry.lab.answer.words import Words

TOGETHER = 3  # most quantities of one sentence
LONG = 200  # characters of sentences on quantities after which no other follows
GROUPS = 3  # most cases that a sentence on a sweep lists
CASES = 6  # most cases that a sentence without a sweep lists
TURNS = 3  # most rises and falls that are told one by one
WHOSE = ("player", "seat", "type", "firm", "agent", "team")  # dimensions whose entries sentences name
GAINS = (
    "pooled_gain",
    "gain_mean",
)  # profit gains of learners, which controls without punishment may have too
CONTROLS = {
    "memoryless": "learners without memory",
    "gamma_zero": "learners with discount factor 0",
    "random": "random play",
}

Case = tuple[str, tuple[tuple[str, Any], ...]]
"""A method and the values of all swept keys but one."""
Series = list[tuple[float, tuple[Estimate, ...]]]
"""Values of a swept key with the estimates there, per entry."""


class Sentence(NamedTuple):
    """A sentence and what it rests on."""

    text: str
    basis: str


class Turn(NamedTuple):
    """A stretch on which a number rises, falls or stays, with its ends."""

    direction: int  # 1, -1 or 0
    start: tuple[float, Estimate]
    end: tuple[float, Estimate]


def on_quantities(study: Mapping[str, Any], found: Sequence[PointResults]) -> list[Sentence]:
    """Return sentences on the quantities of a study, the most important one first."""
    words = Words(study)
    only = (study.get("answer") or {}).get("methods") or [one.algorithm for one in found]
    rows = [one for one in found if one.algorithm in only]
    key = _along(study, rows)
    every = {
        name: _cases(rows, name, key, words)
        for name in dict.fromkeys(n for one in rows for n in one.quantities)
    }
    every = {name: cases for name, cases in every.items() if cases}
    if not every:
        return []
    basis = _basis(rows)
    single = {name: next(iter(cases.values())) for name, cases in every.items() if len(cases) == 1}
    if len(single) == len(every):
        moving = {name: series for name, series in single.items() if not key or _is_moving(series)}
        rows_of = list((moving or single).items())[:TOGETHER] if moving or not positions(study, rows) else []
        said = (_moves(rows_of, key, words) if key else _values(rows_of, words)) if rows_of else ""
        return [Sentence(said, basis)] if said else []
    told: list[str] = []
    for name, cases in every.items():
        if len(told) < 2 and sum(map(len, told)) < LONG:
            own = _controls(study, name, rows, words)
            told += own or (
                _over_groups(name, cases, key, words) if key else _ranking(study, name, cases, words)
            )
    return [Sentence(text, basis) for text in told]


def _is_moving(series: Series) -> bool:
    return any(len({row.text for _, row in own}) > 1 for _, own in _each(series))


def _basis(found: Sequence[PointResults]) -> str:
    """Return how many points, replications or sessions the numbers rest on."""
    points = f"{len(found)} point{'s' * (len(found) != 1)}"
    repeats = {(one.repeats, one.results) for one in found if one.repeats}
    if len(repeats) == 1:
        (what, count) = repeats.pop()
        points += f", {count} {what} each" + (", 95 % intervals" if what == "replications" else "")
    elif any(one.text.count("±") for each in found[:1] for row in each.quantities.values() for one in row):
        points += ", 95 % intervals over sessions"
    return points


def _along(study: Mapping[str, Any], found: Sequence[PointResults]) -> str:
    """Return the key along which numbers are told: the study's, or the numeric one with most values."""
    values: dict[str, set[Any]] = {}
    for one in found:
        for name, value in one.at.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                values.setdefault(name, set()).add(value)
    wanted = (study.get("answer") or {}).get("along", "")
    if wanted in values:
        return str(wanted)
    counts = {name: len(each) for name, each in values.items() if len(each) > 1}
    return max(reversed(counts), key=lambda name: counts[name], default="")


def _cases(found: Sequence[PointResults], name: str, key: str, words: Words) -> dict[str, Series]:
    """Return the series of every case by its name; methods with equal numbers are one."""
    series: dict[Case, Series] = {}
    for one in found:
        if name in one.quantities and _is_told(one.quantities[name]):
            place = tuple((k, v) for k, v in one.at.items() if k != key and not _in_step(found, k, key))
            x = float(one.at.get(key, 0.0))
            series.setdefault((one.algorithm, place), []).append((x, one.quantities[name]))
    for each in series.values():
        each.sort(key=lambda row: row[0])
    texts = {case: [(x, [e.text for e in row]) for x, row in each] for case, each in series.items()}
    methods = dict.fromkeys(method for method, _ in series)
    alike: dict[str, list[str]] = {}
    for method in methods:
        own = {place: text for (other, place), text in texts.items() if other == method}
        for first in alike:
            theirs = {place: text for (other, place), text in texts.items() if other == first}
            if own == theirs:
                alike[first].append(method)
                break
        else:
            alike[method] = [method]
    cases: dict[str, Series] = {}
    for (method, place), each in series.items():
        if method in alike:
            own_name = " and ".join(map(words.method, alike[method])) if len(alike) > 1 else ""
            cases[", ".join(filter(None, [own_name, words.place(dict(place))]))] = each
    return cases


def _is_told(row: Sequence[Estimate]) -> bool:
    """Return whether a sentence may tell a quantity: numbers, of few players or of all."""
    named = all(
        one.entry.partition(" ")[0] in WHOSE or ("," not in one.entry and one.entry.isalpha()) for one in row
    )
    return np.isfinite(row[0].mean) and (len(row) == 1 or (len(row) < 4 and named))


def _in_step(found: Sequence[PointResults], name: str, key: str) -> bool:
    """Return whether a coordinate is fixed by another, as in a zip."""
    if not key:
        return False
    pairs = {(one.at.get(key), one.at.get(name)) for one in found if key in one.at}
    values = {value for _, value in pairs}
    return len(values) > 1 and len(pairs) == len({at for at, _ in pairs})


def turns(series: Sequence[tuple[float, Estimate]]) -> list[Turn]:
    """Return the rises and falls of a number, each beyond the intervals of its ends.

    Between the ends of a rise no two numbers fall beyond their intervals, and so for a fall.

    >>> rows = [(x, Estimate("", y, y, y)) for x, y in enumerate([1.0, 2.0, 5.0, 4.0])]
    >>> [(turn.direction, turn.start[0], turn.end[0]) for turn in turns(rows)]
    [(1, 0, 2), (-1, 2, 3)]
    """
    found: list[Turn] = []
    start = low = high = series[0]
    direction = 0
    for row in series[1:]:
        if direction >= 0 and row[1].mean > high[1].mean:
            high = row
        if direction <= 0 and row[1].mean < low[1].mean:
            low = row
        if direction == 0:
            if row[1].mean > low[1].mean and differ(low[1], row[1]):
                direction, high = 1, row
                start = low if low is not series[0] else start
            elif row[1].mean < high[1].mean and differ(high[1], row[1]):
                direction, low = -1, row
                start = high if high is not series[0] else start
        elif direction > 0 and row[1].mean < high[1].mean and differ(high[1], row[1]):
            found.append(Turn(1, start, high))
            start, low, direction = high, row, -1
        elif direction < 0 and row[1].mean > low[1].mean and differ(low[1], row[1]):
            found.append(Turn(-1, start, low))
            start, high, direction = low, row, 1
    if direction == 0:
        return [Turn(0, series[0], series[-1])]
    return [*found, Turn(direction, start, high if direction > 0 else low)]


def _course(series: Sequence[tuple[float, Estimate]], key: str, words: Words) -> str:
    """Return how a number moves along a key, in words."""
    if len({row[1].text for row in series}) == 1:
        return f"is {series[0][1].text} throughout"
    least, most = (end(series, key=lambda row: row[1].mean) for end in (min, max))
    if any(np.isnan(row[1].low) for row in series):  # single draws: no difference is more than noise
        first, last = series[0], series[-1]
        place = words.place({key: first[0]})
        return f"is {first[1].text} at {place} and {last[1].text} at {last[0]:g} in single runs"
    found = turns(series)
    if found[0].direction == 0:
        return f"stays between {least[1].text} and {most[1].text}"
    if len(found) > TURNS:
        places = [f"{row[1].text} (at {words.place({key: row[0]})})" for row in (least, most)]
        return f"varies between {places[0]} and {places[1]}"
    parts = []
    for k, turn in enumerate(found):
        verb = "rises" if turn.direction > 0 else "falls"
        ends = f"from {turn.start[1].text} " * (k == 0) + f"to {turn.end[1].text}"
        inner = turn.end[0] != series[-1][0]
        at = (
            f" at {words.place({key: turn.end[0]})}"
            if inner and k == 0
            else f" at {turn.end[0]:g}"
            if inner
            else ""
        )
        parts.append(f"{'then ' if k else ''}{verb} {ends}{at}")
    return ", ".join(parts)


def _entry(series: Series, k: int) -> list[tuple[float, Estimate]]:
    return [(x, row[k]) for x, row in series if k < len(row) and np.isfinite(row[k].mean)]


def _each(series: Series) -> Iterable[tuple[str, list[tuple[float, Estimate]]]]:
    """Yield the series of every entry; one number for all entries of a point is that of each."""
    widest = max((row for _, row in series), key=len)
    for k, estimate in enumerate(widest):
        rows = [(x, row[k] if len(row) > 1 else row[0]) for x, row in series if len(row) in (1, len(widest))]
        rows = [row for row in rows if np.isfinite(row[1].mean)]
        if rows:
            yield estimate.entry, rows


def _range(key: str, series: Iterable[Series], words: Words) -> str:
    ends = [x for one in series for x, _ in one]
    return f"As the {words.key(key)} rises from {min(ends):g} to {max(ends):g}"


def _of(name: str, entry: str, words: Words) -> str:
    """Return a quantity with its article, and whose it is."""
    return f"the {words.quantity(name)}" + (f" ({entry})" if entry else "")


def _moves(rows: Sequence[tuple[str, Series]], key: str, words: Words) -> str:
    """Return one sentence on how quantities move along a key."""
    clauses = []
    for name, series in rows:
        for entry, own in _each(series):
            if len(own) > 1:
                clauses.append(f"{_of(name, entry, words)} {_course(own, key, words)}")
    return f"{_range(key, [series for _, series in rows], words)}, {_listed(clauses)}." if clauses else ""


def _values(rows: Sequence[tuple[str, Series]], words: Words) -> str:
    """Return one sentence on quantities at one point."""
    clauses = []
    for name, series in rows:
        for row in series[0][1]:
            clauses.append(f"{_of(name, row.entry, words)} is {row.text}")
    return _capital(_listed(clauses)) + "."


def _listed(parts: Sequence[str], last: str = "and") -> str:
    """Return parts as a list in words.

    >>> _listed(["a", "b", "c"]), _listed(["a", "b"])
    ('a, b, and c', 'a and b')
    """
    if any("," in part for part in parts) and len(parts) > 1:
        return f"{'; '.join(parts[:-1])}; {last} {parts[-1]}"
    if len(parts) < 3:
        return f" {last} ".join(parts)
    return f"{', '.join(parts[:-1])}, {last} {parts[-1]}"


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _over_groups(name: str, cases: Mapping[str, Series], key: str, words: Words) -> list[str]:
    """Return sentences on one quantity along a key in several cases."""
    moving = {label: each for label, each in cases.items() if len(each) > 1}
    fixed = {label: each for label, each in cases.items() if len(each) == 1}
    if not moving:
        return []
    start = _range(key, moving.values(), words)
    if len(moving) + len(fixed) <= GROUPS:
        clauses = []
        for label, series in moving.items():
            for entry, own in _each(series):
                clauses.append(f"{_course(own, key, words)} {_label(label, entry)}".strip())
        said = f"{start}, the {words.quantity(name)} {_listed(clauses)}."
        for label, series in fixed.items():
            said += f" It is {' / '.join(row.text for row in series[0][1])} for {label}."
        return [said]
    every = [(label, own) for label, series in moving.items() for _, own in list(_each(series))[:1]]
    kinds = Counter(_direction(own) for _, own in every)
    if len(kinds) == 1:
        verb = f"{next(iter(kinds))} in all {len(every)} cases"
    else:
        verb = _listed([f"{kind} in {n}" for kind, n in kinds.most_common()]) + f" of {len(every)} cases"
    ends = []
    for pick in (min, max):
        label, (x, estimate) = pick(
            ((label, row) for label, own in every for row in own), key=lambda pair: pair[1][1].mean
        )
        ends.append(f"{estimate.text} ({', '.join([words.place({key: x}), label])})")
    said = f"{start}, the {words.quantity(name)} {verb}; its values lie between {ends[0]} and {ends[1]}."
    return [said]


def _label(label: str, entry: str) -> str:
    text = ", ".join(filter(None, [label, entry]))
    return f"({text})" if text else ""


def _direction(series: Sequence[tuple[float, Estimate]]) -> str:
    if any(np.isnan(row[1].low) for row in series):
        return "is known from single runs"
    found = turns(series)
    if len(found) > 1:
        return "rises and falls"
    return {1: "rises", -1: "falls", 0: "does not move"}[found[0].direction]


def _ranking(study: Mapping[str, Any], name: str, cases: Mapping[str, Series], words: Words) -> list[str]:
    """Return a sentence on one quantity in several cases without a numeric key: their order."""
    rows = [
        (", ".join(filter(None, [label, row.entry])), row)
        for label, series in cases.items()
        for row in series[0][1]
        if np.isfinite(row.mean)
    ]
    if len(rows) < 2:
        return []
    down = (study.get("answer") or {}).get("better", "higher") == "higher"
    rows.sort(key=lambda pair: pair[1].mean, reverse=down)
    quantity = words.quantity(name)
    if len(rows) > CASES:
        (top, best), (bottom, worst) = rows[0], rows[-1]
        said = (
            f"Over {len(rows)} cases the {quantity} goes from {best.text} ({top}) to {worst.text} ({bottom})."
        )
        return [said]
    texts = [f"{row.text} for {label}" for label, row in rows]
    if len({row.text for _, row in rows}) == 1:
        return [f"The {quantity} is {rows[0][1].text} for {_listed([label for label, _ in rows])}."]
    lead = f"The {quantity} is "
    if differ(rows[0][1], rows[1][1]):
        lead += "highest, " if down else "lowest, "
    said = f"{lead}{texts[0]}, then {_listed(texts[1:])}" if len(texts) > 1 else f"{lead}{texts[0]}"
    single = any(np.isnan(row.low) for _, row in rows)
    unclear = [f"{a} and {b}" for (a, one), (b, other) in pairwise(rows) if not differ(one, other)]
    if single:
        said += "; these are single runs, whose differences may be noise"
    elif unclear:
        said += f"; no difference is significant between {_listed(unclear)}"
    return [f"{said}."]


def _controls(study: Mapping[str, Any], name: str, found: Sequence[PointResults], words: Words) -> list[str]:
    """Return a sentence on learners that cannot punish, and whether they gain less than the others."""
    if name not in GAINS:
        return []
    bases = [str(table["name"]) for table in study["method"]]
    gains = {one.algorithm: one.quantities[name][0] for one in found if name in one.quantities}
    for base in bases:
        controls = {kind: gains[f"{base}-{kind}"] for kind in CONTROLS if f"{base}-{kind}" in gains}
        own = gains.get(base)
        if own is None or not controls or any(np.isnan(one.low) for one in (own, *controls.values())):
            continue
        not_less = {
            kind: one for kind, one in controls.items() if one.mean >= own.mean or not differ(one, own)
        }
        if not_less:
            kind = next(iter(not_less))
            than = "more" if not_less[kind].mean > own.mean and differ(own, not_less[kind]) else "no less"
            if than == "no less" and not_less[kind].mean < own.mean:
                than = "not significantly less"
            said = (
                f"{_capital(CONTROLS[kind])}, which cannot punish, gain {not_less[kind].text}, "
                f"{than} than {words.method(base)} ({own.text}): "
                "the gain alone is no evidence of collusion here."
            )
        else:
            texts = [f"{CONTROLS[kind]} ({one.text})" for kind, one in controls.items()]
            said = f"{_capital(words.method(base))} gains {own.text}, more than {_listed(texts)}."
        return [said]
    return []


def positions(study: Mapping[str, Any], found: Sequence[PointResults]) -> list[Sentence]:
    """Return where players stand, at both ends of a sweep and where the number of groups changes."""
    words, key = Words(study), _along(study, found)
    told: list[tuple[str, str]] = []
    for one in found:
        groups = _groups(one)
        if groups and (not told or told[-1][1].split(" at ")[0::2] != groups.split(" at ")[0::2]):
            told.append((words.place(one.at) if one.at else words.method(one.algorithm), groups))
    many = len({one.algorithm for one in found}) > 1
    if not told or len(told) > GROUPS or (many and key):
        return []
    at = "At " if key else ""
    if len(found) == 1:
        return [Sentence(f"{_capital(told[0][1])}.", _basis(found))]
    return [Sentence(f"{at}{'; at '.join(f'{place}, {groups}' for place, groups in told)}.", _basis(found))]


def _groups(one: PointResults) -> str:
    """Return how many players stand at each place of a line; empty for other profiles."""
    rows = one.profile
    if rows is None or rows.shape[2] != 1 or rows.shape[1] < 2 or len(rows) > 1 or one.actions is not None:
        return ""
    values = np.sort(rows[0, :, 0])
    width = max(np.ptp(values), 1e-3)
    cuts: Any = np.flatnonzero(np.diff(values) > 1e-3 * width) + 1 if np.ptp(values) > 1e-6 else []
    parts = np.split(values, cuts)
    if len(parts) == 1:
        who = "both" if len(values) == 2 else f"all {len(values)}"
        return f"{who} players are at {number_in_words(float(values.mean()))}"
    texts = [f"{len(part)} at {number_in_words(float(part.mean()))}" for part in parts]
    return f"players are in {len(parts)} groups: {_listed(texts)}"

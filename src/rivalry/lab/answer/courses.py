"""The course of a number along a swept key: where it rises, falls or stays, in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby, takewhile
from typing import NamedTuple

import numpy as np

from rivalry.lab.answer.estimates import is_nearly_zero
from rivalry.lab.answer.grammar import joined, text_if
from rivalry.lab.answer.points import NOT_AN_EQUILIBRIUM
from rivalry.lab.study.words import Words
from rivalry.plots.select import departure
from rivalry.results.comparison import VISIBLE, differ, difference_in_words, paired_margin
from rivalry.results.table import Estimate
from rivalry.text.statistics import half_width

STRETCHES = 4  # most groupings of positions along a key, and most profiles
TURNS = 3  # most rises and falls that are told one by one
WITH_ARTICLE = {"stable point": "a stable point", "unstable point": "an unstable point", "cycle": "a cycle"}


def with_article(text: str) -> str:
    """Word with its article, if it takes one.

    >>> with_article("cycle"), with_article("converged")
    ('a cycle', 'converged')
    """
    return WITH_ARTICLE.get(text, text)


class Value(NamedTuple):
    """A number at a value of the swept key, and whether it is that of a profile that is no equilibrium."""

    at: float
    estimate: Estimate
    refuted: bool = False
    bound: str = ""  # the best choice of a search, which may be an end of the values tried

    @property
    def text(self) -> str:
        """The number, or the word with its article, with what must stand beside it."""
        key, _, end = self.bound.rpartition(", ")
        where = end if key and self.estimate.text.endswith(key) else f"at {self.bound}"
        return (
            with_article(self.estimate.text)
            + text_if(self.refuted, f" ({NOT_AN_EQUILIBRIUM})")
            + text_if(self.bound, f" ({where})")
        )

    @property
    def is_at_end(self) -> bool:
        """True if the best choice is an end of the values tried, beyond which there may be a better one."""
        return self.bound.endswith(" tried")


Series = Sequence[Value]
"""Numbers of an entry along a key, or the only one."""
Labelled = Sequence[tuple[str, Value]]
LabelledSeries = Sequence[tuple[str, Series]]
"""Numbers and courses of cases with the names of these."""


class Stretch(NamedTuple):
    """A stretch on which a number rises, falls or stays, with its ends."""

    direction: int  # 1, -1 or 0
    start: Value
    end: Value

    def verb(self, series: Series) -> str:
        """Verb of a rise or fall, and whether single steps go against it within their noise."""
        ends = sorted([self.start.at, self.end.at])
        means = np.array([row.estimate.mean for row in series if ends[0] <= row.at <= ends[1]])
        is_steady = _is_exact(series) or np.all(np.diff(means) * self.direction >= 0.0)
        return ("rises" if self.direction > 0 else "falls") + text_if(not is_steady, " on the whole")


def turns(series: Series) -> list[Stretch]:
    """Rises and falls of a number, each beyond the intervals of its ends; none if they overlap.

    Between the ends of a rise no two numbers fall beyond their intervals, and so for a fall.

    >>> rows = [Value(x, Estimate("", y, y, y)) for x, y in enumerate([1.0, 2.0, 5.0, 4.0])]
    >>> [(turn.direction, turn.start.at, turn.end.at) for turn in turns(rows)]
    [(1, 0, 2), (-1, 2, 3)]
    """
    stretches: list[Stretch] = []
    start = low = high = series[0]
    direction = 0
    for row in series[1:]:
        if direction >= 0 and row.estimate.mean > high.estimate.mean:
            high = row
        if direction <= 0 and row.estimate.mean < low.estimate.mean:
            low = row
        up = row.estimate.mean > low.estimate.mean and differ(low.estimate, row.estimate)
        down = row.estimate.mean < high.estimate.mean and differ(high.estimate, row.estimate)
        if direction == 0 and up:
            direction, high, start = 1, row, low
        elif direction == 0 and down:
            direction, low, start = -1, row, high
        elif direction > 0 and down:
            stretches.append(Stretch(1, start, high))
            start, low, direction = high, row, -1
        elif direction < 0 and up:
            stretches.append(Stretch(-1, start, low))
            start, high, direction = low, row, 1
    if direction == 0:
        stretches = [Stretch(0, series[0], series[-1])]
    else:
        stretches.append(Stretch(direction, start, high if direction > 0 else low))
    return stretches if all(_holds(turn, series) for turn in stretches) else []


def _holds(turn: Stretch, series: Series) -> bool:
    """True if no two numbers of a stretch move against it, nor at all where it stays."""
    if turn.direction and not differ(turn.start.estimate, turn.end.estimate):
        return False
    ends = sorted([turn.start.at, turn.end.at])
    rows = [row.estimate for row in series if ends[0] <= row.at <= ends[1]]
    mean, low, high = np.array([(row.mean, row.low, row.high) for row in rows]).T
    paired = all(paired_margin(rows[0], row) is not None for row in rows)
    by_draw = np.array([row.draws.values for row in rows if row.draws]) if paired else None
    # as `differ`, for one number and all later ones at a time: pairs are many
    for k in range(len(rows) - 1):
        gap, successors = mean[k + 1 :] - mean[k], slice(k + 1, None)
        up, down = (
            np.hypot((mean - low)[successors], high[k] - mean[k]),
            np.hypot(mean[k] - low[k], (high - mean)[successors]),
        )
        if by_draw is not None:
            up = down = half_width((by_draw[successors] - by_draw[k]).T)
        visible = np.maximum(np.abs(mean[successors]), abs(mean[k])) * VISIBLE
        is_distinct = (np.abs(gap) > np.where(gap >= 0, up, down)) & (np.abs(gap) > visible)
        if np.any(is_distinct & ((gap * turn.direction < 0) | (turn.direction == 0))):
            return False
    return True


def course(series: Series, key: str, words: Words, *, amounts: bool = False) -> str:
    """Course of a number along a key, in words; with ``amounts``, its change from end to end."""
    begin, finish = series[0], series[-1]
    numbers = [bool(np.isfinite(row.estimate.mean)) for row in series]
    if not any(numbers):
        return kinds_of_points(series, key, words)
    if not all(numbers):
        return _in_stretches(series, key, words)
    if has_one_text(series):
        return f"stays at {begin.text}"
    lowest, highest = (end(series, key=lambda row: row.estimate.mean) for end in (min, max))
    if is_single(series):  # single draws: no difference is more than noise
        inside = not {lowest.text, highest.text} <= {begin.text, finish.text}
        between = text_if(inside, f", between {lowest.text} and {highest.text} on the way")
        return f"goes from {begin.text} to {finish.text}{between}"
    stretches = turns(series)
    if stretches and stretches[0].direction == 0 and not (amounts and len(series) == 2):
        between = f"between {lowest.text} and {highest.text}"
        is_exact = _is_exact(series)
        return f"stays {between}" if is_exact else f"does not change significantly ({_estimates(series)})"
    if not stretches or len(stretches) > TURNS:
        places = [f"{row.text} (at {words.place({key: row.at})})" for row in (lowest, highest)]
        return f"varies between {places[0]} and {places[1]}"
    amounts = amounts and len(stretches) == 1 and not is_nearly_zero(begin.estimate, finish.estimate)
    if amounts and stretches[0].start.at == begin.at and stretches[0].end.at == finish.at:
        (turn,) = stretches
        if not turn.direction:
            by = difference_in_words(begin.estimate, finish.estimate)
            return f"is {begin.text} and {finish.text}, a difference of {by}, which is not significant"
        by = difference_in_words(begin.estimate, finish.estimate)
        return f"{turn.verb(series)} by {by}, from {begin.text} to {finish.text}"
    parts = []
    before, after = _plateau(series), _plateau(series[::-1])
    way = 1 if begin.at <= finish.at else -1
    for k, turn in enumerate(stretches):
        start = "" if turn.start.at == begin.at else f"at {words.place({key: turn.start.at})} "
        end = "" if turn.end.at == finish.at else f" at {words.place({key: turn.end.at})}"
        verb = turn.verb(series)
        origin = text_if(not k, f"from {turn.start.text} {start}")
        if not k and way * turn.start.at <= way * before.at and begin.at != before.at:
            parts.append(f"stays at {begin.text} up to {words.place({key: before.at})}")
            origin = ""
            if apart := _departure(series, turn.end):
                parts.append(f"is {apart.text} at {words.place({key: apart.at})}")
        if turn is stretches[-1] and way * after.at <= way * turn.end.at and after.at != finish.at:
            end = f" at {words.place({key: after.at})}, and stays there"
            if apart := _departure(series[::-1], turn.start):
                end = f" at {words.place({key: apart.at})}, then is {turn.end.text}{end}"
                turn = turn._replace(end=apart)
        parts.append(f"{text_if(parts, 'then ')}{verb} {origin}to {turn.end.text}{end}")
    return ", ".join(parts)


def _estimates(series: Series) -> str:
    """Two estimates, or the range of several with that of half the widths of their intervals."""
    if len(series) == 2:
        return f"{series[0].text} and {series[1].text}"
    by_mean = sorted(series, key=lambda row: row.estimate.mean)
    by_width = sorted(series, key=lambda row: row.estimate.high - row.estimate.mean)
    if not all(re.fullmatch(r"[^ (]+ ± [^ (]+", row.text) for row in series):
        return f"between {by_mean[0].text} and {by_mean[-1].text}"
    low, high = (row.text.partition(" ± ")[0] for row in (by_mean[0], by_mean[-1]))
    narrow, wide = (row.text.partition(" ± ")[2] for row in (by_width[0], by_width[-1]))
    return f"estimates between {low} and {high}, half-widths {narrow} to {wide}"


def _is_exact(series: Series) -> bool:
    """True for numbers without noise, which may hide a change."""
    return all(row.estimate.is_exact for row in series)


def _departure(series: Series, stop: Value) -> Value | None:
    """First number after a plateau, where it may be of another branch; see `departure`."""
    stretch = series[: series.index(stop) + 1]
    first = departure([row.estimate.mean for row in stretch])
    return series[first] if first else None


def _plateau(series: Series) -> Value:
    """Last of the numbers that equal the first one, without a gap.

    >>> rows = [Value(x, Estimate(str(y), y, y, y)) for x, y in enumerate([0.8, 0.8, 0.9, 0.8])]
    >>> _plateau(rows).at, _plateau(rows[::-1]).at
    (1, 3)
    """
    initial = series[0]
    *_, plateau_end = takewhile(
        lambda row: row.text == initial.text and not differ(initial.estimate, row.estimate), series
    )
    return plateau_end


def _in_stretches(series: Series, key: str, words: Words) -> str:
    """Course of a number along a key where some of it is beyond what was tried."""
    stretches = []
    for _, stretch in groupby(series, key=lambda row: text_if(np.isnan(row.estimate.mean), row.text)):
        stretches.append(list(stretch))
    if len(stretches) > STRETCHES:
        return kinds_of_points(series, key, words)
    parts = []
    for rows in stretches:
        place = f"at {words.place({key: rows[0].at})}"
        if len(rows) > 1:
            place = f"from {words.place({key: rows[0].at})} to {words.value(rows[-1].at)}"
        equal = len({row.text for row in rows}) == 1
        constant = f"is {rows[0].text}{text_if(',' in rows[0].text, ',')}"
        text = constant if equal else course(rows, key, words)
        parts.append(f"{text} {place}")
    return joined(parts)


def kinds_of_points(series: Series, key: str, words: Words) -> str:
    """Words that a quantity takes along a key, with the stretches on which it does."""
    parts = []
    for text, stretch in groupby(series, key=lambda row: row.text):
        rows = list(stretch)
        ends = f"at {words.place({key: rows[0].at})}"
        if len(rows) > 1:
            ends = f"from {words.place({key: rows[0].at})} to {words.value(rows[-1].at)}"
        parts.append(f"{text} {ends}")
    if len(parts) == 1:
        return f"is {series[0].text} throughout"
    if len(parts) > STRETCHES:
        counts = Counter(row.text for row in series)
        return "is " + joined([f"{text} at {n} of {len(series)} points" for text, n in counts.most_common()])
    return f"is {joined(parts)}"


def has_one_text(series: Iterable[Value]) -> bool:
    """True for numbers that are printed alike."""
    return len({row.estimate.text for row in series}) == 1


def is_single(series: Iterable[Value]) -> bool:
    """True if the noise of a number is unknown."""
    return any(np.isfinite(row.estimate.mean) and np.isnan(row.estimate.low) for row in series)


def verb_phrase(series: Series) -> str:
    """Verb phrase for the course of a quantity without places: ``rises``, ``does not move``, .."""
    if is_single(series):
        return "has one value per setting"
    if not np.isfinite(series[0].estimate.mean):
        return "does not change" if has_one_text(series) else "changes"
    stretches = turns(series)
    if len(stretches) != 1:
        return "rises and falls"
    still = "does not change" if _is_exact(series) else "does not change significantly"
    return {1: "rises", -1: "falls", 0: still}[stretches[0].direction]

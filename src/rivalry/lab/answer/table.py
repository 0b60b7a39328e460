"""The printed table of a run: swept keys, the study's quantities and the claim, a row per point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from rivalry.core.results import WITH_GAIN, gain_in_words
from rivalry.lab.answer.estimates import Estimate
from rivalry.lab.answer.points import PointResults
from rivalry.lab.study.words import Words, heading

if TYPE_CHECKING:
    from xarray import Dataset

MOST_COLUMNS = 14
TEXT = 60  # characters of a profile in the table


class AnswerTable(NamedTuple):
    """A table of texts with their numbers; ``notes`` state what every row shares, and what is left out."""

    columns: list[str]
    rows: list[list[Estimate]]
    notes: list[str]
    keys: int  # columns that say which point a row is
    rows_left_out: int = 0
    columns_left_out: tuple[str, ...] = ()

    @property
    def texts(self) -> list[list[str]]:
        """The texts of all rows."""
        return [[entry.text for entry in row] for row in self.rows]


def answer_table(
    study: Mapping[str, Any],
    data: Dataset,
    found: Sequence[PointResults],
    most_rows: int | None = None,
    most_columns: int = MOST_COLUMNS,
    *,
    constants: bool = False,
) -> AnswerTable:
    """Return the table of at most so many rows, where claims change and evenly between, and columns.

    A column with one text in all rows is stated in a note instead, unless ``constants`` are wanted too.
    """
    words = Words(study)
    rows = list(found) if most_rows is None else [found[k] for k in chosen(found, most_rows)]
    keys: dict[str, list[Estimate]] = {}
    if len({one.algorithm for one in found}) > 1:
        keys["method"] = [Estimate(words.method(one.algorithm)) for one in rows]
    for name in dict.fromkeys(name for one in found for name in one.at):
        keys[words.key(name)] = [
            _coordinate(one.at[name], words) if name in one.at else Estimate("") for one in rows
        ]
    columns: dict[str, list[Estimate]] = {}
    for name in dict.fromkeys(name for one in rows for name in one.quantities):
        if name == "profile":
            columns["strategies"] = [Estimate(_shortened(one.profile_words)) for one in rows]
        else:
            columns |= _columns(heading(data, name, words), [one.quantities.get(name, ()) for one in rows])
    if any(one.repeats for one in rows):
        columns["n"] = [_number(one.results) for one in rows]
    if any(not columns or not one.quantities for one in rows):  # what is known of them beside the claim
        columns["strategies"] = [Estimate(_shortened(one.profile_words)) for one in rows]
    columns["best choice at an end"] = [Estimate(_shortened(one.bound_of_search)) for one in rows]
    columns["equilibria"] = [Estimate(one.counts_text) for one in rows]
    columns["status"] = [Estimate(one.status) for one in rows]
    columns["claim"] = [Estimate(_claim(one)) for one in rows]
    columns = {name: entries for name, entries in columns.items() if any(entry.text for entry in entries)}
    shared = {
        name: entries[0].text
        for name, entries in columns.items()
        if len(rows) > 1 and len({entry.text for entry in entries}) == 1 and not constants
    }
    notes = [f"{name}: {text}" for name, text in shared.items() if (name, text) not in USUAL]
    columns = {name: entries for name, entries in columns.items() if name not in shared}
    columns.pop("status", None) if _usual(columns.get("status")) else None
    left = tuple(list(columns)[max(most_columns - len(keys), 1) :])
    last = "claim" if "claim" in left else ""  # the claim is always shown
    visible = [name for name in columns if name not in left]
    if last and visible:
        left = (visible.pop(), *(name for name in left if name != last))
        visible.append(last)
    table = keys | {name: columns[name] for name in visible}
    entries = [list(row) for row in zip(*table.values(), strict=True)]
    return AnswerTable(list(table), entries, notes, len(keys), len(found) - len(rows), left)


USUAL = {("status", "converged"), ("status", "completed"), ("n", "1")}
"""What every row may have without being worth a note."""


def _usual(entries: Sequence[Estimate] | None) -> bool:
    return entries is not None and {entry.text for entry in entries} <= {"converged", "completed"}


def _coordinate(value: object, words: Words) -> Estimate:
    text = words.value(value)
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")
    return Estimate(text, number, number, number)


def _number(value: int) -> Estimate:
    return Estimate(str(value), value, value, value)


def _columns(name: str, entries: Sequence[Sequence[Estimate]]) -> dict[str, list[Estimate]]:
    """Return a quantity's columns: one, or one per player where players differ anywhere."""
    names = max(([one.entry for one in row] for row in entries), key=len, default=[])
    if len(names) < 2:
        return {name: [row[0] if row else Estimate("") for row in entries]}
    blank, found = Estimate(""), [{one.entry: one for one in row} for row in entries]
    return {f"{name}, {own}": [row.get(own, row.get("", blank)) for row in found] for own in names}


def _shortened(text: str) -> str:
    return text if len(text) <= TEXT else f"{text[: TEXT - 1]}…"


def _claim(one: PointResults) -> str:
    """Return the claim, with the largest gain that it leaves open, and of how many sessions."""
    if one.claim in WITH_GAIN:
        return f"{one.claim}: {gain_in_words(one.gain, one.claim)}"
    if one.sessions and one.claim == "not an equilibrium":
        count, total = one.sessions
        return f"{one.claim} in {total - count} of {total} sessions"
    return one.claim


def chosen(found: Sequence[PointResults], most: int) -> list[int]:
    """Return the indices of at most ``most`` points: both ends of every stretch of one claim, and between."""
    import numpy as np

    if len(found) <= most:
        return list(range(len(found)))
    kinds = [
        (one.algorithm, frozenset(one.claims), frozenset(one.statuses), one.counts_text) for one in found
    ]
    edges = {k for k, (one, other) in enumerate(pairwise(kinds)) if one != other}
    ends = sorted({0, len(found) - 1, *edges, *(k + 1 for k in edges)})
    if len(ends) >= most:
        return [ends[k] for k in np.unique(np.linspace(0, len(ends) - 1, most).round().astype(int))]
    even = np.linspace(0, len(found) - 1, most - len(ends)).round().astype(int)
    return sorted({*ends, *map(int, even)})

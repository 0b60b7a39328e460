"""Checks that expectations refer to data that a study will have, and still apply after changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import reduce
from math import isclose
from operator import getitem
from typing import Any, NamedTuple

from rivalry.core.tolerances import SAME_NUMBER
from rivalry.lab.study.errors import StudyError, format_value, unknown
from rivalry.lab.study.identity import Table, TableDict
from rivalry.lab.study.points import Changes, Grid, short_names
from rivalry.lab.study.words import Words
from rivalry.schema.construction import is_number
from rivalry.schema.keys import Key, write_key

# variables of every solution, with their dimensions in a cell
SOLUTION: Mapping[str, tuple[str, ...]] = {
    "profile": ("player", "axis"),
    "payoff": ("player",),
    "regret": ("player",),
    "bound": ("player",),
    "coverage": (),
    "claim": (),
    "status": (),
    "steps": (),
    "residual": (),
    "end_state": (),
    "tolerance": (),
    "distance": (),
    "nearest_method": (),
}


TABLES = ("game", "method", "sweep", "batch", "replications", "certificate")
"""The tables of a study that determine its results."""

ABOUT_ALL = ("distance", "nearest_method")  # quantities that depend on the results of every method
ABOUT_CLAIMS = ("claim", "tolerance", *ABOUT_ALL)  # quantities that depend on the certificates' tolerance
_UNSET = "the default"
FEW = 3  # words of a sweep that are named
NAMED = 2  # changes named in a title; others are counted


class Difference(NamedTuple):
    """A key that differs between a run and its study, with its values in both.

    ``before`` (study) and ``after`` (run) list the swept values, or the single value. ``name`` is the key's
    coordinate in the run, ``old_name`` that in the study, which ``study`` names.
    """

    key: Key
    before: list[Any]
    after: list[Any]
    name: str
    old_name: str
    swept: bool  # in the run
    was_swept: bool  # in the study
    study: str

    @property
    def words(self) -> str:
        """Reason why a value is not compared."""
        after, before = _values_in_words(self.after), _values_in_words(self.before)
        return f"{self.text} = {after} in this run, {before} in {self.study}"

    @property
    def text(self) -> str:
        """The key as a dotted key."""
        return write_key(self.key)

    @property
    def is_parameter(self) -> bool:
        """True for a key of the game or of a method."""
        return self.key[0] in ("game", "method")

    def in_words(self, words: Words) -> str:
        """Return the key and its values for a reader.

        >>> one = Difference(("game", "disaster_cost"), [0.0, 5.0], [1.0], "disaster_cost", "disaster_cost",
        ...                  False, True, "the study")
        >>> one.in_words(Words({"game": {"family": "race"}}))
        'cost of a disaster 1 instead of 0 to 5'
        """
        label = words.key(self.name) if self.is_parameter else self.text
        return f"{label} {_span(self.after, words)} instead of {_span(self.before, words)}"


def differences(study: Table, base: str = "base") -> list[Difference]:
    """Return the keys in which a resolved study differs from the study as written (or its quick form).

    With ``base = "origin"``, those in which a copy differs from the study that it is based on.
    """
    before = study.get(base)
    if not before:
        return []
    old, new = _values(before), _values(study)
    study_words = study["based_on"] if base == "origin" else "the study"
    changes = []
    for key in [*new, *(key for key in old if key not in new)]:
        value_before, old_name, was_swept = old.get(key) or ([_value_at(before, key)], "", False)
        value_now, name, swept = new.get(key) or ([_value_at(study, key)], "", False)
        if value_before != value_now:
            short = write_key(key[1:])
            names = (name or short, old_name or short)
            changes.append(Difference(key, value_before, value_now, *names, swept, was_swept, study_words))
    changed_keys = {change.key for change in changes}
    return [
        change
        for change in changes
        if not any(change.key[:k] in changed_keys for k in range(1, len(change.key)))
    ]


def changes_in_words(study: Table) -> str:
    """Changes of a resolved study, as the end of a title; empty without changes.

    >>> before = {"game": {"family": "race"}, "sweep": {"game.disaster_cost": [0.0, 1.0]}}
    >>> changes_in_words(before | {"base": before, "game": {"family": "race", "players": 3}})
    'with 3 players'
    >>> changes_in_words(before | {"base": before, "sweep": {"game.disaster_cost": [0.0, 2.0, 9.0]}})
    'with cost of a disaster from 0 to 9'
    """
    words, changes = Words(study), differences(study)
    phrases = []
    for change in changes[:NAMED]:
        key, values = (
            words.key(change.name),
            [words.value(value) for value in (change.after[0], change.after[-1])],
        )
        value = values[0] if len(change.after) == 1 else f"from {values[0]} to {values[1]}"
        counted = key.startswith("number of ") and len(change.after) == 1
        phrases.append(f"{value} {key.removeprefix('number of ')}" if counted else f"{key} {value}")
    if (remainder := len(changes) - NAMED) > 0:
        phrases.append(f"{remainder} more change{'s' * (remainder > 1)}")
    return f"with {' and '.join(phrases)}" if phrases else ""


def is_reduced(study: Table) -> bool:
    """True for a resolved study in a quick form that reduces something.

    The first versions did not store what their quick forms reduce: those count as reduced.

    >>> is_reduced({"quick_form": True, "quick": {"sweep.game.reach.count": 3}})
    True
    >>> is_reduced({"quick_form": True, "quick": {}})
    False
    """
    return bool(study.get("quick_form")) and study.get("quick") != {}


def swept_in(tables: Table) -> dict[str, list[Any]]:
    """Return the values of every coordinate of a study's sweep and batch."""
    return {name: values for values, name, swept in _values(tables).values() if swept}


def applicable(differences: Sequence[Difference], row: Table) -> tuple[TableDict, str]:
    """Return an expectation's ``at``, completed for a changed run, and the reason if it does not apply.

    An expectation applies as long as the study computed the same cells. A swept key counts as unchanged if
    the expectation selects one of its values. For a key that only the run sweeps, the study's value is
    selected.
    """
    at = dict(row.get("at", {}))
    for difference in differences:
        root, *path = difference.key
        if root == "replications" or (root == "certificate" and row["quantity"] not in ABOUT_CLAIMS):
            continue
        if root == "method" and row["quantity"] not in ABOUT_ALL and "algorithm" in at:
            algorithm = str(at["algorithm"])
            if algorithm != path[0] and not algorithm.startswith(f"{path[0]}-"):
                continue
        if (
            difference.old_name in at
            and difference.name == difference.old_name
            and (difference.swept or difference.was_swept)
        ):
            if any(
                _covers(at[difference.name], value) or same_value(at[difference.name], value)
                for value in difference.after
            ):
                continue
        else:
            common_values = [value for value in difference.after if _covers(value, difference.before[0])]
            if difference.swept and len(difference.before) == 1 and common_values:
                at[difference.name] = common_values[0]
                continue
        return at, difference.words
    return at, ""


def _values(tables: Table) -> dict[Key, tuple[list[Any], str, bool]]:
    """Return values, coordinate and whether it is swept for every key that determines results."""
    values: dict[Key, tuple[list[Any], str, bool]] = {}
    fixed: dict[Key, Table] = {("game",): tables.get("game") or {}}
    fixed |= {("method", str(table.get("name"))): table for table in tables.get("method", ())}
    fixed |= {(name,): tables.get(name) or {} for name in ("replications", "certificate")}
    for root, table in fixed.items():
        values |= {key: ([value], "", False) for key, value in _leaves(table, root)}
    swept: Changes = {}
    for table_name in ("sweep", "batch"):
        grid = Grid(tables.get(table_name) or {}, table_name)
        swept |= grid.values
        if grid.zipped:
            values[table_name, "zip"] = ([True], "", False)
    names = short_names(swept)
    return values | {key: (values, names[key], True) for key, values in swept.items()}


def _value_at(tables: Table, key: Key) -> Any:
    """Return the value of a key in a game's or method's table."""
    root, *path = key
    value: Any = tables.get(str(root))
    if root == "method":
        value = {table.get("name"): table for table in tables.get("method", ())}
    try:
        return reduce(getitem, path, value)
    except (KeyError, IndexError, TypeError):
        return _UNSET


def _leaves(table: Table, above: Key) -> Iterator[tuple[Key, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _covers(value: object, target: object) -> bool:
    """True for a swept value that equals the wanted one, or every entry of one per player."""
    if isinstance(target, list) and not isinstance(value, list):
        return bool(target) and all(same_value(value, entry) for entry in target)
    return same_value(value, target)


def _span(values: Sequence[Any], words: Words) -> str:
    """Return swept numbers by their ends, other values one by one, the first few."""
    if len(values) > 1 and all(map(is_number, values)):
        return f"{words.value(min(values))} to {words.value(max(values))}"
    return ", ".join(map(words.value, values[:FEW])) + ", ..." * (len(values) > FEW)


def _values_in_words(values: Sequence[Any]) -> str:
    texts = [value if value is _UNSET else format_value(value) for value in values[:3]]
    return ", ".join(texts) + (f", ... ({len(values)} values)" if len(values) > 3 else "")


class Axes(NamedTuple):
    """Names that ``at`` may use: coordinates of a study's dataset and keys of the game's table.

    ``values`` holds the values of the coordinates of sweep and batch, ``algorithm`` and ``replication``;
    ``batched`` is true if cells hold several results.
    """

    values: Mapping[str, Sequence[Any]]
    game: Table
    batched: bool


def check(rows: Sequence[Table], axes: Axes, *, quick: bool, inherited: Sequence[object] = ()) -> None:
    """Raise `StudyError` for an ``at`` with an unknown coordinate, or a value that is not on it.

    With ``quick``, check only the entries that are valid for reduced runs. Those ``inherited`` from the study
    that a copy is based on may name what the copy has changed.
    """
    for k, row in enumerate(rows):
        if row in inherited or (quick and not row.get("quick")):
            continue
        quantity, known_dims = row["quantity"], SOLUTION.get(row["quantity"])
        if known_dims is None and (close := get_close_matches(quantity, SOLUTION, n=1, cutoff=0.8)):
            rule = f"{format_value(quantity)} is no variable; did you mean {close[0]!r}?"
            raise StudyError(rule, key=f"expect[{k}].quantity")
        # the dimensions of a metric are known only after the run
        dims = ("player", "axis") if known_dims is None else known_dims
        _check_at(row.get("at", {}), axes, f"expect[{k}].at", dims, open_ended=known_dims is None)


def check_plots(rows: Sequence[str | Table], axes: Axes, *, inherited: Sequence[object] = ()) -> None:
    """Raise `StudyError` for a plot's ``at`` with an unknown coordinate, or a value that is not on it."""
    for k, row in enumerate(rows):
        at = row.get("at", {}) if isinstance(row, Mapping) and row not in inherited else {}
        if not isinstance(at, Mapping):
            raise StudyError(
                f"{format_value(at)} must be a table, as in {{ reach = 0.2 }}", key=f"plots[{k}].at"
            )
        _check_at(at, axes, f"plots[{k}].at", ("player", "axis"), open_ended=True)


def check_test(test: Table, axes: Axes) -> None:
    """Raise `StudyError` for an ``at`` of the answer's test with an unknown coordinate or value."""
    for key, at in (("at", test.get("at") or {}), ("than.at", (test.get("than") or {}).get("at") or {})):
        for name, value in at.items():
            for entry in value if isinstance(value, list) else [value]:
                _check_at({name: entry}, axes, f"answer.test.{key}", ("player", "axis"), open_ended=True)


def _check_at(at: Table, axes: Axes, key: str, dims_of_variable: Sequence[str], *, open_ended: bool) -> None:
    """Check the entries of an ``at``; ``dims_of_variable`` are those besides the study's."""
    dims = {*axes.values, *dims_of_variable, *(("batch",) if axes.batched else ())}
    for name, value in at.items():
        place = f"{key}.{name}"
        if name == "method" and name not in axes.values:
            raise StudyError('is called algorithm: write at = { algorithm = "NAME" }', key=place)
        if name in axes.values:
            _require_in_sweep(value, axes.values[name], place)
        elif is_fixed(axes.game, name, value):
            continue
        elif name in dims:
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise StudyError(f"{format_value(value)} must be a whole number from 0", key=place)
        elif not open_ended or get_close_matches(name, dims, n=1, cutoff=0.7):
            raise StudyError(unknown(name, dims, "a coordinate here"), key=place)


def is_fixed(game: Table, name: str, value: object) -> bool:
    """True if the game has this value throughout, so that no selection is needed."""
    fixed = game.get(name)
    entries = fixed if isinstance(fixed, list) else [fixed]
    return fixed is not None and all(same_value(value, entry) for entry in entries)


def _require_in_sweep(value: object, swept: Sequence[Any], key: str) -> None:
    if any(same_value(value, swept_value) for swept_value in swept):
        return
    numbers = [swept_value for swept_value in swept if isinstance(swept_value, int | float)]
    if not isinstance(value, int | float) or not numbers:
        raise StudyError(
            unknown(value, [str(swept_value) for swept_value in swept], "among its values"), key=key
        )
    nearest = min(numbers, key=lambda swept_value: abs(swept_value - value))
    rule = f"{format_value(value)} is not among its {len(swept)} values; the nearest is {nearest!r}"
    raise StudyError(rule, key=key)


def same_value(a: object, b: object) -> bool:
    """True for two values of a coordinate that are one."""
    if isinstance(a, int | float) and isinstance(b, int | float):
        return isclose(a, b, rel_tol=SAME_NUMBER, abs_tol=1e-12)
    if isinstance(a, list) != isinstance(b, list):  # the dataset stores a list as text
        return str(a) == str(b)
    return bool(a == b)

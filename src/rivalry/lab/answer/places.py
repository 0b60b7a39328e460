"""Rows of results by place: their methods and swept keys, and the keys in which they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from rivalry.lab.study.identity import Table, TableDict
from rivalry.schema.construction import is_number

T = TypeVar("T")
K = TypeVar("K")


@runtime_checkable
class MethodPoint(Protocol):
    """A method and a point of the sweep, that results are of."""

    @property
    def algorithm(self) -> str:
        """Name of the method."""

    @property
    def at(self) -> Table:
        """Coordinates that vary, without the method."""


P = TypeVar("P", bound=MethodPoint)


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Items by a key, in the order in which they come.

    >>> grouped(["karma", "coin", "kind"], key=lambda word: word[0])
    {'k': ['karma', 'kind'], 'c': ['coin']}
    """
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def methods_of(rows: Iterable[MethodPoint]) -> list[str]:
    """Names of the methods of rows, in their order."""
    return list(dict.fromkeys(row.algorithm for row in rows))


def grouped_by_method(rows: Iterable[P]) -> dict[str, list[P]]:
    """Rows of each method."""
    return grouped(rows, lambda row: row.algorithm)


def base_methods(study: Table) -> set[str]:
    """Names of a study's methods without its negative controls."""
    return {str(table["name"]) for table in study["method"]}


def without(at: Table, *keys: str) -> TableDict:
    """Coordinates but those of some keys."""
    return {key: value for key, value in at.items() if key not in keys}


def place_of(row: MethodPoint, *without_keys: str) -> tuple[str, str]:
    """Method and point of a row, but for some keys, for comparison with others."""
    return row.algorithm, repr(without(row.at, *without_keys))


def places_of(rows: Iterable[MethodPoint]) -> set[str]:
    """Points of rows of any method, for comparison."""
    return {str(row.at) for row in rows}


def values_of(rows: Iterable[MethodPoint], key: str) -> set[str]:
    """Texts of the values of a key in the rows that have it."""
    return {str(row.at[key]) for row in rows if key in row.at}


def varying(rows: Sequence[MethodPoint]) -> list[str]:
    """Keys with several values."""
    return [key for key in keys_of(rows) if len(values_of(rows, key)) > 1]


def is_numeric(rows: Iterable[MethodPoint], key: str) -> bool:
    """True for a key with numbers alone."""
    return all(is_number(row.at.get(key, 0)) for row in rows)


def in_step(rows: Iterable[MethodPoint], name: str, key: str) -> bool:
    """True for a coordinate that another one fixes, as in a zip."""
    pairs = {(str(row.at[key]), str(row.at.get(name))) for row in rows if key in row.at}
    values = {value for _, value in pairs}
    return len(values) > 1 and len(pairs) == len({at for at, _ in pairs})


def differing_keys(rows: Sequence[MethodPoint], key: str) -> list[str]:
    """Keys in which rows differ beside one, one of those that vary together, as in a zip."""
    selected: list[str] = []
    for name in varying(rows):
        names = [*selected, key] if key else selected
        if name != key and not any(in_step(rows, name, other_name) for other_name in names):
            selected.append(name)
    return selected


def keys_of(rows: Iterable[MethodPoint]) -> list[str]:
    """Keys of rows, in their order."""
    keys: dict[str, None] = {}
    for row in rows:
        keys |= dict.fromkeys(row.at)
    return list(keys)


def point_by(row: MethodPoint, keys: Iterable[str]) -> tuple[str, ...]:
    """Texts of a row's values of some keys."""
    return tuple(str(row.at.get(key)) for key in keys)


def common_place(rows: Sequence[MethodPoint]) -> TableDict:
    """Coordinates that all rows share."""
    shared: TableDict = dict(rows[0].at) if rows else {}
    for row in rows:
        shared = {key: value for key, value in shared.items() if key in row.at and row.at[key] == value}
    return shared

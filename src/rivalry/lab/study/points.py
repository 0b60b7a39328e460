"""Values of a sweep, its points, and the tables at each of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from rivalry.lab.study.errors import StudyError, format_value, read_key, unknown
from rivalry.lab.study.identity import Table, TableDict
from rivalry.lab.study.schema import check_table
from rivalry.methods.q_learning.options import written_out
from rivalry.schema.construction import replace_entry
from rivalry.schema.keys import Key, write_key

# dimensions and variables of every dataset; a swept key of the same name keeps its full name
_NAMES = (
    "algorithm method replication player axis step batch departure point cell profile payoff regret bound "
    "coverage certificate_method tolerance claim status steps residual end_state path path_step left "
    "exchangeable distance nearest_method"
)
RESERVED = frozenset(_NAMES.split())

MOST_KEYS = 1000  # of a sweep, and of changes to a study: each copies tables
MOST = {"sweep": 1_000_000, "batch": 100_000}  # points; each is listed, built and checked before a run


Changes = dict[Key, Any]
"""Values of entries of a game's and of methods' tables, by their keys."""
Number = Annotated[float, Gt(-math.inf), Lt(math.inf)]
Span = TypedDict(  # evenly spaced values, ends included
    "Span",
    {
        "from": Number,
        "to": Number,
        "count": Annotated[int, Ge(2), Le(1_000_000)],
        "scale": NotRequired[Literal["linear", "log"]],
    },
)


class Cell(NamedTuple):
    """One point of a sweep with one method and one replication: the unit of work, seeding and resuming.

    ``id`` is the digest of ``task``, 16 hexadecimal digits; ``point`` gives each swept coordinate's value.
    """

    id: str
    point: TableDict
    method: str
    replication: int
    task: TableDict


def values(form: object, key: Key, *, repeats: bool = False) -> list[Any]:
    """Return the values of a list or ``{ from, to, count, scale }``, or raise `StudyError` if it is invalid.

    >>> values({"from": 1, "to": 4, "count": 4}, ("game", "players"))
    [1, 2, 3, 4]
    """
    if isinstance(form, Mapping):
        return _spread_values(dict(form), key)
    if not isinstance(form, list | tuple):
        rule = f"{format_value(form)} must be a list of values or {{ from, to, count }}"
        raise StudyError(rule, key=write_key(key))
    if not form:
        raise StudyError("[] must hold at least one value", key=write_key(key))
    values_before = set[Any]()
    for k, value in enumerate(form):
        if isinstance(value, Mapping):
            rule = f"{format_value(value)} must be a number, a word or a list"
            raise StudyError(rule, key=write_key((*key, k)))
        if isinstance(value, float) and not math.isfinite(value):
            raise StudyError(f"{value} must be finite", key=write_key((*key, k)))
        if (hashable := _hashable(value)) in values_before and not repeats:
            raise StudyError(f"{format_value(value)} is there twice", key=write_key((*key, k)))
        values_before.add(hashable)
    return list(form)


def _hashable(value: object) -> Any:
    """Return a value, or a list as a tuple: equal values have equal ones."""
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def _spread_values(form: TableDict, key: Key) -> list[Any]:
    span = check_table(Span, form, key)
    low, high, count, log = span["from"], span["to"], span["count"], span.get("scale") == "log"
    if low == high:
        raise StudyError(f"from and to are both {high:g}; must differ", key=write_key(key))
    if log and min(low, high) <= 0:
        bad = "from" if low <= 0 else "to"
        raise StudyError(f"{form[bad]} must be above 0 on a log scale", key=write_key((*key, bad)))
    spread = np.geomspace if log else np.linspace
    numbers: list[float] = spread(low, high, count).tolist()
    # whole numbers stay integers, as keys such as the number of players require
    integers = not log and isinstance(form["from"], int) and isinstance(form["to"], int)
    return [round(v) for v in numbers] if integers and all(v == round(v) for v in numbers) else numbers


def flat(table: Table, above: Key = ()) -> Changes:
    """Return the entries of nested tables by their keys.

    Names of the outermost table are dotted keys, so ``[sweep] "game.reach" = [...]`` equals ``game.reach =
    [...]``; in tables below a name is one part, whatever it holds.

    >>> flat({"game": {"demand": {"s>t": [1, 2]}}, "method.a.rate": {"from": 1, "to": 2, "count": 2}})
    {('game', 'demand', 's>t'): [1, 2], ('method', 'a', 'rate'): {'from': 1, 'to': 2, 'count': 2}}
    """
    entries: Changes = {}
    for name, value in table.items():
        key = (*above, name) if above else read_key(name)
        is_span = isinstance(value, Mapping) and isinstance(value.get("from"), int | float | str)
        if isinstance(value, Mapping) and value and not is_span and len(key) == len(above) + 1:
            entries |= flat(value, key)
        else:
            entries[key] = value
    return entries


class Grid:
    """Points of a ``[sweep]`` or ``[batch]``: the product of its keys, or their zip with ``zip = true``."""

    def __init__(self, table: Table, table_name: str) -> None:
        keys = dict(table)
        self.zipped = keys.pop("zip", False)
        if not isinstance(self.zipped, bool):
            raise StudyError(f"{format_value(self.zipped)} must be true or false", key=f"{table_name}.zip")
        self.forms = flat(keys)
        if len(self.forms) > MOST_KEYS:
            rule = f"{len(self.forms)} keys are too many; must be at most {MOST_KEYS}"
            raise StudyError(rule, key=table_name)
        self.values = {
            key: values(form, (table_name, *key), repeats=self.zipped) for key, form in self.forms.items()
        }
        for key in self.values:
            if key[0] not in ("game", "method"):
                example = write_key((table_name, "game", *key))
                rule = f"must begin with game. or method.NAME., as in {example}"
                raise StudyError(rule, key=write_key((table_name, *key)))
        lengths = {key: len(values) for key, values in self.values.items()}
        if self.zipped and len(set(lengths.values())) > 1:
            counted = ", ".join(f"{write_key(key)} has {n}" for key, n in lengths.items())
            raise StudyError(f"needs keys with equally many values; {counted}", key=f"{table_name}.zip")
        if self.count > MOST[table_name]:
            raise StudyError(
                f"{self.count:.6g} points are too many; must be at most {MOST[table_name]}", key=table_name
            )

    @property
    def count(self) -> int:
        """Number of points."""
        lengths = [len(values) for values in self.values.values()]
        return lengths[0] if self.zipped and lengths else prod(lengths)

    @property
    def table(self) -> TableDict:
        """Table as written in a study."""
        forms = {write_key(key): form for key, form in self.forms.items()}
        return {"zip": True, **forms} if self.zipped else forms

    def __iter__(self) -> Iterator[Changes]:
        """Yield every point, ``{key: value}``, the last key fastest; one empty point without keys."""
        rows: Iterable[tuple[Any, ...]] = product(*self.values.values())
        if self.zipped and self.values:
            rows = zip(*self.values.values(), strict=True)
        return (dict(zip(self.values, row, strict=True)) for row in rows)


def short_names(keys: Iterable[Key]) -> dict[Key, str]:
    """Return every key's coordinate name: its text without ``game.`` or ``method.``, unless that clashes.

    Dimensions of files have no slash, so there it is an escape of TOML.

    >>> list(short_names([("game", "reach"), ("method", "climb", "rate"), ("game", "payoff")]).values())
    ['reach', 'climb.rate', 'game.payoff']
    """
    short = {key: write_key(key[1:]) for key in keys}
    ambiguous = {name for name, count in Counter(short.values()).items() if count > 1} | RESERVED
    names = {key: write_key(key) if name in ambiguous else name for key, name in short.items()}
    return {key: name.replace("/", r"\u002F") for key, name in names.items()}


def apply_changes(
    game: Table, methods: Sequence[Table], changes: Mapping[Key, Any]
) -> tuple[TableDict, list[TableDict]]:
    """Return copies of the tables with some entries changed. Raises `StudyError` for an unknown method."""
    new_game, new_methods = dict(game), [dict(table) for table in methods]
    names = [str(table["name"]) for table in methods]
    for key, value in changes.items():
        root, *path = key
        if root == "game" and path:
            new_game = change_entry(new_game, path, value, key, _players(new_game))
        elif root == "method" and len(path) > 1:
            if path[0] not in names:
                raise StudyError(unknown(path[0], names, "the name of a method here"), key=write_key(key))
            k = names.index(str(path[0]))
            option = str(path[1])
            if len(path) > 2 and isinstance(path[2], str):
                new_methods[k][option] = written_out(option, new_methods[k].get(option))
            new_methods[k] = change_entry(new_methods[k], path[1:], value, key, _players(new_game))
        else:
            rule = f"must be game.KEY or method.NAME.KEY; NAME: {', '.join(names)}"
            raise StudyError(rule, key=write_key(key))
    return new_game, new_methods


def batch_points(task: Table) -> list[tuple[Changes, TableDict, TableDict]]:
    """Return per batch point of a task: the point by key, the game's table, the method's table."""
    points = []
    for point in Grid(task["batch"] or {}, "batch"):
        game, (method,) = apply_changes(task["game"], [task["method"]], point)
        points.append((point, game, method))
    return points


def change_entry(old: Any, path: Sequence[str | int], value: Any, key: Key, players: int | None) -> Any:
    """Return a copy of a table with one entry changed. Raises `StudyError`."""
    try:
        return replace_entry(old, path, value, "", players, words=False)
    except ValueError as error:
        raise StudyError(str(error).removeprefix(": "), key=write_key(key)) from None


def _players(game: Table) -> int | None:
    players = game.get("players")
    return players if isinstance(players, int) and players > 0 else None

"""Keys of a table, from the annotated keywords of a factory or fields of a class.

Annotations may carry bounds (`annotated_types`), alternatives (`Literal`) and the parameter's meaning with
its unit: ``reach: Annotated[float, Gt(0), "standard deviation, units of space"]``.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
import types
from collections.abc import Sequence
from functools import cache
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from annotated_types import Ge, Gt, Le, Lt

from rivalry.lab.study.errors import StudyError, format_value
from rivalry.lab.study.identity import Table, TableDict
from rivalry.schema.annotations import (
    Factory,
    Keys,
    bounds_of,
    keys_with_symbol,
    length_of,
    storable_members,
    symbol_of,
    type_name,
)
from rivalry.schema.keys import write_key
from rivalry.schema.validate import convert, fault_of, near

_SIGNS = {Gt: ">", Ge: ">=", Lt: "<", Le: "<="}


class Parameter(NamedTuple):
    """A key of a table: its type, default, bounds and meaning."""

    name: str
    type: str
    default: Any
    required: bool
    bounds: str
    meaning: str
    symbol: str = ""

    def as_json(self) -> TableDict:
        """Return the key as a table for JSON."""
        row = self._asdict()
        row["default"] = None if self.required else jsonable(self.default)
        return row


def jsonable(value: object) -> Any:
    """Return a default in a form that JSON can hold, else its ``repr``."""
    try:
        return json.loads(json.dumps(value, default=lambda v: v.tolist(), allow_nan=False))
    except (AttributeError, TypeError, ValueError):
        return repr(value)


def parameters(target: Factory) -> list[Parameter]:
    """Return the keys that a factory's keywords or a class's fields define.

    >>> from annotated_types import Gt
    >>> def family(reach: Annotated[float, Gt(0), "how far"] = 0.1): ...
    >>> [(row.name, row.type, row.default, row.bounds, row.meaning) for row in parameters(family)]
    [('reach', 'number', 0.1, '> 0', 'how far')]
    """
    keys = []
    for name, hint, default in _keywords(target):
        required = default is inspect.Parameter.empty
        notes = list(dict.fromkeys(_notes(hint)))
        meaning = "; ".join(note for note in notes if type(note) is str)  # a `Symbol` is text too
        kind, usual = type_name(hint), None if required else default
        keys.append(Parameter(name, kind, usual, required, _bounds(notes), meaning, symbol_of(hint)))
        for note in notes:
            if isinstance(note, Keys):
                rows = parameters(note.target)
                rows = [row for row in rows if not note.names or row.name in note.names]
                keys += [row._replace(name=f"{name}.{row.name}") for row in rows]
    return keys


def json_schema(target: Factory) -> TableDict:
    """Return the JSON Schema of a factory's or method's table, for use in forms."""
    rows, keys = _keywords(target), [row for row in parameters(target) if "." not in row.name]
    return {
        "title": target.__name__,
        "type": "object",
        "additionalProperties": False,
        "properties": {
            row.name: _json_type(hint, ())
            | ({"description": row.meaning} if row.meaning else {})
            | ({} if row.required else {"default": jsonable(row.default)})
            for row, (_, hint, _) in zip(keys, rows, strict=True)
        },
        "required": [name for name, _, default in rows if default is inspect.Parameter.empty],
    }


_JSON_TYPES: dict[Any, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    type(None): "null",
    list: "array",
    tuple: "array",
    dict: "object",
}
_JSON_BOUNDS = {Gt: "exclusiveMinimum", Ge: "minimum", Lt: "exclusiveMaximum", Le: "maximum"}


def _json_type(hint: object, notes: tuple[Any, ...]) -> TableDict:
    """Return an annotation as JSON Schema; types that no file can hold allow anything."""
    origin, members = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _json_type(members[0], (*notes, *members[1:]))
    if origin in (Union, types.UnionType):
        return {"anyOf": [_json_type(member, notes) for member in storable_members(hint)]}
    if origin is Literal:
        return {"enum": list(members)}
    # a list's notes bound its entries and its length: each level takes those that it has a word for
    kind = _JSON_TYPES.get(origin or hint)
    schema: TableDict = {"type": kind} if kind else {}
    if kind in ("number", "integer"):
        schema |= {_JSON_BOUNDS[bound]: edge for bound, edge in bounds_of(notes) if math.isfinite(edge)}
    if kind == "array":
        fewest, longest = length_of(notes)
        schema |= {"items": _json_type(members[0], notes)} if members else {}
        schema |= {"minItems": fewest} if fewest else {}
        schema |= {"maxItems": longest} if longest is not None else {}
    if kind == "object" or is_typeddict(hint):
        tables = [(note.names, json_schema(note.target)) for note in notes if isinstance(note, Keys)]
        properties = {
            key: shape
            for names, table in tables
            for key, shape in table["properties"].items()
            if not names or key in names
        }
        schema |= {"type": "object"} | ({"properties": properties} if properties else {})
    return schema


def check_table(
    target: Factory,
    table: Table,
    prefix: Sequence[str | int],
    further_keys: Sequence[str] = (),
) -> TableDict:
    """Return a table's values converted to the annotated types; omitted keys stay omitted.

    ``target`` is a factory, a class of methods, or a class whose fields are the keys of a table. Objects from
    a user's file are left to it. ``further_keys`` are for the hint at a misspelt one.

    Raises
    ------
    StudyError
        With the key, for an unknown key, a wrong type or a value out of bounds.
    """
    rows = {name: (hint, default) for name, hint, default in _keywords(target)}
    for name in table:
        if name not in rows:
            names = keys_with_symbol(name, {key: hint for key, (hint, _) in rows.items()})
            rule = (
                f"is called {names} here" if names else f"unknown key; {near(name, [*rows, *further_keys])}"
            )
            raise StudyError(rule, key=write_key([*prefix, name]), unknown="" if names else name)
    for name, (_, default) in rows.items():
        if default is inspect.Parameter.empty and name not in table:
            raise StudyError("is missing", key=write_key([*prefix, name]))
    converted = dict(table)
    for name, value in table.items():
        if _holds_objects(value):  # annotations describe what a file can hold
            continue
        hint = rows[name][0]
        if (fault := fault_of(hint, value)) is not None:
            raise StudyError(fault.message(format_value), key=write_key([*prefix, name]) + fault.where)
        converted[name] = convert(hint, value)
    return converted


def missing(table: Table, name: str, rule: str, prefix: Sequence[str | int]) -> StudyError:
    """Return the error of a table without a key that it needs, or with a misspelt one."""
    for key in table:
        if (hint := near(key, [name])).startswith("did"):
            return StudyError(f"unknown key; {hint}", key=write_key([*prefix, key]))
    return StudyError(f"is missing; {rule}", key=write_key([*prefix, name]))


def keys_of(target: Factory) -> list[str]:
    """Return the keys of a factory, a method or a table."""
    return [name for name, _, _ in _keywords(target)]


@cache
def _keywords(target: Factory) -> list[tuple[str, Any, Any]]:
    """Return name, annotation and default (`Parameter.empty` where there is none) of every key."""
    empty = inspect.Parameter.empty
    try:
        hints = get_type_hints(target, include_extras=True)
    except NameError as error:
        is_named = isinstance(target, type) or inspect.isroutine(target)
        label = f"{target.__module__}.{target.__qualname__}" if is_named else str(target)
        raise StudyError(f"{label}: an annotation cannot be read: {error}") from None
    if is_typeddict(target):
        plain = {n: get_args(h)[0] if get_origin(h) is NotRequired else h for n, h in hints.items()}
        required: frozenset[str] = vars(target)["__required_keys__"]
        return [(name, hint, empty if name in required else None) for name, hint in plain.items()]
    defaults = {}  # defaults that the signature of a dataclass does not show
    if inspect.isclass(target) and dataclasses.is_dataclass(target):
        factories = {field.name: field.default_factory for field in dataclasses.fields(target)}
        defaults = {name: make() for name, make in factories.items() if make is not dataclasses.MISSING}
    return [
        (parameter.name, hints.get(parameter.name, Any), defaults.get(parameter.name, parameter.default))
        for parameter in inspect.signature(target).parameters.values()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]


def _holds_objects(value: object) -> bool:
    """True for a value with an object loaded from a user's file, which TOML cannot hold."""
    if isinstance(value, dict):
        return any(map(_holds_objects, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_objects, value))
    return callable(value)


def _notes(hint: object) -> list[Any]:
    """Return the notes beside types anywhere in an annotation."""
    if get_origin(hint) is Literal:
        return []
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
        return notes + _notes(hint)
    return [note for part in get_args(hint) for note in _notes(part)]


def _bounds(notes: Sequence[Any]) -> str:
    """Return the bounds among the notes of an annotation, as a table prints them."""
    parts = [f"{_SIGNS[kind]} {edge:g}" for kind, edge in bounds_of(tuple(notes))]
    fewest, _ = length_of(notes)
    return ", ".join(dict.fromkeys([*parts, *([f"at least {fewest} entries"] if fewest else [])]))

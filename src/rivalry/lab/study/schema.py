"""A factory's signature, or a method's fields, as a strict model: the one place where parameters are written.

Annotations may carry bounds (`annotated_types`), alternatives (`Literal`) and a sentence that says what the
parameter means, with its unit: ``reach: Annotated[float, Gt(0), "standard deviation, units of space"]``.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import types
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError

from rivalry.core.validate import Keys, Symbol, is_table, spelled_out, symbol_of, type_name, written
from rivalry.lab.study.errors import StudyError, dotted, from_pydantic

_PLAIN = (bool, int, float, str, type(None), dict, list, tuple)


class Parameter(NamedTuple):
    """One key of a table: what it takes, its default, its bounds and what it means."""

    name: str
    type: str
    default: Any
    required: bool
    bounds: str
    meaning: str
    symbol: str = ""

    def as_json(self) -> dict[str, Any]:
        """The same, fit for JSON."""
        row = self._asdict()
        row["default"] = None if self.required else jsonable(self.default)
        return row


def jsonable(value: Any) -> Any:
    """A default as JSON can hold it; what it cannot hold is shown by its text."""
    try:
        return json.loads(json.dumps(value, default=lambda v: v.tolist(), allow_nan=False))
    except (AttributeError, TypeError, ValueError):
        return repr(value)


def parameters(target: Callable[..., Any]) -> list[Parameter]:
    """The keys that a factory's keywords, or a class's fields, make.

    >>> from annotated_types import Gt
    >>> def family(reach: Annotated[float, Gt(0), "how far"] = 0.1): ...
    >>> [(row.name, row.type, row.default, row.bounds, row.meaning) for row in parameters(family)]
    [('reach', 'number', 0.1, '> 0', 'how far')]
    """
    found = []
    for name, hint, default in _keywords(target):
        required = default is inspect.Parameter.empty
        notes = list(dict.fromkeys(_notes(hint)))
        meaning = "; ".join(note for note in notes if isinstance(note, str) and not isinstance(note, Symbol))
        bounds = ", ".join(dict.fromkeys(filter(None, (_bound(note) for note in notes))))
        usual = None if required else default
        found.append(Parameter(name, type_name(hint), usual, required, bounds, meaning, symbol_of(hint)))
        for note in notes:
            if isinstance(note, Keys):
                found += [row._replace(name=f"{name}.{row.name}") for row in parameters(note.target)]
    return found


def json_schema(target: Callable[..., Any]) -> dict[str, Any]:
    """The JSON Schema of a factory's or a method's table, as a form would use it."""
    return model(target).model_json_schema()


def checked(
    target: Callable[..., Any],
    table: Mapping[str, Any],
    prefix: Sequence[str | int],
    also: Sequence[str] = (),
) -> dict[str, Any]:
    """The table's values, converted as the annotations say; what the table leaves out stays out.

    ``also`` are keys that the table may have besides, for the hint at a name that is near.

    Raises `StudyError` with the key for an unknown key, a wrong type or a value outside its bounds.
    """
    built = model(target)
    known = list(built.model_fields)
    for name in table:
        if name not in known and (other := spelled_out(name, _hints(target))):
            raise StudyError(f"is called {other} here", key=dotted([*prefix, name]))
    plain = {k: v for k, v in table.items() if k not in known or not _holds_objects(v)}
    given = {k: v for k, v in table.items() if k not in plain}
    for name, field in built.model_fields.items():
        if name in given:  # an object from a user's file: the factory itself looks at it
            plain.pop(name, None)
        elif field.is_required() and name not in plain:
            raise StudyError("is missing", key=dotted([*prefix, name]))
    try:
        found = model(target, frozenset(given)).model_validate_json(json.dumps(plain, default=str))
    except ValidationError as error:
        raise from_pydantic(error, plain, prefix, [*known, *also]) from None
    return {name: getattr(found, name) for name in plain} | given


@cache
def model(target: Callable[..., Any], leave: frozenset[str] = frozenset()) -> type[BaseModel]:
    """The strict model of a factory's keywords or a class's fields, without those in ``leave``."""
    return _model(target, leave)


_CONFIG = ConfigDict(strict=True, extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())


def _model(target: Callable[..., Any], leave: frozenset[str]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for name, hint, default in _keywords(target):
        if name not in leave:
            missing = default is inspect.Parameter.empty
            fields[name] = (_spread(hint), Field() if missing else Field(default=default))
    try:
        return create_model(getattr(target, "__name__", "Table"), __config__=_CONFIG, **fields)
    except (PydanticUserError, TypeError) as error:
        raise StudyError(f"{_label(target)}: {error}") from None


def _label(target: Callable[..., Any]) -> str:
    return f"{getattr(target, '__module__', '?')}.{getattr(target, '__qualname__', target)}"


def _keywords(target: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    """Name, annotation and default (`Parameter.empty` where there is none) of every key."""
    empty = inspect.Parameter.empty
    hints = _hints(target)
    if inspect.isclass(target) and dataclasses.is_dataclass(target):
        rows = []
        for field in dataclasses.fields(target):
            if not field.init:
                continue
            default: Any = field.default
            if default is dataclasses.MISSING:
                made: Any = field.default_factory
                default = empty if made is dataclasses.MISSING else made()
            rows.append((field.name, hints.get(field.name, Any), default))
        return rows
    skip = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    signature = inspect.signature(target)
    return [
        (p.name, hints.get(p.name, Any), p.default)
        for p in signature.parameters.values()
        if p.kind not in skip
    ]


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(target, include_extras=True)
    except NameError as error:
        raise StudyError(f"{_label(target)}: an annotation cannot be read: {error}") from None


def _holds_objects(value: Any) -> bool:
    """Whether a value holds something that no TOML file can: an object loaded from a user's file."""
    if isinstance(value, dict):
        return any(map(_holds_objects, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_objects, value))
    return callable(value)


def _spread(hint: Any) -> Any:
    """Bounds on a union or a list hold for each number in it; what is no plain type the factory checks."""
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        return _bounded(inner, [note for note in notes if not isinstance(note, str)])
    return _bounded(hint, [])


def _bounded(hint: Any, notes: list[Any]) -> Any:
    origin = get_origin(hint)
    if origin is Annotated:
        inner, *more = get_args(hint)
        return _bounded(inner, [n for n in more if not isinstance(n, str)] + notes)
    if origin in (Union, types.UnionType):
        return Union[tuple(_bounded(member, notes) for member in written(hint))]  # noqa: UP007
    numeric = [n for n in notes if not _is_length(n)]
    lengths = tuple(n for n in notes if _is_length(n))
    if origin is list:
        (inner,) = get_args(hint)
        return _annotated(list[_bounded(inner, numeric)], lengths)  # type: ignore[misc]
    if origin is tuple:
        members = tuple(m if m is Ellipsis else _bounded(m, numeric) for m in get_args(hint))
        return _annotated(tuple[members], lengths)  # type: ignore[valid-type]
    if origin in (Literal, dict) or hint is Any:
        return hint
    if isinstance(hint, type) and issubclass(hint, float | int) and hint is not bool:
        return _annotated(hint, tuple(notes))
    if hint in _PLAIN or hint is None or is_table(hint):
        return hint
    return Any  # arrays, callables, objects: the factory checks them


def _is_length(note: Any) -> bool:
    return type(note).__name__ in ("Len", "MinLen", "MaxLen")


def _annotated(hint: Any, notes: tuple[Any, ...]) -> Any:
    return Annotated[(hint, *notes)] if notes else hint


def _notes(hint: Any) -> list[Any]:
    """Everything written beside types anywhere in an annotation."""
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        return notes + _notes(inner)
    return (
        [note for part in get_args(hint) for note in _notes(part)] if get_origin(hint) is not Literal else []
    )


def _bound(note: Any) -> str:
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    if isinstance(note, str):
        return ""
    parts = [
        f"{sign} {getattr(note, key):g}" for key, sign in signs.items() if _number(getattr(note, key, None))
    ]
    if getattr(note, "min_length", 0):
        parts.append(f"at least {note.min_length} entries")
    return ", ".join(parts)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

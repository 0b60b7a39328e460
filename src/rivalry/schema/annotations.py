"""Schema of a factory's keywords, read from the annotations of its signature.

``reach: Annotated[float, Symbol("sigma"), Gt(0), "standard deviation, units of space"]`` has the type, the
symbol of the sources, a bound and the meaning. `rivalry.schema.validate` checks values against annotations.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, wraps
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen

Count = Annotated[int, Ge(1)]
Natural = Annotated[int, Ge(0)]
Positive = Annotated[float, Gt(0)]
Share = Annotated[float, Ge(0), Le(1)]
Factory = Callable[..., Any]  # a factory or a class
R = TypeVar("R")


class Symbol(str):
    """The symbols of a parameter in the sources, as a note in its annotation.

    `rivalry show` prints them beside the key. A symbol used as a key is rejected; the message names the
    parameter.
    """

    __slots__ = ()


class AcceptedInterval(str):
    """A note of a number, or of the entries of a list, of which a study need try only the ends.

    Where the other parameters are fixed, the accepted values below 0 form an interval, so do those from 0 on,
    and in each the type of the game is the same and the bounds of its strategies are monotone. The text names
    the parameters beside which this is not claimed: ``AcceptedInterval("stages unit_cost")``.
    """

    __slots__ = ()


class Keys(NamedTuple):
    """The permitted keys of a table, given by the fields of a class, as a note in an annotation.

    ``cost: Annotated[str | dict[str, Any], Keys(CostKeys), "cost of inputs"]``, where ``CostKeys`` is a named
    tuple whose fields are annotated like a factory's keywords, or a typed dictionary. Of several tables of
    one kind each may permit other keys: ``names``, all if empty. A table whose ``kind`` decides on its keys
    has the classes of the ``kinds`` too, see `keys_by_kind`.
    """

    target: Factory
    names: tuple[str, ...] = ()
    kinds: tuple[tuple[str, Factory], ...] = ()


def keys_by_kind(kind: object, *classes: type) -> Keys:
    """Return the note of a table with a ``kind``, of which every kind has the fields of its class as keys.

    ``kind`` is the annotation of that key; the first kind is its default. A key that several kinds have is
    described by the first of them. Keys that not all kinds have get a note of the kinds that they need, and
    their meaning begins with these.

    >>> @dataclasses.dataclass
    ... class Flat:
    ...     price: float = 1.0
    >>> @dataclasses.dataclass
    ... class Steep(Flat):
    ...     slope: Annotated[float, "rise of the price"] = 0.0
    >>> _, hints = signature_of(keys_by_kind(Literal["flat", "steep"], Flat, Steep).target)
    >>> meaning_of(hints["slope"]), needs_note(hints["slope"])
    ('steep: rise of the price', Needs(keys='kind', values=('steep',)))
    """
    kinds = {kind_name(one_class): one_class for one_class in classes}
    fields: dict[str, tuple[Any, Any]] = {"kind": (kind, next(iter(kinds)))}
    for one_class in classes:
        parameters, hints = signature_of(one_class)
        for key in [key for key in parameters if key not in fields]:
            having = tuple(word for word, kind_class in kinds.items() if key in keywords(kind_class))
            hint = hints[key] if len(having) == len(kinds) else _of_kinds(hints[key], having)
            fields[key] = hint, parameters[key].default
    rows = [(key, hint, dataclasses.field(default=default)) for key, (hint, default) in fields.items()]
    return Keys(dataclasses.make_dataclass("Table", rows), kinds=tuple(kinds.items()))


def kind_name(kind: type) -> str:
    """Return the word for a class in tables.

    >>> class WinnerOnly: ...
    >>> kind_name(WinnerOnly)
    'winner_only'
    """
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


def _of_kinds(hint: Any, kinds: tuple[str, ...]) -> object:
    """Return the annotation of a key with a note of the kinds that have it."""
    notes = [note for note in _notes(hint) if type(note) is not str]
    meaning = f"{', '.join(kinds)}: {meaning_of(hint)}"
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    return Annotated[plain, *notes, Needs("kind", kinds), meaning]


class Needs(NamedTuple):
    """The key without which a parameter has no effect, as a note in its annotation.

    ``cash_min: Annotated[float, Needs("cash")]`` has an effect where ``cash`` is given, and ``fine:
    Annotated[float, Needs("kind", ("penalty",))]`` where ``kind`` has one of these values. Of several keys,
    ``"invest share"``, one is enough.
    """

    keys: str
    values: tuple[str, ...] = ()


@cache
def signature_of(target: Factory) -> tuple[dict[str, inspect.Parameter], dict[str, Any]]:
    """Return the parameters of a function or a class that have a keyword, and their annotations, by name."""
    if is_typeddict(target):
        hints = get_type_hints(target, include_extras=True)
        return {name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in hints}, hints
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(target).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    hints = {}
    if isinstance(target, type):
        return parameters, get_type_hints(target, include_extras=True)
    for name, parameter in parameters.items():
        try:
            hints |= get_type_hints(_OneAnnotation(target, name, parameter.annotation), include_extras=True)
        except (NameError, TypeError):  # only a type checker can read this annotation
            continue
    return parameters, hints


class _OneAnnotation:
    """A stand-in for a function with a single parameter, for `get_type_hints`."""

    def __init__(self, target: Factory, name: str, annotation: object) -> None:
        home = inspect.unwrap(target)
        self.__globals__ = vars(sys.modules[home.__module__])
        self.__annotations__ = {name: annotation}


def keywords_of_groups(factory: Callable[..., R]) -> Callable[..., R]:
    """Decorate a factory of groups of keys: its keywords are the fields of its parameters' classes.

    The classes are frozen dataclasses. Their annotations and defaults are those of the keywords.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Demand:
    ...     slope: Annotated[float, "decrease of the price per unit"] = 1.0
    >>> @dataclasses.dataclass(frozen=True)
    ... class Costs:
    ...     unit_cost: float = 0.0
    >>> @keywords_of_groups
    ... def margin(demand: Demand, costs: Costs) -> float:
    ...     return 10.0 - demand.slope - costs.unit_cost
    >>> str(inspect.signature(margin)).startswith("(*, slope: "), margin(unit_cost=2.0)
    (True, 7.0)
    """
    groups = {name: group for name, group in get_type_hints(factory).items() if name != "return"}
    fields = {name: [field.name for field in dataclasses.fields(group)] for name, group in groups.items()}
    usual = {name: group() for name, group in groups.items()}
    parameters = []
    for name, group in groups.items():
        hints = get_type_hints(group, include_extras=True)
        for key in fields[name]:
            parameter = inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, annotation=hints[key])
            parameters.append(parameter.replace(default=getattr(usual[name], key)))

    @wraps(factory)
    def call(**values: Any) -> R:
        made = {}
        for name, group in groups.items():
            made[name] = group(**{key: values[key] for key in fields[name] if key in values})
        return factory(**made)

    vars(call)["__signature__"] = inspect.Signature(parameters)
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


SYNONYMS = {
    "discount": "gamma",
    "discount_factor": "gamma",
    "epsilon": "exploration",
    "inverse_temperature": "beta",
    "iterations": "max_steps",
    "learning_rate": "step_size",
    "marginal_cost": "unit_cost",
    "max_iter": "max_steps",
    "n_players": "players",
    "num_players": "players",
    "rationality": "beta",
    "tolerance": "tol",
}
"""Other words of the field for keys of games, methods and functions, which messages answer with the key."""


def keys_with_symbol(name: str, hints: Mapping[str, Any]) -> str:
    """Return the parameters with ``name`` as a `Symbol` or synonym, joined by "or"; an empty string if none.

    >>> keys_with_symbol("c", {"unit_cost": Annotated[float, Symbol("c C")], "capacity": float})
    'unit_cost'
    """
    synonym = SYNONYMS.get(name)
    keys = [key for key, hint in hints.items() if key == synonym or name in symbol_of(hint).split()]
    for key, hint in hints.items():
        for note in keys_notes(hint):
            parameters_within, hints_within = signature_of(note.target)
            within = (
                name if name in parameters_within and name != "kind" else keys_with_symbol(name, hints_within)
            )
            keys += [f"{key}.{within}"] if within else []
    return " or ".join(keys)


def keywords(target: Factory) -> dict[str, inspect.Parameter]:
    """Return the parameters of a function by name."""
    return signature_of(target)[0]


def _notes(hint: object) -> tuple[Any, ...]:
    return get_args(hint)[1:] if get_origin(hint) is Annotated else ()


def keys_notes(hint: object) -> list[Keys]:
    """Return the notes of an annotation that give the keys of a table."""
    return [note for note in _notes(hint) if isinstance(note, Keys)]


def needs_note(hint: object) -> Needs | None:
    """Return the note of an annotation that names the key a parameter needs, or None."""
    return next((note for note in _notes(hint) if isinstance(note, Needs)), None)


def symbol_of(hint: object) -> str:
    """Return the `Symbol` of an annotation, or an empty string."""
    return next((str(note) for note in _notes(hint) if isinstance(note, Symbol)), "")


def meaning_of(hint: object) -> str:
    """Return the meaning that an annotation states, or an empty string.

    >>> meaning_of(Annotated[float, Symbol("sigma"), Gt(0), "standard deviation, units of space"] | None)
    'standard deviation, units of space'
    """
    texts = [note for note in _notes(hint) if type(note) is str]  # a `Symbol` is text too
    union = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else ()
    return "; ".join(texts) or next(filter(None, map(meaning_of, union)), "")


def accepted_intervals(target: Factory) -> dict[str, tuple[str, ...]]:
    """Return the dotted keys with an `AcceptedInterval`, each with the keys beside which it is not claimed.

    >>> def family(reach: Annotated[float, AcceptedInterval("points")] | None = None, players: int = 2): ...
    >>> accepted_intervals(family)
    {'reach': ('points',)}
    """
    intervals: dict[str, tuple[str, ...]] = {}
    for name, hint in signature_of(target)[1].items():
        for interval in _interval_notes(hint):
            intervals[name] = tuple(interval.split())
        for note in keys_notes(hint):
            of_table = accepted_intervals(note.target)
            intervals |= {f"{name}.{key}": companions for key, companions in of_table.items()}
    return intervals


def _interval_notes(hint: object) -> Iterator[AcceptedInterval]:
    """Yield the notes of a number or a list as a whole; those of a union are its members'."""
    if get_origin(hint) is Annotated:
        yield from (note for note in get_args(hint)[1:] if isinstance(note, AcceptedInterval))
        yield from _interval_notes(get_args(hint)[0])
    elif get_origin(hint) in (Union, types.UnionType):
        for member in get_args(hint):
            yield from _interval_notes(member)


def length_of(notes: Iterable[Any]) -> tuple[int, int | None]:
    """Return the smallest and the largest number of entries that the notes of an annotation allow."""
    shortest, longest = 0, None
    for note in _single(notes):
        match note:
            case MinLen(min_length=length):
                shortest = length
            case MaxLen(max_length=length):
                longest = length
    return shortest, longest


@cache  # asked for every number of every game
def bounds_of(notes: tuple[Any, ...]) -> tuple[tuple[type, Any], ...]:
    """Return the numeric bounds among the notes of an annotation, as pairs of kind and value."""
    bounds: list[tuple[type, Any]] = []
    for note in _single(notes):
        match note:
            case Gt(gt=edge) | Ge(ge=edge) | Lt(lt=edge) | Le(le=edge):
                bounds.append((type(note), edge))
    return tuple(bounds)


@cache
def number_bounds(target: Factory) -> dict[str, tuple[tuple[type, Any], ...]]:
    """Return the bounds of the numbers of every key, as `bounds_of` does; keys of tables have no prefix.

    >>> def family(reach: Annotated[float, Gt(0)] | list[Annotated[float, Gt(0)]], players: int = 2): ...
    >>> [(kind.__name__, edge) for kind, edge in number_bounds(family)["reach"]]
    [('Gt', 0)]
    """
    bounds = {}
    for name, hint in signature_of(target)[1].items():
        bounds[name] = tuple(dict.fromkeys(_entry_bounds(hint)))
        for note in keys_notes(hint):
            bounds |= number_bounds(note.target)
    return bounds


def _entry_bounds(hint: object) -> Iterator[tuple[type, Any]]:
    """Yield the bounds of a number, or of the entries of a list, in any member of a union."""
    members = get_args(hint)
    if get_origin(hint) is Annotated:
        yield from bounds_of(members[1:])
        members = members[:1]
    for member in members:
        yield from _entry_bounds(member)


def _single(notes: Iterable[Any]) -> Iterator[Any]:
    """Yield the notes of an annotation, with groups expanded."""
    for note in notes:
        yield from note if isinstance(note, Interval | Len) else [note]


NAMES = {
    float: "number",
    int: "whole number",
    bool: "true or false",
    str: "text",
    dict: "table",
    list: "list",
}


def with_article(words: str) -> str:
    """Return a type name with its article."""
    plain = words.split(" or ")[0]
    return words if plain in ("true", "text") or words.startswith('"') else f"a {words}"


def type_name(hint: Any) -> str:
    """Return the name of an annotation's type in plain words.

    >>> type_name(list[float] | None), type_name(Literal["own", "joint"])
    ('list of numbers', '"own" | "joint"')
    """
    origin, members = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return type_name(members[0])
    if origin is Literal:
        return " | ".join(json.dumps(m) for m in members)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_name(m) for m in storable_members(hint) if m is not type(None)))
    if origin in (list, tuple):
        entries = " or ".join(dict.fromkeys(type_name(m) for m in members if m is not Ellipsis))
        if " or " in entries or " | " in entries:
            return f"list of ({entries})"
        plural = entries.replace("list", "lists", 1) if entries.startswith("list") else f"{entries}s"
        return f"list of {plural}" if entries else "list"
    if origin is dict or is_table(hint):
        return "table"
    return NAMES.get(hint, getattr(hint, "__name__", "value") if hint is not Any else "value")


def storable_members(union: object) -> tuple[Any, ...]:
    """Return the members of a union that a file can hold: all but arrays and functions, if there are any."""
    members = get_args(union)
    return (
        tuple(member for member in members if not (is_object(member) or get_origin(member) is Callable))
        or members
    )


def is_table(hint: object) -> bool:
    """True for a class that a table can specify."""
    return is_typeddict(hint) or (isinstance(hint, type) and dataclasses.is_dataclass(hint))


def is_object(hint: object) -> bool:
    """True for a class of NumPy or JAX, which no file can contain."""
    return isinstance(hint, type) and hint.__module__.split(".")[0] in ("numpy", "jax", "jaxlib")

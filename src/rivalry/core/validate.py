"""Arguments of factories and options of methods, checked against their annotations before anything runs."""

from __future__ import annotations

import inspect
import json
import operator
import re
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, wraps
from numbers import Integral, Real
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

F = TypeVar("F", bound=Callable[..., Any])

LONGEST = 280  # characters of a message
ROOM = 100_000_000  # numbers in one array: 800 MB; nothing larger is made
_BOUNDS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "gt": ("above", operator.gt),
    "ge": ("at least", operator.ge),
    "lt": ("below", operator.lt),
    "le": ("at most", operator.le),
}


RENAMED: Mapping[str, tuple[str, ...]] = {
    "cap": ("max_periods",),
    "carry_on": ("resume_from",),
    "controls": ("negative_controls",),
    "eps": ("exploration",),
    "given": ("evaluate",),
    "kbar": ("mean_karma",),
    "keep": ("store_tables",),
    "kmax": ("max_karma",),
    "last": ("average_last",),
    "mirror": ("mirror_ascent",),
    "notes": ("checkpoints",),
    "omd": ("online_mirror_descent",),
    "p_update": ("update_probability",),
    "plan_options": ("commitment_with_switching_cost",),
    "q0": ("initial_q",),
    "smoothing": ("damped_fixed_point",),
    "theory": ("analytic_constants",),
}
"""Former names of arguments, options and kinds, with their present names."""


class Recipe(NamedTuple):
    """The factory of a game, and its keywords with their values; see `rivalry.core.construction`."""

    make: Callable[..., Any]
    given: Mapping[str, Any]


class Symbol(str):
    """The symbols of a parameter in the sources, in its annotation:
    ``Annotated[float, Symbol("c"), "unit cost"]``.

    `rivalry show` prints them beside the key. A key that is one of them is refused with the parameter named.
    """

    __slots__ = ()


class Keys(NamedTuple):
    """The keys that a table may have, as the keywords of a function; a note in an annotation.

    ``cost: Annotated[str | dict[str, Any], Keys(cost_keys), "cost of inputs"]``, where ``cost_keys`` is a
    function whose keywords are annotated like a factory's.
    """

    target: Callable[..., Any]


HELD = "_recipe"  # the attribute of a game that holds its recipe; no field's name


class Fault(NamedTuple):
    """What is wrong with a value: the place in it, the rule, and of what kind that is.

    ``type``; ``entry``, of a list or table; ``bound``; ``size``: an upper bound of a whole number.
    """

    where: str
    rule: str
    kind: Literal["type", "entry", "bound", "size"]

    def within(self, where: str) -> Fault:
        """The same of a value that holds the faulty one at ``where``."""
        return Fault(where + self.where, self.rule, "entry" if self.kind == "type" else self.kind)


def checked(factory: F) -> F:
    """Decorate a factory: arguments that its annotations do not allow are refused, the others remembered.

    Raises `ValueError`, one line that names the argument, before the factory is called. What the factory
    itself raises as `ValueError` is told in one line of bounded length; where tables or functions were given,
    which annotations say little about, any other error is a `ValueError` that names them.
    """

    @wraps(factory)
    def call(*args: Any, **kwargs: Any) -> Any:
        # a factory refuses values by its own words, which say why; sizes must be known before it begins
        given = check(factory, args, kwargs, bounds=False)
        try:
            found = factory(*args, **kwargs)
            check(factory, args, kwargs)
            if not any(map(_holds_function, given.values())):  # a game must remain fit for pickle
                usual = {name: one.default for name, one in _signature(factory)[0].items()}
                object.__setattr__(found, HELD, Recipe(call, usual | given))  # values are frozen
            return found
        except Exception as error:
            words = _told(error, given, _signature(factory)[0])
            if words == str(error):
                raise
            raise ValueError(words) from error

    return call  # type: ignore[return-value]


def _told(error: Exception, given: Mapping[str, Any], known: Iterable[str]) -> str:
    """What a factory's error says of its arguments, on one line; an error of the package's own as it is."""
    own = isinstance(error, ValueError)
    if type(error) is not ValueError and own:
        return str(error)  # one that means more than its words
    if own and re.split(r"[^\w]", str(error), maxsplit=1)[0] in known:
        return one_line(error)
    suspects = [name for name, value in given.items() if _open(value)]
    if not suspects:
        return one_line(error) if own else str(error)
    reason = error if own else f"{type(error).__name__}: {error}"
    return one_line(f"{', '.join(suspects)}: cannot be used ({reason})")


def check_options(method: type) -> None:
    """Let a class of methods check its options as `checked` checks a factory's arguments; once is enough."""
    plain = method.__init__  # type: ignore[misc]
    if hasattr(plain, "checks_options"):
        return

    @wraps(plain)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        check(method, args, kwargs, bounds=False)
        plain(self, *args, **kwargs)

    init.checks_options = True  # type: ignore[attr-defined]
    method.__init__ = init  # type: ignore[misc]
    # equinox calls the class's own first: here those of its bases, too, come before the annotations' bounds
    looks = [vars(base)["__check_init__"] for base in method.__mro__ if "__check_init__" in vars(base)]

    def check_init(self: Any) -> None:
        kind: type = type(self)  # a class below may allow more
        known, hints = _signature(kind)
        given = {name: getattr(self, name) for name in known}
        try:
            for look in looks:
                look(self)
        except Exception as error:
            words = _told(error, given, known)
            if words == str(error):
                raise
            raise ValueError(words) from error
        for name, value in given.items():
            refuse(name, hints.get(name, Any), value)

    method.__check_init__ = check_init  # type: ignore[attr-defined]


def check(
    target: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], *, bounds: bool = True
) -> dict[str, Any]:
    """The arguments of a call by name. Raises `ValueError` for one that the annotations do not allow.

    Without ``bounds``, of these only the largest sizes count.

    >>> def family(reach: float, *, players: int = 2): ...
    >>> check(family, (), {"reach": 1.0, "player": 3})
    Traceback (most recent call last):
    ValueError: player: is no argument of family; did you mean 'players'?
    >>> check(family, ("wide",), {})
    Traceback (most recent call last):
    ValueError: reach: 'wide' must be a number
    """
    known, hints = _signature(target)
    for name in kwargs:
        if name not in known:
            other = spelled_out(name, hints)
            why = f"is called {other} here" if other else f"is no argument of {target.__name__}"
            raise ValueError(one_line(f"{name}: {why}" + ("" if other else f"; {near(name, known)}")))
    places = [name for name, one in known.items() if one.kind is not one.KEYWORD_ONLY]
    if len(args) > len(places):
        most = f"at most {len(places)} of them" if places else "all of them by name"
        raise ValueError(f"{target.__name__}: {len(args)} arguments without a name; give {most}")
    given = dict(zip(places, args, strict=False)) | dict(kwargs)
    for name, one in known.items():
        if name in given:
            refuse(name, hints.get(name, Any), given[name], bounds=bounds)
        elif one.default is one.empty:
            raise ValueError(f"{name}: is missing; {target.__name__} needs it")
    return given


def refuse(name: str, hint: Any, value: Any, *, bounds: bool = True) -> None:
    """Raises `ValueError` if an annotation does not allow a value."""
    fault = _fault(hint, value, ())
    if fault is not None and (bounds or fault.kind != "bound"):
        raise ValueError(one_line(f"{name}{fault.where}: {fault.rule}"))


def limit(name: str, *sizes: int) -> None:
    """Raises `ValueError` where an array of these ``sizes`` would be too large to be made.

    >>> limit("players", 10**9, 100)
    Traceback (most recent call last):
    ValueError: players: 1000000000 x 100 numbers are too many; must be at most 1e+08 in all
    """
    total = 1
    for size in sizes:
        total *= size
    if total > ROOM:
        product = " x ".join(str(size) if size < 10**15 else f"{size:.3g}" for size in sizes)
        raise ValueError(f"{name}: {product} numbers are too many; must be at most {ROOM:.0e} in all")


def spelled_out(name: str, hints: Mapping[str, Any]) -> str:
    """Return the parameters that have ``name`` as a `Symbol`, joined by "or"; an empty text without any.

    >>> spelled_out("c", {"unit_cost": Annotated[float, Symbol("c C")], "capacity": float})
    'unit_cost'
    """
    found = [key for key, hint in hints.items() if name in symbol_of(hint).split()]
    for key, hint in hints.items():
        for note in _keys_of(hint):
            known, inner = _signature(note.target)
            within = name if name in known and name != "kind" else spelled_out(name, inner)
            found += [f"{key}.{within}"] if within else []
    return " or ".join(found)


def keywords(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters of a function by name."""
    return _signature(target)[0]


def _keys_of(hint: Any) -> list[Keys]:
    notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return [note for note in notes if isinstance(note, Keys)]


def symbol_of(hint: Any) -> str:
    """Return the `Symbol` of an annotation, or an empty text."""
    notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((str(note) for note in notes if isinstance(note, Symbol)), "")


def near(name: str, known: Iterable[str]) -> str:
    """Return a hint for an unknown name: its present name, ``did you mean 'x'?``, or the known ones."""
    import difflib

    known = list(known)
    for new in RENAMED.get(name, ()):
        if new in known:
            return f"it is now called {new!r}"
    close = difflib.get_close_matches(name[:100], known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"


def shown(value: Any) -> str:
    """A value as an error message shows it: short, on one line.

    >>> shown("gausian"), shown([0.1] * 100)
    ("'gausian'", '[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, ...')
    """
    if isinstance(value, type) or callable(value):
        return f"{'the class ' if isinstance(value, type) else ''}{getattr(value, '__name__', 'a function')}"
    try:
        words = " ".join(repr(value[:100] if isinstance(value, str) else value).split())
    except Exception:  # an object that cannot say what it is
        words = type(value).__name__
    return words if len(words) <= 60 else f"{words[:30].rstrip()} ..."


def one_line(error: object) -> str:
    """An error's text on one line; of a long one the beginning and the end.

    >>> one_line(ValueError("no\\n  such"))
    'no such'
    """
    words = " ".join(str(error).split())
    half = LONGEST // 2 - 2
    return words if len(words) <= LONGEST else f"{words[:half]} .. {words[-half:]}"


@cache
def _signature(target: Callable[..., Any]) -> tuple[dict[str, inspect.Parameter], dict[str, Any]]:
    known = dict(inspect.signature(target).parameters)
    hints: dict[str, Any] = {}
    if isinstance(target, type):
        return known, get_type_hints(target, include_extras=True)
    for name, one in known.items():
        try:
            hints |= get_type_hints(_OneAnnotation(target, name, one.annotation), include_extras=True)
        except (NameError, TypeError):  # one that only a type checker can read
            continue
    return known, hints


class _OneAnnotation:
    """What `get_type_hints` takes for a function with a single parameter, whatever the function returns."""

    def __init__(self, target: Callable[..., Any], name: str, annotation: Any) -> None:
        home = inspect.unwrap(target)
        self.__globals__ = vars(sys.modules[home.__module__])
        self.__annotations__ = {name: annotation}


def _fault(hint: Any, value: Any, notes: tuple[Any, ...]) -> Fault | None:
    origin, members = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _fault(members[0], value, (*notes, *members[1:]))
    if origin in (Union, types.UnionType):
        return _of_several(members, value, notes)
    if origin is Literal:
        return _among(members, value)
    if origin in (list, tuple):
        return _listed(hint, members, value, notes)
    if origin in (dict, Mapping) or hint is dict:
        return _tabled(members, value, notes)
    if origin is Callable:
        return None if callable(value) else _wrong("a function", value)
    if hint in (bool, int, float):
        return _number(hint, value, notes)
    if hint is str:
        return None if isinstance(value, str) else _wrong("text", value)
    if hint is type(None) or hint is None:
        return None if value is None else _wrong("left out", value)
    if _is_object(hint) and hint.__name__ in ("ndarray", "Array"):
        good = hasattr(value, "dtype") and getattr(value, "ndim", 0) > 0 and _numeric(value)
        return None if good else _wrong("an array of numbers", value)
    return None  # any object: whoever uses it looks at it


def _wrong(rule: str, value: Any) -> Fault:
    return Fault("", f"{shown(value)} must be {rule}", "type")


def _of_several(members: Sequence[Any], value: Any, notes: tuple[Any, ...]) -> Fault | None:
    faults = []
    for member in members:
        fault = _fault(member, value, notes)
        if fault is None:
            return None
        faults.append(fault)
    close = [fault for fault in faults if fault.kind != "type"]
    if close:
        return max(close, key=lambda fault: len(fault.where))
    known = [word for member in members if get_origin(member) is Literal for word in get_args(member)]
    rest = [m for m in members if get_origin(m) is not Literal and m is not type(None) and not _is_object(m)]
    words = dict.fromkeys("function" if get_origin(one) is Callable else type_name(one) for one in rest)
    rules = [_one_of(known)] if known else []
    rules += [_with_article(" or ".join(words))] if words else []
    return _wrong(" or ".join(rules) + _meant(value, known), value)


def _one_of(known: Iterable[Any]) -> str:
    return f"one of {', '.join(map(repr, known))}"


def _meant(value: Any, known: Iterable[Any]) -> str:
    """The nearest of some words, where one is near."""
    hint = near(value, [one for one in known if isinstance(one, str)]) if isinstance(value, str) else ""
    return f"; {hint}" if hint.startswith("did") else ""


def _among(known: Sequence[Any], value: Any) -> Fault | None:
    plain = value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value
    if any(type(one) is type(plain) and one == plain for one in known):
        return None
    return _wrong(_one_of(known) + _meant(value, known), value)


def _listed(hint: Any, members: Sequence[Any], value: Any, notes: tuple[Any, ...]) -> Fault | None:
    if hasattr(value, "dtype") and getattr(value, "ndim", 0) > 0:
        if not _numeric(value):
            value = value.tolist()
        elif not hasattr(value, "tolist") or value.size > 1000 or type(value).__module__ != "numpy":
            return None  # the factory looks at the entries of arrays
        else:
            value = value.tolist()
    if not isinstance(value, list | tuple | range):
        return _wrong(_with_article(type_name(hint)), value)
    fewest = max((getattr(note, "min_length", 0) or 0 for note in notes), default=0)
    if len(value) < fewest:
        return Fault("", f"{shown(value)} must have at least {fewest} entries", "bound")
    for k, entry in enumerate(value):
        fault = _fault(members[0], entry, notes) if members else None
        if fault is not None:
            return fault.within(f"[{k}]")
    return None


def _tabled(members: Sequence[Any], value: Any, notes: tuple[Any, ...]) -> Fault | None:
    if not isinstance(value, Mapping):
        return _wrong("a table", value)
    for key, entry in value.items():
        if not isinstance(key, str):
            return Fault("", f"{shown(value)} must have text as keys", "entry")
        fault = _fault(members[1], entry, notes) if len(members) > 1 else None
        for note in notes:
            fault = _keyed(note.target, key, entry) if isinstance(note, Keys) else fault
        if fault is not None:
            return fault.within(f".{key}")
    return None


def _keyed(target: Callable[..., Any], key: str, entry: Any) -> Fault | None:
    """What is wrong with a key of a table, or with its value."""
    known, hints = _signature(target)
    if key in known:
        return _fault(hints[key], entry, ())
    other = spelled_out(key, hints)
    return Fault("", f"is called {other} here" if other else f"is no key; {near(key, known)}", "entry")


def _number(hint: Any, value: Any, notes: tuple[Any, ...]) -> Fault | None:
    words = _with_article(_NAMES[hint])
    if hasattr(value, "dtype") and getattr(value, "ndim", None) == 0:  # also one that JAX traces
        kinds = {bool: "b", int: "iu", float: "iuf"}[hint]
        if value.dtype.kind not in kinds:
            return _wrong(words, value)
        if type(value).__module__.split(".")[0] != "numpy":
            return None
        value = value.item()
    if hint is bool:
        return None if isinstance(value, bool) else _wrong(words, value)
    if isinstance(value, bool) or not isinstance(value, Integral if hint is int else Real):
        return _wrong(words, value)
    if isinstance(value, Integral) and abs(int(value)) >= 2**63:
        return Fault("", f"{shown(value)} must be below 2**63", "size")
    for note in notes:
        for kind, (rule, kept) in _BOUNDS.items():
            edge = getattr(note, kind, None)
            if edge is not None and not kept(value, edge):
                size = hint is int and kind in ("lt", "le")
                return Fault("", f"{value:g} must be {rule} {edge:g}", "size" if size else "bound")
    return None


def _numeric(value: Any) -> bool:
    return getattr(value.dtype, "kind", "f") in "biuf"


def _open(value: Any) -> bool:
    """Whether a value holds what annotations say little about: tables, functions, lists of lists."""
    if isinstance(value, list | tuple):
        return any(map(_open, value)) or any(isinstance(entry, list | tuple) for entry in value)
    return isinstance(value, Mapping) or callable(value)


def _holds_function(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_function, value.values()))
    return any(map(_holds_function, value)) if isinstance(value, list | tuple) else callable(value)


_NAMES = {
    float: "number",
    int: "whole number",
    bool: "true or false",
    str: "text",
    dict: "table",
    list: "list",
}


def _with_article(words: str) -> str:
    plain = words.split(" or ")[0]
    return words if plain in ("true", "text") or words.startswith('"') else f"a {words}"


def _plural(words: str) -> str:
    return words.replace("list", "lists", 1) if words.startswith("list") else f"{words}s"


def type_name(hint: Any) -> str:
    """An annotation in a reader's words.

    >>> type_name(list[float] | None), type_name(Literal["own", "joint"])
    ('list of numbers', '"own" | "joint"')
    """
    origin, members = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return type_name(members[0])
    if origin is Literal:
        return " | ".join(json.dumps(m) for m in members)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_name(m) for m in written(hint) if m is not type(None)))
    if origin in (list, tuple):
        inner = " or ".join(dict.fromkeys(type_name(m) for m in members if m is not Ellipsis))
        return (
            f"list of ({inner})"
            if " or " in inner or " | " in inner
            else f"list of {_plural(inner)}"
            if inner
            else "list"
        )
    if origin is dict or is_table(hint):
        return "table"
    return _NAMES.get(hint, getattr(hint, "__name__", "value") if hint is not Any else "value")


def written(union: Any) -> tuple[Any, ...]:
    """The members of a union that a file can hold: arrays and functions are for Python only."""
    members = get_args(union)
    return tuple(one for one in members if not (_is_object(one) or get_origin(one) is Callable)) or members


def is_table(hint: Any) -> bool:
    """Whether an annotation is a class whose values a table can give."""
    import dataclasses
    from typing import is_typeddict

    return is_typeddict(hint) or (isinstance(hint, type) and dataclasses.is_dataclass(hint))


def _is_object(hint: Any) -> bool:
    return isinstance(hint, type) and hint.__module__.split(".")[0] in ("numpy", "jax", "jaxlib")

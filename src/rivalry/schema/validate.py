"""Validation of values against annotations: arguments of factories, options of methods, tables of studies.

The annotation is the schema, and only this module reads it as rules. `checked` and `check_options` apply it
to calls from Python, `rivalry.lab.study.schema` applies it to the tables of a study.
"""

from __future__ import annotations

import inspect
import math
import operator
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from functools import cache, partial, wraps
from numbers import Integral, Real
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NamedTuple,
    Protocol,
    TypeGuard,
    TypeVar,
    Union,
    get_args,
    get_origin,
    is_typeddict,
    runtime_checkable,
)

from annotated_types import Ge, Gt, Le, Len, Lt, MaxLen, MinLen

from rivalry.schema.annotations import (
    NAMES,
    Factory,
    Keys,
    bounds_of,
    is_object,
    keys_notes,
    keys_with_symbol,
    length_of,
    needs_note,
    number_bounds,
    signature_of,
    storable_members,
    type_name,
    with_article,
)
from rivalry.schema.keys import write_name

if TYPE_CHECKING:
    import numpy as np

Notes = tuple[Any, ...]  # of an annotation
F = TypeVar("F", bound=Factory)

Options = Mapping[str, Any]
"""What keywords, or the keys of a table, give by name."""

LONGEST = 280  # characters of a message
ELSEWHERE = {"leaders": "write rv.transforms.stackelberg(game, leaders=[0])"}  # keywords that are transforms
SHORT_LIST = 60  # characters of known names that a message lists beside the nearest one
SIMILAR, SIMILAR_SHORT = 0.7, 0.6  # similarity, of 1 for equal words, from which a known word is suggested
SHORT_WORD = 4  # letters of a word that counts as short: two of them in the wrong order are much of it
ROOM = 100_000_000  # most numbers in one array: 800 MB
_RULES: dict[type, tuple[str, Callable[[Any, Any], bool]]] = {
    Gt: ("above", operator.gt),
    Ge: ("at least", operator.ge),
    Lt: ("below", operator.lt),
    Le: ("at most", operator.le),
}


_BRACKETS = {Gt: "(", Ge: "[", Lt: ")", Le: "]"}  # of an interval, its lower bound first


class GameRecipe(NamedTuple):
    """The factory of a game, and its keywords with their values; see `rivalry.schema.construction`."""

    make: Factory
    given: Options

    def __reduce__(self) -> tuple[Any, ...]:
        # a game must remain picklable: a copy in another process forgets functions, such as a lambda
        if any(map(_holds_function, self.given.values())):
            return type(None), ()
        return type(self), tuple(self)


HELD = "_recipe"  # the attribute of a game that holds its recipe; not a field


class Fault(NamedTuple):
    """A violation of an annotation: the position in the value, the rule, and the kind of rule.

    The rule is put into words where the fault is raised: most alternatives of a union fail in silence.
    Kinds are ``type``, ``entry`` (of a list or table), ``bound`` and ``size`` (an upper bound of an integer).
    For a number out of bounds, ``value`` is the number and ``rule`` does not repeat it.
    """

    where: str
    rule: Callable[[], str]
    kind: Literal["type", "entry", "bound", "size"]
    value: Any = None

    def within(self, where: str) -> Fault:
        """Return the fault of a container that holds the faulty value at ``where``."""
        return self._replace(where=where + self.where, kind="entry" if self.kind == "type" else self.kind)

    def message(self, number: Callable[[Any], str] = "{:g}".format) -> str:
        """Return the rule with the value, which ``number`` formats."""
        return self.rule() if self.value is None else f"{number(self.value)} {self.rule()}"


@runtime_checkable
class _Array(Protocol):
    """Arrays and scalars of NumPy and JAX, including traced ones."""

    @property
    def dtype(self) -> Any: ...

    @property
    def ndim(self) -> int: ...


_PLAIN = frozenset({type(None), bool, int, float, str, list, tuple, dict})


def _is_array(value: object) -> TypeGuard[_Array]:
    """True for an array."""
    # the protocol's own check takes 20 microseconds, and the entries of tables are many
    return type(value) not in _PLAIN and isinstance(value, _Array)


def refuse_masked(name: str, value: object) -> None:
    """Raise `ValueError` for an array with masked entries, also in lists: plain arrays would show numbers."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple) and not {int, float}.issuperset(map(type, value)):
        for entry in value:
            refuse_masked(name, entry)
    elif type(value) not in _PLAIN and type(value).__module__.startswith("numpy.ma"):
        array: Any = value
        if array.mask.any():
            rule = "has masked entries; must be numbers throughout, as after filled(0.0)"
            raise ValueError(f"{name}: {rule}")


def checked(factory: F) -> F:
    """Decorate a factory to check its arguments against its annotations, and to attach a recipe to its games.

    Raises
    ------
    ValueError
        For arguments that the annotations do not allow, before the factory is called, and for a `ValueError`
        of the factory; the message is one line of bounded length. Where tables or functions are given, which
        annotations describe only in part, any other error becomes a `ValueError` that names them.
    """

    @wraps(factory)
    def call(*args: object, **kwargs: object) -> Any:
        # bounds come after the factory, whose own messages give reasons; sizes must be checked before it runs
        arguments, parameters = check(factory, args, kwargs, bounds=False), signature_of(factory)[0]
        refuse_idle(factory, arguments, arguments)
        with _named_errors(arguments, parameters):
            result = factory(*args, **kwargs)
            check(factory, args, kwargs)
            if HELD not in vars(result) or vars(result)[HELD].make is not call:  # else it called itself
                usual = {name: parameter.default for name, parameter in parameters.items()}
                object.__setattr__(result, HELD, GameRecipe(call, usual | arguments))  # values are frozen
            return result

    return call  # type: ignore[return-value]


def check_keywords(function: F) -> F:
    """Decorate a function or a class to refuse unknown and missing arguments in one line.

    An unknown keyword is answered with the nearest known one.
    """
    kind: Any = function
    if isinstance(kind, type):
        plain = kind.__init__  # type: ignore[misc]

        @wraps(plain)
        def init(self: object, *args: object, **kwargs: object) -> None:
            if type(self) is kind:  # a subclass may have other fields
                _refuse_call(plain, (self, *args), kwargs, kind.__name__)
            plain(self, *args, **kwargs)

        kind.__init__ = init  # type: ignore[misc]
        return function

    @wraps(function)
    def call(*args: object, **kwargs: object) -> Any:
        _refuse_call(function, args, kwargs)
        return function(*args, **kwargs)

    return call  # type: ignore[return-value]


@contextmanager
def _named_errors(arguments: Options, names: Iterable[str]) -> Iterator[None]:
    """Raise errors again as one-line messages that name the arguments."""
    try:
        yield
    except Exception as error:
        words = _error_message(error, arguments, names)
        if words == str(error):
            raise
        raise ValueError(words) from error


def _error_message(error: Exception, arguments: Options, names: Iterable[str]) -> str:
    """Return the message of a factory's error with its arguments, on one line.

    Messages of subclasses of `ValueError` are unchanged.
    """
    is_value_error = isinstance(error, ValueError)
    if type(error) is not ValueError and is_value_error:
        return str(error)  # the class of the error matters to callers
    if is_value_error and re.split(r"[^\w]", str(error), maxsplit=1)[0] in names:
        return one_line(error)
    suspects = [name for name, value in arguments.items() if _open(value)]
    if not suspects:
        return one_line(error) if is_value_error else str(error)
    reason = error if is_value_error else f"{type(error).__name__}: {error}"
    return one_line(f"{', '.join(suspects)}: cannot be used ({reason})")


_checking: set[Factory] = set()  # the constructors that check their options


def check_options(method: type) -> None:
    """Let a class of methods check its options as `checked` checks arguments; once is enough."""
    plain = method.__init__  # type: ignore[misc]
    if plain in _checking:
        return

    @wraps(plain)
    def init(self: object, *args: object, **kwargs: object) -> None:
        check(method, args, kwargs, bounds=False)
        plain(self, *args, **kwargs)

    _checking.add(init)
    method.__init__ = init  # type: ignore[misc]
    # equinox calls the class's own first; here those of the bases, too, precede the annotations' bounds
    looks = [vars(base)["__check_init__"] for base in method.__mro__ if "__check_init__" in vars(base)]

    def check_init(self: object) -> None:
        kind: type = type(self)  # a subclass may allow more
        parameters, hints = signature_of(kind)
        options = {name: getattr(self, name) for name in parameters}
        with _named_errors(options, parameters):
            for look in looks:
                look(self)
        for name, value in options.items():
            refuse(name, hints.get(name, Any), value)

    method.__check_init__ = check_init  # type: ignore[attr-defined]


def check(target: Factory, args: Sequence[Any], kwargs: Options, *, bounds: bool = True) -> dict[str, Any]:
    """Return the arguments of a call by name; raise `ValueError` for one that the annotations do not allow.

    Without ``bounds``, only upper bounds of integers are checked among the bounds.

    >>> def family(reach: float, *, players: int = 2): ...
    >>> check(family, (), {"reach": 1.0, "player": 3})
    Traceback (most recent call last):
    ValueError: player: is no argument of family; did you mean 'players'? known: players, reach
    >>> check(family, ("wide",), {})
    Traceback (most recent call last):
    ValueError: reach: 'wide' must be a number
    """
    parameters, hints = signature_of(target)
    refuse_unknown(target, kwargs)
    places = [name for name, parameter in parameters.items() if parameter.kind is not parameter.KEYWORD_ONLY]
    if len(args) > len(places) and not _takes_any_number(target):
        allowance = f"at most {len(places)} of them" if places else "all of them by name"
        raise ValueError(f"{target.__name__}: {len(args)} arguments without a name; give {allowance}")
    arguments = dict(zip(places, args, strict=False)) | dict(kwargs)
    for k, value in enumerate(args[len(places) :], len(places) + 1):  # of which any number may be given
        refuse(f"argument {k}", Any, value)
    for name, parameter in parameters.items():
        if name in arguments:
            refuse(name, hints.get(name, Any), arguments[name], bounds=bounds)
        elif parameter.default is parameter.empty:
            raise ValueError(f"{name}: is missing; {target.__name__} needs it")
    return arguments


def refuse_unknown(
    target: Factory, kwargs: Iterable[str], function_name: str = "", extras: Iterable[str] = ()
) -> None:
    """Raise `ValueError`, with the nearest known name, for a keyword that a function does not take.

    ``extras`` are keywords of a function that passes the others on, for the hint.
    """
    function_name = function_name or target.__qualname__.rpartition("<locals>.")[2]
    parameters, hints = signature_of(target)
    parameters = {name: parameter for name, parameter in parameters.items() if name not in ("cls", "self")}
    for name in kwargs:
        if name in parameters:
            continue
        if correct_name := keys_with_symbol(name, hints):
            raise ValueError(one_line(f"{name}: is called {correct_name} here"))
        if name in ELSEWHERE:
            raise ValueError(f"{name}: is no argument of {function_name}; {ELSEWHERE[name]}")
        hint, arguments = near(name, [*parameters, *extras]), ", ".join(sorted([*parameters, *extras]))
        if not hint.startswith("known"):
            hint += f" known: {arguments}" if hint.endswith("?") and len(arguments) <= SHORT_LIST else ""
        elif len(hint) > LONGEST // 2:
            hint = f"its {len([*parameters, *extras])} arguments are in help({function_name})"
        raise ValueError(one_line(f"{name}: is no argument of {function_name}; {hint}"))


def _refuse_call(
    target: Factory, args: Sequence[object], kwargs: Mapping[str, object], function_name: str = ""
) -> None:
    """Raise `ValueError` for an unknown keyword, unless any is taken, and for a missing argument."""
    parameters = _parameters(target)
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        refuse_unknown(target, kwargs, function_name)
    places = [parameter.name for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY][
        : len(args)
    ]
    for parameter in parameters:
        optional = (
            parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            or parameter.default is not parameter.empty
        )
        if not optional and parameter.name not in (*places, *kwargs):
            raise ValueError(f"{parameter.name}: is missing; {function_name or target.__name__} needs it")


@cache
def _parameters(target: Factory) -> tuple[inspect.Parameter, ...]:
    return tuple(inspect.signature(target).parameters.values())


def _takes_any_number(target: Factory) -> bool:
    """True for a function with any number of arguments without a name."""
    parameters = inspect.signature(target).parameters.values()
    return any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)


def refuse(name: str, hint: object, value: object, *, bounds: bool = True) -> None:
    """Raise `ValueError` if an annotation does not allow a value."""
    refuse_masked(name, value)
    fault = fault_of(hint, value)
    if fault is not None and (bounds or fault.kind != "bound"):
        raise ValueError(one_line(f"{name}{fault.where}: {fault.message()}"))


def refuse_idle(target: Factory, written: Options, table: Options, place: str = "") -> None:
    """Raise `ValueError` for a key without an effect, because the key that it needs is absent.

    Defaults are accepted, and so is a needed number that has no effect itself, such as a tax of 0: a sweep
    may begin there. Where there are custom functions, which may read every number, nothing is refused.

    Parameters
    ----------
    target : callable
        A factory, or the class of the keys of a table.
    written, table : mapping
        The keys to look at, and those among which the needed ones are.
    place : str
        The table's name with a dot.
    """
    if any(map(_holds_function, table.values())):
        return
    parameters, hints = signature_of(target)
    for name, value in written.items():
        hint = hints.get(name)
        if isinstance(value, Mapping) and not place:
            for note in keys_notes(hint):
                refuse_idle(note.target, value, table[name], f"{name}.")
        need = needs_note(hint)
        if need is None or _is_everywhere(value, parameters[name].default):
            continue
        keys = need.keys.split()
        values = {key: table.get(key, parameters[key].default) for key in keys}
        if need.values and values[need.keys] not in need.values:
            words = " or ".join(map(repr, need.values))
            key = f"{place}{need.keys}"
            raise ValueError(
                f"{place}{name}: has no effect with {key} = {values[need.keys]!r}; set {key} to {words}"
            )
        if not need.values and not any(key in table and _is_on(values[key]) for key in keys):
            raise ValueError(
                f"{place}{name}: has no effect without {' or '.join(place + key for key in keys)}"
            )


def _is_on(value: object) -> bool:
    """True for all but None and false: 0 is a number."""
    return value is not None and value is not False


def _is_everywhere(value: object, default: object) -> bool:
    """True for a default, and for a list or an array of nothing else."""
    if isinstance(value, list | tuple):
        return all(_is_everywhere(entry, default) for entry in value)
    equal: Any = value == default
    return bool(equal.all() if _is_array(value) else equal)


def convert(hint: Any, value: Any) -> Any:
    """Return an allowed value in the type of its annotation, such as integers as floats, lists as tuples.

    >>> convert(float | list[float], [1, 2]), convert(tuple[float, float], [1, 2])
    ([1.0, 2.0], (1.0, 2.0))
    """
    origin, members = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return convert(members[0], value)
    if origin in (Union, types.UnionType):
        plain = [member for member in storable_members(hint) if fault_of(member, value) is None]
        exact = [member for member in plain if isinstance(member, type) and type(value) is member]
        candidates = exact or sorted(plain, key=_is_opaque)
        return convert(candidates[0], value) if candidates else value
    if origin in (list, tuple) and isinstance(value, list | tuple):
        parts = members if origin is tuple and Ellipsis not in members else members[:1] * len(value)
        return origin(convert(part, entry) for part, entry in zip(parts, value, strict=False))
    if origin is dict and isinstance(value, Mapping):
        return {key: convert(members[1], entry) for key, entry in value.items()}
    if _has_fields(hint) and isinstance(value, Mapping):
        hints = signature_of(hint)[1]
        return hint(**{key: convert(hints[key], entry) for key, entry in value.items()})
    return float(value) if hint is float and type(value) is int else value


def _has_fields(hint: object) -> bool:
    """True for a dataclass or typed dictionary, whose fields a table can specify."""
    return isinstance(hint, type) and (is_dataclass(hint) or is_typeddict(hint))


def _is_opaque(hint: object) -> bool:
    """True for an annotation that says nothing about a value."""
    plain = (bool, int, float, str, list, tuple, dict, type(None), None)
    return hint not in plain and get_origin(hint) is None


def limit(name: str, *sizes: int) -> None:
    """Raise `ValueError` where an array of these ``sizes`` would have more than `ROOM` numbers.

    >>> limit("players", 10**9, 100)
    Traceback (most recent call last):
    ValueError: players: 1000000000 x 100 numbers are too many; must be at most 1e+08 in all
    """
    if math.prod(sizes) > ROOM:
        product = " x ".join(str(size) if size < 10**15 else f"{size:.3g}" for size in sizes)
        raise ValueError(f"{name}: {product} numbers are too many; must be at most {ROOM:.0e} in all")


def check_word(name: str, value: object, words: Iterable[str]) -> None:
    """Raise `ValueError`, with a hint, for a word that is not among those known."""
    words = list(words)
    if value not in words:
        raise ValueError(f"{name}: {value!r} is unknown; {near(str(value), words)}")


def whole_number(name: str, value: object, low: int = 0) -> int:
    """Return an integer of at least ``low``; raise `ValueError` for anything else."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < low:
        raise ValueError(f"{name}: {format_value(value)} must be a whole number of at least {low}")
    return int(value)


def limit_of(name: str, value: object, *, positive: bool = False) -> float:
    """Return a tolerance or a limit of time: a finite number from 0 on, or above it. Raises `ValueError`."""
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    if not (number < math.inf and (number > 0 if positive else number >= 0)):
        rule = "above 0" if positive else "of at least 0"
        raise ValueError(f"{name}: {format_value(value)} must be a finite number {rule}")
    return number


def number_of(name: str, value: object, count: int) -> int:
    """Return the number of one of ``count`` things, such as players; raise `ValueError` for anything else."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not 0 <= int(value) < count:
        raise ValueError(f"{name}: {value!r} must be a whole number in 0..{count - 1}")
    return int(value)


def as_numbers(value: object, name: str, rule: str = "numbers") -> np.ndarray:
    """Return a value as an array of floats; raise `ValueError` that it must be ``rule`` for anything else."""
    import numpy as np  # the command line starts without it

    refuse_masked(name, value)
    try:
        kind = np.asarray(value).dtype.kind
        if kind in "biufO":  # NumPy would read texts, drop imaginary parts, and count from an epoch
            return np.asarray(value, float)
    except Exception:  # an object may raise anything
        pass
    raise ValueError(f"{name}: {format_value(value)} must be {rule}")


def text_of(data: bytes, where: object) -> str:
    """Return bytes as text without a byte-order mark, with lines that end in ``\\n``.

    Raises `ValueError` for bytes that are no text in UTF-8; ``where`` is the name of their file.

    >>> text_of("prices".encode("utf-16"), "prices.csv")
    Traceback (most recent call last):
    ValueError: prices.csv: is text in UTF-16; must be text in UTF-8
    """
    try:
        text = data.decode("utf-8-sig")
        place = text.find("\0")  # no text has it, but most other files have
    except UnicodeDecodeError as error:
        text, place = "", error.start
    if place < 0:
        return text.replace("\r\n", "\n").replace("\r", "\n")
    forms = {b"\xff\xfe": "is text in UTF-16", b"\xfe\xff": "is text in UTF-16", b"PK": "is a zip file"}
    kind = forms.get(data[:2], f"is no text, from byte {place} on")
    raise ValueError(f"{where}: {kind}; must be text in UTF-8")


def check_entries(name: str, values: np.ndarray, refusal: Callable[[float], str]) -> None:
    """Raise `ValueError` for the first entry of an array that ``refusal`` gives a reason against."""
    import numpy as np

    for index, entry in np.ndenumerate(values):
        if reason := refusal(float(entry)):
            place = "".join(f"[{k}]" for k in index)
            raise ValueError(f"{name}{place}: {entry:g} {reason}")


def near(name: str, names: Iterable[str]) -> str:
    """Return a hint for an unknown name: ``did you mean 'x'?``, or the known names."""
    import difflib

    names = list(names)
    plain = {word.lower(): word for word in names}
    cutoff = SIMILAR_SHORT if len(name) <= SHORT_WORD else SIMILAR
    close = difflib.get_close_matches(name[:100].lower(), plain, n=1, cutoff=cutoff)
    if name.lower() == name.upper():  # another number is no misspelling
        close = []
    return f"did you mean {plain[close[0]]!r}?" if close else f"known: {', '.join(sorted(names))}"


def format_value(value: object) -> str:
    """Return a value as text for an error message: short, on one line.

    >>> format_value("gausian"), format_value([0.1] * 100)
    ("'gausian'", '[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, ...')
    """
    if isinstance(value, type) or callable(value):
        if isinstance(value, type):
            return f"the class {value.__name__}"
        return value.__name__ if inspect.isroutine(value) else "a function"
    try:
        words = " ".join(repr(value[:100] if isinstance(value, str) else value).split())
    except Exception:  # the object's own `__repr__` fails
        words = type(value).__name__
    return words if len(words) <= 60 else f"{words[:30].rstrip()} ..."


def one_line(error: object) -> str:
    """Return an error's text on one line, with the middle of a long text removed.

    >>> one_line(ValueError("no\\n  such"))
    'no such'
    """
    words = " ".join(str(error).split())
    half = LONGEST // 2 - 2
    return words if len(words) <= LONGEST else f"{words[:half]} .. {words[-half:]}"


def fault_of(hint: Any, value: Any, notes: Notes = ()) -> Fault | None:
    """Return the reason why an annotation with these notes refuses a value, or None."""
    origin, members = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return fault_of(members[0], value, (*notes, *members[1:]))
    if origin in (Union, types.UnionType):
        return _union_fault(members, value, notes)
    if origin is Literal:
        return _choice_fault(members, value)
    if origin in (list, tuple):
        return _list_fault(hint, members, value, notes)
    if origin in (dict, Mapping) or hint is dict:
        return _table_fault(members, value, notes)
    if is_typeddict(hint) or (_has_fields(hint) and isinstance(value, Mapping)):
        keys = tuple(note for note in notes if isinstance(note, Keys))
        return _table_fault((), value, keys or (Keys(hint),))
    if origin is Callable:
        return None if callable(value) else _type_fault(lambda: "a function", value)
    if hint in (bool, int, float):
        return _number_fault(hint, value, notes)
    if hint is str:
        return None if isinstance(value, str) else _type_fault(lambda: "text", value)
    if hint is type(None) or hint is None:
        return None if value is None else _type_fault(lambda: "left out", value)
    if is_object(hint) and hint.__name__ in ("ndarray", "Array"):
        good = _is_array(value) and value.ndim > 0 and _numeric(value)
        return None if good else _type_fault(lambda: "an array of numbers", value)
    return None  # any other object: its user checks it


def _type_fault(rule: Callable[[], str], value: object) -> Fault:
    return Fault("", lambda: f"{format_value(value)} must be {rule()}", "type")


def _union_fault(members: Sequence[Any], value: object, notes: Notes) -> Fault | None:
    """Return why no member of a union takes a value; None if one does.

    A member whose type the value has, but whose bounds or entries it breaks, is the one that was meant.
    """
    faults = []
    for member in members:
        fault = fault_of(member, value, notes)
        if fault is None:
            return None
        faults.append(fault)
    close = [fault for fault in faults if fault.kind != "type"]
    if close:
        return max(close, key=lambda fault: len(fault.where))
    alternatives = [fault for m, fault in zip(members, faults, strict=True) if m is not type(None)]
    if len(alternatives) == 1:
        return alternatives[0]
    return _type_fault(lambda: _alternatives(members, value), value)


def _alternatives(members: Sequence[Any], value: object) -> str:
    """Return the members of a union, in words."""
    literals = [word for member in members if get_origin(member) is Literal for word in get_args(member)]
    types = [m for m in members if get_origin(m) is not Literal and m is not type(None) and not is_object(m)]
    words = dict.fromkeys(
        "function" if get_origin(alternative) is Callable else type_name(alternative) for alternative in types
    )
    if "number" in words:
        words.pop("whole number", None)
    kinds = {kind for word in words for kind in word.split(" or ")}
    number = next((word for word in ("number", "whole number") if word in kinds), None)
    if number and not literals and isinstance(value, str) and not {"text", "table", "function"} & kinds:
        return with_article(number)  # lists are of numbers too
    rules = [_one_of(literals)] if literals else []
    rules += [with_article(word) for word in words]
    return " or ".join(rules) + _word_hint(value, literals)


def _one_of(choices: Iterable[Any]) -> str:
    return f"one of {', '.join(map(repr, choices))}"


def _word_hint(value: object, words_allowed: Iterable[Any]) -> str:
    """Return a hint at the nearest of some words, where one is near."""
    hint = (
        near(value, [word for word in words_allowed if isinstance(word, str)])
        if isinstance(value, str)
        else ""
    )
    return f"; {hint}" if hint.startswith("did") else ""


def _choice_fault(choices: Sequence[Any], value: object) -> Fault | None:
    plain = value.item() if _is_array(value) and value.ndim == 0 else value  # type: ignore[attr-defined]
    # equal types too, since 1 == True
    if any(type(choice) is type(plain) and choice == plain for choice in choices):
        return None
    return _type_fault(lambda: _one_of(choices) + _word_hint(value, choices), value)


def _list_fault(hint: object, members: Sequence[Any], value: object, notes: Notes) -> Fault | None:
    if _is_array(value) and value.ndim > 0:
        numpy = type(value).__module__ == "numpy"
        if _numeric(value) and not (numpy and value.size <= 1000):  # type: ignore[attr-defined]
            return None  # the factory checks the entries of arrays
        value = value.tolist()  # type: ignore[attr-defined]
    if not isinstance(value, list | tuple | range):
        return _type_fault(lambda: with_article(type_name(hint)), value)
    shortest, longest = length_of(notes)
    length = None
    if len(value) < shortest:
        length = Fault("", lambda: f"{format_value(value)} must have at least {shortest} entries", "bound")
    if longest is not None and len(value) > longest:
        length = Fault("", lambda: f"{format_value(value)} must have at most {longest} entries", "bound")
    pair = get_origin(hint) is tuple and Ellipsis not in members  # one annotation per entry
    if pair and len(value) != len(members):
        return Fault("", lambda: f"{format_value(value)} must have {len(members)} entries", "bound")
    notes = tuple(note for note in notes if not isinstance(note, Len | MinLen | MaxLen))
    for k, entry in enumerate(value):
        fault = fault_of(members[k if pair else 0], entry, notes) if members else None
        # bounds may be checked later than types, which must not hide behind a length
        if fault is not None and (length is None or fault.kind != "bound"):
            return fault.within(f"[{k}]")
        if length is not None and k == 1000:
            break
    return length


def _table_fault(members: Sequence[Any], value: object, notes: Notes) -> Fault | None:
    if not isinstance(value, Mapping):
        return _type_fault(lambda: "a table", value)
    for key, entry in value.items():
        if not isinstance(key, str):
            return Fault("", lambda: f"{format_value(value)} must have text as keys", "entry")
        fault = fault_of(members[1], entry, notes) if len(members) > 1 else None
        for note in notes:
            fault = _key_fault(note, key, entry) if isinstance(note, Keys) else fault
        if fault is not None:
            return fault.within(f".{write_name(key)}")
    return None


def _key_fault(note: Keys, key: str, entry: object) -> Fault | None:
    """Return the fault of a key of a table or of its value, or None."""
    keys_allowed, hints = signature_of(note.target)
    allowed = note.names or tuple(keys_allowed)
    if key in allowed:
        return fault_of(hints[key], entry)
    if key in keys_allowed:
        return Fault("", lambda: f"has no meaning here; possible are {', '.join(allowed)}", "entry")
    correct_name = keys_with_symbol(key, hints)
    return Fault(
        "",
        lambda: f"is called {correct_name} here" if correct_name else f"is no key; {near(key, allowed)}",
        "entry",
    )


def _number_fault(hint: Any, value: Any, notes: Notes) -> Fault | None:
    if _is_array(value) and value.ndim == 0:  # also a traced one
        kinds = {bool: "b", int: "iu", float: "iuf"}[hint]
        if value.dtype.kind not in kinds:
            return _type_fault(lambda: with_article(NAMES[hint]), value)
        if type(value).__module__.split(".")[0] != "numpy":
            return None
        value = value.item()  # type: ignore[attr-defined]
    if hint is bool:
        return None if isinstance(value, bool) else _type_fault(lambda: with_article(NAMES[hint]), value)
    if isinstance(value, bool) or not isinstance(value, Integral if hint is int else Real):
        is_whole = hint is int and isinstance(value, float) and value.is_integer()
        return _type_fault(
            lambda: with_article(NAMES[hint]) + (f"; write {value:.0f}" if is_whole else ""), value
        )
    if value != value:
        return Fault("", partial(str, "must be a number"), "bound", value)
    if isinstance(value, Integral) and abs(int(value)) >= 2**63:
        return Fault("", lambda: f"{format_value(value)} must be below 2**63", "size")
    for kind, edge in bounds_of(notes):
        rule, holds = _RULES[kind]
        if not holds(value, edge):
            size = hint is int and kind in (Lt, Le)
            fault = "must be finite" if math.isinf(edge) else f"must be {rule} {edge:g}"
            return Fault("", partial(str, fault), "size" if size else "bound", value)
    return None


def bound_violation(target: Factory, name: str, value: float) -> str:
    """Reason why a keyword of a factory may not take a number, from its annotation, or an empty text.

    >>> from typing import Annotated
    >>> def family(share: Annotated[float, Ge(0), Lt(1)] = 0.0): ...
    >>> bound_violation(family, "share", 1.0), bound_violation(family, "share", 0.5)
    ('must be in [0, 1)', '')
    """
    bounds = number_bounds(target).get(name, ())
    if all(_RULES[kind][1](value, edge) for kind, edge in bounds):
        return ""
    if len(bounds) == 1:
        ((kind, edge),) = bounds
        return f"must be {_RULES[kind][0]} {edge:g}"
    (first, low), (last, high) = bounds
    return f"must be in {_BRACKETS[first]}{low:g}, {high:g}{_BRACKETS[last]}"


def _numeric(value: Any) -> bool:
    return getattr(value.dtype, "kind", "f") in "biuf"  # JAX's extended dtypes may have no `kind`


def _open(value: object) -> bool:
    """True for a value with tables, functions or nested lists, which annotations describe in part."""
    if isinstance(value, list | tuple):
        return any(map(_open, value)) or any(isinstance(entry, list | tuple) for entry in value)
    return isinstance(value, Mapping) or callable(value)


def _holds_function(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_function, value.values()))
    return any(map(_holds_function, value)) if isinstance(value, list | tuple) else callable(value)

"""Variables outside a game that its functions read: compiled programs are dropped once one of them changes.

JAX compiles what a function reads of a global variable, a closure or a class as a constant. Programs of a
game whose user then assigns another value would silently compute with the old one. Functions in the user's
own modules are therefore followed through the names in their code; installed libraries are not.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from dis import get_instructions
from functools import lru_cache, partial
from types import CellType, CodeType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy import ndarray

from rivalry.core.dispatch import registered
from rivalry.core.tree import Tree
from rivalry.runtime.jax import drop_programs, eqx, is_jax_array, jax
from rivalry.runtime.memo import Known, known_of
from rivalry.runtime.precision import stored

FIXED = (bool, int, float, complex, str, bytes, type(None), np.generic)
VALUES = (*FIXED, ndarray, tuple, list, dict)
LARGE = 1 << 14  # bytes; of a larger array every so many numbers are compared
MANY = 1000  # entries of a list or the like; longer ones are not compared
DEPTH = 4  # of lists, objects and wrappers within one another
WRAPPED = ("__func__", "__wrapped__", "fget", "func", "function", "method")
MUTATORS = frozenset(["append", "extend", "insert", "update", "setdefault", "pop", "remove", "clear"])


class _Variable(NamedTuple):
    """Location of a value: under a name in a module, class or object, or in the cell of a closure."""

    holder: Any
    name: str

    def value(self) -> Any:
        if isinstance(self.holder, CellType):
            try:
                return self.holder.cell_contents
            except ValueError:
                return None  # not assigned yet
        return self.holder.get(self.name)


def forget_changed(game: object) -> None:
    """Drop all compiled programs if a variable that functions of a game read has changed since last time."""
    if "jax" not in sys.modules:
        return
    for root in _roots(game, DEPTH):
        values_seen = _SEEN.get(root)
        if values_seen is None:
            _SEEN[root] = _values(_read_by(root))
        elif any(_has_changed(*row) for row in values_seen):
            drop_programs()
            # functions may be others now, which read others
            _SEEN[root] = _values(_read_by(root))


def known_of_game(game: object) -> Known[Any]:
    """Return the answers about a game that were given before; none of a game that may change under them.

    Only the arrays of NumPy in a frozen game can change, and they are compared. What the user's own classes
    and functions read may change too, so nothing is kept of games that have any.
    """
    if not isinstance(game, Tree | eqx.Module) or any(True for _ in _roots(game, DEPTH)):
        return {}
    arrays = [leaf.tobytes() for leaf in jax.tree.leaves(game) if isinstance(leaf, ndarray)]
    return known_of(game, tuple(arrays))


_SEEN: WeakKeyDictionary[Any, list[tuple[_Variable, Any, Any]]] = WeakKeyDictionary()


def _values(variables: list[_Variable]) -> list[tuple[_Variable, Any, Any]]:
    # the values are kept, so that no other object takes their ids
    return [(variable, value := variable.value(), _mark(value, DEPTH)) for variable in variables]


def _has_changed(variable: _Variable, before: object, mark: object) -> bool:
    value = variable.value()
    if value is before and isinstance(value, FIXED):
        return False
    return bool(_mark(value, DEPTH) != mark)


def _mark(value: object, depth: int) -> Any:
    """Key by which a value is compared: numbers by value, others by identity."""
    if isinstance(value, FIXED):
        return type(value), repr(value) if isinstance(value, float) else value  # NaN is NaN, -0.0 is not 0.0
    if isinstance(value, ndarray):
        part = value if value.nbytes <= LARGE else value.flat[:: 1 + value.size // 1000]
        return value.shape, value.dtype, part.tobytes() if value.dtype != object else id(value)
    if is_jax_array(value) or not depth:
        return id(value)
    if isinstance(value, list | tuple) and len(value) <= MANY:
        return type(value), tuple(_mark(part, depth - 1) for part in value)
    if isinstance(value, dict) and len(value) <= MANY:
        return tuple((_mark(name, depth - 1), _mark(part, depth - 1)) for name, part in value.items())
    if isinstance(value, SimpleNamespace) or (_is_own(type(value)) and stored(value) is not None):
        return type(value), _mark(vars(value), depth - 1)
    return id(value)


@lru_cache(maxsize=1000)
def _is_own_module(name: str) -> bool:
    """True if a module is the user's: a file outside the installed libraries, or no file."""
    file = getattr(sys.modules.get(name), "__file__", None) or ""
    installed = sysconfig.get_paths()["stdlib"], "site-packages", "dist-packages"
    return name.split(".")[0] not in ("rivalry", "builtins") and not any(part in file for part in installed)


def _is_own(thing: object) -> bool:
    name = thing.__name__ if isinstance(thing, ModuleType) else getattr(thing, "__module__", None)
    return name is None or (isinstance(name, str) and _is_own_module(name))


@lru_cache(maxsize=1000)
def _is_leaf(kind: type) -> bool:
    return issubclass(kind, (*FIXED, ndarray, type, jax.Array))


def _roots(value: object, depth: int) -> Iterator[Any]:
    """Yield the user's classes and functions within a game: its own class, and those of its attributes."""
    kind: Any = type(value)
    if _is_leaf(kind):
        return
    if isinstance(value, FunctionType):
        if _is_own(value):
            yield value
    elif isinstance(value, MethodType | partial):
        yield from _roots(value.__func__ if isinstance(value, MethodType) else value.func, depth)
    elif isinstance(value, list | tuple):
        for part in value[:MANY] if depth else ():
            yield from _roots(part, depth - 1)
    elif stored(value) is not None:
        if _is_own(kind):
            yield kind
        for part in vars(value).values() if depth else ():
            yield from _roots(part, depth - 1)


def _read_by(root: object) -> list[_Variable]:
    """Return the variables that a function reads, or the methods and registered answers of a class."""
    reads = _Reads()
    reads.follow(root)
    if isinstance(root, type):
        for answer in registered(root):
            reads.follow(answer)
    return [variable for variable in reads.found.values() if not reads.changes(variable)]


class _Reads:
    """The variables that functions read, and what these functions change themselves."""

    def __init__(self) -> None:
        self.found: dict[tuple[int, str], _Variable] = {}
        self.seen: set[int] = set()
        self.stored: set[str] = set()
        self.mutates = False

    def changes(self, variable: _Variable) -> bool:
        """True if the functions may change a variable: a count of their own calls is no reason."""
        inside = not isinstance(variable.value(), (*FIXED, tuple, FunctionType, type))
        return variable.name in self.stored or (self.mutates and inside)

    def follow(self, value: object, names: frozenset[str] = frozenset()) -> None:
        """Follow a function or a class, or what a function with these names in its code reads."""
        for _ in WRAPPED:
            if isinstance(value, FunctionType | ModuleType | type):
                break
            parts = [part for name in WRAPPED if callable(part := getattr(value, name, None))]
            value = parts[0] if parts else value
        kind = value if isinstance(value, FunctionType | ModuleType | type) else type(value)
        if not _is_own(kind):
            return
        if isinstance(kind, ModuleType):
            for name in names & vars(kind).keys():
                self._add(_Variable(vars(kind), name), names)
        elif id(kind) not in self.seen:
            self.seen.add(id(kind))
            self._function(kind) if isinstance(kind, FunctionType) else self._class(kind)

    def _add(self, variable: _Variable, names: frozenset[str]) -> None:
        if not isinstance(variable.value(), ModuleType):
            self.found[id(variable.holder), variable.name] = variable
        self.follow(variable.value(), names)

    def _class(self, kind: type) -> None:
        for above in filter(_is_own, kind.__mro__):
            for name, member in list(vars(above).items()):
                if name.startswith("__") and name != "__call__":
                    continue
                if isinstance(member, VALUES):
                    self.found[id(above), name] = _Variable(vars(above), name)
                elif not isinstance(member, type):
                    self.follow(member)

    def _function(self, function: FunctionType) -> None:
        codes = list(_codes(function.__code__))
        names = frozenset().union(*(code.co_names for code in codes))
        for code in codes:
            for step in get_instructions(code):
                is_shared = step.opname == "STORE_DEREF" and step.argval in code.co_freevars
                if is_shared or step.opname in ("STORE_GLOBAL", "STORE_ATTR"):
                    self.stored.add(step.argval)
                self.mutates |= step.opname in ("STORE_ATTR", "STORE_SUBSCR")
        self.mutates |= bool(names & MUTATORS)
        for name in names & function.__globals__.keys():
            self._add(_Variable(function.__globals__, name), names)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._add(_Variable(cell, name), names)


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of a function and of those within it."""
    yield code
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _codes(part)

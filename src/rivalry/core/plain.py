"""Games of plain classes in compiled programs.

A game need not be an `equinox.Module`. JAX compares other objects by hash: after a change, a game would
silently be computed with its old numbers; a class with ``__eq__``, such as a dataclass, has no hash; and
copies would be compiled anew. The class of a plain game is therefore registered as a pytree that is compared
by the values of its attributes. It has no leaves, so that its methods see NumPy arrays, except for replaced
arrays (`replace_array`).
"""

from __future__ import annotations

import types
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import numpy as np
from numpy import ndarray

from rivalry.core.captured_variables import forget_changed
from rivalry.core.tree import is_array_tree
from rivalry.runtime.jax import jax, jnp
from rivalry.runtime.precision import stored

G = TypeVar("G")

LEAVES = "_replaced"  # names of the arrays that are leaves
BY_IDENTITY = types.FunctionType | types.BuiltinFunctionType | types.ModuleType | type


class Hashed:
    """The static part of a compiled program, equal where its key is; the key is hashed once."""

    def __init__(self, key: Any, value: object = None) -> None:
        self.key, self.value, self._hash = key, value, hash(key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, Hashed):
            return self is other
        return self._hash == other._hash and bool(self.key == other.key)


_KNOWN: WeakValueDictionary[Any, Hashed] = WeakValueDictionary()
_REGISTERED: set[type] = set()


def register_plain(game: G) -> G:
    """Register the classes of plain games in a game for compiled programs, and return the game.

    >>> class Quadratic:
    ...     def __init__(self) -> None:
    ...         self.space, self.target = None, np.array([1.0, 2.0])
    >>> jax.tree.leaves(register_plain(Quadratic()))
    []
    """
    if is_array_tree(game):
        return game
    forget_changed(game)
    for leaf in jax.tree.leaves(game):
        kind = type(leaf)
        if not isinstance(leaf, jax.Array | ndarray | type) and (
            hasattr(leaf, "space") or hasattr(leaf, "world")
        ):
            try:
                _copy(leaf, {})
            except TypeError:  # a class not written in Python: its objects stay constants, compared by hash
                continue
            _REGISTERED.add(kind)
            jax.tree_util.register_pytree_node(kind, _flatten, _unflatten)
    return game


def is_plain(game: object) -> bool:
    """True if a game is of a plain class."""
    return type(register_plain(game)) in _REGISTERED


def replace_array(game: G, name: str, value: object) -> G:
    """Return a copy of a plain game with an array replaced; the new array is a leaf.

    Raises
    ------
    ValueError
        For a class with ``__slots__``.
    """
    if stored(game) is None:
        kind = type(game).__name__
        raise ValueError(f"{name}: cannot be changed in a {kind} with __slots__; must be of a class without")
    names = tuple(sorted({*vars(game).get(LEAVES, ()), name}))
    return _copy(game, {name: value, LEAVES: names})


def attributes(game: object) -> dict[str, Any]:
    """Return the attributes of an object by name, including those in slots."""
    by_name = dict(stored(game) or {})
    for kind in type(game).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(game, name):
                by_name[name] = getattr(game, name)
    return by_name


def _copy(game: G, changes: dict[str, Any]) -> G:
    """Return a shallow copy of a game in which NumPy arrays are copied too."""
    copied: G = object.__new__(type(game))
    for name, value in (attributes(game) | changes).items():
        # a program's constants must not change when the game's own array does
        part = value.copy() if isinstance(value, ndarray) else value
        if name in (stored(game) or ()) or name in changes:
            copied.__dict__[name] = part
        else:
            object.__setattr__(copied, name, part)  # in a slot
    return copied


def _flatten(game: object) -> tuple[list[Any], tuple[tuple[str, ...], Hashed]]:
    names = attributes(game).get(LEAVES, ())
    settings = {name: None if name in names else value for name, value in attributes(game).items()}
    key = (type(game), names, _key(settings, ()))
    stored_key = _KNOWN.get(key)
    if stored_key is None:
        # a copy of the game without its leaves
        stored_key = _KNOWN[key] = Hashed(key, _copy(game, dict.fromkeys(names)))
    return [getattr(game, name) for name in names], (names, stored_key)


def _unflatten(structure: tuple[tuple[str, ...], Hashed], leaves: Any) -> Any:
    # always a copy: attributes that methods set during tracing must not outlive the trace
    return _copy(structure[1].value, dict(zip(structure[0], leaves, strict=True)))


def _key(value: object, within: tuple[int, ...]) -> Any:
    """Return a hashable key, equal for equal values; ``within`` holds the ids of the enclosing objects."""
    kind = type(value)
    if value is None or isinstance(value, bool | int | str | bytes | BY_IDENTITY):
        return kind, value
    if isinstance(value, float):
        return kind, value.hex()  # -0.0 is not 0.0, and NaN is NaN
    # an object that contains itself: its position replaces it
    if id(value) in within:
        return kind, within.index(id(value))
    if isinstance(value, jax.core.Tracer):
        return kind, id(value)
    inside = (*within, id(value))
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    if isinstance(value, ndarray | np.generic | jax.Array):
        array = np.asarray(value)
        content: Any = array.tobytes() if array.dtype != object else _key(array.tolist(), inside)
        return kind, array.dtype, array.shape, content
    if isinstance(value, dict):
        return kind, tuple((_key(name, inside), _key(part, inside)) for name, part in value.items())
    if isinstance(value, list | tuple):
        return kind, tuple(_key(part, inside) for part in value)
    if isinstance(value, set | frozenset):
        return kind, frozenset(_key(part, inside) for part in value)
    if isinstance(value, types.MethodType):
        return kind, value.__func__, _key(value.__self__, inside)
    if not jax.tree_util.all_leaves([value]):
        leaves, definition = jax.tree.flatten(value)
        return kind, Same(definition), tuple(_key(leaf, inside) for leaf in leaves)
    parts = attributes(value)
    return (kind, _key(parts, inside)) if parts else (kind, Same(value))


class Same:
    """A hashable wrapper, equal to wrappers of the same object or of an equal one."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __hash__(self) -> int:
        try:
            return hash(self.value)
        except TypeError:
            return id(self.value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Same) or hash(self) != hash(other):
            return False
        return self.value is other.value or bool(self.value == other.value)

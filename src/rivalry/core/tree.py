"""Frozen dataclasses of arrays and settings, registered as pytrees once JAX is loaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import Any, TypeVar, dataclass_transform

import numpy as np
from numpy import ndarray

from rivalry.runtime.imports import when_imported
from rivalry.runtime.jax import is_jax_array, jax, promote_ranks, put
from rivalry.text.display import Description, OneLineRepr

F = TypeVar("F", bound=Callable[..., Any])


def static(*, default: object = dataclasses.MISSING) -> Any:
    """Return a field of a `Tree` that holds a setting; programs are compiled per value."""
    return dataclasses.field(default=default, metadata={"static": True})


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(static, dataclasses.field))
class Tree(OneLineRepr):
    """A frozen dataclass that is a pytree, like `equinox.Module`, but usable without JAX.

    Fields hold arrays or trees of arrays, except for `static` ones. Values are equal where their fields are.
    ``__check_init__`` of the class and its bases is called once the fields are set.

    >>> class Line(Tree):
    ...     slope: np.ndarray
    ...     name: str = static(default="line")
    >>> jax.tree.map(lambda leaf: 2 * leaf, Line(np.array([1.0, 2.0])))
    Line: slope [2 4], name line
    """

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)
        # not now: finite games are defined and computed without JAX
        when_imported("jax", partial(_register, cls))

    def __post_init__(self) -> None:
        for kind in type(self).__mro__:
            if "__check_init__" in vars(kind):
                vars(kind)["__check_init__"](self)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        parts, settings = field_names(type(self))
        return all(_is_equal(getattr(self, name), getattr(other, name)) for name in (*settings, *parts))

    def __hash__(self) -> int:
        _, settings = field_names(type(self))
        # arrays have no hash; equal trees have equal settings
        return hash((type(self), *(getattr(self, name) for name in settings)))

    def _title_and_parameters(self) -> Description:
        parameters = {name: v for name, v in vars(self).items() if v is not None and not name.startswith("_")}
        return type(self).__name__, {name: v if _is_numeric(v) else str(v) for name, v in parameters.items()}


class _PayoffMethod:
    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.__doc__ = function, function.__doc__

        # once per method: programs are compiled per function
        @wraps(function)
        def at_profile(game: Any, x: Any) -> Any:
            numbers = put(np.asarray(x)) if isinstance(x, list | tuple | ndarray) else x
            return promote_ranks(function)(game, in_shape(numbers, game.space.shape, "profile"))

        self.at_profile = at_profile

    def __call__(self, game: object, x: Any) -> Any:
        return self.function(game, x)

    def __get__(self, game: object, kind: type | None = None) -> Callable[..., Any]:
        if game is None:
            return self.function
        bound: Callable[..., Any] = jax.tree_util.Partial(self.at_profile, game)
        bound.__doc__ = self.function.__doc__
        return bound


def payoff_method(function: F) -> F:
    """Decorate the payoffs of a game, so that `jax.jit` takes them as it takes any other function.

    Equinox hashes a bound method by the arrays of its module, which have no hash. This one is hashed by its
    own identity. It remains a pytree whose leaves are the module's arrays, as `equinox.filter_jit` expects.
    A profile that is a list or an array of NumPy becomes an array of JAX, which traced numbers can index; one
    that is not ``[player axis]`` of the game's space is a `ValueError`.
    """
    return _PayoffMethod(function)  # type: ignore[return-value]  # type checkers see an ordinary method


def in_shape(x: Any, shape: tuple[int, ...], name: str) -> Any:
    """Return an array or a list as a profile ``[player axis]``; with one axis, ``[player]`` is accepted.

    Raises
    ------
    ValueError
        For an array of another shape; the message starts with ``name``.
    """
    x = np.asarray(x) if isinstance(x, list | tuple) else x
    profile = x[:, None] if x.ndim == 1 and shape[1] == 1 else x
    if profile.shape != shape:
        raise ValueError(f"{name}: shape {x.shape} must be {shape} (players, axes)")
    return profile


def field_names(kind: type[Tree]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the array fields, and those of the settings."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    settings = tuple(field.name for field in fields if field.metadata.get("static"))
    return tuple(field.name for field in fields if field.name not in settings), settings


def is_array_tree(value: object) -> bool:
    """True if a value is a `Tree` of only arrays, None and such trees, without loading JAX."""
    if not isinstance(value, Tree):
        return False
    parts = (getattr(value, name) for name in field_names(type(value))[0])
    return all(p is None or isinstance(p, ndarray) or is_jax_array(p) or is_array_tree(p) for p in parts)


def _is_numeric(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number or isinstance(value, ndarray) or is_jax_array(value)


def _is_equal(part: Any, other_part: Any) -> bool:
    if isinstance(part, ndarray) or is_jax_array(part):
        return bool(np.array_equal(part, other_part))
    return part is other_part or bool(part == other_part)


def _register(kind: type[Tree]) -> None:
    names, settings = field_names(kind)

    def flatten(tree: Tree) -> tuple[list[Any], tuple[Any, ...]]:
        return [getattr(tree, name) for name in names], tuple(getattr(tree, name) for name in settings)

    def flatten_with_keys(tree: Tree) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
        parts, structure = flatten(tree)
        return list(zip(map(jax.tree_util.GetAttrKey, names), parts, strict=True)), structure

    def unflatten(structure: tuple[Any, ...], parts: Iterable[Any]) -> Any:
        instance = object.__new__(
            kind
        )  # not the constructor: JAX fills in objects that are no valid arguments
        vars(instance).update(zip((*names, *settings), (*parts, *structure), strict=True))
        return instance

    jax.tree_util.register_pytree_with_keys(kind, flatten_with_keys, unflatten, flatten)

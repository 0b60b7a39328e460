"""Parameters by name: the arrays of a game that `reach`, `reach[1]` or `tax, subsidy` refers to."""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array

from rivalry.core.game import array_entry, arrays, with_
from rivalry.core.oracles import validate_parameter
from rivalry.runtime.jax import floats, jax, jnp, put
from rivalry.schema.construction import recipe_of

ArrayEntry = tuple[str, tuple[int, ...]]
DIFFERENCE_STEP = 1e-5  # of a parameter: step of the differences of what follows from it


class VariedEntries(NamedTuple):
    """Arrays of a game, or entries of them, that change together; see `entries_of`."""

    parts: tuple[ArrayEntry, ...]

    @property
    def name(self) -> str:
        """Return the name as written.

        Examples
        --------
        >>> VariedEntries((("reach", (1,)), ("tax", ()))).name
        'reach[1], tax'
        """
        return ", ".join(name + (f"[{', '.join(map(str, at))}]" if at else "") for name, at in self.parts)

    def values(self, game: object) -> np.ndarray:
        """Return the varied entries [entry]."""
        return np.concatenate([np.asarray(getattr(game, name))[at].ravel() for name, at in self.parts])

    def value(self, game: object) -> float:
        """Return the mean of the varied entries."""
        return float(np.mean(self.values(game)))

    def separate(self, game: object) -> tuple[VariedEntries, ...]:
        """Return the parameters one by one, and the entries of an array whose values differ.

        Examples
        --------
        >>> import rivalry as rv
        >>> game = rv.games.influencer(reach=[0.1, 0.2], resource="bimodal")
        >>> [one.name for one in entries_of(game, "reach", "parameter").separate(game)]
        ['reach[0]', 'reach[1]']
        """
        parameters: list[VariedEntries] = []
        for name, at in self.parts:
            values = np.asarray(getattr(game, name))[at]
            single = np.ndindex(values.shape) if np.ptp(values) > 0 else [()]
            parameters += [VariedEntries(((name, (*at, *k)),)) for k in single]
        return tuple(parameters)

    def shift(self, game: object, amount: float | Array) -> Any:
        """Return the game with ``amount`` added to every varied entry."""
        return self._update(game, lambda entry: entry.add(amount))

    def set(self, game: object, value: float | Array) -> Any:
        """Return the game with every varied entry equal to ``value``."""
        return self._update(game, lambda entry: entry.set(value))

    def _update(self, game: object, change: Callable[[Any], Array]) -> Any:
        changed: dict[str, Any] = {}
        for name, at in self.parts:
            changed[name] = change(jnp.asarray(changed.get(name, getattr(game, name))).at[at])
        varied = with_(game, **changed)
        entries = arrays(varied)
        if all(name in entries and entries[name].shape == value.shape for name, value in changed.items()):
            return varied
        # the factory leaves the array of a neutral value out; a method moves on from there
        for name, value in changed.items():
            game = eqx.tree_at(attrgetter(name), game, value)
        return game

    def derivative(self, game: object) -> Any:
        """Return the derivative of the game's real arrays in the parameter, for `move_along`.

        Arrays that follow from the varied entries, such as bounds of the space, are differentiated by central
        differences of games made anew.

        Raises
        ------
        ValueError
            If arrays of other sizes, or other options, follow from the parameter near its value.
        """
        zeros = jax.tree.map(jnp.zeros_like, eqx.filter(game, eqx.is_inexact_array))
        derivative = self.set(zeros, 1.0)  # a game without a recipe: nothing else changes
        if recipe_of(game) is None:
            return derivative
        step, sides = DIFFERENCE_STEP * (abs(self.value(game)) or 1.0), []
        for amount in (step, -step):
            # an end of the parameter's range has one side
            neighbour = game if self.refusal(game, self.value(game) + amount) else self.shift(game, amount)
            if _form(neighbour) != _form(game):
                raise ValueError(f"{self.name}: no derivative: the form of this game changes at this value")
            sides.append((neighbour, 0.0 if neighbour is game else amount))
        (above, high), (below, low) = sides

        def follows(array: Array | None, up: Any, down: Any) -> Any:
            if array is None:
                return None
            # an infinite bound stays
            change = jnp.where(up == down, 0.0, up - down) / (high - low)
            return jnp.where(array != 0, array, change)

        return jax.tree.map(follows, derivative, above, below, is_leaf=lambda leaf: leaf is None)

    def refusal(self, game: object, value: float) -> str:
        """Return the reason why the game refuses ``value``, or an empty string."""
        return next(
            (reason for name, _ in self.parts if (reason := validate_parameter(game, name, value))), ""
        )


def move_along(game: object, derivative: object, amount: float | Array) -> Any:
    """Return the game with its arrays moved along a `VariedEntries.derivative`; ``amount`` may be traced."""
    return eqx.apply_updates(game, jax.tree.map(lambda change: amount * change, derivative))


def entries_of(game: object, names: Any, option: str) -> VariedEntries:
    """Return the arrays that ``names`` refers to: an array, an entry ``reach[1]``, or several, listed or
    comma-separated.

    Raises `ValueError`, which begins with ``option``, for a name that is no array of real numbers of the
    game (it lists the existing ones), an index outside an array, and a name given twice.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.1, 0.2], resource="bimodal")
    >>> entries_of(game, "reach[1]", "parameter").set(game, 0.3).reach.tolist()
    [0.1, 0.3]
    """
    # commas between brackets separate indices
    parameter_names = re.split(r",(?![^\[]*\])", names) if isinstance(names, str) else list(names)
    parts = tuple(_entry(game, name, option) for name in parameter_names)
    if not parts or len(set(parts)) < len(parts):
        raise ValueError(f"{option}: {names!r} must name at least one array, and each once")
    return VariedEntries(parts)


def precise(game: object) -> Any:
    """Return the game with all its real numbers as arrays in double precision, and of strong type.

    Arrays created before the package was first used have single precision, which is too coarse for curves.
    """
    if recipe_of(game) is not None:  # factories make such arrays, and the copy could not be made anew
        return game

    def double(leaf: Any) -> Any:
        array = isinstance(leaf, jax.Array | np.ndarray | np.generic)
        real = isinstance(leaf, float) or (array and jnp.issubdtype(leaf.dtype, jnp.floating))
        return put(floats(leaf)) if real else leaf

    return jax.tree.map(double, game)


def _form(game: object) -> Any:
    leaves, structure = jax.tree.flatten(game)
    return structure, [np.shape(leaf) for leaf in leaves]


def _entry(game: object, name_text: object, option: str) -> ArrayEntry:
    if not isinstance(name_text, str):
        raise ValueError(f"{option}: {name_text!r} must be an array of the game, as in 'reach' or 'reach[1]'")
    try:
        name, index = array_entry(game, name_text)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None
    kind = np.asarray(getattr(game, name)).dtype
    if not jnp.issubdtype(kind, jnp.floating):
        raise ValueError(f"{option}: {name} holds {kind} numbers; must be real")
    return name, index

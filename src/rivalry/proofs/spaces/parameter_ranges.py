"""Parameters of a game that are intervals: a proof on a box holds for all of their values.

A parameter is an array of the game, an entry of an array, or a keyword of the factory that returns the game.
The game with other values is the game with these entries replaced. At a few values it is compared with games
made anew, to see that no other array depends on the parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.exchanges import exchangeable_labels
from rivalry.core.game import array_entry, with_
from rivalry.core.oracles import one_quadrature
from rivalry.core.plain import register_plain
from rivalry.proofs.spaces.logarithms import InLogs
from rivalry.proofs.spaces.simplices import InFractions
from rivalry.runtime.jax import floats, jax, jnp
from rivalry.schema.construction import keyword_of, recipe_of, variant
from rivalry.schema.keys import parse_key

if TYPE_CHECKING:
    from jaxtyping import Array

PROBES = 9  # values at which it is compared that no other array follows from a parameter
GENERIC = (0.3819, 0.5573, 0.7236)  # parts of ranges at which no two parameters are equal by chance


@dataclass(frozen=True)
class ParameterPlaces:
    """Positions of parameters: per parameter, pairs of the index of an array in the game and its entries."""

    positions: tuple[tuple[tuple[int, tuple[int, ...]], ...], ...]

    def replaced(self, game: object, values: ndarray | Array) -> Any:
        """Return the game with the parameters ``values [parameter]``, also in other coordinates."""
        if isinstance(game, InLogs | InFractions):
            return replace(game, game=self.replaced(game.game, values))
        leaves, form = jax.tree.flatten(game)
        for value, places in zip(values, self.positions, strict=True):
            for k, entries in places:
                old = jnp.asarray(leaves[k])
                if len(entries) == old.size:
                    leaves[k] = jnp.broadcast_to(value, old.shape)
                else:
                    index = np.array(entries)
                    flat = old.ravel().at[index].set(value, unique_indices=True)
                    leaves[k] = flat.reshape(old.shape)
        return jax.tree.unflatten(form, leaves)


class Ranges(NamedTuple):
    """Ranges of parameters from ``low`` to ``high``, ``[parameter]``, with their positions in the game."""

    low: ndarray
    high: ndarray
    places: ParameterPlaces


class GameOnRanges(NamedTuple):
    """A game whose parameters ``names`` lie in ranges; players are exchangeable for all values or not."""

    game: Any
    names: tuple[str, ...]
    ranges: Ranges
    labels: ndarray

    def at(self, parts: ndarray) -> Any:
        """Return the game with parameters at these parts of their ranges, ``[parameter]``."""
        low, high, places = self.ranges
        return places.replaced(self.game, low + (high - low) * parts)


def on_ranges(game: object, where: Mapping[str, Iterable[float]]) -> GameOnRanges:
    """Return a game with parameters in ranges ``{name: (low, high)}``, as sweeps and studies name them.

    Raises
    ------
    ValueError
        For an unknown name, a range without width, a value that the game refuses, several entries of which
        the values differ, and a parameter from which other arrays follow, such as bounds of choices.
    """
    if not where:
        raise ValueError("where: names no parameter; must be as in {'reach': (0.24, 0.26)}")
    variable_game, places, ends = register_plain(game), list[Any](), list[tuple[float, float]]()
    for name, interval in where.items():
        low, high = _ends(name, interval)
        variable_game, parameter_places = _places(variable_game, name, low, high)
        occupied = {(k, entry) for positions in places for k, entries in positions for entry in entries}
        if occupied & {(k, entry) for k, entries in parameter_places for entry in entries}:
            raise ValueError(f"where: {name}: another parameter sets the same numbers")
        places.append(parameter_places)
        ends.append((low, high))
    edges = np.array(ends)
    ranges = Ranges(edges[:, 0], edges[:, 1], ParameterPlaces(tuple(places)))
    plain = GameOnRanges(variable_game, tuple(where), ranges, np.zeros(0, int))
    samples = [_generic(len(ends), k) for k in range(len(GENERIC))]
    labels_at_samples = np.stack([exchangeable_labels(plain.at(parts)) for parts in samples])
    # exchangeable at all of these values
    labels = np.unique(labels_at_samples, axis=1, return_inverse=True)[1].ravel()
    return plain._replace(labels=labels)


def _generic(count: int, k: int) -> ndarray:
    return (GENERIC[k] + np.arange(count) * 0.6180339887498949) % 1.0


def _ends(name: str, interval: Iterable[float]) -> tuple[float, float]:
    try:
        low, high = (float(value) for value in interval)
    except (TypeError, ValueError):
        raise ValueError(f"where: {name}: {interval!r} must be two numbers, (low, high)") from None
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"where: {name}: [{low:g}, {high:g}] must be from a number to a larger one")
    return low, high


def _places(game: object, name: str, low: float, high: float) -> tuple[Any, tuple[Any, ...]]:
    """Return the game with the parameter as an array, at the midpoint of its range, and its positions."""
    try:
        base, at = _varied(game, name.removeprefix("game."))
        values = np.linspace(low, high, PROBES)
        games: list[Any] = [at(float(value)) for value in values]
    except ValueError as error:
        raise ValueError(f"where: {error}") from None
    if one_quadrature.knows(game):
        return _places(one_quadrature(game, games), name, low, high)
    flat: list[tuple[Any, Any]] = [jax.tree.flatten(sample) for sample in games]
    base_leaves, form = jax.tree.flatten(base)
    is_uniform = all(structure == form for _, structure in flat)
    is_uniform &= all(
        [np.shape(leaf) for leaf in leaves] == [np.shape(leaf) for leaf in base_leaves] for leaves, _ in flat
    )
    positions, exact = [], is_uniform
    for k in range(len(base_leaves) if is_uniform else 0):
        numbers = np.stack([np.asarray(leaves[k]).ravel() for leaves, _ in flat])
        entries = np.flatnonzero(np.any(numbers != numbers[0], axis=0))
        if len(entries):
            exact &= bool(np.all(numbers[:, entries] == values[:, None]))
            positions.append((k, tuple(map(int, entries))))
            before = np.asarray(base_leaves[k]).ravel()[entries]
            if np.any(before != before[0]):
                entry_texts = ", ".join(f"{value:g}" for value in before)
                raise ValueError(
                    f"where: {name}: its entries differ: {entry_texts}; name one, as in '{name}[0]'"
                )
    leaves = jax.tree.leaves(games[0].space)  # choices must be the same for all values
    exact = exact and all(
        np.array_equal(a, b)
        for sample in games
        for a, b in zip(leaves, jax.tree.leaves(sample.space), strict=True)
    )
    if not exact:
        raise ValueError(f"where: {name}: other numbers of the game follow from it; it cannot have a range")
    if not positions:
        raise ValueError(f"where: {name}: no array of the game changes with it")
    return games[PROBES // 2], tuple(positions)


def _varied(game: object, name: str) -> tuple[Any, Callable[[float], Any]]:
    """Return the game with the parameter among its arrays, and a function from a value to a game."""
    base_name = str(parse_key(name)[0])
    key = keyword_of(game, base_name)
    recipe = recipe_of(game)
    if recipe is not None and (key or base_name in recipe.given):
        suffix = name[len(base_name) :] if key else name
        return game, lambda value: variant(game, **{f"{key}{suffix}" if key else name: value})
    array_name, index = array_entry(game, name)
    array = floats(getattr(game, array_name))
    variable_game = with_(game, **{array_name: array})

    def at(value: float) -> Any:
        changed = array.copy()
        changed[index] = value
        return with_(variable_game, **{array_name: changed})

    return variable_game, at

"""Recipes of games: their factory and its arguments, to construct variants of a game.

A factory that `rivalry.schema.validate.checked` decorates attaches a recipe to its games. The recipe is not a
field: compiled programs serve all games with equal static fields and arrays of equal shape. A pickled copy
has none if an argument is or holds a function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from rivalry.schema.annotations import keys_notes, keywords, signature_of
from rivalry.schema.keys import parse_key
from rivalry.schema.registry import near
from rivalry.schema.validate import HELD, GameRecipe, format_value

G = TypeVar("G")


def recipe_of(game: object) -> GameRecipe | None:
    """Return the recipe of a game, or None."""
    recipe = getattr(game, HELD, None)
    return recipe if isinstance(recipe, GameRecipe) else None


def variant(game: G, **changes: object) -> G:
    """Construct a game anew by its factory, with some arguments changed.

    Dots and indices in a keyword select entries of tables and lists, as in the keys of a study:
    ``**{"toll.slope": 2.0}``, ``**{'demand."a>b"': 2.0}``. A number in place of a list of numbers replaces
    them all.

    Raises
    ------
    ValueError
        For a game without a recipe, an unknown keyword, and a value that the factory rejects.

    Examples
    --------
    >>> import rivalry as rv
    >>> rich = variant(rv.games.karma(max_karma=4, mean_karma=1.0, payment="PBS"), mean_karma=3.0)
    >>> float(rich.mean_karma), float(variant(rich, max_karma=6).mean_karma), rich.own_bid
    (3.0, 3.0, True)
    """
    recipe = recipe_of(game)
    if recipe is None:
        subject = f"this {type(game).__name__} does not know how it was made"
        raise ValueError(f"game: {subject}; must come from a factory, and not be changed since")
    accepted, arguments = keywords(recipe.make), dict(recipe.given)
    for key, value in changes.items():
        name, *subpath = parse_key(key)
        if name not in accepted:
            raise ValueError(f"{key}: is no keyword of {recipe.make.__name__}; {near(str(name), accepted)}")
        old, players, array = (
            arguments.get(str(name)),
            arguments.get("players"),
            getattr(game, str(name), None),
        )
        if subpath and isinstance(subpath[0], int) and array is not None and np.ndim(array) == 1:
            # a default that follows from other keywords, such as a cost from the demand
            old, players = array if old is None else old, len(array)
        arguments[str(name)] = replace_entry(old, subpath, value, key, players)
    # a factory checks its arguments: of many keywords most have their defaults
    defaults = {name: parameter.default for name, parameter in signature_of(recipe.make)[0].items()}
    return recipe.make(**{k: v for k, v in arguments.items() if v is not defaults[k]})


def record_variant(game: object, like: object, **changes: object) -> None:
    """Attach the recipe of another game, with some arguments changed, to a game that was made without it."""
    if (recipe := recipe_of(like)) is not None:
        object.__setattr__(game, HELD, recipe._replace(given={**recipe.given, **changes}))  # games are frozen


def keyword_of(game: object, name: str) -> str | None:
    """Return the keyword of a game's factory that gives its array ``name``, as `variant` takes it, or None.

    Examples
    --------
    >>> import rivalry as rv
    >>> keyword_of(rv.games.race(), "prize"), keyword_of(rv.games.race(), "weights")
    ('reward.prize', None)
    """
    recipe = recipe_of(game)
    if recipe is None:
        return None
    parameters, hints = signature_of(recipe.make)
    if name in parameters:
        return name
    for key in parameters:
        table = recipe.given.get(key)
        keys = [keywords(note.target) for note in keys_notes(hints[key])]
        if any(name in path for path in keys) or (isinstance(table, Mapping) and name in table):
            return f"{key}.{name}"
    return None


def replace_entry(
    old: Any, path: Sequence[str | int], value: Any, key: str, players: int | None, *, words: bool = True
) -> Any:
    """Return a copy of nested tables and lists with one entry changed, as in a study.

    A number replaces all of a list of numbers. With ``words`` a word in place of a table is its kind. Raises
    `ValueError` that begins with ``key``.
    """
    if not path:
        numbers = isinstance(old, list | tuple) and bool(old) and all(map(is_number, old))
        return [value] * len(old) if numbers and is_number(value) else value
    step, *subpath = path
    if isinstance(step, int) and is_number(old) and players:  # one number for all players
        old = [old] * players
    if not isinstance(old, str | list | tuple | Mapping) and np.ndim(old):  # an array, also of JAX
        old = np.asarray(old).tolist()
    present = "nothing" if old is None else format_value(old)
    if isinstance(step, str):
        table = {"kind": old} if words and isinstance(old, str) else {} if old is None else old
        if not isinstance(table, Mapping):
            raise ValueError(f"{key}: needs a table with a key {step!r}, but {present} is there")
        return {**table, step: replace_entry(table.get(step), subpath, value, key, players, words=words)}
    if not isinstance(old, list | tuple):
        rule = f"needs a list to reach into, but {present} is there; write one number per player"
        raise ValueError(f"{key}: {rule}")
    if not 0 <= step < len(old):
        raise ValueError(f"{key}: [{step}] must be in 0..{len(old) - 1}")
    # of the type that it had: in a payoff table tuples are cells, lists are rows
    return type(old)(
        replace_entry(entry, subpath, value, key, players, words=words) if k == step else entry
        for k, entry in enumerate(old)
    )


def is_number(value: object) -> bool:
    """True for a number that is not a Boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool)

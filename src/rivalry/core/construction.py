"""Games that remember what they were made of, so that they can be made anew under another rule.

A factory that `rivalry.core.validate.checked` decorates lets its games remember, unless a function was among
what it was given. What a game remembers is no field of it: programs compiled for one game serve all that have
its arrays and static fields. A copy that was changed (`rivalry.core.game.with_`) is not what was made, and
remembers nothing.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from rivalry.core.registry import near
from rivalry.core.validate import HELD, Recipe

G = TypeVar("G")


def recipe_of(game: object) -> Recipe | None:
    """What a game was made of, where it knows."""
    found = getattr(game, HELD, None)
    return found if isinstance(found, Recipe) else None


def variant(game: G, **changes: Any) -> G:
    """The game that its factory makes with some keywords changed; it remembers these.

    A keyword reaches into tables and lists that were given by dots and numbers, as a study's keys do: passed
    as ``**{"toll.slope": 2.0}``. Raises `ValueError` for a game that does not know how it was made, for a
    keyword that its factory has not, and whatever the factory says of a value.

    >>> import rivalry as rv
    >>> rich = variant(rv.games.karma(max_karma=4, mean_karma=1.0, payment="PBS"), mean_karma=3.0)
    >>> float(rich.mean_karma), float(variant(rich, max_karma=6).mean_karma), rich.own_bid
    (3.0, 3.0, True)
    """
    recipe = recipe_of(game)
    if recipe is None:
        what = f"this {type(game).__name__} does not know how it was made"
        raise ValueError(f"game: {what}; must come from a factory, and not be changed since")
    known, given = inspect.signature(recipe.make).parameters, dict(recipe.given)
    for key, value in changes.items():
        name, *rest = [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", key)]
        if name not in known:
            raise ValueError(f"{key}: is no keyword of {recipe.make.__name__}; {near(str(name), known)}")
        given[str(name)] = _changed(given.get(str(name)), rest, value, key)
    return recipe.make(**given)  # type: ignore[no-any-return]


def _changed(old: Any, path: list[str | int], value: Any, key: str) -> Any:
    """A copy of tables and lists within each other with one entry changed."""
    if not path:
        return value
    step, *rest = path
    if isinstance(step, str) and (old is None or isinstance(old, str)):
        old = {} if old is None else {"kind": old}  # a word in the place of a table is its kind
    if isinstance(step, str) and isinstance(old, Mapping):
        return {**old, step: _changed(old.get(step), rest, value, key)}
    if isinstance(step, int) and isinstance(old, list | tuple) and step < len(old):
        return [_changed(one, rest, value, key) if k == step else one for k, one in enumerate(old)]
    raise ValueError(f"{key}: there is no {step!r} in {old!r}")

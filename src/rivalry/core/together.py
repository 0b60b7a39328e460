"""Games that differ in numbers only, of which one program computes the same for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from rivalry.core.jax import compiled, eqx, jax, put, stack_trees

DIFFERS = "batch: game {} is of another form; only numbers may differ within a batch"


class Together:
    """Games of one form.

    Parameters
    ----------
    games
        At least one; of several, all numbers are arrays (`rivalry.solving.steps.as_arrays`).
    """

    def __init__(self, games: Sequence[Any]) -> None:
        self.games = list(games)

    @cached_property
    def stacked(self) -> Any:
        """The games as one, with arrays ``[game ..]``."""
        return stack_trees(self.games, DIFFERS)

    def __len__(self) -> int:
        return len(self.games)


def per_game(function: Callable[..., Any], *, shared: int = 0, effort: int | None = None) -> Any:
    """Decorate a function of a game to take `Together`, by one program; arrays are ``[game ..]``, NumPy's.

    The last ``shared`` arguments are the same for all games. A single game has a program of its own, which
    does not depend on how many games are computed together.
    """

    def several(games: object, *args: object) -> Any:
        own = len(args) - shared
        axes = (eqx.if_array(0), *[0] * own, *[None] * shared)
        return eqx.filter_vmap(function, in_axes=axes)(games, *args)

    one, many = compiled(function, effort=effort), compiled(several, effort=effort)

    def call(games: Together, *args: object) -> Any:
        own = len(args) - shared
        if len(games) > 1:
            return jax.tree.map(np.asarray, many(games.stacked, *map(put, args[:own]), *args[own:]))
        found = one(games.games[0], *(put(np.asarray(arg)[0]) for arg in args[:own]), *args[own:])
        return jax.tree.map(lambda leaf: np.asarray(leaf)[None], found)

    return call

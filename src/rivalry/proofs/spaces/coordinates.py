"""The coordinates of proofs: the entries of a profile that players choose, in one row."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.dispatch import Unsupported
from rivalry.core.game import exchangeable_labels
from rivalry.core.space import Box
from rivalry.proofs.spaces.logarithms import MOST_SHARES
from rivalry.runtime.jax import jnp

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.game import Game
    from rivalry.proofs.spaces.parameter_ranges import Ranges

BATCH = 256  # boxes per call of a compiled program
ORDERS = 5040  # of exchangeable players, of which one is searched and all are listed
OPEN = 2.0
"""Side of a choice that may be at every bound of the game that its box touches, or between them."""


class Coordinates(NamedTuple):
    """The entries of a profile that players choose, in one row, ``[coordinate]``.

    Attributes
    ----------
    player, axis
        Where each entry is.
    low, high
        Its bounds.
    start
        A profile with the entries that nobody chooses.
    labels
        Of exchangeable players, ``[player]``.
    ranges
        Parameters of the game for all values of which something is to be proved, or None.
    """

    player: np.ndarray
    axis: np.ndarray
    low: np.ndarray
    high: np.ndarray
    start: np.ndarray
    labels: np.ndarray
    ranges: Ranges | None = None

    @property
    def place(self) -> tuple[Any, Any]:
        """The entries, as an index of profiles."""
        return self.player, self.axis

    def profile(self, y: Array) -> Any:
        """Return the profile ``[player axis]`` of a row of choices, and of parameters if there are any."""
        # unique: derivatives move the entries, where they would add them up and round
        own = y[: len(self.player)]
        return jnp.asarray(self.start).at[self.place].set(own, unique_indices=True)

    def game(self, game: Game, y: Array) -> Any:
        """Return the game with the parameters of such a row."""
        return game if self.ranges is None else self.ranges.places.replaced(game, y[len(self.player) :])

    def with_parameters(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Return the ends of a box of choices followed by those of the parameters."""
        if self.ranges is None:
            return low, high
        return jnp.concatenate([low, self.ranges.low]), jnp.concatenate([high, self.ranges.high])

    def middle(self, low: Array, high: Array) -> Array:
        """Return the midpoint of a box of choices, followed by that of the parameters."""
        low, high = self.with_parameters(low, high)
        return jnp.clip(low / 2 + high / 2, low, high)


def coordinates(game: Game) -> Coordinates:
    """Return the coordinates of a game on a box.

    Raises
    ------
    Unsupported
        For another space.
    """
    space = game.space
    if not isinstance(space, Box):
        raise Unsupported(
            f"proofs: choices are a {type(space).__name__}; must be intervals, or up to {MOST_SHARES} shares"
        )
    low, high = np.asarray(space.low, dtype=float), np.asarray(space.high, dtype=float)
    player, axis = np.nonzero(np.asarray(space.mask) & (high > low))
    if not len(player):
        raise Unsupported("proofs: no player has a choice; must be at least one")
    labels = exchangeable_labels(game)
    orders = np.prod([float(factorial(int(n))) for n in np.unique(labels, return_counts=True)[1]])
    if orders > ORDERS:  # a search of all of them takes less time than to list them
        labels = np.arange(len(labels))
    return Coordinates(player, axis, low[player, axis], high[player, axis], low, labels)


def in_batches(function: Callable[..., Any], batch: int, *rows: np.ndarray) -> Any:
    """Call a function of rows ``[box ..]`` on one number of rows at a time, so that it is compiled once."""
    parts = []
    for begin in range(0, len(rows[0]), batch):
        some = [part[begin : begin + batch] for part in rows]
        missing = batch - len(some[0])
        found = function(*(np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) for part in some))
        parts.append([np.asarray(part)[: batch - missing] for part in found])
    return type(found)(*(np.concatenate(column) for column in zip(*parts, strict=True)))

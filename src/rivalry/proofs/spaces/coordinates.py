"""The coordinates of proofs: the entries of a profile that players choose, in one row."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.dispatch import Unsupported
from rivalry.core.exchanges import exchangeable_labels
from rivalry.core.space import Box
from rivalry.proofs.spaces.logarithms import MAX_SHARES
from rivalry.runtime.jax import floats, jnp

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.game import Game
    from rivalry.proofs.spaces.parameter_ranges import Ranges

BATCH = 256  # boxes per call of a compiled program
ORDERS = 5040  # of exchangeable players: one order is searched and all are listed
OPEN = 2.0
"""Side of a choice that may be at every bound of the game that its box touches, or between them."""


class Coordinates(NamedTuple):
    """The entries of a profile that players choose, in one row, ``[coordinate]``."""

    player: ndarray  # indices of the entries
    axis: ndarray
    low: ndarray  # bounds of the entries
    high: ndarray
    start: ndarray  # a profile with the fixed entries
    labels: ndarray  # of exchangeable players, [player]
    ranges: Ranges | None = None  # of parameters of the game, for all values of which a proof is to hold

    @property
    def place(self) -> tuple[Any, Any]:
        """The entries, as an index of profiles."""
        return self.player, self.axis

    def profile(self, y: Array) -> Any:
        """Return the profile ``[player axis]`` of a row of choices, and of parameters if there are any."""
        # unique: derivatives move the entries, where they would add them up and round
        choices = y[: len(self.player)]
        return jnp.asarray(self.start).at[self.place].set(choices, unique_indices=True)

    def game(self, game: Game, y: Array) -> Any:
        """Return the game with the parameters of such a row."""
        return game if self.ranges is None else self.ranges.places.replaced(game, y[len(self.player) :])

    def with_parameters(self, low: ndarray, high: ndarray) -> tuple[ndarray, ndarray]:
        """Return the ends of boxes ``[.. coordinate]`` of choices followed by those of the parameters."""
        if self.ranges is None:
            return low, high
        shape = (*low.shape[:-1], len(self.ranges.low))
        below, above = (np.broadcast_to(end, shape) for end in (self.ranges.low, self.ranges.high))
        return np.concatenate([low, below], axis=-1), np.concatenate([high, above], axis=-1)

    def middle(self, low: ndarray, high: ndarray) -> ndarray:
        """Return the midpoints of boxes of choices, followed by those of the parameters."""
        low, high = self.with_parameters(low, high)
        return np.clip(low / 2 + high / 2, low, high)


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
            f"proofs: choices are a {type(space).__name__}; must be intervals, or up to {MAX_SHARES} shares"
        )
    low, high = floats(space.low), floats(space.high)
    player, axis = np.nonzero(np.asarray(space.mask))
    if not len(player):
        raise Unsupported("proofs: no player has a choice; must be at least one")
    labels = exchangeable_labels(game)
    orders = np.prod([float(factorial(int(n))) for n in np.unique(labels, return_counts=True)[1]])
    if orders > ORDERS:  # searching all orders takes less time than listing them
        labels = np.arange(len(labels))
    return Coordinates(player, axis, low[player, axis], high[player, axis], low, labels)


def in_batches(function: Callable[..., Any], batch: int, *rows: ndarray) -> Any:
    """Call a function of arrays ``[box ..]``, to a named tuple of such, on some boxes at a time.

    What intervals overflow to, or where they are not defined, is infinite or NaN without a warning.
    """
    parts = []
    with np.errstate(all="ignore"):
        for begin in range(0, max(len(rows[0]), 1), batch):
            parts.append(function(*(part[begin : begin + batch] for part in rows)))
    if len(parts) == 1:
        return parts[0]
    return type(parts[0])(*(np.concatenate(column) for column in zip(*parts, strict=True)))

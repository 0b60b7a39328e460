"""Starting profiles spread evenly over a space."""

from __future__ import annotations

from math import gcd, prod
from typing import TYPE_CHECKING

import numpy as np

from rivalry.core.jax import put
from rivalry.core.space import Box, Choices, Space

if TYPE_CHECKING:
    from rivalry.core.space import Profile

GOLDEN = (5**0.5 - 1) / 2


def lattice(space: Space, count: int) -> list[Profile]:
    """Return ``count`` different profiles ``[player axis]`` spread evenly over the space, without sampling.

    Each player's points are those of the space's grid, moved inward to the midpoints of equal intervals.
    Profiles are chosen from all combinations of these points: all of them if ``count`` is their number.

    Raises `ValueError` if the space has fewer than ``count`` profiles.

    >>> from rivalry.core.space import Box
    >>> places = lattice(Box.interval(0.0, 1.0, players=2), 9)
    >>> sorted(tuple(x.ravel().round(3).tolist()) for x in places)[:4]
    [(0.167, 0.167), (0.167, 0.5), (0.167, 0.833), (0.5, 0.167)]
    """
    if isinstance(space, Box) and (space.curved or space.usual_low is not None):
        inside = Box(space.inner(space.usual.low), space.inner(space.usual.high))
        return [space.outer(y) for y in lattice(inside, count)]
    players = space.shape[0]
    points = 1
    rows = [_middles(space, player, points) for player in range(players)]
    while prod(map(len, rows)) < count:
        points += 1
        finer = [_middles(space, player, points) for player in range(players)]
        if points > 4 * count and prod(map(len, finer)) < count:
            raise ValueError(f"starts: {count} must be at most {prod(map(len, finer))}, all there are")
        rows = finer
    sizes = [len(row) for row in rows]
    total = prod(sizes)
    # steps of the golden section, coprime to the total, visit different profiles that are far apart
    step = next(s for s in range(max(1, round(GOLDEN * total)), 2 * total + 2) if gcd(s, total) == 1)
    found = []
    for k in range(count):
        number, places = (k * step + total // 2) % total, []
        for row, size in zip(rows, sizes, strict=True):
            number, index = divmod(number, size)
            places.append(row[index])
        found.append(put(np.stack(places)))
    return found


def _middles(space: Space, player: int, points: int) -> np.ndarray:
    """Return about ``points`` strategies of a player: grid midpoints, or all of finitely many choices."""
    grid = np.asarray(space.grid(player, points))
    if isinstance(space, Choices):  # nothing lies between discrete choices
        return grid
    if points == 1:
        return np.asarray(grid.mean(axis=0, keepdims=True))
    across = max(len(np.unique(grid[:, axis])) for axis in range(grid.shape[1]))
    middle = grid.mean(axis=0)
    return np.asarray(middle + (grid - middle) * (1 - 1 / across))

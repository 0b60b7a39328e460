"""Boxes of one player's strategies, for branch and bound: on a simplex only shares that sum to one count."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivalry.core.space import Box, Simplex
from rivalry.core.tolerances import SHARES_SLACK
from rivalry.runtime.jax import jnp


def whole_box(space: Box | Simplex, player: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest box ``[axis]`` around a player's strategies."""
    if isinstance(space, Box):
        return np.asarray(space.low)[player], np.asarray(space.high)[player]
    own = space.entries[player]
    top = 1.0 - space.min_share * (space.sizes[player] - 1)
    return np.where(own, space.min_share, 0.0), np.where(own, np.nextafter(top, 2.0), 0.0)


def halves(
    space: Box | Simplex, player: int, low: np.ndarray, high: np.ndarray, unit: object = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the halves of boxes ``[box axis]`` that are not empty, and of which box each is one.

    Boxes are split in half where they are widest in search coordinates, in units ``[axis]``.
    """
    width, middle = widths_and_middles(space, player, low, high)
    row, axis = np.arange(len(low)), np.argmax(width / unit, axis=1)
    left, right = high.copy(), low.copy()
    left[row, axis] = right[row, axis] = middle[row, axis]
    low, high, of = np.concatenate([low, right]), np.concatenate([left, high]), np.tile(row, 2)
    if isinstance(space, Box):
        return low, high, of
    low, high = tight_boxes(low, high)
    some = np.all(low <= high, axis=1)
    return low[some], high[some], of[some]


def widths_and_middles(
    space: Box | Simplex, player: int, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return widths of boxes of a player's strategies in search coordinates, and the amounts halfway.

    All are ``[box axis]``.
    """
    if isinstance(space, Simplex) or not space.reparametrised:
        return high - low, (low + high) / 2
    first, last = (
        np.asarray(space.unconstrain(np.repeat(end[:, None], space.shape[0], axis=1)))[:, player]
        for end in (low, high)
    )
    middle = np.asarray(space.constrain((first + last)[:, None] / 2, player))[:, 0]
    inside = (middle > low) & (middle < high)
    return last - first, np.where(inside, middle, (low + high) / 2)


def boxes_around(
    space: Box, player: int, inside: np.ndarray, whole: np.ndarray, shares: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes that reach beyond ``inside`` by shares of the width of ``whole`` in search coordinates.

    The boxes ``inside`` and ``whole`` are ``[end axis]``, ``shares`` is ``[box 1]``, lower and upper ends are
    ``[box axis]``; none leaves ``whole``.
    """
    if not space.reparametrised:
        reach = shares * (whole[1] - whole[0])
        return np.maximum(whole[0], inside[0] - reach), np.minimum(whole[1], inside[1] + reach)
    ends = np.repeat(np.concatenate([inside, whole])[:, None], space.shape[0], axis=1)
    low, high, first, last = np.asarray(space.unconstrain(ends))[:, player]
    below, above = (
        np.asarray(space.constrain(end[:, None], player))[:, 0]
        for end in (low - shares * (last - first), high + shares * (last - first))
    )
    return np.clip(below, whole[0], inside[0]), np.clip(above, inside[1], whole[1])


def tight_boxes(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest boxes ``[box axis]`` around the shares in boxes; ``low > high`` where none are."""
    smallest, largest = low.sum(axis=1, keepdims=True), high.sum(axis=1, keepdims=True)
    return (
        np.maximum(low, 1.0 - (largest - high) - SHARES_SLACK),
        np.minimum(high, 1.0 - (smallest - low) + SHARES_SLACK),
    )


def middle_shares(low: Any, high: Any) -> Any:
    """Return shares ``[.. axis]`` inside boxes that hold some; the box itself where it is a point."""
    room = jnp.sum(high - low, axis=-1, keepdims=True)
    part = (1.0 - jnp.sum(low, axis=-1, keepdims=True)) / jnp.where(room > 0, room, 1.0)
    return jnp.clip(low + jnp.clip(part, 0.0, 1.0) * (high - low), low, high)

"""Boxes of a player's strategies, for branch and bound; on a simplex only shares that sum to one count."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core.space import Box, Simplex
from rivalry.core.tolerances import SHARES_SLACK


def bounding_box(space: Box | Simplex, player: int) -> tuple[ndarray, ndarray]:
    """Return the smallest box ``[axis]`` around a player's strategies."""
    if isinstance(space, Box):
        return np.asarray(space.low)[player], np.asarray(space.high)[player]
    entries = space.entries[player]
    top = 1.0 - space.min_share * (space.sizes[player] - 1)
    return np.where(entries, space.min_share, 0.0), np.where(entries, np.nextafter(top, 2.0), 0.0)


def split_ends(low: ndarray, high: ndarray, entry: Any, number: Any) -> tuple[ndarray, ndarray]:
    """Return the upper ends of the lower parts and the lower ends of the upper parts of boxes.

    The boxes from ``low`` to ``high`` are split in an ``entry`` of these arrays, at a number.
    """
    upper_end, lower_end = high.copy(), low.copy()
    upper_end[entry] = lower_end[entry] = number
    return upper_end, lower_end


def halves(
    space: Box | Simplex,
    player: int,
    low: ndarray,
    high: ndarray,
    unit: object = 1.0,
    split: Any = slice(None),
) -> tuple[ndarray, ndarray, ndarray]:
    """Return the halves of boxes ``[box axis]`` that are not empty, and the indices of their boxes.

    Boxes are split in half where they are widest in search coordinates, in units ``[axis]``. Of a mask
    ``split [box]`` the others remain whole.
    """
    width, middle = widths_and_middles(space, player, low, high)
    rows, axes = np.arange(len(low)), np.argmax(width / unit, axis=1)
    entries = rows[split], axes[split]
    upper_ends, lower_ends = split_ends(low, high, entries, middle[entries])
    low = np.concatenate([low, lower_ends[split]])
    high, parents = np.concatenate([upper_ends, high[split]]), np.concatenate([rows, rows[split]])
    if isinstance(space, Box):
        return low, high, parents
    low, high = tight_boxes(low, high)
    nonempty = np.all(low <= high, axis=1)
    return low[nonempty], high[nonempty], parents[nonempty]


def widths_and_middles(
    space: Box | Simplex, player: int, low: ndarray, high: ndarray
) -> tuple[ndarray, ndarray]:
    """Return widths of boxes of a player's strategies in search coordinates, and their midpoints.

    Both are ``[box axis]``.
    """
    if isinstance(space, Simplex) or not space.reparametrised:
        return high - low, (low + high) / 2
    search_low, search_high = (
        np.asarray(space.unconstrain(np.repeat(end[:, None], space.shape[0], axis=1)))[:, player]
        for end in (low, high)
    )
    middle = np.asarray(space.constrain((search_low + search_high)[:, None] / 2, player))[:, 0]
    inside = (middle > low) & (middle < high)
    return search_high - search_low, np.where(inside, middle, (low + high) / 2)


def boxes_around(
    space: Box, player: int, inside: ndarray, limits: ndarray, shares: ndarray
) -> tuple[ndarray, ndarray]:
    """Return boxes that reach beyond ``inside`` by shares of the width of ``limits`` in search coordinates.

    The boxes ``inside`` and ``limits`` are ``[end axis]``, ``shares`` is ``[box 1]``, the ends are
    ``[box axis]``; no box leaves ``limits``.
    """
    if not space.reparametrised:
        reach = shares * (limits[1] - limits[0])
        return np.maximum(limits[0], inside[0] - reach), np.minimum(limits[1], inside[1] + reach)
    ends = np.repeat(np.concatenate([inside, limits])[:, None], space.shape[0], axis=1)
    low, high, limit_low, limit_high = np.asarray(space.unconstrain(ends))[:, player]
    below, above = (
        np.asarray(space.constrain(end[:, None], player))[:, 0]
        for end in (low - shares * (limit_high - limit_low), high + shares * (limit_high - limit_low))
    )
    return np.clip(below, limits[0], inside[0]), np.clip(above, inside[1], limits[1])


def tight_boxes(low: ndarray, high: ndarray) -> tuple[ndarray, ndarray]:
    """Return the smallest boxes ``[box axis]`` around the shares in boxes; ``low > high`` if none exist."""
    smallest, largest = low.sum(axis=1, keepdims=True), high.sum(axis=1, keepdims=True)
    return (
        np.maximum(low, 1.0 - (largest - high) - SHARES_SLACK),
        np.minimum(high, 1.0 - (smallest - low) + SHARES_SLACK),
    )


def middle_shares(low: Any, high: Any) -> Any:
    """Return shares ``[.. axis]`` inside boxes that contain shares; the box itself where it is a point."""
    room = np.sum(high - low, axis=-1, keepdims=True)
    part = (1.0 - np.sum(low, axis=-1, keepdims=True)) / np.where(room > 0, room, 1.0)
    return np.clip(low + np.clip(part, 0.0, 1.0) * (high - low), low, high)

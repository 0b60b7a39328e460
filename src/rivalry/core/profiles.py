"""Profiles compared: how far apart, which is nearest, which are one end. Plain arrays, no game."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BASIN = 1e-4  # of the width: ends no further apart are one


def distance(x: np.ndarray, y: np.ndarray, alike: np.ndarray | None = None) -> float:
    """RMS distance of two profiles over players, least over swaps of players who are ``alike``.

    ``alike`` holds one label a player; players with equal labels may be swapped (default: all).

    >>> distance(np.array([[0.0], [1.0]]), np.array([[1.0], [0.0]]))
    0.0

    Raises `ValueError` for arrays that are no two profiles of one game.
    """
    from scipy.optimize import linear_sum_assignment

    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.ndim != 2 or x.shape != y.shape:
        raise ValueError(f"y: shape {y.shape} must be that of x, {x.shape}, and (players, axes)")
    cost = np.sum((x[:, None, :] - y[None, :, :]) ** 2, axis=-1)
    if alike is not None:
        labels = np.asarray(alike)
        if labels.shape != x.shape[:1]:
            raise ValueError(f"alike: shape {labels.shape} must be ({len(x)},), one label a player")
        cost = np.where(labels[:, None] == labels[None, :], cost, np.inf)
    return float(np.sqrt(cost[linear_sum_assignment(cost)].mean()))


def nearest(
    x: np.ndarray, equilibria: Sequence[np.ndarray] | np.ndarray, alike: np.ndarray | None = None
) -> tuple[float, int]:
    """The least `distance` of a profile ``[player axis]`` to some equilibria, and which that one is.

    NaN and -1 where there are none, or ``x`` is no number. Raises `ValueError` as `distance` does.

    >>> nearest(np.array([[0.0], [0.9]]), [np.array([[0.5], [0.5]]), np.array([[1.0], [0.0]])])
    (0.07071067811865474, 1)
    """
    x = np.asarray(x, dtype=float)
    if not len(equilibria) or not np.all(np.isfinite(x)):
        return float("nan"), -1
    each = [distance(x, np.asarray(y), alike) for y in equilibria]
    return min(each), int(np.argmin(each))


def distances(profiles: np.ndarray, equilibria: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """The least `distance` of each of many profiles ``[row player axis]`` to some equilibria, ``[row]``.

    NaN where there are none. On a line it is least where alike players are compared in the order in which
    they stand, which makes it fast.

    >>> rows, rest = np.array([[[0.0], [0.9]], [[0.5], [0.5]]]), np.array([[[1.0], [0.0]]])
    >>> distances(rows, rest, np.zeros(2)).round(6).tolist()
    [0.070711, 0.5]
    """
    if profiles.shape[2] > 1 or not len(equilibria):
        return np.array([nearest(x, equilibria, alike)[0] for x in profiles])

    def ordered(each: np.ndarray) -> np.ndarray:
        flat = each[..., 0]
        by = np.lexsort((flat, np.broadcast_to(alike, flat.shape)), axis=-1)
        return np.take_along_axis(flat, by, axis=-1)

    rows, found = ordered(profiles), np.full(len(profiles), np.inf)
    for stands in ordered(equilibria):
        found = np.minimum(found, np.sqrt(((rows - stands) ** 2).mean(axis=1)))
    return found


def basins(
    profiles: np.ndarray,
    alike: np.ndarray | None = None,
    *,
    within: float = BASIN,
    width: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Which profiles ``[lane player axis]`` are one end: a whole number per lane, 0 for the end reached most.

    Two are one end when their `distance`, up to swaps of players who are ``alike``, is at most ``within``
    times the ``width`` of the space (a number, or one an axis), or a chain of such pairs leads from one to
    the other. Equally many: the one whose first lane comes first has the lower number.

    >>> basins(np.array([[[0.2], [0.8]], [[0.5], [0.5]], [[0.8], [0.2]]])).tolist()
    [0, 1, 0]
    """
    scaled = np.asarray(profiles, dtype=float) / width
    group = np.arange(len(scaled))
    for k, profile in enumerate(scaled):
        # one lane of every end met so far that may be near enough; a chain may join several
        for j in range(k):
            if group[j] != group[k] and distance(profile, scaled[j], alike) <= within:
                group[group == group[k]] = group[j]
    return most_first(group)


def most_first(group: np.ndarray) -> np.ndarray:
    """The same groups, numbered from 0 by how many are in them; equally many: by their first members.

    >>> most_first(np.array([7, 3, 3])).tolist()
    [1, 0, 0]
    """
    _, first, which, count = np.unique(group, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -count))
    return np.argsort(order)[which]

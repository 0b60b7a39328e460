"""Distances between profiles, nearest equilibria and basins of attraction, on plain arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy import ndarray

from rivalry.runtime.jax import floats
from rivalry.schema.validate import check_keywords

BASIN = 1e-4  # of the width: limit profiles no further apart belong to one basin


def distance(x: ndarray, y: ndarray, exchangeable: ndarray | None = None) -> float:
    """Return the RMS distance of two profiles over players, minimal over swaps of exchangeable players.

    Parameters
    ----------
    x, y : ndarray
        Profiles ``[player axis]``.
    exchangeable : ndarray, optional
        One label per player; players with equal labels are exchangeable (default: all).

    Raises
    ------
    ValueError
        For arrays that are not profiles of equal shape, or not one label per player.

    Examples
    --------
    >>> distance(np.array([[0.0], [1.0]]), np.array([[1.0], [0.0]]))
    0.0
    """
    x, y = floats(x), floats(y)
    if x.ndim != 2 or x.shape != y.shape:
        raise ValueError(f"y: shape {y.shape} must be that of x, {x.shape}, and (players, axes)")
    labels = None if exchangeable is None else np.asarray(exchangeable)
    if labels is not None and labels.shape != x.shape[:1]:
        raise ValueError(f"exchangeable: shape {labels.shape} must be ({len(x)},), one label per player")
    # the next two cases need no SciPy, whose import takes longer than a report
    if np.isfinite(x).all() and np.array_equal(x, y):
        return 0.0
    if labels is not None and len(set(labels.tolist())) == len(x):  # nobody can be swapped
        return float(np.sqrt(np.sum((x - y) ** 2, axis=-1).mean()))
    from scipy.optimize import linear_sum_assignment

    cost = np.sum((x[:, None, :] - y[None, :, :]) ** 2, axis=-1)
    if labels is not None:
        # players with different labels are never swapped
        cost = np.where(labels[:, None] == labels[None, :], cost, np.inf)
    return float(np.sqrt(cost[linear_sum_assignment(cost)].mean()))


@check_keywords
def nearest(
    x: ndarray, equilibria: Sequence[ndarray] | ndarray, exchangeable: ndarray | None = None
) -> tuple[float, int]:
    """Return the `distance` of a profile ``[player axis]`` to the nearest equilibrium, and its index.

    They are NaN and -1 without equilibria, and where ``x`` is not finite. Raises `ValueError` as `distance`
    does.

    >>> nearest(np.array([[0.0], [0.9]]), [np.array([[0.5], [0.5]]), np.array([[1.0], [0.0]])])
    (0.07071067811865474, 1)
    """
    x = floats(x)
    if not len(equilibria) or not np.isfinite(x).all():
        return float("nan"), -1
    distances = [distance(x, np.asarray(y), exchangeable) for y in equilibria]
    return min(distances), int(np.argmin(distances))


def distances(profiles: ndarray, equilibria: ndarray, exchangeable: ndarray) -> ndarray:
    """Return the `distance` of each profile ``[row player axis]`` to its nearest equilibrium, ``[row]``.

    It is NaN without equilibria.

    >>> rows, rest = np.array([[[0.0], [0.9]], [[0.5], [0.5]]]), np.array([[[1.0], [0.0]]])
    >>> distances(rows, rest, np.zeros(2)).round(6).tolist()
    [0.070711, 0.5]
    """
    if profiles.shape[2] > 1 or not len(equilibria):
        return np.array([nearest(x, equilibria, exchangeable)[0] for x in profiles])

    # with one axis the best matching sorts exchangeable players by strategy, which is fast
    def sort_exchangeable(profiles: ndarray) -> ndarray:
        flat = profiles[..., 0]
        by = np.lexsort((flat, np.broadcast_to(exchangeable, flat.shape)), axis=-1)
        return np.take_along_axis(flat, by, axis=-1)

    rows, nearest_distances = sort_exchangeable(profiles), np.full(len(profiles), np.inf)
    for stands in sort_exchangeable(equilibria):
        nearest_distances = np.minimum(nearest_distances, np.sqrt(((rows - stands) ** 2).mean(axis=1)))
    return nearest_distances


@check_keywords
def basins(
    profiles: ndarray,
    exchangeable: ndarray | None = None,
    *,
    within: float = BASIN,
    width: ndarray | float = 1.0,
) -> ndarray:
    """Group limit profiles ``[batch player axis]`` into basins of attraction, numbered from 0 by size.

    Two profiles are in one basin when their `distance` is at most ``within`` times the ``width`` of the
    space, or a chain of such pairs connects them. Of equally large basins, the one with the first profile has
    the lower number.

    Parameters
    ----------
    profiles : ndarray
        Limit profiles ``[batch player axis]``.
    exchangeable : ndarray, optional
        One label per player; players with equal labels are exchangeable (default: all).
    within : float
        Largest distance, relative to ``width``.
    width : float or ndarray
        Width of the space, one number or one per axis.

    Returns
    -------
    ndarray
        Number of the basin of every profile, ``[batch]``.

    Examples
    --------
    >>> basins(np.array([[[0.2], [0.8]], [[0.5], [0.5]], [[0.8], [0.2]]])).tolist()
    [0, 1, 0]
    """
    scaled = floats(profiles) / width
    group = np.arange(len(scaled))
    for k, profile in enumerate(scaled):
        # compare with every earlier profile of another group: a chain may join several groups
        for j in range(k):
            if group[j] != group[k] and distance(profile, scaled[j], exchangeable) <= within:
                group[group == group[k]] = group[j]
    return most_first(group)


def most_first(group: ndarray) -> ndarray:
    """Renumber groups from 0 by decreasing size; groups of equal size by their first members.

    >>> most_first(np.array([7, 3, 3])).tolist()
    [1, 0, 0]
    """
    _, first_indices, labels, count = np.unique(
        group, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first_indices, -count))
    return np.argsort(order)[labels]

"""Intervals of matrices: which are certainly diagonally dominant or definite."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from rivalry.core.tolerances import DOMINANCE, EIGENVALUE_ERROR

CONDITION = 1e8  # of the middle of an interval of regular matrices
NEAR_IDENTITY = 0.25  # sum of a row: below 1 all matrices are regular, below 1/4 elimination shows it too
UNITS = 20  # steps of the power method for units of choices


def diagonals(a: ndarray) -> ndarray:
    """Return the diagonals ``[matrix row]`` of matrices ``[matrix row column]``."""
    return np.diagonal(a, axis1=1, axis2=2)


def diagonally_dominant(low: ndarray, high: ndarray, is_diagonal: ndarray) -> ndarray:
    """Mask of intervals of matrices that are diagonally dominant in some units, with positive entries."""
    diagonal = diagonals(low)
    size = np.where(is_diagonal, 0.0, np.maximum(np.abs(low), np.abs(high)))
    unit = np.ones(diagonal.shape)
    # any positive units prove dominance, so only the last line has to allow for rounding
    for _ in range(UNITS):  # towards the units in which all rows are equally dominant
        # a tenth of the last units, so that they do not alternate between two
        unit = np.einsum("bij,bj->bi", size, unit) / diagonal + 0.1 * unit
        unit = np.maximum(unit / np.max(unit, axis=1, keepdims=True), 1e-6)
    return np.all(diagonal * unit > np.einsum("bij,bj->bi", size, unit) * (1 + DOMINANCE), axis=1)


def positive_definite(low: ndarray, high: ndarray) -> ndarray:
    """Mask of intervals of matrices that have positive definite symmetric parts."""
    middle, radius = (low + high) / 2, (high - low) / 2
    middle, radius = (part / 2 + np.swapaxes(part, 1, 2) / 2 for part in (middle, radius))
    # an eigenvalue moves by at most the norm of what is added (Weyl), and that is at most a sum of a row
    room = EIGENVALUE_ERROR * low.shape[1] * (np.abs(middle) + radius).sum(axis=(1, 2))
    return np.linalg.eigvalsh(middle)[:, 0] - radius.sum(axis=2).max(axis=1, initial=0.0) > room


def negative_definite(low: ndarray, high: ndarray) -> bool:
    """True if every symmetric matrix between ``low`` and ``high`` is certainly negative definite.

    The largest eigenvalue of the middle, with room for rounding, and the norm of the radius sum to less than
    zero.
    """
    if not len(low):
        return True
    if not np.isfinite(low).all() or not np.isfinite(high).all():
        return False
    # definite in any units of the axes: here by powers of two, which round nothing
    unit = np.exp2(-np.round(np.log2(np.maximum(np.abs(np.diag(low + high)), 1e-300)) / 2))
    low, high = low * unit * unit[:, None], high * unit * unit[:, None]
    middle, radius = (low + high) / 2, (high - low) / 2
    middle = (middle + middle.T) / 2
    size = np.abs(middle).sum() + radius.sum()
    largest = np.linalg.eigvalsh(middle)[-1] + np.abs(radius).sum(axis=1).max()
    # eigenvalues of a symmetric matrix are computed to a small multiple of its norm times the rounding unit
    return bool(largest + EIGENVALUE_ERROR * size * len(low) < 0)


def regular(low: ndarray, high: ndarray) -> bool:
    """True if all matrices between ``low`` and ``high`` are certainly near the middle, which is regular."""
    if not np.all(np.isfinite(low) & np.isfinite(high)) or np.linalg.cond(low / 2 + high / 2) > CONDITION:
        return False
    inverse, radius = np.linalg.inv(low / 2 + high / 2), (high - low) / 2
    return bool(np.all((np.abs(inverse) @ radius).sum(axis=1) < NEAR_IDENTITY))

"""How well a mean over independent runs is known."""

from __future__ import annotations

import numpy as np

NORMAL = 1.959963984540054  # half width of a 95 % interval, in standard errors


def half_width(each: np.ndarray) -> np.ndarray:
    """Half the width of the 95 % interval of a mean over runs, in the unit of the values; NaN of one run.

    ``each`` is ``[run ...]``, the answer ``[...]``: ``1.96 s / sqrt(n)``, of ``n`` runs with deviation ``s``.

    >>> half_width(np.array([[1.0, 5.0], [3.0, 5.0]])).round(2)
    array([1.96, 0.  ])
    """
    if len(each) < 2:
        return np.full(each.shape[1:], np.nan)
    half: np.ndarray = np.asarray(NORMAL * each.std(axis=0, ddof=1) / np.sqrt(len(each)))
    return half

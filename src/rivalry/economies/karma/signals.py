"""What agents see of each other before they bid: a number for each pair of amounts of karma."""

from __future__ import annotations

import numpy as np

from rivalry.economies.karma.checks import one_of

SIGNALS = ("none", "richer", "karma")


def signal_of(signal: object, max_karma: int) -> np.ndarray:
    """What an agent sees of its peer, whole numbers from 0 on, ``[own karma, peer's karma]``.

    Absent where nothing is seen. ``none``; ``richer``: 0, 1, 2 where the peer has less, as much, more;
    ``karma``: what the peer has; or as listed. Raises `ValueError`.

    >>> signal_of("richer", 2).tolist()
    [[1, 2, 2], [0, 1, 2], [0, 0, 1]]
    """
    own, peer = np.indices((max_karma + 1, max_karma + 1))
    if isinstance(signal, str):
        word = one_of("signal", signal, SIGNALS)
        found = {"none": 0 * own, "richer": 1 + np.sign(peer - own), "karma": peer}[word]
    else:
        found = _table(signal, max_karma + 1)
    return found.astype(np.int64) if found.any() else np.zeros((0, 0), dtype=np.int64)


def _table(signal: object, levels: int) -> np.ndarray:
    """Signals of one's own. Raises `ValueError`."""
    rule = f"[own karma][peer's karma], {levels} rows of {levels} whole numbers"
    try:
        found = np.asarray(signal, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"signal: must be a word, or a table {rule}") from None
    if found.shape != (levels, levels):
        raise ValueError(f"signal: shape {found.shape} must be ({levels}, {levels}): {rule}")
    most = levels**2 - 1  # pairs tell no more apart
    for own, peer in np.argwhere(~((found >= 0) & (found <= most) & (found == np.round(found)))):
        told = f"{found[own, peer]:g} must be a whole number in 0..{most}"
        raise ValueError(f"signal[{own}][{peer}]: {told}")
    return found

"""Threads for independent parts of one study cell; the kernels release the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

PIECES = 8  # pieces of work per thread: faster threads take more


def threads() -> int:
    """Return the number of threads allowed: ``OMP_NUM_THREADS`` (1 in worker processes), or one per core."""
    setting = os.environ.get("OMP_NUM_THREADS", "")
    return max(int(setting), 1) if setting.isdigit() else os.cpu_count() or 1


def map_in_threads(work: Callable[[np.ndarray], object], items: np.ndarray) -> None:
    """Apply ``work`` to all ``items``, numbers, piece by piece, in as many threads as allowed."""
    count = min(threads(), len(items))
    if count <= 1:
        work(items)
        return
    from concurrent.futures import ThreadPoolExecutor

    pieces = np.array_split(items, min(PIECES * count, len(items)))
    with ThreadPoolExecutor(count) as pool:
        for part in [pool.submit(work, piece) for piece in pieces]:
            part.result()

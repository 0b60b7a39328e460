"""Threads for independent parts of a cell's work; the kernels release the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

PIECES = 8  # of the work, a thread: who is done sooner takes more


def threads() -> int:
    """How many threads a cell may use: ``OMP_NUM_THREADS`` (1 in worker processes), or one a core."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return max(int(said), 1) if said.isdigit() else os.cpu_count() or 1


def shared(work: Callable[[np.ndarray], object], items: np.ndarray) -> None:
    """``work`` on all ``items``, numbers, piece by piece, in as many threads as there may be."""
    count = min(threads(), len(items))
    if count <= 1:
        work(items)
        return
    from concurrent.futures import ThreadPoolExecutor

    pieces = np.array_split(items, min(PIECES * count, len(items)))
    with ThreadPoolExecutor(count) as pool:
        for part in [pool.submit(work, piece) for piece in pieces]:
            part.result()

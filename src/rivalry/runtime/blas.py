"""Linear algebra in one thread."""

from __future__ import annotations

import sys
from contextlib import ContextDecorator, ExitStack
from functools import cache
from threading import Lock
from typing import Any

from rivalry.runtime.imports import when_imported


@cache
def _libraries(*loaded: bool) -> Any:
    """Return the BLAS libraries of this process; it takes longer than a small solve to find them."""
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController().select(user_api="blas")


class _OneThread(ContextDecorator):
    """A context and a decorator in which BLAS uses one thread, in all threads of the process."""

    def __init__(self) -> None:
        self._lock, self._inside, self._limits = Lock(), 0, ExitStack()
        # JAX loads SciPy's library with its first program of linear algebra, and uses it at once
        when_imported("scipy.linalg", self._limit_new)

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._limit()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            # the number is that of the process: the last to leave restores what the first one found
            if not self._inside:
                self._limits.close()

    def _limit(self) -> None:
        libraries = _libraries(*(name in sys.modules for name in ("numpy", "scipy.linalg")))
        self._limits.enter_context(libraries.limit(limits=1))

    def _limit_new(self) -> None:
        with self._lock:
            if self._inside:
                self._limit()


one_blas_thread = _OneThread()
"""Use one linear-algebra thread: a second one mostly waits, and bits depend on their number.

Other threads, such as those of `rivalry.methods.q_learning.threads`, are not limited.
"""

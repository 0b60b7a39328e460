"""A process beside the server for all that loads JAX, xarray or Matplotlib: pages do not wait for that."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from typing import Any

from rivalry.lab.executor.pool import end_with_parent
from rivalry.web.safety import Refused


class Desk:
    """One process, begun at the first question and ended with the server; questions wait in line.

    A question that takes longer than ``seconds`` is given up, and the process is begun anew.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    def ask(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a function returns in the process. Raises `Refused` with the function's error."""
        with self._lock:
            if self._pool is None:
                spawn = get_context("spawn")
                self._pool = ProcessPoolExecutor(1, mp_context=spawn, initializer=_begin)
            pool = self._pool
        try:
            found, fault = pool.submit(_carefully, call, arguments).result(self.seconds)
        except TimeoutError:
            self.close(pool)
            raise Refused(504, f"took longer than {self.seconds:g} seconds and was given up") from None
        except (BrokenProcessPool, CancelledError, RuntimeError):
            self.close(pool)
            raise Refused(500, "the process that computes this ended; try again") from None
        if fault:
            raise Refused(*fault)
        return found

    def close(self, pool: ProcessPoolExecutor | None = None) -> None:
        """End the process, even while it computes."""
        with self._lock:
            if self._pool is None or pool not in (None, self._pool):
                return
            pool, self._pool = self._pool, None
        for process in list((pool._processes or {}).values()):
            process.kill()  # a computation does not notice anything else
        pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    """Leave Ctrl-C to the server, and end with it however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(5)  # runs and pages come first
    threading.Thread(target=end_with_parent, daemon=True).start()


def _carefully(call: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, tuple[int, str] | None]:
    """Return a function's result, or status and line of its error."""
    try:
        return call(*arguments), None
    except Refused as refused:
        return None, (refused.status, refused.why)
    except ValueError as error:  # wrong input, by the package's rule of one line each
        return None, (400, " ".join(str(error).split())[:500])
    except Exception as error:
        return None, (500, f"{type(error).__name__}: {' '.join(str(error).split())[:400]}")

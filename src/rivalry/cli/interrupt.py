"""Immediate stop on the first Ctrl-C, even during an import or a compilation."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

GRACE = 0.8  # seconds from the signal to a forced exit, where the interpreter does not respond
AGAIN = 0.02  # seconds until a lost interrupt is raised again

_pressed = threading.Event()


def was_pressed() -> bool:
    """True if Ctrl-C was pressed; a progress callback returns this to stop the work."""
    return _pressed.is_set()


@contextmanager
def watch() -> Iterator[None]:
    """Turn SIGINT into `KeyboardInterrupt`, or into exit status 130 where Python does not respond in time.

    A compilation delays signal handlers but not threads, so a thread waits for the signal through a pipe.
    Finished cells are on disk, and workers end with their parent.
    """
    # Python sets signal handlers in the main thread only
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _pressed.clear()
    read, write = os.pipe()
    # required by `set_wakeup_fd`
    os.set_blocking(write, False)
    threading.Thread(target=_wait, args=(read,), daemon=True).start()
    before = signal.signal(signal.SIGINT, _on_signal)
    hook, sys.unraisablehook = sys.unraisablehook, _raise_again(sys.unraisablehook)
    woken = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGINT, before)
        sys.unraisablehook = hook
        os.close(write)  # the thread then reads the end of the pipe


def _raise_again(fallback: Callable[[Any], object]) -> Callable[[Any], object]:
    """Return a hook for unraisable exceptions that raises a Ctrl-C again after a short delay.

    Finalisers run at any time, for example during garbage collection, and what they raise is dropped.
    """

    def hook(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            threading.Timer(AGAIN, _thread.interrupt_main).start()
        else:
            fallback(unraisable)

    return hook


def _on_signal(number: int, frame: FrameType | None) -> None:
    _pressed.set()
    raise KeyboardInterrupt


def _wait(read: int) -> None:
    """Read signals from the pipe; end the process if one is not handled within `GRACE`."""
    try:
        while data := os.read(read, 1):
            if data[0] == signal.SIGINT:
                _pressed.set()
                if not _is_closed(read):
                    with suppress(OSError):
                        os.write(2, b"interrupted; all finished cells are kept, `rivalry resume` goes on\n")
                    os._exit(130)
    finally:
        os.close(read)


def _is_closed(read: int) -> bool:
    """True if `watch` was left within `GRACE`; further signals in between have no effect."""
    import select
    import time

    end = time.monotonic() + GRACE
    while (remaining := end - time.monotonic()) > 0:
        if select.select([read], [], [], remaining)[0] and not os.read(read, 1):
            return True
    return False

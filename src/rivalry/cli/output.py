"""Data to stdout; messages and progress to stderr: all that commands print is printed here."""

from __future__ import annotations

import math
import os
import shutil
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from json import dumps, loads
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import TYPE_CHECKING, Any

from rivalry.cli import interrupt
from rivalry.text.foreign import one_line, printable, printable_json

if TYPE_CHECKING:
    from rivalry.lab.executor import EventCallback, RunEvent
    from rivalry.lab.study import Study
    from rivalry.results.table import Printed, Table

UNLIMITED = 10_000  # characters, wider than any terminal
EVERY = 2.0  # seconds between lines of progress
RAREST = 30.0  # seconds between lines on a wait without progress
PHRASE = 30  # characters: longer entries of a table are read as text, over several lines
LINES = {
    "failed": "cell {0.cell} failed: {0.message}",
    "worker_died": "cell {0.cell}: {0.message}; begun again",
    "waiting": "cell {0.cell}: {0.message}",
    "changed": "cell {0.cell}: {0.message}",
    "damaged": "{0.message}",
}
"""Permanent lines of progress, by the kind of the event."""


def print_result(json: bool, data: object, *parts: Printed) -> int:
    """Print a command's result, as one JSON value or in parts that fit the terminal; return status 0.

    Text of several lines and paths are printed as they are. Numbers of JSON that are not finite become null.
    """
    if json:
        _print(as_json(data))
    elif parts:
        _print(printable("\n".join(map(fitted, parts))))
    return 0


def as_json(data: object) -> str:
    """Return one JSON value, in which every infinite or undefined number is null.

    >>> as_json({"bound": float("inf"), "regret": (0.5,)})
    '{"bound": null, "regret": [0.5]}'
    """
    finite = loads(dumps(data, default=_plain), parse_constant=lambda name: None)
    return printable_json(dumps(finite, ensure_ascii=False))


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


def fitted(part: Printed, indent: int = 0) -> str:
    """Return a part of a result in lines that fit the terminal: tables, and text that is one line.

    ``indent`` are characters that will stand before each line.
    """
    room = width() - indent
    if isinstance(part, str) and "\n" not in part:
        begin = "    " if part.startswith(" ") else "  "
        return fill(part, room, subsequent_indent=begin, break_long_words=False, break_on_hyphens=False)
    return str(part) if isinstance(part, str | Path) else "\n".join(part.lines(room))


def fits(table: Table) -> bool:
    """True if a table fits the terminal where only entries longer than `PHRASE` are broken."""
    columns = zip(table.columns, *table.texts, strict=True)
    return sum(2 + min(max(map(len, column)), PHRASE) for column in columns) - 2 <= width()


def width() -> int:
    """Return the number of characters per line of stdout: of the terminal, or ``COLUMNS``, else unlimited."""
    limited = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return shutil.get_terminal_size().columns if limited else UNLIMITED


@contextmanager
def warnings_in_a_line() -> Iterator[None]:
    """Report each warning in one line, without its source location."""
    before = warnings.showwarning
    warnings.showwarning = lambda message, *_, **__: note(f"rivalry: {message}")
    try:
        yield
    finally:
        warnings.showwarning = before


@contextmanager
def reserve_stdout() -> Iterator[Callable[..., None]]:
    """Reserve stdout for data; send the output of user files, libraries and workers to stderr.

    Yields a function that prints parts of a result on stdout meanwhile.
    """
    sys.stdout.flush()
    stdout, stream = os.dup(1), sys.stdout

    def print_parts(*parts: Printed) -> None:
        os.dup2(stdout, 1)
        try:
            with redirect_stdout(stream):
                print_result(False, None, *parts)
        finally:
            os.dup2(2, 1)

    # the descriptor itself, since compiled libraries and workers do not write through `sys.stdout`
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield print_parts
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)


def open_streams() -> None:
    """Open closed standard streams to the null device: the next file would take their numbers.

    Call this first in a new process.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _print(words: str, stream: Any = None, end: str = "\n") -> None:
    """Print to a stream, by default stdout; discard the text if its reader has closed."""
    try:
        print(words, file=stream, flush=True, end=end)
    except BrokenPipeError:
        discard(stream or sys.stdout)


def discard(stream: Any) -> None:
    """Redirect a stream to the null device: its buffer would be written again at exit."""
    with suppress(OSError, ValueError):  # a test's stream has no file number
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def note(line: str, end: str = "\n") -> None:
    """Print one line on stderr, or nothing if stderr cannot be written."""
    try:
        _print(one_line(line), sys.stderr, end)
    except (OSError, ValueError):
        discard(sys.stderr)


def note_files(studies: Sequence[Study], *, plots: bool = False) -> None:
    """Report which user files will be used; with ``plots`` also those that draw plots.

    Names come from the studies' own tables; other mentions of files in a stored study are not trusted.
    """
    for part in studies:
        for name in sorted({*part.own_files, *(part.plot_files if plots else ())}):
            verb = "runs" if name.endswith(".py") else "reads"
            note(f"{verb} {part.folder / name}, which the study {part.name} names")


@contextmanager
def progress(title: str) -> Iterator[EventCallback]:
    """Yield a callback that shows a run's progress and stops the run after Ctrl-C, which is then raised."""
    display = _Progress(title)
    try:
        with alive(display.waiting, display.say):
            yield display.receive
    finally:
        display.close()
    # the callback only stops the work: finished cells are stored and the folder is unlocked before this
    if interrupt.was_pressed():
        raise KeyboardInterrupt


@contextmanager
def alive(words: Callable[[], str], say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Print what is being done and since when: after 2 s, then ever more rarely; nothing for empty words."""
    began, ended = time.monotonic(), threading.Event()

    def print_lines() -> None:
        wait = EVERY
        while not ended.wait(wait):
            if line := words():
                (say or note)(f"{line} ({time.monotonic() - began:.0f} s)")
            wait = min(2 * wait, RAREST)

    thread = threading.Thread(target=print_lines, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def checking(study: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a callback that takes the progress of a study's check, which is told while it lasts."""
    counted = ""

    def receive(finished: int, total: int) -> None:
        nonlocal counted
        counted = f": {finished} of {total} cells"

    with alive(lambda: f"checking the study {study}{counted}"):
        yield receive


class WarmPace:
    """Pace of a run by the median time of cells on warm workers; a worker's first cell mostly compiles.

    A cell that starts after another has ended is on a worker that has had one.
    """

    def __init__(self) -> None:
        self.running: dict[str, float] = {}  # when each cell started; those of cold workers as infinity
        self.seconds: deque[float] = deque(maxlen=99)  # of the last warm cells
        self.workers, self.warm, self.last = 1, False, math.inf

    def left(self, event: RunEvent, now: float, position: float) -> str:
        """Take an event; return the estimated time left in words, empty until a warm cell is done."""
        if event.kind == "started":
            self.running[event.cell] = now if self.warm else math.inf
            self.workers = max(self.workers, len(self.running))
        elif event.kind in ("done", "failed"):
            began, self.warm = self.running.pop(event.cell, math.inf), True
            self.last = now
            if event.kind == "done" and began < now:
                self.seconds.append(now - began)
        if not self.seconds:
            return ""
        return estimate(self.workers, event.total - position, median(self.seconds), now - self.last)


def estimate(progress: float, remainder: float, seconds: float, waited: float = 0.0) -> str:
    """Return the time left at the pace so far, in words; empty before any progress or below a second.

    Empty, too, where the last progress was ``waited`` seconds ago and more than the time left.

    >>> estimate(10, 20, 30.0), estimate(10, 20, 30.0, waited=70.0)
    (', about 1 min left', '')
    """
    if progress <= 0:
        return ""
    time_left = seconds / progress * remainder
    if time_left < max(waited, 1.0):
        return ""
    return f", about {time_left / 60:.0f} min left" if time_left >= 60 else f", about {time_left:.0f} s left"


class _Progress:
    """Progress as a line every few seconds, with the estimated time left; a terminal has one that changes.

    Of failures that differ in numbers alone the first is told, and at the end how many followed.
    """

    def __init__(self, title: str) -> None:
        self.title, self.pace, self.words, self.spoke = title, WarmPace(), "", time.monotonic()
        self.printed = ""  # no line is repeated; a wait is told by `alive`, with its seconds
        self.running: dict[str, float] = {}  # fractions of cells
        self.failures: dict[str, list[str]] = {}  # cells by their message without numbers
        self.is_terminal = sys.stderr.isatty()

    def receive(self, event: RunEvent) -> bool:
        """Take an event, and show how many cells are done, after their part; return whether to stop."""
        from rivalry.lab.answer.caveats import without_numbers

        self.running.pop(event.cell, None)
        if event.kind == "progress":
            self.running[event.cell] = event.fraction
        same_failures = list[str]()
        if event.kind == "failed":
            same_failures = self.failures.setdefault(without_numbers(event.message), same_failures)
        if event.kind in LINES and not same_failures:
            self._clear()
            note(LINES[event.kind].format(event))
        same_failures.append(event.cell)
        now, position = time.monotonic(), event.done + sum(self.running.values())
        share = f"{100 * position / event.total:.0f} % in all" if position > event.done else ""
        counted = (event.cell.rpartition("/")[0], f"{event.done} of {event.total} cells", share)
        self.words = ", ".join(filter(None, counted))
        time_left = self.pace.left(event, now, position)
        if self.is_terminal or (now - self.spoke >= EVERY and self.words != self.printed):
            self.spoke, self.printed = now, self.words
            self.say(f"{self.title}: {self.words}{time_left}")
        return interrupt.was_pressed()

    def waiting(self) -> str:
        """Line on a wait without events; empty where there was one lately."""
        if time.monotonic() - self.spoke < EVERY:
            return ""
        self.printed = self.words
        return f"{self.title}: {self.words or 'loading'}"

    def say(self, line: str) -> None:
        """Print the line of progress."""
        self._clear()
        room = shutil.get_terminal_size().columns - 1
        note(one_line(line)[:room], end="") if self.is_terminal else note(line)

    def _clear(self) -> None:
        if self.is_terminal:
            with suppress(OSError, ValueError):
                _print("\r\x1b[K", sys.stderr, "")

    def close(self) -> None:
        """Remove the line in a terminal, and count repeated failures."""
        self._clear()
        for cell, *further in self.failures.values():
            if further:
                note(f"{len(further)} more cell{'s' * (len(further) > 1)} failed like cell {cell}")

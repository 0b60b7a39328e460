"""Data to stdout; messages and progress to stderr."""

from __future__ import annotations

import io
import json
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
from errno import EPIPE
from statistics import median
from textwrap import fill
from typing import TYPE_CHECKING, Any

from rivalry.cli import interrupt
from rivalry.text.foreign import one_line, printable, printable_json

if TYPE_CHECKING:
    from rivalry.lab.executor import EventCallback, RunEvent

UNLIMITED = 10_000  # characters, wider than any terminal
EVERY = 2.0  # seconds between lines of progress
RAREST = 30.0  # seconds between lines on a wait without progress
PHRASE = 30  # characters: longer entries of a table are read as text, over several lines
_widths: list[int] = []  # width of stdout while `reserve_stdout` redirects it


def print_json(data: object) -> None:
    """Print exactly one JSON value; numbers that are not finite become null."""
    _print(printable_json(json.dumps(finite(data), ensure_ascii=False, allow_nan=False, default=str)))


def finite(data: object) -> Any:
    """Return the data with every infinite or undefined number as None.

    >>> finite({"bound": float("inf"), "regret": [0.5]})
    {'bound': None, 'regret': [0.5]}
    """
    if isinstance(data, Mapping):
        return {key: finite(entry) for key, entry in data.items()}
    if isinstance(data, list | tuple):
        return [finite(entry) for entry in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


@contextmanager
def warnings_in_a_line() -> Iterator[None]:
    """Report each warning in one line, without its source location."""
    before = warnings.showwarning
    warnings.showwarning = lambda message, *_, **__: note(f"rivalry: {' '.join(str(message).split())}")
    try:
        yield
    finally:
        warnings.showwarning = before


@contextmanager
def reserve_stdout() -> Iterator[None]:
    """Reserve stdout for data; send the output of user files, libraries and workers to stderr."""
    sys.stdout.flush()
    _widths.append(_width())
    stdout = os.dup(1)
    # the descriptor itself, since compiled libraries and workers do not write through `sys.stdout`
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _widths.pop()
        os.dup2(stdout, 1)
        os.close(stdout)


def print_text(words: str) -> None:
    """Print text on stdout."""
    if words:
        _print(printable(words))


def print_result(json: bool, data: object, words: str) -> int:
    """Print a command's result, as data or as text, and return the exit status."""
    print_json(data) if json else print_text(words)
    return 0


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


def _print(words: str) -> None:
    """Print to stdout; discard the text if the reader has closed, as in ``rivalry list | head -1``."""
    try:
        print(words, flush=True)
    except BrokenPipeError:
        _to_nowhere(sys.stdout)


def _to_nowhere(stream: Any) -> None:
    """Redirect a stream to the null device: its buffer would be written again at exit."""
    with suppress(OSError, ValueError):  # a test's stream has no file number
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def report_lost_output(error: OSError) -> int:
    """Report output that could not be written, unless its reader has closed; return the exit status."""
    _to_nowhere(sys.stdout)
    if error.errno == EPIPE:
        return 0
    note(f"rivalry: output cannot be written: {error.strerror}")
    return 1


def note(line: str) -> None:
    """Print one line on stderr, or nothing if stderr cannot be written."""
    try:
        print(one_line(line), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _to_nowhere(sys.stderr)


def report_mistake(line: str) -> int:
    """Report invalid input in one line on stderr and return the exit status."""
    note(f"rivalry: {line}")
    return 2


def report_internal_error(error: BaseException) -> int:
    """Report an internal error in one line and return the exit status; raise it if RIVALRY_DEBUG is set."""
    if os.environ.get("RIVALRY_DEBUG"):
        raise error
    note(
        f"rivalry: internal error, please report (RIVALRY_DEBUG=1 tells all): {type(error).__name__}: {error}"
    )
    return 1


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None = None) -> str:
    """Return a table that fits ``width`` characters: longer entries continue on the next line.

    The default width is that of the terminal, or ``COLUMNS``; without either, entries stay on one line.
    Floats have six significant digits.

    >>> print(table(["name", "ours"], [["threshold", 0.1888151234]]))
    name       ours
    threshold  0.188815
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="")
    for name in head:
        grid.add_column(Text(name), overflow="fold")
    for row in rows:
        grid.add_row(*(Text(_cell(entry)) for entry in row))
    page = io.StringIO()
    Console(file=page, width=width or _width(), color_system=None).print(grid)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


def fits(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> bool:
    """True if a table fits the terminal where only entries longer than `PHRASE` are broken."""
    columns = zip(*([head, *rows]), strict=True)
    widths = [min(max(len(_cell(entry)) for entry in column), PHRASE) for column in columns]
    return sum(2 + width for width in widths) - 2 <= _width()


def paragraph(words: str) -> str:
    """Return text in lines that fit the terminal, further ones indented."""
    return fill(words, _width(), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _width() -> int:
    """Return the number of characters per line of stdout."""
    if _widths:
        return _widths[-1]
    limited = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return shutil.get_terminal_size().columns if limited else UNLIMITED


def _cell(entry: object) -> str:
    if entry is None:
        return "-"
    if isinstance(entry, bool):
        return "yes" if entry else "no"
    if isinstance(entry, float):
        return f"{entry:.6g}"
    return " ".join(str(entry).split())


@contextmanager
def progress(title: str) -> Iterator[EventCallback]:
    """Yield a callback that shows a run's progress and stops the run after Ctrl-C, which is then raised.

    Progress is a bar on a terminal, otherwise a line every few seconds.
    """
    display = _Bar(title) if sys.stderr.isatty() else _Lines(title)
    running: dict[str, float] = {}
    failures = _Failures()

    def receive(event: RunEvent) -> bool:
        if event.kind == "progress":
            running[event.cell] = event.fraction
        else:
            running.pop(event.cell, None)
        if event.kind == "failed" and not failures.is_new(event):
            display.show(event, event.done + sum(running.values()))
            return interrupt.was_pressed()
        lines = {
            "failed": f"cell {event.cell} failed: {event.message}",
            "worker_died": f"cell {event.cell}: {event.message}; begun again",
            "waiting": f"cell {event.cell}: {event.message}",
            "changed": f"cell {event.cell}: {event.message}",
            "damaged": event.message,
        }
        if event.kind in lines:
            display.say(lines[event.kind])
        display.show(event, event.done + sum(running.values()))
        return interrupt.was_pressed()

    try:
        with alive(display.waiting):
            yield receive
    finally:
        display.close()
        for cell, count in failures.repeated():
            note(f"{count} more cell{'s' * (count > 1)} failed like cell {cell}")
    # the callback only stops the work: finished cells are stored and the folder is unlocked before this
    if interrupt.was_pressed():
        raise KeyboardInterrupt


@contextmanager
def alive(words: str | Callable[[], str]) -> Iterator[None]:
    """Print what is being done and since when: after 2 s, then ever more rarely; nothing for empty words."""
    began, ended = time.monotonic(), threading.Event()

    def print_lines() -> None:
        wait = EVERY
        while not ended.wait(wait):
            if line := words() if callable(words) else words:
                note(f"{line} ({time.monotonic() - began:.0f} s)")
            wait = min(2 * wait, RAREST)

    thread = threading.Thread(target=print_lines, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class _Failures:
    """Failures of a run: the first cell of every kind, and how many more failed in the same way."""

    def __init__(self) -> None:
        self.kinds: dict[str, list[str]] = {}

    def is_new(self, event: RunEvent) -> bool:
        """True if no other cell has failed in this way; record the failure."""
        from rivalry.lab.answer.caveats import without_numbers

        cells = self.kinds.setdefault(without_numbers(event.message), [])
        cells.append(event.cell)
        return len(cells) == 1

    def repeated(self) -> Iterator[tuple[str, int]]:
        """Yield the first cell of every repeated failure, and the number of further ones."""
        return ((cells[0], len(cells) - 1) for cells in self.kinds.values() if len(cells) > 1)


def check_progress() -> Callable[[int, int], None]:
    """Return a callback that reports the progress of a study's check every few seconds."""
    began = spoke = 0.0
    before = 0  # the first cells also load what all cells need, so the pace excludes them

    def receive(finished: int, total: int) -> None:
        nonlocal began, spoke, before
        now = time.monotonic()
        if not before:
            began, spoke, before = now, now, finished
        elif now - spoke >= EVERY:
            spoke = now
            time_left = estimate(finished - before, total - finished, now - began)
            note(f"checking the study: {finished} of {total} cells{time_left}")

    return receive


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


class _Lines:
    """Progress as a line every few seconds, with the estimated time left."""

    def __init__(self, title: str) -> None:
        self.title, self.spoke, self.pace, self.words = title, time.monotonic(), WarmPace(), ""
        self.printed = ""  # no line is repeated; a wait is told by `alive`, with its seconds

    def show(self, event: RunEvent, position: float) -> None:
        """Show that ``position`` of ``event.total`` cells are done."""
        now = time.monotonic()
        self.words, time_left = self.counted(event, position), self.pace.left(event, now, position)
        if now - self.spoke >= EVERY and self.words != self.printed:
            self.spoke, self.printed = now, self.words
            note(f"{self.title}: {self.words}{time_left}")

    def counted(self, event: RunEvent, position: float) -> str:
        """Number of finished cells and, while cells run, the share of the run, after the part that runs."""
        part = event.cell.rpartition("/")[0]
        share = f"{100 * position / event.total:.0f} % in all" if position > event.done else ""
        return ", ".join(filter(None, [part, f"{event.done} of {event.total} cells", share]))

    def waiting(self) -> str:
        """Line on a wait without events; empty where there was one lately."""
        if time.monotonic() - self.spoke < EVERY:
            return ""
        self.printed = self.words
        return f"{self.title}: {self.words or 'loading'}"

    def say(self, line: str) -> None:
        """Write a permanent line."""
        note(line)

    def close(self) -> None:
        """Remove the display."""


def estimate(progress: float, remainder: float, seconds: float, waited: float = 0.0) -> str:
    """Return the time left at the pace so far, in words; empty before any progress or below a second.

    Empty, too, where the last progress was ``waited`` seconds ago and more than the time left.

    >>> estimate(10, 20, 30.0), estimate(10, 20, 30.0, waited=70.0)
    (', about 1 min left', '')
    """
    if progress <= 0:
        return ""
    time_left = seconds / progress * remainder
    if time_left < waited:
        return ""
    if time_left >= 60:
        return f", about {time_left / 60:.0f} min left"
    return f", about {time_left:.0f} s left" if time_left >= 1 else ""


class _Bar(_Lines):
    """Progress as a rich bar, with the estimated time left."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        super().__init__(title)
        words = (TextColumn(escape(one_line(title))), BarColumn(), TextColumn("{task.fields[words]}"))
        self.bar = Progress(*words, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task("", total=None, words="")
        self.bar.start()

    def show(self, event: RunEvent, position: float) -> None:
        time_left = self.pace.left(event, time.monotonic(), position)
        words = f"{self.counted(event, position)}{time_left}"
        self.bar.update(self.task, completed=position, total=event.total, words=words)

    def waiting(self) -> str:
        return ""  # the bar shows the time

    def say(self, line: str) -> None:
        from rich.markup import escape

        self.bar.console.print(escape(one_line(line)), highlight=False, soft_wrap=True)

    def close(self) -> None:
        self.bar.stop()

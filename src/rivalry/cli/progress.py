"""How far a run is, on stderr: a bar in a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rivalry.cli import interrupt, output

if TYPE_CHECKING:
    from rivalry.lab.executor import EventCallback, RunEvent

EVERY = 2.0  # seconds between two lines
SEEN = 0.05  # of all the work: less of it tells nothing of the rest, and neither does a single cell


class _Display(Protocol):
    def show(self, event: RunEvent, position: float) -> None:
        """The run stands at ``position`` cells of ``event.total``."""

    def say(self, line: str) -> None:
        """One line that stays."""

    def close(self) -> None:
        """The end."""


@contextmanager
def shown(title: str) -> Iterator[EventCallback]:
    """A callback for a run's events; it says stop once Ctrl-C was pressed."""
    display: _Display = _Bar(title) if sys.stderr.isatty() else _Lines(title)
    running: dict[str, float] = {}

    def tell(event: RunEvent) -> bool:
        if event.kind == "progress":
            running[event.cell] = event.fraction
        else:
            running.pop(event.cell, None)
        if event.kind == "failed":
            display.say(f"cell {event.cell} failed: {event.message}")
        elif event.kind == "worker_died":
            display.say(f"cell {event.cell}: {event.message}; begun again")
        elif event.kind == "waiting":
            display.say(f"cell {event.cell}: {event.message}")
        elif event.kind == "damaged":
            display.say(event.message)
        display.show(event, event.done + sum(running.values()))
        return interrupt.pressed()

    try:
        yield tell
    finally:
        display.close()


def checking() -> Callable[[int, int], None]:
    """A callback for a study's check: a line now and then, if it takes long."""
    began = spoke = 0.0  # the first cell also loads what all need: the pace is that of the others

    def tell(done: int, total: int) -> None:
        nonlocal began, spoke
        now = time.monotonic()
        if done == 1:
            began = spoke = now
        elif now - spoke >= EVERY:
            spoke = now
            left = estimate(done - 1, total - done, now - began)
            output.note(f"checking the study: {done} of {total} cells{left}")

    return tell


class Pace:
    """How fast a run goes, from its first sign of life on: what comes before it is mostly compilation.

    >>> pace = Pace()
    >>> [pace.left(now, at, 100) for now, at in ((0.0, 0.0), (9.0, 0.1), (10.0, 0.2), (30.0, 20.1))]
    ['', '', '', ', about 1 min left']
    """

    def __init__(self) -> None:
        self.before: float | None = None  # the cells that were there already
        self.base: tuple[float, float] | None = None  # the first sign of life: when, and at which cell

    def left(self, now: float, position: float, total: int) -> str:
        """What is left in words; nothing while too little is done to tell."""
        if self.before is None:
            self.before = position
        if self.base is None:
            if position > self.before:
                self.base = now, position
            return ""
        since, first = self.base
        done, rest = position - first, total - position
        known = done >= 2 or done >= SEEN * (total - self.before)
        return estimate(done, rest, now - since) if known and now - since >= EVERY else ""


class _Lines:
    """A line every few seconds, with an estimate of what is left."""

    def __init__(self, title: str) -> None:
        self.title, self.spoke, self.pace = title, time.monotonic(), Pace()

    def show(self, event: RunEvent, position: float) -> None:
        now = time.monotonic()
        left = self.pace.left(now, position, event.total)
        if now - self.spoke >= EVERY:
            self.spoke = now
            output.note(f"{self.title}: {event.done} of {event.total} cells{left}")

    def say(self, line: str) -> None:
        output.note(line)

    def close(self) -> None:
        pass


def estimate(done: float, left: float, seconds: float) -> str:
    """What is left at the pace so far, in words; nothing before there is a pace.

    >>> estimate(10, 20, 30.0)
    ', about 1 min left'
    """
    if done <= 0:
        return ""
    rest = seconds / done * left
    if rest < 1:
        return ""
    return f", about {rest / 60:.0f} min left" if rest >= 60 else f", about {rest:.0f} s left"


class _Bar:
    """A bar with an estimate, by rich."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (TextColumn(escape(title)), BarColumn(), TextColumn("{task.fields[words]}"))
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task("", total=None, words="")
        self.pace = Pace()
        self.bar.start()

    def show(self, event: RunEvent, position: float) -> None:
        left = self.pace.left(time.monotonic(), position, event.total)
        words = f"{event.done} of {event.total} cells{left}"
        self.bar.update(self.task, completed=position, total=event.total, words=words)

    def say(self, line: str) -> None:
        from rich.markup import escape

        self.bar.console.print(escape(line), highlight=False, soft_wrap=True)

    def close(self) -> None:
        self.bar.stop()

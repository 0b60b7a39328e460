"""How far a run is, on stderr: a bar in a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rivalry.cli import interrupt, output

if TYPE_CHECKING:
    from rivalry.executor import Event, EventCallback

EVERY = 2.0  # seconds between two lines


class _Display(Protocol):
    def show(self, event: Event, position: float) -> None:
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

    def tell(event: Event) -> bool:
        if event.kind == "progress":
            running[event.cell] = event.fraction
        else:
            running.pop(event.cell, None)
        if event.kind == "failed":
            display.say(f"cell {event.cell} failed: {event.message}")
        elif event.kind == "worker_died":
            display.say(f"cell {event.cell}: {event.message}; begun again")
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


class _Lines:
    """A line every few seconds, with an estimate of what is left."""

    def __init__(self, title: str) -> None:
        self.title, self.began, self.spoke = title, time.monotonic(), time.monotonic()
        self.first: float | None = None

    def show(self, event: Event, position: float) -> None:
        now = time.monotonic()
        self.first = position if self.first is None else self.first
        if now - self.spoke >= EVERY:
            self.spoke = now
            left = estimate(position - self.first, event.total - position, now - self.began)
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
    return f", about {rest / 60:.0f} min left" if rest >= 60 else f", about {max(rest, 1):.0f} s left"


class _Bar:
    """A bar with an estimate, by rich."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn(escape(title)), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task("", total=None)
        self.bar.start()

    def show(self, event: Event, position: float) -> None:
        self.bar.update(self.task, completed=position, total=event.total)

    def say(self, line: str) -> None:
        from rich.markup import escape

        self.bar.console.print(escape(line), highlight=False, soft_wrap=True)

    def close(self) -> None:
        self.bar.stop()

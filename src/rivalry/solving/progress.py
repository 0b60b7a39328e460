"""Progress events and bars, time limits and checkpoints of long computations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from html import escape
from importlib import import_module
from threading import Lock, Timer
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np

from rivalry.runtime.imports import in_notebook
from rivalry.runtime.jax import search_clock
from rivalry.text.foreign import one_line

if TYPE_CHECKING:
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])

DELAY, REFRESH = 2.0, 0.2  # seconds before a bar is drawn, and between updates in a notebook
COMPILING = "compiling"  # before the first event
_is_inside = ContextVar("is_inside", default=False)  # another computation


class Progress(NamedTuple):
    """A progress event: ``done`` of ``total`` steps, and the residual if there is one.

    ``total`` is 0 if it is unknown, for example in a search that ends when all equilibria are found.
    """

    done: int
    total: int
    residual: float = float("nan")


ProgressCallback = Callable[[Progress], object]  # returns True to stop


class Bar:
    """A callback that draws a bar in terminals and notebooks, after `DELAY` seconds.

    Before the first event programs are being compiled; the bar then says so and shows the time. Nothing is
    written elsewhere, such as to a file.

    Parameters
    ----------
    title, unit
        Words before the bar, and the noun for what the events count.
    console
        Where it is drawn; by default the standard error of a terminal, or the notebook.
    """

    def __init__(self, title: str, unit: str = "steps", console: Console | None = None) -> None:
        self.title, self.unit, self.console = title, unit, console
        self.event: Progress | None = None
        self.bar: _TerminalBar | _NotebookBar | None = None
        self.closed = False
        self.lock = Lock()
        self.timer = Timer(DELAY, self._draw)
        self.timer.daemon = True

    def __enter__(self) -> Bar:
        self.timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.timer.cancel()
        with self.lock:
            self.closed = True
            if self.bar is not None:
                self.bar.stop()

    def __call__(self, event: Progress) -> bool:
        """Show an event; never stop the work."""
        with self.lock:
            self.event = event
            self._redraw()
        return False

    def _draw(self) -> None:
        # not at the start: most computations end before, and rich takes time to import
        from rich.console import Console

        console = self.console or Console(stderr=True)
        if not (console.is_terminal or console.is_jupyter):
            return
        bar = _NotebookBar(self.title) if console.is_jupyter else _TerminalBar(self.title, console)
        with self.lock:
            if self.closed:
                bar.stop()
                return
            self.bar = bar
            self._redraw()

    def _redraw(self) -> None:
        if self.bar is None or self.event is None:
            return
        count, total, _ = self.event
        words = f"{count} of {total} {self.unit}" if total else f"{count} {self.unit}"
        self.bar.update(count, total, words)


class _TerminalBar:
    """A bar of rich, whose own thread shows the time."""

    def __init__(self, title: str, console: Console) -> None:
        from rich.markup import escape
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = TextColumn(escape(one_line(title))), BarColumn(), TextColumn("{task.fields[words]}")
        self.bar = Progress(*columns, TimeElapsedColumn(), console=console, transient=True)
        self.task = self.bar.add_task("", total=None, words=COMPILING)
        self.bar.start()

    def update(self, count: int, total: int, words: str) -> None:
        self.bar.update(self.task, completed=count, total=total or None, words=words)

    def stop(self) -> None:
        self.bar.stop()


class _NotebookBar:
    """A bar of HTML, which is replaced in place and removed at the end; rich would need ipywidgets."""

    def __init__(self, title: str) -> None:
        self.title, self.last = title, 0.0
        page = self._page("<progress></progress>", COMPILING)
        self.handle = import_module("IPython.display").display(page, raw=True, display_id=True)

    def _page(self, bar: str, words: str) -> dict[str, str]:
        """Return HTML, and text for what shows none, such as a notebook that is converted."""
        html = f"<div>{escape(self.title)} {bar} {escape(words)}</div>"
        return {"text/html": html, "text/plain": f"{self.title}: {words}"}

    def update(self, count: int, total: int, words: str) -> None:
        if monotonic() - self.last < REFRESH:  # every update is a message to the browser
            return
        self.last = monotonic()
        bar = f'<progress value="{count}" max="{total}"></progress>' if total else "<progress></progress>"
        self.handle.update(self._page(bar, words), raw=True)

    def stop(self) -> None:
        self.handle.update({"text/html": "", "text/plain": ""}, raw=True)


@contextmanager
def bar_of(progress: Any, title: str, unit: str) -> Iterator[Any]:
    """Return the callback of a computation: a `Bar` for ``True``, in notebooks for ``None`` too.

    Computations inside it draw none.
    """
    draws = progress is True or (progress is None and in_notebook() and not _is_inside.get())
    token = _is_inside.set(True)
    try:
        if draws:
            with Bar(title, unit) as bar:
                yield bar
        else:
            yield progress
    finally:
        _is_inside.reset(token)


def draw_progress(unit: str, place: int) -> Callable[[F], F]:
    """Decorate a function whose argument ``method`` has this place: it draws a bar as `bar_of` says."""

    def decorate(function: F) -> F:
        @wraps(function)
        def call(*args: object, progress: ProgressCallback | bool | None = None, **kwargs: object) -> Any:
            method = args[place] if len(args) > place else kwargs.get("method")
            with bar_of(progress, type(method).__name__, unit) as receive:
                return function(*args, progress=receive, **kwargs)

        return call  # type: ignore[return-value]

    return decorate


class Limited:
    """A callback that forwards events to ``progress`` and also stops after ``seconds``.

    Time counts from the construction of the callback, without that of compiling programs, which depends on
    what was compiled before. ``over`` is whether it had elapsed at the last event.
    """

    def __init__(self, progress: ProgressCallback | bool | None, seconds: float | None) -> None:
        self.progress = progress if callable(progress) else None
        self.end = float("inf") if seconds is None else search_clock() + seconds
        self.over = False

    def __call__(self, event: Progress) -> bool:
        self.over = search_clock() >= self.end
        return (self.progress is not None and self.progress(event) is True) or self.over


@runtime_checkable
class Checkpoint(Protocol):
    """Storage of the state of a long computation, from which it is resumed."""

    def load(self) -> dict[str, np.ndarray] | None:
        """Return the arrays that were saved last; None if there are none."""

    def due(self) -> bool:
        """True where enough time has passed since the last save."""

    def save(self, arrays: dict[str, np.ndarray]) -> None:
        """Store the arrays."""

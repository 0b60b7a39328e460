"""Where words go: data to stdout, everything else to stderr."""

from __future__ import annotations

import io
import json
import math
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from errno import EPIPE
from typing import Any

UNLIMITED = 10_000  # characters of a line that no terminal shows
_widths: list[int] = []  # that of stdout while it is reserved and leads elsewhere
_COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def value(data: Any) -> None:
    """Exactly one JSON value; what is not finite becomes null."""
    _print(json.dumps(finite(data), ensure_ascii=False, allow_nan=False, default=str))


def finite(data: Any) -> Any:
    """The same with every infinite or undefined number as None.

    >>> finite({"bound": float("inf"), "regret": [0.5]})
    {'bound': None, 'regret': [0.5]}
    """
    if isinstance(data, Mapping):
        return {key: finite(inner) for key, inner in data.items()}
    if isinstance(data, list | tuple):
        return [finite(inner) for inner in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


@contextmanager
def warnings_in_a_line() -> Iterator[None]:
    """Tells warnings as one line each, without the place in the code that raised them."""
    kept = warnings.showwarning
    warnings.showwarning = lambda message, *_, **__: note(f"rivalry: {' '.join(str(message).split())}")
    try:
        yield
    finally:
        warnings.showwarning = kept


@contextmanager
def reserved() -> Iterator[None]:
    """Keeps stdout for data: what a user's file, a library or a worker prints goes to stderr meanwhile."""
    sys.stdout.flush()
    _widths.append(_width())
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _widths.pop()
        os.dup2(kept, 1)
        os.close(kept)


def text(words: str) -> None:
    """Words for the reader, on stdout."""
    if words:
        _print(harmless(words))


def harmless(words: str) -> str:
    """Text without the characters that command a terminal: names and messages may be of anybody's run.

    >>> harmless("a title\x1b]0;another\x07")
    'a title\ufffd]0;another\ufffd'
    """
    return _COMMANDS.sub("\ufffd", words)


def opened() -> None:
    """Open what was closed of stdin, stdout and stderr, to nowhere: the next file would take its number.

    For the first line of a process of its own.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _print(words: str) -> None:
    """To stdout; quietly to nowhere if its reader has gone, as in ``rivalry list | head -1``."""
    try:
        print(words, flush=True)
    except BrokenPipeError:
        _to_nowhere(sys.stdout)


def _to_nowhere(stream: Any) -> None:
    """What is still in a stream's buffer would be tried again at the end of the process."""
    with suppress(OSError, ValueError):  # a test's stream has no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def lost(error: OSError) -> int:
    """For output that could not be written; quietly where its reader has gone. Returns the exit status."""
    _to_nowhere(sys.stdout)
    if error.errno == EPIPE:
        return 0
    note(f"rivalry: output cannot be written: {error.strerror}")
    return 1


def note(line: str) -> None:
    """One line on stderr; to nowhere if nothing can be written there."""
    try:
        print(harmless(" ".join(line.split())), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _to_nowhere(sys.stderr)


def mistake(line: str) -> int:
    """One line on stderr for a wrong input; returns its exit status."""
    note(f"rivalry: {line}")
    return 2


def broken(error: BaseException) -> int:
    """One line for an error of the package's own; all of it where RIVALRY_DEBUG is set."""
    if os.environ.get("RIVALRY_DEBUG"):
        raise error
    told = f"{type(error).__name__}: {one_line(error)}"
    note(f"rivalry: internal error, please report (RIVALRY_DEBUG=1 tells all): {told}")
    return 1


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None = None) -> str:
    """Return a table that fits ``width`` characters: longer entries continue on the next line.

    By default the terminal's width, or that in ``COLUMNS``; without either, entries stay on one line.
    Numbers have six digits.

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


def _width() -> int:
    """How many characters a line of stdout may have."""
    if _widths:
        return _widths[-1]
    shown = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return shutil.get_terminal_size().columns if shown else UNLIMITED


def _cell(entry: Any) -> str:
    if entry is None:
        return "-"
    if isinstance(entry, bool):
        return "yes" if entry else "no"
    if isinstance(entry, float):
        return f"{entry:.6g}"
    return " ".join(str(entry).split())


def one_line(error: object) -> str:
    """An error's text on one line.

    >>> one_line(ValueError("no\\n  such"))
    'no such'
    """
    return " ".join(str(error).split())

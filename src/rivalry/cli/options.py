"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def argument(metavar: str, words: str | None = None) -> Any:
    """Return an argument, with its help."""
    return typer.Argument(metavar=metavar, help=words)


def option(name: str, metavar: str, words: str, **limits: int) -> Any:
    """Return an option with a value, perhaps between limits, and its help."""
    return typer.Option(name, metavar=metavar, help=words, **limits)  # type: ignore[arg-type]


def flag(name: str, words: str) -> Any:
    """Return an option without a value, with its help."""
    return typer.Option(name, help=words)


Json = Annotated[bool, flag("--json", "Print exactly one JSON value on stdout.")]
RunFolder = Annotated[Path, argument("RUN", "A run's folder.")]
StudyName = Annotated[str, argument("STUDY", "A bundled study's name, or a TOML file.")]
WorkerCount = Annotated[
    int | None,
    option("--workers", "N", "Cells computed at a time; default one per processor.", min=1, max=1024),
]
ExecutorName = Annotated[
    str, option("--executor", "local|ray", "Run cells in local workers or on a Ray cluster.")
]
Address = Annotated[
    str | None,
    option("--address", "HOST:PORT", "Address of a running Ray cluster; default: start one here."),
]
Device = Annotated[str | None, option("--device", "cpu|gpu|tpu", "Where programs of JAX run; default cpu.")]
Verbose = Annotated[bool, flag("--verbose", "List reference values and certificates too.")]
Trust = Annotated[bool, flag("--trust", "Continue from pickles that others stored; these can run any code.")]
AcceptVersion = Annotated[bool, flag("--accept-version", "Continue with cells computed by another version.")]

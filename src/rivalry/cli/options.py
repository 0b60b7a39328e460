"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON value on stdout.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]
StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="A bundled study's name, or a TOML file.")]
WorkerCount = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        max=1024,
        help="Cells computed at a time; default one per processor.",
    ),
]
ExecutorName = Annotated[
    str,
    typer.Option("--executor", metavar="local|ray", help="Run cells in local workers or on a Ray cluster."),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address", metavar="HOST:PORT", help="Address of a running Ray cluster; default: start one here."
    ),
]
Device = Annotated[
    str | None,
    typer.Option("--device", metavar="cpu|gpu|tpu", help="Where programs of JAX run; default cpu."),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="List reference values and certificates too.")]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Continue from pickles that others stored; these can run any code."),
]
AcceptVersion = Annotated[
    bool, typer.Option("--accept-version", help="Continue with cells computed by another version.")
]


def output_option(words: str, metavar: str = "DIR") -> Any:
    """Return the option ``--out``, with its help."""
    return typer.Option("--out", metavar=metavar, help=words)

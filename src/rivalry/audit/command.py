"""The command ``audit``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from rivalry.cli import output
from rivalry.cli.options import Json, output_option
from rivalry.cli.values import OptionError


def audit(
    bot: Annotated[
        str,
        typer.Argument(
            metavar="BOT",
            help="A pricing algorithm: FILE.py:NAME, a command that answers lines of JSON, or "
            "http://127.0.0.1:PORT/PATH.",
        ),
    ],
    market: Annotated[
        str | None,
        typer.Option(
            "--market",
            metavar="STUDY|TOML",
            help="The market; default: logit duopoly of Calvano et al. (2020).",
        ),
    ] = None,
    trust: Annotated[bool, typer.Option("--trust", help="Run a file that belongs to another user.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, max=10**9, help="Number of the first session.")] = 0,
    seconds: Annotated[
        float,
        typer.Option("--seconds", min=1, max=86_400, help="Time after which no further session begins."),
    ] = 40.0,
    out: Annotated[Path | None, output_option("Write the report to this file.", "FILE.html")] = None,
    json: Json = False,
) -> int:
    """Audit a pricing algorithm: elevated prices, and punishment of a rival that cuts its price.

    The verdict is one of four: competitive, elevated prices without punishment found, elevated prices with
    punishment, cannot tell. It is no legal finding.
    """
    from rivalry.audit.bots import files_of
    from rivalry.audit.report import page, text
    from rivalry.audit.worker import audit_apart
    from rivalry.core.files import write

    if out is not None and out.suffix not in (".html", ".htm"):
        raise OptionError(f"--out {out}: must be a file that ends in .html")
    for file in files_of(bot):
        if not trust and file.exists() and file.stat().st_uid != os.getuid():
            raise OptionError(f"{file}: belongs to another user; look at it, and run it with --trust")
        output.note(f"runs {file}, in a process of its own")
    try:
        found: dict[str, Any] = audit_apart(bot, market, seed=seed, seconds=seconds)
    except ValueError as error:
        raise OptionError(str(error)) from None
    found = {"bot": bot, "market": market} | found
    if out is not None:
        write(out, page(found).encode())
        found["report"] = str(out)
    return output.print_result(json, found, text(found))

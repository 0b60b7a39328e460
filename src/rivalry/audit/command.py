"""The command ``audit``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from rivalry.cli import output
from rivalry.cli.options import Json, argument, flag, option
from rivalry.cli.values import OptionError

Audited = Annotated[
    str,
    argument(
        "BOT",
        "A pricing algorithm: FILE.py:NAME, a command that answers lines of JSON, "
        "http://127.0.0.1:PORT/PATH, or a table of action values with a TOML file beside it.",
    ),
]
MarketName = Annotated[
    str | None,
    option("--market", "STUDY|TOML", "The market; default: logit duopoly of Calvano et al. (2020)."),
]
Seconds = Annotated[
    float, option("--seconds", "S", "Time after which no further session begins.", min=1, max=86_400)
]
Sessions = Annotated[
    int | None,
    option(
        "--sessions",
        "N",
        "Number of sessions in place of a time; up to four times as many where gains stay open.",
        min=3,
        max=1000,
    ),
]


def audit(
    bot: Audited,
    market: MarketName = None,
    trust: Annotated[bool, flag("--trust", "Run a file that belongs to another user.")] = False,
    seed: Annotated[int, option("--seed", "N", "Number of the first session.", min=0, max=10**9)] = 0,
    seconds: Seconds = 40.0,
    sessions: Sessions = None,
    out: Annotated[Path | None, option("--out", "FILE.html", "Write the report to this file.")] = None,
    json: Json = False,
) -> int:
    """Audit a pricing algorithm.

    The verdict is one of four: competitive, elevated prices without punishment found, elevated prices with
    punishment, cannot tell. It is no legal finding.
    """
    from rivalry.audit.report import audit_apart, page, parts
    from rivalry.core.files import check_place, folder_for, write

    if out is not None and out.suffix not in (".html", ".htm"):
        raise OptionError(f"--out {out}: must be a file that ends in .html")
    if out is not None:
        check_place(folder_for(out.parent) / out.name)
    try:
        _check_files(bot, market, trust)
        record: dict[str, Any] = {"bot": bot, "market": market}
        record |= audit_apart(bot, market, seed=seed, seconds=seconds, sessions=sessions)
    except ValueError as error:
        raise OptionError(str(error)) from None
    if out is not None:
        write(out, page(record).encode())
        record["report"] = str(out)
    return output.print_result(json, record, *parts(record))


def _check_files(bot: str, market: str | None, trust: bool) -> None:
    """Raise for files of other users, and name those that are run."""
    from rivalry.audit.bots import files_of
    from rivalry.core.foreign_tables import is_table

    if is_table(bot) and market is not None:
        raise OptionError("--market: the TOML file beside a table states its market, as [game]")
    for file in files_of(bot):
        if not trust and file.exists() and file.stat().st_uid != os.getuid():
            raise OptionError(f"{file}: belongs to another user; look at it, and run it with --trust")
        output.note(f"runs {file}, in a process of its own")

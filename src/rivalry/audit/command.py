"""The command ``audit``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from rivalry.cli import output
from rivalry.cli.options import Json, output_option
from rivalry.cli.values import OptionError

Audited = Annotated[
    str,
    typer.Argument(
        metavar="BOT|LOG",
        help="A pricing algorithm: FILE.py:NAME, a command that answers lines of JSON, "
        "http://127.0.0.1:PORT/PATH, or a table of action values with a TOML file beside it. Or a log of "
        "prices: FILE.csv or FILE.parquet.",
    ),
]
MarketName = Annotated[
    str | None,
    typer.Option(
        "--market",
        metavar="STUDY|TOML",
        help="The market; default: logit duopoly of Calvano et al. (2020), and for a log demand "
        "estimated from its quantities.",
    ),
]
Seconds = Annotated[
    float, typer.Option("--seconds", min=1, max=86_400, help="Time after which no further session begins.")
]
Sessions = Annotated[
    int | None,
    typer.Option(
        "--sessions",
        min=3,
        max=1000,
        help="Number of sessions in place of a time; up to four times as many where gains stay open.",
    ),
]
Column = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME=COLUMN",
        help="A log's column of time, firm, price, quantity, share, cost, market_size, market or product; "
        "several of shifter by commas.",
    ),
]
Size = Annotated[
    float | None,
    typer.Option(
        "--size", metavar="N", help="Buyers of a log, those who buy nothing included; default 1: shares."
    ),
]
Cost = Annotated[
    float | None, typer.Option("--cost", help="Cost per unit of a log; default: its column cost.")
]
HighestCost = Annotated[
    float | None, typer.Option("--highest-cost", help="Upper end of the costs, if --cost is the lower.")
]


def audit(
    bot: Audited,
    market: MarketName = None,
    trust: Annotated[bool, typer.Option("--trust", help="Run a file that belongs to another user.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, max=10**9, help="Number of the first session.")] = 0,
    seconds: Seconds = 40.0,
    sessions: Sessions = None,
    column: Column = None,
    size: Size = None,
    cost: Cost = None,
    highest_cost: HighestCost = None,
    out: Annotated[Path | None, output_option("Write the report to this file.", "FILE.html")] = None,
    json: Json = False,
) -> int:
    """Audit a pricing algorithm or a log of prices.

    The verdict is one of four: competitive, elevated prices without punishment found, elevated prices with
    punishment, cannot tell. That on a log of prices is one of three: consistent with competition, not
    consistent with competition, cannot tell. It is no legal finding.
    """
    from rivalry.audit.report import page, text
    from rivalry.audit.worker import audit_apart, audit_log, is_log, market_of
    from rivalry.core.files import write

    if out is not None and out.suffix not in (".html", ".htm"):
        raise OptionError(f"--out {out}: must be a file that ends in .html")
    options = {"--column": column, "--size": size, "--cost": cost, "--highest-cost": highest_cost}
    stated = [name for name, value in options.items() if value is not None]
    try:
        if is_log(bot):
            if market is not None and (wrong := [name for name in stated if name != "--column"]):
                raise OptionError(f"{wrong[0]}: --market states costs and demand")
            record: dict[str, Any] = audit_log(
                bot,
                None if market is None else market_of(market),
                columns=_columns(column or []),
                size=1.0 if size is None else size,
                cost=cost,
                highest_cost=highest_cost,
                seed=seed,
            )
        else:
            if stated:
                raise OptionError(f"{stated[0]}: is for a log of prices")
            _check_files(bot, market, trust)
            record = {"bot": bot, "market": market}
            record |= audit_apart(bot, market, seed=seed, seconds=seconds, sessions=sessions)
    except ValueError as error:
        raise OptionError(str(error)) from None
    if out is not None:
        write(out, page(record).encode())
        record["report"] = str(out)
    return output.print_result(json, record, text(record))


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


def _columns(texts: list[str]) -> dict[str, str]:
    """Columns of ``--column``, by our names for them."""
    from rivalry.audit.logs import NAMES

    pairs = {}
    for text in texts:
        name, equals, column = text.partition("=")
        if not equals:
            raise OptionError(f"--column {text}: must be NAME=COLUMN, such as price=Preis")
        if name not in NAMES:
            raise OptionError(f"--column {text}: no such name; known: {', '.join(NAMES)}")
        pairs[name] = column
    return pairs

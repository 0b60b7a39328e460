"""The command ``audit``."""

from __future__ import annotations

from typing import Annotated

import typer

from rivalry.cli import output
from rivalry.cli.options import Json


def audit(
    bot: Annotated[str, typer.Argument(metavar="BOT", help="A pricing algorithm: FILE.py:NAME.")],
    json: Json = False,
) -> int:
    """Audit a pricing algorithm: elevated prices, and punishment of a rival that cuts its price."""
    raise NotImplementedError

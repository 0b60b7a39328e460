"""The command line: stdout is data, stderr is progress, one line per mistake.

Exit status: 0 done, 1 the study failed, 2 the input was wrong, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rivalry.cli import interrupt, output


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Never raises for what a user can get wrong."""
    if arguments is None:
        output.opened()
    with interrupt.watched():
        try:
            from rivalry.cli.commands import carry_out

            return carry_out(sys.argv[1:] if arguments is None else list(arguments))
        except KeyboardInterrupt:
            output.note("interrupted; all finished cells are kept, `rivalry resume` goes on")
            if arguments is None:  # a process of its own: taking JAX down in good order would take a second
                os._exit(130)
            return 130


__all__ = ["main"]

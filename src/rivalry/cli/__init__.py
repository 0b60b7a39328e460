"""Command-line interface: data on stdout; progress and one line per error on stderr.

Exit status: 0 success, 1 failure, 2 invalid input, 130 interrupted.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from rivalry.cli import interrupt, output


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; invalid input does not raise."""
    if arguments is None:
        output.open_streams()
        # own process: a run of many cells keeps all that it makes, where collections search in vain
        gc.set_threshold(100_000, 20, 20)
    with interrupt.watch():
        try:
            with output.warnings_in_a_line():  # of registers that cannot be read
                from rivalry.cli.commands import carry_out

                return carry_out(sys.argv[1:] if arguments is None else list(arguments))
        except KeyboardInterrupt:
            output.note("interrupted; all finished cells are kept, `rivalry resume` goes on")
            if arguments is None:  # own process: an orderly shutdown of JAX would take a second
                os._exit(130)
            return 130
        finally:
            if arguments is None:
                gc.freeze()  # collections at the end of the process would go through all that is left


__all__ = ["main"]

"""The command ``freeze``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from rivalry.cli import work
from rivalry.cli.options import Json, RunFolder, option
from rivalry.cli.values import OptionError


def freeze(
    run: RunFolder,
    out: Annotated[Path | None, option("--out", "FILE", "The file; default RUN/export/page.html.")] = None,
    json: Json = False,
) -> int:
    """Write a run as one offline page with living figures."""
    from rivalry.lab.store import Run
    from rivalry.living.freeze import freeze as write

    opened = Run.open(run)
    path = opened.folder / "export" / "page.html" if out is None else out
    if os.path.isdir(path) or path.suffix not in (".html", ".htm"):
        raise OptionError(f"--out {path}: must be a file that ends in .html")
    if out is not None:
        work.note_folder(path)
    frozen = write(opened, path)
    return work.print_files(json, opened, [frozen.file], frozen.left_out)

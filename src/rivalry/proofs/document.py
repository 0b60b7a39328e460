"""Documents of proofs and the files in which they are written."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from rivalry.core import files

Document = dict[str, Any]
VERSION = 3

PLAIN = 200_000  # characters: a longer file is packed


def write(document: Document, file: str | Path) -> None:
    """Write a document as a proof file; a large one is packed by gzip."""
    text = (json.dumps(document, separators=(",", ":")) + "\n").encode()
    # packed without a name or a time: equal proofs are equal files
    files.write(Path(file), gzip.compress(text, mtime=0) if len(text) > PLAIN else text)

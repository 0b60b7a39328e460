"""``SHA256SUMS`` of a run at rest: the digests of the files that cannot tell their own damage.

In the form of the program ``sha256sum``, which checks it with ``-c``. It is written when work on a run ends
and removed when work begins; the last line is the digest of the lines before, as a comment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from hashlib import file_digest, sha256
from pathlib import Path

from rivalry.core.files import DamagedFile, read_bytes, write

NAME = "SHA256SUMS"
_FILES = ("dataset.nc", "index.sqlite", "log.txt")
_LINE = re.compile(r"([0-9a-f]{64})  ((?:figures/)?[^/\n]+)")


def write_sums(folder: Path) -> None:
    """Put the digests of a run's files on record. Raises `rivalry.core.files.DiskFull`."""
    _write(folder, {name: _digest(folder / name) for name in _FILES if (folder / name).is_file()})


def update_sums(folder: Path) -> None:
    """The same for the report and the figures, which are made at rest; nothing where there are no sums."""
    known = _read(folder)
    if known is not None:
        _write(folder, {name: digest for name, digest in known.items() if name in _FILES})


def _write(folder: Path, known: dict[str, str]) -> None:
    made = [folder / "report.html", *sorted((folder / "figures").glob("*.svg"))]
    drawn = {path.relative_to(folder).as_posix(): _digest(path) for path in made if path.is_file()}
    body = "".join(f"{digest}  {name}\n" for name, digest in {**known, **drawn}.items())
    write(folder / NAME, f"{body}# {sha256(body.encode()).hexdigest()}\n".encode())


def _read(folder: Path) -> dict[str, str] | None:
    """The digests by name; None where there are none, or they are damaged."""
    try:
        body, _, last = read_bytes(folder / NAME).rpartition(b"# ")
    except DamagedFile:
        return None
    rows = [_LINE.fullmatch(line) for line in body.decode(errors="replace").splitlines()]
    if last != f"{sha256(body).hexdigest()}\n".encode():
        return None
    found = {row[2]: row[1] for row in rows if row is not None}
    return found if len(found) == len(rows) else None


def altered(folder: Path) -> Iterator[DamagedFile]:
    """Files of a run at rest that are not what was written; during work nothing is known."""
    known = _read(folder)
    if known is None and os.path.lexists(folder / NAME):
        yield DamagedFile(folder / NAME, "its lines do not match its digest")
    for name, digest in (known or {}).items():
        if not (folder / name).is_file():
            yield DamagedFile(folder / name, "missing")
        elif _digest(folder / name) != digest:
            yield DamagedFile(folder / name, f"its bytes do not match its digest in {NAME}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()

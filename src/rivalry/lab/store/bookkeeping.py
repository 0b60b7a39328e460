"""The index of a run, and the digests of its files between periods of work.

``index.sqlite`` holds processor times, warnings and failures; it can be rebuilt from the other files.
``SHA256SUMS`` holds the digests of files that do not contain one, and of recomputed certificates, whose
absence would not show otherwise, in the format of the program
``sha256sum``, which checks it with ``-c``. It is written when work on a run ends and removed when work
begins; its last line is the digest of the lines before, as a comment. A comment before it is the digest of
what the dataset, the figures and the report were made from: while both hold, none need be made again.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
import weakref
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import closing, contextmanager
from hashlib import file_digest, sha256
from pathlib import Path
from typing import NamedTuple

from rivalry.core.files import LARGEST, DamagedFile, DiskFull, open_own, read_bytes, write

SUMS = "SHA256SUMS"
_FILES = ("dataset.nc", "index.sqlite", "log.txt")
_LINE = re.compile(r"([0-9a-f]{64})  ((?:(?:figures|certificates)/)?[^/\n]+)")
_MADE_FROM = re.compile(r"# made from ([0-9a-f]{64})")


class Index:
    """Times, warnings and failures in SQLite; never waits for the disk: the files hold the results."""

    _TABLE = "create table if not exists cells (id text primary key, state text, seconds real, message text)"
    _INSERT = "insert or replace into cells values (?, ?, ?, ?)"

    def __init__(self, path: Path) -> None:
        self.path = path
        # ours has no journal; SQLite would apply that of a stranger, and write through links of these names
        for journal in path.parent.glob(f"{path.name}-*"):
            journal.unlink()
        open_own(path).close()
        try:
            self._db = self._connect()
        except sqlite3.DatabaseError:  # damaged: the files hold what matters
            # with its journal, which SQLite would apply to the new file
            for old in path.parent.glob(f"{path.name}*"):
                old.unlink()
            self._db = self._connect()
        # where it is left open: from Python 3.13 on a connection warns when it is collected
        weakref.finalize(self, self._db.close)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, timeout=30)
        try:
            with self._room():
                db.execute("pragma synchronous=off")
                db.execute("pragma journal_mode=memory")
                _require_sound(db, "damaged")
                db.execute(self._TABLE)
                db.execute("select id, state, seconds, message from cells limit 1")
        except BaseException:
            db.close()
            raise
        return db

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname in ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_TRUNCATE"):
                rule = "no space left for it; make some, then resume (what is finished is kept)"
                raise DiskFull(f"{self.path}: {rule}") from None
            raise

    def note(self, id: str, state: str, seconds: float | None, message: str) -> None:
        with self._room():
            self._db.execute(self._INSERT, (id, state, seconds, message))

    def align(self, on_disk: AbstractSet[str]) -> None:
        """Add rows for all files, and delete rows of finished cells without a file."""
        with self._room():
            indexed = self.known()
            # connections commit every statement by themselves: one transaction for all rows
            self._db.execute("begin")
            id_rows = [(id,) for id in sorted(indexed - on_disk)]
            self._db.executemany("delete from cells where id = ?", id_rows)
            new = [(id, "done", None, "") for id in sorted(on_disk - indexed)]
            self._db.executemany(self._INSERT, new)
            self._db.execute("commit")

    def known(self) -> set[str]:
        """Return the cells that the index records as done."""
        return {id for (id,) in self._db.execute("select id from cells where state = 'done'")}

    def seconds(self) -> dict[str, float]:
        return dict(self._db.execute("select id, seconds from cells where seconds is not null order by id"))

    def close(self) -> None:
        self._db.close()


IndexRows = tuple[dict[str, tuple[str, str]], str]  # states and messages by cell; why they cannot be read


def read_index(path: Path) -> IndexRows:
    """Return states and messages without writing, and in one line why an index cannot be read.

    Cells that are done without a message are left out: where cells are many, most are.
    """
    if not path.exists():
        return {}, ""
    reason = ""
    for wait in (0.0, 0.02, 0.1):  # a copy made while another process writes may mix two states
        time.sleep(wait)
        try:
            return _rows(read_bytes(path)), ""
        except DamagedFile as error:
            return {}, error.why
        except sqlite3.DatabaseError as error:
            reason = str(error)
    return {}, reason


def read_seconds(path: Path) -> dict[str, float]:
    """Return the processor time of every finished cell, without writing; none of a damaged index."""
    try:
        with closing(sqlite3.connect(":memory:")) as db:
            db.deserialize(read_bytes(path))
            return dict(db.execute("select id, seconds from cells where typeof(seconds) = 'real'"))
    except (DamagedFile, sqlite3.DatabaseError):
        return {}


def _rows(data: bytes) -> dict[str, tuple[str, str]]:
    # read in memory: no lock, no journal, no limit on the path's length
    with closing(sqlite3.connect(":memory:")) as db:
        if data:
            db.deserialize(data)
            _require_sound(db, "its pages are not those of a database")
        if db.execute("select type from sqlite_master where name = 'cells'").fetchone() != ("table",):
            raise sqlite3.DatabaseError("it has no table of cells")
        query = "select id, state, message from cells where state is not 'done' or message is not ''"
        rows = db.execute(f"{query} or typeof(id) is not 'text'").fetchall()
    if not all(isinstance(value, str) for row in rows for value in row):
        raise sqlite3.DatabaseError("it holds what is no text")
    return {id: (state, message) for id, state, message in rows}


def _require_sound(db: sqlite3.Connection, reason: str) -> None:
    if db.execute("pragma quick_check").fetchone() != ("ok",):
        raise sqlite3.DatabaseError(reason)


class _Sums(NamedTuple):
    files: dict[str, str]  # digests by name
    made_from: str  # digest of what the outputs were made from; empty if they must be made again


def write_sums(folder: Path, made_from: str) -> None:
    """Write the digests of a run's files. Raises `rivalry.core.files.DiskFull`."""
    newer = [f"certificates/{path.name}" for path in sorted((folder / "certificates").glob("*.npz"))]
    digests = {name: _digest(folder / name) for name in [*_FILES, *newer] if _is_summed(folder / name)}
    _write(folder, _Sums(digests, made_from))


def update_sums(folder: Path, made_from: str) -> None:
    """Update the digests of the report and the figures, if there are sums."""
    sums = _read(folder)
    if sums is not None:
        stays = (*_FILES, "certificates/")
        files = {name: digest for name, digest in sums.files.items() if name.startswith(stays)}
        _write(folder, _Sums(files, made_from))


def made_from(folder: Path) -> str:
    """Return the digest of what the dataset, the figures and the report were made from, empty if unknown."""
    sums = _read(folder)
    return sums.made_from if sums else ""


def _write(folder: Path, sums: _Sums) -> None:
    pages = [folder / "report.html", *sorted((folder / "figures").glob("*.svg"))]
    figures = {path.relative_to(folder).as_posix(): _digest(path) for path in pages if _is_summed(path)}
    body = "".join(f"{digest}  {name}\n" for name, digest in {**sums.files, **figures}.items())
    body += f"# made from {sums.made_from}\n" * bool(sums.made_from)
    write(folder / SUMS, f"{body}# {sha256(body.encode()).hexdigest()}\n".encode())


def _read(folder: Path) -> _Sums | None:
    """Return the digests; None if they are missing or damaged."""
    try:
        body, _, digest_line = read_bytes(folder / SUMS).rpartition(b"# ")
    except DamagedFile:
        return None
    lines = body.decode(errors="replace").splitlines()
    source = _MADE_FROM.fullmatch(lines.pop()) if lines and lines[-1].startswith("#") else None
    rows = [_LINE.fullmatch(line) for line in lines]
    if digest_line != f"{sha256(body).hexdigest()}\n".encode():
        return None
    digests = {row[2]: row[1] for row in rows if row is not None}
    return _Sums(digests, source[1] if source else "") if len(digests) == len(rows) else None


def altered_files(folder: Path) -> Iterator[DamagedFile]:
    """Yield files of a run that differ from what was written; during work there is nothing to compare."""
    sums = _read(folder)
    if sums is None and os.path.lexists(folder / SUMS):
        yield DamagedFile(folder / SUMS, "its lines do not match its digest")
    yield from missing_certificates(folder)
    for name, digest in (sums.files if sums else {}).items():
        if name.startswith("certificates/"):  # these hold a digest of their own
            continue
        if not (folder / name).is_file():
            yield DamagedFile(folder / name, "missing")
        elif not _is_summed(folder / name):
            yield DamagedFile(folder / name, f"has more than {LARGEST} bytes, too many for {SUMS}")
        elif _digest(folder / name) != digest:
            yield DamagedFile(folder / name, f"its bytes do not match its digest in {SUMS}")


def missing_certificates(folder: Path) -> Iterator[DamagedFile]:
    """Yield recomputed certificates that were removed: the dataset has others without them."""
    sums = _read(folder)
    for name in sums.files if sums else ():
        if name.startswith("certificates/") and not (folder / name).exists():
            yield DamagedFile(folder / name, "missing")


def _is_summed(path: Path) -> bool:
    """True for a file that is there and short enough to be read whenever its run is."""
    return path.is_file() and path.stat().st_size <= LARGEST


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()

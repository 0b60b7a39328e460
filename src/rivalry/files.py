"""Files of a run: arrays in a zip without pickles, written aside and renamed, that tell damage.

A file is a plain ``.npz`` (`numpy.load` reads it) with one more member, ``meta.json``: schema, kind, name,
dimensions. The last 64 bytes, the zip's comment, are the SHA-256 of all bytes before. Equal contents give
equal bytes.
"""

from __future__ import annotations

import errno
import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from rivalry.results import SCHEMA, Record

_FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
_DIGEST = 64


class StoreError(ValueError):
    """A run folder cannot be used as asked; one line that says why and what would help."""


class DiskFull(StoreError):
    """No space is left for a file; all files that were finished are kept."""


class DamagedFile(StoreError):
    """A stored file is not what was written."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: damaged ({why})")
        self.path, self.why = path, why


class Stored(NamedTuple):
    """What one file holds."""

    meta: dict[str, Any]
    record: Record


def pack(record: Mapping[str, tuple[tuple[str, ...], Any]], **meta: Any) -> bytes:
    """A record as the bytes of a file; ``meta`` is kept beside it. Equal records give equal bytes.

    Raises `ValueError` for an array of objects: nothing stored is ever unpickled.

    >>> data = pack({"payoff": (("player",), np.array([1.0, 2.0]))}, kind="cell", name="a1")
    >>> unpack(data).record["payoff"]
    (('player',), array([1., 2.]))
    """
    arrays = {name: np.asarray(array) for name, (_, array) in record.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biufcU":
            raise ValueError(f"{name}: an array of {array.dtype} cannot be stored; numbers and text can")
    dims = {name: list(dims) for name, (dims, _) in record.items()}
    head = {"schema": SCHEMA, **meta, "dims": dims}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_member("meta.json"), json.dumps(head, sort_keys=True))
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, arrays[name], allow_pickle=False)
            archive.writestr(_member(f"{name}.npy"), member.getbuffer())
        archive.comment = b"0" * _DIGEST
    body = buffer.getvalue()[:-_DIGEST]
    return body + sha256(body).hexdigest().encode()


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system = 3  # else the bytes would tell Windows from the rest
    info.external_attr = 0o600 << 16
    return info


def unpack(data: bytes, path: Path = Path("bytes")) -> Stored:
    """What the bytes of a file hold.

    Raises `DamagedFile` where they are not what `pack` made, `StoreError` for a newer schema.
    """
    body, digest = data[:-_DIGEST], data[-_DIGEST:]
    if len(data) <= _DIGEST or not digest.isalnum():
        raise DamagedFile(path, f"ends after {len(data)} bytes")
    if sha256(body).hexdigest().encode() != digest:
        raise DamagedFile(path, "its bytes do not match its digest")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            meta = json.loads(archive.read("meta.json"))
            _readable(path, meta["schema"])
            record = {name: (tuple(dims), _array(archive, name)) for name, dims in meta.pop("dims").items()}
    except (KeyError, TypeError, zipfile.BadZipFile, json.JSONDecodeError) as error:
        raise DamagedFile(path, f"{type(error).__name__}: {error}") from None
    return Stored(meta, record)


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    return np.asarray(np.lib.format.read_array(io.BytesIO(archive.read(f"{name}.npy")), allow_pickle=False))


def read(path: Path, **expected: Any) -> Stored:
    """What a file holds; ``expected`` are entries that its ``meta`` must have.

    Raises `DamagedFile` for a file that is missing, cut short, altered or not the one expected.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DamagedFile(path, "missing") from None
    stored = unpack(data, path)
    for key, value in expected.items():
        if stored.meta.get(key) != value:
            raise DamagedFile(path, f"{key} is {stored.meta.get(key)!r}, not {value!r}")
    return stored


def write(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write aside and rename: whoever reads ``path`` sees the old file or the new one, never a part.

    ``durable``: wait until the disk has it. Raises `DiskFull` where no space is left.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with room_for(path):
        try:
            with aside.open("wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            with suppress(OSError):
                aside.unlink()
            raise
    if durable and os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Turns the system's word for a full disk, or a quota, or a limit on files, into `DiskFull`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DiskFull(
            f"{path}: no space left for it; make some, then resume (what is finished is kept)"
        ) from None


def write_json(path: Path, value: Any) -> None:
    """A value as readable JSON, written aside and renamed. Raises `DiskFull`."""
    write(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """The value of a JSON file. Raises `DamagedFile`, `StoreError` for a newer schema."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        schema = value["schema"]
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise DamagedFile(path, f"{type(error).__name__}: {error}") from None
    _readable(path, schema)
    return value


def _readable(path: Path, schema: int) -> None:
    if schema > SCHEMA:
        raise StoreError(f"{path}: schema {schema}, above this rivalry's {SCHEMA}; a newer rivalry reads it")


class Lock:
    """A lock of the operating system on a folder's file ``lock``; gone when its process is gone."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self._file: IO[str] | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return self._file is not None

    def acquire(self) -> None:
        """Take it; raises `StoreError` that names the process which has it."""
        with room_for(self.path):
            file = self.path.open("a+", encoding="utf-8")
            try:
                _lock(file)
            except OSError:
                file.seek(0)
                owner = file.read().strip() or "another process"
                file.close()
                raise StoreError(
                    f"{self.path.parent}: in use by {owner}; wait for it, or choose another"
                ) from None
            file.seek(0)
            file.truncate()
            file.write(f"process {os.getpid()}")
            file.flush()
        self._file = file

    def release(self) -> None:
        """Let it go; harmless where it is not held."""
        if self._file is not None:
            file, self._file = self._file, None
            with suppress(OSError):
                file.truncate(0)
            file.close()


def _lock(file: IO[str]) -> None:
    """Without waiting; raises `OSError` where another process has it."""
    if os.name == "nt":
        import msvcrt

        file.seek(1 << 20)  # beyond the text, which others may read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

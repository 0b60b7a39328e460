"""Files of a run: arrays without pickles in zip files with a digest, written atomically.

A file is a plain ``.npz`` (`numpy.load` reads it) with one more member, ``meta.json``: schema, kind, name,
dimensions. The last 64 bytes, the zip's comment, are the SHA-256 of all preceding bytes. Equal contents give
equal bytes.
"""

from __future__ import annotations

import errno
import io
import json
import os
import secrets
import stat
import struct
import tempfile
import time
import zipfile
import zlib
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.results import SCHEMA, Record
from rivalry.schema.validate import text_of

_FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
_BARRED = {  # reasons for which a file cannot be written at its place
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.EROFS: "the disk is read-only",
    errno.ENAMETOOLONG: "its name is too long",
    errno.ENOENT: "its folder cannot be written to",
    errno.EEXIST: "is a file, or in one",
    errno.ENOTDIR: "is a file, or in one",
    errno.EISDIR: "is a folder",
}
_EPOCH = (0, 33)  # midnight, 1 January 1980: the earliest time that a zip can hold
_BEGIN, _LONG = b"PK\3\4", 2**32 - 1  # of a member's header; a size that follows in eight bytes
_ENTRY, _END = b"PK\1\2", b"PK\5\6"  # of a member in the index, and of the end of the index
_COMMON = struct.Struct("<HHHHHLLLHH")  # version, flags, method, time, date, CRC, sizes, lengths
_PLACE, _TOTAL = struct.Struct("<HHHLL"), struct.Struct("<HHHHLLH")  # the rest of an entry, and of the end
_UTF_8 = 0x800  # flag of a name that is not ASCII
_LOCAL = struct.Struct(
    "<6xHH4xLLLHH"
)  # a member's header: flags, method, CRC, sizes, lengths of name and extra
_DIGEST = 64
_TICK = 20_000_000  # nanoseconds: files written within less may have the same time
_WORD = 512  # bytes of an array of text that is looked up among those checked before
_META = 2**24  # most bytes of a meta that is read alone
_EMPTY = 1_000_000  # most entries of an array without bytes
# flags of files that are opened, as far as a system has them: no pipe is waited for, and no link is followed
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_PLAIN = _READ | getattr(os, "O_NOFOLLOW", 0)
_NO_FILE = {errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.ENOTDIR}
_LINES = 1000  # most entries of a list in JSON that have more than a line each
DEEPEST = 64  # nesting of a JSON file
LARGEST = 2**31  # bytes of a file of a run; a longer one, which may be sparse, is not read


class StoreError(ValueError):
    """An error in the use of a run folder; the message states the cause and a remedy in one line."""


class DiskFull(StoreError):
    """An error for a full disk; all completed files are kept."""


class DamagedFile(StoreError):
    """An error for a stored file that differs from what was written; ``cells`` are those that it costs."""

    def __init__(self, path: Path, reason: str, cells: Collection[str] | None = None) -> None:
        super().__init__(f"{path}: damaged ({reason})")
        self.path, self.why = path, reason
        cells_of_path = (path.stem,) if path.parent.name == "cells" else ()
        self.cells = frozenset(cells_of_path if cells is None else cells)


class Stored(NamedTuple):
    """The contents of one file, and its digest."""

    meta: dict[str, Any]
    record: Record
    digest: str


def pack(record: Mapping[str, tuple[tuple[str, ...], Any]], **meta: object) -> bytes:
    """Return a record and ``meta`` as the bytes of a file; equal records give equal bytes.

    Raises
    ------
    ValueError
        For an array of objects: stored files hold no pickles.
    StoreError
        For more bytes than are read again.

    Examples
    --------
    >>> data = pack({"payoff": (("player",), np.array([1.0, 2.0]))}, kind="cell", name="a1")
    >>> unpack(data).record["payoff"]
    (('player',), array([1., 2.]))
    """
    arrays = {name: np.asarray(array) for name, (_, array) in record.items()}
    for name, array in arrays.items():
        if not _storable(array.dtype):
            raise ValueError(f"{name}: an array of {array.dtype} cannot be stored; numbers and text can")
    dims = {name: list(dims) for name, (dims, _) in record.items()}
    head = {"schema": SCHEMA, **meta, "dims": dims}
    members = {"meta.json": json.dumps(head, sort_keys=True).encode()}
    members |= {f"{name}.npy": _npy(arrays[name]) for name in sorted(arrays)}
    if (size := sum(map(len, members.values()))) > LARGEST - _DIGEST:
        raise StoreError(f"{size} bytes; a file of a run has at most {LARGEST}, store fewer variables")
    body = _archive(members)
    return body + sha256(body).hexdigest().encode()


def _npy(array: ndarray) -> bytes:
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    return _npy_header(array.dtype, array.shape, fortran) + array.tobytes("F" if fortran else "C")


@lru_cache(maxsize=4096)  # the cells of a run have the same variables
def _npy_header(dtype: np.dtype[Any], shape: tuple[int, ...], fortran: bool) -> bytes:
    header, form = io.BytesIO(), np.lib.format
    described = {"descr": form.dtype_to_descr(dtype), "fortran_order": fortran, "shape": shape}
    form.write_array_header_1_0(header, described)
    return header.getvalue()


def _archive(members: Mapping[str, bytes]) -> bytes:
    """Return a zip of members that are not compressed, up to its comment, for whose length it allows."""
    # not zipfile, which takes longer than all else for the small arrays of many cells; its bytes are the same
    parts, index, begin = list[bytes](), list[bytes](), 0
    for name, data in members.items():
        word, size = name.encode(), len(data)
        flags = 0 if name.isascii() else _UTF_8
        common = _COMMON.pack(
            20, flags, zipfile.ZIP_STORED, *_EPOCH, zlib.crc32(data), size, size, len(word), 0
        )
        parts += [_BEGIN, common, word, data]
        # made on a system of Unix, lest bytes differ on Windows
        index += [_ENTRY, bytes([20, 3]), common, _PLACE.pack(0, 0, 0, 0o600 << 16, begin), word]
        begin += len(_BEGIN) + len(common) + len(word) + size
    count, length = len(members), sum(map(len, index))
    return b"".join([*parts, *index, _END, _TOTAL.pack(0, 0, count, count, length, begin, _DIGEST)])


def _storable(dtype: np.dtype[Any]) -> bool:
    """True if a dtype is text, Booleans, or numbers that NetCDF can hold."""
    return dtype.kind == "U" or (dtype.kind in "biuf" and dtype.itemsize <= 8 and dtype != np.float16)


def unpack(data: bytes, path: Path = Path("bytes"), *, check: bool = True) -> Stored:
    """Return the contents of a file from its bytes.

    The bytes may come from anywhere: nothing is unpickled, nothing is decompressed, and no array is larger
    than the bytes it is read from. Without ``check`` they may differ from what was written.

    Raises
    ------
    DamagedFile
        For bytes that `pack` does not make.
    StoreError
        For another schema.
    """
    body, digest = data[:-_DIGEST], data[-_DIGEST:]
    # a file cut short ends in bytes of an array, an altered one still in a digest
    if check and (len(data) <= _DIGEST or not digest.isalnum()):
        raise DamagedFile(path, f"ends after {len(data)} bytes")
    if check and sha256(body).hexdigest().encode() != digest:
        raise DamagedFile(path, "its bytes do not match its digest")
    with foreign_bytes(path):
        members = _members(data, check=check)
        if "meta.json" not in members:
            raise Crafted("no archive of arrays")
        # any byte is a letter of Latin 1: one that is damaged costs no other
        text = members["meta.json"].decode("utf-8" if check else "latin-1")
        meta = json.loads(text, strict=check)
        _check_schema(path, meta["schema"])
        dims = {name: _named_dims(name, dims_of_array) for name, dims_of_array in meta.pop("dims").items()}
        if lacking := [name for name in dims if f"{name}.npy" not in members]:
            raise Crafted(f"no array {lacking[0][:60]!r}")
        record = {
            name: (dims_of_array, _array(members[f"{name}.npy"], dims_of_array, check))
            for name, dims_of_array in dims.items()
        }
    return Stored(meta, record, digest.decode(errors="replace"))


@contextmanager
def foreign_bytes(path: Path) -> Iterator[None]:
    """Convert any error but a `StoreError` into `DamagedFile`."""
    try:
        yield
    except StoreError:
        raise
    except Crafted as error:
        raise DamagedFile(path, str(error)) from None
    except Exception as error:  # the zip, JSON and NumPy libraries may raise anything for foreign bytes
        raise DamagedFile(path, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from None


class Crafted(Exception):
    """An error for bytes with a correct digest that `pack` did not make."""


def _members(data: bytes, *, check: bool) -> dict[str, bytes]:
    """Return the members of an archive that `pack` made, by name: uncompressed, one after the other."""
    # not zipfile, which takes longer than all else for the small arrays of many cells
    members, begin = dict[str, bytes](), 0
    while data.startswith(_BEGIN, begin):
        flags, compression, code, packed, size, words, extra = _LOCAL.unpack_from(data, begin)
        data_start = begin + _LOCAL.size + words + extra
        name = data[begin + _LOCAL.size : data_start - extra].decode()
        if size == _LONG:
            size, packed = struct.unpack_from("<4xQQ", data, data_start - extra)
        if compression != zipfile.ZIP_STORED or packed != size:
            raise Crafted(f"{name[:60]} is compressed ({size} bytes in {packed}); nothing stored is")
        begin = data_start + size
        members[name] = data[data_start:begin]
        if flags & 1 or len(members[name]) != size or (check and zlib.crc32(members[name]) != code):
            raise Crafted(f"{name[:60]} has other bytes than its header says")
    return members


def _named_dims(name: str, dims: object) -> tuple[str, ...]:
    if not isinstance(dims, list):
        raise Crafted(f"the dimensions of {name[:60]!r} are not a list of names")
    return _checked_dims(name, tuple(dims))


@lru_cache(maxsize=4096)  # the cells of a run have the same variables
def _checked_dims(name: str, dims: tuple[Any, ...]) -> tuple[str, ...]:
    words = [name, *dims]
    if not all(isinstance(word, str) and word.isprintable() and word for word in words):
        raise Crafted(f"the dimensions of {name[:60]!r} are not a list of names")
    if len(set(dims)) < len(dims) or any("/" in word for word in words):
        raise Crafted(f"{name[:60]!r} has dimensions {', '.join(dims)[:60]!r}, which no variable can have")
    return dims


def _array(data: bytes, dims: tuple[str, ...], check: bool) -> ndarray:
    """Return the array of a member after checking that header, bytes and dimensions agree."""
    begin = _begin_of_array(data)
    shape, fortran, dtype = _header(data[:begin])
    if not _storable(dtype):
        raise Crafted(f"an array of {dtype}; numbers and text can be stored")
    if len(shape) != len(dims):
        raise Crafted(f"an array of {len(shape)} dimensions for {len(dims)} names ({', '.join(dims)[:60]})")
    size, declared = len(data) - begin, prod(shape) * dtype.itemsize
    # arrays without elements too: in a dataset all others would be padded to their shape
    if size != declared or (not size and prod(max(length, 1) for length in shape) > _EMPTY):
        raise Crafted(f"an array of shape {shape} and {dtype} in {size} bytes")
    array = ndarray(shape, dtype, data, begin, order="F" if fortran else "C").copy("K")
    if check and dtype.kind == "U":
        (_readable_text if size <= _WORD else _readable_text.__wrapped__)(data[begin:], dtype)
    # Numba's loops take the native byte order only
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


def _begin_of_array(data: bytes) -> int:
    length_bytes = 2 if data[6:7] == b"\x01" else 4  # bytes of the header's length in formats 1 and 2
    return 8 + length_bytes + int.from_bytes(data[8 : 8 + length_bytes], "little")


def read_npy(data: bytes) -> ndarray:
    """Return the array in the bytes of a ``.npy`` file; nothing is unpickled.

    Raises
    ------
    Crafted
        For bytes that are not an array of numbers or text.
    """
    shape = _header(data[: _begin_of_array(data)])[0]
    return _array(data, tuple(map(str, range(len(shape)))), True)


# the cells of a run have equal headers, and parsing one costs more than reading its array
@lru_cache(maxsize=4096)
def _header(data: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, Fortran order and dtype from the bytes before an array's own."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in reader:
        raise Crafted(f"an array in format {version}; must be (1, 0) or (2, 0)")
    return reader[version](stream)


@lru_cache(maxsize=4096)  # of the words that the cells of a run share
def _readable_text(data: bytes, dtype: np.dtype[Any]) -> None:
    """Reject code points that no text file can hold, including NUL except as padding."""
    width = dtype.itemsize // 4
    if width and data:
        codes = np.frombuffer(data, dtype.byteorder + "u4").reshape(-1, width)
        broken = ((codes >= 0xD800) & (codes < 0xE000)) | (codes > 0x10FFFF)
        if broken.any() or ((codes[:, :-1] == 0) & (codes[:, 1:] != 0)).any():
            raise Crafted("text with characters that are none")


def read(path: Path, **expected: object) -> Stored:
    """Return the contents of a file; ``expected`` are required entries of its ``meta``.

    Raises
    ------
    DamagedFile
        For a file that is missing, cut short, altered or not the expected one.
    StoreError
        For another schema.
    """
    stored = unpack(read_bytes(path), path)
    for key, value in expected.items():
        if stored.meta.get(key) != value:
            raise DamagedFile(path, f"{key} is {stored.meta.get(key)!r}, not {value!r}")
    return stored


def read_meta(path: Path) -> dict[str, Any]:
    """Return the ``meta`` of a file without reading its arrays; only the bytes of ``meta`` are checked.

    Raises
    ------
    DamagedFile
        For a file that has none.
    """
    with foreign_bytes(path), open(os.open(path, _PLAIN), "rb") as file:
        head = file.read(_LOCAL.size)
        *_, size, words, extra = _LOCAL.unpack(head)
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode) or size > _META:
            raise Crafted("is no plain file with a short meta.json")
        members = _members(head + file.read(words + extra + size), check=True)
        meta = json.loads(members["meta.json"])
        _check_schema(path, meta["schema"])
        return dict(meta)


Stamp = tuple[int, int, int]
"""Identity, size and time of a file: what changes when the file is replaced or written."""


def stamp_of(status: os.stat_result) -> Stamp:
    """Stamp that tells a changed file from the one that was read."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def entries_stamp(folder: Path) -> Stamp | None:
    """Stamp that differs once an entry of a folder is added, replaced or removed.

    None without a folder, and after a change so late that a further one might not show.
    """
    try:
        status = folder.stat()
    except OSError:
        return None
    age = time.time_ns() - status.st_mtime_ns
    return stamp_of(status) if age >= _TICK else None


def stamps_in(folder: Path) -> dict[str, Stamp]:
    """Return the stamp of every ``.npz`` file of a folder by its name without ending; empty without one.

    Waits until a change of the newest file would show in its time.
    """
    stamps: dict[str, Stamp] = {}
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            # one that is removed meanwhile ends no list of others
            with suppress(FileNotFoundError):
                if entry.name.endswith(".npz"):
                    try:
                        status = entry.stat()
                    except OSError:  # a link that leads nowhere
                        status = entry.stat(follow_symlinks=False)
                    stamps[entry.name[:-4]] = stamp_of(status)
    age = time.time_ns() - max((modification for _, _, modification in stamps.values()), default=0)
    if 0 <= age < _TICK:
        time.sleep((_TICK - age) / 1e9)
    return stamps


def existing_file(path: str | os.PathLike[str]) -> Path:
    """Path of a file that a user names; `ValueError` where there is none, which is no damage."""
    if not Path(path).is_file():
        fault = "is no file; name a file" if os.path.lexists(path) else "no such file"
        raise ValueError(f"{path}: {fault}")
    return Path(path)


def read_text(path: str | os.PathLike[str], max_bytes: int = 2**24) -> str:
    """Return the text of a file that a user names, with lines that end in ``\\n``.

    Raises
    ------
    ValueError
        In one line, for a file that is missing, too large, or no text in UTF-8.
    """
    return text_of(read_bytes(existing_file(path), max_bytes), path)


def json_of(
    text: str,
    where: object,
    parse_float: Callable[[str], object] | None = None,
    object_pairs_hook: Callable[[list[tuple[str, Any]]], object] | None = None,
) -> Any:
    """Return the content of a text in JSON; the other arguments are those of `json.loads`.

    Raises `ValueError` for a text that is no JSON, with line and column; ``where`` is the name of its file.
    """
    try:
        return json.loads(text, parse_float=parse_float, object_pairs_hook=object_pairs_hook)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: is no JSON, from line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise ValueError(f"{where}: is nested too deeply to be read") from None
    except ValueError as error:  # of a hook, or of an integer of thousands of digits
        reason = "has an integer too long to be read" if "digits" in str(error) else str(error)
        raise ValueError(f"{where}: {reason}") from None


def read_bytes(path: Path, max_bytes: int = LARGEST) -> bytes:
    """Return the bytes of a regular file; raise `DamagedFile` where there is none, or one too large."""
    with open_plain(path, max_bytes) as stream:
        try:
            return stream.readall()
        except OSError as error:
            raise DamagedFile(path, f"cannot be read: {error.strerror}") from None


def open_plain(path: Path, max_bytes: int = LARGEST) -> io.FileIO:
    """Return a regular file, opened; raise `DamagedFile` where there is none, or one too large."""
    try:
        file = os.open(path, _READ)
    except FileNotFoundError:
        raise DamagedFile(path, "missing") from None
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        raise DamagedFile(path, "is no plain file") from None
    # of the open file, since the path may lead elsewhere by now
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
        os.close(file)
        large = f"has {status.st_size} bytes; must be at most {max_bytes}"
        raise DamagedFile(path, large if stat.S_ISREG(status.st_mode) else "is no plain file")
    return open(file, "rb", buffering=0)


def folder_for(path: Path) -> Path:
    """Return a folder, created if missing; raise `StoreError` for a link, and where it cannot be created."""
    if os.path.islink(path):
        raise StoreError(f"{path}: is a link; must be a folder, remove it")
    with room_for(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def followed(path: Path) -> Path:
    """Return a folder that a person named, which may be a link, by a path that is none."""
    try:
        return path.resolve(strict=True) if os.path.islink(path) else path
    except (OSError, RuntimeError):  # broken or circular
        raise StoreError(f"{path}: is a link that leads nowhere; choose another folder") from None


def write(path: Path, data: bytes | Iterable[bytes], *, durable: bool = False, mode: int = 0o666) -> None:
    """Write a file atomically: a reader of ``path`` sees the old file or the new one, never a part.

    A link at ``path``, or a file that has other names too, is replaced and never written through.

    Parameters
    ----------
    path : Path
        The file.
    data : bytes or iterable of bytes
        Its contents, perhaps in pieces.
    durable : bool
        Wait until the data are on disk.
    mode : int
        Permissions, less those that the process never gives.

    Raises
    ------
    DiskFull
        If no space is left.
    StoreError
        If the folder is a link or cannot be written to, or a folder has this name.
    """
    if path.parent.is_symlink() or (os.path.isdir(path) and not path.is_symlink()):
        obstacle = path.parent if path.parent.is_symlink() else path
        fault = "is a link; must be a folder" if obstacle != path else "is a folder; must be a file"
        raise StoreError(f"{obstacle}: {fault}, remove it")
    # in the same folder, since renaming is atomic only within a file system; the name cannot be guessed, and
    # the file must be new: a folder of a stranger may hold links under any name
    aside = path.with_name(f".{secrets.token_hex(8)}.part")
    with room_for(path):
        number = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN, mode)
        try:
            with open(number, "wb") as file:
                file.writelines([data] if isinstance(data, bytes) else data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            with suppress(OSError):
                aside.unlink()
            raise
    if durable:
        sync_names(path.parent)


def sync_names(folder: Path) -> None:
    """Wait until the names in a folder are on disk: a new or removed file is durable only then."""
    if os.name == "posix":
        _sync(folder, os.O_RDONLY)


def sync_tree(folder: Path, since: int = 0) -> None:
    """Wait until files below a folder are on disk, and their names; links are left alone.

    ``since`` is a time in nanoseconds: files that have not changed since are on disk.
    """
    for home, _, names in os.walk(folder):
        for name in names:
            path = Path(home, name)
            with suppress(FileNotFoundError, PermissionError):
                if path.lstat().st_mtime_ns >= since - _TICK:
                    _sync(path, os.O_RDWR if os.name == "nt" else _PLAIN)
        sync_names(Path(home))


def _sync(path: Path, flags: int) -> None:
    try:
        number = os.open(path, flags)
    except OSError as error:
        if error.errno in _NO_FILE:
            return
        raise
    try:
        with room_for(path):  # a disk may turn out to be full only now
            os.fsync(number)
    finally:
        os.close(number)


def open_own(path: Path) -> IO[str]:
    """Return a file of a run, opened to be read and extended, created if missing.

    Raises
    ------
    StoreError
        For a link, a file with a second name elsewhere, and what is no file: writing would change another.
    """
    fault = f"{path}: is a link, or no file of its own; remove it, or copy the folder's files to another one"
    try:
        number = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _PLAIN, 0o666)
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        raise StoreError(fault) from None
    status = os.fstat(number)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(number)
        raise StoreError(fault)
    return open(number, "a+", encoding="utf-8")


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Name a path in the system's error for a place where it cannot be written.

    Such an error has the name of a file that this package makes beside it. It becomes a `StoreError`, and one
    for a full disk, a quota or a file size limit `DiskFull`.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            rule = "no space left for it; make some, then resume (what is finished is kept)"
            raise DiskFull(f"{path}: {rule}") from None
        if error.errno not in _BARRED or not _has_working_folder():
            raise
        raise StoreError(f"{path}: {_BARRED[error.errno]}; choose another place") from None


def _has_working_folder() -> bool:
    """True unless the folder of this process was removed: then no other place is the remedy."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def check_place(path: Path) -> None:
    """Raise `StoreError` where a file cannot be written: before what is to be in it takes long to compute."""
    with room_for(path):
        with suppress(FileNotFoundError):
            path.lstat()  # raises for a name that is too long
        tempfile.TemporaryFile(dir=path.parent).close()


def write_json(path: Path, value: Mapping[str, Any], *, durable: bool = False) -> None:
    """Write a table atomically as readable JSON with its digest; raise `DiskFull` if no space is left."""
    write(path, json_bytes(value), durable=durable)


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """Return the content of the file that `write_json` writes."""
    content = {**value, "digest": digest_of(value)}
    # only without an indent is JSON written by a program in C
    dense = json.JSONEncoder(ensure_ascii=False).encode
    long = {
        key: [*map(dense, entries)]
        for key, entries in content.items()
        if isinstance(entries, list) and len(entries) > _LINES
    }
    text = json.dumps({**content, **{key: [] for key in long}}, indent=1, ensure_ascii=False)
    for key, lines in long.items():
        text = text.replace(f"\n {dense(key)}: []", f"\n {dense(key)}: [\n  " + ",\n  ".join(lines) + "\n ]")
    return f"{text}\n".encode()


def read_json(path: Path, data: bytes | None = None) -> dict[str, Any]:
    """Return a table that `write_json` wrote; ``data`` are the bytes of its file, if they were read before.

    Raises
    ------
    DamagedFile
        For a file that differs from what was written.
    StoreError
        For another schema.
    """
    with foreign_bytes(path):
        table: dict[str, Any] = json.loads((read_bytes(path) if data is None else data).decode())
        _check_depth(table)
        schema, digest = table["schema"], table.pop("digest", None)
        _check_schema(path, schema)
        digest_now = digest_of(table)
    if digest is None:
        raise DamagedFile(path, "has no digest")
    if digest is not None and digest != digest_now:
        raise DamagedFile(path, "its content does not match its digest")
    return table


def digest_of(value: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a table's JSON, independent of its layout.

    Raises `UnicodeEncodeError` for text that cannot be encoded.
    """
    # keys are not sorted: their order is that of the dimensions
    return sha256(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def policy_source(text: str) -> str:
    """Return the expression by which a page's content security policy allows a script or a style."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def levels(value: object) -> Iterator[list[Any]]:
    """Yield all that is in nested tables and lists, keys too, level by level: the value first."""
    level = [value]
    while level:
        yield level
        below = list[Any]()
        for entry in level:
            if isinstance(entry, (dict, list)):
                below += entry  # of a table its keys
            if isinstance(entry, dict):
                below += entry.values()
        level = below


def _check_depth(value: object) -> None:
    """Raise `ValueError` for nesting deep enough to exhaust the stack of a recursive reader."""
    for depth, _ in enumerate(levels(value)):
        if depth >= DEEPEST:
            raise ValueError(f"nested more than {DEEPEST} deep")


def _check_schema(path: Path, schema: object) -> None:
    """Raise `DamagedFile` for what is no schema, and `StoreError` for that of another version."""
    if isinstance(schema, bool) or not isinstance(schema, int) or schema < 1:
        raise DamagedFile(path, f"schema {schema!r} is not a whole number above 0")
    if schema != SCHEMA:
        raise StoreError(f"{path}: schema {schema}; this rivalry reads {SCHEMA}, another version reads it")


class Lock:
    """A lock of the operating system on a folder's file ``lock``; released when its process ends."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self._file: IO[str] | None = None

    @property
    def is_held(self) -> bool:
        """True if this object holds the lock."""
        return self._file is not None

    def acquire(self) -> None:
        """Acquire the lock; raise `StoreError` that names the process holding it."""
        with room_for(self.path):
            # append mode, since the text of a process that holds the lock must survive the attempt
            file = open_own(self.path)
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
        """Release the lock; no effect where it is not held."""
        if self._file is not None:
            file, self._file = self._file, None
            with suppress(OSError):
                file.truncate(0)
            file.close()


def _lock(file: IO[str]) -> None:
    """Lock a file without waiting; raise `OSError` where another process holds the lock."""
    if os.name == "nt":
        import msvcrt

        file.seek(1 << 20)  # beyond the text, so that other processes can read it
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

"""Zip archives with a list of their files: written in one form, and read from strangers with limits.

The list, in the format of ``sha256sum``, is read first; only files that it names are read, in pieces, and
compared with their digests. The archive's comment, its last 64 bytes, is the digest of all bytes before it.
"""

from __future__ import annotations

import io
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from unicodedata import normalize

from rivalry.core import files
from rivalry.core.files import DamagedFile, StoreError

LARGEST = 2**28  # bytes of all files of an archive, unless a person allows `LARGE`
LARGE = 2**33
RATIO = 100  # bytes of a file per byte of it in an archive; one that shrinks more is stored as it is
_INDEX, _LIST = 2**23, 2**24  # bytes of a zip's own index, and of the list of files
_PIECE = 2**20
_DEEPEST, _LONGEST = 16, 200  # folders in each other, and bytes of the name of one
_EPOCH = (1980, 1, 1, 0, 0, 0)
_END, _END_64 = struct.Struct("<4s4xHHLLH"), b"PK\6\7"  # of an archive; of one above 4 GB, which is refused
_DIGEST = 64
_LINE = re.compile(rf"([0-9a-f]{{{_DIGEST}}})  ([^\n]+)")
_BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError, OSError)
_RESERVED = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"
}


def name_fault(name: str) -> str:
    """Reason why a path is not that of a file in a folder on every system; empty if it is.

    >>> [name_fault(name) for name in ("cells/a.npz", "../a", "/a", "a:b", "con.txt", "a/b.")]
    ['', "'..'", 'no name', "character ':'", 'a device of Windows', "'b.' ends in '.'"]
    """
    parts = name.split("/")
    if len(parts) > _DEEPEST:
        return f"{len(parts)} folders deep"
    for part in parts:
        strange = [sign for sign in part if not sign.isprintable() or sign in '<>:"|?*\\']
        if not part or part in (".", ".."):
            return f"{part!r}" if part else "no name"
        if strange:
            return f"character {strange[0]!r}"
        if part[-1] in ". ":
            return f"{part!r} ends in {part[-1]!r}"
        if part.partition(".")[0].rstrip().upper() in _RESERVED:
            return "a device of Windows"
        if len(part.encode()) > _LONGEST:
            return f"more than {_LONGEST} bytes"
    return ""


def names_fault(names: Iterable[str]) -> str:
    """First path that `name_fault` refuses, or that some systems take for another one; empty if none.

    >>> names_fault(["study.json", "Study.json"])
    "'Study.json' is 'study.json' on some systems"
    >>> names_fault(["a/b", "a"])
    "'a' is a file and a folder"
    """
    names_seen, folders = dict[str, str](), set[str]()
    for name in names:
        if fault := name_fault(name):
            return f"{name[:60]!r} is refused as a name: {fault}"
        key = normalize("NFC", normalize("NFC", name).casefold())
        if key in names_seen:
            is_equal = names_seen[key] == name
            return (
                f"{name!r} is there twice" if is_equal else f"{name!r} is {names_seen[key]!r} on some systems"
            )
        names_seen[key] = name
        while "/" in key:
            key = key.rpartition("/")[0]
            folders.add(key)
    clashes = sorted(folders & names_seen.keys())
    return f"{names_seen[clashes[0]]!r} is a file and a folder" if clashes else ""


def archive(folder: Path, digests: Mapping[str, str], manifest: str) -> bytes:
    """Archive of the files of a folder whose digests are given by name, with their list first.

    Raises
    ------
    StoreError
        For names that another system cannot hold, and for more than 2 GiB or 65,535 files.
    """
    if fault := names_fault(digests):
        raise StoreError(f"{folder}: {fault}; rename it")
    body = io.BytesIO()
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    try:
        with zipfile.ZipFile(body, "w", allowZip64=False) as packed:
            for name in (manifest, *sorted(digests)):
                data = lines.encode() if name == manifest else files.read_bytes(folder / name)
                member = zipfile.ZipInfo(name, _EPOCH)
                shrinks = len(zlib.compress(data)) * RATIO > len(data)
                member.compress_type = zipfile.ZIP_DEFLATED if shrinks else zipfile.ZIP_STORED
                member.external_attr = 0o644 << 16
                packed.writestr(member, data)
            packed.comment = bytes(_DIGEST)  # its place: the length is among the bytes of the digest
    except zipfile.LargeZipFile as error:
        raise StoreError(f"{folder}: too large for one file ({error})") from None
    data = body.getvalue()[:-_DIGEST]
    return data + sha256(data).hexdigest().encode()


def extract(path: Path, folder: Path, manifest: str, max_bytes: int = LARGEST) -> dict[str, str]:
    """Write the files that an archive lists into a new folder; return their digests by name.

    Nothing is larger in memory than a piece of a file. What is not as `archive` writes it is refused.

    Raises
    ------
    DamagedFile
        For another file, a name that is refused, and files that differ from the list or exceed a limit.
    """
    with files.open_plain(path, LARGE) as file:
        size = os.fstat(file.fileno()).st_size
        _check_end(path, file, size)
        try:
            with zipfile.ZipFile(file) as packed:
                return _unpack_members(path, packed, size, folder, manifest, max_bytes)
        except DamagedFile:
            raise
        except _BROKEN as error:
            raise DamagedFile(path, f"no zip file, {error}") from None


def _check_end(path: Path, file: io.FileIO, size: int) -> None:
    """Raise `DamagedFile` unless a file ends as an archive does, with the length of a short index."""
    begin = size - _END.size - _DIGEST
    file.seek(max(begin - len(_END_64) - 16, 0))
    tail = file.read()
    trailer = tail[-_END.size - _DIGEST :]
    if begin < 0 or tail.rfind(b"PK\5\6") != len(tail) - len(trailer):
        raise DamagedFile(path, "no zip file that ends in a digest")
    _, _, count, length, _, comment = _END.unpack(trailer[: _END.size])
    if comment != _DIGEST or tail.startswith(_END_64):
        raise DamagedFile(path, "no zip file that ends in a digest")
    if length > _INDEX:
        raise DamagedFile(path, f"{count} files with an index of {length} bytes; must be at most {_INDEX}")


def _unpack_members(
    path: Path, packed: zipfile.ZipFile, size: int, folder: Path, manifest: str, max_bytes: int
) -> dict[str, str]:
    members = packed.infolist()
    if fault := names_fault(member.orig_filename for member in members):
        raise DamagedFile(path, fault)
    for member in members:
        large = member.compress_size + 1 < member.file_size / RATIO
        if large or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            sizes_text = (
                f"{member.file_size} bytes in {member.compress_size}, by method {member.compress_type}"
            )
            raise DamagedFile(
                path, f"{member.filename}: {sizes_text}; must be at most {RATIO} times as many, deflated"
            )
    total, inside = (
        sum(member.file_size for member in members),
        sum(member.compress_size for member in members),
    )
    if total > max_bytes or inside > size:
        advice = "; --large allows more" if max_bytes < LARGE and inside <= size else ""
        raise DamagedFile(path, f"its files have {total} bytes, must be at most {max_bytes}{advice}")
    members_by_name = {member.filename: member for member in members}
    digests = _manifest(path, packed, members_by_name.pop(manifest, None))
    if strange := sorted(members_by_name.keys() ^ digests.keys()):
        fault_text = "is not in its list of files" if strange[0] in members_by_name else "is missing"
        raise DamagedFile(path, f"{strange[0]} {fault_text}{_remainder(strange)}")
    mismatches = [
        name for name in digests if _copy(packed, members_by_name[name], folder / name) != digests[name]
    ]
    if mismatches:
        raise DamagedFile(path, f"{mismatches[0]} is not what was packed{_remainder(mismatches)}")
    digest = sha256()
    with files.open_plain(path, LARGE) as file:
        remaining = size - _DIGEST
        while remaining > 0 and (piece := file.read(min(remaining, _PIECE))):
            digest.update(piece)
            remaining -= len(piece)
        if file.read() != digest.hexdigest().encode():
            raise DamagedFile(path, "a byte beside its files is not the one that was written")
    return digests


def _manifest(path: Path, packed: zipfile.ZipFile, manifest: zipfile.ZipInfo | None) -> dict[str, str]:
    """Return the digests in an archive's list of files."""
    if manifest is None or manifest.file_size > _LIST:
        size = "no" if manifest is None else f"{manifest.file_size} bytes in its"
        raise DamagedFile(path, f"{size} list of files; must have one of at most {_LIST} bytes")
    try:
        text = packed.read(manifest).decode()
        lines = [_LINE.fullmatch(line) for line in text.removesuffix("\n").split("\n")]
    except _BROKEN:
        lines = [None]
    if None in lines:
        raise DamagedFile(path, f"{manifest.filename} is not what was packed")
    rows = [(line[2], line[1]) for line in lines if line]
    if fault := names_fault(name for name, _ in rows):
        raise DamagedFile(path, f"{manifest.filename}: {fault}")
    return dict(rows)


def _copy(packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> str:
    """Write a file of an archive, and return its digest; empty where it cannot be read."""
    digest = sha256()

    def pieces() -> Iterator[bytes]:
        with packed.open(member) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                yield piece

    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        files.write(target, pieces())
    except _BROKEN as error:
        if isinstance(error, StoreError) or (isinstance(error, OSError) and error.errno is not None):
            raise  # of the disk
        return ""
    return digest.hexdigest()


def _remainder(names: list[str]) -> str:
    return f", and {len(names) - 1} more" if len(names) > 1 else ""

"""Tables of numbers in files of other programs, of NumPy or CSV; nothing is unpickled."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

from rivalry.core.files import Crafted, foreign_bytes, read_bytes, read_npy

ENDINGS = (".npy", ".npz", ".csv")
LARGEST = 2**28  # bytes of a file, and of an array of an archive


def is_table(name: str) -> bool:
    """Return whether a name, ``FILE`` or ``FILE.npz:NAME``, is that of a file of tables.

    >>> [is_table(name) for name in ("q.npy", "agents.npz:q", "mine.py:policy")]
    [True, True, False]
    """
    return name.rpartition(".npz:")[0] != "" or name.endswith(ENDINGS)


def read_table(name: str) -> np.ndarray:
    """Return the numbers of a file: an array, one array of an archive, or the rows of a CSV file.

    A CSV file has a row per line, numbers between commas, and perhaps a first line of names; lines that begin
    with ``#`` are not read. One column of whole numbers is a list of them.

    Parameters
    ----------
    name : str
        ``FILE.npy``, ``FILE.csv``, ``FILE.npz``, which must then hold one array, or ``FILE.npz:NAME``.

    Raises
    ------
    DamagedFile
        For a file that is missing, too large or of another form.
    """
    file, colon, member = name.rpartition(".npz:")
    path = Path(f"{file}.npz" if colon else name)
    data = read_bytes(path, LARGEST)
    with foreign_bytes(path):
        if path.suffix == ".csv":
            found = _rows(data.decode("utf-8-sig"))
        else:
            found = read_npy(_member(data, member if colon else "") if path.suffix == ".npz" else data)
        if found.dtype.kind not in "iuf":
            raise Crafted(f"an array of {found.dtype}; must be of numbers")
    return found


def _member(data: bytes, name: str) -> bytes:
    """Return the bytes of an array of an archive; without a ``name`` it must be the only one."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [one.removesuffix(".npy") for one in archive.namelist()]
        known = ", ".join(names)[:100]
        if not name and len(names) != 1:
            raise Crafted(f"{len(names)} arrays; name one, FILE.npz:NAME: {known}")
        if name and name not in names:
            raise Crafted(f"no array {name!r}; known: {known}")
        info = archive.infolist()[names.index(name) if name else 0]
        if info.file_size > LARGEST:
            raise Crafted(f"an array of {info.file_size} bytes; must be at most {LARGEST}")
        with archive.open(info) as stream:
            return stream.read(LARGEST)


def _rows(text: str) -> np.ndarray:
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        entries = line.split(",")
        try:
            row = [float(entry) for entry in entries]
        except ValueError:
            if not rows and number == 1:  # names of columns
                continue
            raise Crafted(f"line {number}: must be numbers between commas") from None
        if rows and len(row) != len(rows[0]):
            raise Crafted(
                f"line {number}: {len(row)} numbers; must be {len(rows[0])}, as in the lines before"
            )
        rows.append(row)
    if not rows:
        raise Crafted("no numbers")
    found = np.array(rows)
    if found.shape[1] == 1 and np.all(found == np.rint(found)):
        return found[:, 0].astype(np.int64)
    return found

"""Tables of other programs, in files of NumPy, CSV or Parquet; nothing is unpickled."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import numpy as np

from rivalry.core.files import Crafted, foreign_bytes, read_bytes, read_npy
from rivalry.schema.installation import remedy

ENDINGS = (".npy", ".npz", ".csv")
LARGEST = 2**28  # bytes of a file, and of an array of an archive


def is_table(name: str) -> bool:
    """True if a name, ``FILE`` or ``FILE.npz:NAME``, is that of a file of tables.

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
        For a file that is too large or of another form.
    ValueError
        For a file that does not exist.
    """
    file, colon, member = name.rpartition(".npz:")
    path = Path(f"{file}.npz" if colon else name)
    data = _bytes_of(path)
    with foreign_bytes(path):
        if path.suffix == ".csv":
            table = _rows(data.decode("utf-8-sig"))
        else:
            table = read_npy(_member(data, member if colon else "") if path.suffix == ".npz" else data)
        if table.dtype.kind not in "iuf":
            raise Crafted(f"an array of {table.dtype}; must be of numbers")
    return table


def read_columns(name: str) -> dict[str, np.ndarray]:
    """Return the columns of a CSV or Parquet file by their names.

    The first line of a CSV file names its columns. Where it has semicolons and no comma, those separate
    entries and a comma is a decimal point. A column is of numbers, with NaN for empty entries, where all
    entries are numbers; otherwise of text. Dates of a Parquet file are text, as ISO 8601 writes them.

    Parameters
    ----------
    name : str
        ``FILE.csv`` or ``FILE.parquet``; a Parquet file is read by PyArrow.

    Raises
    ------
    DamagedFile
        For a file that is too large or of another form, and where PyArrow is missing.
    ValueError
        For a file that does not exist.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "prices.csv"
    ...     _ = path.write_text("firm;price" + chr(10) + "A;1,5" + chr(10) + "B;" + chr(10))
    ...     columns = read_columns(str(path))
    >>> columns["firm"].tolist(), columns["price"].tolist()
    (['A', 'B'], [1.5, nan])
    """
    path = Path(name)
    data = _bytes_of(path)
    with foreign_bytes(path):
        if path.suffix == ".parquet":
            return _parquet_columns(data)
        if path.suffix == ".csv":
            return _csv_columns(data.decode("utf-8-sig"))
        raise Crafted("must be named FILE.csv or FILE.parquet")


def _bytes_of(path: Path) -> bytes:
    """Contents of a file; `ValueError` where there is none, which is no damage."""
    if not path.exists():
        raise ValueError(f"{path}: no such file")
    return read_bytes(path, LARGEST)


def _csv_columns(text: str) -> dict[str, np.ndarray]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) < 2:
        raise Crafted("no rows; must have a line of names, and a line per row")
    european = ";" in lines[0] and "," not in lines[0]
    names, *rows = csv.reader(lines, delimiter=";" if european else ",")
    names = [word.strip() for word in names]
    if len(set(names)) < len(names):
        raise Crafted("two columns of the same name")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise Crafted(f"row {number}: {len(row)} entries; must be {len(names)}, as the line of names")
    columns = (np.char.strip(np.array(column)) for column in zip(*rows, strict=True))
    return {
        word: _numbers_or_text(np.char.replace(column, ",", ".") if european else column, column)
        for word, column in zip(names, columns, strict=True)
    }


def _numbers_or_text(entries: np.ndarray, text: np.ndarray) -> np.ndarray:
    try:
        return np.where(entries == "", "nan", entries).astype(float)
    except ValueError:
        return text


def _parquet_columns(data: bytes) -> dict[str, np.ndarray]:
    try:
        from pyarrow import BufferReader, parquet
    except ImportError:
        raise Crafted(f"needs PyArrow, {remedy('parquet')}") from None
    table = parquet.read_table(BufferReader(data))
    columns = {word: table.column(word).to_numpy() for word in table.column_names}
    for word, column in columns.items():
        if column.dtype.kind in "iufb":
            columns[word] = column.astype(float)
        elif column.dtype.kind == "M":
            columns[word] = np.datetime_as_string(column)
        else:
            columns[word] = _numbers_or_text(*[np.array(["" if x is None else str(x) for x in column])] * 2)
    return columns


def _member(data: bytes, name: str) -> bytes:
    """Return the bytes of an array of an archive; without a ``name`` it must be the only one."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [member.removesuffix(".npy") for member in archive.namelist()]
        names_text = ", ".join(names)[:100]
        if not name and len(names) != 1:
            raise Crafted(f"{len(names)} arrays; name one, FILE.npz:NAME: {names_text}")
        if name and name not in names:
            raise Crafted(f"no array {name!r}; known: {names_text}")
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
    table = np.array(rows)
    if table.shape[1] == 1 and np.all(table == np.rint(table)):
        return table[:, 0].astype(np.int64)
    return table

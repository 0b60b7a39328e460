"""Tables of other programs, in files of NumPy, PyTorch, CSV, Parquet or Excel; no code in them is run."""

from __future__ import annotations

import csv
import io
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core.files import Crafted, existing_file, read_bytes, read_npy
from rivalry.core.naming import in_order, is_number, name_list, numbers_of_row, rows_of_frame
from rivalry.schema.installation import remedy
from rivalry.schema.validate import text_of

ARCHIVES = (".npz", ".pt", ".pth")  # of several arrays, each by its name
TABLES = (".parquet", ".xlsx")
ENDINGS = (".npy", ".csv", *ARCHIVES, *TABLES)
# crafted files could run code in older versions, CVE-2025-32434 and CVE-2026-24747
SAFE_TORCH = 2, 10
TABLE_EXPECTED = "a table of actions, probabilities or values at every state is expected"
FORMS = "FILE.npy, FILE.npz:NAME, FILE.pt:NAME, FILE.csv, FILE.parquet or FILE.xlsx"
LARGEST = 2**28  # bytes of a file, and of an array of an archive
_FORMS = {
    ".npy": "an array of numbers, as numpy.save writes",
    ".npz": "an archive of arrays, as numpy.savez writes",
    ".parquet": "a Parquet file",
    ".xlsx": "a workbook of Excel",
}


def is_table(name: str) -> bool:
    """True if a name, ``FILE`` or ``FILE.npz:NAME``, is that of a file of tables.

    >>> [is_table(name) for name in ("q.npy", "agents.npz:q", "agents.pt:q", "mine.py:policy")]
    [True, True, True, False]
    """
    return file_and_member(name)[0].name.endswith(ENDINGS)


def file_and_member(name: str) -> tuple[Path, str]:
    """Return the file of a name ``FILE`` or ``FILE.npz:NAME``, and the name of the array in it or "".

    >>> file_and_member("agents.pt:q")[1], file_and_member("q.npy")[1]
    ('q', '')
    """
    for ending in ARCHIVES:
        file, colon, member = name.rpartition(f"{ending}:")
        if colon and file:
            return Path(f"{file}{ending}"), member
    return Path(name), ""


def read_table(name: str) -> ndarray:
    """Return the numbers of a file whose columns have no known names; see `read_named_table`."""
    return read_named_table(name)[0]


def read_named_table(
    name: str, columns: Sequence[str] = (), states: Sequence[str] = ()
) -> tuple[ndarray, bool]:
    """Return the numbers of a file, in the order of known names, and whether it has names of columns.

    A file is an array, one array of an archive, or rows. A CSV file has a row per line, numbers between
    commas; lines that begin with ``#`` are not read. A first line of names has those of the columns, and
    ``state`` before them where each row begins with the name, or the number from 0, of its state. One column
    of whole numbers is a list of them, under any name.

    Parameters
    ----------
    name : str
        ``FILE.npy``, ``FILE.csv``, ``FILE.xlsx``, ``FILE.npz``, which must then hold one array, or
        ``FILE.npz:NAME``. ``FILE.pt`` and ``FILE.pth`` with a tensor, or a dictionary of tensors, likewise,
        where PyTorch is installed: it refuses pickles that hold anything but tensors and plain values.
        ``FILE.parquet`` is read by PyArrow.
    columns, states : sequence of str
        Known names, in order. Without names of columns a file may have them for one column only.

    Raises
    ------
    ValueError
        For a file that does not exist, is too large or of another form, and for unknown, missing and doubled
        names.
    """
    path, member = file_and_member(name)
    data = read_bytes(existing_file(path), LARGEST)
    if path.suffix in (".csv", *TABLES):
        rows = _csv_rows(text_of(data, path)) if path.suffix == ".csv" else rows_of_frame(read_frame(path))
        try:
            return table_of_rows(rows, columns, states)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    with reading(path):
        if path.suffix in (".pt", ".pth"):
            table = _tensor(data, member)
        else:
            table = read_npy(_member(data, member) if path.suffix == ".npz" else data)
        if table.dtype.kind not in "iuf":
            raise Crafted(f"an array of {table.dtype}; must be of numbers")
    return table, False


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise what a library raises for a foreign file as a `ValueError` that says what the file must be."""
    try:
        yield
    except Crafted as error:
        raise ValueError(f"{path}: {error}") from None
    except Exception:  # foreign bytes may cause anything
        form = _FORMS.get(path.suffix, TABLE_EXPECTED)
        raise ValueError(f"{path}: cannot be read; must be {form}") from None


def read_frame(path: Path) -> Any:
    """Return a Parquet file, or the first sheet of an Excel file, as a table of pandas.

    Rows of a sheet are numbered, the one of names too.
    """
    data = read_bytes(existing_file(path), LARGEST)
    with reading(path):
        if path.suffix == ".parquet":
            return _parquet(data).to_pandas()
        import pandas

        return pandas.read_excel(io.BytesIO(data), header=None, dtype=object, engine="openpyxl")


def members_of(path: Path) -> list[str]:
    """Return the names of the arrays in a file of NumPy or PyTorch; "" for a single tensor."""
    data = read_bytes(existing_file(path), LARGEST)
    with reading(path):
        if path.suffix != ".npz":
            return list(_tensors(data))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [member.removesuffix(".npy") for member in archive.namelist()]


def _parquet(data: bytes) -> Any:
    try:
        from pyarrow import BufferReader, parquet
    except ImportError:
        raise Crafted(f"needs PyArrow, {remedy('parquet')}") from None
    return parquet.read_table(BufferReader(data))


def _array_name(names: list[str], name: str, form: str) -> str:
    """Return the name of an array of a file; without a ``name`` it must be the only one."""
    names_text = ", ".join(names)[:100]
    if not name and len(names) != 1:
        raise Crafted(f"{len(names)} arrays; name one, FILE{form}:NAME: {names_text}")
    if name and name not in names:
        raise Crafted(f"no array {name!r}; known: {names_text}")
    return name or names[0]


def _tensors(data: bytes) -> dict[str, Any]:
    """Return the tensors that PyTorch stored; its restricted unpickler calls only constructors of tensors."""
    try:
        import torch
    except ImportError:
        raise Crafted(f"needs PyTorch, {remedy('deep')}") from None
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < SAFE_TORCH:
        raise Crafted(f"needs PyTorch {SAFE_TORCH[0]}.{SAFE_TORCH[1]} or newer, {remedy('deep')}")
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise Crafted("is no archive, as torch.save writes; a pickle alone is not read")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = sum(info.file_size for info in archive.infolist())
    if size > LARGEST:
        raise Crafted(f"arrays of {size} bytes; must be at most {LARGEST}")
    with warnings.catch_warnings(action="ignore"):
        try:
            content: Any = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except (
            Exception
        ):  # whatever foreign bytes cause; PyTorch's text recommends to unpickle them after all
            raise Crafted(f"holds more than tensors, of which nothing was run; {TABLE_EXPECTED}") from None
    tensors = content if isinstance(content, dict) else {"": content}
    if not all(isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in tensors.items()):
        raise Crafted(f"must hold a tensor, or a dictionary of tensors by name; {TABLE_EXPECTED}")
    return tensors


def _tensor(data: bytes, name: str) -> ndarray:
    tensors = _tensors(data)
    import torch

    if not name and len(tensors) > 1 and any(key.endswith(("weight", "bias")) for key in tensors):
        raise Crafted(f"holds the weights of a network; {TABLE_EXPECTED}")
    tensor = tensors[_array_name(list(tensors), name, ".pt")].detach()
    if tensor.layout != torch.strided or tensor.device.type != "cpu":
        raise Crafted("a sparse tensor or one without numbers; must be dense")
    if tensor.numel() * tensor.itemsize > LARGEST:  # entries may share their bytes
        raise Crafted(f"a tensor of {tensor.numel()} entries; must have at most {LARGEST} bytes")
    # bfloat16 has no counterpart in NumPy
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _member(data: bytes, name: str) -> bytes:
    """Return the bytes of an array of an archive; without a ``name`` it must be the only one."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [member.removesuffix(".npy") for member in archive.namelist()]
        info = archive.infolist()[names.index(_array_name(names, name, ".npz"))]
        if info.file_size > LARGEST:
            raise Crafted(f"an array of {info.file_size} bytes; must be at most {LARGEST}")
        with archive.open(info) as stream:
            return stream.read(LARGEST)


def _csv_rows(text: str) -> list[list[str]]:
    entries = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return list(csv.reader(entries, skipinitialspace=True))


def _numbers_of(rows: Sequence[Sequence[Any]]) -> ndarray:
    """Return cells as numbers. Raises `ValueError` for what is none, or not finite."""
    try:
        table = np.array(rows, float)
    except (TypeError, ValueError):  # fractions, dates, words
        table = np.array([_numbers_of_row(row, number) for number, row in enumerate(rows, 1)])
    wrong = np.argwhere(~np.isfinite(table))
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(f"row {row + 1}: {rows[row][column]!r} must be a finite number")
    return table


def _numbers_of_row(row: Sequence[Any], number: int) -> list[float]:
    return [float(entry.value) for entry in numbers_of_row(row, number)]


def table_of_rows(
    rows: Sequence[Sequence[Any]], columns: Sequence[str], states: Sequence[str] = ()
) -> tuple[ndarray, bool]:
    """Return the numbers of rows as `read_named_table` does, and whether they have names of columns.

    Raises `ValueError`.
    """
    has_names = bool(rows) and not all(map(is_number, rows[0]))
    head = [str(cell).strip() for cell in rows[0]] if rows else []
    rows = rows[has_names:]
    if not rows:
        raise ValueError("no numbers")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(head):
            raise ValueError(f"row {number}: {len(row)} entries; must be {len(head)}, as in the first row")
    if has_names and head[0] in ("state", ""):
        labels, head = [str(row[0]).strip() for row in rows], head[1:]
        names = tuple(map(str, range(len(rows))))
        if states and not all(label.isdigit() for label in labels):
            names = tuple(states)
        rows = [rows[at][1:] for at in in_order(labels, names, "state")]
    if has_names and len(head) > 1:
        if not columns:
            raise ValueError(f"names of columns ({name_list(head)}) are not known here; leave them out")
        order = in_order(head, columns, "column")
        rows = [[row[at] for at in order] for row in rows]
    table = _numbers_of(rows)
    if table.shape[1] == 1 and np.all(table == np.rint(table)):
        return table[:, 0].astype(np.int64), True
    return table, has_names

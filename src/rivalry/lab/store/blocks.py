"""Blocks: files of up to a thousand finished cells, any of which can be written again to the byte.

A block is a file of `rivalry.core.files` whose arrays are *columns*: the values of one variable in all cells
where its dimensions, shape and type agree. ``NAME.K`` are the values, ``NAME.K at`` the cells' numbers unless
it is all of them. Text is stored as numbers of the entries of ``NAME.K words``. ``meta`` holds the cells'
names and the digests of the files that they were in. So a cell of a damaged block is sound where its file,
written again, has this digest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rivalry.core import files
from rivalry.core.files import Crafted, DamagedFile, Stored
from rivalry.core.results import SCHEMA, Column, Columns, Record, columns_of, transpose_cells

BLOCK = 1000  # cells per block; a run of no more cells is not packed
LARGEST = 2**16  # bytes of a cell's file that is packed; beyond, a file per cell costs little
_MOST, _CELLS = 2**30, 4000  # bytes and cells of a block that is read
_ROW = "packed cell"  # the dimension of a block's cells
_NAME, _DIGEST = 16, 64  # letters of a cell's name and of a digest
_LETTERS = re.compile(rf"([0-9a-f]{{{_NAME}}}|[0-9a-f]{{{_DIGEST}}})")


class Block(NamedTuple):
    """The sound cells of a block, by number in the columns, and what else is wrong with it."""

    path: Path
    ids: Sequence[str]
    digests: Sequence[str]
    columns: Columns
    damaged: DamagedFile | None = None
    of: Sequence[str] = ()  # of a block of certificates: the digests of the cells that they are of

    def record(self, k: int) -> Record:
        """Return the record of a cell by its number."""
        record: Record = {}
        for name, forms in self.columns.items():
            for dims, at, values in forms:
                row = int(np.searchsorted(at, k))
                if row < len(at) and at[row] == k:
                    record[name] = (dims, values[row, ...])
        return record

    def cell(self, id: str) -> Stored:
        """Return the former content of the cell's own file."""
        k = self.ids.index(id)
        meta = {"kind": "certificate", "of": self.of[k]} if self.of else {"kind": "cell"}
        return Stored({"schema": SCHEMA, **meta, "name": id}, self.record(k), self.digests[k])

    def altered(self) -> list[str]:
        """Return the cells whose files, written again, would differ from those that were packed."""
        return [id for id in self.ids if own_file(cell := self.cell(id))[-_DIGEST:].decode() != cell.digest]


def own_file(cell: Stored) -> bytes:
    """Return the bytes of a cell's own file."""
    return files.pack(cell.record, **{key: value for key, value in cell.meta.items() if key != "schema"})


def block_name(number: int, ids: Sequence[str]) -> str:
    """Return the name of the block of the cells ``ids``: its number, and a digest of theirs.

    A changed study has other cells in a block of this number: their files do not replace each other.
    """
    return f"{number:05}-{sha256(' '.join(ids).encode()).hexdigest()[:8]}"


def pack_block(cells: Mapping[str, Stored]) -> tuple[bytes, Collection[str]]:
    """Return cells as the bytes of a block, and which it has: all but those it cannot return to the byte."""
    fit = dict(cells)
    for id, cell in cells.items():
        if any(_ROW in dims for dims, _ in cell.record.values()):
            del fit[id]
    while True:
        data = _pack(fit)
        wrong = read_block(data).altered()
        if not wrong:
            return data, fit.keys()
        fit = {id: cell for id, cell in fit.items() if id not in wrong}


def _pack(cells: Mapping[str, Stored]) -> bytes:
    record, in_fortran_order = Record(), list[str]()
    for name, forms in columns_of(cell.record for cell in cells.values()).items():
        for k, (dims, at, values) in enumerate(forms):
            key = f"{name}.{k}"
            if values[0].flags.fnc:
                in_fortran_order.append(key)
                dims, values = dims[::-1], transpose_cells(values)
            if values.dtype.kind == "U":
                words, codes = np.unique(values, return_inverse=True)
                values = codes.reshape(values.shape).astype(np.min_scalar_type(len(words)))
                record[f"{key} words"] = (("word",), words)
            record[key] = ((_ROW, *dims), values)
            if len(at) < len(cells):
                record[f"{key} at"] = ((_ROW,), at.astype(np.int32))
    meta: dict[str, Any] = {"cells": "".join(cells)}
    meta["digests"] = "".join(cell.digest for cell in cells.values())
    meta["order"] = in_fortran_order
    if of := "".join(cell.meta.get("of", "") for cell in cells.values()):
        meta["of"] = of
    return files.pack(record, kind="block", **meta)


def read_block(data: bytes, path: Path = Path("bytes")) -> Block:
    """Return the sound cells of a block from its bytes.

    Raises
    ------
    DamagedFile
        Where no cell can be read.
    """
    reason = ""
    try:
        stored = files.unpack(data, path)
    except DamagedFile as error:
        reason = error.why
        try:
            stored = files.unpack(data, path, check=False)
        except DamagedFile:
            raise error from None
    with files.foreign_bytes(path):
        if stored.meta.get("kind") != "block":
            raise Crafted(f"kind is {stored.meta.get('kind')!r}, not 'block'")
        ids = _split(stored.meta["cells"], _NAME)
        digests, of = (_split(stored.meta.get(key, ""), _DIGEST) for key in ("digests", "of"))
        if not reason and not all(map(_LETTERS.fullmatch, (*ids, *digests, *of))):
            raise Crafted("the names of its cells are not hexadecimal digits")
        if len(ids) > _CELLS:
            raise Crafted(f"{len(ids)} cells; must be at most {_CELLS}")
        if len(ids) != len(digests) or len(of) not in (0, len(ids)) or len(set(ids)) < len(ids):
            raise Crafted("its cells and their digests do not agree")
        columns: Columns = {}
        for name, column in _columns(stored, len(ids), check=not reason):
            columns.setdefault(name, []).append(column)
        block = Block(path, ids, digests, dict(sorted(columns.items())), None, of)
        return _sound_part(block, reason) if reason else block


def _split(text: str, length: int) -> list[str]:
    return [text[k : k + length] for k in range(0, len(text), length)]


def _columns(stored: Stored, cells: int, *, check: bool) -> Iterator[tuple[str, Column]]:
    """Yield the columns of a block of so many cells after checking that their arrays agree."""
    size, filled_cells = 0, dict[str, np.ndarray]()
    for key, ((_, *dims), values) in stored.record.items():
        if " " in (kind := key.rpartition(".")[2]):
            continue
        name = key.removesuffix(f".{kind}")
        at = stored.record.get(f"{key} at", ((), np.arange(cells)))[1]
        words = stored.record.get(f"{key} words", ((), np.zeros(0)))[1]
        before = filled_cells.setdefault(name, np.zeros(cells, bool))
        width = words.itemsize if words.dtype.kind == "U" else values.itemsize
        size += len(at) * values[:1].size * width
        # text of a few codes may be of any length
        if size > cells * LARGEST:
            raise Crafted(f"its cells have more than {LARGEST} bytes each")
        if not len(at) or at.ndim != 1 or at.dtype.kind != "i" or len(values) != len(at):
            raise Crafted(f"{key[:60]} has other rows than cells")
        if check and (at[0] < 0 or at[-1] >= cells or np.any(np.diff(at) <= 0) or before[at].any()):
            raise Crafted(f"{key[:60]} names a cell twice, or one that is not there")
        if words.dtype.kind == "U":
            if values.dtype.kind != "u" or (check and values.size and values.max() >= len(words)):
                raise Crafted(f"{key[:60]} has other words than are there")
            values = words[np.minimum(values, len(words) - 1)]
        if key in stored.meta["order"]:
            dims, values = dims[::-1], transpose_cells(values)
        if check:
            before[at] = True
        yield name, Column(tuple(dims), at, values)


def _sound_part(block: Block, reason: str) -> Block:
    """Return the cells of a damaged block that are as they were packed."""
    altered = set(block.altered())
    rows = [k for k, id in enumerate(block.ids) if id not in altered]
    lost = set(filter(_LETTERS.fullmatch, altered))  # a name may be what is damaged
    examples = ", ".join(sorted(lost)[:3]) + f" and {len(lost) - 3} more" * (len(lost) > 3)
    state = f"of its {len(block.ids)} cells {examples} damaged" if altered else "all of its cells are sound"
    return Block(
        block.path,
        [block.ids[k] for k in rows],
        [block.digests[k] for k in rows],
        columns_of(block.record(k) for k in rows),
        DamagedFile(block.path, f"{reason}; {state}", lost),
        [block.of[k] for k in rows] if block.of else (),
    )


def leads_out(path: Path, folder: Path) -> bool:
    """True for a path that is a link to outside a folder."""
    return os.path.islink(path) and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def open_block(path: Path, folder: Path) -> Block:
    """Return the sound cells of a block's file; none where it cannot be read, or is not in the folder."""
    try:
        if leads_out(path, folder):
            raise DamagedFile(path, "leads out of the run's folder")
        return read_block(files.read_bytes(path, _MOST), path)
    except DamagedFile as error:
        lost = packed_cells(path, files.stamp_of(path.lstat())) if os.path.lexists(path) else ()
        reason = error.why if error.why == "missing" else f"{error.why}; all of its cells are lost"
        return Block(path, (), (), {}, DamagedFile(path, reason, lost))


@lru_cache(maxsize=4096)
def packed_cells(path: Path, stamp: files.Stamp) -> frozenset[str]:
    """Return the cells that a block's file names; ``stamp`` is the file's. What it holds is not checked."""
    try:
        return frozenset(filter(_LETTERS.fullmatch, _split(files.read_meta(path)["cells"], _NAME)))
    except (DamagedFile, KeyError, TypeError):
        with suppress(DamagedFile):
            return frozenset(read_block(files.read_bytes(path, _MOST), path).ids)
        return frozenset()


def blocks_in(folder: Path) -> dict[str, files.Stamp]:
    """Return the stamp of every block of a run by its name."""
    home = folder / "blocks"
    return {} if home.is_symlink() else dict(sorted(files.stamps_in(home).items()))


def write_block(path: Path, data: bytes) -> None:
    """Write a block's file, durable before the cells' own files are removed. Raises `files.DiskFull`."""
    files.folder_for(path.parent)
    files.write(path, data, durable=True)

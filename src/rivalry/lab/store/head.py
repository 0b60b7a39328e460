"""Head of a run, ``study.json``: created with its folder, and checked as a whole before use."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rivalry.core import files
from rivalry.core.archives import name_fault
from rivalry.core.files import DamagedFile, StoreError
from rivalry.core.results import SCHEMA, place_key, provenance
from rivalry.lab.store.bookkeeping import SUMS
from rivalry.lab.study.document import check_stored
from rivalry.lab.study.errors import StudyError
from rivalry.lab.study.identity import Table, TableDict
from rivalry.methods import METHODS
from rivalry.runtime.imports import pause_collection

if TYPE_CHECKING:
    from rivalry.lab.study import Study

NAME = "study.json"
FOLDERS = ("cells", "checkpoints", "certificates", "damaged", "figures")
FILES = (
    *FOLDERS,
    "blocks",  # made when needed
    *("study.json", "study.toml", "index.sqlite", "dataset.nc", "log.txt", "lock", "report.html"),
    *("export", "array", SUMS),
)
LONGEST = 500  # bytes of the index's path: SQLite takes 512
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_CELL = re.compile(r"[0-9a-f]{16}")
_SPARSE = 1000  # largest number of points of the axes per cell, except in small studies
_TYPES: dict[str, type] = {
    "name": str,
    "folder": str,
    "study": dict,
    "toml": str,
    "axes": dict,
    "companions": dict,
    "cells": list,
    "parts": list,
    "made_by": dict,
    "history": list,
}


@pause_collection()
def head_of(study: Study) -> TableDict:
    """Return the content of ``study.json``, as it is read back."""
    cells = study.cells()
    head = {
        "schema": SCHEMA,
        "name": study.name,
        "folder": str(study.folder.resolve()),
        "study": study.resolved(),
        "toml": sha256(study.text.encode()).hexdigest() if study.text else "",
        "axes": {name: list(values) for name, values in study.axes(cells).items()} if cells else {},
        "companions": study.companions() if cells else {},
        "cells": [(c.id, c.point, c.method, c.replication, study.place(c)) for c in cells],
        "parts": list(study.parts()),
        "made_by": provenance(packages_of(study)),
        "history": [],
    }
    # through JSON, so that a new head equals a stored one: tuples become lists
    return dict(json.loads(json.dumps(head)))


def packages_of(study: Study) -> set[str]:
    """Return packages, beyond those of every run, whose versions belong to a study's results."""
    kinds = [table["kind"] for table in study.method if table["kind"] in METHODS]
    return {package for kind in kinds for package in METHODS[kind].uses}


def make_folder(folder: Path, head: Table, study: Study) -> files.Stamp | None:
    """Create a run folder under a temporary name and rename it, so that it is never incomplete.

    Return the stamp of its ``study.json``; None where another process made the folder meanwhile.
    """
    check_length(folder)
    if folder.resolve() == Path.cwd():  # an empty one would be replaced, and be none any more
        raise StoreError(f"{folder}: is the current folder; choose one in it, such as runs/{study.name}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder}: exists and is not a run folder; choose another")
    with files.room_for(folder):
        above = [path.parent for path in folder.parents if not path.exists()]
        folder.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{folder.name}.making-"
        for old in folder.parent.glob(f"{prefix}*"):
            with suppress(OSError):
                if time.time() - old.stat().st_mtime > 60:  # left by a process that was killed
                    shutil.rmtree(old)
        aside = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
        try:
            mask = os.umask(0o022)  # it can be read only by setting it
            os.umask(mask)
            aside.chmod(0o777 & ~mask)  # mkdtemp admits only the owner
            for name in FOLDERS:
                (aside / name).mkdir()
            files.write_json(aside / NAME, head)
            stamp = files.stamp_of((aside / NAME).stat())
            write_text(aside, study)
            if folder.exists():
                # renaming onto an existing folder fails on some systems
                folder.rmdir()
            files.sync_tree(aside)
            aside.rename(folder)
            for path in (folder.parent, *above):
                files.sync_names(path)
            return stamp
        except BaseException as error:
            shutil.rmtree(aside, ignore_errors=True)
            # another process may have made the folder meanwhile: the caller opens that one
            if not isinstance(error, OSError) or not (folder / NAME).exists():
                raise
            return None


def check_length(folder: Path) -> None:
    """Raise `StoreError` for a folder whose path is too long for the files in it."""
    length = len(os.fsencode(os.path.abspath(folder / "index.sqlite")))
    if length > LONGEST:
        length_text = f"a path of {length} bytes with its files; must be at most {LONGEST}"
        raise StoreError(f"{str(folder)[:40]}...: {length_text}, choose a folder nearer to the root")


def write_text(folder: Path, study: Study) -> None:
    """Write the text of a study that was read from a file; else remove ``study.toml``."""
    if study.text:
        files.write(folder / "study.toml", study.text.encode())
    else:
        (folder / "study.toml").unlink(missing_ok=True)


@pause_collection()
def read_head(folder: Path) -> TableDict:
    """Return the content of a run folder's ``study.json``.

    Raises
    ------
    DamagedFile
        If it is not what was written, or not the head of a run.
    StoreError
        For another schema.
    """
    path = folder / NAME
    with files.foreign_bytes(path):
        data = files.read_bytes(path)
    head = files.read_json(path, data)
    if wrong := head_fault(head, texts=_is_strange(data)):
        raise DamagedFile(path, wrong)
    return head


def _is_strange(data: bytes) -> bool:
    """True for JSON that may have texts or numbers that `_texts` finds, which takes longer."""
    zeros = data.translate(_ZEROS)
    return b"\\u0000" in data or any(b"%c%s" % (before, b"0" * 19) in zeros for before in b" \t\r\n[,:-")


def head_fault(head: Table, *, texts: bool = True) -> str:
    """Return in one line why a table is not the head of a run; empty if it is.

    Without ``texts`` its texts and numbers are known to be those that a dataset can hold.
    """
    return next(_faults(head, texts), "")


def _faults(head: Table, texts: bool) -> Iterator[str]:
    for key, kind in _TYPES.items():
        if not isinstance(head.get(key), kind):
            yield f"{key}: {_short(head[key])} must be a {kind.__name__}" if key in head else f"no {key}"
            return
    if not is_file_name(head["name"]):
        yield f"name: {_short(head['name'])} must be the name of a file"
    yield from _texts(head) if texts else ()
    yield from _versions(head)
    try:
        check_stored(head["study"])
    except StudyError as error:
        yield f"study: {error}"
        return
    yield from _parts(head)
    yield from _axes(head)
    yield from _cells(head)


def is_file_name(name: object) -> bool:
    """True for text that names one file or folder inside another on every system, not a path.

    >>> is_file_name("duel"), is_file_name("../duel"), is_file_name("/duel"), is_file_name("con")
    (True, False, False, False)
    """
    return isinstance(name, str) and "/" not in name and not name_fault(name)


def _texts(value: object) -> Iterator[str]:
    """Yield faults of text and numbers that no dataset can hold."""
    for entry in (entry for level in files.levels(value) for entry in level):
        if isinstance(entry, str):
            if "\0" in entry:
                yield f"{_short(entry)} has a character NUL"
        elif isinstance(entry, int) and abs(entry) >= 2**63:
            yield f"{_short(entry)} is beyond 64 bits"


def _versions(head: Table) -> Iterator[str]:
    for versions in [head["made_by"], *head["history"]]:
        if not isinstance(versions, dict) or not all(isinstance(v, str) for v in versions.values()):
            yield "made_by, history: must be tables of versions"
        elif not {"rivalry", "python"} <= set(versions):
            yield "made_by, history: no version of rivalry, or of Python"


def _parts(head: Table) -> Iterator[str]:
    parts, included = head["parts"], head["study"].get("included") or {}
    for name in parts:
        if not is_file_name(name) or name in FILES:
            yield f"parts: {_short(name)} must be the name of a folder inside the run"
            return
    if set(parts) != set(included) or len(set(parts)) < len(parts):
        yield f"parts: {_short(parts)} must be those that the study includes: {', '.join(included)}"
    if parts and head["cells"]:
        yield "cells: a study of studies has none of its own"


def _axes(head: Table) -> Iterator[str]:
    axes, cells = head["axes"], head["cells"]
    for name, values in axes.items():
        if not _name(name) or not isinstance(values, list) or not values:
            yield f"axes: {_short(name)} must be a name with a list of values"
            return
        if len({place_key(value) for value in values}) < len(values):
            yield f"axes.{name}: a value is there twice"
    if cells and not {"algorithm", "replication"} <= set(axes):
        yield "axes: no algorithm, or no replication"
    points = prod(len(values) for values in axes.values())
    # the dataset allocates every point of the axes, however few cells there are
    if points > _SPARSE * max(len(cells), _SPARSE):
        yield f"axes: {points} points for {len(cells)} cells"
    for name, entry in head["companions"].items():
        fits = isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and entry[0] in axes
        if not (_name(name) and fits and isinstance(entry[1], list) and len(entry[1]) == len(axes[entry[0]])):
            yield f"companions: {_short(name)} must go along with one of the axes"
        elif name in axes:
            yield f"companions: {name} is one of the axes"


def _cells(head: Table) -> Iterator[str]:
    axes = {name: {place_key(value) for value in values} for name, values in head["axes"].items()}
    names, companions = list(axes), head["companions"]
    ids: dict[Any, str] = {}
    for k, entry in enumerate(head["cells"]):
        if not isinstance(entry, list) or len(entry) != 5 or not isinstance(entry[0], str):
            yield f"cells[{k}]: must be a name, a point, a method, a replication and a place"
            return
        id, point, method, replication, at = entry
        if not _CELL.fullmatch(id):
            yield f"cells[{k}]: {_short(id)} must be 16 hexadecimal digits"
        # `isinstance` would accept true as an integer
        if not isinstance(point, dict) or not isinstance(method, str) or type(replication) is not int:
            yield f"cells[{k}]: {id} has no point, method and replication"
        # companions of an axis are named too: they distinguish games
        if not isinstance(at, dict) or [name for name in at if name not in companions] != names:
            yield f"cells[{k}]: the place of {id} must name {', '.join(axes)}"
            return
        place = tuple([place_key(at[name]) for name in axes])
        for name, key in zip(axes, place, strict=True):
            if key not in axes[name]:
                yield f"cells[{k}]: {name} = {_short(at[name])} of {id} is not on its axis"
        for mark in (id, place):
            if mark in ids:
                yield f"cells[{k}]: {id} is the same as {ids[mark]}, or at its place"
            ids[mark] = id


def _name(value: object) -> bool:
    """True for text that can name a dimension or coordinate."""
    return isinstance(value, str) and bool(value) and value.isprintable() and "/" not in value


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."

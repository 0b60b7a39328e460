"""Making a run folder: what its ``study.json`` says, and the folder whole from the moment it is there."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rivalry.core import files
from rivalry.core.files import StoreError
from rivalry.core.results import SCHEMA, provenance
from rivalry.lab.store.sums import NAME as SUMS
from rivalry.methods import METHODS

if TYPE_CHECKING:
    from rivalry.lab.study import Study

FOLDERS = ("cells", "checkpoints", "certificates", "damaged", "figures")
FILES = (
    *FOLDERS,
    *("study.json", "study.toml", "index.sqlite", "dataset.nc", "log.txt", "lock", "report.html"),
    *("export", SUMS),
)
LONGEST = 500  # bytes of the index's path: SQLite takes 512


def head_of(study: Study) -> dict[str, Any]:
    """What ``study.json`` holds; as it would be read back."""
    cells = study.cells()
    head = {
        "schema": SCHEMA,
        "name": study.name,
        "folder": str(study.folder.resolve()),
        "study": study.resolved(),
        "toml": text_digest(study.text.encode()) if study.text else "",
        "axes": {name: list(values) for name, values in study.axes(cells).items()} if cells else {},
        "companions": study.companions() if cells else {},
        "cells": [(c.id, c.point, c.method, c.replication, study.place(c)) for c in cells],
        "parts": sorted(study.parts(), key=list(study.parts()).index),
        "made_by": provenance(used(study)),
        "history": [],
    }
    return dict(json.loads(json.dumps(head)))


def used(study: Study) -> set[str]:
    """Packages beyond those of every run whose versions belong to a study's results."""
    named = [table["kind"] for table in study.method if table["kind"] in METHODS]
    return {package for kind in named for package in METHODS[kind].uses}


def text_digest(text: bytes) -> str:
    """What ``study.json`` keeps of ``study.toml``: its SHA-256."""
    return sha256(text).hexdigest()


def make(folder: Path, head: Mapping[str, Any], study: Study) -> None:
    """A run folder, whole from the moment it is there: made aside and renamed."""
    check_length(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder}: exists and is not a run folder; choose another")
    with files.room_for(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{folder.name}.making-"
        for old in folder.parent.glob(f"{prefix}*"):
            with suppress(OSError):
                if time.time() - old.stat().st_mtime > 60:  # left by a process that was killed
                    shutil.rmtree(old)
        aside = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
        try:
            aside.chmod(0o777 & ~_umask())  # mkdtemp's own is for secrets
            for name in FOLDERS:
                (aside / name).mkdir()
            files.write_json(aside / "study.json", head)
            write_text(aside, study)
            if folder.exists():
                folder.rmdir()
            aside.rename(folder)
        except BaseException as error:
            shutil.rmtree(aside, ignore_errors=True)
            # another process may have made it meanwhile: the caller opens that one
            if not isinstance(error, OSError) or not (folder / "study.json").exists():
                raise


def check_length(folder: Path) -> None:
    """Raises `StoreError` for a folder whose path leaves no room for the files in it."""
    length = len(os.fsencode(os.path.abspath(folder / "index.sqlite")))
    if length > LONGEST:
        raise StoreError(
            f"{str(folder)[:40]}...: a path of {length} bytes with its files; must be at most {LONGEST},"
            " choose a folder nearer to the root"
        )


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def write_text(folder: Path, study: Study) -> None:
    """The study as it was written, where it was read from a file."""
    if study.text:
        files.write(folder / "study.toml", study.text.encode())
    else:
        (folder / "study.toml").unlink(missing_ok=True)

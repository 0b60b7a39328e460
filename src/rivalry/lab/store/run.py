"""Run folders as objects: their cells, lock, files and dataset."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from rivalry.core import files
from rivalry.core.files import DamagedFile, DiskFull, Lock, StoreError
from rivalry.core.results import SCHEMA, Record, netcdf, provenance
from rivalry.lab.store import blocks
from rivalry.lab.store.bookkeeping import (
    SUMS,
    Index,
    IndexRows,
    altered_files,
    made_from,
    missing_certificates,
    read_index,
    read_seconds,
    update_sums,
    write_sums,
)
from rivalry.lab.store.cells import CellFiles, Stamps, StoredCell, in_present_words, label_cells
from rivalry.lab.store.head import (
    FILES,
    FOLDERS,
    NAME,
    check_length,
    head_fault,
    head_of,
    make_folder,
    packages_of,
    read_head,
    write_text,
)
from rivalry.lab.study.identity import Table, TableDict, canonical
from rivalry.lab.study.questions import as_asked
from rivalry.runtime.imports import pause_collection
from rivalry.schema.registry import hook, load
from rivalry.text.display import html_table

if TYPE_CHECKING:
    from xarray import Dataset

    from rivalry.lab.study import Study

RunStatus = Literal["done", "partial", "failed"]

_KINDS = {  # by folder
    "cells": "cell",
    "certificates": "certificate",
    "checkpoints": "checkpoint",
    "blocks": "block",
}


class Reconciled(NamedTuple):
    """Remaining cells according to the files, and damaged files that were set aside."""

    left: list[str]
    damaged: list[DamagedFile]


class LeftOut(NamedTuple):
    """A cell or table that an output lacks, with the reason in one line."""

    name: str
    reason: str


class Collected(NamedTuple):
    """Dataset of a run's finished cells, and the damaged files omitted from it."""

    data: Dataset
    damaged: list[DamagedFile]


def load_run(folder: str | os.PathLike[str]) -> Run:
    """Return a run from its folder, to read or to continue it.

    Parameters
    ----------
    folder
        Folder of the run, such as ``runs/NAME``.

    Returns
    -------
    Run
        The run; ``dataset()`` returns its results.

    Raises
    ------
    StoreError
        If the folder is not a run, or was made by a newer version of the package.
    """
    return Run.open(folder)


class Run:
    """A run folder; `Run.create_or_open` creates one, `load_run` opens one.

    A file is read once, and again only after it has changed.
    """

    def __init__(self, folder: Path, head: Table, stamp: files.Stamp | None = None) -> None:
        self.folder = folder
        self._lock = Lock(folder)
        self._index: Index | None = None
        self._parts: dict[str, Run] | None = None
        self._source: Study | None = None  # the study, where the run was made of one
        self._rows: tuple[files.Stamp | None, IndexRows] = (None, ({}, ""))
        self._scanned: tuple[object, frozenset[str]] = (None, frozenset())  # finished cells
        self._collected: tuple[Stamps, Collected] | None = None
        self._made_from = (
            ""  # while locked: what the stored outputs were made from, if nothing of them changed
        )
        self._set_head(head, stamp)

    def _set_head(self, head: Table, stamp: files.Stamp | None) -> None:
        """Take a head for that of the run; ``stamp`` is that of the file with this head."""
        self.head, self._head_stamp = head, stamp
        self.name: str = head["name"]
        self.axes: dict[str, list[Any]] = head["axes"]
        self.cells = [StoredCell(*entry) for entry in head["cells"]]
        self._cell_files = CellFiles(self.folder)
        self._collected = None
        # of a large run's cells: number of the block, and its cells that are not done
        self._to_pack: dict[str, tuple[int, set[str]]] = {}

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Run:
        """Return an existing run. Raises `StoreError`, `DamagedFile`."""
        return cls._read(files.followed(Path(folder)))

    @classmethod
    @pause_collection()
    def _read(cls, folder: Path) -> Run:
        if not os.path.lexists(folder / NAME):
            fault = f"not a run folder (no {NAME} in it)" if folder.is_dir() else "no such run folder"
            if os.path.lexists((usual := "runs" / folder) / NAME):  # the name of a study in place of its run
                fault += f"; did you mean {usual}?"
            raise StoreError(f"{folder}: {fault}")
        stamp = _head_stamp(folder)  # before the file is read: a change in between then shows
        run = cls(folder, read_head(folder), stamp)
        run._check_links()
        return run

    def _check_links(self) -> None:
        """Raise `StoreError` for a link in the folder, through which another file would be written."""
        for name in (*FILES, *self.head["parts"]):
            if (path := self.folder / name).is_symlink():
                is_outside = blocks.leads_out(path, self.folder)
                where = "leads out of the run's folder" if is_outside else "is a link"
                raise StoreError(f"{path}: {where}; a run has no links, remove it")

    @classmethod
    @pause_collection()
    def create_or_open(cls, folder: str | os.PathLike[str], study: Study, *, same_name: bool = False) -> Run:
        """Return the run of a study in a folder, created if necessary.

        A changed study replaces the stored one, with ``same_name`` only one of its name; cells that still
        belong to it are kept.

        Raises
        ------
        StoreError
            If another process uses the folder, or it holds something else.
        DiskFull
            If there is no space for the folder.
        """
        folder = files.followed(Path(folder))
        head = head_of(study)
        if wrong := head_fault(head):
            raise StoreError(f"{study.name}: cannot be stored, {wrong}")
        created = None if (folder / NAME).exists() else make_folder(folder, head, study)
        run = cls(folder, head, created) if created else cls._open_or_mend(folder, head)
        if same_name and run.name != study.name:
            fault = f"holds a run of {run.name}, not of {study.name}; choose another folder"
            raise StoreError(f"{folder}: {fault}")
        with run.locking():
            run._store_study(head, study)
        run._source = study
        run._parts = {name: cls.create_or_open(folder / name, part) for name, part in study.parts().items()}
        run._check_links()
        return run

    @classmethod
    def _open_or_mend(cls, folder: Path, head: Table) -> Run:
        """Return the run; set aside and rewrite a damaged ``study.json``."""
        stamp = _head_stamp(folder)
        # equal bytes need no reading: the head of a long study takes seconds
        with suppress(DamagedFile, OSError):
            if files.read_bytes(folder / NAME) == files.json_bytes(head):
                return cls(folder, head, stamp)
        try:
            return cls._read(folder)
        except DamagedFile as error:
            run = cls(folder, head)
            with run.locking():
                run._set_aside(error, "study")
                run._write_head(head)
            return run

    def _write_head(self, head: Table) -> None:
        """Write ``study.json`` and take its head. Call this only while the folder is locked."""
        files.write_json(self.folder / NAME, head, durable=True)
        self._set_head(head, _head_stamp(self.folder))

    def _store_study(self, head: Table, study: Study) -> None:
        """Store the given study in the folder; keep on record which versions computed its cells."""
        versions = ("made_by", "history")
        if head is self.head or {**head, **{key: self.head[key] for key in versions}} == self.head:
            return
        if self.other_version() is None:
            computed_by = {"made_by": head["made_by"], "history": self.head["history"]}
        else:
            computed_by = {key: self.head[key] for key in versions}
        is_equal = head["study"] == self.head["study"]
        self._write_head({**head, **computed_by})
        write_text(self.folder, study)
        self.log("study.json was written anew" if is_equal else "the study was changed")

    @property
    def study(self) -> Study:
        """Resolved study. Raises `rivalry.lab.study.StudyError` if it cannot be built here."""
        from rivalry.lab.study import Study, StudyError

        try:
            return Study.from_resolved(self.head["study"], Path(self.head["folder"]))
        except StudyError:
            raise
        except Exception as error:  # tables of the right form with values that this package does not write
            raise DamagedFile(self.folder / NAME, f"study: {type(error).__name__}: {error}") from None

    @property
    def title(self) -> str:
        """The study's title, or the folder's name, and what was changed."""
        return str(as_asked({"name": self.name, **self.head["study"]})["title"])

    def parts(self) -> dict[str, Run]:
        """Return the runs of the included studies, by name."""
        if self._parts is None:
            parts = {name: Run._read(self.folder / name) for name in self.head["parts"]}
            if nested := [part for part in parts.values() if part.head["parts"]]:
                raise DamagedFile(nested[0].folder / NAME, "parts: a part has none of its own")
            self._parts = parts
        return self._parts

    def runs(self) -> dict[str, Run]:
        """Return the runs that have cells, by name: the parts, or this run under an empty name."""
        return self.parts() or {"": self}

    @property
    def written_study(self) -> str:
        """The study as written, or as stored where it had no file."""
        return json.dumps(self.head["study"], indent=1) if self.text is None else self.text

    @property
    def text(self) -> str | None:
        """Content of ``study.toml``; None if it is missing or not UTF-8."""
        try:
            return files.read_bytes(self.folder / "study.toml").decode()
        except (DamagedFile, UnicodeDecodeError):
            return None

    @property
    def text_fault(self) -> str:
        """Difference of ``study.toml`` from the source of ``study.json``, in one line; empty without any."""
        path, digest = self.folder / "study.toml", self.head["toml"]
        reason = "missing" if digest else ""
        if os.path.lexists(path):
            try:
                text = files.read_bytes(path)
            except DamagedFile as error:
                return str(error)
            reason = "" if digest == sha256(text).hexdigest() else "was edited after the run was made"
            if self.text is None:
                reason = "is not UTF-8"
        return f"{path}: {reason}; the run is of what study.json says" if reason else ""

    def tasks(self) -> dict[str, TableDict]:
        """Return every cell's task by its identifier.

        Raises
        ------
        ValueError
            If a user's file is not the one that the cells' identifiers digest.
        StoreError
            If a stored cell does not belong to the study.
        """
        from rivalry.lab.study import verify

        verify(self.head["study"].get("files") or {}, Path(self.head["folder"]))
        tasks = {cell.id: cell.task for cell in (self._source or self.study).cells()}
        ids = [place.id for place in self.cells]
        if missing := set(ids) - tasks.keys():
            raise StoreError(f"{self.folder}: {min(missing)} is not a cell of its study; run the study again")
        return {id: tasks[id] for id in ids}

    @property
    def computed_once(self) -> list[str]:
        """Methods without random draws, of which the run has one replication although others have more."""
        if self.head["study"].get("replications", {}).get("count", 1) == 1:
            return []
        repeated = {place.method for place in self.cells if place.replication}
        return list(dict.fromkeys(place.method for place in self.cells if place.method not in repeated))

    @property
    def made_by(self) -> dict[str, str]:
        """Versions and platform with which the cells were computed."""
        return dict(self.head["made_by"])

    @property
    def date(self) -> str:
        """Date (UTC) of the cell that was computed last; empty without any."""
        paths = (self.cell_path(cell.id) for cell in self.cells)
        times = [path.stat().st_mtime for path in paths if path.exists()]
        return datetime.fromtimestamp(max(times), UTC).date().isoformat() if times else ""

    def other_version(self) -> str | None:
        """Return the version that computed the stored cells, if it is not this one."""
        maker = self.head["made_by"]["rivalry"]
        return None if maker == version("rivalry") or not self.finished() else str(maker)

    def accept_version(self) -> None:
        """Continue under this version, and record the earlier one."""
        history = [*self.head["history"], self.head["made_by"]]
        made_by = provenance(packages_of(self.study))
        self._write_head({**self.head, "made_by": made_by, "history": history})

    def counts(self, damaged: Iterable[DamagedFile] = ()) -> dict[str, int]:
        """Return the numbers of cells ``total``, ``done``, ``failed`` and ``left``, summed over parts.

        Cells in ``damaged`` count as left.
        """
        damaged = list(damaged)
        if parts := self.parts():
            counts = [part.counts(damaged) for part in parts.values()]
            return {key: sum(count[key] for count in counts) for key in counts[0]}
        folders = (self.folder / "cells", self.folder / "blocks")
        on_disk = self.finished().difference(*(e.cells for e in damaged if e.path.parent in folders))
        finished = sum(place.id in on_disk for place in self.cells)
        failures = self.failures()
        failed = sum(place.id in failures for place in self.cells)
        total = len(self.cells)
        return {"total": total, "done": finished, "failed": failed, "left": total - finished - failed}

    def checkpoints(self) -> list[Path]:
        """Return the checkpoint files of cells that have begun."""
        return sorted((self.folder / "checkpoints").glob("*.npz"))

    @property
    def status(self) -> RunStatus:
        """``done``, ``failed`` (at least one cell failed), or ``partial``."""
        return status_of(self.counts())

    def missing_cells(self, damaged: Iterable[DamagedFile]) -> list[LeftOut]:
        """Return the cells that a dataset lacks, in order, and why; ``damaged`` as returned by `collect`."""
        on_disk = self.finished()
        reasons = {place.id: "not done" for place in self.cells if place.id not in on_disk}
        reasons |= {id: f"failed ({reason})" for id, reason in self.failures().items()}
        reasons |= {id: f"damaged ({error.why})" for error in damaged for id in error.cells}
        return [LeftOut(place.id, reasons[place.id]) for place in self.cells if place.id in reasons]

    def failures(self) -> dict[str, str]:
        """Return the cells whose last attempt failed, with the reason in one line."""
        on_disk, (states, _) = self.finished(), self._read_index()
        # a cell with a file is done, whatever the index says
        return {
            id: reason for id, (state, reason) in states.items() if state == "failed" and id not in on_disk
        }

    def warnings(self) -> dict[str, tuple[str, ...]]:
        """Return the warnings of finished cells, one line each; cells without warnings are omitted."""
        on_disk, (states, _) = self.finished(), self._read_index()
        notes = {
            id: reason
            for id, (state, reason) in states.items()
            if state == "done" and reason and id in on_disk
        }
        return {place.id: tuple(notes[place.id].splitlines()) for place in self.cells if place.id in notes}

    def take(self, donor: Run, *, move: bool = False) -> list[DamagedFile]:
        """Take the finished cells of another run of this study; return damaged files, which are left out.

        Cells that both have must be equal. With ``move`` the other run's files are moved, checkpoints of
        unfinished cells too. Call this only while the folder is locked.

        Raises
        ------
        StoreError
            If the other run is of another study or made by another version, or a cell differs.
        """
        keys = ("study", "cells", "parts")
        if any(donor.head[key] != self.head[key] for key in keys):
            raise StoreError(f"{donor.folder}: is a run of {donor.name} that differs from {self.folder}")
        maker, present_maker = donor.made_by["rivalry"], self.made_by["rivalry"]
        if maker != present_maker and donor.finished():
            raise StoreError(f"{donor.folder}: made by rivalry {maker}, {self.folder} by {present_maker}")
        damaged: list[DamagedFile] = []
        if parts := self.parts():
            for name, part in parts.items():
                with part.locking():
                    damaged += part.take(donor.parts()[name], move=move)
            return damaged
        damaged = [error for error in donor.damaged() if error.path.parent.name in _KINDS]
        broken = {error.path for error in damaged}
        available = donor.finished().difference(*(error.cells for error in damaged))
        present = self.finished()
        (states, _), seconds = donor._read_index(), donor.seconds()
        for place in self.cells:
            name = f"{place.id}.npz"
            source = donor.folder / "cells" / name
            checkpoint = donor.folder / "checkpoints" / name
            state, message = states.get(place.id, ("done", ""))
            if place.id in available:
                data = donor._cell_files.own_bytes(place.id)
                if place.id not in present:
                    files.write(self.folder / "cells" / name, data)
                    self.note(place.id, "done", seconds.get(place.id), message if state == "done" else "")
                elif data != self._cell_files.own_bytes(place.id):
                    where = self.cell_path(place.id)
                    raise StoreError(f"{source}: differs from {where}; one of them was computed otherwise")
                if move:
                    source.unlink(missing_ok=True)
                continue
            if state == "failed":
                self.note(place.id, "failed", message=message)
            if move and place.id not in present and checkpoint.exists() and checkpoint not in broken:
                checkpoint.replace(files.folder_for(self.folder / "checkpoints") / name)
        self.log(f"took the cells of {donor.folder}")
        return damaged

    def _read_index(self) -> IndexRows:
        path = self.folder / "index.sqlite"
        stamp = files.entries_stamp(path)
        if stamp is None or stamp != self._rows[0]:
            self._rows = stamp, read_index(path)
        return self._rows[1]

    @property
    def cells_digest(self) -> str:
        """Digest of all finished cells and recomputed certificates."""
        self.collect()  # reads the cells
        return self._cell_files.digest

    def seconds(self) -> dict[str, float]:
        """Return the processor time of every finished cell that the index has a time of."""
        return read_seconds(self.folder / "index.sqlite")

    def finished(self) -> frozenset[str]:
        """Return the cells that have a file; parts of a study of studies have their own."""
        # before the scan: a change in between then shows
        homes = [self.folder / name for name in ("cells", "blocks")]
        stamp = [files.entries_stamp(home) for home in homes if home.exists()]
        if None in stamp or stamp != self._scanned[0]:
            self._scanned = stamp, frozenset(finished_cells(self.folder))
        return self._scanned[1]

    @contextmanager
    def locking(self) -> Iterator[None]:
        """Lock the folder for this object. Raises `StoreError` if another process holds the lock."""
        if self._lock.is_held:
            yield
            return
        check_length(self.folder)
        self._lock.acquire()
        since = 0
        try:
            altered = list(altered_files(self.folder))
            self._made_from = "" if altered else made_from(self.folder)
            for error in altered:  # all of them can be rebuilt
                warnings.warn(self._set_aside(error), stacklevel=4)
            # files change from here on: after a kill, no digest is better than a wrong one
            if (self.folder / SUMS).exists():
                # it is written when all else is on disk
                since = (self.folder / SUMS).stat().st_mtime_ns
                (self.folder / SUMS).unlink(missing_ok=True)
                files.sync_names(self.folder)
            yield
        finally:
            if self._index is not None:
                self._index.close()
                self._index = None
            try:
                # quick cells are not synced one by one; what is reported as finished outlasts a loss of power
                files.sync_tree(self.folder, since)
                with suppress(DiskFull):  # without sums nothing is checked, and nothing is wrong
                    write_sums(self.folder, self._made_from)
            finally:
                self._lock.release()

    def seal(self, source: str) -> None:
        """Record the report, the figures and their `source` in ``SHA256SUMS``, unless work is in progress."""
        with suppress(StoreError):
            self._lock.acquire()
            try:
                update_sums(self.folder, source)
            finally:
                self._lock.release()

    @property
    def index(self) -> Index:
        """Open index; use it only while the folder is locked."""
        if self._index is None:
            self._index = Index(self.folder / "index.sqlite")
        return self._index

    def reconcile(self) -> Reconciled:
        """Read every file; return the remaining cells and the damaged files, moved to ``damaged/``.

        The index is updated to match the files. Call this only while the folder is locked.
        """
        if (stamp := _head_stamp(self.folder)) != self._head_stamp:
            if read_head(self.folder)["cells"] != [list(place) for place in self.cells]:
                raise StoreError(f"{self.folder}: its study was changed by another process; open it again")
            self._head_stamp = stamp
        for name in FOLDERS:
            files.folder_for(self.folder / name)
            self._clear(name)
        self._clear("blocks")
        damaged = self.damaged()
        for error in damaged:
            self._set_aside(error)
        on_disk = self.finished()
        self.index.align(on_disk)
        return Reconciled([place.id for place in self.cells if place.id not in on_disk], damaged)

    def _clear(self, name: str) -> None:
        # left by a killed process: nobody else writes while the folder is locked
        for part in (self.folder / name).glob(".*.part"):
            part.unlink()

    def damaged(self) -> list[DamagedFile]:
        """Return every file of the run that is not what was written, cells first, without writing."""
        faults = [*self._damaged_cells(), *self._damaged_checkpoints(), *altered_files(self.folder)]
        faults = list({(error.path, error.why): error for error in faults}.values())
        index = self.folder / "index.sqlite"
        if index not in {error.path for error in faults} and (reason := self._read_index()[1]):
            faults.append(DamagedFile(index, reason))
        return faults

    def _damaged_cells(self) -> list[DamagedFile]:
        if self._collected is not None and self._collected[0] == self._cell_files.stamps():
            return self._collected[1].damaged
        return self._cell_files.read_all([place.id for place in self.cells])[1]

    def _damaged_checkpoints(self) -> Iterator[DamagedFile]:
        for path in self.checkpoints():
            try:
                self._cell_files.read_inside(path, kind="checkpoint", name=path.stem)
            except DamagedFile as error:
                yield error

    def cell_path(self, id: str) -> Path:
        """Return the path of the file that a cell is in, or will be written to."""
        return self._cell_files.path(id)

    def read_cell(self, id: str) -> Record:
        """Return a cell's record. Raises `DamagedFile`."""
        return _with_present_words(self._cell_files.read(id).record)

    def certificates(self) -> dict[str, Record]:
        """Return recomputed certificates of finished cells. Raises `DamagedFile`."""
        on_disk = self.finished()
        records = self._cell_files.certificates(place.id for place in self.cells if place.id in on_disk)
        return {id: _with_present_words(record) for id, record in records.items()}

    def write_certificate(self, id: str, record: Record) -> None:
        """Store a recomputed certificate beside its cell, which stays unchanged. Raises `DiskFull`."""
        self._cell_files.write_certificate(id, record)

    def _set_aside(self, error: DamagedFile, kind: str = "") -> str:
        """Move a damaged file to ``damaged/``, and return the line written to the log."""
        line = f"{error}; {'as computed with its cell' if redo(error) == 'certify' else 'made anew'}"
        if os.path.lexists(error.path):
            aside = files.folder_for(self.folder / "damaged")
            kind = kind or _KINDS.get(error.path.parent.name, "file")
            name = f"{time.strftime('%Y%m%dT%H%M%S')}-{kind}-{error.path.name}"
            if kind == "block" or (kind == "certificate" and "-" in error.path.stem):  # a block of them
                self._cell_files.rescue(error, aside / name)
            else:
                error.path.replace(aside / name)
            line = f"{error}; moved to damaged/"
        self.log(line)
        return line

    def note(self, id: str, state: str, seconds: float | None = None, message: str = "") -> None:
        """Record in the index how a cell ended: ``done`` (with warnings) or ``failed`` (with a reason)."""
        self.index.note(id, state, seconds, message)
        if state == "done" and len(self.cells) > blocks.BLOCK:
            if not self._to_pack:
                on_disk = self.finished()
                for k, ids in self._blocks():
                    self._to_pack |= dict.fromkeys(ids, (k, set(ids) - on_disk))
            k, unpacked = self._to_pack[id]
            unpacked.discard(id)
            if not unpacked:
                self._cell_files.pack(k, self._ids_of(k))

    def _ids_of(self, block: int) -> list[str]:
        return [place.id for place in self.cells[block * blocks.BLOCK : (block + 1) * blocks.BLOCK]]

    def _blocks(self) -> Iterator[tuple[int, list[str]]]:
        """Yield number and cells of every block."""
        for k in range(-(-len(self.cells) // blocks.BLOCK)):
            yield k, self._ids_of(k)

    def pack_cells(self) -> None:
        """Pack all finished cells of a large run, also of incomplete blocks. Raises `DiskFull`.

        Call this only while the folder is locked.
        """
        if len(self.cells) > blocks.BLOCK:
            self._cell_files.pack_all(dict(self._blocks()))

    def log(self, line: str) -> None:
        """Add to the run's log. Raises `DiskFull`."""
        path = self.folder / "log.txt"
        with files.room_for(path), files.open_own(path) as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def collect(self) -> Collected:
        """Return all finished cells as one labelled dataset, without writing.

        ``cell`` names every cell of the study, finished or not; an unfinished one has no ``status``.
        Recomputed certificates replace the stored ones. Damaged files are omitted and returned.
        """
        if self.head["parts"]:
            parts = ", ".join(self.head["parts"])
            raise StoreError(f"{self.folder}: has parts ({parts}); each has a dataset")
        if self._collected is not None and self._collected[0] == self._cell_files.stamps():
            return self._collected[1]
        columns, damaged, stamps = self._cell_files.read_all([place.id for place in self.cells])
        try:
            data = label_cells(self.cells, columns, self.head)
        except Exception as error:  # NumPy and xarray may raise anything for foreign arrays
            reason = f"do not fit together, {type(error).__name__}: {error}"
            raise DamagedFile(self.folder / "cells", " ".join(reason.split())) from None
        from rivalry.lab.study.words import name_in_words  # loads plots

        data.attrs = {"title": self.title, "rivalry": self.made_by["rivalry"], "schema": SCHEMA}
        name_in_words(data, self.head["study"], {*self.head["axes"], *self.head["companions"]})
        self._cell_files.forget()
        damaged += missing_certificates(self.folder)
        self._collected = stamps, Collected(data, damaged)
        return self._collected[1]

    def dataset(self) -> Dataset:
        """Return all finished cells as one labelled dataset, see `collect`; warn of every damaged file."""
        data, damaged = self.collect()
        for error in damaged:
            warnings.warn(f"{error}; left out, `rivalry {redo(error)}` redoes it", stacklevel=2)
        return data.copy(deep=True)  # the caller may change it

    def source(self) -> str:
        """Return the digest of all that the dataset, the figures and the report are made from."""
        if not self.head["parts"]:
            self.collect()  # reads the cells
        states, _ = self._read_index()
        aside = sorted(path.name for path in (self.folder / "damaged").glob("*"))
        # which cells there are follows from the study
        head = {key: value for key, value in self.head.items() if key != "cells"}
        parts = [part.source() for part in self.parts().values()]
        cells = [sorted(states.items()), self._cell_files.digest, aside]
        content = {"head": [head, self.text, version("rivalry")], "cells": cells, "parts": parts}
        return files.digest_of(content)

    def digest(self) -> str:
        """Return the digest of study, cells and certificates, by which a run is cited.

        It depends on no version, and on nothing that is made from these.
        """
        if parts := self.parts():
            digests: list[Any] = [(name, part.digest()) for name, part in parts.items()]
        else:
            self.collect()  # reads the cells
            digests = list(self._cell_files.digests)
        return sha256(canonical([self.head["study"], *digests]).encode()).hexdigest()

    def is_reported(self) -> bool:
        """True if the report, the figures and the dataset are those of the stored cells."""
        return all(made_from(part.folder) == part.source() for part in (self, *self.parts().values()))

    def write_datasets(self) -> None:
        """Write the dataset of the run, or those of its parts."""
        for part in self.runs().values():
            with part.locking():
                part.write_dataset()

    def write_dataset(self) -> None:
        """Write the dataset to ``dataset.nc``, unless it was made of the same cells. Raises `DiskFull`."""
        if self._made_from and self._made_from == self.source():
            return
        self._made_from = ""
        files.write(self.folder / "dataset.nc", netcdf(self.dataset()))

    @property
    def answer(self) -> Any:
        """Answer of the run: question, verdict, finding, figure, table, caveats and checks."""
        return load("rivalry.lab.answer:answer_of")(self)  # by name: answers are made of runs

    def explore(self) -> Any:
        """Return the living figures of the run for a notebook: of its first cells, all cells and references.

        Raises
        ------
        ValueError
            Without the packages of the extra ``notebook``.
        """
        return hook("Run.explore")(self)

    def __repr__(self) -> str:
        counts = self.counts()
        counts_text = [f"{counts['done']} of {counts['total']} cells done"]
        counts_text += [f"{counts[key]} {key}" for key in ("failed", "left") if counts[key]]
        return f"Run {self.folder}: {self.status}, {', '.join(counts_text)}\n  {self.title}"

    def _repr_html_(self) -> str:
        head, *_ = repr(self).split("\n")
        return f"<div>{html_table(head, {})}{self.answer._repr_html_()}</div>"


def _with_present_words(record: Record) -> Record:
    return {name: (dims, in_present_words(name, array)) for name, (dims, array) in record.items()}


def redo(error: DamagedFile) -> str:
    """Return the command that computes a damaged file again."""
    return "certify" if error.path.parent.name == "certificates" else "resume"


def finished_cells(folder: Path, parts: Iterable[str] = ()) -> set[str]:
    """Return the cells with a file or in a block of a folder, which need not be a run, and of its parts."""
    ids = set[str]()
    for home in (folder, *(folder / name for name in parts)):
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(home / "cells") as entries:
            ids |= {entry.name[:-4] for entry in entries if entry.name.endswith(".npz")}
        # after the cells: one that is packed meanwhile is in one of both
        for name, stamp in blocks.blocks_in(home).items():
            ids |= blocks.packed_cells(home / "blocks" / f"{name}.npz", stamp)
    return ids


def _head_stamp(folder: Path) -> files.Stamp | None:
    try:
        return files.stamp_of((folder / NAME).stat())
    except OSError:
        return None


def status_of(counts: Mapping[str, int]) -> RunStatus:
    """Return the status of a run from its `Run.counts`."""
    if counts["failed"]:
        return "failed"
    return "partial" if counts["left"] else "done"

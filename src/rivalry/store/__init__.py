"""Run folders: a study carried out, cell by cell. The files are the truth; the index can be rebuilt.

``study.json`` (the resolved study, its cells and where they lie, versions), ``study.toml`` (as it was
written), ``cells/ID.npz``, ``checkpoints/ID.npz``, ``certificates/ID.npz`` (recomputed ones), ``damaged/``,
``index.sqlite`` (wall times, warnings, failures), ``dataset.nc``, ``log.txt``, ``lock``. A study with
``include`` has a run folder of the same kind for every part inside.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from rivalry import files
from rivalry.files import DamagedFile, DiskFull, Lock, StoreError
from rivalry.results import SCHEMA, Record
from rivalry.store.distances import with_distances
from rivalry.store.index import Index
from rivalry.store.making import FOLDERS, head_of, make, upgraded, used, write_text

if TYPE_CHECKING:
    from xarray import Dataset

    from rivalry.study import Study

__all__ = ["DamagedFile", "DiskFull", "Place", "Reconciled", "Run", "StoreError", "load_run"]

RunStatus = Literal["done", "partial", "failed"]


class Place(NamedTuple):
    """A cell of a run: its name, its point of the sweep, and where it stands in the dataset (``at``)."""

    id: str
    point: dict[str, Any]
    method: str
    replication: int
    at: dict[str, Any]


class Reconciled(NamedTuple):
    """What the files say: cells still to do, and files that were damaged and set aside."""

    left: list[str]
    damaged: list[DamagedFile]


def load_run(folder: str | os.PathLike[str]) -> Run:
    """A run from its folder, to look at or to carry on.

    Raises `StoreError` where the folder is no run, or was made by a newer version of the package.
    """
    return Run.open(folder)


class Run:
    """A run folder; `Run.create_or_open` makes one, `load_run` opens one."""

    def __init__(self, folder: Path, head: Mapping[str, Any]) -> None:
        self.folder = folder
        self.head = head
        self.name: str = head["name"]
        self.axes: dict[str, list[Any]] = head["axes"]
        self.cells = [Place(*entry) for entry in head["cells"]]
        self._lock = Lock(folder)
        self._index: Index | None = None

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Run:
        """A run that exists. Raises `StoreError`, `DamagedFile`."""
        folder = Path(folder)
        head = folder / "study.json"
        if not head.is_file():
            what = "not a run folder (no study.json in it)" if folder.is_dir() else "no such run folder"
            raise StoreError(f"{folder}: {what}")
        return cls(folder, upgraded(files.read_json(head)))

    @classmethod
    def create_or_open(cls, folder: str | os.PathLike[str], study: Study) -> Run:
        """The run of a study in a folder, made where it is not there yet.

        A study that has changed since then replaces the old one; cells that still belong to it are kept.
        Raises `StoreError` where another process uses the folder, or it holds something else; `DiskFull`.
        """
        folder = Path(folder)
        head = head_of(study)
        if not (folder / "study.json").exists():
            make(folder, head, study)
        run = cls._open_or_mend(folder, head)
        with run.locked():
            run._take(head, study)
        for name, part in study.parts().items():
            cls.create_or_open(folder / name, part)
        return cls.open(folder)

    @classmethod
    def _open_or_mend(cls, folder: Path, head: Mapping[str, Any]) -> Run:
        """The run; where ``study.json`` is damaged, it is set aside and written anew."""
        try:
            return cls.open(folder)
        except DamagedFile as error:
            run = cls(folder, head)
            with run.locked():
                run._set_aside(error, "study")
                files.write_json(folder / "study.json", head)
            return run

    def _take(self, head: Mapping[str, Any], study: Study) -> None:
        """Make the folder's study the one given; where it was made stays on record."""
        versions = ("made_by", "history")
        if {**head, **{key: self.head[key] for key in versions}} == self.head:
            return
        if self.other_version() is None:
            kept = {"made_by": head["made_by"], "history": self.head["history"]}
        else:
            kept = {key: self.head[key] for key in versions}
        files.write_json(self.folder / "study.json", {**head, **kept})
        write_text(self.folder, study)
        self.log("the study was changed")

    # -- what it is ------------------------------------------------------------------------------------

    @property
    def study(self) -> Study:
        """The resolved study."""
        from rivalry.study import Study

        return Study.from_resolved(self.head["study"], Path(self.head["folder"]))

    @property
    def title(self) -> str:
        """The study's title, or the folder's name."""
        return str(self.head["study"].get("title") or self.name)

    def parts(self) -> dict[str, Run]:
        """The runs inside, of a study that includes others."""
        return {name: Run.open(self.folder / name) for name in self.head["parts"]}

    def tasks(self) -> dict[str, dict[str, Any]]:
        """What every cell is to compute, by its name.

        Raises `ValueError` for a user's file that is not the one the cells are named after.
        """
        from rivalry.study import verify

        verify(self.head["study"].get("files") or {}, Path(self.head["folder"]))
        return {cell.id: cell.task for cell in self.study.cells()}

    @property
    def made_by(self) -> dict[str, str]:
        """Versions and platform that the cells were computed with."""
        return dict(self.head["made_by"])

    def other_version(self) -> str | None:
        """The version that computed the cells there are, where it is not this one."""
        from importlib.metadata import version

        made = self.head["made_by"]["rivalry"]
        return None if made == version("rivalry") or not self._on_disk() else str(made)

    def accept_version(self) -> None:
        """Go on under this version; the earlier one is noted."""
        from rivalry.results import provenance

        history = [*self.head["history"], self.head["made_by"]]
        self.head = {**self.head, "made_by": provenance(used(self.study)), "history": history}
        files.write_json(self.folder / "study.json", self.head)

    # -- how far it is ---------------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """Cells ``total``, ``done``, ``failed`` and ``left``; with parts, of all of them."""
        parts = self.parts()
        if parts:
            each = [part.counts() for part in parts.values()]
            return {key: sum(one[key] for one in each) for key in each[0]}
        on_disk = self._on_disk()
        done = sum(place.id in on_disk for place in self.cells)
        failures = self.failures()
        failed = sum(place.id in failures for place in self.cells)
        total = len(self.cells)
        return {"total": total, "done": done, "failed": failed, "left": total - done - failed}

    @property
    def status(self) -> RunStatus:
        """``done``, ``failed`` (a cell did), or ``partial``."""
        counts = self.counts()
        if counts["failed"]:
            return "failed"
        return "partial" if counts["left"] else "done"

    def failures(self) -> dict[str, str]:
        """Cells that failed when they were last tried, and the line that says why."""
        on_disk = self._on_disk()
        states = Index.peek(self.folder / "index.sqlite")
        return {
            id: message for id, (state, message) in states.items() if state == "failed" and id not in on_disk
        }

    def warnings(self) -> dict[str, tuple[str, ...]]:
        """What finished cells warned of when they were computed, one line each; only cells that did."""
        on_disk = self._on_disk()
        states = Index.peek(self.folder / "index.sqlite")
        found = {place.id: states.get(place.id, ("", "")) for place in self.cells if place.id in on_disk}
        return {
            id: tuple(told.splitlines()) for id, (state, told) in found.items() if state == "done" and told
        }

    def _on_disk(self) -> set[str]:
        try:
            with os.scandir(self.folder / "cells") as entries:
                return {e.name[:-4] for e in entries if e.name.endswith(".npz")}
        except FileNotFoundError:
            return set()

    # -- work ------------------------------------------------------------------------------------------

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The folder for this object alone. Raises `StoreError` where another process has it."""
        if self._lock.held:
            yield
            return
        self._lock.acquire()
        try:
            yield
        finally:
            if self._index is not None:
                self._index.close()
                self._index = None
            self._lock.release()

    @property
    def index(self) -> Index:
        """The index, open; to be used while the folder is locked."""
        if self._index is None:
            self._index = Index(self.folder / "index.sqlite")
        return self._index

    def reconcile(self) -> Reconciled:
        """Read every cell there is: which are left, which were damaged (moved to ``damaged/``).

        Brings the index in line with the files. To be used while the folder is locked.
        """
        on_disk_head = upgraded(files.read_json(self.folder / "study.json"))
        if on_disk_head["cells"] != [list(place) for place in self.cells]:
            raise StoreError(f"{self.folder}: its study was changed by another process; open it again")
        for name in FOLDERS:
            (self.folder / name).mkdir(exist_ok=True)
            for part in (self.folder / name).glob(".*.part"):
                part.unlink()
        left, damaged, on_disk = [], [], self._on_disk()
        for place in self.cells:
            if place.id not in on_disk:
                left.append(place.id)
                continue
            try:
                self.read_cell(place.id)
            except DamagedFile as error:
                damaged.append(error)
                left.append(place.id)
                continue
            try:
                self._newer_certificate(place.id)
            except DamagedFile as error:  # the cell has its own still
                damaged.append(error)
        self.index.align(self._on_disk())
        return Reconciled(left, damaged)

    def cell_path(self, id: str) -> Path:
        """Where a cell's file lies."""
        return self.folder / "cells" / f"{id}.npz"

    def write_cell(self, id: str, record: Record, seconds: float = 0.0) -> None:
        """Store what a cell computed, and its wall time. Raises `DiskFull`."""
        files.write(self.cell_path(id), files.pack(record, kind="cell", name=id), durable=seconds > 1)
        self.note(id, "done", seconds)

    def read_cell(self, id: str) -> Record:
        """What a cell computed. A damaged file is moved to ``damaged/`` and `DamagedFile` raised."""
        return self._read(self.cell_path(id), "cell")

    def _read(self, path: Path, kind: str) -> Record:
        try:
            return files.read(path, kind=kind, name=path.stem).record
        except DamagedFile as error:
            self._set_aside(error, kind)
            raise

    def _set_aside(self, error: DamagedFile, kind: str) -> None:
        if error.path.exists():
            aside = self.folder / "damaged"
            aside.mkdir(exist_ok=True)
            error.path.replace(aside / f"{time.strftime('%Y%m%dT%H%M%S')}-{kind}-{error.path.name}")
            self.log(f"{error}; moved to damaged/")

    def note(self, id: str, state: str, seconds: float | None = None, message: str = "") -> None:
        """Write into the index how a cell ended: ``done`` (what it warned of) or ``failed`` (why)."""
        self.index.note(id, state, seconds, message)

    def seconds(self) -> dict[str, float]:
        """Wall times of cells, where they are known."""
        return self.index.seconds()

    def log(self, line: str) -> None:
        """Add to the run's log. Raises `DiskFull`."""
        path = self.folder / "log.txt"
        with files.room_for(path), path.open("a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def write_certificate(self, id: str, record: Record) -> None:
        """Keep a recomputed certificate beside its cell, which stays as it is. Raises `DiskFull`."""
        path = self.folder / "certificates" / f"{id}.npz"
        path.parent.mkdir(exist_ok=True)
        files.write(path, files.pack(record, kind="certificate", name=id, of=self._digest(id)))

    def _digest(self, id: str) -> str:
        return self.cell_path(id).read_bytes()[-64:].decode()

    def _newer_certificate(self, id: str) -> Record:
        """The recomputed certificate of a cell; empty where there is none, or it is of another result."""
        path = self.folder / "certificates" / f"{id}.npz"
        if not path.exists():
            return {}
        try:
            stored = files.read(path, kind="certificate", name=id)
        except DamagedFile as error:
            self._set_aside(error, "certificate")
            raise
        return stored.record if stored.meta["of"] == self._digest(id) else {}

    # -- what it found ---------------------------------------------------------------------------------

    def dataset(self) -> Dataset:
        """All finished cells as one labelled dataset, also written to ``dataset.nc``.

        ``cell`` names every cell of the study, finished or not; an unfinished one has no ``status``.
        Recomputed certificates take the place of the stored ones. Raises `DamagedFile` after every damaged
        cell was set aside; what is left then can be collected by another call, or redone by carrying on.
        """
        import numpy as np

        from rivalry.results import collect, netcdf

        if self.head["parts"]:
            raise StoreError(
                f"{self.folder}: has parts ({', '.join(self.head['parts'])}); each has a dataset"
            )
        rows, damaged, on_disk = [], [], self._on_disk()
        for place in self.cells:
            record: Record = {"cell": ((), np.asarray(place.id))}
            try:
                if place.id in on_disk:
                    record |= self.read_cell(place.id) | self._newer_certificate(place.id)
            except DamagedFile as error:
                damaged.append(error)
            rows.append((place.at, record))
        if damaged:
            more = f" (and {len(damaged) - 1} more)" if len(damaged) > 1 else ""
            redo = "certify" if damaged[0].path.parent.name == "certificates" else "resume"
            raise DamagedFile(damaged[0].path, f"{damaged[0].why}{more}; set aside, {redo} redoes it")
        data = collect(with_distances(rows, self._games_keys()), self.axes, self.head["companions"])
        data.attrs = {"title": self.title, "rivalry": self.made_by["rivalry"], "schema": SCHEMA}
        files.write(self.folder / "dataset.nc", netcdf(data))
        return data

    def _games_keys(self) -> set[str]:
        """Names of the coordinates, swept or batched, that belong to the game."""
        from rivalry.study.points import flat, short_names

        tables = (self.head["study"].get(table) or {} for table in ("sweep", "batch"))
        keys = [key for table in tables for key in flat(table) if key != "zip"]
        swept = {name for key, name in short_names(keys).items() if key.startswith("game.")}
        return swept | {"point"}  # which counts the values of keys that go in step

    def __repr__(self) -> str:
        counts = self.counts()
        said = [f"{counts['done']} of {counts['total']} cells done"]
        said += [f"{counts[key]} {key}" for key in ("failed", "left") if counts[key]]
        return f"Run {self.folder}: {self.status}, {', '.join(said)}\n  {self.title}"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(repr(self))}</pre>"

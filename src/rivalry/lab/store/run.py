"""A run folder as an object: cells to do and cells done, its lock, its files and its dataset."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from rivalry.core import files
from rivalry.core.files import DamagedFile, DiskFull, Lock, StoreError
from rivalry.core.results import SCHEMA, Record
from rivalry.lab.store.bookkeeping import SUMS, Index, altered, update_sums, write_sums
from rivalry.lab.store.cells import Forms, StoredCell, forms, labelled, misfits, record_fault
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
    text_digest,
    write_text,
)
from rivalry.lab.store.schema_1 import upgraded_record

if TYPE_CHECKING:
    from xarray import Dataset

    from rivalry.lab.study import Study

RunStatus = Literal["done", "partial", "failed"]

_KINDS = {"cells": "cell", "certificates": "certificate", "checkpoints": "checkpoint"}  # by their folders


class Reconciled(NamedTuple):
    """What the files say: cells still to do, and files that were damaged and set aside."""

    left: list[str]
    damaged: list[DamagedFile]


class LeftOut(NamedTuple):
    """A cell or a table that an output lacks, and why in one line."""

    name: str
    reason: str


class Collected(NamedTuple):
    """The dataset of a run's finished cells, and the files that it lacks because they are damaged."""

    data: Dataset
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
        self.cells = [StoredCell(*entry) for entry in head["cells"]]
        self._lock = Lock(folder)
        self._index: Index | None = None

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Run:
        """A run that exists. Raises `StoreError`, `DamagedFile`; warns of one without a digest."""
        run = cls._read(Path(folder))
        if run.head["schema"] < files.DIGESTS:
            older = "was written by an older version: its content is not protected by a digest"
            warnings.warn(f"{run.folder / NAME} {older}", stacklevel=1)  # one place: told once
        return run

    @classmethod
    def _read(cls, folder: Path) -> Run:
        if not os.path.lexists(folder / NAME):
            what = f"not a run folder (no {NAME} in it)" if folder.is_dir() else "no such run folder"
            raise StoreError(f"{folder}: {what}")
        run = cls(folder, read_head(folder))
        for name in (*FILES, *run.head["parts"]):
            if run._leads_out(folder / name):
                raise StoreError(f"{folder / name}: leads out of the run's folder; must be in it")
        return run

    def _leads_out(self, path: Path) -> bool:
        inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.folder))
        return path.is_symlink() and not inside

    @classmethod
    def create_or_open(cls, folder: str | os.PathLike[str], study: Study) -> Run:
        """The run of a study in a folder, made where it is not there yet.

        A study that has changed since then replaces the old one; cells that still belong to it are kept.
        Raises `StoreError` where another process uses the folder, or it holds something else; `DiskFull`.
        """
        folder = Path(folder)
        if folder.is_symlink():
            folder = _led_to(folder)
        head = head_of(study)
        if wrong := head_fault(head):
            raise StoreError(f"{study.name}: cannot be stored, {wrong}")
        if not (folder / NAME).exists():
            make_folder(folder, head, study)
        run = cls._open_or_mend(folder, head)
        with run.locked():
            run._take(head, study)
        for name, part in study.parts().items():
            cls.create_or_open(folder / name, part)
        return cls._read(folder)

    @classmethod
    def _open_or_mend(cls, folder: Path, head: Mapping[str, Any]) -> Run:
        """The run; where ``study.json`` is damaged, it is set aside and written anew."""
        try:
            return cls._read(folder)
        except DamagedFile as error:
            run = cls(folder, head)
            with run.locked():
                run._set_aside(error, "study")
                files.write_json(folder / NAME, head)
            return run

    def _take(self, head: Mapping[str, Any], study: Study) -> None:
        """Make the folder's study the one given; where it was made stays on record."""
        versions = ("made_by", "history")
        if {**head, **{key: self.head[key] for key in versions}} == self.head:
            return
        if self.other_version() is None:
            computed_by = {"made_by": head["made_by"], "history": self.head["history"]}
        else:
            computed_by = {key: self.head[key] for key in versions}
        files.write_json(self.folder / NAME, {**head, **computed_by})
        write_text(self.folder, study)
        same = head["study"] == self.head["study"]
        self.log("study.json was written anew" if same else "the study was changed")

    # -- what it is ------------------------------------------------------------------------------------

    @property
    def study(self) -> Study:
        """The resolved study. Raises `rivalry.lab.study.StudyError` where it cannot be made here."""
        from rivalry.lab.study import Study, StudyError

        try:
            return Study.from_resolved(self.head["study"], Path(self.head["folder"]))
        except StudyError:
            raise
        except Exception as error:  # tables of the right form whose values nothing here would write
            raise DamagedFile(self.folder / NAME, f"study: {type(error).__name__}: {error}") from None

    @property
    def title(self) -> str:
        """The study's title, or the folder's name."""
        return str(self.head["study"].get("title") or self.name)

    def parts(self) -> dict[str, Run]:
        """The runs inside, of a study that includes others."""
        parts = {name: Run._read(self.folder / name) for name in self.head["parts"]}
        for part in parts.values():
            if part.head["parts"]:
                raise DamagedFile(part.folder / NAME, "parts: a part has none of its own")
        return parts

    @property
    def text(self) -> str | None:
        """``study.toml`` as it lies there; None where there is none, or it is not UTF-8."""
        try:
            return files.read_bytes(self.folder / "study.toml").decode()
        except (DamagedFile, UnicodeDecodeError):
            return None

    @property
    def text_fault(self) -> str:
        """In one line that ``study.toml`` is not the one ``study.json`` was made from; empty where it is."""
        path, known = self.folder / "study.toml", self.head.get("toml")
        if not os.path.lexists(path):
            return f"{path}: missing; the run is of what study.json says" if known else ""
        try:
            text = files.read_bytes(path)
            text.decode()
        except DamagedFile as error:
            return str(error)
        except UnicodeDecodeError:
            return f"{path}: is not UTF-8; the run is of what study.json says"
        if known is None or text_digest(text) == known:  # schema 1 kept no digest of it
            return ""
        return f"{path}: was edited after the run was made; the run is of what study.json says"

    def tasks(self) -> dict[str, dict[str, Any]]:
        """What every cell is to compute, by its name.

        Raises `ValueError` for a user's file that is not the one the cells are named after.
        """
        from rivalry.lab.study import verify

        verify(self.head["study"].get("files") or {}, Path(self.head["folder"]))
        cells = self.study.cells()
        if self.head.get("cell_schema") == 1:  # identifiers are digests of the words of then: found by place
            places = {_at(cell.point, cell.method, cell.replication): cell.task for cell in cells}
            ours = {p.id: places.get(_at(p.point, p.method, p.replication)) for p in self.cells}
            tasks = {id: task for id, task in ours.items() if task is not None}
        else:
            tasks = {cell.id: cell.task for cell in cells}
        missing = {place.id for place in self.cells} - set(tasks)
        if missing:
            raise StoreError(f"{self.folder}: {min(missing)} is not a cell of its study; run the study again")
        return tasks

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
        from rivalry.core.results import provenance

        history = [*self.head["history"], self.head["made_by"]]
        self.head = {**self.head, "made_by": provenance(packages_of(self.study)), "history": history}
        files.write_json(self.folder / NAME, {**self.head, "schema": SCHEMA, "toml": self._text_digest()})

    def _text_digest(self) -> str:
        """That of schema 2; a run of schema 1 takes the text as it is."""
        text = self.text
        known = self.head.get("toml")
        return str(known) if known is not None else text_digest(text.encode()) if text else ""

    # -- how far it is ---------------------------------------------------------------------------------

    def counts(self, damaged: Iterable[DamagedFile] = ()) -> dict[str, int]:
        """Cells ``total``, ``done``, ``failed`` and ``left``, those ``damaged`` among them.

        With parts, of all of them.
        """
        parts, damaged = self.parts(), list(damaged)
        if parts:
            each = [part.counts(damaged) for part in parts.values()]
            return {key: sum(one[key] for one in each) for key in each[0]}
        on_disk = self._on_disk() - {e.path.stem for e in damaged if e.path.parent == self.folder / "cells"}
        done = sum(place.id in on_disk for place in self.cells)
        failures = self.failures()
        failed = sum(place.id in failures for place in self.cells)
        total = len(self.cells)
        return {"total": total, "done": done, "failed": failed, "left": total - done - failed}

    @property
    def status(self) -> RunStatus:
        """``done``, ``failed`` (a cell did), or ``partial``."""
        return status_of(self.counts())

    def left_out(self, damaged: Iterable[DamagedFile]) -> list[LeftOut]:
        """The cells that a dataset lacks, in their order, and why; ``damaged`` as `collect` told of them."""
        broken = {error.path.stem: error for error in damaged if error.path.parent.name == "cells"}
        on_disk, failures = self._on_disk(), self.failures()
        found = []
        for place in self.cells:
            if place.id in broken:
                found.append(LeftOut(place.id, f"damaged ({broken[place.id].why})"))
            elif place.id in failures:
                found.append(LeftOut(place.id, f"failed ({failures[place.id]})"))
            elif place.id not in on_disk:
                found.append(LeftOut(place.id, "not done"))
        return found

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
            id: tuple(text.splitlines()) for id, (state, text) in found.items() if state == "done" and text
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
        check_length(self.folder)
        self._lock.acquire()
        try:
            for error in list(altered(self.folder)):  # all of them can be made anew
                warnings.warn(self._set_aside(error), stacklevel=4)
            (self.folder / SUMS).unlink(missing_ok=True)
            yield
        finally:
            if self._index is not None:
                self._index.close()
                self._index = None
            with suppress(DiskFull):  # without sums nothing is known, and nothing wrong
                write_sums(self.folder)
            self._lock.release()

    def seal(self) -> None:
        """Put the report and the figures on record in ``SHA256SUMS``, unless work is going on."""
        with suppress(StoreError):
            self._lock.acquire()
            try:
                update_sums(self.folder)
            finally:
                self._lock.release()

    @property
    def index(self) -> Index:
        """The index, open; to be used while the folder is locked."""
        if self._index is None:
            self._index = Index(self.folder / "index.sqlite")
        return self._index

    def reconcile(self) -> Reconciled:
        """Read every file there is: which cells are left, which files were damaged (moved to ``damaged/``).

        Brings the index in line with the files. To be used while the folder is locked.
        """
        if read_head(self.folder)["cells"] != [list(place) for place in self.cells]:
            raise StoreError(f"{self.folder}: its study was changed by another process; open it again")
        for name in FOLDERS:
            (self.folder / name).mkdir(exist_ok=True)
            for part in (self.folder / name).glob(".*.part"):
                part.unlink()
        damaged = self.damaged()
        for error in damaged:
            self._set_aside(error)
        on_disk = self._on_disk()
        self.index.align(on_disk)
        return Reconciled([place.id for place in self.cells if place.id not in on_disk], damaged)

    def damaged(self) -> list[DamagedFile]:
        """Every file of the run that is not what was written, the cells first. Writes nothing."""
        cells = self._read_all(lambda id, record: None)
        found = [*cells, *self._damaged_checkpoints(), *altered(self.folder)]
        index = self.folder / "index.sqlite"
        if index not in {error.path for error in found} and (why := Index.fault(index)):
            found.append(DamagedFile(index, why))
        return found

    def _read_all(self, take: Callable[[str, Record], object]) -> list[DamagedFile]:
        """Hand over every cell that can be used, its newer certificate in place; the files that cannot be."""
        on_disk, readable = self._on_disk(), list[tuple[str, Forms]]()
        damaged = []
        for place in self.cells:
            if place.id not in on_disk:
                continue
            try:
                record = self.read_cell(place.id)
            except DamagedFile as error:
                damaged.append(error)
                continue
            try:
                record = record | self._newer_certificate(place.id, record)
            except DamagedFile as error:  # the cell has its own still
                damaged.append(error)
            readable.append((place.id, forms(record)))
            take(place.id, record)
        strange = misfits([own for _, own in readable])
        return damaged + [DamagedFile(self.cell_path(readable[k][0]), why) for k, why in strange.items()]

    def _damaged_checkpoints(self) -> Iterator[DamagedFile]:
        for path in sorted((self.folder / "checkpoints").glob("*.npz")):
            try:
                self._read_inside(path, kind="checkpoint", name=path.stem)
            except DamagedFile as error:
                yield error

    def cell_path(self, id: str) -> Path:
        """Where a cell's file lies."""
        return self.folder / "cells" / f"{id}.npz"

    def write_cell(self, id: str, record: Record, seconds: float = 0.0) -> None:
        """Store what a cell computed, and its wall time. Raises `DiskFull`."""
        files.write(self.cell_path(id), files.pack(record, kind="cell", name=id), durable=seconds > 1)
        self.note(id, "done", seconds)

    def read_cell(self, id: str) -> Record:
        """What a cell computed. Raises `DamagedFile`."""
        path = self.cell_path(id)
        record = self._read_inside(path, kind="cell", name=id).record
        if wrong := record_fault(record):
            raise DamagedFile(path, wrong)
        return record

    def _read_inside(self, path: Path, **expected: Any) -> files.Stored:
        if self._leads_out(path):
            raise DamagedFile(path, "leads out of the run's folder")
        stored = files.read(path, **expected)
        if stored.meta["schema"] >= files.DIGESTS or expected.get("kind") == "checkpoint":
            return stored
        family = str((self.head["study"].get("game") or {}).get("family"))
        return stored._replace(record=upgraded_record(stored.record, family))

    def _set_aside(self, error: DamagedFile, kind: str = "") -> str:
        """Move a damaged file to ``damaged/``; returns the line that the log got."""
        line = f"{error}; made anew"
        if os.path.lexists(error.path):
            aside = self.folder / "damaged"
            aside.mkdir(exist_ok=True)
            kind = kind or _KINDS.get(error.path.parent.name, "file")
            name = f"{time.strftime('%Y%m%dT%H%M%S')}-{kind}-{error.path.name}"
            error.path.replace(aside / name)
            line = f"{error}; moved to damaged/"
        self.log(line)
        return line

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

    def _newer_certificate(self, id: str, record: Record) -> Record:
        """The recomputed certificate of a cell; empty where there is none, or it is of another result."""
        path = self.folder / "certificates" / f"{id}.npz"
        if not os.path.lexists(path):
            return {}
        stored = self._read_inside(path, kind="certificate", name=id)
        if stored.meta.get("of") != self._digest(id):
            return {}
        if wrong := record_fault(record | stored.record):
            raise DamagedFile(path, wrong)
        return stored.record

    # -- what it found ---------------------------------------------------------------------------------

    def collect(self) -> Collected:
        """All finished cells as one labelled dataset; writes nothing.

        ``cell`` names every cell of the study, finished or not; an unfinished one has no ``status``.
        Recomputed certificates take the place of the stored ones. A damaged file is left out and named.
        """
        if self.head["parts"]:
            raise StoreError(
                f"{self.folder}: has parts ({', '.join(self.head['parts'])}); each has a dataset"
            )
        found: dict[str, Record] = {}
        damaged = self._read_all(found.__setitem__)
        for error in damaged:
            if error.path.parent.name == "cells":
                found.pop(error.path.stem, None)
        try:
            data = labelled(self.cells, found, self.head)
        except Exception as error:  # whatever NumPy and xarray make of arrays of somebody else's
            why = f"do not fit together, {type(error).__name__}: {error}"
            raise DamagedFile(self.folder / "cells", " ".join(why.split())) from None
        data.attrs = {"title": self.title, "rivalry": self.made_by["rivalry"], "schema": SCHEMA}
        return Collected(data, damaged)

    def dataset(self) -> Dataset:
        """All finished cells as one labelled dataset, see `collect`; warns of every damaged file."""
        data, damaged = self.collect()
        for error in damaged:
            redo = "certify" if error.path.parent.name == "certificates" else "resume"
            warnings.warn(f"{error}; left out, `rivalry {redo}` redoes it", stacklevel=2)
        return data

    def write_dataset(self) -> None:
        """Put the dataset into ``dataset.nc``. Raises `DiskFull`."""
        from rivalry.core.results import netcdf

        files.write(self.folder / "dataset.nc", netcdf(self.dataset()))

    def __repr__(self) -> str:
        counts = self.counts()
        said = [f"{counts['done']} of {counts['total']} cells done"]
        said += [f"{counts[key]} {key}" for key in ("failed", "left") if counts[key]]
        return f"Run {self.folder}: {self.status}, {', '.join(said)}\n  {self.title}"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(repr(self))}</pre>"


def _at(point: Mapping[str, Any], method: str, replication: int) -> str:
    """A cell's place, as a key."""
    return json.dumps([point, method, replication], sort_keys=True)


def status_of(counts: Mapping[str, int]) -> RunStatus:
    """What a run's `Run.counts` say of it."""
    if counts["failed"]:
        return "failed"
    return "partial" if counts["left"] else "done"


def _led_to(link: Path) -> Path:
    """The folder that a link leads to. Raises `StoreError` for one that leads to none."""
    try:
        found = link.resolve(strict=True)
    except (OSError, RuntimeError):  # to nothing, or in a circle
        raise StoreError(f"{link}: a link that leads nowhere; choose another folder") from None
    return found

"""Files of a run's cells and of their newer certificates, each read once."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rivalry.core import files
from rivalry.core.files import DamagedFile
from rivalry.core.results import Record
from rivalry.lab.store.cells import Forms, forms, misfits, record_fault
from rivalry.lab.store.schema_1 import upgrade_record

Stamps = tuple[files.Stamp, files.Stamp | None]
"""Stamps of a cell's file and of its certificate, if it has one."""


class ReadCell(NamedTuple):
    """A cell's file as read, None if it is damaged, with its newer certificate and the damaged files."""

    stamps: Stamps
    cell: files.Stored | None
    certificate: Record
    forms: Forms
    damaged: tuple[DamagedFile, ...]


class CellFiles:
    """Files of the cells in a run folder; a file is read again only after it has changed."""

    def __init__(self, folder: Path, family: str) -> None:
        self.folder, self.family = folder, family
        self._known: dict[str, ReadCell] = {}

    def path(self, id: str) -> Path:
        """Return the path of a cell's file."""
        return self.folder / "cells" / f"{id}.npz"

    def _certificate_path(self, id: str) -> Path:
        return self.folder / "certificates" / f"{id}.npz"

    def stamps(self) -> dict[str, Stamps]:
        """Return what changes whenever the file of a cell or its certificate does, by the cell."""
        certificates = files.stamps_in(self.folder / "certificates")
        return {id: (own, certificates.get(id)) for id, own in files.stamps_in(self.folder / "cells").items()}

    def read_all(self, ids: Iterable[str]) -> tuple[dict[str, Record], list[DamagedFile], dict[str, Stamps]]:
        """Return every usable cell, with its newer certificate, the unusable files, and all stamps."""
        stamps = self.stamps()
        with _no_collection():
            self._known = {id: self._read(id, stamps[id]) for id in ids if id in stamps}
        damaged = [error for one in self._known.values() for error in one.damaged]
        found = {id: one.cell.record | one.certificate for id, one in self._known.items() if one.cell}
        readable = list(found)
        for k, why in misfits([self._known[id].forms for id in readable]).items():
            damaged.append(DamagedFile(self.path(readable[k]), why))
        return found, damaged, stamps

    def read(self, id: str) -> files.Stored:
        """Return the contents of a cell's file. Raises `DamagedFile`."""
        known = self._known.get(id)
        if known is not None and known.cell and known.stamps[0] == _stamp(self.path(id)):
            return known.cell
        stored = self.read_inside(self.path(id), kind="cell", name=id)
        if wrong := record_fault(stored.record):
            raise DamagedFile(self.path(id), wrong)
        return stored

    def forget(self) -> None:
        """Forget the contents of all files."""
        self._known = {}

    def _read(self, id: str, stamps: Stamps) -> ReadCell:
        known = self._known.get(id)
        if known is not None and known.stamps == stamps:
            return known
        try:
            cell = self.read(id)
        except DamagedFile as error:
            return ReadCell(stamps, None, {}, {}, (error,))
        damaged, newer = list[DamagedFile](), Record()
        if stamps[1] is not None:
            try:
                newer = self._newer_certificate(id, cell)
            except DamagedFile as error:  # the cell still has its own certificate
                damaged.append(error)
        return ReadCell(stamps, cell, newer, forms(cell.record | newer), tuple(damaged))

    def _newer_certificate(self, id: str, cell: files.Stored) -> Record:
        """Return a cell's recomputed certificate; empty if it is of another result."""
        path = self._certificate_path(id)
        stored = self.read_inside(path, kind="certificate", name=id)
        if stored.meta.get("of") != cell.digest:
            return {}
        if wrong := record_fault(cell.record | stored.record):
            raise DamagedFile(path, wrong)
        return stored.record

    def write_certificate(self, id: str, record: Record) -> None:
        """Store a recomputed certificate beside its cell, which stays unchanged. Raises `DiskFull`."""
        path = self._certificate_path(id)
        path.parent.mkdir(exist_ok=True)
        # the cell's digest ties the certificate to this result: a cell computed again outdates it
        files.write(path, files.pack(record, kind="certificate", name=id, of=self.read(id).digest))

    def read_inside(self, path: Path, **expected: Any) -> files.Stored:
        """Return the contents of a file that must be in the run's folder. Raises `DamagedFile`."""
        if leads_out(path, self.folder):
            raise DamagedFile(path, "leads out of the run's folder")
        stored = files.read(path, **expected)
        if stored.meta["schema"] >= files.DIGESTS or expected.get("kind") == "checkpoint":
            return stored
        return stored._replace(record=upgrade_record(stored.record, self.family))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the collection of garbage, which would go through all that is kept again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def leads_out(path: Path, folder: Path) -> bool:
    """Return whether a path is a link to outside a folder."""
    return os.path.islink(path) and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _stamp(path: Path) -> files.Stamp | None:
    """Return the stamp of a file, if it is there."""
    try:
        return files.stamp_of(path.stat())
    except OSError:
        return None

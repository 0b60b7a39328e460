"""Shards of a run: its cells in parts of equal size, computed by several machines, and merged."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rivalry.core.files import DamagedFile, StoreError, folder_for, read_bytes
from rivalry.lab.executor import EventCallback, carry_out
from rivalry.lab.store import Run

FOLDER = "array"  # in a run's folder: a run of the same study per shard


class Shard(NamedTuple):
    """The k-th of ``total`` shards; k counts from 1.

    >>> Shard(2, 3).of("abcdefgh")
    'cde'
    """

    k: int
    total: int

    def of(self, cells: Sequence[str]) -> Sequence[str]:
        """Return the cells of this shard: consecutive ones, as they share compiled programs."""
        return cells[len(cells) * (self.k - 1) // self.total : len(cells) * self.k // self.total]

    def __str__(self) -> str:
        return f"{self.k}-of-{self.total}"


def shards(run: Run) -> Iterator[tuple[Shard, Path]]:
    """Yield the shards with a folder in a run's folder, in order. Raises `StoreError` for a link."""
    shard_folders, home = [], run.folder / FOLDER
    for path in (folder_for(home) if os.path.lexists(home) else home).glob("*-of-*"):
        k, _, count = path.name.partition("-of-")
        if k.isdecimal() and count.isdecimal() and not path.is_symlink():
            shard_folders.append((Shard(int(k), int(count)), path))
    yield from sorted(shard_folders, key=lambda pair: pair[0][::-1])


def progress_of(run: Run, shard: Shard, folder: Path) -> dict[str, int]:
    """Return the number of cells of a shard, and of those done there or merged."""
    cells = set(_cells(run, shard))
    finished = _finished(run) | _finished(Run.open(folder))
    return {"shard": shard.k, "of": shard.total, "total": len(cells), "done": len(cells & finished)}


def work(
    run: Run,
    shard: Shard,
    out: Path | None = None,
    *,
    workers: int | None = None,
    progress: EventCallback | None = None,
    trusted: bool = False,
) -> Run:
    """Compute the cells of a shard that a run lacks, in a folder of their own, and return that run."""
    # a run has no links, but the folder that a person names may be one
    folder = folder_for(folder_for(run.folder / FOLDER) / str(shard)) if out is None else out
    part = Run.create_or_open(folder, run.study)
    missing_cells = set(_cells(run, shard)) - _finished(run)
    carry_out(part, workers=workers, progress=progress, trusted=trusted, only=missing_cells)
    return part


def merge(run: Run, folders: Sequence[Path]) -> list[DamagedFile]:
    """Take the cells that were computed in other folders; return damaged files there, which are left out.

    Raises
    ------
    StoreError
        For a folder of another study, for a cell in two of the folders, for one that differs from the run's,
        and, after all others are merged, where cells are in none of the folders.
    """
    parts = [Run.open(folder) for folder in folders]
    home: dict[str, Path] = {}
    for part in parts:
        finished = _finished(part)
        if repeated := finished & home.keys():
            suffix = f" and {len(repeated) - 1} more" if len(repeated) > 1 else ""
            raise StoreError(
                f"{part.folder}: cell {min(repeated)}{suffix} is in {home[min(repeated)]} too; "
                "give one of them"
            )
        home |= dict.fromkeys(finished, part.folder)
    with run.locking():
        damaged = [error for part in parts for error in run.take(part)]
        run.write_datasets()
    if missing := run.counts()["left"]:
        raise StoreError(
            f"{run.folder}: {missing} cells are in no part{_missing(parts)}; merge the others, "
            "or `rivalry resume` computes them"
        )
    return damaged


def gather(run: Run) -> list[DamagedFile]:
    """Move the cells of all shards in a run's folder to the run; return damaged files, which stay.

    Raises `StoreError` where a shard is being computed.
    """
    damaged = list[DamagedFile]()
    for shard, folder in shards(run):
        part = Run.open(folder)
        with run.locking(), part.locking():
            faults = run.take(part, move=True)
            with suppress(DamagedFile):  # tracebacks of failed cells stand there only
                text = read_bytes(folder / "log.txt").decode(errors="replace").rstrip()
                run.log(f"log of shard {shard}:\n{text}")
        if not faults:
            shutil.rmtree(folder)
        damaged += faults
    return damaged


def _cells(run: Run, shard: Shard) -> list[str]:
    """Return the cells of a shard; of a study of studies, the shards of all of its parts."""
    cells_of_parts = [[place.id for place in part.cells] for part in (run, *run.parts().values())]
    return [id for cells in cells_of_parts for id in shard.of(cells)]


def _finished(run: Run) -> set[str]:
    return {id for part in (run, *run.parts().values()) for id in part.finished()}


def _missing(parts: Sequence[Run]) -> str:
    """Return the shards that are not there, if the folders have the names of shards."""
    names = [part.folder.name.partition("-of-") for part in parts]
    if len({count for _, _, count in names}) != 1 or not all(
        k.isdecimal() and n.isdecimal() for k, _, n in names
    ):
        return ""
    count = int(names[0][2])
    absent = sorted(set(range(1, count + 1)) - {int(k) for k, _, _ in names})
    return f" (no shard {', '.join(map(str, absent))} of {count})" if absent else ""

"""Runs of the workbench: their list, their state while they are computed, and how to continue them."""

from __future__ import annotations

import os
import shlex
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rivalry.core.files import DamagedFile, StoreError, read_json, write_json
from rivalry.core.results import SCHEMA
from rivalry.lab.executor import cores
from rivalry.lab.store import Run, finished_cells, status_of
from rivalry.lab.store.head import is_file_name
from rivalry.lab.study.expect import is_reduced
from rivalry.lab.study.identity import Table, TableDict
from rivalry.web.processes import Jobs
from rivalry.web.safety import Refused

if TYPE_CHECKING:
    from rivalry.lab.study import Study

NAME = "study.json"
NOTES = "notes.json"  # what a reader notes of a run; no part of its results
NOTE, TAGS, TAG = 2000, 12, 40  # most characters of a note, tags, and characters of a tag
KEEP = 200  # runs of which the head stays in memory


class Runs:
    """Run folders below ``home/runs``, and those opened by name; each is read again only when it changed."""

    def __init__(self, home: Path, jobs: Jobs, opened: Path | None = None) -> None:
        self.home, self.jobs, self.opened = home, jobs, opened
        self._read: dict[Path, tuple[int, Run]] = {}

    @property
    def folder(self) -> Path:
        """Folder in which new runs are made."""
        return self.home / "runs"

    def folders(self) -> dict[str, Path]:
        """Return all run folders by name. A name of a request is only ever looked up here."""
        folders: dict[str, Path] = {}
        if self.folder.is_dir():
            with os.scandir(self.folder) as entries:
                names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
            folders = {name: self.folder / name for name in names if (self.folder / name / NAME).exists()}
        if self.opened is not None:
            folders[self.opened.name] = self.opened
        return folders

    def new_folder(self, name: str) -> Path:
        """Return the folder of a run to be made. Raises `Refused`."""
        if not is_file_name(name):
            raise Refused(400, f"run: {name[:60]!r} must be the name of a folder, not a path")
        return self.folders().get(name, self.folder / name)

    def path(self, name: str) -> Path:
        """Return a run's folder. Raises `Refused`."""
        folders = self.folders()
        if name in folders:
            return folders[name]
        started = self.folder / name if is_file_name(name) else None
        if started is not None and (self.jobs.is_working(started) or self.jobs.fault(started)):
            return started
        raise Refused(404, f"no run of the name {name[:60]!r}")

    def run(self, name: str) -> Run:
        """Return a run. Raises `Refused`."""
        return self._run(name, self.path(name))

    def _run(self, name: str, folder: Path) -> Run:
        try:
            stamp = (folder / NAME).stat().st_mtime_ns
            cached = self._read.get(folder)
            if cached is None or cached[0] != stamp:
                if len(self._read) >= KEEP:
                    self._read.clear()
                cached = self._read[folder] = (stamp, Run.open(folder))
            return cached[1]
        except (OSError, StoreError, DamagedFile) as error:
            raise Refused(409, f"{name}: {error}") from None

    def rows(self) -> list[TableDict]:
        """Return a row per run, latest first."""
        rows = []
        for name, folder in self.folders().items():
            row: TableDict = {
                "name": name,
                "title": name,
                "status": "damaged",
                "counts": None,
                "family": None,
            }
            try:
                run = self._run(name, folder)
                counts = run.counts()
                row |= {"title": run.title, "study": run.name, "family": _family(run), "counts": counts}
                row |= {"status": self.state(folder, counts), "reduced": is_reduced(run.head["study"])}
                row["parts"] = list(run.parts())
                row |= read_notes(folder)
            except (Refused, DamagedFile, StoreError) as error:
                row["fault"] = str(error)
            row["changed"] = _changed(folder)
            rows.append(row)
        return sorted(rows, key=lambda row: -row["changed"])

    def write_notes(self, name: str, note: str, tags: Sequence[object]) -> TableDict:
        """Store what a reader notes of a run, in a file of its own. Raises `Refused`."""
        words = [str(tag).strip() for tag in tags]
        if len(note) > NOTE or len(words) > TAGS or any(not 0 < len(tag) <= TAG for tag in words):
            raise Refused(400, f"a note has at most {NOTE} characters, and {TAGS} tags of at most {TAG} each")
        notes = {"note": note.strip(), "tags": list(dict.fromkeys(words))}
        write_json(self.run(name).folder / NOTES, {"schema": SCHEMA, **notes})
        return notes

    def state(self, folder: Path, counts: Mapping[str, int]) -> str:
        """Return ``running``, or how a run stands: done, partial or failed."""
        return "running" if self.jobs.is_working(folder) else status_of(counts)

    def about(self, name: str) -> TableDict:
        """Initial contents of the page of a run: its study, and the states of its cells."""
        folder = self.path(name)
        if not (folder / NAME).exists():
            return {"name": name, "status": "starting", "fault": self.jobs.fault(folder)}
        run = self.run(name)
        parts = run.parts() or {run.name: run}
        return {
            "name": name,
            "argument": shlex.quote(str(folder)),
            "study": run.name,
            "title": run.title,
            "question": run.head["study"].get("question", ""),
            "reduced": is_reduced(run.head["study"]),
            "parts": [
                {"name": name_of_part, "cells": len(part.cells)} for name_of_part, part in parts.items()
            ],
            "files": sorted({file for part in parts.values() for file in _code(part)}),
            "replications": (run.head["study"].get("replications") or {}).get("count", 1),
            **self.snapshot(name),
        }

    def snapshot(self, name: str) -> TableDict:
        """Return the state of every cell, the time left per method, and when this was read (``at``)."""
        at, folder = time.monotonic(), self.path(name)
        working = self.jobs.is_working(folder)
        if not (folder / NAME).exists():
            status = "starting" if working else "refused"
            return {"status": status, "fault": self.jobs.fault(folder), "at": at}
        run = self.run(name)
        states, remaining = "", Counter[str]()
        times: dict[str, list[float]] = {}
        for part in run.runs().values():
            finished, failed, started = finished_cells(part.folder), part.failures(), _started(part.folder)
            took = part.seconds() if working else {}
            for cell in part.cells:
                state = _state(cell.id, finished, failed, started)
                states += state
                if state in "01":
                    remaining[cell.method] += 1
                elif cell.id in took:
                    times.setdefault(cell.method, []).append(took[cell.id])
        counts = {"total": len(states), "done": states.count("2"), "failed": states.count("3")}
        counts["left"] = counts["total"] - counts["done"] - counts["failed"]
        seconds = {
            method: _estimate(times[method], count) if method in times else None
            for method, count in remaining.items()
        }
        status = "running" if working else status_of(counts)
        return {
            "status": status,
            "at": at,
            "head": str((folder / NAME).stat().st_mtime_ns),  # changes with the study
            "states": states,
            "left": seconds if working else {},
            "fault": self.jobs.fault(folder),
        }

    def part(self, name: str, part: str) -> Run:
        """Return a run, or one of its parts. Raises `Refused`."""
        return part_of(self.run(name), part)

    def start(self, folder: Path, study: Study, arguments: Sequence[str], trusted: Table) -> None:
        """Start the command that computes a study in a folder; all runs are started here. Raises `Refused`.

        Parameters
        ----------
        study
            The study that the command will compute.
        trusted
            Digests of files that the user trusts, by path.
        """
        from rivalry.web.studies import own_files, require_trust

        files = own_files(study)
        if (folder / NAME).exists():
            files |= _foreign(Run.open(folder))
        self.jobs.begin(folder, arguments, require_trust(files, trusted))

    def own_files(self, name: str) -> dict[str, str]:
        """Return the files that continuing a run runs or unpickles, with their digests. Raises `Refused`."""
        from rivalry.web.studies import own_files

        run = self.run(name)
        return own_files(run.study) | _foreign(run)

    def resume(self, name: str, trusted: Table) -> None:
        """Continue a run where it stopped. Raises `Refused`."""
        run = self.run(name)
        self.start(run.folder, run.study, ["resume", str(run.folder.resolve())], trusted)

    def repeat(self, name: str, replications: int, study: str, trusted: Table) -> None:
        """Compute more replications of a study, given as to a command, in a run's folder. Raises `Refused`.

        Finished cells are kept.
        """
        from rivalry.lab.report.commands import commands
        from rivalry.lab.study import load_study

        run = self.run(name)
        if run.parts():
            raise Refused(400, "a run of several studies has replications per study; run one of them")
        _, _, _, *options = shlex.split(commands(run)[0][0])
        options = _without(options, "replications.count=")
        extra_options = ["--replications", str(replications), "--out", str(run.folder.resolve())]
        self.start(run.folder, load_study(study), ["run", study, *options, *extra_options], trusted)


def part_of(run: Run, part: str) -> Run:
    """Return a run, or one of its parts. Raises `Refused`."""
    if not part:
        return run
    if part not in run.parts():
        raise Refused(404, f"no part of the name {part[:60]!r}")
    return run.parts()[part]


def read_notes(folder: Path) -> TableDict:
    """Notes of a reader on a run; nothing where the file is absent or not as it was written."""
    try:
        notes = read_json(folder / NOTES)
    except (OSError, StoreError, DamagedFile):
        return {"note": "", "tags": []}
    tags = notes.get("tags")
    return {"note": str(notes.get("note", ""))[:NOTE], "tags": [str(tag)[:TAG] for tag in tags or ()][:TAGS]}


def _foreign(run: Run) -> dict[str, str]:
    """Return the states of learners that somebody else pickled, with their digests."""
    from rivalry.lab.trust import foreign_checkpoints

    parts = run.runs().values()
    return {str(path): digest for part in parts for path, digest in foreign_checkpoints(part.folder)}


def _without(options: list[str], setting: str) -> list[str]:
    """Return options without ``--set`` of one key."""
    options_left: list[str] = []
    for option in options:
        if option.startswith(setting) and options_left and options_left[-1] == "--set":
            options_left.pop()
        else:
            options_left.append(option)
    return options_left


def _code(run: Run) -> Iterator[str]:
    """Yield the ``.py`` files that the study of a run names."""
    from rivalry.lab.study.names import files_in

    study = run.head["study"]
    kinds = [row if isinstance(row, str) else row.get("kind") for row in study.get("plots", ())]
    tables = [study.get("game"), study.get("method"), study.get("sweep"), study.get("batch"), kinds]
    yield from (name for name in files_in(tables) if name.endswith(".py"))


def _family(run: Run) -> str | None:
    game = run.head["study"].get("game") or {}
    return str(game["family"]) if "family" in game else None


def _changed(folder: Path) -> float:
    """Return when a run last changed, in seconds since 1970."""
    times = [0.0]
    for path in (folder / NAME, folder / "cells", folder / "log.txt"):
        try:
            times.append(path.stat().st_mtime)
        except OSError:
            continue
    return max(times)


def _started(folder: Path) -> set[str]:
    """Return the cells that have a checkpoint."""
    try:
        with os.scandir(folder / "checkpoints") as entries:
            return {entry.name[:-4] for entry in entries if entry.name.endswith(".npz")}
    except OSError:
        return set()


def _state(id: str, finished: set[str], failed: Mapping[str, str], started: set[str]) -> str:
    """Return 2 for a finished cell, 3 for a failed one, 1 for one with a checkpoint, else 0."""
    return "2" if id in finished else "3" if id in failed else "1" if id in started else "0"


def _estimate(times: list[float], remaining: int) -> float:
    """Return the seconds left for cells of one method at the pace of the finished ones on all processors."""
    return sum(times) / len(times) * remaining / min(cores(), remaining)

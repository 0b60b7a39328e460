"""Execution of a run: few quick cells in this process, others in spawned workers."""

from __future__ import annotations

import os
from bisect import insort
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from rivalry.core.batched_games import WIDTH
from rivalry.core.files import DiskFull, StoreError, folder_for, write
from rivalry.lab.executor.pool import CellOutcome, Executor, Here, Hire, Workers, one_thread
from rivalry.lab.store import Run, RunStatus, finished_cells
from rivalry.lab.study.identity import TableDict
from rivalry.runtime.imports import in_notebook
from rivalry.schema.validate import check_keywords

if TYPE_CHECKING:
    from rivalry.lab.study import Study
    from rivalry.lab.worker import Job

    Jobs = dict[str, Job]

__all__ = [
    "CellOutcome",
    "Executor",
    "Here",
    "Hire",
    "RunEvent",
    "Workers",
    "as_context",
    "carry_out",
    "certify",
    "cores",
    "run_study",
]

QUICK = 3.0  # seconds of work; below, starting workers costs more than they save

Kind = Literal[
    "started", "progress", "done", "failed", "damaged", "changed", "worker_died", "waiting", "collected"
]


class RunEvent(NamedTuple):
    """Event of a run: ``done`` of ``total`` cells, and the ``fraction`` of this cell's steps.

    Cells of a study's parts are named ``part/cell``; a part whose results are ``collected`` by its name.
    """

    kind: Kind
    cell: str
    done: int
    total: int
    message: str = ""
    fraction: float = 0.0


EventCallback = Callable[[RunEvent], object]  # returns True to stop


def cores() -> int:
    """Return the number of processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


@check_keywords
def run_study(
    study: Study,
    out: str | os.PathLike[str] | None = None,
    *,
    workers: int | None = None,
    progress: EventCallback | bool | None = None,
    executor: Hire | None = None,
) -> Run:
    """Run a study, or continue its run, and return the run; the whole study is checked first.

    Parameters
    ----------
    study
        As `rivalry.Study` or `rivalry.load_study` returns it.
    out
        Folder of the run; default ``runs/NAME``.
    workers
        Largest number of cells computed at a time; default one, or the capacity of ``executor``.
    progress
        Callback that receives `RunEvent` objects; returning True stops the work. ``True`` draws a bar, as in
        `rivalry.solve`.
    executor
        Executor factory for cells elsewhere, such as `rivalry.integrations.ray.Cluster`.

    Returns
    -------
    Run
        The run, complete unless it was stopped or cells failed.

    Raises
    ------
    ValueError
        For anything other than a study.
    StudyError
        For a study that cannot be run.
    StoreError
        For a folder that cannot be used.
    """
    from rivalry.lab.study import Study

    if not isinstance(study, Study):
        raise ValueError(f"study: {study!r} must be a Study, such as rv.load_study({str(study)!r})")
    folder = study.default_folder if out is None else Path(out)
    study.check(done=finished_cells(folder, study.parts()))
    run = Run.create_or_open(folder, study)
    if workers is None and executor is None:
        workers = 1
    if progress is True or in_notebook():
        from rivalry.solving.progress import Bar, Progress, bar_of  # loads JAX's part of the package

        with bar_of(progress, study.name, "cells") as receive:

            def show(event: RunEvent) -> object:
                return receive(Progress(event.done, event.total))

            callback = show if isinstance(receive, Bar) else receive or None
            carry_out(run, workers=workers, progress=callback, executor=executor)
    else:
        carry_out(run, workers=workers, progress=progress or None, executor=executor)
    return run


def carry_out(
    run: Run,
    *,
    workers: int | None = None,  # most processes; by default one per core, or the capacity of the executor
    progress: EventCallback | None = None,
    accept_version: bool = False,  # continue a run that another version of the package made
    trusted: bool = False,  # unpickle states of learners that somebody else stored, which can run any code
    checkpoint_every: float | None = None,  # seconds between saves within a long cell
    executor: Hire | None = None,  # factory of what computes all cells elsewhere
    only: Collection[str] | None = None,  # compute these cells alone, and collect nothing
) -> RunStatus:
    """Compute the remaining cells, and collect the run's dataset.

    A failed cell is recorded, with its traceback in ``log.txt``, while the others continue; the next call
    tries it again. Below about `QUICK` seconds of work the cells run in this process.

    Raises
    ------
    StoreError
        If another process uses the folder, or another version made it and ``accept_version`` is not set, or
        a learner would continue from somebody else's pickle and ``trusted`` is not set.
    DiskFull, KeyboardInterrupt
        Finished cells are kept.
    """
    with run.locking(), as_context(executor):
        total, before = run.counts()["total"] if only is None else len(only), 0
        for name, part in run.runs().items():
            with part.locking():
                work = _Work(
                    part, workers, executor, progress, trusted, checkpoint_every, name, before, total, only
                )
                work.all(accept_version)
            before += work.done
            if name and not work.stopped and progress is not None:
                work.stopped = progress(RunEvent("collected", name, before, total)) is True
            if work.stopped:
                break
        return run.status


def as_context(executor: Hire | None) -> AbstractContextManager[object]:
    """Return the executor factory as a context, to enter and leave a cluster; else a null context."""
    return executor if isinstance(executor, AbstractContextManager) else nullcontext()


@dataclass
class _Work:
    """Work on one run folder's cells, from the stored files to the dataset."""

    run: Run
    workers: int | None
    hire: Hire | None
    progress: EventCallback | None
    trusted: bool  # whether pickles of others are read
    every: float | None  # seconds between checkpoints
    part: str  # name among the parts of a study of studies, else empty
    before: int  # cells of earlier parts that are done
    total: int  # cells, of all parts
    only: Collection[str] | None = None  # cells to compute; None for all
    done: int = 0
    stopped: bool = False
    jobs: Jobs = field(default_factory=dict)  # under way, by the id of their first missing cell
    again: Jobs = field(default_factory=dict)  # what is left of batches, for the next round

    def all(self, accept_version: bool) -> None:
        self._check_version(accept_version)
        missing, damaged = self.run.reconcile()
        cell_ids = [cell.id for cell in self.run.cells if self.only is None or cell.id in self.only]
        missing = [id for id in missing if self.only is None or id in self.only]
        self.done = len(cell_ids) - len(missing)
        for error in damaged:
            self._report("damaged", error.path.stem, f"{error}; set aside, redone")
        if missing:
            self._compute(missing)
        if self.only is None:
            self.run.pack_cells()
            if self.done:
                self.run.write_dataset()

    def _check_version(self, accept: bool) -> None:
        made_with, present = self.run.other_version(), version("rivalry")
        if made_with is None:
            return
        if not accept:
            rule = f"resume with --accept-version to go on with {present}, or choose another folder"
            raise StoreError(f"{self.run.folder}: made by rivalry {made_with}; {rule}")
        self.run.accept_version()
        self.run.log(f"carried on by rivalry {present} after {made_with}")

    def _compute(self, missing: list[str]) -> None:
        from rivalry.lab.checkpoints import CHECKPOINT
        from rivalry.lab.worker import Job

        tasks = self.run.tasks()
        seconds_between = CHECKPOINT if self.every is None else self.every
        folder, out = str(self.run.head["folder"]), str(self.run.folder)
        todo = {id: Job(id, tasks[id], folder, out, seconds_between, self.trusted) for id in missing}
        self.again = _together(todo, [(cell.id, tasks[cell.id]) for cell in self.run.cells])
        for path in (self.run.folder / "checkpoints").glob("*.npz"):  # few, where cells are many
            if job := todo.get(path.stem):
                job.checkpoint().load()  # refused before any cell is computed
        while self.again and not self.stopped:
            self.jobs, self.again = self.again, {}
            self._run_jobs()

    def _run_jobs(self) -> None:
        executor, jobs = self._executor(self.jobs)
        if jobs and not self.stopped:
            for outcome in executor.run(list(jobs.values())):
                self._note(outcome)
                if self.stopped:
                    executor.stop()

    def _executor(self, jobs: Jobs) -> tuple[Executor, Jobs]:
        """Return the executor and the remaining jobs; a few quick jobs may be done here first."""
        count = self.workers or (cores() if self.hire is None else 0)
        capacity = f"{count} workers" if count else "as many as there is room for"
        cells = sum(len(job.missing) or 1 for job in jobs.values())
        self.run.log(f"{cells} of {len(self.run.cells)} cells to do, {capacity}")
        if self.hire is not None:
            return self.hire(count or None, self._progress), jobs
        if count == 1 or len(jobs) == 1:
            return Here(self._progress), jobs
        jobs = self._here_while_quick(jobs)
        return Workers(min(count, len(jobs)), self._progress), jobs

    def _here_while_quick(self, jobs: Jobs) -> Jobs:
        """Compute cells in this process while the rest is estimated to be quick; return the remaining jobs.

        The first cells also fill the cache of compiled programs, which the workers read.
        """
        in_process, remaining = Here(self._progress, limit=QUICK), dict(jobs)
        compiled, took = False, list[float]()  # times in increasing order
        for outcome in in_process.run(list(jobs.values())):
            if outcome.kind == "slow":
                break
            self._note(outcome)
            if outcome.kind in ("done", "failed"):
                remaining.pop(outcome.id)
            if outcome.kind == "done" and not compiled:
                compiled = True  # the first one includes compilation
            elif outcome.kind == "done":
                insort(took, outcome.seconds)
            if self.stopped or (took and took[len(took) // 2] * len(remaining) > QUICK):
                break
        return remaining

    def _progress(self, outcome: CellOutcome) -> bool:
        return self._report("progress", outcome.id, fraction=outcome.fraction)

    def _note(self, outcome: CellOutcome) -> None:
        """Record the outcome of a job."""
        job = self.jobs.get(outcome.id)
        if job is not None and job.batch and outcome.kind in ("done", "failed"):
            self._note_batch(job, outcome)
        else:
            self._note_cell(outcome)

    def _note_cell(self, outcome: CellOutcome) -> None:
        id, kind, message = outcome.id, outcome.kind, outcome.message
        for note in outcome.notes:
            self.run.log(f"cell {id}: {note}")
        if kind == "full":
            raise DiskFull(message)
        if kind == "slow":  # it was stopped, and nothing is lost
            return
        if kind == "done":
            # one line per warning: `Run.warnings` splits the text at line breaks
            self.run.note(id, "done", outcome.seconds, "\n".join(" ".join(n.split()) for n in outcome.notes))
            self.done += 1
        elif kind == "failed":
            self.run.note(id, "failed", message=message)
            self.run.log(f"cell {id} failed: {message}\n{outcome.trace}".rstrip())
        elif kind in ("worker_died", "waiting"):
            self.run.log(f"cell {id}: {message}{'; begun again' * (kind == 'worker_died')}")
        self._report(kind, id, message)

    def _note_batch(self, job: Job, outcome: CellOutcome) -> None:
        """Record the outcome of a batch; warnings that do not begin with a cell's id go to the first one."""
        finished, paths = list(job.missing), job.paths
        if outcome.kind == "failed":
            finished = [id for id in finished if paths[id].exists()]
            unfinished = [id for id in job.missing if id not in finished]
            cells_text = f"{len(unfinished)} of {len(job.missing)} cells from {job.id} on"
            self.run.log(f"{cells_text} are computed alone: {outcome.message}")
            tasks = dict(job.batch)
            plain = job._replace(batch=(), missing=())
            self.again |= {id: plain._replace(id=id, task=dict(tasks[id])) for id in unfinished}
        notes: dict[str, list[str]] = {id: [] for id in finished}
        for note in outcome.notes if finished else ():
            # warnings of cells that failed come again when these are computed alone
            id = next((id for id in job.missing if f" {id}: " in note), finished[0])
            if id in notes:
                notes[id].append(note.replace(f"{id}: ", "", 1))
        for id, lines in notes.items():
            cell_notes = tuple(lines)
            self._note_cell(CellOutcome("done", id, outcome.seconds / len(job.missing), notes=cell_notes))

    def _report(self, kind: Kind, cell: str, message: str = "", fraction: float = 0.0) -> bool:
        if self.progress is not None:
            name = f"{self.part}/{cell}" if self.part else cell
            event = RunEvent(kind, name, self.before + self.done, self.total, message, fraction)
            self.stopped = self.progress(event) is True or self.stopped
        return self.stopped


def batches_of(cells: Sequence[tuple[str, TableDict]]) -> list[list[tuple[str, TableDict]]]:
    """Return the cells that are computed together, of every method in the order of the sweep.

    Of larger batches `rivalry.core.batched_games.WIDTH` cells are computed at a time: each of these is kept.

    >>> tasks = [{"method": {"name": name}, "cells_per_batch": 2} for name in "abaa"]
    >>> [[id for id, _ in batch] for batch in batches_of(list(zip("1234", tasks, strict=True)))]
    [['1', '3'], ['4'], ['2']]
    """
    batches: dict[str, list[list[tuple[str, TableDict]]]] = {}
    for id, task in cells:
        method_batches = batches.setdefault(task["method"]["name"], [[]])
        if len(method_batches[-1]) == min(task.get("cells_per_batch", 1), WIDTH):
            method_batches.append([])
        method_batches[-1].append((id, task))
    return [batch for method_batches in batches.values() for batch in method_batches]


def _together(jobs: Jobs, cells: Sequence[tuple[str, TableDict]]) -> Jobs:
    """Return jobs with those of a batch joined into one, by the id of the first; batches are the study's."""
    joined = {}
    for batch in batches_of(cells):
        missing = tuple(id for id, _ in batch if id in jobs)
        if missing and len(batch) == 1:
            joined[missing[0]] = jobs[missing[0]]
        elif missing:
            joined[missing[0]] = jobs[missing[0]]._replace(batch=tuple(batch), missing=missing)
    return joined


def certify(
    run: Run, *, proof: bool = False, export: Path | None = None, progress: EventCallback | None = None
) -> int:
    """Recompute the certificates of all stored profiles and return their number; cells stay unchanged.

    The games are rebuilt from the resolved study, which runs the user files that it names. With ``proof``,
    bounds are computed with outward rounding, and exact equilibria near the profiles are proved. The solution
    concept of the method is kept. What a certificate says differently from that of its cell is logged, and
    reported as an event ``changed``. With ``export``, a folder, proof files are written there, one per proved
    claim, and ``proofs.txt``, a line on every result, with the reason where it has no file; files that
    `rivalry-check` verifies are named in the dataset.

    Raises
    ------
    StoreError
        If another process uses the folder.
    DiskFull
        If there is no space for a certificate.
    """
    from rivalry.lab.proofs import certificate_changes, export_proofs, file_stems, recertify

    with run.locking():
        if parts := run.parts():
            return sum(
                certify(part, proof=proof, export=export and export / name, progress=progress)
                for name, part in parts.items()
            )
        missing, count = set(run.reconcile().left), 0
        tasks, folder = run.tasks(), Path(run.head["folder"])
        names = file_stems(run.cells)
        finished = [place.id for place in run.cells if place.id not in missing]
        lines: list[str] = []
        with one_thread():
            for k, id in enumerate(finished):
                stored = run.read_cell(id)
                record: Any = recertify(tasks[id], folder, stored, proof)
                if export is not None:
                    folder_for(export)
                    proof_record, proof_lines = export_proofs(
                        tasks[id], folder, stored | record, names[id], export
                    )
                    record, lines = record | proof_record, [*lines, *proof_lines]
                if record:
                    run.write_certificate(id, record)
                    count += "regret" in record  # else only the reason why there is no proof
                    if changes := certificate_changes(stored, record, proof):
                        run.log(f"cell {id}: {changes}")
                        if progress is not None:
                            progress(RunEvent("changed", id, k, len(finished), changes))
                if progress is not None and progress(RunEvent("done", id, k + 1, len(finished))) is True:
                    break
        if export is not None:
            write(folder_for(export) / "proofs.txt", "".join(f"{line}\n" for line in lines).encode())
        run.pack_cells()
        if finished:
            run.write_dataset()
        return count

"""Spawned workers with one pipe and one current cell each, and the same work in this process.

The standard library's pools run every queued cell after Ctrl-C, break when one worker dies, and cannot
report a cell's progress.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
import types
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, runtime_checkable

from rivalry.core.files import DiskFull
from rivalry.runtime.blas import one_blas_thread

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from rivalry.lab.worker import Job
    from rivalry.solving import Progress

DEATHS = 3  # of workers on one cell, after which it counts as failed
PULSE = 0.2  # seconds between progress reports of a cell
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class CellOutcome(NamedTuple):
    """Outcome of a cell, or its progress (``fraction`` of its steps)."""

    kind: Literal["started", "progress", "done", "failed", "slow", "worker_died", "full", "waiting"]
    id: str
    seconds: float = 0.0
    fraction: float = 0.0
    message: str = ""
    trace: str = ""
    notes: tuple[str, ...] = ()  # warnings


ProgressOutcome = Callable[[CellOutcome], object]  # returns True to stop
Carry = Callable[["Job", Callable[["Progress"], bool]], float]  # computes a cell; returns seconds


@runtime_checkable
class Executor(Protocol):
    """Executor of jobs: `Here`, `Workers`, or another package's."""

    def run(self, jobs: Sequence[Job]) -> Iterator[CellOutcome]:
        """Yield the start and the outcome of each job, as they happen."""

    def stop(self) -> None:
        """End all work immediately; finished cells are kept."""


@runtime_checkable
class Hire(Protocol):
    """Executor factory, such as a cluster.

    A factory that is also a context manager is entered for the duration of a run.
    """

    def __call__(self, count: int | None, on_progress: ProgressOutcome, /) -> Executor:
        """Return an executor of at most ``count`` jobs at a time; None means as many as it has room for."""


@dataclass
class Here:
    """Executor of jobs in turn in this process."""

    on_progress: ProgressOutcome
    limit: float | None = None  # seconds after the first progress report when a job is stopped as ``slow``
    stopped: bool = False

    def run(self, jobs: Sequence[Job]) -> Iterator[CellOutcome]:
        """See `Executor`."""
        with one_thread():
            for job in jobs:
                if self.stopped:
                    return
                yield CellOutcome("started", job.id)
                outcome = self._outcome_of(job)
                if not (self.stopped and outcome.kind == "slow"):
                    yield outcome

    def _outcome_of(self, job: Job) -> CellOutcome:
        start_times: list[float] = []

        def report(outcome: CellOutcome) -> bool:
            start_times.append(time.monotonic())
            if self.on_progress(outcome) is True:
                self.stop()
            return self.stopped or (self.limit is not None and start_times[-1] - start_times[0] > self.limit)

        return work(job, report)

    def stop(self) -> None:
        """See `Executor`; the current call of the compiled program finishes first."""
        self.stopped = True


class Workers:
    """Executor in up to ``count`` spawned processes; it replaces dead workers and restarts their cells."""

    def __init__(self, count: int, on_progress: ProgressOutcome) -> None:
        self.count, self.on_progress = count, on_progress
        self._staff: list[_Worker] = []
        self._stop = False

    def run(self, jobs: Sequence[Job]) -> Iterator[CellOutcome]:
        """See `Executor`."""
        waiting, deaths = deque(jobs), Counter[str]()
        try:
            while not self._stop:
                for worker in self._idle(len(waiting)):
                    job = waiting.popleft()
                    worker.give(job)
                    yield CellOutcome("started", job.id)
                busy = {worker.pipe: worker for worker in self._staff if worker.job is not None}
                if not busy:
                    return
                for pipe in wait(list(busy)):
                    if self._stop:
                        return
                    worker = busy[pipe]  # type: ignore[index]
                    outcome = worker.answer()
                    if outcome.kind == "worker_died":
                        outcome = self._replace_dead(worker, outcome, waiting, deaths)
                    if outcome.kind != "progress":
                        yield outcome
                    elif self.on_progress(outcome) is True:
                        self._stop = True
        finally:
            self.stop()

    def _idle(self, count: int) -> list[_Worker]:
        """Return up to ``count`` idle workers, spawning new ones up to the number of the pool."""
        idle = [worker for worker in self._staff if worker.job is None][:count]
        for _ in range(min(count - len(idle), self.count - len(self._staff))):
            self._staff.append(_Worker())
            idle.append(self._staff[-1])
        return idle

    def _replace_dead(
        self, worker: _Worker, outcome: CellOutcome, waiting: deque[Job], deaths: Counter[str]
    ) -> CellOutcome:
        """Remove a dead worker and return its job's outcome; requeue the job unless it is done or failed."""
        job = worker.job
        assert job is not None
        self._staff.remove(worker)
        code = worker.end()
        # it died after the file was written, before it could report so
        if all(path.exists() for path in job.paths.values()):
            return CellOutcome("done", job.id)
        cause = f"by {signal.Signals(-code).name}" if code and code < 0 else f"with {code}"
        return retry_or_fail(job, outcome._replace(message=f"worker ended {cause}"), waiting, deaths)

    def stop(self) -> None:
        """See `Executor`; kills the workers."""
        self._stop = True
        staff, self._staff = self._staff, []
        for worker in staff:
            # all are killed before any is waited for
            worker.process.kill()
        for worker in staff:
            worker.end()


def retry_or_fail(job: Job, death: CellOutcome, waiting: deque[Job], deaths: Counter[str]) -> CellOutcome:
    """Return the outcome of a job whose worker died: it is first in the queue again, or failed."""
    deaths[job.id] += 1
    if deaths[job.id] == DEATHS:
        return CellOutcome("failed", job.id, message=f"{death.message}, {DEATHS} times; out of memory?")
    waiting.appendleft(job)
    return death


class _Worker:
    """A spawned process and the parent's end of its pipe."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self.process, self.pipe = spawn(_serve)

    def give(self, job: Job) -> None:
        self.job = job
        with suppress(OSError):  # it died: `answer` reports this
            self.pipe.send(job)

    def answer(self) -> CellOutcome:
        assert self.job is not None
        try:
            outcome: CellOutcome = self.pipe.recv()
        except (EOFError, OSError):
            return CellOutcome("worker_died", self.job.id)
        if outcome.kind != "progress":
            self.job = None
        return outcome

    def end(self) -> int | None:
        """End the process and return its exit code."""
        self.pipe.close()
        self.process.kill()
        self.process.join()
        code = self.process.exitcode
        self.process.close()
        return code


def spawn(target: Callable[..., object], *args: object) -> tuple[SpawnProcess, Connection]:
    """Start a process; return it and this side of the pipe whose other side is its first argument."""
    context = multiprocessing.get_context("spawn")
    near_end, far_end = context.Pipe()
    with worker_environment():
        process = context.Process(target=target, args=(far_end, *args), daemon=True)
        process.start()
    far_end.close()  # else this process would not notice the end of the other
    return process, near_end


@contextmanager
def worker_environment() -> Iterator[None]:
    """Set what a new process inherits: one linear-algebra thread, no Ctrl-C, not the user's main script.

    Otherwise every worker would run that script again. Scripts and notebooks need no ``__main__`` guard. The
    current folder is not on its module path while it starts: a file ``random.py`` there would be imported.
    """
    main, blank = sys.modules["__main__"], types.ModuleType("__main__")
    # blocked here and inherited: the new process must not end by Ctrl-C before `_serve` ignores it
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if os.name == "posix" else None
    sys.modules["__main__"] = blank
    try:
        with _env([*_THREADS, "PYTHONSAFEPATH"]):
            yield
    finally:
        sys.modules["__main__"] = main
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def _env(names: Sequence[str]) -> Iterator[None]:
    """Set environment variables to 1 meanwhile."""
    old = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in old.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one thread, as workers do, so that results are identical bit for bit."""
    with _env(_THREADS), one_blas_thread:
        yield


def _serve(pipe: Connection) -> None:
    """Run jobs from the pipe until it closes."""
    # a terminal sends Ctrl-C to all processes: only the parent decides what stops
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):  # the parent has closed the pipe, or has ended
        while True:
            job = pipe.recv()
            pipe.send(work(job, pipe.send))


def end_with_parent() -> None:
    """Wait for the parent process to end, however it ends, and end this one."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    # `sys.exit` would end this thread only
    os._exit(1)


def work(job: Job, report: Callable[[CellOutcome], object], carry: Carry | None = None) -> CellOutcome:
    """Run a job, by ``carry`` if given, and return its outcome; an exception is an outcome too."""
    from rivalry.lab import worker
    from rivalry.lab.checkpoints import Stopped

    reported = 0.0  # time of the last report

    def progress(event: Progress) -> bool:
        nonlocal reported
        if time.monotonic() - reported < PULSE:
            return False
        reported = time.monotonic()
        fraction = event.done / event.total if event.total else 0.0
        return report(CellOutcome("progress", job.id, fraction=fraction)) is True

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            outcome = CellOutcome("done", job.id, (carry or worker.carry_out)(job, progress))
        except Stopped:
            outcome = CellOutcome("slow", job.id)
        except DiskFull as error:
            outcome = CellOutcome("full", job.id, message=str(error))
        except (
            Exception,
            SystemExit,
        ) as error:  # a game, a method or a plug-in may raise anything: record it
            outcome = CellOutcome(
                "failed", job.id, message=_one_line(error, job), trace=traceback.format_exc()
            )
    notes = dict.fromkeys(f"{warning.category.__name__}: {warning.message}" for warning in caught)
    relevant = tuple(note for note in notes if "persistent compilation cache" not in note)
    if len(relevant) < len(notes):
        from rivalry.runtime.jax import mend_cache

        mend_cache()
    return outcome._replace(notes=relevant)


def _one_line(error: BaseException, job: Job) -> str:
    """Return an error in one line, with the last line of a user's file that led to it."""
    from rivalry.core.game import BrokenInvariant

    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    text += _last_line(error, [Path(job.folder, name).resolve() for name in job.task.get("files") or ()])
    return f"internal error, please report: {text}" if isinstance(error, BrokenInvariant) else text


def _last_line(error: BaseException, paths: Sequence[Path]) -> str:
    """Return the last line of one of these files among the frames of an error, or of its cause."""
    cause: BaseException | None = error
    while cause is not None:
        for frame in reversed(traceback.extract_tb(cause.__traceback__)):
            if Path(frame.filename).resolve() in paths:
                return f" ({Path(frame.filename).name}, line {frame.lineno}: {frame.line})"
        cause = cause.__cause__ or cause.__context__
    return ""

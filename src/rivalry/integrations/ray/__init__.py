"""Execution of a run's cells on a Ray cluster (extra ``deep``): same store, same bits, same resume."""

from __future__ import annotations

import pickle
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rivalry.core import files
from rivalry.lab.executor import cores
from rivalry.lab.executor.pool import CellOutcome, Executor, ProgressOutcome, retry_or_fail, spawn
from rivalry.lab.trust import cell_key
from rivalry.schema.installation import remedy

if TYPE_CHECKING:
    from rivalry.integrations.ray.cell import Message
    from rivalry.lab.worker import Job

__all__ = ["Cluster", "ClusterError", "ClusterLost"]

REACH = 13.0  # seconds for joining a running cluster
START = 120.0  # seconds for a busy machine to load Ray, or to start it


class ClusterError(ValueError):
    """Error of a cluster that cannot be used as requested; its message is one line."""


class ClusterLost(ClusterError):
    """Error of a cluster that disconnected during a run; every finished cell is stored."""


class Cluster:
    """Ray as the executor of a run's cells: ``rv.run_study(study, executor=Cluster())``.

    A cell takes one CPU. Its node needs the same versions of this package and its dependencies, but no disk
    shared with this machine: files that the study names are sent, and results and checkpoints are sent back.
    A cell whose node dies is restarted from its last checkpoint. Several runs share one connection in a
    ``with`` statement.

    Parameters
    ----------
    address : str, optional
        Address of a running cluster: ``"host:6379"`` or ``"auto"`` on one of its nodes,
        ``"ray://host:10001"`` elsewhere. By default Ray is started on this machine for the run, and ends with
        it.

    Raises
    ------
    ValueError
        If Ray is not installed.
    ClusterError
        In use, if the cluster cannot be joined.
    ClusterLost
        In use, if the cluster disconnects.

    Examples
    --------
    >>> import rivalry as rv
    >>> with Cluster("auto") as cluster:  # doctest: +SKIP
    ...     run = rv.run_study(rv.load_study("hopf_n3"), "runs/hopf", executor=cluster)
    """

    def __init__(self, address: str | None = None) -> None:
        if find_spec("ray") is None:
            raise ValueError(f"executor: needs ray; {remedy('deep')}")
        self.address = address
        self._users = 0
        self._line: _Line | None = None

    def __call__(self, count: int | None, on_progress: ProgressOutcome) -> Executor:
        """Return an executor of at most ``count`` cells at a time; by default as many as there are CPUs."""
        return _Cells(self, count, on_progress)

    def __enter__(self) -> Cluster:
        if self.address is not None:  # a wrong address is reported before any work
            self.line(1)
        self._users += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._users -= 1
        if not self._users:
            self.close()

    def line(self, processors: int) -> _Line:
        """Return the connection to Ray, which is joined or started on the first call."""
        if self._line is None:
            self._line = _Line(self.address, processors)
            try:
                self._line.open()
            except BaseException:
                self.close(wait=False)
                raise
        return self._line

    def close(self, *, wait: bool = True) -> None:
        """Leave the cluster, or stop the Ray that was started; running cells are aborted.

        This takes a second or two; with ``wait=False`` the call returns at once.
        """
        line, self._line = self._line, None
        if line is not None:
            line.close(wait)

    def __repr__(self) -> str:
        return f"Cluster({'' if self.address is None else repr(self.address)})"


class _Line:
    """The process that talks to Ray, and this side of its pipe."""

    def __init__(self, address: str | None, processors: int) -> None:
        from rivalry.integrations.ray import bridge

        self.address, self.room = address, 0
        self.tickets = count(1)  # never reused: messages of an attempt may arrive during a later run
        self.process, self.pipe = spawn(bridge.serve, address, processors)

    def open(self) -> None:
        """Wait until Ray can take cells. Raises `ClusterError`."""
        self._within(START)
        kind, value = self._within(START if self.address is None else REACH)
        if kind == "refused":
            raise ClusterError(f"{self._target()}: {value}")
        self.room = value

    def _within(self, seconds: float) -> Any:
        end = time.monotonic() + seconds
        while not self.pipe.poll(max(0.0, min(1.0, end - time.monotonic()))):
            if time.monotonic() >= end:
                rule = "; where it wants a token, set RAY_AUTH_MODE=token" * (self.address is not None)
                raise ClusterError(f"{self._target()}: no answer within {seconds:.0f} seconds{rule}")
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            raise ClusterError(f"{self._target()}: the process that talks to it ended") from None

    def _target(self) -> str:
        return "Ray on this machine" if self.address is None else f"--address {self.address}"

    def send(self, kind: str, value: object) -> None:
        """Send an event to the bridge."""
        try:
            self.pipe.send((kind, value))
        except OSError:
            raise self._lost_connection("") from None

    def receive(self) -> Message | None:
        """Return the next message on an order, or None if the number of CPUs changed.

        Raises `ClusterLost`, or `ClusterError` if the bridge refuses.
        """
        try:
            incoming = self.pipe.recv()
        except (EOFError, OSError):
            raise self._lost_connection("") from None
        if incoming[0] == "room":
            self.room = incoming[1]
            return None
        if incoming[0] == "lost":
            raise self._lost_connection(incoming[1])
        if incoming[0] == "refused":
            raise ClusterError(f"{self._target()}: {incoming[1]}")
        return incoming

    def _lost_connection(self, cause: str) -> ClusterLost:
        reason = f": {cause}" if cause else ""
        return ClusterLost(f"the connection to Ray was lost{reason}; finished cells are kept, resume goes on")

    def close(self, wait: bool) -> None:
        """Close the pipe, on which the bridge ends what it has started, and itself."""
        self.pipe.close()
        if wait:
            self.process.join()
            self.process.close()


class _Cells:
    """Jobs as tasks of Ray, with restarts of jobs whose worker died.

    Only this process writes into the run's folder.
    """

    def __init__(self, cluster: Cluster, count: int | None, on_progress: ProgressOutcome) -> None:
        self.cluster, self.count, self.on_progress = cluster, count, on_progress
        self._running: dict[int, Job] = {}
        self._stop = False

    def run(self, jobs: Sequence[Job]) -> Iterator[CellOutcome]:
        """See `Executor`. Raises `ClusterError`, `DiskFull`."""
        from rivalry.integrations.ray.cell import Order, versions

        waiting, deaths, made_by = deque(jobs), Counter[str](), versions()
        with self.cluster:
            line = self.cluster.line(max(cores(), min(self.count or 0, len(jobs))))
            try:
                line.send("files", _files(jobs))
                while (waiting or self._running) and not self._stop:
                    if waiting and len(self._running) < (self.count or max(1, line.room)):
                        job, ticket = waiting.popleft(), next(line.tickets)
                        # nodes sign states as this user, whose key they do not have
                        job = job._replace(key=cell_key(job.id))
                        self._running[ticket] = job
                        order = pickle.dumps(Order(ticket, job, _last_checkpoint(job), made_by))
                        line.send("order", (ticket, job.id, order))
                        continue
                    message = line.receive()
                    outcome = self._store_message(message, waiting, deaths) if message is not None else None
                    if outcome is None:
                        continue
                    if outcome.kind != "progress":
                        yield outcome
                    elif self.on_progress(outcome) is True:
                        self._stop = True
            finally:
                self.stop()

    def _store_message(
        self, message: Message, waiting: deque[Job], deaths: Counter[str]
    ) -> CellOutcome | None:
        """Store a message's data, and return its outcome if there is one to report."""
        ticket, outcome, data = message
        job = self._running[ticket]
        if outcome.kind == "progress":
            if data is None:
                return outcome
            files.write(job.checkpoint_path, data, durable=True)
            return None
        if outcome.kind in ("started", "waiting"):
            return outcome
        del self._running[ticket]
        if outcome.kind == "worker_died":
            return retry_or_fail(job, outcome, waiting, deaths)
        if data is not None:
            # a forced write to disk takes milliseconds, longer than many a short cell
            for id, content in data.items():
                files.write(job.paths[id], content, durable=outcome.seconds > 1)
            job.checkpoint_path.unlink(missing_ok=True)
        return outcome

    def stop(self) -> None:
        """Abort running cells, which ends the connection; see `Executor`."""
        self._stop = True
        if self._running:
            self._running.clear()
            self.cluster.close(wait=False)


def _files(jobs: Sequence[Job]) -> dict[str, bytes]:
    """Return the current contents of the files that the cells' study names. Raises `ClusterError`."""
    names = {(job.folder, name) for job in jobs for name in job.task["files"]}
    try:
        return {name: Path(folder, name).read_bytes() for folder, name in sorted(names)}
    except OSError as error:
        raise ClusterError(f"{error.filename}: {error.strerror}") from None


def _last_checkpoint(job: Job) -> bytes | None:
    """Return the cell's last checkpoint."""
    try:
        return job.checkpoint_path.read_bytes()
    except FileNotFoundError:
        return None

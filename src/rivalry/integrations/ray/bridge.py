"""The bridge: a process that talks to Ray, so that the run's own process never loads it.

The run's process keeps its own signals, output and end. The bridge ends with its parent, and everything it
has started ends with it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from rivalry.core.files import Lock
from rivalry.integrations.ray import cell
from rivalry.lab.executor.pool import CellOutcome
from rivalry.runtime.processes import run_program

PREFIX = "rivalry-ray-"
HASTE = 3.0  # seconds for running work to end in good order, on a busy machine
LEAVE = 10.0  # seconds for leaving or stopping Ray
LOOK = 5.0  # seconds between two counts of the processors
PATIENCE = 20.0  # seconds without a started cell before this is reported
LONG = 400  # largest length of an error line, in characters
QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL", "configure_logging": False}
STORE = 512 * 2**20  # bytes of the object store on this machine; more is spilled to disk


def serve(pipe: Connection, address: str | None, processors: int) -> None:
    """Run the bridge: join or start Ray, execute orders, and leave or stop Ray.

    Sends:

    - ``("begun", "")`` first;
    - ``("room", processors)`` then, and again on every change;
    - a `rivalry.integrations.ray.cell.Message` per message on an order;
    - last ``("refused", why)`` if cells cannot be computed there, ``("lost", why)`` if it disconnected.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # the closing of the pipe ends the process
        signal.signal(number, lambda *_: None)  # not SIG_IGN, which all processes started here would inherit
    if os.name == "posix":
        os.setsid()  # so that all processes started here can be ended together
    if not os.environ.get("RIVALRY_DEBUG"):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):  # output and errors: Ray prints to both
            os.dup2(nowhere, stream)
    parent = _ParentEvents(pipe)
    try:
        with suppress(OSError, EOFError):
            _execute_orders(pipe, parent, address, processors)
    finally:
        parent.end(0)  # Ray's exit handlers have run


class _ParentEvents:
    """Events from the parent; the process ends after the last one, whatever it waits for."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe, self.own = pipe, Path()
        self.lock: Lock | None = None
        self.events: SimpleQueue[Any] = SimpleQueue()
        self.grace = HASTE
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                self.events.put(self.pipe.recv())
        self.events.put(None)
        time.sleep(self.grace)
        self.end(1)

    def folder(self) -> Path:
        """Create a folder that is removed with this process."""
        # a short path, because Ray puts sockets below it
        home = os.environ.get("RAY_TMPDIR") or ("/tmp" if os.name == "posix" else tempfile.gettempdir())
        cell.remove_stale_folders(Path(home), PREFIX)
        self.own = Path(tempfile.mkdtemp(prefix=PREFIX, dir=home))
        self.lock = Lock(self.own)
        self.lock.acquire()
        return self.own

    def end(self, status: int) -> None:
        """End this process and all that it has started."""
        if self.lock is not None:
            _signal_all("SIGSTOP")  # so that nothing more is written or started
            shutil.rmtree(self.own, ignore_errors=True)
            _signal_all("SIGKILL")
        os._exit(status)


def _signal_all(name: str) -> None:
    """Send a signal to all processes started here."""
    if os.name != "posix":
        return
    # Ray's shutdown, or the end of its main process (a child), may end this process: children come last.
    signalled: set[int] = set()
    while new := [pid for pid in _session() if pid not in signalled]:
        for pid in new:
            with suppress(OSError):
                os.kill(pid, getattr(signal, name))
        signalled.update(new)


def _session() -> list[int]:
    """Return the other processes of this process's session, its own children last."""
    me = os.getpid()
    processes = [(parent == me, pid) for pid, parent in _processes() if _session_of(pid) == me != pid]
    return [pid for _, pid in sorted(processes)]


def _processes() -> Iterator[tuple[int, int]]:
    """Yield every process and its parent."""
    stats = list(Path("/proc").glob("[0-9]*/stat"))
    for path in stats:
        with suppress(OSError):
            yield int(path.parent.name), int(path.read_text().rpartition(")")[2].split()[1])
    if not stats:  # not Linux
        with suppress(OSError):
            listing = run_program(["ps", "-A", "-o", "pid=,ppid="])
            for line in listing.stdout.splitlines():
                pid, parent = line.split()
                yield int(pid), int(parent)


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def _execute_orders(pipe: Connection, parent: _ParentEvents, address: str | None, processors: int) -> None:
    import ray

    pipe.send(("begun", ""))
    try:
        if address is None:
            _start(ray, processors, parent.folder())
        else:
            _join(ray, address)
    except BaseException as error:
        pipe.send(("refused", one_line(error)))
        return
    parent.grace = LEAVE if address is not None else HASTE
    bridge = _Bridge(ray, pipe, parent.events)
    try:
        bridge.work()
    except (ray.exceptions.RayTaskError, ray.exceptions.RuntimeEnvSetupError) as error:
        pipe.send(("refused", one_line(error)))
    except (ray.exceptions.RayError, ConnectionError) as error:
        pipe.send(("lost", one_line(error)))
    finally:
        if address is not None:
            bridge.leave()


def _join(ray: Any, address: str) -> None:
    """Join a cluster. Raises `OSError` at once if nothing listens; Ray would try for most of a minute."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    ray.init(address, **QUIET)


def _start(ray: Any, processors: int, folder: Path) -> None:
    """Start Ray on this machine only, without dashboard and statistics."""
    os.environ["TMPDIR"] = str(folder)  # for files that cells leave when they are killed
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_worker_niceness", "0")  # cells run at normal priority
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # otherwise one is left in the user's home
    ray.init(
        "local",
        num_cpus=processors,
        include_dashboard=False,
        object_store_memory=STORE,
        _temp_dir=str(folder),
        **QUIET,
    )


class _Bridge:
    """Submission of orders as Ray tasks, one CPU per cell, and messages on their progress."""

    def __init__(self, ray: Any, pipe: Connection, events: SimpleQueue[Any]) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self.ray, self.pipe, self.events = ray, pipe, events
        self.running: dict[int, Any] = {}
        self.waiting: dict[int, str] = {}  # cells that no node has started
        self.patient = time.monotonic()  # time of the last start, or of an order while nothing waited
        self.files: Any = None
        # no retries by Ray: the run itself restarts a dead node's cell from its checkpoint
        self.task = ray.remote(num_cpus=1, max_retries=0)(cell.compute)
        near = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        mailbox = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(cell.Mailbox)
        self.mailbox = mailbox.options(scheduling_strategy=near).remote()

    def work(self) -> None:
        """Handle events until the parent closes the pipe."""
        self._listen()
        room, look = -1, time.monotonic()
        while True:
            if time.monotonic() >= look:
                room, before = int(self.ray.cluster_resources().get("CPU", 0)), room
                if room != before:
                    self.pipe.send(("room", room))
                self._report_waiting(room)
                look = time.monotonic() + LOOK
            try:
                event = self.events.get(timeout=max(0.0, look - time.monotonic()))
            except Empty:
                continue
            if event is None:
                return
            kind, value = event
            getattr(self, f"_on_{kind}")(value)

    def _queue_event(self, ref: Any, kind: str, *details: Any) -> None:
        """Queue the event ``kind`` as soon as a Ray reference has its value."""
        ref.future().add_done_callback(lambda future: self.events.put((kind, (future, *details))))

    def _report_waiting(self, room: int) -> None:
        """Report once if every order waits: others may hold the cluster's processors."""
        if len(self.waiting) < len(self.running) or not self.waiting:
            self.patient = time.monotonic()
        elif time.monotonic() - self.patient > PATIENCE:
            self.patient = float("inf")
            free = int(self.ray.available_resources().get("CPU", 0))
            ticket, id = min(self.waiting.items())
            text = f"not begun within {PATIENCE:.0f} seconds; {free} of the cluster's {room} CPUs are free"
            self.pipe.send((ticket, CellOutcome("waiting", id, message=text), None))

    def _listen(self) -> None:
        self._queue_event(self.mailbox.take.remote(), "mail")

    def _on_files(self, files: dict[str, bytes]) -> None:
        self.files = self.ray.put(files)

    def _on_order(self, order: tuple[int, str, bytes]) -> None:
        ticket, id, data = order
        if not self.running:
            self.patient = time.monotonic()
        self.running[ticket] = ref = self.task.remote(data, self.files, self.mailbox)
        self.waiting[ticket] = id
        self._queue_event(ref, "ended", ticket, id)

    def _on_mail(self, event: tuple[Any]) -> None:
        for message in event[0].result():
            self.waiting.pop(message[0], None)
            if message[0] in self.running:
                self.pipe.send(message)
        self._listen()

    def _on_ended(self, event: tuple[Any, int, str]) -> None:
        """Report a computed cell or a dead worker. Raises errors that would prevent every cell."""
        future, ticket, id = event
        del self.running[ticket]
        self.waiting.pop(ticket, None)
        self.patient = time.monotonic()
        failed = self.ray.exceptions
        try:
            message = future.result()
        except (failed.RayTaskError, failed.RuntimeEnvSetupError):
            raise
        except failed.RayError as error:
            message = ticket, CellOutcome("worker_died", id, message=describe_failure(error)), None
        self.pipe.send(message)

    def leave(self) -> None:
        """Cancel all running cells and leave the cluster."""
        references = list(self.running.values())
        for force in (False, True):  # first a chance for the cell to remove its folder
            for ref in references:
                with suppress(Exception):
                    self.ray.cancel(ref, force=force)
            if references:
                with suppress(Exception):
                    _, references = self.ray.wait(references, num_returns=len(references), timeout=HASTE)
        with suppress(Exception):
            self.ray.shutdown()  # may end this process: nothing that matters follows


def describe_failure(error: Exception) -> str:
    """Return in words what happened to a worker."""
    kinds = {
        "NodeDiedError": "its node is gone",
        "LocalRayletDiedError": "its node is gone",
        "OutOfMemoryError": "worker ended by Ray: its node had no memory left",
        "WorkerCrashedError": "worker died",
    }
    name = type(error).__name__
    return kinds.get(name) or f"worker lost: {name}"


def one_line(error: BaseException) -> str:
    """Return an error in one line, without Ray's traceback."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, BaseException):
        error = cause
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    words = " ".join(text.partition(" Please specify")[0].split())
    return (words if len(words) <= LONG else f"{words[:LONG]} ..") or type(error).__name__

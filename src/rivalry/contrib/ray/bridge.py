"""The process that talks to Ray, so that the run's own never loads it: its signals, output and end stay ours.

It ends with its parent, and what it has started or begun ends with it.
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
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from rivalry.contrib.ray import cell
from rivalry.executor.pool import Outcome
from rivalry.files import Lock

PREFIX = "rivalry-ray-"
LOOK = 5.0  # seconds between two looks at how many processors there are
STORE = 512 * 2**20  # bytes for what travels between processes here, at most; more goes to the disk


def serve(pipe: Connection, address: str | None, processors: int) -> None:
    """The process's whole life: joins or starts Ray, carries orders out, leaves or ends it.

    Sends ``("begun", "")``, then ``("room", processors)``, and again where that changes; a
    `rivalry.contrib.ray.cell.Message` for every word on an order; at last ``("refused", why)`` where cells
    cannot be carried out there, or ``("lost", why)`` where the cluster went away.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    own = _own_folder()
    log = os.open(own / "driver.log", os.O_WRONLY | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    lock = Lock(own)
    lock.acquire()
    try:
        with suppress(OSError, EOFError):
            _serve(pipe, address, processors, own)
    finally:
        shutil.rmtree(own, ignore_errors=True)
        os._exit(0)  # what Ray registered for the end has been done


def _serve(pipe: Connection, address: str | None, processors: int, own: Path) -> None:
    import ray

    pipe.send(("begun", ""))
    try:
        _connect(ray, address, processors, own)
    except BaseException as error:
        pipe.send(("refused", one_line(error)))
        return
    bridge = _Bridge(ray, pipe)
    try:
        bridge.work()
    except (ray.exceptions.RayTaskError, ray.exceptions.RuntimeEnvSetupError) as error:
        pipe.send(("refused", one_line(error)))
    except (ray.exceptions.RayError, ConnectionError) as error:
        pipe.send(("lost", one_line(error)))
    finally:
        bridge.leave()


def _connect(ray: Any, address: str | None, processors: int, own: Path) -> None:
    """Joins a cluster, or starts one on this machine alone: no dashboard, no log, no statistics."""
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL", "configure_logging": False}
    if address is not None:
        _reach(address)
        ray.init(address, **quiet)
        return
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else one is left in the user's home
    ray.init(
        "local",
        num_cpus=processors,
        include_dashboard=False,
        object_store_memory=STORE,
        _temp_dir=str(own),
        **quiet,
    )


def _reach(address: str) -> None:
    """Raises `OSError` at once where nobody listens; Ray itself would try for most of a minute."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()


def _own_folder() -> Path:
    """A folder of this process's; its name is short, for Ray puts sockets below it."""
    home = os.environ.get("RAY_TMPDIR") or ("/tmp" if os.name == "posix" else tempfile.gettempdir())
    cell.swept(Path(home), PREFIX)
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=home))


class _Bridge:
    """Orders to tasks of Ray, and what becomes of these to messages. One CPU a cell."""

    def __init__(self, ray: Any, pipe: Connection) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self.ray, self.pipe = ray, pipe
        self.events: SimpleQueue[Any] = SimpleQueue()
        self.running: dict[int, Any] = {}
        self.files: Any = None
        # the process of a dead node's cell is gone at once; we begin it again ourselves, from its checkpoint
        self.task = ray.remote(num_cpus=1, max_retries=0)(cell.compute)
        near = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        mailbox = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(cell.Mailbox)
        self.mailbox = mailbox.options(scheduling_strategy=near).remote()

    def work(self) -> None:
        """Until the parent closes the pipe."""
        threading.Thread(target=self._read, daemon=True).start()
        self._listen()
        room, look = -1, time.monotonic()
        while True:
            if time.monotonic() >= look:
                room, before = int(self.ray.cluster_resources().get("CPU", 0)), room
                if room != before:
                    self.pipe.send(("room", room))
                look = time.monotonic() + LOOK
            try:
                event = self.events.get(timeout=max(0.0, look - time.monotonic()))
            except Empty:
                continue
            if event is None:
                return
            kind, value = event
            getattr(self, f"_on_{kind}")(value)

    def _read(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                self.events.put(self.pipe.recv())
        self.events.put(None)

    def _tell(self, ref: Any, kind: str, *more: Any) -> None:
        """The event ``kind`` as soon as a reference of Ray's has its value."""
        ref.future().add_done_callback(lambda future: self.events.put((kind, (future, *more))))

    def _listen(self) -> None:
        self._tell(self.mailbox.take.remote(), "mail")

    def _on_files(self, files: dict[str, bytes]) -> None:
        self.files = self.ray.put(files)

    def _on_order(self, order: tuple[int, str, bytes]) -> None:
        ticket, id, data = order
        self.running[ticket] = ref = self.task.remote(data, self.files, self.mailbox)
        self._tell(ref, "ended", ticket, id)

    def _on_mail(self, event: tuple[Any]) -> None:
        for message in event[0].result():
            if message[0] in self.running:
                self.pipe.send(message)
        self._listen()

    def _on_ended(self, event: tuple[Any, int, str]) -> None:
        """A cell is computed, or what computed it is gone. Raises what would keep every cell from it."""
        future, ticket, id = event
        del self.running[ticket]
        failed = self.ray.exceptions
        try:
            message = future.result()
        except (failed.RayTaskError, failed.RuntimeEnvSetupError):
            raise
        except failed.RayError as error:
            message = ticket, Outcome("worker_died", id, message=how(error)), None
        self.pipe.send(message)

    def leave(self) -> None:
        """Ends what is running; a Ray that was started here ends altogether."""
        with suppress(Exception):
            for ref in self.running.values():
                self.ray.cancel(ref, force=True)
        with suppress(Exception):
            self.ray.shutdown()


def how(error: Exception) -> str:
    """What became of a worker, in words."""
    kinds = {
        "NodeDiedError": "its node is gone",
        "LocalRayletDiedError": "its node is gone",
        "OutOfMemoryError": "worker ended by Ray: its node had no memory left",
        "WorkerCrashedError": "worker died",
    }
    name = type(error).__name__
    return kinds.get(name) or f"worker lost: {name}"


def one_line(error: BaseException) -> str:
    """What is wrong, in one line, without Ray's trace."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, BaseException):
        error = cause
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__

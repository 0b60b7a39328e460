"""Computation of a cell on a machine that shares no disk with the run.

The files of the study are sent there, and the bytes of the cell's file are returned. Importing this module
loads neither JAX nor Ray, because the mailbox needs neither.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from rivalry.core.files import Lock, StoreError, write
from rivalry.lab.executor.pool import CellOutcome, one_thread, work

if TYPE_CHECKING:
    import numpy as np

    from rivalry.lab.worker import Job

PREFIX = "rivalry-cell-"
PULSE = 1.0  # seconds between two progress messages of a cell: there may be a thousand cells
STALE = 60.0  # seconds: an unlocked folder older than this was left by a killed process
NUMBERS = ("rivalry", "numpy", "jax", "jaxlib", "equinox", "diffrax", "numba", "scipy", "quantecon")

# ticket of an attempt, its outcome, and bytes of a checkpoint, or of cells by id
Message = tuple[int, CellOutcome, Any]


class Mailbox:
    """A Ray actor that collects the cells' progress messages."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()

    async def put(self, message: Message) -> None:
        """Add a message."""
        await self.messages.put(message)

    async def take(self) -> list[Message]:
        """Wait for a message, and return all messages in the queue."""
        messages = [await self.messages.get()]
        while not self.messages.empty():
            messages.append(self.messages.get_nowait())
        return messages


class Order(NamedTuple):
    """One attempt at a cell: what is sent to another machine, besides the files of its study."""

    ticket: int
    job: Job
    saved: bytes | None  # the cell's last checkpoint
    made_by: dict[str, str]  # the run's package versions


def versions() -> dict[str, str]:
    """Return the versions of the packages on which the bits of a cell's results depend."""
    installed = {}
    for name in NUMBERS:
        with suppress(PackageNotFoundError):
            installed[name] = version(name)
    return installed


def compute(data: bytes, files: Mapping[str, bytes], mailbox: Any) -> Message:
    """Compute a cell from its pickled `Order` in a temporary folder; return the bytes of its file.

    Raises `RuntimeError` if this machine has other versions than the run.
    """
    order: Order = pickle.loads(data)  # pickled: processes that pass it on need not import its types
    different = {name: version for name, version in versions().items() if order.made_by.get(name) != version}
    if different:
        name, version = next(iter(different.items()))
        raise RuntimeError(
            f"{socket.gethostname()} has {name} {version}, this run {order.made_by.get(name, 'none')};"
            " install the same versions on every node"
        )
    mailbox.put.remote((order.ticket, CellOutcome("started", order.job.id), None))
    with _cancellable(), _own_folder() as work_folder, one_thread():
        job = _unpack(order, files, work_folder)
        outcome = _execute(order, job, mailbox)
        # of a batch that failed, those that did not
        over = outcome.kind in ("done", "failed")
        contents = {id: path.read_bytes() for id, path in job.paths.items() if over and path.exists()} or None
    where = order.job.folder
    message, trace = (text.replace(job.folder, where) for text in (outcome.message, outcome.trace))
    if outcome.kind == "full":
        message = f"{socket.gethostname()}: {message}"
    return order.ticket, outcome._replace(message=message, trace=trace), contents


def _execute(order: Order, job: Job, mailbox: Any) -> CellOutcome:
    """Execute the job; send its progress and checkpoints to the mailbox."""
    from rivalry.lab import worker
    from rivalry.lab.checkpoints import CheckpointFile

    spoke = time.monotonic()

    def report(outcome: CellOutcome) -> None:
        nonlocal spoke
        if time.monotonic() - spoke >= PULSE:
            spoke = time.monotonic()
            mailbox.put.remote((order.ticket, outcome, None))

    class Sent(CheckpointFile):
        """Checkpoints that are also sent to the run's folder."""

        def save(self, arrays: dict[str, np.ndarray]) -> None:
            super().save(arrays)
            mailbox.put.remote((order.ticket, CellOutcome("progress", job.id), self.path.read_bytes()))

    def carry(job: Job, progress: Callable[..., bool]) -> float:
        return worker.carry_out(job, progress, Sent)

    return work(job, report, carry)


def _unpack(order: Order, files: Mapping[str, bytes], work_folder: Path) -> Job:
    """Return the job for ``work_folder``, after writing its study's files and checkpoint there."""
    from rivalry.lab.study.identity import canonical, digest

    job = order.job
    needs = {name: files[name] for name in job.task["files"]}
    # named by content: a file of the same name with other content is another module
    study = work_folder / digest(canonical(dict(job.task["files"]))).hex()[:16]
    places = {name: place_of(name, k) for k, name in enumerate(sorted(needs))}
    for name, data in needs.items():
        path = study / places[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, data)
        os.utime(path, (0, 0))  # equal times, so that all cells of this process share one module
    for folder in ("cells", "checkpoints"):
        (work_folder / folder).mkdir()
    job = job._replace(task=relocate(job.task, places), folder=str(study), out=str(work_folder))
    if order.saved is not None:
        write(job.checkpoint_path, order.saved)
    return job


def place_of(name: str, number: int) -> str:
    """Return the path of a study's file below a folder: the study's own path if that is below it.

    >>> place_of("games/duel.py", 0), place_of("../duel.py", 1)
    ('games/duel.py', 'outside/1/duel.py')
    """
    path = PurePath(name)
    inside = not path.is_absolute() and ".." not in path.parts
    return name if inside else f"outside/{number}/{path.name}"


def relocate(value: Any, places: Mapping[str, str]) -> Any:
    """Return a task's tables with its files replaced by their new paths."""
    from rivalry.lab.study.names import is_data, is_file

    if isinstance(value, Mapping):
        table = {key: relocate(entry, places) for key, entry in value.items()}
        return table | {"path": places[value["path"]]} if is_data(value) else table
    if isinstance(value, list | tuple):
        return [relocate(entry, places) for entry in value]
    if is_file(value):
        name, _, attribute = value.rpartition(":")
        return f"{places.get(name, name)}:{attribute}"
    return value


@contextmanager
def _cancellable() -> Iterator[None]:
    """Let interrupts, by which Ray cancels, raise even on nodes started in the background."""
    ignored = threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    )
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


_process_folder: Path | None = None


@contextmanager
def _own_folder() -> Iterator[Path]:
    """Create the folder for cells of this process; remove the folders of killed processes."""
    global _process_folder
    remove_stale_folders(Path(tempfile.gettempdir()), PREFIX)
    try:
        if _process_folder is None:
            raise FileExistsError
        _process_folder.mkdir(mode=0o700)
    except FileExistsError:
        _process_folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = Lock(_process_folder)
    lock.acquire()
    try:
        yield _process_folder
    finally:
        lock.release()
        shutil.rmtree(_process_folder, ignore_errors=True)


def remove_stale_folders(folder: Path, prefix: str) -> None:
    """Remove folders left by killed processes: old, and not locked."""
    for old in folder.glob(f"{prefix}*"):
        with suppress(OSError, StoreError):
            if time.time() - old.stat().st_mtime > STALE:
                lock = Lock(old)
                lock.acquire()
                lock.release()
                shutil.rmtree(old)

"""Processes beside the server: commands that compute runs, and those that answer questions.

Runs are computed by the same commands as on a terminal, each in a session of its own. A run goes on without
the server, and the server finds it again by the lock on its folder. Nothing is known here that is not in the
folders, except the last line of a command that failed.

All that loads JAX, xarray or Matplotlib is asked of `Questions`, so that pages do not wait for it.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from rivalry.core.files import DamagedFile, read_bytes
from rivalry.lab.executor.pool import end_with_parent, worker_environment
from rivalry.runtime.processes import python_command, start
from rivalry.schema.registry import trusting
from rivalry.web.safety import Refused

if TYPE_CHECKING:
    from subprocess import Popen

MOST = 4  # runs at a time
QUEUE = 20  # questions that wait or are answered, of one kind


class StartedCommand(NamedTuple):
    """A command started by this server, and the file of its messages."""

    process: Popen[bytes]
    messages: IO[bytes]


class Jobs:
    """Commands started by this server, by the folder of their run."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._jobs: dict[Path, StartedCommand] = {}
        self._lock = threading.Lock()

    def begin(self, folder: Path, arguments: Sequence[str], trusted: Mapping[str, str]) -> None:
        """Start a command of ``rivalry`` that computes a run. Raises `Refused`.

        The process runs and unpickles only the files in ``trusted``, by path, that have these digests.
        """
        with self._lock:
            if self.is_working(folder):
                raise Refused(409, f"{folder.name}: is being computed already")
            if len(self.working()) >= MOST:
                raise Refused(409, f"{MOST} runs are being computed; pause one, or wait")
            messages = tempfile.TemporaryFile()  # noqa: SIM115
            process = start(
                python_command("rivalry", *arguments),
                cwd=self.home,
                env={**os.environ, **trusting(trusted)},
                stderr=messages,
                start_new_session=True,  # Ctrl-C in the server's terminal ends the server, not the run
            )
            self._jobs[folder] = StartedCommand(process, messages)

    def working(self) -> list[Path]:
        """Return the folders of this server's commands that have not ended."""
        return [folder for folder, job in self._jobs.items() if job.process.poll() is None]

    def is_working(self, folder: Path) -> bool:
        """True if some process computes the run in a folder, whoever began it."""
        job = self._jobs.get(folder)
        return (job is not None and job.process.poll() is None) or owner(folder) is not None

    def fault(self, folder: Path) -> str:
        """Reason why this server's last command on a folder failed, in one line; empty if it did not."""
        job = self._jobs.get(folder)
        if job is None or job.process.poll() in (None, 0, 130):
            return ""
        lines = self.messages(folder)
        wrong = [line.removeprefix("rivalry: ") for line in lines if line.startswith("rivalry: ")]
        return (wrong or lines or [f"ended with status {job.process.returncode}"])[-1]

    def messages(self, folder: Path) -> list[str]:
        """Return the last messages of this server's command on a folder."""
        job = self._jobs.get(folder)
        if job is None:
            return []
        # its own position: the command writes to the same open file
        with open(job.messages.fileno(), "rb", closefd=False) as file:
            size = os.fstat(file.fileno()).st_size
            text = os.pread(file.fileno(), 20_000, max(0, size - 20_000))
        return [line.strip()[:300] for line in text.decode(errors="replace").splitlines() if line.strip()][
            -20:
        ]

    def stop(self, folder: Path) -> None:
        """Interrupt the process that computes a run, as Ctrl-C does. Raises `Refused`."""
        job = self._jobs.get(folder)
        number = job.process.pid if job is not None and job.process.poll() is None else owner(folder)
        if number is None:
            raise Refused(409, f"{folder.name}: no process computes it")
        if number == 0:
            raise Refused(409, f"{folder.name}: another program computes it; stop it there with Ctrl-C")
        os.kill(number, signal.SIGINT)


def owner(folder: Path) -> int | None:
    """Return the process that holds the lock on a run, 0 if it cannot be told, None if nobody does.

    The system is asked, not the folder: a folder may name any process.
    """
    try:
        status = (folder / "lock").stat()
        text = read_bytes(folder / "lock", max_bytes=100).decode(errors="replace")
    except (OSError, DamagedFile):
        return None
    process_match = re.fullmatch(r"process (\d{1,9})\s*", text)
    if process_match is None:  # a process that ends the work empties the file
        return None
    try:
        locks = Path("/proc/locks").read_text(encoding="utf-8")
    except OSError:  # not on every system
        return 0 if _is_alive(int(process_match[1])) else None
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in locks.splitlines():
        lock = re.match(r"\d+: FLOCK +\S+ +WRITE +(\d+) (\S+) ", line)
        if (
            lock
            and (lock[2] == device or lock[2].endswith(f":{status.st_ino}"))
            and lock[1] == process_match[1]
        ):
            return int(lock[1])
    return None


def _is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Questions:
    """Up to ``count`` processes, started when needed and ended with the server; questions wait in a queue.

    A question that takes longer than ``seconds`` is given up, and its process ends; others are not affected.
    """

    def __init__(self, seconds: float, count: int = 1) -> None:
        self.seconds = seconds
        self._turns, self._waiting = asyncio.Semaphore(count), 0
        self._idle: list[ProcessPoolExecutor] = []  # of one process each; the last one worked last
        self._all: set[ProcessPoolExecutor] = set()

    async def ask(self, call: Callable[..., Any], *arguments: object) -> Any:
        """Result of a function in a process. Raises `Refused` with the function's error."""
        if self._waiting >= QUEUE:
            raise Refused(503, f"{QUEUE} such questions wait for an answer; ask again when they have it")
        self._waiting += 1
        try:
            async with self._turns:  # a question's time begins with its turn
                return await self._answer(call, arguments)
        finally:
            self._waiting -= 1

    async def _answer(self, call: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        pool = self._idle.pop() if self._idle else self._begin()
        try:
            # the first question starts the process, which takes a while
            future = await asyncio.to_thread(_submit, pool, call, arguments)
            answer, fault = await asyncio.wait_for(asyncio.wrap_future(future), self.seconds)
        except TimeoutError:
            self._end(pool)
            raise Refused(504, f"took longer than {self.seconds:g} seconds and was given up") from None
        except (BrokenProcessPool, CancelledError, asyncio.CancelledError, RuntimeError):
            self._end(pool)
            raise Refused(500, "the process that computes this ended; try again") from None
        self._idle.append(pool)
        if fault:
            raise Refused(*fault)
        return answer

    def _begin(self) -> ProcessPoolExecutor:
        pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin)
        self._all.add(pool)
        return pool

    def _end(self, pool: ProcessPoolExecutor) -> None:
        self._all.discard(pool)
        for process in list((pool._processes or {}).values()):
            process.kill()  # a computation does not notice anything else
        pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """End the processes, even while they compute."""
        self._idle.clear()
        for pool in list(self._all):
            self._end(pool)


def _submit(pool: ProcessPoolExecutor, call: Callable[..., Any], arguments: tuple[Any, ...]) -> Future[Any]:
    with worker_environment():
        return pool.submit(_carefully, call, arguments)


def _begin() -> None:
    """Leave Ctrl-C to the server, end with it however it ends, and run no files of users unless told to."""
    os.environ.update(trusting({}))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(5)  # runs and pages come first
    threading.Thread(target=end_with_parent, daemon=True).start()


def _carefully(call: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, tuple[int, str] | None]:
    """Return a function's result, or status and line of its error."""
    try:
        return call(*arguments), None
    except Refused as refusal:
        return None, (refusal.status, refusal.why)
    except ValueError as error:  # wrong input, by the package's rule of one line each
        return None, (400, " ".join(str(error).split())[:500])
    except (Exception, SystemExit) as error:
        return None, (500, f"{type(error).__name__}: {' '.join(str(error).split())[:400]}")

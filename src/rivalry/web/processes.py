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
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from rivalry.core.files import DamagedFile, read_bytes
from rivalry.lab.executor.pool import end_with_parent, spawn
from rivalry.runtime.processes import python_command, start
from rivalry.schema.registry import trusting
from rivalry.web.safety import Refused

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess
    from subprocess import Popen

MOST = 4  # runs at a time
QUEUE = 20  # questions that wait or are answered, of one kind
PULSE = 0.5  # seconds between looks at a process that computes an answer
STALL = 30.0  # seconds without computing, after which such a process is ended


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
        # its own position: the command writes to the same open file
        with open(job.messages.fileno(), "rb", closefd=False) as file:
            size = os.fstat(file.fileno()).st_size
            text = os.pread(file.fileno(), 20_000, max(0, size - 20_000))
        lines = [line.strip()[:300] for line in text.decode(errors="replace").splitlines() if line.strip()]
        wrong = [line.removeprefix("rivalry: ") for line in lines if line.startswith("rivalry: ")]
        return (wrong or lines or [f"ended with status {job.process.returncode}"])[-1]

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


class Helper(NamedTuple):
    """A process that answers questions one by one, and this side of its pipe."""

    process: SpawnProcess
    pipe: Connection


class Questions:
    """Up to ``count`` processes, started when needed and ended with the server; questions wait in a queue.

    A question that takes more than ``seconds`` of processor time is given up, since on a busy machine any
    answer takes long. A process that computes nothing, such as one that was stopped, is given up too.
    Processes that are given up end; others are not affected.
    """

    def __init__(self, seconds: float, count: int = 1) -> None:
        self.seconds = seconds
        self._turns, self._waiting = asyncio.Semaphore(count), 0
        self._threads = ThreadPoolExecutor(count)  # one that waits for each process
        self._idle: list[Helper] = []  # the last one worked last
        self._all: set[Helper] = set()

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
        helper = self._idle.pop() if self._idle else Helper(*spawn(_serve))
        self._all.add(helper)
        try:
            outcome = await self._watched(helper, call, arguments)
            if outcome is None:
                raise Refused(500, "the process that computes this ended; try again")
        except BaseException:  # also where the request is cancelled
            self._end(helper)
            raise
        self._idle.append(helper)
        answer, fault = outcome
        if fault:
            raise Refused(*fault)
        return answer

    async def _watched(self, helper: Helper, call: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Reply of a process that is watched. Raises `Refused` where it takes too long or stands still."""
        number = helper.process.pid or 0
        start = last = _processor_time(number)
        still = 0.0  # counted by this process, which may have been stopped as well
        loop = asyncio.get_running_loop()
        outcome = loop.run_in_executor(self._threads, _exchange, helper.pipe, (call, arguments))
        while not (await asyncio.wait({outcome}, timeout=PULSE))[0]:
            now = _processor_time(number)
            if now - start > self.seconds:
                raise Refused(504, f"took more than {self.seconds:g} s of processor time and was given up")
            still = still + PULSE if now == last else 0.0
            if still >= STALL:
                raise Refused(503, f"the process that computes this stood still for {STALL:g} s; try again")
            last = now
        return await outcome

    def _end(self, helper: Helper) -> None:
        self._all.discard(helper)
        helper.process.kill()  # a computation does not notice anything else
        helper.process.join(1.0)

    def close(self) -> None:
        """End the processes, even while they compute."""
        self._threads.shutdown(wait=False)
        self._idle.clear()
        for helper in list(self._all):
            self._end(helper)


def _exchange(pipe: Connection, question: tuple[Callable[..., Any], tuple[Any, ...]]) -> Any:
    """Return the reply of a process, or None where it has ended."""
    with suppress(EOFError, OSError):
        pipe.send(question)
        return pipe.recv()
    return None


def _processor_time(number: int) -> float:
    """Return the seconds that a process has computed; on systems other than Linux, those that have passed."""
    if sys.platform != "linux":
        return time.monotonic()
    try:
        return time.clock_gettime(~number << 3 | 2)  # the clock of `clock_getcpuclockid` for all its threads
    except OSError:  # it has ended
        return 0.0


def _serve(pipe: Connection) -> None:
    """Answer questions until the pipe closes; run no files of users unless told to.

    Ctrl-C is left to the server, and this process ends with it however it ends.
    """
    os.environ.update(trusting({}))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(5)  # runs and pages come first
    threading.Thread(target=end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            pipe.send(_carefully(*pipe.recv()))


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

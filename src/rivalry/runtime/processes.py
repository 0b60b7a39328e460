"""Programs that are started, commands that start Python, and their text in scripts."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from subprocess import DEVNULL, PIPE, CompletedProcess, Popen, TimeoutExpired
from typing import Any

__all__ = ["PIPE", "TimeoutExpired", "one_line", "python_command", "run_program", "shell_line", "start"]


def start(command: Sequence[str], *, memory: int | None = None, **options: Any) -> Popen[bytes]:
    """Process of a program that runs beside this one, without a shell.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    memory : int, optional
        Bytes that it may take, on Linux.
    **options
        Of `subprocess.Popen`; streams that are not stated are closed to the program.

    Examples
    --------
    >>> start(python_command("json.tool", "--help")).wait()
    0
    """
    streams: dict[str, Any] = {"stdin": DEVNULL, "stdout": DEVNULL, "stderr": DEVNULL}
    process = Popen(command, **streams | options)
    if memory is not None and sys.platform == "linux":
        import resource

        # not by a function between fork and exec: threads of this process may hold locks
        resource.prlimit(process.pid, resource.RLIMIT_AS, (memory, memory))
    return process


def run_program(command: Sequence[str], **options: Any) -> CompletedProcess[str]:
    """Status, output and errors of a program that has ended, with the options of `start`.

    >>> run_program(python_command("json.tool", "--help")).returncode
    0
    """
    with start(command, stdout=PIPE, stderr=PIPE, text=True, **options) as process:
        out, err = process.communicate()
    return CompletedProcess(command, process.returncode, *map(str, (out, err)))


_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def python_command(module: str, *words: str) -> list[str]:
    """Command that runs a module of this installation and imports nothing from the working folder.

    >>> python_command("rivalry", "run", "duel.toml")[1:]
    ['-P', '-m', 'rivalry', 'run', 'duel.toml']
    """
    return [sys.executable, "-P", "-m", module, *words]


def shell_line(command: Iterable[str]) -> str:
    """Command as one line that a shell reads back word by word.

    Raises
    ------
    ValueError
        For a word with control characters or line breaks, which would end a line of a script.

    Examples
    --------
    >>> shell_line(["rivalry", "work", "runs/price war"])
    "rivalry work 'runs/price war'"
    """
    return shlex.join(map(one_line, command))


def one_line(text: str) -> str:
    """The text itself. Raises `ValueError` for one with line breaks or control characters."""
    if _BREAKS.search(text):
        raise ValueError(f"{text[:200]!r}: must not have control characters or line breaks")
    return text

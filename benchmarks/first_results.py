"""First results: quick studies with their reports, each in a process of its own.

``python -m benchmarks.first_results NAME ... [--rounds 5]`` prints a row of Markdown per study: processor
seconds from empty caches and with filled ones, the largest memory, and how many programs JAX compiles. The
last row is a yardstick of the machine: `yardstick` compiles twelve small programs. Numbers are medians.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

YARDSTICK = """
import jax, jax.numpy as jnp
jax.config.update("jax_enable_x64", True)
for k in range(12):
    step = lambda _, y, k=k: jnp.tanh(y + k)
    jax.jit(lambda x: jax.lax.fori_loop(0, 5, step, jnp.linalg.solve(jnp.outer(x, x) + jnp.eye(4), x)))(
        jnp.ones(4)
    )
"""


class Used(NamedTuple):
    """What a process used: processor seconds, and the most memory, in MB."""

    seconds: float
    memory: float


def used(line: list[str], folder: Path, caches: Path) -> Used:
    """Return what a command used in a folder, with caches of compiled code in another.

    Sources are compiled to bytecode once, as where the package is installed.
    """
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"RIVALRY_CACHE": str(caches / "programs"), "NUMBA_CACHE_DIR": str(caches / "loops")}
    process = subprocess.Popen(
        line, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    printed = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, line, stderr=printed)
    return Used(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def first_result(name: str, caches: Path) -> Used:
    """Return what the quick form of a study uses, with the start of Python and the report."""
    line = [sys.executable, "-m", "rivalry", "run", name, "--quick", "--workers", "1", "--out", "run"]
    with tempfile.TemporaryDirectory() as folder:
        return used(line, Path(folder), caches)


def row(name: str, rounds: int) -> str:
    """Return a study's row: seconds from empty caches, then with filled ones, memory and programs."""
    empty, filled, counts = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            caches = Path(folder)
            empty.append(first_result(name, caches))
            counts.append(len(list(caches.glob("programs/*-cache"))))
            filled.append(first_result(name, caches))
    return f"| `{name}` | {in_words(empty)} | {in_words(filled)} | {median(counts):.0f} |"


def in_words(rounds: list[Used]) -> str:
    """Return medians over rounds.

    >>> in_words([Used(1.26, 200.0), Used(1.3, 210.0), Used(9.0, 205.0)])
    '1.3 s, 205 MB'
    """
    seconds, memory = zip(*rounds, strict=True)
    return f"{median(seconds):.1f} s, {median(memory):.0f} MB"


def yardstick() -> Used:
    """Return what compiling twelve small programs uses."""
    with tempfile.TemporaryDirectory() as folder:
        return used([sys.executable, "-c", YARDSTICK], Path(folder), Path(folder))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_results", description=__doc__)
    parser.add_argument("names", nargs="+", help="bundled studies")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("| study, quick form | empty caches | filled caches | programs |\n|---|--:|--:|--:|")
    for name in options.names:
        print(row(name, options.rounds), flush=True)
    small = in_words([yardstick() for _ in range(options.rounds)])
    print(f"| twelve small programs of JAX | {small} | | 12 |")


if __name__ == "__main__":
    main()

"""Processes of the workbench as the system knows them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path


def descendants(number: int) -> set[int]:
    """Processes that a process has begun, and those that they have."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    parents = dict(map(int, line.split()) for line in listed.stdout.splitlines())
    below = {child for child, parent in parents.items() if parent == number}
    return below.union(*map(descendants, below))


def computes(number: int) -> bool:
    """True if a process is there and is not one that has ended and waits for its parent."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def semaphores(numbers: set[int]) -> set[str]:
    """Files of semaphores that processes have open."""
    maps = "".join(Path(f"/proc/{number}/maps").read_text() for number in numbers)
    return set(re.findall(r"/dev/shm/sem\S+", maps))

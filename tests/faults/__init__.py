"""Planted faults: one-line mistakes, each of which some test must notice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SECONDS = 900


class Fault(NamedTuple):
    """A line of a file of the package, what is put in its place, and the tests one of which must fail."""

    file: str
    find: str
    put: str
    tests: tuple[str, ...]

    def text(self) -> str:
        """Return the file with the fault. Raises `ValueError` unless the line is there once."""
        text = (ROOT / "src" / "rivalry" / self.file).read_text(encoding="utf-8")
        if text.count(self.find) != 1:
            raise ValueError(
                f"{self.file}: {self.find!r} is there {text.count(self.find)} times; must be once"
            )
        return text.replace(self.find, self.put)

    def survives(self, folder: Path) -> bool:
        """Return whether all tests pass in a copy of the tree, made in ``folder``, that has the fault."""
        for part in ("src", "tests", "conftest.py", "pyproject.toml"):
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, folder / part)
        (folder / "src" / "rivalry" / self.file).write_text(self.text(), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-n0",
            "-p",
            "no:cacheprovider",
            "-m",
            "not nightly",
        ]
        # compiled kernels are kept by the path and time of their file: each copy has its own
        own = {"PYTHONPATH": str(folder / "src"), "NUMBA_CACHE_DIR": str(folder / "kernels")}
        done = subprocess.run(
            [*command, *(f"tests/{name}" for name in self.tests)],
            cwd=folder,
            env=os.environ | own,
            capture_output=True,
            timeout=SECONDS,
        )
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{self.file}: the tests were not run: {done.stdout.decode()[-500:]}")
        return done.returncode == 0


def faults() -> list[Fault]:
    """Return all planted faults."""
    with open(Path(__file__).parent / "faults.toml", "rb") as file:
        rows = tomllib.load(file)["fault"]
    return [Fault(**row | {"tests": tuple(row["tests"])}) for row in rows]

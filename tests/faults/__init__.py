"""Planted faults: one-line mistakes, each of which some test must notice."""

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
    """A line of a file of the tree, what is put in its place, and the tests one of which must fail."""

    file: str
    find: str
    put: str
    tests: tuple[str, ...]

    def text(self) -> str:
        """Return the file with the fault. Raises `ValueError` unless the line is there once."""
        text = (ROOT / self.file).read_text(encoding="utf-8")
        if text.count(self.find) != 1:
            raise ValueError(f"{self.find!r} is there {text.count(self.find)} times; must be once")
        return text.replace(self.find, self.put)

    def failure(self, folder: Path) -> str:
        """Return the first test that fails in a copy of the tree, made in ``folder``, that has the fault.

        The text is empty if all pass. Raises `RuntimeError` if tests could not be run.
        """
        text = self.text()
        for part in ("src", "checker", "tests", "benchmarks", "conftest.py", "pyproject.toml"):
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, folder / part)
        (folder / self.file).write_text(text, encoding="utf-8")
        options = ["-q", "-x", "-n0", "-p", "no:cacheprovider", "-m", "not nightly and not full"]
        paths = os.pathsep.join(str(folder / part) for part in ("src", "checker/src"))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *(f"tests/{name}" for name in self.tests)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        # a file of tests that cannot be imported has no names of tests; a fault of memory may end the process
        # by a signal after its test has failed
        if done.returncode > 1 or (done.returncode and not any("::" in line for line in lines)):
            raise RuntimeError((done.stdout + done.stderr).strip()[-500:])
        return lines[0] if done.returncode else ""


def faults() -> list[Fault]:
    """Return all planted faults."""
    with open(Path(__file__).parent / "faults.toml", "rb") as file:
        rows = tomllib.load(file)["fault"]
    return [Fault(**row | {"tests": tuple(row["tests"])}) for row in rows]

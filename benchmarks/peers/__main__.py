"""Compare with other packages, each in an environment of its own: lines of benchmarks/other_packages.md.

python -m benchmarks.peers              all peers
python -m benchmarks.peers nashpy       some; the rows of the others stay as they are
RIVALRY_RACE=once python -m benchmarks.peers        every work once: do the results agree? Writes nothing

Environments are made under build/peers; a peer that does not install is left out with a line.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, Self

from benchmarks.page import scaled
from benchmarks.peers.works import WORKS, Work

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / "build" / "peers"
PAGE = ROOT / "benchmarks" / "other_packages.md"
INSTALL_LIMIT = 600.0  # seconds
ROUNDS, FEWEST, LONG = 7, 3, 60.0  # rounds, fewer where they have taken so many seconds
BEGIN, END = "<!-- {} -->", "<!-- end of {} -->"
ONCE = os.environ.get("RIVALRY_RACE") == "once"
OURS = ("-m", "benchmarks.peers.ours")
# one thread of linear algebra, as in studies
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Peer(NamedTuple):
    """Another package: its name in prose, what pip installs, its licence, and the Python that it needs."""

    name: str
    requirement: str
    licence: str
    python: str = ""


PEERS = {
    "nashpy": Peer("Nashpy", "nashpy==0.0.43", "MIT"),
    "quantecon": Peer("QuantEcon.py", "quantecon==0.13.1", "MIT", python="3.12"),
    "pygambit": Peer("Gambit", "pygambit==17.0.0b2", "GPL-2.0-or-later"),
    "open_spiel": Peer("OpenSpiel", "open_spiel==2.0.2 cvxpy==1.9.3 ecos==2.0.14", "Apache-2.0"),
    "mfglib": Peer("MFGLib", "mfglib==0.3.0", "MIT"),
    "bench_mfg_suite": Peer("BenchMFG", "bench-mfg-suite==0.1.3", "MIT"),
    "nashopt": Peer("NashOpt", "nashopt==1.3.9 qpsolvers==4.13.0", "Apache-2.0"),
    "egttools": Peer("EGTtools", "egttools==0.1.14.2", "GPL-3.0-or-later"),
    "axelrod": Peer("Axelrod", "axelrod==4.14.0", "MIT"),
    "pyblp": Peer("pyblp", "pyblp==1.3.0", "MIT"),
    # its network is that of pytraf's works too
    "aequilibrae": Peer("AequilibraE", "aequilibrae==1.7.2", "MIT, credit in documentation"),
    "pytraf": Peer("pytraf", "pytraf==0.3.1", "MIT"),
    "karma_game_library": Peer("karma-game-library", "karma-game-library==1.0.2 numpy==2.3.5", "GPL-3.0"),
}


def interpreter(version: str) -> str:
    """Path of a Python of a version such as "3.12", or of the present one for "".

    Raises `RuntimeError` where this machine has none.
    """
    if not version or sys.version.startswith(f"{version}."):
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for path in (f"python{version}", *map(str, pyenv.glob(f"{version}.*/bin/python3"))):
        # a shim of pyenv fails unless its version is chosen
        with contextlib.suppress(OSError):
            if subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
                return path
    raise RuntimeError(f"needs Python {version}, which was not found; must be on the path or in pyenv")


def environment(key: str) -> Path:
    """Return the Python of a peer's environment, made where it is missing.

    Raises `RuntimeError` with the last line of pip where it does not install.
    """
    folder, requirement = ENVIRONMENTS / key, PEERS[key].requirement
    python, installed = folder / "bin" / "python", folder / "installed"
    if installed.exists() and installed.read_text() == requirement:
        return python
    base = interpreter(PEERS[key].python)
    try:
        for command in (
            [base, "-m", "venv", "--clear", folder],
            [python, "-m", "pip", "install", "--quiet", "--prefer-binary", *requirement.split()],
        ):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_LIMIT)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"does not install within {INSTALL_LIMIT:.0f} s") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or ["no reason given"]
        raise RuntimeError(f"does not install: {lines[-1]}") from None
    installed.write_text(requirement)
    return python


class Side:
    """A process that does a piece of work when asked (`benchmarks.peers.clock`)."""

    def __init__(self, command: Sequence[str | Path], work: Work, caches: str) -> None:
        settings = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        if Path(command[0]) == Path(sys.executable):
            settings = dict(os.environ)
            settings.pop("PYTHONDONTWRITEBYTECODE", None)  # the packages of peers come compiled by pip
        settings |= ONE_THREAD | {"NUMBA_CACHE_DIR": caches, "RIVALRY_CACHE": caches}
        # a pipe that nobody reads would fill
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115, closed on exit
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=settings,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
        )
        self.begin = json.dumps([work.task, work.inputs])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        self.errors.close()

    def ask(self, line: str = "") -> dict[str, Any]:
        """Return the answer to a line. Raises `RuntimeError` with the last words of a process that ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        if not (answer := self.process.stdout.readline()):
            self.process.wait()
            self.errors.seek(0)
            words = self.errors.read().strip().splitlines() or ["ended without an answer"]
            raise RuntimeError(words[-1])
        found: dict[str, Any] = json.loads(answer)
        return found


class Compared(NamedTuple):
    """Times of a work, in seconds, and by how much the results differ."""

    ours: list[dict[str, float]]
    theirs: list[dict[str, float]]
    first: tuple[float, float]
    difference: float
    version: str


def compare(work: Work, ours: Sequence[str | Path], theirs: Sequence[str | Path]) -> Compared:
    """Let both sides do the work in turns. Raises `RuntimeError` where their results differ by too much."""
    with (
        tempfile.TemporaryDirectory() as caches,
        Side(ours, work, f"{caches}/ours") as us,
        Side(theirs, work, f"{caches}/theirs") as them,
    ):
        a, b = us.ask(us.begin), them.ask(them.begin)
        difference = work.difference(work.inputs, a["result"], b["result"])
        if not difference <= work.accuracy:
            raise RuntimeError(f"results differ by {difference:.3g}; must be within {work.accuracy:g}")
        first = a["first"], b["first"]
        if ONCE:
            return Compared([], [], first, difference, b["version"])
        rounds, since = [], time.perf_counter()
        while len(rounds) < FEWEST or (len(rounds) < ROUNDS and time.perf_counter() - since < LONG):
            rounds.append((us.ask(), them.ask()))
        mine, other = (list(times) for times in zip(*rounds, strict=True))
        return Compared(mine, other, first, difference, b["version"])


def row(name: str, title: str, found: Compared) -> str:
    """Return a line of the table of times."""
    both = [median(each["processor"] for each in times) for times in (found.ours, found.theirs)]
    ratio = median(a["processor"] / b["processor"] for a, b in zip(found.ours, found.theirs, strict=True))
    cells = [
        name,
        title,
        *map(scaled, both),
        f"{ratio:.2g}",
        *map(scaled, found.first),
        f"{found.difference:.0e}" if found.difference else "0",
    ]
    return f"| {' | '.join(cells)} |"


def merge(text: str, mark: str, names: Sequence[str], rows: list[str]) -> str:
    """Return a page on which the table between marks has new rows for some names, in the order of `PEERS`.

    >>> page = "<!-- t -->\\n\\n| peer |\\n|---|\\n| Nashpy | 1 |\\n| Gambit | 2 |\\n\\n<!-- end of t -->\\n"
    >>> merge(page, "t", ["Nashpy"], ["| Nashpy | 3 |"]).splitlines()[4:6]
    ['| Nashpy | 3 |', '| Gambit | 2 |']
    """
    before, _, rest = text.partition(BEGIN.format(mark))
    table, _, after = rest.partition(END.format(mark))
    head, rule, *old = table.strip().splitlines()

    def name(line: str) -> str:
        return line.strip("| ").partition(" | ")[0]

    found = [*rows, *(line for line in old if name(line) not in names)]
    order = [peer.name for peer in PEERS.values()]
    found.sort(key=lambda line: order.index(name(line)))
    lines = "\n".join([head, rule, *found])
    return f"{before}{BEGIN.format(mark)}\n\n{lines}\n\n{END.format(mark)}{after}"


def regroup(text: str, place: str, name: str, entry: str) -> str:
    """Return a page on which a package is listed with the day and the machine of its rows, its place.

    >>> page = "<!-- peers -->\\n\\n- day 1: Nashpy 1 (MIT); Gambit 2 (GPL)\\n\\n<!-- end of peers -->\\n"
    >>> print(regroup(page, "day 2", "Nashpy", "Nashpy 3 (MIT)").replace("\\n\\n", "\\n"), end="")
    <!-- peers -->
    - day 1: Gambit 2 (GPL)
    - day 2: Nashpy 3 (MIT)
    <!-- end of peers -->
    """
    before, _, rest = text.partition(BEGIN.format("peers"))
    listed, _, after = rest.partition(END.format("peers"))
    groups: dict[str, list[str]] = {}
    for line in listed.strip().splitlines():
        where, _, entries = line.removeprefix("- ").partition(": ")
        groups[where] = [one for one in entries.split("; ") if not one.startswith(f"{name} ")]
    groups.setdefault(place, []).append(entry)
    lines = "\n".join(f"- {where}: {'; '.join(entries)}" for where, entries in groups.items() if entries)
    return f"{before}{BEGIN.format('peers')}\n\n{lines}\n\n{END.format('peers')}{after}"


def measure(key: str, python: Path) -> tuple[list[str], str, bool]:
    """Compare all works with a peer, and print a line for each.

    Returns
    -------
    tuple
        Rows of the table of times, the peer's version, and whether all comparisons were made.
    """
    peer, rows, version, whole = PEERS[key], [], "", True
    for work in (work for work in WORKS if key in work.peers):
        try:
            found = compare(work, [sys.executable, *OURS], [python, "-m", f"benchmarks.peers.with_{key}"])
        except RuntimeError as error:
            print(f"{peer.name}, {work.title}: {error}; left out", flush=True)
            whole = False
            continue
        if ONCE:
            print(f"{peer.name}, {work.title}: results differ by {found.difference:.1g}", flush=True)
            continue
        version = found.version
        rows.append(row(peer.name, work.title, found))
        print(rows[-1], flush=True)
    return rows, version, whole


def machine() -> str:
    """Return the processor's name, or its kind, and the version of Python."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    kind = names[0] if names else platform.machine()
    return f"{os.cpu_count()} cores of {kind}; Python {platform.python_version()}"


def main(*keys: str) -> int:
    """Measure some peers, or all; return 1 where a comparison failed."""
    if unknown := [key for key in keys if key not in PEERS]:
        raise SystemExit(f"{unknown[0]}: no peer; must be among {', '.join(PEERS)}")
    failed = False
    for key in keys or PEERS:
        try:
            python = environment(key)
        except RuntimeError as error:
            print(f"{PEERS[key].name}: {error}; left out", flush=True)
            continue
        rows, version, whole = measure(key, python)
        failed |= not whole
        if ONCE:
            continue
        peer = PEERS[key]
        interpreted = f", in Python {peer.python}" if peer.python else ""
        entry = f"{peer.name} {version} ({peer.licence}{interpreted})"
        text = merge(PAGE.read_text(encoding="utf-8"), "times", [peer.name], rows)
        PAGE.write_text(regroup(text, f"{date.today()}, {machine()}", peer.name, entry), encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))

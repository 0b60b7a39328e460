"""Killed and interrupted runs: no cell lost or computed twice, the same bytes at the end, no process left."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests import duel_study

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="needs POSIX (process groups, signals)"),
]
psutil = pytest.importorskip("psutil")

SECONDS = 300  # a deadline ends a test that waits in vain; on a busy machine a start alone takes a minute
RIVALRY = [sys.executable, "-c", "import sys; from rivalry.cli import main; sys.exit(main())"]
# 14 KiB in the shell's unit: enough for the index, too little for the larger cells
BLOCKS = "28" if os.path.realpath("/bin/sh").endswith("dash") else "14"
ENDLESS = """
title = "Never done"
[game]
family = "duel.py:duel"
[[method]]
kind = "duel.py:Climb"
max_steps = 1000000000
[replications]
count = 4
"""
GROWING = """
title = "Small cells, then large ones"
[game]
family = "duel.py:duel"
seconds = SECONDS
[[method]]
kind = "duel.py:Climb"
name = "climb"
path = true
[sweep]
"method.climb.max_steps" = [1, 2, 3, 4, 500, 600]
[replications]
count = 2
"""


def rivalry(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RIVALRY, *map(str, words)], capture_output=True, text=True, timeout=SECONDS, **options
    )


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command in a separate process group, which is killed at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(*words: str | Path) -> subprocess.Popen[str]:
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([*RIVALRY, *map(str, words)], start_new_session=True, **pipes))
        return started[-1]

    yield begin
    for process in started:
        with suppress(ProcessLookupError):  # the group has ended
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=SECONDS)


def group(leader: int) -> list[Any]:
    """Return the living processes of a group."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (OSError, psutil.Error):
            continue  # the process has ended meanwhile
    return found


def ended(leader: int) -> bool:
    """Wait for a group to end."""
    return until(lambda: not group(leader))


def until(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> bool:
    """Wait for a condition, which a process may bring about as long as it runs."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def errors(stderr: str) -> list[str]:
    """Lines of errors and warnings: beside them a command prints its progress where it takes long."""
    assert "Traceback" not in stderr
    return [line for line in stderr.splitlines() if line.startswith("rivalry: ")]


def cells(run: Path) -> dict[str, tuple[int, int]]:
    """Return, for every finished cell, inode and modification time, which change if it is rewritten."""
    found = {}
    for path in (run / "cells").glob("[!.]*.npz"):
        stamp = path.stat()
        found[path.name] = (stamp.st_ino, stamp.st_mtime_ns)
    return found


def exported(run: Path, out: Path) -> dict[str, bytes]:
    for form in ("csv", "netcdf"):
        everything = ("--all",) if form == "csv" else ()
        done = rivalry("export", run, "--to", form, "--out", out, "--json", *everything)
        assert done.returncode == 0, done.stderr
    files = {path.name: path.read_bytes() for path in out.iterdir()}
    netcdf = [name for name in files if name.endswith(".nc")]
    return {("data.nc" if name in netcdf else name): data for name, data in files.items()}


def killed_again_and_again(
    tmp_path: Path,
    start: Callable[..., subprocess.Popen[str]],
    *,
    kills: int,
    points: int,
    replications: int,
    unbroken: str,
) -> None:
    study = duel_study.write(tmp_path, points=points, replications=replications, seconds=0.1)
    total, run, chance = points * replications, tmp_path / "run", random.Random(5)
    done: dict[str, tuple[int, int]] = {}
    for kill in range(kills):
        words = ("run", study, "--out", run) if not (run / "study.json").exists() else ("resume", run)
        process = start(*words, "--workers", "2")
        enough = len(done) + chance.randint(0, max(1, (total - len(done)) // (kills - kill + 1)))
        assert until(lambda enough=enough: len(cells(run)) >= enough, process)
        time.sleep(chance.random() * 0.5)
        os.killpg(process.pid, signal.SIGKILL)
        assert ended(process.pid)
        now = cells(run)
        assert done.items() <= now.items()  # no cell lost, none rewritten
        done = now
    assert 0 < len(done) < total
    last = rivalry("resume", run, "--workers", "2", "--json")
    assert last.returncode == 0, last.stderr
    assert json.loads(last.stdout)["cells"] == {"total": total, "done": total, "failed": 0}
    assert done.items() <= cells(run).items()
    assert len(cells(run)) == total
    assert not list((run / "damaged").iterdir())
    for workers in unbroken:
        whole = tmp_path / f"whole{workers}"
        straight = rivalry("run", study, "--workers", workers, "--out", whole)
        assert straight.returncode == 0, straight.stderr
        assert exported(run, tmp_path / "a") == exported(whole, tmp_path / f"b{workers}")
        assert (run / "dataset.nc").read_bytes() == (whole / "dataset.nc").read_bytes()


def test_runs_killed_twice_keep_cells(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    killed_again_and_again(tmp_path, start, kills=2, points=3, replications=10, unbroken="1")


@pytest.mark.nightly
def test_200_cells_killed_ten_times(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    killed_again_and_again(tmp_path, start, kills=10, points=20, replications=10, unbroken="12")


def endless(tmp_path: Path) -> Path:
    duel_study.write(tmp_path)
    study = tmp_path / "endless.toml"
    study.write_text(ENDLESS)
    return study


def at_work(process: subprocess.Popen[str], workers: int) -> Callable[[], bool]:
    """Return a condition: that many workers are busy, or with 0 workers the main process itself."""

    def busy() -> bool:
        with suppress(psutil.Error):  # a helper process has ended meanwhile
            staff = [p for p in group(process.pid) if any("spawn_main" in word for word in p.cmdline())]
            return len(staff) >= workers and all(sum(p.cpu_times()[:2]) > 1 for p in staff)
        return False

    return busy


@pytest.mark.parametrize(
    ("workers", "to_all"), [(1, True), (2, True), pytest.param(2, False, marks=pytest.mark.nightly)]
)
def test_an_interrupt_stops_endless_cells(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]], workers: int, to_all: bool
) -> None:
    run = tmp_path / "run"
    process = start("run", endless(tmp_path), "--workers", str(workers), "--out", run)
    assert until((run / "log.txt").exists, process)
    assert until(at_work(process, workers if workers > 1 else 0), process)
    time.sleep(0.5)
    (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT)
    out, error = process.communicate(timeout=SECONDS)  # its cells would never end
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in error
    assert "interrupted" in error.splitlines()[-1]
    assert ended(process.pid)
    assert json.loads(rivalry("status", run, "--json").stdout)["cells"]["left"] == 4


def test_workers_end_with_their_parent(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start("run", endless(tmp_path), "--workers", "2", "--out", tmp_path / "run")
    assert until(at_work(process, 2), process)
    process.kill()
    assert ended(process.pid)


def test_locked_folders_are_refused(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    run, study = tmp_path / "run", endless(tmp_path)
    process = start("run", study, "--workers", "1", "--out", run)
    assert until((run / "log.txt").exists, process)  # its first line is written under the lock
    second = rivalry("run", study, "--out", run)
    assert second.returncode == 2
    (line,) = errors(second.stderr)
    assert f"in use by process {process.pid}" in line


def test_damaged_cells_are_named_set_aside_and_recomputed(tmp_path: Path) -> None:
    study, run = duel_study.write(tmp_path, points=3, replications=2), tmp_path / "run"
    assert rivalry("run", study, "--workers", "1", "--out", run).returncode == 0
    before = {path: path.read_bytes() for path in (run / "cells").iterdir()}
    dataset = (run / "dataset.nc").read_bytes()
    cut, flipped, *_ = before
    cut.write_bytes(before[cut][: len(before[cut]) // 3])
    flipped.write_bytes(bytes([*before[flipped][:-200], before[flipped][-200] ^ 4, *before[flipped][-199:]]))
    resumed = rivalry("resume", run, "--workers", "1")
    assert resumed.returncode == 0
    assert cut.name in resumed.stderr
    assert flipped.name in resumed.stderr
    assert len(list((run / "damaged").iterdir())) == 2
    assert {path: path.read_bytes() for path in (run / "cells").iterdir()} == before
    assert (run / "dataset.nc").read_bytes() == dataset


def growing(tmp_path: Path, seconds: float = 0.0) -> Path:
    duel_study.write(tmp_path)
    study = tmp_path / "growing.toml"
    study.write_text(GROWING.replace("SECONDS", str(seconds)))
    return study


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_size_limit_stops_the_run_with_one_line(tmp_path: Path, workers: int) -> None:
    # slow cells are computed by workers, quick ones by the main process
    study, run = growing(tmp_path, seconds=0.4 * (workers - 1)), tmp_path / "run"
    words = ("run", study, "--workers", str(workers), "--out", run)
    # the shell sets the limit: JAX warns about Python code between fork and exec
    limited = ["sh", "-c", 'ulimit -S -f "$0"; exec "$@"', BLOCKS, *RIVALRY, *map(str, words)]
    full = subprocess.run(limited, capture_output=True, text=True, timeout=SECONDS)
    full_disk(full)
    there = cells(run)
    assert 0 < len(there) < 12
    done = rivalry(*words)
    assert done.returncode == 0, done.stderr
    assert there.items() <= cells(run).items()
    assert len(cells(run)) == 12


def full_disk(full: subprocess.CompletedProcess[str]) -> None:
    assert full.returncode == 1, full.stderr
    (line,) = errors(full.stderr)
    assert "no space left" in line
    assert line == full.stderr.splitlines()[-1]


def test_a_full_disk_stops_the_run_with_one_line(tmp_path: Path) -> None:
    disk, study = tmp_path / "disk", growing(tmp_path)
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount tmpfs")
    try:
        run = disk / "run"
        full = rivalry("run", study, "--workers", "1", "--out", run)
        full_disk(full)
        there = cells(run)
        grown = ["mount", "-o", "remount,size=16m", str(disk)]
        subprocess.run(grown, check=True, capture_output=True)
        done = rivalry("resume", run, "--workers", "1")
        assert done.returncode == 0, done.stderr
        assert there.items() <= cells(run).items()
    finally:
        subprocess.run(["umount", str(disk)], check=True)

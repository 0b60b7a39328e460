"""Cells on Ray: the same bytes as local workers, no loss when nodes die, no processes or files left over."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rivalry.core import files
from rivalry.integrations.ray import Cluster, ClusterError
from rivalry.lab import executor
from rivalry.lab.executor import RunEvent, carry_out, run_study
from rivalry.lab.store import DiskFull, Run
from rivalry.lab.study import Study, load_study
from tests import duel_study
from tests.duel_study import study

pytest.importorskip("ray")
psutil = pytest.importorskip("psutil")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX (signals)")

RIVALRY = [sys.executable, "-c", "import sys; from rivalry.cli import main; sys.exit(main())"]
SETTINGS = {"DUEL_MAY_DIE": "1", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}


class Nodes:
    """A local cluster of one node with one CPU; ``tell`` makes it ``add`` and ``kill`` further nodes."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="nodes-", dir="/tmp")  # short: Ray puts sockets in it
        self.cells = Path(self.folder, "cells")
        Path(self.cells, "ray").mkdir(parents=True)  # other processes would look for their cluster here
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.deep.ray_nodes", self.folder],
            stderr=subprocess.DEVNULL,
            env=os.environ | SETTINGS | {"TMPDIR": str(self.cells)},
            **pipes,
        )
        self.address = self._line()

    def _line(self) -> str:
        line = self.process.stdout.readline().strip()
        assert line, "the nodes ended"
        return line

    def tell(self, word: str) -> None:
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        assert self._line() == "done"

    def close(self) -> None:
        self.process.communicate(timeout=60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def busy(self) -> list[Any]:
        """Return the processes that compute a cell."""
        return [p for p in descendants(self.process.pid) if "compute" in name_of(p)]


def descendants(pid: int) -> list[Any]:
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.Error:
        return []


def name_of(process: Any) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def until(condition: Callable[[], object], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    found = Nodes()
    found.tell("add")
    yield found
    found.close()


@pytest.fixture(scope="module")
def cluster(nodes: Nodes) -> Iterator[Cluster]:
    """A connection to two nodes with one CPU each, shared by the module."""
    with Cluster(nodes.address) as found:
        yield found


def make(folder: Path, name: str = "run", **changes: Any) -> Run:
    return Run.create_or_open(folder / name, study(folder, **changes))


def contents(run: Run) -> dict[str, bytes]:
    """Return the bytes of a run's cells and of its dataset."""
    paths = [*(run.folder / "cells").iterdir(), run.folder / "dataset.nc"]
    return {path.name: path.read_bytes() for path in paths}


def tabular() -> Study:
    return Study(
        name="learners",
        title="Two sellers who learn",
        game={"family": "matrix", "name": "prisoners_dilemma"},
        method=[{"kind": "q_learning", "epochs": 500}],
        replications={"count": 4, "seed": 3},
    )


@pytest.mark.parametrize("kind", ["solver", "tabular"])
def test_cells_equal_those_of_local_workers(
    tmp_path: Path, cluster: Cluster, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "QUICK", 0.0)
    chosen = study(tmp_path) if kind == "solver" else tabular()
    alone = run_study(chosen, tmp_path / "alone", workers=1)
    together = run_study(chosen, tmp_path / "together", workers=2)
    events: list[RunEvent] = []
    away = run_study(chosen, tmp_path / "away", executor=cluster, progress=events.append)
    assert away.status == "done"
    assert contents(alone) == contents(together)
    assert contents(alone) == contents(away)
    counted = Counter(event.cell for event in events if event.kind == "done")
    assert counted == dict.fromkeys([place.id for place in away.cells], 1)
    with away.locking():
        assert set(away.index.seconds()) == set(counted)


@pytest.mark.brief
def test_batches_of_cells_are_the_same_everywhere(tmp_path: Path, cluster: Cluster) -> None:
    """A study of two batches: one worker, two workers, Ray, and Ray after the loss of some cells."""
    costs = [5.0 + 0.2 * k for k in range(70)]
    chosen = Study(
        name="costs",
        game={"family": "market", "unit_cost": [10.0, 10.0]},
        method=[{"kind": "best_response"}],
        sweep={"game.unit_cost[0]": costs},
        cells_per_batch=64,
    )
    alone = run_study(chosen, tmp_path / "alone", workers=1)
    assert contents(run_study(chosen, tmp_path / "two", workers=2)) == contents(alone)
    events: list[RunEvent] = []
    away = run_study(chosen, tmp_path / "away", executor=cluster, progress=events.append)
    assert [event.kind for event in events].count("started") == 2
    assert contents(away) == contents(alone)
    for place in away.cells[10:66:5]:
        away.cell_path(place.id).unlink()
    assert contents(run_study(chosen, tmp_path / "away", executor=cluster)) == contents(alone)


CLIMB = [{"kind": "duel.py:Climb", "max_steps": 3_000_000}]


def test_the_death_of_a_node_loses_no_cells(tmp_path: Path, nodes: Nodes, cluster: Cluster) -> None:
    changes: dict[str, Any] = {"method": CLIMB, "sweep": {}, "replications": {"count": 3, "seed": 7}}
    alone = make(tmp_path, "alone", **changes)
    assert carry_out(alone, workers=1) == "done"
    run, events = make(tmp_path, "run", **changes), list[RunEvent]()
    killed = False

    def note(event: RunEvent) -> None:
        nonlocal killed
        events.append(event)
        running = {e.cell for e in events if e.kind == "progress"}
        if not killed and len(running) == 2 and len(list((run.folder / "checkpoints").iterdir())) == 2:
            killed = True
            nodes.tell("kill")

    try:
        assert carry_out(run, executor=cluster, progress=note, checkpoint_every=0.3) == "done"
    finally:
        if killed:
            nodes.tell("add")
    died = [event for event in events if event.kind == "worker_died"]
    assert len(died) == 1
    assert "node" in died[0].message or "worker" in died[0].message
    assert contents(alone) == contents(run)
    assert not list((run.folder / "checkpoints").iterdir())
    # the cell was resumed from its checkpoint
    own = [e.fraction for e in events if e.cell == died[0].cell and e.fraction]
    after = [e.fraction for e in events[events.index(died[0]) :] if e.cell == died[0].cell and e.fraction]
    assert not after or after[0] > own[0]


@pytest.mark.brief
def test_stopped_cells_are_resumed_from_checkpoints(tmp_path: Path, nodes: Nodes, cluster: Cluster) -> None:
    long = tabular().with_changes({"method.q_learning.epochs": 1_500_000, "replications.count": 1})
    alone, run = (Run.create_or_open(tmp_path / name, long) for name in ("alone", "run"))
    assert carry_out(alone, workers=1) == "done"
    saved = run.folder / "checkpoints" / f"{run.cells[0].id}.npz"
    told: list[float] = []

    def until_saved(event: RunEvent) -> bool:
        told.append(event.fraction)
        return saved.exists() and event.kind == "progress" and event.fraction > 0.2

    assert carry_out(run, executor=cluster, progress=until_saved, checkpoint_every=0.3) == "partial"
    assert until(lambda: not nodes.busy(), 10)  # the workers have stopped
    again: list[float] = []
    assert carry_out(run, executor=cluster, progress=lambda e: again.append(e.fraction)) == "done"
    assert min(fraction for fraction in again if fraction) > 0.15
    assert contents(alone) == contents(run)
    assert not saved.exists()


def test_failures_and_warnings_are_recorded(tmp_path: Path, cluster: Cluster) -> None:
    run = make(tmp_path, "raise", game={"family": "duel.py:duel", "trouble": "raise"})
    events: list[RunEvent] = []
    assert carry_out(run, executor=cluster, progress=events.append) == "failed"
    assert run.counts() == {"total": 6, "done": 4, "failed": 2, "left": 0}
    assert "RuntimeError: the duel was called off" in next(e for e in events if e.kind == "failed").message
    log = (run.folder / "log.txt").read_text()
    assert "Traceback" in log
    assert f"{tmp_path}/duel.py:28: RuntimeError" in log
    run = make(tmp_path, "warn", game={"family": "duel.py:duel", "trouble": "warn"})
    assert carry_out(run, executor=cluster) == "done"
    assert len(run.warnings()) == 4


HOLD = """
import sys, ray
ray.init(sys.argv[1], log_to_driver=False, logging_level="CRITICAL")
@ray.remote(num_cpus=1)
class Held:
    def begun(self):
        return True
holds = [Held.remote() for _ in range(2)]
ray.get([one.begun.remote() for one in holds])
print("held", flush=True)
sys.stdin.read()
"""


def test_waiting_for_busy_processors_is_reported(tmp_path: Path, nodes: Nodes, cluster: Cluster) -> None:
    command = [sys.executable, "-c", HOLD, nodes.address]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    others = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ | SETTINGS, **pipes)
    said: list[RunEvent] = []

    def note(event: RunEvent) -> None:
        said.append(event)
        if event.kind == "waiting":
            others.communicate(timeout=60)  # end of input ends the other job

    try:
        assert others.stdout.readline() == "held\n"
        found = tabular().run(tmp_path, progress=note, executor=cluster)
    finally:
        others.kill()
        others.wait()
    assert [event.kind for event in said[:2]] == ["waiting", "started"]
    assert said[0].message == "not begun within 20 seconds; 0 of the cluster's 2 CPUs are free"
    assert said[0].message in (tmp_path / "log.txt").read_text()
    assert found.status == "done"


def test_a_cell_fails_after_its_worker_died_three_times(tmp_path: Path, cluster: Cluster) -> None:
    run = make(tmp_path, game={"family": "duel.py:duel", "trouble": "die"}, replications={"count": 1})
    events: list[RunEvent] = []
    assert carry_out(run, executor=cluster, progress=events.append) == "failed"
    assert run.counts() == {"total": 3, "done": 2, "failed": 1, "left": 0}
    assert [event.message for event in events if event.kind == "worker_died"] == ["worker died"] * 2
    assert list(run.failures().values()) == ["worker died, 3 times; out of memory?"]


def test_full_disks_stop_runs_and_keep_cells(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, real, written = make(tmp_path), files.write, 0

    def write(path: Path, data: bytes, *, durable: bool = False) -> None:
        nonlocal written
        written += path.parent.name == "cells"
        if written > 2:
            raise DiskFull(f"{path}: no space left for it")
        real(path, data, durable=durable)

    monkeypatch.setattr(files, "write", write)
    with pytest.raises(DiskFull, match="no space left"):
        carry_out(run, executor=cluster)
    monkeypatch.undo()
    assert run.counts()["done"] == 2
    assert carry_out(run, executor=cluster) == "done"


@pytest.mark.brief
def test_files_outside_the_study_folder_are_sent(tmp_path: Path, cluster: Cluster) -> None:
    duel_study.write(tmp_path / "games")
    (tmp_path / "studies").mkdir()
    for family in ("../games/duel.py:duel", f"{tmp_path}/games/duel.py:duel"):
        chosen = study(tmp_path / "studies", game={"family": family}, replications={"count": 1})
        name = str(len(family))
        alone = run_study(chosen, tmp_path / f"alone{name}")
        away = run_study(chosen, tmp_path / f"away{name}", executor=cluster)
        assert contents(alone) == contents(away)


def test_included_studies_share_one_connection(tmp_path: Path, cluster: Cluster) -> None:
    study(tmp_path)
    (tmp_path / "both.toml").write_text('title = "Both"\ninclude = ["duel.toml"]\n')
    run = Run.create_or_open(tmp_path / "both", load_study(tmp_path / "both.toml"))
    events: list[RunEvent] = []
    line = cluster._line
    assert carry_out(run, executor=cluster, progress=events.append) == "done"
    assert cluster._line is line
    assert {event.cell.split("/")[0] for event in events} == {"duel"}


NESTED = """

class Nested(Climb):
    def init(self, game, start, key):
        import ray
        # the study is checked where there is no Ray, or one of networks, which has no processors to give
        if ray.is_initialized() and ray.cluster_resources().get("CPU", 0) > 0:
            assert ray.get(ray.remote(num_cpus=1)(lambda: 7).remote()) == 7
        return State(start)
"""


@pytest.mark.brief
def test_a_cell_may_use_ray(tmp_path: Path, cluster: Cluster) -> None:
    (tmp_path / "duel.py").write_text(duel_study.GAME + NESTED)
    chosen = Study(
        name="nested",
        title="Ray within Ray",
        game={"family": "duel.py:duel"},
        method=[{"kind": "duel.py:Nested", "max_steps": 10}],
        replications={"count": 3, "seed": 1},
        folder=tmp_path,
    )
    assert run_study(chosen, tmp_path / "run", executor=cluster).status == "done"


@pytest.mark.nightly
def test_deep_learners_are_trained_in_cells(tmp_path: Path, cluster: Cluster) -> None:
    pytest.importorskip("torch")
    chosen = Study(
        name="deep",
        title="Networks on Ray within Ray",
        game={"family": "influencer", "players": 2},
        method=[{"kind": "rllib.ppo", "iterations": 3, "batch": 40, "periods": 5}],
        replications={"count": 2, "seed": 3},
    )
    alone, away = run_study(chosen, tmp_path / "alone"), tmp_path / "away"
    assert contents(alone) == contents(run_study(chosen, away, executor=cluster))


def test_other_versions_are_refused(tmp_path: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    from rivalry.integrations.ray import cell

    monkeypatch.setattr(cell, "versions", lambda: {"rivalry": "9.9"})
    with pytest.raises(ClusterError, match=r"has rivalry .*, this run 9\.9; install the same versions"):
        carry_out(make(tmp_path), executor=Cluster(nodes.address))


# -- from the command line ---------------------------------------------------------------------------------

CLIMBS = """
title = "Climbs"
[game]
family = "duel.py:duel"
[[method]]
kind = "duel.py:Climb"
max_steps = LENGTH
[replications]
count = 4
"""
ENDLESS = 10**9


def write(folder: Path, length: int) -> Path:
    duel_study.write(folder)
    path = folder / "climb.toml"
    path.write_text(CLIMBS.replace("LENGTH", str(length)))
    return path


def rivalry(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RIVALRY, *map(str, words)], capture_output=True, text=True, timeout=120, **options
    )


@pytest.fixture
def home() -> Iterator[Path]:
    """The temporary folder of Ray's client process, which must be empty at the end of the test."""
    found = Path(tempfile.mkdtemp(prefix="home-", dir="/tmp"))
    yield found
    left = until(lambda: not list(found.iterdir()), 30)
    shutil.rmtree(found)
    assert left


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command; at the end of the test none of its processes may be left."""
    started: list[subprocess.Popen[str]] = []
    family: set[Any] = set()

    def begin(*words: str | Path) -> subprocess.Popen[str]:
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        env = os.environ | {"RAY_TMPDIR": str(home)}
        command = [*RIVALRY, *map(str, words)]
        started.append(subprocess.Popen(command, start_new_session=True, env=env, **pipes))
        return started[-1]

    yield lambda *words: _watched(begin(*words), family)
    assert until(lambda: not [one for one in family if one.is_running()], 30), [
        (p, name_of(p)) for p in family if p.is_running()
    ]
    for process in started:
        process.communicate()


def _watched(process: subprocess.Popen[str], family: set[Any]) -> subprocess.Popen[str]:
    """Record the descendants of a process while it runs."""
    import threading

    def note() -> None:
        while process.poll() is None:
            family.update(descendants(process.pid))
            time.sleep(0.1)

    threading.Thread(target=note, daemon=True).start()
    return process


def test_local_ray_leaves_no_files(tmp_path: Path, home: Path) -> None:
    study = duel_study.write(tmp_path, replications=2)
    words = ("run", study, "--executor", "ray", "--workers", "2", "--json", "--out", tmp_path / "away")
    done = rivalry(*words, env=os.environ | {"RAY_TMPDIR": str(home)})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["cells"] == {"total": 6, "done": 6, "failed": 0}
    assert all(line.startswith(("runs ", str(tmp_path))) for line in done.stderr.splitlines())
    alone = run_study(load_study(study), tmp_path / "alone")
    assert contents(alone) == contents(Run.open(tmp_path / "away"))


def test_runs_are_resumed_without_ray(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    study, run = write(tmp_path, 1_000_000), tmp_path / "run"
    process = start("run", study, "--executor", "ray", "--workers", "2", "--out", run)
    assert until(lambda: list((run / "cells").glob("[!.]*.npz")))
    interrupted(process)
    assert 0 < Run.open(run).counts()["done"] < 4
    assert rivalry("resume", run).returncode == 0
    assert contents(run_study(load_study(study), tmp_path / "alone")) == contents(Run.open(run))


def interrupted(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)
    out, error = process.communicate(timeout=10)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in error
    assert "interrupted" in error.splitlines()[-1]


def test_an_interrupted_run_leaves_the_cluster_unchanged(
    tmp_path: Path, nodes: Nodes, start: Callable[..., subprocess.Popen[str]]
) -> None:
    words = ("run", write(tmp_path, ENDLESS), "--out", tmp_path / "run")
    killed = set(nodes.cells.glob("rivalry-*/*/duel.py"))  # files left by cells that the tests above killed
    process = start(*words, "--executor", "ray", "--address", nodes.address)
    assert until(lambda: len(set(nodes.cells.glob("rivalry-*/*/duel.py")) - killed) == 2)
    time.sleep(1.0)
    interrupted(process)
    assert until(lambda: not nodes.busy(), 30)
    nodes.tell("look")


@pytest.mark.nightly
def test_killed_runs_leave_no_processes(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    run = tmp_path / "run"
    process = start("run", write(tmp_path, ENDLESS), "--executor", "ray", "--workers", "2", "--out", run)
    assert until(lambda: [p for p in descendants(process.pid) if "compute" in name_of(p)])
    process.kill()


def test_an_address_without_a_cluster_is_refused(tmp_path: Path) -> None:
    began = time.monotonic()
    done = rivalry("run", duel_study.write(tmp_path), "--executor", "ray", "--address", "127.0.0.1:1")
    assert done.returncode == 2
    assert done.stderr.splitlines()[1:] == ["rivalry: --address 127.0.0.1:1: Connection refused"]
    assert time.monotonic() - began < 15

"""Studies as array jobs of SLURM, on one real node where it is installed, and shards on the command line."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.conftest import Command

SMALL = """
[game]
family = "matrix"
name = "chicken"
[[method]]
kind = "regret_matching"
steps = STEPS
[replications]
count = 5
"""
CONFIGURATION = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=p Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "cells").iterdir()}


def wait_until(happened: Callable[[], object], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not happened() and time.monotonic() < end:
        time.sleep(0.2)
    return bool(happened())


@pytest.mark.slow
def test_commands(rivalry: Command) -> None:
    Path("small.toml").write_text(SMALL.replace("STEPS", "50"))
    answer = rivalry("slurm", "small.toml", "--shards", "2", "--time", "01:00:00", "--print")
    assert "#SBATCH --array=1-2\n" in answer.out
    assert "#SBATCH --time=01:00:00\n" in answer.out
    assert (answer.status, answer.err) == (0, "")
    found = rivalry("work", "runs/small", "--shard", "1/2", "--workers", "1", "--json")
    assert (found.status, found.value["done"], found.value["total"]) == (0, 2, 2)
    assert "shard 1 of 2: 2 of 2 cells done" in rivalry("status", "runs/small").out
    assert rivalry("status", "runs/small", "--json").value["shards"] == [
        {"shard": 1, "of": 2, "total": 2, "done": 2}
    ]
    assert rivalry("work", "runs/small", "--shard", "2/2", "--out", "far/2-of-2").status == 0
    assert rivalry("merge", "runs/small", "far/2-of-2", "runs/small/array/1-of-2", "--json").value == {
        "run": "runs/small",
        "cells": {"total": 5, "done": 5, "failed": 0, "left": 0},
    }
    assert rivalry("resume", "runs/small").status == 0
    assert rivalry("run", "small.toml", "--out", "runs/local", "--workers", "1").status == 0
    assert contents(Path("runs/small")) == contents(Path("runs/local"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["work", "runs/small", "--shard", "0/2"], "--shard 0/2: must be K/N with K in 1..N"),
        (["work", "runs/small", "--shard", "half"], "--shard half: must be K/N with K in 1..N"),
        (["work", "runs/small", "--shard", "1/2"], "runs/small: no such run folder"),
        (["merge", "runs/small", "far"], "runs/small: no such run folder"),
        (["slurm", "matrix_classics", "--shards", "0"], "slurm: invalid value for '--shards': "),
        (["slurm", "matrix_classics", "--shards", "2", "--time", "1 h"], "--time 1 h: must be a value"),
    ],
)
def test_wrong_input_gives_one_line(rivalry: Command, line: list[str], says: str) -> None:
    assert rivalry(*line).refusal.startswith(f"rivalry: {says}")


HOSTILE = "a b'c\"d$(touch no)`touch no`#%a;--uid=0"  # a folder's name: words of a shell, and of sbatch
TRAP = "from pathlib import Path\nPath(__file__).with_name('imported').touch()\n"


@pytest.mark.parametrize("name", ["runs/a\n#SBATCH --uid=0", "a\rb", "a\x1b[2Jb", "a\\b"])
def test_folders_that_a_script_cannot_name_are_refused(rivalry: Command, name: str) -> None:
    Path("small.toml").write_text(SMALL.replace("STEPS", "50"))
    answer = rivalry("slurm", "small.toml", "--shards", "2", "--print", "--out", name)
    assert answer.refusal.startswith("rivalry: --out ")
    assert sorted(os.listdir()) == ["small.toml"]


@pytest.mark.slow
def test_a_script_imports_nothing_beside_it_and_reads_hostile_names(rivalry: Command, tmp_path: Path) -> None:
    """As a node runs it: in the folder of submission, with the variables of a task."""
    Path("small.toml").write_text(SMALL.replace("STEPS", "50"))
    Path("random.py").write_text(TRAP)
    script = rivalry("slurm", "small.toml", "--shards", "1", "--print", "--out", f"runs/{HOSTILE}").out
    Path("job.sh").write_text(script)
    subprocess.run(["bash", "-n", "job.sh"], check=True)
    done = subprocess.run(
        ["bash", "job.sh"], env=os.environ | {"SLURM_ARRAY_TASK_ID": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(contents(Path("runs", HOSTILE, "array", "1-of-1"))) == 5
    assert not {"imported", "no", "__pycache__"} & set(os.listdir())


@pytest.fixture
def node(one_process: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cluster of one node, of daemons of its own; needs the packages slurm-wlm and munge, and root.

    Two clusters on one machine would take each other's ports.
    """
    tools = ("slurmctld", "slurmd", "sbatch", "munged")
    if not all(map(shutil.which, tools)) or os.getuid() != 0:
        pytest.skip("needs SLURM (slurm-wlm), munge and root")
    host = os.uname().nodename.split(".")[0]
    # sockets of the daemons lie there, and the name of a socket has at most 108 bytes
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    (folder / "slurm.conf").write_text(CONFIGURATION.format(host=host, folder=folder))
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode:
        Path("/run/munge").mkdir(exist_ok=True)
        shutil.chown("/run/munge", "munge", "munge")
        subprocess.run(["runuser", "-u", "munge", "--", "munged", "--force"], check=True)
    try:
        subprocess.run(["slurmctld"], check=True)
        subprocess.run(["slurmd", "-N", host], check=True)
        if not wait_until(lambda: "idle" in ask("sinfo"), 20):
            pytest.skip(f"needs SLURM that starts: {ask('sinfo')}")
        yield
        ask("scancel", "--user=root")
        wait_until(lambda: not ask("squeue", "-h"), 10)
    finally:
        for name in ("slurmd", "slurmctld"):
            if (file := folder / f"{name}.pid").exists():
                with suppress(ProcessLookupError):  # it ended by itself
                    os.kill(int(file.read_text()), signal.SIGTERM)
        wait_until(lambda: not list(folder.glob("*.pid")), 10)
        shutil.rmtree(folder, ignore_errors=True)


def ask(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


@pytest.mark.slow
@pytest.mark.usefixtures("node")
def test_a_job_of_which_a_task_was_killed_ends_with_the_bytes_of_a_local_run(rivalry: Command) -> None:
    Path("small.toml").write_text(SMALL.replace("STEPS", "2000000"))
    job = rivalry("slurm", "small.toml", "--shards", "2", "--json").value["job"]
    first = Path("runs/small/array/1-of-2")
    assert wait_until(lambda: list(first.glob("cells/*.npz")), 60)
    task = ask("pgrep", "-f", f"rivalry work {Path('runs/small').resolve()} --shard 1/2").split()[0]
    os.kill(int(task), signal.SIGKILL)
    assert wait_until(lambda: f"{job}_1" in ask("squeue", "-h", "-t", "PD", "-o", "%i"), 20)
    before = contents(first)
    ask("scontrol", "update", f"JobId={job}_1", "StartTime=now")
    assert wait_until(lambda: not ask("squeue", "-h"), 240), ask("squeue")
    assert before.items() <= contents(first).items()  # nothing was computed twice
    assert rivalry("resume", "runs/small").status == 0
    assert rivalry("run", "small.toml", "--out", "runs/local", "--workers", "2").status == 0
    assert contents(Path("runs/small")) == contents(Path("runs/local"))


@pytest.mark.slow
@pytest.mark.usefixtures("node")
def test_a_task_near_its_time_limit_stops_and_is_queued_again(rivalry: Command) -> None:
    Path("small.toml").write_text(SMALL.replace("STEPS", "9000000"))
    job = rivalry("slurm", "small.toml", "--shards", "1", "--json").value["job"]
    only = Path("runs/small/array/1-of-1")
    assert wait_until(lambda: list(only.glob("cells/*.npz")), 90)
    ask("scancel", "--signal=USR1", "--batch", f"{job}_1")
    assert wait_until(lambda: f"{job}_1" in ask("squeue", "-h", "-t", "PD", "-o", "%i"), 20)
    assert contents(only)
    assert "interrupted; all finished cells are kept" in Path("runs/small/array/1.log").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("node")
@pytest.mark.parametrize("name", ["plain", HOSTILE])
def test_a_job_imports_nothing_of_the_folder_where_it_was_submitted(rivalry: Command, name: str) -> None:
    Path("small.toml").write_text(SMALL.replace("STEPS", "50"))
    Path("random.py").write_text(TRAP)
    answer = rivalry("slurm", "small.toml", "--shards", "1", "--out", f"runs/{name}", "--json")
    assert answer.status == 0, answer.err
    assert f"rivalry-{name}" in ask("squeue", "-h", "-o", "%j", "-j", answer.value["job"])
    assert wait_until(lambda: not ask("squeue", "-h"), 120), ask("squeue")
    assert len(contents(Path("runs", name, "array", "1-of-1"))) == 5
    assert Path("runs", name, "array", "1.log").is_file()
    assert not {"imported", "no", "__pycache__"} & set(os.listdir())

"""Nothing raw reaches the reader of a bundled study: each in its quick form, as the command prints it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rivalry.lab.store import Run
from rivalry.lab.study import load_study, studies
from tests.raw_answers import faults_of_run

NETWORKS = {"ppo", "dqn", "sac"}


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name in studies() if not load_study(name).include])
def test_nothing_raw_reaches_a_reader(name: str, tmp_path: Path) -> None:
    if NETWORKS & {str(table["kind"]) for table in load_study(name).resolved()["method"]}:
        pytest.importorskip("ray")
    line = [sys.executable, "-m", "rivalry", "run", name, "--quick", "--workers", "1", "--out", "run"]
    ended = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stderr
    assert faults_of_run(Run.open(tmp_path / "run"), ended.stderr + ended.stdout) == []

"""Nothing raw reaches the reader of a bundled study: each in its quick form, as the command prints it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rivalry.lab.answer import answer_of
from rivalry.lab.store import Run
from rivalry.lab.study import load_study, studies
from tests.bundled import includes_others
from tests.raw_answers import digest_of, faults_of_run, readings


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name in studies() if not includes_others(name)])
def test_nothing_raw_reaches_a_reader(name: str, tmp_path: Path) -> None:
    if any(str(table["kind"]).startswith("rllib") for table in load_study(name).method):
        pytest.importorskip("ray")
    line = [sys.executable, "-m", "rivalry", "run", name, "--quick", "--workers", "1", "--out", "run"]
    ended = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stderr
    run = Run.open(tmp_path / "run")
    assert faults_of_run(run, ended.stderr + ended.stdout) == []
    if digest := readings().get(name, {}).get("digest"):
        changed = "new sentences: read them beside their data, then python -m tests.raw_answers --read RUN"
        assert digest_of(answer_of(run)) == digest, changed


def test_readings_are_of_bundled_studies_and_say_what_is_wrong() -> None:
    table = readings()
    assert table.keys() <= studies().keys()
    for reading in table.values():
        good = reading["answers"] == "yes" and reading["true"] and reading["economist"]
        assert good or reading["note"]

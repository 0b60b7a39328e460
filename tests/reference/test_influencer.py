"""The reference cases of influencer games that the package answers, one test a case."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.reference import influencer
from tests.reference.__main__ import choose, judge, main, read

FILE = Path(__file__).with_name("influencer.json")
KINDS_TO_COME = ("continuous", "threshold_numeric", "hopf", "reward_table", "q_learning")
GAMES_TO_COME = ("*dirichlet*", "*blotto*")
DYNAMIC = ("dynamics", "sweep", "fixed_point_stability")
CASES = list(choose(read(FILE), without=[*KINDS_TO_COME, *GAMES_TO_COME, *DYNAMIC]))


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case: Mapping[str, Any]) -> None:
    assert judge(case, influencer.answer) == []


def test_dynamic_cases() -> None:
    """Where flows end, by the command itself, in a process without checks of shapes: much is compiled."""
    others = {case["kind"] for case in read(FILE)} - set(DYNAMIC)
    command = [sys.executable, "-m", "tests.reference", "influencer", str(FILE), "--without"]
    done = subprocess.run(
        [*command, *others, *GAMES_TO_COME],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "14 of 14 agree\n"), done.stdout + done.stderr


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    patterns = [kind for kind in influencer.KINDS if kind not in ("schedules", "static")]
    status = main(["influencer", str(FILE), "--without", *patterns, "static-g*", "hopf", "--without", "q_*"])
    lines = capsys.readouterr().out.splitlines()
    assert status == 1
    disagreeing = [line for line in lines[:-1] if "NotAnswered" in line]
    assert len(disagreeing) == len(lines) - 1
    agreeing, _, of, _ = lines[-1].split()[0:4]
    assert lines[-1] == f"{agreeing} of {of} agree"
    assert int(of) - int(agreeing) == len(disagreeing) > 0


def test_the_command_when_all_agree(capsys: pytest.CaptureFixture[str]) -> None:
    patterns = [*{case["kind"] for case in read(FILE)} - {"schedules"}]
    assert main(["influencer", str(FILE), "--without", *patterns]) == 0
    assert capsys.readouterr().out == "1 of 1 agree\n"


def test_a_file_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["influencer", str(tmp_path / "no.json")]) == 2
    assert "no.json" in capsys.readouterr().err

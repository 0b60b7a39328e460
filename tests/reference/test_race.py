"""Reference cases of races, one test per case."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.reference import race
from tests.reference.__main__ import choose, judge, read
from tests.selection import first_of_each_kind

pytestmark = pytest.mark.slow

FILE = Path(__file__).with_name("race.json")
LONG = ("stackelberg", "not_nash", "dynamic_nash", "stationary_nash", "belief_nash", "learning_hedge")
UNTYPED = "err_csf_kind"  # this process checks types, which would refuse the wrong word first
CASES = list(choose(read(FILE), without=[*LONG, UNTYPED]))
CHOSEN = ("basic_n3_T10", "stationary_sym", "beliefs_cautious", "hedge_default", UNTYPED)


@pytest.mark.filterwarnings("ignore:spill")  # one case has enough spillover for leapfrogging
@pytest.mark.parametrize("case", first_of_each_kind(CASES))
def test_case(case: Mapping[str, Any]) -> None:
    assert judge(case, race.answer, null_is_any=race.NULL_IS_ANY) == []


def by_command(path: Path, cases: list[Any]) -> None:
    """Compare all cases by the command in a process without shape checks, since much is compiled."""
    path.write_text(json.dumps({"cases": cases}), encoding="utf-8")
    command = [sys.executable, "-m", "tests.reference", "race", str(path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    expected = (0, f"{len(cases)} of {len(cases)} agree\n")
    assert (done.returncode, done.stdout) == expected, done.stdout + done.stderr


@pytest.mark.nightly
def test_selected_slow_cases_of_each_kind(tmp_path: Path) -> None:
    by_command(tmp_path / "chosen.json", [case for case in read(FILE) if case["id"] in CHOSEN])


@pytest.mark.nightly
def test_all_other_slow_cases(tmp_path: Path) -> None:
    rest = [case for case in read(FILE) if case["kind"] in LONG and case["id"] not in CHOSEN]
    by_command(tmp_path / "rest.json", rest)

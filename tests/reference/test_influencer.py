"""Reference cases of influencer games, one test per case."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.reference import games, influencer
from tests.reference.__main__ import choose, judge, main, read
from tests.selection import first_of_each_kind

FILE = Path(__file__).with_name("influencer.json")
DYNAMIC = ("dynamics", "sweep", "fixed_point_stability")
CASES = list(choose(read(FILE), without=DYNAMIC)) + read(FILE.with_name("claims.json"))


@pytest.mark.slow
@pytest.mark.parametrize("case", first_of_each_kind(CASES, slow_kinds=("claim", "q_learning")))
def test_case(case: Mapping[str, Any]) -> None:
    assert judge(case, influencer.answer) == []


@pytest.mark.nightly
def test_dynamic_cases() -> None:
    """Limits of dynamics, by the command in a process without shape checks, since much is compiled."""
    others = {case["kind"] for case in read(FILE)} - set(DYNAMIC)
    command = [sys.executable, "-m", "tests.reference", "influencer", str(FILE), "--without"]
    done = subprocess.run(
        [*command, *others], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False
    )
    assert (done.returncode, done.stdout) == (0, "15 of 15 agree\n"), done.stdout + done.stderr


@pytest.mark.slow
def test_the_command_reports_disagreements(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = [case for case in read(FILE) if case["kind"] in ("schedules", "jacobian")]
    static = next(case for case in read(FILE) if case["kind"] == "static")
    elsewhere = {**static["inputs"]["game"], "space": {"kind": "torus"}}
    cases = [
        *known,
        {"id": "unheard", "kind": "unheard", "inputs": {}, "expected": {}},
        {**static, "id": "torus", "inputs": {**static["inputs"], "game": elsewhere}},
    ]
    file = tmp_path / "cases.json"
    file.write_text(json.dumps({"cases": cases}), encoding="utf-8")
    assert main(["influencer", str(file), "--without", "jacobian-ab*", "--without", "q_*"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0] for line in lines[:-1]] == ["unheard", "torus"]
    assert all("NotAnswered" in line for line in lines[:-1])
    assert lines[-1] == f"{len(known) - 1} of {len(known) + 1} agree"


@pytest.mark.slow
def test_the_command_when_all_agree(capsys: pytest.CaptureFixture[str]) -> None:
    patterns = [*{case["kind"] for case in read(FILE)} - {"schedules"}]
    assert main(["influencer", str(FILE), "--without", *patterns]) == 0
    assert capsys.readouterr().out == "1 of 1 agree\n"


def test_a_missing_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["influencer", str(tmp_path / "no.json")]) == 2
    assert "no.json" in capsys.readouterr().err


def test_malformed_cases_alone_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = next(case for case in read(FILE) if case["kind"] == "schedules")
    cases = [
        3,
        {},
        {"id": "bare", "kind": "static"},
        {"id": 7, "kind": None, "inputs": {}, "expected": {}},
        {**good, "id": "list", "expected": [1.0]},
        {**good, "id": "tolerance", "tolerance": "small"},
        {**good, "id": "wanting", "inputs": {"step_cosine": {}}},
        good,
    ]
    file = tmp_path / "cases.json"
    file.write_text(json.dumps({"cases": cases}), encoding="utf-8")
    assert main(["influencer", str(file)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "1 of 8 agree"
    assert [line.split(" (")[0] for line in lines[:-1]] == [
        "case 0", "case 1", "bare", "7", "list", "tolerance", "wanting"
    ]  # fmt: skip


@pytest.mark.slow
def test_resource_points_without_a_data_file() -> None:
    game = {
        "space": {"kind": "box", "bounds": [[0, 1], [0, 1]]},
        "resource_points": {"kind": "corners", "num": 2},
        "resource": {"kind": "uniform"},
        "kernel": {"name": "gaussian", "sigma": [0.5, 0.5]},
    }
    case = {
        "id": "corners", "kind": "static", "tolerance": {"rtol": 1e-12},
        "inputs": {"game": game, "positions": [[0.5, 0.5], [0.5, 0.5]]},
        "expected": {"resource_total": 2.0, "payoffs": [1.0, 1.0]},
    }  # fmt: skip
    assert judge(case | {"folder": "."}, influencer.answer) == []


@pytest.mark.slow
def test_a_scan_without_outside_rows_agrees_with_the_closed_form() -> None:
    (closed,) = (case for case in read(FILE) if case["id"] == "threshold-gaussian-bimodal-4p")
    (scanned,) = (case for case in read(FILE) if case["id"] == "threshold-third-party-2p")
    game = scanned["inputs"]["game"] | {"third_party": None}
    inputs = {"game": game, "num_players": 4, "scan": [0.05, 0.5]}
    found = influencer.answer(
        scanned | {"inputs": inputs, "expected": {"stable_at": [0.1, 0.4], "unstable_at": [0.1, 0.4]}}
    )
    assert found["crossings"] == pytest.approx([closed["expected"]["critical_sigma"]], abs=1e-9)
    assert found["symmetric_position"] == pytest.approx(0.5)
    assert (found["stable_at"], found["unstable_at"]) == ([0.4], [0.1])


def test_wrong_input_in_a_case_is_refused_by_the_package() -> None:
    assert games._kernel({"name": "gausian", "sigma": [0.1, 0.1]}, None) == {
        "kernel": "gausian", "reach": [0.1, 0.1]
    }  # fmt: skip
    for wrong in ({"T": 0}, {"min": 0.4}):
        rate = {"min": 0.1, "max": 0.3, "T": 5, "t": [0]} | wrong
        case = {"kind": "schedules", "inputs": {"step_cosine": rate}, "expected": _refused("rate")}
        assert judge(case | {"id": "rate"}, influencer.answer) == []


def _refused(*named: str) -> dict[str, Any]:
    return {"raises": "ValueError", "message_contains": list(named)}

"""Every bundled study in its quick form, as the command runs it: its words, and its reference values."""

from pathlib import Path

import pytest

from rivalry.lab.checks import judge
from rivalry.lab.store import Run
from rivalry.lab.study import load_study, studies
from rivalry.living.freeze import freeze
from tests.bundled import includes_others
from tests.cli.conftest import Command
from tests.raw_answers import faults_of_run


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name in studies() if not includes_others(name)])
def test_nothing_raw_is_shown_and_references_are_met(name: str, rivalry: Command, tmp_path: Path) -> None:
    if any(str(table["kind"]).startswith("rllib") for table in load_study(name).method):
        pytest.importorskip("ray")
    # in this process: importing the package takes as long as many a study
    ended = rivalry("run", name, "--quick", "--workers", "1", "--out", "run")
    assert ended.status == 0, ended.err
    run = Run.open(tmp_path / "run")
    assert run.failures() == {}
    assert faults_of_run(run, ended.err + ended.out) == []
    assert_values_are_reproduced(run)
    freeze(run, tmp_path / "page.html")  # every view takes its results


def assert_values_are_reproduced(run: Run) -> None:
    """Expected values are met, and differences from published values are explained."""
    rows = [judged.row for judged in judge(run.head["study"], run.dataset())]
    assert not [row for row in rows if row["expected_verdict"] == "differs"]
    assert not [row for row in rows if row["published_verdict"] == "differs" and not row["why"]]
    valid = [row.get("quick", False) for row in run.head["study"]["expect"]]
    assert [row["reason"] is None for row in rows] == valid

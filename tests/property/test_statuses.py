"""Statuses of the cells of bundled studies: none that a run has is contradicted by `verify`."""

import json
from pathlib import Path

import pytest

from rivalry.lab.proofs import check_status
from rivalry.lab.study import load_study
from rivalry.lab.study.names import COSTS, studies
from tests.bundled import includes_others

pytestmark = pytest.mark.nightly

LONGEST = 10.0  # seconds of a quick form in a process of its own; those of longer ones have the same methods


def names() -> list[str]:
    """Bundled studies whose quick form was measured, and is short."""
    seconds = json.loads(COSTS.read_text(encoding="utf-8"))
    quick = {name: seconds.get(name, {}).get("quick", float("inf")) for name in studies()}
    return [name for name in quick if quick[name] <= LONGEST and not includes_others(name)]


@pytest.mark.parametrize("name", names())
def test_no_status_of_a_quick_run_is_contradicted(name: str, tmp_path: Path) -> None:
    run = load_study(name).quick_form().run(tmp_path / "run")
    tasks, folder = run.tasks(), Path(run.head["folder"])
    assert tasks
    for id, task in tasks.items():
        check = check_status(task, folder, run.read_cell(id))
        assert (id, check.faults, check.undecided) == (id, [], [])

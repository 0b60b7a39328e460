"""Labels of bundled studies agree with the processor time of their full form."""

import json
from pathlib import Path

import pytest

from benchmarks import study_costs
from rivalry.lab.report.full_runs import full_run
from rivalry.lab.study.names import COST_LABELS, COSTS, read_toml, studies


@pytest.mark.slow
def test_labels_agree_with_the_measured_time() -> None:
    costs = json.loads(COSTS.read_text(encoding="utf-8"))
    assert costs.keys() <= studies().keys()
    for name, seconds in costs.items():
        label = read_toml(studies()[name], name)[0].get("cost", "seconds")
        assert COST_LABELS[label] >= COST_LABELS[study_costs.cost_label(max(seconds.values()))], name
        if "full" in seconds:
            assert label == study_costs.cost_label(max(seconds.values())), (
                f"{name}: python -m benchmarks.study_costs"
            )


def test_full_seconds_are_those_of_the_stored_full_run() -> None:
    costs = json.loads(COSTS.read_text(encoding="utf-8"))
    for name in studies():
        if stored := full_run(name):
            assert costs[name]["full"] == float(f"{stored.seconds:.2g}"), "python -m benchmarks.study_costs"


@pytest.mark.slow
def test_a_quick_form_takes_less_than_a_minute() -> None:
    costs = json.loads(COSTS.read_text(encoding="utf-8"))
    single = [name for name in costs if "include" not in read_toml(studies()[name], name)[0]]
    slow = {name: costs[name]["quick"] for name in single if costs[name].get("quick", 0.0) > 60.0}
    assert slow == {}


@pytest.mark.parametrize(
    ("text", "seconds"), [("10.5 6.4 .5\n", 6.9), ("10.5 6.4 .5\nrc 124\n", None), ("", None)]
)
def test_times_of_failed_runs_do_not_count(text: str, seconds: float | None, tmp_path: Path) -> None:
    (tmp_path / "a.time").write_text(text, encoding="utf-8")
    assert study_costs.read(tmp_path / "a.time") == seconds

"""The bundled studies of networks: in their quick form, and at night in the full one with what they state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rivalry as rv
from rivalry.lab import report
from rivalry.lab.study import load_study, studies

pytest.importorskip("ray")
pytest.importorskip("torch")

DEEP = sorted(name for name in studies() if "_deep" in name)


def carried_out(name: str, folder: Path, quick: bool) -> None:
    """Every cell is there, what is judged agrees, and the report tells of the networks."""
    run = rv.run_study(load_study(name).quick_form() if quick else load_study(name), folder)
    assert run.failures() == {}
    data, page = run.dataset(), report.build(run.folder).read_text(encoding="utf-8")
    assert np.isfinite(data["resumed"].values.astype(float)).any()
    assert f"ray {run.made_by['ray']} and torch {run.made_by['torch']}" in page
    rows = report.expectations(run.head["study"], data)
    assert not [row for row in rows if row["expected_verdict"] == "differs"]
    assert not [row for row in rows if row["published_verdict"] == "differs" and not row["why"]]


def test_a_quick_study_of_networks_has_its_report(tmp_path: Path) -> None:
    carried_out("race_deep_periods", tmp_path / "run", quick=True)


@pytest.mark.nightly
@pytest.mark.parametrize("name", DEEP)
def test_every_quick_study_of_networks_has_its_report(name: str, tmp_path: Path) -> None:
    carried_out(name, tmp_path / "run", quick=True)


@pytest.mark.nightly
@pytest.mark.parametrize("name", DEEP)
def test_every_study_of_networks_finds_what_it_states(name: str, tmp_path: Path) -> None:
    carried_out(name, tmp_path / "run", quick=False)

"""The bundled deep-learning studies: the quick form, and nightly the full form with its expectations."""

from pathlib import Path

import numpy as np
import pytest

import rivalry as rv
from rivalry.lab.checks import judge
from rivalry.lab.report.page import build
from rivalry.lab.study import load_study, studies

pytest.importorskip("ray")
pytest.importorskip("torch")

DEEP = sorted(name for name in studies() if "_deep" in name)


def carried_out(name: str, folder: Path, quick: bool) -> None:
    """Run the study; every cell is done, compared values agree, and the report names the library versions."""
    run = rv.run_study(load_study(name).quick_form() if quick else load_study(name), folder)
    assert run.failures() == {}
    data, page = run.dataset(), build(run.folder).read_text(encoding="utf-8")
    assert np.isfinite(data["resumed"].values.astype(float)).any()
    assert all(f"<span>{name} {run.made_by[name]}</span>" in page for name in ("ray", "torch"))
    rows = [judged.row for judged in judge(run.head["study"], data)]
    assert not [row for row in rows if row["expected_verdict"] == "differs"]
    assert not [row for row in rows if row["published_verdict"] == "differs" and not row["why"]]


def test_a_quick_deep_study_has_a_report(tmp_path: Path) -> None:
    carried_out("race_deep_periods", tmp_path / "run", quick=True)


@pytest.mark.nightly
@pytest.mark.parametrize("name", DEEP)
def test_every_quick_deep_study_has_a_report(name: str, tmp_path: Path) -> None:
    carried_out(name, tmp_path / "run", quick=True)


@pytest.mark.nightly
@pytest.mark.parametrize("name", DEEP)
def test_every_deep_study_agrees_with_its_expectations(name: str, tmp_path: Path) -> None:
    carried_out(name, tmp_path / "run", quick=False)

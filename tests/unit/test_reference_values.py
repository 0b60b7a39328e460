"""Bundled studies reproduce their reference values, and differences from published values are explained."""

from __future__ import annotations

from pathlib import Path

import pytest

import rivalry as rv
from rivalry.lab.answer.checks import expectations
from rivalry.lab.study import load_study, studies
from tests.bundled import includes_others

pytestmark = pytest.mark.slow

SHORT = sorted(name for name in studies() if "_deep" not in name and not includes_others(name))


def compared(name: str, folder: Path) -> None:
    run = rv.run_study(load_study(name).quick_form(), folder)
    assert run.failures() == {}
    rows = expectations(run.head["study"], run.dataset())
    assert not [row for row in rows if row["expected_verdict"] == "differs"]
    assert not [row for row in rows if row["published_verdict"] == "differs" and not row["why"]]
    valid = [row.get("quick", False) for row in run.head["study"]["expect"]]
    assert [row["reason"] is None for row in rows] == valid


def test_a_quick_study_reproduces_its_reference_values(tmp_path: Path) -> None:
    compared("lq_duopoly", tmp_path / "run")


@pytest.mark.nightly
@pytest.mark.parametrize("name", SHORT)
def test_every_quick_study_reproduces_its_reference_values(name: str, tmp_path: Path) -> None:
    compared(name, tmp_path / "run")

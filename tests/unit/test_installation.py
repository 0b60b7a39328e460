"""Remedies where the package is a checkout, and where it was installed as a wheel."""

import os
from pathlib import Path

import pytest

from rivalry.schema import installation


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the package inside, which is a checkout as soon as it has a pyproject.toml."""
    (tmp_path / "src" / "rivalry").mkdir(parents=True)
    monkeypatch.setattr(installation, "PACKAGE", tmp_path / "src" / "rivalry")
    return tmp_path


def test_a_remedy_is_the_command_of_the_readme_and_names_no_folder_of_a_machine(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = "pip install '.[envs]' in the folder of the package"
    assert installation.remedy("envs") == elsewhere
    (root / "pyproject.toml").touch()
    assert installation.remedy("envs") == elsewhere
    monkeypatch.chdir(root)
    assert installation.remedy("envs") == "pip install '.[envs]'"


def test_these_tests_run_in_a_checkout() -> None:
    assert os.path.samefile(installation.checkout() or ".", Path(__file__).parents[2])

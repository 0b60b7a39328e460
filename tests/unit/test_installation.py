"""Remedies where the package is a checkout, and where it was installed as a wheel."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from rivalry.schema import installation


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the package inside, which is a checkout as soon as it has a pyproject.toml."""
    (tmp_path / "src" / "rivalry").mkdir(parents=True)
    monkeypatch.setattr(installation, "PACKAGE", tmp_path / "src" / "rivalry")
    return tmp_path


def test_a_remedy_installs_the_extra_of_the_checkout(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "pyproject.toml").touch()
    assert installation.remedy("envs") == f"pip install '{root}[envs]'"
    monkeypatch.chdir(root)
    assert installation.remedy("envs") == "pip install '.[envs]'"


@pytest.mark.parametrize("kept", [True, False])
def test_a_remedy_of_a_wheel_names_the_folder_that_it_is_from(
    kept: bool, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = root / "source of it"
    folder.mkdir()
    if kept:
        (folder / "pyproject.toml").touch()
    text = json.dumps({"url": folder.as_uri(), "dir_info": {}})
    monkeypatch.setattr(
        installation, "distribution", lambda name: SimpleNamespace(read_text=lambda file: text)
    )
    where = f"'{folder}[envs]'" if kept else "'.[envs]' in the folder of the package"
    assert installation.remedy("envs") == f"pip install {where}"


def test_these_tests_run_in_a_checkout() -> None:
    assert os.path.samefile(installation.checkout() or ".", Path(__file__).parents[2])

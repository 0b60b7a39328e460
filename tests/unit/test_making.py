"""A run folder is there whole, or not at all."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from rivalry.core import files
from rivalry.core.files import DiskFull, StoreError
from rivalry.lab.store import Run
from rivalry.lab.store.head import FOLDERS, head_of, make_folder
from tests.duels import study


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """Where run folders are made; the study's own files lie elsewhere."""
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


def test_it_has_all_its_folders_and_nothing_is_left_beside_it(tmp_path: Path, beside: Path) -> None:
    Run.create_or_open(beside / "run", study(tmp_path))
    assert [path.name for path in beside.iterdir()] == ["run"]
    assert {path.name for path in (beside / "run").iterdir() if path.is_dir()} == set(FOLDERS)


def test_an_empty_folder_becomes_the_run(tmp_path: Path, beside: Path) -> None:
    (beside / "run").mkdir()
    assert Run.create_or_open(beside / "run", study(tmp_path)).counts()["total"] == 6


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_is_none_is_left_alone(tmp_path: Path, beside: Path, what: str) -> None:
    other = beside / "run" / "thesis.tex" if what == "folder" else beside / "run"
    other.parent.mkdir(exist_ok=True)
    other.write_text("years of work")
    with pytest.raises(StoreError, match="exists and is not a run folder; choose another"):
        Run.create_or_open(beside / "run", study(tmp_path))
    assert other.read_text() == "years of work"


def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, value: object) -> None:
        raise DiskFull(f"{path}: no space left for it")

    made = study(tmp_path)
    monkeypatch.setattr(files, "write_json", full)
    with pytest.raises(DiskFull):
        Run.create_or_open(beside / "run", made)
    assert not list(beside.iterdir())


def test_what_a_killed_process_left_goes_after_a_while(tmp_path: Path, beside: Path) -> None:
    fresh, old = (beside / f".run.making-{word}" for word in ("fresh", "old"))
    fresh.mkdir()
    old.mkdir()
    os.utime(old, (time.time() - 3600,) * 2)
    Run.create_or_open(beside / "run", study(tmp_path))
    assert {path.name for path in beside.iterdir()} == {"run", fresh.name}


def test_where_another_process_was_quicker_its_folder_stands(
    tmp_path: Path, beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = study(tmp_path)
    rename = Path.rename

    def late(aside: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "rename", rename)
        make_folder(target, head_of(made), made)
        return rename(aside, target)

    monkeypatch.setattr(Path, "rename", late)
    assert Run.create_or_open(beside / "run", made).counts()["total"] == 6
    assert [path.name for path in beside.iterdir()] == ["run"]

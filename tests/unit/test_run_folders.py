"""Run folders are created atomically."""

import os
import time
from pathlib import Path

import pytest

from rivalry.core import files
from rivalry.core.files import DiskFull, StoreError
from rivalry.lab.store import Run
from rivalry.lab.store.head import FOLDERS, head_of, make_folder
from tests.duel_study import study


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """The parent of run folders; the files of the study are elsewhere."""
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


def test_a_run_folder_is_complete_and_no_temporary_folder_remains(tmp_path: Path, beside: Path) -> None:
    Run.create_or_open(beside / "run", study(tmp_path))
    assert [path.name for path in beside.iterdir()] == ["run"]
    assert {path.name for path in (beside / "run").iterdir() if path.is_dir()} == set(FOLDERS)


def test_an_empty_folder_becomes_the_run(tmp_path: Path, beside: Path) -> None:
    (beside / "run").mkdir()
    assert Run.create_or_open(beside / "run", study(tmp_path)).counts()["total"] == 6


@pytest.mark.parametrize("what", ["file", "folder"])
def test_other_files_and_folders_are_not_overwritten(tmp_path: Path, beside: Path, what: str) -> None:
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


def test_old_temporary_folders_are_removed(tmp_path: Path, beside: Path) -> None:
    fresh, old = (beside / f".run.making-{word}" for word in ("fresh", "old"))
    fresh.mkdir()
    old.mkdir()
    os.utime(old, (time.time() - 3600,) * 2)
    Run.create_or_open(beside / "run", study(tmp_path))
    assert {path.name for path in beside.iterdir()} == {"run", fresh.name}


def test_a_folder_made_first_by_another_process_is_used(
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


def test_the_current_folder_is_not_replaced_by_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder is, and commands would go on in one that is no more."""
    made = study(tmp_path)
    for name in (".", "../here", "link"):
        here = tmp_path / "here"
        here.mkdir(exist_ok=True)
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to(here)
        monkeypatch.chdir(here)
        with pytest.raises(StoreError, match="is the current folder; choose one in it, such as runs/"):
            Run.create_or_open("../link" if name == "link" else name, made)
        assert list(Path.cwd().iterdir()) == []

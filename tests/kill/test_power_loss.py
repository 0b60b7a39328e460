"""A loss of power at every sync, rename and removal of a run, a resume and a packed run."""

import os
from pathlib import Path

import pytest

import rivalry as rv
from rivalry.lab.executor import carry_out
from rivalry.lab.packing import pack
from rivalry.lab.store import Run
from tests.kill.power_loss import Disk, PowerLoss

pytestmark = pytest.mark.slow

if os.name != "posix" or not Path("/proc/self/fd").is_dir():
    pytest.skip("needs Linux", allow_module_level=True)

STUDY = """
title = "Chicken"
question = "Where does regret matching end?"
source = "own"
[game]
family = "matrix"
name = "chicken"
[[method]]
kind = "regret_matching"
steps = 20
[replications]
count = 3
"""


@pytest.fixture
def study(tmp_path: Path) -> rv.Study:
    (tmp_path / "small.toml").write_text(STUDY)
    return rv.load_study(tmp_path / "small.toml")


def work(folder: Path, study: rv.Study) -> Run:
    run = Run.create_or_open(folder, study)
    carry_out(run, workers=1)
    return run


def home(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    return folder


def cells(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "cells").glob("*.npz")}


def test_ended_runs_are_on_disk(tmp_path: Path, study: rv.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        disk = Disk(home(tmp_path, "home"), patch)
        work(disk.home / "run", study)
    run = rv.load_run(disk.survivors(tmp_path / "found") / "run")
    assert len(run.finished()) == 3
    assert cells(run.folder) == cells(disk.home / "run")
    assert not run.damaged()
    assert (run.folder / "dataset.nc").read_bytes() == (disk.home / "run" / "dataset.nc").read_bytes()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a lock that is lost is open
def test_cut_runs_open_and_go_on(tmp_path: Path, study: rv.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = cells(work(tmp_path / "whole", study).folder)
    cut, ended = 0, False
    while not ended:
        with monkeypatch.context() as patch:
            disk = Disk(home(tmp_path, f"home{cut}"), patch, cut)
            try:
                work(disk.home / "run", study)
                ended = True
            except PowerLoss:
                pass
        found = disk.survivors(tmp_path / f"found{cut}") / "run"
        if found.exists():
            rv.load_run(found)
        again = work(found, study)  # a resume, or the same command again
        assert cells(again.folder) == whole, cut
        assert not again.damaged(), cut
        cut += 1
    assert cut > 10


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_cut_resumes_lose_nothing(tmp_path: Path, study: rv.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    more = study.with_changes({"replications.count": 5})
    cut, ended = 0, False
    while not ended:
        with monkeypatch.context() as patch:
            disk = Disk(home(tmp_path, f"home{cut}"), patch)
            first = cells(work(disk.home / "run", study).folder)
            disk.cut = disk.calls + cut
            try:
                work(disk.home / "run", more)
                ended = True
            except PowerLoss:
                pass
        found = disk.survivors(tmp_path / f"found{cut}") / "run"
        assert first.items() <= cells(found).items(), cut
        assert len(rv.load_run(found).finished()) >= 3, cut
        assert len(work(found, more).finished()) == 5, cut
        cut += 1
    assert cut > 5


def test_packed_runs_are_whole_or_none(
    tmp_path: Path, study: rv.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = work(tmp_path / "run", study)
    cut, ended = 0, False
    while not ended:
        with monkeypatch.context() as patch:
            disk = Disk(home(tmp_path, f"home{cut}"), patch, cut)
            try:
                pack(run, disk.home / "run.zip")
                ended = True
            except PowerLoss:
                pass
        found = disk.survivors(tmp_path / f"found{cut}") / "run.zip"
        assert found.exists() or not ended
        if found.exists():
            assert found.read_bytes() == (disk.home / "run.zip").read_bytes()
        cut += 1

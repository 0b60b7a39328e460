"""Shards of a run: computed apart, merged to the bytes of a run in one piece, refused where they differ."""

from pathlib import Path

import pytest

from rivalry.core import files
from rivalry.core.files import StoreError
from rivalry.lab.array import Shard, gather, merge, progress_of, shards, work
from rivalry.lab.executor import carry_out, run_study
from rivalry.lab.store import Run, load_run
from rivalry.lab.study import Study, load_study

TABLES = {
    "game": {"family": "matrix", "name": "chicken"},
    "method": [{"kind": "regret_matching", "steps": 50}],
    "replications": {"count": 7},
}


def study(**more: object) -> Study:
    return Study(name="small", **TABLES | more)  # type: ignore[arg-type]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "cells").iterdir()}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create_or_open(tmp_path / "run", study())


@pytest.fixture
def whole(tmp_path: Path) -> Run:
    return run_study(study(), tmp_path / "whole")


@pytest.mark.parametrize("count", [1, 2, 3, 7, 9])
def test_shards_are_a_partition(count: int) -> None:
    cells = "abcdefg"
    assert "".join("".join(Shard(k + 1, count).of(cells)) for k in range(count)) == cells


@pytest.mark.slow
def test_merged_shards_are_the_run_in_one_piece(run: Run, whole: Run) -> None:
    for k in (1, 2, 3):
        work(run, Shard(k, 3), workers=1)
    assert [progress_of(run, *one)["done"] for one in shards(run)] == [2, 2, 3]
    assert gather(run) == []
    assert not list(shards(run))
    assert "log of shard 2-of-3:\n" in (run.folder / "log.txt").read_text()
    assert carry_out(run) == "done"
    assert contents(run.folder) == contents(whole.folder)
    assert (run.folder / "dataset.nc").read_bytes() == (whole.folder / "dataset.nc").read_bytes()
    assert set(run.seconds()) == set(whole.seconds())


@pytest.mark.slow
def test_a_run_takes_the_cells_of_unfinished_shards(run: Run, whole: Run) -> None:
    part = work(run, Shard(2, 2), workers=1)
    first = min(part.finished())
    (part.folder / "cells" / f"{first}.npz").unlink()
    gather(run)
    assert len(run.finished()) == 3
    carry_out(run, workers=1)
    assert contents(run.folder) == contents(whole.folder)


@pytest.mark.slow
def test_parts_elsewhere_are_merged_and_stay(run: Run, whole: Run, tmp_path: Path) -> None:
    parts = [work(run, Shard(k, 2), tmp_path / f"{k}-of-2", workers=1).folder for k in (1, 2)]
    assert merge(run, parts) == []
    assert contents(run.folder) == contents(whole.folder)
    assert run.status == "done"
    assert [len(contents(part)) for part in parts] == [3, 4]
    assert merge(run, parts) == []  # again changes nothing


@pytest.mark.slow
def test_what_does_not_fit_is_named(run: Run, tmp_path: Path) -> None:
    one, two = (work(run, Shard(k, 3), tmp_path / f"{k}-of-3", workers=1).folder for k in (1, 2))
    half = work(run, Shard(1, 2), tmp_path / "half", workers=1).folder
    with pytest.raises(StoreError, match=r"half: cell \w+ and 1 more is in \S*1-of-3 too; give one of them"):
        merge(run, [one, half])
    with pytest.raises(StoreError, match=r"3 cells are in no part \(no shard 3 of 3\); merge the others"):
        merge(run, [one, two])
    assert len(contents(run.folder)) == 4  # those that are there were taken
    other = run_study(study(replications={"count": 7, "seed": 1}), tmp_path / "other")
    with pytest.raises(StoreError, match=r"other: is a run of small that differs from"):
        merge(run, [other.folder])


@pytest.mark.slow
def test_a_cell_that_differs_is_refused(run: Run, whole: Run, tmp_path: Path) -> None:
    part = work(run, Shard(1, 1), tmp_path / "part", workers=1)
    gather(run)
    merge(run, [part.folder])
    id = min(part.finished())
    record = part.read_cell(id)
    changed = record | {"steps": ((), record["steps"][1] + 1)}
    files.write(part.cell_path(id), files.pack(changed, kind="cell", name=id))
    with pytest.raises(StoreError, match=rf"{id}\.npz: differs from .*; one of them was computed otherwise"):
        merge(run, [part.folder])


@pytest.mark.slow
def test_damaged_cells_of_shards_are_named_and_computed(run: Run, whole: Run) -> None:
    bad = min((work(run, Shard(1, 2), workers=1).folder / "cells").iterdir())
    bad.write_bytes(bad.read_bytes()[:-1])
    (error,) = gather(run)
    assert error.path == bad
    carry_out(run, workers=1)
    assert contents(run.folder) == contents(whole.folder)


def test_a_shard_that_is_computed_is_left_alone(run: Run) -> None:
    part = work(run, Shard(1, 2), workers=1)
    with load_run(part.folder).locking(), pytest.raises(StoreError, match=r"1-of-2: in use by process"):
        gather(run)
    assert not run.finished()


@pytest.mark.slow
def test_parts_of_a_study_of_studies_are_merged(tmp_path: Path) -> None:
    for name in ("first", "second"):
        text = f'title = "{name}"\n[game]\nfamily = "matrix"\nname = "chicken"\n'
        text += '[[method]]\nkind = "regret_matching"\nsteps = 50\n[replications]\ncount = 3\n'
        (tmp_path / f"{name}.toml").write_text(text)
    (tmp_path / "both.toml").write_text('include = ["first.toml", "second.toml"]\n')
    both = load_study(tmp_path / "both.toml")
    run, whole = Run.create_or_open(tmp_path / "run", both), run_study(both, tmp_path / "whole")
    parts = [work(run, Shard(k, 2), workers=1) for k in (1, 2)]
    assert [part.counts()["done"] for part in parts] == [2, 4]
    gather(run)
    for name in ("first", "second"):
        assert contents(run.folder / name) == contents(whole.folder / name)


def test_shards_in_a_linked_folder_are_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (run.folder / "array").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=r"array: leads out of the run's folder; a run has no links"):
        Run.open(run.folder)


@pytest.mark.parametrize("at", ["array", "array/1-of-2"])
def test_a_link_made_while_a_run_is_open_is_refused(run: Run, tmp_path: Path, at: str) -> None:
    elsewhere = work(run, Shard(1, 2), tmp_path / "elsewhere" / "1-of-2", workers=1).folder
    before = sorted(elsewhere.rglob("*"))
    link = run.folder / at
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(elsewhere if "-of-" in at else elsewhere.parent)
    with pytest.raises(StoreError, match=rf"{at}: is a link; must be a folder, remove it"):
        work(run, Shard(1, 2), workers=1)
    if at == "array":
        with pytest.raises(StoreError, match="array: is a link"):
            gather(run)
    else:
        assert gather(run) == []
    assert sorted(elsewhere.rglob("*")) == before
    assert run.finished() == frozenset()

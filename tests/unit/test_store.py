"""Run folders: no lost cells, reported damage, a rebuilt index, equal data in equal bytes."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from rivalry.core.files import write_json
from rivalry.lab.store import DamagedFile, DiskFull, Run, StoreError, load_run
from rivalry.lab.store.bookkeeping import Index, read_index
from tests.duel_study import record, store, study


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Six cells, none done."""
    return Run.create_or_open(tmp_path / "run", study(tmp_path))


def fill(run: Run, *, skip: int = 0) -> Run:
    for k, place in enumerate(run.cells[: len(run.cells) - skip]):
        store(run, place.id, record(k), seconds=0.5)
    return run


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_new_run_is_valid_and_empty(run: Run) -> None:
    assert run.counts() == {"total": 6, "done": 0, "failed": 0, "left": 6}
    assert run.status == "partial"
    assert {p.name for p in run.folder.parent.iterdir()} == {"run", "duel.py", "duel.toml"}
    head = json.loads((run.folder / "study.json").read_text())
    assert head["schema"] == 2
    assert head["made_by"]["rivalry"] == head["made_by"]["rivalry"]
    assert run.study == study(run.folder.parent)


def test_stored_cells_are_read_exactly(run: Run) -> None:
    fill(run)
    again = load_run(run.folder)
    for k, place in enumerate(again.cells):
        found = again.read_cell(place.id)
        for name, (dims, array) in record(k).items():
            assert found[name][0] == dims
            np.testing.assert_array_equal(found[name][1], array)
    assert again.status == "done"
    assert repr(again) == f"Run {run.folder}: done, 6 of 6 cells done\n  A duel"
    assert "A duel" in again._repr_html_()


def test_former_words_of_coverages_are_read_in_present_ones(run: Run) -> None:
    """A gain that equals its bound was once called exact, which is said of rational arithmetic alone."""
    first, *_ = run.cells
    kept = {
        "coverage": ((), np.asarray("exact")),
        "bound": record(0)["regret"],
        "claim": ((), np.asarray("")),
    }
    kept |= {"certificate_method": ((), np.asarray("all actions"))}
    store(run, first.id, {**record(0), **kept}, seconds=0.5)
    again = load_run(run.folder)
    assert str(again.read_cell(first.id)["coverage"][1]) == "tight"
    assert set(again.dataset().coverage.values.ravel().tolist()) == {"", "tight"}


@pytest.mark.parametrize(
    ("prizes", "seconds", "axis"),
    [([1.0, 2.0, 3.0], [0.0, 0.0, 0.1], "prize"), ([1.0, 1.0, 2.0], [0.0, 0.1, 0.0], "point")],
)
def test_zipped_keys_are_loaded(tmp_path: Path, prizes: list[float], seconds: list[float], axis: str) -> None:
    swept = {"zip": True, "game.prize": prizes, "game.seconds": seconds}
    run = Run.create_or_open(tmp_path / "run", replace(study(tmp_path), sweep=swept))
    data = load_run(fill(run).folder).dataset()
    assert data.sizes[axis] == 3
    np.testing.assert_array_equal(data.prize, prizes)
    np.testing.assert_array_equal(data.seconds, seconds)
    assert data.seconds.dims == (axis,)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "other"])
def test_a_damaged_cell_is_named_set_aside_and_redone(run: Run, damage: str) -> None:
    fill(run)
    broken, good = (run.cell_path(place.id) for place in run.cells[:2])
    if damage == "flip":
        flip(broken)
    else:
        text = good.read_bytes() if damage == "other" else broken.read_bytes()
        broken.write_bytes(text[: {"cut": len(text) // 2, "empty": 0}.get(damage, len(text))])
    again = load_run(run.folder)
    assert again.counts()["done"] == 6  # not checked yet
    with again.locking():
        left, damaged = again.reconcile()
    assert left == [run.cells[0].id]
    assert [error.path for error in damaged] == [broken]
    assert str(damaged[0]).startswith(f"{broken}: damaged (")
    assert again.counts() == {"total": 6, "done": 5, "failed": 0, "left": 1}
    (aside,) = (run.folder / "damaged").iterdir()
    assert aside.name.endswith(broken.name)
    assert broken.name in (run.folder / "log.txt").read_text()


def test_a_dataset_warns_once_per_damaged_cell(run: Run) -> None:
    fill(run)
    for place in run.cells[:2]:
        flip(run.cell_path(place.id))
    with pytest.warns(UserWarning, match="left out, `rivalry resume` redoes it") as caught:
        data = run.dataset()
    named = [str(run.cell_path(place.id)) for place in run.cells[:2]]
    assert [str(warning.message).split(": ")[0] for warning in caught] == named
    assert np.isnan(data.payoff[0]).all()
    assert run.counts()["left"] == 0  # reading sets nothing aside
    with run.locking():
        assert run.reconcile().left == [place.id for place in run.cells[:2]]
    assert np.isnan(run.dataset().payoff[0]).all()


@pytest.mark.parametrize("loss", ["missing", "garbage", "cut"])
def test_the_index_is_rebuilt_from_the_files(run: Run, loss: str) -> None:
    with run.locking():
        fill(run, skip=2)
        run.note(run.cells[-1].id, "failed", message="no")
    assert run.counts() == {"total": 6, "done": 4, "failed": 1, "left": 1}
    index = run.folder / "index.sqlite"
    if loss == "missing":
        index.unlink()
    else:
        index.write_bytes(b"no database" * 99 if loss == "garbage" else index.read_bytes()[:5000])
    again = load_run(run.folder)
    assert again.counts()["done"] == 4
    assert [error.path for error in again.damaged()] == [index]

    def resume() -> tuple[list[str], set[str]]:
        with again.locking():
            return again.reconcile().left, again.index.known()

    with pytest.warns(UserWarning, match=r"index\.sqlite: damaged"):
        left, known = resume()
    assert left == [place.id for place in run.cells[-2:]]
    assert known == {place.id for place in run.cells[:4]}


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("drop table cells", "it has no table of cells"),
        ("drop table cells; create view cells as select 1", "it has no table of cells"),
        ("update cells set message = 3.5; update cells set state = x'00'", "it holds what is no text"),
        ("alter table cells rename column state to other", "no such column: state"),
    ],
)
def test_an_index_of_another_form_is_reported_and_not_used(run: Run, statement: str, why: str) -> None:
    run.note(run.cells[0].id, "failed", message="no")
    run.index.close()
    index = run.folder / "index.sqlite"
    assert read_index(index) == ({run.cells[0].id: ("failed", "no")}, "")
    with closing(sqlite3.connect(index)) as db:
        db.executescript(statement)
    before = index.read_bytes()
    assert read_index(index) == ({}, why)
    assert load_run(run.folder).failures() == {}
    assert index.read_bytes() == before  # reading writes nothing


def test_a_run_without_an_index_has_no_failures(run: Run) -> None:
    assert read_index(run.folder / "index.sqlite") == ({}, "")
    (run.folder / "index.sqlite").mkdir()
    assert read_index(run.folder / "index.sqlite") == ({}, "is no plain file")


def test_the_index_drops_cells_without_a_file(run: Run) -> None:
    with run.locking():
        fill(run)
        assert set(run.index.seconds().values()) == {0.5}
        run.cell_path(run.cells[0].id).unlink()
        run.reconcile()
        assert run.index.known() == {place.id for place in run.cells[1:]}


def test_failures_are_reported_until_the_cell_is_done(run: Run) -> None:
    run.note(run.cells[0].id, "failed", message="RuntimeError: called off")
    assert run.failures() == {run.cells[0].id: "RuntimeError: called off"}
    assert run.status == "failed"
    fill(run)
    assert run.failures() == {}
    assert run.status == "done"


def test_folders_of_cells_are_scanned_after_changes_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def scandir(path: str | Path) -> Any:
        scans.append(Path(path).name)
        return scan(path)

    def asked() -> int:
        """Return how many cells are done, of all ways to ask, and check that these agree."""
        scans.clear()
        done = opened.counts()["done"]
        left = {place.id for place in opened.cells} - {one.name for one in opened.missing_cells([])}
        assert len(left) == done
        assert opened.failures() == opened.warnings() == {}
        assert f"{done} of 6 cells done" in repr(opened)
        return done

    scan, scans = os.scandir, list[str]()
    fill(run, skip=2)
    opened = load_run(run.folder)
    monkeypatch.setattr(os, "scandir", scandir)
    assert asked() == 4  # perhaps so early that each question looks again
    time.sleep(0.03)
    assert asked() == 4
    assert scans.count("cells") <= 1
    assert asked() == 4
    assert "cells" not in scans
    store(run, run.cells[4].id, record(4))
    assert asked() == 5  # at once
    run.cell_path(run.cells[0].id).unlink()
    assert asked() == 4
    time.sleep(0.03)
    assert asked() == 4
    assert scans.count("cells") <= 1


def test_a_changed_study_keeps_its_matching_cells(run: Run) -> None:
    fill(run)
    before = {place.point["prize"]: run.cell_path(place.id).read_bytes() for place in run.cells}
    folder = run.folder.parent
    longer = Run.create_or_open(run.folder, study(folder, sweep={"game.prize": [1.0, 1.5, 2.0]}))
    assert longer.counts() == {"total": 6, "done": 4, "failed": 0, "left": 2}
    with longer.locking():
        left = longer.reconcile().left
    assert {p.point["prize"] for p in longer.cells if p.id in left} == {2.0}
    assert longer.dataset().sizes["prize"] == 3
    assert len(list((run.folder / "cells").iterdir())) == 6  # cells of the former study are not deleted
    back = Run.create_or_open(run.folder, study(folder))
    assert back.status == "done"
    assert {p.point["prize"]: back.cell_path(p.id).read_bytes() for p in back.cells} == before


def test_a_run_whose_study_changed_meanwhile_is_refused(run: Run) -> None:
    Run.create_or_open(run.folder, study(run.folder.parent, sweep={"game.prize": [3.0]}))
    with run.locking(), pytest.raises(StoreError, match="changed by another process"):
        run.reconcile()


@pytest.mark.slow
def test_the_dataset_does_not_depend_on_the_order_of_cells(run: Run, tmp_path: Path) -> None:
    fill(run).write_dataset()
    other = Run.create_or_open(tmp_path / "other", study(tmp_path))
    for k, place in reversed(list(enumerate(other.cells))):
        other.write_dataset()
        store(other, place.id, record(k), seconds=2.0)
    other.write_dataset()
    assert (other.folder / "dataset.nc").read_bytes() == (run.folder / "dataset.nc").read_bytes()
    assert xr.load_dataset(run.folder / "dataset.nc", engine="h5netcdf").identical(run.dataset())


def test_recomputed_certificates_apply_to_their_own_result_only(run: Run) -> None:
    fill(run)
    id = run.cells[0].id
    before = run.cell_path(id).read_bytes()
    newer = {name: value for name, value in record(77).items() if name in ("regret", "bound")}
    run.write_certificate(id, newer)
    assert run.cell_path(id).read_bytes() == before
    np.testing.assert_array_equal(run.dataset().regret[0, 0, 0], newer["regret"][1])
    store(run, id, record(5))  # a new result: the old certificate does not apply
    np.testing.assert_array_equal(run.dataset().regret[0, 0, 0], record(5)["regret"][1])


def test_a_damaged_certificate_is_set_aside(run: Run) -> None:
    fill(run).write_certificate(run.cells[0].id, record(77))
    flip(run.folder / "certificates" / f"{run.cells[0].id}.npz")
    with pytest.warns(UserWarning, match=r"certificates.*`rivalry certify` redoes it"):
        data = run.dataset()
    np.testing.assert_array_equal(data.regret[0, 0, 0], record(0)["regret"][1])
    with run.locking():
        assert run.reconcile().left == []
    np.testing.assert_array_equal(run.dataset().regret[0, 0, 0], record(0)["regret"][1])


def test_a_damaged_certificate_does_not_invalidate_its_cell(run: Run) -> None:
    fill(run).write_certificate(run.cells[0].id, record(77))
    flip(run.folder / "certificates" / f"{run.cells[0].id}.npz")
    run.cell_path(run.cells[1].id).unlink()
    run.write_certificate(run.cells[2].id, record(78))
    run.cell_path(run.cells[2].id).unlink()
    with run.locking():
        left, damaged = run.reconcile()
    assert left == [place.id for place in run.cells[1:3]]
    assert [error.path.parent.name for error in damaged] == ["certificates"]


def test_leftover_partial_files_are_removed(run: Run) -> None:
    part = run.folder / "cells" / ".x.npz.123.part"
    part.write_bytes(b"half")
    with run.locking():
        run.reconcile()
    assert not part.exists()


@pytest.mark.slow
def test_a_second_process_gets_one_line_from_a_locked_run(run: Run) -> None:
    code = "import sys; from rivalry.lab.store import load_run\nwith load_run(sys.argv[1]).locking(): pass"
    with run.locking():
        done = subprocess.run([sys.executable, "-c", code, run.folder], capture_output=True, text=True)
    assert re.search(f"run: in use by process {os.getpid()}; wait for it", done.stderr.splitlines()[-1])


def test_another_version_is_reported(run: Run) -> None:
    write_json(run.folder / "study.json", {**run.head, "made_by": {**run.made_by, "rivalry": "0.0.9"}})
    again = load_run(run.folder)
    assert again.other_version() is None  # that version computed nothing
    fill(again)
    assert again.other_version() == "0.0.9"
    again.accept_version()
    assert load_run(run.folder).other_version() is None
    assert load_run(run.folder).head["history"][0]["rivalry"] == "0.0.9"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda folder: None, "no such run folder"),
        (lambda folder: folder.mkdir(), "not a run folder"),
        (lambda folder: folder.write_text("x"), "no such run folder"),
    ],
)
def test_a_folder_that_is_not_a_run_is_refused(tmp_path: Path, make: object, why: str) -> None:
    make(tmp_path / "x")  # type: ignore[operator]
    with pytest.raises(StoreError, match=why):
        load_run(tmp_path / "x")


def test_names_of_studies_name_folders_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Run.create_or_open(Path("runs/mine"), study(tmp_path))
    with pytest.raises(StoreError, match=r"mine: no such run folder; did you mean runs/mine\?"):
        load_run("mine")
    with pytest.raises(StoreError, match=r"no such run folder$"):
        load_run("other")


def test_a_damaged_study_file_is_rewritten_from_a_known_study(run: Run) -> None:
    fill(run)
    (run.folder / "study.json").write_text('{"schema": 1, "na')
    with pytest.raises(DamagedFile, match=r"study\.json"):
        load_run(run.folder)
    mended = Run.create_or_open(run.folder, study(run.folder.parent))
    assert mended.status == "done"
    assert len(list((run.folder / "damaged").iterdir())) == 1


def test_a_changed_user_file_is_reported_before_any_cell_runs(run: Run) -> None:
    assert set(run.tasks()) == {place.id for place in run.cells}
    game = run.folder.parent / "duel.py"
    game.write_text(game.read_text() + "\n# changed\n")
    with pytest.raises(ValueError, match=r"duel\.py.*changed"):
        run.tasks()
    assert run.counts()["total"] == 6  # counting does not need the user file
    game.unlink()
    assert "0 of 6" in repr(load_run(run.folder))


def test_a_study_of_studies_has_one_run_per_study(tmp_path: Path) -> None:
    from rivalry.lab.study import load_study

    study(tmp_path)
    (tmp_path / "both.toml").write_text('title = "Both"\ninclude = ["duel.toml"]\n')
    run = Run.create_or_open(tmp_path / "both", load_study(tmp_path / "both.toml"))
    (part,) = run.parts().values()
    assert part.folder == run.folder / "duel"
    assert run.counts() == part.counts()
    fill(part)
    assert run.status == "done"
    with pytest.raises(StoreError, match="each has a dataset"):
        run.dataset()


def test_an_index_without_room_stops_the_run(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.sqlite")
    index.note("a" * 16, "done", 0.5, "")
    pages = index._db.execute("pragma page_count").fetchone()[0]
    index._db.execute(f"pragma max_page_count={pages}")
    with pytest.raises(DiskFull, match=r"index\.sqlite: no space left for it; make some, then resume"):
        index.note("b" * 16, "failed", None, "words " * 10_000)
    assert index.known() == {"a" * 16}
    with pytest.raises(sqlite3.OperationalError, match="no such table"), index._room():
        index._db.execute("select * from absent")
    index.close()


def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    for k, damage in enumerate((b"no database", b"SQLite format 3\0" + bytes(200))):
        path.write_bytes(damage)
        (tmp_path / "index.sqlite-journal").write_bytes(b"of the old file")
        index = Index(path)
        index.align({f"{k:016}"})
        assert index.known() == {f"{k:016}"}
        assert index.seconds() == {}
        index.close()
        assert [left.name for left in tmp_path.iterdir()] == ["index.sqlite"]

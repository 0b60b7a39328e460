"""Blocks of finished cells: the same results as from a file per cell, after kills, damage and changes too."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rivalry.core import files
from rivalry.core.files import DamagedFile
from rivalry.core.results import Record, netcdf
from rivalry.economies.learning.epochs import restore
from rivalry.lab import packing
from rivalry.lab.array import Shard, gather, work
from rivalry.lab.executor import carry_out, run_study
from rivalry.lab.export import export
from rivalry.lab.report.page import build
from rivalry.lab.store import Run, blocks, finished_cells, load_run
from tests import many_cells

CELLS, BLOCK = 12, 4


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", BLOCK)


def study(cells: int = CELLS) -> Any:
    return many_cells.study(cells, folder=Path("/"))


def varied(k: int) -> Record:
    """The record of a cell; shapes, types, widths of text and orders in memory differ between cells."""
    found = many_cells.record(k / 7)
    found["note"] = ((), np.asarray("ab" * (k % 3) + "c"))
    found["path"] = (("snapshot", "player", "axis"), np.arange(4.0 * (1 + k % 2)).reshape(-1, 2, 2) - 0.0)
    order: Any = "FC"[k % 2]
    found["table"] = (("row", "column"), np.asarray(np.arange(6).reshape(2, 3) + k, order=order))
    found["words"] = (("row", "column"), np.asarray([["x", "yy"], ["", "z" * (k % 4)]], order=order))
    if k % 4:
        found["is_odd"] = ((), np.asarray(bool(k % 2)))
        found["count"] = (("player",), np.array([k, -k], np.int32))
    if k == 5:
        found["large"] = (("place",), np.full(10_000, np.nan))  # stays in a file of its own
    return found


def unpacked(folder: Path, cells: int = CELLS) -> Run:
    """A run whose cells are in files of their own."""
    run = Run.create_or_open(folder, study(cells))
    for k, place in enumerate(run.cells):
        files.write(run.cell_path(place.id), files.pack(varied(k), kind="cell", name=place.id))
    return run


def packed(folder: Path, cells: int = CELLS) -> Run:
    run = unpacked(folder, cells)
    with run.locking():
        run.pack_cells()
    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Folders of a run with a file per cell, and of the same run packed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", BLOCK)
        home = tmp_path_factory.mktemp("made")
        yield unpacked(home / "plain").folder, packed(home / "packed").folder


@pytest.fixture
def folder(made: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of the packed run."""
    return shutil.copytree(made[1], tmp_path / "run")


def tree(folder: Path) -> dict[str, bytes]:
    """The files of a run's cells with their contents."""
    found = [path for name in ("cells", "blocks") for path in (folder / name).glob("*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def equal(one: Record, other: Record) -> bool:
    return one.keys() == other.keys() and all(
        one[name][0] == other[name][0]
        and one[name][1].dtype == other[name][1].dtype
        and one[name][1].shape == other[name][1].shape
        and one[name][1].tobytes() == other[name][1].tobytes()
        for name in one
    )


@pytest.mark.slow
def test_a_packed_run_is_the_same_run_in_fewer_files(made: tuple[Path, Path], tmp_path: Path) -> None:
    plain, run = (load_run(folder) for folder in made)
    assert sorted(path.parent.name for path in run.folder.rglob("*.npz")) == [*["blocks"] * 3, "cells"]
    assert finished_cells(run.folder) == finished_cells(plain.folder) == {place.id for place in run.cells}
    assert netcdf(run.dataset()) == netcdf(plain.dataset())
    assert run.source() == plain.source()
    assert run.counts() == plain.counts() == {"total": CELLS, "done": CELLS, "failed": 0, "left": 0}
    for k, place in enumerate(run.cells):
        assert equal(run.read_cell(place.id), plain.read_cell(place.id))
        assert equal(run.read_cell(place.id), dict(sorted(varied(k).items())))
        assert run.cell_path(place.id).parent.name == ("cells" if k == 5 else "blocks")
    tables = [export(one, "csv", tmp_path / one.folder.name, everything=True).files for one in (run, plain)]
    assert len(tables[0]) > 3
    assert [path.read_bytes() for path in tables[0]] == [path.read_bytes() for path in tables[1]]


def test_a_small_run_is_not_packed(tmp_path: Path) -> None:
    assert not (packed(tmp_path / "run", BLOCK).folder / "blocks").exists()


def test_numpy_reads_a_block(folder: Path) -> None:
    with np.load(min((folder / "blocks").iterdir()), allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["payoff.0"][:, 0], np.arange(4) / 7)


def test_bytes_of_blocks_do_not_depend_on_the_order_of_work(made: tuple[Path, Path], tmp_path: Path) -> None:
    run, order = Run.create_or_open(tmp_path / "run", study()), list(range(CELLS))
    random.Random(4).shuffle(order)
    complete = 0
    for period in (order[:5], order[5:6], order[6:]):
        with run.locking():
            for k in period:
                place = run.cells[k]
                files.write(run.cell_path(place.id), files.pack(varied(k), kind="cell", name=place.id))
                run.note(place.id, "done", 0.0)
            complete = len(list((run.folder / "blocks").glob("*")))
            run.pack_cells()
        run = load_run(run.folder)
    assert complete == 3  # before the end of the work
    assert tree(run.folder) == tree(made[1])


class Killed(BaseException):
    """The process ends here."""


def operations(patch: pytest.MonkeyPatch, last: int) -> list[str]:
    """Let every operation on files after the number ``last`` fail; return the list of those carried out."""
    carried_out: list[str] = []

    def stop_after(name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
        def operate(*args: Any, **options: Any) -> Any:
            if len(carried_out) >= last:
                raise Killed
            carried_out.append(name)
            return operation(*args, **options)

        return operate

    for home, name in ((Path, "replace"), (Path, "unlink"), (os, "fsync"), (Path, "mkdir")):
        patch.setattr(home, name, stop_after(name, getattr(home, name)))
    return carried_out


@pytest.mark.slow
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_kills_at_steps_of_packing_lose_nothing(made: tuple[Path, Path], tmp_path: Path, step: int) -> None:
    whole, expected = netcdf(load_run(made[0]).dataset()), tree(made[1])
    last = 0
    while True:
        folder = shutil.copytree(made[0], tmp_path / f"{last}")
        run = load_run(folder)
        with run.locking(), pytest.MonkeyPatch.context() as patch:
            done = operations(patch, last)
            try:
                run.pack_cells()
            except Killed:
                pass
            else:
                break
        again = load_run(folder)
        assert netcdf(again.dataset()) == whole
        assert again.counts()["done"] == CELLS
        with again.locking():
            assert again.reconcile() == ([], [])
            again.pack_cells()
        assert tree(folder) == expected
        last += step
    assert done.count("unlink") == CELLS - 1
    assert done.count("fsync") == 2 * 3


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX (signals)")
def test_a_killed_process_that_packs_loses_nothing(made: tuple[Path, Path], tmp_path: Path) -> None:
    plain = unpacked(tmp_path / "plain", 300)
    whole, chance = netcdf(plain.dataset()), random.Random(3)
    code = f"import sys; from rivalry.lab.store import load_run, blocks; blocks.BLOCK = {BLOCK}\n"
    code += "run = load_run(sys.argv[1])\nwith run.locking():\n  print(flush=True); run.pack_cells()"
    some = 0
    for k in range(4):
        folder = shutil.copytree(plain.folder, tmp_path / f"{k}")
        process = subprocess.Popen([sys.executable, "-c", code, folder], stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.readline()
        time.sleep(chance.random() * 0.5)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        some += 0 < len(list((folder / "blocks").glob("*.npz"))) < 75
        assert netcdf(load_run(folder).dataset()) == whole
        again = load_run(folder)
        with again.locking():
            assert again.reconcile() == ([], [])
            again.pack_cells()
        assert len(list((folder / "blocks").iterdir())) == 75
        assert netcdf(load_run(folder).dataset()) == whole
    assert some


def flipped(path: Path, chance: random.Random) -> int:
    data = bytearray(path.read_bytes())
    place = chance.randrange(len(data))
    data[place] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return place


@pytest.mark.slow
@pytest.mark.parametrize("flips", [40, pytest.param(300, marks=pytest.mark.slow)])
def test_a_flipped_bit_is_found_and_costs_its_cells_only(folder: Path, flips: int) -> None:
    whole, chance = load_run(folder), random.Random(1)
    records = {place.id: whole.read_cell(place.id) for place in whole.cells}
    inside = {path: {id for id in records if whole.cell_path(id) == path} for path in folder.rglob("*.npz")}
    few = 0
    for _ in range(flips):
        path = chance.choice(sorted((folder / "blocks").iterdir()))
        before = path.read_bytes()
        at = flipped(path, chance)
        run = load_run(folder)
        (error,) = run.damaged()
        assert error.path == path, at
        left_out = {one.name for one in run.missing_cells([error])}
        sound = records.keys() - left_out
        assert left_out <= inside[path], at
        for id in sound:
            assert equal(run.read_cell(id), records[id]), at
        for id in left_out:
            with pytest.raises(DamagedFile):
                run.read_cell(id)
        data = run.collect().data
        assert {str(data.cell.values.flat[k]) for k in np.flatnonzero(data.status.values == "")} == left_out
        assert run.counts([error])["left"] == len(left_out)
        few += len(left_out) <= 1
        path.write_bytes(before)
        blocks.packed_cells.cache_clear()
    assert few > flips // 4


def damage_value(folder: Path, cell: int) -> Path:
    """Flip a bit of a cell's payoff in its block."""
    run = load_run(folder)
    path = run.cell_path(run.cells[cell].id)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("payoff.0.npy")
    first = member.header_offset + 30 + len("payoff.0.npy") + member.file_size - 16 * BLOCK
    data[first + 16 * (cell % BLOCK)] ^= 1
    path.write_bytes(data)
    return path


@pytest.mark.slow
def test_a_damaged_cell_of_a_block_is_named_set_aside_and_redone(folder: Path) -> None:
    run, before = load_run(folder), tree(folder)
    data = netcdf(run.dataset())
    path, lost = damage_value(folder, 6), run.cells[6].id
    assert [str(error) for error in run.damaged()] == [
        f"{path}: damaged (its bytes do not match its digest; of its 3 cells {lost} damaged)"
    ]
    assert run.missing_cells(run.damaged())[0].name == lost
    with pytest.warns(UserWarning, match=lost):
        assert np.isnan(run.dataset().payoff.values).any(axis=(1, 2, 3)).sum() == 1
    with run.locking():
        left, (error,) = run.reconcile()
        assert (left, *error.cells) == ([lost], lost)
        assert run.damaged() == []
        assert "block" in next((folder / "damaged").iterdir()).name
        files.write(run.cell_path(lost), files.pack(varied(6), kind="cell", name=lost))
        run.pack_cells()
    assert tree(folder) == before
    assert netcdf(load_run(folder).dataset()) == data


@pytest.mark.parametrize("damage", [b"", b"x" * 200, b"PK\3\4"])
def test_a_block_that_cannot_be_read_costs_all_of_its_cells(folder: Path, damage: bytes) -> None:
    run = load_run(folder)
    path = run.cell_path(run.cells[0].id)
    path.write_bytes(damage)
    (error,) = run.damaged()
    assert (error.path, "all of its cells are lost" in error.why) == (path, True)
    assert run.counts([error])["left"] == BLOCK
    with run.locking():
        assert run.reconcile().left == [place.id for place in run.cells[:BLOCK]]
    assert not path.exists()


def test_a_cells_own_file_counts_before_its_block_where_it_is_sound(folder: Path) -> None:
    run, id = load_run(folder), load_run(folder).cells[0].id
    own = folder / "cells" / f"{id}.npz"
    files.write(own, files.pack(varied(9), kind="cell", name=id))
    assert equal(run.read_cell(id), varied(9) | run.read_cell(id))
    own.write_bytes(own.read_bytes()[:-1])
    assert run.read_cell(id)["payoff"][1][0] == 0.0
    (error,) = run.damaged()
    assert (error.path, *error.cells, run.counts([error])["left"]) == (own, 0)
    with run.locking():
        assert run.reconcile().left == []
    files.write(own, files.pack(varied(9), kind="cell", name=id))
    with run.locking():
        run.pack_cells()
    assert run.cell_path(id).parent.name == "blocks"
    assert run.read_cell(id)["payoff"][1][0] == 9 / 7


@pytest.mark.slow
def test_reading_a_packed_run_writes_nothing(folder: Path, tmp_path: Path) -> None:
    def state() -> dict[Path, Any]:
        return {path: files.stamp_of(path.stat()) for path in (folder, *folder.rglob("*"))}

    damage_value(folder, 1)
    before, run = state(), load_run(folder)
    assert len(run.damaged()) == len(run.collect().damaged) == 1
    export(run, "netcdf", tmp_path / "out")
    finished_cells(folder)
    assert state() == before


def test_a_file_that_is_removed_meanwhile_hides_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        (tmp_path / f"{name}.npz").touch()
    entries = sorted(os.scandir(tmp_path), key=lambda entry: entry.name)
    (tmp_path / "a.npz").unlink()
    monkeypatch.setattr(os, "scandir", lambda folder: nullcontext(entries))
    assert [*files.stamps_in(tmp_path)] == ["b"]


@pytest.mark.slow
def test_a_reader_sees_every_cell_while_they_are_packed(tmp_path: Path) -> None:
    run = unpacked(tmp_path / "run", 60)
    whole = netcdf(run.dataset())
    stop, wrong = threading.Event(), list[object]()

    def read() -> None:
        while not stop.is_set():
            data, damaged = load_run(run.folder).collect()
            wrong.extend(damaged)
            if len(finished_cells(run.folder)) != 60 or netcdf(data) != whole:
                wrong.append("other data")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with run.locking():
            run.pack_cells()
    finally:
        stop.set()
        reader.join()
    assert wrong == []
    assert len(list((run.folder / "blocks").iterdir())) == 15


@pytest.mark.slow
def test_a_changed_study_keeps_its_packed_cells(folder: Path) -> None:
    longer = study(2 * CELLS - 1)  # every second point is an old one
    run = Run.create_or_open(folder, longer)
    old = set(tree(folder))
    assert run.counts() == {"total": 23, "done": CELLS, "failed": 0, "left": 11}
    with run.locking():
        for k, place in enumerate(run.cells):
            if place.id in run.reconcile().left:
                files.write(run.cell_path(place.id), files.pack(varied(k), kind="cell", name=place.id))
        run.pack_cells()
    assert run.counts()["done"] == 23
    assert not {name for name in old if name.startswith("blocks")} & set(tree(folder))
    assert len(list((folder / "blocks").iterdir())) == 6
    back = Run.create_or_open(folder, study())
    assert back.counts() == {"total": CELLS, "done": CELLS, "failed": 0, "left": 0}
    with back.locking():
        back.pack_cells()
    assert back.read_cell(back.cells[3].id)["payoff"][1][0] == 3 / 7
    assert finished_cells(folder) == {place.id for place in run.cells}  # none is deleted


@pytest.mark.slow
def test_work_on_a_packed_run_goes_on(tmp_path: Path) -> None:
    run = many_cells.stored(tmp_path / "run", study())
    assert len(list((run.folder / "blocks").iterdir())) == 3
    events: list[Any] = []
    assert carry_out(run, workers=1, progress=events.append) == "done"
    assert events == []
    lost = run.cells[7].id
    damage_value(run.folder, 7)
    assert carry_out(load_run(run.folder), workers=1, progress=events.append) == "done"
    assert [event.kind for event in events if event.kind in ("damaged", "done")] == ["damaged", "done"]
    assert [event.cell for event in events if event.kind == "done"] == [lost]


@pytest.mark.slow
def test_recomputed_certificates_are_packed(folder: Path, made: tuple[Path, Path], tmp_path: Path) -> None:
    runs = [load_run(shutil.copytree(made[0], tmp_path / "plain")), load_run(folder)]
    for run in runs:
        with run.locking():
            for k, place in enumerate(run.cells):
                bound: Record = {
                    "bound": (("player",), np.full(2, k / 9)),
                    "regret": (("player",), np.zeros(2)),
                }
                run.write_certificate(place.id, bound)
            if run is runs[1]:
                run.pack_cells()
    plain, run = (load_run(run.folder) for run in runs)
    assert len(list((plain.folder / "certificates").iterdir())) == CELLS
    assert len(list((folder / "certificates").iterdir())) == 3
    assert run.dataset().bound.values[3, ..., 0].max() == 3 / 9
    assert netcdf(run.dataset()) == netcdf(plain.dataset())
    assert (run.source(), run.damaged()) == (plain.source(), [])
    with run.locking():
        run.write_certificate(run.cells[1].id, {"bound": (("player",), np.full(2, 5.0))})
        assert run.dataset().bound.values.max() == 5
        run.pack_cells()
    assert len(list((folder / "certificates").iterdir())) == 3
    assert load_run(folder).dataset().bound.values.max() == 5
    first = min((folder / "certificates").iterdir())
    first.write_bytes(first.read_bytes()[:-1])
    (error,) = load_run(folder).damaged()
    assert (error.path, *error.cells) == (first,)
    with run.locking():
        assert run.reconcile().left == []
    assert load_run(folder).damaged() == []
    assert netcdf(load_run(folder).dataset()) != netcdf(plain.dataset())


@pytest.mark.slow
def test_shards_computed_apart_are_packed_and_merged(tmp_path: Path) -> None:
    whole, run = run_study(study(), tmp_path / "whole"), Run.create_or_open(tmp_path / "run", study())
    parts = [work(run, Shard(k, 2), workers=1) for k in (1, 2)]
    assert [len(list((part.folder / "blocks").iterdir())) for part in parts] == [1, 1]
    assert gather(run) == []
    assert not parts[0].folder.exists()
    assert len(list((run.folder / "blocks").iterdir())) == 3
    assert carry_out(run, workers=1) == "done"
    assert tree(run.folder) == tree(whole.folder)


def crafted(path: Path, change: Callable[[Record, dict[str, Any]], object]) -> None:
    """Change what a block holds, with a correct digest."""
    stored = files.unpack(path.read_bytes())
    record, meta = dict(stored.record), {key: stored.meta[key] for key in stored.meta if key != "schema"}
    change(record, meta)
    path.write_bytes(files.pack(record, **meta))


def put(name: str, value: Any) -> Callable[[Record, dict[str, Any]], object]:
    return lambda record, meta: record.update({name: (record[name][0] if name in record else ("n",), value)})


def set_meta(key: str, value: Any) -> Callable[[Record, dict[str, Any]], object]:
    return lambda record, meta: meta.update({key: value})


CRAFTED: dict[str, tuple[Callable[[Record, dict[str, Any]], object], str]] = {
    "another kind": (set_meta("kind", "cell"), "kind is 'cell', not 'block'"),
    "the same cell": (lambda record, meta: meta.update(cells=meta["cells"][:16] * BLOCK), "do not agree"),
    "too many cells": (lambda record, meta: meta.update(cells=meta["cells"] * 1001), "must be at most 4000"),
    "cells that are no text": (set_meta("cells", [1]), "damaged (Type"),
    "a path for a cell": (set_meta("cells", "../../etc/passwd" * BLOCK), "not hexadecimal"),
    "fewer cells": (lambda record, meta: meta.update(cells=meta["cells"][:16]), "do not agree"),
    "words of any length": (put("claim.0 words", np.array(["x" * 40_000])), "more than 65536 bytes"),
    "codes without words": (put("claim.0", np.full(BLOCK, 9, np.uint8)), "has other words"),
    "negative codes": (put("claim.0", np.full(BLOCK, -1)), "has other words"),
    "another claim": (put("claim.0 words", np.array(["sure"])), "claim: 'sure' must be one of"),
    "a cell that is not there": (put("count.0 at", np.array([1, 2, 9])), "names a cell twice, or one"),
    "a cell twice": (put("count.0 at", np.array([1, 1, 2])), "names a cell twice, or one"),
    "a variable twice": (lambda record, meta: record.update({"steps.1": record["steps.0"]}), "a cell twice"),
    "fewer rows": (put("payoff.0", np.zeros((2, 2))), "has other rows than cells"),
    "no status": (lambda record, meta: [record.pop(k) for k in ("status.0", "status.0 words")], "no status"),
    "a number without dimensions": (lambda record, meta: record.update(x=((), np.zeros(()))), "ValueError"),
}


@pytest.mark.parametrize("what", CRAFTED)
def test_a_crafted_block_is_refused_in_one_line(folder: Path, what: str) -> None:
    run, (change, why) = load_run(folder), CRAFTED[what]
    crafted(path := run.cell_path(run.cells[0].id), change)
    (error,) = run.damaged()
    assert (error.path, "\n" in str(error)) == (path, False)
    assert why in str(error)
    assert run.collect().data.sizes == load_run(folder).collect().data.sizes
    assert finished_cells(folder) & {place.id for place in run.cells[BLOCK:]} != set()


def test_a_compressed_block_is_refused_unread(folder: Path) -> None:
    run = load_run(folder)
    path = run.cell_path(run.cells[0].id)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    body = path.read_bytes()[:-2] + bytes([64, 0])
    path.write_bytes(body + sha256(body).hexdigest().encode())
    (error,) = run.damaged()
    assert "compressed" in str(error)


def test_links_among_blocks_are_not_followed(folder: Path, tmp_path: Path) -> None:
    run = load_run(folder)
    path = run.cell_path(run.cells[0].id)
    path.symlink_to(path.rename(tmp_path / "other.npz"))
    (error,) = load_run(folder).damaged()
    assert "leads out of the run's folder" in str(error)
    away = (folder / "blocks").rename(tmp_path / "away")
    (folder / "blocks").symlink_to(away)
    assert finished_cells(folder) == {run.cells[5].id}
    with pytest.raises(files.StoreError, match="a run has no links"):
        load_run(folder)


def test_damage_of_a_block_of_certificates_costs_those_that_it_alters(folder: Path) -> None:
    run = load_run(folder)
    with run.locking():
        for k, place in enumerate(run.cells):
            run.write_certificate(place.id, {"bound": (("player",), np.full(2, 100.0 + k))})
        run.pack_cells()
    first = min((folder / "certificates").iterdir())
    data = first.read_bytes()
    at = data.index(np.full(2, 102.0).tobytes()) + 9  # in the bound of the third cell
    first.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    run = load_run(folder)
    (error,) = run.damaged()
    assert run.cells[2].id in error.why
    sound = [100.0 + k for k in range(CELLS) if k != 2]
    with run.locking():
        assert run.reconcile().left == []
    assert [path.name for path in (folder / "damaged").iterdir()] != []
    again = load_run(folder)
    assert again.damaged() == []
    bounds = np.ravel(again.dataset().bound.max("player").values)
    assert sorted(bounds[bounds >= 100]) == sound
    with run.locking():
        run.write_certificate(run.cells[2].id, {"bound": (("player",), np.full(2, 102.0))})
        run.pack_cells()
    assert first.read_bytes() == data


def test_a_run_is_resumed_from_a_packed_cell(tmp_path: Path) -> None:
    run = Run.create_or_open(tmp_path / "run", study())
    for k, place in enumerate(run.cells):
        record = varied(k) | {"last_karma": (("agent",), np.array([k, 2 * k]))}
        files.write(run.cell_path(place.id), files.pack(record, kind="cell", name=place.id))
    with run.locking():
        run.pack_cells()
    path = run.folder / "cells" / f"{run.cells[3].id}.npz"
    assert not path.exists()
    found = restore(str(path), {"karma": np.zeros(2, int)}, {"karma": ("agent",)})
    assert found["karma"].tolist() == [3, 6]
    with pytest.raises(DamagedFile, match="missing"):
        restore(path.with_name("0123456789abcdef.npz"), {"karma": np.zeros(2, int)}, {"karma": ("agent",)})


@pytest.mark.slow
def test_a_packed_run_is_handed_on_and_verified(tmp_path: Path) -> None:
    run = run_study(study(), tmp_path / "run", workers=1)
    assert len(list((run.folder / "blocks").iterdir())) == 3
    build(run)
    path = packing.pack(run, tmp_path / "run.zip")
    found = packing.verify(path, cells=3)
    assert (found.done, len(found.cells), found.faults, found.word) == (CELLS, 3, [], "undecided")
    name = f"blocks/{min((run.folder / 'blocks').iterdir()).name}"
    data = path.read_bytes()
    begin = data.index(name.encode()) + len(name) + 20
    path.write_bytes(data[:begin] + bytes([data[begin] ^ 1]) + data[begin + 1 :])
    with pytest.raises(DamagedFile, match=re.escape(name)):
        packing.verify(path)

"""Untrusted run folders: flipped bits, crafted heads and cells, links, read-only folders."""

import builtins
import copy
import csv
import errno
import io
import json
import os
import random
import re
import shlex
import shutil
import sqlite3
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rivalry.core import files
from rivalry.core.files import DamagedFile, StoreError, write_json
from rivalry.lab.export import export
from rivalry.lab.report.commands import commands
from rivalry.lab.report.page import build
from rivalry.lab.store import Run, load_run
from rivalry.lab.store.head import head_fault, head_of
from rivalry.living.freeze import freeze
from tests.cli.conftest import Command, rivalry
from tests.duel_study import record, store, study

__all__ = ["rivalry"]

pytestmark = pytest.mark.filterwarnings("always:.*damaged")

Head = dict[str, Any]
EXPECT = [{"quantity": "steps", "expected": 3}]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of six cells, with a report."""
    folder = tmp_path_factory.mktemp("made")
    run = Run.create_or_open(folder / "run", study(folder, expect=EXPECT))
    with run.locking():
        for k, place in enumerate(run.cells):
            store(run, place.id, record(k))
        run.write_dataset()
        run.log("done")
    build(run.folder)
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Run:
    """A copy of it, to be damaged."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return load_run(tmp_path / "run")


def numbers(run: Run, folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in export(load_run(run.folder), "csv", folder, everything=True).files
    }


# -- study.json ---------------------------------------------------------------------------------------------


def flip_bits(text: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Single-bit flips after which the text is still JSON."""
    chance = random.Random(seed)
    while count:
        data = bytearray(text)
        bit = chance.randrange(len(data) * 8)
        data[bit // 8] ^= 1 << bit % 8
        try:
            json.loads(data.decode())
        except ValueError:
            continue
        count -= 1
        yield bytes(data)


@pytest.mark.slow
def test_every_flipped_bit_of_the_head_is_detected(run: Run, tmp_path: Path) -> None:
    path = run.folder / "study.json"
    before = numbers(run, tmp_path / "before")
    for k, data in enumerate(flip_bits(path.read_bytes(), 60, seed=1)):
        path.write_bytes(data)
        try:
            found = numbers(run, tmp_path / str(k))
        except StoreError as error:
            message = str(error)
            assert re.fullmatch(r"\S*study\.json: [^\n]*", message)
        else:
            assert found == before  # a flip in whitespace changes nothing


@pytest.mark.representative
def test_removing_the_digest_is_detected(run: Run) -> None:
    path = run.folder / "study.json"
    head = json.loads(path.read_text())
    for wrong in ({**head, "digest": None}, {**head, "schema": 0}, {**head, "schema": True}, [head], 3):
        path.write_text(json.dumps(wrong))
        with pytest.raises(DamagedFile, match=r"study\.json: damaged"):
            load_run(run.folder)
    path.write_text(json.dumps(head, indent=7))  # another layout of the same content
    assert load_run(run.folder).head == run.head


def change(path: str, value: Any = None) -> Callable[[Head], None]:
    """Return a function that sets or removes an entry of a head."""

    def apply(head: Any) -> None:
        *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        for step in steps:
            head = head[step]
        if value is None:
            del head[last]
        else:
            head[last] = value

    return apply


DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]

HEADS = {
    "a name that leads out": change("name", "../../x"),
    "an absolute name": change("name", "/elsewhere"),
    "no name": change("name"),
    "a part above": change("parts", ["../other"]),
    "an absolute part": change("parts", ["/etc"]),
    "a part that is no text": change("parts", [3]),
    "a part that the study has not": change("parts", ["more"]),
    "a cell that leads out": change("cells.0.0", "../../../etc/passwd"),
    "a cell's name": change("cells.0.0", "ab"),
    "the same cell twice": lambda head: head["cells"].append(head["cells"][0]),
    "two cells at one place": lambda head: head["cells"][1].__setitem__(4, head["cells"][0][4]),
    "a cell off its axis": change("cells.0.4.prize", 9.5),
    "a cell without a place": change("cells.0.4.prize"),
    "a cell of four": lambda head: head["cells"][0].pop(),
    "cells as a table": change("cells", {}),
    "axes as a list": change("axes", []),
    "an axis that is a number": change("axes.prize", 3),
    "an axis of the same twice": change("axes.prize", [0.5, 0.5, 1.5]),
    "an axis too many": change("axes.other", [1]),
    "endless axes": lambda head: head["axes"].update({"prize": list(range(2000)), "x": list(range(2000))}),
    "an axis named as a path": change("axes.a/b", [1]),
    "a number beyond 64 bits": change("axes.prize.0", 10**30),
    "companions of nothing": change("companions", {"b": ["nothing", [1]]}),
    "no companions": change("companions"),
    "no game": change("study.game"),
    "a game that is a word": change("study.game", "matrix"),
    "a family that is a number": change("study.game.family", 3),
    "a method without a name": change("study.method.0.name"),
    "a method without a kind": change("study.method.0.kind"),
    "an expectation of nothing": change("study.expect.0.quantity"),
    "a plot that is a number": change("study.plots", [3]),
    "a plot without a kind": change("study.plots", [{"cell": 3}]),
    "a sweep that is a list": change("study.sweep", [3]),
    "a sweep of no key": change("study.sweep", {"prize": [1]}),
    "a title of NUL": change("study.title", "a\0b"),
    "a title that is a list": change("study.title", ["a"]),
    "files as a list": change("study.files", ["a.py"]),
    "no versions": change("made_by", {"python": "3"}),
    "versions as a word": change("made_by", "1"),
    "history of numbers": change("history", [3]),
    "too deep": change("study.game.deep", DEEP),
    "a digest of the text that is a number": change("toml", 3),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_crafted_head_is_reported_by_every_command(run: Run, name: str, rivalry: Command) -> None:
    head = copy.deepcopy(json.loads(json.dumps(run.head)))
    HEADS[name](head)
    write_json(run.folder / "study.json", head)
    for command in ("status", "report", "resume"):
        answer = rivalry(command, str(run.folder))
        assert answer.status == 1, answer
        assert re.fullmatch(r"rivalry: \S*study\.json: damaged \([^\n]*\)\n", answer.err), answer.err
        assert answer.out == ""


def test_links_out_of_the_folder_are_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    for name in ("log.txt", "cells", "figures", "export", "lock", "dataset.nc"):
        mine = run.folder / name
        if mine.exists():
            mine.rename(tmp_path / "kept")
        mine.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StoreError, match=rf"{name}: leads out of the run's folder"):
            load_run(run.folder)
        mine.unlink()
        if (tmp_path / "kept").exists():
            (tmp_path / "kept").rename(mine)
    assert load_run(run.folder).status == "done"


SECRET = "ssh-ed25519 the key of its owner"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of the reader outside the run."""
    path = tmp_path / "authorized_keys"
    path.write_text(SECRET)
    return path


def write_everything(run: Path) -> None:
    """Continue, certify, report, export and freeze a run."""
    found = load_run(run)
    with found.locking():
        found.reconcile()
        found.log("more")
        found.note(found.cells[0].id, "done")
        found.write_certificate(found.cells[0].id, {"tolerance": ((), np.asarray(1.0))})
        found.write_dataset()
    build(run)
    for to in ("csv", "netcdf"):
        export(load_run(run), to)
    export(load_run(run), "csv", everything=True)
    freeze(run, run / "export" / "page.html")


WRITTEN = (
    *("dataset.nc", "report.html", "SHA256SUMS", "log.txt", "lock", "index.sqlite", "study.toml"),
    *("export/cells.csv", "export/results.csv", "export/duel.nc", "export/page.html", "certificates/{}.npz"),
)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX (links)")
def test_links_under_names_of_temporary_files_are_not_followed(run: Run, victim: Path) -> None:
    (run.folder / "export").mkdir()
    for name in WRITTEN:
        path = run.folder / name.format(run.cells[0].id)
        path.with_name(f".{path.name}.{os.getpid()}.part").symlink_to(victim)
    write_everything(run.folder)
    assert victim.read_text() == SECRET


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX (links)")
@pytest.mark.parametrize("kind", ["symbolic", "hard"])
@pytest.mark.parametrize("name", WRITTEN)
def test_no_file_is_written_through_a_planted_link(run: Run, victim: Path, name: str, kind: str) -> None:
    """A link under the name of a file that is written is replaced, or refused by name."""
    path = run.folder / name.format(run.cells[0].id)
    path.parent.mkdir(exist_ok=True)
    (run.folder / "SHA256SUMS").unlink()  # a stranger leaves out what would show the change
    path.unlink(missing_ok=True)
    path.symlink_to(victim) if kind == "symbolic" else path.hardlink_to(victim)
    said = f"{path}: "
    try:
        write_everything(run.folder)
    except StoreError as error:
        said = str(error)
    assert re.fullmatch(rf"{path}: [^\n]*", said)
    assert victim.read_text() == SECRET


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX (links)")
@pytest.mark.parametrize("name", ["figures", "export", "cells", "certificates", "checkpoints", "damaged"])
def test_a_folder_that_is_a_link_within_the_run_is_refused_by_name(run: Run, name: str) -> None:
    path = run.folder / name
    (run.folder / "other").mkdir()
    if path.is_dir():
        shutil.rmtree(path)
    path.symlink_to(run.folder / "other")
    with pytest.raises(StoreError, match=rf"{name}: is a link; a run has no links, remove it"):
        load_run(run.folder)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX (links)")
def test_journals_of_a_planted_index_are_not_written(run: Run, victim: Path) -> None:
    """SQLite opens the journals that the header of a database asks for, through links."""
    with closing(sqlite3.connect(run.folder / "index.sqlite")) as db:
        db.execute("pragma journal_mode=wal")
    for ending in ("wal", "shm", "journal"):
        path = run.folder / f"index.sqlite-{ending}"
        path.unlink(missing_ok=True)
        path.symlink_to(victim)
    (run.folder / "SHA256SUMS").unlink()
    write_everything(run.folder)
    assert victim.read_text() == SECRET


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX (links)")
def test_a_named_folder_may_be_a_link_but_none_below_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "disk" / "run").parent.mkdir()
    run.folder.rename(tmp_path / "disk" / "run")
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    (tmp_path / "run").symlink_to(tmp_path / "disk" / "run")
    write_everything(tmp_path / "run")
    assert build(tmp_path / "run", out=tmp_path / "link").parent == tmp_path / "disk"
    assert (tmp_path / "disk" / "report.html").is_file()
    shutil.rmtree(tmp_path / "disk" / "figures")
    (tmp_path / "disk" / "figures").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="figures: is a link; must be a folder"):
        build(tmp_path / "run", out=tmp_path / "link")


def test_a_cell_that_links_out_of_the_folder_is_reported_as_damaged(run: Run, tmp_path: Path) -> None:
    cell = run.cell_path(run.cells[0].id)
    cell.rename(tmp_path / "kept.npz")
    cell.symlink_to(tmp_path / "kept.npz")
    (error,) = load_run(run.folder).damaged()
    assert (error.path, error.why) == (cell, "leads out of the run's folder")


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX (named pipes)")
def test_a_pipe_or_folder_in_place_of_a_cell_is_reported_as_damaged(run: Run) -> None:
    cell = run.cell_path(run.cells[0].id)
    cell.unlink()
    os.mkfifo(cell)
    run.cell_path(run.cells[1].id).unlink()
    run.cell_path(run.cells[1].id).mkdir()
    assert [error.why for error in run.damaged()] == ["is no plain file"] * 2


# -- files that run -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_files_that_a_stored_study_runs_are_announced(run: Run, rivalry: Command) -> None:
    """The files that run are those that the tables name, whatever ``files`` lists."""
    head = copy.deepcopy(run.head)
    head["study"]["files"] = {}
    head["study"]["sweep"] = {"game.prize": [0.5, 1.0, 1.5], "game.trouble": ["hidden.py:trouble"]}
    write_json(run.folder / "study.json", head)
    Path(head["folder"], "hidden.py").write_text("raise RuntimeError('ran')\n")
    for command in ("resume", "certify"):
        answer = rivalry(command, str(run.folder))
        paths = [line.split()[1].rstrip(",") for line in answer.err.splitlines() if line.startswith("runs ")]
        assert [Path(path).name for path in paths] == ["duel.py", "hidden.py"]
    for line in (["status"], ["report", "--out", "r"], ["export", "--to", "csv", "--out", "e"]):
        answer = rivalry(line[0], str(run.folder), *line[1:])
        assert answer.status == 0
        assert "runs " not in answer.err


def test_files_in_a_sweep_are_files_of_the_study(tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text("none = 'none'\n")
    swept = study(tmp_path, sweep={"game.trouble": ["words.py:none", "none"]})
    assert set(swept.files or {}) == {"duel.py", "words.py"}
    assert swept.own_files == ["duel.py", "words.py"]


# -- cells --------------------------------------------------------------------------------------------------


def with_digest(body: bytes) -> bytes:
    return body[:-64] + sha256(body[:-64]).hexdigest().encode()


def craft_cell(
    id: str,
    arrays: dict[str, bytes],
    dims: Any,
    *,
    how: int = zipfile.ZIP_STORED,
    meta: dict[str, Any] | None = None,
) -> bytes:
    """A cell with a valid digest and arbitrary contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        head = {"schema": 2, "kind": "cell", "name": id, "dims": dims, **(meta or {})}
        archive.writestr("meta.json", json.dumps(head))
        for name, data in arrays.items():
            archive.writestr(f"{name}.npy", data)
        archive.comment = b"0" * 64
    return with_digest(buffer.getvalue())


def npy(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(array), **options)
    return stream.getvalue()


def header(shape: tuple[int, ...], descr: str, data: bytes = b"") -> bytes:
    stream = io.BytesIO()
    form = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, form)
    return stream.getvalue() + data


def change_record(**changes: Any) -> Callable[[str], bytes]:
    """A valid record with some variables replaced, or left out where None."""

    def pack(id: str) -> bytes:
        whole = {name: value for name, value in {**record(0), **changes}.items() if value is not None}
        return files.pack(whole, kind="cell", name=id)

    return pack


STATUS = {"status": npy("converged")}
CELLS: dict[str, Callable[[str], bytes]] = {
    "another cell": lambda id: files.pack(record(0), kind="cell", name="0" * 16),
    "another kind": lambda id: files.pack(record(0), kind="checkpoint", name=id),
    "nothing": lambda id: files.pack({}, kind="cell", name=id),
    "no status": change_record(status=None),
    "no steps": change_record(steps=None),
    "profiles of text": change_record(profile=(("player", "axis"), np.asarray([["a"], ["b"]]))),
    "payoffs of another number of players": change_record(payoff=(("player",), np.zeros(3))),
    "players without a seat": change_record(payoff=(("player",), np.zeros(3)), play=(("seat",), np.zeros(4))),
    "a status of numbers": change_record(status=((), np.asarray(3.0))),
    "a claim of its own": change_record(claim=((), np.asarray("proven"))),
    "a claim for every player": change_record(claim=(("player",), np.asarray(["equilibrium"] * 2))),
    "a regret of text": change_record(regret=(("player",), np.asarray(["a", "b"]))),
    "a regret of no player": change_record(regret=((), np.asarray(0.0))),
    "half a certificate": change_record(bound=None),
    "another cell's name": change_record(cell=((), np.asarray("x"))),
    "payoffs along another dimension": change_record(payoff=(("world",), np.zeros(2))),
    "payoffs of text": change_record(payoff=(("player",), np.asarray(["=1", "b"]))),
    "objects": lambda id: craft_cell(
        id, {**STATUS, "x": npy([None], allow_pickle=True)}, {"status": [], "x": ["a"]}
    ),
    "complex numbers": lambda id: craft_cell(id, {**STATUS, "x": npy([1j])}, {"status": [], "x": ["a"]}),
    "a missing array": lambda id: craft_cell(id, STATUS, {"status": [], "x": ["a"]}),
    "dimensions for another array": lambda id: craft_cell(id, STATUS, {"status": ["a", "b"]}),
    "dimensions that are a word": lambda id: craft_cell(id, STATUS, {"status": "ab"}),
    "dimensions that are a list": lambda id: craft_cell(id, STATUS, ["status"]),
    "a dimension twice": lambda id: craft_cell(id, {"x": npy(np.eye(2))}, {"x": ["a", "a"]}),
    "a name that is a path": lambda id: craft_cell(id, {"a/b": npy(1.0)}, {"a/b": []}),
    "a schema of text": lambda id: craft_cell(id, STATUS, {"status": []}, meta={"schema": "2"}),
    "more shape than bytes": lambda id: craft_cell(id, {"x": header((10**12,), "<f8")}, {"x": ["a"]}),
    "more bytes than shape": lambda id: craft_cell(id, {"x": npy([1.0]) + bytes(80)}, {"x": ["a"]}),
    "endless nothing": lambda id: craft_cell(id, {"x": header((10**12, 0), "<f8")}, {"x": ["a", "b"]}),
    "endless empty text": lambda id: craft_cell(id, {"x": header((10**12,), "<U0")}, {"x": ["a"]}),
    "a bomb": lambda id: craft_cell(
        id, {**STATUS, "x": npy(np.zeros(10**6))}, {"status": [], "x": ["a"]}, how=zipfile.ZIP_DEFLATED
    ),
    "text that is none": lambda id: craft_cell(
        id, {"status": header((), "<U1", (0xD800).to_bytes(4, "little"))}, {"status": []}
    ),
    "no zip": lambda id: with_digest(b"x" * 300),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_a_crafted_cell_is_reported_left_out_and_moved_aside(run: Run, tmp_path: Path, name: str) -> None:
    path = run.cell_path(run.cells[2].id)
    path.write_bytes(CELLS[name](path.stem))
    (error,) = load_run(run.folder).damaged()
    assert error.path == path
    assert "\n" not in str(error)
    done = export(load_run(run.folder), "csv", tmp_path / "out", everything=True)
    assert done.left_out == [(path.stem, f"damaged ({error.why})")]
    with (tmp_path / "out" / "cells.csv").open(newline="") as file:
        assert [bool(row["status"]) for row in csv.DictReader(file)].count(True) == 5
    page = build(run.folder, out=tmp_path / "page").read_text(encoding="utf-8")
    assert f"cells/{path.name}" in page
    with run.locking():
        left, damaged = run.reconcile()
    assert (left, [one.path for one in damaged]) == ([path.stem], [path])
    assert not path.exists()


SPARSE = 40 * 2**30


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX (sparse files)")
@pytest.mark.parametrize(
    "name",
    [
        *("cells/{}.npz", "checkpoints/{}.npz", "study.toml", "index.sqlite"),
        *("dataset.nc", "log.txt", "SHA256SUMS"),
    ],
)
def test_files_of_40_gb_are_not_read(run: Run, name: str, rivalry: Command) -> None:
    """They take no space on the disk of whoever sends them, and all memory of who reads them."""
    path = run.folder / name.format(run.cells[0].id)
    with path.open("ab") as file:
        file.truncate(SPARSE)
    begun = time.monotonic()
    answer = rivalry("status", str(run.folder))
    assert time.monotonic() - begun < 5
    assert answer.status == 0
    assert re.search(
        rf"{re.escape(str(path))}: .*(has {SPARSE} bytes|has more than|do not match)", answer.err
    )


def test_a_head_of_40_gb_is_not_read(run: Run, rivalry: Command) -> None:
    os.truncate(run.folder / "study.json", SPARSE)
    answer = rivalry("status", str(run.folder))
    assert answer.status == 1
    assert f"has {SPARSE} bytes; must be at most" in answer.err


def test_nothing_is_stored_that_is_too_large_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST", 5000)
    with pytest.raises(StoreError, match="a file of a run has at most 5000, store fewer variables"):
        files.pack({"x": (("a",), np.zeros(700))}, kind="cell", name="a")


def test_commands_for_a_strangers_run_are_quoted(run: Run, rivalry: Command) -> None:
    """Its name may be that of a folder in which the shell finds a command."""
    name = "a$(touch hacked);b"
    write_json(run.folder / "study.json", {**run.head, "name": name, "toml": ""})
    other = run.folder.rename(run.folder.with_name(name))
    (other / "study.toml").unlink(missing_ok=True)
    (other / "cells" / f"{run.cells[0].id}.npz").write_bytes(b"x" * 100)
    found = load_run(other)
    for command, _ in commands(found):
        assert "$(" not in command or shlex.split(command)[2] == name
    offered = re.findall(r"`(rivalry [^`]*)`", rivalry("status", str(other)).err)
    assert offered
    assert all(shlex.split(command)[2] == str(other) for command in offered)


def test_a_decompression_bomb_is_refused_without_unpacking(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    path = run.cell_path(run.cells[0].id)
    path.write_bytes(CELLS["a bomb"](path.stem))

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("a member was unpacked")

    monkeypatch.setattr(zipfile.ZipFile, "open", opened)
    with pytest.raises(DamagedFile, match=r"is compressed \(.* bytes in .*\); nothing stored is"):
        files.read(path)


# -- reports of missing and damaged files -------------------------------------------------------------------


@pytest.mark.slow
def test_cells_left_out_are_reported_with_reasons(run: Run, rivalry: Command) -> None:
    failed, missing, broken = (place.id for place in run.cells[:3])
    with run.locking():
        run.note(failed, "failed", message="RuntimeError: called off")
    run.cell_path(failed).unlink()
    run.cell_path(missing).unlink()
    run.cell_path(broken).write_bytes(b"x" * 100)
    answer = rivalry("export", str(run.folder), "--to", "csv", "--out", "out", "--json")
    assert answer.status == 0
    assert [row["name"] for row in answer.value["left_out"]] == [failed, missing, broken]
    reasons = [row["reason"] for row in answer.value["left_out"]]
    assert reasons[:2] == ["failed (RuntimeError: called off)", "not done"]
    assert reasons[2].startswith("damaged (")
    for line in (["export", "--to", "csv", "--out", "out"], ["report", "--out", "page"]):
        lines = rivalry(line[0], str(run.folder), *line[1:]).err.splitlines()
        assert f"{broken}.npz: damaged" in lines[0]
        assert "3 of 6 cells are left out (1 failed, 1 not done, 1 damaged)" in lines[1]
    counts = rivalry("status", str(run.folder), "--json").value["cells"]
    assert counts == {"total": 6, "done": 3, "failed": 1, "left": 2}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dataset.nc", "index.sqlite", "log.txt", "SHA256SUMS", "report.html"])
def test_damage_in_other_files_is_reported_and_repaired(run: Run, name: str, rivalry: Command) -> None:
    path = run.folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    for line in (["status"], ["export", "--to", "csv", "--out", "out"], ["report", "--out", "page"]):
        answer = rivalry(line[0], str(run.folder), *line[1:])
        assert answer.status == 0
        assert f"{name}: damaged (" in answer.err, answer
    assert path.read_bytes() == data  # reading repairs nothing

    def resume() -> None:
        with run.locking():
            run.reconcile()
            run.write_dataset()

    with pytest.warns(UserWarning, match=rf"{name}: damaged .*moved to damaged/"):
        resume()
    assert run.damaged() == []
    assert len(list((run.folder / "damaged").iterdir())) == 1
    assert [aside.name for aside in (run.folder / "damaged").glob(f"*{name}")]


@pytest.mark.slow
def test_a_deleted_certificate_is_named(run: Run, rivalry: Command) -> None:
    """Without it the dataset has the certificate of the cell, which may say something else."""
    id = run.cells[0].id
    with run.locking():
        run.write_certificate(id, {"tolerance": ((), np.asarray(0.5))})
    path = run.folder / "certificates" / f"{id}.npz"
    assert load_run(run.folder).damaged() == []
    assert "certificates" not in rivalry("status", str(run.folder)).err
    path.unlink()
    again = load_run(run.folder)
    assert [(error.path, error.why) for error in again.damaged()] == [(path, "missing")]
    with pytest.warns(UserWarning, match=rf"{path}: damaged \(missing\).*`rivalry certify` redoes it"):
        again.dataset()
    answer = rivalry("status", str(run.folder))
    assert f"{path}: damaged (missing); left out, `rivalry certify {run.folder}` " in answer.err
    for line in (["export", "--to", "csv", "--out", "out"], ["report", "--out", "page"]):
        assert f"{path}: damaged (missing)" in rivalry(line[0], str(run.folder), *line[1:]).err
    with pytest.warns(UserWarning, match=rf"{path}: .*; as computed with its cell"), again.locking():
        again.reconcile()
    assert f"{path}: damaged (missing)" in (run.folder / "log.txt").read_text()
    assert load_run(run.folder).damaged() == []


def test_damaged_checkpoints_are_reported_and_moved_aside(run: Run) -> None:
    path = run.folder / "checkpoints" / f"{run.cells[0].id}.npz"
    path.write_bytes(b"x" * 200)
    assert [error.path for error in run.damaged()] == [path]
    with run.locking():
        assert run.reconcile().left == []
    assert not path.exists()


@pytest.mark.slow
def test_an_edited_or_missing_study_text_is_reported(tmp_path: Path, rivalry: Command) -> None:
    from rivalry.lab.study import load_study

    study(tmp_path)
    run = Run.create_or_open(tmp_path / "run", load_study(tmp_path / "duel.toml"))
    store(run, run.cells[0].id, record(0))
    text = run.folder / "study.toml"
    assert run.text_fault == ""
    for data, words in (
        (text.read_bytes() + b"# more\n", "was edited after the run was made"),
        (b"title = '\xff'\n", "is not UTF-8"),
        (None, "missing"),
    ):
        text.unlink() if data is None else text.write_bytes(data)
        assert words in run.text_fault
        assert words in rivalry("status", str(run.folder)).err
        answer = rivalry("report", str(run.folder), "--out", "page")
        assert answer.status == 0
        assert words in answer.err
        assert words in Path("page/report.html").read_text(encoding="utf-8")


# -- folders and links --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_read_only_runs_are_exported(run: Run, rivalry: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    home = str(run.folder)

    def listed() -> dict[str, tuple[int, bytes]]:
        found = [path for path in run.folder.rglob("*") if path.is_file()]
        return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}

    def guarded(real: Callable[..., Any], writes: Callable[..., bool]) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **options: Any) -> Any:
            inside = isinstance(path, str | os.PathLike) and os.path.abspath(path).startswith(home)
            if inside and writes(*arguments, **options):
                raise OSError(errno.EROFS, "Read-only file system", str(path))
            return real(path, *arguments, **options)

        return call

    run.cell_path(run.cells[0].id).write_bytes(b"x" * 100)  # damage is reported, and not moved aside
    before = listed()
    writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", guarded(os.open, lambda flags, *_, **__: bool(flags & writes)))
        opened = guarded(builtins.open, lambda mode="r", *_, **__: mode not in ("r", "rb"))
        patch.setattr(builtins, "open", opened)
        patch.setattr(io, "open", opened)
        for name in ("mkdir", "unlink", "rename", "replace", "rmdir"):
            patch.setattr(os, name, guarded(getattr(os, name), lambda *_, **__: True))
        for line in (["status"], ["report", "--out", "page"], ["export", "--to", "csv", "--out", "out"]):
            answer = rivalry(line[0], home, *line[1:])
            assert answer.status == 0, answer
        answer = rivalry("report", home)  # a command that writes into the folder reports the error
        assert answer.status == 2
        assert answer.err.splitlines()[-1].endswith("Read-only file system")
    assert Path("page/report.html").is_file()
    assert Path("out/results.csv").is_file()
    assert listed() == before


@pytest.mark.slow
def test_a_path_too_long_for_an_index_gives_one_line(tmp_path: Path, rivalry: Command) -> None:
    study(tmp_path)
    deep = Path(*["d" * 99] * 6)
    answer = rivalry("run", "duel.toml", "--out", str(deep))
    assert answer.status == 2
    assert re.fullmatch(r"runs [^\n]*\nrivalry: d+\.\.\.: a path of \d+ bytes [^\n]*\n", answer.err), answer
    assert deep.parts[0] not in os.listdir()


@pytest.mark.slow
def test_a_run_moved_to_a_long_path_can_be_read(run: Run, rivalry: Command) -> None:
    with run.locking():
        run.note(run.cells[0].id, "failed", message="no")
        run.cell_path(run.cells[0].id).unlink()
    deep = Path(*["d" * 99] * 6)
    deep.parent.mkdir(parents=True)
    run.folder.rename(deep)
    assert "failed: " in rivalry("status", str(deep)).out
    assert rivalry("export", str(deep), "--to", "csv", "--out", "out").status == 0
    answer = rivalry("resume", str(deep))
    assert answer.status == 2
    assert answer.err.splitlines()[-1].startswith("rivalry: ddd")


def test_links_as_run_folders(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "scratch")
    run = Run.create_or_open(link, study(tmp_path))
    assert run.folder == tmp_path / "scratch"
    assert link.is_symlink()
    assert Run.create_or_open(link, study(tmp_path)).folder == run.folder
    for wrong in ("nothing", "self"):
        (tmp_path / wrong).symlink_to(tmp_path / {"nothing": "gone", "self": "self"}[wrong])
        with pytest.raises(StoreError, match="is a link that leads nowhere; choose another folder"):
            Run.create_or_open(tmp_path / wrong, study(tmp_path))


@pytest.mark.slow
def test_links_as_output_folders(run: Run, tmp_path: Path, rivalry: Command) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "good").symlink_to("there")
    (tmp_path / "bad").symlink_to("gone")
    for line in (["report"], ["export", "--to", "csv"]):
        assert rivalry(line[0], str(run.folder), *line[1:], "--out", "good").status == 0
        answer = rivalry(line[0], str(run.folder), *line[1:], "--out", "bad")
        assert answer.status == 2
        assert answer.err.splitlines()[-1].startswith("rivalry: bad: is a link that leads nowhere")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX (removal of a folder in use)")
def test_a_removed_working_directory_gives_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rivalry.cli import main

    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for line in (["report", "--out", "page"], ["export", "--to", "csv", "--out", "out"]):
        assert main([line[0], str(run.folder), *line[1:]]) == 2
        assert (
            capsys.readouterr()
            .err.splitlines()[-1]
            .endswith("directory no longer exists; change to one that does")
        )
    assert main(["run", "matrix_classics", "--quick"]) == 2
    assert "working directory no longer exists" in capsys.readouterr().err


# -- studies of studies -------------------------------------------------------------------------------------


def test_control_characters_in_stored_messages_are_replaced(run: Run, rivalry: Command) -> None:
    with run.locking():
        run.note(run.cells[0].id, "failed", message="\x1b]0;mine\x07 \x9b2J")
        run.cell_path(run.cells[0].id).unlink()
    answer = rivalry("status", str(run.folder))
    assert "\ufffd]0;mine\ufffd \ufffd2J" in answer.out
    assert not set("\x1b\x07\x9b") & set(answer.out)


@pytest.mark.slow
def test_parts_must_be_inside_the_run_and_their_files_are_announced(tmp_path: Path, rivalry: Command) -> None:
    from rivalry.lab.study import load_study

    study(tmp_path)
    (tmp_path / "both.toml").write_text('title = "Both"\ninclude = ["duel.toml"]\n')
    whole = Run.create_or_open(tmp_path / "both", load_study(tmp_path / "both.toml"))
    (part,) = whole.parts().values()
    with part.locking():
        for k, place in enumerate(part.cells):
            store(part, place.id, record(k))
    (tmp_path / "more.py").write_text("trouble = 'none'\n")
    head = copy.deepcopy(part.head)
    head["study"]["game"]["trouble"] = "more.py:trouble"  # the including study does not name it
    write_json(part.folder / "study.json", head)
    lines = rivalry("certify", str(whole.folder)).err
    assert f"runs {tmp_path / 'more.py'}, which the study duel names" in lines
    part.folder.rename(tmp_path / "elsewhere")
    part.folder.symlink_to(tmp_path / "elsewhere")
    answer = rivalry("status", str(whole.folder))
    assert answer.status == 2
    assert "both/duel: leads out of the run's folder" in answer.err
    part.folder.unlink()
    assert "duel: no such run folder" in rivalry("status", str(whole.folder)).err
    shutil.copytree(whole.folder, part.folder)  # a part that has parts
    assert "parts: a part has none of its own" in rivalry("status", str(whole.folder)).err


@pytest.mark.parametrize("name", ["../duel", "a/b", "CON", "index.sqlite", ".."])
def test_a_part_that_its_study_includes_must_be_a_folder_inside_the_run(tmp_path: Path, name: str) -> None:
    from rivalry.lab.study import load_study

    study(tmp_path)
    (tmp_path / "both.toml").write_text('title = "Both"\ninclude = ["duel.toml"]\n')
    head = head_of(load_study(tmp_path / "both.toml"))
    assert head_fault(head) == ""
    head["study"]["included"] = {name: head["study"]["included"]["duel"]}
    assert head_fault(head | {"parts": [name]}) == (
        f'parts: "{name}" must be the name of a folder inside the run'
    )


def test_an_edited_line_of_the_sums_is_detected(run: Run) -> None:
    path = run.folder / "SHA256SUMS"
    assert run.damaged() == []
    path.write_bytes(path.read_bytes().replace(b"  log.txt", b"  log.old"))
    found = [(error.path, error.why) for error in load_run(run.folder).damaged()]
    assert found == [(path, "its lines do not match its digest")]


@pytest.mark.slow
def test_figures_and_logs_after_a_run_are_not_reported_as_damage(tmp_path: Path, rivalry: Command) -> None:
    (tmp_path / "mine.py").write_text("def broken(data, ax=None):\n    raise RuntimeError('no')\n")
    (tmp_path / "small.toml").write_text(
        'plots = ["mine.py:broken"]\n[game]\nfamily = "matrix"\nname = "chicken"\n'
        '[[method]]\nkind = "pure_equilibria"\n'
    )
    assert "was not drawn: RuntimeError: no" in rivalry("run", "small.toml", "--workers", "1").err
    assert "was not drawn: RuntimeError: no" in Path("runs/small/log.txt").read_text()
    for line in (["status"], ["export", "--to", "csv"], ["report"], ["status"]):
        assert "damaged" not in rivalry(line[0], "runs/small", *line[1:]).err

"""Packed runs: what was packed is verified, and a change of what is recomputed is named."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rivalry.cli import main
from rivalry.core import files
from rivalry.core.archives import LARGEST, extract
from rivalry.core.files import DamagedFile, StoreError
from rivalry.core.results import Record
from rivalry.lab import packing
from rivalry.lab.executor import carry_out, certify, run_study
from rivalry.lab.figures import draw_own
from rivalry.lab.packing import MANIFEST, pack, root_of, verify
from rivalry.lab.proofs import certificate_changes, recertify
from rivalry.lab.store import Run
from rivalry.lab.study import Study, load_study
from tests.unit.test_archives import sealed

pytestmark = pytest.mark.mostly_slow

GAME = """
import jax.numpy as jnp
import equinox as eqx
from rivalry import Box

class Peak(eqx.Module):
    space: Box
    def payoffs(self, x):
        return -((x[:, 0] - 0.5) ** 2)

def peak():
    return Peak(Box.interval(0.0, 1.0, players=2))
"""


STUDY = """
title = "Chicken"
source = "Rapoport & Chammah 1966"

[game]
family = "matrix"
name = "chicken"

[[method]]
kind = "regret_matching"
steps = 50

[replications]
count = 4
"""


CHICKEN = {"family": "matrix", "name": "chicken"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of four cells."""
    folder = tmp_path_factory.mktemp("packed")
    (folder / "small.toml").write_text(STUDY)
    return run_study(load_study(folder / "small.toml"), folder / "run").folder


@pytest.fixture(scope="module")
def packed(made: Path) -> Path:
    return pack(Run.open(made), made.with_name("run.zip"), licence="CC-BY-4.0")


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Run:
    """A copy of the run, to be forged."""
    shutil.copytree(made, tmp_path / "run")
    return Run.open(tmp_path / "run")


def one_cell(folder: Path, game: dict[str, Any], kind: dict[str, Any]) -> tuple[Any, Path, Record]:
    """Return task, folder and record of the only cell of a run."""
    run = run_study(Study(name="small", game=game, method=[kind]), folder / "run")
    ((id, task),) = run.tasks().items()
    return task, Path(run.head["folder"]), run.read_cell(id)


Members = dict[str, bytes]


def read(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(path: Path, out: Path, change: Callable[[Members], object]) -> Path:
    """Return a packed run with other contents and valid digests."""
    members = read(path)
    change(members)
    members[MANIFEST] = "".join(
        f"{sha256(data).hexdigest()}  {name}\n" for name, data in members.items() if name != MANIFEST
    ).encode()
    return sealed(out, members.items())


def unpacked(path: Path, folder: Path, most: int = LARGEST) -> dict[str, str]:
    return extract(path, folder / "unpacked", MANIFEST, most)


FOR_READERS = ["README.md", "citation.bib", "dataset.nc", "figures/01-strategies.svg"]
FOR_READERS += ["figures/02-learning_curve.svg", "figures/03-paths.svg"]
FOR_READERS += ["packages.txt", "page.html", "report.html"]
UNCHECKED = [*FOR_READERS, "log.txt", "index.sqlite (times, warnings, failures)"]


def test_what_was_packed_is_verified_to_the_bit(made: Path, packed: Path) -> None:
    assert verify(packed, cells=2).word == "undecided"
    found = verify(packed)
    assert (found.word, found.versions, len(found.cells)) == ("verified", [], 4)
    assert (found.done, found.total, found.digest) == (4, 4, Run.open(made).digest())
    assert found.unchecked == UNCHECKED
    members = read(packed)
    assert {"study.json", "study.toml", "dataset.nc", "report.html", "packages.txt", MANIFEST} <= set(members)
    assert found.files == len(members)
    assert found.digest in members["report.html"].decode()
    assert "Licence of the results: CC-BY-4.0." in members["README.md"].decode()
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == MANIFEST


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_answer_is_that_of_every_process(packed: Path, tmp_path: Path, seed: str) -> None:
    """Whatever the order of sets; and the command says what was checked, and what was not."""
    command = [sys.executable, "-m", "rivalry", "verify", packed, "--cells", "1"]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONHASHSEED": seed}, cwd=tmp_path, capture_output=True, text=True
    )
    last = done.stdout.splitlines()[-1]
    digest, root = verify(packed, cells=0).digest, sha256(read(packed)[MANIFEST]).hexdigest()
    words = "undecided: 3 cells were not computed again; digest of study, cells and certificates: "
    assert (done.returncode, last) == (3, f"{words}{digest}; of all files: {root}"), done.stdout + done.stderr
    assert "4 of 4 cells, complete\n1 cells computed again" in done.stdout


# -- forged files ------------------------------------------------------------------------------------------


def forged(name: str, old: bytes, new: bytes) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        assert old in members[name], name
        members[name] = members[name].replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (
            forged("study.toml", b"steps = 50", b"steps = 51"),
            ["study.toml: its method differs from study.json"],
        ),
        (
            forged("study.toml", b"count = 4", b"count = 4\n[sweep]\nno = 1"),
            ["study.toml: sweep.no: 1 must be a list of values or { from, to, count }"],
        ),
    ],
    ids=lambda value: "" if callable(value) else value[0].partition(":")[0],
)
def test_a_file_that_contradicts_its_study_is_named(
    packed: Path, tmp_path: Path, change: Callable[[Members], object], faults: list[str]
) -> None:
    assert verify(rewritten(packed, tmp_path / "copy.zip", change), cells=0).faults == faults


@pytest.mark.parametrize("name", ["report.html", "dataset.nc", "figures/01-strategies.svg", "notes.txt"])
def test_what_is_not_made_again_is_not_called_verified(packed: Path, tmp_path: Path, name: str) -> None:
    """Whatever a page says: it is listed as not checked, with or without a change."""
    path = rewritten(packed, tmp_path / "copy.zip", lambda members: members.update({name: b"turned over"}))
    verified = verify(path)
    assert verified.word == "verified"
    assert set(verified.unchecked) >= {*FOR_READERS, name}
    assert verified.root != root_of(packed)


def test_cells_that_are_missing_are_counted(run: Run, tmp_path: Path) -> None:
    """A run that lacks a cell is packed and verified as what it is; its digest is another one."""
    before = run.digest()
    min((run.folder / "cells").iterdir()).unlink()
    run = Run.open(run.folder)
    found = verify(pack(run, tmp_path / "part.zip"), cells=0)
    assert (found.done, found.total, found.faults) == (3, 4, [])
    assert found.digest == run.digest() != before


@pytest.mark.parametrize("left", [3, 0])
def test_a_run_that_lacks_cells_is_undecided(run: Run, tmp_path: Path, left: int) -> None:
    """Though every cell that is there was computed again and agrees: those that lack may do neither."""
    for path in sorted((run.folder / "cells").iterdir())[left:]:
        path.unlink()
    judged = verify(pack(Run.open(run.folder), tmp_path / "part.zip"))
    assert (judged.word, judged.faults) == ("undecided", [])
    assert (len(judged.cells), judged.done, judged.total) == (left, left, 4)


def test_a_cell_that_was_removed_is_noticed(packed: Path, tmp_path: Path) -> None:
    def remove(members: Members) -> None:
        del members[min(name for name in members if name.startswith("cells/"))]

    found = verify(rewritten(packed, tmp_path / "copy.zip", remove), cells=0)
    assert (found.done, found.total) == (3, 4)
    assert found.digest != verify(packed, cells=0).digest


def test_a_cell_that_was_removed_from_the_list_is_noticed(run: Run, tmp_path: Path) -> None:
    run.cell_path(run.cells[-1].id).unlink()
    head = {**run.head, "cells": run.head["cells"][:-1]}
    head["axes"] = {**head["axes"], "replication": head["axes"]["replication"][:-1]}
    files.write_json(run.folder / "study.json", head)
    found = verify(pack(Run.open(run.folder), tmp_path / "copy.zip"), cells=0)
    assert found.faults == ["study.json: lists 3 cells; its study has 4"]
    assert (found.done, found.total) == (3, 4)


@pytest.mark.representative
def test_cells_of_another_study_are_refused(packed: Path, tmp_path: Path) -> None:
    def exchange(members: Members) -> None:
        (tmp_path / "study.json").write_bytes(members["study.json"])
        head = files.read_json(tmp_path / "study.json")
        head["cells"][0][0] = "0123456789abcdef"
        members["study.json"] = files.json_bytes(head)

    copy = rewritten(packed, tmp_path / "copy.zip", exchange)
    message = f"{copy}: 0123456789abcdef is not a cell of its study; run the study again"
    with pytest.raises(StoreError, match=re.escape(message)):
        verify(copy)


def changed_cell(run: Run, changes: dict[str, float], folder: str = "cells") -> str:
    """Multiply variables of the first cell, or of its newer certificate; return the cell."""
    id = run.cells[0].id
    path = run.folder / folder / f"{id}.npz"
    stored = files.unpack(path.read_bytes())
    new = {name: (stored.record[name][0], stored.record[name][1] * by) for name, by in changes.items()}
    more = {key: value for key, value in stored.meta.items() if key != "schema"}
    path.write_bytes(files.pack(stored.record | new, **more))
    return id


def test_results_with_all_that_follows_are_found_where_computed_again(run: Run, tmp_path: Path) -> None:
    before = run.digest()
    id = changed_cell(run, {"payoff": 1 + 1e-9})
    path = pack(Run.open(run.folder), tmp_path / "copy.zip")
    found = verify(path, cells=4)
    assert found.faults == [f"cell {id}: computed again, payoff differs by 1e-09 of its size"]
    assert found.digest != before
    found = verify(path, cells=0)
    assert (found.word, found.faults) == ("undecided", [])


@pytest.mark.parametrize("proof", [False, True])
def test_a_newer_certificate_that_was_changed_is_found(run: Run, tmp_path: Path, proof: bool) -> None:
    """A cell has the certificate that `rivalry certify` stored; it may be one with a proof."""
    before = run.digest()
    certify(run, proof=proof)
    assert run.digest() != before
    found = verify(pack(run, tmp_path / "true.zip"))
    assert (found.faults, found.digest) == ([], run.digest())
    id = changed_cell(run, {"regret": 0.0, "bound": 0.0}, "certificates")
    (run.folder / "SHA256SUMS").unlink()
    (fault,) = verify(pack(Run.open(run.folder), tmp_path / "copy.zip")).faults
    assert fault.startswith(f"cell {id}: certificate: regret was 0, is 0.128 ")


@pytest.mark.parametrize("name", ["log.txt", "packages.txt"])
def test_the_root_digest_is_of_every_file(packed: Path, tmp_path: Path, name: str) -> None:
    """Also of those that no certificate depends on."""

    def change(members: Members) -> None:
        members[name] += b"# more\n"

    path = rewritten(packed, tmp_path / "copy.zip", change)
    verified = verify(path)
    assert verified.word == "verified"
    assert verified.root == root_of(path) != root_of(packed)


def test_a_forged_status_is_contradicted(run: Run, tmp_path: Path) -> None:
    id = next(iter(run.tasks()))
    record = run.read_cell(id)
    record["status"] = ((), np.asarray("converged"))
    files.write(run.folder / "cells" / f"{id}.npz", files.pack(record, kind="cell", name=id))
    forged = verify(pack(Run.open(run.folder), tmp_path / "copy.zip"))
    assert (forged.word, forged.faults) == (
        "contradicted",
        [f"cell {id}: computed again, status has other words"],
    )


@pytest.mark.parametrize(
    ("kind", "concept"),
    [
        ({"kind": "regret_matching", "steps": 5}, "coarse correlated"),
        ({"kind": "regret_matching", "regrets": "conditional", "steps": 5}, "correlated"),
        ({"kind": "fictitious_play", "steps": 5}, "Nash"),
        ({"kind": "hedge", "steps": 5}, "coarse correlated"),
        ({"kind": "quantal_response", "max_lambda": 0.1}, "logit"),
        ({"kind": "pure_equilibria"}, "Nash"),
        ({"kind": "evaluate", "start": [[0.5, 0.5], [0.5, 0.5]]}, "Nash"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["kind"],
)
def test_cells_have_the_concept_of_their_method(tmp_path: Path, kind: dict[str, Any], concept: str) -> None:
    task, folder, record = one_cell(tmp_path, CHICKEN, kind)
    assert str(record["concept"][1]) == concept
    assert certificate_changes(record, recertify(task, folder, record), False) == ""
    for other in {"Nash", "logit", "correlated", "subgame-perfect, proved"} - {concept}:
        forgery = record | {"concept": ((), np.asarray(other))}
        change = certificate_changes(forgery, recertify(task, folder, forgery), False)
        assert change == f"concept was {other!r}, is {concept!r}"


@pytest.mark.default
def test_a_missing_file_is_invalid_input(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["verify", str(tmp_path / "missing.zip")]) == 2
    assert "missing.zip: no such file" in capsys.readouterr().err


# -- true files --- ------------------------------------------------------------------------------------------


def test_the_digest_is_that_of_any_number_of_workers_and_of_resumed_runs(made: Path, tmp_path: Path) -> None:
    study = load_study(made.with_name("small.toml"))
    known = Run.open(made).digest()
    assert run_study(study, tmp_path / "three", workers=3).digest() == known
    part = Run.create_or_open(tmp_path / "resumed", study)
    carry_out(part, only={part.cells[1].id, part.cells[2].id})
    assert part.digest() != known
    run = run_study(study, tmp_path / "resumed")
    assert run.digest() == known
    found = verify(pack(run, tmp_path / "run.zip"), cells=1)
    assert (found.faults, found.digest) == ([], known)
    unpacked(tmp_path / "run.zip", tmp_path)
    assert Run.open(tmp_path / "unpacked").digest() == known


def test_a_changed_study_and_its_quick_form_agree_with_their_text(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(STUDY + '\n[quick]\n"replications.count" = 2\n')
    study = load_study(tmp_path / "small.toml")
    changed = study.with_changes({"method.regret_matching.steps": 20, "sweep.game.name": ["chicken"]})
    for k, one in enumerate((study.quick_form(), changed, changed.quick_form())):
        run = run_study(one, tmp_path / f"run{k}")
        assert verify(pack(run, tmp_path / f"{k}.zip"), cells=1).faults == []
        head = {**run.head, "study": {**run.head["study"], "title": "Hen"}}
        files.write_json(run.folder / "study.json", head)
        path = pack(Run.open(run.folder), tmp_path / f"{k}.zip")
        assert "study.toml" not in read(path)  # the run is not of this text


def test_a_study_of_studies_is_verified(made: Path, tmp_path: Path) -> None:
    shutil.copy(made.with_name("small.toml"), tmp_path)
    (tmp_path / "other.toml").write_text(STUDY.replace("chicken", "prisoners_dilemma"))
    (tmp_path / "both.toml").write_text('title = "Both"\ninclude = ["small.toml", "other.toml"]\n')
    run = run_study(load_study(tmp_path / "both.toml"), tmp_path / "run")
    path = pack(run, tmp_path / "run.zip")
    found = verify(path, cells=1)
    assert (found.faults, found.done, found.digest) == ([], 8, run.digest())
    assert {"small/dataset.nc", "other/dataset.nc", "report.html"} <= set(read(path))
    swap = forged("both.toml" if "both.toml" in read(path) else "study.toml", b"other.toml", b"small.toml")
    found = verify(rewritten(path, tmp_path / "copy.zip", swap), cells=0)
    assert found.faults[0] == "study.toml: its include, included differs from study.json"


def test_a_figure_of_its_authors_file_is_packed(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def line(data, ax=None):\n    ax.plot([0, 1])\n    return ax\n")
    (tmp_path / "own.toml").write_text(
        'plots = ["mine.py:line"]\n[game]\nfamily = "matrix"\nname = "chicken"\n'
        '[[method]]\nkind = "pure_equilibria"\n'
    )
    run = run_study(load_study(tmp_path / "own.toml"), tmp_path / "run")
    draw_own(run)
    found = verify(pack(run, tmp_path / "run.zip"), cells=1)
    assert found.faults == []
    assert "figures/01-line.svg" in read(tmp_path / "run.zip")


def test_files_beside_the_run_are_not_packed(run: Run, tmp_path: Path) -> None:
    (run.folder / "notes.txt").write_text("mine")
    (run.folder / "cells" / "0123456789abcdef.npz").write_bytes(b"of a former study")
    (run.folder / "damaged").mkdir(exist_ok=True)
    (run.folder / "damaged" / "old.npz").write_bytes(b"x")
    path = pack(Run.open(run.folder), tmp_path / "run.zip")
    assert not {"notes.txt", "cells/0123456789abcdef.npz", "damaged/old.npz"} & set(read(path))
    assert verify(path, cells=0).faults == []


def test_cells_that_were_computed_together_are_again(tmp_path: Path) -> None:
    study = Study(
        name="costs",
        game={"family": "market", "unit_cost": [10.0, 10.0]},
        method=[{"kind": "best_response"}],
        sweep={"game.unit_cost[0]": [5.0, 8.0, 11.0, 14.0, 17.0, 20.0]},
        cells_per_batch=4,
    )
    found = verify(pack(run_study(study, tmp_path / "run"), tmp_path / "run.zip"), cells=6)
    assert (found.faults, len(found.cells)) == ([], 6)


def test_code_in_it_runs_only_where_it_is_trusted(tmp_path: Path) -> None:
    (tmp_path / "peak.py").write_text(GAME)
    (tmp_path / "own.toml").write_text(
        '[game]\nfamily = "peak.py:peak"\n[[method]]\nkind = "evaluate"\nstart = [0.5, 0.5]\n'
    )
    run = run_study(load_study(tmp_path / "own.toml"), tmp_path / "run")
    path = pack(run, tmp_path / "run.zip")
    assert read(path)["code/peak.py"].decode() == GAME
    with pytest.raises(StoreError, match=r"its cells run peak\.py, any code; read it, then --trust runs it"):
        verify(path)
    (tmp_path / "peak.py").unlink()
    found = verify(path, trusted=True)
    assert (found.faults, len(found.cells)) == ([], 1)
    copy = rewritten(path, tmp_path / "copy.zip", forged("code/peak.py", b"0.5", b"0.6"))
    with pytest.raises(ValueError, match=r"peak\.py: has changed since the study was read"):
        verify(copy, trusted=True)
    copy = rewritten(path, tmp_path / "copy.zip", lambda members: members.pop("code/peak.py"))
    with pytest.raises(DamagedFile, match=r"code/peak\.py is named by its study, and not in it"):
        verify(copy, trusted=True)
    # no file of the reader is read, whatever the study names
    family = b'family = "peak.py:peak"'
    more = forged("study.toml", family, family + b'\ncurve = { kind = "file", path = "/dev/zero" }')
    found = verify(rewritten(path, tmp_path / "copy.zip", more), trusted=True)
    assert found.faults[0] == "study.toml: its game differs from study.json"
    head = {**run.head, "study": {**run.head["study"], "files": {"/dev/zero": ""}}}
    files.write_json(tmp_path / "study.json", head)
    other = (tmp_path / "study.json").read_bytes()
    copy = rewritten(path, tmp_path / "copy.zip", lambda members: members.update({"study.json": other}))
    with pytest.raises(DamagedFile, match="/dev/zero is named by its study, and not in it"):
        verify(copy, trusted=True)


def test_versions_are_named_and_judged_by_a_tolerance(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = packing.provenance

    def here(also: Any = ()) -> dict[str, str]:
        return there(also) | {"numpy": "9.9"}

    monkeypatch.setattr(packing, "provenance", here)
    found = verify(packed, cells=1)
    assert found.faults == []
    assert found.versions == [f"numpy 9.9, {np.__version__} there"]


def test_a_damaged_run_is_not_packed(tmp_path: Path) -> None:
    method = {"kind": "evaluate", "start": [[0.5, 0.5], [0.5, 0.5]]}
    run = run_study(Study(name="one", game=CHICKEN, method=[method]), tmp_path / "r")
    (cell,) = (run.folder / "cells").iterdir()
    cell.write_bytes(cell.read_bytes()[:-1])
    with pytest.raises(DamagedFile, match="ends after"):
        pack(Run.open(run.folder), tmp_path / "r.zip")

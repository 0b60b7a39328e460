"""Capsules: what was packed is verified, and what was changed is named, by whoever changed it."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rivalry.core import files
from rivalry.core.files import DamagedFile, StoreError
from rivalry.lab import capsule
from rivalry.lab.capsule import MANIFEST, pack, read, verify
from rivalry.lab.executor import run_study
from rivalry.lab.report.page import build
from rivalry.lab.store import Run
from rivalry.lab.study import Study, load_study

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


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("capsule")
    game = {"family": "matrix", "name": "chicken"}
    learner = [{"kind": "regret_matching", "steps": 50}]
    run = run_study(Study(name="small", game=game, method=learner, replications={"count": 4}), folder / "run")
    build(run.folder)
    return pack(run, folder / "run.zip", licence="CC-BY-4.0")


def rewritten(path: Path, out: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """Return a capsule with other contents and valid digests, as somebody who knows the format makes it."""
    members = read(path)
    change(members)
    del members[MANIFEST]
    members[MANIFEST] = "".join(
        f"{sha256(data).hexdigest()}  {name}\n" for name, data in members.items()
    ).encode()
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.comment = bytes(64)
    data = body.getvalue()[:-64]
    out.write_bytes(data + sha256(data).hexdigest().encode())
    return out


def test_what_was_packed_is_verified_to_the_bit(packed: Path) -> None:
    found = verify(packed, cells=2)
    assert (found.faults, found.others, found.certificates, len(found.cells)) == ([], [], 4, 2)
    names = set(read(packed))
    assert {"study.json", "dataset.nc", "report.html", "page.html", "packages.txt", MANIFEST} <= names
    assert found.files == len(names)
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None


@pytest.mark.slow
def test_cells_that_were_computed_together_are_again(tmp_path: Path) -> None:
    study = Study(
        name="costs",
        game={"family": "market", "unit_cost": [10.0, 10.0]},
        method=[{"kind": "best_response"}],
        sweep={"game.unit_cost[0]": [5.0, 8.0, 11.0, 14.0, 17.0, 20.0]},
        cells_per_batch=4,
    )
    found = verify(pack(run_study(study, tmp_path / "run"), tmp_path / "run.zip"), cells=6)
    assert found.faults == []
    assert len(found.cells) == 6


def test_no_flipped_bit_passes(packed: Path, tmp_path: Path) -> None:
    data, draws = packed.read_bytes(), np.random.default_rng(0)
    ends = [*range(60), *range(len(data) - 120, len(data))]
    places = np.unique([*ends[::9], *draws.integers(len(data), size=100)])
    copy = tmp_path / "copy.zip"
    named = 0
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(draws.integers(8))
        copy.write_bytes(flipped)
        with pytest.raises(DamagedFile) as caught:
            read(copy)
        named += "is not what was packed" in str(caught.value)
    assert named > 0.8 * len(places)  # nearly all bytes are those of a file
    copy.write_bytes(data[:-1])
    with pytest.raises(DamagedFile):
        read(copy)


def test_files_that_are_gone_or_new_are_named(packed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.zip"
    with zipfile.ZipFile(packed) as archive, zipfile.ZipFile(copy, "w") as other:
        for name in archive.namelist():
            if name != "dataset.nc":
                other.writestr(name, archive.read(name))
    with pytest.raises(DamagedFile, match=r"dataset\.nc is not what was packed"):
        read(copy)
    shutil.copy(packed, copy)
    with zipfile.ZipFile(copy, "a") as archive:
        archive.writestr("extra.txt", b"more")
    with pytest.raises(DamagedFile, match=r"extra\.txt is not what was packed"):
        read(copy)


def test_a_file_that_was_exchanged_is_named(packed: Path, tmp_path: Path) -> None:
    """With sums of the zip file, and its last bytes, that are those of the new content."""
    body, copy = io.BytesIO(), tmp_path / "copy.zip"
    with zipfile.ZipFile(packed) as archive, zipfile.ZipFile(body, "w") as other:
        for name in archive.namelist():
            other.writestr(name, b"other" if name == "report.html" else archive.read(name))
        other.comment = bytes(64)
    data = body.getvalue()[:-64]
    copy.write_bytes(data + sha256(data).hexdigest().encode())
    with pytest.raises(DamagedFile, match=r"report\.html is not what was packed\)$"):
        read(copy)


def test_a_certificate_that_claims_less_gain_is_found(packed: Path, tmp_path: Path) -> None:
    def improve(members: dict[str, bytes]) -> None:
        name = min(name for name in members if name.startswith("cells/"))
        stored = files.unpack(members[name])
        better = {key: stored.record[key] for key in ("regret", "bound")}
        better = {key: (dims, np.zeros_like(array)) for key, (dims, array) in better.items()}
        members[name] = files.pack(stored.record | better, kind="cell", name=Path(name).stem)

    found = verify(rewritten(packed, tmp_path / "copy.zip", improve), cells=1)
    assert any("certificate: " in line and "regret was 0" in line for line in found.faults)


@pytest.mark.parametrize(("name", "factor"), [("steps", 2), ("payoff", 1 + 1e-9)])
def test_a_result_that_was_changed_is_found_where_it_is_computed_again(
    packed: Path, tmp_path: Path, name: str, factor: float
) -> None:
    """On the same processor with the same versions in the last digit, too."""

    def improve(members: dict[str, bytes]) -> None:
        for cell in [cell for cell in members if cell.startswith("cells/")]:
            stored = files.unpack(members[cell])
            dims, values = stored.record[name]
            changed = stored.record | {name: (dims, values * factor)}
            members[cell] = files.pack(changed, kind="cell", name=Path(cell).stem)

    found = verify(rewritten(packed, tmp_path / "copy.zip", improve), cells=4)
    assert len(found.faults) == 4
    assert all(f"computed again, {name} differs by" in line for line in found.faults)


@pytest.mark.parametrize("name", ["../out.txt", "/out.txt", "a/../../out.txt", "c:out.txt"])
def test_no_file_is_written_outside(packed: Path, tmp_path: Path, name: str) -> None:
    copy = rewritten(packed, tmp_path / "copy.zip", lambda members: members.update({name: b"x"}))
    with pytest.raises(DamagedFile, match="is no name of a file in it"):
        verify(copy)


def test_what_is_no_capsule_gives_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "any.zip"
    with pytest.raises(DamagedFile, match="missing"):
        verify(path)
    path.write_bytes(b"any")
    with pytest.raises(DamagedFile, match="no zip file"):
        verify(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("any.txt", b"any")
    with pytest.raises(DamagedFile, match=r"any\.txt is not what was packed"):
        verify(path)
    monkeypatch.setattr(capsule, "LARGEST", 200)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(1000))
    with pytest.raises(DamagedFile, match="more than 200 bytes"):
        verify(path)


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
    assert (found.faults, found.certificates, len(found.cells)) == ([], 1, 1)


def test_another_version_is_named_and_judged_by_a_tolerance(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = capsule.provenance

    def here(also: Any = ()) -> dict[str, str]:
        return there(also) | {"numpy": "9.9"}

    monkeypatch.setattr(capsule, "provenance", here)
    found = verify(packed, cells=1)
    assert found.faults == []
    assert found.others == [f"numpy 9.9, {np.__version__} there"]


def test_a_damaged_run_is_not_packed(tmp_path: Path) -> None:
    game = {"family": "matrix", "name": "chicken"}
    start = [[0.5, 0.5], [0.5, 0.5]]
    run = run_study(
        Study(name="one", game=game, method=[{"kind": "evaluate", "start": start}]), tmp_path / "r"
    )
    (cell,) = (run.folder / "cells").iterdir()
    cell.write_bytes(cell.read_bytes()[:-1])
    with pytest.raises(DamagedFile, match="ends after"):
        pack(Run.open(run.folder), tmp_path / "r.zip")


def test_it_is_a_workflow_run_crate(packed: Path) -> None:
    rocrate = pytest.importorskip("rocrate.rocrate")
    crate = rocrate.ROCrate(packed)
    assert crate.mainEntity.type == ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
    assert crate.root_dataset["license"].id == "https://spdx.org/licenses/CC-BY-4.0"
    action = crate.get("#run")
    assert action["instrument"].id == crate.mainEntity.id
    assert {part.id for part in action["result"]} >= {"dataset.nc", "report.html", "cells/"}

"""Newer versions read older runs: ``run-1`` was written by version 0.1.0, schema 1, and is stored unchanged.

Three of its four cells are done and the last was never begun. Do not regenerate the run: if one of these
tests fails, stored runs of users can no longer be read.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rivalry.lab.executor import carry_out, certify
from rivalry.lab.export import export
from rivalry.lab.report.judge import expectations
from rivalry.lab.report.page import build
from rivalry.lab.store import Run, StoreError, load_run
from rivalry.lab.worker import run_cell

pytestmark = pytest.mark.filterwarnings("ignore:.*written by an older version")

OLD = Path(__file__).parent / "run-1"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    shutil.copytree(OLD, tmp_path / "run")
    return load_run(tmp_path / "run")


def test_the_stored_run_is_small() -> None:
    assert sum(path.stat().st_size for path in OLD.rglob("*") if path.is_file()) < 100_000


def test_an_old_run_opens(run: Run) -> None:
    assert run.counts() == {"total": 4, "done": 3, "failed": 0, "left": 1}
    assert run.title == "Two players, one line"
    assert run.made_by["rivalry"] == "0.1.0"
    assert run.study.methods == ("gradient_ascent", "newton")


def test_cells_of_an_old_run_keep_their_names(run: Run) -> None:
    """A cell's name is a digest of its task; if it changed, every cell of an old run would be recomputed."""
    assert list(run.tasks()) == [place.id for place in run.cells]


def test_an_old_run_is_collected_reported_and_exported(run: Run, tmp_path: Path) -> None:
    data = run.dataset()
    assert data.sizes["reach"] == data.sizes["algorithm"] == 2
    newton = {"algorithm": "newton", "replication": 0}
    middle = data.profile.sel(newton | {"reach": 0.25}).values.ravel()
    np.testing.assert_allclose(middle, 0.5, atol=1e-9)  # the resource is symmetric
    assert str(data.claim.sel(newton | {"reach": 0.25}).item()) == "equilibrium"
    assert str(data.status.sel(newton | {"reach": 0.2}).item()) == ""  # not done
    assert set(data.status.values.ravel()) == {"converged", ""}  # stored as "settled"
    assert data.sel(algorithm="newton").sizes["reach"] == 2
    assert "method" not in data.dims
    (row,) = run.head["study"]["expect"]
    assert row["at"] == {"reach": 0.25, "algorithm": "newton", "player": 0}
    page = build(run.folder).read_text(encoding="utf-8")
    assert "Two players, one line" in page
    assert "0.1.0" in page
    assert [path.name for path in export(run, "netcdf", tmp_path / "out").files] == ["two.nc"]
    assert {"cells.csv", "player.csv"} <= {path.name for path in export(run, "csv", tmp_path / "out").files}


def test_an_old_tolerance_applies_to_its_reference_value(run: Run) -> None:
    path = run.folder / "study.json"
    head = json.loads(path.read_text(encoding="utf-8"))
    (row,) = head["study"]["expect"]
    rows = [
        row,
        row | {"expected": 0.5, "published": 0.85, "over": "max"},
        {key: row[key] for key in ("quantity", "at")} | {"published": "x", "within": [0.0, 1.0]},
    ]
    path.write_text(json.dumps(head | {"study": head["study"] | {"expect": rows}}), encoding="utf-8")
    old = load_run(run.folder)
    first, both, text = expectations(old.head["study"], old.dataset())
    assert (first["published_verdict"], first["published_tolerance"]) == ("agrees", 1e-6)
    assert (both["published_verdict"], both["published_tolerance"]) == ("differs", pytest.approx(0.005))
    assert (both["expected_verdict"], both["tolerance"], both["reduce"]) == ("agrees", 1e-6, "max")
    assert (text["published_verdict"], text["expected_verdict"]) == ("not compared", "agrees")
    assert len(old.study.expect) == 3


@pytest.mark.slow
def test_an_old_run_is_certified_again(run: Run) -> None:
    stored = {place.id: run.read_cell(place.id) for place in run.cells[:3]}
    assert certify(run) == 3
    data = run.dataset()
    for place in run.cells[:3]:
        assert str(data.claim.sel(place.at).item()) == str(stored[place.id]["claim"][1])
        for name, (_, array) in run.read_cell(place.id).items():  # the stored cells are unchanged
            np.testing.assert_array_equal(array, stored[place.id][name][1])


@pytest.mark.slow
def test_accept_version_resumes_a_run_of_another_version(run: Run) -> None:
    head = json.loads((run.folder / "study.json").read_text(encoding="utf-8"))
    head["made_by"]["rivalry"] = "0.0.1"
    (run.folder / "study.json").write_text(json.dumps(head), encoding="utf-8")
    old = load_run(run.folder)
    kept = {place.id: old.cell_path(place.id).read_bytes() for place in old.cells[:3]}
    with pytest.raises(StoreError, match=r"made by rivalry 0\.0\.1; resume with --accept-version"):
        carry_out(old, workers=1)
    assert carry_out(old, workers=1, accept_version=True) == "done"
    assert {id: old.cell_path(id).read_bytes() for id in kept} == kept  # only the missing cell is computed
    again = load_run(run.folder)
    assert [made["rivalry"] for made in again.head["history"]] == ["0.0.1"]
    assert again.made_by["rivalry"] != "0.0.1"
    last = again.cells[-1].id
    fresh = run_cell(again.tasks()[last], again.folder)
    for name, (_, array) in again.read_cell(last).items():
        np.testing.assert_array_equal(array, fresh[name][1])


def test_a_run_of_a_newer_schema_is_refused_in_one_line(run: Run) -> None:
    head = json.loads((run.folder / "study.json").read_text(encoding="utf-8"))
    (run.folder / "study.json").write_text(json.dumps(head | {"schema": 99}), encoding="utf-8")
    with pytest.raises(StoreError, match=r"study\.json: schema 99, above this rivalry's \d+"):
        load_run(run.folder)

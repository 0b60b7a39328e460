"""Stored full runs of bundled studies: what is stored, what is refused, and where it is shown."""

import json
import re
import shutil
import tomllib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import rivalry as rv
from benchmarks import full_runs as writer
from benchmarks.full_runs import SCHEMA, main, store
from rivalry.cli.show import describe
from rivalry.cli.summary import full_runs as summarised
from rivalry.core.files import StoreError
from rivalry.core.results import CLAIMS
from rivalry.lab.report import full_runs
from rivalry.lab.report.full_runs import FOLDER, OUTDATED, SELECTS, full_run, full_run_of
from rivalry.lab.report.page import build
from rivalry.lab.store import Run, load_run
from rivalry.lab.study import load_study, studies

pytestmark = pytest.mark.mostly_slow

NAME = "matrix_classics"  # its full form takes a second


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return rv.run_study(load_study(NAME), folder)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(full_runs, "FOLDER", tmp_path / "full")
    return tmp_path / "full"


def copy(run: Run, folder: Path) -> Run:
    shutil.copytree(run.folder, folder)
    return load_run(folder)


def test_a_file_holds_the_numbers_of_the_run_and_how_they_came_about(whole: Run, folder: Path) -> None:
    assert store(whole) == folder / f"{NAME}.json"
    found = full_run(NAME)
    assert (found.schema, found.study, found.seed, found.cells) == (SCHEMA, NAME, 0, 16)
    assert found.date == datetime.now(UTC).date().isoformat()
    assert found.made_by["rivalry"] == version("rivalry")
    assert 0 < found.seconds < 100
    assert found._replace(seconds=0.09).cost == "16 cells, 0.09 s of processor time"
    assert found._replace(seconds=9.97).cost == "16 cells, 10 s of processor time"
    assert found._replace(seconds=2496.04, answer=None).cost == "16 cells, 2,496 s in all"
    # the textbook's numbers, which the study's file states
    expected = {full_runs.selection(row): row["expected"] for row in load_study(NAME).expect}
    assert {full_runs.selection(row): row["ours"] for row in found.values} == pytest.approx(expected)
    assert {row["certificate"] for row in found.values} <= {None, *CLAIMS}


def test_a_file_holds_the_answer_of_the_run(whole: Run) -> None:
    store(whole)
    found = full_run(NAME)
    assert found.answer is not None
    answer, table = whole.answer, whole.answer.table
    assert found.answer.question == load_study(NAME).resolved()["question"] != ""
    assert found.answer.verdict == answer.as_json()["verdict"]
    assert (found.answer.columns, found.answer.rows) == (table.columns, table.texts)
    assert len(bytes.fromhex(found.answer.cells)) == 32
    assert not any("published" in line for line in found.answer.caveats)  # verdicts are not stored


def test_the_digest_of_the_cells_is_that_of_equal_results(whole: Run, tmp_path: Path) -> None:
    assert copy(whole, tmp_path / "same").cells_digest == whole.cells_digest
    other = copy(whole, tmp_path / "other")
    other.cell_path(other.cells[0].id).unlink()
    assert other.cells_digest != whole.cells_digest


def test_the_data_of_the_first_figure_are_stored(whole: Run) -> None:
    store(whole)
    found = full_run(NAME)
    assert found.answer.caption.startswith("Mixed strategies as bars")
    marks = [mark for panel in found.answer.figure for mark in panel["marks"]]
    bars = [mark for mark in marks if mark["kind"] == "bars"]
    heights = [height for bar in bars for height in bar["y"]]
    assert heights
    assert all(0 <= height <= 1 for height in heights)  # probabilities


def test_data_of_a_large_figure_are_left_out(whole: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ENTRIES", 3)
    store(whole)
    found = full_run(NAME)
    assert found.answer.figure == []
    assert found.answer.below()[-1].endswith("(without its data)")


def test_an_answer_to_another_question_is_called_earlier(whole: Run) -> None:
    store(whole)
    found, study = full_run(NAME), load_study(NAME).resolved()
    assert not any("earlier definition" in line for line in found.answer.lead(study))
    for key, value in (
        ("question", "Another?"),
        ("plots", ["strategies"]),
        ("replications", {"count": 2, "seed": 0}),
    ):
        first, *_ = found.answer.lead(study | {key: value})
        assert first == "The answer is of an earlier definition of the study."


def test_show_lists_the_values_of_the_full_run(whole: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # lines are broken at the width of the terminal
    assert "full run" not in describe(NAME)[1][0]
    store(whole)
    words = describe(NAME)[1][0]
    assert f"# The full run of {datetime.now(UTC).date()} (rivalry " in words
    assert "2 published values: 2 agree; 10 independent checks: 10 agree\n" in words
    assert "# How many equilibria do textbook games have, and which are they?\n" in words
    assert "sentences" not in describe(NAME)[0]["full_run"]["answer"]
    line = next(line for line in words.splitlines() if "(battle of the sexes, mixed equilibria)" in line)
    assert line.split()[-4:] == ["3", "3", "agrees", "equilibrium"]
    assert tomllib.loads(words) == {"based_on": NAME} | tomllib.loads(studies()[NAME].read_text("utf-8"))


@pytest.mark.slow
def test_a_study_of_studies_is_shown_with_the_full_runs_of_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_runs, "FOLDER", FOLDER)
    data, (text,) = describe("karma_summary")
    assert list(data["full_runs"]) == list(load_study("karma_summary").include)
    for name, full in data["full_runs"].items():
        assert full["study"] == name
        first = " ".join(full["answer"]["question"].split()[:4])
        assert first in text


def test_a_copy_of_a_study_is_not_shown_with_the_full_run(whole: Run, tmp_path: Path) -> None:
    store(whole)
    mine = tmp_path / f"{NAME}.toml"
    mine.write_text(studies()[NAME].read_text(encoding="utf-8") + "\n# mine\n", encoding="utf-8")
    assert "full run" not in describe(str(mine))[1][0]
    made = Run.create_or_open(tmp_path / "run", load_study(mine).quick_form())
    assert made.name == NAME
    assert full_run_of(made) is None


def test_other_runs_of_the_study_report_the_full_run(whole: Run, tmp_path: Path) -> None:
    quick = Run.create_or_open(tmp_path / "quick", load_study(NAME).quick_form())
    assert summarised([quick]) == []
    store(whole)
    (line,) = summarised([quick])
    assert line.startswith("full run of ")
    assert line.endswith(f"10 independent checks: 10 agree; `rivalry show {NAME}` lists it")
    page = build(quick).read_text(encoding="utf-8")
    assert f"<summary>The full run of {datetime.now(UTC).date()} " in page
    assert page.count("✓ agrees") == 12
    # of itself a full run reports only its own values
    assert summarised([whole]) == []
    assert "The full run of" not in build(whole, out=tmp_path / "own").read_text(encoding="utf-8")


def test_only_complete_full_runs_of_bundled_studies_are_stored(
    whole: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = load_study(NAME)
    changed = study.with_changes({"replications.count": 2})
    partial = copy(whole, tmp_path / "partial")
    partial.cell_path(partial.cells[3].id).unlink()
    damaged = copy(whole, tmp_path / "damaged")
    damaged.cell_path(damaged.cells[3].id).write_bytes(b"PK")
    mixed = copy(whole, tmp_path / "mixed")
    mixed.head["history"] = [mixed.made_by]
    refused = {
        f"is the quick form; store `rivalry run {NAME}`": Run.create_or_open(
            tmp_path / "quick", study.quick_form()
        ),
        "is not of the study as written: replications.count = 2 in this run, 1 in the study": (
            Run.create_or_open(tmp_path / "changed", changed)
        ),
        "is not complete: 15 of 16 cells": partial,
        "is not complete: 16 of 16 cells": damaged,
        "is of several versions of the package": mixed,
        "is of a study of studies; store the full runs of its parts": Run.create_or_open(
            tmp_path / "tour", load_study("tour")
        ),
    }
    for words, run in refused.items():
        with pytest.raises(StoreError) as error:
            store(run)
        assert words in str(error.value)
    monkeypatch.setattr(whole, "name", "mine")
    with pytest.raises(StoreError, match="mine is no bundled study; only these have stored full runs"):
        store(whole)
    assert not folder.exists()


def test_values_of_a_study_that_has_changed_are_called_outdated(whole: Run) -> None:
    store(whole)
    found = full_run(NAME)
    assert found is not None
    study: dict[str, Any] = load_study(NAME).resolved()
    for table, key, value in (("certificate", "tolerance", 0.5), ("replications", "seed", 1)):
        other = study | {table: study[table] | {key: value}}
        assert found.tally(other) == OUTDATED
        assert {one.row["expected_verdict"] for one in found.judged(other)} == {"not compared"}
        assert {one.row["ours"] for one in found.judged(other)} == {None}
        assert {one.row["reason"] for one in found.judged(other)} == {OUTDATED}


def test_references_are_those_of_the_study_as_it_is_now(whole: Run) -> None:
    store(whole)
    found = full_run(NAME)
    assert found is not None
    study: dict[str, Any] = load_study(NAME).resolved()
    first, second = ({**row} for row in study["expect"][:2])
    first |= {"expected": 2}  # of one equilibrium
    second["at"] = second["at"] | {"player": 1}
    judged = found.judged(study | {"title": "Another", "expect": [first, second]})
    assert [one.row["expected_verdict"] for one in judged] == ["differs", "not compared"]
    assert judged[1].row["reason"] == "it was not computed in the full run"


def test_the_command_stores_a_run_and_refuses_in_one_line(
    whole: Run, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(whole.folder)]) == ""
    assert capsys.readouterr().out == f"{folder / NAME}.json\n"
    assert main([str(tmp_path)]).endswith(": not a run folder (no study.json in it)")
    assert main([]).startswith("python -m benchmarks.full_runs RUN: ")


def test_an_older_file_is_read_without_its_sentences() -> None:
    older = json.loads((FOLDER / "calvano2020.json").read_text("utf-8"))
    older["answer"] = {**older["answer"], "sentences": ["Yes: more."]}
    del older["answer"]["verdict"]
    found = full_runs.parse(json.dumps(older)).answer
    assert found is not None
    assert found.verdict is None


STORED = sorted(Path(str(FOLDER)).glob("*"))


@pytest.mark.default_only("lovett_fig6", "calvano2020")
@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_stored_files_have_the_form_that_is_written(path: Path) -> None:
    assert path.suffix == ".json"
    assert path.stem in studies()
    text = path.read_text(encoding="utf-8")
    assert len(text) < 100_000
    found = full_runs.parse(text)
    assert (found.schema, found.study) == (SCHEMA, path.stem)
    assert date.fromisoformat(found.date) <= datetime.now(UTC).date()
    assert len(bytes.fromhex(found.tables)) == 32
    assert found.cells > 0
    assert found.seconds >= 0  # to a tenth of a second
    assert {"python", "platform", "machine", "rivalry", "numpy", "jax"} <= set(found.made_by)
    for row in found.values:
        assert set(row) <= {*SELECTS, "ours", "certificate", "reason"}
        assert row["certificate"] in (None, *CLAIMS)
        assert (row["ours"] is None) <= bool(row["reason"])
    study = load_study(path.stem).resolved()
    assert found.tally(study)
    if found.answer is not None:
        assert {len(row) for row in found.answer.rows} <= {len(found.answer.columns)}
        assert len(bytes.fromhex(found.answer.cells)) == 32
        if found.answer.verdict:
            assert found.answer.verdict.keys() == {"truth", "test", "cases"}
            assert found.answer.verdict["truth"] in ("yes", "no", "cannot tell")
            assert bool(study["answer"].get("test"))
        current = found.answer.belongs_to(study)
        assert found.answer.lead(study)[0] == (
            found.answer.question if current else "The answer is of an earlier definition of the study."
        )


def numbers_in(texts: Iterable[object]) -> list[str]:
    """Return the numbers in texts, without signs of thousands and minus signs."""
    return re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?", " ".join(map(str, texts)).replace(",", " "))


def test_every_number_of_a_finding_is_in_the_stored_table_or_in_an_expectation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A stored number may be rounded to the digits of the sentence."""
    monkeypatch.setattr(full_runs, "FOLDER", FOLDER)
    failed = []
    for name in studies():
        study, stored = load_study(name), full_run(name)
        finding = str(study.answer.get("finding", ""))
        if stored is not None and stored.answer is not None:
            table = stored.answer
            known = numbers_in([*table.columns, *chain.from_iterable(table.rows), *table.notes])
        else:
            keys = ("at", "expected", "published", "within")
            known = numbers_in([row.get(key) for row in study.expect for key in keys])
        for number in numbers_in([finding]):
            digits = len(number.partition(".")[2])
            near = [value for value in known if abs(float(value) - float(number)) <= 0.5001 * 10.0**-digits]
            failed += [f"{name}: {number} in {finding!r}"] * (not near)
    assert failed == []

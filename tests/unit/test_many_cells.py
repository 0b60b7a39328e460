"""Runs of many cells: how often files are read and values compared, methods without draws, equal failures."""

from __future__ import annotations

import ast
import inspect
import json
import os
import shutil
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rivalry.cli import output
from rivalry.core import files
from rivalry.core.method import BaseLearner, BaseMethod
from rivalry.lab import answer
from rivalry.lab.executor import RunEvent, carry_out, pool, run_study
from rivalry.lab.report.page import build
from rivalry.lab.store import Run, load_run
from rivalry.lab.store import run as run_module
from rivalry.lab.study import Study, StudyError, names
from rivalry.lab.study.points import values
from rivalry.lab.worker import Job
from rivalry.methods import METHODS
from rivalry.schema.registry import load
from tests import duel_study
from tests.cli.conftest import Command, rivalry
from tests.many_cells import stored, study
from tests.unit.test_house import in_files

__all__ = ["rivalry"]

CELLS = 30


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run with a report."""
    made = stored(tmp_path_factory.mktemp("made") / "run", many())
    carry_out(made, workers=1)
    build(made)
    return made.folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, all of whose files are older than the test."""
    copy = shutil.copytree(finished, tmp_path / "run")
    hour_ago = time.time() - 3600
    for path in copy.rglob("*"):
        os.utime(path, (hour_ago, hour_ago))
    return copy


def many() -> Study:
    """The study of the run, wherever the test is carried out."""
    return study(CELLS, folder=Path("/"))


class Counts:
    """How often files were opened, and the digests of cells computed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened, self.hashed = Counter[str](), Counter[str]()
        open_file, digest, unpack = os.open, files.sha256, files.unpack
        current: list[str] = []

        def counted_open(path: Any, *args: Any, **kwargs: Any) -> int:
            self.opened[os.fspath(path)] += 1
            return open_file(path, *args, **kwargs)

        def counted_unpack(data: bytes, path: Path = Path("bytes")) -> files.Stored:
            current.append(str(path))
            return unpack(data, path)

        def counted_digest(data: bytes) -> Any:
            if current:
                self.hashed[current.pop()] += 1
            return digest(data)

        monkeypatch.setattr(os, "open", counted_open)
        monkeypatch.setattr(files, "sync_tree", lambda *_: None)  # it opens files, and reads none
        monkeypatch.setattr(files, "unpack", counted_unpack)
        monkeypatch.setattr(files, "sha256", counted_digest)

    def of_cells(self, folder: Path) -> tuple[Counter[int], Counter[int]]:
        """Return how many cells were opened and hashed how often."""
        cells = [str(path) for path in (folder / "cells").iterdir()]
        return Counter(self.opened[one] for one in cells), Counter(self.hashed[one] for one in cells)


COMMANDS: dict[str, Callable[[Command, Path], object]] = {
    "run again": lambda rivalry, run: run_study(many(), run),
    "resume": lambda rivalry, run: rivalry("resume", str(run), "--workers", "1"),
    "report": lambda rivalry, run: rivalry("report", str(run)),
    "report elsewhere": lambda rivalry, run: rivalry("report", str(run), "--out", "page"),
    "export": lambda rivalry, run: rivalry("export", str(run), "--to", "csv"),
    "status": lambda rivalry, run: rivalry("status", str(run)),
    "open": lambda rivalry, run: load_run(run).dataset(),
}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_each_cell_is_read_and_hashed_once_per_command(
    folder: Path, command: str, rivalry: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = Counts(monkeypatch)
    COMMANDS[command](rivalry, folder)
    assert counts.of_cells(folder) == ({1: CELLS}, {1: CELLS})
    assert counts.opened[str(folder / "study.json")] <= 1


@pytest.mark.slow
def test_reading_a_run_again_reads_changed_cells_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = load_run(folder)
    before = run.dataset()
    before["payoff"].values[:] = np.nan  # the caller's own copy
    counts = Counts(monkeypatch)
    assert np.isfinite(run.dataset()["payoff"].values).all()
    assert counts.of_cells(folder)[0] == {0: CELLS}
    path = run.cell_path(run.cells[3].id)
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    assert [error.path for error in run.damaged()] == [path]
    with pytest.warns(UserWarning, match="damaged"):
        assert np.isnan(run.dataset()["payoff"].values).any(axis=(1, 2, 3)).sum() == 1


@pytest.mark.slow
def test_a_finished_study_is_not_checked_cell_by_cell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rivalry.lab.study import check

    checked: list[Any] = []
    monkeypatch.setattr(check.Checker, "cell", lambda self, place, task: checked.append(place))
    run_study(many(), folder)
    assert checked == []
    load_run(folder).cell_path(load_run(folder).cells[7].id).unlink()
    run_study(many(), folder)
    assert len(checked) == 1


@pytest.mark.slow
def test_finished_runs_build_no_game(folder: Path, rivalry: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from rivalry.lab.study import check

    built: list[Any] = []
    make = check.build_game
    monkeypatch.setattr(check, "build_game", lambda table, folder: built.append(table) or make(table, folder))
    assert rivalry("resume", str(folder), "--workers", "1").status == 0
    run_study(many(), folder)
    assert built == []
    everything = {cell.id for cell in many().cells()}
    replace(many(), plots=("paths",)).check(done=everything)  # plots may be new: they are checked in a game
    assert len(built) == 1


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def certify_again(run: Run) -> None:
    id = run.cells[0].id
    run.write_certificate(id, run.read_cell(id))


CHANGES: dict[str, Callable[[Run], object]] = {
    "nothing": lambda run: None,
    "a cell is gone": lambda run: run.cell_path(run.cells[0].id).unlink(),
    "a cell is damaged": lambda run: damage(run.cell_path(run.cells[0].id)),
    "a certificate is new": certify_again,
    "a warning is new": lambda run: note(run, "done", "a warning"),
    "the dataset is damaged": lambda run: damage(run.folder / "dataset.nc"),
    "the report is gone": lambda run: (run.folder / "report.html").unlink(),
    "a figure is gone": lambda run: next((run.folder / "figures").iterdir()).unlink(),
    "the text is edited": lambda run: (run.folder / "study.toml").write_text("name = 'other'\n"),
    "the digests are gone": lambda run: (run.folder / "SHA256SUMS").unlink(),
}


def note(run: Run, state: str, message: str) -> None:
    with run.locking():
        run.note(run.cells[0].id, state, 0.0, message)


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.filterwarnings("ignore:.*damaged")
def test_outputs_are_made_again_exactly_after_changes(folder: Path, change: str, rivalry: Command) -> None:
    CHANGES[change](load_run(folder))
    outputs = [folder / "dataset.nc", folder / "report.html", *sorted((folder / "figures").iterdir())]
    before = [path.stat().st_mtime_ns if path.exists() else 0 for path in outputs]
    first = rivalry("resume", str(folder), "--workers", "1", "--json")
    assert first.status == 0
    after = [path.stat().st_mtime_ns for path in outputs]
    assert ("drawing" in first.err) == (change != "nothing")
    assert (after[1:] == before[1:]) == (change == "nothing")
    assert rivalry("resume", str(folder), "--workers", "1", "--json").value == first.value
    assert [path.stat().st_mtime_ns for path in outputs] == after  # nothing has changed since
    assert load_run(folder).damaged() == []


@pytest.mark.slow
def test_another_version_makes_outputs_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_run(folder).is_reported()
    monkeypatch.setattr(run_module, "version", lambda name: "99.0")
    assert not load_run(folder).is_reported()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["resume", "report"])
def test_results_are_judged_once_per_command(
    folder: Path, command: str, rivalry: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Counter[str]()

    def count(name: str, function: Callable[..., Any], *args: Any) -> Any:
        calls[name] += 1
        return function(*args)

    names = ("points_of", "cells", "judge")
    for name in names:
        monkeypatch.setattr(answer, name, partial(count, name, vars(answer)[name]))
    assert rivalry(command, str(folder)).status == 0
    assert calls == dict.fromkeys(names, 1)


class Compared(float):
    """A number that counts how often it is compared."""

    count = 0

    def __eq__(self, other: object) -> bool:
        Compared.count += 1
        return float(self) == other

    __hash__ = float.__hash__


@pytest.mark.parametrize("count", [100, 1000])
def test_swept_values_are_compared_a_few_times_each(count: int) -> None:
    Compared.count = 0
    assert len(values([Compared(k) for k in range(count)], ("game", "prize"))) == count
    assert Compared.count <= 4 * count


def test_the_dimension_of_a_zip_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    span = {"from": 0.5, "to": 1.5, "count": 50}
    made = study(50, sweep={"zip": True, "game.payoffs[0][0][0]": span, "game.payoffs[1][0][0]": span})
    written: list[Any] = []
    dumps = json.dumps
    monkeypatch.setattr(json, "dumps", lambda value, **more: written.append(value) or dumps(value, **more))
    assert len(made.cells()) == 50
    assert len(written) <= 50


@pytest.mark.parametrize("twice", [[1, 2, 1.0], [[1, 2], [1.0, 2]], ["a", "a"], [True, 1]])
def test_equal_values_are_found(twice: list[Any]) -> None:
    with pytest.raises(StudyError, match="is there twice"):
        values(twice, ("game", "prize"))
    assert values(twice, ("game", "prize"), repeats=True) == twice


# -- methods without draws ----------------------------------------------------------------------------------


def read_names(function: Callable[..., Any]) -> set[str]:
    """The names that the body of a function reads."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


WITHOUT_DRAWS = [
    kind for kind, entry in METHODS.items() if entry.draws in ("nothing", "start") and not entry.draws_with
]


@pytest.mark.parametrize("kind", WITHOUT_DRAWS)
def test_methods_without_draws_read_no_random_numbers(kind: str) -> None:
    remedy = f"change `draws` of {kind} in src/rivalry/methods/__init__.py"
    for target in METHODS[kind].targets:
        method = load(target)
        if issubclass(method, BaseLearner):
            assert "stream" not in read_names(method.begin), f"{in_files(target)} draws in begin: {remedy}"
            continue
        for name in ("init", "step", "finish"):
            function = getattr(method, name)
            by_order = kind == "best_response" and name == "step"  # with ``order = "random"``
            if function is not getattr(BaseMethod, name, None) and not by_order:
                assert "key" not in read_names(function), f"{in_files(target)} draws in {name}: {remedy}"


def test_a_method_without_draws_has_one_replication() -> None:
    drawn = {"kind": "regret_matching", "name": "learn"}
    fixed = [
        {"kind": "evaluate", "name": "here", "start": [[1.0, 0.0], [1.0, 0.0]]},
        {"kind": "pure_equilibria", "name": "all"},
    ]
    sampled = {"kind": "evaluate", "name": "somewhere"}
    found = study(2, method=[drawn, *fixed, sampled], replications={"count": 10}).cells()
    counted = Counter(cell.method for cell in found)
    assert counted == {"learn": 20, "here": 2, "all": 2, "somewhere": 20}
    alone = study(2, method=[drawn, *fixed, sampled]).cells()
    assert {cell.id for cell in alone} <= {cell.id for cell in found}
    assert not names.draws({"kind": "best_response", "start": [0.1]})
    assert not names.draws({"kind": "fermi"})
    assert names.draws({"kind": "fermi", "mutation": 0.1})
    assert names.draws({"kind": "best_response", "start": [0.1], "order": "random"})


@pytest.mark.slow
def test_the_report_and_the_terminal_say_what_was_computed_once(tmp_path: Path, rivalry: Command) -> None:
    run = stored(tmp_path / "run", study(2, replications={"count": 10}))
    assert (len(run.cells), run.computed_once) == (2, ["evaluate"])
    assert "It draws nothing, so it is computed once, not in 10 replications." in build(run).read_text()
    text = rivalry("report", str(run.folder)).out
    assert "computed once, not in 10 replications, for lack of draws: evaluate" in text
    assert stored(tmp_path / "other", study(2)).computed_once == []


# -- failures -----------------------------------------------------------------------------------------------


def test_a_failure_names_the_last_line_of_the_users_file(tmp_path: Path) -> None:
    made = duel_study.study(tmp_path, game={"family": "duel.py:duel", "trouble": "raise"})
    cell = next(cell for cell in made.cells() if cell.point["prize"] > 1)
    (tmp_path / "run").mkdir()
    job = Job(cell.id, cell.task, str(tmp_path), str(tmp_path / "run"))
    message = pool.work(job, lambda outcome: None).message
    assert message.endswith('(duel.py, line 28: raise RuntimeError("the duel was called off"))')
    assert "\n" not in message


@pytest.mark.slow
def test_equal_failures_are_told_once(
    tmp_path: Path, rivalry: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run.create_or_open(tmp_path / "run", study(CELLS))
    with run.locking():
        for k, place in enumerate(run.cells):
            why = f"ValueError: {k} is too much" if k % 3 else "KeyError: no such thing"
            run.note(place.id, "failed", message=why)
    page = build(run).read_text()
    assert page.count("is too much (20 cells, with other numbers)") == 1
    assert page.count("KeyError: no such thing (10 cells)") == 1
    assert rivalry("status", str(run.folder)).out.count("failed: ") == 2
    capsys.readouterr()
    with output.progress("run") as receive:
        for k, place in enumerate(run.cells):
            receive(RunEvent("failed", place.id, k, CELLS, f"ValueError: {k} is too much"))
    first = run.cells[0].id
    assert capsys.readouterr().err.splitlines() == [
        f"cell {first} failed: ValueError: 0 is too much",
        f"29 more cells failed like cell {first}",
    ]

"""The command line: help, version, imported libraries, exit statuses, progress and error messages."""

import os
import signal
import subprocess
import sys
import time
import tomllib
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import rivalry as rv
from rivalry.cli import interrupt, output, values, work
from rivalry.cli.show import describe
from rivalry.core.files import DiskFull
from rivalry.core.needs import fits
from rivalry.games import GAMES
from rivalry.lab.checkpoints import CheckpointFile
from rivalry.lab.executor import RunEvent
from rivalry.lab.store import Run
from rivalry.lab.study import load_study, studies
from rivalry.lab.study.names import measured_seconds
from rivalry.methods import METHODS
from rivalry.plots import PLOTS
from rivalry.schema.installation import remedy
from rivalry.schema.registry import load
from tests.cli.conftest import Command
from tests.selection import slow_except
from tests.unit.stored_run import stored, study

HEAVY = ("jax", "numpy", "scipy", "xarray", "pandas", "matplotlib", "numba", "quantecon", "equinox", "rich")
COMMANDS = (
    *("list", "show", "new", "run", "resume", "status", "report", "export", "freeze", "certify", "open"),
    *("pack", "verify", "work", "merge", "slurm", "cite", "warm", "doctor", "completion"),
)
CHICKEN = '[game]\nfamily = "matrix"\nname = "chicken"\n[[method]]\nkind = "pure_equilibria"\n'


def python(code: str, *arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, **more
    )  # type: ignore[call-overload]


@pytest.mark.slow
@pytest.mark.parametrize("line", [["--help"], ["run", "--help"], ["--version"]])
def test_help_imports_no_heavy_library(line: list[str]) -> None:
    code = (
        "import sys\nfrom rivalry.cli import main\nstatus = main(sys.argv[1:])\n"
        f"print([m for m in {HEAVY} if m in sys.modules], status)"
    )
    done = python(code, *line)
    assert done.stdout.splitlines()[-1] == "[] 0", done.stderr
    assert done.stderr == ""


def test_help_names_every_command_and_cuts_no_text(rivalry: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    answer = rivalry("--help")
    assert answer.status == 0
    assert all(f"  {name} " in answer.out for name in COMMANDS)
    assert "..." not in answer.out.partition("Commands:")[2]
    assert rivalry().out == answer.out


def test_signal_handler_is_restored_after_a_command(rivalry: Command) -> None:
    before = signal.getsignal(signal.SIGINT)
    rivalry("list", "games")
    assert signal.getsignal(signal.SIGINT) is before
    assert not interrupt.was_pressed()


def list_by(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let `rivalry list` fail."""
    from rivalry.cli import show

    def fail(kind: str, **_: object) -> None:
        raise error

    monkeypatch.setattr(show, "rows", fail)


def test_an_internal_error_is_raised_to_who_asks_for_it(
    rivalry: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_by(monkeypatch, TypeError("ours\nto mend"))
    assert "TypeError: ours to mend" in rivalry("list", "games").err
    monkeypatch.setenv("RIVALRY_DEBUG", "1")
    with pytest.raises(TypeError, match="ours"):
        rivalry("list", "games")


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (MemoryError(), 1, "not enough memory: take fewer or smaller cells"),
        (MemoryError("Unable to allocate 8 TiB"), 1, "not enough memory: Unable to allocate 8 TiB"),
        (PermissionError(13, "Permission denied", "runs/x"), 2, "runs/x: Permission denied"),
        (OSError(28, "No space left on device"), 1, "output cannot be written: No space left on device"),
        (values.OptionError("--set x: must be KEY=VALUE"), 2, "--set x: must be KEY=VALUE"),
        (DiskFull("runs/x: no space left for it"), 1, "runs/x: no space left for it"),
        (ValueError("regret: below 0"), 1, "internal error, please report (RIVALRY_DEBUG=1 tells all)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_errors_give_one_line_and_their_exit_status(
    rivalry: Command, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, says: str
) -> None:
    list_by(monkeypatch, error)
    monkeypatch.setattr(output, "discard", lambda stream: None)  # else stdout of the tests would be lost
    answer = rivalry("list", "games")
    assert (answer.status, answer.out) == (status, "")
    assert answer.err.startswith(f"rivalry: {says}")
    assert answer.err.count("\n") == 1


def test_doctor_reports_the_state_of_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from rivalry.cli import show

    monkeypatch.setenv("RIVALRY_NO_CACHE", "1")
    assert show._cache()["remedy"] == "unset RIVALRY_NO_CACHE"
    monkeypatch.delenv("RIVALRY_NO_CACHE")
    folder = tmp_path / "programs"
    options = {"jax_compilation_cache_dir": str(folder)}
    monkeypatch.setattr("rivalry.runtime.jax.jax", SimpleNamespace(config=SimpleNamespace(values=options)))
    assert show._cache() == {"name": "cache", "version": str(folder), "state": "ok", "remedy": None}
    monkeypatch.setattr(show.os, "access", lambda path, mode: False)
    assert show._cache()["remedy"] == f"chmod u+w {folder}"
    options["jax_compilation_cache_dir"] = "/dev/null/programs"
    assert show._cache()["state"].startswith("missing: ")


def test_a_warning_is_printed_as_one_line(rivalry: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from rivalry.cli import show

    def wary(kind: str, **_: object) -> list[object]:
        warnings.warn("mind\nthe step", stacklevel=1)
        return []

    monkeypatch.setattr(show, "rows", wary)
    shows = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert rivalry("list", "games").err == "rivalry: mind the step\n"
    assert warnings.showwarning is shows


SLOW = """
import time
import equinox as eqx
from rivalry import Box, oracles
class Slow(eqx.Module):
    level: float
    space: Box
    def payoffs(self, x):
        return -((x[:, 0] - self.level) ** 2)
@oracles.metrics.register(Slow)
def metrics(game, x):
    time.sleep(1000.0 if float(game.level) > 0.15 else 0.0)
    return {}
def slow(level: float = 0.1):
    return Slow(level, Box.interval(0.0, 1.0, players=2))
"""
SLOW_STUDY = """
[game]
family = "slow.py:slow"
[[method]]
kind = "gradient_ascent"
rate = 0.1
[sweep]
"game.level" = [0.1, 0.12, 0.2, 0.3]
"""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX (signals)")
@pytest.mark.slow
def test_ctrl_c_keeps_finished_cells_and_exits_with_status_130(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "slow.toml").write_text(SLOW_STUDY)
    line = [sys.executable, "-m", "rivalry", "run", "slow.toml", "--workers", "1"]
    cells = tmp_path / "runs" / "slow" / "cells"
    end = time.monotonic() + 300  # a machine with other work takes long to import
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, cwd=tmp_path, **pipes) as run:
        try:
            while len(list(cells.glob("*.npz"))) < 2 and run.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            run.send_signal(signal.SIGINT)
            out, err = run.communicate(timeout=300)  # its third cell takes longer
        finally:
            run.kill()
    assert run.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert "interrupted" in err.splitlines()[-1]
    assert len(list(cells.glob("*.npz"))) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux (a mutex of the C library)")
def test_ctrl_c_ends_a_blocking_call_in_compiled_code() -> None:
    # the main thread deadlocks on its own mutex, so no Python code runs, as in a long compilation
    code = (
        "import os, signal, threading, ctypes\n"
        "from rivalry.cli import interrupt\n"
        "with interrupt.watch():\n"
        "    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "    lock, libc = ctypes.create_string_buffer(64), ctypes.CDLL(None)\n"
        "    libc.pthread_mutex_lock(lock)\n"
        "    libc.pthread_mutex_lock(lock)\n"
    )
    done = python(code, timeout=30)
    assert done.returncode == 130
    assert "interrupted" in done.stderr


PACES: dict[str, tuple[list[tuple[float, RunEvent]], list[str]]] = {
    "the remaining time is estimated from warm cells": (
        [
            (0.0, RunEvent("started", "a", 0, 8)),
            (60.0, RunEvent("progress", "a", 0, 8, fraction=0.5)),  # nearly all of it compiling
            (120.0, RunEvent("done", "a", 1, 8)),
            (120.0, RunEvent("started", "b", 1, 8)),
            (125.0, RunEvent("progress", "b", 1, 8, fraction=0.5)),
            (130.0, RunEvent("done", "b", 2, 8)),
            (130.0, RunEvent("started", "c", 2, 8)),
            (133.0, RunEvent("failed", "c", 2, 8, "ValueError: no")),  # its time is not that of a cell
            (133.0, RunEvent("started", "d", 3, 8)),
            (153.0, RunEvent("done", "d", 4, 8)),
        ],
        [
            "runs/x: 0 of 8 cells, 6 % in all",
            "runs/x: 1 of 8 cells",
            "runs/x: 1 of 8 cells, 19 % in all",
            "runs/x: 2 of 8 cells, about 1 min left",  # 6 cells of 10 s
            "cell c failed: ValueError: no",
            "runs/x: 3 of 8 cells, about 50 s left",  # 5 cells of 10 s
            "runs/x: 4 of 8 cells, about 1 min left",  # 4 cells of 15 s
        ],
    ),
    "each worker begins with a cell that tells nothing of the pace": (
        [
            (0.0, RunEvent("started", "a", 0, 10)),
            (0.0, RunEvent("started", "b", 0, 10)),
            (100.0, RunEvent("done", "a", 1, 10)),
            (100.0, RunEvent("started", "c", 1, 10)),
            (103.0, RunEvent("done", "b", 2, 10)),  # the second cell, but of a cold worker
            (103.0, RunEvent("started", "d", 2, 10)),
            (110.0, RunEvent("done", "c", 3, 10)),
        ],
        [
            "runs/x: 1 of 10 cells",
            "runs/x: 2 of 10 cells",
            "runs/x: 3 of 10 cells, about 35 s left",  # 7 cells of 10 s on two workers
        ],
    ),
    "progress names the part, and no time below the wait": (
        [
            (0.0, RunEvent("started", "first/a", 0, 5)),
            (50.0, RunEvent("done", "first/a", 1, 5)),
            (50.0, RunEvent("started", "first/b", 1, 5)),
            (60.0, RunEvent("done", "first/b", 2, 5)),
            (60.0, RunEvent("started", "second/a", 2, 5)),
            (85.0, RunEvent("progress", "second/a", 2, 5, fraction=0.2)),
            (95.0, RunEvent("progress", "second/a", 2, 5, fraction=0.3)),
        ],
        [
            "runs/x: first, 1 of 5 cells",
            "runs/x: first, 2 of 5 cells, about 30 s left",
            "runs/x: second, 2 of 5 cells, 44 % in all, about 28 s left",
            "runs/x: second, 2 of 5 cells, 46 % in all",
        ],
    ),
}


@pytest.mark.parametrize("case", PACES)
def test_progress_is_told_at_its_pace(
    case: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    events, lines = PACES[case]
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with output.progress("runs/x") as tell:
        for now, event in events:
            clock[0] = now
            assert tell(event) is False
    assert capsys.readouterr().err.splitlines() == lines


def test_the_status_counts_cells_that_have_begun(rivalry: Command, tmp_path: Path) -> None:
    run = Run.create_or_open(tmp_path / "run", study(sweep={"game.reach": [0.17, 0.2]}))
    assert "begun" not in rivalry("status", str(run.folder)).out
    CheckpointFile(run.folder / "checkpoints" / f"{run.cells[0].id}.npz").save({"x": np.zeros(1)})
    assert "1 begun: `rivalry resume` goes on from its checkpoint" in rivalry("status", str(run.folder)).out
    assert rivalry("status", str(run.folder), "--json").value["checkpoints"] == 1


@pytest.mark.slow
def test_a_form_in_the_folder_of_a_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = study(sweep={"game.reach": [0.17, 0.2]})
    folder = stored(tmp_path / made.name, made).folder
    work._note_other_form(folder, made)
    work._note_other_form(tmp_path / "none", made)
    assert capsys.readouterr().err == ""
    cells = set(folder.rglob("*.npz"))
    other = made.with_changes({"sweep.game.reach": [0.3, 0.4]})
    work._note_other_form(folder, other)
    assert capsys.readouterr().err.startswith(f"{folder} holds another form of {made.name} (")
    Run.create_or_open(folder, other)
    assert set(folder.rglob("*.npz")) == cells


@pytest.mark.parametrize("words", ["drawing", ""])
def test_a_long_wait_is_reported(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "EVERY", 0.02)
    with output.alive(lambda: words):
        time.sleep(0.2)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"{words} (0 s)"] * len(lines)
    assert bool(lines) == bool(words)
    assert len(lines) < 6  # ever more rarely


def test_a_long_check_is_counted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "EVERY", 0.02)
    with output.checking("mine") as receive:
        receive(3, 11)
        time.sleep(0.1)
    assert "checking the study mine: 3 of 11 cells (0 s)\n" in capsys.readouterr().err


def test_option_values_are_parsed() -> None:
    given = ["a.b=1e-3", "a.c=.5", "a.d=gaussian", "a.e=[1, 2]", "a.f=true", 'a.g="two words"', "a.h=my.py:x"]
    expected = [1e-3, 0.5, "gaussian", [1, 2], True, "two words", "my.py:x"]
    assert values.settings(given) == {
        ("a", letter): entry for letter, entry in zip("bcdefgh", expected, strict=True)
    }
    assert values.sweeps(["a.b=1:10:4:log", "a.c=1,2", "a.d=[[1, 2], [3, 4]]", "a.e=0.5"]) == {
        ("sweep", "a", "b"): {"from": 1, "to": 10, "count": 4, "scale": "log"},
        ("sweep", "a", "c"): [1, 2],
        ("sweep", "a", "d"): [[1, 2], [3, 4]],
        ("sweep", "a", "e"): [0.5],
    }


@pytest.mark.slow
def test_a_damaged_cell_is_named_and_recomputed(rivalry: Command) -> None:
    Path("chicken.toml").write_text(CHICKEN)
    first = rivalry("run", "chicken.toml", "--json", "--workers", "1").value
    (cell,) = Path("runs/chicken/cells").glob("*.npz")
    cell.write_bytes(cell.read_bytes()[:-100])
    answer = rivalry("export", "runs/chicken", "--to", "csv")
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert cell.name in answer.err
    assert rivalry("status", "runs/chicken", "--json").value["cells"]["left"] == 1
    assert rivalry("resume", "runs/chicken", "--json").value == first
    cell.write_bytes(cell.read_bytes()[:-100])
    again = rivalry("resume", "runs/chicken", "--json")
    assert cell.name in again.err
    assert again.value == first


def test_progress_in_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with output.progress("runs/[x]") as tell:
        tell(RunEvent("done", "a", 1, 10))
        tell(RunEvent("worker_died", "b", 1, 10, "worker ended by SIGKILL"))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "cell b: worker ended by SIGKILL; begun again" in printed.err


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux (a folder that is not writable)")
def test_an_output_folder_that_cannot_be_created_gives_one_line(rivalry: Command) -> None:
    Path("chicken.toml").write_text(CHICKEN)
    assert "/proc/self" in rivalry("run", "chicken.toml", "--out", "/proc/self/run").refusal


@pytest.mark.parametrize("name", slow_except(sorted(studies()), ("matrix_classics", "race_readme", "tour")))
def test_show_prints_a_bundled_study_as_toml(name: str) -> None:
    _, (words,) = describe(name)
    original = tomllib.loads(studies()[name].read_text(encoding="utf-8"))
    head = {} if "include" in original else {"based_on": name}  # copies of others are no copies of studies
    assert tomllib.loads(words) == head | original
    assert words.startswith(f"# Study {name}: ")


def test_what_show_prints_can_be_run_as_a_study(rivalry: Command) -> None:
    Path("again.toml").write_text(rivalry("show", "matrix_classics").out, encoding="utf-8")
    again, bundled = load_study("again.toml").resolved(), load_study("matrix_classics").resolved()
    assert again | {"name": "", "based_on": ""} == bundled | {"name": ""}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["games", "methods", "studies", "plots"])
def test_lists_of_one_family(rivalry: Command, kind: str) -> None:
    every, found = (rivalry("list", kind, *own, "--json").value for own in ((), ("race",)))
    assert 0 < len(found) < len(every)
    assert all(row in every for row in found)
    if kind == "plots":
        own = {row["name"] for row in every if row["family"] == "race"}
        assert {row["name"] for row in found} == own | {"scenario", "learning_curve", "schedule", "paths"}
    elif kind != "methods":
        assert found == [row for row in every if row["family"] == "race"]
    else:
        game = rv.games.race()
        assert [row["name"] for row in found] == [
            row["name"]
            for row in every
            if any(fits(load(target), game) for target in METHODS[row["name"]].targets)
        ]
    refused = rivalry("list", kind, "rac").refusal
    assert refused == f"rivalry: list {kind} rac: is no family of games; did you mean 'race'?\n"


@pytest.mark.slow
def test_studies_are_found_by_a_word_of_their_title_or_question(rivalry: Command) -> None:
    found = {row["name"] for row in rivalry("list", "studies", "subsidies", "--json").value}
    assert {"race_regulator", "race_subsidise_strong"} <= found
    for name in found:
        one = load_study(name)
        assert "subsid" in f"{name} {one.title} {one.question}".lower()
    assert rivalry("list", "studies", "markets").status == 2  # the name of a family, misspelt
    words = f"studies giraffe: is no family of games; known: {', '.join(sorted(GAMES))}"
    assert words in rivalry("list", "studies", "giraffe").refusal


@pytest.mark.slow
def test_a_list_of_no_kind_names_studies_to_begin_with(rivalry: Command) -> None:
    words = rivalry("list").out
    for family, entry in GAMES.items():
        place = f"src/rivalry/games.py (or register.py of its package), {family}"
        assert len(entry.begin) <= 3, f"{place}: list at most 3 of its studies as begin"
        for name in entry.begin:
            study = load_study(name)
            seconds = measured_seconds().get(name, {}).get("quick", 60.0)
            quick = study.family == family and (study.cost == "seconds" or seconds < 60.0)
            assert quick, f"{place}, begin: replace {name}, of {study.family}, which takes {study.cost}"
            assert f" {name} " in words
    assert words.splitlines()[-4].split() == ["rivalry", "list", "games", "[FAMILY]", "all", str(len(GAMES))]


@pytest.mark.slow
def test_show_of_a_plot_says_what_it_draws_and_how_a_study_names_it(rivalry: Command) -> None:
    found = rivalry("show", "scenario", "--json").value
    assert found["title"] == "metrics against one parameter, by player or by the values of another"
    assert "Holds the metrics, scalar or ``[... player]``, over a swept parameter" in found["doc"]
    assert not any(word in found["doc"] for word in ("Returns", "Examples", "\nax\n"))
    assert found["example"].endswith("  # as in the study race_stakes")
    views = rivalry("show", "reaction").out
    assert "plot data, which cells store where a study names the plot: reaction\n" in views
    assert rivalry("show", "plots.precipice").out.endswith('\nplots = ["precipice"]\n')


@pytest.mark.slow
@pytest.mark.parametrize("kind", slow_except(sorted(PLOTS), ("precipice", "logit_branch")))
def test_every_plot_can_be_shown(kind: str) -> None:  # two share their names with a family and a study
    found, _ = describe(f"plots.{kind}")
    (row,) = tomllib.loads(found["example"])["plots"]
    assert kind == (row if isinstance(row, str) else row["kind"])
    assert "data\n    " in found["doc"]


OWN = """
raise RuntimeError("must not be run")

class Mine:
    "Move at once."

    rate: Annotated[float, "per step"] = 0.1

    def step(self):
        return 1

def draw(data, ax=None, *, color: str = "red"):
    return ax
"""


@pytest.mark.slow
def test_show_of_a_class_in_a_file_does_not_run_the_file(rivalry: Command) -> None:
    Path("mine.py").write_text(OWN)
    found = rivalry("show", "mine.py:Mine", "--json").value
    assert found["doc"] == "Move at once."
    assert found["source"].startswith("class Mine:")
    assert found["source"].endswith("return 1")
    heading, *source = rivalry("show", "mine.py:draw").out.splitlines()
    assert heading == "mine.py:draw:"
    assert source == ['def draw(data, ax=None, *, color: str = "red"):', "    return ax"]
    hint = "rivalry: mine.py: defines no 'Mein'; did you mean 'Mine'?\n"
    assert rivalry("show", "mine.py:Mein").refusal == hint
    assert rivalry("show", "no.py:A").refusal == "rivalry: no.py: no such file\n"


def test_plots_of_two_families_are_listed_for_each(rivalry: Command) -> None:
    names = [
        [row["name"] for row in rivalry("list", "plots", own, "--json").value] for own in ("city", "karma")
    ]
    assert names[0] == names[1]
    assert "street_map" in names[0]


def test_a_family_without_recipes_lists_its_default_figures(rivalry: Command) -> None:
    _, *lines = rivalry("list", "plots", "matrix").out.splitlines()
    first = [line.split()[0] for line in lines if not line.startswith(" ")]  # others go on with a title
    assert first == ["learning_curve", "paths", "scenario", "strategies"]


def test_an_empty_list_prints_one_line_on_stderr(rivalry: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rivalry.lab.study.summary", lambda name, path: {"name": name, "family": None})
    found = rivalry("list", "studies", "matrix")
    assert (found.out, found.status) == ("", 0)
    assert found.err == "no studies of the family matrix; `rivalry list studies` lists all\n"


@pytest.mark.parametrize("option", ["--set", "--sweep"])
def test_a_key_without_its_table_is_told_how_keys_are_written(rivalry: Command, option: str) -> None:
    refusal = rivalry("run", "lovett_fig6", option, "reach=0.2").refusal
    assert refusal.startswith("rivalry: lovett_fig6: ")
    assert "reach" in refusal
    assert "game.reach" in refusal


@pytest.mark.slow
def test_costs_are_seconds_minutes_or_hours(rivalry: Command) -> None:
    costs = {row["cost"] for row in rivalry("list", "studies", "--json").value}
    assert costs == {"seconds", "minutes", "hours"}


@pytest.mark.slow
def test_a_narrow_terminal_shows_keys_whole(rivalry: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    table = rivalry("show", "race").out
    assert table.splitlines()[2].split() == ["key", "symbol", "takes", "default", "bounds", "meaning"]
    monkeypatch.setenv("COLUMNS", "80")
    lines = rivalry("show", "race").out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert any(line.startswith("safety_productivity; symbol A; takes number or list") for line in lines)
    monkeypatch.setenv("COLUMNS", "140")
    assert rivalry("show", "best_response").out.splitlines()[2].split()[0] == "key"


def test_the_doctor_lists_packages_of_extras_once(rivalry: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from rivalry.cli import show

    lines = [
        "a>=1",
        *(f"b>=1; extra == '{extra}'" for extra in ("test", "deep", "envs")),
        "c; extra == 'dev'",
    ]
    monkeypatch.setattr(show, "requires", lambda name: lines)
    monkeypatch.setattr(show, "_version", lambda name: None)
    rows = {row["name"]: row for row in show.installation()}
    assert rows["a"]["remedy"] == "pip install a"
    assert (rows["b"]["state"], rows["b"]["remedy"]) == ("not installed (extra deep, envs)", remedy("deep"))
    assert "c" not in rows


@pytest.mark.slow
def test_show_of_a_run_prints_its_answer(rivalry: Command) -> None:
    rivalry("run", "matrix_classics", "--out", "runs/one")
    folder = rivalry("show", "runs/one").out
    question = "".join(load_study("matrix_classics").resolved()["question"].split())
    assert question in "".join(folder.split())
    assert rivalry("show", "runs/one/").out == folder
    assert rivalry("show", "runs/one", "--json").value["table"]["rows"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plain", "plain: not a run folder (no study.json in it)"),
        ("runs/none", "runs/none: no such run folder or study file"),
        ("none.zip", "none.zip: no such file"),
        (
            "one.zip",
            "one.zip: is a packed run; check it by `rivalry verify one.zip`, or unpack it and show its",
        ),
    ],
)
def test_show_refuses_what_is_no_run_in_one_line(rivalry: Command, name: str, words: str) -> None:
    Path("plain").mkdir()
    Path("one.zip").touch()
    assert rivalry("show", name).refusal.startswith(f"rivalry: {words}")

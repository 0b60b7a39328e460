"""The check: shares of tests, tests near a change, sections that fail, stamps and interruptions."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.near import distances, edges
from tests.rotation import VARIABLES, lacking, nearest, share_of

pytestmark = pytest.mark.mostly_slow

ROOT = Path(__file__).parents[2]
MARKS = ("", "@pytest.mark.slow", "@pytest.mark.nightly")
SHARES = 8


# -- selection -----------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree of three files with 60 tests, which write their names to ran.txt."""
    (tmp_path / "conftest.py").write_text(
        "from tests.rotation import Rotation\n"
        "def pytest_configure(config): config.pluginmanager.register(Rotation())\n"
    )
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nmarkers =\n  slow\n  nightly\n  representative\n  diagonal\n  default_only\n"
        "  mostly_slow\n  default\n"
    )
    for number in range(3):
        lines = ["import os, pytest", "ran = lambda name: open('ran.txt', 'a').write(name + chr(10))"]
        for k in range(20):
            lines += [f"{MARKS[k % 3]}\ndef test_{number}_{k}():\n    ran('{number}_{k}')"]
        lines += ["    assert os.environ.get('WELL', '1') == '1'"]  # the last test of every file
        (tmp_path / f"test_{number}.py").write_text("\n".join(lines) + "\n")
    return tmp_path


def ran(tree: Path, *words: str, **variables: object) -> list[str]:
    """Names of the tests that a run of pytest executes."""
    hidden = ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", *VARIABLES)
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = kept | {"PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment |= {name: str(value) for name, value in variables.items()}
    (tree / "ran.txt").write_text("")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return (tree / "ran.txt").read_text().split()


def test_eight_shares_hold_every_test_and_each_slow_one_once(tree: Path) -> None:
    times = Counter[str]()
    for share in range(SHARES):
        times.update(ran(tree, RIVALRY_SHARE=f"{share}/{SHARES}"))
    assert len(times) == 60
    assert {times[f"{file}_{k}"] for file in range(3) for k in range(20) if k % 3 == 0} == {SHARES}
    assert {times[f"{file}_{k}"] for file in range(3) for k in range(20) if k % 3} == {1}


@pytest.mark.default
def test_shares_are_of_about_equal_size() -> None:
    sizes = Counter(share_of(f"tests/test_a.py::test_b[{k}]", SHARES) for k in range(4000))
    assert len(sizes) == SHARES
    assert max(sizes.values()) < 600  # six standard deviations above 500 are 625


def test_a_test_that_has_passed_is_not_run_again(tree: Path) -> None:
    records = {"RIVALRY_PASSED": tree / "passed.txt", "RIVALRY_TALLY": tree / "tally"}
    assert len(ran(tree, WELL=0, **records)) == 60
    assert ran(tree, WELL=1, **records) == ["0_19", "1_19", "2_19"]
    assert ran(tree, WELL=1, **records) == []
    counts = json.loads((tree / "tally" / "selected.json").read_text())
    assert counts["passed before"] == {"default": 21, "slow": 21, "nightly": 18}


SPIN = """
import time, pytest
def spin():
    end = time.process_time() + 0.4
    while time.process_time() < end: pass
def test_that_costs(): spin()
@pytest.mark.slow
def test_that_is_marked(): spin()
@pytest.mark.representative
def test_of_an_engine(): spin()
def test_that_is_cheap(): pass
"""


def test_a_default_test_above_the_budget_is_named(tree: Path) -> None:
    (tree / "test_costs.py").write_text(SPIN)
    records = {"RIVALRY_TALLY": tree / "tally", "RIVALRY_DURATIONS": tree / "times.json"}
    ran(tree, "test_costs.py", "test_0.py", RIVALRY_BUDGET=0.2, **records)
    above = json.loads((tree / "tally" / "outcomes.json").read_text())["above budget"]
    assert set(above) == {"test_costs.py::test_that_costs"}
    times = json.loads((tree / "times.json").read_text())
    assert above["test_costs.py::test_that_costs"] == pytest.approx(
        times["test_costs.py::test_that_costs"], abs=1e-3
    )
    assert times["test_costs.py::test_that_is_marked"] >= 0.4
    assert times["test_costs.py::test_that_is_cheap"] < 0.2


PRODUCTS = """
import pytest
ran = lambda name: open('ran.txt', 'a').write(name + chr(10))
@pytest.mark.diagonal
@pytest.mark.parametrize("a", "xyz")
@pytest.mark.parametrize("b", [1, 2])
def test_of_a_product(a, b): ran(f"{a}{b}")
@pytest.mark.default_only("v", "w")
@pytest.mark.parametrize("a", "uvw")
def test_of_a_list(a): ran(a)
"""


def test_tests_of_a_mostly_slow_file_are_slow_unless_marked(tree: Path) -> None:
    text = PRODUCTS.replace("ran =", "pytestmark = pytest.mark.mostly_slow\nran =")
    for name in ("default", "representative", "slow", "nightly", "usefixtures"):
        text += f"@pytest.mark.{name}\ndef test_{name}(): ran('{name}')\n"
    (tree / "test_products.py").write_text(text)
    usual = ran(tree, "test_products.py", "-m", "not slow and not nightly")
    assert sorted(usual) == ["default", "representative", "v", "w", "x1", "y2", "z1"]
    assert {"slow", "usefixtures"} < {*ran(tree, "test_products.py", "-m", "slow and not nightly")}


def test_products_leave_each_value_once_among_the_default_tests(tree: Path) -> None:
    (tree / "test_products.py").write_text(PRODUCTS)
    assert sorted(ran(tree, "test_products.py", "-m", "not slow")) == ["v", "w", "x1", "y2", "z1"]
    assert len(ran(tree, "test_products.py")) == 9
    (tree / "test_products.py").write_text(PRODUCTS.replace('"v", "w"', '"v", "q"'))
    with pytest.raises(AssertionError, match=r"test_of_a_list: no parameters \['q'\]"):
        ran(tree, "test_products.py")


def test_a_file_of_slow_tests_is_not_imported_for_the_default_ones(tree: Path) -> None:
    """The line is read from its text: a file that cannot be imported does not matter."""
    for marks in ("pytest.mark.slow", "[\n    pytest.mark.slow,\n    pytest.mark.usefixtures('a'),\n]"):
        (tree / "test_marked.py").write_text(
            f"import pytest\npytestmark = {marks}\nimport nothing_of_this_name\n"
        )
        assert len(ran(tree, "-m", "not slow and not nightly")) == 21
        with pytest.raises(AssertionError, match="nothing_of_this_name"):
            ran(tree, "-m", "not nightly")


def test_expected_failures_are_counted_apart_from_skipped_tests(tree: Path) -> None:
    marks = "@pytest.mark.xfail(strict=True, reason='known')\n", "@pytest.mark.skip(reason='needs LaTeX')\n"
    tests = [f"{mark}def test_{k}(): assert False\n" for k, mark in enumerate(marks)]
    (tree / "test_marks.py").write_text("import pytest\n" + "".join(tests))
    ran(tree, "test_marks.py", RIVALRY_TALLY=tree / "tally")
    counts = json.loads((tree / "tally" / "outcomes.json").read_text())
    assert (counts["outcomes"], counts["lacking"]) == ({"xfailed": 1, "skipped": 1}, {"LaTeX": 1})


def test_an_interrupted_run_goes_on(tree: Path) -> None:
    first = ran(tree, "--maxfail=1", WELL=0, RIVALRY_PASSED=tree / "passed.txt")
    assert len(first) == 20
    rest = ran(tree, RIVALRY_PASSED=tree / "passed.txt")
    assert len(first) + len(rest) == 61
    assert first[-1] == rest[0] == "0_19"


def test_tests_near_a_change_are_added_to_a_share(tree: Path) -> None:
    (tree / "near.json").write_text(json.dumps({"test_1.py": 1, "test_2.py": 2}))
    share = set(ran(tree, RIVALRY_SHARE=f"0/{SHARES}"))
    added = set(ran(tree, RIVALRY_SHARE=f"0/{SHARES}", RIVALRY_NEAR=tree / "near.json")) - share
    assert {name[0] for name in added} == {"1", "2"}
    assert {f"{file}_{k}" for file in (1, 2) for k in range(20)} <= share | added
    alone = ran(tree, RIVALRY_NEAR=tree / "near.json", RIVALRY_SECONDS=0.3)
    assert {name[0] for name in alone} == {"1"}
    (tree / "near.json").write_text("{}")
    assert ran(tree, RIVALRY_NEAR=tree / "near.json") == []


@pytest.mark.default
def test_the_nearest_tests_come_first_and_fill_the_time() -> None:
    names = [f"{file}.py::test_{k}" for file in "abc" for k in range(4)]
    chosen = nearest(names, {"b.py": 0, "a.py": 3}, dict.fromkeys(names, 1.0), 6.0)
    assert {name for name in names if name[0] == "b"} <= chosen
    assert sorted(name[0] for name in chosen) == ["a", "a", "b", "b", "b", "b"]


def test_the_longest_files_come_first(tree: Path) -> None:
    times = {
        f"test_{file}.py::test_{file}_{k}": seconds
        for file, seconds in enumerate((1, 3, 2))
        for k in range(20)
    }
    (tree / "times.json").write_text(json.dumps(times))
    order = [name[0] for name in ran(tree, RIVALRY_DURATIONS=tree / "times.json")]
    assert order == ["1"] * 20 + ["2"] * 20 + ["0"] * 20
    assert max(json.loads((tree / "times.json").read_text()).values()) < 1


def test_all_processes_have_one_order_where_files_take_equally_long(tree: Path) -> None:
    """Sums of equal seconds in other orders differ in last digits, and each process has its order of sets."""
    draw = random.Random(0)
    seconds = [draw.random() for _ in range(20)]
    times = {}
    for file in range(3):
        draw.shuffle(seconds)
        times |= {f"test_{file}.py::test_{file}_{k}": second for k, second in enumerate(seconds)}
    orders = []
    for seed in range(4):
        (tree / "times.json").write_text(json.dumps(times))
        orders.append(ran(tree, RIVALRY_DURATIONS=tree / "times.json", PYTHONHASHSEED=seed))
    assert orders[1:] == orders[:-1]


@pytest.mark.default
def test_a_skipped_test_tells_what_it_lacks() -> None:
    assert lacking("Skipped: could not import 'ray': No module named 'ray'") == "ray"
    assert lacking("Skipped: needs axe-core below NODE_PATH") == "axe-core below NODE_PATH"
    assert lacking("Skipped: there is a TPU here") == "there is a TPU here"


# -- tests near a change -------------------------------------------------------------------------------

TEXTS = {
    "src/rivalry/__init__.py": "_NAMES = {'certificates.deviations': ('best_response',)}",
    "src/rivalry/certificates/deviations.py": "import numpy\n",
    "src/rivalry/proofs/points.py": "def f():\n    from rivalry.certificates import deviations\n",
    "src/rivalry/core/types.py": "if TYPE_CHECKING:\n    from rivalry.certificates import deviations\n",
    "src/rivalry/methods/dynamics/newton.py": "from rivalry.proofs.points import f\n",
    "src/rivalry/studies/tour.toml": 'kind = "newton"',
    "src/rivalry/cli/work.py": 'NAMES = "rivalry.core.types:T"',
    "tests/test_a.py": "import rivalry as rv\nrv.methods.Newton()\n",
    "tests/test_b.py": "run('tour')\n",
    "tests/test_c.py": "import rivalry as rv\nrv.best_response\n",
    "tests/test_d.py": "from rivalry.cli.work import NAMES\n",
}


@pytest.mark.default
def test_distances_count_imports_and_names_of_lazily_loaded_files() -> None:
    graph = edges(TEXTS)
    assert graph["src/rivalry/core/types.py"] == set()
    assert graph["tests/test_d.py"] == {"src/rivalry/cli/work.py"}
    distance = distances(graph, ["src/rivalry/certificates/deviations.py"])
    tests = {file[-4]: steps for file, steps in distance.items() if file.startswith("tests")}
    assert tests == {"a": 3, "b": 4, "c": 1}
    assert distances(graph, ["src/rivalry/core/types.py"])["tests/test_d.py"] == 2
    assert distances(graph, ["tests/test_d.py"]) == {"tests/test_d.py": 0}


# -- sections ------------------------------------------------------------------------------------------


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`.ci/check.py` for a repository with one file, with a folder for its stamps."""
    monkeypatch.syspath_prepend(str(ROOT / ".ci"))
    for name in ("check", "sections"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module("check")
    monkeypatch.setattr(module, "ROOT", tmp_path / "repository")
    monkeypatch.setenv("RIVALRY_CHECK_CACHE", str(tmp_path / "kept"))
    monkeypatch.delenv("CI", raising=False)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "A")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "a@example.org")
    module.ROOT.mkdir()
    commit(module.ROOT, "first")
    return module


def commit(repository: Path, text: str) -> None:
    (repository / "file.txt").write_text(text)
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", text)):
        subprocess.run(["git", *words], cwd=repository, check=True)


def outcomes(check: Any, commands: dict[str, str], work: Path, **options: Any) -> tuple[dict[str, str], int]:
    """Outcome of each section, a command of the shell, and the exit status of the run."""
    default = {"all": False, "cold": False, "share": "1", "since": "", "only": None}
    work.mkdir()
    (work / "tree").mkdir()
    run = check.Check(argparse.Namespace(**default | options), work)
    for name, command in commands.items():
        run.run(check.Section(name, lambda job, command=command: job(command), ("file.txt",)))
    return {name: result.outcome for name, result in run.results.items()}, run.end()


def test_a_failing_section_stops_nothing_and_the_end_names_it(
    check: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = {"lint": "echo a line too long; exit 3", "types": "true", "tests": "false"}
    result, status = outcomes(check, commands, tmp_path / "work")
    assert result == {"lint": "FAILED", "types": "passed", "tests": "FAILED"}
    assert status == 1
    text = capsys.readouterr().out
    assert "2 of 3 sections failed; lint; tests" in text
    assert re.search(r"^lint +FAILED .*exit status 3: a line too long$", text, re.M)


def test_sections_are_run_once(check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = {"types": "true", "tests": "test -e /nowhere"}
    passed, before = {"types": "passed", "tests": "FAILED"}, {"types": "passed before", "tests": "FAILED"}
    assert outcomes(check, commands, tmp_path / "1") == (passed, 1)
    assert outcomes(check, commands, tmp_path / "2") == (before, 1)
    assert outcomes(check, commands, tmp_path / "3", all=True) == (passed, 1)
    commit(check.ROOT, "second")
    assert outcomes(check, commands, tmp_path / "4") == (passed, 1)
    monkeypatch.setenv("CI", "true")
    assert outcomes(check, commands, tmp_path / "5") == (passed, 1)


def test_after_an_interruption_the_next_run_begins_where_it_was(
    check: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(job: Any) -> None:
        raise KeyboardInterrupt

    run = check.Check(
        argparse.Namespace(all=False, cold=False, share="1", since="", only=None), tmp_path / "1"
    )
    (tmp_path / "1" / "tree").mkdir(parents=True)
    first = check.Section("types", lambda job: job("true"), ("file.txt",))
    run.run(first)
    with pytest.raises(KeyboardInterrupt):
        run.run(check.Section("tests", interrupt, ("file.txt",)))
    run.interrupt()
    run.run(check.Section("benchmarks", lambda job: job("true"), ("file.txt",)))
    assert run.end() == 1
    assert "interrupted: the next run" in capsys.readouterr().out
    assert set(run.results) == {"types", "tests"}
    result, status = outcomes(check, {"types": "true", "tests": "true"}, tmp_path / "2")
    assert result == {"types": "passed before", "tests": "passed"}
    assert status == 0


def test_a_command_that_hangs_is_ended(check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "LONGEST", 0.3)
    result, _ = outcomes(check, {"tests": "sleep 60", "lint": "true"}, tmp_path / "work")
    assert result == {"tests": "FAILED", "lint": "passed"}


def test_commands_of_the_check_have_lasting_caches_unless_it_is_cold(check: Any, tmp_path: Path) -> None:
    command = f'echo "$RIVALRY_CACHE $NUMBA_CACHE_DIR" > {tmp_path}/where.txt'
    outcomes(check, {"tests": command}, tmp_path / "warm")
    warm = (tmp_path / "where.txt").read_text().split()
    outcomes(check, {"tests": command}, tmp_path / "cold", cold=True, all=True)
    cold = (tmp_path / "where.txt").read_text().split()
    assert all(Path(folder).is_relative_to(tmp_path / "kept") for folder in warm)
    assert all(Path(folder).is_relative_to(tmp_path / "cold") for folder in cold)


@pytest.mark.default
def test_every_share_has_the_sections_that_always_run(check: Any) -> None:
    sections = importlib.import_module("sections").SECTIONS
    always = {section.name for section in sections if len(section.shares) == SHARES}
    assert {"lint", "types", "rules", "README: tour", "README: tests", "planted faults"} <= always
    assert all(set(section.shares) <= set(range(SHARES)) for section in sections)


def test_the_change_begins_at_the_last_commit_that_passed_whole(check: Any, tmp_path: Path) -> None:
    sections = importlib.import_module("sections")
    options = argparse.Namespace(all=False, cold=False, share="1", since="", only=None)
    first = check.git("rev-parse", "HEAD")
    assert outcomes(check, {"lint": "true"}, tmp_path / "1")[1] == 0
    for text in ("second", "third"):
        commit(check.ROOT, text)
    second = check.git("rev-parse", "HEAD~1")
    assert sections._before(check.Check(options, tmp_path / "2")) == first
    assert outcomes(check, {"lint": "false"}, tmp_path / "3")[1] == 1  # no pass
    assert sections._before(check.Check(options, tmp_path / "4")) == first
    (tmp_path / "kept" / "last_pass").write_text("0" * 40)  # of another history
    assert sections._before(check.Check(options, tmp_path / "5")) == second


def test_a_clone_holds_the_commit_with_which_the_run_began(check: Any, tmp_path: Path) -> None:
    options = argparse.Namespace(all=False, cold=False, share="1", since="", only=None)
    run = check.Check(options, tmp_path / "work")
    commit(check.ROOT, "second")
    job = check.Job(run, check.Section("tests", lambda job: None, ()))
    job.folder = tmp_path / "clone"
    job.clone()
    assert (job.folder / "file.txt").read_text() == "first"

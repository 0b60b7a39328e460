"""Optional subpackages and other distributions: both register in tables, and either may be missing."""

import os
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from itertools import combinations
from pathlib import Path

import pytest

from rivalry import methods
from rivalry.schema.register import OPTIONAL
from tests.unit.test_house import SOURCE, differences

PARTS = (
    ("audit",),
    ("economies",),
    ("web", "living"),
    ("integrations",),
    ("interop",),
)  # what is removed together

REGISTER = """
from rivalry.schema.register import Entry, FamilyDefaults, FamilyEntry, PlotEntry

FIRST = {"method": {"kind": "pure_equilibria"}}
GAMES = {
    "raffle": FamilyEntry("raffle:first_price", "sealed bids", "", FIRST),
    "matrix": FamilyEntry("raffle:no", "other", "", FIRST),
}
METHODS = {"q_learning": Entry(("raffle:Bidder",), "")}
PLOTS = {"bids": PlotEntry("raffle:bids", "bids by value", families=("raffle",))}
DEFAULTS = {"raffle": FamilyDefaults(("revenue",))}
STUDIES = {"auctions": "raffle:auctions"}
"""

AUCTION = """
import rivalry as rv


def first_price(prize: float = 1.0):
    return rv.games.matrix([[[prize, 0.0], [0.0, prize]]] * 2)


class Bidder:
    pass


def bids(data, ax=None):
    return ax
"""

STUDY = """
title = "Two bidders"
plots = ["bids"]
[game]
family = "raffle"
[[method]]
kind = "pure_equilibria"
"""


def rivalry(*words: str, path: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line with packages from ``path``, in the folder ``home``."""
    command = [sys.executable, "-m", "rivalry", *words]
    environment = os.environ | {"PYTHONPATH": str(path)}
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True)


def distribution(folder: Path, register: str = REGISTER) -> None:
    """Install a distribution that registers a family."""
    package, metadata = folder / "raffle", folder / "raffle-1.0.dist-info"
    for made in (package, metadata):
        made.mkdir()
    (package / "__init__.py").write_text(AUCTION)
    (package / "register.py").write_text(register)
    (package / "auctions.toml").write_text(STUDY)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: raffle\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[rivalry.register]\nraffle = raffle.register\n")


CHECK = """
import rivalry as rv
from rivalry.lab.study.names import studies
from rivalry.plots.families import DEFAULTS

assert rv.games.raffle(prize=2.0).sizes == (2, 2)
assert rv.games.GAMES["matrix"].title != "other"
targets = rv.methods.METHODS["q_learning"].targets
assert len(targets) > 1 and targets[-1] == "raffle:Bidder" and rv.methods.METHODS["q_learning"].title
assert rv.plots.bids.__module__ == "raffle" and DEFAULTS["raffle"].metrics == ("revenue",)
assert list(rv.games.GAMES) == sorted(rv.games.GAMES) and "auctions" in studies()
"""


@pytest.mark.slow
def test_another_distribution_registers_by_the_same_tables(tmp_path: Path) -> None:
    distribution(tmp_path)
    path = Path(f"{tmp_path}{os.pathsep}{SOURCE.parent}")
    environment = os.environ | {"PYTHONPATH": str(path)}
    subprocess.run([sys.executable, "-c", CHECK], env=environment, check=True)
    done = rivalry("run", "auctions", path=path, home=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_broken_register_hides_nothing_else(tmp_path: Path) -> None:
    distribution(tmp_path, "import no_such_module\n")
    done = rivalry("list", "games", path=Path(f"{tmp_path}{os.pathsep}{SOURCE.parent}"), home=tmp_path)
    assert done.returncode == 0
    assert "matrix" in done.stdout
    (line,) = done.stderr.splitlines()
    assert "raffle.register registers nothing: ModuleNotFoundError" in line


@pytest.mark.parametrize("package", OPTIONAL)
def test_the_names_of_an_optional_subpackage_are_those_that_it_registers(package: str) -> None:
    tables = vars(import_module(f"rivalry.{package}.register"))
    rows = {
        name: tables.get(name, {}) for name in ("GAMES", "METHODS", "PLOTS", "COMMANDS", "EXECUTORS", "HOOKS")
    }
    names = {name for table in rows.values() for name in table} - set(vars(methods)["_ENTRIES"])
    entries = [*rows["GAMES"].values(), *rows["METHODS"].values()]
    names |= {target.partition(":")[2] for entry in entries for target in entry.targets}
    place = f"src/rivalry/schema/register.py, OPTIONAL, {package}: "
    lines = differences(names, OPTIONAL[package].split(), place + "add {}", place + "remove {}")
    assert not lines, "\n".join(lines)


def without(names: tuple[str, ...], folder: Path) -> Path:
    """Copy the package without some subpackages; return the folder that holds the copy."""

    def left_out(place: str, found: list[str]) -> set[str]:
        return {name for name in found if name == "__pycache__" or (Path(place) == SOURCE and name in names)}

    shutil.copytree(SOURCE, folder / "rivalry", ignore=left_out)
    return folder


REST = """
import contextlib, io, sys
import rivalry as rv
from rivalry.cli import main
from rivalry.games import GAMES

assert rv.__file__.startswith(sys.argv[1]), rv.__file__
gone = sys.argv[2:]


def said(words):
    # the exit status, and the lines on standard error
    with contextlib.redirect_stderr(io.StringIO()) as notes, contextlib.redirect_stdout(io.StringIO()):
        status = main(words.split())
    return status, notes.getvalue().splitlines()


def refuses(words, home, cause=""):
    # ``cause`` is how the message begins, where one is asked for
    status, lines = said(words)
    assert (status, len(lines)) == (2, 1), (words, status, lines)
    assert f"{cause} needs rivalry.{home}, which is not installed" in lines[0], lines
    assert "did you mean" not in lines[0] and "known:" not in lines[0], lines


for kind in ("games", "methods", "studies", "plots"):
    status, lines = said(f"list {kind}")
    assert status == 0 and len(lines) == (kind == "studies" and "economies" in gone), (kind, lines)
for words in ("run no_such_study", "show no_such_game", "list games karmma", "no_such_command"):
    status, lines = said(words)  # no subpackage has these names
    assert status == 2 and "not installed" not in " ".join(lines), (words, lines)
assert set(dir(rv)) <= {*rv.__all__} and all(hasattr(rv, name) for name in rv.__all__)
assert said("show race")[0] == said("show lovett_fig2")[0] == 0
for name in set(GAMES) - {"city"}:
    getattr(rv.games, name)(**GAMES[name].example)

if "economies" in gone:
    for name in ("karma_theory", "karma_equilibrium", "city_rules"):
        refuses(f"run {name}", "economies")
    refuses("show karma", "economies", "karma: karma")
    refuses("list methods city", "economies")
    refuses("warm karma", "economies")
if "web" in gone:
    refuses("open", "web", "open: no such command; open")
    refuses("freeze runs/none", "living")
    found = rv.solve(rv.games.matrix("chicken"), rv.methods.PureEquilibria())
    try:
        found.explore()
    except ValueError as error:
        assert "rivalry.living" in str(error)
    else:
        raise AssertionError
    try:
        rv.explore
    except ImportError as error:
        assert str(error) == "rivalry.explore needs rivalry.living, which is not installed"
if "integrations" in gone:
    refuses("run hopf_n3 --executor ray", "integrations")
    refuses("show rllib.ppo", "integrations")
if "audit" in gone:
    refuses("audit bot.py:price", "audit", "audit: no such command; audit")
if "interop" in gone:
    try:
        rv.read_nfg
    except ImportError as error:
        assert str(error) == "rivalry.read_nfg needs rivalry.interop, which is not installed"
    else:
        raise AssertionError
"""


def check_rest(names: tuple[str, ...], path: Path) -> None:
    """Check in a process what is there without some subpackages, and that what is gone says so."""
    command = [sys.executable, "-c", REST, str(path), *names]
    environment = os.environ | {"PYTHONPATH": str(path)}
    done = subprocess.run(command, env=environment, cwd=path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_without_all_optional_subpackages_what_is_gone_says_so(tmp_path: Path) -> None:
    check_rest((*OPTIONAL,), without((*OPTIONAL,), tmp_path))


@pytest.mark.parametrize("pair", [sum(two, ()) for two in combinations(PARTS, 2)], ids="-".join)
@pytest.mark.slow
def test_without_two_of_them(pair: tuple[str, ...], tmp_path: Path) -> None:
    check_rest(pair, without(pair, tmp_path))


OTHERS = ("unit/test_matrix.py", "unit/test_race_payoffs.py", "unit/test_space.py")


@pytest.mark.parametrize("names", PARTS, ids="-".join)
@pytest.mark.slow
def test_without_any_of_them_studies_of_other_families_run(names: tuple[str, ...], tmp_path: Path) -> None:
    path = without(names, tmp_path)
    check_rest(names, path)
    done = rivalry("run", "matrix_classics", path=path, home=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "runs" / "matrix_classics" / "report.html").read_text(encoding="utf-8")
    assert ("<div data-living" in page) == ("living" not in names)
    tests = [str(Path(__file__).parents[1] / name) for name in OTHERS]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.nightly
def test_the_core_alone_runs_the_other_studies_of_the_tour(tmp_path: Path) -> None:
    path = without((*OPTIONAL,), tmp_path)
    tour = tomllib.loads((SOURCE / "studies" / "tour.toml").read_text(encoding="utf-8"))["include"]
    others = [study for study in tour if not study.startswith(("karma", "city"))]
    assert len(others) == 7
    for study in others:
        done = rivalry("run", study, "--quick", path=path, home=tmp_path)
        assert done.returncode == 0, (study, done.stderr)

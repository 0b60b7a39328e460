"""Optional subpackages and other distributions: both register in tables, and either may be missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.unit.test_house import SOURCE

REGISTER = """
from rivalry.core.registry import Entry, FamilyDefaults, PlotEntry

GAMES = {"auction": Entry(("auction:first_price",), "sealed bids"), "matrix": Entry(("auction:no",), "other")}
METHODS = {"q_learning": Entry(("auction:Bidder",), "")}
PLOTS = {"bids": PlotEntry("auction:bids", "bids by value", families=("auction",))}
DEFAULTS = {"auction": FamilyDefaults(("revenue",))}
STUDIES = {"auctions": "auction:auctions"}
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
family = "auction"
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
    package, metadata = folder / "auction", folder / "auction-1.0.dist-info"
    for made in (package, metadata):
        made.mkdir()
    (package / "__init__.py").write_text(AUCTION)
    (package / "register.py").write_text(register)
    (package / "auctions.toml").write_text(STUDY)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: auction\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[rivalry.register]\nauction = auction.register\n")


CHECK = """
import rivalry as rv
from rivalry.lab.study.names import studies
from rivalry.plots.families import DEFAULTS

assert rv.games.auction(prize=2.0).sizes == (2, 2)
assert rv.games.GAMES["matrix"].title != "other"
targets = rv.methods.METHODS["q_learning"].targets
assert len(targets) > 1 and targets[-1] == "auction:Bidder" and rv.methods.METHODS["q_learning"].title
assert rv.plots.bids.__module__ == "auction" and DEFAULTS["auction"].metrics == ("revenue",)
assert list(rv.games.GAMES) == sorted(rv.games.GAMES) and "auctions" in studies()
"""


def test_another_distribution_registers_by_the_same_tables(tmp_path: Path) -> None:
    distribution(tmp_path)
    path = Path(f"{tmp_path}{os.pathsep}{SOURCE.parent}")
    environment = os.environ | {"PYTHONPATH": str(path)}
    subprocess.run([sys.executable, "-c", CHECK], env=environment, check=True)
    done = rivalry("run", "auctions", path=path, home=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_broken_register_hides_nothing_else(tmp_path: Path) -> None:
    distribution(tmp_path, "import no_such_module\n")
    done = rivalry("list", "games", path=Path(f"{tmp_path}{os.pathsep}{SOURCE.parent}"), home=tmp_path)
    assert done.returncode == 0
    assert "matrix" in done.stdout
    (line,) = done.stderr.splitlines()
    assert "auction.register registers nothing: ModuleNotFoundError" in line

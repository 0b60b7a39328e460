"""Start-up, each raced against a bare interpreter: `import rivalry`, `rivalry --help`, a first small result.

Aims, processor time: 0.15, 0.12 and 0.8 s (compiled code cached); wall: under 0.3 s for the first two.
First results of four kinds of games, caches empty and filled, are raced against `import jax` alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

SCRIPT = str(Path(sys.executable).with_name("rivalry"))

FIRST = """
import rivalry as rv
game = rv.games.influencer(reach=[0.25] * 3, resource="bimodal")
found = rv.solve(game, rv.methods.GradientAscent(), start=[0.1, 0.4, 0.9])
assert found.status == "converged"
"""
WHAT = {
    "import": [sys.executable, "-c", "import rivalry"],
    "help": [SCRIPT, "--help"],
    "first": [sys.executable, "-c", FIRST],
}


@pytest.fixture(scope="module", autouse=True)
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Sources are compiled once, as where the package is installed, whatever the environment says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("bytecode")))
        yield


def started(*arguments: str, **environment: str) -> None:
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, env=os.environ | environment)


@pytest.mark.parametrize("what", list(WHAT))
@pytest.mark.parametrize("clock", ["children", "wall"])
def test_startup(race: Callable[..., object], what: str, clock: str) -> None:
    race(
        lambda: started(*WHAT[what]),
        lambda: started(sys.executable, "-c", "pass"),
        rival="python -c pass",
        same=None,
        clock=clock,
        rounds=15 if what != "first" else 7,
        name=f"startup[{what}] {clock}",
    )


MATRIX = """
import rivalry as rv
found = rv.solve(rv.games.matrix("prisoners_dilemma"), rv.methods.PureEquilibria())
assert found.claim == "equilibrium"
"""
RACE = """
import rivalry as rv
found = rv.solve(rv.games.race(%s), rv.methods.BestResponse(), start="moderate")
assert found.status == "converged"
"""
INVESTING = """
    horizon=5, performance_productivity=1.0, contest={"ease_of_winning": 1.0}, no_winner="disaster",
    technology={"invest": True},
"""
# processor seconds aimed at with empty caches, where importing JAX takes 0.6
CASES = {
    "2x2 matrix game": (MATRIX, 1.0),
    "influencer": (FIRST, 2.5),
    "static race": (RACE % "", 3.5),
    "investing race": (RACE % INVESTING, 12.0),
}
JAX = 0.6
NASHPY = """
import nashpy
assert len(list(nashpy.Game([[3, 0], [5, 1]], [[3, 5], [0, 1]]).support_enumeration())) == 1
"""


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("caches", ["empty", "filled"])
def test_first_result(race: Callable[..., object], tmp_path: Path, case: str, caches: str) -> None:
    """A certified result in a fresh process, against importing JAX in another one."""
    code, aim = CASES[case]
    number = count()

    def ours() -> None:
        used = str(tmp_path / (str(next(number)) if caches == "empty" else "filled"))
        started(sys.executable, "-c", code, RIVALRY_CACHE=used, NUMBA_CACHE_DIR=used)

    race(
        ours,
        lambda: started(sys.executable, "-c", "import jax"),
        rival="import jax",
        same=None,
        clock="children",
        target=aim / JAX if caches == "empty" else None,
        name=f"first_result[{case}] caches {caches}",
    )


def test_first_result_nashpy(race: Callable[..., object]) -> None:
    """The prisoner's dilemma in a fresh process, against Nashpy's support enumeration in another one."""
    pytest.importorskip("nashpy")
    race(
        lambda: started(sys.executable, "-c", MATRIX),
        lambda: started(sys.executable, "-c", NASHPY),
        rival="Nashpy",
        same=None,
        clock="children",
        name="first_result[2x2 matrix game] Nashpy",
    )

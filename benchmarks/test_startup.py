"""Start-up, each raced against a bare interpreter: `import rivalry`, `rivalry --help`, a first small result.

Aims, processor time: 0.15, 0.12 and 0.8 s (compiled code cached); wall: under 0.3 s for the first two.
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


def test_first_result(race: Callable[..., object], tmp_path: Path) -> None:
    """Against what no change of ours can save, and against a process that finds nothing compiled."""
    race(
        lambda: started(*WHAT["first"]),
        lambda: started(sys.executable, "-c", "import jax, equinox"),
        rival="import jax, equinox",
        same=None,
        clock="children",
        target=2.0,
        name="startup[first] / imports",
    )
    empty = (str(tmp_path / str(k)) for k in count())
    race(
        lambda: started(*WHAT["first"]),
        lambda: started(*WHAT["first"], RIVALRY_CACHE=next(empty)),
        rival="compiling",
        same=None,
        clock="children",
        target=0.5,
        name="startup[first] / compiling",
    )

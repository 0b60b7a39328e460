"""Start-up, each raced against a bare interpreter: `import rivalry`, `rivalry --help`, a first small result.

Aims, processor time: 0.15, 0.12 and 0.8 s (compiled code cached); wall: under 0.3 s for the first two.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = str(Path(sys.executable).with_name("rivalry"))

FIRST = """
import rivalry as rv
game = rv.games.influencer(reach=[0.25] * 3, resource="bimodal")
found = rv.solve(game, rv.methods.GradientAscent(), start=[0.1, 0.4, 0.9])
assert found.status == "settled"
"""
WHAT = {
    "import": [sys.executable, "-c", "import rivalry"],
    "help": [SCRIPT, "--help"],
    "first": [sys.executable, "-c", FIRST],
}


def started(*arguments: str) -> None:
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)


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

"""How the processor time of commands grows with a run's cells, beside the work of the cells themselves.

Aim: exponents near 1. Commands, each at two or more numbers of cells: the start of a study until its
first cell runs, and of a finished study the run with nothing to do, status, export and report. The exponent
is the slope of processor time against cells on log axes. ``distinct`` studies sweep a payoff, so every cell
has a game of its own; ``replicated`` ones have 100 replications per point; the others sweep one number of a
family.

pytest benchmarks/test_many_cells.py                           1,000 and 4,000 cells, two minutes
RIVALRY_MANY_CELLS=16000,100000 pytest benchmarks/test_many_cells.py     these too; half an hour
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.conftest import exponent, size
from rivalry.cli.commands import carry_out
from tests import many_cells

SIZES = (
    size(1_000, 200),
    size(4_000, 1_200),
    *map(int, filter(None, os.environ.get("RIVALRY_MANY_CELLS", "").split(","))),
)
REPLICATIONS = 100


def distinct(cells: int) -> Any:
    """A study whose cells have games of their own."""
    return many_cells.study(cells, folder=Path("/"))


def replicated(cells: int) -> Any:
    """A study of a learner with as many cells, of which every game has 100."""
    learner = {"kind": "regret_matching"}
    changes: dict[str, Any] = {"method": learner, "replications": {"count": REPLICATIONS}}
    return many_cells.study(cells // REPLICATIONS, folder=Path("/"), **changes)


def of_family(family: str, key: str, low: float, high: float) -> Callable[[int], Any]:
    """Return a function that makes studies, which sweep one number of a family, at random starts."""

    def made(cells: int) -> Any:
        kind = {"kind": "evaluate", "start": "random"}
        if family == "karma":
            kind = {"kind": "online_mirror_descent", "beta": 5.0, "rate": 0.3, "regularised": True}
        sweep = {f"game.{key}": {"from": low, "to": high, "count": cells}}
        return many_cells.study(cells, game={"family": family}, method=kind, sweep=sweep, folder=Path("/"))

    made.__name__ = f"{family} {key}"
    return made


FAMILIES = [
    of_family("market", "unit_cost", 5.0, 20.0),
    of_family("market", "slope", 1.0, 2.0),
    of_family("karma", "gamma", 0.5, 0.99),
    of_family("race", "disaster_cost", 0.5, 2.0),
    of_family("influencer", "reach", 0.05, 0.5),
]


class Begun(Exception):
    """The first cell runs."""


def start(study: Any, folder: Path) -> None:
    """Run a study until its first cell."""
    from rivalry.lab.executor import run_study

    def stop(event: Any) -> None:
        if event.kind == "started":
            raise Begun

    with pytest.raises(Begun):
        run_study(study, folder, workers=1, progress=stop)


def of_command(name: str, *options: str) -> Callable[[Any, Path], None]:
    """Return a command on the folder of a finished study, without its output."""

    def command(study: Any, folder: Path) -> None:
        with redirect_stdout(StringIO()):
            assert carry_out([name, str(folder), *options]) == 0

    command.__name__ = name
    return command


COMMANDS = [
    of_command("resume", "--workers", "1"),
    of_command("status"),
    of_command("export", "--to", "netcdf"),
    of_command("report"),
]


def times(command: Callable[[Any, Path], None], made: Callable[[int], Any], folder: Path) -> list[float]:
    """Return the processor time of a command for every number of cells, after one with few."""
    found = []
    for cells in (2 * REPLICATIONS, *SIZES):
        home = folder / f"{cells}"
        if command is not start:
            many_cells.stored(home, made(cells))
        study = made(cells)
        begun = time.process_time()
        command(study, home)
        found.append(time.process_time() - begun)
    return found[1:]  # the first one loads libraries


@pytest.mark.parametrize(
    ("command", "made"),
    [
        *((start, made) for made in (distinct, replicated, *FAMILIES)),
        *((command, distinct) for command in COMMANDS),
    ],
)
def test_costs_grow_in_proportion_to_cells(
    command: Callable[[Any, Path], None], made: Callable[[int], Any], tmp_path: Path, benchmark: Any
) -> None:
    taken: list[float] = []
    benchmark.pedantic(lambda: taken.extend(times(command, made, tmp_path)), rounds=1)
    slope = exponent(SIZES, taken)
    name = f"{command.__name__}, {made.__name__}"
    seconds = {f"{cells}": round(found, 3) for cells, found in zip(SIZES, taken, strict=True)}
    benchmark.extra_info["growth"] = {"command": name, "exponent": slope, "seconds": seconds}
    print(f"{name}: exponent {slope:.2f}, " + ", ".join(f"{k} cells {s:.2f} s" for k, s in seconds.items()))
    assert np.isfinite(slope)

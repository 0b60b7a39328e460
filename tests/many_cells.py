"""Runs of many cheap cells: what tests count and benchmarks measure is the cost beside the cells' work."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rivalry.core import files
from rivalry.core.results import Record
from rivalry.lab.store import Run
from rivalry.lab.study import Study


def study(cells: int, **changes: Any) -> Study:
    """A sweep over one payoff of a 2 x 2 game, each point evaluated at the same profile."""
    tables: dict[str, Any] = {
        "name": "many",
        "game": {"family": "matrix", "payoffs": [[[0.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 1.0]]]},
        "method": {"kind": "evaluate", "start": [[1.0, 0.0], [1.0, 0.0]]},
        "sweep": {"game.payoffs[0][0][0]": {"from": 0.5, "to": 1.5, "count": cells}},
    }
    return Study(**(tables | changes))


def record(payoff: float) -> Record:
    """What `evaluate` finds in the cell of a payoff: both players have it at their best."""
    from rivalry.core.results import Certificate

    proof = Certificate(np.zeros(2), np.zeros(2), "tight", "vertices", 1e-6, np.array([payoff, 2.0]), "exact")
    return {
        "profile": (("player", "axis"), np.array([[1.0, 0.0], [1.0, 0.0]])),
        "payoff": (("player",), np.array([payoff, 2.0])),
        "status": ((), np.asarray("converged")),
        "steps": ((), np.asarray(1)),
        "residual": ((), np.asarray(0.0)),
        **proof.record(),
    }


def stored_replications(folder: Path, made: Study, payoff: Callable[[int], float]) -> None:
    """Store a run whose first payoff is a function of the replication's number."""
    run = Run.create_or_open(folder, made)
    with run.locking():
        for place in run.cells:
            result = files.pack(record(payoff(place.replication)), kind="cell", name=place.id)
            files.write(run.cell_path(place.id), result)


def stored(folder: Path, made: Study) -> Run:
    """A run of `study` with every cell in its file, written as a worker and its executor do."""
    run = Run.create_or_open(folder, made)
    with run.locking():
        for place in run.cells:
            (payoff,) = place.point.values()
            result = files.pack(record(payoff), kind="cell", name=place.id)
            files.write(folder / "cells" / f"{place.id}.npz", result)
            run.note(place.id, "done", 0.0)
    return run

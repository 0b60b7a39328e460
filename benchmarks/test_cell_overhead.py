"""What carrying out a cell costs beside its work: seed, file, index, pipe; against a bare task of a pool.

Aim: at most 5 ms a cell. Both have one spawned process that is already warm; the cell itself does nothing.

And what a replication of a short learner costs beside its session: the metrics that are read of it, its
certificate and its file. Aim: 2 ms.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.conftest import size

CELLS = size(200, 3)


def bare(task: dict[str, Any]) -> int:
    """A pool's task: nothing but the way there and back."""
    return int(task["replication"])


def empty_cell(task: dict[str, Any], folder: Path, **_: Any) -> Any:
    """A cell that only draws its seed: what is left is the runner's own cost."""
    from rivalry.solving import stream

    seed = stream(task["seed"], "play", task["point"], task["replication"])
    return {
        "profile": (("player", "axis"), np.random.default_rng(seed).random((3, 1))),
        "path": (("step", "player", "axis"), np.zeros((100, 3, 1))),
        "status": ((), np.asarray("converged")),
    }


def serve_empty_cells(pipe: Any) -> None:
    """A worker whose cells are empty."""
    from rivalry.lab import worker
    from rivalry.lab.executor import pool

    worker.run_cell = empty_cell
    pool._serve(pipe)


@pytest.fixture
def pool_of_one() -> Iterator[Any]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.map(bare, [{"replication": 0}])
        yield pool


def test_cell_overhead(
    race: Callable[..., Any], tmp_path: Path, pool_of_one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rivalry.lab.executor import _Work, pool
    from rivalry.lab.store import Run
    from rivalry.lab.study import Study

    game = {"family": "matrix", "name": "chicken"}
    method = [{"kind": "regret_matching"}]  # which draws: others are computed once
    study = Study(name="empty", game=game, method=method, replications={"count": CELLS})
    tasks = [cell.task for cell in study.cells()]
    monkeypatch.setattr(pool, "_serve", serve_empty_cells)
    run = Run.create_or_open(tmp_path / "run", study)
    staff = pool.Workers(1, lambda outcome: None)
    # the same worker in every round: its start is another bench's matter
    monkeypatch.setattr(staff, "stop", lambda: None)

    def ours() -> int:
        for path in (run.folder / "cells").iterdir():
            path.unlink()
        with run.locking():
            left = run.reconcile().left
            work = _Work(
                run,
                workers=None,
                hire=lambda *_: staff,
                progress=None,
                trusted=False,
                every=None,
                part="",
                before=0,
                total=CELLS,
            )
            work._compute(left)
        return work.done

    def theirs() -> int:
        return len(pool_of_one.map(bare, tasks, chunksize=1))

    try:
        raced = race(ours, theirs, rival="bare pool task", clock="wall", items=CELLS)
    finally:
        monkeypatch.undo()
        staff.stop()
    print(f"overhead per cell {raced.info()['ours_median'] * 1e3:.2f} ms, aim 5 ms")


SHORT: dict[str, dict[str, Any]] = {
    "bandits": {"kind": "q_learning", "walk": False, "observation": "none", "gamma": 0.0, "epochs": 20},
    "regrets": {"kind": "regret_matching", "steps": 2000},
}
MARKET = {"family": "market", "unit_cost": [10.0, 10.0]}


def jobs_of(folder: Path, **study: Any) -> tuple[Path, list[Any], list[Any]]:
    """Return the folder of a run's cells, a job per cell, and a job per batch."""
    from rivalry.lab import worker
    from rivalry.lab.executor import batches_of
    from rivalry.lab.store import Run
    from rivalry.lab.study import Study

    run = Run.create_or_open(folder, Study(name="short", **study))
    every, out = list(run.tasks().items()), str(run.folder)
    alone = {id: worker.Job(id, task, out, out) for id, task in every}
    together = [
        alone[own[0][0]]._replace(batch=tuple(own), missing=tuple(id for id, _ in own))
        for own in batches_of(every)
    ]
    return run.folder / "cells", list(alone.values()), together


def carried_out(cells: Path, jobs: list[Any]) -> int:
    """Carry out jobs, as a worker does, and return the number of files."""
    from rivalry.lab.executor import Here

    assert all(outcome.kind in ("started", "done") for outcome in Here(lambda outcome: None).run(jobs))
    return len(list(cells.iterdir()))


@pytest.mark.parametrize("kind", list(SHORT))
def test_replications(race: Callable[..., Any], tmp_path: Path, kind: str) -> None:
    from rivalry.core.method import run_session
    from rivalry.lab import worker

    table, count = SHORT[kind], size(256, 3)
    game = {"family": "matrix", "name": "prisoners_dilemma"}
    cells, alone, together = jobs_of(
        tmp_path / "run", game=game, method=[table], replications={"count": count}, cells_per_batch=64
    )
    points = worker.points_of(alone[0].task, cells.parent)
    learner: Any = points.methods[0]
    world = learner.world(points.games[0])

    def in_batches() -> int:
        return carried_out(cells, together)

    def one_by_one() -> int:
        return carried_out(cells, alone)

    def sessions() -> int:
        for k in range(count):
            session = learner.begin(world, np.random.SeedSequence(k))
            run_session(learner, world, session, table.get("steps", learner.length(world)))
        return count

    for ours, name in (
        (one_by_one, f"replications[{kind}]"),
        (in_batches, f"replications[{kind}], together"),
    ):
        found = race(ours, sessions, rival="its session", items=count, name=name).info()
        extra = (found["ours_median"] - found["theirs_median"]) * 1e3
        print(f"{name}: {extra:.2f} ms per replication beside the session, aim 2 ms")


def test_sessions_together(race: Callable[..., Any], tmp_path: Path) -> None:
    """A sweep of short Q-learners in a market, 64 cells to a task, against each cell alone."""
    count = size(128, 4)
    table = SHORT["bandits"] | {"action_grid": 5}
    sweep = {"game.unit_cost[0]": np.linspace(5.0, 20.0, count).tolist()}
    cells, alone, together = jobs_of(
        tmp_path / "run", game=MARKET, method=[table], sweep=sweep, cells_per_batch=64
    )
    race(
        lambda: carried_out(cells, together),
        lambda: carried_out(cells, alone),
        rival="one by one",
        items=count,
    )


def test_cells_together(race: Callable[..., Any], tmp_path: Path) -> None:
    """A sweep of best responses of a market: a batch of cells against each of them alone."""
    count = size(64, 4)
    cells, alone, together = jobs_of(
        tmp_path / "run",
        game=MARKET,
        method=[{"kind": "best_response"}],
        sweep={"game.unit_cost[0]": np.linspace(5.0, 20.0, count).tolist()},
        cells_per_batch=count,
    )
    race(
        lambda: carried_out(cells, together),
        lambda: carried_out(cells, alone),
        rival="one by one",
        items=count,
    )

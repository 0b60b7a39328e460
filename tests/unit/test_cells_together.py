"""Cells that are computed together: their results are those of cells computed alone, in fixed bytes."""

import warnings
from pathlib import Path
from time import sleep
from typing import Any

import jax
import numpy as np
import pytest

import rivalry as rv
from rivalry.core import files
from rivalry.core.batched_games import PART, Together
from rivalry.lab import worker
from rivalry.lab.array import Shard, merge, work
from rivalry.lab.checkpoints import CheckpointFile, Stopped
from rivalry.lab.executor import CellOutcome, Here, carry_out, run_study
from rivalry.lab.store import Run
from rivalry.lab.study import Study, build_game
from rivalry.methods import BestResponse, QLearning
from rivalry.solving import ends, runs, solve_batch

pytestmark = pytest.mark.mostly_slow

EXHAUSTED = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 68719476736 bytes.")
COURNOT = {"family": "market", "unit_cost": [10.0, 10.0]}
COSTS = {"game.unit_cost[0]": [5.0, 8.0, 11.0, 14.0, 17.0, 20.0]}
POSITIONS = {"family": "influencer", "resource": "bimodal", "reach": [0.25, 0.25, 0.25]}
REACH = {"game.reach": [0.1, 0.15, 0.2, 0.25, 0.3]}


def study(size: int, game: dict[str, Any] = COURNOT, sweep: Any = COSTS, **table: Any) -> Study:
    table = {"kind": "best_response", "name": "one"} | table
    return Study(name="some", game=game, method=[table], sweep=sweep, cells_per_batch=size)


def computed(cells: Any) -> list[worker.Computed]:
    """Return the results of cells that are computed together, in their order."""
    found = dict(worker.run_cells(cells, Path(".")))
    return [found[k] for k in range(len(cells))]


def contents(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (run.folder / "cells").iterdir()}


@pytest.mark.parametrize(
    ("kind", "game", "sweep", "more"),
    [
        ("best_response", COURNOT, COSTS, {}),
        pytest.param("best_response", POSITIONS, REACH, {"start": [0.1, 0.4, 0.9]}, marks=pytest.mark.slow),
        pytest.param("gradient_ascent", POSITIONS, REACH, {"start": [0.1, 0.4, 0.9]}, marks=pytest.mark.slow),
        # leaves unstable ends
        pytest.param("gradient_ascent", POSITIONS, REACH, {"start": [0.3, 0.3, 0.3]}, marks=pytest.mark.slow),
        ("newton", COURNOT, COSTS, {"start": [20.0, 20.0]}),
        ("evaluate", COURNOT, COSTS, {"start": [20.0, 20.0]}),
        pytest.param("gradient_flow", POSITIONS, REACH, {"start": [0.1, 0.4, 0.9]}, marks=pytest.mark.slow),
    ],
)
@pytest.mark.filterwarnings("ignore:not converged")
def test_results_are_those_of_cells_computed_alone(
    kind: str, game: dict[str, Any], sweep: dict[str, Any], more: dict[str, Any]
) -> None:
    cells = [(cell.id, cell.task) for cell in study(8, game, sweep, kind=kind, **more).cells()]
    for (_, task), one in zip(cells, computed(cells), strict=True):
        found, alone = one.record or {}, worker.run_cell(task, Path("."))
        assert list(found) == list(alone)
        # a search finds where a payoff is largest to the square root of rounding
        within = 1e-7 * np.max(np.abs(alone["payoff"][1]))
        for name, (dims, expected) in alone.items():
            assert found[name][0] == dims
            if expected.dtype.kind in "fc":
                np.testing.assert_allclose(found[name][1], expected, rtol=1e-7, atol=within, err_msg=name)
            else:
                np.testing.assert_array_equal(found[name][1], expected, err_msg=name)


GRID = {"kind": "levels", "levels": [20.0, 30.0, 40.0]}
BANDITS: dict[str, Any] = {"kind": "q_learning", "walk": False, "observation": "none", "gamma": 0.0} | {
    "epochs": 5,
    "action_grid": GRID,
}
LEARNERS: dict[str, dict[str, Any]] = {
    "bandits": BANDITS,
    "walkers": {"kind": "q_learning", "epochs": 5, "episodes": 3, "action_grid": GRID},
    "regret_matching": {"kind": "regret_matching", "steps": 50, "action_grid": GRID},
    "fictitious_play": {"kind": "fictitious_play", "steps": 50, "action_grid": GRID},
    "hedge": {"kind": "hedge", "rounds": 20, "action_grid": GRID},
    "softmax_policy_gradient": {"kind": "softmax_policy_gradient", "rounds": 20, "action_grid": GRID},
    "actor_critic": {"kind": "actor_critic", "updates": 4},
    "repeated_q_learning": {"kind": "repeated_q_learning", "negative_controls": False, "sessions": 2}
    | {"action_grid": 4, "stopping": {"max_periods": 50}},
}
CERTIFIED = {"regret", "bound", "tolerance", "at_stake", "payoff"}  # of ends, by a program in common


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LEARNERS)
def test_sessions_are_those_of_learners_alone(name: str) -> None:
    cells = [(cell.id, cell.task) for cell in study(4, COURNOT, {**COSTS}, **LEARNERS[name]).cells()]
    assert cells[0][1]["cells_per_batch"] == 4
    for (_, task), one in zip(cells, computed(cells), strict=True):
        alone = worker.run_cell(task, Path("."))
        assert one.record is not None
        assert list(one.record) == list(alone)
        for key, (dims, expected) in alone.items():
            assert one.record[key][0] == dims
            if key in CERTIFIED and "payoff" in alone:
                scale = 1e-12 * np.max(np.abs(alone["payoff"][1]))
                np.testing.assert_allclose(one.record[key][1], expected, rtol=1e-12, atol=scale, err_msg=key)
            else:  # to the bit: the same kernel ran
                np.testing.assert_array_equal(one.record[key][1], expected, err_msg=key)


@pytest.mark.default
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "table",
    [BANDITS | {"action_grid": 2}, {"kind": "regret_matching", "steps": 50}, {"kind": "hedge", "rounds": 20}],
)
def test_replications_in_one_task_store_the_bytes_of_each_alone(table: dict[str, Any]) -> None:
    game = {"family": "matrix", "name": "chicken"}
    one = Study(name="some", game=game, method=[table], replications={"count": 5}, cells_per_batch=3)
    cells = [(cell.id, cell.task) for cell in one.cells()]
    for (id, task), own in zip(cells, computed(cells), strict=True):
        assert own.record is not None
        stored = files.pack(own.record, kind="cell", name=id)
        assert stored == files.pack(worker.run_cell(task, Path(".")), kind="cell", name=id)


def learners(folder: Path) -> tuple[Run, worker.Job]:
    """Return a run of one batch of four sessions, and its job."""
    run = Run.create_or_open(
        folder, study(4, COURNOT, {"game.unit_cost[0]": [5.0, 8.0, 11.0, 14.0]}, **BANDITS)
    )
    tasks = run.tasks()
    batch = tuple((place.id, tasks[place.id]) for place in run.cells)
    ids = tuple(id for id, _ in batch)
    return run, worker.Job(*batch[0], ".", str(folder), 0.0, batch=batch, missing=ids)


@pytest.mark.default
def test_seconds_of_jobs_are_of_the_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(*args: object, **options: object) -> list[Any]:
        sleep(0.3)  # as while others use the machine
        return []

    monkeypatch.setattr(worker, "run_cells", wait)
    assert worker.carry_out(learners(tmp_path)[1]) < 0.2


def first_firm(world: Any) -> float:
    """Return the largest payoff of the firm whose cost is swept, which tells cells apart."""
    return round(float(world.tables.payoff[0, 0].max()), 6)


def test_sessions_go_on_after_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, job = learners(tmp_path / "whole")
    worker.carry_out(job)
    run, job = learners(tmp_path / "run")
    events: list[Any] = []
    with pytest.raises(Stopped):  # in the third session
        worker.carry_out(job, lambda event: events.append(event) or event.done > 2 * event.total / 4)
    assert not contents(run)
    assert job.checkpoint_path.exists()
    begun = []
    own = QLearning.advance
    monkeypatch.setattr(
        QLearning,
        "advance",
        lambda self, *args: begun.append((first_firm(args[0]), args[2])) or own(self, *args),
    )
    worker.carry_out(job)
    third, fourth = (sum(n for firm, n in begun if firm == one) for one in dict(begun))
    assert third < fourth
    assert contents(run) == contents(whole)
    assert not job.checkpoint_path.exists()


def test_a_session_that_fails_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others have the bytes of a run in which it does not fail, also if they alone are computed."""
    (whole, job), (run, _) = learners(tmp_path / "whole"), learners(tmp_path / "run")
    worker.carry_out(job)
    own = QLearning.read

    def read(self: Any, world: Any, session: Any) -> Any:
        warnings.warn(f"read at {first_firm(world)}", stacklevel=1)
        if first_firm(world) == top:
            raise ArithmeticError("this one")
        return own(self, world, session)

    games = [build_game(task["game"]) for task in run.tasks().values()]
    top = first_firm(QLearning(walk=False, observation="none", action_grid=GRID).world(games[2]))
    monkeypatch.setattr(QLearning, "read", read)
    carry_out(run)
    counts, bad = run.counts(), run.cells[2].id
    assert (counts["done"], counts["failed"]) == (3, 1)
    assert contents(run) == {name: data for name, data in contents(whole).items() if bad not in name}
    assert "1 of 4 cells from" in (run.folder / "log.txt").read_text()
    warned = run.warnings()
    assert set(warned) == {place.id for place in run.cells} - {bad}
    assert len(set(warned.values())) == 3  # each its own
    monkeypatch.undo()
    ((number, one),) = worker.run_cells(job.batch, Path("."), numbers_to_compute=[1])
    id, _ = job.batch[number]
    assert one.record is not None
    assert files.pack(one.record, kind="cell", name=id) == contents(whole)[f"{id}.npz"]


@pytest.mark.parametrize("table", [{"kind": "best_response"}, BANDITS], ids=["methods", "learners"])
def test_bytes_depend_on_no_workers_interruptions_or_shards(tmp_path: Path, table: dict[str, Any]) -> None:
    one = study(4, **table)
    whole = run_study(one, tmp_path / "whole")
    assert contents(run_study(one, tmp_path / "two", workers=2)) == contents(whole)
    again = run_study(one, tmp_path / "again")
    for place in again.cells[1:3]:
        again.cell_path(place.id).unlink()
    assert contents(run_study(one, tmp_path / "again")) == contents(whole)
    merged = Run.create_or_open(tmp_path / "merged", one)
    parts = [work(merged, Shard(k, 3), tmp_path / f"{k}-of-3") for k in (1, 2, 3)]
    merge(merged, [part.folder for part in parts])
    assert contents(merged) == contents(whole)


def test_cells_of_different_sizes_are_computed_in_groups(tmp_path: Path) -> None:
    one = study(6, {"family": "market"}, {"game.players": [2, 3], "game.unit_cost": [5.0, 10.0, 15.0]})
    data = run_study(one, tmp_path / "run").dataset()
    assert set(data.claim.values.ravel()) == {"equilibrium"}
    # Cournot: every firm sells (100 - c) / (n + 1)
    expected = np.array([[(100 - cost) / (n + 1) for cost in (5.0, 10.0, 15.0)] for n in (2, 3)])
    first = data.profile.isel(player=0, axis=0, algorithm=0, replication=0)
    np.testing.assert_allclose(first.values, expected, rtol=1e-8)


WIDE = {"game.unit_cost[0]": np.linspace(5.0, 20.0, 40).tolist()}
SOME = WIDE["game.unit_cost[0]"][:16]
WIDE_REACH = {"game.reach": np.linspace(0.15, 0.3, 40).tolist()}


def limit(patch: pytest.MonkeyPatch, most: int, error: Exception) -> list[int]:
    """Let every program for more than so many games raise; return the numbers of games of those that ran."""
    ran: list[int] = []

    def call(games: Together, program: Any, rows: Any, *shared: Any, **some: Any) -> Any:
        def limited(*args: Any) -> Any:
            count = next(len(leaf) for leaf in jax.tree.leaves(args) if np.ndim(leaf))
            if count > most:
                raise error
            ran.append(count)
            return program(*args)

        return own(games, limited, rows, *shared, **some)

    own = Together.call
    patch.setattr(Together, "call", call)
    return ran


@pytest.mark.parametrize("path", [False, True])
def test_runs_that_have_ended_are_left_out(monkeypatch: pytest.MonkeyPatch, path: bool) -> None:
    # two of 32 move by a thousandth of the way to their best responses
    games = [rv.games.market(unit_cost=[cost, 9.0]) for cost in np.linspace(8.0, 10.0, 32)]
    methods = [BestResponse(damping=1e-3 if k in (5, 20) else 0.5) for k in range(32)]
    starts, advanced = [np.full((2, 1), 10.0 + k) for k in range(32)], list[int]()

    def found(k: slice) -> list[Any]:
        return solve_batch(
            games[k], methods[k], starts[k], max_steps=4_500, path=path, part=16, seed=seeds[k]
        )

    def advance(batch: Together, *rest: Any, selection: Any = None) -> Any:
        advanced.append(len(batch) if selection is None else len(selection))
        return own(batch, *rest, selection=selection)

    own, seeds = runs.advance, [np.random.SeedSequence(k) for k in range(32)]
    halves = [*found(slice(16)), *found(slice(16, 32))]
    monkeypatch.setattr(runs, "advance", advance)
    for one, other in zip(found(slice(32)), halves, strict=True):
        assert {n: a.tobytes() for n, (_, a) in one.record.items()} == {
            n: a.tobytes() for n, (_, a) in other.record.items()
        }
    assert (advanced[0], set(advanced[1:])) == (32, {16})


@pytest.mark.parametrize(
    ("kind", "game", "sweep", "more"),
    [
        ("best_response", COURNOT, WIDE, {}),
        ("evaluate", COURNOT, WIDE, {"start": [20.0, 20.0]}),
        *(
            pytest.param(*rest, marks=pytest.mark.slow)
            for rest in (
                ("newton", COURNOT, WIDE, {"start": [20.0, 20.0]}),
                ("gradient_ascent", POSITIONS, WIDE_REACH, {"start": [0.3, 0.3, 0.3]}),
                ("gradient_flow", POSITIONS, WIDE_REACH, {"start": [0.1, 0.4, 0.9]}),
            )
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:not converged")
def test_a_batch_needs_memory_for_a_part_and_its_size_changes_no_byte(
    kind: str, game: dict[str, Any], sweep: Any, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [(cell.id, cell.task) for cell in study(64, game, sweep, kind=kind, **more).cells()]
    ran = limit(monkeypatch, PART, EXHAUSTED)
    whole = computed(cells)
    assert set(ran) == {PART}
    for some in (slice(0, 20), slice(20, 40)):  # at other places of other parts
        for one, other in zip(computed(cells[some]), whole[some], strict=True):
            assert one.record is not None
            assert other.record is not None
            assert list(one.record) == list(other.record)
            for name, (_, array) in one.record.items():
                assert array.tobytes() == other.record[name][1].tobytes(), name


@pytest.mark.parametrize("error", [EXHAUSTED, MemoryError("no room for so many")])
def test_cells_without_memory_for_a_part_are_computed_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    one = study(6)
    limit(monkeypatch, 1, error)
    run = run_study(one, tmp_path / "run")
    assert run.counts()["done"] == 6
    assert not run.warnings()
    log = (tmp_path / "run" / "log.txt").read_text()
    said = f"{type(error).__name__}: {error}"
    assert f"6 of 6 cells from {run.cells[0].id} on are computed alone: {said}" in log
    alone = run_study(study(1), tmp_path / "alone")
    for own, other in zip(run.cells, alone.cells, strict=True):
        np.testing.assert_array_equal(
            run.read_cell(own.id)["profile"][1], alone.read_cell(other.id)["profile"][1]
        )


@pytest.mark.parametrize("stage", ["build", "solve"])
def test_a_cell_that_fails_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    """The others have the bytes of a run in which it does not fail."""
    one = study(6)
    whole = run_study(one, tmp_path / "whole")
    module, name = (worker, "build_game") if stage == "build" else (ends, "certify")
    own = getattr(module, name)

    def some(given: Any, *args: Any, **options: Any) -> Any:
        cost = given["unit_cost"][0] if stage == "build" else float(given.unit_cost[0])
        if cost == 11.0:
            raise ArithmeticError("this one")
        return own(given, *args, **options)

    monkeypatch.setattr(module, name, some)
    run = run_study(one, tmp_path / "run")
    (failed,) = run.failures()
    assert "ArithmeticError: this one" in run.failures()[failed]
    assert "1 of 6 cells from" in (tmp_path / "run" / "log.txt").read_text()
    others = {name: data for name, data in contents(whole).items() if failed not in name}
    assert contents(run) == others
    monkeypatch.undo()
    assert contents(run_study(one, tmp_path / "run")) == contents(whole)


def test_cells_of_a_batch_whose_worker_dies_are_computed_alone(tmp_path: Path) -> None:
    """The executor is one whose workers die of batches, as the system kills those that take its memory."""

    class Deadly(Here):
        def run(self, jobs: Any) -> Any:
            for job in jobs:
                if job.batch:
                    yield CellOutcome("failed", job.id, message="worker ended by SIGKILL, 3 times")
                else:
                    yield from super().run([job])

    run = Run.create_or_open(tmp_path / "run", study(6))
    assert carry_out(run, executor=lambda count, progress: Deadly(progress)) == "done"
    log = (tmp_path / "run" / "log.txt").read_text()
    assert "are computed alone: worker ended by SIGKILL" in log


class Killed(BaseException):
    """The process ends."""


@pytest.mark.parametrize("when", ["steps", "files"])
@pytest.mark.filterwarnings("ignore:not converged")
def test_batches_go_on_where_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    # ends that are left for others, in several calls of the program
    one = study(6, POSITIONS, REACH, kind="gradient_ascent", start=[0.3, 0.3, 0.3], max_steps=2000, tol=1e-13)
    whole = run_study(one, tmp_path / "whole")
    saves, save = 0, CheckpointFile.save
    written, write = 0, files.write

    def save_some(self: Any, arrays: Any) -> None:
        nonlocal saves
        save(self, arrays)
        saves += 1
        if when == "steps" and saves == 4:
            raise Killed

    def write_some(path: Path, data: bytes, **options: Any) -> None:
        nonlocal written
        written += path.parent.name == "cells"
        if when == "files" and written == 3:
            raise Killed
        write(path, data, **options)

    monkeypatch.setattr(CheckpointFile, "save", save_some)
    monkeypatch.setattr(files, "write", write_some)
    run = Run.create_or_open(tmp_path / "run", one)
    with pytest.raises(Killed):
        carry_out(run, workers=1, checkpoint_every=0.0)
    monkeypatch.undo()
    assert len(contents(run)) == (0 if when == "steps" else 2)
    (saved,) = (run.folder / "checkpoints").iterdir()
    told: list[float] = []
    assert carry_out(run, workers=1, progress=lambda event: told.append(event.fraction)) == "done"
    assert contents(run) == contents(whole)
    assert not saved.exists()


def test_a_lost_run_takes_no_others_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes of other cells do not depend on one whose profile is not finite."""
    cells = [(cell.id, cell.task) for cell in study(16, sweep={"game.unit_cost[0]": SOME}).cells()]
    own, lost = ends.end_record, 3

    def end_record(game: Any, end: Any, *rest: Any) -> Any:
        if float(game.unit_cost[0]) == SOME[lost]:
            end = end._replace(profile=np.full_like(end.profile, np.nan))
        return own(game, end, *rest)

    whole = computed(cells)
    monkeypatch.setattr(ends, "end_record", end_record)
    for k, one in enumerate(computed(cells)):
        before, now = whole[k].record, one.record
        assert before is not None
        assert now is not None
        same = [
            name for name in before if name in now and before[name][1].tobytes() == now[name][1].tobytes()
        ]
        assert ("profile" in same) == (k != lost)
        if k != lost:
            assert same == list(before) == list(now)


def test_warnings_belong_to_their_cells(tmp_path: Path) -> None:
    # at once in equilibrium where the first firm's unit cost is 11
    run = run_study(study(6, start=[88.0 / 3, 91.0 / 3], max_steps=3), tmp_path / "run")
    warned = set(run.warnings())
    limited = {
        place.id for place in run.cells if str(run.read_cell(place.id)["status"][1]) == "iteration limit"
    }
    assert warned == limited
    assert 0 < len(limited) < len(run.cells)


def test_the_size_of_a_batch_is_part_of_the_study() -> None:
    names = [[cell.id for cell in study(size).cells()] for size in (1, 4, 8)]
    assert not set(names[0]) & set(names[1]) | set(names[1]) & set(names[2])
    plain = Study(name="some", game=COURNOT, method=[{"kind": "best_response", "name": "one"}], sweep=COSTS)
    assert [cell.id for cell in plain.cells()] == names[0]
    for points, together in ((63, 1), (64, 16), (4_999, 16), (5_000, 64)):
        wide = plain.with_changes({"sweep.game.unit_cost[0]": np.linspace(5, 20, points).tolist()})
        assert {cell.task.get("cells_per_batch", 1) for cell in wide.cells()} == {together}
    alone = study(8, kind="double_oracle")
    assert all("cells_per_batch" not in cell.task for cell in alone.cells())

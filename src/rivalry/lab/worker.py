"""Computation of one cell: game, method, solution and plot data, as plain arrays without labels."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.random import SeedSequence

from rivalry import solving
from rivalry.core import files
from rivalry.core.batched_games import PART
from rivalry.core.game import Game
from rivalry.core.method import STEPS, Learner, as_learner, runs_together, start_of
from rivalry.core.oracles import named_start
from rivalry.core.results import Record, stack_records
from rivalry.core.space import lattice
from rivalry.lab.checkpoints import CHECKPOINT, CheckpointFile, GroupCheckpoint, Stopped, Task
from rivalry.lab.study import batch_points, build_game, build_method
from rivalry.lab.study.identity import Table, TableDict
from rivalry.lab.study.names import entry_of_method
from rivalry.lab.study.points import Grid, short_names
from rivalry.runtime.jax import floats, forget_programs, jax, numbers_in_numpy
from rivalry.runtime.memo import Known, remembered
from rivalry.solving import Progress, ProgressCallback
from rivalry.solving.batches import of_one_form
from rivalry.solving.ends import group_basins
from rivalry.solving.path_data import plot_record
from rivalry.solving.single import not_converged

COMPILED = 0.1  # seconds: a faster cell compiled nothing


class BatchPoints(NamedTuple):
    """Points that one cell computes: a game and a method per point, row-major."""

    games: list[Game]
    methods: list[Any]
    shape: dict[str, int]  # dimension: length; empty for a single point
    coordinates: Record
    shared: list[solving.InCommon]


def run_cell(
    task: Task,
    folder: Path,  # folder of the study's .py files
    *,
    progress: ProgressCallback | None = None,
    checkpoint: solving.Checkpoint | None = None,
) -> Record:
    """Return a cell's record: the solution, its certificate, the game's metrics and the study's plot data.

    With a ``[batch]`` or ``starts`` every variable has the batch dimensions first.

    Raises
    ------
    ValueError
        For a game or method that cannot be built.
    Stopped
        If ``progress`` returned True.
    """
    stopped = False

    def watch(event: Progress) -> bool:
        nonlocal stopped
        stopped = progress is not None and progress(event) is True
        return stopped

    points = points_of(task, folder)
    solutions = _solve(task, points, watch, checkpoint)
    if stopped:
        raise Stopped
    records = [
        record | plot_record(played_game(game, method, record), record, task["views"])
        for game, method, record in zip(points.games, points.methods, solutions, strict=True)
    ]
    if not points.shape:
        return records[0]
    record = stack_records(records, points.shape) | points.coordinates
    return record | group_basins(points.games[0], record) if "batch" in points.shape else record


class Computed(NamedTuple):
    """A cell that was computed with others: its record, or the error that ended it, and its warnings."""

    record: Record | None
    cautions: Sequence[tuple[type[Warning], str]] = ()
    error: Exception | None = None


def run_cells(
    batch: Sequence[tuple[str, Task]],  # all cells of a batch, by id
    folder: Path,
    *,
    numbers_to_compute: Collection[int] | None = None,  # of the cells that are needed; by default all
    progress: ProgressCallback | None = None,
    checkpoint: solving.Checkpoint | None = None,  # of the group of cells that is being computed
) -> Iterator[tuple[int, Computed]]:
    """Yield the results of cells that are computed together, by their numbers in the batch.

    Cells whose games and methods differ in numbers only share a program for steps, analyses of ends and
    certificates, `PART` of them at a time, whose memory is all that a batch needs. Sessions of learners share
    certificates, and replications their game. The bytes of a cell do not depend on what the others find, nor
    on how many of them fail.

    Raises
    ------
    Stopped
        If ``progress`` returned True.
    """
    points: dict[int, BatchPoints] = {}
    known_points: Known[BatchPoints] = {}
    for k, (_, task) in enumerate(batch):
        try:
            points[k] = _points_of_cell(task, folder, known_points)
        except Exception as error:  # a game or a method may raise anything
            yield k, Computed(None, error=error)
    numbers, finished = list(points), 0
    needed_cells = points.keys() if numbers_to_compute is None else numbers_to_compute
    if numbers and isinstance(points[numbers[0]].methods[0], Learner):
        wanted_points = {k: cell for k, cell in points.items() if k in needed_cells}
        yield from _learn_cells(batch, wanted_points, progress, checkpoint)
        return
    tasks = [task for _, task in batch]
    members = [(cell.games[0], cell.methods[0]) for cell in points.values()]
    for positions in of_one_form(members, [limits_of(tasks[k]) for k in points]):
        group = [numbers[k] for k in positions]
        if not set(group).isdisjoint(needed_cells):
            yield from _of_group(group, tasks, folder, points, progress, finished, checkpoint)
        finished += len(group)


def _points_of_cell(task: Task, folder: Path, known_points: Known[BatchPoints]) -> BatchPoints:
    """Return the games and methods of one of the cells that are computed together.

    Those of ``known_points``, to which new ones are added, are shared by replications, unless a user's class
    may change itself. Raises `ValueError`.
    """
    # a learner plays one game at a time, whose numbers JAX takes once
    plays = entry_of_method(task["method"]["kind"]).draws == "play"
    with nullcontext() if plays else numbers_in_numpy():
        points = remembered(known_points, _key_of(task, folder), partial(_build_points, task, folder))
    if task.get("files") and not runs_together(points.methods[0]):
        points = _build_points(task, folder)
    if not isinstance(points.methods[0], Learner) and not isinstance(points.games[0], Game):
        raise ValueError("games: populations are computed alone")
    return points


def _of_group(
    group: list[int],
    tasks: Sequence[Task],
    folder: Path,
    points: Mapping[int, BatchPoints],
    progress: ProgressCallback | None,
    finished: int,
    checkpoint: solving.Checkpoint | None,
) -> Iterator[tuple[int, Computed]]:
    """Yield the same as `run_cells`, of cells that differ in numbers only; ``finished`` cells came before."""
    stopped = False

    def watch(event: Progress) -> bool:
        nonlocal stopped
        fraction = event.done / max(event.total, 1)
        overall = Progress(finished + round(fraction * len(group)), len(tasks))
        stopped = progress is not None and progress(overall) is True
        return stopped

    group_checkpoint = None if checkpoint is None else GroupCheckpoint(checkpoint, group)
    limits = limits_of(tasks[group[0]])

    failure: Exception | None = None
    try:
        keys = solving.first_keys([_stream(tasks[k], "start") for k in group])
        starts = {k: _starts(tasks[k], points[k], key)[0] for k, key in zip(group, keys, strict=True)}
        outcomes = solving.solve_batch(
            [points[k].games[0] for k in group],
            [points[k].methods[0] for k in group],
            [starts[k] for k in group],
            seed=[_stream(tasks[k], "play") for k in group],
            progress=watch,
            tolerance=tasks[0]["tolerance"],
            path=True,
            checkpoint=group_checkpoint,
            part=_part(len(tasks)),
            **limits,
        )
    except Exception as error:  # of a game or a method, or for want of memory
        failure = error.with_traceback(None)  # which would hold the batch's arrays
    if stopped:
        raise Stopped
    if failure is None:
        for k, outcome in zip(group, outcomes, strict=True):
            try:
                record = outcome.record | plot_record(points[k].games[0], outcome.record, tasks[k]["views"])
                reason = not_converged(points[k].games[0], outcome, limits["max_steps"], None)
                found_one = Computed(record, [(UserWarning, reason)] if reason else [])
            except Exception as error:
                found_one = Computed(None, error=error)
            yield k, found_one
        return
    errors = _failing(group, tasks, folder, progress) or dict.fromkeys(group, failure)
    yield from ((k, Computed(None, error=error)) for k, error in errors.items())
    if fine := [k for k in group if k not in errors]:
        yield from _of_group(fine, tasks, folder, points, progress, finished, checkpoint)


def _failing(
    group: Sequence[int], tasks: Sequence[Task], folder: Path, progress: ProgressCallback | None
) -> dict[int, Exception]:
    """Return the errors of the cells that fail alone."""
    errors: dict[int, Exception] = {}
    with warnings.catch_warnings(action="ignore"):  # those who succeed are computed again, those who fail too
        for k in group:
            try:
                run_cell(tasks[k], folder, progress=progress)
            except Stopped:
                raise
            except Exception as error:
                errors[k] = error
    return errors


def _learn_cells(
    batch: Sequence[tuple[str, Task]],
    points: Mapping[int, BatchPoints],
    progress: ProgressCallback | None,
    checkpoint: solving.Checkpoint | None,
) -> Iterator[tuple[int, Computed]]:
    """Yield the same as `run_cells`, of sessions of learners."""
    sessions = []
    for k, cell_points in points.items():
        id, task = batch[k]
        table = task["method"]
        start = None if table.get("start") is None else _starts(task, cell_points)[0]
        steps = table.get("steps") or table.get("max_steps")
        first = cell_points.shared[0], cell_points.games[0], cell_points.methods[0]
        sessions.append(solving.LearnerTask(id, *first, start, _stream(task, "play"), steps))
    outcomes = solving.learn_together(
        sessions,
        part=_part(len(batch)),
        progress=progress,
        tolerance=batch[0][1]["tolerance"],
        checkpoint=checkpoint,
    )
    if outcomes is None:
        raise Stopped
    for (k, cell_points), outcome in zip(points.items(), outcomes, strict=True):
        computed = Computed(None, outcome.cautions, outcome.error)
        if outcome.solution is not None:
            record = outcome.solution.record
            try:
                game = played_game(cell_points.games[0], cell_points.methods[0], record)
                record = record | plot_record(game, record, batch[k][1]["views"])
                computed = computed._replace(record=record)
            except Exception as error:
                computed = computed._replace(error=error)
        yield k, computed


def _part(cells: int) -> int:
    """Return the number of games of a batch of cells that a program takes: it depends on the study only."""
    return min(PART, 1 << (cells - 1).bit_length())


def limits_of(task: Task) -> TableDict:
    """Return the tolerance and the number of steps of a cell that is computed with others."""
    table = task["method"]
    steps = table.get("steps") or table.get("max_steps") or STEPS
    return {"tol": table.get("tol") or 1e-8, "max_steps": steps}


def views_of(task: Task, folder: Path, record: Record, names: Sequence[str]) -> Record:
    """Return plot data of a stored cell's game at its profile; empty where a cell holds several profiles."""
    points = points_of(task, folder)
    if points.shape:
        return {}
    return plot_record(played_game(points.games[0], points.methods[0], record), record, names)


def played_game(game: object, method: object, record: Record) -> Any:
    """Return the game to which a record's profile belongs."""
    return as_learner(method).played(game, record) if isinstance(method, Learner) else game


_points: Known[BatchPoints] = {}  # of the last task, which the next replication has in common


def points_of(task: Task, folder: Path) -> BatchPoints:
    """Return the games and methods of a task's points, the same for its replications. Raises `ValueError`."""
    if task.get("files"):  # a user's game or method may change itself
        return _build_points(task, folder)
    key = _key_of(task, folder)
    if key not in _points:
        _points.clear()
    return remembered(_points, key, partial(_build_points, task, folder))


def _key_of(task: Task, folder: Path) -> str:
    return json.dumps([str(folder), *(task[part] for part in ("game", "method", "batch"))])


def _build_points(task: Task, folder: Path) -> BatchPoints:
    games, methods = [], []
    for _, game_table, method_table in batch_points(task):
        games.append(build_game(game_table, folder))
        methods.append(build_method(method_table, folder, games[-1]))
    if not task["batch"]:
        if (count := task["method"].get("starts")) is None:
            return BatchPoints(games, methods, {}, {}, [solving.InCommon()])
        place: Record = {"batch": (("batch",), np.arange(count))}
        shared = [solving.InCommon()] * count
        return BatchPoints(games * count, methods * count, {"batch": count}, place, shared)
    grid = Grid(task["batch"], "batch")
    names = short_names(grid.values)
    values = {names[key]: _coordinate(values) for key, values in grid.values.items()}
    along = dict.fromkeys(values, next(iter(values))) if grid.zipped else {name: name for name in values}
    shape = {dim: len(values[dim]) for dim in along.values()}
    coordinates: Record = {name: ((along[name],), numbers) for name, numbers in values.items()}
    return BatchPoints(games, methods, shape, coordinates, [solving.InCommon() for _ in games])


def _coordinate(values: Sequence[Any]) -> np.ndarray:
    """Return the values as an array; lists and mixtures of types as text."""
    if any(isinstance(value, list | str) for value in values):
        values = [value if isinstance(value, str) else repr(value) for value in values]
    return np.asarray(values)


def _solve(
    task: Task, points: BatchPoints, progress: ProgressCallback, checkpoint: solving.Checkpoint | None
) -> list[Record]:
    """Return one record per batch index."""
    table, learns = task["method"], isinstance(points.methods[0], Learner)
    settings: TableDict = {"tolerance": task["tolerance"]}
    for key in ("tol", "max_steps", "max_seconds", "steps"):
        if table.get(key) is not None:
            settings["max_steps" if key == "steps" else key] = table[key]
    seed = _stream(task, "play")
    has_starts = not learns or table.get("start") is not None
    starts: list[Any] = _starts(task, points) if has_starts else [None] * len(points.games)
    options: TableDict = settings | {"seed": seed, "progress": progress, "checkpoint": checkpoint}
    if not points.shape:
        path = True if learns else table.get("path", True)
        (game,), (method,), (start,), (shared,) = points.games, points.methods, starts, points.shared
        return [solving.replicate(shared, game, method, start, path=path, **options).record]
    if learns:
        return _learn_in_turn(points, starts, seed, progress, settings)
    outcomes = solving.solve_batch(points.games, points.methods, starts, **options)
    if "batch" not in points.shape:
        return [outcome.record for outcome in outcomes]
    dims = outcomes[0].record["profile"][0]
    return [
        outcome.record | {"start_profile": (dims, np.asarray(x))}
        for outcome, x in zip(outcomes, starts, strict=True)
    ]


def _learn_in_turn(
    points: BatchPoints,
    starts: Sequence[Any],
    seed: SeedSequence,
    progress: ProgressCallback,
    settings: Table,
) -> list[Record]:
    """Return the records of a batch of learners, each with a random stream of its own."""
    records = []
    for k, (shared, game, learner, start) in enumerate(
        zip(points.shared, points.games, points.methods, starts, strict=True)
    ):
        # by number, so that a stream does not depend on how many were made before
        stream = SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, k))
        records.append(solving.replicate(shared, game, learner, start, seed=stream, **settings).record)
        if progress(Progress(k + 1, len(points.games))) is True:
            break
    return records


def _stream(task: Task, purpose: str) -> SeedSequence:
    return solving.stream(task["seed"], purpose, task["point"], task["replication"])


def _starts(task: Task, points: BatchPoints, key: jax.Array | None = None) -> list[Any]:
    """Return a start per batch index: as given, named by the game, from a lattice, or sampled by the key."""
    start = task["method"].get("start", "random")
    if start == "grid":
        return list(lattice(points.games[0].space, len(points.games)))
    if not isinstance(start, str):
        pairs = zip(points.methods, points.games, strict=True)
        return [game.space.check(floats(start_of(method, game, start))) for method, game in pairs]
    if start != "random":
        return [named_start(game, start) for game in points.games]
    key = solving.key_of(_stream(task, "start")) if key is None else key
    keys = jax.random.split(key, len(points.games)) if points.shape else [key]
    return [game.space.sample(key) for game, key in zip(points.games, keys, strict=True)]


class Job(NamedTuple):
    """A cell and the folders of its files, as sent to a worker."""

    id: str
    task: TableDict
    folder: str  # folder of the study
    out: str  # folder of the run
    every: float = CHECKPOINT
    trusted: bool = False  # whether pickles of others are read
    batch: tuple[
        tuple[str, Task], ...
    ] = ()  # all cells that are computed together, by id; none for one alone
    missing: tuple[str, ...] = ()  # those of them that have no file yet
    key: str = ""  # with which pickles are signed; by default that of the user of the process

    @property
    def paths(self) -> dict[str, Path]:
        """The files of the finished cells by id."""
        return {id: Path(self.out, "cells", f"{id}.npz") for id in self.missing or [self.id]}

    @property
    def checkpoint_path(self) -> Path:
        """The file of the cell's checkpoint."""
        cell_id = self.batch[0][0] if self.batch else self.id  # whichever of a batch's cells are missing
        return Path(self.out, "checkpoints", f"{cell_id}.npz")

    def checkpoint(self, kind: type[CheckpointFile] = CheckpointFile) -> CheckpointFile:
        """Return the cell's checkpoint."""
        return kind(self.checkpoint_path, self.every, self.key, trusted=self.trusted)


def _carry_out_together(
    job: Job, progress: Callable[[Progress], object] | None, kind: type[CheckpointFile]
) -> float:
    """Compute a batch of cells, write the files that are missing, and return the processor time in seconds.

    Files are written as soon as their cells are computed. Warnings begin with the id of their cell. If cells
    fail, the first error is raised after all others are written.
    """
    began, paths, checkpoint = time.process_time(), job.paths, job.checkpoint(kind)
    numbers, error = [k for k, (id, _) in enumerate(job.batch) if id in paths], None
    for k, outcome in run_cells(
        job.batch, Path(job.folder), numbers_to_compute=numbers, progress=progress, checkpoint=checkpoint
    ):
        if (id := job.batch[k][0]) not in paths:
            continue
        error = error or outcome.error
        for category, text in outcome.cautions:
            warnings.warn(f"{id}: {text}", category, stacklevel=2)
        if outcome.record is not None:
            files.write(paths[id], files.pack(outcome.record, kind="cell", name=id))
    checkpoint.drop()
    if error is not None:
        raise error
    return time.process_time() - began


def carry_out(
    job: Job,
    progress: Callable[[Progress], object] | None = None,
    kind: type[CheckpointFile] = CheckpointFile,
) -> float:
    """Compute a cell or a batch of them, write their files, and return the processor time in seconds.

    Resume from the cell's checkpoint, of the class ``kind``, if there is one.

    Raises
    ------
    files.DiskFull
        If the file cannot be written for lack of space.
    Stopped
        If ``progress`` returned True.
    Exception
        Any error of the cell.
    """
    if job.batch:
        return _carry_out_together(job, progress, kind)
    # of this process, which has one job at a time: wall time depends on what else the machine does
    began = time.process_time()
    checkpoint = job.checkpoint(kind)
    record = run_cell(job.task, Path(job.folder), progress=progress, checkpoint=checkpoint)
    seconds = time.process_time() - began
    # waiting for the disk takes longer than to compute a quick cell again
    files.write(job.paths[job.id], files.pack(record, kind="cell", name=job.id), durable=seconds > 1)
    # after the file is written: a kill in between loses nothing
    checkpoint.drop()
    if seconds > COMPILED:
        forget_programs()
    return seconds

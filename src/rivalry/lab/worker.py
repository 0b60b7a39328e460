"""Computation of one cell: game, method, solution and plot data, as plain arrays without labels."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rivalry import solving
from rivalry.core import files
from rivalry.core.certify import certificate
from rivalry.core.game import Game
from rivalry.core.jax import forget_programs, jax, jnp
from rivalry.core.method import Learner, as_learner
from rivalry.core.oracles import named_start, plot_data
from rivalry.core.results import Record, stacked, unstacked
from rivalry.plots import PATH_VIEWS
from rivalry.solving import Progress, ProgressCallback
from rivalry.solving.basins import grouped
from rivalry.solving.ends import has_answer
from rivalry.solving.path_data import path_view
from rivalry.solving.starts import lattice

Task = Mapping[str, Any]

CHECKPOINT = 10.0  # seconds between two saves of a long cell
COMPILED = 0.1  # seconds: a faster cell compiled nothing


class BatchPoints(NamedTuple):
    """Points that one cell computes: a game and a method per point, row-major."""

    games: list[Game]
    methods: list[Any]
    shape: dict[str, int]  # dimension: length; empty for a single point
    coordinates: Record


class Kept:
    """Checkpoint file of a long cell, saved every ``every`` seconds."""

    def __init__(self, path: Path, every: float = CHECKPOINT) -> None:
        from importlib.metadata import version

        self.path, self.every = path, every
        self.made_by = {"rivalry": version("rivalry"), "jax": jax.__version__}
        self._saved = time.monotonic()

    def load(self) -> dict[str, np.ndarray] | None:
        """Return the arrays saved last; None if missing, damaged, or written by other versions."""
        try:
            stored = files.read(self.path, kind="checkpoint", name=self.path.stem, made_by=self.made_by)
        except files.DamagedFile:
            return None
        return {name: array for name, (_, array) in stored.record.items()}

    def due(self) -> bool:
        """Return whether the last save was at least ``every`` seconds ago."""
        return time.monotonic() - self._saved >= self.every

    def save(self, arrays: dict[str, np.ndarray]) -> None:
        """Save arrays. Raises `files.DiskFull`."""
        record = {name: (tuple(map(str, range(np.ndim(a)))), a) for name, a in arrays.items()}
        self.path.parent.mkdir(exist_ok=True)
        meta = {"kind": "checkpoint", "name": self.path.stem, "made_by": self.made_by}
        files.write(self.path, files.pack(record, **meta), durable=True)
        self._saved = time.monotonic()

    def drop(self) -> None:
        """Delete the checkpoint of a finished cell."""
        self.path.unlink(missing_ok=True)


class Stopped(Exception):
    """Exception for an unfinished cell that its progress callback stopped."""


def run_cell(
    task: Task,
    folder: Path,
    *,
    progress: ProgressCallback | None = None,
    checkpoint: solving.Checkpoint | None = None,
) -> Record:
    """Return a cell's record: the solution, its certificate, the game's metrics and the study's plot data.

    With a ``[batch]`` or ``starts`` every variable has the batch dimensions first.

    Parameters
    ----------
    folder
        Folder of the study's ``.py`` files.

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

    lanes = lanes_of(task, folder)
    solutions = _solve(task, lanes, watch, checkpoint)
    if stopped:
        raise Stopped
    records = [
        record | _views(_played(game, method, record), record, task["views"])
        for game, method, record in zip(lanes.games, lanes.methods, solutions, strict=True)
    ]
    if not lanes.shape:
        return records[0]
    found = stacked(records, lanes.shape) | lanes.coordinates
    return found | grouped(lanes.games[0], found) if "lane" in lanes.shape else found


def _played(game: Any, method: Any, record: Record) -> Any:
    """Return the game to which a record's profile belongs."""
    return as_learner(method).played(game, record) if isinstance(method, Learner) else game


def recertify(task: Task, folder: Path, record: Record) -> Record:
    """Return a recomputed certificate of a stored cell's profiles; empty for a cell without one."""
    if "profile" not in record or "regret" not in record:
        return {}
    lanes = lanes_of(task, folder)
    lead = tuple(lanes.shape.values())
    if record["profile"][0][len(lead) :] != ("player", "axis") or not isinstance(lanes.games[0], Game):
        return {}  # certified by the method, from more data than are stored
    profiles = record["profile"][1].reshape(prod(lead), *record["profile"][1].shape[len(lead) :])
    proofs = [
        certificate(_played(game, method, one), jnp.asarray(profile), tolerance=task["tolerance"]).record()
        for game, method, one, profile in zip(
            lanes.games, lanes.methods, unstacked(record, len(lead)), profiles, strict=True
        )
        if np.all(np.isfinite(profile))
    ]
    if len(proofs) < len(profiles):  # a batch index without a solution has no certificate to stack
        return {}
    return stacked(proofs, lanes.shape) if lanes.shape else proofs[0]


def lanes_of(task: Task, folder: Path) -> BatchPoints:
    """Return the games and methods of a task's points. Raises `ValueError`."""
    from rivalry.lab.study import build_game, build_method, lanes
    from rivalry.lab.study.points import Grid, short_names

    games, methods = [], []
    for _, game_table, method_table in lanes(task):
        games.append(build_game(game_table, folder))
        methods.append(build_method(method_table, folder, games[-1]))
    if not task["batch"]:
        count = task["method"].get("starts")
        if count is None:
            return BatchPoints(games, methods, {}, {})
        return BatchPoints(
            games * count, methods * count, {"lane": count}, {"lane": (("lane",), np.arange(count))}
        )
    grid = Grid(task["batch"], "batch")
    names = short_names(grid.values)
    values = {names[key]: _coordinate(found) for key, found in grid.values.items()}
    if grid.zipped:
        first = next(iter(values))
        return BatchPoints(games, methods, {first: len(games)}, {k: ((first,), v) for k, v in values.items()})
    shape = {name: len(found) for name, found in values.items()}
    return BatchPoints(games, methods, shape, {k: ((k,), v) for k, v in values.items()})


def _coordinate(values: Sequence[Any]) -> np.ndarray:
    """Return the values as an array; lists and mixtures of types as text."""
    if all(isinstance(value, str) for value in values) or not any(isinstance(v, list | str) for v in values):
        return np.asarray(values)
    return np.asarray([value if isinstance(value, str) else repr(value) for value in values])


def _solve(
    task: Task, lanes: BatchPoints, progress: ProgressCallback, checkpoint: solving.Checkpoint | None
) -> list[Record]:
    """Return one record per batch index."""
    table, tolerance = task["method"], task["tolerance"]
    seed = solving.stream(task["seed"], "play", task["point"], task["replication"])
    if isinstance(lanes.methods[0], Learner):
        return _learn(task, lanes, seed, progress, checkpoint)
    settings: dict[str, Any] = {
        "seed": seed,
        "tolerance": tolerance,
        "progress": progress,
        "checkpoint": checkpoint,
    }
    for key in ("tol", "max_steps", "max_seconds"):
        if table.get(key) is not None:
            settings[key] = table[key]
    starts = _starts(task, lanes)
    if not lanes.shape:
        settings["path"] = table.get("path", True)
        return [solving.solve(lanes.games[0], lanes.methods[0], starts[0], **settings).record]
    found = solving.solve_lanes(lanes.games, lanes.methods, starts, **settings)
    if "lane" not in lanes.shape:
        return [one.record for one in found]
    begun = [
        {"start_profile": (one.record["profile"][0], np.asarray(x))}
        for one, x in zip(found, starts, strict=True)
    ]
    return [one.record | start for one, start in zip(found, begun, strict=True)]


def _learn(
    task: Task,
    lanes: BatchPoints,
    seed: np.random.SeedSequence,
    progress: ProgressCallback,
    checkpoint: solving.Checkpoint | None,
) -> list[Record]:
    """Return one record per batch index of a learner, computed in turn with separate random streams."""
    steps, seconds = task["method"].get("steps"), task["method"].get("max_seconds")
    tolerance = task["tolerance"]
    starts = _starts(task, lanes) if task["method"].get("start") is not None else [None] * len(lanes.games)
    if not lanes.shape:
        found = solving.solve(
            lanes.games[0],
            lanes.methods[0],
            max_steps=steps,
            start=starts[0],
            seed=seed,
            max_seconds=seconds,
            progress=progress,
            tolerance=tolerance,
            checkpoint=checkpoint,
        )
        return [found.record]
    records = []
    for k, (game, learner, start) in enumerate(zip(lanes.games, lanes.methods, starts, strict=True)):
        own = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, k))
        found = solving.solve(
            game, learner, max_steps=steps, start=start, seed=own, max_seconds=seconds, tolerance=tolerance
        )
        records.append(found.record)
        if progress(Progress(k + 1, len(lanes.games))) is True:
            break
    return records


def _starts(task: Task, lanes: BatchPoints) -> list[Any]:
    """Return a start per batch index: as given, named by the game, from a lattice, or sampled."""
    start = task["method"].get("start", "random")
    if start == "grid":
        return list(lattice(lanes.games[0].space, len(lanes.games)))
    if not isinstance(start, str):
        return [game.space.check(np.asarray(start, dtype=float)) for game in lanes.games]
    if start != "random":
        return [named_start(game, start) for game in lanes.games]
    key = solving.key_of(solving.stream(task["seed"], "start", task["point"], task["replication"]))
    keys = jax.random.split(key, len(lanes.games)) if lanes.shape else [key]
    return [game.space.sample(own) for game, own in zip(lanes.games, keys, strict=True)]


def _views(game: Any, record: Record, wanted: Sequence[str]) -> Record:
    """Return the data of the study's plots at the solution; empty without a solution."""
    if not has_answer(record):
        return {}
    x = jnp.asarray(record["profile"][1])
    found: Record = {}
    for name in wanted:
        if name in PATH_VIEWS:
            found |= path_view(game, record, name)
        elif name in (drawn := plot_data(game)):
            view = drawn[name](x).items()
            found |= {key: (tuple(dims), np.asarray(array)) for key, (dims, array) in view}
    return found


class Job(NamedTuple):
    """A cell and the folders of its files, as sent to a worker."""

    id: str
    task: dict[str, Any]
    folder: str  # folder of the study
    out: str  # folder of the run
    every: float = CHECKPOINT


def carry_out(
    job: Job, progress: Callable[[Progress], object] | None = None, keep: Callable[..., Kept] = Kept
) -> float:
    """Compute a cell, write its file, and return the wall time in seconds.

    Resume from the cell's checkpoint, if there is one.

    Parameters
    ----------
    keep
        Constructor of the checkpoint, as `Kept`.

    Raises
    ------
    files.DiskFull
        If the file cannot be written for lack of space.
    Stopped
        If ``progress`` returned True.
    Exception
        Any error of the cell.
    """
    began = time.perf_counter()
    out = Path(job.out)
    kept = keep(out / "checkpoints" / f"{job.id}.npz", job.every)
    record = run_cell(job.task, Path(job.folder), progress=progress, checkpoint=kept)
    seconds = time.perf_counter() - began
    path = out / "cells" / f"{job.id}.npz"
    files.write(path, files.pack(record, kind="cell", name=job.id), durable=seconds > 1)
    kept.drop()
    if seconds > COMPILED:
        forget_programs()
    return seconds

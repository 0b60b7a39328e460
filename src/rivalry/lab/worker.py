"""Computation of one cell: game, method, solution and plot data, as plain arrays without labels."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rivalry import solving
from rivalry.core import files
from rivalry.core.certify import certificate
from rivalry.core.game import Game, is_population
from rivalry.core.jax import forget_programs, jax
from rivalry.core.method import Learner, as_learner
from rivalry.core.oracles import named_start
from rivalry.core.remember import Known, remembered
from rivalry.core.results import Certificate, Record, stack_records, unstack_records
from rivalry.core.space import lattice
from rivalry.core.tolerances import SAME_NUMBER
from rivalry.lab import trust
from rivalry.lab.study import batch_points, build_game, build_method
from rivalry.lab.study.points import Grid, short_names
from rivalry.solving import Progress, ProgressCallback
from rivalry.solving.ends import group_basins
from rivalry.solving.path_data import plot_record

Task = Mapping[str, Any]

CHECKPOINT = 10.0  # seconds between two saves of a long cell
COMPILED = 0.1  # seconds: a faster cell compiled nothing


class BatchPoints(NamedTuple):
    """Points that one cell computes: a game and a method per point, row-major."""

    games: list[Game]
    methods: list[Any]
    shape: dict[str, int]  # dimension: length; empty for a single point
    coordinates: Record
    shared: list[solving.InCommon]


class CheckpointFile:
    """Checkpoint file of a long cell, saved every ``every`` seconds.

    Pickles in it are signed with ``key``, by default the user's; others are refused unless ``trusted``.
    """

    def __init__(
        self, path: Path, every: float = CHECKPOINT, key: str = "", *, trusted: bool = False
    ) -> None:
        self.path, self.every, self.key, self.trusted = path, every, key, trusted
        # checkpoints hold a state's arrays by number, so only the versions that wrote them can read them
        self.made_by = _versions()
        self._saved = time.monotonic()

    def load(self) -> dict[str, np.ndarray] | None:
        """Return the arrays saved last; None if missing, damaged, or written by other versions.

        Raises `files.StoreError` for a pickle that somebody else wrote.
        """
        try:
            stored = files.read(self.path, kind="checkpoint", name=self.path.stem, made_by=self.made_by)
        except files.DamagedFile:
            return None
        if not self.trusted and not trust.is_own(self.path, stored, self.key):
            why = "continues from a pickle that was not written here, which can run any code"
            raise files.StoreError(f"{self.path}: {why}; --trust reads it all the same, or remove it")
        return {name: array for name, (_, array) in stored.record.items()}

    def due(self) -> bool:
        """Return whether the last save was at least ``every`` seconds ago."""
        return time.monotonic() - self._saved >= self.every

    def save(self, arrays: dict[str, np.ndarray]) -> None:
        """Save arrays. Raises `files.DiskFull`."""
        record = {name: (tuple(map(str, range(np.ndim(a)))), a) for name, a in arrays.items()}
        files.folder_for(self.path.parent)
        meta: dict[str, Any] = {"kind": "checkpoint", "name": self.path.stem, "made_by": self.made_by}
        if any(name.endswith(trust.PICKLE) for name in arrays):
            meta["signature"] = trust.signature(arrays, self.key or trust.cell_key(self.path.stem))
        files.write(self.path, files.pack(record, **meta), durable=True)
        self._saved = time.monotonic()

    def drop(self) -> None:
        """Delete the checkpoint of a finished cell."""
        self.path.unlink(missing_ok=True)


@cache  # to find them takes longer than to compute a quick cell
def _versions() -> Mapping[str, str]:
    """Return the versions that a checkpoint depends on, without loading JAX."""
    return {name: version(name) for name in ("rivalry", "jax")}


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

    points = points_of(task, folder)
    solutions = _solve(task, points, watch, checkpoint)
    if stopped:
        raise Stopped
    records = [
        record | plot_record(_played_game(game, method, record), record, task["views"])
        for game, method, record in zip(points.games, points.methods, solutions, strict=True)
    ]
    if not points.shape:
        return records[0]
    found = stack_records(records, points.shape) | points.coordinates
    return found | group_basins(points.games[0], found) if "batch" in points.shape else found


def views_of(task: Task, folder: Path, record: Record, names: Sequence[str]) -> Record:
    """Return plot data of a stored cell's game at its profile; empty where a cell holds several profiles."""
    points = points_of(task, folder)
    if points.shape:
        return {}
    return plot_record(_played_game(points.games[0], points.methods[0], record), record, names)


def _played_game(game: object, method: object, record: Record) -> Any:
    """Return the game to which a record's profile belongs."""
    return as_learner(method).played(game, record) if isinstance(method, Learner) else game


def recertify(task: Task, folder: Path, record: Record, proof: bool = False) -> Record:
    """Return a recomputed certificate of a stored cell's profiles; empty for a cell without one.

    A method certifies claims that are not about a profile from more data than are stored: these are not
    recomputed. With ``proof``, their ``certificate_method`` says what they are about.
    """
    if "regret" not in record:
        return {}
    points = points_of(task, folder)
    lead = tuple(points.shape.values())
    dims, stored = record.get("profile", ((), np.zeros(0)))
    if dims[len(lead) :] != ("player", "axis") or not isinstance(points.games[0], Game):
        return _without_profile(points.games[0], record) if proof else {}
    profiles = stored.reshape(prod(lead), *stored.shape[len(lead) :])
    proofs = []
    for game, method, one, profile in zip(
        points.games, points.methods, unstack_records(record, len(lead)), profiles, strict=True
    ):
        found, known = Record(), Certificate.from_record(one)
        if np.all(np.isfinite(profile)):  # else a batch index without a solution
            played = _played_game(game, method, one)
            new = certificate(played, profile, tolerance=task["tolerance"], proof=proof)
            if known is not None:  # only the method knows its concept, and the residual of its equations
                new = new._replace(concept=known.concept, residual=known.residual)
            found = new.record()
        proofs.append(found)
    if not any(proofs):
        return {}
    return stack_records(proofs, points.shape) if points.shape else proofs[0]


def certificate_changes(stored: Record, new: Record, proof: bool) -> str:
    """Return in one line what a recomputed certificate says differently; empty if nothing.

    With ``proof`` bounds are expected to change, and are left out.
    """
    said = []
    for name in ("claim", "coverage", "concept", "rounding", "tolerance", "regret", "bound"):
        if name not in stored or name not in new or (proof and name in ("bound", "rounding")):
            continue
        (_, old), (_, now) = stored[name], new[name]
        if old.shape != now.shape:
            said.append(f"{name} had the shape {old.shape}, has {now.shape}")
            continue
        text = old.dtype.kind == "U"
        same = old == now if text else np.isclose(old, now, rtol=SAME_NUMBER, atol=0.0, equal_nan=True)
        if not np.all(same):
            first = tuple(np.argwhere(np.atleast_1d(~same))[0][: old.ndim])
            words = [repr(str(one[first])) if text else f"{float(one[first]):.6g}" for one in (old, now)]
            more = int(np.sum(~same)) - 1
            said.append(f"{name} was {words[0]}, is {words[1]}" + f" (and {more} more)" * (more > 0))
    return "; ".join(said)


COMPUTED = {
    "exact": "best responses are exact up to floating point",
    "bounded": "gains are bounded in floating point",
}
"""How the gains of a claim without a profile are computed, by coverage; others are estimates."""


def _without_profile(game: object, record: Record) -> Record:
    """Return the methods of certificates, with why a claim that is not about a profile has no proof."""
    about = "mixed strategies" if "mixture" in record else "policies over periods"
    about = "a policy of a population" if is_population(game) else about
    dims, methods = record["certificate_method"]
    coverage, claim = (record[name][1] for name in ("coverage", "claim"))

    def reason(method: str, coverage: str, claim: str) -> str:
        if claim in ("", "not an equilibrium"):
            return method
        how = COMPUTED.get(coverage, "gains are estimates")
        return f"{method}; no profile to enclose: the claim is about {about}, whose {how}"

    found = [reason(*map(str, row)) for row in zip(methods.flat, coverage.flat, claim.flat, strict=True)]
    return {"certificate_method": (dims, np.array(found).reshape(methods.shape))}


_points: Known[BatchPoints] = {}  # of the last task, which the next replication has in common


def points_of(task: Task, folder: Path) -> BatchPoints:
    """Return the games and methods of a task's points, the same for its replications. Raises `ValueError`."""
    if task.get("files"):  # a user's game or method may change itself
        return _build_points(task, folder)
    key = json.dumps([str(folder), *(task[part] for part in ("game", "method", "batch"))])
    if key not in _points:
        _points.clear()
    return remembered(_points, key, partial(_build_points, task, folder))


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
    values = {names[key]: _coordinate(found) for key, found in grid.values.items()}
    along = dict.fromkeys(values, next(iter(values))) if grid.zipped else {name: name for name in values}
    shape = {dim: len(values[dim]) for dim in along.values()}
    coordinates: Record = {name: ((along[name],), own) for name, own in values.items()}
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
    settings: dict[str, Any] = {"tolerance": task["tolerance"]}
    for key in ("tol", "max_steps", "max_seconds", "steps"):
        if table.get(key) is not None:
            settings["max_steps" if key == "steps" else key] = table[key]
    seed = solving.stream(task["seed"], "play", task["point"], task["replication"])
    chosen = not learns or table.get("start") is not None
    starts: list[Any] = _starts(task, points) if chosen else [None] * len(points.games)
    whole: dict[str, Any] = settings | {"seed": seed, "progress": progress, "checkpoint": checkpoint}
    if not points.shape:
        path = True if learns else table.get("path", True)
        (game,), (method,), (start,), (shared,) = points.games, points.methods, starts, points.shared
        return [solving.replicate(shared, game, method, start, path=path, **whole).record]
    if learns:
        return _learn_in_turn(points, starts, seed, progress, settings)
    found = solving.solve_batch(points.games, points.methods, starts, **whole)
    if "batch" not in points.shape:
        return [one.record for one in found]
    dims = found[0].record["profile"][0]
    return [
        one.record | {"start_profile": (dims, np.asarray(x))} for one, x in zip(found, starts, strict=True)
    ]


def _learn_in_turn(
    points: BatchPoints,
    starts: Sequence[Any],
    seed: np.random.SeedSequence,
    progress: ProgressCallback,
    settings: Mapping[str, Any],
) -> list[Record]:
    """Return the records of a batch of learners, each with a random stream of its own."""
    records = []
    for k, (shared, game, learner, start) in enumerate(
        zip(points.shared, points.games, points.methods, starts, strict=True)
    ):
        # by number, so that a stream does not depend on how many were made before
        own = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, k))
        records.append(solving.replicate(shared, game, learner, start, seed=own, **settings).record)
        if progress(Progress(k + 1, len(points.games))) is True:
            break
    return records


def _starts(task: Task, points: BatchPoints) -> list[Any]:
    """Return a start per batch index: as given, named by the game, from a lattice, or sampled."""
    start = task["method"].get("start", "random")
    if start == "grid":
        return list(lattice(points.games[0].space, len(points.games)))
    if not isinstance(start, str):
        return [game.space.check(np.asarray(start, dtype=float)) for game in points.games]
    if start != "random":
        return [named_start(game, start) for game in points.games]
    key = solving.key_of(solving.stream(task["seed"], "start", task["point"], task["replication"]))
    keys = jax.random.split(key, len(points.games)) if points.shape else [key]
    return [game.space.sample(own) for game, own in zip(points.games, keys, strict=True)]


class Job(NamedTuple):
    """A cell and the folders of its files, as sent to a worker."""

    id: str
    task: dict[str, Any]
    folder: str  # folder of the study
    out: str  # folder of the run
    every: float = CHECKPOINT
    trusted: bool = False  # whether pickles of others are read
    key: str = ""  # with which pickles are signed; by default that of the user of the process

    @property
    def cell_path(self) -> Path:
        """The file of the finished cell."""
        return Path(self.out, "cells", f"{self.id}.npz")

    @property
    def checkpoint_path(self) -> Path:
        """The file of the cell's checkpoint."""
        return Path(self.out, "checkpoints", f"{self.id}.npz")

    def checkpoint(self, kind: type[CheckpointFile] = CheckpointFile) -> CheckpointFile:
        """Return the cell's checkpoint."""
        return kind(self.checkpoint_path, self.every, self.key, trusted=self.trusted)


def carry_out(
    job: Job,
    progress: Callable[[Progress], object] | None = None,
    kind: type[CheckpointFile] = CheckpointFile,
) -> float:
    """Compute a cell, write its file, and return the wall time in seconds.

    Resume from the cell's checkpoint, if there is one.

    Parameters
    ----------
    kind
        Class of the checkpoint.

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
    checkpoint = job.checkpoint(kind)
    record = run_cell(job.task, Path(job.folder), progress=progress, checkpoint=checkpoint)
    seconds = time.perf_counter() - began
    # waiting for the disk takes longer than to compute a quick cell again
    files.write(job.cell_path, files.pack(record, kind="cell", name=job.id), durable=seconds > 1)
    # after the file is written: a kill in between loses nothing
    checkpoint.drop()
    if seconds > COMPILED:
        forget_programs()
    return seconds

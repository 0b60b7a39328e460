"""Learners, whose loops live in kernels: chunk by chunk, with progress and checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any
from warnings import warn

import numpy as np

from rivalry.core.game import Learner, played, started, world_of
from rivalry.core.plain import registered
from rivalry.core.results import Solution
from rivalry.solving.ends import certified, out_of_time
from rivalry.solving.inputs import (
    LEARNER,
    checked_count,
    checked_game,
    checked_method,
    checked_seconds,
    checked_settings,
)
from rivalry.solving.progress import Checkpoint, Limited, Progress, ProgressCallback
from rivalry.solving.randomness import stream

STEPS = 10_000
DONE = "_done"  # steps taken, beside the session's own arrays


def run_learner(
    game: Any,
    learner: Learner,
    start: object,
    *,
    seed: int | np.random.SeedSequence,
    max_steps: int | None,
    max_seconds: float | None,
    progress: ProgressCallback | None,
    tolerance: float | None,
    checkpoint: Checkpoint | None,
) -> Solution:
    """Run a learner in chunks of about a quarter of a second, and certify the profile that it plays.

    Chunk borders do not affect the result. Raises `ValueError`; see `rivalry.solve`.
    """
    if isinstance(game, type):  # a learner may take anything else as its world
        checked_game(game)
    checked_method(learner, LEARNER)
    checked_settings(seed, 0.0, progress, checkpoint)
    world = world_of(registered(game), learner)
    known = max_steps is not None or not getattr(learner, "open_ended", False)
    steps = length_of(learner, world) if max_steps is None else checked_count(max_steps, "max_steps")
    sequence = seed if isinstance(seed, np.random.SeedSequence) else stream(seed, "play")
    saved = checkpoint.load() if checkpoint is not None else None
    if saved is None:
        session, done = _begun(game, learner, world, sequence, start), 0
    else:
        session, done = _restored(learner, saved), int(saved[DONE][0])
    watch = Limited(progress, checked_seconds(max_seconds))
    chunk, finished, stopped = 1, False, False
    while done < steps and not finished and not stopped:
        began = perf_counter()
        taken = learner.advance(world, session, min(chunk, steps - done))
        took = perf_counter() - began
        finished = taken == 0
        done += taken
        chunk = max(1, min(int(chunk * min(8.0, 0.25 / max(took, 1e-9))), 2**40))
        if checkpoint is not None and checkpoint.due():
            checkpoint.save(_arrays(learner, session) | {DONE: np.asarray([done])})
        stopped = watch(Progress(done, steps if known else _guessed(learner, world, done)))
    record = dict(learner.read(world, session))
    record.setdefault("status", ((), np.asarray("converged" if finished else "completed")))
    if str(record["status"][1]) == "completed" and done < steps and not finished:  # it was stopped before
        record["status"] = ((), np.asarray("iteration limit"))
    record["steps"] = ((), np.asarray(done))
    record |= out_of_time(record, watch.over and done < steps)
    if "remedy" in record and not stopped:
        warn(f"not converged: {record['remedy'][1]}", stacklevel=2)
    return certified(played(game, learner, record), record, tolerance)


def length_of(learner: Any, world: Any) -> int:
    """How many steps a learner takes when nothing is said."""
    return int(learner.length(world)) if hasattr(learner, "length") else STEPS


def _guessed(learner: Any, world: Any, done: int) -> int:
    """How many steps it may take, where a learner that is open ended has a guess; 0 where it was wrong."""
    guess = getattr(learner, "guess", None)
    total = 0 if guess is None else int(guess(world))
    return total if done < total else 0


def _begun(game: Any, learner: Any, world: Any, sequence: np.random.SeedSequence, start: object) -> Any:
    if start is None:
        return learner.begin(world, sequence)
    if not hasattr(learner, "begin_at"):
        raise ValueError(f"start: {type(learner).__name__} takes none; leave it out")
    return learner.begin_at(world, sequence, started(game, start))


def _arrays(learner: Any, session: Any) -> dict[str, np.ndarray]:
    """A session as arrays; of one that is none, the bytes of the files that its learner saves."""
    if not hasattr(learner, "save"):
        return dict(session)
    with TemporaryDirectory() as name:
        folder = Path(name)
        learner.save(session, folder)
        saved = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return {
            path.relative_to(folder).as_posix(): np.frombuffer(path.read_bytes(), np.uint8) for path in saved
        }


def _restored(learner: Any, saved: Mapping[str, np.ndarray]) -> Any:
    """The session that `_arrays` kept."""
    kept = {name: array for name, array in saved.items() if name != DONE}
    if not hasattr(learner, "load"):
        return kept
    with TemporaryDirectory() as name:
        for file, data in kept.items():
            path = Path(name, file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.tobytes())
        return learner.load(Path(name))

"""Runs of learners, whose loops are in kernels, in chunks with progress and checkpoints."""

from __future__ import annotations

from typing import Any
from warnings import warn

import numpy as np

from rivalry.core.game import started
from rivalry.core.method import Learner, as_learner, read_session, run_session
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
    if isinstance(game, type):  # learners may take objects other than games
        checked_game(game)
    checked_method(learner, LEARNER)
    checked_settings(seed, 0.0, progress, checkpoint)
    learner = as_learner(learner)
    world = learner.world(registered(game))
    if max_steps is None:
        steps, expected = learner.length(world), learner.expected_steps(world)
    else:
        steps = expected = checked_count(max_steps, "max_steps")
    sequence = seed if isinstance(seed, np.random.SeedSequence) else stream(seed, "play")
    saved = checkpoint.load() if checkpoint is not None else None
    if saved is not None:
        done = int(saved[DONE][0])
        session = learner.unpack({name: array for name, array in saved.items() if name != DONE})
    else:
        done = 0
        profile = started(game, start) if start is not None and learner.takes_start else start
        session = (
            learner.begin(world, sequence) if profile is None else learner.begin_at(world, sequence, profile)
        )
    watch, stopped = Limited(progress, checked_seconds(max_seconds)), False

    def after(done: int) -> bool:
        nonlocal stopped
        if checkpoint is not None and checkpoint.due():
            checkpoint.save(learner.pack(session) | {DONE: np.asarray([done])})
        known = done < expected or expected == steps  # an estimate that was too low is not reported
        stopped = watch(Progress(done, expected if known else 0))
        return stopped

    done, finished = run_session(learner, world, session, steps, done, after)
    record = read_session(learner, world, session, finished)
    if str(record["status"][1]) == "completed" and done < steps and not finished:  # stopped early
        record["status"] = ((), np.asarray("iteration limit"))
    record["steps"] = ((), np.asarray(done))
    record |= out_of_time(record, watch.over and done < steps)
    if "remedy" in record and not stopped:
        warn(f"not converged: {record['remedy'][1]}", stacklevel=2)
    return certified(learner.played(game, record), record, tolerance)

"""Learners, whose loops live in kernels: chunk by chunk, with progress and checkpoints."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np

from rivalry.game import Learner
from rivalry.metrics import TOLERANCE
from rivalry.results import Solution
from rivalry.run.ends import certified
from rivalry.run.given import LEARNER, checked_count, checked_method, checked_settings
from rivalry.run.progress import Checkpoint, Progress, ProgressCallback
from rivalry.run.randomness import stream


def learn(
    game: Any,
    learner: Learner,
    *,
    steps: int,
    seed: int | np.random.SeedSequence = 0,
    progress: ProgressCallback | None = None,
    tolerance: float | None = TOLERANCE,
    checkpoint: Checkpoint | None = None,
) -> Solution:
    """Run a learner for ``steps`` steps, in chunks of about a quarter of a second, and certify what it plays.

    ``game`` is a game with a ``world()``, or is taken as the world itself. Chunk borders change nothing.
    Raises `ValueError` for what is no learner, seed or number of steps.
    """
    checked_method(learner, LEARNER)
    checked_settings(seed, 0.0, progress)
    checked_count(steps, "steps")
    world = game.world() if hasattr(game, "world") else game
    sequence = seed if isinstance(seed, np.random.SeedSequence) else stream(seed, "play")
    saved = checkpoint.load() if checkpoint is not None else None
    session = saved or {"_done": np.zeros(1, dtype=np.int64)} | dict(learner.begin(world, sequence))
    chunk, finished, stopped = 1, False, False
    while (done := int(session["_done"][0])) < steps and not finished and not stopped:
        began = perf_counter()
        taken = learner.advance(world, session, min(chunk, steps - done))
        took = perf_counter() - began
        finished = taken == 0
        session["_done"][0] += taken
        chunk = max(1, min(int(chunk * min(8.0, 0.25 / max(took, 1e-9))), 2**40))
        if checkpoint is not None and checkpoint.due():
            checkpoint.save(session)
        if progress is not None:
            stopped = progress(Progress(int(session["_done"][0]), steps)) is True
    record = dict(learner.read(world, session))
    record.setdefault("status", ((), np.asarray("settled" if finished else "budget spent")))
    record["steps"] = ((), session["_done"][0].copy())
    return certified(game, record, tolerance)

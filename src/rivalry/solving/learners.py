"""Sessions of learners in one task: each with its own random stream, their ends certified together."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.batched_games import PART, Together
from rivalry.core.files import StoreError
from rivalry.core.game import Game
from rivalry.core.method import runs_together
from rivalry.core.payoffs import numpy_payoffs
from rivalry.core.results import Record, Solution
from rivalry.core.tolerances import TOLERANCE
from rivalry.solving import ends
from rivalry.solving.batches import of_one_form
from rivalry.solving.path_data import has_answer
from rivalry.solving.progress import Checkpoint, Limited, Progress, ProgressCallback
from rivalry.solving.single import InCommon, SessionRun
from rivalry.solving.steps import as_arrays

if TYPE_CHECKING:
    from rivalry.core.method import Learner

SHARES = 1000  # of a session, as progress counts them


class LearnerTask(NamedTuple):
    """A session to be run: ``name`` tells it from others, ``shared`` is what replications have in common."""

    name: str
    shared: InCommon
    game: Any
    learner: Learner
    start: object
    seed: np.random.SeedSequence
    max_steps: int | None


@dataclass
class Learned:
    """Result of a session or the error that ended it, and the warnings that it gave."""

    solution: Solution | None = None
    error: Exception | None = None
    cautions: list[tuple[type[Warning], str]] = field(default_factory=list)


def learn_together(
    tasks: Sequence[LearnerTask],
    *,
    part: int = PART,
    progress: ProgressCallback | None = None,
    tolerance: float | None = TOLERANCE,
    checkpoint: Checkpoint | None = None,
) -> list[Learned] | None:
    """Results of all sessions, or None if ``progress`` stopped them.

    A session is the one that `solve` runs, with the same draws, one after the other. Equal profiles of a game
    are certified once, and those of games that differ in numbers only by a program for ``part`` of them: what
    a session returns does not depend on which others there are, nor on whether they fail. Replications of a
    learner with `BaseLearner.advance_together` take their steps side by side, and its errors are raised.
    Checkpoints hold the state of every session that has begun.
    """
    saved, limited = _Saved(checkpoint), Limited(progress, None)
    if _advance_side_by_side(tasks, saved, limited):
        return None
    learned = [Learned() for _ in tasks]
    ended: dict[int, tuple[SessionRun, Record]] = {}
    for k, (task, session) in enumerate(zip(tasks, learned, strict=True)):

        def watch(event: Progress, before: int = k) -> bool:
            share = event.done / event.total if event.total else 0.0
            return limited(Progress(round(SHARES * (before + share)), SHARES * len(tasks)))

        with _catching(session):
            run = SessionRun.begin(*task[1:], saved.state_of(task.name))
            if run.forward(Limited(watch, None), saved if checkpoint else None, task.shared.pace):
                return None
            record = run.record()
            if "remedy" in record:
                warnings.warn(f"not converged: {record['remedy'][1]}", stacklevel=2)
            saved.states[task.name] = run.state() if checkpoint else {}
            run.session = None  # its arrays may be large, and are in the record
            ended[k] = run, record
        if session.error is not None:  # its last state may be newer than its number of steps
            saved.states.pop(task.name, None)
    certified = _certified(ended, tolerance, part)
    for k, (run, record) in ended.items():
        with _catching(learned[k]):
            learned[k].solution = run.solution(record, tolerance, certified.get(k))
    return learned


def _advance_side_by_side(tasks: Sequence[LearnerTask], saved: _Saved, limited: Limited) -> bool:
    """Advance replications of learners with `BaseLearner.advance_together`; return whether that was stopped.

    The saved states are then those after all steps, or after those of a session that took fewer.
    """
    batches: dict[int, list[LearnerTask]] = defaultdict(list)
    for task in tasks:
        if runs_together(task.learner):
            batches[id(task.shared)].append(task)
    for batch in batches.values():
        runs = {task.name: SessionRun.begin(*task[1:], saved.state_of(task.name)) for task in batch}
        steps_done, pace = max(run.steps_done for run in runs.values()), batch[0].shared.pace
        live = [run for run in runs.values() if run.steps_done == steps_done]
        first = live[0]
        while live and steps_done < first.steps:
            began, steps = perf_counter(), min(pace.chunk, first.steps - steps_done)
            steps_taken = np.asarray(
                first.learner.advance_together(first.world, [run.session for run in live], steps)
            )
            fits = (
                steps_taken.shape == (len(live),) and steps_taken.dtype.kind in "iu" and min(steps_taken) >= 0
            )
            if not fits or max(steps_taken) > steps:
                rule = f"must be the steps done by each of {len(live)} sessions, from 0 to {steps}"
                raise ValueError(f"advance_together: returned {steps_taken.tolist()}; {rule}")
            pace.follow(perf_counter() - began)
            for run, count in zip(live, steps_taken.tolist(), strict=True):
                run.steps_done += count
            steps_done += steps
            live = [run for run in live if run.steps_done == steps_done]
            saved.states |= {name: run.state() for name, run in runs.items()}
            if saved.due():
                saved.save(saved.states[saved.current])
            if limited(Progress(SHARES * len(batch) * steps_done // first.steps, SHARES * len(tasks))):
                return True
    return False


@contextmanager
def _catching(session: Learned) -> Iterator[None]:
    """Note the warnings of a session and the error that ends it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except StoreError:  # a full disk is not the session's fault
            raise
        except Exception as error:  # a game or a learner may raise anything
            session.error = error
    session.cautions += dict.fromkeys((warning.category, str(warning.message)) for warning in caught)


def _certified(
    ended: Mapping[int, tuple[SessionRun, Record]], tolerance: float | None, part: int
) -> dict[int, ends.Certified]:
    """Certified profiles, by the identity of the game on which sessions ran."""
    certified: dict[int, ends.Certified] = {}
    cases: dict[tuple[int, bytes], tuple[Any, Record]] = {}
    for run, record in ended.values():
        certified.setdefault(id(run.game), {})
        dims, profile = record.get("profile", ((), np.nan))
        has_profile = isinstance(run.game, Game) and has_answer(record) and dims == ("player", "axis")
        # finite games have no programs to share
        if (
            has_profile
            and not numpy_payoffs.knows(run.game)
            and run.learner.played(run.game, record) is run.game
        ):
            profile = np.asarray(profile, float)
            cases[id(run.game), profile.tobytes()] = run.game, {"profile": (dims, profile)}
    profiles = list(cases.values())
    for group in of_one_form([game for game, _ in profiles]):
        rows = group + group[-1:] * (-len(group) % part)  # whole parts, by the last again
        try:
            together = Together([as_arrays(profiles[k][0]) for k in rows], part)
            results = ends.know_together(together, [profiles[k][1] for k in rows], tolerance)
        except Exception:  # one of them: each is certified alone, and that one fails alone
            continue
        for k, result in zip(group, results[: len(group)], strict=True):
            certified[id(profiles[k][0])] |= result
    return {k: certified[id(run.game)] for k, (run, _) in ended.items()}


class _Saved:
    """A checkpoint of several sessions: the state of each that has begun, by its name."""

    def __init__(self, store: Checkpoint | None) -> None:
        self.store, self.current = store, ""
        self.states: dict[str, dict[str, ndarray]] = defaultdict(dict)
        saved = None if store is None else store.load()
        for key, array in (saved or {}).items():
            name, _, array_name = key.partition(".")
            self.states[name][array_name] = array

    def state_of(self, name: str) -> dict[str, ndarray] | None:
        """Return the saved state of a session, which is now the present one; None if it has none."""
        self.current = name
        return self.states.get(name)

    def load(self) -> dict[str, ndarray] | None:
        """Return nothing: sessions get their state when they begin."""
        return None

    def due(self) -> bool:
        """True where enough time has passed since the last save."""
        return self.store is not None and self.store.due()

    def save(self, arrays: dict[str, ndarray]) -> None:
        """Store the present session and all others."""
        assert self.store is not None
        self.states[self.current] = arrays
        stored: dict[str, ndarray] = {}
        for name, state in self.states.items():
            stored |= {f"{name}.{array_name}": array for array_name, array in state.items()}
        self.store.save(stored)

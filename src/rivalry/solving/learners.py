"""Sessions of learners in one task: each with its own random stream, their ends certified together."""

from __future__ import annotations

import builtins
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.batched_games import PART, Together
from rivalry.core.files import StoreError
from rivalry.core.game import Game
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

Caution = tuple[type[Warning], str]

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
    cautions: list[Caution] = field(default_factory=list)


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
    a session returns does not depend on which others there are, nor on whether they fail. Checkpoints hold
    the finished sessions and the present one.
    """
    saved = _Saved(checkpoint)
    learned = [Learned() for _ in tasks]
    ended: dict[int, tuple[SessionRun, Record]] = {}
    for k, (task, session) in enumerate(zip(tasks, learned, strict=True)):

        def watch(event: Progress, before: int = k) -> bool:
            share = event.done / event.total if event.total else 0.0
            overall = Progress(round(SHARES * (before + share)), SHARES * len(tasks))
            return progress is not None and progress(overall) is True

        with _catching(session):
            run = SessionRun.begin(*task[1:], saved.session_of(task.name))
            if task.name in saved.finished:
                record, session.cautions[:] = saved.finished[task.name]
            else:
                if run.forward(Limited(watch, None), saved if checkpoint else None, task.shared.pace):
                    return None
                record = run.record()
                if "remedy" in record:
                    warnings.warn(f"not converged: {record['remedy'][1]}", stacklevel=2)
            run.session = None  # its arrays may be large, and are in the record
            ended[k] = run, record
        if session.error is None:
            saved.finished[task.name] = ended[k][1], session.cautions
    certified = _certified(ended, tolerance, part)
    for k, (run, record) in ended.items():
        with _catching(learned[k]):
            learned[k].solution = run.solution(record, tolerance, certified.get(k))
    return learned


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
            profile = np.asarray(profile, dtype=float)
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
    """A checkpoint of several sessions: the records of those that have ended, and the present session."""

    def __init__(self, store: Checkpoint | None) -> None:
        self.store, self.current = store, ""
        self.finished: dict[str, tuple[Record, list[Caution]]] = {}
        self._session: dict[str, ndarray] = {}
        saved = None if store is None else store.load()
        if saved is None:
            return
        head = json.loads(str(saved.pop("head")))
        self.current = head["current"]
        for number, (name, (dims, cautions)) in enumerate(head["finished"].items()):
            record = {
                array_name: (tuple(dims[array_name]), saved.pop(f"{number}.{array_name}"))
                for array_name in dims
            }
            self.finished[name] = record, [(_category(kind), text) for kind, text in cautions]
        self._session = {name.partition(".")[2]: array for name, array in saved.items()}

    def session_of(self, name: str) -> dict[str, ndarray] | None:
        """Return the saved state of a session, which is now the present one; None if it has none."""
        state = self._session if name == self.current and self._session else None
        self.current, self._session = name, {}
        return state

    def load(self) -> dict[str, ndarray] | None:
        """Return nothing: sessions get their state when they begin."""
        return None

    def due(self) -> bool:
        """True where enough time has passed since the last save."""
        return self.store is not None and self.store.due()

    def save(self, arrays: dict[str, ndarray]) -> None:
        """Store the present session and all records."""
        assert self.store is not None
        finished = {
            name: (
                {array_name: dims for array_name, (dims, _) in record.items()},
                [(c.__name__, t) for c, t in cautions],
            )
            for name, (record, cautions) in self.finished.items()
        }
        head = json.dumps({"current": self.current, "finished": finished})
        stored = {"head": np.asarray(head)} | {f"session.{name}": array for name, array in arrays.items()}
        for number, (record, _) in enumerate(self.finished.values()):
            stored |= {
                f"{number}.{array_name}": np.asarray(array) for array_name, (_, array) in record.items()
            }
        self.store.save(stored)


def _category(name: str) -> type[Warning]:
    """Return a class of warnings by its name; `UserWarning` for those of other packages."""
    category = getattr(builtins, name, None)
    return category if isinstance(category, type) and issubclass(category, Warning) else UserWarning

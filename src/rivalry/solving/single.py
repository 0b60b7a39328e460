"""Runs of one method on one game: `solve` and `trace`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from warnings import warn

import numpy as np
from numpy.random import SeedSequence

from rivalry.core.game import (
    Game,
    Playable,
    has_closed_form,
    initial_profile,
    kernel_conversion,
    profile_dims,
)
from rivalry.core.method import (
    BaseLearner,
    Learner,
    Method,
    Pace,
    as_learner,
    read_session,
    run_session,
)
from rivalry.core.needs import is_tree
from rivalry.core.oracles import discontinuity
from rivalry.core.payoffs import check_payoffs
from rivalry.core.plain import register_plain
from rivalry.core.results import Record, Solution, dataset, scalar
from rivalry.core.tolerances import TOLERANCE
from rivalry.runtime.blas import one_blas_thread
from rivalry.runtime.jax import promote_ranks
from rivalry.runtime.memo import Known, remembered
from rivalry.schema.validate import check, check_keywords, whole_number
from rivalry.solving import ends, inputs
from rivalry.solving.inputs import Settings
from rivalry.solving.progress import Checkpoint, Limited, Progress, ProgressCallback, draw_progress
from rivalry.solving.randomness import Rng, first_keys, keys_of
from rivalry.solving.runs import StepwiseRuns

if TYPE_CHECKING:
    from xarray import Dataset


CALLER = 7  # level in the stack of warnings: of the caller of `solve`, above `replicate` and all decorators
DONE = "_done"  # steps taken by a learner, in a checkpoint beside the session's own arrays


@dataclass
class InCommon:
    """Common parts of replications of a method on a game, made by the first that needs them."""

    world: Known[Any] = field(default_factory=dict)  # of a learner
    pace: Pace = field(default_factory=Pace)
    certified: ends.Certified = field(default_factory=dict)


@check_keywords
@draw_progress("steps", 1)
def solve(
    game: Any,
    method: Method | Learner,
    start: object = None,
    *,
    seed: int | SeedSequence = 0,
    rng: Rng | None = None,
    tol: float = 1e-8,
    max_steps: int | None = None,
    max_seconds: float | None = None,
    progress: ProgressCallback | bool | None = None,
    tolerance: float | None = TOLERANCE,
    path: bool = True,
    checkpoint: Checkpoint | None = None,
) -> Solution:
    """Run a solver, a dynamic or a learner on a game, and certify the profile where it ends.

    Parameters
    ----------
    game
        A game, or what a learner takes in its place, such as tables of payoffs.
    method
        A method of `rivalry.methods`, or a custom one (`Method`, `Learner`).
    start
        A profile ``[player axis]`` (``[player]`` where there is one axis), or the name of one of the game's
        starts. By default solvers sample one; learners that cannot start at a profile refuse one.
    seed
        Determines all random draws, as the seed of a study does.
    rng
        In place of ``seed``, as in other scientific libraries (SPEC 7): an integer, which is a seed, a
        `numpy.random.SeedSequence` or a `numpy.random.Generator`. A generator is advanced; a fresh one gives
        the results of the seed that it was made from.
    tol
        A solver or a dynamic has converged if its residual is at most this. NaN is refused, also for
        learners, which do not use it.
    max_steps
        Limit of steps. By default 10 000, or the length that a learner's options determine.
    max_seconds
        Limit of time, checked between calls of a compiled program and reported as ``stopped_by``. The time of
        compiling programs does not count.
    progress
        Receives `Progress` events; stops the computation by returning True. ``True`` in place of a function
        draws a bar in terminals and notebooks, if the computation takes more than two seconds. Notebooks
        have it by default; ``False`` draws none.
    tolerance
        Tolerance of the certificate, relative to what each player can win or lose; None for no certificate.
    path
        Whether the path of a solver or a dynamic is recorded.
    checkpoint
        Storage of the state while the method runs, from which it is resumed.

    Returns
    -------
    Solution
        The profile, the status, the certificate and all recorded variables.

    Raises
    ------
    ValueError
        For an argument of the wrong kind, options out of range, a start outside the space, and a game that
        the method cannot take. The message is one line.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.25] * 3, resource="bimodal")
    >>> solution = rv.solve(game, rv.methods.GradientAscent(), start=[0.1, 0.4, 0.9])
    >>> solution.status, solution.claim
    ('converged', 'equilibrium')
    """
    arguments = dict(locals())
    check(solve, (), arguments)
    return replicate(InCommon(), game, method, start, **{k: arguments[k] for k in Settings._fields})


@one_blas_thread
@promote_ranks
def replicate(
    shared: InCommon, game: Any, method: Method | Learner, start: object = None, **options: Any
) -> Solution:
    """Return `solve` of one of several replications, which the game and the method have in common."""
    settings = Settings(**options)
    if isinstance(method, type):
        inputs.check_method(method)
    if isinstance(method, Learner):
        settings.check()
        return _run_learner(shared, game, method, start, settings)
    method = inputs.check_run(game, method, settings)
    limit, sequence = settings.step_limit, settings.sequence()
    # the steps take the first key, whether a start is sampled or given
    start_profile = inputs.start_profile(game, method, start, keys_of(sequence, 2)[1])
    watch = settings.watch()
    runs = StepwiseRuns([(game, method, start_profile)], first_keys([sequence]), settings, watch)
    (solution,) = runs.solutions([shared.certified])
    if message := not_converged(game, solution, limit, settings.max_seconds if watch.over else None):
        warn(message, stacklevel=CALLER)
    return solution


def not_converged(game: object, solution: Solution, max_steps: int, seconds: float | None) -> str:
    """Reason why a run did not converge, with advice; empty if it did, or if its caller stopped it.

    ``seconds`` is the limit of time if it was reached.
    """
    limited, out_of_steps = solution.status == "iteration limit", solution.steps >= max_steps
    in_vain = limited and (out_of_steps or seconds is not None)
    if "remedy" in solution.record and (in_vain or not limited):
        return f"not converged: {solution.record['remedy'][1]}"
    if not in_vain:
        return ""
    spent = f"{solution.steps} steps" if out_of_steps else f"{seconds:g} seconds"
    ways = f"raise {'max_steps' if out_of_steps else 'max_seconds'} or loosen tol"
    if solution.claim == "not decided":
        ways = "a payoff is not a number at the last profile; correct the payoffs or narrow the space"
    elif reason := discontinuity(game):
        use = "closed_form" if has_closed_form(game) else "double_oracle"
        ways = f"payoffs are discontinuous ({reason}), so steps may shrink without end; use {use}"
    return f"not converged after {spent}: {ways}"


@dataclass
class SessionRun:
    """A session of a learner, from its beginning to its record; chunk borders do not affect the result."""

    learner: BaseLearner
    game: Any
    world: Any
    session: Any
    steps: int  # most of them
    expected: int  # steps, for the remaining time; 0 if unknown
    steps_done: int = 0
    finished: bool = False
    over: bool = False  # whether a time limit ended it

    @classmethod
    def begin(
        cls,
        shared: InCommon,
        game: object,
        learner: Learner,
        start: object,
        sequence: SeedSequence,
        max_steps: int | None,
        saved: Mapping[str, np.ndarray] | None,
    ) -> SessionRun:
        """Return a session before its first step, or as it was ``saved``. Raises as `solve` does."""
        if isinstance(game, type):  # learners may take objects other than games
            inputs.check_game(game)
        plain = register_plain(game)
        if not shared.world:
            inputs.check_method(learner, inputs.LEARNER)
            check_payoffs(plain)
            inputs.check_shared(learner, game)
            inputs.check_kind(learner, plain)
        learner = as_learner(learner)
        world = remembered(shared.world, "world", partial(learner.world, plain))
        if max_steps is None:
            steps, expected = learner.length(world), learner.expected_steps(world)
        else:
            steps = expected = whole_number("max_steps", max_steps)
        count = 0
        if saved is not None:
            count = int(saved[DONE][0])
            session = learner.unpack({name: array for name, array in saved.items() if name != DONE})
        elif start is None:
            session = learner.begin(world, sequence)
        else:
            # a learner that takes no start raises in `begin_at`
            profile = initial_profile(game, start) if learner.takes_start else start
            session = learner.begin_at(world, sequence, profile)
        return cls(learner, game, world, session, steps, expected, count)

    def forward(self, watch: Limited, checkpoint: Checkpoint | None, pace: Pace) -> bool:
        """Advance in chunks of about a quarter of a second; return whether ``watch`` stopped it."""
        stopped = False

        def after(count: int) -> bool:
            nonlocal stopped
            if checkpoint is not None and checkpoint.due():
                self.steps_done = count
                checkpoint.save(self.state())
            is_estimated = (
                count < self.expected or self.expected == self.steps
            )  # too low an estimate is not reported
            stopped = watch(Progress(count, self.expected if is_estimated else 0))
            return stopped

        self.steps_done, self.finished = run_session(
            self.learner, self.world, self.session, self.steps, self.steps_done, after, pace
        )
        self.over = watch.over
        return stopped

    def state(self) -> dict[str, Any]:
        """Arrays of a checkpoint."""
        return self.learner.pack(self.session) | {DONE: np.asarray([self.steps_done])}

    def record(self) -> Record:
        """Record of the session, without payoffs and certificate of the profile."""
        record = read_session(self.learner, self.world, self.session, self.finished)
        short = self.steps_done < self.steps
        if str(record["status"][1]) == "completed" and short and not self.finished:  # stopped early
            record["status"] = scalar("iteration limit")
        record["steps"] = scalar(self.steps_done)
        return record | ends.out_of_time(record, self.over and short)

    def solution(self, record: Record, tolerance: float | None, certified: ends.Certified | None) -> Solution:
        """Return the certified record; ``certified`` is what is known of profiles of the game."""
        played = self.learner.played(self.game, record)
        solution = ends.certify(played, record, tolerance, certified if played is self.game else None)
        return replace(solution, world=self.world, prove=partial(proof_of, played, self.world))


def _run_learner(
    shared: InCommon, game: object, learner: Learner, start: object, settings: Settings
) -> Solution:
    """Run a learner, and certify the profile that it plays."""
    sequence, checkpoint = settings.sequence(), settings.checkpoint
    saved = None if checkpoint is None else checkpoint.load()
    run = SessionRun.begin(shared, game, learner, start, sequence, settings.max_steps, saved)
    stopped = run.forward(settings.watch(), checkpoint, shared.pace)
    record = run.record()
    if "remedy" in record and not stopped:
        warn(f"not converged: {record['remedy'][1]}", stacklevel=CALLER + 1)
    return run.solution(record, settings.tolerance, shared.certified)


def proof_of(game: Any, world: Any, record: Record) -> Any:
    """Return the proof of a method's results: of profiles of a game on intervals, or in exact arithmetic."""
    from rivalry.solving.exact_proofs import ExactProof  # loads all of finite games

    exact, in_ranges = ExactProof(game, world, record), "where_range" in record
    about_profile = any("axis" in record.get(name, ((), None))[0] for name in ("profile", "equilibria"))
    smooth = isinstance(game, Game) and kernel_conversion(game) is None and not is_tree(game)
    has_sets = len(record.get("vertex_set", ((), ()))[1]) > 0
    if exact.claim or has_sets or not (about_profile or in_ranges) or not smooth:
        return exact
    from rivalry.proofs.files import RangesProof, SmoothProof  # loads JAX

    if in_ranges:
        return RangesProof(game, record)
    if "equilibria" in record:
        by_boxes = "pattern_count" not in record
        return SmoothProof(game, record["equilibria"][1], bool(record["complete"][1]), by_boxes)
    proved = bool(np.isfinite(record.get("certificate_radius", ((), np.nan))[1]))
    return SmoothProof(game, record["profile"][1][None], False, proved)


@check_keywords
@one_blas_thread
@promote_ranks
def trace(
    game: Playable,
    method: Method,
    start: object = None,
    *,
    steps: int,
    every: int = 1,
    seed: int = 0,
    rng: Rng | None = None,
) -> Dataset:
    """Return the path of a method over exactly ``steps`` steps, regardless of convergence.

    Parameters
    ----------
    game, method, start, seed, rng
        As in `solve`.
    steps
        Number of steps.
    every
        Steps per recorded row.

    Returns
    -------
    xarray.Dataset
        ``path``, ``[step player axis]`` (``[step state action]`` of a population), and ``path_step``.

    Raises
    ------
    ValueError
        For an argument that `solve` refuses.
    """
    check(trace, (), dict(locals()))
    whole_number("steps", steps)
    whole_number("every", every, 1)
    # no residual is at most -1, so that steps end by their number only
    settings = Settings(seed=seed, rng=rng, tol=-1.0, max_steps=steps)
    stepwise = inputs.check_run(game, method, settings._replace(tol=0.0))
    sequence = settings.sequence()
    start_profile = inputs.start_profile(game, stepwise, start, keys_of(sequence, 2)[1])
    cases = [(game, stepwise, start_profile)]
    path = StepwiseRuns(cases, first_keys([sequence]), settings, settings.watch()).trace(every)
    record = {
        "path": (("step", *profile_dims(game)), path["profile"]),
        "path_step": (("step",), path["step"]),
    }
    return dataset(record, ends.names_of(game))

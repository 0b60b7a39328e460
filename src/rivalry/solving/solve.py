"""Runs of one method on one game: `solve` and `trace`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from warnings import warn

import numpy as np

from rivalry.core.certify import TOLERANCE
from rivalry.core.game import Playable, is_population, profile_dims, started
from rivalry.core.jax import jax, jnp, put
from rivalry.core.method import STEPS, BaseMethod, Learner, Method, as_method
from rivalry.core.results import Record, Solution, dataset
from rivalry.core.validate import check
from rivalry.solving.ends import (
    RESTARTS,
    analyse,
    certified,
    departures,
    ended_in,
    gone_round,
    out_of_time,
    report,
    stayed,
)
from rivalry.solving.inputs import (
    checked_count,
    checked_fit,
    checked_game,
    checked_method,
    checked_seconds,
    checked_settings,
)
from rivalry.solving.learners import run_learner
from rivalry.solving.progress import Checkpoint, Limited, Progress, ProgressCallback
from rivalry.solving.randomness import keys_of, stream
from rivalry.solving.reparametrised import reparametrised
from rivalry.solving.steps import ROWS, advance, as_arrays, begin, from_leaves, leaves_of, path_row

if TYPE_CHECKING:
    from xarray import Dataset

    from rivalry.core.space import Profile

PATH = 512  # most rows of a recorded path; beyond, every second row is dropped and the stride doubles
HISTORY = 256  # the same for populations: policies are large, and each is evaluated


def solve(
    game: Any,
    method: Method | Learner,
    start: object = None,
    *,
    seed: int | np.random.SeedSequence = 0,
    tol: float = 1e-8,
    max_steps: int | None = None,
    max_seconds: float | None = None,
    progress: ProgressCallback | None = None,
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
        Determines all random draws.
    tol
        A solver or a dynamic has converged if its residual is at most this.
    max_steps
        Limit of steps. By default 10 000, or the length that a learner's options determine.
    max_seconds
        Limit of time, checked between calls of a compiled program and reported as ``stopped_by``.
    progress
        Receives `Progress` events; stops the computation by returning True.
    tolerance
        Tolerance of the certificate, relative to what each player can win or lose; None for no certificate.
    path
        Whether the path of a solver or a dynamic is recorded.
    checkpoint
        Storage of the state while the method runs, from which it is resumed.

    Returns
    -------
    Solution
        Profile, status, certificate and all recorded variables.

    Raises
    ------
    ValueError
        For an argument of the wrong kind, options out of range, a start outside the space, and a game that
        the method cannot take. One line.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.25] * 3, resource="bimodal")
    >>> found = rv.solve(game, rv.methods.GradientAscent(), start=[0.1, 0.4, 0.9])
    >>> found.status, found.claim
    ('converged', 'equilibrium')
    """
    check(solve, (), dict(locals()))
    if isinstance(method, type):
        checked_method(method)
    if isinstance(method, Learner):
        return run_learner(
            game,
            method,
            start,
            seed=seed,
            max_steps=max_steps,
            max_seconds=max_seconds,
            progress=progress,
            tolerance=tolerance,
            checkpoint=checkpoint,
        )
    checked_game(game)
    checked_method(method)
    method = as_method(method)
    checked_fit(method, game)
    checked_settings(seed, tol, progress, checkpoint)
    max_steps = STEPS if max_steps is None else checked_count(max_steps, "max_steps")
    sequence = seed if isinstance(seed, np.random.SeedSequence) else stream(seed, "play")
    key, start_key = keys_of(sequence, 2)
    first = game.space.sample(start_key) if start is None else started(game, start)
    game = as_arrays(game)
    settings = _Settings(tol, max_steps, path)
    watch = Limited(progress, checked_seconds(max_seconds))
    record = _solve_record(game, method, first, key, settings, watch, checkpoint)
    if path and tolerance is not None and is_population(game):
        from rivalry.population.certificate import exploitability_along  # loads JAX

        gains = exploitability_along(game, record["path"][1])
        record["path_exploitability"] = (("step", "player"), gains)
    found = certified(game, record | out_of_time(record, watch.over), tolerance)
    in_vain = found.status == "iteration limit" and (found.steps >= max_steps or watch.over)
    if "remedy" in record and (
        in_vain or found.status != "iteration limit"
    ):  # otherwise the caller stopped it
        warn(f"not converged: {record['remedy'][1]}", stacklevel=2)
    elif in_vain and found.steps >= max_steps:
        warn(f"not converged after {found.steps} steps: raise max_steps or loosen tol", stacklevel=2)
    elif in_vain:
        warn(f"not converged after {max_seconds:g} seconds: raise max_seconds or loosen tol", stacklevel=2)
    return found


class _Settings(NamedTuple):
    tol: float
    max_steps: int
    path: bool


def _solve_record(
    game: Playable,
    method: BaseMethod,
    first: Profile,
    key: jax.Array,
    settings: _Settings,
    progress: ProgressCallback | None,
    checkpoint: Checkpoint | None,
) -> Record:
    method = reparametrised(game, method)
    run = _Run(game, as_arrays(method), first, key, settings)
    if checkpoint is not None and (saved := checkpoint.load()) is not None:
        run.restore(saved)
    # checkpoints store departures by their profile: the analysis of an end is repeated with the same result
    left = [end for profile in run.left if (end := analyse(game, method, profile, key)) is not None]
    while True:
        stopped = run.forward(progress, checkpoint)
        end = analyse(game, method, run.profile, key)
        if end is None or (onward := end.onward) is None or stopped or run.done >= settings.max_steps:
            break
        if stayed(end, left, run.since_start):
            left.pop()
            break
        if len(left) == RESTARTS:
            end = gone_round(game, method, end, key)
            break
        left.append(end)
        run.go_on_from(onward)
    record = run.record()
    if end is not None:
        record |= ended_in(game, end, left, record)
    return record | departures(game, left)


class _Run:
    """A run of one method on one game, in calls of a compiled program that records `ROWS` profiles each."""

    def __init__(
        self, game: Playable, method: BaseMethod, first: Profile, key: jax.Array, settings: _Settings
    ) -> None:
        self.game, self.method, self.key, self.settings = game, method, key, settings
        self.carry = begin(game, method, first, key, put(0))
        self.stride = 1
        self.rows = [np.asarray(first)[None]]
        self.steps = [np.zeros(1, dtype=int)]
        self.times = [np.zeros(1)]
        self.residuals = [np.asarray(path_row(method, self.carry)[3])[None]]
        self.left: list[Profile] = []  # unstable ends from which it was restarted
        self.most = HISTORY if is_population(game) else PATH

    @property
    def done(self) -> int:
        return int(self.carry.done)

    @property
    def profile(self) -> Profile:
        return self.carry.state.profile  # type: ignore[no-any-return]

    @property
    def since_start(self) -> float:
        """Return the method's own time since the last (re)start; 0 for methods without a clock."""
        return float(self.method.diagnostics(self.carry.state).get("time", 0.0))

    @property
    def over(self) -> bool:
        carry = self.carry
        return int(carry.ended) != 0 or self.done >= self.settings.max_steps

    def forward(self, progress: ProgressCallback | None, checkpoint: Checkpoint | None) -> bool:
        """Advance to the end or until ``progress`` stops the run; return whether it did."""
        tol, budget = put(float(self.settings.tol)), put(self.settings.max_steps)
        while not self.over:
            self.carry, rows = advance(
                self.game, self.method, self.carry, self.key, put(self.stride), budget, tol
            )
            self._note(*(np.asarray(part) for part in rows))
            if checkpoint is not None and checkpoint.due():
                checkpoint.save(self.saved())
            event = Progress(self.done, self.settings.max_steps, float(self.carry.residual))
            if progress is not None and progress(event) is True:
                return True
        return False

    def go_on_from(self, profile: Profile) -> None:
        """Restart the method at another profile; steps, time and path continue."""
        self.left.append(self.profile)
        before = path_row(self.method, self.carry)[2]
        self.carry = begin(self.game, self.method, profile, self.key, self.carry.done)
        self.carry = self.carry._replace(since=before)

    def _note(self, rows: np.ndarray, steps: np.ndarray, times: np.ndarray, residuals: np.ndarray) -> None:
        before = self.steps[-1][-1]
        new = np.flatnonzero(np.diff(steps, prepend=before) > 0)
        self.rows.append(rows[new])
        self.steps.append(steps[new])
        self.times.append(times[new])
        self.residuals.append(residuals[new])
        length = sum(map(len, self.steps))
        if length > self.most:
            # the last row is the current profile
            keep = np.union1d(np.arange(0, length, 2), [length - 1])
            self.rows, self.steps, self.times, self.residuals = (
                [np.concatenate(parts)[keep]] for parts in (self.rows, self.steps, self.times, self.residuals)
            )
            self.stride *= 2

    def record(self) -> Record:
        dims = profile_dims(self.game)
        found: Record = {
            "profile": (dims, np.asarray(self.profile)),
            "steps": ((), np.asarray(self.done)),
            "residual": ((), np.asarray(self.carry.residual)),
        }
        if self.settings.path:
            found["path"] = (("step", *dims), np.concatenate(self.rows))
            found["path_step"] = (("step",), np.concatenate(self.steps))
            known = self.method.diagnostics(self.carry.state)
            if "time" in known:
                found["path_time"] = (("step",), np.concatenate(self.times))
            if "residual" in known:
                found["path_residual"] = (("step",), np.concatenate(self.residuals))
        return found | report(self.game, self.method, self.carry.state, int(self.carry.ended))

    def saved(self) -> dict[str, np.ndarray]:
        shape = self.rows[0].shape[1:]
        return leaves_of(self.carry) | {
            "left": np.asarray([np.asarray(profile) for profile in self.left]).reshape(-1, *shape),
            "rows": np.concatenate(self.rows),
            "steps": np.concatenate(self.steps),
            "times": np.concatenate(self.times),
            "residuals": np.concatenate(self.residuals),
            "stride": np.asarray(self.stride),
        }

    def restore(self, saved: Mapping[str, np.ndarray]) -> None:
        self.carry = from_leaves(self.carry, saved)
        self.left = [jnp.asarray(profile) for profile in saved["left"]]
        self.rows, self.steps, self.times, self.residuals = (
            [saved[name]] for name in ("rows", "steps", "times", "residuals")
        )
        self.stride = int(saved["stride"])


def trace(
    game: Playable, method: Method, start: object = None, *, steps: int, every: int = 1, seed: int = 0
) -> Dataset:
    """Return the path of a method over exactly ``steps`` steps, regardless of convergence.

    Parameters
    ----------
    game, method, start, seed
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
    checked_game(game)
    checked_method(method)
    stepwise = as_method(method)
    checked_fit(stepwise, game)
    checked_settings(seed, 0.0, None)
    checked_count(steps, "steps")
    checked_count(every, "every", 1)
    key, start_key = keys_of(stream(seed, "play"), 2)
    first = game.space.sample(start_key) if start is None else started(game, start)
    game, stepwise = as_arrays(game), as_arrays(reparametrised(game, stepwise))
    carry = begin(game, stepwise, first, key, put(0))
    rows, clock = [np.asarray(first)[None]], [np.zeros(1, dtype=int)]
    while int(carry.done) < steps:
        carry = carry._replace(ended=put(0))
        budget = put(min(steps, int(carry.done) + every * ROWS))
        carry, (more, times, *_) = advance(game, stepwise, carry, key, put(every), budget, put(-1.0))
        new = np.flatnonzero(np.diff(np.asarray(times), prepend=clock[-1][-1]) > 0)
        rows.append(np.asarray(more)[new])
        clock.append(np.asarray(times)[new])
    return dataset(
        {
            "path": (("step", *profile_dims(game)), np.concatenate(rows)),
            "path_step": (("step",), np.concatenate(clock)),
        }
    )

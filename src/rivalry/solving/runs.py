"""Runs of methods that take steps: a single one, or several as one program, with all that follows an end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from rivalry.core.batched_games import Together
from rivalry.core.game import Playable, is_population, profile_dims
from rivalry.core.method import BaseMethod, Finish
from rivalry.core.results import Record
from rivalry.runtime.jax import compiled, eqx, floats, is_key, jax, jnp, key_rows, put, stack_trees
from rivalry.solving import ends
from rivalry.solving.inputs import Settings
from rivalry.solving.progress import Limited, Progress
from rivalry.solving.reparametrised import as_read
from rivalry.solving.steps import (
    Carry,
    advance,
    advance_together,
    as_arrays,
    begin,
    elapsed_time,
    from_leaves,
    initial_carry,
    leaves_of,
    one_step,
    path_row,
)

if TYPE_CHECKING:
    from rivalry.core.space import Profile

PATH = 512  # most rows of a recorded path; beyond, every second row is dropped and the stride doubles
HISTORY = 256  # the same for populations: policies are large, and each is evaluated
SERIES = ("rows", "steps", "times", "residuals")  # of a recorded path, as `path_row` returns them
OTHER_METHOD = "batch: game {} has a method of another form; only numbers may differ within a batch"
CHUNK = 2_000  # steps of all runs per call of the compiled program


@dataclass
class Path:
    """The recorded path of a run: arrays ``[row ..]`` of each of `SERIES`, in parts."""

    series: dict[str, list[ndarray]]
    max_rows: int
    stride: int = 1  # steps per row

    @classmethod
    def at(cls, game: Playable, start_profile: object, residual: object) -> Path:
        """Return the path of a run that begins."""
        begins = zip(SERIES, (start_profile, 0, 0.0, residual), strict=True)
        series = {name: [np.asarray(value)[None]] for name, value in begins}
        return cls(series, HISTORY if is_population(game) else PATH)

    def add(self, recorded: Sequence[ndarray]) -> None:
        """Add the rows of a call of the program, which repeats its last row after the end or the limit."""
        _, steps, *_ = recorded
        new = np.flatnonzero(np.diff(steps, prepend=self.series["steps"][-1][-1]) > 0)
        if not len(new):
            return
        for name, series in zip(SERIES, recorded, strict=True):
            self.series[name].append(series[new])
        length = sum(map(len, self.series["steps"]))
        if length > self.max_rows:
            # the last row is the current profile
            keep = np.union1d(np.arange(0, length, 2), [length - 1])
            self.series = {name: [series[keep]] for name, series in self.arrays().items()}
            self.stride *= 2

    def arrays(self) -> dict[str, ndarray]:
        """Return the arrays."""
        return {name: np.concatenate(parts) for name, parts in self.series.items()}

    def saved(self, prefix: str) -> dict[str, ndarray]:
        """Return the arrays of a checkpoint, whose names begin with ``prefix``."""
        arrays = self.arrays() | {"stride": np.asarray(self.stride)}
        return {f"{prefix}{name}": array for name, array in arrays.items()}

    def restored(self, saved: Mapping[str, ndarray], prefix: str) -> Path:
        """Return the path that `saved` stored."""
        series = {name: [saved[f"{prefix}{name}"]] for name in SERIES}
        return Path(series, self.max_rows, int(saved[f"{prefix}stride"]))

    def record(self, game: Playable, method: BaseMethod, carry: Carry) -> Record:
        """Record of the path: profiles, steps, and the method's times and residuals."""
        arrays, record = self.arrays(), Record()
        record["path"] = (("step", *profile_dims(game)), arrays["rows"])
        record["path_step"] = (("step",), arrays["steps"])
        diagnostics = method.diagnostics(carry.state)
        for name, key in (("time", "times"), ("residual", "residuals")):
            if name in diagnostics:
                record[f"path_{name}"] = (("step",), arrays[key])
        return record


class StepwiseRuns:
    """Runs of ``methods[k]`` on ``games[k]`` from ``starts[k]``, which differ in numbers only.

    Several are computed by programs that serve them all. A single run has programs of its own, which are
    those of `rivalry.trace` too.

    Attributes
    ----------
    carry : Carry
        The state of the single run, or that of all runs, with arrays ``[run ..]``.
    ends : dict of int to Finish or None
        The analysis of the end of every run that has ended.
    unstable : dict of int to list of Finish
        The unstable ends that a run has left.
    """

    def __init__(
        self,
        games: Sequence[Playable],
        methods: Sequence[BaseMethod],
        starts: Sequence[Profile],
        keys: Sequence[jax.Array] | jax.Array,
        settings: Settings,
        watch: Limited,
        part: int | None = None,
    ) -> None:
        self.games, self.methods, self.starts = list(games), list(methods), list(starts)
        self.single = len(self.games) == 1
        self.keys = list(keys) if self.single else [key_rows(keys, k) for k in range(len(games))]
        self.stacked_keys = keys
        self.settings, self.watch, self.limit = settings, watch, settings.step_limit
        # as arrays, since a program would be compiled for every Python number
        self.budget, self.tol = np.asarray(self.limit), np.asarray(float(settings.tol))
        self.compared = as_read(games, methods, starts)
        self.together = Together([as_arrays(game) for game in self.compared], part)
        self.arrays = [as_arrays(method) for method in methods]
        self.stacked = () if self.single else (self.together.stacked, stack_trees(self.arrays, OTHER_METHOD))
        self.carry = self._begin(np.zeros(() if self.single else len(self.games), int))
        residuals = np.reshape(path_row(self.methods[0], self.carry)[3], -1)
        self.paths = [Path.at(*row) for row in zip(games, self.starts, residuals, strict=True)]
        self.ends: dict[int, Finish | None] = {}
        self.unstable: dict[int, list[Finish]] = defaultdict(list)
        self.restarts: list[tuple[int, Profile]] = []  # run and end that was left, in their order

    def run(self) -> list[Record]:
        """Return the records of all runs, at their ends or where a limit stopped them."""
        checkpoint = self.settings.checkpoint
        if checkpoint is not None and (saved := checkpoint.load()) is not None:
            self._restore(saved)
        while self._restart(stopped=self._forward()):
            pass
        snapshot = self._snapshot()
        return [self._record(k, _member(snapshot, k, self.single)) for k in range(len(self.games))]

    def original_games(self) -> Together:
        """Return the games as they are judged, with the constants that steps leave out."""
        if all(read is game for read, game in zip(self.compared, self.games, strict=True)):
            return self.together
        return Together([as_arrays(game) for game in self.games], self.together.part)

    def _record(self, k: int, carry: Carry) -> Record:
        game, method, unstable = self.games[k], self.methods[k], self.unstable[k]
        path = self.paths[k].record(game, method, carry) if self.settings.path else {}
        record = ends.report(self.together.games[k], method, carry, path)
        if (end := self.ends[k]) is not None:
            record |= ends.end_record(game, end, unstable, record)
        return record | ends.out_of_time(record, self.watch.over) | ends.departures(game, unstable)

    def _begin(self, steps: Any) -> Carry:
        """Return the state at the starts, after ``steps`` steps."""
        if self.single:
            carry = begin(self.together.games[0], self.arrays[0], self.starts[0], self.keys[0], steps)
        else:
            starts = np.stack([np.asarray(start) for start in self.starts])
            carry = self.together.call(_begin, (*self.stacked, starts, self.stacked_keys, steps))
        return carry

    def _forward(self) -> bool:
        """Advance all runs to their ends or until ``watch`` stops them; return whether it did."""
        checkpoint = self.settings.checkpoint
        while len(active := self._active()):
            advance_runs = self._advance_single if self.single else self._advance_together
            advance_runs(active)
            if checkpoint is not None and checkpoint.due():
                checkpoint.save(self._saved())
            residual = float(np.max(np.asarray(self.carry.residual)))
            if self.watch(Progress(self._steps(), self.limit, residual)):
                return True
        return False

    def _steps(self) -> int:
        """Fewest steps of a run; of several runs, those that have ended count as having taken all."""
        steps = np.asarray(self.carry.done)
        if not self.single:
            steps = np.where(np.asarray(self.carry.ended) == 0, steps, self.limit)
        return int(steps.min())

    def _active(self) -> ndarray:
        """Numbers of the runs that have neither ended nor reached the limit."""
        ended, steps = np.asarray(self.carry.ended), np.asarray(self.carry.done)
        return np.flatnonzero((ended == 0) & (steps < self.limit))

    def _advance_single(self, _: ndarray) -> None:
        game, (path,) = self.together.games[0], self.paths
        arguments = game, self.arrays[0], self.carry, self.keys[0]
        self.carry, rows = advance(*arguments, np.asarray(path.stride), self.budget, self.tol)
        path.add([np.asarray(part) for part in rows])

    def _advance_together(self, active: ndarray) -> None:
        selection = self.together.parts_with(active)
        arguments = (*self.stacked, self.carry, self.stacked_keys)
        if self.settings.path:
            arguments = (*arguments, put(np.array([path.stride for path in self.paths])))
            limits = self.budget, self.tol
            new, rows = self.together.call(advance_together, arguments, *limits, selection=selection)
            # without those that fill up the last part
            runs = range(len(self.games)) if selection is None else active
            for k, *recorded in zip(runs, *(np.asarray(part) for part in rows), strict=False):
                self.paths[k].add(recorded)
        else:
            # a time limit is only checked between calls of the program
            chunk = CHUNK if np.isinf(self.watch.end) else CHUNK // 20
            steps = min(self.limit, int(np.asarray(self.carry.done)[active].min()) + chunk)
            new = self.together.call(_advance, arguments, jnp.asarray(steps), self.tol, selection=selection)
        self.carry = jax.tree.map(partial(_with_rows, selection), self.carry, new)

    def _restart(self, stopped: bool) -> bool:
        """Analyse the ends; restart runs from unstable ones, and return whether there are any."""
        snapshot = self._snapshot()
        restarted = np.zeros(len(self.games), bool)
        states = {k: _member(snapshot, k, self.single) for k in range(len(self.games)) if k not in self.ends}
        for k, end in self._analyse({k: state.state.profile for k, state in states.items()}).items():
            game, method, state, unstable = (
                self.together.games[k],
                self.methods[k],
                states[k],
                self.unstable[k],
            )
            time = elapsed_time(method, state) if unstable else 0.0
            final = stopped or int(state.done) >= self.limit
            end, onward = ends.examine(game, method, end, self.keys[k], unstable, time, final)
            if onward is None:
                self.ends[k] = end
            else:
                self.restarts.append((k, put(state.state.profile)))
                self.starts[k], restarted[k] = onward, True
        if not restarted.any():
            return False
        # the methods' time goes on
        times = put(path_row(self.methods[0], snapshot)[2])
        begun = self._begin(self.carry.done)._replace(since=times)
        self.carry = begun if self.single else jax.tree.map(partial(_where, restarted), begun, self.carry)
        return True

    def _analyse(self, profiles: Mapping[int, Any]) -> dict[int, Finish | None]:
        """Analyse ends by run: the first one of a run with those of the others, later ones alone.

        Whether it is the first depends on the run only, and so do its bytes.
        """
        games, methods = self.together.games, self.methods
        alone = {
            k: ends.analyse(games[k], methods[k], put(profiles[k]), self.keys[k])
            for k in profiles
            if self.single or self.unstable[k]
        }
        if len(alone) == len(profiles):
            return alone
        first_ends = np.full((len(games), *np.shape(self.starts[0])), np.nan)
        for k in profiles.keys() - alone.keys():
            first_ends[k] = profiles[k]
        analysed = ends.analyse_together(self.together, methods, first_ends, self.keys)
        return {k: alone[k] if k in alone else analysed[k] for k in profiles}

    def _snapshot(self) -> Carry:
        """The state with arrays of NumPy, from which a run is taken without a program."""
        if self.single:
            return self.carry
        return jax.tree.map(lambda leaf: np.asarray(leaf) if eqx.is_array(leaf) else leaf, self.carry)

    def _saved(self) -> dict[str, ndarray]:
        profiles = floats([np.asarray(profile) for _, profile in self.restarts])
        arrays = leaves_of(self.carry) | {"gone": np.array([k for k, _ in self.restarts], int)}
        arrays["gone_from"] = profiles.reshape(-1, *np.shape(self.starts[0]))
        for k, path in enumerate(self.paths if self.single or self.settings.path else ()):
            arrays |= path.saved(f"{k} ")
        return arrays

    def _restore(self, saved: Mapping[str, ndarray]) -> None:
        """Continue from a checkpoint, which has profiles of the ends that were left."""
        self.carry = from_leaves(self.carry, saved)
        pairs = zip(saved["gone"], saved["gone_from"], strict=True)
        self.restarts = [(int(k), jnp.asarray(profile)) for k, profile in pairs]
        if self.single or self.settings.path:
            self.paths = [path.restored(saved, f"{k} ") for k, path in enumerate(self.paths)]
        waiting = self.restarts
        while waiting:
            # in rounds: the first end of every run, then the second of those that left one
            round_ends = dict(reversed(waiting))
            for k, end in self._analyse(round_ends).items():
                self.unstable[k] += filter(None, [end])
            waiting = [pair for pair in waiting if pair[1] is not round_ends[pair[0]]]


def _where(restarted: ndarray, new: Any, old: Any) -> Any:
    """Return the new leaf in runs that were restarted; leaves other than arrays are the same in all."""
    return jnp.where(restarted.reshape(-1, *[1] * (new.ndim - 1)), new, old) if eqx.is_array(new) else old


def _with_rows(indices: ndarray | None, old: Any, new: Any) -> Any:
    """Return an array with some rows replaced, by default all; repeated ones are equal."""
    if not eqx.is_array(old) or indices is None:
        return new
    if is_key(old):
        return old.at[indices].set(new)
    replaced = np.array(old)
    replaced[indices] = np.asarray(new)
    return replaced


def _member(carry: Carry, k: int, single: bool) -> Carry:
    """Return the state of the k-th run."""
    if single:
        return carry
    return jax.tree.map(lambda leaf: leaf[k] if eqx.is_array(leaf) else leaf, carry)


@compiled
def _advance(games, methods, carry, keys, budget, tol):  # type: ignore[no-untyped-def]
    """Advance all runs to their end or to ``budget`` steps."""

    def run(game, method, carry, key):  # type: ignore[no-untyped-def]
        return jax.lax.while_loop(
            lambda c: (c.done < budget) & (c.ended == 0),
            lambda c: one_step(game, method, c, key, tol),
            carry,
        )

    return eqx.filter_vmap(run)(games, methods, carry, keys)


@compiled
def _begin(games, methods, starts, keys, count):  # type: ignore[no-untyped-def]
    return eqx.filter_vmap(initial_carry)(games, methods, starts, keys, count)

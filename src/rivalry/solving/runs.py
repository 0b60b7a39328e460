"""Runs of methods that take steps, side by side in the same programs, with all that follows an end."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from rivalry.core.batched_games import Together, rows_of
from rivalry.core.game import Playable, is_population, profile_dims
from rivalry.core.method import BaseMethod, Finish
from rivalry.core.results import Record, Solution
from rivalry.runtime.jax import eqx, floats, is_key, jax, key_rows, put, stack_trees
from rivalry.solving import ends
from rivalry.solving.inputs import Settings
from rivalry.solving.progress import Limited, Progress
from rivalry.solving.reparametrised import as_read, reparametrise
from rivalry.solving.steps import (
    ROWS,
    Carry,
    advance,
    as_arrays,
    begin,
    elapsed_time,
    from_leaves,
    leaves_of,
    path_row,
)

if TYPE_CHECKING:
    from rivalry.core.space import Profile

PATH = 512  # most rows of a recorded path; beyond, every second row is dropped and the stride doubles
HISTORY = 256  # the same for populations: policies are large, and each is evaluated
SERIES = ("rows", "steps", "times", "residuals")  # of a recorded path, as `path_row` returns them
OTHER_METHOD = "batch: game {} has a method of another form; only numbers may differ within a batch"


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
    """Runs, each of a game, a method and a start, which differ in numbers only.

    Programs serve all of them; those of a single run are its own.

    Attributes
    ----------
    carry : Carry
        The state of all runs, with arrays ``[run ..]``.
    ends : dict of int to Finish or None
        The analysis of the end of every run that has ended.
    unstable : dict of int to list of Finish
        The unstable ends that a run has left.
    """

    def __init__(
        self,
        cases: Sequence[tuple[Playable, BaseMethod, Profile]],
        keys: jax.Array,
        settings: Settings,
        watch: Limited,
        part: int | None = None,
    ) -> None:
        games, methods, starts = zip(*cases, strict=True)
        self.games, self.starts, self.keys = list(map(as_arrays, games)), list(starts), keys
        self.methods = list(map(reparametrise, self.games, methods))
        self.settings, self.watch, self.limit = settings, watch, settings.step_limit
        # as arrays, since a program would be compiled for every Python number
        self.limits = np.asarray(self.limit), np.asarray(float(settings.tol))
        self.together = Together(as_read(self.games, self.methods, starts), part)
        self.stacked_methods = stack_trees(list(map(as_arrays, self.methods)), OTHER_METHOD)
        self.carry = self._begin(np.zeros(len(self.games), int))
        residuals = path_row(self.methods[0], self.carry)[3]
        self.paths = [Path.at(*row) for row in zip(games, starts, residuals, strict=True)]
        self.ends: dict[int, Finish | None] = {}
        self.unstable: dict[int, list[Finish]] = defaultdict(list)
        self.restarts: list[tuple[int, Profile]] = []  # run and end that was left, in their order

    def solutions(self, certified: Sequence[ends.Certified] | None = None) -> list[Solution]:
        """Return the solutions of all runs, at their ends or where a limit stopped them.

        Their profiles are certified together, unless it is given what is ``certified`` of each game.
        """
        records, tolerance = self._run(), self.settings.tolerance
        if certified is None:
            certified = ends.know_together(self.together.of(self.games), records, tolerance)
        rows = zip(self.games, records, certified, strict=True)
        return [ends.certify(game, record, tolerance, known) for game, record, known in rows]

    def trace(self, every: int) -> dict[str, ndarray]:
        """Return the path of the first run up to the limit of steps, whatever its status; of `SERIES`."""
        path = self.paths[0] = Path(self.paths[0].series, sys.maxsize, every)
        while self.carry.done[0] < self.limit:
            self.carry = self.carry._replace(ended=np.zeros_like(self.carry.ended))
            self._advance(self._active())
        return path.arrays()

    def _run(self) -> list[Record]:
        checkpoint = self.settings.checkpoint
        if checkpoint is not None and (saved := checkpoint.load()) is not None:
            self._restore(saved)
        while self._restart(stopped=self._forward()):
            pass
        return [self._record(k) for k in range(len(self.games))]

    def _record(self, k: int) -> Record:
        game, method, unstable, carry = (
            self.games[k],
            self.methods[k],
            self.unstable[k],
            rows_of(self.carry, k),
        )
        path = self.paths[k].record(game, method, carry) if self.settings.path else {}
        record = ends.report(self.together.games[k], method, carry, path)
        if (end := self.ends[k]) is not None:
            record |= ends.end_record(game, end, unstable, record)
        record |= ends.out_of_time(record, self.watch.over) | ends.departures(game, unstable)
        if path and self.settings.tolerance is not None and is_population(game):
            from rivalry.population.certificate import exploitability_along  # loads JAX

            record["path_exploitability"] = (("step", "player"), exploitability_along(game, path["path"][1]))
        return record

    def _begin(self, steps: Any) -> Carry:
        """Return the state at the starts, after ``steps`` steps."""
        starts = np.stack([np.asarray(start) for start in self.starts])
        carry: Carry = begin(self.together, self.stacked_methods, starts, self.keys, steps)
        return carry

    def _forward(self) -> bool:
        """Advance all runs to their ends or until ``watch`` stops them; return whether it did."""
        checkpoint = self.settings.checkpoint
        while len(active := self._active()):
            self._advance(active)
            if checkpoint is not None and checkpoint.due():
                checkpoint.save(self._saved())
            if self.watch(Progress(self._steps(), self.limit, float(np.max(self.carry.residual)))):
                return True
        return False

    def _steps(self) -> int:
        """Fewest steps of a run that has not ended; the limit where there is none."""
        return int(np.min(self.carry.done, initial=self.limit, where=self.carry.ended == 0))

    def _active(self) -> ndarray:
        """Numbers of the runs that have neither ended nor reached the limit."""
        return np.flatnonzero((self.carry.ended == 0) & (self.carry.done < self.limit))

    def _advance(self, active: ndarray) -> None:
        selection = self.together.parts_with(active)
        path = self.settings.path
        strides = np.array([path_of_run.stride for path_of_run in self.paths]) * (1 if path else ROWS)
        arguments = self.stacked_methods, self.carry, self.keys, strides, *self.limits, path
        new, rows = advance(self.together, *arguments, selection=selection)
        # without those that fill up the last part
        runs = range(len(self.games)) if selection is None else active
        for k, *recorded in zip(runs, *rows, strict=False):
            self.paths[k].add(recorded)
        self.carry = _with_rows(self.carry, selection, new)

    def _restart(self, stopped: bool) -> bool:
        """Analyse the ends; restart runs from unstable ones, and return whether there are any."""
        restarted = list[int]()
        states = {k: rows_of(self.carry, k) for k in range(len(self.games)) if k not in self.ends}
        for k, end in self._analyse({k: state.state.profile for k, state in states.items()}).items():
            game, method, state, unstable = (
                self.together.games[k],
                self.methods[k],
                states[k],
                self.unstable[k],
            )
            time = elapsed_time(method, state) if unstable else 0.0
            final = stopped or int(state.done) >= self.limit
            end, onward = ends.examine(game, method, end, key_rows(self.keys, k), unstable, time, final)
            if onward is None:
                self.ends[k] = end
            else:
                self.restarts.append((k, put(state.state.profile)))
                self.starts[k] = onward
                restarted.append(k)
        if restarted:
            # the methods' time goes on
            times = path_row(self.methods[0], self.carry)[2]
            begun = self._begin(self.carry.done)._replace(since=times)
            self.carry = _with_rows(self.carry, restarted, rows_of(begun, restarted))
        return bool(restarted)

    def _analyse(self, profiles: Mapping[int, Any]) -> dict[int, Finish | None]:
        """Analyse ends by run: the first one of a run with those of the others, later ones alone.

        Whether it is the first depends on the run only, and so do its bytes.
        """
        games, methods = self.together.games, self.methods
        keys = [key_rows(self.keys, k) for k in range(len(games))]
        analysed, first_ends = {}, np.full((len(games), *np.shape(self.starts[0])), np.nan)
        for k, profile in profiles.items():
            if self.unstable[k]:
                analysed[k] = ends.analyse(games[k], methods[k], put(profile), keys[k])
            else:
                first_ends[k] = profile
        if len(analysed) < len(profiles):
            together = ends.analyse_together(self.together, methods, first_ends, keys)
            analysed = {k: analysed[k] if k in analysed else together[k] for k in profiles}
        return analysed

    def _saved(self) -> dict[str, ndarray]:
        profiles = floats([np.asarray(profile) for _, profile in self.restarts])
        arrays = leaves_of(self.carry) | {"gone": np.array([k for k, _ in self.restarts], int)}
        arrays["gone_from"] = profiles.reshape(-1, *np.shape(self.starts[0]))
        for k, path in enumerate(self.paths):
            arrays |= path.saved(f"{k} ")
        return arrays

    def _restore(self, saved: Mapping[str, ndarray]) -> None:
        """Continue from a checkpoint, which has profiles of the ends that were left."""
        self.carry = from_leaves(self.carry, saved)
        self.paths = [path.restored(saved, f"{k} ") for k, path in enumerate(self.paths)]
        pairs = zip(saved["gone"], saved["gone_from"], strict=True)
        waiting = self.restarts = [(int(k), profile) for k, profile in pairs]
        while waiting:
            # in rounds: the first end of every run, then the second of those that left one
            round_ends = dict(reversed(waiting))
            for k, end in self._analyse(round_ends).items():
                self.unstable[k] += filter(None, [end])
            waiting = [pair for pair in waiting if pair[1] is not round_ends[pair[0]]]


def _with_rows(tree: Any, numbers: Any, rows: Any) -> Any:
    """Return a tree with some rows of its arrays replaced, by default all; repeated ones are equal."""

    def replaced(old: Any, new: Any) -> Any:
        if not eqx.is_array(old) or is_key(old):
            return old.at[numbers].set(new) if is_key(old) else new
        array = np.array(old)
        array[numbers] = new
        return array

    return rows if numbers is None else jax.tree.map(replaced, tree, rows)

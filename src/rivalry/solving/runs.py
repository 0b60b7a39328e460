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
from rivalry.runtime.jax import eqx, floats, is_key, jax, put, stack_trees
from rivalry.solving import ends
from rivalry.solving.inputs import Settings
from rivalry.solving.progress import Limited, Progress
from rivalry.solving.steps import (
    ROWS,
    Carry,
    advance,
    as_arrays,
    as_read,
    begin,
    elapsed_time,
    from_leaves,
    leaves_of,
    path_row,
    reparametrise,
)

if TYPE_CHECKING:
    from rivalry.core.space import Profile

PATH = 512  # most rows of a recorded path; beyond, every second row is dropped and the stride doubles
HISTORY = 256  # the same for populations: policies are large, and each is evaluated
SERIES = ("profile", "step", "time", "residual")  # of a recorded path, as `path_row` returns them
OTHER_METHOD = "batch: game {} has a method of another form; only numbers may differ within a batch"


@dataclass
class Path:
    """The recorded path of a run, in parts: arrays ``[row ..]`` of each of `SERIES`."""

    parts: list[Sequence[ndarray]]
    max_rows: int
    stride: int = 1  # steps per row

    def add(self, recorded: Sequence[ndarray]) -> None:
        """Add the rows of a call of the program, which repeats its last row after the end or the limit."""
        new = np.flatnonzero(np.diff(recorded[1], prepend=self.parts[-1][1][-1]) > 0)
        if not len(new):
            return
        self.parts.append([series[new] for series in recorded])
        length = sum(len(steps) for _, steps, *_ in self.parts)
        if length > self.max_rows:
            # the last row is the current profile
            keep = np.union1d(np.arange(0, length, 2), [length - 1])
            self.parts = [[series[keep] for series in self.arrays().values()]]
            self.stride *= 2

    def arrays(self) -> dict[str, ndarray]:
        """Return the arrays by name."""
        return dict(zip(SERIES, map(np.concatenate, zip(*self.parts, strict=True)), strict=True))

    def record(self, game: Playable, method: BaseMethod, carry: Carry) -> Record:
        """Record of the path: profiles, steps, and the method's times and residuals."""
        rows, steps, *measured = self.arrays().items()
        record = Record(path=(("step", *profile_dims(game)), rows[1]), path_step=(("step",), steps[1]))
        diagnostics = method.diagnostics(carry.state)
        return record | {f"path_{name}": (("step",), a) for name, a in measured if name in diagnostics}


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
        self.games, self.starts = list(map(as_arrays, games)), list(starts)
        self.words = np.asarray(jax.random.key_data(keys))
        self.keys = list(map(jax.random.wrap_key_data, self.words))
        self.methods = list(map(reparametrise, self.games, methods))
        self.settings, self.watch, self.limit = settings, watch, settings.step_limit
        # as arrays, since a program would be compiled for every Python number
        self.limits = np.asarray(self.limit), np.asarray(float(settings.tol))
        self.together = Together(as_read(self.games, self.methods, starts), part)
        self.stacked_methods = stack_trees(list(map(as_arrays, self.methods)), OTHER_METHOD)
        self.carry = self._begin(np.zeros(len(self.games), int))
        most = HISTORY if is_population(games[0]) else PATH
        # the starts themselves: of a reparametrised method the state rounds them
        first_rows = map(np.asarray, (starts, *path_row(self.methods[0], self.carry)[1:]))
        rows = zip(*(series[:, None] for series in first_rows), strict=True)
        self.paths = [Path([row], most) for row in rows]
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
        return [ends.certify(game, record, tolerance, answers) for game, record, answers in rows]

    def trace(self, stride: int) -> dict[str, ndarray]:
        """Return the path of the first run up to the limit of steps, whatever its status; of `SERIES`."""
        path = self.paths[0] = Path(self.paths[0].parts, sys.maxsize, stride)
        while self.carry.done[0] < self.limit:
            self.carry = self.carry._replace(ended=np.zeros_like(self.carry.ended))
            self._advance(self._active())
        return path.arrays()

    def _run(self) -> list[Record]:
        checkpoint = self.settings.checkpoint
        if checkpoint is not None and (saved := checkpoint.load()) is not None:
            self._restore(saved)
        while runs := self._leave_unstable_ends(self._forward()):
            self._restart(runs)
        return [self._run_record(k) for k in range(len(self.games))]

    def _run_record(self, k: int) -> Record:
        game, unstable = self.games[k], self.unstable[k]
        method, carry = self.methods[k], rows_of(self.carry, k)
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
        carry: Carry = begin(self.together, self.stacked_methods, starts, self.words, steps)
        return carry

    def _forward(self) -> bool:
        """Advance all runs to their ends or until ``watch`` stops them; return whether it did."""
        checkpoint = self.settings.checkpoint
        while len(active := self._active()):
            self._advance(active)
            if checkpoint is not None and checkpoint.due():
                checkpoint.save(self._saved())
            # of runs that have ended all steps count as taken
            steps = np.min(self.carry.done, initial=self.limit, where=self.carry.ended == 0)
            if self.watch(Progress(int(steps), self.limit, float(np.max(self.carry.residual)))):
                return True
        return False

    def _active(self) -> ndarray:
        """Numbers of the runs that have neither ended nor reached the limit."""
        return np.flatnonzero((self.carry.ended == 0) & (self.carry.done < self.limit))

    def _advance(self, active: ndarray) -> None:
        selection = self.together.parts_with(active)
        path = self.settings.path
        strides = np.array([path_of_run.stride for path_of_run in self.paths]) * (1 if path else ROWS)
        arguments = self.stacked_methods, self.carry, self.words, strides, *self.limits, path
        new, rows = advance(self.together, *arguments, selection=selection)
        # without those that fill up the last part
        runs = range(len(self.games)) if selection is None else active
        for k, *recorded in zip(runs, *rows, strict=False):
            self.paths[k].add(recorded)
        self.carry = _with_rows(self.carry, selection, new)

    def _leave_unstable_ends(self, stopped: bool) -> list[int]:
        """Analyse the ends reached since the last call; return the runs that go on from unstable ones.

        Each gets a new start beside the end that it leaves. None goes on after the limits of time or steps.
        """
        reached = {k: rows_of(self.carry, k) for k in range(len(self.games)) if k not in self.ends}
        analysed = self._analyse({k: carry.state.profile for k, carry in reached.items()})
        onward = list[int]()
        for k, end in analysed.items():
            carry, unstable = reached[k], self.unstable[k]
            time = elapsed_time(self.methods[k], carry) if unstable else 0.0
            final = stopped or int(carry.done) >= self.limit
            game, method, key = self.together.games[k], self.methods[k], self.keys[k]
            end, start = ends.examine(game, method, end, key, unstable, time, final)
            if start is None:
                self.ends[k] = end
                continue
            self.restarts.append((k, put(carry.state.profile)))
            self.starts[k] = start
            onward.append(k)
        return onward

    def _restart(self, runs: list[int]) -> None:
        """Begin runs at their new starts; their steps and the methods' time are counted on."""
        times = path_row(self.methods[0], self.carry)[2]
        begun = self._begin(self.carry.done)._replace(since=times)
        self.carry = _with_rows(self.carry, runs, rows_of(begun, runs))

    def _analyse(self, profiles: Mapping[int, Any]) -> dict[int, Finish | None]:
        """Analyse ends by run: the first one of a run with those of the others, later ones alone.

        Whether it is the first depends on the run only, and so do its bytes.
        """
        games, methods = self.together.games, self.methods
        analysed, first_ends = {}, np.full((len(games), *np.shape(self.starts[0])), np.nan)
        for k, profile in profiles.items():
            if self.unstable[k]:
                analysed[k] = ends.analyse(games[k], methods[k], put(profile), self.keys[k])
            else:
                first_ends[k] = profile
        if len(analysed) < len(profiles):
            together = ends.analyse_together(self.together, methods, first_ends, self.keys)
            analysed = {k: analysed[k] if k in analysed else together[k] for k in profiles}
        return analysed

    def _saved(self) -> dict[str, ndarray]:
        profiles = floats([np.asarray(profile) for _, profile in self.restarts])
        arrays = leaves_of(self.carry) | {"gone": np.array([k for k, _ in self.restarts], int)}
        arrays["gone_from"] = profiles.reshape(-1, *np.shape(self.starts[0]))
        for k, path in enumerate(self.paths):
            stored = path.arrays() | {"stride": np.asarray(path.stride)}
            arrays |= {f"{k} {name}": array for name, array in stored.items()}
        return arrays

    def _restore(self, saved: Mapping[str, ndarray]) -> None:
        """Continue from a checkpoint, which has profiles of the ends that were left."""
        self.carry = from_leaves(self.carry, saved)
        for k, path in enumerate(self.paths):
            path.parts, path.stride = [[saved[f"{k} {name}"] for name in SERIES]], int(saved[f"{k} stride"])
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

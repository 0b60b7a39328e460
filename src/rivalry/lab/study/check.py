"""Checks of a study's games, methods and plots before a run."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from inspect import signature
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import SeedSequence

from rivalry.core.game import Game, is_agents
from rivalry.core.method import Learner, Method, as_learner, as_method, start_of
from rivalry.core.oracles import flow_certificate, named_start, plot_data, to_linear_quadratic
from rivalry.core.plain import is_plain
from rivalry.games import GAMES
from rivalry.lab.study import names
from rivalry.lab.study.build import LEADERS, build_game, build_method, build_plot, in_study
from rivalry.lab.study.document import MANY, run_keys
from rivalry.lab.study.errors import StudyError, format_value, unknown
from rivalry.lab.study.identity import Table, TableDict, canonical
from rivalry.lab.study.points import Cell, Changes, Grid, apply_changes, batch_points
from rivalry.plots import PATH_VIEWS, PLOTS
from rivalry.runtime.jax import eqx, jax, key_of_number
from rivalry.schema.annotations import accepted_intervals
from rivalry.schema.construction import is_number
from rivalry.schema.keys import Key, overlap, write_key
from rivalry.schema.register import BENCHMARKS
from rivalry.schema.registry import load, near

LARGEST = 1e300  # beyond it every value is checked in a game
NOT_OF_METHODS = {"steps": "is for learners; this method takes max_steps"}
NOT_OF_LEARNERS = {
    "max_steps": "is for solvers and dynamics; a learner takes steps",
    **dict.fromkeys(("tol", "starts", "path"), "is for solvers and dynamics; not for a learner"),
}


class Checker:
    """Builder of a study's games and methods, each once, that checks their fit. Raises `StudyError`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.last: tuple[str, Any] = ("", None)  # games may be large, and neighbours in a sweep share them
        self.own: dict[str, TableDict] = {}  # keys of the run, by method
        self.methods: dict[tuple[str, type], Any] = {}
        self.pairs: set[str] = set()
        self.shapes: set[str] = set()

    def cell(self, place: Table, task: Table) -> None:
        """Check the task of one cell at all points of its batch; ``place`` is its point of the sweep."""
        at = place
        forms = set()
        try:
            single_point: list[tuple[Changes, Any, Any]] = [({}, task["game"], task["method"])]
            for point, game, method in batch_points(task) if task["batch"] else single_point:
                at = {**place, **{write_key(key): value for key, value in point.items()}}
                self.pair(game, method)
                if task["batch"]:
                    forms.add(_form(self.game(game)))
                if len(forms) > 1:
                    raise StudyError("a batch may vary numbers only, not sizes or choices", key="batch")
        except StudyError as error:
            where = ", ".join(f"{name} = {format_value(value)}" for name, value in at.items())
            message = error.message + (f" (at {where})" if where else "")
            raise StudyError(message, key=error.key, unknown=error.unknown) from None

    def cells(
        self, cells: Sequence[Cell], decisive: Collection[str], intervals: Mapping[Key, str]
    ) -> Iterator[int]:
        """Check the tasks of cells, yield how many are checked, and raise the error of the first refused one.

        Of ``decisive`` coordinates every value is tried, of ``intervals``, by swept key, the ends; see
        `interval_keys`.
        """
        groups: dict[tuple[Any, ...], list[int]] = {}
        for k, cell in enumerate(cells):
            # replications share their tables
            group: tuple[Any, ...] = id(cell.task["game"]), id(cell.task["method"])
            if intervals:
                signs = (cell.point[name] < 0 for name in intervals.values())
                group = cell.method, *(canonical(cell.point[name]) for name in decisive), *signs
            groups.setdefault(group, []).append(k)
        count, refusal = 0, len(cells)
        for members in groups.values():
            # once a cell is refused, only earlier ones matter
            if candidates := [k for k in members if k < refusal]:
                refusal = min(refusal, self._first_refused(cells, candidates, intervals))
            count += len(members)
            yield count
        if refusal < len(cells):
            self.cell(cells[refusal].point, cells[refusal].task)

    def _first_refused(
        self, cells: Sequence[Cell], members: Sequence[int], intervals: Mapping[Key, str]
    ) -> int:
        """Return the first of some cells that is refused, the number of all cells if none is.

        They differ in ``intervals`` alone.
        """
        try:
            for point, game in _ends([cells[k] for k in members], intervals):
                self.cell(point, {**cells[members[0]].task, "game": game})
        except StudyError:
            middle = len(members) // 2
            if not middle:
                return members[0]
            # the end may be no cell: keys that are zipped have few of their combinations
            halves = members[:middle], members[middle:]
            refusals = (self._first_refused(cells, half, intervals) for half in halves)
            return next((k for k in refusals if k < len(cells)), len(cells))
        return len(cells)

    def pair(self, game_table: Table, method_table: Table) -> None:
        """Check that a method can start on a game."""
        key = _text([game_table, method_table])
        if key in self.pairs:
            return
        game, name, kind = self.game(game_table), method_table["name"], method_table["kind"]
        table_text = _text(method_table)
        if table_text not in self.own:
            self.own[table_text] = run_keys(method_table, ("method", name))
        table, method = self.own[table_text], self.method(method_table, game)
        learns = isinstance(method, Learner)
        if not learns and not isinstance(method, Method):
            rule = (
                f"{format_value(kind)} makes no method: it has no init and step, begin, advance and read, "
                "or act"
            )
            raise StudyError(rule, key=f"method.{name}.kind")
        for option, rule in (NOT_OF_LEARNERS if learns else NOT_OF_METHODS).items():
            if option in table:
                raise StudyError(rule, key=f"method.{name}.{option}")
        start, given_start = None, table.get("start", "random")
        shape = _text([_shape(game_table), _shape(method_table)])
        # spaces of bundled families can be sampled whatever their numbers are
        sampled = shape in self.shapes and given_start in MANY and game_table["family"] in GAMES
        # a learner without a start needs no profile, and perhaps no JAX
        if not sampled and ("start" in table or not learns):
            start = _start(game, start_of(method, game, given_start), f"method.{name}.start")
        if shape not in self.shapes:
            start_option = (table["start"], start) if "start" in table else None
            _begin(game, method, name, start_option, is_own=names.is_file(kind))
        self.shapes.add(shape)
        self.pairs.add(key)

    def method(self, table: Table, game: object) -> Any:
        """Return the method of a table, for a game."""
        key = (_text(table), type(game))
        if key not in self.methods:
            self.methods[key] = build_method(table, self.folder, game)
        return self.methods[key]

    def game(self, table: Table) -> Any:
        """Return the game of a table."""
        key = _text(table)
        if key != self.last[0]:
            game = build_game(table, self.folder)
            formed = to_linear_quadratic.knows(game) or flow_certificate.knows(game)
            if not (hasattr(game, "space") or is_agents(game) or formed or _has_horizon(game)):
                rule = (
                    "a game has a space, a linear-quadratic form, a horizon with rewards by distribution, "
                    "or a world of agents and static_metrics()"
                )
                words = f"{format_value(table['family'])} makes {type(game).__name__}: {rule}"
                raise StudyError(words, key="game.family")
            if names.is_file(table["family"]) and isinstance(game, Game):
                _check_payoffs(game, table["family"])
            self.last = (key, game)
        return self.last[1]


def interval_keys(game: Table, methods: Sequence[Table], sweep: Grid, batch: Grid) -> list[Key]:
    """Return the swept keys of which `Checker.first_refused` need try only the smallest and largest values.

    An `AcceptedInterval` in the annotation of a parameter states this property.
    """
    entry = GAMES.get(str(game["family"]))
    starts = [row.get("start", "random") for row in methods]
    starts += [value for key, values in sweep.values.items() if key[-1] == "start" for value in values]
    # a start that the game names follows from its numbers
    has_named_start = any(isinstance(start, str) and start not in MANY for start in starts)
    if entry is None or batch.forms or has_named_start or names.files_in([game, sweep.table]):
        return []
    changed = {*game, *(key[1] for key in sweep.values if key[0] == "game")}
    clashes, independent = accepted_intervals(load(entry.targets[0])), list[Key]()
    for key, values in sweep.values.items():
        parameter = write_key([part for part in key[1:] if isinstance(part, str)])
        is_accepted = key[0] == "game" and parameter in clashes and all(map(_is_ordinary, values))
        if is_accepted and changed.isdisjoint({LEADERS, *clashes[parameter]}):
            independent.append(key)
    # where another key sets the same numbers, or what holds them, the order of the changes decides
    dependent = [key for key in sweep.values if key not in independent]
    return [key for key in independent if not any(map(partial(overlap, key), dependent))]


def _ends(cells: Sequence[Cell], intervals: Mapping[Key, str]) -> Iterator[tuple[Table, Table]]:
    """Yield points and tables of games: the combinations of the smallest and largest values, or all cells.

    Where a set is an interval in every direction, a box is in it if its corners are.
    """
    ends = {}
    for key, name in intervals.items():
        values = [cell.point[name] for cell in cells]
        ends[key] = sorted({min(values), max(values)})
    if prod(map(len, ends.values())) >= len(cells):
        yield from ((cell.point, cell.task["game"]) for cell in cells)
        return
    for corner in product(*ends.values()):
        changes = dict(zip(ends, corner, strict=True))
        point = {intervals[key]: value for key, value in changes.items()}
        yield {**cells[0].point, **point}, apply_changes(cells[0].task["game"], (), changes)[0]


def _is_ordinary(value: object) -> bool:
    """True for a number that no rule about very large numbers concerns."""
    return (type(value) is float and abs(value) < LARGEST) or (type(value) is int and abs(value) < 2**63)


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _shape(value: object) -> Any:
    """Return a table without its numbers: errors in lengths or words are the same for one shape."""
    if isinstance(value, Mapping):
        return {key: _shape(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_shape(entry) for entry in value]
    return 0 if is_number(value) else value


def _form(game: Any) -> str:
    """Return a mark that is equal for two games that can share a compiled program."""
    if is_plain(game):  # its batch points are solved one by one
        return f"{type(game)} {game.space.shape}"
    leaves, tree = jax.tree.flatten(game)
    arrays = jax.Array | np.ndarray | np.generic
    return f"{tree} {[leaf.shape if isinstance(leaf, arrays) else leaf for leaf in leaves]}"


def _begin(game: Any, method: Any, name: str, start_option: tuple[Any, Any] | None, *, is_own: bool) -> None:
    """Check that a method can start on a game: trace a solver, allocate a learner's arrays.

    ``start_option`` is a learner's start, as written and as a profile; None if the study gives none.
    """
    try:
        if isinstance(method, Learner):
            learner = as_learner(method)
            world = learner.world(game)
            if start_option is None:
                learner.check_world(world)
            else:
                _begin_at(learner, world, SeedSequence(0), *start_option)
        else:
            as_method(method).check_game(game)
            start = jax.ShapeDtypeStruct(game.space.shape, float)
            eqx.filter_eval_shape(method.init, game, start, key_of_number(0))
    except ValueError as error:
        raise in_study(error, type(method), ("method", name)) from None
    except (Exception, SystemExit) as error:  # a user's file may raise anything: report it in one line
        if not is_own:
            raise
        raise StudyError(f"cannot begin: {_first_line(error)}", key=f"method.{name}") from None


def _begin_at(learner: Any, world: Any, stream: SeedSequence, start_text: object, start: Any) -> None:
    if not learner.takes_start:
        raise ValueError(f"start: {format_value(start_text)} is not taken by this learner; leave it out")
    try:
        learner.begin_at(world, stream, start)
    except ValueError as error:
        if start_text not in MANY:
            raise
        raise ValueError(f"start: {format_value(start_text)} does not fit ({error}); leave it out") from None


def _check_payoffs(game: Any, family: str) -> None:
    """Check that a user's payoffs can be traced and return one number per player."""
    shape = game.space.shape
    try:
        payoffs = jax.eval_shape(game.payoffs, jax.ShapeDtypeStruct(shape, float))
    except (Exception, SystemExit) as error:  # a user's file may raise anything
        raise StudyError(f"payoffs of {family} raised {_first_line(error)}", key="game") from None
    shape_returned = payoffs.shape if isinstance(payoffs, jax.ShapeDtypeStruct) else type(payoffs).__name__
    if shape_returned != shape[:1]:
        rule = f"payoffs of {family} give {shape_returned}; must be one number per player, ({shape[0]},)"
        raise StudyError(rule, key="game")


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {''.join(str(error).strip().splitlines()[:1])}"


def _start(game: Any, start: Any, key: str) -> Any:
    """Return the profile of a start; one sample if the start means several."""
    if is_agents(game):
        if start == "random":
            return None
        raise StudyError(f"{format_value(start)} is not taken by this game; leave it out", key=key)
    if start in MANY:
        return game.space.sample(key_of_number(0))
    try:
        if not isinstance(start, str):
            return game.space.check(start, key)
        if named_start.knows(game):
            return game.space.check(named_start(game, start), key)
        raise StudyError(unknown(start, MANY, "a start of this game"), key=key)
    except StudyError:
        raise
    except ValueError as error:
        raise StudyError(str(error).removeprefix("start: ").removeprefix(f"{key}: "), key=key) from None


def check_plots(rows: Sequence[str | Table], game: object, folder: Path, views: Sequence[str] = ()) -> None:
    """Raise `StudyError` for plot data that the game does not offer, or invalid options of a plot."""
    offered = set(plot_data(game))
    if BENCHMARKS in set(views) - offered:
        raise StudyError("benchmark:NAME is for games with benchmarks, as markets are", key="answer.test")
    offered |= {*PATH_VIEWS} if isinstance(game, Game) else set()
    for k, row in enumerate(rows):
        table = {"kind": row} if isinstance(row, str) else row
        kind = table["kind"]
        if names.is_file(kind) or set(table) - {"kind", "at"}:
            _check_plot_options(table, k, folder)
        spare = kind in PLOTS and PLOTS[kind].spare
        if missing := [] if spare else [view for view in names.views([row]) if view not in offered]:
            rule = f"{kind!r} draws the view {missing[0]!r}, which this game does not have"
            raise StudyError(rule, key=f"plots[{k}]")


def _check_plot_options(row: Table, k: int, folder: Path) -> None:
    """Check that a plot's function accepts its options and has the form of a plot function."""
    kind = row["kind"]
    parameters = list(signature(build_plot(kind, folder, f"plots[{k}]")).parameters.values())
    if len(parameters) < 2 or parameters[1].kind is parameters[1].KEYWORD_ONLY:
        raise StudyError(f"{kind} must take (data, ax=None), and options", key=f"plots[{k}]")
    if any(option.kind is option.VAR_KEYWORD for option in parameters):
        return
    names = ["kind", *(option.name for option in parameters[2:])]
    if strange := [name for name in row if name not in names]:
        rule = f"unknown option of {kind}; {near(strange[0], names)}"
        raise StudyError(rule, key=f"plots[{k}].{strange[0]}")


def _has_horizon(game: object) -> bool:
    """True for a mean-field game over a finite horizon."""
    from rivalry.population.horizon import HorizonGame  # its package imports JAX, which finite games need not

    return isinstance(game, HorizonGame)

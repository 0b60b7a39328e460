"""Batches of runs in one compiled program, and the batched sweep."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import fields, is_dataclass, replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.random import SeedSequence

from rivalry.core.batched_games import PART
from rivalry.core.game import Game, Playable, arrays, with_
from rivalry.core.method import STEPS, Learner, Method, as_method
from rivalry.core.plain import is_plain, register_plain
from rivalry.core.results import Record, Solution, collect
from rivalry.core.tolerances import TOLERANCE
from rivalry.methods.q_learning.options import written_out
from rivalry.runtime.blas import one_blas_thread
from rivalry.runtime.jax import eqx, jax, key_rows, numbers_in_numpy, promote_ranks
from rivalry.schema.annotations import meaning_of, signature_of
from rivalry.schema.construction import recipe_of, replace_entry, variant
from rivalry.schema.keys import parse_key
from rivalry.schema.validate import check, check_keywords, near
from rivalry.solving import ends, inputs
from rivalry.solving.inputs import Settings
from rivalry.solving.progress import Checkpoint, Limited, Progress, ProgressCallback, draw_progress
from rivalry.solving.randomness import Rng, first_keys, key_of, keys_of, split_key
from rivalry.solving.runs import StepwiseRuns
from rivalry.solving.single import solve
from rivalry.solving.steps import as_arrays

if TYPE_CHECKING:
    from xarray import Dataset

    from rivalry.core.space import Profile

MOST = 100_000  # points of a sweep, each of which is a game
OPTIONS_OF_RUN = ("start", "tol", "max_steps")  # swept as ``method.start``, though they are no options of one
LENGTHS = 1, 2, 3, 4, 6, 8, 12
"""Of parts, up to `PART`: programs are compiled for each, and filled up by a third at most."""


def solve_batch(
    games: Sequence[Playable],
    methods: Sequence[Method],
    starts: Sequence[Profile],
    *,
    seed: int | SeedSequence | Sequence[SeedSequence] = 0,
    tol: float = 1e-8,
    max_steps: int = STEPS,
    max_seconds: float | None = None,
    progress: ProgressCallback | None = None,
    tolerance: float | None = TOLERANCE,
    path: bool = False,
    checkpoint: Checkpoint | None = None,
    part: int | None = None,
) -> list[Solution]:
    """Run ``methods[k]`` on ``games[k]`` from ``starts[k]`` for every k, in one compiled program.

    Parameters not listed here are those of `solve`.

    Parameters
    ----------
    games, methods, starts
        One of each per run. Only numbers may differ between runs; sizes and choices must be the same.
    seed
        Of all runs together; or a seed sequence per run, which then draws what `solve` would draw.
    max_seconds
        Time limit of all runs together.
    path
        Whether paths are recorded; without them calls of the program take more steps.
    part
        Number of runs per call of a program, the last of which is filled up with the last run; by default
        all. Runs that have ended are left out of later calls. The bits of a run depend on this number, not on
        the other runs.

    Returns
    -------
    list of Solution
        One per run.

    Raises
    ------
    ValueError
        If runs differ in more than numbers, or for an argument that `solve` refuses.
    """
    settings = Settings(0, None, tol, max_steps, max_seconds, progress, tolerance, path, checkpoint)
    watch = settings.watch()
    games = list(map(register_plain, games))
    cases = list(zip(games, map(as_method, methods), starts, strict=True))
    for game, method, _ in cases:
        inputs.check_fit(method, game)
    if isinstance(seed, int | SeedSequence):
        keys = split_key(key_of(settings._replace(seed=seed).sequence()), len(games))
    else:
        keys = first_keys(seed)
    # whole parts: then one program serves any number of runs
    size = part or 1
    groups = [np.minimum(np.arange(-(-len(games) // size) * size), len(games) - 1)]
    if len({jax.tree.structure(game) for game in games}) > 1 and any(map(is_plain, games)):
        # numbers of plain classes are constants of a program: each run needs its own
        groups, settings = list(np.arange(len(games))[:, None]), settings._replace(checkpoint=None)
    solutions: list[Solution] = []
    for group in groups:
        runs = StepwiseRuns([cases[k] for k in group], key_rows(keys, group), settings, watch, part)
        solutions += runs.solutions()
    return solutions[: len(games)]


@check_keywords
@draw_progress("points", 2)
@one_blas_thread
@promote_ranks
def sweep(
    game: Game,
    over: Mapping[str, Sequence[Any]],
    method: Method | Learner,
    start: object = None,
    *,
    zip: bool = False,
    seed: int = 0,
    rng: Rng | None = None,
    tol: float = 1e-8,
    max_steps: int | None = None,
    progress: ProgressCallback | bool | None = None,
    tolerance: float | None = TOLERANCE,
) -> Dataset:
    """Run a method at all combinations of parameter values, in batches of one compiled program each.

    Points whose games and methods differ only in numbers share a compiled program; learners run one after the
    other, each with a random stream of its own. Parameters not listed here are those of `solve`.

    Parameters
    ----------
    game
        The game at the values that are not swept.
    over
        Values per name. A name is an array of the game (``reach``; a number sets all its entries), a keyword
        of its factory, which is called again (``r`` of a race, ``resource.stds``, ``reach[1]``), or
        ``method.OPTION``, where ``start``, ``tol`` and ``max_steps`` are options too. As in a study, names of
        the game may begin with ``game.``.
    start
        Start at every point. By default solvers sample one, with the same seed at every point.
    progress
        Receives `Progress` events that count points, or ``True`` for a bar, as in `solve`.
    zip
        Whether the values are paired in their order, as with ``zip = true`` in a study, instead of taken in
        all combinations.

    Returns
    -------
    xarray.Dataset
        Variables of all solutions, with one dimension per name in ``over``, or ``point`` with ``zip``.

    Raises
    ------
    ValueError
        For an unknown name, and for a value that the game's factory refuses.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.2] * 3)
    >>> sweep = rv.sweep(game, {"reach": [0.25, 0.3]}, rv.methods.GradientAscent(), [0.1, 0.4, 0.9])
    >>> sweep.claim.values.tolist()
    ['equilibrium', 'equilibrium']
    """
    check(sweep, (), dict(locals()))
    inputs.check_game(game)
    learns = isinstance(method, Learner) and not isinstance(method, type)
    inputs.check_method(method, inputs.LEARNER if learns else inputs.SOLVER)
    settings = Settings(seed, rng, tol, max_steps, progress=progress, tolerance=tolerance)
    settings.check()
    points = _points(over, zip)
    with nullcontext() if learns else numbers_in_numpy():
        base, base_arrays = Member(game, method, start, settings), arrays(game)
        members = [_vary(base, point, base_arrays) for point in points]
    records = _run(members, settings.sequence(), learns, settings.watch())
    names = [ends.names_of(member.game) for member in members]
    shared = names[0] if all(names_of_point == names[0] for names_of_point in names) else {}
    axes: Mapping[str, Any] = {"point": range(len(points))} if zip else over
    places: list[dict[str, Any]] = [{"point": k} for k in axes["point"]] if zip else points
    companions = {name: ("point", values) for name, values in over.items()} if zip else None
    data = collect([(place, records[k]) for k, place in enumerate(places)], axes, companions, shared)
    for name, meaning in _meanings(game, method, over):
        data[name].attrs["description"] = meaning
    return data


def _meanings(game: object, method: object, over: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the meanings of swept names, from the annotations of the game's factory and of the method."""
    recipe = recipe_of(game)
    of_game = signature_of(recipe.make)[1] if recipe else {}
    try:
        kind: Any = type(method)
        of_method = signature_of(kind)[1]
    except (NameError, TypeError):  # annotations that only a type checker can read
        of_method = {}
    for name in over:
        plain = name.removeprefix("game.")
        hints, key = (of_method, plain[7:]) if plain.startswith("method.") else (of_game, plain)
        if meaning := meaning_of(hints.get(key.split("[")[0])):
            yield name, meaning


class Member(NamedTuple):
    """A point of a sweep: what is solved there."""

    game: Any
    method: Any
    start: object
    settings: Settings


def _run(
    members: Sequence[Member], sequence: SeedSequence, learns: bool, watch: Limited
) -> dict[int, Record]:
    """Return the records of all points: learners one after the other, other methods in batches."""
    records: dict[int, Record] = {}
    if learns:
        groups = [[k] for k in range(len(members))]
    else:
        limits = [(member.settings.tol, member.settings.max_steps) for member in members]
        groups = of_one_form([(member.game, member.method) for member in members], limits)
    for group in groups:

        def progress(event: Progress, before: int = len(records), points: int = len(group)) -> bool:
            return watch(Progress(before + points * event.done // max(event.total, 1), len(members)))

        if learns:
            # by number, so that a stream does not depend on how many were made before
            stream = SeedSequence(sequence.entropy, spawn_key=(*sequence.spawn_key, *group))
            solutions = [_learn(members[group[0]], stream, progress)]
        else:
            solutions = _solve_group([members[k] for k in group], sequence, progress)
        records |= zip(group, (solution.record for solution in solutions), strict=True)
    return records


def _learn(member: Member, stream: SeedSequence, progress: ProgressCallback) -> Solution:
    """Return the solution of a learner at one point."""
    options = member.settings._replace(seed=stream, rng=None, progress=progress)
    return solve(member.game, member.method, member.start, **options._asdict())


def _solve_group(
    members: Sequence[Member], sequence: SeedSequence, progress: ProgressCallback
) -> list[Solution]:
    """Return the solutions at points that differ in numbers only, with the settings of the first."""
    key, settings = keys_of(sequence, 2)[1], members[0].settings
    lengths = [length for length in LENGTHS if length >= len(members)]
    return solve_batch(
        [member.game for member in members],
        [member.method for member in members],
        [inputs.start_profile(member.game, member.method, member.start, key) for member in members],
        seed=sequence,
        tol=settings.tol,
        max_steps=settings.step_limit,
        progress=progress,
        tolerance=settings.tolerance,
        part=lengths[0] if lengths else PART,
    )


def _points(over: Mapping[str, Sequence[Any]], zipped: bool) -> list[dict[str, Any]]:
    """Return the values at every point; raise `ValueError` for too many, and for unequal numbers in a zip."""
    for name, values in over.items():
        if isinstance(values, str) or not np.ndim(values) or not len(values):
            raise ValueError(f"over[{name!r}]: {values!r} must be a list of at least one value")
    lengths = {name: len(values) for name, values in over.items()}
    if zipped and len(set(lengths.values())) > 1:
        counted = ", ".join(f"{name} has {count}" for name, count in lengths.items())
        raise ValueError(f"zip: needs names with equally many values; {counted}")
    if (count := max(lengths.values(), default=0) if zipped else prod(lengths.values())) > MOST:
        raise ValueError(f"over: {count} points are too many; must be at most {MOST}")
    rows = zip(*over.values(), strict=True) if zipped else product(*over.values())
    return [dict(zip(over, values, strict=True)) for values in rows]


def _vary(base: Member, point: Mapping[str, Any], names: Collection[str]) -> Member:
    """Return the game, the method and the options at a point; raise `ValueError` for an unknown name.

    ``names`` are those of the game's arrays.
    """
    of_game, of_method, of_run = dict[str, Any](), dict[str, Any](), dict[str, Any]()
    for name, value in point.items():
        key = name.removeprefix("game.")
        option = key.removeprefix("method.")
        if option == key:
            of_game[key] = value
        elif option in OPTIONS_OF_RUN:
            of_run[option] = value
        else:
            of_method[option] = value
    start = of_run.pop("start", base.start)
    settings = base.settings._replace(**of_run)
    settings.check()
    game = _vary_game(base.game, of_game, names)
    return Member(game, _vary_method(base.method, of_method), start, settings)


def _vary_game(game: Any, values: dict[str, Any], names: Collection[str]) -> Any:
    """Return the game with values of its arrays, whose ``names`` these are, and of keys of its factory."""
    replaced = {name: values.pop(name) for name in names if name in values}
    if values and recipe_of(game):
        game = variant(game, **values)
    elif values:  # not made by a factory, or changed since: `with_` raises
        game = with_(game, **values)
    return with_(game, **replaced) if replaced else game


def _vary_method(method: Any, options: Mapping[str, Any]) -> Any:
    """Return the method with other options; raise `ValueError` for an unknown one."""
    field_names = [field.name for field in fields(method)] if is_dataclass(method) else []
    changed: dict[str, Any] = {}
    for name, value in options.items():
        head, *tail = parse_key(name)
        if head not in field_names:
            hint = near(name, [*field_names, *OPTIONS_OF_RUN])
            raise ValueError(f"over: method.{name} is no option of {type(method).__name__}; {hint}")
        old = changed.get(head, getattr(method, head))
        if tail and isinstance(tail[0], str):
            old = written_out(str(head), old)
        changed[head] = replace_entry(old, tail, value, f"over: method.{name}", None)
    return replace(method, **changed) if changed else method


def of_one_form(members: Sequence[object], marks: Sequence[object] | None = None) -> list[list[int]]:
    """Return groups of members that differ in numbers only and have equal ``marks``.

    >>> of_one_form([(1.0, "a"), (2.0, "b"), (3.0, "a")], ["x", "x", "x"])
    [[0, 2], [1]]
    """
    groups: dict[str, list[int]] = {}
    for k, member in enumerate(members):
        leaves, tree = jax.tree.flatten(as_arrays(member))
        mark = None if marks is None else marks[k]
        forms = [np.shape(leaf) if eqx.is_array_like(leaf) else repr(leaf) for leaf in leaves]
        groups.setdefault(f"{tree} {forms} {mark}", []).append(k)
    return list(groups.values())

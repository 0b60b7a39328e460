"""Batches of runs in one compiled program, and the batched sweep."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import fields, is_dataclass, replace
from functools import partial
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.batched_games import PART, Together
from rivalry.core.game import Game, Playable, arrays, initial_profile, with_
from rivalry.core.method import STEPS, BaseMethod, Finish, Learner, Method, as_method, start_of
from rivalry.core.plain import is_plain, register_plain
from rivalry.core.results import Record, Solution, collect
from rivalry.core.tolerances import TOLERANCE
from rivalry.methods.q_learning.options import written_out
from rivalry.runtime.blas import one_blas_thread
from rivalry.runtime.jax import (
    compiled,
    eqx,
    is_key,
    jax,
    jnp,
    numbers_in_numpy,
    promote_ranks,
    put,
    stack_trees,
)
from rivalry.schema.annotations import meaning_of, signature_of
from rivalry.schema.construction import parts_of, recipe_of, replace_entry, variant
from rivalry.schema.validate import check, check_keywords, near
from rivalry.solving import ends, inputs
from rivalry.solving.inputs import Settings
from rivalry.solving.progress import Checkpoint, Limited, Progress, ProgressCallback, draw_progress
from rivalry.solving.randomness import Rng, first_keys, key_of, keys_of
from rivalry.solving.reparametrised import as_read, reparametrise
from rivalry.solving.single import Path, solve
from rivalry.solving.steps import (
    Carry,
    advance_together,
    as_arrays,
    elapsed_time,
    from_leaves,
    initial_carry,
    leaves_of,
    one_step,
    path_row,
)

if TYPE_CHECKING:
    from xarray import Dataset

    from rivalry.core.space import Profile

MOST = 100_000  # points of a sweep, each of which is a game
OTHER_METHOD = "batch: game {} has a method of another form; only numbers may differ within a batch"
CHUNK = 2_000  # steps of all runs per call of the compiled program


def solve_batch(
    games: Sequence[Playable],
    methods: Sequence[Method],
    starts: Sequence[Profile],
    *,
    seed: int | np.random.SeedSequence | Sequence[np.random.SeedSequence] = 0,
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
    games = [register_plain(game) for game in games]
    stepwise = [as_method(method) for method in methods]
    for game, method in zip(games, stepwise, strict=True):
        inputs.check_fit(method, game)
    stepwise = [reparametrise(game, method) for game, method in zip(games, stepwise, strict=True)]
    if isinstance(seed, int | np.random.SeedSequence):
        keys = jax.random.split(key_of(settings._replace(seed=seed).sequence()), len(games))
    else:
        keys = first_keys(seed)
    if len({jax.tree.structure(game) for game in games}) > 1 and any(map(is_plain, games)):
        # numbers of plain classes are constants of a program: each run needs its own
        single_settings, cases = (
            settings._replace(checkpoint=None),
            zip(games, stepwise, starts, keys, strict=True),
        )
        return [
            _solve([game], [method], [start], key[None], single_settings, watch, None)[0]
            for game, method, start, key in cases
        ]
    # whole parts: then one program serves any number of runs
    rows = np.minimum(np.arange(-(-len(games) // (part or 1)) * (part or 1)), len(games) - 1)
    games, stepwise, starts = ([member[k] for k in rows] for member in (games, stepwise, starts))
    count, keys = len(keys), keys[rows] if len(rows) > len(keys) else keys
    return _solve(games, stepwise, starts, keys, settings, watch, part)[:count]


def _solve(
    games: Sequence[Playable],
    methods: Sequence[BaseMethod],
    starts: Sequence[Profile],
    keys: jax.Array,
    settings: Settings,
    watch: Limited,
    part: int | None,
) -> list[Solution]:
    """Return `solve_batch` of games that differ in numbers only."""
    tol, tolerance, max_steps = settings.tol, settings.tolerance, settings.step_limit
    path, checkpoint = settings.path, settings.checkpoint
    compared = as_read(games, methods, starts)
    read = [as_arrays(game) for game in compared]
    together = Together(read, part)
    batch = together.stacked, stack_trees([as_arrays(method) for method in methods], OTHER_METHOD)
    begins = jnp.stack([jnp.asarray(s) for s in starts])
    carry = together.call(_begin, (*batch, begins, keys, jnp.zeros(len(games), dtype=int)))
    finishes: dict[int, Finish | None] = {}
    each_key = list(keys)
    unstable: list[list[Finish]] = [[] for _ in games]
    paths = [
        Path.at(*row) for row in zip(games, np.asarray(begins), path_row(methods[0], carry)[3], strict=True)
    ]
    restarts: list[tuple[int, Profile]] = []  # batch index of each restart, and the end that was left

    def analyse(profiles: Mapping[int, Any]) -> dict[int, Finish | None]:
        """Analyse ends by index: the first one of a run with those of the others, later ones alone.

        Whether it is the first depends on the run only, and so do its bytes.
        """
        restarted_ends = {
            k: ends.analyse(read[k], methods[k], put(profiles[k]), keys[k]) for k in profiles if unstable[k]
        }
        if len(restarted_ends) == len(profiles):
            return restarted_ends
        first_ends = np.full(begins.shape, np.nan)
        for k in profiles.keys() - restarted_ends.keys():
            first_ends[k] = profiles[k]
        read_together = ends.analyse_together(together, methods, first_ends, each_key)
        return {k: restarted_ends[k] if k in restarted_ends else read_together[k] for k in profiles}

    if checkpoint is not None and (saved := checkpoint.load()) is not None:
        carry = from_leaves(carry, saved)
        restarts = [(int(k), jnp.asarray(x)) for k, x in zip(saved["gone"], saved["gone_from"], strict=True)]
        paths = (
            [path_of_game.restored(saved, f"{k} ") for k, path_of_game in enumerate(paths)] if path else paths
        )
        waiting = restarts
        while waiting:
            # in rounds: the first end of every run, then the second of those that left one
            round_ends = dict(reversed(waiting))
            for k, end in analyse(round_ends).items():
                unstable[k] += filter(None, [end])
            waiting = [pair for pair in waiting if pair[1] is not round_ends[pair[0]]]
    # a time limit is only checked between calls of the program
    chunk = max(1, min(max_steps, CHUNK if np.isinf(watch.end) else CHUNK // 20))

    def forward(carry: Carry) -> tuple[Carry, bool]:
        """Advance all runs to their ends or until ``watch`` stops them; return whether it did."""
        while True:
            steps = np.asarray(carry.done)
            active_runs = np.flatnonzero((np.asarray(carry.ended) == 0) & (steps < max_steps))
            if not len(active_runs):
                return carry, False
            count = int(steps[active_runs].min())
            indices = together.parts_with(active_runs)
            if path:
                strides, budget = np.array([path_of_game.stride for path_of_game in paths]), put(max_steps)
                arguments = (*batch, carry, keys, put(strides))
                new, rows = together.call(
                    advance_together, arguments, budget, put(float(tol)), selection=indices
                )
                # without those that fill up the last part
                runs = range(len(games)) if indices is None else active_runs
                for k, *recorded in zip(runs, *(np.asarray(part) for part in rows), strict=False):
                    paths[k].add(recorded)
            else:
                count = min(max_steps, count + chunk)
                arguments_of_games = (*batch, carry, keys)
                new = together.call(
                    _advance, arguments_of_games, jnp.asarray(count), jnp.asarray(tol), selection=indices
                )
            carry = jax.tree.map(partial(_with_rows, indices), carry, new)
            steps = np.where(np.asarray(carry.ended) == 0, carry.done, max_steps)
            count = int(steps.min()) if path else count
            if checkpoint is not None and checkpoint.due():
                profiles = np.asarray([np.asarray(profile) for _, profile in restarts], dtype=float)
                restart_arrays = {"gone": np.array([k for k, _ in restarts], dtype=int)}
                restart_arrays["gone_from"] = profiles.reshape(-1, *carry.state.profile.shape[1:])
                for k, path_of_game in enumerate(paths if path else ()):
                    restart_arrays |= path_of_game.saved(f"{k} ")
                checkpoint.save(leaves_of(carry) | restart_arrays)
            if watch(Progress(count, max_steps, float(jnp.max(carry.residual)))):
                return carry, True

    while True:
        carry, stopped = forward(carry)
        restarted = np.zeros(len(games), dtype=bool)
        snapshot = jax.tree.map(lambda leaf: np.asarray(leaf) if eqx.is_array(leaf) else leaf, carry)
        profiles = snapshot.state.profile
        analysed = analyse({k: profiles[k] for k in range(len(games)) if k not in finishes})
        for k in analysed:
            final = stopped or int(snapshot.done[k]) >= max_steps
            time = elapsed_time(methods[k], _member(snapshot, k)) if unstable[k] else 0.0
            end, onward = ends.examine(
                read[k], methods[k], analysed[k], each_key[k], unstable[k], time, final
            )
            if onward is None:
                finishes[k] = end
            else:
                restarts.append((k, put(profiles[k])))
                restarted[k] = True
                begins = begins.at[k].set(onward)
        if not restarted.any():
            break
        restart_carry = together.call(_begin, (*batch, begins, keys, carry.done))
        # the methods' time goes on
        restart_carry = restart_carry._replace(since=put(path_row(methods[0], snapshot)[2]))
        carry = jax.tree.map(partial(_where, restarted), restart_carry, carry)
    records = []
    for k, game in enumerate(games):
        carry_of_game = _member(snapshot, k)
        path_record = paths[k].record(game, methods[k], carry_of_game) if path else {}
        record = ends.report(read[k], methods[k], carry_of_game, path_record)
        if (finish := finishes[k]) is not None:
            record |= ends.end_record(game, finish, unstable[k], record)
        records.append(record | ends.out_of_time(record, watch.over) | ends.departures(game, unstable[k]))
    unchanged = all(compared_game is game for compared_game, game in zip(compared, games, strict=True))
    original_games = together if unchanged else Together([as_arrays(game) for game in games], part)
    certified = ends.know_together(original_games, records, tolerance)
    return [
        ends.certify(*triple[:2], tolerance, triple[2])
        for triple in zip(games, records, certified, strict=True)
    ]


def _where(restarted: np.ndarray, new: Any, old: Any) -> Any:
    """Return the new leaf in runs that were restarted; leaves other than arrays are the same in all."""
    return jnp.where(restarted.reshape(-1, *[1] * (new.ndim - 1)), new, old) if eqx.is_array(new) else old


def _with_rows(indices: np.ndarray | None, old: Any, new: Any) -> Any:
    """Return an array with some rows replaced, by default all; repeated ones are equal."""
    if not eqx.is_array(old) or indices is None:
        return new
    if is_key(old):
        return old.at[indices].set(new)
    replaced = np.array(old)
    replaced[indices] = np.asarray(new)
    return replaced


def _member(carry: Carry, k: int) -> Carry:
    """Return the state of the k-th run of a batch."""
    member: Carry = jax.tree.map(lambda leaf: leaf[k] if eqx.is_array(leaf) else leaf, carry)
    return member


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
    if zip:
        rows: list[Any] = [({"point": k}, records[k]) for k in range(len(points))]
        companions = {name: ("point", values) for name, values in over.items()}
        data = collect(rows, {"point": range(len(points))}, companions, shared)
    else:
        data = collect([(point, records[k]) for k, point in enumerate(points)], over, names=shared)
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
    members: Sequence[Member], sequence: np.random.SeedSequence, learns: bool, watch: Limited
) -> dict[int, Record]:
    """Return the records of all points: learners one after the other, other methods in batches."""
    records: dict[int, Record] = {}

    def part(members: int) -> ProgressCallback:
        """Return a callback that counts the points of the next batch by its steps."""
        before = len(records)
        return lambda event: watch(Progress(before + members * event.done // max(event.total, 1), total))

    total = len(members)
    for k, (game, method, start, settings) in enumerate(members if learns else ()):
        # by number, so that a stream does not depend on how many were made before
        stream = np.random.SeedSequence(sequence.entropy, spawn_key=(*sequence.spawn_key, k))
        options = settings._replace(seed=stream, rng=None, progress=part(1))
        records[k] = solve(game, method, start, **options._asdict()).record
    limits = [(member.settings.tol, member.settings.step_limit) for member in members]
    for group in [] if learns else of_one_form([member[:2] for member in members], limits):
        games, methods, start_options, (settings, *_) = zip(*(members[k] for k in group), strict=True)
        triples = zip(games, methods, start_options, strict=True)
        key = keys_of(sequence, 2)[1]  # as in `solve`
        starts = [_start(game, method, start, key) for game, method, start in triples]
        tol, max_steps = limits[group[0]]
        fixed = {"seed": sequence, "progress": part(len(group)), "tolerance": settings.tolerance}
        part_of = PART if len(group) > PART else None
        solutions = solve_batch(games, methods, starts, tol=tol, max_steps=max_steps, part=part_of, **fixed)
        records |= {k: solution.record for k, solution in zip(group, solutions, strict=True)}
    return records


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


def _start(game: Playable, method: Method, start: object, key: jax.Array) -> Profile:
    if start is not None:
        return initial_profile(game, start_of(method, game, start))
    sample: Profile = game.space.sample(key)
    return sample


def _vary(base: Member, point: Mapping[str, Any], names: Collection[str]) -> Member:
    """Return the game, the method and the options at a point; raise `ValueError` for an unknown name.

    ``names`` are those of the game's arrays.
    """
    game, method, start, settings = base
    limits = ("start", "tol", "max_steps")
    plain = {name.removeprefix("game."): value for name, value in point.items()}
    options = {name.removeprefix("method."): v for name, v in plain.items() if name.startswith("method.")}
    options_of_run = {name: options.pop(name) for name in limits if name in options}
    field_names = [field.name for field in fields(method)] if is_dataclass(method) else []
    changed: dict[str, Any] = {}
    for name, value in options.items():
        head, *tail = parts_of(name)
        if head not in field_names:
            hint = near(name, [*field_names, *limits])
            raise ValueError(f"over: method.{name} is no option of {type(method).__name__}; {hint}")
        old = changed.get(head, getattr(method, head))
        if tail and isinstance(tail[0], str):
            old = written_out(str(head), old)
        changed[head] = replace_entry(old, tail, value, f"over: method.{name}", None)
    game_values = {name: value for name, value in plain.items() if not name.startswith("method.")}
    direct = {name: value for name, value in game_values.items() if name in names}
    if factory_values := {name: value for name, value in game_values.items() if name not in direct}:
        if recipe_of(game) is None:  # not made by a factory, or changed since: `with_` raises
            with_(game, **factory_values)
        game = variant(game, **factory_values)
    game = with_(game, **direct) if direct else game
    start = options_of_run.pop("start", start)
    method = replace(method, **changed) if changed else method
    return Member(game, method, start, settings._replace(**options_of_run))


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
def _begin(games, methods, begins, keys, count):  # type: ignore[no-untyped-def]
    return eqx.filter_vmap(initial_carry)(games, methods, begins, keys, count)

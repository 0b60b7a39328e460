"""The only loops over steps: `solve`, `trace`, `learn` and the batched `sweep`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable
from warnings import warn

import equinox as eqx
import numpy as np

from rivalry._jax import jax, jnp, put
from rivalry.game import ENDINGS, Finish, Game, Learner, Method, Record, measures, with_
from rivalry.metrics import TOLERANCE, certificate, payoffs
from rivalry.results import Certificate, Solution, dataset
from rivalry.space import Profile

if TYPE_CHECKING:
    from xarray import Dataset

ROWS = 64  # profiles recorded by one call of the compiled program
PATH = 512  # most rows of a recorded path; then every second is dropped and the stride doubles
RESTARTS = 4  # how often a run goes on from an end that the least disturbance leaves

PURPOSES = {"start": 0, "play": 1, "evaluation": 2}


class Progress(NamedTuple):
    """A plain event: ``done`` of ``total`` steps, and the residual where there is one."""

    done: int
    total: int
    residual: float = float("nan")


ProgressCallback = Callable[[Progress], object]  # returns True to stop


@runtime_checkable
class Checkpoint(Protocol):
    """Where a long computation leaves its arrays, and finds them again."""

    def load(self) -> dict[str, np.ndarray] | None:
        """What was saved last, if anything."""
        ...

    def due(self) -> bool:
        """Whether enough time has passed since the last save."""
        ...

    def save(self, arrays: dict[str, np.ndarray]) -> None:
        """Keep these."""
        ...


def stream(
    seed: int, purpose: str, point: Sequence[int] = (), replication: int = 0
) -> np.random.SeedSequence:
    """The one source of randomness: an integer a study, a purpose, a point of the sweep, a replication."""
    return np.random.SeedSequence(seed, spawn_key=(PURPOSES[purpose], *point, replication))


def key_of(sequence: np.random.SeedSequence) -> jax.Array:
    """The JAX key of a seed sequence."""
    return keys_of(sequence, 1)[0]


def keys_of(sequence: np.random.SeedSequence, count: int) -> list[jax.Array]:
    """Independent JAX keys of a seed sequence; a longer list begins with the shorter one."""
    words = sequence.generate_state(2 * count, np.uint32).reshape(count, 2)
    return [jax.random.wrap_key_data(put(pair)) for pair in words]


def solve(
    game: Game,
    method: Method | Learner,
    start: object = None,
    *,
    seed: int | np.random.SeedSequence = 0,
    tol: float = 1e-8,
    max_steps: int = 10_000,
    progress: ProgressCallback | None = None,
    tolerance: float | None = TOLERANCE,
    path: bool = True,
    checkpoint: Checkpoint | None = None,
) -> Solution:
    """Run a method on a game until it settles or its budget is spent, and certify where it ends.

    ``start`` is a profile ``[player axis]`` (``[player]`` where there is one axis; drawn when absent);
    ``tol`` bounds the method's residual; ``tolerance`` is the certificate's, relative to the game's payoff
    scale (None: no certificate). ``progress`` receives `Progress` events; returning True stops the work,
    and what was reached is returned. Raises `ValueError` for a start outside the space.

    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.25] * 3, resource="bimodal")
    >>> found = rv.solve(game, rv.methods.GradientAscent(), start=[0.1, 0.4, 0.9])
    >>> found.status, found.claim
    ('settled', 'equilibrium')
    """
    if isinstance(method, Learner):
        return learn(
            game,
            method,
            steps=max_steps,
            seed=seed,
            progress=progress,
            tolerance=tolerance,
            checkpoint=checkpoint,
        )
    sequence = seed if isinstance(seed, np.random.SeedSequence) else stream(seed, "play")
    key, start_key = keys_of(sequence, 2)
    begin = game.space.sample(start_key) if start is None else game.space.check(start)
    game = as_arrays(game)
    settings = _Settings(tol, max_steps, path)
    record = _solve_record(game, method, begin, key, settings, progress, checkpoint)
    return _certified(game, record, tolerance)


class _Settings(NamedTuple):
    tol: float
    max_steps: int
    path: bool


def _solve_record(
    game: Game,
    method: Method,
    begin: Profile,
    key: jax.Array,
    settings: _Settings,
    progress: ProgressCallback | None,
    checkpoint: Checkpoint | None,
) -> Record:
    run = _Run(game, as_arrays(method), begin, key, settings)
    if checkpoint is not None and (saved := checkpoint.load()) is not None:
        run.restore(saved)
    # a departure is kept by where it began: the analysis of an end gives the same answer again
    left = [end for profile in run.left if (end := _finish(game, method, profile, key)) is not None]
    while True:
        stopped = run.forward(progress, checkpoint)
        end = _finish(game, method, run.profile, key)
        if (
            end is None
            or end.onward is None
            or stopped
            or len(left) == RESTARTS
            or run.done >= settings.max_steps
        ):
            break
        if left and _same(end.profile, left[-1].profile):
            left.pop()  # it came back: nothing was left after all
            break
        left.append(end)
        run.go_on_from(end.onward)
    record = run.record()
    if end is not None:
        record |= _ended_in(end)
    return record | _departures(game, left)


def _same(x: Profile, y: Profile) -> bool:
    return bool(jnp.allclose(x, y, rtol=1e-6, atol=1e-9))


def _ended_in(end: Finish) -> Record:
    """What the analysis of an end adds to a record; a cycle is a status as well."""
    found: Record = {"profile": (("player", "axis"), np.asarray(end.profile))}
    found["end_state"] = ((), np.asarray(end.end_state))
    if end.end_state == "cycle":
        found["status"] = ((), np.asarray("cycling"))
    return found | end.measures


def _departures(game: Game, left: list[Finish]) -> Record:
    """Ends that were reached and left again, each with its payoffs, its regret and its measures."""
    if not left:
        return {}
    each: list[Record] = []
    for end in left:
        proof = certificate(game, end.profile)
        each.append(
            {
                "left": (("player", "axis"), np.asarray(end.profile)),
                "left_payoff": (("player",), np.asarray(payoffs(game, end.profile))),
                "left_regret": (("player",), proof.regret),
                "left_bound": (("player",), proof.bound),
            }
            | {f"left_{name}": value for name, value in end.measures.items()}
        )
    shared = [name for name in each[0] if all(name in one for one in each)]
    return {
        name: (("departure", *each[0][name][0]), np.stack([one[name][1] for one in each])) for name in shared
    }


class _Run:
    """One method on one game, forward in calls of a compiled program that records `ROWS` profiles each."""

    def __init__(
        self, game: Game, method: Method, begin: Profile, key: jax.Array, settings: _Settings
    ) -> None:
        self.game, self.method, self.key, self.settings = game, method, key, settings
        self.carry = _begin(game, method, begin, key, put(0))
        self.stride = 1
        self.rows = [np.asarray(begin)[None]]
        self.steps = [np.zeros(1, dtype=int)]
        self.times = [np.zeros(1)]
        self.left: list[Profile] = []  # where it ended and went on again

    @property
    def done(self) -> int:
        return int(self.carry.done)

    @property
    def profile(self) -> Profile:
        return self.carry.state.profile  # type: ignore[no-any-return]

    @property
    def over(self) -> bool:
        carry = self.carry
        return int(carry.ended) != 0 or self.done >= self.settings.max_steps

    def forward(self, progress: ProgressCallback | None, checkpoint: Checkpoint | None) -> bool:
        """To the end, or until ``progress`` says stop; True if it did."""
        tol, budget = put(float(self.settings.tol)), put(self.settings.max_steps)
        while not self.over:
            self.carry, rows = _advance(
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
        """A fresh state at another profile; the clock and the path go on."""
        self.left.append(self.profile)
        before = _time(self.carry)
        self.carry = _begin(self.game, self.method, profile, self.key, self.carry.done)
        self.carry = self.carry._replace(since=before)

    def _note(self, rows: np.ndarray, steps: np.ndarray, times: np.ndarray) -> None:
        before = self.steps[-1][-1]
        new = np.flatnonzero(np.diff(steps, prepend=before) > 0)
        self.rows.append(rows[new])
        self.steps.append(steps[new])
        self.times.append(times[new])
        length = sum(map(len, self.steps))
        if length > PATH:
            # the last row stays: it is where the run stands
            keep = np.union1d(np.arange(0, length, 2), [length - 1])
            self.rows, self.steps, self.times = (
                [np.concatenate(parts)[keep]] for parts in (self.rows, self.steps, self.times)
            )
            self.stride *= 2

    def record(self) -> Record:
        ended = int(self.carry.ended)
        found: Record = {
            "profile": (("player", "axis"), np.asarray(self.profile)),
            "status": ((), np.asarray(ENDINGS[ended] if ended else "budget spent")),
            "steps": ((), np.asarray(self.done)),
            "residual": ((), np.asarray(self.carry.residual)),
        }
        if self.settings.path:
            found["path"] = (("step", "player", "axis"), np.concatenate(self.rows))
            found["path_step"] = (("step",), np.concatenate(self.steps))
            if hasattr(self.carry.state, "time"):
                found["path_time"] = (("step",), np.concatenate(self.times))
        if ended and hasattr(self.method, "notes"):
            found |= self.method.notes(self.game, self.carry.state)
        return found

    def saved(self) -> dict[str, np.ndarray]:
        shape = self.rows[0].shape[1:]
        return _leaves(self.carry) | {
            "left": np.asarray([np.asarray(profile) for profile in self.left]).reshape(-1, *shape),
            "rows": np.concatenate(self.rows),
            "steps": np.concatenate(self.steps),
            "times": np.concatenate(self.times),
            "stride": np.asarray(self.stride),
        }

    def restore(self, saved: Mapping[str, np.ndarray]) -> None:
        self.carry = _from_leaves(self.carry, saved)
        self.left = [jnp.asarray(profile) for profile in saved["left"]]
        self.rows, self.steps, self.times = [saved["rows"]], [saved["steps"]], [saved["times"]]
        self.stride = int(saved["stride"])


def _leaves(tree: Any) -> dict[str, np.ndarray]:
    """The arrays of a tree by number, random keys as their words."""
    return {
        f"leaf{k}": np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)
        for k, leaf in enumerate(jax.tree.leaves(tree))
    }


def _from_leaves(like: Any, saved: Mapping[str, np.ndarray]) -> Any:
    """The tree of the form of ``like`` with the arrays saved by `_leaves`."""
    leaves, form = jax.tree.flatten(like)
    arrays = [jnp.asarray(saved[f"leaf{k}"]) for k in range(len(leaves))]
    back = [
        jax.random.wrap_key_data(array, impl=jax.random.key_impl(leaf)) if _is_key(leaf) else array
        for leaf, array in zip(leaves, arrays, strict=True)
    ]
    return jax.tree.unflatten(form, back)


def _is_key(leaf: jax.Array) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))


class _Carry(NamedTuple):
    state: Any
    done: jax.Array
    residual: jax.Array
    ended: jax.Array  # an index into ENDINGS
    since: jax.Array  # the method's time when its state was made


def _time(carry: _Carry) -> jax.Array:
    """The method's own time, over all departures, where its states have one; else the step."""
    return carry.since + jnp.asarray(getattr(carry.state, "time", carry.done), dtype=float)


@eqx.filter_jit
def _begin(game: Game, method: Method, begin: Profile, key: jax.Array, done: jax.Array) -> _Carry:
    state = method.init(game, begin, jax.random.fold_in(key, 2**31 - 1))
    # every number of strong type, as after a step: else the steps would be compiled twice
    return as_arrays(_Carry(state, done, jnp.asarray(jnp.inf), jnp.zeros((), dtype=int), jnp.zeros(())))  # type: ignore[no-any-return]


@eqx.filter_jit
def _advance(
    game: Game,
    method: Method,
    carry: _Carry,
    key: jax.Array,
    stride: jax.Array,
    budget: jax.Array,
    tol: jax.Array,
) -> tuple[_Carry, tuple[jax.Array, jax.Array, jax.Array]]:
    """`ROWS` times up to ``stride`` steps; the profile, the clock and the method's time after each."""

    def going(inner):  # type: ignore[no-untyped-def]
        carry, taken = inner
        return (taken < stride) & (carry.done < budget) & (carry.ended == 0)

    def one(inner):  # type: ignore[no-untyped-def]
        carry, taken = inner
        return _one_step(game, method, carry, key, tol), taken + 1

    def row(carry, _):  # type: ignore[no-untyped-def]
        carry, _ = jax.lax.while_loop(going, one, (carry, 0))
        return carry, (carry.state.profile, carry.done, _time(carry))

    return jax.lax.scan(row, carry, length=ROWS)


def _one_step(game: Game, method: Method, carry: _Carry, key: jax.Array, tol: jax.Array) -> _Carry:
    state = method.step(game, carry.state, jax.random.fold_in(key, carry.done))
    if hasattr(method, "residual"):
        residual = jnp.asarray(method.residual(game, state), dtype=float)
    else:
        residual = jnp.max(jnp.abs(state.profile - carry.state.profile))
    ended = jnp.where(residual <= tol, ENDINGS.index("settled"), 0)
    if hasattr(method, "ended"):
        own = method.ended(game, state)
        ended = jnp.where(own != 0, own, ended)
    broken = ~jnp.all(jnp.isfinite(state.profile))
    ended = jnp.where(broken, ENDINGS.index("no answer"), ended)
    return as_arrays(_Carry(state, carry.done + 1, residual, ended, carry.since))  # type: ignore[no-any-return]


def _finish(game: Game, method: Method, profile: Profile, key: jax.Array) -> Finish | None:
    finish = getattr(method, "finish", None)
    if finish is None or not np.all(np.isfinite(np.asarray(profile))):
        return None
    return finish(game, profile, key)  # type: ignore[no-any-return]


def as_arrays(tree: Any) -> Any:
    """Python floats as arrays, all of strong type: else a program is compiled anew for every value."""

    def strong(leaf: Any) -> Any:
        if isinstance(leaf, float):
            return put(leaf)
        return jnp.asarray(leaf, dtype=leaf.dtype) if isinstance(leaf, jax.Array) else leaf

    return jax.tree.map(strong, tree)


def _certified(game: Game, record: Record, tolerance: float | None) -> Solution:
    """Payoffs, the game's measures and the certificate of a record's profile, added to it."""
    profile = put(record["profile"][1])
    proof: Certificate | None = None
    if np.all(np.isfinite(record["profile"][1])):
        record["payoff"] = (("player",), np.asarray(payoffs(game, profile)))
        record |= measures(game, profile)
        if tolerance is not None:
            proof = certificate(game, profile, tolerance=tolerance)
            record |= proof.record()
    return Solution(record, proof)


def trace(
    game: Game, method: Method, start: object = None, *, steps: int, every: int = 1, seed: int = 0
) -> Dataset:
    """The path of a method over exactly ``steps`` steps, a row every ``every`` steps; nothing stops it."""

    key, start_key = keys_of(stream(seed, "play"), 2)
    begin = game.space.sample(start_key) if start is None else game.space.check(start)
    game, method = as_arrays(game), as_arrays(method)
    carry = _begin(game, method, begin, key, put(0))
    rows, clock = [np.asarray(begin)[None]], [np.zeros(1, dtype=int)]
    while int(carry.done) < steps:
        carry = carry._replace(ended=put(0))
        budget = put(min(steps, int(carry.done) + every * ROWS))
        carry, (more, times, _) = _advance(game, method, carry, key, put(every), budget, put(-1.0))
        new = np.flatnonzero(np.diff(np.asarray(times), prepend=clock[-1][-1]) > 0)
        rows.append(np.asarray(more)[new])
        clock.append(np.asarray(times)[new])
    return dataset(
        {
            "path": (("step", "player", "axis"), np.concatenate(rows)),
            "path_step": (("step",), np.concatenate(clock)),
        }
    )


@eqx.filter_jit
def _advance_lanes(games, methods, carry, keys, budget, tol):  # type: ignore[no-untyped-def]
    """All lanes to their end, or ``budget`` steps, in one program."""

    def lane(game, method, carry, key):  # type: ignore[no-untyped-def]
        return jax.lax.while_loop(
            lambda c: (c.done < budget) & (c.ended == 0),
            lambda c: _one_step(game, method, c, key, tol),
            carry,
        )

    return eqx.filter_vmap(lane)(games, methods, carry, keys)


@eqx.filter_jit
def _begin_lanes(games, methods, begins, keys, done):  # type: ignore[no-untyped-def]
    return eqx.filter_vmap(_begin)(games, methods, begins, keys, done)


def solve_lanes(
    games: Sequence[Game],
    methods: Sequence[Method],
    starts: Sequence[Profile],
    *,
    seed: int | np.random.SeedSequence = 0,
    tol: float = 1e-8,
    max_steps: int = 10_000,
    progress: ProgressCallback | None = None,
    tolerance: float | None = TOLERANCE,
    checkpoint: Checkpoint | None = None,
) -> list[Solution]:
    """Many points in one compiled program: lane k runs ``methods[k]`` on ``games[k]`` from ``starts[k]``.

    All lanes must have the same sizes and choices; only numbers may differ. Raises `ValueError` otherwise.
    """
    sequence = seed if isinstance(seed, np.random.SeedSequence) else stream(seed, "play")
    keys = jax.random.split(key_of(sequence), len(games))
    lanes = _Lanes(_stack("game", games), _stack("method", methods), keys, jnp.asarray(tol), max_steps)
    begins = jnp.stack([jnp.asarray(s) for s in starts])
    carry = _begin_lanes(lanes.games, lanes.methods, begins, keys, jnp.zeros(len(games), dtype=int))
    ends: dict[int, Finish | None] = {}
    left: list[list[Finish]] = [[] for _ in games]
    gone: list[tuple[int, Profile]] = []  # which lane went on, and from where
    if checkpoint is not None and (saved := checkpoint.load()) is not None:
        carry = _from_leaves(carry, saved)
        gone = [(int(k), jnp.asarray(x)) for k, x in zip(saved["gone"], saved["gone_from"], strict=True)]
        for k, profile in gone:
            left[k] += filter(None, [_finish(games[k], methods[k], profile, keys[k])])
    while True:
        carry, stopped = lanes.forward(carry, progress, checkpoint, gone)
        moved = np.zeros(len(games), dtype=bool)
        for k in (k for k in range(len(games)) if k not in ends):
            end = ends[k] = _finish(games[k], methods[k], carry.state.profile[k], keys[k])
            spent = stopped or int(carry.done[k]) >= max_steps or len(left[k]) == RESTARTS
            if end is None or end.onward is None or spent:
                continue
            if left[k] and _same(end.profile, left[k][-1].profile):
                left[k].pop()
                continue
            left[k].append(end)
            gone.append((k, carry.state.profile[k]))
            moved[k] = True
            begins = begins.at[k].set(end.onward)
            del ends[k]
        if not moved.any():
            break
        fresh = _begin_lanes(lanes.games, lanes.methods, begins, keys, carry.done)
        carry = jax.tree.map(
            lambda new, old, moved=moved: jnp.where(moved.reshape(-1, *[1] * (new.ndim - 1)), new, old),
            fresh,
            carry,
        )
    return [
        _certified(
            game, _lane_record(game, methods[k], carry, k, ends[k]) | _departures(game, left[k]), tolerance
        )
        for k, game in enumerate(games)
    ]


class _Lanes(NamedTuple):
    """Stacked games and methods, and what bounds their steps."""

    games: Any
    methods: Any
    keys: jax.Array
    tol: jax.Array
    max_steps: int

    def forward(
        self,
        carry: _Carry,
        progress: ProgressCallback | None,
        checkpoint: Checkpoint | None,
        gone: Sequence[tuple[int, Profile]],
    ) -> tuple[_Carry, bool]:
        """All lanes to their ends, or until ``progress`` says stop; True if it did.

        ``gone`` is kept with the arrays: lanes that ended and went on, and where they did.
        """
        chunk = max(1, min(self.max_steps, 2_000))
        done = int(jnp.min(jnp.where(carry.ended == 0, carry.done, self.max_steps)))
        while done < self.max_steps and bool(jnp.any(carry.ended == 0)):
            done = min(self.max_steps, done + chunk)
            carry = _advance_lanes(self.games, self.methods, carry, self.keys, jnp.asarray(done), self.tol)
            if checkpoint is not None and checkpoint.due():
                profiles = [np.asarray(profile) for _, profile in gone]
                shape = carry.state.profile.shape[1:]
                went = {"gone": np.array([k for k, _ in gone], dtype=int)}
                went["gone_from"] = np.asarray(profiles, dtype=float).reshape(-1, *shape)
                checkpoint.save(_leaves(carry) | went)
            event = Progress(done, self.max_steps, float(jnp.max(carry.residual)))
            if progress is not None and progress(event) is True:
                return carry, True
        return carry, False


def _lane_record(game: Game, method: Method, carry: _Carry, lane: int, end: Finish | None) -> Record:
    ended = int(carry.ended[lane])
    record: Record = {
        "profile": (("player", "axis"), np.asarray(carry.state.profile[lane])),
        "status": ((), np.asarray(ENDINGS[ended] if ended else "budget spent")),
        "steps": ((), np.asarray(carry.done[lane])),
        "residual": ((), np.asarray(carry.residual[lane])),
    }
    if ended and hasattr(method, "notes"):
        record |= method.notes(game, jax.tree.map(lambda leaf: leaf[lane], carry.state))
    return record if end is None else record | _ended_in(end)


def _stack(what: str, trees: Sequence[Any]) -> Any:
    trees = [as_arrays(tree) for tree in trees]
    parts = [eqx.partition(tree, eqx.is_array) for tree in trees]
    first: Any = jax.tree.structure(trees[0])
    for k, tree in enumerate(trees):
        if jax.tree.structure(tree) != first or not bool(eqx.tree_equal(parts[k][1], parts[0][1])):
            raise ValueError(
                f"batch: lane {k} has a {what} of another form; only numbers may differ between lanes"
            )
    arrays = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[arrays for arrays, _ in parts])
    return eqx.combine(arrays, parts[0][1])


def sweep(
    game: Game,
    over: Mapping[str, Sequence[Any]],
    method: Method,
    start: object,
    *,
    seed: int = 0,
    tol: float = 1e-8,
    max_steps: int = 10_000,
    tolerance: float | None = TOLERANCE,
) -> Dataset:
    """One batched program over the values of one or more of the game's array fields.

    ``over`` maps field names to values; several fields are multiplied. Every point starts at ``start``.

    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.2] * 3)
    >>> found = rv.sweep(game, {"reach": [0.25, 0.3]}, rv.methods.GradientAscent(), [0.1, 0.4, 0.9])
    >>> found.claim.values.tolist()
    ['equilibrium', 'equilibrium']
    """
    from itertools import product

    from rivalry.results import collect

    points = [dict(zip(over, values, strict=True)) for values in product(*over.values())]
    games = [with_(game, **point) for point in points]
    begin = game.space.check(start)
    found = solve_lanes(
        games,
        [method] * len(games),
        [begin] * len(games),
        seed=seed,
        tol=tol,
        max_steps=max_steps,
        tolerance=tolerance,
    )
    return collect([(point, s.record) for point, s in zip(points, found, strict=True)], over)


def learn(
    game: Any,
    learner: Learner,
    *,
    steps: int,
    seed: int | np.random.SeedSequence = 0,
    progress: ProgressCallback | None = None,
    tolerance: float | None = TOLERANCE,
    checkpoint: Checkpoint | None = None,
) -> Solution:
    """Run a learner for ``steps`` steps, in chunks of about a quarter of a second, and certify what it plays.

    ``game`` is a game with a ``world()``, or is taken as the world itself. Chunk borders change nothing.
    """
    from time import perf_counter

    world = game.world() if hasattr(game, "world") else game
    sequence = seed if isinstance(seed, np.random.SeedSequence) else stream(seed, "play")
    saved = checkpoint.load() if checkpoint is not None else None
    session = saved or {"_done": np.zeros(1, dtype=np.int64)} | dict(learner.begin(world, sequence))
    chunk, finished, stopped = 1, False, False
    while (done := int(session["_done"][0])) < steps and not finished and not stopped:
        began = perf_counter()
        taken = learner.advance(world, session, min(chunk, steps - done))
        took = perf_counter() - began
        finished = taken == 0
        session["_done"][0] += taken
        chunk = max(1, min(int(chunk * min(8.0, 0.25 / max(took, 1e-9))), 2**40))
        if checkpoint is not None and checkpoint.due():
            checkpoint.save(session)
        if progress is not None:
            stopped = progress(Progress(int(session["_done"][0]), steps)) is True
    record = dict(learner.read(world, session))
    record.setdefault("status", ((), np.asarray("settled" if finished else "budget spent")))
    record["steps"] = ((), session["_done"][0].copy())
    if "profile" not in record or not isinstance(game, Game):
        return Solution(record, None)
    return _certified(game, record, tolerance)


def warn_unsettled(solution: Solution) -> None:
    """One warning with a remedy for a search that did not settle."""
    if solution.status == "budget spent":
        warn(f"budget spent after {solution.steps} steps: raise max_steps or loosen tol", stacklevel=3)

"""Methods and learners: two protocols, and base classes with defaults for all optional members."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.core.game import kernel_arrays
from rivalry.core.results import Record, scalar
from rivalry.core.tree import Tree
from rivalry.runtime.jax import concrete_module, put

if TYPE_CHECKING:
    from jaxtyping import Array, Int, PRNGKeyArray

    from rivalry.core.batched_games import Together
    from rivalry.core.space import Profile, Scalar

    State = Any

Session = dict[str, ndarray]  # of most learners: every array of the run by name

ENDINGS = ("going on", "converged", "cycling", "not found", "completed")
"""The status of a method's last step, by index."""

GENERATORS = ("PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937")
"""Bit generators of NumPy; the index of one is part of stored sessions, so the order is fixed."""

NASH = ("Nash",)
STEPS = 10_000  # of a method or a learner whose options do not determine their number
PACE = 0.25  # approximate seconds per chunk of a learner's steps


class Finish(NamedTuple):
    """The analysis of a final profile.

    Parameters
    ----------
    profile
        The profile ``[player axis]``, refined by Newton's method.
    end_state
        Its kind: ``stable_point``, ``unstable_point``, ``cycle``, ``moving`` or ``boundary``.
    measures
        Metrics, as a record.
    onward
        If it is unstable, the profile from which the run continues.
    """

    profile: Profile
    end_state: str
    measures: Record
    onward: Profile | None = None


class Step(NamedTuple):
    """A step as the loops see it."""

    profile: Profile
    residual: Scalar  # what the tolerance bounds
    status: Int[Array, ""]  # an index into ENDINGS
    diagnostics: dict[str, Array | ndarray]  # as `BaseMethod.diagnostics` returns them


@runtime_checkable
class Method(Protocol):
    """A solver or a dynamic, stepwise, in JAX; every state has a field ``profile``.

    Any class with these two is a method. Optional members require a subclass of `BaseMethod`.
    """

    @abstractmethod
    def init(self, game: Any, start: Profile, key: PRNGKeyArray) -> State:
        """Return the state before the first step; the key is consumed."""

    @abstractmethod
    def step(self, game: Any, state: State, key: PRNGKeyArray) -> State:
        """Return the state after one step; the key is consumed."""


class BaseMethod(Tree, Method):
    """A method with defaults for everything but ``init`` and ``step``.

    A class that derives from it is a frozen dataclass: its fields are the options of the method.

    Attributes
    ----------
    needs : tuple of `rivalry.core.needs.Need`, optional
        What the class needs of a game (default: payoffs). Of several classes that are registered for one
        kind, a study takes the first whose needs a game meets.
    natural : bool
        Whether the class takes amounts as they are, also where the space is searched in other coordinates
        (`rivalry.core.reparametrisation.unconstrained_game`).
    """

    needs: ClassVar[tuple[Any, ...] | None] = None
    natural: ClassVar[bool] = False

    def concepts(self) -> tuple[str, ...]:
        """Return the solution concepts that a record may state. Default: Nash equilibrium."""
        return NASH

    def check_game(self, game: Any) -> None:
        """Raise `ValueError` for a game whose numbers the method cannot take. By default, for none."""

    def compares_payoffs(self) -> bool:
        """True if only differences of a player's own payoffs matter, relative to their scale.

        The method then reads a game without constants of payoffs, and with measured scales where it states
        none. Default: no.
        """
        return False

    def start_of(self, game: Any, start: Any) -> Any:
        """Return a user's start as one of the game, such as of all players that share one. Default: itself.

        The result is checked by the space.
        """
        return start

    def residual(self, game: Any, state: State) -> Any:
        """Quantity that the tolerance bounds; None (default) for the movement of the profile per step."""
        return None

    def ending(self, game: Any, state: State) -> Any:
        """Return an index into `ENDINGS`, not 0 where the method itself detects its end. Default: 0."""
        return 0

    def steps_singly(self, game: Any) -> bool:
        """True if `step` and the three above it take concrete numbers, and use programs of their own.

        Then steps draw no random numbers, and no loop over them is compiled. Default: no.
        """
        return False

    def diagnostics(self, state: State) -> dict[str, Array | ndarray]:
        """Return numbers to store along the path. Default: none.

        ``time`` is the method's own clock (``path_time``), ``residual`` what is left if that is not what the
        tolerance bounds (``path_residual``).
        """
        return {}

    def finish(self, game: Any, profile: Profile, key: PRNGKeyArray) -> Finish | None:
        """Analyse the end of the steps. By default there is no analysis."""
        return None

    def finish_together(
        self, games: Together, profiles: ndarray, keys: Sequence[PRNGKeyArray]
    ) -> list[Finish | None]:
        """Analyse the ends ``[game player axis]`` of several games, as `finish` does one after the other."""
        triples = zip(games.games, profiles, keys, strict=True)
        return [self.finish(game, put(profile), key) for game, profile, key in triples]

    def report(self, game: Any, state: State, status: str) -> Record:
        """Entries that the last state adds to the record. Default: nothing.

        ``status`` is ``converged``, ``cycling``, ``not found`` or ``iteration limit``. A text ``remedy`` says
        in one line what to do where the steps did not converge; it is given as a warning too. A certificate's
        record is kept where the package has none of its own for such a game.
        """
        return {}


def start_of(method: Method | Learner, game: Any, start: Any) -> Any:
    """Return a user's start as one of the game, by `BaseMethod.start_of`."""
    return method.start_of(game, start) if isinstance(method, BaseMethod) else start


class _PlainMethod(BaseMethod):
    """A method of a class that is no `BaseMethod`."""

    method: Any

    def init(self, game: Any, start: Profile, key: PRNGKeyArray) -> State:
        return self.method.init(game, start, key)

    def step(self, game: Any, state: State, key: PRNGKeyArray) -> State:
        return self.method.step(game, state, key)


def as_method(method: Method) -> BaseMethod:
    """Return a method with all defaults. Raises `ValueError` for optional members of other classes."""
    if isinstance(method, BaseMethod):
        return method
    _refuse_members(method, BaseMethod)
    return _PlainMethod(method)


def take_step(method: BaseMethod, game: Any, state: State, key: PRNGKeyArray, tol: Any) -> tuple[State, Step]:
    """Return the state after a step, and whether that was the last.

    It is the last by the residual, by the method's own status, or because a number was lost.
    """
    after = method.step(game, state, key)
    xp = concrete_module(after.profile)
    residual = method.residual(game, after)
    if residual is None:
        residual = xp.max(xp.abs(after.profile - state.profile))
    residual = xp.asarray(residual, dtype=float)
    ending = method.ending(game, after)
    status = xp.where(ending != 0, ending, xp.where(residual <= tol, ENDINGS.index("converged"), 0))
    broken = ~xp.all(xp.isfinite(xp.asarray(after.profile)))
    # last: a method may report convergence of a profile that is no longer finite
    status = xp.where(broken, ENDINGS.index("not found"), status)
    return after, Step(after.profile, residual, status, method.diagnostics(after))


@runtime_checkable
class Learner(Protocol):
    """A method whose loop lives elsewhere: in a kernel, or in a library.

    Any class with these three is a learner. Optional members require a subclass of `BaseLearner`.
    """

    @abstractmethod
    def begin(self, world: Any, stream: SeedSequence) -> Any:
        """Return the session: every array of the run by name, including the random state."""

    @abstractmethod
    def advance(self, world: Any, session: Any, steps: int) -> int:
        """Take up to ``steps`` steps in place; return the steps done, 0 when finished."""

    @abstractmethod
    def read(self, world: Any, session: Any) -> Record:
        """Return the record: ``profile``, optionally ``status``, ``end_state``, metrics and histories.

        It draws no random numbers.

        The loop adds payoffs and a certificate for a profile ``[player axis]``. For one of another form,
        such as a policy ``[player state action]``, `read` returns those too, the certificate as its
        `Certificate.record`.
        """


class BaseLearner(Tree, Learner):
    """A learner with defaults for everything but ``begin``, ``advance`` and ``read``.

    A class that derives from it is a frozen dataclass: its fields are the options of the learner.

    Attributes
    ----------
    needs : tuple of `rivalry.core.needs.Need`, optional
        As for `BaseMethod` (default: finitely many actions in tables).
    open_ended : bool
        Whether ``advance`` takes all the steps of its argument: a full session is then ``completed``.
    """

    needs: ClassVar[tuple[Any, ...] | None] = None
    open_ended: ClassVar[bool] = False

    def concepts(self) -> tuple[str, ...]:
        """Return the solution concepts that a record may state. Default: Nash equilibrium."""
        return NASH

    def world(self, game: Any) -> Any:
        """Return the problem that the learner works on, made from a game once; draw nothing.

        Replications have it in common, and must not change it. Default: the arrays that kernels take, of a
        game that has them, else the game itself.
        """
        return kernel_arrays(game)

    def length(self, world: Any) -> int:
        """Return the default number of steps."""
        return STEPS

    def expected_steps(self, world: Any) -> int:
        """Return the expected number of steps, for the remaining time; 0 if unknown."""
        return self.length(world)

    def advance_together(self, world: Any, sessions: Sequence[Any], steps: int) -> Sequence[int] | ndarray:
        """Take up to ``steps`` steps of several sessions in place; return the steps done by each.

        For learners that compute many seeds faster at once. Every session must get the bits that `advance`
        gives it alone. One that did fewer steps leaves the others and goes on by `advance`. Optional: by
        default sessions run one after the other, and this is not called.
        """
        raise NotImplementedError

    @property
    def takes_start(self) -> bool:
        """True if a session can begin at a profile."""
        return type(self).begin_at is not BaseLearner.begin_at

    def begin_at(self, world: Any, stream: SeedSequence, start: Any) -> Any:
        """Return a session that begins at a profile. Raises `ValueError` where there is none (default)."""
        kind = type(self.learner if isinstance(self, _PlainLearner) else self).__name__
        raise ValueError(f"start: {kind} takes none; leave it out")

    def check_world(self, world: Any) -> None:
        """Raise `ValueError` for a world on which no session can begin, in milliseconds.

        Default: one begins. A learner that computes something in ``begin`` looks at options only.
        """
        self.begin(world, SeedSequence(0))

    def played(self, game: Any, record: Record) -> Any:
        """Return the game that the profile of a record is of. Default: the one that was given."""
        return game

    def pack(self, session: Any) -> dict[str, Any]:
        """Return a session as arrays by name, to be stored. Default: the session is such a dict."""
        return dict(session)

    def unpack(self, arrays: Mapping[str, ndarray]) -> Any:
        """Return the session that `pack` made arrays of."""
        return dict(arrays)


class OneStepLearner(BaseLearner):
    """A learner whose only step computes everything: the entries of `result` in the session."""

    def length(self, world: Any) -> int:
        """Return 1: all is computed in one step."""
        return 1

    def begin(self, world: Any, stream: SeedSequence) -> Session:
        return self.unfinished()

    def unfinished(self) -> Session:
        """Return a session before its step."""
        return {"over": np.zeros(1, bool)}

    def advance(self, world: Any, session: Session, steps: int) -> int:
        """Compute everything, in one step."""
        if session["over"][0] or not steps:
            return 0
        session |= {**self.result(world), "over": np.ones(1, bool)}
        return 1

    def result(self, world: Any) -> Session:
        """Return the entries of the session that its step computes."""
        raise NotImplementedError


def generator_to_array(rng: np.random.Generator) -> ndarray:
    """Return the state of a random generator as an array of uint64, for a learner's session.

    `generator_from_array` goes on with the same draws, bit for bit. The seed sequence, and with it
    ``rng.spawn``, is not part of the state.

    >>> rng = np.random.default_rng(7)
    >>> again = generator_from_array(generator_to_array(rng))
    >>> bool(again.random() == rng.random())
    True
    """
    kind = type(rng.bit_generator).__name__
    if kind not in GENERATORS:
        raise ValueError(f"rng: {kind} must be one of {', '.join(GENERATORS)}")
    return np.array([GENERATORS.index(kind), *_numbers_of(rng.bit_generator.state)], np.uint64)


def generator_from_array(array: ndarray) -> np.random.Generator:
    """Return the random generator whose state `generator_to_array` returned."""
    kind, *words = np.asarray(array).tolist()
    bits = getattr(np.random, GENERATORS[kind])(0)
    bits.state = _with_numbers(bits.state, iter(words))
    return np.random.Generator(bits)


def _numbers_of(state: object) -> Iterator[int]:
    """Yield the numbers of a generator's state by name; an integer has up to 128 bits, hence two numbers."""
    if isinstance(state, dict):
        for name in sorted(state):
            yield from _numbers_of(state[name])
    elif isinstance(state, ndarray):
        yield from state.tolist()
    elif isinstance(state, int):
        yield from (state % 2**64, state >> 64)


def _with_numbers(state: object, numbers: Iterator[int]) -> Any:
    """Return a generator's state with other numbers, in the order of `_numbers_of`."""
    if isinstance(state, dict):
        return {name: _with_numbers(state[name], numbers) for name in sorted(state)}
    if isinstance(state, ndarray):
        return np.array([next(numbers) for _ in state], state.dtype)
    return next(numbers) + (next(numbers) << 64) if isinstance(state, int) else state


class _PlainLearner(BaseLearner):
    """A learner of a class that is no `BaseLearner`."""

    learner: Any

    def begin(self, world: Any, stream: SeedSequence) -> Any:
        return self.learner.begin(world, stream)

    def advance(self, world: Any, session: Any, steps: int) -> Any:
        return self.learner.advance(world, session, steps)

    def read(self, world: Any, session: Any) -> Any:
        return self.learner.read(world, session)


def as_learner(learner: Learner) -> BaseLearner:
    """Return a learner with all defaults. Raises `ValueError` for optional members of other classes."""
    if isinstance(learner, BaseLearner):
        return learner
    _refuse_members(learner, BaseLearner)
    return _PlainLearner(learner)


def runs_together(learner: object) -> bool:
    """True for a learner with a `BaseLearner.advance_together` of its own."""
    default = BaseLearner.advance_together
    return isinstance(learner, BaseLearner) and type(learner).advance_together is not default


def run_session(
    learner: BaseLearner,
    world: Any,
    session: Any,
    steps: int,
    steps_done: int = 0,
    after: Callable[[int], bool] | None = None,
    pace: Pace | None = None,
) -> tuple[int, bool]:
    """Advance a session in place until it is finished or ``steps`` are done.

    Parameters
    ----------
    learner, world, session
        The learner, the problem it works on, and the current session.
    steps, done
        The number of the last step, and of those taken before.
    after : Callable, optional
        Is called with the steps done after each chunk of about a quarter of a second, and stops the loop by
        returning True. Without it there is one chunk. Chunk borders do not affect the result.
    pace : Pace, optional
        That of an earlier session of the same kind, to begin with chunks of the right size.

    Returns
    -------
    tuple of int and bool
        The steps done, and whether the learner finished by itself.
    """
    pace, finished, stopped = pace or Pace(), False, False
    while steps_done < steps and not finished and not stopped:
        began = perf_counter()
        steps_taken = learner.advance(
            world, session, min(pace.chunk, steps - steps_done) if after else steps - steps_done
        )
        took = perf_counter() - began
        finished = steps_taken == 0
        steps_done += steps_taken
        if after is not None:
            pace.follow(took)
            stopped = after(steps_done)
    return steps_done, finished


class Pace:
    """Number of steps per call, such that a call takes `PACE` seconds and what it takes without any step.

    Where a call without steps takes longer than `PACE`, the steps take as long as it, so that no run takes
    more than about twice as long as in one call.
    """

    def __init__(self) -> None:
        self.chunk = 1
        self.fixed = 0.0  # estimated seconds of a call without steps
        self.before: tuple[int, float] | None = None  # steps and seconds of the last call of another size

    def follow(self, took: float) -> None:
        """Choose the steps of the next call by the seconds of the last."""
        steps, before = self.chunk, self.before
        if before is None or not steps / 2 < before[0] < steps * 2:  # closer sizes tell only noise
            if before is not None:
                per_step = max((took - before[1]) / (steps - before[0]), 0.0)
                self.fixed = max(took - steps * per_step, 0.0)
            self.before = steps, took
        factor = max(PACE, self.fixed) / max(took - self.fixed, 1e-9)
        # twice only where calls are long: that they take no longer with more steps may be chance
        chunk = int(steps * min(factor, 8.0 if took < PACE else 2.0))
        # from one size alone the time of a step is unknown, so the second differs from the first
        self.chunk = min(max(chunk, 2 if before is None else 1), 2**40)


def read_session(learner: BaseLearner, world: Any, session: Any, finished: bool) -> Record:
    """Return the record of a session, its status among it: converged, or completed if it was not finished."""
    record = dict(learner.read(world, session))
    record.setdefault("status", scalar("converged" if finished else "completed"))
    return record


def _refuse_members(value: object, base: type) -> None:
    """Raise `ValueError` for members that are only read in classes that derive from ``base``."""
    optional = [name for name in vars(base) if not name.startswith("_")]
    if members := [name for name in optional if name in dir(type(value))]:
        kind, base_name = type(value).__name__, f"rivalry.extend.{base.__name__}"
        raise ValueError(f"method: {kind} has {members[0]}; it must derive from {base_name} for that")

"""Validation of the arguments of loops, before anything is compiled; errors are one line."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from numpy.random import SeedSequence

from rivalry.core.game import Game, Playable, initial_profile, refuse_shared
from rivalry.core.method import STEPS, BaseMethod, Method, as_method, start_of
from rivalry.core.needs import GAME_KINDS, SHARED, fits, needs_of, stated_needs, unmet_need
from rivalry.core.payoffs import check_payoffs
from rivalry.core.plain import register_plain
from rivalry.core.tolerances import TOLERANCE
from rivalry.core.tree import Tree
from rivalry.methods import METHODS
from rivalry.runtime.precision import imprecise
from rivalry.schema.registry import load
from rivalry.schema.validate import fault_of, format_value, limit_of, whole_number
from rivalry.solving.progress import Checkpoint, Limited, ProgressCallback
from rivalry.solving.randomness import Rng, sequence_of

if TYPE_CHECKING:
    from jaxtyping import PRNGKeyArray

    from rivalry.core.space import Profile

SOLVER, LEARNER = ("init", "step"), ("begin", "advance", "read")


class Settings(NamedTuple):
    """Settings of a run, by the keywords of `rivalry.solve`, which explains them."""

    seed: int | SeedSequence = 0
    rng: Rng | None = None  # in place of the seed
    tol: float = 1e-8  # residual of a solver that has converged
    max_steps: int | None = None
    max_seconds: float | None = None
    progress: ProgressCallback | bool | None = None
    tolerance: float | None = TOLERANCE  # of the certificate; None: no certificate
    path: bool = True  # whether it is recorded
    checkpoint: Checkpoint | None = None

    def check(self) -> None:
        """Raise `ValueError` for a tolerance or a checkpoint that annotations let pass."""
        store = self.checkpoint
        if store is not None and not all(hasattr(store, name) for name in ("load", "save", "due")):
            raise ValueError(f"checkpoint: {format_value(store)} must have load, save and due")
        limit_of("tol", self.tol)
        if self.max_steps is not None:
            whole_number("max_steps", self.max_steps)
        if self.tolerance is not None:
            limit_of("tolerance", self.tolerance)

    @property
    def step_limit(self) -> int:
        """The most steps of a solver or a dynamic. Raises `ValueError`."""
        return STEPS if self.max_steps is None else whole_number("max_steps", self.max_steps)

    def sequence(self) -> SeedSequence:
        """Return the seed sequence; a generator is advanced. Raises `ValueError`."""
        return sequence_of(self.seed, self.rng)

    def watch(self) -> Limited:
        """Return a callback that also stops at the limit of time, which begins now. Raises `ValueError`."""
        if self.max_seconds is not None:
            limit_of("max_seconds", self.max_seconds, positive=True)
        return Limited(self.progress, self.max_seconds)


def check_run(game: object, method: Any, settings: Settings) -> BaseMethod:
    """Return a solver with all defaults; raise `ValueError` for arguments that do not make a run."""
    if not isinstance(game, (type, Game)) and not isinstance(method, type):
        check_kind(method, game)  # some of these have no space
    check_game(game)
    check_method(method)
    solver = as_method(method)
    check_fit(solver, game)
    settings.check()
    return solver


def start_profile(game: Playable, method: Method, start: object, key: PRNGKeyArray) -> Profile:
    """Return the profile of a start; a sample where there is none."""
    return game.space.sample(key) if start is None else initial_profile(game, start_of(method, game, start))


def check_method(method: object, needs: tuple[str, ...] = SOLVER) -> None:
    """Raise `ValueError` for anything but a method, such as its class or name, and for invalid options.

    >>> check_method("gradient_ascent")
    Traceback (most recent call last):
    ...
    ValueError: method: 'gradient_ascent' must be a method, as in rv.methods.GradientAscent()
    """
    if isinstance(method, type):
        raise ValueError(f"method: {method.__name__} is a class; write {method.__name__}()")
    if not all(hasattr(method, name) for name in needs):
        if all(hasattr(method, name) for name in LEARNER):
            raise ValueError(f"method: {_type_name(method)} is a learner; run it by rv.solve")
        raise ValueError(f"method: {_type_name(method)} must be a method, as in rv.methods.GradientAscent()")
    _options(method)


def check_shared(method: object, game: object) -> None:
    """Raise `ValueError` for a game with shared constraints, unless the method takes them."""
    if SHARED not in needs_of(type(method)):
        refuse_shared(game, f"method: {type(method).__name__}")


def check_fit(method: BaseMethod, game: object) -> None:
    """Raise `ValueError` for a game that a method cannot take."""
    check_shared(method, game)
    check_kind(method, game)
    method.check_game(game)


def check_kind(method: object, game: object) -> None:
    """Raise `ValueError` for a game of a kind that a method does not take, with methods that take it.

    >>> import rivalry as rv
    >>> check_kind(rv.methods.Newton(), rv.games.karma())
    Traceback (most recent call last):
    ...
    ValueError: game: is a population; Newton needs payoffs; use PopulationNewton or PopulationFictitiousPlay
    """
    kind = type(method)
    # custom methods need not declare what they need, and learners may take tables
    if stated_needs(kind) is None and not kind.__module__.startswith("rivalry.methods."):
        return
    kind_of_game = next((kind for kind in GAME_KINDS if kind.met(game)), None)
    if kind_of_game is None and not isinstance(game, Tree):
        return
    need = unmet_need(kind, game)
    if need is None:
        return
    if kind_of_game is None:
        words = f"of the class {type(game).__name__}"
        targets = [target for entry in METHODS.values() for target in entry.targets]
        usable = [target.partition(":")[2] for target in targets if fits(load(target), game)]
    else:
        words, usable = (
            kind_of_game.words,
            [name for name in kind_of_game.methods if fits(load(_target(name)), game)],
        )
    use = f"; use {' or '.join(usable[:2])}" if usable else ""
    raise ValueError(f"game: is {words}; {kind.__name__} needs {need.words}{use}")


def _target(name: str) -> str:
    """Return the module and name of a class of methods, from its name."""
    return next(t for entry in METHODS.values() for t in entry.targets if t.endswith(f":{name}"))


def _options(method: object) -> None:
    """Raise `ValueError` for options outside the literals and bounds that a method's annotations allow."""
    kind: Any = type(method)
    for name, hint in _hints(kind).items():
        value = getattr(method, name, None)
        base = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        if get_origin(base) is Literal or isinstance(value, int | float):
            fault = fault_of(hint, value)
            if fault is not None and (get_origin(base) is Literal or fault.kind != "type"):
                raise ValueError(f"{name}: {fault.message()}")


@lru_cache(maxsize=256)  # of every cell the same few classes
def _hints(kind: type) -> dict[str, Any]:
    try:
        return get_type_hints(kind, include_extras=True)
    except (NameError, TypeError):  # annotations that only a type checker can read
        return {}


def check_game(game: object) -> None:
    """Raise `ValueError` for anything but a game, and for a game with numbers of single precision."""
    if isinstance(game, type) or not hasattr(game, "space"):
        if not isinstance(game, type) and "payoffs" in dir(game):
            rule = "must have `space`, as in space = rv.Box.interval(0.0, 1.0, players=2)"
            raise ValueError(f"game: {type(game).__name__} has payoffs and no strategies; {rule}")
        raise ValueError(f"game: {_type_name(game)} must be a game, as in rv.games.matrix('chicken')")
    if reason := imprecise(game):
        raise ValueError(reason)
    check_payoffs(register_plain(game))


def _type_name(value: object) -> str:
    return format_value(value) if isinstance(value, str | int | float | None) else type(value).__name__

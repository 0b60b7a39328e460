"""Declaration, registration and dispatch of oracles by the class of a game."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from importlib import import_module
from inspect import isdatadescriptor, ismethoddescriptor
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from rivalry.runtime.jax import drop_programs

P = ParamSpec("P")
R = TypeVar("R")
G = TypeVar("G")
_Answer = tuple[Callable[[Any], bool] | None, Callable[..., Any]]

_declared: list[Oracle[..., Any]] = []
_homes: dict[type, str] = {}


def _names(kind: type) -> set[str]:
    return {*vars(kind), *vars(kind).get("__annotations__", {})}


def _pays_as(kind: type, above: type) -> bool:
    """True if a class keeps the payoffs of a superclass, and thus the proofs registered for it."""
    # payoffs may call any method of the superclass: only plain values may be overridden
    for between in kind.__mro__[: kind.__mro__.index(above)]:
        if between.__module__.split(".")[0] == "rivalry":
            continue
        if {"space", "payoffs"} & _names(between):
            return False
        for name, value in vars(between).items():
            computes = callable(value) or isdatadescriptor(value) or ismethoddescriptor(value)
            overrides = any(name in _names(base) for base in above.__mro__)
            if computes and overrides and not name.startswith("__"):
                return False
    return True


def at_home(kind: type, module: str) -> None:
    """Name the module that registers the answers for a class; it is imported when an oracle first needs it.

    Parameters
    ----------
    kind : type
        A class of games. It also covers subclasses.
    module : str
        The full name of the module, ``"rivalry.families.market.oracles"``.
    """
    _homes[kind] = module


def _import_home(kind: type) -> None:
    home = _homes.get(kind)
    if home is None:
        return
    import_module(home)
    # a reloaded model defines a new class, for which the module imported earlier registered nothing
    if not any(kind in oracle._answers for oracle in _declared):
        raise RuntimeError(f"{home} registers nothing for {kind}; import it anew where the class was")
    _homes.pop(kind, None)


def registered(kind: type) -> list[Callable[..., Any]]:
    """Return the answers of all oracles that are registered for a class or its superclasses."""
    pairs = [(oracle, above) for oracle in _declared for above in kind.__mro__ if above in oracle._answers]
    return [oracle._answers[above][1] for oracle, above in pairs]


class Oracle(Generic[P, R]):
    """A function of a game, dispatched on the game's class.

    Parameters
    ----------
    generic : Callable
        The answer for a game without a registered one.
    inherited : bool
        Whether an answer holds for subclasses that change payoffs or space, as descriptions do.
    """

    __name__: str  # of the generic answer

    def __init__(self, generic: Callable[Concatenate[Any, P], R], inherited: bool = False) -> None:
        self._generic = generic
        self._inherited = inherited
        self._answers: dict[type, _Answer] = {}
        self._lines: dict[type, tuple[_Answer, ...]] = {}
        update_wrapper(self, generic)
        _declared.append(self)

    def __call__(self, game: object, *args: P.args, **kwargs: P.kwargs) -> R:
        return (self._find(game) or self._generic)(game, *args, **kwargs)

    def knows(self, game: object) -> bool:
        """True if an answer is registered for this game; nothing is computed."""
        return self._find(game) is not None

    def register(
        self, kind: type[G], when: Callable[[G], bool] | None = None
    ) -> Callable[[Callable[Concatenate[G, P], R]], Callable[Concatenate[G, P], R]]:
        """Decorate the answer for a class and its subclasses.

        Parameters
        ----------
        kind : type
            A class of games. Proofs hold for a subclass only while it leaves ``payoffs``, ``space`` and
            the methods of ``kind`` as they are; descriptions hold for every subclass.
        when : Callable, optional
            Whether the answer holds for a given game of the class.

        Raises
        ------
        TypeError
            For a protocol, `object`, or a value that is not a class: the answer would hold for every game.
        """
        if not isinstance(kind, type) or getattr(kind, "_is_protocol", False) or kind is object:
            raise TypeError(f"{kind!r} must be a class of games; protocols and object hold for every game")

        def add(answer: Callable[Concatenate[G, P], R]) -> Callable[Concatenate[G, P], R]:
            if any(issubclass(kind_before, kind) for kind_before in self._lines):
                drop_programs()  # compiled programs contain the previous answer
            self._answers[kind] = (when, answer)
            # subclasses met before may have resolved to another answer
            self._lines.clear()
            return answer

        return add

    def _find(self, game: object) -> Callable[..., Any] | None:
        kind = type(game)
        line = self._lines.get(kind)
        for condition, answer in self._line(kind) if line is None else line:
            if condition is None or condition(game):
                return answer
        return None

    def _line(self, kind: type) -> tuple[_Answer, ...]:
        """Return the answers for a class, the nearest superclass first."""
        for above in kind.__mro__:
            _import_home(above)
        self._lines[kind] = tuple(
            self._answers[above]
            for above in kind.__mro__
            if above in self._answers and (self._inherited or _pays_as(kind, above))
        )
        return self._lines[kind]

    def __reduce__(self) -> str:
        # pickled by name: a worker must use its own oracle, with the answers registered there
        return self.__name__


def inner_knows(oracle: Oracle[..., Any]) -> Callable[[Any], bool]:
    """Return a ``when`` for wrappers: whether the oracle has an answer for the wrapped game."""
    return lambda wrapper: oracle.knows(wrapper.game)


def forward(kind: type, *oracles: Oracle[..., Any]) -> None:
    """Answer oracles of a wrapper by those of its field ``game``, where these are registered."""

    def answer(oracle: Oracle[..., Any]) -> Callable[..., Any]:
        return lambda wrapper, *args: oracle(wrapper.game, *args)

    for oracle in oracles:
        oracle.register(kind, when=inner_knows(oracle))(answer(oracle))


def oracle(*, inherited: bool = False) -> Callable[[Callable[Concatenate[Any, P], R]], Oracle[P, R]]:
    """Decorate a generic answer; see `Oracle`."""
    return lambda generic: Oracle(generic, inherited)


class Unsupported(ValueError):
    """An error for a game that a method or a conversion does not support; one line states the reason."""


def unknown(game: object, subject: str) -> Unsupported:
    """Return the error of a generic answer without knowledge of the game."""
    return Unsupported(
        f"game: {type(game).__name__} has no {subject}; register one with rivalry.core.oracles"
    )

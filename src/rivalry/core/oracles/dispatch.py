"""How an oracle is declared, registered for a class of games, and found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import update_wrapper
from importlib import import_module
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from rivalry.core.jax import forget_programs
from rivalry.core.registry import near

P = ParamSpec("P")
R = TypeVar("R")
G = TypeVar("G")
C = TypeVar("C", bound=type)

_DESCRIBE = """alive axis_names discount everybody gamma growth jumps legal measures movers named_start
outcomes own_units periods period_space player_names refuses scale stages timing unit_cost weights"""
DESCRIPTIVE = frozenset(_DESCRIBE.split())
"""Members that describe a game and hold for its subclasses too; all others follow from its payoffs."""

_OPTIONAL = """adjustment_tables alive contest endless gain_between gamma gamma_channels growth legal levels
linear_quadratic linked movers node opening outside_linear period period_space periods play repeated shown
stage stages stock_range timing valued weights world"""
OFFERED = frozenset(_OPTIONAL.split())
"""What `offers` takes: optional members of games over periods and for learners."""

_offered: dict[type, frozenset[str]] = {}
_sources: dict[tuple[type, str], tuple[type, bool] | None] = {}


def offers(*names: str) -> Callable[[C], C]:
    """Declare that members of a class answer the oracles that read these names.

    Parameters
    ----------
    *names : str
        Names such as ``play``, which `to_markov` reads, or ``levels``, which `action_levels` reads. Members
        that are not declared are never read. Registering with the oracle does the same.

    Returns
    -------
    Callable
        A class decorator, which returns the class unchanged. Subclasses keep the declaration.

    Raises
    ------
    ValueError
        For a name that is not one of these members.

    Examples
    --------
    >>> @offers("play")
    ... class Duel:
    ...     def play(self, periods=None): ...
    """
    for name in names:
        if name not in OFFERED:
            raise ValueError(f"offers: {name!r} is not an optional member of a game; {near(name, OFFERED)}")

    def declare(kind: C) -> C:
        _offered[kind] = _offered.get(kind, frozenset()) | set(names)
        _sources.clear()
        return kind

    return declare


def offered(game: object, name: str, default: Any = None) -> Any:
    """The optional member ``name`` of a game, where its class is the package's own or declares it.

    Parameters
    ----------
    game : object
        Any game.
    name : str
        One of the members that `rivalry.core.game` documents.
    default : Any
        What is returned where there is none.

    Returns
    -------
    Any
        The member as the class of the package, or the declaring class, defines it. What a subclass elsewhere
        defines under the same name is passed over.
    """
    kind = type(game)
    try:
        found = _sources[kind, name]
    except KeyError:
        found = _sources[kind, name] = _source(kind, name)
    if found is None:
        return default
    above, declared = found
    if declared:
        return getattr(game, name)
    member = vars(above).get(name, default)
    try:  # members of our own classes may be there for some games of the class only
        if name in _annotated(above):
            return getattr(game, name)
        return member.__get__(game, kind) if hasattr(type(member), "__get__") else member
    except AttributeError:
        return default


def has(game: object, *names: str) -> bool:
    """Whether a game offers all of these members; see `offered`."""
    missing = object()
    return all(offered(game, name, missing) is not missing for name in names)


def _source(kind: type, name: str) -> tuple[type, bool] | None:
    """The class that a member is taken from, and whether it was declared there; None without one."""
    shadowed = False
    for above in kind.__mro__:
        declared = name in _offered.get(above, ())
        holds = name in vars(above) or name in _annotated(above)
        if declared or (holds and _ours(above)):
            if name not in DESCRIPTIVE and not _pays_as(kind, above):
                return None
            if not declared and shadowed and name in _annotated(above):
                return None  # the value that is there is the subclass's
            return above, declared
        shadowed |= holds
    return None


def _annotated(kind: type) -> Mapping[str, Any]:
    found: Mapping[str, Any] = vars(kind).get("__annotations__", {})
    return found


def _ours(kind: type) -> bool:
    return kind.__module__.split(".")[0] == "rivalry"


def _pays_as(kind: type, above: type) -> bool:
    """Whether a class left payoffs, and what they may be made of, as they are in a class above it.

    What is proved there says nothing of it otherwise. A method that it overrides may be called by the
    payoffs: only names that describe, and plain values, may be replaced.
    """
    for between in kind.__mro__[: kind.__mro__.index(above)]:
        if _ours(between):
            continue
        if {"space", "payoffs"} & {*vars(between), *_annotated(between)}:
            return False
        for name, value in vars(between).items():
            changes = callable(value) or hasattr(type(value), "__get__")
            known = hasattr(above, name) or name in getattr(above, "__dataclass_fields__", {})
            private = name.startswith("__") or name in DESCRIPTIVE
            if changes and known and not private:
                return False
    return True


_Answer = tuple[Callable[[Any], bool] | None, Callable[..., Any]]

_declared: list[Oracle[..., Any]] = []
_homes: dict[type, str] = {}


def at_home(kind: type, module: str) -> None:
    """Name the module that registers the answers for a class; it is imported when an oracle first needs it.

    Parameters
    ----------
    kind : type
        A class of games. Subclasses need no home of their own.
    module : str
        The full name of the module, ``"rivalry.games.market.oracles"``.
    """
    _homes[kind] = module


def _import_home(kind: type) -> None:
    home = _homes.get(kind)
    if home is None:
        return
    import_module(home)
    # a reloaded model defines a new class, of which the home, imported before, knows nothing
    if not any(kind in oracle._answers for oracle in _declared):
        raise RuntimeError(f"{home} registers nothing for {kind}; import it anew where the class was")
    _homes.pop(kind, None)


class Oracle(Generic[P, R]):
    """A function of a game that is dispatched on the game's class; see the module.

    Parameters
    ----------
    generic : Callable
        The answer where nothing is known of a game.
    hooks : str
        Members in which the package's own classes hold their answer.
    hooked : Callable, optional
        How the answer is made from these; by default the first is called with the arguments.
    inherited : bool
        Whether an answer holds for subclasses that change payoffs or space, as descriptions do.
    """

    def __init__(
        self,
        generic: Callable[Concatenate[Any, P], R],
        *hooks: str,
        hooked: Callable[Concatenate[Any, P], R] | None = None,
        inherited: bool = False,
    ) -> None:
        self._generic = generic
        self._hooks = hooks
        self._hooked = hooked
        self._inherited = inherited
        self._answers: dict[type, _Answer] = {}
        self._lines: dict[type, tuple[_Answer, ...]] = {}
        update_wrapper(self, generic)
        _declared.append(self)

    def __call__(self, game: Any, *args: P.args, **kwargs: P.kwargs) -> R:
        found: R = (self._found(game) or self._generic)(game, *args, **kwargs)
        return found

    def knows(self, game: Any) -> bool:
        """Whether more than the generic answer is known of this game; nothing is computed."""
        return self._found(game) is not None

    def register(
        self, kind: type[G], when: Callable[[G], bool] | None = None
    ) -> Callable[[Callable[Concatenate[G, P], R]], Callable[Concatenate[G, P], R]]:
        """Make the decorated function the answer for a class and those below it.

        Parameters
        ----------
        kind : type
            A class of games. Proofs hold for a subclass only while it leaves ``payoffs``, ``space`` and
            the methods of ``kind`` as they are; descriptions hold for every subclass.
        when : Callable, optional
            Whether the answer holds for this game of the class; asked of the game alone.

        Raises
        ------
        TypeError
            For what is not a class, a protocol, or `object`: an answer for all games would be a claim.
        """
        if not isinstance(kind, type) or getattr(kind, "_is_protocol", False) or kind is object:
            raise TypeError(f"{kind!r} must be a class of games; protocols and object hold for every game")

        def add(answer: Callable[Concatenate[G, P], R]) -> Callable[Concatenate[G, P], R]:
            if any(issubclass(seen, kind) for seen in self._lines):
                forget_programs(0)  # those already compiled hold the answer of before
            self._answers[kind] = (when, answer)
            self._lines.clear()
            return answer

        return add

    def _found(self, game: Any) -> Callable[..., Any] | None:
        kind = type(game)
        line = self._lines.get(kind)
        for when, answer in self._line(kind) if line is None else line:
            if when is None or when(game):
                return answer
        return None

    def _line(self, kind: type) -> tuple[_Answer, ...]:
        """The answers for a class, the nearest first."""
        for above in kind.__mro__:
            _import_home(above)
        line: list[_Answer] = []
        for above in kind.__mro__:
            if above in self._answers and (self._inherited or _pays_as(kind, above)):
                line.append(self._answers[above])
            elif any(h in _offered.get(above, ()) for h in self._hooks) or (
                _ours(above) and any(h in vars(above) or h in _annotated(above) for h in self._hooks)
            ):
                line.append((self._offers, self._hooked or self._first))
        self._lines[kind] = tuple(line)
        return self._lines[kind]

    def _offers(self, game: Any) -> bool:
        return any(offered(game, hook) is not None for hook in self._hooks)

    def _first(self, game: Any, *args: Any, **kwargs: Any) -> Any:
        return offered(game, self._hooks[0])(*args, **kwargs)

    def __reduce__(self) -> str:
        return self.__name__  # type: ignore[attr-defined, no-any-return]


def forwarded(oracle: Oracle[..., Any]) -> Callable[[Any], bool]:
    """For the ``when`` of a wrapper: whether it is known of the game inside."""
    return lambda wrapper: oracle.knows(wrapper.game)


def oracle(
    *hooks: str, hooked: Callable[..., Any] | None = None, inherited: bool = False
) -> Callable[[Callable[Concatenate[Any, P], R]], Oracle[P, R]]:
    """Decorate a generic answer; see `Oracle`."""
    return lambda generic: Oracle(generic, *hooks, hooked=hooked, inherited=inherited)


class Unsupported(ValueError):
    """A game cannot be what a method or a conversion needs; the message says why, in one line."""


def unknown(game: Any, what: str) -> Unsupported:
    """Return the error of a generic answer that knows nothing."""
    return Unsupported(f"game: {type(game).__name__} has no {what}; register one with rivalry.core.oracles")

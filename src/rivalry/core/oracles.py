"""What is known of a game beyond its space and payoffs, by the class of the game.

A game reserves two names, ``space`` and ``payoffs``. All else that is known of it, from the size of its
payoffs to a closed-form best response, is said by the *oracles* of this module: functions of a game, each
with a generic answer that holds for every game. Knowledge of a class of one's own is registered:

>>> import jax.numpy as jnp
>>> from rivalry import Box, certificate, oracles
>>> class Duopoly:
...     space = Box.interval(0.0, 1.0, players=2)
...
...     def payoffs(self, x):
...         return (x * (1 - x.sum()))[:, 0]
>>> @oracles.best_response.register(Duopoly)
... def _(game, x, player):
...     own = jnp.clip((1 - (x.sum() - x[player])) / 2, 0.0, 1.0)
...     return own, game.payoffs(x.at[player].set(own))[player], "exact"
>>> certificate(Duopoly(), [[1 / 3], [1 / 3]]).claim
'equilibrium'

Attributes and methods of a game are never read as knowledge, whatever their names, with two exceptions: the
package's own classes, and members that a class declares with `offers`.

How a family registers. A family is read in the order model, analyses, oracles, factory. ``model.py`` holds
the class, its data and its payoffs, and imports nothing of the family. ``oracles.py`` registers every
answer (``@oracles.best_response.register(Market, when=...)``) and may import model and analyses. The last
line of ``model.py`` names it, as a string: ``at_home(Market, "rivalry.games.market.oracles")``. The module
is imported when an oracle first meets the class or one below it, in a spawned worker too: whoever holds a
game has imported its model. A family of one file, and a wrapper, registers beside the class and needs no
home.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from importlib import import_module
from typing import Any, Concatenate, Generic, NamedTuple, ParamSpec, TypeVar

import numpy as np
from jaxtyping import Array, Float

from rivalry.core.jax import forget_programs, jax, jnp
from rivalry.core.registry import near
from rivalry.core.results import Coverage, Record
from rivalry.core.space import Profile, Strategy

P = ParamSpec("P")
R = TypeVar("R")
G = TypeVar("G")
C = TypeVar("C", bound=type)

_DESCRIBE = """alive axis_names c discount everybody free_flow gamma growth jumps legal measures movers
named_start outcomes own_units periods period_space player_names refuses refuses_mean_field scale share stages
stakes timing types weights"""
DESCRIPTIVE = frozenset(_DESCRIBE.split())
"""Members that describe a game and hold for its subclasses too; all others follow from its payoffs."""

_OPTIONAL = """adjustment_tables alive continuum contest drift endless first_law gain_between gamma
gamma_channels growth legal levels linear_quadratic linked measured movers node opening outside_linear
period period_space periods play population_measures possible refuses_mean_field repeated share shown
stage stages stock_range timing transitions types valued weights world"""
OFFERED = frozenset(_OPTIONAL.split())
"""What `offers` takes: optional members of games over periods, for learners and in populations."""

_offered: dict[type, frozenset[str]] = {}
_sources: dict[tuple[type, str], tuple[type, bool] | None] = {}


def offers(*names: str) -> Callable[[C], C]:
    """Declare that members of a class are what `rivalry.core.game` documents under these names.

    Parameters
    ----------
    *names : str
        Optional members of `Game`, `MarkovGame` and `PopulationGame` that have no oracle, such as ``play``,
        ``world``, ``stage`` or ``types``. Members that are not declared are never read.

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
            elif _ours(above) and any(h in vars(above) or h in _annotated(above) for h in self._hooks):
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


class Labels(NamedTuple):
    """Names of players, and of the axes of a strategy; empty where they are numbered."""

    players: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()


class Response(NamedTuple):
    """A player's best response as far as it was found."""

    strategy: np.ndarray  # [axis]
    payoff: float
    bound: float  # what no payoff can exceed; inf where nothing is proved
    coverage: Coverage
    method: str
    tried: np.ndarray | None = None  # payoffs of the strategies that were looked at, wherever the player is


def oracle(
    *hooks: str, hooked: Callable[..., Any] | None = None, inherited: bool = False
) -> Callable[[Callable[Concatenate[Any, P], R]], Oracle[P, R]]:
    """Decorate a generic answer; see `Oracle`."""
    return lambda generic: Oracle(generic, *hooks, hooked=hooked, inherited=inherited)


def _unknown(game: Any, what: str) -> ValueError:
    return ValueError(f"game: {type(game).__name__} has no {what}; register one with rivalry.core.oracles")


# Descriptions: answers hold for subclasses too.


@oracle("scale", hooked=lambda game: offered(game, "scale"), inherited=True)
def payoff_scale(game: Any) -> Array | np.ndarray | float:
    """Return what payoffs are compared with: a number above 0, which JAX may trace. Generic: 1."""
    return 1.0


@oracle("jumps", hooked=lambda game: str(offered(game, "jumps")), inherited=True)
def discontinuity(game: Any) -> str:
    """Return why gradients may not be followed, because payoffs jump; an empty text where they may (generic).

    Methods that follow gradients refuse a game with a discontinuity, in one line that quotes the text.
    """
    return ""


@oracle(
    "player_names",
    "axis_names",
    hooked=lambda game: Labels(*(tuple(offered(game, f"{what}_names", ())) for what in ("player", "axis"))),
    inherited=True,
)
def labels(game: Any) -> Labels:
    """Return the names of players and of the axes of a strategy. Generic: none, they are numbered."""
    return Labels()


@oracle("measures", inherited=True)
def metrics(game: Any, x: Profile) -> Record:
    """Return named arrays to store with every result, ``{name: (dimensions, array)}``. Generic: none."""
    return {}


@oracle("outcomes", inherited=True)
def traced_metrics(game: Any, x: Profile) -> dict[str, tuple[tuple[str, ...], Array]]:
    """Return `metrics` as arrays that JAX can trace, for expectations over mixtures and for derivatives.

    Raises `ValueError` where there are none (generic).
    """
    raise _unknown(game, "metrics that JAX can trace")


@oracle("named_start", inherited=True)
def named_start(game: Any, name: str) -> Profile:
    """Return the start of this name. Raises `ValueError` for an unknown name (generic: for any)."""
    raise ValueError(f"start: {name!r} must be a profile; this game has no named starts")


@oracle("refuses", inherited=True)
def validate_parameter(game: Any, name: str, value: float) -> str:
    """Return why the array ``name`` may not take ``value``; an empty text where it may (generic)."""
    return ""


# Proofs and computations: answers do not hold for a subclass that changes payoffs or space.


@oracle("alike", hooked=lambda game: np.asarray(offered(game, "alike")))
def exchangeable(game: Any) -> np.ndarray:
    """Return one integer per player, ``[player]``, equal for those that may be exchanged. Generic: none may.

    Distances, basins of attraction and symmetric branches do not tell exchangeable players apart.
    """
    return np.arange(game.space.shape[0])


@oracle("payoff_against")
def deviation_payoff(game: Any, x: Profile, player: int | Array) -> Callable[[Strategy], Float[Array, ""]]:
    """Return ``player``'s payoff as a function of its own strategy ``[axis]``, the others at ``x``."""
    return lambda strategy: game.payoffs(x.at[player].set(strategy))[player]


@oracle("gradients")
def gradients(game: Any, x: Profile) -> Profile:
    """Return every player's gradient of its own payoff in its own strategy, ``[player axis]``.

    Generic: by differentiating `deviation_payoff`.
    """
    return gradients_of(game, x, jnp.arange(x.shape[0]))


def gradients_of(game: Any, x: Profile, rows: Array) -> Float[Array, "row axis"]:
    """The same for the players ``rows``, by differentiation."""

    def own(player: Array) -> Array:
        slope: Array = jax.grad(lambda strategy: deviation_payoff(game, x, player)(strategy))(x[player])
        return slope

    found: Array = jax.vmap(own)(rows)
    return found


@oracle("jacobian")
def jacobian(game: Any, x: Profile) -> Float[Array, "row column"]:
    """Return the derivative of the stacked `gradients` in the stacked profile, player-major.

    Generic: by differentiation.
    """

    def stacked(y: Array) -> Array:
        return gradients(game, y.reshape(x.shape)).ravel()

    rows: Array = jax.jacfwd(stacked)(x.ravel())
    return rows.reshape(x.size, x.size)


@oracle("best_reply")
def best_response(game: Any, x: Profile, player: int | Array) -> tuple[Strategy, Any, Coverage]:
    """Return the best strategy of ``player`` against the others at ``x``, its payoff, and the coverage.

    The payoff is that of the strategy. ``exact`` coverage claims that no strategy pays more. An answer that
    JAX can trace for a traced ``player`` also serves followers and best-response dynamics.

    Raises `ValueError` where none is known (generic); `rivalry.best_reply` then searches.
    """
    raise _unknown(game, "best response")


@oracle("proved_reply")
def proved_response(game: Any, x: Profile, player: int) -> Response:
    """Return what `best_response` does with an upper bound on every payoff of ``player``, for certificates.

    Answers compute with concrete numbers and give a `Response`. Generic: from `best_response`, whose payoff
    is the bound where its coverage is exact.
    """
    strategy, payoff, coverage = best_response(game, x, player)
    bound = float(payoff) if coverage == "exact" else np.inf
    return Response(np.asarray(strategy), float(payoff), bound, coverage, "the game's own best reply")


@oracle("reply_to_mixture")
def mixed_best_response(
    game: Any, places: np.ndarray, weights: np.ndarray, player: int
) -> tuple[Strategy, Any, Coverage]:
    """Return the best response to independent mixtures of the others, as `best_response` does.

    The others play ``places [player action axis]`` with probabilities ``weights [player action]``. Raises
    `ValueError` where none is known (generic).
    """
    raise _unknown(game, "best response to mixtures")


@oracle("ceiling")
def payoff_bound(
    game: Any, x: Profile, player: int | Array, low: Strategy, high: Strategy
) -> Float[Array, ""]:
    """Return what no own strategy between ``low [axis]`` and ``high [axis]`` pays more than, others at ``x``.

    Certificates on a box then prove their bound by branch and bound. Generic: infinity.
    """
    return jnp.asarray(jnp.inf)


@oracle("candidates")
def search_points(game: Any, player: int) -> Float[Array, "point axis"]:
    """Return strategies of ``player`` from which a search for its best response begins too. Generic: none."""
    return jnp.zeros((0, game.space.shape[1]))


@oracle("closed_form")
def closed_form(game: Any) -> np.ndarray:
    """Return first-order points known without a search, ``[root player axis]``, the most plausible first.

    Raises `ValueError` where there are none (generic).
    """
    raise _unknown(game, "closed form")


def _views(game: Any) -> dict[str, Callable[[Profile], Record]]:
    return {name: partial(offered(game, "view"), name) for name in offered(game, "views")}


@oracle("views", hooked=_views)
def plot_data(game: Any) -> Mapping[str, Callable[[Profile], Record]]:
    """Return functions of a profile by name: larger arrays, stored where a plot needs them. Generic: none."""
    return {}


ORACLES: tuple[Oracle[..., Any], ...] = (
    payoff_scale,
    discontinuity,
    labels,
    metrics,
    traced_metrics,
    named_start,
    validate_parameter,
    exchangeable,
    deviation_payoff,
    gradients,
    jacobian,
    best_response,
    proved_response,
    mixed_best_response,
    payoff_bound,
    search_points,
    closed_form,
    plot_data,
)
"""All of them; a wrapper answers each, or leaves it generic on purpose."""

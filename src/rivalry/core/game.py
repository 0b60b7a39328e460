"""Protocols of games, and functions of a game.

The protocols are structural: a custom game inherits nothing. The package's own games are pytrees: parameters
that may be swept are array leaves, sizes and options are static fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, partial
from numbers import Real
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, TypeVar, runtime_checkable

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.plain import attributes, is_plain, replace_array
from rivalry.core.results import Record as Record
from rivalry.runtime.jax import concrete_module, eqx, floats, jax, jnp, put_concrete
from rivalry.schema.construction import keyword_of, variant

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, PRNGKeyArray
    from xarray import Dataset

    from rivalry.core.space import Box, PerPlayer, Profile, Scalar, Space, Strategy

    State = Any
    Values = Array
    Env = Any

G = TypeVar("G")

ENTRY = re.compile(r"((?:\w+\.)*)([A-Za-z_]\w*)\s*(?:\[([^\]]*)\])?")  # table, array, index


@cache
def _members(protocol: type) -> tuple[str, ...]:
    """Return the public names of a protocol."""
    kinds = [kind for kind in protocol.__mro__ if kind.__module__ == __name__]
    names = {name for kind in kinds for name in (*vars(kind), *vars(kind).get("__annotations__", {}))}
    return tuple(sorted(name for name in names if not name.startswith("_")))


class _Structural(type(Protocol)):  # type: ignore[misc]
    """Metaclass of protocols whose names are looked up once; Python 3.11 does so at every check."""

    def __instancecheck__(cls, instance: object) -> bool:
        if vars(cls).get("_is_protocol") and all(
            getattr(instance, name, None) is not None for name in _members(cls)
        ):
            return True
        return bool(super().__instancecheck__(instance))  # what is None may be no member: Python decides


@runtime_checkable
class Game(Protocol, metaclass=_Structural):
    """A one-shot game: a strategy space and payoffs.

    ``space`` and ``payoffs`` are the only reserved names. Further knowledge of a game is registered for its
    class (`rivalry.oracles`).
    """

    @property
    def space(self) -> Space:
        """The strategy space of all players."""

    def payoffs(self, x: Profile) -> PerPlayer:
        """Return each player's payoff at the profile ``x``."""


@runtime_checkable
class BoxGame(Game, Protocol):
    """A one-shot game whose strategies are numbers between bounds."""

    @property
    def space(self) -> Box:
        """The bounds of all players' strategies."""


@runtime_checkable
class MarkovGame(Protocol):
    """A stochastic game with Markov transitions; its methods are pure functions.

    The players that move, the players still present, legal actions and normalized observations are
    registered for its class (`rivalry.oracles`: ``active_players``, ``present_players``, ``legal_actions``,
    ``normalized_observation``). A class with ``payoffs`` is a `Game`, whatever its other fields are called.
    """

    @property
    def space(self) -> Space:
        """The strategy space in every state."""

    def reset(self, key: PRNGKeyArray) -> State:
        """Return the initial state; the key is consumed."""

    def step(
        self, state: State, x: Profile, key: PRNGKeyArray
    ) -> tuple[State, PerPlayer, Bool[Array, ""], Bool[Array, ""]]:
        """Return the next state, the rewards, and whether play terminated and was truncated.

        The key is consumed.
        """

    def observe(self, state: State) -> Float[Array, "player feature"]:
        """Return each player's observation."""


@runtime_checkable
class PopulationGame(Protocol):
    """A continuum of players on finitely many states; a type is a closed block of states.

    A profile is the policy ``[state action]`` that all players follow. In records, types take the place of
    players. Further knowledge is registered for the class: types and their shares, the initial distribution,
    a faster transition matrix and metrics in `rivalry.population.oracles`; payoff scale, labels, named starts
    and kernel arrays in `rivalry.core.oracles`, as for a `Game`.
    """

    @property
    def space(self) -> Space:
        """Policies ``[state action]``: in every state a `Simplex` over its legal actions."""

    discount: Float[Array, "state"]
    legal: Bool[Array, "state action"]

    def environment(self, mu: Float[Array, "state"], pi: Float[Array, "state action"]) -> Env:
        """Return the mean-field environment, on which an agent's payoffs and transitions depend."""

    def reward(self, env: Env) -> Float[Array, "state action"]:
        """Return the expected reward of every state and action."""

    def expect(self, env: Env) -> Callable[[Values], Float[Array, "state action"]]:
        """Return the map from values ``v`` of next states to ``E[v(next)]``."""

    def balance(self, env: Env, mu: Float[Array, "state"], pi: Float[Array, "state action"]) -> Env:
        """Return a residual that is zero where ``mu`` and ``pi`` generate the environment."""


@runtime_checkable
class AgentGame(Protocol):
    """A game of finitely many agents that compiled kernels simulate.

    It has no profiles, so no method solves it. In records, types take the place of players. Payoff scale and
    labels are registered as for a `Game`.
    """

    def world(self) -> Any:
        """Return the tuple that kernels take."""

    def static_metrics(self) -> Record:
        """Return named arrays to store with every result, ``{name: (dimensions, array)}``."""


Playable = Game | MarkovGame | PopulationGame
"""The games of methods; a class of methods takes one of the three. Learners may take an `AgentGame`."""


def is_population(game: object) -> TypeGuard[PopulationGame]:
    """True if a game is a `PopulationGame`; one with ``payoffs`` is a `Game` instead."""
    return not isinstance(game, Game) and isinstance(game, PopulationGame)


def is_markov(game: object) -> TypeGuard[MarkovGame]:
    """True if a game is a `MarkovGame`; one with ``payoffs`` is a `Game` instead."""
    return not isinstance(game, Game) and isinstance(game, MarkovGame)


def is_agents(game: object) -> TypeGuard[AgentGame]:
    """True if a game is an `AgentGame`; one with a ``space`` has profiles and is not."""
    return not hasattr(game, "space") and isinstance(game, AgentGame)


class BrokenInvariant(RuntimeError):
    """A violated invariant of the package: an error of the package, not of its user."""


def scale(game: object) -> float:
    """Return the largest payoff scale of a player of ``game``, 1 by default."""
    return float(np.max(np.asarray(oracles.payoff_scale(game))))


def scale_of(game: object) -> Scalar:
    """Return the largest payoff scale as an array, also while JAX traces the game."""
    return jnp.max(jnp.asarray(oracles.payoff_scale(game), float))


def scales(game: Game) -> ndarray:
    """Return the payoff scale of every player, ``[player]``."""
    return np.broadcast_to(floats(oracles.payoff_scale(game)), game.space.shape[:1])


def scales_of(game: Game) -> Float[Array, " player"]:
    """Return the payoff scale of every player as an array, also while JAX traces the game."""
    scale = oracles.payoff_scale(game)
    xp = concrete_module(scale)
    return put_concrete(xp.broadcast_to(xp.asarray(scale, float), game.space.shape[:1]))


def kernel_conversion(game: object) -> Callable[[], Any] | None:
    """Return the function that makes the arrays that kernels take; None for a game without one."""
    for conversion in (oracles.to_finite, oracles.to_agents):
        if conversion.knows(game):
            return partial(conversion, game)
    return game.world if is_agents(game) else None


def kernel_arrays(game: object) -> Any:
    """Return the arrays that kernels take, or the game itself where no kernel takes it."""
    conversion = kernel_conversion(game)
    return game if conversion is None else conversion()


def initial_profile(game: Any, start: object) -> Profile:
    """Return an initial profile from numbers or from the name of one of the game's named starts.

    Raises
    ------
    ValueError
        For a profile outside the space, and for an unknown name.
    """
    if isinstance(start, str):
        start = oracles.named_start(game, start)
    return profile_of(game, start, "start")


def profile_of(game: Any, x: Any, name: str) -> Profile:
    """Return numbers as a profile of a game.

    Raises
    ------
    ValueError
        For what is outside the space; where it is an action per player of a finite game, with the call that
        gives these actions.

    Examples
    --------
    >>> import rivalry as rv
    >>> profile_of(rv.games.matrix("chicken"), [1, 0], "profile")
    Traceback (most recent call last):
    ValueError: profile: shape (2,) must be (2, 2) (players, axes); pure actions are game.pure(1, 0)
    """
    try:
        checked: Profile = game.space.check(x, name)
    except ValueError as error:
        is_row = isinstance(x, list | tuple) or (isinstance(x, ndarray) and x.ndim == 1)
        if not is_row or "pure" not in dir(game) or len(x) != game.space.shape[0]:
            raise
        if not all(isinstance(action, str) or _is_whole(action) for action in x):
            raise
        written = ", ".join(repr(action if isinstance(action, str) else int(action)) for action in x)
        raise ValueError(f"{error}; pure actions are game.pure({written})") from None
    return checked


def _is_whole(value: object) -> bool:
    return isinstance(value, Real) and float(value).is_integer()


def profile_dims(game: object) -> tuple[str, str]:
    """Return the names of the two dimensions of a profile of ``game``."""
    return ("state", "action") if is_population(game) else ("player", "axis")


def measures(game: object, x: Any) -> Record:
    """Return the game's metrics at a profile, ``{name: (dimensions, array)}``; may be empty."""
    metrics: Record = dict(oracles.metrics(game, x))
    if oracles.shared_constraints.knows(game):
        metrics["shared_constraint"] = (("constraint",), np.asarray(oracles.shared_constraints(game, x)))
    return metrics


def view(game: Playable, name: str, x: Profile) -> Dataset:
    """Return the plot data that a game registers as ``name``, at a profile.

    Parameters
    ----------
    game
        A game with registered plot data.
    name
        One of the keys of `rivalry.oracles.plot_data`.
    x
        Profile ``[player axis]``.

    Returns
    -------
    Dataset
        Arrays with labels, as functions of `rivalry.plots` take them.

    Raises
    ------
    ValueError
        For an unknown name, and for a profile outside the space.
    """
    from rivalry.core.results import dataset
    from rivalry.schema.registry import near

    makers = oracles.plot_data(game)
    if name not in makers:
        raise ValueError(f"view {name!r}: no view of this game; {near(name, makers)}")
    return dataset(makers[name](profile_of(game, x, "profile")))


def own_payoff(game: Game, x: Profile, player: int | Array, strategy: Strategy) -> Scalar:
    """Return ``player``'s payoff from ``strategy`` while the others stay at ``x``."""
    return payoff_against(game, x, player)(strategy)


def payoff_against(game: Game, x: Profile, player: int | Array) -> Callable[[Strategy], Scalar]:
    """Return ``player``'s payoff as a function of its own strategy ``[axis]``, with the others at ``x``."""
    return oracles.deviation_payoff(game, x, player)


def require_continuity(game: object) -> None:
    """Raise `ValueError` for a game with discontinuous payoffs; for methods that follow gradients."""
    reason = oracles.discontinuity(game)
    if reason:
        use = "closed_form" if has_closed_form(game) else "best_response or double_oracle"
        raise ValueError(f"{reason}: payoffs are discontinuous, so gradients mislead; use {use}")


def refuse_shared(game: object, procedure: str) -> None:
    """Raise `ValueError` for a game with shared constraints; ``procedure`` would ignore them."""
    if oracles.shared_constraints.knows(game):
        raise ValueError(f"{procedure} ignores shared constraints; use variational_equilibrium or evaluate")


def has_closed_form(game: object) -> bool:
    """True if a game has its equilibria in closed form, also with its present parameters."""
    try:
        return len(oracles.closed_form(game)) > 0
    except (ValueError, jax.errors.JAXTypeError):  # not with these numbers, or they are traced
        return False


def own_gradients(
    game: Game, x: Profile, players: tuple[int, ...] | None = None
) -> Float[Array, "mover axis"]:
    """Return each player's gradient of its own payoff in its own strategy.

    With ``players``, only their rows.
    """
    if players is None:
        return oracles.gradients(game, x)
    rows = jnp.asarray(players)
    # a registered answer gives all rows at once; by differentiation each row costs an evaluation
    if oracles.gradients.knows(game):
        return oracles.gradients(game, x)[rows]
    return oracles.gradients_of(game, x, rows)


def jacobian(game: Game, x: Profile) -> Float[Array, "row column"]:
    """Return the derivative of the stacked own gradients in the stacked profile, player-major."""
    return oracles.jacobian(game, x)


def arrays(game: object) -> dict[str, Array | ndarray]:
    """Return a game's arrays by the names that `with_` takes, with those of its parts that it exposes."""
    kinds = jax.Array | ndarray
    entries = {name: _array(game, name) for name in attributes(game)}
    leaves: dict[str, Any] = {name: value for name, value in entries.items() if value is not None}
    for path, leaf in jax.tree_util.tree_flatten_with_path(game)[0]:
        leaf_key = path[-1] if path else None
        name = leaf_key.name if isinstance(leaf_key, jax.tree_util.GetAttrKey) else ""
        name = str(leaf_key.key) if isinstance(leaf_key, jax.tree_util.DictKey) else name
        # an array of a part counts where the game exposes it by its name: `with_` finds it by that name only
        if isinstance(leaf, kinds) and getattr(game, name, None) is leaf:
            leaves[name] = leaf
    return leaves


def array_entry(game: object, key: str) -> tuple[str, tuple[int, ...]]:
    """Return the name of the array, and the index within it, that a key of a game refers to.

    A key is ``reach``, an entry ``reach[1]``, or a key of the factory or of a study's sweep,
    ``game.parameters.a``.

    Raises
    ------
    ValueError
        For a name that is no array of the game, and for an index outside the array.

    Examples
    --------
    >>> import rivalry as rv
    >>> firms = rv.games.continuous(payoffs=["x1 * (a - x1)"], parameters={"a": 1.0})
    >>> array_entry(firms, "parameters.a"), array_entry(rv.games.market(), "unit_cost[1]")
    (('a', ()), ('unit_cost', (1,)))
    """
    match = ENTRY.fullmatch(key.removeprefix("game.").strip())
    table, name, inside = match.groups() if match else ("", key, None)
    value = _array(game, name)
    if value is None or (table and keyword_of(game, name) != table + name):
        names = ", ".join(sorted(arrays(game))) or "none"
        is_integer = isinstance(getattr(game, name, None), int) and is_plain(game)
        remedy = f"; a parameter is a real number, as in {getattr(game, name)}.0" if is_integer else ""
        raise ValueError(f"{key}: no array of this game; it has {names}{remedy}")
    index = inside.split(",") if inside is not None else []
    within = zip(index, value.shape, strict=False)
    if len(index) > value.ndim or not all(k.strip().isdecimal() and int(k) < size for k, size in within):
        raise ValueError(f"{name}[{inside}] is no entry of an array of shape {value.shape}")
    return name, tuple(map(int, index))


def _array(game: object, name: str) -> Array | ndarray | None:
    """Return the array ``name`` of a game, also a real number of a plain class; None where it has none."""
    value = getattr(game, name, None)
    if isinstance(value, float) and name in attributes(game) and is_plain(game):
        return np.asarray(value)
    return value if isinstance(value, jax.Array | ndarray) else None


def with_(game: G, **changes: object) -> G:
    """Return a copy of a game with some arrays replaced.

    A keyword of the factory that made the game is given to the factory, so that all that follows from it
    changes too, such as the bounds of the space. Other arrays, arrays of other games, and traced values
    replace the array alone; these values are broadcast to the shape of the array and take its dtype. An
    entry of an array is named as in a sweep, ``with_(game, **{"reach[0]": 0.3})``.

    Raises
    ------
    ValueError
        For an unknown array, a value that does not fit its shape, and a value that the factory refuses.

    Examples
    --------
    >>> import rivalry as rv
    >>> small = with_(rv.games.market(), capacity=[20.0, 100.0])
    >>> small.space.high.ravel().tolist()
    [20.0, 100.0]
    """
    plain = is_plain(game)
    keys: dict[str, Any] = {}
    new: dict[str, Any] = {}
    for key, value in changes.items():
        name, index = array_entry(game, key)
        old: Any = new[name] if name in new else _array(game, name)
        try:
            # equal dtype and shape: the programs compiled for the game also serve the copy
            # by NumPy where it can: a program of JAX takes longer to call
            xp: Any = np if isinstance(value, int | float | ndarray) else jnp
            entry = xp.broadcast_to(xp.asarray(value, dtype=old.dtype), np.shape(old)[len(index) :])
        except (TypeError, ValueError):
            raise ValueError(f"{key}: {value!r} does not fit the shape {old[index].shape}") from None
        new[name] = jnp.asarray(old).at[index].set(entry) if index else entry
        if not isinstance(new[name], jax.core.Tracer) and (keyword := keyword_of(game, name)):
            replacement = np.asarray(new[name] if index else value, old.dtype)
            keys[name] = keyword, replacement
    if keys:
        changed_keys = {
            key: value.item() if value.size == 1 else value.tolist() for key, value in keys.values()
        }
        game = variant(game, **changed_keys)
    for name, value in new.items():
        if name not in keys:
            game = replace_array(game, name, value) if plain else eqx.tree_at(attrgetter(name), game, value)
            continue
        # a factory leaves the array of a neutral value out, or gives it another shape
        array = _array(game, name)
        if array is None or not array.shape == keys[name][1].shape == value.shape:
            continue
        if not np.array_equal(array, value):
            raise ValueError(f"{name}: follows from other keywords of this game; change those")
    return game

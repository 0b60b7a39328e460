"""What a game is: the protocols that all subpackages share, and functions of a game.

The protocols are structural: a custom game inherits nothing. A value is an `equinox.Module`:
numbers that may be swept are array leaves and sizes and choices are static fields.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, TypeVar, runtime_checkable

import numpy as np

from rivalry.core import oracles
from rivalry.core.jax import eqx, jax, jnp
from rivalry.core.plain import attributes, is_plain, replaced
from rivalry.core.results import Record as Record

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, PRNGKeyArray
    from xarray import Dataset

    from rivalry.core.space import Profile, Space, Strategy

    State = Any
    Values = Array
    Env = Any

G = TypeVar("G")


@runtime_checkable
class Game(Protocol):
    """One shot, differentiable: players, where they choose, what they get.

    ``space`` and ``payoffs`` are the only reserved names. What is known of a game beyond these two is
    registered for its class (`rivalry.oracles`).
    """

    @property
    def space(self) -> Space:
        """Where the players choose."""
        ...

    def payoffs(self, x: Profile) -> Float[Array, "player"]:
        """What each player gets at the profile ``x``."""
        ...


@runtime_checkable
class MarkovGame(Protocol):
    """A game played from state to state; its methods are pure functions.

    Who moves, who is still present, which actions are legal, and observations in numbers of order 1 are
    registered for its class (`rivalry.oracles`: ``active_players``, ``present_players``, ``legal_actions``,
    ``normalized_observation``). A class with ``payoffs`` is a `Game`, whatever its other fields are called.
    """

    @property
    def space(self) -> Space:
        """Where the players choose in every state."""
        ...

    def reset(self, key: PRNGKeyArray) -> State:
        """The first state; the key is consumed."""
        ...

    def step(
        self, state: State, x: Profile, key: PRNGKeyArray
    ) -> tuple[State, Float[Array, "player"], Bool[Array, ""], Bool[Array, ""]]:
        """The next state, the rewards, whether play ended, and whether it was cut; the key is consumed."""
        ...

    def observe(self, state: State) -> Float[Array, "player feature"]:
        """What each player sees."""
        ...


@runtime_checkable
class PopulationGame(Protocol):
    """A continuum of players on finitely many states; a type is a closed block of states.

    A profile is the policy that all of them follow, ``[state action]``; its types are the players of records.
    What else is known of it is registered for its class: types and their shares, the initial distribution, a
    faster transition matrix, metrics and more (`rivalry.population.oracles`); payoff scale, labels, named
    starts and the arrays that kernels take as for a `Game` (`rivalry.core.oracles`).
    """

    @property
    def space(self) -> Space:
        """Policies ``[state action]``: in every state a `Simplex` over its legal actions."""
        ...

    discount: Float[Array, "state"]
    legal: Bool[Array, "state action"]

    def environment(self, mu: Float[Array, "state"], pi: Float[Array, "state action"]) -> Env:
        """All that one agent need know of the rest."""
        ...

    def reward(self, env: Env) -> Float[Array, "state action"]:
        """Expected reward of every state and action."""
        ...

    def expect(self, env: Env) -> Callable[[Values], Float[Array, "state action"]]:
        """The map from values ``v`` of next states to ``E[v(next)]``."""
        ...

    def balance(self, env: Env, mu: Float[Array, "state"], pi: Float[Array, "state action"]) -> Env:
        """Zero where the environment is the one that ``mu`` and ``pi`` make."""
        ...


@runtime_checkable
class AgentGame(Protocol):
    """Played by finitely many agents in a world that kernels know; it has no profiles, so nothing solves it.

    Its types are the players of records; payoff scale and labels are registered as for a `Game`.
    """

    def world(self) -> Any:
        """The tuple that kernels take."""
        ...

    def static_metrics(self) -> Record:
        """Return named arrays to store with every result, ``{name: (dimensions, array)}``."""
        ...


Playable = Game | MarkovGame | PopulationGame
"""What methods are for; each class of methods knows one of the three. Learners may know an `AgentGame`."""


def is_population(game: object) -> TypeGuard[PopulationGame]:
    """Whether a game is a `PopulationGame`. One with payoffs is a `Game`, whatever else it is called."""
    return not isinstance(game, Game) and isinstance(game, PopulationGame)


def is_markov(game: object) -> TypeGuard[MarkovGame]:
    """Whether a game is a `MarkovGame`, and no one-shot game with fields of those names."""
    return not isinstance(game, Game) and isinstance(game, MarkovGame)


def is_agents(game: object) -> TypeGuard[AgentGame]:
    """Whether a game is an `AgentGame`, and nothing that has profiles."""
    return not hasattr(game, "space") and isinstance(game, AgentGame)


class BrokenInvariant(RuntimeError):
    """Something that must hold by construction does not: an error of the package, not of its user."""


def scale(game: object) -> float:
    """What payoffs of ``game`` are compared with: its ``scale``, or 1."""
    return float(oracles.payoff_scale(game))


def scale_of(game: object) -> Float[Array, ""]:
    """The same as an array, also where the game is being traced."""
    return jnp.asarray(oracles.payoff_scale(game), dtype=float)


def alike(game: Any) -> np.ndarray:
    """One whole number per player, equal for those who may change places: the game's own, or all differ."""
    return np.asarray(oracles.exchangeable(game))


def kernel_conversion(game: Any) -> Callable[[], Any] | None:
    """Return what makes the tuple of arrays that kernels take; None for a game that has none."""
    for conversion in (oracles.to_finite, oracles.to_agents):
        if conversion.knows(game):
            return partial(conversion, game)
    return game.world if is_agents(game) else None


def kernel_arrays(game: Any) -> Any:
    """Return the tuple of arrays that kernels take, of a game that has one, else the game itself."""
    conversion = kernel_conversion(game)
    return game if conversion is None else conversion()


def started(game: Any, start: object) -> Profile:
    """A start as a profile of the game's space: numbers, or the name of one of its named starts.

    Raises `ValueError` for a profile outside the space, and a word that the game does not know.
    """
    if isinstance(start, str):
        start = oracles.named_start(game, start)
    found: Profile = game.space.check(start)
    return found


def profile_dims(game: object) -> tuple[str, str]:
    """What the two dimensions of a profile of ``game`` are called."""
    return ("state", "action") if is_population(game) else ("player", "axis")


def measures(game: object, x: Any) -> Record:
    """The named arrays the game computes from a profile, or none."""
    return dict(oracles.metrics(game, x))


def view(game: Any, name: str, x: Profile) -> Dataset:
    """One of the game's views at a profile, as labelled data for a plot.

    Raises `ValueError` for a view the game does not have.
    """
    from rivalry.core.registry import near
    from rivalry.core.results import dataset

    known = oracles.plot_data(game)
    if name not in known:
        raise ValueError(f"view {name!r}: no view of this game; {near(name, known)}")
    return dataset(known[name](game.space.check(x, "profile")))


def own_payoff(game: Game, x: Profile, player: int | Array, strategy: Strategy) -> Float[Array, ""]:
    """What ``player`` gets by playing ``strategy`` while the others stay at ``x``."""
    return payoff_against(game, x, player)(strategy)


def payoff_against(game: Game, x: Profile, player: int | Array) -> Callable[[Strategy], Float[Array, ""]]:
    """``player``'s payoff as a function of its own strategy [axis], while the others stay at ``x``."""
    return oracles.deviation_payoff(game, x, player)


def refuse_jumps(game: Any) -> None:
    """For methods that follow slopes. Raises `ValueError` where the game says that its payoffs jump."""
    why = oracles.discontinuity(game)
    if why:
        raise ValueError(
            f"{why}: payoffs jump, and this method follows their slopes; use best_response or double_oracle"
        )


def own_gradients(
    game: Game, x: Profile, players: tuple[int, ...] | None = None
) -> Float[Array, "mover axis"]:
    """Each player's gradient of its own payoff in its own strategy; of ``players`` alone, where given."""
    if players is None:
        return oracles.gradients(game, x)
    rows = jnp.asarray(players)
    if oracles.gradients.knows(game):
        return oracles.gradients(game, x)[rows]
    return oracles.gradients_of(game, x, rows)


def jacobian(game: Game, x: Profile) -> Float[Array, "row column"]:
    """Derivative of the stacked own gradients in the stacked profile, player-major."""
    return oracles.jacobian(game, x)


def arrays(game: Any) -> dict[str, Array | np.ndarray]:
    """A game's arrays by the names that `with_` takes: its own, and those of its parts that it passes on."""
    kinds = jax.Array | np.ndarray
    found: dict[str, Any] = {
        name: value for name, value in attributes(game).items() if isinstance(value, kinds)
    }
    for path, leaf in jax.tree_util.tree_flatten_with_path(game)[0]:
        name = str(getattr(path[-1], "name", getattr(path[-1], "key", ""))) if path else ""
        if isinstance(leaf, kinds) and getattr(game, name, None) is leaf:
            found[name] = leaf
    return found


def with_(game: G, **changes: object) -> G:
    """A copy of a game with some array fields replaced; numbers are broadcast, the dtype is kept.

    Raises `ValueError` for a field the game does not have, or one that is not an array.
    """
    plain = is_plain(game)
    for name, value in changes.items():
        old = getattr(game, name, None)
        if not isinstance(old, jax.Array | np.ndarray):
            raise ValueError(f"{name}: no array of this game; it has {', '.join(sorted(arrays(game)))}")
        try:
            new = jnp.broadcast_to(jnp.asarray(value, dtype=old.dtype), old.shape)
        except (TypeError, ValueError):
            raise ValueError(f"{name}: {value!r} does not fit the shape {old.shape}") from None
        game = replaced(game, name, new) if plain else eqx.tree_at(attrgetter(name), game, new)
    return game

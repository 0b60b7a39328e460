"""Games of some players of a base game; `freeze` fixes the strategies of the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.array_games import FiniteGame, exact_tables, one_state
from rivalry.core.game import Game, Record, scales_of
from rivalry.core.game import measures as measures_of
from rivalry.core.oracles import forward, inner_knows
from rivalry.core.payoffs import payoffs as payoffs_of_profile
from rivalry.core.results import rename_dim
from rivalry.core.space import Box, Choices, PerPlayer, Profile, Simplex, Space, as_profile
from rivalry.core.tree import payoff_method
from rivalry.runtime.jax import concrete_module, jax, jnp, put_concrete, seldom
from rivalry.schema.construction import recipe_of
from rivalry.schema.validate import as_numbers, check_keywords, number_of
from rivalry.text.display import Description, OneLineRepr

WholeProfile = Float[Array, "seat column"]  # of all players of a game, also those that are fixed
Players = tuple[int, ...]


@check_keywords
def freeze(game: Game, strategies: Mapping[int, object]) -> Frozen:
    """Return the game of the other players, while those named play fixed strategies.

    Parameters
    ----------
    game : Game
        The base game.
    strategies : mapping of int to array-like
        The fixed strategies ``[axis]``, by player.

    Returns
    -------
    Frozen
        The game of the remaining players, in their order.

    Raises
    ------
    ValueError
        For players that do not exist, if no player remains, and for strategies outside the space.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = freeze(rv.games.matrix("chicken"), {1: [0.0, 1.0]})
    >>> rv.certificate(game, game.space.check([[1.0, 0.0]])).claim
    'equilibrium'
    """
    players = game.space.shape[0]
    fixed = player_indices(strategies, players, "strategies")
    free_players = tuple(player for player in range(players) if player not in fixed)
    if not free_players:
        raise ValueError(f"strategies: fix all {players} players; must leave at least one free")
    base = np.array(interior_profile(game.space))
    # one at a time, so that an error names the player whose strategy is outside the space
    for player in fixed:
        base[player] = _pad_row(strategies[player], base.shape[1], f"strategies[{player}]")
        game.space.check(base, f"strategies[{player}]")
    return Frozen(game, jnp.asarray(base), free_players)


class Restricted(OneLineRepr, eqx.Module):
    """A game of some players of ``game``.

    Their space, and their strategies in the profile of the whole game.
    """

    game: Any
    base: WholeProfile
    players: Players = eqx.field(static=True)

    def __getattr__(self, name: str) -> Any:
        # `with_` and continuation find arrays of a user's game by name; other numbers of a game that a
        # factory made may follow from them, so its parameters are changed before the transform
        # by __dict__: while an object is copied or unpickled `self.game` would recurse
        game = self.__dict__.get("game")
        if not name.startswith("_") and recipe_of(game) is None:
            for leaf in jax.tree.leaves(game):
                if getattr(game, name, None) is leaf:
                    return leaf
        raise AttributeError(f"this {type(self).__name__} has no {name!r}")

    def _title_and_parameters(self) -> Description:
        names = "s" * (len(self.players) > 1) + " " + ", ".join(map(str, self.players))
        title, _, parameters = repr(self.game).partition(": ")
        return f"Game of player{names} in {title}", {"with": parameters} if parameters else {}

    @property
    def space(self) -> Space:
        space = self.game.space
        if isinstance(space, Box):
            return jax.tree.map(lambda edge: _rows(edge, self.players), space)
        if isinstance(space, Simplex):
            return Simplex(tuple(space.sizes[p] for p in self.players), space.min_share)
        if isinstance(space, Choices):
            return Choices(tuple(space.sizes[p] for p in self.players))
        return Subspace(space, self.base, self.players)

    def put(self, x: Profile) -> WholeProfile:
        """Return the profile of the whole game with these players at ``x``."""
        return self.base.at[jnp.asarray(self.players), : x.shape[1]].set(x)

    def whole(self, x: Profile) -> WholeProfile:
        """Return the strategies of all players when these players choose ``x``."""
        raise NotImplementedError

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        all_payoffs: Array = self.game.payoffs(self.whole(x))
        return all_payoffs[jnp.asarray(self.players)]

    def measures(self, x: Profile) -> Record:
        """Return ``play``, ``play_payoff``, and the metrics of the whole game, its players along ``seat``."""
        profile = whole_profile(self, x)
        if isinstance(self.game, Restricted):  # its metrics are already those of all players
            return measures_of(self.game, profile)
        record: Record = {
            "play": (("seat", "axis"), np.asarray(profile)),
            "play_payoff": (("seat",), payoffs_of_profile(self.game, profile)),
        }
        for name, (dims, array) in measures_of(self.game, profile).items():
            record.setdefault(name, (rename_dim(dims, "player", "seat"), array))
        if profile.shape[1] == x.shape[1]:
            return record
        # all players together have more columns than these have axes
        return {name: (rename_dim(dims, "axis", "column"), array) for name, (dims, array) in record.items()}


# compiled, since the followers' search inside would run step by step; it runs once per result
@seldom
def whole_profile(game: Restricted, x: Profile) -> Array:
    """Return the profile of all players, ``[player axis]``, at the strategies of those that remain."""
    return game.whole(x)


class Frozen(Restricted):
    """A game in which some players' strategies are fixed; see `freeze`."""

    def whole(self, x: Profile) -> WholeProfile:
        return self.put(x)


@oracles.to_finite.register(Frozen, when=inner_knows(oracles.to_finite))
def _(game: Frozen) -> FiniteGame:
    """Return tables averaged over the fixed players' mixtures, if the whole game has one state."""
    tables = exact_tables(oracles.to_finite(game.game))
    # from the last: removing an axis renumbers those after it
    for seat in reversed(range(len(tables))):
        if seat not in game.players:
            mixture = np.asarray(game.base)[seat, : tables.shape[seat + 1]]
            if tables.dtype == object:  # probabilities are the doubles that they are
                mixture = np.array([Fraction(p) for p in mixture.tolist()], object)
            tables = np.tensordot(tables, mixture, axes=(seat + 1, 0))
    return one_state(tables[list(game.players)])


forward(Restricted, oracles.discontinuity)


@oracles.payoff_scale.register(Restricted, when=inner_knows(oracles.payoff_scale))
def _(game: Restricted) -> Array:
    return _rows(scales_of(game.game), game.players)


@oracles.shared_constraints.register(Frozen, when=inner_knows(oracles.shared_constraints))
def _(game: Frozen, x: Profile) -> Array:
    return oracles.shared_constraints(game.game, game.put(x))


@oracles.labels.register(Restricted)
def _(game: Restricted) -> oracles.Labels:
    """Return the names of these players in the whole game; numbers without names."""
    names = oracles.labels(game.game)
    players = tuple(names.players[p] if names.players else str(p) for p in game.players)
    actions = tuple(names.actions[p] for p in game.players) if names.actions else ()
    entries = tuple(names.entries[p] for p in game.players) if names.entries else ()
    return oracles.Labels(players, names.axes[: game.space.shape[1]], actions, entries)


@oracles.metrics.register(Restricted)
def _(game: Restricted, x: Profile) -> Record:
    return game.measures(x)


@oracles.named_start.register(Restricted, when=inner_knows(oracles.named_start))
def _(game: Restricted, name: str) -> Profile:
    rows = oracles.named_start(game.game, name)[jnp.asarray(game.players)]
    return rows[:, : game.space.shape[1]]


@oracles.exchangeable.register(Frozen, when=inner_knows(oracles.exchangeable))
def _(game: Frozen) -> ndarray:
    return oracles.exchangeable(game.game)[list(game.players)]


@oracles.best_response.register(Frozen, when=inner_knows(oracles.best_response))
def _(game: Frozen, x: Profile, player: int | Array) -> oracles.BestResponse:
    # a concrete index stays concrete, since not every answer can be traced
    seat = game.players[player] if isinstance(player, int) else jnp.asarray(game.players)[player]
    strategy, payoff, coverage = oracles.best_response(game.game, game.put(x), seat)
    return strategy[: x.shape[1]], payoff, coverage


@oracles.proved_response.register(Frozen, when=inner_knows(oracles.proved_response))
def _(game: Frozen, x: Profile, player: int) -> oracles.Response:
    response = oracles.proved_response(game.game, game.put(x), game.players[player])
    return response._replace(strategy=response.strategy[: x.shape[1]])


@oracles.mixed_best_response.register(Frozen, when=inner_knows(oracles.mixed_best_response))
def _(game: Frozen, support: ndarray, weights: ndarray, player: int) -> oracles.BestResponse:
    """Best response in the whole game; fixed players play a mixture of one strategy."""
    rows, (_, actions, axes) = list(game.players), np.shape(support)
    base = np.asarray(game.base)
    strategies, mixture = (
        np.repeat(base[:, None], actions, axis=1),
        np.eye(1, actions).repeat(len(base), axis=0),
    )
    strategies[rows, :, :axes], mixture[rows] = support, weights
    strategy, payoff, coverage = oracles.mixed_best_response(game.game, strategies, mixture, rows[player])
    return strategy[:axes], payoff, coverage


@oracles.search_points.register(Frozen, when=inner_knows(oracles.search_points))
def _(game: Frozen, player: int) -> Array:
    points = oracles.search_points(game.game, game.players[player])
    return points[:, : game.space.shape[1]]


@oracles.payoff_bound.register(Frozen, when=inner_knows(oracles.payoff_bound))
def _(game: Frozen, x: Profile, player: int | Array, low: Array, high: Array) -> Array:
    return oracles.payoff_bound(game.game, game.put(x), jnp.asarray(game.players)[player], low, high)


@oracles.gradients.register(Frozen, when=inner_knows(oracles.gradients))
def _(game: Frozen, x: Profile) -> Profile:
    return oracles.gradients(game.game, game.put(x))[jnp.asarray(game.players), : x.shape[1]]


class Subspace(eqx.Module):
    """The strategies of some players of a custom space."""

    whole: Any
    base: Float[Array, "seat axis"]
    players: Players = eqx.field(static=True)

    @property
    def shape(self) -> tuple[int, int]:
        return (len(self.players), self.base.shape[1])

    @property
    def mask(self) -> Bool[Array, "player axis"]:
        mask: Array = self.whole.mask
        return mask[jnp.asarray(self.players)]

    def project(self, x: Profile) -> Profile:
        rows = jnp.asarray(self.players)
        # a custom space projects whole profiles only
        near: Array = self.whole.project(self.base.at[rows].set(x, unique_indices=True))
        return near[rows]

    def sample(self, key: PRNGKeyArray) -> Profile:
        rows: Array = self.whole.sample(key)
        return rows[jnp.asarray(self.players)]

    def grid(self, player: int, points: int) -> Float[Array, "point axis"]:
        return self.whole.grid(self.players[player], points)

    def check(self, x: object, name: str = "start") -> Profile:
        profile = np.array(self.base)
        profile[list(self.players)] = as_profile(x, self.shape, name)
        checked: Array = self.whole.check(profile, name)
        return checked[jnp.asarray(self.players)]


def _rows(array: Array, players: Players) -> Array:
    """Return the rows of some players, without a program of JAX where the array is concrete."""
    xp = concrete_module(array)
    return put_concrete(xp.asarray(array)[xp.asarray(players)])


def interior_profile(space: Space) -> Profile:
    """Return a profile of the space: the middle of a box in its coordinates, else the projection of zero."""
    if isinstance(space, Box):
        low, high = (space.unconstrain(edge) for edge in (space.low, space.high))
        xp = concrete_module(low, high)
        return space.constrain(put_concrete((xp.asarray(low) + xp.asarray(high)) / 2))
    return space.project(jnp.zeros(space.shape))


def player_indices(numbers: Iterable[int], count: int, name: str) -> Players:
    """Return player indices in order. Raises `ValueError` for invalid ones."""
    indices = list(numbers)
    if not indices:
        raise ValueError(f"{name}: names no player; must name at least one of 0..{count - 1}")
    players = sorted(number_of(f"{name}[{k}]", player, count) for k, player in enumerate(indices))
    if len(set(players)) != len(players):
        raise ValueError(f"{name}: {indices} names a player twice")
    return tuple(players)


def _pad_row(strategy: object, axes: int, name: str) -> ndarray:
    row = np.atleast_1d(as_numbers(strategy, name, f"{axes} numbers"))
    if row.ndim != 1 or len(row) > axes:
        raise ValueError(f"{name}: shape {row.shape} must be ({axes},)")
    return np.pad(row, (0, axes - len(row)))  # players with fewer entries may leave out the padding

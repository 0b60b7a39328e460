"""Payoffs of concrete profiles: compiled by JAX, or in NumPy for finite games."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.batched_games import Together, per_game
from rivalry.core.dispatch import Oracle, forward, oracle, unknown
from rivalry.core.game import Game, own_payoff, profile_of
from rivalry.core.naming import has_names, named_profile
from rivalry.core.oracles import payoff_scale
from rivalry.core.plain import attributes, register_plain
from rivalry.core.reparametrisation import Unconstrained
from rivalry.core.space import Box, Mixtures, Simplex, Space
from rivalry.core.tolerances import OUTSIDE, ROUNDING, SHARES_SUM
from rivalry.core.tree import Tree
from rivalry.runtime.jax import compiled, floats, is_jax_array, jax, put, seldom

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.space import Profile

BATCH = 256  # profiles per call of a compiled program
TRACED = "must be written with jax.numpy: jnp.exp, not np.exp or math.exp; jnp.where, not if on choices"
_CHECKED: WeakKeyDictionary[object, set[tuple[int, ...]]] = WeakKeyDictionary()
"""Shapes of profiles that were checked, by class and by function that a game holds."""


@oracle()
def numpy_payoffs(game: object, x: ndarray) -> ndarray:
    """Return the payoffs ``[player]`` of a finite game at a concrete profile, computed without JAX.

    A class that registers this oracle also registers `proved_response`, which then takes NumPy arrays, and
    either `many_payoffs` or `pure_payoffs`; with the latter, best responses report the payoffs of all actions
    as ``tried``. The generic answer raises `Unsupported`.
    """
    raise unknown(game, "payoffs in NumPy")


@oracle()
def many_payoffs(game: object, profiles: ndarray, player: int) -> ndarray:
    """Return a player's payoffs ``[profile]`` at many profiles ``[profile player axis]``, without JAX.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "payoffs of many profiles in NumPy")


@oracle()
def pure_payoffs(game: object, actions: ndarray) -> ndarray:
    """Return the payoffs ``[profile player]`` of pure actions ``[profile player]`` of a finite game.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "payoffs of pure actions")


@oracle()
def without_constants(game: object) -> Any:
    """Return the game with a constant subtracted from each player's payoffs: large constants cost digits.

    For games whose gradients contain the constant, as those of tables do. Generic: the game itself.
    """
    return game


class WithScales(Tree):
    """A game with the scale of every player's payoffs, ``[player]``, for a game that does not state it."""

    game: Any
    scales: Any

    @property
    def space(self) -> Any:
        return self.game.space

    def payoffs(self, x: Profile) -> Array:
        return self.game.payoffs(x)


forward(
    WithScales,
    *(
        oracle
        for oracle in vars(oracles).values()
        if isinstance(oracle, Oracle) and oracle is not payoff_scale
    ),
)
payoff_scale.register(WithScales)(lambda game: game.scales)


def as_stated(game: Any) -> Any:
    """Return a game without measured scales: certificates and units of gains are of the game itself."""
    if isinstance(game, Unconstrained) and isinstance(game.game, WithScales):
        return Unconstrained(game.game.game)
    return game.game if isinstance(game, WithScales) else game


def payoffs(game: Game, x: Profile | ndarray) -> ndarray:
    """Return the payoffs ``[player]`` at a concrete profile, by `numpy_payoffs` or else compiled by JAX."""
    if isinstance(game, WithScales):
        return payoffs(game.game, x)
    if isinstance(game, Unconstrained):  # so that one program serves both coordinates
        return payoffs(game.game, game.constrain(x))
    if numpy_payoffs.knows(game):
        return np.asarray(numpy_payoffs(game, np.asarray(x)))
    return np.asarray(_payoffs_by_program(game, x))


def payoffs_of_profiles(game: Game, profiles: ndarray) -> ndarray:
    """Return the payoffs ``[profile player]`` at several concrete profiles ``[profile player axis]``."""
    if numpy_payoffs.knows(game) or isinstance(game, WithScales | Unconstrained):
        return np.array([payoffs(game, x) for x in profiles])
    return np.asarray(_payoffs_of_profiles_by_program(game, profiles))


def payoffs_at(games: Together, x: ndarray) -> ndarray:
    """Return the payoffs ``[game player]`` of several games at concrete profiles ``[game player axis]``."""
    kind = games.games[0]
    if len(games) == 1 or isinstance(kind, Unconstrained) or numpy_payoffs.knows(kind):
        return np.stack([payoffs(game, profile) for game, profile in zip(games.games, x, strict=True)])
    return _payoffs_together(games, x)


def payoffs_of(games: Together, profiles: ndarray, player: int) -> ndarray:
    """Return a player's payoffs ``[game profile]`` at many profiles ``[game profile player axis]``."""
    if many_payoffs.knows(games.games[0]):
        return np.stack(
            [many_payoffs(game, rows, player) for game, rows in zip(games.games, profiles, strict=True)]
        )
    count = profiles.shape[1]
    # one shape, one program; the last profile is repeated
    rows = np.minimum(np.arange(-(-count // BATCH) * BATCH), count - 1).reshape(-1, BATCH)
    index = np.asarray(player)
    batches = [_payoffs_of_player_by_program(games, profiles[:, part], index) for part in rows]
    return np.concatenate(batches, axis=1)[:, :count]


def checked_parts(game: Any) -> list[oracles.Summand]:
    """Return `oracles.separate_parts` if payoffs are the sums that it declares, and else nothing.

    Two random profiles are compared: the change of every payoff must be the weighted sum of its changes in
    the parts. A payoff beside the parts, which does not depend on play, cancels.
    """
    parts = oracles.separate_parts(game)
    if not parts:
        return []
    profiles = [np.asarray(game.space.sample(key)) for key in jax.random.split(jax.random.key(0))]
    totals = np.stack([payoffs(game, x) for x in profiles])
    sums, sizes = np.zeros(totals.shape), np.abs(totals).max(axis=0)
    for number, part in enumerate(parts):
        for row, x in zip(sums, profiles, strict=True):
            paid = payoffs(part.game, np.split(x, len(parts), axis=1)[number])
            row += part.weight * paid
            sizes = sizes + abs(part.weight) * np.abs(paid)
    error = np.abs((totals[1] - totals[0]) - (sums[1] - sums[0]))
    return parts if np.all(error <= ROUNDING * sizes) else []


def check_payoffs(game: object) -> None:
    """Raise `ValueError`, in one line, for custom payoffs that are not an array of one number per player.

    Nothing is computed: JAX only traces the payoffs, once per class, functions that the game holds and shape
    of profiles.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> check_payoffs(SimpleNamespace(space=Box.interval(0.0, 1.0, players=2), payoffs=lambda x: x.sum()))
    Traceback (most recent call last):
    ...
    ValueError: payoffs: shape () must be (2,), one number per player
    """
    # payoffs of the package are tested, and those of finite games are computed without loading JAX
    if type(game).__module__.startswith("rivalry.") or not isinstance(game, Game):
        return
    shape = tuple(game.space.shape)
    checked = _checked(type(game), *filter(callable, attributes(game).values()))
    if checked and all(shape in shapes for shapes in checked):
        return
    try:
        # not the bound method: JAX would compare games, array by array, each by a compiled program
        result = jax.eval_shape(lambda x: game.payoffs(x), jax.ShapeDtypeStruct(shape, float))
    except jax.errors.JAXTypeError as error:
        raise ValueError(f"payoffs: {TRACED}") from error
    except Exception as error:  # custom code may raise anything
        message = (str(error).strip() or "no message").splitlines()[0]
        raise ValueError(f"payoffs: {type(error).__name__}: {message}") from error
    if not isinstance(result, jax.ShapeDtypeStruct):
        kind = type(result).__name__
        raise ValueError(f"payoffs: a {kind} must be an array [player]; write jnp.array([..])")
    if result.shape != shape[:1]:
        rows = len(result.shape) > 1 and result.shape[0] == shape[0]
        row = "; x[i] is the row of player i, so its choice is x[i, 0]" if rows else ""
        raise ValueError(f"payoffs: shape {result.shape} must be {shape[:1]}, one number per player{row}")
    middle: Any = np.full(shape, 0.5)
    try:  # JAX reads the last entry in place of one outside an array; NumPy refuses
        jax.eval_shape(lambda: game.payoffs(middle))
    except IndexError as error:
        raise ValueError(f"payoffs: {error}; a profile is [player axis], here {shape}") from error
    except Exception:  # what JAX's arrays can do and NumPy's cannot, such as x.at
        pass
    for shapes in checked:
        shapes.add(shape)


def _checked(*owners: object) -> list[set[tuple[int, ...]]]:
    """Result of checks of a class and functions; nothing where one of them cannot be remembered."""
    try:
        return [_CHECKED.setdefault(owner, set()) for owner in owners]
    except TypeError:  # has no hash or no weak reference
        return []


def concrete_profile(game: Game, x: object) -> Any:
    """Return a concrete profile as the array type that `payoffs` and the oracles of a game take.

    The array is NumPy's for games with `numpy_payoffs`, otherwise JAX's. Arrays may be outside the space by
    rounding, and contain NaN, of which nothing is claimed.

    Raises
    ------
    ValueError
        For a value that is not a profile of the game.
    """
    return concrete_array(game, checked_profile(game, x))


def concrete_array(game: Game, x: Any) -> Any:
    """Return a profile of a game as the array type of `concrete_profile`."""
    if numpy_payoffs.knows(game):
        return floats(x)
    return x if is_jax_array(x) and x.dtype == float else put(floats(x))


def checked_profile(game: Game, x: object) -> Any:
    """Return a profile as `concrete_profile`, as an array of NumPy or JAX, whichever it was."""
    check_payoffs(register_plain(game))
    if has_names(x):
        x = named_profile(game, x)
    # arrays of other classes, such as masked ones, are read by the space
    if not (is_jax_array(x) or type(x) is ndarray) or x.shape != game.space.shape:
        x = profile_of(game, x, "profile")
    elif _is_outside(game.space, floats(x)):
        game.space.check(x, "profile")
    return x


def _is_outside(space: Space, x: ndarray) -> bool:
    """True if numbers are outside a space by more than rounding."""
    if not np.isfinite(x).all():
        return False
    slack = OUTSIDE * np.maximum(1.0, np.abs(x))
    if isinstance(space, Simplex):
        low, high = (np.where(space.entries, end, 0.0) for end in (space.min_share, 1.0))
        return bool(
            np.any((x < low - slack) | (x > high + slack)) or np.any(np.abs(x.sum(axis=1) - 1) > SHARES_SUM)
        )
    if isinstance(space, Box):
        return bool(np.any((x < np.asarray(space.low) - slack) | (x > np.asarray(space.high) + slack)))
    if isinstance(space, Mixtures):
        high = np.where(space.entries, 1.0, 0.0)
        is_outside = np.any((x < -slack) | (x > high + slack)) or np.any(
            np.abs(space.sums(x) - 1) > SHARES_SUM
        )
        return bool(is_outside)
    return bool(np.any(np.abs(np.asarray(_projected(space, x)) - x) > slack))


@seldom
def _projected(space: Space, x: Any) -> Array:
    return space.project(x)


@partial(compiled, effort=1)
def _payoffs_by_program(game: Game, x: Any) -> Array:
    return game.payoffs(x)


@partial(compiled, effort=1)
def _payoffs_of_profiles_by_program(game: Game, profiles: Any) -> Array:
    return jax.vmap(game.payoffs)(profiles)


_payoffs_together = per_game(lambda game, x: game.payoffs(x), effort=1)


@partial(per_game, shared=1, effort=1)
def _payoffs_of_player_by_program(game: Game, profiles: Any, player: Any) -> Array:
    return jax.vmap(lambda x: own_payoff(game, x, player, x[player]))(profiles)

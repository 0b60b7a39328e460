"""Payoffs of concrete profiles: compiled by JAX, or in NumPy for finite games."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.core.dispatch import oracle, unknown
from rivalry.core.game import Game, own_payoff
from rivalry.core.jax import compiled, is_jax_array, jax, put
from rivalry.core.plain import register_plain
from rivalry.core.reparametrisation import Unconstrained
from rivalry.core.space import Box, Simplex, Space
from rivalry.core.tolerances import OUTSIDE, SHARES_SUM

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.space import Profile

BATCH = 256  # profiles per call of a compiled program


@oracle()
def numpy_payoffs(game: object, x: np.ndarray) -> np.ndarray:
    """Return the payoffs ``[player]`` of a finite game at a concrete profile, computed without JAX.

    A class that registers this oracle also registers `pure_payoffs`, and `proved_response`, which then takes
    NumPy arrays and reports the payoffs of all actions as ``tried``. The generic answer raises `Unsupported`.
    """
    raise unknown(game, "payoffs in NumPy")


@oracle()
def pure_payoffs(game: object, actions: np.ndarray) -> np.ndarray:
    """Return the payoffs ``[profile player]`` of pure actions ``[profile player]`` of a finite game.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "payoffs of pure actions")


def payoffs(game: Game, x: Profile | np.ndarray) -> Array | np.ndarray:
    """Return the payoffs ``[player]`` at a concrete profile, by `numpy_payoffs` or else compiled by JAX."""
    if isinstance(game, Unconstrained):  # so that one program serves both coordinates
        return payoffs(game.game, game.constrain(x))
    return numpy_payoffs(game, np.asarray(x)) if numpy_payoffs.knows(game) else _payoffs(game, x)


def payoffs_of(game: Game, profiles: np.ndarray, player: int) -> np.ndarray:
    """Return a player's payoffs ``[profile]`` at many concrete profiles ``[profile player axis]``."""
    found = []
    for first in range(0, len(profiles), BATCH):
        some = profiles[first : first + BATCH]
        pad = np.pad(some, ((0, BATCH - len(some)), (0, 0), (0, 0)), mode="edge")  # one shape, one program
        found.append(np.asarray(_payoffs_of(game, pad, put(player)))[: len(some)])
    return np.concatenate(found)


def concrete_profile(game: Game, x: object) -> Any:
    """Return a concrete profile as the array type that `payoffs` and the oracles of a game take.

    The array is NumPy's for games with `numpy_payoffs`, otherwise JAX's. Arrays may be outside the space by
    rounding, and contain NaN, of which nothing is claimed.

    Raises
    ------
    ValueError
        For a value that is not a profile of the game.
    """
    register_plain(game)
    if not (is_jax_array(x) or isinstance(x, np.ndarray)) or x.shape != game.space.shape:
        x = game.space.check(x, "profile")
    elif _is_outside(game.space, np.asarray(x, dtype=float)):
        game.space.check(x, "profile")
    if numpy_payoffs.knows(game):
        return np.asarray(x, dtype=float)
    return x if is_jax_array(x) and x.dtype == float else put(np.asarray(x, dtype=float))


def _is_outside(space: Space, x: np.ndarray) -> bool:
    """Return whether numbers are outside a space by more than rounding."""
    if not np.all(np.isfinite(x)):
        return False
    slack = OUTSIDE * np.maximum(1.0, np.abs(x))
    if isinstance(space, Simplex):
        low, high = (np.where(space.entries, end, 0.0) for end in (space.min_share, 1.0))
        return bool(
            np.any((x < low - slack) | (x > high + slack)) or np.any(np.abs(x.sum(axis=1) - 1) > SHARES_SUM)
        )
    if isinstance(space, Box):
        return bool(np.any((x < np.asarray(space.low) - slack) | (x > np.asarray(space.high) + slack)))
    return bool(np.any(np.abs(np.asarray(space.project(put(x))) - x) > slack))


@partial(compiled, effort=1)
def _payoffs(game: Game, x: Any) -> Array:
    return game.payoffs(x)


@partial(compiled, effort=1)
def _payoffs_of(game: Game, profiles: Any, player: Any) -> Array:
    return jax.vmap(lambda x: own_payoff(game, x, player, x[player]))(profiles)

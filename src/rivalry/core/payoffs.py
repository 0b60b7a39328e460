"""Payoffs of concrete profiles: compiled by JAX, or in NumPy for finite games."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.core.dispatch import oracle, unknown
from rivalry.core.game import Game, own_payoff
from rivalry.core.jax import compiled, jax, put
from rivalry.core.reparametrisation import Unconstrained

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.space import Profile

BATCH = 256  # profiles per call of a compiled program


@oracle()
def numpy_payoffs(game: Any, x: np.ndarray) -> np.ndarray:
    """Return the payoffs ``[player]`` of a finite game at a concrete profile, computed without JAX.

    A class that registers this oracle also registers `pure_payoffs`, and `proved_response`, which then takes
    NumPy arrays and reports the payoffs of all actions as ``tried``. The generic answer raises `Unsupported`.
    """
    raise unknown(game, "payoffs in NumPy")


@oracle()
def pure_payoffs(game: Any, actions: np.ndarray) -> np.ndarray:
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


@partial(compiled, effort=1)
def _payoffs(game: Game, x: Any) -> Array:
    return game.payoffs(x)


@partial(compiled, effort=1)
def _payoffs_of(game: Game, profiles: Any, player: Any) -> Array:
    return jax.vmap(lambda x: own_payoff(game, x, player, x[player]))(profiles)

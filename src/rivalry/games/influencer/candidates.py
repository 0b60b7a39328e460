"""Positions that may be good responses whatever the others do: where the resource is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Array, Float

from rivalry.core.certify import faces
from rivalry.core.jax import jax, jnp, put
from rivalry.core.space import Simplex
from rivalry.games.influencer.kernels import ChosenReach

if TYPE_CHECKING:
    from rivalry.games.influencer.game import Influencer

MOST = 1024  # resource points, heaviest first


def candidates(game: Influencer, player: int) -> Float[Array, "candidate axis"]:
    """The resource points, heaviest first; on a simplex also the mean resource and the faces next to it.

    A grid misses influence that is narrower than its steps, and divisions that give up some corners of many.
    Where players choose their reach, with the least, the largest and a middle one.
    """
    xp: Any = jnp if isinstance(game.weights, jax.core.Tracer) else np  # outside jit, nothing to compile
    points, weights = xp.asarray(game.points), xp.asarray(game.weights)
    rows = points[xp.argsort(-weights)[:MOST]]
    space = game.space
    if isinstance(space, Simplex):
        mean = weights @ points / weights.sum()
        rows = xp.concatenate([rows, mean[None], faces(mean, xp)])
        rows = space.least + space.spare[player] * rows
    else:
        low, high = xp.asarray(space.low)[player], xp.asarray(space.high)[player]
        if isinstance(game.kernel, ChosenReach):
            reaches = xp.stack([low[-1], (low[-1] * high[-1]) ** 0.5, high[-1]])
            own = xp.repeat(reaches, len(rows))[:, None]
            rows = xp.concatenate([xp.tile(rows, (len(reaches), 1)), own], axis=1)
        rows = xp.clip(rows, low, high)
    return rows if xp is jnp else put(rows)

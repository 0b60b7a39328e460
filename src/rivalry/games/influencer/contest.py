"""Influence of players who choose among finitely many places, as the arrays that tables are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.jax import jax, put
from rivalry.tables.kernels.shapes import Contest
from rivalry.tables.kernels.shapes import contest as made

if TYPE_CHECKING:
    from rivalry.games.influencer.model import InfluencerGame


def contest(game: InfluencerGame, places: np.ndarray) -> Contest:
    """Every player's influence at each of its places ``[player action axis]``, and that of the outside rows.

    Payoffs summed from it are those of ``game.payoffs`` with every player at one of its places.
    """
    rows = np.asarray(_rows(game, put(places)))
    points = np.asarray(game.points)
    away = None
    if game.abstention is not None:
        apart = points - places[:, :, None, : points.shape[1]]
        with np.errstate(divide="ignore"):
            away = np.log(np.sum(apart**2, axis=-1))
    cost = None if game.reach_cost is None else np.asarray(game.reach_cost)[:, None] * places[:, :, -1]
    return made(
        np.asarray(game.weights),
        rows[: len(places)],
        None if game.third_party is None else rows[len(places), 0],
        None if game.abstention is None else float(game.abstention),
        away,
        cost,
        game.zero_influence,
    )


@eqx.filter_jit
def _rows(
    game: InfluencerGame, places: Float[Array, "player action axis"]
) -> Float[Array, "row action point"]:
    """Log-influence with everybody at its place of the same number, for each number."""
    return jax.vmap(game.log_influence, in_axes=1, out_axes=1)(places)

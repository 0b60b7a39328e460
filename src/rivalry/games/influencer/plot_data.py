"""Named arrays of an influencer game at a profile: metrics stored with every result, and plot data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

import equinox as eqx
import numpy as np
from jaxtyping import Array

from rivalry.core.certify import best_reply
from rivalry.core.game import Record
from rivalry.core.jax import jax, jnp, put
from rivalry.core.oracles import deviation_payoff, payoff_scale
from rivalry.core.space import Profile
from rivalry.games.influencer.closed_forms import known_threshold
from rivalry.games.influencer.derivatives import own_gradients
from rivalry.games.influencer.model import InfluencerGame

LINE, SQUARE = 201, 41 * 41  # grid points of a landscape on an interval, and elsewhere
FIELD = 40  # grid points per axis of a vector field
PAIRED = 6  # players of whom every pair has a vector field


def metrics(game: InfluencerGame, x: Profile) -> Record:
    """Return the metrics that are stored with every result.

    These are ``gradient_norm``, the largest entry of the players' own gradients; ``resource_total``;
    ``outside_payoffs [outside]`` of the third party and abstention, if any; ``axis_name [axis]`` for chosen
    reaches; and, where a closed form is known, ``threshold``, ``symmetric_position [axis]`` and
    ``symmetric_stable`` (see `symmetric_equilibrium`).
    """
    payoffs, norm, shares = _measured(game, x)
    game.check_shares(shares)
    found: Record = {
        "gradient_norm": ((), np.asarray(norm)),
        "resource_total": ((), np.asarray(payoff_scale(game))),
    }
    if len(payoffs) > x.shape[0]:
        found["outside_payoffs"] = (("outside",), np.asarray(payoffs[x.shape[0] :]))
    if (axes := game.points.shape[1]) < x.shape[1]:  # the players choose their reach
        names = ["place"] if axes == 1 else [f"place {k}" for k in range(axes)]
        found["axis_name"] = (("axis",), np.asarray([*names, "reach"]))
    known = known_threshold(game)
    if known is not None:
        if known.position is not None:
            found["symmetric_position"] = (("axis",), known.position)
        found["symmetric_stable"] = ((), np.asarray(known.stable))
        if known.threshold is not None:
            found["threshold"] = ((), np.asarray(known.threshold))
    return found


@eqx.filter_jit
def _measured(game: InfluencerGame, x: Profile) -> tuple[Array, Array, Array]:
    shares = game.shares(x)
    return shares @ game.weights, jnp.max(jnp.abs(own_gradients(game, x))), shares


def row_labels(game: InfluencerGame) -> list[str]:
    """Return the names of the rows: players, then the third party, then abstention."""
    labels = [f"player {player}" for player in range(game.players)]
    labels += ["third party"] if game.third_party is not None else []
    return labels + (["abstention"] if game.abstention is not None else [])


def _resource(game: InfluencerGame, x: Profile) -> Record:
    return {
        "resource": (("point",), np.asarray(game.weights)),
        "resource_points": (("point", "coordinate"), np.asarray(game.points)),
        "row_label": (("row",), np.asarray(row_labels(game))),
    }


def _influence(game: InfluencerGame, x: Profile) -> Record:
    return {"influence": (("row", "point"), np.exp(np.asarray(game.log_influence(x)))), **_resource(game, x)}


def _shares(game: InfluencerGame, x: Profile) -> Record:
    return {"shares": (("row", "point"), np.asarray(game.shares(x))), **_resource(game, x)}


def _landscape(game: InfluencerGame, x: Profile) -> Record:
    axes = x.shape[1]
    places = game.space.grid(0, LINE if axes == 1 else SQUARE)
    responses = [best_reply(game, x, player) for player in range(game.players)]
    at = np.asarray(places)
    return {
        "landscape": (("player", "place"), np.asarray(_own_payoffs(game, x, places))),
        "landscape_at": (("place",), at[:, 0]) if axes == 1 else (("place", "coordinate"), at),
        "landscape_best": (("player", "axis"), np.stack([response.strategy for response in responses])),
        "landscape_best_payoff": (("player",), np.asarray([response.payoff for response in responses])),
    }


@eqx.filter_jit
def _own_payoffs(game: InfluencerGame, x: Profile, places: Array) -> Array:
    """Return every player's payoff at every grid point, the others at ``x``, ``[player place]``."""

    def row(player: Array) -> Array:
        return jnp.asarray(jax.lax.map(deviation_payoff(game, x, player), places, batch_size=256))

    return jnp.stack([row(jnp.asarray(player)) for player in range(x.shape[0])])


def _vector_field(game: InfluencerGame, x: Profile) -> Record:
    first, second = game.space.grid(0, FIELD)[:, 0], game.space.grid(1, FIELD)[:, 0]
    pairs = np.array(list(combinations(range(min(game.players, PAIRED)), 2)))
    fields = np.asarray(_fields(game, x, first, second, put(pairs)))
    found: Record = {
        "field": (("i_place", "j_place", "component"), fields[0]),  # of players 0 and 1
        "field_at_i": (("i_place",), np.asarray(first)),
        "field_at_j": (("j_place",), np.asarray(second)),
    }
    if len(pairs) > 1:
        found["field_of_pair"] = (("pair", "i_place", "j_place", "component"), fields)
        found["field_pair"] = (("pair", "component"), pairs)
    return found


@eqx.filter_jit
def _fields(game: InfluencerGame, x: Profile, first: Array, second: Array, pairs: Array) -> Array:
    """Return the gradients of two players at all pairs of positions, ``[pair i_place j_place component]``."""

    def at(pair: Array, y: Array, z: Array) -> Array:
        return own_gradients(game, x.at[pair[0], 0].set(y).at[pair[1], 0].set(z))[pair, 0]

    def of(pair: Array) -> Array:
        return jax.vmap(lambda y: jax.vmap(lambda z: at(pair, y, z))(second))(first)

    return jnp.asarray(jax.lax.map(of, pairs))


PLOT_DATA: Mapping[str, Callable[[InfluencerGame, Profile], Record]] = {
    "influence": _influence,
    "shares": _shares,
    "landscape": _landscape,
    "resource": _resource,
    "vector_field": _vector_field,
}

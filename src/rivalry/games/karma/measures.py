"""What is told of a population of a karma economy, beside payoffs and exploitability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry._jax import jnp
from rivalry.game import Record

if TYPE_CHECKING:
    from rivalry.games.karma.economy import Around, KarmaEconomy, Law, Policy


def population_measures(game: KarmaEconomy, around: Around, mu: Law, pi: Policy) -> Record:
    """What is told of a population; arrays ``player`` are of types, by heads of these.

    ``efficiency`` is the mean reward per agent and step, ``entropy`` that of the policy in nats, the mean
    over all states.
    """
    of_type = {name: np.asarray(array) for name, array in _by_type(game, around, mu, pi).items()}
    flows, share = game.flows(around, mu, pi), np.asarray(game.share)
    shape, levels = game.shape, game.most + 1
    bids = np.asarray(jnp.sum(pi * jnp.arange(levels), axis=1)).reshape(shape)
    entropy = -jnp.sum(jnp.where(pi > 0, pi * jnp.log(jnp.where(pi > 0, pi, 1.0)), 0.0), axis=1)
    return {
        "efficiency": ((), np.asarray(share @ of_type["type_efficiency"])),
        **{name: (("player",), array) for name, array in of_type.items()},
        "level": ((), np.asarray(around.level)),
        "paid_to_society": ((), np.asarray(flows.paid)),
        "overflow": ((), np.asarray(flows.overflow)),
        "share_at_kmax": ((), np.asarray(game._marginal(mu)[-1])),
        "karma_drift": ((), np.asarray(game.balance(around, mu, pi).level * game.kbar)),
        "entropy": ((), np.asarray(jnp.mean(entropy))),
        "mean_bid": (("player", "private", "karma"), bids),
        "karma_law": (("player", "private", "karma"), np.asarray(mu).reshape(shape)),
        "bid_law": (("bid",), np.asarray(mu @ pi)),
        "win_probability": (("rank", "bid"), np.asarray(game.odds(around).win)),
        "urgency": (("player", "private"), np.asarray(game.stakes)),
    }


@eqx.filter_jit
def _by_type(game: KarmaEconomy, around: Around, mu: Law, pi: Policy) -> dict[str, Float[Array, "type"]]:
    """Means over the agents of each type."""
    _, _, levels = game.shape
    won = jnp.repeat(game.odds(around).win[game._classes()][:, :, None, :], levels, axis=2)
    weights = (mu[:, None] * pi).reshape(*game.shape, levels)
    reward = (weights * game.reward(around).reshape(weights.shape)).sum(axis=(1, 2, 3))
    karma = (mu.reshape(game.shape) * jnp.arange(levels)).sum(axis=(1, 2))
    wins = (weights * won).sum(axis=(1, 2, 3))
    return {
        "type_efficiency": reward / game.share,
        "mean_karma": karma / game.share,
        "win_rate": wins / game.share,
    }

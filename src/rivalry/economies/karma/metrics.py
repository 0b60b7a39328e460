"""What is told of a population of a karma economy, beside payoffs and exploitability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.game import Record
from rivalry.core.jax import jnp
from rivalry.population.distances import entropies

if TYPE_CHECKING:
    from rivalry.economies.karma.economy import Around, Distribution, KarmaEconomy, Policy


def population_metrics(game: KarmaEconomy, around: Around, mu: Distribution, pi: Policy) -> Record:
    """What is told of a population; arrays ``player`` are of types, by heads of these.

    ``efficiency`` is the mean reward per agent and step, ``entropy`` that of the policy in nats, the mean
    over all states.
    """
    found = {name: np.asarray(array) for name, array in _measured(game, around, mu, pi).items()}
    dims: dict[str, tuple[str, ...]] = {
        **dict.fromkeys(("type_efficiency", "mean_karma", "win_rate"), ("player",)),
        **dict.fromkeys(("mean_bid", "karma_law"), ("player", "private", "karma")),
        "policy": ("player", "private", "karma", "bid"),
        "bid_law": ("bid",),
        "win_probability": ("rank", "bid"),
        "urgency": ("player", "private"),
    }
    return {name: (dims.get(name, ()), array) for name, array in found.items()}


@eqx.filter_jit
def _measured(game: KarmaEconomy, around: Around, mu: Distribution, pi: Policy) -> dict[str, Array]:
    """The same as arrays, in one program."""
    flows, karma, levels = game.flows(around, mu, pi), mu.reshape(game.shape), jnp.arange(game.most + 1)
    of_type = _by_type(game, around, mu, pi)
    return {
        "efficiency": game.share @ of_type["type_efficiency"],
        **of_type,
        "level": around.level,
        "paid_to_society": flows.paid,
        "overflow": flows.overflow,
        "share_at_max_karma": karma[..., -1].sum(),
        "karma_drift": karma.sum(axis=(0, 1)) @ levels - game.mean_karma,
        "entropy": jnp.mean(entropies(pi)),
        "policy": pi.reshape(*game.shape, -1),
        "mean_bid": (pi @ levels).reshape(game.shape),
        "karma_law": karma,
        "bid_law": mu @ pi,
        "win_probability": game.odds(around).win,
        "urgency": game.stakes,
    }


def _by_type(
    game: KarmaEconomy, around: Around, mu: Distribution, pi: Policy
) -> dict[str, Float[Array, "type"]]:
    """Means over the agents of each type."""
    _, _, levels = game.shape
    won = jnp.repeat(game.odds(around).win[game.tie_classes()][:, :, None, :], levels, axis=2)
    weights = (mu[:, None] * pi).reshape(*game.shape, levels)
    reward = (weights * game.reward(around).reshape(weights.shape)).sum(axis=(1, 2, 3))
    karma = (mu.reshape(game.shape) * jnp.arange(levels)).sum(axis=(1, 2))
    wins = (weights * won).sum(axis=(1, 2, 3))
    return {
        "type_efficiency": reward / game.share,
        "mean_karma": karma / game.share,
        "win_rate": wins / game.share,
    }

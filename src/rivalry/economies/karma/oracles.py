"""Oracles of the karma economy."""

from __future__ import annotations

import numpy as np
from jaxtyping import Array, Bool, Float, Int

from rivalry.core import oracles
from rivalry.core.oracles import Labels
from rivalry.core.results import Record
from rivalry.core.space import Scalar
from rivalry.core.welfare import welfare_record
from rivalry.economies.karma.agents import world
from rivalry.economies.karma.benchmarks import costs_without_karma
from rivalry.economies.karma.chains import stationary, stationary_distribution
from rivalry.economies.karma.checks import refusal
from rivalry.economies.karma.model import Around, Distribution, KarmaEconomy, Policy
from rivalry.economies.karma.transitions import expect_after, level_of, randomly_rounded
from rivalry.economies.kernels.shapes import BURN, PEER, ROOM, rewards_of
from rivalry.population import oracles as populations
from rivalry.population.distances import entropies
from rivalry.runtime.jax import concrete_module, jax, jnp, put, seldom

BESIDE = 0.1  # how far below 0 a level of 0 may be during the search
STARTS = ("uniform", "all_in", "zero")
NOT_STATIONARY = "overflow: 'burn' loses karma in every step, so that no population is stationary"
PEERS_SEEN = "signal: agents who see something of their peers have no mean field here"


@oracles.payoff_scale.register(KarmaEconomy)
def _(game: KarmaEconomy) -> Float[Array | np.ndarray, "type"]:
    """Return each type's cost of losing where it is highest, in every step."""
    rewards, gamma = rewards_of(game), game.gamma
    xp = concrete_module(rewards, gamma)
    lost, won = xp.asarray(rewards)
    return xp.max(won - lost, axis=1) / (1 - xp.asarray(gamma))


@oracles.named_start.register(KarmaEconomy)
def _(game: KarmaEconomy, name: str) -> Policy:
    """Return the policy ``uniform``, ``all_in`` or ``zero``. Raises `ValueError` for another name."""
    if name not in STARTS:
        raise ValueError(f"start: {name!r} must be a policy, or {', '.join(STARTS)}")
    mask = np.asarray(game.legal)
    if name == "uniform":
        return put(mask / mask.sum(axis=1, keepdims=True))
    bids = np.arange(mask.shape[1])
    largest = (mask * bids).max(axis=1, keepdims=True)
    return put((bids == (largest if name == "all_in" else 0)).astype(float) * np.ones(mask.shape))


oracles.labels.register(KarmaEconomy)(lambda game: Labels(players=game.type_names))
oracles.validate_parameter.register(KarmaEconomy)(lambda game, name, value: refusal(name, value, game.most))
oracles.to_agents.register(KarmaEconomy)(world)
populations.type_shares.register(KarmaEconomy)(lambda game: game.share)
populations.continuum_limit.register(KarmaEconomy)(KarmaEconomy.continuum)


@populations.state_types.register(KarmaEconomy)
def _(game: KarmaEconomy) -> Int[np.ndarray, "state"]:
    types, private, levels = game.shape
    return np.repeat(np.arange(types), private * levels)


@populations.mean_field_refusal.register(KarmaEconomy)
def _(game: KarmaEconomy) -> str:
    interval = f"redistribute_every: {game.every} makes populations that return only so many steps later"
    for is_outside, reason in (
        (game.overflow == BURN, f"{NOT_STATIONARY}; use 'surplus'"),
        (game.every > 1, f"{interval}; use 1"),
        (game.signal.size > 0, f"{PEERS_SEEN}; use 'none'"),
    ):
        if is_outside:
            return f"{reason}, or let agents play it"
    return ""


@populations.first_distribution.register(KarmaEconomy)
def _(game: KarmaEconomy) -> Distribution:
    """Return stationary private states with all karma at ``mean_karma``, or the two integers next to it."""
    karma = expect_after(jnp.eye(game.most + 1), randomly_rounded(game.mean_karma), 1)[:, 0]
    private = jax.vmap(stationary_distribution)(game.mean_chain)
    return (game.share[:, None, None] * private[:, :, None] * karma).ravel()


@populations.transition_matrix.register(KarmaEconomy)
def _(game: KarmaEconomy, env: Around, weights: Policy) -> Float[Array, "state state"]:
    """Return the transition matrix in two passes over pairs of karma levels instead of one pass per state."""
    types, private, levels = game.shape
    shared = game.after_redistribution(jnp.eye(levels), env.level)  # columns: next levels
    won, lost = game.outcomes(env).distribution(
        weights.reshape(-1, levels, levels), game.tie_classes().reshape(-1)
    )

    def move(karma: Array, chain: Array) -> Array:
        after = (karma @ shared.T).reshape(types, private, levels, levels)
        return jnp.einsum("tzkl,tzy,ts->tzksyl", after, chain, jnp.eye(types))

    if game.by_outcome:
        full = move(won, game.served_chain) + move(lost, game.chain)
    else:
        full = move(won + lost, game.chain)
    return full.reshape(types * private * levels, -1)


@populations.is_feasible.register(KarmaEconomy)
def _(game: KarmaEconomy, env: Around) -> Bool[Array, ""]:
    """True if the level is admissible; without redistribution it is 0, approached from both sides."""
    never = (game.overflow == ROOM) & (game.receiver == PEER) & jnp.all(game.tax == 0)
    return (env.level >= jnp.where(never, -BESIDE, 0.0)) & (env.level <= game.most)


@populations.conservation_error.register(KarmaEconomy)
def _(game: KarmaEconomy, mu: Distribution, pi: Policy) -> Scalar:
    """Return the karma per agent that a step creates.

    The level is that of the surplus, not the one that the mean karma of a stationary population needs.
    """
    after = mu @ populations.transition_matrix(game, game.environment(mu, pi), pi)
    change = game.karma_distribution(after) - game.karma_distribution(mu)
    return change @ jnp.arange(game.most + 1.0)


@populations.measured_environment.register(KarmaEconomy)
def _(
    game: KarmaEconomy,
    mu: Distribution,
    pi: Policy,
    after: Float[Array, "karma"],
    surplus: Scalar,
) -> Around:
    """Return the measured bids and the level of the measured surplus."""
    return Around(game.rivals(mu, pi), level_of(after, surplus))


@populations.population_metrics.register(KarmaEconomy)
def _(game: KarmaEconomy, env: Around, mu: Distribution, pi: Policy) -> Record:
    """Return the metrics of a population; arrays by ``player`` and ``class`` are per type.

    ``efficiency`` is the mean reward per agent and step. ``entropy`` is the entropy of the policy in nats,
    the mean over all states.
    """
    dims: dict[str, tuple[str, ...]] = {
        **dict.fromkeys(("type_efficiency", "mean_karma", "win_rate"), ("player",)),
        **dict.fromkeys(("mean_bid", "karma_distribution"), ("player", "private", "karma")),
        "state_mean_bid": ("player", "private"),
        "policy": ("player", "private", "karma", "bid"),
        "bid_distribution": ("bid",),
        "win_probability": ("rank", "bid"),
        "urgency": ("player", "private"),
    }
    metrics = _metrics(game, env, mu, pi)
    record = {name: (dims.get(name, ()), np.asarray(array)) for name, array in metrics.items()}
    share, cost = np.asarray(game.share), -record["type_efficiency"][1]
    rules = {}
    if game.in_pairs and not game.by_outcome:
        urgencies = np.stack([stationary(chain)[1] for chain in np.asarray(game.chain)])
        rules = costs_without_karma(np.asarray(rewards_of(game)), urgencies, share, idle=game.idle)
    return record | welfare_record(cost, share, np.arange(len(share)), game.type_names, rules)


@seldom
def _metrics(game: KarmaEconomy, environment: Around, mu: Distribution, pi: Policy) -> dict[str, Array]:
    """Return the metrics as arrays, in one compiled program."""
    flows = game.flows(environment, mu, pi)
    karma = mu.reshape(game.shape)
    levels = jnp.arange(game.most + 1)
    weights = (mu[:, None] * pi).reshape(*game.shape, -1)
    win = game.win_probabilities(environment).win
    bids = (pi @ levels).reshape(game.shape)
    won = jnp.repeat(win[game.tie_classes()][:, :, None, :], game.most + 1, axis=2)
    efficiency = (weights * game.reward(environment).reshape(weights.shape)).sum(axis=(1, 2, 3)) / game.share
    return {
        "efficiency": game.share @ efficiency,
        "type_efficiency": efficiency,
        "mean_karma": (karma * levels).sum(axis=(1, 2)) / game.share,
        "win_rate": (1 - game.idle) * (weights * won).sum(axis=(1, 2, 3)) / game.share,
        "level": environment.level,
        "paid_to_society": flows.paid,
        "overflow": flows.overflow,
        "share_at_max_karma": karma[..., -1].sum(),
        "karma_drift": karma.sum(axis=(0, 1)) @ levels - game.mean_karma,
        "entropy": jnp.mean(entropies(pi)),
        "policy": pi.reshape(*game.shape, -1),
        "mean_bid": bids,
        "state_mean_bid": (karma * bids).sum(axis=2) / karma.sum(axis=2),
        "karma_distribution": karma,
        "bid_distribution": mu @ pi,
        "win_probability": win,
        "urgency": game.stakes,
    }

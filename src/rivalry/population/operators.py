"""Operators of a policy in a population: action values, population flow, stationary distribution.

Only `environment`, `reward` and `expect` of a game are needed; mass moves by the transpose of `expect`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Array, Float

from rivalry.core.game import PopulationGame
from rivalry.population import oracles
from rivalry.population.oracles import state_types, type_shares
from rivalry.runtime.jax import concrete_module, jax, jnp, put_concrete

SINGULAR = 1e-12  # smallest over largest pivot, at or below which the stationary distribution is not unique
REPLACED = 1e-5  # share of agents replaced per step

Distribution = Float[Array, "state"]
Values = Float[Array, "state"]
Policy = Float[Array, "state action"]


def by_type(game: object, of_state: Float[Array, "state"]) -> Float[Array, "type"]:
    """Return sums over the states of each type, ``[type]``."""
    types = state_types(game)
    return jax.ops.segment_sum(of_state, types, num_segments=int(types.max()) + 1)


def uniform(game: PopulationGame) -> Policy:
    """Return the policy that plays all legal actions of a state with equal probability."""
    xp = concrete_module(game.legal)
    legal = xp.asarray(game.legal, float)
    return put_concrete(legal / legal.sum(axis=1, keepdims=True))


def action_values(game: PopulationGame, env: object, values: Values) -> Policy:
    """Return ``Q(s, a) = r(s, a) + gamma E V(s')``, ``[state action]``; 0 where an action is illegal."""
    ahead = game.reward(env) + game.discount[:, None] * game.expect(env)(values)
    return jnp.where(game.legal, ahead, 0.0)


def softmax(game: PopulationGame, q: Policy, beta: Array, exploration: Array) -> Policy:
    """Return ``(1-ε) softmax(beta q) + ε uniform`` over the legal actions; exactly 0 elsewhere."""
    return (1 - exploration) * logit(game, q, beta) + exploration * uniform(game)


def logit(game: PopulationGame, q: Policy, beta: Array) -> Policy:
    """Return ``softmax(beta q)`` over the legal actions of every state."""
    maximum = jnp.max(jnp.where(game.legal, q, -jnp.inf), axis=1, keepdims=True)
    # the maximum is subtracted first: at high beta, products would lose the digits of small differences;
    # masked last: the derivative of beta times infinity is no number
    return jax.nn.softmax(jnp.where(game.legal, beta * (q - maximum), -jnp.inf), axis=1)


def flow(game: PopulationGame, mu: Distribution, pi: Policy) -> Distribution:
    """Return the distribution ``[state]`` one step later, the mass of each type equal to its share."""
    # the flow is quadratic in the mass: without rescaling, rounding errors would double in every step
    distribution = oracles.push(game, game.environment(mu, pi), mu[:, None] * pi)
    return distribution * (type_shares(game) / by_type(game, distribution))[state_types(game)]


def balance(game: object, matrix: Float[Array, "state state"]) -> Float[Array, "state state"]:
    """Return ``P^T - 1`` of a transition matrix, regularised by the mass of each type.

    The columns of a type no longer sum to 0, so the matrix is regular if the stationary distribution is
    unique.
    """
    types = state_types(game)
    together = (types[:, None] == types[None, :]) / np.bincount(types)[types][:, None]
    return matrix.T - jnp.eye(len(types)) - together


def stationary_distribution(game: PopulationGame, env: object, pi: Policy) -> Distribution:
    """Compute the stationary distribution of a policy in a fixed environment, by a linear solve.

    Where a type has several closed classes of states, for example if no agent bids and no karma moves, the
    stationary distribution is not unique. Then the long-run distribution from `first_distribution` is
    returned: the limit of chains in which agents are replaced by new ones, as the rate of replacement goes
    to 0.

    Parameters
    ----------
    game : PopulationGame
        The game.
    env : Any
        Environment that every agent faces.
    pi : Array
        Policy, ``[state action]``.

    Returns
    -------
    Array
        Distribution ``[state]``; the mass of each type is its share.
    """
    # one system: P^T mu - mu = 0, and the mass of each type equal to its share
    matrix = balance(game, oracles.transition_matrix(game, env, pi))
    mass = -oracles.spread_evenly(game, type_shares(game))
    factors = jax.scipy.linalg.lu_factor(matrix)
    return jax.lax.cond(
        _regular(factors[0]),
        lambda: jax.scipy.linalg.lu_solve(factors, mass),
        lambda: _long_run(game, matrix, mass),
    )


def has_unique_distribution(game: PopulationGame, env: object, pi: Policy) -> Array:
    """True if a policy has a unique stationary distribution in a fixed environment."""
    return _regular(jax.scipy.linalg.lu_factor(balance(game, oracles.transition_matrix(game, env, pi)))[0])


def _regular(factors: Float[Array, "state state"]) -> Array:
    pivots = jnp.abs(jnp.diagonal(factors))
    return jnp.min(pivots) > SINGULAR * jnp.max(pivots)


def _long_run(game: object, matrix: Float[Array, "state state"], mass: Distribution) -> Distribution:
    """Return the limit of stationary distributions with replacement of agents, as its rate goes to 0."""
    types = state_types(game)
    same_type = jnp.asarray(types[:, None] == types[None, :], float)
    begin = oracles.first_distribution(game)
    # column s: the initial distribution of the type of s
    new = same_type * (begin / type_shares(game)[types])[:, None]
    unreplaced = matrix + jnp.eye(len(types)) + same_type / np.bincount(types)[types][:, None]
    factors = jax.scipy.linalg.lu_factor(matrix + REPLACED * (new - unreplaced))

    def corrected(_: Array, distribution: Distribution) -> Distribution:
        return distribution + jax.scipy.linalg.lu_solve(factors, mass - matrix @ distribution)

    # from zero the first round solves with the positive rate `REPLACED`, the other four correct for it
    return jax.lax.fori_loop(0, 5, corrected, jnp.zeros_like(mass))

"""What a policy does in a population: values of actions, where mass goes, where it stays.

A game is asked for `environment`, `reward` and `expect` only; mass moves by the transpose of `expect`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Array, Float

from rivalry.core.game import PopulationGame
from rivalry.core.jax import jax, jnp
from rivalry.population.oracles import (
    first_distribution,
    push,
    spread_evenly,
    state_types,
    transition_matrix,
    type_shares,
)

SINGULAR = 1e-12  # pivots of a part this small: there are several stationary laws
REPLACED = 1e-5  # part of the agents per step

Law = Float[Array, "state"]
Values = Float[Array, "state"]
Policy = Float[Array, "state action"]


def by_type(game: Any, of_state: Float[Array, "state"]) -> Float[Array, "type"]:
    """Sums over the states of each type."""
    types = state_types(game)
    found: Array = jax.ops.segment_sum(of_state, types, num_segments=int(types.max()) + 1)
    return found


def uniform(game: PopulationGame) -> Policy:
    """In every state all legal actions alike."""
    legal = game.legal.astype(float)
    return legal / legal.sum(axis=1, keepdims=True)


def action_values(game: PopulationGame, env: Any, values: Values) -> Policy:
    """What an action is worth if ``values`` are what comes after; 0 where it is not legal."""
    ahead = game.reward(env) + game.discount[:, None] * game.expect(env)(values)
    return jnp.where(game.legal, ahead, 0.0)


def softmax(game: PopulationGame, q: Policy, beta: Array, exploration: Array) -> Policy:
    """``(1-ε) softmax(beta q) + ε uniform`` over the legal actions; exactly 0 elsewhere."""
    return (1 - exploration) * logit(game, q, beta) + exploration * uniform(game)


def logit(game: PopulationGame, q: Policy, beta: Array) -> Policy:
    """``softmax(beta q)`` over the legal actions of every state."""
    masked = jnp.where(game.legal, q, -jnp.inf)
    return jax.nn.softmax(beta * (masked - jnp.max(masked, axis=1, keepdims=True)), axis=1)


def flow(game: PopulationGame, mu: Law, pi: Policy) -> Law:
    """The distribution a step later, its mass set to what it has to be.

    The flow is quadratic in the mass: unless it is set anew, rounding errors double at every step.
    """
    there = push(game, game.environment(mu, pi), mu[:, None] * pi)
    found: Law = there * (type_shares(game) / by_type(game, there))[state_types(game)]
    return found


def balanced(game: Any, matrix: Float[Array, "state state"]) -> Float[Array, "state state"]:
    """``matrix^T - 1``, its singular directions taken up by the mass of each type."""
    types = state_types(game)
    together = (types[:, None] == types[None, :]) / np.bincount(types)[types][:, None]
    found: Array = matrix.T - jnp.eye(len(types)) - together
    return found


def law(game: PopulationGame, env: Any, pi: Policy) -> Law:
    """The stationary law of a policy while the environment stays as it is, by a linear solve.

    Where a type has several closed classes of states, as where nobody bids and no karma moves, it is not
    unique. Then it is the long-run distribution from where the population begins: the limit of chains in
    which agents are replaced by new ones, as that becomes rare.
    """
    matrix, mass = balanced(game, transition_matrix(game, env, pi)), -spread_evenly(game, type_shares(game))
    factors = jax.scipy.linalg.lu_factor(matrix)
    found: Law = jax.lax.cond(
        _regular(factors[0]),
        lambda: jax.scipy.linalg.lu_solve(factors, mass),
        lambda: _long_run(game, matrix, mass),
    )
    return found


def has_unique_law(game: PopulationGame, env: Any, pi: Policy) -> Array:
    """Whether a policy has one stationary distribution only, while the environment stays as it is."""
    return _regular(jax.scipy.linalg.lu_factor(balanced(game, transition_matrix(game, env, pi)))[0])


def _regular(factors: Float[Array, "state state"]) -> Array:
    pivots = jnp.abs(jnp.diagonal(factors))
    return jnp.min(pivots) > SINGULAR * jnp.max(pivots)


def _long_run(game: Any, matrix: Float[Array, "state state"], mass: Law) -> Law:
    """The stationary law that replacing a part `REPLACED` of the agents selects, as that part goes to 0.

    The corrections are for the part not being 0; what is replaced has no share in them.
    """
    types = state_types(game)
    alike = jnp.asarray(types[:, None] == types[None, :], dtype=float)
    begin = first_distribution(game)
    new = alike * (begin / type_shares(game)[types])[:, None]
    moved = matrix + jnp.eye(len(types)) + alike / np.bincount(types)[types][:, None]
    factors = jax.scipy.linalg.lu_factor(matrix + REPLACED * (new - moved))
    found: Law = jax.scipy.linalg.lu_solve(factors, mass)
    for _ in range(4):
        found = found + jax.scipy.linalg.lu_solve(factors, mass - matrix @ found)
    return found

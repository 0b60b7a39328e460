"""What a policy does in a population: values of actions, where mass goes, where it stays.

All of it is asked of a game by `environment`, `reward` and `expect` alone; the population push is the
transpose of `expect`. A game that knows the matrix of a policy in fewer passes offers ``transitions``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Array, Float

from rivalry.core.game import PopulationGame
from rivalry.core.jax import jax, jnp
from rivalry.core.oracles import offered

SINGULAR = 1e-12  # pivots of a part this small: there are several stationary laws
REPLACED = 1e-5  # part of the agents per step

Law = Float[Array, "state"]
Values = Float[Array, "state"]
Policy = Float[Array, "state action"]


def types_of(game: Any) -> np.ndarray:
    """The type of every state, ``[state]``: one for all where the game does not tell."""
    known = offered(game, "types")
    return np.zeros(game.space.shape[0], dtype=int) if known is None else np.asarray(known)


def shares_of(game: Any) -> Float[Array, "type"]:
    """The types' shares of the population."""
    known = offered(game, "share")
    return jnp.ones(1) if known is None else jnp.asarray(known)


def by_type(game: Any, of_state: Float[Array, "state"]) -> Float[Array, "type"]:
    """Sums over the states of each type."""
    types = types_of(game)
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


def push(game: PopulationGame, env: Any, mass: Policy) -> Law:
    """Where mass ``[state action]`` is a step later."""
    _, back = jax.vjp(game.expect(env), jnp.zeros(mass.shape[0]))
    found: Law = back(mass)[0]
    return found


def transitions(game: PopulationGame, env: Any, weights: Policy) -> Float[Array, "state state"]:
    """The matrix whose row of a state is where it leads, its actions counted with ``weights``."""
    known = offered(game, "transitions")
    if known is not None:
        return known(env, weights)  # type: ignore[no-any-return]
    rows = jnp.eye(len(weights))
    return jax.vmap(lambda here: push(game, env, here[:, None] * weights))(rows)


def flow(game: PopulationGame, mu: Law, pi: Policy) -> Law:
    """The distribution a step later, its mass set to what it has to be.

    The flow is quadratic in the mass: unless it is set anew, rounding errors double at every step.
    """
    there = push(game, game.environment(mu, pi), mu[:, None] * pi)
    found: Law = there * (shares_of(game) / by_type(game, there))[types_of(game)]
    return found


def balanced(game: Any, matrix: Float[Array, "state state"]) -> Float[Array, "state state"]:
    """``matrix^T - 1``, its singular directions taken up by the mass of each type."""
    types = types_of(game)
    together = (types[:, None] == types[None, :]) / np.bincount(types)[types][:, None]
    found: Array = matrix.T - jnp.eye(len(types)) - together
    return found


def spread_out(game: Any, of_type: Float[Array, "type"]) -> Law:
    """A number of each type over its states, evenly: the right-hand side that goes with `balanced`."""
    types = types_of(game)
    found: Law = of_type[types] / np.bincount(types)[types]
    return found


def first_distribution(game: Any) -> Law:
    """Where the population begins: as the game says, else every type evenly over its states."""
    known = offered(game, "first_law")
    return spread_out(game, shares_of(game)) if known is None else known()


def law(game: PopulationGame, env: Any, pi: Policy) -> Law:
    """The stationary law of a policy while the environment stays as it is, by a linear solve.

    Where a type has several closed classes of states, as where nobody bids and no karma moves, it is not
    unique. Then it is the long-run distribution from where the population begins: the limit of chains in
    which agents are replaced by new ones, as that becomes rare.
    """
    matrix, mass = balanced(game, transitions(game, env, pi)), -spread_out(game, shares_of(game))
    factors = jax.scipy.linalg.lu_factor(matrix)
    found: Law = jax.lax.cond(
        _regular(factors[0]),
        lambda: jax.scipy.linalg.lu_solve(factors, mass),
        lambda: _long_run(game, matrix, mass),
    )
    return found


def has_unique_law(game: PopulationGame, env: Any, pi: Policy) -> Array:
    """Whether a policy has one stationary distribution only, while the environment stays as it is."""
    return _regular(jax.scipy.linalg.lu_factor(balanced(game, transitions(game, env, pi)))[0])


def _regular(factors: Float[Array, "state state"]) -> Array:
    pivots = jnp.abs(jnp.diagonal(factors))
    return jnp.min(pivots) > SINGULAR * jnp.max(pivots)


def _long_run(game: Any, matrix: Float[Array, "state state"], mass: Law) -> Law:
    """The stationary law that replacing a part `REPLACED` of the agents selects, as that part goes to 0.

    The corrections are for the part not being 0; what is replaced has no share in them.
    """
    types = types_of(game)
    alike = jnp.asarray(types[:, None] == types[None, :], dtype=float)
    begin = first_distribution(game)
    new = alike * (begin / shares_of(game)[types])[:, None]
    moved = matrix + jnp.eye(len(types)) + alike / np.bincount(types)[types][:, None]
    factors = jax.scipy.linalg.lu_factor(matrix + REPLACED * (new - moved))
    found: Law = jax.scipy.linalg.lu_solve(factors, mass)
    for _ in range(4):
        found = found + jax.scipy.linalg.lu_solve(factors, mass - matrix @ found)
    return found

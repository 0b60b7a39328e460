"""The stationary population of a policy that all agents follow: its distribution and its environment."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float

from rivalry.core.game import PopulationGame
from rivalry.population.operators import Distribution, Policy, flow, stationary_distribution
from rivalry.population.oracles import first_distribution, refuse_mean_field
from rivalry.runtime.jax import jax, jnp

FLOW, NEWTON, HALVINGS = 64, 40, 12
ENOUGH = 1e-13

Carry = tuple[Array, Array, Array, Array]


class StationaryPopulation(NamedTuple):
    """The stationary population of a policy: distribution, environment and residual of `balance`."""

    mu: Distribution
    env: Any
    residual: Float[Array, ""]


@eqx.filter_jit
def stationary_population(
    game: PopulationGame, pi: Policy, mu: Distribution | None = None
) -> StationaryPopulation:
    """Compute the stationary population of a policy that all agents follow.

    `FLOW` steps of the population flow from ``mu`` are followed by Newton's method on the environment. The
    distribution follows from the environment by a linear solve, and a step is halved until it lowers the
    residual.

    Parameters
    ----------
    game : PopulationGame
        The game.
    pi : Array
        Policy, ``[state action]``, rows summing to 1.
    mu : Array, optional
        Distribution ``[state]`` from which the flow begins. Default: `first_distribution`.

    Returns
    -------
    StationaryPopulation
        Distribution, environment and the residual of `PopulationGame.balance`.

    Raises
    ------
    ValueError
        If the game has no stationary population (`mean_field_refusal`).
    """
    refuse_mean_field(game)
    start = first_distribution(game) if mu is None else mu
    # the flow usually leads near a stationary population, where Newton's method begins
    mu = jax.lax.fori_loop(0, FLOW, lambda _, distribution: flow(game, distribution, pi), start)
    flat, unflat = ravel_pytree(game.environment(mu, pi))

    def outflow(env: Array) -> Array:
        environment = unflat(env)
        return ravel_pytree(game.balance(environment, stationary_distribution(game, environment, pi), pi))[0]

    def step(carry: Carry) -> Carry:
        count, env, size, _ = carry
        step = -jnp.linalg.solve(jax.jacfwd(outflow)(env), outflow(env))

        def shorter(trial: Carry) -> Carry:
            trials, length, _, _ = trial
            candidate = env + length * step
            # the length is that of the next trial
            return trials + 1, length / 2, candidate, jnp.max(jnp.abs(outflow(candidate)))

        def worse(trial: Carry) -> Bool[Array, ""]:
            # not `>=`: a residual of NaN counts as worse
            return ~(trial[3] < size) & (trial[0] < HALVINGS)

        start = shorter((jnp.asarray(0), jnp.asarray(1.0), env, size))
        _, _, candidate, new = jax.lax.while_loop(worse, shorter, start)
        better = new < size
        return count + 1, jnp.where(better, candidate, env), jnp.where(better, new, size), better

    def going(carry: Carry) -> Bool[Array, ""]:
        return (carry[2] > ENOUGH) & (carry[0] < NEWTON) & carry[3]

    begin = (jnp.asarray(0), flat, jnp.max(jnp.abs(outflow(flat))), jnp.asarray(True))
    _, env, size, _ = jax.lax.while_loop(going, step, begin)
    environment = unflat(env)
    return StationaryPopulation(stationary_distribution(game, environment, pi), environment, size)

"""The stationary population of a policy that all agents follow: its distribution and its environment."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool

from rivalry.core.game import PopulationGame
from rivalry.core.space import Scalar
from rivalry.population.operators import Distribution, Policy, flow, stationary_distribution
from rivalry.population.oracles import first_distribution, refuse_mean_field
from rivalry.runtime.jax import compiled, jax, jnp

FLOW, NEWTON, HALVINGS = 64, 40, 12
ENOUGH = 1e-13

Carry = tuple[Array, Array, Array, Array, Array, Distribution]


class StationaryPopulation(NamedTuple):
    """The stationary population of a policy: distribution, environment and residual of `balance`."""

    mu: Distribution
    env: Any
    residual: Scalar


@partial(compiled, effort=1)
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

    def outflow(env: Array) -> tuple[Array, Distribution]:
        environment = unflat(env)
        distribution = stationary_distribution(game, environment, pi)
        return ravel_pytree(game.balance(environment, distribution, pi))[0], distribution

    def newton_step(env: Array, flows: Array) -> Array:
        return -jnp.linalg.solve(jax.jacfwd(lambda env: outflow(env)[0])(env), flows)

    def try_step(carry: Carry) -> Carry:
        count, length, env, step, size, mu = carry
        candidate = env + length * step
        flows, new_mu = outflow(candidate)
        new = jnp.max(jnp.abs(flows))
        no_step = jnp.zeros_like(env)

        def accept() -> Carry:
            next_step = jax.lax.cond(new > ENOUGH, newton_step, lambda *_: no_step, candidate, flows)
            return count + 1, jnp.ones(()), candidate, next_step, new, new_mu

        # not `>=`: a residual of NaN counts as worse, but for the first one
        is_accepted = (new < size) | (count == 0)
        return jax.lax.cond(is_accepted, accept, lambda: (count, length / 2, env, step, size, mu))

    def going(carry: Carry) -> Bool[Array, ""]:
        count, length, _, _, size, _ = carry
        return (size > ENOUGH) & (count <= NEWTON) & (length > 0.5**HALVINGS)

    # of the types of later steps: a loop is traced a second time where its state changes type
    no_steps, far = jnp.zeros((), int), jnp.full((), jnp.inf)
    begin = (no_steps, jnp.ones(()), flat, jnp.zeros_like(flat), far, mu)
    _, _, env, _, size, mu = jax.lax.while_loop(going, try_step, begin)
    return StationaryPopulation(mu, unflat(env), size)

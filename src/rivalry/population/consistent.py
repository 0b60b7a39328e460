"""The population that a policy makes when everybody follows it: its stationary law and environment."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float

from rivalry.core.game import PopulationGame
from rivalry.core.jax import jax, jnp
from rivalry.population.operators import Law, Policy, flow, law
from rivalry.population.oracles import first_distribution, refuse_mean_field

FLOW, NEWTON, HALVINGS = 64, 40, 12
ENOUGH = 1e-13

Carry = tuple[Array, Array, Array, Array]


class Settled(NamedTuple):
    """A policy's own population: distribution, environment, and how far these are from agreeing."""

    mu: Law
    env: Any
    residual: Float[Array, ""]


@eqx.filter_jit
def settled(game: PopulationGame, pi: Policy, mu: Law | None = None) -> Settled:
    """The stationary population of a policy that all follow, near where the flow leads from ``mu``.

    `FLOW` steps of the population flow, then Newton on the environment, the law following it by a linear
    solve, steps being halved as long as that makes things worse. Raises `ValueError` for a game that has no
    stationary population.
    """
    refuse_mean_field(game)
    start = first_distribution(game) if mu is None else mu
    mu = jax.lax.fori_loop(0, FLOW, lambda _, here: flow(game, here, pi), start)
    flat, unflat = ravel_pytree(game.environment(mu, pi))

    def left(env: Array) -> Array:
        there = unflat(env)
        return ravel_pytree(game.balance(there, law(game, there, pi), pi))[0]

    def step(carry: Carry) -> Carry:
        done, env, size, _ = carry
        whole = -jnp.linalg.solve(jax.jacfwd(left)(env), left(env))

        def shorter(inner: Carry) -> Carry:
            tried, length, _, _ = inner
            there = env + length * whole
            return tried + 1, length / 2, there, jnp.max(jnp.abs(left(there)))

        def worse(inner: Carry) -> Bool[Array, ""]:
            return ~(inner[3] < size) & (inner[0] < HALVINGS)

        first = shorter((jnp.asarray(0), jnp.asarray(1.0), env, size))
        _, _, there, new = jax.lax.while_loop(worse, shorter, first)
        better = new < size
        return done + 1, jnp.where(better, there, env), jnp.where(better, new, size), better

    def going(carry: Carry) -> Bool[Array, ""]:
        return (carry[2] > ENOUGH) & (carry[0] < NEWTON) & carry[3]

    begin = (jnp.asarray(0), flat, jnp.max(jnp.abs(left(flat))), jnp.asarray(True))
    _, env, size, _ = jax.lax.while_loop(going, step, begin)
    found = unflat(env)
    return Settled(law(game, found, pi), found, size)

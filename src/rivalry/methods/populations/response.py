"""How a policy is answered in a population: its values there, and the policy that follows from them."""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxtyping import Array, Float

from rivalry.core.game import PopulationGame, scale_of
from rivalry.core.jax import jax, jnp
from rivalry.population import action_values, best_response, policy_values, settled, softmax, uniform
from rivalry.population.distances import entropies
from rivalry.population.operators import Law, Policy, Values


class LogitRule(NamedTuple):
    """How a policy follows from values: ``(1-ε) softmax(beta Q) + ε uniform``.

    ``entropy`` is 1 where a policy's entropy over beta is paid at every step beside the reward, else 0.
    """

    beta: Float[Array, ""]
    exploration: Float[Array, ""]
    entropy: Float[Array, ""]


class Answered(NamedTuple):
    """A policy in a population: what it is worth there, and what answers it."""

    mu: Law
    env: Any
    values: Values
    q: Policy  # the values of actions
    answer: Policy


def rule(beta: Any, exploration: Any = 0.0, regularised: Any = False) -> LogitRule:
    """The same numbers as arrays."""
    return LogitRule(*(jnp.asarray(part, dtype=float) for part in (beta, exploration, regularised)))


def bonus(pi: Policy, by: LogitRule) -> Values:
    """What is paid beside the reward in every state, ``[state]``."""
    return by.entropy * entropies(pi) / by.beta


def answered(game: PopulationGame, pi: Policy, mu: Law, env: Any, by: LogitRule) -> Answered:
    """What answers a policy while the population stays as it is."""
    values = policy_values(game, env, pi, bonus(pi, by))
    q = action_values(game, env, values)
    return Answered(mu, env, values, q, softmax(game, q, by.beta, by.exploration))


def mirrored(
    game: PopulationGame, pi: Policy, mu: Law | None, by: LogitRule
) -> tuple[Answered, Float[Array, ""]]:
    """What answers a policy in its own stationary population, sought from ``mu`` on; and how well that is.

    The map ``pi -> answer`` is policy mirror ascent (Vaishampayan, ETH Zurich 2024, chapter 5).
    """
    there = settled(game, pi, mu)
    return answered(game, pi, there.mu, there.env, by), there.residual


def best_answered(game: PopulationGame, pi: Policy, mu: Law, env: Any, by: LogitRule) -> Answered:
    """Answer by the best response, with uniform play mixed in; ties go to the likeliest action of ``pi``.

    ``values`` are still those of ``pi``; ``q`` is that of the best response.
    """
    best = best_response(game, env, pi)
    sure = jax.nn.one_hot(best.action, pi.shape[1])
    answer = (1 - by.exploration) * sure + by.exploration * uniform(game)
    return Answered(mu, env, policy_values(game, env, pi), action_values(game, env, best.values), answer)


def loss(game: PopulationGame, found: Answered) -> Float[Array, ""]:
    """What a policy loses against the best response, in the mean, in units of the payoff scale."""
    best = jnp.max(jnp.where(game.legal, found.q, -jnp.inf), axis=1)
    return jnp.maximum(found.mu @ (best - found.values), 0.0) / scale_of(game)

"""Soft and best responses to a policy in a population, and the record of their rule."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from jaxtyping import Array, Float

from rivalry import population
from rivalry.core.game import PopulationGame, scale_of
from rivalry.core.oracles import payoff_scale
from rivalry.core.results import Record, scalar
from rivalry.core.space import Scalar
from rivalry.population import action_values, best_response, policy_values, stationary_population
from rivalry.population.distances import entropies
from rivalry.population.operators import Distribution, Policy, Values, by_type
from rivalry.population.oracles import state_types, type_shares
from rivalry.runtime.jax import compiled, concrete_module, jax, jnp, put_concrete

SHARPNESS, FIRST_SHARPNESS = 5000.0, 25.0  # default inverse temperatures times the largest payoff per period

InverseTemperature = Annotated[
    float | None,
    Gt(0),
    Lt(np.inf),
    "inverse temperature of the softmax, per unit of payoff (default: 5000 over the payoff of a period)",
]
ExplorationShare = Annotated[float, Ge(0), Le(1), "share of uniformly random actions"]


class LogitRule(NamedTuple):
    """The parameters of the logit response ``(1-ε) softmax(beta Q) + ε uniform``.

    ``entropy`` is 1 if a policy's entropy over beta is added to the reward of every step, else 0.
    """

    beta: Scalar
    exploration: Scalar
    entropy: Scalar


class PolicyResponse(NamedTuple):
    """The values of a policy in a population, and the response to it."""

    mu: Distribution
    env: Any
    values: Values
    q: Policy  # action values
    answer: Policy


def inverse_temperature(game: PopulationGame, beta: object, sharpness: float) -> Any:
    """Inverse temperature ``beta``; where it is None, ``sharpness`` over the largest payoff per period."""
    if beta is not None:
        return beta
    types = state_types(game)
    scale, discount = payoff_scale(game), game.discount
    xp = concrete_module(scale, discount)
    scales = xp.broadcast_to(xp.asarray(scale, float), (int(types.max()) + 1,))
    # a type's scale is of discounted sums, which are 1 / (1 - discount) times those of a period
    return sharpness / xp.max(scales[types] * (1 - xp.asarray(discount)))


def rule(beta: object, exploration: object = 0.0, regularised: object = False) -> LogitRule:
    """Return a `LogitRule` of arrays."""
    parts = beta, exploration, regularised
    xp = concrete_module(*parts)
    return LogitRule(*(put_concrete(xp.asarray(part, float)) for part in parts))


def bonus(pi: Policy, by: LogitRule) -> Values:
    """Return the entropy term that is added to the reward, ``[state]``."""
    return by.entropy * entropies(pi) / by.beta


def mirror_response(
    game: PopulationGame, pi: Policy, mu: Distribution | None, by: LogitRule
) -> tuple[PolicyResponse, Scalar]:
    """Return the logit response in the policy's own stationary population, and the residual of the latter.

    Without entropy and exploration the map ``pi -> answer`` is policy mirror ascent (Vaishampayan, ETH Zurich
    2024, chapter 5).
    """
    stationary = stationary_population(game, pi, mu)
    values = policy_values(game, stationary.env, pi, bonus(pi, by))
    q = action_values(game, stationary.env, values)
    answer = population.softmax(game, q, by.beta, by.exploration)
    return PolicyResponse(stationary.mu, stationary.env, values, q, answer), stationary.residual


def greedy_response(
    game: PopulationGame, pi: Policy, mu: Distribution, env: object, by: LogitRule
) -> PolicyResponse:
    """Return the best response mixed with uniform play; ties are broken by the most likely action of ``pi``.

    ``values`` are those of ``pi``; ``q`` is that of the best response.
    """
    response = best_response(game, env, pi)
    sure = jax.nn.one_hot(response.action, pi.shape[1])
    answer = (1 - by.exploration) * sure + by.exploration * population.uniform(game)
    return PolicyResponse(
        mu, env, policy_values(game, env, pi), action_values(game, env, response.values), answer
    )


def loss(game: PopulationGame, response: PolicyResponse) -> Scalar:
    """Return the mean loss of a policy against the best response, in units of the payoff scale."""
    highest = jnp.max(jnp.where(game.legal, response.q, -jnp.inf), axis=1)
    # a negative loss is rounding
    return jnp.maximum(response.mu @ (highest - response.values), 0.0) / scale_of(game)


def rule_record(game: PopulationGame, pi: Policy, by: LogitRule, *, logit: bool) -> Record:
    """Return the rule of a policy, and the concept of a logit equilibrium.

    For regularised payoffs the record has the payoff per agent of each type, too.
    """
    record: Record = {"beta": scalar(by.beta), "exploration": scalar(by.exploration)}
    if logit:
        record["concept"] = scalar(f"logit at beta {float(by.beta):.6g}")
    if float(by.entropy):
        record["payoff_regularised"] = (("player",), np.asarray(_regularised_payoff(game, pi, by)))
    return record


@compiled
def _regularised_payoff(game: PopulationGame, pi: Policy, by: LogitRule) -> Float[Array, "type"]:
    """Return the regularised payoff J_h of a policy in its own population, ``[type]``."""
    stationary = stationary_population(game, pi)
    values = policy_values(game, stationary.env, pi, bonus(pi, by))
    return by_type(game, stationary.mu * values) / type_shares(game)

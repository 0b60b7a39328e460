"""Payoffs and gains of agents with individual policies in one environment.

In a large population a single agent does not change the environment, so all agents of a type face the same
Markov decision problem. Its best values are computed once, those of each agent's policy by a linear solve.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int
from numpy import ndarray

from rivalry.core.game import PopulationGame
from rivalry.core.space import Scalar
from rivalry.population.distances import entropies
from rivalry.population.operators import Distribution, Policy, Values, by_type, stationary_distribution
from rivalry.population.oracles import state_types, type_shares
from rivalry.population.values import best_response, policy_values
from rivalry.runtime.jax import compiled, jax, jnp, put

TOGETHER = 16  # policies evaluated as one array

Own = Float[Array, "agent own action"]


class Paid(NamedTuple):
    """An entropy bonus in addition to the reward: ``weight`` times the entropy of the policy.

    It is paid at every step, so that values are those of regularised payoffs, ``J_h``. If ``once`` is 1, it
    is paid only in the state where a value is read: ``V + h``.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), 4.1 to 4.4.
    """

    weight: float = 0.0
    once: float = 0.0  # a number, so that one compiled program serves both cases


NOTHING = Paid()


class AgentEvaluations(NamedTuple):
    """Payoffs and gains of agents; ``mu_i`` is the stationary distribution of agent i's own policy.

    With an entropy bonus ``V^i`` and ``V^j`` include it. ``V*`` is that of a deterministic policy, which has
    no entropy, so a gain may be below 0.
    """

    payoff: Float[Array, "agent"]  # mu_i V^i
    gain: Float[Array, "agent"]  # mu_i (V* - V^i): exploitability
    bound: Float[Array, "agent"]  # upper bound on any gain
    gaps: Float[Array, "agent target"]  # mu_i (V^i - V^j): above 0 if the own policy is better
    distribution: Float[Array, "agent own"]  # mu_i, over the states of its type
    best: Values  # V*


def evaluate_agents(
    game: PopulationGame,
    env: object,
    policies: Own,
    types: Int[ndarray, "agent"],
    targets: Float[Array, "target state action"] | None = None,
    paid: Paid = NOTHING,
) -> AgentEvaluations:
    """Compute payoffs and gains of agents in a fixed environment.

    Joint policies of one agent per type are evaluated, so the number of evaluations is the number of agents
    of the largest type.

    Parameters
    ----------
    game : PopulationGame
        The game.
    env : Any
        Environment that every agent faces.
    policies : Array
        ``[agent own action]``, over the states of the agent's type in their order in the game. Every policy
        must have a single closed class of states; this is not checked.
    types : array
        Type of each agent, ``[agent]``.
    targets : Array, optional
        Policies of all types that the agent's own one is compared with, ``[target state action]``.
    paid : Paid
        Entropy bonus in addition to rewards.

    Returns
    -------
    AgentEvaluations
        Arrays per agent.

    Examples
    --------
    >>> import rivalry as rv
    >>> from rivalry.population import stationary_population
    >>> game = rv.games.karma(max_karma=4, mean_karma=2.0)
    >>> pi = rv.oracles.named_start(game, "uniform")
    >>> env = stationary_population(game, pi).env
    >>> evaluation = evaluate_agents(game, env, pi[None], np.array([0]), pi[None])
    >>> bool(evaluation.gain[0] > 0), abs(float(evaluation.gaps[0, 0])) < 1e-9
    (True, True)
    """
    kinds = np.asarray(types)
    states, actions = game.space.shape
    aims = jnp.zeros((0, states, actions)) if targets is None else targets
    rounds, of_agent = _rounds(kinds, len(type_shares(game)))
    places = places_of(state_types(game))
    # arrays: as numbers, each weight would have a compiled program of its own
    weights = put(paid.weight), put(paid.once)
    return _evaluate(game, env, policies, aims, rounds, of_agent, kinds, places, *weights)


def places_of(types: ndarray) -> ndarray:
    """Return the index of every state among those of its type.

    >>> places_of(np.array([0, 0, 1, 0, 1])).tolist()
    [0, 1, 0, 2, 1]
    """
    places = np.zeros(len(types), int)
    for kind in np.unique(types):
        of_kind = types == kind
        places[of_kind] = np.arange(of_kind.sum())
    return places


def _rounds(types: ndarray, kinds: int) -> tuple[ndarray, ndarray]:
    """Return agents ``[batch round type]``, each in at least one round, and the round of each agent."""
    members = [np.flatnonzero(types == kind) for kind in range(kinds)]
    longest = max(len(group) for group in members)
    size = min(TOGETHER, longest)
    count = -(-longest // size) * size
    # smaller types repeat their agents to fill all rounds; only the first evaluation of each is read
    rounds = np.stack(
        [np.resize(group, count) if len(group) else np.zeros(count, int) for group in members], 1
    )
    return rounds.reshape(-1, size, kinds), places_of(types)


@compiled
def _evaluate(
    game: PopulationGame,
    env: object,
    policies: Own,
    targets: Array,
    rounds: Array,
    of_agent: Array,
    kinds: Array,
    places: Array,
    weight: Scalar,
    once: Scalar,
) -> AgentEvaluations:
    """Evaluate rounds of one agent per type, and return the results by agent."""
    types, share = state_types(game), type_shares(game)

    def joint(agents: Int[Array, "type"]) -> Policy:
        return policies[agents[types], places]

    def values_of(pi: Policy) -> Values:
        bonus = weight * entropies(pi)
        return policy_values(game, env, pi, (1 - once) * bonus) + once * bonus

    # once for all agents: best values do not depend on the policy where policy iteration starts
    response = best_response(game, env, joint(rounds[0, 0]))
    aims = jax.vmap(values_of)(targets)  # [target state]
    # policy iteration keeps an action at a tie: a negative gain is rounding
    floor = jnp.where(weight > 0, -jnp.inf, 0.0)

    def mean(mu: Distribution, of_state: Values) -> Float[Array, "type"]:
        return by_type(game, mu * of_state) / share

    def evaluate_round(agents: Int[Array, "type"]) -> tuple[Array, ...]:
        pi = joint(agents)
        values, mu = values_of(pi), stationary_distribution(game, env, pi)
        gain, bound = (jnp.maximum(mean(mu, v - values), floor) for v in (response.values, response.bound))
        gaps = jax.vmap(lambda aim: mean(mu, values - aim))(aims).T.reshape(len(share), len(targets))
        distribution = jnp.zeros((len(share), policies.shape[1])).at[types, places].set(mu / share[types])
        return mean(mu, values), gain, bound, gaps, distribution

    # lax.map, not vmap: under vmap both branches of the stationary distribution would be computed
    results = jax.lax.map(lambda batch: jax.lax.map(evaluate_round, batch), rounds)  # [batch round type ..]
    size = rounds.shape[1]
    payoff, gain, bound, gaps, distribution = (
        part[of_agent // size, of_agent % size, kinds] for part in results
    )
    return AgentEvaluations(payoff, gain, bound, gaps, distribution, response.values)

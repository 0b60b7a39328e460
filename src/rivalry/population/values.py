"""Values of a policy and of best responses in a fixed environment."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Array, Bool, Int

from rivalry.core.game import PopulationGame, scale_of
from rivalry.core.tolerances import TIE
from rivalry.population.operators import Policy, Values, action_values
from rivalry.population.oracles import transition_matrix
from rivalry.runtime.jax import jax, jnp

ROUNDS = 200  # most rounds of policy iteration

Carry = tuple[Array, Array, Array, Values, Values]


class BestPolicy(NamedTuple):
    """A best response: its values, its action in every state, and an upper bound on the values of any policy.

    ``bound`` is ``values`` plus the residual of Bellman's equation over one minus the largest discount
    factor.
    """

    values: Values
    action: Int[Array, "state"]
    bound: Values


def policy_values(game: PopulationGame, env: object, pi: Policy, bonus: Values | None = None) -> Values:
    """Compute the values ``V^pi [state]`` of a policy in a fixed environment, by a linear solve.

    Parameters
    ----------
    game : PopulationGame
        The game.
    env : Any
        Environment that every agent faces.
    pi : Array
        Policy, ``[state action]``.
    bonus : Array, optional
        Payment in addition to the reward of every step, ``[state]``. For regularised payoffs it is the
        entropy of the policy over beta (`entropies`).

    Returns
    -------
    Array
        Discounted sum of rewards from each state, ``[state]``.
    """
    matrix = jnp.eye(len(pi)) - game.discount[:, None] * transition_matrix(game, env, pi)
    paid = jnp.sum(jnp.where(game.legal, pi * game.reward(env), 0.0), axis=1)
    return jnp.linalg.solve(matrix, paid if bonus is None else paid + bonus)


def best_response(game: PopulationGame, env: object, pi: Policy) -> BestPolicy:
    """Compute the best response ``V*`` in a fixed environment, by policy iteration.

    Policy iteration starts from the most likely actions of ``pi``; at a tie the incumbent action stays.

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
    BestPolicy
        Values, actions and an upper bound, ``[state]`` each.
    """
    legal, tie = game.legal, TIE * scale_of(game)

    def improve(carry: Carry) -> Carry:
        count, _, action, _, _ = carry
        values = policy_values(game, env, jax.nn.one_hot(action, legal.shape[1]))
        q = jnp.where(legal, action_values(game, env, values), -jnp.inf)
        incumbent = jnp.take_along_axis(q, action[:, None], axis=1)[:, 0]
        top = jnp.max(q, axis=1)
        new = jnp.where(top > incumbent + tie, jnp.argmax(q, axis=1), action)
        return count + 1, action, new, values, top

    def going(carry: Carry) -> Bool[Array, ""]:
        count, action, new, _, _ = carry
        return jnp.any(new != action) & (count < ROUNDS)

    policy = jnp.argmax(jnp.where(legal, pi, -1.0), axis=1)
    no_values = jnp.zeros(len(pi))
    start = (jnp.zeros((), int), jnp.full_like(policy, -1), policy, no_values, no_values)
    _, action, _, values, top = jax.lax.while_loop(going, improve, start)
    # a contraction by the discount: values are at most residual / (1 - gamma) below the optimum
    gain = jnp.max(jnp.maximum(top - values, 0.0))
    return BestPolicy(values, action, values + gain / (1 - jnp.max(game.discount)))

"""Mean-field games over a finite horizon: flows, values and best responses of time-dependent policies.

A policy is ``[period state action]``; a flow of distributions, ``[period state]``, includes the end. Rewards
and transitions may also depend on what others do: then they take the joint distribution of states and
actions, ``[state action]``, as a third argument.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy import ndarray


@runtime_checkable
class HorizonGame(Protocol):
    """A continuum of agents, each in one of finitely many states, over finitely many periods.

    Attributes
    ----------
    horizon : int
        Number of periods with a decision.
    first : array
        Distribution of states in the first period, ``[state]``.
    actions : int
        Number of actions.
    """

    horizon: int
    first: ndarray
    actions: int

    def reward(self, t: int, mu: ndarray) -> ndarray:
        """Return the reward of a period in a distribution ``[state]``, ``[state action]``.

        Of a game in which the others' actions matter: ``reward(t, mu, joint)`` with ``joint`` ``[state
        action]``; likewise ``transition``.
        """

    def transition(self, t: int, mu: ndarray) -> ndarray:
        """Return the probabilities of the next state, ``[state action next_state]``."""

    def final_reward(self, mu: ndarray) -> ndarray:
        """Return the reward at the end, ``[state]``."""


class HorizonValues(NamedTuple):
    """Values by backward induction in a fixed flow."""

    states: ndarray  # [period state], the end included
    actions: ndarray  # [period state action]


def uniform_policy(game: HorizonGame) -> ndarray:
    """Return the policy that plays all actions with equal probability, ``[period state action]``."""
    return np.full((game.horizon, len(game.first), game.actions), 1 / game.actions)


OfPeriod = Callable[[int, ndarray, ndarray | None], ndarray]


def _in_period(function: Callable[..., ndarray]) -> OfPeriod:
    """Return rewards or transitions of a period where all are distributed as ``mu`` and follow ``pi``."""
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    # asked once for all periods: it takes longer than the rewards of one
    takes_joint = sum(parameter.kind in kinds for parameter in signature(function).parameters.values()) > 2

    def of_period(t: int, mu: ndarray, pi: ndarray | None) -> ndarray:
        if not takes_joint:
            return np.asarray(function(t, mu))
        if pi is None:
            raise ValueError("population: must be a policy where rewards depend on the others' actions")
        return np.asarray(function(t, mu, mu[:, None] * pi))

    return of_period


def policy_flow(game: HorizonGame, pi: ndarray) -> ndarray:
    """Return the distributions when all agents follow a policy, ``[period state]``, the end included."""
    transition = _in_period(game.transition)
    distributions = [np.asarray(game.first, float)]
    for t in range(game.horizon):
        mu = distributions[-1]
        distributions.append(np.einsum("s,sa,san->n", mu, pi[t], transition(t, mu, pi[t])))
    return np.stack(distributions)


def values_in_flow(
    game: HorizonGame,
    flow: ndarray,
    pi: ndarray | None = None,
    *,
    worst: bool = False,
    population: ndarray | None = None,
) -> HorizonValues:
    """Return the values in a fixed flow of a policy; without one of a best response, or the worst play.

    ``population`` is the policy that all others follow, needed where their actions matter.
    """
    reward, transition = _in_period(game.reward), _in_period(game.transition)
    values = game.final_reward(flow[-1])
    states, actions = [values], []
    for t in reversed(range(game.horizon)):
        population_now = None if population is None else population[t]
        q = reward(t, flow[t], population_now) + transition(t, flow[t], population_now) @ values
        optimum = q.min(axis=1) if worst else q.max(axis=1)
        values = optimum if pi is None else (pi[t] * q).sum(axis=1)
        states.append(values)
        actions.append(q)
    return HorizonValues(np.stack(states[::-1]), np.stack(actions[::-1]))


def response(q: ndarray, temperature: float = 0.0) -> ndarray:
    """Return the softmax of action values at a temperature; at 0 the first best action, with certainty."""
    if temperature == 0:
        return np.eye(q.shape[-1])[q.argmax(axis=-1)]
    chances = np.exp((q - q.max(axis=-1, keepdims=True)) / temperature)
    return chances / chances.sum(axis=-1, keepdims=True)


def average(
    policy: ndarray, other_policy: ndarray, flow: ndarray, other_flow: ndarray, weight: float
) -> ndarray:
    """Return the policy of a population, a part ``weight`` of which follows ``other_policy``.

    The rest follows ``policy``. In every state policies are averaged by the mass that is there. So the flow
    of the average is the average flow, where transitions do not depend on the distribution. States that
    nobody reaches keep ``policy``.
    """
    mass = weight * other_flow[:-1]
    total = mass + (1 - weight) * flow[:-1]
    part = np.divide(mass, total, out=np.zeros_like(mass), where=total > 0)[:, :, None]
    return (1 - part) * policy + part * other_policy


def play_agents(
    game: HorizonGame, pi: ndarray, agents: int, rng: np.random.Generator
) -> tuple[ndarray, float]:
    """Play a policy by finitely many agents, who meet their own empirical distribution.

    Returns
    -------
    tuple
        Frequencies of states ``[period state]``, the end included, and the mean payoff per agent.
    """
    size, reward, transition = len(game.first), _in_period(game.reward), _in_period(game.transition)
    states = rng.choice(size, agents, p=game.first)
    distributions, paid = [], 0.0
    for t in range(game.horizon + 1):
        mu = np.bincount(states, minlength=size) / agents
        distributions.append(mu)
        if t == game.horizon:
            break
        actions = _draw(pi[t][states], rng)
        index = states * game.actions + actions
        joint = np.bincount(index, minlength=size * game.actions).reshape(size, -1) / agents
        shares = np.divide(joint, mu[:, None], out=np.zeros_like(joint), where=mu[:, None] > 0)
        paid += reward(t, mu, shares)[states, actions].mean()
        states = _draw(transition(t, mu, shares)[states, actions], rng)
    return np.stack(distributions), float(paid + game.final_reward(mu)[states].mean())


def _draw(chances: ndarray, rng: np.random.Generator) -> ndarray:
    """Return one index per row of probabilities ``[row index]``."""
    index = (rng.random((len(chances), 1)) > chances.cumsum(axis=1)).sum(axis=1)
    return np.minimum(index, chances.shape[1] - 1)

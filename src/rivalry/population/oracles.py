"""Oracles of population games: properties beyond the required members, by the class of the game.

Each function has a generic answer that holds for every `PopulationGame`. Answers for a class are registered,
as for games with payoffs (`rivalry.core.oracles`):

>>> from rivalry.population import oracles
>>> class Commuters: ...
>>> @oracles.type_shares.register(Commuters)
... def _(game):
...     return jnp.array([0.25, 0.75])
>>> oracles.type_shares(Commuters()).tolist()
[0.25, 0.75]

Payoff scale, labels, named starts and the arrays of simulated agents (``to_agents``) are oracles of
`rivalry.core.oracles`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Array, Bool, Float, Int

from rivalry.core.oracles import oracle
from rivalry.core.results import Record
from rivalry.core.space import Scalar
from rivalry.runtime.jax import jax, jnp

Distribution = Float[Array, "state"]
Policy = Float[Array, "state action"]


# Descriptions: answers also hold for subclasses.


@oracle(inherited=True)
def state_types(game: Any) -> Int[np.ndarray, "state"]:
    """Return the type of every state, ``[state]``, numbered from 0. Generic: one type."""
    return np.zeros(game.space.shape[0], int)


@oracle(inherited=True)
def type_shares(game: object) -> Float[Array, "type"]:
    """Return each type's share of the population, ``[type]``, summing to 1. Generic: one type."""
    return jnp.ones(1)


@oracle(inherited=True)
def mean_field_refusal(game: object) -> str:
    """Reason why a game has no stationary population, with a remedy. Generic: an empty text, as it has one.

    Finitely many agents may still play such a game. Functions that need a stationary population raise an
    error with this text.
    """
    return ""


@oracle(inherited=True)
def continuum_limit(game: object) -> Any:
    """Return the game without parameters that only affect finitely many agents. Generic: the game itself.

    Games that differ in their number of agents then share compiled programs.
    """
    return game


# Computations: answers do not hold for a subclass that changes the rules.


@oracle()
def first_distribution(game: object) -> Distribution:
    """Return the initial distribution of states, ``[state]``. Generic: uniform over each type's states."""
    return spread_evenly(game, jnp.asarray(type_shares(game)))


@oracle()
def transition_matrix(game: object, env: Any, weights: Policy) -> Float[Array, "state state"]:
    """Return the transition matrix, ``[state state]``, with actions weighted by ``weights``.

    Row s is the distribution one step after state s. Generic: one unit of mass pushed from each state; an
    answer of a class may be faster.
    """
    rows = jnp.eye(len(weights))
    return jax.vmap(lambda row: push(game, env, row[:, None] * weights))(rows)


@oracle()
def is_feasible(game: object, env: Any) -> Bool[Array, ""]:
    """True if an environment is feasible; Newton's method stays at feasible ones. Generic: true."""
    return jnp.asarray(True)


@oracle(inherited=True)
def conservation_error(game: object, mu: Distribution, pi: Policy) -> Scalar:
    """Return the change per step of a quantity that the population must conserve. Generic: 0.

    Certificates raise `BrokenInvariant` if it is not 0.
    """
    return jnp.zeros(())


@oracle()
def measured_environment(
    game: Any, mu: Distribution, pi: Policy, after: Float[Array, "karma"], surplus: Scalar
) -> Any:
    """Return the environment that one agent faces among finitely many, from counts of their play.

    Parameters
    ----------
    game : PopulationGame
        The game.
    mu : Array
        Frequency of each state, ``[state]``, a mean over agents.
    pi : Array
        Frequency of each action in each state, ``[state action]``, a mean over agents.
    after : Array
        Distribution of karma before the surplus is redistributed, ``[karma]``.
    surplus : Array
        Karma redistributed per agent and step.

    Returns
    -------
    Any
        An environment of the game. Generic: ``game.environment(mu, pi)``.
    """
    return game.environment(mu, pi)


@oracle(inherited=True)
def population_metrics(game: object, env: Any, mu: Distribution, pi: Policy) -> Record:
    """Return named arrays to store with every result, ``{name: (dimensions, array)}``. Generic: none."""
    return {}


def refuse_mean_field(game: object) -> None:
    """Raise `ValueError` if a game has no stationary population; see `mean_field_refusal`."""
    reason = mean_field_refusal(game)
    if reason:
        raise ValueError(reason)


# Parts of the generic answers.


def push(game: Any, env: Any, mass: Policy) -> Distribution:
    """Return mass ``[state action]`` one step later, ``[state]``, by the transpose of `expect`."""
    # `expect` is linear in the values, so its transpose is the same at any point
    _, back = jax.vjp(game.expect(env), jnp.zeros(mass.shape[0]))
    return back(mass)[0]


def spread_evenly(game: object, of_type: Float[Array, "type"]) -> Distribution:
    """Return numbers per type, ``[type]``, spread evenly over the states of each type, ``[state]``."""
    types = state_types(game)
    return of_type[types] / np.bincount(types)[types]

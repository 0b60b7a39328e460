"""Exploitability of a policy and certificates of mean-field equilibria.

A single agent of a continuum does not change the population, so its best response solves a Markov decision
problem, and policy iteration finds the largest gain exactly.
"""

from __future__ import annotations

from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.core.game import BrokenInvariant, PopulationGame
from rivalry.core.plain import register_plain
from rivalry.core.results import Certificate, Record, indexed, scalar
from rivalry.core.space import Scalar
from rivalry.core.tolerances import CONSERVED, CONSISTENT, ROUNDING, TOLERANCE
from rivalry.population.consistent import StationaryPopulation, stationary_population
from rivalry.population.operators import Distribution, Policy, Values, action_values, by_type, uniform
from rivalry.population.oracles import conservation_error, population_metrics, type_shares
from rivalry.population.values import best_response, policy_values
from rivalry.runtime.jax import compiled, jax, jnp, put

FEW_STATES = 16  # up to so many, what is at stake is measured at pure policies too


class PolicyEvaluation(NamedTuple):
    """The evaluation of a policy in its own population; arrays ``[type]`` are means over agents of a type."""

    population: StationaryPopulation
    values: Values  # V^pi
    best: Values  # V*
    payoff: Float[Array, "type"]
    regret: Float[Array, "type"]  # exploitability of a type
    bound: Float[Array, "type"]
    at_stake: Float[Array, "type"]  # the best response's payoff less that of the worst actions
    added: Scalar  # change of the conserved quantity per step


def evaluate_policy(game: PopulationGame, pi: Policy, mu: Distribution | None = None) -> PolicyEvaluation:
    """Compute the stationary population of a policy, its payoff and its exploitability there.

    Parameters
    ----------
    game : PopulationGame
        The game.
    pi : Array
        Policy, ``[state action]``.
    mu : Array, optional
        Distribution ``[state]`` from which the stationary one is searched.

    Returns
    -------
    PolicyEvaluation
        Population, values, payoff and exploitability.
    """
    return evaluate_in(game, stationary_population(game, pi, mu), pi)


@partial(compiled, effort=1)
def evaluate_in(game: PopulationGame, stationary: StationaryPopulation, pi: Policy) -> PolicyEvaluation:
    """Return the evaluation of a policy in a population, which need not be its own."""
    values = policy_values(game, stationary.env, pi)
    response = best_response(game, stationary.env, pi)
    share = type_shares(game)

    def mean(of_state: Array) -> Array:
        return by_type(game, stationary.mu * of_state) / share

    # policy iteration starts from the policy's most likely actions: a negative gain is rounding
    gain = jnp.maximum(mean(response.values - values), 0.0)
    bound = jnp.maximum(mean(response.bound - values), 0.0)
    q = jnp.where(game.legal, action_values(game, stationary.env, response.values), jnp.inf)
    worst_policy = jax.nn.one_hot(jnp.argmin(q, axis=1), q.shape[1])
    at_stake = jnp.maximum(mean(response.values - policy_values(game, stationary.env, worst_policy)), gain)
    added = conservation_error(game, stationary.mu, pi)
    return PolicyEvaluation(stationary, values, response.values, mean(values), gain, bound, at_stake, added)


def check_conservation(evaluation: PolicyEvaluation) -> PolicyEvaluation:
    """Return the evaluation; raise `BrokenInvariant` if a step changes a conserved quantity."""
    if abs(float(evaluation.added)) > CONSERVED:
        raise BrokenInvariant(
            f"a step of the population adds {float(evaluation.added):.3g} to what it conserves"
        )
    return evaluation


def exploitability_along(game: PopulationGame, policies: ndarray) -> ndarray:
    """Return the exploitability ``[row type]`` of policies ``[row state action]``."""
    return np.stack([np.asarray(evaluate_policy(game, put(pi)).regret) for pi in policies])


def certificate_of(
    game: PopulationGame, evaluation: PolicyEvaluation, tolerance: float = TOLERANCE
) -> Certificate:
    """Return the certificate of an evaluated policy; its regret is NaN if the population is inconsistent."""
    at_stake, payoff = stake_of(game, np.asarray(evaluation.at_stake)), np.asarray(evaluation.payoff)
    allowed = tolerance_of(at_stake, payoff, tolerance)
    regret, bound = np.asarray(evaluation.regret), np.asarray(evaluation.bound)
    # in an environment other than the policy's own a gain says nothing about an equilibrium
    if not (np.isfinite(regret).all() and float(evaluation.population.residual) <= CONSISTENT):
        regret, bound = np.full_like(regret, np.nan), np.full_like(bound, np.inf)
    coverage: Any = "tight" if np.all(bound - regret <= allowed) else "bounded"
    method = "policy iteration in the policy's own population"
    return Certificate(
        regret,
        bound,
        coverage,
        method,
        allowed,
        at_stake,
        "floating point",
        concept="mean field",
        payoff=payoff,
    )


def stake_of(game: PopulationGame, local_stake: ndarray) -> ndarray:
    """Stake ``[type]``: ``local_stake``, in uniform play or at vertices, if larger.

    In equilibrium all actions in use pay the same: more is at stake where the population plays otherwise.
    """
    policies = [uniform(game)] + (_pure_policies(game) if len(game.discount) <= FEW_STATES else [])
    stakes = [np.asarray(evaluate_policy(game, policy).at_stake) for policy in policies]
    return reduce(np.fmax, stakes, local_stake)


def tolerance_of(at_stake: ndarray, payoff: ndarray, tolerance: float = TOLERANCE) -> ndarray:
    """Return the largest gain at an equilibrium, ``[type]``, also of finitely many agents."""
    return tolerance * at_stake + ROUNDING * np.abs(payoff)


def _pure_policies(game: PopulationGame) -> list[Policy]:
    """Return the policies of one action in all states, or of the first legal action where it is not legal."""
    legal = np.asarray(game.legal)
    actions = [np.where(legal[:, action], action, legal.argmax(axis=1)) for action in range(legal.shape[1])]
    return [put(np.eye(legal.shape[1])[row]) for row in actions]


def population_certificate(game: PopulationGame, pi: object, *, tolerance: float = TOLERANCE) -> Certificate:
    """Certify a policy by the gain of a single agent of each type that deviates from it.

    Parameters
    ----------
    game : PopulationGame
        The game.
    pi : array
        Policy, ``[state action]``.
    tolerance : float
        Largest gain at an equilibrium, relative to what an agent of a type can win or lose.

    Returns
    -------
    Certificate
        Largest gain per type, with an upper bound.

    Raises
    ------
    ValueError
        If ``pi`` is not a policy of the game.
    BrokenInvariant
        If a step of the population changes a conserved quantity.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.karma(payment="PBS")
    >>> population_certificate(game, rv.oracles.named_start(game, "uniform")).claim
    'not an equilibrium'
    """
    evaluation = evaluate_policy(register_plain(game), put(game.space.check(pi, "policy")))
    return certificate_of(game, check_conservation(evaluation), tolerance)


def record_of(game: Any, pi: Policy, tolerance: float | None) -> tuple[Record, Certificate | None]:
    """Return payoffs, population and metrics of the game at a policy, and its certificate.

    Raises `BrokenInvariant` if a step of the population changes a conserved quantity.
    """
    evaluation = check_conservation(evaluate_policy(game, pi))
    population = evaluation.population
    proof = None if tolerance is None else certificate_of(game, evaluation, tolerance)
    payoff = np.asarray(evaluation.payoff)
    record: Record = {
        **indexed(
            "player",
            payoff=payoff,
            exploitability=np.asarray(evaluation.regret),
            relative_exploitability=np.asarray(evaluation.regret) / np.abs(payoff),
        ),
        **indexed(
            "state",
            distribution=np.asarray(population.mu),
            values=np.asarray(evaluation.values),
            best_values=np.asarray(evaluation.best),
        ),
        "population_residual": scalar(population.residual),
    }
    record |= population_metrics(game, population.env, population.mu, pi)
    return record | ({} if proof is None else proof.record()), proof

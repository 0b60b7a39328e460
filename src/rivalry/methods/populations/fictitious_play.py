"""Fictitious play in populations: best responses to the average of all best responses so far."""

from __future__ import annotations

from typing import Any

from jaxtyping import Array

from rivalry.core.game import PopulationGame
from rivalry.methods.populations.response import LogitRule, greedy_response, loss
from rivalry.methods.populations.rounds import ResponseIteration, Round, RoundResult
from rivalry.population import stationary_population, transition_matrix
from rivalry.population.operators import Distribution, Policy
from rivalry.runtime.jax import jnp


class PopulationFictitiousPlay(ResponseIteration):
    """Fictitious play: the average of best responses, each to the stationary population of the last average.

    Responses ``pi_i`` are averaged in every state by ``pi_n = sum_i m_i pi_i / sum_i m_i``. The weight
    ``m_i`` is the discounted occupation of the state by an agent that follows ``pi_i``, from the population's
    distribution on (`occupation`). The value of the average to one agent is then the mean of the values of
    the responses. The start counts as the first response.

    The residual is the exploitability over the payoff scale. In monotone games it falls like one over the
    number of steps: raise ``tol`` to converge in reasonable time.

    References
    ----------
    Perrin et al., Fictitious Play for Mean Field Games, NeurIPS 2020.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=4, mean_karma=2.0, gamma=0.9)
    >>> solution = rv.solve(game, PopulationFictitiousPlay(), start="uniform", tol=1e-3)
    >>> solution.status, bool(solution.data.exploitability < 0.05)
    ('converged', True)
    """

    softens = False
    _name = "fictitious play"

    def _options(self, game: PopulationGame) -> tuple[Any, Any, Any]:
        return 1.0, 0.0, False

    def _start(self, game: PopulationGame, start: Policy, by: LogitRule) -> RoundResult:
        stationary = stationary_population(game, start)
        return self._respond(
            game, start, stationary.mu, occupation(game, stationary.env, start, stationary.mu), by
        )

    def _next_round(self, game: PopulationGame, state: Round) -> tuple[Policy, Distribution, Any]:
        response = state.result.now
        weights = occupation(game, response.env, response.answer, response.mu)
        weight = state.result.auxiliary + weights
        # states that were never reached keep their policy
        part = jnp.where(weight > 0, weights / jnp.where(weight > 0, weight, 1.0), 0.0)[:, None]
        return state.profile + part * (response.answer - state.profile), response.mu, weight

    def _respond(
        self, game: PopulationGame, pi: Policy, mu: Distribution, auxiliary: object, by: LogitRule
    ) -> RoundResult:
        """Return the response; ``auxiliary`` is the sum of weights in each state."""
        stationary = stationary_population(game, pi, mu)
        response = greedy_response(game, pi, stationary.mu, stationary.env, by)
        return RoundResult(response, auxiliary, jnp.maximum(loss(game, response), stationary.residual))


def occupation(game: PopulationGame, env: object, pi: Policy, mu: Distribution) -> Distribution:
    """Return the discounted occupation ``(1-gamma) sum_t gamma^t mu P^t`` of states, ``[state]``.

    It is that of one agent that follows ``pi`` from ``mu`` on, sums to one and is found by a linear solve.
    """
    matrix = jnp.eye(len(mu)) - (game.discount[:, None] * transition_matrix(game, env, pi)).T
    occupation_: Array = jnp.linalg.solve(matrix, (1 - game.discount) * mu)
    # the solution may be below 0 by rounding
    return jnp.maximum(occupation_, 0.0)

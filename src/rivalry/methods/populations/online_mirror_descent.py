"""Online mirror descent in populations: the softmax of cumulative values."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Le

from rivalry.core.game import PopulationGame
from rivalry.methods.populations.response import (
    ExplorationShare,
    LogitRule,
    greedy_response,
    inverse_temperature,
    loss,
    mirror_response,
)
from rivalry.methods.populations.rounds import ResponseIteration, Round, RoundResult
from rivalry.methods.q_learning import annealing
from rivalry.methods.q_learning.annealing import Annealed
from rivalry.population import softmax, stationary_population
from rivalry.population.operators import Distribution, Policy
from rivalry.runtime.jax import jnp

SHARPNESS = 100.0  # default inverse temperature times the largest payoff per period


class OnlineMirrorDescent(ResponseIteration):
    """Online mirror descent: ``pi = (1-ε) softmax(beta y) + ε u``, where ``y <- y + rate Q^pi``.

    ``Q^pi`` is the action value of pi in its own stationary population, which is computed at every step, and
    ``u`` is uniform play. Values are summed without discounting, so after n steps the softmax is as sharp as
    at the inverse temperature ``beta rate n``. At a rest point no agent gains by deviating: the residual is
    the exploitability over the payoff scale.

    With ``regularised`` the gradient of the entropy term discounts the sum, ``y <- (1-rate) y + rate Q^pi``.
    The rest point is then the regularised equilibrium, and the residual is the distance of pi from
    ``(1-ε) softmax(beta Q^pi) + ε u`` in the supremum norm. With ``rate`` 1 a step maps pi to that
    softmax, as policy mirror ascent does, but with the entropy bonus in ``Q^pi``; contraction is counted
    without it by the study ``karma_contractivity``. The step cycles at moderate beta, which the status
    ``cycling`` reports.

    A ``beta`` that is a table changes step by step (`rivalry.methods.q_learning.annealing`).

    Raises
    ------
    ValueError
        For options out of range.

    References
    ----------
    Perolat et al., Scaling Mean Field Games by Online Mirror Descent, AAMAS 2022. Vaishampayan (ETH Zurich
    2024), chapter 5, for policy mirror ascent.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=4, mean_karma=2.0, gamma=0.9)
    >>> solution = rv.solve(game, OnlineMirrorDescent(), start="uniform", tol=1e-3)
    >>> solution.status, bool(solution.data.exploitability < 0.05)
    ('converged', True)
    """

    beta: Annotated[
        Annealed | None,
        Gt(0),
        "inverse temperature per unit of payoff, or a schedule (default: 100 over the payoff of a period)",
    ] = None
    exploration: ExplorationShare = 0.0
    rate: Annotated[float, Gt(0), Le(1), "weight of the values in a step"] = 0.01
    regularised: Annotated[bool, "whether payoffs include an entropy bonus, entropy/beta, at every step"] = (
        False
    )

    def __check_init__(self) -> None:
        if self.beta is not None:
            annealing.check(self.beta)

    def _options(self, game: PopulationGame) -> tuple[Any, Any, Any]:
        return inverse_temperature(game, self.beta, SHARPNESS), self.exploration, self.regularised

    _name = "online mirror descent"

    def _start(self, game: PopulationGame, start: Policy, by: LogitRule) -> RoundResult:
        return self._respond(game, start, stationary_population(game, start).mu, scores_of(start, by), by)

    def _next_round(self, game: PopulationGame, state: Round) -> tuple[Policy, Distribution, Any]:
        by, q, scores = self._rule(game, state.taken), state.result.now.q, state.result.auxiliary
        scores = scores + self.rate * (q - scores if self.regularised else q)
        return softmax(game, scores, by.beta, by.exploration), state.result.now.mu, scores

    def _respond(
        self, game: PopulationGame, pi: Policy, mu: Distribution, auxiliary: object, by: LogitRule
    ) -> RoundResult:
        """Return the response; ``auxiliary`` are the scores ``y``."""
        response, off = mirror_response(game, pi, mu, by)
        if self.regularised:
            return RoundResult(response, auxiliary, jnp.maximum(jnp.max(jnp.abs(response.answer - pi)), off))
        greedy = greedy_response(game, pi, response.mu, response.env, by)
        return RoundResult(response, auxiliary, loss(game, greedy))


def scores_of(pi: Policy, by: LogitRule) -> Policy:
    """Return scores of which a policy is the softmax; zero probabilities count as the smallest float."""
    # the normalising constant of every state is omitted: the softmax does not depend on it
    return jnp.log(jnp.maximum(pi, np.finfo(float).tiny)) / by.beta

"""Mirror ascent in populations: policies that are softmaxes of values, of the last ones or of their sum."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le
from jaxtyping import Array, Float

from rivalry.core.game import PopulationGame
from rivalry.core.jax import jnp
from rivalry.methods.populations.records import check_beta, check_numbers
from rivalry.methods.populations.response import LogitRule, greedy_response, loss, mirror_response
from rivalry.methods.populations.rounds import ResponseIteration, Round, RoundResult
from rivalry.methods.q_learning.annealing import Annealed
from rivalry.population import softmax, stationary_population
from rivalry.population.operators import Distribution, Policy


class MirrorAscent(ResponseIteration):
    """Policy mirror ascent: ``pi <- (1-ε) softmax(beta y) + ε u``, where ``y <- (1-rate) y + rate Q^pi``.

    ``Q^pi`` is the action value of pi in its own stationary population, which is found anew each time, and
    ``u`` uniform play; ``regularised`` adds the entropy of pi over beta to the reward of every step. With
    ``rate`` 1 it is the map whose contraction theory asks for; smaller ones are steps of mirror ascent with
    the entropy as its mirror. A ``beta`` that is a table changes step by step
    (`rivalry.methods.q_learning.annealing`).

    What is left is the distance of pi from ``(1-ε) softmax(beta Q^pi) + ε u`` in the supremum norm.
    Undamped it cycles already at moderate beta, and says so. Raises `ValueError` for options out of range.

    Source: Vaishampayan (ETH Zurich 2024), chapter 5.

    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=4, mean_karma=2.0, gamma=0.9)
    >>> found = rv.solve(game, MirrorAscent(beta=5.0), start="uniform")
    >>> found.status, round(float(found.data.efficiency), 6)
    ('converged', -1.20906)
    """

    beta: Annotated[Annealed, Gt(0), "inverse temperature, per unit of payoff; or a table of them"] = 5.0
    exploration: Annotated[float, Ge(0), Le(1), "share of uniformly random actions"] = 0.0
    rate: Annotated[float, Gt(0), Le(1), "how much of the values a step takes"] = 1.0
    regularised: Annotated[bool, "the entropy over beta is paid at every step beside the reward"] = False

    def __post_init__(self) -> None:
        check_beta(self.beta)
        check_numbers(exploration=self.exploration, rate=self.rate)

    @property
    def _options(self) -> tuple[Any, Any, Any]:
        return self.beta, self.exploration, self.regularised

    @property
    def _name(self) -> str:
        return "mirror ascent"

    def _start(self, game: PopulationGame, start: Policy, by: LogitRule) -> RoundResult:
        return self._respond(game, start, stationary_population(game, start).mu, scores_of(start, by), by)

    def _next(self, game: PopulationGame, state: Round) -> tuple[Policy, Distribution, Any]:
        by = self._rule(state.taken)
        scores = self._summed(state.auxiliary, state.now.q)
        return softmax(game, scores, by.beta, by.exploration), state.now.mu, scores

    def _summed(self, scores: Policy, q: Policy) -> Policy:
        return scores + self.rate * (q - scores)

    def _respond(
        self, game: PopulationGame, pi: Policy, mu: Distribution, auxiliary: Any, by: LogitRule
    ) -> RoundResult:
        """``auxiliary`` are the values, as far as they count."""
        now, off = mirror_response(game, pi, mu, by)
        return RoundResult(now, auxiliary, jnp.maximum(jnp.max(jnp.abs(now.answer - pi)), off))


class OnlineMirrorDescent(MirrorAscent):
    """Online mirror descent: values are summed up, ``y <- y + rate Q^pi``, and played by their softmax.

    ``pi = (1-ε) softmax(beta y) + ε u``, and ``Q^pi`` is the action value of pi in its own stationary
    population. Nothing is forgotten, so the softmax hardens, as if at the inverse temperature ``beta rate n``
    after n steps, and where it comes to rest nobody gains by departing: what is left is the exploitability
    over the payoff scale. With ``regularised`` the entropy of pi over beta is paid at every step beside the
    reward; the gradient of that payoff makes the sum forget, ``y <- (1-rate) y + rate Q^pi``, and it rests at
    the regularised equilibrium: this is then `MirrorAscent`, which takes the same steps.
    A ``beta`` that is a table changes step by step (`rivalry.methods.q_learning.annealing`).

    Raises `ValueError` for options out of range.

    Source: Perolat et al., Scaling Mean Field Games by Online Mirror Descent, AAMAS 2022.

    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=4, mean_karma=2.0, gamma=0.9)
    >>> found = rv.solve(game, OnlineMirrorDescent(), start="uniform", tol=1e-3)
    >>> found.status, bool(found.data.exploitability < 0.05)
    ('converged', True)
    """

    beta: Annotated[Annealed, Gt(0), "inverse temperature, per unit of summed payoff; or a table of them"] = (
        100.0
    )
    rate: Annotated[float, Gt(0), Le(1), "how much of the values a step takes"] = 0.01

    @property
    def _name(self) -> str:
        return "online mirror descent"

    def _summed(self, scores: Policy, q: Policy) -> Policy:
        return super()._summed(scores, q) if self.regularised else scores + self.rate * q

    def _respond(
        self, game: PopulationGame, pi: Policy, mu: Distribution, auxiliary: Any, by: LogitRule
    ) -> RoundResult:
        result = super()._respond(game, pi, mu, auxiliary, by)
        return result if self.regularised else result._replace(residual=_regret(game, pi, result, by))


def _regret(game: PopulationGame, pi: Policy, result: RoundResult, by: LogitRule) -> Float[Array, ""]:
    now = result.now
    return loss(game, greedy_response(game, pi, now.mu, now.env, by))


def scores_of(pi: Policy, by: LogitRule) -> Policy:
    """Scores of which a policy is the softmax, as far as there are any."""
    return jnp.log(jnp.maximum(pi, np.finfo(float).tiny)) / by.beta

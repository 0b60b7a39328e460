"""Damped fixed-point iteration: a population drifts while all agents adjust towards a response."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le
from jaxtyping import Array, Float

from rivalry.core.game import PopulationGame
from rivalry.methods.populations import response
from rivalry.methods.populations.response import LogitRule, PolicyResponse
from rivalry.methods.populations.rounds import ResponseIteration, Round, RoundResult
from rivalry.methods.q_learning import annealing
from rivalry.methods.q_learning.annealing import Annealed
from rivalry.population import flow
from rivalry.population.operators import Distribution, Policy
from rivalry.population.oracles import first_distribution, refuse_mean_field
from rivalry.runtime.jax import jax, jnp


class DampedFixedPoint(ResponseIteration):
    """Damped fixed-point iteration of a policy, with one step of the population flow per iteration.

    The policy moves by ``pi <- (1-rate) pi + rate ((1-ε) softmax(beta Q^pi) + ε u)``, where ``u`` is uniform
    play and ``Q^pi`` the action value of pi itself in the current population. With ``beta = inf`` the policy
    moves towards a best response instead; ties are broken by the most likely action of pi. A ``beta`` that is
    a table changes step by step (`rivalry.methods.q_learning.annealing`).

    The residual is the larger of two distances in the supremum norm: of pi from its response, and of the
    population from itself one step later. With infinite beta the former is replaced by the exploitability of
    pi over the payoff scale, because a mixed equilibrium is never its own best response.

    The method suits low beta, and checks `PopulationNewton` independently. At high beta it cycles and reports
    the status ``cycling``.

    Raises
    ------
    ValueError
        For options out of range.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=4, mean_karma=2.0, gamma=0.9)
    >>> found = rv.solve(game, DampedFixedPoint(beta=5.0), start="uniform")
    >>> same = rv.solve(game, rv.methods.PopulationNewton(beta=5.0), start="uniform")
    >>> found.status, bool(abs(found.profile - same.profile).max() < 1e-7)
    ('converged', True)
    """

    beta: Annotated[
        Annealed, Gt(0), "inverse temperature, per unit of payoff (may be infinite); or a schedule"
    ] = 100.0
    exploration: Annotated[float, Ge(0), Le(1), "share of uniformly random actions"] = 0.0
    rate: Annotated[float, Gt(0), Le(1), "fraction of the distance moved per step"] = 0.05
    regularised: Annotated[bool, "whether payoffs include an entropy bonus, entropy/beta, at every step"] = (
        False
    )

    def __check_init__(self) -> None:
        if not (isinstance(self.beta, float) and self.beta == np.inf):
            annealing.check(self.beta)

    @property
    def _options(self) -> tuple[Any, Any, Any]:
        return self.beta, self.exploration, self.regularised

    _name: ClassVar[str] = "the damped fixed point"

    def _start(self, game: PopulationGame, start: Policy, by: LogitRule) -> RoundResult:
        refuse_mean_field(game)
        return self._respond(game, start, first_distribution(game), None, by)

    def _next(self, game: PopulationGame, state: Round) -> tuple[Policy, Distribution, Any]:
        return (
            state.profile + self.rate * (state.result.now.answer - state.profile),
            state.result.auxiliary,
            None,
        )

    def _respond(
        self, game: PopulationGame, pi: Policy, mu: Distribution, auxiliary: object, by: LogitRule
    ) -> RoundResult:
        """Return the response; ``auxiliary`` of the result is the population one step later."""
        env, ahead = game.environment(mu, pi), flow(game, mu, pi)

        # Each response takes one linear solve. With 42 states it costs about three sweeps of evaluation, and
        # values that lag behind the population would take many more steps.

        def best() -> tuple[PolicyResponse, Float[Array, ""]]:
            now = response.greedy_response(game, pi, mu, env, by)
            return now, response.loss(game, now)

        def soft() -> tuple[PolicyResponse, Float[Array, ""]]:
            now = response.soft_response(game, pi, mu, env, by)
            return now, jnp.max(jnp.abs(now.answer - pi))

        # beta is traced: `cond` computes only one of the two
        now, left = jax.lax.cond(jnp.isinf(by.beta), best, soft)
        return RoundResult(now, ahead, jnp.maximum(left, jnp.max(jnp.abs(ahead - mu))))

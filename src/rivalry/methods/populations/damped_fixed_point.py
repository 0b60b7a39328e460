"""Populations that drift while everybody turns towards what pays."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Gt, Le
from jaxtyping import Array, Float

from rivalry.core.game import PopulationGame
from rivalry.core.jax import jax, jnp
from rivalry.methods.populations.records import check_beta, check_numbers
from rivalry.methods.populations.response import (
    LogitRule,
    PolicyResponse,
    greedy_response,
    loss,
    soft_response,
)
from rivalry.methods.populations.rounds import ResponseIteration, Round, RoundResult
from rivalry.methods.q_learning.annealing import Annealed
from rivalry.population import flow
from rivalry.population.operators import Distribution, Policy
from rivalry.population.oracles import first_distribution, refuse_mean_field


class DampedFixedPoint(ResponseIteration):
    """One step of the population flow, and ``pi <- (1-rate) pi + rate ((1-ε) softmax(beta Q^pi) + ε u)``.

    ``u`` is uniform play and ``Q^pi`` the action value of pi itself in the population of the moment;
    ``regularised`` adds the entropy of pi over beta to the reward of every step. With ``beta = inf`` the
    policy moves towards a best response instead; among actions that tie, the likeliest of pi.
    A ``beta`` that is a table changes step by step (`rivalry.methods.q_learning.annealing`).

    What is left is the larger of two distances in the supremum norm: of pi from what answers it, and of the
    population from where it is a step later. With infinite beta what is left of pi is its exploitability
    over the payoff scale: a mixed equilibrium is never its own best response.

    Values come from one linear solve a step: in a population of 42 states it costs about three sweeps of
    evaluation, and values that lag behind the population would make many steps more.

    For low beta, and as an independent check of `PopulationNewton`: at high beta it cycles, and says so.
    Raises `ValueError` for options out of range.

    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=4, mean_karma=2.0, gamma=0.9)
    >>> found = rv.solve(game, DampedFixedPoint(beta=5.0), start="uniform")
    >>> same = rv.solve(game, rv.methods.PopulationNewton(beta=5.0), start="uniform")
    >>> found.status, bool(abs(found.profile - same.profile).max() < 1e-7)
    ('converged', True)
    """

    beta: Annotated[
        Annealed, Gt(0), "inverse temperature, per unit of payoff, also infinite; or a table of them"
    ] = 100.0
    exploration: Annotated[float, Ge(0), Le(1), "share of uniformly random actions"] = 0.0
    rate: Annotated[float, Gt(0), Le(1), "part of the way that a step goes"] = 0.05
    regularised: Annotated[bool, "the entropy over beta is paid at every step beside the reward"] = False

    def __post_init__(self) -> None:
        check_beta(self.beta, infinite=True)
        check_numbers(exploration=self.exploration, rate=self.rate)

    @property
    def _options(self) -> tuple[Any, Any, Any]:
        return self.beta, self.exploration, self.regularised

    @property
    def _name(self) -> str:
        return "the damped fixed point"

    def _start(self, game: PopulationGame, start: Policy, by: LogitRule) -> RoundResult:
        refuse_mean_field(game)
        return self._respond(game, start, first_distribution(game), None, by)

    def _next(self, game: PopulationGame, state: Round) -> tuple[Policy, Distribution, Any]:
        return state.profile + self.rate * (state.now.answer - state.profile), state.auxiliary, None

    def _respond(
        self, game: PopulationGame, pi: Policy, mu: Distribution, auxiliary: Any, by: LogitRule
    ) -> RoundResult:
        """``auxiliary`` is the population a step later."""
        env, ahead = game.environment(mu, pi), flow(game, mu, pi)

        def best() -> tuple[PolicyResponse, Float[Array, ""]]:
            now = greedy_response(game, pi, mu, env, by)
            return now, loss(game, now)

        def soft() -> tuple[PolicyResponse, Float[Array, ""]]:
            now = soft_response(game, pi, mu, env, by)
            return now, jnp.max(jnp.abs(now.answer - pi))

        now, left = jax.lax.cond(jnp.isinf(by.beta), best, soft)
        return RoundResult(now, ahead, jnp.maximum(left, jnp.max(jnp.abs(ahead - mu))))

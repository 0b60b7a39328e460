"""What methods share that answer a policy in a population again and again: the loop, its end, its account."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from rivalry.core.game import PopulationGame
from rivalry.core.jax import jnp
from rivalry.core.method import ENDINGS, BaseMethod
from rivalry.core.needs import POPULATION, Need
from rivalry.core.results import Record
from rivalry.methods.populations.records import rule_record
from rivalry.methods.populations.response import LogitRule, PolicyResponse, rule
from rivalry.methods.q_learning import annealing
from rivalry.population.operators import Distribution, Policy

SAME, AWAY = 1e-9, 1e-6  # back within the one, after it was away by the other
NEARER = 0.9  # a residual that falls to less of what it was before is nearer


class Memory(NamedTuple):
    """A policy and population of an earlier step, kept twice as long each time (Brent 1980), and since then.

    An iteration that comes back to what is remembered, having been away, goes round for ever.
    """

    profile: Policy
    mu: Distribution
    age: Int[Array, ""]  # steps since
    power: Int[Array, ""]  # at this age it is replaced
    away: Float[Array, ""]  # the largest distance since
    smallest: Float[Array, ""]  # the least residual since
    before: Float[Array, ""]  # and before
    period: Int[Array, ""]  # of the cycle, once it is seen, else 0


class Round(NamedTuple):
    """A policy, what answers it where, what the method keeps besides, and what is left."""

    profile: Policy
    now: PolicyResponse
    auxiliary: Any
    residual: Float[Array, ""]
    taken: Int[Array, ""]
    beta: Float[Array, ""]
    memory: Memory


class RoundResult(NamedTuple):
    """What a method finds at a policy: what answers it, what it keeps besides, and what is left."""

    now: PolicyResponse
    auxiliary: Any
    residual: Float[Array, ""]


class ResponseIteration(BaseMethod):
    """A method that moves a policy towards what answers it; its options are those of the classes below.

    It converges where the residual is within tol at the last beta, and is cycling where policy and population
    return to where they were.
    """

    needs: ClassVar[tuple[Need, ...]] = (POPULATION,)
    softens: ClassVar[bool] = True  # the response is a softmax at a beta

    def init(self, game: PopulationGame, start: Policy, key: PRNGKeyArray) -> Round:
        """The start in its population; the key is not needed."""
        zero = jnp.asarray(0)
        by = self._rule(zero)
        result = self._start(game, start, by)
        far = jnp.asarray(jnp.inf)
        memory = Memory(start, result.now.mu, zero, jnp.asarray(1), jnp.zeros(()), far, far, zero)
        return Round(start, result.now, result.auxiliary, result.residual, zero, by.beta, memory)

    def step(self, game: PopulationGame, state: Round, key: PRNGKeyArray) -> Round:
        """A move, and what answers the policy there; the key is not needed."""
        profile, mu, auxiliary = self._next(game, state)
        taken = state.taken + 1
        by = self._rule(taken)
        result = self._respond(game, profile, mu, auxiliary, by)
        memory = _update_memory(state.memory, profile, result, self._over(taken))
        return Round(profile, result.now, result.auxiliary, result.residual, taken, by.beta, memory)

    def residual(self, game: PopulationGame, state: Round) -> Float[Array, ""]:
        """What is left; while beta is on its way, infinite."""
        return jnp.where(self._over(state.taken), state.residual, jnp.inf)

    def ended(self, game: PopulationGame, state: Round) -> Array:
        """Cycling where it is back."""
        return jnp.where(state.memory.period > 0, ENDINGS.index("cycling"), 0)

    def diagnostics(self, state: Round) -> dict[str, Array]:
        return {"residual": state.residual}

    def report(self, game: PopulationGame, state: Round, status: str) -> Record:
        """Return what is left at which beta, and how far the environment is from the one that they make.

        The period of a cycle is stored where it goes round.
        """
        now, period = state.now, int(state.memory.period)
        off = ravel_pytree(game.balance(now.env, now.mu, state.profile))[0]
        found = rule_record(game, state.profile, self._rule(state.taken))
        found["residual"] = ((), np.asarray(state.residual))
        found["population_drift"] = ((), np.asarray(jnp.max(jnp.abs(off))))
        if period:
            found["cycle_period"] = ((), np.asarray(period))
        if status != "converged":
            found["remedy"] = ((), np.asarray(self._remedy(state)))
        return found

    def _remedy(self, state: Round) -> str:
        """What is left after how many steps at which beta, and what to do about it."""
        memory = state.memory
        if int(memory.period):
            said = f"{self._name} cycles here (period {int(memory.period)}), use newton"
        elif float(memory.smallest) > NEARER * float(memory.before):
            said = f"{self._name} goes round without coming nearer, use newton"
        else:
            said = f"{self._name} is on its way, raise max_steps or use newton"
        where = f" at beta={float(state.beta):g}" if self.softens else ""
        return f"residual {float(state.residual):.2g} after {int(state.taken)} steps{where}: {said}"

    # parts: what the classes below say

    @property
    def _name(self) -> str:
        raise NotImplementedError

    @property
    def _options(self) -> tuple[Any, Any, Any]:
        """Beta, exploration and whether payoffs are regularised, as `rule` takes them."""
        raise NotImplementedError

    def _over(self, taken: Array) -> Bool[Array, ""]:
        """Whether beta has come to its last value."""
        return annealing.over(self._options[0], taken)

    def _rule(self, taken: Array) -> LogitRule:
        """What a policy follows from at a step."""
        beta, exploration, regularised = self._options
        return rule(annealing.at(beta, taken), exploration, regularised)

    def _start(self, game: PopulationGame, start: Policy, by: LogitRule) -> RoundResult:
        """At the start."""
        raise NotImplementedError

    def _next(self, game: PopulationGame, state: Round) -> tuple[Policy, Distribution, Any]:
        """The next policy, where its population is sought from, and what is kept."""
        raise NotImplementedError

    def _respond(
        self, game: PopulationGame, pi: Policy, mu: Distribution, auxiliary: Any, by: LogitRule
    ) -> RoundResult:
        """What answers a policy."""
        raise NotImplementedError


def _update_memory(memory: Memory, profile: Policy, result: RoundResult, over: Array) -> Memory:
    """The memory a step later; while beta changes nothing can come back."""
    apart = jnp.maximum(
        jnp.max(jnp.abs(profile - memory.profile)), jnp.max(jnp.abs(result.now.mu - memory.mu))
    )
    age = memory.age + 1
    back = over & (apart <= SAME) & (memory.away >= AWAY)
    renewed = (age >= memory.power) | ~over
    smallest = jnp.minimum(memory.smallest, result.residual)
    far = jnp.asarray(jnp.inf)
    return Memory(
        profile=jnp.where(renewed, profile, memory.profile),
        mu=jnp.where(renewed, result.now.mu, memory.mu),
        age=jnp.where(renewed, 0, age),
        power=jnp.where(renewed & over, 2 * memory.power, memory.power),
        away=jnp.where(renewed, 0.0, jnp.maximum(memory.away, apart)),
        smallest=jnp.where(renewed, far, smallest),
        before=jnp.where(over, jnp.where(renewed, jnp.minimum(memory.before, smallest), memory.before), far),
        period=jnp.where(back, age, memory.period),
    )

"""Base class of methods that iterate responses in a population: steps, cycle detection and report."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Int, PRNGKeyArray
from numpy import ndarray

from rivalry.core.game import PopulationGame
from rivalry.core.method import ENDINGS, BaseMethod
from rivalry.core.needs import POPULATION
from rivalry.core.results import Record, scalar
from rivalry.core.space import Scalar
from rivalry.methods.populations.response import LogitRule, PolicyResponse, rule, rule_record
from rivalry.methods.q_learning import annealing
from rivalry.population.operators import Distribution, Policy
from rivalry.runtime.jax import jax, jnp, put

RETURNED, AWAY = 1e-9, 1e-6  # a cycle returns to within the first after having been away by the second
NEARER = 0.9  # part of the earlier residual below which an iteration makes progress


class Memory(NamedTuple):
    """A policy and a population of an earlier step, for cycle detection (Brent 1980), and statistics since.

    Each is stored for twice as many steps as the one before. An iteration that returns to it after having
    been away cycles.
    """

    profile: Policy
    mu: Distribution
    age: Int[Array, ""]  # steps since
    power: Int[Array, ""]  # age at which it is replaced
    away: Scalar  # largest distance since
    smallest: Scalar  # smallest residual since
    before: Scalar  # smallest residual before
    period: Int[Array, ""]  # of the cycle, once detected, else 0


class RoundResult(NamedTuple):
    """The response to a policy, the method's own data, and the residual."""

    now: PolicyResponse
    auxiliary: Any
    residual: Scalar


class Round(NamedTuple):
    """The state of an iteration: a policy with the response to it, the number of steps, and a memory."""

    profile: Policy
    result: RoundResult
    taken: Int[Array, ""]
    beta: Scalar
    memory: Memory


class ResponseIteration(BaseMethod):
    """A method that moves a policy towards the response to it; subclasses define the options.

    It converges if the residual is within tol at the last beta, and is cycling if policy and population
    return to earlier values.
    """

    needs = (POPULATION,)
    softens = True  # the response is a softmax at a beta
    _name: ClassVar[str]  # in the remedy

    def init(self, game: PopulationGame, start: Policy, key: PRNGKeyArray) -> Round:
        """Return the start and the response to it in its population; the key is not used."""
        zero = jnp.asarray(0)
        by = self._rule(game, zero)
        result = self._start(game, start, by)
        far = jnp.asarray(jnp.inf)
        memory = Memory(start, result.now.mu, zero, jnp.asarray(1), jnp.zeros(()), far, far, zero)
        return Round(start, result, zero, by.beta, memory)

    def step(self, game: PopulationGame, state: Round, key: PRNGKeyArray) -> Round:
        """Return the next policy and the response to it; the key is not used."""
        profile, mu, auxiliary = self._next_round(game, state)
        count = state.taken + 1
        by = self._rule(game, count)
        result = self._respond(game, profile, mu, auxiliary, by)
        memory = _update_memory(state.memory, profile, result, self._over(game, count))
        return Round(profile, result, count, by.beta, memory)

    def residual(self, game: PopulationGame, state: Round) -> Scalar:
        """Return the residual; infinite before the last beta of a table."""
        return jnp.where(self._over(game, state.taken), state.result.residual, jnp.inf)

    def ending(self, game: PopulationGame, state: Round) -> Array:
        """Return ``cycling`` if a period was found."""
        return jnp.where(state.memory.period > 0, ENDINGS.index("cycling"), 0)

    def diagnostics(self, state: Round) -> dict[str, Array | ndarray]:
        return {"residual": state.result.residual}

    def report(self, game: PopulationGame, state: Round, status: str) -> Record:
        """Return residual, beta and ``population_drift``, the largest inconsistency of the environment.

        The period is stored if the method cycles, and a remedy if it did not converge.
        """
        state = jax.tree.map(put, state)
        response, period = state.result.now, int(state.memory.period)
        off = ravel_pytree(game.balance(response.env, response.mu, state.profile))[0]
        # without regularised payoffs these methods rest where no agent gains, not at a logit equilibrium
        record = rule_record(game, state.profile, self._rule(game, state.taken), logit=self._options(game)[2])
        record["residual"] = scalar(state.result.residual)
        record["population_drift"] = scalar(jnp.max(jnp.abs(off)))
        if period:
            record["cycle_period"] = scalar(period)
        if status != "converged":
            record["remedy"] = scalar(self._remedy(state))
        return record

    def _remedy(self, state: Round) -> str:
        """Return residual, steps and beta, and what to change."""
        memory = state.memory
        if int(memory.period):
            text = f"{self._name} cycles here (period {int(memory.period)}), use newton"
        elif float(memory.smallest) > NEARER * float(memory.before):
            text = f"{self._name} goes round without coming nearer, use newton"
        else:
            text = f"{self._name} is on its way, raise max_steps or use newton"
        where = f" at beta={float(state.beta):g}" if self.softens else ""
        return f"residual {float(state.result.residual):.2g} after {int(state.taken)} steps{where}: {text}"

    # Defined by subclasses.

    def _options(self, game: PopulationGame) -> tuple[Any, Any, Any]:
        """Return beta, exploration and whether payoffs are regularised, as `rule` takes them."""
        raise NotImplementedError

    def _over(self, game: PopulationGame, count: Array) -> Bool[Array, ""]:
        """True if beta has its last value."""
        return annealing.over(self._options(game)[0], count)

    def _rule(self, game: PopulationGame, count: Array) -> LogitRule:
        """Return the logit rule of a step."""
        beta, exploration, regularised = self._options(game)
        return rule(annealing.at(beta, count), exploration, regularised)

    def _start(self, game: PopulationGame, start: Policy, by: LogitRule) -> RoundResult:
        """Return the response to the start."""
        raise NotImplementedError

    def _next_round(self, game: PopulationGame, state: Round) -> tuple[Policy, Distribution, Any]:
        """Return the next policy, the distribution from which its population is computed, and own data."""
        raise NotImplementedError

    def _respond(
        self, game: PopulationGame, pi: Policy, mu: Distribution, auxiliary: object, by: LogitRule
    ) -> RoundResult:
        """Return the response to a policy."""
        raise NotImplementedError


def _update_memory(memory: Memory, profile: Policy, result: RoundResult, over: Array) -> Memory:
    """Return the memory one step later; cycles are not detected while beta changes."""
    displacement = jnp.maximum(
        jnp.max(jnp.abs(profile - memory.profile)), jnp.max(jnp.abs(result.now.mu - memory.mu))
    )
    age = memory.age + 1
    # a slow iteration is near its memory too, but was never away from it
    back = over & (displacement <= RETURNED) & (memory.away >= AWAY)
    renewed = (age >= memory.power) | ~over
    smallest = jnp.minimum(memory.smallest, result.residual)
    far = jnp.asarray(jnp.inf)
    return Memory(
        profile=jnp.where(renewed, profile, memory.profile),
        mu=jnp.where(renewed, result.now.mu, memory.mu),
        age=jnp.where(renewed, 0, age),
        power=jnp.where(renewed & over, 2 * memory.power, memory.power),
        away=jnp.where(renewed, 0.0, jnp.maximum(memory.away, displacement)),
        smallest=jnp.where(renewed, far, smallest),
        before=jnp.where(over, jnp.where(renewed, jnp.minimum(memory.before, smallest), memory.before), far),
        period=jnp.where(back, age, memory.period),
    )

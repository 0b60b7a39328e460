"""Newton's method for the logit equilibrium of a population, with the temperature lowered in stages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Gt, Lt
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PRNGKeyArray
from numpy import ndarray

from rivalry.core.game import PopulationGame, scale_of
from rivalry.core.method import ENDINGS, BaseMethod
from rivalry.core.needs import POPULATION
from rivalry.core.results import Record, scalar
from rivalry.core.space import Scalar
from rivalry.methods.populations.response import (
    FIRST_SHARPNESS,
    SHARPNESS,
    ExplorationShare,
    InverseTemperature,
    LogitRule,
    bonus,
    inverse_temperature,
    rule,
    rule_record,
)
from rivalry.population import StationaryPopulation, operators, oracles, policy_values, stationary_population
from rivalry.population.operators import Distribution, Policy, Values, uniform
from rivalry.runtime.jax import jax, jnp, put

ITERATIONS, SHORTEST = 60, 2.0**-10
REUSED = 0.2  # derivatives are reused while a step reduces the residual below this part
TOGETHER = 8  # directions per batch
NEGATIVE = 1e-9  # probabilities this far below 0 are rounding
ENOUGH = 1e-11  # residual at which the equations hold
GENTLEST = 1.0 + 1e-4  # at smaller factors a branch cannot be followed: a stage leaps instead
LEAP = 0.1  # of beta: the shortest leap; the next is twice as long
ADJUSTED, ADJUSTMENTS = 0.1, 1000  # share of agents that adjust per step, and steps, before a leap's Newton
LOWEST = 1e-6  # of the first beta: the search ends at lower ones
UNMOVED = 1e-6  # of its size: a leaf of the environment that changes less is the same for all populations
SEVERAL = "the policy there has several stationary distributions, as where nobody bids and no karma moves"


class MeanFieldPoint(NamedTuple):
    """The unknowns of an equilibrium: values, distribution and environment."""

    values: Values
    mu: Distribution
    env: Any


class Solved(NamedTuple):
    """The last point of Newton's method, the largest residual there, and the number of steps."""

    point: MeanFieldPoint
    residual: Scalar
    steps: Array


class PopulationNewtonState(NamedTuple):
    """The points of the last two stages, the next factor of beta, and counts."""

    profile: Policy
    point: MeanFieldPoint
    before: MeanFieldPoint  # of the stage before
    beta: Scalar
    beta_before: Scalar
    factor: Scalar
    residual: Scalar
    newton_steps: Array
    leap: Scalar  # part of beta by which the next stage leaps; 0 where a branch is followed
    leaps: Array
    uniform: MeanFieldPoint  # the population of uniform play
    restarted: Array  # whether stages begin there, because none from the start succeeded


class PopulationNewton(BaseMethod):
    """Newton's method for the logit equilibrium ``pi = (1-ε) softmax(beta Q^pi) + ε uniform``.

    ``Q^pi`` is the action value of pi itself, exploration included, in its stationary population. The
    unknowns are values, distribution and environment. A Newton step eliminates the first two by linear
    solves, with the matrices of the policy with changed weights, and is halved while it does not reduce the
    residual.

    ``beta`` is raised in stages from ``begin`` on. Each stage is predicted from the last two along
    ``ln beta``; a stage that fails is repeated with half the length. One step of the loop is one stage, and
    the time of a path is its beta. The method converges only if all equations hold to 1e-11 (values in units
    of the payoff scale, the environment relative to its size) at the full ``beta``.

    There may be several equilibria. Short stages follow the branch of the lowest beta, whatever the start;
    longer stages, with a ``factor`` of 3 or 4, may reach others. With ``begin`` at ``beta`` the first stage
    begins at the values and the population of the start, and finds an equilibrium near them. If there is
    none, beta is lowered first and then raised again.

    Where the shortest stage fails, as where the branch turns back (a fold), longer and longer ones are tried
    from a population in which agents have adjusted their policies. The equilibrium that they reach is at the
    end of the same branch or on another; ``leaps`` counts them.

    If no first stage succeeds from the population of the start, for example if no agent bids, stages begin at
    the population of uniform play, the limit of the policy as beta goes to 0. ``restarted`` reports this.

    Raises
    ------
    ValueError
        For options out of range.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.karma(), PopulationNewton(beta=5.0), start="uniform")
    >>> solution.status, round(float(solution.data.efficiency), 6)
    ('converged', -1.136875)
    """

    beta: InverseTemperature = None
    exploration: ExplorationShare = 0.0
    begin: Annotated[
        float | None,
        Gt(0),
        Lt(np.inf),
        "inverse temperature of the first stage, at most beta (default: 25 over the payoff of a period)",
    ] = None
    factor: Annotated[float, Gt(1), Lt(np.inf), "largest ratio of beta between consecutive stages"] = 1.3
    regularised: Annotated[bool, "whether payoffs include an entropy bonus, entropy/beta, at every step"] = (
        False
    )

    needs = (POPULATION,)

    def last_beta(self, game: PopulationGame) -> Any:
        """Inverse temperature of the last stage."""
        return inverse_temperature(game, self.beta, SHARPNESS)

    def first_beta(self, game: PopulationGame) -> Any:
        """Inverse temperature of the first stage."""
        begin = inverse_temperature(game, self.begin, FIRST_SHARPNESS)
        return jnp.minimum(jnp.asarray(begin), self.last_beta(game))

    def init(self, game: PopulationGame, start: Policy, key: PRNGKeyArray) -> PopulationNewtonState:
        """Return the population and the values of the start; the key is not used."""
        # a loop, so that the program contains the population once
        points = jax.lax.map(partial(point_of, game), jnp.stack([start, uniform(game)]))
        return self.state_at(game, start, *(jax.tree.map(itemgetter(k), points) for k in range(2)))

    def state_at(
        self, game: PopulationGame, start: Policy, point: MeanFieldPoint, even: MeanFieldPoint
    ) -> PopulationNewtonState:
        """Return the state before the first stage, from the points of the start and of uniform play."""
        initial_beta = self.first_beta(game)
        zero, no_count = jnp.zeros(()), jnp.asarray(0)
        far, no = zero + jnp.inf, jnp.asarray(False)  # of the type of later stages, which share a program
        return PopulationNewtonState(
            start, point, point, zero, zero, initial_beta, far, no_count, zero, no_count, even, no
        )

    def step(
        self, game: PopulationGame, state: PopulationNewtonState, key: PRNGKeyArray
    ) -> PopulationNewtonState:
        """Return the state after one stage; the key is not used.

        Until the first stage succeeds, ``factor`` is the beta that is tried, and the point is that of the
        start. If the stage fails, this beta is lowered, until the policy hardly depends on values.
        """
        # at a fold the branch has no direction in beta
        guess = jax.lax.cond(
            state.leap > 0, lambda: self.adjusted(game, state), lambda: self.extrapolated(game, state)
        )
        return self.stage(game, state, guess)

    def adjusted(self, game: PopulationGame, state: PopulationNewtonState) -> MeanFieldPoint:
        """Return the point from which the next stage leaps."""
        return _adjusted_policy(game, state.point, self._next_rule(game, state))

    def extrapolated(self, game: PopulationGame, state: PopulationNewtonState) -> MeanFieldPoint:
        """Return the point from which the next stage follows the branch."""
        return _extrapolate(state, self._next_rule(game, state).beta)

    def _next_rule(self, game: PopulationGame, state: PopulationNewtonState) -> LogitRule:
        """Return the rule of the next stage."""
        ratio = jnp.where(state.leap > 0, 1 + state.leap, state.factor)
        beta = jnp.where(state.beta > 0, state.beta * ratio, state.factor)
        return rule(jnp.minimum(beta, self.last_beta(game)), self.exploration, self.regularised)

    def stage(
        self, game: PopulationGame, state: PopulationNewtonState, guess: MeanFieldPoint
    ) -> PopulationNewtonState:
        """Return the state after one stage that begins at a point."""
        started, leaping = state.beta > 0, state.leap > 0
        begin, by = self.first_beta(game), self._next_rule(game, state)
        beta, solution = by.beta, newton(game, guess, by)
        good = solution.residual <= ENOUGH
        # a stage that failed is halved; stages longer than the first might reach another equilibrium
        lost = ~started & ~good & (state.factor / 4 < LOWEST * begin)
        longer = jnp.where(started, jnp.minimum(state.factor**1.5, self.factor), self.factor)
        longer = jnp.where(leaping, self.factor, longer)
        shorter = jnp.where(started, jnp.sqrt(state.factor), state.factor / 4)
        leap = jnp.where(leaping, 2 * state.leap, jnp.where(started & (shorter < GENTLEST), LEAP, 0.0))
        is_retry = lost & ~state.restarted
        shorter = jnp.where(is_retry, begin, shorter)
        behind = jax.tree.map(partial(jnp.where, is_retry), state.uniform, state.point)
        point = jax.tree.map(partial(jnp.where, good), solution.point, behind)
        q = operators.action_values(game, point.env, point.values)
        policy = operators.softmax(game, q, jnp.where(good, beta, state.beta), jnp.asarray(self.exploration))
        return PopulationNewtonState(
            profile=jnp.where(good | started, policy, state.profile),
            point=point,
            before=jax.tree.map(partial(jnp.where, good), state.point, state.before),
            beta=jnp.where(good, beta, state.beta),
            beta_before=jnp.where(good, jnp.where(leaping, 0.0, state.beta), state.beta_before),
            factor=jnp.where(good, longer, jnp.where(leaping, state.factor, shorter)),
            residual=jnp.where(good, solution.residual, state.residual),
            newton_steps=state.newton_steps + solution.steps,
            leap=jnp.where(good, 0.0, leap),
            leaps=state.leaps + (good & leaping),
            uniform=state.uniform,
            restarted=state.restarted | is_retry,
        )

    def residual(self, game: PopulationGame, state: PopulationNewtonState) -> Scalar:
        """Return the largest residual of the equations; infinite below the full beta."""
        return jnp.where(state.beta >= self.last_beta(game), state.residual, jnp.inf)

    def ending(self, game: PopulationGame, state: PopulationNewtonState) -> Array:
        """Return ``not found`` if even the shortest stage and leaps of all lengths fail."""
        # the last leap, half as long as the next, was to the full beta
        final_beta = self.last_beta(game)
        is_exhausted = (state.leap > LEAP) & (state.beta * (1 + state.leap / 2) >= final_beta)
        lost = jnp.where(state.beta > 0, is_exhausted, state.factor < LOWEST * self.first_beta(game))
        return jnp.where(lost & (state.beta < final_beta), ENDINGS.index("not found"), 0)

    def diagnostics(self, state: PopulationNewtonState) -> dict[str, Array | ndarray]:
        return {"time": state.beta, "residual": state.residual}

    def report(self, game: PopulationGame, state: PopulationNewtonState, status: str) -> Record:
        """Return residual, beta and number of Newton steps, and a remedy if it did not converge."""
        state = jax.tree.map(put, state)
        by = rule(state.beta, self.exploration, self.regularised)
        record = rule_record(game, state.profile, by, logit=True)
        numbers = {
            "newton_steps": state.newton_steps,
            "restarted": state.restarted,
            "leaps": state.leaps,
            "residual": state.residual,
        }
        record |= {name: scalar(number) for name, number in numbers.items()}
        if status != "converged":
            record["remedy"] = scalar(self._remedy(game, state))
        return record

    def _remedy(self, game: PopulationGame, state: PopulationNewtonState) -> str:
        """Return the advice for a run that did not reach the full beta."""
        env = stationary_population(game, state.profile)[1]
        unique = bool(operators.has_unique_distribution(game, env, state.profile))
        cause = "" if unique else f"; {SEVERAL}"
        if float(state.beta) == 0:
            return (
                "no first stage was solved, neither from the population of the start nor from that of "
                f"uniform play: set begin to beta, or use another start{cause}"
            )
        beta = float(self.last_beta(game))
        fold = ""
        if float(state.leap):
            fold = "; if the branch turns back there (a fold), all_equilibria follows it by arc length"
        return (
            f"residual {float(state.residual):.2g} at beta={float(state.beta):g} of {beta:g}: "
            f"raise max_steps or factor, or set begin to beta{fold}{cause}"
        )


def point_of(game: PopulationGame, policy: Policy) -> MeanFieldPoint:
    """Return the stationary population of a policy and its values there."""
    return point_in(game, policy, stationary_population(game, policy))


def point_in(game: PopulationGame, policy: Policy, population: StationaryPopulation) -> MeanFieldPoint:
    """Return the point of a policy's stationary population."""
    return MeanFieldPoint(policy_values(game, population.env, policy), population.mu, population.env)


def _extrapolate(state: PopulationNewtonState, beta: Array) -> MeanFieldPoint:
    """Return the linear extrapolation of the last two stages in the logarithm of beta."""
    two = state.beta_before > 0
    span = jnp.log(jnp.where(two, state.beta / state.beta_before, jnp.e))
    part = jnp.where(two, jnp.log(beta / jnp.where(two, state.beta, 1.0)) / span, 0.0)
    return jax.tree.map(
        lambda current, former: current + part * (current - former), state.point, state.before
    )


def _adjusted_policy(game: PopulationGame, point: MeanFieldPoint, by: LogitRule) -> MeanFieldPoint:
    """Return a point after agents have adjusted their policy to values and population for some steps."""
    q = operators.action_values(game, point.env, point.values)
    policy = operators.softmax(game, q, by.beta, by.exploration)

    def step(_: Array, carry: tuple[Policy, Values, Distribution]) -> tuple[Policy, Values, Distribution]:
        policy, values, mu = carry
        q = operators.action_values(game, game.environment(mu, policy), values)
        target = operators.softmax(game, q, by.beta, by.exploration)
        policy = policy + ADJUSTED * (target - policy)
        return policy, jnp.sum(policy * q, axis=1) + bonus(policy, by), operators.flow(game, mu, policy)

    policy, values, mu = jax.lax.fori_loop(0, ADJUSTMENTS, step, (policy, point.values, point.mu))
    return MeanFieldPoint(values, mu, game.environment(mu, policy))


class _Search(NamedTuple):
    """State of Newton's method: the best point so far, derivatives there or earlier, the next step length."""

    steps: Array
    here: MeanFieldPoint
    left: Scalar
    slopes: Slopes
    stale: Array  # whether the derivatives are those of an earlier point
    anew: Array  # whether to evaluate them at this point
    length: Scalar


def newton(game: PopulationGame, point: MeanFieldPoint, by: LogitRule) -> Solved:
    """Take damped Newton steps until the equations hold, or no step length reduces the residual.

    Derivatives cost as much as many steps: they are reused while each step removes most of the residual.
    """

    def step(search: _Search) -> _Search:
        line = linearisation_at(game, search.here, by)
        slopes = jax.lax.cond(
            search.anew, lambda: slopes_at(game, search.here, by, line), lambda: search.slopes
        )
        stale = search.stale & ~search.anew
        largest, step = direction(game, search.here, slopes, line, units)
        candidate = jax.tree.map(lambda x, d: x + search.length * d, search.here, step)
        new = largest_residual(game, candidate, equations(game, candidate, by), units)
        better, is_large_gain = new < largest, new < REUSED * largest
        return _Search(
            search.steps + 1,
            jax.tree.map(partial(jnp.where, better), candidate, search.here),
            jnp.where(better, new, largest),
            slopes,
            stale=stale | better,
            # a step that fails with derivatives of an earlier point is repeated with new ones, not shortened
            anew=(better & ~is_large_gain) | (~better & stale),
            length=jnp.where(better | stale, 1.0, search.length / 2),
        )

    def going(search: _Search) -> Array:
        return (search.left > 0.01 * ENOUGH) & (search.steps < ITERATIONS) & (search.length > SHORTEST)

    units, yes = environment_units(game, point), jnp.asarray(True)
    # of the types of later steps: a loop is traced a second time where its state changes type
    no_steps, far, whole = jnp.zeros((), int), jnp.full((), jnp.inf), jnp.ones(())
    begin = _Search(no_steps, point, far, no_slopes(len(units), len(point.mu)), yes, yes, whole)
    ended = jax.lax.while_loop(going, step, begin)
    return Solved(ended.here, ended.left, ended.steps)


def equations(
    game: PopulationGame, point: MeanFieldPoint, by: LogitRule
) -> tuple[Values, Distribution, Array]:
    """Return residuals of an equilibrium: Bellman's equation of pi, stationarity with mass, consistency."""
    q = operators.action_values(game, point.env, point.values)
    pi = operators.softmax(game, q, by.beta, by.exploration)
    values = jnp.sum(pi * q, axis=1) + bonus(pi, by) - point.values
    missing = oracles.spread_evenly(game, oracles.type_shares(game) - operators.by_type(game, point.mu))
    stays = oracles.push(game, point.env, point.mu[:, None] * pi) - point.mu + missing
    return values, stays, ravel_pytree(game.balance(point.env, point.mu, pi))[0]


def environment_units(game: PopulationGame, point: MeanFieldPoint) -> Array:
    """Return the unit of each equation of the environment, the same in a leaf, as one vector.

    Leaves have units of their own, such as drivers or their thousands. The unit is the largest residual where
    all agents take one action, or are in one state; the size of the leaf where its equations depend on
    neither.
    """

    def sizes(entries: Any) -> Array:
        leaves = jax.tree.map(lambda leaf: jnp.full(leaf.shape, jnp.max(jnp.abs(leaf))), entries)
        return ravel_pytree(leaves)[0]

    def of_action(action: Array) -> Array:
        is_action = jnp.where(jnp.arange(even.shape[1]) == action, 1.0, 0.0) * (even > 0)
        pi = jnp.where(jnp.any(is_action > 0, axis=1, keepdims=True), is_action, even)
        return sizes(game.balance(point.env, point.mu, pi))

    def of_state(state: Array) -> Array:
        mu = jnp.where(jnp.arange(len(even)) == state, jnp.sum(point.mu), 0.0)
        return sizes(game.balance(point.env, mu, even))

    even, env = uniform(game), sizes(point.env)
    actions, states = jnp.arange(even.shape[1]), jnp.arange(len(even))
    sizes_of_equations = jnp.concatenate([jax.lax.map(of_action, actions), jax.lax.map(of_state, states)])
    largest = jnp.max(jnp.where(jnp.isfinite(sizes_of_equations), sizes_of_equations, 0.0), axis=0)
    units = jnp.where(largest > UNMOVED * env, largest, env)
    return jnp.where(units > 0, units, 1.0)


def largest_residual(
    game: PopulationGame,
    point: MeanFieldPoint,
    residuals: tuple[Values, Distribution, Array],
    units: Float[Array, "environment"],
) -> Scalar:
    """Return the largest residual, values over the payoff scale and the environment over its ``units``.

    Infinite for an infeasible population.
    """
    largest = jnp.maximum(jnp.max(jnp.abs(residuals[0])) / scale_of(game), jnp.max(jnp.abs(residuals[1])))
    largest = jnp.maximum(largest, jnp.max(jnp.abs(residuals[2]) / units))
    # the equations also have solutions that are no populations
    real = (jnp.min(point.mu) > -NEGATIVE) & oracles.is_feasible(game, point.env)
    return jnp.where(real & ~jnp.isnan(largest), largest, jnp.inf)


class Slopes(NamedTuple):
    """Derivatives for Newton's method, after elimination of values and distribution.

    ``values`` and ``distribution`` are their changes per change of each number of the environment.
    """

    undo_values: Float[Array, "state state"]  # the inverse of Bellman's equation's derivative in the values
    undo_distribution: Float[Array, "state state"]  # the inverse of stationarity's in the distribution
    values: Float[Array, "environment state"]
    distribution: Float[Array, "environment state"]
    undo_env: Float[Array, "environment environment"]


def no_slopes(environment: int, states: int) -> Slopes:
    """Return zeros in the shapes of derivatives, for numbers of the environment and of states."""
    square, wide = jnp.zeros((states, states)), jnp.zeros((environment, states))
    return Slopes(square, square, wide, wide, jnp.zeros((environment, environment)))


class Linearisation(NamedTuple):
    """Residuals at a point, their linear map in the three unknowns, and zeros of these."""

    residuals: tuple[Values, Distribution, Array]
    along: Callable[[Values, Distribution, Array], tuple[Values, Distribution, Array]]
    zeros: tuple[Values, Distribution, Array]


def slopes_at(game: PopulationGame, point: MeanFieldPoint, by: LogitRule, line: Linearisation) -> Slopes:
    """Return the derivatives at a point.

    Those of Bellman's equation in the values, and of stationarity in the distribution, are transition
    matrices. All others are evaluated along as many directions as the environment has numbers.
    """
    along, (no_values, no_distribution, no_env) = line.along, line.zeros
    undo_values, undo_distribution = jnp.linalg.inv(_matrices(game, point, by))
    axes = jnp.eye(len(no_env))
    # block elimination: Bellman's equation does not contain the distribution, so values come first,
    # then the distribution; the environment's own equations remain
    values = -_map_in_batches(lambda e: along(no_values, no_distribution, e)[0], axes) @ undo_values.T
    change = _map_in_batches(lambda pair: along(pair[0], no_distribution, pair[1])[1:], (values, axes))
    distribution = -change[0] @ undo_distribution.T
    derivative = change[1] + _map_in_batches(lambda m: along(no_values, m, no_env)[2], distribution)
    return Slopes(undo_values, undo_distribution, values, distribution, jnp.linalg.inv(derivative.T))


def _map_in_batches(linear: Callable[..., Any], directions: object) -> Any:
    """Return a linear map at many directions, in batches whose intermediate results stay in the cache."""
    count = len(jax.tree.leaves(directions)[0])
    # filled up with zeros: the rest of a division would be a second program of the map
    missing = -count % TOGETHER

    def in_batches(rows: Array) -> Array:
        return jnp.pad(rows, ((0, missing), (0, 0))).reshape(-1, TOGETHER, rows.shape[1])

    results = jax.lax.map(jax.vmap(linear), jax.tree.map(in_batches, directions))
    return jax.tree.map(lambda batches: batches.reshape(-1, batches.shape[2])[:count], results)


def direction(
    game: PopulationGame, point: MeanFieldPoint, slopes: Slopes, line: Linearisation, units: Array
) -> tuple[Scalar, MeanFieldPoint]:
    """Return the largest residual at a point, and the Newton step from it."""
    residuals, along, (no_values, no_distribution, no_env) = line
    values = -slopes.undo_values @ residuals[0]

    def eliminate(left: tuple[Distribution, Array], is_first: Array) -> tuple[Any, Distribution]:
        """Change stationarity and the environment's equations by the values, then by the distribution."""
        distribution = -slopes.undo_distribution @ left[0]
        change = along(
            jnp.where(is_first, values, no_values), jnp.where(is_first, no_distribution, distribution), no_env
        )
        return (left[0] + change[1], left[1] + change[2]), distribution

    # one loop contains the linear map once
    ended, distributions = jax.lax.scan(eliminate, residuals[1:], jnp.arange(2) == 0)
    distribution, env = distributions[1], -slopes.undo_env @ ended[1]
    unflat = ravel_pytree(point.env)[1]
    step = MeanFieldPoint(values + env @ slopes.values, distribution + env @ slopes.distribution, unflat(env))
    return largest_residual(game, point, residuals, units), step


def linearisation_at(game: PopulationGame, point: MeanFieldPoint, by: LogitRule) -> Linearisation:
    """Return the residuals at a point with their linearisation."""
    flat, unflat = ravel_pytree(point.env)

    def parts(values: Values, mu: Distribution, env: Array) -> tuple[Values, Distribution, Array]:
        return equations(game, MeanFieldPoint(values, mu, unflat(env)), by)

    unknowns = (point.values, point.mu, flat)
    residuals, along = jax.linearize(parts, *unknowns)
    no_values, no_distribution, no_env = map(jnp.zeros_like, unknowns)
    return Linearisation(residuals, along, (no_values, no_distribution, no_env))


def _matrices(
    game: PopulationGame, point: MeanFieldPoint, by: LogitRule
) -> Float[Array, "equation state state"]:
    """Return the derivatives of Bellman's equation in the values and of stationarity in the distribution."""
    q = operators.action_values(game, point.env, point.values)
    p = operators.logit(game, q, by.beta)
    pi = (1 - by.exploration) * p + by.exploration * uniform(game)
    paid = q - by.entropy * jnp.log(jnp.where(pi > 0, pi, 1.0)) / by.beta
    # d pi = (1-exploration) beta p (dq - sum p dq), applied to sum pi q and the bonus;
    # the bonus's constant drops out, because the entries of d pi sum to 0
    weights = pi + (1 - by.exploration) * by.beta * p * (paid - jnp.sum(p * paid, axis=1, keepdims=True))
    # a loop contains the transitions once
    matrices = jax.lax.map(partial(oracles.transition_matrix, game, point.env), jnp.stack([weights, pi]))
    of_values = game.discount[:, None] * matrices[0] - jnp.eye(len(q))
    return jnp.stack([of_values, operators.balance(game, matrices[1])])

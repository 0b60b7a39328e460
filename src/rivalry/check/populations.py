"""Conformance tests of population games: all members that solvers and certificates rely on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from rivalry.check.rules import (
    CLOSE,
    TRACED,
    attempt,
    attempt_compiled,
    attempt_record,
    check_oracles,
    check_space,
    check_tables,
    require,
    require_close,
    require_shape,
)
from rivalry.core.game import PopulationGame
from rivalry.core.oracles import Oracle, to_agents
from rivalry.population import oracles, stationary_population
from rivalry.population.operators import by_type
from rivalry.population.oracles import push, spread_evenly, state_types, type_shares
from rivalry.runtime.jax import jax, jnp, put

MEMBERS = (
    *("`space`", "`discount`", "`legal`", "`environment(mu, pi)`", "`reward(env)`", "`expect(env)`"),
    "`balance(env, mu, pi)`",
)

Distribution = Float[Array, "state"]
Policy = Float[Array, "state action"]


def population_checks(game: Any, seed: int) -> list[str]:
    """Check all members of a game that methods for populations rely on, at a random policy.

    Returns their names. Raises `Unfit`.
    """
    pi = check_space(game.space, seed)[0]
    _check_shapes(game)
    mu = _check_first_distribution(game)
    env = _check_environment(game, mu, pi)
    _check_reward(game, env)
    _check_expect(game, env, seed)
    done = ["space", "shapes", "first_distribution", "environment", "reward", "expect", "jit"]
    if oracles.transition_matrix.knows(game):
        _check_transitions(game, env, pi)
        done.append("transition_matrix")
    _check_balance(game, env, mu, pi)
    done += ["balance", "gradients"]
    if not oracles.mean_field_refusal(game):
        mu, env = _check_stationary(game, pi)
        done.append("stationary population")
    return [*done, *check_oracles(_OPTIONAL, game, env, mu, pi)]


def _check_shapes(game: PopulationGame) -> None:
    """Check shapes and values of discount factors, legal actions, types and shares."""
    states, actions = game.space.shape
    legal, discount = jnp.asarray(game.legal), jnp.asarray(game.discount)
    require_shape("legal", legal, (states, actions))
    same = legal.dtype == bool and bool(jnp.all(legal == game.space.mask))
    require(same, "legal: must be the mask of the space, true where an action is one")
    require_shape("discount", discount, (states,), ", one per state")
    within = jnp.all((discount >= 0) & (discount < 1))
    require(within, f"discount: {np.asarray(discount).tolist()} must be in [0, 1)")
    types, shares = state_types(game), type_shares(game)
    require_shape("types", types, (states,), ", one per state")
    every = set(types.tolist()) == set(range(len(shares)))
    require(every, f"types: must name each of the {len(shares)} types that `share` has, from 0 on")
    require_close(shares.sum(), 1.0, "share: must sum to 1, and is off")
    for kind in range(len(shares)):
        equal = len(set(np.asarray(discount)[types == kind].tolist())) == 1
        require(equal, f"discount: differs between states of type {kind}; must be one number per type")


def _check_first_distribution(game: PopulationGame) -> Distribution:
    """Return the checked initial distribution; uniform by type if there is no stationary population."""
    if oracles.mean_field_refusal(game):
        return spread_evenly(game, type_shares(game))
    what = "first_distribution"
    remedy = "must return a distribution [state]"
    mu: Distribution = attempt_compiled(what, lambda g: oracles.first_distribution(g), game, remedy=remedy)
    require_shape(what, mu, game.space.shape[:1])
    require(jnp.all(mu >= 0), f"{what}: {np.asarray(mu).tolist()} must be at least 0")
    require_close(by_type(game, mu), type_shares(game), f"{what}: must give each type its share, and is off")
    return mu


def _check_environment(game: object, mu: Distribution, pi: Policy) -> Any:
    env = attempt_compiled("environment", lambda g, m, p: g.environment(m, p), game, mu, pi)
    flat = ravel_pytree(env)[0]
    require(jnp.all(jnp.isfinite(flat)), f"environment: {np.asarray(flat).tolist()} must be finite")
    return env


def _check_reward(game: PopulationGame, env: object) -> None:
    found = jnp.asarray(attempt_compiled("reward", lambda g, e: g.reward(e), game, env))
    require_shape("reward", found, game.space.shape, ", [state action]")
    require(found.dtype == jnp.float64, f"reward: dtype {found.dtype} must be float64")
    finite = np.isfinite(np.asarray(found)[np.asarray(game.legal)])
    require(np.all(finite), "reward: must be finite wherever an action is legal")


def _check_expect(game: PopulationGame, env: object, seed: int) -> None:
    """Check that expectations over next states preserve constants, bounds and types, and are linear."""
    states, actions = game.space.shape
    legal = np.asarray(game.legal)
    expect = eqx.filter_jit(lambda g, e, v: g.expect(e)(v))
    one, two = np.random.default_rng(seed).uniform(size=(2, states))

    def mean(v: np.ndarray) -> np.ndarray:
        found = np.asarray(attempt("expect(env)", TRACED, expect, game, env, put(v)))
        good = found.shape == (states, actions)
        require(good, f"expect(env): returns shape {found.shape}; must be {(states, actions)}")
        return np.where(legal, found, 0.0)

    require_close(
        mean(np.ones(states)), legal, "expect(env): the mean of 1 must be 1, mass being kept, and is off"
    )
    require_close(mean(2 * one + two), 2 * mean(one) + mean(two), "expect(env): must be linear, and is off")
    smallest, most = mean(one)[legal].min(), mean(one)[legal].max()
    # linear maps that keep constants and bounds are means by probabilities
    within = one.min() - CLOSE <= smallest and most <= one.max() + CLOSE
    found = f"means of numbers in [0, 1] in [{smallest:.3g}, {most:.3g}]"
    require(within, f"expect(env): {found}; must be probabilities")
    types = state_types(game)
    for kind in range(1, int(types.max()) + 1):
        own = (types == kind).astype(float)
        require_close(
            mean(own), legal * own[:, None], f"expect(env): type {kind} must keep to itself, and is off"
        )


def _check_transitions(game: object, env: object, pi: Policy) -> None:
    """Check that each row of the transition matrix is mass pushed from one state."""
    states = len(pi)

    def both(g: object, e: object, p: Policy) -> Any:
        rows = jax.vmap(lambda row: push(g, e, row[:, None] * p))(jnp.eye(states))
        return oracles.transition_matrix(g, e, p), rows

    what = "transition_matrix(game, env, weights)"
    found, pushed = attempt_compiled(what, both, game, env, pi)
    require_shape(what, found, (states, states))
    require_close(found, pushed, f"{what}: differs from pushing mass by `expect`")
    require_close(np.asarray(found).sum(axis=1), 1.0, f"{what}: rows of a policy must sum to 1, and are off")


def _check_balance(game: object, env: object, mu: Distribution, pi: Policy) -> None:
    """Check that the residual has the structure of an environment, and finite derivatives."""
    flat, unflat = ravel_pytree(env)

    def rest(g: Any, e: Array, m: Distribution, p: Policy) -> Any:
        slopes = jax.jacrev(lambda e, m, p: ravel_pytree(g.balance(unflat(e), m, p))[0], (0, 1, 2))
        return g.balance(unflat(e), m, p), slopes(e, m, p)

    left, slopes = attempt_compiled("balance", rest, game, flat, mu, pi)
    # structures as text, since they may hold arrays, which have no truth value when compared
    forms = [(str(jax.tree.structure(one)), [*map(jnp.shape, jax.tree.leaves(one))]) for one in (env, left)]
    rule = "must have the form of an environment, and tell what is left of each number"
    require(forms[0] == forms[1], f"balance: {rule}")
    finite = all(np.all(np.isfinite(np.asarray(slope))) for slope in slopes)
    require(finite, "balance: its derivatives must be finite")


def _check_stationary(game: object, pi: Policy) -> tuple[Distribution, Any]:
    """Check that all members agree in the stationary population of a policy, and return it."""
    what = "the stationary population of a policy"

    def check_agreement(g: Any, p: Policy) -> Any:
        there = stationary_population(g, p)
        return there, g.environment(there.mu, p), push(g, there.env, there.mu[:, None] * p)

    remedy = "balance and environment must have derivatives"
    there, again, pushed = attempt_compiled(what, check_agreement, game, pi, remedy=remedy)
    left = float(there.residual)
    require(left <= 1e-8, f"balance: {left:.3g} is left in {what}; must be 0 there")
    made, here = (ravel_pytree(each)[0] for each in (again, there.env))
    require_close(made, here, f"environment: differs from that of `balance` in {what}", 1e-7)
    require(np.all(np.asarray(there.mu) >= -CLOSE), f"balance: returns a distribution below 0 in {what}")
    require_close(pushed, there.mu, f"expect(env): {what} is not stationary")
    return there.mu, there.env


def _check_feasible(game: object, env: object, mu: Distribution, pi: Policy) -> None:
    what = "is_feasible(game, env)"
    good = attempt(what, "must return true or false", oracles.is_feasible, game, env)
    require(jnp.shape(good) == () and bool(good), f"{what}: is false for the environment of a policy")


def _check_metrics(game: object, env: object, mu: Distribution, pi: Policy) -> None:
    what = "population_metrics(game, env, mu, pi)"
    attempt_record(what, oracles.population_metrics, game, env, mu, pi)


def _check_agents(game: object, env: object, mu: Distribution, pi: Policy) -> None:
    """Check the input of kernels: a tuple of arrays and integers."""
    what = "to_agents(game)"
    world = attempt(what, "must return a tuple of arrays, or be left out", to_agents, game)
    check_tables(world, what, np.ndarray | int, "NumPy arrays and whole numbers")


def _check_conservation(game: object, env: object, mu: Distribution, pi: Policy) -> None:
    what = "conservation_error(game, mu, pi)"
    error, remedy = lambda g, m, p: oracles.conservation_error(g, m, p), "must return a number"
    found = attempt_compiled(what, error, game, mu, pi, remedy=remedy)
    require(jnp.shape(found) == (), f"{what}: shape {jnp.shape(found)} must be (), one number")
    if not oracles.mean_field_refusal(game):
        require_close(found, 0.0, f"{what}: must be 0, a step conserving all, and is off")


_OPTIONAL: dict[Oracle[..., Any], Callable[[Any, Any, Distribution, Policy], None]] = {
    oracles.is_feasible: _check_feasible,
    oracles.population_metrics: _check_metrics,
    oracles.conservation_error: _check_conservation,
    to_agents: _check_agents,
}

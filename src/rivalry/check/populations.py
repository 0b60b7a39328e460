"""Conformance tests of population games: shapes, rewards, expectations and derivatives at a random policy."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.check.rules import (
    CLOSE,
    TRACED,
    attempt,
    attempt_compiled,
    check_space,
    require,
    require_close,
    require_shape,
)
from rivalry.core.game import PopulationGame
from rivalry.population.oracles import spread_evenly, state_types, type_shares
from rivalry.runtime.jax import jax, jnp, put

MEMBERS = (
    *("`space`", "`discount`", "`legal`", "`environment(mu, pi)`", "`reward(env)`", "`expect(env)`"),
    "`balance(env, mu, pi)`",
)

Distribution = Float[Array, "state"]
Policy = Float[Array, "state action"]


def population_checks(game: Any, seed: int) -> list[str]:
    """Check the members of a population game at a random policy, and return their names. Raises `Unfit`."""
    pi = check_space(game.space, seed)[0]
    _check_shapes(game)
    mu = spread_evenly(game, type_shares(game))
    env = _check_environment(game, mu, pi)
    _check_reward(game, env)
    _check_expect(game, env, seed)
    _check_balance(game, env, mu, pi)
    return ["space", "shapes", "environment", "reward", "expect", "jit", "balance", "gradients"]


def _check_shapes(game: PopulationGame) -> None:
    """Check shapes and values of discount factors, legal actions, types and shares."""
    states, actions = game.space.shape
    legal, discount = jnp.asarray(game.legal), jnp.asarray(game.discount)
    require_shape("legal", legal, (states, actions))
    is_mask = legal.dtype == bool and bool(jnp.all(legal == game.space.mask))
    require(is_mask, "legal: must be the mask of the space, true where an action is one")
    require_shape("discount", discount, (states,), ", one per state")
    within = jnp.all((discount >= 0) & (discount < 1))
    require(within, f"discount: {np.asarray(discount).tolist()} must be in [0, 1)")
    types, shares = state_types(game), type_shares(game)
    require_shape("types", types, (states,), ", one per state")
    is_complete = set(types.tolist()) == set(range(len(shares)))
    require(is_complete, f"types: must name each of the {len(shares)} types that `share` has, from 0 on")
    require_close(shares.sum(), 1.0, "share: must sum to 1, and is off")
    for kind in range(len(shares)):
        equal = len(set(np.asarray(discount)[types == kind].tolist())) == 1
        require(equal, f"discount: differs between states of type {kind}; must be one number per type")


def _check_environment(game: object, mu: Distribution, pi: Policy) -> Any:
    env = attempt_compiled("environment", lambda g, m, p: g.environment(m, p), game, mu, pi)
    flat = ravel_pytree(env)[0]
    require(jnp.all(jnp.isfinite(flat)), f"environment: {np.asarray(flat).tolist()} must be finite")
    return env


def _check_reward(game: PopulationGame, env: object) -> None:
    rewards = jnp.asarray(attempt_compiled("reward", lambda g, e: g.reward(e), game, env))
    require_shape("reward", rewards, game.space.shape, ", [state action]")
    require(rewards.dtype == jnp.float64, f"reward: dtype {rewards.dtype} must be float64")
    finite = np.isfinite(np.asarray(rewards)[np.asarray(game.legal)])
    require(np.all(finite), "reward: must be finite wherever an action is legal")


def _check_expect(game: PopulationGame, env: object, seed: int) -> None:
    """Check that expectations over next states preserve constants, bounds and types, and are linear."""
    states, actions = game.space.shape
    legal = np.asarray(game.legal)
    expect = eqx.filter_jit(lambda g, e, v: g.expect(e)(v))
    first_vector, two = np.random.default_rng(seed).uniform(size=(2, states))

    def mean(v: ndarray) -> ndarray:
        means = np.asarray(attempt("expect(env)", TRACED, expect, game, env, put(v)))
        good = means.shape == (states, actions)
        require(good, f"expect(env): returns shape {means.shape}; must be {(states, actions)}")
        return np.where(legal, means, 0.0)

    require_close(
        mean(np.ones(states)), legal, "expect(env): the mean of 1 must be 1, mass being kept, and is off"
    )
    require_close(
        mean(2 * first_vector + two),
        2 * mean(first_vector) + mean(two),
        "expect(env): must be linear, and is off",
    )
    smallest, largest = mean(first_vector)[legal].min(), mean(first_vector)[legal].max()
    # linear maps that keep constants and bounds are means by probabilities
    within = first_vector.min() - CLOSE <= smallest and largest <= first_vector.max() + CLOSE
    range_text = f"means of numbers in [0, 1] in [{smallest:.3g}, {largest:.3g}]"
    require(within, f"expect(env): {range_text}; must be probabilities")
    types = state_types(game)
    for kind in range(1, int(types.max()) + 1):
        indicator = (types == kind).astype(float)
        require_close(
            mean(indicator),
            legal * indicator[:, None],
            f"expect(env): type {kind} must keep to itself, and is off",
        )


def _check_balance(game: object, env: object, mu: Distribution, pi: Policy) -> None:
    """Check that the residual has the structure of an environment, and finite derivatives."""
    flat, unflat = ravel_pytree(env)

    def residual_and_slopes(g: Any, e: Array, m: Distribution, p: Policy) -> Any:
        slopes = jax.jacrev(lambda e, m, p: ravel_pytree(g.balance(unflat(e), m, p))[0], (0, 1, 2))
        return g.balance(unflat(e), m, p), slopes(e, m, p)

    residual, slopes = attempt_compiled("balance", residual_and_slopes, game, flat, mu, pi)
    # structures as text, since they may hold arrays, which have no truth value when compared
    forms = [
        (str(jax.tree.structure(tree)), [*map(jnp.shape, jax.tree.leaves(tree))]) for tree in (env, residual)
    ]
    rule = "must have the form of an environment, and tell what is left of each number"
    require(forms[0] == forms[1], f"balance: {rule}")
    finite = all(np.isfinite(np.asarray(slope)).all() for slope in slopes)
    require(finite, "balance: its derivatives must be finite")

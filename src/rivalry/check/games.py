"""Conformance tests of games: shapes of payoffs and of rules, and derivatives, at random profiles.

Registered responses and bounds are confirmed by payoffs wherever a certificate uses them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rivalry.check.rules import (
    attempt,
    attempt_compiled,
    check_record,
    inside,
    require,
    require_shape,
)
from rivalry.core import oracles
from rivalry.core.game import Game, PopulationGame, is_agents, is_population, own_gradients, own_payoff
from rivalry.core.game import scale as scale_of
from rivalry.core.plain import register_plain
from rivalry.core.space import Profile, Space
from rivalry.population.oracles import spread_evenly, type_shares
from rivalry.runtime.jax import jax, jnp, promote_ranks
from rivalry.runtime.precision import imprecise
from rivalry.schema.validate import check_keywords

CLOSE = 1e-9  # tolerance for rounding: of probabilities, or times the payoff scale
PROFILES = 8
MEMBERS = (
    *("`space`", "`discount`", "`legal`", "`environment(mu, pi)`", "`reward(env)`", "`expect(env)`"),
    "`balance(env, mu, pi)`",
)


@check_keywords
@promote_ranks
def check_game(game: Any, *, seed: int = 0) -> tuple[str, ...]:
    """Check the space, the payoffs and the derivatives of a game at random profiles.

    Of a `PopulationGame` the shapes of its rules are checked at a random policy, of an `AgentGame` those of
    its world and metrics.

    Parameters
    ----------
    game : Game or PopulationGame or AgentGame
        The game.
    seed : int
        Seed of the profiles.

    Returns
    -------
    tuple of str
        Names of what was checked.

    Raises
    ------
    Unfit
        If a check fails. The message is one line: the call, what it returned, and what is required.

    Examples
    --------
    >>> import rivalry as rv
    >>> rv.check_game(rv.games.matrix("chicken"))
    ('protocol', 'space', 'payoffs', 'jit', 'gradients')
    """
    register_plain(game)
    require(not (reason := imprecise(game)), reason)
    if is_agents(game):
        world = attempt("world()", "must return a NamedTuple of arrays and numbers", game.world)
        require(isinstance(world, tuple), f"world(): {type(world).__name__} must be a NamedTuple")
        check_record(
            attempt("static_metrics()", "must return a record", game.static_metrics), "static_metrics()"
        )
        return ("protocol", "world", "static_metrics")
    population = is_population(game)
    rule = f"needs a property `space` and a method `payoffs(x)`, or as a population {', '.join(MEMBERS)}"
    require(population or isinstance(game, Game), f"game: {rule}")
    profiles = _profiles_of(game.space, seed)
    if population:
        _check_rules(game, profiles[0])
        return ("protocol", "space", "shapes", "environment", "reward", "expect")
    _check_payoffs(game, profiles)
    _check_gradients(game, profiles[0])
    return ("protocol", "space", "payoffs", "jit", "gradients")


def _profiles_of(space: Space, seed: int) -> list[Profile]:
    """Return random profiles, which must be inside the space."""
    rule = "must be a Box, Simplex, Choices, or have all members of `Space`"
    require(isinstance(space, Space), f"space: {rule}")
    profiles = [space.sample(key) for key in jax.random.split(jax.random.key(seed), PROFILES)]
    for x in profiles:
        require_shape("space.sample", x, space.shape)
        require(x.dtype == jnp.float64, f"space.sample: dtype {x.dtype} must be float64")
        inside(space, x, "space.sample")
        inside(space, space.project(x + jnp.where(space.mask, 0.37, 0.0)), "space.project")
    return profiles


def _check_payoffs(game: Game, profiles: list[Profile]) -> None:
    players = game.space.shape[0]
    for x in profiles:
        plain = jnp.asarray(attempt("payoffs", "must accept every profile of the space", game.payoffs, x))
        require_shape("payoffs", plain, (players,), ", one per player")
        require(plain.dtype == jnp.float64, f"payoffs: dtype {plain.dtype} must be float64")
        where = f"at {np.asarray(x).tolist()}"
        require(jnp.all(jnp.isfinite(plain)), f"payoffs: {np.asarray(plain)} {where}; must be finite")
    traced = attempt_compiled("payoffs under jit", lambda g, x: g.payoffs(x), game, x)
    gap = float(jnp.max(jnp.abs(traced - plain)))
    require(gap <= CLOSE * np.max(scale_of(game)), f"payoffs under jit: differ {where}, by {gap:.3g}")


def _check_gradients(game: Game, x: Profile) -> None:
    """Check that gradients are finite, and that registered ones are derivatives of the payoffs."""
    gradients = attempt("gradients", "payoffs must be differentiable by JAX", own_gradients, game, x)
    require_shape("gradients", gradients, x.shape)
    subject = f"gradients: {np.asarray(gradients).tolist()} at {np.asarray(x).tolist()}"
    require(jnp.all(jnp.isfinite(gradients)), f"{subject}; must be finite")
    for player in range(x.shape[0]) if oracles.gradients.knows(game) else ():
        slope = jax.grad(lambda s, p=player: own_payoff(game, x, p, s))(x[player])
        # padded entries are no choices, so their derivatives may differ
        gap = float(jnp.max(jnp.abs(jnp.where(game.space.mask[player], gradients[player] - slope, 0.0))))
        # relative to the largest entry, since rounding errors of derivatives grow with it
        small = gap <= 1e-6 * max(1.0, float(jnp.max(jnp.abs(slope))))
        rule = "must be those of payoffs, or be left out"
        require(small, f"gradients: player {player} is off by {gap:.3g}; {rule}")


def _check_rules(game: PopulationGame, pi: Profile) -> None:
    """Check shapes of a population's rules at a policy, and that expectations keep mass."""
    states, actions = game.space.shape
    legal, discount = jnp.asarray(game.legal), jnp.asarray(game.discount)
    require_shape("legal", legal, (states, actions))
    is_mask = legal.dtype == bool and bool(jnp.all(legal == game.space.mask))
    require(is_mask, "legal: must be the mask of the space, true where an action is one")
    require_shape("discount", discount, (states,), ", one per state")
    within = jnp.all((discount >= 0) & (discount < 1))
    require(within, f"discount: {np.asarray(discount).tolist()} must be in [0, 1)")
    mu = spread_evenly(game, type_shares(game))
    env = attempt_compiled("environment", lambda g, m, p: g.environment(m, p), game, mu, pi)
    finite = all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(env))
    require(finite, f"environment: {env} must be finite")
    rewards = jnp.asarray(attempt_compiled("reward", lambda g, e: g.reward(e), game, env))
    require_shape("reward", rewards, (states, actions), ", [state action]")
    finite = np.isfinite(np.asarray(rewards)[np.asarray(legal)])
    require(np.all(finite), "reward: must be finite wherever an action is legal")
    means = attempt_compiled("expect(env)", lambda g, e, v: g.expect(e)(v), game, env, jnp.ones(states))
    require_shape("expect(env)", means, (states, actions))
    gap = float(jnp.max(jnp.where(legal, jnp.abs(means - 1.0), 0.0)))
    require(gap <= CLOSE, f"expect(env): the mean of 1 must be 1, mass being kept, and is off, by {gap:.3g}")

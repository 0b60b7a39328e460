"""Conformance tests of games: spaces, payoffs and their derivatives, at random profiles.

Registered responses and bounds are confirmed by payoffs wherever a certificate uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.check.rules import (
    CLOSE,
    GRID,
    TRACED,
    attempt,
    attempt_compiled,
    attempt_record,
    check_oracles,
    check_scale,
    check_space,
    require,
    require_close,
    require_shape,
)
from rivalry.core import oracles
from rivalry.core.game import (
    AgentGame,
    Game,
    PopulationGame,
    is_agents,
    is_population,
    own_gradients,
    own_payoff,
)
from rivalry.core.game import scale as scale_of
from rivalry.core.plain import register_plain
from rivalry.core.space import Profile
from rivalry.population.oracles import spread_evenly, state_types, type_shares
from rivalry.runtime.jax import jax, jnp, promote_ranks, put
from rivalry.runtime.precision import imprecise
from rivalry.schema.validate import check_keywords

MEMBERS = (
    *("`space`", "`discount`", "`legal`", "`environment(mu, pi)`", "`reward(env)`", "`expect(env)`"),
    "`balance(env, mu, pi)`",
)

Distribution = Float[Array, "state"]
Policy = Float[Array, "state action"]
Profiles = list[Profile]
Strategies = Float[Array, "point axis"]


@check_keywords
@promote_ranks
def check_game(game: Any, *, seed: int = 0) -> tuple[str, ...]:
    """Check the space, the payoffs and the derivatives of a game at random profiles.

    A `PopulationGame` is checked at a random policy. For an `AgentGame` the world and metrics are checked.

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
    ('protocol', 'space', 'payoffs', 'jit', 'vmap', 'gradients', 'payoff_scale')
    """
    register_plain(game)
    require(not (reason := imprecise(game)), reason)
    if is_agents(game):
        return _check_agents(game)
    population, scaled = is_population(game), oracles.payoff_scale.knows(game)
    rule = f"needs a property `space` and a method `payoffs(x)`, or as a population {', '.join(MEMBERS)}"
    require(population or isinstance(game, Game), f"game: {rule}")
    if scaled:  # first: the other checks compare relative to it
        check_scale(game)
    if population:
        return ("protocol", *["payoff_scale"] * scaled, *_population_checks(game, seed))
    profiles = check_space(game.space, seed)
    _check_payoffs(game, profiles)
    _check_gradients(game, profiles[0])
    names_checked = ("protocol", "space", "payoffs", "jit", "vmap", "gradients")
    return (*names_checked, *check_oracles(_CHECKS, game, profiles))


def _check_agents(game: AgentGame) -> tuple[str, ...]:
    """Check a game of simulated agents: its world is a tuple, its metrics are a record."""
    world = attempt("world()", "must return a NamedTuple of arrays and numbers", game.world)
    require(isinstance(world, tuple), f"world(): {type(world).__name__} must be a NamedTuple")
    attempt_record("static_metrics()", game.static_metrics, remedy="must return a record")
    scale = {oracles.payoff_scale: _CHECKS[oracles.payoff_scale]}
    return ("protocol", "world", "static_metrics", *check_oracles(scale, game, []))


def _check_payoffs(game: Game, profiles: Profiles) -> None:
    players = game.space.shape[0]
    compiled = eqx.filter_jit(lambda g, x: g.payoffs(x))
    for x in profiles:
        plain = jnp.asarray(attempt("payoffs", "must accept every profile of the space", game.payoffs, x))
        require_shape("payoffs", plain, (players,), ", one per player")
        require(plain.dtype == jnp.float64, f"payoffs: dtype {plain.dtype} must be float64")
        where = f"at {np.asarray(x).tolist()}"
        require(jnp.all(jnp.isfinite(plain)), f"payoffs: {np.asarray(plain)} {where}; must be finite")
        traced = attempt("payoffs under jit", TRACED, compiled, game, x)
        _require_close(game, traced, plain, f"payoffs under jit: differ {where}")
    payoffs = jnp.stack([game.payoffs(x) for x in profiles])
    batched = attempt("payoffs under vmap", TRACED, jax.vmap(game.payoffs), jnp.stack(profiles))
    _require_close(game, batched, payoffs, "payoffs under vmap: differ from those one by one")


def _require_close(game: Game, payoffs: object, reference: object, message: str) -> None:
    require_close(payoffs, reference, message, CLOSE * scale_of(game))


def _require_derivative(derivative: Any, reference: Any, subject: str, rule: str) -> None:
    gap = float(jnp.max(jnp.abs(derivative - reference)))
    # relative to the largest entry, since rounding errors of derivatives grow with it
    small = gap <= 1e-6 * max(1.0, float(jnp.max(jnp.abs(reference))))
    require(small, f"{subject} is off by {gap:.3g}; must be {rule}, or be left out")


def _each_player(profiles: Profiles) -> Iterator[tuple[Profile, int]]:
    return ((x, player) for x in profiles for player in range(x.shape[0]))


def _check_gradients(game: Game, x: Profile) -> None:
    """Check that gradients are finite, and that registered ones are derivatives of the payoffs."""
    gradients = attempt("gradients", "payoffs must be differentiable by JAX", own_gradients, game, x)
    require_shape("gradients", gradients, x.shape)
    subject = f"gradients: {np.asarray(gradients).tolist()} at {np.asarray(x).tolist()}"
    require(jnp.all(jnp.isfinite(gradients)), f"{subject}; must be finite")
    if not oracles.gradients.knows(game):
        return
    for player in range(x.shape[0]):
        slope = jax.grad(lambda s, p=player: own_payoff(game, x, p, s))(x[player])
        # padded entries are no choices, so their derivatives may differ
        gradient = jnp.where(game.space.mask[player], gradients[player], slope)
        _require_derivative(gradient, slope, f"gradients: player {player}", "those of payoffs")


@eqx.filter_jit
def _payoffs_at(game: Game, x: Profile, player: int, strategies: Strategies) -> Array:
    """Return a player's payoffs at ``strategies``, ``[point]``, from payoffs of whole profiles."""
    return jax.vmap(lambda strategy: game.payoffs(x.at[player].set(strategy))[player])(strategies)


def _check_deviation_payoff(game: Game, profiles: Profiles) -> None:
    remedy = "must return a function of the own strategy, written with jax.numpy"
    for x, player in _each_player(profiles[:3]):
        subject = f"deviation_payoff(game, x, {player})"
        points = game.space.grid(player, GRID)
        payoff = attempt(subject, remedy, oracles.deviation_payoff, game, x, player)
        payoffs = attempt(subject, remedy, jax.vmap(payoff), points)
        reference = _payoffs_at(game, x, player, points)
        _require_close(game, payoffs, reference, f"{subject}: differs from payoffs")


def _check_jacobian(game: Game, profiles: Profiles) -> None:
    """Check that the Jacobian is the derivative of the own gradients."""
    x, subject = profiles[0], "jacobian(game, x)"
    jacobian = attempt(subject, "must be the derivative of the own gradients", oracles.jacobian, game, x)
    require_shape(subject, jnp.asarray(jacobian), (x.size, x.size))
    right = jax.jacfwd(lambda y: own_gradients(game, y.reshape(x.shape)).ravel())(x.ravel())
    _require_derivative(jnp.asarray(jacobian), right, f"{subject}:", "the derivative of own gradients")


def _population_checks(game: Any, seed: int) -> list[str]:
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


_CHECKS: dict[oracles.Oracle[..., Any], Callable[[Any, Profiles], None]] = {
    oracles.deviation_payoff: _check_deviation_payoff,
    oracles.jacobian: _check_jacobian,
    oracles.payoff_scale: lambda game, profiles: check_scale(game),
}

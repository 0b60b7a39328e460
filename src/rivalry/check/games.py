"""Conformance tests of games: spaces, payoffs and their derivatives, at random profiles.

Registered responses and bounds are confirmed by payoffs wherever a certificate uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.check.populations import MEMBERS, population_checks
from rivalry.check.rules import (
    CLOSE,
    GRID,
    TRACED,
    attempt,
    attempt_record,
    check_oracles,
    check_scale,
    check_space,
    require,
    require_close,
    require_shape,
)
from rivalry.core import oracles
from rivalry.core.game import AgentGame, Game, is_agents, is_population, own_gradients, own_payoff
from rivalry.core.game import scale as scale_of
from rivalry.core.plain import register_plain
from rivalry.core.space import Profile
from rivalry.runtime.jax import jax, jnp, promote_ranks
from rivalry.runtime.precision import imprecise
from rivalry.schema.validate import check_keywords

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
        return ("protocol", *["payoff_scale"] * scaled, *population_checks(game, seed))
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


_CHECKS: dict[oracles.Oracle[..., Any], Callable[[Any, Profiles], None]] = {
    oracles.deviation_payoff: _check_deviation_payoff,
    oracles.jacobian: _check_jacobian,
    oracles.payoff_scale: lambda game, profiles: check_scale(game),
}

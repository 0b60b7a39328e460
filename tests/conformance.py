"""Stricter tests of games of the package than those that users' games get from `rivalry.check_game`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np
from jax.flatten_util import ravel_pytree

from rivalry.check import check_game
from rivalry.core import oracles
from rivalry.core.game import Game, is_population, own_gradients
from rivalry.core.game import scale as scale_of
from rivalry.population.oracles import spread_evenly, state_types, type_shares
from rivalry.runtime.jax import floats, jax, jnp, put

PROFILES, GRID = 8, 201  # profiles, and strategies per player, about
CLOSE = 1e-9  # of probabilities, or of the payoff scale


def assert_conforms(game: Any) -> tuple[str, ...]:
    """Check a game as users' games are, and also its space and what it registers or expects."""
    if oracles.payoff_scale.knows(game):  # first: payoffs are compared relative to it
        scale = floats(oracles.payoff_scale(game))
        assert scale.ndim < 2
        assert np.all(np.isfinite(scale) & (scale > 0))
    names = check_game(game)
    if is_population(game):
        _check_population(game)
    elif isinstance(game, Game):
        profiles = _profiles_of(game.space)
        _check_profiles(game, profiles)
    return names


def _profiles_of(space: Any) -> list[Any]:
    """Return random profiles of a space, which projects to profiles and has grids of strategies."""
    profiles = []
    for key in jax.random.split(jax.random.key(0), PROFILES):
        x = space.sample(key)
        space.check(np.asarray(x))
        projection = space.project(x + jnp.where(space.mask, 0.37, 0.0))
        space.check(np.asarray(projection))
        np.testing.assert_allclose(space.project(projection), projection, atol=1e-12)
        profiles.append(x)
    for player in range(space.shape[0]):
        grid = space.grid(player, GRID)
        assert grid.shape[1] == space.shape[1]
        for strategy in grid[:: max(1, len(grid) // 5)]:
            space.check(np.asarray(profiles[0].at[player].set(strategy)))
    return profiles


@eqx.filter_jit
def _payoffs_at(game: Any, x: Any, player: int, strategies: Any) -> Any:
    return jax.vmap(lambda strategy: game.payoffs(x.at[player].set(strategy))[player])(strategies)


def _check_profiles(game: Any, profiles: list[Any]) -> None:
    """Check payoffs of several profiles together, and what is registered, against payoffs one by one."""
    size = CLOSE * np.max(scale_of(game))
    together = jax.vmap(game.payoffs)(jnp.stack(profiles))
    np.testing.assert_allclose(together, jnp.stack([game.payoffs(x) for x in profiles]), atol=size)
    x = profiles[0]
    if oracles.deviation_payoff.knows(game):
        for player in range(len(x)):
            strategies = game.space.grid(player, GRID)
            found = jax.vmap(oracles.deviation_payoff(game, x, player))(strategies)
            np.testing.assert_allclose(found, _payoffs_at(game, x, player, strategies), atol=size)
    if oracles.jacobian.knows(game):
        right = jax.jacfwd(lambda y: own_gradients(game, y.reshape(x.shape)).ravel())(x.ravel())
        slack = 1e-6 * max(1.0, float(jnp.max(jnp.abs(right))))
        np.testing.assert_allclose(oracles.jacobian(game, x), right, atol=slack)


def _check_population(game: Any) -> None:
    """Check that expectations are means by probabilities, and that the balance has finite derivatives."""
    pi, mu = _profiles_of(game.space)[0], spread_evenly(game, type_shares(game))
    types, legal = state_types(game), np.asarray(game.legal)
    assert set(types.tolist()) == set(range(len(type_shares(game))))
    np.testing.assert_allclose(type_shares(game).sum(), 1.0, atol=CLOSE)
    for kind in set(types.tolist()):
        assert len(set(np.asarray(game.discount)[types == kind].tolist())) == 1
    env = eqx.filter_jit(lambda g, m, p: g.environment(m, p))(game, mu, pi)
    expect = eqx.filter_jit(lambda g, e, v: g.expect(e)(v))
    values, further = np.random.default_rng(0).uniform(size=(2, len(types)))

    def mean(v: np.ndarray) -> np.ndarray:
        return np.where(legal, np.asarray(expect(game, env, put(v))), 0.0)

    np.testing.assert_allclose(mean(2 * values + further), 2 * mean(values) + mean(further), atol=CLOSE)
    assert values.min() - CLOSE <= mean(values)[legal].min()
    assert mean(values)[legal].max() <= values.max() + CLOSE
    for kind in set(types.tolist()):
        of_kind = (types == kind).astype(float)
        np.testing.assert_allclose(mean(of_kind), legal * of_kind[:, None], atol=CLOSE)
    _check_balance(game, env, mu, pi)


def _check_balance(game: Any, env: Any, mu: Any, pi: Any) -> None:
    flat, unflat = ravel_pytree(env)

    @eqx.filter_jit
    def residual_and_slopes(g: Any, e: Any, m: Any, p: Any) -> Any:
        slopes: Callable[..., Any] = jax.jacrev(
            lambda e, m, p: ravel_pytree(g.balance(unflat(e), m, p))[0], (0, 1, 2)
        )
        return g.balance(unflat(e), m, p), slopes(e, m, p)

    residual, slopes = residual_and_slopes(game, flat, mu, pi)
    assert str(jax.tree.structure(residual)) == str(jax.tree.structure(env))
    assert [*map(jnp.shape, jax.tree.leaves(residual))] == [*map(jnp.shape, jax.tree.leaves(env))]
    assert all(np.isfinite(np.asarray(slope)).all() for slope in slopes)

"""Payoffs of every kind of game under JAX's own transformations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.jax import eqx, jax, jnp
from rivalry.transforms import freeze
from tests.unit.test_plain_games import KINDS

BUNDLED = {
    "influencer": lambda: rv.games.influencer(reach=[0.2, 0.3]),
    "market": rv.games.market,
    "matrix": lambda: rv.games.matrix("chicken"),
    "precipice": rv.games.precipice,
    "race": rv.games.race,
    "freeze": lambda: freeze(rv.games.influencer(reach=[0.2, 0.3, 0.2]), {2: [0.5]}),
}


@pytest.mark.parametrize("kind", [*BUNDLED, *KINDS])
def test_payoffs_are_traced_by_every_transformation(kind: str) -> None:
    game: Any = (BUNDLED | KINDS)[kind]()
    x = jnp.asarray(game.space.sample(jax.random.key(0)))
    shape = jax.eval_shape(jax.jit(game.payoffs), x).shape
    assert shape == (len(x),)
    assert jax.eval_shape(jax.vmap(game.payoffs), jnp.stack([x, x])).shape == (2, *shape)
    assert jax.eval_shape(eqx.filter_jit(game.payoffs), x).shape == shape
    assert jax.eval_shape(jax.jacobian(jax.jit(game.payoffs)), x).shape == (*shape, *x.shape)
    # a program within a program, twice: JAX compares the two functions while it traces
    twice = jax.jit(lambda z: jax.jit(game.payoffs)(z) + jax.jit(game.payoffs)(x))
    assert jax.eval_shape(twice, x).shape == shape


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in BUNDLED if kind != "matrix"]


@pytest.mark.parametrize("kind", ["matrix", *SLOW, *KINDS])
def test_compiled_payoffs_and_slopes_are_those_of_the_game(kind: str) -> None:
    game: Any = (BUNDLED | KINDS)[kind]()
    x = jnp.asarray(game.space.sample(jax.random.key(0)))
    program = jax.jit(game.payoffs)
    np.testing.assert_allclose(program(x), game.payoffs(x), rtol=1e-12)
    step = 1e-6
    mover = jnp.zeros_like(x).at[0, 0].set(step)
    numeric = (program(x + mover)[0] - program(x - mover)[0]) / (2 * step)
    slope = jax.grad(lambda z: jax.jit(game.payoffs)(z)[0])(x)[0, 0]
    np.testing.assert_allclose(slope, numeric, rtol=1e-5, atol=1e-7)

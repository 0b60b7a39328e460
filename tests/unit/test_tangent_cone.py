"""Tangent cones against derivatives of projections, and Newton steps in linear games."""

import numpy as np
import pytest

from rivalry.core.space import Box, Choices, Simplex, Space, width
from rivalry.methods.dynamics import tangent_cone
from rivalry.runtime.jax import jax, jnp
from tests.small_games import linear

pytestmark = pytest.mark.slow

SPACES = [
    Box.interval(0.0, 1.0, players=3),
    Box.of([[0.0, 1.0], [2.0, 3.0]], players=2),
    Simplex((3, 4)),
    Simplex((3, 4), 0.05),
]


def at_bounds(space: Space, seed: int) -> jax.Array:
    """A random profile with some entries exactly on their bounds."""
    keys = jax.random.split(jax.random.key(seed), 2)
    x = space.sample(keys[0])
    lowered = jnp.where(jax.random.bernoulli(keys[1], 0.4, x.shape), 0.0, x)
    if isinstance(space, Simplex) and not space.min_share:
        total = lowered.sum(axis=1, keepdims=True)
        return jnp.where(total > 0, lowered / jnp.where(total > 0, total, 1.0), x)
    return space.project(lowered - 1e-3 * (lowered == 0))


@pytest.mark.parametrize("space", SPACES, ids=repr)
@pytest.mark.parametrize("seed", range(8))
def test_along_is_the_derivative_of_the_projection(space: Space, seed: int) -> None:
    x = at_bounds(space, seed)
    gradient = jnp.where(space.mask, jax.random.normal(jax.random.key(100 + seed), x.shape), 0.0)
    step = 1e-6  # shorter than the distance to any inactive bound
    moved = (space.project(x + step * gradient) - x) / step
    np.testing.assert_allclose(tangent_cone.project_gradient(space, x, gradient), moved, atol=1e-8)


@pytest.mark.parametrize("space", SPACES, ids=repr)
def test_projector_keeps_feasible_directions(space: Space) -> None:
    x = at_bounds(space, 3)
    gradient = jnp.where(space.mask, jax.random.normal(jax.random.key(5), x.shape), 0.0)
    keep = np.asarray(tangent_cone.projector(space, tangent_cone.free(space, x, gradient)))
    np.testing.assert_allclose(keep @ keep, keep, atol=1e-12)
    np.testing.assert_allclose(keep, keep.T, atol=1e-15)
    flow = np.asarray(tangent_cone.project_gradient(space, x, gradient)).ravel()
    np.testing.assert_allclose(keep @ flow, flow, atol=1e-12)
    directions = tangent_cone.basis(keep)
    np.testing.assert_allclose(directions @ directions.T, keep, atol=1e-12)


def test_spaces_without_known_bounds_have_no_active_constraints() -> None:
    space = Choices((2, 3))
    assert bool(jnp.all(tangent_cone.free(space, jnp.zeros((2, 1)), jnp.ones((2, 1)))))
    assert width(space).ravel().tolist() == [1.0, 2.0]
    assert width(Simplex((2, 2))).tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_newton_is_exact_on_a_linear_game() -> None:
    matrix, drive = np.array([[-2.0, 1.0], [0.5, -3.0]]), np.array([1.0, 2.0])
    game, x = linear(matrix, drive), jnp.array([[3.0], [-2.0]])
    root = np.linalg.solve(matrix, -drive)
    np.testing.assert_allclose((x + tangent_cone.newton_step(game, x)).ravel(), root, rtol=1e-13)


def test_newton_keeps_active_bounds() -> None:
    # the first player is at its upper bound; only the second is free
    game = linear([[-1.0, 0.0], [1.0, -2.0]], [50.0, 0.0])
    x = jnp.array([[10.0], [0.0]])
    np.testing.assert_allclose((x + tangent_cone.newton_step(game, x)).ravel(), [10.0, 5.0], rtol=1e-13)


def test_newton_on_a_singular_matrix_is_not_finite() -> None:
    game = linear([[1.0, 1.0], [1.0, 1.0]], [1.0, 2.0])
    assert not bool(jnp.all(jnp.isfinite(tangent_cone.newton_step(game, jnp.zeros((2, 1))))))

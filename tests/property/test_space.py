"""Projections onto strategy spaces: feasible, idempotent and nearest; reparametrised boxes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rivalry.core.space import Box, Simplex, lattice
from rivalry.runtime.jax import jax, jnp

pytestmark = pytest.mark.mostly_slow

numbers = st.floats(-5, 5, width=64)
SIZES = (4, 2, 3)
SIMPLEX, ABOVE = Simplex(SIZES), Simplex(SIZES, 0.05)
BOX = Box.of([[-1.0, 2.0], [0.5, 0.75]], players=3)
LEAST = 1e-9
CURVED = Box.of(
    [[0.0, 1e4], [0.0, 50.0], [0.1, 0.9], [-1.0, 1.0], [1e-3, 2.0]],
    players=2,
    coordinates=("log", "shifted", "logit", "linear", "log"),
    zero_threshold=LEAST,
)
ROUND = jax.jit(lambda x: (CURVED.unconstrain(x), CURVED.constrain(CURVED.unconstrain(x))))
PLACED = jax.jit(lambda y: CURVED.project(CURVED.constrain(y)))


@given(arrays(float, (3, 4), elements=numbers))
def test_simplex_projection_is_a_profile_and_idempotent(x: np.ndarray) -> None:
    projected = SIMPLEX.project(jnp.asarray(x))
    np.testing.assert_allclose(projected.sum(axis=1), 1.0, atol=1e-12)
    assert np.all(np.asarray(projected) >= 0)
    assert not np.asarray(projected)[~np.asarray(SIMPLEX.mask)].any()
    np.testing.assert_allclose(SIMPLEX.project(projected), projected, atol=1e-12)


@given(arrays(float, (3, 4), elements=numbers), arrays(float, (3, 4), elements=st.floats(0.01, 5)))
def test_simplex_projection_is_nearest(x: np.ndarray, weights: np.ndarray) -> None:
    """Variational inequality: ``<x - p, y - p> <= 0`` for every y in the convex set."""
    mask = np.asarray(SIMPLEX.mask)
    nearest = np.asarray(SIMPLEX.project(jnp.asarray(x)))
    other = np.where(mask, weights, 0.0)
    other /= other.sum(axis=1, keepdims=True)
    inner = np.sum(np.where(mask, (x - nearest) * (other - nearest), 0.0), axis=1)
    assert np.all(inner <= 1e-9)


@given(arrays(float, (3, 4), elements=numbers), arrays(float, (3, 4), elements=st.floats(0.01, 5)))
def test_projection_above_minima_is_feasible_nearest_idempotent(x: np.ndarray, weights: np.ndarray) -> None:
    mask = np.asarray(ABOVE.mask)
    nearest = np.asarray(ABOVE.project(jnp.asarray(x)))
    assert np.all(nearest[mask] >= 0.05)
    np.testing.assert_allclose(ABOVE.check(nearest), nearest, atol=1e-12)
    np.testing.assert_allclose(ABOVE.project(jnp.asarray(nearest)), nearest, atol=1e-12)
    other = np.where(mask, weights, 0.0)
    other = np.where(mask, 0.05 + np.asarray(ABOVE.spare) * other / other.sum(axis=1, keepdims=True), 0.0)
    inner = np.sum(np.where(mask, (x - nearest) * (other - nearest), 0.0), axis=1)
    assert np.all(inner <= 1e-9)


@pytest.mark.default
@given(arrays(float, (3, 2), elements=numbers), st.permutations(range(3)))
def test_box_projection_is_feasible_nearest_and_equivariant(x: np.ndarray, order: list[int]) -> None:
    projected = np.asarray(BOX.project(jnp.asarray(x)))
    BOX.check(projected)
    middle = (np.asarray(BOX.low) + np.asarray(BOX.high)) / 2
    assert np.all((x - projected) * (middle - projected) <= 1e-12)
    np.testing.assert_array_equal(BOX.project(jnp.asarray(x[order])), projected[order])


@given(arrays(float, (2, 5), elements=st.floats(0, 1, width=64)))
def test_reparametrisation_is_invertible_and_monotone(part: np.ndarray) -> None:
    low, high = np.asarray(CURVED.low), np.asarray(CURVED.high)
    x = np.clip(low + (high - low) * part**8, low, high)  # most of them near the low end
    inner, back = (np.asarray(part) for part in ROUND(x))
    kept = np.where((np.arange(5) == 0) & (x <= LEAST), 0.0, x)
    np.testing.assert_allclose(back, kept, rtol=1e-12, atol=1e-13 * LEAST)
    assert np.all(inner <= np.asarray(ROUND((x + high) / 2)[0]))


@given(arrays(float, (2, 5), elements=st.floats(0, 1, width=64)))
def test_every_reparametrised_point_maps_into_the_box(part: np.ndarray) -> None:
    flat = CURVED.unconstrained()
    low, high = np.asarray(flat.low), np.asarray(flat.high)
    assert np.asarray(CURVED.check(PLACED(low + (high - low) * part))).shape == (2, 5)
    assert not np.asarray(PLACED(low))[:, :2].any()  # exact zeros are attained


def test_starts_lie_in_the_usual_range_and_grids_span_the_whole_box() -> None:
    low, high = np.full((2, 1), 1.0), np.full((2, 1), 10.0)
    usual = jnp.asarray(low), jnp.asarray(high)
    box = Box(jnp.asarray(0 * low), jnp.asarray(1e6 * high), "log", jnp.asarray(1e-9 * low), *usual)
    for start in [*(box.sample(jax.random.key(k)) for k in range(5)), *lattice(box, 9)]:
        assert np.all((np.asarray(start) >= 1) & (np.asarray(start) <= 10))
    assert (float(box.grid(0, 9).min()), float(box.grid(0, 9).max())) == (0.0, 1e7)

"""Spaces: membership, grids, sampling, messages. General properties are in tests/property/test_space.py."""

import re
from typing import Any

import equinox as eqx
import numpy as np
import pytest

from rivalry.core.space import Box, Choices, Simplex, Space, directions, simplex_lattice
from rivalry.runtime.jax import jax, jnp

SPACES = [
    Box.of([[0.0, 2.0], [-1.0, 1.0]], players=3),
    Box.of([[0.1, 10.0]], players=2, coordinates="log"),
    Box.of([[0.01, 0.9]], players=2, coordinates="logit"),
    Box.of([[0.0, 1e4], [0.0, 9.0]], players=2, coordinates=("log", "shifted"), zero_threshold=1e-9),
    Simplex((2, 3, 1)),
    Simplex((3, 2), 1e-9),
    Choices((2, 4)),
]


@pytest.mark.slow
@pytest.mark.parametrize("space", SPACES, ids=repr)
def test_every_space_implements_the_protocol(space: Space) -> None:
    assert isinstance(space, Space)
    drawn = space.sample(jax.random.key(0))
    assert drawn.shape == space.shape == space.mask.shape
    np.testing.assert_allclose(space.check(drawn), drawn, rtol=1e-12)
    np.testing.assert_allclose(space.project(drawn), drawn, atol=1e-12)
    for player in range(space.shape[0]):
        rows = space.grid(player, 50)
        assert rows.shape[1] == space.shape[1]
        for row in rows:  # every grid point is a strategy
            space.check(drawn.at[player].set(row))


def test_box_grid_covers_the_corners() -> None:
    grid = np.asarray(SPACES[0].grid(0, 100))
    assert grid.shape == (100, 2)
    corners = {(x, y) for x in (0.0, 2.0) for y in (-1.0, 1.0)}
    assert corners <= {tuple(row) for row in grid.tolist()}


def test_a_grid_of_many_axes_is_spread_evenly() -> None:
    """A box of 40 axes has too many corners for memory; all grid points are used to cover every axis."""
    box = Box.of([[0.0, 1.0]] * 39 + [[1.0, np.e]], players=2, coordinates=("linear",) * 39 + ("log",))
    grid = np.array(box.grid(1, 201))
    grid[:, -1] = np.log(grid[:, -1])
    assert grid.shape == (201, 40)
    np.testing.assert_allclose(grid[:2], [[0.0] * 40, [1.0] * 40], atol=1e-15)
    gaps = np.diff(np.sort(grid, axis=0), axis=0)
    assert np.mean(np.max(gaps, axis=0) < 10 / 200) > 0.9


def test_log_grid_has_equal_ratios_and_logit_grid_equal_odds_ratios() -> None:
    amounts = np.asarray(SPACES[1].grid(0, 5)).ravel()
    np.testing.assert_allclose(amounts, 10.0 ** np.linspace(-1, 1, 5))
    shares = np.asarray(SPACES[2].grid(0, 4)).ravel()
    odds = shares / (1 - shares)
    np.testing.assert_allclose(odds[1:] / odds[:-1], odds[1] / odds[0])


@pytest.mark.slow
def test_log_box_is_sampled_evenly_over_decades() -> None:
    drawn = jax.vmap(SPACES[1].sample)(jax.random.split(jax.random.key(1), 4000))
    below = np.mean(np.asarray(drawn) < 1.0)  # 1 is the middle of 0.1 … 10 in this scale
    assert abs(below - 0.5) < 4 * 0.5 / np.sqrt(8000)


@pytest.mark.slow
def test_simplex_samples_are_uniform() -> None:
    drawn = np.asarray(jax.vmap(Simplex((3,)).sample)(jax.random.split(jax.random.key(2), 4000)))[:, 0, 0]
    # the first of three uniform shares has P(share <= t) = 1 - (1 - t)^2
    for t in (0.2, 0.5):
        assert abs(np.mean(drawn <= t) - (1 - (1 - t) ** 2)) < 4 * 0.5 / np.sqrt(4000)


def test_simplex_grid_is_the_largest_lattice_that_fits() -> None:
    grid = np.asarray(Simplex((3, 2)).grid(0, 15))
    assert len(grid) == 15  # steps of 1/4: 6 choose 2
    np.testing.assert_allclose(np.unique(grid), np.arange(5) / 4)
    padded = np.asarray(Simplex((3, 2)).grid(1, 4))
    assert padded.shape == (4, 3)
    assert not padded[:, 2].any()


@pytest.mark.slow
def test_simplex_of_one_choice() -> None:
    space = Simplex((1, 2))
    np.testing.assert_array_equal(space.grid(0, 10), [[1.0, 0.0]])
    np.testing.assert_array_equal(space.project(jnp.array([[-3.0, 7.0], [0.5, 0.5]]))[0], [1.0, 0.0])


def test_the_axis_dimension_may_be_omitted_for_one_axis() -> None:
    np.testing.assert_array_equal(Box.interval(0.0, 1.0, players=2).check([0.25, 1]), [[0.25], [1.0]])


WRONG = [
    (Box.interval(0.0, 1.0, players=2), [0.5, 1.2], "start: player 1 is at 1.2; must be in [0, 1]"),
    (SPACES[0], np.full((3, 2), 1.5), "start: player 0 is at 1.5 on axis 1; must be in [-1, 1]"),
    (SPACES[0], [0.5, 0.5], "start: shape (2,) must be (3, 2) (players, axes)"),
    (SPACES[1], ["a", 1], "start: ['a', 1] must be numbers of shape (2, 1)"),
    (SPACES[1], [1.0, np.nan], "start: player 1, axis 0 is nan; must be finite"),
    (Simplex((2, 2)), [[0.5, 0.5], [0.5, 0.4]], "start: player 1 sums to 0.9; must sum to 1"),
    (Simplex((2, 2)), [[1.5, -0.5], [0.5, 0.5]], "start: player 0, entry 1 is -0.5; must be at least 0"),
    (Simplex((1, 2)), [[0.5, 0.5], [0.5, 0.5]], "start: player 0, entry 1 is 0.5; must be 0 (no such entry)"),
    (Choices((2, 2)), [0, 1.5], "start: player 1 chooses 1.5; must be a whole number in 0..1"),
    (Choices((2, 2)), [2, 0], "start: player 0 chooses 2; must be a whole number in 0..1"),
]


@pytest.mark.parametrize(("space", "given", "message"), WRONG, ids=[message[:40] for *_, message in WRONG])
def test_points_outside_the_space_are_named(space: Space, given: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        space.check(given)


@pytest.mark.parametrize(
    ("bounds", "coordinates", "message"),
    [
        ([0.0, 1.0], "linear", "bounds: shape (2,) must be (axes, 2), one [low, high] per axis"),
        ([[1.0, 0.0]], "linear", "bounds[0]: [1.0, 0.0] must be finite with low below high"),
        ([[0.0, np.inf]], "linear", "bounds[0]: [0.0, inf] must be finite with low below high"),
        ([[0.0, 1.0]], "log", "bounds[0]: [0.0, 1.0] is outside the range of log coordinates"),
        ([[0.1, 1.0]], "logit", "bounds[0]: [0.1, 1.0] is outside the range of logit coordinates"),
    ],
)
def test_invalid_bounds_are_refused(bounds: object, coordinates: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Box.of(bounds, players=2, coordinates=coordinates)


@pytest.mark.parametrize(
    ("coordinates", "zero_threshold", "message"),
    [
        ("log", 0.0, "zero_threshold[0]: 0 must be above 0 and below 1"),
        ("shifted", None, "zero_threshold[0]: None; must be given for shifted coordinates"),
        (("log", "log"), 0.1, "coordinates: 2 words for 1 axes; must be one, or one per axis"),
    ],
)
def test_invalid_coordinates_are_refused(coordinates: Any, zero_threshold: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Box.of([[0.0, 1.0]], players=2, coordinates=coordinates, zero_threshold=zero_threshold)


@pytest.mark.slow
def test_log_and_shifted_grids_start_at_zero() -> None:
    bounds, kinds = [[0.0, 100.0], [0.0, 3.0]], ("log", "shifted")
    space = Box.of(bounds, players=2, coordinates=kinds, zero_threshold=[0.1, 1.0])
    grid = np.asarray(space.grid(1, 16))
    np.testing.assert_allclose(np.unique(grid[:, 0]), [0.0, 1.0, 10.0, 100.0], rtol=1e-12)
    np.testing.assert_allclose(np.unique(grid[:, 1]), 4.0 ** (np.arange(4) / 3) - 1, atol=1e-12)
    traced = jax.jit(lambda low: eqx.tree_at(lambda box: box.low, space, low).grid(1, 16))(space.low)
    np.testing.assert_allclose(traced, grid, rtol=1e-12)


@pytest.mark.slow
def test_a_simplex_with_a_minimum_probability() -> None:
    space = Simplex((3, 3), 0.1)
    grid = np.asarray(space.grid(0, 10))
    np.testing.assert_allclose(sorted(grid.max(axis=1))[-3:], 0.8)
    assert grid.min() == pytest.approx(0.1)
    np.testing.assert_allclose(grid.sum(axis=1), 1)
    drawn = np.asarray(space.sample(jax.random.key(3)))
    assert drawn.min() >= 0.1
    np.testing.assert_allclose(drawn.sum(axis=1), 1)
    with pytest.raises(ValueError, match=r"start: player 1, entry 0 is 0.05; must be at least 0.1"):
        space.check([[0.2, 0.3, 0.5], [0.05, 0.45, 0.5]])


@pytest.mark.parametrize("space", SPACES, ids=repr)
def test_directions_are_an_orthonormal_basis_of_the_tangent_space(space: Space) -> None:
    mask = np.asarray(space.mask)
    for own, free in zip(directions(space), mask, strict=True):
        np.testing.assert_allclose(own.T @ own, np.eye(own.shape[1]), atol=1e-12)
        kept = np.diag(free.astype(float))
        if isinstance(space, Simplex):
            kept -= np.outer(free, free) / free.sum()
        np.testing.assert_allclose(own @ own.T, kept, atol=1e-12)


def test_a_lattice_that_memory_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a grid of 14 steps on 50 shares has .* points; take fewer"):
        simplex_lattice(50, 14)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((3, 2), r"sizes: 3 must be a tuple, one per player; of equal ones: Simplex.of\(3, players=2\)"),
        ((3,), r"Simplex.of\(3, players=2\)"),
        (((2, 0),), "sizes: .* whole numbers from 1"),
        (((2, 2), 0.6), "min_share: 0.6 must be from 0 to below 1/2"),
    ],
)
def test_wrong_simplices_are_refused(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Simplex(*arguments)
    assert Simplex.of(3, players=2) == Simplex((3, 3))


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_shares_of_short_floats_are_renormalised(kind: type) -> None:
    """Rows of learners sum to 1 up to the rounding of their type; the same numbers in doubles do not."""
    shares = np.random.default_rng(0).dirichlet(np.ones(5), 2).astype(kind)
    space = Simplex((5, 5))
    found = np.asarray(space.check(shares))
    assert found.sum(axis=1) == pytest.approx([1.0, 1.0], abs=1e-15)
    assert found == pytest.approx(shares.astype(float), rel=float(5 * np.finfo(kind).eps))
    with pytest.raises(ValueError, match="must sum to 1"):
        space.check(shares.astype(float))
    with pytest.raises(ValueError, match="must sum to 1"):
        space.check(kind(1.02) * shares)

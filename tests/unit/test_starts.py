"""Starts from a lattice: the requested number, distinct, inside the space, evenly spread, deterministic."""

import numpy as np
import pytest

from rivalry.core.space import Box, Choices, Simplex, Space, lattice

SPACES = {
    "interval": (Box.interval(0.0, 1.0, players=3), 30),
    "box": (Box.of([[0, 1], [0, 5]], players=2), 20),
    "log": (Box.of([[0.1, 10.0]], players=2, coordinates="log"), 7),
    "simplex": (Simplex((3, 2)), 12),
    "least": (Simplex((3, 3), min_share=1e-3), 40),
    "choices": (Choices((2, 3)), 6),
    "one": (Box.interval(-1.0, 3.0, players=2), 1),
}


@pytest.mark.parametrize("name", SPACES)
def test_lattice_starts_are_distinct_inside_and_deterministic(name: str) -> None:
    space, count = SPACES[name]
    found = [np.asarray(x) for x in lattice(space, count)]
    for x in found:
        space.check(x)
    assert len(found) == count
    apart = [np.max(np.abs(x - y)) for k, x in enumerate(found) for y in found[:k]]
    assert min(apart, default=1.0) > 1e-6
    assert all(np.array_equal(x, y) for x, y in zip(found, lattice(space, count), strict=True))


def test_lattice_starts_on_an_interval_are_midpoints() -> None:
    found = np.concatenate(lattice(Box.interval(0.0, 1.0, players=2), 16), axis=1).T
    middles = [0.125, 0.375, 0.625, 0.875]
    assert sorted(map(tuple, found.tolist())) == [(a, b) for a in middles for b in middles]


@pytest.mark.parametrize("count", [5, 50, 77])
def test_a_subset_of_the_lattice_is_spread_evenly(count: int) -> None:
    space: Space = Box.interval(0.0, 1.0, players=3)
    np.testing.assert_allclose(np.stack(lattice(space, count))[:, :, 0].mean(axis=0), 0.5, atol=0.15)


def test_more_starts_than_profiles_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^starts: 7 must be at most 6, all there are"):
        lattice(Choices((2, 3)), 7)

"""Equilibria near given starts: which end points count as the same."""

import equinox as eqx
import numpy as np
import pytest
from jaxtyping import Array

from rivalry import Box
from rivalry.methods.limit_sets.nearby_equilibria import ends_from
from rivalry.runtime.jax import jnp

pytestmark = pytest.mark.slow


LOW, HIGH = np.log(0.1), np.log(0.5)


class TwoPeaks(eqx.Module):
    """Every player's payoff peaks at 0.1 and 0.5, whatever the others do."""

    space: Box

    def payoffs(self, x: Array) -> Array:
        y = jnp.log(jnp.maximum(x[:, 0], 1e-9))
        return -(((y - LOW) * (y - HIGH)) ** 2)


def test_end_points_are_distinguished_in_search_coordinates() -> None:
    """0.1 and 0.5 are far apart in logarithms, though close relative to a box of length 10000."""
    game = TwoPeaks(Box.of([[0.0, 1e4]], players=2, coordinates="log", zero_threshold=1e-9))
    starts = np.array([[[0.12], [0.09]], [[0.45], [0.55]], [[0.1], [0.1]]])
    ends = ends_from(game, starts, points=201)
    assert np.allclose([end.ravel() for end in ends], [[0.1, 0.1], [0.5, 0.5]], rtol=1e-6)

"""Symmetric profiles in games whose roots and eigenvalue blocks are known in closed form."""

from __future__ import annotations

import equinox as eqx
import numpy as np
import pytest
from jaxtyping import Array, Float

from rivalry.core import symmetric
from rivalry.core.game import with_
from rivalry.core.space import Box, Simplex, directions
from rivalry.runtime.jax import jnp


class Wells(eqx.Module):
    """``u_i = depth (x_i^2/2 - x_i^4/4) - pull x_i sum_j x_j / 2`` for three players; blocks are known."""

    depth: Float[Array, ""]
    pull: Float[Array, ""]
    space: Box

    def payoffs(self, x: Float[Array, "player axis"]) -> Float[Array, "player"]:
        y = x[:, 0]
        others = y.sum() - y
        return self.depth * (y**2 / 2 - y**4 / 4) - self.pull * y * others / 2


def wells(depth: float, pull: float) -> Wells:
    return Wells(jnp.asarray(depth), jnp.asarray(pull), Box.interval(-2.0, 2.0, players=3))


@pytest.mark.slow
def test_every_root_is_found_once() -> None:
    game = wells(4.0, 1.0)
    found = symmetric.roots(game, directions(game.space)[0], symmetric.starts(game.space, 41))
    outer = np.sqrt(3 / 4)  # 4 (x - x^3) - x = 0
    np.testing.assert_allclose(found[:, 0], [-outer, 0.0, outer], atol=1e-10)


@pytest.mark.slow
def test_eigenvalues_match_the_two_blocks() -> None:
    games = [wells(depth, 1.0) for depth in (4.0, 3.0, 2.0)]
    found = symmetric.follow_root(games, np.eye(1), np.array([0.9]))
    split, together, alone = symmetric.eigenvalues(found, 3)
    for k, depth in enumerate((4.0, 3.0, 2.0)):
        y = np.sqrt(1 - 1 / depth)
        own, other = depth * (1 - 3 * y**2), -0.5
        assert found.position[k, 0] == pytest.approx(y, abs=1e-9)
        assert split[k, 0] == pytest.approx(own - other, abs=1e-7)
        assert together[k, 0] == pytest.approx(own + 2 * other, abs=1e-7)
        assert alone[k, 0] == pytest.approx(own, abs=1e-7)


@pytest.mark.slow
def test_a_given_position_is_kept_and_a_lost_root_ends_the_scan() -> None:
    games = [wells(depth, 1.0) for depth in (2.0, 1.5)]
    there = symmetric.follow_root(games, np.eye(1), np.array([0.3]), fixed=True)
    assert there.position.ravel().tolist() == [0.3, 0.3]
    assert there.gradient == pytest.approx([2 * (0.3 - 0.027) - 0.3, 1.5 * (0.3 - 0.027) - 0.3])
    flat = with_(games[0], depth=0.0, pull=0.0)  # a gradient that vanishes everywhere has no Newton step
    lost = symmetric.follow_root([flat, games[0]], np.eye(1), np.array([0.3]))
    assert lost.root.tolist() == [False]


def test_starts_avoid_the_corners_of_a_simplex() -> None:
    positions = symmetric.starts(Simplex((3, 3)), 41)
    assert positions.min() > 0.03
    np.testing.assert_allclose(positions.sum(axis=1), 1)


def test_games_of_different_structure_are_refused() -> None:
    other = Wells(jnp.asarray(1.0), jnp.asarray(1.0), Box.interval(-2.0, 2.0, players=4))
    with pytest.raises(ValueError, match="differ in more than numbers"):
        symmetric.follow_root([wells(1.0, 1.0), other], np.eye(1), np.array([0.0]))

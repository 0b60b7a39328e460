"""Walks: transitions, payoffs, starts, observations, and validation."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.tables.action_grid import grid_points, moves_between
from rivalry.transforms import walks
from rivalry.transforms.units import strategies, units

pytestmark = pytest.mark.mostly_slow

KEY = jax.random.key(0)


def at(game: Any, position: Any, moves: Any) -> np.ndarray:
    """Return the positions after one step."""
    state = game.reset(KEY)._replace(position=jnp.asarray(position))
    return np.asarray(game.step(state, jnp.asarray(moves, dtype=float), KEY)[0].position)


@pytest.mark.parametrize("space", ["interval", "box", "simplex"])
@pytest.mark.nightly
def test_moves_match_the_tabulated_moves(space: str) -> None:
    """From every grid point, including the ends, each move leads to the same point as in the tables."""
    more = {"kernel": "dirichlet"} if space == "simplex" else {"reach": 0.3}
    base = rv.games.influencer(space=space, **more)
    game = walks(base, step=0.25)
    points = grid_points(base.space, 5)
    moves = moves_between(base.space, 5, points)
    assert game.space.sizes == (moves.shape[2],) * 2
    for standing in range(points.shape[1]):
        for move in range(moves.shape[2]):
            found = at(game, points[:, standing], [[move], [move]])
            np.testing.assert_allclose(found, points[[0, 1], moves[:, standing, move]], atol=1e-12)


def test_positions_stay_on_the_grid_over_many_steps() -> None:
    game = walks(rv.games.influencer(), step=0.1, start=[0.3, 0.7])
    state, draw = game.reset(KEY), np.random.default_rng(1)
    for _ in range(60):
        state, rewards, over, cut = game.step(state, jnp.asarray(draw.integers(0, 3, (2, 1)) * 1.0), KEY)
        position = np.asarray(state.position)
        np.testing.assert_array_equal(position, np.round(position / 0.1) * 0.1)
        np.testing.assert_array_equal(rewards, game.game.payoffs(state.position))
        assert not over
        assert not cut
    assert int(state.period) == 60


def test_a_grid_may_end_below_the_upper_bound() -> None:
    game = walks(rv.games.influencer(), step=0.3)
    np.testing.assert_allclose(at(game, [[0.9], [0.0]], [[2], [0]]), [[0.9], [0.0]])
    starts = {round(float(x), 9) for key in jax.random.split(KEY, 60) for x in game.reset(key).position[:, 0]}
    assert starts == {0.0, 0.3, 0.6, 0.9}


def test_continuous_moves() -> None:
    """A player whose move would leave the space stays on all axes; the other player moves."""
    base = rv.games.influencer(space="box", reach=0.3)
    game = walks(base, step=[0.1, 0.2], moves="continuous", periods=2)
    np.testing.assert_allclose(game.space.high, [[0.1, 0.2]] * 2)
    found = at(game, [[0.95, 0.5], [0.5, 0.5]], [[0.1, 0.2], [-0.1, 0.2]])
    np.testing.assert_allclose(found, [[0.95, 0.5], [0.4, 0.7]])
    state = game.reset(KEY)
    cuts = []
    for _ in range(2):
        state, _, over, cut = game.step(state, jnp.zeros((2, 2)), KEY)
        cuts.append((bool(over), bool(cut)))
    assert cuts == [(False, False), (False, True)]


@pytest.mark.representative
@pytest.mark.default_only("continuous")
@pytest.mark.parametrize("moves", ["discrete", "continuous"])
def test_starts_are_uniform(moves: Any) -> None:
    game = walks(rv.games.influencer(bounds=[-1.0, 3.0]), step=1.0, moves=moves)
    samples = np.asarray(jax.vmap(lambda key: game.reset(key).position)(jax.random.split(KEY, 4000)))
    chances = (
        np.histogram(samples, bins=5, range=(-1.5, 3.5) if moves == "discrete" else (-1, 3))[0] / samples.size
    )
    np.testing.assert_allclose(chances, 0.2, atol=4 * np.sqrt(0.16 / samples.size))


def test_starts_on_a_simplex_are_uniform_over_its_lattice() -> None:
    game = walks(rv.games.influencer(space="simplex", kernel="dirichlet"), step=0.5)
    samples = np.asarray(jax.vmap(lambda key: game.reset(key).position)(jax.random.split(KEY, 2000)))
    points, counts = np.unique(samples.reshape(-1, 3).round(6), axis=0, return_counts=True)
    assert len(points) == 6
    np.testing.assert_allclose(counts / 4000, 1 / 6, atol=4 * np.sqrt(5 / 36 / 4000))


def test_steps_are_equal_in_the_coordinates_of_a_box() -> None:
    """Two steps up from 1 by factors of 10, in a box with log coordinates."""

    class Effort:
        space = rv.Box.of([[0.1, 1000.0]], players=2, coordinates="log")

        def payoffs(self, x: Any) -> Any:
            return -x[:, 0]

    game = walks(Effort(), step=float(np.log(10.0)), start=[1.0, 100.0])
    state = game.reset(KEY)
    for _ in range(2):
        state, rewards, *_ = game.step(state, jnp.array([[2.0], [2.0]]), KEY)
    np.testing.assert_allclose(state.position, [[100.0], [1000.0]], rtol=1e-9)
    np.testing.assert_allclose(rewards, [-100.0, -1000.0], rtol=1e-9)
    np.testing.assert_allclose(oracles.normalized_observation(game, state), [[0.5], [1.0]], atol=1e-9)


def test_own_and_joint_observations() -> None:
    base = rv.games.influencer(players=3, bounds=[0.0, 10.0], reach=1.0)
    start = [0.0, 5.0, 10.0]
    own, joint = (walks(base, step=1.0, start=start, observation=word) for word in ("own", "joint"))
    assert own.observe(own.reset(KEY)).tolist() == [[0.0], [5.0], [10.0]]
    assert joint.observe(joint.reset(KEY)).tolist() == [[0.0, 5.0, 10.0], [5.0, 0.0, 10.0], [10.0, 0.0, 5.0]]
    seen = oracles.normalized_observation(joint, joint.reset(KEY))
    assert seen.tolist() == [[-1.0, 0.0, 1.0], [0.0, -1.0, 1.0], [1.0, -1.0, 0.0]]


@pytest.mark.default
def test_wrong_input_is_refused() -> None:
    game = rv.games.influencer()
    simplex = rv.games.influencer(space="simplex", kernel="dirichlet")
    for changes, message in (
        ({"step": 0.0}, "step: 0.0 must be above 0"),
        ({"step": [0.1, 0.1]}, "step: .* must be a number, or one for each of 1 axes"),
        ({"step": 2.0}, "step: 2 must be at most 1, the width of player 0's space"),
        ({"moves": "jump"}, "moves: 'jump' is unknown"),
        ({"observation": "all"}, "observation: 'all' is unknown"),
        ({"periods": 0}, "periods: 0 must be a whole number"),
        ({"start": [0.25, 0.5]}, "start: player 0 is at 0.25; must be 0 and whole steps"),
        ({"start": [2.0, 0.5]}, "start: player 0 is at 2; must be in"),
    ):
        with pytest.raises(ValueError, match=message):
            walks(game, **({"step": 0.1} | changes))
    with pytest.raises(ValueError, match=r"step: 0\.3 must be 1 over a whole number, on a simplex"):
        walks(simplex, step=0.3)
    with pytest.raises(ValueError, match="space: Simplex with continuous moves; must be a Box"):
        walks(simplex, step=0.1, moves="continuous")
    with pytest.raises(ValueError, match="game: City must have a space and payoffs"):
        walks(rv.games.city(network="stubs_2x2", agents=20, capacity=2), step=0.1)


def test_actions_and_strategies_are_inverse_in_a_box() -> None:
    """Actions of -1 and 1 are exactly the bounds, in linear and in log coordinates."""
    space = rv.Box.of([[0.0, 4.0], [0.1, 1000.0]], players=2, coordinates=("linear", "log"))
    actions = jnp.array([[-1.0, 1.0], [0.3, -0.6]])
    x = strategies(space, actions)
    np.testing.assert_array_equal(x[0], [0.0, 1000.0])
    np.testing.assert_allclose(x[1], [2.6, 0.1 * 10 ** (4 * 0.2)], rtol=1e-12)
    np.testing.assert_allclose(units(space, x), actions, atol=1e-12)


def test_actions_on_a_simplex_are_corners() -> None:
    space = rv.Simplex((3, 2), 0.1)
    corners = strategies(space, jnp.array([[2.0], [0.0]]))
    np.testing.assert_allclose(corners, [[0.1, 0.1, 0.8], [0.9, 0.1, 0.0]])
    assert units(space, corners) is corners


@pytest.mark.default
def test_actions_of_choices_are_indices() -> None:
    space = rv.Choices((3, 1))
    x = strategies(space, jnp.array([[1.0], [0.0]]))
    assert x.tolist() == [[1.0], [0.0]]
    assert units(space, x).tolist() == [[0.0], [-1.0]]
    with pytest.raises(ValueError, match="space: str must be a Box, a Simplex or Choices"):
        strategies("line", x)

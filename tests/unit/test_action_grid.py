"""Action grids and moves between their points."""

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.space import Box, Choices, Simplex, simplex_lattice
from rivalry.tables.action_grid import grid_points, moves_between


def test_moves_on_an_interval() -> None:
    space = Box.interval(-1.0, 3.0, players=2)
    points = grid_points(space, 5)
    assert (points.shape, points[1, :, 0].tolist()) == ((2, 5, 1), [-1.0, 0.0, 1.0, 2.0, 3.0])
    moves = moves_between(space, 5, points)
    assert moves[0].tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 4]]


def test_moves_on_a_box_change_one_axis() -> None:
    space = Box.of([[0.0, 2.0], [0.0, 4.0]], players=1)
    points = grid_points(space, 3)[0]
    assert (points.shape, points[:4].tolist()) == ((9, 2), [[0, 0], [0, 2], [0, 4], [1, 0]])
    moves = moves_between(space, 3, points[None])[0]
    assert points[moves[4]].tolist() == [[0, 2], [1, 0], [1, 2], [2, 2], [1, 4]]
    for standing in range(9):  # each move changes at most one axis, by one step
        apart = np.abs(points[moves[standing]] - points[standing]) / [1, 2]
        assert np.all(apart.sum(axis=1) <= 1)
        assert np.array_equal(moves[standing, 2], standing)


@pytest.mark.parametrize(("corners", "steps"), [(2, 4), (3, 3), (4, 2)])
def test_moves_on_a_simplex_transfer_one_unit(corners: int, steps: int) -> None:
    space = Simplex((corners,))
    points = grid_points(space, steps + 1)[0]
    moves = moves_between(space, steps + 1, points[None])[0]
    np.testing.assert_allclose(points.sum(axis=1), 1.0)
    assert len({tuple(row) for row in points.tolist()}) == len(points)
    half = corners * (corners - 1) // 2
    assert moves.shape[1] == 2 * half + 1
    assert np.array_equal(moves[:, half], np.arange(len(points)))
    for standing, row in enumerate(moves):
        changes = (points[row] - points[standing]) * steps
        np.testing.assert_allclose(changes.sum(axis=1), 0.0, atol=1e-12)
        assert set(np.round(np.abs(changes).sum(axis=1))) <= {0.0, 2.0}
        for move, there in enumerate(row):  # every move has an inverse
            if there != standing:
                opposite = move + half + 1 if move < half else move - half - 1
                assert moves[there, opposite] == standing


def test_moves_on_a_two_action_simplex() -> None:
    assert simplex_lattice(2, 2).tolist() == [[2, 0], [1, 1], [0, 2]]
    moves = moves_between(Simplex((2,)), 3, grid_points(Simplex((2,)), 3))[0]
    assert moves.tolist() == [[1, 0, 0], [2, 1, 0], [2, 2, 1]]


def test_simplex_grids_respect_the_minimum_probability() -> None:
    space = Simplex((3, 3), min_share=0.01)
    points = grid_points(space, 3)
    assert points.min() == pytest.approx(0.01)
    space.check(points[:, 0])


def test_grids_of_different_sizes_are_padded() -> None:
    space = Simplex((2, 3))
    points = grid_points(space, 3)
    assert np.isnan(points[0, 3:]).all()
    assert not np.isnan(points[1]).any()
    moves = moves_between(space, 3, points)
    assert moves.shape == (2, 6, 7)
    assert np.array_equal(moves[0, :, 3:], np.repeat(np.arange(6)[:, None], 4, axis=1))  # padding stays
    assert grid_points(Choices((2, 3)), 99)[..., 0].tolist()[1] == [0.0, 1.0, 2.0]
    assert moves_between(Choices((2, 3)), 99, grid_points(Choices((2, 3)), 99)).size == 0


def test_custom_grid_points() -> None:
    space = Box.interval(0.0, 1.0, players=2)
    for given in ([0.1, 0.5, 0.9], np.array([[0.1], [0.5], [0.9]]), [[0.1, 0.5, 0.9]] * 2):
        points = grid_points(space, given)
        assert points[..., 0].tolist() == [[0.1, 0.5, 0.9]] * 2
        assert moves_between(space, given, points)[1].tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 2]]
    ragged = grid_points(space, [[0.1, 0.5], [0.0, 0.5, 1.0]])
    assert np.isnan(ragged[0, 2, 0])
    assert moves_between(space, [[0.1, 0.5], [0.0, 0.5, 1.0]], ragged)[0].tolist() == [
        [0, 0, 1], [0, 1, 1], [2, 2, 2]
    ]  # fmt: skip
    square = Box.of([[0.0, 1.0]] * 2, players=3)
    assert grid_points(square, [[0, 0], [1, 1]]).shape == (3, 2, 2)
    assert grid_points(square, [[[0, 0], [1, 1]]] * 3).shape == (3, 2, 2)


@pytest.mark.parametrize(
    ("action_grid", "message"),
    [
        (1, "action_grid: 1 must be at least 2"),
        ([0.5], r"action_grid\[0\]: 1 given; must be at least 2"),
        ([0.5, 1.5], r"action_grid, point 1: player 0 is at 1.5; must be in \[0, 1\]"),
        ([[0.0, 1.0]] * 3, "action_grid: 3 lists for 2 players"),
        (["a", "b"], r"action_grid\[0\]: .* must be numbers"),
        ([[[0.0, 1.0], [0.5, 0.5]]] * 2, r"action_grid\[0\]: shape \(2, 2\) must be \(actions, 1\)"),
    ],
)
def test_wrong_grid_points_are_refused(action_grid: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grid_points(Box.interval(0.0, 1.0, players=2), action_grid)


@pytest.mark.parametrize("second", [[0.1, 0.9, 0.5], [0.1, 0.5, 0.5]])
def test_grid_points_of_firms_must_increase(second: list[float]) -> None:
    learner = rv.methods.RepeatedQLearning(
        sessions=1, stopping={"stable_periods": 0, "max_periods": 10}, action_grid=[[0.1, 0.5, 0.9], second]
    )
    with pytest.raises(ValueError, match=r"action_grid\[1\]: .* must rise, none named twice"):
        rv.solve(rv.games.market(), learner)


def test_grids_without_moves_are_refused() -> None:
    line, square = Box.interval(0.0, 1.0, players=2), Box.of([[0.0, 1.0]] * 2, players=2)
    with pytest.raises(ValueError, match=r"action_grid\[0\]: .* must rise"):
        moves_between(line, [0.5, 0.1], grid_points(line, [0.5, 0.1]))
    corners = [[0, 0], [1, 1]]
    with pytest.raises(ValueError, match="walk: explicit points"):
        moves_between(square, corners, grid_points(square, corners))

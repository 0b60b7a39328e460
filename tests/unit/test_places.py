"""Action grids and moves between their points."""

from __future__ import annotations

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.space import Box, Choices, Simplex, simplex_lattice
from rivalry.tables.action_grid import moves_between, places_of


def test_moves_on_an_interval() -> None:
    space = Box.interval(-1.0, 3.0, players=2)
    places = places_of(space, 5)
    assert places.shape == (2, 5, 1)
    assert places[1, :, 0].tolist() == [-1.0, 0.0, 1.0, 2.0, 3.0]
    moves = moves_between(space, 5, places)
    assert moves[0].tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 4]]


def test_moves_on_a_box_change_one_axis() -> None:
    space = Box.of([[0.0, 2.0], [0.0, 4.0]], players=1)
    places = places_of(space, 3)[0]
    assert places.shape == (9, 2)
    assert places[:4].tolist() == [[0, 0], [0, 2], [0, 4], [1, 0]]
    moves = moves_between(space, 3, places[None])[0]
    assert places[moves[4]].tolist() == [[0, 2], [1, 0], [1, 2], [2, 2], [1, 4]]
    for standing in range(9):  # each move changes at most one axis, by one step
        apart = np.abs(places[moves[standing]] - places[standing]) / [1, 2]
        assert np.all(apart.sum(axis=1) <= 1)
        assert np.array_equal(moves[standing, 2], standing)


@pytest.mark.parametrize(("corners", "steps"), [(2, 4), (3, 3), (4, 2)])
def test_moves_on_a_simplex_transfer_one_unit(corners: int, steps: int) -> None:
    space = Simplex((corners,))
    places = places_of(space, steps + 1)[0]
    moves = moves_between(space, steps + 1, places[None])[0]
    np.testing.assert_allclose(places.sum(axis=1), 1.0)
    assert len({tuple(row) for row in places.tolist()}) == len(places)
    half = corners * (corners - 1) // 2
    assert moves.shape[1] == 2 * half + 1
    assert np.array_equal(moves[:, half], np.arange(len(places)))
    for standing, row in enumerate(moves):
        changes = (places[row] - places[standing]) * steps
        np.testing.assert_allclose(changes.sum(axis=1), 0.0, atol=1e-12)
        assert set(np.round(np.abs(changes).sum(axis=1))) <= {0.0, 2.0}
        for move, there in enumerate(row):  # every move has an inverse
            if there != standing:
                opposite = move + half + 1 if move < half else move - half - 1
                assert moves[there, opposite] == standing


def test_moves_on_a_two_action_simplex() -> None:
    assert simplex_lattice(2, 2).tolist() == [[2, 0], [1, 1], [0, 2]]
    moves = moves_between(Simplex((2,)), 3, places_of(Simplex((2,)), 3))[0]
    assert moves.tolist() == [[1, 0, 0], [2, 1, 0], [2, 2, 1]]


def test_simplex_grids_respect_the_minimum_probability() -> None:
    space = Simplex((3, 3), min_share=0.01)
    places = places_of(space, 3)
    assert places.min() == pytest.approx(0.01)
    space.check(places[:, 0])


def test_grids_of_different_sizes_are_padded() -> None:
    space = Simplex((2, 3))
    places = places_of(space, 3)
    assert np.isnan(places[0, 3:]).all()
    assert not np.isnan(places[1]).any()
    moves = moves_between(space, 3, places)
    assert moves.shape == (2, 6, 7)
    assert np.array_equal(moves[0, :, 3:], np.repeat(np.arange(6)[:, None], 4, axis=1))  # padding stays
    assert places_of(Choices((2, 3)), 99)[..., 0].tolist()[1] == [0.0, 1.0, 2.0]
    assert moves_between(Choices((2, 3)), 99, places_of(Choices((2, 3)), 99)).size == 0


def test_custom_grid_points() -> None:
    space = Box.interval(0.0, 1.0, players=2)
    for given in ([0.1, 0.5, 0.9], np.array([[0.1], [0.5], [0.9]]), [[0.1, 0.5, 0.9]] * 2):
        places = places_of(space, given)
        assert places[..., 0].tolist() == [[0.1, 0.5, 0.9]] * 2
        assert moves_between(space, given, places)[1].tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 2]]
    ragged = places_of(space, [[0.1, 0.5], [0.0, 0.5, 1.0]])
    assert np.isnan(ragged[0, 2, 0])
    assert moves_between(space, [[0.1, 0.5], [0.0, 0.5, 1.0]], ragged)[0].tolist() == [
        [0, 0, 1], [0, 1, 1], [2, 2, 2]
    ]  # fmt: skip
    square = Box.of([[0.0, 1.0]] * 2, players=3)
    assert places_of(square, [[0, 0], [1, 1]]).shape == (3, 2, 2)
    assert places_of(square, [[[0, 0], [1, 1]]] * 3).shape == (3, 2, 2)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (1, "places: 1 must be at least 2"),
        ([0.5], r"places\[0\]: 1 given; must be at least 2"),
        ([0.5, 1.5], r"places, number 1: player 0 is at 1.5; must be in \[0, 1\]"),
        ([[0.0, 1.0]] * 3, "places: 3 lists for 2 players"),
        (["a", "b"], r"places\[0\]: .* must be numbers"),
        ([[[0.0, 1.0], [0.5, 0.5]]] * 2, r"places\[0\]: shape \(2, 2\) must be \(actions, 1\)"),
    ],
)
def test_wrong_grid_points_are_refused(places: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        places_of(Box.interval(0.0, 1.0, players=2), places)


@pytest.mark.parametrize("second", [[0.1, 0.9, 0.5], [0.1, 0.5, 0.5]])
def test_grid_points_of_firms_must_increase(second: list[float]) -> None:
    learner = rv.methods.RepeatedQLearning(sessions=1, periods=10, places=[[0.1, 0.5, 0.9], second])
    with pytest.raises(ValueError, match=r"places\[1\]: .* must rise, none named twice"):
        rv.solve(rv.games.market(), learner)


def test_grids_without_moves_are_refused() -> None:
    line, square = Box.interval(0.0, 1.0, players=2), Box.of([[0.0, 1.0]] * 2, players=2)
    with pytest.raises(ValueError, match=r"places\[0\]: .* must rise"):
        moves_between(line, [0.5, 0.1], places_of(line, [0.5, 0.1]))
    corners = [[0, 0], [1, 1]]
    with pytest.raises(ValueError, match="walk: places of your own"):
        moves_between(square, corners, places_of(square, corners))

"""Action grids from levels on the axes of a box: grid points, moves, and wrong input."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from rivalry.core.space import Box, Simplex
from rivalry.tables.action_grid import axis_levels, check_levels, grid_points, moves_between

BOX = Box.of([[0.0, 9.0], [0.0, 4.0]], players=2)
LOG = {"kind": "log", "from": 1.0, "to": 4.0, "count": 3}


def test_the_first_axis_is_the_slowest() -> None:
    points = grid_points(BOX, [{"kind": "levels", "levels": [0, 5, 9]}, LOG])
    expected = list(product([0.0, 5.0, 9.0], [1.0, 2.0, 4.0]))
    np.testing.assert_allclose(points, [expected] * 2, rtol=1e-15)


@pytest.mark.parametrize(
    ("tables", "lines"),
    [
        (LOG, [[1, 2, 4], [1, 2, 4]]),
        ({"kind": "linear", "from": 0.0, "to": 4.0, "count": 3}, [[0, 2, 4], [0, 2, 4]]),
        ({"kind": "levels", "levels": [0, 1]}, [[0, 1], [0, 1]]),
        ({"kind": "levels", "levels": [[0, 1, 2], [3]]}, [[0, 1, 2], [3]]),
        ([LOG, {"kind": "linear", "from": 2.0, "to": 3.0, "count": 1}], [[1, 2, 4], [2]]),
    ],
)
def test_one_table_for_all_axes_or_one_per_axis(tables: Any, lines: list[list[float]]) -> None:
    for own in axis_levels(BOX, tables):
        assert len(own) == 2
        for found, expected in zip(own, lines, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_end_points_may_differ_between_players() -> None:
    points = grid_points(BOX, {"kind": "log", "from": [1.0, 2.0], "to": 4.0, "count": 2})
    np.testing.assert_allclose(points[0], [(1, 1), (1, 4), (4, 1), (4, 4)])
    np.testing.assert_allclose(points[1], [(2, 2), (2, 4), (4, 2), (4, 4)])


def test_moves_change_one_axis_by_one_level() -> None:
    tables = [LOG, {"kind": "levels", "levels": [0, 1, 2, 3]}]
    moves = moves_between(BOX, tables, grid_points(BOX, tables))
    assert moves.shape == (2, 12, 5)
    grid = np.arange(12).reshape(3, 4)
    for row, column in product(range(3), range(4)):
        down, left = grid[max(row - 1, 0), column], grid[row, max(column - 1, 0)]
        up, right = grid[min(row + 1, 2), column], grid[row, min(column + 1, 3)]
        assert moves[1, grid[row, column]].tolist() == [down, left, grid[row, column], up, right]


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"kind": "lag"}, "action_grid.kind: 'lag' is unknown"),
        ({"kind": "log", "from": 1.0, "to": 2.0}, "action_grid.count: is missing"),
        ({"kind": "levels", "levels": [1, 2], "to": 3.0}, "action_grid.to: is not known"),
        ({**LOG, "from": 0.0}, "action_grid.from: 0 must be above 0"),
        ({**LOG, "from": 5.0}, "action_grid.from: 5.0 must be below to = 4.0"),
        ({**LOG, "count": 0}, "action_grid.count: 0 must be a whole number of at least 1"),
        ({**LOG, "to": "far"}, "action_grid.to: 'far' must be a finite number"),
        ({"kind": "levels", "levels": [2, 1]}, r"action_grid.levels: \[2, 1\] must be finite numbers"),
        ({"kind": "levels", "levels": "all"}, "action_grid.levels: 'all' must be a list"),
        ([LOG, {"kind": "levels", "levels": [[1, 2], [3, 4]]}], r"action_grid\[1\].levels: 2 lists; must be"),
    ],
)
def test_wrong_tables_are_refused_in_one_line(tables: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words) as error:
        check_levels(tables)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("space", "tables", "words"),
    [
        (Simplex((3, 3)), LOG, "action_grid: a Simplex has no axes with levels"),
        (BOX, [LOG], "action_grid: 1 tables for 2 axes"),
        (BOX, {"kind": "levels", "levels": [[1], [2], [3]]}, "action_grid.levels: 3 lists for 2 axes"),
        (BOX, {**LOG, "from": [1.0, 1.0, 1.0]}, "action_grid.from: 3 numbers must be 2, one per player"),
        (BOX, {**LOG, "to": 8.0}, "player 0 is at 8 on axis 1"),
        (BOX, {"kind": "levels", "levels": [1.0]}, "action_grid: 1 for player 0; must be at least 2"),
    ],
)
def test_levels_outside_the_space_are_refused(space: Any, tables: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        grid_points(space, tables)

"""Boxes with at most one first-order point of any side: P-matrices, sampled games, and tampered proofs."""

from itertools import combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.proofs import box_search
from rivalry.proofs.arithmetic.matrices import diagonally_dominant
from rivalry.proofs.first_order import FirstOrder, at_most_one_point, excluded, first_order
from rivalry.proofs.spaces.coordinates import OPEN, coordinates
from tests.unit.test_games_of_sums import first_order_points, random_game
from tests.unit.test_lists_of_games import Custom, same_rows


def known(low: np.ndarray, high: np.ndarray) -> FirstOrder:
    """Return boxes of which derivatives of slopes are known alone, ``[box coordinate coordinate]``."""
    row = np.zeros(low.shape[:2])
    smooth = np.ones(len(low), dtype=bool)
    given = {"jacobian_low": low, "jacobian_high": high, "unique": smooth, "smooth": smooth}
    return FirstOrder(**(dict.fromkeys(FirstOrder._fields, row) | given))


def is_p_matrix(matrix: np.ndarray) -> bool:
    size = len(matrix)
    subsets = (own for k in range(1, size + 1) for own in combinations(range(size), k))
    return all(np.linalg.det(matrix[np.ix_(own, own)]) > 0 for own in subsets)


@pytest.mark.slow
def test_matrices_of_boxes_with_one_point_are_p_matrices() -> None:
    rng = np.random.default_rng(0)
    middle = rng.normal(size=(3000, 4, 4)) - 2 * np.eye(4) * rng.random((3000, 1, 1))
    radius = rng.random((3000, 4, 4)) * rng.choice([0.01, 0.1, 0.5], (3000, 1, 1))
    single = at_most_one_point(known(middle - radius, middle + radius), np.full((3000, 4), OPEN))
    assert 20 < single.sum() < 2900
    for m, r in zip(middle[single], radius[single], strict=True):
        for _ in range(5):
            assert is_p_matrix(-(m + r * rng.choice([-1.0, 1.0], (4, 4))))


def test_choices_held_at_a_bound_do_not_count() -> None:
    jacobian = np.array([[[-1.0, 5.0], [5.0, -1.0]]])
    assert not at_most_one_point(known(jacobian, jacobian), np.full((1, 2), OPEN))
    assert at_most_one_point(known(jacobian, jacobian), np.array([[OPEN, 1.0]]))
    assert at_most_one_point(known(jacobian, jacobian), np.array([[0.0, -1.0]]))


def test_many_firms_with_strategic_substitutes_have_one_point() -> None:
    """The derivatives -(1 + 1 on the diagonal) are definite, and dominant in no units."""
    jacobian = -(np.ones((1, 6, 6)) + np.eye(6))
    side = np.full((1, 6), OPEN)
    assert at_most_one_point(known(jacobian, jacobian), side)
    assert not diagonally_dominant(-jacobian, -jacobian, np.eye(6, dtype=bool))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(0, 12, 3))
def test_no_box_with_one_point_holds_two(seed: int) -> None:
    game = random_game(seed)
    at, points = coordinates(game), first_order_points(random_game(seed))
    ends = np.sort(np.random.default_rng(seed).choice(np.linspace(-1, 1, 9), (2, 600, 3)), axis=0)
    low, high = ends[:, np.all(ends[0] < ends[1], axis=1)]
    side = np.where((low == at.low) | (high == at.high), OPEN, 0.0)
    found = first_order(game, at, low, high, side)
    inside = np.all((points >= low[:, None]) & (points <= high[:, None]), axis=2)
    # between bounds alone where the box touches none
    assert np.all(inside.sum(axis=1)[at_most_one_point(found, side)] <= 1)
    assert not np.any(inside[excluded(found, side)])
    smaller = np.all((points >= found.low[:, None] - 1e-9) & (points <= found.high[:, None] + 1e-9), axis=2)
    assert np.array_equal(smaller & inside, inside)


def three_meetings(x: jax.Array) -> jax.Array:
    """Return payoffs with three equilibria: best responses are tanh of twice the other's choice."""
    own = x[:, 0]
    return -jnp.square(own - jnp.tanh(2 * own[::-1]))


@pytest.mark.slow
def test_a_wrong_claim_of_one_point_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    root = 0.9575040240772687  # of x = tanh(2 x)
    expected = np.array([[-root, -root], [0.0, 0.0], [root, root]])

    def listed() -> np.ndarray:
        found = rv.all_equilibria(Custom(three_meetings, -1.0, 1.0, 2), max_seconds=None)
        assert found.complete
        return np.asarray(found.equilibria[:, :, 0])

    # one start: the others must be found by the search
    monkeypatch.setattr(box_search, "STARTS", 1)
    assert same_rows(listed(), expected, 1e-9)

    def everything(low: Any, high: Any, *more: Any) -> np.ndarray:
        return np.ones(len(low), dtype=bool)

    monkeypatch.setattr("rivalry.proofs.first_order.diagonally_dominant", everything)
    assert not same_rows(listed(), expected, 1e-9)

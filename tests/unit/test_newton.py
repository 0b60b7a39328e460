"""Newton's method: exact roots, active bounds, unstable roots, and no root."""

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods.limit_sets.newton import Newton
from tests.small_games import Turning, cournot, linear, repelling, turning

pytestmark = pytest.mark.slow


def test_one_step_solves_a_linear_game() -> None:
    found = rv.solve(cournot(4), Newton(), [1.0, 2.0, 3.0, 8.0])
    assert (found.status, found.steps, found.end_state) == ("converged", 1, "stable_point")
    np.testing.assert_allclose(found.profile.values, 9 / 5, rtol=1e-12)


@pytest.mark.nightly
def test_unstable_points_are_found() -> None:
    found = rv.solve(repelling(), Newton(), [0.05, 0.04])
    assert (found.status, found.end_state) == ("converged", "unstable_point")
    assert "left" not in found.record
    game: Turning = turning(0.25, 3.0)
    found = rv.solve(game, Newton(), [0.1, -0.1], tolerance=None)
    np.testing.assert_allclose(found.profile.values, 0.0, atol=1e-9)
    np.testing.assert_allclose(found.data.max_imag_eigenvalue, 3.0)


def test_an_active_bound_at_the_solution() -> None:
    found = rv.solve(linear([[-1.0, 0.0], [1.0, -2.0]], [50.0, 0.0]), Newton(), [3.0, 0.0])
    assert (found.status, found.end_state) == ("converged", "boundary")
    np.testing.assert_allclose(found.profile.values[:, 0], [10.0, 5.0], rtol=1e-12)


def test_mixed_equilibria_of_a_matrix_game_are_roots() -> None:
    found = rv.solve(rv.games.matrix("matching_pennies"), Newton(), [[0.7, 0.3], [0.4, 0.6]])
    assert found.claim == "equilibrium"
    np.testing.assert_allclose(found.profile.values, 0.5, atol=1e-12)


def test_no_root_gives_status_not_found() -> None:
    # the gradients are 1 + (x - y) and -1 + (x - y): never both zero
    game = linear([[1.0, -1.0], [1.0, -1.0]], [1.0, -1.0], low=-1e6, high=1e6)
    found = rv.solve(game, Newton(), [0.0, 0.0], tolerance=None, max_steps=500)
    assert (found.status, found.end_state) == ("not found", "moving")

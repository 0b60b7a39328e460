"""Gradient flow against the matrix exponential, at bounds, on a simplex and on a known cycle."""

import numpy as np
import pytest
from scipy.linalg import expm

import rivalry as rv
from rivalry.methods.dynamics.gradient_flow import GradientFlow
from tests.small_games import linear, turning

pytestmark = pytest.mark.slow


STIFF = np.array([[-1.0, 0.5], [0.2, -5000.0]])


@pytest.mark.parametrize("matrix", [np.array([[-1.0, 3.0], [-3.0, -0.5]]), STIFF], ids=["turning", "stiff"])
@pytest.mark.nightly
def test_a_linear_flow_is_a_matrix_exponential(matrix: np.ndarray) -> None:
    start = np.array([4.0, -3.0])
    found = rv.solve(linear(matrix, [0.0, 0.0]), GradientFlow(), start, tolerance=None)
    assert (found.status, found.end_state) == ("converged", "stable_point")
    assert found.steps < 1000  # an explicit solver would need 1e5 steps in the stiff case
    times, rows = found.record["path_time"][1], found.record["path"][1][:, :, 0]
    assert np.all(np.diff(times) > 0)
    for time, row in list(zip(times, rows, strict=True))[::7]:
        np.testing.assert_allclose(row, expm(matrix * time) @ start, atol=2e-7)


def test_the_flow_stops_at_a_bound_and_leaves_when_the_gradient_reverses() -> None:
    # the first player is pushed up while the second is above 1, which decays as exp(-t) from 8
    game = linear([[0.0, 1.0], [0.0, -1.0]], [-1.0, 0.0], low=-2.0, high=3.0)
    found = rv.solve(game, GradientFlow(), [2.5, 3.0], tolerance=None)
    times, rows = found.record["path_time"][1], found.record["path"][1][:, :, 0]
    held = rows[:, 0] == 3.0
    turn = np.log(3.0)  # when the second player passes 1
    assert held.any()
    assert times[held].max() == pytest.approx(turn, abs=0.2)
    after = times > times[held].max()
    expected = 3.0 + 3 * (np.exp(-turn) - np.exp(-times[after])) - (times[after] - turn)
    np.testing.assert_allclose(rows[after, 0], np.maximum(expected, -2.0), atol=1e-5)
    assert found.profile.values[:, 0] == pytest.approx([-2.0, 0.0], abs=1e-8)
    assert found.end_state == "boundary"


def test_units_of_payoff_do_not_change_the_steps() -> None:
    game = rv.games.influencer(reach=[0.17] * 3, resource="bimodal")
    large = rv.with_(game, weights=1e6 * game.weights)
    one, other = (rv.solve(each, GradientFlow(), [0.1, 0.4, 0.9], tolerance=None) for each in (game, large))
    assert one.steps == other.steps
    np.testing.assert_allclose(one.record["path"][1], other.record["path"][1], atol=1e-9)


@pytest.mark.nightly
def test_on_a_simplex_the_flow_converges_to_the_dominant_strategy() -> None:
    found = rv.solve(rv.games.matrix("prisoners_dilemma"), GradientFlow(), [[0.9, 0.1], [0.4, 0.6]])
    assert (found.end_state, found.claim) == ("boundary", "equilibrium")
    np.testing.assert_allclose(found.profile.values, [[0.0, 1.0], [0.0, 1.0]], atol=1e-12)
    np.testing.assert_allclose(found.record["path"][1].sum(axis=2), 1.0, atol=1e-9)


@pytest.mark.nightly
def test_period_and_range_of_a_known_limit_cycle() -> None:
    found = rv.solve(turning(0.25, 3.0), GradientFlow(), [0.1, 0.0], max_steps=1500, tolerance=None)
    assert (found.status, found.end_state) == ("cycling", "cycle")
    np.testing.assert_allclose(found.data.period, 2 * np.pi / 3, rtol=1e-6)
    np.testing.assert_allclose(found.data.cycle_high.values, 0.5, atol=1e-4)
    np.testing.assert_allclose(found.data.cycle_low.values, -0.5, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("unit", [1e-3, 1 / 60, 1.0, 60.0, 1e3])
def test_the_flow_reaches_a_bound_in_every_unit_of_payoffs(unit: float) -> None:
    """Steps of the solver end short of a bound by its tolerance, from where they would not lengthen."""
    tables = unit * np.array([[[3.0, 0.0], [5.0, 1.0]], [[3.5, 5.0], [0.0, 0.5]]])
    solution = rv.solve(rv.games.matrix(*tables), GradientFlow(), start=[[0.625, 0.375], [0.25, 0.75]])
    assert (solution.status, solution.claim) == ("converged", "equilibrium")
    assert solution.profile.values.tolist() == [[0.0, 1.0], [0.0, 1.0]]
    assert solution.steps < 200

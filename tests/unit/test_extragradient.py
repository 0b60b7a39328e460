"""Extragradient: zero-sum play where plain ascent diverges, active bounds, coincident players."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import Extragradient
from rivalry.methods.dynamics.gradient_ascent import GradientAscent
from tests.small_games import linear

COURNOT = linear([[-2.0, -1.0], [-1.0, -2.0]], [9.0, 9.0])  # price 10 less quantities, unit cost 1
ZERO_SUM = linear([[0.0, 1.0], [-1.0, 0.0]], [0.5, 0.2])  # root x = 0.2, y = -0.5


@pytest.mark.nightly
def test_bilinear_game_diverges_by_ascent_and_converges_by_extragradient() -> None:
    start = [0.3, -0.4]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = rv.trace(ZERO_SUM, GradientAscent(rate=0.05), start, steps=200).path.values[:, :, 0]
    root = np.array([0.2, -0.5])
    away = np.linalg.norm(plain - root, axis=1)
    np.testing.assert_allclose(away[1:] / away[:-1], np.sqrt(1 + 0.05**2), rtol=1e-12)
    for method in (Extragradient(), Extragradient(rate=0.5)):
        found = rv.solve(ZERO_SUM, method, start)
        assert (found.status, found.claim) == ("converged", "equilibrium")
        np.testing.assert_allclose(found.profile.values[:, 0], root, atol=1e-8)


@pytest.mark.slow
def test_steps_match_korpelevich() -> None:
    """On F(x) = A x + b with a fixed rate r each step is x + r (A (x + r F(x)) + b)."""
    matrix, drive, rate = np.array([[-1.0, 2.0], [-3.0, -0.5]]), np.array([0.3, -0.2]), 0.1
    path = rv.trace(linear(matrix, drive), Extragradient(rate=rate), [1.0, 2.0], steps=5).path.values[..., 0]
    x = np.array([1.0, 2.0])
    for row in path:
        np.testing.assert_allclose(row, x, rtol=1e-12)
        x = x + rate * (matrix @ (x + rate * (matrix @ x + drive)) + drive)


@pytest.mark.slow
def test_the_automatic_rate_does_not_depend_on_units_of_payoff() -> None:
    """Rescaled payoffs change neither the path nor the number of steps."""
    one = rv.trace(COURNOT, Extragradient(), [1.0, 5.0], steps=30)
    much = linear(2.0**20 * np.array([[-2.0, -1.0], [-1.0, -2.0]]), [9 * 2.0**20] * 2)
    other = rv.trace(much, Extragradient(), [1.0, 5.0], steps=30)
    np.testing.assert_allclose(one.path.values, other.path.values, rtol=1e-9)


@pytest.mark.slow
def test_cournot_equilibrium_and_an_equilibrium_at_a_bound() -> None:
    found = rv.solve(COURNOT, Extragradient(), [1.0, 8.0])
    assert (found.status, found.end_state) == ("converged", "stable_point")
    np.testing.assert_allclose(found.profile.values, 3.0, rtol=1e-9)
    game = linear([[-1.0, 0.0], [1.0, -2.0]], [50.0, 0.0])
    found = rv.solve(game, Extragradient(), [3.0, 0.0])
    assert (found.status, found.end_state) == ("converged", "boundary")
    np.testing.assert_allclose(found.profile.values[:, 0], [10.0, 5.0], rtol=1e-9)


@pytest.mark.slow
def test_coincident_players_at_a_saddle_are_moved_apart() -> None:
    """Together both converge to 0 (eigenvalue -3); apart they leave it (+1) for opposite bounds."""
    found = rv.solve(linear([[-1.0, -2.0], [-2.0, -1.0]], [0.0, 0.0]), Extragradient(), [0.5, 0.5])
    assert (found.status, found.end_state) == ("converged", "boundary")
    np.testing.assert_allclose(np.sort(found.profile.values[:, 0]), [-10.0, 10.0])
    np.testing.assert_allclose(found.record["left"][1], 0.0, atol=1e-8)


@pytest.mark.nightly
def test_on_a_line() -> None:
    line = rv.games.influencer(reach=[0.25] * 3, resource="bimodal")
    found = rv.solve(line, Extragradient(), [0.1, 0.4, 0.9])
    assert (found.status, found.claim) == ("converged", "equilibrium")
    np.testing.assert_allclose(found.profile.values, 0.5, atol=1e-6)


@pytest.mark.nightly
def test_a_race_from_distant_initial_inputs() -> None:
    game = rv.games.race()
    found = rv.solve(game, Extragradient(), [[0.01, 5.0], [30.0, 0.2]])
    assert found.status == "converged"
    assert found.claim in ("equilibrium", "no deviation found")
    np.testing.assert_allclose(found.profile.values, [[0.8707895, 0.5338483]] * 2, rtol=1e-6)


def test_a_rate_must_be_above_zero() -> None:
    with pytest.raises(ValueError, match="rate: 0 must be above 0"):
        Extragradient(rate=0.0)

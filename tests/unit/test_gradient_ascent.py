"""Gradient ascent: single steps by hand, stopping rules, warnings, messages."""

import warnings
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import GradientAscent
from rivalry.methods.dynamics.gradient_ascent import local_regret
from rivalry.runtime.jax import jax, jnp
from tests.small_games import Linear, cournot, linear

# iteration limits are small here on purpose; the warning is tested separately
pytestmark = [pytest.mark.mostly_slow, pytest.mark.filterwarnings("ignore:not converged")]

MATRIX = np.array([[-2.0, 0.5, 0.1], [0.3, -1.0, 0.2], [-0.4, 0.6, -3.0]])
DRIVE = np.array([1.0, -0.5, 2.0])
GAME = linear(MATRIX, DRIVE)
START = np.array([1.0, 2.0, -3.0])
ROOT = np.linalg.solve(MATRIX, -DRIVE)


def path(method: GradientAscent, steps: int, game: Linear = GAME, seed: int = 0) -> np.ndarray:
    return rv.trace(game, method, START, steps=steps, seed=seed).path.values[:, :, 0]


def test_simultaneous_steps_are_euler_steps() -> None:
    rates = np.array([0.1, 0.05, 0.02])
    x = START.copy()
    for row in path(GradientAscent(rate=rates.tolist()), 5)[1:]:
        x = x + rates * (DRIVE + MATRIX @ x)
        np.testing.assert_allclose(row, x, rtol=1e-12)


def test_sequential_steps_use_the_latest_actions() -> None:
    x = START.copy()
    for row in path(GradientAscent(rate=0.1, update="sequential"), 4)[1:]:
        for player in range(3):
            x[player] += 0.1 * (DRIVE + MATRIX @ x)[player]
        np.testing.assert_allclose(row, x, rtol=1e-12)


def test_random_order_is_a_seeded_permutation() -> None:
    method = GradientAscent(rate=0.1, update="sequential", order="random")
    first = path(method, 6, seed=4)
    np.testing.assert_array_equal(first, path(method, 6, seed=4))
    assert not np.array_equal(first, path(method, 6, seed=5))
    from itertools import permutations

    ends = []
    for order in permutations(range(3)):
        x = START.copy()
        for player in order:
            x[player] += 0.1 * (DRIVE + MATRIX @ x)[player]
        ends.append(x)
    assert min(np.max(np.abs(first[1] - end)) for end in ends) < 1e-13


def test_a_schedule_counts_from_the_first_step() -> None:
    rate = {"kind": "cosine", "min": 0.01, "max": 0.1, "steps": 3}
    x = START.copy()
    for t, row in enumerate(path(GradientAscent(rate=rate), 5)[1:]):
        x = x + (0.01 + 0.045 * (1 + np.cos(np.pi * min(t, 3) / 3))) * (DRIVE + MATRIX @ x)
        np.testing.assert_allclose(row, x, rtol=1e-12)


@pytest.mark.parametrize("rule", ["gradient", "step", "certificate", "displacement"])
def test_every_stopping_rule_stops_near_the_root_and_is_reported(rule: str) -> None:
    found = rv.solve(GAME, GradientAscent(rate=0.1, stop=rule), START, tolerance=None)
    assert found.status == "converged"
    assert str(found.data.stopped_by.values) == rule
    assert found.end_state == "stable_point"
    np.testing.assert_allclose(found.profile.values[:, 0], ROOT, atol=1e-10)  # refined


def test_the_first_rule_that_holds_is_reported() -> None:
    found = rv.solve(GAME, GradientAscent(rate=0.1, stop=["gradient", "displacement"]), START, tolerance=None)
    assert str(found.data.stopped_by.values) == "displacement"


def test_a_small_rate_is_not_convergence() -> None:
    # displacements are small only because the rate is; the rule "step" divides by the rate
    found = rv.solve(
        GAME, GradientAscent(rate=1e-10, stop="step"), START, max_steps=50, tolerance=None, tol=1e-6
    )
    assert found.status == "iteration limit"
    replay = rv.solve(GAME, GradientAscent(rate=1e-10, stop="displacement"), START, tolerance=None)
    assert (replay.status, replay.steps) == ("converged", 2)


def test_the_stability_limit_of_the_rate_is_stored_and_warned_about() -> None:
    values = np.linalg.eigvals(MATRIX)
    limit = np.min(-2 * values.real / np.abs(values) ** 2)
    found = rv.solve(GAME, GradientAscent(rate=0.1), START, tolerance=None)
    np.testing.assert_allclose(found.data.rate_limit, limit, rtol=1e-9)
    with pytest.warns(UserWarning, match=r"^rate: 0.8 is above 0\.6"):
        rv.solve(GAME, GradientAscent(rate=0.8), ROOT + 1e-6, max_steps=3, tolerance=None)


def test_the_stability_limit_accounts_for_rates_per_player() -> None:
    game = linear(np.diag([-1.0, -100.0]), [0.0, 0.0])
    with warnings.catch_warnings():  # 0.5 is too large for the second player, whose rate is 0.01
        warnings.simplefilter("error")
        found = rv.solve(game, GradientAscent(rate=[0.5, 0.01]), [1.0, 1.0], tolerance=None)
    assert found.status == "converged"
    np.testing.assert_allclose(found.data.rate_limit, 1.0, rtol=1e-9)  # -2/(-100 * 0.02), of the larger rate


def test_ascent_converges_at_an_active_bound() -> None:
    found = rv.solve(linear([[-1.0, 0.0], [0.0, -1.0]], [50.0, 1.0]), GradientAscent(rate=0.1), [0.0, 0.0])
    assert (found.status, found.end_state, found.claim) == ("converged", "boundary", "equilibrium")
    np.testing.assert_allclose(found.profile.values[:, 0], [10.0, 1.0], atol=1e-9)
    eigenvalues = found.data.eigenvalues_real.values
    np.testing.assert_allclose(eigenvalues, [-1.0, np.nan])  # only of the free direction


def test_cournot_converges_to_the_closed_form() -> None:
    found = rv.solve(cournot(3), GradientAscent(rate=0.05), [1.0, 2.0, 8.0])
    np.testing.assert_allclose(found.profile.values, 9 / 4, atol=1e-10)
    np.testing.assert_allclose(found.payoff.values, (9 / 4) ** 2, rtol=1e-9)


def test_local_regret_of_a_concave_payoff() -> None:
    # own payoff -x^2: from 0.05 the optimum is within the ball of radius 0.2; from 1 the best is at its edge
    game = linear(np.diag([-2.0, -2.0]), [0.0, 0.0])
    near = float(jax.jit(local_regret)(game, jnp.array([[0.05], [0.0]])))
    far = float(jax.jit(local_regret)(game, jnp.array([[1.0], [0.0]])))
    np.testing.assert_allclose(near, 0.05**2, rtol=1e-3)
    np.testing.assert_allclose(far, 1 - 0.8**2, rtol=1e-9)


def test_schedules_may_differ_between_players() -> None:
    rate = {"kind": "cosine", "min": [0.1, 0.2, 0.3], "max": [0.1, 0.4, 0.3], "steps": 2}
    game = linear(-np.eye(3), [0.0, 0.0, 0.0])
    rows = rv.trace(game, GradientAscent(rate=rate), [1.0, 1.0, 1.0], steps=2).path.values[:, :, 0]
    np.testing.assert_allclose(rows[1:], [[0.9, 0.6, 0.7], [0.81, 0.6 * 0.7, 0.49]], rtol=1e-12)


@pytest.mark.default
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": -1.0}, "rate: -1.0 must be a finite number above 0"),
        ({"stop": "late"}, "stop: 'late' must be one of"),
        ({"stop": ["gradient", "late"]}, "stop[1]: 'late' must be one of"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"^[\w\[\]]+: ") as caught:
        GradientAscent(**options)
    assert str(caught.value).startswith(message)


def test_rates_must_be_one_per_player() -> None:
    with pytest.raises(ValueError, match="rate: 2 numbers must be 3, one per player"):
        rv.solve(GAME, GradientAscent(rate=[0.1, 0.1]), START)

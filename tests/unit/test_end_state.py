"""Classification of limit sets: spectra by hand, cycles, saddles that a run passes, coincident players."""

import numpy as np
import pytest

import rivalry as rv
from rivalry import oracles
from rivalry.core.space import Box
from rivalry.methods.dynamics.gradient_ascent import GradientAscent
from rivalry.methods.dynamics.gradient_flow import GradientFlow
from rivalry.methods.dynamics.integrate import closed_orbit
from rivalry.methods.limit_sets import end_state
from rivalry.runtime.jax import jax, jnp
from tests.small_games import Ruled, linear, repelling, turning

pytestmark = pytest.mark.mostly_slow

KEY = jax.random.key(0)


def column(*values: float) -> jax.Array:
    return jnp.array(values)[:, None]


def test_a_stable_point_is_refined_and_its_spectrum_reported() -> None:
    matrix = np.array([[-1.0, 2.0], [-2.0, -1.0]])
    end = end_state.analyse(linear(matrix, [1.0, 3.0]), column(1.4, 0.2) + 1e-5, KEY)
    assert end.end_state == "stable_point"
    np.testing.assert_allclose(end.profile.ravel(), np.linalg.solve(matrix, [-1.0, -3.0]), atol=1e-13)
    np.testing.assert_allclose(end.measures["eigenvalues_real"][1], [-1.0, -1.0], atol=1e-12)
    np.testing.assert_allclose(end.measures["eigenvalues_imag"][1], [2.0, -2.0], atol=1e-12)
    assert float(end.measures["max_imag_eigenvalue"][1]) == pytest.approx(2.0)
    assert np.isnan(end.measures["cycle_period"][1])


def test_a_distant_root_is_not_taken_as_the_limit() -> None:
    game = linear([[-1.0, 2.0], [-2.0, -1.0]], [1.0, 3.0])
    end = end_state.analyse(game, column(1.4, 0.25), KEY)  # 0.05 away on an interval of length 20
    assert end.end_state == "moving"
    assert end.profile.ravel().tolist() == [1.4, 0.25]
    assert np.isnan(end.measures["max_real_eigenvalue"][1])


def test_on_a_simplex_the_spectrum_is_that_of_the_tangent_space() -> None:
    game = rv.games.matrix("matching_pennies")
    values, held = end_state.spectrum(game, jnp.full((2, 2), 0.5))
    table = np.asarray(game.table)  # [player, own, other] up to the order of axes
    across = np.array([1.0, -1.0]) / np.sqrt(2)
    gain = across @ table[0] @ across
    assert not held
    np.testing.assert_allclose(values, [1j * abs(gain), -1j * abs(gain)], atol=1e-12)


def test_a_centre_is_not_classified_as_stable() -> None:
    end = end_state.analyse(linear([[0.0, 1.0], [-1.0, 0.0]], [0.0, 0.0]), column(0.0, 0.0), KEY)
    assert end.end_state == "unstable_point"
    assert end.onward is None  # nothing grows, so there is nothing to leave for


def test_a_cycle_through_an_unstable_point_is_classified_as_a_cycle() -> None:
    game = turning(0.25, 3.0)
    passing = end_state.analyse(game, column(1e-5, 0.0), KEY)
    resting = end_state.analyse(game, column(0.0, 0.0), KEY)
    assert (passing.end_state, resting.end_state) == ("cycle", "unstable_point")
    assert passing.measures["cycle_period"][1] == pytest.approx(2 * np.pi / 3, rel=1e-6)
    np.testing.assert_allclose(resting.measures["eigenvalues_real"][1], 0.25)


def test_a_slow_spiral_is_not_a_cycle() -> None:
    assert closed_orbit(turning(-0.01, 3.0), column(1.0, 0.0), 1e-3) is None
    assert closed_orbit(linear(-np.eye(2), [0.0, 0.0]), column(1.0, 0.0), 1e-3) is None


@pytest.mark.parametrize("method", [GradientAscent(rate=0.05), GradientFlow()], ids=["ascent", "flow"])
@pytest.mark.nightly
def test_coincident_players_leave_a_saddle(method: GradientAscent | GradientFlow) -> None:
    found = rv.solve(repelling(), method, [1e-12, 1e-12], tolerance=1e-6)
    assert (found.status, found.end_state) == ("converged", "stable_point")
    np.testing.assert_allclose(np.sort(found.profile.values[:, 0]), [-0.5, 0.5], atol=1e-9)
    left = found.data
    assert left.sizes["departure"] == 1
    np.testing.assert_allclose(left.left.values, 0.0, atol=1e-9)
    np.testing.assert_allclose(left.left_max_real_eigenvalue, 1.0, atol=1e-9)
    # against 0 the best response is 1/4, with payoff 1/128 - 1/256
    np.testing.assert_allclose(left.left_regret.values, 1 / 256, rtol=1e-6)
    assert np.all(np.diff(found.record["path_time"][1]) >= 0)


def test_batched_runs_leave_saddles_as_single_runs_do() -> None:
    from rivalry.solving import solve_batch

    games = [repelling(), repelling(2.0), repelling()]
    starts = [column(0.0, 0.0), column(0.0, 0.0), column(0.6, -0.3)]
    found = solve_batch(games, [GradientAscent(rate=0.05)] * 3, starts, tolerance=None)
    assert [one.end_state for one in found] == ["stable_point"] * 3
    assert ["left" in one.record for one in found] == [True, True, False]
    assert [str(one.data.stopped_by.values) for one in found] == ["gradient"] * 3
    for one in found:
        np.testing.assert_allclose(np.sort(one.profile.values[:, 0]), [-0.5, 0.5], atol=1e-9)


@pytest.mark.filterwarnings("ignore:rate")
def test_a_run_between_unstable_points_is_reported_as_cycling() -> None:
    """A pair and a single player at small reach: the pair coincides again, bit for bit, at every saddle."""
    from rivalry.solving import solve_batch

    game = rv.games.influencer(players=3, reach=0.06, resource="bimodal")
    start = oracles.named_start(game, "paper_default")
    alone = rv.solve(game, GradientAscent(), start=start, tolerance=None, path=False)
    (batched,) = solve_batch([game], [GradientAscent()], [start], tolerance=None)
    for found in (alone, batched):
        assert (found.status, found.end_state) == ("cycling", "moving")
        left = np.sort(found.data.left.values[..., 0], axis=1)
        np.testing.assert_allclose(left[0], np.sort(1 - left[1]), atol=1e-6)  # mirror images
        np.testing.assert_allclose(left[0], left[2], atol=1e-6)


def test_a_quick_return_to_an_unstable_point_does_not_count_as_leaving() -> None:
    from rivalry.solving.ends import has_stayed

    game = linear([[2.0, 0.0], [0.0, 2.0]], [0.0, 0.0])  # a disturbance doubles in 0.35
    end = end_state.analyse(game, column(0.0, 0.0), KEY)
    assert has_stayed(end, [end], 1.0)
    assert not has_stayed(end, [end], 100.0)
    assert not has_stayed(end, [], 1.0)


def test_coincident_players_stay_at_an_attracting_point() -> None:
    # both are at 0, which attracts: there is nothing to leave
    end = end_state.analyse(linear([[-2.0, 1.0], [1.0, -2.0]], [0.0, 0.0]), column(0.0, 0.0), KEY)
    assert end.end_state == "stable_point"
    assert end.onward is None


def test_move_apart_changes_coincident_players_only() -> None:
    game = linear(np.eye(3), np.zeros(3))
    x = column(1.0, 1.0 + 1e-9, 5.0)
    moved = end_state.move_apart(game, x, KEY)
    assert float(moved[2, 0]) == 5.0
    assert 0 < np.abs(moved - x)[:2].max() < 1e-3
    assert end_state.move_apart(game, column(1.0, 2.0, 5.0), KEY) is None


def test_a_plateau_of_the_payoff_does_not_count_as_convergence() -> None:
    resource = {"kind": "mixture", "means": [0.5], "stds": [0.02]}
    game = rv.games.influencer(reach=[0.05, 0.05], resource=resource, third_party=[1.0] * 100)
    with pytest.warns(UserWarning, match="no point of rest is near"):
        found = rv.solve(game, GradientAscent(), start=[0.11, 0.89], path=False)
    assert (found.status, found.end_state, found.claim) == ("not found", "moving", "not an equilibrium")


def test_ascent_slowed_by_a_third_party_does_not_converge() -> None:
    game = rv.games.influencer(reach=[0.1, 0.1], third_party=[1e9] * 100)
    with pytest.warns(UserWarning, match="no point of rest is near"):
        found = rv.solve(game, GradientAscent(), start=[0.001, 0.9], path=False)
    assert (found.status, found.claim) == ("not found", "not an equilibrium")


@pytest.mark.default
@pytest.mark.parametrize("firms", [2, 3, 5])
def test_simultaneous_best_responses_of_cournot_firms_by_their_closed_form(firms: int) -> None:
    # own slope -2, cross slopes -1: the matrix -1/2 off the diagonal has the eigenvalue -(n - 1)/2
    derivative = -np.ones((firms, firms)) - np.eye(firms)
    assert end_state.response_radius(derivative, np.arange(firms)) == pytest.approx((firms - 1) / 2)


@pytest.mark.default
def test_a_player_with_two_entries_responds_with_both() -> None:
    derivative = np.array([[-2.0, 1.0, 0.5], [1.0, -2.0, 0.5], [0.5, 0.5, -1.0]])
    # -D^-1 (J - D): entries (1/2, 1/2) respond to the third, which responds by 1/2 to each
    assert end_state.response_radius(derivative, np.array([0, 0, 1])) == pytest.approx(np.sqrt(0.5))


@pytest.mark.default
@pytest.mark.parametrize(
    "derivative", [np.zeros((0, 0)), np.zeros((2, 2)), np.array([[1.0, 2.0], [3.0, 0.0]])]
)
def test_without_unique_best_responses_there_is_no_radius(derivative: np.ndarray) -> None:
    assert np.isnan(end_state.response_radius(derivative, np.arange(len(derivative))))


def test_an_axis_without_effect_is_not_free() -> None:
    """The second axis changes nothing and no derivative depends on it: it is held where it is."""
    game = Ruled(lambda x: -((x[:, 0] - 0.5) ** 2), Box(jnp.zeros((2, 2)), jnp.ones((2, 2))))
    end = end_state.at_rest(game, jnp.array([[0.5 + 1e-6, 0.3], [0.5, 0.7]]))
    assert end.end_state == "stable_point"
    np.testing.assert_allclose(end.profile, [[0.5, 0.3], [0.5, 0.7]], atol=1e-12)
    np.testing.assert_allclose(end.measures["eigenvalues_real"][1], [-2.0, -2.0, np.nan, np.nan])


@pytest.mark.parametrize("kind", ["Newton", "GradientFlow"])
def test_where_a_method_ends_has_room_beside_games_of_several_periods(kind: str) -> None:
    game = rv.games.race(horizon=2)
    with pytest.warns(UserWarning, match="not converged"):
        data = rv.solve(game, getattr(rv.methods, kind)(), max_steps=3).data
    assert (data.cycle_period.ndim, data.sizes["period"]) == (0, 2)

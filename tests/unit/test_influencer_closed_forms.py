"""Closed forms against the numerical spectrum, on both sides of every threshold."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry import oracles
from rivalry.core.game import jacobian
from rivalry.influencers import (
    group_levels,
    moments,
    symmetric_equilibrium,
    symmetric_positions,
    symmetric_spectrum,
    threshold_reach,
    threshold_variance,
)

LOPSIDED = {"kind": "mixture", "means": [0.2, 0.7], "stds": [0.05, 0.1], "weights": [1, 3]}
SKEWED = {
    "space": "box",
    "bounds": [[0, 5], [0, 4]],
    "resource": {"kind": "mixture", "means": [[1, 1], [4, 2]], "stds": [0.5, 0.7], "weights": [1, 2]},
    "covariance": [[1.0, 0.3], [0.3, 0.5]],
}


def test_moments() -> None:
    rng = np.random.default_rng(1)
    points, weights = rng.random((30, 2)), rng.random(30)
    mean, covariance = moments(points, weights)
    np.testing.assert_allclose(mean, np.average(points, axis=0, weights=weights))
    np.testing.assert_allclose(covariance, np.cov(points.T, aweights=weights, ddof=0))


@pytest.mark.slow
@pytest.mark.parametrize("players", [3, 4, 7])
def test_reach_threshold_is_where_the_spectrum_changes_sign(players: int) -> None:
    game = rv.games.influencer(reach=[0.2] * players, resource=LOPSIDED)
    known = symmetric_equilibrium(game)
    assert known.threshold is not None
    for reach, stable in ((known.threshold * 0.999, False), (known.threshold * 1.001, True)):
        near = rv.with_(game, reach=reach)
        assert symmetric_spectrum(near, known.position).stable is stable
        assert symmetric_equilibrium(near).stable is stable
    assert any(np.allclose(position, known.position, atol=1e-9) for position in symmetric_positions(game))


@pytest.mark.slow
def test_variance_threshold_is_where_the_spectrum_changes_sign() -> None:
    game = rv.games.influencer(**SKEWED, players=4)
    known = symmetric_equilibrium(game)
    assert known.threshold is not None
    for variance, stable in ((known.threshold * 0.999, False), (known.threshold * 1.001, True)):
        near = rv.with_(game, variance=variance)
        assert symmetric_spectrum(near, known.position).stable is stable
    shape = np.asarray(SKEWED["covariance"])
    _, covariance = moments(game.points, game.weights)
    least = np.linalg.eigvalsh(known.threshold * shape - 2 / 3 * covariance)[0]
    assert least == pytest.approx(0, abs=1e-12)


def test_reach_on_a_box_is_the_square_root_of_the_variance() -> None:
    plain = {key: value for key, value in SKEWED.items() if key != "covariance"}
    reach = symmetric_equilibrium(rv.games.influencer(**plain, reach=[1.0] * 3)).threshold
    variance = symmetric_equilibrium(rv.games.influencer(**plain, variance=[1.0] * 3)).threshold
    assert reach == pytest.approx(np.sqrt(variance))


@pytest.mark.slow
def test_two_players_are_always_stable() -> None:
    game = rv.games.influencer(reach=[0.02, 0.02], resource="bimodal")
    assert symmetric_equilibrium(game).threshold == 0
    assert symmetric_spectrum(game, [0.5]).stable


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.05, 1.0])
def test_exponential_condition(shift: float) -> None:
    points = (np.linspace(0, 1, 41) + shift).tolist()
    game = rv.games.influencer(
        kernel="exponential", players=6, bounds=[0, 2.5], resource_points=points,
        resource=[10.0, *[1e-3] * 39, 1.0],
    )  # fmt: skip
    known = symmetric_equilibrium(game)
    assert known.threshold is None
    assert symmetric_spectrum(game, known.position).stable is known.stable
    assert known.stable is (shift == 1.0)


@pytest.mark.slow
def test_the_larger_half_of_the_players_splits_as_if_it_were_alone_in_its_half() -> None:
    def threshold(players: int) -> float | None:
        game = rv.games.influencer(players=players, resource="bimodal")
        measured = oracles.metrics(game, np.full((players, 1), 0.5))
        return float(measured["level_threshold"][1]) if "level_threshold" in measured else None

    game = rv.games.influencer(players=5, resource="bimodal")
    points, weights = np.asarray(game.points)[:, 0], np.asarray(game.weights)
    lower = points < 0.5
    share = weights[lower] / weights[lower].sum()
    spread = np.sqrt(share @ points[lower] ** 2 - (share @ points[lower]) ** 2)
    assert threshold(5) == pytest.approx(np.sqrt(1 / 2) * spread, rel=1e-12)
    assert threshold(4) is None


@pytest.mark.slow
def test_power_law_centre_is_never_stable() -> None:
    game = rv.games.influencer(kernel="power_law", exponent=[0.5] * 3, resource="unimodal")
    positions = symmetric_positions(game)
    assert len(positions)
    assert not any(symmetric_spectrum(game, position).stable for position in positions)
    known = symmetric_equilibrium(game)
    assert (known.position, known.stable, known.threshold) == (None, False, None)
    measured = oracles.metrics(game, oracles.named_start(game, "paper_default"))
    assert not measured["symmetric_stable"][1]
    assert "symmetric_position" not in measured


@pytest.mark.nightly
def test_symmetric_spectrum_matches_the_full_jacobian() -> None:
    game = rv.games.influencer(**SKEWED, players=3, abstention=0.1)
    place = np.array([2.0, 1.5])
    found = symmetric_spectrum(game, place)
    whole = np.linalg.eigvals(jacobian(game, game.space.check([place.tolist()] * 3)))
    ours = np.concatenate([found.split, found.split, found.together])
    np.testing.assert_allclose(np.sort(whole.real), np.sort(ours.real), rtol=1e-7, atol=1e-9)


@pytest.mark.slow
def test_symmetric_positions_are_roots_with_outside_rows() -> None:
    game = rv.games.influencer(reach=[0.14, 0.14], abstention=25, resource=LOPSIDED)
    positions = symmetric_positions(game)
    assert len(positions)
    for position in positions:
        gradient = oracles.gradients(game, game.space.check([position.tolist()] * 2))
        np.testing.assert_allclose(gradient, 0, atol=1e-7)


@pytest.mark.parametrize("players", [2, 3, 4, 5, 8, 9, 16])
def test_group_levels(players: int) -> None:
    points = np.linspace(0.001, 0.999, 100)
    weights = np.exp(-50 * (points - 0.25) ** 2) + np.exp(-50 * (points - 0.75) ** 2)
    levels = group_levels(points, weights, players)
    assert len(levels) == max(1, int(np.ceil(np.log2(players))))
    assert levels[0].thresholds[0] == (threshold_reach(points, weights, players) if players > 2 else None)
    for number, level in enumerate(levels):
        assert sum(level.groups) == players
        assert len(level.groups) == len(level.means) == len(level.thresholds) == 2**number
        assert level.means == sorted(level.means)
        assert max(level.groups) - min(level.groups) <= 1 or number > 1
        assert all((t is None) == (n <= 2) for t, n in zip(level.thresholds, level.groups, strict=True))
    assert levels[0].means == pytest.approx([np.average(points, weights=weights)])


def test_a_group_whose_cell_holds_no_resource_is_at_its_middle_without_a_threshold() -> None:
    """Two heavy points: of four groups at most two have resource, the others lie between the boundaries."""
    levels = group_levels([0.0, 1.0], [1.0, 1.0], players=12, iterations=0)
    thresholds = [t for level in levels for t in level.thresholds]
    assert levels[1].means == [0.0, 1.0]
    assert levels[1].thresholds == [0.0, 0.0]  # all resource of a cell is at one point
    assert levels[2].means == [0.0, 0.25, 1.0, 1.0]
    assert levels[2].thresholds[1] is None
    assert None in thresholds


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: threshold_reach([0.0, 1.0], [1, 1], 1), "players: 1 must be at least 2"),
        (lambda: threshold_reach([[0.0, 1.0]] * 2, [1, 1], 3), "2 axes; must be 1"),
        (lambda: threshold_variance([[0.0, 1.0]] * 2, [1, 1], 3, np.eye(3)), r"shape: \(3, 3\)"),
        (lambda: threshold_variance([[0.0, 1.0]] * 2, [1, 1], 3, [[1, 2], [2, 1]]), "smallest eigenvalue -1"),
        (lambda: group_levels([[0.0, 1.0]] * 2, [1, 1], 3), "on an interval"),
        (
            lambda: symmetric_equilibrium(rv.games.influencer(players=2, abstention=1.0)),
            "outside rows; use symmetric_positions",
        ),
        (lambda: symmetric_equilibrium(rv.games.influencer(reach=[0.1, 0.2])), "unequal players"),
        (
            lambda: symmetric_spectrum(rv.games.influencer(budgets=[1, 2]), [0.5]),
            "needs equal players, but budgets",
        ),
    ],
)
def test_wrong_input(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

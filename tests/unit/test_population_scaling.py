"""Scaling laws of karma economies, against equilibria found by another method."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.studies import karma_scaling
from rivalry.studies.karma_scaling import ScalingLaw, Sublinearity
from tests.fixed_points import damped_fixed_point

SMALL = {"max_karma": 4, "mean_karma": 2.0, "gamma": 0.9}


def mean_bids(**changes: float) -> np.ndarray:
    """Mean bids by damped fixed points, ``[type private karma]``."""
    game = rv.games.karma(**SMALL | changes)
    policy = damped_fixed_point(game, 10.0)
    return (policy @ np.arange(policy.shape[1])).reshape(game.shape)


@pytest.mark.nightly  # compiles three equilibria
def test_sublinearity_matches_damped_fixed_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(karma_scaling, "FILL", (0.25, 0.5))
    found = rv.solve(rv.games.karma(**SMALL), Sublinearity(beta=10.0)).data
    poor, rich = mean_bids(mean_karma=1.0), mean_bids(mean_karma=2.0)
    assert found.mean_karma.values.tolist() == [1.0, 2.0]
    np.testing.assert_allclose(found.mean_bid, [poor, rich], atol=1e-6)
    both = np.stack([poor, rich])
    excess = [(both[..., ::a] - a * both[..., : 4 // a + 1]).max() for a in (2, 3, 4)]
    assert float(found.largest_fall) == pytest.approx(max(0.0, (poor - rich).max()), abs=1e-6)
    assert float(found.largest_excess) == pytest.approx(max(0.0, *excess), abs=1e-6)
    np.testing.assert_array_equal(found.urgency, [[1.0, 5.0]])


@pytest.mark.nightly  # compiles for two sizes
def test_scaling_gap_matches_damped_fixed_points() -> None:
    found = rv.solve(
        rv.games.karma(**SMALL | {"max_karma": 2, "mean_karma": 1.0}), ScalingLaw(beta=10.0)
    ).data
    gaps = np.abs(mean_bids()[..., ::2] / 2 - mean_bids(max_karma=2, mean_karma=1.0))
    np.testing.assert_allclose(found.scaling_gap, gaps, atol=1e-6)


def test_games_of_scaling_methods() -> None:
    game = rv.games.karma(**SMALL)
    with pytest.raises(ValueError, match=r"mean_karma: 5.0 must be in \[0, 4\]"):
        game.with_mean_karma(5.0)
    unequal = rv.games.karma(**SMALL, agents=2, initial_karma=[4, 0])
    assert float(unequal.with_mean_karma(1.0).mean_karma) == 1.0
    with pytest.raises(ValueError, match=r"does not fit|needs a karma economy"):
        rv.solve(rv.games.matrix("chicken"), Sublinearity())


def replace_equilibria(monkeypatch: pytest.MonkeyPatch, residual: float = 0.0) -> None:
    """Let agents bid the part ``m/n`` of their karma, rounded down, in the equilibrium of an economy."""

    def equilibrium(game: Any, beta: float) -> tuple[np.ndarray, np.ndarray, float]:
        levels = game.shape[2]
        policy = np.zeros((int(np.prod(game.shape)), levels))
        bids = np.floor(np.arange(levels) * float(game.mean_karma) / (levels - 1) + 1e-9).astype(int)
        policy[np.arange(len(policy)), np.resize(bids, len(policy))] = 1.0
        return policy, np.full(len(policy), 1 / len(policy)), residual

    monkeypatch.setattr(karma_scaling, "equilibrium", equilibrium)


def test_economies_are_compared_once_all_equilibria_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_equilibria(monkeypatch)
    monkeypatch.setattr(karma_scaling, "FILL", (0.25, 0.5, 0.75))
    game, method = rv.games.karma(**SMALL), Sublinearity()
    session = method.begin(game, np.random.SeedSequence(1))
    assert method.length(game) == 3
    for _ in range(3):
        assert method.read(game, session) == {}
        assert method.advance(game, session, 1) == 1
    assert method.advance(game, session, 1) == 0
    found = method.read(game, session)
    np.testing.assert_array_equal(found["mean_karma"][1], [1.0, 2.0, 3.0])
    rows = [[0, 0, 0, 0, 1], [0, 0, 1, 1, 2], [0, 0, 1, 2, 3]]
    np.testing.assert_array_equal(found["mean_bid"][1][:, 0, 0], rows)
    assert float(found["largest_fall"][1]) == 0.0
    assert float(found["largest_excess"][1]) == 3.0  # b(4) - 4 b(1) of the last economy
    assert bool(found["bids_rise"][1])


def test_bids_that_scale_with_karma_have_no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_equilibria(monkeypatch)
    game, method = rv.games.karma(**SMALL), ScalingLaw()
    session = method.begin(game, np.random.SeedSequence(1))
    while method.advance(game, session, 1):
        pass
    found = method.read(game, session)
    np.testing.assert_array_equal(found["mean_bid_scaled"][1][0, 0], [0, 0, 1, 1, 2, 2, 3, 3, 4])
    np.testing.assert_array_equal(found["mean_bid"][1][0, 0], [0, 0, 1, 1, 2])
    np.testing.assert_array_equal(found["scaling_gap"][1][0, 0], [0, 0.5, 0, 0.5, 0])
    assert float(found["largest_scaling_gap"][1]) == 0.5


def test_economies_without_an_equilibrium_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_equilibria(monkeypatch, residual=1e-3)
    game, method = rv.games.karma(**SMALL), ScalingLaw(beta=7.0)
    with pytest.raises(ValueError, match=r"^beta: at 7 no equilibrium was found \(residual 1\.0e-03\)$"):
        method.advance(game, method.begin(game, np.random.SeedSequence(1)), 1)

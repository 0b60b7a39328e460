"""Scaling laws of karma economies, against equilibria found by another method."""

from __future__ import annotations

import numpy as np
import pytest

import rivalry as rv
from rivalry.economies.learning.scaling_laws import ScalingLaw, Sublinearity
from rivalry.lab.study import StudyError, build_method

M = rv.methods
SMALL = {"max_karma": 4, "mean_karma": 2.0, "gamma": 0.9}


def mean_bids(**changes: float) -> np.ndarray:
    """Mean bids by damped fixed points, ``[type private karma]``."""
    game = rv.games.karma(**SMALL | changes)
    found = rv.solve(game, M.DampedFixedPoint(beta=10.0, rate=0.2), start="uniform")
    assert found.status == "converged"
    return np.asarray(found.data.mean_bid)


@pytest.mark.nightly  # compiles three equilibria
def test_sublinearity_matches_damped_fixed_points() -> None:
    found = rv.solve(rv.games.karma(**SMALL), Sublinearity(beta=10.0, fill=(0.25, 0.5))).data
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


def test_options_and_games_of_scaling_methods() -> None:
    game = rv.games.karma(**SMALL)
    assert isinstance(build_method({"kind": "sublinearity", "fill": [0.1, 0.2]}, game=game), Sublinearity)
    for fill in ([0.5], [0.5, 0.5], [0.5, 0.25]):
        with pytest.raises(ValueError, match=r"fill: .* must be two numbers or more that rise"):
            Sublinearity(fill=tuple(fill))
    with pytest.raises(StudyError, match="fill"):
        build_method({"kind": "sublinearity", "fill": [0.5, 1.5]}, game=game)
    with pytest.raises(ValueError, match=r"mean_karma: 5.0 must be in \[0, 4\]"):
        game.with_mean_karma(5.0)
    unequal = rv.games.karma(**SMALL, agents=2, initial_karma=[4, 0])
    assert float(unequal.with_mean_karma(1.0).mean_karma) == 1.0
    with pytest.raises(ValueError, match=r"does not fit|must be a karma economy"):
        rv.solve(rv.games.matrix("chicken"), Sublinearity())

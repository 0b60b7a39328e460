"""Results of deep learners in games with known equilibria; each test takes minutes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.integrations.rllib import DQN, PPO, SAC

pytest.importorskip("ray")
pytest.importorskip("torch")
pytestmark = pytest.mark.nightly


@pytest.mark.parametrize("followers", ["oracle", "learn"])
def test_a_leader_earns_the_equilibrium_profit(followers: Any) -> None:
    """Spec market 4: within 2 % of equilibrium profit, 45 (90 - 45)/2."""
    game = rv.games.market(stages=[[0], [1]])
    found = rv.solve(game, PPO(iterations=150 if followers == "learn" else 60, followers=followers), seed=1)
    assert float(found.payoff.values[0]) > 0.98 * 1012.5
    if followers == "learn":
        quantities = found.data.learned_choice.values[:, 0]
        np.testing.assert_allclose(quantities[1], (90 - quantities[0]) / 2, atol=1.0)


@pytest.mark.parametrize("learner", [PPO(iterations=60), SAC(iterations=30)])
def test_a_best_response_to_a_fixed_rival(learner: Any) -> None:
    """Spec market 4: within 1 % of the exact best response, (90 - 20)/2, in payoff and in quantity."""
    found = rv.solve(rv.transforms.freeze(rv.games.market(), {1: [20.0]}), learner, seed=1)
    assert float(found.payoff.values[0]) > 0.99 * 35**2
    np.testing.assert_allclose(found.profile.values[0, 0], 35.0, atol=1.0)


@pytest.mark.parametrize(
    "options",
    [
        {"moves": "any"},
        {"moves": "steps"},
        {"moves": "grid"},
        {"moves": "grid", "observation": "joint", "iterations": 150},
    ],
)
def test_two_influencers_end_near_the_centre(options: dict[str, Any]) -> None:
    """Spec influencer 8: N = 2, reach .25: the mean final position lies within .1 of .5."""
    found = rv.solve(rv.games.influencer(reach=0.25), PPO(**{"iterations": 100} | options), seed=1)
    np.testing.assert_allclose(found.profile.values.mean(), 0.5, atol=0.1)
    np.testing.assert_allclose(found.profile.values, 0.5, atol=0.15)


@pytest.mark.parametrize("kind", [DQN, PPO])
def test_a_race_on_a_grid_of_levels_ends_near_equilibrium(kind: Any) -> None:
    """Gains are small relative to the range of payoffs, about the effect of one grid step."""
    found = rv.solve(rv.games.race(), kind(moves="levels", action_grid=9, iterations=60), seed=1)
    spread = np.ptp(np.asarray([0.12, -0.13]))  # mean payoffs at the beginning and at the end
    assert np.all(found.data.exploring_grid_regret.values < 0.3 * spread)

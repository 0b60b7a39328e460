"""Certificates of learned policies: gains of best responses, and cases in which they are omitted."""

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods.q_learning import policies
from rivalry.methods.q_learning.q_learning import QLearning
from rivalry.tables import best_response, in_turn, rollout, tabulate

pytestmark = pytest.mark.slow


def test_policy_regrets_are_evaluated_at_the_end_of_the_rollout() -> None:
    game = rv.games.influencer(reach=[0.15, 0.15], resource="bimodal")
    soft = {"kind": "softmax", "start": 0.6, "end": 0.2, "temperature": 1.0, "edge_temperature": 0.5}
    data = rv.solve(game, QLearning(epochs=300, step_size=0.1, gamma=0.4, exploration=soft), seed=3).data
    table, policies = tabulate(game, 11), data.modal_policy.values
    last = np.rint(data.rollout.values[-1, :, 0] * 10).astype(int)
    assert data.end_period == 1  # play is stationary there
    for name, epsilon in (("policy_regret", 0.0), ("policy_regret_exploring", 0.2)):
        for player in range(2):
            reply = best_response(table, policies, player, 0.4, epsilon=epsilon)
            expected = reply.regret[0, last[0] * 11 + last[1]]
            np.testing.assert_allclose(data[name][player], expected, atol=1e-9)
        assert data[name].min() >= 0


def test_no_policy_regrets_for_random_order_or_many_states(monkeypatch: pytest.MonkeyPatch) -> None:
    game = rv.games.influencer(reach=[0.15, 0.15], resource="bimodal")
    short = {"epochs": 3, "episodes": 5, "action_grid": 5}
    assert "policy_regret" in rv.solve(game, QLearning(**short)).data
    assert "policy_regret" not in rv.solve(game, QLearning(**short, update="sequential")).data
    monkeypatch.setattr(policies, "REPLIED", 24)
    assert "policy_regret" not in rv.solve(game, QLearning(**short)).data


def test_policies_learned_in_turn_are_rolled_out_in_turn() -> None:
    game = rv.games.influencer(reach=[0.15, 0.15], resource="bimodal")
    data = rv.solve(game, QLearning(epochs=3, episodes=5, action_grid=5, update="sequential"), seed=2).data
    policies, table = data.modal_policy.values, in_turn(tabulate(game, 5))
    first = np.rint(data.rollout.values[0, :, 0] * 4).astype(int)
    np.testing.assert_allclose(data.rollout.values[..., 0], rollout(table, policies, first).path / 4)


def test_no_equilibrium_search_among_too_many_joint_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    game = rv.games.influencer(reach=[0.15, 0.15], resource="bimodal")
    monkeypatch.setattr(policies, "MOST_JOINT", 14)  # there are 15 unordered pairs of five grid points
    learner = QLearning(epochs=3, episodes=5, action_grid=5, max_table_bytes=1)
    with pytest.warns(UserWarning, match=r"summed|not looked for among 15 joint actions") as told:
        found = rv.solve(game, learner)
    assert len(told) == 2
    assert found.data.grid_equilibria.shape[0] == 0
    assert np.isnan(found.data.grid_distance).all()

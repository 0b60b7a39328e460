"""Policies of several learners meet those of other sessions: profits by hand, means over pairs."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

import rivalry as rv
from rivalry.interop.study import LEARNERS, PretrainedPolicies, _certificate

pytestmark = pytest.mark.slow

NASH, CARTEL = 1.4729266563, 1.9249809158  # prices of the default market (Calvano et al. 2020)
GAME: Any = rv.games.market(demand="logit")
METHOD = PretrainedPolicies(sessions=8, periods=20)


def profit(own: float, rival: float) -> float:
    """Logit profit by hand: quality 2, cost 1, taste spread 0.25, outside option 0."""
    bought = np.exp((2 - own) / 0.25)
    return float((own - 1) * bought / (bought + np.exp((2 - rival) / 0.25) + 1))


def gain(own: float, rival: float) -> float:
    return (profit(own, rival) - profit(NASH, NASH)) / (profit(CARTEL, CARTEL) - profit(NASH, NASH))


@pytest.fixture(scope="module")
def session() -> dict[str, Any]:
    played = METHOD.begin(GAME, np.random.SeedSequence(5))
    assert METHOD.advance(GAME, played, 1) == 1
    assert METHOD.advance(GAME, played, 1) == 0
    return played


def test_gains_of_policies_without_memory_are_those_of_two_prices(session: dict[str, Any]) -> None:
    learner = rv.methods.RepeatedQLearning(sessions=8, checkpoints=0, **LEARNERS["ucb"])
    policy = rv.solve(GAME, learner, seed=int(session["seed"])).data.policy.values[..., 0]
    grid = NASH + (CARTEL - NASH) * np.linspace(-0.1, 1.1, 15)
    for pair in range(4):
        own, rival = grid[policy[pair, 0]], grid[policy[4 + pair, 1]]
        expected = [gain(own, rival), gain(rival, own)]
        np.testing.assert_allclose(session["met"][pair, :, 2, 2], expected, rtol=1e-6)


def test_the_record_is_of_all_pairs_and_the_certificate_of_half(session: dict[str, Any]) -> None:
    record = METHOD.read(GAME, session)
    met = session["met"]
    np.testing.assert_allclose(record["stranger_gain"][1], (met[:, 0, 0, 0] + met[:, 1, 0, 0]) / 2)
    assert record["met_gain"][1][1, 2] == pytest.approx((met[:, 0, 1, 2] + met[:, 1, 2, 1]).mean() / 2)
    assert record["chosen"][1].sum() == pytest.approx(1.0)
    profile = record["chosen"][1]
    assert str(record["coverage"][1]) == "estimated"
    if set(profile) == {0.0, 1.0}:  # both firms choose one policy: its gains over the other half of the pairs
        k = int(np.argmax(profile))
        row = (met[2:, 0, :, k] + met[2:, 1, k, :]).mean(axis=0) / 2
        assert record["regret"][1][0] == pytest.approx(max(row.max() - row[k], 0.0))


def test_the_interval_of_a_regret_is_students_over_pairs_for_all_policies_together() -> None:
    met = np.random.default_rng(3).normal([[0.0], [2.0], [1.0]], size=(20, 3, 3))
    proof = _certificate(met, np.eye(3)[[0, 0]])
    gains = met[:, :, 0] - met[:, :1, 0]
    half = stats.t.ppf(1 - 0.025 / 4, 19) * stats.sem(gains)  # two other policies of each of two firms
    mean = gains.mean(axis=0)
    upper, lower = np.max(mean + half), np.max(mean - half)
    np.testing.assert_allclose(proof.regret, mean.max())
    np.testing.assert_allclose(proof.error, max(upper - mean.max(), mean.max() - lower))
    assert proof.claim == "not an equilibrium"
    assert _certificate(met, np.eye(3)[[1, 1]]).claim == "not decided"

"""Strategies with bounded memory as policies, and learners that play against them."""

import numpy as np
import pytest

import rivalry as rv
from rivalry.tables import gaps, limit_cycles
from rivalry.tables.repeated import repeated_form

DILEMMA = rv.games.matrix("prisoners_dilemma")
TIT_FOR_TAT = [[0, 1, 0, 1], [0, 0, 1, 1]]  # the other's last action, [player state]


@pytest.mark.slow
@pytest.mark.parametrize("gamma", [0.1, 0.3, 0.6, 0.9])
def test_the_best_response_to_tit_for_tat(gamma: float) -> None:
    """Cooperating, alternating or defecting: Axelrod's (1984) three values, for payoffs 5, 3, 1 and 0."""
    tables = repeated_form(DILEMMA, memory=1).tables
    pair = np.array([TIT_FOR_TAT])
    found = gaps(tables, pair, gamma, limit_cycles(tables, pair, [0]))
    stays, other, always = 3 / (1 - gamma), 5 / (1 - gamma**2), 5 + gamma / (1 - gamma)
    np.testing.assert_allclose(found.full_gain, [[max(stays, other, always) - stays] * 2], atol=1e-12)


@pytest.mark.slow
def test_a_learner_cooperates_with_tit_for_tat_if_it_is_patient() -> None:
    opponent = {"kind": "policy", "table": TIT_FOR_TAT[1]}
    for gamma, payoff in ((0.9, 3.0), (0.0, 1.0)):
        learner = rv.methods.RepeatedQLearning(
            sessions=4,
            gamma=gamma,
            exploration={"decay": 1e-3},
            stopping={"stable_periods": 10_000},
            roles=["learns", opponent],
        )
        assert rv.solve(DILEMMA, learner, seed=1).data.end_payoff.values.tolist() == [[payoff, payoff]] * 4

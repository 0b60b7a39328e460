"""Strategies with bounded memory as policies, and learners that play against them."""

import numpy as np
import pytest

import rivalry as rv
from rivalry.tables import gaps, limit_cycles, memory_policy
from rivalry.tables.repeated import repeated_form

DILEMMA = rv.games.matrix("prisoners_dilemma")


def test_grim_trigger_and_tit_for_two_tats_remember_two_rounds() -> None:
    """Every state is what the slots say that the player observes."""
    tables = repeated_form(DILEMMA, memory=2).tables
    grim = memory_policy(tables, 0, lambda past: int(any(past.values())))
    assert grim.tolist() == [0] + [1] * 15
    two = memory_policy(tables, 1, lambda past: past[0, 1] * past[0, 2])
    slots = tables.observation_slots[1].tolist()
    for state, content in enumerate(np.ndindex(2, 2, 2, 2)):
        seen = {tuple(slot): action for slot, action in zip(slots, content, strict=True)}
        assert two[state] == (seen[0, 1] == 1 and seen[0, 2] == 1)


@pytest.mark.slow
@pytest.mark.parametrize("gamma", [0.1, 0.3, 0.6, 0.9])
def test_the_best_response_to_tit_for_tat(gamma: float) -> None:
    """Cooperating, alternating or defecting: Axelrod's (1984) three values, for payoffs 5, 3, 1 and 0."""
    tables = repeated_form(DILEMMA, memory=1).tables
    pair = [[memory_policy(tables, k, lambda past, other=1 - k: past[other, 1]) for k in range(2)]]
    found = gaps(tables, np.array(pair), gamma, limit_cycles(tables, np.array(pair), [0]))
    stays, other, always = 3 / (1 - gamma), 5 / (1 - gamma**2), 5 + gamma / (1 - gamma)
    np.testing.assert_allclose(found.full_gain, [[max(stays, other, always) - stays] * 2], atol=1e-12)


@pytest.mark.slow
def test_a_learner_cooperates_with_tit_for_tat_if_it_is_patient() -> None:
    tables = repeated_form(DILEMMA, memory=1).tables
    opponent = {"kind": "policy", "table": memory_policy(tables, 1, lambda past: past[0, 1])}
    for gamma, payoff in ((0.9, 3.0), (0.0, 1.0)):
        learner = rv.methods.RepeatedQLearning(
            sessions=4,
            gamma=gamma,
            exploration={"decay": 1e-3},
            stopping={"stable_periods": 10_000},
            roles=["learns", opponent],
        )
        found = rv.solve(DILEMMA, learner, seed=1)
        assert found.data.end_payoff.values.tolist() == [[payoff, payoff]] * 4


@pytest.mark.parametrize("move", [2, -1, 0.5, None])
def test_a_move_that_does_not_exist_is_refused(move: object) -> None:
    tables = repeated_form(DILEMMA, memory=1).tables
    with pytest.raises(ValueError, match=r"strategy after .*must be a whole number in 0\.\.1"):
        memory_policy(tables, 0, lambda past: move)  # type: ignore[arg-type,return-value]

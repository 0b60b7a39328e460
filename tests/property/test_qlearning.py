"""Q-learning on random small grids: bounded values, moves to neighbours, consistent visit counts."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivalry.methods.q_learning.q_learning import QLearning
from tests.plain_q_learning import walk

pytestmark = pytest.mark.slow


chance = st.floats(0.0, 1.0)
options = st.fixed_dictionaries(
    {
        "step_size": st.floats(0.01, 1.0),
        "gamma": st.floats(0.0, 0.95),
        "exploration": st.one_of(
            chance,
            st.fixed_dictionaries(
                {"kind": st.just("softmax"), "start": chance, "temperature": st.floats(0.05, 5.0)}
            ),
        ),
        "target": st.sampled_from(["max", "on_policy", "expected"]),
        "update": st.sampled_from(["simultaneous", "sequential"]),
        "reward": st.just("raw"),
        "epochs": st.integers(1, 4),
        "episodes": st.integers(1, 30),
        "trials": st.integers(1, 3),
    }
)


@settings(max_examples=30, deadline=None)
@given(
    options, st.integers(2, 3), st.integers(2, 4), st.sampled_from(["own", "joint"]), st.integers(0, 2**32)
)
def test_values_moves_and_visit_counts_stay_within_their_bounds(
    chosen: dict[str, Any], players: int, size: int, observation: str, seed: int
) -> None:
    payoff = np.random.default_rng(seed).normal(size=(players, *[size] * players))
    learner = QLearning(**chosen)
    world = learner.world(walk(payoff, observation))
    session = learner.begin(world, np.random.SeedSequence(seed))
    steps = learner.length(world)
    before = None
    for _ in range(steps):
        assert learner.advance(world, session, 1) == 1
        here = session["recent"][:, 0, :players].copy()
        if before is not None and np.all(session["clock"][:, 1] > 1):
            assert np.abs(here - before).max() <= 1
        before = here
    assert learner.advance(world, session, 1) == 0
    low = min(payoff.min(), 0.0) / (1 - chosen["gamma"])
    high = max(payoff.max(), 0.0) / (1 - chosen["gamma"])
    slack = 1e-9 * (high - low)
    assert low - slack <= session["values"].min()
    assert session["values"].max() <= high + slack
    assert np.all(session["visits"].sum(axis=2) == steps)
    assert np.all((here >= 0) & (here < size))

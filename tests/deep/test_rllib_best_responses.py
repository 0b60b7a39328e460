"""Initial networks of trained best responses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import rivalry as rv

pytest.importorskip("ray")
pytest.importorskip("torch")

from rivalry.integrations.rllib import PPO, training
from rivalry.integrations.rllib.session import Training


def test_a_best_response_is_initialised_with_the_player_s_network() -> None:
    learner = PPO(moves="native", batch=80, periods=5, iterations=1, hidden=[8])
    arena = learner.world(rv.games.race(horizon=2))
    session = learner.begin(arena, np.random.SeedSequence(1))
    learner.advance(arena, session, 1)
    networks = training.networks(arena, session)
    own, alone = networks["player_1"], replace(arena, rivals={"player_0": networks["player_0"]})
    words = np.random.SeedSequence(2).generate_state(4, np.uint32)
    fresh, begun = Training(words), Training(words)
    begun.first = {"player_1": own.module}
    seen = np.linspace(-1, 1, 15).reshape(3, 5)
    found = training.networks(alone, begun)["player_1"]
    assert np.array_equal(found.outputs(seen), own.outputs(seen))
    other = training.networks(alone, fresh)["player_1"]
    assert not np.array_equal(other.outputs(seen), own.outputs(seen))
    training.iteration(alone, begun)
    for each in (session, fresh, begun):
        training.stop(each)

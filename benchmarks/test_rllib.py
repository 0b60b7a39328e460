"""Steps of play under RLlib, learning included, beside the same steps of the environment alone.

An item is a step of everybody. What is more than 1 here is RLlib's: its networks, its episodes, its batches.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from benchmarks.conftest import size
from rivalry.integrations.rllib import PPO

pytest.importorskip("ray")
pytest.importorskip("torch")

BATCH = size(400, 40)

FAMILIES: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "influencer": (partial(rv.games.influencer, players=3), {"moves": "grid"}),
    "market, staged": (partial(rv.games.market, stages=[[0], [1]]), {}),
    "race": (partial(rv.games.race, horizon=3), {"moves": "native"}),
    "matrix": (partial(rv.games.matrix, "chicken"), {}),
    "karma, 20 agents": (partial(rv.games.karma, agents=20), {"policies": "shared"}),
    "city, 40 agents": (
        partial(rv.games.city, network="stubs_2x2", agents=40, max_karma=4, mean_karma=2),
        {"policies": "shared"},
    ),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_learning(race: Callable[..., object], name: str) -> None:
    make, options = FAMILIES[name]
    learner = PPO(iterations=10**6, batch=BATCH, **options)
    world = learner.world(make())
    session = learner.begin(world, np.random.SeedSequence(1))
    learner.advance(world, session, 2)
    env = world.env()
    env.reset(seed=1)
    actions = {agent: env.action_space(agent).sample() for agent in env.possible_agents}

    def alone() -> None:
        for _ in range(BATCH):
            if not env.agents:
                env.reset()
            turn = env.movers()
            told = env.play({agent: actions[agent] for agent in turn})[0]
            for agent in turn:
                if agent in told:
                    world.look(agent, told[agent])

    race(
        lambda: learner.advance(world, session, 1),
        alone,
        rival=f"environment alone, {len(world.names)} agents",
        same=None,
        items=BATCH,
        name=f"rllib[{name}]",
    )

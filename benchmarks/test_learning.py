"""Independent Q-learning of two influencers on eleven action_grid: joint steps beside a plain Python loop.

Both learn the same table, bit for bit; the plain learner is that of the tests. Then many trials over two
threads beside one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import rivalry as rv
from benchmarks.conftest import size
from rivalry.methods.q_learning.q_learning import QLearning
from tests.plain_q_learning import Plain

EPOCHS, STEPS, TRIALS = size(400, 5), 100, size(64, 2)
LEARNER: dict[str, Any] = {
    "step_size": 0.005,
    "gamma": 0.3,
    "exploration": {"kind": "softmax", "start": 0.55, "temperature": 0.75},
}
CHOSEN = {"alpha": 0.005, "gamma": 0.3, "epsilon": 0.55, "temperature": 0.75}
SEED = np.random.SeedSequence(1)


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(count)
    try:
        yield
    finally:
        os.environ.pop("OMP_NUM_THREADS")
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before


def game() -> Any:
    return rv.games.influencer(reach=[0.15, 0.15], resource="bimodal")


def learned(learner: QLearning, world: Any) -> np.ndarray:
    session = learner.begin(world, SEED)
    learner.advance(world, session, learner.length(world))
    return session["values"]  # type: ignore[no-any-return]


def plainly(world: Any) -> np.ndarray:
    tables = world.tables
    payoff = tables.payoff[0].reshape(2, 11, 11) / tables.payoff.max()
    begun = QLearning(**LEARNER).begin(world, SEED)["stream"][0]
    chosen = {"observation": "own", "update": "simultaneous", "target": "max", "greedy": False}
    plain = Plain(payoff, begun, **CHOSEN, **chosen)
    for _ in range(EPOCHS):
        plain.epoch(STEPS)
    return plain.tables()


def test_influencer_learning(race: Callable[..., Any], benchmark: Any) -> None:
    """One learner, one thread. Aimed at: 5e6 joint steps a second, a thirtieth of the plain loop's time."""
    learner = QLearning(**LEARNER, epochs=EPOCHS, episodes=STEPS)
    world = learner.world(game())
    items = EPOCHS * STEPS
    raced = race(
        lambda: learned(learner, world)[0],
        lambda: plainly(world),
        rival="Python",
        items=items,
        target=1 / 30,
        name="influencer_learning",
    )
    benchmark.extra_info["joint_steps_per_second"] = items / np.median(raced.ours)


def test_usual_schedules(race: Callable[..., Any], benchmark: Any) -> None:
    """The defaults' schedules, trials over two threads beside one: wall time."""
    learner = QLearning(epochs=size(1000, 5), trials=TRIALS)
    world = learner.world(game())

    def over(count: int) -> Callable[[], np.ndarray]:
        def run() -> np.ndarray:
            with threads(count):
                return learned(learner, world)

        return run

    items = TRIALS * learner.length(world)
    raced = race(
        over(2), over(1), rival="one thread", clock="wall", items=items, target=0.6, name="learning_threads"
    )
    benchmark.extra_info["joint_steps_per_second"] = items / np.median(raced.theirs)

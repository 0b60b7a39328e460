"""Q-learning in repeated duopoly: at once, in turns and in stages, beside the same loops in C; threads.

Both learn the same tables from the same words, bit for bit.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from benchmarks.conftest import size
from rivalry.core.array_games import FiniteGame
from rivalry.methods.q_learning.options import Exploration
from rivalry.methods.q_learning.repeated_q_learning import RepeatedQLearning
from rivalry.tables.repeated import RepeatedWorld

SEED = np.random.SeedSequence(1)
SESSIONS, SIXTEEN = size(12, 1), size(16, 2)
SHORT = size(1, 100)  # exploration decays so many times faster
ALPHA, GAMMA = 0.15, 0.95
NUMBER, WHOLE = ctypes.c_double, ctypes.c_int64

Answer = tuple[np.ndarray, np.ndarray, np.ndarray]


def duopoly(one: np.ndarray, order: list[list[int]], staged: bool = False) -> FiniteGame:
    """Symmetric payoffs ``one [own other]``; the second may see what the first has just chosen."""
    size = len(one)
    return FiniteGame(
        payoff=np.stack([one.ravel(), one.T.ravel()])[None],
        next_nature=np.zeros((1, 1, 1), dtype=np.int64),
        nature_cdf=np.ones((1, 1, 1)),
        action_map=np.zeros((0, 0, 0), dtype=np.int64),
        sizes=np.array([size, size]),
        order=np.array(order),
        observation_slots=np.array([[[-1, -1]], [[0, 0] if staged else [-1, -1]]]),
    )


def logit(count: int = 15) -> np.ndarray:
    """Profits ``[own other]`` at prices from a little below the static equilibrium to above the monopoly."""
    price = np.linspace(1.42769, 1.97019, count)
    weight = np.exp((2.0 - price) / 0.25)
    return (price[:, None] - 1.0) * weight[:, None] / (weight[:, None] + weight + 1.0)


def undercutting(steps: int = 12) -> np.ndarray:
    """The cheaper serves all, ``1 - p``; ties split."""
    price = np.arange(steps + 1) / steps
    share = np.where(price[:, None] < price, 1.0, np.where(price[:, None] == price, 0.5, 0.0))
    return price[:, None] * (1 - price[:, None]) * share


def cournot() -> np.ndarray:
    output = np.linspace(1.5, 6.0, 7)
    return (9.0 - output[:, None] - output) * output[:, None]


def fast(decay: float) -> Exploration:
    return {"kind": "greedy", "start": 1.0, "decay": decay}


# without looking at greedy play on the way, which the floors do not
CALVANO = RepeatedQLearning(
    sessions=SESSIONS, step_size=ALPHA, gamma=GAMMA, exploration=fast(4e-6 * SHORT), checkpoints=0
)
KLEIN = RepeatedQLearning(
    sessions=SESSIONS,
    step_size=ALPHA,
    gamma=GAMMA,
    exploration=fast(2.8e-5),
    observation="others",
    initial_q={"kind": "uniform", "min": 0.0, "max": 1e-6},
    stopping={"stable_periods": 0, "max_periods": size(500_000, 20_000)},
    average_last=1000,
    checkpoints=0,
)
STAGED = RepeatedQLearning(
    sessions=SESSIONS, step_size=ALPHA, gamma=GAMMA, exploration=fast(1e-5 * SHORT), checkpoints=0
)

CASES: dict[str, tuple[RepeatedQLearning, FiniteGame]] = {
    "calvano": (CALVANO, duopoly(logit(), [[0, 1]])),
    "klein": (KLEIN, duopoly(undercutting(), [[0], [1]])),
    "staged": (STAGED, duopoly(cournot(), [[0, 1]], staged=True)),
}


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


def learned(learner: RepeatedQLearning, world: RepeatedWorld) -> Answer:
    session = learner.begin(world, SEED)
    while learner.advance(world, session, 2**40):
        pass
    return session["values"], session["greedy"], session["clock"][:, 0]


def in_c(library: ctypes.CDLL, learner: RepeatedQLearning, world: RepeatedWorld) -> Answer:
    session, size = learner.begin(world, SEED), int(world.tables.sizes[0])
    beta = float(learner.exploration["decay"])  # type: ignore[arg-type, call-overload, index]
    stable, most = learner.stopping["stable_periods"], learner.stopping["max_periods"]
    periods = np.zeros(learner.sessions, dtype=np.int64)
    library.learn.restype = WHOLE
    for k in range(learner.sessions):
        held = [session[name][k] for name in ("values", "greedy", "runner")]
        standing = session["recent"][k, 0, :2].copy()
        numbers = [NUMBER(v) for v in (ALPHA, GAMMA, beta, np.exp(-beta))]
        rest: list[Any] = [WHOLE(int(standing[0]) * size + int(standing[1])), WHOLE(stable), WHOLE(most)]
        if not stable:
            rest = [_address(standing), WHOLE(most - 1000), WHOLE(most)]
            rest += [_address(session["tally"][k])]
        payoff = _address(world.tables.payoff)
        first = [*map(_address, held), payoff, WHOLE(size), *numbers, _address(session["stream"][k])]
        periods[k] = library.learn(*first, *rest)
    if not stable:
        periods[:] = most
    return session["values"], session["greedy"], periods


def _address(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


def equal(one: Answer, other: Answer) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", CASES)
def test_period(race: Callable[..., Any], floor: Callable[..., ctypes.CDLL], name: str) -> None:
    """One thread, from the first period to convergence, or all periods. Aimed at: 1.1 of the time in C."""
    learner, game = CASES[name]
    world, library = learner.world(game), floor(name)
    with threads(1):
        items = float(learned(learner, world)[2].sum())
        race(
            lambda: learned(learner, world),
            lambda: in_c(library, learner, world),
            rival="C",
            same=equal,
            items=items,
            target=1.1,
            name=f"{name}_period",
        )


def test_sessions_in_two_threads(race: Callable[..., Any]) -> None:
    """Wall time beside one thread: a little above a half, on idle cores."""
    learner, game = CASES["calvano"]
    learner = RepeatedQLearning(sessions=SIXTEEN, gamma=GAMMA, exploration=fast(1e-5 * SHORT), checkpoints=0)
    world = learner.world(game)

    def over(count: int) -> Callable[[], Answer]:
        def run() -> Answer:
            with threads(count):
                return learned(learner, world)

        return run

    items = float(learned(learner, world)[2].sum())
    race(over(2), over(1), rival="one thread", clock="wall", same=equal, items=items, target=1 / 1.8)

"""Agents who learn to bid karma: beside the same loop in C, to the bit, and beside NumPy over all agents.

A step is one agent's: pairs, bids, payments, sharing out, learning, policies of 1000 steps.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.conftest import size
from rivalry.economies.kernels import economy as kernel
from rivalry.economies.kernels.choices import probabilities
from rivalry.economies.kernels.economy_learning import SARSA, EpochRule, Learning, begin, learn
from rivalry.economies.kernels.shapes import BIDS, COIN, PEER, SOCIETY, SURPLUS, Economy

MOST, GAMMA, ALPHA, BETA, EPSILON, EPOCH = 20, 0.98, 0.01, 1000.0, 0.05, 1000
STAKES = np.array([1.0, 5.0])
SEED = np.random.SeedSequence(1)
STEPS = size(2_000_000, 400_000)  # of agents, in a round
ENOUGH = 2_000_000  # of agents, after which mean bids are near their limits
ALWAYS = np.array([2**62])
RULE = EpochRule(
    alpha=np.array([ALPHA]),
    alpha_until=ALWAYS,
    power=0.0,
    beta=np.array([BETA]),
    beta_until=ALWAYS,
    epsilon=EPSILON,
    epoch=EPOCH,
    target=SARSA,
    renewal=1.0,
)


def economy(agents: int, receiver: int) -> Economy:
    """The benchmark economy: urgencies 1 and 5, equally likely; the winner pays its bid."""
    return Economy(
        type_of=np.zeros(agents, dtype=np.int64),
        stakes=STAKES[None],
        chain=np.array([[[0.5, 1.0], [0.5, 1.0]]]),
        first=np.array([[0.5, 1.0]]),
        discount=np.array([GAMMA]),
        karma=np.full(agents, MOST // 2),
        most=MOST,
        charge=np.repeat(np.arange(MOST + 1)[:, None], MOST + 1, axis=1),
        receiver=receiver,
        tie=COIN,
        overflow=SURPLUS,
        tax=np.zeros(MOST + 1),
        every=1,
        award=BIDS,
        idle=0,
    )


class Run:
    """A run that goes on from call to call; ``answer`` is all that it has come to."""

    def __init__(self, agents: int, receiver: int) -> None:
        self.economy = economy(agents, receiver)
        self.agents = kernel.fresh(self.economy, SEED)
        self.learning: Learning = begin(self.economy, RULE, np.zeros((MOST + 1) * (MOST + 2)))
        self.steps = STEPS // agents

    def answer(self) -> tuple[np.ndarray, ...]:
        return tuple(part.copy() for part in (*self.agents, *self.learning[2:]))

    def play(self) -> None:
        learn(self.economy, RULE, self.agents, self.learning, kernel.no_tallies(), self.steps)
        assert self.agents.status[0] == kernel.RUNNING


NUMBERS = ("agents", "most", "privates", "to_peer", "epoch")
REALS = ("alpha", "gamma", "beta", "epsilon")
ARRAYS = ("stakes", "moves", "stream", "clock", "karma", "private", "pool", "wins", "order", "lucky")
ARRAYS += ("pending", "choice", "bids", "entry", "reward", "q", "policy", "x", "scale", "touched", "words")


class Struct(ctypes.Structure):
    """`Economy` of floor/karma.c."""

    _fields_ = (
        [(name, ctypes.c_int64) for name in NUMBERS]
        + [(name, ctypes.c_double) for name in REALS]
        + [(name, ctypes.c_void_p) for name in ARRAYS]
    )  # type: ignore[assignment]


class InC(Run):
    """The same run by the floor."""

    def __init__(self, agents: int, receiver: int, library: ctypes.CDLL) -> None:
        super().__init__(agents, receiver)
        self.library = library
        library.learn.restype = ctypes.c_int64
        entries = self.learning.policy.shape[1]
        self.arrays = self.agents._asdict() | self.learning._asdict()
        self.arrays |= {"stakes": STAKES.copy(), "moves": np.array([2**29, 2**30] * 2)}
        self.arrays |= {name: np.zeros(agents, dtype=np.int64) for name in ("bids", "entry")}
        self.arrays |= {name: np.zeros(entries) for name in ("x", "scale")}
        self.arrays["words"] = np.zeros(2 * agents, dtype=np.uint64)
        numbers = (agents, MOST, len(STAKES), int(receiver == PEER), EPOCH)
        places = (self.arrays[name].ctypes.data for name in ARRAYS)
        self.struct = Struct(*numbers, ALPHA, GAMMA, BETA, EPSILON, *places)

    def play(self) -> None:
        assert self.library.learn(ctypes.byref(self.struct), ctypes.c_int64(self.steps)) == 0


class InNumPy:
    """The same economy, all agents at a time, with other random numbers: what one would write without us."""

    def __init__(self, agents: int, receiver: int, steps: int) -> None:
        self.rng, self.count, self.receiver, self.steps = np.random.default_rng(1), agents, receiver, steps
        self.q = np.zeros((agents, 2, MOST + 1, MOST + 1))
        self.legal = np.tri(MOST + 1, dtype=bool)
        self.karma = np.full(agents, MOST // 2)
        self.private = self.rng.integers(0, 2, agents)
        self.everybody, self.clock = np.arange(agents), 0
        self.reward, self.last = np.zeros(agents), None
        self.renew()

    def renew(self) -> None:
        spread = self.legal / self.legal.sum(axis=1, keepdims=True)
        scaled = np.where(self.legal, BETA * self.q, -np.inf)
        weights = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
        soft = weights / weights.sum(axis=-1, keepdims=True)
        self.policy = np.cumsum((1 - EPSILON) * soft + EPSILON * spread, axis=-1)

    def play(self) -> None:
        for _ in range(self.steps):
            self.step()

    def step(self) -> None:
        rows = self.policy[self.everybody, self.private, self.karma]
        bids = np.minimum((rows <= self.rng.random((self.count, 1))).sum(axis=1), self.karma)
        now = (self.everybody, self.private, self.karma.copy(), bids)
        if self.last is not None:
            old = self.q[self.last]
            self.q[self.last] = old - ALPHA * (old - self.reward - GAMMA * self.q[now])
        self.last = (now[0], now[1].copy(), now[2], now[3])
        self.meet(bids)
        self.private = self.rng.integers(0, 2, self.count)
        self.clock += 1
        if self.clock % EPOCH == 0:
            self.renew()

    def meet(self, bids: np.ndarray) -> None:
        i, j = self.rng.permutation(self.count).reshape(2, -1)
        first = 2 * bids[i] + self.rng.integers(0, 2, len(i)) > 2 * bids[j]
        winner, loser = np.where(first, i, j), np.where(first, j, i)
        self.reward = -STAKES[self.private]
        self.reward[winner] = 0.0
        self.karma[winner] -= bids[winner]
        surplus = int(bids[winner].sum())
        if self.receiver == PEER:
            self.karma[loser] += bids[winner]
            surplus = int(np.maximum(self.karma - MOST, 0).sum())
            np.minimum(self.karma, MOST, out=self.karma)
        while surplus >= self.count:
            gain = np.minimum(surplus // self.count, MOST - self.karma)
            self.karma += gain
            surplus -= int(gain.sum())
        while surplus > 0:
            lucky = self.rng.permutation(np.flatnonzero(self.karma < MOST))[:surplus]
            self.karma[lucky] += 1
            surplus -= len(lucky)


def equal(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


CASES = {100: (PEER, 1.25, 20), 1000: (SOCIETY, 1.4, 7)}


@pytest.mark.parametrize("agents", CASES)
def test_karma_step(race: Callable[..., Any], floor: Callable[..., ctypes.CDLL], agents: int) -> None:
    """A hundred who pay their peers, a thousand who pay everybody. Aimed at: 1.25 and 1.4 of C's time."""
    receiver, target, times = CASES[agents]
    run, other = Run(agents, receiver), InC(agents, receiver, floor("karma"))
    for _ in range(3):
        run.play()
        other.play()
        equal(run.answer(), other.answer())
    race(
        run.play,
        other.play,
        rival="C",
        same=None,
        items=STEPS,
        target=target,
        name=f"karma_step[{agents}]",
    )
    equal(run.answer(), other.answer())
    vectorised = InNumPy(agents, receiver, run.steps // 2)
    run.steps //= 2
    race(
        run.play,
        vectorised.play,
        rival="NumPy",
        same=None,
        items=STEPS // 2,
        target=1 / times,
        name=f"karma_step[{agents}] beside NumPy",
    )


def test_numpy_plays_the_same_economy() -> None:
    """After as many steps of learning both bid alike: mean bids by karma and urgency, over all agents."""
    run, other = Run(100, PEER), InNumPy(100, PEER, ENOUGH // 100)
    run.steps = ENOUGH // 100
    run.play()
    other.play()
    bids = np.arange(MOST + 1.0)
    ours = (probabilities(run.learning.policy, MOST) @ bids).mean(axis=0)
    theirs = (np.diff(other.policy, axis=-1, prepend=0.0) @ bids).mean(axis=0)
    assert int(other.karma.sum()) == 100 * MOST // 2
    # agents differ by a few karma still, means over a hundred by tenths
    np.testing.assert_allclose(ours, theirs, atol=1.5)


@pytest.mark.parametrize("agents", [10, 1000, 10_000])
def test_growth(race: Callable[..., Any], agents: int) -> None:
    """An agent-step among so many beside one of a hundred. Aimed at: 1.4 from 10 to 1000, 3.5 at 10 000."""
    run, hundred = Run(agents, PEER), Run(100, PEER)
    for one in (run, hundred):  # rows that are seldom met are left behind: the first epochs draw them often
        one.steps = size(4 * EPOCH, 10)
        one.play()
    run.steps, hundred.steps = STEPS // agents, STEPS // 100
    race(
        run.play,
        hundred.play,
        rival="a hundred",
        same=None,
        items=STEPS,
        target=3.5 if agents > 1000 else 1.4,
        name=f"karma_step among {agents}",
    )

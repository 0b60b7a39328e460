"""Agents who learn to bid for the lanes of a city: beside the same loop in C, to the bit.

A step is one agent's: a bid, admission, payment, sharing out, learning, policies of 100 steps.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from benchmarks.conftest import size
from rivalry.economies.kernels import city as kernel
from rivalry.economies.kernels.city_learning import (
    CityLearning,
    begin,
    entry_counts,
    learn,
    policies_of,
    values_of,
)
from rivalry.economies.kernels.economy import RUNNING
from rivalry.economies.kernels.economy_learning import SARSA, EpochRule
from rivalry.economies.kernels.shapes import CityArrays

ALPHA, BETA, EPOCH = 0.01, 10.0, 100
SEED = np.random.SeedSequence(1)
STEPS = size(1_000_000, 100_000)  # of agents, in a round
BEFORE = size(20_000_000, 200_000)  # of agents, in which they spread out over the city and over their tables
ALWAYS = np.array([2**62])
RULE = EpochRule(
    alpha=np.array([ALPHA]),
    alpha_until=ALWAYS,
    power=0.0,
    beta=np.array([BETA]),
    beta_until=ALWAYS,
    epsilon=0.0,
    epoch=EPOCH,
    target=SARSA,
    renewal=1.0,
)


class Run:
    """A run that goes on from call to call; ``answer`` is all that it has come to."""

    def __init__(self, agents: int) -> None:
        capacity = max(3 * agents // 320, 1)  # as by default where that is at least 1
        self.city: CityArrays = rv.games.city(agents=agents, capacity=capacity).world()
        self.drivers = kernel.fresh(self.city, SEED)
        self.learning: CityLearning = begin(self.city, RULE)
        self.steps = max(STEPS // agents, 1)

    def values(self) -> np.ndarray:
        return values_of(self.city, self.learning.q, np.arange(len(self.learning.q)))

    def answer(self) -> tuple[np.ndarray, ...]:
        return *(part.copy() for part in self.drivers), self.values()

    def ahead(self, steps: int) -> None:
        learn(self.city, RULE, self.drivers, self.learning, kernel.no_tallies(), steps)
        assert self.drivers.status[0] == RUNNING

    def play(self) -> None:
        self.ahead(self.steps)


NUMBERS = ("agents", "most", "places", "urgencies", "slots", "lanes", "epoch", "line")
REALS = ("alpha", "gamma", "beta", "epsilon")
ARRAYS = ("stakes", "moves", "slot", "urgency", "journeys", "begins", "lane_of", "after", "back", "room")
ARRAYS += (
    "stream",
    "clock",
    "karma",
    "trip",
    "spot",
    "pool",
    "asked",
    "passed",
    "lucky",
    "pending",
    "reward",
)
ARRAYS += ("q", "policy", "words", "row", "lane", "bids", "entry", "count", "margin", "seats", "rest", "owed")
ARRAYS += ("length", "listed", "x", "scale")


class Struct(ctypes.Structure):
    """`CityArrays` of floor/city.c."""

    _fields_ = (
        [(name, ctypes.c_int64) for name in NUMBERS]
        + [(name, ctypes.c_double) for name in REALS]
        + [(name, ctypes.c_void_p) for name in ARRAYS]
    )  # type: ignore[assignment]


class InC(Run):
    """The same run by the floor, whose tables have a line for every row and hold all policies."""

    def __init__(self, agents: int, library: ctypes.CDLL) -> None:
        super().__init__(agents)
        self.library = library
        library.learn.restype = ctypes.c_int64
        city, whole = self.city, np.int64
        lanes, levels, line = len(city.capacity), city.most + 1, self.learning.policy.shape[2]
        trips = np.arange(city.trip_chain.shape[1]) % (city.trip_chain.shape[1] - 1)
        self.arrays = self.drivers._asdict() | {"pending": self.learning.pending}
        self.arrays["policy"] = policies_of(city, self.learning, np.arange(agents))
        self.arrays["q"] = np.zeros_like(self.arrays["policy"])
        self.arrays |= {name: getattr(city, name) for name in ("journeys", "begins", "after", "back")}
        self.arrays |= {name: np.zeros(agents, dtype=whole) for name in ("row", "lane", "bids", "entry")}
        self.arrays |= {name: np.zeros(lanes + 1, dtype=whole) for name in ("margin", "seats", "rest")}
        self.arrays |= {name: np.zeros(32 * line) for name in ("x", "scale")}
        self.arrays |= {
            "stakes": city.stakes[0].copy(),
            "moves": np.rint(city.trip_chain[0] * 2.0**30).astype(whole),
            "lane_of": city.lane,
            "room": np.append(city.capacity, agents),
            "words": np.zeros(2 * agents, dtype=np.uint64),
            "count": np.zeros((lanes + 1, levels), dtype=whole),
            "listed": np.zeros((agents, self.learning.q.shape[1] * levels + 12), dtype=np.int32),
            "length": np.zeros(agents, dtype=whole),
            "owed": np.zeros(agents, dtype=whole),
            "slot": trips // city.stakes.shape[1],
            "urgency": trips % city.stakes.shape[1],
        }
        slots, urgencies = city.journeys.shape[1], city.stakes.shape[1]
        numbers = (agents, city.most, city.lane.shape[1], urgencies, slots, lanes, EPOCH, line)
        places = (self.arrays[name].ctypes.data for name in ARRAYS)
        self.struct = Struct(*numbers, ALPHA, float(city.discount[0]), BETA, 0.0, *places)

    def values(self) -> np.ndarray:
        legal = np.arange(self.city.most + 1) < entry_counts(self.city)[..., None]
        return np.where(legal, self.arrays["q"][..., : self.city.most + 1], 0)

    def ahead(self, steps: int) -> None:
        assert self.library.learn(ctypes.byref(self.struct), ctypes.c_int64(steps)) == 0


def equal(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_city_step(race: Callable[..., Any], floor: Callable[..., ctypes.CDLL]) -> None:
    """A thousand agents of the city of the thesis, after a while. Aimed at: 1.2 of C's time."""
    run, other = Run(1000), InC(1000, floor("city"))
    for one in (run, other):
        one.ahead(BEFORE // 1000)
    equal(run.answer(), other.answer())
    race(run.play, other.play, rival="C", same=None, items=STEPS, target=1.2, name="city_step")
    equal(run.answer(), other.answer())


@pytest.mark.parametrize("agents", [10, 1000, 10_000])
def test_growth(race: Callable[..., Any], agents: int) -> None:
    """An agent-step among so many beside one of a hundred. Ten, too, go through all lanes every step."""
    run, hundred = Run(agents), Run(100)
    for one in (run, hundred):
        one.ahead(size(5_000_000, 20_000) // len(one.city.type_of))
    race(
        run.play,
        hundred.play,
        rival="a hundred",
        same=None,
        items=STEPS,
        target={10: None, 1000: 1.4, 10_000: 3.5}[agents],
        name=f"city_step among {agents}",
    )

"""Gradient ascent of five influencers on 100 points: one reach, and 100 reaches together.

Ours is the compiled program that `rivalry.solve` and `rivalry.sweep` run, with its stopping rules at work
but never met. Raced against a C floor of the same steps and against NumPy; compilation is timed apart.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from benchmarks.conftest import size

PLAYERS, POINTS, RATE, LANES = 5, 100, 1e-4, 8
STEPS = {1: size(6400, 64), 100: size(256, 4)}
START = np.array([0.1, 0.3, 0.4, 0.7, 0.9])
AIMS = {1: (3.5, 1 / 12), 100: (4.0, None)}  # against C, against NumPy


def reaches(count: int) -> np.ndarray:
    return np.array([0.2]) if count == 1 else np.linspace(0.1, 0.3, count)


def built_in(reach: float) -> Any:
    """Gaussian influence, with the gradients that the package knows."""
    import rivalry as rv

    return rv.games.influencer(reach=[reach] * PLAYERS, resource="bimodal")


class Ours:
    """The package's own program for ``count`` reaches, compiled once; ``make`` gives the game of a reach."""

    def __init__(self, count: int, make: Callable[[float], Any] = built_in) -> None:
        from rivalry import solving
        from rivalry.core.batched_games import Together
        from rivalry.methods.dynamics.gradient_ascent import GradientAscent
        from rivalry.runtime.jax import stack_trees

        self.run, self.count = solving, count
        games = [solving.as_arrays(make(float(reach))) for reach in reaches(count)]
        first = built_in(0.2)
        self.points, self.weights = np.asarray(first.points)[:, 0], np.asarray(first.weights)
        method, start = solving.as_arrays(GradientAscent(rate=RATE)), np.asarray(START)[:, None]
        self.limits = np.asarray(STEPS[count]), np.asarray(-1.0)
        self.games = Together(games)
        self.methods = stack_trees([method] * count, "method {} differs")
        self.keys = np.zeros((count, 2), np.uint32)
        zeros = np.zeros(count, int)
        self.begin = solving.steps.begin(
            self.games, self.methods, np.stack([start] * count), self.keys, zeros
        )
        self.strides = zeros + STEPS[count]

    def __call__(self) -> np.ndarray:
        carry, _ = self.run.steps.advance(
            self.games, self.methods, self.begin, self.keys, self.strides, *self.limits, False
        )
        return np.asarray(carry.state.profile).reshape(-1, PLAYERS)


def in_c(library: ctypes.CDLL, ours: Ours) -> Callable[[], np.ndarray]:
    padded = -(-POINTS // LANES) * LANES
    points = np.concatenate([ours.points, np.full(padded - POINTS, 0.5)])
    weights = np.concatenate([ours.weights, np.zeros(padded - POINTS)])
    reach = reaches(ours.count)

    def ascend() -> np.ndarray:
        x = np.tile(START, (ours.count, 1))
        at = [array.ctypes.data_as(ctypes.c_void_p) for array in (points, weights, reach, x)]
        counts = (ours.count, PLAYERS, padded, STEPS[ours.count])
        library.ascend(*counts, at[0], at[1], at[2], ctypes.c_double(RATE), at[3])
        return x

    return ascend


def in_numpy(ours: Ours) -> Callable[[], np.ndarray]:
    b, weights = ours.points, ours.weights
    reach = reaches(ours.count)[:, None, None]

    def ascend() -> np.ndarray:
        x = np.tile(START, (ours.count, 1))
        for _ in range(STEPS[ours.count]):
            d = b - x[:, :, None]
            logs = d**2 * (-0.5 / reach**2)
            shares = np.exp(logs - logs.max(axis=1, keepdims=True))
            shares /= shares.sum(axis=1, keepdims=True)
            slope = (weights * shares * (1 - shares) * d).sum(axis=2) / reach[:, :, 0] ** 2
            x = np.clip(x + RATE * slope, 0.0, 1.0)
        return x

    return ascend


@pytest.mark.parametrize("count", [1, 100])
def test_influencer_sweep(
    race: Callable[..., Any], floor: Callable[..., ctypes.CDLL], benchmark: Any, count: int
) -> None:
    ours = Ours(count)
    began = perf_counter()
    ours()
    benchmark.extra_info["first_call_seconds"] = perf_counter() - began  # compiled, or read from the cache
    items = count * STEPS[count] * PLAYERS * POINTS
    c, numpy = AIMS[count]
    peer, name = in_numpy(ours), f"influencer_sweep[{count}] / NumPy"
    race(ours, peer, rival="NumPy", items=items, target=numpy, name=name)
    fast = floor("influencer_ascent", "-ffast-math")
    race(
        ours, in_c(fast, ours), rival="C, fast-math", items=items, target=c, name=f"influencer_sweep[{count}]"
    )
    strict = in_c(floor("influencer_ascent"), ours)
    race(ours, strict, rival="C, strict", items=items, name=f"influencer_sweep[{count}] / strict C")

"""Two players' gradients on a grid of 100 x 100 positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.accelerator import field
from benchmarks.conftest import size

PLACES = size(100, 7)


def in_numpy(game: Any) -> Callable[[], np.ndarray]:
    """Pair of positions by pair of positions, as one would write it down."""
    b, weights, reach = np.asarray(game.points)[:, 0], np.asarray(game.weights), np.asarray(game.reach)
    places = np.linspace(0, 1, PLACES)

    def gradients() -> np.ndarray:
        found = np.zeros((PLACES, PLACES, 2))
        for i, one in enumerate(places):
            for j, two in enumerate(places):
                apart = b - np.array([[one], [two]])
                influence = np.exp(-(apart**2) / (2 * reach[:, None] ** 2))
                share = influence / influence.sum(axis=0)
                found[i, j] = (weights * share * (1 - share) * apart).sum(axis=1) / reach**2
        return found

    return gradients


def test_influencer_field(race: Callable[..., Any]) -> None:
    import rivalry as rv

    game = rv.games.influencer(reach=[0.2, 0.2], resource="bimodal")
    program = field(PLACES)

    def ours() -> np.ndarray:
        return np.asarray(program())

    race(ours, in_numpy(game), rival="NumPy, a pair at a time", target=0.5, name="influencer_field")

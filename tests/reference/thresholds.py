"""Where everybody together gains or loses stability as one parameter of a case's kernel is scanned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rivalry.games.influencer import Influencer, symmetric_positions, symmetric_spectrum

VALUES = 300  # looked at between the ends of a scan: two crossings nearer than that are not told apart


class Together:
    """Everybody in one place, at any value of the scanned parameter."""

    def __init__(self, game_at: Callable[[float], Influencer], place: Any) -> None:
        self.game_at, self.given = game_at, place
        game = game_at(1.0)
        self.near = np.asarray(game.weights) @ np.asarray(game.points) / float(game.scale)

    def place(self, value: float) -> np.ndarray:
        """The given place, or the root of the own gradient that is nearest to the last one found."""
        if self.given is not None:
            return np.atleast_1d(np.asarray(self.given, dtype=float))
        found = symmetric_positions(self.game_at(value))
        if not len(found):
            raise ValueError(f"no place found where all together feel no gradient, at {value:g}")
        self.near = found[np.argmin(np.linalg.norm(found - self.near, axis=1))]
        return self.near

    def largest(self, value: float) -> float:
        """The largest real part of the eigenvalues there."""
        known = symmetric_spectrum(self.game_at(value), self.place(value))
        return float(np.concatenate([known.split, known.together]).real.max())

    def crossings(self, low: float, high: float) -> list[float]:
        """Every value at which that largest real part changes its sign."""
        from scipy.optimize import brentq

        values = np.linspace(low, high, VALUES + 1)
        heights = np.array([self.largest(float(value)) for value in values])
        before = np.flatnonzero(np.sign(heights[:-1]) * np.sign(heights[1:]) < 0)
        inside = [brentq(self.largest, values[k], values[k + 1], xtol=1e-12) for k in before]
        return sorted([*inside, *values[heights == 0].tolist()])

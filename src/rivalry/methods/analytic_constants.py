"""What a family's theory says of a game, without a search."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np

from rivalry.core.oracles import has
from rivalry.core.results import Record


class AnalyticConstants(eqx.Module):
    """The record that a game's own ``theory()`` answers: constants, exact benchmarks, counterexamples.

    For games that have such a method; nothing is searched, and there is no certificate.

    >>> import rivalry as rv
    >>> found = rv.solve(rv.games.karma(urgencies=[0.2, 1.0], gamma=0.9), AnalyticConstants())
    >>> round(float(found.data.temperature_needed[0]))
    126
    """

    @classmethod
    def fits(cls, game: Any) -> bool:
        """For games that tell."""
        return has(game, "theory")

    def world(self, game: Any) -> Any:
        """The game itself."""
        return game

    def length(self, world: Any) -> int:
        """One step, in which nothing happens."""
        return 1

    def begin(self, world: Any, stream: np.random.SeedSequence) -> dict[str, np.ndarray]:
        """Nothing is drawn. Raises `ValueError` for a game without a theory."""
        if not self.fits(world):
            raise ValueError(f"game: {type(world).__name__} must have a method theory()")
        return {}

    def advance(self, world: Any, session: dict[str, np.ndarray], steps: int) -> int:
        """It is finished at once."""
        return 0

    def read(self, world: Any, session: dict[str, np.ndarray]) -> Record:
        """What the game tells."""
        found: Record = world.theory()
        return found

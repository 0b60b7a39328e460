"""A family's analytic results, as a method for studies."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from rivalry.core.method import BaseLearner
from rivalry.core.needs import Need, fits, knows
from rivalry.core.results import Record
from rivalry.population import oracles


class AnalyticConstants(BaseLearner):
    """Report what is known of a game without a search: constants, exact benchmarks, counterexamples.

    For games that `rivalry.population.oracles.analytic_constants` knows; there is no certificate.

    Examples
    --------
    >>> import rivalry as rv
    >>> found = rv.solve(rv.games.karma(urgencies=[0.2, 1.0], gamma=0.9), AnalyticConstants())
    >>> round(float(found.data.temperature_needed[0]))
    126
    """

    needs: ClassVar[tuple[Need, ...]] = (knows(oracles.analytic_constants),)

    def world(self, game: Any) -> Any:
        """Return the game."""
        return game

    def length(self, world: Any) -> int:
        """Return 1: a single step, in which nothing happens."""
        return 1

    def begin(self, world: Any, stream: np.random.SeedSequence) -> dict[str, np.ndarray]:
        """Return an empty session. Raises `ValueError` for a game without such constants."""
        if not fits(type(self), world):
            raise ValueError(f"game: no analytic constants of {type(world).__name__} are known")
        return {}

    def advance(self, world: Any, session: dict[str, np.ndarray], steps: int) -> int:
        """Return 0: no step is needed."""
        return 0

    def read(self, world: Any, session: dict[str, np.ndarray]) -> Record:
        """Return the constants."""
        return oracles.analytic_constants(world)

"""The frequency-dependent Moran process of a finite population."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt, Le

from rivalry.methods.finite.birth_death import BirthDeath


class Moran(BirthDeath):
    """Moran process: an individual drawn in proportion to fitness has a copy, which replaces any other.

    Fitness is ``1 - w + w`` times the payoff, with ``w`` the intensity of selection ``selection``; so
    ``T-(k) / T+(k)`` is the fitness of residents over that of mutants. A symmetric game, one population.

    The record holds ``fixation`` (resident, mutant), the exact chance that one mutant takes over a population
    of residents, on the diagonal ``1 / population``; ``mean_fixation`` (type), its mean over the residents of
    other actions; ``small_mutation`` (type), the share of time in each population of one action where
    mutations are rare, NaN where that depends on the first population; and ``most_common_type``, with the
    largest share. A type is the number of an action. Shares are no strategy, and are not certified.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix([[3, 1], [1, 2]], [[3, 1], [1, 2]])
    >>> rv.solve(game, Moran(population=4)).data.fixation.values.round(4).tolist()
    [[0.25, 0.125], [0.2187, 0.25]]

    References
    ----------
    Nowak, Sasaki, Taylor and Fudenberg, Nature 428, 2004; Taylor, Fudenberg, Sasaki and Nowak, Bulletin of
    Mathematical Biology 66, 2004.
    """

    selection: Annotated[
        float, Gt(0), Le(1), "intensity of selection w; fitness is 1 - w + w times payoff"
    ] = 1.0

    def log_ratio(self, mutant: np.ndarray, resident: np.ndarray) -> np.ndarray:
        """Return the log of residents' over mutants' fitness, infinite where one of them is 0.

        Raises `ValueError` for a fitness below 0, or where nobody has offspring.
        """
        fitness = np.array([1 - self.selection + self.selection * paid for paid in (mutant, resident)])
        if fitness.min() < 0 or not fitness.max(axis=0).min() > 0:
            raise ValueError(
                f"selection: {self.selection:g} gives the fitness {fitness.min():g}; must be so small that "
                "no fitness is negative and not all are 0, or payoffs larger"
            )
        with np.errstate(divide="ignore"):
            logs = np.log(fitness)
        return np.asarray(logs[1] - logs[0])

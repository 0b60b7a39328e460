"""Pairwise comparison by the Fermi rule in a finite population."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt

from rivalry.methods.finite.birth_death import BirthDeath


class Fermi(BirthDeath):
    """Fermi process: an individual imitates another with the chance ``1 / (1 + exp(-beta d))``.

    Both are drawn at random, ``d`` is what the other is paid more, and ``beta`` the intensity of selection
    ``selection``; so ``T-(k) / T+(k) = exp(-beta d)`` with ``d`` what mutants are paid more. A symmetric
    game, one population. The record is that of `Moran`.

    Examples
    --------
    >>> import rivalry as rv
    >>> found = rv.solve(rv.games.matrix("prisoners_dilemma"), Fermi(population=10, selection=0.1))
    >>> found.data.small_mutation.values.round(4).tolist()
    [0.1545, 0.8455]

    References
    ----------
    Traulsen, Nowak and Pacheco, Physical Review E 74, 2006; Fudenberg and Imhof, Journal of Economic Theory
    131, 2006, for rare mutations.
    """

    selection: Annotated[float, Ge(0), Lt(np.inf), "intensity of selection beta, per unit of payoff"] = 1.0

    def log_ratio(self, mutant: np.ndarray, resident: np.ndarray) -> np.ndarray:
        """Return what residents are paid more, times the intensity of selection."""
        return np.asarray(self.selection * (resident - mutant))

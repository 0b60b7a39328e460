"""Pairwise comparison by the Fermi rule in a finite population."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt
from numpy import ndarray

from rivalry.methods.continuous.mixtures import payoff_ranges
from rivalry.methods.finite.birth_death import BirthDeath

USUAL = 5.0  # intensity of selection, over the range of each player's payoffs


class Fermi(BirthDeath):
    """Fermi process: an individual imitates another with the chance ``1 / (1 + exp(-beta d))``.

    Both are drawn at random, ``d`` is what the other is paid more, and ``beta`` the intensity of selection
    ``selection``; so ``T-(k) / T+(k) = exp(-beta d)`` with ``d`` what mutants are paid more. A symmetric
    game with one population, or a population per player. The record is that of `Moran`.

    With ``mutation`` an individual does not imitate, with this chance, but takes one of the other actions at
    random. So one of ``n_j`` individuals becomes one of ``n_k`` with the chance ``mutation n_j / (N (m - 1))
    + (1 - mutation) n_j n_k / N**2 / (1 + exp(-beta d))`` with ``m`` actions (Traulsen et al. 2009).

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.matrix("prisoners_dilemma"), Fermi(population=10, selection=0.1))
    >>> solution.data.small_mutation.values.round(4).tolist()
    [0.1545, 0.8455]
    >>> often = Fermi(population=10, selection=0.1, mutation=0.2)
    >>> rv.solve(rv.games.matrix("prisoners_dilemma"), often).data.mean_share.values.round(4).tolist()
    [0.4621, 0.5379]

    References
    ----------
    Traulsen, Nowak and Pacheco, Physical Review E 74, 2006; Fudenberg and Imhof, Journal of Economic Theory
    131, 2006, for rare mutations; Traulsen, Hauert, De Silva, Nowak and Sigmund, "Exploration dynamics in
    evolutionary games", PNAS 106, 2009.
    """

    selection: Annotated[
        float | None,
        Ge(0),
        Lt(np.inf),
        "intensity of selection beta, per unit of payoff (default: 5 over each player's payoff range)",
    ] = None

    def tables(self, world: object) -> ndarray:
        tables = super().tables(world)
        if self.selection is not None:
            return self.selection * tables
        ranges = payoff_ranges(world).reshape(-1, *[1] * (tables.ndim - 1))
        return USUAL / ranges * tables

    def log_ratio(self, mutant: ndarray, resident: ndarray) -> ndarray:
        """Return the excess payoff of residents, times the intensity of selection."""
        return np.asarray(resident - mutant)

    def log_changes(self, counts: ndarray, paid: ndarray) -> ndarray:
        """Return logs of the chances ``[state lost gained]`` of a change of one individual's action."""
        mutation, actions = self.mutation or 0.0, counts.shape[1]
        with np.errstate(divide="ignore"):
            share = np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))
            copied, mutated = np.log(1 - mutation), np.log(mutation / max(actions - 1, 1))
        less = paid[:, :, None] - paid[:, None, :]
        imitates = share[:, None, :] - np.logaddexp(0.0, less)
        return share[:, :, None] + np.logaddexp(copied + imitates, mutated)

"""The frequency-dependent Moran process of a finite population."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt, Le
from numpy import ndarray

from rivalry.methods.finite.birth_death import BirthDeath


class Moran(BirthDeath):
    """Moran process: an individual drawn in proportion to fitness has a copy, which replaces any individual.

    Fitness is ``1 - w + w`` times the payoff, with ``w`` the intensity of selection ``selection``; so
    ``T-(k) / T+(k)`` is the fitness of residents over that of mutants. A symmetric game with one population,
    or ``populations = "each"``, a population per player.

    The record holds ``fixation`` (resident, mutant), the exact chance that one mutant takes over a population
    of residents, on the diagonal ``1 / population``; ``mean_fixation`` (type), its mean over the residents of
    other actions; ``small_mutation`` (type), the share of time in each population of one action where
    mutations are rare, NaN where that depends on the first population; and ``most_common_type``, with the
    largest share. A type is the number of an action. Shares are no strategy, and are not certified.

    With ``mutation`` a copy has, with this chance, one of the other actions, all equally likely, as in the
    Axelrod library. The record then holds ``mean_share`` (axis), the mean over the stationary distribution of
    the share of individuals with each action, and ``most_common_type``, with the largest one; and
    ``composition`` (state, axis), all numbers of individuals with each action, with
    ``composition_probability`` and the index ``most_common_composition``. With two actions the chain is
    solved by detailed balance, with more by elimination without subtractions, both in logarithms where
    needed. Where compositions are too many (of 260 individuals with three actions, or 33 with four), they are
    simulated, and ``mean_share_interval`` (axis, end) is a 95 % interval by replications that began at
    different populations of one action; wide intervals mean that such populations are rarely left.

    With a population per player all entries of actions are (player, axis). Without mutation ``fixation``
    (joint, player, axis) is the chance that a mutant with that action takes over its population where all
    play ``joint_action`` (joint, player), and ``small_mutation`` (joint) the share of time, with
    ``most_common_joint`` the index of the largest.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix([[3, 1], [1, 2]], [[3, 1], [1, 2]])
    >>> rv.solve(game, Moran(population=4)).data.fixation.values.round(4).tolist()
    [[0.25, 0.125], [0.2187, 0.25]]

    References
    ----------
    Nowak, Sasaki, Taylor and Fudenberg, Nature 428, 2004; Taylor, Fudenberg, Sasaki and Nowak, Bulletin of
    Mathematical Biology 66, 2004; Fudenberg and Imhof, Journal of Economic Theory 131, 2006, for mutations.
    """

    selection: Annotated[
        float, Gt(0), Le(1), "intensity of selection w; fitness is 1 - w + w times payoff"
    ] = 1.0

    def log_ratio(self, mutant: ndarray, resident: ndarray) -> ndarray:
        """Return the log of residents' over mutants' fitness, infinite where one of them is 0.

        Raises `ValueError` for a fitness below 0, or where nobody has offspring.
        """
        fitness = self._fitness(np.array([mutant, resident]))
        if not fitness.max(axis=0).min() > 0:
            raise ValueError(f"selection: {self.selection:g} gives the fitness 0 to all; must be smaller")
        with np.errstate(divide="ignore"):
            logs = np.log(fitness)
        return np.asarray(logs[1] - logs[0])

    def log_changes(self, counts: ndarray, paid: ndarray) -> ndarray:
        """Return logs of the chances ``[state lost gained]`` of a change of one individual's action."""
        mutation, actions = self.mutation or 0.0, counts.shape[1]
        fitness = self._fitness(np.where(counts > 0, paid, 1.0))
        # individuals of one action are equal, even with fitness 0
        fitness = np.where((counts > 0).sum(axis=1, keepdims=True) == 1, 1.0, fitness)
        offspring = counts * fitness
        if not offspring.sum(axis=1).min() > 0:
            raise ValueError(f"selection: {self.selection:g} gives the fitness 0 to all; must be smaller")
        # sums of the others, because differences from the total would lose digits
        mutated = offspring @ (1 - np.eye(actions)) / max(actions - 1, 1)
        gained = (1 - mutation) * offspring + mutation * mutated
        with np.errstate(divide="ignore"):
            lost = np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))
            chance = np.log(gained) - np.log(offspring.sum(axis=1, keepdims=True))
        return lost[:, :, None] + chance[:, None, :]

    def _fitness(self, paid: ndarray) -> ndarray:
        fitness = np.asarray(1 - self.selection + self.selection * paid)
        if fitness.min() < 0:
            raise ValueError(
                f"selection: {self.selection:g} gives the fitness {fitness.min():g}; must be so small that "
                "no fitness is negative, or payoffs larger"
            )
        return fitness

"""Birth-death processes of a finite population that plays a symmetric game: exact fixation probabilities."""

from __future__ import annotations

from abc import abstractmethod
from itertools import combinations
from math import comb
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from rivalry.core.array_games import stateless_tables
from rivalry.core.method import BaseLearner, Session
from rivalry.core.results import Record


class BirthDeath(BaseLearner):
    """Base class of processes in which one of ``population`` individuals at a time is replaced by a copy of
    another.

    Groups of as many as the game has players are drawn without replacement; payoffs are their means. An
    individual that turns up in a population of ``N`` others of one action takes over with the probability

        1 / (1 + sum_j prod_{k <= j} T-(k) / T+(k)),  j = 1, .., N - 1,

    where ``T+`` and ``T-`` are the chances that the ``k`` mutants become one more or one fewer.
    """

    population: Annotated[int, Ge(2), Le(100_000), "number of individuals"] = 100

    @abstractmethod
    def log_ratio(self, mutant: np.ndarray, resident: np.ndarray) -> np.ndarray:
        """Return ``log(T-/T+)`` where mutants and residents are paid as given, one entry per state."""

    def length(self, world: object) -> int:
        """Return the number of actions: one step computes the chances of all mutants of one resident."""
        return len(stateless_tables(world)[0])

    def begin(self, world: object, stream: np.random.SeedSequence) -> Session:
        """Return a session without results. Raises `ValueError` for games that are not symmetric."""
        tables = stateless_tables(world)
        if not is_symmetric(tables):
            raise ValueError("game: must be symmetric: one population plays all roles")
        if len(tables[0]) < 2:
            raise ValueError("game: has one action; there is nothing that could take over")
        if self.population < len(tables):
            raise ValueError(f"population: {self.population} must be at least {len(tables)}, the players")
        return {"log_fixation": np.full((len(tables[0]),) * 2, np.nan), "taken": np.zeros(1, dtype=np.int64)}

    def advance(self, world: object, session: Session, steps: int) -> int:
        table, first = stateless_tables(world)[0], int(session["taken"][0])
        last = min(first + steps, len(table))
        for resident in range(first, last):
            for mutant in range(len(table)):
                ratios = np.zeros(self.population - 1)
                if mutant != resident:  # equals are neutral, even with fitness 0
                    ratios = self.log_ratio(*group_payoffs(table, mutant, resident, self.population))
                session["log_fixation"][resident, mutant] = log_fixation(ratios)
        session["taken"] = np.array([last])
        return last - first

    def read(self, world: object, session: Session) -> Record:
        chances = np.exp(session["log_fixation"])
        shares = stationary(session["log_fixation"])
        others = np.where(np.eye(len(chances), dtype=bool), 0.0, chances)
        status = "converged" if session["taken"][0] == len(chances) else "iteration limit"
        return {
            "status": ((), np.asarray(status)),
            "fixation": (("resident", "mutant"), chances),
            "mean_fixation": (("type",), others.sum(axis=0) / (len(chances) - 1)),
            "small_mutation": (("type",), shares),
            "most_common_type": ((), np.asarray(-1 if np.isnan(shares).any() else int(np.argmax(shares)))),
        }


def is_symmetric(tables: np.ndarray) -> bool:
    """Return whether permuting the players of ``tables [player action_0 ..]`` permutes their payoffs.

    >>> is_symmetric(np.array([[[3, 0], [5, 1]], [[3, 5], [0, 1]]]))
    True
    """
    if len(set(tables.shape[1:])) > 1:
        return False
    own = tables[0]
    return all(
        np.array_equal(np.swapaxes(own, i, j), tables[j] if i == 0 else own)
        for i, j in combinations(range(len(tables)), 2)
    )


def group_payoffs(table: np.ndarray, mutant: int, resident: int, population: int) -> tuple[np.ndarray, ...]:
    """Return mean payoffs ``[state]`` of mutants and of residents with 1, .., N - 1 mutants.

    ``table [own other_1 ..]`` is paid to one player of a symmetric game; the others of its group are drawn
    without replacement.

    >>> [paid.tolist() for paid in group_payoffs(np.array([[3.0, 1.0], [1.0, 2.0]]), 0, 1, 3)]
    [[1.0, 2.0], [1.5, 1.0]]
    """
    others = table.ndim - 1
    states = range(1, population)
    found = []
    for own, fellows in ((mutant, 1), (resident, 0)):
        paid = [table[(own, *(mutant,) * j, *(resident,) * (others - j))] for j in range(others + 1)]
        found.append(
            np.array(
                [
                    sum(
                        comb(k - fellows, j) * comb(population - 1 - k + fellows, others - j) * pay
                        for j, pay in enumerate(paid)
                    )
                    for k in states
                ]
            )
            / comb(population - 1, others)
        )
    return tuple(found)


def log_fixation(log_ratios: np.ndarray) -> float:
    """Return the log of the chance that one mutant takes over, from ``log(T-/T+)`` at 1, .., N - 1 mutants.

    Infinite ratios are those of fitness 0. NaN where mutants can neither vanish nor take over.

    >>> float(np.exp(log_fixation(np.zeros(3))).round(12)), log_fixation(np.array([0.5, np.inf]))
    (0.25, -inf)
    """
    from scipy.special import logsumexp

    up, down = np.flatnonzero(log_ratios == -np.inf), np.flatnonzero(log_ratios == np.inf)
    if len(down):
        return np.nan if len(up) and up[0] < down[-1] else -np.inf
    return -float(logsumexp(np.append(0.0, np.cumsum(log_ratios))))


def stationary(log_fixations: np.ndarray) -> np.ndarray:
    """Return the share of time ``[action]`` of each action where mutations are rare.

    A mutant of another action, all equally likely, takes over or vanishes before the next one
    (Fudenberg and Imhof 2006). Computed without subtractions, by elimination of states (Grassmann, Taksar and
    Heyman 1985), in logarithms: ratios of chances may be known where the chances are too small for a float.
    NaN where a chance of fixation is missing, or where the shares depend on the first population.

    >>> stationary(np.log([[0.5, 0.1], [0.3, 0.5]])).round(12).tolist()
    [0.75, 0.25]
    """
    count = len(log_fixations)
    reached = (log_fixations > -np.inf) | np.eye(count, dtype=bool)
    recurrent = np.flatnonzero(np.linalg.matrix_power(reached.astype(float), count).all(axis=0))
    if np.isnan(log_fixations).any() or not len(recurrent):
        return np.full(count, np.nan)
    # elimination ends at an action that all others lead to, so none of them is left with no way out
    order = np.roll(np.arange(count), -recurrent[0])
    moves = log_fixations[np.ix_(order, order)]
    for k in range(count - 1, 0, -1):
        moves[:k, k] -= np.logaddexp.reduce(moves[k, :k])
        moves[:k, :k] = np.logaddexp(moves[:k, :k], np.add.outer(moves[:k, k], moves[k, :k]))
    share = np.zeros(count)
    for k in range(1, count):
        share[k] = np.logaddexp.reduce(share[:k] + moves[:k, k])
    return np.asarray(np.exp(share - np.logaddexp.reduce(share))[np.argsort(order)])

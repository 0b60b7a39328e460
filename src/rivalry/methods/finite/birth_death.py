"""Birth-death processes of a finite population that plays a symmetric game: exact fixation probabilities."""

from __future__ import annotations

from abc import abstractmethod
from itertools import combinations
from math import comb
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from rivalry.core.forms import stateless_tables
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
        return {"fixation": np.full((len(tables[0]),) * 2, np.nan), "taken": np.zeros(1, dtype=np.int64)}

    def advance(self, world: object, session: Session, steps: int) -> int:
        table, first = stateless_tables(world)[0], int(session["taken"][0])
        last = min(first + steps, len(table))
        for resident in range(first, last):
            for mutant in range(len(table)):
                paid = group_payoffs(table, mutant, resident, self.population)
                session["fixation"][resident, mutant] = fixation(self.log_ratio(*paid))
        session["taken"] = np.array([last])
        return last - first

    def read(self, world: object, session: Session) -> Record:
        chances = session["fixation"]
        shares = stationary(chances)
        others = np.where(np.eye(len(chances), dtype=bool), 0.0, chances)
        status = "converged" if np.all(np.isfinite(chances)) else "iteration limit"
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


def fixation(log_ratios: np.ndarray) -> float:
    """Return the chance that one mutant takes over, from ``log(T-/T+)`` at 1, .., N - 1 mutants.

    >>> fixation(np.zeros(3))
    0.25
    """
    from scipy.special import logsumexp

    return float(np.exp(-logsumexp(np.append(0.0, np.cumsum(log_ratios)))))


def stationary(fixations: np.ndarray) -> np.ndarray:
    """Return the share of time ``[action]`` of each action where mutations are rare.

    A mutant of another action, all equally likely, takes over or vanishes before the next one
    (Fudenberg and Imhof 2006). Computed without subtractions, by elimination of states (Grassmann, Taksar and
    Heyman 1985). NaN where a chance of fixation is missing, or too small for a float to leave an action.

    >>> stationary(np.array([[0.5, 0.1], [0.3, 0.5]])).round(12).tolist()
    [0.75, 0.25]
    """
    moves, count = fixations.copy(), len(fixations)
    for k in range(count - 1, 0, -1):
        leaves = moves[k, :k].sum()
        if not leaves > 0:
            return np.full(count, np.nan)
        moves[:k, k] /= leaves
        moves[:k, :k] += np.outer(moves[:k, k], moves[k, :k])
    share = np.ones(count)
    for k in range(1, count):
        share[k] = share[:k] @ moves[:k, k]
    return np.asarray(share / share.sum())

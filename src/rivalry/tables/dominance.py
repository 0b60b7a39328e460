"""Iterated elimination of strictly dominated actions of a finite game, each with a certificate.

An action that a mixture of the others strictly dominates is played in no equilibrium, and the game without it
has the same equilibria. A linear programme in floating point proposes the mixture; whole numbers decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, inf
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.runtime.jax import search_clock

ROUNDED = 1 << 10  # of a mixture's weights, of which payoffs gain at least one unit: rounding costs less
PROGRAMMES = 30_000_000  # size of all linear programmes of a game: about a minute
OVERHEAD = 1_000  # of a linear programme, in entries


class Elimination(NamedTuple):
    """A strictly dominated action, and the mixture of actions then left that pays more everywhere."""

    player: int
    action: int
    weights: dict[int, int]  # by action, positive


class _Remaining:
    """The actions that are left of a game, while others are eliminated."""

    def __init__(self, tables: Sequence[ndarray]) -> None:
        self.tables = tables
        self.ranks = [_ranks(table) for table in tables]
        self.actions: list[ndarray] = [np.arange(size) for size in tables[0].shape]
        self.eliminated: list[Elimination] = []
        self.refuted: dict[tuple[int, int], int] = {}  # actions left of others where no mixture dominated

    def rows(self, tables: Sequence[ndarray], player: int) -> ndarray:
        """A player's entries ``[action profile]`` over the actions that are left."""
        table = np.moveaxis(tables[player][np.ix_(*self.actions)], player, 0)
        return np.reshape(table, (len(table), -1))

    def delete(self, player: int, action: int, weights: dict[int, int]) -> None:
        """Eliminate an action."""
        self.eliminated.append(Elimination(player, action, weights))
        self.actions[player] = self.actions[player][self.actions[player] != action]

    def by_actions(self, player: int) -> None:
        """Eliminate a player's actions that another single action dominates."""
        rows, actions = self.rows(self.ranks, player), self.actions[player]
        is_better = np.all(rows[None] > rows[:, None], axis=2)  # [action by]
        is_dominated = is_better.any(axis=1)
        # what dominates an action is not eliminated with it: take one that nothing dominates
        best = np.argmax(is_better & ~is_dominated, axis=1)
        for k in np.flatnonzero(is_dominated).tolist():
            self.delete(player, int(actions[k]), {int(actions[best[k]]): 1})

    def by_mixtures(self, player: int, budget: int, end: float) -> int:
        """Eliminate a player's actions that a mixture dominates, and return what is left of the budget."""
        rows = self.rows(self.ranks, player)
        is_response = np.any(rows == rows.max(axis=0), axis=1)
        rival_actions = sum(map(len, self.actions)) - len(rows)
        # best responses are not dominated, nor is one of two actions that the other alone does not dominate
        candidates = self.actions[player][~is_response].tolist() if len(rows) > 2 else []
        for action in [a for a in candidates if self.refuted.get((player, a)) != rival_actions]:
            budget -= OVERHEAD + rows.size
            if budget < 0 or search_clock() > end:
                return 0
            if weights := _dominating(self.rows(self.tables, player), self.actions[player], action):
                self.delete(player, action, weights)
            else:
                self.refuted[player, action] = rival_actions
        return budget


def eliminations(
    tables: Sequence[ndarray], *, budget: int = PROGRAMMES, end: float = inf
) -> list[Elimination]:
    """Return the actions of all players that iterated strict dominance eliminates, in turn.

    Tables ``[action_0 ..]`` hold Python ints. Mixtures are sought by linear programmes of at most ``budget``
    entries in all, until the time ``end``; actions that single ones dominate are always eliminated.

    >>> third = np.array([[4, 0], [0, 4], [1, 1]], dtype=object)
    >>> eliminations([third, 0 * third])
    [Elimination(player=0, action=2, weights={0: 1, 1: 1})]
    """
    remaining, count = _Remaining(tables), -1
    while count < len(remaining.eliminated):
        count = len(remaining.eliminated)
        for player in range(len(tables)):
            remaining.by_actions(player)
        if count == len(remaining.eliminated):
            for player in range(len(tables)):
                budget = remaining.by_mixtures(player, budget, end)
    return remaining.eliminated


def actions_left(sizes: Sequence[int], eliminated: Sequence[Elimination]) -> list[ndarray]:
    """Return the actions of every player that are not eliminated.

    >>> actions_left((2, 2), [Elimination(0, 1, {0: 1})])
    [array([0]), array([0, 1])]
    """
    is_left = [np.ones(size, bool) for size in sizes]
    for player, action, _ in eliminated:
        is_left[player][action] = False
    return [np.flatnonzero(mask) for mask in is_left]


def _dominating(rows: ndarray, actions: ndarray, action: int) -> dict[int, int]:
    """Weights of actions that together pay more than one at every profile; {} where none are proved."""
    from scipy.optimize import linprog

    gains = rows - rows[np.flatnonzero(actions == action)]  # [by profile]
    # the unit of a profile is free, since only signs count; division of Python ints is correctly rounded
    scaled = (gains / np.abs(gains).max(axis=0).clip(min=1)).astype(float)
    # weights without a common sum: near a chain of best responses they differ by many orders of magnitude
    solved = linprog(np.ones(len(gains)), -scaled.T, np.full(gains.shape[1], -1.0), method="highs-ds")
    if solved.x is None:
        return {}
    # Python ints: the weights may exceed 64 bits
    weights = np.array([max(round(w), 0) for w in (ROUNDED * solved.x).tolist()], object)
    common = gcd(*weights.tolist()) or 1
    if np.min(weights @ gains) <= 0:
        return {}
    played = np.flatnonzero(weights).tolist()
    return {int(actions[k]): int(weights[k]) // common for k in played}


def _ranks(table: ndarray) -> ndarray:
    """Places of payoffs in their order: Python ints compare slowly in arrays."""
    pays = table.ravel().tolist()
    place = {pay: rank for rank, pay in enumerate(sorted(set(pays)))}
    return np.array([place[pay] for pay in pays]).reshape(table.shape)

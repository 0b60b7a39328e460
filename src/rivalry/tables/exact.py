"""Exact payoffs, regrets of pure actions, largest payoff and all pure equilibria of a tabulated game.

Joint actions are rows of whole numbers, ``[player]``. All results hold on the grid only: between grid points
there may be better responses, for which `rivalry.certificate` searches.
"""

from __future__ import annotations

from math import comb, prod

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import FiniteGame, stateless_tables
from rivalry.core.tolerances import TIE
from rivalry.tables.extreme_equilibria import equal_within
from rivalry.tables.kernels.shapes import Tabulated

MOST_JOINT = 5_000_000  # joint actions enumerated without a table


def payoffs(tabulated: Tabulated, actions: object) -> ndarray:
    """Return every player's payoff at joint actions ``[.. player]``, in the same shape.

    Raises `ValueError` for unknown actions, and for a game with states of nature.

    >>> import rivalry as rv
    >>> from rivalry.tables import tabulate
    >>> payoffs(tabulate(rv.games.matrix("chicken")), [[0, 0], [1, 0]]).tolist()
    [[0.0, 0.0], [1.0, -1.0]]
    """
    tables = one_nature(tabulated)
    joint = joint_actions(tabulated, actions)
    rows = joint.reshape(-1, len(tables.sizes))
    if tables.payoff.size:
        values = tables.payoff[0].T[np.ravel_multi_index(tuple(rows.T), tuple(tables.sizes))]
    else:
        from rivalry.tables.kernels import contests

        values = np.zeros(rows.shape)
        contests.pay_many(tabulated.contest, rows, values)
    return np.asarray(values.reshape(joint.shape))


def regrets(tabulated: Tabulated, actions: object) -> ndarray:
    """Return each player's gain by its best action, the others' fixed, ``[player]``; at least 0.

    Raises `ValueError` for unknown actions.

    >>> import rivalry as rv
    >>> from rivalry.tables import tabulate
    >>> regrets(tabulate(rv.games.matrix("prisoners_dilemma")), [0, 1]).tolist()
    [1.0, 0.0]
    """
    current = joint_actions(tabulated, actions)
    if current.ndim != 1:
        raise ValueError(f"actions: shape {current.shape} must be ({len(tabulated.tables.sizes)},)")
    gains = np.zeros(len(current))
    for player, size in enumerate(tabulated.tables.sizes):
        rows = np.repeat(current[None], size, axis=0)
        rows[:, player] = np.arange(size)
        pays = payoffs(tabulated, rows)[:, player]
        gains[player] = pays.max() - pays[current[player]]
    return gains


def equilibria(tabulated: Tabulated, *, most: int = MOST_JOINT) -> ndarray:
    """Return all pure equilibria on the grid, ``[equilibrium player]``.

    Of equilibria that differ by a permutation of exchangeable players only the one is returned in which these
    players are in order, an earlier one never at a higher action. Without a table every joint action is
    summed, once per permutation class, if there are at most ``most`` classes.

    Raises
    ------
    ValueError
        For more classes than ``most``, and for a game with states of nature.

    Examples
    --------
    >>> import rivalry as rv
    >>> from rivalry.tables import tabulate
    >>> equilibria(tabulate(rv.games.matrix("stag_hunt"))).tolist()
    [[0, 0], [1, 1]]
    """
    tables = one_nature(tabulated)
    before = _before(tabulated)
    if not tables.payoff.size:
        return _summed_equilibria(tabulated, before, most)
    profiles = np.argwhere(pure_equilibria(stateless_tables(tables)))
    twins = np.flatnonzero(before >= 0)
    return profiles[np.all(profiles[:, twins] >= profiles[:, before[twins]], axis=1)]


def pure_equilibria(tables: ndarray) -> ndarray:
    """Mask of joint actions that are pure equilibria of ``tables [player action_0 ..]``,
    ``[action_0 ..]``.
    """
    return np.logical_and.reduce([best_responses(tables, player) for player in range(len(tables))])


def best_responses(tables: ndarray, player: int) -> ndarray:
    """Mask of joint actions at which the player's own action is a best response."""
    table = tables[player]
    top = table.max(axis=player, keepdims=True)
    # payoffs that differ by rounding alone are ties: strict comparison would lose equilibria of scaled games
    return table >= top - equal_within(top)


def largest_payoff(tabulated: Tabulated, *, most: int = MOST_JOINT) -> float:
    """Return the largest payoff of any player at any joint action.

    Without a table one joint action is summed per class of permutations of exchangeable players. Raises
    `ValueError` where there are more than ``most`` classes.
    """
    if tabulated.tables.payoff.size:
        return float(tabulated.tables.payoff.max())
    from rivalry.tables.kernels import contests

    before = _before(tabulated)
    _refuse_many(tabulated, most)
    return float(contests.largest(tabulated.contest, tabulated.tables.sizes, before))


def joint_actions(tabulated: Tabulated, actions: object) -> ndarray:
    """Return ``actions [.. player]`` as whole numbers.

    Raises `ValueError` for unknown actions and other shapes.
    """
    sizes = tabulated.tables.sizes
    array = np.asarray(actions)
    if array.ndim == 0 or array.shape[-1] != len(sizes) or array.dtype.kind not in "iu":
        raise ValueError(f"actions: {actions!r} must be whole numbers, one for each of {len(sizes)} players")
    wrong = np.argwhere((array < 0) | (array >= sizes))
    if wrong.size:
        player = wrong[0][-1]
        value = array[tuple(wrong[0])]
        raise ValueError(f"actions: player {player} at {value}; must be in 0..{sizes[player] - 1}")
    return array.astype(np.int64)


def one_nature(tabulated: Tabulated) -> FiniteGame:
    """Return the tables of a game with one state of nature. Raises `ValueError` for others."""
    tables = tabulated.tables
    if tables.payoff.shape[0] > 1:
        raise ValueError(f"game: has {tables.payoff.shape[0]} states of nature; must have one for this")
    return tables


def _summed_equilibria(tabulated: Tabulated, before: ndarray, max_joint: int) -> ndarray:
    from rivalry.tables.kernels import contests

    _refuse_many(tabulated, max_joint)
    sizes, contest = tabulated.tables.sizes, tabulated.contest
    # payoffs lie between minus the largest cost and the sum of the weights, which sets their scale
    tie = TIE * float(contest.weights.sum() + np.abs(contest.cost).max())
    rows, count = np.zeros((0, len(sizes)), int), 64
    # the count is right beyond the end of the array too: a second pass has a row for each
    while count > len(rows):
        rows = np.zeros((count, len(sizes)), int)
        count = contests.equilibria(contest, sizes, before, tie, rows)
    return rows[:count]


def _before(tabulated: Tabulated) -> ndarray:
    """Return the last earlier exchangeable player, ``[player]``; -1 for none."""
    labels = tabulated.exchangeable.tolist()
    predecessors = [[k for k in range(p) if labels[k] == labels[p]] for p in range(len(labels))]
    return np.array([max(group, default=-1) for group in predecessors], int)


def joint_count(tabulated: Tabulated) -> int:
    """Return the number of joint actions, counted up to permutations of exchangeable players."""
    _, representatives, counts = np.unique(tabulated.exchangeable, return_index=True, return_counts=True)
    sizes = tabulated.tables.sizes[representatives].tolist()
    # ordered actions of m players among n are multisets: n + m - 1 over m
    return prod(comb(n + m - 1, m) for n, m in zip(sizes, counts.tolist(), strict=True))


def _refuse_many(tabulated: Tabulated, max_joint: int) -> None:
    count = joint_count(tabulated)
    if count > max_joint:
        raise ValueError(
            f"game: {count} joint actions to go through, swaps left out; must be at most {max_joint}"
        )

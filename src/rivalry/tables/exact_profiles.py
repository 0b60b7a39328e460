"""Gains at a profile of a finite game in exact arithmetic, and the nearest equilibrium of its support."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from flint import fmpq_mat
from numpy import ndarray

from rivalry.tables.rationals import echelon, fraction, rational

LARGEST_TABLE = 200_000  # payoffs that are read as fractions, a second or so
Strategies = Sequence[Sequence[Fraction]]


def action_payoffs(table: ndarray, profile: Strategies, player: int) -> list[Fraction]:
    """Payoff of each action of a player against the others' strategies.

    Parameters
    ----------
    table : ndarray of Fraction
        The player's payoffs ``[action_0 action_1 ..]``.
    profile : sequence of sequences of Fraction
        Probabilities per player.
    player : int
        The player.

    Examples
    --------
    >>> from rivalry.tables.extreme_equilibria import payoff_fractions
    >>> half = [Fraction(1, 2)] * 2
    >>> table = payoff_fractions(np.array([[3.0, 0.0], [5.0, 1.0]]))
    >>> action_payoffs(table, [half, half], 0)
    [Fraction(3, 2), Fraction(3, 1)]
    """
    payoffs = np.moveaxis(table, player, 0)
    for opponent in reversed([p for p in range(len(profile)) if p != player]):
        payoffs = payoffs @ np.array(list(profile[opponent]), object)
    return [Fraction(value) for value in payoffs.tolist()]


def exact_gains(tables: ndarray, profile: Strategies) -> list[Fraction]:
    """Return the largest gain of every player by another strategy, exactly.

    ``tables [player action_0 ..]`` hold fractions, as `payoff_fractions` reads them.

    Examples
    --------
    >>> from rivalry.tables.extreme_equilibria import payoff_fractions
    >>> pennies = np.array([[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]])
    >>> tables = np.array([payoff_fractions(own) for own in pennies])
    >>> exact_gains(tables, [[Fraction(1, 2)] * 2, [Fraction(1, 3), Fraction(2, 3)]])
    [Fraction(1, 3), Fraction(0, 1)]
    """
    gains = []
    for player, strategy in enumerate(profile):
        pays = action_payoffs(tables[player], profile, player)
        gains.append(max(pays) - sum(p * u for p, u in zip(strategy, pays, strict=True)))
    return gains


def nearest_equilibrium(
    tables: ndarray, profile: Strategies, units: Sequence[Fraction]
) -> list[list[Fraction]] | None:
    """Return an exact equilibrium whose probabilities differ from these by at most ``units [player]``.

    The nearest solution of the equations of the support; None where it is not an equilibrium, or farther
    away. Of three and more players solutions of small denominators are tried, since others are irrational.

    Examples
    --------
    >>> from rivalry.tables.extreme_equilibria import payoff_fractions
    >>> rock = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    >>> tables = np.array([payoff_fractions(own) for own in (rock, -rock)])
    >>> rounded = [[Fraction(333, 1000), Fraction(333, 1000), Fraction(334, 1000)]] * 2
    >>> [str(p) for p in nearest_equilibrium(tables, rounded, [Fraction(1, 1000)] * 2)[0]]
    ['1/3', '1/3', '1/3']
    """
    played = [[a for a, p in enumerate(strategy) if p > 0] for strategy in profile]
    if len(profile) == 2:
        fractions = [list(strategy) for strategy in profile]
        for player, opponent in ((0, 1), (1, 0)):
            # the other's probabilities make this player's actions of the support pay the same
            payoffs = np.moveaxis(tables[player], player, 0)
            rows = [
                [payoffs[a, b] - payoffs[played[player][0], b] for b in played[opponent]]
                for a in played[player]
            ]
            rows, right = [*rows[1:], [Fraction(1)] * len(played[opponent])], [Fraction(0)] * len(rows)
            right[-1] = Fraction(1)
            nearest = projection(rows, right, [profile[opponent][b] for b in played[opponent]])
            if nearest is None:
                return None
            fractions[opponent] = [Fraction(0)] * len(profile[opponent])
            for b, p in zip(played[opponent], nearest, strict=True):
                fractions[opponent][b] = p
        return fractions if _within(tables, profile, fractions, units) else None
    for simple in _of_small_denominators(profile):
        if _within(tables, profile, simple, units):
            return simple
    return None


def _of_small_denominators(profile: Strategies) -> list[list[list[Fraction]]]:
    """Return profiles of the simplest fractions within the rounding, by the largest denominator."""
    candidates = []
    for denominator in (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 30, 60, 100, 1000):
        rows = [[p.limit_denominator(denominator) for p in strategy] for strategy in profile]
        if all(sum(row) == 1 for row in rows) and rows not in candidates:
            candidates.append(rows)
    return candidates


def _within(tables: ndarray, profile: Strategies, candidate: Strategies, units: Sequence[Fraction]) -> bool:
    near = all(
        p >= 0 and abs(p - q) <= unit
        for exact, approximate, unit in zip(candidate, profile, units, strict=True)
        for p, q in zip(exact, approximate, strict=True)
    )
    return near and not any(exact_gains(tables, candidate))


def projection(
    rows: Sequence[Sequence[Fraction]], right: Sequence[Fraction], point: Sequence[Fraction]
) -> list[Fraction] | None:
    """Return the nearest solution of linear equations to a point, exactly; None where there is none.

    Examples
    --------
    >>> one = Fraction(1)
    >>> [str(x) for x in projection([[one, one]], [one], [Fraction(0), Fraction(1, 2)])]
    ['1/4', '3/4']
    """
    solved = echelon([[*map(rational, row), rational(value)] for row, value in zip(rows, right, strict=True)])
    if solved is None:
        return None
    normals = fmpq_mat([row[:-1] for row in solved[0]])
    if not normals.nrows():
        return list(point)
    start = fmpq_mat([[rational(p)] for p in point])
    missing = fmpq_mat([row[-1:] for row in solved[0]]) - normals * start
    nearest = start + normals.transpose() * (normals * normals.transpose()).solve(missing)
    return [fraction(p) for p in nearest.entries()]

"""Behaviour strategies in the sequence form: realisation weights, best responses and exact probabilities.

All functions take floats or, in arrays of objects, fractions, of which the results are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import lcm, nextafter
from typing import Any, Literal, TypeVar

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import SequenceForm
from rivalry.core.exact_payoffs import exact_payoff
from rivalry.tables.extreme_equilibria import common_payoffs, misread_by

Number = TypeVar("Number", float, Fraction)
DENOMINATOR = 100_000  # largest one of a probability that is read as a fraction
NEAR = 1e-11  # largest difference between the two; a wrong guess only widens what is proved
BITS = 40  # of probabilities that are no such fractions
LONG = 400  # most bits of a common denominator of probabilities that are


def information_sets(sizes: tuple[int, ...]) -> Iterator[slice]:
    """Yield the axes of each information set of a player.

    >>> list(information_sets((2, 3)))
    [slice(0, 2, None), slice(2, 5, None)]
    """
    end = 0
    for size in sizes:
        yield slice(end, end := end + size)


def realization(form: SequenceForm, x: ndarray, player: int) -> ndarray:
    """Return the probabilities that a player's own moves allow each of its axes, after a 1, ``[1 + axis]``.

    >>> form = SequenceForm(((2, 2), (1,)), np.array([[-1, -1, 0, 0], [-1] * 4]), np.zeros((0, 2)), None)
    >>> realization(form, np.array([[0.5, 0.5, 0.25, 0.75], [1.0, 0.0, 0.0, 0.0]]), 0).tolist()
    [1.0, 0.5, 0.5, 0.125, 0.375]
    """
    weights = np.ones(1 + sum(form.sizes[player]), x.dtype)
    for axes in information_sets(form.sizes[player]):
        weights[1:][axes] = x[player, axes] * weights[1 + form.before[player, axes.start]]
    return weights


def best_plan(form: SequenceForm, x: ndarray, player: int) -> tuple[ndarray, Any]:
    """Return a pure best response ``[axis]`` to the others at ``x``, and its payoff, by backward induction.

    The response is a best one at every information set that the others and chance reach, given what follows.
    """
    values = move_values(form, x, player)
    strategy = np.zeros(x.shape[1])
    for axes in information_sets(form.sizes[player]):
        strategy[axes.start + int(np.argmax(values[1:][axes]))] = 1.0
    return strategy, values[0]


def move_values(form: SequenceForm, x: ndarray, player: int) -> ndarray:
    """Largest payoffs of a player after each of its moves, times the others' and chance's probability.

    Payoffs ``[1 + axis]`` against the others at ``x``; the first is that of the game.
    """
    exact = x.dtype == object
    paid = form.paid[:, player]
    reach, unit = common_payoffs(paid) if exact else (paid.astype(float), 1)
    for opponent in range(len(x)):
        if opponent != player:
            weights = realization(form, x, opponent)
            if exact:  # sums of whole numbers are fast, those of fractions are not
                common = lcm(*(w.denominator for w in weights))
                weights = np.array([w.numerator * (common // w.denominator) for w in weights], object)
                unit *= common
            reach = reach * weights[1 + form.moves[:, opponent]]
    values = np.zeros(1 + sum(form.sizes[player]), x.dtype)
    np.add.at(values, 1 + form.moves[:, player], reach)
    for axes in reversed(list(information_sets(form.sizes[player]))):
        values[1 + form.before[player, axes.start]] += values[1:][axes].max()
    if exact:
        return np.array([Fraction(value) / unit / Fraction(form.unit) for value in values], object)
    return np.asarray(values / form.unit)


def payoff_sum(form: SequenceForm) -> Fraction:
    """Return the sum of two players' payoffs, where it is the same whatever they play.

    Payoffs are read as decimals and fractions of small denominators where they are such numbers; a sum may
    differ by rounding errors of payoffs that are not.

    Raises
    ------
    ValueError
        Where two pairs of strategies have different sums, with these.

    Examples
    --------
    >>> shares = np.array([[0.75, 0.25], [0.25, 0.75], [0.0, 1.0], [1.0, 0.0]])
    >>> moves = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> payoff_sum(SequenceForm(((2,), (2,)), np.full((2, 2), -1), moves, shares))
    Fraction(1, 1)
    """
    rounding = misread_by(form.paid).sum(axis=1)
    if np.all(np.abs(form.paid.sum(axis=1)) <= rounding / 2):
        return Fraction(0)
    unit = Fraction(form.unit)
    read = [(exact_payoff(first) + exact_payoff(second)) / unit for first, second in form.paid.tolist()]
    sums = _coefficients(form, read)
    total = sums.pop((-1, -1), Fraction(0))
    within = _coefficients(form, [Fraction(float(width)) / unit for width in rounding.tolist()], sizes=True)
    wrong = [key for key, value in sums.items() if abs(value) > within.get(key, 0)]
    if wrong:
        # the strategies differ in as few moves as possible, so that no other term is met on the way
        key = min(wrong, key=lambda key: _depth(form, 0, key[0]) + _depth(form, 1, key[1]))
        pays = float(total), float(total + sums[key])
        raise ValueError(f"game: payoffs sum to {pays[0]:g} for some strategies, to {pays[1]:g} for others")
    return total


def _coefficients(
    form: SequenceForm, values: list[Fraction], sizes: bool = False
) -> dict[tuple[int, int], Fraction]:
    """Return the coefficients of a sum over leaves in free moves, or bounds on their ``sizes``."""
    rows = dict[int, dict[int, Fraction]]()
    for (row_sequence, column_sequence), value in zip(form.moves.tolist(), values, strict=True):
        row = rows.setdefault(row_sequence, {})
        row[column_sequence] = row.get(column_sequence, Fraction(0)) + value
    rows = _in_free_moves(form, 1, _in_free_moves(form, 0, rows, sizes), sizes)
    return {(first, second): value for first, row in rows.items() for second, value in row.items()}


def _in_free_moves(
    form: SequenceForm, player: int, rows: dict[int, dict[int, Fraction]], sizes: bool
) -> dict[int, dict[int, Fraction]]:
    """Return the transpose of coefficients ``[axis][other axis]`` without the first moves of a player's sets.

    The weights of the moves of a set add to that of the move before: the first is this less the others.
    ``sizes`` add up.
    """
    for axes in reversed(list(information_sets(form.sizes[player]))):
        row_of_start = rows.pop(axes.start, {})
        for axis in (int(form.before[player, axes.start]), *range(axes.start + 1, axes.stop)):
            row, sign = rows.setdefault(axis, {}), -1 if axis > axes.start and not sizes else 1
            for axis_now, value in row_of_start.items():
                row[axis_now] = row.get(axis_now, Fraction(0)) + sign * value
    return transposed(rows)


def transposed(entries: dict[int, dict[int, Number]]) -> dict[int, dict[int, Number]]:
    """Entries ``[axis][rival axis]`` by the rival's axis first.

    >>> transposed({0: {1: 2.5, 3: 1.0}})
    {1: {0: 2.5}, 3: {0: 1.0}}
    """
    result: dict[int, dict[int, Number]] = {}
    for axis, row in entries.items():
        for rival_axis, value in row.items():
            result.setdefault(rival_axis, {})[axis] = value
    return result


def _depth(form: SequenceForm, player: int, axis: int) -> int:
    """Return the number of own moves up to an axis."""
    count = 0
    while axis >= 0:
        count, axis = count + 1, int(form.before[player, axis])
    return count


def fractions(form: SequenceForm, x: ndarray) -> ndarray:
    """Return behaviour strategies near ``x`` as fractions that sum to one exactly, ``[player axis]``.

    A player's probabilities are fractions of small denominators where all of them are near such fractions;
    otherwise multiples of a power of two.

    >>> form = SequenceForm(((2,), (2,)), np.full((2, 2), -1), np.zeros((0, 2)), np.zeros((0, 2)))
    >>> fractions(form, np.array([[1 / 3, 2 / 3], [0.5**0.5, 1 - 0.5**0.5]]))[0].tolist()
    [Fraction(1, 3), Fraction(2, 3)]
    """
    strategies = np.full(x.shape, Fraction(0), object)
    for player, sizes in enumerate(form.sizes):
        strategy = x[player, : sum(sizes)].tolist()
        simple = [Fraction(p).limit_denominator(DENOMINATOR) for p in strategy]
        sets = list(information_sets(sizes))
        good = all(abs(float(s) - p) <= NEAR for s, p in zip(simple, strategy, strict=True))
        # a large common denominator would make sums over leaves slow
        if (
            not good
            or any(sum(simple[axes]) != 1 for axes in sets)
            or lcm(*(s.denominator for s in simple)) > 2**LONG
        ):
            simple = [Fraction(round(p * 2**BITS), 2**BITS) for p in strategy]
            for axes in sets:
                largest = max(range(axes.start, axes.stop), key=simple.__getitem__)
                simple[largest] += 1 - sum(simple[axes])
        strategies[player, : len(strategy)] = simple
    return strategies


def rounded(value: Fraction, towards: Literal[-1, 1]) -> float:
    """Return the nearest float that is no larger (-1) or no smaller (1) than a fraction.

    >>> rounded(Fraction(1, 3), -1) < Fraction(1, 3) < rounded(Fraction(1, 3), 1)
    True
    """
    nearest = float(value)
    wrong = (Fraction(nearest) - value) * towards < 0
    return nextafter(nearest, towards * float("inf")) if wrong else nearest

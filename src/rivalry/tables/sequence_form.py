"""Behaviour strategies in the sequence form: realisation weights, best responses and exact probabilities.

All functions take floats or, in arrays of objects, fractions, of which the results are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import lcm, nextafter
from typing import Any, Literal

import numpy as np

from rivalry.core.array_games import SequenceForm
from rivalry.tables.extreme_equilibria import exact_payoff

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


def realization(form: SequenceForm, x: np.ndarray, player: int) -> np.ndarray:
    """Return the probabilities that a player's own moves allow each of its axes, after a 1, ``[1 + axis]``.

    >>> form = SequenceForm(((2, 2), (1,)), np.array([[-1, -1, 0, 0], [-1] * 4]), np.zeros((0, 2)), None)
    >>> realization(form, np.array([[0.5, 0.5, 0.25, 0.75], [1.0, 0.0, 0.0, 0.0]]), 0).tolist()
    [1.0, 0.5, 0.5, 0.125, 0.375]
    """
    weights = np.ones(1 + sum(form.sizes[player]), dtype=x.dtype)
    for axes in information_sets(form.sizes[player]):
        weights[1:][axes] = x[player, axes] * weights[1 + form.before[player, axes.start]]
    return weights


def best_plan(form: SequenceForm, x: np.ndarray, player: int) -> tuple[np.ndarray, Any]:
    """Return a pure best response ``[axis]`` to the others at ``x``, and its payoff, by backward induction.

    The response is a best one at every information set that the others and chance reach, given what follows.
    """
    values = move_values(form, x, player)
    strategy = np.zeros(x.shape[1])
    for axes in information_sets(form.sizes[player]):
        strategy[axes.start + int(np.argmax(values[1:][axes]))] = 1.0
    return strategy, values[0]


def move_values(form: SequenceForm, x: np.ndarray, player: int) -> np.ndarray:
    """Return what a player gets at most after each of its moves, times the others' and chance's probability.

    Payoffs ``[1 + axis]`` against the others at ``x``; the first is that of the game.
    """
    exact = x.dtype == object
    reach = form.paid[:, player]
    if exact:
        reach = np.array([exact_payoff(p) for p in reach.tolist()], dtype=object)
    for other in range(len(x)):
        if other != player:
            reach = reach * realization(form, x, other)[1 + form.moves[:, other]]
    values = np.zeros(1 + sum(form.sizes[player]), dtype=x.dtype)
    np.add.at(values, 1 + form.moves[:, player], reach)
    for axes in reversed(list(information_sets(form.sizes[player]))):
        values[1 + form.before[player, axes.start]] += values[1:][axes].max()
    return values / (Fraction(form.unit) if exact else form.unit)


def fractions(form: SequenceForm, x: np.ndarray) -> np.ndarray:
    """Return behaviour strategies near ``x`` as fractions that sum to one exactly, ``[player axis]``.

    A player's probabilities are fractions of small denominators where all of them are near such fractions;
    otherwise multiples of a power of two.

    >>> form = SequenceForm(((2,), (2,)), np.full((2, 2), -1), np.zeros((0, 2)), np.zeros((0, 2)))
    >>> fractions(form, np.array([[1 / 3, 2 / 3], [0.5**0.5, 1 - 0.5**0.5]]))[0].tolist()
    [Fraction(1, 3), Fraction(2, 3)]
    """
    found = np.full(x.shape, Fraction(0), dtype=object)
    for player, sizes in enumerate(form.sizes):
        own = x[player, : sum(sizes)].tolist()
        simple = [Fraction(p).limit_denominator(DENOMINATOR) for p in own]
        sets = list(information_sets(sizes))
        good = all(abs(float(s) - p) <= NEAR for s, p in zip(simple, own, strict=True))
        # a large common denominator would make sums over leaves slow
        if (
            not good
            or any(sum(simple[axes]) != 1 for axes in sets)
            or lcm(*(s.denominator for s in simple)) > 2**LONG
        ):
            simple = [Fraction(round(p * 2**BITS), 2**BITS) for p in own]
            for axes in sets:
                largest = max(range(axes.start, axes.stop), key=simple.__getitem__)
                simple[largest] += 1 - sum(simple[axes])
        found[player, : len(own)] = simple
    return found


def rounded(value: Fraction, towards: Literal[-1, 1]) -> float:
    """Return the nearest float that is no larger (-1) or no smaller (1) than a fraction.

    >>> rounded(Fraction(1, 3), -1) < Fraction(1, 3) < rounded(Fraction(1, 3), 1)
    True
    """
    found = float(value)
    wrong = (Fraction(found) - value) * towards < 0
    return nextafter(found, towards * float("inf")) if wrong else found

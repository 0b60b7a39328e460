"""Components of value learning: exploration, choice from a row of values, and its expected value.

These functions take rows, regardless of player and state. The targets of updates are the best value (Watkins
and Dayan 1992), the value of the next choice (Rummery and Niranjan 1994) and the mean over the next choice
(van Seijen et al. 2009).
"""

from __future__ import annotations

from math import cos, exp, inf, log, log2, pi

from rivalry.tables.kernels.cache import bare
from rivalry.tables.kernels.shapes import COSINE, LOG

# rounding to 1 would select the last choice even where its weight is 0
BELOW_ONE = 1.0 - 2.0**-53


@bare
def explore(kinds, low, high, step, length, epsilon):  # type: ignore[no-untyped-def]
    """Write every player's exploration probability at a step of an epoch of ``length`` to ``epsilon``."""
    players, kind = low.shape[0], kinds[0]
    fades(kind, low, high, step, length, 0, players, epsilon)
    for player in range(1, players):  # most often all are alike
        if kinds[player] != kind:
            fades(kinds[player], low, high, step, length, player, player + 1, epsilon)


@bare
def fades(kind, low, high, step, length, begin, end, epsilon):  # type: ignore[no-untyped-def]
    """Write the exploration probabilities of the players from ``begin`` to ``end`` by one schedule."""
    if kind == LOG:
        players = float(low.shape[0])
        falls = inf if step == 0 else log(10.0 * players) / log(step + 1.0) + players / log2(step + 1.0)
        for player in range(begin, end):
            epsilon[player] = min(max(high[player] * falls, low[player]), 1.0)
        return
    wave = 1.0 + cos(pi * (step / length)) if kind == COSINE else 2.0
    for player in range(begin, end):
        epsilon[player] = low[player] + (high[player] - low[player]) / 2 * wave


@bare
def row_maximum(row, size):  # type: ignore[no-untyped-def]
    """Return the largest of the first ``size`` values of a row."""
    largest = row[0]
    for k in range(1, size):
        largest = row[k] if row[k] > largest else largest
    return largest


@bare
def weigh(row, size, temperature, greedy, weights):  # type: ignore[no-untyped-def]
    """Write each choice's weight, when not exploring, to ``weights``; return their sum.

    Greedy: equal weights of the best. Otherwise ``exp(value/temperature)`` relative to the best, at most 1.
    """
    largest, total = row_maximum(row, size), 0.0
    for k in range(size):
        if greedy:
            weights[k] = 1.0 if row[k] == largest else 0.0
        else:
            weights[k] = exp((row[k] - largest) / temperature)
        total += weights[k]
    return total


@bare
def choose(row, size, epsilon, temperature, greedy, number, weights):  # type: ignore[no-untyped-def]
    """Return the choice determined by ``number`` in [0, 1); below ``epsilon`` it is a random one.

    The part of the number below, or above, ``epsilon`` is rescaled to [0, 1) and selects the choice.
    """
    if number < epsilon:
        # the quotient may round to 1
        return min(int(number / epsilon * size), size - 1)
    uniform_part = min((number - epsilon) / (1.0 - epsilon), BELOW_ONE)
    threshold = uniform_part * weigh(row, size, temperature, greedy, weights)
    choice, cumulated = 0, 0.0
    for k in range(size - 1):  # counted without a branch, which could not be predicted
        cumulated += weights[k]
        choice += threshold >= cumulated
    return choice


@bare
def expected_value(row, size, epsilon, temperature, greedy, weights):  # type: ignore[no-untyped-def]
    """Return the mean of a row over the choice that `choose` would make."""
    total = weigh(row, size, temperature, greedy, weights)
    plain, weighed = 0.0, 0.0
    for k in range(size):
        plain += row[k]
        weighed += weights[k] * row[k]
    return epsilon * plain / size + (1.0 - epsilon) * weighed / total

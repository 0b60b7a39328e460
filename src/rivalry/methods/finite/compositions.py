"""Populations with mutation as Markov chains of compositions: exact stationary distributions, simulation.

A composition holds the numbers of individuals ``[population axis]`` with each action. One individual at a
time changes its action, in one of the populations, all equally likely.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import comb
from typing import NamedTuple

import numpy as np
from numpy import ndarray

WORK, STORED = 2_000_000_000, 30_000_000  # multiplications and numbers of an elimination, at most
EXACT = 2**53  # floats below are exact as integers
REPLICATIONS = 32
DISCARDED = 5  # one part in so many of a simulation is discarded

Changes = Callable[[ndarray], ndarray]
"""Maps compositions ``[state population axis]`` to log probabilities ``[state population lost gained]``."""


class Chain(NamedTuple):
    """A Markov chain: the number of its states, and log probabilities of all changes between them."""

    size: int
    source: ndarray  # [change]
    target: ndarray  # [change]
    log_probability: ndarray  # [change]


def fits(population: int, sizes: Sequence[int]) -> bool:
    """True if the stationary distribution of all compositions is solved for, not simulated."""
    count, band = 1, 1
    for size in reversed(sizes):
        # neighbours in lexicographic order are at most all compositions of the later actions apart
        band = max(band, count * comb(population + size - 2, size - 2) if size > 1 else 1)
        count *= comb(population + size - 1, size - 1)
    numbered = (population + 1) ** (len(sizes) * max(sizes)) < EXACT
    return numbered and count * band**2 <= WORK and count * (2 * band + 1) <= STORED


def compositions(population: int, size: int) -> ndarray:
    """Return all numbers ``[state action]`` that sum to ``population``, in lexicographic order.

    >>> compositions(2, 2).tolist()
    [[0, 2], [1, 1], [2, 0]]
    """
    counts = np.zeros((1, 0), int)
    for _ in range(size - 1):
        remaining = population - counts.sum(axis=1)
        counts_of_action = np.concatenate([np.arange(n + 1) for n in remaining.tolist()])
        counts = np.column_stack([np.repeat(counts, remaining + 1, axis=0), counts_of_action])
    return np.column_stack([counts, population - counts.sum(axis=1)])


def all_compositions(population: int, sizes: Sequence[int]) -> ndarray:
    """Return all compositions ``[state population axis]`` in lexicographic order, padded with zeros."""
    lists = [compositions(population, size) for size in sizes]
    index = np.indices([len(rows) for rows in lists]).reshape(len(sizes), -1)
    states = np.zeros((index.shape[1], len(sizes), max(sizes)), int)
    for player, rows in enumerate(lists):
        states[:, player, : sizes[player]] = rows[index[player]]
    return states


def group_means(table: ndarray, counts: ndarray) -> ndarray:
    """Return mean payoffs ``[state action]`` of groups drawn without replacement from ``counts``.

    ``table [own other_1 ..]`` is paid to one player of a symmetric game. Actions that nobody has are paid 0.
    """
    coplayers, total = table.ndim - 1, counts.sum(axis=1)
    paid = np.zeros(counts.shape)
    for focal in range(len(table)):
        others_present = counts - (np.arange(len(table)) == focal)
        for sampled in product(range(len(table)), repeat=coplayers):
            probability = np.ones(len(counts))
            for k, action in enumerate(sampled):
                probability *= (others_present[:, action] - sampled[:k].count(action)) / (total - 1 - k)
            paid[:, focal] += probability * table[(focal, *sampled)]
    return np.where(counts > 0, paid, 0.0)


def role_means(tables: ndarray, counts: ndarray, player: int) -> ndarray:
    """Return mean payoffs ``[state action]`` of one population against the others, sampled independently."""
    expected = np.moveaxis(tables[player], player, 0)[None]
    for opponent in range(len(tables)):
        if opponent != player:
            opponents = counts[:, opponent]
            share = opponents[:, : tables.shape[1 + opponent]] / opponents.sum(axis=1, keepdims=True)
            expected = np.broadcast_to(expected, (len(counts), *expected.shape[1:]))
            expected = np.einsum("sab...,sb->sa...", expected, share)
    return np.broadcast_to(expected, (len(counts), tables.shape[1 + player]))


def _moves(sizes: Sequence[int]) -> tuple[ndarray, ...]:
    """Return population, action lost and action gained ``[move]`` of all changes of one individual."""
    present = np.arange(max(sizes)) < np.array(sizes)[:, None]
    pairs = present[:, :, None] & present[:, None, :]
    return np.nonzero(pairs & ~np.eye(max(sizes), dtype=bool))


def chain_of(population: int, sizes: Sequence[int], changes: Changes) -> Chain:
    """Return the chain of all compositions of populations with ``sizes`` actions."""
    states = all_compositions(population, sizes)
    player, lost, gained = _moves(sizes)
    # a mixed-radix number that is larger for the later of two compositions in the order of `states`
    radix = (population + 1.0) ** np.arange(states[0].size)[::-1].reshape(states[0].shape)
    key, step = (states * radix).sum(axis=(1, 2)), radix[player, gained] - radix[player, lost]
    logs = changes(states)[:, player, lost, gained]
    source, move = np.nonzero(logs > -np.inf)
    return Chain(len(states), source, np.searchsorted(key, key[source] + step[move]), logs[source, move])


def stationary(log_fixations: ndarray) -> ndarray:
    """Return the share of time ``[resident]`` of each population of one action where mutations are rare.

    ``log_fixations [resident other]`` are logs of the probabilities that a mutant turns one population
    into another; it takes over or vanishes before the next one (Fudenberg and Imhof 2006). NaN where a
    probability is missing, or where the shares depend on the first population.

    >>> stationary(np.log([[0.5, 0.1], [0.3, 0.5]])).round(12).tolist()
    [0.75, 0.25]
    """
    count = len(log_fixations)
    is_reachable = (log_fixations > -np.inf) | np.eye(count, dtype=bool)
    recurrent = np.flatnonzero(np.linalg.matrix_power(is_reachable.astype(float), count).all(axis=0))
    if np.isnan(log_fixations).any() or not len(recurrent):
        return np.full(count, np.nan)
    # elimination ends at a population that all others lead to, so none of them is left with no way out
    order = np.roll(np.arange(count), -recurrent[0])
    moves = log_fixations[np.ix_(order, order)]
    source, target = np.nonzero(~np.eye(count, dtype=bool))
    shares = log_stationary(Chain(count, source, target, moves[source, target]))
    return np.exp(shares)[np.argsort(order)]


class _Arithmetic(NamedTuple):
    """Operations on numbers that are not negative, which are represented by floats or by their logarithms."""

    plus: np.ufunc
    times: np.ufunc
    over: np.ufunc
    unit: float


FLOATS = _Arithmetic(np.add, np.multiply, np.divide, 1.0)
LOGARITHMS = _Arithmetic(np.logaddexp, np.add, np.subtract, 0.0)


def log_stationary(chain: Chain) -> ndarray:
    """Return the logs of the stationary distribution ``[state]``; NaN if several are stationary.

    It is computed by detailed balance if all changes are between neighbours, else by elimination of states,
    in logarithms if floats would underflow.
    """
    from scipy.special import logsumexp

    band = int(np.abs(chain.target - chain.source).max(initial=1))
    if band == 1:
        share = _balanced(chain)
    else:
        # row i holds the changes from i to i - band .. i + band
        banded = np.full((chain.size, 2 * band + 1), -np.inf)
        banded[chain.source, chain.target - chain.source + band] = chain.log_probability
        try:
            with np.errstate(under="raise", over="raise", divide="raise", invalid="raise"):
                share = np.log(_eliminated(np.exp(banded), FLOATS))
        except FloatingPointError:
            with np.errstate(invalid="ignore"):
                share = _eliminated(banded, LOGARITHMS)
    return share - logsumexp(share)


def _balanced(chain: Chain) -> ndarray:
    """Return the logs ``[state]`` of a birth-death chain's stationary distribution, up to a constant.

    Detailed balance: a change from one state to the next is as frequent as the change back.
    """
    size = chain.size
    up, down = np.full((2, size), -np.inf)
    for part, change in ((up, 1), (down, -1)):
        is_part = chain.target - chain.source == change
        part[chain.source[is_part]] = chain.log_probability[is_part]
    # states below one that is never left downwards are transient
    begin = int(np.flatnonzero(np.append(0.0, down[1:]) == -np.inf).max(initial=0))
    share = np.full(size, -np.inf if np.isfinite(up[:begin]).all() else np.nan)
    share[begin:] = np.append(0.0, np.cumsum(up[begin:-1] - down[begin + 1 :]))
    return share


def _eliminated(banded: ndarray, arithmetic: _Arithmetic) -> ndarray:
    """Return the stationary distribution ``[state]`` divided by the probability of the first state.

    ``banded [state change]`` holds the probabilities of changes from state ``i`` to ``i - band`` .. ``i +
    band``, and is overwritten. States are eliminated from the last to the second, without subtractions
    (Grassmann, Taksar and Heyman 1985). Without state ``k`` a change from ``i`` to ``j`` is made directly or
    through ``k``: ``p_ij + p_ik p_kj / s`` with ``s``, the sum of ``p_kj`` over the remaining ``j < k``.
    """
    plus, times, over, unit = arithmetic
    size, band = len(banded), banded.shape[1] // 2
    for k in range(size - 1, 0, -1):
        block = _block(banded, max(k - band, 0), k)
        between, from_k, to_k = block[:-1, :-1], block[-1, :-1], block[:-1, -1]
        over(to_k, plus.reduce(from_k), out=to_k)
        plus(between, times.outer(to_k, from_k), out=between)
    share = np.full(size, unit)
    for k in range(1, size):
        first = max(k - band, 0)
        # in a stationary distribution of the first k + 1 states, state k is reached as often as it is left
        share[k] = plus.reduce(times(share[first:k], _block(banded, first, k)[:-1, -1]))
    return share


def _block(banded: ndarray, first: int, last: int) -> ndarray:
    """Return a view ``[state state]`` of changes between states from ``first`` to ``last``.

    These must be at most a band apart.
    """
    count, (row_step, step) = last - first + 1, banded.strides
    # the change from i to j is at (i, j - i + band): a state further down is one entry further left
    start = banded[first, banded.shape[1] // 2 :]
    return np.lib.stride_tricks.as_strided(start, (count, count), (row_step - step, step))


def simulated_shares(
    population: int, sizes: Sequence[int], changes: Changes, steps: int, rng: np.random.Generator
) -> ndarray:
    """Return mean shares of actions ``[replication population axis]`` over simulated time.

    Replications begin in turn at populations of one action. Each composition counts for the mean time until
    the next of ``steps`` changes; the first fifth is discarded.
    """
    states = np.zeros((REPLICATIONS, len(sizes), max(sizes)), int)
    rows = np.arange(REPLICATIONS)
    for player, size in enumerate(sizes):
        states[rows, player, rows % size] = population
    time, sums = np.zeros(REPLICATIONS), np.zeros(states.shape)
    players, lost, gained = _moves(sizes)
    for step in range(steps):
        probabilities = np.exp(changes(states)[:, players, lost, gained])
        total = probabilities.sum(axis=1)
        if step >= steps // DISCARDED:
            time += 1 / total
            sums += states / total[:, None, None]
        sampled = rng.random(REPLICATIONS) * total
        move = np.minimum((probabilities.cumsum(axis=1) <= sampled[:, None]).sum(axis=1), len(players) - 1)
        states[rows, players[move], lost[move]] -= 1
        states[rows, players[move], gained[move]] += 1
    return sums / time[:, None, None] / population

"""Tests that two firms price by one algorithm that they share, by bots and by logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from rivalry.audit.bots import Period
from rivalry.audit.checks import PriceLog
from rivalry.audit.demand import block_length, blocks_of
from rivalry.audit.logs import price_bins

PERMUTATIONS = 2000
HISTORIES = 8  # price bins per firm and period of the history of a log

Price = Callable[[list[Period]], float]


class Comparison(NamedTuple):
    """A mean difference of pairs, and the probability of one as large without a difference."""

    difference: float
    p_value: float
    pairs: int


def paired_permutation(first: np.ndarray, second: np.ndarray, seed: int = 0) -> Comparison:
    """Return the test that the pairs of two samples are exchangeable, against a larger mean of the first.

    Signs of the differences are drawn at random; with up to 12 pairs all signs are gone through. The
    probability counts the sample itself, so that it is never below its level (Phipson and Smyth 2010).

    Parameters
    ----------
    first, second : ndarray
        ``[pair]``.

    Raises
    ------
    ValueError
        For samples of different lengths, and for none.

    Examples
    --------
    >>> paired_permutation(np.array([2.0, 3.0, 4.0, 5.0]), np.ones(4))
    Comparison(difference=2.5, p_value=0.0625, pairs=4)
    """
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    if differences.ndim != 1 or not len(differences):
        raise ValueError("pairs: must be two lists of the same length, at least 1")
    count = len(differences)
    mean = float(differences.mean())
    close = 1e-12 * float(np.abs(differences).max())  # sums in another order are equal
    if count <= 12:
        signs = 1 - 2 * ((np.arange(2**count)[:, None] >> np.arange(count)) & 1)
        share = float(np.mean(signs @ differences / count >= mean - close))
        return Comparison(mean, share, count)
    stream = np.random.default_rng(seed)
    signs = stream.choice([-1.0, 1.0], (PERMUTATIONS, count))
    larger = int(np.sum(signs @ differences / count >= mean - close))
    return Comparison(mean, (larger + 1) / (PERMUTATIONS + 1), count)


def compare_answers(
    first: Price, second: Price, copies: Sequence[Price], histories: Sequence[list[Period]]
) -> Comparison:
    """Return the closeness of two bots' prices beyond that of the first and its independent copies.

    All are asked for a price after the same histories. Copies are the same algorithm, trained or seeded
    independently; where they agree no less than the two bots, nothing shows that the two share more.

    Parameters
    ----------
    first, second : callable
        Bots, ``price(history)``.
    copies : sequence of callable
        Independent copies of the first bot.
    histories : sequence of list
        Histories, a list of ``(own price, rivals' prices)`` with the newest last.

    Returns
    -------
    Comparison
        Mean distance to the copies less the distance to the second bot, in units of price.

    Examples
    --------
    >>> def bot(shift):
    ...     return lambda history: history[-1][1][0] + shift
    >>> histories = [[(1.0, (1.0 + k / 10,))] for k in range(8)]
    >>> compare_answers(bot(0.1), bot(0.1), [bot(0.0), bot(0.3)], histories).p_value
    0.00390625
    """
    if not copies or not histories:
        raise ValueError("copies: needs an independent copy, and a history, at least")
    answers = np.array([first(list(history)) for history in histories])
    second_answers = np.array([second(list(history)) for history in histories])
    copy_distances = [
        [abs(copy(list(history)) - price) for copy in copies]
        for history, price in zip(histories, answers, strict=True)
    ]
    return paired_permutation(np.mean(copy_distances, axis=1), np.abs(second_answers - answers))


class SharedGain(NamedTuple):
    """The gain of play by one algorithm, and of independent copies, with the test of their difference."""

    together: float
    apart: float
    lost: float  # part of the gain that disappears when the copies are independent; NaN without a gain
    test: Comparison


def compare_gains(together: np.ndarray, apart: np.ndarray, seed: int = 0) -> SharedGain:
    """Return the part of the profit gain that disappears when the copies of an algorithm are independent.

    Parameters
    ----------
    together, apart : ndarray
        Profit gains ``[session]`` of firms that share one algorithm, and of independent copies in the
        session of the same seed.

    Examples
    --------
    >>> comparison = compare_gains(np.array([0.8, 0.9, 0.7, 0.8]), np.array([0.2, 0.3, 0.1, 0.2]))
    >>> round(comparison.lost, 2), comparison.test.p_value
    (0.75, 0.0625)
    """
    test = paired_permutation(together, apart, seed)
    means = float(np.mean(together)), float(np.mean(apart))
    lost = (means[0] - means[1]) / means[0] if means[0] > 0 else float("nan")
    return SharedGain(*means, lost, test)


class SharedPrices(NamedTuple):
    """What the prices of two firms of a log have in common beyond the history that both see."""

    correlation: float  # of prices, given the history
    p_value: float
    difference: float  # mean profit of a firm in the log, less that of independent prices; NaN without demand
    periods: int  # in which the history occurs more than once


def compare_log(
    log: PriceLog,
    profits: Callable[[np.ndarray], np.ndarray] | None = None,
    firms: tuple[int, int] = (0, 1),
    seed: int = 0,
) -> SharedPrices:
    """Return the dependence of two firms' prices on each other, given the prices of the period before.

    Firms that each answer the public history by themselves draw their prices independently, given it. The
    prices of the second firm are permuted among the periods of the same history, which leaves all that
    independent algorithms could do as it is: a correlation that exceeds those of permutations has another
    source, such as one algorithm, a signal, or costs and demand that both see. Prices are compared within
    bins of the history, and within blocks of time, since trends are a common source too.

    Parameters
    ----------
    log : PriceLog
        The log.
    profits : callable, optional
        Profits ``[period firm]`` at prices ``[period firm]``.
    firms : tuple of int
        The two firms.

    Examples
    --------
    >>> stream = np.random.default_rng(0)
    >>> common = stream.choice([1.5, 1.9], (400, 1))
    >>> one = PriceLog(np.arange(400), ("A", "B"), np.tile(common, 2))
    >>> round(compare_log(one).correlation, 9), compare_log(one).p_value < 0.001
    (1.0, True)
    """
    second = firms[1]
    price = log.price
    number = np.zeros(len(price) - 1, dtype=np.int64)
    for column in price[:-1].T:
        number = number * HISTORIES + price_bins(column, HISTORIES)
    blocks = blocks_of(len(number), 4 * block_length(len(number)))
    _, group, size = np.unique(number * (blocks.max() + 1) + blocks, return_inverse=True, return_counts=True)
    repeated = size[group] > 1
    current_price, group = price[1:][repeated], group[repeated]
    if not len(current_price):
        raise ValueError("log: no history occurs twice; needs more periods")
    residuals = [
        current_price[:, firm]
        - (np.bincount(group, current_price[:, firm]) / np.maximum(np.bincount(group), 1))[group]
        for firm in firms
    ]
    stream = np.random.default_rng(seed)
    norm = float(np.sqrt(np.sum(residuals[0] ** 2) * np.sum(residuals[1] ** 2)))
    order = np.argsort(group, kind="stable")
    products, gains = np.zeros(PERMUTATIONS), []
    actual = float(residuals[0] @ residuals[1])
    earned = float("nan") if profits is None else float(np.mean(profits(current_price)[:, list(firms)]))
    for draw in range(PERMUTATIONS):
        # sorted by group and then at random: a permutation within every group
        shuffled = np.lexsort((stream.random(len(group)), group))
        products[draw] = residuals[0][order] @ residuals[1][shuffled]
        if profits is not None and draw < PERMUTATIONS // 20:
            permuted_price = current_price.copy()
            permuted_price[order, second] = current_price[shuffled, second]
            gains.append(float(np.mean(profits(permuted_price)[:, list(firms)])))
    close = 1e-12 * norm
    larger = int(np.sum(np.abs(products) >= abs(actual) - close))
    difference = earned - float(np.mean(gains)) if gains else float("nan")
    return SharedPrices(
        actual / norm if norm > 0 else 0.0, (larger + 1) / (PERMUTATIONS + 1), difference, len(current_price)
    )

"""One algorithm of two firms: permutation tests beside enumeration, their level, and their power."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from rivalry.audit.checks import PriceLog
from rivalry.audit.market import price_market
from rivalry.audit.shared_algorithm import compare_answers, compare_gains, compare_log, paired_permutation

Histories = list[list[tuple[float, tuple[float, ...]]]]


def test_probabilities_are_those_of_all_signs() -> None:
    stream = np.random.default_rng(0)
    first, second = stream.normal(size=(2, 9))
    difference = first - second
    signs = np.array(list(product((1, -1), repeat=9)))
    expected = np.mean(np.sum(signs * difference, axis=1) >= difference.sum() - 1e-12)
    assert paired_permutation(first, second).p_value == pytest.approx(expected)


@pytest.mark.parametrize("pairs", [8, 20])
def test_the_level_of_the_paired_test_is_at_most_its_nominal_one(pairs: int) -> None:
    stream = np.random.default_rng(1)
    samples = stream.standard_t(3, size=(400, 2, pairs))
    rejected = np.mean([paired_permutation(*sample).p_value <= 0.05 for sample in samples])
    assert rejected <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def bots(seed: int, same: bool) -> tuple[object, object, list[object]]:
    """Bots of one family, noisy functions of the rival's last price; the second may be the first itself."""

    def bot(number: int) -> object:
        steps = np.random.default_rng((seed, number)).normal(size=50) * 0.05
        return lambda history: 1.0 + 0.5 * history[-1][1][0] + steps[int(50 * history[-1][1][0]) % 50]

    return bot(0), bot(0 if same else 9), [bot(1), bot(2), bot(3)]


def test_copies_that_share_more_than_their_family_are_found() -> None:
    histories: Histories = [[(1.5, (1.4 + k / 50,))] for k in range(30)]
    first, second, copies = bots(0, True)
    assert compare_answers(first, second, copies, histories).p_value < 0.001  # type: ignore[arg-type]
    probabilities = []
    for seed in range(60):
        first, second, copies = bots(seed, False)
        probabilities.append(compare_answers(first, second, copies, histories).p_value)  # type: ignore[arg-type]
    assert np.mean(np.array(probabilities) < 0.01) < 0.1  # copies of one first bot depend on each other


def test_the_part_of_the_gain_that_disappears() -> None:
    together, apart = np.array([0.8, 0.7, 0.9]), np.array([0.4, 0.3, 0.5])
    found = compare_gains(together, apart)
    assert found.lost == pytest.approx(0.5)
    assert found.test.p_value == pytest.approx(1 / 8)
    assert np.isnan(compare_gains(-together, apart).lost)


def log_of_rules(seed: int, common: float, periods: int = 1500) -> PriceLog:
    """Two firms that answer the last prices, with a draw of their own, or a common one at times."""
    stream = np.random.default_rng(seed)
    grid, now, rows = np.array([1.5, 1.7, 1.9]), [0, 0], []
    for _ in range(periods):
        both = int(stream.integers(3))
        now = [
            both
            if stream.random() < common
            else (now[1 - k] if stream.random() < 0.6 else int(stream.integers(3)))
            for k in (0, 1)
        ]
        rows.append(grid[now])
    return PriceLog(np.arange(periods), ("A", "B"), np.array(rows))


@pytest.mark.slow
def test_prices_that_share_a_draw_depend_on_each_other_beyond_the_history() -> None:
    market = price_market()
    found = compare_log(log_of_rules(0, 0.7), market.profits)
    assert found.correlation > 0.2
    assert found.p_value < 0.001
    together = np.column_stack([np.tile([1.5, 1.9], 300)] * 2)
    independent = compare_log(log_of_rules(1, 0.0), market.profits)
    assert abs(independent.correlation) < 0.1
    assert np.isfinite(independent.difference)
    with pytest.raises(ValueError, match="no history occurs twice"):
        compare_log(PriceLog(np.arange(2), ("A", "B"), together[:2]))


@pytest.mark.slow
def test_the_level_of_the_test_of_a_log() -> None:
    """Firms that answer public prices independently, of which the answers are correlated over time."""
    rejected = np.mean([compare_log(log_of_rules(seed, 0.0, 300)).p_value <= 0.05 for seed in range(100)])
    assert rejected <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)

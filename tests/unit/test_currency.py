"""Redistribution of karma and random matching, against plain Python and exact distributions."""

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy import stats

from rivalry.economies.kernels import currency
from rivalry.tables.kernels import draws
from rivalry.tables.kernels.cache import njit
from tests import economies

CHANCE = 1e-4  # seeds are fixed, so the tests are deterministic


@njit(cache=True)
def shared_out(surplus: int, held: np.ndarray, most: int, lucky: np.ndarray, lots: Any, stream: Any) -> int:
    return currency.share_out(surplus, held, most, lucky, lots, 0, stream)


@njit(cache=True)
def paired_up(order: np.ndarray, lots: np.ndarray) -> None:
    currency.pair_up(order, lots, 0)


def words(seed: int, count: int) -> np.ndarray:
    block = np.zeros(count, dtype=np.uint64)
    draws.words(draws.stream(np.random.SeedSequence(seed)), block)
    return block


@pytest.mark.representative
@pytest.mark.parametrize("seed", range(40))
def test_redistribution_agrees_with_plain_python(seed: int) -> None:
    rng = np.random.default_rng(seed)
    agents, most = int(rng.integers(1, 12)), int(rng.integers(1, 9))
    held = rng.integers(0, most + 1, agents)
    surplus, lucky, lots = int(rng.integers(0, 5 * agents)), rng.permutation(agents), words(seed, agents)
    plain, plain_lucky, before = held.tolist(), lucky.tolist(), int(held.sum()) + surplus
    stream, further = np.array([seed, 0], dtype=np.uint64), itertools.count()

    def more(count: int) -> list[int]:
        return [economies.word(seed, next(further)) for _ in range(count)]

    left = economies.share_out(surplus, plain, most, plain_lucky, lots.tolist(), more)
    assert shared_out(surplus, held, most, lucky, lots, stream) == left
    assert (held.tolist(), sorted(lucky.tolist())) == (plain, list(range(agents)))
    assert int(held.sum()) + left == before
    assert left == 0 or (held == most).all()


def test_the_surplus_remains_if_all_agents_are_at_the_maximum() -> None:
    held = np.full(5, 3)
    assert shared_out(17, held, 3, np.arange(5), words(1, 5), words(1, 2)) == 17
    assert (held == 3).all()


def test_all_sets_of_recipients_are_equally_likely() -> None:
    """Three units for the five of seven agents below the maximum: ten sets."""
    start, stream = np.array([2, 4, 0, 3, 4, 1, 3]), draws.stream(np.random.SeedSequence(3))
    lucky, found, block = np.arange(7), Counter[tuple[int, ...]](), np.zeros(7, dtype=np.uint64)
    for _ in range(4000):
        held = start.copy()
        draws.words(stream, block)
        assert shared_out(3, held, 4, lucky, block, stream) == 0
        found[tuple(np.flatnonzero(held - start).tolist())] += 1
    assert all(len(who) == 3 and not {1, 4} & set(who) for who in found)
    assert len(found) == 10
    assert stats.chisquare(list(found.values())).pvalue > CHANCE


@pytest.mark.slow
@pytest.mark.parametrize("agents", [5, 6])
def test_all_matchings_are_equally_likely(agents: int) -> None:
    """Fifteen matchings of six agents, or of five with one left out, independent of the previous one."""
    order, block = np.arange(agents), np.zeros(agents, dtype=np.uint64)
    stream = draws.stream(np.random.SeedSequence(agents))
    found, after = Counter[frozenset[frozenset[int]]](), Counter[bool]()
    last = None
    for _ in range(9000):
        draws.words(stream, block)
        paired_up(order, block)
        assert sorted(order.tolist()) == list(range(agents))
        pairs = frozenset(frozenset(order[k : k + 2].tolist()) for k in range(0, agents, 2))
        found[pairs] += 1
        after[pairs == last] += 1
        last = pairs
    assert len(found) == 15
    assert stats.chisquare(list(found.values())).pvalue > CHANCE
    assert stats.chisquare([after[False], after[True]], [8999 * 14 / 15 + 1, 8999 / 15]).pvalue > CHANCE

"""The random number stream of kernels: published words, blocks equal to single draws, uniformity."""

import numpy as np
from scipy import stats

from rivalry.tables.kernels import draws

# the first words of splitmix64 from the seed 1234567, as published by other implementations
WORDS = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]


def at(seed: int, counter: int = 0) -> np.ndarray:
    return np.array([seed, counter], dtype=np.uint64)


def test_words_equal_published_splitmix64_words() -> None:
    seed = np.uint64(1234567)
    assert [int(draws.word(seed, np.uint64(k))) for k in range(4)] == WORDS


def test_uniform_is_the_upper_53_bits() -> None:
    stream = at(1234567)
    assert [draws.uniform(stream) for _ in range(4)] == [(word >> 11) * 2.0**-53 for word in WORDS]
    assert stream.tolist() == [1234567, 4]


def test_a_block_equals_single_draws_for_any_split() -> None:
    whole, parts, single = at(9), at(9), at(9)
    block = np.empty(1000)
    draws.fill(whole, block)
    pieces = np.empty(1000)
    for begin, end in ((0, 1), (1, 400), (400, 400), (400, 1000)):
        draws.fill(parts, pieces[begin:end])
    assert np.array_equal(block, pieces)
    assert np.array_equal(block, [draws.uniform(single) for _ in range(1000)])
    assert whole.tolist() == parts.tolist() == single.tolist()


def test_draws_do_not_depend_on_compilation() -> None:
    compiled, plain = np.empty(50), np.empty(50)
    draws.fill(at(2**63 + 11), compiled)
    stream = at(2**63 + 11)
    with draws.quiet():
        for k in range(50):
            z = draws.word.py_func(stream[0], np.uint64(k))
            plain[k] = draws.unit.py_func(z)
    assert np.array_equal(compiled, plain)


def test_draws_are_uniform_and_streams_are_uncorrelated() -> None:
    first, second = np.empty(200_000), np.empty(200_000)
    draws.fill(draws.stream(np.random.SeedSequence(1)), first)
    draws.fill(draws.stream(np.random.SeedSequence(2)), second)
    assert stats.kstest(first, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.01
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.01
    assert 0 <= first.min() < first.max() < 1


def test_a_stream_is_determined_by_its_seed_sequence() -> None:
    one = draws.stream(np.random.SeedSequence(7, spawn_key=(1, 2)))
    assert np.array_equal(one, draws.stream(np.random.SeedSequence(7, spawn_key=(1, 2))))
    assert not np.array_equal(one, draws.stream(np.random.SeedSequence(7, spawn_key=(1, 3))))

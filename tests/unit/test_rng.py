"""Sources of randomness as in SPEC 7: integers, seed sequences and generators stand for seeds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.solving.randomness import sequence_of, stream

GAME = rv.games.matrix("rock_paper_scissors")
LEARNER = rv.methods.RegretMatching()


def words(sequence: np.random.SeedSequence) -> list[int]:
    return sequence.generate_state(4).tolist()  # type: ignore[no-any-return]


def mt19937(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.MT19937(seed))


@pytest.mark.parametrize("make", [int, np.int64, np.random.SeedSequence, np.random.default_rng, mt19937])
@pytest.mark.parametrize("seed", [0, 7])
def test_what_stands_for_a_seed_gives_its_sequence(make: Callable[[int], Any], seed: int) -> None:
    assert words(sequence_of(0, make(seed))) == words(stream(seed, "play")) == words(sequence_of(seed))


def test_a_generator_is_advanced_so_that_its_second_run_differs() -> None:
    rng, other = np.random.default_rng(7), np.random.default_rng(7)
    first, second, third = (words(sequence_of(0, rng)) for _ in range(3))
    assert first == words(sequence_of(7))
    assert len({tuple(first), tuple(second), tuple(third)}) == 3
    assert [words(sequence_of(0, other)) for _ in range(3)] == [first, second, third]


def test_a_generator_that_was_used_before_does_not_stand_for_its_seed() -> None:
    used, again = np.random.default_rng(7), np.random.default_rng(7)
    used.random(), again.random()
    assert words(sequence_of(0, used)) != words(sequence_of(7))
    assert words(sequence_of(0, np.random.default_rng(7))) == words(sequence_of(7))
    assert words(sequence_of(0, again)) != words(sequence_of(0, np.random.default_rng(7)))


def test_spawned_sequences_are_independent() -> None:
    children = np.random.SeedSequence(7).spawn(3)
    found = {tuple(words(sequence_of(0, child))) for child in children}
    assert len(found | {tuple(words(sequence_of(7)))}) == 4


def test_solve_gives_the_result_of_the_seed() -> None:
    def play(**given: Any) -> list[list[float]]:
        return rv.solve(GAME, LEARNER, max_steps=500, **given).profile.values.tolist()  # type: ignore[no-any-return]

    wanted = play(seed=3)
    assert play(rng=3) == play(rng=np.random.SeedSequence(3)) == play(rng=np.random.default_rng(3)) == wanted
    rng = np.random.default_rng(3)
    assert [play(rng=rng) == wanted for _ in range(2)] == [True, False]


@pytest.mark.slow
def test_sweep_and_trace_take_generators() -> None:
    game, method = (
        rv.games.influencer(reach=[0.3] * 3),
        rv.methods.GradientAscent(update="sequential", order="random"),
    )
    swept = [
        rv.sweep(
            game, {"reach": [0.2, 0.3]}, method, [0.1, 0.4, 0.9], max_steps=2, tolerance=None, **given
        ).profile.values
        for given in ({"seed": 3}, {"rng": np.random.default_rng(3)}, {"rng": 4})
    ]
    np.testing.assert_array_equal(swept[0], swept[1])
    assert not np.array_equal(swept[0], swept[2])
    traced = [
        rv.trace(game, method, steps=2, **given).path.values
        for given in ({"seed": 3}, {"rng": np.random.SeedSequence(3)}, {"rng": 4})
    ]
    np.testing.assert_array_equal(traced[0], traced[1])
    assert not np.array_equal(traced[0], traced[2])


@pytest.mark.parametrize("rng", [-1, 1.5, True, "3", [1, 2], np.random.RandomState(3)])
def test_other_values_are_refused_in_one_line(rng: Any) -> None:
    rule = "must be a whole number of at least 0, a numpy.random.SeedSequence or a numpy.random.Generator"
    with pytest.raises(ValueError, match=f"^rng: .* {rule}$"):
        rv.solve(GAME, LEARNER, max_steps=1, rng=rng)


def test_seed_and_rng_exclude_each_other() -> None:
    with pytest.raises(ValueError, match=r"^rng, seed: both are given; give one$"):
        rv.solve(GAME, LEARNER, max_steps=1, seed=1, rng=1)

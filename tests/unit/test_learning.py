"""The learning loop: an interrupted and resumed run equals an uninterrupted one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.method import GENERATORS, BaseLearner, generator_from_array, generator_to_array
from rivalry.core.results import Record


class Kept:
    """A checkpoint in memory that is always due."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] | None = None

    def load(self) -> dict[str, np.ndarray] | None:
        return self.arrays

    def due(self) -> bool:
        return True

    def save(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays = {name: np.array(array) for name, array in arrays.items()}


class Walker:
    """A session object of another library that is not an array."""

    def __init__(self, draws: np.random.Generator, place: float = 0.0) -> None:
        self.draws, self.place = draws, place


class Walk(BaseLearner):
    """A random walk whose session is not a dict of arrays."""

    def begin(self, world: Any, stream: np.random.SeedSequence) -> Walker:
        return Walker(np.random.default_rng(stream))

    def advance(self, world: Any, session: Walker, steps: int) -> int:
        for _ in range(steps):
            session.place += session.draws.normal()
        return steps

    def read(self, world: Any, session: Walker) -> Record:
        return {"place": ((), np.asarray(session.place))}

    def pack(self, session: Walker) -> dict[str, np.ndarray]:
        return {"draws": generator_to_array(session.draws), "place": np.asarray(session.place)}

    def unpack(self, arrays: Mapping[str, np.ndarray]) -> Walker:
        return Walker(generator_from_array(arrays["draws"]), float(arrays["place"]))


class Drift:
    """A random walk whose session holds its random generator as an array."""

    def begin(self, world: Any, stream: np.random.SeedSequence) -> dict[str, np.ndarray]:
        rng = np.random.Generator(np.random.Philox(stream))
        return {"rng": generator_to_array(rng), "place": np.zeros(())}

    def advance(self, world: Any, session: dict[str, np.ndarray], steps: int) -> int:
        rng = generator_from_array(session["rng"])
        for _ in range(steps):  # an odd number of 32-bit words leaves half of a 64-bit word in the generator
            session["place"] += rng.integers(2**32, dtype=np.uint32) / 2**32
        session["rng"] = generator_to_array(rng)
        return steps

    def read(self, world: Any, session: dict[str, np.ndarray]) -> Record:
        return {"place": ((), session["place"])}


def in_parts(learner: Any, game: Any, steps: int) -> rv.Solution:
    """A run that is stopped after its first chunk and resumed by a second call."""
    kept = Kept()
    first = rv.solve(game, learner, max_steps=steps, seed=3, progress=lambda _: True, checkpoint=kept)
    assert 0 < first.steps < steps
    assert kept.arrays is not None
    return rv.solve(game, learner, max_steps=steps, seed=3, checkpoint=kept)


@pytest.mark.parametrize(
    ("learner", "game"),
    [(Walk(), "a world"), (Drift(), "a world"), (rv.methods.RegretMatching(), rv.games.matrix("chicken"))],
    ids=["an object", "a generator", "arrays"],
)
def test_a_resumed_run_equals_an_uninterrupted_one(learner: Any, game: Any) -> None:
    whole = rv.solve(game, learner, max_steps=50, seed=3)
    parts = in_parts(learner, game, 50)
    assert whole.steps == parts.steps == 50
    assert whole.record.keys() == parts.record.keys()
    for name, (_, array) in whole.record.items():
        np.testing.assert_array_equal(array, parts.record[name][1])


@pytest.mark.parametrize("kind", GENERATORS)
@pytest.mark.parametrize("words", [0, 1, 5])
def test_a_stored_generator_goes_on_with_the_same_draws(kind: str, words: int) -> None:
    rng = np.random.Generator(getattr(np.random, kind)(3))
    rng.integers(2**32, size=words, dtype=np.uint32)
    array = generator_to_array(rng)
    assert array.dtype == np.uint64
    assert array.ndim == 1
    again = generator_from_array(array)
    assert repr(again.bit_generator.state) == repr(rng.bit_generator.state)
    for one in (rng, again):
        one.standard_normal(7)
    np.testing.assert_array_equal(again.integers(2**32, size=9), rng.integers(2**32, size=9))


def test_a_generator_of_another_library_is_refused() -> None:
    class Own(np.random.PCG64):
        pass

    with pytest.raises(ValueError, match=r"^rng: Own must be one of PCG64, "):
        generator_to_array(np.random.Generator(Own(1)))


def test_a_learner_with_custom_pack_and_unpack_satisfies_the_protocol() -> None:
    class Profiled(Walk):
        def read(self, world: Any, session: Walker) -> Record:
            return {"profile": (("player", "axis"), np.full((2, 1), session.place))}

    assert rv.check_method(Profiled())[0] == "protocol"

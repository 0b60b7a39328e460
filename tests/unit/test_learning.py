"""The learning loop: an interrupted and resumed run equals an uninterrupted one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.method import (
    GENERATORS,
    PACE,
    BaseLearner,
    generator_from_array,
    generator_to_array,
    run_session,
)
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


@pytest.mark.representative
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


class Timed(BaseLearner):
    """A learner whose calls take the seconds that ``cost(call, steps)`` gives, by a clock of its own."""

    cost: Any = None
    calls: Any = None  # the steps of every call

    def begin(self, world: Any, stream: np.random.SeedSequence) -> dict[str, np.ndarray]:
        return {"clock": np.zeros(())}

    def advance(self, world: Any, session: dict[str, np.ndarray], steps: int) -> int:
        session["clock"] += self.cost(len(self.calls), steps)
        self.calls.append(steps)
        return steps

    def read(self, world: Any, session: dict[str, np.ndarray]) -> Record:
        return {}


def calls_of(monkeypatch: pytest.MonkeyPatch, cost: Any, steps: int) -> tuple[list[int], float]:
    """Return the steps of every call of a learner in a run with progress, and the seconds that it takes."""
    learner = Timed(cost=cost, calls=[])
    session = learner.begin(None, np.random.SeedSequence(0))
    monkeypatch.setattr("rivalry.core.method.perf_counter", lambda: float(session["clock"]))
    run_session(learner, None, session, steps, after=lambda done: False)
    assert sum(learner.calls) == steps
    return learner.calls, float(session["clock"])


@pytest.mark.parametrize("fixed", [0.0, 0.2, 0.8, 5.0])
@pytest.mark.parametrize("step", [1e-6, 6e-4, 0.01])
def test_the_fixed_time_of_a_call_is_at_most_doubled_by_the_pace(
    monkeypatch: pytest.MonkeyPatch, fixed: float, step: float
) -> None:
    """Steps in one call take ``fixed + steps * step``: all of a long run at most about twice as long."""
    steps = int(60 / step)
    calls, took = calls_of(monkeypatch, lambda _, n: fixed + n * step, steps)
    begins = 2 * 20 * fixed  # the pace is found in 20 doublings
    assert took < 2.2 * steps * step + begins + 5 * fixed
    assert max(n * step for n in calls) < 4 * max(PACE, fixed)


@pytest.mark.parametrize("compiling", [0.0, 8.0])
@pytest.mark.parametrize("step", [0.2, 1.0, 10.0])
def test_long_steps_are_taken_singly(monkeypatch: pytest.MonkeyPatch, compiling: float, step: float) -> None:
    """Time to compile in the first call is not taken for the time of a step, nor for that of a call."""
    calls, _ = calls_of(monkeypatch, lambda call, n: compiling * (call == 0) + n * step, 30)
    assert max(calls) <= 4
    assert calls[-15:] == [1] * 15


def test_the_pace_follows_the_load_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that take ten times as long from some call on are taken a tenth at a time, with the same pace."""
    calls, _ = calls_of(monkeypatch, lambda call, n: 0.001 * n * (10 if call > 20 else 1), 20_000)
    assert calls[19] == pytest.approx(PACE / 0.001, rel=0.05)
    assert calls[-2] == pytest.approx(PACE / 0.01, rel=0.05)


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

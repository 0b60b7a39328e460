"""Learners that advance sessions of several seeds by one call: each is the one that runs alone."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.check import Unfit
from rivalry.core import files
from rivalry.core.method import BaseLearner, generator_from_array, generator_to_array
from rivalry.core.results import Record
from rivalry.lab import worker
from rivalry.lab.study import Study
from rivalry.solving import InCommon, LearnerTask, learn_together
from tests.unit.test_learning import Kept

EXAMPLES = Path(__file__).parents[2] / "docs" / "howto" / "examples"
SEEDS = [np.random.SeedSequence(k) for k in range(6)]


class Stopped(BaseLearner):
    """A random walk that ends by itself at a random step: seeds do unequal numbers of steps."""

    calls: Any = None  # sessions and steps of every call

    def begin(self, world: Any, stream: np.random.SeedSequence) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(stream)
        return {
            "left": (10 ** rng.uniform(1, 4, size=1)).astype(int),
            "place": np.zeros(1),
            "rng": generator_to_array(rng),
        }

    def advance(self, world: Any, session: dict[str, np.ndarray], steps: int) -> int:
        steps = min(steps, int(session["left"][0]))
        rng = generator_from_array(session["rng"])
        for _ in range(steps):
            session["place"] += rng.normal()
        session["left"] -= steps
        session["rng"] = generator_to_array(rng)
        return steps

    def advance_together(self, world: Any, sessions: Any, steps: int) -> np.ndarray:
        if self.calls is not None:
            self.calls.append((len(sessions), steps))
        return np.array([self.advance(world, session, steps) for session in sessions])

    def read(self, world: Any, session: dict[str, np.ndarray]) -> Record:
        return {"place": (("one",), session["place"])}


class Mixed(Stopped):
    """Draws of all seeds from the generator of the first."""

    def advance_together(self, world: Any, sessions: Any, steps: int) -> np.ndarray:
        sessions = [session | {"rng": sessions[0]["rng"]} for session in sessions]
        return super().advance_together(world, sessions, steps)


class Returning(Stopped):
    """A learner whose call returns something else."""

    value: Any = None

    def advance_together(self, world: Any, sessions: Any, steps: int) -> Any:
        return self.value


def side_by_side(learner: Any, steps: int = 2000, **options: Any) -> Any:
    shared = InCommon()
    tasks = [LearnerTask(f"s{k}", shared, "a world", learner, None, s, steps) for k, s in enumerate(SEEDS)]
    return learn_together(tasks, tolerance=None, **options)


def assert_as_alone(found: Any) -> None:
    for seed, one in zip(SEEDS, found, strict=True):
        alone = rv.solve("a world", Stopped(), seed=seed, max_steps=2000).record
        assert {n: a.tobytes() for n, (_, a) in one.solution.record.items()} == {
            n: a.tobytes() for n, (_, a) in alone.items()
        }


def test_seeds_that_end_at_unequal_steps_have_the_bits_of_each_alone() -> None:
    calls: list[tuple[int, int]] = []
    found = side_by_side(Stopped(calls=calls))
    assert calls[0][0] == len(SEEDS) > calls[-1][0]
    assert {one.solution.status for one in found} == {"converged", "completed"}
    assert_as_alone(found)


@pytest.mark.parametrize("events", [1, 2, 3])
def test_an_interrupted_batch_goes_on_from_its_checkpoint(events: int) -> None:
    kept, seen, calls = Kept(), list[Any](), list[tuple[int, int]]()
    assert (
        side_by_side(Stopped(), checkpoint=kept, progress=lambda e: seen.append(e) or len(seen) == events)
        is None
    )
    assert kept.arrays is not None
    done = max(int(array[0]) for name, array in kept.arrays.items() if name.endswith("_done"))
    assert 0 < done < 2000
    assert_as_alone(side_by_side(Stopped(calls=calls), checkpoint=kept))
    assert sum(steps for _, steps in calls) == 2000 - done


@pytest.mark.parametrize(
    "value", [None, 1, [1] * 5, [1.0] * 6, [True] * 6, [-1] * 6, [2] * 6, [[1]] * 6, ["1"] * 6]
)
def test_what_is_no_number_of_steps_per_session_is_refused_in_one_line(value: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^advance_together: returned .* must be the steps done by each of 6"
    ):
        side_by_side(Returning(value=value))


def test_check_method_compares_a_session_beside_another_with_one_alone() -> None:
    assert rv.check_method(Stopped(), "a world")[-1] == "advance_together"
    with pytest.raises(Unfit, match="beside those of another seed"):
        rv.check_method(Mixed(), "a world")


@pytest.mark.parametrize("name", ["chicken", "prisoners_dilemma"])
def test_replications_of_a_learner_in_a_file_store_the_bytes_of_each_alone(tmp_path: Path, name: str) -> None:
    shutil.copy(EXAMPLES / "seed_bandits.py", tmp_path)
    table = {"kind": "seed_bandits.py:SeedBandits", "steps": 40}
    game = {"family": "matrix", "name": name}
    study = Study(game=game, method=[table], replications={"count": 5}, cells_per_batch=3, folder=tmp_path)
    cells = [(cell.id, cell.task) for cell in study.cells()]
    assert cells[0][1]["cells_per_batch"] == 3
    found = dict(worker.run_cells(cells, tmp_path))
    for k, (id, task) in enumerate(cells):
        record = found[k].record
        assert record is not None
        stored = files.pack(record, kind="cell", name=id)
        assert stored == files.pack(worker.run_cell(task, tmp_path), kind="cell", name=id)

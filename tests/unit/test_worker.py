"""Cells: equality with `rv.solve`, batches, exact resumption of interrupted cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry import solving
from rivalry.core.method import BaseMethod, Finish
from rivalry.core.results import Certificate, Record
from rivalry.lab.checkpoints import CheckpointFile, Stopped
from rivalry.lab.proofs import certificate_changes, recertify
from rivalry.lab.study import Cell, build_game
from rivalry.lab.worker import Job, carry_out, run_cell
from tests.duel_study import study

# step limits are deliberately small; the warning is tested separately
pytestmark = [pytest.mark.mostly_slow, pytest.mark.filterwarnings("ignore:not converged")]

MATRIX = {"family": "matrix", "name": "chicken"}


def task_of(folder: Path, **changes: Any) -> dict[str, Any]:
    (cell, *_) = cells_of(folder, **changes)
    return cell.task


def cells_of(folder: Path, **changes: Any) -> list[Cell]:
    return study(folder, **({"replications": {"seed": 7}, "sweep": {}} | changes)).cells()


def same(one: Record, other: Record) -> bool:
    return one.keys() == other.keys() and all(
        dims == other[name][0]
        and array.dtype == other[name][1].dtype
        and array.tobytes() == other[name][1].tobytes()
        for name, (dims, array) in one.items()
    )


def test_a_cell_stores_the_result_of_solve(tmp_path: Path) -> None:
    task = task_of(tmp_path, method=[{"kind": "best_response", "start": [0.3, 0.7], "max_steps": 50}])
    found = run_cell(task, tmp_path)
    game = build_game(task["game"], tmp_path)
    direct = rv.solve(game, rv.methods.BestResponse(), [0.3, 0.7], max_steps=50)
    np.testing.assert_array_equal(found["profile"][1], direct.record["profile"][1])
    assert found["claim"][1] == direct.claim
    # the symmetric equilibrium of a Tullock contest: prize * (n - 1) / n**2
    np.testing.assert_allclose(found["profile"][1].ravel(), 0.25, atol=1e-5)


def test_random_starts_depend_on_the_replication_only(tmp_path: Path) -> None:
    first, second = (
        run_cell(cell.task, tmp_path)["path"][1][0] for cell in cells_of(tmp_path, replications={"count": 2})
    )
    again = run_cell(cells_of(tmp_path, replications={"count": 3})[0].task, tmp_path)["path"][1][0]
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, again)


def test_paired_points_have_equal_starts(tmp_path: Path) -> None:
    cells = cells_of(tmp_path, replications={"paired": True}, sweep={"game.prize": [0.5, 1.5]})
    one, other = (run_cell(cell.task, tmp_path)["path"][1][0] for cell in cells)
    np.testing.assert_array_equal(one, other)


def test_several_starts_form_a_batch(tmp_path: Path) -> None:
    task = task_of(tmp_path, method=[{"kind": "duel.py:Climb", "starts": 3, "max_steps": 200}])
    found = run_cell(task, tmp_path)
    assert (found["profile"][0], found["regret"][1].shape) == (("batch", "player", "axis"), (3, 2))
    assert found["status"][1].shape == (3,)
    assert "path" not in found


def test_grid_starts_are_counted_by_basin(tmp_path: Path) -> None:
    method = {"kind": "best_response", "start": "grid", "starts": 9, "max_steps": 50}
    found = run_cell(task_of(tmp_path, method=[method]), tmp_path)
    begun = found["start_profile"][1][:, :, 0]
    positions = np.linspace(0.01, 2.0, 7)[1::2]  # midpoints of three equal intervals
    assert {tuple(row) for row in begun.round(9)} == {
        (a, b) for a in positions.round(9) for b in positions.round(9)
    }
    assert found["basin"][0] == ("batch",)
    assert found["basin_count"][1].sum() == 9
    # the contest has one equilibrium, prize / 4 each, to which best responses converge
    np.testing.assert_allclose(found["basin_profile"][1][0].ravel(), 0.25, atol=1e-5)


def test_a_batch_solves_every_point(tmp_path: Path) -> None:
    batch = {"game.prize": [0.4, 0.8, 1.2]}
    method = {"kind": "best_response", "start": [0.3, 0.7], "max_steps": 50}
    found = run_cell(task_of(tmp_path, batch=batch, method=[method]), tmp_path)
    assert found["profile"][0] == ("prize", "player", "axis")
    np.testing.assert_array_equal(found["prize"][1], [0.4, 0.8, 1.2])
    np.testing.assert_allclose(found["profile"][1][..., 0].T, np.array([[0.1, 0.2, 0.3]] * 2), atol=1e-5)


def test_a_zipped_batch_has_one_dimension(tmp_path: Path) -> None:
    batch = {"zip": True, "game.prize": [0.4, 0.8], "method.climb.size": [0.1, 0.2]}
    method = {"kind": "duel.py:Climb", "name": "climb", "start": [0.3, 0.7], "max_steps": 5}
    found = run_cell(task_of(tmp_path, batch=batch, method=[method]), tmp_path)
    assert (found["profile"][1].shape, found["climb.size"][0]) == ((2, 2, 1), ("prize",))


def test_path_payoffs_are_the_payoffs_along_the_path(tmp_path: Path) -> None:
    method = {"kind": "best_response", "start": [0.3, 0.7], "max_steps": 50}
    task = task_of(tmp_path, method=[method], plots=[{"kind": "paths", "quantity": "payoff"}])
    found = run_cell(task, tmp_path)
    game = build_game(task["game"], tmp_path)
    assert found["path_payoffs"][0] == ("step", "player")
    for row, payoffs in zip(found["path"][1], found["path_payoffs"][1], strict=True):
        np.testing.assert_allclose(payoffs, game.payoffs(row), rtol=1e-14)


def test_path_gradients_are_the_own_gradients_along_the_path(tmp_path: Path) -> None:
    method = {"kind": "best_response", "start": [0.3, 0.7], "max_steps": 50}
    task = task_of(tmp_path, method=[method], plots=[{"kind": "paths", "quantity": "gradient"}])
    found = run_cell(task, tmp_path)
    game = build_game(task["game"], tmp_path)
    assert found["path_gradients"][0] == ("step", "player", "axis")
    for row, slopes in zip(found["path"][1][1:], found["path_gradients"][1][1:], strict=True):
        ahead, behind = (row + side * 1e-6 * np.eye(2)[:, :, None] for side in (1, -1))
        rise = [game.payoffs(ahead[k])[k] - game.payoffs(behind[k])[k] for k in range(2)]
        np.testing.assert_allclose(slopes.ravel(), np.array(rise) / 2e-6, atol=1e-6)


class Breaking:
    """Save a checkpoint at every opportunity and stop the cell after ``after`` progress events."""

    def __init__(self, path: Path, after: int) -> None:
        self.kept = CheckpointFile(path, every=0.0)
        self.left = after

    def __call__(self, event: solving.Progress) -> bool:
        self.left -= 1
        return self.left <= 0


def broken_off(task: dict[str, Any], folder: Path, after: int) -> Record:
    """Return the record of a cell that is interrupted repeatedly."""
    path = folder / "checkpoints" / "a.npz"
    for _ in range(99):
        attempt = Breaking(path, after)
        try:
            return run_cell(task, folder, progress=attempt, checkpoint=attempt.kept)
        except Stopped:
            assert path.exists()
    raise AssertionError("never done")


METHODS: dict[str, dict[str, Any]] = {
    "draws": {"kind": "duel.py:Climb", "max_steps": 1000},
    "starts": {"kind": "duel.py:Climb", "max_steps": 9000, "starts": 3},
    "answers": {"kind": "best_response", "max_steps": 200, "tol": 1e-300},
}


@pytest.mark.parametrize("name", METHODS)
def test_an_interrupted_cell_resumes_exactly(tmp_path: Path, name: str) -> None:
    task = task_of(tmp_path, method=[METHODS[name]])
    assert same(broken_off(task, tmp_path, 2), run_cell(task, tmp_path))


@pytest.mark.default
def test_an_interrupted_learner_resumes_exactly(tmp_path: Path) -> None:
    task = task_of(tmp_path, game=MATRIX, method=[{"kind": "regret_matching", "steps": 4_000}])
    assert same(broken_off(task, tmp_path, 4), run_cell(task, tmp_path))


class Restless(BaseMethod):
    """Converge to the start, and continue from end points whose first coordinate is below 1."""

    def init(self, game: Any, start: Any, key: Any) -> Any:
        return Here(start, start)

    def step(self, game: Any, state: Any, key: Any) -> Any:
        return Here(state.goal + 0.9 * (state.profile - state.goal), state.goal)

    def finish(self, game: Any, profile: Any, key: Any) -> Finish:
        first = float(profile[0, 0])
        onward = profile.at[0, 0].add(0.25) if first < 1.0 else None
        return Finish(profile, "unstable_point" if first < 1.0 else "stable_point", {}, onward)


class Here(eqx.Module):
    profile: Any
    goal: Any


def test_visited_rest_points_survive_an_interruption(tmp_path: Path) -> None:
    game = build_game(task_of(tmp_path)["game"], tmp_path)
    settings: dict[str, Any] = {"max_steps": 400, "tolerance": None}
    whole = rv.solve(game, Restless(), [0.6, 0.5], **settings).record
    assert len(whole["left"][1]) == 2
    path = tmp_path / "checkpoints" / "a.npz"
    for stop_after in (2, 3):
        attempt = Breaking(path, stop_after)
        rv.solve(game, Restless(), [0.6, 0.5], progress=attempt, checkpoint=attempt.kept, **settings)
    resumed = rv.solve(
        game, Restless(), [0.6, 0.5], checkpoint=CheckpointFile(path, every=0.0), **settings
    ).record
    assert same(resumed, whole)


@pytest.mark.default
def test_damaged_or_outdated_checkpoints_are_not_loaded(tmp_path: Path) -> None:
    kept = CheckpointFile(tmp_path / "checkpoints" / "a.npz", every=0.0)
    assert kept.load() is None
    kept.save({"x": np.arange(3.0)})
    loaded = kept.load()
    np.testing.assert_array_equal(loaded["x"], [0, 1, 2])
    loaded["x"][0] = 9  # kernels write in place
    kept.made_by = {"rivalry": "0.0.9", "jax": "0"}
    assert kept.load() is None
    kept.path.write_bytes(kept.path.read_bytes()[:50])
    assert kept.load() is None


def test_a_finished_job_leaves_the_cell_and_no_checkpoint(tmp_path: Path) -> None:
    (cell,) = cells_of(tmp_path, method=[{"kind": "duel.py:Climb", "max_steps": 300}])
    for name in ("cells", "checkpoints"):
        (tmp_path / "run" / name).mkdir(parents=True)
    job = Job(cell.id, cell.task, str(tmp_path), str(tmp_path / "run"), 0.0)
    with pytest.raises(Stopped):
        carry_out(job, lambda event: True)
    assert [p.parent.name for p in (tmp_path / "run").rglob("*.npz")] == ["checkpoints"]
    assert carry_out(job) > 0
    assert [p.parent.name for p in (tmp_path / "run").rglob("*.npz")] == ["cells"]


def test_recomputed_certificates_are_identical(tmp_path: Path) -> None:
    for changes in (
        {},
        {"batch": {"game.prize": [0.4, 0.8]}},
        {"method": [{"kind": "duel.py:Climb", "starts": 2, "max_steps": 100}]},
    ):
        task = task_of(tmp_path, **changes)
        found = run_cell(task, tmp_path)
        proofs = recertify(task, tmp_path, found)
        assert proofs
        assert same(proofs, {name: found[name] for name in proofs})
    assert recertify(task, tmp_path, {"gain": ((), np.asarray(1.0))}) == {}


def test_a_claim_without_a_profile_says_what_it_is_about(tmp_path: Path) -> None:
    roads = {"game": {"family": "karma"}, "method": [{"kind": "newton"}]}
    for changes, more, words in (
        ({}, {}, "policies over periods"),
        ({}, {"mixture": (("player", "action"), np.ones((2, 1)))}, "mixed strategies"),
        (roads, {"profile": (("state", "action"), np.ones((1, 1)))}, "a policy of a population"),
    ):
        task = task_of(tmp_path, **changes)
        claim = Certificate(np.zeros(2), np.zeros(2), "tight", "dynamic programming", 1e-6)
        record = more | claim.record()
        assert recertify(task, tmp_path, record) == {}
        ((name, (dims, method)),) = recertify(task, tmp_path, record, proof=True).items()
        assert (name, dims) == ("certificate_method", ())
        reason = (
            f"no profile to enclose: the claim is about {words}, whose gains are bounded in floating point"
        )
        assert str(method) == f"dynamic programming; {reason}"
        refuted = more | claim._replace(regret=np.ones(2)).record()
        assert str(recertify(task, tmp_path, refuted, proof=True)[name][1]) == "dynamic programming"


@pytest.mark.default
@pytest.mark.parametrize(
    ("regrets", "concept"), [("unconditional", "coarse correlated"), ("conditional", "correlated")]
)
def test_new_certificates_keep_the_concept_of_the_method(tmp_path: Path, regrets: str, concept: str) -> None:
    task = task_of(
        tmp_path, game=MATRIX, method=[{"kind": "regret_matching", "steps": 500, "regrets": regrets}]
    )
    record = run_cell(task, tmp_path)
    assert str(record["concept"][1]) == concept
    for proof in (False, True):
        new = recertify(task, tmp_path, record, proof)
        for name in ("concept", "concept_residual"):
            assert new[name][1] == record[name][1]
        assert certificate_changes(record, new, proof) == ""


@pytest.mark.default
def test_a_recomputed_certificate_that_differs_is_described() -> None:
    stored = {
        "claim": ((), np.asarray("equilibrium")),
        "regret": (("player",), np.asarray([0.0, 0.25])),
        "bound": (("player",), np.asarray([1.0, np.inf])),
    }
    new = stored | {
        "claim": ((), np.asarray("not an equilibrium")),
        "regret": (("player",), np.asarray([0.0, 0.5])),
        "bound": (("player",), np.asarray([2.0, 1.0])),
    }
    said = "claim was 'equilibrium', is 'not an equilibrium'; regret was 0.25, is 0.5"
    assert certificate_changes(stored, new, True) == said
    assert certificate_changes(stored, new, False) == f"{said}; bound was 1, is 2 (and 1 more)"
    assert certificate_changes(stored, stored, False) == ""


def test_a_batch_index_without_a_solution_does_not_hide_the_certificates_of_others(tmp_path: Path) -> None:
    task = task_of(tmp_path, method=[{"kind": "duel.py:Climb", "starts": 2, "max_steps": 100}])
    found = run_cell(task, tmp_path)
    dims, profiles = found["profile"]
    proofs = recertify(task, tmp_path, found | {"profile": (dims, profiles * [[[np.nan]], [[1.0]]])})
    assert proofs["claim"][1].tolist() == ["", found["claim"][1][1]]
    np.testing.assert_array_equal(proofs["regret"][1][1], found["regret"][1][1])
    assert recertify(task, tmp_path, found | {"profile": (dims, profiles * np.nan)}) == {}


def test_visited_rest_points_of_a_batch_survive_an_interruption(tmp_path: Path) -> None:
    game = build_game(task_of(tmp_path)["game"], tmp_path)
    starts = [game.space.check([first, 0.5]) for first in (0.6, 0.9, 1.1)]
    settings: dict[str, Any] = {"max_steps": 400, "tolerance": None}
    many = ([game] * 3, [Restless()] * 3, starts)
    whole = solving.solve_batch(*many, **settings)
    assert [len(one.record["left"][1]) if "left" in one.record else 0 for one in whole] == [2, 1, 0]
    path = tmp_path / "checkpoints" / "a.npz"
    attempt = Breaking(path, 2)
    solving.solve_batch(*many, progress=attempt, checkpoint=attempt.kept, **settings)
    resumed = solving.solve_batch(*many, checkpoint=CheckpointFile(path, every=0.0), **settings)
    assert all(same(one.record, other.record) for one, other in zip(resumed, whole, strict=True))

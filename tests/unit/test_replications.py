"""Replications of a cell have game, world and certificates in common, and give the bytes of single cells."""

import warnings
from pathlib import Path
from typing import Any

import pytest

import rivalry as rv
from rivalry.core import files
from rivalry.lab import worker
from rivalry.lab.study import Cell, Study
from rivalry.runtime.memo import Known, remembered
from rivalry.solving import ends

FEW: dict[str, Any] = {"kind": "q_learning", "epochs": 20, "episodes": 5, "action_grid": 5}
STUDIES: dict[str, dict[str, Any]] = {
    "walkers": {"game": {"family": "influencer"}, "method": [FEW]},
    "bandits": {
        "game": {"family": "matrix", "name": "prisoners_dilemma"},
        "method": [FEW | {"action_grid": 2, "walk": False, "observation": "none", "gamma": 0.0}],
    },
    "sessions": {
        "game": {"family": "market"},
        "method": [
            {"kind": "repeated_q_learning", "action_grid": 5, "stopping": {"max_periods": 50}}
            | {"negative_controls": False}
        ],
    },
    "regrets": {
        "game": {"family": "matrix", "name": "chicken"},
        "method": [{"kind": "regret_matching", "steps": 200}],
    },
    "starts": {"game": {"family": "influencer"}, "method": [{"kind": "best_response", "max_steps": 30}]},
    "several starts": {
        "game": {"family": "influencer"},
        "method": [{"kind": "gradient_ascent", "starts": 2, "max_steps": 30}],
    },
    "batch of learners": {
        "game": {"family": "influencer"},
        "method": [FEW],
        "batch": {"game.reach": [0.2, 0.3]},
    },
    "population": {
        "game": {"family": "karma", "max_karma": 4, "mean_karma": 2, "agents": 20},
        "method": [{"kind": "q_learning", "training": 300, "evaluation": 100, "monitor_every": 0}],
    },
}


def cells_of(table: dict[str, Any], folder: Path, count: int = 3) -> list[Cell]:
    study = Study(name="s", folder=folder, replications={"count": count, "seed": 5}, **table)
    return study.cells()


def bytes_of(cell: Cell, folder: Path) -> bytes:
    return files.pack(worker.run_cell(cell.task, folder), kind="cell", name=cell.id)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", STUDIES)
def test_replications_in_turn_store_what_each_stores_alone(name: str, tmp_path: Path) -> None:
    cells = cells_of(STUDIES[name], tmp_path)
    worker._points.clear()
    in_turn = [bytes_of(cell, tmp_path) for cell in cells]
    for cell, stored in zip(cells[::-1], in_turn[::-1], strict=True):
        worker._points.clear()
        assert bytes_of(cell, tmp_path) == stored


@pytest.mark.slow
def test_equal_replications_are_certified_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certified = []
    whole = ends.certificates
    monkeypatch.setattr(ends, "certificates", lambda *a, **k: certified.append(a) or whole(*a, **k))
    start = {"kind": "best_response", "start": [0.3, 0.7], "max_steps": 5}
    table = STUDIES["starts"] | {"method": [start | {"order": "random"}]}
    worker._points.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stored = {bytes_of(cell, tmp_path)[-64:] for cell in cells_of(table, tmp_path, count=6)}
    assert 1 <= len(certified) < 6
    assert len(stored) == 6  # their seeds, and so their names, differ


def test_a_users_game_is_made_for_every_cell(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "import rivalry as rv\nmade = []\n\n\ndef game():\n"
        "    made.append(1)\n    return rv.games.matrix('chicken')\n"
    )
    table = {"game": {"family": "own.py:game"}, "method": [{"kind": "regret_matching", "steps": 10}]}
    first, second, _ = cells_of(table, tmp_path)
    one, other = (worker.points_of(cell.task, tmp_path) for cell in (first, second))
    assert one.games[0] is not other.games[0]


def test_another_point_is_made_anew(tmp_path: Path) -> None:
    first, again, _ = cells_of(STUDIES["regrets"], tmp_path)
    (other, *_) = cells_of(STUDIES["regrets"] | {"method": [{"kind": "regret_matching"}]}, tmp_path)
    points = worker.points_of(first.task, tmp_path)
    assert worker.points_of(again.task, tmp_path) is points
    assert worker.points_of(other.task, tmp_path) is not points


def test_warnings_come_with_every_answer_and_errors_are_not_remembered() -> None:
    known: Known[int] = {}
    calls = []

    def make() -> int:
        calls.append(1)
        warnings.warn("rounded", stacklevel=1)
        if len(calls) == 1:
            raise ValueError("not now")
        return len(calls)

    with pytest.raises(ValueError, match="not now"), pytest.warns(UserWarning, match="rounded"):
        remembered(known, "k", make)
    for _ in range(2):
        with pytest.warns(UserWarning, match="rounded"):
            assert remembered(known, "k", make) == 2


@pytest.mark.slow
def test_warnings_of_solve_name_the_line_of_its_caller() -> None:
    game = rv.games.influencer(players=2)
    with pytest.warns(UserWarning, match="not converged") as caught:
        rv.solve(game, rv.methods.GradientAscent(), [0.1, 0.9], max_steps=2)
    assert [Path(one.filename).name for one in caught] == [Path(__file__).name]

"""Placebos that a study runs beside its methods."""

import pytest

from rivalry.lab.study import Study, StudyError

GAME = {"family": "matrix", "name": "prisoners_dilemma"}
LEARNING = {"name": "play", "kind": "repeated_q_learning", "sessions": 4, "gamma": 0.9}
WORDS = ("gamma_zero", "memoryless", "myopic_follower", "random")


def rows(**more):
    study = Study(game=GAME, method={**LEARNING, **more})
    return {cell.method: cell.task["method"] for cell in study.cells()}


def test_studies_of_repeated_learning_run_all_negative_controls():
    found = rows()
    assert list(found) == ["play", *(f"play-{word}" for word in WORDS)]
    assert [table.get("control") for table in found.values()] == [None, *WORDS]
    assert all(table["sessions"] == 4 for table in found.values())


def test_a_study_may_select_negative_controls_or_none():
    assert list(rows(negative_controls=["random"])) == ["play", "play-random"]
    assert list(rows(negative_controls=False)) == ["play"]
    assert "negative_controls" not in rows(negative_controls=["random"])["play"]


def test_sweeps_apply_to_negative_controls():
    study = Study(game=GAME, method=LEARNING, sweep={"method.play.step_size": [0.1, 0.2]})
    found = [(cell.method, cell.task["method"]["step_size"]) for cell in study.cells()]
    assert ("play-gamma_zero", 0.1) in found
    assert ("play-gamma_zero", 0.2) in found
    assert len(found) == 10


def test_sweeps_reach_into_tables_of_options():
    swept = {"method.play.exploration.decay": [1e-3, 2e-3]}
    table = LEARNING | {"exploration": {"start": 0.5, "decay": 1e-4}}
    found = [cell.task["method"] for cell in Study(game=GAME, method=table, sweep=swept).cells()]
    assert [row["exploration"] for row in found if row.get("control") == "random"] == [
        {"start": 0.5, "decay": 1e-3},
        {"start": 0.5, "decay": 2e-3},
    ]


def test_a_stored_study_has_the_same_cells():
    study = Study(game=GAME, method=LEARNING)
    again = Study.from_resolved(study.resolved())
    assert [cell.id for cell in again.cells()] == [cell.id for cell in study.cells()]


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ({**LEARNING, "negative_controls": ["randm"]}, "did you mean 'random'"),
        ({"kind": "pure_equilibria", "negative_controls": True}, "has none"),
    ],
)
def test_an_unknown_control_is_refused(method, told):
    with pytest.raises(StudyError, match=told):
        Study(game=GAME, method=method)

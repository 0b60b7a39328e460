"""Living figures of games and results, and certified answers to what a person sets."""

import builtins
import json
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.results import Certificate
from rivalry.living import figure, widget
from rivalry.living.bundle import VIEWS
from rivalry.living.figure import answer, figure_of, figures_of_solution, plain, stored_answer


def test_an_answer_is_the_certificate_of_the_profile() -> None:
    found = answer(rv.games.matrix("prisoners_dilemma"), {"profile": [[1.0, 0.0], [1.0, 0.0]]})
    # defection against a cooperator pays 5 instead of 3
    assert found["claim"] == "not an equilibrium"
    assert found["regret"] == [2.0, 2.0]
    assert found["payoffs"] == [3.0, 3.0]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.slow
def test_parameters_of_a_state_change_the_game() -> None:
    game = rv.games.market(intercept=100.0, unit_cost=[10.0, 10.0])
    # Cournot: each firm produces (a - c) / 3b
    for cost, output in ((10.0, 30.0), (40.0, 20.0)):
        state = {"profile": [[output], [output]], "parameters": {"unit_cost": [cost, cost]}}
        assert answer(game, state)["claim"] == "equilibrium"
    state = {"profile": [[30.0], [30.0]], "parameters": {"unit_cost": [40.0, 40.0]}}
    assert answer(game, state)["claim"] == "not an equilibrium"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"profile": [[2.0], [0.5]]}, "must be in"),
        ({"profile": [[0.5]]}, "profile"),
        ({}, "profile is missing"),
        ({"profile": [[0.5], [0.5]], "parameters": {"reach": [-1.0, 1.0]}}, "must be above 0"),
        ({"profile": [[0.5], [0.5]], "parameters": {"raech": 1.0}}, "reach"),
    ],
)
def test_a_state_outside_the_game_is_refused_in_one_line(state: dict[str, Any], words: str) -> None:
    game = rv.games.influencer(reach=[0.2, 0.2])
    with pytest.raises(ValueError, match=words) as refused:
        answer(game, state)
    assert "\n" not in str(refused.value)


def test_numbers_that_json_lacks_are_none() -> None:
    found = plain({"a": np.array([[1.5, np.inf]]), "b": (np.float64("nan"), np.int32(3), True, "x"), 3: None})
    assert found == {"a": [[1.5, None]], "b": [None, 3, True, "x"], "3": None}


@pytest.mark.parametrize(
    ("regret", "bound", "words"),
    [
        (0.0, 0.0, "largest gain 0, at most 0 in floating point (bounded: grid), tolerance 1e−6"),
        (2.0, 2.5, "largest gain 2, at most 2.5 in floating point (bounded: grid), tolerance 1e−6"),
        (0.0, np.inf, "largest gain 0, no bound (bounded: grid), tolerance 1e−6"),
    ],
)
def test_the_note_says_no_more_than_the_certificate(regret: float, bound: float, words: str) -> None:
    proof = Certificate(np.array([regret]), np.array([bound]), "bounded", "grid", 1e-6, np.array([10.0]))
    record = proof.record() | {"profile": ((), np.zeros(1)), "payoff": ((), np.zeros(0))}
    kept = stored_answer(record)
    assert (kept["word"], kept["sentence"]) == (proof.claim, words)
    assert not kept["left_open"]


def test_a_solution_has_a_figure_with_its_own_certificate() -> None:
    found = rv.solve(rv.games.matrix("prisoners_dilemma"), rv.methods.MixedEquilibria())
    made = figures_of_solution(found)[0]
    assert made.data["answers"][0]["claim"] == found.claim == "equilibrium"
    assert made.state["profile"] == found.profile.values.tolist()
    assert json.loads(json.dumps(made.content, allow_nan=False)) == made.content


def test_a_game_without_a_view_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="no living figure draws it") as refused:
        figure_of(object())
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_a_widget_certifies_what_a_person_sets() -> None:
    pytest.importorskip("anywidget")
    shown = widget.explore(rv.games.influencer(reach=[0.2, 0.2]))
    assert shown.answer is None
    assert shown.host == "notebook"
    shown.state = {**shown.state, "profile": [[0.2], [0.5]], "settled": False}
    assert shown.answer is None  # nothing is certified while a handle moves
    shown.state = {**shown.state, "settled": True}
    assert (shown.answer["profile"], shown.answer["claim"]) == ([[0.2], [0.5]], "not an equilibrium")
    shown.state = {**shown.state, "parameters": {"reach": [-1.0, 1.0]}}
    assert shown.answer["claim"] is None
    assert "must be above 0" in shown.answer["sentence"]


@pytest.mark.representative
def test_a_widget_of_several_figures_shows_the_chosen_one() -> None:
    pytest.importorskip("anywidget")
    games = rv.games.matrix("prisoners_dilemma"), rv.games.influencer(reach=[0.2, 0.2])
    first, second = (figure_of(game) for game in games)
    shown = widget.widget_of([first, second])
    shown.state = {**shown.state, "profile": [[0.0, 1.0], [0.0, 1.0]], "settled": True}
    assert shown.answer["claim"] == "equilibrium"
    shown.chosen = 1
    assert shown.figure["view"] == second.view
    assert shown.answer["profile"] == second.state["profile"]  # that of the other figure is gone
    shown.state = {**shown.state, "profile": [[0.5], [0.5]], "settled": True}
    assert shown.answer["claim"] == "equilibrium"


def test_without_anywidget_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name == "anywidget":
            raise ModuleNotFoundError(name)
        return load(name, *rest, **more)

    widget._widget_class.cache_clear()
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ValueError, match=r"\[notebook\]"):
        rv.explore(rv.games.matrix("prisoners_dilemma"))


def test_every_view_has_data_or_comes_from_runs() -> None:
    assert {*figure.VIEWS, "impulse", "sweep", "reference"} == set(VIEWS)

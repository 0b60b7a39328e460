"""What the views line, triangle, responses and branches are given."""

import json
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.living import branches, line, responses, triangle
from rivalry.living.figure import initial_profile
from rivalry.living.twins import influencer_payoffs, twin_data, twin_of_table
from tests.living.samples import branch_record

VIEWS = (line, triangle, responses, branches)


def taken(game: Any) -> list[str]:
    return [
        view.__name__.rpartition(".")[2]
        for view in VIEWS
        if view.view_of(game, initial_profile(game)) is not None
    ]


@pytest.mark.slow
def test_games_go_to_the_views_that_can_draw_them() -> None:
    influencer = rv.games.influencer
    assert taken(influencer(reach=[0.2, 0.2, 0.2])) == ["line"]
    assert taken(influencer(reach=[0.2, 0.2])) == ["line", "responses"]
    assert taken(influencer(space="simplex", reach=[0.2, 0.2])) == ["triangle"]
    assert taken(rv.games.market(players=3)) == ["line"]
    assert taken(rv.games.race()) == ["responses"]
    assert taken(rv.games.matrix("shapley")) == ["triangle"]
    assert taken(rv.games.matrix("chicken")) == ["responses"]
    assert taken(rv.games.race(players=3)) == []
    assert taken(rv.games.matrix("jordan")) == []
    assert taken(object()) == []


@pytest.mark.slow
def test_data_are_json_without_infinities() -> None:
    shown = [
        line.view_of(rv.games.market(players=3), np.ones((3, 1))),
        triangle.view_of(rv.games.matrix("shapley"), np.full((2, 3), 1 / 3)),
        responses.view_of(rv.games.race(), np.ones((2, 2))),
        branches.view_of_record(None, branch_record(), {}),
    ]
    for found in shown:
        assert found is not None
        json.dumps(found, allow_nan=False)


@pytest.mark.slow
def test_a_game_without_a_twin_sends_its_payoffs() -> None:
    game = rv.games.influencer(kernel="custom", influence="exp(-8*(b - x)**2)", players=2, resource="bimodal")
    x = np.array([[0.2], [0.6]])
    curve = line.view_of(game, x)[2]["curves"][1]
    at = game.space.check([[0.2], [curve["position"][30]]])
    assert curve["payoff"][30] == pytest.approx(float(game.payoffs(at)[1]))
    assert curve["here"] == pytest.approx(float(game.payoffs(game.space.check(x))[1]))
    plane = responses.view_of(game, x)
    own, best = plane[2]["curves"][0][0], rv.best_response(game, game.space.check([[0.2], [0.5]]), 0)
    assert own["found"][own["rival"].index(0.5)] == pytest.approx(float(best.strategy[0]), abs=1 / 80)


@pytest.mark.slow
def test_a_race_without_a_twin_sends_best_responses_in_each_choice() -> None:
    """The other choices are those of the profile; on a finer grid no choice pays more, within a step."""
    game = rv.games.race(risk="additive")
    x = np.array([[1.0, 2.0], [0.5, 1.5]])
    found = responses.view_of(game, x)
    curves, axes = found[2]["curves"], found[2]["axes"]
    assert (len(curves), len(curves[0])) == (2, 2)
    for axis, player in ((0, 0), (1, 1)):
        at = x.copy()
        curve = curves[axis][player]
        at[1 - player, axis] = curve["rival"][30]
        step = axes[axis]["high"] / (responses.GRID - 1)
        tried = np.linspace(0.0, axes[axis]["high"], 4001)
        paid = []
        for s in tried:
            at[player, axis] = s
            paid.append(float(game.payoffs(at)[player]))
        assert curve["found"][30] == pytest.approx(tried[int(np.argmax(paid))], abs=step)


def test_the_path_of_a_record_is_thinned_but_keeps_its_ends() -> None:
    path = np.linspace(0.1, 0.9, 2000)[:, None, None] * np.ones((1, 2, 1))
    path = np.concatenate([path, np.full((5, 2, 1), np.nan)])
    record = {"path": (("step", "player", "axis"), path), "profile": (("player", "axis"), path[1999])}
    found = line.view_of_record(rv.games.influencer(reach=[0.2, 0.2]), record, {})
    profiles = found[2]["paths"][0]["profiles"]
    assert (len(profiles), profiles[0], profiles[-1]) == (400, [[0.1], [0.1]], [[0.9], [0.9]])
    assert line.view_of_record(None, record, {}) is None


def test_equilibria_of_a_record_keep_their_proofs() -> None:
    record = {
        "equilibria": (("equilibrium", "player", "axis"), np.array([[[30.0], [30.0]]])),
        "radius": (("equilibrium",), np.array([1e-12])),
        "complete": ((), np.asarray(True)),
        "complete_reason": ((), np.asarray("every box is decided")),
    }
    found = responses.view_of_record(rv.games.market(), record, {})
    assert found is not None
    _, text, data = found
    assert (data["profile"], data["equilibria"][0]["claim"]) == ([[30.0], [30.0]], "equilibrium")
    assert data["equilibria"][0]["sentence"].startswith("30; 30: an equilibrium is proved within")
    assert text.endswith("1 equilibrium is known, and no other exists.")


def test_branches_keep_rows_where_stability_changes() -> None:
    found = branches.view_of_record(None, branch_record(), {})
    assert found is not None
    title, text, data = found
    first, second = data["branches"]
    assert title == "Branches of equilibria over reach"
    assert text == (
        "2 branches over reach from 0.1 to 1, 2 of them stable somewhere; loss of symmetry at 0.5."
    )
    assert first["stable"] == [value > 0.5 for value in first["parameter"]]
    assert (first["structure"], second["structure"]) == ("all 2 together", "groups 1 + 1")
    assert data["exchangeable"] is True
    assert branches.view_of_record(None, {"profile": ((), np.zeros(()))}, {}) is None


def test_a_record_without_branches_has_no_diagram() -> None:
    record = {
        name: (dims, array[:0] if dims[:1] in {("row",), ("event",)} else array)
        for name, (dims, array) in branch_record().items()
    }
    assert branches.view_of_record(None, record | {"event_row": (("event",), np.zeros(0, int))}, {}) is None


def test_branches_change_their_stability_at_the_event_and_not_at_a_row() -> None:
    """With rows 0.03 apart and the event at 0.51, a place at 0.505 is where the branch is unstable."""
    record = branch_record() | {
        "event_row": (("event",), np.array([13])),
        "event_parameter": (("event",), np.array([0.51])),
        "branch_event": (("branch_id",), np.array([-1, 0])),
    }
    below, above = record["branch_parameter"][1][13:15]
    assert below < 0.51 < above
    first, second = branches.view_of_record(None, record, {})[2]["branches"]
    ends = [
        (x, y, one)
        for x, y, one, other in zip(
            first["parameter"], first["parameter"][1:], first["stable"], first["stable"][1:], strict=False
        )
        if one != other
    ]
    assert ends == [(0.51, 0.51, False)]
    assert len(first["parameter"]) == 33
    assert all(second["stable"])


@pytest.mark.parametrize("view", [line, responses])
def test_profiles_of_failed_runs_and_of_batches_have_no_figure(view: Any) -> None:
    game = rv.games.market()
    assert view.view_of(game, np.full((2, 1), np.nan)) is None
    assert view.view_of(game, np.ones((5, 2, 1))) is None
    record = {
        "profile": (("player", "axis"), np.full((2, 1), np.nan)),
        "path": (("step", "player", "axis"), np.ones((3, 2, 1))),
    }
    assert view.view_of_record(game, record, {}) is None


TABLES: list[dict[str, Any]] = [
    {"reach": [0.17, 0.2, 0.3], "resource": "bimodal"},
    {"players": 3, "reach": 0.17, "kernel": "gaussian"},
    {"players": 3, "resource": {"kind": "mixture", "means": [0.2, 0.7], "stds": [0.1, 0.2]}},
]


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
def test_the_line_of_a_study_table_is_that_of_its_game(table: dict[str, Any]) -> None:
    game: Any = rv.games.influencer(**table)
    x = np.array([[0.1], [0.45], [0.8]])
    paid = np.asarray(game.payoffs(game.space.check(x)))
    record = {"profile": (("player", "axis"), x), "payoff": (("player",), paid)}
    study = {"family": "influencer", **table}
    assert twin_of_table(study, 3) == twin_data(game)
    assert influencer_payoffs(twin_data(game) or {}, x) == pytest.approx(paid, rel=1e-12)
    assert line.view_of_table(study, record) == line.view_of(game, x)
    assert line.view_of_table(study, record | {"payoff": (("player",), paid * 1.01)}) is None
    assert line.view_of_table(study | {"budgets": [1.0, 2.0, 1.0]}, record) is None
    assert line.view_of_table(study | {"resource": {"kind": "file", "file": "amounts.csv"}}, record) is None


@pytest.mark.slow
def test_choices_of_a_game_by_formulas_have_their_names() -> None:
    formulas = ["x * (1 - x - y)", "y * (1 - x - y) - z * z"]
    game = rv.games.continuous(payoffs=formulas, choices=[["x"], ["y", "z"]], low=0.0, high=1.0)
    _, text, data = responses.view_of(game, np.array([[0.3, 0.0], [0.3, 0.1]]))  # type: ignore[misc]
    assert [axis["names"] for axis in data["axes"]] == [["x", "y"], ["", "z"]]
    assert text.startswith("Player 0 chooses x 0.3 and earns 0.12; player 1 chooses y 0.3, z 0.1 and earns")

"""What the views line, triangle, responses and branches are given."""

import json
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.living import branches, line, responses, triangle
from rivalry.living.figure import initial_profile
from rivalry.living.game_parts import SLIDERS, sliders
from rivalry.schema.construction import variant
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
@pytest.mark.parametrize("kernel", [{"kernel": "custom", "influence": "exp(-8*(b - x)**2)"}, {"reach": 0.25}])
def test_players_on_a_line_have_payoffs_shares_and_best_responses(kernel: dict[str, Any]) -> None:
    game = rv.games.influencer(**kernel, players=2, resource="bimodal")
    x = np.array([[0.2], [0.6]])
    data = line.view_of(game, x)[2]
    curve = data["curves"][1]
    position = np.linspace(0.0, 1.0, len(curve["payoff"]))
    at = game.space.check([[0.2], [position[30]]])
    assert curve["payoff"][30] == pytest.approx(float(game.payoffs(at)[1]), rel=1e-6)
    here = np.asarray(game.payoffs(game.space.check(x)))
    assert [each["here"] for each in data["curves"]] == pytest.approx(here.tolist())
    # what the players get of every point adds up to their payoffs
    shares, weights = np.array(data["resource"]["shares"]), np.array(data["resource"]["weights"])
    assert shares @ weights == pytest.approx(here, rel=1e-4)
    assert np.max(data["resource"]["influence"]) == 1.0
    best = rv.best_response(game, game.space.check(x), 1)
    assert curve["best"]["at"] == pytest.approx(float(best.strategy[0]), abs=1 / 254)
    assert curve["best"]["value"] <= best.payoff + 1e-9
    own = responses.view_of(game, x)[2]["curves"][0][0]
    best = rv.best_response(game, game.space.check([[0.2], [0.5]]), 0)
    assert own["found"][own["rival"].index(0.5)] == pytest.approx(float(best.strategy[0]), abs=1 / 80)


def test_gains_and_responses_of_two_actions_are_those_of_the_table() -> None:
    """In matching pennies against .3, the first player's actions pay -.4 and .4; it switches at a half."""
    game = rv.games.matrix("matching_pennies")
    data = responses.view_of(game, np.array([[0.5, 0.5], [0.3, 0.7]]))[2]
    own = data["own"][0]
    assert [own["here"], own["gain"], own["stake"]] == pytest.approx([0.0, 0.4, 0.8])
    assert data["curves"][0][0] == {"rival": [0.0, 0.5, 0.5, 1.0], "found": [0.0, 0.0, 1.0, 1.0]}
    assert data["curves"][0][1] == {"rival": [0.0, 0.5, 0.5, 1.0], "found": [1.0, 1.0, 0.0, 0.0]}


def test_best_responses_on_the_triangle_beat_the_rival() -> None:
    """Against (.6, .3, .1) paper pays .6 - .1, scissors .3 - .6 and rock .1 - .3."""
    x = np.array([[0.5, 0.5, 0.0], [0.6, 0.3, 0.1]])
    data = triangle.view_of(rv.games.matrix("rock_paper_scissors"), x)[2]
    assert data["own"][0]["best"] == [0.0, 1.0, 0.0]
    assert data["own"][0]["gain"] == pytest.approx(0.5 - 0.15)
    assert data["own"][0]["stake"] == pytest.approx(0.8)
    simplex = rv.games.influencer(space="simplex", reach=[0.3, 0.4])
    x = np.array([[0.5, 0.25, 0.25], [0.2, 0.3, 0.5]])
    data = triangle.view_of(simplex, x)[2]
    best = rv.best_response(simplex, simplex.space.check(x), 0)
    gain = best.payoff - float(simplex.payoffs(simplex.space.check(x))[0])
    assert data["own"][0]["gain"] == pytest.approx(gain, rel=0.02)
    assert data["own"][0]["gain"] <= gain + 1e-9


@pytest.mark.slow
def test_sliders_are_arguments_of_the_factory_with_their_values() -> None:
    games = [
        rv.games.influencer(players=2, reach=0.2),
        rv.games.market(demand="logit", players=2, quality=[2.0, 2.3]),
        rv.games.race(disaster_cost=[1.0, 3.0]),
    ]
    for game in games:
        shown = sliders(game)
        assert shown
        for slider in shown:
            assert slider["key"] in {key for keys in SLIDERS.values() for key in keys}
            assert np.all(np.asarray(getattr(game, slider["key"])) == slider["value"])
            same = variant(game, **{slider["key"]: slider["value"]})
            assert np.all(np.asarray(getattr(same, slider["key"])) == slider["value"])
    assert sliders(rv.games.matrix("chicken")) == sliders(object()) == []


@pytest.mark.slow
def test_a_race_has_best_responses_in_each_choice() -> None:
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


@pytest.mark.slow
def test_choices_of_a_game_by_formulas_have_their_names() -> None:
    formulas = ["x * (1 - x - y)", "y * (1 - x - y) - z * z"]
    game = rv.games.continuous(payoffs=formulas, choices=[["x"], ["y", "z"]], low=0.0, high=1.0)
    _, text, data = responses.view_of(game, np.array([[0.3, 0.0], [0.3, 0.1]]))  # type: ignore[misc]
    assert [axis["names"] for axis in data["axes"]] == [["x", "y"], ["", "z"]]
    assert text.startswith("Player 0 chooses x 0.3 and earns 0.12; player 1 chooses y 0.3, z 0.1 and earns")

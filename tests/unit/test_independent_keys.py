"""Swept parameters that no game need be built for: the check of a study still finds every wrong value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import rivalry as rv
from rivalry.core.annotations import signature_of
from rivalry.core.registry import load
from rivalry.core.validate import fault_of
from rivalry.games import GAMES
from rivalry.lab.study import Study, StudyError, check
from rivalry.lab.study.build import build_game
from rivalry.lab.study.check import LARGEST

CHICKEN = [[[0.0, 7.0], [2.0, 6.0]], [[0.0, 2.0], [7.0, 6.0]]]
MESH = {"space": "simplex"}
TABLES: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("matrix", "payoffs"): [{"payoffs": CHICKEN}, {"payoffs": CHICKEN, "actions": ["straight", "swerve"]}],
    ("influencer", "alpha"): [{**MESH, "kernel": "dirichlet"}],
    ("influencer", "budgets"): [{}, {"kernel": "exponential", "bounds": [1.0, 2.0]}, {"resource": "bimodal"}],
    ("influencer", "exponent"): [{"kernel": "power_law"}, {**MESH, "kernel": "blotto"}],
    ("influencer", "reach"): [{}, {"normalised": True, "players": 3}, {**MESH}, {"space": "box"}],
    ("precipice", "enmity"): [{}],
    ("precipice", "max_capability"): [{}, {"information": "private"}],
    ("race", "liability"): [{"players": 3}],
    ("race", "performance_productivity"): [{"contest": "best"}, {"horizon": 2}],
    ("race", "safety_productivity"): [{"risk": "additive"}],
    ("race", "scale_penalty"): [{"technology": {"invest": True}, "horizon": 2}],
}
"""Tables of games that take the parameter, by family and parameter."""

GIVEN = [(family, name, table) for (family, name), tables in TABLES.items() for table in tables]


def test_every_independent_parameter_is_tested() -> None:
    assert set(TABLES) == {(family, name) for family, entry in GAMES.items() for name in entry.independent}


def numbers(value: Any, new: float) -> Any:
    """A parameter with a new number in place of its first."""
    return [numbers(value[0], new), *value[1:]] if isinstance(value, list) else new


@pytest.mark.parametrize(("family", "name", "table"), GIVEN)
@settings(max_examples=8)
@given(drawn=st.floats(-LARGEST, LARGEST), per_player=st.booleans())
@example(drawn=5e-324, per_player=True)
@example(drawn=1e-9, per_player=False)
@example(drawn=0.0, per_player=False)
@example(drawn=0.999 * LARGEST, per_player=True)
@example(drawn=-0.999 * LARGEST, per_player=False)
def test_no_number_within_bounds_is_refused_or_changes_the_strategies(
    family: str, name: str, table: Mapping[str, Any], drawn: float, per_player: bool
) -> None:
    hint = signature_of(load(GAMES[family].targets[0]))[1][name]
    old = table.get(name, [1.0] * table.get("players", 2) if per_player else 1.0)
    value = numbers(old, drawn)
    if fault_of(hint, value) is None:
        usual, game = (build_game({"family": family, **one}) for one in (table, {**table, name: value}))
        assert type(game) is type(usual)
        assert game.space == usual.space


def built(study: Study, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The tables of the games that the check of a study builds, and its error."""
    found: list[Any] = []
    with monkeypatch.context() as patched:
        patched.setattr(check, "build_game", lambda table, folder: found.append(table) or build_game(table))
        try:
            study.check()
        except StudyError as error:
            found.append(str(error))
    return found


def study(family: str, game: Mapping[str, Any], sweep: Mapping[str, Any], **more: Any) -> Study:
    tables: dict[str, Any] = {"game": {"family": family, **game}, "sweep": sweep, "name": "swept"}
    return Study(**(tables | {"method": {"kind": "evaluate", "start": "random"}} | more))


PAYOFF = {"game.payoffs[0][0][0]": {"from": 0.5, "to": 1.5, "count": 9}}
REACH = {"from": 0.1, "to": 0.5, "count": 9}


@pytest.mark.parametrize(
    ("made", "count"),
    [
        (study("matrix", {"payoffs": CHICKEN}, PAYOFF), 2),
        (study("matrix", {"payoffs": CHICKEN}, PAYOFF | {"game.payoffs[1][0][0]": [1, 2.5]}), 2),
        (study("influencer", {}, {"game.reach": REACH}), 2),
        (study("influencer", {}, {"game.players": [2, 3, 4], "game.reach": REACH}), 4),
        (study("influencer", {}, {"zip": True, "game.players": [2, 3, 2], "game.reach": [0.1, 0.2, 0.3]}), 3),
        (study("influencer", {"reach": 0.2}, {"game.players": [2, 3], "game.reach[1]": [0.1, 0.2, 0.3]}), 3),
        # each game by itself, where a number may decide:
        (study("influencer", {}, {"game.distance_floor": REACH}), 10),
        (study("influencer", {}, {"game.reach": REACH, "game.resource_points": [[0.1, 0.9]]}), 10),
        (study("influencer", {"reach": [0.1, 0.2]}, {"game.reach": [[0.1, 0.2], [0.2, 0.1]]}), 2),
        (study("matrix", {"payoffs": CHICKEN}, PAYOFF, method={"kind": "evaluate", "start": "uniform"}), 10),
        (study("matrix", {"payoffs": CHICKEN, "leaders": [0]}, PAYOFF, method={"kind": "evaluate"}), 10),
    ],
)
def test_only_points_that_may_differ_in_validity_are_built(
    made: Study, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(built(made, monkeypatch)) == count


WRONG = [
    study("influencer", {}, {"game.reach": [0.1, 0.2, -0.3, 0.4]}),
    study("influencer", {"reach": [0.1, 0.2]}, {"game.reach[1]": [0.1, 0.2, 0], "game.budgets": [1.0, 2.0]}),
    study("influencer", {}, {"game.players": [2, 3, 1], "game.reach": REACH}),
    study("influencer", {"players": 2}, {"game.reach": [0.1, 0.2, [0.3, 0.4, 0.5]]}),
    study("influencer", {}, {"game.reach": [0.1, "wide"]}),
    study("influencer", {"choose_reach": [0.1, 0.2], "reach_cost": 1.0}, {"game.reach": REACH}),
    study("matrix", {"payoffs": CHICKEN}, {"game.payoffs[0][0][0]": [1.0, "much"]}),
    study("matrix", {"payoffs": CHICKEN}, {"game.payoffs[0][0][0]": [1.0, [2.0, 3.0]]}),
    study("matrix", {"payoffs": CHICKEN}, {"game.payoffs[0][0]": [1.0, [2.0, 3.0, 4.0]]}),
    study("matrix", {"name": "chicken"}, {"game.payoffs": [1.0, 2.0]}),
    study("matrix", {"payoffs": CHICKEN}, PAYOFF, method={"kind": "evaluate", "start": [[1, 0], [0.5, 0]]}),
    study("matrix", {"payoffs": CHICKEN}, PAYOFF | {"method.evaluate.start": ["random", "unform"]}),
]


@pytest.mark.parametrize("made", WRONG)
def test_a_wrong_value_is_refused_as_where_every_game_is_built(
    made: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, message = built(made, monkeypatch)
    monkeypatch.setattr(check, "independent_keys", lambda *tables: [])
    *_, every = built(made, monkeypatch)
    assert isinstance(message, str)
    assert message == every


def test_numbers_beyond_the_largest_are_tried() -> None:
    reach = {"game.reach": [0.1, 2 * LARGEST]}
    made = study("influencer", {}, reach)
    assert check.independent_keys(made.game or {}, made.method, made._grid, made._batch) == []
    assert rv.games.influencer(reach=2 * LARGEST) is not None

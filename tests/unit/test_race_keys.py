"""Keys of races: tables of parts, retired keys refused with their replacement, symbols of keys."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.cli import show
from rivalry.lab.store.schema_1 import GAME_KEYS, upgrade_study
from tests.race_keys import nested

OLD = GAME_KEYS["race"]


@pytest.mark.parametrize(("old", "new"), OLD.items(), ids=OLD)
def test_errors_for_retired_keys_name_the_replacement(old: str, new: str) -> None:
    with pytest.raises(ValueError, match=f"^{old}: is called {new} here$"):
        rv.games.race(**{old: 1.0})
    study = rv.Study(game={"family": "race", old: 1.0}, method={"kind": "best_response", "start": "moderate"})
    with pytest.raises(ValueError, match=f"game.{old}: is called {new} here"):
        study.check()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cost": {"r_s": 0.2}}, "cost.r_s: is called safety_price here"),
        ({"cost": {"fines": 0.2}}, "cost.fines: is no key; did you mean 'fine'?"),
        ({"cost": {"kind": "penalty", "fine": [0.1, -1.0]}}, "cost.fine[1]: -1 must be at least 0"),
        ({"contest": {"kind": "rato"}}, "contest.kind: 'rato' must be one of 'ratio', 'logit', 'best'"),
        ({"technology": {"invest": 1}}, "technology.invest: 1 must be true or false"),
        ({"beliefs": [{"cost": {"price": -1.0}}, {}]}, "beliefs[0].cost.safety_price"),
        ({"beliefs": [{}, {"technology": {"share": True}}]}, "beliefs[1].technology.share: is the same"),
    ],
    ids=str,
)
def test_errors_name_the_wrong_key_with_its_table(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        rv.games.race(**given)
    assert str(caught.value).startswith(said)


def test_a_kind_and_a_table_with_that_kind_are_equivalent() -> None:
    word = rv.games.race(cost="penalty", risk="additive")
    table = rv.games.race(cost={"kind": "penalty"}, risk={"kind": "additive", "safety_weight": 1.0})
    x = word.inputs(safety_input=[0.3, 2.0], performance_input=[1.0, 0.5])
    np.testing.assert_array_equal(word.payoffs(x), table.payoffs(x))


def test_a_belief_about_one_key_of_a_part_keeps_the_others() -> None:
    cost = {"kind": "quadratic", "safety_price": 0.2, "safety_price_slope": 0.3}
    game = rv.games.race(cost=cost, beliefs=[{"cost": {"safety_price": 0.1}}, {}])
    assert game.perceived_race(0).safety_price.tolist() == [0.1, 0.1]
    assert game.perceived_race(0).safety_price_slope.tolist() == [0.3, 0.3]
    assert game.perceived_race(1).safety_price.tolist() == [0.2, 0.2]


def test_stored_studies_with_retired_keys_are_upgraded() -> None:
    old = {
        "game": {"family": "race", "csf": "logit", "m": 2.0, "r": 0.2, "cost": "linear", "A": [5.0, 9.0]},
        "sweep": {"game.kappa": [1.0, 2.0], "game.A[0]": [1.0]},
        "cost": "test",
        "expect": [{"quantity": "safe", "at": {"kappa": 1.0}, "expected": 0.5}],
    }
    new = upgrade_study(old)
    assert new["game"] == {
        "family": "race",
        "contest": {"kind": "logit", "decisiveness": 2.0},
        "cost": {"price": 0.2, "kind": "linear"},
        "safety_productivity": [5.0, 9.0],
    }
    assert list(new["sweep"]) == ["game.contest.ease_of_winning", "game.safety_productivity[0]"]
    (row,) = new["expect"]
    assert (row["quantity"], row["at"]) == ("p_safe", {"contest.ease_of_winning": 1.0})
    assert rv.games.race(**{key: value for key, value in new["game"].items() if key != "family"}).players == 2


def test_flat_keys_are_nested_into_tables() -> None:
    found = nested({"cost": "penalty", "fine": 0.2, "minimum": 1.0, "prize": 2.0, "players": 2})
    assert found == {
        "cost": {"kind": "penalty", "fine": 0.2, "minimum": 1.0},
        "players": 2,
        "reward": {"prize": 2.0},
    }


def test_symbols_of_keys_are_shown() -> None:
    rows, _ = show.describe("race")
    symbols = {row["name"]: row["symbol"] for row in rows}
    assert symbols["scale_penalty"] == "theta"
    assert symbols["contest.ease_of_winning"] == "kappa"
    assert json.dumps(rows)
    assert "cost.minimum" in symbols

"""Keys of races: tables of parts, and symbols, which are refused with the keys that they stand for."""

import json
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
from annotated_types import Ge, Gt, Le, Lt

import rivalry as rv
from rivalry.cli import show
from rivalry.families.race.rules import KINDS, TABLES, Linear
from rivalry.schema.annotations import keywords, number_bounds, signature_of
from tests.race_keys import KEYS, nested


@pytest.mark.parametrize(("symbol", "key"), KEYS.items(), ids=KEYS)
def test_errors_for_symbols_name_the_key(symbol: str, key: str) -> None:
    # a discount factor is a list of weights, or one number
    key = f"gamma or {key}" if symbol == "discount" else key
    with pytest.raises(ValueError, match=f"^{symbol}: is called {key} here$"):
        rv.games.race(**{symbol: 1.0})
    method = {"kind": "best_response", "start": "moderate"}
    study = rv.Study(game={"family": "race", symbol: 1.0}, method=method)
    with pytest.raises(ValueError, match=f"game.{symbol}: is called {key} here"):
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


def test_words_of_kinds_are_those_of_the_classes() -> None:
    """Type checkers read the words in the factory's annotation, which the classes do not determine."""
    hints = signature_of(rv.games.race)[1]
    for part, kinds in KINDS.items():
        literals = [member for member in get_args(get_args(hints[part])[0]) if get_origin(member) is Literal]
        assert [word for member in literals for word in get_args(member)] == list(kinds)


def test_a_game_has_the_numbers_of_its_kinds() -> None:
    keys_of_cost = set(keywords(TABLES["cost"].target))
    tables = {
        "linear": {"safety_price", "performance_price", "performance_tax", "safety_subsidy"},
        "certification": {"price", "certified_price", "minimum"},
        "relative_certification": {"price", "certified_price", "margin"},
    }
    for kind, numbers in tables.items():
        assert keys_of_cost & set(rv.games.race(cost={"kind": kind}).numbers) == numbers
    fined = rv.games.race(cost={"kind": "penalty", "fine": 1.0})
    assert keys_of_cost & set(fined.numbers) == {"price", "minimum", "fine"}
    assert "loser_weight" not in rv.games.race(risk={"kind": "mixed", "loser_weight": 0.0}).numbers
    custom = rv.games.race(risk=lambda z, sigma, numbers: sigma)
    assert keys_of_cost - {"kind", "price", "measured_by"} <= set(custom.numbers)


def test_a_price_of_a_rule_without_effect_is_that_of_both_inputs() -> None:
    for cost in (
        {"kind": "penalty", "price": [0.2, 0.3], "fine": 0.0},
        {"kind": "certification", "price": [0.2, 0.3], "certified_price": [0.2, 0.3]},
        {"kind": "certification", "certified_price": [0.2, 0.3], "minimum": 0.0},
        {"price": [0.2, 0.3]},
    ):
        game = rv.games.race(cost=cost)
        x = game.inputs(safety_input=[1.0, 2.0], performance_input=[3.0, 4.0])
        np.testing.assert_allclose(rv.oracles.metrics(game, x)["cost"][1], [0.8, 1.8], rtol=1e-15)
        assert game.rules.cost is Linear
        assert "price" not in game.numbers


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
    assert (symbols["scale_penalty"], symbols["contest.ease_of_winning"]) == ("theta", "kappa")
    assert json.dumps(rows)
    assert "cost.minimum" in symbols


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cost", "cause"),
    [
        ({"safety_subsidy": 0.2}, "the subsidy for safety is at least its price"),
        ({"safety_subsidy": [0.05, 0.1]}, "the subsidy for safety is at least its price"),
        ({"performance_price": 0.0}, "performance costs nothing"),
        ({"safety_subsidy": 0.09}, None),
        ({"kind": "quadratic", "safety_subsidy": 0.2, "safety_price_slope": 0.1}, None),
    ],
)
def test_free_inputs_are_why_payoffs_have_no_maximum(cost: dict[str, object], cause: str | None) -> None:
    game = rv.games.race(cost={"kind": "linear", **cost})
    assert game.space.unbounded == cause
    found = rv.certificate(game, game.space.high)
    assert (f", since {cause}" in found.method) == ("subsidy" in str(cause))


@pytest.mark.parametrize("family", ["race", "market"])
def test_a_sweep_may_not_leave_the_bounds_of_any_key(family: str) -> None:
    factory = getattr(rv.games, family)
    game = factory()
    beyond = {Ge: -0.5, Gt: 0.0, Le: 0.5, Lt: 0.0}
    for name, bounds in number_bounds(factory).items():
        for kind, edge in bounds:
            assert rv.oracles.validate_parameter(game, name, edge + beyond[kind]).startswith("must be ")
        ends = [edge for _, edge in bounds]
        middle = sum(ends) / 2 if len(ends) == 2 else sum(ends) + 1.0
        assert rv.oracles.validate_parameter(game, name, middle) == ""

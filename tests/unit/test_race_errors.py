"""Errors of races: one line that names the parameter, its value and the constraint."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.runtime.jax import jnp

ENDLESS: dict[str, Any] = {"horizon": "inf", "gamma": 0.9, "contest": {"ease_of_winning": 0.2}}
SHARED = {"share": True}
WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"players": 1}, ["players", "1", "at least 2"]),
    ({"safety_productivity": [5.0]}, ["safety_productivity", "1", "at least 2"]),
    ({"players": 3, "scale_penalty": [0.5, 0.4]}, ["scale_penalty", "2", "3"]),
    ({"scale_penalty": [0.5, -0.2]}, ["scale_penalty[1]", "-0.2", "at least 0"]),
    ({"scale_penalty": [np.nan, 0.5]}, ["scale_penalty[0]", "nan", "finite"]),
    ({"safety_productivity": -1.0}, ["safety_productivity", "-1", "at least 0"]),
    ({"cost": {"safety_price": [0.1, -0.1]}}, ["safety_price[1]", "-0.1", "at least 0"]),
    ({"cost": {"kind": "penalty", "fine": -0.3}}, ["fine", "-0.3"]),
    ({"safety_exponent": 0.0}, ["safety_exponent", "0", "above 0"]),
    ({"performance_exponent": [0.5, -1.0]}, ["performance_exponent[1]", "-1", "above 0"]),
    ({"contest": {"decisiveness": 0.0}}, ["decisiveness", "0", "above 0"]),
    ({"contest": {"ease_of_winning": 0.0}}, ["ease_of_winning", "0", "above 0"]),
    ({"horizon": 3, "scale_penalty": [[0.5, 0.5], [0.6, 0.6]]}, ["scale_penalty", "(2, 2)", "(3, 2)"]),
    ({"horizon": 3, "period_weights": [1.0, 0.9]}, ["period_weights", "2", "3"]),
    ({"gamma": 1.2}, ["gamma", "1.2", "[0, 1]"]),
    ({"horizon": 0}, ["horizon", "0", "at least 1"]),
    ({"horizon": 2.5}, ["horizon", "2.5", "whole"]),
    ({"horizon": "inf", "contest": {"ease_of_winning": 0.2}}, ["gamma", "1", "inf"]),
    ({"horizon": "inf", "gamma": 0.9}, ["ease_of_winning", "inf"]),
    (ENDLESS | {"technology": {"invest": True}}, ["inf", "invest"]),
    ({"risk": {"kind": "additive", "safety_weight": 0.0}}, ["safety_weight", "0"]),
    ({"risk": {"kind": "additive", "safety_weight": [-1.0, 2.0]}}, ["safety_weight[0]", "-1"]),
    ({"risk": {"kind": "mixed", "loser_weight": 1.5}}, ["loser_weight", "1.5", "[0, 1]"]),
    ({"technology": {"safety_depreciation": 1.1, "invest": True}}, ["safety_depreciation", "1.1", "[0, 1]"]),
    ({"contest": "softmaxx"}, ["contest", "softmaxx", "ratio", "logit", "best"]),
    ({"risk": "winner"}, ["risk", "winner", "winner_only", "mixed"]),
    ({"cost": "liner"}, ["cost", "liner", "linear", "penalty"]),
    ({"technology": {"spillover": "all"} | SHARED}, ["spillover", "all", "sum", "max", "union"]),
    ({"end_on": "victory"}, ["end_on", "victory", "none", "win", "disaster"]),
    ({"no_winner": "nothing"}, ["no_winner", "nothing", "harmless", "disaster"]),
    ({"reward": {"loser_prize_basis": "loser"}}, ["loser_prize_basis", "loser", "own", "winner"]),
    ({"technology": {"sharing_unit": "percent"} | SHARED}, ["sharing_unit", "percent", "fraction", "rate"]),
    ({"discount_offset": 2}, ["discount_offset", "2", "0, 1"]),
    ({"disaster_cost": [[1.0, 1.0], [1.0, 1.0]], "horizon": 2}, ["disaster_cost", "(2, 2)", "matrix"]),
    ({"gamma": [0.9] * 3, "horizon": 3}, ["gamma", "3", "players = 3", "period_weights"]),
    ({"gamma": 0.9, "horizon": 2, "period_weights": [1.0, 0.9]}, ["gamma", "period_weights"]),
    ({"cost": {"price": 0.2, "safety_price": 0.3}}, ["price", "safety_price"]),
    ({"risk": lambda z, sigma: sigma}, ["risk", "<lambda>", "TypeError"]),
    ({"risk": lambda z, sigma, numbers: sigma[:1]}, ["risk", "(1,)", "(2,)"]),
    ({"risk": lambda z, sigma, numbers: 2 + sigma}, ["risk", "[0, 1]"]),
    ({"contest": lambda logs, p, numbers: jnp.full_like(p, 0.8)}, ["contest", "0.8", "sum to at most 1"]),
    ({"cost": lambda xs, xp, safety, numbers: numbers["rs"] * xs}, ["cost", "KeyError", "rs"]),
    ({"cost": lambda xs, xp, safety, numbers: jnp.log(xs - 2)}, ["cost", "nan", "finite"]),
    ({"cost": lambda xs, xp, safety, numbers: xs if xs[0] > 1 else xp}, ["cost", "jax.numpy"]),
    ({"production": lambda xs, xp, numbers: xs}, ["production", "ln s and ln p"]),
    ({"production": lambda xs, xp, numbers: (xs, jnp.nan * xp)}, ["production", "nan", "must be numbers"]),
    ({"transition": lambda n, row, t: n | {"prize": jnp.nan}}, ["transition", "prize NaN"]),
    ({"horizon": 2, "contest": {"decisiveness": [1.0] * 3}}, ["decisiveness", "(3,)", "one per period"]),
    ({"horizon": 3, "disaster_cost": [[[1.0, 1.0]] * 2]}, ["disaster_cost", "(1, 2, 2)", "(3, 2, 2)"]),
    (ENDLESS | {"transition": lambda n, row, t: n}, ["transition", "finite horizon"]),
    (
        {"transition": lambda n, row, t: {"safety_productivity": n["safety_productivity"]}, "horizon": 2},
        ["transition", "performance_productivity", "**numbers"],
    ),
]


@pytest.mark.parametrize(("given", "named"), WRONG, ids=["-".join(given) for given, _ in WRONG])
def test_errors_name_the_wrong_parameter_and_value(given: dict[str, Any], named: list[str]) -> None:
    message = refusal(lambda: rv.games.race(**given))
    for part in named:
        assert part in message


def refusal(call: Callable[[], Any]) -> str:
    """Return the one-line message of the error that is raised."""
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        call()
    return str(caught.value)


PROFILES: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"safety_input": [0.5, -0.1], "performance_input": [1.0, 1.0]},
        ["safety_input", "-0.1", "player 1", "period 0"],
    ),
    ({"safety_input": [0.5, np.nan]}, ["safety_input", "nan", "player 1"]),
    ({"safety_sharing": [[1.4, 0.0]] * 2}, ["safety_sharing", "1.4", "[0, 1]", "sharing_unit"]),
    ({"effort": [1.0, 1.0]}, ["effort", "safety_input", "performance_sharing"]),
    ({"safety_input": [1.0, 1.0, 1.0]}, ["safety_input", "(3,)", "(2, 2)"]),
    ({"strategies": [[[1.0, 1.0]] * 2] * 2}, ["strategies", "(2, 2, 2)", "(2, 2, 6)"]),
]


@pytest.mark.parametrize(("given", "named"), PROFILES, ids=["-".join(given) for given, _ in PROFILES])
def test_errors_name_the_wrong_input(given: dict[str, Any], named: list[str]) -> None:
    game = rv.games.race(horizon=2, technology={"share": True}, safety_productivity=[10.0, 4.0])
    message = refusal(lambda: game.inputs(**given))
    for part in named:
        assert part in message


def test_leapfrogging_warns() -> None:
    with pytest.warns(UserWarning, match="spillover: with three"):
        rv.games.race(players=3, horizon=2, technology={"share": True})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rv.games.race(players=3, horizon=2, technology={"share": True, "spillover": "union"})


@pytest.mark.slow
def test_inputs_without_effect_are_marked_as_not_identified() -> None:
    game = rv.games.race(horizon=3, technology={"share": True}, safety_productivity=[10.0, 4.0], end_on="win")
    x = game.inputs(np.full((3, 2, 6), 0.5))
    known = np.moveaxis(rv.oracles.metrics(game, x)["identified"][1].reshape(2, 3, 6), 0, 1)
    assert known[0, 0].tolist() == [True] * 5 + [False]  # player 0 leads only in A
    assert known[0, 1].tolist() == [True] * 4 + [False] * 2
    assert not known[1:].any()  # some player wins in the first period


@pytest.mark.parametrize("method", ["gradient_ascent", "newton", "gradient_flow"])
@pytest.mark.parametrize("part", [{"contest": {"kind": "best"}}, {"cost": {"kind": "penalty", "fine": 0.5}}])
def test_gradient_methods_refuse_discontinuous_games(method: str, part: dict[str, Any]) -> None:
    study = rv.Study(game={"family": "race", **part}, method={"kind": method, "start": "moderate"})
    message = refusal(study.check)
    kinds = [repr(table["kind"]) for table in part.values()]
    for words in (f"method.{method}", *part, *kinds, "discontinuous", "best_response"):
        assert words in message


def test_a_missing_closed_form_is_refused_by_the_study_check() -> None:
    study = rv.Study(game={"family": "race", "scale_penalty": [0.5, 0.6]}, method={"kind": "closed_form"})
    assert "scale_penalty: [0.5, 0.6] differ" in refusal(study.check)

"""Wrong races: one line that names the parameter, the value and the rule."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.jax import jnp
from rivalry.games.race import factory

WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"players": 1}, ["players", "1", "at least 2"]),
    ({"A": [5.0]}, ["A", "1", "at least 2"]),
    ({"players": 3, "theta": [0.5, 0.4]}, ["theta", "2", "3"]),
    ({"theta": [0.5, -0.2]}, ["theta[1]", "-0.2", "at least 0"]),
    ({"theta": [np.nan, 0.5]}, ["theta[0]", "nan", "finite"]),
    ({"A": -1.0}, ["A", "-1", "at least 0"]),
    ({"r_s": [0.1, -0.1]}, ["r_s[1]", "-0.1", "at least 0"]),
    ({"fine": -0.3, "cost": "penalty"}, ["fine", "-0.3"]),
    ({"alpha": 0.0}, ["alpha", "0", "above 0"]),
    ({"beta": [0.5, -1.0]}, ["beta[1]", "-1", "above 0"]),
    ({"m": 0.0}, ["m", "0", "above 0"]),
    ({"kappa": 0.0}, ["kappa", "0", "above 0"]),
    ({"horizon": 3, "theta": [[0.5, 0.5], [0.6, 0.6]]}, ["theta", "(2, 2)", "(3, 2)"]),
    ({"horizon": 3, "discount": [1.0, 0.9]}, ["discount", "2", "3"]),
    ({"gamma": 1.2}, ["gamma", "1.2", "[0, 1]"]),
    ({"horizon": 0}, ["horizon", "0", "at least 1"]),
    ({"horizon": 2.5}, ["horizon", "2.5", "whole"]),
    ({"horizon": "inf", "kappa": 0.2}, ["gamma", "1", "inf"]),
    ({"horizon": "inf", "gamma": 0.9}, ["kappa", "inf"]),
    ({"horizon": "inf", "gamma": 0.9, "kappa": 0.2, "invest": True}, ["inf", "invest"]),
    ({"w": 0.0}, ["w", "0"]),
    ({"w": [-1.0, 2.0]}, ["w[0]", "-1"]),
    ({"lam": 1.5, "risk": "mixed"}, ["lam", "1.5", "[0, 1]"]),
    ({"dep_s": 1.1, "invest": True}, ["dep_s", "1.1", "[0, 1]"]),
    ({"csf": "softmaxx"}, ["csf", "softmaxx", "ratio", "logit", "best"]),
    ({"risk": "winner"}, ["risk", "winner", "winner_only", "mixed"]),
    ({"cost": "liner"}, ["cost", "liner", "linear", "penalty"]),
    ({"spill": "all", "share": True}, ["spill", "all", "sum", "max", "union"]),
    ({"end_on": "victory"}, ["end_on", "victory", "none", "win", "disaster"]),
    ({"no_win": "nothing"}, ["no_win", "nothing", "harmless", "disaster"]),
    ({"lose_index": "loser"}, ["lose_index", "loser", "own", "winner"]),
    ({"share_units": "percent", "share": True}, ["share_units", "percent", "fraction", "rate"]),
    ({"discount_offset": 2}, ["discount_offset", "2", "0 or 1"]),
    ({"d": [[1.0, 1.0], [1.0, 1.0]], "horizon": 2}, ["d", "(2, 2)", "matrix"]),
    ({"gamma": [0.9] * 3, "horizon": 3}, ["gamma", "3", "players = 3", "discount"]),
    ({"gamma": 0.9, "horizon": 2, "discount": [1.0, 0.9]}, ["gamma", "discount"]),
    ({"r": 0.2, "r_s": 0.3}, ["r", "r_s"]),
    ({"risk": lambda z, sigma: sigma}, ["risk", "<lambda>", "TypeError"]),
    ({"risk": lambda z, sigma, numbers: sigma[:1]}, ["risk", "(1,)", "(2,)"]),
    ({"risk": lambda z, sigma, numbers: 2 + sigma}, ["risk", "[0, 1]"]),
    ({"csf": lambda logs, p, numbers: jnp.full_like(p, 0.8)}, ["csf", "0.8", "add up to at most 1"]),
    ({"cost": lambda xs, xp, safety, numbers: numbers["rs"] * xs}, ["cost", "KeyError", "rs"]),
    ({"cost": lambda xs, xp, safety, numbers: jnp.log(xs - 2)}, ["cost", "nan", "finite"]),
    ({"cost": lambda xs, xp, safety, numbers: xs if xs[0] > 1 else xp}, ["cost", "jax.numpy"]),
    ({"production": lambda xs, xp, numbers: xs}, ["production", "ln s and ln p"]),
    ({"transition": lambda n, row, t: {"A": n["A"]}, "horizon": 2}, ["transition", "B", "**numbers"]),
]


@pytest.mark.parametrize(("given", "named"), WRONG, ids=["-".join(given) for given, _ in WRONG])
def test_wrong_numbers_and_words(given: dict[str, Any], named: list[str]) -> None:
    message = refusal(lambda: unchecked(**given))
    for part in named:
        assert part in message


def unchecked(**given: Any) -> Any:
    """A race from keywords that no type checker has seen, as a user's are."""
    defaults = {name: one.default for name, one in inspect.signature(factory.race).parameters.items()}
    return factory._build(**(defaults | given))


def refusal(call: Callable[[], Any]) -> str:
    """What is said, in one line."""
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        call()
    return str(caught.value)


PROFILES: list[tuple[dict[str, Any], list[str]]] = [
    ({"xs": [0.5, -0.1], "xp": [1.0, 1.0]}, ["xs", "-0.1", "player 1", "period 0"]),
    ({"xs": [0.5, np.nan]}, ["xs", "nan", "player 1"]),
    ({"share_s": [[1.4, 0.0]] * 2}, ["share_s", "1.4", "[0, 1]", "share_units"]),
    ({"effort": [1.0, 1.0]}, ["effort", "xs", "share_p"]),
    ({"xs": [1.0, 1.0, 1.0]}, ["xs", "(3,)", "(2, 2)"]),
    ({"strategies": [[[1.0, 1.0]] * 2] * 2}, ["strategies", "(2, 2, 2)", "(2, 2, 6)"]),
]


@pytest.mark.parametrize(("given", "named"), PROFILES, ids=["-".join(given) for given, _ in PROFILES])
def test_wrong_profiles(given: dict[str, Any], named: list[str]) -> None:
    game = rv.games.race(horizon=2, share=True, A=[10.0, 4.0])
    message = refusal(lambda: game.inputs(**given))
    for part in named:
        assert part in message


def test_rising_returns_and_leapfrogging_warn() -> None:
    with pytest.warns(UserWarning, match="alpha: above 1"):
        rv.games.race(alpha=1.5)
    with pytest.warns(UserWarning, match="spill: with three"):
        rv.games.race(players=3, horizon=2, share=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rv.games.race(players=3, horizon=2, share=True, spill="union")


def test_what_cannot_matter_is_told() -> None:
    game = rv.games.race(horizon=3, share=True, A=[10.0, 4.0], end_on="win")
    x = game.inputs(np.full((3, 2, 6), 0.5))
    known = np.moveaxis(rv.oracles.metrics(game, x)["identified"][1].reshape(2, 3, 6), 0, 1)
    assert known[0, 0].tolist() == [True] * 5 + [False]  # player 0 leads in A alone
    assert known[0, 1].tolist() == [True] * 4 + [False] * 2
    assert not known[1:].any()  # somebody wins in the first period


@pytest.mark.parametrize("method", ["gradient_ascent", "newton", "extragradient", "gradient_flow"])
@pytest.mark.parametrize("part", [{"csf": "best"}, {"cost": "penalty"}])
def test_methods_that_follow_slopes_refuse_jumps(method: str, part: dict[str, Any]) -> None:
    study = rv.Study(game={"family": "race", **part}, method={"kind": method, "start": "moderate"})
    message = refusal(study.check)
    for words in (f"method.{method}", *part, *map(repr, part.values()), "jump", "best_response"):
        assert words in message


def test_a_closed_form_is_refused_before_anything_runs() -> None:
    study = rv.Study(game={"family": "race", "theta": [0.5, 0.6]}, method={"kind": "closed_form"})
    assert "theta: [0.5, 0.6] differ" in refusal(study.check)

"""Answers to the cases of race reference files, through the package's public interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import rivalry as rv

Inputs = Mapping[str, Any]

NESTED = ("csf", "risk", "cost")  # the files write a rule as a table with its numbers


class NotAnswered(Exception):
    """A kind that the package does not have."""


def answer(case: Mapping[str, Any]) -> dict[str, Any]:
    """What the package says to one case."""
    kind = case["kind"]
    if kind not in KINDS:
        raise NotAnswered(f"kind {kind!r}")
    return KINDS[kind](case["inputs"], case)


def game_of(inputs: Inputs) -> Any:
    """The race of a case; keys that only name a default are left out."""
    table: dict[str, Any] = {}
    for key, value in inputs["game"].items():
        if key in NESTED:
            table[key] = value["kind"]
            table |= {name: _numbers(inner) for name, inner in value.items() if name != "kind"}
        else:
            table["players" if key == "n" else key] = _numbers(value)
    if "beliefs" in inputs:
        table["beliefs"] = inputs["beliefs"]
    return rv.games.race(**table)


def _numbers(value: Any) -> Any:
    """Null stands for a number that is none, in a list."""
    if isinstance(value, list):
        return [
            _numbers(inner) if isinstance(inner, list) else np.nan if inner is None else inner
            for inner in value
        ]
    return value


def _profile(game: Any, inputs: Inputs) -> Any:
    if "strategies" not in inputs:
        return game.inputs(xs=inputs["xs"], xp=inputs["xp"])
    return game.inputs(inputs["strategies"])


def _measured(game: Any, x: Any) -> dict[str, Any]:
    found = {name: np.asarray(array).tolist() for name, (_, array) in game.measures(x).items()}
    return found | {"u": np.asarray(game.payoffs(x)).tolist()}


def payoff_static(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """One period's chances, costs and payoffs."""
    game = game_of(inputs)
    return _measured(game, _profile(game, inputs))


def payoff_dynamic(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Payoffs over periods, the paths of technology, who is reached."""
    game = game_of(inputs)
    found = _measured(game, _profile(game, inputs))
    return found | {"U": found["u"], "period_u": found["period_payoff"]}


def error(inputs: Inputs, case: Inputs) -> dict[str, Any]:
    """Nothing: building or evaluating the inputs must raise."""
    game = game_of(inputs)
    if "xs" in inputs or "strategies" in inputs:
        game.payoffs(_profile(game, inputs))
    return {}


KINDS = {
    "payoff_static": payoff_static,
    "payoff_dynamic": payoff_dynamic,
    "technology_path": payoff_dynamic,
    "error": error,
}

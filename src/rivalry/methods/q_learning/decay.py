"""Exponential decay of exploration or temperature: ``scale exp(-beta t)`` in period t from 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from rivalry.methods.dynamics.step_sizes import check_keys
from rivalry.methods.q_learning.exploration import check_numbers, each_player

FORMS = {
    "epsilon": (("beta",), ("value", "at")),
    "temperature": (("initial", "factor"),),
}


class Fading(NamedTuple):
    """Scale and decay rate of a schedule, one number per player."""

    scale: np.ndarray  # [player]: at the first period
    beta: np.ndarray  # [player]: decay rate per period


def fading(name: str, value: Any, players: int) -> Fading:
    """Return the option ``epsilon`` or ``temperature`` as numbers ``[player]``.

    A number, or one per player, is constant. ``epsilon = {kind = "exponential", beta}`` is ``exp(-beta t)``,
    and ``{kind = "exponential", value, at}`` the same with ``beta`` such that it equals ``value`` in period
    ``at``; ``temperature = {kind = "exponential", initial, factor}`` is ``initial factor^t``. Every key takes
    a number, or one per player.

    Raises
    ------
    ValueError
        For keys that are missing or unknown, and numbers out of range.

    Examples
    --------
    >>> fading("epsilon", {"kind": "exponential", "value": 0.001, "at": 250_000}, 2).beta.round(8).tolist()
    [2.763e-05, 2.763e-05]
    """
    if not isinstance(value, Mapping):
        rule, good = _RANGES[name]
        check_numbers(name, value, rule, good)
        return Fading(each_player(name, value, players), np.zeros(players))
    if value.get("kind") != "exponential":
        raise ValueError(f"{name}.kind: {value.get('kind')!r} must be 'exponential'")
    form = max(FORMS[name], key=lambda keys: sum(key in value for key in keys))
    check_keys(name, value, form)
    numbers = {}
    for key in form:
        rule, good = _RANGES[key]
        check_numbers(f"{name}.{key}", value[key], rule, good)
        numbers[key] = each_player(f"{name}.{key}", value[key], players)
    if "beta" in numbers:
        return Fading(np.ones(players), numbers["beta"])
    if "at" in numbers:
        return Fading(np.ones(players), -np.log(numbers["value"]) / numbers["at"])
    return Fading(numbers["initial"], -np.log(numbers["factor"]))


_RANGES: dict[str, tuple[str, Any]] = {
    "epsilon": ("in [0, 1]", lambda v: (v >= 0) & (v <= 1)),
    "temperature": ("above 0", lambda v: v > 0),
    "beta": ("at least 0", lambda v: v >= 0),
    "value": ("in (0, 1]", lambda v: (v > 0) & (v <= 1)),
    "at": ("above 0", lambda v: v > 0),
    "initial": ("above 0", lambda v: v > 0),
    "factor": ("in (0, 1]", lambda v: (v > 0) & (v <= 1)),
}

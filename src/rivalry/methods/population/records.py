"""What the methods for populations share: their checks, and what they tell of their last state."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivalry._jax import put
from rivalry.game import PopulationGame
from rivalry.population.operators import Policy
from rivalry.results import Record


def check_numbers(**options: Any) -> None:
    """Raises `ValueError` for an option out of range, where it is a number (traced ones are not looked at)."""
    rules = {
        "eps": (lambda x: 0 <= x <= 1, "in [0, 1]"),
        "beta": (lambda x: x > 0, "above 0"),
        "begin": (lambda x: 0 < x < np.inf, "above 0 and finite"),
        "rate": (lambda x: 0 < x <= 1, "in (0, 1]"),
    }
    for name, value in options.items():
        within, rule = rules[name]
        if isinstance(value, int | float) and not within(value):
            raise ValueError(f"{name}: {value!r} must be {rule}")


def noted(game: PopulationGame, pi: Policy, env: Any, *, beta: float, eps: float) -> Record:
    """The rule that made a policy, and its distance from one without exploration, where there was some."""
    return {"beta": ((), np.asarray(beta)), "eps": ((), np.asarray(eps))}


def as_policy(game: PopulationGame, pi: object) -> Policy:
    """Numbers as a policy of the game. Raises `ValueError`."""
    return put(game.space.check(pi, "policy"))

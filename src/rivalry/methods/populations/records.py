"""Checks of options and records of results, shared by the methods for populations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.game import PopulationGame
from rivalry.core.results import Record
from rivalry.methods.populations.response import LogitRule, bonus
from rivalry.methods.q_learning import annealing
from rivalry.population import policy_values, stationary_population
from rivalry.population.operators import Policy, by_type
from rivalry.population.oracles import type_shares


def check_numbers(**options: Any) -> None:
    """Raise `ValueError` for a number out of range; traced values are not checked."""
    rules: dict[str, tuple[Callable[[float], bool], str]] = {
        "exploration": (lambda x: 0 <= x <= 1, "in [0, 1]"),
        "beta": (lambda x: 0 < x < np.inf, "above 0 and finite"),
        "begin": (lambda x: 0 < x < np.inf, "above 0 and finite"),
        "factor": (lambda x: 1 < x < np.inf, "above 1 and finite"),
        "rate": (lambda x: 0 < x <= 1, "in (0, 1]"),
    }
    for name, value in options.items():
        within, rule = rules[name]
        if isinstance(value, int | float) and not within(value):
            raise ValueError(f"{name}: {value!r} must be {rule}")


def check_beta(beta: Any, *, infinite: bool = False) -> None:
    """Raise `ValueError` for an invalid inverse temperature or table of them."""
    if not (infinite and isinstance(beta, float) and beta == np.inf):
        annealing.check(beta)


def rule_record(game: PopulationGame, pi: Policy, by: LogitRule) -> Record:
    """Return the rule of a policy; for regularised payoffs also the payoff per agent of each type."""
    found: Record = {"beta": ((), np.asarray(by.beta)), "exploration": ((), np.asarray(by.exploration))}
    if np.isfinite(float(by.beta)):
        found["concept"] = ((), np.asarray(f"logit at beta {float(by.beta):.6g}"))
    if float(by.entropy):
        found["payoff_regularised"] = (("player",), np.asarray(_worth(game, pi, by)))
    return found


@eqx.filter_jit
def _worth(game: PopulationGame, pi: Policy, by: LogitRule) -> Float[Array, "type"]:
    """Return the regularised payoff J_h of a policy in its own population, ``[type]``."""
    there = stationary_population(game, pi)
    values = policy_values(game, there.env, pi, bonus(pi, by))
    return by_type(game, there.mu * values) / type_shares(game)

"""A race period by period, and the levels of inputs at which it is played on tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp
from rivalry.core.space import Box
from rivalry.games.race.period import outcome

if TYPE_CHECKING:
    from rivalry.games.race.game import Race

# Spending on either input, as a share of the prize: at the default prices 0.09 to 4.95, and 0.05 to 2.72.
SPENT = {"xs": (np.exp(-2.4) / 10, np.exp(1.6) / 10), "xp": (np.exp(-3.0) / 10, np.exp(1.0) / 10)}
INVESTED = 0.05  # of the prize
GIVEN = {"fraction": 1.0, "rate": 3.0}


def opening(race: Race) -> Float[Array, "stock player"]:
    """What a race carries from one period to the next, as it begins: A and B, or nothing where they stand.

    Raises `ValueError` for a horizon without end and a ``transition`` of one's own.
    """
    if race.endless:
        raise ValueError("horizon: inf has no last period; take a whole number")
    if race.transition is not None:
        raise ValueError("transition: what it carries is not told by A and B; leave it out")
    if len(race.columns) == 2:
        return jnp.zeros((0, race.players))
    numbers = race.numbers_at(0)
    return jnp.stack([numbers["A"], numbers["B"]])


def period(
    race: Race, t: int | Array, state: Float[Array, "stock player"], row: Float[Array, "player column"]
) -> tuple[Float[Array, "player"], Float[Array, ""], Float[Array, "stock player"]]:
    """What period ``t`` pays (undiscounted), the chance that play goes on, and what is carried on."""
    numbers = race.numbers_at(t)
    if len(race.columns) > 2:
        numbers |= {"A": state[0], "B": state[1]}
    found = outcome(race.rules, numbers, row[:, 0], row[:, 1])
    after = race.advanced(numbers, row)
    later = jnp.stack([after["A"], after["B"]]) if len(race.columns) > 2 else state
    return found.u - race.upkeep(numbers, row), race.goes_on(found), later


def period_space(race: Race, count: int | None = None) -> Box:
    """Where players choose in one period: all columns, or the first ``count``."""
    box, count = race.space, len(race.columns) if count is None else count
    first: Box = jax.tree.map(lambda edge: edge[:, :count], box)
    return replace(first, coordinates=box.kinds[:count])


def levels(race: Race, count: int) -> list[dict[str, Any]]:
    """So many levels of either effort, evenly spaced in logarithms, in the form that tables take.

    They cost from 0.9 % (safety) and 0.5 % (performance) of the prize to 50 % and 27 %, at the first period's
    prices; investments are nothing or 5 % of the prize, shares nothing or all (a rate: 3).

    >>> import rivalry as rv
    >>> found = levels(rv.games.race(), 9)
    >>> [[round(float(table[end][0]), 6) for end in ("from", "to")] for table in found]
    [[0.090718, 4.953032], [0.049787, 2.718282]]
    """
    numbers = {name: np.asarray(value, dtype=float) for name, value in race.numbers_at(0).items()}
    stake = np.maximum(np.abs(numbers["win_a"]), 1e-12)
    found: list[dict[str, Any]] = []
    for column in race.columns:
        if column in SPENT:
            price = numbers["r"] if "r" in numbers else numbers[f"r_{column[1]}"]
            unit = stake / np.where(price > 0, price, 0.1)
            low, high = SPENT[column]
            found.append({"kind": "log", "from": low * unit, "to": high * unit, "count": count})
        elif column.startswith("inv"):
            price = numbers[f"r_{column}"]
            most = float(np.max(INVESTED * stake / np.where(price > 0, price, 0.01)))
            found.append({"kind": "levels", "levels": [0.0, most]})
        else:
            found.append({"kind": "levels", "levels": [0.0, GIVEN[race.share_units]]})
    return found * race.periods

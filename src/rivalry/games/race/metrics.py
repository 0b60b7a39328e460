"""What a profile of a race leads to, by name: chances, costs, technology, who is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import equinox as eqx
import numpy as np
from jaxtyping import Array

from rivalry.core.jax import jnp
from rivalry.core.results import Record
from rivalry.core.space import Profile

if TYPE_CHECKING:
    from rivalry.games.race.model import Race

Named = dict[str, tuple[tuple[str, ...], Array]]

SUMS = {
    "p_safe": "safe",
    "p_disaster": "disaster",
    "p_no_winner": "nobody",
}  # a measure, and its name in an outcome


def measures(race: Race, x: Profile) -> Record:
    """Return the arrays stored with every result.

    Per player: the inputs, ``performance``, ``technology_safety`` (sigma, that the own technology is safe),
    ``win_probability`` (q), ``p_safe_given_win`` (S, that all ends well if this player wins) and ``cost``.
    In all: ``p_safe``, ``p_disaster``, ``p_no_winner`` and ``revenue``, taxes and expected liabilities less
    subsidies.

    Over several periods the arrays per player have the period in front, with ``period_payoff``
    (period, player), ``period_p_safe`` and so on (period), the paths ``safety_stock`` and
    ``performance_stock`` (stage, player) of A and B, and ``alive`` (stage), the probability that a period is
    reached; ``p_safe`` and so on are then means over periods with these weights. ``p_safe_last_win`` is the
    probability that the win that ends the race is safe. An infinite horizon has ``period_win_probability``,
    that somebody wins in a period, and ``expected_periods``.
    """
    named = _traced(race, x)
    found = {name: (dims, np.asarray(array)) for name, (dims, array) in named.items()}
    return found | {"identified": (("player", "axis"), identified(race, x))}


@eqx.filter_jit
def _arrays(race: Race, x: Profile) -> dict[str, Array]:
    return {name: array for name, (_, array) in outcomes(race, x).items()}


def _traced(race: Race, x: Profile) -> dict[str, tuple[tuple[str, ...], Array]]:
    arrays = _arrays(race, x)
    return {name: (dims, arrays[name]) for name, dims in _dims(race).items()}


def outcomes(race: Race, x: Profile) -> Named:
    """The same as `measures`, as arrays that JAX can trace; without ``identified``."""
    found = _values(race, x)
    return {name: (dims, found[name]) for name, dims in _dims(race).items()}


def _dims(race: Race) -> dict[str, tuple[str, ...]]:
    """The names and the dimensions of what is measured."""
    several = race.periods > 1
    each = ("period", "player") if several else ("player",)
    found: dict[str, tuple[str, ...]] = dict.fromkeys(
        (*race.columns, "performance", "technology_safety", "win_probability", "p_safe_given_win", "cost"),
        each,
    )
    found |= dict.fromkeys((*SUMS, "revenue"), ())
    if several:
        found["period_payoff"] = each
        found |= {f"period_{name}": ("period",) for name in SUMS}
        found["alive"] = ("stage",)
        found |= dict.fromkeys(("safety_stock", "performance_stock"), ("stage", "player"))
    if race.end_on == "win" and (several or race.infinite_horizon):
        found["p_safe_last_win"] = ()
    if race.infinite_horizon and race.end_on == "win":
        found |= dict.fromkeys(("period_win_probability", "expected_periods"), ())
    return found


def _values(race: Race, x: Profile) -> dict[str, Any]:
    outcome, paid, a, b = race.periodic(x)
    goes_on = race.goes_on(outcome)
    alive = jnp.append(1.0, jnp.cumprod(goes_on))
    reached = alive[:-1]
    rows = race.schedule(x)
    found: dict[str, Any] = {name: rows[..., k] for k, name in enumerate(race.columns)}
    found |= {"performance": jnp.exp(outcome.log_p), "technology_safety": outcome.sigma}
    found |= {"win_probability": outcome.q, "p_safe_given_win": outcome.S}
    found["cost"] = outcome.cost + outcome.u - paid
    if race.periods == 1:
        found = {name: array[0] for name, array in found.items()}
    total = jnp.maximum(jnp.sum(reached), 1e-300)
    for name, own in SUMS.items():
        each = getattr(outcome, own)
        found[f"period_{name}"] = each
        found[name] = jnp.sum(reached * each) / total
    found["revenue"] = jnp.sum(reached * _revenue(race, rows, outcome)) / total
    wins = jnp.sum(reached * (1 - outcome.nobody))
    return found | {
        "period_payoff": paid,
        "alive": alive,
        "safety_stock": a,
        "performance_stock": b,
        "p_safe_last_win": jnp.sum(reached * outcome.safe) / jnp.where(wins > 0, wins, 1.0),
        "period_win_probability": 1 - outcome.nobody[0],
        "expected_periods": 1 / (1 - outcome.nobody[0]),
    }


def _revenue(race: Race, rows: Array, outcome: Any) -> Array:
    """Taxes and expected liabilities less subsidies, ``[period]``."""
    numbers = race.numbers
    inputs = numbers["performance_tax"] * rows[..., 1] - numbers["safety_subsidy"] * rows[..., 0]
    return jnp.sum(inputs + numbers["liability"] * outcome.q * (1 - outcome.S), axis=1)


def identified(race: Race, x: Profile) -> np.ndarray:
    """``[player axis]``: False where a coordinate cannot matter at ``x``, and is never to be compared.

    So are inputs of periods that are never reached or count nothing, sharing without a lead, and sharing of
    the last period where it is free.
    """
    arrays = _arrays(race, x)
    periods, players = race.periods, race.players
    found = np.ones((periods, players, len(race.columns)), dtype=bool)
    if periods > 1:
        found &= (np.asarray(arrays["alive"])[:-1] > 0)[:, None, None]
    found &= (np.asarray(race.weights) > 0)[:, :, None]
    for k, stock in ((4, "safety"), (5, "performance")):
        if len(race.columns) < 6:
            break
        price = np.asarray(race.numbers[f"{race.columns[k]}_price"])
        price = np.broadcast_to(price, (periods, players))
        level = (
            np.asarray(arrays[f"{stock}_stock"])[:-1]
            if periods > 1
            else np.broadcast_to(race.numbers[f"{stock}_productivity"], (1, players))
        )
        matters = level > level.min(axis=1, keepdims=True)
        matters[-1] = False
        found[..., k] &= matters | (price > 0)
    return np.asarray(np.moveaxis(found, 1, 0).reshape(players, -1))

"""Validation of a market's parameters: numbers per firm or for all firms, words, stages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rivalry.core.jax import put
from rivalry.core.registry import near
from rivalry.games.market.model import RULES
from rivalry.games.market.prices import logit_joint

POSITIVE = ("intercept", "quality", "market_size", "slope", "elasticity", "price_flat_below", "taste_spread")
NOT_NEGATIVE = (
    "unit_cost",
    "convex_cost",
    "fixed_cost",
    "capacity",
    "adjustment_cost",
    "capex",
    "capex_convex",
    "grid_margin",
    "wacc",
)
SHARES = ("tax", "depreciation", "survival", "gamma")
ANY = (
    "outside_option",
    "substitution",
    "growth",
    "cash",
    "cash_min",
    "terminal_growth",
    "multiple",
    "low",
    "high",
)
ALONE = (
    "slope",
    "market_size",
    "elasticity",
    "price_flat_below",
    "substitution",
    "outside_option",
    "taste_spread",
    "growth",
    "sticky",
    "grid_margin",
)  # one number for all firms
OWN = {
    "linear": ("intercept", "slope"),
    "isoelastic": ("market_size", "elasticity", "price_flat_below"),
    "differentiated": ("intercept", "slope", "substitution"),
    "logit": ("quality", "outside_option", "taste_spread"),
}
"""The parameters of each demand system."""


def refusal(name: str, value: float) -> str:
    """Return why a parameter may not take a value, or an empty text.

    >>> refusal("slope", 0.0), refusal("tax", 1.5), refusal("outside_option", -1.0)
    ('must be above 0', 'must be in [0, 1]', '')
    """
    if np.isnan(value) or (np.isinf(value) and name not in ("capacity", "high", "low")):
        return "must be finite"
    if name in POSITIVE and not value > 0:
        return "must be above 0"
    if name in NOT_NEGATIVE and not value >= 0:
        return "must be at least 0"
    if name == "gamma" and value > 1:
        return f"must be in [0, 1]: with r = {1 / value - 1:.3g} below growth g = 0 the sum diverges"
    if name in SHARES and not 0 <= value <= 1:
        return "must be in [0, 1]"
    if name == "sticky" and not 0 <= value < 1:
        return "must be in [0, 1)"
    return ""


def players_of(given: Mapping[str, Any], names: Iterable[str]) -> int:
    """Return the number of firms: as given, by a list or the stages, or 2. Raises `ValueError`."""
    said = given["players"]
    if said is not None:
        if isinstance(said, bool) or not isinstance(said, int) or said < 1:
            raise ValueError(f"players: {said!r} must be a whole number, at least 1")
        return int(said)
    for name in names:
        value = given[name]
        if isinstance(value, np.ndarray) and value.ndim == 0:
            continue
        if isinstance(value, list | tuple | np.ndarray) and len(value):
            return len(value)
    stages = given["stages"]
    if isinstance(stages, list | tuple) and stages and all(isinstance(s, list | tuple) for s in stages):
        named = [player for stage in stages for player in stage if isinstance(player, int)]
        return max([1, *(player + 1 for player in named)])
    return 2


def per_firm(name: str, value: Any, players: int) -> Any:
    """Return ``value`` as ``[player]``. Raises `ValueError` that names the first invalid entry."""
    found = numbers(name, value)
    if found.ndim == 0:
        found = np.broadcast_to(found, (players,)).copy()
    if found.shape != (players,):
        raise ValueError(f"{name}: {found.size} numbers for {players} firms; give one, or {players}")
    return put(found)


def alone(name: str, value: Any) -> Any:
    """Return one number for all firms. Raises `ValueError`."""
    found = numbers(name, value)
    if found.ndim:
        raise ValueError(f"{name}: {value!r} must be one number")
    return put(found)


def numbers(name: str, value: Any) -> np.ndarray:
    """Return valid values of a parameter. Raises `ValueError`."""
    try:
        found = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {value!r} must be numbers") from None
    if isinstance(value, bool | str):
        raise ValueError(f"{name}: {value!r} must be a number")
    for index, entry in np.ndenumerate(found):
        why = refusal(name, float(entry))
        if why:
            where = "".join(f"[{k}]" for k in index)
            raise ValueError(f"{name}{where}: {entry:g} {why}")
    return found


def one_of(name: str, value: Any, known: Sequence[str]) -> str:
    """Return a word among ``known``. Raises `ValueError`."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name}: {value!r} is unknown; {near(str(value), known)}")
    return value


def check_rule(demand: str, choice: str) -> None:
    """Raise `ValueError` for a choice that the demand does not allow."""
    if (demand, choice) not in RULES:
        other = "price" if choice == "quantity" else "quantity"
        raise ValueError(f"choice: {choice!r} clashes with demand = {demand!r}, where firms choose a {other}")


def check_unused(given: Mapping[str, Any], demand: str) -> None:
    """Raise `ValueError` for a parameter of another demand."""
    every = {name for names in OWN.values() for name in names}
    for name in sorted(every - set(OWN[demand])):
        if given[name] is not None:
            raise ValueError(f"{name}: is no number of {demand} demand, which takes {', '.join(OWN[demand])}")


def check_slope(b: float, g_s: float, players: int) -> None:
    """Raise `ValueError` unless the slope matrix of differentiated demand is positive definite."""
    lowest = -b / (players - 1) if players > 1 else -np.inf
    if not lowest < g_s < b:
        raise ValueError(
            f"substitution: {g_s:g} must be above -slope/(n-1) = {lowest:g} and below slope = {b:g}"
        )


def check_bounds(low: np.ndarray, high: np.ndarray) -> None:
    """Raise `ValueError`, naming the firm, for bounds that are reversed or negative."""
    for firm, (first, last) in enumerate(zip(low, high, strict=True)):
        if first < 0:
            raise ValueError(f"low[{firm}]: {first:g} must be at least 0 (firm {firm})")
        if not first < last:
            raise ValueError(f"low[{firm}]: {first:g} must be below high[{firm}] = {last:g} (firm {firm})")


def check_trade(name: str, top: np.ndarray, cost: np.ndarray) -> None:
    """Raise `ValueError` if no firm can sell above its cost."""
    if np.all(cost >= top):
        raise ValueError(
            f"unit_cost: {np.min(cost):g} must be below {name} = {np.max(top):g} for one firm at least: "
            "no trade"
        )


def beyond(demand: str, choice: str, numbers: dict[str, Any]) -> np.ndarray:
    """Return the choices above which no choice is profitable, ``[player]``."""
    plain = {name: np.asarray(value, dtype=float) for name, value in numbers.items()}
    cost = plain["unit_cost"]
    if demand == "logit":
        # above quality - outside_option a firm sells less than half as much as the outside option: its
        # margin is below 2 mu
        quality, outside, mu = (plain[name] for name in ("quality", "outside_option", "taste_spread"))
        best = quality - outside + mu * np.log(len(cost) + 1)
        joint = logit_joint(quality, float(outside), float(mu), cost) + plain["convex_cost"]
        return np.asarray(np.maximum(np.maximum(best, cost + 2 * mu), joint) + mu)
    if demand == "isoelastic":
        return np.asarray((plain["market_size"] / cost) ** plain["elasticity"])
    top = np.broadcast_to(plain["intercept"], cost.shape)
    if choice == "quantity":
        return np.asarray(top / plain["slope"])
    if demand == "linear" or plain["substitution"] >= 0:
        return top
    others = -plain["substitution"] * (len(cost) - 1)  # added to a price by complements sold at a price of 0
    return np.asarray(top * (1 + others / (plain["slope"] - others)))

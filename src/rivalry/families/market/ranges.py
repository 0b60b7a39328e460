"""Ranges of choices: quantities and prices above which no firm gains."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.families.market.demand import INTERCEPT, relative_quality
from rivalry.families.market.model import priced_numbers
from rivalry.families.market.shocks import Shock


def profitable_choices(demand: str, choice: str, numbers: dict[str, Any], retained: Any = 1.0) -> ndarray:
    """Return the choices above which none is profitable, ``[product]``; with logit demand ``[.. product]``.

    Above them the profit does not rise, whatever the others choose; so neither does the profit after tax.
    ``retained`` is as in `retained_ratios`.
    """
    plain = {name: np.asarray(value, dtype=float) for name, value in priced_numbers(numbers).items()}
    cost = plain["unit_cost"]
    if "consumer_weights" in plain:  # the largest of all consumers
        shared = {name: value for name, value in numbers.items() if not name.startswith("consumer_")}
        rows = zip(plain["consumer_quality"], plain["consumer_taste_spread"], strict=True)
        tastes = [{"quality": plain["quality"] + offset, "taste_spread": spread} for offset, spread in rows]
        return np.max(
            [profitable_choices(demand, choice, shared | taste, retained) for taste in tastes], axis=0
        )
    if demand == "logit":
        # The slope of (p - c) s - d s^2/2 is (s/mu) [mu - (p - c - d s)(1 - s)], and no share s exceeds that
        # without rivals. Above a - a0 that is at most 1/2: the slope is negative above c + d/2 + 2 mu, which
        # the joint price and d exceed. Where sales stop at the capacity K the profit rises with the price,
        # until that share is K.
        quality, mu = relative_quality(plain), plain["taste_spread"]
        half_share_price = quality + mu * np.log(cost.shape[-1] + 1)
        joint = _joint_logit_prices(quality, float(mu), cost, retained) + plain["convex_cost"]
        K = np.clip(plain["capacity"], 1e-300, 0.5)
        full = quality + mu * np.log((1 - K) / K)
        return np.max([half_share_price, cost + 2 * mu, joint, full], axis=0) + mu
    # The marginal profit of an output, P + q P' - C', is at most P - C': no more than 0 where its price is 0
    # or, with isoelastic demand, where it alone makes the price fall to the cost.
    if demand == "isoelastic":
        return (plain["market_size"] / cost) ** plain["elasticity"]
    top = np.broadcast_to(plain["intercept"], cost.shape)
    if choice == "quantity":
        return top / plain["slope"]
    if demand == "linear" or plain["substitution"] >= 0:
        return top  # nothing is sold above
    # added to a price by complements sold at a price of 0
    complement = -plain["substitution"] * (len(cost) - 1)
    return top * (1 + complement / (plain["slope"] - complement))


def retained_ratios(numbers: dict[str, Any], owners: Any, weights: Any) -> ndarray:
    """Return the largest part of a profit that an owner keeps over that of each product, ``[product]``.

    An owner gives up sales of a product that is taxed more for those of another one.
    """
    firms = np.empty(sum(map(len, owners)), dtype=int)
    for firm, row in enumerate(owners):
        firms[list(row)] = firm
    retained = (1 - np.asarray(numbers["tax"])) * (1 - np.asarray(numbers.get("ad_valorem", 0.0)))
    matrix = np.eye(len(owners)) if weights is None else np.asarray(weights)
    served = matrix[firms][:, firms] * retained
    diagonal = np.diagonal(served)
    return np.where(diagonal > 0, np.max(served, axis=1) / np.where(diagonal > 0, diagonal, 1.0), 1.0)


def largest_choices(
    demand: str, choice: str, numbers: dict[str, Any], shock: Shock | None, retained: Any = 1.0
) -> ndarray:
    """Return the largest of `profitable_choices` at the levels of a shock, ``[product]``.

    Above it the profit does not rise at any level, so neither does its mean.
    """
    if shock is None:
        return profitable_choices(demand, choice, numbers, retained)
    name = "unit_cost" if shock.on == "unit_cost" else INTERCEPT[demand]
    levels = np.asarray(shock.levels)[np.asarray(shock.probabilities) > 0]
    cases = [numbers | {name: np.asarray(numbers[name]) + level} for level in levels]
    return np.max([profitable_choices(demand, choice, case, retained) for case in cases], axis=0)


def _joint_logit_prices(quality: ndarray, mu: float, cost: ndarray, retained: Any) -> ndarray:
    """Return prices ``[.. product]`` that are at least those of the largest joint profit.

    Every margin is ``mu + L`` with the profit L, where ``(L/mu) exp(L/mu) = V/e`` and V is the sum of
    ``exp((a_i - c_i)/mu)``; where an owner keeps unlike parts it is at most ``mu + L`` times their ratio.
    """
    from scipy.special import wrightomega

    value = np.logaddexp.reduce((quality - cost) / mu, axis=-1, keepdims=True)
    return np.asarray(
        cost + mu * (1 + retained * wrightomega(value - 1.0))
    )  # w + ln w: the Wright omega function


def check_interior(eta: float, players: int) -> None:
    """Raise `ValueError` if with isoelastic demand less output always increases every profit."""
    if eta * players <= 1:
        raise ValueError(
            f"elasticity: {eta:g} must be above 1/n = {1 / players:g} with {players} firms: no interior "
            "equilibrium"
        )

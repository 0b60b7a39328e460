"""Closed forms of a market: Nash, Stackelberg, joint-profit and competitive choices.

Every function returns choices of one period, quantities or prices, as NumPy arrays, or raises `ValueError`
that names the obstacle and the numerical solver to use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rivalry.core.jax import put
from rivalry.games.market import leadership, prices, quantities
from rivalry.games.market.model import Market

SLACK = 1e-12  # tolerance of choices beyond a bound, relative to the largest bound
Numbers = dict[str, Any]
Rows = Callable[[Numbers], np.ndarray]


def plain_numbers(market: Market) -> Numbers:
    """Return the market's parameters and bounds as NumPy floats and arrays ``[player]``."""
    found: Numbers = {
        name: np.asarray(value, dtype=float) if np.ndim(value) else float(value)
        for name, value in market.numbers.items()
    }
    found["low"] = np.asarray(market.space.low, dtype=float)[:, 0]
    found["high"] = np.asarray(market.space.high, dtype=float)[:, 0]
    return found


def refuse(parameter: str, what: str) -> ValueError:
    """Return the error of a closed form outside its domain."""
    return ValueError(f"{parameter}: closed forms are for {what}; use best_response")


def nash(market: Market) -> np.ndarray:
    """Return the equilibria of one period of simultaneous play, ``[root player axis]``.

    With fixed costs there may be several, or none.

    Raises
    ------
    ValueError
        Without a closed form: for shocks to demand, capacities and fixed costs that change choices, and
        corners. The message names the parameter.

    Examples
    --------
    >>> import rivalry as rv
    >>> nash(rv.games.market()).tolist()
    [[[30.0], [30.0]]]
    """
    numbers = certain(market)
    quantity = market.rule.choice == "quantity"
    if market.rule.demand == "linear" and quantity and np.any(numbers["fixed_cost"] > 0):
        if np.any(numbers["low"] > 0):
            raise refuse("low", "bounds of 0 where there are fixed costs")
        roots = quantities.with_fixed_costs(
            *_of(numbers, "intercept", "slope", "unit_cost", "convex_cost", "fixed_cost"),
            high=numbers["high"],
        )
        return roots[:, :, None]
    choice = clip_choice(market, numbers, NASH[market.rule](numbers))
    _check_fixed_costs(market, numbers, choice)
    return choice[None, :, None]


def certain(market: Market) -> Numbers:
    """Return the parameters of a market that closed forms may cover. Raises `ValueError`."""
    numbers = plain_numbers(market)
    if market.shock is not None:
        raise refuse("shock", "certain demand")
    if np.any(np.isfinite(numbers["capacity"])) and market.rule.choice == "price":
        raise refuse("capacity", "prices without capacities")
    for name in ("convex_cost", "capacity"):
        changed = numbers[name] > 0 if name == "convex_cost" else np.isfinite(numbers[name])
        if np.any(changed) and (market.rule.demand == "isoelastic" or market.rule.winner_takes_all):
            raise refuse(name, "constant unit costs with this demand")
    return numbers


def clip_choice(market: Market, numbers: Numbers, choice: np.ndarray) -> np.ndarray:
    """Return choices within bounds. Raises `ValueError`, naming the firm, if a bound changes sales."""
    inside = np.clip(choice, numbers["low"], numbers["high"])
    bound = np.abs(inside - choice) > SLACK * np.max(np.abs(numbers["high"]))
    for firm in np.flatnonzero(bound).tolist():
        if (
            market.rule.choice == "quantity"
            or choice[firm] < numbers["low"][firm]
            or _sells(market, choice, firm)
        ):
            raise refuse(
                "low" if choice[firm] < inside[firm] else "high",
                f"bounds that do not bind, and {choice[firm]:g} is what firm {firm} would choose",
            )
    return np.asarray(inside)


def _sells(market: Market, choice: np.ndarray, firm: int) -> bool:
    return bool(np.asarray(market.cleared(put(choice[:, None])).q)[firm] > 0)


def _check_fixed_costs(market: Market, numbers: Numbers, choice: np.ndarray) -> None:
    """Raise `ValueError`, naming the firm, if fixed costs are not covered and can be saved."""
    if market.rule.demand == "logit" or not np.any(numbers["fixed_cost"] > 0):
        return  # every logit firm sells something at any price
    profit = np.asarray(market.profits(put(choice[:, None])))
    for firm in np.flatnonzero(profit < 0):
        raise refuse(
            f"fixed_cost[{firm}]", f"fixed costs that are earned, and firm {firm} earns {profit[firm]:g}"
        )


def _of(numbers: Numbers, *names: str) -> list[Any]:
    return [numbers[name] for name in names]


def _bounds(numbers: Numbers) -> Numbers:
    return {"low": numbers["low"], "high": numbers["high"]}


def _differentiated(numbers: Numbers, weight: float) -> np.ndarray:
    own = _of(numbers, "intercept", "slope", "substitution", "unit_cost", "convex_cost")
    return quantities.differentiated(*own, weight=weight, **_bounds(numbers))


def _linear_cournot(numbers: Numbers) -> np.ndarray:
    q = quantities.linear(*_of(numbers, "intercept", "slope", "unit_cost", "convex_cost"), **_bounds(numbers))
    if numbers["intercept"] - numbers["slope"] * q.sum() < 0:
        raise refuse("low", "bounds at which the price is above 0")
    return q


def _isoelastic(numbers: Numbers, q: np.ndarray) -> np.ndarray:
    if q.sum() <= numbers["price_flat_below"]:
        raise refuse("price_flat_below", f"totals above it, and here {q.sum():g} would be sold")
    return q


NASH: dict[tuple[str, str], Rows] = {
    ("linear", "quantity"): _linear_cournot,
    ("linear", "price"): lambda n: prices.bertrand(*_of(n, "intercept", "slope", "unit_cost")),
    ("isoelastic", "quantity"): lambda n: _isoelastic(
        n, quantities.isoelastic(*_of(n, "market_size", "elasticity", "unit_cost"))
    ),
    ("differentiated", "quantity"): lambda n: _differentiated(n, 1.0),
    ("differentiated", "price"): lambda n: prices.differentiated(
        *_of(n, "intercept", "slope", "substitution", "unit_cost", "convex_cost")
    ),
    ("logit", "price"): lambda n: prices.logit(
        *_of(n, "quality", "outside_option", "taste_spread", "unit_cost", "convex_cost")
    ),
}


def joint(market: Market) -> np.ndarray:
    """Return the choices ``[player]`` of largest joint profit. Raises `ValueError` as `nash` does.

    Examples
    --------
    >>> import rivalry as rv
    >>> joint(rv.games.market()).tolist()
    [22.5, 22.5]
    """
    numbers = certain(market)
    if np.any(numbers["fixed_cost"] > 0) and market.rule.demand != "logit":
        raise refuse("fixed_cost", "joint profit without fixed costs")
    rule = market.rule
    if rule.demand == "logit" and np.any(numbers["convex_cost"] > 0):
        raise refuse("convex_cost", "constant unit costs with this demand")
    if rule.choice == "quantity" and rule.demand != "differentiated" and np.any(numbers["low"] > 0):
        raise refuse("low", "bounds of 0")
    return clip_choice(market, numbers, JOINT[rule](numbers))


def _in_prices(numbers: Numbers, weight: float) -> np.ndarray:
    """Return prices of differentiated firms at largest joint profit; with weight 0, of price takers."""
    A, b, g_s, c, d = _of(numbers, "intercept", "slope", "substitution", "unit_cost", "convex_cost")
    q = quantities.differentiated(A, b, g_s, c, d, weight=weight) if weight else _takers(numbers)
    return np.asarray(A - (b - g_s) * q - g_s * q.sum())


def _takers(numbers: Numbers, **bounds: Any) -> np.ndarray:
    """Return outputs of differentiated firms whose price is their marginal cost."""
    A, b, g_s = _of(numbers, "intercept", "slope", "substitution")
    c, d, low, high = quantities.rows(
        numbers["unit_cost"], numbers["convex_cost"], bounds.get("low", 0.0), bounds.get("high", np.inf)
    )
    return np.asarray(quantities.aggregate(A, g_s, c, b - g_s + d, low, high))


JOINT: dict[tuple[str, str], Rows] = {
    ("linear", "quantity"): lambda n: quantities.cartel(
        *_of(n, "intercept", "slope", "unit_cost", "convex_cost"), capacity=n["high"]
    ),
    ("linear", "price"): lambda n: prices.bertrand(*_of(n, "intercept", "slope", "unit_cost"), joint=True),
    ("isoelastic", "quantity"): lambda n: _isoelastic(
        n, quantities.isoelastic_total(*_of(n, "market_size", "elasticity", "unit_cost"), joint=True)
    ),
    ("differentiated", "quantity"): lambda n: _differentiated(n, 2.0),
    ("differentiated", "price"): lambda n: _in_prices(n, 2.0),
    ("logit", "price"): lambda n: prices.logit_joint(
        *_of(n, "quality", "outside_option", "taste_spread", "unit_cost")
    ),
}


def competitive(market: Market) -> np.ndarray:
    """Return the choices ``[player]`` at which price equals marginal cost.

    Raises `ValueError` as `nash` does.

    Examples
    --------
    >>> import rivalry as rv
    >>> competitive(rv.games.market()).tolist()
    [45.0, 45.0]
    """
    numbers = certain(market)
    if market.rule.choice == "quantity" and np.any(numbers["low"] > 0):
        raise refuse("low", "bounds of 0")
    return clip_choice(market, numbers, COMPETITIVE[market.rule](numbers))


COMPETITIVE: dict[tuple[str, str], Rows] = {
    ("linear", "quantity"): lambda n: quantities.competitive(
        *_of(n, "intercept", "slope", "unit_cost", "convex_cost"), capacity=n["high"]
    ),
    ("linear", "price"): lambda n: n["unit_cost"],
    ("isoelastic", "quantity"): lambda n: _isoelastic(
        n, quantities.isoelastic_total(*_of(n, "market_size", "elasticity", "unit_cost"), joint=False)
    ),
    ("differentiated", "quantity"): lambda n: _takers(n, **_bounds(n)),
    ("differentiated", "price"): lambda n: _in_prices(n, 0.0),
    ("logit", "price"): lambda n: prices.logit(
        *_of(n, "quality", "outside_option", "taste_spread", "unit_cost", "convex_cost"), margin=0.0
    ),
}


def stackelberg(market: Market, stages: Sequence[Sequence[int]] | None = None) -> leadership.StagedOutputs:
    """Return the choices of all firms when the stages move in order.

    With linear demand and quantities, for any stages. Otherwise for one leader: of all others with
    differentiated quantities and logit prices, of one follower with isoelastic quantities and
    differentiated prices.

    Parameters
    ----------
    market : Market
        A market with all its firms.
    stages : sequence of sequence of int, optional
        By default the market's own.

    Raises
    ------
    ValueError
        For other stages, for followers with fixed costs, and as `nash` does.

    Examples
    --------
    >>> import rivalry as rv
    >>> stackelberg(rv.games.market(), [[0], [1]]).q.tolist()
    [45.0, 22.5]
    """
    order = [list(stage) for stage in (market.stages if stages is None else stages)]
    numbers = certain(market)
    after = [firm for stage in order[1:] for firm in stage]
    if np.any(numbers["fixed_cost"][after] > 0) and market.rule.demand != "logit":
        raise refuse("fixed_cost", "followers without fixed costs")
    if market.rule == ("linear", "quantity"):
        found = leadership.linear(
            numbers["intercept"],
            numbers["slope"],
            order,
            numbers["unit_cost"],
            numbers["convex_cost"],
            **_bounds(numbers),
        )
        if numbers["intercept"] - numbers["slope"] * found.q.sum() < 0:
            raise refuse("low", "bounds at which the price is above 0")
    else:
        found = _one_leader(market, numbers, order)
    _check_fixed_costs(market, numbers, found.q)
    return found


def _one_leader(market: Market, numbers: Numbers, order: list[list[int]]) -> leadership.StagedOutputs:
    """Return the outcome with one leader, followed by all others."""
    rule = market.rule
    alone = rule.demand == "isoelastic" or rule == ("differentiated", "price")
    if len(order) != 2 or len(order[0]) != 1 or (alone and len(order[1]) != 1) or rule.winner_takes_all:
        what = "one leader and one follower" if alone else "one leader, and one stage of followers"
        raise refuse("stages", f"{'quantities' if rule.winner_takes_all else what} with this demand")
    firms = np.array(order[0] + order[1])
    own = {name: value[firms] if np.ndim(value) else value for name, value in numbers.items()}
    choice = np.empty(len(firms))
    choice[firms] = LEADER[rule](own)
    if rule.demand == "isoelastic":
        _isoelastic(numbers, choice)
    choice = clip_choice(market, numbers, choice)
    return leadership.StagedOutputs(choice, np.zeros(1), True, choice[None, order[0]])


LEADER: dict[tuple[str, str], Rows] = {
    ("isoelastic", "quantity"): lambda n: leadership.isoelastic(
        *_of(n, "market_size", "elasticity", "unit_cost")
    ),
    ("differentiated", "quantity"): lambda n: leadership.differentiated(
        *_of(n, "intercept", "slope", "substitution", "unit_cost", "convex_cost"), **_bounds(n)
    ),
    ("differentiated", "price"): lambda n: prices.price_leader(
        *_of(n, "intercept", "slope", "substitution", "unit_cost", "convex_cost")
    ),
    ("logit", "price"): lambda n: prices.logit_leader(
        *_of(n, "quality", "outside_option", "taste_spread", "unit_cost", "convex_cost")
    ),
}

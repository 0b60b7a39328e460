"""Closed forms of a market: Nash, Stackelberg, joint-profit and competitive choices, and best responses.

Functions of a market return choices of one period, quantities or prices, as NumPy arrays, or raise
`ValueError` that names the obstacle and the numerical solver to use. JAX can trace best responses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.core.oracles import Cases, Response
from rivalry.families.market import equilibria, leadership
from rivalry.families.market.model import (
    INTERCEPT,
    Market,
    Shock,
    plain_numbers,
    priced_numbers,
    relative_quality,
)
from rivalry.runtime.jax import jax, jnp, put

SLACK = 1e-12  # tolerance of choices beyond a bound, relative to the largest bound
HALVINGS = 200  # of a bracket, down to neighbouring floats
Numbers = dict[str, Any]
Rows = Callable[[Numbers], ndarray]


def profitable_choices(demand: str, choice: str, numbers: dict[str, Any]) -> ndarray:
    """Return the choices above which none is profitable, ``[player]``, and ``[.. player]`` with logit demand.

    Above them the profit does not rise, whatever the others choose; so neither does the profit after tax.
    """
    plain = {name: np.asarray(value, dtype=float) for name, value in priced_numbers(numbers).items()}
    cost = plain["unit_cost"]
    if demand == "logit":
        # The slope of (p - c) s - d s^2/2 is (s/mu) [mu - (p - c - d s)(1 - s)], and no share s exceeds that
        # without rivals. Above a - a0 that is at most 1/2: the slope is negative above c + d/2 + 2 mu, which
        # the joint price and d exceed. Where sales stop at the capacity K the profit rises with the price,
        # until that share is K.
        quality, mu = relative_quality(plain), plain["taste_spread"]
        half_share_price = quality + mu * np.log(cost.shape[-1] + 1)
        joint = equilibria.logit_joint(quality, 0.0, float(mu), cost) + plain["convex_cost"]
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
    complement = -plain["substitution"] * (
        len(cost) - 1
    )  # added to a price by complements sold at a price of 0
    return top * (1 + complement / (plain["slope"] - complement))


def largest_choices(demand: str, choice: str, numbers: dict[str, Any], shock: Shock | None) -> ndarray:
    """Return the largest of `profitable_choices` at the levels of a shock, ``[player]``.

    Above it the profit does not rise at any level, so neither does its mean.
    """
    if shock is None:
        return profitable_choices(demand, choice, numbers)
    name = "unit_cost" if shock.on == "unit_cost" else INTERCEPT[demand]
    levels = np.asarray(shock.levels)[np.asarray(shock.probabilities) > 0]
    cases = [numbers | {name: np.asarray(numbers[name]) + level} for level in levels]
    return np.max([profitable_choices(demand, choice, case) for case in cases], axis=0)


def refuse(parameter: str, domain: str) -> ValueError:
    """Return the error of a closed form outside its domain."""
    return ValueError(f"{parameter}: closed forms are for {domain}; use best_response")


def nash(market: Market) -> ndarray:
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
    numbers = covered_numbers(market)
    if market.has("fixed_cost") and market.rule.choice == "quantity" and market.rule.demand != "isoelastic":
        if np.any(numbers["low"] > 0):
            raise refuse("low", "bounds of 0 where there are fixed costs")
        roots = equilibria_of_entry(market).equilibria
        return np.array(roots, dtype=float).reshape(len(roots), *market.space.shape)
    choice = clip_choice(market, numbers, NASH[market.rule.kind](numbers))
    _check_fixed_costs(market, choice)
    return choice[None, :, None]


def covered_numbers(market: Market) -> Numbers:
    """Return the parameters of a market that closed forms may cover. Raises `ValueError`."""
    numbers = plain_numbers(market)
    if market.rule.formulas is not None:
        raise refuse("demand", "demand systems by name")
    if market.rule.nests:
        raise refuse("nests", "goods without nests")
    if market.shock is not None:
        raise refuse("shock", "certain demand")
    if np.any(np.isfinite(numbers["capacity"])) and market.rule.choice == "price":
        raise refuse("capacity", "prices without capacities")
    if market.rule.demand == "isoelastic" or market.rule.undercuts:
        if market.has("convex_cost"):
            raise refuse("convex_cost", "constant unit costs with this demand")
        if np.any(np.isfinite(numbers["capacity"])):
            raise refuse("capacity", "constant unit costs with this demand")
    return numbers


def clip_choice(market: Market, numbers: Numbers, choice: ndarray) -> ndarray:
    """Return choices within bounds.

    Raises `ValueError` if a bound changes sales, naming the firm, and where isoelastic demand is constant.
    """
    if market.rule.demand == "isoelastic" and choice.sum() <= numbers["price_flat_below"]:
        raise refuse("price_flat_below", f"totals above it, and here {choice.sum():g} would be sold")
    inside = np.clip(choice, numbers["low"], numbers["high"])
    bound = np.abs(inside - choice) > SLACK * np.max(np.abs(numbers["high"]))
    for firm in np.flatnonzero(bound).tolist():
        # a price above its bound changes nothing for a firm without sales
        below = market.rule.choice == "quantity" or choice[firm] < numbers["low"][firm]
        if below or np.asarray(market.clear(put(choice[:, None])).q)[firm] > 0:
            name = "low" if choice[firm] < inside[firm] else "high"
            rule = f"bounds that do not bind, and {choice[firm]:g} is what firm {firm} would choose"
            raise refuse(name, rule)
    return np.asarray(inside)


def _check_fixed_costs(market: Market, choice: ndarray) -> None:
    """Raise `ValueError`, naming the firm, if fixed costs are not covered and can be saved."""
    if market.rule.demand == "logit" or not market.has("fixed_cost"):
        return  # every logit firm sells something at any price
    profit = np.asarray(market.profits(put(choice[:, None])))
    for firm in np.flatnonzero(profit < 0):
        condition = f"fixed costs that are earned, and firm {firm} earns {profit[firm]:g}"
        raise refuse(f"fixed_cost[{firm}]", condition)


def _linear(n: Numbers) -> list[Any]:
    return [n["intercept"], n["slope"], n["unit_cost"], n["convex_cost"]]


def _isoelastic(n: Numbers) -> list[Any]:
    return [n["market_size"], n["elasticity"], n["unit_cost"]]


def _differentiated_roots(n: Numbers) -> list[Any]:
    return [n["intercept"], n["slope"], n["substitution"], n["unit_cost"], n["convex_cost"]]


def _logit(n: Numbers) -> list[Any]:
    return [relative_quality(n), 0.0, n["taste_spread"], n["unit_cost"], n["convex_cost"]]


def _bounds(n: Numbers) -> Numbers:
    return {"low": n["low"], "high": n["high"]}


def _above_zero(n: Numbers, q: ndarray) -> ndarray:
    """Return outputs if the price that they leave is at least 0."""
    if n["intercept"] - n["slope"] * q.sum() < 0:
        raise refuse("low", "bounds at which the price is above 0")
    return q


Formulas = dict[tuple[str, str], Rows]

NASH: Formulas = {
    ("linear", "quantity"): lambda n: _above_zero(
        n, _outputs(n | {"substitution": n["slope"]}, **_bounds(n))
    ),
    ("linear", "price"): lambda n: equilibria.bertrand(*_linear(n)[:3]),
    ("isoelastic", "quantity"): lambda n: equilibria.isoelastic_cournot(*_isoelastic(n)),
    ("differentiated", "quantity"): lambda n: _outputs(n, **_bounds(n)),
    ("differentiated", "price"): lambda n: equilibria.differentiated_bertrand(*_differentiated_roots(n)),
    ("logit", "price"): lambda n: equilibria.logit_bertrand(*_logit(n)),
}


def joint(market: Market) -> ndarray:
    """Return the choices ``[player]`` of largest joint profit. Raises `ValueError` as `nash` does.

    Examples
    --------
    >>> import rivalry as rv
    >>> joint(rv.games.market()).tolist()
    [22.5, 22.5]
    """
    numbers, rule = covered_numbers(market), market.rule
    if market.taxes_sales and np.ptp(numbers["ad_valorem"]) > 0:
        raise refuse("tax.ad_valorem", "joint profit at one rate")
    if market.has("fixed_cost") and rule.demand != "logit":
        raise refuse("fixed_cost", "joint profit without fixed costs")
    if market.has("convex_cost") and rule.demand == "logit":
        raise refuse("convex_cost", "constant unit costs with this demand")
    if rule.choice == "quantity" and rule.demand != "differentiated" and np.any(numbers["low"] > 0):
        raise refuse("low", "bounds of 0")
    return clip_choice(market, numbers, JOINT[rule.kind](numbers))


def _outputs(n: Numbers, **options: Any) -> ndarray:
    """Return outputs of differentiated firms: Cournot, or with a ``weight`` of 2 of largest joint profit."""
    return equilibria.differentiated_cournot(*_differentiated_roots(n), **options)


def _at_half_slopes(n: Numbers) -> Numbers:
    """Return the numbers with which the largest joint profit has the price at marginal cost."""
    return n | {name: n[name] / 2 for name in ("slope", "substitution") if name in n}


def _prices_at(n: Numbers, q: ndarray) -> ndarray:
    """Return the prices at which differentiated firms sell ``q``."""
    A, b, g_s, *_ = _differentiated_roots(n)
    return np.asarray(A - (b - g_s) * q - g_s * q.sum())


def _in_order(n: Numbers) -> ndarray:
    a, b, c, d = _linear(n)
    return equilibria.merit_order(a, 2 * b, c, d, n["high"])


JOINT: Formulas = {
    ("linear", "quantity"): _in_order,
    ("linear", "price"): lambda n: equilibria.bertrand(*_linear(n)[:3], joint=True),
    ("isoelastic", "quantity"): lambda n: equilibria.isoelastic_total(*_isoelastic(n), joint=True),
    ("differentiated", "quantity"): lambda n: _outputs(n, weight=2.0, **_bounds(n)),
    ("differentiated", "price"): lambda n: _prices_at(n, _outputs(n, weight=2.0)),
    ("logit", "price"): lambda n: equilibria.logit_joint(*_logit(n)[:4]),
}


def competitive(market: Market) -> ndarray:
    """Return the choices ``[player]`` at which price equals marginal cost.

    Raises `ValueError` as `nash` does.

    Examples
    --------
    >>> import rivalry as rv
    >>> competitive(rv.games.market()).tolist()
    [45.0, 45.0]
    """
    numbers = covered_numbers(market)
    if market.rule.choice == "quantity" and np.any(numbers["low"] > 0):
        raise refuse("low", "bounds of 0")
    return clip_choice(market, numbers, COMPETITIVE[market.rule.kind](numbers))


COMPETITIVE: Formulas = {
    ("linear", "quantity"): lambda n: _in_order(_at_half_slopes(n)),
    ("linear", "price"): lambda n: n["unit_cost"],
    ("isoelastic", "quantity"): lambda n: equilibria.isoelastic_total(*_isoelastic(n), joint=False),
    ("differentiated", "quantity"): lambda n: _outputs(_at_half_slopes(n), weight=2.0, **_bounds(n)),
    ("differentiated", "price"): lambda n: _prices_at(n, _outputs(_at_half_slopes(n), weight=2.0)),
    ("logit", "price"): lambda n: equilibria.logit_bertrand(*_logit(n), margin=0.0),
}


def stackelberg(market: Market, stages: Sequence[Sequence[int]] | None = None) -> ndarray:
    """Return the equilibria of all firms when the stages move in order, ``[root player]``.

    Several leaders may have several equilibria, or none.

    With linear demand and quantities, for any stages; with differentiated quantities, for one leader of all
    others.

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
    >>> stackelberg(rv.games.market(), [[0], [1]]).tolist()
    [[45.0, 22.5]]
    """
    order = [list(stage) for stage in (market.stages if stages is None else stages)]
    numbers = covered_numbers(market)
    after = [firm for stage in order[1:] for firm in stage]
    if np.any(numbers["fixed_cost"][after] > 0) and market.rule.demand != "logit":
        raise refuse("fixed_cost", "followers without fixed costs")
    if market.rule.kind == ("linear", "quantity"):
        a, b, *costs = _linear(numbers)
        roots = leadership.linear(a, b, order, *costs, **_bounds(numbers))
    elif market.rule.kind == ("differentiated", "quantity"):
        roots = _one_leader(market, numbers, order)[None]
    else:
        raise refuse("stages", "quantities with linear or differentiated demand")
    for q in roots:
        if market.rule.demand == "linear":
            _above_zero(numbers, q)
        _check_fixed_costs(market, q)
    return roots


def _one_leader(market: Market, numbers: Numbers, order: list[list[int]]) -> ndarray:
    """Return the outputs ``[player]`` of differentiated firms with one leader, followed by all others."""
    if len(order) != 2 or len(order[0]) != 1:
        raise refuse("stages", "one leader, and one stage of followers with this demand")
    firms = np.array(order[0] + order[1])
    ordered = {name: value[firms] if np.ndim(value) else value for name, value in numbers.items()}
    q = leadership.differentiated_leader(*_differentiated_roots(ordered), **_bounds(ordered))
    return clip_choice(market, numbers, q[np.argsort(firms)])


# --- best responses, the rivals' choices fixed -------------------------------------------------------------


def best_choice(market: Market, x: Float[Array, "firm axis"], firm: int | Array) -> Array:
    """Return the most profitable choice ``[axis]`` of a firm; never a supremum that no choice attains."""
    rule, low, high = market.rule, market.space.low[firm, 0], market.space.high[firm, 0]
    if rule.demand == "logit":
        peaks = _bisect(lambda p: _logit_slope(market, x, firm, p), low, high)[None]
    elif rule.choice == "price":  # also the highest price, at which a fixed cost may be saved
        peaks = jnp.append(_differentiated_prices(market, x, firm), high)
    else:  # also zero output, which saves the fixed cost
        peaks = jnp.append(_quantity(market, x, firm), 0.0)
    candidates = jnp.clip(peaks, low, high)
    # candidates may lie outside the piece for which they were computed: their true payoffs decide
    profits = jax.vmap(lambda choice: market.payoffs(x.at[firm, 0].set(choice))[firm])(candidates)
    return candidates[jnp.argmax(profits)][None]


def has_exact_response(market: Market) -> bool:
    """True where the best response of a firm is known exactly."""
    is_exact = market.shock is None and market.rule.formulas is None and not market.rule.undercuts
    return (
        is_exact and not market.rule.nests and not (market.rule.demand == "logit" and market.dynamics.limited)
    )


def _quantity(market: Market, x: Array, firm: int | Array) -> Array:
    """Return the quantity at which marginal revenue equals marginal cost."""
    n, demand = market.priced, market.rule.demand
    rivals_output = jnp.sum(x[:, 0]) - x[firm, 0]
    if demand == "isoelastic":
        ends = market.space.low[firm, 0], market.space.high[firm, 0]
        return _bisect(lambda quantity: _isoelastic_slope(market, rivals_output, firm, quantity), *ends)
    cross = n["slope" if demand == "linear" else "substitution"]
    return (n["intercept"] - cross * rivals_output - n["unit_cost"][firm]) / (
        2 * n["slope"] + n["convex_cost"][firm]
    )


def _differentiated_prices(market: Market, x: Array, firm: int | Array) -> Float[Array, "candidate"]:
    """Return the candidates for the best price.

    These are the peaks of profit with the k cheapest rivals selling, where own demand is ``alpha_k - beta_k
    p``, and the prices at which a rival stops selling or a capacity binds.
    """
    numbers, players = market.priced, x.shape[0]
    A, b, g = numbers["intercept"], numbers["slope"], numbers["substitution"]
    c, d = numbers["unit_cost"][firm], numbers["convex_cost"][firm]
    rivals = jnp.sort(jnp.where(jnp.arange(players) == firm, jnp.inf, x[:, 0]))[:-1]
    willing = jnp.append(0.0, jnp.cumsum(A - rivals))  # of the k cheapest
    common_slope = b - g + (jnp.arange(players) + 1) * g
    beta = (1.0 - g / common_slope) / (b - g)
    alpha = beta * A - g * willing / (common_slope * (b - g))
    peaks = (alpha * (1.0 + d * beta) + beta * c) / (beta * (2.0 + d * beta))
    full = jnp.where(jnp.isfinite(numbers["capacity"][firm]), (alpha - numbers["capacity"][firm]) / beta, A)
    stops = willing[:-1] + A - (A - rivals) * common_slope[:-1] / jnp.where(g == 0, 1.0, g)
    return jnp.concatenate([peaks, full, stops])


def _logit_slope(market: Market, x: Array, firm: int | Array, p: Array) -> Array:
    """Return a number with the sign of the slope of profit: ``mu/(1 - s) + C'(s) - p``, decreasing in p."""
    numbers = market.priced
    share = market.clear(x.at[firm, 0].set(p)).q[firm]
    marginal = numbers["unit_cost"][firm] + numbers["convex_cost"][firm] * share
    return numbers["taste_spread"] / (1.0 - share) + marginal - p


def _isoelastic_slope(market: Market, rivals_output: Array, firm: int | Array, quantity: Array) -> Array:
    """Return marginal revenue less marginal cost, which decreases where revenue increases."""
    numbers = market.priced
    total = jnp.maximum(quantity + rivals_output, numbers["price_flat_below"])
    price = numbers["market_size"] * total ** (-1.0 / numbers["elasticity"])
    falls = jnp.where(
        quantity + rivals_output > numbers["price_flat_below"],
        quantity / (numbers["elasticity"] * total),
        0.0,
    )
    return price * (1.0 - falls) - numbers["unit_cost"][firm] - numbers["convex_cost"][firm] * quantity


def _bisect(slope: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Return the zero of a decreasing slope by bisection, or the end of the interval without one."""

    def halve(_: int | Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        rising = slope(middle) > 0
        return jnp.where(rising, middle, low), jnp.where(rising, high, middle)

    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (low, high))
    return (low + high) / 2


def undercutting(market: Market, x: ndarray, firm: int) -> Response:
    """Return the best price against the rivals' lowest one: just below it, or the monopoly price.

    For one good, where the cheapest firm serves the whole market. The profit from undercutting is a supremum
    that no price attains.
    """
    n = plain_numbers(market)
    a, b = n["intercept"], n["slope"]
    c, d, fixed, low, high = (
        float(n[name][firm]) for name in ("unit_cost", "convex_cost", "fixed_cost", "low", "high")
    )
    below = float(np.min(np.delete(x[:, 0], firm), initial=np.inf))
    monopoly_price = (a * (b + d) + b * c) / (2 * b + d)

    def paid(price: float) -> float:
        return float(np.asarray(market.payoffs(jnp.asarray(x).at[firm, 0].set(price)))[firm])

    profit_at = {price: paid(price) for price in (float(x[firm, 0]), high)}  # above the others sales are 0
    if low <= below <= high:
        profit_at[below] = paid(below)  # sharing the market costs less than serving all of it if d is above 0
    if low < below:
        price = min(max(min(monopoly_price, below), low), high)
        sold = max(a - price, 0.0) / b
        profit = price * sold - c * sold - d * sold**2 / 2 - fixed * (sold > 0)
        # the profit is a supremum: the price reported is the next float below the rivals' lowest
        at = np.nextafter(price, 0.0) if price >= below else price
        profit_at[float(at)] = float(market.net_of_taxes(jnp.full(len(x), profit))[firm])
    at = max(profit_at, key=lambda price: profit_at[price])
    return Response(np.array([at]), profit_at[at], profit_at[at], "tight", "undercutting")


# --- entry: every set of producers, in fractions ----------------------------------------------------------


class Firm(NamedTuple):
    """The exact numbers of a firm."""

    c: Fraction
    d: Fraction
    fixed: Fraction
    largest: Fraction  # output


class Demand(NamedTuple):
    """Inverse demand ``p_i = top - slope q_i - cross sum_{j != i} q_j``, and at least 0."""

    top: Fraction
    slope: Fraction
    cross: Fraction


def has_cases(market: Market) -> bool:
    """True where each set of producers has exactly one candidate for an equilibrium.

    Payoffs are then concave in a firm's output, once it produces, and no two firms that produce at no cost
    hold the price at zero.
    """
    if market.rule.choice != "quantity" or market.shock is not None:
        return False
    if market.rule.demand not in ("linear", "differentiated"):
        return False
    numbers = plain_numbers(market)
    costs = numbers["unit_cost"] + numbers["convex_cost"] + numbers["fixed_cost"]
    paying = np.count_nonzero(numbers["fixed_cost"])
    bounded = np.all(numbers["low"] == 0) and np.isfinite(numbers["high"]).all()
    strict = np.all(numbers["tax"] < 1) and np.count_nonzero(costs == 0) < 2
    return bool(0 < paying <= equilibria.MOST_SUBSETS and bounded and strict)


def equilibria_of_entry(market: Market) -> Cases:
    """Return all equilibria of one period, one candidate per set of firms that stay out.

    Sets with more producers come first, and of equal ones those without the firms of highest cost.
    """
    numbers = plain_numbers(market)
    numbers["high"] = np.nan_to_num(numbers["high"])  # fractions are finite
    names = ("unit_cost", "convex_cost", "fixed_cost", "high")
    rows = zip(*(numbers[name].tolist() for name in names), strict=True)
    firms = [Firm(*map(Fraction, row)) for row in rows]
    cross = numbers["slope" if market.rule.demand == "linear" else "substitution"]
    demand = Demand(*map(Fraction, (numbers["intercept"], numbers["slope"], cross)))
    paying = np.flatnonzero(numbers["fixed_cost"])
    paying = paying[np.lexsort((-paying, -numbers["unit_cost"][paying]))]
    sets = equilibria.closure_sets(paying, len(firms))
    candidates = [_produced(demand, firms, out.tolist()) for out in sets]
    stable = [q for q in dict.fromkeys(map(tuple, candidates)) if _is_stable(demand, firms, q)]
    profiles = [np.array(q, dtype=object)[:, None].tolist() for q in stable]
    return Cases(profiles, len(sets), "set of producers", "sets of producers")


def _produced(demand: Demand, firms: list[Firm], out: list[bool]) -> list[Fraction]:
    """Return the outputs of the firms that do not stay out, once their fixed costs are paid.

    ``q_i = (z - c_i)/(2 slope + d_i - cross)`` between its bounds, at ``z = top - cross sum q``.
    """
    steep = [2 * demand.slope + firm.d - demand.cross for firm in firms]
    highs = [Fraction(0) if stays else firm.largest for firm, stays in zip(firms, out, strict=True)]
    stops = [firm.c + s * q for firm, s, q in zip(firms, steep, highs, strict=True)]

    def supply(z: Fraction) -> list[Fraction]:
        rows = zip(firms, steep, highs, strict=True)
        return [min(max((z - firm.c) / s, Fraction(0)), q) for firm, s, q in rows]

    ends = sorted([firm.c for firm in firms] + stops)
    passed = [end for end in ends if end + demand.cross * sum(supply(end)) <= demand.top]
    if not passed:
        return [Fraction(0)] * len(firms)
    last = passed[-1]
    free = [i for i, firm in enumerate(firms) if firm.c <= last < stops[i]]
    full = sum(q for q, stop in zip(highs, stops, strict=True) if stop <= last)
    weight = sum(1 / steep[i] for i in free)
    shift = sum(firms[i].c / steep[i] for i in free)
    return supply((demand.top - demand.cross * (full - shift)) / (1 + demand.cross * weight))


def _is_stable(demand: Demand, firms: list[Firm], q: Sequence[Fraction]) -> bool:
    """True where every producer earns its fixed cost, and none that stays out would."""
    for firm, output in zip(firms, q, strict=True):
        left = demand.top - demand.cross * (sum(q) - output) - firm.c
        best = min(max(left / (2 * demand.slope + firm.d), Fraction(0)), firm.largest)
        at = output if output else best
        profit = left * at - (demand.slope + firm.d / 2) * at**2 - firm.fixed
        if (output and profit < 0) or (not output and best and profit > 0):
            return False
    return True

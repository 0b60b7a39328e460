"""Entry: equilibria of firms with fixed costs, one candidate for every set of producers, in fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.oracles import Cases
from rivalry.families.market.model import Market, priced_numbers, product_bounds
from rivalry.runtime.jax import floats

MOST_SUBSETS = 12  # largest number of firms with fixed costs, because all sets of them are tried


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


def closure_sets(products: ndarray, count: int) -> list[ndarray]:
    """Return the sets of ``products`` that may close to save fixed costs, smallest first.

    Each is a mask ``[product]``. Raises `ValueError` for too many products.
    """
    if len(products) > MOST_SUBSETS:
        raise ValueError(
            f"fixed_cost: {len(products)} firms have fixed costs; all sets of producers are tried for at "
            f"most {MOST_SUBSETS}; use best_response"
        )
    sets = (out for size in range(len(products) + 1) for out in combinations(products, size))
    return [np.isin(np.arange(count), out) for out in sets]


def has_cases(market: Market, *, bounded: bool = True) -> bool:
    """True where each set of producers has exactly one candidate for an equilibrium.

    Payoffs are then concave in a firm's output, once it produces, and no two firms that produce at no cost
    hold the price at zero. Lists over all outputs need ranges that are ``bounded``.
    """
    if market.rule.choice != "quantity" or market.shock is not None:
        return False
    if market.rule.demand not in ("linear", "differentiated"):
        return False
    if not market.is_single or market.weights is not None:
        return False
    numbers = _firms_numbers(market)
    costs = numbers["unit_cost"] + numbers["convex_cost"] + numbers["fixed_cost"]
    paying = np.count_nonzero(numbers["fixed_cost"])
    is_bounded = np.all(numbers["low"] == 0) and (not bounded or np.isfinite(numbers["high"]).all())
    strict = np.all(numbers["tax"] < 1) and np.count_nonzero(costs == 0) < 2
    return bool(0 < paying <= MOST_SUBSETS and is_bounded and strict)


def _firms_numbers(market: Market) -> dict[str, ndarray]:
    """Return the parameters in consumers' prices and the bounds of outputs, as NumPy arrays."""
    numbers = {name: floats(value) for name, value in priced_numbers(market.numbers).items()}
    low, high = product_bounds(market)
    return numbers | {"low": low, "high": high}


def equilibria_of_entry(market: Market) -> Cases:
    """Return all equilibria of one period, one candidate per set of firms that stay out.

    Sets with more producers come first, and of equal ones those without the firms of highest cost.
    """
    numbers = _firms_numbers(market)
    numbers["high"] = np.nan_to_num(numbers["high"])  # fractions are finite
    names = ("unit_cost", "convex_cost", "fixed_cost", "high")
    rows = zip(*(numbers[name].tolist() for name in names), strict=True)
    firms = [Firm(*map(Fraction, row)) for row in rows]
    cross = numbers["slope" if market.rule.demand == "linear" else "substitution"]
    demand = Demand(*(Fraction(float(value)) for value in (numbers["intercept"], numbers["slope"], cross)))
    paying = np.flatnonzero(numbers["fixed_cost"])
    paying = paying[np.lexsort((-paying, -numbers["unit_cost"][paying]))]
    sets = closure_sets(paying, len(firms))
    candidates = [_produced(demand, firms, out.tolist()) for out in sets]
    stable = [q for q in dict.fromkeys(map(tuple, candidates)) if _is_stable(demand, firms, q)]
    profiles = [np.array(q, dtype=object)[:, None].tolist() for q in stable]
    return Cases(profiles, len(sets), "set of producers", "sets of producers")


def _produced(demand: Demand, firms: list[Firm], out: list[bool]) -> list[Fraction]:
    """Return the Cournot outputs of the firms that do not stay out, once their fixed costs are paid.

    Firm i's first-order condition is ``q_i = (z - c_i)/(2 slope + d_i - cross)``, between 0 and its largest
    output, with ``z = top - cross sum q``. As ``z + cross sum q(z)`` rises with z (even at a cross below 0,
    which is above ``-slope/(n-1)``), one z solves it. The equation is linear between the ends at which some
    output leaves 0 or reaches its largest.
    """
    slopes = [2 * demand.slope + firm.d - demand.cross for firm in firms]
    largest = [Fraction(0) if stays else firm.largest for firm, stays in zip(firms, out, strict=True)]
    full = [firm.c + slope * q for firm, slope, q in zip(firms, slopes, largest, strict=True)]

    def outputs(z: Fraction) -> list[Fraction]:
        rows = zip(firms, slopes, largest, strict=True)
        return [min(max((z - firm.c) / slope, Fraction(0)), q) for firm, slope, q in rows]

    ends = sorted([firm.c for firm in firms] + full)
    below = [end for end in ends if end + demand.cross * sum(outputs(end)) <= demand.top]
    if not below:
        return [Fraction(0)] * len(firms)
    # in the interval that begins here, these firms have an output between 0 and the largest
    interior = [i for i, firm in enumerate(firms) if firm.c <= below[-1] < full[i]]
    rise, shift = sum(1 / slopes[i] for i in interior), sum(firms[i].c / slopes[i] for i in interior)
    full_output = sum(q for q, end in zip(largest, full, strict=True) if end <= below[-1])
    return outputs((demand.top - demand.cross * (full_output - shift)) / (1 + demand.cross * rise))


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

"""Equilibria of firms that save a fixed cost by staying out: every set of producers, in fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from rivalry.core.oracles import Cases
from rivalry.families.market.equilibria import MOST_SUBSETS, closure_sets
from rivalry.families.market.model import Market, plain_numbers


class Firm(NamedTuple):
    """The exact numbers of a firm."""

    c: Fraction
    d: Fraction
    fixed: Fraction
    most: Fraction  # the largest output


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
    if market.rule.choice != "quantity" or market.rule.demand == "isoelastic" or market.shock is not None:
        return False
    numbers = plain_numbers(market)
    costs = numbers["unit_cost"] + numbers["convex_cost"] + numbers["fixed_cost"]
    paying = np.count_nonzero(numbers["fixed_cost"])
    bounded = np.all(numbers["low"] == 0) and np.all(np.isfinite(numbers["high"]))
    strict = np.all(numbers["tax"] < 1) and np.count_nonzero(costs == 0) < 2
    return bool(0 < paying <= MOST_SUBSETS and bounded and strict)


def equilibria_of_entry(market: Market) -> Cases:
    """Return all equilibria of one period, one candidate per set of firms that stay out."""
    numbers = plain_numbers(market)
    names = ("unit_cost", "convex_cost", "fixed_cost", "high")
    rows = zip(*(numbers[name].tolist() for name in names), strict=True)
    firms = [Firm(*map(Fraction, row)) for row in rows]
    cross = numbers["slope" if market.rule.demand == "linear" else "substitution"]
    demand = Demand(*map(Fraction, (numbers["intercept"], numbers["slope"], cross)))
    sets = closure_sets(np.flatnonzero(numbers["fixed_cost"]), len(firms))
    candidates = [_outputs(demand, firms, out.tolist()) for out in sets]
    stable = [q for q in dict.fromkeys(map(tuple, candidates)) if _is_stable(demand, firms, q)]
    return Cases(
        [[[output] for output in q] for q in stable], len(sets), "set of producers", "sets of producers"
    )


def _outputs(demand: Demand, firms: list[Firm], out: list[bool]) -> list[Fraction]:
    """Return the outputs of the firms that do not stay out, once their fixed costs are paid.

    ``q_i = (z - c_i)/(2 slope + d_i - cross)`` between its bounds, at ``z = top - cross sum q``.
    """
    steep = [2 * demand.slope + firm.d - demand.cross for firm in firms]
    most = [Fraction(0) if stays else firm.most for firm, stays in zip(firms, out, strict=True)]
    stops = [firm.c + s * q for firm, s, q in zip(firms, steep, most, strict=True)]

    def supply(z: Fraction) -> list[Fraction]:
        rows = zip(firms, steep, most, strict=True)
        return [min(max((z - firm.c) / s, Fraction(0)), q) for firm, s, q in rows]

    ends = sorted([firm.c for firm in firms] + stops)
    passed = [end for end in ends if end + demand.cross * sum(supply(end)) <= demand.top]
    if not passed:
        return [Fraction(0)] * len(firms)
    last = passed[-1]
    free = [i for i, firm in enumerate(firms) if firm.c <= last < stops[i]]
    full = sum(q for q, stop in zip(most, stops, strict=True) if stop <= last)
    weight = sum(1 / steep[i] for i in free)
    shift = sum(firms[i].c / steep[i] for i in free)
    return supply((demand.top - demand.cross * (full - shift)) / (1 + demand.cross * weight))


def _is_stable(demand: Demand, firms: list[Firm], q: Sequence[Fraction]) -> bool:
    """True where every producer earns its fixed cost, and none that stays out would."""
    for firm, output in zip(firms, q, strict=True):
        left = demand.top - demand.cross * (sum(q) - output) - firm.c
        best = min(max(left / (2 * demand.slope + firm.d), Fraction(0)), firm.most)
        at = output if output else best
        profit = left * at - (demand.slope + firm.d / 2) * at**2 - firm.fixed
        if (output and profit < 0) or (not output and best and profit > 0):
            return False
    return True

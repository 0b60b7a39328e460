"""Equilibria, cartels and competition of firms that choose quantities, in closed form; plain NumPy.

Parameters are one number per firm ``[player]``, or one for all; outputs are quantities per period. With
linear demand a firm's output depends on the others only through their sum: all results follow from one line,
and firms that are absent or at capacity are found exactly.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

MOST_SUBSETS = 12  # largest number of firms with fixed costs, because all sets of them are tried


def aggregate(top: Any, slope: Any, c: Any, steep: Any, low: Any, high: Any, xp: Any = np) -> Any:
    """Return outputs ``q_i = clip((z - c_i)/steep_i, low_i, high_i)`` for ``z = top - slope sum q``.

    ``z`` is the price, or what a rival's output leaves of it. The firms strictly between their bounds are
    found first, and the line through them is solved, so the result is exact.

    Parameters
    ----------
    top, slope : float
        Intercept and slope of the line; ``slope`` may be negative as long as ``z + slope sum q_i(z)``
        increases.
    c, steep, low, high : array_like
        Unit cost, slope and bounds of each firm's supply, ``[firm]``; ``high`` may be infinite.
    xp : module
        NumPy, or ``jax.numpy``.

    Examples
    --------
    >>> aggregate(100.0, 1.0, np.array([10.0, 10.0]), np.ones(2), np.zeros(2), np.full(2, np.inf)).tolist()
    [30.0, 30.0]
    """
    starts, stops = c + steep * low, c + steep * high
    ends = xp.concatenate([starts, stops])
    known = xp.isfinite(ends)
    # an infinite capacity is never met; 0 only keeps infinities out of the sums
    at = xp.where(known, ends, 0.0)
    there = xp.clip((at[:, None] - c) / steep, low, high)
    passed = known & (at + slope * xp.sum(there, axis=1) <= top)
    left = xp.max(xp.where(passed, at, -xp.inf))  # the last end before the crossing
    full = stops <= left
    between = (starts <= left) & ~full
    fixed = xp.sum(xp.where(full, xp.where(xp.isfinite(high), high, 0.0), xp.where(between, 0.0, low)))
    weight = xp.where(between, 1.0 / steep, 0.0)
    z = (top - slope * fixed + slope * xp.sum(weight * c)) / (1.0 + slope * xp.sum(weight))
    return xp.clip((z - c) / steep, low, high)


def rows(*values: Any) -> list[np.ndarray]:
    """Return numbers as arrays of one length, that of the longest."""
    arrays = [np.atleast_1d(np.asarray(value, dtype=float)) for value in values]
    size = max(map(len, arrays))
    return [np.broadcast_to(array, (size,)) for array in arrays]


def linear(a: float, b: float, c: Any, d: Any = 0.0, *, low: Any = 0.0, high: Any = np.inf) -> np.ndarray:
    """Return Cournot outputs ``[player]`` for ``P = a - b Q`` and cost ``c_i q + d_i q^2/2``, between bounds.

    ``q_i = (P - c_i)/(b + d_i)`` for firms that produce below their capacity. With unit costs of 0 prices of
    0 may be equilibria as well; this is the equilibrium with a positive price.

    Examples
    --------
    >>> linear(100.0, 1.0, [10.0, 10.0]).tolist(), linear(90.0, 2.0, [6.0, 18.0], high=[11.0, 50.0]).tolist()
    ([30.0, 30.0], [11.0, 12.5])
    """
    c, d, low, high = rows(c, d, low, high)
    return np.asarray(aggregate(a, b, c, b + d, low, high))


def differentiated(
    A: float,
    b: float,
    g_s: float,
    c: Any,
    d: Any = 0.0,
    *,
    low: Any = 0.0,
    high: Any = np.inf,
    weight: float = 1.0,
) -> np.ndarray:
    """Return simultaneous outputs ``[player]`` for ``p_i = A - b q_i - g_s sum_{j != i} q_j``.

    The first-order conditions are ``A - c_i - (2b + d_i) q_i = weight g_s sum_{j != i} q_j``.

    Parameters
    ----------
    A, b, g_s : float
        Intercept, own slope and substitution of inverse demand.
    c, d, low, high : array_like
        Unit cost, convex cost and bounds, ``[player]``.
    weight : float
        1 for Cournot competition, 2 for the largest joint profit.

    Examples
    --------
    >>> differentiated(10.0, 1.0, 0.5, [1.0, 1.0]).tolist()
    [3.6, 3.6]

    References
    ----------
    N. Singh and X. Vives, Price and quantity competition in a differentiated duopoly, RAND Journal of
    Economics 15 (1984), eq. 2.
    """
    c, d, low, high = rows(c, d, low, high)
    slope = weight * g_s
    return np.asarray(aggregate(A, slope, c, 2 * b + d - slope, low, high))


def with_fixed_costs(a: float, b: float, c: Any, d: Any, F: Any, *, high: Any = np.inf) -> np.ndarray:
    """Return all Cournot equilibria ``[equilibrium player]`` of firms that save ``F_i`` by not producing.

    Every set of producers is tried: none of them may make a loss, and no other firm may gain by entering.
    Sets with more firms come first. There may be several equilibria, or none.

    Raises
    ------
    ValueError
        For more than 12 firms with fixed costs.

    Examples
    --------
    >>> with_fixed_costs(10.0, 1.0, [1.0, 1.0], 0.0, 10.0).tolist()
    [[4.5, 0.0], [0.0, 4.5]]
    """
    c, d, F, high = rows(c, d, F, high)
    paying = np.flatnonzero(F > 0)
    paying = paying[np.lexsort((-paying, -c[paying]))]  # firms of highest cost leave first
    found: list[np.ndarray] = []
    for out in closed_sets(paying, len(c)):
        q = linear(a, b, c, d, high=np.where(out, 0.0, high))
        # a firm that may produce can also choose 0, so different sets may give the same outputs
        known = any(np.allclose(q, other, rtol=1e-12) for other in found)
        if not known and _is_stable(q, a, b, c, d, F, high):
            found.append(q)
    return np.array(found).reshape(len(found), len(c))


def closed_sets(firms: np.ndarray, players: int) -> list[np.ndarray]:
    """Return the sets of ``firms`` that may close to save fixed costs, ``[player]`` each, smallest first."""
    if len(firms) > MOST_SUBSETS:
        raise ValueError(
            f"fixed_cost: {len(firms)} firms have fixed costs; all sets of producers are tried for at most "
            f"{MOST_SUBSETS}; use best_response"
        )
    sets = (out for size in range(len(firms) + 1) for out in combinations(firms, size))
    return [np.isin(np.arange(players), out) for out in sets]


def _is_stable(q: np.ndarray, a: float, b: float, c: Any, d: Any, F: Any, high: Any) -> bool:
    """Return whether no firm gains by entering or leaving."""
    price = a - b * q.sum()
    earned = (price - c) * q - d * q**2 / 2 - F * (q > 0)
    rest = a - b * (q.sum() - q) - c
    response = np.clip(rest / (2 * b + d), 0.0, high)
    alone = rest * response - (b + d / 2) * response**2 - F
    # relative to the size of profits: a monopoly without costs earns a^2/(4b)
    slack = 1e-12 * (a**2 / b)
    return bool(np.all(np.where(q > 0, earned >= -slack, alone <= slack)))


def check_interior(eta: float, players: int) -> None:
    """Raise `ValueError` if with isoelastic demand less output always increases every profit."""
    if eta * players <= 1:
        raise ValueError(
            f"elasticity: {eta:g} must be above 1/n = {1 / players:g} with {players} firms: no interior "
            "equilibrium"
        )


def isoelastic(A: float, eta: float, c: Any) -> np.ndarray:
    """Return Cournot outputs ``[player]`` for ``P = A Q^(-1/eta)``.

    ``P = sum c/(n - 1/eta)``, and market shares are ``eta (P - c_i)/P``.

    Raises
    ------
    ValueError
        For ``n <= 1/eta``, and if a firm would not produce.

    Examples
    --------
    >>> isoelastic(100.0, 2.0, [1.0, 1.0]).round(9).tolist()
    [2812.5, 2812.5]
    """
    (c,) = rows(c)
    check_interior(eta, len(c))
    price = c.sum() / (len(c) - 1 / eta)
    for firm, share in enumerate(eta * (price - c) / price):
        if share <= 0:
            raise ValueError(
                f"unit_cost[{firm}]: {c[firm]:g} must be below the price {price:g}: firm {firm} is inactive, "
                "which has no closed form; use best_response"
            )
    return np.asarray(eta * (price - c) / price * (A / price) ** eta)


def merit_order(alpha: float, beta: float, c: Any, d: Any = 0.0, capacity: Any = np.inf) -> np.ndarray:
    """Return outputs ``[player]`` at which the marginal cost of every producer is ``m = alpha - beta Q``.

    Firm i supplies ``(m - c_i)/d_i`` up to its capacity; with constant marginal cost nothing below ``c_i``,
    its capacity above, and the remaining demand at ``c_i`` itself, which firms of equal cost share equally up
    to their capacities. For ``P = a - b Q``, ``beta = b`` is competition (the price is marginal cost), and
    ``beta = 2b`` the cartel (marginal revenue is).

    Examples
    --------
    >>> merit_order(100.0, 2.0, [10.0, 10.0]).tolist(), merit_order(100.0, 2.0, [10.0, 12.0]).tolist()
    ([22.5, 22.5], [45.0, 0.0])
    """
    c, d, capacity = rows(c, d, capacity)
    flat = d == 0
    with np.errstate(invalid="ignore"):  # 0 times an infinite capacity
        stops = np.where(flat, c, c + d * capacity)
    before = -np.inf
    for end in np.unique(np.concatenate([c, stops[np.isfinite(stops)]])):
        wanted = (alpha - end) / beta
        rising = np.clip((end - c) / np.where(flat, 1.0, d), 0.0, capacity)
        below = np.where(flat, np.where(c < end, capacity, 0.0), rising)
        at_cost = np.where(flat & (c == end), capacity, 0.0)
        if wanted <= below.sum():
            break
        if wanted <= (below + at_cost).sum():
            return np.asarray(below + _shared(wanted - below.sum(), at_cost))
        before = end
    # m is between two neighbouring ends, the solution of a linear equation
    full = stops <= before
    rise = ~flat & (c <= before) & ~full
    supply, slope = capacity[full].sum() - np.sum(c[rise] / d[rise]), np.sum(1 / d[rise])
    m = (alpha - beta * supply) / (1 + beta * slope)
    return np.where(full, capacity, np.where(rise, (m - c) / np.where(flat, 1.0, d), 0.0))


def _shared(total: float, capacity: np.ndarray) -> np.ndarray:
    """Return equal parts of a total, with firms at capacity producing that."""
    # smallest capacities first: what they cannot take is shared among the others
    order = np.argsort(capacity, kind="stable")
    found, left, count = np.zeros(len(capacity)), total, int(np.sum(capacity > 0))
    for firm in order[len(capacity) - count :]:
        found[firm] = min(capacity[firm], left / count)
        left, count = left - found[firm], count - 1
    return found


def isoelastic_total(A: float, eta: float, c: Any, *, joint: bool) -> np.ndarray:
    """Return outputs ``[player]`` for ``P = A Q^(-1/eta)``, shared equally by the firms of lowest cost.

    The price is their cost, or, for the largest ``joint`` profit, ``c eta/(eta - 1)``.

    Raises
    ------
    ValueError
        For ``joint`` with ``eta <= 1``, where joint profit has no maximum.

    Examples
    --------
    >>> isoelastic_total(100.0, 2.0, [1.0, 1.0], joint=True).tolist()
    [1250.0, 1250.0]
    """
    (c,) = rows(c)
    if joint and eta <= 1:
        raise ValueError(
            f"elasticity: {eta:g} must be above 1, or joint profit increases without bound as output falls"
        )
    lowest = c.min()
    price = lowest * eta / (eta - 1) if joint else lowest
    first = c == lowest
    return np.asarray(first / first.sum() * (A / price) ** eta)

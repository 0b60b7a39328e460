"""Cournot equilibria in closed form: quantities chosen at once, firms that are absent or full found exactly.

Plain NumPy, one number a firm ``[player]`` or one for all. What linear demands have in common is that a
firm's output depends on the others only through their sum: everything follows from one line.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

MOST_SUBSETS = 12  # firms with fixed costs: all sets of them are gone through


def aggregate(top: Any, slope: Any, c: Any, steep: Any, low: Any, high: Any, xp: Any = np) -> Any:
    """Outputs ``[firm]`` with ``q_i = min(max((z - c_i)/steep_i, low_i), high_i)`` and ``z = top - slope Q``.

    ``z`` is the price, or what a rival's output leaves of it. ``slope`` may be negative as long as
    ``z + slope sum q_i(z)`` rises. Exact: the firms strictly between their bounds are found first, and the
    line through them is solved. ``xp`` is NumPy, or JAX's; ``high`` may be infinite.

    >>> aggregate(100.0, 1.0, np.array([10.0, 10.0]), np.ones(2), np.zeros(2), np.full(2, np.inf)).tolist()
    [30.0, 30.0]
    """
    starts, stops = c + steep * low, c + steep * high
    ends = xp.concatenate([starts, stops])
    known = xp.isfinite(ends)
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


def rows(*values: Any, count: int | None = None) -> list[np.ndarray]:
    """Numbers as arrays of one length, that of the longest."""
    arrays = [np.atleast_1d(np.asarray(value, dtype=float)) for value in values]
    size = count or max(map(len, arrays))
    return [np.broadcast_to(array, (size,)) for array in arrays]


def linear(a: float, b: float, c: Any, d: Any = 0.0, *, low: Any = 0.0, high: Any = np.inf) -> np.ndarray:
    """Cournot outputs ``[player]`` for ``P = a - b Q`` and cost ``c_i q + d_i q^2/2``, between bounds.

    ``q_i = (P - c_i)/(b + d_i)`` for those who produce below their capacity. With a cost of 0 prices of 0 can
    be equilibria as well; this is the one with a price above it.

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
    """Outputs ``[player]`` chosen at once for ``p_i = A - b q_i - g_s sum_{j != i} q_j``, between bounds.

    First-order conditions ``A - c_i - (2b + d_i) q_i = weight g_s sum_{j != i} q_j``: ``weight`` is 1 for
    Cournot competition (Singh and Vives 1984) and 2 where the firms maximise their joint profit.

    >>> differentiated(10.0, 1.0, 0.5, [1.0, 1.0]).tolist()
    [3.6, 3.6]
    """
    c, d, low, high = rows(c, d, low, high)
    slope = weight * g_s
    return np.asarray(aggregate(A, slope, c, 2 * b + d - slope, low, high))


def with_fixed_costs(a: float, b: float, c: Any, d: Any, F: Any, *, high: Any = np.inf) -> np.ndarray:
    """All Cournot equilibria ``[equilibrium player]`` of firms that save ``F_i`` by not producing.

    Every set of firms is tried as those who produce: nobody among them may make a loss, and nobody else gain
    by coming in. Most firms first. There may be several, or none. Raises `ValueError` for more than 12 firms
    that have fixed costs.

    >>> with_fixed_costs(10.0, 1.0, [1.0, 1.0], 0.0, 10.0).tolist()
    [[4.5, 0.0], [0.0, 4.5]]
    """
    c, d, F, high = rows(c, d, F, high)
    paying = np.flatnonzero(F > 0)
    paying = paying[np.lexsort((-paying, -c[paying]))]  # the dearest stay out first
    if len(paying) > MOST_SUBSETS:
        raise ValueError(
            f"fixed_cost: {len(paying)} firms have fixed costs; all sets of producers are tried for at "
            f"most {MOST_SUBSETS}; use best_response"
        )
    found: list[np.ndarray] = []
    for out in (out for size in range(len(paying) + 1) for out in combinations(paying, size)):
        q = linear(a, b, c, d, high=np.where(np.isin(np.arange(len(c)), out), 0.0, high))
        if _stands(q, a, b, c, d, F, high) and not any(np.allclose(q, other, rtol=1e-12) for other in found):
            found.append(q)
    return np.array(found).reshape(len(found), len(c))


def _stands(q: np.ndarray, a: float, b: float, c: Any, d: Any, F: Any, high: Any) -> bool:
    """Whether nobody gains by coming in or staying out."""
    price = a - b * q.sum()
    earned = (price - c) * q - d * q**2 / 2 - F * (q > 0)
    rest = a - b * (q.sum() - q) - c
    reply = np.clip(rest / (2 * b + d), 0.0, high)
    alone = rest * reply - (b + d / 2) * reply**2 - F
    slack = 1e-12 * (a**2 / b)
    return bool(np.all(np.where(q > 0, earned >= -slack, alone <= slack)))


def check_interior(eta: float, players: int) -> None:
    """Isoelastic demand: less output must not always earn everybody more. Raises `ValueError`."""
    if eta * players <= 1:
        raise ValueError(
            f"elasticity: {eta:g} must be above 1/n = {1 / players:g} with {players} firms: no interior "
            "equilibrium"
        )


def isoelastic(A: float, eta: float, c: Any) -> np.ndarray:
    """Cournot outputs ``[player]`` for ``P = A Q^(-1/eta)``.

    ``P = sum c/(n - 1/eta)``, and shares are ``eta (P - c_i)/P``.
    Raises `ValueError` where ``n <= 1/eta``, and where a firm would not produce.

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

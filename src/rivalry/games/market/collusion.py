"""The joint profit maximum and the competitive allocation, in closed form; plain NumPy, ``[player]``."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivalry.games.market.cournot import rows


def merit_order(alpha: float, beta: float, c: Any, d: Any = 0.0, capacity: Any = np.inf) -> np.ndarray:
    """Outputs ``[player]`` at which all marginal costs that matter are ``m = alpha - beta Q``.

    Firm i offers ``(m - c_i)/d_i`` up to its capacity; with constant marginal cost nothing below ``c_i``,
    everything above, and what is asked for at ``c_i`` itself, which firms of equal cost share equally as far
    as they can. ``beta = b`` is competition, ``beta = 2b`` the cartel.

    >>> merit_order(100.0, 2.0, [10.0, 10.0]).tolist(), merit_order(100.0, 2.0, [10.0, 12.0]).tolist()
    ([22.5, 22.5], [45.0, 0.0])
    """
    c, d, capacity = rows(c, d, capacity)
    flat = d == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        stops = np.where(flat, c, c + d * capacity)
    ends = np.unique(np.concatenate([c, stops[np.isfinite(stops)]]))

    def offered(m: float, at_cost: bool) -> np.ndarray:
        rising = np.clip((m - c) / np.where(flat, 1.0, d), 0.0, capacity)
        steps = np.where((c < m) | ((c == m) & at_cost), capacity, 0.0)
        return np.asarray(np.where(flat, steps, rising))

    before = -np.inf
    for end in ends:
        wanted = (alpha - end) / beta
        if wanted <= offered(end, False).sum():
            return _between(alpha, beta, c, d, capacity, before, float(end))
        if wanted <= offered(end, True).sum():
            fixed = np.where(flat & (c == end), 0.0, offered(end, False))
            shared = _shared(wanted - fixed.sum(), np.where(flat & (c == end), capacity, 0.0))
            return np.asarray(fixed + shared)
        before = float(end)
    return _between(alpha, beta, c, d, capacity, before, np.inf)


def _between(
    alpha: float, beta: float, c: np.ndarray, d: np.ndarray, capacity: np.ndarray, low: float, high: float
) -> np.ndarray:
    """Where ``m`` is between two neighbouring ends: a linear equation."""
    if low == -np.inf:
        return np.zeros(len(c))
    with np.errstate(invalid="ignore"):
        full = np.where(d == 0, c <= low, c + d * capacity <= low)
    rising = (d > 0) & (c <= low) & ~full
    fixed = capacity[full].sum()
    slope = np.sum(1 / d[rising])
    m = (alpha - beta * (fixed - np.sum(c[rising] / d[rising]))) / (1 + beta * slope)
    return np.where(full, capacity, np.where(rising, (m - c) / np.where(d > 0, d, 1.0), 0.0))


def _shared(total: float, capacity: np.ndarray) -> np.ndarray:
    """Equal parts of a total, those who cannot do as much doing what they can."""
    order = np.argsort(capacity, kind="stable")
    found, left, count = np.zeros(len(capacity)), total, int(np.sum(capacity > 0))
    for firm in order[len(capacity) - count :]:
        found[firm] = min(capacity[firm], left / count)
        left, count = left - found[firm], count - 1
    return found


def cartel(a: float, b: float, c: Any, d: Any = 0.0, *, capacity: Any = np.inf) -> np.ndarray:
    """Outputs ``[player]`` of largest joint profit for ``P = a - b Q``: marginal revenue is marginal cost.

    Quadratic costs are equalised at the margin; of constant ones the cheapest produces, or the cheapest share
    equally. Who earns what without side payments is what each sells; with them, see `shared_profit`.

    >>> cartel(100.0, 1.0, [10.0, 10.0]).tolist()
    [22.5, 22.5]
    """
    return merit_order(a, 2 * b, c, d, capacity)


def shared_profit(profit: Any) -> np.ndarray:
    """What firms have ``[player]`` once side payments share a joint profit equally.

    >>> shared_profit([2025.0, 0.0]).tolist()
    [1012.5, 1012.5]
    """
    found = np.asarray(profit, dtype=float)
    return np.full(found.shape, found.mean())


def competitive(a: float, b: float, c: Any, d: Any = 0.0, *, capacity: Any = np.inf) -> np.ndarray:
    """Outputs ``[player]`` of firms that take the price as given: it is every producer's marginal cost.

    >>> competitive(100.0, 1.0, [10.0, 10.0]).tolist()
    [45.0, 45.0]
    """
    return merit_order(a, b, c, d, capacity)


def isoelastic_total(A: float, eta: float, c: Any, *, joint: bool) -> np.ndarray:
    """Outputs ``[player]`` of the cheapest firms, shared equally, for ``P = A Q^(-1/eta)``.

    The price is their cost, or, for the ``joint`` profit maximum, ``c eta/(eta - 1)``. Raises `ValueError`
    where joint profit has no maximum: ``eta <= 1``.

    >>> isoelastic_total(100.0, 2.0, [1.0, 1.0], joint=True).tolist()
    [1250.0, 1250.0]
    """
    (c,) = rows(c)
    if joint and eta <= 1:
        raise ValueError(
            f"elasticity: {eta:g} must be above 1, or joint profit rises for ever as output falls"
        )
    least = c.min()
    price = least * eta / (eta - 1) if joint else least
    first = c == least
    return np.asarray(first / first.sum() * (A / price) ** eta)

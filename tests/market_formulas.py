"""Formulas of markets with leaders, by which numerical benchmarks are tested."""

from typing import Any

import numpy as np
from scipy.optimize import root

from rivalry.core.roots import zero

LEADER_GRID = 33  # grid prices of a logit leader, of which the best is polished


def broadcast_parameters(*values: object) -> list[np.ndarray]:
    """Return numbers as arrays of one length, that of the longest."""
    arrays = [np.atleast_1d(np.asarray(value, dtype=float)) for value in values]
    return [np.broadcast_to(array, (max(map(len, arrays)),)) for array in arrays]


def logit_shares(a: object, a0: object, mu: float, p: object) -> np.ndarray:
    """Return logit shares ``[.. player]`` at prices ``[.. player]``."""
    value, out = (np.asarray(a) - p) / mu, np.asarray(a0)[..., None] / mu
    return np.asarray(np.exp(value - np.logaddexp(np.logaddexp.reduce(value, axis=-1, keepdims=True), out)))


def logit_bertrand(a: Any, a0: float, mu: float, c: Any, d: Any = 0.0) -> np.ndarray:
    """Return Nash prices ``[player]`` of logit demand, ``p_i = c_i + d_i s_i + mu/(1 - s_i)``."""

    def gap(p: np.ndarray) -> np.ndarray:
        s = logit_shares(a, a0, mu, p)
        return np.asarray(p - c - d * s - mu / (1 - s))

    found = root(gap, np.asarray(c) + np.asarray(d) + mu, method="hybr", tol=1e-15)
    assert np.max(np.abs(gap(found.x))) < 1e-9, found
    return np.asarray(found.x)


def isoelastic_leader(A: float, eta: float, c: object) -> np.ndarray:
    """Return outputs ``[2]`` if firm 0 leads and firm 1 follows, for ``P = A Q^(-1/eta)`` and constant costs.

    The follower sells ``q_F = eta Q (1 - c_F/P)``, so the leader's first-order condition is quadratic in P:
    ``(1-eta)^2 P^2 - eta (eta c_F - (1-eta) c_L) P + eta (1+eta) c_L c_F = 0``; with ``eta = 1`` it is ``P =
    2 c_L``. Refused are ``eta < 1``, where the leader always gains by producing less, and idle firms.
    """
    leader, follower = (float(cost) for cost in broadcast_parameters(c)[0])
    if eta < 1:
        raise ValueError(f"elasticity: {eta:g} must be at least 1 for a leader: no interior equilibrium")
    roots = np.roots(
        [(1 - eta) ** 2, -eta * (eta * follower - (1 - eta) * leader), eta * (1 + eta) * leader * follower]
    )
    real = roots[np.isreal(roots)].real

    def sold(price: float) -> tuple[float, float]:
        total, share = (A / price) ** eta, eta * (1 - follower / price)
        return total * (1 - share), total * share

    interior = [p for p in real if p > max(leader, follower) and min(sold(p)) > 0]
    if not interior:
        idle = "the follower (firm 1)" if eta == 1 or follower >= leader else "the leader (firm 0)"
        if eta == 1:
            idle += f", as c_F = {follower:g} is at least 2 c_L = {2 * leader:g}"
        raise ValueError(
            f"unit_cost: with a leader's cost of {leader:g} and a follower's of {follower:g} one is idle: "
            f"{idle}, which has no closed form"
        )
    return np.array(sold(max(interior, key=lambda p: (p - leader) * sold(p)[0])))


def price_leader(A: float, b: float, g_s: float, c: object, d: object = 0.0) -> np.ndarray:
    """Return prices ``[2]`` if firm 0 leads in prices and both sell.

    Demand is as in `differentiated_bertrand`. With ``q_i = al - be p_i + la p_j`` the follower's response is
    linear, and so is the demand of the leader. Refused where either firm sells nothing, or the leader gains
    by keeping the follower out.
    """
    c, d = broadcast_parameters(c, d)
    al, be, la = A / (b + g_s), b / (b**2 - g_s**2), g_s / (b**2 - g_s**2)

    def peak(alpha: float, beta: float, firm: int) -> float:
        return float((alpha * (1 + d[firm] * beta) + beta * c[firm]) / (beta * (2 + d[firm] * beta)))

    steep = la * (1 + d[1] * be) / (be * (2 + d[1] * be))
    leader = peak(al + la * peak(al, be, 1), be - la * steep, 0)
    p = np.array([leader, peak(al, be, 1) + steep * leader])
    q = al - be * p + la * p[::-1]
    if q.min() > 0:
        limit_sales = (A - c[1]) / g_s if g_s > 0 else np.inf  # the leader's sales that keep the follower out
        limit_sales = max(limit_sales, (A - c[0]) / (2 * b + d[0]))
        limit_profit = (
            (A - b * limit_sales - c[0]) * limit_sales - d[0] * limit_sales**2 / 2
            if limit_sales < A / b
            else -np.inf
        )
        if limit_profit <= (p[0] - c[0]) * q[0] - d[0] * q[0] ** 2 / 2:
            return p
    firm = int(np.argmin(q))
    raise ValueError(
        f"unit_cost: firm {firm} sells nothing when firm 0 leads in prices, a corner which has no closed form"
    )


def logit_leader(a: object, a0: float, mu: float, c: object, d: object = 0.0) -> np.ndarray:
    """Return prices ``[player]`` if firm 0 leads in prices and the others respond with their Nash prices.

    The best of a grid of the leader's prices, between its cost and a price at which it hardly sells, polished
    to the zero of the slope of its profit; the slopes of responses follow from the implicit function theorem.
    """
    a, c, d = broadcast_parameters(a, c, d)

    def profile_at(leader: Any) -> np.ndarray:
        if np.ndim(leader):
            return np.array([profile_at(price) for price in np.asarray(leader)])
        # for the followers the leader's good is a part of the outside option
        outside = mu * np.logaddexp(a0 / mu, (a[0] - leader) / mu)
        return np.append(leader, logit_bertrand(a[1:], outside, mu, c[1:], d[1:]))

    top = max(a[0] - a0, c[0] + d[0]) + mu * (4 + np.log(len(a) + 1))
    grid = np.linspace(c[0], top, LEADER_GRID)
    p = profile_at(grid)
    s = logit_shares(a, a0, mu, p)[:, 0]
    argmax = int(np.argmax((p[:, 0] - c[0]) * s - d[0] * s**2 / 2))
    ends = [float(grid[max(argmax - 1, 0)]), float(grid[min(argmax + 1, LEADER_GRID - 1)])]

    def slope(price: float) -> float:
        return float(_leader_slope(profile_at(price), a, a0, mu, c, d))

    # no peak in between: the best price is at an end of the grid
    if not slope(ends[0]) > 0 > slope(ends[1]):
        return profile_at(grid[argmax])
    return profile_at(zero(slope, ends[0], ends[1], "price of the leader"))


def _leader_slope(p: np.ndarray, a: object, a0: float, mu: float, c: Any, d: Any) -> np.ndarray:
    """Return the slope ``[..]`` of the leader's profit in its price, with the others responding."""
    s = logit_shares(a, a0, mu, p)
    eye = np.eye(s.shape[-1])
    falls = -(s[..., :, None] * (eye - s[..., None, :])) / mu  # ds_i/dp_j
    crossed = (d + mu / (1 - s) ** 2)[..., :, None] * falls
    # dp_i = (d_i + mu/(1 - s_i)^2) ds_i for every follower i
    moves = np.linalg.solve((eye - crossed)[..., 1:, 1:], crossed[..., 1:, :1])[..., 0]
    direct = falls[..., 0, 0] + np.sum(falls[..., 0, 1:] * moves, axis=-1)
    margin = p[..., 0] - c[0] - d[0] * s[..., 0]
    return np.asarray(s[..., 0] + margin * direct)

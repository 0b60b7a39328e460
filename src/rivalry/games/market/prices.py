"""Equilibria of firms that choose prices, in closed form or by one equation; plain NumPy, ``[player]``."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivalry.games.market.quantities import rows

NEWTON_STEPS, ENOUGH = 100, 1e-9
MAX_LOG_ODDS = 500.0  # a share of 1
LEADER_GRID = 33  # grid prices of a logit leader, of which the best is polished


def bertrand(a: float, b: float, c: Any, *, joint: bool = False) -> np.ndarray:
    """Return prices ``[player]`` if the cheapest firm serves all demand, in the limit of undercutting.

    Demand is ``Q = (a - P)/b``, and ``P = min(c_2, (a + c_1)/2)`` is the price of the firm of lowest cost or,
    if several have it, their cost. Every other firm asks at least its own cost, and at least the next float
    above P, so that it sells nothing.

    Parameters
    ----------
    a, b : float
        Intercept and slope of inverse demand.
    c : array_like
        Unit costs, ``[player]``.
    joint : bool
        Return the prices of largest joint profit: ``(a + c_1)/2`` for the firms of lowest cost, ``a`` for
        others.

    Examples
    --------
    >>> found = bertrand(100.0, 1.0, [10.0, 30.0])
    >>> found.round(9).tolist(), int(found.argmin())
    ([30.0, 30.0], 0)
    """
    (c,) = rows(c)
    first = c == c.min()
    alone = (a + c.min()) / 2
    if joint:
        return np.asarray(np.where(first, alone, max(a, alone)))
    price = c.min() if first.sum() > 1 else min(alone, np.min(c[~first], initial=np.inf))
    # the next float above: at an equal price they would sell, too
    return np.asarray(np.where(first, price, np.maximum(c, np.nextafter(price, np.inf))))


def differentiated(A: float, b: float, g_s: float, c: Any, d: Any = 0.0) -> np.ndarray:
    """Return simultaneous prices ``[player]`` for inverse demand ``p_i = A - b q_i - g_s sum_{j != i} q_j``.

    With k firms selling, own demand falls by ``beta_k`` per unit of price, and each sells ``beta_k (p_i -
    c_i)/(1 + d_i beta_k)``. A firm that would not sell is left out and asks its cost. Limit prices, with one
    of two firms kept out by a price below the monopoly's, are included.

    Raises
    ------
    ValueError
        For limit prices with more than two firms.

    Examples
    --------
    >>> differentiated(10.0, 1.0, 0.5, [1.0, 1.0]).round(12).tolist()
    [4.0, 4.0]

    References
    ----------
    N. Singh and X. Vives, RAND Journal of Economics 15 (1984).
    """
    c, d = rows(c, d)
    selling = c < A
    while True:
        k = int(selling.sum())
        wide = b - g_s + k * g_s
        # a diagonal entry of the inverse of the k x k matrix of slopes
        beta = (1 - g_s / wide) / (b - g_s)
        each = np.where(selling, beta / (1 + beta * (b - g_s + d)), 0.0)  # q_i = each (A - g Q - c_i)
        left = A - g_s * np.sum(each * (A - c)) / (1 + g_s * each.sum())
        q = each * (left - c)
        if np.all(q[selling] > 0):
            break
        selling &= c < np.max(c[selling])  # the firm of highest cost leaves
    prices = np.where(selling, A - (b - g_s) * q - g_s * q.sum(), c)
    kept_out = ~selling & (A - g_s * q.sum() - c > 0)
    if kept_out.any():
        return _limit_prices(A, b, g_s, c, int(np.flatnonzero(kept_out)[0]))
    return np.asarray(prices)


def _limit_prices(A: float, b: float, g_s: float, c: np.ndarray, out: int) -> np.ndarray:
    """Return the prices at which one of two firms just sells nothing. Raises `ValueError` for more firms."""
    if len(c) > 2:
        raise ValueError(
            f"unit_cost[{out}]: {c[out]:g} keeps firm {out} out only at limit prices, for which there is no "
            f"closed form with {len(c)} firms; use best_response"
        )
    found = c.copy()
    found[1 - out] = A - b * (A - c[out]) / g_s
    return found


def price_leader(A: float, b: float, g_s: float, c: Any, d: Any = 0.0) -> np.ndarray:
    """Return prices ``[2]`` if firm 0 leads in prices and both sell, with demand as in `differentiated`.

    With ``q_i = al - be p_i + la p_j`` the follower's response is linear, and so is the demand of the leader.

    Raises
    ------
    ValueError
        If either firm sells nothing, or the leader gains by keeping the follower out.

    Examples
    --------
    >>> price_leader(12.0, 1.5, 0.9, [2.0, 2.0]).round(9).tolist()
    [5.170731707, 4.951219512]
    """
    c, d = rows(c, d)
    al, be, la = A / (b + g_s), b / (b**2 - g_s**2), g_s / (b**2 - g_s**2)

    def peak(alpha: float, beta: float, firm: int) -> float:
        return float((alpha * (1 + d[firm] * beta) + beta * c[firm]) / (beta * (2 + d[firm] * beta)))

    steep = la * (1 + d[1] * be) / (be * (2 + d[1] * be))
    leader = peak(al + la * peak(al, be, 1), be - la * steep, 0)
    p = np.array([leader, peak(al, be, 1) + steep * leader])
    q = al - be * p + la * p[::-1]
    if q.min() > 0:
        alone = (A - c[1]) / g_s if g_s > 0 else np.inf  # the leader's sales that keep the follower out
        alone = max(alone, (A - c[0]) / (2 * b + d[0]))
        limit_profit = (A - b * alone - c[0]) * alone - d[0] * alone**2 / 2 if alone < A / b else -np.inf
        if limit_profit <= (p[0] - c[0]) * q[0] - d[0] * q[0] ** 2 / 2:
            return p
    firm = int(np.argmin(q))
    raise ValueError(
        f"unit_cost: firm {firm} sells nothing when firm 0 leads in prices, a corner which has no closed "
        "form; use best_response"
    )


def logit(a: Any, a0: Any, mu: float, c: Any, d: Any = 0.0, *, margin: float = 1.0) -> np.ndarray:
    """Return Nash prices ``[.. player]`` of logit demand, ``p_i = c_i + d_i s_i + margin mu/(1 - s_i)``.

    Newton's method for the log odds ``y_i`` of shares and the inclusive value ``x = ln sum exp``: the
    equations are ``ln s_i + (p_i(s_i) - a_i)/mu + x = 0``, with shares that sum to 1. The solution is unique
    (without ``d``).

    Parameters
    ----------
    a : array_like
        Quality of the goods, ``[player]``, in units of price.
    a0 : array_like
        Quality of buying nothing, ``[..]``.
    mu : float
        Scale of differences in taste, in units of price.
    c, d : array_like
        Unit and convex costs, ``[player]``.
    margin : float
        1 for Nash prices, 0 for marginal cost.

    Raises
    ------
    ValueError
        For a ``mu`` that is too small relative to the differences between firms.

    Examples
    --------
    >>> logit([2.0, 2.0], 0.0, 0.25, [1.0, 1.0]).round(9).tolist()
    [1.47292666, 1.47292666]

    References
    ----------
    A. Caplin and B. Nalebuff, Aggregation and imperfect competition, Econometrica 59 (1991).
    """
    a, c, d = rows(a, c, d)
    out = np.asarray(a0, dtype=float)[..., None] / mu
    worth = (a - c) / mu
    # p >= c + margin mu: the inclusive value is at most this, and at least the outside option's
    most = np.logaddexp.reduce(
        np.concatenate([np.broadcast_to(worth - margin, (*out.shape[:-1], len(a))), out], -1), -1
    )
    x = most[..., None]
    low, high = out, x
    room = worth - x
    y = np.where(room > 1, np.log(np.maximum(room, 1.0)), room - 1)
    for _ in range(NEWTON_STEPS):
        y, s, steep = _solve_log_odds(y, worth - x, d / mu, margin)
        outside = np.exp(out - x)
        short = np.sum(s, -1, keepdims=True) + outside - 1
        low, high = np.where(short >= 0, x, low), np.where(short <= 0, x, high)
        dx = short / (np.sum(s * (1 - s) / steep, -1, keepdims=True) + outside)
        # bisection where Newton's step leaves the bracket
        there = np.where((x + dx >= low) & (x + dx <= high), x + dx, (low + high) / 2)
        y = np.minimum(y - np.clip((there - x) / steep, -2.0, 4.0), MAX_LOG_ODDS)
        movement, x = np.max(np.abs(there - x)), there
        if movement <= ENOUGH:  # Newton's method squares errors
            break
    y, s, _ = _solve_log_odds(y, worth - x, d / mu, margin)
    found = np.asarray(c + d * s + margin * mu * (1 + np.exp(y)))
    if not np.all(np.abs(shares(a, a0, mu, found) - s) <= 1e-6):
        raise ValueError(f"mu: {mu:g} is too small for firms that differ so much; use best_response")
    return found


def _solve_log_odds(
    y: np.ndarray, room: np.ndarray, d: np.ndarray, margin: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log odds that solve ``ln s + margin/(1 - s) + d s = room``, the share s, and the slope."""
    for _ in range(NEWTON_STEPS):
        ratio = np.exp(y)  # s/(1 - s)
        s = ratio / (1 + ratio)
        steep = (1 + d * s) / (1 + ratio) + margin * ratio
        step = (room - y + np.log1p(ratio) - margin * (1 + ratio) - d * s) / steep
        y = np.minimum(y + np.clip(step, -4.0, 2.0), MAX_LOG_ODDS)
        if np.max(np.abs(step)) <= ENOUGH:
            break
    return y, s, steep


def shares(a: Any, a0: Any, mu: float, p: Any) -> np.ndarray:
    """Return logit market shares ``[.. player]`` at prices ``[.. player]``, without the outside option."""
    value, out = (np.asarray(a) - p) / mu, np.asarray(a0, dtype=float)[..., None] / mu
    top = np.maximum(value.max(axis=-1, keepdims=True), out)
    weight = np.exp(value - top)
    found: np.ndarray = weight / (weight.sum(axis=-1, keepdims=True) + np.exp(out - top))
    return found


def logit_joint(a: Any, a0: float, mu: float, c: Any) -> np.ndarray:
    """Return prices ``[player]`` of largest joint profit; every margin is ``m = mu/(1 - sum s)``.

    With ``u = m/mu`` and V the sum of ``exp((a_i - c_i - a0)/mu)``: ``(u - 1) exp(u - 1) = V/e``.

    Examples
    --------
    >>> logit_joint([2.0, 2.0], 0.0, 0.25, [1.0, 1.0]).round(9).tolist()
    [1.924980919, 1.924980919]
    """
    a, c = rows(a, c)
    value = (a - c - a0) / mu
    top = value.max()
    size = top + np.log(np.exp(value - top).sum()) - 1.0  # w + ln w = size
    w = size if size > 1 else np.exp(min(size, 0.0))
    for _ in range(NEWTON_STEPS):
        step = w * (size - w - np.log(w)) / (1 + w)
        # Newton's method in ln w; w stays above 0
        w = max(w + step, w / 10)
        if abs(step) <= 1e-15 * w:
            break
    return np.asarray(c + mu * (1 + w))


def logit_leader(a: Any, a0: float, mu: float, c: Any, d: Any = 0.0) -> np.ndarray:
    """Return prices ``[player]`` if firm 0 leads in prices and the others respond with their Nash prices.

    The best of a grid of the leader's prices, between its cost and a price at which it hardly sells, polished
    to the zero of the slope of its profit; the slopes of responses follow from the implicit function theorem.

    Examples
    --------
    >>> logit_leader([2.0, 2.0], 0.0, 0.25, [1.0, 1.0]).round(9).tolist()
    [1.638439203, 1.54456773]
    """
    from scipy.optimize import brentq

    a, c, d = rows(a, c, d)

    def whole(leader: Any) -> np.ndarray:
        own = np.asarray(leader, dtype=float)
        # for the followers the leader's good is a part of the outside option
        outside = mu * np.logaddexp(a0 / mu, (a[0] - own) / mu)
        return np.concatenate([own[..., None], logit(a[1:], outside, mu, c[1:], d[1:])], axis=-1)

    top = max(a[0] - a0, c[0] + d[0]) + mu * (4 + np.log(len(a) + 1))
    grid = np.linspace(c[0], top, LEADER_GRID)
    p = whole(grid)
    s = shares(a, a0, mu, p)[:, 0]
    best = int(np.argmax((p[:, 0] - c[0]) * s - d[0] * s**2 / 2))
    ends = [float(grid[max(best - 1, 0)]), float(grid[min(best + 1, LEADER_GRID - 1)])]

    def slope(price: float) -> float:
        return float(_leader_slope(whole(price), a, a0, mu, c, d))

    # no peak in between: the best price is at an end of the grid
    if not slope(ends[0]) > 0 > slope(ends[1]):
        return whole(grid[best])
    return whole(brentq(slope, *ends, xtol=1e-15, rtol=4 * np.finfo(float).eps))


def _leader_slope(p: np.ndarray, a: Any, a0: float, mu: float, c: Any, d: Any) -> np.ndarray:
    """Return the slope ``[..]`` of the leader's profit in its price, with the others responding."""
    s = shares(a, a0, mu, p)
    eye = np.eye(s.shape[-1])
    falls = -(s[..., :, None] * (eye - s[..., None, :])) / mu  # ds_i/dp_j
    asked = (d + mu / (1 - s) ** 2)[..., :, None] * falls
    # dp_i = (d_i + mu/(1 - s_i)^2) ds_i for every follower i
    system = (eye - asked)[..., 1:, 1:]
    moves = np.linalg.solve(system, asked[..., 1:, :1])[..., 0]
    own = falls[..., 0, 0] + np.sum(falls[..., 0, 1:] * moves, axis=-1)
    margin = p[..., 0] - c[0] - d[0] * s[..., 0]
    return np.asarray(s[..., 0] + margin * own)

"""Equilibria, cartels and competition of firms in one period, in closed form or by one equation; plain NumPy.

Parameters are one number per firm ``[player]``, or one for all; outputs are quantities per period. With
linear demand a firm's output depends on the others only through their sum: all results on quantities follow
from one line, and firms that are absent or at capacity are found exactly.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from rivalry.runtime.jax import floats

if TYPE_CHECKING:
    from types import ModuleType

MOST_SUBSETS = 12  # largest number of firms with fixed costs, because all sets of them are tried
NEWTON_STEPS, ENOUGH = 100, 1e-9
MAX_LOG_ODDS = 500.0  # a share of 1


def aggregate(top: Any, slope: Any, c: Any, steep: Any, low: Any, high: Any, xp: ModuleType = np) -> Any:
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
    finite = xp.isfinite(ends)
    # an infinite capacity is never met; 0 only keeps infinities out of the sums
    at = xp.where(finite, ends, 0.0)
    outputs = xp.clip((at[:, None] - c) / steep, low, high)
    mask = finite & (at + slope * xp.sum(outputs, axis=1) <= top)
    last_end = xp.max(xp.where(mask, at, -xp.inf))  # the last end before the crossing
    full = stops <= last_end
    between = (starts <= last_end) & ~full
    fixed = xp.sum(xp.where(full, xp.where(xp.isfinite(high), high, 0.0), xp.where(between, 0.0, low)))
    weight = xp.where(between, 1.0 / steep, 0.0)
    z = (top - slope * fixed + slope * xp.sum(weight * c)) / (1.0 + slope * xp.sum(weight))
    return xp.clip((z - c) / steep, low, high)


def broadcast_parameters(*values: object) -> list[ndarray]:
    """Return numbers as arrays of one length, that of the longest."""
    arrays = [np.atleast_1d(floats(value)) for value in values]
    size = max(map(len, arrays))
    return [np.broadcast_to(array, (size,)) for array in arrays]


def differentiated_cournot(
    A: float,
    b: float,
    g_s: float,
    c: object,
    d: object = 0.0,
    *,
    low: object = 0.0,
    high: object = np.inf,
    weight: float = 1.0,
) -> ndarray:
    """Return simultaneous outputs ``[player]`` for ``p_i = A - b q_i - g_s sum_{j != i} q_j``.

    The first-order conditions are ``A - c_i - (2b + d_i) q_i = weight g_s sum_{j != i} q_j``; one good has
    ``g_s = b``. With unit costs of 0 prices of 0 may be equilibria as well; that of a positive price is
    returned.

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
    >>> differentiated_cournot(10.0, 1.0, 0.5, [1.0, 1.0]).tolist()
    [3.6, 3.6]
    >>> differentiated_cournot(90.0, 2.0, 2.0, [6.0, 18.0], high=[11.0, 50.0]).tolist()
    [11.0, 12.5]

    References
    ----------
    N. Singh and X. Vives, Price and quantity competition in a differentiated duopoly, RAND Journal of
    Economics 15 (1984), eq. 2.
    """
    c, d, low, high = broadcast_parameters(c, d, low, high)
    slope = weight * g_s
    return np.asarray(aggregate(A, slope, c, 2 * b + d - slope, low, high))


def closure_sets(firms: ndarray, players: int) -> list[ndarray]:
    """Return the sets of ``firms`` that may close to save fixed costs, ``[player]`` each, smallest first."""
    if len(firms) > MOST_SUBSETS:
        raise ValueError(
            f"fixed_cost: {len(firms)} firms have fixed costs; all sets of producers are tried for at most "
            f"{MOST_SUBSETS}; use best_response"
        )
    sets = (out for size in range(len(firms) + 1) for out in combinations(firms, size))
    return [np.isin(np.arange(players), out) for out in sets]


def check_interior(eta: float, players: int) -> None:
    """Raise `ValueError` if with isoelastic demand less output always increases every profit."""
    if eta * players <= 1:
        raise ValueError(
            f"elasticity: {eta:g} must be above 1/n = {1 / players:g} with {players} firms: no interior "
            "equilibrium"
        )


def isoelastic_cournot(A: float, eta: float, c: object) -> ndarray:
    """Return Cournot outputs ``[player]`` for ``P = A Q^(-1/eta)``.

    ``P = sum c/(n - 1/eta)``, and market shares are ``eta (P - c_i)/P``.

    Raises
    ------
    ValueError
        For ``n <= 1/eta``, and if a firm would not produce.

    Examples
    --------
    >>> isoelastic_cournot(100.0, 2.0, [1.0, 1.0]).round(9).tolist()
    [2812.5, 2812.5]
    """
    (c,) = broadcast_parameters(c)
    check_interior(eta, len(c))
    price = c.sum() / (len(c) - 1 / eta)
    share = eta * (price - c) / price
    for firm in np.flatnonzero(share <= 0):
        raise ValueError(
            f"unit_cost[{firm}]: {c[firm]:g} must be below the price {price:g}: firm {firm} is inactive, "
            "which has no closed form; use best_response"
        )
    return share * (A / price) ** eta


def merit_order(alpha: float, beta: float, c: object, d: object = 0.0, capacity: object = np.inf) -> ndarray:
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
    c, d, capacity = broadcast_parameters(c, d, capacity)
    flat = d == 0
    with np.errstate(invalid="ignore"):  # 0 times an infinite capacity
        stops = np.where(flat, c, c + d * capacity)
    before = -np.inf
    for end in np.unique(np.concatenate([c, stops[np.isfinite(stops)]])):
        demand = (alpha - end) / beta
        rising = np.clip((end - c) / np.where(flat, 1.0, d), 0.0, capacity)
        below = np.where(flat, np.where(c < end, capacity, 0.0), rising)
        at_cost = np.where(flat & (c == end), capacity, 0.0)
        if demand <= below.sum():
            break
        if demand <= (below + at_cost).sum():
            return below + _equal_parts(demand - below.sum(), at_cost)
        before = end
    # m is between two neighbouring ends, the solution of a linear equation
    full = stops <= before
    rise = ~flat & (c <= before) & ~full
    supply, slope = capacity[full].sum() - np.sum(c[rise] / d[rise]), np.sum(1 / d[rise])
    m = (alpha - beta * supply) / (1 + beta * slope)
    return np.where(full, capacity, np.where(rise, (m - c) / np.where(flat, 1.0, d), 0.0))


def _equal_parts(total: float, capacity: ndarray) -> ndarray:
    """Return equal parts of a total, with firms at capacity producing that."""
    # smallest capacities first: what they cannot take is shared among the others
    order = np.argsort(capacity, kind="stable")
    parts, remaining, count = np.zeros(len(capacity)), total, int(np.sum(capacity > 0))
    for firm in order[len(capacity) - count :]:
        parts[firm] = min(capacity[firm], remaining / count)
        remaining, count = remaining - parts[firm], count - 1
    return parts


def isoelastic_total(A: float, eta: float, c: object, *, joint: bool) -> ndarray:
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
    (c,) = broadcast_parameters(c)
    if joint and eta <= 1:
        raise ValueError(
            f"elasticity: {eta:g} must be above 1, or joint profit increases without bound as output falls"
        )
    lowest = c.min()
    price = lowest * eta / (eta - 1) if joint else lowest
    is_cheapest = c == lowest
    return is_cheapest / is_cheapest.sum() * (A / price) ** eta


def bertrand(a: float, b: float, c: object, *, joint: bool = False) -> ndarray:
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
    >>> equilibrium = bertrand(100.0, 1.0, [10.0, 30.0])
    >>> equilibrium.round(9).tolist(), int(equilibrium.argmin())
    ([30.0, 30.0], 0)
    """
    (c,) = broadcast_parameters(c)
    is_cheapest = c == c.min()
    monopoly_price = (a + c.min()) / 2
    if joint:
        return np.where(is_cheapest, monopoly_price, max(a, monopoly_price))
    price = c.min() if is_cheapest.sum() > 1 else min(monopoly_price, np.min(c[~is_cheapest], initial=np.inf))
    # the next float above: at an equal price they would sell, too
    return np.where(is_cheapest, price, np.maximum(c, np.nextafter(price, np.inf)))


def differentiated_bertrand(A: float, b: float, g_s: float, c: object, d: object = 0.0) -> ndarray:
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
    >>> differentiated_bertrand(10.0, 1.0, 0.5, [1.0, 1.0]).round(12).tolist()
    [4.0, 4.0]

    References
    ----------
    N. Singh and X. Vives, RAND Journal of Economics 15 (1984).
    """
    c, d = broadcast_parameters(c, d)
    selling = c < A
    while True:
        k = int(selling.sum())
        common_slope = b - g_s + k * g_s
        # a diagonal entry of the inverse of the k x k matrix of slopes
        beta = (1 - g_s / common_slope) / (b - g_s)
        weights = np.where(selling, beta / (1 + beta * (b - g_s + d)), 0.0)  # q_i = each (A - g Q - c_i)
        intercept = A - g_s * np.sum(weights * (A - c)) / (1 + g_s * weights.sum())
        q = weights * (intercept - c)
        if np.all(q[selling] > 0):
            break
        selling &= c < np.max(c[selling])  # the firm of highest cost leaves
    prices = np.where(selling, A - (b - g_s) * q - g_s * q.sum(), c)
    for out in np.flatnonzero(~selling & (A - g_s * q.sum() - c > 0)):
        if len(c) > 2:
            raise ValueError(
                f"unit_cost[{out}]: {c[out]:g} keeps firm {out} out only at limit prices, for which there is "
                f"no closed form with {len(c)} firms; use best_response"
            )
        # at the monopoly price firm `out` would enter: it just sells nothing at this one
        prices[1 - out] = A - b * (A - c[out]) / g_s
    return np.asarray(prices)


def logit_bertrand(
    a: object, a0: object, mu: float, c: object, d: object = 0.0, *, margin: float = 1.0
) -> ndarray:
    """Return Nash prices ``[.. player]`` of logit demand, ``p_i = c_i + d_i s_i + margin mu/(1 - s_i)``.

    Newton's method for the log odds ``y_i`` of shares and the inclusive value ``x = ln sum exp``: the
    equations are ``ln s_i + (p_i(s_i) - a_i)/mu + x = 0``, with shares that sum to 1. The solution is unique
    (without ``d``).

    Parameters
    ----------
    a : array_like
        Quality of the goods, ``[.. player]``, in units of price.
    a0 : array_like
        Quality of buying nothing, ``[..]``.
    mu : float
        Scale of differences in taste, in units of price.
    c, d : array_like
        Unit and convex costs, ``[.. player]``.
    margin : float
        1 for Nash prices, 0 for marginal cost.

    Raises
    ------
    ValueError
        For a ``mu`` that is too small relative to the differences between firms.

    Examples
    --------
    >>> logit_bertrand([2.0, 2.0], 0.0, 0.25, [1.0, 1.0]).round(9).tolist()
    [1.47292666, 1.47292666]

    References
    ----------
    A. Caplin and B. Nalebuff, Aggregation and imperfect competition, Econometrica 59 (1991).
    """
    numbers = [floats(number) for number in (a, c, d)]
    a, c, d = np.broadcast_arrays(*map(np.atleast_1d, numbers))
    out = floats(a0)[..., None] / mu
    net_values = (a - c) / mu
    # p >= c + margin mu: the inclusive value is at most this, and at least the outside option's
    x = np.logaddexp(np.logaddexp.reduce(net_values - margin, axis=-1, keepdims=True), out)
    low, high = out, x
    room = net_values - x
    y = np.where(room > 1, np.log(np.maximum(room, 1.0)), room - 1)
    for _ in range(NEWTON_STEPS):
        y, s, steep = _solve_log_odds(y, net_values - x, d / mu, margin)
        outside = np.exp(out - x)
        short = np.sum(s, -1, keepdims=True) + outside - 1
        low, high = np.where(short >= 0, x, low), np.where(short <= 0, x, high)
        dx = short / (np.sum(s * (1 - s) / steep, -1, keepdims=True) + outside)
        # bisection where Newton's step leaves the bracket
        shares_next = np.where((x + dx >= low) & (x + dx <= high), x + dx, (low + high) / 2)
        y = np.minimum(y - np.clip((shares_next - x) / steep, -2.0, 4.0), MAX_LOG_ODDS)
        movement, x = np.max(np.abs(shares_next - x)), shares_next
        if movement <= ENOUGH:  # Newton's method squares errors
            break
    y, s, _ = _solve_log_odds(y, net_values - x, d / mu, margin)
    prices = np.asarray(c + d * s + margin * mu * (1 + np.exp(y)))
    if not np.all(np.abs(logit_shares(a, a0, mu, prices) - s) <= 1e-6):
        raise ValueError(f"mu: {mu:g} is too small for firms that differ so much; use best_response")
    return prices


def _solve_log_odds(y: ndarray, room: ndarray, d: ndarray, margin: float) -> tuple[ndarray, ndarray, ndarray]:
    """Return log odds that solve ``ln s + margin/(1 - s) + d s = room``, the share s, and the slope."""

    def at(y: ndarray) -> tuple[ndarray, ndarray, ndarray]:
        """Return the share, the slope and Newton's step."""
        ratio = np.exp(y)  # s/(1 - s)
        s = ratio / (1 + ratio)
        steep = (1 + d * s) / (1 + ratio) + margin * ratio
        return s, steep, (room - y + np.log1p(ratio) - margin * (1 + ratio) - d * s) / steep

    for _ in range(NEWTON_STEPS):
        step = at(y)[2]
        y = np.minimum(y + np.clip(step, -4.0, 2.0), MAX_LOG_ODDS)
        if np.max(np.abs(step)) <= ENOUGH:
            break
    return (y, *at(y)[:2])


def logit_shares(a: object, a0: object, mu: float, p: object) -> ndarray:
    """Return logit market shares ``[.. player]`` at prices ``[.. player]``, without the outside option."""
    value, out = (np.asarray(a) - p) / mu, floats(a0)[..., None] / mu
    inclusive = np.logaddexp(np.logaddexp.reduce(value, axis=-1, keepdims=True), out)
    return np.asarray(np.exp(value - inclusive))


def logit_joint(a: object, a0: float, mu: float, c: object) -> ndarray:
    """Return prices ``[.. player]`` of largest joint profit; every margin is ``m = mu/(1 - sum s)``.

    With ``u = m/mu`` and V the sum of ``exp((a_i - c_i - a0)/mu)``: ``(u - 1) exp(u - 1) = V/e``.

    Examples
    --------
    >>> logit_joint([2.0, 2.0], 0.0, 0.25, [1.0, 1.0]).round(9).tolist()
    [1.924980919, 1.924980919]
    """
    from scipy.special import wrightomega

    a, c = np.broadcast_arrays(np.atleast_1d(floats(a)), floats(c))
    value = (a - c - a0) / mu
    size = (
        np.logaddexp.reduce(value, axis=-1, keepdims=True) - 1.0
    )  # w + ln w = size, by the Wright omega function
    return np.asarray(c + mu * (1 + wrightomega(size)))

"""Whether costs by formulas rise, and total costs are convex: enclosures over all flows that links may have.

Flows are dual to costs: at any costs of links the cheapest routes, and on every link the flow at which its
total cost less what that flow pays is lowest, bound the total cost of all flows from below. The first needs
no convexity, and the second is a search on one axis, whose lower bounds are enclosures.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.tolerances import TIE, TINY, WIDEN
from rivalry.roads.formulas import ADD, EXP, FLOW, LARGER, LOG, MULTIPLY, NEGATIVE, NUMBER, POWER
from rivalry.roads.model import RouteGame

CELLS = 64  # intervals with which a search begins
ROUNDS = 60  # halvings at most
MOST_CELLS = 20_000
GRID = 4_001  # flows among which the ends of a bridge are looked for


class Jet(NamedTuple):
    """Bounds ``[end cell]`` on a function, its slope and its second derivative, infinite at a kink."""

    value: ndarray
    slope: ndarray
    curvature: ndarray


def _hull(low: ndarray, high: ndarray) -> ndarray:
    """Bounds moved outward by more than an operation rounds, which keeps signs; unbounded if unknown."""
    low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
    below, above = low - (np.abs(low) * 4 * WIDEN + TINY), high + (np.abs(high) * 4 * WIDEN + TINY)
    return np.stack([np.where(low >= 0, np.maximum(below, 0.0), below), above])


def _sum(a: ndarray, b: ndarray) -> ndarray:
    return _hull(*(a + b))


def _product(a: ndarray, b: ndarray) -> ndarray:
    corners = a[:, None] * b
    # an end without bound stands for large numbers, which 0 times are 0
    corners[np.isnan(corners)] = 0.0
    return _hull(corners.min(axis=(0, 1)), corners.max(axis=(0, 1)))


def _power(a: ndarray, exponent: float) -> ndarray:
    """Bounds on powers; unbounded where a part of them is not defined."""
    ends = a**exponent
    low, high = np.minimum(*ends), np.maximum(*ends)
    has_zero = (a[0] < 0) & (a[1] >= 0)
    low = np.where(has_zero & (exponent > 0), np.minimum(low, 0.0), low)
    is_unknown = np.isnan(ends).any(axis=0) | (has_zero & (exponent < 0))
    return _hull(np.where(is_unknown, np.nan, low), np.where(is_unknown, np.nan, high))


def _of(code: int, number: float, a: Jet) -> Jet:
    """A function of one argument, by the chain rule."""
    if code == NEGATIVE:
        return Jet(*(-part[::-1] for part in a))
    if code == EXP:
        first = second = value = _hull(*np.exp(a.value))
    elif code == LOG:
        value, first = _hull(*np.log(a.value)), _power(a.value, -1.0)
        second = -_power(a.value, -2.0)[::-1]
    else:
        ones = np.ones_like(a.value)
        value, first = _power(a.value, number), _product(number * ones, _power(a.value, number - 1))
        second = _product(number * (number - 1) * ones, _power(a.value, number - 2))
    curvature = _sum(_product(first, a.curvature), _product(second, _power(a.slope, 2.0)))
    return Jet(value, _product(first, a.slope), curvature)


def _times(a: Jet, b: Jet) -> Jet:
    slope = _sum(_product(a.slope, b.value), _product(a.value, b.slope))
    crossed = _sum(_product(a.curvature, b.value), _product(a.value, b.curvature))
    return Jet(_product(a.value, b.value), slope, _sum(crossed, 2 * _product(a.slope, b.slope)))


def _larger(a: Jet, b: Jet) -> Jet:
    """The larger of two functions, whose slope jumps upwards where they cross."""
    joint = Jet(
        *(np.stack([np.minimum(p[0], q[0]), np.maximum(p[1], q[1])]) for p, q in zip(a, b, strict=True))
    )
    joint = joint._replace(value=np.maximum(a.value, b.value))
    joint.curvature[1] = np.inf
    first, second = a.value[0] > b.value[1], b.value[0] > a.value[1]
    parts = zip(a, b, joint, strict=True)
    return Jet(*(np.where(first, p, np.where(second, q, both)) for p, q, both in parts))


def enclosed_cost(game: RouteGame, link: int, flow: ndarray) -> Jet:
    """Bounds on the cost of a link by its formula, and its derivatives, at flows ``[end cell]``."""
    stack: list[Jet] = []
    zero = np.zeros_like(flow)
    operations = slice(*game.begins[link : link + 2])
    for code, number in zip(game.codes[operations].tolist(), game.numbers[operations], strict=True):
        if code == NUMBER:
            stack.append(Jet(zero + number, zero, zero))
        elif code == FLOW:
            stack.append(Jet(flow, zero + 1.0, zero))
        elif code in (NEGATIVE, POWER, EXP, LOG):
            stack.append(_of(code, number, stack.pop()))
        else:
            b, a = stack.pop(), stack.pop()
            if code == ADD:
                stack.append(Jet(*(_sum(*parts) for parts in zip(a, b, strict=True))))
            elif code == MULTIPLY:
                stack.append(_times(a, b))
            elif code == LARGER:
                stack.append(_larger(a, b))
            else:
                minus = _larger(_of(NEGATIVE, 0.0, a), _of(NEGATIVE, 0.0, b))
                stack.append(_of(NEGATIVE, 0.0, minus))
    total = stack.pop()
    # added to tolls and lengths, a formula has no other terms
    return total._replace(value=_sum(total.value, np.full_like(flow, game.constant[link])))


@np.errstate(all="ignore")
def rises(game: RouteGame, is_of: ndarray) -> bool:
    """Whether the formulas of some links, ``[link]`` are truth values, certainly do not fall anywhere."""
    links = np.flatnonzero(is_of & (np.diff(game.begins) > 0)).tolist()
    return all(_cost_rises(game, link, marginal=False) for link in links)


def _cost_rises(game: RouteGame, link: int, *, marginal: bool) -> bool:
    """Whether the cost of a link certainly does not fall anywhere, or its marginal cost."""
    most = game.largest_flows()[link]
    cells = _cells(0.0, most)
    for _ in range(ROUNDS):
        cost = enclosed_cost(game, link, cells)
        slope = _total(cells, cost).curvature if marginal else cost.slope
        # a fall that rounding may have made is none
        falls = slope * most < -TIE * np.maximum(cost.value[0], TINY)
        cells = _halves(cells[:, falls[0]])
        if not cells.size or cells.shape[1] > MOST_CELLS or falls[1].any():
            break
    return not cells.size


def _total(flow: ndarray, cost: Jet) -> Jet:
    """Bounds on the total cost of a link."""
    return _times(Jet(flow, np.ones_like(flow), np.zeros_like(flow)), cost)


@np.errstate(all="ignore")
def dual_loss(game: RouteGame, price: ndarray, flow: ndarray) -> float:
    """Return an upper bound on the net cost of flows ``[link]`` above the least net cost at ``price [link]``.

    The net cost of a flow y of a link is ``f(y) - price * y``, its total cost less what it pays; the least is
    over all flows that the link may have. A link whose total cost is certainly convex, as a sum of powers is,
    counts 0, since its price is the slope of the total cost at its flow.
    """
    loss = 0.0
    for link in np.flatnonzero(game.is_road() & (np.diff(game.begins) > 0)).tolist():
        if not _cost_rises(game, link, marginal=True):
            point = np.array([[flow[link]]] * 2)
            net = float((point * (enclosed_cost(game, link, point).value - price[link]))[1, 0])
            loss += max(net - _least_net_cost(game, link, price[link], net), 0.0)
    return loss


def _least_net_cost(game: RouteGame, link: int, price: float, best: float) -> float:
    """Return a lower bound on the net cost of a link over all its flows, at a ``price``; see `dual_loss`.

    By branch and bound: a cell is halved where its lower bound is below ``best``, the lowest value known.
    """
    most = game.largest_flows()[link]
    close = TIE * max(price * most, TINY)
    cells, lowest = _cells(0.0, most), np.inf
    for _ in range(ROUNDS):
        low, value = _lower_bounds(game, link, price, cells)
        best = min(best, value)
        is_open = low < best - close
        lowest = min(lowest, np.min(low[~is_open], initial=np.inf))
        cells = cells[:, is_open]
        if not cells.size:
            return lowest
        if 2 * cells.shape[1] > MOST_CELLS:
            break
        cells = _halves(cells)
    return min(lowest, np.min(_lower_bounds(game, link, price, cells)[0]))


def _lower_bounds(game: RouteGame, link: int, price: float, cells: ndarray) -> tuple[ndarray, float]:
    """Return lower bounds ``[cell]`` on the net cost n of a link, and one of its values; see `dual_loss`.

    On a cell with middle m and half width r, ``n(y) = c(y) y - price * y`` is at least the largest of

    - by value: ``(c - price) y`` at the least c of the cell, and at the end of the cell where that is less;
    - by slope: ``n(m) - r max |n'|``;
    - by curvature: ``n(m) - r |n'(m)| + r^2 / 2 min(n'', 0)``.
    """
    middle = np.repeat(cells.mean(axis=0)[None], 2, axis=0)
    half = np.diff(cells, axis=0)[0] / 2 * (1 + WIDEN)
    cost = enclosed_cost(game, link, cells)
    on_cell, at_middle = _total(cells, cost), _total(middle, enclosed_cost(game, link, middle))
    margin = cost.value[0] - price
    by_value = np.where(margin >= 0, cells[0], cells[1]) * margin
    net = at_middle.value - price * middle
    by_slope = net[0] - half * np.abs(on_cell.slope - price).max(axis=0)
    tilt = half * np.abs(at_middle.slope - price).max(axis=0)
    by_curvature = net[0] - tilt + np.minimum(on_cell.curvature[0], 0.0) * half**2 / 2
    # an unknown bound is NaN, which fmax leaves out
    return np.fmax(np.fmax(by_value, by_slope), by_curvature), float(net[1].min())


def _cells(low: float, high: float) -> ndarray:
    ends = np.linspace(low, high, CELLS + 1)
    return np.stack([ends[:-1], ends[1:]])


def _halves(cells: ndarray) -> ndarray:
    middle = cells.mean(axis=0)
    return np.concatenate([np.stack([cells[0], middle]), np.stack([middle, cells[1]])], axis=1)


@np.errstate(all="ignore")
def bridges(game: RouteGame) -> ndarray:
    """Flows ``[bridge end link]`` between which the total cost of a link is above its convex envelope.

    They are sought among `GRID` flows, infinite where there are none, and only say where to look for optima.
    """
    rows = [list[tuple[float, float]]() for _ in game.tail]
    for link in np.flatnonzero(game.is_road() & (np.diff(game.begins) > 0)).tolist():
        flow = np.linspace(0.0, game.largest_flows()[link], GRID)
        total = (flow * enclosed_cost(game, link, np.stack([flow, flow])).value.mean(axis=0)).tolist()
        hull = [0]
        for place in range(1, GRID):
            while len(hull) > 1 and _is_above(total, hull[-2], hull[-1], place):
                hull.pop()
            hull.append(place)
        rows[link] = [(flow[a], flow[b]) for a, b in pairwise(hull) if b > a + 1]
    result = np.full((max(map(len, rows)), 2, len(rows)), np.inf)
    for row, ends in enumerate(rows):
        for place, pair in enumerate(ends):
            result[place, :, row] = pair
    return result


def _is_above(total: list[float], first: int, middle: int, last: int) -> bool:
    """Whether a value is above the line through two others, by more than rounding."""
    chord = (total[first] * (last - middle) + total[last] * (middle - first)) / (last - first)
    return bool(total[middle] > chord + TIE * abs(chord))

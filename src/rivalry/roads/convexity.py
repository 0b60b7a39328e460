"""Enclosures of formulas of costs, which decide whether costs rise and whether total costs are convex.

By weak duality, any prices of links bound the total cost of all flows from below: by what all trips pay on
cheapest routes, and on every link by the lowest difference of its total cost and what its flow pays. Neither
needs convexity. The second is found by a search on one axis, whose lower bounds are enclosures.
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
    below = low - (np.abs(low) * 4 * WIDEN + TINY)
    above = high + (np.abs(high) * 4 * WIDEN + TINY)
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
        value = _power(a.value, number)
        first = _product(number * ones, _power(a.value, number - 1))
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
    """Whether the formulas of the links of a Boolean mask ``is_of [link]`` certainly do not fall anywhere."""
    links = np.flatnonzero(is_of & (np.diff(game.begins) > 0)).tolist()
    return all(_cost_rises(game, link, marginal=False) for link in links)


def _cost_rises(game: RouteGame, link: int, *, marginal: bool) -> bool:
    """Whether the cost of a link, or its marginal cost, certainly does not fall from 0 to its largest flow.

    A slope down to ``-TIE * cost / largest flow`` counts as 0, since rounding of enclosures may cause it.
    """
    most = game.largest_flows()[link]
    cells = _cells(most)
    for _ in range(ROUNDS):
        cost = enclosed_cost(game, link, cells)
        slope = _total(cells, cost).curvature if marginal else cost.slope
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
    """Return an upper bound on the net cost of ``flow [link]`` above the least net cost at ``price [link]``.

    The net cost of a flow y of a link is ``f(y) - price * y``, its total cost less what it pays; the least is
    over all flows from 0 to the largest that the link may have. The bound is the sum over links.

    On a link whose total cost is certainly convex, as a sum of powers is, the price must be the marginal cost
    ``f'(flow)``: such a flow has the least net cost, and counts 0. On any other link the price may be any
    number, and the search for the least is rounded outward. Two errors are not covered: the rounding of the
    prices of convex links, and slopes below 0 that `_cost_rises` counts as 0, with which a flow may cost more
    than the least by up to `TIE` times the largest total cost of its link.
    """
    loss = np.zeros(2)
    for link in np.flatnonzero(game.is_road() & (np.diff(game.begins) > 0)).tolist():
        if _cost_rises(game, link, marginal=True):
            continue
        point = np.full((2, 1), flow[link])
        net = float(_net_cost(game, link, price[link], point).value[1, 0])
        excess = max(net - _least_net_cost(game, link, price[link], net), 0.0)
        loss = _sum(loss, np.full(2, excess))
    return float(loss[1])


def _net_cost(game: RouteGame, link: int, price: float, flow: ndarray) -> Jet:
    """Return bounds on the net cost of a link, ``(cost - price) * flow``, at flows ``[end cell]``."""
    cost = enclosed_cost(game, link, flow)
    return _total(flow, cost._replace(value=_sum(cost.value, np.full_like(flow, -price))))


def _least_net_cost(game: RouteGame, link: int, price: float, best: float) -> float:
    """Return a lower bound on the net cost of a link over all its flows, at a ``price``; see `dual_loss`.

    By branch and bound: a cell is halved where its lower bound is below ``best``, the lowest value known.
    """
    most = game.largest_flows()[link]
    close = TIE * max(price * most, TINY)
    cells, lowest = _cells(most), np.inf
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

    On a cell whose ends are at most r from a flow m in it, a lower bound is the largest of those on

    - ``n`` by its enclosure on the cell;
    - ``n(m) + [-r, r] n'``, the mean value form, with the slope of the cell;
    - ``n(m) + [-r, r] n'(m) + [0, r^2] n'' / 2``, Taylor's formula, with the curvature of the cell.
    """
    middle = np.repeat(cells.mean(axis=0)[None], 2, axis=0)
    # a mean is rounded, so that one end may be farther away than the other
    half = np.abs(cells - middle).max(axis=0) * (1 + WIDEN)
    step = np.stack([-half, half])
    on_cell, at_middle = (_net_cost(game, link, price, flows) for flows in (cells, middle))
    by_slope = _sum(at_middle.value, _product(step, on_cell.slope))[0]
    tangent = _sum(at_middle.value, _product(step, at_middle.slope))
    by_curvature = _sum(tangent, _product(_power(step, 2.0) / 2, on_cell.curvature))[0]
    # an unknown bound is NaN, which fmax leaves out
    lowest = np.fmax(np.fmax(on_cell.value[0], by_slope), by_curvature)
    return lowest, float(at_middle.value[1].min())


def _cells(most: float) -> ndarray:
    ends = np.linspace(0.0, most, CELLS + 1)
    return np.stack([ends[:-1], ends[1:]])


def _halves(cells: ndarray) -> ndarray:
    middle = cells.mean(axis=0)
    return np.concatenate([np.stack([cells[0], middle]), np.stack([middle, cells[1]])], axis=1)


@np.errstate(all="ignore")
def bridges(game: RouteGame) -> ndarray:
    """Return flows ``[bridge end link]`` between which the total cost of a link is above its convex envelope.

    They are found among `GRID` flows, infinite where there are none, and only say where to look for optima.
    """
    rows = [list[tuple[float, float]]() for _ in game.tail]
    for link in np.flatnonzero(game.is_road() & (np.diff(game.begins) > 0)).tolist():
        flow = np.linspace(0.0, game.largest_flows()[link], GRID)
        total = (flow * enclosed_cost(game, link, np.stack([flow, flow])).value.mean(axis=0)).tolist()
        hull = [0]
        for k in range(1, GRID):
            while len(hull) > 1 and _is_above(total, hull[-2], hull[-1], k):
                hull.pop()
            hull.append(k)
        rows[link] = [(flow[a], flow[b]) for a, b in pairwise(hull) if b > a + 1]
    result = np.full((max(map(len, rows)), 2, len(rows)), np.inf)
    for link, ends in enumerate(rows):
        for k, pair in enumerate(ends):
            result[k, :, link] = pair
    return result


def _is_above(total: list[float], first: int, middle: int, last: int) -> bool:
    """Whether a value is above the line through two others, by more than rounding."""
    chord = (total[first] * (last - middle) + total[last] * (middle - first)) / (last - first)
    return bool(total[middle] > chord + TIE * abs(chord))

"""Compiled loops over routes: reading them off trees, and moving travellers to cheaper ones.

Routes are two arrays: ``links`` has the links of all routes, and route ``k`` those from ``ends[k]`` to
``ends[k + 1]``. ``costs`` are constants ``[link]``, coefficients and powers ``[term link]``, and programs of
formulas, of `RouteGame`.
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from rivalry.roads.kernels.formulas import Programs, formula_cost
from rivalry.tables.kernels.cache import loop

Costs = tuple[ndarray, ndarray, ndarray, Programs]

ROUNDS = 30  # of a search for the flow at which two routes cost the same
CLOSE = 1e-3  # of the difference in cost at which the search ends; the next sweep goes on


@loop
def read_routes(
    keys: ndarray, used: ndarray, before: ndarray, row: ndarray, destination: ndarray
) -> tuple[ndarray, ndarray]:
    """Links of the routes of pairs, each from the destination back, and their numbers; 0 without a route.

    ``before`` is ``[row node]``; link ``used[k]`` leads from ``keys[k] // nodes`` to ``keys[k] % nodes``.
    """
    nodes = before.shape[1]
    length = np.zeros(len(row), dtype=np.int64)
    for pair in range(len(row)):
        node = before[row[pair], destination[pair]]
        while node >= 0:
            length[pair] += 1
            node = before[row[pair], node]
    links, place = np.empty(length.sum(), dtype=np.int32), 0
    for pair in range(len(row)):
        node = destination[pair]
        for _ in range(length[pair]):
            tail = before[row[pair], node]
            links[place] = used[np.searchsorted(keys, tail * nodes + node)]
            node, place = tail, place + 1
    return links, length


@loop
def select_routes(links: ndarray, ends: ndarray, order: ndarray) -> tuple[ndarray, ndarray]:
    """Links and ends of the routes ``order``."""
    new_ends = np.append(0, np.cumsum(ends[order + 1] - ends[order]))
    new_links = np.empty(new_ends[-1], dtype=np.int32)
    for place, route in enumerate(order):
        new_links[new_ends[place] : new_ends[place + 1]] = links[ends[route] : ends[route + 1]]
    return new_links, new_ends


@loop
def route_cost(links: ndarray, link_cost: ndarray) -> float:
    """Cost of the route with these links."""
    cost = 0.0
    for link in links:
        cost += link_cost[link]
    return cost


@loop
def route_costs(links: ndarray, ends: ndarray, link_cost: ndarray) -> ndarray:
    """Costs of all routes."""
    costs = np.empty(len(ends) - 1)
    for route in range(len(costs)):
        costs[route] = route_cost(links[ends[route] : ends[route + 1]], link_cost)
    return costs


@loop
def cost_of(link: int, flow: float, costs: Costs) -> tuple[float, float]:
    """Cost of a link at a flow, and its slope."""
    constant, coefficient, power, programs = costs
    cost, slope = formula_cost(link, flow, programs)
    cost += constant[link]
    for term in range(len(coefficient)):
        factor, exponent = coefficient[term, link], power[term, link]
        if factor == 0.0:
            continue
        if exponent == 1.0:
            cost, slope = cost + factor * flow, slope + factor
        elif flow > 0.0:
            rise = factor * flow**exponent
            cost, slope = cost + rise, slope + exponent * rise / flow
        elif exponent < 1.0:
            slope = np.inf
    return cost, slope


@loop
def sweep(
    routes_of: ndarray,
    links: ndarray,
    ends: ndarray,
    flow: ndarray,
    total: ndarray,
    costs: Costs,
    kind: ndarray,
    surcharge: ndarray,
) -> float:
    """Let the travellers of every pair in turn leave each dearer route for the cheapest one, in place.

    ``routes_of`` has the first route of each pair, and the end; ``flow`` is ``[route]`` and ``total``
    ``[link]``; ``kind`` is the class of each pair, and ``surcharge`` what links cost it too. So many leave
    that both routes cost the same, or all do: the potential never rises. Returns what travellers paid in
    excess of the cheapest of these routes, as the sweep found them.
    """
    paid = 0.0
    cost = np.empty(len(total))
    for link in range(len(total)):
        cost[link] = cost_of(link, total[link], costs)[0]
    change = np.zeros(len(total))  # of flows: 1 on the route that is joined, -1 on the one that is left
    changed = np.empty(len(total), dtype=np.int64)  # links on one of both routes
    for pair in range(len(routes_of) - 1):
        first, end = routes_of[pair], routes_of[pair + 1]
        if end - first < 2:
            continue
        tolls_of_class = surcharge[kind[pair]]
        tolls = route_costs(links, ends[first : end + 1], tolls_of_class)
        cheapest = first + np.argmin(route_costs(links, ends[first : end + 1], cost) + tolls)
        joined = links[ends[cheapest] : ends[cheapest + 1]]
        for route in range(first, end):
            if route == cheapest or flow[route] == 0.0:
                continue
            left = links[ends[route] : ends[route + 1]]
            saved = tolls[route - first] - tolls[cheapest - first]
            excess = route_cost(left, cost) - route_cost(joined, cost) + saved
            if excess <= 0.0:
                continue
            paid += flow[route] * excess

            change[left] -= 1
            change[joined] += 1
            count = 0
            for member in (left, joined):
                for link in member:
                    if change[link] != 0.0:
                        changed[count] = link
                        count += 1
            shift = equalising(changed[:count], change, flow[route], total, costs, saved)
            flow[route] -= shift
            flow[cheapest] += shift
            for link in changed[:count]:
                total[link] = max(total[link] + change[link] * shift, 0.0)
                cost[link] = cost_of(link, total[link], costs)[0]
            change[changed[:count]] = 0.0
    return paid


@loop
def gap_after(
    shift: float, changed: ndarray, change: ndarray, total: ndarray, costs: Costs, saved: float
) -> tuple[float, float]:
    """Excess cost of the abandoned route after a move, and its decrease per unit shifted.

    ``saved`` are the tolls of the route that is left, less those of the one that is joined.
    """
    gap, fall = saved, 0.0
    for link in changed:
        cost, slope = cost_of(link, max(total[link] + change[link] * shift, 0.0), costs)
        gap -= change[link] * cost
        fall += slope
    return gap, fall


@loop
def equalising(
    changed: ndarray, change: ndarray, most: float, total: ndarray, costs: Costs, saved: float
) -> float:
    """Flow, up to ``most``, whose move makes the route that is left as cheap as the one that is joined."""
    if gap_after(most, changed, change, total, costs, saved)[0] >= 0.0:
        return most
    low, high, shift = 0.0, most, 0.0
    start, fall = gap_after(0.0, changed, change, total, costs, saved)
    gap = start
    for _ in range(ROUNDS):
        shift += gap / fall if fall > 0.0 else np.inf
        # a step of Newton out of the interval that holds the solution is replaced by the middle
        if not low < shift < high:
            shift = (low + high) / 2
        gap, fall = gap_after(shift, changed, change, total, costs, saved)
        if abs(gap) <= CLOSE * start:
            break
        if gap > 0.0:
            low = shift
        else:
            high = shift
    return shift

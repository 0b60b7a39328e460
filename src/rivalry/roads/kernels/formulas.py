"""Compiled evaluation of formulas: values with first and second derivatives in the flow of a link."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from rivalry.roads.formulas import ADD, EXP, FLOW, LARGER, LOG, MULTIPLY, NEGATIVE
from rivalry.tables.kernels.cache import loop

# codes, numbers, where the program of each link begins, whether its marginal toll is added, and its bridges
Programs = tuple[ndarray, ndarray, ndarray, ndarray, ndarray] | None


@loop
def unary(code: int, number: float, value: float) -> tuple[float, float, float]:
    """Value of a function of one argument, and its first and second derivative."""
    if code == NEGATIVE:
        return -value, -1.0, 0.0
    if code == EXP:
        rise = np.exp(value)
        return rise, rise, rise
    if code == LOG:
        return np.log(value), value**-1.0, -(value**-2.0)
    return (
        value**number,
        number * value ** (number - 1.0),
        number * (number - 1.0) * value ** (number - 2.0),
    )


@loop
def formula_cost(link: int, flow: float, programs: Programs) -> tuple[float, float]:
    """Cost of a link by its formula at a flow, and its slope; 0 without a formula.

    With its marginal toll the cost is the slope of the convex envelope of total cost: constant on a bridge.
    """
    if programs is None:  # of networks without formulas nothing more is compiled
        return 0.0, 0.0
    codes, numbers, begins, is_marginal, bridges = programs
    begin, end = begins[link], begins[link + 1]
    if begin == end:
        return 0.0, 0.0
    is_level = False
    for bridge in range(len(bridges)):
        low, high = bridges[bridge, 0, link], bridges[bridge, 1, link]
        if low < flow <= high:
            flow, is_level = low, True
    stack = np.empty((end - begin, 3))  # values with both derivatives
    top = -1
    for place in range(begin, end):
        code = codes[place]
        if code <= FLOW:
            top += 1
            stack[top] = 0.0
            stack[top, 0] = flow if code == FLOW else numbers[place]
            stack[top, 1] = 1.0 if code == FLOW else 0.0
        elif code < ADD:
            value, first, second = unary(code, numbers[place], stack[top, 0])
            slope = stack[top, 1]
            stack[top, 2] = first * stack[top, 2] + (second * slope**2 if slope != 0.0 else 0.0)
            stack[top, 0], stack[top, 1] = value, first * slope if slope != 0.0 else 0.0
        else:
            top -= 1
            left, right = stack[top], stack[top + 1]
            if code == ADD:
                left += right
            elif code == MULTIPLY:
                left[2] = left[2] * right[0] + 2 * left[1] * right[1] + left[0] * right[2]
                left[1] = left[1] * right[0] + left[0] * right[1]
                left[0] *= right[0]
            elif (left[0] < right[0]) == (code == LARGER):
                left[:] = right
    cost, slope, bend = stack[0, 0], stack[0, 1], stack[0, 2]
    if is_level:
        return cost + flow * slope if flow > 0.0 else cost, 0.0
    if is_marginal[link] and flow > 0.0:
        return cost + flow * slope, 2 * slope + flow * bend
    return cost, 2 * slope if is_marginal[link] else slope


@loop
def formula_costs(flow: ndarray, programs: Programs) -> tuple[ndarray, ndarray]:
    """Costs by formulas, and their slopes, of all links at their flows."""
    cost, slope = np.empty(len(flow)), np.empty(len(flow))
    for link in range(len(flow)):
        cost[link], slope[link] = formula_cost(link, flow[link], programs)
    return cost, slope

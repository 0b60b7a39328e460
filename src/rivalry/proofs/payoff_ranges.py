"""Bounds on functions of choices over boxes, of the function itself and in mean-value form."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.game import own_payoff
from rivalry.core.space import Simplex
from rivalry.proofs.arithmetic import bounds_of_responses, intervals  # noqa: F401 (the first: a rule)
from rivalry.proofs.arithmetic.enclosure import enclosed
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.program import ByRow, first_tree
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.proofs.spaces.boxes import middle_shares
from rivalry.runtime.jax import floats, jax

if TYPE_CHECKING:
    from rivalry.core.game import Game


def meet(a: Interval, b: Interval) -> Interval:
    """Return the numbers in both intervals; an unknown end is no restriction."""
    return Interval(np.fmax(a.low, b.low), np.fmin(a.high, b.high))


def where(condition: Any, a: Interval, low: Any, high: Any) -> Interval:
    """Return intervals where a condition holds, and others elsewhere."""
    return Interval(np.where(condition, a.low, low), np.where(condition, a.high, high))


def point(value: Any) -> Interval:
    """Return intervals of one number each."""
    return Interval(value, value)


def middle_of(low: ndarray, high: ndarray) -> ndarray:
    """Return midpoints, within the ends."""
    return np.clip(low / 2 + high / 2, low, high)


def weighted(matrix: Interval, vector: Interval) -> Interval:
    """Return products of matrices ``[.. row column]`` and vectors ``[.. column]``."""

    def product(a: Any, b: Any) -> Any:
        return (a @ b[..., None])[..., 0]

    return intervals.contract(matrix, vector, product, vector.shape[-1])


def at(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return a function of ``arguments``, of which derivatives are taken in the last, while JAX traces."""
    *shared, y = arguments
    return shifted(partial(function, *shared), y)(y)[0]


def derivatives(order: int, function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Return a function and its derivatives in the last argument up to an order, while JAX traces."""
    *shared, y = arguments
    traced = shifted(partial(function, *shared), y)
    derivative: list[Callable[[Any], Any]] = [lambda z: traced(z)[0]]
    for _ in range(order):
        derivative.append(jax.jacfwd(derivative[-1]))
    # all of them: on both sides of a kink the last may be the same number
    return [part(y) for part in derivative]


class Range(NamedTuple):
    """Bounds on a function in boxes, and on its slopes where it is smooth."""

    value: Interval  # [box]
    slope: Interval  # [box axis]
    smooth: ndarray  # [box]: whether the slopes are bounds


def range_and_slopes(
    function: Callable[..., Any],
    shared: tuple[Any, ...],
    low: ndarray,
    high: ndarray,
    *rows: ndarray,
    shares: bool = False,
) -> Range:
    """Return bounds ``[box]`` on a function in boxes from ``low [box axis]`` to ``high``, and on its slopes.

    They are the tighter of two: bounds on the function on the box, and bounds from its value at one point and
    the derivatives on the box. The function is of ``shared``, of ``rows``, arrays with boxes in front, and of
    a row of numbers. With ``shares`` only numbers that sum to one count.
    """
    middle = middle_shares(low, high) if shares else middle_of(low, high)
    box, centre = Interval(low, high), point(middle)
    on_box = enclosed(derivatives, (1, function, *shared), *rows, box)
    at_middle = enclosed(at, (function, *shared), *rows, centre)
    value, slope = on_box.values
    with np.errstate(all="ignore"):
        change = (_change_of_shares if shares else _change)(slope, box, centre)
        linear = meet(value, intervals.add(at_middle.values[0], change))
        linear = where(on_box.decided & at_middle.finite, linear, value.low, value.high)
        is_known = on_box.finite & ~np.isnan(value.low)
        return Range(where(is_known, linear, -np.inf, np.inf), slope, on_box.decided & is_known)


def value_range(
    function: Callable[..., Any],
    shared: tuple[Any, ...],
    low: ndarray,
    high: ndarray,
    *rows: ndarray,
) -> Interval:
    """Return the bounds of `range_and_slopes` on a function in boxes ``[box axis]``."""
    return range_and_slopes(function, shared, low, high, *rows).value


def _change(slope: Interval, box: Interval, centre: Interval) -> Interval:
    """Return bounds on the change of a function with slopes ``[.. axis]`` from the centre into the box."""
    return weighted_sum(slope, intervals.subtract(box, centre))


def weighted_sum(slope: Interval, offset: Interval) -> Interval:
    """Return sums of products of numbers ``[.. axis]``."""

    def product(a: Any, b: Any) -> Any:
        return (a[..., None, :] @ b[..., None])[..., 0, 0]

    return intervals.contract(slope, offset, product, offset.shape[-1])


def _change_of_shares(slope: Interval, box: Interval, centre: Interval) -> Interval:
    """Return the bounds of `_change` for numbers that sum to one: a price times the sum may be subtracted.

    Every price gives bounds; the best price is the slope of one of the axes.
    """
    price = slope.low / 2 + slope.high / 2  # [box price]
    price = np.where(np.isfinite(price), price, 0.0)
    priced = intervals.subtract(slope[:, None], point(price[:, :, None]))  # [box price axis]
    offset = intervals.subtract(box, centre)
    offset = offset[:, None]
    # the centre sums to one up to rounding; zero, so that the centre itself is within the bounds
    remainder = intervals.subtract(intervals.ONE, intervals.total(centre, (1,)))
    remainder = Interval(np.minimum(remainder.low, 0.0)[:, None], np.maximum(remainder.high, 0.0)[:, None])
    changes = intervals.add(weighted_sum(priced, offset), intervals.multiply(point(price), remainder))
    return Interval(np.nanmax(changes.low, axis=1), np.nanmin(changes.high, axis=1))


class Curvature(NamedTuple):
    """Bounds on payoffs in boxes of strategies, and on their first and second derivatives."""

    payoff: Interval  # [box]
    slope: Interval  # [box axis]
    hessian: Interval  # [box axis axis]
    known: ndarray  # [box]: whether the derivatives are bounds


def payoff_curvature(game: Game | ByRow, x: Any, player: ndarray, low: ndarray, high: ndarray) -> Curvature:
    """Return bounds on payoffs and their derivatives in boxes ``[box axis]`` of ``player [box]``."""
    shared = own_payoff, *_at_profile(game, x)
    in_box = enclosed(derivatives, (2, *shared), player, Interval(low, high))
    payoff, slope, hessian = in_box.values
    return Curvature(payoff, slope, hessian, in_box.decided & in_box.finite & ~np.isnan(payoff.low))


def payoff_range(game: Game | ByRow, x: Any, player: ndarray, low: ndarray, high: ndarray) -> Range:
    """Return bounds on payoffs of strategies in boxes from ``low [box axis]`` to ``high``, and on slopes.

    ``player [box]`` deviates, the others are at ``x``; every box may have a game and a profile of its own. On
    a simplex the bounds hold for strategies that sum to one.
    """
    shares = isinstance(first_tree(game).space, Simplex)
    shared = _at_profile(game, x)
    return range_and_slopes(own_payoff, shared, low, high, player, shares=shares)


def _at_profile(game: Game | ByRow, x: Any) -> tuple[Any, Any]:
    return (game, x) if isinstance(x, ByRow) else (game, floats(x))

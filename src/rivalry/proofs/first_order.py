"""Enclosures of first-order conditions on boxes of profiles: Krawczyk's operator and Newton's method.

A *first-order point* is a profile at which every player's gradient is zero in the axes where its choice is
inside its bounds, and does not point inwards at a bound.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.tolerances import LAYER
from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.enclosure import enclosed, inverses
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.matrices import diagonally_dominant, diagonals, positive_definite
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.proofs.payoff_ranges import meet, point, weighted, where
from rivalry.proofs.spaces.coordinates import BATCH, OPEN, Coordinates, in_batches
from rivalry.proofs.spaces.simplices import InFractions
from rivalry.runtime.jax import jax

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.game import Game


class FirstOrder(NamedTuple):
    """Enclosures of first-order conditions on boxes, ``[box coordinate]`` where no axes are named."""

    low: Any  # of a smaller box with the same first-order points; empty where low > high
    high: Any
    slope_low: Any  # every player's derivative of its own payoff
    slope_high: Any
    jacobian_low: Any  # derivatives of these, [box coordinate coordinate]
    jacobian_high: Any
    newton: Any  # approximate zero that one step of Newton's method from the midpoint finds
    equation_low: Any  # combinations of derivatives that Newton's method solves; zero where all are
    equation_high: Any
    influence: Any  # effects on the derivatives; the coordinate of the largest is split first
    of_parameters: Any  # largest effect of a parameter, [box]
    rises: Any  # whether derivatives are certainly above zero
    falls: Any
    unique: Any  # whether the box has exactly one zero, in the smaller box, [box]
    smooth: Any  # whether payoffs have two derivatives on the box, [box]; else nothing is proved


def _slope_function(game: Game, at: Coordinates, y: Array) -> Callable[[Array], Array]:
    """Return derivatives of own payoffs ``[coordinate]`` as a function of choices, while JAX traces."""
    index = np.arange(len(at.player))
    if oracles.gradients.knows(game):
        gradients = shifted(lambda y: oracles.gradients(at.game(game, y), at.profile(y))[at.place], y)
        return lambda z: gradients(z)[0]
    # of the function in which maxima are choices, so that their derivatives are decided
    payoffs = shifted(lambda y: at.game(game, y).payoffs(at.profile(y)), y)
    return lambda z: jax.jacfwd(lambda z: payoffs(z)[0])(z)[at.player, index]


def _slopes(game: Game, at: Coordinates, y: Array) -> Array:
    return _slope_function(game, at, y)(y)


def _slopes_and_jacobian(game: Game, at: Coordinates, y: Array) -> tuple[Array, Array]:
    slopes = _slope_function(game, at, y)
    return slopes(y), jax.jacfwd(slopes)(y)


def _conditions(game: Game, at: Coordinates, y: Array) -> tuple[Array, ...]:
    """Return slopes, their derivatives, payoffs, and terms of the slopes where they are known."""
    # payoffs too: a jump may have no derivative that shows it
    pays = shifted(lambda y: at.game(game, y).payoffs(at.profile(y)), y)(y)[0]
    terms = [at.game(game, y).terms(at.profile(y))[1][at.place]] if _has_terms(game) else []
    return *_slopes_and_jacobian(game, at, y), pays, *terms


def _third_derivatives(game: Game, at: Coordinates, y: Array) -> Array:
    return jax.jacfwd(jax.jacfwd(_slope_function(game, at, y)))(y)


def _has_terms(game: Game) -> bool:
    return isinstance(game, InFractions) and game.has_terms


class _Slopes(NamedTuple):
    """Bounds on slopes and their derivatives in boxes, and on slopes at the midpoints."""

    slope: Interval  # [box coordinate]
    jacobian: Interval  # [box coordinate axis], of choices and parameters
    residual: Interval  # [box coordinate]
    rises: ndarray
    falls: ndarray
    decided: ndarray  # [box]


def _slopes_in(
    game: Game, at: Coordinates, low: ndarray, high: ndarray, side: ndarray, offset: Interval, mid: ndarray
) -> _Slopes:
    """Return the bounds on slopes in boxes ``[box coordinate]``, with midpoints of choices and parameters."""
    # at a bound derivatives are those of the payoffs inside it, which may have a jump or a kink there
    inside = LAYER * (at.high - at.low)
    ends = np.where(side > 0, low - inside, low), np.where(side < 0, high + inside, high)
    thick = intervals.with_neighbours(*at.with_parameters(*ends))
    in_box = enclosed(_conditions, (game, at), thick)
    slope, jacobian, pays, *terms = in_box.values
    decided = in_box.decided & in_box.finite & ~np.any(np.isnan(pays.low), axis=1)
    if at.ranges is None:
        (residual,) = enclosed(_slopes, (game, at), point(mid)).values
    else:  # parameters widen derivatives, less so where these are bounded by their own derivatives
        residual, slope_at_mid = enclosed(_slopes_and_jacobian, (game, at), point(mid)).values
        third = enclosed(_third_derivatives, (game, at), thick)
        (second_derivatives,) = third.values
        finite = np.all(
            np.isfinite(second_derivatives.low) & np.isfinite(second_derivatives.high), axis=(1, 2, 3)
        )
        valid = (third.decided & third.finite & finite)[:, None, None]
        offsets = offset[:, None]
        linear = intervals.add(slope_at_mid, weighted(second_derivatives, offsets))
        jacobian = meet(jacobian, where(valid, linear, -np.inf, np.inf))
    slope = meet(slope, intervals.add(residual, weighted(jacobian, offset)))
    rises, falls = slope.low > 0, slope.high < 0
    for term in terms:  # derivatives have the sign of all their terms, however small the weights
        rises, falls = rises | np.all(term.low > 0, axis=2), falls | np.all(term.high < 0, axis=2)
    return _Slopes(slope, jacobian, residual, rises, falls, decided)


class _Krawczyk(NamedTuple):
    """Newton's equations of the free coordinates from the midpoint, and the image of Krawczyk's operator."""

    step: Interval  # [box coordinate], of Newton's method
    system: Interval  # [box coordinate axis]: how the equations change with choices and parameters
    newton: Interval  # [box coordinate]: the midpoint less the step
    image: Interval  # [box coordinate]: all zeros of the equations in the box are in it


def _krawczyk(slopes: _Slopes, free: ndarray, offset: Interval, mid: ndarray) -> _Krawczyk:
    """Apply the Krawczyk operator to slopes; coordinates that are not ``free`` count as they are."""
    count = free.shape[1]
    unit = np.eye(count, mid.shape[1])
    jacobian = where(free[..., None], slopes.jacobian, 0.0, 0.0)
    middle = (jacobian.low / 2 + jacobian.high / 2)[..., :count]
    square = np.where(free[:, :, None] & free[:, None, :], middle, unit[:, :count])
    # Krawczyk's theorem holds for any matrix, so the inverse needs no bound on its rounding
    inverse = point(inverses(square))
    step = weighted(inverse, where(free, slopes.residual, 0.0, 0.0))
    system = intervals.contract(inverse, jacobian, np.matmul, count)
    newton = intervals.subtract(point(mid[:, :count]), step)
    image = intervals.add(newton, weighted(intervals.subtract(point(unit), system), offset))
    return _Krawczyk(step, system, newton, image)


def _bounds_in_boxes(game: Game, at: Coordinates, low: ndarray, high: ndarray, side: ndarray) -> FirstOrder:
    """Return the same as `first_order`, of all boxes together."""
    mid, count = at.middle(low, high), len(at.player)
    box = Interval(*at.with_parameters(low, high))
    # moves from the midpoint to the ends of the box
    offset = intervals.subtract(box, point(mid))
    slopes = _slopes_in(game, at, low, high, side, offset, mid)
    slope, jacobian, decided = slopes.slope, slopes.jacobian, slopes.decided
    free, open_ = side == 0, side == OPEN
    step, system, newton, image = _krawczyk(slopes, free, offset, mid)
    equation = intervals.add(step, weighted(system, offset))
    valid = decided & np.all(np.isfinite(np.where(free, image.low + image.high, 0.0)), axis=1)
    # one equation solved for its own coordinate, as it is and after Newton's method
    solved = _solved(slopes.residual, jacobian, offset, mid)
    after_newton = meet(image, _solved(step, system, offset, mid))
    # of an open coordinate in which the payoff is concave: its best response, cut at the bounds
    concave = diagonals(jacobian.high) < 0
    response = Interval(np.clip(solved.low, at.low, at.high), np.clip(solved.high, at.low, at.high))
    solved = where(open_, where(concave, response, -np.inf, np.inf), solved.low, solved.high)
    solved = meet(solved, where(free & valid[:, None], after_newton, -np.inf, np.inf))
    moves = decided[:, None] & (free | open_)
    width = box.high - box.low
    influence = np.max(np.maximum(np.abs(jacobian.low), np.abs(jacobian.high)), axis=1) * width
    influence = np.where(np.all(np.isfinite(influence), axis=1, keepdims=True), influence, width)
    inside = ~free | ((image.low > low) & (image.high < high))
    return FirstOrder(
        # fmax and fmin ignore NaN: where nothing is known, the end stays
        low=np.where(moves, np.fmax(low, solved.low), low),
        high=np.where(moves, np.fmin(high, solved.high), high),
        slope_low=slope.low,
        slope_high=slope.high,
        jacobian_low=jacobian.low[..., :count],
        jacobian_high=jacobian.high[..., :count],
        newton=newton.low / 2 + newton.high / 2,
        equation_low=np.where(free, equation.low, 0.0),
        equation_high=np.where(free, equation.high, 0.0),
        influence=influence[:, :count],
        of_parameters=np.max(influence[:, count:], axis=1, initial=0.0),
        rises=slopes.rises,
        falls=slopes.falls,
        # an image in the interior of the box: exactly one zero (Krawczyk)
        unique=valid & np.all(side != OPEN, axis=1) & np.all(inside, axis=1),
        smooth=decided & np.all(np.isfinite(slope.low + slope.high), axis=1),
    )


def _solved(value: Interval, slopes: Interval, offset: Interval, mid: ndarray) -> Interval:
    """Return bounds on the zero of every row of ``value + slopes (y - mid)`` in its diagonal coordinate.

    They are NaN for a row whose diagonal slope may be zero.
    """
    count = slopes.shape[1]
    unit = np.eye(count, mid.shape[1], dtype=bool)
    off_diagonal = where(~unit, slopes, 0.0, 0.0)
    diagonal = slopes.at_ends(diagonals)
    remainder = intervals.add(value, weighted(off_diagonal, offset))
    return intervals.subtract(point(mid[:, :count]), intervals.divide(remainder, diagonal))


def first_order(game: Game, at: Coordinates, low: ndarray, high: ndarray, side: ndarray) -> FirstOrder:
    """Return the enclosures `FirstOrder` of boxes ``[box coordinate]``.

    ``side`` is -1 or 1 where a coordinate stays at its lower or upper bound, 0 where it is between them, and
    `OPEN` where it may be all of these.
    """
    return in_batches(partial(_bounds_in_boxes, game, at), BATCH, low, high, side)


def excluded(enclosures: FirstOrder, side: ndarray) -> ndarray:
    """Return a mask of boxes that are proved to have no first-order point.

    Open choices may be at bounds; see `without_open_sides`.
    """
    monotone = np.where(side <= 0, enclosures.rises, False)
    monotone |= np.where((side == 0) | (side == 1), enclosures.falls, False)
    return np.asarray(
        enclosures.smooth & (monotone.any(axis=1) | np.any(enclosures.low > enclosures.high, axis=1))
    )


def without_open_sides(
    at: Coordinates, enclosures: FirstOrder, side: ndarray
) -> tuple[ndarray, ndarray, ndarray, ndarray]:
    """Return smaller boxes, with open choices at a bound where derivatives push them there, and their sides.

    The last array is a mask of boxes without a first-order point: they contain no such bound.
    """
    low, high, side = enclosures.low.copy(), enclosures.high.copy(), side.copy()
    rises = (side == OPEN) & enclosures.rises & enclosures.smooth[:, None]
    falls = (side == OPEN) & enclosures.falls & enclosures.smooth[:, None]
    empty = np.any((rises & (high < at.high)) | (falls & (low > at.low)), axis=1)
    low, high = np.where(rises, at.high, low), np.where(falls, at.low, high)
    side = np.where(rises, 1.0, np.where(falls, -1.0, side))
    side[(side == OPEN) & (low > at.low) & (high < at.high)] = 0.0
    return low, high, side, empty


def at_most_one_point(enclosures: FirstOrder, side: ndarray) -> ndarray:
    """Return a mask of boxes that have at most one first-order point.

    In choices that are not held at a bound all matrices of derivatives are P-matrices, up to the sign. So
    for two profiles some choice k has ``(x_k - y_k) (g_k(x) - g_k(y)) < 0``. First-order points exclude that:
    where ``x_k > y_k`` the slope g_k is not below zero at x, and not above zero at y. P-matrices are those
    that are diagonally dominant in some units of the choices, and those with a positive definite symmetric
    part.
    """
    free = (side == 0) | (side == OPEN)
    pairs = free[:, :, None] & free[:, None, :]
    identity = np.eye(side.shape[1], dtype=bool)
    low = np.where(pairs, -enclosures.jacobian_high, np.where(identity, 1.0, 0.0))
    high = np.where(pairs, -enclosures.jacobian_low, np.where(identity, 1.0, 0.0))
    diagonal = diagonals(low)
    good = (
        enclosures.smooth
        & np.all(diagonal > 0, axis=1)
        & np.all(np.isfinite(low) & np.isfinite(high), axis=(1, 2))
    )
    single = np.zeros(len(side), bool)
    rows = np.flatnonzero(good)
    low, high, diagonal = low[rows], high[rows], diagonal[rows]
    # in units of powers of two, which round nothing
    unit = np.exp2(-np.round(np.log2(diagonal) / 2))
    low, high = (end * unit[:, :, None] * unit[:, None, :] for end in (low, high))
    single[rows] = diagonally_dominant(low, high, identity) | positive_definite(low, high)
    return single


def newton(
    game: Game, at: Coordinates, y: ndarray, side: ndarray, steps: int = 12
) -> tuple[ndarray, ndarray]:
    """Return ends ``[start coordinate]`` of Newton's method, and their sides; NaN where it fails.

    Open choices are at a bound where their derivative points outwards. Parameters with ranges have the
    midpoints of their ranges.
    """
    if at.ranges is not None:
        game = at.ranges.places.replaced(game, at.ranges.low / 2 + at.ranges.high / 2)
        at = at._replace(ranges=None)  # bounds for all values take longer
    sides = np.where(side == OPEN, 0.0, side)
    for _ in range(steps):
        enclosures = first_order(game, at, y, y, sides)
        # without the rounding of the step
        target = np.clip(enclosures.newton, at.low, at.high)
        target = np.where(sides < 0, at.low, np.where(sides > 0, at.high, target))
        down, up = (y <= at.low) & (enclosures.slope_high < 0), (y >= at.high) & (enclosures.slope_low > 0)
        pushed = np.where(down, -1.0, np.where(up, 1.0, 0.0))
        stays = (side == OPEN) & (pushed != 0)
        y, sides = np.where(stays, y, target), np.where(side == OPEN, pushed, side)
    return y, sides

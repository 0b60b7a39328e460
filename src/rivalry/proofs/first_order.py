"""Enclosures of first-order conditions on boxes of profiles: Krawczyk's operator and Newton's method.

A *first-order point* is a profile at which every player's gradient is zero in the axes where its choice is
inside its bounds, and does not point inwards at a bound.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.tolerances import LAYER
from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.matrices import diagonally_dominant, positive_definite
from rivalry.proofs.arithmetic.numpy_programs import over_rows
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.proofs.payoff_ranges import meet
from rivalry.proofs.spaces.coordinates import BATCH, OPEN, Coordinates
from rivalry.proofs.spaces.simplices import InFractions
from rivalry.runtime.jax import jax, jnp

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.game import Game


class FirstOrder(NamedTuple):
    """Enclosures of first-order conditions on a box of profiles, ``[coordinate]`` where no axes are named.

    Attributes
    ----------
    low, high
        A smaller box with the same first-order points; empty where ``low > high``.
    slope_low, slope_high
        Every player's derivative of its own payoff.
    bend_low, bend_high
        Derivatives of these, ``[coordinate coordinate]``.
    newton
        The approximate zero that one step of Newton's method from the midpoint finds.
    equation_low, equation_high
        The combinations of derivatives that Newton's method solves for each coordinate; zero where all are.
    influence
        Effects on the derivatives; the coordinate of the largest is split first.
    of_parameters
        Largest effect of a parameter.
    rises, falls
        Whether derivatives are certainly above zero, or below it.
    unique
        Whether the box has exactly one zero, in the smaller box.
    smooth
        Whether payoffs have two derivatives on the box; without them nothing is proved.
    """

    low: Any
    high: Any
    slope_low: Any
    slope_high: Any
    bend_low: Any
    bend_high: Any
    newton: Any
    equation_low: Any
    equation_high: Any
    influence: Any
    of_parameters: Any
    rises: Any
    falls: Any
    unique: Any
    smooth: Any


def _first_order(game: Game, at: Coordinates, low: Array, high: Array, side: Array) -> FirstOrder:
    """Apply the Krawczyk operator to the payoff derivatives on one box; coordinates at a bound stay at it."""
    mid, count = at.middle(low, high), len(at.player)
    payoffs = shifted(lambda y: at.game(game, y).payoffs(at.profile(y)), mid)
    index = np.arange(count)
    if oracles.gradients.knows(game):
        gradients = shifted(lambda y: oracles.gradients(at.game(game, y), at.profile(y))[at.place], mid)
    else:  # of the function in which maxima are choices, so that their derivatives are decided
        gradients = payoffs._replace(
            call=lambda shifts, y: [jax.jacfwd(lambda z: payoffs.call(shifts, z)[0])(y)[at.player, index]]
        )
    shifts = payoffs.shifts(mid), gradients.shifts(mid)

    def slopes(shifts: Any, y: Array) -> Array:
        return gradients.call(shifts[1], y)[0]

    has_terms = isinstance(game, InFractions) and game.has_terms

    def derivatives(shifts: Any, y: Array) -> tuple[Array, ...]:
        # payoffs too: a jump may have no derivative that shows it
        arrays = slopes(shifts, y), jax.jacfwd(partial(slopes, shifts))(y), payoffs.call(shifts[0], y)[0]
        return (*arrays, at.game(game, y).terms(at.profile(y))[1][at.place]) if has_terms else arrays

    box, centre = Interval(*at.with_parameters(low, high)), Interval(mid, mid)
    # at a bound derivatives are those of the payoffs inside it, which may have a jump or a kink there
    inside = LAYER * (at.high - at.low)
    ends = jnp.where(side > 0, low - inside, low), jnp.where(side < 0, high + inside, high)
    thick = intervals.with_neighbours(*at.with_parameters(*ends))
    (slope, jacobian, pays, *terms), decided = enclose(derivatives, shifts, mid)(shifts, thick)
    decided = decided & ~jnp.any(jnp.isnan(pays.low)) & payoffs.are_finite(thick)
    if gradients.shifts is not payoffs.shifts:
        decided = decided & gradients.are_finite(thick)
    # moves from the midpoint to the ends of the box
    offset = intervals.subtract(box, centre)
    row = partial(intervals.contract, dot=jnp.matmul, terms=len(mid))
    if at.ranges is None:
        (residual,), _ = enclose(slopes, shifts, mid)(shifts, centre)
    else:  # parameters widen derivatives, less so where these are bounded by their own derivatives
        (residual, slope_at_mid), _ = enclose(lambda *arguments: derivatives(*arguments)[:2], shifts, mid)(
            shifts, centre
        )
        bends = jax.jacfwd(jax.jacfwd(slopes, argnums=1), argnums=1)
        (bend,), smooth = enclose(bends, shifts, mid)(shifts, thick)
        valid = smooth & jnp.all(jnp.isfinite(bend.low) & jnp.isfinite(bend.high))
        linear = intervals.add(slope_at_mid, row(bend, offset))
        linear = Interval(jnp.where(valid, linear.low, -jnp.inf), jnp.where(valid, linear.high, jnp.inf))
        jacobian = meet(jacobian, linear)
    slope = meet(slope, intervals.add(residual, row(jacobian, offset)))
    rises, falls = slope.low > 0, slope.high < 0
    for term in terms:  # derivatives have the sign of all their terms, however small the weights
        rises, falls = rises | jnp.all(term.low > 0, axis=1), falls | jnp.all(term.high < 0, axis=1)
    # equations of the coordinates that are between bounds; the others count as they are
    free = side == 0
    unit = jnp.eye(count, len(mid))
    masked = Interval(
        jnp.where(free[:, None], jacobian.low, 0.0), jnp.where(free[:, None], jacobian.high, 0.0)
    )
    zero = Interval(jnp.where(free, residual.low, 0.0), jnp.where(free, residual.high, 0.0))
    square = jnp.where(free[:, None] & free, (masked.low / 2 + masked.high / 2)[:, :count], unit[:, :count])
    # Krawczyk's theorem holds for any matrix, so the inverse needs no bound on its rounding
    inverse = jnp.linalg.inv(square)
    c = Interval(inverse, inverse)
    step, system = row(c, zero), row(c, masked)
    newton = intervals.subtract(Interval(mid[:count], mid[:count]), step)
    equation = intervals.add(step, row(system, offset))
    image = intervals.add(newton, row(intervals.subtract(Interval(unit, unit), system), offset))
    valid = decided & jnp.all(jnp.isfinite(jnp.where(free, image.low + image.high, 0.0)))
    # one equation solved for its own coordinate, as it is and after Newton's method
    bound_low, bound_high = at.low, at.high
    solved_low, solved_high = _solved(residual, jacobian, offset, mid)
    # of a payoff that is concave in the coordinate: its best response, cut at the bounds
    open_ = side == OPEN
    concave = _diagonal(jacobian.high) < 0
    solved_low = jnp.where(
        open_, jnp.where(concave, jnp.clip(solved_low, bound_low, bound_high), -jnp.inf), solved_low
    )
    solved_high = jnp.where(
        open_, jnp.where(concave, jnp.clip(solved_high, bound_low, bound_high), jnp.inf), solved_high
    )
    next_low, next_high = _solved(step, system, offset, mid)
    solved_low = jnp.fmax(solved_low, jnp.where(free & valid, jnp.fmax(image.low, next_low), -jnp.inf))
    solved_high = jnp.fmin(solved_high, jnp.where(free & valid, jnp.fmin(image.high, next_high), jnp.inf))
    moves = decided & (free | open_)
    size = jnp.max(jnp.maximum(jnp.abs(jacobian.low), jnp.abs(jacobian.high)), axis=0) * (box.high - box.low)
    size = jnp.where(jnp.all(jnp.isfinite(size)), size, box.high - box.low)
    return FirstOrder(
        # fmax and fmin ignore NaN: where nothing is known, the end stays
        jnp.where(moves, jnp.fmax(low, solved_low), low),
        jnp.where(moves, jnp.fmin(high, solved_high), high),
        slope.low,
        slope.high,
        jacobian.low[:, :count],
        jacobian.high[:, :count],
        newton.low / 2 + newton.high / 2,
        jnp.where(free, equation.low, 0.0),
        jnp.where(free, equation.high, 0.0),
        size[:count],
        jnp.max(size[count:]) if at.ranges is not None else 0.0,
        rises,
        falls,
        # an image in the interior of the box: exactly one zero (Krawczyk)
        valid & jnp.all(side != OPEN) & jnp.all(~free | ((image.low > low) & (image.high < high))),
        decided & jnp.all(jnp.isfinite(slope.low + slope.high)),
    )


def _solved(value: Interval, slopes: Interval, offset: Interval, mid: Array) -> tuple[Array, Array]:
    """Return bounds on the zero of every row of ``value + slopes (y - mid)`` in its diagonal coordinate.

    They are NaN for a row whose diagonal slope may be zero.
    """
    count = len(slopes.low)
    unit = jnp.eye(count, len(mid), dtype=bool)
    off_diagonal = Interval(jnp.where(unit, 0.0, slopes.low), jnp.where(unit, 0.0, slopes.high))
    diagonal = Interval(_diagonal(slopes.low), _diagonal(slopes.high))
    remainder = intervals.add(value, intervals.contract(off_diagonal, offset, jnp.matmul, len(mid)))
    solution = intervals.subtract(Interval(mid[:count], mid[:count]), intervals.divide(remainder, diagonal))
    return solution.low, solution.high


def _diagonal(rows: Array) -> Array:
    """Return the diagonal; `jnp.diagonal` has an operation that NumPy's programs lack."""
    return jnp.sum(jnp.where(jnp.eye(len(rows), rows.shape[1], dtype=bool), rows, 0.0), axis=1)


_first_orders = over_rows(_first_order)


def first_order(
    game: Game, at: Coordinates, low: ndarray, high: ndarray, side: ndarray, past_boxes: int = 0
) -> FirstOrder:
    """Return the enclosures `FirstOrder` of boxes ``[box coordinate]``, after ``past_boxes`` other boxes.

    ``side`` is -1 or 1 where a coordinate stays at its lower or upper bound, 0 where it is between them, and
    `OPEN` where it may be all of these.
    """
    return _first_orders(game, at, low, high, side, batch=BATCH, past_rows=past_boxes)


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
    low = np.where(pairs, -enclosures.bend_high, np.where(identity, 1.0, 0.0))
    high = np.where(pairs, -enclosures.bend_low, np.where(identity, 1.0, 0.0))
    diagonal = np.diagonal(low, axis1=1, axis2=2)
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

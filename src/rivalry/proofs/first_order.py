"""Enclosures of first-order conditions on boxes of profiles: Krawczyk's operator and Newton's method.

A *first-order point* is a profile at which every player's gradient is zero in the axes where its choice is
inside its bounds, and does not point inwards at a bound.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

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
    """What is known of a box of profiles; all ``[coordinate]`` but the last four, and the derivatives.

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
    influence
        Which coordinates to split first, the largest.
    of_parameters
        The largest such number of a parameter.
    rises, falls
        Whether derivatives are certainly above zero, or below it.
    unique
        Whether the box has exactly one zero, in the smaller box.
    smooth
        Whether payoffs have two derivatives on the box; else nothing is known.
    """

    low: Any
    high: Any
    slope_low: Any
    slope_high: Any
    bend_low: Any
    bend_high: Any
    newton: Any
    influence: Any
    of_parameters: Any
    rises: Any
    falls: Any
    unique: Any
    smooth: Any


def _first_order(game: Game, at: Coordinates, low: Array, high: Array, side: Array) -> FirstOrder:
    """Apply Krawczyk's operator to the own derivatives on one box; coordinates at a bound stay there."""
    mid, count = at.middle(low, high), len(at.player)
    payoffs = shifted(lambda y: at.game(game, y).payoffs(at.profile(y)), mid)
    own = np.arange(count)
    if oracles.gradients.knows(game):
        gradients = shifted(lambda y: oracles.gradients(at.game(game, y), at.profile(y))[at.place], mid)
    else:  # of the function in which maxima are choices, so that their derivatives are decided
        gradients = payoffs._replace(
            call=lambda shifts, y: [jax.jacfwd(lambda z: payoffs.call(shifts, z)[0])(y)[at.player, own]]
        )
    shifts = payoffs.shifts(mid), gradients.shifts(mid)

    def slopes(shifts: Any, y: Array) -> Array:
        found: Array = gradients.call(shifts[1], y)[0]
        return found

    has_terms = isinstance(game, InFractions) and game.has_terms

    def every(shifts: Any, y: Array) -> tuple[Array, ...]:
        # payoffs too: a jump may have no derivative that shows it
        found = slopes(shifts, y), jax.jacfwd(partial(slopes, shifts))(y), payoffs.call(shifts[0], y)[0]
        return (*found, at.game(game, y).terms(at.profile(y))[1][at.place]) if has_terms else found

    box, centre = Interval(*at.with_parameters(low, high)), Interval(mid, mid)
    # at a bound derivatives are those of the payoffs inside it, which may have a jump or a kink there
    inside = LAYER * (at.high - at.low)
    ends = jnp.where(side > 0, low - inside, low), jnp.where(side < 0, high + inside, high)
    thick = intervals.around(*at.with_parameters(*ends))
    (slope, jacobian, pays, *terms), decided = enclose(every, shifts, mid)(shifts, thick)
    decided = decided & ~jnp.any(jnp.isnan(pays.low)) & payoffs.are_finite(thick)
    if gradients.shifts is not payoffs.shifts:
        decided = decided & gradients.are_finite(thick)
    # moves from the midpoint to the ends of the box
    away = intervals.subtract(box, centre)
    row = partial(intervals.contract, dot=jnp.matmul, terms=len(mid))
    if at.ranges is None:
        (residual,), _ = enclose(slopes, shifts, mid)(shifts, centre)
    else:  # parameters widen derivatives, less so where these are bounded by their own derivatives
        (residual, there), _ = enclose(lambda *given: every(*given)[:2], shifts, mid)(shifts, centre)
        bends = jax.jacfwd(jax.jacfwd(slopes, argnums=1), argnums=1)
        (bend,), smooth = enclose(bends, shifts, mid)(shifts, thick)
        known = smooth & jnp.all(jnp.isfinite(bend.low) & jnp.isfinite(bend.high))
        linear = intervals.add(there, row(bend, away))
        linear = Interval(jnp.where(known, linear.low, -jnp.inf), jnp.where(known, linear.high, jnp.inf))
        jacobian = meet(jacobian, linear)
    slope = meet(slope, intervals.add(residual, row(jacobian, away)))
    rises, falls = slope.low > 0, slope.high < 0
    for one in terms:  # derivatives have the sign of all their terms, however small the weights
        rises, falls = rises | jnp.all(one.low > 0, axis=1), falls | jnp.all(one.high < 0, axis=1)
    # equations of the coordinates that are between bounds; the others count as they are
    free = side == 0
    unit = jnp.eye(count, len(mid))
    some = Interval(jnp.where(free[:, None], jacobian.low, 0.0), jnp.where(free[:, None], jacobian.high, 0.0))
    zero = Interval(jnp.where(free, residual.low, 0.0), jnp.where(free, residual.high, 0.0))
    square = jnp.where(free[:, None] & free, (some.low / 2 + some.high / 2)[:, :count], unit[:, :count])
    inverse = jnp.linalg.inv(square)
    c = Interval(inverse, inverse)
    step, system = row(c, zero), row(c, some)
    newton = intervals.subtract(Interval(mid[:count], mid[:count]), step)
    image = intervals.add(newton, row(intervals.subtract(Interval(unit, unit), system), away))
    known = decided & jnp.all(jnp.isfinite(jnp.where(free, image.low + image.high, 0.0)))
    # one equation solved for its own coordinate, as it is and after Newton's method
    first, last = at.low, at.high
    own_low, own_high = _solved(residual, jacobian, away, mid)
    # of a payoff that is concave in the coordinate: its best response, cut at the bounds
    open_ = side == OPEN
    concave = _diagonal(jacobian.high) < 0
    own_low = jnp.where(open_, jnp.where(concave, jnp.clip(own_low, first, last), -jnp.inf), own_low)
    own_high = jnp.where(open_, jnp.where(concave, jnp.clip(own_high, first, last), jnp.inf), own_high)
    next_low, next_high = _solved(step, system, away, mid)
    own_low = jnp.fmax(own_low, jnp.where(free & known, jnp.fmax(image.low, next_low), -jnp.inf))
    own_high = jnp.fmin(own_high, jnp.where(free & known, jnp.fmin(image.high, next_high), jnp.inf))
    moves = decided & (free | open_)
    size = jnp.max(jnp.maximum(jnp.abs(jacobian.low), jnp.abs(jacobian.high)), axis=0) * (box.high - box.low)
    size = jnp.where(jnp.all(jnp.isfinite(size)), size, box.high - box.low)
    return FirstOrder(
        jnp.where(moves, jnp.fmax(low, own_low), low),
        jnp.where(moves, jnp.fmin(high, own_high), high),
        slope.low,
        slope.high,
        jacobian.low[:, :count],
        jacobian.high[:, :count],
        newton.low / 2 + newton.high / 2,
        size[:count],
        jnp.max(size[count:]) if at.ranges is not None else 0.0,
        rises,
        falls,
        known & jnp.all(side != OPEN) & jnp.all(~free | ((image.low > low) & (image.high < high))),
        decided & jnp.all(jnp.isfinite(slope.low + slope.high)),
    )


def _solved(value: Interval, slopes: Interval, away: Interval, mid: Array) -> tuple[Array, Array]:
    """Return where ``value + slopes (y - mid)`` can be zero in the own coordinate of every row.

    Nothing is known, which is NaN, of rows whose own slope may be zero.
    """
    count = len(slopes.low)
    unit = jnp.eye(count, len(mid), dtype=bool)
    others = Interval(jnp.where(unit, 0.0, slopes.low), jnp.where(unit, 0.0, slopes.high))
    own = Interval(_diagonal(slopes.low), _diagonal(slopes.high))
    rest = intervals.add(value, intervals.contract(others, away, jnp.matmul, len(mid)))
    found = intervals.subtract(Interval(mid[:count], mid[:count]), intervals.divide(rest, own))
    return found.low, found.high


def _diagonal(rows: Array) -> Array:
    """Return the own entry of every row; `jnp.diagonal` has an operation that NumPy's programs lack."""
    return jnp.sum(jnp.where(jnp.eye(len(rows), rows.shape[1], dtype=bool), rows, 0.0), axis=1)


_first_orders = over_rows(_first_order)


def first_order(
    game: Game, at: Coordinates, low: np.ndarray, high: np.ndarray, side: np.ndarray, seen: int = 0
) -> FirstOrder:
    """Return what is known of boxes ``[box coordinate]``, after ``seen`` others; see `FirstOrder`.

    ``side`` is -1 or 1 where a coordinate stays at its lower or upper bound, 0 where it is between them, and
    `OPEN` where it may be all of these.
    """
    found: FirstOrder = _first_orders(game, at, low, high, side, batch=BATCH, seen=seen)
    return found


def excluded(found: FirstOrder, side: np.ndarray) -> np.ndarray:
    """Return for which boxes it is proved that they have no first-order point.

    Open choices may be at bounds; see `without_open_sides`.
    """
    away = np.where(side <= 0, found.rises, False)
    away |= np.where((side == 0) | (side == 1), found.falls, False)
    return np.asarray(found.smooth & (away.any(axis=1) | np.any(found.low > found.high, axis=1)))


def without_open_sides(
    at: Coordinates, found: FirstOrder, side: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return smaller boxes, with open choices at a bound where derivatives push them there, and their sides.

    The last of the arrays tells the boxes without a first-order point, because no bound is there.
    """
    low, high, side = found.low.copy(), found.high.copy(), side.copy()
    rises = (side == OPEN) & found.rises & found.smooth[:, None]
    falls = (side == OPEN) & found.falls & found.smooth[:, None]
    gone = np.any((rises & (high < at.high)) | (falls & (low > at.low)), axis=1)
    low, high = np.where(rises, at.high, low), np.where(falls, at.low, high)
    side = np.where(rises, 1.0, np.where(falls, -1.0, side))
    side[(side == OPEN) & (low > at.low) & (high < at.high)] = 0.0
    return low, high, side, gone


def at_most_one_point(found: FirstOrder, side: np.ndarray) -> np.ndarray:
    """Return which boxes have at most one first-order point.

    In choices that are not held at a bound all matrices of derivatives are P-matrices, up to the sign. So
    for two profiles some choice k has ``(x_k - y_k) (g_k(x) - g_k(y)) < 0``. First-order points exclude that:
    where ``x_k > y_k`` the slope g_k is not below zero at x, and not above zero at y. P-matrices are those
    that are diagonally dominant in some units of the choices, and those with a positive definite symmetric
    part.
    """
    free = (side == 0) | (side == OPEN)
    both = free[:, :, None] & free[:, None, :]
    one = np.eye(side.shape[1], dtype=bool)
    low = np.where(both, -found.bend_high, np.where(one, 1.0, 0.0))
    high = np.where(both, -found.bend_low, np.where(one, 1.0, 0.0))
    own = np.diagonal(low, axis1=1, axis2=2)
    good = found.smooth & np.all(own > 0, axis=1) & np.all(np.isfinite(low) & np.isfinite(high), axis=(1, 2))
    single = np.zeros(len(side), dtype=bool)
    rows = np.flatnonzero(good)
    low, high, own = low[rows], high[rows], own[rows]
    # in units of powers of two, which round nothing
    unit = np.exp2(-np.round(np.log2(own) / 2))
    low, high = (end * unit[:, :, None] * unit[:, None, :] for end in (low, high))
    single[rows] = diagonally_dominant(low, high, one) | positive_definite(low, high)
    return single


def newton(
    game: Game, at: Coordinates, y: np.ndarray, side: np.ndarray, steps: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    """Return where Newton's method goes from starts ``[start coordinate]``, and its sides; NaN if it fails.

    Open choices are at a bound where their derivative pushes them there. Parameters with ranges are in the
    middle of these.
    """
    if at.ranges is not None:
        game = at.ranges.places.replaced(game, at.ranges.low / 2 + at.ranges.high / 2)
        at = at._replace(ranges=None)  # bounds for all values take longer
    chosen = np.where(side == OPEN, 0.0, side)
    for _ in range(steps):
        found = first_order(game, at, y, y, chosen)
        # without the rounding of the step
        after = np.clip(found.newton, at.low, at.high)
        after = np.where(chosen < 0, at.low, np.where(chosen > 0, at.high, after))
        down, up = (y <= at.low) & (found.slope_high < 0), (y >= at.high) & (found.slope_low > 0)
        pushed = np.where(down, -1.0, np.where(up, 1.0, 0.0))
        stays = (side == OPEN) & (pushed != 0)
        y, chosen = np.where(stays, y, after), np.where(side == OPEN, pushed, side)
    return y, chosen

"""Proofs about profiles of games whose payoffs JAX can trace: first-order points and exact equilibria.

All bounds are computed in interval arithmetic (`rivalry.proofs.arithmetic.intervals`). A *first-order point*
is a profile at which every player's gradient is zero in the axes where its choice is inside its bounds, and
does not point inwards at a bound.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import factorial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core import oracles
from rivalry.core.dispatch import Unsupported
from rivalry.core.game import exchangeable_labels
from rivalry.core.space import Box, visibly_apart
from rivalry.core.tolerances import DOMINANCE, EIGENVALUE_ERROR, LAYER
from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.numpy_programs import over_rows
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.proofs.payoff_ranges import meet, value_range
from rivalry.proofs.spaces.boxes import boxes_around, halves, widths_and_middles
from rivalry.proofs.spaces.logarithms import MOST_SHARES, InLogs, amounts, at_profile, profile_bounds
from rivalry.proofs.spaces.simplices import InFractions
from rivalry.runtime.jax import jax, jnp, put

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.game import Game
    from rivalry.proofs.spaces.parameter_ranges import Ranges

BATCH = 256  # boxes per call of a compiled program
ORDERS = 5040  # of exchangeable players, of which one is searched and all are listed
UNITS = 20  # steps of the power method for units of choices
INFLATE = 0.1  # of the range: the first box in which uniqueness is tried
SAME_PLACE = 1e-3  # of the range: a longer step of Newton's method leads to another place
OPEN = 2.0
"""Side of a choice that may be at every bound of the game that its box touches, or between them."""


class Coordinates(NamedTuple):
    """The entries of a profile that players choose, in one row, ``[coordinate]``.

    Attributes
    ----------
    player, axis
        Where each entry is.
    low, high
        Its bounds.
    start
        A profile with the entries that nobody chooses.
    labels
        Of exchangeable players, ``[player]``.
    ranges
        Parameters of the game for all values of which something is to be proved, or None.
    """

    player: np.ndarray
    axis: np.ndarray
    low: np.ndarray
    high: np.ndarray
    start: np.ndarray
    labels: np.ndarray
    ranges: Ranges | None = None

    @property
    def place(self) -> tuple[Any, Any]:
        """The entries, as an index of profiles."""
        return self.player, self.axis

    def profile(self, y: Array) -> Any:
        """Return the profile ``[player axis]`` of a row of choices, and of parameters if there are any."""
        # unique: derivatives move the entries, where they would add them up and round
        own = y[: len(self.player)]
        return jnp.asarray(self.start).at[self.place].set(own, unique_indices=True)

    def game(self, game: Game, y: Array) -> Any:
        """Return the game with the parameters of such a row."""
        return game if self.ranges is None else self.ranges.places.replaced(game, y[len(self.player) :])

    def with_parameters(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Return the ends of a box of choices followed by those of the parameters."""
        if self.ranges is None:
            return low, high
        return jnp.concatenate([low, self.ranges.low]), jnp.concatenate([high, self.ranges.high])

    def middle(self, low: Array, high: Array) -> Array:
        """Return the midpoint of a box of choices, followed by that of the parameters."""
        low, high = self.with_parameters(low, high)
        return jnp.clip(low / 2 + high / 2, low, high)


def coordinates(game: Game) -> Coordinates:
    """Return the coordinates of a game on a box.

    Raises
    ------
    Unsupported
        For another space.
    """
    space = game.space
    if not isinstance(space, Box):
        raise Unsupported(
            f"proofs: choices are a {type(space).__name__}; must be intervals, or up to {MOST_SHARES} shares"
        )
    low, high = np.asarray(space.low, dtype=float), np.asarray(space.high, dtype=float)
    player, axis = np.nonzero(np.asarray(space.mask) & (high > low))
    if not len(player):
        raise Unsupported("proofs: no player has a choice; must be at least one")
    labels = exchangeable_labels(game)
    orders = np.prod([float(factorial(int(n))) for n in np.unique(labels, return_counts=True)[1]])
    if orders > ORDERS:  # a search of all of them takes less time than to list them
        labels = np.arange(len(labels))
    return Coordinates(player, axis, low[player, axis], high[player, axis], low, labels)


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

    Open choices may be at bounds; see `closed`.
    """
    away = np.where(side <= 0, found.rises, False)
    away |= np.where((side == 0) | (side == 1), found.falls, False)
    return np.asarray(found.smooth & (away.any(axis=1) | np.any(found.low > found.high, axis=1)))


def closed(
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


def alone(found: FirstOrder, side: np.ndarray) -> np.ndarray:
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
    single[rows] = _dominant(low, high, one) | _definite(low, high)
    return single


def _dominant(low: np.ndarray, high: np.ndarray, one: np.ndarray) -> np.ndarray:
    """Return which intervals of matrices are diagonally dominant in some units, with positive entries."""
    own = np.diagonal(low, axis1=1, axis2=2)
    size = np.where(one, 0.0, np.maximum(np.abs(low), np.abs(high)))
    unit = np.ones(own.shape)
    for _ in range(UNITS):  # towards the units in which all rows are equally dominant
        unit = np.einsum("bij,bj->bi", size, unit) / own + 0.1 * unit
        unit = np.maximum(unit / np.max(unit, axis=1, keepdims=True), 1e-6)
    return np.asarray(np.all(own * unit > np.einsum("bij,bj->bi", size, unit) * (1 + DOMINANCE), axis=1))


def _definite(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return which intervals of matrices have positive definite symmetric parts."""
    middle, radius = (low + high) / 2, (high - low) / 2
    middle, radius = (part / 2 + np.swapaxes(part, 1, 2) / 2 for part in (middle, radius))
    room = EIGENVALUE_ERROR * low.shape[1] * (np.abs(middle) + radius).sum(axis=(1, 2))
    return np.asarray(np.linalg.eigvalsh(middle)[:, 0] - radius.sum(axis=2).max(axis=1, initial=0.0) > room)


class DeviationBounds(NamedTuple):
    """What is known of a player's strategies in a box, the others in a box of profiles.

    Attributes
    ----------
    lower, most
        Of the player's gain from one strategy, the midpoint, and from any strategy.
    slope_low, slope_high
        Derivatives of the own payoff in the own strategy, ``[axis]``.
    rises, falls
        Whether they are certainly above zero, or below it, perhaps but where nothing is left to divide.
    bend_low, bend_high
        Second derivatives, ``[axis axis]``.
    smooth
        Whether the own payoff has two derivatives there; if not, they are not known.
    """

    lower: Any
    most: Any
    slope_low: Any
    slope_high: Any
    rises: Any
    falls: Any
    bend_low: Any
    bend_high: Any
    smooth: Any


def _gain(
    game: Game, at: Coordinates, player: Array, low: Array, high: Array, own_low: Array, own_high: Array
) -> DeviationBounds:
    """Bound the gains of strategies from ``own_low`` to ``own_high`` over the play in a box of profiles."""
    middle, mid = at.middle(low, high), jnp.clip(own_low / 2 + own_high / 2, own_low, own_high)

    def pay(y: Array, strategy: Array) -> Array:
        return oracles.deviation_payoff(at.game(game, y), at.profile(y), player)(strategy)

    traced = shifted(pay, middle, mid, about=1)
    shifts = traced.shifts(middle, mid)

    def value(shifts: object, y: Array, strategy: Array) -> Array:
        found: Array = traced.call(shifts, y, strategy)[0]
        return found

    def every(shifts: object, y: Array, strategy: Array) -> tuple[Array, Array, Array]:
        slope = jax.jacfwd(partial(value, shifts, y))
        return value(shifts, y, strategy), slope(strategy), jax.jacfwd(slope)(strategy)

    others, own = Interval(*at.with_parameters(low, high)), Interval(own_low, own_high)
    others.moves = False  # derivatives are taken in the own strategy
    one = enclose(value, shifts, middle, mid)
    (pays, slope, bend), decided = enclose(every, shifts, middle, mid)(shifts, others, own)
    (at_mid,), _ = one(shifts, others, Interval(mid, mid))
    profile = [at.profile(end)[player] for end in (low, high)]
    (here,), _ = one(shifts, others, Interval(*profile))
    row = partial(intervals.contract, dot=jnp.matmul, terms=len(mid))
    linear = intervals.add(at_mid, row(slope, intervals.subtract(own, Interval(mid, mid))))
    known = traced.are_finite(others, own) & traced.are_finite(others, Interval(*profile))
    decided = decided & known & ~jnp.isnan(pays.low)
    upper = jnp.where(decided, jnp.fmin(pays.high, linear.high), pays.high)
    most = jnp.where(known, intervals.subtract(Interval(upper, upper), here).high, jnp.inf)
    lower = jnp.where(known, intervals.subtract(at_mid, here).low, -jnp.inf)
    if at.ranges is not None:  # both payoffs of a gain change with parameters: bound their difference
        ends = at.with_parameters(low, high)
        gain = partial(_gain_of, game, at, player, len(middle))
        rows = [jnp.concatenate(pair) for pair in zip(ends, (own_low, own_high), strict=True)]
        smallest, largest = value_range(gain, rows[0], rows[1])
        most, lower = jnp.fmin(most, largest), jnp.fmax(lower, smallest)
    rises, falls = slope.low > 0, slope.high < 0
    if isinstance(game, InFractions) and game.has_terms:  # of one sign, as in `_first_order`

        def terms_of(y: Array, strategy: Array) -> Array:
            x = at.profile(y).at[player].set(strategy)
            found: Array = at.game(game, y).terms(x)[1][player]
            return found

        (terms,), _ = enclose(terms_of, middle, mid)(others, own)
        rises, falls = rises | jnp.all(terms.low > 0, axis=1), falls | jnp.all(terms.high < 0, axis=1)
    return DeviationBounds(lower, most, slope.low, slope.high, rises, falls, bend.low, bend.high, decided)


def _gain_of(game: Game, at: Coordinates, player: Array, count: int, z: Array) -> Array:
    """Return a player's gain by the strategy at the end of a row, at the ``count`` numbers before it."""
    x = at.profile(z)
    pay = oracles.deviation_payoff(at.game(game, z[:count]), x, player)
    return pay(z[count:]) - pay(x[player])


_gains = over_rows(_gain, shared=3)


def gains(
    game: Game,
    at: Coordinates,
    player: int,
    low: np.ndarray,
    high: np.ndarray,
    own_low: np.ndarray,
    own_high: np.ndarray,
    seen: int = 0,
) -> DeviationBounds:
    """Return what is known of gains in boxes, after ``seen`` others; see `DeviationBounds`.

    Parameters
    ----------
    player
        Who deviates.
    low, high
        Boxes of profiles, ``[box coordinate]``.
    own_low, own_high
        Boxes of its strategies, ``[box axis]``.
    """
    found: DeviationBounds = _gains(game, at, put(player), low, high, own_low, own_high, batch=64, seen=seen)
    return found


def in_batches(function: Callable[..., Any], batch: int, *rows: np.ndarray) -> Any:
    """Call a function of rows ``[box ..]`` on one number of rows at a time, so that it is compiled once."""
    parts = []
    for begin in range(0, len(rows[0]), batch):
        some = [part[begin : begin + batch] for part in rows]
        missing = batch - len(some[0])
        found = function(*(np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) for part in some))
        parts.append([np.asarray(part)[: batch - missing] for part in found])
    return type(found)(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class FirstOrderPoint(NamedTuple):
    """A first-order point that exists: where, and where it is the only one, ``[coordinate]``.

    In that box it is the only one of the sides ``alone_side``, its own or open ones.
    """

    low: np.ndarray
    high: np.ndarray
    alone_low: np.ndarray
    alone_high: np.ndarray
    side: np.ndarray
    alone_side: np.ndarray

    @property
    def centre(self) -> np.ndarray:
        """The midpoint."""
        return np.asarray(np.clip((self.low + self.high) / 2, self.low, self.high))


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


def first_order_points(
    game: Game, at: Coordinates, y: np.ndarray, side: np.ndarray
) -> list[FirstOrderPoint | None]:
    """Return the first-order point near each of ``y [candidate coordinate]``, with a proof that it exists.

    None stands for a candidate without a proof.
    """
    span, free = at.high - at.low, side == 0
    radii = INFLATE * 4.0 ** -np.arange(20.0)[:, None, None] * span  # [radius 1 coordinate]
    low, high = (
        np.where(free, np.clip(y + sign * radii, at.low, at.high), y).reshape(-1, len(span))
        for sign in (-1, 1)
    )
    sides = np.tile(side, (len(radii), 1))
    found: list[FirstOrderPoint | None] = [None] * len(y)
    if not len(y):
        return found
    every = first_order(game, at, low, high, sides)
    unique = every.unique.reshape(len(radii), len(y))
    proved = np.flatnonzero(unique.any(axis=0))
    if not len(proved):
        return found
    # the largest box, since others within it need not be searched, and the smallest
    largest = unique.argmax(axis=0)[proved] * len(y) + proved
    smallest = (len(radii) - 1 - unique[::-1].argmax(axis=0)[proved]) * len(y) + proved
    near_low, near_high = every.low[smallest], every.high[smallest]
    for _ in range(5):
        again = first_order(game, at, near_low, near_high, side[proved])
        near_low, near_high = again.low, again.high
    # at a bound the payoff must fall inwards, strictly: else the point may be none
    s = side[proved]
    falls = np.where(s < 0, again.slope_high < 0, True) & np.where(s > 0, again.slope_low > 0, True)
    for k in np.flatnonzero(falls.all(axis=1)):
        only = low[largest[k]], high[largest[k]]
        found[proved[k]] = FirstOrderPoint(near_low[k], near_high[k], *only, s[k], s[k])
    return found


def enlarged(game: Game, at: Coordinates, points: list[FirstOrderPoint]) -> list[FirstOrderPoint]:
    """Return points with larger boxes in which they are the only ones of all sides, where that is proved."""
    if not points:
        return points
    middle, radii = np.array([point.centre for point in points]), 2.0 ** -np.arange(14.0)
    reach = radii[:, None, None] * (at.high - at.low)
    low, high = np.maximum(middle - reach, at.low), np.minimum(middle + reach, at.high)
    ends = [end.reshape(-1, middle.shape[1]) for end in (low, high)]
    side = np.full((len(radii) * len(points), middle.shape[1]), OPEN)
    single = alone(first_order(game, at, ends[0], ends[1], side), side).reshape(len(radii), -1)
    found = []
    for k, point in enumerate(points):
        wide = np.flatnonzero(
            single[:, k] & np.all((low[:, k] <= point.low) & (high[:, k] >= point.high), axis=1)
        )
        if len(wide) and np.all(
            (low[wide[0], k] <= point.alone_low) & (high[wide[0], k] >= point.alone_high)
        ):
            point = point._replace(alone_low=low[wide[0], k], alone_high=high[wide[0], k], alone_side=side[0])
        found.append(point)
    return found


class _Refutation(NamedTuple):
    lower: Any  # gain over a box of profiles


def _refuted(game: Game, at: Coordinates, player: Array, low: Array, high: Array, own: Array) -> _Refutation:
    def gain(y: Array) -> Array:
        x = at.profile(y)
        pay = oracles.deviation_payoff(at.game(game, y), x, player)
        return pay(own) - pay(x[player])

    return _Refutation(value_range(gain, *at.with_parameters(low, high))[0])


_refutations = over_rows(_refuted, shared=3)


def refutation(
    game: Game,
    at: Coordinates,
    player: int,
    low: np.ndarray,
    high: np.ndarray,
    strategy: np.ndarray,
    seen: int = 0,
) -> np.ndarray:
    """Return for which boxes ``[box coordinate]`` a player gains by one strategy at every profile in them."""
    found = _refutations(game, at, put(player), low, high, strategy, batch=BATCH, seen=seen)
    return np.asarray(found.lower > 0)


def _better_together(
    game: Game, at: Coordinates, low: Array, high: Array, own: Array, largest: Array
) -> _Refutation:
    def deviations(y: Array) -> Array:
        x, here = at.profile(y), at.game(game, y)
        pays = [oracles.deviation_payoff(here, x, player)(one) for player, one in enumerate(own)]
        return jnp.sum(jnp.stack(pays))

    ends = at.with_parameters(low, high)
    _, most = value_range(lambda y: jnp.sum(at.game(game, y).payoffs(at.profile(y))), *ends)
    sure = value_range(deviations, *ends)[0]
    return _Refutation(jnp.where(most < jnp.inf, sure - jnp.minimum(most, largest), -jnp.inf))


_refutations_together = over_rows(_better_together, shared=2)


def refutation_together(
    game: Game,
    at: Coordinates,
    low: np.ndarray,
    high: np.ndarray,
    strategies: np.ndarray,
    largest: float,
    seen: int = 0,
) -> np.ndarray:
    """Return for which boxes ``[box coordinate]`` players gain together by ``strategies [box player axis]``.

    Each takes its strategy while the others stay. If what they are paid adds up to more than all payoffs do,
    of which ``largest`` is a bound, some player gains at every profile in the box: not always the same one.
    """
    bounds = np.full(len(low), largest)
    found = _refutations_together(game, at, low, high, strategies, bounds, batch=BATCH, seen=seen)
    return np.asarray(found.lower > 0)


def equilibrium_near(game: Game, x: np.ndarray) -> tuple[float | None, str]:
    """Return the distance from a profile to an exact equilibrium that is proved, or None and the reason.

    Both are returned for an equilibrium of which a proof says nothing of this profile: visibly apart, or
    farther than a step of Newton's method may lead.

    Raises
    ------
    Unsupported
        For a game whose choices or payoffs have no interval form.
    """
    here = np.asarray(x, dtype=float)
    if periods := oracles.separate_periods(game):
        radii = []
        for t, (one, part) in enumerate(zip(periods, np.split(here, len(periods), axis=1), strict=True)):
            radius, reason = equilibrium_near(one, part)
            if reason:
                return radius, f"{reason}, in period {t + 1}"
            assert radius is not None
            radii.append(radius)
        return max(radii), ""
    space, (game, y) = game.space, at_profile(game, here)
    at = coordinates(game)
    y = y[at.place]
    close = 1e-9 * (at.high - at.low)
    side = np.where(y <= at.low + close, -1.0, np.where(y >= at.high - close, 1.0, 0.0))[None]
    start = np.where(side < 0, at.low, np.where(side > 0, at.high, y))
    (point,) = first_order_points(game, at, newton(game, at, start, side, 4)[0], side)
    if point is None:
        return None, f"no exact equilibrium is proved: {_missing(game, at, start, side)}"
    word = judge(game, at, point, 100_000)  # of one profile a proof may take longer than in a list
    if word != "equilibrium":
        what = "neither proved nor refuted" if word == "undecided" else word
        return None, f"no exact equilibrium is proved: the nearest first-order point is {what}"
    ends = np.array([at.start, at.start])
    ends[:, *at.place] = point[:2]
    low, high = profile_bounds(game, *ends)
    apart = np.maximum(np.abs(here - low), np.abs(here - high))
    radius, middle = float(np.nextafter(apart.max(initial=0.0), np.inf)), low / 2 + high / 2
    step = np.abs(point[0] / 2 + point[1] / 2 - y)
    visible = np.any(step > close) and np.any(visibly_apart(space, here, middle))
    if visible or np.any(step > SAME_PLACE * (at.high - at.low)):
        there = [[float(f"{amount:.6g}") for amount in row] for row in middle.tolist()]
        words = f"a proved one is at {there}, {radius:.3g} away"
        return radius, f"no exact equilibrium is proved here: {words}"
    return radius, ""


def _missing(game: Game, at: Coordinates, y: np.ndarray, side: np.ndarray) -> str:
    """Return what the proof of a first-order point lacks at one of them in floating point."""
    found = first_order(game, at, y, y, side)
    # a jump at the point itself shows beside it
    room = np.where(side == 0, 1e-9 * (at.high - at.low), 0.0)
    around = first_order(game, at, np.maximum(y - room, at.low), np.minimum(y + room, at.high), side)
    if not found.smooth[0] or not around.smooth[0]:
        return "payoffs have a kink or a jump there, or no finite derivatives"
    if np.any((side < 0) & (found.slope_high >= 0) | (side > 0) & (found.slope_low <= 0)):
        return "the derivative at a bound is zero or points inside"
    if np.any((side == 0) & (np.abs(found.newton - y) > SAME_PLACE * (at.high - at.low))):
        return "no first-order point is near"
    return "the first-order conditions are degenerate there"


def judge(game: Game, at: Coordinates, point: FirstOrderPoint, limit: int = 20_000) -> str:
    """Return what is proved of a first-order point.

    ``equilibrium``: no player gains by any strategy. ``not an equilibrium``: some player gains.
    ``undecided``: neither is proved.
    """
    if isinstance(game, InLogs):  # better strategies may have amounts of zero
        game, point = game.game, FirstOrderPoint(*amounts(*point[:2]), *amounts(*point[2:4]), *point[4:])
        at = coordinates(game)._replace(ranges=at.ranges)
    word = "equilibrium"
    for player in range(len(at.start)):
        found = judge_player(game, at, point, player, limit)
        if found == "not an equilibrium":
            return found
        word = word if found == "equilibrium" else found
    return word


def judge_player(
    game: Game, at: Coordinates, point: FirstOrderPoint, player: int, limit: int, near: Any = None
) -> str:
    """Return what `judge` says of one player; with ``near`` of its strategies outside a box ``[axis]``."""
    mine = np.flatnonzero(at.player == player)
    if not len(mine):
        return "equilibrium"
    rows = at.axis[mine]
    space_low, space_high = at.start[player].copy(), at.start[player].copy()
    space_low[rows], space_high[rows] = at.low[mine], at.high[mine]
    ask = partial(_ask, game, at, point, player)
    grow = partial(boxes_around, game.space, player)  # type: ignore[arg-type]
    near = near or _nearby(ask, grow, point, mine, rows, np.stack([space_low, space_high]))
    near = near or (space_low + np.nan, space_low + np.nan)
    low, high = space_low[None], space_high[None]
    parts = partial(widths_and_middles, game.space, player)  # type: ignore[arg-type]
    span = np.where(space_high > space_low, parts(low, high)[0], 1.0)
    seen = 0
    while len(low):
        low, high, _ = halves(game.space, player, low, high, span)  # type: ignore[arg-type]
        found = ask(low, high, seen)
        seen += len(low)
        inside = np.all((low >= near[0]) & (high <= near[1]), axis=1)
        if np.any((found.lower > 0) & ~inside):
            return "not an equilibrium"
        # the best strategy is not where payoffs rise or fall towards other strategies
        leads = found.smooth[:, None] & (
            (found.rises & (high < space_high)) | (found.falls & (low > space_low))
        )
        open_ = ~(found.most < 0) & ~inside & ~leads.any(axis=1)
        low, high = low[open_], high[open_]
        narrow = np.all(parts(low, high)[0] <= 1e-9 * span, axis=1)
        if seen > limit or narrow.any():
            return "undecided"
    return "equilibrium"


def _ask(
    game: Game,
    at: Coordinates,
    point: FirstOrderPoint,
    player: int,
    low: np.ndarray,
    high: np.ndarray,
    seen: int = 0,
) -> DeviationBounds:
    count = len(low)
    at_low, at_high = (np.repeat(end[None], count, axis=0) for end in (point.low, point.high))
    return gains(game, at, player, at_low, at_high, low, high, seen)


def _nearby(
    ask: Callable[..., DeviationBounds],
    grow: Callable[..., tuple[np.ndarray, np.ndarray]],
    point: FirstOrderPoint,
    mine: np.ndarray,
    rows: np.ndarray,
    whole: np.ndarray,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a box of own strategies around the point in which none is better, as large as can be proved.

    There the payoff falls away from every bound at which the point lies, and is strictly concave in the other
    axes, in which its derivative at the point is zero.
    """
    sizes = 4.0 ** -np.arange(0.0, 12.0)[:, None]
    here = whole.copy()
    here[:, rows] = point.low[mine], point.high[mine]
    low, high = grow(here, whole, sizes)
    found = ask(low, high)
    side = point.side[mine]
    for k in range(len(sizes)):
        if not found.smooth[k]:
            continue
        slope_low, slope_high = found.slope_low[k][rows], found.slope_high[k][rows]
        falls = np.all(np.where(side < 0, slope_high < 0, True) & np.where(side > 0, slope_low > 0, True))
        free = rows[side == 0]
        if falls and negative_definite(
            found.bend_low[k][np.ix_(free, free)], found.bend_high[k][np.ix_(free, free)]
        ):
            return low[k], high[k]
    return None


def negative_definite(low: np.ndarray, high: np.ndarray) -> bool:
    """Return whether every symmetric matrix between ``low`` and ``high`` is certainly negative definite.

    The largest eigenvalue of the middle, with room for rounding, and the norm of the radius sum to less than
    zero.
    """
    if not len(low):
        return True
    if not np.all(np.isfinite(low)) or not np.all(np.isfinite(high)):
        return False
    # definite in any units of the axes: here by powers of two, which round nothing
    unit = np.exp2(-np.round(np.log2(np.maximum(np.abs(np.diag(low + high)), 1e-300)) / 2))
    low, high = low * unit * unit[:, None], high * unit * unit[:, None]
    middle, radius = (low + high) / 2, (high - low) / 2
    middle = (middle + middle.T) / 2
    size = np.abs(middle).sum() + radius.sum()
    largest = np.linalg.eigvalsh(middle)[-1] + np.abs(radius).sum(axis=1).max()
    # eigenvalues of a symmetric matrix are computed to a small multiple of its norm times the rounding unit
    return bool(largest + EIGENVALUE_ERROR * size * len(low) < 0)

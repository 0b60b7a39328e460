"""Proofs that an equilibrium exists where payoffs have kinks, or derivatives of zero at a bound.

A maximum of two numbers is the largest of their means with weights between 0 and 1. A payoff that falls as
the maximum rises is therefore the smallest of functions without a kink, one for each weight, and concave if
all of them are. Where every player's payoff is continuous and concave in its own strategy, the game on a box
has an equilibrium (Debreu, Glicksberg, Fan: by Kakutani's theorem). That point is an equilibrium
of the game if it is not at an end of the box inside the space, and if no strategy outside pays more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.dispatch import Unsupported
from rivalry.core.tolerances import DOMINANCE
from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.matrices import negative_definite
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.proofs.points import FirstOrderPoint, judge_player
from rivalry.proofs.spaces.boxes import boxes_around
from rivalry.proofs.spaces.coordinates import Coordinates, in_batches
from rivalry.runtime.jax import compiled, jax, jnp

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.game import Game

BATCH = 32  # boxes per call of a compiled program
KINKS = 32  # maxima in the payoffs, at most
SIZES = 4.0 ** -np.arange(0.0, 9.0)  # by which a box is inflated, of the range
BOXES = 500  # into which a box, or an end of it, is split
NARROW = 1e-9  # of the range: boxes that are not split
LIMIT = 1000  # boxes of strategies outside


class Bends(NamedTuple):
    """Enclosures of derivatives of payoffs in a box of profiles, on all sides of kinks.

    Attributes
    ----------
    slope_low, slope_high
        Every player's derivatives of its own payoff, ``[coordinate]``.
    bend_low, bend_high
        Derivatives of these, ``[coordinate coordinate]``.
    falls
        Whether a payoff falls with every maximum of which the larger side is not known, ``[player]``.
    smooth
        Whether the larger side of every maximum is known.
    known
        Whether payoffs are continuous there, and these numbers are bounds.
    """

    slope_low: Any
    slope_high: Any
    bend_low: Any
    bend_high: Any
    falls: Any
    smooth: Any
    known: Any


def _bend(game: Game, at: Coordinates, low: Array, high: Array) -> Bends:
    mid = jnp.clip(low / 2 + high / 2, low, high)
    payoffs = shifted(lambda y: game.payoffs(at.profile(y)), mid)
    shapes = [side.shape for side in jax.eval_shape(payoffs.sides, mid)]
    ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])

    def parts(flat: Array) -> list[Array]:
        pieces = zip(ends[:-1], ends[1:], shapes, strict=True)
        return [flat[a:b].reshape(shape) for a, b, shape in pieces]

    count = int(ends[-1])
    if count > KINKS:
        raise Unsupported(f"proofs: payoffs have {count} maxima; must be at most {KINKS}")

    def pay(shifts: object, weights: Array, raised: Array, y: Array) -> Array:
        return payoffs.weighted(shifts, parts(weights), parts(raised), y)[0]

    def slopes(shifts: object, weights: Array, raised: Array, y: Array) -> Array:
        jacobian: Array = jax.jacfwd(lambda z: pay(shifts, weights, raised, z))(y)
        return jacobian[at.player, np.arange(len(y))]

    def derivatives(shifts: object, weights: Array, y: Array) -> tuple[Array, ...]:
        level = jnp.zeros(count)
        bend = jax.jacfwd(partial(slopes, shifts, weights, level))(y)
        raises = jax.jacfwd(lambda raised: pay(shifts, weights, raised, y))(level)
        return slopes(shifts, weights, level, y), bend, raises, pay(shifts, weights, level, y)

    box, shifts = intervals.with_neighbours(low, high), payoffs.shifts(mid)
    sides, compared = enclose(payoffs.sides, mid)(box)
    smallest, largest = (
        jnp.concatenate([jnp.ravel(getattr(side, end)) for side in sides]) if sides else jnp.zeros(0)
        for end in ("low", "high")
    )
    first_larger, second_larger = smallest > 0, largest < 0
    # at a kink the derivatives are means of those of both sides, with any weight from 0 to 1
    weights = Interval(jnp.where(first_larger, 1.0, 0.0), jnp.where(second_larger, 0.0, 1.0))
    half = jnp.full(count, 0.5)
    (slope, bend, raises, pays), decided = enclose(derivatives, shifts, half, mid)(shifts, weights, box)
    # a payoff in which a maximum does not occur has a derivative also where that of the maximum is none
    occurs = jax.vmap(
        lambda row: jnp.isnan(
            jax.jvp(lambda raised: pay(shifts, half, raised, mid), (jnp.zeros(count),), (row,))[1]
        ),
        out_axes=1,
    )(jnp.where(jnp.eye(count, dtype=bool), jnp.nan, 0.0))
    falls = first_larger | second_larger | ~occurs | (raises.high <= 0)
    finite = jnp.isfinite(pays.low) & jnp.isfinite(pays.high)
    valid = decided & compared & jnp.all(finite) & payoffs.are_finite(box)
    return Bends(
        slope.low,
        slope.high,
        bend.low,
        bend.high,
        jnp.all(falls, axis=1),
        jnp.all(first_larger | second_larger),
        valid,
    )


@compiled
def _bends(game: Game, at: Coordinates, low: Array, high: Array) -> Bends:
    return jax.vmap(partial(_bend, game, at))(low, high)


def bends(game: Game, at: Coordinates, low: ndarray, high: ndarray) -> Bends:
    """Return the enclosures `Bends` of boxes ``[box coordinate]``."""
    return in_batches(partial(_bends, game, at), BATCH, low, high)


def is_concave(at: Coordinates, enclosures: Bends, k: int) -> bool:
    """True if in box k every player's payoff is certainly continuous, and concave in its strategy."""
    if not (enclosures.known[k] and enclosures.falls[k].all()):
        return False
    return all(
        _bends_down(enclosures.bend_low[k], enclosures.bend_high[k], at.player == p) for p in set(at.player)
    )


def _bends_down(low: ndarray, high: ndarray, entries: ndarray) -> bool:
    low, high = low[np.ix_(entries, entries)], high[np.ix_(entries, entries)]
    return bool(high[0, 0] <= 0) if len(high) == 1 else negative_definite(low, high)


def is_unique(enclosures: Bends, k: int) -> bool:
    """True if box k has at most one equilibrium: derivatives of slopes are diagonally dominant.

    Then slopes are a one-to-one function in the sense of variational inequalities on a box (a P-function).
    """
    size = np.maximum(np.abs(enclosures.bend_low[k]), np.abs(enclosures.bend_high[k]))
    diagonal = -np.diag(enclosures.bend_high[k])
    off_diagonal = (size.sum(axis=1) - np.diag(size)) * (1 + DOMINANCE)
    return bool(enclosures.known[k] and enclosures.smooth[k] and np.all(diagonal > off_diagonal))


def existence_and_uniqueness(
    game: Game, at: Coordinates, low: ndarray, high: ndarray, other_boxes: tuple[ndarray, ndarray]
) -> tuple[bool, bool]:
    """Truth values: a larger box is proved to contain an equilibrium; it is proved to contain only one.

    Parameters
    ----------
    low, high
        The box, ``[coordinate]``.
    other_boxes
        Ends of boxes that the larger box must not overlap, ``[box coordinate]``.
    """
    reach = SIZES[:, None] * (at.high - at.low)
    lower, upper = np.maximum(low - reach, at.low), np.minimum(high + reach, at.high)
    try:
        enclosures = bends(game, at, lower, upper)
    except Unsupported:
        return False, False
    is_best = partial(_is_best, game, at)
    for k, (box_low, box_high) in enumerate(zip(lower, upper, strict=True)):
        overlaps = np.all((other_boxes[0] <= box_high) & (other_boxes[1] >= box_low), axis=1)
        if np.any(overlaps) or not is_concave(at, enclosures, k):
            continue
        if _is_decided(
            game, at, (box_low, box_high), *_inner_ends(at, box_low, box_high), lambda a, b: False
        ):
            holds = _is_decided(game, at, (box_low, box_high), box_low[None], box_high[None], is_best)
            return holds, holds and any(is_unique(enclosures, j) for j in range(k, len(SIZES)))
    return False, False


def _inner_ends(at: Coordinates, box_low: ndarray, box_high: ndarray) -> tuple[ndarray, ndarray]:
    """Return the ends of a box that are no bounds of the space, as boxes ``[end coordinate]``."""
    low, high = [box_low[None][:0]], [box_high[None][:0]]
    for k in range(len(box_low)):
        for end, bound in ((box_low, at.low), (box_high, at.high)):
            if end[k] != bound[k]:
                for ends, corner in ((low, box_low), (high, box_high)):
                    ends.append(np.where(np.arange(len(box_low)) == k, end, corner)[None])
    return np.concatenate(low), np.concatenate(high)


def _is_decided(
    game: Game,
    at: Coordinates,
    box: tuple[ndarray, ndarray],
    low: ndarray,
    high: ndarray,
    decides: Callable[[ndarray, ndarray], bool],
) -> bool:
    """True if all equilibria on ``box`` in the parts ``[part coordinate]`` are decided."""
    box_count = 0
    while len(low):
        box_count += len(low)
        enclosures = bends(game, at, low, high)
        rises = (enclosures.slope_low > 0) & enclosures.known[:, None]
        falls = (enclosures.slope_high < 0) & enclosures.known[:, None]
        possible = ~np.any((rises & (high < box[1])) | (falls & (low > box[0])), axis=1)
        # whose payoff rises is at the upper end
        low, high = np.where(rises, high, low)[possible], np.where(falls, low, high)[possible]
        open_ = [not decides(a, b) for a, b in zip(low, high, strict=True)]
        low, high = low[open_], high[open_]
        wide = (high - low) / (at.high - at.low)
        if len(low) and (box_count > BOXES or wide.max(axis=1).min() < NARROW):
            return False
        row, axis = np.arange(len(low)), wide.argmax(axis=1)
        a, b = high.copy(), low.copy()
        a[row, axis] = b[row, axis] = (low[row, axis] + high[row, axis]) / 2
        low, high = np.concatenate([low, b]), np.concatenate([a, high])
    return True


def _is_best(game: Game, at: Coordinates, low: ndarray, high: ndarray) -> bool:
    """True if near every profile of a box a best strategy pays more than all others.

    Near it payoffs are concave while the others play in the box; farther away they are bounded.
    """
    point = FirstOrderPoint(low, high, low, high, *np.zeros((2, len(low))))
    for player in np.unique(at.player).tolist():
        coordinates = at.player == player
        rows = at.axis[coordinates]
        space = np.stack([at.start[player]] * 2)
        player_box = space.copy()
        space[:, rows] = at.low[coordinates], at.high[coordinates]
        player_box[:, rows] = low[coordinates], high[coordinates]
        near = np.stack(boxes_around(game.space, player, player_box, space, SIZES[:, None]))  # type: ignore[arg-type]
        boxes = np.repeat(np.stack([low, high])[:, None], len(SIZES), axis=1)
        boxes[..., coordinates] = near[..., rows]
        enclosures = bends(game, at, *boxes)
        for k in range(len(SIZES)):
            concave = _bends_down(enclosures.bend_low[k], enclosures.bend_high[k], coordinates)
            if enclosures.known[k] and enclosures.falls[k, player] and concave:
                break
        else:
            return False
        if judge_player(game, at, point, player, LIMIT, (near[0, k], near[1, k])) != "equilibrium":
            return False
    return True

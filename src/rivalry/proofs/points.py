"""Proofs about profiles of games whose payoffs JAX can trace: first-order points and exact equilibria.

All bounds are computed in interval arithmetic (`rivalry.proofs.arithmetic.intervals`). A *first-order point*
is a profile at which every player's gradient is zero in the axes where its choice is inside its bounds, and
does not point inwards at a bound.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.payoffs import checked_parts
from rivalry.core.space import visibly_apart
from rivalry.proofs.arithmetic.matrices import negative_definite, regular
from rivalry.proofs.arithmetic.operations import operations
from rivalry.proofs.first_order import at_most_one_point, first_order, newton
from rivalry.proofs.gains import DeviationBounds, gains
from rivalry.proofs.spaces.boxes import boxes_around, halves, widths_and_middles
from rivalry.proofs.spaces.coordinates import OPEN, Coordinates, coordinates
from rivalry.proofs.spaces.logarithms import InLogs, amounts, at_profile, profile_bounds
from rivalry.runtime.jax import floats, jax

if TYPE_CHECKING:
    from rivalry.core.game import Game

INFLATE = 0.1  # of the range: the first box in which uniqueness is tried
TIES = 10  # choices at bounds with a derivative of zero: all sets of them are compared
TIED_RADII = 0.5 * 4.0 ** -np.arange(12.0)  # of the range: boxes around ties in which others are excluded
CLOSE = 1e-9  # of the range: a dynamic may stop short of a bound; a choice so close is tried as one at it
SAME_PLACE = 1e-3  # of the range: a longer step of Newton's method leads to another place


class FirstOrderPoint(NamedTuple):
    """A box that contains a first-order point, and a box in which no other exists, ``[coordinate]``.

    The second box contains no other point of the sides ``alone_side``, which are its sides or open.
    """

    low: ndarray
    high: ndarray
    alone_low: ndarray
    alone_high: ndarray
    side: ndarray
    alone_side: ndarray

    @property
    def centre(self) -> ndarray:
        """The midpoint."""
        return np.asarray(np.clip((self.low + self.high) / 2, self.low, self.high))


def nearest_point(game: Game, at: Coordinates, y: ndarray) -> tuple[ndarray, ndarray, FirstOrderPoint | None]:
    """Return the start, on bounds close to ``y``, its sides ``[1 coordinate]`` and the proved point."""
    close = CLOSE * (at.high - at.low)
    side = np.where(y <= at.low + close, -1.0, np.where(y >= at.high - close, 1.0, 0.0))[None]
    start = np.where(side < 0, at.low, np.where(side > 0, at.high, y))
    (point,) = first_order_points(game, at, newton(game, at, start, side, 4)[0], side)
    return start, side, point


def first_order_points(
    game: Game, at: Coordinates, y: ndarray, side: ndarray, strict: ndarray | bool = True
) -> list[FirstOrderPoint | None]:
    """Return a proved first-order point per candidate ``y [candidate coordinate]``; None without a proof.

    A point is in a box around its candidate. At bounds derivatives are only looked at where ``strict``.
    """
    span, free = at.high - at.low, side == 0
    radii = INFLATE * 4.0 ** -np.arange(20.0)[:, None, None] * span  # [radius 1 coordinate]
    low, high = (
        np.where(free, np.clip(y + sign * radii, at.low, at.high), y).reshape(-1, len(span))
        for sign in (-1, 1)
    )
    sides = np.tile(side, (len(radii), 1))
    points: list[FirstOrderPoint | None] = [None] * len(y)
    if not len(y):
        return points
    enclosures = first_order(game, at, low, high, sides)
    unique = enclosures.unique.reshape(len(radii), len(y))
    proved = np.flatnonzero(unique.any(axis=0))
    if not len(proved):
        return points
    # the largest box, since others within it need not be searched, and the smallest
    largest = unique.argmax(axis=0)[proved] * len(y) + proved
    smallest = (len(radii) - 1 - unique[::-1].argmax(axis=0)[proved]) * len(y) + proved
    near_low, near_high = enclosures.low[smallest], enclosures.high[smallest]
    for _ in range(5):
        enclosure = first_order(game, at, near_low, near_high, side[proved])
        near_low, near_high = enclosure.low, enclosure.high
    # at a bound the payoff must fall inwards, strictly: else the point may be none
    s = np.where(strict, side[proved], 0.0)
    falls = np.where(s < 0, enclosure.slope_high < 0, True) & np.where(s > 0, enclosure.slope_low > 0, True)
    for k in np.flatnonzero(falls.all(axis=1)):
        unique_box = low[largest[k]], high[largest[k]]
        points[proved[k]] = FirstOrderPoint(near_low[k], near_high[k], *unique_box, *[side[proved[k]]] * 2)
    return points


def enlarged(game: Game, at: Coordinates, points: list[FirstOrderPoint]) -> list[FirstOrderPoint]:
    """Return the points with larger boxes without any other first-order point, where that is proved."""
    if not points:
        return points
    middle, radii = np.array([point.centre for point in points]), 2.0 ** -np.arange(14.0)
    reach = radii[:, None, None] * (at.high - at.low)
    low, high = np.maximum(middle - reach, at.low), np.minimum(middle + reach, at.high)
    ends = [end.reshape(-1, middle.shape[1]) for end in (low, high)]
    side = np.full((len(radii) * len(points), middle.shape[1]), OPEN)
    single = at_most_one_point(first_order(game, at, ends[0], ends[1], side), side).reshape(len(radii), -1)
    results = []
    for k, point in enumerate(points):
        wide = np.flatnonzero(
            single[:, k] & np.all((low[:, k] <= point.low) & (high[:, k] >= point.high), axis=1)
        )
        if len(wide) and np.all(
            (low[wide[0], k] <= point.alone_low) & (high[wide[0], k] >= point.alone_high)
        ):
            point = point._replace(alone_low=low[wide[0], k], alone_high=high[wide[0], k], alone_side=side[0])
        results.append(point)
    return results


def equilibrium_near(game: Game, x: ndarray) -> tuple[float | None, str]:
    """Return the distance from a profile to an exact equilibrium that is proved, or None and the reason.

    Both are returned for an equilibrium of which a proof says nothing of this profile: visibly apart, or
    farther than a step of Newton's method may lead.

    Raises
    ------
    Unsupported
        For a game whose choices or payoffs have no interval form.
    """
    profile = floats(x)
    if parts := checked_parts(game):
        radii = []
        for part, choices in zip(parts, np.split(profile, len(parts), axis=1), strict=True):
            radius, reason = equilibrium_near(part.game, choices)
            if reason:
                return radius, f"{reason}, in {part.name}"
            assert radius is not None
            radii.append(radius)
        return max(radii), ""
    space, (game, y) = game.space, at_profile(game, profile)
    at = coordinates(game)
    y = y[at.place]
    start, side, point = nearest_point(game, at, y)
    if point is None:
        return None, f"no equilibrium is proved: {_missing(game, at, start, side)}"
    outcome = judge(game, at, point, 100_000)  # of one profile a proof may take longer than in a list
    if outcome != "equilibrium":
        verdict = "neither proved nor refuted" if outcome == "undecided" else outcome
        return None, f"no equilibrium is proved: the nearest first-order point is {verdict}"
    ends = np.array([at.start, at.start])
    ends[:, *at.place] = point[:2]
    low, high = profile_bounds(game, *ends)
    distances = np.maximum(np.abs(profile - low), np.abs(profile - high))
    radius, middle = float(np.nextafter(distances.max(initial=0.0), np.inf)), low / 2 + high / 2
    step = np.abs(point[0] / 2 + point[1] / 2 - y)
    visible = np.any(step > CLOSE * (at.high - at.low)) and np.any(visibly_apart(space, profile, middle))
    if visible or np.any(step > SAME_PLACE * (at.high - at.low)):
        position = [[float(f"{amount:.6g}") for amount in row] for row in middle.tolist()]
        place = f"a proved one is at {position}, {radius:.3g} away"
        return radius, f"no equilibrium is proved here: {place}"
    return radius, ""


def _missing(game: Game, at: Coordinates, y: ndarray, side: ndarray) -> str:
    """Return the reason why a first-order point in floating point has no proof."""
    enclosures = first_order(game, at, y, y, side)
    # a jump at the point itself shows beside it
    room = np.where(side == 0, 1e-9 * (at.high - at.low), 0.0)
    wider = first_order(game, at, np.maximum(y - room, at.low), np.minimum(y + room, at.high), side)
    if not enclosures.smooth[0] or not wider.smooth[0]:
        return "payoffs have a kink or a jump there, or no finite derivatives"
    if np.any((side < 0) & (enclosures.slope_high >= 0) | (side > 0) & (enclosures.slope_low <= 0)):
        return "the derivative at a bound is zero or points inside"
    if np.any((side == 0) & (np.abs(enclosures.newton - y) > SAME_PLACE * (at.high - at.low))):
        return "no first-order point is near"
    return "the first-order conditions are degenerate there"


def judge(game: Game, at: Coordinates, point: FirstOrderPoint, limit: int = 20_000) -> str:
    """Return the verdict on a first-order point, by at most ``limit`` boxes of strategies per player.

    ``equilibrium``: no player gains by any strategy. ``not an equilibrium``: some player gains.
    ``undecided``: neither is proved.
    """
    if isinstance(game, InLogs):  # better strategies may have amounts of zero
        game, point = game.game, FirstOrderPoint(*amounts(*point[:2]), *amounts(*point[2:4]), *point[4:])
        at = coordinates(game)._replace(ranges=at.ranges)
    is_decided = True
    for player in range(len(at.start)):
        verdict = judge_player(game, at, point, player, limit)
        if verdict == "not an equilibrium":
            return verdict
        if verdict == "undecided":
            # linear payoffs gain by none; without ranges such games are listed in fractions
            choices = np.flatnonzero(at.player == player)
            is_tie = at.ranges is not None and is_linear(game, at, choices)
            is_decided = is_decided and is_tie
    return "equilibrium" if is_decided else "undecided"


def judge_player(
    game: Game, at: Coordinates, point: FirstOrderPoint, player: int, limit: int, near: Any = None
) -> str:
    """Return the verdict of `judge` on one player; with ``near`` on strategies outside a box ``[axis]``."""
    indices = np.flatnonzero(at.player == player)
    if not len(indices):
        return "equilibrium"
    space_low, space_high = _strategies(at, player)
    bounds_in = partial(_bounds_at_point, game, at, point, player)
    near = near or concave_box(game, at, point, player)
    near = near or (space_low + np.nan, space_low + np.nan)
    low, high = space_low[None], space_high[None]
    parts = partial(widths_and_middles, game.space, player)  # type: ignore[arg-type]
    span = np.where(space_high > space_low, parts(low, high)[0], 1.0)
    box_count = 0
    while len(low):
        low, high, _ = halves(game.space, player, low, high, span)  # type: ignore[arg-type]
        bounds = bounds_in(low, high)
        box_count += len(low)
        inside = np.all((low >= near[0]) & (high <= near[1]), axis=1)
        if np.any((bounds.lower > 0) & ~inside):
            return "not an equilibrium"
        # the best strategy is not where payoffs rise or fall towards other strategies
        leads = bounds.smooth[:, None] & (
            (bounds.rises & (high < space_high)) | (bounds.falls & (low > space_low))
        )
        open_ = ~(bounds.upper < 0) & ~inside & ~leads.any(axis=1)
        low, high = low[open_], high[open_]
        # a gain whose sign is open in so small a box is a tie, or less than rounding: halving would not end
        narrow = np.all(parts(low, high)[0] <= 1e-9 * span, axis=1)
        if box_count > limit or narrow.any():
            return "undecided"
    return "equilibrium"


def _bounds_at_point(
    game: Game,
    at: Coordinates,
    point: FirstOrderPoint,
    player: int,
    low: ndarray,
    high: ndarray,
) -> DeviationBounds:
    at_low, at_high = (np.repeat(end[None], len(low), axis=0) for end in (point.low, point.high))
    return gains(game, at, player, at_low, at_high, low, high)


def _strategies(at: Coordinates, player: int) -> ndarray:
    """Return bounds on a player's strategies, ``[end axis]``."""
    space, of_player = np.stack([at.start[player]] * 2), at.player == player
    space[:, at.axis[of_player]] = at.low[of_player], at.high[of_player]
    return space


def concave_box(
    game: Game, at: Coordinates, point: FirstOrderPoint, player: int
) -> tuple[ndarray, ndarray] | None:
    """Return bounds ``[axis]`` on strategies around the point of which none is proved to be better.

    Between them the payoff falls away from every bound at which the point lies, and is strictly concave in
    the other axes, in which its derivative at the point is zero.
    """
    indices = np.flatnonzero(at.player == player)
    rows, space = at.axis[indices], _strategies(at, player)
    sizes = 4.0 ** -np.arange(0.0, 12.0)[:, None]
    ends = space.copy()
    ends[:, rows] = point.low[indices], point.high[indices]
    boxes_of = partial(boxes_around, game.space, player)  # type: ignore[arg-type]
    low, high = boxes_of(ends, space, sizes)
    bounds = _bounds_at_point(game, at, point, player, low, high)
    side = point.side[indices]
    for k in range(len(sizes)):
        if not bounds.smooth[k]:
            continue
        slope_low, slope_high = bounds.slope_low[k][rows], bounds.slope_high[k][rows]
        falls = np.all(np.where(side < 0, slope_high < 0, True) & np.where(side > 0, slope_low > 0, True))
        free = rows[side == 0]
        if falls and negative_definite(
            bounds.hessian_low[k][np.ix_(free, free)], bounds.hessian_high[k][np.ix_(free, free)]
        ):
            return low[k], high[k]
    return None


def tied_point(game: Game, at: Coordinates, y: ndarray) -> FirstOrderPoint | None:
    """Return the first-order point at bounds where some derivatives are exactly zero; None without a proof.

    The box in which it is the only one has room in these choices. In another point there some of them, and
    those that are free, have derivatives of zero, but these are one-to-one functions.
    """
    side = np.where(y == at.low, -1.0, np.where(y == at.high, 1.0, 0.0))
    slopes = first_order(game, at, y[None], y[None], side[None])
    outward = np.where(side < 0, -slopes.slope_high[0], slopes.slope_low[0]) > 0
    tie, strict = np.flatnonzero((side != 0) & ~outward), (side != 0) & outward
    if not 0 < len(tie) <= TIES or not _vanish(game, at, y, side, tie):
        return None
    (point,) = first_order_points(game, at, y[None], side[None], strict)
    if point is None:
        return None
    for radius in TIED_RADII:
        low, high = point.alone_low.copy(), point.alone_high.copy()
        inner_end = y - side * radius * (at.high - at.low)
        low[tie], high[tie] = np.minimum(y, inner_end)[tie], np.maximum(y, inner_end)[tie]
        if _is_isolated(game, at, low, high, np.where(strict, side, 0.0), tie):
            return point._replace(alone_low=low, alone_high=high)
    return None


def tied(point: FirstOrderPoint) -> ndarray:
    """Mask of choices at bounds with derivatives of zero: the box in which the point is alone has room."""
    return np.asarray((point.side != 0) & (point.alone_low < point.alone_high))


def is_linear(game: Game, at: Coordinates, choices: ndarray) -> bool:
    """True if the payoff of the player of these choices is linear in them, whatever others choose."""
    player = int(at.player[choices[0]])

    def second_derivatives(z: Any) -> Any:
        hessian = jax.hessian(lambda x: at.game(game, x).payoffs(at.profile(x))[player])(z)
        return hessian[np.ix_(choices, choices)]

    return _is_zero(second_derivatives, at.middle(at.low, at.high), {})


def _vanish(game: Game, at: Coordinates, y: ndarray, side: ndarray, tie: ndarray) -> bool:
    """True if derivatives in choices at bounds are exactly zero for all other choices and parameters."""

    def slopes(z: Any) -> Any:
        jacobian = jax.jacfwd(lambda x: at.game(game, x).payoffs(at.profile(x)))(z)
        return jacobian[at.player, np.arange(len(side))][tie]

    return _is_zero(slopes, at.middle(y, y), {int(k): float(y[k]) for k in np.flatnonzero(side)})


def _is_zero(function: Callable[[Any], Any], example: ndarray, values: dict[int, float]) -> bool:
    nodes, results = operations(function, example, values=values)
    return all(nodes[place] == ("c", 0.0) for place in results)


def _is_isolated(
    game: Game, at: Coordinates, low: ndarray, high: ndarray, side: ndarray, tie: ndarray
) -> bool:
    """True if, with any of the tied choices, derivatives in the free choices are one-to-one in a box."""
    enclosure = first_order(game, at, low[None], high[None], side[None])
    free = [k for k in np.flatnonzero(side == 0) if k not in tie]
    for count in range(1, len(tie) + 1):
        for part in combinations(tie, count):
            index = np.ix_([*free, *part], [*free, *part])
            if not regular(enclosure.jacobian_low[0][index], enclosure.jacobian_high[0][index]):
                return False
    return bool(enclosure.smooth[0])

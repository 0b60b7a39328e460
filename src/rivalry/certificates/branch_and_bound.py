"""Proven upper bounds on a player's payoffs over all of its strategies, by branch and bound."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.dispatch import Unsupported
from rivalry.core.game import Game, payoff_against
from rivalry.core.oracles import Response, payoff_bound
from rivalry.core.reparametrisation import Unconstrained
from rivalry.core.space import EDGE, Box, Simplex
from rivalry.core.tolerances import ROUNDING, SEARCH_TIE, VANISHING
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.matrices import negative_definite
from rivalry.proofs.arithmetic.program import over_rows
from rivalry.proofs.payoff_ranges import Curvature, payoff_curvature, payoff_range
from rivalry.proofs.spaces.boxes import bounding_box, halves, middle_shares
from rivalry.runtime.jax import floats

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.space import Profile, Strategy

BATCH, MAX_BOXES = 256, 40_000
HOPELESS = 250  # boxes without a bound after which no other is sought
PROVED = 1e-8  # times the unit of gains: a bound this close to the best payoff is not refined further
ROOM = 0.01  # of the depth of the layer in which amounts are 0
RADII = 2.0 ** -np.arange(2.0, 17.0)  # of the range: boxes around a strategy in which payoffs may be concave


class Boxes(NamedTuple):
    """Boxes of strategies, and the ends of the parts of the space to which they belong, ``[box axis]``.

    A part is a box in which no amount is zero, or some amounts are zero throughout.
    """

    low: ndarray
    high: ndarray
    floor: ndarray
    ceiling: ndarray

    def pick(self, rows: Any) -> Boxes:
        """Return some of the boxes."""
        return Boxes(*(ends[rows] for ends in self))

    def join(self, *others: Boxes) -> Boxes:
        """Return these boxes and others."""
        return Boxes(*map(np.concatenate, zip(self, *others, strict=True)))


class BoxBounds(NamedTuple):
    """Bounds on payoffs in boxes of strategies, their midpoints, and the payoffs there, ``[box ..]``.

    ``rises`` and ``falls`` say of each axis whether payoffs are strictly monotone in it, in the box and
    beside it within its part of the space.
    """

    upper: Any
    lower: Any
    middle: Any
    payoff: Any
    rises: Any
    falls: Any


class Curved(NamedTuple):
    """Boxes in which a search needs bounds on second derivatives."""

    boxes: Boxes


Search = Generator[Boxes | Curved, Any, Any]
"""A search that yields the boxes whose `BoxBounds`, or `Curvature`, it needs."""


class _Paid(NamedTuple):
    payoff: Any


def _paid_by(game: Game, x: Profile, player: Array, strategy: Strategy) -> _Paid:
    return _Paid(payoff_against(game, x, player)(strategy))


def _bound_by_oracle(game: Game, x: Profile, player: Array, low: Strategy, high: Strategy) -> _Paid:
    return _Paid(payoff_bound(game, x, player, low, high))


_all_paid = over_rows(_paid_by, effort=1)
_bounds_by_oracle = over_rows(_bound_by_oracle, effort=1)


def bounds_of_boxes(game: Game, x: Profile, player: Any, boxes: Boxes, *, enclosed: bool) -> BoxBounds:
    """Return bounds on the payoffs of a player, or of a player per box, in boxes of its strategies.

    They are those of interval arithmetic if ``enclosed``, else those of the oracle `payoff_bound`.

    Raises
    ------
    Unsupported
        For payoffs without an interval form.
    """
    low, high = boxes.low, boxes.high
    players = np.broadcast_to(player, len(low))
    middle = (low + high) / 2
    rises = falls = np.zeros(low.shape, bool)
    if not enclosed:
        upper = _bounds_by_oracle(game, x, players, low, high, batch=BATCH).payoff
        lower = np.full_like(upper, -np.inf)
    elif isinstance(game.space, Simplex):
        middle = middle_shares(low, high)
        payoff, _, _ = payoff_range(game, x, players, low, high)
        lower, upper = payoff.low, payoff.high
    else:  # with the numbers beside them, so that no kink hides between two boxes
        below = np.maximum(np.nextafter(low, -np.inf), boxes.floor)
        above = np.minimum(np.nextafter(high, np.inf), boxes.ceiling)
        payoff, slope, smooth = payoff_range(game, x, players, below, above)
        lower, upper = payoff.low, payoff.high
        rises, falls = (smooth[:, None] & signs for signs in (slope.low > 0, slope.high < 0))
    paid = _all_paid(game, x, players, middle, batch=BATCH).payoff
    return BoxBounds(upper, lower, middle, paid, rises, falls)


def side_by_side(game: Game, x: Any, searches: Mapping[int, Search], *, enclosed: bool) -> list[Response]:
    """Return the results of searches by player; at every step the boxes of all are bounded together.

    A call of the program for all players takes little longer than for one of them.
    """
    results = dict[int, Response]()
    answers: dict[int, Any] = dict.fromkeys(searches)
    while answers:
        requests = dict[int, Boxes | Curved]()
        for player, answer in answers.items():
            search = searches[player]
            try:
                requests[player] = (search.throw if isinstance(answer, Unsupported) else search.send)(answer)
            except StopIteration as end:
                results[player] = end.value
        curved = {player: part.boxes for player, part in requests.items() if isinstance(part, Curved)}
        plain = {player: part for player, part in requests.items() if isinstance(part, Boxes)}
        answers = _answers(curved, lambda players, boxes: _curvature(game, x, players, boxes))
        bound = partial(bounds_of_boxes, game, x, enclosed=enclosed)
        answers |= _answers(plain, bound)
    return [results[player] for player in searches]


def _answers(requests: dict[int, Boxes], bound: Callable[[ndarray, Boxes], Any]) -> dict[int, Any]:
    """Return bounds on the boxes of each player, or the reason why there are none."""
    if not requests:
        return {}
    first, *others = requests.values()
    counts = [len(part.low) for part in requests.values()]
    try:
        bounds = bound(np.repeat(list(requests), counts), first.join(*others))
    except Unsupported as reason:  # payoffs without an interval form
        return dict.fromkeys(requests, reason)
    stops = np.cumsum(counts)
    rows = [slice(stop - count, stop) for stop, count in zip(stops, counts, strict=True)]
    kind = type(bounds)
    return {
        player: kind(*(_rows_of(part, row) for part in bounds))
        for player, row in zip(requests, rows, strict=True)
    }


def _rows_of(part: Any, rows: slice) -> Any:
    return part.at_ends(lambda end: end[rows]) if isinstance(part, Interval) else part[rows]


def _curvature(game: Game, x: Any, players: ndarray, boxes: Boxes) -> Curvature:
    return payoff_curvature(game, x, players, boxes.low, boxes.high)


def parts_of_space(game: Game, player: int) -> Boxes:
    """Return boxes that cover the strategies of a player; amounts of zero on logarithmic axes are apart."""
    low, high = bounding_box(game.space, player)  # type: ignore[arg-type]
    ends = [[(start, stop)] for start, stop in zip(low, high, strict=True)]
    if isinstance(game, Unconstrained) and game.game.space.zero_threshold is not None:
        space = game.game.space
        # with room for the rounding of this logarithm, which the game does not compare with exactly either
        smallest = np.log(floats(space.zero_threshold)[player]) + EDGE * (1 + ROOM)
        for axis, kind in enumerate(space.kinds):
            if (
                kind == "log"
                and low[axis] < smallest[axis] < high[axis]
                and floats(space.low)[player, axis] <= 0
            ):
                ends[axis] = [(low[axis], low[axis]), (smallest[axis], high[axis])]
    rows = np.array(list(product(*ends)))
    return Boxes(rows[..., 0], rows[..., 1], rows[..., 0], rows[..., 1])


def branch_and_bound(
    game: Game,
    x: Profile,
    player: int,
    response: Response,
    unit: float,
    refuse: Callable[[float, ndarray, float], None],
    *,
    enclosed: bool,
    max_boxes: int = MAX_BOXES,
) -> Search:
    """Return the best strategy, its payoff and a bound on all payoffs; boxes of largest bound are split.

    A box in which payoffs rise strictly along an axis holds no best strategy, unless it is at the end of the
    space: then its best ones are at that end. The search ends where no payoff can exceed the best by `PROVED`
    times the unit of gains, or with ``max_boxes``. ``refuse(payoff, strategy, bound)`` raises where a payoff
    contradicts a bound.
    """
    space, strategy, payoff = game.space, response.strategy, response.payoff
    if not isinstance(space, Box | Simplex):
        raise Unsupported(f"no bound: strategies are in a {type(space).__name__}, not a Box or a Simplex")
    # below what `certificate` allows, so that a finished search certifies; not below rounding errors
    gap = max(PROVED * unit + ROUNDING * abs(payoff) / 4, VANISHING / 2)
    boxes, settled = parts_of_space(game, player), -np.inf
    if enclosed and isinstance(space, Box):
        boxes, settled = yield from _around_concave_box(boxes, strategy, payoff + gap)
    bounds = np.full(len(boxes.low), np.inf)
    paid = payoff - SEARCH_TIE * unit  # at the strategy, which may be one of several that tie
    count = unbounded = 0
    while bounds.max(initial=payoff) > payoff + gap and count < max_boxes:
        if unbounded > HOPELESS:
            break  # where payoffs are infinite or have no bound, smaller boxes have none either
        # stable, since the order of ties in NumPy's default sort depends on the processor
        selection = np.argsort(-bounds, kind="stable")[: BATCH // 2]
        selection = selection[bounds[selection] > payoff + gap]
        selected = boxes.pick(selection)
        middle = selected.low / 2 + selected.high / 2
        # of boxes at a jump that no number divides nothing more is known
        if count and not np.any((selected.low < middle) & (middle < selected.high)):
            break
        parts, parents = _halved(space, player, selected, strategy)
        found = yield parts
        if np.any(np.isnan(found.payoff)):
            return strategy, float("nan"), np.inf  # without a payoff there is no best response
        upper = np.where(np.isnan(found.upper), np.inf, found.upper)  # nothing is proved there
        # an upper bound of a box also holds for its parts
        upper = np.minimum(upper, bounds[selection][parents])
        bounds[selection] = -np.inf  # no payoff is above: their halves replace them
        inside = np.all((parts.low <= strategy) & (strategy <= parts.high), axis=1)
        attained = np.where(inside, np.maximum(found.payoff, paid), found.payoff)
        excess = np.subtract(attained, upper, out=np.zeros_like(attained), where=attained > upper)
        k = np.argmax(excess)
        refuse(float(attained[k]), found.middle[k], float(upper[k]))
        highest = float(found.payoff.max())
        if highest > payoff + SEARCH_TIE * unit:  # a rounding difference is no better response
            strategy, paid = found.middle[np.argmax(found.payoff)], highest
        payoff = max(payoff, highest)
        parts, kept = _at_ends(parts, found)
        boxes, bounds = boxes.join(parts), np.concatenate([bounds, upper[kept]])
        alive = bounds > payoff
        boxes, bounds = boxes.pick(alive), bounds[alive]
        count, unbounded = count + len(upper), unbounded + int(np.isposinf(upper).sum())
    return strategy, payoff, max(float(bounds.max(initial=payoff)), settled)


def _halved(space: Box | Simplex, player: int, boxes: Boxes, strategy: ndarray) -> tuple[Boxes, ndarray]:
    """Return the halves of boxes, those near a strategy halved again, and the boxes they are parts of."""
    low, high, parents = halves(space, player, boxes.low, boxes.high)
    # near the best strategy only small boxes have bounds as low as its payoff, and most of the time of a
    # call is that of NumPy's operations, not of the boxes
    while len(low) < BATCH:
        near = np.all(np.abs(low + high - 2 * strategy) <= 5 * (high - low), axis=1)
        if not near.any():
            break
        low, high, rows = halves(space, player, low, high, split=near)
        parents = parents[rows]
    return Boxes(low, high, boxes.floor[parents], boxes.ceiling[parents]), parents


def _at_ends(boxes: Boxes, found: BoxBounds) -> tuple[Boxes, ndarray]:
    """Return the boxes that may hold a best strategy, cut to the ends where those are, and their mask."""
    low, high, floor, ceiling = boxes
    kept = ~np.any((found.rises & (high < ceiling)) | (found.falls & (low > floor)), axis=1)
    low, high = np.where(found.rises, high, low), np.where(found.falls, low, high)
    return Boxes(low, high, floor, ceiling).pick(kept), kept


def _around_concave_box(parts: Boxes, strategy: ndarray, limit: float) -> Search:
    """Return boxes that cover the parts but for one box around a strategy, and a bound on payoffs in it.

    Payoffs are concave in that box, where they are nowhere above the tangent at the strategy, and the bound
    is at most ``limit``. Without such a box nothing is left out.
    """
    nothing = parts, -np.inf
    holding = np.all((parts.low <= strategy) & (strategy <= parts.high), axis=1)
    part = parts.pick([int(np.argmax(holding))])
    free = (part.low < part.high)[0]
    if not holding.any() or not free.any():
        return nothing
    # the strategy itself comes first
    reach = np.append(0.0, RADII)[:, None] * (part.high - part.low)
    low, high = np.maximum(strategy - reach, part.low), np.minimum(strategy + reach, part.high)
    floor, ceiling = (np.broadcast_to(end, low.shape) for end in (part.floor, part.ceiling))
    try:
        found = yield Curved(Boxes(low, high, floor, ceiling))
    except Unsupported:  # second derivatives have an operation without an interval form
        return nothing
    slope, bend = found.slope, found.bend
    among = np.ix_(free, free)
    steepest = np.maximum(np.abs(slope.low[0]), np.abs(slope.high[0]))[free]
    for row in np.flatnonzero(found.known[0] & found.known)[1:]:
        if not negative_definite(bend.low[row][among], bend.high[row][among]):
            continue
        ends = np.stack([low[row] - strategy, high[row] - strategy])[:, free]
        rise = np.max([ends * edge[free] for edge in (slope.low[0], slope.high[0])], axis=(0, 1))
        # differences, products and sums round: by less than `ROUNDING` of their sizes
        size = np.abs(ends).max(axis=0) @ steepest
        top = found.payoff.high[0]
        bound = float(top + rise.sum() + ROUNDING * (size + abs(top)))
        if bound <= limit:
            beside = _beside(part.low[0], part.high[0], low[row], high[row])
            return parts.pick(~holding | (np.cumsum(holding) > 1)).join(beside), bound
    return nothing


def _beside(floor: ndarray, ceiling: ndarray, low: ndarray, high: ndarray) -> Boxes:
    """Return boxes that cover a box of the space except for a box inside it."""
    first, last, rows = floor.copy(), ceiling.copy(), []
    for axis in range(len(low)):
        if first[axis] < low[axis]:
            end = last.copy()
            end[axis] = low[axis]
            rows.append((first.copy(), end))
        if high[axis] < last[axis]:
            start = first.copy()
            start[axis] = high[axis]
            rows.append((start, last.copy()))
        first[axis], last[axis] = low[axis], high[axis]
    lows, highs = (
        np.array(ends).reshape(-1, len(low)) for ends in ([a for a, _ in rows], [b for _, b in rows])
    )
    return Boxes(lows, highs, np.broadcast_to(floor, lows.shape), np.broadcast_to(ceiling, lows.shape))

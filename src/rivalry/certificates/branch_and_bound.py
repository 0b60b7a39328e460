"""Upper bounds on a player's payoffs over all of its strategies, by branch and bound."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.dispatch import Unsupported
from rivalry.core.game import Game, own_payoff
from rivalry.core.oracles import Response, payoff_bound
from rivalry.core.reparametrisation import Unconstrained
from rivalry.core.space import EDGE, Box, Simplex
from rivalry.core.tolerances import ROUNDING, SEARCH_TIE, VANISHING
from rivalry.proofs.arithmetic.matrices import negative_definite
from rivalry.proofs.arithmetic.program import ByRow, first_tree, form_of, over_rows
from rivalry.proofs.spaces.boxes import bounding_box, halves, middle_shares
from rivalry.runtime.jax import floats

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.space import Profile, Strategy
    from rivalry.proofs.payoff_ranges import Curvature

BATCH, MAX_BOXES = 256, 40_000
HOPELESS, HOPELESS_JUMPS = 250, 6000  # boxes without a bound, or with a jump, after which none is sought
PROVED = 1e-8  # times the unit of gains: a bound this close to the best payoff is not refined further
ROOM = 0.01  # of the depth of the layer in which amounts are 0
TANGENTS = 2  # places at which a tangent is tried
RADII = 2.0 ** -np.arange(2.0, 17.0)  # of the range: boxes around a strategy in which payoffs may be concave


class StrategyBoxes(NamedTuple):
    """Boxes of strategies, and the ends of the parts of the space to which they belong, ``[box axis]``.

    A part is a box in which no amount is zero, or some amounts are zero throughout.
    """

    low: ndarray
    high: ndarray
    part_low: ndarray
    part_high: ndarray

    def pick(self, rows: Any) -> StrategyBoxes:
        """Return some of the boxes."""
        return StrategyBoxes(*(ends[rows] for ends in self))

    def join(self, *remaining: StrategyBoxes) -> StrategyBoxes:
        """Return these boxes and remaining."""
        return StrategyBoxes(*map(np.concatenate, zip(self, *remaining, strict=True)))


class BoxBounds(NamedTuple):
    """Bounds on payoffs in boxes of strategies, their midpoints, and the payoffs there, ``[box ..]``.

    ``rises`` and ``falls`` say of each axis whether payoffs are strictly monotone in it, in the box and
    beside it within its part of the space; ``smooth`` whether the box is known to hold no jump and no kink.
    """

    upper: Any
    lower: Any
    middle: Any
    payoff: Any
    rises: Any
    falls: Any
    smooth: Any


class Curved(NamedTuple):
    """StrategyBoxes in which a search needs bounds on second derivatives."""

    boxes: StrategyBoxes


Search = Generator[StrategyBoxes | Curved, Any, Any]
"""A search that yields the boxes whose `BoxBounds`, or `Curvature`, it needs."""


def _bound_by_oracle(game: Game, x: Profile, player: Array, low: Strategy, high: Strategy) -> Array:
    return payoff_bound(game, x, player, low, high)


_all_paid = over_rows(own_payoff, effort=1)
_bounds_by_oracle = over_rows(_bound_by_oracle, effort=1)


def bounds_of_boxes(
    game: Game | ByRow, x: Any, player: Any, boxes: StrategyBoxes, *, enclosed: bool
) -> BoxBounds:
    """Return bounds on the payoffs of a player, or of a player per box, in boxes of its strategies.

    They are those of interval arithmetic if ``enclosed``, else those of the oracle `payoff_bound`. Every box
    may have a game and a profile of its own.

    Raises
    ------
    Unsupported
        For payoffs without an interval form.
    """
    from rivalry.proofs.payoff_ranges import payoff_range  # loads JAX

    low, high = boxes.low, boxes.high
    players = np.broadcast_to(player, len(low))
    middle = (low + high) / 2
    rises = falls = np.zeros(low.shape, bool)
    smooth = np.ones(len(low), bool)
    if not enclosed:
        upper = _bounds_by_oracle(game, x, players, low, high, batch=BATCH)
        lower = np.full_like(upper, -np.inf)
    elif isinstance(first_tree(game).space, Simplex):
        middle = middle_shares(low, high)
        payoff, _, _ = payoff_range(game, x, players, low, high)
        lower, upper = payoff.low, payoff.high
    else:
        # boxes reach to the neighbouring floats in their part, so that no kink hides between two boxes
        below = np.maximum(np.nextafter(low, -np.inf), boxes.part_low)
        above = np.minimum(np.nextafter(high, np.inf), boxes.part_high)
        payoff, slope, smooth = payoff_range(game, x, players, below, above)
        lower, upper = payoff.low, payoff.high
        rises, falls = (smooth[:, None] & signs for signs in (slope.low > 0, slope.high < 0))
    paid = _all_paid(game, x, players, middle, batch=BATCH)
    return BoxBounds(upper, lower, middle, paid, rises, falls, smooth)


class Request(NamedTuple):
    """Boxes of players of a game at a profile, of which their searches need bounds."""

    game: Game
    x: Any
    boxes: dict[int, StrategyBoxes | Curved]
    enclosed: bool  # as of `bounds_of_boxes`


Searches = Generator[Request, Any, Any]
"""Searches of several players that yield what they need, and receive the answers by player."""


def side_by_side(game: Game, x: Any, searches: Mapping[int, Search], *, enclosed: bool) -> Searches:
    """Return the results of searches by player; at every step the boxes of all are one request."""
    results = dict[int, Response]()
    answers: dict[int, Any] = dict.fromkeys(searches)
    while answers:
        requests = dict[int, StrategyBoxes | Curved]()
        for player, answer in answers.items():
            search = searches[player]
            try:
                requests[player] = (search.throw if isinstance(answer, Unsupported) else search.send)(answer)
            except StopIteration as end:
                results[player] = end.value
        answers = (yield Request(game, x, requests, enclosed)) if requests else {}
    return [results[player] for player in searches]


def search_together(searches: Sequence[Searches]) -> list[Any]:
    """Return the results of searches in several games; those of one form are bounded by the same calls.

    A call of a program for many games takes little longer than for one of them.
    """
    results: list[Any] = [None] * len(searches)
    answers: dict[int, Any] = dict.fromkeys(range(len(searches)))
    while answers:
        requests = dict[int, Request]()
        for number, answer in answers.items():
            try:
                requests[number] = searches[number].send(answer)
            except StopIteration as end:
                results[number] = end.value
        answers = _answers(requests)
    return results


def _answers(requests: dict[int, Request]) -> dict[int, dict[int, Any]]:
    """Return the bounds that searches need, or the reason why there are none, ``[search][player]``.

    Bounds of one kind in games of one form are computed together.
    """
    groups = dict[Any, list[tuple[int, int]]]()
    for number, request in requests.items():
        # the form of one game alone is compared with no other
        form = form_of((request.game, request.x)) if len(requests) > 1 else None
        for player, boxes in request.boxes.items():
            groups.setdefault((type(boxes), request.enclosed, form), []).append((number, player))
    answers: dict[int, dict[int, Any]] = {number: {} for number in requests}
    for (kind, enclosed, _), rows in groups.items():
        for number, player, bounds in _bounds_of_rows(requests, rows, kind is Curved, enclosed):
            answers[number][player] = bounds
    return answers


def _bounds_of_rows(
    requests: dict[int, Request], rows: list[tuple[int, int]], needs_curvature: bool, enclosed: bool
) -> Iterator[tuple[int, int, Any]]:
    """Yield search, player and bounds of each row ``(search, player)``, in games of one form."""
    parts: list[Any] = [requests[number].boxes[player] for number, player in rows]
    if needs_curvature:
        parts = [part.boxes for part in parts]
    boxes, counts = parts[0].join(*parts[1:]), [len(part.low) for part in parts]
    numbers, players = np.repeat(np.array(rows), counts, axis=0).T
    game, x = _by_row(requests, numbers)
    bounds: Any
    try:
        if needs_curvature:
            bounds = _curvature(game, x, players, boxes)
        else:
            bounds = bounds_of_boxes(game, x, players, boxes, enclosed=enclosed)
    except Unsupported as reason:  # payoffs without an interval form
        for number, player in rows:
            yield number, player, reason
        return
    for (number, player), count, end in zip(rows, counts, np.cumsum(counts), strict=True):
        own_boxes = slice(end - count, end)
        yield number, player, type(bounds)(*(values[own_boxes] for values in bounds))


def _by_row(requests: dict[int, Request], numbers: ndarray) -> tuple[Any, Any]:
    """Return game and profile of the requests ``numbers [row]``, one for each row if requests differ."""
    unique, indices = np.unique(numbers, return_inverse=True)
    unique_requests = [requests[number] for number in unique]
    if len(unique) == 1:
        return unique_requests[0].game, unique_requests[0].x
    games = ByRow([request.game for request in unique_requests])
    profiles = ByRow([floats(request.x) for request in unique_requests])
    return games.pick(indices), profiles.pick(indices)


def _curvature(game: Game | ByRow, x: Any, players: ndarray, boxes: StrategyBoxes) -> Curvature:
    from rivalry.proofs.payoff_ranges import payoff_curvature  # loads JAX

    return payoff_curvature(game, x, players, boxes.low, boxes.high)


def parts_of_space(game: Game, player: int) -> StrategyBoxes:
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
    return StrategyBoxes(rows[..., 0], rows[..., 1], rows[..., 0], rows[..., 1])


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

    Boxes in the list hold all strategies that may pay more than the best one met, ``bounds`` the most that
    these may pay. A box in which payoffs rise strictly along an axis holds no best strategy, unless it is at
    the end of the space: then its best ones are at that end. The search ends where no payoff can exceed the
    best by `PROVED` times the unit of gains, or with ``max_boxes``. ``refuse(payoff, strategy, bound)``
    raises where a payoff contradicts a bound.
    """
    space, strategy, payoff = game.space, response.strategy, response.payoff
    if not isinstance(space, Box | Simplex):
        raise Unsupported(f"no bound: strategies are in a {type(space).__name__}, not a Box or a Simplex")
    # below what `certificate` allows, so that a finished search certifies; not below rounding errors
    gap = max(PROVED * unit + ROUNDING * abs(payoff) / 4, VANISHING / 2)
    boxes, inner_bound = parts_of_space(game, player), -np.inf
    if enclosed and isinstance(space, Box):
        boxes, inner_bound, holds_strategy = yield from _around_concave_box(boxes, strategy, payoff + gap)
        if holds_strategy:
            refuse(payoff, strategy, inner_bound)
    bounds = np.full(len(boxes.low), np.inf)
    paid = payoff - SEARCH_TIE * unit  # at the strategy, which may be one of several that tie
    count = unbounded = jumps = 0
    while bounds.max(initial=payoff) > payoff + gap and count < max_boxes:
        if unbounded > HOPELESS or jumps > HOPELESS_JUMPS:
            break  # where payoffs are infinite or jump, smaller boxes do as well
        selection = _largest(bounds, payoff + gap)
        selected = boxes.pick(selection)
        # of boxes at a jump that no number divides nothing more is known
        if count and not _can_be_halved(selected):
            break
        parts, parents = _halved(space, player, selected, strategy)
        box_bounds = yield parts
        if np.any(np.isnan(box_bounds.payoff)):
            return strategy, float("nan"), np.inf  # without a payoff there is no best response
        # an upper bound of a box also holds for its parts
        upper = np.fmin(box_bounds.upper, bounds[selection][parents])
        _refuse_contradiction(refuse, parts, box_bounds, upper, strategy, paid)
        highest = float(box_bounds.payoff.max())
        if highest > payoff + SEARCH_TIE * unit:  # a rounding difference is no better response
            strategy, paid = box_bounds.middle[np.argmax(box_bounds.payoff)], highest
        payoff = max(payoff, highest)
        bounds[selection] = -np.inf  # no payoff is above: their parts replace them
        parts, mask = _at_ends(parts, box_bounds)
        boxes, bounds = boxes.join(parts), np.concatenate([bounds, upper[mask]])
        alive = bounds > payoff
        boxes, bounds = boxes.pick(alive), bounds[alive]
        count, unbounded = count + len(upper), unbounded + int(np.isposinf(upper).sum())
        jumps += int(np.sum(~box_bounds.smooth))
    return strategy, payoff, max(float(bounds.max(initial=payoff)), inner_bound)


def _largest(bounds: ndarray, limit: float) -> ndarray:
    """Return the numbers of the boxes with the largest bounds above a limit, as many as are split at once."""
    # stable, since the order of ties in NumPy's default sort depends on the processor
    order = np.argsort(-bounds, kind="stable")[: BATCH // 2]
    return order[bounds[order] > limit]


def _can_be_halved(boxes: StrategyBoxes) -> bool:
    """True if a number is between the ends of some box on some axis."""
    middle = boxes.low / 2 + boxes.high / 2
    return bool(np.any((boxes.low < middle) & (middle < boxes.high)))


def _refuse_contradiction(
    refuse: Callable[[float, ndarray, float], None],
    boxes: StrategyBoxes,
    box_bounds: BoxBounds,
    upper: ndarray,
    strategy: ndarray,
    paid: float,
) -> None:
    """Call ``refuse`` with the payoff that is furthest above its bound.

    The bound ``upper [box]`` of a box holds for the payoff at its middle, and for ``paid``, the payoff of
    ``strategy``, if that is in the box.
    """
    inside = np.all((boxes.low <= strategy) & (strategy <= boxes.high), axis=1)
    attained = np.where(inside, np.maximum(box_bounds.payoff, paid), box_bounds.payoff)
    excess = np.subtract(attained, upper, out=np.zeros_like(attained), where=attained > upper)
    k = np.argmax(excess)
    refuse(float(attained[k]), box_bounds.middle[k], float(upper[k]))


def _halved(
    space: Box | Simplex, player: int, boxes: StrategyBoxes, strategy: ndarray
) -> tuple[StrategyBoxes, ndarray]:
    """Return the halves of boxes, those near a strategy halved again, and the numbers of the boxes halved."""
    low, high, parents = halves(space, player, boxes.low, boxes.high)
    # near the best strategy only small boxes have bounds as low as its payoff, and a batch costs one call
    while len(low) < BATCH:
        near = np.all(np.abs(low + high - 2 * strategy) <= 5 * (high - low), axis=1)
        if not near.any():
            break
        low, high, rows = halves(space, player, low, high, split=near)
        parents = parents[rows]
    return StrategyBoxes(low, high, boxes.part_low[parents], boxes.part_high[parents]), parents


def _at_ends(boxes: StrategyBoxes, box_bounds: BoxBounds) -> tuple[StrategyBoxes, ndarray]:
    """Return the boxes that may hold a best strategy, cut to where it may be, and their mask ``[box]``.

    Where payoffs rise along an axis a best strategy is at the upper end of the box, and only if that is the
    end of the part of the space; likewise where payoffs fall.
    """
    low, high, part_low, part_high = boxes
    mask = ~np.any((box_bounds.rises & (high < part_high)) | (box_bounds.falls & (low > part_low)), axis=1)
    low, high = np.where(box_bounds.rises, high, low), np.where(box_bounds.falls, low, high)
    return StrategyBoxes(low, high, part_low, part_high).pick(mask), mask


class _AroundConcaveBox(NamedTuple):
    """Boxes that are left to search beside a box in which payoffs are concave."""

    boxes: StrategyBoxes
    bound: float  # on payoffs in the concave box; minus infinity without one
    holds_strategy: bool  # whether the strategy is in the concave box


def _around_concave_box(parts: StrategyBoxes, strategy: ndarray, limit: float) -> Search:
    """Return what is left of the parts of a space beside a concave box, as an `_AroundConcaveBox`.

    A concave payoff is below each of its tangents. A box is left out if the tangent at its centre, the
    strategy, bounds payoffs in it by ``limit``. Slopes at the strategy may be too large for this: a step of
    Newton's method then leads to a better centre.
    """
    unchanged = _AroundConcaveBox(parts, -np.inf, False)
    holding = np.all((parts.low <= strategy) & (strategy <= parts.high), axis=1)
    number = int(np.argmax(holding))  # of the first part that holds the strategy
    part = parts.pick([number])
    free = (part.low < part.high)[0]
    if not holding.any() or not free.any():
        return unchanged
    among, centre = np.ix_(free, free), strategy
    for _ in range(TANGENTS):
        # the first box is the centre itself
        reach = np.append(0.0, RADII)[:, None] * (part.high - part.low)
        low, high = np.maximum(centre - reach, part.low), np.minimum(centre + reach, part.high)
        try:
            curvature = yield Curved(StrategyBoxes(low, high, low, high))  # the part has no effect
        except Unsupported:  # second derivatives have an operation without an interval form
            return unchanged
        for row, bound in _tangent_bounds(curvature, low - centre, high - centre, free):
            if bound <= limit:
                beside = _beside(part.low[0], part.high[0], low[row], high[row])
                boxes = parts.pick(np.arange(len(holding)) != number).join(beside)
                holds_strategy = bool(np.all((low[row] <= strategy) & (strategy <= high[row])))
                return _AroundConcaveBox(boxes, bound, holds_strategy)
        slope, hessian = (ends.low[0] / 2 + ends.high[0] / 2 for ends in (curvature.slope, curvature.hessian))
        if not np.isfinite(hessian).all() or np.linalg.matrix_rank(hessian[among]) < free.sum():
            return unchanged
        centre = centre.copy()
        centre[free] -= np.linalg.solve(hessian[among], slope[free])
        centre = np.clip(centre, part.low[0], part.high[0])
    return unchanged


def _tangent_bounds(
    curvature: Curvature, below: ndarray, above: ndarray, free: ndarray
) -> Iterator[tuple[int, float]]:
    """Yield the numbers of boxes in which payoffs are concave, and bounds on these by a tangent.

    The first box is a point c, from which all boxes reach ``below [box axis]`` and ``above``. A concave
    payoff is at most ``u(c) + u'(c) (y - c)``, of which every term is largest at an end of the box.
    """
    slope, hessian = curvature.slope, curvature.hessian
    among = np.ix_(free, free)
    steepest = np.maximum(np.abs(slope.low[0]), np.abs(slope.high[0]))[free]
    top = curvature.payoff.high[0]
    for row in np.flatnonzero(curvature.known[0] & curvature.known)[1:].tolist():
        if negative_definite(hessian.low[row][among], hessian.high[row][among]):
            ends = np.stack([below[row], above[row]])[:, free]
            rise = np.max([ends * edge[free] for edge in (slope.low[0], slope.high[0])], axis=(0, 1))
            # differences, products and sums round: by less than `ROUNDING` of their sizes
            size = np.abs(ends).max(axis=0) @ steepest
            yield row, float(top + rise.sum() + ROUNDING * (size + abs(top)))


def _beside(part_low: ndarray, part_high: ndarray, low: ndarray, high: ndarray) -> StrategyBoxes:
    """Return boxes that cover a part of the space except for the box ``low``, ``high`` inside it.

    Axis by axis, what is below and above the inner box is cut off, and the part shrinks to its ends.
    """
    first, last, rows = part_low.copy(), part_high.copy(), []
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
    ends = np.array(rows).reshape(-1, 2, len(low))
    limits = (np.broadcast_to(end, (len(ends), len(low))) for end in (part_low, part_high))
    return StrategyBoxes(ends[:, 0], ends[:, 1], *limits)

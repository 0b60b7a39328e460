"""The search for all equilibria by branch and prune: boxes of profiles are decided, made smaller or split."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array
from numpy import ndarray

from rivalry.core.game import Game
from rivalry.core.method import Session
from rivalry.core.oracles import deviation_payoff
from rivalry.core.reparametrisation import is_reparametrised
from rivalry.core.space import stacked_grids
from rivalry.proofs.arithmetic.program import over_rows
from rivalry.proofs.first_order import (
    FirstOrder,
    at_most_one_point,
    excluded,
    first_order,
    newton,
    without_open_sides,
)
from rivalry.proofs.gains import profiles_of, refutation, refutation_together
from rivalry.proofs.payoff_sums import Sums, boxes_of_totals, payoff_sum, sums_of
from rivalry.proofs.points import (
    FirstOrderPoint,
    enlarged,
    first_order_points,
    judge,
    tied,
    tied_point,
)
from rivalry.proofs.spaces.boxes import split_ends
from rivalry.proofs.spaces.coordinates import BATCH, OPEN, Coordinates, coordinates
from rivalry.proofs.spaces.logarithms import InLogs
from rivalry.runtime.jax import jax, jnp

FACES = 0.25  # relative width of a box below which its open choices are at a bound or not
CANDIDATES = 9  # strategies per axis of which one may be better for every profile in a box
CLOSER = 16  # halvings of the distance of further strategies around the best of them
FLAT_BOX = 0.01  # relative width below which a better strategy is looked for also where derivatives are known
STEEP = 2  # times the most that payoffs add up to: a change beyond says that derivatives have no close bound
SLIVER = 0.02  # of the widest coordinate: narrower ones are not split
CROWD = 256  # undecided boxes after which those that remain undecided are twice as wide
NARROWEST, WIDEST = 1e-6, 1 / 32
"""Relative width below which boxes stay undecided; it rises with their number."""
STARTS = 128  # of Newton's method, for the points that are looked for first
REASONS = ("kept", "derivatives", "a better strategy", "order of players", "around a point", "undecided")
"""Reasons for which a box is no longer searched; the first have been split."""
VERDICTS = ("undecided", "equilibrium", "not an equilibrium")
COMPARED = 10_000  # undecided boxes that are joined where they touch
ON_RANGES = 400  # boxes of strategies for the verdict on a point for all values of parameters
SENSITIVE = 0.5  # of the change of derivatives with parameters: that with choices below which boxes wait
MERGE_DISTANCE = 1e-6  # of the range: profiles that are closer in every choice are listed once
DRAWN = 20_000  # boxes stored for a picture
CHOICES = 32  # more take minutes for a step
BOX_ENDS = ("low", "high", "side")  # what a session has of boxes

Step = Callable[[Any, Coordinates, Session], bool]


class _Boxes(NamedTuple):
    """Boxes between ``low`` and ``high``, and where choices in them are, ``[box coordinate]``."""

    low: ndarray
    high: ndarray
    side: ndarray  # see `rivalry.proofs.first_order.first_order`

    def rows(self, index: ndarray) -> _Boxes:
        return _Boxes(*(part[index] for part in self))


@dataclass(frozen=True)
class BoxSearch:
    """A search for all equilibria of a game on boxes, in steps.

    The space of profiles is split into boxes. A box is discarded where interval arithmetic proves that it has
    no equilibrium that is not listed; `REASONS` are the ways.
    """

    max_boxes: int
    within: tuple[float, float] | None = None  # bounds between which all choices of the equilibria lie
    first_order: bool = False  # whether all first-order points are listed, not equilibria alone

    def begin(self, game: Game) -> Session:
        """Return a session with the box of all profiles, and no points."""
        at = coordinates(game)
        count = len(at.player)
        in_logs = isinstance(game, InLogs)  # between bounds that no choice attains
        range_low, range_high = (-np.inf, np.inf) if self.within is None or in_logs else self.within
        low, high = np.maximum(at.low, range_low), np.minimum(at.high, range_high)
        if np.any(low >= high):
            raise ValueError(
                f"within: [{range_low:g}, {range_high:g}] must overlap the range of every choice"
            )
        if not in_logs and count > CHOICES:
            raise ValueError(f"game: {count} choices; boxes are searched of at most {CHOICES}")
        # a bound of the game that is searched may be where a choice is
        sides = np.full((1, count), 0.0 if in_logs else OPEN)
        sides[0, (low > at.low) & (high < at.high)] = 0.0
        no_boxes = np.zeros((0, count))
        return {
            "low": low[None],
            "high": high[None],
            "side": sides,
            "points": np.zeros((0, 6, count)),  # rows of a `FirstOrderPoint`
            "verdict": np.zeros(0, int),
            "undecided_low": no_boxes,
            "undecided_high": no_boxes,
            "undecided_side": no_boxes,
            "discarded": np.zeros(len(REASONS), int),
            "boxes": np.array([0]),
            "drawn": np.zeros((0, 2, count)),
            "drawn_reason": np.zeros(0, int),
            "started": np.zeros(1, bool),
            "tied": np.zeros(1, bool),  # whether ties at bounds were looked for in undecided places
            "largest_sum": np.full(1, np.inf),
            "constant_sum": np.zeros(1, bool),  # of two players
            "interchangeable": np.zeros(1, bool),  # whether an equilibrium is known to be the only one
        }

    def step(self, game: Game, at: Coordinates, session: Session, certify: Step | None = None) -> bool:
        """Take one step; return False when the search has ended.

        ``certify`` takes a step of another kind, after points are judged and before boxes are searched; it
        returns False if it has no work.
        """
        if not session["started"][0]:
            self._start(game, at, session)
        # points first: a limit of time shall not leave the equilibria that are known without a proof
        elif not (self._judge(game, at, session) or (certify and certify(game, at, session))):
            if not len(session["low"]):
                return self._add_tied(game, at, session)
            if session["boxes"][0] >= self.max_boxes:
                return False
            self._search(game, at, session)
        return True

    def _narrow(self, session: Session) -> float:
        """Return the relative width below which boxes stay undecided: twice as much for every `CROWD`."""
        doublings = min(len(session["undecided_low"]) // CROWD, 64)
        return min(NARROWEST * 2.0**doublings, WIDEST)

    def _start(self, game: Game, at: Coordinates, session: Session) -> None:
        """Add the first-order points inside all bounds that Newton's method finds from spread starts."""
        session["started"] = np.ones(1, bool)
        if at.ranges is None and not self.first_order:
            added = payoff_sum(lambda y: game.payoffs(at.profile(y)), at.low, at.high)
            session["largest_sum"] = np.array([added.largest])
            session["constant_sum"] = np.array([added.constant and len(at.start) == 2])
        golden = 2.0
        for _ in range(64):
            golden = (1 + golden) ** (1 / (len(at.low) + 1))
        spread = (0.5 + np.arange(STARTS)[:, None] * golden ** -np.arange(1.0, len(at.low) + 1)) % 1
        starts = at.low + (at.high - at.low) * spread
        # the boxes of the beginning have one side
        sides = np.repeat(session["side"][:1], STARTS, axis=0)
        self.add(game, at, session, *newton(game, at, starts, sides))
        if at.ranges is None and (sums := sums_of(game, at)) is not None:
            self._search_totals(sums, at, session)

    def _search_totals(self, sums: Sums, at: Coordinates, session: Session) -> None:
        """Replace the first box by smaller ones, where payoffs depend on sums over the others."""

        def sides(low: ndarray, high: ndarray) -> ndarray:
            bounds = (low == at.low) | (high == at.high)
            return np.where(bounds, session["side"][0], 0.0)

        def is_known(low: ndarray, high: ndarray) -> ndarray:
            return _around_points(session, low, high, sides(low, high))

        low, high, splits = boxes_of_totals(sums, at, session["low"][0], session["high"][0], is_known)
        session["boxes"] = session["boxes"] + splits
        session["side"] = sides(low, high)
        session["low"], session["high"] = low, high

    def add(self, game: Game, at: Coordinates, session: Session, y: ndarray, side: ndarray) -> None:
        """Add the first-order points near ``y [candidate coordinate]`` that are proved and new."""
        y, side = _sorted(at, at.labels, y, side)
        good = np.isfinite(y).all(axis=1) & np.all((y >= at.low) & (y <= at.high), axis=1)
        rows = np.round((y[good] - at.low) / (at.high - at.low), 7) + 0.0
        _, indices = np.unique(np.concatenate([rows, side[good]], axis=1), axis=0, return_index=True)
        y, side = y[good][indices], side[good][indices]
        is_new = ~_around_points(session, y, y, side)
        candidates = first_order_points(game, at, y[is_new], side[is_new])
        proved = [candidate for candidate in candidates if candidate is not None]
        for enclosure in enlarged(game, at, proved):
            # a box where two candidates are one is known by its own zero
            if not any(overlap(enclosure, point) for point in points_of(session)):
                append(session, points=np.stack(enclosure)[None], verdict=[-1])

    def _search(self, game: Game, at: Coordinates, session: Session) -> None:
        """Decide on the last boxes of the list, or split them."""
        boxes = _Boxes(*(session[name][-BATCH:] for name in BOX_ENDS))
        for name in BOX_ENDS:
            session[name] = session[name][:-BATCH]
        session["boxes"] = session["boxes"] + len(boxes.low)
        reason = np.zeros(len(boxes.low), int)
        reason[_around_points(session, *boxes)] = REASONS.index("around a point")
        reason[_out_of_order(at, at.labels, boxes.low, boxes.high)] = REASONS.index("order of players")
        undecided = np.flatnonzero(reason == 0)
        if len(undecided):
            reason[undecided] = self._decide(game, at, session, boxes.rows(undecided))
        self._note(session, boxes.low, boxes.high, reason)

    def _decide(self, game: Game, at: Coordinates, session: Session, boxes: _Boxes) -> ndarray:
        """Return reasons ``[box]`` by derivatives and better strategies; boxes without any are split."""
        reason = np.zeros(len(boxes.low), int)
        enclosures = first_order(game, at, *boxes)
        empty = excluded(enclosures, boxes.side)
        low, high, side, is_outside = without_open_sides(at, enclosures, boxes.side)
        single = at_most_one_point(enclosures, boxes.side)
        for point in points_of(session):  # of at most one first-order point it is the one
            holds = np.all((low <= point.low) & (point.high <= high), axis=1)
            holds &= np.all((side == OPEN) | (side == point.side), axis=1)
            reason[holds & single] = REASONS.index("around a point")
        reason[empty | is_outside] = REASONS.index("derivatives")
        enclosures = enclosures._replace(low=low, high=high)
        if not self.first_order:
            # derivatives say nothing of kinks, and little of payoffs that are flat or steep
            flat = max(FLAT_BOX, 2 * self._narrow(session))
            narrow = relative_width(game, at, low, high).max(axis=1, initial=0.0) < flat
            with np.errstate(invalid="ignore"):  # of an infinite slope in a box without width
                change = (enclosures.slope_high - enclosures.slope_low) * (boxes.high - boxes.low)
                steep = np.any(change > STEEP * session["largest_sum"][0], axis=1)
            doubtful = (reason == 0) & (~enclosures.smooth | narrow | steep)
            better = _refuted_boxes(game, at, boxes.rows(doubtful), session["largest_sum"][0])
            reason[np.flatnonzero(doubtful)[better]] = REASONS.index("a better strategy")
        keep = reason == 0
        enclosures = FirstOrder(*(part[keep] for part in enclosures))
        reason[keep] = self._split(game, at, session, boxes.rows(keep), enclosures, side[keep])
        return reason

    def _split(
        self,
        game: Game,
        at: Coordinates,
        session: Session,
        before: _Boxes,
        enclosures: FirstOrder,
        side: ndarray,
    ) -> ndarray:
        """Return reasons ``[box]``, such as too small a width; the list of boxes gets the parts of others.

        ``enclosures`` and ``side`` are of the smaller boxes in which all points of boxes ``before`` are.
        """
        boxes = _Boxes(enclosures.low, enclosures.high, side)
        width = relative_width(game, at, boxes.low, boxes.high).max(axis=1, initial=0.0)
        self._add_near_zeros(game, at, session, boxes, enclosures, width)
        near_point = _around_points(session, *boxes)
        misordered = _out_of_order(at, at.labels, boxes.low, boxes.high)
        limit = self._narrow(session)
        narrow = width <= limit
        # a box that Newton's method made narrow is tried once more
        width_before = relative_width(game, at, before.low, before.high).max(axis=1, initial=0.0)
        is_tried = narrow & ~(width_before > limit)
        # smaller boxes decide little where derivatives change most with parameters: their ranges are split
        wait = enclosures.influence.max(axis=1, initial=0.0) < SENSITIVE * enclosures.of_parameters
        unresolved = (is_tried | wait) & ~near_point & ~misordered
        reason = np.zeros(len(width), int)
        reason[misordered] = REASONS.index("order of players")
        reason[near_point] = REASONS.index("around a point")
        reason[unresolved] = REASONS.index("undecided")
        ends = boxes.rows(unresolved)
        append(session, undecided_low=ends.low, undecided_high=ends.high, undecided_side=ends.side)
        remains = reason == 0
        influence = np.where(enclosures.smooth[:, None], enclosures.influence, 0.0)[remains]
        for part in _divided(game, at, boxes.rows(remains), influence, width[remains], narrow[remains]):
            append(session, **part._asdict())
        return reason

    def _add_near_zeros(
        self,
        game: Game,
        at: Coordinates,
        session: Session,
        boxes: _Boxes,
        enclosures: FirstOrder,
        width: ndarray,
    ) -> None:
        """Add the first-order points near approximate zeros in boxes of a relative width, or close to them.

        A zero on the edge of two boxes is inside neither.
        """
        (low, high, side), y = boxes, enclosures.newton
        # 0.6 of the width: inside, or a tenth of the width beyond an edge; a width of zero has its point
        near = np.all(np.abs(y - (low + high) / 2) <= 0.6 * (high - low) + 1e-300, axis=1)
        promising = enclosures.unique | (near & (width < 0.05))
        promising &= ~_around_points(session, y, y, side)
        if promising.any():
            self.add(game, at, session, *newton(game, at, y[promising], side[promising], 2))

    def _note(self, session: Session, low: ndarray, high: ndarray, reason: ndarray) -> None:
        """Count reasons, and store the boxes for a picture of two coordinates."""
        session["discarded"] = session["discarded"] + np.bincount(reason, minlength=len(REASONS))
        if low.shape[1] <= 2 and len(session["drawn"]) < DRAWN:
            decided = reason > 0
            ends = np.stack([low[decided], high[decided]], axis=1)
            append(session, drawn=ends, drawn_reason=reason[decided])

    def _judge(self, game: Game, at: Coordinates, session: Session) -> bool:
        """Judge one point; return False if all points are judged."""
        waiting = np.flatnonzero(session["verdict"] < 0)
        if not len(waiting):
            return False
        limit = {} if at.ranges is None else {"limit": ON_RANGES}  # beyond which smaller ranges are better
        verdict = judge(game, at, points_of(session)[waiting[0]], **limit)
        session["verdict"] = session["verdict"].copy()
        session["verdict"][waiting[0]] = VERDICTS.index(verdict)
        if verdict == "equilibrium" and session["constant_sum"][0]:
            self._end(session, int(waiting[0]))
        return True

    def _end(self, session: Session, index: int) -> None:
        """End the search with the only equilibrium, of two players whose payoffs have a constant sum.

        Equilibria are interchangeable then: in another one each strategy would be a best response to one of
        this equilibrium, which has no other best responses than its own.
        """
        session["interchangeable"] = np.ones(1, bool)
        low, high = session["low"], session["high"]
        session["boxes"] = session["boxes"] + len(low)
        self._note(session, low, high, np.full(len(low), REASONS.index("around a point")))
        session["verdict"] = np.full_like(session["verdict"], VERDICTS.index("not an equilibrium"))
        session["verdict"][index] = VERDICTS.index("equilibrium")
        for name in (*BOX_ENDS, *(f"undecided_{part}" for part in BOX_ENDS)):
            session[name] = session[name][:0]

    def _add_tied(self, game: Game, at: Coordinates, session: Session) -> bool:
        """Add points of undecided places at bounds with derivatives of zero; return False if called again."""
        if session["tied"][0] or at.ranges is not None or isinstance(game, InLogs):
            return False
        session["tied"] = np.ones(1, bool)
        names = [f"undecided_{part}" for part in BOX_ENDS]
        for low, high in zip(*hulls_of_clusters(*(session[name] for name in names[:2])), strict=True):
            y = np.where(low <= at.low, at.low, np.where(high >= at.high, at.high, low / 2 + high / 2))
            point = tied_point(game, at, y)
            if point is None or any(overlap(point, member) for member in points_of(session)):
                continue
            # in choices with a derivative of zero the point is a peak like one between bounds
            verdict = judge(game, at, point._replace(side=np.where(tied(point), 0.0, point.side)))
            point = point._replace(alone_side=np.where(tied(point), OPEN, point.side))
            append(session, points=np.stack(point)[None], verdict=[VERDICTS.index(verdict)])
            low_ends, high_ends, sides = (session[name] for name in names)
            is_open = ~inside(low_ends, high_ends, sides, point)
            session |= {name: session[name][is_open] for name in names}
        return True


def append(session: Session, **rows: Any) -> None:
    """Append rows to arrays of a session."""
    session |= {name: np.concatenate([session[name], part]) for name, part in rows.items()}


def points_of(session: Session) -> list[FirstOrderPoint]:
    """Return the proved first-order points of a session."""
    return [FirstOrderPoint(*rows) for rows in session["points"]]


def inside(low: ndarray, high: ndarray, side: ndarray, point: FirstOrderPoint) -> ndarray:
    """Return a mask of boxes that lie in the box in which a point is the only one."""
    within = (low >= point.alone_low) & (high <= point.alone_high)
    within &= (side == point.alone_side) | (point.alone_side == OPEN)
    return np.all(within, axis=1)


def _around_points(session: Session, low: ndarray, high: ndarray, side: ndarray) -> ndarray:
    """Return a mask of boxes in which a proved point of the session is the only one."""
    is_around = np.zeros(len(low), bool)
    for point in points_of(session):
        is_around |= inside(low, high, side, point)
    return is_around


def overlap(first: FirstOrderPoint, second: FirstOrderPoint) -> bool:
    """True if two enclosures may have a point in common."""
    return bool(np.all((first.low <= second.high) & (second.low <= first.high)))


def _groups(at: Coordinates, labels: ndarray) -> list[ndarray]:
    """Return the coordinates ``[player axis]`` of every group of exchangeable players."""
    groups = []
    for label in np.unique(labels):
        players = np.flatnonzero(labels == label)
        rows = [np.flatnonzero(at.player == player) for player in players]
        if len(players) > 1 and len(rows[0]):
            groups.append(np.array(rows))
    return groups


def _out_of_order(at: Coordinates, labels: ndarray, low: ndarray, high: ndarray) -> ndarray:
    """Return the boxes in which some player's first choice is above that of the next exchangeable player."""
    out = np.zeros(len(low), bool)
    for group in _groups(at, labels):
        coordinates = group[:, 0]
        out |= np.any(low[:, coordinates[:-1]] > high[:, coordinates[1:]], axis=1)
    return out


def _sorted(at: Coordinates, labels: ndarray, y: ndarray, side: ndarray) -> tuple[ndarray, ndarray]:
    """Return rows of choices with exchangeable players in order of their first choice."""
    y, side = y.copy(), side.copy()
    for group in _groups(at, labels):
        order = np.argsort(y[:, group[:, 0]], axis=1, kind="stable")
        for part in (y, side):
            part[:, group] = np.take_along_axis(part[:, group], order[:, :, None], axis=1)
    return y, side


def orders(at: Coordinates, labels: ndarray) -> Iterator[ndarray]:
    """Yield the coordinates in every order of exchangeable players."""
    groups = _groups(at, labels)
    for orders in product(*(permutations(group) for group in groups)):
        index = np.arange(len(at.player))
        for group, order in zip(groups, orders, strict=True):
            index[group] = np.array(order)
        yield index


def points_in_all_orders(
    at: Coordinates, labels: ndarray, points: list[FirstOrderPoint], verdicts: ndarray
) -> tuple[list[FirstOrderPoint], list[int]]:
    """Return the points of every order of exchangeable players, and their verdicts."""
    all_points: list[FirstOrderPoint] = []
    all_verdicts: list[int] = []
    for point, verdict in zip(points, verdicts, strict=True):
        for index in orders(at, labels):
            permuted = FirstOrderPoint(*(part[index] for part in point))
            # a point that the exchange leaves within the box where it is alone is the same
            if not any(overlap(permuted, member) for member in all_points):
                all_points.append(permuted)
                all_verdicts.append(int(verdict))
    order = sorted(range(len(all_points)), key=lambda k: all_points[k].centre.tolist())
    return [all_points[k] for k in order], [all_verdicts[k] for k in order]


def distinct_equilibria(at: Coordinates, session: Session) -> list[FirstOrderPoint] | None:
    """Return the equilibria in every order of exchangeable players; None if two may be the same or not.

    For all values of parameters two points are the same where one is within the box in which the other is
    alone, and differ where their boxes have nothing in common.
    """
    equilibria: list[FirstOrderPoint] = []
    for point, verdict in zip(points_of(session), session["verdict"], strict=True):
        for index in orders(at, at.labels) if verdict == 1 else ():
            permuted = FirstOrderPoint(*(part[index] for part in point))
            near = [equilibrium for equilibrium in equilibria if overlap(permuted, equilibrium)]
            if not all(
                inside(permuted.low[None], permuted.high[None], permuted.side[None], neighbour)[0]
                for neighbour in near
            ):
                return None
            if not near:
                equilibria.append(permuted)
    return equilibria


def _search_coordinates(game: Any, at: Coordinates, rows: ndarray) -> ndarray:
    """Return choices ``[box coordinate]`` in the coordinates in which the game's box is searched."""
    if not is_reparametrised(game):
        return rows
    return np.asarray(game.space.unconstrain(profiles_of(at, rows)))[:, *at.place]


def relative_width(game: object, at: Coordinates, low: ndarray, high: ndarray) -> ndarray:
    """Return widths relative to the range, or to the size of far smaller numbers that are not near zero."""
    ends = np.stack([at.low, at.high])
    if is_reparametrised(game):
        search_low, search_high = _search_coordinates(game, at, ends)
        wide = _search_coordinates(game, at, high) - _search_coordinates(game, at, low)
        return wide / (search_high - search_low)
    far, near = np.maximum(np.abs(low), np.abs(high)), np.minimum(np.abs(low), np.abs(high))
    far_from_zero, span = (low * high > 0) & (near > 0.5 * far), np.ptp(ends, axis=0)
    return (high - low) / np.where(far_from_zero, np.minimum(span, 10 * far), span)


def _divided(
    game: Game, at: Coordinates, boxes: _Boxes, influence: ndarray, width: ndarray, narrow: ndarray
) -> list[_Boxes]:
    """Return parts of boxes with a relative width, split where they are not ``narrow``.

    Small boxes are split by the bounds of the open choice with the largest influence, others in half.
    """
    is_open = boxes.side == OPEN
    has_faces = ~narrow & is_open.any(axis=1) & (width < FACES)
    halved = ~narrow & ~has_faces
    axes = np.argmax(np.where(is_open, influence, -1.0), axis=1)
    faces = _faces(at, *boxes.rows(has_faces), axes[has_faces])
    return [_halves(game, at, boxes.rows(halved), influence[halved]), boxes.rows(narrow), *faces]


def _halves(game: Any, at: Coordinates, boxes: _Boxes, influence: ndarray) -> _Boxes:
    """Return both halves of boxes, split in the coordinate with the largest effect on derivatives.

    Where no effect is known, or there is none, the widest coordinate is split, since slivers decide little.
    """
    low, high, side = boxes
    width = np.where((side == 0) | (side == OPEN), relative_width(game, at, low, high), -1.0)
    has_influence = np.isfinite(influence).all(axis=1) & (influence.max(axis=1) > 0)
    effect = np.where(width > SLIVER * width.max(axis=1, keepdims=True), influence, -1.0)
    axis = np.argmax(np.where(has_influence[:, None], effect, width), axis=1)
    row = np.arange(len(low))
    middle = (low + high) / 2
    if is_reparametrised(game):
        midpoints = (_search_coordinates(game, at, low) + _search_coordinates(game, at, high)) / 2
        amounts = np.asarray(game.space.constrain(profiles_of(at, midpoints)))[:, *at.place]
        middle = np.where((amounts > low) & (amounts < high), amounts, middle)
    upper_ends, lower_ends = split_ends(low, high, (row, axis), middle[row, axis])
    return _Boxes(*map(np.concatenate, ((low, lower_ends), (upper_ends, high), (side, side))))


def _faces(at: Coordinates, low: ndarray, high: ndarray, side: ndarray, axes: ndarray) -> list[_Boxes]:
    """Return boxes in which one open choice is at a bound that they touch, or between the bounds."""
    row = np.arange(len(low))
    between = side.copy()
    between[row, axes] = 0.0
    parts = [_Boxes(low, high, between)]
    for bound, end, sign in ((at.low, low, -1.0), (at.high, high, 1.0)):
        touches = end[row, axes] == bound[axes]
        at_bound = _Boxes(*(part[touches].copy() for part in (low, high, side)))
        entries = np.arange(len(at_bound.low)), axes[touches]
        at_bound.low[entries] = at_bound.high[entries] = bound[axes[touches]]
        at_bound.side[entries] = sign
        parts.append(at_bound)
    return parts


def _refuted_boxes(game: Game, at: Coordinates, boxes: _Boxes, largest_sum: float) -> ndarray:
    """Return a mask of boxes without an equilibrium, by a better strategy at every profile.

    It is one strategy of one player. Where the payoffs add up to at most ``largest_sum``, it may also be one
    strategy per player.
    """
    low, high, _ = boxes
    refuted = np.zeros(len(low), bool)
    if not len(low):
        return refuted
    gain, strategy = good_strategies(game, at, (low + high) / 2)
    # every player: where one gains most by leaving a jump, another may gain throughout
    for player in range(len(at.start)):
        undecided = np.flatnonzero(~refuted & (gain[:, player] > 0))
        if len(undecided):
            refuted[undecided] = refutation(
                game, at, player, low[undecided], high[undecided], strategy[undecided, player]
            )
    undecided = np.flatnonzero(~refuted & (np.sum(gain, axis=1) > 0) & (largest_sum < np.inf))
    if len(undecided):
        refuted[undecided] = refutation_together(
            game, at, low[undecided], high[undecided], strategy[undecided], largest_sum
        )
    return refuted


def good_strategies(game: Game, at: Coordinates, y: ndarray) -> tuple[Any, Any]:
    """Return gains ``[box player]`` of good strategies ``[box player axis]`` at profiles."""
    axes = game.space.shape[1]
    size = CANDIDATES**axes if axes < 3 else 4 * CANDIDATES**2
    grids = stacked_grids([game.space.grid(player, size) for player in range(len(at.start))])
    return _gains_at(game, at, grids, at.middle(y, y), batch=BATCH)


def _gain_at(game: Game, at: Coordinates, grids: Any, y: Array) -> tuple[Any, Any]:
    """Return the gain ``[player]`` of a good strategy per player at a profile, in floating point."""
    axes = grids.shape[2]
    unit = np.concatenate([np.zeros((1, axes)), np.eye(axes), -np.eye(axes)])

    def best_candidate(pay: Any, candidates: Any) -> tuple[Any, Any]:
        payoffs = jax.vmap(pay)(candidates)
        k = jnp.nanargmax(payoffs)
        return candidates[k], payoffs[k]

    x, game = at.profile(y), at.game(game, y)
    gains, strategies = [], []
    for player, grid in enumerate(grids):
        pay = deviation_payoff(game, x, player)
        low, high = jnp.min(grid, axis=0), jnp.max(grid, axis=0)

        def closer(k: Any, incumbent: Any, pay: Any = pay, low: Any = low, high: Any = high) -> Any:
            step = (high - low) / CANDIDATES * 0.5**k
            return best_candidate(pay, jnp.clip(incumbent[0] + step * unit, low, high))

        strategy, payoff = jax.lax.fori_loop(0, CLOSER, closer, best_candidate(pay, grid))
        gains.append(payoff - pay(x[player]))
        strategies.append(strategy)
    return jnp.stack(gains), jnp.stack(strategies)


_gains_at = over_rows(_gain_at, shared=3)


def undecided_places(
    at: Coordinates, labels: ndarray, session: Session, unjudged: list[FirstOrderPoint]
) -> tuple[int, tuple[ndarray, ndarray]]:
    """Return the number of places undecided by the search, and boxes with all equilibria that are not listed.

    The boxes are these places in every order of exchangeable players, points that are not judged, and one
    box around all boxes that are not searched.
    """
    places = hulls_of_clusters(session["undecided_low"], session["undecided_high"])
    permuted_places = (np.concatenate([end[:, index] for index in orders(at, labels)]) for end in places)
    low, high = (
        np.concatenate([end, *(point[k][None] for point in unjudged)])
        for k, end in enumerate(hulls_of_clusters(*permuted_places))
    )
    if len(session["low"]):
        permuted = [session[name][:, index] for index in orders(at, labels) for name in ("low", "high")]
        low = np.concatenate([low, np.min([end.min(axis=0) for end in permuted], axis=0)[None]])
        high = np.concatenate([high, np.max([end.max(axis=0) for end in permuted], axis=0)[None]])
    return len(places[0]), (low, high)


def hulls_of_clusters(low: ndarray, high: ndarray) -> tuple[ndarray, ndarray]:
    """Return the hulls of undecided boxes that touch; one hull of very many, which are not compared."""
    if len(low) > COMPARED:
        return low.min(axis=0, keepdims=True), high.max(axis=0, keepdims=True)
    a, b = low[:0], high[:0]
    for hull_low, hull_high in zip(low, high, strict=True):
        while True:
            # boxes within a width of each other touch; 1e-300 is for boxes without a width
            slack = (hull_high - hull_low) + 1e-300
            near = np.all((a <= hull_high + slack) & (b >= hull_low - slack), axis=1)
            if not near.any():
                break
            hull_low = np.minimum(hull_low, a[near].min(axis=0))
            hull_high = np.maximum(hull_high, b[near].max(axis=0))
            a, b = a[~near], b[~near]
        a, b = np.concatenate([a, hull_low[None]]), np.concatenate([b, hull_high[None]])
    return a, b


def profile_of(at: Coordinates, y: ndarray) -> ndarray:
    """Return the profile ``[player axis]`` with coordinates ``y``."""
    profile = at.start.copy()
    profile[at.place] = y
    return profile

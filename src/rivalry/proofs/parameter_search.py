"""The search for all equilibria for all values of parameters: ranges are split where boxes are undecided.

A proof for a range holds for its parts. So a part inherits the first-order points of the range, with the
boxes in which they are the only ones, and the undecided boxes; no other box is searched.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core.method import Session
from rivalry.core.results import Record, scalar
from rivalry.proofs.arithmetic.matrices import negative_definite
from rivalry.proofs.box_search import BOX_ENDS, VERDICTS, BoxSearch, append, distinct_equilibria, orders
from rivalry.proofs.first_order import at_most_one_point, first_order, newton
from rivalry.proofs.points import FirstOrderPoint
from rivalry.proofs.spaces.coordinates import OPEN, Coordinates, coordinates
from rivalry.proofs.spaces.logarithms import profile_bounds
from rivalry.proofs.spaces.parameter_ranges import GameOnRanges, Ranges
from rivalry.text.display import count_text

NARROWEST = 2.0**-13  # of the full range: narrower ranges are not split
BOXES = 2000  # of profiles for a range, before it is split
SEEDS = 32  # boxes from whose midpoints Newton's method starts


def begin_on_ranges(world: GameOnRanges, session: Session) -> Session:
    """Return a session in which the full ranges wait, with the boxes of a session of one game."""
    ends = np.stack([world.ranges.low, world.ranges.high])
    choices = session["low"].shape[1]
    boxes = {f"waiting_{name}": session[name] for name in BOX_ENDS}
    return (
        session
        | {name: session[name][:0] for name in BOX_ENDS}
        | boxes
        | {
            "here": ends[None][:0],  # the range that is searched, if any
            "before": np.array([0]),  # boxes searched for other ranges
            "waiting": ends[None],
            "waiting_id": np.array([0]),
            "waiting_box_of": np.zeros(len(session["low"]), int),
            "waiting_points": session["points"],
            "waiting_verdict": session["verdict"],
            "waiting_point_of": np.zeros(0, int),
            "next_id": np.ones(1, int),
            "range": ends[None][:0],
            "range_decided": np.zeros(0, bool),
            "range_count": np.zeros(0, int),
            "piece": np.zeros((0, 2, choices)),
            "piece_of": np.zeros(0, int),
        }
    )


def search_on_ranges(world: GameOnRanges, session: Session, search: BoxSearch) -> bool:
    """Take one step of the search; return False when the search has ended."""
    if not len(session["here"]):
        if not len(session["waiting"]):
            return False
        _open(world, session, search)
        return True
    at = _coordinates(world, session["here"][0])
    if session["boxes"][0] - session["before"][0] < BOXES and search.step(world.game, at, session):
        return True
    if session["boxes"][0] >= search.max_boxes:
        return False
    _close(world, session, distinct_equilibria(at, session))
    return True


def _coordinates(world: GameOnRanges, ends: ndarray) -> Coordinates:
    ranges = Ranges(ends[0], ends[1], world.ranges.places)
    return coordinates(world.game)._replace(labels=world.labels, ranges=ranges)


def _widths(world: GameOnRanges, ranges: ndarray) -> ndarray:
    """Return widths ``[range parameter]`` of ranges ``[range end parameter]`` relative to the full ranges."""
    return np.asarray((ranges[:, 1] - ranges[:, 0]) / (world.ranges.high - world.ranges.low))


def _open(world: GameOnRanges, session: Session, search: BoxSearch) -> None:
    """Begin with the widest range that waits, and the boxes and points that wait with it."""
    width = _widths(world, session["waiting"]).max(axis=1)
    k = int(np.argmax(width))
    number = session["waiting_id"][k]
    session["here"] = session["waiting"][k : k + 1]
    for name in ("waiting", "waiting_id"):
        session[name] = np.delete(session[name], k, axis=0)
    for owner, names in (("waiting_box_of", BOX_ENDS), ("waiting_point_of", ("points", "verdict"))):
        selected = session[owner] == number
        for name in names:
            session[name] = session[f"waiting_{name}"][selected]
            session[f"waiting_{name}"] = session[f"waiting_{name}"][~selected]
        session[owner] = session[owner][~selected]
    for name in BOX_ENDS:
        session[f"undecided_{name}"] = session[name][:0]
    session["before"] = session["boxes"].copy()
    if number == 0:  # the full ranges: points are searched everywhere
        return
    at = _coordinates(world, session["here"][0])
    if len(session["points"]):
        # of a smaller range the bounds on points, which hold, become narrower
        rows = session["points"].copy()  # of a `FirstOrderPoint`
        for _ in range(3):
            enclosures = first_order(world.game, at, rows[:, 0], rows[:, 1], rows[:, 4])
            rows[:, 0], rows[:, 1] = enclosures.low, enclosures.high
        session["points"] = rows
    if len(session["low"]):
        seeds = np.unique(np.linspace(0, len(session["low"]) - 1, SEEDS).astype(int))
        middle, side = (session["low"][seeds] + session["high"][seeds]) / 2, session["side"][seeds]
        search.add(world.game, at, session, *newton(world.game, at, middle, side, 5))


def _close(world: GameOnRanges, session: Session, proved_points: list[FirstOrderPoint] | None) -> None:
    """Record the result for the range, or split it."""
    boxes = {name: np.concatenate([session[name], session[f"undecided_{name}"]]) for name in BOX_ENDS}
    current = session["here"][0]
    width = _widths(world, session["here"])[0]
    decided = proved_points is not None and not len(boxes["low"]) and bool(np.all(session["verdict"] > 0))
    if not decided and (point := _single_point(world, session, boxes)) is not None:
        proved_points, decided = [point], True
    if decided or width.max() <= NARROWEST:
        if proved_points is None:
            proved_points = [FirstOrderPoint(*rows) for rows in session["points"][session["verdict"] == 1]]
        ends = np.reshape(
            [[point.low, point.high] for point in proved_points], (-1, 2, boxes["low"].shape[1])
        )
        append(session, piece=ends, piece_of=np.full(len(ends), len(session["range"])))
        append(session, range=current[None], range_decided=[decided], range_count=[len(proved_points)])
    else:
        k = int(np.argmax(width))
        parts = np.stack([current, current])
        parts[0, 1, k] = parts[1, 0, k] = current[0, k] / 2 + current[1, k] / 2
        for part in parts:
            number = session["next_id"]
            session["next_id"] = number + 1
            append(session, waiting=part[None], waiting_id=number)
            # points that are neither proved nor refuted are judged again
            verdict = np.where(session["verdict"] == 0, -1, session["verdict"])
            inherited = {"points": session["points"], "verdict": verdict, **boxes}
            append(session, **{f"waiting_{name}": rows for name, rows in inherited.items()})
            append(session, waiting_box_of=np.repeat(number, len(boxes["low"])))
            append(session, waiting_point_of=np.repeat(number, len(verdict)))
    session["here"] = session["here"][:0]


def _single_point(world: GameOnRanges, session: Session, boxes: dict[str, ndarray]) -> FirstOrderPoint | None:
    """Return the hull of the boxes that are left, if it is proved to have exactly one equilibrium; else None.

    Payoffs that are concave in own strategies have an equilibrium (Debreu, Glicksberg, Fan), and no other box
    has any. It may be at a bound for some values of parameters and inside for others.
    """
    if not len(boxes["low"]) or np.any(session["verdict"] != VERDICTS.index("not an equilibrium")):
        return None
    at = _coordinates(world, session["here"][0])
    # the search leaves out other orders of exchangeable players
    smallest, largest = boxes["low"].min(axis=0), boxes["high"].max(axis=0)
    for order in orders(at, at.labels):
        smallest, largest = np.minimum(smallest, smallest[order]), np.maximum(largest, largest[order])
    low, high = np.stack([smallest, at.low]), np.stack([largest, at.high])
    side = np.full(low.shape, OPEN)
    enclosures = first_order(world.game, at, low, high, side)
    if not (at_most_one_point(enclosures, side)[0] and enclosures.smooth[1]):
        return None
    for player in np.unique(at.player):
        index = np.ix_(at.player == player, at.player == player)
        if not negative_definite(enclosures.jacobian_low[1][index], enclosures.jacobian_high[1][index]):
            return None
    return FirstOrderPoint(low[0], high[0], low[0], high[0], side[0], side[0])


def record_on_ranges(world: GameOnRanges, session: Session) -> Record:
    """Return the record of a search: ranges of the parameters with their equilibria and their numbers."""
    open_ = [session["points"]] * len(session["here"])
    counts = [(session["verdict"] == 1).sum()] * len(open_)
    waiting = session["waiting_verdict"] == 1
    counts += [
        int(np.sum(waiting[session["waiting_point_of"] == number])) for number in session["waiting_id"]
    ]
    ranges = np.concatenate([session["range"], session["here"], session["waiting"]])
    decided = np.append(session["range_decided"], np.zeros(len(counts), bool))
    count = np.append(session["range_count"], counts).astype(np.int64)
    at = coordinates(world.game)
    ends = np.stack([at.start + np.zeros((len(session["piece"]), *at.start.shape))] * 2)
    ends[:, :, *at.place] = session["piece"].swapaxes(0, 1)
    low, high = profile_bounds(world.game, *ends)
    pieces = session["range"][session["piece_of"]]
    complete = bool(decided.all())
    pending = len(counts)
    ranges, decided, count = _joined(ranges, decided, count)
    unknown = np.sum(~decided)
    boxes = int(session["boxes"][0])
    reason = f"every range is decided: {boxes:,} boxes"
    if not complete:
        reason = f"undecided: {count_text(int(unknown), 'range')}"
        if pending:
            reason += f"; {count_text(pending, 'range is', 'ranges are')} not yet searched"
        else:
            reason += ", in which equilibria may merge or reach a bound, or payoffs tie"
    return {
        "where_name": (("parameter",), np.asarray(world.names, str)),
        "where": (("parameter", "end"), np.stack([world.ranges.low, world.ranges.high], axis=1)),
        "where_range": (("range", "parameter", "end"), ranges.swapaxes(1, 2)),
        "where_count": (("range",), count),
        "where_decided": (("range",), decided),
        "fewest_equilibria": scalar(count.min()),
        "most_equilibria": scalar(count.max() if complete else -1),
        "equilibrium_piece": (("piece", "player", "axis", "end"), np.stack([low, high], axis=-1)),
        "piece_range": (("piece", "parameter", "end"), pieces.swapaxes(1, 2)),
        "complete": scalar(complete),
        "complete_reason": scalar(reason),
        "boxes": ((), session["boxes"][0].copy()),
        "status": scalar("iteration limit" if pending else "converged"),
    }


def _joined(ranges: ndarray, decided: ndarray, count: ndarray) -> tuple[Any, Any, Any]:
    """Return ranges ``[range end parameter]``; those that touch and have the same result are joined.

    Ranges of several parameters are joined only if all have the same result.
    """
    is_uniform = np.all(decided == decided[0]) and np.all(count == count[0])
    if ranges.shape[2] > 1 and not is_uniform:
        return ranges, decided, count
    order = np.lexsort(ranges[:, 0].T[::-1])
    ranges, decided, count = ranges[order], decided[order], count[order]
    if is_uniform:
        return np.stack([ranges[:, 0].min(axis=0), ranges[:, 1].max(axis=0)])[None], decided[:1], count[:1]
    # undecided ranges are always joined: the smallest number holds throughout
    group_begin = np.append(
        True, (decided[1:] != decided[:-1]) | (decided[1:] & (count[1:] != count[:-1]))
    ).nonzero()[0]
    group_end = np.append(group_begin[1:], len(ranges)) - 1
    joined = np.stack([ranges[group_begin, 0], ranges[group_end, 1]], axis=1)
    return joined, decided[group_begin], np.minimum.reduceat(count, group_begin)

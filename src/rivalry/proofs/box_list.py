"""Lists of equilibria from a search of boxes, for one period or several, with the undecided boxes."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.assumed_range import AT_OPEN_END, gain_beyond, open_range
from rivalry.core.claims import NONE_EXISTS
from rivalry.core.game import Game
from rivalry.core.method import Session
from rivalry.core.oracles import Cases
from rivalry.core.payoffs import payoffs
from rivalry.core.results import Record, scalar
from rivalry.proofs.box_search import (
    MERGE_DISTANCE,
    REASONS,
    VERDICTS,
    BoxSearch,
    points_in_all_orders,
    points_of,
    profile_of,
    relative_width,
    undecided_places,
)
from rivalry.proofs.gains import profiles_of
from rivalry.proofs.points import FirstOrderPoint
from rivalry.proofs.spaces.coordinates import Coordinates, coordinates
from rivalry.proofs.spaces.logarithms import InLogs, amounts, original_profile, original_record
from rivalry.runtime.jax import put
from rivalry.text.display import count_text, strategy_in_words

SAMPLE_SIZE = 64  # undecided boxes at which payoffs are computed, to find the reason
COMBINED = 5040  # equilibria of several periods that are listed
JUMP = 0.1  # of the difference of payoffs over a box: as much between two adjacent numbers is a jump


def list_of_boxes(search: BoxSearch, game: Game, session: Session) -> Record:
    """Return the record of a search: equilibria, undecided boxes, and why the list is complete or not.

    The record also has the profiles of the session's ``certified`` that no proved equilibrium accounts for:
    a certificate shows that they are equilibria.
    """
    at = coordinates(game)
    points, verdicts = points_in_all_orders(at, at.labels, points_of(session), session["verdict"])
    proved_points = [point for point, verdict in zip(points, verdicts, strict=True) if verdict == 1]
    proved_points, range_note = _within_range(game, at, proved_points)
    unjudged = [point for point, verdict in zip(points, verdicts, strict=True) if verdict < 1]
    searched = not len(session["low"])
    places, boxes = undecided_places(at, at.labels, session, unjudged)
    complete = searched and not len(boxes[0]) and not _unsearched(search, game) and not range_note
    # what is around an entry of the list is that entry
    slack = MERGE_DISTANCE * (at.high - at.low)
    candidates = session["certified"][:, *at.place]
    new = np.ones(len(candidates), bool)
    for point in proved_points:
        new &= np.any((candidates < point.low - slack) | (candidates > point.high + slack), axis=1)
    profiles, certified = _centres(at, proved_points), session["certified"][new]
    record = list_record(
        game,
        profiles,
        np.array([_radius(point) for point in proved_points]),
        complete=complete,
        reason=_reason(search, game, session, places, unjudged, range_note),
        boxes=int(session["boxes"][0]),
        discarded=session["discarded"][1:].copy(),
        undecided=np.stack([profiles_of(at, end) for end in boxes], axis=-1),
    )
    record |= {
        "certified": (("certified_profile", "player", "axis"), certified),
        "certified_bound": (("certified_profile",), session["certified_bound"][new]),
        "status": scalar(_status(session, searched, len(profiles) + len(certified))),
    }
    if search.first_order:
        labels = np.array([VERDICTS[max(verdict, 0)] for verdict in verdicts], str)
        record |= {
            "first_order": (("first_order_point", "player", "axis"), _centres(at, points)),
            "first_order_count": scalar(len(points)),
            "verdict": (("first_order_point",), labels),
        }
    if len(session["drawn"]):
        record |= {
            "drawn_box": (("drawn", "end", "choice"), session["drawn"].copy()),
            "drawn_reason": (("drawn",), session["drawn_reason"].copy()),
        }
    if len(profiles):
        record["profile"] = (("player", "axis"), profiles[0])
    elif len(certified):
        record["profile"] = (("player", "axis"), certified[0])
    return original_record(game, record)


def _centres(at: Coordinates, points: list[FirstOrderPoint]) -> ndarray:
    """Return the profiles ``[point player axis]`` in the middle of first-order points."""
    return np.reshape([profile_of(at, point.centre) for point in points], (-1, *at.start.shape))


def _status(session: Session, searched: bool, count: int) -> str:
    if not searched or np.any(session["verdict"] < 0):
        return "iteration limit"
    return "converged" if count else "not found"


def _unsearched(search: BoxSearch, game: object) -> str:
    """Return a note on profiles that were not searched; empty if none of them can be an equilibrium."""
    if search.within is not None:
        return f"only choices in [{search.within[0]:g}, {search.within[1]:g}] were searched"
    if not isinstance(game, InLogs):
        return ""
    if game.beyond:
        low, high = amounts(np.min(game.space.low), np.max(game.space.high))
        return f"only choices in [{low:.3g}, {high:.3g}] were searched: {game.beyond}"
    if search.first_order:
        return "first-order points beyond the bounds on equilibria were not searched"
    return ""


def _reason(
    search: BoxSearch,
    game: Game,
    session: Session,
    places: int,
    unjudged: list[FirstOrderPoint],
    range_note: str,
) -> str:
    searched, waiting = int(session["boxes"][0]), len(session["low"])
    parts = []
    if waiting:
        # boxes are halved, so that more than were searched may be left
        progress = f", {count_text(searched, 'is', 'are')}"
        if searched >= search.max_boxes:
            progress = f": raise max_boxes above {search.max_boxes}"
        parts.append(f"{count_text(waiting, 'box is', 'boxes are')} not yet searched{progress}")
    low, high = session["undecided_low"], session["undecided_high"]
    if places:
        at = coordinates(game)
        wide = np.max(relative_width(game, at, low, high))
        boxes, place_count = count_text(len(low), "box", "boxes"), count_text(places, "place")
        parts.append(f"undecided: {boxes} in {place_count}, up to {wide:.2g} of the range wide")
        if (undefined := _undefined(game, at, low, high)) is not None:
            where = strategy_in_words(undefined)
            parts.insert(0, f"payoffs are not finite in part of the box, as at {where}")
        elif (jump := _jump(game, at, low, high)) is not None:
            parts.append(f"payoffs jump at {strategy_in_words(jump)}")
    if unjudged:
        parts.append(f"neither proved nor refuted: {count_text(len(unjudged), 'first-order point')}")
    if unsearched := _unsearched(search, game):
        parts.append(unsearched)
    if range_note:
        parts.append(range_note)
    if session["interchangeable"][0] and not parts:
        return "equilibria are interchangeable where payoffs have a constant sum, and best responses unique"
    return "; ".join(parts) or f"every box is decided: {count_text(searched, 'box', 'boxes')}"


def _within_range(
    game: Game, at: Coordinates, points: list[FirstOrderPoint]
) -> tuple[list[FirstOrderPoint], str]:
    """Return the points at which no choice beyond the assumed range pays more, and a note on that range.

    The note is empty if the range is known to hold all best responses. Payoffs beyond the range are also
    evaluated where all choices are at their upper ends.
    """
    inside, notes = [], []
    for point in points:
        x = profile_of(at, point.centre)
        note = gain_beyond(game, x)
        at_end = open_range(game.space, x)
        if not note and at_end.startswith(AT_OPEN_END):
            note = at_end
        if not note:
            inside.append(point)
        notes.append(note)
    notes.append(gain_beyond(game, profile_of(at, at.high)))
    notes.append(open_range(game.space, profile_of(at, at.low / 2 + at.high / 2)))
    return inside, next(filter(None, notes), "")


def _undefined(game: Game, at: Coordinates, low: ndarray, high: ndarray) -> ndarray | None:
    """Return a profile in some of the boxes at which payoffs are not finite, ``[choice]``; None if unseen."""
    sample = np.unique(np.linspace(0, len(low) - 1, SAMPLE_SIZE).astype(int))
    for y in np.concatenate([low[sample], low[sample] / 2 + high[sample] / 2, high[sample]]):
        x = profile_of(at, y)
        if not np.isfinite(payoffs(game, put(x))).all():
            return original_profile(game, x).ravel()
    return None


class _Edge(NamedTuple):
    """A line between two profiles ``[choice]`` that differ in one choice, and how much payoffs change."""

    begin: ndarray
    end: ndarray
    axis: int
    change: float


def _jump(game: Game, at: Coordinates, low: ndarray, high: ndarray) -> ndarray | None:
    """Return a profile in some boxes at which payoffs jump in a choice, ``[choice]``; None if unseen.

    Edges of boxes, and lines through their middles, are sampled. The one along which payoffs change most is
    halved until no float is between its ends, each time to the half with the larger change.
    """

    def pay(y: ndarray) -> ndarray:
        return payoffs(game, put(profile_of(at, y)))

    def change(a: ndarray, b: ndarray) -> float:
        return float(np.max(np.abs(pay(b) - pay(a))))

    sample = np.unique(np.linspace(0, len(low) - 1, SAMPLE_SIZE // 4).astype(int))
    edges = []
    for lower, upper in zip(low[sample], high[sample], strict=True):
        for axis, corner in product(range(len(lower)), (lower, lower / 2 + upper / 2)):
            begin, end = corner.copy(), corner.copy()
            begin[axis], end[axis] = lower[axis], upper[axis]
            edges.append(_Edge(begin, end, axis, change(begin, end)))
    a, b, k, largest_change = max(edges, key=lambda edge: edge.change)
    while True:
        middle = a.copy()
        middle[k] = a[k] / 2 + b[k] / 2
        if middle[k] in (a[k], b[k]):
            break
        if change(a, middle) >= change(middle, b):
            b = middle
        else:
            a = middle
    discontinuous = largest_change > 0 and change(a, b) > JUMP * largest_change
    return original_profile(game, profile_of(at, b)).ravel() if discontinuous else None


def _radius(point: FirstOrderPoint) -> float:
    """Return the largest distance in a coordinate from the midpoint to the equilibrium."""
    distance = np.max(np.maximum(point.high - point.centre, point.centre - point.low))
    return float(np.nextafter(distance, np.inf)) if distance else 0.0


class SeparateParts(NamedTuple):
    """A game whose parts do not depend on each other, and the search of each part."""

    game: Any
    parts: tuple[Any, ...]
    names: tuple[str, ...]


class CaseAnalysis(NamedTuple):
    """A game whose payoffs jump, and its equilibria in fractions."""

    game: Any
    cases: Cases


def record_of_cases(world: CaseAnalysis) -> Record:
    """Return the list of a game by cases: complete, and exact up to the rounding of each choice."""
    exact, shape = world.cases.equilibria, world.game.space.shape
    profiles = np.reshape(np.array(exact, float), (len(exact), *shape))
    pairs = zip(np.reshape(np.array(exact, object), (len(exact), -1)), profiles, strict=True)
    radii = [rounding_radius(fractions.tolist(), x.ravel().tolist()) for fractions, x in pairs]
    cases = count_text(world.cases.size, world.cases.noun, world.cases.plural)
    record = list_record(
        world.game,
        profiles,
        np.array(radii),
        complete=True,
        reason=f"every case is solved in fractions: {cases}",
        boxes=0,
        discarded=np.zeros(len(REASONS) - 1, int),
        undecided=np.zeros((0, *shape, 2)),
    )
    record["pattern_count"] = scalar(world.cases.size)
    record["status"] = scalar("converged" if len(exact) else "not found")
    if len(exact):
        record["profile"] = (("player", "axis"), profiles[0])
    return record


def list_record(
    game: Game,
    profiles: ndarray,
    radii: ndarray,
    *,
    complete: bool,
    reason: str,
    boxes: int,
    discarded: ndarray,
    undecided: ndarray,
) -> Record:
    """Return what all lists have of equilibria ``[equilibrium player axis]`` within ``radii [equilibrium]``.

    ``undecided [place player axis end]`` are boxes in which others may be.
    """
    rows = [payoffs(game, put(x)) for x in profiles]
    return {
        "equilibria": (("equilibrium", "player", "axis"), profiles),
        "equilibrium_payoff": (("equilibrium", "player"), np.reshape(rows, profiles.shape[:2])),
        "radius": (("equilibrium",), radii),
        "equilibrium_count": scalar(len(profiles)),
        "complete": scalar(complete),
        "complete_reason": scalar(reason),
        "boxes": scalar(boxes),
        "discarded": (("reason",), discarded),
        "undecided": (("place", "player", "axis", "end"), undecided),
    }


def rounding_radius(exact: list[Fraction], numbers: list[float]) -> float:
    """Return an upper bound on the largest distance between fractions and their floats."""
    off = max(abs(Fraction(number) - fraction) for fraction, number in zip(exact, numbers, strict=True))
    return float(np.nextafter(float(off), np.inf)) if off else 0.0


def of_part(session: Session, t: int) -> Session:
    """Return the session of one part."""
    return {name.split(" ", 1)[1]: part for name, part in session.items() if name.split(" ", 1)[0] == str(t)}


def combined_list(world: SeparateParts, lists: list[Record]) -> Record:
    """Return the list of a game from the lists of its parts: combinations of an equilibrium per part."""
    parts = [{name: value for name, (_, value) in entry.items()} for entry in lists]
    noun = f"{world.names[0].split()[0]}s"
    none_exists = any(part["status"] == NONE_EXISTS for part in parts)
    counts = [len(part["equilibria"]) for part in parts]
    combinations = _combinations(counts)
    profiles = _joined(parts, "equilibria", combinations)
    radii = [part["radius"][k] for part, k in zip(parts, combinations.T, strict=True)]
    space = world.game.space
    bounds = np.split(np.stack([space.low, space.high], axis=-1), len(parts), axis=1)
    undecided = []
    for t, part in enumerate(parts):
        for hull in () if none_exists else part["undecided"]:
            # with whatever is played in other parts
            undecided.append(np.concatenate([*bounds[:t], hull, *bounds[t + 1 :]], axis=1))
    reasons = []
    for name, part in zip(world.names, parts, strict=True):
        if not part["complete"]:
            reasons.append(f"{name}: {part['complete_reason']}")
    for name, part in zip(world.names, parts, strict=True):
        if len(part.get("vertex_set", ())) or len(part.get("equilibrium_set", ())):
            reasons.append(f"{name}: sets of equilibria are not combined with those of other {noun}")
    is_cut = prod(counts) > COMBINED
    if is_cut:
        reasons.append(f"{prod(counts):,} combinations of the equilibria of {noun} are not listed")
    boxes = sum(int(part["boxes"]) for part in parts)
    reason = f"every case is solved in fractions, in {len(parts)} {noun}"
    if boxes:
        reason = f"every box is decided: {count_text(boxes, 'box', 'boxes')} in {len(parts)} {noun}"
    is_complete = none_exists or not reasons
    record = list_record(
        world.game,
        profiles,
        np.max(radii, axis=0),
        complete=is_complete,
        reason=reason if is_complete else "; ".join(reasons),
        boxes=boxes,
        discarded=np.sum([part["discarded"] for part in parts], axis=0),
        undecided=np.reshape(undecided, (-1, *space.shape, 2)),
    )
    status = "converged" if len(profiles) else "not found"
    if is_cut or any(part["status"] == "iteration limit" for part in parts):
        status = "iteration limit"
    record["status"] = scalar(status)
    if "first_order" in parts[0]:
        record |= _combined_points(parts)
    if len(profiles):
        record["profile"] = (("player", "axis"), profiles[0])
    return record


def _combinations(counts: list[int]) -> ndarray:
    """Return all combinations of an entry per list, ``[combination list]``; none beyond `COMBINED`."""
    rows = list(product(*map(range, counts))) if prod(counts) <= COMBINED else []
    return np.reshape(np.array(rows, int), (len(rows), len(counts)))


def _joined(parts: list[dict[str, Any]], name: str, combinations: ndarray) -> ndarray:
    """Return profiles ``[combination player axis]`` of a profile per part."""
    profiles = [part[name][k] for part, k in zip(parts, combinations.T, strict=True)]
    return np.concatenate(profiles, axis=2)


def _combined_points(parts: list[dict[str, Any]]) -> Record:
    """Return the combinations of first-order points of all parts, and their verdicts.

    A combination is an equilibrium if all its points are equilibria of their parts, and no equilibrium if
    one of them is not.
    """
    counts = [len(part["first_order"]) for part in parts]
    if prod(counts) > COMBINED:
        return {}
    combinations = _combinations(counts)
    verdicts = np.stack([part["verdict"][k] for part, k in zip(parts, combinations.T, strict=True)])
    refuted = np.any(verdicts == VERDICTS[2], axis=0)
    proved = np.all(verdicts == VERDICTS[1], axis=0)
    profiles = _joined(parts, "first_order", combinations)
    return {
        "first_order": (("first_order_point", "player", "axis"), profiles),
        "first_order_count": scalar(len(combinations)),
        "verdict": (("first_order_point",), np.array(VERDICTS)[np.select([refuted, proved], [2, 1], 0)]),
    }

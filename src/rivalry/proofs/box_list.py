"""Lists of equilibria that a search of boxes proves, of one period or several, and what stays undecided."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from rivalry.core.assumed_range import gain_beyond
from rivalry.core.game import Game
from rivalry.core.method import Session
from rivalry.core.payoffs import payoffs
from rivalry.core.results import Record
from rivalry.proofs.box_search import (
    MERGE_DISTANCE,
    VERDICTS,
    BoxSearch,
    orders,
    points_in_all_orders,
    points_of,
    profile_of,
    profiles_of,
    relative_width,
    undecided_places,
)
from rivalry.proofs.points import FirstOrderPoint
from rivalry.proofs.spaces.coordinates import Coordinates, coordinates
from rivalry.proofs.spaces.logarithms import InLogs, amounts, original_profile, original_record
from rivalry.runtime.jax import put
from rivalry.text.display import count_text, strategy_in_words

SAMPLED = 64  # undecided boxes at which payoffs are computed, to say why
COMBINED = 5040  # equilibria of several periods that are listed
JUMP = 0.1  # of the difference of payoffs over a box: as much between two adjacent numbers is a jump


def list_of_boxes(search: BoxSearch, game: Game, session: Session) -> Record:
    """Return the record of a search: equilibria, what is undecided, and why the list is complete or not.

    Profiles of the session's ``certified`` that are not in the list are in it too, as profiles of which a
    certificate says that they are equilibria.
    """
    at = coordinates(game)
    labels = at.labels
    points, verdicts = points_in_all_orders(at, labels, points_of(session), session["verdict"])
    chosen = [point for point, verdict in zip(points, verdicts, strict=True) if verdict == 1]
    chosen, beyond = _within_range(game, at, chosen)
    unjudged = [point for point, verdict in zip(points, verdicts, strict=True) if verdict < 1]
    searched = not len(session["low"])
    places, boxes = undecided_places(at, labels, session, unjudged)
    complete = searched and not len(boxes[0]) and not _unsearched(search, game) and not beyond
    turned = [session["sets"][:, :, index] for index in orders(at, labels)]
    sets = np.unique(np.concatenate(turned), axis=0)
    found = np.array([profile_of(at, point.centre) for point in chosen])
    profiles = np.reshape(found, (len(chosen), *at.start.shape))
    # what is around an entry of the list is that entry
    slack = MERGE_DISTANCE * (at.high - at.low)
    rest = session["certified"][:, *at.place]
    new = np.ones(len(rest), dtype=bool)
    for point in chosen:
        new &= np.any((rest < point.low - slack) | (rest > point.high + slack), axis=1)
    certified = session["certified"][new]
    record: Record = {
        "equilibria": (("equilibrium", "player", "axis"), profiles),
        "equilibrium_payoff": (("equilibrium", "player"), profile_payoffs(game, profiles)),
        "radius": (("equilibrium",), np.array([_radius(point) for point in chosen])),
        "equilibrium_count": ((), np.asarray(len(chosen))),
        "complete": ((), np.asarray(complete)),
        "complete_reason": ((), np.asarray(_reason(search, game, session, places, unjudged, beyond))),
        "boxes": ((), session["boxes"][0].copy()),
        "discarded": (("reason",), session["discarded"][1:].copy()),
        "undecided": (
            ("place", "player", "axis", "end"),
            np.stack([profiles_of(at, end) for end in boxes], axis=-1),
        ),
        "equilibrium_set": (
            ("set", "player", "axis", "end"),
            np.stack([profiles_of(at, sets[:, k]) for k in range(2)], axis=-1),
        ),
        "certified": (("certified_profile", "player", "axis"), certified),
        "certified_bound": (("certified_profile",), session["certified_bound"][new]),
        "status": ((), np.asarray(_status(session, searched, len(chosen) + len(certified)))),
    }
    if search.first_order:
        every = np.array([profile_of(at, point.centre) for point in points]).reshape(-1, *at.start.shape)
        words = np.array([VERDICTS[max(verdict, 0)] for verdict in verdicts], dtype=str)
        record |= {
            "first_order": (("first_order_point", "player", "axis"), every),
            "first_order_count": ((), np.asarray(len(points))),
            "verdict": (("first_order_point",), words),
        }
    if len(session["drawn"]):
        record |= {
            "drawn_box": (("drawn", "end", "choice"), session["drawn"].copy()),
            "drawn_reason": (("drawn",), session["drawn_reason"].copy()),
        }
    if len(chosen):
        record["profile"] = (("player", "axis"), profiles[0])
    elif len(certified):
        record["profile"] = (("player", "axis"), certified[0])
    return original_record(game, record)


def _status(session: Session, searched: bool, found: int) -> str:
    if not searched or np.any(session["verdict"] < 0):
        return "iteration limit"
    return "converged" if found or len(session["sets"]) else "not found"


def _unsearched(search: BoxSearch, game: object) -> str:
    """Return which profiles were not searched; empty where it is proved that they hold no equilibrium."""
    if search.within is not None:
        return f"only choices in [{search.within[0]:g}, {search.within[1]:g}] were searched"
    if not isinstance(game, InLogs):
        return ""
    if game.beyond:
        low, high = amounts(np.min(game.space.low), np.max(game.space.high))
        return f"only choices in [{low:.3g}, {high:.3g}] were searched: {game.beyond}"
    return "first-order points beyond the bounds on equilibria were not searched" * search.first_order


def _reason(
    search: BoxSearch, game: Game, session: Session, places: int, unjudged: list[FirstOrderPoint], beyond: str
) -> str:
    count, left = int(session["boxes"][0]), len(session["low"])
    parts = []
    if left:
        limit = f": raise max_boxes above {search.max_boxes}" if count >= search.max_boxes else ""
        done = f", {count_text(count, 'is', 'are')}" * (not limit)  # boxes are halved: more may be left
        parts.append(f"{count_text(left, 'box is', 'boxes are')} not yet searched{done}{limit}")
    low, high = session["undecided_low"], session["undecided_high"]
    if places:
        at = coordinates(game)
        wide = np.max(relative_width(game, at, low, high))
        boxes, where = count_text(len(low), "box", "boxes"), count_text(places, "place")
        parts.append(f"undecided: {boxes} in {where}, up to {wide:.2g} of the range wide")
        if (undefined := _undefined(game, at, low, high)) is not None:
            parts.append(f"payoffs are not finite at {strategy_in_words(undefined)}")
        elif (jump := _jump(game, at, low, high)) is not None:
            parts.append(f"payoffs jump at {strategy_in_words(jump)}")
    if unjudged:
        parts.append(f"neither proved nor refuted: {count_text(len(unjudged), 'first-order point')}")
    if unsearched := _unsearched(search, game):
        parts.append(unsearched)
    parts += filter(None, [beyond])
    if session["interchangeable"][0] and not parts:
        return "equilibria are interchangeable where payoffs have a constant sum, and best responses unique"
    return "; ".join(parts) or f"every box is decided: {count_text(count, 'box', 'boxes')}"


def _within_range(
    game: Game, at: Coordinates, points: list[FirstOrderPoint]
) -> tuple[list[FirstOrderPoint], str]:
    """Return the points at which no choice beyond the range assumed pays more, and why the range is no bound.

    Payoffs beyond are also asked for where all choices are at their upper ends.
    """
    profiles = [profile_of(at, y) for y in (*(point.centre for point in points), at.high)]
    each = [gain_beyond(game, x) for x in profiles]
    inside = [point for point, words in zip(points, each, strict=False) if not words]
    return inside, next(filter(None, each), "")


def _undefined(game: Game, at: Coordinates, low: np.ndarray, high: np.ndarray) -> np.ndarray | None:
    """Return a profile in some of the boxes at which payoffs are not finite, ``[choice]``; None if unseen."""
    some = np.unique(np.linspace(0, len(low) - 1, SAMPLED).astype(int))
    for y in np.concatenate([low[some], low[some] / 2 + high[some] / 2, high[some]]):
        x = profile_of(at, y)
        if not np.all(np.isfinite(payoffs(game, put(x)))):
            return original_profile(game, x).ravel()
    return None


def _jump(game: Game, at: Coordinates, low: np.ndarray, high: np.ndarray) -> np.ndarray | None:
    """Return a profile in some boxes at which payoffs jump in a choice, ``[choice]``; None if unseen."""

    def pay(y: np.ndarray) -> np.ndarray:
        return np.asarray(payoffs(game, put(profile_of(at, y))))

    some = np.unique(np.linspace(0, len(low) - 1, SAMPLED // 4).astype(int))
    edges = []
    for first, last in zip(low[some], high[some], strict=True):
        begin, middle = pay(first), first / 2 + last / 2
        for k in range(len(first)):
            for start in (first, middle):
                a, b = start.copy(), start.copy()
                a[k], b[k] = first[k], last[k]
                edges.append((float(np.max(np.abs(pay(b) - (begin if start is first else pay(a))))), a, b))
    whole, a, b = max(edges, key=lambda edge: edge[0])
    (k,) = np.flatnonzero(a != b)[:1] if np.any(a != b) else (0,)
    while True:
        middle = a.copy()
        middle[k] = a[k] / 2 + b[k] / 2
        if middle[k] in (a[k], b[k]):
            break
        at_a, at_middle, at_b = pay(a), pay(middle), pay(b)
        near = np.max(np.abs(at_middle - at_a)) >= np.max(np.abs(at_b - at_middle))
        a, b = (a, middle) if near else (middle, b)
    discontinuous = whole > 0 and np.max(np.abs(pay(b) - pay(a))) > JUMP * whole
    return original_profile(game, profile_of(at, b)).ravel() if discontinuous else None


def _radius(point: FirstOrderPoint) -> float:
    """Return the largest distance in a coordinate from the midpoint to the equilibrium."""
    return float(
        np.nextafter(np.max(np.maximum(point.high - point.centre, point.centre - point.low)), np.inf)
    )


def profile_payoffs(game: Game, profiles: np.ndarray) -> np.ndarray:
    found = [np.asarray(payoffs(game, put(x))) for x in profiles]
    return np.reshape(found, (len(profiles), profiles.shape[1]))


class SeparatePeriods(NamedTuple):
    """A game whose periods do not depend on each other, and what is searched for each of them."""

    game: Any
    parts: tuple[Any, ...]


def of_period(session: Session, t: int) -> Session:
    """Return the session of one period."""
    return {name.split(" ", 1)[1]: part for name, part in session.items() if name.split(" ", 1)[0] == str(t)}


def combined_list(world: SeparatePeriods, every: list[Record]) -> Record:
    """Return the list of a game from those of its periods: an equilibrium is one of every period."""
    records = [{name: value for name, (_, value) in one.items()} for one in every]
    counts = [len(one["equilibria"]) for one in records]
    none = any(one["complete"] and not count for one, count in zip(records, counts, strict=True))
    few = prod(counts) <= COMBINED
    rows = list(product(*map(range, counts))) if few else []
    chosen = np.reshape(np.array(rows, dtype=int), (len(rows), len(records)))

    def combined(name: str, indices: np.ndarray) -> np.ndarray:
        parts = [one[name][k] for one, k in zip(records, indices.T, strict=True)]
        return np.concatenate(parts, axis=2)

    space = world.game.space
    ends = np.split(np.stack([space.low, space.high], axis=-1), len(records), axis=1)
    undecided = [  # with whatever is played in other periods
        np.concatenate([*ends[:t], hull, *ends[t + 1 :]], axis=1)
        for t, one in enumerate(records)
        for hull in one["undecided"]
    ]
    profiles = combined("equilibria", chosen)
    reasons = [
        f"period {t + 1}: {one['complete_reason']}" for t, one in enumerate(records) if not one["complete"]
    ]
    if not few:
        reasons.append(f"{prod(counts):,} combinations of the periods' equilibria are not listed")
    boxes = sum(int(one["boxes"]) for one in records)
    done = f"every box is decided: {count_text(boxes, 'box', 'boxes')} in {len(records)} periods"
    radii = [one["radius"][k] for one, k in zip(records, chosen.T, strict=True)]
    limited = not few or any(one["status"] == "iteration limit" for one in records)
    record: Record = {
        "equilibria": (("equilibrium", "player", "axis"), profiles),
        "equilibrium_payoff": (("equilibrium", "player"), profile_payoffs(world.game, profiles)),
        "radius": (("equilibrium",), np.max(radii, axis=0)),
        "equilibrium_count": ((), np.asarray(len(profiles))),
        "complete": ((), np.asarray(none or not reasons)),
        "complete_reason": ((), np.asarray("; ".join(reasons) if reasons and not none else done)),
        "boxes": ((), np.asarray(boxes)),
        "discarded": (("reason",), np.sum([one["discarded"] for one in records], axis=0)),
        "undecided": (
            ("place", "player", "axis", "end"),
            np.reshape([] if none else undecided, (-1, *space.shape, 2)),
        ),
        "status": (
            (),
            np.asarray("iteration limit" if limited else "converged" if len(profiles) else "not found"),
        ),
    }
    if "first_order" in records[0]:
        counts = [len(one["first_order"]) for one in records]
        if prod(counts) <= COMBINED:
            points = np.reshape(list(product(*map(range, counts))), (-1, len(records))).astype(int)
            words = [one["verdict"][k] for one, k in zip(records, points.T, strict=True)]
            bad = np.any(np.stack(words) == VERDICTS[2], axis=0)
            good = np.all(np.stack(words) == VERDICTS[1], axis=0)
            record |= {
                "first_order": (("first_order_point", "player", "axis"), combined("first_order", points)),
                "first_order_count": ((), np.asarray(len(points))),
                "verdict": (
                    ("first_order_point",),
                    np.array(VERDICTS)[np.where(bad, 2, np.where(good, 1, 0))],
                ),
            }
    if len(profiles):
        record["profile"] = (("player", "axis"), profiles[0])
    return record

"""The place where everybody stands, followed over the values of a parameter: the session of `Thresholds`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rivalry.core import symmetric
from rivalry.methods.continuation.parametrised_game import Family

Session = dict[str, np.ndarray]

STARTS = 41  # places from which Newton's method looks for roots
LEAP = 0.05  # of the width: a root that moves on by more, and by far more than before, is another one
UNEVEN = 20.0  # times the move before


class Sweep(NamedTuple):
    """A game at every value of its parameter: what thresholds are found in."""

    family: Family
    values: np.ndarray  # [scan], rising
    players: int
    position: np.ndarray | None  # [axis]: where everybody stays, if that is given


def blank(world: Sweep) -> Session:
    """Room for the scan."""
    count, free = len(world.values), world.family.directions[0].shape[1]
    axes = world.family.space.shape[1]
    return {
        "roots": np.zeros((0, axes)),
        "near": np.full(axes, np.nan),  # where the first root is sought
        "here": np.full(axes, np.nan),  # where the scan stands
        "from_high": np.zeros(1, dtype=bool),
        "done": np.zeros(1, dtype=np.int64),
        "place": np.full((count, axes), np.nan),
        "split": np.full((count, free), np.nan + 0j),
        "together": np.full((count, free), np.nan + 0j),
        "residual": np.full(count, np.nan),
        "jumped": np.zeros(count, dtype=bool),
    }


def first_root(world: Sweep, session: Session) -> None:
    """Where the scan begins, in place: the given position, or a root at one end of the range."""
    name, ends = world.family.name, world.values[[0, -1]]
    if world.position is not None:
        session["roots"], session["here"] = world.position[None], world.position.copy()
        return
    near = session["near"]
    if np.all(np.isfinite(near)):
        found, at = _roots(world, ends[0], near), f"{ends[0]:g}"
    else:
        low, high = (_roots(world, value) for value in ends)
        session["from_high"][0] = len(high) > 0 and (len(low) == 0 or len(high) < len(low))
        found, at = (high if session["from_high"][0] else low), f"{ends[0]:g} or {ends[1]:g}"
        near = np.asarray(world.family.space.grid(0, STARTS)).mean(axis=0)
    if not len(found):
        rule = "no place where all together feel no gradient was found; give `position`, or another range"
        raise ValueError(f"{name}: {at}: {rule}")
    session["roots"], session["here"] = found, _nearest(found, near)


def advance(world: Sweep, session: Session) -> None:
    """Goes on by a chunk of values, in place; where the root is lost, from the nearest there is."""
    done = int(session["done"][0])
    values = (world.values[::-1] if session["from_high"][0] else world.values)[done : done + symmetric.CHUNK]
    places = places_at(world, values.tolist(), session["here"])
    here = slice(done, done + len(places.place))
    session["split"][here], session["together"][here] = symmetric.eigenvalues(places, world.players)
    session["place"][here] = np.where(places.root[:, None], places.place, np.nan)
    session["residual"][here] = places.gradient
    session["done"][0] = here.stop
    if not places.root[-1]:
        _found_again(world, session, here.stop - 1, float(values[len(places.place) - 1]))
    _mark_leaps(world, session, here)
    if np.all(np.isfinite(session["place"][here.stop - 1])):
        session["here"][:] = session["place"][here.stop - 1]


def _found_again(world: Sweep, session: Session, k: int, value: float) -> None:
    """The root at ``value`` that is nearest to the one that was lost, if there is any."""
    session["jumped"][k] = k > 0
    found = _roots(world, value, session["here"])
    last = session["place"][k - 1] if k and np.all(np.isfinite(session["place"][k - 1])) else session["here"]
    if len(found):
        places = places_at(world, [value], _nearest(found, last))
        (session["split"][k],), (session["together"][k],) = symmetric.eigenvalues(places, world.players)
        session["place"][k], session["residual"][k] = places.place[0], places.gradient[0]


def _mark_leaps(world: Sweep, session: Session, here: slice) -> None:
    """Notes where the root is suddenly far from the last one: it is another."""
    first = max(here.start - 2, 0)
    moves = np.max(
        np.abs(np.diff(session["place"][first : here.stop], axis=0)) / world.family.width[0], axis=1
    )
    for k, move in enumerate(moves):
        usual = moves[k - 1] if k else 0.0
        if first + k + 1 >= here.start and move > LEAP and move > UNEVEN * usual:
            session["jumped"][first + k + 1] = True


def places_at(world: Sweep, values: list[float], place: np.ndarray) -> symmetric.Places:
    """Where all stand together at each of ``values``, followed from ``place`` [axis], or fixed there."""
    games = [world.family.at(float(value)) for value in values]
    return symmetric.followed(games, world.family.directions[0], place, fixed=world.position is not None)


def _roots(world: Sweep, value: float, near: np.ndarray | None = None) -> np.ndarray:
    game = world.family.at(float(value))
    starts = symmetric.starts(game.space, STARTS)
    if near is not None:
        starts = np.concatenate([starts[:-1], near[None]])
    return symmetric.roots(game, world.family.directions[0], starts)


def _nearest(places: np.ndarray, to: np.ndarray) -> np.ndarray:
    found: np.ndarray = places[np.argmin(np.linalg.norm(places - to, axis=1))]
    return found

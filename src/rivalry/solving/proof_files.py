"""Proof files of equilibria of games on intervals, which `rivalry-check` verifies without this package.

The format is specified in docs/reference/proof_files.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rivalry.core.dispatch import Unsupported
from rivalry.core.jax import jnp
from rivalry.core.logarithms import equilibrium_bounds, searched
from rivalry.core.maxima import maximum_near
from rivalry.core.operations import operations
from rivalry.core.parameter_ranges import on_ranges
from rivalry.core.proof import (
    BATCH,
    Coordinates,
    FirstOrderPoint,
    coordinates,
    equilibrium_near,
    excluded,
    first_order,
    first_order_points,
    newton,
    refutation,
)
from rivalry.core.results import Record
from rivalry.core.simplices import InFractions
from rivalry.core.space import Simplex
from rivalry.methods.continuous.all_equilibria import good_strategies
from rivalry.solving.exact_proofs import Document, write

VERSION = 1
BOXES = 1_000_000
CHOICES = 12  # of a complete list; each triples the sides that boxes must cover
BOXES_ON_RANGES = 20_000  # beyond which ranges of parameters are halved
NARROWEST = 2.0**-13  # of a range: what is not halved
SMALLER = (
    0.25  # of the boxes in which an equilibrium is proved to be the only one, so that others can prove it too
)
FLAT_BOX = 0.05  # of the range: boxes in which a better strategy is looked for
SIDES = {-1.0: "-", 0.0: "0", 1.0: "+"}


@dataclass(frozen=True)
class SmoothProof:
    """What is proved of equilibria of a game on intervals or simplices.

    Attributes
    ----------
    game
        The game.
    equilibria
        Profiles near exact equilibria, ``[equilibrium player axis]``.
    complete
        Whether it is proved that there are no others.
    proved
        Whether equilibria are proved already; else they are before the file is written.
    """

    game: Any
    equilibria: np.ndarray
    complete: bool
    proved: bool

    def document(self) -> Document:
        """Return what the file holds.

        Raises
        ------
        ValueError
            For a proof that cannot be written as a file.
        """
        try:
            for x in () if self.proved else self.equilibria:
                radius, reason = equilibrium_near(self.game, x)
                if radius is None:
                    raise ValueError(reason)
            game = searched(self.game, None) if isinstance(self.game.space, Simplex) else self.game
            at = coordinates(game)
            # where all equilibria are is proved by families with bounds of their own, not by boxes
            complete = self.complete and not equilibrium_bounds.knows(self.game)
            profiles = _in_coordinates(game, self.equilibria)
            return _document(game, at) | _part(game, at, profiles, complete) | {"complete": complete}
        except Unsupported as error:
            raise ValueError(str(error)) from error

    def save(self, file: str | Path) -> None:
        """Write a proof file; a large one is packed by gzip.

        Raises
        ------
        ValueError
            For a proof that cannot be written as a file.
        """
        write(self.document(), file)


@dataclass(frozen=True)
class RangesProof:
    """What is proved of numbers of equilibria for all values of parameters in ranges.

    Attributes
    ----------
    game
        The game.
    record
        What the search for these ranges found (`rivalry.methods.AllEquilibria`).
    """

    game: Any
    record: Record

    def document(self) -> Document:
        """Return what the file holds. Raises `ValueError` for a proof that cannot be written as a file."""
        try:
            return self._document()
        except Unsupported as error:
            raise ValueError(str(error)) from error

    def save(self, file: str | Path) -> None:
        """Write a proof file; see `SmoothProof.save`."""
        write(self.document(), file)

    def _document(self) -> Document:
        names, ends = (self.record[name][1] for name in ("where_name", "where"))
        world = on_ranges(self.game, dict(zip(map(str, names), ends.tolist(), strict=True)))
        game = searched(world.game, None)
        at = coordinates(game)._replace(labels=world.labels, ranges=world.ranges)
        parts = self._parts(game, at)
        if all(part == ["undecided"] for part in parts):
            raise Unsupported("proof file: no range of parameters is decided")
        low, high = map(_hexadecimal, (world.ranges.low, world.ranges.high))
        parameters = {"names": list(world.names), "low": low, "high": high}
        return _document(game, at) | {"parameters": parameters, "parts": parts}

    def _parts(self, game: Any, at: Coordinates) -> list[Any]:
        """Return how ranges are cut, and what is proved of the parts.

        Cuts are those of the search, and further ones where boxes alone do not prove as much as contraction.
        """
        record, whole = self.record, at.ranges
        if whole is None:
            raise Unsupported("proof file: no parameter has a range")
        places, first = record["piece_range"][1], len(at.player)
        decided = record["where_range"][1][record["where_decided"][1]]
        profiles = _in_coordinates(game, record["equilibrium_piece"][1].mean(axis=-1))
        left, found = [(whole.low, whole.high)], list[Any]()
        while left:
            low, high = left.pop()
            known = np.all((places[:, :, 0] <= low) & (places[:, :, 1] >= high), axis=1)
            cut_here = np.any(np.all((places[:, :, 0] < high) & (places[:, :, 1] > low), axis=1) & ~known)
            inside = np.any(np.all((decided[:, :, 0] <= low) & (decided[:, :, 1] >= high), axis=1))
            if inside and not cut_here:
                here = at._replace(ranges=whole._replace(low=low, high=high))
                try:
                    found.append(_part(game, here, profiles[known], True, BOXES_ON_RANGES))
                    continue
                except Unsupported:  # narrower ranges are easier
                    pass
            width = (high - low) / (whole.high - whole.low)
            k = int(np.argmax(width))
            if width[k] <= NARROWEST:
                found.append(["undecided"])
                continue
            lower, upper = high.copy(), low.copy()
            lower[k] = upper[k] = low[k] / 2 + high[k] / 2
            found.append(["cut", first + k, float(upper[k]).hex()])
            left += [(upper, high), (low, lower)]
        return found


def _in_coordinates(game: Any, profiles: np.ndarray) -> np.ndarray:
    if not isinstance(game, InFractions):
        return profiles
    found = [game.fractions(x) for x in profiles]
    return np.reshape(found, (len(profiles), *game.space.shape))


def _document(game: Any, at: Coordinates) -> Document:
    """Return the entries of a game, with its parameters in ranges if there are any."""
    example = np.asarray(at.middle(jnp.asarray(at.low), jnp.asarray(at.high)))
    nodes, results = operations(lambda y: at.game(game, y).payoffs(at.profile(y)), example)
    return {
        "format": "rivalry-proof",
        "version": VERSION,
        "kind": "smooth",
        "coordinates": "fractions" if isinstance(game, InFractions) else "choices",
        "space": {
            "player": at.player.tolist(),
            "axis": at.axis.tolist(),
            "low": _hexadecimal(at.low),
            "high": _hexadecimal(at.high),
        },
        "payoffs": {"nodes": [_node(node) for node in nodes], "results": results},
    }


def _part(game: Any, at: Coordinates, equilibria: np.ndarray, complete: bool, most: int = BOXES) -> Document:
    """Return equilibria, ``[equilibrium player axis]``, and if they are all the boxes without others."""
    rows = [x[at.place] for x in equilibria]
    points = [_point(game, at, y) for y in rows]
    entries = [
        _largest(game, at, y) if point is None else _entry(y, point)
        for y, point in zip(rows, points, strict=True)
    ]
    known = [point for point in points if point is not None]
    if complete and len(known) < len(points):
        raise Unsupported("proof file: an equilibrium of a complete list is at a kink, or degenerate")
    return {"equilibria": entries} | ({"boxes": _boxes(game, at, known, most)} if complete else {})


def _hexadecimal(row: Any) -> list[str]:
    return [float(one).hex() for one in row]


def _node(node: tuple[Any, ...]) -> list[Any]:
    name, *rest = node
    return [name, rest[0].hex()] if name == "c" else [name, *rest]


def _point(game: Any, at: Coordinates, y: np.ndarray) -> FirstOrderPoint | None:
    """Return the first-order point near a profile; None without a proof by derivatives."""
    close = 1e-9 * (at.high - at.low)
    side = np.where(y <= at.low + close, -1.0, np.where(y >= at.high - close, 1.0, 0.0))[None]
    start = np.where(side < 0, at.low, np.where(side > 0, at.high, y))
    (point,) = first_order_points(game, at, newton(game, at, start, side, 4)[0], side)
    if point is None:  # a choice may be far smaller than its range
        room = np.where(side[0] == 0, np.minimum(y - at.low, at.high - y), at.high - at.low)
        near = at._replace(low=np.maximum(at.low, y - room), high=np.minimum(at.high, y + room))
        (point,) = first_order_points(game, near, newton(game, near, start, side, 4)[0], side)
    if point is None:
        return None
    low, high = (point.centre + SMALLER * (end - point.centre) for end in point[2:4])
    return point._replace(alone_low=np.minimum(low, point.low), alone_high=np.maximum(high, point.high))


def _entry(y: np.ndarray, point: FirstOrderPoint) -> Document:
    apart = np.maximum(np.abs(point.high - y), np.abs(y - point.low)).max(initial=0.0)
    # room for bounds of the checker that are a little wider
    radius = float(apart * (1 + 1e-6) + 1e-9 * np.max(np.abs(y)) + 1e-300)
    return _entry_of(y, radius, point.alone_low, point.alone_high, _side(point.side))


def _largest(game: Any, at: Coordinates, y: np.ndarray) -> Document:
    """Return the entry of a largest payoff of a game of one player, which may be at a kink."""
    one = len(at.start) == 1 and at.ranges is None
    radius = maximum_near(game, np.asarray(at.profile(jnp.asarray(y)))) if one else None
    if radius is None:
        raise Unsupported("proof file: an equilibrium is at a kink, or first-order conditions are degenerate")
    return _entry_of(y, radius, np.maximum(y - radius, at.low), np.minimum(y + radius, at.high), None)


def _entry_of(y: np.ndarray, radius: float, low: np.ndarray, high: np.ndarray, side: str | None) -> Document:
    return {
        "point": _hexadecimal(y),
        "radius": radius.hex(),
        "side": side,
        "low": _hexadecimal(low),
        "high": _hexadecimal(high),
    }


def _side(side: np.ndarray) -> str:
    return "".join(SIDES[float(one)] for one in side)


def _boxes(game: Any, at: Coordinates, points: list[FirstOrderPoint], most: int) -> list[list[Any]]:
    """Return how the space is cut into boxes, and for each the reason why it has no further equilibrium."""
    count = len(at.low)
    if count > CHOICES:
        raise Unsupported(f"proof file: a complete list of {count} choices; must be at most {CHOICES}")
    sides = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * count, indexing="ij"), axis=-1).reshape(-1, count)
    low, high = np.where(sides > 0, at.high, at.low), np.where(sides < 0, at.low, at.high)
    box, first = np.arange(len(sides)), len(sides)
    found: dict[int, list[Any]] = {}  # per box its reason, or its cut and the number of the lower part
    while len(low):
        some, parents = [part[-BATCH:] for part in (low, high, sides)], box[-BATCH:]
        low, high, sides, box = (part[:-BATCH] for part in (low, high, sides, box))
        reasons = _reasons(game, at, points, some[0], some[1], some[2], len(found))
        if len(found) > most:
            raise Unsupported(f"proof file: more than {most} boxes would be needed")
        found |= {int(k): why for k, why in zip(parents, reasons, strict=True) if why}
        left = [not why for why in reasons]
        (a, b, side), parents = (part[left] for part in some), parents[left]
        row = np.arange(len(a))
        k = np.argmax((b - a) / (at.high - at.low), axis=1)
        if np.any(b[row, k] - a[row, k] < 1e-9 * (at.high - at.low)[k]):
            raise Unsupported("proof file: a box is not decided without contraction")
        right, left_end = a.copy(), b.copy()
        right[row, k] = left_end[row, k] = a[row, k] / 2 + b[row, k] / 2
        for one, axis, x in zip(parents, k, right[row, k], strict=True):
            found[int(one)] = ["cut", int(axis), float(x).hex(), first]
            first += 2
        children = np.array([found[int(one)][3] for one in parents], dtype=int)
        low, high = np.concatenate([low, a, right]), np.concatenate([high, left_end, b])
        sides, box = np.concatenate([sides, side, side]), np.concatenate([box, children, children + 1])
    ordered, left_over = [], list(range(3**count))[::-1]
    while left_over:
        entry = found[left_over.pop()]
        if entry[0] == "cut":
            *entry, child = entry
            left_over += [child + 1, child]
        ordered.append(entry)
    return ordered


def _reasons(
    game: Any,
    at: Coordinates,
    points: list[FirstOrderPoint],
    low: np.ndarray,
    high: np.ndarray,
    side: np.ndarray,
    seen: int,
) -> list[list[Any]]:
    """Return the reasons of boxes, empty where none is found."""
    found: list[list[Any]] = [[] for _ in low]
    known = first_order(game, at, low, high, side, seen)
    rises = (side <= 0) & (known.slope_low > 0) & known.smooth[:, None]
    falls = (side >= 0) & (known.slope_high < 0) & known.smooth[:, None]
    size = np.maximum(np.where(rises, known.slope_low, 0), np.where(falls, -known.slope_high, 0))
    gone = excluded(known, side)
    wide = ((high - low) / (at.high - at.low)).max(axis=1)
    for k in range(len(low)):
        for j, point in enumerate(points):
            inside = (low[k] >= point.alone_low) & (high[k] <= point.alone_high) & (side[k] == point.side)
            if inside.all():
                found[k] = ["around", j]
        if not found[k] and (rises[k] | falls[k]).any():
            found[k] = ["slope", int(size[k].argmax())]
        elif not found[k] and gone[k]:
            found[k] = ["krawczyk"]
    undecided = np.array([not why for why in found])
    left = np.flatnonzero(undecided & ((wide < FLAT_BOX) | ~np.asarray(known.smooth)))
    if len(left):
        gain, strategy = good_strategies(game, at, (low[left] + high[left]) / 2, seen)
        for player in range(len(at.start)):
            mine = np.flatnonzero(at.player == player)
            some = np.flatnonzero([not found[k] for k in left] & (gain[:, player] > 0))
            if len(some) and len(mine):
                rows = left[some]
                better = refutation(game, at, player, low[rows], high[rows], strategy[some, player], seen)
                for k, row in zip(some[better], rows[better], strict=True):
                    found[row] = ["better", player, _hexadecimal(strategy[k, player][at.axis[mine]])]
    return found

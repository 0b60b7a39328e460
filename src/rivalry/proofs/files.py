"""Proof files of equilibria of games on intervals, which `rivalry-check` verifies without this package.

The format is specified in checker/FORMAT.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core.dispatch import Unsupported
from rivalry.core.payoffs import checked_parts
from rivalry.core.results import Record
from rivalry.core.space import Simplex
from rivalry.proofs.arithmetic.operations import operations
from rivalry.proofs.box_search import good_strategies
from rivalry.proofs.document import VERSION, Document, write
from rivalry.proofs.first_order import FirstOrder, first_order, newton
from rivalry.proofs.gains import refutation
from rivalry.proofs.maxima import maximum_near
from rivalry.proofs.payoff_sums import (
    PIECES,
    BoxesOfTotals,
    Sums,
    narrowed_once,
    payoff_sum,
    slopes_of,
    splitting_points,
    sums_of,
    totals_of,
)
from rivalry.proofs.points import (
    FirstOrderPoint,
    concave_box,
    equilibrium_near,
    first_order_points,
    is_linear,
    judge_player,
    nearest_point,
    tied,
    tied_point,
)
from rivalry.proofs.spaces.boxes import split_ends
from rivalry.proofs.spaces.coordinates import BATCH, OPEN, Coordinates, coordinates
from rivalry.proofs.spaces.logarithms import equilibrium_bounds, searched
from rivalry.proofs.spaces.parameter_ranges import on_ranges
from rivalry.proofs.spaces.simplices import InFractions
from rivalry.runtime.jax import jax, jnp
from rivalry.text.display import strategy_in_words

Entry = list[Any]  # of a proof file
BOXES = 1_000_000  # of a list: some 60 MB of text, near what the checker reads without --large
CHOICES = 12  # of a list without totals: the number of boxes of more is soon too large
BOXES_ON_RANGES = 20_000  # beyond which ranges of parameters are halved
BOXES_OF_TOTALS = 20_000  # beyond which a list has no file
REFUSED = 60  # ranges that the list decides and a file does not, as where a bound begins to bind
ROOM = 0.02  # of the width of a range: margin beside choices that can be best
ENOUGH = 0.05  # of the width of a range: smaller parts are not cut off
ROOM_OF_TOTALS, ENOUGH_OF_TOTALS = 1e-6, 1e-3  # the same of totals, which are sums of bounded parts
NARROWEST = 2.0**-13  # of a range: narrower parts are not halved
SMALLER = (
    0.25  # of the boxes in which an equilibrium is proved to be the only one, so that others can prove it too
)
SIZES = 2.0 ** np.array([-60.0, -48.0])  # of the range and of a choice: the finest radii that are resolved
ROUNDINGS, SLACK = 16.0, 1.1  # radii beside those of our bounds: the checker rounds in other places
EMPTY: Entry = ["sign", []]  # no profile has such totals
STRATEGIES = 20_000  # boxes of strategies that are compared with an equilibrium computed in fractions
FLAT_BOX = 0.05  # of the range: boxes in which a better strategy is looked for


@dataclass(frozen=True)
class SmoothProof:
    """Proof about the equilibria of a game on intervals or simplices."""

    game: Any
    equilibria: ndarray  # profiles near exact equilibria, [equilibrium player axis]
    complete: bool  # whether it is proved that there are no others
    proved: bool  # whether equilibria are proved already, by boxes; else before the file is written

    def document(self) -> Document:
        """Return the contents of the proof file.

        Raises
        ------
        ValueError
            For a proof that cannot be written as a file.
        """
        if parts := checked_parts(self.game):
            profiles_by_part = np.split(np.asarray(self.equilibria), len(parts), axis=2)
            documents = [
                SmoothProof(part.game, np.unique(profiles, axis=0), self.complete, self.proved).document()
                for part, profiles in zip(parts, profiles_by_part, strict=True)
            ]
            return {"format": "rivalry-proof", "version": VERSION, "kind": "periods", "periods": documents}
        try:
            if not self.proved and not self.complete:
                self._refuse_unproved()
            game = searched(self.game, None) if isinstance(self.game.space, Simplex) else self.game
            if isinstance(game, InFractions) and game.has_terms:
                raise Unsupported("proof file: signs of the terms of derivatives are no reason of a file")
            at = coordinates(game)
            # boxes prove no complete list of a family that proves by itself where equilibria can be
            complete = self.complete and not equilibrium_bounds.knows(self.game)
            if not complete and not len(self.equilibria):
                raise Unsupported("proof file: boxes prove no equilibrium, and not that there is none")
            profiles = _in_coordinates(game, self.equilibria)
            # players with several choices would need reasons that differ within a part
            sums = sums_of(game, at) if complete and at.start.shape[1] == 1 else None
            part = _part(game, at, profiles, complete, sums=sums)
            if self.complete and not self.proved:
                for entry, x in zip(part["equilibria"], profiles, strict=True):
                    _judge(game, at, entry, x[at.place])
            return _entries_of_game(game, at, sums) | part
        except Unsupported as error:
            raise ValueError(str(error)) from error

    def _refuse_unproved(self) -> None:
        """Raise ``ValueError`` for a profile near which no equilibrium is proved."""
        for x in self.equilibria:
            _, reason = equilibrium_near(self.game, x)
            if reason:
                raise ValueError(reason)

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
    """Proof about numbers of equilibria for all values of parameters in ranges."""

    game: Any
    record: Record  # of the search for these ranges (`rivalry.methods.AllEquilibria`)

    def document(self) -> Document:
        """Return the contents of the proof file; raise `ValueError` if the proof cannot be written."""
        try:
            return self._decided_document()
        except Unsupported as error:
            raise ValueError(str(error)) from error

    def save(self, file: str | Path) -> None:
        """Write a proof file; see `SmoothProof.save`."""
        write(self.document(), file)

    def _decided_document(self) -> Document:
        names, ends = (self.record[name][1] for name in ("where_name", "where"))
        world = on_ranges(self.game, dict(zip(map(str, names), ends.tolist(), strict=True)))
        game = searched(world.game, None)
        at = coordinates(game)._replace(labels=world.labels, ranges=world.ranges)
        parts = self._parts(game, at)
        if all(part == ["undecided"] for part in parts):
            raise Unsupported("proof file: no range of parameters is decided")
        low, high = map(_hexadecimal, (world.ranges.low, world.ranges.high))
        parameters = {"names": list(world.names), "low": low, "high": high}
        return _entries_of_game(game, at) | {"parameters": parameters, "parts": parts}

    def _parts(self, game: Any, at: Coordinates) -> Entry:
        """Return the cuts of ranges and the proofs of the parts, in order.

        Cuts are those of the search, and further cuts where boxes alone prove less than contraction.
        """
        record, ranges = self.record, at.ranges
        if ranges is None:
            raise Unsupported("proof file: no parameter has a range")
        pieces, choice_count = record["piece_range"][1], len(at.player)
        decided = record["where_range"][1][record["where_decided"][1]]
        profiles = _in_coordinates(game, record["equilibrium_piece"][1].mean(axis=-1))
        waiting, parts, refused_count = [(ranges.low, ranges.high)], Entry(), 0
        while waiting:
            low, high = waiting.pop()
            covering = np.all((pieces[:, :, 0] <= low) & (pieces[:, :, 1] >= high), axis=1)
            has_cut = np.any(np.all((pieces[:, :, 0] < high) & (pieces[:, :, 1] > low), axis=1) & ~covering)
            is_decided = np.any(np.all((decided[:, :, 0] <= low) & (decided[:, :, 1] >= high), axis=1))
            if is_decided and not has_cut:
                part_coordinates = at._replace(ranges=ranges._replace(low=low, high=high))
                try:
                    parts.append(_part(game, part_coordinates, profiles[covering], True, BOXES_ON_RANGES))
                    continue
                except Unsupported:  # narrower ranges are easier
                    refused_count += 1
                    if refused_count > REFUSED:
                        raise
            width = (high - low) / (ranges.high - ranges.low)
            k = int(np.argmax(width))
            if width[k] <= NARROWEST:
                parts.append(["undecided"])
                continue
            lower, upper = split_ends(low, high, k, low[k] / 2 + high[k] / 2)
            parts.append(_cut(choice_count + k, upper[k]))
            waiting += [(upper, high), (low, lower)]
        return parts


def _in_coordinates(game: Any, profiles: ndarray) -> ndarray:
    if not isinstance(game, InFractions):
        return profiles
    rows = [game.fractions(x) for x in profiles]
    return np.reshape(rows, (len(profiles), *game.space.shape))


def _entries_of_game(game: Any, at: Coordinates, sums: Sums | None = None) -> Document:
    """Return the entries of a game, with its parameters in ranges if there are any.

    Payoffs are functions of own choices and of the rivals' sums, where they are known.
    """
    example = at.middle(at.low, at.high)
    if sums is None:
        ends = list(zip(at.low.tolist(), at.high.tolist(), strict=True))
        nodes, results = operations(lambda y: at.game(game, y).payoffs(at.profile(y)), example, ends=ends)
        totals = {}
    else:
        shape, count = (len(sums.terms), len(sums.results)), len(example)

        def payoffs_and_parts(z: Any) -> Any:
            rival_sums = z[count:].reshape(shape)
            return jnp.concatenate([sums.payoffs(z[:count], rival_sums), sums.added(z[:count]).ravel()])

        nodes, places = operations(payoffs_and_parts, np.concatenate([example, np.ones(np.prod(shape))]))
        results = places[: shape[1]]
        totals = {"totals": np.reshape(places[shape[1] :], shape).tolist()}
    return totals | {
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


def _part(
    game: Any,
    at: Coordinates,
    equilibria: ndarray,
    complete: bool,
    max_boxes: int = BOXES,
    sums: Sums | None = None,
) -> Document:
    """Return the entries of equilibria; if ``complete``, also the boxes without other equilibria."""
    rows = [x[at.place] for x in equilibria]
    points = [_point(game, at, y) for y in rows]
    entries = [
        _largest(game, at, y) if point is None else _entry(game, at, y, point)
        for y, point in zip(rows, points, strict=True)
    ]
    proved_points = [point for point in points if point is not None]
    if complete and len(proved_points) < len(points):
        raise Unsupported(_degenerate(rows[next(k for k, point in enumerate(points) if point is None)]))
    if not complete:
        return {"equilibria": entries}
    is_single_of_two = len(at.start) == 2 and len(proved_points) == 1 and at.ranges is None
    if is_single_of_two and payoff_sum(lambda y: game.payoffs(at.profile(y)), at.low, at.high).constant:
        (point,) = proved_points
        if not tied(point).any() and all(concave_box(game, at, point, player) for player in (0, 1)):
            return {"equilibria": entries, "constant_sum": True}  # best responses are proved to be unique
    boxes = (
        _boxes(game, at, proved_points, max_boxes)
        if sums is None
        else _boxes_of_totals(sums, at, proved_points)
    )
    return {"equilibria": entries, "boxes": boxes}


def _hexadecimal(row: Any) -> list[str]:
    return [float(number).hex() for number in row]


def _node(node: tuple[Any, ...]) -> Entry:
    name, *arguments = node
    return [name, arguments[0].hex()] if name == "c" else [name, *arguments]


def _point(game: Any, at: Coordinates, y: ndarray) -> FirstOrderPoint | None:
    """Return the first-order point near a profile; None without a proof by derivatives."""
    start, side, point = nearest_point(game, at, y)
    if point is None:  # a choice may be far smaller than its range
        room = np.where(side[0] == 0, np.minimum(y - at.low, at.high - y), at.high - at.low)
        near = at._replace(low=np.maximum(at.low, y - room), high=np.minimum(at.high, y + room))
        (point,) = first_order_points(game, near, newton(game, near, start, side, 4)[0], side)
    if point is None:
        return tied_point(game, at, start[0])
    low, high = (point.centre + SMALLER * (end - point.centre) for end in point[2:4])
    return point._replace(alone_low=np.minimum(low, point.low), alone_high=np.maximum(high, point.high))


def _entry(game: Any, at: Coordinates, y: ndarray, point: FirstOrderPoint) -> Document:
    """Return the entry of an equilibrium, whose choices at bounds are exact."""
    free = point.side == 0
    target = np.where(free & (at.ranges is None), y, point.centre)
    half = (point.high - point.low) / 2
    # in ranges of parameters the bounds are those of the equilibria, else those of rounding
    radius = SLACK * np.abs(point.centre - target) + (ROUNDINGS if at.ranges is None else SLACK) * half
    resolved = SIZES[0] * (at.high - at.low) + SIZES[1] * np.abs(target)
    enclosures = first_order(game, at, point.low[None], point.high[None], point.side[None])
    jacobian = (enclosures.jacobian_low + enclosures.jacobian_high)[0][np.ix_(free, free)] / 2
    return _entry_of(target, np.where(free, radius + resolved, 0.0), point.alone_low, point.alone_high) | {
        "matrix": [_hexadecimal(row) for row in np.linalg.inv(jacobian)],
        "peak": _peak(game, at, point, 2 * np.where(free, radius + resolved, 0.0)),
    }


def _peak(game: Any, at: Coordinates, point: FirstOrderPoint, radius: ndarray) -> Document:
    """Return bounds on the choices of all players, within which own payoffs are concave."""
    low, high = np.maximum(point.low - radius, at.low), np.minimum(point.high + radius, at.high)
    nearest = low.copy(), high.copy()
    untied = point._replace(side=np.where(tied(point), 0.0, point.side))
    for player in range(len(at.start)):
        coordinates = np.flatnonzero(at.player == player)
        if box := concave_box(game, at, untied, player):
            low[coordinates], high[coordinates] = (end[at.axis[coordinates]] for end in box)
        elif len(coordinates) and is_linear(game, at, coordinates):
            low[coordinates], high[coordinates] = at.low[coordinates], at.high[coordinates]
    # a little smaller: the checker rounds in other places
    nearer = [end + ROOM * (point.centre - end) for end in (low, high)]
    return {
        "low": _hexadecimal(np.where(low == at.low, low, np.minimum(nearer[0], nearest[0]))),
        "high": _hexadecimal(np.where(high == at.high, high, np.maximum(nearer[1], nearest[1]))),
    }


def _judge(game: Any, at: Coordinates, entry: Document, y: ndarray) -> None:
    """Raise `Unsupported` unless boxes show that strategies beyond the peak of an entry pay less."""
    centre, radius = (np.array(list(map(float.fromhex, entry[name]))) for name in ("point", "radius"))
    near = np.stack([np.maximum(centre - radius, at.low), np.minimum(centre + radius, at.high)])
    peak = np.array([list(map(float.fromhex, entry["peak"][end])) for end in ("low", "high")])
    point = FirstOrderPoint(*near, *near, *np.zeros((2, len(y))))
    for player in range(len(at.start)):
        box = np.stack([at.start[player]] * 2)
        box[:, at.axis[at.player == player]] = peak[:, at.player == player]
        if judge_player(game, at, point, player, STRATEGIES, (box[0], box[1])) != "equilibrium":
            place = strategy_in_words(y)
            raise Unsupported(
                f"proof file: at the equilibrium {place} another strategy may pay player {player} as much"
            )


def _largest(game: Any, at: Coordinates, y: ndarray) -> Document:
    """Return the entry of a largest payoff of a game of one player, which may be at a kink."""
    single_player = len(at.start) == 1 and at.ranges is None
    radius = maximum_near(game, np.asarray(at.profile(jnp.asarray(y)))) if single_player else None
    if radius is None:
        raise Unsupported(_degenerate(y))
    ends = np.maximum(y - radius, at.low), np.minimum(y + radius, at.high)
    return _entry_of(y, np.full(len(y), radius), *ends) | {"kink": True}


def _degenerate(y: ndarray) -> str:
    """Reason why an equilibrium has no entry."""
    place = strategy_in_words(y)
    return f"proof file: the equilibrium {place} is at a kink, or its derivatives vanish at a bound"


def _entry_of(y: ndarray, radius: ndarray, low: ndarray, high: ndarray) -> Document:
    return {
        "point": _hexadecimal(y),
        "radius": _hexadecimal(radius),
        "low": _hexadecimal(low),
        "high": _hexadecimal(high),
    }


class _Tree:
    """Boxes that wait for a decision, as rows of arrays, and the entries of decided boxes.

    An entry refers to another box by its number.
    """

    def __init__(self, *row: ndarray) -> None:
        self.entries: dict[int, Entry] = {}
        self.waiting, self.count = list[tuple[int, tuple[ndarray, ...]]](), 0
        self.add(*row)

    def add(self, *row: ndarray) -> int:
        """Add a box and return its number."""
        self.waiting.append((self.count, row))
        self.count += 1
        return self.count - 1

    def take(self, max_boxes: int) -> tuple[list[int], list[ndarray]]:
        """Return numbers of some waiting boxes, and their rows, ``[array][box ..]``."""
        if len(self.entries) > max_boxes:
            raise Unsupported(f"proof file: more than {max_boxes} boxes would be needed")
        numbers, rows = zip(*self.waiting[-BATCH:], strict=True)
        del self.waiting[-BATCH:]
        return list(numbers), [np.stack(part) for part in zip(*rows, strict=True)]

    def in_order(self) -> list[Entry]:
        """Return the entries of all boxes."""
        ordered, waiting = list[Entry](), [0]
        while waiting:
            entry = waiting.pop()
            if isinstance(entry, int):
                waiting += self.entries[entry][::-1]
            else:
                ordered.append(entry)
        return ordered


def _boxes(game: Any, at: Coordinates, points: list[FirstOrderPoint], max_boxes: int) -> list[Entry]:
    """Return the cuts of the space into boxes, and the reason why a box has no further equilibrium."""
    if len(at.low) > CHOICES:
        raise Unsupported(
            f"proof file: a complete list of {len(at.low)} choices; must be at most {CHOICES} without totals"
        )
    tree = _Tree(at.low, at.high, np.full(len(at.low), OPEN))
    while tree.waiting:
        numbers, rows = tree.take(max_boxes)
        low, high, sides = rows
        sides = np.where((low > at.low) & (high < at.high), 0.0, sides)
        reasons = _reasons(game, at, points, low, high, sides)
        for number, reason, a, b, side in zip(numbers, reasons, low, high, sides, strict=True):
            if reason:
                face = _face(at, a, b, side, reason)
                tree.entries[number] = [reason] if face is None else [reason, tree.add(*face)]
                continue
            k = int(np.argmax((b - a) / (at.high - at.low)))
            # the search shrinks such a box by Newton's method; a file only cuts, and would go on for ever
            if b[k] - a[k] < 1e-9 * (at.high - at.low)[k]:
                raise Unsupported("proof file: a box is not decided without contraction")
            lower, upper = split_ends(a, b, k, a[k] / 2 + b[k] / 2)
            parts = tree.add(a, lower, side), tree.add(upper, b, side)
            tree.entries[number] = [_cut(k, lower[k]), *parts]
    return tree.in_order()


def _nearby_points(
    at: Coordinates, points: list[FirstOrderPoint], low: ndarray, high: ndarray
) -> list[Entry]:
    """Return the reason of a box in which a point is the only one; empty if no point is."""
    inside = (low > at.low) & (high < at.high)  # of choices that are not at bounds, as those of the point
    for j, point in enumerate(points):
        if np.all((low >= point.alone_low) & (high <= point.alone_high) & ((point.side != 0) | inside)):
            return [["around", j]]
    return []


def _boxes_of_totals(sums: Sums, at: Coordinates, points: list[FirstOrderPoint]) -> list[Entry]:
    """Return the cuts of boxes of choices and totals, and the reasons why they have no further equilibrium.

    A part that is cut off has choices that are not best, or totals to which choices do not add up.
    """
    pieces = PIECES[at.start.shape[1]][1]
    tree = _Tree(at.low, at.high, *totals_of(sums, at))
    slopes = jax.jit(partial(slopes_of, sums, at))
    while tree.waiting:
        numbers, rows = tree.take(BOXES_OF_TOTALS)
        boxes = BoxesOfTotals(*rows)
        narrowed = narrowed_once(sums, at, boxes, pieces)
        for k, number in enumerate(numbers):
            box, smaller = boxes.rows(k), narrowed.rows(k)
            if smaller.is_empty:
                tree.entries[number] = _without_points(tree, at, slopes, box, smaller)
            else:
                tree.entries[number] = _with_smaller_box(tree, at, points, slopes, box, smaller)
    return tree.in_order()


def _without_points(
    tree: _Tree, at: Coordinates, slopes: Callable[..., Any], box: BoxesOfTotals, smaller: BoxesOfTotals
) -> Entry:
    """Return the entry of a box whose smaller box is empty: a sign, and a face to which payoffs rise."""
    not_best = (smaller.low > smaller.high) & (box.high > box.low)
    if np.any(smaller.total_low > smaller.total_high) or not not_best.any():
        return [EMPTY]
    k = int(np.argmax(not_best))
    whole = np.where(smaller.low > smaller.high, box.high, smaller.low)
    rises = _rising_choices(slopes, box, (box.low, whole), smaller)
    reason = _sign(k, 1 if rises[k] else -1)
    face = _face(at, box.low, box.high, np.zeros(len(at.low)), reason)
    if face is None:
        return [reason]
    low, high, _ = face
    return [reason, tree.add(low, high, box.total_low, box.total_high)]


def _with_smaller_box(
    tree: _Tree,
    at: Coordinates,
    points: list[FirstOrderPoint],
    slopes: Callable[..., Any],
    box: BoxesOfTotals,
    smaller: BoxesOfTotals,
) -> Entry:
    """Return the entry of a box of which a smaller box remains, near a point or to be decided."""
    ends = np.concatenate([box.low, box.total_low]), np.concatenate([box.high, box.total_high])
    inside = (
        np.concatenate([smaller.low, smaller.total_low]),
        np.concatenate([smaller.high, smaller.total_high]),
    )
    beside = (box.low, smaller.low), (smaller.high, box.high)
    rises = np.array([_rising_choices(slopes, box, part, smaller) for part in beside])
    before, after = _cut_off(ends, inside, rises)
    count = len(at.low)
    (low, total_low), (high, total_high) = (np.split(end, [count]) for end in ends)
    remaining: Entry = _nearby_points(at, points, low, high)
    if remaining:
        return [*before, *remaining, *after]
    if before:  # what is left is narrowed again
        return [*before, tree.add(low, high, total_low, total_high), *after]
    k = int(np.argmax(total_high - total_low))
    point = splitting_points(total_low, total_high)[k]
    lower_end, upper_start = split_ends(total_low, total_high, k, point)
    lower, upper = (low, high, total_low, lower_end), (low, high, upper_start, total_high)
    return [_cut(count + k, point), tree.add(*lower), tree.add(*upper), *after]


def _rising_choices(
    slopes: Callable[..., Any], box: BoxesOfTotals, part: tuple[ndarray, ndarray], totals: BoxesOfTotals
) -> ndarray:
    """Return a mask of choices in which payoffs rise in a part of a box, at the likeliest totals."""
    low, high = part
    slopes_at, distances = [], []
    for share, total_share in product(np.linspace(ROOM, 1 - ROOM, 5), repeat=2):
        y = low + share * (high - low)
        total = totals.total_low + total_share * (totals.total_high - totals.total_low)
        slope, distance = slopes(y, box.low, box.high, total)
        slopes_at.append(slope)
        distances.append(distance)
    nearest = np.array(distances).argmin(axis=0)[None]
    return np.asarray(np.take_along_axis(np.array(slopes_at), nearest, axis=0)[0] > 0)


def _cut_off(
    ends: tuple[ndarray, ndarray], smaller: tuple[ndarray, ndarray], rises: ndarray
) -> tuple[Entry, Entry]:
    """Cut a box of choices and totals to nearly a smaller one, in place.

    ``ends`` and ``smaller`` are the lower and the upper ends of both, choices first; a smaller box that is
    empty in a choice or a total is not cut off there. ``rises [end choice]`` is the mask of ends at which
    payoffs rise in the part that is cut off. Returns the entries before and after that of the smaller box.
    """
    before, after = Entry(), Entry()
    lower, upper = ends
    count = rises.shape[1]
    # totals first: choices that are cut off are not best for the remaining totals
    for k in [*range(count, len(lower)), *range(count)]:
        low, high, part_low, part_high = lower[k], upper[k], smaller[0][k], smaller[1][k]
        width = high - low
        if width <= 0 or part_low > part_high:
            continue
        margin, minimum = ROOM_OF_TOTALS, ENOUGH_OF_TOTALS
        reasons = [EMPTY, EMPTY]
        if k < count:
            if part_low == part_high in (low, high):
                # the payoff rises to one bound in all of the box
                before.append(_sign(k, -1 if part_low == low else 1))
                lower[k] = upper[k] = part_low
                continue
            margin, minimum = ROOM, ENOUGH
            reasons = [_sign(k, 1 if rise else -1) for rise in rises[:, k]]
        part_low, part_high = part_low - margin * width, part_high + margin * width
        if part_low > low + minimum * width:
            before += [_cut(k, part_low), reasons[0]]
            lower[k] = part_low
        if part_high < high - minimum * width:
            before.append(_cut(k, part_high))
            after.insert(0, reasons[1])
            upper[k] = part_high
    return before, after


def _cut(k: int, point: Any) -> Entry:
    """Return the entry of a box that is split in a choice, a total or a parameter."""
    return ["cut", int(k), float(point).hex()]


def _sign(k: int, weight: int) -> Entry:
    """Return the reason that the payoff of a choice's player rises or falls in it."""
    return ["sign", [[int(k), weight]]]


def _face(
    at: Coordinates, low: ndarray, high: ndarray, side: ndarray, reason: Entry
) -> tuple[ndarray, ndarray, ndarray] | None:
    """Return the profiles of a box at the bound to which a payoff rises; None if there are none."""
    if reason[0] != "sign" or len(reason[1]) != 1:
        return None
    ((k, sign),) = reason[1]
    bound = (at.high if sign > 0 else at.low)[k]
    if bound != (high if sign > 0 else low)[k]:
        return None
    low, high, side = low.copy(), high.copy(), side.copy()
    low[k] = high[k] = bound
    side[k] = sign
    return low, high, side


def _combination(enclosures: FirstOrder, k: int, side: ndarray) -> Entry:
    """Return the reason that one of Newton's equations has no zero in box k; empty if all may have one."""
    free = side == 0
    jacobian = (enclosures.jacobian_low[k] / 2 + enclosures.jacobian_high[k] / 2)[np.ix_(free, free)]
    # how far from zero an equation is, relative to how much it changes
    low, high = enclosures.equation_low[k][free], enclosures.equation_high[k][free]
    distance = np.maximum(low, -high) / np.maximum(high - low, np.finfo(float).tiny)
    if not np.isfinite(jacobian).all() or not np.any(distance > 0):
        return []
    row = int(np.nanargmax(distance))
    weights = np.linalg.inv(jacobian)[row] * (1.0 if low[row] > 0 else -1.0)
    return ["sign", [[int(j), float(w).hex()] for j, w in zip(np.flatnonzero(free), weights, strict=True)]]


def _reasons(
    game: Any,
    at: Coordinates,
    points: list[FirstOrderPoint],
    low: ndarray,
    high: ndarray,
    side: ndarray,
) -> list[Entry]:
    """Return the reason ``[box]`` why a box has no further equilibrium, empty where none is found.

    A point is the only one in it, a derivative or a sum of them has no zero, or a strategy is better than all
    of a player in it. ``side [box choice]`` is the bound at which a choice is, -1 or 1, and 0 elsewhere.
    """
    enclosures = first_order(game, at, low, high, side)
    reasons: list[Entry] = []
    for k in range(len(low)):
        reason = next(iter(_nearby_points(at, points, low[k], high[k])), [])
        reasons.append(reason or _reason_of_slopes(at, enclosures, k, low[k], high[k], side[k]))
    undecided = np.array([not reason for reason in reasons])
    wide = ((high - low) / (at.high - at.low)).max(axis=1)
    flat = np.flatnonzero(undecided & ((wide < FLAT_BOX) | ~np.asarray(enclosures.smooth)))
    if not len(flat):
        return reasons
    gain, strategy = good_strategies(game, at, (low[flat] + high[flat]) / 2)
    for player in range(len(at.start)):
        indices = np.flatnonzero(at.player == player)
        gaining = np.flatnonzero([not reasons[k] for k in flat] & (gain[:, player] > 0))
        if len(gaining) and len(indices):
            rows = flat[gaining]
            better = refutation(game, at, player, low[rows], high[rows], strategy[gaining, player])
            for k, row in zip(gaining[better], rows[better], strict=True):
                reasons[row] = ["better", player, _hexadecimal(strategy[k, player][at.axis[indices]])]
    return reasons


def _reason_of_slopes(
    at: Coordinates, enclosures: FirstOrder, k: int, low: ndarray, high: ndarray, side: ndarray
) -> Entry:
    """Return the reason by derivatives why box k, from ``low`` to ``high``, has no equilibrium, or empty.

    A choice in which the payoff rises is best at its upper bound only, and one in which it falls at its lower
    bound. Of a box at that bound, the face there remains, see `_face`.
    """
    is_smooth = enclosures.smooth[k]
    rises = (enclosures.slope_low[k] > 0) & is_smooth
    falls = (enclosures.slope_high[k] < 0) & is_smooth
    size = np.where(rises, enclosures.slope_low[k], np.where(falls, -enclosures.slope_high[k], 0.0))

    def steepest(choices: ndarray) -> Entry:
        j = int(np.where(choices, size, 0.0).argmax())
        return _sign(j, 1 if rises[j] else -1)

    stays = (rises & (high == at.high)) | (falls & (low == at.low))
    leaves = (rises | falls) & ~stays
    if leaves.any():
        return steepest(leaves)
    reason = _combination(enclosures, k, side) if is_smooth else []
    faces = stays & (low < high)
    return steepest(faces) if not reason and faces.any() else reason

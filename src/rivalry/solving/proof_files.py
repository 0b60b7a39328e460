"""Proof files of equilibria of games on intervals, which `rivalry-check` verifies without this package.

The format is specified in docs/reference/proof_files.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rivalry.core.dispatch import Unsupported
from rivalry.core.logarithms import equilibrium_bounds
from rivalry.core.operations import operations
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
from rivalry.core.space import Box
from rivalry.methods.continuous.all_equilibria import good_strategies
from rivalry.solving.exact_proofs import write

VERSION = 1
BOXES = 1_000_000
SMALLER = (
    0.25  # of the boxes in which an equilibrium is proved to be the only one, so that others can prove it too
)
FLAT_BOX = 0.05  # of the range: boxes in which a better strategy is looked for
SIDES = {-1.0: "-", 0.0: "0", 1.0: "+"}


@dataclass(frozen=True)
class SmoothProof:
    """What is proved of equilibria of a game on intervals.

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

    def document(self) -> dict[str, Any]:
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
            return _document(self.game, np.asarray(self.equilibria), self.complete)
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


def _document(game: Any, equilibria: np.ndarray, complete: bool) -> dict[str, Any]:
    if not isinstance(game.space, Box):
        raise Unsupported(f"proof file: choices are a {type(game.space).__name__}; must be intervals")
    if complete and equilibrium_bounds.knows(game):
        # where all equilibria are is proved by the family, not by boxes
        complete = False
    at = coordinates(game)
    nodes, results = operations(lambda y: game.payoffs(at.profile(y)), (at.low + at.high) / 2)
    points = [_point(game, at, x[at.place]) for x in equilibria]
    entries = [_entry(x[at.place], point) for x, point in zip(equilibria, points, strict=True)]
    document: dict[str, Any] = {
        "format": "rivalry-proof",
        "version": VERSION,
        "kind": "smooth",
        "space": {
            "player": at.player.tolist(),
            "axis": at.axis.tolist(),
            "low": _hexadecimal(at.low),
            "high": _hexadecimal(at.high),
        },
        "payoffs": {"nodes": [_node(node) for node in nodes], "results": results},
        "equilibria": entries,
        "complete": complete,
    }
    if complete:
        document["boxes"] = _boxes(game, at, points)
    return document


def _hexadecimal(row: Any) -> list[str]:
    return [float(one).hex() for one in row]


def _node(node: tuple[Any, ...]) -> list[Any]:
    name, *rest = node
    return [name, rest[0].hex()] if name == "c" else [name, *rest]


def _point(game: Any, at: Coordinates, y: np.ndarray) -> FirstOrderPoint:
    close = 1e-9 * (at.high - at.low)
    side = np.where(y <= at.low + close, -1.0, np.where(y >= at.high - close, 1.0, 0.0))[None]
    start = np.where(side < 0, at.low, np.where(side > 0, at.high, y))
    (point,) = first_order_points(game, at, newton(game, at, start, side, 4), side)
    if point is None:
        raise Unsupported("proof file: an equilibrium is at a kink, or first-order conditions are degenerate")
    low, high = (point.centre + SMALLER * (end - point.centre) for end in point[2:4])
    return point._replace(alone_low=np.minimum(low, point.low), alone_high=np.maximum(high, point.high))


def _entry(y: np.ndarray, point: FirstOrderPoint) -> dict[str, Any]:
    apart = np.maximum(np.abs(point.high - y), np.abs(y - point.low)).max(initial=0.0)
    return {
        "point": _hexadecimal(y),
        "radius": float(np.nextafter(max(apart, 1e-9 * np.max(np.abs(y))), np.inf)).hex(),
        "side": _side(point.side),
        "low": _hexadecimal(point.alone_low),
        "high": _hexadecimal(point.alone_high),
    }


def _side(side: np.ndarray) -> str:
    return "".join(SIDES[float(one)] for one in side)


def _boxes(game: Any, at: Coordinates, points: list[FirstOrderPoint]) -> list[dict[str, Any]]:
    """Return boxes that cover the space, each with the reason why it has no further equilibrium."""
    count = len(at.low)
    sides = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * count, indexing="ij"), axis=-1).reshape(-1, count)
    low, high = np.where(sides > 0, at.high, at.low), np.where(sides < 0, at.low, at.high)
    found: list[dict[str, Any]] = []
    seen = 0
    while len(low):
        some, low, high, sides = (
            (low[-BATCH:], high[-BATCH:], sides[-BATCH:]),
            low[:-BATCH],
            high[:-BATCH],
            sides[:-BATCH],
        )
        reasons = _reasons(game, at, points, *some, seen)
        seen += len(some[0])
        if seen > BOXES:
            raise Unsupported(f"proof file: more than {BOXES} boxes would be needed")
        for a, b, side, why in zip(*some, reasons, strict=True):
            if why:
                ends = {"low": _hexadecimal(a), "high": _hexadecimal(b)}
                found.append({"side": _side(side), **ends, "why": why})
        left = [not why for why in reasons]
        a, b, side = (part[left] for part in some)
        row = np.arange(len(a))
        k = np.argmax((b - a) / (at.high - at.low), axis=1)
        if np.any(b[row, k] - a[row, k] < 1e-9 * (at.high - at.low)[k]):
            raise Unsupported("proof file: a box is not decided without contraction")
        right, left_end = a.copy(), b.copy()
        right[row, k] = left_end[row, k] = a[row, k] / 2 + b[row, k] / 2
        low, high, sides = (
            np.concatenate([low, a, right]),
            np.concatenate([high, left_end, b]),
            np.concatenate([sides, side, side]),
        )
    return found


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

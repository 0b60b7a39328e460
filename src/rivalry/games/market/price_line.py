"""The price that leaders face once those after them have replied: a line with kinks, exactly.

With linear demand the price is a piecewise linear function of what has been produced before a stage, and so
is every reply. A stage is folded into it from the last to the first: on each piece of the line after it, its
firms play Cournot against that piece's slope; at a kink where the line gets steeper (somebody later leaves
there) total output may stay while the stage's own falls; at one where it gets flatter (somebody's capacity
ends there) there are two answers, and the better one is found.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

TIE = 1e-12  # of the prices: gains below this are rounding
HALVINGS = 60  # to find where a stage goes from one answer to another


class Stage(NamedTuple):
    """The firms of one stage ``[firm]``."""

    c: np.ndarray
    d: np.ndarray
    low: np.ndarray
    high: np.ndarray


class PriceLine(NamedTuple):
    """Pieces of the price by what was produced before; replies of the stage's own firms along each."""

    start: np.ndarray  # [piece]: output before the stage
    stop: np.ndarray
    price: np.ndarray  # [piece 2]: at the two ends
    reply: np.ndarray  # [piece 2 firm]

    @property
    def slope(self) -> np.ndarray:
        """How fast the price falls on every piece."""
        found: np.ndarray = (self.price[:, 0] - self.price[:, 1]) / (self.stop - self.start)
        return found

    def at(self, output: float) -> tuple[float, np.ndarray]:
        """The price and the stage's replies ``[firm]``; at a jump, those of the piece that ends there."""
        return on_piece(self, min(int(np.searchsorted(self.stop, output)), len(self.stop) - 1), output)


def demand_line(a: float, b: float, most: float) -> PriceLine:
    """``P = max(a - b Q, 0)`` up to an output of ``most``, which nobody replies to.

    >>> demand_line(10.0, 2.0, 8.0).price.tolist()
    [[10.0, 0.0], [0.0, 0.0]]
    """
    top = a / b
    start, stop = np.array([0.0, top]), np.array([top, max(most, top) + top])
    return PriceLine(start, stop, np.array([[a, 0.0], [0.0, 0.0]]), np.zeros((2, 2, 0)))


def best_output(
    line: PriceLine, rest: Any, c: float, d: float, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """The most profitable output on a line, and its profit, whatever ``rest [..]`` the others produce.

    Exact: profit is quadratic on every piece, so one of the pieces' peaks and ends is best.
    """
    rest = np.asarray(rest, dtype=float)[..., None]
    slope = line.slope
    intercept = line.price[:, 0] + slope * (line.start - rest)  # the piece's price at an own output of 0
    peak = (intercept - c) / np.maximum(2 * slope + d, 1e-300)
    first, last = np.maximum(line.start - rest, low), np.minimum(line.stop - rest, high)
    q = np.minimum(np.maximum(peak, first), last)
    profit = np.where(last >= first, (intercept - slope * q - c) * q - d * q**2 / 2, -np.inf)
    best = np.argmax(profit, axis=-1)[..., None]
    return np.take_along_axis(q, best, -1)[..., 0], np.take_along_axis(profit, best, -1)[..., 0]


def regrets(line: PriceLine, q: np.ndarray, stage: Stage, before: float = 0.0) -> np.ndarray:
    """What every firm of a stage could gain ``[firm]``, those after it replying; at least 0."""
    total = float(before + q.sum())
    price = line.at(total)[0]
    here = (price - stage.c) * q - stage.d * q**2 / 2
    firms = zip(total - q, stage.c, stage.d, stage.low, stage.high, strict=True)
    best = np.array([best_output(line, *firm)[1] for firm in firms])
    return np.asarray(np.maximum(best - here, 0.0))


def fold(line: PriceLine, stage: Stage) -> PriceLine:
    """The line that those before a stage face: the stage's firms play Cournot on ``line``, knowing it."""
    return _single_valued(line, answers(line, stage), stage)


def answers(line: PriceLine, stage: Stage) -> PriceLine:
    """All first-order solutions of a stage as pieces, which may overlap; at a steepening kink, one split."""
    pieces = [_piece(line, k, stage) for k in range(len(line.start))]
    found = [part for piece in pieces for part in piece]
    for before, after in pairwise(pieces):
        (low, price, reply), (high, _, other) = before[-1][1], after[0][0]
        if high > low:  # total output stays at the kink, the stage's gives way
            found.append(((low, price, reply), (high, price, other)))
    ends = [(a, b) for a, b in found if b[0] > max(a[0], 0.0) + 1e-15 * abs(b[0])]
    return PriceLine(
        np.array([a[0] for a, _ in ends]),
        np.array([b[0] for _, b in ends]),
        np.array([[a[1], b[1]] for a, b in ends]),
        np.array([[a[2], b[2]] for a, b in ends]),
    )


End = tuple[float, float, np.ndarray]  # output before the stage, price, replies


def _piece(line: PriceLine, k: int, stage: Stage) -> list[tuple[End, End]]:
    """The stage's replies along one piece, between the totals at which a firm comes in or is full."""
    (t0, t1), (p0, p1), slope = (line.start[k], line.stop[k]), line.price[k], line.slope[k]
    steep = slope + stage.d

    def replies(price: float) -> np.ndarray:
        if slope > 0 or np.all(steep > 0):
            return np.asarray(np.clip((price - stage.c) / steep, stage.low, stage.high))
        wants = np.where(price > stage.c, np.inf, -np.inf)  # the price does not fall: all or nothing
        inner = (price - stage.c) / np.where(steep > 0, steep, 1.0)
        return np.asarray(np.clip(np.where(steep > 0, inner, wants), stage.low, stage.high))

    prices = [p0, p1]
    if slope > 0:
        ends = np.concatenate([stage.c + steep * stage.low, stage.c + steep * stage.high])
        prices[1:1] = np.sort(ends[(ends < p0) & (ends > p1)])[::-1].tolist()
    totals = [t0, *((t0 + (p0 - p) / slope) for p in prices[1:-1]), t1]
    nodes = [
        (float(t - r.sum()), float(p), r) for t, p in zip(totals, prices, strict=True) for r in [replies(p)]
    ]
    return list(pairwise(nodes))


def _single_valued(line: PriceLine, folded: PriceLine, stage: Stage) -> PriceLine:
    """One answer everywhere: where there are several, the one from which the stage's firms gain least."""
    order = np.lexsort((folded.stop, folded.start))
    folded = PriceLine(*(part[order] for part in folded))
    if np.all(folded.start[1:] >= folded.stop[:-1] - 1e-13 * np.abs(folded.stop[:-1])):
        return folded
    cuts = np.unique(np.concatenate([folded.start, folded.stop]))
    cuts = cuts[cuts >= 0] if cuts[0] >= 0 else np.append(0.0, cuts[cuts > 0])
    kept: list[tuple[int, float, float]] = []
    for low, high in pairwise(cuts):
        if high - low > 1e-13 * abs(high):
            there = np.flatnonzero((folded.start <= low) & (folded.stop >= high))
            kept += _chosen(line, folded, stage, there, float(low), float(high))
    return _cut(folded, kept)


def _chosen(
    line: PriceLine, folded: PriceLine, stage: Stage, there: np.ndarray, low: float, high: float
) -> list[tuple[int, float, float]]:
    """Which of several pieces holds between two outputs, and where one gives way to the other."""
    if len(there) == 1:
        return [(int(there[0]), low, high)]

    def best(output: float) -> int:
        gains = [regrets(line, on_piece(folded, k, output)[1], stage, output).max() for k in there]
        return int(there[int(np.argmin(gains))])

    inner = 1e-9 * (high - low)
    first, last = best(low + inner), best(high - inner)
    if first == last:
        return [(first, low, high)]
    left, right = low, high
    for _ in range(HALVINGS):
        middle = (left + right) / 2
        left, right = (middle, right) if best(middle) == first else (left, middle)
    return [(first, low, right), (last, right, high)]


def on_piece(folded: PriceLine, k: int, output: float) -> tuple[float, np.ndarray]:
    """The price and the replies ``[firm]`` on one piece."""
    part = (output - folded.start[k]) / (folded.stop[k] - folded.start[k])
    price, reply = folded.price[k], folded.reply[k]
    return float(price[0] + part * (price[1] - price[0])), reply[0] + part * (reply[1] - reply[0])


def _cut(folded: PriceLine, kept: list[tuple[int, float, float]]) -> PriceLine:
    """Pieces between new ends."""
    ends = [(on_piece(folded, k, low), on_piece(folded, k, high)) for k, low, high in kept]
    return PriceLine(
        np.array([low for _, low, _ in kept]),
        np.array([high for _, _, high in kept]),
        np.array([[a[0], b[0]] for a, b in ends]),
        np.array([[a[1], b[1]] for a, b in ends]),
    )

"""Leaders and followers in closed form, every corner included: plain NumPy, firms numbered as given.

With linear demand the price is a piecewise linear function of what has been produced before a stage, and so
is every reply. A stage is folded into it from the last to the first: on each piece of the line after it, its
firms play Cournot against that piece's slope; at a kink where the line gets steeper (somebody later leaves
there) total output may stay while the stage's own falls; at one where it gets flatter (somebody's capacity
ends there) there are two answers, and the better one is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np

from rivalry.games.market.quantities import aggregate, rows

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
    response: np.ndarray  # [piece 2 firm]

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
        (low, price, response), (high, _, other) = before[-1][1], after[0][0]
        if high > low:  # total output stays at the kink, the stage's gives way
            found.append(((low, price, response), (high, price, other)))
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

    def responses(price: float) -> np.ndarray:
        if slope > 0 or np.all(steep > 0):
            return np.asarray(np.clip((price - stage.c) / steep, stage.low, stage.high))
        wants = np.where(price > stage.c, np.inf, -np.inf)  # the price does not fall: all or nothing
        interior = (price - stage.c) / np.where(steep > 0, steep, 1.0)
        return np.asarray(np.clip(np.where(steep > 0, interior, wants), stage.low, stage.high))

    prices = [p0, p1]
    if slope > 0:
        ends = np.concatenate([stage.c + steep * stage.low, stage.c + steep * stage.high])
        prices[1:1] = np.sort(ends[(ends < p0) & (ends > p1)])[::-1].tolist()
    totals = [t0, *((t0 + (p0 - p) / slope) for p in prices[1:-1]), t1]
    nodes = [
        (float(t - r.sum()), float(p), r) for t, p in zip(totals, prices, strict=True) for r in [responses(p)]
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
    pieces: list[tuple[int, float, float]] = []
    for low, high in pairwise(cuts):
        if high - low > 1e-13 * abs(high):
            there = np.flatnonzero((folded.start <= low) & (folded.stop >= high))
            pieces += _chosen(line, folded, stage, there, float(low), float(high))
    return _cut(folded, pieces)


def _chosen(
    line: PriceLine, folded: PriceLine, stage: Stage, there: np.ndarray, low: float, high: float
) -> list[tuple[int, float, float]]:
    """Which of several pieces holds between two outputs, and where one gives way to the other."""
    if len(there) == 1:
        return [(int(there[0]), low, high)]

    def best(output: float) -> int:
        gains = [regrets(line, on_piece(folded, k, output)[1], stage, output).max() for k in there]
        return int(there[int(np.argmin(gains))])

    interior = 1e-9 * (high - low)
    first, last = best(low + interior), best(high - interior)
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
    price, response = folded.price[k], folded.response[k]
    return float(price[0] + part * (price[1] - price[0])), response[0] + part * (response[1] - response[0])


def _cut(folded: PriceLine, pieces: list[tuple[int, float, float]]) -> PriceLine:
    """Pieces between new ends."""
    ends = [(on_piece(folded, k, low), on_piece(folded, k, high)) for k, low, high in pieces]
    return PriceLine(
        np.array([low for _, low, _ in pieces]),
        np.array([high for _, _, high in pieces]),
        np.array([[a[0], b[0]] for a, b in ends]),
        np.array([[a[1], b[1]] for a, b in ends]),
    )


EXACT = 1e-11  # of a market's size: a gain below this is rounding
SIDES, ZOOMS = {2: 21, 3: 9}, 16  # of the scan for the smallest regret


class StagedOutputs(NamedTuple):
    """Outputs of everybody when those of the first stage lead."""

    q: np.ndarray  # [player]
    regret: np.ndarray  # [leader]: what it could gain, later stages replying
    equilibrium: bool  # False: the leaders have no pure equilibrium, and regrets are as small as was found
    roots: np.ndarray  # [root leader]: all equilibria of the leaders that were found, the first of them in q


def linear(
    a: float,
    b: float,
    stages: Sequence[Sequence[int]],
    c: Any,
    d: Any = 0.0,
    *,
    low: Any = 0.0,
    high: Any = np.inf,
) -> StagedOutputs:
    """Outputs for ``P = a - b Q`` and costs ``c_i q + d_i q^2/2`` when stages choose one after the other.

    Those of one stage choose at once. Later stages may leave the market, or be full: a single leader is best
    on one of the pieces of the price that it faces. Several leaders are checked against all their own
    deviations; where they have no pure equilibrium, ``equilibrium`` is False.

    >>> linear(100.0, 1.0, [[0], [1]], [10.0, 10.0]).q.tolist()
    [45.0, 22.5]
    >>> linear(100.0, 1.0, [[0], [1]], [10.0, 60.0]).q.tolist()  # the follower stays out
    [45.0, 0.0]
    """
    c, d, low, high = rows(c, d, low, high)
    lines, of_stage = price_lines(a, b, stages, c, d, low=low, high=high)
    first = of_stage[0]
    roots, regret = _leaders(lines[0], first, EXACT * a**2 / b)
    q, total = np.zeros(len(c)), 0.0
    for members, line in zip(stages, [None, *lines], strict=False):
        own = roots[0] if line is None else line.at(total)[1]
        q[list(members)] = own
        total += own.sum()
    return StagedOutputs(q, regret, bool(regret.max() <= EXACT * a**2 / b), roots)


def price_lines(
    a: float, b: float, stages: Sequence[Sequence[int]], c: Any, d: Any, *, low: Any, high: Any
) -> tuple[list[PriceLine], list[Stage]]:
    """The price lines that the stages face, the first stage's first, and the stages.

    A line holds the replies of the stage after.
    """
    c, d, low, high = rows(c, d, low, high)
    high = np.minimum(high, np.maximum(a / b, low))  # beyond, the price is 0
    of_stage = [Stage(*(part[list(members)] for part in (c, d, low, high))) for members in stages]
    lines = [demand_line(a, b, float(high.sum()))]
    for stage in of_stage[:0:-1]:
        lines.insert(0, fold(lines[0], stage))
    return lines, of_stage


def _leaders(line: PriceLine, stage: Stage, enough: float) -> tuple[np.ndarray, np.ndarray]:
    """What the first stage may produce ``[root leader]``, and what its firms could gain at the first root."""
    if len(stage.c) == 1:
        q, _ = best_output(line, 0.0, *(float(part[0]) for part in stage))
        return q[None, None], np.zeros(1)
    found = answers(line, stage)
    there = np.flatnonzero((found.start <= 0) & (found.stop >= 0))
    tried = [on_piece(found, int(k), 0.0)[1] for k in there]
    gains = [regrets(line, q, stage) for q in tried]
    stable = [k for k, gain in enumerate(gains) if gain.max() <= enough]
    if stable:
        return np.array([tried[k] for k in stable]), gains[stable[0]]
    q = _least_regret(line, stage, tried)
    return q[None], regrets(line, q, stage)


def _least_regret(line: PriceLine, stage: Stage, tried: list[np.ndarray]) -> np.ndarray:
    """The leaders' outputs of smallest largest regret, by a scan of all of them that narrows down."""
    count = len(stage.c)

    def worst(q: np.ndarray) -> float:
        return float(regrets(line, q, stage).max())

    best = min(tried or [(stage.low + stage.high) / 2], key=worst)
    low, high = stage.low, stage.high
    for _ in range(ZOOMS if count in SIDES else 0):
        lines = [np.linspace(*ends, SIDES[count]) for ends in zip(low, high, strict=True)]
        best = min([best, *(np.array(q) for q in product(*lines))], key=worst)
        wide = (high - low) / 8
        low, high = np.maximum(best - wide, stage.low), np.minimum(best + wide, stage.high)
    return best


def differentiated(
    A: float, b: float, g_s: float, c: Any, d: Any = 0.0, *, low: Any = 0.0, high: Any = np.inf
) -> np.ndarray:
    """Outputs ``[player]`` when firm 0 leads in quantities, ``p_i = A - b q_i - g_s sum_{j != i} q_j``.

    Symmetric and alone with one follower: ``q_L = (A - c)(2b - g_s)/(2(2b^2 - g_s^2))`` (Singh and Vives 1984
    have the demand). Followers who leave or are full are found exactly, as with one good.

    >>> differentiated(12.0, 1.5, 0.9, [2.0, 2.0]).round(9).tolist()
    [2.845528455, 2.479674797]
    """
    c, d, low, high = rows(c, d, low, high)
    most = min(float(high[0]), A / b)
    interior = (c[1:], 2 * b + d[1:] - g_s, low[1:], high[1:])

    def responses(q: float) -> np.ndarray:
        return np.asarray(aggregate(A - g_s * q, g_s, *interior))

    ends = np.concatenate([interior[0] + interior[1] * interior[2], interior[0] + interior[1] * interior[3]])
    ends = ends[np.isfinite(ends)]
    there = np.clip((ends[:, None] - interior[0]) / interior[1], interior[2], interior[3]).sum(axis=1)
    kinks = (A - ends - g_s * there) / g_s if g_s else np.zeros(0)
    cuts = np.unique(np.concatenate([[low[0], most], kinks[(kinks > low[0]) & (kinks < most)]]))
    response = np.array([responses(q) for q in cuts])
    price = A - b * cuts - g_s * response.sum(axis=1)
    pairs = [np.stack([part[:-1], part[1:]], axis=1) for part in (price, response)]
    line = PriceLine(cuts[:-1], cuts[1:], pairs[0], pairs[1])
    q, _ = best_output(line, 0.0, c[0], d[0], low[0], most)
    return np.append(q, responses(float(q)))


def isoelastic(A: float, eta: float, c: Any) -> np.ndarray:
    """Outputs ``[2]`` when firm 0 leads and firm 1 follows, ``P = A Q^(-1/eta)``, constant costs.

    The follower sells ``q_F = eta Q (1 - c_F/P)``, so the leader's first-order condition is quadratic in P:
    ``(1-eta)^2 P^2 - eta (eta c_F - (1-eta) c_L) P + eta (1+eta) c_L c_F = 0``; with ``eta = 1`` it is
    ``P = 2 c_L``. With ``eta < 1`` the leader gains for ever by producing less. Raises `ValueError` there,
    and where either firm would not produce.

    >>> isoelastic(100.0, 1.0, [1.0, 1.0]).tolist()
    [25.0, 25.0]
    """
    leader, follower = (float(cost) for cost in rows(c)[0])
    if eta < 1:
        raise ValueError(f"elasticity: {eta:g} must be at least 1 for a leader: no interior equilibrium")
    roots = np.roots(
        [
            (1 - eta) ** 2,
            -eta * (eta * follower - (1 - eta) * leader),
            eta * (1 + eta) * leader * follower,
        ]
    )
    real = roots[np.isreal(roots)].real

    def sold(price: float) -> tuple[float, float]:
        total, share = (A / price) ** eta, eta * (1 - follower / price)
        return total * (1 - share), total * share

    interior = [p for p in real if p > max(leader, follower) and min(sold(p)) > 0]
    if not interior:
        raise ValueError(
            f"unit_cost: with a leader's cost of {leader:g} and a follower's of {follower:g} one is idle: "
            f"{_inactive(eta, leader, follower)}, which has no closed form; use best_response"
        )
    return np.array(sold(max(interior, key=lambda p: (p - leader) * sold(p)[0])))


def _inactive(eta: float, leader: float, follower: float) -> str:
    """Which of the two, in words."""
    if eta == 1:
        return f"the follower (firm 1), as c_F = {follower:g} is at least 2 c_L = {2 * leader:g}"
    return "the follower (firm 1)" if follower >= leader else "the leader (firm 0)"

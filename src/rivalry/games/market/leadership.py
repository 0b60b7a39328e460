"""Leaders and followers in quantities, in closed form, every corner included; plain NumPy.

With linear demand the price is a piecewise linear function of the output before a stage, and so is every
response. Stages are folded into it from the last to the first: on each piece of the next stage's line, the
firms of a stage play Cournot against that piece's slope. At a kink where the line becomes steeper (a later
firm leaves) total output may stay constant while the stage's own falls; where it becomes flatter (a later
firm reaches its capacity) there are two solutions, and the better one is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np

from rivalry.games.market.equilibria import aggregate, broadcast_parameters

HALVINGS = 60  # to find where one solution replaces another


class Stage(NamedTuple):
    """The firms of one stage, ``[firm]``."""

    c: np.ndarray
    d: np.ndarray
    low: np.ndarray
    high: np.ndarray


class PriceLine(NamedTuple):
    """The price as a function of the output before a stage, with the stage's responses, by pieces."""

    start: np.ndarray  # [piece]: output before the stage
    stop: np.ndarray
    price: np.ndarray  # [piece 2]: at the two ends
    response: np.ndarray  # [piece 2 firm]

    @property
    def slope(self) -> np.ndarray:
        """Return the decrease of the price per unit of output, ``[piece]``."""
        found: np.ndarray = (self.price[:, 0] - self.price[:, 1]) / (self.stop - self.start)
        return found

    def at(self, output: float) -> tuple[float, np.ndarray]:
        """Return the price and the responses ``[firm]``; at a discontinuity, of the piece that ends there."""
        return at_output(self, min(int(np.searchsorted(self.stop, output)), len(self.stop) - 1), output)


def best_output(
    line: PriceLine, rest: Any, c: float, d: float, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the most profitable output on a line and its profit, at outputs ``rest [..]`` of the others.

    The result is exact: profit is quadratic on every piece, so the best output is a peak or an end of a
    piece.
    """
    rest = np.asarray(rest, dtype=float)[..., None]
    slope = line.slope
    intercept = line.price[:, 0] + slope * (line.start - rest)  # the piece's price at an own output of 0
    # slope and d of 0: the peak is infinite, and an end of the piece is best
    peak = (intercept - c) / np.maximum(2 * slope + d, 1e-300)
    first, last = np.maximum(line.start - rest, low), np.minimum(line.stop - rest, high)
    q = np.minimum(np.maximum(peak, first), last)
    profit = np.where(last >= first, (intercept - slope * q - c) * q - d * q**2 / 2, -np.inf)
    best = np.argmax(profit, axis=-1)[..., None]
    return np.take_along_axis(q, best, -1)[..., 0], np.take_along_axis(profit, best, -1)[..., 0]


def regrets(line: PriceLine, q: np.ndarray, stage: Stage, before: float = 0.0) -> np.ndarray:
    """Return each firm's gain from its best deviation, with later stages responding, ``[firm]``."""
    total = float(before + q.sum())
    price = line.at(total)[0]
    here = (price - stage.c) * q - stage.d * q**2 / 2
    firms = zip(total - q, stage.c, stage.d, stage.low, stage.high, strict=True)
    best = np.array([best_output(line, *firm)[1] for firm in firms])
    return np.asarray(np.maximum(best - here, 0.0))


def fold(line: PriceLine, stage: Stage) -> PriceLine:
    """Return the price line before a stage, whose firms play Cournot on ``line``."""
    return _single_valued(line, first_order_solutions(line, stage), stage)


def first_order_solutions(line: PriceLine, stage: Stage) -> PriceLine:
    """Return all first-order solutions of a stage as pieces, which may overlap."""
    pieces = [_piece(line, k, stage) for k in range(len(line.start))]
    found = [part for piece in pieces for part in piece]
    for before, after in pairwise(pieces):
        (low, price, response), (high, _, other) = before[-1][1], after[0][0]
        if high > low:  # total output stays at the kink while the stage's own falls
            found.append(((low, price, response), (high, price, other)))
    # pieces without length would divide by 0 in `slope`; outputs below 0 do not occur
    return _line([(a, b) for a, b in found if b[0] > max(a[0], 0.0) + 1e-15 * abs(b[0])])


End = tuple[float, float, np.ndarray]  # output before the stage, price, responses


def _line(ends: Sequence[tuple[End, End]]) -> PriceLine:
    """Return the line of pieces between two ends each."""
    output, price, response = (np.array([[a[k], b[k]] for a, b in ends]) for k in range(3))
    return PriceLine(output[:, 0], output[:, 1], price, response)


def _piece(line: PriceLine, k: int, stage: Stage) -> list[tuple[End, End]]:
    """Return a stage's responses along one piece, between the totals at which a firm meets a bound."""
    (t0, t1), (p0, p1), slope = (line.start[k], line.stop[k]), line.price[k], line.slope[k]
    steep = slope + stage.d

    def responses(price: float) -> np.ndarray:
        wants = np.where(price > stage.c, np.inf, -np.inf)  # at a constant price: all or nothing
        interior = (price - stage.c) / np.where(steep > 0, steep, 1.0)
        return np.asarray(np.clip(np.where(steep > 0, interior, wants), stage.low, stage.high))

    prices = [p0, p1]
    if slope > 0:
        ends = np.concatenate([stage.c + steep * stage.low, stage.c + steep * stage.high])
        prices[1:1] = np.sort(ends[(ends < p0) & (ends > p1)])[::-1].tolist()
    totals = [t0, *((t0 + (p0 - p) / slope) for p in prices[1:-1]), t1]
    nodes = zip(totals, prices, map(responses, prices), strict=True)
    return list(pairwise((float(t - r.sum()), float(p), r) for t, p, r in nodes))


def _single_valued(line: PriceLine, folded: PriceLine, stage: Stage) -> PriceLine:
    """Return one solution for every output: of several, that of smallest regret of the stage's firms."""
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
            pieces += _best_pieces(line, folded, stage, there, float(low), float(high))
    return _line([((a, *at_output(folded, k, a)), (b, *at_output(folded, k, b))) for k, a, b in pieces])


def _best_pieces(
    line: PriceLine, folded: PriceLine, stage: Stage, there: np.ndarray, low: float, high: float
) -> list[tuple[int, float, float]]:
    """Return which of several pieces is chosen between two outputs, and where one replaces another."""
    if len(there) == 1:
        return [(int(there[0]), low, high)]

    def best(output: float) -> int:
        gains = [regrets(line, at_output(folded, k, output)[1], stage, output).max() for k in there]
        return int(there[int(np.argmin(gains))])

    # just inside: at the ends pieces touch, and their regrets are equal
    interior = 1e-9 * (high - low)
    first, last = best(low + interior), best(high - interior)
    if first == last:
        return [(first, low, high)]
    left, right = low, high
    for _ in range(HALVINGS):
        middle = (left + right) / 2
        left, right = (middle, right) if best(middle) == first else (left, middle)
    return [(first, low, right), (last, right, high)]


def at_output(folded: PriceLine, k: int, output: float) -> tuple[float, np.ndarray]:
    """Return the price and the responses ``[firm]`` on one piece."""
    part = (output - folded.start[k]) / (folded.stop[k] - folded.start[k])
    price, response = folded.price[k], folded.response[k]
    return float(price[0] + part * (price[1] - price[0])), response[0] + part * (response[1] - response[0])


EXACT = 1e-11  # relative to the market's size: a gain below this is rounding
SIDES, ZOOMS = {2: 21, 3: 9}, 16  # of the grid search: points per leader, refinements


class StagedOutputs(NamedTuple):
    """Outputs of all firms, with those of the first stage leading."""

    q: np.ndarray  # [player]
    regret: np.ndarray  # [leader]: gain from its best deviation, with later stages responding
    equilibrium: bool  # False: the leaders have no pure equilibrium; the regrets are the smallest found
    roots: np.ndarray  # [root leader]: all equilibria of the leaders found, the first of them in q


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
    """Return the outputs of stages that choose one after the other, for ``P = a - b Q``.

    Firms of one stage choose simultaneously, at costs ``c_i q + d_i q^2/2``. Later firms may leave the market
    or reach their capacity: a single leader chooses the best of all pieces of its price line. Several leaders
    are checked against all their deviations. If they have no pure equilibrium, ``equilibrium`` is False and
    the outputs minimise the largest regret.

    Parameters
    ----------
    a, b : float
        Intercept and slope of inverse demand.
    stages : sequence of sequence of int
        The firms of each stage, in the order of moves.
    c, d, low, high : array_like
        Unit cost, convex cost and bounds, ``[player]``.

    Examples
    --------
    >>> linear(100.0, 1.0, [[0], [1]], [10.0, 10.0]).q.tolist()
    [45.0, 22.5]
    >>> linear(100.0, 1.0, [[0], [1]], [10.0, 60.0]).q.tolist()  # the follower stays out
    [45.0, 0.0]

    References
    ----------
    H. von Stackelberg, Marktform und Gleichgewicht (1934).
    """
    lines, of_stage = price_lines(a, b, stages, c, d, low, high)
    roots, regret = _leaders(lines[0], of_stage[0], EXACT * a**2 / b)
    q, total, own = np.zeros(len(broadcast_parameters(c, d, low, high)[0])), 0.0, roots[0]
    for members, line in zip(stages, lines, strict=True):
        q[list(members)] = own
        total += own.sum()
        own = line.at(total)[1]
    return StagedOutputs(q, regret, bool(regret.max() <= EXACT * a**2 / b), roots)


def price_lines(
    a: float, b: float, stages: Sequence[Sequence[int]], c: Any, d: Any, low: Any, high: Any
) -> tuple[list[PriceLine], list[Stage]]:
    """Return the price lines of all stages, the first stage's first, and the stages.

    A line contains the responses of the next stage.
    """
    c, d, low, high = broadcast_parameters(c, d, low, high)
    high = np.minimum(high, np.maximum(a / b, low))  # beyond, the price is 0
    of_stage = [Stage(*(part[list(members)] for part in (c, d, low, high))) for members in stages]
    top = a / b
    ends = np.array([0.0, top]), np.array([top, max(float(high.sum()), top) + top])
    lines = [PriceLine(*ends, np.array([[a, 0.0], [0.0, 0.0]]), np.zeros((2, 2, 0)))]  # without responses
    # from the last stage back to the second: the firms of the first one are the leaders
    for stage in of_stage[:0:-1]:
        lines.insert(0, fold(lines[0], stage))
    return lines, of_stage


def _leaders(line: PriceLine, stage: Stage, enough: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the outputs of the first stage ``[root leader]``, and the regrets at the first root."""
    if len(stage.c) == 1:
        q, _ = best_output(line, 0.0, *(float(part[0]) for part in stage))
        return q[None, None], np.zeros(1)
    found = first_order_solutions(line, stage)
    there = np.flatnonzero((found.start <= 0) & (found.stop >= 0))
    tried = [at_output(found, int(k), 0.0)[1] for k in there]
    # first-order solutions need not be equilibria: profit is not concave where the line has kinks
    gains = [regrets(line, q, stage) for q in tried]
    stable = [k for k, gain in enumerate(gains) if gain.max() <= enough]
    if stable:
        return np.array([tried[k] for k in stable]), gains[stable[0]]
    q = _smallest_regret(line, stage, tried)
    return q[None], regrets(line, q, stage)


def _smallest_regret(line: PriceLine, stage: Stage, tried: list[np.ndarray]) -> np.ndarray:
    """Return minimax-regret outputs of the leaders, by successively refined grid search."""
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


def differentiated_leader(
    A: float, b: float, g_s: float, c: Any, d: Any = 0.0, *, low: Any = 0.0, high: Any = np.inf
) -> np.ndarray:
    """Return outputs ``[player]`` if firm 0 leads in quantities, ``p_i = A - b q_i - g_s sum_{j != i} q_j``.

    With one follower and equal costs, ``q_L = (A - c)(2b - g_s)/(2(2b^2 - g_s^2))``. Followers that leave or
    reach their capacity are exact, as with one good.

    Examples
    --------
    >>> differentiated_leader(12.0, 1.5, 0.9, [2.0, 2.0]).round(9).tolist()
    [2.845528455, 2.479674797]
    """
    c, d, low, high = broadcast_parameters(c, d, low, high)
    most = min(float(high[0]), A / b)
    supply = cost, steep, first, last = c[1:], 2 * b + d[1:] - g_s, low[1:], high[1:]
    ends = np.concatenate([cost + steep * first, cost + steep * last])
    ends = ends[np.isfinite(ends)]
    there = np.clip((ends[:, None] - cost) / steep, first, last).sum(axis=1)
    kinks = (A - ends - g_s * there) / g_s if g_s else np.zeros(0)
    cuts = np.unique(np.concatenate([[low[0], most], kinks[(kinks > low[0]) & (kinks < most)]]))
    response = np.array([aggregate(A - g_s * q, g_s, *supply) for q in cuts])
    price = A - b * cuts - g_s * response.sum(axis=1)
    pairs = (np.stack([part[:-1], part[1:]], axis=1) for part in (price, response))
    line = PriceLine(cuts[:-1], cuts[1:], *pairs)
    q, _ = best_output(line, 0.0, c[0], d[0], low[0], most)
    return np.append(q, aggregate(A - g_s * float(q), g_s, *supply))


def isoelastic(A: float, eta: float, c: Any) -> np.ndarray:
    """Return outputs ``[2]`` if firm 0 leads and firm 1 follows, for ``P = A Q^(-1/eta)`` and constant costs.

    The follower sells ``q_F = eta Q (1 - c_F/P)``, so the leader's first-order condition is quadratic in P:
    ``(1-eta)^2 P^2 - eta (eta c_F - (1-eta) c_L) P + eta (1+eta) c_L c_F = 0``; with ``eta = 1`` it is ``P =
    2 c_L``.

    Raises
    ------
    ValueError
        For ``eta < 1``, where the leader always gains by producing less, and if either firm would not
        produce.

    Examples
    --------
    >>> isoelastic(100.0, 1.0, [1.0, 1.0]).tolist()
    [25.0, 25.0]
    """
    leader, follower = (float(cost) for cost in broadcast_parameters(c)[0])
    if eta < 1:
        raise ValueError(f"elasticity: {eta:g} must be at least 1 for a leader: no interior equilibrium")
    roots = np.roots(
        [(1 - eta) ** 2, -eta * (eta * follower - (1 - eta) * leader), eta * (1 + eta) * leader * follower]
    )
    real = roots[np.isreal(roots)].real

    def sold(price: float) -> tuple[float, float]:
        total, share = (A / price) ** eta, eta * (1 - follower / price)
        return total * (1 - share), total * share

    interior = [p for p in real if p > max(leader, follower) and min(sold(p)) > 0]
    if not interior:
        idle = "the follower (firm 1)" if eta == 1 or follower >= leader else "the leader (firm 0)"
        if eta == 1:
            idle += f", as c_F = {follower:g} is at least 2 c_L = {2 * leader:g}"
        raise ValueError(
            f"unit_cost: with a leader's cost of {leader:g} and a follower's of {follower:g} one is idle: "
            f"{idle}, which has no closed form; use best_response"
        )
    return np.array(sold(max(interior, key=lambda p: (p - leader) * sold(p)[0])))

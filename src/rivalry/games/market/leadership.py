"""Leaders and followers in closed form, every corner included: plain NumPy, firms numbered as given."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from rivalry.games.market.cournot import aggregate, rows
from rivalry.games.market.price_line import (
    PriceLine,
    Stage,
    answers,
    best_output,
    demand_line,
    fold,
    on_piece,
    regrets,
)

EXACT = 1e-11  # of a market's size: a gain below this is rounding
SIDES, ZOOMS = {2: 21, 3: 9}, 16  # of the scan for the smallest regret


class Led(NamedTuple):
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
) -> Led:
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
    lines, of_stage = faced(a, b, stages, c, d, low=low, high=high)
    first = of_stage[0]
    roots, regret = _leaders(lines[0], first, EXACT * a**2 / b)
    q, total = np.zeros(len(c)), 0.0
    for members, line in zip(stages, [None, *lines], strict=False):
        own = roots[0] if line is None else line.at(total)[1]
        q[list(members)] = own
        total += own.sum()
    return Led(q, regret, bool(regret.max() <= EXACT * a**2 / b), roots)


def faced(
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
    inner = (c[1:], 2 * b + d[1:] - g_s, low[1:], high[1:])

    def replies(q: float) -> np.ndarray:
        return np.asarray(aggregate(A - g_s * q, g_s, *inner))

    ends = np.concatenate([inner[0] + inner[1] * inner[2], inner[0] + inner[1] * inner[3]])
    ends = ends[np.isfinite(ends)]
    there = np.clip((ends[:, None] - inner[0]) / inner[1], inner[2], inner[3]).sum(axis=1)
    kinks = (A - ends - g_s * there) / g_s if g_s else np.zeros(0)
    cuts = np.unique(np.concatenate([[low[0], most], kinks[(kinks > low[0]) & (kinks < most)]]))
    reply = np.array([replies(q) for q in cuts])
    price = A - b * cuts - g_s * reply.sum(axis=1)
    pairs = [np.stack([part[:-1], part[1:]], axis=1) for part in (price, reply)]
    line = PriceLine(cuts[:-1], cuts[1:], pairs[0], pairs[1])
    q, _ = best_output(line, 0.0, c[0], d[0], low[0], most)
    return np.append(q, replies(float(q)))


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
        raise ValueError(f"eta: {eta:g} must be at least 1 for a leader: no interior equilibrium")
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

    inner = [p for p in real if p > max(leader, follower) and min(sold(p)) > 0]
    if not inner:
        raise ValueError(
            f"c: with a leader's cost of {leader:g} and a follower's of {follower:g} one is inactive: "
            f"{_inactive(eta, leader, follower)}, which has no closed form; use best_response"
        )
    return np.array(sold(max(inner, key=lambda p: (p - leader) * sold(p)[0])))


def _inactive(eta: float, leader: float, follower: float) -> str:
    """Which of the two, in words."""
    if eta == 1:
        return f"the follower (firm 1), as c_F = {follower:g} is at least 2 c_L = {2 * leader:g}"
    return "the follower (firm 1)" if follower >= leader else "the leader (firm 0)"

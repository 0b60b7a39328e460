"""Two firms that adjust their outputs, on levels, and the plans that one of them may announce."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

NEAR = 1e-9  # of the range: outputs nearer than this are one level
REACH = 4.0  # standard deviations of a disturbance that are kept


class AdjustmentTables(NamedTuple):
    """Two firms whose outputs are what they carry over: ``q' = q + u``, at the cost ``phi u**2``.

    This is the adjustment rule `predetermined`: what is earned now depends on the outputs as they stand.
    """

    levels: tuple[np.ndarray, np.ndarray]  # each firm's outputs, rising
    flow: np.ndarray  # [player level_0 level_1]: cash flow but for adjustment
    phi: np.ndarray  # [player]
    gamma: np.ndarray  # [player]
    first: np.ndarray  # [player]: the level at which each begins, int64


class Duel(NamedTuple):
    """The same with plans, the leader first: what `tables.kernels.plans` takes."""

    flow: np.ndarray  # [firm level_L level_F]
    gamma: np.ndarray  # [firm]
    phi: np.ndarray  # [firm]
    levels: np.ndarray  # [level_F]: the follower's outputs
    low: np.ndarray  # [plan level_L]: the leader's level below where the plan aims
    part: np.ndarray  # [plan level_L]: the chance of the level above
    cost: np.ndarray  # [plan level_L]
    spread_leader: np.ndarray  # [level_L level_L]: where a disturbance takes it; absent: there is none
    spread_follower: np.ndarray  # [level_F level_F]


def adjustment_tables(
    a: float,
    b: float,
    c: Sequence[float] | float,
    phi: Sequence[float] | float,
    gamma: Sequence[float] | float,
    levels: Sequence[float] | np.ndarray,
    first: Sequence[float] = (1.0, 1.0),
) -> AdjustmentTables:
    """Linear demand ``P = a - b (q_0 + q_1)`` and unit costs ``c``, on ``levels`` of output for both.

    What each begins with becomes a level if it is none. Cash flow is ``(P - c_i) q_i - phi_i u_i**2``.
    Raises `ValueError` for levels that do not rise, and numbers out of range.

    >>> made = adjustment_tables(10.0, 2.0, 0.0, 120.0, 0.96, [0.5, 1.5, 2.5])
    >>> made.levels[0].tolist(), made.first.tolist(), made.flow[0, 1, 1].item()
    ([0.5, 1.0, 1.5, 2.5], [1, 1], 6.0)
    """
    both = [np.broadcast_to(np.asarray(value, dtype=float), (2,)).copy() for value in (c, phi, gamma)]
    if not b > 0:
        raise ValueError(f"b: {b:g} must be above 0")
    for name, numbers, most in (("phi", both[1], np.inf), ("gamma", both[2], 1.0)):
        for player, number in enumerate(numbers):
            if not 0 <= number < most:
                rule = "at least 0" if name == "phi" else "in [0, 1): without it the sum of a play diverges"
                raise ValueError(f"{name}[{player}]: {number:g} must be {rule}")
    own = tuple(_with_level(levels, float(output), player) for player, output in enumerate(first))
    price = a - b * (own[0][:, None] + own[1][None, :])
    flow = np.stack([(price - both[0][0]) * own[0][:, None], (price - both[0][1]) * own[1][None, :]])
    begin = np.array([np.argmin(np.abs(line - q)) for line, q in zip(own, first, strict=True)])
    return AdjustmentTables((own[0], own[1]), flow, both[1], both[2], begin)


def _with_level(levels: Sequence[float] | np.ndarray, output: float, player: int) -> np.ndarray:
    line = np.asarray(levels, dtype=float)
    if line.ndim != 1 or len(line) < 2 or not np.all(np.isfinite(line)) or np.any(np.diff(line) <= 0):
        raise ValueError(f"levels[{player}]: must be at least 2 finite numbers that rise")
    if not line[0] <= output <= line[-1]:
        raise ValueError(f"first[{player}]: {output:g} must be in [{line[0]:g}, {line[-1]:g}], the levels")
    known = np.min(np.abs(line - output)) <= NEAR * (line[-1] - line[0])
    return line if known else np.sort(np.append(line, output))


def announced(
    tables: AdjustmentTables, leader: int, targets: np.ndarray, ramps: np.ndarray, noise: float = 0.0
) -> Duel:
    """The tables with plans ``[plan]``: towards an output, by at most so much a period.

    A plan aims at ``q + clip(target - q, -ramp, ramp)``. Where that lies between two levels a lottery with
    that mean takes the firm to one of them. ``noise`` is the standard deviation of a disturbance of both
    outputs after that, in units of output: a normal one, cut at four deviations and at the ends of the
    levels.

    >>> made = adjustment_tables(10.0, 2.0, 0.0, 120.0, 0.96, [1.0, 1.5, 2.0])
    >>> duel = announced(made, 0, np.array([2.0]), np.array([0.75]))
    >>> duel.low[0].tolist(), duel.part[0].tolist(), duel.cost[0].tolist()
    ([1, 2, 2], [0.5, 0.0, 0.0], [67.5, 30.0, 0.0])
    """
    own, other = tables.levels[leader], tables.levels[1 - leader]
    change = np.clip(targets[:, None] - own, -ramps[:, None], ramps[:, None])
    low, part = _lottery(own, own + change)
    flow = tables.flow if leader == 0 else tables.flow[::-1].swapaxes(1, 2)
    turn = [leader, 1 - leader]
    return Duel(
        flow=np.array(flow, order="C"),
        gamma=tables.gamma[turn],
        phi=tables.phi[turn],
        levels=np.array(other),
        low=low,
        part=part,
        cost=tables.phi[leader] * change**2,
        spread_leader=_spread(own, noise),
        spread_follower=_spread(other, noise),
    )


def _lottery(levels: np.ndarray, aim: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The level below (or at) every aim, and the chance of the one above; what is nearly a level is one."""
    near = NEAR * (levels[-1] - levels[0])
    low = np.clip(np.searchsorted(levels, aim + near, side="right") - 1, 0, len(levels) - 1)
    above = np.minimum(low + 1, len(levels) - 1)
    apart = np.where(above > low, levels[above] - levels[low], 1.0)
    part = np.where(np.abs(aim - levels[low]) <= near, 0.0, (aim - levels[low]) / apart)
    return low, part


def _spread(levels: np.ndarray, noise: float) -> np.ndarray:
    if noise == 0:
        return np.zeros((0, 0))
    apart = (levels[None, :] - levels[:, None]) / noise
    half = np.diff(levels, append=levels[-1]) + np.diff(levels, prepend=levels[0])  # levels may be uneven
    weight = np.where(np.abs(apart) <= REACH + NEAR, half * np.exp(-(apart**2) / 2), 0.0)
    spread: np.ndarray = weight / weight.sum(axis=1, keepdims=True)
    return spread

"""Tables of a duopoly with output adjustment costs, and of the plans that one firm may announce."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SAME_LEVEL = 1e-9  # of the range: outputs closer than this are one level
REACH = 4.0  # standard deviations at which a disturbance is truncated


class AdjustmentTables(NamedTuple):
    """A duopoly with outputs as states: ``q' = q + u``, at the cost ``phi u**2``.

    The adjustment rule is `predetermined`: current profit depends on the outputs before the adjustment.
    """

    levels: tuple[np.ndarray, np.ndarray]  # each firm's outputs, increasing
    flow: np.ndarray  # [player level_0 level_1]: cash flow before adjustment costs
    phi: np.ndarray  # [player]
    gamma: np.ndarray  # [player]
    first: np.ndarray  # [player]: the initial level, int64


class Duel(NamedTuple):
    """The duopoly with plans, the leader first, as `tables.kernels.plans` takes it."""

    flow: np.ndarray  # [firm level_L level_F]
    gamma: np.ndarray  # [firm]
    phi: np.ndarray  # [firm]
    levels: np.ndarray  # [level_F]: the follower's outputs
    low: np.ndarray  # [plan level_L]: the leader's level below the plan's aim
    part: np.ndarray  # [plan level_L]: the probability of the level above
    cost: np.ndarray  # [plan level_L]
    spread_leader: np.ndarray  # [level_L level_L]: transition probabilities of a disturbance; absent: none
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
    """Return a duopoly with linear demand ``P = a - b (q_0 + q_1)`` and unit costs ``c``, on output levels.

    Cash flow is ``(P - c_i) q_i - phi_i u_i**2``. An initial output that is not among the ``levels`` is added
    to them.

    Parameters
    ----------
    a, b : float
        Intercept and slope of demand.
    c, phi, gamma : float or sequence
        Unit costs, adjustment costs and discount factors, one for both firms or one per firm.
    levels : sequence
        Increasing output levels of both firms.
    first : sequence
        Initial outputs.

    Returns
    -------
    AdjustmentTables
        The tables.

    Raises
    ------
    ValueError
        For levels that do not increase, and numbers out of range.

    Examples
    --------
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
    known = np.min(np.abs(line - output)) <= SAME_LEVEL * (line[-1] - line[0])
    return line if known else np.sort(np.append(line, output))


def with_plans(
    tables: AdjustmentTables, leader: int, targets: np.ndarray, ramps: np.ndarray, noise: float = 0.0
) -> Duel:
    """Return the tables with announced plans: adjustment to a target at a bounded rate per period.

    A plan aims at ``q + clip(target - q, -ramp, ramp)``. Where that lies between two levels, a lottery with
    that mean selects one of them.

    Parameters
    ----------
    tables : AdjustmentTables
        The duopoly.
    leader : int
        The firm that announces plans.
    targets, ramps : np.ndarray
        Target output and largest change per period of each plan, ``[plan]``.
    noise : float
        Standard deviation of a disturbance of both outputs after the adjustment, in units of output: normal,
        truncated at four deviations and at the ends of the levels.

    Returns
    -------
    Duel
        The tables.

    Examples
    --------
    >>> made = adjustment_tables(10.0, 2.0, 0.0, 120.0, 0.96, [1.0, 1.5, 2.0])
    >>> duel = with_plans(made, 0, np.array([2.0]), np.array([0.75]))
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
    """Return the level at or below every aim, and the probability of the one above."""
    near = SAME_LEVEL * (levels[-1] - levels[0])
    low = np.clip(np.searchsorted(levels, aim + near, side="right") - 1, 0, len(levels) - 1)
    above = np.minimum(low + 1, len(levels) - 1)
    apart = np.where(above > low, levels[above] - levels[low], 1.0)
    # an aim that is nearly a level counts as that level
    part = np.where(np.abs(aim - levels[low]) <= near, 0.0, (aim - levels[low]) / apart)
    return low, part


def _spread(levels: np.ndarray, noise: float) -> np.ndarray:
    if noise == 0:
        return np.zeros((0, 0))
    apart = (levels[None, :] - levels[:, None]) / noise
    half = np.diff(levels, append=levels[-1]) + np.diff(levels, prepend=levels[0])  # levels may be uneven
    weight = np.where(np.abs(apart) <= REACH + SAME_LEVEL, half * np.exp(-(apart**2) / 2), 0.0)
    spread: np.ndarray = weight / weight.sum(axis=1, keepdims=True)
    return spread

"""What announced plans and replies to them are worth, exactly, and what the best reply of either gains."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rivalry.tables.plans import AdjustmentTables, Duel

EXACT = 1e-12  # of the largest sum of cash flows: how closely policies are valued
MORE = 20  # sweeps with the policy as it is after each that improves it


class Announced(NamedTuple):
    """The tables that are played on, who leads, and the plans, each a target and a ramp."""

    tables: AdjustmentTables
    duel: Duel
    leader: int
    targets: np.ndarray  # [plan]
    ramps: np.ndarray  # [plan]

    @property
    def begin(self) -> tuple[int, int]:
        """The levels at the start, the leader's first."""
        return int(self.tables.first[self.leader]), int(self.tables.first[1 - self.leader])

    def first_node(self, worth: np.ndarray) -> tuple[int, int, int]:
        """The node at the start with the plan that is worth most, the lowest of the best."""
        return (int(np.argmax(worth[:, *self.begin])), *self.begin)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of arrays over nodes: plan in force, the leader's level, the follower's."""
        return (len(self.targets), *self.duel.flow.shape[1:])


class PlanGains(NamedTuple):
    """What policies are worth, exactly, and what the best reply of either gains."""

    realised: np.ndarray  # [firm plan level_L level_F]: cash flows, less charges if they are paid
    decision: np.ndarray  # [plan level_L level_F]: what the leader weighs, every change counted as delta
    regret: np.ndarray  # [firm]: the largest over nodes
    bound: np.ndarray  # [firm]
    at_start: np.ndarray  # [firm]
    temptation: float
    scale: float


def judged(world: Announced, delta: float, charge: bool, switch: np.ndarray, aim: np.ndarray) -> PlanGains:
    """The leader's rule ``switch`` and the follower's policy ``aim``, both ``[plan level_L level_F]``."""
    duel, zero = world.duel, np.zeros(world.shape)
    close = EXACT * np.abs(duel.flow).max(axis=(1, 2)) / (1 - duel.gamma)
    decision, off_led = _valued(duel, 0, switch, aim, delta, zero, close[0])
    paid = decision if charge else _valued(duel, 0, switch, aim, 0.0, decision, close[0])[0]
    followed, off_followed = _valued(duel, 1, switch, aim, 0.0, zero, close[1])
    led, off_led_best = _best_switching(duel, delta, switch, aim, decision, close[0])
    replied, off_replied = _best_following(duel, switch, aim, followed, close[1])
    free, _ = _best_switching(duel, 0.0, switch, aim, paid, close[0])
    gains = np.maximum(led, led.max(axis=0) - delta) - _arriving(decision, switch, delta)
    regret = np.maximum([max(gains.max(), (led - decision).max()), (replied - followed).max()], 0.0)
    first = world.first_node(decision)
    start = np.array([led[:, *first[1:]].max() - decision[first], replied[first] - followed[first]])
    return PlanGains(
        realised=np.stack([paid, followed]),
        decision=decision,
        regret=regret,
        bound=regret + np.array([off_led + off_led_best, off_followed + off_replied]),
        at_start=np.maximum(start, 0.0),
        temptation=max(float(free[:, *first[1:]].max() - paid[first]), 0.0),
        scale=max(abs(float(paid[first])), abs(float(followed[first])), float(close.max())),
    )


def ahead(duel: Duel, worth: np.ndarray, switch: np.ndarray, charge: float) -> np.ndarray:
    """What arriving is worth, disturbances and the choice of the plan to come."""
    from rivalry.tables.kernels import plans

    after = np.empty_like(worth)
    plans.arrive(duel, worth, switch, charge, np.zeros(worth.shape[1:]), after)
    return after


def _arriving(worth: np.ndarray, switch: np.ndarray, charge: float) -> np.ndarray:
    """What a node is worth before the leader has chosen the plan by ``switch``."""
    held = np.arange(len(worth))[:, None, None]
    chosen = np.take_along_axis(worth, switch, axis=0)
    return np.where(switch == held, chosen, chosen - charge)


def _valued(
    duel: Duel,
    firm: int,
    switch: np.ndarray,
    aim: np.ndarray,
    charge: float,
    begin: np.ndarray,
    close: float,
) -> tuple[np.ndarray, float]:
    """What policies are worth to a firm at every node, and by how much that can be off."""
    from rivalry.tables.kernels import plans

    value, gamma = begin.copy(), float(duel.gamma[firm])
    for _ in range(_enough(gamma)):
        moved = plans.back_up(duel, firm, ahead(duel, value, switch, charge), aim, value)
        if moved * gamma <= close * (1 - gamma):
            break
    return value, moved * gamma / (1 - gamma)


def _best_switching(
    duel: Duel, delta: float, switch: np.ndarray, aim: np.ndarray, begin: np.ndarray, close: float
) -> tuple[np.ndarray, float]:
    """The most that plans in force can be worth to the leader against the follower's policy; how far off."""
    from rivalry.tables.kernels import plans

    value, choice, gamma = begin.copy(), switch.copy(), float(duel.gamma[0])
    for _ in range(_enough(gamma)):
        plans.choose_plans(value, delta, choice)
        moved = plans.back_up(duel, 0, ahead(duel, value, choice, delta), aim, value)
        if moved * gamma <= close * (1 - gamma):
            break
    return value, moved * gamma / (1 - gamma)


def _best_following(
    duel: Duel, switch: np.ndarray, aim: np.ndarray, begin: np.ndarray, close: float
) -> tuple[np.ndarray, float]:
    """The most that nodes can be worth to the follower against the leader's rule; how far off."""
    from rivalry.tables.kernels import plans

    value, best, gamma = begin.copy(), aim.copy(), float(duel.gamma[1])
    for _ in range(_enough(gamma)):
        moved = plans.best_aims(duel, ahead(duel, value, switch, 0.0), best, value)
        if moved * gamma <= close * (1 - gamma):
            break
        for _ in range(MORE):
            plans.back_up(duel, 1, ahead(duel, value, switch, 0.0), best, value)
    return value, moved * gamma / (1 - gamma)


def _enough(gamma: float) -> int:
    """Sweeps after which what is left of the start is below `EXACT`, twice over."""
    return 2 + int(2 * np.log(EXACT) / np.log(gamma)) if gamma > 0 else 2

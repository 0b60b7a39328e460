"""Announced plans that the leader may change at a cost: between feedback play and full commitment.

Of two firms the leader is the first (`Duel`). A *node* is a plan in force and both levels of output, ``[plan
level_L level_F]``. An aim between two levels is a lottery over them with the aim as its mean, so that
continuation values are interpolated linearly.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from numpy import ndarray

from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import Need
from rivalry.core.results import Certificate, Coverage, Record, scalar
from rivalry.core.tolerances import TOLERANCE
from rivalry.families.market.model import Market
from rivalry.families.market.tables import AdjustmentTables, adjustment_tables
from rivalry.text.display import bound_in_words

FIRST, LATER = 64, 1.5  # sweeps before the first look at regrets, and how much later every further look is
SETTLED = 1e-10  # of the scale: negligible regrets; values change to first order with the other's play
APART = 1e3  # ratio of differences within a cycle to those between equal sweeps of two turns

EXACT = 1e-12  # of the largest sum of cash flows: accuracy of policy values
MORE = 20  # evaluation sweeps after each policy improvement

SAME_LEVEL = 1e-9  # of the range: outputs closer than this are one level
REACH = 4.0  # standard deviations at which a disturbance is truncated


class CommitmentWithSwitchingCost(BaseLearner):
    """A leader announces plans and may change them at a threshold ``delta``; the follower observes the plan.

    For two firms whose outputs stay constant until they are changed (`AdjustmentTables`). A plan
    ``o`` is a target and a ramp: the leader's output moves towards the target by at most the ramp per period.
    Every period the leader keeps the plan in force or changes it. The follower then observes both
    outputs ``s`` and that plan, hence the leader's move, and sets its own change of output, of any size. With
    ``Q(s, o) = r + gamma E U(s', o)`` the leader's rule is that of

        U(s, o) = max(Q(s, o), max_o' Q(s, o') - delta);

    a tie keeps the plan. The first plan is free. ``delta = 0`` is feedback play in which the leader chooses
    among the plans' moves every period; with ``delta = inf`` it chooses once. ``charge = True``: the leader
    pays for a change, and ``U`` is its value. ``charge = False``: ``delta`` enters the same recursion, now
    and for later changes, so that play is the same, but nobody pays it; the leader's value is then the
    discounted sum of its cash flows under that rule, ``value``, at least ``decision_value``.

    One step is a sweep of backward induction: after ``T`` sweeps the policies are those of the first of ``T``
    periods. It converges when neither firm can gain by any other policy at any node, to 1e-8 of the scale
    (the larger value at the start, in absolute terms); exact best responses test this from time to time, and
    at the end. In such games, with conflicting interests, backward induction need not converge: the status is
    then ``cycling`` or the iteration limit, and the record has the tested policies with the least regret.
    This is common on fine levels: one firm's policy is discontinuous in the other's output, and a firm near a
    discontinuity exploits it. ``noise`` disturbs outputs, which smooths continuation values.

    The record holds ``value`` (player), from the start with the best first plan; ``decision_value``, which
    counts ``delta`` in any case; ``in_force`` (plan, leader_level, follower_level), the plan that follows
    another, and ``aim`` (the same), the follower's target output; ``plan_target`` and ``plan_ramp`` (plan).
    The certificate is of the grid's game: the largest gain of either firm at any node, of the leader by other
    choices under the same ``delta``, of the follower against the leader's rule; ``start_regret`` (player) is
    that from the start.

    Raises
    ------
    ValueError
        For options out of range.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.market(
    ...     slope=2.0, unit_cost=0.0, gamma=0.9, adjustment="predetermined", adjustment_cost=12.0
    ... )
    >>> once = CommitmentWithSwitchingCost(delta=float("inf"), targets=[1.5, 2.0], ramps=[0.25], levels=11)
    >>> solution = rv.solve(game, once)
    >>> solution.status, solution.claim
    ('converged', 'equilibrium')

    References
    ----------
    The termination rule of Han, Boehmer, Wooldridge and Rogers, arXiv 1910.09508, restated; Simaan and Cruz
    (1973) for feedback and commitment of a leader.
    """

    delta: Annotated[float, Ge(0), "cost of changing the plan; inf: full commitment"] = 0.0
    charge: Annotated[bool, "whether the cost of a change of plan is paid"] = False
    targets: Annotated[
        Annotated[int, Ge(1), Le(10_000)] | list[float], "target outputs of plans, or their number"
    ] = 9
    ramps: Annotated[
        float | list[float] | None,
        Gt(0),
        Lt(inf),
        "largest changes per period (default: 1/40, 1/20, 1/10 of the range)",
    ] = None
    levels: Annotated[
        Annotated[int, Ge(2), Le(10_000)] | list[float],
        "outputs on the grid, or their number",
    ] = 41
    noise: Annotated[float, Ge(0), Lt(inf), "standard deviation of the disturbance of each output"] = 0.0
    rounds: Annotated[int, Ge(1), "maximum number of sweeps"] = 2000

    needs = (Need("a market of outputs", lambda game: isinstance(game, AdjustmentTables | Market)),)

    def world(self, game: Any) -> Announced:
        """Return the tables with the plans. Raise `ValueError` for targets outside the leader's levels."""
        has_tables = isinstance(game, AdjustmentTables)
        tables = game if has_tables else adjustment_tables(game, self.levels)
        leader_levels = tables.levels[0]
        low, high = float(leader_levels[0]), float(leader_levels[-1])
        if isinstance(self.targets, int):
            targets = np.linspace(low, high, self.targets)
        else:
            targets = np.asarray(self.targets, dtype=float)
        for k, target in enumerate(targets):
            if not low <= target <= high:
                raise ValueError(f"targets[{k}]: {target:g} must be in [{low:g}, {high:g}], the levels")
        usual = (high - low) / np.array([40.0, 20.0, 10.0])
        ramps = np.atleast_1d(usual if self.ramps is None else self.ramps)
        targets, ramps = np.repeat(targets, len(ramps)), np.tile(ramps, len(targets))
        duel = with_plans(tables, targets, ramps, float(self.noise))
        return Announced(tables, duel, targets, ramps)

    def length(self, world: Announced) -> int:
        """Return the number of sweeps."""
        return self.rounds

    def begin(self, world: Announced, stream: np.random.SeedSequence) -> Session:
        """Return a session with value 0 after the last period."""
        zero = np.zeros(world.shape)
        return {
            "worth": zero.copy(),  # to the leader, of a plan in force
            "follower": zero.copy(),
            "in_force": np.zeros(world.shape, dtype=int),
            "aim": zero.copy(),
            "kept_in_force": np.zeros(world.shape, dtype=int),
            "kept_aim": zero.copy(),
            "least": np.full(1, np.inf),  # the largest regret of the stored policies
            "marked": np.stack([zero, zero]),
            "clock": np.array([0, FIRST, 0, 1], dtype=int),  # sweeps, next look, sweep marked, till next
            "over": np.zeros(2, dtype=int),  # 1: converged, 2: cycling; the sweeps of a cycle
        }

    def advance(self, world: Announced, session: Session, steps: int) -> int:
        """Run up to ``steps`` sweeps."""
        sweeps = 0
        while sweeps < steps and not session["over"][0] and session["clock"][0] < self.rounds:
            change = self._sweep(world, session)
            sweeps += 1
            self._test_end(world, session, change)
        return sweeps

    def _sweep(self, world: Announced, session: Session) -> float:
        duel, before = world.duel, (session["worth"], session["follower"])
        switch = choose_plans(before[0], self.delta)
        aim, follower = best_aims(duel, continuation(duel, before[1], switch, 0.0))
        after = continuation(duel, before[0], switch, self.delta)
        leader_values = back_up(duel, 0, after, adjustment_of(duel, aim))
        session |= {"worth": leader_values, "follower": follower, "in_force": switch, "aim": aim}
        session["clock"][0] += 1
        return max(_largest_change(leader_values, before[0]), _largest_change(follower, before[1]))

    def _test_end(self, world: Announced, session: Session, change: float) -> None:
        """Test whether the run is over: no firm gains, or values recur."""
        sweep, due, marked, power = (int(k) for k in session["clock"])
        values = np.stack([session["worth"], session["follower"]])
        tolerance = EXACT * max(1e-300, float(np.abs(values).max()))
        if sweep >= due or change <= tolerance or sweep == self.rounds:
            session["clock"][1] = max(int(sweep * LATER), sweep + 1)
            gains = plan_gains(world, self.delta, self.charge, session["in_force"], session["aim"])
            if gains.bound.max() < session["least"][0]:
                session["least"][0] = gains.bound.max()
                session["kept_in_force"][:], session["kept_aim"][:] = session["in_force"], session["aim"]
            if gains.bound.max() <= SETTLED * gains.scale:
                session["over"][0] = 1
                return
        back = float(np.abs(values - session["marked"]).max())
        if sweep - marked > 1 and back <= tolerance and change > APART * tolerance:
            session["over"][:] = 2, sweep - marked
        if sweep - marked >= power:  # Brent's cycle detection: move the mark after twice as many sweeps
            session["marked"][:] = values
            session["clock"][2:] = sweep, 2 * power

    def read(self, world: Announced, session: Session) -> Record:
        """Return the stored policies, their values, and the path from the start."""
        has_stored = np.isfinite(session["least"][0])
        switch, aim = (session[("kept_" if has_stored else "") + name] for name in ("in_force", "aim"))
        gains = plan_gains(world, self.delta, self.charge, switch, aim)
        node = world.first_node(gains.decision)
        method = "exact best responses at every node of the grid"
        allowed = TOLERANCE * gains.scale
        coverage: Coverage = "tight" if np.all(gains.bound - gains.regret <= allowed) else "bounded"
        proof = Certificate(gains.regret, gains.bound, coverage, method, allowed, rounding="floating point")
        nodes = ("plan", "leader_level", "follower_level")
        record: Record = {
            "value": (("player",), gains.realised[(slice(None), *node)]),
            "decision_value": scalar(gains.decision[node]),
            "start_regret": (("player",), gains.at_start),
            "first_plan": scalar(node[0]),
            "in_force": (nodes, switch.copy()),
            "aim": (nodes, aim.copy()),
            "plan_target": (("plan",), world.targets),
            "plan_ramp": (("plan",), world.ramps),
            "leader_output": (("leader_level",), world.tables.levels[0]),
            "follower_output": (("follower_level",), world.tables.levels[1]),
            "cycle_rounds": ((), session["over"][1]),
            "status": scalar(("iteration limit", "converged", "cycling")[session["over"][0]]),
        }
        if session["over"][0] != 1:
            record["remedy"] = scalar(_remedy(session, proof, gains.at_start, self.noise))
        return record | proof.record()


def _remedy(session: Session, proof: Certificate, at_start: ndarray, noise: float) -> str:
    """Return a line on the attempts, the regret of the stored policies, and possible remedies."""
    over, length = (int(k) for k in session["over"])
    course = f"repeat every {length} sweeps" if over == 2 else "still change"
    advice = "a larger noise, more levels" if noise else "noise above 0 (it smooths what lies ahead)"
    gains = f"{bound_in_words(proof.bound.max())} at the worst node and {at_start.max():.3g} from the start"
    return (
        f"after {int(session['clock'][0])} sweeps the policies {course}; "
        f"the best of those examined leave a gain of {gains}; "
        f"try {advice}, more rounds or a larger delta"
    )


class Announced(NamedTuple):
    """The tables, and the plans, each a target and a ramp."""

    tables: AdjustmentTables
    duel: Duel
    targets: ndarray  # [plan]
    ramps: ndarray  # [plan]

    @property
    def begin(self) -> tuple[int, int]:
        """Return the levels at the start, the leader's first."""
        return int(self.tables.first[0]), int(self.tables.first[1])

    def first_node(self, values: ndarray) -> tuple[int, int, int]:
        """Return the node at the start with the most valuable plan, the lowest of the best."""
        return (int(np.argmax(values[:, *self.begin])), *self.begin)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return the shape of arrays over nodes: plan in force, the leader's level, the follower's."""
        return (len(self.targets), *self.duel.flow.shape[1:])


class PlanGains(NamedTuple):
    """Exact values of policies, and the gain of either firm's best response."""

    realised: ndarray  # [firm plan level_L level_F]: cash flows, less charges if they are paid
    decision: ndarray  # [plan level_L level_F]: the leader's decision value, every change counted as delta
    regret: ndarray  # [firm]: the largest over nodes
    bound: ndarray  # [firm]
    at_start: ndarray  # [firm]
    scale: float


def plan_gains(world: Announced, delta: float, charge: bool, switch: ndarray, aim: ndarray) -> PlanGains:
    """Evaluate the leader's rule ``switch`` and the follower's policy ``aim``, both ``[plan level_L
    level_F]``.
    """
    duel, zero = world.duel, np.zeros(world.shape)
    tolerance = EXACT * np.abs(duel.flow).max(axis=(1, 2)) / (1 - duel.gamma)

    follower = adjustment_of(duel, aim)

    def evaluating(firm: int, cost: float) -> Sweep:
        """Back up a firm's values under both policies; a change of plan costs ``cost``."""
        return lambda value: back_up(duel, firm, continuation(duel, value, switch, cost), follower)

    def best_switching(value: ndarray) -> ndarray:
        """Back up the leader's values under its best rule against the follower's policy."""
        return back_up(duel, 0, continuation(duel, value, choose_plans(value, delta), delta), follower)

    best_response = [follower]

    def best_following(value: ndarray) -> ndarray:
        """Back up the follower's values under its best policy against the leader's rule."""
        aims, value = best_aims(duel, continuation(duel, value, switch, 0.0))
        best_response[0] = adjustment_of(duel, aims)
        return value

    def evaluating_best(value: ndarray) -> ndarray:
        """Back up the follower's values under the policy of the last improvement."""
        return back_up(duel, 1, continuation(duel, value, switch, 0.0), best_response[0])

    decision, off_led = _iterate(duel, 0, evaluating(0, delta), zero, tolerance)
    # without a charge, delta decides on changes but is not paid
    paid = decision if charge else _iterate(duel, 0, evaluating(0, 0.0), decision, tolerance)[0]
    followed, off_followed = _iterate(duel, 1, evaluating(1, 0.0), zero, tolerance)
    led, off_led_best = _iterate(duel, 0, best_switching, decision, tolerance)
    replied, off_replied = _iterate(duel, 1, best_following, followed, tolerance, evaluating_best)
    # before the choice of plan: to keep the one in force, or to change to the best at its cost
    gains = np.maximum(led, led.max(axis=0) - delta) - before_choice(decision, switch, delta)
    regret = np.maximum([max(gains.max(), (led - decision).max()), (replied - followed).max()], 0.0)
    node = world.first_node(decision)
    start = np.array([led[:, *node[1:]].max() - decision[node], replied[node] - followed[node]])
    return PlanGains(
        realised=np.stack([paid, followed]),
        decision=decision,
        regret=regret,
        # the errors of both values that a regret compares add up
        bound=regret + np.array([off_led + off_led_best, off_followed + off_replied]),
        at_start=np.maximum(start, 0.0),
        scale=max(abs(float(paid[node])), abs(float(followed[node])), float(tolerance.max())),
    )


def continuation(duel: Duel, values: ndarray, switch: ndarray, charge: float) -> ndarray:
    """Return continuation values, including disturbances and the choice of the next plan."""
    after = before_choice(values, switch, charge)
    if duel.spread_leader.size:
        after = duel.spread_leader @ after @ duel.spread_follower.T
    return after


def before_choice(values: ndarray, switch: ndarray, charge: float) -> ndarray:
    """Return the value of a node before the leader has chosen the plan by ``switch``."""
    in_force = np.arange(len(values))[:, None, None]
    plan_values = np.take_along_axis(values, switch, axis=0)
    return np.where(switch == in_force, plan_values, plan_values - charge)


def _largest_change(value: ndarray, before: ndarray) -> float:
    return float(np.abs(value - before).max())


def _iterate(
    duel: Duel,
    firm: int,
    sweep: Sweep,
    begin: ndarray,
    tolerance: ndarray,
    between: Sweep | None = None,
) -> tuple[ndarray, float]:
    """Return a firm's values where sweeps no longer change them, and an error bound.

    Sweeps that improve a policy are followed by `MORE` sweeps ``between``, which only evaluate it.
    """
    value, gamma, change = begin, float(duel.gamma[firm]), np.inf
    # after so many sweeps the start contributes less than `EXACT`, twice over
    max_rounds = 2 + int(2 * np.log(EXACT) / np.log(gamma)) if gamma > 0 else 2
    for number in range(max_rounds + 1):
        before, value = value, sweep(value)
        change = _largest_change(value, before)
        # the bound is that of a sweep, so the last one has no evaluations after it
        if change * gamma <= tolerance[firm] * (1 - gamma) or number == max_rounds:
            break
        if between is not None:
            for _ in range(MORE):
                value = between(value)
    # the distance from the fixed point of a contraction by gamma
    return value, change * gamma / (1 - gamma)


class Duel(NamedTuple):
    """The duopoly with plans, the leader first."""

    flow: ndarray  # [firm level_L level_F]
    gamma: ndarray  # [firm]
    phi: ndarray  # [firm]
    levels: ndarray  # [level_F]: the follower's outputs
    low: ndarray  # [plan level_L]: the leader's level below the plan's aim
    part: ndarray  # [plan level_L]: the probability of the level above
    cost: ndarray  # [plan level_L]
    spread_leader: ndarray  # [level_L level_L]: transition probabilities of a disturbance; absent: none
    spread_follower: ndarray  # [level_F level_F]


class Adjustment(NamedTuple):
    """The follower's adjustment of its output, per node ``[plan level_L level_F]``."""

    low: ndarray  # the level below the aim
    part: ndarray  # the probability of the level above
    cost: ndarray


Sweep = Callable[[ndarray], ndarray]  # of the values of nodes


def with_plans(tables: AdjustmentTables, targets: ndarray, ramps: ndarray, noise: float = 0.0) -> Duel:
    """Return the tables with announced plans: adjustment to a target at a bounded rate per period.

    A plan aims at ``q + clip(target - q, -ramp, ramp)``. Where that lies between two levels, a lottery with
    that mean selects one of them.

    Parameters
    ----------
    tables : AdjustmentTables
        The duopoly.
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
    >>> import rivalry as rv
    >>> numbers = {"intercept": 10.0, "slope": 2.0, "adjustment_cost": 120.0, "initial": [1.0, 1.0]}
    >>> game = rv.games.market(unit_cost=0.0, gamma=0.96, adjustment="predetermined", **numbers)
    >>> made = adjustment_tables(game, [1.0, 1.5, 2.0])
    >>> duel = with_plans(made, np.array([2.0]), np.array([0.75]))
    >>> duel.low[0].tolist(), duel.part[0].tolist(), duel.cost[0].tolist()
    ([1, 2, 2], [0.5, 0.0, 0.0], [67.5, 30.0, 0.0])
    """
    leader_levels, follower_levels = tables.levels
    change = np.clip(targets[:, None] - leader_levels, -ramps[:, None], ramps[:, None])
    low, part = _lottery(leader_levels, leader_levels + change)
    return Duel(
        flow=np.array(tables.flow, order="C"),
        gamma=tables.gamma,
        phi=tables.phi,
        levels=np.array(follower_levels),
        low=low,
        part=part,
        cost=tables.phi[0] * change**2,
        spread_leader=_spread(leader_levels, noise),
        spread_follower=_spread(follower_levels, noise),
    )


def _lottery(levels: ndarray, aim: ndarray) -> tuple[ndarray, ndarray]:
    """Return the level at or below every aim, and the probability of the one above."""
    tolerance = SAME_LEVEL * (levels[-1] - levels[0])
    low = np.clip(np.searchsorted(levels, aim + tolerance, side="right") - 1, 0, len(levels) - 1)
    above = np.minimum(low + 1, len(levels) - 1)
    gaps = np.where(above > low, levels[above] - levels[low], 1.0)
    # an aim that is nearly a level counts as that level
    part = np.where(np.abs(aim - levels[low]) <= tolerance, 0.0, (aim - levels[low]) / gaps)
    return low, part


def _spread(levels: ndarray, noise: float) -> ndarray:
    if noise == 0:
        return np.zeros((0, 0))
    distances = (levels[None, :] - levels[:, None]) / noise
    half = np.diff(levels, append=levels[-1]) + np.diff(levels, prepend=levels[0])  # levels may be uneven
    weight = np.where(np.abs(distances) <= REACH + SAME_LEVEL, half * np.exp(-(distances**2) / 2), 0.0)
    return weight / weight.sum(axis=1, keepdims=True)


def choose_plans(values: ndarray, delta: float) -> ndarray:
    """Return the plan in force from now on, ``[plan level_L level_F]``.

    The plan in force changes only where the value of the best plan (the lowest of the best) exceeds its value
    by more than ``delta``.
    """
    leaves = values.max(axis=0) - delta > values
    return np.where(leaves, values.argmax(axis=0), np.arange(len(values))[:, None, None])


def _after_leader(duel: Duel, after: ndarray) -> ndarray:
    """Return the mean over the leader's lottery of values of arriving at a node."""
    low = duel.low[:, :, None]
    below = np.take_along_axis(after, low, axis=1)
    # without a share of the level above, the level may be the highest
    above = np.take_along_axis(after, np.minimum(low + 1, after.shape[1] - 1), axis=1)
    return below + duel.part[:, :, None] * (above - below)


def best_aims(duel: Duel, after: ndarray) -> tuple[ndarray, ndarray]:
    """Return the follower's optimal aims and its values, ``[plan level_L level_F]``.

    ``after`` is the follower's value of arriving at a node. The result is exact: between two levels it is
    linear and the objective a parabola, whose best point is compared with those of other intervals. Among
    equals the present level is the best.
    """
    rows, levels = _after_leader(duel, after), duel.levels
    gamma, phi = float(duel.gamma[1]), float(duel.phi[1])
    aim, best_values = np.broadcast_to(levels, rows.shape).copy(), gamma * rows
    slopes = gamma * np.diff(rows) / np.diff(levels)
    for k in range(len(levels) - 1):
        lower, right = levels[k] - levels, levels[k + 1] - levels
        slope = slopes[:, :, k, None]
        # the vertex of the parabola or, without a cost, the better end of the interval
        u = np.clip(slope / (2 * phi), lower, right) if phi > 0 else np.where(slope > 0, right, lower)
        pays = gamma * rows[:, :, k, None] + slope * (u - lower) - phi * u * u
        improves = pays > best_values
        np.copyto(aim, levels + u, where=improves)
        np.copyto(best_values, pays, where=improves)
    return aim, best_values + duel.flow[1]


def adjustment_of(duel: Duel, aim: ndarray) -> Adjustment:
    """Return the follower's adjustment to ``aim [plan level_L level_F]``."""
    levels = duel.levels
    low = np.clip(np.searchsorted(levels, aim, side="right") - 1, 0, len(levels) - 2)
    part = (aim - levels[low]) / (levels[low + 1] - levels[low])
    return Adjustment(low, part, duel.phi[1] * (aim - levels) ** 2)


def back_up(duel: Duel, firm: int, after: ndarray, follower: Adjustment) -> ndarray:
    """Return a firm's value of every node under an adjustment of the follower."""
    rows = _after_leader(duel, after)
    below = np.take_along_axis(rows, follower.low, axis=2)
    above = np.take_along_axis(rows, follower.low + 1, axis=2)
    cost = duel.cost[:, :, None] if firm == 0 else follower.cost
    return duel.gamma[firm] * (below + follower.part * (above - below)) + duel.flow[firm] - cost

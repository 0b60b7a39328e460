"""Commitment with switching cost, against dynamic programs and stage games in NumPy, and properties."""

from __future__ import annotations

import numpy as np
import pytest

import rivalry as rv
from rivalry.families.market.tables import AdjustmentTables
from rivalry.schema.registry import load
from rivalry.studies.commitment_dial import CommitmentWithSwitchingCost, plan_gains, with_plans
from rivalry.studies.learned_commitment import LearnedCommitment
from tests.adjustment import adjustment_tables
from tests.chunks import assert_same_in_chunks

pytestmark = pytest.mark.mostly_slow

INF = float("inf")
TARGETS, RAMPS = [0.5, 1.5, 2.0, 2.5], [0.25, 0.5]


def firms(gamma: object = 0.9, phi: object = 12.0, count: int = 9) -> AdjustmentTables:
    return adjustment_tables(10.0, 2.0, [0.5, 1.0], phi, gamma, np.linspace(0.5, 2.5, count))


def calm() -> AdjustmentTables:
    """Return a game of low discount factors and high adjustment costs: it converges for every delta."""
    return firms([0.4, 0.5], [40.0, 30.0])


def transition(levels: np.ndarray, aim: float) -> np.ndarray:
    """Return the lottery over adjacent levels with mean ``aim``."""
    return np.array([np.interp(aim, levels, row) for row in np.eye(len(levels))])


class Byhand:
    """The same game in NumPy: the leader's transitions by plan, the follower's aims on a fine grid."""

    def __init__(self, tables: AdjustmentTables, targets: list[float], ramps: list[float]) -> None:
        self.q = tables.levels
        self.tables = tables
        plans = [(target, ramp) for target in targets for ramp in ramps]
        own = self.q[0]
        aims = np.array([own + np.clip(target - own, -ramp, ramp) for target, ramp in plans])
        self.lead = np.array([[transition(own, x) for x in row] for row in aims])  # [plan i i']
        self.lead_cost = tables.phi[0] * (aims - own) ** 2
        self.aims = np.linspace(self.q[1][0], self.q[1][-1], 2001)
        self.follow = np.array([transition(self.q[1], x) for x in self.aims])  # [aim j']
        self.cost = tables.phi[1] * (self.aims - self.q[1][:, None]) ** 2  # [j aim]

    def follower(self, ahead: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return best values and aims ``[plan i j]`` for continuation values ``ahead [plan i j]``."""
        row = np.einsum("pik,pkj->pij", self.lead, ahead) @ self.follow.T  # [plan i aim]
        pays = self.tables.gamma[1] * row[:, :, None, :] - self.cost
        best = pays.argmax(axis=-1)
        return self.tables.flow[1] + pays.max(axis=-1), self.aims[best]

    def leader(self, ahead: np.ndarray, aim: np.ndarray) -> np.ndarray:
        """Return the leader's values of plans in force."""
        row = np.einsum("pik,pkj->pij", self.lead, ahead)
        chance = np.array([np.interp(aim, self.q[1], unit) for unit in np.eye(len(self.q[1]))])
        mean = np.einsum("pik,kpij->pij", row, chance)
        paid: np.ndarray = self.tables.flow[0] - self.lead_cost[:, :, None] + self.tables.gamma[0] * mean
        return paid


def test_a_permanent_plan_reduces_to_a_single_agent_problem() -> None:
    tables = firms()
    found = rv.solve(tables, CommitmentWithSwitchingCost(delta=INF, targets=TARGETS, ramps=RAMPS))
    hand = Byhand(tables, TARGETS, RAMPS)
    followed = np.zeros((8, 9, 9))
    for _ in range(200):
        followed, aim = hand.follower(followed)
    led = np.zeros_like(followed)
    for _ in range(200):
        led = hand.leader(led, aim)
    at = (slice(None), *tables.first)
    best = int(np.argmax(led[at]))
    assert (found.status, found.claim) == ("converged", "equilibrium")
    assert found.data.first_plan == best
    # the grid of aims has step 0.001: the error of a quadratic is at most phi 0.0005**2 per period
    assert abs(found.data.value.values[1] - followed[at][best]) <= 12 * 0.0005**2 / (1 - 0.9)
    assert abs(found.data.value.values[0] - led[at][best]) < 1e-2
    np.testing.assert_array_equal(found.data.in_force.values[:, 3, 4], np.arange(8))


def test_without_a_threshold_the_leader_chooses_anew_every_period() -> None:
    tables = calm()
    found = rv.solve(tables, CommitmentWithSwitchingCost(delta=0.0, targets=TARGETS, ramps=RAMPS))
    hand = Byhand(tables, TARGETS, RAMPS)
    states = np.zeros((2, 9, 9))  # values of states for both players, without plans
    for _ in range(80):
        followed, aim = hand.follower(np.broadcast_to(states[1], (8, 9, 9)))
        led = hand.leader(np.broadcast_to(states[0], (8, 9, 9)), aim)
        best = led.argmax(axis=0)
        states = np.stack([led.max(axis=0), np.take_along_axis(followed, best[None], axis=0)[0]])
    assert (found.status, found.claim) == ("converged", "equilibrium")
    np.testing.assert_allclose(found.data.value.values, states[(slice(None), *tables.first)], atol=1e-3)
    assert found.data.value.values[0] == pytest.approx(found.data.decision_value.item(), abs=1e-9)
    # the plan in force is irrelevant: every plan has the same continuation value
    world = CommitmentWithSwitchingCost(targets=TARGETS, ramps=RAMPS).world(tables)
    worth = plan_gains(world, 0.0, False, found.data.in_force.values, found.data.aim.values).decision
    arrived = np.take_along_axis(worth, found.data.in_force.values, axis=0)
    np.testing.assert_allclose(arrived, np.broadcast_to(arrived[:1], arrived.shape), rtol=1e-10)


@pytest.mark.parametrize("charge", [False, True], ids=["threshold", "charged"])
@pytest.mark.parametrize("delta", [0.05, 0.3, 1.0])
def test_policy_values_agree_with_a_linear_system(delta: float, charge: bool) -> None:
    tables = calm()
    found = rv.solve(
        tables, CommitmentWithSwitchingCost(delta=delta, charge=charge, targets=TARGETS, ramps=RAMPS)
    )
    hand = Byhand(tables, TARGETS, RAMPS)
    switch, aim = found.data.in_force.values, found.data.aim.values
    nodes = np.arange(switch.size).reshape(switch.shape)
    held = np.arange(8)[:, None, None]
    there = nodes[switch, np.arange(9)[:, None], np.arange(9)].ravel()
    chance = np.array([np.interp(aim, tables.levels[1], unit) for unit in np.eye(9)])  # [j' plan i j]
    leads = np.zeros((switch.size, switch.size))
    arrive = np.einsum("pik,lpij->pijkl", hand.lead, chance)
    for plan in range(8):
        leads[nodes[plan].ravel()[:, None], nodes[plan].ravel()] = arrive[plan].reshape(81, 81)
    onward = np.zeros_like(leads)
    np.add.at(onward.T, there, leads.T)
    changes = leads @ (switch != held).ravel()
    flow = np.broadcast_to(tables.flow[0], switch.shape) - hand.lead_cost[:, :, None]
    system = np.eye(len(onward)) - tables.gamma[0] * onward
    values = {
        paid: np.linalg.solve(system, flow.ravel() - tables.gamma[0] * paid * changes).reshape(switch.shape)
        for paid in (0.0, delta)
    }
    follows = np.broadcast_to(tables.flow[1], switch.shape) - tables.phi[1] * (aim - tables.levels[1]) ** 2
    system = np.eye(len(onward)) - tables.gamma[1] * onward
    followed = np.linalg.solve(system, follows.ravel()).reshape(switch.shape)
    at = (found.data.first_plan.item(), *tables.first)
    assert found.data.decision_value.item() == pytest.approx(values[delta][at], rel=1e-9)
    assert found.data.value.values[0] == pytest.approx(values[delta if charge else 0.0][at], rel=1e-9)
    assert found.data.value.values[1] == pytest.approx(followed[at], rel=1e-9)
    # the switching rule of the recursion: a plan is replaced if the best value exceeds its own by over delta
    worth = values[delta]
    gain = worth.max(axis=0) - delta - worth
    clear = np.abs(gain) > 1e-8
    np.testing.assert_array_equal((switch != held)[clear], (gain > 0)[clear])
    assert found.status == "converged"


def test_charging_the_threshold_lowers_the_value_but_not_the_policy() -> None:
    tables = firms([0.4, 0.5], [4.0, 30.0])  # every plan of the leader overshoots, so it switches for ever
    one, other = (
        rv.solve(
            tables, CommitmentWithSwitchingCost(delta=0.001, charge=charge, targets=[0.5, 2.5], ramps=[0.2])
        )
        for charge in (False, True)
    )
    assert one.status == other.status == "converged"
    one, other = one.data, other.data
    np.testing.assert_array_equal(one.in_force.values, other.in_force.values)
    np.testing.assert_array_equal(one.aim.values, other.aim.values)
    assert one.decision_value == other.decision_value == other.value[0]
    assert one.value[0] > one.decision_value


def test_regrets_agree_with_dynamic_programs_by_hand() -> None:
    """Random policies, which are not best responses, evaluated at all nodes."""
    tables, rng = calm(), np.random.default_rng(3)
    world = CommitmentWithSwitchingCost(targets=[0.5, 2.5], ramps=[0.4]).world(tables)
    switch = rng.integers(0, 2, world.shape)
    aim = rng.uniform(0.5, 2.5, world.shape)
    found = plan_gains(world, 0.2, True, switch, aim)
    hand, held = Byhand(tables, [0.5, 2.5], [0.4]), np.arange(2)[:, None, None]
    led, own = np.zeros(world.shape), np.zeros(world.shape)
    for _ in range(60):
        led = hand.leader(np.maximum(led, led.max(axis=0) - 0.2), aim)
        chosen = np.take_along_axis(own, switch, axis=0) - 0.2 * (switch != held)
        own = hand.leader(chosen, aim)
    chosen = np.take_along_axis(own, switch, axis=0) - 0.2 * (switch != held)
    np.testing.assert_allclose(found.decision, own, rtol=1e-9)
    gains = (np.maximum(led, led.max(axis=0) - 0.2) - chosen).max()
    assert found.regret[0] == pytest.approx(max(gains, (led - own).max()), rel=1e-8)
    best = np.zeros(world.shape)
    for _ in range(80):
        best, _ = hand.follower(np.take_along_axis(best, switch, axis=0))
    assert found.regret[1] == pytest.approx((best - found.realised[1]).max(), abs=1e-3)
    assert np.all(found.bound >= found.regret)


def test_runs_that_do_not_converge_are_not_reported_as_converged() -> None:
    tables = adjustment_tables(10.0, 2.0, 0.0, 120.0, 0.96, np.linspace(0.6, 3.0, 13))
    with pytest.warns(UserWarning, match="200 sweeps .* try noise above 0"):
        found = rv.solve(tables, CommitmentWithSwitchingCost(delta=1.0, targets=5, ramps=[0.1], rounds=200))
    assert found.status in ("iteration limit", "cycling")
    worst, from_start = found.data.bound.max(), found.data.start_regret.max()
    gains = f"{worst:.3g} at the worst node and {from_start:.3g} from the start"
    assert gains in found.data.remedy.item()
    assert found.claim == "not an equilibrium"
    assert found.data.regret.max() > found.data.tolerance


def test_results_do_not_depend_on_chunks_of_sweeps() -> None:
    tables = firms()
    learner = CommitmentWithSwitchingCost(delta=1.0, targets=TARGETS, ramps=RAMPS, rounds=120)
    for chunk in (1, 7):
        assert_same_in_chunks(learner, tables, chunk)


@pytest.mark.default
def test_disturbances_have_mean_zero_and_the_given_standard_deviation() -> None:
    levels = np.linspace(0.5, 10.5, 101)
    tables = adjustment_tables(50.0, 2.0, 0.0, 1.0, 0.5, levels)
    spread = with_plans(tables, np.array([5.5]), np.array([1.0]), 0.4).spread_leader
    middle = spread[45:56]
    np.testing.assert_allclose(middle @ levels, levels[45:56], rtol=1e-12)
    np.testing.assert_allclose(np.sqrt(middle @ levels**2 - (middle @ levels) ** 2), 0.4, rtol=2e-3)


@pytest.mark.default
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delta": -1.0}, "delta: -1 must be at least 0"),
        ({"delta": float("nan")}, "delta: nan must be a number"),
        ({"ramps": [0.1, 0.0]}, r"ramps\[1\]"),
        ({"targets": 0}, "targets: 0"),
        ({"targets": [1.0, 9.0]}, r"targets\[1\]: 9 must be in \[0.5, 2.5\]"),
    ],
    ids=["negative", "nan", "ramp", "none", "outside"],
)
def test_options_out_of_range_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rv.solve(firms(), load("rivalry.studies.commitment_dial:CommitmentWithSwitchingCost")(**options))


@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize("delta", [0.05, 1.0])
def test_the_learned_plan_is_the_exact_one(delta: float, noise: float) -> None:
    """Two plans that never move alike, so that no tie has two best plans."""
    tables, options = calm(), {"delta": delta, "noise": noise, "targets": [1.0, 2.0], "ramps": [0.25]}
    exact = rv.solve(tables, CommitmentWithSwitchingCost(**options))
    learned = rv.solve(tables, LearnedCommitment(**options, rounds=20_000), seed=3)
    assert (exact.status, learned.status, learned.claim) == ("converged", "converged", "equilibrium")
    np.testing.assert_array_equal(learned.data.in_force.values, exact.data.in_force.values)
    np.testing.assert_allclose(learned.data.aim.values, exact.data.aim.values, atol=1e-9)
    np.testing.assert_allclose(learned.data.value.values, exact.data.value.values, rtol=1e-9)

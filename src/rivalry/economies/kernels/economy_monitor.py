"""Sampled gains of agents in simulations of fixed policies.

During the simulation every agent learns the values of its own policy, of a best response, and of some
*target* policies (Algorithm 3); or a single agent does, with an exploratory policy until sampling starts
(Algorithm 4). Choices that are not executed are drawn by further words of the stream.

Source: Vaishampayan, "Learning in mean field games for resource allocation: karma economies" (ETH Zurich
2024), Algorithms 3 and 4, with the choice of a target at the state that follows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.economies.kernels import economy as kernel
from rivalry.economies.kernels.choices import choices, probabilities, sample, start_of
from rivalry.economies.kernels.currency import at, high
from rivalry.economies.kernels.economy import Agents
from rivalry.economies.kernels.economy_learning import (
    EXPECTED,
    GREEDY,
    SARSA,
    coin_of,
    next_value,
    visit_factor,
)
from rivalry.economies.kernels.shapes import Economy
from rivalry.tables.kernels import draws
from rivalry.tables.kernels.cache import inline, loop


class MonitorRule(NamedTuple):
    """Monitoring rule. The step size at an entry's n-th visit is ``alpha n^-power``."""

    alpha: float
    power: float  # 0: constant; 1: one over visits, with alpha 1
    expected: int  # 1: values of policies are updated by means over the next choice; 0: by one draw
    double: int  # 1: the best response is learned by two tables
    alone: int  # the single agent whose tables are updated; -1: all agents
    teach_until: int  # steps of monitoring with updates; Algorithm 4: with exploration by that agent
    sample_from: int  # steps of monitoring before the first sample
    sample_every: int
    weight: float = 0.0  # of the entropy bonus added to the reward: one over beta
    once: int = 0  # 1: the bonus counts only where values are sampled; 0: in updates as well


class Monitor(NamedTuple):
    """State that monitoring changes; created by `watch`."""

    own: ndarray  # [agent entry]: values of the own policy
    best: ndarray  # [table agent entry]: of the best response; two tables if ``double``
    target: ndarray  # [target agent entry]: of the targets
    visits: ndarray  # [agent entry]
    pending: ndarray  # [agent]: the decision not updated yet, as an index of a flat table; -1: none
    start_clock: ndarray  # [1]: the clock at the beginning
    greedy_sum: ndarray  # [agent]: of max_b Q*(x, b) - Q(x, b') - h(x), over samples
    target_sum: ndarray  # [target agent]: of Q(x, b') + h(x) - Q_j(x, b'_j) - h_j(x)
    samples: ndarray  # [1]


def watch(
    economy: Economy,
    agents: Agents,
    rule: MonitorRule,
    values: ndarray,  # [agent entry] or [entry]: of all tables, initially
    targets: int,
) -> Monitor:
    """Return a monitor at its beginning; ``agents`` should be a copy, since they will change."""
    count = len(economy.type_of)
    table = np.array(np.broadcast_to(values, (count, values.shape[-1])), dtype=np.float64, order="C")
    return Monitor(
        own=table,
        best=np.stack([table] * (2 if rule.double else 1)),
        target=np.repeat(table[None], targets, axis=0),
        visits=np.zeros(table.shape, dtype=np.int64),
        pending=np.full(count, -1),
        start_clock=agents.clock.copy(),
        greedy_sum=np.zeros(count),
        target_sum=np.zeros((targets, count)),
        samples=np.zeros(1, dtype=np.int64),
    )


def monitor(
    economy: Economy,
    rule: MonitorRule,
    agents: Agents,
    policy: ndarray,  # [owner entry]: cumulative rows, followed by all agents
    owner: ndarray,  # [agent]: whose rows it follows
    targets: ndarray,  # [target type entry]: cumulative rows
    explore: ndarray,  # [entry]: cumulative rows of the single agent during updates; else unused
    estimates: Monitor,
    steps: int,
) -> None:
    """Simulate and monitor ``steps`` further steps; ``agents`` and ``estimates`` change in place.

    Means are ``estimates.greedy_sum / estimates.samples``, positive where the agent's own policy is worse
    than the best response, and ``estimates.target_sum / estimates.samples``, positive where it is better than
    the target. Errors are reported in ``agents.status``.
    """
    aims = _rows(targets.reshape(-1, policy.shape[1]), economy.most, rule.weight)
    explore_rows = _rows(explore[None, :], economy.most)
    followed = MonitoredPolicies(
        _rows(policy, economy.most, rule.weight), owner, aims, economy.stakes.shape[0], explore_rows
    )
    with draws.quiet():
        buffers = kernel.buffers_of(economy, agents)
        _monitor_steps(economy, rule, agents, buffers, followed, estimates, kernel.no_tallies(), steps)


class Rows(NamedTuple):
    """Policies with their choices and entropy bonuses."""

    policy: ndarray  # [owner entry], cumulative
    choice: ndarray  # [owner row]
    bonus: ndarray  # [owner row]: entropy bonus


class MonitoredPolicies(NamedTuple):
    """All policies of a simulation."""

    own: Rows
    owner: ndarray  # [agent]: whose rows of ``own`` it follows
    targets: Rows  # of target j for type t in row ``j * kinds + t``
    kinds: int  # number of types
    explore: Rows  # of the single agent during updates


def _rows(policy: ndarray, max_karma: int, weight: float = 0.0) -> Rows:
    policy = np.array(policy, order="C")
    choice, bonus = (
        choices(policy, max_karma),
        np.zeros((len(policy), 2 * policy.shape[1] // (max_karma + 2))),
    )
    if weight > 0:
        shares = probabilities(policy, max_karma)
        logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
        bonus -= weight * (shares * logs).sum(axis=-1).reshape(bonus.shape)
    return Rows(policy, choice, bonus)


@loop
def _monitor_steps(economy, rule, agents, buffers, followed, estimates, tallied, steps):  # type: ignore[no-untyped-def]
    targets = estimates.target.shape[0]
    further = np.zeros((1 + targets) * followed.owner.shape[0], dtype=np.uint64)
    next_of = np.zeros(targets, dtype=np.int64)
    for _ in range(steps):
        if agents.status[0] != kernel.RUNNING:
            break
        draws.words(agents.stream, buffers.words)
        draws.words(agents.stream, further)
        kernel.match_agents(economy, agents, buffers)
        if _observe(economy, rule, agents, followed, estimates, buffers, further, next_of):
            agents.status[0], agents.status[1] = kernel.NOT_FINITE, agents.clock[0]
            break
        kernel.step(economy, agents, buffers, tallied)


@inline
def choose_from(rows, owner, z, k, max_karma, word):  # type: ignore[no-untyped-def]
    """Return the bid drawn by the upper half of a word."""
    row = z * (max_karma + 1) + k
    begin = owner * rows.policy.shape[1] + start_of(row, max_karma)
    return sample(rows.policy.reshape(-1), begin, k, rows.choice[owner, row], high(word))


@inline
def _observe(economy, rule, agents, followed, estimates, buffers, further, next_of):  # type: ignore[no-untyped-def]
    """Draw all bids, update and sample the monitored agents; return whether a value is not finite."""
    max_karma, owner, count = economy.most, followed.owner, followed.owner.shape[0]
    age = agents.clock[0] - estimates.start_clock[0]
    teaching = age < rule.teach_until
    sampling = age >= rule.sample_from and (age - rule.sample_from) % rule.sample_every == 0
    bad = False
    for i in range(count):
        z, k = buffers.seen[i], agents.karma[i]
        bid = choose_from(followed.own, owner[i], z, k, max_karma, buffers.words[i])
        buffers.bids[i] = bid
        if rule.alone >= 0 and i != rule.alone:
            continue
        after = bid  # next bid in updates of the own policy's values
        if rule.alone >= 0 and teaching:
            buffers.bids[i] = choose_from(followed.explore, 0, z, k, max_karma, buffers.words[i])
            after = choose_from(followed.own, owner[i], z, k, max_karma, further[i])
        for j in range(next_of.shape[0]):
            word, aim = further[(1 + j) * count + i], j * followed.kinds + economy.type_of[i]
            next_of[j] = choose_from(followed.targets, aim, z, k, max_karma, word)
        row = z * (max_karma + 1) + k
        if teaching and estimates.pending[i] >= 0:
            bad |= _teach(economy, rule, agents, followed, estimates, buffers, next_of, i, row, after)
        if sampling:
            _sample(economy, followed, estimates, i, row, k, after, next_of)
        estimates.pending[i] = start_of(row, max_karma) + buffers.bids[i]
    estimates.samples[0] += sampling
    return bad


@inline
def _teach(economy, rule, agents, followed, estimates, buffers, next_of, i, row, after):  # type: ignore[no-untyped-def]
    """Update one agent's pending decision in all its tables; return whether a value is not finite."""
    place, k, entries = estimates.pending[i], agents.karma[i], estimates.own.shape[1]
    begin, later_weight, size = start_of(row, economy.most), 1.0 - rule.once, estimates.own.size
    target_kind, start, owner = EXPECTED if rule.expected else SARSA, i * entries + begin, followed.owner[i]
    pace = rule.alpha * visit_factor(estimates.visits[i], place, rule.power)
    reward, gamma, place = agents.reward[i], economy.discount[economy.type_of[i]], i * entries + place
    values, policy = estimates.own.reshape(-1), followed.own.policy.reshape(-1)
    ahead = next_value(target_kind, values, start, start, policy, owner * entries + begin, k, after)
    bad = move_value(
        values, place, pace, reward + gamma * (ahead + later_weight * followed.own.bonus[owner, row])
    )
    # with two tables one is updated, and the other evaluates its best choice (van Hasselt 2010)
    two = estimates.best.shape[0] == 2
    values, table = estimates.best.reshape(-1), coin_of(buffers.words[i]) * size if two else 0
    value_offset = size - table if two else 0
    ahead = next_value(GREEDY, values, table + start, value_offset + start, policy, begin, k, after)
    bad |= move_value(values, table + place, pace, reward + gamma * ahead)
    values, policy = estimates.target.reshape(-1), followed.targets.policy.reshape(-1)
    for j in range(next_of.shape[0]):
        table, aim = j * size, j * followed.kinds + economy.type_of[i]
        entry = table + start
        ahead = next_value(target_kind, values, entry, entry, policy, aim * entries + begin, k, next_of[j])
        ahead += later_weight * followed.targets.bonus[aim, row]
        bad |= move_value(values, table + place, pace, reward + gamma * ahead)
    return bad


@inline
def move_value(values, place, pace, aim):  # type: ignore[no-untyped-def]
    """Move a value towards ``aim``; return whether it becomes not finite."""
    new = values[at(place)] - pace * (values[at(place)] - aim)
    values[at(place)] = new
    return new - new != 0.0


@inline
def _sample(economy, followed, estimates, i, row, k, after, next_of):  # type: ignore[no-untyped-def]
    """Add the values of best choice, own policy and targets in the current state to the sums."""
    begin, top, tables = start_of(row, economy.most), -np.inf, estimates.best.shape[0]
    for b in range(k + 1):
        value = 0.0
        for table in range(tables):
            value += estimates.best[table, i, begin + b]
        top = max(top, value / tables)
    policy_value = estimates.own[i, begin + after] + followed.own.bonus[followed.owner[i], row]
    estimates.greedy_sum[i] += top - policy_value
    for j in range(next_of.shape[0]):
        aim = j * followed.kinds + economy.type_of[i]
        target = estimates.target[j, i, begin + next_of[j]] + followed.targets.bonus[aim, row]
        estimates.target_sum[j, i] += policy_value - target

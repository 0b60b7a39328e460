"""Q-learning in an economy, with policies fixed for an epoch and tables updated at every step.

A decision is updated when its agent decides next: by then its reward, the next state and the choice there are
known. The choice that SARSA bootstraps on is therefore the executed one, also where an epoch ends in between
and the new policy makes it.

Sources: SARSA, Rummery and Niranjan 1994; Q-learning, Watkins and Dayan 1992; expected SARSA, van Seijen
et al. 2009; two tables, van Hasselt 2010.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.economies.kernels import economy as kernel
from rivalry.economies.kernels.choices import renew, sample, softmax_buffers
from rivalry.economies.kernels.currency import at, copy_into, high
from rivalry.economies.kernels.economy import Agents, EconomyTallies
from rivalry.economies.kernels.shapes import Economy, views_of
from rivalry.tables.kernels import draws
from rivalry.tables.kernels.cache import inline, loop

SARSA, GREEDY, EXPECTED, DOUBLE = 0, 1, 2, 3
"""Value of the next state: of the executed choice, the best, the mean, the best by two tables."""


class EpochRule(NamedTuple):
    """Learning rule.

    A schedule consists of stages: values with the step or epoch at which each ends; the last is permanent.
    The step size at the n-th visit of an entry is ``alpha n^-power``.
    """

    alpha: ndarray  # [stage]
    alpha_until: ndarray  # [stage]: steps
    power: float  # 0: visits have no effect and are not counted
    beta: ndarray  # [stage]
    beta_until: ndarray  # [stage]: epochs
    epsilon: float
    epoch: int  # steps
    target: int  # SARSA, GREEDY, EXPECTED or DOUBLE
    renewal: float  # probability that an owner adopts its new policy at the end of an epoch


class Learning(NamedTuple):
    """Learned tables per owner: the agents themselves, or their types. Created by `begin`."""

    owner: ndarray  # [agent]
    teacher: ndarray  # [owner]: the agent whose experience updates its table; the others only follow
    q: ndarray  # [table owner entry], float64; two tables for DOUBLE
    visits: ndarray  # [owner entry]; absent where the step size does not depend on them
    policy: ndarray  # [owner entry], float64, cumulative
    choice: ndarray  # [owner row]
    touched: ndarray  # [owner row], uint8: updated since the owner's policy was computed
    made: ndarray  # [owner 2], float64: beta and epsilon of its policy
    pending: ndarray  # [agent]: the decision not updated yet, as an index of a flat table; -1: none


def begin(economy: Economy, rule: EpochRule, q: ndarray, by_type: bool = False) -> Learning:
    """Return tables with initial values ``q [owner entry]``.

    With ``by_type`` the agent with the lowest number of each type trains its table.
    """
    agents = len(economy.type_of)
    representatives = np.unique(economy.type_of, return_index=True)[1]
    owner = economy.type_of if by_type else np.arange(agents)
    owners = len(economy.stakes) if by_type else agents
    entries, rows = q.shape[-1], views_of(economy) * (economy.most + 1)
    learning = Learning(
        owner=np.array(owner, dtype=np.int64),
        teacher=np.array(representatives if by_type else owner, dtype=np.int64),
        q=np.array(np.broadcast_to(q, (2 if rule.target == DOUBLE else 1, owners, entries)), order="C"),
        visits=np.zeros((owners, entries) if rule.power != 0 else (0, 0), dtype=np.int64),
        policy=np.zeros((owners, entries)),
        choice=np.zeros((owners, rows), dtype=np.int64),
        touched=np.ones((owners, rows), dtype=np.uint8),
        # unequal to any beta and epsilon: the first call computes every row
        made=np.full((owners, 2), np.nan),
        pending=np.full(agents, -1),
    )
    _renew_all(rule, learning, 0, softmax_buffers(rows, economy.most))
    return learning


def learn(
    economy: Economy, rule: EpochRule, agents: Agents, learning: Learning, tallied: EconomyTallies, steps: int
) -> None:
    """Learn for ``steps`` further steps; agents, learning and tallies change in place.

    After an error, reported in ``agents.status``, the run stops.
    """
    with draws.quiet():
        buffers = kernel.buffers_of(economy, agents)
        softmax = softmax_buffers(learning.choice.shape[1], economy.most)
        gamma = economy.discount[economy.type_of]
        _learn_steps(economy, rule, agents, learning, buffers, softmax, gamma, tallied, steps)


@loop
def _renew_all(rule, learning, epoch, softmax):  # type: ignore[no-untyped-def]
    """Recompute the policies of all owners, as at the start of an epoch."""
    for owner in range(learning.policy.shape[0]):
        _renew(rule, learning, owner, epoch, softmax)


@loop
def _learn_steps(economy, rule, agents, learning, buffers, softmax, gamma, tallied, steps):  # type: ignore[no-untyped-def]
    copy_into(buffers.started, agents.wins)
    for _ in range(steps):
        if agents.status[0] != kernel.RUNNING:
            break
        draws.words(agents.stream, buffers.words)
        kernel.match_agents(economy, agents, buffers)
        if _decide(economy, rule, agents, learning, buffers, gamma):
            agents.status[0], agents.status[1] = kernel.NOT_FINITE, agents.clock[0]
            break
        kernel.step(economy, agents, buffers, tallied)
        if agents.clock[0] % rule.epoch == 0:
            _end_epoch(rule, agents, learning, softmax)
    kernel.close(agents, buffers, tallied)


@inline
def stage_value(values, until, time):  # type: ignore[no-untyped-def]
    """Return the value of the stage at ``time``."""
    stage = 0
    while stage < values.shape[0] - 1 and time >= until[stage]:
        stage += 1
    return values[stage]


@inline
def _decide(economy, rule, agents, learning, buffers, gamma):  # type: ignore[no-untyped-def]
    """Draw all bids and update pending decisions; return whether a value is not finite."""
    # separate loops for choices and updates allow many memory reads at a time
    max_karma, entries, rows = economy.most, learning.policy.shape[1], learning.choice.shape[1]
    triangle = (max_karma + 1) * (max_karma + 2) // 2
    q, policy, choice = learning.q.reshape(-1), learning.policy.reshape(-1), learning.choice.reshape(-1)
    touched, pending, reward = learning.touched.reshape(-1), learning.pending, agents.reward
    alpha, bad, entry = stage_value(rule.alpha, rule.alpha_until, agents.clock[0]), False, buffers.entry
    for i in range(buffers.bids.shape[0]):
        owner, k, z = learning.owner[i], agents.karma[i], buffers.seen[i]
        row = owner * rows + z * (max_karma + 1) + k
        begin = owner * entries + z * triangle + k * (k + 1) // 2
        bid = sample(policy, begin, k, choice[at(row)], high(buffers.words[i]))
        buffers.bids[i] = bid
        entry[i] = begin + bid
        touched[at(row)] = 1
    visits, two, size = learning.visits.reshape(-1), rule.target == DOUBLE, policy.size
    for i in range(buffers.bids.shape[0]):
        if learning.teacher[at(learning.owner[i])] != i:
            continue
        place, bid, k = pending[i], buffers.bids[i], agents.karma[i]
        if place >= 0:
            # a coin selects the table that is updated and chooses; the other evaluates (van Hasselt 2010)
            table, begin = size * coin_of(buffers.words[i]) if two else 0, entry[i] - bid
            value_start = size - table + begin if two else begin
            ahead = next_value(rule.target, q, table + begin, value_start, policy, begin, k, bid)
            pace = alpha if rule.power == 0.0 else alpha * visit_factor(visits, place, rule.power)
            bad |= update(q, table + place, pace, reward[i], gamma[i], ahead)
        pending[i] = entry[i]
    return bad


@inline
def visit_factor(visits, place, power):  # type: ignore[no-untyped-def]
    """Count a visit of an entry; return the number of its visits to the power ``-power``."""
    visits[at(place)] += 1
    count = np.int64(visits[at(place)])
    return 1.0 / count if power == 1.0 else float(count) ** -power


@inline
def update(values, place, pace, reward, gamma, ahead):  # type: ignore[no-untyped-def]
    """Move a value towards ``reward + gamma ahead``; return whether it becomes not finite."""
    old = np.float64(values[at(place)])
    new = old - pace * (old - reward - gamma * ahead)
    values[at(place)] = new
    # true for infinities and for NaN
    return new - new != 0.0


@inline
def coin_of(word):  # type: ignore[no-untyped-def]
    """Return a word's second bit, which selects the table to update."""
    return np.int64(word >> np.uint64(1)) & 1


@inline
def next_value(target, values, start, value_start, policy, begin, k, bid):  # type: ignore[no-untyped-def]
    """Return the value of a state with next choice ``bid``, from flat tables.

    The state's row begins at ``start`` of the table to update, at ``value_start`` of the table that evaluates
    its best choice, and at ``begin`` of the policy.
    """
    if target == SARSA:
        return np.float64(values[at(start + bid)])
    if target == EXPECTED:
        mean, before = 0.0, 0.0
        for b in range(k + 1):
            # the last entry is 1, and cities do not store it
            upto = np.float64(policy[at(begin + b)]) if b < k else 1.0
            mean += (upto - before) * values[at(start + b)]
            before = upto
        return mean
    greedy, top = 0, np.float64(values[at(start)])
    for b in range(1, k + 1):
        value = np.float64(values[at(start + b)])
        greedy, top = (b, value) if value > top else (greedy, top)
    return np.float64(values[at(value_start + greedy)])


@inline
def _end_epoch(rule, agents, learning, softmax):  # type: ignore[no-untyped-def]
    """Recompute owners' policies, each with the given probability."""
    epoch = agents.clock[0] // rule.epoch
    for owner in range(learning.policy.shape[0]):
        if rule.renewal >= 1.0 or draws.uniform(agents.stream) < rule.renewal:
            _renew(rule, learning, owner, epoch, softmax)


@inline
def _renew(rule, learning, owner, epoch, softmax):  # type: ignore[no-untyped-def]
    """Recompute one owner's policy: only updated rows, unless beta or epsilon changed."""
    beta = stage_value(rule.beta, rule.beta_until, epoch)
    basis, values = learning.made[owner], learning.q[0, owner]
    stale = basis[0] != beta or basis[1] != rule.epsilon
    basis[0], basis[1] = beta, rule.epsilon
    if learning.q.shape[0] == 2:
        values = softmax.mean
        for entry in range(values.shape[0]):
            values[entry] = 0.5 * (learning.q[0, owner, entry] + learning.q[1, owner, entry])
    policy, choice, touched = learning.policy[owner], learning.choice[owner], learning.touched[owner]
    latest = learning.pending[learning.teacher[owner]] - owner * policy.shape[0]
    renew(values, policy, choice, touched, latest, beta, rule.epsilon, softmax, stale)

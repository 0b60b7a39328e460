"""Learning in an economy: policies frozen for an epoch, a table of values taught at every step of it.

A decision is settled when its agent decides next: by then its reward, the state it led to and the choice
there are known. So the choice that SARSA bootstraps on is the one that is executed, also where an epoch ends
in between and it is made by the new policy.

Sources: SARSA, Rummery and Niranjan 1994; Q-learning, Watkins and Dayan 1992; expected SARSA, van Seijen
et al. 2009; two tables, van Hasselt 2010.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from rivalry.kernels import draws
from rivalry.kernels.choices import drawn, renew, slate, start_of
from rivalry.kernels.currency import high
from rivalry.kernels.economy import NOT_FINITE, RUNNING, Agents, Tallies, close, desk_of, step
from rivalry.kernels.history import inner
from rivalry.kernels.shapes import Economy

SARSA, GREEDY, EXPECTED, DOUBLE = 0, 1, 2, 3
"""What a state is worth: the choice executed there, the best, the mean over choices, the best by two tables."""


class EpochRule(NamedTuple):
    """How to learn.

    A schedule is stages: values, and before which step, or epoch, each ends; the last goes on.
    The step size of the n-th visit of an entry is ``alpha n^-power``.
    """

    alpha: np.ndarray  # [stage]
    alpha_until: np.ndarray  # [stage]: steps
    power: float  # 0: visits do not matter and are not counted
    beta: np.ndarray  # [stage]
    beta_until: np.ndarray  # [stage]: epochs
    epsilon: np.ndarray  # [stage]
    epsilon_until: np.ndarray  # [stage]: epochs
    epoch: int  # steps
    target: int  # SARSA, GREEDY, EXPECTED or DOUBLE
    renewal: float  # chance that an owner takes its new policy at an epoch's end
    lazy: int  # 1: only rows that were taught are worked out again; 0: all of them, with the same result


class Learning(NamedTuple):
    """What is learned, by the owners of tables: the agents themselves, or their types. Made by `begin`."""

    owner: np.ndarray  # [agent]
    teaches: np.ndarray  # [agent]: 1, its experience goes into its owner's table; 0: it only follows
    q: np.ndarray  # [table owner entry], float64; two tables for DOUBLE
    visits: np.ndarray  # [owner entry]; absent where the step size does not depend on them
    policy: np.ndarray  # [owner entry], float64, cumulative
    choice: np.ndarray  # [owner row]
    touched: np.ndarray  # [owner row], uint8: taught since the owner's policy was made
    made: np.ndarray  # [owner 2], float64: the beta and epsilon it was made with
    pending: np.ndarray  # [agent]: the decision not settled yet, as a place in a flat table; -1: none


def begin(economy: Economy, rule: EpochRule, q: np.ndarray, by_type: bool = False) -> Learning:
    """Learning from the values ``q [owner entry]`` on; ``by_type``: the lowest agent of each type teaches."""
    agents, (_, privates) = len(economy.type_of), economy.stakes.shape
    first = np.unique(economy.type_of, return_index=True)[1]
    owner = economy.type_of if by_type else np.arange(agents)
    owners = len(economy.stakes) if by_type else agents
    entries, rows = q.shape[-1], privates * (economy.most + 1)
    learning = Learning(
        owner=np.array(owner, dtype=np.int64),
        teaches=np.isin(np.arange(agents), first if by_type else owner).astype(np.int64),
        q=np.array(np.broadcast_to(q, (2 if rule.target == DOUBLE else 1, owners, entries)), order="C"),
        visits=np.zeros((owners, entries) if rule.power != 0 else (0, 0), dtype=np.int64),
        policy=np.zeros((owners, entries)),
        choice=np.zeros((owners, rows), dtype=np.int64),
        touched=np.ones((owners, rows), dtype=np.uint8),
        made=np.full((owners, 2), np.nan),
        pending=np.full(agents, -1),
    )
    renew_policies(economy, rule, learning, 0)
    return learning


def learn(
    economy: Economy, rule: EpochRule, agents: Agents, learning: Learning, tallied: Tallies, steps: int
) -> None:
    """Learn for ``steps`` further steps; agents, learning and tallies change in place.

    Look at ``agents.status`` afterwards: a run that went wrong has stopped.
    """
    with draws.quiet():
        _learn(economy, rule, agents, learning, tallied, steps)


@njit(cache=True, nogil=True)
def renew_policies(economy, rule, learning, epoch):  # type: ignore[no-untyped-def]
    """All owners take the policies of their values, as at the beginning of an epoch."""
    board = slate(learning.policy.shape[1])
    for owner in range(learning.policy.shape[0]):
        _renew(economy, rule, learning, owner, epoch, board)


@njit(cache=True, nogil=True)
def _learn(economy, rule, agents, learning, tallied, steps):  # type: ignore[no-untyped-def]
    desk, board = desk_of(economy, agents), slate(learning.policy.shape[1])
    gamma = economy.discount[economy.type_of]
    for _ in range(steps):
        if agents.status[0] != RUNNING:
            break
        draws.words(agents.stream, desk.words)
        if _decide(economy, rule, agents, learning, desk, gamma):
            agents.status[0], agents.status[1] = NOT_FINITE, agents.clock[0]
            break
        step(economy, agents, desk, tallied)
        if agents.clock[0] % rule.epoch == 0:
            _end_epoch(economy, rule, agents, learning, board)
    close(agents, desk, tallied)


@inner
def staged(values, until, now):  # type: ignore[no-untyped-def]
    """The value of the stage that ``now`` is in."""
    stage = 0
    while stage < values.shape[0] - 1 and now >= until[stage]:
        stage += 1
    return values[stage]


@inner
def _decide(economy, rule, agents, learning, desk, gamma):  # type: ignore[no-untyped-def]
    """Everybody chooses, and what was pending is settled; whether a value is no finite number."""
    most, entries, rows = economy.most, learning.policy.shape[1], learning.choice.shape[1]
    policy, choice, touched = learning.policy.reshape(-1), learning.choice.reshape(-1), learning.touched
    alpha, bad = staged(rule.alpha, rule.alpha_until, agents.clock[0]), False
    for i in range(desk.bids.shape[0]):
        who, k = learning.owner[i], agents.karma[i]
        row = agents.private[i] * (most + 1) + k
        first = who * entries + start_of(row, most)
        bid = drawn(policy, first, k, choice[who * rows + row], high(desk.words[i]))
        desk.bids[i] = bid
        if not learning.teaches[i]:
            continue
        place = learning.pending[i]
        if place >= 0:
            table = np.int64(desk.words[i] >> np.uint64(1)) & 1 if rule.target == DOUBLE else 0
            values, other = learning.q[table].reshape(-1), learning.q[table].reshape(-1)
            if rule.target == DOUBLE:
                other = learning.q[1 - table].reshape(-1)
            worth = worth_of(rule.target, values, other, policy, first, k, bid)
            pace = alpha
            if rule.power != 0.0:
                visits = learning.visits.reshape(-1)
                visits[place] += 1
                pace = alpha * paced(visits[place], rule.power)
            new = values[place] - pace * (values[place] - agents.reward[i] - gamma[i] * worth)
            values[place] = new
            bad = bad or new - new != 0.0
        learning.pending[i] = first + bid
        touched[who, row] = 1
    return bad


@inner
def paced(visits, power):  # type: ignore[no-untyped-def]
    """``visits^-power``."""
    return 1.0 / visits if power == 1.0 else float(visits) ** -power


@inner
def worth_of(target, values, other, policy, first, k, bid):  # type: ignore[no-untyped-def]
    """What a state is worth, whose row begins at ``first``, where ``bid`` is chosen next."""
    if target == SARSA:
        return values[first + bid]
    if target == EXPECTED:
        mean, before = 0.0, 0.0
        for b in range(k + 1):
            mean += (policy[first + b] - before) * values[first + b]
            before = policy[first + b]
        return mean
    best = first
    for b in range(1, k + 1):
        best = first + b if values[first + b] > values[best] else best
    return other[best]


@inner
def _end_epoch(economy, rule, agents, learning, board):  # type: ignore[no-untyped-def]
    """Owners take their new policies, each with the chance given."""
    epoch = agents.clock[0] // rule.epoch
    for owner in range(learning.policy.shape[0]):
        if rule.renewal >= 1.0 or draws.uniform(agents.stream) < rule.renewal:
            _renew(economy, rule, learning, owner, epoch, board)
    # what is still to be taught there is not in the policy yet
    for i in range(agents.karma.shape[0]):
        place = learning.pending[i]
        if place >= 0:
            learning.touched[learning.owner[i], row_of(place % learning.policy.shape[1], economy.most)] = 1


@inner
def row_of(entry, most):  # type: ignore[no-untyped-def]
    """The row that an entry is in."""
    size, z, k = (most + 1) * (most + 2) // 2, 0, 0
    z = entry // size
    rest = entry % size
    while rest > k:
        rest -= k + 1
        k += 1
    return z * (most + 1) + k


@inner
def _renew(economy, rule, learning, owner, epoch, board):  # type: ignore[no-untyped-def]
    """One owner takes the policy of its values; rows neither taught nor of another beta stay as they are."""
    beta = staged(rule.beta, rule.beta_until, epoch)
    epsilon = staged(rule.epsilon, rule.epsilon_until, epoch)
    made = learning.made[owner]
    stale = rule.lazy == 0 or made[0] != beta or made[1] != epsilon
    made[0], made[1] = beta, epsilon
    values = learning.q[0, owner]
    if learning.q.shape[0] == 2:
        values = board.mean
        for entry in range(values.shape[0]):
            values[entry] = 0.5 * (learning.q[0, owner, entry] + learning.q[1, owner, entry])
    policy, choice, touched = learning.policy[owner], learning.choice[owner], learning.touched[owner]
    renew(values, policy, choice, touched, economy.most, beta, epsilon, board, stale)

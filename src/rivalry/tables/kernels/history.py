"""Kernels for fixed history-dependent policies: rounds on full states, limit cycles, values, best responses.

A *full state* is one number: all that future play depends on (`rivalry.tables.history.Whole`, which the
functions take as ``whole``). Where nature is deterministic one state follows from another, so a policy's
value is summed along the path to its cycle, in time linear in the number of states.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rivalry.core.tolerances import EPS
from rivalry.tables.kernels.cache import inline, kernel, merged

STILL = 4 * EPS  # of the largest value: a sweep that changes no more has converged


@inline
def play_round(tables, states, policy, state, forced, acts):  # type: ignore[no-untyped-def]
    """Return the joint action of a round, also written to ``acts [player]``.

    A mover takes its action in ``forced [player]`` or, where that is -1, follows ``policy [player state]``;
    later movers of the round respond to earlier actions in it.
    """
    round_ = state // (states.natures * states.histories)
    for player in range(acts.shape[0]):
        size = states.stands[player, 1]
        # a standing action that no state records (size 0) belongs to a mover and is overwritten below
        acts[player] = state // states.stands[player, 0] % size if size > 0 else 0
    for k in range(tables.order.shape[1]):
        mover = tables.order[round_, k]
        if mover < 0:
            break
        acts[mover] = forced[mover]
        if acts[mover] >= 0:
            continue
        number = states.seen[mover, state]
        for player in range(acts.shape[0]):
            number += states.now[round_, mover, player] * acts[player]
        acts[mover] = policy[mover, number]
    joint = 0
    for player in range(acts.shape[0]):
        joint += states.joints[player] * acts[player]
    return joint


def nobody(players: int) -> tuple[np.ndarray, np.ndarray]:
    """Return arrays for the actions of a round, and for forced actions: -1 for every player, none forced."""
    return np.zeros(players, dtype=np.int64), np.full(players, -1, dtype=np.int64)


@inline
def leads_to(tables, states, state, joint, acts):  # type: ignore[no-untyped-def]
    """Return the state after a round, without the contribution of nature's next state."""
    number = states.base[state]
    for player in range(acts.shape[0]):
        number += states.steps[player] * acts[player]
    if states.steps[acts.shape[0] + 1] > 0:
        number += states.steps[acts.shape[0] + 1] * tables.signal[nature_of(states, state), joint]
    return number


@inline
def nature_of(states, state):  # type: ignore[no-untyped-def]
    """Return nature's state in a full state."""
    return state // states.histories % states.natures if states.natures > 1 else 0


@inline
def moves_in(states, state, player):  # type: ignore[no-untyped-def]
    """True if a player moves in the round that a state begins."""
    return states.moves[state // (states.natures * states.histories), player]


@inline
def branch_of(tables, states, state, joint, branch):  # type: ignore[no-untyped-def]
    """Return the contribution of nature's next state on a branch to a state's number, and its probability."""
    nature, column = nature_of(states, state), joint if tables.next_nature.shape[1] > 1 else 0
    probability = tables.nature_cdf[nature, column, branch]
    if branch > 0:
        # the table is cumulative along branches
        probability -= tables.nature_cdf[nature, column, branch - 1]
    return states.histories * tables.next_nature[nature, column, branch], probability


@inline
def play_on(tables, states, policy, state, forced, acts):  # type: ignore[no-untyped-def]
    """Return the joint action in a state and the next state, where nature is deterministic."""
    joint = play_round(tables, states, policy, state, forced, acts)
    after = leads_to(tables, states, state, joint, acts)
    return joint, after + branch_of(tables, states, state, joint, 0)[0]


@kernel
def cycles(tables, states, policies, acts, free, start, visited_at, onset, length):  # type: ignore[no-untyped-def]
    """Write the onset and the length in rounds of the cycle from each of ``start [session]``.

    ``visited_at [state]`` is scratch space, -1 everywhere.
    """
    # rounds of earlier sessions: a state visited at this or later was visited in this session
    session_start = 0
    for session in range(start.shape[0]):
        state, clock = start[session], session_start
        while visited_at[state] < session_start:
            visited_at[state] = clock
            clock += 1
            state = play_on(tables, states, policies[session], state, free, acts)[1]
        onset[session] = visited_at[state] - session_start
        length[session] = clock - visited_at[state]
        session_start = clock


@kernel
def walk(tables, numbers, policies, acts, free, start, skip, length, states, joints):  # type: ignore[no-untyped-def]
    """Fill ``states`` and ``joints [session turn]`` with ``length`` rounds each, after the first ``skip``."""
    for session in range(start.shape[0]):
        state = start[session]
        for turn in range(skip[session] + length[session]):
            joint, after = play_on(tables, numbers, policies[session], state, free, acts)
            if turn >= skip[session]:
                states[session, turn - skip[session]] = state
                joints[session, turn - skip[session]] = joint
            state = after


class DecisionProblem(NamedTuple):
    """A player's decision problem, the others' policies fixed, and scratch arrays of its solution."""

    pays: np.ndarray  # [state action]: payoffs of the round
    leads: np.ndarray  # [state action branch]: next states
    probability: np.ndarray  # [state action branch]
    choices: np.ndarray  # [state]: number of actions; 1 where the player does not move
    trial: np.ndarray  # [state]: value of the policy in work
    marks: np.ndarray  # [state]
    stack: np.ndarray  # [state]


def decision_problem(states: int, actions: int, branches: int) -> DecisionProblem:
    """Return room for a decision problem with at most so many ``actions`` in a state."""
    shape, whole = (states, actions, branches), np.zeros((2, states), dtype=np.int64)
    leads, marks = np.zeros(shape, dtype=np.int64), np.zeros(states, dtype=np.int8)
    return DecisionProblem(
        np.zeros(shape[:2]), leads, np.zeros(shape), whole[0], np.zeros(states), marks, whole[1]
    )


@merged
def _pose(tables, states, policy, player, acts, forced, problem, actions):  # type: ignore[no-untyped-def]
    """Write the decision problem of ``player``, the others following ``policy [player state]``.

    ``actions [state]`` become the player's own actions. Where the player does not move, action 0 stands for
    the round's result and no other action is written.
    """
    for state in range(states.size):
        round_, nature = state // (states.natures * states.histories), nature_of(states, state)
        moves, answered = moves_in(states, state, player), False
        # whether a later mover of the round observes this action, and may respond to it
        for mover in range(acts.shape[0]):
            answered = answered or states.now[round_, mover, player] != 0
        joint = play_round(tables, states, policy, state, forced, acts)
        actions[state] = acts[player] if moves else 0
        problem.choices[state] = tables.sizes[player] if moves else 1
        for action in range(problem.choices[state]):
            if answered:
                forced[player] = action
                joint = play_round(tables, states, policy, state, forced, acts)
                forced[player] = -1
            # nobody responds in this round: only this player's part of the joint action changes
            elif moves:
                joint += (action - acts[player]) * states.joints[player]
                acts[player] = action
            problem.pays[state, action] = tables.payoff[nature, player, joint]
            after = leads_to(tables, states, state, joint, acts)
            for branch in range(problem.leads.shape[2]):
                step, odd = branch_of(tables, states, state, joint, branch)
                problem.leads[state, action, branch] = after + step
                problem.probability[state, action, branch] = odd


@inline
def _worth(problem, state, action, gamma, value):  # type: ignore[no-untyped-def]
    """Return the value of an action: its payoff and the discounted expected value of the next state."""
    if problem.leads.shape[2] == 1:
        return problem.pays[state, action] + gamma * value[problem.leads[state, action, 0]]
    total = 0.0
    for branch in range(problem.leads.shape[2]):
        total += problem.probability[state, action, branch] * value[problem.leads[state, action, branch]]
    return problem.pays[state, action] + gamma * total


@merged
def _evaluate(problem, policy, gamma, value):  # type: ignore[no-untyped-def]
    """Write the discounted value of following ``policy [state]`` forever to ``value [state]``."""
    if problem.leads.shape[2] == 1:
        _sum_along(problem, policy, gamma, value)
        return
    while True:
        change, largest = 0.0, 0.0
        for state in range(value.shape[0]):
            new = _worth(problem, state, policy[state], gamma, value)
            change, largest = max(change, abs(new - value[state])), max(largest, abs(new))
            # in place: later states of a sweep use the new values
            value[state] = new
        if change <= STILL * largest:
            return


@merged
def _sum_along(problem, policy, gamma, value):  # type: ignore[no-untyped-def]
    """Write the value where transitions are deterministic.

    Every path ends in a cycle, whose value is one round trip's sum over ``1 - gamma ** length``.
    """
    # 0: not visited, 1: on the current path, 2: its value is known
    pays, leads, marks, stack = problem.pays, problem.leads, problem.marks, problem.stack
    for begin in range(value.shape[0]):
        marks[begin] = 0
    for begin in range(value.shape[0]):
        state, top = begin, 0
        while marks[state] == 0:
            marks[state] = 1
            stack[top] = state
            top += 1
            state = leads[state, policy[state], 0]
        if marks[state] == 1:  # visited on this path: a cycle, from here to the top of the stack
            total, discount, k = 0.0, 1.0, top
            while k == top or stack[k] != state:
                k -= 1
                total = pays[stack[k], policy[stack[k]]] + gamma * total
                discount *= gamma
            value[state] = total / (1.0 - discount)
            marks[state] = 2
        # backwards along the path: the value of the next state is known, that of the cycle first
        for k in range(top - 1, -1, -1):
            at = stack[k]
            if marks[at] == 1:
                value[at] = pays[at, policy[at]] + gamma * value[leads[at, policy[at], 0]]
                marks[at] = 2


@merged
def _respond(problem, gamma, tie, policy, value, policy_value, one_step):  # type: ignore[no-untyped-def]
    """Improve ``policy [state]`` in place by policy iteration (Howard 1960).

    ``policy_value [state]`` is the value of the initial policy, ``one_step`` that of its best one-round
    deviation, ``value`` that of the best response. An action is chosen where it pays more than ``tie`` above
    the chosen one. Each improvement must raise the sum of values, so rounding cannot cause an infinite loop.
    """
    trial, states, first, better = problem.trial, value.shape[0], True, True
    for state in range(states):
        trial[state] = 0.0
    while better:
        _evaluate(problem, policy, gamma, trial)
        before, after, better = 0.0, 0.0, False
        for state in range(states):
            before += value[state]
            after += trial[state]
        if not first and not after > before:
            return
        for state in range(states):
            value[state] = trial[state]
        for state in range(states):
            current = _worth(problem, state, policy[state], gamma, value)
            top, action = current, policy[state]
            for candidate in range(problem.choices[state]):
                pays = _worth(problem, state, candidate, gamma, value)
                if pays > top:
                    top, action = pays, candidate
            if first:
                policy_value[state], one_step[state] = value[state], top
            if top > current + tie:
                policy[state] = action
                better = True
        first = False


@kernel
def best_responses(  # type: ignore[no-untyped-def]
    tables, states, policies, acts, free, player, gamma, tie, problem, policy_value, one_step, value, policy
):
    """Find one player's best response in every session by `_respond`; all results are ``[session state]``."""
    for k in range(policies.shape[0]):
        _pose(tables, states, policies[k], player, acts, free, problem, policy[k])
        _respond(problem, gamma, tie, policy[k], value[k], policy_value[k], one_step[k])


@kernel
def reach(tables, states, policy, acts, free, start, place, visited, joints, leads, probability):  # type: ignore[no-untyped-def]
    """Write the states reachable from ``start`` to ``visited``, in order of discovery; return their number.

    Also writes the joint actions there, and ``leads`` and ``probability [position branch]``: positions in
    ``visited``. ``place [state]`` is scratch space, -1 everywhere.
    """
    visited[0], place[start], count, at = start, 0, 1, 0
    while at < count:
        joint = play_round(tables, states, policy, visited[at], free, acts)
        joints[at] = joint
        after = leads_to(tables, states, visited[at], joint, acts)
        for branch in range(leads.shape[1]):
            step, odd = branch_of(tables, states, visited[at], joint, branch)
            probability[at, branch] = odd
            if odd > 0 and place[after + step] < 0:
                visited[count], place[after + step] = after + step, count
                count += 1
            # a branch of probability 0 may lead to a state without a position: any valid index serves
            leads[at, branch] = max(place[after + step], 0)
        at += 1
    return count

"""Kernels for fixed history-dependent policies: rounds on full states, limit cycles, values, best responses.

A *full state* is one number: all that future play depends on (`rivalry.tables.history.Whole`, which the
functions take as ``whole``). Where nature is deterministic one state follows from another, so a policy's
value is summed along the path to its cycle, in time linear in the number of states.
"""

from __future__ import annotations

import numpy as np

from rivalry.core.tolerances import EPS
from rivalry.tables.kernels.cache import inline, njit

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


@njit(cache=True, nogil=True)
def nobody(players):  # type: ignore[no-untyped-def]
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


@njit(cache=True, nogil=True)
def cycles(tables, states, policies, start, onset, length):  # type: ignore[no-untyped-def]
    """Write the onset and the length in rounds of the cycle from each of ``start [session]``."""
    acts, free = nobody(tables.sizes.shape[0])
    visited_at = np.full(states.size, -1, dtype=np.int64)
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


@njit(cache=True, nogil=True)
def walk(tables, numbers, policies, start, skip, length, states, joints):  # type: ignore[no-untyped-def]
    """Fill ``states`` and ``joints [session turn]`` with ``length`` rounds each, after the first ``skip``."""
    acts, free = nobody(tables.sizes.shape[0])
    for session in range(start.shape[0]):
        state = start[session]
        for turn in range(skip[session] + length[session]):
            joint, after = play_on(tables, numbers, policies[session], state, free, acts)
            if turn >= skip[session]:
                states[session, turn - skip[session]] = state
                joints[session, turn - skip[session]] = joint
            state = after


@njit(cache=True, nogil=True)
def decisions(tables, states, policy, player, pays, leads, probability, actions):  # type: ignore[no-untyped-def]
    """Write the decision problem of ``player``, the others following ``policy [player state]``.

    ``pays [state action]`` are payoffs of this round, ``leads`` and ``probability [state action branch]`` the
    transitions, ``actions [state]`` the player's own actions. Where the player does not move, action 0 stands
    for the round's result and no other action is written.
    """
    acts, forced = nobody(tables.sizes.shape[0])
    for state in range(states.size):
        round_, nature = state // (states.natures * states.histories), nature_of(states, state)
        moves = moves_in(states, state, player)
        # whether a later mover of the round observes this action, and may respond to it
        answered = states.now[round_, :, player].any()
        joint = play_round(tables, states, policy, state, forced, acts)
        actions[state] = acts[player] if moves else 0
        for action in range(tables.sizes[player] if moves else 1):
            if answered:
                forced[player] = action
                joint = play_round(tables, states, policy, state, forced, acts)
                forced[player] = -1
            # nobody responds in this round: only this player's part of the joint action changes
            elif moves:
                joint += (action - acts[player]) * states.joints[player]
                acts[player] = action
            pays[state, action] = tables.payoff[nature, player, joint]
            after = leads_to(tables, states, state, joint, acts)
            for branch in range(leads.shape[2]):
                step, odd = branch_of(tables, states, state, joint, branch)
                leads[state, action, branch] = after + step
                probability[state, action, branch] = odd


@inline
def _ahead(leads, probability, state, action, value):  # type: ignore[no-untyped-def]
    """Return the expected value of the next state."""
    if leads.shape[2] == 1:
        return value[leads[state, action, 0]]
    total = 0.0
    for branch in range(leads.shape[2]):
        total += probability[state, action, branch] * value[leads[state, action, branch]]
    return total


@njit(cache=True, nogil=True)
def evaluate(pays, leads, probability, policy, gamma, value):  # type: ignore[no-untyped-def]
    """Write the discounted value of following ``policy [state]`` forever to ``value [state]``."""
    if leads.shape[2] == 1:
        _sum_along(pays, leads, policy, gamma, value)
        return
    while True:
        change, largest = 0.0, 0.0
        for state in range(value.shape[0]):
            action = policy[state]
            new = pays[state, action] + gamma * _ahead(leads, probability, state, action, value)
            change, largest = max(change, abs(new - value[state])), max(largest, abs(new))
            # in place: later states of a sweep use the new values
            value[state] = new
        if change <= STILL * largest:
            return


@njit(cache=True, nogil=True)
def _sum_along(pays, leads, policy, gamma, value):  # type: ignore[no-untyped-def]
    """Write the value where transitions are deterministic.

    Every path ends in a cycle, whose value is one round trip's sum over ``1 - gamma ** length``.
    """
    count = value.shape[0]
    # 0: not visited, 1: on the current path, 2: its value is known
    marks, stack = np.zeros(count, dtype=np.int8), np.zeros(count, dtype=np.int64)
    for begin in range(count):
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


@njit(cache=True, nogil=True)
def improve(pays, leads, probability, choices, gamma, value, tie, policy, values):  # type: ignore[no-untyped-def]
    """Choose an action where it pays more than ``tie`` above the chosen one; return whether any changed.

    ``best [state]`` is the value of the best action now, with ``value`` afterwards.
    """
    better = False
    for state in range(value.shape[0]):
        current = policy[state]
        payoff = pays[state, current] + gamma * _ahead(leads, probability, state, current, value)
        top, action = payoff, current
        for candidate_action in range(choices[state]):
            candidate = pays[state, candidate_action] + gamma * _ahead(
                leads, probability, state, candidate_action, value
            )
            if candidate > top:
                top, action = candidate, candidate_action
        values[state] = top
        if top > payoff + tie:
            policy[state] = action
            better = True
    return better


@njit(cache=True, nogil=True)
def best_response(pays, leads, probability, choices, gamma, tie, policy, value, policy_value, one_step):  # type: ignore[no-untyped-def]
    """Improve ``policy [state]`` in place by policy iteration (Howard 1960).

    ``policy_value [state]`` is the value of the initial policy, ``one_step`` that of its best one-round
    deviation, ``value`` that of the best response. Each improvement must raise the sum of values, so rounding
    cannot cause an infinite loop.
    """
    value[:] = 0.0
    evaluate(pays, leads, probability, policy, gamma, value)
    policy_value[:] = value
    better = improve(pays, leads, probability, choices, gamma, value, tie, policy, one_step)
    trial, spare = value.copy(), np.zeros(value.shape[0])
    while better:
        evaluate(pays, leads, probability, policy, gamma, trial)
        if not trial.sum() > value.sum():
            return
        value[:] = trial
        better = improve(pays, leads, probability, choices, gamma, value, tie, policy, spare)


@njit(cache=True, nogil=True)
def best_responses(tables, states, policies, player, gamma, tie, policy_value, one_step, value, policy):  # type: ignore[no-untyped-def]
    """Run `best_response` for one player in every session; all results are ``[session state]``."""
    count, moves, branches = states.size, tables.sizes[player], tables.next_nature.shape[2]
    pays = np.zeros((count, moves))
    leads, probability = (
        np.zeros((count, moves, branches), dtype=np.int64),
        np.zeros((count, moves, branches)),
    )
    choices = np.ones(count, dtype=np.int64)
    for state in range(count):
        if moves_in(states, state, player):
            choices[state] = moves
    for k in range(policies.shape[0]):
        decisions(tables, states, policies[k], player, pays, leads, probability, policy[k])
        best_response(
            pays, leads, probability, choices, gamma, tie, policy[k], value[k], policy_value[k], one_step[k]
        )


@njit(cache=True, nogil=True)
def reach(tables, states, policy, start, visited, joints, leads, probability):  # type: ignore[no-untyped-def]
    """Write the states reachable from ``start`` to ``visited``, in order of discovery; return their number.

    Also writes the joint actions there, and ``leads`` and ``probability [position branch]``: positions in
    ``visited``.
    """
    acts, free = nobody(tables.sizes.shape[0])
    place = np.full(states.size, -1, dtype=np.int64)
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

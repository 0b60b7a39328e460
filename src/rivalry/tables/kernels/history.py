"""Play of fixed policies that remember: rounds on whole states, limit cycles, exact values and best replies.

A *whole state* is one number: all that play from here on depends on (`rivalry.tables.history.Whole`, which
the functions take as ``whole``). Where nature does not choose by chance one state follows from another, so a
policy's value is summed along the way to its cycle, in time linear in the number of states.
"""

from __future__ import annotations

import numpy as np

from rivalry.tables.kernels.cache import inner, njit

EPS = 2.220446049250313e-16
STILL = 4 * EPS  # of the largest value: a sweep that changes no more has settled


@inner
def play_round(tables, whole, policy, state, forced, acts):  # type: ignore[no-untyped-def]
    """The joint action of a round, also written to ``acts [player]``.

    Who moves does as in ``forced [player]`` and, where that is -1, follows ``policy [player state]``; who
    moves later in the round answers to what was chosen in it.
    """
    round_ = state // (whole.natures * whole.inner)
    for who in range(acts.shape[0]):
        size = whole.stands[who, 1]
        acts[who] = state // whole.stands[who, 0] % size if size > 0 else 0
    for k in range(tables.order.shape[1]):
        mover = tables.order[round_, k]
        if mover < 0:
            break
        acts[mover] = forced[mover]
        if acts[mover] >= 0:
            continue
        number = whole.seen[mover, state]
        for who in range(acts.shape[0]):
            number += whole.now[round_, mover, who] * acts[who]
        acts[mover] = policy[mover, number]
    joint = 0
    for who in range(acts.shape[0]):
        joint += whole.joints[who] * acts[who]
    return joint


@njit(cache=True, nogil=True)
def nobody(players):  # type: ignore[no-untyped-def]
    """Room for the actions of a round, and -1 for every player: nobody is forced."""
    return np.zeros(players, dtype=np.int64), np.full(players, -1, dtype=np.int64)


@inner
def leads_to(tables, whole, state, joint, acts):  # type: ignore[no-untyped-def]
    """The state after a round, nature's next state not yet counted in."""
    number = whole.base[state]
    for who in range(acts.shape[0]):
        number += whole.steps[who] * acts[who]
    if whole.steps[acts.shape[0] + 1] > 0:
        number += whole.steps[acts.shape[0] + 1] * tables.signal[nature_of(whole, state), joint]
    return number


@inner
def nature_of(whole, state):  # type: ignore[no-untyped-def]
    """Nature's state in a whole state."""
    return state // whole.inner % whole.natures if whole.natures > 1 else 0


@inner
def moves_in(whole, state, player):  # type: ignore[no-untyped-def]
    """Whether a player moves in the round that a state begins."""
    return whole.moves[state // (whole.natures * whole.inner), player]


@inner
def branch_of(tables, whole, state, joint, branch):  # type: ignore[no-untyped-def]
    """Where nature goes by a branch, as it counts in the number of a state, and the branch's probability."""
    nature, column = nature_of(whole, state), joint if tables.next_nature.shape[1] > 1 else 0
    probability = tables.nature_cdf[nature, column, branch]
    if branch > 0:
        probability -= tables.nature_cdf[nature, column, branch - 1]
    return whole.inner * tables.next_nature[nature, column, branch], probability


@inner
def _follow(tables, whole, policy, state, free, acts):  # type: ignore[no-untyped-def]
    """The joint action in a state and the state after it, where nature does not choose by chance."""
    joint = play_round(tables, whole, policy, state, free, acts)
    after = leads_to(tables, whole, state, joint, acts)
    return joint, after + branch_of(tables, whole, state, joint, 0)[0]


@njit(cache=True, nogil=True)
def cycles(tables, whole, policies, start, onset, length):  # type: ignore[no-untyped-def]
    """After how many rounds from ``start [session]`` a cycle begins, and how many rounds it takes."""
    acts, free = nobody(tables.sizes.shape[0])
    met = np.full(whole.size, -1, dtype=np.int64)
    first = 0  # rounds of the sessions before: what is met at or after it was met in this session
    for session in range(start.shape[0]):
        state, now = start[session], first
        while met[state] < first:
            met[state] = now
            now += 1
            state = _follow(tables, whole, policies[session], state, free, acts)[1]
        onset[session] = met[state] - first
        length[session] = now - met[state]
        first = now


@njit(cache=True, nogil=True)
def walk(tables, whole, policies, start, skip, length, states, joints):  # type: ignore[no-untyped-def]
    """Fill ``states`` and ``joints [session turn]`` with ``length`` rounds each, after the first ``skip``."""
    acts, free = nobody(tables.sizes.shape[0])
    for session in range(start.shape[0]):
        state = start[session]
        for turn in range(skip[session] + length[session]):
            joint, after = _follow(tables, whole, policies[session], state, free, acts)
            if turn >= skip[session]:
                states[session, turn - skip[session]] = state
                joints[session, turn - skip[session]] = joint
            state = after


@njit(cache=True, nogil=True)
def decisions(tables, whole, policy, player, pays, leads, probability, own):  # type: ignore[no-untyped-def]
    """What ``player`` decides about, the others following ``policy [player state]``; in place.

    ``pays [state action]`` of this round, ``leads`` and ``probability [state action branch]``, and what it
    would do itself, ``own [state]``. Where it does not move, action 0 stands for what happens, and no other
    is written.
    """
    acts, forced = nobody(tables.sizes.shape[0])
    for state in range(whole.size):
        round_, nature = state // (whole.natures * whole.inner), nature_of(whole, state)
        moves = moves_in(whole, state, player)
        answered = whole.now[round_, :, player].any()
        joint = play_round(tables, whole, policy, state, forced, acts)
        own[state] = acts[player] if moves else 0
        for action in range(tables.sizes[player] if moves else 1):
            if answered:
                forced[player] = action
                joint = play_round(tables, whole, policy, state, forced, acts)
                forced[player] = -1
            elif moves:
                joint += (action - acts[player]) * whole.joints[player]
                acts[player] = action
            pays[state, action] = tables.payoff[nature, player, joint]
            after = leads_to(tables, whole, state, joint, acts)
            for branch in range(leads.shape[2]):
                step, odd = branch_of(tables, whole, state, joint, branch)
                leads[state, action, branch] = after + step
                probability[state, action, branch] = odd


@inner
def _ahead(leads, probability, state, action, value):  # type: ignore[no-untyped-def]
    """What is expected of the states that follow."""
    if leads.shape[2] == 1:
        return value[leads[state, action, 0]]
    total = 0.0
    for branch in range(leads.shape[2]):
        total += probability[state, action, branch] * value[leads[state, action, branch]]
    return total


@njit(cache=True, nogil=True)
def evaluate(pays, leads, probability, chosen, gamma, value):  # type: ignore[no-untyped-def]
    """The discounted value of doing ``chosen [state]`` for ever, written to ``value [state]``."""
    if leads.shape[2] == 1:
        _sum_along(pays, leads, chosen, gamma, value)
        return
    while True:
        change, most = 0.0, 0.0
        for state in range(value.shape[0]):
            action = chosen[state]
            new = pays[state, action] + gamma * _ahead(leads, probability, state, action, value)
            change, most = max(change, abs(new - value[state])), max(most, abs(new))
            value[state] = new
        if change <= STILL * most:
            return


@njit(cache=True, nogil=True)
def _sum_along(pays, leads, chosen, gamma, value):  # type: ignore[no-untyped-def]
    """The same where one state follows from another: every way ends in a cycle, whose value is a fraction."""
    count = value.shape[0]
    known, stack = np.zeros(count, dtype=np.int8), np.zeros(count, dtype=np.int64)
    for begin in range(count):
        state, top = begin, 0
        while known[state] == 0:
            known[state] = 1
            stack[top] = state
            top += 1
            state = leads[state, chosen[state], 0]
        if known[state] == 1:  # met on this very way: a cycle, from here to the top of the stack
            total, rest, k = 0.0, 1.0, top
            while k == top or stack[k] != state:
                k -= 1
                total = pays[stack[k], chosen[stack[k]]] + gamma * total
                rest *= gamma
            value[state] = total / (1.0 - rest)
            known[state] = 2
        for k in range(top - 1, -1, -1):
            at = stack[k]
            if known[at] == 1:
                value[at] = pays[at, chosen[at]] + gamma * value[leads[at, chosen[at], 0]]
                known[at] = 2


@njit(cache=True, nogil=True)
def improve(pays, leads, probability, choices, gamma, value, tie, chosen, best):  # type: ignore[no-untyped-def]
    """Where an action pays more than ``tie`` above the chosen one, choose it; whether there is any.

    ``best [state]`` is what the best action of now is worth if ``value`` follows.
    """
    better = False
    for state in range(value.shape[0]):
        own = chosen[state]
        here = pays[state, own] + gamma * _ahead(leads, probability, state, own, value)
        most, action = here, own
        for other in range(choices[state]):
            there = pays[state, other] + gamma * _ahead(leads, probability, state, other, value)
            if there > most:
                most, action = there, other
        best[state] = most
        if most > here + tie:
            chosen[state] = action
            better = True
    return better


@njit(cache=True, nogil=True)
def best_response(pays, leads, probability, choices, gamma, tie, chosen, value, own, once):  # type: ignore[no-untyped-def]
    """Policy iteration (Howard 1960) from ``chosen [state]``, improved in place.

    ``own [state]``: the value of the policy begun with; ``once``: of its best departure in one round, the
    old policy afterwards; ``value``: of the best response. Every round of improvement must raise the sum of
    values, so rounding cannot make it go on for ever.
    """
    value[:] = 0.0
    evaluate(pays, leads, probability, chosen, gamma, value)
    own[:] = value
    better = improve(pays, leads, probability, choices, gamma, value, tie, chosen, once)
    trial, spare = value.copy(), np.zeros(value.shape[0])
    while better:
        evaluate(pays, leads, probability, chosen, gamma, trial)
        if not trial.sum() > value.sum():
            return
        value[:] = trial
        better = improve(pays, leads, probability, choices, gamma, value, tie, chosen, spare)


@njit(cache=True, nogil=True)
def best_replies(tables, whole, policies, player, gamma, tie, own, once, value, chosen):  # type: ignore[no-untyped-def]
    """`best_reply` of one player in every session; all but ``policies`` are written, ``[session state]``."""
    count, most, branches = whole.size, tables.sizes[player], tables.next_nature.shape[2]
    pays = np.zeros((count, most))
    leads, probability = np.zeros((count, most, branches), dtype=np.int64), np.zeros((count, most, branches))
    choices = np.ones(count, dtype=np.int64)
    for state in range(count):
        if moves_in(whole, state, player):
            choices[state] = most
    for k in range(policies.shape[0]):
        decisions(tables, whole, policies[k], player, pays, leads, probability, chosen[k])
        best_response(pays, leads, probability, choices, gamma, tie, chosen[k], value[k], own[k], once[k])


@njit(cache=True, nogil=True)
def reach(tables, whole, policy, start, met, joints, leads, probability):  # type: ignore[no-untyped-def]
    """How many states chance may lead to from ``start``: they are written to ``met``, in order of discovery.

    With them the joint actions there, and ``leads`` and ``probability [place branch]``: places in ``met``.
    """
    acts, free = nobody(tables.sizes.shape[0])
    place = np.full(whole.size, -1, dtype=np.int64)
    met[0], place[start], count, at = start, 0, 1, 0
    while at < count:
        joint = play_round(tables, whole, policy, met[at], free, acts)
        joints[at] = joint
        after = leads_to(tables, whole, met[at], joint, acts)
        for branch in range(leads.shape[1]):
            step, odd = branch_of(tables, whole, met[at], joint, branch)
            probability[at, branch] = odd
            if odd > 0 and place[after + step] < 0:
                met[count], place[after + step] = after + step, count
                count += 1
            leads[at, branch] = max(place[after + step], 0)
        at += 1
    return count

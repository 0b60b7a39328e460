"""Kernels for fixed history-dependent policies: rounds on full states, limit cycles, values, best responses.

A *full state* is one number: all that future play depends on (`rivalry.tables.history.FullStateSpace`, which
the functions take as ``states``). Where nature is deterministic one state follows from another, so a policy's
value is summed along the path to its cycle, in time linear in the number of states.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.tolerances import EPS
from rivalry.tables.kernels.cache import inline, kernel, merged, write
from rivalry.tables.kernels.shapes import Outcomes

STILL = 4 * EPS  # of the largest value: a sweep that changes no more has converged


@inline
def _round_of(states, state):  # type: ignore[no-untyped-def]
    """Return the round of the order that a state begins."""
    return state // (states.natures * states.histories)


@inline
def _standing(states, state, player):  # type: ignore[no-untyped-def]
    """Return a player's action before the round; 0 for a mover whose standing action is not remembered."""
    stride = states.next_strides[player]
    return state // stride % states.actions[player] if stride > 0 else 0


@inline
def _observation(states, state, round_, mover, acts):  # type: ignore[no-untyped-def]
    """Return the number of what a mover observes, with the actions already chosen in the round."""
    number = states.observed[mover, state]
    for player in range(acts.shape[0]):
        number += states.current_strides[round_, mover, player] * acts[player]
    return number


@inline
def _landing(tables, player, stood, move):  # type: ignore[no-untyped-def]
    """Return the action that a move leads to."""
    return tables.action_map[player, stood, move] if tables.action_map.shape[0] > 0 else move


@inline
def _joint(states, acts):  # type: ignore[no-untyped-def]
    """Return the number of a joint action."""
    joint = 0
    for player in range(acts.shape[0]):
        joint += states.joint_strides[player] * acts[player]
    return joint


@inline
def play_round(tables, states, policy, state, forced, acts):  # type: ignore[no-untyped-def]
    """Return the joint action of a round, also written to ``acts [player]``.

    A mover takes its action in ``forced [player]`` or, where that is -1, the first move of ``policy [player
    state slot]``; later movers of the round respond to earlier actions in it.
    """
    round_ = _round_of(states, state)
    for player in range(acts.shape[0]):
        acts[player] = _standing(states, state, player)
    for k in range(tables.order.shape[1]):
        mover = tables.order[round_, k]
        if mover < 0:
            break
        acts[mover] = forced[mover]
        if acts[mover] < 0:
            acts[mover] = policy[mover, _observation(states, state, round_, mover, acts), 0]
    return _joint(states, acts)


@inline
def outcomes(tables, states, policies, session, state, forced, possible):  # type: ignore[no-untyped-def]
    """Write all outcomes of a round to ``possible``; return their number.

    A mover makes its move in ``forced [player]`` or, where that is -1, one of its policy's.
    """
    round_, count = _round_of(states, state), 1
    acts, odds = possible.acts, possible.odds
    odds[0] = 1.0
    for player in range(acts.shape[1]):
        acts[0, player] = _standing(states, state, player)
    for k in range(tables.order.shape[1]):
        mover = tables.order[round_, k]
        if mover < 0:
            break
        end = count
        for before in range(count):
            stood, odd = acts[before, mover], odds[before]
            if forced[mover] >= 0:
                acts[before, mover] = _landing(tables, mover, stood, forced[mover])
                continue
            number = _observation(states, state, round_, mover, acts[before])
            for slot in range(policies.moves.shape[3]):
                chance = policies.probabilities[session, mover, number, slot]
                if chance <= 0.0:
                    break
                after = before
                # the first move changes the outcome in place, each further one a copy of it
                if slot > 0:
                    after, end = end, end + 1
                    write(acts[before], acts[after])
                move = policies.moves[session, mover, number, slot]
                acts[after, mover], odds[after] = _landing(tables, mover, stood, move), odd * chance
        count = end
    return count


def nobody(players: int) -> tuple[ndarray, ndarray]:
    """Return arrays for the actions of a round, and for forced actions: -1 for every player, none forced."""
    return np.zeros(players, dtype=int), np.full(players, -1, dtype=int)


@inline
def leads_to(states, state, acts):  # type: ignore[no-untyped-def]
    """Return the state after a round, without the contributions of nature's next state and of the signal."""
    number = states.next_base[state]
    for player in range(acts.shape[0]):
        number += states.next_strides[player] * acts[player]
    return number


@inline
def nature_of(states, state):  # type: ignore[no-untyped-def]
    """Return nature's state in a full state."""
    return state // states.histories % states.natures if states.natures > 1 else 0


@inline
def moves_in(states, state, player):  # type: ignore[no-untyped-def]
    """True if a player moves in the round that a state begins."""
    return states.moves[_round_of(states, state), player]


@inline
def branch_of(tables, states, state, joint, branch):  # type: ignore[no-untyped-def]
    """Return the contribution of nature and the signal to the next state on a branch, and its probability."""
    nature, column = nature_of(states, state), joint if tables.next_nature.shape[1] > 1 else 0
    probability = tables.nature_cdf[nature, column, branch]
    if branch > 0:
        # the table is cumulative along branches
        probability -= tables.nature_cdf[nature, column, branch - 1]
    step = states.histories * tables.next_nature[nature, column, branch]
    if states.next_strides[-1] > 0:
        step += states.next_strides[-1] * tables.signal[nature, joint]
    return step, probability


@inline
def play_on(tables, states, policy, state, forced, acts):  # type: ignore[no-untyped-def]
    """Return the joint action in a state and the next state, where nature is deterministic."""
    joint = play_round(tables, states, policy, state, forced, acts)
    after = leads_to(states, state, acts)
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
            state = play_on(tables, states, policies.moves[session], state, free, acts)[1]
        onset[session] = visited_at[state] - session_start
        length[session] = clock - visited_at[state]
        session_start = clock


@kernel
def walk(tables, numbers, policies, acts, free, start, skip, length, states, joints):  # type: ignore[no-untyped-def]
    """Fill ``states`` and ``joints [session turn]`` with ``length`` rounds each, after the first ``skip``."""
    for session in range(start.shape[0]):
        state = start[session]
        for turn in range(skip[session] + length[session]):
            joint, after = play_on(tables, numbers, policies.moves[session], state, free, acts)
            if turn >= skip[session]:
                states[session, turn - skip[session]] = state
                joints[session, turn - skip[session]] = joint
            state = after


class DecisionProblem(NamedTuple):
    """A player's decision problem, the others' policies fixed, and scratch arrays of its solution."""

    pays: ndarray  # [state action]: expected payoffs of the round
    leads: ndarray  # [state action branch]: next states
    probability: ndarray  # [state action branch]; 0 beyond the last branch
    choices: ndarray  # [state]: number of actions; 1 where the player does not move
    discount: ndarray  # [state]: of the value of the next state
    plan: ndarray  # [state slot]: actions of the policy in work
    share: ndarray  # [state slot]: their probabilities
    outcomes: Outcomes
    trial: ndarray  # [state]: value of the policy in work
    marks: ndarray  # [state]
    stack: ndarray  # [state]
    system: ndarray  # [state state], where values are solved for; else none


def decision_problem(
    states: int, actions: int, outcomes: Outcomes, branches: int, width: int, *, dense: bool
) -> DecisionProblem:
    """Return room for a decision problem with at most so many ``actions`` in a state.

    Nature has ``branches`` after each of the ``outcomes`` of a round, and the player's policy chooses among
    ``width`` actions.
    """
    shape = (states, actions, branches * len(outcomes.odds))
    return DecisionProblem(
        pays=np.zeros(shape[:2]),
        leads=np.zeros(shape, dtype=int),
        probability=np.zeros(shape),
        choices=np.zeros(states, dtype=int),
        discount=np.zeros(states),
        plan=np.zeros((states, width), dtype=int),
        share=np.zeros((states, width)),
        outcomes=outcomes,
        trial=np.zeros(states),
        marks=np.zeros(states, dtype=np.int8),
        stack=np.zeros(states, dtype=int),
        system=np.zeros((states, states) if dense else (0, 0)),
    )


@merged
def _pose(tables, states, policies, session, player, forced, payment, problem):  # type: ignore[no-untyped-def]
    """Write the decision problem of ``player``, the others following the policies of a session.

    The plan becomes the player's own policy. Where the player does not move, action 0 stands for the round's
    result and no other action is written.
    """
    for state in range(states.size):
        round_ = _round_of(states, state)
        moves = moves_in(states, state, player)
        problem.discount[state] = payment.discount[round_]
        problem.choices[state] = problem.pays.shape[1] if moves else 1
        # an action that a later mover of the round observes has outcomes of its own; all others share theirs
        answered = moves and states.current_strides[round_, :, player].any()
        for first in range(problem.choices[state] if answered else 1):
            forced[player] = first if moves else -1
            end = first + 1 if answered else problem.choices[state]
            count = outcomes(tables, states, policies, session, state, forced, problem.outcomes)
            for k in range(count):
                for action in range(first, end):
                    _add_outcome(tables, states, state, player, action, k, payment.rate[round_], problem)
            problem.probability[state, first:end, count * tables.next_nature.shape[2] :] = 0.0
        forced[player] = -1
        _write_plan(states, policies, session, state, player, problem)


@inline
def _add_outcome(tables, states, state, player, action, k, rate, problem):  # type: ignore[no-untyped-def]
    """Add outcome ``k`` of the round to an action's payoff and next states, with the action in its place.

    The first outcome overwrites what the action had before. Of a player that does not move, what stands is
    kept.
    """
    acts, odds, branches = problem.outcomes.acts[k], problem.outcomes.odds[k], tables.next_nature.shape[2]
    joint, after = _joint(states, acts), leads_to(states, state, acts)
    if moves_in(states, state, player):
        change = _landing(tables, player, _standing(states, state, player), action) - acts[player]
        joint += change * states.joint_strides[player]
        after += change * states.next_strides[player]
    pays = rate * odds * tables.payoff[nature_of(states, state), player, joint]
    if k > 0:
        pays += problem.pays[state, action]
    problem.pays[state, action] = pays
    for branch in range(branches):
        step, chance = branch_of(tables, states, state, joint, branch)
        problem.leads[state, action, k * branches + branch] = after + step
        problem.probability[state, action, k * branches + branch] = odds * chance


@inline
def _write_plan(states, policies, session, state, player, problem):  # type: ignore[no-untyped-def]
    """Write a player's own policy in a state as the plan; action 0 for certain where it does not move."""
    if not moves_in(states, state, player):
        problem.plan[state] = 0
        problem.share[state] = 0.0
        problem.share[state, 0] = 1.0
        return
    acts = problem.outcomes.acts[0]
    number = _observation(states, state, _round_of(states, state), player, acts)
    for slot in range(problem.plan.shape[1]):
        problem.plan[state, slot] = policies.moves[session, player, number, slot]
        problem.share[state, slot] = policies.probabilities[session, player, number, slot]


@inline
def _worth(problem, state, action, value):  # type: ignore[no-untyped-def]
    """Return the value of an action: its payoff and the discounted expected value of the next state."""
    discount = problem.discount[state]
    if problem.leads.shape[2] == 1:
        return problem.pays[state, action] + discount * value[problem.leads[state, action, 0]]
    total = 0.0
    for branch in range(problem.leads.shape[2]):
        total += problem.probability[state, action, branch] * value[problem.leads[state, action, branch]]
    return problem.pays[state, action] + discount * total


@merged
def _solve_or_sweep(problem, value):  # type: ignore[no-untyped-def]
    """Write the discounted value of following the plan forever, by chance, to ``value [state]``."""
    if problem.system.shape[0] > 0:
        _eliminate(problem, value)
        return
    before = np.inf
    while True:
        change, largest = 0.0, 0.0
        for state in range(value.shape[0]):
            new = 0.0
            for slot in range(problem.plan.shape[1]):
                if problem.share[state, slot] <= 0.0:
                    break
                new += problem.share[state, slot] * _worth(problem, state, problem.plan[state, slot], value)
            change, largest = max(change, abs(new - value[state])), max(largest, abs(new))
            # in place: later states of a sweep use the new values
            value[state] = new
        # a sweep contracts the change, so one that does not fall is rounding
        if change <= STILL * largest or change >= before:
            return
        before = change


@merged
def _eliminate(problem, value):  # type: ignore[no-untyped-def]
    """Write the solution of the plan's linear system, in which no pivots are needed.

    The diagonal exceeds the sum of each row, as discount factors are below 1.
    """
    system, size = problem.system, value.shape[0]
    value[:] = system[:] = 0.0
    for state in range(size):
        system[state, state] = 1.0
        for slot in range(problem.plan.shape[1]):
            action, share = problem.plan[state, slot], problem.share[state, slot]
            # beyond the policy's moves a slot may name an action that the player lacks
            if share <= 0.0:
                break
            value[state] += share * problem.pays[state, action]
            share *= problem.discount[state]
            for branch in range(problem.leads.shape[2]):
                odd = problem.probability[state, action, branch]
                system[state, problem.leads[state, action, branch]] -= share * odd
    for pivot in range(size):
        for row in range(pivot + 1, size):
            factor = system[row, pivot] / system[pivot, pivot]
            if factor != 0.0:
                value[row] -= factor * value[pivot]
                for column in range(pivot + 1, size):
                    system[row, column] -= factor * system[pivot, column]
    for row in range(size - 1, -1, -1):
        for column in range(row + 1, size):
            value[row] -= system[row, column] * value[column]
        value[row] /= system[row, row]


@merged
def _sum_along(problem, value):  # type: ignore[no-untyped-def]
    """Write the discounted value of following the plan forever to ``value [state]``, without chance.

    Every path ends in a cycle, whose value is one round trip's sum over one less the product of its discount
    factors.
    """
    # 0: not visited, 1: on the current path, 2: its value is known
    pays, leads, marks, stack, plan = problem.pays, problem.leads, problem.marks, problem.stack, problem.plan
    gamma = problem.discount
    marks[:] = 0
    for begin in range(value.shape[0]):
        state, top = begin, 0
        while marks[state] == 0:
            marks[state] = 1
            stack[top] = state
            top += 1
            state = leads[state, plan[state, 0], 0]
        if marks[state] == 1:  # visited on this path: a cycle, from here to the top of the stack
            total, discount, k = 0.0, 1.0, top
            while k == top or stack[k] != state:
                k -= 1
                at = stack[k]
                total = pays[at, plan[at, 0]] + gamma[at] * total
                discount *= gamma[at]
            value[state] = total / (1.0 - discount)
            marks[state] = 2
        # backwards along the path: the value of the next state is known, that of the cycle first
        for k in range(top - 1, -1, -1):
            at = stack[k]
            if marks[at] == 1:
                value[at] = pays[at, plan[at, 0]] + gamma[at] * value[leads[at, plan[at, 0], 0]]
                marks[at] = 2


@merged
def _respond(evaluate, problem, tie, value, policy_value, one_step):  # type: ignore[no-untyped-def]
    """Improve the plan in place by policy iteration (Howard 1960), with values by ``evaluate``.

    ``policy_value [state]`` is the value of the initial plan, ``one_step`` that of its best one-round
    deviation, ``value`` that of the best response. An action is chosen where it pays more than ``tie`` above
    the chosen one, of several chosen ones above the likeliest. Each improvement must raise the sum of values,
    so rounding cannot cause an infinite loop.
    """
    trial, states, first, better = problem.trial, value.shape[0], True, True
    trial[:] = 0.0
    while better:
        evaluate(problem, trial)
        before, after, better = 0.0, 0.0, False
        for state in range(states):
            before += value[state]
            after += trial[state]
        if not first and not after > before:
            return
        write(trial, value)
        for state in range(states):
            current = _worth(problem, state, problem.plan[state, 0], value)
            top, action = current, problem.plan[state, 0]
            for candidate in range(problem.choices[state]):
                pays = _worth(problem, state, candidate, value)
                if pays > top:
                    top, action = pays, candidate
            if first:
                policy_value[state], one_step[state] = value[state], top
            if top > current + tie:
                problem.plan[state, 0] = action
                better = True
            if problem.share[state, 0] < 1.0:
                problem.share[state] = 0.0
                problem.share[state, 0] = 1.0
                better = True
        first = False


@kernel
def best_responses(  # type: ignore[no-untyped-def]
    tables, states, policies, free, player, payment, tie, problem, policy_value, one_step, value, policy
):
    """Find one player's best response in every session where nothing is by chance.

    All results are ``[session state]``.
    """
    for k in range(value.shape[0]):
        _pose(tables, states, policies, k, player, free, payment, problem)
        _respond(_sum_along, problem, tie, value[k], policy_value[k], one_step[k])
        write(problem.plan[:, 0], policy[k])


@kernel
def best_responses_by_chance(  # type: ignore[no-untyped-def]
    tables, states, policies, free, player, payment, tie, problem, policy_value, one_step, value, policy
):
    """Find the same where nature or policies draw, which takes twice as long to compile."""
    for k in range(value.shape[0]):
        _pose(tables, states, policies, k, player, free, payment, problem)
        _respond(_solve_or_sweep, problem, tie, value[k], policy_value[k], one_step[k])
        write(problem.plan[:, 0], policy[k])


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
        after = leads_to(states, visited[at], acts)
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


@merged
def _play_in_place(movers, policies, moves, sizes, slots, before, actions):  # type: ignore[no-untyped-def]
    """Play one round in place: ``before`` are the actions before it, ``actions`` after it (``[player]``)."""
    write(actions, before)
    for k in range(movers.shape[0]):
        player = movers[k]
        if player < 0:
            return
        state = 0
        for slot in range(slots.shape[1]):
            source = slots[player, slot, 0]
            if source < 0:
                break
            # an action of this round, where the mover observes it, or the standing one of the last
            action = actions[source] if slots[player, slot, 1] == 0 else before[source]
            state = state * sizes[source] + action
        move = policies[player, state]
        actions[player] = moves[player, before[player], move] if moves.shape[0] else move


@kernel
def follow(order, policies, moves, sizes, slots, before, actions, path, stood):  # type: ignore[no-untyped-def]
    """Fill ``path [turn player]`` from ``actions`` on, and ``stood [turn mover player]``.

    The latter is the standing joint action after the round in which the mover moved. ``actions`` change in
    place, ``before [player]`` is scratch space.
    """
    for turn in range(path.shape[0]):
        write(actions, path[turn])
        for row in range(order.shape[0]):
            _play_in_place(order[row], policies, moves, sizes, slots, before, actions)
            for k in range(order.shape[1]):
                if order[row, k] < 0:
                    break
                write(actions, stood[turn, order[row, k]])

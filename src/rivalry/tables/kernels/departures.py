"""Kernels for unilateral deviations from limit cycles: static best actions, and play after a deviation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.tables.kernels.cache import inline, kernel, merged
from rivalry.tables.kernels.history import moves_in, nature_of, play_on, play_round


class Departure(NamedTuple):
    """The specification of a deviation, as numbers only."""

    player: int
    forced: ndarray  # [session state]: the player's actions at its first decisions
    periods: int  # number of these decisions
    gamma: float
    value: ndarray  # [session state]: of its own policy
    begins: ndarray  # [session turn]: states of the cycle; -1 beyond


class Followed(NamedTuple):
    """Results of deviations; the paths are sums, and means in the end."""

    paths: ndarray  # [session turn player]: levels of the actions
    pays: ndarray  # [session turn player]
    gain: ndarray  # [session start]: discounted, against no deviation
    back: ndarray  # [session start]: rounds until play is on the cycle again; -1: never


@inline
def _payoff(tables, states, policy, state, player, action, forced, acts):  # type: ignore[no-untyped-def]
    """Return a player's payoff of the round where it takes an action, or follows its policy for -1."""
    forced[player] = action
    joint = play_round(tables, states, policy, state, forced, acts)
    forced[player] = -1
    return tables.payoff[nature_of(states, state), player, joint]


@kernel
def static_best(tables, states, policies, acts, forced, player, tie, action_by_state):  # type: ignore[no-untyped-def]
    """Write the action with the largest payoff of a round to ``action_by_state [session state]``;
    -1 for a player that does not move.

    The player's own action is kept unless another pays more than ``tie`` above it, then the lowest of the
    best.
    """
    for session in range(policies.moves.shape[0]):
        policy = policies.moves[session]
        for state in range(states.size):
            action_by_state[session, state] = -1
            if not moves_in(states, state, player):
                continue
            largest = -np.inf
            for action in range(-1, tables.sizes[player]):
                pays = _payoff(tables, states, policy, state, player, action, forced, acts)
                if action < 0:
                    action_by_state[session, state], largest = acts[player], pays + tie
                elif pays > largest:
                    action_by_state[session, state], largest = action, pays


@kernel
def deviate(tables, states, policies, acts, forced, plan, levels, cycle, followed):  # type: ignore[no-untyped-def]
    """Deviate from every cycle at each of its states where the player moves; write ``followed`` in place.

    ``cycle [state]``, -1 everywhere, becomes the last session whose cycle has the state.
    """
    for session in range(policies.moves.shape[0]):
        policy, begins, count = policies.moves[session], plan.begins[session], 0
        for state in begins:
            if state >= 0:
                cycle[state] = session
        for turn in range(begins.shape[0]):
            if begins[turn] >= 0 and moves_in(states, begins[turn], plan.player):
                _depart(tables, states, policy, plan, levels, followed, session, turn, cycle, acts, forced)
                count += 1
        for turn in range(followed.paths.shape[1]):
            for player in range(acts.shape[0]):
                followed.paths[session, turn, player] /= max(count, 1)
                followed.pays[session, turn, player] /= max(count, 1)


@merged
def _depart(tables, states, policy, plan, levels, followed, session, turn, cycle, acts, forced):  # type: ignore[no-untyped-def]
    """Follow one deviation, until play is back on the cycle or must be on another."""
    state, periods_left, period, back = plan.begins[session, turn], plan.periods, 0, -1
    worth, discount, horizon = 0.0, 1.0, followed.paths.shape[1]
    # forced decisions end within rounds * periods; then a state recurs within `size` rounds,
    # so play that is not back by then is on another cycle
    latest = states.size + states.rounds * plan.periods
    while period < horizon or (period < latest and back < 0):
        leaves = periods_left > 0 and moves_in(states, state, plan.player)
        forced[plan.player] = plan.forced[session, state] if leaves else -1
        paid = tables.payoff[nature_of(states, state)]
        joint, after = play_on(tables, states, policy, state, forced, acts)
        if period < horizon:
            for player in range(acts.shape[0]):
                followed.paths[session, period, player] += levels[player, acts[player]]
                followed.pays[session, period, player] += paid[player, joint]
        if periods_left > 0:
            worth += discount * paid[plan.player, joint]
            discount *= plan.gamma
            periods_left -= leaves
            if periods_left == 0:
                worth += discount * plan.value[session, after]
        state, period = after, period + 1
        if periods_left == 0 and back < 0 and cycle[state] == session:
            back = period
    followed.gain[session, turn] = worth - plan.value[session, plan.begins[session, turn]]
    followed.back[session, turn] = back


class Losses(NamedTuple):
    """Followers' losses, ``[session follower leading]``: sums over states, the largest, counts of none."""

    total: ndarray
    worst: ndarray
    none: ndarray


@kernel
def losses(tables, states, policies, acts, forced, leaders, followers, tie, sums):  # type: ignore[no-untyped-def]
    """Compute each follower's gain by its best action in a round over its response to the leaders.

    ``leading`` numbers the joint actions of ``leaders``, the last the fastest. Losses up to ``tie`` count as
    none.
    """
    for session in range(policies.moves.shape[0]):
        policy = policies.moves[session]
        for state in range(states.size):
            for leading in range(sums.total.shape[2]):
                code = leading
                for leader in leaders[::-1]:
                    forced[leader] = code % tables.sizes[leader]
                    code //= tables.sizes[leader]
                for k in range(followers.shape[0]):
                    follower, current, loss = followers[k], 0.0, 0.0
                    for action in range(-1, tables.sizes[follower]):
                        pays = _payoff(tables, states, policy, state, follower, action, forced, acts)
                        if action < 0:
                            current = pays
                        loss = max(loss, pays - current)
                    sums.total[session, k, leading] += loss
                    sums.worst[session, k, leading] = max(sums.worst[session, k, leading], loss)
                    sums.none[session, k, leading] += loss <= tie

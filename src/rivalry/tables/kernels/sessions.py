"""Q-learning in infinitely repeated games, by session: any observations and any order of moves.

A decision stays pending until its player decides again. Its value is then updated with the payoffs received
meanwhile and the value of the state then observed; this covers simultaneous, sequential and alternating
moves. Each decision uses one word of the session's stream: below epsilon, the word also selects the random
action.

The greedy action of every state is stored, and replaced only by a strictly better one. ``runner`` is at least
the value of every other action, so a state is searched only where its greedy value falls below that.

Two players with at most one round of memory have a loop of their own, `play_pair`.
"""

from __future__ import annotations

from math import exp, inf, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import FiniteGame
from rivalry.tables.kernels.cache import inline, kernel, merged
from rivalry.tables.kernels.draws import uniform, unit, word
from rivalry.tables.kernels.learn import choose, expected_value, row_maximum
from rivalry.tables.kernels.rounds import Buffers, book, credit, joint_of, observation, open_round
from rivalry.tables.kernels.shapes import (
    CONVERGED,
    MAX,
    ON_POLICY,
    RUNNING,
    SOFTMAX,
    STOPPED,
    UCB,
    Pair,
    SessionArrays,
    SessionRule,
)

RENEWED = 1024  # periods after which exponentially decreasing levels are recomputed; a power of two
# an exponentially falling temperature underflows to 0 in the end, and values are divided by it
COLDEST = 1e-300  # lowest temperature
_ONE = np.uint64(1)


@kernel
def play(
    game: FiniteGame,
    rule: SessionRule,
    sessions: SessionArrays,
    desk: Buffers,
    selected: ndarray,
    steps: int,
) -> None:
    """Play up to ``steps`` further periods of the sessions numbered in ``selected``, in place."""
    for session in selected:
        arrays = SessionArrays(
            sessions.values[session],
            sessions.greedy[session],
            sessions.runner[session],
            sessions.stream[session],
            sessions.clock[session],
            sessions.recent[session],
            sessions.pending[session],
            sessions.owed[session],
            sessions.level[session],
            sessions.tally[session],
            sessions.counts[session],
            sessions.plays[session],
        )
        _play_one(game, rule, arrays, desk, steps)


@inline
def _play_one(game, rule, arrays, desk, steps):  # type: ignore[no-untyped-def]
    clock, players = arrays.clock, game.sizes.shape[0]
    for _ in range(steps):
        if clock[2] != RUNNING:
            return
        for player in range(players):
            arrays.level[player] = level_at(
                arrays.level[player], rule.scale[player], rule.beta[player], rule.decay[player], clock[0]
            )
        open_round(game, arrays.recent, arrays.stream, desk.sizes, desk.strides)
        row = clock[0] % game.order.shape[0] if game.order.shape[0] > 1 else 0
        for k in range(game.order.shape[1]):
            player = game.order[row, k]
            if player < 0:
                break
            if _decide(game, rule, arrays, desk, player):
                clock[1] = clock[0] + 1
        _pay(game, rule, arrays, desk)
        clock[0] += 1
        clock[2] = session_status(rule, clock[0], clock[1])


@inline
def level_at(before, scale, beta, decay, period):  # type: ignore[no-untyped-def]
    """Return an exponentially decreasing level from that of the period before.

    Recomputed at fixed periods, so that no bit depends on where chunks end.
    """
    if period & (RENEWED - 1) == 0:
        return scale * exp(-beta * period)
    return before * decay


@inline
def session_status(rule, periods, changed):  # type: ignore[no-untyped-def]
    """Return the status of a session: running, converged or stopped."""
    if rule.window > 0 and periods - changed >= rule.window:
        return CONVERGED
    return STOPPED if periods >= rule.limit else RUNNING


@inline
def _decide(game, rule, arrays, desk, player):  # type: ignore[no-untyped-def]
    """Observe, update the pending value and choose an action; return whether a greedy action changed."""
    state, size = observation(game, arrays.recent, desk.sizes, player, 0), game.sizes[player]
    state_offset, number, changed = rule.state_from[player], uniform(arrays.stream), False
    entry, level, target, choice = rule.value_from[player], arrays.level[player], rule.target[player], 0
    start = entry + state * size  # of the state's first entry
    row, greedy, action = arrays.values[start : start + size], arrays.greedy[state_offset + state], -1
    if rule.learns[player]:
        choice = rule.choice[player]
    if target == ON_POLICY:  # chosen before the values are updated
        action = _choose(row, arrays.plays, start, size, level, choice, greedy, number, desk.weights)
    if arrays.pending[player, 0] >= 0:
        if rule.counterfactual[player]:
            changed = _teach_all(game, rule, arrays, desk, player)
        else:
            worth = row[greedy] if target == MAX else row[action]
            if target != MAX and target != ON_POLICY:
                worth = _mean(row, arrays.plays, start, size, level, choice, greedy, desk.weights)
            aim = arrays.owed[player, 0] + arrays.owed[player, 1] * worth
            values = arrays.values[entry : rule.value_from[player + 1]]
            incumbent, runner = arrays.greedy[state_offset:], arrays.runner[state_offset:]
            past, past_action = arrays.pending[player, 0], arrays.pending[player, 1]
            alpha = rule.alpha[player] + rule.alpha_change[player] * arrays.clock[0]
            if rule.counted:
                # a decision is updated before the next is counted: this is its entry's n-th update
                alpha /= arrays.plays[entry + past * size + past_action] ** rule.power[player]
            changed = teach(values, incumbent, runner, size, past, past_action, aim, alpha)
    if action < 0:
        greedy = arrays.greedy[state_offset + state]
        action = _choose(row, arrays.plays, start, size, level, choice, greedy, number, desk.weights)
    if rule.learns[player]:
        book(arrays, player, state, action)
        if rule.counted:
            arrays.plays[start + action] += 1
    arrays.recent[0, player] = action
    return changed


@inline
def act(greedy, epsilon, size, number):  # type: ignore[no-untyped-def]
    """Return the greedy action or, where ``number`` is below epsilon, the random action that it selects."""
    if number < epsilon:
        return min(int(number / epsilon * size), size - 1)
    return int(greedy)


@inline
def _choose(row, plays, start, size, level, choice, greedy, number, weights):  # type: ignore[no-untyped-def]
    if choice == SOFTMAX:
        return choose(row, size, 0.0, max(level, COLDEST), False, number, weights)
    if choice == UCB:
        upper_bounds(row, plays, start, size, level, weights)
        return choose(weights, size, 0.0, 1.0, True, number, weights)
    return act(greedy, level, size, number)


@inline
def upper_bounds(row, plays, start, size, bonus, bounds):  # type: ignore[no-untyped-def]
    """Write ``Q + bonus sqrt(ln N / n)`` of every action to ``bounds``; infinite where it was never chosen.

    ``n`` are the ``plays`` of an action in this state, whose first entry is ``start``, and ``N`` is their sum
    (UCB1; Auer, Cesa-Bianchi and Fischer 2002, fig. 1).
    """
    total = 0
    for k in range(size):
        total += plays[start + k]
    for k in range(size):
        count = plays[start + k]
        bounds[k] = inf if count == 0 else row[k] + bonus * sqrt(log(total) / count)


@inline
def _mean(row, plays, start, size, level, choice, greedy, weights):  # type: ignore[no-untyped-def]
    """Return the mean of a row over the next choice."""
    if choice == SOFTMAX:
        return expected_value(row, size, 0.0, max(level, COLDEST), False, weights)
    if choice == UCB:
        upper_bounds(row, plays, start, size, level, weights)
        largest, ties, total_of_ties = row_maximum(weights, size), 0, 0.0
        for k in range(size):
            if weights[k] == largest:
                ties += 1
                total_of_ties += row[k]
        return total_of_ties / ties
    total = 0.0
    for k in range(size):
        total += row[k]
    return level * total / size + (1.0 - level) * row[greedy]


@inline
def teach(values, greedy, runner, size, state, action, aim, alpha):  # type: ignore[no-untyped-def]
    """Move one value towards ``aim``; return whether the state's greedy action changed."""
    row = at(state)
    incumbent, offset = greedy[row], state * size
    new = values[at(offset + action)]
    new += alpha * (aim - new)
    values[at(offset + action)] = new
    if action == incumbent:
        return new < runner[row] and search_greedy(values, greedy, runner, size, state)
    top = values[at(offset + incumbent)]
    if new > top:
        # the former greedy value bounds those of all other actions
        greedy[row], runner[row] = action, top
        return True
    # `runner` need not be attained: it stays where the value that set it falls
    if new > runner[row]:
        runner[row] = new
    return False


@inline
def search_greedy(values, greedy, runner, size, state):  # type: ignore[no-untyped-def]
    """Recompute a state's greedy action after its value fell; return whether it changed.

    It changes only to a strictly better action, the lowest at ties.
    """
    row, offset, largest_at = at(state), state * size, -1
    incumbent = greedy[row]
    top, next_to = values[at(offset + incumbent)], -inf
    for k in range(size):  # without a branch, which could not be predicted
        value = -inf if k == incumbent else values[at(offset + k)]
        lower = value if value < top else top
        next_to = lower if lower > next_to else next_to
        largest_at = k if value > top else largest_at
        top = value if value > top else top
    runner[row] = next_to
    if largest_at < 0:
        return False
    greedy[row] = largest_at
    return True


@inline
def at(index):  # type: ignore[no-untyped-def]
    """Return a non-negative index as unsigned, so that no check for negative indices is compiled."""
    return np.uint64(index)


@inline
def _teach_all(game, rule, arrays, desk, player):  # type: ignore[no-untyped-def]
    """Update every action of the pending state as if it had been played, the others' actions fixed.

    Moves are simultaneous; every aim uses the values before the update.
    """
    size, offset, players = game.sizes[player], rule.state_from[player], game.sizes.shape[0]
    recent, aims, values = arrays.recent, desk.weights, arrays.values[rule.value_from[player] :]
    played, signal, joint_before = (
        recent[1, player],
        recent[1, players + 1],
        joint_of(recent, 1, desk.strides),
    )
    for action in range(size):
        joint = joint_before + (action - played) * desk.strides[player]
        recent[1, player] = action
        if game.signal.shape[0] > 0:
            recent[1, players + 1] = game.signal[recent[1, players], joint]
        state = observation(game, arrays.recent, desk.sizes, player, 0)
        worth = values[state * size + arrays.greedy[offset + state]]
        aims[action] = game.payoff[recent[1, players], player, joint] + rule.gamma[player] * worth
    recent[1, player], recent[1, players + 1] = played, signal
    past, alpha = arrays.pending[player, 0], rule.alpha[player] + rule.alpha_change[player] * arrays.clock[0]
    for action in range(size):
        values[past * size + action] += alpha * (aims[action] - values[past * size + action])
    return search_greedy(values, arrays.greedy[offset:], arrays.runner[offset:], size, past)


@inline
def _pay(game, rule, arrays, desk):  # type: ignore[no-untyped-def]
    """Add the joint action's payoffs to the pending decisions."""
    players, since = desk.strides.shape[0], arrays.clock[0] - rule.tally_calm * arrays.clock[1]
    joint, nature = joint_of(arrays.recent, 0, desk.strides), arrays.recent[0, players]
    _restart_tally(rule, since, arrays.tally, arrays.counts)
    if game.signal.shape[0] > 0:
        arrays.recent[0, players + 1] = game.signal[nature, joint]
    for player in range(players):
        paid = game.payoff[nature, player, joint]
        credit(arrays, player, paid, rule.gamma[player])
        if since >= rule.tally_from:
            arrays.tally[player] += paid
    if since >= rule.tally_from:
        arrays.counts[joint] += 1


@inline
def _restart_tally(rule, since, tally, counts):  # type: ignore[no-untyped-def]
    """Clear the sums where the last periods before the end of a session begin, if no further change comes."""
    if since == rule.tally_from:
        tally[:] = 0.0
        counts[:] = 0


class OwnTables(NamedTuple):
    """One player's tables and parameters in the loop for two players.

    The rules, the random words and therefore every bit of this loop are those of `play`, for epsilon-greedy
    choice, the target `MAX`, one state of nature and at most one round of memory: a player's memory is then a
    table of the last joint action. It takes half the time.
    """

    values: ndarray  # [entry]
    greedy: ndarray  # [state]
    runner: ndarray  # [state]
    pending: ndarray  # [2]
    owed: ndarray  # [2]
    payoff: ndarray  # [joint]
    look: ndarray  # [joint]
    player: int
    size: int
    stride: int  # stride of an action in the joint action
    learns: int
    alpha: float
    alpha_change: float
    gamma: float
    scale: float
    beta: float
    decay: float


@merged
def _own_tables(pair, rule, sessions, session, player):  # type: ignore[no-untyped-def]
    """Return one player's tables and parameters in a session."""
    # not `inline`: a function that returns arrays must be merged or compiled with reference counts
    return OwnTables(
        sessions.values[session, rule.value_from[player] : rule.value_from[player + 1]],
        sessions.greedy[session, rule.state_from[player] : rule.state_from[player + 1]],
        sessions.runner[session, rule.state_from[player] : rule.state_from[player + 1]],
        sessions.pending[session, player],
        sessions.owed[session, player],
        pair.payoff[player],
        pair.look[player],
        player,
        pair.sizes[player],
        pair.sizes[1] if player == 0 else 1,
        rule.learns[player],
        rule.alpha[player],
        rule.alpha_change[player],
        rule.gamma[player],
        rule.scale[player],
        rule.beta[player],
        rule.decay[player],
    )


@inline
def _decide_in_pair(learner, period, state, epsilon, number, past, past_action, owed, weight):  # type: ignore[no-untyped-def]
    """Update the pending value; return the action chosen, and whether a greedy action changed."""
    changed, size = False, learner.size
    if past >= 0:
        aim = owed + weight * learner.values[at(state * size + learner.greedy[at(state)])]
        alpha = learner.alpha + learner.alpha_change * period
        changed = teach(learner.values, learner.greedy, learner.runner, size, past, past_action, aim, alpha)
    return act(learner.greedy[at(state)], epsilon, size, number), changed


@inline
def _load(learner, level, recent):  # type: ignore[no-untyped-def]
    """Return a player's level, its last action and its pending decision, as numbers."""
    return (
        level[learner.player],
        recent[learner.player],
        learner.pending[0],
        learner.pending[1],
        learner.owed[0],
        learner.owed[1],
    )


@inline
def _store(learner, level, recent, epsilon, action, past, past_action, owed, weight):  # type: ignore[no-untyped-def]
    level[learner.player], recent[learner.player] = epsilon, action
    learner.pending[0], learner.pending[1], learner.owed[0], learner.owed[1] = past, past_action, owed, weight


@inline
def _tally(rule, pair, since, tally, counts, joint):  # type: ignore[no-untyped-def]
    _restart_tally(rule, since, tally, counts)
    tally[0] += pair.payoff[0, joint]
    tally[1] += pair.payoff[1, joint]
    counts[at(joint)] += 1


@merged
def _store_signal(pair, sessions, session):  # type: ignore[no-untyped-def]
    """Store the signal of the last joint action, which the loop does not keep."""
    if pair.signal.shape[0] > 0:
        recent = sessions.recent[session, 0]
        recent[3] = pair.signal[recent[0] * pair.sizes[1] + recent[1]]


@kernel
def play_pair(pair: Pair, rule: SessionRule, sessions: SessionArrays, selected: ndarray, steps: int) -> None:
    """Play up to ``steps`` further rounds of two players, in place.

    Both decide in every round, or with ``turns`` one, while the other's action stands. With ``staged`` the
    second observes the first's action. Numbers of the second player end in an underscore, or are the letters
    after those of the first.
    """
    for session in selected:
        first = _own_tables(pair, rule, sessions, session, pair.first)
        second = _own_tables(pair, rule, sessions, session, 1 - pair.first)
        stream, clock, tally = sessions.stream[session], sessions.clock[session], sessions.tally[session]
        counts, recent, level = sessions.counts[session], sessions.recent[session, 0], sessions.level[session]
        seed, counter, period, changed, over = stream[0], stream[1], clock[0], clock[1], clock[2]
        e, a, past, last_action, owed, weight = _load(first, level, recent)
        f, b, past_, last_action_, owed_, weight_ = _load(second, level, recent)
        joint = a * first.stride + b * second.stride
        end = period + steps
        while period < end and over == RUNNING:
            e = level_at(e, first.scale, first.beta, first.decay, period)
            f = level_at(f, second.scale, second.beta, second.decay, period)
            state, state_, new, newer = joint, joint, False, False
            if not pair.plain:
                state, state_ = first.look[at(joint)], second.look[at(joint)]
            decides = not pair.turns or period & 1 == 0
            decides_ = not pair.turns or period & 1 == 1
            if decides:
                number = unit(word(seed, counter))
                counter += _ONE
                a, new = _decide_in_pair(first, period, state, e, number, past, last_action, owed, weight)
            if pair.staged:
                state_ = state_ * first.size + a
            if decides_:
                number = unit(word(seed, counter))
                counter += _ONE
                b, newer = _decide_in_pair(
                    second, period, state_, f, number, past_, last_action_, owed_, weight_
                )
            joint = a * first.stride + b * second.stride
            # a player that does not decide is paid: its pending decision earns and is discounted
            if not decides:
                owed += weight * first.payoff[at(joint)]
                weight *= first.gamma
            elif first.learns:
                past, last_action, owed, weight = state, a, first.payoff[at(joint)], first.gamma
            if not decides_:
                owed_ += weight_ * second.payoff[at(joint)]
                weight_ *= second.gamma
            elif second.learns:
                past_, last_action_, owed_, weight_ = state_, b, second.payoff[at(joint)], second.gamma
            changed = period + 1 if new or newer else changed
            if period - rule.tally_calm * changed >= rule.tally_from:
                _tally(rule, pair, period - rule.tally_calm * changed, tally, counts, joint)
            period += 1
            over = session_status(rule, period, changed)
        _store(first, level, recent, e, a, past, last_action, owed, weight)
        _store(second, level, recent, f, b, past_, last_action_, owed_, weight_)
        stream[1], clock[0], clock[1], clock[2] = counter, period, changed, over
        _store_signal(pair, sessions, session)

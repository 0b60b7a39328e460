"""Q-learning in infinitely repeated games, by session: any observations and any order of moves.

A decision stays pending until its player decides again. Its value is then updated with the payoffs received
meanwhile and the value of the state then observed; this covers simultaneous, sequential and alternating
moves. Each decision uses one word of the session's stream: below epsilon, the word also selects the random
action.

The greedy action of every state is stored, and replaced only by a strictly better one. ``runner`` is at least
the value of every other action, so a state is searched only where its greedy value falls below that.
"""

from __future__ import annotations

from math import exp, inf
from typing import NamedTuple

import numpy as np

from rivalry.tables.kernels.cache import inner, njit
from rivalry.tables.kernels.contests import strides_of
from rivalry.tables.kernels.draws import uniform
from rivalry.tables.kernels.learn import MAX, ON_POLICY, choose, expected
from rivalry.tables.kernels.rounds import joint_of, observed, open_round
from rivalry.tables.kernels.shapes import FiniteGame

RENEWED = 1024  # periods after which exponentially decreasing levels are recomputed; a power of two
COLDEST = 1e-300  # lowest temperature
RUNNING, CONVERGED, STOPPED = 0, 1, 2


class SessionRule(NamedTuple):
    """The learning rule of all sessions."""

    alpha: np.ndarray  # [player]
    gamma: np.ndarray  # [player]
    scale: np.ndarray  # [player]: epsilon, or the temperature, in period t is scale exp(-beta t)
    beta: np.ndarray  # [player]
    decay: np.ndarray  # [player]: exp(-beta)
    learns: np.ndarray  # [player]: 1; 0: follows the given greedy actions, except with probability epsilon
    value_from: np.ndarray  # [player+1]: first index of a player's values, row-major [state action]
    state_from: np.ndarray  # [player+1]: first index of a player's states
    target: int  # MAX, ON_POLICY or EXPECTED of kernels.learn
    soft: int  # 1: learners use softmax(value/temperature); 0: epsilon-greedy choice
    counterfactual: int  # 1: update all actions as if played (simultaneous moves); 0: the one played
    window: int  # periods without a change of a greedy action that end a session; 0: never
    limit: int  # most periods of a session
    tally_from: int  # period from which payoffs are summed and actions counted


class SessionArrays(NamedTuple):
    """The state of learning, per session."""

    values: np.ndarray  # [session entry], float64
    greedy: np.ndarray  # [session state], int16
    runner: np.ndarray  # [session state], float64: upper bound on the values of the other actions
    stream: np.ndarray  # [session 2], uint64
    clock: np.ndarray  # [session 3]: periods, those up to the last change of a greedy action, status
    recent: np.ndarray  # [session ago player+2]: actions, nature, signal; 0: the last round's
    pending: np.ndarray  # [session player 2]: state and action of the pending decision; -1: none
    owed: np.ndarray  # [session player 2]: payoff so far, discount so far
    level: np.ndarray  # [session player]: epsilon, or the temperature
    tally: np.ndarray  # [session player]: sum of payoffs
    counts: np.ndarray  # [session joint]: number of plays of each joint action in these periods


class SessionBuffers(NamedTuple):
    """Scratch arrays of one session's loop, and constants while it runs."""

    sizes: np.ndarray  # [player+2]: numbers of actions, states of nature, signals
    strides: np.ndarray  # [player]: stride of an action in the joint action
    weights: np.ndarray  # [action]


@njit(cache=True, nogil=True)
def play(
    game: FiniteGame, rule: SessionRule, sessions: SessionArrays, chosen: np.ndarray, steps: int
) -> None:
    """Play up to ``steps`` further periods of the sessions numbered in ``chosen``, in place."""
    players = game.sizes.shape[0]
    sizes = np.ones(players + 2, dtype=np.int64)
    sizes[:players] = game.sizes
    sizes[players] = game.payoff.shape[0]
    if game.signal.shape[0] > 0:
        sizes[players + 1] = game.signal.max() + 1
    desk = SessionBuffers(sizes, strides_of(game.sizes), np.zeros(game.sizes.max()))
    for session in chosen:
        own = SessionArrays(
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
        )
        _play_one(game, rule, own, desk, steps)


@inner
def _play_one(game, rule, own, desk, steps):  # type: ignore[no-untyped-def]
    clock, players = own.clock, game.sizes.shape[0]
    for _ in range(steps):
        if clock[2] != RUNNING:
            return
        for player in range(players):
            own.level[player] = level_at(
                own.level[player], rule.scale[player], rule.beta[player], rule.decay[player], clock[0]
            )
        open_round(game, own.recent, own.stream, desk.sizes, desk.strides)
        row = clock[0] % game.order.shape[0] if game.order.shape[0] > 1 else 0
        for k in range(game.order.shape[1]):
            player = game.order[row, k]
            if player < 0:
                break
            if _decide(game, rule, own, desk, player):
                clock[1] = clock[0] + 1
        _pay(game, rule, own, desk)
        clock[0] += 1
        clock[2] = ended(rule, clock[0], clock[1])


@inner
def level_at(before, scale, beta, decay, period):  # type: ignore[no-untyped-def]
    """Return an exponentially decreasing level from that of the period before.

    Recomputed at fixed periods, so that no bit depends on where chunks end.
    """
    if period & (RENEWED - 1) == 0:
        return scale * exp(-beta * period)
    return before * decay


@inner
def ended(rule, periods, changed):  # type: ignore[no-untyped-def]
    """Return the status of a session: running, converged or stopped."""
    if rule.window > 0 and periods - changed >= rule.window:
        return CONVERGED
    return STOPPED if periods >= rule.limit else RUNNING


@inner
def _decide(game, rule, own, desk, player):  # type: ignore[no-untyped-def]
    """Observe, update the pending value and choose an action; return whether a greedy action changed."""
    state, size = observed(game, own.recent, desk.sizes, player, 0), game.sizes[player]
    first, number, changed = rule.state_from[player], uniform(own.stream), False
    row = own.values[rule.value_from[player] + state * size : rule.value_from[player] + (state + 1) * size]
    level, soft = own.level[player], rule.soft and rule.learns[player]
    greedy, action = own.greedy[first + state], -1
    if rule.target == ON_POLICY:  # chosen before the values are updated
        action = _chosen(row, size, level, soft, greedy, number, desk.weights)
    if own.pending[player, 0] >= 0:
        if rule.counterfactual:
            changed = _teach_all(game, rule, own, desk, player)
        else:
            worth = row[greedy] if rule.target == MAX else row[action]
            if rule.target != MAX and rule.target != ON_POLICY:
                worth = _mean(row, size, level, soft, greedy, desk.weights)
            aim = own.owed[player, 0] + own.owed[player, 1] * worth
            values = own.values[rule.value_from[player] : rule.value_from[player + 1]]
            incumbent, runner = own.greedy[first:], own.runner[first:]
            past, done = own.pending[player, 0], own.pending[player, 1]
            changed = teach(values, incumbent, runner, size, past, done, aim, rule.alpha[player])
    if action < 0:
        greedy = own.greedy[first + state]
        action = _chosen(row, size, level, soft, greedy, number, desk.weights)
    if rule.learns[player]:
        own.pending[player, 0], own.pending[player, 1] = state, action
        own.owed[player, 0], own.owed[player, 1] = 0.0, 1.0
    own.recent[0, player] = action
    return changed


@inner
def act(greedy, epsilon, size, number):  # type: ignore[no-untyped-def]
    """Return the greedy action or, where ``number`` is below epsilon, the random action that it selects."""
    if number < epsilon:
        return min(int(number / epsilon * size), size - 1)
    return int(greedy)


@inner
def _chosen(row, size, level, soft, greedy, number, weights):  # type: ignore[no-untyped-def]
    if soft:
        return choose(row, size, 0.0, max(level, COLDEST), False, number, weights)
    return act(greedy, level, size, number)


@inner
def _mean(row, size, level, soft, greedy, weights):  # type: ignore[no-untyped-def]
    """Return the mean of a row over the next choice."""
    if soft:
        return expected(row, size, 0.0, max(level, COLDEST), False, weights)
    total = 0.0
    for k in range(size):
        total += row[k]
    return level * total / size + (1.0 - level) * row[greedy]


@inner
def teach(values, greedy, runner, size, state, action, aim, alpha):  # type: ignore[no-untyped-def]
    """Move one value towards ``aim``; return whether the state's greedy action changed."""
    here = at(state)
    incumbent, first = greedy[here], state * size
    new = values[at(first + action)]
    new += alpha * (aim - new)
    values[at(first + action)] = new
    if action == incumbent:
        return new < runner[here] and searched(values, greedy, runner, size, state)
    top = values[at(first + incumbent)]
    if new > top:
        greedy[here], runner[here] = action, top
        return True
    if new > runner[here]:
        runner[here] = new
    return False


@inner
def searched(values, greedy, runner, size, state):  # type: ignore[no-untyped-def]
    """Recompute a state's greedy action after its value fell; return whether it changed.

    It changes only to a strictly better action, the lowest at ties.
    """
    here, first, found = at(state), state * size, -1
    incumbent = greedy[here]
    top, next_to = values[at(first + incumbent)], -inf
    for k in range(size):  # without a branch, which could not be predicted
        value = -inf if k == incumbent else values[at(first + k)]
        lower = value if value < top else top
        next_to = lower if lower > next_to else next_to
        found = k if value > top else found
        top = value if value > top else top
    runner[here] = next_to
    if found < 0:
        return False
    greedy[here] = found
    return True


@inner
def at(index):  # type: ignore[no-untyped-def]
    """Return a non-negative index as unsigned, so that no check for negative indices is compiled."""
    return np.uint64(index)


@inner
def _teach_all(game, rule, own, desk, player):  # type: ignore[no-untyped-def]
    """Update every action of the pending state as if it had been played, the others' actions fixed.

    Moves are simultaneous; every aim uses the values before the update.
    """
    size, first, players = game.sizes[player], rule.state_from[player], game.sizes.shape[0]
    recent, aims, values = own.recent, desk.weights, own.values[rule.value_from[player] :]
    played, signal, last = recent[1, player], recent[1, players + 1], 0
    for who in range(players):
        last += recent[1, who] * desk.strides[who]
    for action in range(size):
        joint = last + (action - played) * desk.strides[player]
        recent[1, player] = action
        if game.signal.shape[0] > 0:
            recent[1, players + 1] = game.signal[recent[1, players], joint]
        state = observed(game, own.recent, desk.sizes, player, 0)
        worth = values[state * size + own.greedy[first + state]]
        aims[action] = game.payoff[recent[1, players], player, joint] + rule.gamma[player] * worth
    recent[1, player], recent[1, players + 1] = played, signal
    past = own.pending[player, 0]
    for action in range(size):
        values[past * size + action] += rule.alpha[player] * (aims[action] - values[past * size + action])
    return searched(values, own.greedy[first:], own.runner[first:], size, past)


@inner
def _pay(game, rule, own, desk):  # type: ignore[no-untyped-def]
    """Add the joint action's payoffs to the pending decisions."""
    players = desk.strides.shape[0]
    joint, nature = joint_of(own.recent, desk.strides), own.recent[0, players]
    if game.signal.shape[0] > 0:
        own.recent[0, players + 1] = game.signal[nature, joint]
    for player in range(players):
        paid = game.payoff[nature, player, joint]
        if own.pending[player, 0] >= 0:
            own.owed[player, 0] += own.owed[player, 1] * paid
            own.owed[player, 1] *= rule.gamma[player]
        if own.clock[0] >= rule.tally_from:
            own.tally[player] += paid
    if own.clock[0] >= rule.tally_from:
        own.counts[joint] += 1

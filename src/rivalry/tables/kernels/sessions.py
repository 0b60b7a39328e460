"""Q-learning in a game played on and on, session by session: whatever players see, and whoever moves when.

A decision stays pending until its player decides again; then it is worth what was paid meanwhile and what the
state then seen is worth. That *is* play at once, in stages and in turns. Each decision uses one word of the
session's stream, whoever makes it: below epsilon, its place there is the random action.

The greedy action of every state is kept, and replaced only by one that is strictly better. ``runner`` is at
least the value of every other action, so a state is searched only where its greedy value falls below that.
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

RENEWED = 1024  # periods after which what falls exponentially is computed anew; a power of two
COLDEST = 1e-300  # of temperatures
RUNNING, CONVERGED, STOPPED = 0, 1, 2


class SessionRule(NamedTuple):
    """How to learn, the same in all sessions."""

    alpha: np.ndarray  # [player]
    gamma: np.ndarray  # [player]
    scale: np.ndarray  # [player]: epsilon, or the temperature, in period t is scale exp(-beta t)
    beta: np.ndarray  # [player]
    decay: np.ndarray  # [player]: exp(-beta)
    learns: np.ndarray  # [player]: 1; 0: follows its greedy actions as they were given, but for epsilon
    value_from: np.ndarray  # [player+1]: where a player's values begin, row-major [state action]
    state_from: np.ndarray  # [player+1]: where a player's states begin
    target: int  # MAX, ON_POLICY or EXPECTED of kernels.learn
    soft: int  # 1: learners choose by softmax(value/temperature); 0: the greedy action, or with epsilon any
    counterfactual: int  # 1: all actions are taught as if played, all moving at once; 0: the one played
    window: int  # periods without a change of a greedy action that end a session; 0: none do
    limit: int  # periods after which it ends at the latest
    tally_from: int  # periods after which payoffs are summed, and actions counted


class SessionArrays(NamedTuple):
    """All that learning changes, session by session."""

    values: np.ndarray  # [session entry], float64
    greedy: np.ndarray  # [session state], int16
    runner: np.ndarray  # [session state], float64: no other action is worth more
    stream: np.ndarray  # [session 2], uint64
    clock: np.ndarray  # [session 3]: periods, those up to the last change of a greedy action, how it ended
    recent: np.ndarray  # [session ago player+2]: actions, nature, signal; 0: the last round's
    pending: np.ndarray  # [session player 2]: the state and the action not yet settled; -1: none
    owed: np.ndarray  # [session player 2]: payoff so far, discount so far
    level: np.ndarray  # [session player]: epsilon, or the temperature
    tally: np.ndarray  # [session player]: sum of payoffs
    counts: np.ndarray  # [session joint]: how often each joint action was played meanwhile


class SessionBuffers(NamedTuple):
    """What one session's loop writes on, and numbers that do not change while it runs."""

    sizes: np.ndarray  # [player+2]: how many actions, states of nature, signals
    strides: np.ndarray  # [player]: what an action counts for in the joint action
    weights: np.ndarray  # [action]


@njit(cache=True, nogil=True)
def play(
    game: FiniteGame, rule: SessionRule, sessions: SessionArrays, chosen: np.ndarray, steps: int
) -> None:
    """Up to ``steps`` further periods of the sessions numbered in ``chosen``, in place."""
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
    """What falls exponentially, in a period, from the period before: no bit depends on where chunks end."""
    if period & (RENEWED - 1) == 0:
        return scale * exp(-beta * period)
    return before * decay


@inner
def ended(rule, periods, changed):  # type: ignore[no-untyped-def]
    """Whether a session is over, and how."""
    if rule.window > 0 and periods - changed >= rule.window:
        return CONVERGED
    return STOPPED if periods >= rule.limit else RUNNING


@inner
def _decide(game, rule, own, desk, player):  # type: ignore[no-untyped-def]
    """A player sees, settles what was pending and chooses; returns whether a greedy action changed."""
    state, size = observed(game, own.recent, desk.sizes, player, 0), game.sizes[player]
    first, number, changed = rule.state_from[player], uniform(own.stream), False
    row = own.values[rule.value_from[player] + state * size : rule.value_from[player] + (state + 1) * size]
    level, soft = own.level[player], rule.soft and rule.learns[player]
    greedy, action = own.greedy[first + state], -1
    if rule.target == ON_POLICY:  # chosen before the values are taught
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
    """The greedy action; where the number drawn is below epsilon, the action that it stands for there."""
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
    """The mean of a row over the choice that is to be made."""
    if soft:
        return expected(row, size, 0.0, max(level, COLDEST), False, weights)
    total = 0.0
    for k in range(size):
        total += row[k]
    return level * total / size + (1.0 - level) * row[greedy]


@inner
def teach(values, greedy, runner, size, state, action, aim, alpha):  # type: ignore[no-untyped-def]
    """One value is moved towards ``aim``; returns whether the state's greedy action changed."""
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
    """A state's greedy action after its value fell: the best other, where strictly better, lowest at ties."""
    here, first, found = at(state), state * size, -1
    incumbent = greedy[here]
    top, next_to = values[at(first + incumbent)], -inf
    for k in range(size):  # without a branch: which action is the best could not be foreseen
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
    """An index that is not below 0, which need not be looked after."""
    return np.uint64(index)


@inner
def _teach_all(game, rule, own, desk, player):  # type: ignore[no-untyped-def]
    """Every action of the pending state is taught what it would have brought, had the others done the same.

    All move at once; every aim is of the values as they were before.
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
    """What the joint action that stands pays every player, as part of what came of pending decisions."""
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

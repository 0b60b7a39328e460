"""Q-learning sessions of two players with at most one round of memory: specialised fast loops.

The rules, the random words and therefore every bit are those of `tables.kernels.sessions`, for epsilon-greedy
choice, the target `MAX`, and one state of nature. A player's memory is then a table of the last joint action.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rivalry.tables.kernels.cache import inner, njit
from rivalry.tables.kernels.draws import unit, word
from rivalry.tables.kernels.sessions import (
    RUNNING,
    SessionArrays,
    SessionRule,
    act,
    at,
    ended,
    level_at,
    teach,
)

_ONE, _TWO = np.uint64(1), np.uint64(2)


class Pair(NamedTuple):
    """A two-player game, as these loops take it."""

    payoff: np.ndarray  # [player joint]
    look: np.ndarray  # [player joint]: the state, or the part of it, remembered of a round
    signal: np.ndarray  # [joint]
    sizes: np.ndarray  # [player]: number of actions
    plain: int  # 1: both remember the joint action
    turns: int  # 1: they move in turns; 0: both in every round
    staged: int  # 1: the second mover's state also has, last, the first mover's action of the round
    first: int  # the player that decides first


class OwnTables(NamedTuple):
    """One player's tables and parameters."""

    values: np.ndarray  # [entry]
    greedy: np.ndarray  # [state]
    runner: np.ndarray  # [state]
    pending: np.ndarray  # [2]
    owed: np.ndarray  # [2]
    payoff: np.ndarray  # [joint]
    look: np.ndarray  # [joint]
    player: int
    size: int
    stride: int  # stride of an action in the joint action
    learns: int
    alpha: float
    gamma: float
    scale: float
    beta: float
    decay: float


@njit(cache=True, nogil=True)
def play(pair: Pair, rule: SessionRule, sessions: SessionArrays, chosen: np.ndarray, steps: int) -> None:
    """Play up to ``steps`` further periods of the sessions numbered in ``chosen``, in place."""
    for session in chosen:
        one = _own(pair, rule, sessions, session, pair.first)
        two = _own(pair, rule, sessions, session, 1 - pair.first)
        stream, clock = sessions.stream[session], sessions.clock[session]
        recent, level = sessions.recent[session, 0], sessions.level[session]
        tally, counts = sessions.tally[session], sessions.counts[session]
        if pair.turns:
            _in_turns(pair, rule, one, two, stream, clock, recent, level, tally, counts, steps)
        else:
            _in_rounds(pair, rule, one, two, stream, clock, recent, level, tally, counts, steps)


@njit(nogil=True)
def _own(pair, rule, sessions, session, player):  # type: ignore[no-untyped-def]
    """Return one player's tables and parameters in a session."""
    # not `inner`: a function that returns arrays must be compiled with reference counts
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
        rule.gamma[player],
        rule.scale[player],
        rule.beta[player],
        rule.decay[player],
    )


@inner
def _decide(own, state, epsilon, number, past, done, owed, later):  # type: ignore[no-untyped-def]
    """Update the pending value; return the action chosen, and whether a greedy action changed."""
    changed, size = False, own.size
    if past >= 0:
        aim = owed + later * own.values[at(state * size + own.greedy[at(state)])]
        changed = teach(own.values, own.greedy, own.runner, size, past, done, aim, own.alpha)
    return act(own.greedy[at(state)], epsilon, size, number), changed


@inner
def _level(own, before, period):  # type: ignore[no-untyped-def]
    return level_at(before, own.scale, own.beta, own.decay, period)


@inner
def _in_rounds(pair, rule, one, two, stream, clock, recent, level, tally, counts, steps):  # type: ignore[no-untyped-def]
    """Play rounds in which both players decide; with ``staged`` the second observes the first's action."""
    seed, counter, period, changed, over = stream[0], stream[1], clock[0], clock[1], clock[2]
    e, f, a, b = level[one.player], level[two.player], recent[one.player], recent[two.player]
    joint = a * one.stride + b * two.stride
    past, done, owed, later = one.pending[0], one.pending[1], one.owed[0], one.owed[1]
    past_, done_, owed_, later_ = two.pending[0], two.pending[1], two.owed[0], two.owed[1]
    while steps > 0 and over == RUNNING:
        e, f = _level(one, e, period), _level(two, f, period)
        here, there = joint, joint
        if not pair.plain:
            here, there = one.look[at(joint)], two.look[at(joint)]
        a, new = _decide(one, here, e, unit(word(seed, counter)), past, done, owed, later)
        if pair.staged:
            there = there * one.size + a
        b, newer = _decide(two, there, f, unit(word(seed, counter + _ONE)), past_, done_, owed_, later_)
        counter += _TWO
        joint = a * one.stride + b * two.stride
        if one.learns:
            past, done, owed, later = here, a, one.payoff[at(joint)], one.gamma
        if two.learns:
            past_, done_, owed_, later_ = there, b, two.payoff[at(joint)], two.gamma
        if period >= rule.tally_from:
            _tally(pair, tally, counts, joint)
        period += 1
        changed = period if new or newer else changed
        over = ended(rule, period, changed)
        steps -= 1
    _keep(one, past, done, owed, later)
    _keep(two, past_, done_, owed_, later_)
    stream[1], clock[0], clock[1], clock[2] = counter, period, changed, over
    level[one.player], level[two.player], recent[one.player], recent[two.player] = e, f, a, b
    if pair.signal.shape[0] > 0:
        recent[3] = pair.signal[joint]


@inner
def _in_turns(pair, rule, one, two, stream, clock, recent, level, tally, counts, steps):  # type: ignore[no-untyped-def]
    """Play rounds in which one player decides and the other's action stands."""
    seed, counter, period, changed, over = stream[0], stream[1], clock[0], clock[1], clock[2]
    e, f, a, b = level[one.player], level[two.player], recent[one.player], recent[two.player]
    joint = a * one.stride + b * two.stride
    past, done, owed, later = one.pending[0], one.pending[1], one.owed[0], one.owed[1]
    past_, done_, owed_, later_ = two.pending[0], two.pending[1], two.owed[0], two.owed[1]
    while steps > 0 and over == RUNNING:
        e, f = _level(one, e, period), _level(two, f, period)
        number = unit(word(seed, counter))
        if period & 1 == 0:
            here = one.look[at(joint)]
            a, new = _decide(one, here, e, number, past, done, owed, later)
            joint = a * one.stride + b * two.stride
            if one.learns:
                past, done, owed, later = here, a, one.payoff[at(joint)], one.gamma
            owed_ += later_ * two.payoff[at(joint)]
            later_ *= two.gamma
        else:
            here = two.look[at(joint)]
            b, new = _decide(two, here, f, number, past_, done_, owed_, later_)
            joint = a * one.stride + b * two.stride
            if two.learns:
                past_, done_, owed_, later_ = here, b, two.payoff[at(joint)], two.gamma
            owed += later * one.payoff[at(joint)]
            later *= one.gamma
        counter += _ONE
        if period >= rule.tally_from:
            _tally(pair, tally, counts, joint)
        period += 1
        changed = period if new else changed
        over = ended(rule, period, changed)
        steps -= 1
    _keep(one, past, done, owed, later)
    _keep(two, past_, done_, owed_, later_)
    stream[1], clock[0], clock[1], clock[2] = counter, period, changed, over
    level[one.player], level[two.player], recent[one.player], recent[two.player] = e, f, a, b
    if pair.signal.shape[0] > 0:
        recent[3] = pair.signal[joint]


@inner
def _keep(own, past, done, owed, later):  # type: ignore[no-untyped-def]
    own.pending[0], own.pending[1], own.owed[0], own.owed[1] = past, done, owed, later


@inner
def _tally(pair, tally, counts, joint):  # type: ignore[no-untyped-def]
    tally[0] += pair.payoff[0, joint]
    tally[1] += pair.payoff[1, joint]
    counts[at(joint)] += 1

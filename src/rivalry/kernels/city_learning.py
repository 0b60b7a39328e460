"""Learning in a city: every agent a table of its own, policies frozen for an epoch.

A decision is settled when its agent decides next, as in `kernels.economy_learning`. Choosing an option at a
junction takes no time: its worth is that of the bid that follows at once, not discounted.

Tables are rows of whole cache lines. The last entry of a row of values tells whether it was taught since its
agent's policy was made; the last two entries of a row of a policy tell its likeliest choice. Rows that were
taught stand in a list, which is gone through at an epoch's end.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from rivalry.kernels import draws
from rivalry.kernels.choices import exponentials
from rivalry.kernels.city import (
    AHEAD,
    Drivers,
    Tallies,
    desk_of,
    drawn,
    option_of,
    rows,
    step,
    stride,
    turn,
    width,
)
from rivalry.kernels.currency import at, high
from rivalry.kernels.economy import NOT_FINITE, RUNNING
from rivalry.kernels.economy_learning import EXPECTED, SARSA, EpochRule, paced, staged
from rivalry.kernels.history import inner
from rivalry.kernels.memory import aligned, prefetch
from rivalry.kernels.shapes import City

BLOCK = 32
"""Rows whose softmax is worked out together."""

_MASS = 0xFFFFFFFF
_WHOLE = 2.0**32


class CityLearning(NamedTuple):
    """What is learned. Made by `begin`; tables ``[agent row karma stride]`` are float32."""

    q: np.ndarray
    policy: np.ndarray  # cumulative
    visits: np.ndarray  # int32; absent where the step size does not depend on them
    pending: np.ndarray  # [agent]: the decision not settled yet, as a place in a flat table; -1: none
    made: np.ndarray  # [agent 2], float64: the beta and epsilon that its policy was made with


class Board(NamedTuple):
    """What rows are worked out on."""

    listed: np.ndarray  # [row+1], int64: numbers of rows that were taught
    length: np.ndarray  # [1]: how many
    taken: np.ndarray  # [agent], uint8: whether it takes its new policy
    x: np.ndarray  # [entry]
    scale: np.ndarray  # [entry]
    bits: np.ndarray  # [entry]: the same memory as int64
    rows: np.ndarray  # [row]: those that are worked out together
    count: np.ndarray  # [row]: how many entries they have


def begin(city: City, rule: EpochRule, q0: float = 0.0) -> CityLearning:
    """Learning from the value ``q0`` of every choice on."""
    agents, line = len(city.type_of), stride(city)
    shape = (agents, rows(city), city.most + 1, line)
    q = np.full(shape, q0, dtype=np.float32)
    q[..., -1] = 1.0  # every row is to be worked out
    learning = CityLearning(
        q=aligned(q),
        policy=aligned(np.zeros(shape, dtype=np.float32)),
        visits=np.zeros(shape if rule.power != 0 else (0, 0, 0, 0), dtype=np.int32),
        pending=np.full(agents, -1),
        made=np.full((agents, 2), np.nan),
    )
    _renew_all(city, rule, learning)
    return learning


def chances(city: City, policy: np.ndarray) -> np.ndarray:
    """A policy ``[agent row karma stride]`` as chances ``[agent row karma entry]``, in float64."""
    entries = max(city.most + 1, city.options.shape[2])
    cumulative = np.empty((*policy.shape[:3], entries))
    cumulative[..., : entries - 1] = policy[..., : entries - 1]
    cumulative[..., entries - 1] = 1.0
    counts = entry_counts(city)[..., None]
    cumulative = np.where(np.arange(entries) >= counts - 1, 1.0, cumulative)
    found: np.ndarray = np.diff(cumulative, axis=-1, prepend=0.0)
    return found


def policy_rows(city: City, given: np.ndarray) -> np.ndarray:
    """A policy of chances ``[agent row karma entry]`` as kernels take it, ``[agent row karma stride]``."""
    line = stride(city)
    found = aligned(np.zeros((*given.shape[:3], line), dtype=np.float32))
    found[..., : given.shape[3]] = np.minimum(np.cumsum(given, axis=-1), 1.0)
    bits = found.view(np.uint32)
    bits[..., -1] = given.argmax(axis=-1)
    bits[..., -2] = np.minimum(given.max(axis=-1) * _WHOLE, _MASS).astype(np.uint32)
    return found


def entry_counts(city: City) -> np.ndarray:
    """How many choices there are, ``[agent row karma]``: bids up to the karma held, or options."""
    agents, levels = len(city.type_of), city.most + 1
    places, junctions = city.lane.shape[1], city.options.shape[1]
    counts = np.empty((agents, rows(city), levels), dtype=np.int64)
    counts[...] = np.arange(1, levels + 1)
    counts[:, -1] = 1
    if junctions:
        wide = (city.options >= 0).sum(axis=2)[city.journeys]  # [agent slot junction]
        wide = np.maximum(np.repeat(wide, city.stakes.shape[1], axis=1), 1)  # [agent trip junction]
        own = counts[:, :-1].reshape(agents, -1, places + junctions, levels)
        own[:, :, places:] = wide[..., None]
    return counts


def learn(
    city: City, rule: EpochRule, drivers: Drivers, learning: CityLearning, tallied: Tallies, steps: int
) -> None:
    """Learn for ``steps`` further steps; drivers, learning and tallies change in place.

    Look at ``drivers.status`` afterwards: a run that went wrong has stopped.
    """
    with draws.quiet():
        _learn(city, rule, drivers, learning, tallied, steps)


@njit(cache=True, nogil=True)
def _learn(city, rule, drivers, learning, tallied, steps):  # type: ignore[no-untyped-def]
    desk, board = desk_of(city, drivers), _board(learning.q)
    q, policy, line = learning.q.reshape(-1), learning.policy.reshape(-1), learning.q.shape[3]
    bits, visits, junctions = policy.view(np.uint32), learning.visits.reshape(-1), city.options.shape[1] > 0
    for _ in range(steps):
        if drivers.status[0] != RUNNING:
            break
        draws.words(drivers.stream, desk.words)
        bad = False
        if junctions:
            bad = _take_turns(city, rule, drivers, learning, desk, board, q, policy, bits, visits)
        _choose(city, drivers, desk, q, policy, bits, line)
        bad |= _teach(city, rule, drivers, learning, desk, board, q, policy, visits)
        if bad:
            drivers.status[0], drivers.status[1] = NOT_FINITE, drivers.clock[0]
            break
        step(city, drivers, desk, tallied)
        if drivers.clock[0] % rule.epoch == 0:
            _end_epoch(city, rule, drivers, learning, board, q, policy, bits)


@njit(cache=True, nogil=True)
def _board(q):  # type: ignore[no-untyped-def]
    """A board with the rows that are marked as taught."""
    line = q.shape[3]
    flat, count = q.reshape(-1), 0
    listed = np.zeros(
        flat.shape[0] // line + 1, dtype=np.int64
    )  # a row that stands there is written once more
    for row in range(flat.shape[0] // line):
        listed[count] = row
        count += flat[row * line + line - 1] != 0.0
    scale = np.zeros(BLOCK * line)
    return Board(
        listed=listed,
        length=np.full(1, count),
        taken=np.ones(q.shape[0], dtype=np.uint8),
        x=np.zeros(BLOCK * line),
        scale=scale,
        bits=scale.view(np.int64),
        rows=np.zeros(BLOCK, dtype=np.int64),
        count=np.zeros(BLOCK, dtype=np.int64),
    )


@inner
def _mark(q, line, board, row):  # type: ignore[no-untyped-def]
    """A row is put on the list, unless it stands there."""
    marked = at(row * line + line - 1)
    board.listed[at(board.length[0])] = row
    board.length[0] += q[marked] == 0.0
    q[marked] = 1.0


@inner
def _choose(city, drivers, desk, q, policy, bits, line):  # type: ignore[no-untyped-def]
    """Everybody's bid, as `kernels.city.choose`; values are asked for, too."""
    agents, karma = desk.bids.shape[0], drivers.karma
    known = (city.law.shape[1] - 1) * (city.lane.shape[1] + city.options.shape[1]) + 1
    for i in range(agents):
        desk.entry[i] = ((i * known + desk.row[i]) * (city.most + 1) + karma[i]) * line
    for i in range(agents):
        ahead = at(desk.entry[min(i + AHEAD, agents - 1)])
        prefetch(policy, ahead)
        prefetch(q, ahead)
        first, count = desk.entry[i], 1 if desk.row[i] == known - 1 else karma[i] + 1
        desk.bids[i] = drawn(policy, bits, first, count, line, high(desk.words[i]))
        desk.entry[i] = first + desk.bids[i]


@inner
def _teach(city, rule, drivers, learning, desk, board, q, policy, visits):  # type: ignore[no-untyped-def]
    """What was pending is settled by the bids that are made; tells whether a value is no finite number."""
    alpha, bad = staged(rule.alpha, rule.alpha_until, drivers.clock[0]), False
    line, pending, plain = learning.q.shape[3], learning.pending, rule.target == SARSA
    for i in range(pending.shape[0]):
        place, entry = pending[i], desk.entry[i]
        pending[i] = entry
        if place < 0:
            continue
        if plain:
            worth = np.float64(q[at(entry)])
        else:
            first, last = entry - desk.bids[i], city.most + 1
            count = 1 if desk.row[i] == learning.q.shape[1] - 1 else drivers.karma[i] + 1
            worth = _worth(rule.target, q, policy, first, min(count, last), desk.bids[i])
        pace = alpha if rule.power == 0.0 else _paced(alpha, rule.power, visits, place)
        old = np.float64(q[at(place)])
        new = old - pace * (old - drivers.reward[i] - desk.factor[i] * worth)
        q[at(place)] = new
        bad |= new - new != 0.0
        _mark(q, line, board, place // line)
    return bad


@inner
def _paced(alpha, power, visits, place):  # type: ignore[no-untyped-def]
    visits[at(place)] += 1
    return alpha * paced(np.int64(visits[at(place)]), power)


@inner
def _worth(target, q, policy, first, count, choice):  # type: ignore[no-untyped-def]
    """What a row is worth where ``choice`` is made there: that, the mean, or the best."""
    if target == SARSA:
        return np.float64(q[at(first + choice)])
    if target == EXPECTED:
        mean, before = 0.0, 0.0
        for b in range(count):
            upto = np.float64(policy[at(first + b)]) if b < count - 1 else 1.0
            mean += (upto - before) * q[at(first + b)]
            before = upto
        return mean
    top = np.float64(q[at(first)])
    for b in range(1, count):
        top = max(top, np.float64(q[at(first + b)]))
    return top


@inner
def _take_turns(city, rule, drivers, learning, desk, board, q, policy, bits, visits):  # type: ignore[no-untyped-def]
    """Those at a junction take an option, which settles what was pending."""
    alpha, bad, line = staged(rule.alpha, rule.alpha_until, drivers.clock[0]), False, learning.q.shape[3]
    for i in range(learning.pending.shape[0]):
        gamma = city.discount[city.type_of[i]]
        desk.factor[i] = gamma
        if drivers.spot[i] >= -1:
            continue
        option, first = option_of(city, drivers, desk, policy, bits, line, i)
        place = learning.pending[i]
        if place >= 0:
            journey = city.journeys[i, drivers.trip[i] // city.stakes.shape[1]]
            count = width(city, journey, -2 - drivers.spot[i])
            worth = _worth(rule.target, q, policy, first, count, option)
            pace = alpha if rule.power == 0.0 else _paced(alpha, rule.power, visits, place)
            old = np.float64(q[at(place)])
            new = old - pace * (old - drivers.reward[i] - gamma * worth)
            q[at(place)] = new
            bad |= new - new != 0.0
            _mark(q, line, board, place // line)
        learning.pending[i] = first + option
        drivers.reward[i], desk.factor[i] = 0.0, 1.0
        turn(city, drivers, desk, i, option)
    return bad


@njit(cache=True, nogil=True)
def _renew_all(city, rule, learning):  # type: ignore[no-untyped-def]
    """All agents take the policies of their values, as at the beginning."""
    board = _board(learning.q)
    policy = learning.policy.reshape(-1)
    _renew(city, rule, learning, board, 0, learning.q.reshape(-1), policy, policy.view(np.uint32))


@inner
def _end_epoch(city, rule, drivers, learning, board, q, policy, bits):  # type: ignore[no-untyped-def]
    """Agents take their new policies, each with the chance given."""
    if rule.renewal < 1.0:
        for i in range(board.taken.shape[0]):
            board.taken[i] = draws.uniform(drivers.stream) < rule.renewal
    _renew(city, rule, learning, board, drivers.clock[0] // rule.epoch, q, policy, bits)


@inner
def _renew(city, rule, learning, board, epoch, q, policy, bits):  # type: ignore[no-untyped-def]
    """The rows on the list become soft greedy; those of agents who keep their policy stay there.

    So does the row of a choice that is still to be taught.
    """
    beta = staged(rule.beta, rule.beta_until, epoch)
    epsilon = staged(rule.epsilon, rule.epsilon_until, epoch)
    line, levels, known = learning.q.shape[3], city.most + 1, learning.q.shape[1]
    for i in range(learning.made.shape[0]):
        stale = learning.made[i, 0] != beta or learning.made[i, 1] != epsilon
        if board.taken[i] and stale:
            learning.made[i, 0], learning.made[i, 1] = beta, epsilon
            for row in range(i * known * levels, (i + 1) * known * levels):
                _mark(q, line, board, row)
    length, kept, n = board.length[0], 0, 0
    while n < length:
        together, filled = 0, 0
        while n < length and together < BLOCK:
            ahead = at(board.listed[min(n + AHEAD, length - 1)] * line)
            prefetch(q, ahead)
            prefetch(policy, ahead)
            row = board.listed[n]
            n += 1
            if board.taken[row // (known * levels)]:
                board.rows[together], board.count[together] = row, _count(city, row, known)
                _weigh(board.x, q, row * line, filled, board.count[together], beta)
                filled += board.count[together]
                together += 1
            else:
                board.listed[kept] = row
                kept += 1
        exponentials(board.x, board.scale, board.bits, filled)
        filled = 0
        for m in range(together):
            row, count = board.rows[m], board.count[m]
            _accumulate(board.x, filled, count, row * line, epsilon, policy, bits, line)
            filled += count
            held = np.int64(learning.pending[row // (known * levels)] // line == row)
            q[at(row * line + line - 1)] = held
            board.listed[kept] = row
            kept += held
    board.length[0] = kept


@inner
def _count(city, row, known):  # type: ignore[no-untyped-def]
    """How many choices there are in a row."""
    levels, places = city.most + 1, city.lane.shape[1]
    z, k, spots = row // levels % known, row % levels, places + city.options.shape[1]
    if z == known - 1:
        return 1
    if z % spots < places:
        return k + 1
    journey = city.journeys[row // (levels * known), z // spots // city.stakes.shape[1]]
    return max(width(city, journey, z % spots - places), 1)


@inner
def _weigh(x, q, first, begin, count, beta):  # type: ignore[no-untyped-def]
    """``beta`` times how far a row's values are below the best of them."""
    top = np.float64(q[at(first)])
    for b in range(1, count):
        value = np.float64(q[at(first + b)])
        top = value if value > top else top
    for b in range(count):
        x[at(begin + b)] = beta * (q[at(first + b)] - top)


@inner
def _accumulate(x, begin, count, first, epsilon, policy, bits, line):  # type: ignore[no-untyped-def]
    """One row's cumulative policy, and its likeliest choice, from weights whose largest is 1."""
    mode, running = count - 1, 0.0
    for b in range(count - 1, -1, -1):
        mode = b if x[at(begin + b)] == 1.0 else mode
    for b in range(count):
        running += x[at(begin + b)]
        x[at(begin + b)] = running
    kept, spread = (1.0 - epsilon) / running, epsilon / count
    for b in range(count - 1):
        policy[at(first + b)] = min(x[at(begin + b)] * kept + spread * (b + 1.0), 1.0)
    mass = np.int64((kept + spread) * _WHOLE)
    bits[at(first + line - 1)] = mode
    bits[at(first + line - 2)] = mass if mass < _MASS else np.int64(_MASS)

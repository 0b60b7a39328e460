"""Q-learning in a city with one table per agent and policies fixed for an epoch.

A decision is updated when its agent decides next, as in `economies.kernels.economy_learning`. Choosing an
option at a junction takes no time: its value is that of the bid that follows immediately, undiscounted.

A row of values is not updated before its agent has chosen from it. So a policy is computed where it is first
needed after its agent adopted it, and only policies of states visited since then are stored. What an agent
has pending at the end of an epoch is updated after it: its row is computed when the policy is adopted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.economies.kernels import city as kernel
from rivalry.economies.kernels import economy_learning as updates
from rivalry.economies.kernels.choices import MASS, WHOLE, accumulate, exponentials, mass_of, weigh
from rivalry.economies.kernels.city import CityTallies, Drivers, rows, stride
from rivalry.economies.kernels.currency import at, high
from rivalry.economies.kernels.economy import NOT_FINITE, RUNNING
from rivalry.economies.kernels.economy_learning import SARSA, EpochRule
from rivalry.economies.kernels.shapes import CityArrays
from rivalry.tables.kernels import draws
from rivalry.tables.kernels.cache import inline, loop
from rivalry.tables.kernels.memory import LINE, align, prefetch, zeros

BLOCK = 32
"""Agents whose softmax is computed together."""

SUMS = 1e-6
"""Tolerance of a row's sum of probabilities."""


class CityLearning(NamedTuple):
    """Learned tables; created by `begin`.

    A block of ``q`` has a row of values for each karma, where `starts` says, behind a *mark* in 32 bits: 0,
    or the number of its policy. An agent's rows of policies are numbered as they are computed.
    """

    q: ndarray  # [agent row cell], float32
    visits: ndarray  # like q, int32; absent where the step size does not depend on them
    policy: ndarray  # [agent slot stride], float32: cumulative, and the most likely choice
    first: ndarray  # [agent]: number of the row in its first slot; smaller ones are of earlier policies
    used: ndarray  # [agent]: number of slots
    pending: ndarray  # [agent]: the decision not updated yet, as an index of the flat table; -1: none
    made: ndarray  # [agent 2], float64: beta and epsilon of its policy


class RowBuffers(NamedTuple):
    """Buffers for computing rows."""

    start: ndarray  # [karma]: of the first value in a block
    begin: ndarray  # [agent]: where the row that it chooses from begins in the flat table of values
    counts: ndarray  # [agent]: number of choices there
    place: ndarray  # [agent]: where its policy begins in the flat policies
    missing: ndarray  # [number]: agents whose rows are to be computed
    x: ndarray  # [entry]
    scale: ndarray  # [entry]
    bits: ndarray  # [entry]: the same memory as int64


def starts(city: CityArrays) -> tuple[ndarray, int]:
    """Return the index of the mark of each karma in a block, ``[karma]``, and the length of a block.

    Rows of bids share cache lines, the longest first; none that fits into a line crosses its end. With
    junctions, whose rows are as long at every karma, rows are `stride` apart.
    """
    levels, line = city.most + 1, LINE // 4
    if city.options.shape[1]:
        return np.arange(levels) * stride(city), levels * stride(city)
    start, room, lines = np.zeros(levels, dtype=np.int64), dict[int, int](), 0
    for k in reversed(range(levels)):
        cells = k + 2
        shared = next((number for number, left in room.items() if left >= cells), None)
        if shared is not None:
            start[k] = (shared + 1) * line - room[shared]
            room[shared] -= cells
        else:
            start[k] = lines * line
            lines += -(-cells // line)
            room[lines - 1] = -cells % line
    return start, lines * line


def shapes_of(city: CityArrays, rule: EpochRule) -> dict[str, tuple[int, int, int]]:
    """Return the shapes of the tables, whose numbers have 32 bits."""
    agents, slots = len(city.type_of), rows(city) * (city.most + 1)
    if rule.renewal >= 1.0:  # states that an agent meets in an epoch
        slots = min(slots, rule.epoch * (2 if city.options.shape[1] else 1) + 1)
    values = agents, rows(city), starts(city)[1]
    visits = values if rule.power else (0, 0, 0)
    # one more slot for a row that is not kept
    return {"q": values, "visits": visits, "policy": (agents, slots + 1, stride(city))}


def begin(city: CityArrays, rule: EpochRule, initial_q: float = 0.0) -> CityLearning:
    """Return learning tables with the initial value ``initial_q``."""
    agents, (start, _), shapes = len(city.type_of), starts(city), shapes_of(city, rule)
    q = zeros(shapes["q"])
    if initial_q:
        q[...] = initial_q
        q[..., start] = 0.0
    beta = rule.beta[np.count_nonzero(rule.beta_until[:-1] <= 0)]
    return CityLearning(
        q=q,
        visits=np.zeros(shapes["visits"], dtype=np.int32),
        policy=zeros(shapes["policy"]),
        first=np.ones(agents, dtype=np.int64),
        used=np.zeros(agents, dtype=np.int64),
        pending=np.full(agents, -1),
        made=np.tile([beta, rule.epsilon], (agents, 1)),
    )


def of_agents(city: CityArrays, agents: ndarray) -> CityArrays:
    """Return the city as that of some agents."""
    return city._replace(type_of=city.type_of[agents], journeys=city.journeys[agents])


def values_of(city: CityArrays, q: ndarray, agents: ndarray) -> ndarray:
    """Return values of some agents, ``[agent row karma entry]``, 0 where there is no such choice."""
    entry = np.arange(max(city.most + 1, city.options.shape[2]))
    start, block = starts(city)
    cells = np.minimum(start[:, None] + 1 + entry, block - 1)
    legal = entry < entry_counts(of_agents(city, agents))[..., None]
    return np.where(legal, q[agents][:, :, cells], np.float32(0.0))


def policies_of(city: CityArrays, learning: CityLearning, agents: ndarray) -> ndarray:
    """Return policies of some agents as rows for `economies.kernels.city.play`."""
    table = np.zeros((len(agents), rows(city), city.most + 1, stride(city)), dtype=np.float32)
    _fill_rows(city, learning, _rows(city), agents, entry_counts(of_agents(city, agents)), table)
    return table


def _rows(city: CityArrays) -> RowBuffers:
    agents, scale = len(city.type_of), np.zeros((BLOCK + 1) * stride(city))
    begin, count, place = (np.zeros(agents, dtype=np.int64) for _ in range(3))
    missing, x = np.zeros(BLOCK, dtype=np.int64), np.zeros(scale.size)
    return RowBuffers(starts(city)[0] + 1, begin, count, place, missing, x, scale, scale.view(np.int64))


def chances(city: CityArrays, policy: ndarray) -> ndarray:
    """Return a policy ``[agent row karma stride]`` as probabilities ``[agent row karma entry]``, float64."""
    entries = max(city.most + 1, city.options.shape[2])
    probabilities, counts = np.empty((*policy.shape[:3], entries)), entry_counts(city)[..., None]
    for agent in range(len(policy)):  # one at a time: tables are large
        # kernels do not write the last entry of a row, which is 1
        is_final = np.arange(entries) >= counts[agent] - 1
        probabilities[agent] = np.diff(
            np.where(is_final, 1.0, policy[agent, ..., :entries]), axis=-1, prepend=0.0
        )
    return probabilities


def policy_rows(city: CityArrays, probabilities: ndarray) -> ndarray:
    """Return probabilities ``[agent row karma entry]`` as a kernel policy ``[agent row karma stride]``."""
    line = stride(city)
    rows = align(np.zeros((*probabilities.shape[:3], line), dtype=np.float32))
    rows[..., : probabilities.shape[3]] = np.minimum(np.cumsum(probabilities, axis=-1), 1.0)
    bits = rows.view(np.uint32)
    bits[..., -1] = probabilities.argmax(axis=-1)
    bits[..., -2] = np.minimum(probabilities.max(axis=-1) * WHOLE, MASS).astype(np.uint32)
    return rows


def entry_counts(city: CityArrays) -> ndarray:
    """Return the number of choices, ``[agent row karma]``: bids up to the karma held, or options."""
    agents, levels = len(city.type_of), city.most + 1
    places, junctions = city.lane.shape[1], city.options.shape[1]
    counts = np.empty((agents, rows(city), levels), dtype=np.int64)
    counts[...] = np.arange(1, levels + 1)
    counts[:, -1] = 1
    if junctions:
        wide = (city.options >= 0).sum(axis=2)[city.journeys]  # [agent slot junction]
        wide = np.maximum(np.repeat(wide, city.stakes.shape[1], axis=1), 1)  # [agent trip junction]
        by_place = counts[:, :-1].reshape(agents, -1, places + junctions, levels)
        by_place[:, :, places:] = wide[..., None]
    return counts


def check_policy(city: CityArrays, source: object, name: str) -> ndarray:
    """Return a policy ``[agent row karma entry]``. Raises `ValueError` where rows are no distributions."""
    counts = entry_counts(city)
    shape = (*counts.shape, max(city.most + 1, city.options.shape[2]))
    try:
        table = np.asarray(source, dtype=float)
    except (TypeError, ValueError):
        table = np.zeros(0)
    if table.shape != shape:
        description = f"shape {table.shape}" if table.size else type(source).__name__
        raise ValueError(
            f"{name}: {description} must be {shape} (agent, row, karma, entry), a name or a function"
        )
    is_illegal = np.arange(shape[3]) >= counts[..., None]
    for wrong, rule in (
        (~(table >= 0), "must be a probability"),
        (is_illegal & (table > 0), "must be 0: there is no such choice"),
        (np.abs(table.sum(axis=-1, keepdims=True) - 1) > SUMS, "its row must sum to 1"),
    ):
        if wrong.any():
            agent, row, karma, entry = (int(n) for n in np.argwhere(wrong)[0])
            where = f"agent {agent} in row {row} with karma {karma}"
            raise ValueError(
                f"{name}: {where} has {table[agent, row, karma, entry]:g} on entry {entry}; {rule}"
            )
    return table


def learn(
    city: CityArrays,
    rule: EpochRule,
    drivers: Drivers,
    learning: CityLearning,
    tallied: CityTallies,
    steps: int,
) -> None:
    """Learn for ``steps`` further steps; drivers, learning and tallies change in place.

    After an error, reported in ``drivers.status``, the run stops.
    """
    with draws.quiet():
        _learn_steps(city, rule, drivers, learning, kernel.buffers_of(city), _rows(city), tallied, steps)


def play(
    city: CityArrays, drivers: Drivers, learning: CityLearning, tallied: CityTallies, steps: int
) -> None:
    """Simulate ``steps`` further steps of the agents' policies, which do not change."""
    with draws.quiet():
        _play_steps(city, drivers, learning, kernel.buffers_of(city), _rows(city), tallied, steps)


@loop
def _learn_steps(city, rule, drivers, learning, buffers, work, tallied, steps):  # type: ignore[no-untyped-def]
    kernel.locate_all(city, drivers, buffers)
    q, policy, visits = learning.q.reshape(-1), learning.policy.reshape(-1), learning.visits.reshape(-1)
    marks, bits = q.view(np.uint32), policy.view(np.uint32)
    for _ in range(steps):
        if drivers.status[0] != RUNNING:
            break
        draws.words(drivers.stream, buffers.words)
        turns = (buffers.junctions, q, marks, policy, bits, visits)
        bad = _take_turns(city, rule, drivers, learning, buffers, work, *turns)
        _choose(drivers, learning, buffers, work, q, marks, policy, bits, True)
        bad |= _teach(rule, drivers, learning, buffers, work, q, policy, visits)
        if bad:
            drivers.status[0], drivers.status[1] = NOT_FINITE, drivers.clock[0]
            break
        kernel.step(city, drivers, buffers, tallied)
        if drivers.clock[0] % rule.epoch == 0:
            _end_epoch(rule, drivers, learning, work, q, marks, policy, bits)


@loop
def _play_steps(city, drivers, learning, buffers, work, tallied, steps):  # type: ignore[no-untyped-def]
    kernel.locate_all(city, drivers, buffers)
    q, policy = learning.q.reshape(-1), learning.policy.reshape(-1)
    marks, bits = q.view(np.uint32), policy.view(np.uint32)
    for _ in range(steps):
        if drivers.status[0] != RUNNING:
            break
        draws.words(drivers.stream, buffers.words)
        _turn(city, drivers, learning, buffers, work, buffers.junctions, q, marks, policy, bits)
        _choose(drivers, learning, buffers, work, q, marks, policy, bits, False)
        kernel.step(city, drivers, buffers, tallied)


@loop
def _fill_rows(city, learning, work, agents, counts, table):  # type: ignore[no-untyped-def]
    """Write the policies of agents into ``table [agent row karma stride]``."""
    q, policy = learning.q.reshape(-1), learning.policy.reshape(-1)
    marks, bits = q.view(np.uint32), policy.view(np.uint32)
    for n in range(agents.shape[0]):
        for row in range(table.shape[1]):
            for k in range(table.shape[2]):
                _point(learning, work, agents[n], row, k, counts[n, row, k])
                _find(learning, work, q, marks, policy, bits, agents[n], False)
                place, line = work.place[agents[n]], table.shape[3]
                table[n, row, k, line - 2 :] = policy[place + line - 2 : place + line]
                last = counts[n, row, k] - 1
                table[n, row, k, :last] = policy[place : place + last]


@inline
def _point(learning, work, i, row, k, count):  # type: ignore[no-untyped-def]
    """Store where the row of an agent's choice begins, and the number of its choices."""
    work.begin[i] = (i * learning.q.shape[1] + row) * learning.q.shape[2] + work.start[at(k)]
    work.counts[i] = count


@inline
def _misses(learning, work, marks, i):  # type: ignore[no-untyped-def]
    """Store where the policy of an agent's row is or will be; return whether it is to be computed."""
    slot = np.int64(marks[at(work.begin[i] - 1)]) - learning.first[i]
    misses = slot < 0
    slot = learning.used[i] if misses else slot
    work.place[i] = (i * learning.policy.shape[1] + slot) * learning.policy.shape[2]
    return misses


@inline
def _find(learning, work, q, marks, policy, bits, i, keep):  # type: ignore[no-untyped-def]
    """Store where the policy of an agent's row is, and compute it where it has none."""
    if _misses(learning, work, marks, i):
        work.missing[0] = i
        _compute(learning, work, q, marks, policy, bits, 1, keep)


@inline
def _compute(learning, work, q, marks, policy, bits, number, keep):  # type: ignore[no-untyped-def]
    """Compute the rows that ``number`` agents miss; each is overwritten by the next, unless kept."""
    filled, line = 0, learning.policy.shape[2]
    for n in range(number):
        i = at(work.missing[n])
        weigh(work.x, filled, q, work.begin[i], work.counts[i] - 1, learning.made[i, 0])
        filled += work.counts[i]
    exponentials(work.x, work.scale, work.bits, filled)
    filled = 0
    for n in range(number):
        i = at(work.missing[n])
        place, count = work.place[i], work.counts[i]
        mode, share = accumulate(work.x, filled, count - 1, policy, place, learning.made[i, 1])
        bits[at(place + line - 1)], bits[at(place + line - 2)] = mode, mass_of(share)
        filled += count
        if keep:
            marks[at(work.begin[i] - 1)] = learning.first[i] + learning.used[i]
            learning.used[i] += 1


@inline
def _choose(drivers, learning, buffers, work, q, marks, policy, bits, keep):  # type: ignore[no-untyped-def]
    """Draw all bids; the rows of later agents are prefetched."""
    agents, line, dormant = buffers.bids.shape[0], learning.policy.shape[2], learning.q.shape[1] - 1
    for i in range(agents):
        k = drivers.karma[i]
        _point(learning, work, i, buffers.row[i], k, 1 if buffers.row[i] == dormant else k + 1)
    for first in range(0, agents, BLOCK):
        upto, missing = min(first + BLOCK, agents), 0
        for i in range(first, upto):
            prefetch(q, at(work.begin[min(i + BLOCK, agents - 1)] - 1))
            work.missing[at(missing)] = i
            missing += _misses(learning, work, marks, i)
            prefetch(policy, at(work.place[i]))
        if missing > 0:
            _compute(learning, work, q, marks, policy, bits, missing, keep)
        for i in range(first, upto):
            lot = high(buffers.words[i])
            buffers.bids[i] = kernel.sample(policy, bits, work.place[i], work.counts[i], line, lot)
            buffers.entry[i] = work.begin[i] + buffers.bids[i]


@inline
def _teach(rule, drivers, learning, buffers, work, q, policy, visits):  # type: ignore[no-untyped-def]
    """Update pending decisions by the bids made; return whether a value is not finite."""
    alpha, bad = updates.stage_value(rule.alpha, rule.alpha_until, drivers.clock[0]), False
    pending, plain = learning.pending, rule.target == SARSA
    for i in range(pending.shape[0]):
        place, entry, begin, count = pending[i], buffers.entry[i], work.begin[i], work.counts[i]
        pending[i] = entry
        if place < 0:
            continue
        if plain:
            ahead = np.float64(q[at(entry)])
        else:
            ahead = updates.next_value(
                rule.target, q, begin, begin, policy, work.place[i], count - 1, buffers.bids[i]
            )
        pace = alpha if rule.power == 0.0 else alpha * updates.visit_factor(visits, place, rule.power)
        # the factor is 1 after a choice of an option, which takes no time
        bad |= updates.update(q, place, pace, drivers.reward[i], buffers.factor[i], ahead)
    return bad


@inline
def _option(city, drivers, learning, buffers, work, q, marks, policy, bits, i, keep):  # type: ignore[no-untyped-def]
    """Return the option drawn by an agent's policy at its junction."""
    journey = city.journeys[i, drivers.trip[i] // city.stakes.shape[1]]
    count = kernel.width(city, journey, -2 - drivers.spot[i])
    _point(learning, work, i, buffers.row[i], drivers.karma[i], count)
    _find(learning, work, q, marks, policy, bits, i, keep)
    return kernel.sample(policy, bits, work.place[i], count, learning.policy.shape[2], kernel.lot_of(drivers))


@inline
def _turn(city, drivers, learning, buffers, work, junctions, q, marks, policy, bits):  # type: ignore[no-untyped-def]
    """Draw options of agents at junctions."""
    if junctions is None:
        return
    for i in range(learning.pending.shape[0]):
        if drivers.spot[i] < -1:
            option = _option(city, drivers, learning, buffers, work, q, marks, policy, bits, i, False)
            kernel.turn(city, drivers, buffers, i, option)


@inline
def _take_turns(city, rule, drivers, learning, buffers, work, junctions, q, marks, policy, bits, visits):  # type: ignore[no-untyped-def]
    """Draw options of agents at junctions and update their pending decisions."""
    if junctions is None:
        return False
    alpha, bad = updates.stage_value(rule.alpha, rule.alpha_until, drivers.clock[0]), False
    for i in range(learning.pending.shape[0]):
        gamma = city.discount[city.type_of[i]]
        buffers.factor[i] = gamma
        if drivers.spot[i] >= -1:
            continue
        option = _option(city, drivers, learning, buffers, work, q, marks, policy, bits, i, True)
        place, begin, count = learning.pending[i], work.begin[i], work.counts[i]
        if place >= 0:
            ahead = updates.next_value(rule.target, q, begin, begin, policy, work.place[i], count - 1, option)
            pace = alpha if rule.power == 0.0 else alpha * updates.visit_factor(visits, place, rule.power)
            bad |= updates.update(q, place, pace, drivers.reward[i], gamma, ahead)
        learning.pending[i] = begin + option
        # the option is worth the bid that follows at once: no reward and no discount in between
        drivers.reward[i], buffers.factor[i] = 0.0, 1.0
        kernel.turn(city, drivers, buffers, i, option)
    return bad


@inline
def _end_epoch(rule, drivers, learning, work, q, marks, policy, bits):  # type: ignore[no-untyped-def]
    """Let agents adopt the policies of their values, each with the given probability.

    Of an agent that does, ``work`` has the row of the decision that is pending.
    """
    beta = updates.stage_value(rule.beta, rule.beta_until, drivers.clock[0] // rule.epoch)
    agents = learning.pending.shape[0]
    for first in range(0, agents, BLOCK):
        missing = 0
        for i in range(first, min(first + BLOCK, agents)):
            if rule.renewal < 1.0 and draws.uniform(drivers.stream) >= rule.renewal:
                continue
            learning.first[i] += learning.used[i]
            if learning.first[i] + learning.policy.shape[1] > MASS:
                _renumber(learning, work, marks, i)
            learning.used[i], learning.made[i, 0], learning.made[i, 1] = 0, beta, rule.epsilon
            work.missing[at(missing)] = i
            missing += _misses(learning, work, marks, i)
        _compute(learning, work, q, marks, policy, bits, missing, True)


@inline
def _renumber(learning, work, marks, i):  # type: ignore[no-untyped-def]
    """Number an agent's rows from 1 again, since marks have 32 bits."""
    learning.first[i] = 1
    for row in range(learning.q.shape[1]):
        for k in range(work.start.shape[0]):
            marks[at((i * learning.q.shape[1] + row) * learning.q.shape[2] + work.start[k] - 1)] = 0

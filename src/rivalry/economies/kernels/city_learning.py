"""Q-learning in a city with one table per agent and policies fixed for an epoch.

A decision is updated when its agent decides next, as in `economies.kernels.economy_learning`. Choosing an
option at a junction takes no time: its value is that of the bid that follows immediately, undiscounted.

Tables consist of rows of whole cache lines. The last entry of a row of values marks an update since its
agent's policy was computed; the last two entries of a row of a policy hold its most likely choice. Updated
rows are listed per agent, and the list is processed at the end of an epoch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.economies.kernels import city as kernel
from rivalry.economies.kernels import economy_learning as updates
from rivalry.economies.kernels.choices import MASS, WHOLE, accumulate, exponentials, mass_of, weigh
from rivalry.economies.kernels.city import AHEAD, CityTallies, Drivers, rows, stride
from rivalry.economies.kernels.currency import at
from rivalry.economies.kernels.economy import NOT_FINITE, RUNNING
from rivalry.economies.kernels.economy_learning import SARSA, EpochRule
from rivalry.economies.kernels.shapes import CityArrays
from rivalry.tables.kernels import draws
from rivalry.tables.kernels.cache import inline, loop
from rivalry.tables.kernels.memory import align, prefetch

BLOCK = 32
"""Rows whose softmax is computed together."""

SUMS = 1e-6
"""Tolerance of a row's sum of probabilities."""


class CityLearning(NamedTuple):
    """Learned tables ``[agent row karma stride]``, float32; created by `begin`."""

    q: ndarray
    policy: ndarray  # cumulative
    visits: ndarray  # int32; absent where the step size does not depend on them
    pending: ndarray  # [agent]: the decision not updated yet, as an index of a flat table; -1: none
    made: ndarray  # [agent 2], float64: beta and epsilon of its policy


class UpdatedRows(NamedTuple):
    """Buffers for computing rows, numbered ``row * levels + karma`` within an agent."""

    rows: ndarray  # [agent row], int32; longer, as entries beyond the last are read ahead
    length: ndarray  # [agent]: number of rows listed
    pending_row: ndarray  # [agent]: the row of the pending choice
    counts: ndarray  # [row]: number of entries; 0 where it depends on the journey
    adopts: ndarray  # [agent], uint8: whether it adopts its new policy
    x: ndarray  # [entry]
    scale: ndarray  # [entry]
    bits: ndarray  # [entry]: the same memory as int64


def begin(city: CityArrays, rule: EpochRule, initial_q: float = 0.0) -> CityLearning:
    """Return learning tables with the initial value ``initial_q``."""
    agents, line = len(city.type_of), stride(city)
    shape = (agents, rows(city), city.most + 1, line)
    q = np.full(shape, initial_q, dtype=np.float32)
    q[..., -1] = 1.0  # every row is to be computed
    learning = CityLearning(
        q=align(q),
        policy=align(np.zeros(shape, dtype=np.float32)),
        visits=np.zeros(shape if rule.power != 0 else (0, 0, 0, 0), dtype=np.int32),
        pending=np.full(agents, -1),
        # unequal to any beta and epsilon: the first call computes every row
        made=np.full((agents, 2), np.nan),
    )
    _renew_all(city, rule, learning)
    return learning


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
        _learn(city, rule, drivers, learning, kernel.buffers_of(city), tallied, steps)


@loop
def _learn(city, rule, drivers, learning, buffers, tallied, steps):  # type: ignore[no-untyped-def]
    updated = _updated_rows(city, learning)
    kernel.locate_all(city, drivers, buffers)
    q, policy, line = learning.q.reshape(-1), learning.policy.reshape(-1), learning.q.shape[3]
    bits, visits, junctions = policy.view(np.uint32), learning.visits.reshape(-1), city.options.shape[1] > 0
    for _ in range(steps):
        if drivers.status[0] != RUNNING:
            break
        draws.words(drivers.stream, buffers.words)
        bad = False
        if junctions:
            bad = _take_turns(city, rule, drivers, learning, buffers, updated, q, policy, bits, visits)
        kernel.choose(city, drivers, buffers, q, policy, bits, line)
        bad |= _teach(city, rule, drivers, learning, buffers, updated, q, policy, visits)
        if bad:
            drivers.status[0], drivers.status[1] = NOT_FINITE, drivers.clock[0]
            break
        kernel.step(city, drivers, buffers, tallied)
        if drivers.clock[0] % rule.epoch == 0:
            _end_epoch(city, rule, drivers, learning, updated, q, policy, bits)


@loop
def _updated_rows(city, learning):  # type: ignore[no-untyped-def]
    """Return buffers with the rows marked as updated."""
    agents, levels, line = learning.q.shape[0], learning.q.shape[2], learning.q.shape[3]
    row_count, places = learning.q.shape[1], city.lane.shape[1]
    size, spots, flat = row_count * levels, places + city.options.shape[1], learning.q.reshape(-1)
    listed_rows, length = np.zeros((agents, size + AHEAD), dtype=np.int32), np.zeros(agents, dtype=np.int64)
    pending_row, counts = np.zeros(agents, dtype=np.int64), np.zeros(size, dtype=np.int64)
    for row in range(size):
        z = row // levels
        counts[row] = 1 if z == row_count - 1 else row % levels + 1 if z % spots < places else 0
    for i in range(agents):
        pending_row[i] = learning.pending[i] // line - i * size
        for row in range(size):
            listed_rows[i, length[i]] = row
            length[i] += flat[(i * size + row) * line + line - 1] != 0.0
    scale = np.zeros((BLOCK + 1) * line)
    adopts, x = np.ones(agents, dtype=np.uint8), np.zeros(scale.size)
    return UpdatedRows(listed_rows, length, pending_row, counts, adopts, x, scale, scale.view(np.int64))


@inline
def _mark(q, line, updated, i, row):  # type: ignore[no-untyped-def]
    """Add a row to its agent's list, unless it is listed already."""
    marked = at((i * updated.counts.shape[0] + row) * line + line - 1)
    # written in any case, without a branch: the length grows only for a row not listed yet
    updated.rows[at(i), at(updated.length[i])] = row
    updated.length[i] += q[marked] == 0.0
    q[marked] = 1.0


@inline
def _teach(city, rule, drivers, learning, buffers, updated, q, policy, visits):  # type: ignore[no-untyped-def]
    """Update pending decisions by the bids made; return whether a value is not finite."""
    alpha, bad = updates.stage_value(rule.alpha, rule.alpha_until, drivers.clock[0]), False
    line, pending, plain = learning.q.shape[3], learning.pending, rule.target == SARSA
    for i in range(pending.shape[0]):
        place, entry, row = pending[i], buffers.entry[i], updated.pending_row[i]
        pending[i], updated.pending_row[i] = entry, buffers.row[i] * (city.most + 1) + drivers.karma[i]
        if place < 0:
            continue
        if plain:
            ahead = np.float64(q[at(entry)])
        else:
            begin = entry - buffers.bids[i]
            k = 0 if buffers.row[i] == learning.q.shape[1] - 1 else drivers.karma[i]  # 0: dormant
            ahead = updates.next_value(rule.target, q, begin, begin, policy, begin, k, buffers.bids[i])
        pace = alpha if rule.power == 0.0 else alpha * updates.visit_factor(visits, place, rule.power)
        # the factor is 1 after a choice of an option, which takes no time
        bad |= updates.update(q, place, pace, drivers.reward[i], buffers.factor[i], ahead)
        _mark(q, line, updated, i, row)
    return bad


@inline
def _take_turns(city, rule, drivers, learning, buffers, updated, q, policy, bits, visits):  # type: ignore[no-untyped-def]
    """Draw options of agents at junctions and update their pending decisions."""
    alpha, bad, line = (
        updates.stage_value(rule.alpha, rule.alpha_until, drivers.clock[0]),
        False,
        learning.q.shape[3],
    )
    for i in range(learning.pending.shape[0]):
        gamma = city.discount[city.type_of[i]]
        buffers.factor[i] = gamma
        if drivers.spot[i] >= -1:
            continue
        option, begin = kernel.option_of(city, drivers, buffers, policy, bits, line, i)
        place = learning.pending[i]
        if place >= 0:
            journey = city.journeys[i, drivers.trip[i] // city.stakes.shape[1]]
            count = kernel.width(city, journey, -2 - drivers.spot[i])
            ahead = updates.next_value(rule.target, q, begin, begin, policy, begin, count - 1, option)
            pace = alpha if rule.power == 0.0 else alpha * updates.visit_factor(visits, place, rule.power)
            bad |= updates.update(q, place, pace, drivers.reward[i], gamma, ahead)
            _mark(q, line, updated, i, updated.pending_row[i])
        learning.pending[i] = begin + option
        updated.pending_row[i] = buffers.row[i] * (city.most + 1) + drivers.karma[i]
        # the option is worth the bid that follows at once: no reward and no discount in between
        drivers.reward[i], buffers.factor[i] = 0.0, 1.0
        kernel.turn(city, drivers, buffers, i, option)
    return bad


@loop
def _renew_all(city, rule, learning):  # type: ignore[no-untyped-def]
    """Recompute the policies of all agents, as at epoch 0."""
    updated = _updated_rows(city, learning)
    policy = learning.policy.reshape(-1)
    _renew(city, rule, learning, updated, 0, learning.q.reshape(-1), policy, policy.view(np.uint32))


@inline
def _end_epoch(city, rule, drivers, learning, updated, q, policy, bits):  # type: ignore[no-untyped-def]
    """Recompute agents' policies, each with the given probability."""
    if rule.renewal < 1.0:
        for i in range(updated.adopts.shape[0]):
            updated.adopts[i] = draws.uniform(drivers.stream) < rule.renewal
    _renew(city, rule, learning, updated, drivers.clock[0] // rule.epoch, q, policy, bits)


@inline
def _renew(city, rule, learning, updated, epoch, q, policy, bits):  # type: ignore[no-untyped-def]
    """Recompute the listed rows; those of agents that keep their policy stay listed."""
    beta = updates.stage_value(rule.beta, rule.beta_until, epoch)
    epsilon = rule.epsilon
    for i in range(learning.made.shape[0]):
        if not updated.adopts[i]:
            continue
        if learning.made[i, 0] != beta or learning.made[i, 1] != epsilon:
            learning.made[i, 0], learning.made[i, 1] = beta, epsilon
            for row in range(updated.counts.shape[0]):
                _mark(q, learning.q.shape[3], updated, i, row)
        _renew_one(city, updated, i, beta, epsilon, q, policy, bits, learning.q.shape[3])


@inline
def _renew_one(city, updated, i, beta, epsilon, q, policy, bits, line):  # type: ignore[no-untyped-def]
    """Recompute the rows on an agent's list and clear the list."""
    length, size, n = updated.length[i], updated.counts.shape[0], 0
    after = at(min(i + 1, updated.length.shape[0] - 1))
    while n < length:
        upto, filled = min(n + BLOCK, length), 0
        for m in range(n, upto):
            agent, ahead = (at(i), m + AHEAD) if m + AHEAD < length else (after, m + AHEAD - length)
            further = np.int64(agent) * size + updated.rows[agent, at(ahead)]
            # read ahead into the next agent's list: tables exceed the cache and memory access dominates
            prefetch(q, at(further * line))
            prefetch(policy, at(further * line))
            row = updated.rows[at(i), at(m)]
            count = _count(city, updated, i, row)
            weigh(updated.x, filled, q, (i * size + row) * line, count - 1, beta)
            filled += count
        exponentials(updated.x, updated.scale, updated.bits, filled)
        filled = 0
        for m in range(n, upto):
            row = updated.rows[at(i), at(m)]
            count, begin = _count(city, updated, i, row), (i * size + row) * line
            mode, share = accumulate(updated.x, filled, count - 1, policy, begin, epsilon)
            bits[at(begin + line - 1)], bits[at(begin + line - 2)] = mode, mass_of(share)
            q[at(begin + line - 1)] = 0.0
            filled += count
        n = upto
    updated.length[i] = 0


@inline
def _count(city, updated, i, row):  # type: ignore[no-untyped-def]
    """Return the number of choices in a row."""
    if updated.counts[at(row)] > 0:
        return updated.counts[at(row)]
    levels, places = city.most + 1, city.lane.shape[1]
    z, spots = row // levels, places + city.options.shape[1]
    journey = city.journeys[i, z // spots // city.stakes.shape[1]]
    return max(kernel.width(city, journey, z % spots - places), 1)

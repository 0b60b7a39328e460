"""Simulation of a city's agents: one step, and simulation of fixed policies.

Every step takes two words per agent from the stream. The upper 32 bits of an agent's first word determine its
bid and the next 30 bits its next trip. The upper half of the second word breaks ties, the lower half is used
in the redistribution. Further words are drawn only by rules that need them.

The location of an agent is a *spot*: a position of its journey, or a junction as ``-2 - j``. Its *row*
numbers what it observes except karma: from ``trip * (places + junctions)`` first positions, then junctions;
dormancy is last. Tables are ``[agent row karma stride]`` in float32, with one entry per bid or, at a
junction, per option.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.economies.kernels import city_rules as rules
from rivalry.economies.kernels import shapes
from rivalry.economies.kernels.choices import sample_rest
from rivalry.economies.kernels.currency import at, copy_into, high, total
from rivalry.economies.kernels.economy import RUNNING, UNBALANCED
from rivalry.economies.kernels.shapes import CityArrays
from rivalry.tables.kernels import draws
from rivalry.tables.kernels.cache import inline, kernel, loop
from rivalry.tables.kernels.memory import LINE, prefetch

AHEAD = 12
"""Number of agents ahead for which memory is prefetched."""


class Drivers(NamedTuple):
    """State of the agents, which a step changes; created by `fresh`."""

    stream: ndarray  # [2], uint64
    clock: ndarray  # [1]: steps
    status: ndarray  # [2]: RUNNING or an error, and the step of the error, from 0
    karma: ndarray  # [agent]
    trip: ndarray  # [agent]
    spot: ndarray  # [agent]: the location on its journey
    pool: ndarray  # [1]: surplus not redistributed
    reward: ndarray  # [agent], float64: of the last step; for members of a coalition their mean
    asked: ndarray  # [agent]: steps in which it wanted a lane
    passed: ndarray  # [agent]: of these, admitted
    lucky: ndarray  # [agent]: a permutation, for the redistribution


class CityTallies(NamedTuple):
    """Sums over steps, updated in place; arrays of length 0 where none are wanted."""

    rewards: ndarray  # [agent], float64: its own
    asked: ndarray  # [agent]
    passed: ndarray  # [agent]
    trips: ndarray  # [agent]: trips ended
    asked_on: ndarray  # [agent trip]: steps in which it wanted a lane
    bids_on: ndarray  # [agent trip]: sum of its bids there
    wanted: ndarray  # [lane]: agent-steps
    admitted: ndarray  # [lane]
    bids: ndarray  # [lane bid]: number of bids
    chances: ndarray  # [lane bid], float64: sum over requests of its probability of admission
    free: ndarray  # [lane]: agent-steps with room for all
    holdings: ndarray  # [karma]: agent-steps, before bidding
    shared: ndarray  # [lane karma karma]: before and after the redistribution, per request; dormant last
    flows: ndarray  # [flow]: PAID, TAXED (tolls) and SHARED
    each: ndarray  # [agent row karma], int32: agent-steps before bidding; may be absent alone


STATE, TALLIES = Drivers, CityTallies


class CityBuffers(NamedTuple):
    """Buffers and constants of a run; the last lane stands for dormancy."""

    words: ndarray  # [2 times agents], uint64
    bids: ndarray  # [agent]
    row: ndarray  # [agent]
    lane: ndarray  # [agent]
    entry: ndarray  # [agent]: index of the choice in a flat table, or of its row
    factor: ndarray  # [agent], float64: discount factor of the pending choice
    won: ndarray  # [agent]
    order: ndarray  # [agent]: priority, higher is better
    before: ndarray  # [agent]: karma before the redistribution
    holdings: ndarray  # [agent]: karma stored temporarily
    crowd: ndarray  # [lane order]: number of requests
    want: ndarray  # [lane]: number of all requests
    margin: ndarray  # [lane]: priority at which not all are admitted; -1: all are admitted
    room_left: ndarray  # [lane]: capacity left for those at the margin
    rest: ndarray  # [lane]: undecided requests at the margin
    price: ndarray  # [lane]: maximum payment, where it is not the agent's own bid
    room: ndarray  # [lane]: capacity; for dormancy all agents
    due: ndarray  # [lane], float64: the toll in karma
    fee: ndarray  # [lane], float64: the toll in money
    paid: ndarray  # [lane]: karma
    members: ndarray  # [agent]: by lane
    moves: ndarray  # [type trip trip]: cumulative, in units of 2**-30
    ranks: ndarray  # [type urgency]: of stakes among all, from 0
    slot: ndarray  # [trip]: journey slot; 0 for dormancy
    urgency: ndarray  # [trip]; 0 for dormancy
    supply: int  # total karma
    # what the rules of a city lack is None: kernels are compiled without it
    special: int | None  # 1: tolls, subsidies or local shares
    coalition: int | None  # 1: some agents are members of one
    junctions: int | None  # 1: places are chosen at junctions


def spots(city: CityArrays) -> int:
    """Return the number of rows per trip: positions, then junctions."""
    return int(city.lane.shape[1] + city.options.shape[1])


def trips(city: CityArrays) -> int:
    """Return the number of trips of an agent, without dormancy."""
    return int(city.journeys.shape[1] * city.stakes.shape[1])


def rows(city: CityArrays) -> int:
    """Return the number of rows of an agent."""
    return trips(city) * spots(city) + 1


def stride(city: CityArrays) -> int:
    """Return the entries per row: whole cache lines, with room for two entries that are not bids."""
    line = LINE // 4
    entries = int(max(city.most + 1, city.options.shape[2]))
    return -(-(entries + 1) // line) * line


def fresh(city: CityArrays, sequence: np.random.SeedSequence) -> Drivers:
    """Return agents at step 0: karma as given, at the start of a trip drawn from ``first``."""
    agents = len(city.type_of)
    stream, lots = draws.stream(sequence), np.zeros(agents)
    with draws.quiet():
        draws.fill(stream, lots)
    trip = (lots[:, None] >= city.first[city.type_of, :-1]).sum(axis=1).astype(np.int64)
    slots, urgencies = city.journeys.shape[1], city.stakes.shape[1]
    journey = city.journeys[np.arange(agents), np.minimum(trip // urgencies, slots - 1)]
    sizes = {"clock": 1, "status": 2, "pool": 1, "asked": agents, "passed": agents}
    return Drivers(
        stream=stream,
        karma=np.array(city.karma, dtype=np.int64),
        trip=trip,
        spot=np.where(trip == slots * urgencies, 0, city.begins[journey]).astype(np.int64),
        reward=np.zeros(agents),
        lucky=np.arange(agents),
        **{name: np.zeros(size, dtype=np.int64) for name, size in sizes.items()},
    )


def tallies(city: CityArrays, each: bool = False) -> CityTallies:
    """Return zero tallies; with ``each`` also of every agent's states."""
    agents, lanes, levels = len(city.type_of), len(city.capacity), city.most + 1
    shapes: dict[str, tuple[int, ...]] = {
        **dict.fromkeys(("asked", "passed", "trips"), (agents,)),
        **dict.fromkeys(("asked_on", "bids_on"), (agents, trips(city))),
        **dict.fromkeys(("wanted", "admitted", "free"), (lanes,)),
        "bids": (lanes, levels),
        "holdings": (levels,),
        "shared": (lanes + 1, levels, levels),
        "flows": (5,),
    }
    return CityTallies(
        rewards=np.zeros(agents),
        chances=np.zeros((lanes, levels)),
        each=np.zeros((agents, rows(city), levels) if each else (0, 0, 0), dtype=np.int32),
        **{name: np.zeros(shape, dtype=np.int64) for name, shape in shapes.items()},
    )


@cache
def no_tallies() -> CityTallies:
    """Return empty tallies, which switch tallying off."""
    line, table, cube = (np.zeros((0,) * axes, dtype=np.int64) for axes in (1, 2, 3))
    lanes = (line, line, table, np.zeros((0, 0)), line, line)  # from ``wanted`` to ``holdings``
    return CityTallies(np.zeros(0), line, line, line, table, table, *lanes, cube, line, cube.astype(np.int32))


def play(city: CityArrays, drivers: Drivers, policy: ndarray, tallied: CityTallies, steps: int) -> None:
    """Simulate ``steps`` further steps of a policy ``[agent row karma stride]`` in place.

    For rules without bids the policy may have length 0; options are then drawn uniformly. After an error,
    reported in ``drivers.status``, the run stops.
    """
    with draws.quiet():
        flat, line = policy.reshape(-1), policy.shape[3]
        _play_steps(city, drivers, buffers_of(city), flat, flat.view(np.uint32), line, tallied, steps)


@kernel
def _play_steps(city, drivers, buffers, flat, bits, line, tallied, steps):  # type: ignore[no-untyped-def]
    locate_all(city, drivers, buffers)
    for _ in range(steps):
        if drivers.status[0] != RUNNING:
            break
        draws.words(drivers.stream, buffers.words)
        _draw_turns(city, drivers, buffers, flat, bits, line, buffers.junctions)
        if city.award == shapes.BIDS:
            _choose(city, drivers, buffers, flat, bits, line)
        else:
            rules.rank_requests(city, drivers, buffers)
        step(city, drivers, buffers, tallied)


def buffers_of(city: CityArrays) -> CityBuffers:
    """Return the buffers of a run of a city; not compiled, which would take longer than all of the rest."""
    agents, lanes, urgencies = len(city.type_of), len(city.capacity), city.stakes.shape[1]
    stakes, ranks = np.unique(city.stakes, return_inverse=True)
    trip = np.arange(city.trip_chain.shape[1]) % (city.trip_chain.shape[1] - 1)
    by_agent = ("bids", "row", "lane", "entry", "won", "order", "before", "holdings", "members")
    by_lane = ("want", "margin", "room_left", "rest", "price", "paid")
    sizes = dict.fromkeys(by_agent, agents) | dict.fromkeys(by_lane, lanes + 1)
    return CityBuffers(
        words=np.zeros(2 * agents, dtype=np.uint64),
        factor=city.discount[city.type_of],
        crowd=np.zeros((lanes + 1, max(city.most + 1, len(stakes) + 1)), dtype=np.int64),
        room=np.append(city.capacity, agents),
        due=np.append(city.toll, 0.0),
        fee=np.zeros(lanes + 1),
        moves=np.rint(city.trip_chain * 2.0**30).astype(np.int64),
        ranks=ranks.reshape(city.stakes.shape),
        slot=trip // urgencies,
        urgency=trip % urgencies,
        supply=int(city.karma.sum()),
        special=1 if city.toll.any() or city.subsidy.any() or city.local > 0.0 else None,
        coalition=1 if city.coalition.any() else None,
        junctions=1 if city.options.shape[1] else None,
        **{name: np.zeros(size, dtype=np.int64) for name, size in sizes.items()},
    )


@inline
def locate_all(city, drivers, buffers):  # type: ignore[no-untyped-def]
    """Apply `locate` to all agents."""
    for i in range(buffers.row.shape[0]):
        locate(city, drivers, buffers, i)


@inline
def locate(city, drivers, buffers, i):  # type: ignore[no-untyped-def]
    """Store the row of an agent and the lane it wants, given its trip and spot."""
    places, trip, spot = city.lane.shape[1], drivers.trip[i], drivers.spot[i]
    spots = places + city.options.shape[1]
    buffers.row[i] = trip * spots + (spot if spot >= 0 else places - 2 - spot)
    if trip == city.trip_chain.shape[1] - 1:
        buffers.lane[i] = city.capacity.shape[0]
    elif spot >= 0:
        buffers.lane[i] = city.lane[at(city.journeys[i, at(buffers.slot[at(trip)])]), at(spot)]


@inline
def sample(policy, bits, begin, count, line, lot):  # type: ignore[no-untyped-def]
    """Return the entry drawn by a 32-bit lot; the row begins at ``begin`` of the flat ``policy``.

    The last entries of a row hold its most likely choice and its probability in 32 bits.
    """
    mass = np.int64(bits[at(begin + line - 2)])
    mode = np.int64(bits[at(begin + line - 1)])
    return mode if lot < mass else sample_rest(policy, begin, count - 1, mode, mass, lot)


@inline
def width(city, journey, junction):  # type: ignore[no-untyped-def]
    """Return the number of options at a junction."""
    count = 0
    for option in range(city.options.shape[2]):
        count += city.options[journey, junction, option] >= 0
    return count


@inline
def turn(city, drivers, buffers, i, option):  # type: ignore[no-untyped-def]
    """Apply an agent's option at its junction."""
    journey = city.journeys[i, drivers.trip[i] // city.stakes.shape[1]]
    drivers.spot[i] = city.options[journey, -2 - drivers.spot[i], option]
    locate(city, drivers, buffers, i)


@inline
def lot_of(drivers):  # type: ignore[no-untyped-def]
    """Draw a 32-bit lot for a choice at a junction."""
    lot = high(draws.word(drivers.stream[0], drivers.stream[1]))
    drivers.stream[1] += np.uint64(1)
    return lot


@inline
def _draw_turns(city, drivers, buffers, policy, bits, line, junctions):  # type: ignore[no-untyped-def]
    """Draw options of agents at junctions, by their policies or, without policies, uniformly."""
    if junctions is None:
        return
    row_count = (city.trip_chain.shape[1] - 1) * (city.lane.shape[1] + city.options.shape[1]) + 1
    for i in range(buffers.bids.shape[0]):
        if drivers.spot[i] >= -1:
            continue
        journey = city.journeys[i, drivers.trip[i] // city.stakes.shape[1]]
        count, lot = width(city, journey, -2 - drivers.spot[i]), lot_of(drivers)
        option = (lot * count) >> 32
        if policy.shape[0] > 0:
            begin = ((i * row_count + buffers.row[i]) * (city.most + 1) + drivers.karma[i]) * line
            option = sample(policy, bits, begin, count, line, lot)
        turn(city, drivers, buffers, i, option)


@inline
def _choose(city, drivers, buffers, policy, bits, line):  # type: ignore[no-untyped-def]
    """Draw all bids, with the rows of later agents prefetched."""
    agents, karma = buffers.bids.shape[0], drivers.karma
    row_count = (city.trip_chain.shape[1] - 1) * (city.lane.shape[1] + city.options.shape[1]) + 1
    for i in range(agents):
        buffers.entry[i] = ((i * row_count + buffers.row[i]) * (city.most + 1) + karma[i]) * line
    for i in range(agents):
        prefetch(policy, at(buffers.entry[min(i + AHEAD, agents - 1)]))
        begin, count = buffers.entry[i], 1 if buffers.row[i] == row_count - 1 else karma[i] + 1
        buffers.bids[i] = sample(policy, bits, begin, count, line, high(buffers.words[i]))


@inline
def step(city, drivers, buffers, tallied):  # type: ignore[no-untyped-def]
    """Complete a step after the bids: admission, payments, redistribution, moves, conservation check."""
    has_tallies = tallied.rewards.shape[0] > 0
    order = buffers.bids if city.award == shapes.BIDS else buffers.order
    rules.count_requests(buffers, order, city)
    if has_tallies:
        rules.tally_before(city, drivers, buffers, tallied)
    if city.award == shapes.BY_TURN:
        rules.admit_by_turn(city, drivers, buffers)
    else:
        rules.admit(city, buffers, order)
    collected = rules.move(city, drivers, buffers, tallied)
    if has_tallies or buffers.special is not None:
        for i in range(buffers.before.shape[0]):
            buffers.before[i] = drivers.karma[i]
    collected -= rules.pay_locally(city, drivers, buffers, buffers.special)
    drivers.pool[0] += collected
    if drivers.pool[0] > 0:
        rules.share(city, drivers, buffers, tallied)
    if has_tallies:
        rules.tally_after(drivers, buffers, tallied)
    if city.transfer != shapes.NO_TRANSFER:
        rules.pass_on(city, drivers, buffers, buffers.coalition)
    locate_all(city, drivers, buffers)
    if total(drivers.karma) + drivers.pool[0] != buffers.supply:
        drivers.status[0], drivers.status[1] = UNBALANCED, drivers.clock[0]
    drivers.clock[0] += 1


def ready(city: CityArrays, drivers: Drivers, buffers: CityBuffers) -> None:
    """Begin a step: store the agents' locations and the random words of the step."""
    with draws.quiet():
        _store_step(city, drivers, buffers)


def take(city: CityArrays, drivers: Drivers, buffers: CityBuffers, options: ndarray) -> None:
    """Apply options ``[agent]``, numbered from 0, to agents at junctions; no time passes."""
    with draws.quiet():
        _apply_options(city, drivers, buffers, np.asarray(options, dtype=np.int64))


def bid(
    city: CityArrays, drivers: Drivers, buffers: CityBuffers, bids: ndarray, tallied: CityTallies
) -> None:
    """Simulate one step with bids ``[agent]``, in 0..karma and 0 for dormant agents; none is at a junction.

    Errors are reported in ``drivers.status``.
    """
    with draws.quiet():
        _step_with_bids(city, drivers, buffers, np.asarray(bids, dtype=np.int64), tallied)


@loop
def _store_step(city, drivers, buffers):  # type: ignore[no-untyped-def]
    locate_all(city, drivers, buffers)
    draws.words(drivers.stream, buffers.words)


@loop
def _apply_options(city, drivers, buffers, options):  # type: ignore[no-untyped-def]
    for i in range(options.shape[0]):
        if drivers.spot[i] < -1:
            drivers.stream[1] += np.uint64(1)
            turn(city, drivers, buffers, i, options[i])


@loop
def _step_with_bids(city, drivers, buffers, bids, tallied):  # type: ignore[no-untyped-def]
    copy_into(buffers.bids, bids)
    step(city, drivers, buffers, tallied)


class FeatureTables(NamedTuple):
    """Tables of the agents' features; columns count positions of a journey first, then junctions."""

    type_of: ndarray  # [agent]
    journeys: ndarray  # [agent slot]
    positions: int
    cost: ndarray  # [type trip]: of refusal; 0 where dormant
    slot: ndarray  # [trip]; any where dormant
    places: ndarray  # [journey column 5]: lane wanted there, coordinates of its start and end
    goal: ndarray  # [agent slot 2]
    middle: ndarray  # [6]: coordinates reported for dormant agents


@loop
def observe(tables, agents, trip, spot, karma, observed):  # type: ignore[no-untyped-def]
    """Write the observations of agents, ``[row feature]``."""
    for k in range(len(trip)):
        agent, row = agents[k], observed[k]
        kind, slot = tables.type_of[agent], tables.slot[trip[k]]
        row[0], row[1], row[2] = tables.cost[kind, trip[k]], karma[k], kind
        row[3], row[4] = trip[k], spot[k]
        if trip[k] == tables.cost.shape[1] - 1:
            row[5] = -1.0
            for i in range(6):
                row[6 + i] = tables.middle[i]
            continue
        column = spot[k] if spot[k] >= 0 else tables.positions - 2 - spot[k]
        place, goal = tables.places[tables.journeys[agent, slot], column], tables.goal[agent, slot]
        for i in range(5):
            row[5 + i] = place[i]
        row[10], row[11] = goal[0], goal[1]

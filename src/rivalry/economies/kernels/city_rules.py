"""Rules at the lanes of a city: admission, payments, redistribution, and moves.

Drivers, buffers and tallies are those of `economies.kernels.city` and change in place.
"""

from __future__ import annotations

import numpy as np

from rivalry.economies.kernels.currency import at, high, low, share_out
from rivalry.tables.kernels import draws
from rivalry.tables.kernels.cache import inner
from rivalry.tables.kernels.shapes import (
    BY_STAKE,
    COIN,
    HIGHEST_REFUSED,
    LOWEST_ADMITTED,
    OWN_BID,
    PAID,
    SHARED,
    TAXED,
    URGENT,
)


@inner
def standing(city, drivers, desk):  # type: ignore[no-untyped-def]
    """Store priorities where no bids are made: all equal, or by the rank of the urgency."""
    trips, urgencies = city.trip_chain.shape[1] - 1, city.stakes.shape[1]
    for i in range(desk.order.shape[0]):
        desk.bids[i], trip = 0, drivers.trip[i]
        awake = city.award == BY_STAKE and trip < trips
        desk.order[i] = desk.ranks[city.type_of[i], trip % urgencies] if awake else 0


@inner
def demand(desk, order, city):  # type: ignore[no-untyped-def]
    """Count the requests for each lane by priority, and find the priority at which not all are admitted."""
    count, lanes = desk.crowd, desk.crowd.shape[0]
    count[:] = 0
    for i in range(order.shape[0]):
        count[at(desk.lane[i]), at(order[i])] += 1
    for lane in range(lanes):
        want = 0
        for b in range(count.shape[1]):
            want += count[lane, b]
        desk.want[lane], left, margin = want, desk.room[lane], count.shape[1] - 1
        if want <= left:
            desk.margin[lane], desk.price[lane] = -1, 0
            if city.price == LOWEST_ADMITTED:
                desk.price[lane] = lowest(count[lane])
            continue
        # from the highest priority down, levels are admitted while all their requests fit
        while count[lane, margin] <= left:
            left -= count[lane, margin]
            margin -= 1
        desk.margin[lane], desk.room_left[lane], desk.rest[lane] = margin, left, count[lane, margin]
        # without room at the margin the lowest admitted request is on the next level with requests
        above = margin + 1
        while (
            city.price == LOWEST_ADMITTED and left == 0 and above < count.shape[1] and count[lane, above] == 0
        ):
            above += 1
        desk.price[lane] = margin if city.price == HIGHEST_REFUSED or left > 0 else above


@inner
def lowest(count):  # type: ignore[no-untyped-def]
    """Return the lowest priority with a request; 0 without requests."""
    for b in range(count.shape[0]):
        if count[b] > 0:
            return b
    return 0


@inner
def admit(city, desk, order):  # type: ignore[no-untyped-def]
    """Decide admission, at the margin by sequential sampling without a branch per agent."""
    agents, coin = order.shape[0], city.tie == COIN
    for i in range(agents):
        lane = at(desk.lane[i])
        b, margin, room_left, rest = order[i], desk.margin[lane], desk.room_left[lane], desk.rest[lane]
        # selection sampling: of `rest` tied agents still to come `room_left` are admitted,
        # this one with probability room_left / rest, so exactly the free places are filled
        lot = (high(desk.words[at(agents + i)]) * rest) >> 32 if coin else 0
        tied = np.int64(b == margin)
        chosen = tied * np.int64(lot < room_left)
        desk.room_left[lane], desk.rest[lane] = room_left - chosen, rest - tied
        desk.won[i] = np.int64(b > margin) + chosen


@inner
def gather(desk):  # type: ignore[no-untyped-def]
    """Group agents by the lane they want: each group of ``members`` ends at the lane's ``rest``."""
    first = 0
    for lane in range(desk.want.shape[0]):
        desk.rest[lane] = first
        first += desk.want[lane]
    for i in range(desk.lane.shape[0]):
        desk.members[desk.rest[desk.lane[i]]] = i
        desk.rest[desk.lane[i]] += 1


@inner
def admit_by_turn(city, drivers, desk):  # type: ignore[no-untyped-def]
    """Decide admission in increasing order of the share of admissions in attempts."""
    gather(desk)
    desk.won[:] = 1
    for lane in range(desk.want.shape[0]):
        last, room_left = desk.rest[lane], desk.room[lane]
        first = last - desk.want[lane]
        for n in range(first, last):
            if n - first >= room_left:
                desk.won[desk.members[n]] = 0
                continue
            best = n
            for other in range(n + 1, last):
                if room_left < last - first and _before(
                    city, drivers, desk, desk.members[other], desk.members[best]
                ):
                    best = other
            desk.members[n], desk.members[best] = desk.members[best], desk.members[n]


@inner
def _before(city, drivers, desk, one, other):  # type: ignore[no-untyped-def]
    """Return whether one agent has priority over another by turn."""
    # cross products: shares are compared in integers, and agents that never asked have share 0
    ratio = drivers.passed[one] * max(drivers.asked[other], 1)
    against = drivers.passed[other] * max(drivers.asked[one], 1)
    if ratio != against or city.tie != COIN:
        return ratio < against or (ratio == against and one < other)
    agents = desk.won.shape[0]
    return high(desk.words[agents + one]) < high(desk.words[agents + other])


@inner
def move(city, drivers, desk, tallied):  # type: ignore[no-untyped-def]
    """Apply payments, rewards and moves; return the karma collected."""
    agents, trips, collected = desk.won.shape[0], city.trip_chain.shape[1] - 1, 0
    counted, free = tallied.rewards.shape[0] > 0, 0 if city.uncontended else 1
    if desk.special:
        desk.paid[:] = 0
    for i in range(agents):
        lane, won, trip = desk.lane[i], desk.won[i], drivers.trip[i]
        price = desk.bids[i] if city.price == OWN_BID else min(desk.price[at(lane)], desk.bids[i])
        price *= won * (1 - free * np.int64(desk.margin[at(lane)] < 0))
        drivers.karma[i] -= price
        collected += price
        if desk.special:
            toll = _toll(drivers, desk, i, lane, won)
            collected += toll
            desk.paid[at(lane)] += price + toll
            if counted:
                tallied.flows[TAXED] += toll
        awake = np.int64(trip < trips)
        kind, u = at(city.type_of[i]), at(desk.urgency[at(trip)])
        drivers.reward[i] = -(1 - won) * city.stakes[kind, u]
        drivers.asked[i] += awake
        drivers.passed[i] += awake * won
        if trip < trips:
            journey, spot = at(city.journeys[i, at(desk.slot[at(trip)])]), at(drivers.spot[i])
            next_spot = city.after[journey, spot] if won else city.back[journey, spot]
            drivers.spot[i] = next_spot
        else:
            next_spot = -1
        if next_spot == -1:
            if counted:
                tallied.trips[i] += awake
            _begin(city, drivers, desk, i, kind, trip)
    if counted:
        for i in range(agents):
            tallied.rewards[i] += drivers.reward[i]
        tallied.flows[PAID] += collected
    _join(city, drivers)
    return collected


@inner
def _toll(drivers, desk, i, lane, won):  # type: ignore[no-untyped-def]
    """Charge an agent's toll, at most the karma it holds, and return it."""
    due = desk.due[at(lane)] * won
    if due == 0.0:
        return 0
    whole = np.int64(due)
    # karma is in integers: rounded at random, so that the mean toll is the one due
    whole += np.int64(draws.uniform(drivers.stream) < due - whole)
    toll = min(whole, drivers.karma[i])
    drivers.karma[i] -= toll
    return toll


@inner
def _begin(city, drivers, desk, i, kind, trip):  # type: ignore[no-untyped-def]
    """Draw an agent's next trip."""
    lot, after, trips = low(desk.words[i]) >> 2, 0, desk.moves.shape[2] - 1
    for k in range(trips):
        after += lot >= desk.moves[kind, trip, k]
    drivers.trip[i], drivers.spot[i] = after, 0
    if after < trips:
        drivers.spot[i] = city.begins[at(city.journeys[i, at(desk.slot[at(after)])])]


@inner
def tally_before(city, drivers, desk, tallied):  # type: ignore[no-untyped-def]
    """Tally states, requests and bids before admission."""
    lanes = city.capacity.shape[0]
    for i in range(desk.bids.shape[0]):
        lane, k, trip, bid = desk.lane[i], drivers.karma[i], drivers.trip[i], desk.bids[i]
        tallied.holdings[k] += 1
        if tallied.each.shape[0] > 0:
            tallied.each[i, desk.row[i], k] += 1
        if lane < lanes:
            tallied.wanted[lane] += 1
            tallied.bids[lane, bid] += 1
            tallied.asked[i] += 1
            tallied.asked_on[i, trip] += 1
            tallied.bids_on[i, trip] += bid
    for lane in range(lanes):
        tallied.free[lane] += desk.want[lane] * (desk.margin[lane] < 0)
        _tally_chances(desk, tallied.chances, lane)


@inner
def _tally_chances(desk, chances, lane):  # type: ignore[no-untyped-def]
    """Tally for each request the admission probability of every bid, given the others' bids."""
    above, room, want = 0, desk.room[lane], desk.want[lane]
    for b in range(chances.shape[1] - 1, -1, -1):
        level = desk.crowd[lane, b]
        # each request is replaced by a bid of b, whether its own bid is above b, at b or below
        if above > 0:
            chances[lane, b] += above * _chance(room - above + 1, level + 1)
        if level > 0:
            chances[lane, b] += level * _chance(room - above, level)
        chances[lane, b] += (want - above - level) * _chance(room - above, level + 1)
        above += level


@inner
def _chance(room_left, wanting):  # type: ignore[no-untyped-def]
    """Return the admission probability of one of ``wanting`` equals for ``room_left`` places."""
    return min(max(room_left / wanting, 0.0), 1.0)


@inner
def tally_after(drivers, desk, tallied):  # type: ignore[no-untyped-def]
    """Tally karma and admissions after the redistribution, before transfers in a coalition."""
    lanes = tallied.wanted.shape[0]
    for i in range(desk.lane.shape[0]):
        lane = desk.lane[i]
        tallied.shared[lane, desk.before[i], drivers.karma[i]] += 1
        if lane < lanes:
            tallied.admitted[lane] += desk.won[i]
            tallied.passed[i] += desk.won[i]


@inner
def _join(city, drivers):  # type: ignore[no-untyped-def]
    """Replace the rewards of members of a coalition by their mean."""
    joint, members = 0.0, 0
    for i in range(city.coalition.shape[0]):
        if city.coalition[i]:
            joint += drivers.reward[i]
            members += 1
    if members > 0:
        for i in range(city.coalition.shape[0]):
            if city.coalition[i]:
                drivers.reward[i] = joint / members


@inner
def pay_locally(city, drivers, desk):  # type: ignore[no-untyped-def]
    """Pay local shares and subsidies to agents that wanted a lane; return the total."""
    collected = desk.paid.sum()
    given = _give_back(city, drivers, desk) if city.local > 0.0 else 0
    left, agents = drivers.pool[0] + collected - given, desk.lane.shape[0]
    # the karma left may not suffice for all subsidies: a random agent is first
    begin = np.int64(draws.uniform(drivers.stream) * agents)
    for n in range(agents):
        i = (begin + n) % agents
        lane = desk.lane[i]
        if lane == city.capacity.shape[0] or city.subsidy[lane] == 0.0:
            continue
        gain = np.int64(city.subsidy[lane])
        gain += np.int64(draws.uniform(drivers.stream) < city.subsidy[lane] - gain)
        gain = min(gain, city.most - drivers.karma[i], left)
        drivers.karma[i] += gain
        left -= gain
    return drivers.pool[0] + collected - left


@inner
def _give_back(city, drivers, desk):  # type: ignore[no-untyped-def]
    """Pay back a randomly rounded share of each lane's payments; return the total."""
    given = 0
    gather(desk)
    for lane in range(city.capacity.shape[0]):
        if desk.paid[lane] > 0:
            share = np.int64(city.local * desk.paid[lane] + draws.uniform(drivers.stream))
            given += share - _deal(
                city, drivers, desk, desk.rest[lane] - desk.want[lane], desk.rest[lane], share
            )
    return given


@inner
def _deal(city, drivers, desk, first, last, amount):  # type: ignore[no-untyped-def]
    """Divide an amount equally among members, the rest by single units at random; return what is left."""
    while amount > 0:
        with_room = 0
        for n in range(first, last):
            with_room += drivers.karma[desk.members[n]] < city.most
        if with_room == 0:
            break
        each = amount // with_room
        for n in range(first, last):
            if amount == 0:
                break
            # fewer units than members: one step of a shuffle draws the next to receive one
            if each == 0:
                other = n + np.int64(draws.uniform(drivers.stream) * (last - n))
                desk.members[n], desk.members[other] = desk.members[other], desk.members[n]
            i = desk.members[n]
            gain = min(max(each, 1), city.most - drivers.karma[i], amount)
            drivers.karma[i] += gain
            amount -= gain
    return amount


@inner
def share(city, drivers, desk, tallied):  # type: ignore[no-untyped-def]
    """Redistribute the surplus among all agents, or among all that are not dormant."""
    # excluded dormant agents count as full during the redistribution
    agents, before, karma = desk.lane.shape[0], drivers.pool[0], drivers.karma
    if city.dormant_share == 0:
        for i in range(agents):
            desk.holdings[i] = karma[i]
            karma[i] = city.most if desk.lane[i] == city.capacity.shape[0] else karma[i]
    drivers.pool[0] = share_out(before, karma, city.most, drivers.lucky, desk.words, agents, drivers.stream)
    if city.dormant_share == 0:
        for i in range(agents):
            karma[i] = desk.holdings[i] if desk.lane[i] == city.capacity.shape[0] else karma[i]
    if tallied.flows.shape[0] > 0:
        tallied.flows[SHARED] += before - drivers.pool[0]


@inner
def pass_on(city, drivers, desk):  # type: ignore[no-untyped-def]
    """Pool the karma of a coalition's members and divide it equally.

    With transfers to the urgent, members with the highest urgency receive what they can hold, then the next.
    """
    together, ranks = 0, desk.crowd.shape[1] if city.transfer == URGENT else 1
    for i in range(city.coalition.shape[0]):
        together += city.coalition[i] * drivers.karma[i]
    for rank in range(ranks - 1, -1, -1):
        members = 0
        for i in range(city.coalition.shape[0]):
            members += _takes(city, drivers, desk, i, rank, ranks)
        amount, number = min(together, members * city.most), 0
        for i in range(city.coalition.shape[0]):
            if _takes(city, drivers, desk, i, rank, ranks):
                # the units left over rotate with the step, so that no member is favoured
                one_more = (number + drivers.clock[0]) % members < amount % members
                drivers.karma[i] = amount // members + np.int64(one_more)
                number += 1
        together -= amount


@inner
def _takes(city, drivers, desk, i, rank, ranks):  # type: ignore[no-untyped-def]
    """Return whether an agent is a member of this rank; dormant members have the lowest."""
    if not city.coalition[i]:
        return False
    trip = drivers.trip[i]
    awake = trip < city.trip_chain.shape[1] - 1
    own = desk.ranks[city.type_of[i], trip % city.stakes.shape[1]] + 1 if awake else 0
    return ranks == 1 or own == rank

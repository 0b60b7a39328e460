"""Rules at the lanes of a city: admission, payments, redistribution, and moves.

Drivers, buffers and tallies are those of `economies.kernels.city` and change in place.
"""

from __future__ import annotations

import numpy as np

from rivalry.economies.kernels import shapes
from rivalry.economies.kernels.currency import at, high, low, share_out, total
from rivalry.tables.kernels import draws
from rivalry.tables.kernels.cache import inline


@inline
def rank_requests(city, drivers, buffers):  # type: ignore[no-untyped-def]
    """Store priorities where no bids are made: all equal, or by the rank of the urgency."""
    trips, urgencies = city.trip_chain.shape[1] - 1, city.stakes.shape[1]
    for i in range(buffers.order.shape[0]):
        buffers.bids[i], trip = 0, drivers.trip[i]
        awake = city.award in (shapes.BY_STAKE, shapes.BY_TOLL) and trip < trips
        buffers.order[i] = buffers.ranks[city.type_of[i], trip % urgencies] if awake else 0


@inline
def count_requests(buffers, order, city):  # type: ignore[no-untyped-def]
    """Count the requests for each lane by priority, and find the priority at which not all are admitted."""
    count, lanes = buffers.crowd, buffers.crowd.shape[0]
    for lane in range(lanes):
        for b in range(count.shape[1]):
            count[lane, b] = 0
    for i in range(order.shape[0]):
        count[at(buffers.lane[i]), at(order[i])] += 1
    for lane in range(lanes):
        want = 0
        for b in range(count.shape[1]):
            want += count[lane, b]
        buffers.want[lane], room_left, margin = want, buffers.room[lane], count.shape[1] - 1
        if want <= room_left:
            buffers.margin[lane], buffers.price[lane] = -1, 0
            if city.price == shapes.LOWEST_ADMITTED:
                buffers.price[lane] = lowest(count[lane])
            continue
        # from the highest priority down, levels are admitted while all their requests fit
        while count[lane, margin] <= room_left:
            room_left -= count[lane, margin]
            margin -= 1
        buffers.margin[lane], buffers.room_left[lane], buffers.rest[lane] = (
            margin,
            room_left,
            count[lane, margin],
        )
        # without room at the margin the lowest admitted request is on the next level with requests
        above = margin + 1
        while (
            city.price == shapes.LOWEST_ADMITTED
            and room_left == 0
            and above < count.shape[1]
            and count[lane, above] == 0
        ):
            above += 1
        buffers.price[lane] = margin if city.price == shapes.HIGHEST_REFUSED or room_left > 0 else above


@inline
def lowest(count):  # type: ignore[no-untyped-def]
    """Return the lowest priority with a request; 0 without requests."""
    for b in range(count.shape[0]):
        if count[b] > 0:
            return b
    return 0


@inline
def admit(city, buffers, order):  # type: ignore[no-untyped-def]
    """Decide admission, at the margin by sequential sampling without a branch per agent."""
    agents, coin = order.shape[0], city.tie == shapes.COIN
    for i in range(agents):
        lane = at(buffers.lane[i])
        b, margin = order[i], buffers.margin[lane]
        room_left, ties = buffers.room_left[lane], buffers.rest[lane]
        # selection sampling: of `rest` tied agents still to come `room_left` are admitted,
        # this one with probability room_left / rest, so exactly the free places are filled
        lot = (high(buffers.words[at(agents + i)]) * ties) >> 32 if coin else 0
        tied = np.int64(b == margin)
        is_admitted = tied * np.int64(lot < room_left)
        buffers.room_left[lane], buffers.rest[lane] = room_left - is_admitted, ties - tied
        buffers.won[i] = np.int64(b > margin) + is_admitted


@inline
def group_by_lane(buffers):  # type: ignore[no-untyped-def]
    """Group agents by the lane they want: each group of ``members`` ends at the lane's ``rest``."""
    begin = 0
    for lane in range(buffers.want.shape[0]):
        buffers.rest[lane] = begin
        begin += buffers.want[lane]
    for i in range(buffers.lane.shape[0]):
        buffers.members[buffers.rest[buffers.lane[i]]] = i
        buffers.rest[buffers.lane[i]] += 1


@inline
def admit_by_turn(city, drivers, buffers):  # type: ignore[no-untyped-def]
    """Decide admission in increasing order of the share of admissions in attempts."""
    group_by_lane(buffers)
    for i in range(buffers.won.shape[0]):
        buffers.won[i] = 1
    for lane in range(buffers.want.shape[0]):
        end, room_left = buffers.rest[lane], buffers.room[lane]
        begin = end - buffers.want[lane]
        for n in range(begin, end):
            if n - begin >= room_left:
                buffers.won[buffers.members[n]] = 0
                continue
            priority = n
            for candidate in range(n + 1, end):
                if room_left < end - begin and _before(
                    city, drivers, buffers, buffers.members[candidate], buffers.members[priority]
                ):
                    priority = candidate
            buffers.members[n], buffers.members[priority] = buffers.members[priority], buffers.members[n]


@inline
def _before(city, drivers, buffers, a, b):  # type: ignore[no-untyped-def]
    """True if one agent has priority over another by turn."""
    # cross products: shares are compared in integers, and agents that never asked have share 0
    ratio = drivers.passed[a] * max(drivers.asked[b], 1)
    against = drivers.passed[b] * max(drivers.asked[a], 1)
    if ratio != against or city.tie != shapes.COIN:
        return ratio < against or (ratio == against and a < b)
    agents = buffers.won.shape[0]
    return high(buffers.words[agents + a]) < high(buffers.words[agents + b])


@inline
def move(city, drivers, buffers, tallied):  # type: ignore[no-untyped-def]
    """Apply payments, rewards and moves; return the karma collected."""
    agents, trips, collected = buffers.won.shape[0], city.trip_chain.shape[1] - 1, 0
    counted, free = tallied.rewards.shape[0] > 0, 0 if city.uncontended else 1
    for lane in range(buffers.paid.shape[0]):
        buffers.paid[lane] = 0
    for i in range(agents):
        lane, won, trip = buffers.lane[i], buffers.won[i], drivers.trip[i]
        price = buffers.bids[i]
        if city.price != shapes.OWN_BID:
            price = min(buffers.price[at(lane)], price)
        price *= won * (1 - free * np.int64(buffers.margin[at(lane)] < 0))
        drivers.karma[i] -= price
        collected += price
        collected += _toll(drivers, buffers, tallied, i, lane, won, price, buffers.special)
        awake = np.int64(trip < trips)
        kind, u = at(city.type_of[i]), at(buffers.urgency[at(trip)])
        drivers.reward[i] = -(1 - won) * city.stakes[kind, u]
        drivers.asked[i] += awake
        drivers.passed[i] += awake * won
        if trip < trips:
            journey, spot = at(city.journeys[i, at(buffers.slot[at(trip)])]), at(drivers.spot[i])
            next_spot = city.after[journey, spot] if won else city.back[journey, spot]
            drivers.spot[i] = next_spot
        else:
            next_spot = -1
        if next_spot == -1:
            if counted:
                tallied.trips[i] += awake
            _start_trip(city, drivers, buffers, i, kind, trip)
    if city.award == shapes.BY_TOLL:
        _charge_money(drivers, buffers)
    if counted:
        for i in range(agents):
            tallied.rewards[i] += drivers.reward[i]
        tallied.flows[shapes.PAID] += collected
    _join(city, drivers, buffers.coalition)
    return collected


@inline
def _charge_money(drivers, buffers):  # type: ignore[no-untyped-def]
    """Charge admitted agents the highest stake refused at their lane; divide the revenue equally."""
    agents, revenue = buffers.lane.shape[0], 0.0
    for lane in range(buffers.fee.shape[0]):
        buffers.fee[lane] = 0.0
    for i in range(agents):
        lane = buffers.lane[i]
        buffers.fee[lane] = max(buffers.fee[lane], -drivers.reward[i])
    for i in range(agents):
        fee = buffers.fee[buffers.lane[i]] * buffers.won[i]
        drivers.reward[i] -= fee
        revenue += fee
    for i in range(agents):
        drivers.reward[i] += revenue / agents


@inline
def _toll(drivers, buffers, tallied, i, lane, won, price, special):  # type: ignore[no-untyped-def]
    """Charge an agent's toll, at most the karma it holds, and return it; note what the lane is paid."""
    if special is None:
        return 0
    due, toll = buffers.due[at(lane)] * won, 0
    if due > 0.0:
        units = np.int64(due)
        # karma is in integers: rounded at random, so that the mean toll is the one due
        units += np.int64(draws.uniform(drivers.stream) < due - units)
        toll = min(units, drivers.karma[i])
        drivers.karma[i] -= toll
    buffers.paid[at(lane)] += price + toll
    if tallied.rewards.shape[0] > 0:
        tallied.flows[shapes.TAXED] += toll
    return toll


@inline
def _start_trip(city, drivers, buffers, i, kind, trip):  # type: ignore[no-untyped-def]
    """Draw an agent's next trip."""
    lot, after, trips = low(buffers.words[i]) >> 2, 0, buffers.moves.shape[2] - 1
    for k in range(trips):
        after += lot >= buffers.moves[kind, trip, k]
    drivers.trip[i], drivers.spot[i] = after, 0
    if after < trips:
        drivers.spot[i] = city.begins[at(city.journeys[i, at(buffers.slot[at(after)])])]


@inline
def tally_before(city, drivers, buffers, tallied):  # type: ignore[no-untyped-def]
    """Tally states, requests and bids before admission."""
    lanes = city.capacity.shape[0]
    for i in range(buffers.bids.shape[0]):
        lane, k, trip, bid = buffers.lane[i], drivers.karma[i], drivers.trip[i], buffers.bids[i]
        tallied.holdings[k] += 1
        if tallied.each.shape[0] > 0:
            tallied.each[i, buffers.row[i], k] += 1
        if lane < lanes:
            tallied.wanted[lane] += 1
            tallied.bids[lane, bid] += 1
            tallied.asked[i] += 1
            tallied.asked_on[i, trip] += 1
            tallied.bids_on[i, trip] += bid
    for lane in range(lanes):
        tallied.free[lane] += buffers.want[lane] * (buffers.margin[lane] < 0)
        _tally_chances(buffers, tallied.chances, lane)


@inline
def _tally_chances(buffers, chances, lane):  # type: ignore[no-untyped-def]
    """Tally for each request the admission probability of every bid, given the others' bids."""
    above, room, want = 0, buffers.room[lane], buffers.want[lane]
    for b in range(chances.shape[1] - 1, -1, -1):
        level = buffers.crowd[lane, b]
        # each request is replaced by a bid of b, whether its own bid is above b, at b or below
        if above > 0:
            chances[lane, b] += above * _admission(room - above + 1, level + 1)
        if level > 0:
            chances[lane, b] += level * _admission(room - above, level)
        chances[lane, b] += (want - above - level) * _admission(room - above, level + 1)
        above += level


@inline
def _admission(room_left, wanting):  # type: ignore[no-untyped-def]
    """Return the admission probability of one of ``wanting`` equals for ``room_left`` places."""
    return min(max(room_left / wanting, 0.0), 1.0)


@inline
def tally_after(drivers, buffers, tallied):  # type: ignore[no-untyped-def]
    """Tally karma and admissions after the redistribution, before transfers in a coalition."""
    lanes = tallied.wanted.shape[0]
    for i in range(buffers.lane.shape[0]):
        lane = buffers.lane[i]
        tallied.shared[lane, buffers.before[i], drivers.karma[i]] += 1
        if lane < lanes:
            tallied.admitted[lane] += buffers.won[i]
            tallied.passed[i] += buffers.won[i]


@inline
def _join(city, drivers, coalition):  # type: ignore[no-untyped-def]
    """Replace the rewards of members of a coalition by their mean."""
    if coalition is None:
        return
    joint, members = 0.0, 0
    for i in range(city.coalition.shape[0]):
        if city.coalition[i]:
            joint += drivers.reward[i]
            members += 1
    if members > 0:
        for i in range(city.coalition.shape[0]):
            if city.coalition[i]:
                drivers.reward[i] = joint / members


@inline
def pay_locally(city, drivers, buffers, special):  # type: ignore[no-untyped-def]
    """Pay local shares and subsidies to agents that wanted a lane; return the total."""
    if special is None:
        return 0
    collected = total(buffers.paid)
    local = _give_back(city, drivers, buffers) if city.local > 0.0 else 0
    pool_left, agents = drivers.pool[0] + collected - local, buffers.lane.shape[0]
    # the karma left may not suffice for all subsidies: a random agent is first
    begin = np.int64(draws.uniform(drivers.stream) * agents)
    for n in range(agents):
        i = (begin + n) % agents
        lane = buffers.lane[i]
        if lane == city.capacity.shape[0] or city.subsidy[lane] == 0.0:
            continue
        gain = np.int64(city.subsidy[lane])
        gain += np.int64(draws.uniform(drivers.stream) < city.subsidy[lane] - gain)
        gain = min(gain, city.most - drivers.karma[i], pool_left)
        drivers.karma[i] += gain
        pool_left -= gain
    return drivers.pool[0] + collected - pool_left


@inline
def _give_back(city, drivers, buffers):  # type: ignore[no-untyped-def]
    """Pay back a randomly rounded share of each lane's payments; return the total."""
    paid = 0
    group_by_lane(buffers)
    for lane in range(city.capacity.shape[0]):
        if buffers.paid[lane] > 0:
            share = np.int64(city.local * buffers.paid[lane] + draws.uniform(drivers.stream))
            paid += share - _deal(
                city, drivers, buffers, buffers.rest[lane] - buffers.want[lane], buffers.rest[lane], share
            )
    return paid


@inline
def _deal(city, drivers, buffers, begin, end, amount):  # type: ignore[no-untyped-def]
    """Divide an amount equally among members, the rest by single units at random; return what is left."""
    while amount > 0:
        with_room = 0
        for n in range(begin, end):
            with_room += drivers.karma[buffers.members[n]] < city.most
        if with_room == 0:
            break
        share = amount // with_room
        for n in range(begin, end):
            if amount == 0:
                break
            # fewer units than members: one step of a shuffle draws the next to receive one
            if share == 0:
                swap_with = n + np.int64(draws.uniform(drivers.stream) * (end - n))
                buffers.members[n], buffers.members[swap_with] = (
                    buffers.members[swap_with],
                    buffers.members[n],
                )
            i = buffers.members[n]
            gain = min(max(share, 1), city.most - drivers.karma[i], amount)
            drivers.karma[i] += gain
            amount -= gain
    return amount


@inline
def share(city, drivers, buffers, tallied):  # type: ignore[no-untyped-def]
    """Redistribute the surplus among all agents, or among all that are not dormant."""
    # excluded dormant agents count as full during the redistribution
    agents, before, karma = buffers.lane.shape[0], drivers.pool[0], drivers.karma
    if city.dormant_share == 0:
        for i in range(agents):
            buffers.holdings[i] = karma[i]
            karma[i] = city.most if buffers.lane[i] == city.capacity.shape[0] else karma[i]
    drivers.pool[0] = share_out(
        before, karma, city.most, drivers.lucky, buffers.words, agents, drivers.stream
    )
    if city.dormant_share == 0:
        for i in range(agents):
            karma[i] = buffers.holdings[i] if buffers.lane[i] == city.capacity.shape[0] else karma[i]
    if tallied.flows.shape[0] > 0:
        tallied.flows[shapes.SHARED] += before - drivers.pool[0]


@inline
def pass_on(city, drivers, buffers, coalition):  # type: ignore[no-untyped-def]
    """Pool the karma of a coalition's members and divide it equally.

    With transfers to the urgent, members with the highest urgency receive what they can hold, then the next.
    """
    if coalition is None:
        return
    together, ranks = 0, buffers.crowd.shape[1] if city.transfer == shapes.URGENT else 1
    for i in range(city.coalition.shape[0]):
        together += city.coalition[i] * drivers.karma[i]
    for rank in range(ranks - 1, -1, -1):
        members = 0
        for i in range(city.coalition.shape[0]):
            members += _is_in_rank(city, drivers, buffers, i, rank, ranks)
        amount, number = min(together, members * city.most), 0
        for i in range(city.coalition.shape[0]):
            if _is_in_rank(city, drivers, buffers, i, rank, ranks):
                # the units left over rotate with the step, so that no member is favoured
                one_more = (number + drivers.clock[0]) % members < amount % members
                drivers.karma[i] = amount // members + np.int64(one_more)
                number += 1
        together -= amount


@inline
def _is_in_rank(city, drivers, buffers, i, rank, ranks):  # type: ignore[no-untyped-def]
    """True if an agent is a member of this rank; dormant members have the lowest."""
    if not city.coalition[i]:
        return False
    trip = drivers.trip[i]
    awake = trip < city.trip_chain.shape[1] - 1
    rank_of_trip = buffers.ranks[city.type_of[i], trip % city.stakes.shape[1]] + 1 if awake else 0
    return ranks == 1 or rank_of_trip == rank

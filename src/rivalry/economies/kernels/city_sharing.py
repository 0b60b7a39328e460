"""Who gets the karma that a city collects: those on the lane, everybody, and the members of a coalition.

Drivers and desks are those of `economies.kernels.city`, and change in place.
"""

from __future__ import annotations

import numpy as np

from rivalry.economies.kernels.city_rules import gather
from rivalry.economies.kernels.currency import share_out
from rivalry.tables.kernels import draws
from rivalry.tables.kernels.history import inner
from rivalry.tables.kernels.shapes import SHARED, URGENT


@inner
def pay_locally(city, drivers, desk):  # type: ignore[no-untyped-def]
    """What is given to those who wanted a lane, of its own payments and as a subsidy; returns how much."""
    collected = desk.paid.sum()
    given = _give_back(city, drivers, desk) if city.local > 0.0 else 0
    left, agents = drivers.pool[0] + collected - given, desk.lane.shape[0]
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
    """A share of each lane's payments for those who wanted it; the fraction of a unit is drawn."""
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
    """An amount in equal shares to members, the rest by ones to some who are drawn; returns what is left."""
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
    """The surplus is shared out among all, or all who are not dormant: these seem full meanwhile."""
    agents, before, karma = desk.lane.shape[0], drivers.pool[0], drivers.karma
    if city.dormant_share == 0:
        for i in range(agents):
            desk.held[i] = karma[i]
            karma[i] = city.most if desk.lane[i] == city.capacity.shape[0] else karma[i]
    drivers.pool[0] = share_out(before, karma, city.most, drivers.lucky, desk.words, agents, drivers.stream)
    if city.dormant_share == 0:
        for i in range(agents):
            karma[i] = desk.held[i] if desk.lane[i] == city.capacity.shape[0] else karma[i]
    if tallied.flows.shape[0] > 0:
        tallied.flows[SHARED] += before - drivers.pool[0]


@inner
def pass_on(city, drivers, desk):  # type: ignore[no-untyped-def]
    """Members of a coalition put their karma together, and take of it in equal parts.

    Where it goes to the urgent, those of highest stake take what they can hold, then the next.
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
                one_more = (number + drivers.clock[0]) % members < amount % members
                drivers.karma[i] = amount // members + np.int64(one_more)
                number += 1
        together -= amount


@inner
def _takes(city, drivers, desk, i, rank, ranks):  # type: ignore[no-untyped-def]
    """Whether an agent is a member of this rank; the dormant are of the lowest."""
    if not city.coalition[i]:
        return False
    trip = drivers.trip[i]
    awake = trip < city.law.shape[1] - 1
    own = desk.ranks[city.type_of[i], trip % city.stakes.shape[1]] + 1 if awake else 0
    return ranks == 1 or own == rank

"""Tuples of arrays that kernels of economies take: data without rules or compiled functions.

Only NumPy is needed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.runtime.jax import concrete_module

PEER, SOCIETY = 0, 1
"""Recipient of winners' payments: the losers, or all agents by redistribution."""

COIN, LOWEST_INDEX, HIGHEST_STAKE, NOBODY = 0, 1, 2, 3
"""Winner among equal bids: random, the lowest index, the highest stake (then random), or nobody."""

SURPLUS, ROOM, BURN = 0, 1, 2
"""Karma that a loser cannot hold: added to the surplus, not charged to the winner, or lost."""

OVERFLOW, PAID, TAXED, SHARED, BURNT = range(5)
"""Flows of karma: what losers could not hold; charges and taxes to the surplus; redistributed; lost."""

BIDS, BY_COIN, BY_STAKE, BY_TURN, BY_TOLL = 0, 1, 2, 3, 4
"""Award rule of a contest: bids or, without karma, random, the higher stake, fewer wins (then random).

With tolls, of a city alone, the higher stake is admitted and pays money.
"""


UNSEEN = np.zeros((0, 0), dtype=np.int64)
SAME_CHAIN = NO_REWARDS = np.zeros((0, 0, 0))
ONLY_LOSSES = np.array([-1.0, 0.0])[:, None, None]  # rewards of losing and winning, per stake


class Economy(NamedTuple):
    """Agents with whole amounts of karma, repeatedly matched in random groups to bid for places.

    A *type* of agents has private states: its urgency, possibly with further information. In private state
    ``z`` losing costs ``stakes[type, z]``; private states follow a Markov chain. ``charge[b, c]``
    is the payment of a winner with bid ``b`` where the highest losing bid is ``c``, at most ``b``. Karma is
    always in ``0..most``. Types with fewer private states are padded with stakes 0 and states that are never
    reached.

    An agent observes ``signal[own karma, peer's karma]`` before it bids. A policy has a row for each private
    state, signal and karma. In policies, tables and tallies the first two are one index, ``z * signals +
    signal``.
    """

    type_of: ndarray  # [agent], int64
    stakes: ndarray  # [type private], at least 0
    chain: ndarray  # [type private private], cumulative along the last axis
    first: ndarray  # [type private], cumulative: initial distribution of private states
    discount: ndarray  # [type]
    karma: ndarray  # [agent], int64: at the start
    most: int  # karma that an agent can hold
    charge: ndarray  # [bid bid], int64
    receiver: int  # PEER or SOCIETY
    tie: int  # COIN, LOWEST_INDEX, HIGHEST_STAKE or NOBODY
    overflow: int  # SURPLUS, ROOM or BURN
    tax: ndarray  # [karma]: expected tax before a redistribution; the fractional part is drawn
    every: int  # steps between redistributions of the surplus
    award: int  # BIDS, BY_COIN, BY_STAKE or BY_TURN
    idle: int  # 1: agents that no contest is complete with, drawn in every step, have reward 0
    signal: ndarray = UNSEEN  # [karma karma], int64, from 0 on; absent: no observation; of pairs alone
    participants: int = 2  # of a contest
    places: int = 1  # of a contest: its highest bids win
    served_chain: ndarray = SAME_CHAIN  # [type private private], as `chain`, of agents that won
    rewards: ndarray = NO_REWARDS  # [outcome type private] of losing and winning; absent: -stakes and 0


OWN_BID, HIGHEST_REFUSED, LOWEST_ADMITTED = 0, 1, 2
"""Price of admission to a lane: the own bid, or a uniform price."""

NO_TRANSFER, EVEN, URGENT = 0, 1, 2
"""Karma transfers within a coalition: none, equal shares, or members of higher stake first."""


class CityArrays(NamedTuple):
    """Agents with whole amounts of karma that travel through a city and bid for admission to its lanes.

    A *journey* has *places*, each with a requested lane, and *junctions*, at which a place is chosen. A
    location is a place, or junction ``j`` as ``-2 - j``; ``-1`` is the end of the trip. A fixed path is a
    journey without junctions. Shorter journeys are padded.

    An agent may travel along several journeys. A *trip* is a journey and an urgency: journey number ``slot``
    of an agent at urgency ``u`` is trip ``slot * urgencies + u``. The last number is dormancy: a step without
    bid, loss or lane. A trip ends with the admission to its last lane; then the next trip is drawn.
    """

    type_of: ndarray  # [agent], int64
    stakes: ndarray  # [type urgency], at least 0: cost of refusal per step
    trip_chain: ndarray  # [type trip trip], cumulative along the last axis: transitions between trips
    first: ndarray  # [type trip], cumulative: distribution of the first trip
    discount: ndarray  # [type]
    karma: ndarray  # [agent], int64: at the start
    most: int  # karma that an agent can hold
    journeys: ndarray  # [agent slot], int64
    begins: ndarray  # [journey], int64: initial location
    lane: ndarray  # [journey place], int64
    after: ndarray  # [journey place], int64: the location after admission
    back: ndarray  # [journey place], int64: the location after refusal
    options: ndarray  # [journey junction option], int64: the places at a junction; -1: none
    capacity: ndarray  # [lane], int64: admissions per step
    price: int  # OWN_BID, HIGHEST_REFUSED or LOWEST_ADMITTED
    uncontended: int  # 1: admitted agents pay also where capacity suffices for all requests
    toll: ndarray  # [lane]: expected karma due on admission, besides the bid; the fractional part is drawn
    subsidy: ndarray  # [lane]: karma per agent that requests the lane, while the surplus lasts, likewise
    local: float  # share of a lane's payments paid to the agents that request the lane
    dormant_share: int  # 1: dormant agents, too, receive a share of the surplus
    tie: int  # COIN or LOWEST_INDEX
    award: int  # BIDS, BY_COIN, BY_STAKE, BY_TURN (fewest admissions for an attempt so far) or BY_TOLL
    coalition: ndarray  # [agent], int64: 1 for members of a coalition, which learn from their mean reward
    transfer: int  # NO_TRANSFER, EVEN or URGENT


def rewards_of(economy: Any) -> Any:
    """Return the rewards of losing and of winning, ``[outcome type private]``, of arrays or a game."""
    if economy.rewards.size:
        return economy.rewards
    stakes = economy.stakes
    return concrete_module(stakes).asarray(stakes) * ONLY_LOSSES


def views_of(economy: Economy) -> int:
    """Return the number of pairs of a private state and a signal that policies distinguish."""
    private: int = economy.stakes.shape[1]
    return private * (int(economy.signal.max()) + 1) if economy.signal.size else private

"""What happens in pairs of an economy: who wins, what it pays to whom, and what everybody is taxed.

Agents, desks and flows are those of `economies.kernels.economy`, and change in place.
"""

from __future__ import annotations

import numpy as np

from rivalry.economies.kernels.currency import at, low
from rivalry.tables.kernels.history import inner
from rivalry.tables.kernels.shapes import (
    BIDS,
    BURNT,
    BY_COIN,
    BY_STAKE,
    COIN,
    HIGHEST_STAKE,
    LOWEST_INDEX,
    OVERFLOW,
    PAID,
    PEER,
    ROOM,
    SURPLUS,
    TAXED,
)


@inner
def note(flows, which, amount):  # type: ignore[no-untyped-def]
    """Count a flow, if flows are counted."""
    if flows.shape[0] > 0:
        flows[which] += amount


@inner
def meet_fast(economy, agents, desk, flows):  # type: ignore[no-untyped-def]
    """All pairs, where the winner pays its bid, coins tell, and what a loser cannot hold joins the surplus.

    Without a branch on who wins: whose higher bid it is cannot be foreseen.
    """
    most, karma, bids, order = economy.most, agents.karma, desk.bids, agents.order
    overflow, paid = 0, 0
    to_peer = 1 if economy.receiver == PEER else 0
    for pair in range(bids.shape[0] // 2):
        i, j = at(order[at(2 * pair + 1)]), at(order[at(2 * pair)])
        one, other = bids[i], bids[j]
        wins = 2 * one + np.int64(desk.words[i] & np.uint64(1)) > 2 * other
        winner, loser, price = (i, j, one) if wins else (j, i, other)
        held = karma[loser] + to_peer * price
        excess = max(held - most, 0)
        karma[winner] -= price
        karma[loser] = held - excess
        overflow += excess
        paid += price
        agents.reward[winner] = 0.0
        agents.wins[winner] += 1
    paid -= to_peer * paid
    agents.pool[0] += overflow + paid
    note(flows, OVERFLOW, overflow)
    note(flows, PAID, paid)


@inner
def _first_wins(economy, agents, desk, i, j):  # type: ignore[no-untyped-def]
    """1 if ``i`` wins over ``j``, 0 if ``j`` wins, -1 if nobody does."""
    coin = np.int64(desk.words[i] & np.uint64(1))
    one, other = desk.bids[i], desk.bids[j]
    own, others = -agents.reward[i], -agents.reward[j]  # what losing would cost
    if economy.award == BIDS and one != other:
        return np.int64(one > other)
    if economy.award == BY_COIN or (economy.award == BIDS and economy.tie == COIN):
        return coin
    if economy.award == BY_STAKE or (economy.award == BIDS and economy.tie == HIGHEST_STAKE):
        return coin if own == others else np.int64(own > others)
    if economy.award == BIDS:
        return np.int64(i < j) if economy.tie == LOWEST_INDEX else np.int64(-1)
    return coin if agents.wins[i] == agents.wins[j] else np.int64(agents.wins[i] < agents.wins[j])


@inner
def meet(economy, agents, desk, pair, flows):  # type: ignore[no-untyped-def]
    """One pair under any rules."""
    i, j, karma = agents.order[2 * pair + 1], agents.order[2 * pair], agents.karma
    outcome = _first_wins(economy, agents, desk, i, j)
    if outcome < 0:
        return
    winner, loser = (i, j) if outcome == 1 else (j, i)
    agents.reward[winner] = 0.0
    agents.wins[winner] += 1
    price = economy.charge[desk.bids[winner], desk.bids[loser]] if economy.award == BIDS else 0
    if economy.receiver != PEER:
        karma[winner] -= price
        agents.pool[0] += price
        note(flows, PAID, price)
        return
    if economy.overflow == ROOM:
        price = min(price, economy.most - karma[loser])
    excess = max(karma[loser] + price - economy.most, 0)
    karma[winner] -= price
    karma[loser] += price - excess
    note(flows, OVERFLOW, excess)
    if economy.overflow == SURPLUS:
        agents.pool[0] += excess
    else:
        agents.burnt[0] += excess
        note(flows, BURNT, excess)


@inner
def tax(agents, desk, flows):  # type: ignore[no-untyped-def]
    """Everybody pays the tax on what it holds: the whole part, and one more with the chance of the rest."""
    count, collected = desk.bids.shape[0], 0
    for i in range(count):
        held = agents.karma[i]
        more = low(desk.words[2 * count + i]) < desk.due[held, 1]
        due = min(desk.due[held, 0] + np.int64(more), held)
        agents.karma[i] -= due
        collected += due
    agents.pool[0] += collected
    note(flows, TAXED, collected)

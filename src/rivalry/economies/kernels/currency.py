"""Random matching of agents and redistribution of a currency in integer amounts, without loss.

Permutations persist between steps: a uniformly random choice of positions does not depend on the order of the
agents, so permutations are never shuffled completely. Lots are 32-bit numbers; a position among ``n`` is
``lot * n >> 32``.
"""

from __future__ import annotations

import numpy as np

from rivalry.tables.kernels import draws
from rivalry.tables.kernels.cache import inline

_LOW, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)


@inline
def high(word):  # type: ignore[no-untyped-def]
    """Return the upper 32 bits of a word as an integer."""
    return np.int64(word >> _32)


@inline
def low(word):  # type: ignore[no-untyped-def]
    """Return the lower 32 bits of a word."""
    return np.int64(word & _LOW)


@inline
def at(index):  # type: ignore[no-untyped-def]
    """Return a nonnegative index as unsigned, which avoids the check for negative indices."""
    return np.uint64(index)


@inline
def pair_up(order, words, begin):  # type: ignore[no-untyped-def]
    """Match all agents in uniformly random pairs: positions ``2p`` and ``2p + 1`` of ``order [agent]``.

    ``order`` changes in place. From the end, every last agent draws its partner by the high half of a word,
    from ``words[first]`` onwards. With an odd number, the unmatched agent is drawn first, by one further
    word, and takes the last position.
    """
    unmatched = order.shape[0]
    if unmatched % 2 == 1:
        place = (high(words[at(begin + unmatched // 2)]) * unmatched) >> 32
        unmatched -= 1
        order[at(place)], order[at(unmatched)] = order[at(unmatched)], order[at(place)]
    word = begin
    while unmatched > 1:
        place = (high(words[at(word)]) * (unmatched - 1)) >> 32
        partner = order[at(place)]
        order[at(place)] = order[at(unmatched - 2)]
        order[at(unmatched - 2)] = partner
        unmatched -= 2
        word += 1


@inline
def shuffle(order, words, begin):  # type: ignore[no-untyped-def]
    """Permute ``order [agent]`` uniformly in place, by the high halves of the words from ``words[begin]``."""
    for last in range(order.shape[0] - 1, 0, -1):
        place = (high(words[at(begin + last)]) * (last + 1)) >> 32
        order[at(place)], order[at(last)] = order[at(last)], order[at(place)]


@inline
def share_out(surplus, karma, max_karma, lucky, words, begin, stream):  # type: ignore[no-untyped-def]
    """Redistribute a surplus among all agents in place; return what is left because all agents are full.

    While the surplus is at least the number of agents and some agent has room, every agent receives the
    integer part of an equal share, clipped at ``max_karma``; the excess returns to the surplus. Then distinct
    agents drawn uniformly among those with room receive one unit each: the front of ``lucky [agent]``, a
    permutation, is drawn position by position by the low halves of the words from ``words[first]`` onwards,
    and full agents are skipped. If more units than agents with room are left, each such agent receives one
    and the draw is repeated with new words of the stream.
    """
    agents = karma.shape[0]
    while surplus >= agents:
        share, paid = surplus // agents, 0
        for agent in range(agents):
            gain = min(share, max_karma - karma[agent])
            karma[agent] += gain
            paid += gain
        # all agents are full
        if paid == 0:
            return surplus
        surplus -= paid
    place = 0
    while surplus > 0:
        if place == agents:
            if total(karma) == agents * max_karma:
                return surplus
            for n in range(agents):
                # only this rare pass takes words beyond those of the step
                words[at(begin + n)] = draws.word(stream[0], stream[1] + np.uint64(n))
            stream[1], place = stream[1] + np.uint64(agents), 0
        swap_with = place + ((low(words[at(begin + place)]) * (agents - place)) >> 32)
        agent = lucky[at(swap_with)]
        lucky[at(swap_with)] = lucky[at(place)]
        lucky[at(place)] = agent
        # a full agent takes its position but no unit: no branch on karma
        gain = np.int64(karma[at(agent)] < max_karma)
        karma[at(agent)] += gain
        surplus -= gain
        place += 1
    return surplus


@inline
def copy_into(target, source):  # type: ignore[no-untyped-def]
    """Copy a flat array; to assign to a slice compiles messages of unequal shapes as well."""
    for i in range(target.shape[0]):
        target[i] = source[i]


@inline
def total(karma):  # type: ignore[no-untyped-def]
    """Return the sum of integer amounts."""
    amount = 0
    for agent in range(karma.shape[0]):
        amount += karma[agent]
    return amount

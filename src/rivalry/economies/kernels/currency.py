"""Whole amounts of a currency: who meets whom, a surplus shared out, and that nothing is lost.

Permutations persist: a uniformly random choice of places does not depend on how the agents stand there, so
none is ever shuffled as a whole. Lots are 32-bit numbers; a place among ``n`` is ``lot * n >> 32``.
"""

from __future__ import annotations

import numpy as np

from rivalry.tables.kernels import draws
from rivalry.tables.kernels.cache import inner, njit

_LOW, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)


@inner
def high(word):  # type: ignore[no-untyped-def]
    """The upper 32 bits of a word, as an ordinary whole number."""
    return np.int64(word >> _32)


@inner
def low(word):  # type: ignore[no-untyped-def]
    """The lower 32 bits of a word."""
    return np.int64(word & _LOW)


@inner
def at(index):  # type: ignore[no-untyped-def]
    """An index that is not below 0, which need not be looked after."""
    return np.uint64(index)


@inner
def pair_up(order, words, first):  # type: ignore[no-untyped-def]
    """All agents in uniformly random pairs: places ``2p`` and ``2p + 1`` of ``order [agent]``, in place.

    From the end, every last agent draws its partner by the high half of a word, ``words[first]`` and on; an
    odd agent out is drawn first, by one word more, and stands in the last place.
    """
    left = order.shape[0]
    if left % 2 == 1:
        place = (high(words[at(first + left // 2)]) * left) >> 32
        left -= 1
        order[at(place)], order[at(left)] = order[at(left)], order[at(place)]
    word = first
    while left > 1:
        place = (high(words[at(word)]) * (left - 1)) >> 32
        partner = order[at(place)]
        order[at(place)] = order[at(left - 2)]
        order[at(left - 2)] = partner
        left -= 2
        word += 1


@inner
def share_out(surplus, karma, most, lucky, words, first, stream):  # type: ignore[no-untyped-def]
    """Share a surplus out among all agents, in place; returns what is left because everybody is full.

    While the surplus is at least the number of agents and somebody has room, everybody gets the whole part of
    an equal share, clipped at ``most``, and the excess goes back. Then one unit each goes to distinct agents
    drawn uniformly among those with room: the front of ``lucky [agent]``, a permutation, is drawn place by
    place by the low halves of ``words[first]`` and on, and who is full is passed over. Should there be more
    units than agents with room, each gets one, and so on, by new words of the stream put in their place.
    """
    agents = karma.shape[0]
    while surplus >= agents:
        share, given = surplus // agents, 0
        for agent in range(agents):
            gain = min(share, most - karma[agent])
            karma[agent] += gain
            given += gain
        if given == 0:
            return surplus
        surplus -= given
    place = 0
    while surplus > 0:
        if place == agents:
            if total(karma) == agents * most:
                return surplus
            for n in range(agents):
                words[at(first + n)] = draws.word(stream[0], stream[1] + np.uint64(n))
            stream[1], place = stream[1] + np.uint64(agents), 0
        other = place + ((low(words[at(first + place)]) * (agents - place)) >> 32)
        agent = lucky[at(other)]
        lucky[at(other)] = lucky[at(place)]
        lucky[at(place)] = agent
        gain = np.int64(karma[at(agent)] < most)
        karma[at(agent)] += gain
        surplus -= gain
        place += 1
    return surplus


@inner
def total(karma):  # type: ignore[no-untyped-def]
    """The sum of whole amounts."""
    amount = 0
    for agent in range(karma.shape[0]):
        amount += karma[agent]
    return amount


@njit(cache=True, nogil=True)
def shared(
    surplus: int, karma: np.ndarray, most: int, lucky: np.ndarray, words: np.ndarray, stream: np.ndarray
) -> int:
    """`share_out` for callers outside of kernels: ``karma`` and ``lucky`` change in place.

    ``karma [agent]`` and ``lucky [agent]`` are int64, ``words [agent]`` and
    ``stream [2]`` uint64; what is left is returned.
    """
    return share_out(surplus, karma, most, lucky, words, 0, stream)  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)
def paired(order: np.ndarray, words: np.ndarray) -> None:
    """`pair_up` for callers outside of kernels: ``order [agent]`` int64 changes in place."""
    pair_up(order, words, 0)

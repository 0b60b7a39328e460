"""One round of a finite game in the learning loops: observations, actions and nature's move.

``recent [ago column]`` holds the actions of the last rounds, player by player, then nature's state (and the
public signal, where there is one); row 0 is the current round.
"""

from __future__ import annotations

from rivalry.tables.kernels.cache import inner
from rivalry.tables.kernels.draws import uniform


@inner
def joint_of(recent, strides):  # type: ignore[no-untyped-def]
    """Return the number of the current round's joint action."""
    joint = 0
    for player in range(strides.shape[0]):
        joint += recent[0, player] * strides[player]
    return joint


@inner
def observed(game, recent, sizes, player, later):  # type: ignore[no-untyped-def]
    """Return the number of a player's observed state; with ``later`` = 1, as if the round were over."""
    state = 0
    for slot in range(game.observation_slots.shape[1]):
        who = game.observation_slots[player, slot, 0]
        if who < 0:
            break
        state = state * sizes[who] + recent[max(game.observation_slots[player, slot, 1] - later, 0), who]
    return state


@inner
def shift(recent):  # type: ignore[no-untyped-def]
    """Make the current round the last one; its actions stand until they are changed."""
    for ago in range(recent.shape[0] - 1, 0, -1):
        for column in range(recent.shape[1]):
            recent[ago, column] = recent[ago - 1, column]


@inner
def open_round(game, recent, stream, sizes, strides):  # type: ignore[no-untyped-def]
    """Begin a round: the current one becomes the last, and nature moves."""
    shift(recent)
    players = strides.shape[0]
    if sizes[players] > 1:
        nature = recent[0, players]
        joint = joint_of(recent, strides) if game.next_nature.shape[1] > 1 else 0
        branch, branches = 0, game.next_nature.shape[2]
        if branches > 1:
            number = uniform(stream)
            while branch < branches - 1 and number >= game.nature_cdf[nature, joint, branch]:
                branch += 1
        recent[0, players] = game.next_nature[nature, joint, branch]

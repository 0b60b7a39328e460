"""One round of a finite game in the learning loops: observations, actions, nature's move, pending decisions.

``recent [lag column]`` holds the actions of the last rounds, player by player, then nature's state (and the
public signal, where there is one); row 0 is the current round.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import FiniteGame
from rivalry.tables.kernels.cache import inline
from rivalry.tables.kernels.contests import strides_of
from rivalry.tables.kernels.draws import uniform


class Buffers(NamedTuple):
    """Scratch arrays of a loop, and constants while it runs."""

    sizes: ndarray  # [player+2]: numbers of actions, states of nature, signals
    strides: ndarray  # [player]: stride of an action in the joint action
    weights: ndarray  # [action]
    epsilon: ndarray  # [player]
    reward: ndarray  # [player]
    turn: ndarray  # [player]: the order of an asynchronous round


def buffers(game: FiniteGame, actions: int) -> Buffers:
    """Return the buffers of a loop for a game in which players choose among at most so many ``actions``."""
    players, signals = len(game.sizes), game.signal.max(initial=0) + 1
    sizes = np.array([*game.sizes, max(len(game.payoff), 1), signals], dtype=int)
    epsilon, reward, turn = np.zeros(players), np.zeros(players), np.zeros(players, dtype=int)
    return Buffers(sizes, strides_of(game.sizes), np.zeros(actions), epsilon, reward, turn)


@inline
def joint_of(recent, lag, strides):  # type: ignore[no-untyped-def]
    """Return the number of a round's joint action."""
    joint = 0
    for player in range(strides.shape[0]):
        joint += recent[lag, player] * strides[player]
    return joint


@inline
def observation(game, recent, sizes, player, shift):  # type: ignore[no-untyped-def]
    """Return the number of a player's observed state; with ``shift`` = 1, as if the round were over."""
    state = 0
    for slot in range(game.observation_slots.shape[1]):
        source = game.observation_slots[player, slot, 0]
        if source < 0:
            break
        state = (
            state * sizes[source] + recent[max(game.observation_slots[player, slot, 1] - shift, 0), source]
        )
    return state


@inline
def shift(recent):  # type: ignore[no-untyped-def]
    """Make the current round the last one; its actions stand until they are changed."""
    for lag in range(recent.shape[0] - 1, 0, -1):
        for column in range(recent.shape[1]):
            recent[lag, column] = recent[lag - 1, column]


@inline
def open_round(game, recent, stream, sizes, strides):  # type: ignore[no-untyped-def]
    """Begin a round: the current one becomes the last, and nature moves."""
    shift(recent)
    players = strides.shape[0]
    if sizes[players] > 1:
        nature = recent[0, players]
        joint = joint_of(recent, 0, strides) if game.next_nature.shape[1] > 1 else 0
        branch, branches = 0, game.next_nature.shape[2]
        if branches > 1:
            number = uniform(stream)
            # the last cumulative probability is never compared: it may be rounded below 1
            while branch < branches - 1 and number >= game.nature_cdf[nature, joint, branch]:
                branch += 1
        recent[0, players] = game.next_nature[nature, joint, branch]


@inline
def book(learner, player, state, action):  # type: ignore[no-untyped-def]
    """Record a decision, whose value is updated when the player decides again."""
    learner.pending[player, 0], learner.pending[player, 1] = state, action
    learner.owed[player, 0], learner.owed[player, 1] = 0.0, 1.0


@inline
def credit(learner, player, paid, gamma):  # type: ignore[no-untyped-def]
    """Add a payoff to the pending decision of a player, and discount later ones."""
    learner.owed[player, 0] += learner.owed[player, 1] * paid
    learner.owed[player, 1] *= gamma

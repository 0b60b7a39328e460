"""Gradient learning of softmax policies from drawn play of a finite game: one compiled loop.

The estimate is REINFORCE's (Williams 1992): ``(r - b)(1[a was drawn] - pi_a)``, in the mean over a batch. The
baseline b is known before the draw, so it changes no expectation.
"""

from __future__ import annotations

from math import exp

import numpy as np

from rivalry.tables.kernels.cache import njit
from rivalry.tables.kernels.draws import uniform


@njit(cache=True, nogil=True)
def play(
    payoff: np.ndarray,  # [player joint]
    sizes: np.ndarray,  # [player]
    rate: np.ndarray,  # [player]
    batch: int,  # joint actions drawn for an update
    baseline: int,  # 1: the mean of the player's payoffs so far; 0: none
    sample_steps: np.ndarray,  # [sample]: when to note
    stream: np.ndarray,  # [2], uint64
    clock: np.ndarray,  # [1]: updates made
    logits: np.ndarray,  # [player action]
    earned: np.ndarray,  # [player]: sum over updates of the mean payoff
    would: np.ndarray,  # [player action]: the same, had it always been played
    played: np.ndarray,  # [player action]: sum of the policies
    noted: np.ndarray,  # [1]: samples taken
    regret_curve: np.ndarray,  # [sample]
    play_curve: np.ndarray,  # [sample player action]: the policy after the update
    steps: int,
) -> None:
    """Make ``steps`` updates; every array from ``stream`` on is changed in place."""
    players = sizes.shape[0]
    strides = np.ones(players, dtype=np.int64)
    for player in range(players - 2, -1, -1):
        strides[player] = strides[player + 1] * sizes[player + 1]
    policy, push = np.zeros(logits.shape), np.zeros(logits.shape)
    level, drawn = np.zeros(players), np.zeros(players, dtype=np.int64)
    _policies(logits, sizes, policy)
    for _ in range(steps):
        for player in range(players):
            level[player] = earned[player] / clock[0] if baseline == 1 and clock[0] > 0 else 0.0
        for player in range(players):
            for action in range(sizes[player]):
                push[player, action] = 0.0
        for _draw in range(batch):
            joint = 0
            for player in range(players):
                drawn[player] = _drawn(policy[player], sizes[player], stream)
                joint += drawn[player] * strides[player]
            for player in range(players):
                own, got = drawn[player], payoff[player, joint]
                base = joint - own * strides[player]
                earned[player] += got / batch
                for action in range(sizes[player]):
                    would[player, action] += payoff[player, base + action * strides[player]] / batch
                    share = policy[player, action]
                    push[player, action] += (got - level[player]) * ((1.0 if action == own else 0.0) - share)
        for player in range(players):
            for action in range(sizes[player]):
                played[player, action] += policy[player, action]
                logits[player, action] += rate[player] * push[player, action] / batch
        clock[0] += 1
        _policies(logits, sizes, policy)
        if noted[0] < sample_steps.shape[0] and clock[0] == sample_steps[noted[0]]:
            largest = 0.0
            for player in range(players):
                for action in range(sizes[player]):
                    largest = max(largest, (would[player, action] - earned[player]) / clock[0])
            regret_curve[noted[0]] = largest
            for player in range(players):
                for action in range(sizes[player]):
                    play_curve[noted[0], player, action] = policy[player, action]
            noted[0] += 1


@njit(cache=True, nogil=True)
def _policies(logits, sizes, policy):  # type: ignore[no-untyped-def]
    """The softmax of every player's logits, into ``policy``."""
    for player in range(sizes.shape[0]):
        top = logits[player, 0]
        for action in range(1, sizes[player]):
            top = max(top, logits[player, action])
        total = 0.0
        for action in range(sizes[player]):
            policy[player, action] = exp(logits[player, action] - top)
            total += policy[player, action]
        for action in range(sizes[player]):
            policy[player, action] /= total


@njit(cache=True, nogil=True)
def _drawn(chances, size, stream):  # type: ignore[no-untyped-def]
    """An action drawn with its chance; the last of any chance, should rounding let nothing stop the count."""
    left, chosen = uniform(stream), 0
    for action in range(size):
        if chances[action] > 0.0:
            chosen = action
            left -= chances[action]
            if left < 0.0:
                break
    return chosen

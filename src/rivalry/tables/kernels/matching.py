"""Learning in repeated play of a finite game from what every action would have paid: one compiled loop.

The loop knows tables and integers only. A rule is a number:

- `MATCHING`: probabilities proportional to the positive regrets of not having played one action always
  (Blackwell 1956; Hart and Mas-Colell 2001);
- `CONDITIONAL`: from the last action to another in proportion to the regret of not having played that one
  whenever this one was played (Hart and Mas-Colell 2000, eq. 2.2);
- `FICTITIOUS`: what would have paid most so far, ties shared (Brown 1951; with more than two players against
  the joint empirical play of the others).
"""

from __future__ import annotations

import numpy as np

from rivalry.tables.kernels.cache import njit
from rivalry.tables.kernels.draws import uniform

MATCHING, CONDITIONAL, FICTITIOUS = 0, 1, 2


@njit(cache=True, nogil=True)
def play(
    payoff: np.ndarray,  # [player joint]
    sizes: np.ndarray,  # [player]
    rule: int,
    inertia: np.ndarray,  # [player]: what conditional regrets are divided by
    stream: np.ndarray,  # [2], uint64
    clock: np.ndarray,  # [1]: periods played
    last: np.ndarray,  # [player]: the actions of the last period
    earned: np.ndarray,  # [player]: sum of payoffs
    would: np.ndarray,  # [player action]: sum of what always playing it would have paid
    swaps: np.ndarray,  # [player action action]: sum of what the second would gain where the first was played
    joint_counts: np.ndarray,  # [joint]
    counts: np.ndarray,  # [player action]
    sample_steps: np.ndarray,  # [sample]: when to note
    noted: np.ndarray,  # [1]: samples taken
    regret_curve: np.ndarray,  # [sample]
    play_curve: np.ndarray,  # [sample player action]
    steps: int,
) -> None:
    """Play ``steps`` periods; every array but the first four is changed in place."""
    players = sizes.shape[0]
    strides = np.ones(players, dtype=np.int64)
    for player in range(players - 2, -1, -1):
        strides[player] = strides[player + 1] * sizes[player + 1]
    weights = np.zeros(would.shape[1])
    for _ in range(steps):
        joint = 0
        for player in range(players):
            _weigh(rule, player, sizes, inertia, clock[0], last, earned, would, swaps, weights)
            last[player] = _drawn(weights, sizes[player], stream)
            joint += last[player] * strides[player]
        clock[0] += 1
        joint_counts[joint] += 1
        for player in range(players):
            own, got = last[player], payoff[player, joint]
            base = joint - own * strides[player]
            earned[player] += got
            counts[player, own] += 1
            for action in range(sizes[player]):
                pays = payoff[player, base + action * strides[player]]
                would[player, action] += pays
                swaps[player, own, action] += pays - got
        if noted[0] < sample_steps.shape[0] and clock[0] == sample_steps[noted[0]]:
            _note(clock[0], noted[0], sizes, earned, would, counts, regret_curve, play_curve)
            noted[0] += 1


@njit(cache=True, nogil=True)
def _weigh(rule, player, sizes, inertia, clock, last, earned, would, swaps, weights):  # type: ignore[no-untyped-def]
    """The next action's probabilities, up to a factor, in ``weights``."""
    size = sizes[player]
    if clock > 0 and rule == CONDITIONAL:
        now, rest = last[player], 1.0
        for action in range(size):
            regret = swaps[player, now, action] / clock
            weights[action] = regret / inertia[player] if regret > 0.0 and action != now else 0.0
            rest -= weights[action]
        weights[now] = max(rest, 0.0)
        return
    if clock > 0 and rule == FICTITIOUS:
        best = would[player, 0]
        for action in range(1, size):
            best = max(best, would[player, action])
        for action in range(size):
            weights[action] = 1.0 if would[player, action] >= best else 0.0
        return
    positive = 0.0
    for action in range(size):
        weights[action] = max(would[player, action] - earned[player], 0.0)
        positive += weights[action]
    if positive <= 0.0 or clock == 0:  # nothing to regret: anything will do
        weights[:size] = 1.0


@njit(cache=True, nogil=True)
def _drawn(weights, size, stream):  # type: ignore[no-untyped-def]
    """An action drawn with probabilities proportional to the weights."""
    total = 0.0
    for action in range(size):
        total += weights[action]
    left = uniform(stream) * total
    chosen = 0
    for action in range(size):
        if weights[action] > 0.0:
            chosen = action  # the last that can be played, should rounding let nothing stop the count
            left -= weights[action]
            if left < 0.0:
                break
    return chosen


@njit(cache=True, nogil=True)
def _note(clock, at, sizes, earned, would, counts, regret_curve, play_curve):  # type: ignore[no-untyped-def]
    """The largest average regret of a player so far, and the empirical play."""
    largest = 0.0
    for player in range(sizes.shape[0]):
        for action in range(sizes[player]):
            largest = max(largest, (would[player, action] - earned[player]) / clock)
            play_curve[at, player, action] = counts[player, action] / clock
    regret_curve[at] = largest

"""Learning in sampled play of a finite game: two compiled loops.

`match` chooses by the payoffs that every action would have received. Its rule is a number:

- `MATCHING`: probabilities proportional to the positive regrets of not having always played an action
  (Blackwell 1956; Hart and Mas-Colell 2001);
- `CONDITIONAL`: from the last action to another in proportion to the regret of not having played the other
  whenever the last one was played (Hart and Mas-Colell 2000, eq. 2.2);
- `FICTITIOUS`: the action with the largest cumulative payoff, ties shared (Brown 1951; with more than two
  players against the joint empirical play of the others).

`climb` follows the REINFORCE estimate of the gradient in logits (Williams 1992), ``(r - b)(1[a was drawn] -
pi_a)``, averaged over a batch. The baseline b is known before the draw, so it does not bias the estimate.
"""

from __future__ import annotations

from math import exp

import numpy as np

from rivalry.tables.kernels.cache import njit
from rivalry.tables.kernels.contests import strides_of
from rivalry.tables.kernels.draws import uniform

MATCHING, CONDITIONAL, FICTITIOUS = 0, 1, 2


@njit(cache=True, nogil=True)
def match(
    payoff: np.ndarray,  # [player joint]
    sizes: np.ndarray,  # [player]
    rule: int,
    inertia: np.ndarray,  # [player]: divisor of conditional regrets
    stream: np.ndarray,  # [2], uint64
    clock: np.ndarray,  # [1]: periods played
    last: np.ndarray,  # [player]: the actions of the last period
    earned: np.ndarray,  # [player]: sum of payoffs
    would: np.ndarray,  # [player action]: sum of payoffs had it always been played
    swaps: np.ndarray,  # [player action action]: sum of gains of the second where the first was played
    joint_counts: np.ndarray,  # [joint]
    counts: np.ndarray,  # [player action]
    sample_steps: np.ndarray,  # [sample]: periods after which the curves are sampled
    noted: np.ndarray,  # [1]: samples taken
    regret_curve: np.ndarray,  # [sample]
    play_curve: np.ndarray,  # [sample player action]: empirical play
    steps: int,
) -> None:
    """Play ``steps`` periods; every array from ``stream`` on is changed in place."""
    players, strides = sizes.shape[0], strides_of(sizes)
    weights = np.zeros(would.shape[1])
    for _ in range(steps):
        joint = 0
        for player in range(players):
            total = _weigh(rule, player, sizes, inertia, clock[0], last, earned, would, swaps, weights)
            last[player] = _sample(weights, sizes[player], total, stream)
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
            regret_curve[noted[0]] = _largest_regret(sizes, earned, would, clock[0])
            for player in range(players):
                for action in range(sizes[player]):
                    play_curve[noted[0], player, action] = counts[player, action] / clock[0]
            noted[0] += 1


@njit(cache=True, nogil=True)
def climb(
    payoff: np.ndarray,  # [player joint]
    sizes: np.ndarray,  # [player]
    rate: np.ndarray,  # [player]
    batch: int,  # joint actions sampled per update
    baseline: int,  # 1: the mean of the player's payoffs so far; 0: none
    sample_steps: np.ndarray,  # [sample]: updates after which the curves are sampled
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
    players, strides = sizes.shape[0], strides_of(sizes)
    policy, push = np.zeros(logits.shape), np.zeros(logits.shape)
    level, chosen = np.zeros(players), np.zeros(players, dtype=np.int64)
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
                chosen[player] = _sample(policy[player], sizes[player], 1.0, stream)
                joint += chosen[player] * strides[player]
            for player in range(players):
                own, got = chosen[player], payoff[player, joint]
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
            regret_curve[noted[0]] = _largest_regret(sizes, earned, would, clock[0])
            for player in range(players):
                for action in range(sizes[player]):
                    play_curve[noted[0], player, action] = policy[player, action]
            noted[0] += 1


@njit(cache=True, nogil=True)
def _weigh(rule, player, sizes, inertia, clock, last, earned, would, swaps, weights):  # type: ignore[no-untyped-def]
    """Write the next action's probabilities, up to a factor, to ``weights``; return their sum."""
    size = sizes[player]
    if clock > 0 and rule == CONDITIONAL:
        now, rest = last[player], 1.0
        for action in range(size):
            regret = swaps[player, now, action] / clock
            weights[action] = regret / inertia[player] if regret > 0.0 and action != now else 0.0
            rest -= weights[action]
        weights[now] = max(rest, 0.0)
    elif clock > 0 and rule == FICTITIOUS:
        best = would[player, 0]
        for action in range(1, size):
            best = max(best, would[player, action])
        for action in range(size):
            weights[action] = 1.0 if would[player, action] >= best else 0.0
    else:
        positive = 0.0
        for action in range(size):
            weights[action] = max(would[player, action] - earned[player], 0.0)
            positive += weights[action]
        if positive <= 0.0 or clock == 0:  # no regret: every action is equally likely
            weights[:size] = 1.0
    total = 0.0
    for action in range(size):
        total += weights[action]
    return total


@njit(cache=True, nogil=True)
def _policies(logits, sizes, policy):  # type: ignore[no-untyped-def]
    """Write the softmax of every player's logits to ``policy``."""
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
def _sample(weights, size, total, stream):  # type: ignore[no-untyped-def]
    """Draw an action with probability proportional to its weight; ``total`` is the sum of the weights."""
    left, chosen = uniform(stream) * total, 0
    for action in range(size):
        if weights[action] > 0.0:
            chosen = action  # rounding may leave a remainder: then the last action of positive weight
            left -= weights[action]
            if left < 0.0:
                break
    return chosen


@njit(cache=True, nogil=True)
def _largest_regret(sizes, earned, would, clock):  # type: ignore[no-untyped-def]
    """Return the largest average external regret of any player so far."""
    largest = 0.0
    for player in range(sizes.shape[0]):
        for action in range(sizes[player]):
            largest = max(largest, (would[player, action] - earned[player]) / clock)
    return largest
